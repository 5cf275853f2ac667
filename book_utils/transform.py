"""From one sample to all of them: samples are columns, functions of a sample are written for one.

    columns(f)(X) = [f(x_1), ..., f(x_N)]        for X = [x_1, ..., x_N] (D, N)
"""

import contextvars
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from book_utils.validate import matrix

# What JAX raises when code asks a traced value for its numbers, as NumPy functions, `if` and float() do.
_NEEDS_NUMBERS = (
    jax.errors.TracerArrayConversionError,
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)

_can_loop = contextvars.ContextVar("can_loop", default=False)  # while `columns` tries vmap and has numbers to loop over


def columns(f: Callable) -> Callable:
    """Lift f, a function of one sample (D,), to all columns of X (D, N); results are stacked along a new last axis.

    A result (d,) becomes (d, N), a number becomes (N,), a tuple or dict of results a tuple or dict of stacked ones. JAX code runs
    in one sweep (jax.vmap); code that needs numbers (NumPy functions, `if x[0] > 0`) in a Python loop. ValueError if X is not a
    real matrix, or empty."""
    @functools.wraps(f)
    def lifted(X):
        X = matrix(X, "X", "(D, N)", finite=False)
        token = _can_loop.set(not isinstance(X, jax.core.Tracer))
        try:
            return jax.vmap(f, in_axes=1, out_axes=-1)(X)
        except Exception as error:
            if not will_loop(error):
                raise
        finally:
            _can_loop.reset(token)
        results = [f(jnp.asarray(x)) for x in np.asarray(X).T]
        return jax.tree.map(lambda *parts: jnp.asarray(np.stack(parts, axis=-1)), *results)
    return lifted


def will_loop(error: BaseException | None) -> bool:
    """Whether `columns` is tracing and will go on with a loop after this error: it, or its cause, says that code needs numbers.

    For wrappers of a function that have a way of their own around errors: here they should let it through."""
    if not _can_loop.get():
        return False
    while error is not None and not isinstance(error, _NEEDS_NUMBERS):
        error = error.__cause__ or error.__context__
    return error is not None
