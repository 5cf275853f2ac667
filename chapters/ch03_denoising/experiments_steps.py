"""What the first half of Part 3 draws: laws on the line, followed through denoising steps in NumPy (float64)."""

from collections.abc import Callable

import numpy as np


class Line:
    """A mixture on the line: weights pi (K,), means mus (K,), one standard deviation sigma."""

    def __init__(self, pi: list[float], mus: list[float], sigma: float) -> None:
        self.pi, self.mus, self.sigma = np.array(pi), np.array(mus), sigma

    def density(self, x: np.ndarray, t: float = 0.0) -> np.ndarray:
        """The density of x + t g at the points x (n,)."""
        v = self.sigma**2 + t**2
        return np.exp(-((x - self.mus[:, None]) ** 2) / (2 * v)).T @ self.pi / np.sqrt(2 * np.pi * v)

    def posterior(self, x_t: np.ndarray, t: float) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance (n,) of x given the points x_t (n,)."""
        v, R = self.sigma**2 + t**2, x_t - self.mus[:, None]
        w = _softmax(np.log(self.pi)[:, None] - R**2 / (2 * v))
        means = self.mus[:, None] + self.sigma**2 / v * R
        mean = (w * means).sum(axis=0)
        return mean, self.sigma**2 * t**2 / v + (w * (means - mean) ** 2).sum(axis=0)

    def quantiles(self, M: int, t: float = 0.0) -> np.ndarray:
        """M equally likely values (M,) of x + t g, ascending."""
        reach = np.abs(self.mus).max() + 8 * np.hypot(self.sigma, t)
        x = np.linspace(-reach, reach, 20_001)
        mass = np.cumsum(self.density(x, t))
        return np.interp((np.arange(M) + 0.5) / M * mass[-1], mass, x)


def entropies(line: Line, times: np.ndarray, start: Callable[[np.ndarray], np.ndarray] | None = None) -> np.ndarray:
    """The entropy (L + 1,) of the iterates of the denoising steps along the descending times (L + 1,).

    start: the density of the first iterate, by default that of x_T. Each step is an increasing map, which adds the mean
    logarithm of its slope: a sum over 20,001 points that are carried along.
    """
    reach = np.abs(line.mus).max() + 8 * np.hypot(line.sigma, times[0])
    x = np.linspace(-reach, reach, 20_001)
    p = start(x) if start else line.density(x, times[0])
    p = p / p.sum()
    found = [-(p * np.log(np.maximum(p, 1e-300) / (x[1] - x[0]))).sum()]
    for t, s in zip(times, times[1:]):
        mean, variance = line.posterior(x, t)
        found.append(found[-1] + (p * np.log(s / t + (1 - s / t) * variance / t**2)).sum())
        x = s / t * x + (1 - s / t) * mean
    return np.array(found)


def _softmax(logs: np.ndarray) -> np.ndarray:
    w = np.exp(logs - logs.max(axis=0))
    return w / w.sum(axis=0)
