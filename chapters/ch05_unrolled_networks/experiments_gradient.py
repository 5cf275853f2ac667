"""Features on lines and on the sphere, climbing the rate reduction: what Part 1's first half shows."""

from collections.abc import Callable

import numpy as np


def two_lines(angle: float, N: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """2 N features of length about 1 beside two lines at so many degrees, and their membership (2, 2 N)."""
    rng = np.random.default_rng(0)
    turns = np.radians([45 - angle / 2, 45 + angle / 2]).repeat(N) + rng.normal(0, 0.06, 2 * N)
    signs = np.tile([1, -1], N)
    return signs * np.array([np.cos(turns), np.sin(turns)]), np.eye(2).repeat(N, axis=1)


def three_clouds(N: int = 40, spread: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    """3 N features on the sphere of R^3 around three directions, and their membership (3, 3 N)."""
    rng = np.random.default_rng(1)
    centres = np.array([[1.0, 0.0, 0.2], [0.7, 0.7, 0.0], [0.3, 0.5, 0.9]]).T.repeat(N, axis=1)
    Z = centres + spread * rng.normal(size=(3, 3 * N))
    return Z / np.linalg.norm(Z, axis=0), np.eye(3).repeat(N, axis=1)


def ascent(expand_compress: Callable, sphere_step: Callable, T: int, eta: float = 0.5, eps: float = 0.1**0.5) -> tuple[np.ndarray, np.ndarray]:
    """T steps from three clouds: rate reductions (T + 1,), and the angles between leading directions, in degrees, (T + 1, 3)."""
    Z, shares = three_clouds()
    gains, angles = [], []
    for t in range(T + 1):
        gains.append(_reduction(Z, shares, eps))
        leading = np.stack([np.linalg.svd(Z[:, mine > 0])[0][:, 0] for mine in shares])
        angles.append(np.degrees(np.arccos(np.abs((leading @ leading.T)[np.triu_indices(3, 1)]).clip(0, 1))))
        if t < T:
            Z = np.asarray(sphere_step(Z, expand_compress(Z, shares, eps)[2], eta), dtype=float)
    return np.array(gains), np.array(angles)


def _reduction(Z: np.ndarray, shares: np.ndarray, eps: float) -> float:
    d, N = Z.shape
    rate = lambda Z, n: np.linalg.slogdet(np.eye(d) + d / (n * eps**2) * Z @ Z.T)[1] / 2
    return rate(Z, N) - sum(mine.sum() / N * rate(Z[:, mine > 0], mine.sum()) for mine in shares)
