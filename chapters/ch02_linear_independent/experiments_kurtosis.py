"""Measurements of Part 3 on independent components: deflation, limits, mixed photographs, statistics, dependence, outliers.

NumPy, float64. Where nothing but the cube is needed, a run sees its data through their fourth moments: D^4 numbers, taken once.
"""

import itertools

import numpy as np

from book_utils import data

SOURCES = {  # of mean 0 and variance 1
    "uniform": lambda rng, shape: rng.uniform(-np.sqrt(3), np.sqrt(3), shape),
    "Laplace": lambda rng, shape: rng.laplace(size=shape) / np.sqrt(2),
    "sparse, 0.5": lambda rng, shape: bernoulli_gaussian(rng, 0.5, shape),
    "sparse, 0.1": lambda rng, shape: bernoulli_gaussian(rng, 0.1, shape),
    "Student, 5": lambda rng, shape: rng.standard_t(5, shape) * np.sqrt(0.6),
}
DENSITIES = {  # of the same, apart from what has the value 0 with positive probability
    "uniform": lambda s: (np.abs(s) < np.sqrt(3)) / np.sqrt(12),
    "Laplace": lambda s: np.exp(-np.sqrt(2) * np.abs(s)) / np.sqrt(2),
    "sparse, 0.5": lambda s: 0.5**1.5 * np.exp(-0.5 * s**2 / 2) / np.sqrt(2 * np.pi),
    "sparse, 0.1": lambda s: 0.1**1.5 * np.exp(-0.1 * s**2 / 2) / np.sqrt(2 * np.pi),
    "Student, 5": lambda s: 8 / (3 * np.pi * np.sqrt(3)) * (1 + s**2 / 3) ** -3,
}


def bernoulli_gaussian(rng: np.random.Generator, theta: float, shape: tuple[int, ...]) -> np.ndarray:
    """Codes that are 0 with probability 1 - theta and Gaussian otherwise."""
    return (rng.random(shape) < theta) * rng.normal(size=shape) / np.sqrt(theta)


def unit(v: np.ndarray) -> np.ndarray:
    """Every vector of a stack (..., D) brought to length 1."""
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def root(C: np.ndarray, power: float) -> np.ndarray:
    """Powers of a stack (..., D, D) of symmetric positive definite matrices."""
    values, Q = np.linalg.eigh(C)
    return (Q * values[..., None, :] ** power) @ np.swapaxes(Q, -1, -2)


def whiten(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """M X and M = (X X^T / N)^(-1/2), for every X (D, N) of a stack (..., D, N)."""
    M = root(X @ np.swapaxes(X, -1, -2) / X.shape[-1], -0.5)
    return M @ X, M


def fourth_moments(X: np.ndarray) -> np.ndarray:
    """E (x_i x_j) (x_k x_l) for every X (D, N) of a stack (..., D, N), as (..., D^2, D^2) with rows ij and columns kl."""
    *stack, D, N = X.shape
    pairs = (X[..., :, None, :] * X[..., None, :, :]).reshape(*stack, D * D, N)
    return pairs @ np.swapaxes(pairs, -1, -2) / N


def cubes(M4: np.ndarray, u: np.ndarray) -> np.ndarray:
    """X (X^T u)^3 / N from the fourth moments M4 (..., D^2, D^2) of X, for a stack u (..., D)."""
    outer = (u[..., :, None] * u[..., None, :]).reshape(*u.shape[:-1], -1, 1)
    return ((M4 @ outer).reshape(*u.shape, -1) @ u[..., None])[..., 0]


def limits(N: int, theta: float = 0.2, D: int = 6, seeds: int = 20) -> np.ndarray:
    """Tangents (seeds,) of the angles between a true direction and where FastICA ends when it starts there, from N samples."""
    return _ends(bernoulli_gaussian(np.random.default_rng(N), theta, (seeds, D, N)), "cube", 12)


def _ends(Z: np.ndarray, nonlinearity: str, T: int) -> np.ndarray:
    """Tangents after T steps on codes Z (seeds, D, N), whitened, from the first true direction."""
    X, M = whiten(Z)
    u = unit(np.linalg.inv(M)[:, 0])
    for _ in range(T):
        g, slope = _nonlinear((u[:, None] @ X)[:, 0], nonlinearity)
        u = unit((X @ g[..., None])[..., 0] / Z.shape[-1] - slope[:, None] * u)
    return _tangent(u, M)


def _tangent(u: np.ndarray, M: np.ndarray) -> np.ndarray:
    """Of the angle between M u, which says how much of each source is in u^T M Z, and the first axis."""
    mixed = (u[..., None, :] @ M)[..., 0, :]
    return np.linalg.norm(mixed[..., 1:], axis=-1) / np.abs(mixed[..., 0])


def deflation(theta: float, D: int = 4, N: int = 5000, seeds: int = 30, T: int = 80) -> dict[str, float]:
    """The fraction of seeds in which FastICA, one row after another, finds all D components; four ways of removing those found.

    "as printed": the data are projected, P X, the start is random and the step keeps its - 3 u; "start too": the start is
    projected as well; "exact gradient": P X with - 3 (u^T C u) C u, where C is the second moment of P X; "every step": P X and
    every iterate projected.
    """
    rng = np.random.default_rng(round(1000 * theta))
    M4 = fourth_moments(whiten(bernoulli_gaussian(rng, theta, (seeds, D, N)))[0])
    starts = unit(rng.normal(size=(D, seeds, D)))
    return {way: _finds_all(M4, starts, way, T).mean() for way in ("as printed", "start too", "exact gradient", "every step")}


def _finds_all(M4: np.ndarray, starts: np.ndarray, way: str, T: int) -> np.ndarray:
    D, seeds, _ = starts.shape
    P, found = np.tile(np.eye(D), (seeds, 1, 1)), []
    times = lambda A, v: (A @ v[..., None])[..., 0]
    for u in starts:
        u = u if way == "as printed" else unit(times(P, u))
        for _ in range(T):
            Pu = times(P.transpose(0, 2, 1), u)
            rest = (Pu * Pu).sum(axis=1, keepdims=True) * times(P, Pu) if way == "exact gradient" else u
            v = times(P, cubes(M4, Pu)) - 3 * rest
            u = unit(times(P, v) if way == "every step" else v)
        found.append(u)
        P = (np.eye(D) - u[:, :, None] * u[:, None, :]) @ P
    cosines = np.abs(np.stack(found, axis=1))  # the true directions are the axes
    return (cosines.max(axis=1) > 0.95).all(axis=1)


def matched(outputs: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """|correlation| (D,) of each source with the output that stands for it; outputs and sources (D, N), matched one to one."""
    D = len(sources)
    C = np.abs(np.corrcoef(outputs, sources)[:D, D:])
    return max((C[list(order), range(D)] for order in itertools.permutations(range(D))), key=np.sum)


def fastica(X: np.ndarray, W: np.ndarray, T: int, nonlinearity: str = "cube") -> np.ndarray:
    """T steps of FastICA on all rows of W (..., D, D) at once, for white X (..., D, N)."""
    for _ in range(T):
        Y = W @ X
        G, slope = _nonlinear(Y, nonlinearity)
        U, _, Vh = np.linalg.svd(G @ np.swapaxes(X, -1, -2) / X.shape[-1] - slope[..., None] * W)
        W = U @ Vh
    return W


def _nonlinear(y: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """g(y) and the mean of g'(y) over the last axis. tanh is the derivative of log cosh."""
    if name == "cube":
        return y * y * y, 3 * (y * y).mean(axis=-1)
    g = np.tanh(y)
    return g, 1 - (g * g).mean(axis=-1)


def photographs(seed: int, size: int = 128) -> dict[str, float]:
    """Three photographs, cut at random and mixed by a random matrix: the worst |correlation| after separating them by their
    pixels and by the differences of horizontal neighbours, and that of the uncorrelated outputs that are closest to them."""
    rng = np.random.default_rng(seed)
    crops = np.stack([_crop(rng, name, size) for name in rng.choice(data.PHOTOGRAPHS, 3, replace=False)])
    A, start = rng.normal(size=(3, 3)), np.linalg.qr(rng.normal(size=(3, 3)))[0]
    views = {"pixels": crops[:, :, 1:], "differences": np.diff(crops, axis=2)}
    pixels = _centred(views["pixels"])
    found = {"closest": closest(np.corrcoef(pixels))}
    for name, view in views.items():
        X, M = whiten(A @ _centred(view))
        W = fastica(X, start, 60)
        found[name] = matched(W @ M @ A @ pixels, pixels).min()
    return found


def closest(C: np.ndarray) -> float:
    """The worst |correlation| of sources with uncorrelated outputs when these are as close as can be: C (D, D) holds the
    correlations of the sources, and the sum over sources is at most the trace of its root."""
    return np.diag(root(C, 0.5)).min()


def _crop(rng: np.random.Generator, name: str, size: int) -> np.ndarray:
    photograph = np.asarray(data.photograph(name), dtype=float)
    row, column = (rng.integers(n - m + 1) for n, m in zip(photograph.shape, (size, size + 1)))
    return photograph[row:row + size, column:column + size + 1]


def _centred(images: np.ndarray) -> np.ndarray:
    X = images.reshape(len(images), -1)
    return X - X.mean(axis=1, keepdims=True)


def efficiency(source: str, nonlinearity: str, N: int = 4000, D: int = 4, seeds: int = 24, T: int = 6) -> np.ndarray:
    """N tan^2 / (D - 1) for each seed: the squared error of one direction, per other source and in units of 1 / N."""
    Z = SOURCES[source](np.random.default_rng(5), (seeds, D, N))
    return N * _ends(Z, nonlinearity, T) ** 2 / (D - 1)


def predicted(source: str, nonlinearity: str) -> float:
    """The limit of `efficiency` for large N: (E g^2 - (E s g)^2) / (E s g - E g')^2, by summing over a grid; inf for a Student
    variable and the cube, whose sixth moment is infinite."""
    if (source, nonlinearity) == ("Student, 5", "cube"):
        return np.inf
    s = (np.arange(-70_000, 70_000) + 0.5) * np.sqrt(3) / 2000  # cells that end where a uniform density does
    p = DENSITIES[source](s) * (s[1] - s[0])
    atom = round(1 - p.sum(), 2)  # the probability of the value 0
    p *= (1 - atom) / p.sum()
    g, slope = (s**3, 3 * s**2) if nonlinearity == "cube" else (np.tanh(s), 1 - np.tanh(s) ** 2)
    mean_slope = slope @ p + atom * slope[len(s) // 2]
    return (g**2 @ p - ((s * g) @ p) ** 2) / ((s * g) @ p - mean_slope) ** 2


def dependent(rho: float, how: str, D: int = 3, N: int = 4000, seeds: int = 12, theta: float = 0.2) -> np.ndarray:
    """The worst |correlation| of a source with its output for each seed, for sources that depend on each other.

    "size": with probability rho all entries of a sample are zero together or not at all; "correlated": any two have
    correlation rho, sources being root((1 - rho) I + rho 1 1^T) times independent ones.
    """
    rng = np.random.default_rng(7)
    Z = bernoulli_gaussian(rng, theta, (seeds, D, N))
    if how == "size":
        masks = np.where(rng.random((seeds, 1, N)) < rho, rng.random((seeds, 1, N)), rng.random((seeds, D, N)))
        Z = (masks < theta) * rng.normal(size=Z.shape) / np.sqrt(theta)
    else:
        Z = root((1 - rho) * np.eye(D) + rho, 0.5) @ Z
    X, _ = whiten(Z)
    W = fastica(X, np.linalg.qr(rng.normal(size=(seeds, D, D)))[0], 40)
    return np.array([matched(w @ x, z).min() for w, x, z in zip(W, X, Z)])


def two_gaussians(seeds: int = 20, N: int = 5000) -> np.ndarray:
    """|correlations| (seeds, 5) of three sparse and two Gaussian sources with their outputs."""
    rng = np.random.default_rng(8)
    Z = np.concatenate([bernoulli_gaussian(rng, 0.2, (seeds, 3, N)), rng.normal(size=(seeds, 2, N))], axis=1)
    X, _ = whiten(Z)
    W = fastica(X, np.linalg.qr(rng.normal(size=(seeds, 5, 5)))[0], 60)
    return np.array([matched(w @ x, z) for w, x, z in zip(W, X, Z)])


def outlier(length: float, nonlinearity: str, clip: bool = False, D: int = 4, N: int = 2000, seeds: int = 20) -> np.ndarray:
    """The worst |correlation| of a Laplace source with its output for each seed, after one of N mixed samples was replaced.

    The outlier has a random direction and `length` times the root mean square length. With `clip`, white samples are cut to
    three times theirs before the directions are sought.
    """
    rng = np.random.default_rng(9)
    Z, o = rng.laplace(size=(seeds, D, N)) / np.sqrt(2), unit(rng.normal(size=(seeds, D)))
    spoilt = Z.copy()
    spoilt[:, :, 0] = length * np.sqrt(D) * o
    X, M = whiten(spoilt)
    if clip:
        X = X * np.minimum(1, 3 * np.sqrt(D) / np.linalg.norm(X, axis=1, keepdims=True))
        X, M2 = whiten(X)
        M = M2 @ M
    W = fastica(X, np.tile(np.eye(D), (seeds, 1, 1)), 15, nonlinearity)
    return np.array([matched(w @ m @ z, z).min() for w, m, z in zip(W, M, Z)])
