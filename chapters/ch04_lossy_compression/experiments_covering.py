"""Experiments of Part 1, second half: rates of a square and a circle, a denoiser of a circle, thickened spheres, mixtures."""

import numpy as np

from book_utils import rate_distortion


def draw_discs(ax: object, C: np.ndarray, radius: float) -> None:
    """Discs around the columns of C (2, M), cut off at the edge of the unit square if all centres are in it."""
    from matplotlib.patches import Circle

    for centre in C.T:
        ax.add_patch(Circle(centre, radius, facecolor="#0072B2", edgecolor="#0072B2", alpha=0.15))
    ax.plot(*C, ".", color="#0072B2", markersize=3)
    if C.min() >= 0 and C.max() <= 1:
        ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xticks=[], yticks=[])


def square_rate(betas: list[float], n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Distortion eps and rate of the uniform law on the unit square: its coordinates are independent, so twice an interval's."""
    line = (np.arange(n) + 0.5) / n
    distortion, rate = map(np.asarray, rate_distortion.curve(np.full(n, 1 / n), (line[:, None] - line) ** 2, betas, 300))
    return np.sqrt(2 * distortion), 2 * rate


def circle_rate(strengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distortion eps and rate, in nats, of the uniform law on the unit circle, exactly.

    By symmetry the words lie evenly on a circle inside, and the word's angle given x has a density in proportion to
    exp(s cos angle), s a strength. With I_0, I_1 Bessel functions and a = I_1(s) / I_0(s), the mean of the cosine, the words have
    length a, the distortion is 1 - a^2, and the rate s a - log I_0(s)."""
    angles = np.linspace(-np.pi, np.pi, 20_001)[:-1]
    eps, rate = [], []
    for s in strengths:
        weights = np.exp(s * (np.cos(angles) - 1))  # I_0(s) = e^s times their mean
        a = weights @ np.cos(angles) / weights.sum()
        eps.append(np.sqrt(1 - a**2))
        rate.append(s * a - s - np.log(weights.mean()))
    return np.array(eps), np.array(rate)


def circle_denoiser(X: np.ndarray, words: int, eps: float) -> np.ndarray:
    """Posterior means (2, N) at X (2, N) for words spaced evenly on the unit circle, seen through noise N(0, eps^2 / 2 I)."""
    angles = 2 * np.pi * np.arange(words) / words
    C = np.stack([np.cos(angles), np.sin(angles)])
    logits = X.T @ C / (eps**2 / 2)
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return C @ (weights / weights.sum(axis=1, keepdims=True)).T


def tube_samples(D: int, d: int, delta: float, N: int) -> tuple[np.ndarray, float]:
    """Uniform points nearer than delta to the unit sphere of the first d coordinates: of N drawn in the box around it, those that
    are near enough (D, n), and their share n / N."""
    X = np.random.default_rng(0).uniform(-1, 1, size=(D, N)) * np.r_[np.full(d, 1 + delta), np.full(D - d, delta)][:, None]
    near = np.hypot(np.linalg.norm(X[:d], axis=0) - 1, np.linalg.norm(X[d:], axis=0)) <= delta
    return X[:, near], near.mean()


def line_laws(beta: float) -> dict[str, np.ndarray]:
    """Four laws on a line with standard deviation 1, coded at the price beta of distortion. For each: distortion eps, the rate,
    the coding rate log(1 + 1 / eps^2) / 2, and Shannon's lower bound, in nats. Lattice of step 0.05, and entropies of it."""
    x = np.arange(-90, 91) / 20
    bump = lambda m, s: np.exp(-((x - m) ** 2) / (2 * s**2))
    laws = {"Gaussian": bump(0, 1), "uniform": np.abs(x) < 3**0.5, "Laplace": np.exp(-(2**0.5) * np.abs(x)),
            "two bumps, apart": bump(0.96**0.5, 0.2) + bump(-(0.96**0.5), 0.2)}
    found = {}
    for name, p in laws.items():
        p = p / p.sum()
        distortion, rate, _ = rate_distortion.blahut_arimoto(p, (x[:, None] - x) ** 2, beta, 300)
        distortion, rate = float(distortion), float(rate)
        h = -np.sum(p * np.log(np.maximum(p, 1e-300))) + np.log(0.05)
        gauss, shannon = np.log(1 + p @ x**2 / distortion) / 2, h - np.log(2 * np.pi * np.e * distortion) / 2
        found[name] = np.array([distortion**0.5, rate, gauss, shannon])
    return found


def subspace_mixtures(eps: float, K: int = 8, D: int = 16, d: int = 2, seeds: int = 5) -> np.ndarray:
    """K Gaussians on random d-dimensional subspaces of R^D, equally likely, E||x||^2 = 1; (3, seeds), in nats: the coding rate of
    their covariance; a code that says the component first; and the least possible, with the component given for nothing."""
    found = []
    for seed in range(seeds):
        Us = np.linalg.qr(np.random.default_rng(seed).normal(size=(K, D, d)))[0]
        whole = np.linalg.eigvalsh(np.mean(Us @ Us.swapaxes(1, 2), axis=0) / d)
        given = d / 2 * np.log(max(1 / eps**2, 1))
        found.append([np.sum(np.log(1 + D * whole / eps**2)) / 2, np.log(K) + given, given])
    return np.array(found).T


def net_sizes(Ns: list[int], eps: float, seeds: int = 5) -> np.ndarray:
    """Words that farthest point first takes on N random points of the unit circle, (len(Ns), seeds)."""
    sizes = []
    for N in Ns:
        for seed in range(seeds):
            a = np.random.default_rng(seed).uniform(0, 2 * np.pi, N)
            chord, count = 2 * np.abs(np.sin((a - a[0]) / 2)), 1
            while chord.max() > eps:
                chord = np.minimum(chord, 2 * np.abs(np.sin((a - a[chord.argmax()]) / 2)))
                count += 1
            sizes.append(count)
    return np.array(sizes).reshape(len(Ns), seeds)
