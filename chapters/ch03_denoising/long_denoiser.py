"""The long measurement of Part 2's first half: networks with as many numbers as ten Gaussians, run by `book build --long`."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from book_utils import data
from chapters.ch02_linear_independent.experiments_power import TRAIN, split_digits
from chapters.ch03_denoising.experiments_denoiser import LEVELS

WIDTH = 166  # 64 -> 166 -> 64 has 21,478 parameters; ten means and covariances have 10 (64 + 64 * 65 / 2) = 21,440 numbers
STEPS, BATCH, RATE = 8000, 128, 0.003


def networks_of_equal_size() -> dict:
    """Squared errors per test image (seeds, levels) of trained networks, on the splits of `split_digits`.

    64 -> WIDTH -> 64 with ReLU, one for each split and level, trained by Adam (cosine schedule) on clean images with fresh noise.
    """
    clean, noisy = split_digits(np.asarray(data.digits()[0]), LEVELS)
    rng = np.random.default_rng(3)
    which = jnp.asarray(rng.integers(TRAIN, size=(STEPS, BATCH)))
    draws = which, jnp.asarray(rng.standard_normal((STEPS, 64, BATCH), np.float32))

    def trained(key: jax.Array, X: jax.Array, Y: jax.Array, t: jax.Array) -> jax.Array:
        optimiser = optax.adam(optax.cosine_decay_schedule(RATE, STEPS))
        network, static = eqx.partition(eqx.nn.MLP(64, 64, WIDTH, 1, key=key), eqx.is_array)
        mean = X[:, :TRAIN].mean(axis=1, keepdims=True)

        def error(network: eqx.Module, noisy: jax.Array, clean: jax.Array) -> jax.Array:
            answer = jax.vmap(eqx.combine(network, static), in_axes=1, out_axes=1)(noisy - mean)
            return ((answer + mean - clean) ** 2).sum(axis=0).mean()

        def step(carry: tuple, draw: tuple) -> tuple:
            network, state = carry
            which, noise = draw
            clean = X[:, which]
            updates, state = optimiser.update(jax.grad(error)(network, clean + t * noise, clean), state)
            return (eqx.apply_updates(network, updates), state), None

        (network, _), _ = jax.lax.scan(step, (network, optimiser.init(network)), draws)
        return error(network, Y[:, TRAIN:], X[:, TRAIN:])

    one_split = jax.vmap(trained, (None, None, 0, 0))
    keys = jax.random.split(jax.random.key(3), len(clean))
    clean, noisy = jnp.asarray(clean, jnp.float32), jnp.asarray(noisy, jnp.float32)
    return {"errors": jax.jit(jax.vmap(one_split, (0, 0, 0, None)))(keys, clean, noisy, jnp.asarray(LEVELS))}
