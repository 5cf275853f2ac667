"""Measurements of Part 4: sampling with the memorising denoiser, its risk, copies and code lengths. Plain NumPy."""

import numpy as np


def squared_distances(X: np.ndarray, X_new: np.ndarray) -> np.ndarray:
    """(N, M): between the columns of X (D, N) and of X_new (D, M), in float64 by matrix products, >= 0."""
    center = X.mean(axis=1, keepdims=True)
    A, B = X - center, X_new - center
    return np.maximum((A**2).sum(axis=0)[:, None] - 2 * A.T @ B + (B**2).sum(axis=0), 0)


def distance_ratios(X: np.ndarray, X_new: np.ndarray) -> np.ndarray:
    """Distance to the nearest column of X over that to the second nearest, for each column of X_new: (M,)."""
    first, second = np.sqrt(np.partition(squared_distances(X, X_new), 1, axis=0)[:2])
    return first / second


def gaussian_codes(variances: np.ndarray, N: int, sets: int) -> tuple[float, float]:
    """Mean code length in nats of new samples x ~ N(0, diag(variances)) under two Gaussians fitted to N samples: N(0, s^2 I), and
    N(0, X X^T / N), infinite for N < D. Exact over new samples, a mean over `sets` training sets."""
    rng, D = np.random.default_rng(0), len(variances)
    X = np.sqrt(variances)[:, None] * rng.normal(size=(sets, D, N))
    scale = (X**2).mean(axis=(1, 2))
    isotropic = D / 2 * np.log(2 * np.pi * scale) + variances.sum() / (2 * scale)
    if N < D:
        return float(isotropic.mean()), float("inf")
    S = X @ X.swapaxes(1, 2) / N
    trace = (np.linalg.inv(S) * np.diag(variances)).sum(axis=(1, 2))
    return float(isotropic.mean()), float((np.linalg.slogdet(2 * np.pi * S)[1] / 2 + trace / 2).mean())


def memorizing(X: np.ndarray, X_t: np.ndarray, sigma: float) -> np.ndarray:
    """The memorising denoiser of X (D, N) at X_t (D, M), where noise is only added."""
    e = -squared_distances(X, X_t) / (2 * sigma**2)
    w = np.exp(e - e.max(axis=0))
    return X @ (w / w.sum(axis=0))


def samples(X: np.ndarray, X_t: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Where steps of E[x_s | x_t] with the memorising denoiser of X lead X_t (D, M), from times[0] to times[-1]."""
    for t, s in zip(times, times[1:]):
        X_t = s / t * X_t + (1 - s / t) * memorizing(X, X_t, t)
    return X_t


def copies(D: int, steps: list[int], N: int = 100, M: int = 200, seeds: int = 3) -> dict[str, np.ndarray]:
    """For N samples of N(0, I) in D dimensions, one row per seed: the memorisation ratio at 1/3, and how many different training
    samples are nearest to one of the M samples. Of the memorising sampler from t = 10 to 0.001 with several numbers of steps, of
    the same stopped at 0.2, of fresh samples, and of noise of standard deviation 10."""
    runs = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        X, fresh, start = rng.normal(size=(D, N)), rng.normal(size=(D, M)), 10 * rng.normal(size=(D, M))
        made = {f"{L} steps": samples(X, start, np.geomspace(10, 0.001, L + 1)) for L in steps}
        made |= {"stopped at 0.2": samples(X, start, np.geomspace(10, 0.2, 51)), "fresh": fresh, "noise": start}
        near = lambda X_new: len(np.unique(squared_distances(X, X_new).argmin(axis=0)))
        runs.append({name: ((distance_ratios(X, X_new) < 1 / 3).mean(), near(X_new)) for name, X_new in made.items()})
    return {name: np.array([run[name] for run in runs]) for name in runs[0]}


def losses(d: int, N: int, sigma: float, seeds: int = 5, M: int = 2000) -> np.ndarray:
    """Denoising losses for data N(0, I) in d dimensions, (seeds, 4): on noisy training samples those of the true posterior mean
    and of the memorising denoiser of N samples, then the same on fresh ones."""
    runs = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(d, N))
        for clean in (X[:, rng.integers(N, size=M)], rng.normal(size=(d, M))):
            noisy = clean + sigma * rng.normal(size=(d, M))
            runs += [((f - clean) ** 2).sum(axis=0).mean() for f in (noisy / (1 + sigma**2), memorizing(X, noisy, sigma))]
    return np.reshape(runs, (seeds, 4))


def invariance(d: int, D: int, N: int = 50, sigma: float = 0.5) -> float:
    """Largest difference between the memorising denoiser of data in d dimensions and that of the same data turned into D."""
    rng = np.random.default_rng(0)
    U = np.linalg.qr(rng.normal(size=(D, d)))[0]
    Z, X_t = rng.normal(size=(d, N)), 3 * rng.normal(size=(D, 40))
    return float(np.abs(memorizing(U @ Z, X_t, sigma) - U @ memorizing(Z, U.T @ X_t, sigma)).max())


def excess_risks(d: int, D: int, Ns: list[int], sigma: float = 0.5, M: int = 300, seeds: int = 3) -> np.ndarray:
    """E||f - x_bar||^2 on fresh noisy samples, x_bar the true posterior mean, for x ~ N(0, I) on a d-dimensional subspace of D
    dimensions: (2, N's, seeds), of the memorising denoiser and of principal components with shrinkage, told d and sigma."""
    table = np.empty((2, len(Ns), seeds))
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        U = np.linalg.qr(rng.normal(size=(D, d)))[0]
        Z, noisy = rng.normal(size=(d, max(Ns))), U @ rng.normal(size=(d, M)) + sigma * rng.normal(size=(D, M))
        best = U @ (U.T @ noisy) / (1 + sigma**2)
        for i, N in enumerate(Ns):
            W, values, _ = np.linalg.svd(Z[:, :N] / np.sqrt(N), full_matrices=False)
            W, S = U @ W, values**2
            components = W @ ((S / (S + sigma**2))[:, None] * (W.T @ noisy))
            by_memory = U @ memorizing(Z[:, :N], U.T @ noisy, sigma)  # the same as in D dimensions, and quicker
            table[:, i, seed] = [((f - best) ** 2).sum(axis=0).mean() for f in (by_memory, components)]
    return table


def two_kinds(d: int, shares: list[float], N: int = 400, M: int = 400) -> tuple[np.ndarray, list[np.ndarray]]:
    """Distance ratios (M,) of fresh samples of N(0, I) in d dimensions to N others, and of disturbed copies of these: displaced
    in a random direction by a share of the mean distance between nearest neighbours."""
    rng = np.random.default_rng(0)
    X, fresh = rng.normal(size=(d, N)), rng.normal(size=(d, M))
    squares = squared_distances(X, X) + np.diag(np.full(N, np.inf))
    gap = np.sqrt(squares.min(axis=0)).mean()
    u = rng.normal(size=(d, M))
    u, origin = u / np.linalg.norm(u, axis=0), X[:, rng.integers(N, size=M)]
    return distance_ratios(X, fresh), [distance_ratios(X, origin + share * gap * u) for share in shares]


def roc_area(low: np.ndarray, high: np.ndarray) -> float:
    """The probability that a number of `low` is below one of `high`: 1 where a threshold separates them, 1/2 for equal laws."""
    return float((low[:, None] < high).mean() + (low[:, None] == high).mean() / 2)


def code_lengths(squares: np.ndarray, D: int, widths: np.ndarray) -> np.ndarray:
    """Mean code lengths under kernel densities of these widths, from squared distances (N, M) of centres and samples. An infinite
    distance leaves a centre out."""
    N = np.isfinite(squares).sum(axis=0)
    least = squares.min(axis=0)
    mean = lambda eps: (np.log(np.exp((least - squares) / (2 * eps**2)).sum(axis=0)) - least / (2 * eps**2) - np.log(N)).mean()
    return np.array([D * np.log(eps) + D / 2 * np.log(2 * np.pi) - mean(eps) for eps in widths])


def widths(D: int, N: int, seeds: int = 3, M: int = 300) -> np.ndarray:
    """For N samples of N(0, I) in D dimensions, (seeds, 5): the best width for new samples, that chosen by leaving one out, and
    how many nats more than with the true law new samples cost with each of them, and with a Gaussian fitted to the samples."""
    eps, rows = np.geomspace(0.05, 1.5, 18), []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        X, X_new = rng.normal(size=(D, N)), rng.normal(size=(D, M))
        test = code_lengths(squared_distances(X, X_new), D, eps)
        squares = squared_distances(X, X) + np.diag(np.full(N, np.inf))
        chosen = code_lengths(squares[:, :M], D, eps).argmin()  # M samples left out are enough
        entropy = D / 2 * np.log(2 * np.pi) + (X_new**2).sum(axis=0).mean() / 2  # of the same new samples
        S = X @ X.T / N
        fitted = np.linalg.slogdet(2 * np.pi * S)[1] / 2 + np.trace(np.linalg.solve(S, X_new @ X_new.T)) / (2 * M)
        rows.append([eps[test.argmin()], eps[chosen], test.min() - entropy, test[chosen] - entropy, fitted - entropy])
    return np.array(rows)
