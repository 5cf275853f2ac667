"""Measurements of the first Doubt: how principal components fare outside the theorem. Plain NumPy, float64, pure functions."""

from collections.abc import Callable

import numpy as np


def leading(X: np.ndarray, d: int) -> np.ndarray:
    """The d leading left singular vectors of X (D, N): an orthonormal basis (D, d)."""
    return np.linalg.eigh(X @ X.T)[1][:, ::-1][:, :d]


def sine(U: np.ndarray, V: np.ndarray) -> float:
    """Sine of the largest angle between the subspaces with orthonormal bases U and V, both (D, d)."""
    return np.linalg.norm(V - U @ (U.T @ V), 2)


def spread(measure: Callable, values: np.ndarray, seeds: int = 10, **fixed: object) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over the seeds of measure(value, rng, **fixed): two arrays, one entry (or row) per value."""
    runs = np.array([[measure(value, np.random.default_rng(seed), **fixed) for seed in range(seeds)] for value in values])
    return runs.mean(axis=1), runs.std(axis=1)


def angle_made(N: int, rng: np.random.Generator, sigma: float, D: int, d: int) -> float:
    """Sine of the angle between a random subspace (D, d) and the one found from N samples; unit codes, noise sigma."""
    U = np.linalg.qr(rng.normal(size=(D, d)))[0]
    return sine(U, leading(U @ rng.normal(size=(d, N)) + sigma * rng.normal(size=(D, N)), d))


def angle_drawn(N: int, rng: np.random.Generator, X: np.ndarray, U: np.ndarray) -> float:
    """Sine of the angle between U (D, d), the leading subspace of X, and that of N columns of X drawn with replacement."""
    return sine(U, leading(X[:, rng.choice(X.shape[1], N)], U.shape[1]))


def overlap(strength: float, rng: np.random.Generator, D: int, N: int) -> float:
    """Squared cosine between one direction and the first component: unit noise, codes of variance strength * sqrt(D / N)."""
    u = np.linalg.qr(rng.normal(size=(D, 1)))[0]
    codes = np.sqrt(strength * np.sqrt(D / N)) * rng.normal(size=(1, N))
    return 1 - sine(u, leading(u @ codes + rng.normal(size=(D, N)), 1)) ** 2


def after_outlier(c: float, rng: np.random.Generator, X: np.ndarray, U: np.ndarray, clip: bool) -> np.ndarray:
    """What one outlier does to the leading subspace U (D, d) of X (D, N): the sine of the angle, and the energy of X in the one
    then found, relative to that in U; an array (2,).

    The first column becomes noise, c times as long as the median one. With `clip`, all are then cut to at most the median length.
    """
    median, outlier, spoilt = np.median(np.linalg.norm(X, axis=0)), rng.normal(size=len(X)), X.copy()
    spoilt[:, 0] = c * median * outlier / np.linalg.norm(outlier)
    if clip:
        spoilt *= np.minimum(1, median / np.linalg.norm(spoilt, axis=0))
    found = leading(spoilt, U.shape[1])
    return np.array([sine(U, found), ((found.T @ X) ** 2).sum() / ((U.T @ X) ** 2).sum()])


def residuals(X: np.ndarray, d: int, share: float) -> tuple[float, np.ndarray, int]:
    """For X (D, N), centred here: the share of energy in d components, every column's residual relative to its length (N,), and
    how many components hold the given share."""
    X = X - X.mean(axis=1, keepdims=True)
    energy = np.cumsum(np.linalg.eigvalsh(X @ X.T)[::-1]) / (X**2).sum()
    U = leading(X, d)
    residual = np.linalg.norm(X - U @ (U.T @ X), axis=0) / np.linalg.norm(X, axis=0)
    return energy[d - 1], residual, int((energy < share).sum()) + 1


def denoising_error(d: int, rng: np.random.Generator, X: np.ndarray, sigma: float) -> float:
    """Mean squared error of X (D, N) plus noise sigma after projection on the d components of the noisy data."""
    Y = X + sigma * rng.normal(size=X.shape)
    U = leading(Y, d)
    return ((X - U @ (U.T @ Y)) ** 2).sum() / X.shape[1]
