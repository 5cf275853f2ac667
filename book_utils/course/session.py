"""The student's side: `lesson`, `exercise`, `derivation`, `hint`, `solution`, `yours`, and the verdict when a cell ends."""

import ast
import html
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from book_utils import transform
from book_utils.course import catalog, guard
from book_utils.course.checking import Verdict, check
from book_utils.course.errors import CourseError
from book_utils.course.exercises import Exercise
from book_utils.course.sentences import sentence
from book_utils.course.transport import inputs

_COLORS = {"HOLDS": "#117733", "FAILS": "#b35900", "RAISES": "#b35900", "NOT STARTED": "#5b6770"}


class Card:
    """A text whose first word says what it is; colour is decoration."""

    def __init__(self, text: str, color: str, more: str = "") -> None:
        self.text, self.color, self.more = text, color, more

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        word, _, rest = self.text.partition("  ")
        return (f'<div style="border-left:4px solid {self.color};padding:2px 10px;margin:2px 0;max-width:60em">'
                f'<b style="color:{self.color}">{html.escape(word)}</b>&nbsp; {html.escape(rest)}{self.more}</div>')


def shell() -> object | None:
    """The running IPython shell, if there is one."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    return get_ipython()


def say(text: str, color: str = "#5b6770", more: str = "") -> None:
    """Show a sentence: a card in a notebook, a line in a terminal."""
    if shell() is None:
        encoding, errors = getattr(sys.stdout, "encoding", None) or "utf-8", getattr(sys.stdout, "errors", None) or "strict"
        print(text.encode(encoding, "replace" if errors == "strict" else errors).decode(encoding))
    else:
        from IPython.display import display

        display(Card(text, color, more))


@dataclass
class Answer:
    """A student's function for one exercise, and what is known of it."""

    exercise: Exercise
    function: Callable | None = None
    verdict: Verdict | None = None
    said: bool = False  # that it raised below
    variant: str = ""  # the convention that an assignment uses instead of the lesson's

    @property
    def stand_in(self) -> Callable:
        """What stands in while the function does not hold: a reference, in the convention that is asked for."""
        if not self.variant:
            return self.exercise.reference
        return self.exercise.compile(self.exercise.stub_in(self.variant).solved)

    @property
    def used(self) -> bool:
        """Whether figures use this function rather than the stand-in."""
        return self.verdict is not None and self.verdict.status == "HOLDS" and not self.verdict.slow


class Handle:
    """What an exercise's name is bound to: the student's function once it holds, the stand-in until then."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.__name__ = answer.exercise.function
        self.__doc__ = answer.exercise.stub.doc

    def __repr__(self) -> str:
        status = self.answer.verdict.status if self.answer.verdict else "NOT STARTED"
        return f"<{self.answer.exercise.name}: {status}>"

    def __call__(self, *args: object, **kwargs: object) -> object:
        exercise, active = self.answer.exercise, guard.state.active
        if active is exercise:  # a function that calls itself
            return self.answer.function(*args, **kwargs)
        if active is not None and exercise.name not in (*active.earlier, *active.needs):
            raise guard.Refused(f"{self.__name__}, which comes later,")
        if self.answer.used:
            try:
                return _arrays(self.answer.function(*inputs(args), **inputs(kwargs)))
            except Exception as error:
                if transform.will_loop(error):
                    raise
                self._say(error)
        with guard.open_door():
            return self.answer.stand_in(*args, **kwargs)

    def _say(self, error: Exception) -> None:
        if not self.answer.said and guard.state.active is None:
            self.answer.said = True
            say(f"{self.__name__}: your function holds, but here it raised: {sentence(error)}. A reference stands in.")


def _arrays(value: object) -> object:
    """NumPy results as JAX arrays, so that what follows can rely on one kind."""
    if isinstance(value, tuple):
        return tuple(_arrays(v) for v in value)
    return jnp.asarray(value) if isinstance(value, (np.ndarray, np.generic)) else value


class Yours:
    """A failing function for a figure: whatever it does, the result has the right shape (NaN where it has nothing to say)."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def __call__(self, *args: object, **kwargs: object) -> object:
        right = self.answer.stand_in(*args, **kwargs)
        try:
            with guard.time_limit(guard.SECONDS):
                mine = self.answer.function(*inputs(args), **inputs(kwargs))
        except (Exception, guard.Todo, guard.TooLong):
            mine = None
        return _like(mine, right)


def _like(mine: object, right: object) -> object:
    if isinstance(right, tuple):
        parts = mine if isinstance(mine, tuple) and len(mine) == len(right) else (None,) * len(right)
        return tuple(_like(m, r) for m, r in zip(parts, right))
    try:
        array = jnp.asarray(mine, dtype=float)
    except (TypeError, ValueError):
        array = None
    return array if array is not None and array.shape == jnp.shape(right) else jnp.full(jnp.shape(right), jnp.nan)


class Session:
    """The answers of one kernel (or one script)."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.pending: list[str] = []
        self.hinted: dict[str, int] = {}
        self.graded: dict[str, str] = {}  # exercises of an assignment, and the variant that each is stated in ("": the lesson's own)
        self.shell = None
        self.defer = False  # `book check` gives the verdicts when the whole file has run

    def attach(self) -> None:
        """Listen to the notebook, once."""
        running = shell()
        if running is not None and running is not self.shell:
            self.shell = running
            running.events.register("post_run_cell", self.cell_ended)
            running.input_transformers_post.append(self.unparsable)

    def answer(self, name: str) -> Answer:
        exercise = catalog.exercise(name)
        return self.answers.setdefault(name, Answer(exercise, variant=self.graded.get(name, "")))

    def define(self, name: str, kind: str, function: Callable) -> Handle | Callable:
        """A new answer to the exercise `name`; the verdict comes when the cell ends, or at once outside a notebook."""
        self.attach()
        try:
            exercise = catalog.exercise(name)
        except CourseError as error:
            _refuse(str(error))
            return function
        self.answers[name] = Answer(exercise, function, variant=self.graded.get(name, ""))
        handle = Handle(self.answers[name])
        function.__globals__[exercise.function] = handle
        self.hinted.pop(name, None)
        if name not in self.pending:
            self.pending.append(name)
        if self.shell is None and not self.defer:
            self.settle()
        return handle

    def settle(self) -> list[Verdict]:
        """Check what is pending and show the verdicts."""
        names, self.pending = self.pending, []
        verdicts = []
        for name in names:
            answer = self.answers[name]
            answer.verdict = check(answer.exercise, answer.function, variant=answer.variant)
            renamed = getattr(answer.function, "__name__", answer.exercise.function)
            note = "" if renamed == answer.exercise.function else f" (It is called {answer.exercise.function} in this lesson; both names work.)"
            below = "" if self.defer else answer.verdict.below + note
            say(answer.verdict.text + below, _COLORS[answer.verdict.status])
            verdicts.append(answer.verdict)
        if strict() and (bad := [v for v in verdicts if v.status != "HOLDS"]):
            raise CourseError(bad[0].text)
        return verdicts

    def cell_ended(self, result: object) -> None:
        """IPython's post_run_cell: helpers that stand below the function exist by now."""
        if self.pending:
            self.settle_in_cell(result)

    def settle_in_cell(self, result: object) -> None:
        try:
            self.settle()
        except CourseError as error:  # strict: the cell itself has to fail, and IPython only prints what its events raise
            result.error_in_exec = error
            raise

    def unparsable(self, lines: list[str]) -> list[str]:
        """An exercise cell that is not Python becomes a verdict instead of an error that stops the notebook."""
        text = "".join(lines)
        if "@exercise(" not in text and "@derivation(" not in text:
            return lines
        try:
            ast.parse(text)
        except SyntaxError as error:
            stub = catalog.parse(text)
            if stub is not None:
                code = (error.text or "").strip()
                return [f"from book_utils.course.session import unreadable; unreadable({stub.name!r}, {error.lineno!r}, {code!r}, {sentence(error)!r})\n"]
        return lines


SESSION = Session()


def strict() -> bool:
    """Whether anything but HOLDS raises: for the solved build and for grading."""
    return os.environ.get("BOOK_STRICT", "") not in ("", "0")


def _refuse(text: str) -> None:
    if strict():
        raise CourseError(text)
    say(text)


def unreadable(name: str, line: int | None, code: str, said: str) -> None:
    """The verdict on an exercise cell that is not Python."""
    try:
        answer = SESSION.answer(name)
    except CourseError as error:
        return _refuse(str(error))
    text, below = f"RAISES  {name}, your line {line}: {code} - {said}.", "" if SESSION.defer else " A reference stands in below."
    verdict = Verdict(name, "RAISES", 0, len(answer.exercise.laws), text, below)
    SESSION.answers[name] = Answer(answer.exercise, None, verdict, variant=answer.variant)
    if SESSION.shell is not None:
        SESSION.shell.user_ns[answer.exercise.function] = Handle(SESSION.answers[name])
    say(text + below, _COLORS["RAISES"])
    if strict():
        raise CourseError(text)


def lesson(key: str, graded: dict[str, str] | None = None) -> None:
    """Bind every exercise name of the chapter `key` to its stand-in (or to your answer, where you have run one) in the caller's namespace.

    In an assignment `graded` names its exercises, each with the convention it is stated in: a variant, or "" for the lesson's own.
    """
    SESSION.attach()
    names = sys._getframe(1).f_globals if SESSION.shell is None else SESSION.shell.user_ns
    try:
        chapter = catalog.chapter(key)
        _grade(chapter, graded or {})
    except CourseError as error:
        return _refuse(str(error))
    for name, exercise in chapter.exercises.items():
        names[exercise.function] = Handle(SESSION.answer(name))


def _grade(chapter: catalog.Chapter, graded: dict[str, str]) -> None:
    """Take note of an assignment; what was answered in another convention is forgotten."""
    for name, variant in graded.items():
        catalog.exercise(name).stub_in(variant)
    SESSION.graded = {name: v for name, v in SESSION.graded.items() if name not in chapter.exercises} | graded
    for name in chapter.exercises:
        if name in SESSION.answers and SESSION.answers[name].variant != graded.get(name, ""):
            del SESSION.answers[name]


def exercise(name: str) -> Callable:
    """Decorator: this function answers the exercise called `name`. The verdict comes when the cell ends."""
    return lambda function: SESSION.define(name, "exercise", function)


def derivation(name: str) -> Callable:
    """Decorator: this generator is the chain of equalities called `name`. The verdict comes when the cell ends."""
    return lambda function: SESSION.define(name, "derivation", function)


def hint(which: str | Handle) -> None:
    """Show the next hint of an exercise, from a nudge to nearly the answer; if your mistake is a familiar one, the first hint is about it."""
    try:
        name = _name(which)
        answer = SESSION.answer(name)
    except CourseError as error:
        return _refuse(str(error))
    hints = list(answer.exercise.hints)
    if answer.verdict is not None and answer.verdict.mistake is not None and answer.verdict.mistake.hint:
        hints.insert(0, answer.verdict.mistake.hint)
    stage = SESSION.hinted.get(name, 0)
    SESSION.hinted[name] = stage + 1
    if stage >= len(hints):
        last = "" if name in SESSION.graded else f' solution("{name}") shows a reference.'
        return say(f"HINT  {name}: these were all {len(hints)}.{last}")
    more = f' hint("{name}") again for the next.' if stage + 1 < len(hints) else ""
    say(f"HINT  {name}, {stage + 1} of {len(hints)}: {answer.exercise.hinted(hints[stage], answer.variant)}{more}")


def solution(which: str | Handle) -> None:
    """Show the reference solution of an exercise, folded in a notebook."""
    try:
        answer = SESSION.answer(_name(which))
    except CourseError as error:
        return _refuse(str(error))
    if answer.exercise.name in SESSION.graded:
        return say(f'{answer.exercise.name} is graded here, so its solution stays closed. hint("{answer.exercise.name}") helps.')
    text = answer.exercise.stub.solved
    if shell() is None:
        return print(text)
    from IPython.display import HTML, display

    display(HTML(f"<details><summary>A reference for {answer.exercise.name}. Open it when you have tried.</summary>"
                 f"<pre>{html.escape(text)}</pre></details>"))


def yours(which: str | Handle) -> list[Yours]:
    """Your function, in a list, if it exists and fails: to be drawn dashed beside the right one. Otherwise an empty list."""
    answer = SESSION.answer(_name(which))
    failing = answer.function is not None and answer.verdict is not None and answer.verdict.status in ("FAILS", "RAISES")
    return [Yours(answer)] if failing else []


def _name(which: object) -> str:
    if isinstance(which, str):
        return which
    if isinstance(which, Handle):
        return which.answer.exercise.name
    raise CourseError(f'hint, solution and yours take the name of an exercise, as in hint("ch02.encode"), not a {type(which).__name__}.')


