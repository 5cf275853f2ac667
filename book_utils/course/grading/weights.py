"""What each law of an exercise weighs: nothing if an answer that knows nothing passes it."""

import warnings
from collections.abc import Callable

import numpy as np

from book_utils.course import guard
from book_utils.course.checking import generator
from book_utils.course.exercises import Broken, Exercise
from book_utils.course.transport import Local, Proxy, Raised


class _Trivial:
    """An answer that takes from the right one the shape alone."""

    source = ""

    def __init__(self, exercise: Exercise, fill: Callable) -> None:
        self.right, self.fill = Local(exercise, exercise.compile(exercise.stub.solved), ""), fill

    def call(self, mode: str, args: tuple, options: dict) -> object:
        return self._filled(self.right.call(mode, args, options), args)

    def _filled(self, result: object, args: tuple) -> object:
        if isinstance(result, tuple):
            return tuple(self._filled(part, args) for part in result)
        if isinstance(result, dict):
            return {name: self._filled(part, args) for name, part in result.items()}
        return self.fill(np.asarray(result, dtype=float), args)


def _argument(place: int) -> Callable:
    def fill(result: np.ndarray, args: tuple) -> object:
        if place >= len(args) or np.shape(args[place]) != result.shape:
            raise Raised("no such argument")
        return args[place]
    return fill


_FILLS = [*(lambda result, args, value=value: np.full_like(result, value) for value in (0.0, 1.0, np.nan)), *map(_argument, range(4))]


def weights(exercise: Exercise) -> dict[str, float]:
    """Weight of every law, by name: 0 for the worked example and for what a trivial answer passes, 1 for the rest (for all, if none is left)."""
    example = {law.name for law in exercise.laws if law not in exercise.own_laws}
    free = example | (_passed(exercise) if exercise.kind == "exercise" else set())
    names = [law.name for law in exercise.laws]
    if free >= set(names):
        free = example
    return {name: float(name not in free) for name in names}


def _passed(exercise: Exercise) -> set[str]:
    passed = set()
    for fill in _FILLS:
        for law in exercise.laws:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    law(Proxy(exercise, _Trivial(exercise, fill)), generator(exercise, law))
                passed.add(law.name)
            except (Broken, Raised, guard.Refused, guard.Todo, guard.TooLong, TypeError, ValueError, IndexError, KeyError):
                continue
    return passed
