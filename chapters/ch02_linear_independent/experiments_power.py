"""Measurements behind the Doubt of Part 2 that are too long for a cell."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from book_utils import subspace

TRAIN = 1297  # of the 1,797 digits; the other 500 are for testing


def power_steps(v: np.ndarray, eigenvalues: np.ndarray, goal: float = 1e-3) -> int:
    """The fewest steps of power iteration from v (D,) with M = diag(eigenvalues) that bring the tangent to `goal`.

    By bisection on the formula of `power_tangent`, in float64 (compiled anew for every T it would take most of the time).
    """
    def tangent(T: int) -> float:
        return np.linalg.norm((eigenvalues[1:] / eigenvalues[0]) ** T * v[1:]) / abs(v[0])

    low, high = 0, 1
    while tangent(high) > goal:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if tangent(middle) > goal else (low, middle)
    return high


def lanczos_steps(v: np.ndarray, eigenvalues: np.ndarray, goal: float = 1e-3) -> int:
    """Products with M = diag(eigenvalues) that the Lanczos method needs from v (D,) to bring the tangent to `goal`.

    After t products it takes the best vector of the span of v, Mv, ..., M^t v. Float64, with full re-orthogonalisation,
    whose cost is not counted. Source: C. Lanczos, J. Res. Nat. Bur. Standards 45 (1950).
    """
    Q = [v / np.linalg.norm(v)]
    while True:
        basis = np.array(Q).T
        ritz = basis @ np.linalg.eigh(basis.T @ (eigenvalues[:, None] * basis))[1][:, -1]
        if np.linalg.norm(ritz[1:]) <= goal * abs(ritz[0]):
            return len(Q) - 1
        w = eigenvalues * Q[-1]
        for _ in range(2):  # once is not enough in floating point
            w = w - basis @ (basis.T @ w)
        Q.append(w / np.linalg.norm(w))


def completion(r: int, factors: list[float], D: int = 30, trials: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Random D x D matrices of rank r, seen at factor * r (2 D - r) entries, completed by 100 sweeps of `subspace.als_complete`.

    Returns, for each factor, the fraction completed to a relative error of 0.01, and the fraction of masks with at least r
    entries in every row and column.
    """
    rng = np.random.default_rng(r)
    shape = (len(factors), trials)
    X = rng.normal(size=(*shape, D, r)) @ rng.normal(size=(*shape, r, D))
    rank = rng.random(size=(*shape, D * D)).argsort(axis=-1).argsort(axis=-1)
    mask = (rank < np.array(factors)[:, None, None] * r * (2 * D - r)).reshape(X.shape)
    complete = jax.vmap(jax.vmap(lambda Y, mask: subspace.als_complete(Y, mask, r, 100)))
    estimate = np.asarray(complete(jnp.asarray(X, jnp.float32), jnp.asarray(mask)))
    error = np.linalg.norm(estimate - X, axis=(2, 3)) / np.linalg.norm(X, axis=(2, 3))
    possible = np.minimum(mask.sum(axis=2).min(axis=-1), mask.sum(axis=3).min(axis=-1)) >= r
    return (error < 0.01).mean(axis=1), possible.mean(axis=1)


def split_digits(X: np.ndarray, sigmas: list[float], seeds: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Shuffled copies of the images X (D, N), one a seed, and noisy versions of them: (seeds, D, N) and (seeds, levels, D, N).

    The first TRAIN columns are for training, the others for testing.
    """
    rng = np.random.default_rng(0)
    clean = np.stack([X[:, rng.permutation(X.shape[1])] for _ in range(seeds)])
    noise = rng.normal(size=clean.shape)
    return clean, clean[:, None] + np.asarray(sigmas)[:, None, None] * noise[:, None]


def linear_errors(wiener: Callable, clean: np.ndarray, noisy: np.ndarray, sigmas: list[float]) -> np.ndarray:
    """Squared errors per test image, (seeds, levels, 6).

    Of doing nothing; answering the mean; the best projection; probabilistic PCA with 32 and with 4 components, fitted to noisy
    images; the Wiener filter with mean, 32 components and variances of the clean images and the true sigma.
    """
    return np.array([[_linear(wiener, c, n, s) for n, s in zip(levels, sigmas)] for c, levels in zip(clean, noisy)])


def _linear(wiener: Callable, clean: np.ndarray, noisy: np.ndarray, sigma: float) -> list[float]:
    target, Y = clean[:, TRAIN:], noisy[:, TRAIN:]
    mean, eigenvalues, W = _moments(noisy[:, :TRAIN])
    clean_mean, S, U = _moments(clean[:, :TRAIN])
    kept = ((W.T @ (Y - target)) ** 2).mean(axis=1)  # in coordinates: what a direction costs when it is kept,
    lost = ((W.T @ (mean - target)) ** 2).mean(axis=1)  # and when it is dropped
    estimates = [Y]
    for d in (32, 4):  # the maximum-likelihood fit, as in `subspace.ppca`
        variance = eigenvalues[d:].mean()
        G = wiener(W[:, :d], np.eye(len(W)), eigenvalues[:d] - variance, np.sqrt(variance))  # as a matrix (D, D)
        estimates.append(mean + G @ (Y - mean))
    estimates.append(clean_mean + wiener(U[:, :32], np.eye(len(W)), S[:32], sigma) @ (Y - clean_mean))
    nothing, *others = [((np.asarray(estimate) - target) ** 2).sum(axis=0).mean() for estimate in estimates]
    return [nothing, lost.sum(), min(kept[:d].sum() + lost[d:].sum() for d in range(len(W) + 1)), *others]


def _moments(X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean (D, 1), eigenvalues (D,) of the covariance, descending, and eigenvectors (D, D)."""
    eigenvalues, W = np.linalg.eigh(np.cov(X, bias=True))
    return X.mean(axis=1, keepdims=True), eigenvalues[::-1], W[:, ::-1]
