"""Derivations: a chain of equalities, written as a generator that yields one line after another and checked on random instances."""

import ast
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from book_utils.course import catalog
from book_utils.course.errors import CourseError
from book_utils.course.exercises import Broken, Exercise, Law, close
from book_utils.course.guard import Todo

PUBLISHED = "a chain whose first and last lines are given is the same for every course"


@dataclass(frozen=True)
class Stage:
    """A form that one line of the chain must have: the names it uses and those it does without."""

    text: str
    uses: set[str] = field(default_factory=set)
    without: set[str] = field(default_factory=set)

    def reached(self, line: ast.expr) -> bool:
        names = {n.id for n in ast.walk(line) if isinstance(n, ast.Name)} | {n.attr for n in ast.walk(line) if isinstance(n, ast.Attribute)}
        return self.uses <= names and not self.without & names


def lines_of(source: str, function: str) -> list[ast.expr]:
    """The expressions that the generator `function` in `source` yields, in the order they are written."""
    tree = ast.parse(catalog.solved(source))
    body = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == function)
    found = [n for n in ast.walk(body) if isinstance(n, ast.Yield)]
    return [n.value for n in sorted(found, key=lambda n: (n.lineno, n.col_offset))]


class Derivation(Exercise):
    """A chain of equalities from the given first line to the given last one."""

    kind = "derivation"

    def __init__(self, name: str, title: str, *, stages: list[Stage] = (), instances: int = 3, **facts: object) -> None:
        super().__init__(name, title, **{"self_study": PUBLISHED} | facts)
        self.stages, self.instances = list(stages), instances
        self.make: Callable | None = None
        given = Law("the first and the last line stand as given", self._given)
        equal = Law("every line equals the one before", self._equal)
        repeats = Law("no line repeats the one before", self._repeats)
        self.named = {"given": given, "equal": equal, "repeats": repeats}
        self.own_laws = [given, equal, repeats]
        if self.stages:
            self.named["stages"] = Law("has a line " + " and one ".join(s.text for s in self.stages), self._stages)
            self.own_laws.append(self.named["stages"])

    def instance(self, make: Callable) -> Callable:
        """Declare `make(rng) -> dict of arguments`, a random instance on which the chain is run."""
        self.make = make
        return make

    def wrong(self, title: str, replace: tuple[str, str], caught_by: str, hint: str = "") -> None:
        """As for an exercise; `caught_by` is "given", "equal", "repeats" or "stages"."""
        super().wrong(title, replace, self.named[caught_by], hint)

    def _run(self, f: Callable, rng: np.random.Generator) -> list:
        if self.make is None:
            raise CourseError(f"{self.name} has no instances.")
        arguments = self.make(rng)
        lines = f(*[arguments[a] for a in self.stub.arguments])
        if any(line is ... for line in lines) or len(lines) < 3:
            raise Todo
        self._arguments = arguments
        return list(lines)

    def _given(self, f: Callable, rng: np.random.Generator) -> None:
        lines, mine = self._run(f, rng), lines_of(self.stub.solved, self.function)
        theirs = lines_of(f.source, f.function)
        for place, name in ((0, "first"), (-1, "last")):
            if ast.dump(mine[place]) != ast.dump(theirs[place]):
                raise Broken(f"the {name} line was changed", inputs=False)
        for value, expected in zip((lines[0], lines[-1]), self._ends()):
            close(value, expected)

    def _ends(self) -> tuple[object, object]:
        values = list(self.reference(*[_array(self._arguments[a]) for a in self.stub.arguments]))
        return values[0], values[-1]

    def _equal(self, f: Callable, rng: np.random.Generator) -> None:
        for _ in range(self.instances):
            lines = self._run(f, rng)
            for number, (before, line) in enumerate(zip(lines, lines[1:]), start=2):
                try:
                    close(line, np.asarray(before, dtype=float))
                except Broken as broken:
                    raise Broken(f"line {number}, `{self._line(f, number)}`, breaks it: {broken}") from None

    def _repeats(self, f: Callable, rng: np.random.Generator) -> None:
        self._run(f, rng)
        lines = lines_of(f.source, f.function)
        for number, (before, line) in enumerate(zip(lines, lines[1:]), start=2):
            if ast.dump(before) == ast.dump(line):
                raise Broken(f"line {number} says again what line {number - 1} says", inputs=False)

    def _stages(self, f: Callable, rng: np.random.Generator) -> None:
        self._run(f, rng)
        lines = lines_of(f.source, f.function)
        for stage in self.stages:
            if not any(stage.reached(line) for line in lines[1:-1]):
                raise Broken(f"no line of yours is {stage.text}", inputs=False)

    def _line(self, f: Callable, number: int) -> str:
        lines = lines_of(f.source, f.function)
        text = ast.unparse(lines[number - 1]) if number <= len(lines) else "?"
        return text if len(text) <= 60 else text[:57] + "..."


def _array(value: object) -> object:
    import jax.numpy as jnp

    if isinstance(value, np.ndarray):
        return jnp.asarray(value, dtype=jnp.float32 if value.dtype.kind == "f" else None)
    return value
