"""Seconds and memory of token statistics, of attention and of the exact gradient, in the number of tokens."""

import time

import jax
import jax.numpy as jnp
import numpy as np

from book_utils import crate, tost


def statistics_seconds() -> dict:
    """One layer on 256 to 16,384 tokens, d = 384 in six heads, float32, compiled: medians of 7, and the bytes of temporaries.

    Attention is timed up to 4,096 tokens; the memory of its program is known without running it."""
    d, K, p, tokens = 384, 6, 64, [256, 1_024, 4_096, 16_384]
    rng = np.random.default_rng(0)
    U = jnp.asarray(np.linalg.qr(rng.normal(size=(d, d)))[0].reshape(d, K, p).transpose(1, 0, 2), jnp.float32)
    layers = {"attention": lambda Z: crate.mssa(Z, U, 1.0), "token statistics": lambda Z: tost.tssa(Z, U, 1.0, 1.0, 1.0),
              "exact gradient": lambda Z: crate.code_rate_gradient(Z, U, 1.0)}
    found = {"tokens": tokens} | {name: [] for name in layers} | {f"{name}, bytes": [] for name in layers}
    for n in tokens:
        Z = jnp.asarray(rng.normal(size=(d, n)) / d**0.5, jnp.float32)
        for name, layer in layers.items():
            program = jax.jit(layer).lower(Z).compile()
            found[f"{name}, bytes"].append(int(program.memory_analysis().temp_size_in_bytes))
            if name != "attention" or n <= 4_096:
                found[name].append(_median(lambda: program(Z)))
    return found


def _median(run, repeats: int = 7) -> float:
    jax.block_until_ready(run())
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(run())
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))
