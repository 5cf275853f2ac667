"""Generators of equal size on equal data, for the Doubt of Part 4. Run by `book build --long`, in about a minute."""

import functools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from book_utils import diffusion, divergence, memorization
from chapters.ch03_denoising.experiments_memory import code_lengths, squared_distances

SEEDS = 3
D, K, d = 8, 3, 2  # three random planes in eight dimensions
MADE = 2000  # samples of each generator


def generators_of_equal_size() -> dict:
    """Sliced Wasserstein distance to fresh samples, memorisation ratio and distance to the true planes, of samples made by
    several models of N = 64 and N = 512 training samples: (methods, sizes, seeds); and each model's count of numbers.

    The training set itself, drawn from again; a kernel density, its width chosen by leaving one out; a network z -> x trained on
    the energy distance; a diffusion model with a network as denoiser, 50 steps of DDIM. The networks have about N D numbers, as
    many as the training set, or eight times as many; two hidden layers, 4,000 steps of Adam. Then two small models: the Gaussian
    with the second moment of the data, and three fitted planes. Last, fresh samples.
    """
    sizes = [64, 512]
    methods = {"training set": _resampled, "kernel density": _kernel, "network z -> x": _pushed, "diffusion network": _diffused,
               "diffusion network, x 8": functools.partial(_diffused, larger=8), "one Gaussian": _gaussian,
               "three planes": _planes, "fresh samples": None}
    rows = {name: [] for name in methods}
    numbers = {name: [] for name in methods}
    for N in sizes:
        keys = jax.random.split(jax.random.key(N), (SEEDS, 4))
        Us = jnp.stack([jnp.linalg.qr(jax.random.normal(key, (K, D, d)))[0] for key in keys[:, 0]])
        train, test, fresh = (jnp.stack([_law(jax.random.fold_in(key, i), U, n) for key, U in zip(keys[:, 1], Us)])
                              for i, n in enumerate((N, 5 * MADE, MADE)))
        for name, method in methods.items():
            made, count = (fresh, 0) if method is None else method(keys[:, 2], train)
            rows[name].append([_judge(keys[s, 3], Us[s], train[s], test[s], made[s]) for s in range(SEEDS)])
            numbers[name].append(count)
    table = np.array([rows[name] for name in methods])
    return {"methods": list(methods), "sizes": sizes, "numbers": [numbers[name] for name in methods], "distance": table[..., 0],
            "ratio": table[..., 1], "off_planes": table[..., 2]}


def _law(key: jax.Array, Us: jax.Array, N: int) -> jax.Array:
    """X (D, N), each sample standard normal on one of the planes Us (K, D, d), all equally likely."""
    labels, codes = jax.random.split(key)
    return jnp.einsum("nDd,dn->Dn", Us[jax.random.randint(labels, (N,), 0, K)], jax.random.normal(codes, (d, N)))


def _judge(key: jax.Array, Us: jax.Array, X: jax.Array, X_test: jax.Array, X_new: jax.Array) -> list[float]:
    off = jnp.stack([jnp.linalg.norm(X_new - U @ (U.T @ X_new), axis=0) for U in Us]).min(axis=0)
    return [float(divergence.sliced_wasserstein(key, X_new, X_test, 100)), float(memorization.memorization_ratio(X, X_new)),
            float(off.mean())]


def _resampled(keys: jax.Array, X: jax.Array) -> tuple[jax.Array, int]:
    return jnp.stack([x[:, jax.random.randint(key, (MADE,), 0, x.shape[1])] for key, x in zip(keys, X)]), D * X.shape[2]


def _kernel(keys: jax.Array, X: jax.Array) -> tuple[jax.Array, int]:
    widths, N = np.geomspace(0.05, 1, 30), X.shape[2]
    made = []
    for key, x in zip(keys, X):
        squares = squared_distances(np.asarray(x, float), np.asarray(x, float))
        np.fill_diagonal(squares, np.inf)  # each sample is coded by the others
        eps = widths[code_lengths(squares, D, widths).argmin()]
        pick, noise = jax.random.split(key)
        made.append(x[:, jax.random.randint(pick, (MADE,), 0, N)] + eps * jax.random.normal(noise, (D, MADE)))
    return jnp.stack(made), D * N + 1


def _gaussian(keys: jax.Array, X: jax.Array) -> tuple[jax.Array, int]:
    roots = [jnp.linalg.cholesky(x @ x.T / x.shape[1] + 1e-6 * jnp.eye(D)) for x in X]
    return jnp.stack([L @ jax.random.normal(key, (D, MADE)) for key, L in zip(keys, roots)]), D * (D + 1) // 2


def _planes(keys: jax.Array, X: jax.Array) -> tuple[jax.Array, int]:
    """Three planes by turns: each sample to its nearest plane, each plane to its samples; the best of 50 random starts."""
    made = []
    for seed, (key, x) in enumerate(zip(keys, np.asarray(X, float))):
        rng, best = np.random.default_rng(seed), (np.inf, None, None)
        for _ in range(50):
            U = np.linalg.qr(rng.normal(size=(K, D, d)))[0]
            for _ in range(30):
                off = (x**2).sum(axis=0) - ((U.swapaxes(1, 2) @ x) ** 2).sum(axis=1)
                label = off.argmin(axis=0)
                parts = [x[:, label == k] for k in range(K)]
                U = np.stack([np.linalg.svd(part @ part.T)[0][:, :d] for part in parts])
            if off.min(axis=0).sum() < best[0]:
                best = off.min(axis=0).sum(), U, parts
        _, U, parts = best
        moments = [u.T @ part @ part.T @ u / max(part.shape[1], 1) for u, part in zip(U, parts)]
        roots = np.stack([u @ np.linalg.cholesky(S + 1e-9 * np.eye(d)) for u, S in zip(U, moments)])
        pick, codes = jax.random.split(key)
        chosen = jax.random.choice(pick, K, (MADE,), p=jnp.array([part.shape[1] / x.shape[1] for part in parts]))
        made.append(jnp.einsum("nDd,dn->Dn", jnp.asarray(roots, jnp.float32)[chosen], jax.random.normal(codes, (d, MADE))))
    return jnp.stack(made), K * (d * (D - d) + d * (d + 1) // 2) + K - 1  # planes, covariances on them, weights


def _width(n_in: int, numbers: int) -> int:
    """The width h of two hidden layers for which n_in -> h -> h -> D comes nearest to `numbers` weights and biases."""
    return int(np.argmin([abs(h * (n_in + 1) + h * (h + 1) + D * (h + 1) - numbers) for h in range(300)]))


def _trained(network: eqx.Module, loss: Callable, key: jax.Array, rate: float, steps: int = 4000) -> eqx.Module:
    """`network` after Adam with a cosine schedule on loss(network, key)."""
    parameters, static = eqx.partition(network, eqx.is_array)
    optimiser = optax.adam(optax.cosine_decay_schedule(rate, steps))

    def step(state: tuple, key: jax.Array) -> tuple:
        parameters, memory = state
        gradient = jax.grad(lambda p: loss(eqx.combine(p, static), key))(parameters)
        update, memory = optimiser.update(gradient, memory)
        return (optax.apply_updates(parameters, update), memory), None

    (parameters, _), _ = jax.lax.scan(step, (parameters, optimiser.init(parameters)), jax.random.split(key, steps))
    return eqx.combine(parameters, static)


def _numbers(network: eqx.Module) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(network, eqx.is_array)))


def _pushed(keys: jax.Array, X: jax.Array) -> tuple[jax.Array, int]:
    """Samples network(z), z ~ N(0, I) in four dimensions, trained to be at energy distance 0 from the training set."""
    n, N = 4, X.shape[2]
    batch, width = min(N, 128), _width(n, D * N)
    start = lambda key: eqx.nn.MLP(n, D, width, 2, key=key)
    apart = lambda A, B: jnp.sqrt(((A[:, :, None] - B[:, None]) ** 2).sum(axis=0) + 1e-8)

    def one(key: jax.Array, X: jax.Array) -> jax.Array:
        keys = jax.random.split(key, 3)

        def loss(network: eqx.Module, key: jax.Array) -> jax.Array:
            codes, pick = jax.random.split(key)
            made = jax.vmap(network, 1, 1)(jax.random.normal(codes, (n, batch)))
            chosen = X[:, jax.random.choice(pick, N, (batch,), replace=False)]
            return 2 * apart(made, chosen).mean() - apart(made, made).sum() / (batch * (batch - 1))

        network = _trained(start(keys[0]), loss, keys[1], 3e-3)
        return jax.vmap(network, 1, 1)(jax.random.normal(keys[2], (n, MADE)))

    return jax.jit(jax.vmap(one))(keys, X), _numbers(start(keys[0]))


def _diffused(keys: jax.Array, X: jax.Array, larger: int = 1) -> tuple[jax.Array, int]:
    """50 steps of DDIM (VE, from 10 to 0.02, then to 0) with a trained denoiser

        x_bar = x_t / (1 + t^2) + t / sqrt(1 + t^2) network(x_t / sqrt(1 + t^2), log t / 4),

    whose network has to predict a target of unit size at every t (Karras et al. 2022)."""
    N = X.shape[2]
    width = _width(D + 1, larger * D * N)
    start = lambda key: eqx.nn.MLP(D + 1, D, width, 2, jax.nn.silu, key=key)
    times = np.append(np.geomspace(10, 0.02, 50), 0)

    def denoise(network: eqx.Module, X_t: jax.Array, t: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        size = jnp.sqrt(1 + t**2) * jnp.ones(X_t.shape[1])
        told = jnp.concatenate([X_t / size, (jnp.log(t) / 4 * jnp.ones(X_t.shape[1]))[None]])
        return jax.vmap(network, 1, 1)(told), X_t / size**2, t / size

    def one(key: jax.Array, X: jax.Array) -> jax.Array:
        keys = jax.random.split(key, 3)

        def loss(network: eqx.Module, key: jax.Array) -> jax.Array:
            pick, noise, time = jax.random.split(key, 3)
            x = X[:, jax.random.randint(pick, (256,), 0, N)]
            t = jnp.exp(jax.random.uniform(time, (256,), minval=jnp.log(0.02), maxval=jnp.log(10.0)))
            out, kept, scale = denoise(network, x + t * jax.random.normal(noise, x.shape), t)
            return ((out - (x - kept) / scale) ** 2).sum(axis=0).mean()

        network = _trained(start(keys[0]), loss, keys[1], 3e-3)

        def denoiser(X_t: jax.Array, alpha: jax.Array, sigma: jax.Array) -> jax.Array:
            out, kept, scale = denoise(network, X_t, sigma)
            return kept + scale * out

        return diffusion.ddim(denoiser, 10 * jax.random.normal(keys[2], (D, MADE)), times, diffusion.VE)

    return jax.jit(jax.vmap(one))(keys, X), _numbers(start(keys[0]))
