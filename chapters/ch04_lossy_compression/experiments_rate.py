"""What the figures of Part 1's first half are drawn from: points on a line, words to code them with, two Gaussians in cells."""

import math

import numpy as np


def eight_points(squeeze: float) -> np.ndarray:
    """Eight points (1, 8) in two groups of four: evenly from 0 to 1 for squeeze 1, each group pulled to its middle for less."""
    group = squeeze * np.linspace(-3, 3, 4) / 14
    return np.concatenate([3 / 14 + group, 11 / 14 + group])[None]


def words_for(X: np.ndarray, grid: int = 29) -> np.ndarray:
    """Words (1, M) for points (1, N) on a line: the mean of every run of neighbours or of one point, and a grid."""
    x, N = np.sort(X[0]), X.shape[1]
    middles = [x[i:j].mean() for i in range(N) for j in range(i + 1, N + 1)]
    return np.concatenate([middles, np.linspace(0, 1, grid)])[None]


def two_gaussians(rho: float, side: float, size: int) -> np.ndarray:
    """Probabilities (size, size) of the cells of that side, for x ~ N(0, 1) and y with correlation rho, cut off at 4. Rows are x.

    x by cells exactly, y given x by cells from the middle of x's cell; cells that are not needed have probability 0.
    """
    edges = np.linspace(-4, 4, round(8 / side) + 1)
    middles, normal = (edges[1:] + edges[:-1]) / 2, np.vectorize(lambda z: math.erf(z / math.sqrt(2)) / 2)
    rows = np.diff(normal(edges))
    given = np.diff(normal((edges - rho * middles[:, None]) / math.sqrt(1 - rho**2)), axis=1)
    P = np.zeros((size, size))
    P[: len(rows), : len(rows)] = rows[:, None] * given
    return P / P.sum()
