"""How the kernels are compiled: `@compiled("T")` in place of jax.jit with static_argnames="T".

Left alone, a GPU rounds the float32 factors of a matrix product to 10 bits; inside a compiled kernel it keeps all 24.
"""

import functools
from collections.abc import Callable

import jax


def compiled(*static: str) -> Callable:
    """jax.jit, with matrix products at full precision on every device; `static` names the arguments known when tracing."""
    def decorate(f):
        @functools.wraps(f)
        def precise(*args):
            with jax.default_matmul_precision("highest"):
                return f(*args)
        return jax.jit(precise, static_argnames=static)
    return decorate
