"""The student's side: a process behind walls that runs the student's cells and answers calls of the student's functions with plain values.

It knows no law, no secret and no points, and nothing that it says is believed: the marker, which drew the inputs, compares what it answers.
"""

import contextlib
import linecache
import os
import re
import sys
import types
from collections.abc import Callable

from book_utils.course.grading import walls

_MAGIC = re.compile(r"^(\s*)[%!?].*$", re.MULTILINE)


class Answer:
    """An exercise of the assignment, or one before it, as far as this process knows it."""

    def __init__(self, name: str, function: str, kind: str, may: list[str], allows: tuple, source: str = "") -> None:
        self.name, self.function, self.kind, self.may, self.allows = name, function, kind, may, allows
        self.source, self.given = source, None  # the lesson's solution, where this is one to lean on
        self.own: Callable | None = None

    def target(self) -> Callable | None:
        if not self.source:
            return self.own
        if self.given is None:
            from book_utils.course import catalog

            self.given = catalog.call_function(self.source, self.function, BENCH.fresh())
        return self.given


class Handle:
    """What an exercise's name is bound to."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.__name__ = answer, answer.function

    def __call__(self, *args: object, **kwargs: object) -> object:
        from book_utils.course import guard
        from book_utils.course.transport import inputs

        answer, active = self.answer, guard.state.active
        if active is answer:  # a function that calls itself
            return answer.own(*args, **kwargs)
        if active is not None and answer.name not in active.may:
            raise guard.Refused(f"{answer.function}, which comes later,")
        target = answer.target()
        if target is None:
            raise guard.Todo
        with guard.open_door() if answer.source else contextlib.nullcontext():
            return _arrays(target(*inputs(args), **inputs(kwargs)))


def _arrays(value: object) -> object:
    import jax.numpy as jnp
    import numpy as np

    if isinstance(value, tuple):
        return tuple(_arrays(v) for v in value)
    return jnp.asarray(value) if isinstance(value, (np.ndarray, np.generic)) else value


class Nothing:
    """Stands for what a lesson shows and a mark does not need: figures, measurements, hints."""

    def __call__(self, *_: object, **__: object) -> "Nothing":
        return self

    def __getattr__(self, name: str) -> "Nothing":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __iter__(self) -> object:
        return iter(())


class Closed(Nothing):
    """A kernel that is not at hand: importing it is no harm, calling it is refused."""

    def __init__(self, said: str) -> None:
        self._said = said

    def __call__(self, *_: object, **__: object) -> object:
        from book_utils.course import guard

        raise guard.Refused(self._said)

    def __getattr__(self, name: str) -> "Closed":
        if name.startswith("__"):
            raise AttributeError(name)
        return Closed(f"{self._said}.{name}")


def closed(module: str, name: str) -> Closed:
    """The attribute of a module that is not at hand."""
    if name.startswith("__"):
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    return Closed(f"{module}.{name}")


class Bench:
    """The namespace of a submission and the exercises it answers."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.space: dict = {}
        self.imports: list[str] = []
        self.current: tuple[str, ...] = ()  # exercises that the cell being run declares

    def begin(self, answers: list[dict], imports: list[str], seconds: float) -> None:
        from book_utils.course import guard

        guard.SECONDS, self.imports = seconds, imports
        for facts in answers:
            allows = tuple(getattr(__import__(f"book_utils.{module}", fromlist=[name]), name) for module, name in facts.pop("allows"))
            self.answers[facts["name"]] = Answer(**facts, allows=allows)
        self.space = self.fresh()
        module = types.ModuleType("__main__")
        module.__dict__.update(self.space)
        sys.modules["__main__"], self.space = module, module.__dict__

    def fresh(self) -> dict:
        """A namespace with the lesson's imports and the names of the exercises."""
        space = {"__name__": "__main__", "__builtins__": __builtins__}
        for text in self.imports:
            with contextlib.suppress(Exception):
                exec(text, space)
        return space | {answer.function: Handle(answer) for answer in self.answers.values()}

    def define(self, name: str, kind: str, function: Callable) -> object:
        answer = self.answers.get(name)
        if answer is None or name not in self.current or answer.source or answer.kind != kind:
            return function
        answer.own = function
        self.space[answer.function] = Handle(answer)
        return self.space[answer.function]

    def run(self, source: str, number: int, names: list[str]) -> dict:
        from book_utils.course import guard
        from book_utils.course.sentences import sentence

        file = f"<cell {number}>"
        text = _MAGIC.sub(r"\1pass", source)
        linecache.cache[file] = (len(text), None, [line + "\n" for line in text.split("\n")], file)
        self.current = tuple(names)
        try:
            with contextlib.redirect_stdout(guard._Short()), contextlib.redirect_stderr(guard._Short()), guard.time_limit(guard.SECONDS):
                exec(compile(text, file, "exec"), self.space)
        except BaseException as error:
            line = error.lineno if isinstance(error, SyntaxError) else _line(error, file)
            said = "todo() stands outside an exercise" if isinstance(error, guard.Todo) else sentence(error)
            return {"raised": said, "line": line, "code": linecache.getline(file, line).strip() if line else ""}
        finally:
            self.current = ()
        return {"ran": True}

    def call(self, name: str, mode: str, args: tuple, options: dict) -> dict:
        from book_utils.course import guard
        from book_utils.course.transport import Local, Raised

        answer = self.answers[name]
        if answer.own is None:
            return {"absent": True}
        local = Local(answer, answer.own, "")
        try:
            return {"result": local.call(mode, args, options), "printed": local.printed}
        except Raised as raised:
            return {"raised": raised.text, "line": raised.line, "code": raised.code}
        except guard.Todo:
            return {"todo": True}
        except guard.Refused as refused:
            return {"refused": str(refused)}
        except guard.TooLong:
            return {"toolong": True}
        except BaseException as error:  # SystemExit, KeyboardInterrupt
            return {"raised": f"the function ended itself with {type(error).__name__}", "line": None, "code": ""}

    def reply(self, request: dict) -> dict:
        match request:
            case {"begin": answers, "imports": imports, "seconds": seconds}:
                self.begin(list(answers), list(imports), seconds)
                return {"ready": True}
            case {"run": source, "number": number, "names": names}:
                return self.run(source, number, list(names))
            case {"call": name, "mode": mode, "args": args, "options": options}:
                return self.call(name, mode, args, options)
            case {"replace": name, "source": source}:
                self.answers[name].source = source
        return {"ready": True}


BENCH = Bench()
NOTHING = Nothing()


def exercise(name: str) -> Callable:
    """Decorator of the lesson: this function answers the exercise called `name`."""
    return lambda function: BENCH.define(name, "exercise", function)


def derivation(name: str) -> Callable:
    """Decorator of the lesson: this generator is the chain called `name`."""
    return lambda function: BENCH.define(name, "derivation", function)


def _line(error: BaseException, file: str) -> int | None:
    line, trace = None, error.__traceback__
    while trace is not None:
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == file else line
        trace = trace.tb_next
    return line


def main(config: dict) -> None:
    """Put up the walls, say which stand, and answer requests until the other side closes."""
    standing = walls.enclose(config["readable"], config["hidden"], config["folder"], config["walls"])
    channel_in, channel_out = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)  # whatever is printed, by whomever, goes nowhere
    import jax.numpy as jnp

    from book_utils.course import guard, sentences, transport, wire  # noqa: F401 - all that a call needs, before the walls close
    jnp.zeros(1).block_until_ready()
    walls.guard_python(config["readable"], config["hidden"], config["folder"])

    def send(reply: dict) -> None:
        data = wire.encode(reply)
        channel_out.write(len(data).to_bytes(8, "big") + data)
        channel_out.flush()
    send({"walls": tuple(standing)})
    while len(head := channel_in.read(8)) == 8:
        request = wire.decode(channel_in.read(int.from_bytes(head, "big")))
        try:
            reply = BENCH.reply(request)
        except BaseException as error:
            reply = {"raised": type(error).__name__, "line": None, "code": ""}
        send(reply)
