"""Measurements behind the Doubt of Part 3: sampling errors that are known exactly, without a single random number."""

import math
from statistics import NormalDist

import numpy as np

from book_utils.diffusion import FLOW, VE, VP, Process, equal_angle_times, exponential_times, uniform_times

T_VE = 20.0  # where VE starts
GRIDS = {  # name: the process, and its times for L steps
    "VE, uniform": (VE, lambda L: uniform_times(T_VE, L)),
    "VE, exponential": (VE, lambda L: exponential_times(T_VE, 6 / L, L)),
    "VP, uniform": (VP, lambda L: uniform_times(1, L)),
    "VP, equal angles": (VP, lambda L: equal_angle_times(1, 1, L, VP)),
    "FLOW, uniform": (FLOW, lambda L: uniform_times(1, L)),
}


def factors(process: Process, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """alpha and sigma at the times (L + 1,), in float64."""
    return np.asarray(process.alpha(times), dtype=float), np.asarray(process.sigma(times), dtype=float)


def share_kept(process: Process, times: np.ndarray, lam: float = 1.0, eta: float = 0.0) -> float:
    """Standard deviation that DDIM makes of N(0, lam), over the right one, from a start of the right law.

    eta: the denoiser answers 1 + eta times the best answer."""
    a, s = factors(process, times)
    ratio = s[1:] / s[:-1]
    best = a[:-1] * lam / (a[:-1] ** 2 * lam + s[:-1] ** 2)
    gain = np.prod(ratio + (a[1:] - ratio * a[:-1]) * (1 + eta) * best)
    return float(gain * math.sqrt((a[0] ** 2 * lam + s[0] ** 2) / (a[-1] ** 2 * lam + s[-1] ** 2)))


def share_kept_with_noise(process: Process, times: np.ndarray, lam: float = 1.0) -> float:
    """The same for ancestral sampling, which adds fresh noise at every step: its variance follows a recursion."""
    a, s = factors(process, times)
    variance = a[0] ** 2 * lam + s[0] ** 2
    for a_t, s_t, a_s, s_s in zip(a, s, a[1:], s[1:]):
        m = a_t * s_s / (a_s * s_t)
        slope = m * s_s / s_t + a_s * (1 - m**2) * a_t * lam / (a_t**2 * lam + s_t**2)
        variance = slope**2 * variance + s_s**2 * (1 - m**2)
    return math.sqrt(variance / lam)


def rate(counts: list[int], errors: list[float]) -> float:
    """The slope of log error over log L between the last two counts."""
    return math.log(errors[-1] / errors[-2]) / math.log(counts[-1] / counts[-2])


def normal_quantiles(n: int) -> np.ndarray:
    """The n quantiles of N(0, 1) at (i + 1/2) / n, ascending: a stand-in for the law that involves no chance."""
    return np.array([NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)])


def memory_of_the_start(pi: np.ndarray, A: np.ndarray, t: float, n: int = 2000) -> tuple[float, float]:
    """Mean cosine between a sample of DDIM and the data point whose noised version at time t of VP it started from; its error.

    The data: A[k] times a standard normal number with probability pi[k], A (K, D). 30 uniform steps to 0."""
    rng, squares = np.random.default_rng(1), (A**2).sum(axis=1)[:, None]
    clean = A[rng.choice(len(pi), n, p=pi)].T * rng.normal(size=n)
    a, s = factors(VP, t * np.arange(30, -1, -1) / 30)
    X = a[0] * clean + s[0] * rng.normal(size=clean.shape)
    for a_t, s_t, a_s, s_s in zip(a, s, a[1:], s[1:]):
        S, c = a_t**2 * squares + s_t**2, A @ X  # along A[k] the variance is S; across, it is s_t^2 for every k
        logs = np.log(pi)[:, None] - np.log(S) / 2 + (a_t * c / s_t) ** 2 / (2 * S)
        w = np.exp(logs - logs.max(axis=0))
        X_bar = A.T @ (w / w.sum(axis=0) * a_t * c / S)
        X = s_s / s_t * X + (a_s - s_s / s_t * a_t) * X_bar
    cosines = (X * clean).sum(axis=0) / np.linalg.norm(X, axis=0) / np.linalg.norm(clean, axis=0)
    return float(cosines.mean()), float(cosines.std() / math.sqrt(n))


PI, MUS, SDS = np.array([0.2, 0.5, 0.3]), np.array([-2.0, 1.0, 3.0]), np.array([0.1, 0.5, 0.2])  # a mixture on the line


def _quantiles(levels: np.ndarray) -> np.ndarray:
    """Quantiles of the mixture: its distribution function, inverted on a fine grid."""
    grid = np.linspace(-4, 6, 8001)
    standard = (grid[:, None] - MUS) / (SDS * math.sqrt(2))
    return np.interp(levels, (PI * (1 + np.vectorize(math.erf)(standard)) / 2).sum(axis=1), grid)


def _denoised(x: np.ndarray, a: float, s: float) -> np.ndarray:
    """The posterior mean of the mixture for noisy numbers x (n,)."""
    S, r = a**2 * SDS**2 + s**2, x[:, None] - a * MUS
    logs = np.log(PI) - np.log(S) / 2 - r**2 / (2 * S)
    w = np.exp(logs - logs.max(axis=1, keepdims=True))
    return (w * (MUS + a * SDS**2 / S * r)).sum(axis=1) / w.sum(axis=1)


def mixture_errors(counts: list[int], n: int = 1000) -> dict[str, list[float]]:
    """Wasserstein distance between the mixture on the line and what DDIM makes of N(0, sigma_T^2), for every grid and count.

    On the line DDIM with the best denoiser is increasing, so it sends quantiles to quantiles: n of them stand for the law."""
    z, right = normal_quantiles(n), _quantiles((np.arange(n) + 0.5) / n)

    def error(process: Process, times: np.ndarray) -> float:
        a, s = factors(process, times)
        x = s[0] * z
        for a_t, s_t, a_s, s_s in zip(a, s, a[1:], s[1:]):
            x = s_s / s_t * x + (a_s - s_s / s_t * a_t) * _denoised(x, a_t, s_t)
        return float(np.abs(x - right).mean())

    return {name: [error(process, times(L)) for L in counts] for name, (process, times) in GRIDS.items()}
