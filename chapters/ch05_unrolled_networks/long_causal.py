"""Seconds that the compiled kernels take for one more token."""

import time

import jax
import jax.numpy as jnp
import numpy as np

from book_utils import crate, tost


def _median(step, repeats: int = 15) -> float:
    jax.block_until_ready(step())
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(step())
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def seconds_per_token() -> dict:
    """One token after 256 to 16,384 others, d = 384 in six heads: medians of 15, compiled, in float32."""
    d, K, p, tokens = 384, 6, 64, [256, 1_024, 4_096, 16_384]
    rng = np.random.default_rng(0)
    U = jnp.asarray(np.linalg.qr(rng.normal(size=(d, d)))[0].reshape(d, K, p).transpose(1, 0, 2), jnp.float32)
    z = jnp.asarray(rng.normal(size=d) / d**0.5, jnp.float32)
    last = jax.jit(_last)
    cached = jax.jit(lambda cache, z, U: crate.causal_mssa_step(cache, z, U, 1.0)[1])
    recurrent = jax.jit(lambda state, z, U: tost.tssa_step(state, z, U, 1.0, 1.0, 1.0)[1])
    found = {"tokens": tokens, "attention, no cache": [], "attention, cache": [], "token statistics": []}
    for n in tokens:
        Z = jnp.asarray(rng.normal(size=(d, n)) / d**0.5, jnp.float32)
        cache = crate.Cache(jnp.asarray(rng.normal(size=(K, p, n + 1)), jnp.float32), jnp.int32(n))
        state = tost.TokenStatistics(jnp.ones((K, p)), jnp.ones(K), jnp.float32(n))
        found["attention, no cache"].append(_median(lambda: last(Z, U)))
        found["attention, cache"].append(_median(lambda: cached(cache, z, U)))
        found["token statistics"].append(_median(lambda: recurrent(state, z, U)))
    return found


def _last(Z: jax.Array, U: jax.Array) -> jax.Array:
    """The last column of causal attention, all tokens viewed anew."""
    W = jnp.einsum("kdp,dn->kpn", U, Z)
    weights = jax.nn.softmax(jnp.einsum("kpn,kp->kn", W, W[:, :, -1]), axis=1)
    return jnp.einsum("kdp,kpn,kn->d", U, W, weights)
