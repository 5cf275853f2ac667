"""Who takes part: a roster as Canvas, Moodle or a spreadsheet exports it, and the file that goes back to where it came from."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from book_utils.course.errors import CourseError, nearest

CANVAS, MOODLE, PLAIN = "canvas", "moodle", "plain"

_CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Integration ID", "Root Account", "Section", "LastName", "FirstName")
_LOGINS = ("SIS Login ID", "SIS User ID", "Integration ID", "Username", "ID number", "Email address", "login", "id", "email")
_FIRST, _LAST = ("FirstName", "First name"), ("LastName", "Last name", "Surname")
_NAMES = ("Student", "Full name", "name")
_TEST = "Student, Test"  # what Canvas calls a teacher who looks at the course as students see it


@dataclass(frozen=True)
class Student:
    """One row of a roster."""

    key: str  # the number that Canvas or Moodle knows them by, otherwise their login: one of a kind
    name: str  # as it is read aloud
    handles: tuple[str, ...]  # logins, numbers and addresses, folded
    cells: tuple[str, ...]  # the row as it stands
    spellings: frozenset[str]  # the name as a file name may have it: letters alone, either order

    def cell(self, roster: "Roster", column: str) -> str:
        """What stands in a column, or nothing."""
        return self.cells[roster.columns.index(column)] if column in roster.columns else ""


@dataclass(frozen=True)
class Roster:
    """A class list, and enough of its file to write one like it."""

    path: Path
    kind: str
    columns: tuple[str, ...]
    students: tuple[Student, ...]
    head: tuple[tuple[str, ...], ...] = ()  # rows above the first student: Canvas's "Points Possible"
    delimiter: str = ","

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns that say who somebody is."""
        if self.kind == CANVAS:
            return tuple(column for column in self.columns if column in _CANVAS)
        if self.kind == MOODLE:
            known = {*_LOGINS, *_FIRST, *_LAST, *_NAMES, "Identifier"}
            return tuple(column for column in self.columns if column in known)
        return self.columns

    def find(self, text: str, where: str) -> Student:
        """The student whom a table names by login, number, address or name; CourseError, beginning with `where`, for none or several."""
        wanted = folded(text)
        found = [s for s in self.students if wanted in s.handles or wanted == folded(s.key)]
        found = found or [s for s in self.students if squashed(text) and squashed(text) in s.spellings]
        if len(found) > 1:
            raise CourseError(f"{where}: {text!r} names {len(found)} students of {self.path}; write a login or a number instead.")
        if not found:
            raise CourseError(f"{where}: {nearest(text, [handle for s in self.students for handle in (s.name, *s.handles)], 'student')}")
        return found[0]


def folded(text: str) -> str:
    """Text as it is compared: one form of every letter, small, no space around it."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def squashed(text: str) -> str:
    """Letters and digits alone, without accents: what is left of a name in a file name."""
    return "".join(c for c in unicodedata.normalize("NFKD", folded(text)) if c.isalnum())


def read(path: Path) -> Roster:
    """A roster; CourseError for a file that is none, a student without a number, and one who stands twice."""
    columns, rows, delimiter = table(path)
    names = set(columns)
    if "ID" in names and names & {"Student", "LastName"}:
        kind, key = CANVAS, "ID"
    elif "Identifier" in names:
        kind, key = MOODLE, "Identifier"
    elif names & {*_FIRST, *_LAST} or "Full name" in names:
        kind, key = MOODLE, next((c for c in ("Username", "ID number", "Email address") if c in names), "")
    else:
        kind, key = PLAIN, next((c for c in ("login", "id", "email") if c in names), "")
    if not key:
        raise CourseError(f"{path} is no roster: it has neither Canvas's columns Student and ID, nor Moodle's Identifier, nor a login.")
    head, students, seen = [], [], set()
    for line, cells in rows:
        value = dict(zip(columns, cells, strict=True))
        number = value[key].strip()
        if kind == CANVAS and not number and not students:
            head.append(cells)
            continue
        if not number:
            raise CourseError(f"{path}, line {line}: this row has nothing under {key}.")
        if number in seen:
            raise CourseError(f"{path}, line {line}: {key} {number} stands twice.")
        seen.add(number)
        if value.get("Student", "").strip() != _TEST:
            students.append(_student(number, value, cells))
    if not students:
        raise CourseError(f"{path} names no students.")
    return Roster(path, kind, columns, tuple(students), tuple(head), delimiter)


def _student(number: str, value: Mapping[str, str], cells: tuple[str, ...]) -> Student:
    first, last = (next((value[c].strip() for c in choice if value.get(c)), "") for choice in (_FIRST, _LAST))
    name = f"{first} {last}".strip() or next((value[c].strip() for c in _NAMES if value.get(c)), "")
    if "," in name:
        last, _, first = (part.strip() for part in name.partition(","))
        name = f"{first} {last}".strip()
    words = name.split()
    spellings = {squashed("".join(words[i:] + words[:i])) for i in range(len(words))} | {squashed(last + first)}
    handles = {folded(value[c]) for c in _LOGINS if value.get(c, "").strip()} | {folded(number)}
    return Student(number, name or number, tuple(sorted(handles)), cells, frozenset(spellings - {""}))


def table(path: Path) -> tuple[tuple[str, ...], list[tuple[int, tuple[str, ...]]], str]:
    """(columns, [(line, cells)], what stands between cells) of a table; empty rows are left out, short ones filled up.

    CourseError for a file that is missing, empty, or no table in UTF-8, and for a row that is longer than the first.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        first = text.partition("\n")[0]
        delimiter = max(",;\t", key=first.count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        lines = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except FileNotFoundError:
        raise CourseError(f"There is no file {path}.") from None
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror}.") from None
    except (UnicodeDecodeError, csv.Error):
        raise CourseError(f"{path} is not a table in UTF-8 that can be read; save it as CSV (UTF-8).") from None
    if not lines:
        raise CourseError(f"{path} is empty.")
    columns = tuple(cell.strip() for cell in lines[0][1])
    while columns and not columns[-1]:
        columns = columns[:-1]
    if repeated := [c for c in columns if c and columns.count(c) > 1]:
        raise CourseError(f"{path} has two columns called {repeated[0]!r}.")
    rows = []
    for line, row in lines[1:]:
        if any(cell.strip() for cell in row[len(columns):]):
            raise CourseError(f"{path}, line {line}: there are more cells than columns; is a comma missing its quotation marks?")
        rows.append((line, tuple(row[: len(columns)]) + ("",) * (len(columns) - len(row))))
    return columns, rows, delimiter


def column_for(roster: Roster, *names: str) -> str:
    """Canvas's column for an assignment of one of these names, "Homework 3 (98765)" for "Homework 3"; "" if there is none or several."""
    for name in names:
        found = [c for c in roster.columns if folded(c) == folded(name) or folded(re.sub(r"\s*\(\d+\)$", "", c)) == folded(name)]
        if len(found) == 1 and found[0] not in _CANVAS:
            return found[0]
    return ""


def upload(roster: Roster, column: str, points: float, grades: Mapping[str, str]) -> str:
    """The file to import where the roster came from: `grades` by key of the student. Who has no grade yet keeps what they had.

    Canvas gets who they are, the one column, and its row of points; Moodle gets its worksheet back with the grades filled in.
    """
    if roster.kind == MOODLE and "Grade" in roster.columns:
        place = roster.columns.index("Grade")
        rows = [s.cells[:place] + (grades.get(s.key) or s.cells[place],) + s.cells[place + 1:] for s in roster.students]
        return text((roster.columns, *rows), roster.delimiter)
    identity = roster.identity
    rows = [(*(s.cell(roster, c) for c in identity), grades.get(s.key, "")) for s in roster.students]
    head = [("    Points Possible", *[""] * (len(identity) - 1), f"{points:g}")] if roster.kind == CANVAS else []
    return text(((*identity, column), *head, *rows), roster.delimiter)


def text(rows: Iterable[Iterable[str]], delimiter: str = ",") -> str:
    """Rows as CSV."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return out.getvalue()
