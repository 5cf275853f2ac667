"""Ascents on rate reduction, from many starts, and what it costs: measurements behind the Doubt of Part 3.

Features are free (no network) if not said otherwise. Public functions are run by `book build --long`, one to two minutes each.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

from book_utils import coding, rate_landscape

EPS = 0.5
SCALES = [0.001, 0.05, 0.1, 0.2, 0.5, 2.0]


def _spectra(Z: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    """Squared singular values of every class of Z (d, N)."""
    return [np.linalg.svd(Z[:, labels == k], compute_uv=False) ** 2 for k in range(labels.max() + 1)]


def _ascents(d: int, scale: float, seeds: int, T: int) -> tuple[list[list[int]], list[float]]:
    """Ranks of three classes of 20 samples in d dimensions, and L over its largest value, after T steps from each seed."""
    labels = np.repeat(np.arange(3), 20)
    alpha, rhos = d / (60 * EPS**2), np.full(3, 1 / 3)
    lam = 0.3 * float(rate_landscape.largest_lam(rhos, alpha))
    starts = jnp.asarray([scale * np.random.default_rng(seed).normal(size=(d, 60)) for seed in range(seeds)], jnp.float32)
    ends = np.asarray(jax.vmap(lambda Z: rate_landscape.ascend(Z, labels, EPS, lam, T))(starts))
    best = d * float(rate_landscape.direction_value(alpha, 1 / 3, lam))
    ranks = [[int((x > 1e-2).sum()) for x in _spectra(Z, labels)] for Z in ends]
    return ranks, [float(rate_landscape.regularized_rate_reduction(Z, labels, EPS, lam)) / best for Z in ends]


def ascent_from_scales() -> dict:
    """Twelve dimensions, ten seeds for every scale: ranks of the three classes and the share of the global maximum."""
    found = {scale: _ascents(12, scale, 10, 6000) for scale in SCALES}
    return {"scales": SCALES, "ranks": [found[s][0] for s in SCALES], "shares": [found[s][1] for s in SCALES]}


def erased_classes() -> dict:
    """Starts of scale 0.5 in 3, 6 and 12 dimensions, 60 seeds: the smallest rank of a class at the end, and the share."""
    dimensions = [3, 6, 12]
    found = [_ascents(d, 0.5, 60, 4000) for d in dimensions]
    smallest = [[min(r) for r in ranks] for ranks, _ in found]
    return {"dimensions": dimensions, "smallest": smallest, "shares": [shares for _, shares in found]}


def rank_from_eps() -> dict:
    """Two classes of 60 unit samples in 24 dimensions against eps: how many directions a class has after ascent, three seeds.

    Once with free features, once with features W x of data x that fill a random subspace of 3 dimensions in each class."""
    eps_all, labels = [0.4, 0.6, 0.8, 1.0, 1.4, 2.0, 2.8], np.repeat([0, 1], 60)
    number = lambda Z: [float(x.sum() ** 2 / (x**2).sum()) for x in _spectra(np.asarray(Z), labels)]
    unit = lambda Z: Z / jnp.linalg.norm(Z, axis=0)
    optimiser, steps = optax.adam(3e-3), 2000

    @jax.jit
    def fit(X, W, eps):
        loss = lambda W: -coding.rate_reduction(unit(W @ X), labels, eps)

        def step(_, carry):
            W, state = carry
            updates, state = optimiser.update(jax.grad(loss)(W), state)
            return optax.apply_updates(W, updates), state
        return unit(jax.lax.fori_loop(0, steps, step, (W, optimiser.init(W)))[0] @ X)

    free, limited, bounds = [], [], []
    for eps in eps_all:
        rngs = [np.random.default_rng(seed) for seed in range(3)]
        starts = [jnp.asarray(rng.normal(size=(24, 120)), jnp.float32) for rng in rngs]
        free.append([number(rate_landscape.ascend_on_sphere(Z, labels, eps, 4000)) for Z in starts])
        planes = [np.concatenate([rng.normal(size=(30, 3)) @ rng.normal(size=(3, 60)) for _ in range(2)], axis=1) for rng in rngs]
        limited.append([number(fit(jnp.asarray(X, jnp.float32), jnp.asarray(rng.normal(size=(24, 30)) / 5, jnp.float32), eps))
                        for X, rng in zip(planes, rngs)])
        alpha = 24 / (120 * eps**2)
        bounds.append([60 / float(rate_landscape.tangent_point(alpha, 0.5)), 60 / float(rate_landscape.inflection(alpha, 0.5))])
    return {"eps": eps_all, "free": free, "limited": limited, "bounds": bounds}


def normalisations() -> dict:
    """Classes of 10, 20 and 30 free features in 12 dimensions, Adam on rate reduction, five seeds, under three normalisations.

    "sphere": every sample has length 1. "batch": every channel has mean 0 and variance 1 / 12, as after batch normalisation (the
    total is the same). "none". For each: rate reduction after 1000, 2000 and 4000 steps; at the end the mean squared length in
    the class where it is least and where it is largest, and the same of samples; the number of directions of every class."""
    sizes, d, optimiser = [10, 20, 30], 12, optax.adam(1e-2)
    labels = np.repeat(np.arange(3), sizes)

    def batch(V):
        V = V - V.mean(axis=1, keepdims=True)
        return V / jnp.sqrt(d * jnp.mean(V**2, axis=1, keepdims=True))

    kinds = {"sphere": lambda V: V / jnp.linalg.norm(V, axis=0), "batch": batch, "none": lambda V: V}
    found = {}
    for name, norm in kinds.items():
        value = jax.jit(lambda V, norm=norm: coding.rate_reduction(norm(V), labels, EPS))

        @jax.jit
        def climb(V, state, value=value):
            def step(_, carry):
                updates, state = optimiser.update(jax.grad(lambda V: -value(V))(carry[0]), carry[1])
                return optax.apply_updates(carry[0], updates), state
            return jax.lax.fori_loop(0, 1000, step, (V, state))

        runs = {"rates": [], "classes": [], "samples": [], "directions": []}
        for seed in range(5):
            V, rates = jnp.asarray(np.random.default_rng(seed).normal(size=(d, 60)) / d**0.5, jnp.float32), []
            state = optimiser.init(V)
            for count in (1, 2, 3, 4):
                V, state = climb(V, state)
                rates.append(float(value(V)))
            Z = np.asarray(norm(V))
            squares = (Z**2).sum(axis=0)
            means = [squares[labels == k].mean() for k in range(3)]
            runs["rates"].append([rates[0], rates[1], rates[3]])
            runs["classes"].append(means)
            runs["samples"].append([squares.min(), squares.max()])
            runs["directions"].append([x.sum() ** 2 / (x**2).sum() for x in _spectra(Z, labels)])
        found[name] = runs
    return found


def cost() -> dict:
    """Processor time of value and gradient of rate reduction, over that of the base case d = 64, N = 512, K = 8, and over that of
    one layer of a network on the same batch: tanh(W Z) with W (d, d), and both gradients. Float32, the least of 15. (Processor
    time is that of all threads together; other programs on the machine matter less to it.)"""
    def least(f, *args):
        jax.block_until_ready(f(*args))
        times = []
        for _ in range(15):
            began = time.process_time()
            for _ in range(4):
                jax.block_until_ready(f(*args))
            times.append((time.process_time() - began) / 4)
        return min(times)

    def case(d, N, K):
        rng = np.random.default_rng(0)
        Z, W = jnp.asarray(rng.normal(size=(d, N)), jnp.float32), jnp.asarray(rng.normal(size=(d, d)) / d**0.5, jnp.float32)
        labels = np.arange(N) % K
        rate = jax.jit(jax.value_and_grad(lambda Z: coding.rate_reduction(Z, labels, EPS)))
        layer = jax.jit(jax.value_and_grad(lambda W, Z: jnp.sum(jnp.tanh(W @ Z)), argnums=(0, 1)))
        return least(rate, Z), least(layer, W, Z)

    base, table = case(64, 512, 8), {}
    varied = {"d": [16, 32, 64, 128, 256], "N": [128, 256, 512, 1024, 2048], "K": [2, 4, 8, 16, 32, 64]}
    cases_of = {"d": lambda d: (d, 512, 8), "N": lambda N: (64, N, 8), "K": lambda K: (64, 512, K)}
    for name, values in varied.items():
        times = [case(*cases_of[name](value)) for value in values]
        table[f"{name} is"] = values
        table[name] = [a / base[0] for a, _ in times]
        table[f"{name} over a layer"] = [a / b for a, b in times]
    return table
