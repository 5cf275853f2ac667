"""Experiments of Part 2's second half: a subspace learned with the denoising loss."""

import numpy as np


def learn_subspace(ts: list[float], rates: list[float], steps: int = 200, batch: int = 32, seeds: int = 8,
                   D: int = 20, d: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Stochastic gradient descent on E||V V^T x_t / (1 + t^2) - x||^2 over orthonormal V (D, d), for x ~ N(0, U U^T + 0.1 I).

    Fresh samples at every step, rates that fall linearly to 0, V made orthonormal again by QR, all runs at once. Returns the
    sine of the largest angle between V and U, (len(ts), steps + 1, seeds), for each t with the rate that is best at the end in
    the median; and what principal components make of all the same clean samples, (seeds,).
    """
    rng = np.random.default_rng(0)
    U = np.linalg.qr(rng.normal(size=(seeds, D, d)))[0]
    V = np.broadcast_to(np.linalg.qr(rng.normal(size=(seeds, D, d)))[0], (len(ts), len(rates), seeds, D, d))
    t = np.array(ts)[:, None, None, None, None]
    shrink, rate = 1 / (1 + t**2), np.array(rates)[:, None, None, None]
    sines, seen = [_sine(U, V)], np.zeros((seeds, D, D))
    for i in range(steps):
        X = U @ rng.normal(size=(seeds, d, batch)) + 0.1**0.5 * rng.normal(size=(seeds, D, batch))
        seen += X @ X.transpose(0, 2, 1)
        X_t = X + t * rng.normal(size=(seeds, D, batch))
        codes = V.swapaxes(-1, -2) @ X_t
        R = shrink * V @ codes - X  # the error of the denoiser, and its gradient in V but for a factor 2
        gradient = shrink * (R @ codes.swapaxes(-1, -2) + X_t @ (R.swapaxes(-1, -2) @ V)) / batch
        V = np.linalg.qr(V - rate * (1 - i / steps) * gradient)[0]
        sines.append(_sine(U, V))
    sines = np.array(sines).transpose(1, 2, 0, 3)  # (ts, rates, steps + 1, seeds)
    best = np.median(sines[:, :, -1], axis=2).argmin(axis=1)
    top = np.linalg.eigh(seen)[1][:, :, -d:]
    return sines[np.arange(len(ts)), best], _sine(U, top)


def _sine(U: np.ndarray, V: np.ndarray) -> np.ndarray:
    """Sine of the largest principal angle between orthonormal U and V (..., D, d)."""
    rest = V - U @ (U.swapaxes(-1, -2) @ V)
    return np.sqrt(np.linalg.eigvalsh(rest.swapaxes(-1, -2) @ rest)[..., -1].clip(0))
