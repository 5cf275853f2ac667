"""Measurements behind the Doubt of Part 1 that are too long for a cell."""

import bz2

import numpy as np


def compressed_bits(symbols: np.ndarray) -> float:
    """Bits per symbol that bzip2 needs for a sequence of small whole numbers, one byte each."""
    return 8 * len(bz2.compress(symbols.astype(np.uint8).tobytes())) / len(symbols)


def stubborn_coin(p: float, N: int, seed: int) -> np.ndarray:
    """N throws 0 or 1, each different from the one before with probability p: both faces are equally frequent."""
    return np.cumsum(np.random.default_rng(seed).uniform(size=N) < p) % 2


def clouds(D: int, N: int, trials: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two clouds on the first axis, around 3 and -3: samples (trials, D, N), and the exact second moment (D, D).

    Within a cloud the variances fall in equal ratios from 1 to 0.01.
    """
    rng, within = np.random.default_rng(seed), np.geomspace(1, 0.01, D)
    X = np.sqrt(within)[:, None] * rng.normal(size=(trials, D, N))
    X[:, 0] += 3 * rng.choice([-1.0, 1.0], size=(trials, N))
    return X, np.diag(within + 9 * np.eye(D)[0])


def codebooks(D: int, Ns: list[int], trials: int = 200) -> dict[str, np.ndarray]:
    """What new samples of the clouds cost, in nats, with Gaussian codebooks made from N old ones: for each (len(Ns), trials).

    One variance for all directions, the largest squared norm or the mean variance of the old samples; their covariance
    X X^T / N; the same, shrunk: (1 - w) X X^T / N + w m I, where m is the mean variance and w = 1 / (1 + N). Infinite where the
    covariance is singular. Costs are exact: the law of the new samples enters by its second moment only. Float64.
    """
    costs: dict[str, list] = {"largest norm": [], "mean variance": [], "covariance": [], "covariance, shrunk": []}
    for N in Ns:
        X, moment = clouds(D, N, trials, seed=N)
        squares, S, w = (X**2).sum(axis=1), X @ X.transpose(0, 2, 1) / N, 1 / (1 + N)
        mean = squares.mean(axis=1) / D
        for name, s in ("largest norm", squares.max(axis=1)), ("mean variance", mean):
            costs[name].append(D / 2 * np.log(2 * np.pi * s) + np.trace(moment) / (2 * s))
        costs["covariance"].append(_cost(S, moment) if N >= D else np.full(trials, np.inf))
        costs["covariance, shrunk"].append(_cost((1 - w) * S + w * mean[:, None, None] * np.eye(D), moment))
    return {name: np.array(cost) for name, cost in costs.items()}


def _cost(S: np.ndarray, moment: np.ndarray) -> np.ndarray:
    trace = np.trace(np.linalg.solve(S, np.broadcast_to(moment, S.shape)), axis1=1, axis2=2)
    return (np.linalg.slogdet(2 * np.pi * S)[1] + trace) / 2


def sphere(d: int, D: int, N: int, noise: float, rng: np.random.Generator) -> np.ndarray:
    """N points (D, N), uniform on a sphere of dimension d and radius 1 in D dimensions, with noise of that standard deviation."""
    X = np.zeros((D, N))
    X[: d + 1] = rng.normal(size=(d + 1, N))
    return X / np.linalg.norm(X, axis=0) + noise * rng.normal(size=(D, N))


def read_meter(X: np.ndarray, times: np.ndarray, rng: np.random.Generator, M: int = 300) -> np.ndarray:
    """MMSE(t) / t^2 = D - t dh/dt of the law that takes the columns of X equally often, for each t.

    The error of the exact posterior mean is averaged over M samples, the same and with the same noise at every t. Float64.
    """
    chosen = rng.choice(X.shape[1], M, replace=False)
    g, squares = rng.normal(size=(X.shape[0], M)), (X**2).sum(axis=0)
    read = []
    for t in times:
        X_t = X[:, chosen] + t * g
        log_weights = (X.T @ X_t - squares[:, None] / 2) / t**2
        weights = np.exp(log_weights - log_weights.max(axis=0))
        guess = X @ (weights / weights.sum(axis=0))
        read.append(((guess - X[:, chosen]) ** 2).sum(axis=0).mean() / t**2)
    return np.array(read)


def neighbour_dimension(X: np.ndarray, k: int = 10) -> float:
    """Dimension from the distances r_1 <= ... <= r_k of each column to its nearest others: 1 / mean of log(r_k / r_j), j < k.

    Source: E. Levina and P. Bickel, Maximum likelihood estimation of intrinsic dimension (2004), with the average over points
    taken of the reciprocals (MacKay and Ghahramani's correction).
    """
    squares = (X**2).sum(axis=0)
    distances = np.maximum(squares[:, None] + squares - 2 * X.T @ X, 0)
    np.fill_diagonal(distances, np.inf)
    logs = np.log(np.sort(np.partition(distances, k - 1, axis=1)[:, :k], axis=1)) / 2
    return 1 / (logs[:, -1:] - logs[:, :-1]).mean()
