"""From marks to a gradebook: what every student of the roster gets, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from book_utils.course.grading import late, marks, rosters, tables, written
from book_utils.course.grading.assignment import Assignment
from book_utils.course.grading.marks import Mark, Marked
from book_utils.course.grading.rosters import Roster, Student
from book_utils.course.grading.submissions import Collection, Submission
from book_utils.course.grading.tables import AUTO, COLUMNS, DAYS, EXCUSED, FINAL, PENALTY, WRITTEN, Tables

NOTHING, LATE = "no submission", "late"


@dataclass(frozen=True)
class Answer:
    """What a written answer earned; `points` is None until somebody has marked it."""

    points: float | None
    of: float
    title: str
    comment: str = ""


@dataclass(frozen=True)
class Row:
    """One student."""

    student: Student
    status: str
    reason: str = ""
    submission: Submission | None = None
    marked: Marked | None = None
    marks: tuple[Mark, ...] = ()
    answers: dict[str, Answer] | None = None
    auto: float = 0.0
    written: float | None = 0.0
    days: float | None = None
    penalty: float = 0.0
    final: float | str | None = 0.0  # None until all of it is marked, or while an extension runs; "EX" for excused

    @property
    def grade(self) -> str:
        """The final mark as a gradebook has it; nothing where there is none yet."""
        return number(self.final)


def number(value: float | str | None) -> str:
    """A number as short as two decimals allow; nothing for none."""
    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def settle(assignment: Assignment, roster: Roster, collection: Collection, noted: Tables, results: Mapping[str, Marked]) -> list[Row]:
    """A row for every student of the roster, in its order. `results` has what each file earned, by the file's path.

    Of a group's submissions every member gets the one that gives them most.
    """
    chosen = collection.chosen()
    rows = []
    for student in roster.students:
        offered = [_row(assignment, student, chosen[mate], noted, results, own=mate == student.key)
                   for mate in noted.mates(student.key) if mate in chosen]
        rows.append(max(offered, key=_worth) if offered else _absent(assignment, student, noted))
    return rows


def _worth(row: Row) -> tuple:
    final = row.final if isinstance(row.final, float) else 0.0
    return final, row.auto, row.status in (marks.GRADED, LATE)


def _absent(assignment: Assignment, student: Student, noted: Tables) -> Row:
    """No file: nothing earned, and no final mark while there may still come one."""
    more = student.key in noted.extensions
    nothing = tuple(Mark(item.name, "NOT STARTED", 0.0, item.points) for item in assignment.items)
    answers = {question.name: Answer(0.0, question.points, question.title) for question in assignment.questions}
    reason = "There is no file of theirs" + (", and they have more time." if more else ".")
    row = Row(student, NOTHING, reason, marks=nothing, answers=answers)
    return _overridden(assignment, row, noted, pending=more)


def _row(assignment: Assignment, student: Student, submission: Submission, noted: Tables, results: Mapping[str, Marked], own: bool) -> Row:
    marked = results[submission.file]
    answers = {}
    for question in assignment.questions:
        points, comment = noted.marks.get((question.name, written.pseudonym(assignment, submission.file)), (None, ""))
        if points is None and not marked.written.get(question.name, "" if marked.status == marks.UNREADABLE else "?").strip():
            points, comment = 0.0, "There is no answer."
        answers[question.name] = Answer(points, question.points, question.title, comment)
    days = late.days_late(assignment, noted.submitted.get(submission.owner), submission.late, noted.extensions.get(student.key, late.NONE))
    said = [] if own else [f"Handed in by {submission.owner}, of the same group."]
    said += [marked.reason] if marked.reason else []
    if days:
        known = submission.owner in noted.submitted
        said.append(f"It came in {noted.submitted[submission.owner]:%Y-%m-%d %H:%M %z}." if known else "Its file name says LATE.")
    return _overridden(assignment, Row(student, marked.status, " ".join(said), submission, marked, marked.marks, answers, days=days), noted)


def _overridden(assignment: Assignment, row: Row, noted: Tables, pending: bool = False) -> Row:
    """The sums, and what the instructor decided otherwise."""
    decided = noted.overrides.get(row.student.key, {})
    given = tuple(replace(mark, points=float(decided[mark.name])) if mark.name in decided else mark for mark in row.marks)
    answers = {name: replace(answer, points=float(decided[name])) if name in decided else answer for name, answer in row.answers.items()}
    unmarked = [answer.title for answer in answers.values() if answer.points is None]
    auto = float(decided.get(AUTO, round(sum(mark.points for mark in given), 2)))
    by_hand = None if unmarked else round(sum(answer.points for answer in answers.values()), 2)
    by_hand = float(decided[WRITTEN]) if WRITTEN in decided else by_hand
    days = float(decided[DAYS]) if DAYS in decided else row.days
    earned = auto + (by_hand or 0.0)
    penalty = float(decided.get(PENALTY, late.penalty(assignment, days or 0, earned)))
    waiting = by_hand is None or pending
    final = decided.get(FINAL, None if waiting else round(max(0.0, earned - penalty), 2))
    reason = row.reason
    if by_hand is None:
        reason = f"{reason} Not marked yet: {', '.join(unmarked)}.".strip()
    if decided:
        reason = f"{reason} Set by the instructor: {', '.join(decided)}.".strip()
    status = LATE if row.status == marks.GRADED and days else row.status
    return replace(row, status=status, reason=reason, marks=given, answers=answers, auto=auto, written=by_hand, days=days, penalty=penalty,
                   final=final)


def excused(row: Row) -> bool:
    """Whether the instructor has excused a student."""
    return row.final == EXCUSED


def dumps(assignment: Assignment, roster: Roster, rows: list[Row]) -> str:
    """The gradebook as CSV: who, the five columns, the status and its reason, then every exercise and question."""
    names = [item.name for item in (*assignment.items, *assignment.questions)]
    lines = [(*roster.identity, *COLUMNS, "status", "reason", "file", *names)]
    for row in rows:
        points = {mark.name: mark.points for mark in row.marks} | {name: answer.points for name, answer in row.answers.items()}
        sums = (row.auto, row.written, row.days, row.penalty, row.final)
        lines.append((*(row.student.cell(roster, column) for column in roster.identity), *map(number, sums), row.status, row.reason,
                      row.submission.file if row.submission else "", *(number(points.get(name, 0.0)) for name in names)))
    return rosters.text(lines, roster.delimiter)
