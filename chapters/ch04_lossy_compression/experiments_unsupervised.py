"""Digits and a small network without labels: views of a digit, four objectives, what is measured of features; free features.

Zs (N, d, m) are the features of m views of each of N samples, Zs[k] those of sample k. Networks of several seeds are trained side
by side: they are stacked along a leading axis, and as they share nothing, the sum of their losses trains each on its own.
"""

import functools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from book_utils import coding, data, partitions, training
from book_utils.subspace_classifier import effective_rank
from chapters.ch04_lossy_compression.experiments_clustering import kmeans
from chapters.ch04_lossy_compression.experiments_supervised import unit

EPS = float(np.sqrt(0.5))  # the distortion of all experiments
OPTIMISER = optax.adam(2e-3)
GROUPS, VIEWS, FEATURES, WIDTH, TEMPERATURE = 64, 4, 32, 128, 0.2
GAMMA = 1.0  # of SimDINO unless said otherwise; not the best of those in the Doubt of Part 4


def split_digits() -> list[tuple[np.ndarray, np.ndarray]]:
    """Digits, shuffled: (X, labels) of 1,200 to train with and of 597 to test with."""
    X, labels = (np.asarray(part) for part in data.digits())
    order = np.random.default_rng(0).permutation(len(labels))
    return [(X[:, part], labels[part]) for part in np.split(order, [1200])]


def views(key: jax.Array, X: jax.Array, m: int) -> jax.Array:
    """m views of each image of X (64, N), as (N, 64, m): turned by up to 15 degrees, shifted by up to a pixel, made up to 15 %
    larger or smaller and up to 30 % brighter or darker, with noise of standard deviation 0.1. Pixels between pixels are
    interpolated; outside is black."""
    N = X.shape[1]
    images = jnp.repeat(X.T.reshape(N, 8, 8), m, axis=0)
    at, noise = jax.random.split(key)
    angle, down, across, scale, light = jax.random.uniform(at, (5, N * m, 1), minval=-1.0)
    angle, scale = 0.26 * angle, 1 + 0.15 * scale
    y, x = jnp.meshgrid(jnp.arange(8) - 3.5, jnp.arange(8) - 3.5, indexing="ij")
    y, x = y.ravel(), x.ravel()
    rows = scale * (jnp.cos(angle) * y - jnp.sin(angle) * x) + 3.5 + down
    columns = scale * (jnp.sin(angle) * y + jnp.cos(angle) * x) + 3.5 + across
    near = lambda place: jax.nn.relu(1 - jnp.abs(place[:, :, None] - jnp.arange(8)))  # weights of the two nearest rows
    seen = jnp.einsum("npi,npj,nij->np", near(rows), near(columns), images)
    seen = (1 + 0.3 * light) * seen + 0.1 * jax.random.normal(noise, seen.shape)
    return seen.reshape(N, m, 64).swapaxes(1, 2)


def together(Zs: jax.Array) -> jax.Array:
    """All views side by side, (d, N m)."""
    return Zs.swapaxes(0, 1).reshape(Zs.shape[1], -1)


def rates(Zs: jax.Array, eps: float = EPS) -> tuple[jax.Array, jax.Array, jax.Array]:
    """R of all views, the mean rate R_c of the groups, and the rescaled rate of CTRL."""
    N, d, m = Zs.shape
    beta = d / (m * eps**2)
    L = jnp.linalg.cholesky(jnp.eye(m) + beta * Zs.swapaxes(1, 2) @ Zs)
    groups = jnp.log(jnp.diagonal(L, axis1=1, axis2=2)).sum() / N
    return coding.coding_rate(together(Zs), eps), groups, coding.logdet_gram(together(Zs), beta) / (2 * N)


def similarity(Zs: jax.Array) -> jax.Array:
    """Mean over the samples of the sum of the cosines of different views."""
    return ((Zs.sum(axis=2) ** 2).sum() - (Zs**2).sum()) / len(Zs)


def contrast(Zs: jax.Array) -> jax.Array:
    """Minus the contrastive loss: for each pair of views, its score against its own and those of all other samples' views."""
    N, d, m = Zs.shape
    scores = (together(Zs).T @ together(Zs)).reshape(N, m, N, m) / TEMPERATURE
    same = jnp.eye(N, dtype=bool)[:, None, :, None]
    others = jax.nn.logsumexp(jnp.where(same, -jnp.inf, scores), axis=(2, 3))  # (N, m)
    own = jnp.einsum("kimj,km->kij", scores, jnp.eye(N))
    return ((own - jnp.logaddexp(own, others[:, :, None])) * (1 - jnp.eye(m))).sum() / (N * m * (m - 1))


def simdino(Zs: jax.Array, gamma: float) -> jax.Array:
    return coding.coding_rate(together(Zs), EPS) + gamma * similarity(Zs)


OBJECTIVES: dict[str, Callable] = {  # all are maximised, and take (Zs, gamma)
    "MCR2": lambda Zs, gamma: rates(Zs)[0] - rates(Zs)[1],
    "CTRL": lambda Zs, gamma: rates(Zs)[2] - rates(Zs)[1],
    "SimDINO": simdino,
    "contrastive": lambda Zs, gamma: contrast(Zs),
    "cosines alone": lambda Zs, gamma: similarity(Zs),
    "rate alone": lambda Zs, gamma: coding.coding_rate(together(Zs), EPS),
}


def networks(seeds: int, copies: int = 1) -> eqx.Module:
    """Perceptrons 64 -> 128 -> 128 -> 32, one a seed, stacked; all of them `copies` times."""
    make = lambda key: eqx.nn.MLP(64, FEATURES, WIDTH, 2, jax.nn.relu, key=key)
    return eqx.filter_vmap(make)(jnp.tile(jax.random.split(jax.random.key(0), seeds), copies))


def feature_views(network: eqx.Module, Xs: jax.Array) -> jax.Array:
    """Unit features (N, d, m) of views (N, 64, m), by one network."""
    N, D, m = Xs.shape
    F = jax.vmap(network)(Xs.swapaxes(1, 2).reshape(N * m, D))
    return unit(F.reshape(N, m, -1).swapaxes(1, 2))


@functools.cache
def _loss(name: str, groups: int, m: int, gammas: tuple[float, ...], seeds: int) -> Callable:
    """The sum over the stacked networks of minus their objective, each on a batch of its own."""
    X, weights = jnp.asarray(split_digits()[0][0]), jnp.repeat(jnp.array(gammas), seeds)

    def one(network: eqx.Module, gamma: jax.Array, key: jax.Array) -> jax.Array:
        draw, look = jax.random.split(key)
        chosen = jax.random.randint(draw, (groups,), 0, X.shape[1])
        return -OBJECTIVES[name](feature_views(network, views(look, X[:, chosen], m)), gamma)

    def loss(stack: eqx.Module, key: jax.Array) -> jax.Array:
        keys = jnp.tile(jax.random.split(key, seeds), len(gammas))
        return eqx.filter_vmap(one)(stack, weights, keys).sum()

    return loss


def trained(name: str, seeds: int, steps: int, groups: int = GROUPS, m: int = VIEWS,
            gammas: tuple[float, ...] = (GAMMA,)) -> eqx.Module:
    """Stacked networks, for each gamma and each seed, after so many steps of Adam.

    Batches are `groups` digits with m views each. The same walk, whatever the number of steps."""
    start = networks(seeds, len(gammas))
    if steps == 0:
        return start
    return training.train(_loss(name, groups, m, gammas, seeds), start, jax.random.key(1), steps, OPTIMISER, chunk=125)[0]


@eqx.filter_jit
def features(stack: eqx.Module, X: jax.Array) -> jax.Array:
    """Unit features of the images X (64, N), by every network of the stack: (seeds, d, N)."""
    return unit(eqx.filter_vmap(lambda network: jax.vmap(network, 1, 1)(X))(stack))


@eqx.filter_jit
def measured_rates(stack: eqx.Module, X: jax.Array) -> jax.Array:
    """R, R_c and the rescaled rate (seeds, 3) of the images X with VIEWS views each."""
    Xs = views(jax.random.key(2), X, VIEWS)
    return eqx.filter_vmap(lambda network: jnp.stack(rates(feature_views(network, Xs))))(stack)


def nearest_neighbours(Z: np.ndarray, labels: np.ndarray, Z_new: np.ndarray, k: int = 5) -> np.ndarray:
    """The class that most of the k columns of Z nearest to each column of Z_new have; of equals, the first."""
    squares = (Z**2).sum(axis=0)[:, None] - 2 * Z.T @ Z_new
    near = labels[np.argpartition(squares, k, axis=0)[:k]]
    return np.array([np.bincount(column).argmax() for column in near.T])


def linear_probe(Z: np.ndarray, labels: np.ndarray, Z_new: np.ndarray) -> np.ndarray:
    """Classes by least squares on one-hot labels, with a constant and a little ridge."""
    with_one = lambda A: np.vstack([A, np.ones(A.shape[1])])
    A = with_one(Z)
    W = np.linalg.solve(A @ A.T + 1e-2 * np.eye(len(A)), A @ np.eye(labels.max() + 1)[labels])
    return (W.T @ with_one(Z_new)).argmax(axis=0)


def scores(Z: np.ndarray, Z_new: np.ndarray) -> list[float]:
    """5 nearest neighbours and a linear probe on test digits; ACC, NMI, ARI of k-means and effective rank on training ones."""
    (_, labels), (_, test) = split_digits()
    found = kmeans(Z, 10, restarts=10)
    return [float((f(Z, labels, Z_new) == test).mean()) for f in (nearest_neighbours, linear_probe)] + [
        partitions.accuracy(labels, found), partitions.normalized_mutual_information(labels, found),
        partitions.adjusted_rand_index(labels, found), float(effective_rank(Z))]


def scores_of(stack: eqx.Module) -> list[list[float]]:
    """`scores` of every network of a stack."""
    pairs = zip(*[np.asarray(features(stack, jnp.asarray(X)), np.float64) for X, _ in split_digits()])
    return [scores(*pair) for pair in pairs]


def ascent(objective: str, Zs: np.ndarray, steps: list[int], eps: float, rate: float = 0.05, gamma: float = 0.1) -> np.ndarray:
    """Features without a network that climb "MCR2", "CTRL", "SimDINO" or "no rate", with unit columns: (len(steps), N, d, m).

    The gradients are those of Part 2 and of 4.6 to 4.8, made tangent to the sphere; a step is `rate` N times as long."""
    N, d, m = Zs.shape
    beta, seen = d / (m * eps**2), []
    for step in range(steps[-1] + 1):
        if step in steps:
            seen.append(Zs)
        S = np.einsum("kdi,kei->de", Zs, Zs)
        expand = lambda a: np.einsum("de,kei->kdi", np.linalg.inv(np.eye(d) + a * S), a * Zs)
        compress = beta / N * np.linalg.solve(np.eye(d) + beta * Zs @ Zs.swapaxes(1, 2), Zs)
        attract = 2 * gamma / N * (Zs.sum(axis=2, keepdims=True) - Zs)
        slope = {"MCR2": expand(beta / N) - compress, "CTRL": expand(beta) / N - compress,
                 "SimDINO": expand(beta / N) + attract, "no rate": attract}[objective]
        slope = slope - Zs * (Zs * slope).sum(axis=1, keepdims=True)
        Zs = Zs + rate * N * slope
        Zs = Zs / np.linalg.norm(Zs, axis=1, keepdims=True)
    return np.array(seen)


def clustered_views(N: int, d: int, m: int) -> np.ndarray:
    """Unit features (N, d, m) that begin badly: views of a sample are near each other, and all features near one direction."""
    rng = np.random.default_rng(0)
    Zs = rng.normal(size=(N, d, 1)) + 0.6 * rng.normal(size=(N, d, m))
    Zs[:, 0] += 4
    return Zs / np.linalg.norm(Zs, axis=1, keepdims=True)


def two_rates(Zs: np.ndarray, eps: float) -> tuple[float, float]:
    """R of all views and the mean rate of the groups, in float64."""
    N, d, m = Zs.shape
    rate = lambda G, n: np.linalg.slogdet(np.eye(G.shape[-1]) + d / (n * eps**2) * G)[1] / 2
    return float(rate(np.einsum("kdi,kei->de", Zs, Zs), N * m)), float(rate(Zs.swapaxes(1, 2) @ Zs, m).mean())


def best_rates(N: int, d: int, eps: float) -> tuple[float, float, float, float]:
    """For N >= d samples: the largest R, the least rate of groups, the largest rate reduction and the largest rescaled one."""
    whole, groups = d / 2 * np.log(1 + 1 / eps**2), np.log(1 + d / eps**2) / 2
    return whole, groups, whole - groups, d / (2 * N) * np.log(1 + N / eps**2) - groups


def leaving(N: int, d: int, m: int, within: float) -> Callable[[float], np.ndarray]:
    """Zs(t), unit features at z + t u before they are scaled to length 1: z one vector, u random across it with mean 0 and mean
    square 1, of which the share `within` lies between the views of a sample."""
    rng = np.random.default_rng(0)
    between, views = rng.normal(size=(N, d - 1, 1)), rng.normal(size=(N, d - 1, m))
    between, views = between - between.mean(axis=0), views - views.mean(axis=2, keepdims=True)
    size = lambda A: np.sqrt((A**2).sum(axis=1).mean())
    U = np.sqrt(1 - within) * between / size(between) + np.sqrt(within) * views / size(views)

    def at(t: float) -> np.ndarray:
        Zs = np.concatenate([np.ones((N, 1, m)), t * U], axis=1)
        return Zs / np.linalg.norm(Zs, axis=1, keepdims=True)

    return at
