"""What each law of an exercise weighs: nothing if an answer that knows nothing passes it."""

import warnings
from collections.abc import Callable

import numpy as np

from book_utils.course import guard
from book_utils.course.checking import generator
from book_utils.course.exercises import Exercise
from book_utils.course.transport import Local, Proxy, Raised


class _Trivial:
    """An answer that takes from the right one the shape alone."""

    source = printed = ""

    def __init__(self, right: Local, fill: Callable) -> None:
        self.right, self.fill = right, fill

    def call(self, mode: str, args: tuple, options: dict) -> object:
        return self._filled(self.right.call(mode, args, options), args)

    def _filled(self, result: object, args: tuple) -> object:
        if isinstance(result, tuple):
            return tuple(self._filled(part, args) for part in result)
        if isinstance(result, dict):
            return {name: self._filled(part, args) for name, part in result.items()}
        return self.fill(np.asarray(result, dtype=float), args)


def _constant(value: float) -> Callable:
    return lambda result, args: np.full_like(result, value)


def _identity(result: np.ndarray, args: tuple) -> np.ndarray:
    if result.ndim != 2:
        raise Raised("no matrix")
    return np.eye(*result.shape)


def _argument(place: int) -> Callable:
    def fill(result: np.ndarray, args: tuple) -> object:
        if place >= len(args) or np.shape(args[place]) != result.shape:
            raise Raised("no such argument")
        return args[place]
    return fill


_FILLS = [*map(_constant, (0.0, 1.0, -1.0, np.nan)), _identity, *map(_argument, range(5))]


def weights(exercise: Exercise, variant: str = "") -> dict[str, float]:
    """Weight of every law, by name, for an exercise that is stated in a variant: see `rules`."""
    return rules(exercise, variant)[0]


def rules(exercise: Exercise, variant: str = "") -> tuple[dict[str, float], tuple[str, ...]]:
    """Weights of the laws, and the gates among them (without which the exercise earns nothing).

    The worked example weighs 0, and so does what a trivial answer passes; the rest weighs 1, and nothing is a gate. Where every law
    alone is passed by some trivial answer, all but the example weigh 1 and all of them are gates: then only all together say something.
    """
    own, names = {law.name for law in exercise.own_laws}, [law.name for law in exercise.laws]
    free = set().union(*_passed(exercise, variant)) if exercise.kind == "exercise" else set()
    if own <= free:
        return {name: float(name in own) for name in names}, tuple(name for name in names if name in own)
    return {name: float(name in own - free) for name in names}, ()


def hollow(exercise: Exercise, variant: str = "") -> bool:
    """Whether one trivial answer passes every law but the example: then marks for the exercise say nothing."""
    own = {law.name for law in exercise.own_laws}
    return exercise.kind == "exercise" and any(own <= passed for passed in _passed(exercise, variant))


def _passed(exercise: Exercise, variant: str) -> list[set[str]]:
    """Names of the laws that each trivial answer passes."""
    stub, found = exercise.stub_in(variant), []
    right = Local(exercise, exercise.compile(stub.solved), "")
    for fill in _FILLS:
        trivial, passed = _Trivial(right, fill), set()
        transport = exercise.variants[variant].transport(trivial) if variant else trivial
        for law in exercise.own_laws:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    law(Proxy(exercise, transport), generator(exercise, law))
                passed.add(law.name)
            except (Exception, guard.Refused, guard.Todo, guard.TooLong):  # a law may stumble over a result in any way: it does not hold
                continue
        found.append(passed)
    return found
