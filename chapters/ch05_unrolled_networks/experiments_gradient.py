"""Features on lines and on the sphere, climbing the rate reduction: what Part 1's first half shows."""

from collections.abc import Callable

import numpy as np


def two_lines(angle: float, N: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """2 N features of length about 1 beside two lines at so many degrees, and their membership (2, 2 N)."""
    rng = np.random.default_rng(0)
    turns = np.radians([45 - angle / 2, 45 + angle / 2]).repeat(N) + rng.normal(0, 0.12, 2 * N)
    signs = np.tile([1, -1], N)
    return signs * np.array([np.cos(turns), np.sin(turns)]), np.eye(2).repeat(N, axis=1)


def three_clouds(N: int = 40, spread: float = 0.25, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """3 N features on the sphere of R^3 around three directions, and their membership (3, 3 N)."""
    rng = np.random.default_rng(seed)
    centres = np.array([[1.0, 0.0, 0.2], [0.7, 0.7, 0.0], [0.3, 0.5, 0.9]]).T.repeat(N, axis=1)
    Z = centres + spread * rng.normal(size=(3, 3 * N))
    return Z / np.linalg.norm(Z, axis=0), np.eye(3).repeat(N, axis=1)


def ascent(expand_compress: Callable, sphere_step: Callable, increment: Callable, T: int, eta: float = 0.5,
           eps: float = 0.1**0.5) -> tuple[np.ndarray, np.ndarray]:
    """T steps of projected ascent from three clouds, and as many fresh points moved by the same operators with their true labels.

    Rate reductions of the training and of the fresh points, (2, T + 1), and angles between the leading directions of the training
    classes, in degrees, (T + 1, 3).
    """
    (Z, shares), (Z_new, _) = three_clouds(), three_clouds(seed=2)
    gains, angles = np.full((2, T + 1), np.nan), np.full((T + 1, 3), np.nan)
    for t in range(T + 1):
        if not (np.isfinite(Z).all() and np.isfinite(Z_new).all()):
            break
        gains[:, t] = _reduction(Z, shares, eps), _reduction(Z_new, shares, eps)
        leading = np.stack([np.linalg.svd(Z[:, mine > 0])[0][:, 0] for mine in shares])
        angles[t] = np.degrees(np.arccos(np.abs((leading @ leading.T)[np.triu_indices(3, 1)]).clip(0, 1)))
        E, C, H = expand_compress(Z, shares, eps)
        Z_new = np.asarray(sphere_step(Z_new, increment(Z_new, shares, E, C, shares.mean(axis=1)), eta), dtype=float)
        Z = np.asarray(sphere_step(Z, H, eta), dtype=float)
    return gains, angles


def random_gaps(epsilons: list[float], Ns: list[int], d: int, r: int, draws: int = 20) -> np.ndarray:
    """Spectral distance of E / alpha from the projection onto the complement, for N random unit vectors of an r-dimensional span.

    Means over the draws, (len(epsilons), len(Ns)). The span is that of the first r coordinates of R^d.
    """
    rng, gaps = np.random.default_rng(0), np.empty((len(epsilons), len(Ns)))
    complement = np.diag(np.arange(d) >= r).astype(float)
    for j, N in enumerate(Ns):
        Z = np.zeros((draws, d, N))
        Z[:, :r] = rng.normal(size=(draws, r, N))
        S = np.einsum("sin,sjn->sij", *[Z / np.linalg.norm(Z, axis=1, keepdims=True)] * 2)
        for i, eps in enumerate(epsilons):
            E = np.linalg.inv(np.eye(d) + d / (N * eps**2) * S)  # divided by alpha
            gaps[i, j] = np.linalg.norm(E - complement, 2, axis=(1, 2)).mean()
    return gaps


def _reduction(Z: np.ndarray, shares: np.ndarray, eps: float) -> float:
    d, N = Z.shape
    rate = lambda Z, n: np.linalg.slogdet(np.eye(d) + d / (n * eps**2) * Z @ Z.T)[1] / 2
    return rate(Z, N) - sum(mine.sum() / N * rate(Z[:, mine > 0], mine.sum()) for mine in shares)
