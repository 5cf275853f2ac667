"""Signals and their shifts: what Part 2 shows."""

from collections.abc import Callable

import numpy as np


def waves(d: int = 32, N: int = 4) -> np.ndarray:
    """N signals (d, N) of length 1 with most of their power at low frequencies."""
    rng = np.random.default_rng(0)
    spectra = rng.normal(size=(2, d // 2 + 1, N)) / (1 + np.arange(d // 2 + 1))[:, None] ** 1.5
    Z = np.fft.irfft(spectra[0] + 1j * spectra[1], d, axis=0)
    return Z / np.linalg.norm(Z, axis=0)


def layers_of(expansion_kernel: Callable, shift_layer: Callable, Z: np.ndarray, shift: int, L: int, eta: float = 0.3,
              eps: float = 0.3, lam: float = 3.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """L layers built from two classes of signals, the halves of Z (d, N): the distances (L + 1,) of the features of a shifted signal
    from the shifted features of the signal, and both signals after L layers. The signal is column 0 of Z."""
    d, N = Z.shape
    Z = Z / np.linalg.norm(Z, axis=0)
    moved, gaps, half = np.roll(Z[:, 0], shift), [], np.arange(N) < N // 2
    for layer in range(L + 1):
        gaps.append(np.linalg.norm(moved - np.roll(Z[:, 0], shift)))
        if layer < L:
            e = np.asarray(expansion_kernel(Z, eps))
            kernels = np.stack([np.asarray(expansion_kernel(Z[:, mine], eps)) for mine in (half, ~half)])
            step = lambda z: np.asarray(shift_layer(z, e, kernels, np.full(2, 0.5), eta, lam), dtype=float)
            moved, Z = step(moved), np.stack([step(z) for z in Z.T], axis=1)
    return np.array(gaps), Z[:, 0], moved


def reductions(Zs: np.ndarray, eps: list[float]) -> list[float]:
    """Rate reduction of the orbits of two signals (2, m, d), a class each, from eigenvalues, for every distortion."""
    Zs = np.asarray(Zs, dtype=float)
    orbits = [np.stack([np.roll(V, j, axis=1).ravel() for j in range(V.shape[1])], axis=1) for V in Zs]
    orbits = [M / np.linalg.norm(M, axis=0) for M in orbits]
    values = lambda M: np.linalg.svd(M, compute_uv=False) ** 2
    whole, parts = values(np.hstack(orbits)), [values(M) for M in orbits]
    D, n = orbits[0].shape
    rate = lambda values, n, eps: np.log1p(D / (n * eps**2) * values).sum() / 2
    return [rate(whole, 2 * n, e) - sum(rate(v, n, e) for v in parts) / 2 for e in eps]
