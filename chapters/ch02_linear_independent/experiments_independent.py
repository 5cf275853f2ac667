"""Measurements behind the Doubt of Part 3: how an orthogonal dictionary fares outside the model. Plain NumPy, pure functions."""

from collections.abc import Callable

import numpy as np


def polar(G: np.ndarray) -> np.ndarray:
    """The orthogonal matrices nearest to G (..., D, D)."""
    L, _, Rt = np.linalg.svd(G)
    return L @ Rt


def stretch_cube(W: np.ndarray, X: np.ndarray) -> np.ndarray:
    """(W X)^3 X^T / N for stacks W (..., D, D) and X (..., D, N): what matching, stretching and projecting projects."""
    Z = W @ X
    return (Z * Z * Z) @ X.swapaxes(-1, -2) / X.shape[-1]


def stretch_tanh(W: np.ndarray, X: np.ndarray) -> np.ndarray:
    """diag(E[1 - tanh^2]) W - E[tanh(W X) X^T]: the step of FastICA for -log cosh, which grows like -|z| for large responses."""
    T = np.tanh(W @ X)
    return (1 - T * T).mean(axis=-1)[..., None] * W - T @ X.swapaxes(-1, -2) / X.shape[-1]


def iterate(stretch: Callable, W: np.ndarray, X: np.ndarray, T: int) -> np.ndarray:
    """T steps W <- polar(stretch(W, X))."""
    for _ in range(T):
        W = polar(stretch(W, X))
    return W


def whitened(X: np.ndarray) -> np.ndarray:
    """Stacks X (..., D, N) brought to second moment I by the symmetric root."""
    values, V = np.linalg.eigh(X @ X.swapaxes(-1, -2) / X.shape[-1])
    return (V / np.sqrt(values)[..., None, :]) @ (V.swapaxes(-1, -2) @ X)


def clipped(X: np.ndarray) -> np.ndarray:
    """Every column of X (..., D, N) cut to at most twice the median length."""
    lengths = np.linalg.norm(X, axis=-2, keepdims=True)
    return X * np.minimum(1, 2 * np.median(lengths, axis=-1, keepdims=True) / np.maximum(lengths, 1e-12))


def worst_sine(W: np.ndarray, U: np.ndarray) -> np.ndarray:
    """Sine of the angle between the worst-found column of U (..., D, D) and the row of W nearest to it."""
    cosine = np.abs(W @ U).max(axis=-2).min(axis=-1)
    return np.sqrt(np.maximum(0, 1 - np.minimum(1, cosine) ** 2))


def disturbed(sigma: float, outliers: float, seeds: int, D: int = 6, N: int = 2000, theta: float = 0.3,
              length: float = 10.0) -> tuple[np.ndarray, ...]:
    """Data U Z + sigma E of the model, with a fraction of the columns replaced by outliers `length` times as long as a typical
    sample, in random directions: stacks X (seeds, D, N), U (seeds, D, D) and random starts W (seeds, D, D)."""
    rng = np.random.default_rng(0)
    U, W = polar(rng.normal(size=(2, seeds, D, D)))
    Z = (rng.random((seeds, D, N)) < theta) * rng.normal(size=(seeds, D, N)) / np.sqrt(theta)
    X = U @ Z + sigma * rng.normal(size=(seeds, D, N))
    bad = round(outliers * N)
    directions = rng.normal(size=(seeds, D, bad))
    X[..., :bad] = length * np.sqrt(D) * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    return X.astype(np.float32), U, W.astype(np.float32)


METHODS = {"l4": (lambda X: X, stretch_cube), "l4, long columns clipped": (clipped, stretch_cube),
           "log cosh": (lambda X: X, stretch_tanh)}


def errors(method: str, sigma: float = 0.0, outliers: float = 0.0, seeds: int = 8, T: int = 40) -> np.ndarray:
    """Sine of the worst direction, for each seed (seeds,)."""
    prepare, stretch = METHODS[method]
    X, U, W = disturbed(sigma, outliers, seeds)
    return worst_sine(iterate(stretch, W, whitened(prepare(X)), T), U)


def principal(X: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
    """The d leading principal directions of X (D, N), not centred, and the root mean squares along them."""
    values, V = np.linalg.eigh(X @ X.T / X.shape[1])
    return V[:, ::-1][:, :d], np.sqrt(values[::-1][:d])


def largest_share(Z: np.ndarray, k: int) -> float:
    """How much of a code's energy its k largest entries hold: the mean over the columns of Z (d, N) that are not zero."""
    energy = np.sort(Z * Z, axis=0)
    total = energy.sum(axis=0)
    return (energy[-k:].sum(axis=0)[total > 0] / total[total > 0]).mean()


def shares(X: np.ndarray, white: bool, seed: int, d: int = 32, k: int = 8, T: int = 40) -> np.ndarray:
    """Energy in the k largest of d code entries of images not used for learning: in a random orthogonal basis, in that of the
    principal components and in the one that matching, stretching and projecting learns; an array (3,).

    X (D, N): a random half is for learning, its d principal coordinates are taken, and brought to second moment I if `white`."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(X.shape[1])
    learn, test = X[:, order[::2]], X[:, order[1::2]]
    V, scale = principal(learn, d)
    scale = scale[:, None] if white else np.ones((d, 1), X.dtype)
    learn, test = V.T @ learn / scale, V.T @ test / scale
    random = polar(rng.normal(size=(d, len(X))) @ V).astype(X.dtype)  # the same whatever signs V has
    return np.array([largest_share(W @ test, k) for W in (random, np.eye(d), iterate(stretch_cube, random, learn, T))])
