"""`book grade`: notebooks in, a gradebook, pages for students and a class report out."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from book_utils.course.errors import CourseError, nearest
from book_utils.course.grading import feedback, gradebook, marks, pool, rosters, submissions, tables
from book_utils.course.grading.assignment import Assignment, load
from book_utils.course.grading.gradebook import Row
from book_utils.course.grading.marks import Marked
from book_utils.course.grading.pool import Marking, Memory, replace
from book_utils.course.grading.report import Report, left_out
from book_utils.course.grading.rosters import CANVAS, MOODLE, PLAIN, Roster
from book_utils.course.grading.submissions import Collection
from book_utils.course.grading.tables import Tables

_OURS = ".made-by-book"  # in a folder of feedback: what is in it may be replaced


@dataclass(frozen=True)
class Wanted:
    """One call of the command."""

    submissions: Path
    assignment: Path
    roster: Path
    out: Path
    feedback: Path | None = None
    tables: Mapping[str, Path] = field(default_factory=dict)  # where other than in the assignment's folder, by file name
    column: str = ""  # of the gradebook that the marks go into, where it is not called like the assignment
    jobs: int = 0  # markers side by side; 0 for one a core
    walls: str = "auto"
    fresh: bool = False  # mark everything again
    retry: bool = False  # mark again what timed out or ended


@dataclass(frozen=True)
class Graded:
    """What came out."""

    rows: list[Row]
    report: Report
    written: list[Path]  # files and folders

    def sentences(self) -> list[str]:
        """What the terminal says."""
        notes = [f"Note: {note}" for note in self.report.notes]
        return [*self.report.sentences(), *notes, f"Written: {', '.join(map(str, self.written))}"]


@dataclass(frozen=True)
class Read:
    """Everything that a call reads before anything is marked."""

    assignment: Assignment
    roster: Roster
    collection: Collection
    noted: Tables
    column: str


def read(wanted: Wanted) -> Read:
    """Read and check all input; CourseError for what is wrong, and nothing has been written."""
    assignment = load(wanted.assignment)
    roster = rosters.read(wanted.roster)
    noted = tables.read(assignment, roster, wanted.tables)
    _places(wanted)
    column = rosters.column_for(roster, *([wanted.column] if wanted.column else [assignment.title, assignment.name]))
    if wanted.column and roster.kind == CANVAS and not column:
        raise nearest(wanted.column, [c for c in roster.columns if c not in roster.identity], f"column in {roster.path}")
    column = column or wanted.column or assignment.title
    return Read(assignment, roster, submissions.collect(wanted.submissions, roster, assignment.name), noted, column)


def _places(wanted: Wanted) -> None:
    """CourseError where a result cannot be written, or would be taken for input by the next run."""
    inputs = [wanted.roster, *wanted.tables.values(), *(wanted.assignment / name for name in tables.FILES)]
    for path in filter(None, (wanted.out, wanted.feedback)):
        if not path.absolute().parent.is_dir():
            raise CourseError(f"There is no folder {path.parent} to write {path.name} into.")
        if any(path.resolve() == other.resolve() for other in inputs):
            raise CourseError(f"{path} is read by this command, and would be overwritten: name another file.")
        if path.resolve().is_relative_to(wanted.submissions.resolve()):
            raise CourseError(f"{path} is among the submissions: name a place outside {wanted.submissions}.")
        if path.resolve().is_relative_to((wanted.assignment / "instructor").resolve()):
            raise CourseError(f"{path} is among the frozen checks' folders: name a place outside {wanted.assignment / 'instructor'}.")
    if wanted.out.is_dir():
        raise CourseError(f"{wanted.out} is a folder, and a file is wanted, for instance {wanted.out / 'grades.csv'}.")
    folder = wanted.feedback
    if folder and folder.exists() and not (folder.is_dir() and ((folder / _OURS).exists() or not any(folder.iterdir()))):
        raise CourseError(f"{folder} is not empty, and this command did not make it: name another folder for the feedback.")


def grade(wanted: Wanted, open_marker: Callable[[Path], Marking] | None = None) -> Graded:
    """Mark what is not marked yet and write everything anew; CourseError for what is wrong with the input, before anything is written."""
    had = read(wanted)
    return publish(wanted, had, marked(wanted, had, open_marker))


def state(out: Path) -> Path:
    """Where marks are remembered, beside the gradebook."""
    return out.with_name(f"{out.name}.state")


def marked(wanted: Wanted, had: Read, open_marker: Callable[[Path], Marking] | None = None) -> dict[str, Marked]:
    """What every submission that counts earned, with a progress bar where there is somebody to see it."""
    if open_marker is None:
        from book_utils.course.grading.marking import Marker

        def open_marker(folder: Path) -> Marking:
            return Marker(folder, wanted.walls)
    noted, chosen = had.noted, had.collection.chosen()
    counting = {mate: chosen[mate] for student in had.roster.students for mate in noted.mates(student.key) if mate in chosen}
    if wanted.fresh:
        state(wanted.out).unlink(missing_ok=True)
    memory = Memory(state(wanted.out), had.assignment, (marks.TIMED_OUT, marks.ENDED) if wanted.retry else ())
    console = Console(stderr=True)
    columns = TextColumn("Marking"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=len(counting))
        jobs = wanted.jobs or os.cpu_count() or 1
        return pool.mark(had.assignment, had.collection, counting.values(), memory, lambda: open_marker(had.assignment.folder), jobs,
                         lambda: progress.advance(bar))


def publish(wanted: Wanted, had: Read, results: Mapping[str, Marked], notes: tuple[str, ...] = ()) -> Graded:
    """Write gradebook, the file to import, report and feedback: each whole or not at all, the same for the same marks."""
    rows = gradebook.settle(had.assignment, had.roster, had.collection, had.noted, results)
    rows_known = [row for row in rows if row.submission]
    report = Report(had.assignment, rows, left_out(had.collection, rows), [*notes, *_notes(wanted, had, rows_known)])
    out = wanted.out
    files = {out: gradebook.dumps(had.assignment, had.roster, rows), out.with_name(f"{out.stem}-report.html"): report.page()}
    if had.roster.kind != PLAIN:
        grades = {row.student.key: row.grade for row in rows}
        upload = rosters.upload(had.roster, had.column, had.assignment.points, grades)
        files[out.with_name(f"{out.stem}-{had.roster.kind}.csv")] = upload
    pages = feedback.pages(had.assignment, rows) if wanted.feedback else {}
    for path, text in files.items():
        replace(path, text)
    if wanted.feedback:
        _replace_folder(wanted.feedback, pages)
    return Graded(rows, report, [*files, *filter(None, (wanted.feedback,))])


def _replace_folder(folder: Path, pages: Mapping[str, str]) -> None:
    """Put a folder of pages where the last one was: complete, or the last one stays."""
    fresh, old = (folder.with_name(f".{folder.name}.{word}") for word in ("new", "old"))
    for path in (fresh, old):
        shutil.rmtree(path, ignore_errors=True)
    fresh.mkdir()
    (fresh / _OURS).write_text("Everything in this folder is written anew by `book grade`.\n", encoding="utf-8")
    for name, text in pages.items():
        (fresh / name).parent.mkdir(exist_ok=True)
        (fresh / name).write_text(text, encoding="utf-8", errors="replace", newline="\n")
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _notes(wanted: Wanted, had: Read, rows: list[Row]) -> list[str]:
    """What an instructor has to know before the marks go out."""
    assignment, roster = had.assignment, had.roster
    notes = []
    for walls in sorted({row.marked.walls for row in rows if row.marked.walls}):
        said = f"Students' code ran behind: {', '.join(walls)}."
        if not {"namespaces", "landlock"} & set(walls):
            said += " That keeps out carelessness, not skill: this system has, or allows, no stronger walls. Mark in a virtual machine."
        notes.append(said)
    if stopped := sum(row.marked.status in (marks.TIMED_OUT, marks.ENDED) for row in rows):
        notes.append(f"Timed out or ended: {stopped}. If this machine was busy, --retry marks them once more.")
    if unmarked := sum(row.written is None for row in rows):
        notes.append(f"Without a final mark, because nobody has marked their written answers: {unmarked}. "
                     f"`book written` collects the answers; points go into "
                     f"{wanted.tables.get(tables.MARKS, assignment.folder / tables.MARKS)}.")
    if not assignment.due and any(row.submission.late for row in rows):
        notes.append("The assignment has no due date; submissions whose file name says LATE count as one day late.")
    elif assignment.due and not had.noted.submitted:
        notes.append(f"No {tables.SUBMITTED}: whoever's file name says LATE counts as one day late, everyone else as in time.")
    if roster.kind == CANVAS and had.column not in roster.columns:
        notes.append(f"The roster has no column {had.column!r}: on import Canvas will offer to make one. To fill one that is there, "
                     f"export the gradebook with it, or name it with --column.")
    possible = _possible(roster, had.column) if roster.kind == CANVAS and had.column in roster.columns else None
    if possible not in (None, assignment.points):
        notes.append(f"Canvas has {possible:g} points for {had.column!r}, and the assignment is worth {assignment.points:g}.")
    if roster.kind == MOODLE and "Maximum Grade" in roster.columns:
        most = {_float(student.cell(roster, "Maximum Grade")) for student in roster.students} - {None, assignment.points}
        notes += [f"Moodle's maximum is {points:g}, and the assignment is worth {assignment.points:g}: Moodle does not rescale."
                  for points in sorted(most)]
    return notes


def _possible(roster: Roster, column: str) -> float | None:
    """Points that Canvas has for a column."""
    found = [_float(row[roster.columns.index(column)]) for row in roster.head if row[0].strip().startswith("Points Possible")]
    return found[0] if found else None


def _float(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None
