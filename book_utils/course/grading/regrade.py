"""`book regrade`: the same submissions by corrected checks; no mark falls unless told to, and every change is said with its reason."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from book_utils.course.errors import CourseError
from book_utils.course.grading import grade, gradebook, rosters
from book_utils.course.grading.assignment import Assignment, Item, load
from book_utils.course.grading.grade import Graded, Wanted
from book_utils.course.grading.gradebook import Row, number
from book_utils.course.grading.marks import Mark, Marked
from book_utils.course.grading.pool import Marking

COLUMNS = ("before", "after", "why")


@dataclass(frozen=True)
class Change:
    """One student whose final mark is another one now."""

    row: Row
    before: str
    after: str
    why: str


@dataclass(frozen=True)
class Regraded:
    """What came out."""

    graded: Graded
    changes: list[Change]
    kept: int  # marks of exercises that would have fallen, and did not
    listed: Path

    def sentences(self) -> list[str]:
        """Who changed and why, then what `book grade` says."""
        said = [f"{change.row.student.name}: {change.before or 'nothing'} -> {change.after or 'nothing'}. {change.why}"
                for change in self.changes]
        said.append(f"{len(self.changes)} of {len(self.graded.rows)} final marks changed; {self.listed} lists them.")
        if self.kept:
            said.append(f"{self.kept} marks of exercises would have fallen and stay as they were; --lower lets them fall.")
        return said + self.graded.sentences()


def regrade(wanted: Wanted, corrected: Path, lower: bool = False, open_marker: Callable[[Path], Marking] | None = None) -> Regraded:
    """Mark by the assignment's own checks and by those of the folder `corrected`, and write the gradebook with the better of the two.

    Extensions, overrides and written marks are those of the first assignment, and so are titles, dates and what an exercise is worth
    in all. CourseError where the two do not ask the same, and where there is no gradebook yet.
    """
    new = load(corrected)
    if not wanted.out.is_file():
        raise CourseError(f"There is no gradebook {wanted.out}; `book grade` writes one.")
    had = grade.read(wanted)
    old = had.assignment
    if new.folder.resolve() == old.folder.resolve():
        raise CourseError(f"{corrected} is the assignment itself; --with names a corrected one.")
    _comparable(old, new)
    before = grade.marked(wanted, had, open_marker)
    after = grade.marked(wanted, replace(had, assignment=new), open_marker)
    merged = {file: _merged(old, before[file], after[file], lower) for file in before}
    kept = 0 if lower else sum(b.points > a.points for file in before for b, a in _pairs(old, before[file], after[file]))
    first = gradebook.settle(old, had.roster, had.collection, had.noted, before)
    # laws and weights on the pages are those of the checks that the marks come from
    had_merged = replace(had, assignment=replace(old, items=tuple(_both(new, item) for item in old.items)))
    note = f"Marked by {old.folder} and by {new.folder}" + (", which counts." if lower else "; of every exercise the better mark counts.")
    graded = grade.publish(wanted, had_merged, merged, notes=(note,))
    changes = [Change(b, b.grade, a.grade, _why(old, new, b, a)) for b, a in zip(first, graded.rows, strict=True) if b.grade != a.grade]
    listed = wanted.out.with_name(f"{wanted.out.stem}-changes.csv")
    lines = [(*(c.row.student.cell(had.roster, column) for column in had.roster.identity), c.before, c.after, c.why) for c in changes]
    grade.replace(listed, rosters.text([(*had.roster.identity, *COLUMNS), *lines], had.roster.delimiter))
    return Regraded(graded, changes, kept, listed)


def _comparable(old: Assignment, new: Assignment) -> None:
    names = [{item.name for item in (*a.items, *a.questions)} for a in (old, new)]
    if different := names[0] ^ names[1]:
        raise CourseError(f"{old.folder} and {new.folder} are not the same assignment: only one of them has {sorted(different)[0]}.")
    corrected = {item.name: item for item in new.items}
    for item in old.items:
        other = corrected[item.name]
        if item.points != other.points:
            raise CourseError(f"{item.name} is worth {item.points:g} points in {old.folder} and {other.points:g} in {new.folder}: "
                              f"make the corrected assignment with the same points.")
        if item.variant != other.variant:
            raise CourseError(f"{item.name} is asked in other words in {new.folder} than in {old.folder}: make the corrected assignment "
                              f"with the same salt and under the same name, in another place, for instance --out corrected/{old.name}.")


def _both(new: Assignment, item: Item) -> Item:
    """An item with the laws of both, so that every law on a page has a weight."""
    other = next(i for i in new.items if i.name == item.name)
    return replace(item, weights=item.weights | other.weights, gates=other.gates)


def _pairs(old: Assignment, before: Marked, after: Marked) -> list[tuple[Mark, Mark]]:
    """(mark before, mark after) of every exercise."""
    marks = [{mark.name: mark for mark in marked.marks} for marked in (before, after)]
    nothing = [Mark(item.name, "NOT STARTED", 0.0, item.points) for item in old.items]
    return [(marks[0].get(n.name, n), marks[1].get(n.name, n)) for n in nothing]


def _merged(old: Assignment, before: Marked, after: Marked, lower: bool) -> Marked:
    """The new marks, an exercise that earned more before as it was; the rest is that of the new run."""
    pairs = _pairs(old, before, after)
    if not lower and after.points < before.points and not any(a.points > b.points for b, a in pairs):
        return before
    better = tuple(b if b.points > a.points and not lower else a for b, a in pairs)
    return replace(after, marks=better, written=before.written or after.written)


def _why(old: Assignment, new: Assignment, before: Row, after: Row) -> str:
    """What made the difference: exercises, and the laws that come out differently."""
    said = []
    was: Mapping[str, Mark] = {mark.name: mark for mark in before.marks}
    for mark in after.marks:
        earlier = was[mark.name]
        if earlier.points == mark.points:
            continue
        laws = {held.law: held.held for held in earlier.laws}
        holding = [h.law for h in mark.laws if h.held and not laws.get(h.law, False)]
        failing = [h.law for h in mark.laws if not h.held and laws.get(h.law, True)]
        gone = [law for law in laws if law not in {h.law for h in mark.laws}]
        found = {"holds now": holding, "does not hold now": failing, "no longer asked": gone}
        parts = [f"{verb}: {'; '.join(which)}" for verb, which in found.items() if which]
        said.append(f"{mark.name} {number(earlier.points)} -> {number(mark.points)} ({', '.join(parts) or 'laws have other weights'}).")
    if before.submission is not after.submission:
        said.append("Another submission of the group is the better one now.")
    return " ".join(said) or "The days or the penalty differ."
