"""How a check calls an answer: through a proxy that hands over plain inputs, wherever the answer lives (this process or another)."""

import inspect
import linecache
import re
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from book_utils.course import guard, wire
from book_utils.course.exercises import Broken, Exercise
from book_utils.course.sentences import sentence


class Raised(Exception):
    """The answer raised: one sentence, and where."""

    def __init__(self, text: str, line: int | None = None, code: str = "") -> None:
        super().__init__(text)
        self.text, self.line, self.code = text, line, code


class Transport(Protocol):
    """Calls an answer in one of the modes "call", "jit", "vmap", "grad"."""

    source: str

    def call(self, mode: str, args: tuple, options: dict) -> object:
        """The plain result; raises Raised, guard.Todo, guard.Refused or guard.TooLong."""


def inputs(value: object) -> object:
    """What an answer is given for `value`: floating-point arrays as float32 JAX arrays, other arrays as JAX arrays, the rest as it is."""
    if isinstance(value, np.ndarray):
        return jnp.asarray(value, dtype=jnp.float32) if value.dtype.kind == "f" else jnp.asarray(value)
    if isinstance(value, (tuple, list)):
        return tuple(inputs(v) for v in value)
    if isinstance(value, dict):
        return {k: inputs(v) for k, v in value.items()}
    return value


def outputs(value: object) -> object:
    """The result of an answer as plain values; random keys become their data."""
    if isinstance(value, tuple):
        return tuple(outputs(v) for v in value)
    return np.asarray(jax.random.key_data(value)) if wire.is_key(value) else value


class Local:
    """The answer is a function of this process."""

    def __init__(self, exercise: Exercise, function: Callable, source: str | None = None) -> None:
        self.exercise, self.function = exercise, function
        self.source = source if source is not None else source_of(function)
        self.printed = ""

    def call(self, mode: str, args: tuple, options: dict) -> object:
        f, arguments = self.function, inputs(args)
        try:
            with guard.student_call(self.exercise) as printed, jax.default_matmul_precision("highest"):
                if self.exercise.kind == "derivation":
                    result = tuple(f(*arguments))
                elif mode == "vmap":
                    result = jax.vmap(f, **options)(*arguments)
                elif mode == "grad":
                    result = jax.grad(f, **options)(*arguments)
                else:
                    result = (jax.jit(f) if mode == "jit" else f)(*arguments)
                jax.block_until_ready(result)
            self.printed = self.printed or printed.text
        except Exception as error:
            raise self._raised(error) from None
        if result is None:
            raise Raised("the function returns None; is its `return` missing?")
        try:
            return outputs(wire.plain(result))
        except wire.NotPlain as other:
            raise Raised(f"the result is {other}; an array or a number is wanted") from None

    def _raised(self, error: Exception) -> Raised:
        """The error in a sentence, at the deepest line of the student's own cell."""
        file = getattr(getattr(self.function, "__code__", None), "co_filename", None)
        line, trace = None, error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == file:
                line = trace.tb_lineno
            trace = trace.tb_next
        code = linecache.getline(file, line).strip() if line else ""
        names = [*getattr(self.function, "__globals__", {}), *getattr(getattr(self.function, "__code__", None), "co_varnames", ())]
        return Raised(sentence(error, [n for n in names if not n.startswith("_")]), line, code)


def source_of(function: Callable) -> str:
    """The text of a function, or nothing where it cannot be had."""
    try:
        return inspect.cleandoc("\n" + inspect.getsource(function))
    except (OSError, TypeError):
        return ""


class Worker:
    """A second Python process in which answers live; several can be defined in it, one after another."""

    def __init__(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", "book_utils.course.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)

    def ask(self, request: dict) -> dict:
        """Send one request and wait for its reply."""
        data = wire.encode(request)
        self.process.stdin.write(len(data).to_bytes(8, "big") + data)
        self.process.stdin.flush()
        head = self.process.stdout.read(8)
        if len(head) < 8:
            raise Raised("the process of the answer ended")
        return wire.decode(self.process.stdout.read(int.from_bytes(head, "big")))

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=10)

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Remote:
    """The answer lives in a Worker."""

    def __init__(self, exercise: Exercise, source: str, worker: Worker) -> None:
        self.exercise, self.source, self.worker, self.printed = exercise, source, worker, ""
        self._read(worker.ask({"define": exercise.name, "source": source}))

    def call(self, mode: str, args: tuple, options: dict) -> object:
        return self._read(self.worker.ask({"mode": mode, "args": inputs(args), "options": options}))

    def _read(self, reply: dict) -> object:
        self.printed = self.printed or reply.get("printed", "")
        match reply:
            case {"result": result}:
                return result
            case {"raised": text, "line": line, "code": code}:
                raise Raised(text, line, code)
            case {"todo": _}:
                raise guard.Todo
            case {"refused": name}:
                raise guard.Refused(name)
        raise guard.TooLong


class Proxy:
    """What a law calls. Remembers its calls, measures their time on the processor, and holds results against the shape that the stub promises."""

    def __init__(self, exercise: Exercise, transport: Transport) -> None:
        self.exercise, self.transport = exercise, transport
        self.calls: list[tuple[tuple, object]] = []
        self.last: tuple = ()
        self.seconds = 0.0
        self.function = exercise.function

    @property
    def source(self) -> str:
        """The answer's text."""
        return self.transport.source

    def __call__(self, *args: object) -> object:
        result = self._ask("call", args)
        if len(self.calls) < 6:
            self.calls.append((args, result))
        return result

    def jit(self, *args: object) -> object:
        """The result of the compiled answer."""
        return self._ask("jit", args)

    def vmap(self, *args: object, **options: object) -> object:
        """The result of the answer mapped over the leading axis."""
        return self._ask("vmap", args, options)

    def grad(self, *args: object, **options: object) -> object:
        """The gradient of the (scalar) answer with respect to its first argument."""
        return self._ask("grad", args, options)

    def _ask(self, mode: str, args: tuple, options: dict = {}) -> object:
        self.last = args
        start = time.process_time()
        try:
            result = self.transport.call(mode, args, options)
        finally:
            self.seconds += time.process_time() - start
        if mode in ("call", "jit") and self.exercise.kind == "exercise":
            shapes = self.exercise.stub.shapes
            hold_shape(result, shapes.get("return", ""), bind(shapes, self.exercise.stub.arguments, args))
        return result


_LIST = re.compile(r"\([^()]*\)")


def bind(shapes: dict[str, str], names: list[str], args: tuple) -> dict[str, int]:
    """Sizes of the letters in the annotations, from the shapes of the arguments."""
    sizes: dict[str, int] = {}
    for name, value in zip(names, args):
        annotation = shapes.get(name, "")
        if re.fullmatch(r"\([^()]*\)", annotation):
            for letter, size in zip(_letters(annotation), np.shape(value) if not wire.is_key(value) else ()):
                if letter.isidentifier():
                    sizes.setdefault(letter, size)
        elif annotation == "int" and isinstance(value, (int, np.integer)):
            sizes.setdefault(name, int(value))
    return sizes


def _letters(shape: str) -> list[str]:
    return [part.strip() for part in shape.strip("()").split(",") if part.strip()]


def hold_shape(result: object, promised: str, sizes: dict[str, int], name: str = "the result") -> None:
    """Broken unless the result has the shape that the stub promises, e.g. "(D, d)", "()" or "(D, d), (d,)"."""
    shapes = _LIST.findall(promised)
    if not shapes or _LIST.sub("", promised).strip(", "):
        return  # float, a dict, words: nothing to hold it against
    if len(shapes) > 1:
        if not isinstance(result, tuple) or len(result) != len(shapes):
            raise Broken(f"{len(shapes)} results are wanted, {promised}, and {_count(result)}")
        for place, (one, shape) in enumerate(zip(result, shapes), start=1):
            hold_shape(one, shape, sizes, f"result {place} of {len(shapes)}")
        return
    wanted = []
    for part in _letters(promised):
        try:
            wanted.append(int(eval(part, {"__builtins__": {}}, dict(sizes))))
        except (NameError, SyntaxError, TypeError):
            wanted.append(None)  # a size that only the result knows
    if isinstance(result, tuple) and not all(np.ndim(r) == 0 for r in result):
        raise Broken(f"one result of shape {promised} is wanted, and {_count(result)}")
    got = np.shape(result)
    if len(got) != len(wanted) or any(w is not None and w != g for g, w in zip(got, wanted)):
        size = tuple(sizes.get(p, "?") if w is None else w for p, w in zip(_letters(promised), wanted))
        here = f", here {size}," if promised != "()" else " (a scalar)"
        raise Broken(f"{name} has shape {got}; {promised}{here} is promised")


def _count(result: object) -> str:
    return f"{len(result)} came" if isinstance(result, tuple) else "one came"
