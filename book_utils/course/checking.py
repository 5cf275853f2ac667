"""From an answer to a verdict: run the laws, say what holds, name the first that does not."""

import inspect
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from book_utils.course import guard, wire
from book_utils.course.catalog import Stub
from book_utils.course.exercises import Broken, Exercise, Law, Wrong, close
from book_utils.course.transport import Local, Proxy, Raised, Transport

STATUSES = ("NOT STARTED", "HOLDS", "FAILS", "RAISES")


@dataclass(frozen=True)
class Verdict:
    """What a check found. `text` begins with the status; `below` says what the rest of a notebook uses."""

    name: str
    status: str
    held: int
    total: int
    text: str
    below: str = ""
    slow: bool = False
    mistake: Wrong | None = None
    failed: Law | None = None


def generator(exercise: Exercise, law: Law, seed: int = 0) -> np.random.Generator:
    """The random generator of one law: the same for every answer."""
    return np.random.default_rng([seed, zlib.crc32(f"{exercise.name}|{law.name}".encode())])


def check(exercise: Exercise, function: Callable, source: str | None = None, seed: int = 0, variant: str = "") -> Verdict:
    """The verdict on a function of this process; with the name of a variant, on one written in that convention."""
    stub = exercise.stub_in(variant)
    if complaint := signature(stub, function, "here it is called with" if variant else "the lesson calls it with"):
        return _verdict(exercise, "FAILS", 0, complaint)
    local = Local(exercise, function, source)
    return judge(exercise, exercise.variants[variant].transport(local) if variant else local, seed)


def judge(exercise: Exercise, transport: Transport, seed: int = 0) -> Verdict:
    """The verdict on the answer behind a transport."""
    proxy = Proxy(exercise, transport)
    held, first = 0, None
    for law in exercise.laws:
        try:
            law(proxy, generator(exercise, law, seed))
            held += 1
            continue
        except guard.Todo:
            return _verdict(exercise, "NOT STARTED", 0, "")
        except guard.Refused as refused:
            return _verdict(exercise, "FAILS", held, f"You may not use {refused} here: this exercise is about writing it yourself.")
        except guard.TooLong:
            return _verdict(exercise, "FAILS", held, f"The call did not return within {guard.SECONDS:.0f} seconds. Is there a loop without end?")
        except (Broken, Raised) as error:
            found = error
        if first is None:
            first = (law, found, proxy.last)
    if first is None:
        return _verdict(exercise, "HOLDS", held, "", slow=proxy.seconds > 5 * exercise.budget)
    law, found, last = first
    if isinstance(found, Raised):
        return _verdict(exercise, "RAISES", held, _where(found) + _printed(transport), failed=law)
    mistake = recognise(exercise, proxy)
    shown = _with(*_given(exercise, transport, last)) if found.inputs else ""
    text = f'First that does not: "{law.name}"; {shown}{found}.' + _printed(transport)
    return _verdict(exercise, "FAILS", held, text, mistake=mistake, failed=law)


def signature(stub: Stub, function: Callable, caller: str = "the lesson calls it with") -> str:
    """What is wrong with the arguments of `function`, or nothing."""
    wanted = stub.arguments
    try:
        given = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return ""
    if given == wanted:
        return ""
    return f"The arguments are ({', '.join(given)}) and {caller} ({', '.join(wanted)}), in this order."


def recognise(exercise: Exercise, proxy: Proxy) -> Wrong | None:
    """The catalogued wrong answer that gives what this one gave on every recorded call, if there is one."""
    calls = proxy.calls
    for wrong in exercise.wrongs if calls else ():
        try:
            slip = Local(exercise, exercise.patched(wrong), "")
            if all(_same(slip.call("call", args, {}), result) for args, result in calls):
                return wrong
        except (Raised, guard.Todo, guard.Refused, guard.TooLong):
            continue
    return None


def _same(a: object, b: object) -> bool:
    if isinstance(a, tuple) or isinstance(b, tuple):
        return isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b) and all(map(_same, a, b))
    try:
        close(a, np.asarray(b, dtype=float))
        return np.shape(a) == np.shape(b)
    except (Broken, TypeError, ValueError):
        return False


def _verdict(exercise: Exercise, status: str, held: int, text: str, slow: bool = False, mistake: Wrong | None = None,
             failed: Law | None = None) -> Verdict:
    total, name = len(exercise.laws), exercise.name
    stuck, below = f' Stuck? hint("{name}").', " A reference stands in below."
    if status == "NOT STARTED":
        said, below = f"NOT STARTED  {name}, {exercise.title}", ": a reference stands in below."
    elif status == "HOLDS":
        said, below = f"HOLDS  {name}: {held} of {total} laws.", " Your function is used below."
        if slow:
            below = " It is right but slow, so the figures below use a reference."
        elif exercise.kind == "derivation":
            below = " Every line follows from the one before."
    elif status == "RAISES":
        some = f" {held} of {total} laws hold." if held else ""
        said = f"RAISES  {name}, {text}{some}{stuck}"
    else:
        known = " This slip is a familiar one:" if mistake and mistake.hint else ""
        stuck = f' hint("{name}") knows it.' if known else stuck
        said = f"FAILS  {name}: {held} of {total} laws hold. {text}{known}{stuck}"
    return Verdict(name, status, held, total, said, below, slow, mistake, failed)


def _where(raised: Raised) -> str:
    code = f"{raised.code} - " if raised.code else ""
    said = raised.text if raised.text.endswith("?") else f"{raised.text}."
    return f"your line {raised.line}: {code}{said}" if raised.line else said


def _printed(transport: Transport) -> str:
    lines = transport.printed.strip().split("\n")
    return f" (It printed: {' / '.join(lines[:3])[:200]}{' ...' if len(lines) > 3 else ''})" if lines[0] else ""


def _given(exercise: Exercise, transport: Transport, args: tuple) -> tuple[list[str], tuple]:
    """Names and values of the arguments of a call, as the answer got them: a variant has its own."""
    if variant := getattr(transport, "variant", None):
        return variant.stated.arguments, variant.forward(args)
    return exercise.stub.arguments, args


def _with(names: list[str], args: tuple) -> str:
    """The inputs of the last call in words: values where they are few, shapes where they are many."""
    said = [f"{name} = {brief(value)}" if np.size(value) <= 4 else f"{name} of shape {np.shape(value)}"
            for name, value in zip(names, args) if _showable(value)]
    return f"with {', '.join(said)}: " if said else ""


def _showable(value: object) -> bool:
    return isinstance(value, (bool, int, float, np.ndarray, np.generic)) and not wire.is_key(value)


def brief(value: object) -> str:
    """A number or a small array at three significant digits."""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if np.ndim(value) == 0:
        return f"{value:.3g}"
    return "[" + ", ".join(brief(v) for v in np.asarray(value)) + "]"
