"""What an assignment is: exercises with points, written questions, rules about being late, a secret, and the checks it is graded by.

Folder of an assignment called hw3:

    hw3/hw3.ipynb                       what students get
    hw3/instructor/assignment.json      this record; keep it, and all of instructor/, to yourself
    hw3/instructor/frozen/              the package and the chapter as they were: marks are given by these, whatever is installed later
    hw3/instructor/summary.md           one page
    hw3/instructor/rubrics/             one file for every written question
    hw3/instructor/hw3_solved.ipynb     unless made with --no-solutions
"""

import dataclasses
import hashlib
import hmac
import json
import re
import typing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from book_utils.course.errors import CourseError

FORMAT = 1
ROUNDS = 2  # of secret inputs for every exercise
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}")  # of an assignment: that of its folder and of its notebook
MOST = 1e6  # points of an exercise, or weight of a law


@dataclass(frozen=True)
class Item:
    """One exercise."""

    name: str  # "ch03.tweedie"
    title: str
    points: float
    revision: str  # a hash of its cell and of its chapter's checks
    weights: dict[str, float]  # of every law, by the law's name; laws that a trivial answer passes weigh nothing
    gates: tuple[str, ...] = ()  # laws without which the exercise earns nothing
    variant: str = ""  # the convention that this course uses instead of the lesson's, by name; "" for the lesson's own


@dataclass(frozen=True)
class Question:
    """One written answer, marked by hand."""

    name: str  # "ch04.why_concave"
    title: str
    points: float


@dataclass(frozen=True)
class Late:
    """What being late costs."""

    per_day: float = 0.1  # share of the points of the assignment that every day begun takes
    days: int = 5  # after so many days a submission earns nothing
    grace_minutes: int = 15


@dataclass(frozen=True)
class Assignment:
    """Everything that grading needs to know."""

    name: str
    title: str
    chapter: str  # key, "ch03"
    version: str  # of the package that made it
    checks: str  # hash of everything in frozen/
    secret: str  # hexadecimal; inputs are drawn from it
    items: tuple[Item, ...]
    questions: tuple[Question, ...] = ()
    due: str = ""  # ISO 8601 with an offset, or "" for no date
    late: Late = Late()
    folder: Path = Path()

    @property
    def instructor(self) -> Path:
        return self.folder / "instructor"

    @property
    def frozen(self) -> Path:
        return self.instructor / "frozen"

    @property
    def handout(self) -> Path:
        return self.folder / f"{self.name}.ipynb"

    @property
    def points(self) -> float:
        """Points of all exercises and questions."""
        return sum(item.points for item in self.items) + sum(question.points for question in self.questions)

    def seed(self, exercise: str, round: int) -> int:
        """The seed from which the inputs of an exercise are drawn: its own for every exercise and round, and none without the secret."""
        digest = hmac.new(bytes.fromhex(self.secret), f"{exercise}|{round}".encode(), hashlib.sha256).digest()
        return int.from_bytes(digest[:8], "big")


def dumps(assignment: Assignment) -> str:
    """The record as text, the same for the same assignment."""
    raw = dataclasses.asdict(assignment)
    del raw["folder"]
    return json.dumps({"format": FORMAT} | raw, indent=1, ensure_ascii=False) + "\n"


def load(folder: Path) -> Assignment:
    """The assignment in a folder that `book assign` made; CourseError with what is wrong with it, frozen checks included."""
    path = folder / "instructor" / "assignment.json"
    if not folder.is_dir():
        raise CourseError(f"There is no folder {folder}.")
    if not path.is_file():
        raise CourseError(f"{folder} is not an assignment: it has no instructor/assignment.json. `book assign` makes one.")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(raw, dict) or raw.pop("format", None) != FORMAT:
            raise CourseError(f"{path} was made by a version of the course whose format this one does not read.")
        assignment = dataclasses.replace(_typed(Assignment, {**raw, "folder": ""}, ""), folder=folder)
        trouble = _trouble(assignment)
    except (ValueError, RecursionError) as error:
        raise CourseError(f"{path} cannot be read: {error}.") from None
    if trouble:
        raise CourseError(f"{path}: {trouble}.")
    if digest(assignment.frozen) != assignment.checks:
        raise CourseError(f"{assignment.frozen} is not what this assignment was made with: its hash differs. Take it from your backup.")
    return assignment


def _typed(kind: type, raw: object, where: str) -> typing.Any:
    """What JSON holds, as a record of this kind has it; ValueError with the place where it is something else."""
    if dataclasses.is_dataclass(kind) and isinstance(raw, dict):
        fields = typing.get_type_hints(kind)
        if wrong := fields.keys() ^ raw.keys():
            raise ValueError(f"{where or 'it'} has {'no' if min(wrong) in fields else 'an unknown'} {min(wrong)!r}")
        return kind(**{name: _typed(of, raw[name], f"{where}.{name}".strip(".")) for name, of in fields.items()})
    inner = typing.get_args(kind)
    if typing.get_origin(kind) is tuple and isinstance(raw, list):
        return tuple(_typed(inner[0], part, f"{where}[{place}]") for place, part in enumerate(raw))
    if typing.get_origin(kind) is dict and isinstance(raw, dict):
        return {name: _typed(inner[1], part, f"{where}[{name!r}]") for name, part in raw.items()}
    if kind in (int, float) and isinstance(raw, (int, kind)) and not isinstance(raw, bool) and 0 <= raw <= MOST:
        return raw
    if kind in (str, Path) and isinstance(raw, str):
        return kind(raw)
    wanted = {int: f"a whole number from 0 to {MOST:.0f}", float: f"a number from 0 to {MOST:.0f}", str: "text"}
    raise ValueError(f"{where or 'it'} is {raw!r:.60}, and {wanted.get(kind) or ('a list' if inner[1:] == (...,) else 'a table')} is wanted")


def _trouble(assignment: Assignment) -> str:
    """What is wrong with a record that could be read, or nothing."""
    names = [item.name for item in (*assignment.items, *assignment.questions)]
    if not NAME.fullmatch(assignment.name):
        return f"{assignment.name!r} is no name of an assignment"
    if not names:
        return "it has neither exercises nor questions"
    if len(set(names)) < len(names):
        return "a name stands twice"
    for item in assignment.items:
        if not any(item.weights.values()):
            return f"no law of {item.name} has any weight"
        if unknown := set(item.gates) - item.weights.keys():
            return f"{item.name} has a gate that is no law of it: {sorted(unknown)[0]!r}"
    if len(bytes.fromhex(assignment.secret)) < 16:
        return "the secret is too short"
    if assignment.due and datetime.fromisoformat(assignment.due).tzinfo is None:
        return f"due is {assignment.due}, which says no offset from UTC, as in 2026-10-02T23:59:00-07:00"
    if assignment.late.per_day > 1:
        return "late.per_day is the share of the points that a day costs, from 0 to 1"
    return ""


def digest(folder: Path) -> str:
    """A hash of every file in a folder, names and contents; __pycache__ apart."""
    whole = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        whole.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        whole.update(path.read_bytes())
    return whole.hexdigest()
