"""Measurements of Part 3 that take longer than a lesson should: matching, stretching and projecting with few samples."""

import numpy as np

from chapters.ch02_linear_independent.experiments_independent import iterate, polar, stretch_cube, whitened, worst_sine

SEEDS, STEPS = 20, 200


def _success(D: int, theta: float, N: int) -> float:
    """Fraction of seeds for which every column of a random orthogonal dictionary is found to a cosine of 0.95."""
    rng = np.random.default_rng([D, round(100 * theta), N])
    U, W = polar(rng.normal(size=(2, SEEDS, D, D)))
    Z = (rng.random((SEEDS, D, N)) < theta) * rng.normal(size=(SEEDS, D, N)) / np.sqrt(theta)
    X = whitened(U @ Z).astype(np.float32)
    sine = worst_sine(iterate(stretch_cube, W.astype(np.float32), X, STEPS), U)
    return float((sine < np.sqrt(1 - 0.95**2)).mean())


def msp_samples() -> dict:
    """Success of 200 steps from a random start against the number of samples: for several theta at D = 10, and for several D at
    theta = 0.3; 20 seeds each."""
    Ns = [50, 100, 200, 400, 800, 1600, 3200, 6400]
    thetas, Ds = [0.1, 0.3, 0.5, 0.7, 0.9, 1.0], [5, 10, 20]
    return {"N": Ns, "theta": thetas, "D": Ds, "by_theta": [[_success(10, theta, N) for N in Ns] for theta in thetas],
            "by_D": [[_success(D, 0.3, N) for N in Ns] for D in Ds]}
