"""The long measurement of Part 2: networks that remove noise from digits, run by `book build --long`."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from book_utils import data
from chapters.ch02_linear_independent.experiments_power import TRAIN, split_digits

LEVELS = [0.1, 0.25, 0.5, 1.0]


def networks_on_digits() -> dict:
    """Squared errors per test image, (seeds, levels, methods), of networks trained on the splits of `split_digits`.

    "small": blind and told, 16 hidden units; "large": told, 64 of them. In all 36 networks.
    """
    split = split_digits(np.asarray(data.digits()[0]), LEVELS)
    return {"small": _errors(*split, LEVELS, width=16, told=[False, True], steps=1000, batch=96, rate=0.012),
            "large": _errors(*split, LEVELS, width=64, told=[True], steps=800, batch=64, rate=0.005)}


def _errors(clean: np.ndarray, noisy: np.ndarray, sigmas: list[float], width: int, told: list[bool], steps: int,
                   batch: int, rate: float) -> np.ndarray:
    """Squared errors per test image of trained networks D -> width -> D with ReLU: (seeds, levels, len(told)).

    told: True trains on pairs (image with fresh noise, clean image), False on the noisy image as input and as target. Adam with a
    cosine schedule from `rate`; all networks at once, compiled as one loop, on the same batches and the same fresh noise.
    """
    D = clean.shape[1]
    rng = np.random.default_rng(2)
    draws = jnp.asarray(rng.integers(TRAIN, size=(steps, batch))), jnp.asarray(rng.standard_normal((steps, D, batch), np.float32))
    optimiser = optax.adam(optax.cosine_decay_schedule(rate, steps))

    def one(key: jax.Array, clean: jax.Array, noisy: jax.Array, sigma: jax.Array, told: jax.Array) -> jax.Array:
        network, static = eqx.partition(eqx.nn.MLP(D, D, width, 1, key=key), eqx.is_array)
        mean = noisy[:, :TRAIN].mean(axis=1, keepdims=True)

        def denoise(network: eqx.nn.MLP, Y: jax.Array) -> jax.Array:
            return mean + jax.vmap(eqx.combine(network, static), 1, 1)(Y - mean)

        def step(state: tuple, draw: tuple) -> tuple:
            network, memory = state
            chosen, noise = draw
            Y = jnp.where(told, clean[:, chosen] + sigma * noise, noisy[:, chosen])
            target = jnp.where(told, clean[:, chosen], Y)
            gradient = jax.grad(lambda network: ((denoise(network, Y) - target) ** 2).sum(axis=0).mean())(network)
            update, memory = optimiser.update(gradient, memory)
            return (optax.apply_updates(network, update), memory), None

        (network, _), _ = jax.lax.scan(step, (network, optimiser.init(network)), draws)
        return ((denoise(network, noisy[:, TRAIN:]) - clean[:, TRAIN:]) ** 2).sum(axis=0).mean()

    every = jax.vmap(one, (None, None, None, None, 0))
    every = jax.vmap(every, (None, None, 0, 0, None))
    every = jax.jit(jax.vmap(every, (0, 0, 0, None, None)))
    floats = [jnp.asarray(a, jnp.float32) for a in (clean, noisy, sigmas)]
    return np.asarray(every(jax.random.split(jax.random.key(0), len(clean)), *floats, jnp.asarray(told)))
