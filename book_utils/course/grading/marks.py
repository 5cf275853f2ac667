"""What one submission earned: plain records, as JSON between processes and on disk."""

import dataclasses
import json
from dataclasses import dataclass, field

GRADED, UNREADABLE, TIMED_OUT, ENDED = "graded", "unreadable", "timed out", "ended"
STATUSES = (GRADED, UNREADABLE, TIMED_OUT, ENDED)  # ENDED: the student's process ended itself or was ended at a limit


@dataclass(frozen=True)
class Held:
    """One law of an exercise, and whether it held on the secret inputs."""

    law: str
    held: bool


@dataclass(frozen=True)
class Mark:
    """One exercise of a submission."""

    name: str  # of the exercise, "ch03.tweedie"
    status: str  # of a verdict: HOLDS, FAILS, RAISES, NOT STARTED
    points: float
    of: float
    laws: tuple[Held, ...] = ()
    text: str = ""  # a sentence for the student: the law that breaks and a public counter-example, never a secret input
    mistake: str = ""  # title of the catalogued wrong answer that it is, if it is one
    hint: str = ""  # what the catalogue says about that mistake


@dataclass(frozen=True)
class Marked:
    """One submission. `reason` says in a sentence why it is not simply graded; every exercise of the assignment is in `marks` all the same."""

    status: str
    reason: str = ""
    marks: tuple[Mark, ...] = ()
    written: dict[str, str] = field(default_factory=dict)  # text of the answer to every written question, by name
    seconds: float = 0.0
    walls: tuple[str, ...] = ()  # what kept the student's code in: "namespaces", "limits", ...

    @property
    def points(self) -> float:
        """Sum of the points of all exercises."""
        return round(sum(mark.points for mark in self.marks), 2)


def dumps(marked: Marked) -> str:
    """One line of JSON, the same for the same record."""
    return json.dumps(dataclasses.asdict(marked), sort_keys=True, ensure_ascii=False)


def loads(text: str) -> Marked:
    """The record that `dumps` wrote; ValueError if it is none."""
    try:
        raw = json.loads(text)
        marks = tuple(Mark(**{**mark, "laws": tuple(Held(**law) for law in mark["laws"])}) for mark in raw.pop("marks"))
        return Marked(**{**raw, "marks": marks, "walls": tuple(raw["walls"])})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a record of marks: {error}") from None
