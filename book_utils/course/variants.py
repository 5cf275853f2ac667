"""Variants: an exercise in another convention (samples as rows, bits for nats, ...), so that a published answer does not pass as it stands.

The laws of the exercise stay as they are. A variant rewrites values on their way: the inputs that a law draws go to the answer in the
course's convention, and what comes back is rewritten into the lesson's before the law sees it. A rewriting is a `Change`, two expressions
that undo each other; the same text serves the checker (in NumPy) and the solved cell (in whatever the lesson uses).
"""

import ast
import hashlib
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from types import CodeType

import jax
import numpy as np

from book_utils.course import catalog, wire
from book_utils.course.errors import CourseError
from book_utils.course.exercises import Broken, Exercise, example_of
from book_utils.course.transport import Local, Transport, bind, hold_shape

WIDTH = 118  # of the lines of a stub
_HOLE = re.compile(r"\b_\b")


def _as_it_is(shape: str) -> str:
    return shape


@dataclass(frozen=True)
class Change:
    """One value in two conventions. `there` (from the lesson's to the course's) and `back` are expressions: `_` stands for the value, the
    names in them are the lesson's arguments in the lesson's convention, `jnp` works for both NumPy and JAX. `name` is what an argument
    is called in the course, where that differs; `shape` turns the lesson's annotation into the course's."""

    there: str
    back: str
    name: str = ""
    shape: Callable[[str], str] = _as_it_is

    def called(self, name: str) -> "Change":
        """The same for an argument that the course calls `name`."""
        return replace(self, name=name)

    def then(self, other: "Change") -> "Change":
        """This change and, upon it, another one."""
        return Change(_fill(other.there, self.there), _fill(self.back, other.back), other.name or self.name,
                      lambda shape: other.shape(self.shape(shape)))


def _letters(shape: str) -> list[str]:
    return [part.strip() for part in shape.strip("()").split(",") if part.strip()]


def _last_two_swapped(shape: str) -> str:
    *stack, first, second = _letters(shape)
    return f"({', '.join([*stack, second, first])})"


# Ready-made changes
rows = Change("_.T", "_.T", shape=_last_two_swapped)  # of a matrix: samples (or atoms, directions, ...) as rows where they were columns
stacked_rows = Change("_.swapaxes(1, 2)", "_.swapaxes(1, 2)", shape=_last_two_swapped)  # the same for every matrix of a stack
bits = Change("_ / jnp.log(2)", "_ * jnp.log(2)")  # nats as bits
decimal_digits = Change("_ / jnp.log(10)", "_ * jnp.log(10)")  # nats as digits
squared = Change("_**2", "_**0.5")  # a standard deviation as a variance, a radius as its square
rooted = Change("_**0.5", "_**2")  # a variance as a standard deviation
negative = Change("-_", "-_")  # what was maximised is minimised
backwards = Change("_[::-1]", "_[::-1]")  # a sequence in the opposite order
columns_backwards = Change("_[:, ::-1]", "_[:, ::-1]")
from_one = Change("_ + 1", "_ - 1")  # numbers that begin with 1
inverted = Change("1 / _", "1 / _")  # a rate as a duration, a share as a ratio


def times(factor: str) -> Change:
    """A value scaled by a number or by an expression in the lesson's arguments."""
    return Change(f"_ * {factor}", f"_ / {factor}")


def one_hot(name: str, shape: str) -> Change:
    """Labels 0, 1, ... as a matrix with a row for every class."""
    return Change("jnp.eye(_.max() + 1)[:, _]", "_.argmax(axis=0)", name, lambda labels: shape)


@dataclass(frozen=True, eq=False)
class Variant:
    """An exercise in another convention."""

    exercise: Exercise
    name: str
    sentence: str  # what differs from the lesson, for the stub
    arguments: dict[str, Change] = field(default_factory=dict)  # by the lesson's names
    result: Change | tuple[Change | None, ...] | None = None  # a tuple for several results
    words: dict[str, str] = field(default_factory=dict)  # of the stub's text, replaced

    def forward(self, args: tuple) -> tuple:
        """Arguments of the lesson as the course writes them."""
        named = dict(zip(self.exercise.stub.arguments, args))
        return tuple(_value(self.arguments[k].there, v, named) if k in self.arguments else v for k, v in named.items())

    def outward(self, result: object, args: tuple) -> object:
        """A result of the lesson as the course writes it; `args` are the lesson's."""
        return self._convert(result, args, "there")

    def backward(self, result: object, args: tuple) -> object:
        """A result of the course as the lesson writes it; Broken for one that cannot be read. `args` are the lesson's."""
        try:
            return self._convert(result, args, "back")
        except Exception:  # an answer may give anything at all
            raise Broken("the result cannot be read in the convention that is asked for") from None

    def _convert(self, result: object, args: tuple, way: str) -> object:
        named = dict(zip(self.exercise.stub.arguments, args))
        changes = self.result if isinstance(self.result, tuple) else (self.result,)
        if isinstance(self.result, tuple) and (not isinstance(result, tuple) or len(result) != len(changes)):
            raise ValueError("not so many results")
        parts = result if isinstance(self.result, tuple) else (result,)
        done = tuple(_value(getattr(change, way), part, named) if change else part for change, part in zip(changes, parts))
        return done if isinstance(self.result, tuple) else done[0]

    def transport(self, inner: Transport) -> "Converted":
        """A transport for the lesson's laws to an answer that is written in this convention."""
        return Converted(self, inner)

    # As cells

    def stub(self, stub: catalog.Stub) -> str:
        """The cell as a student gets it: the course's arguments, words and worked example."""
        return catalog.blank(self.cell(stub))

    def solved(self, exercise: Exercise) -> str:
        """The complete cell: the lesson's solution between the conversions."""
        return catalog.solved(self.cell(exercise.stub))

    @cached_property
    def stated(self) -> catalog.Stub:
        """The exercise's cell in this convention, as the catalogue reads it."""
        return catalog.parse(self.cell(self.exercise.stub))

    def cell(self, stub: catalog.Stub) -> str:
        """The cell with its solution between marks. CourseError where the declaration does not fit the lesson's cell."""
        if unknown := self.arguments.keys() - set(stub.arguments):
            raise CourseError(f"{stub.name}: the variant {self.name} changes {sorted(unknown)[0]}, which is no argument.")
        inside = [textwrap.indent(self._signature("in_lesson", stub, names=stub.arguments), "    "), textwrap.indent(stub.solution, "    ")]
        for name, change in self.arguments.items():
            inside.append(f"    {name} = {_fill(change.back, change.name or name)}")
        call = f"in_lesson({', '.join(stub.arguments)})"
        if isinstance(self.result, tuple):
            names = ["first", "second", "third", "fourth"][: len(self.result)]
            results = [_fill(change.there, name) if change else name for change, name in zip(self.result, names)]
            inside += [f"    {', '.join(names)} = {call}", f"    return {', '.join(results)}"]
        elif self.result:
            inside += [f"    result = {call}", f"    return {_fill(self.result.there, 'result')}"]
        else:
            inside.append(f"    return {call}")
        head = self._signature(stub.function, stub, self._names(stub), self._shapes(stub))
        return "\n".join([f'@{stub.kind}("{stub.name}")', head, *self._doc(stub), f"    {catalog.OPEN}", *inside, f"    {catalog.CLOSE}"])

    def _names(self, stub: catalog.Stub) -> list[str]:
        """Names of the course's arguments."""
        return [(self.arguments[a].name or a) if a in self.arguments else a for a in stub.arguments]

    def _shapes(self, stub: catalog.Stub) -> dict[str, str]:
        """Annotations in the course's convention, by the course's names and "return", as text of Python."""
        found = {}
        for mine, node in zip(self._names(stub), stub.tree.args.args):
            change = self.arguments.get(node.arg)
            found[mine] = _annotation(node.annotation, change.shape if change else _as_it_is)
        if isinstance(self.result, tuple):
            shapes = re.findall(r"\([^()]*\)", stub.shapes["return"])
            if len(shapes) != len(self.result):
                raise CourseError(f"{stub.name}: the variant {self.name} speaks of {len(self.result)} results, the stub of {len(shapes)}.")
            changed = ", ".join(change.shape(shape) if change else shape for change, shape in zip(self.result, shapes))
            found["return"] = f'"{changed}"'
        else:
            found["return"] = _annotation(stub.tree.returns, self.result.shape if self.result else _as_it_is)
        return found

    def _signature(self, function: str, stub: catalog.Stub, names: list[str], shapes: dict[str, str] | None = None) -> str:
        parts = [f"{name}: {shapes[name]}" if shapes and shapes[name] else name for name in names]
        end = f") -> {shapes['return']}:" if shapes and shapes["return"] else "):"
        lines = [f"def {function}("]
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            more = part + (end if last else ",")
            if len(lines[-1]) + len(more) > WIDTH:
                lines[-1] = lines[-1].rstrip()
                lines.append(" " * len(f"def {function}("))
            lines[-1] += more + ("" if last else " ")
        return "\n".join(lines)

    def _doc(self, stub: catalog.Stub) -> list[str]:
        """The docstring: the lesson's text with the words replaced, what differs, the worked example."""
        text, _, _ = " ".join(stub.doc.split()).partition("Example:")
        for old, new in self.words.items():
            if text.count(old) != 1:
                raise CourseError(f"{stub.name}: {old!r} of the variant {self.name} stands {text.count(old)} times in the stub; once is wanted.")
            text = text.replace(old, new)
        if '"""' in text or "\\" in text:
            raise CourseError(f"{stub.name}: the variant {self.name} cannot carry quotation marks or backslashes of the docstring.")
        lines = [line for paragraph in (text, f"Not as in the lesson: {self.sentence}", *self._example(stub)) for line in _wrapped(paragraph)]
        lines[0] = f'"""{lines[0]}'
        lines[-1] += '"""'
        return [f"    {line}" for line in lines]

    def _example(self, stub: catalog.Stub) -> list[str]:
        """The worked example, computed anew in this convention; what the variant leaves alone stays as it is printed."""
        found = example_of(stub)
        if found is None:
            return []
        given, wanted = found.given, found.wanted
        values = tuple(value for _, value in given.values())
        forward, said = self.forward(values), []
        for name, mine, value in zip(given, self._names(stub), forward):
            said.append(f"{mine} = {_written(value, digits=6) if name in self.arguments else given[name][0]}")
        answer = Local(self.exercise, self.exercise.compile(stub.solved), stub.solved).call("call", values, {})
        result = _written(self.outward(answer, values)) if self.result else wanted
        line = f"Example: {', '.join(said)}  ->  {result}"
        return [line] if len(line) <= WIDTH else [f"Example: {', '.join(said)}", f"->  {result}"]


class Converted:
    """A transport around another one: the laws on this side speak as the lesson does, the answer on the other as the course."""

    def __init__(self, variant: Variant, inner: Transport) -> None:
        self.variant, self.inner = variant, inner

    @property
    def source(self) -> str:
        return self.inner.source

    @property
    def printed(self) -> str:
        return self.inner.printed

    def call(self, mode: str, args: tuple, options: dict) -> object:
        """As of every transport; Broken for a result that has not the promised shape or cannot be read."""
        if mode not in ("call", "jit"):
            raise CourseError(f"{self.variant.exercise.name} has a law that asks for {mode}, so it can have no variants.")
        given, stated = self.variant.forward(args), self.variant.stated
        result = self.inner.call(mode, given, options)
        hold_shape(result, stated.shapes.get("return", ""), bind(stated.shapes, stated.arguments, given))
        return self.variant.backward(result, args)


def choose(exercise: Exercise, secret: str) -> str:
    """The name of the variant that a course with this secret uses, "" for an exercise without any; the same for the same secret."""
    names = list(exercise.variants)
    digest = hashlib.sha256(f"{secret}|variant|{exercise.name}".encode()).digest()
    return names[int.from_bytes(digest[:8], "big") % len(names)] if names else ""


def _fill(expression: str, value: str) -> str:
    """An expression with `value` in the place of `_`."""
    simple = re.fullmatch(r"\w+(\.T)?", value) or expression == "_"
    return _HOLE.sub(lambda _: value if simple else f"({value})", expression)


def _wrapped(paragraph: str) -> list[str]:
    """Lines of a docstring; arrays and comparisons stay in one piece where there is room."""
    pieces, depth = [], 0
    for character in re.sub(r" ([<>=/+-]|[<>]=) ", "\0\\1\0", paragraph.strip()):
        depth += (character == "[") - (character == "]")
        pieces.append("\0" if character == " " and depth else character)
    return [line.replace("\0", " ") for line in textwrap.wrap("".join(pieces), WIDTH, break_long_words=False, break_on_hyphens=False)]


@cache
def _compiled(expression: str) -> CodeType:
    return compile(expression, "<variant>", "eval")


def _value(expression: str, value: object, named: dict) -> object:
    """An expression in `_` and the lesson's arguments, in NumPy; numbers stay numbers."""
    if isinstance(value, (tuple, list)) or isinstance(value, jax.Array) and not wire.is_key(value):
        value = np.asarray(value)
    with np.errstate(all="ignore"):
        result = eval(_compiled(expression), {"__builtins__": {"len": len}, "jnp": np, **named, "_": value})
    return result.item() if isinstance(result, np.generic) else result


def _annotation(node: ast.expr | None, shape: Callable[[str], str]) -> str:
    if node is None:
        return ""
    if isinstance(node, ast.Constant):
        return f'"{shape(node.value)}"'
    return ast.unparse(node)


def _written(value: object, digits: int = 4) -> str:
    """A value as an Example line prints it."""
    if isinstance(value, tuple):
        return f"({', '.join(_written(v, digits) for v in value)})"
    array = np.asarray(value)
    if array.dtype.kind == "f":
        array = np.where(np.abs(array) < 1e-6 * max(1.0, float(np.abs(array).max(initial=0))), 0.0, array)
    if array.ndim:
        return f"[{', '.join(_written(v, digits) for v in array)}]"
    if array.dtype.kind != "f":
        return str(array.item())
    text = f"{float(array):.{digits}g}"
    return text if {"e", "."} & set(text) else f"{text}."
