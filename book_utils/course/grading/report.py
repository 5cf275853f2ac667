"""What an instructor reads: who is accounted for and how, where the class stands, and which mistakes it makes."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from book_utils.course.grading import marks
from book_utils.course.grading.assignment import Assignment, Item
from book_utils.course.grading.gradebook import LATE, NOTHING, Row, excused, number
from book_utils.course.grading.marks import Mark
from book_utils.course.grading.pages import heading, page, paragraph, table
from book_utils.course.grading.submissions import Collection

STATUSES = (*marks.STATUSES[:1], LATE, *marks.STATUSES[1:], NOTHING)
BINS = 10


@dataclass(frozen=True)
class Report:
    """Everything that the page and the terminal say."""

    assignment: Assignment
    rows: list[Row]
    left_out: list[tuple[str, str]]  # (file, reason): every file that gives nobody a mark
    notes: list[str]

    @property
    def counts(self) -> dict[str, int]:
        """Students by status; every student of the roster once."""
        found = Counter(row.status for row in self.rows)
        return {status: found[status] for status in STATUSES if found[status]}

    def sentences(self) -> list[str]:
        """What the terminal says."""
        counted = ", ".join(f"{count} {status}" for status, count in self.counts.items())
        settled = [row.final for row in self.rows if isinstance(row.final, float) and row.submission]
        said = [f"{len(self.rows)} students: {counted}."]
        if settled:
            said.append(f"Final marks settled so far: {len(settled)}, on average {_mean(settled)} of {number(self.assignment.points)}.")
        if self.left_out:
            said.append(f"Files that give nobody a mark: {len(self.left_out)}.")
            said += [f"  {file}: {reason}" for file, reason in self.left_out]
        return said

    def page(self) -> str:
        """The class report as a page."""
        handed = [row for row in self.rows if row.submission]
        read = [row for row in handed if row.marked.status != marks.UNREADABLE]
        once = {row.submission.file: row for row in read}.values()  # a group's submission counts once
        parts = [table("What became of everyone", ("Status", ">Students"), self.counts.items())]
        parts += [heading("Notes"), *map(paragraph, self.notes)] if self.notes else []
        parts += [heading("Final marks"), _histogram(self.assignment, handed), heading("Exercises"), _exercises(self.assignment, once)]
        parts += [heading("Recognised mistakes"), _mistakes(self.assignment, once), heading("Laws")]
        parts += [_laws(item, _answering(once, item)) for item in self.assignment.items]
        odd = [(row.student.name, row.status, row.reason) for row in self.rows if row.status != marks.GRADED or row.reason]
        if odd:
            parts += [heading("To look at"), table("Students whose submission is not simply graded", ("Student", "Status", "Why"), odd)]
        if self.left_out:
            parts.append(table("Files that give nobody a mark", ("File", "Why"), self.left_out))
        if same := identical(handed):
            parts += [heading("The same file"), paragraph("Byte for byte; blank handouts are among them."),
                      table("Students with one file", ("Students", "File"), same)]
        return page(f"{self.assignment.title}: class report", *parts)


def left_out(collection: Collection, rows: list[Row]) -> list[tuple[str, str]]:
    """Every file that gives nobody a mark, with the reason."""
    counted = {row.submission.file for row in rows if row.submission}
    chosen = collection.chosen()
    found = []
    for submission in collection.submissions:
        if submission.file in counted:
            continue
        if submission.owner and chosen[submission.owner] is not submission:
            found.append((submission.file, f"{chosen[submission.owner].file} of the same student counts instead."))
        else:
            found.append((submission.file, submission.trouble or "Another submission of the same group gives every member more."))
    return found


def identical(rows: list[Row]) -> list[tuple[str, str]]:
    """(names, one of the files) of students whose own files are the same, byte for byte."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.submission.digest and row.submission.owner == row.student.key:
            found[row.submission.digest].append(row)
    return [(", ".join(row.student.name for row in same), same[0].submission.file) for same in found.values() if len(same) > 1]


def _mean(values: list[float]) -> str:
    return number(sum(values) / len(values))


def _histogram(assignment: Assignment, rows: list[Row]) -> str:
    finals = [row.final for row in rows if isinstance(row.final, float)]
    top = assignment.points or 1.0
    counts = Counter(min(BINS - 1, int(BINS * final / top)) for final in finals)
    most = max(counts.values(), default=1)
    edges = [number(top * b / BINS) for b in range(BINS + 1)]
    lines = [(f"{edges[b]} to {'less than ' if b < BINS - 1 else ''}{edges[b + 1]}", counts[b]) for b in range(BINS)]
    waiting = sum(row.final is None for row in rows)
    let_off = sum(map(excused, rows))
    more = [f"{waiting} not settled yet."] if waiting else []
    more += [f"{let_off} excused."] if let_off else []
    shares = [counts[b] / most for b in range(BINS)]
    return table("Final marks of those who handed in", ("Points", ">Students"), lines, shares) + paragraph(*more)


def _exercises(assignment: Assignment, rows: Iterable[Row]) -> str:
    lines = []
    for item in assignment.items:
        found = [mark for row in rows for mark in row.marks if mark.name == item.name]
        statuses = Counter(mark.status for mark in found)
        lines.append((item.title, _mean([mark.points for mark in found]) if found else "", number(item.points),
                      *(statuses[status] for status in ("HOLDS", "FAILS", "RAISES", "NOT STARTED"))))
    columns = ("Exercise", ">Points on average", ">Of", ">Hold", ">Fail", ">Raise", ">Not started")
    return table("Exercises, over submissions", columns, lines)


def _mistakes(assignment: Assignment, rows: Iterable[Row]) -> str:
    titles = {item.name: item.title for item in assignment.items}
    found = Counter((mark.name, mark.mistake, mark.hint) for row in rows for mark in row.marks if mark.mistake)
    if not found:
        return paragraph("No answer is one of the catalogued mistakes.")
    often = sorted(found.items(), key=lambda entry: (-entry[1], entry[0]))
    lines = [(mistake, titles.get(name, name), count, hint) for (name, mistake, hint), count in often]
    columns = ("Mistake", "Exercise", ">Submissions", "Hint in the feedback")
    return table("Catalogued mistakes that answers were recognised as", columns, lines)


def _answering(rows: Iterable[Row], item: Item) -> list[Mark]:
    return [mark for row in rows for mark in row.marks if mark.name == item.name and mark.status != "NOT STARTED"]


def _laws(item: Item, found: list[Mark]) -> str:
    held = Counter(law.law for mark in found for law in mark.laws if law.held)
    lines = [(law, number(weight), held[law], f"{held[law] / len(found):.0%}" if found else "") for law, weight in item.weights.items()]
    return table(f"{item.title}, in the {len(found)} submissions that answer it", ("Law", ">Weight", ">Held in", ">Share"), lines)
