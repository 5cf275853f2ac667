"""What each law of an exercise weighs: nothing if an answer that knows nothing passes it."""

import warnings
from collections.abc import Callable
from functools import cache

import jax
import numpy as np

from book_utils.course import guard
from book_utils.course.checking import generator
from book_utils.course.exercises import Exercise
from book_utils.course.transport import Local, Proxy, Raised, Transport

_SEEDS = (0, 1)


def weights(exercise: Exercise, variant: str = "") -> dict[str, float]:
    """Weight of every law, by name: the first half of `rules`."""
    return rules(exercise, variant)[0]


def rules(exercise: Exercise, variant: str = "") -> tuple[dict[str, float], tuple[str, ...]]:
    """(weight of every law by name, laws without which the exercise earns nothing), in the convention `variant` ("": the lesson's).

    A law weighs 0 if it is the worked example or if a trivial answer passes it, and 1 otherwise. Trivial answers have the promised shape and know
    nothing: constants, the identity, shares of one, noise, any argument or its transpose. Where that leaves nothing all laws but the example weigh
    1 and each is a gate: all or nothing. A derivation's gates are that it begins and ends as given and that its lines are equal.
    """
    names = [law.name for law in exercise.laws]
    own = [law.name for law in exercise.own_laws]
    if exercise.kind == "derivation":
        return {name: float(name in own and name not in _free(exercise)) for name in names}, tuple(exercise.named[n].name for n in ("given", "equal"))
    passed = _passed(exercise, variant)
    if paid := [name for name in own if name not in passed]:
        return {name: float(name in paid) for name in names}, ()
    wanted = own or names
    return {name: float(name in wanted) for name in names}, tuple(wanted)


def _free(exercise: Exercise) -> set[str]:
    """Laws of a derivation that weigh nothing: whoever writes its given lines once more, plus nothing, passes these."""
    return {exercise.named[name].name for name in ("given", "repeats")}


class _Trivial:
    """An answer that takes from the right one the shape alone."""

    source = printed = ""

    def __init__(self, exercise: Exercise, right: Transport, fill: Callable) -> None:
        self.exercise, self.right, self.fill = exercise, right, fill

    def call(self, mode: str, args: tuple, options: dict) -> object:
        return self._filled(self.right.call(mode, args, options), args)

    def _filled(self, result: object, args: tuple) -> object:
        if isinstance(result, tuple):
            return tuple(self._filled(part, args) for part in result)
        if isinstance(result, dict):
            return {name: self._filled(part, args) for name, part in result.items()}
        return self.fill(np.asarray(result, dtype=float), args)


class _Remembered:
    """The right answer, computed once for the same arguments."""

    source = printed = ""

    def __init__(self, inner: Transport) -> None:
        self.inner, self.known = inner, {}

    def call(self, mode: str, args: tuple, options: dict) -> object:
        key = (mode, repr(options), *(_bytes(a) for a in args))
        if key not in self.known:
            self.known[key] = self.inner.call(mode, args, options)
        return self.known[key]


def _bytes(value: object) -> object:
    if isinstance(value, (np.ndarray, jax.Array)):
        data = np.asarray(jax.random.key_data(value) if jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key) else value)
        return data.dtype.str, data.shape, data.tobytes()
    if isinstance(value, (tuple, list)):
        return tuple(_bytes(v) for v in value)
    return repr(value)


def _argument(place: int, turned: bool) -> Callable:
    def fill(result: np.ndarray, args: tuple) -> object:
        value = np.asarray(args[place], dtype=float) if place < len(args) else np.zeros((0, 0, 0, 0))
        value = value.T if turned else value
        if value.shape != result.shape:
            raise Raised("no such argument")
        return value
    return fill


def _identity(result: np.ndarray, args: tuple) -> np.ndarray:
    return np.broadcast_to(np.eye(*result.shape[-2:]) if result.ndim > 1 else np.eye(1, max(result.size, 1))[0, : result.size].reshape(result.shape),
                           result.shape).copy()


def _noise(result: np.ndarray, args: tuple) -> np.ndarray:
    return np.random.default_rng(result.size).normal(size=result.shape)


def _shares(result: np.ndarray, args: tuple) -> np.ndarray:
    return np.full_like(result, 1 / max(result.shape[0] if result.ndim else 1, 1))


_FILLS = [*(lambda result, args, value=value: np.full_like(result, value) for value in (0.0, 1.0, -1.0, 0.5, np.nan, np.inf)), _identity, _noise, _shares,
          *(_argument(place, turned) for turned in (False, True) for place in range(6))]


@cache
def _passed(exercise: Exercise, variant: str) -> set[str]:
    """Names of the laws that some trivial answer passes."""
    declared = exercise.variants[variant] if variant else None
    answer = exercise.compile(declared.solved(exercise) if declared else exercise.stub.solved)
    right, passed = _Remembered(Local(exercise, answer, "")), set()
    for fill in _FILLS:
        trivial = _Trivial(exercise, right, fill)
        for law in exercise.laws:
            if law.name not in passed and any(_passes(law, exercise, declared.transport(trivial) if declared else trivial, seed) for seed in _SEEDS):
                passed.add(law.name)
    return passed


def _passes(law: Callable, exercise: Exercise, transport: Transport, seed: int) -> bool:
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            law(Proxy(exercise, transport), generator(exercise, law, seed))
        return True
    except (Exception, guard.Refused, guard.Todo, guard.TooLong):
        return False
