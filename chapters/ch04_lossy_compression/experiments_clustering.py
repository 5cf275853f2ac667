"""Experiments of Part 2's second half: data of known clusters, other methods beside coding length, and scores. Plain NumPy."""

import numpy as np

from book_utils import lossy_clustering
from book_utils.partitions import adjusted_rand_index

VARIANTS = {"with bases": {}, "without": {"overhead": False}, "about means": {"center": True}}


def lines_and_plane(seed: int, sigma: float = 0.02, sizes: tuple[int, int, int] = (158, 100, 100), bend: float = 0.0,
                    outliers: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Noisy samples X (3, N) of a plane and two lines through 0, and labels (N,): 0 for the plane, 1 and 2 for the lines.

    bend curves all three: the third coordinate of what is in the plane, and the first of what is on the lines, gets bend / 2
    times the square of the distance to 0. outliers: that share of the samples is replaced by uniform ones in the cube [-1, 1]^3;
    these are the last columns, and their label is 3."""
    rng = np.random.default_rng(seed)
    flat = np.concatenate([rng.uniform(-1, 1, (2, sizes[0])), np.zeros((1, sizes[0]))])
    along = [rng.uniform(-1, 1, n) for n in sizes[1:]]
    lines = [np.outer(u / np.linalg.norm(u), s) for u, s in zip(([1.0, 0, 1], [0, 1, 1.5]), along)]
    flat[2] += bend / 2 * (flat**2).sum(axis=0)
    for line, s in zip(lines, along):
        line[0] += bend / 2 * s**2
    X, y = np.concatenate([flat, *lines], axis=1), np.repeat([0, 1, 2], sizes)
    X = X + sigma * rng.normal(size=X.shape)
    if outliers:
        order = rng.permutation(len(y))
        X, y = X[:, order], y[order]
        away = round(outliers * len(y))
        X[:, len(y) - away:], y[len(y) - away:] = rng.uniform(-1, 1, (3, away)), 3
    return X, y


def kmeans(X: np.ndarray, K: int, seed: int = 0, restarts: int = 5, steps: int = 50) -> np.ndarray:
    """Labels (N,) by k-means of the columns of X (D, N): of several starts from random samples the one that ends lowest."""
    rng, best = np.random.default_rng(seed), (np.inf, None)
    for _ in range(restarts):
        C = X[:, rng.choice(X.shape[1], K, replace=False)]
        for _ in range(steps):
            squares = (C**2).sum(axis=0)[:, None] - 2 * C.T @ X
            labels = squares.argmin(axis=0)
            new = np.stack([X[:, labels == k].mean(axis=1) if (labels == k).any() else C[:, k] for k in range(K)], axis=1)
            if np.array_equal(new, C):
                break
            C = new
        error = squares.min(axis=0).sum()
        best = min(best, (error, labels), key=lambda pair: pair[0])
    return best[1]


def k_subspaces(X: np.ndarray, dims: list[int], seed: int, steps: int = 50) -> tuple[float, np.ndarray]:
    """K-subspaces with known dimensions from a random start: the squared distance to the subspaces, and labels (N,)."""
    rng = np.random.default_rng(seed)
    bases = [np.linalg.qr(rng.normal(size=(len(X), d)))[0] for d in dims]
    for _ in range(steps):
        kept = np.stack([((U.T @ X) ** 2).sum(axis=0) for U in bases])
        labels = kept.argmax(axis=0)
        bases = [np.linalg.svd(X[:, labels == k], full_matrices=False)[0][:, :d] if (labels == k).sum() >= d else U
                 for k, (d, U) in enumerate(zip(dims, bases))]
    return float((X**2).sum() - kept.max(axis=0).sum()), labels


def sweep(X: np.ndarray, y: np.ndarray, eps: np.ndarray, **options) -> tuple[list, list, list]:
    """For each eps: number of clusters, nats per sample, and adjusted Rand index on the samples that have a cluster (y < 3)."""
    K, rates, scores, inside = [], [], [], y < 3
    for e in eps:
        labels = lossy_clustering.cluster(X, e, **options)
        K.append(int(labels.max()) + 1)
        rates.append(lossy_clustering.coding_length(X, labels, e, **options) / len(y))
        scores.append(adjusted_rand_index(y[inside], labels[inside]))
    return K, rates, scores


def components(X: np.ndarray, reach: float) -> np.ndarray:
    """Labels (N,) of the points X (2, N): equal where a chain of steps no longer than `reach` leads from one to the other."""
    N = X.shape[1]
    near = ((X[:, :, None] - X[:, None]) ** 2).sum(axis=0) <= reach**2
    labels, K = np.full(N, -1), 0
    for i in range(N):
        if labels[i] < 0:
            new = np.zeros(N, bool)
            new[i] = True
            while new.any():
                labels[new] = K
                new = near[new].any(axis=0) & (labels < 0)
            K += 1
    return labels


def textures(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """An image (64, 64) of noise smoothed along its rows on the left and along its columns on the right, of the same mean and
    variance on both sides; and labels (64, 64)."""
    rng = np.random.default_rng(seed)
    smooth = np.exp(-np.minimum(np.arange(64), 64 - np.arange(64)) ** 2 / 8.0)
    smooth = np.fft.fft(smooth / np.linalg.norm(smooth)).real
    halves = [np.fft.ifft(np.fft.fft(rng.normal(size=(64, 64))) * smooth).real for _ in range(2)]
    left, right = ((half - half.mean()) / half.std() for half in (halves[0], halves[1].T))
    where = np.tile(np.arange(64) >= 32, (64, 1)).astype(int)
    return np.where(where, right, left), where


def features(patches: np.ndarray, q: int) -> np.ndarray:
    """The first q principal components (q, n) of patches (D, n), about their mean."""
    away = patches - patches.mean(axis=1, keepdims=True)
    return np.linalg.eigh(away @ away.T)[1][:, : -q - 1 : -1].T @ away
