"""How the kernels are compiled: `@compiled("T")` in place of jax.jit with static_argnames="T", `@compiled_for_modules` in place of
equinox.filter_jit for kernels that take a function or an Equinox module.

Left alone, a GPU rounds the float32 factors of a matrix product to 10 bits; inside a compiled kernel it keeps all 24.
"""

import functools
from collections.abc import Callable

import equinox as eqx
import jax


def compiled(*static: str) -> Callable:
    """jax.jit, with matrix products at full precision on every device; `static` names the arguments known when tracing."""
    return lambda f: jax.jit(_precise(f), static_argnames=static)


def compiled_for_modules(f: Callable) -> Callable:
    """The same where arguments hold functions: the arrays in them are traced, and all else is known when tracing."""
    return eqx.filter_jit(_precise(f))


def _precise(f: Callable) -> Callable:
    @functools.wraps(f)
    def precise(*args):
        with jax.default_matmul_precision("highest"):
            return f(*args)
    return precise
