"""Experiments of Part 2's first half: routes to a log-determinant in float32, and discs that cover a Gaussian in the plane."""

import numpy as np


def white(d: int, N: int, seed: int = 0) -> np.ndarray:
    """Z (d, N) with Z Z^T / N = I exactly."""
    return np.sqrt(N) * np.linalg.qr(np.random.default_rng(seed).normal(size=(N, d)))[0].T


def float32_routes(alphas: np.ndarray, d: int, N: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Z (d, N), normal, in float32; log det(I + alpha Z Z^T) for every alpha, in float64; and relative errors of float32 routes.

    The errors are those of both sides, NaN where Cholesky finds no positive definite matrix, and not below 1e-8 (for log axes).
    """
    Z = np.random.default_rng(0).normal(size=(d, N)).astype(np.float32)
    s = np.linalg.svd(Z.astype(float), compute_uv=False)
    exact = np.array([np.sum(np.log1p(alpha * s**2)) for alpha in alphas])
    errors = {}
    for route, gram in {f"Cholesky, {d} x {d}": Z @ Z.T, f"Cholesky, {N} x {N}": Z.T @ Z}.items():
        found = np.array([_by_cholesky(gram, alpha) for alpha in alphas])
        errors[route] = np.maximum(np.abs(found / exact - 1), 1e-8)
    return Z, exact, errors


def _by_cholesky(gram: np.ndarray, alpha: float) -> float:
    try:
        L = np.linalg.cholesky(np.eye(len(gram), dtype=np.float32) + np.float32(alpha) * gram)
    except np.linalg.LinAlgError:
        return np.nan
    return float(2 * np.sum(np.log(np.diag(L))))


def hexagonal_cover(W: np.ndarray, eps: float, deviations: float = 2, words: int | None = None) -> np.ndarray:
    """Centres (2, M) of discs of radius eps that cover the ellipse of so many standard deviations of N(0, W W^T).

    The centres form a triangular lattice, so that the discs' cells are hexagons of circumradius eps; those are kept whose disc
    meets the ellipse. words: M, filled up with copies of the first centre (which as the first of equals is chosen before them).
    """
    a = np.linspace(0, 2 * np.pi, 200)
    rim = deviations * W @ np.stack([np.cos(a), np.sin(a)])
    reach = int(np.ceil(np.abs(rim).max() / eps)) + 2
    i, j = np.meshgrid(np.arange(-reach, reach + 1), np.arange(-reach, reach + 1))
    C = eps * np.stack([3**0.5 * (i + j % 2 / 2), 1.5 * j]).reshape(2, -1)
    C = C[:, np.abs(C).max(axis=0) <= np.abs(rim).max() + eps]
    inside = np.sum(np.linalg.solve(W, C) ** 2, axis=0) <= deviations**2
    near = np.min(np.sum((C[:, :, None] - rim[:, None, :]) ** 2, axis=0), axis=1) <= eps**2
    C = C[:, inside | near]
    return C if words is None else np.concatenate([C, np.repeat(C[:, :1], words - C.shape[1], axis=1)], axis=1)


def discs(ax: object, W: np.ndarray, C: np.ndarray, eps: float) -> None:
    """Draw the ellipse of two standard deviations of N(0, W W^T) and discs of radius eps around the columns of C."""
    a = np.linspace(0, 2 * np.pi, 100)
    circle = np.stack([np.cos(a), np.sin(a)])
    for c in C.T:
        ax.fill(*(c[:, None] + eps * circle[:, ::4]), facecolor="#0072B2", alpha=0.12, edgecolor="#0072B2", linewidth=0.6)
    ax.plot(*(2 * W @ circle), color="black", marker="None")
    ax.set(aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.grid(False)
