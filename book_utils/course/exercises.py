"""What an exercise owns: laws that hold, hints, wrong answers it must catch, right variants. Declared in a chapter's `checks*.py`."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from book_utils.course import catalog
from book_utils.course.errors import CourseError, nearest

# Relative to 1 + the largest expected entry, for float32 answers with matrix products at highest precision.
TOLERANCE = {"cpu": 2e-4, "gpu": 5e-4, "tpu": 2e-3}


class Broken(Exception):
    """A law does not hold; the text says by how much, never what was expected. `inputs`: whether it depends on the inputs."""

    def __init__(self, text: str, inputs: bool = True) -> None:
        super().__init__(text)
        self.inputs = inputs


@dataclass(frozen=True, eq=False)
class Law:
    """A statement about the object an exercise computes, and the function that tests it."""

    name: str
    run: Callable  # run(f, rng) raises Broken

    def __call__(self, f: Callable, rng: np.random.Generator) -> None:
        self.run(f, rng)


@dataclass(frozen=True)
class Wrong:
    """A wrong answer: one change of the lesson's solution."""

    title: str
    replace: tuple[str, str]
    caught_by: Law
    hint: str


@dataclass(frozen=True)
class Right:
    """A right answer written differently."""

    title: str
    function: Callable

    def source(self, name: str, stub: catalog.Stub) -> str:
        """The variant as an exercise cell that defines the function called `stub.function`."""
        text = textwrap.dedent(inspect.getsource(self.function))
        tree = ast.parse(text).body[0]
        lines = text.split("\n")[tree.lineno - 1:]
        lines[0] = lines[0].replace(f"def {tree.name}(", f"def {stub.function}(", 1)
        return f'@{stub.kind}("{name}")\n' + "\n".join(lines).rstrip()


def tolerance() -> float:
    """The tolerance of checks on the device in use."""
    import jax

    return TOLERANCE.get(jax.default_backend(), TOLERANCE["tpu"])


def distance(actual: object, expected: object) -> tuple[float, float]:
    """(largest entry of |actual - expected|, 1 + largest |expected|); Broken where shapes differ or `actual` is not finite."""
    expected = np.asarray(expected, dtype=float)
    try:
        actual = np.asarray(actual, dtype=float)
    except (TypeError, ValueError):
        raise Broken("the result is not an array of numbers") from None
    if expected.ndim and actual.shape != expected.shape:
        raise Broken(f"the shape is {actual.shape} where {expected.shape} is wanted")
    if np.isnan(actual).any() and not np.isnan(expected).any():
        raise Broken("the result contains NaN")
    with np.errstate(invalid="ignore"):
        gap = np.where(actual == expected, 0.0, np.abs(actual - expected))
    gap = np.where(np.isnan(actual) & np.isnan(expected), 0.0, gap)
    finite = np.abs(expected[np.isfinite(expected)])
    return float(gap.max(initial=0.0)), 1.0 + float(finite.max(initial=0.0))


def close(actual: object, expected: object, tol: float = 1.0) -> None:
    """Broken unless |actual - expected| <= tol * TOLERANCE * (1 + max |expected|), shapes equal (a scalar `expected` fits any shape)."""
    gap, scale = distance(actual, expected)
    if not gap <= tol * tolerance() * scale:
        raise Broken(f"yours is {gap:.2g} away")


def holds(condition: object, sentence: str) -> None:
    """Broken with `sentence` unless `condition` is true."""
    if not bool(condition):
        raise Broken(sentence)


class Exercise:
    """One function to write. The lesson's cell gives its signature, text and solution; the rest stands here."""

    kind = "exercise"

    def __init__(self, name: str, title: str, *, minutes: int, objective: str, hints: list[str], principles: Iterable[str] = (),
                 label: str = "", book: str = "", level: str = "core", needs: Iterable[str] = (), needs_grad: bool = False,
                 stand_in: Callable | None = None, allows: Iterable[Callable] = (), budget: float = 2.0, points: int = 1,
                 self_study: str = "") -> None:
        self.name, self.title, self.minutes, self.objective, self.hints = name, title, minutes, objective, list(hints)
        self.principles, self.label, self.book, self.level = tuple(principles), label, book, level
        self.needs, self.needs_grad, self.stand_in, self.allows = tuple(needs), needs_grad, stand_in, tuple(allows)
        self.budget, self.points = budget, points
        self.self_study = self_study  # why marks for it prove little: it has no variant that would stop a published solution
        self.own_laws: list[Law] = []
        self.wrongs: list[Wrong] = []
        self.rights: list[Right] = []
        self.variants: dict = {}  # other conventions that a course may ask for, by name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def law(self, name: str) -> Callable[[Callable], Law]:
        """Declare `run(f, rng)` as a law; `name` is a statement about the object."""
        def declare(run: Callable) -> Law:
            self.own_laws.append(Law(name, run))
            return self.own_laws[-1]
        return declare

    def wrong(self, title: str, replace: tuple[str, str], caught_by: Law, hint: str = "") -> None:
        """Declare that the solution with one replacement is wrong, and which law says so."""
        self.wrongs.append(Wrong(title, replace, caught_by, hint))

    def right(self, title: str) -> Callable[[Callable], Callable]:
        """Declare a differently written right answer."""
        def declare(function: Callable) -> Callable:
            self.rights.append(Right(title, function))
            return function
        return declare

    def variant(self, name: str, sentence: str, *, arguments: dict | None = None, result: object = None, words: dict | None = None) -> None:
        """Declare another convention, with Changes of arguments (by name) and of the result (a tuple for several), the sentence that
        tells a student so, and words of the stub to be replaced."""
        from book_utils.course.variants import Variant  # which builds upon this module

        self.variants[name] = Variant(self, name, sentence, arguments or {}, result, words or {})

    # What the lesson knows of the exercise

    def attach(self, stub: catalog.Stub, chapter: catalog.Chapter, earlier: tuple[str, ...]) -> None:
        """Called by the catalog: the lesson's cell, its chapter, and the exercises that stand before this one."""
        self.stub, self.chapter, self.earlier = stub, chapter, earlier
        if stub.kind != self.kind:
            raise CourseError(f"{self.name} is declared as @{stub.kind} in the lesson and as {type(self).__name__} in the checks.")

    @property
    def function(self) -> str:
        """Name of the function to write."""
        return self.stub.function

    @cached_property
    def laws(self) -> list[Law]:
        """Every law, the worked example of the stub last: a verdict names the mathematics first."""
        example = worked_example(self.stub)
        return self.own_laws + ([example] if example else [])

    def compile(self, source: str) -> Callable:
        """The function that an exercise cell `source` defines, with the lesson's imports and the other exercises' references at hand."""
        return catalog.call_function(source, self.function, namespace(self.chapter, without=self.name))

    @cached_property
    def reference(self) -> Callable:
        """The stand-in: the kernel if there is one, else the lesson's own solution."""
        return self.stand_in or self.compile(self.stub.solved)

    def stub_in(self, variant: str) -> catalog.Stub:
        """The cell in the words of a variant; the lesson's own for "". CourseError for a variant that is not declared."""
        if variant and variant not in self.variants:
            raise nearest(variant, self.variants, f"variant of {self.name}")
        return self.variants[variant].stated if variant else self.stub

    def hinted(self, hint: str, variant: str) -> str:
        """A hint to who answers in a variant: hints speak as the lesson does, so what differs is said behind it."""
        if not hint or not variant:
            return hint
        return f"{hint} (This speaks of the lesson's convention. Here {self.variants[variant].sentence.rstrip('.')}.)"

    def patched(self, wrong: Wrong) -> Callable:
        """The function of a wrong answer."""
        return self.compile(self.stub.patched(*wrong.replace))


class Reference:
    """Another exercise's reference, compiled when first called."""

    def __init__(self, exercise: Exercise) -> None:
        self.exercise = exercise

    def __call__(self, *args: object, **kwargs: object) -> object:
        return self.exercise.reference(*args, **kwargs)


def namespace(chapter: catalog.Chapter, without: str = "") -> dict:
    """What an exercise cell sees: the imports of the lesson and the references of the chapter's other exercises."""
    names = {"__name__": f"<{chapter.key}>", **_imports(tuple(chapter.lesson_files))}
    return names | {e.function: Reference(e) for e in chapter.exercises.values() if e.name != without}


@cache
def _imports(files: tuple[Path, ...]) -> dict:
    names: dict = {}
    for path in files:
        body = ast.parse(path.read_text(encoding="utf-8")).body
        imports = [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
        exec(compile(ast.Module(imports, []), path.name, "exec"), names)
    return names


@dataclass(frozen=True)
class Example:
    """The `Example:` line of a stub: every argument as printed and as a value, the result likewise."""

    given: dict[str, tuple[str, object]]
    wanted: str
    result: object


def example_of(stub: catalog.Stub) -> Example | None:
    """What `Example: x = [1., 2.], t = 0.5  ->  [1., 0.5]` says; None for a stub without one, CourseError for one that cannot be read."""
    text = " ".join(stub.doc.split())
    if "Example:" not in text:
        return None
    given, arrow, wanted = text.partition("Example:")[2].partition("->")
    source = f"f({given.strip()})"
    try:
        call = ast.parse(source, mode="eval").body
        arguments = {k.arg: (ast.get_source_segment(source, k.value), _literal(k.value)) for k in call.keywords}
        result = _literal(ast.parse(wanted.strip().rstrip("."), mode="eval").body)
    except (SyntaxError, ValueError):
        raise CourseError(f"{stub.name}: the Example line cannot be read: {text.partition('Example:')[2].strip()!r}.") from None
    if not arrow or list(arguments) != stub.arguments[: len(arguments)]:
        raise CourseError(f"{stub.name}: the Example line must give {', '.join(stub.arguments)} in this order and a result after '->'.")
    return Example(arguments, wanted.strip(), result)


def worked_example(stub: catalog.Stub) -> Law | None:
    """The law made from the Example line of a stub."""
    example = example_of(stub)
    if example is None:
        return None
    arguments, result = [value for _, value in example.given.values()], example.result

    def run(f: Callable, rng: np.random.Generator) -> None:
        compare(f(*arguments), result)

    def compare(actual: object, expected: object) -> None:
        if isinstance(expected, tuple):
            holds(isinstance(actual, tuple) and len(actual) == len(expected), f"{len(expected)} results are wanted")
            for a, e in zip(actual, expected):
                compare(a, e)
            return
        gap, _ = distance(actual, expected)  # printed with three or four digits: half a unit of the last
        size = float(np.abs(np.asarray(expected, dtype=float)).max(initial=0.0))
        holds(gap <= 6e-3 * max(size, 0.1), f"yours is {gap:.2g} away")
    return Law("gives the worked example", run)


def _literal(node: ast.expr) -> object:
    """A Python literal with lists as arrays (and `key(0)` as a random key)."""
    if isinstance(node, ast.Tuple):
        return tuple(_literal(n) for n in node.elts)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "key":
        import jax

        return jax.random.key(ast.literal_eval(node.args[0]))
    value = ast.literal_eval(node)
    return np.array(value) if isinstance(value, list) else value
