"""What an instructor writes down beside an assignment, so that every rerun heeds it: small tables, all of them optional.

    submitted.csv    student, submitted          when it came in; without it, `_LATE_` in a file's name is one day
    extensions.csv   student, until | days       more time
    groups.csv       group, student              one submission counts for all members
    overrides.csv    student, what, value, reason
    marks.csv        as `book written` made it, points filled in

`what` is the name of an exercise or a written question, or one of auto, written, days late, penalty, final; a final of EX excuses.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType

from book_utils.course.errors import CourseError, nearest
from book_utils.course.grading import late, rosters, written
from book_utils.course.grading.assignment import Assignment
from book_utils.course.grading.late import Extension
from book_utils.course.grading.rosters import Roster

SUBMITTED, EXTENSIONS, GROUPS, OVERRIDES, MARKS = "submitted.csv", "extensions.csv", "groups.csv", "overrides.csv", "marks.csv"
FILES = (SUBMITTED, EXTENSIONS, GROUPS, OVERRIDES, MARKS)
AUTO, WRITTEN, DAYS, PENALTY, FINAL = "auto", "written", "days late", "penalty", "final"
COLUMNS = (AUTO, WRITTEN, DAYS, PENALTY, FINAL)
EXCUSED = "EX"


@dataclass(frozen=True)
class Tables:
    """All of them, by key of the student."""

    submitted: dict[str, datetime] = field(default_factory=dict)
    extensions: dict[str, Extension] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    overrides: dict[str, dict[str, float | str]] = field(default_factory=dict)  # student -> what -> value
    marks: dict[tuple[str, str], tuple[float, str]] = field(default_factory=dict)  # (question, pseudonym) -> (points, comment)

    def mates(self, student: str) -> list[str]:
        """Everyone whose submission counts for a student, beginning with the student."""
        group = self.groups.get(student)
        return [student, *(other for other, name in self.groups.items() if name == group and other != student)] if group else [student]


def named(*paths: Path | None) -> dict[str, Path]:
    """The tables that are somewhere else than in the assignment's folder, by file name; `paths` in the order of FILES, None for none."""
    return {file: path for file, path in zip(FILES, paths, strict=True) if path}


def read(assignment: Assignment, roster: Roster, elsewhere: Mapping[str, Path] = MappingProxyType({})) -> Tables:
    """The tables in the assignment's folder, or where `elsewhere` says; CourseError, with the line, for what is wrong in one."""
    paths = {file: elsewhere.get(file, assignment.folder / file) for file in FILES}
    there = {file: path for file, path in paths.items() if file in elsewhere or path.exists()}
    return Tables(
        submitted=_submitted(there[SUBMITTED], assignment, roster) if SUBMITTED in there else {},
        extensions=_extensions(there[EXTENSIONS], assignment, roster) if EXTENSIONS in there else {},
        groups=_groups(there[GROUPS], roster) if GROUPS in there else {},
        overrides=_overrides(there[OVERRIDES], assignment, roster) if OVERRIDES in there else {},
        marks=written.read_marks(there[MARKS], assignment) if MARKS in there else {},
    )


def _rows(path: Path, roster: Roster, wanted: tuple[str, ...], twice: bool = False) -> Iterator[tuple[str, str, dict[str, str]]]:
    """(where, key of the student, row) for every row of a table with the columns `wanted`."""
    columns, rows, _ = rosters.table(path)
    columns = tuple(column.casefold() for column in columns)
    if absent := [c for c in wanted if c not in columns]:
        raise CourseError(f"{path} has no column {absent[0]!r}; it should have {', '.join(wanted)}.")
    seen = set()
    for line, cells in rows:
        row = {column: cell.strip() for column, cell in zip(columns, cells, strict=True)}
        where = f"{path}, line {line}"
        student = roster.find(row["student"], where)
        if student.key in seen and not twice:
            raise CourseError(f"{where}: {student.name} stands twice.")
        seen.add(student.key)
        yield where, student.key, row


def _submitted(path: Path, assignment: Assignment, roster: Roster) -> dict[str, datetime]:
    return {student: _moment(row["submitted"], assignment, where)
            for where, student, row in _rows(path, roster, ("student", "submitted")) if row["submitted"]}


def _extensions(path: Path, assignment: Assignment, roster: Roster) -> dict[str, Extension]:
    found = {}
    for where, student, row in _rows(path, roster, ("student",)):
        until, days = row.get("until", ""), row.get("days", "")
        if bool(until) == bool(days):
            raise CourseError(f"{where}: either `until` (a date) or `days` (a number) is wanted.")
        until_when = _moment(until, assignment, where, end=True) if until else None
        found[student] = Extension(until_when, _number(days, where, 366) if days else 0.0)
    return found


def _groups(path: Path, roster: Roster) -> dict[str, str]:
    return {student: row["group"] for _, student, row in _rows(path, roster, ("group", "student")) if row["group"]}


def _overrides(path: Path, assignment: Assignment, roster: Roster) -> dict[str, dict[str, float | str]]:
    worth = {item.name: item.points for item in (*assignment.items, *assignment.questions)}
    found: dict[str, dict[str, float | str]] = {}
    for where, student, row in _rows(path, roster, ("student", "what", "value", "reason"), twice=True):
        what, value = row["what"], row["value"]
        short = [name for name in worth if name.rpartition(".")[2] == what]
        what = short[0] if len(short) == 1 else what
        if what not in (*COLUMNS, *worth):
            raise CourseError(f"{where}: {nearest(what, (*COLUMNS, *worth), 'column, exercise or question')}")
        if what in found.setdefault(student, {}):
            raise CourseError(f"{where}: {what} is set twice for one student.")
        if not row["reason"]:
            raise CourseError(f"{where}: an override wants a reason; a later reader will ask for it.")
        excused = what == FINAL and value.upper() == EXCUSED
        found[student][what] = EXCUSED if excused else _number(value, where, math.inf)
    return found


def _moment(text: str, assignment: Assignment, where: str, end: bool = False) -> datetime:
    """A moment; without an offset in the assignment's own, and a date alone is its end where `end`, otherwise its beginning."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CourseError(f"{where}: {text!r} is no date; one is written 2026-10-02T23:59-07:00.") from None
    if end and len(text) <= len("2026-10-02"):
        moment += timedelta(days=1, seconds=-1)
    if moment.tzinfo is None:
        date = late.due(assignment)
        moment = moment.replace(tzinfo=date.tzinfo if date else timezone.utc)
    return moment


def _number(text: str, where: str, most: float) -> float:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = math.nan
    if not 0 <= number <= most or math.isinf(number):
        raise CourseError(f"{where}: {text!r} is not a number{f' from 0 to {most:g}' if most < math.inf else ' that is not negative'}.")
    return number
