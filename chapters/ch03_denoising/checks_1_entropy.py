"""Exercises of Part 1: entropy, quantisation, Gaussians, cross-entropy, noised mixtures, the speed of entropy."""

import math

import jax.numpy as jnp
import numpy as np

from book_utils import entropy
from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds


def probabilities(rng, n):
    """n positive probabilities, none of them tiny."""
    p = rng.uniform(0.1, 1, size=n)
    return p / p.sum()


def positive_definite(rng, D):
    """A covariance (D, D) with eigenvalues between 0.3 and 3, its axes at random."""
    W = np.linalg.qr(rng.normal(size=(D, D)))[0]
    return (W * rng.uniform(0.3, 3, size=D)) @ W.T


def few_points(Sigma):
    """2 D equally likely points (D, 2 D) with mean zero and covariance Sigma exactly."""
    root = np.linalg.cholesky(Sigma) * np.sqrt(len(Sigma))
    return np.concatenate([root, -root], axis=1)


def minus_log_gaussian(X, Sigma):
    """-log of the density of N(0, Sigma) at each column of X, by its definition. Float64."""
    quadratic = (X * np.linalg.inv(Sigma).dot(X)).sum(axis=0)
    return np.log(np.sqrt((2 * np.pi) ** len(Sigma) * np.linalg.det(Sigma))) + quadratic / 2


# P3.1

discrete_entropy = Exercise(
    "ch03.discrete_entropy", "Entropy", principles=["P3.1"], label="eqn:entropy-discrete", minutes=6,
    stand_in=entropy.discrete_entropy,
    objective="compute the entropy of a list of probabilities",
    hints=["Each symbol contributes p_i times its length in nats, -log p_i.",
           "jnp.log(0) is -inf, and 0 times -inf is NaN. Which number could stand in for a p_i that is 0, inside the logarithm?",
           "Put 1 there: its logarithm is 0. jnp.where(p > 0, p, 1) does it.",
           "-jnp.sum(p * jnp.log(jnp.where(p > 0, p, 1)))"])


@discrete_entropy.law("log n for n equally likely symbols")
def entropy_of_equal_symbols(f, rng):
    close(f(np.full(12, 1 / 12)), math.log(12))


@discrete_entropy.law("0 where one symbol is certain, and unchanged by symbols that never come")
def entropy_with_zeros(f, rng):
    close(f(np.eye(12)[5]), 0)
    close(f(np.repeat([0.25, 0.0], [4, 8])), math.log(4))


@discrete_entropy.law("adds up for independent pairs")
def entropy_of_pairs(f, rng):
    p, q = probabilities(rng, 3), probabilities(rng, 4)
    close(f(np.outer(p, q).ravel()), f(np.pad(p, (0, 9))) + f(np.pad(q, (0, 8))))


@discrete_entropy.law("log of the number of arrangements of a very long sequence, per symbol")
def entropy_by_counting(f, rng):
    counts = rng.integers(10**8, 10**9, size=12)
    N = int(counts.sum())
    arrangements = math.lgamma(N + 1) - sum(math.lgamma(int(n) + 1) for n in counts)  # log of a multinomial coefficient
    close(f(counts / N), arrangements / N)


discrete_entropy.wrong("in bits", replace=("jnp.log(", "jnp.log2("), caught_by=entropy_of_equal_symbols,
                       hint="Divide a number of bits by log2(e), or use the natural logarithm: the entropy is asked for in nats.")
discrete_entropy.wrong("the wrong sign", replace=("-jnp.sum", "jnp.sum"), caught_by=entropy_of_equal_symbols,
                       hint="Logarithms of probabilities are negative. Can a length be?")
discrete_entropy.wrong("does not treat zeros", replace=("jnp.where(p > 0, p, 1)", "p"), caught_by=entropy_with_zeros,
                       hint="What does the computer make of 0 * log(0)?")
discrete_entropy.wrong("a mean over symbols", replace=("-jnp.sum(", "-jnp.mean("), caught_by=entropy_of_equal_symbols,
                       hint="The weights p_i already make it a mean; nothing is to be divided by n.")
discrete_entropy.wrong("every symbol counts alike", replace=("p * logs", "logs"), caught_by=entropy_by_counting,
                       hint="A rare symbol has a long word, but how often do you pay for it?")
discrete_entropy.wrong("something small added in the logarithm", replace=("jnp.where(p > 0, p, 1)", "p + 0.001"),
                       caught_by=entropy_of_equal_symbols,
                       hint="That avoids the NaN and changes all other terms. Only the zeros need another number.")


@discrete_entropy.right("over the positive ones, in NumPy")
def _(p):
    p = np.asarray(p, dtype=float)
    p = p[p > 0]
    return (p * np.log(1 / p)).sum()


@discrete_entropy.right("symbol by symbol")
def _(p):
    total = 0.0
    for probability in p:
        if probability > 0:
            total = total - probability * jnp.log(probability)
    return total


code_lengths = Exercise(
    "ch03.code_lengths", "Shannon's code lengths", principles=["P3.1"], label="eqn:entropy-discrete", minutes=8, level="more",
    objective="give every symbol a whole code length and see what rounding costs",
    hints=["2^(-l) <= p is the same as l >= -log2(p). Take the smallest whole l.",
           "jnp.ceil rounds up; take 0.0001 away first, so that an exact 3 stays 3.",
           "Kraft: jnp.sum(2.0 ** -lengths). Mean: each length is paid as often as its symbol comes."])


@code_lengths.law("the shortest whole length l_i with 2^(-l_i) <= p_i")
def lengths_are_shortest(f, rng):
    p = probabilities(rng, 9)
    l = np.asarray(f(p)[0], dtype=float)
    holds((l == np.round(l)).all(), "a length is not a whole number")
    holds((0.5**l <= p * (1 + 2e-4)).all(), "a length is too short for its symbol")
    holds((0.5 ** (l - 1) > p).all(), "a length could be shorter")


@code_lengths.law("-log2 p_i itself for powers of 1/2, where the mean is the entropy and Kraft's sum is 1")
def lengths_of_powers(f, rng):
    exact = rng.permutation([1, 2, 3, 4, 5, 6, 7, 8, 8])
    lengths, kraft, mean = f(0.5**exact)
    close(lengths, exact)
    close(kraft, 1)
    close(mean, (exact * 0.5**exact).sum())


@code_lengths.law("leaves room for words none of which begins another")
def lengths_of_words(f, rng):
    lengths, kraft, _ = f(probabilities(rng, 9))
    words, value, before = [], 0, 0
    for l in sorted(int(round(float(l))) for l in lengths):  # the first number of l digits that is still free
        value, before = value << (l - before), l
        words.append(format(value, f"0{l}b"))
        holds(value < 2**l, "there are not enough words of these lengths")
        value += 1
    holds(not any(a != b and b.startswith(a) for a in words for b in words), "one word begins another")
    close(kraft, sum(0.5 ** len(word) for word in words))


@code_lengths.law("a mean length of at least the entropy in bits, and less than one bit more")
def lengths_within_a_bit(f, rng):
    for p in (probabilities(rng, 9), np.array([0.96] + 8 * [0.005])):
        lengths, _, mean = f(p)
        extra = float(mean) + (p * np.log2(p)).sum()
        holds(-1e-4 < extra < 1, "the mean length is not between H and H + 1")
        close(mean, p @ np.asarray(lengths, dtype=float))


code_lengths.wrong("rounds down", replace=("jnp.ceil(-jnp.log2(p) - 1e-4)", "jnp.floor(-jnp.log2(p) + 1e-4)"),
                   caught_by=lengths_of_words, hint="Shorter words for everyone: is there room for them? See Kraft's sum.")
code_lengths.wrong("rounds to the nearest", replace=("jnp.ceil(-jnp.log2(p) - 1e-4)", "jnp.round(-jnp.log2(p))"),
                   caught_by=lengths_are_shortest, hint="Rounded down, a word takes more room than the share p_i.")
code_lengths.wrong("natural logarithm", replace=("jnp.log2", "jnp.log"), caught_by=lengths_of_powers,
                   hint="A word of l binary digits is one of 2^l.")
code_lengths.wrong("one more than rounding down", replace=("jnp.ceil(-jnp.log2(p) - 1e-4)", "jnp.floor(-jnp.log2(p) + 1e-4) + 1"),
                   caught_by=lengths_of_powers, hint="What does that make of p = 1/2?")
code_lengths.wrong("the mean over words instead of over text", replace=("jnp.sum(p * lengths)", "jnp.mean(lengths)"),
                   caught_by=lengths_within_a_bit, hint="Short words come more often.")
code_lengths.wrong("Kraft's sum without the minus", replace=("2.0**-lengths", "2.0**lengths"), caught_by=lengths_of_powers,
                   hint="A long word takes little room.")
code_lengths.wrong("no rounding at all", replace=("jnp.ceil(-jnp.log2(p) - 1e-4)", "-jnp.log2(p)"),
                   caught_by=lengths_are_shortest, hint="A word has a whole number of digits.")


@code_lengths.right("by counting up, in NumPy")
def _(p):
    lengths = np.zeros(len(p))
    for i, probability in enumerate(np.asarray(p, dtype=float)):
        while 0.5 ** lengths[i] > probability * (1 + 1e-5):
            lengths[i] += 1
    return lengths, (1 / 2**lengths).sum(), np.dot(p, lengths)


# P3.2

quantized_entropy = Exercise(
    "ch03.quantized_entropy", "From cells to differential entropy", principles=["P3.2"], label="eqn:entropy-differential",
    minutes=6, level="more", stand_in=entropy.quantized_entropy,
    objective="estimate a differential entropy from the probabilities of cells",
    hints=["The entropy of the cells is that of 1.1: a sum of -p_i log p_i, zeros left out.",
           "What is the volume of a cube of side eps in D dimensions, and its logarithm?",
           "Add D * jnp.log(eps) to the entropy of the cells."])


@quantized_entropy.law("D log a for the uniform law on a cube of side a, whatever the cells")
def quantized_cube(f, rng):
    for k, D, a in (64, 1, 0.3), (8, 2, 2.5), (4, 3, 0.5):  # 64 cells each
        close(f(np.full(64, 1 / 64), a / k, D), D * math.log(a))


@quantized_entropy.law("for N(0, 4) and cells of 0.1, minus the integral of p log p")
def quantized_gaussian(f, rng):
    x = np.linspace(-16, 16, 20_001)
    p = np.exp(-(x**2) / 8) / np.sqrt(8 * np.pi)
    edges = 0.1 * np.arange(-150, 151)
    cells = np.diff([math.erf(e / 8**0.5) / 2 for e in edges])
    close(f(np.append(cells, np.zeros(20)), 0.1, 1), -(p * np.log(p)).sum() * (x[1] - x[0]), tol=2)


@quantized_entropy.law("unchanged when every cell is cut into 2^D equal ones")
def quantized_cuts(f, rng):
    p = probabilities(rng, 8)
    for D in (1, 2, 3):
        finer = np.pad(np.repeat(p, 2**D) / 2**D, (0, 64 - 8 * 2**D))
        close(f(finer, 0.2, D), f(np.pad(p, (0, 56)), 0.4, D))


@quantized_entropy.law("larger by D log c when everything is measured in units c times smaller")
def quantized_units(f, rng):
    p = np.pad(probabilities(rng, 30), (0, 34))
    close(f(p, 5.0, 3), f(p, 0.5, 3) + 3 * math.log(10))


quantized_entropy.wrong("leaves the cells out", replace=(" + D * jnp.log(eps)", ""), caught_by=quantized_cuts,
                        hint="Make the cells smaller and smaller: what happens to the entropy of the record?")
quantized_entropy.wrong("the side instead of the volume", replace=("D * jnp.log(eps)", "jnp.log(eps)"), caught_by=quantized_cube,
                        hint="In the plane, half the side makes four cells of one, not two.")
quantized_entropy.wrong("subtracts", replace=("+ D * jnp.log(eps)", "- D * jnp.log(eps)"), caught_by=quantized_cuts,
                        hint="The record grows as eps gets smaller. Which sign brings it back?")
quantized_entropy.wrong("does not treat zeros", replace=("jnp.where(p > 0, p, 1)", "p"), caught_by=quantized_gaussian,
                        hint="Most cells of a grid are empty; 0 log 0 counts as 0.")
quantized_entropy.wrong("the logarithm to base 2 for the cells", replace=("D * jnp.log(eps)", "D * jnp.log2(eps)"),
                        caught_by=quantized_units, hint="Both terms in nats.")
quantized_entropy.wrong("D inside the logarithm", replace=("D * jnp.log(eps)", "jnp.log(D * eps)"),
                        caught_by=quantized_cube, hint="log(eps^D) is not log(D eps).")


@quantized_entropy.right("from the density in each cell, in NumPy")
def _(p, eps, D):
    p = np.asarray(p, dtype=float)
    p = p[p > 0]
    return -(p * np.log(p / eps**D)).sum()


# P3.3

gaussian_entropy = Exercise(
    "ch03.gaussian_entropy", "Entropy of a Gaussian", principles=["P3.3"], label="eqn:entropy-Gaussian-multi", minutes=8,
    stand_in=entropy.gaussian_entropy,
    objective="compute the entropy of a Gaussian in any dimension",
    hints=["The formula has two terms: one depends on D only, one on the covariance only.",
           "jnp.linalg.slogdet(Sigma) returns a sign and the logarithm of the absolute determinant.",
           "D / 2 * (1 + log(2 pi)) + logdet / 2, with D = Sigma.shape[0]."])


@gaussian_entropy.law("the mean of -log p over points that have its covariance")
def gaussian_mean_length(f, rng):
    Sigma = positive_definite(rng, 4)
    close(f(Sigma), minus_log_gaussian(few_points(Sigma), Sigma).mean())


@gaussian_entropy.law("for one coordinate of four independent ones, minus the integral of p log p")
def gaussian_integral(f, rng):
    x = np.linspace(-30, 30, 6001)
    for std in (0.5, 3.0):
        p = np.exp(-(x**2) / (2 * std**2)) / (np.sqrt(2 * np.pi) * std)
        close(f(std**2 * np.eye(4)) / 4, -(p * np.log(p + 1e-300)).sum() * 0.01)


@gaussian_entropy.law("grows by log |det A| under a linear map A")
def gaussian_maps(f, rng):
    Sigma, A = positive_definite(rng, 4), np.linalg.qr(rng.normal(size=(4, 4)))[0] * rng.uniform(0.4, 2.5, size=4)
    close(f(A @ Sigma @ A.T) - f(Sigma), np.log(abs(np.linalg.det(A))), tol=5)


@gaussian_entropy.law("adds up for independent groups of coordinates")
def gaussian_blocks(f, rng):
    A, B, Sigma = positive_definite(rng, 1), positive_definite(rng, 3), np.zeros((4, 4))
    Sigma[:1, :1], Sigma[1:, 1:] = A, B
    close(f(Sigma), sum(minus_log_gaussian(few_points(C), C).mean() for C in (A, B)))


@gaussian_entropy.law("finite in 200 dimensions with standard deviations of 0.001, and of 1000")
def gaussian_many_dimensions(f, rng):
    for std in (1e-3, 1e3):
        close(f(std**2 * np.eye(200)), 200 * (math.log(std) + math.log(2 * math.pi * math.e) / 2))


gaussian_entropy.wrong("the whole logarithm of the determinant", replace=("logdet / 2", "logdet"), caught_by=gaussian_maps,
                       hint="The density has the square root of the determinant.")
gaussian_entropy.wrong("the constant of one dimension", replace=("D / 2 *", "1 / 2 *"), caught_by=gaussian_mean_length,
                       hint="There is one factor of 1 / sqrt(2 pi) for each coordinate.")
gaussian_entropy.wrong("forgets the quadratic form", replace=("(1 + jnp.log(2 * jnp.pi))", "jnp.log(2 * jnp.pi)"),
                       caught_by=gaussian_integral, hint="What is the mean of (x - mu)^T Sigma^-1 (x - mu)?")
gaussian_entropy.wrong("the logarithm of the determinant itself",
                       replace=("jnp.linalg.slogdet(Sigma)[1]", "jnp.log(jnp.linalg.det(Sigma))"),
                       caught_by=gaussian_many_dimensions,
                       hint="With 200 variances of 10^-6, what is their product in a float?")
gaussian_entropy.wrong("treats coordinates as independent",
                       replace=("jnp.linalg.slogdet(Sigma)[1]", "jnp.log(jnp.diag(Sigma)).sum()"), caught_by=gaussian_maps,
                       hint="That is the entropy of all coordinates one by one. Correlated, they cost less together.")
gaussian_entropy.wrong("takes the sign of the determinant", replace=("slogdet(Sigma)[1]", "slogdet(Sigma)[0]"),
                       caught_by=gaussian_maps, hint="slogdet returns the sign first, then the logarithm.")
gaussian_entropy.wrong("the constant with base 2", replace=("jnp.log(2 * jnp.pi)", "jnp.log2(2 * jnp.pi)"),
                       caught_by=gaussian_integral, hint="Everything in nats: natural logarithms.")


@gaussian_entropy.right("from eigenvalues, in NumPy")
def _(Sigma):
    return 0.5 * np.log(2 * np.pi * np.e * np.linalg.eigvalsh(np.asarray(Sigma, dtype=float))).sum()


@gaussian_entropy.right("with a Cholesky factor")
def _(Sigma):
    diagonal = jnp.diag(jnp.linalg.cholesky(Sigma))
    return jnp.sum(jnp.log(diagonal) + 0.5 * jnp.log(2 * jnp.pi) + 0.5)


# P3.4

gaussian_cross_entropy = Exercise(
    "ch03.gaussian_cross_entropy", "The price of the wrong codebook", principles=["P3.4"], label="sub:min_entropy", minutes=8,
    level="more", stand_in=entropy.gaussian_cross_entropy,
    objective="say what data cost that are described by the wrong Gaussian",
    hints=["Write -log q(x): a constant with the determinant of 2 pi Sigma_q, and a quadratic form.",
           "x^T A x = tr(A x x^T), and the mean of x x^T is Sigma.",
           "Half of: log det(2 pi Sigma_q) plus tr(Sigma_q^-1 Sigma). jnp.linalg.solve(Sigma_q, Sigma) is Sigma_q^-1 Sigma."])


@gaussian_cross_entropy.law("the mean of -log q over points that have covariance Sigma")
def cross_mean_length(f, rng):
    Sigma, Sigma_q = positive_definite(rng, 4), positive_definite(rng, 4)
    close(f(Sigma, Sigma_q), minus_log_gaussian(few_points(Sigma), Sigma_q).mean())


@gaussian_cross_entropy.law("-log q(0) where x is always 0")
def cross_of_nothing(f, rng):
    Sigma_q = positive_definite(rng, 4)
    close(f(np.zeros((4, 4)), Sigma_q), minus_log_gaussian(np.zeros((4, 1)), Sigma_q)[0])


@gaussian_cross_entropy.law("smallest at Sigma_q = Sigma, where it is the entropy")
def cross_minimum(f, rng):
    Sigma = positive_definite(rng, 4)
    least = minus_log_gaussian(few_points(Sigma), Sigma).mean()
    close(f(Sigma, Sigma), least)
    for change in (0.7, 1.4):
        holds(f(Sigma, change * Sigma) > least + 1e-2, "another codebook is cheaper than the right one")
    other = positive_definite(rng, 4)
    holds(f(Sigma, other) > least, "another codebook is cheaper than the right one")


@gaussian_cross_entropy.law("above the entropy by half the sum of r - 1 - log r over the eigenvalues r of Sigma_q^-1 Sigma")
def cross_divergence(f, rng):
    Sigma, Sigma_q = positive_definite(rng, 4), positive_definite(rng, 4)
    L = np.linalg.inv(np.linalg.cholesky(Sigma_q))
    r = np.linalg.eigvalsh(L @ Sigma @ L.T)
    close(f(Sigma, Sigma_q) - f(Sigma, Sigma), (r - 1 - np.log(r)).sum() / 2)


gaussian_cross_entropy.wrong("p and q exchanged",
                             replace=("jnp.linalg.solve(Sigma_q, Sigma)", "jnp.linalg.solve(Sigma, Sigma_q)"),
                             caught_by=cross_mean_length, hint="Whose density stands in the logarithm, and who pays?")
gaussian_cross_entropy.wrong("the whole trace", replace=("jnp.trace(", "2 * jnp.trace("), caught_by=cross_mean_length,
                             hint="The exponent of a Gaussian has a factor 1/2.")
gaussian_cross_entropy.wrong("forgets 2 pi", replace=("2 * jnp.pi * Sigma_q", "Sigma_q"), caught_by=cross_of_nothing,
                             hint="Compare with -log q at 0.")
gaussian_cross_entropy.wrong("one factor 2 pi instead of D",
                             replace=("jnp.linalg.slogdet(2 * jnp.pi * Sigma_q)[1]",
                                      "jnp.log(2 * jnp.pi) + jnp.linalg.slogdet(Sigma_q)[1]"),
                             caught_by=cross_of_nothing, hint="det(c A) = c^D det(A).")
gaussian_cross_entropy.wrong("the entropy of q, as if x came from it",
                             replace=("jnp.trace(jnp.linalg.solve(Sigma_q, Sigma))", "len(Sigma_q)"),
                             caught_by=cross_of_nothing, hint="The trace is D only if Sigma_q = Sigma.")
gaussian_cross_entropy.wrong("divides entry by entry", replace=("jnp.linalg.solve(Sigma_q, Sigma)", "Sigma / Sigma_q"),
                             caught_by=cross_mean_length, hint="Sigma_q^-1 is the inverse of a matrix.")


@gaussian_cross_entropy.right("in the axes of the codebook, in NumPy")
def _(Sigma, Sigma_q):
    variances, W = np.linalg.eigh(np.asarray(Sigma_q, dtype=float))
    energies = np.einsum("ij,ik,kj->j", W, Sigma, W)
    return 0.5 * sum(np.log(2 * np.pi * v) + e / v for v, e in zip(variances, energies))


@gaussian_cross_entropy.right("with the inverse")
def _(Sigma, Sigma_q):
    precision = jnp.linalg.inv(Sigma_q)
    return 0.5 * (len(Sigma) * jnp.log(2 * jnp.pi) - jnp.linalg.slogdet(precision)[1] + jnp.sum(precision * Sigma))


# P3.5

noised_mixture = Exercise(
    "ch03.noised_mixture", "Density of a noised mixture", principles=["P3.5"], label="ex:gaussian_mixture",
    minutes=10, level="more", objective="add noise to a mixture of Gaussians and write down its density",
    hints=["Every component keeps its weight and its mean; its covariance becomes Sigmas[k] + t^2 I.",
           "jnp.linalg.solve and jnp.linalg.det take a whole stack (K, D, D) at once; a loop over k is as good.",
           "The quadratic form of each point: jnp.sum(R * jnp.linalg.solve(C, R), axis=1) for R = X_t - mus[:, :, None].",
           "exp(-quadratic / 2) / sqrt(det(2 pi C)), then the mean over k with weights pi."])

GRID = np.stack([a.ravel() for a in np.meshgrid(np.linspace(-12, 12, 61), np.linspace(-12, 12, 61))])  # (2, 3721), cells of 0.16


def mixture(rng, K=3):
    """Weights, means and covariances of a mixture in the plane; the last component is a point."""
    Sigmas = np.stack([positive_definite(rng, 2) for _ in range(K - 1)] + [np.zeros((2, 2))])
    return probabilities(rng, K), rng.normal(size=(K, 2)) * 1.5, Sigmas


@noised_mixture.law("adds up to 1, with the mean of x and its covariance plus t^2 I")
def noised_moments(f, rng):
    pi, mus, Sigmas = mixture(rng)
    t = 1.3
    w = np.asarray(f(pi, mus, Sigmas, GRID, t), dtype=float) * 0.16
    mean, R = pi @ mus, mus - pi @ mus
    close(w.sum(), 1)
    close(GRID @ w, mean)
    spread = np.tensordot(pi, Sigmas, 1) + (pi * R.T) @ R
    close((GRID * w) @ GRID.T - np.outer(mean, mean), spread + t**2 * np.eye(2), tol=5)


@noised_mixture.law("for points (covariances 0), a Gaussian bump of width t at each")
def noised_points(f, rng):
    pi, mus, Sigmas = mixture(rng)
    distances = ((GRID[:, None] - mus.T[:, :, None]) ** 2).sum(axis=0)
    close(f(pi, mus, 0 * Sigmas, GRID, 0.7), pi @ np.exp(-distances / 0.98) / (0.98 * np.pi))


@noised_mixture.law("the same for noise 0.6 and then 0.8 as for noise 1 at once")
def noised_twice(f, rng):
    pi, mus, Sigmas = mixture(rng)
    close(f(pi, mus, Sigmas + 0.36 * np.eye(2), GRID, 0.8), f(pi, mus, Sigmas, GRID, 1.0))


@noised_mixture.law("the mean of the density of x, moved by every possible t g")
def noised_convolution(f, rng):
    pi, mus, Sigmas = mixture(rng)
    Sigmas = Sigmas + 0.5 * np.eye(2)
    nodes, weights = np.polynomial.hermite_e.hermegauss(24)
    g = np.stack([a.ravel() for a in np.meshgrid(nodes, nodes)])
    w = np.outer(weights, weights).ravel() / (2 * np.pi)
    some = GRID[:, 1500:2200:97]
    p = [w @ sum(c * np.exp(-minus_log_gaussian((x[:, None] - 0.5 * g) - m[:, None], S)) for c, m, S in zip(pi, mus, Sigmas))
         for x in some.T]
    close(np.asarray(f(pi, mus, Sigmas, GRID, 0.5))[1500:2200:97], p)


noised_mixture.wrong("t instead of t squared", replace=("t**2", "t"), caught_by=noised_points,
                     hint="t is a standard deviation. Which power of it adds to covariances?")
noised_mixture.wrong("noise in no direction but the diagonal ones", replace=("np.eye(mus.shape[1])", "np.ones((2, 2))"),
                     caught_by=noised_moments, hint="The coordinates of g are independent: their covariance is the identity.")
noised_mixture.wrong("no noise for what has a shape already", replace=("Sigmas + t**2", "0 * Sigmas + t**2"),
                     caught_by=noised_moments, hint="The variances of independent vectors add up: none of them is lost.")
noised_mixture.wrong("the determinant without its root",
                     replace=("np.sqrt(np.linalg.det(2 * np.pi * C))", "np.linalg.det(2 * np.pi * C)"),
                     caught_by=noised_points, hint="How large is the integral of your density?")
noised_mixture.wrong("all components alike", replace=("pi @ densities", "densities.mean(axis=0)"), caught_by=noised_points,
                     hint="A component comes with probability pi[k].")
noised_mixture.wrong("no half in the exponent", replace=("np.exp(-quadratic / 2)", "np.exp(-quadratic)"),
                     caught_by=noised_points, hint="The exponent of a Gaussian has a factor 1/2.")
noised_mixture.wrong("counts the noise twice", replace=("Sigmas + t**2", "Sigmas + 2 * t**2"), caught_by=noised_twice,
                     hint="Noise of standard deviation t has variance t^2 in each coordinate.")


@noised_mixture.right("in JAX")
def _(pi, mus, Sigmas, X_t, t):
    C = Sigmas + t**2 * jnp.eye(mus.shape[1])
    R = X_t - mus[:, :, None]
    exponents = -jnp.sum(R * jnp.linalg.solve(C, R), axis=1) / 2 - jnp.linalg.slogdet(2 * jnp.pi * C)[1][:, None] / 2
    return pi @ jnp.exp(exponents)


@noised_mixture.right("component by component, in NumPy")
def _(pi, mus, Sigmas, X_t, t):
    X, total = np.asarray(X_t, dtype=float), 0
    for weight, mu, Sigma in zip(np.asarray(pi), np.asarray(mus), np.asarray(Sigmas, dtype=float)):
        variances, W = np.linalg.eigh(Sigma)
        variances = np.maximum(variances, 0) + t**2
        Z = (W.T @ (X - mu[:, None])) / np.sqrt(variances)[:, None]
        total = total + weight * np.exp(-(Z**2).sum(axis=0) / 2) / np.sqrt((2 * np.pi * variances).prod())
    return total


# P3.6

entropy_slope_chain = Derivation(
    "ch03.entropy_slope_chain", "The speed of entropy", principles=["P3.6"], label="thm:diffusion_entropy_increases", minutes=12,
    objective="derive how fast noise adds entropy",
    stages=[Stage("written with dp_dt and a logarithm", uses={"dp_dt", "log"}),
            Stage("written with d2p_dx2 in place of dp_dt", uses={"d2p_dx2", "log"}, without={"dp_dt"}),
            Stage("written with dp_dx, the first derivative in space, and no other", uses={"dp_dx"},
                  without={"d2p_dx2", "dp_dt", "score"})],
    hints=["The derivative of p log p in t is dp_dt * (1 + log p).",
           "Compare the lines of dp_dt and d2p_dx2: one is t times the other.",
           "By parts: the integral of p'' f is minus the integral of p' f', with f = 1 + log p and f' = dp_dx / p.",
           "First -integral(dp_dt * (1 + np.log(p))); then dp_dt replaced by t * d2p_dx2; then t * integral(dp_dx**2 / p)."])


@entropy_slope_chain.instance
def _(rng):
    return dict(X=rng.uniform(-2, 2, size=(1, 5)), t=float(rng.uniform(0.8, 1.2)))


entropy_slope_chain.wrong("differentiates the logarithm only", replace=("dp_dt * (1 + np.log(p))", "dp_dt / p * np.log(p)"),
                          caught_by="equal", hint="p log p is a product: (p log p)' = p' log p + p (log p)'.")
entropy_slope_chain.wrong("forgets the factor t of the heat equation", replace=("-t * integral(d2p_dx2", "-integral(d2p_dx2"),
                          caught_by="equal", hint="dp/dt = t p'': compare the two given lines.")
entropy_slope_chain.wrong("the heat equation of physics", replace=("-t * integral(d2p_dx2", "-0.5 * integral(d2p_dx2"),
                          caught_by="equal", hint="There the variance of the noise grows like time; here it is t^2.")
entropy_slope_chain.wrong("by parts without its minus",
                          replace=("yield t * integral(dp_dx**2 / p)", "yield -t * integral(dp_dx**2 / p)"),
                          caught_by="equal", hint="Integrating by parts changes the sign.")
entropy_slope_chain.wrong("the logarithm survives its derivative",
                          replace=("integral(dp_dx**2 / p)", "integral(dp_dx**2 * (1 + np.log(p)))"), caught_by="equal",
                          hint="By parts, 1 + log p becomes its derivative: dp_dx / p.")
entropy_slope_chain.wrong("leaves the heat equation out",
                          replace=("-t * integral(d2p_dx2 * (1 + np.log(p)))", "-integral(dp_dt * np.log(p))"),
                          caught_by="stages", hint="True: dp_dt integrates to 0. But where does space come in?")


@entropy_slope_chain.right("without the 1, in JAX")
def _(X, t):
    grid, X = np.linspace(-8, 8, 321), np.asarray(X, dtype=float)
    integral = lambda values: 0.05 * values.sum()  # of a function given by its values on the grid
    kernel = lambda t: np.exp(-((grid - X.T) ** 2) / (2 * t**2)) / (np.sqrt(2 * np.pi) * t)  # (N, 321)
    density = lambda t: kernel(t).mean(axis=0)
    entropy = lambda t: -integral(density(t) * np.log(density(t)))
    p, away = density(t), (grid - X.T) / t
    dp_dt = ((away**2 - 1) / t * kernel(t)).mean(axis=0)
    dp_dx = (-away / t * kernel(t)).mean(axis=0)
    d2p_dx2 = ((away**2 - 1) / t**2 * kernel(t)).mean(axis=0)
    score = dp_dx / p  # the derivative of log p
    yield (entropy(t + 1e-4) - entropy(t - 1e-4)) / 2e-4
    yield -0.05 * jnp.sum(dp_dt * jnp.log(p))
    yield -0.05 * jnp.sum(t * d2p_dx2 * jnp.log(p))
    yield 0.05 * t * jnp.sum(dp_dx * (dp_dx / p))
    yield t * integral(p * score**2)


gaussian_entropy_slope = Exercise(
    "ch03.gaussian_entropy_slope", "The slope of a Gaussian's entropy", principles=["P3.6"], label="ex:gaussian_mixture",
    minutes=6, level="more", stand_in=entropy.gaussian_entropy_slope,
    objective="differentiate the entropy of a noised Gaussian and count dimensions with it",
    hints=["The entropy is a constant plus half the sum of log(lambda_i + t^2).",
           "The derivative of log(lambda + t^2) in t is 2 t / (lambda + t^2).",
           "jnp.sum(t / (lams + t**2))"])


@gaussian_entropy_slope.law("the difference quotient of the entropy")
def slope_by_differences(f, rng):
    lams, t, step = rng.uniform(0, 3, size=6), 0.7, 1e-5
    h = lambda t: np.linalg.slogdet(2 * np.pi * np.e * (np.diag(lams) + t**2 * np.eye(6)))[1] / 2
    close(f(lams, t), (h(t + step) - h(t - step)) / (2 * step))


@gaussian_entropy_slope.law("times t: the number of directions without data for small t")
def slope_counts_codimension(f, rng):
    close(1e-3 * f(rng.permutation([2.0, 1.0, 0, 0, 0, 0]), 1e-3), 4)


@gaussian_entropy_slope.law("times t: the number of all directions for large t")
def slope_counts_dimensions(f, rng):
    close(300 * f(rng.uniform(0, 2, size=6), 300.0), 6)


@gaussian_entropy_slope.law("half as large when data and noise are twice as large")
def slope_units(f, rng):
    lams = rng.uniform(0, 3, size=6)
    close(2 * f(4 * lams, 1.2), f(lams, 0.6))


gaussian_entropy_slope.wrong("the derivative in t squared", replace=("t / (lams", "0.5 / (lams"), caught_by=slope_by_differences,
                             hint="d/dt of t^2 is 2 t: the chain rule.")
gaussian_entropy_slope.wrong("twice as steep", replace=("t / (lams", "2 * t / (lams"), caught_by=slope_by_differences,
                             hint="The logarithm of the determinant comes with a factor 1/2.")
gaussian_entropy_slope.wrong("the derivative in log t", replace=("t / (lams", "t**2 / (lams"), caught_by=slope_units,
                             hint="That is t dh/dt, the meter. Asked for is dh/dt.")
gaussian_entropy_slope.wrong("counts what the data fill", replace=("t / (lams + t**2)", "lams / t / (lams + t**2)"),
                             caught_by=slope_counts_codimension,
                             hint="Directions with data are those in which a little noise changes little.")
gaussian_entropy_slope.wrong("t for its square in the variance", replace=("lams + t**2", "lams + t"),
                             caught_by=slope_by_differences, hint="Noise of standard deviation t adds t^2 to every variance.")
gaussian_entropy_slope.wrong("in bits", replace=("jnp.sum(t /", "jnp.sum(1.4427 * t /"), caught_by=slope_counts_dimensions,
                             hint="In nats a direction counts 1.")


@gaussian_entropy_slope.right("as t times the trace of an inverse, in NumPy")
def _(lams, t):
    return t * np.trace(np.linalg.inv(np.diag(np.asarray(lams, dtype=float)) + t**2 * np.eye(len(lams))))


@gaussian_entropy_slope.right("from all directions less those that are filled")
def _(lams, t):
    return (len(lams) - jnp.sum(lams / (lams + t**2))) / t


fisher_from_mmse = Exercise(
    "ch03.fisher_from_mmse", "Fisher information from the error of denoising", principles=["P3.6"],
    label="thm:diffusion_entropy_increases", minutes=6, level="more",
    objective="read the speed of entropy off the error of a denoiser",
    hints=["The claim gives t^2 J. What has to be divided at the end?",
           "t^2 J = D - mmse / t^2.",
           "Two divisions by t^2: one of the error, one of the whole."])


def two_points(t):
    """Fisher information and least error of x_t = x + t g for x = -1 or 1, equally likely, by sums over a grid. Float64."""
    y = np.linspace(-1 - 10 * t, 1 + 10 * t, 20_001)
    step, right, left = y[1] - y[0], np.exp(-((y - 1) ** 2) / (2 * t**2)), np.exp(-((y + 1) ** 2) / (2 * t**2))
    p = (right + left) / np.sqrt(8 * np.pi) / t
    guess = (right - left) / (right + left)
    return (np.gradient(p, step) ** 2 / p).sum() * step, 1 - (guess**2 * p).sum() * step


@fisher_from_mmse.law("for two points on the line, the integral of p'^2 / p")
def fisher_two_points(f, rng):
    for t in (0.5, 1.0, 2.0):
        J, error = two_points(t)
        close(f(error, t, 1), J)


@fisher_from_mmse.law("for Gaussian data, the sum of the inverse variances of x_t")
def fisher_gaussian(f, rng):
    lams, t = rng.uniform(0.2, 3, size=5), 0.6
    close(f((lams * t**2 / (lams + t**2)).sum(), t, 5), (1 / (lams + t**2)).sum())


@fisher_from_mmse.law("that of the noise alone where nothing is left to guess")
def fisher_of_noise(f, rng):
    close(f(0.0, 0.5, 7), 28)


@fisher_from_mmse.law("0 where x_t tells nothing of the noise: an error of t^2 in every coordinate")
def fisher_of_nothing(f, rng):
    close(f(3 * 0.4**2, 0.4, 3), 0)


fisher_from_mmse.wrong("the meter, t squared times too much", replace=("(D - mmse / t**2) / t**2", "D - mmse / t**2"),
                       caught_by=fisher_of_noise, hint="The claim is about t^2 J.")
fisher_from_mmse.wrong("the error is not divided", replace=("(D - mmse / t**2)", "(D - mmse)"), caught_by=fisher_of_nothing,
                       hint="D is a number of directions, mmse an area: in which units is it compared with D?")
fisher_from_mmse.wrong("adds the error", replace=("D - mmse", "D + mmse"), caught_by=fisher_of_nothing,
                       hint="What cannot be told from the noise lowers the information.")
fisher_from_mmse.wrong("one dimension only", replace=("(D - mmse", "(1 - mmse"), caught_by=fisher_of_noise,
                       hint="The squared length of the noise has mean D t^2.")
fisher_from_mmse.wrong("t instead of its square", replace=("mmse / t**2", "mmse / t"), caught_by=fisher_two_points,
                       hint="mmse is a square, and so is what it is compared with.")
fisher_from_mmse.wrong("takes the error per coordinate", replace=("(D - mmse / t**2)", "(D - D * mmse / t**2)"),
                       caught_by=fisher_gaussian, hint="mmse is summed over the coordinates already.")


@fisher_from_mmse.right("from what is known of the noise")
def _(mmse, t, D):
    known = D * t**2 - mmse  # of the mean square of t g, the part that x_t tells
    return np.divide(known, t**4)
