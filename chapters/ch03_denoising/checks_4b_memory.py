"""Exercises of Part 4, second half: the memorising denoiser, what counts as a copy, code lengths of kernel densities."""

import math

import jax.numpy as jnp
import numpy as np

from book_utils import diffusion, memorization
from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds

# P3.26

memorizing_denoiser = Exercise(
    "ch03.memorizing_denoiser", "The memorising denoiser", principles=["P3.26"], label="eq:memorizing_denoiser", minutes=10,
    stand_in=diffusion.memorizing_denoiser,
    objective="write down the denoiser with the smallest training loss",
    hints=["For one x_t: N numbers ||x_t - alpha x_i||^2, N weights that add up to 1, one average of the columns of X.",
           "For all columns of X_t: an array (N, M) of squared distances, from jnp.sum(X_t**2, axis=0) (M,), X.T @ X_t (N, M) "
           "and jnp.sum(X**2, axis=0)[:, None] (N, 1).",
           "The exponents are the squared distances over -2 sigma^2. The weights run over the samples, the first axis; in NumPy: "
           "subtract exponents.max(axis=0), take np.exp, divide by the sum over axis 0.",
           "The result is X @ w with w (N, M): it is the clean samples that are averaged, not alpha times them."])


def posterior_means(X, X_t, alpha, sigma):
    """By Bayes' rule, one column and one training sample after the other."""
    means = []
    for x_t in X_t.T:
        likelihood = [math.prod(math.exp(-((a - alpha * b) ** 2) / (2 * sigma**2)) for a, b in zip(x_t, x)) for x in X.T]
        means.append(sum(p * x for p, x in zip(likelihood, X.T)) / sum(likelihood))
    return np.array(means).T


@memorizing_denoiser.law("the mean under Bayes' rule, sample by sample")
def memorizing_by_bayes(f, rng):
    X, X_t = rng.normal(size=(3, 7)), rng.normal(size=(3, 5))
    for alpha, sigma in ((1.0, 0.7), (0.6, 0.8), (0.9, 0.45)):
        close(f(X, X_t, alpha, sigma), posterior_means(X, X_t, alpha, sigma))


@memorizing_denoiser.law("for alpha = 0 the mean of all training samples, wherever x_t is")
def memorizing_of_noise(f, rng):
    X, X_t = rng.normal(size=(3, 7)), rng.normal(size=(3, 5))
    close(f(X, X_t, 0.0, 1.0), np.tile(X.mean(axis=1, keepdims=True), 5))


@memorizing_denoiser.law("for small sigma the training sample x_i with alpha x_i nearest to x_t")
def memorizing_nearest(f, rng):
    X, X_t = np.array([[3.0, 0, 0, -2, 0, 0, 1], [0, 3, 0, 0, -2, 0, 1], [0, 0, 3, 0, 0, -2, 1]]), rng.normal(size=(3, 5)) / 5
    chosen = [0, 3, 6, 5, 1]
    close(f(X, 0.5 * X[:, chosen] + 0.5 * X_t, 0.5, 0.02), X[:, chosen])


@memorizing_denoiser.law("keeps a coordinate that all training samples share, whatever x_t has there")
def memorizing_in_the_hull(f, rng):
    X, X_t = rng.normal(size=(3, 7)), rng.normal(size=(3, 5))
    X[1] = 2.5
    close(f(X, X_t, 0.7, 0.6)[1], np.full(5, 2.5))


@memorizing_denoiser.law("far from all samples as finite as near them: moving x_t by a vector orthogonal to all changes nothing")
def memorizing_far_away(f, rng):
    X, X_t = rng.normal(size=(3, 7)), rng.normal(size=(3, 5))
    X[2] = 0
    expected = posterior_means(X, X_t, 0.8, 0.9)
    X_t[2] += 60
    close(f(X, X_t, 0.8, 0.9), expected, tol=10)


memorizing_denoiser.wrong("sigma for sigma squared", replace=("sigma**2", "sigma"), caught_by=memorizing_by_bayes,
                          hint="An exponent has no units: a squared distance is divided by what?")
memorizing_denoiser.wrong("forgets the 2 of the Gaussian", replace=("(2 * sigma**2)", "sigma**2"), caught_by=memorizing_by_bayes,
                          hint="The density of N(0, sigma^2) falls like exp(-r^2 / (2 sigma^2)).")
memorizing_denoiser.wrong("weights that add up to 1 over the noisy samples",
                          replace=("(2 * sigma**2), axis=0)", "(2 * sigma**2), axis=1)"),
                          caught_by=memorizing_in_the_hull,
                          hint="For each x_t the N training samples share the probability 1. Which axis counts them?")
memorizing_denoiser.wrong("averages alpha x_i", replace=("return X @ w", "return alpha * X @ w"), caught_by=memorizing_of_noise,
                          hint="x_t is near alpha x_i. But the mean wanted is that of x, not of alpha x.")
memorizing_denoiser.wrong("distances to x_i instead of alpha x_i",
                          replace=("2 * alpha * X.T @ X_t + alpha**2 *", "2 * X.T @ X_t +"), caught_by=memorizing_by_bayes,
                          hint="Given x = x_i, where is the centre of x_t?")
memorizing_denoiser.wrong("alpha for alpha squared", replace=("alpha**2", "alpha"), caught_by=memorizing_nearest,
                          hint="What is ||alpha x_i||^2?")
memorizing_denoiser.wrong("exponentials without taking the largest exponent away",
                          replace=("jax.nn.softmax(-squares / (2 * sigma**2), axis=0)",
                                   "jnp.exp(-squares / (2 * sigma**2)) / jnp.exp(-squares / (2 * sigma**2)).sum(axis=0)"),
                          caught_by=memorizing_far_away,
                          hint="Far away every exponential is 0, and 0/0 is no number. Only differences of exponents matter.")
memorizing_denoiser.wrong("distances that are not squared", replace=("-squares", "-jnp.sqrt(jnp.maximum(squares, 0))"),
                          caught_by=memorizing_by_bayes, hint="What stands in the exponent of a Gaussian?")


@memorizing_denoiser.right("in NumPy, column by column")
def _(X, X_t, alpha, sigma):
    X, answers = np.asarray(X), []
    for x_t in np.asarray(X_t).T:
        exponents = -((x_t[:, None] - alpha * X) ** 2).sum(axis=0) / (2 * sigma**2)
        w = np.exp(exponents - exponents.max())
        answers.append(X @ (w / w.sum()))
    return np.stack(answers, axis=1)


@memorizing_denoiser.right("from the score of the kernel density")
def _(X, X_t, alpha, sigma):
    def density(z):
        return jax.nn.logsumexp(jnp.sum(alpha * X * z[:, None] - (alpha * X) ** 2 / 2, axis=0) / sigma**2)

    if alpha == 0:
        return jnp.tile(X.mean(axis=1, keepdims=True), X_t.shape[1])
    return sigma**2 / alpha * jax.vmap(jax.grad(density), 1, 1)(X_t)


memorizing_chain = Derivation(
    "ch03.memorizing_chain", "From a kernel density to the memorising denoiser", principles=["P3.26"],
    label="eq:memorizing_denoiser", minutes=8, level="more",
    objective="derive the memorising denoiser from Tweedie's formula",
    stages=[Stage("with the weights and the differences alpha x_i - x_t, and without a derivative",
                  uses={"w", "X", "x_t", "sigma"}, without={"grad"})],
    hints=["log of a sum of exponentials: its slope is the average of the slopes of the exponents, with the weights w.",
           "The slope of -||z - alpha x_i||^2 / (2 sigma^2) in z is (alpha x_i - z) / sigma^2, column i of "
           "(alpha * X - x_t[:, None]) / sigma**2.",
           "So the first line of yours is (x_t + sigma**2 * ((alpha * X - x_t[:, None]) / sigma**2) @ w) / alpha. Then use that "
           "the weights add up to 1."])


@memorizing_chain.instance
def _(rng):
    alpha, sigma = float(rng.uniform(0.4, 0.9)), float(rng.uniform(0.5, 1))
    return dict(X=rng.normal(size=(3, 5)), x_t=rng.normal(size=3), alpha=alpha, sigma=sigma)


memorizing_chain.wrong("a slope with the wrong sign", replace=("((alpha * X - x_t[:, None]) / sigma**2)",
                                                               "((x_t[:, None] - alpha * X) / sigma**2)"), caught_by="equal",
                       hint="A bump rises towards its centre: from x_t, which way is alpha x_i?")
memorizing_chain.wrong("sigma for sigma squared in the slope", replace=("/ sigma**2) @ w", "/ sigma) @ w"), caught_by="equal",
                       hint="Differentiate r^2 / (2 sigma^2) by r.")
memorizing_chain.wrong("loses the factor 1 / alpha", replace=("(x_t + alpha * X @ w - x_t * jnp.sum(w)) / alpha",
                                                              "x_t + alpha * X @ w - x_t * jnp.sum(w)"), caught_by="equal",
                       hint="Tweedie's formula for alpha x + sigma g divides by alpha at the end.")
memorizing_chain.wrong("counts x_t N times", replace=("x_t * jnp.sum(w)", "x_t * len(w)"), caught_by="equal",
                       hint="x_t is taken away once with every weight. What do the weights add up to?")
memorizing_chain.wrong("forgets alpha in the difference", replace=("(alpha * X - x_t[:, None])", "(X - x_t[:, None])"),
                       caught_by="equal",
                       hint="The bumps stand on alpha x_i.")
memorizing_chain.wrong("keeps the derivative to the end", replace=("sigma**2 * ((alpha * X - x_t[:, None]) / sigma**2) @ w",
                                                                   "sigma**2 * jax.grad(lambda z: log_density(z))(x_t)"),
                       caught_by="stages", hint="Carry the derivative out: what is the slope of each exponent?")


@memorizing_chain.right("sample by sample")
def _(X, x_t, alpha, sigma):
    log_bumps = lambda z: -jnp.sum((z[:, None] - alpha * X) ** 2, axis=0) / (2 * sigma**2)  # (N,), up to a constant
    w = jax.nn.softmax(log_bumps(x_t))  # (N,), they add up to 1
    log_density = lambda z: jax.nn.logsumexp(log_bumps(z))  # up to a constant, which has no slope
    yield (x_t + sigma**2 * jax.grad(log_density)(x_t)) / alpha
    yield (x_t + sum(w_i * sigma**2 * (alpha * x - x_t) / sigma**2 for w_i, x in zip(w, X.T))) / alpha
    yield sum(w_i * x for w_i, x in zip(w, X.T))
    yield X @ w


# P3.27

memorization_ratio = Exercise(
    "ch03.memorization_ratio", "The memorisation ratio", principles=["P3.27"],
    label="eq:diffusion_euclidean_memorization_criterion", minutes=8, level="more", stand_in=memorization.memorization_ratio,
    objective="measure which fraction of generated samples are copies",
    hints=["First all distances, an array (N, M): X[:, :, None] - X_new[:, None, :] has shape (D, N, M).",
           "Sort each column of it (jnp.sort(..., axis=0)); rows 0 and 1 are the nearest and the second nearest.",
           "0 / 0 is no number: compare first < c * second instead, and add the case first == 0 by hand. The mean of booleans is "
           "a fraction."])


def neighbours(X, X_new):
    """Two smallest distances of every column of X_new to columns of X, in float64."""
    return np.array([sorted(math.dist(x, a) for a in X.T)[:2] for x in X_new.T]).T


@memorization_ratio.law("on the line between two training samples, a share u along: counts if and only if u < c / (1 + c)")
def ratio_on_a_segment(f, rng):
    a, b = rng.normal(size=(2, 3, 1))
    far = 50 + 10 * rng.random((3, 7))
    u = (np.arange(20) + 0.5) / 41  # below 1/2, where a is the nearer one
    for c in (0.12, 0.3, 0.7):
        close(f(np.hstack([far, a, b]), a + u * (b - a), c), (u < c / (1 + c)).mean())


@memorization_ratio.law("the fraction found with distances sorted one sample at a time")
def ratio_by_sorting(f, rng):
    X, X_new = rng.normal(size=(3, 9)), rng.normal(size=(3, 20))
    first, second = neighbours(X, X_new)
    quotients = np.sort(first / second)
    middle = [float(quotients[k] + quotients[k + 1]) / 2 for k in np.argsort(np.diff(quotients))[-3:]]  # far from every quotient
    for c in middle:
        close(f(X, X_new, c), (quotients < c).mean())


@memorization_ratio.law("1 for exact copies, also where a training sample stands in X twice")
def ratio_of_copies(f, rng):
    X = np.repeat(rng.integers(-4, 5, size=(3, 1)) + 2.0 * np.arange(6), [1, 2, 1, 2, 2, 1], axis=1)
    close(f(X, X[:, rng.integers(9, size=20)], 0.25), 1)


@memorization_ratio.law("unchanged by moving, scaling and mirroring everything")
def ratio_is_geometric(f, rng):
    X, X_new, shift = rng.normal(size=(3, 9)), rng.normal(size=(3, 20)), np.array([[1.0], [-2], [3]])
    first, second = neighbours(X, X_new)
    quotients = np.sort(first / second)
    k = 5 + np.argmax(np.diff(quotients[5:15]))  # the widest gap of the middle: no quotient is near
    close(f(shift - 30 * X, shift - 30 * X_new, float(quotients[k] + quotients[k + 1]) / 2), (k + 1) / 20)


memorization_ratio.wrong("squared distances", replace=("jnp.linalg.norm(X[:, :, None] - X_new[:, None, :], axis=0)",
                                                       "jnp.sum((X[:, :, None] - X_new[:, None, :]) ** 2, axis=0)"),
                         caught_by=ratio_on_a_segment,
                         hint="Squares of distances have the square of the ratio. The threshold is for the ratio.")
memorization_ratio.wrong("0 / 0 for a training sample that stands there twice", replace=("(first < c * second) | (first == 0)",
                                                                                         "first / second < c"),
                         caught_by=ratio_of_copies,
                         hint="Nearest and second nearest may be the same sample twice. Then both distances are 0.")
memorization_ratio.wrong("the third nearest", replace=("[:2]", "[0:3:2]"), caught_by=ratio_on_a_segment,
                         hint="Which rows of the sorted array are the nearest and the second nearest?")
memorization_ratio.wrong("sorts along the generated samples",
                         replace=("jnp.sort(distances, axis=0)", "jnp.sort(distances, axis=1).T"),
                         caught_by=ratio_on_a_segment, hint="Every generated sample has its own nearest training samples.")
memorization_ratio.wrong("a fixed threshold", replace=("c * second", "second / 3"), caught_by=ratio_on_a_segment,
                         hint="1/3 is one choice of c.")
memorization_ratio.wrong("counts those that are no copies", replace=("first < c * second", "first > c * second"),
                         caught_by=ratio_on_a_segment, hint="A copy is much nearer to the first than to the second.")


@memorization_ratio.right("in NumPy, sample by sample")
def _(X, X_new, c):
    X, found = np.asarray(X), 0
    for x in np.asarray(X_new).T:
        lengths = np.sqrt(((X.T - x) ** 2).sum(axis=1))
        i = lengths.argmin()
        found += lengths[i] == 0 or lengths[i] < c * np.delete(lengths, i).min()
    return found / np.shape(X_new)[1]


@memorization_ratio.right("by the two largest of the negatives")
def _(X, X_new, c):
    squares = jax.vmap(lambda x: jnp.sum((X - x[:, None]) ** 2, axis=0), 1)(X_new)
    two = -jax.lax.top_k(-squares, 2)[0]
    return jnp.where((two[:, 0] == 0) | (two[:, 0] < c**2 * two[:, 1]), 1.0, 0.0).mean()


fresh_sample_floor = Derivation(
    "ch03.fresh_sample_floor", "The floor of fresh samples", principles=["P3.27"],
    label="eq:diffusion_euclidean_memorization_criterion", minutes=10, level="more", instances=4,
    objective="derive how many fresh samples pass for copies",
    stages=[Stage("an integral over r with f and F, but without c r",
                  uses={"c", "d", "integral", "f", "F"}),
            Stage("an integral over the share u, without F and f", uses={"integral", "N"}, without={"F", "f", "r"})],
    hints=["F(c r) is (c r)^d: a factor that does not depend on r leaves the integral.",
           "The next line: N * (N - 1) * c**d * integral(lambda r: f(r) * F(r) * (1 - F(r)) ** (N - 2)).",
           "Substitute u = F(r): du = f(r) dr, and u goes from 0 to 1 as r does."])


@fresh_sample_floor.instance
def _(rng):
    return dict(c=float(rng.uniform(0.3, 0.9)), d=int(rng.integers(2, 5)), N=int(rng.integers(3, 9)))


fresh_sample_floor.wrong("c without its power", replace=("(N - 1) * c**d * integral(lambda r", "(N - 1) * c * integral(lambda r"),
                         caught_by="equal", hint="F(c r) = (c r)^d.")
fresh_sample_floor.wrong("surface in place of volume",
                         replace=("(N - 1) * c**d * integral(lambda r", "(N - 1) * c ** (d - 1) * integral(lambda r"),
                         caught_by="equal", hint="F is a share of volume; f stays as it is, at r.")
fresh_sample_floor.wrong("substitutes and keeps the density", replace=("u * (1 - u)", "d * u * (1 - u)"), caught_by="equal",
                         hint="f(r) dr becomes du: nothing of f remains.")
fresh_sample_floor.wrong("one sample too many beyond the second", replace=("u * (1 - u) ** (N - 2)", "u * (1 - u) ** (N - 1)"),
                         caught_by="equal", hint="Two of the N are accounted for: the nearest and the second nearest.")
fresh_sample_floor.wrong("does not say who is nearest",
                         replace=("N * (N - 1) * c**d * integral(lambda u", "N * c**d * integral(lambda u"),
                         caught_by="equal", hint="N choices for the second nearest, and how many then for the nearest?")
fresh_sample_floor.wrong("stays in r", replace=("N * (N - 1) * c**d * integral(lambda u: u * (1 - u) ** (N - 2))",
                                                "c**d * N * (N - 1) * integral(lambda r: F(r) * f(r) * (1 - F(r)) ** (N - 2))"),
                         caught_by="stages", hint="True. Now substitute u = F(r).")


@fresh_sample_floor.right("with the last integral in closed form")
def _(c, d, N):
    grid = jnp.linspace(0, 1, 20_001)
    integral = lambda h: jnp.trapezoid(h(grid), grid)  # of h from 0 to 1
    F = lambda r: r**d
    f = lambda r: d * r ** (d - 1)  # derivative of F: the density of one distance
    yield N * (N - 1) * integral(lambda r: f(r) * F(c * r) * (1 - F(r)) ** (N - 2))
    yield c**d * (N * (N - 1) * integral(lambda r: (1 - F(r)) ** (N - 2) * F(r) * f(r)))
    yield c**d * (N * (N - 1) * integral(lambda v: (1 - v) * v ** (N - 2)))
    yield c**d * (N * (N - 1) * (1 / (N - 1) - 1 / N))
    yield c**d


ratio_dimension = Exercise(
    "ch03.ratio_dimension", "A dimension from two distances", principles=["P3.27"],
    label="eq:diffusion_euclidean_memorization_criterion", minutes=6, level="more",
    objective="estimate the dimension of data, and the floor of their memorisation ratio",
    hints=["As for the memorisation ratio: two smallest distances for every new sample.",
           "log(second / first) is -log(ratio). Its mean is an estimate of 1/d.",
           "If you have squared distances, their logarithms are twice as large."])


@ratio_dimension.law("gives d exactly where the ratios are the quantiles of their law")
def dimension_of_quantiles(f, rng):
    far = 50 + 10 * rng.random((3, 7))
    a, b = rng.normal(size=(2, 3, 1))
    for d in (1, 3, 8):
        r = rng.uniform(0.05, 0.95, 20)
        r = r ** (20 / (d * -np.log(r).sum()))  # now -log r has the mean 1/d
        close(f(np.hstack([far, a, b]), a + r / (1 + r) * (b - a)), d, tol=20)


@ratio_dimension.law("the same when everything is moved, scaled, or put into a larger space")
def dimension_is_intrinsic(f, rng):
    X, X_new = rng.normal(size=(2, 9)), rng.normal(size=(2, 20))
    first, second = neighbours(X, X_new)
    U = np.linalg.qr(rng.normal(size=(3, 2)))[0]
    close(f(1 + 7 * U @ X, 1 + 7 * U @ X_new), 1 / np.mean(np.log(second / first)), tol=5)


@ratio_dimension.law("one over it, for two sets of new samples together, is the mean of one over it for each")
def dimension_of_a_union(f, rng):
    X, X_new = rng.normal(size=(3, 9)), rng.normal(size=(3, 20))
    both, first, second = f(X, X_new), f(X, np.tile(X_new[:, :10], 2)), f(X, np.tile(X_new[:, 10:], 2))
    close(1 / both, (1 / first + 1 / second) / 2)


ratio_dimension.wrong("squared distances", replace=("return 2 /", "return 1 /"), caught_by=dimension_of_quantiles,
                      hint="log(r^2) = 2 log(r).")
ratio_dimension.wrong("the mean, and not one over it", replace=("2 / jnp.mean(jnp.log(squares[1] / squares[0]))",
                                                                "jnp.mean(jnp.log(squares[1] / squares[0])) / 2"),
                      caught_by=dimension_of_quantiles, hint="An exponential law with rate d has the mean 1/d.")
ratio_dimension.wrong("the logarithm of the mean", replace=("jnp.mean(jnp.log(squares[1] / squares[0]))",
                                                            "jnp.log(jnp.mean(squares[1] / squares[0]))"),
                      caught_by=dimension_is_intrinsic, hint="First the logarithm of every ratio, then the mean.")
ratio_dimension.wrong("the ratio upside down", replace=("squares[1] / squares[0]", "squares[0] / squares[1]"),
                      caught_by=dimension_of_quantiles, hint="A dimension is positive, and log(ratio) is not.")
ratio_dimension.wrong("the mean of one over the logarithms", replace=("2 / jnp.mean(jnp.log(squares[1] / squares[0]))",
                                                                      "jnp.mean(2 / jnp.log(squares[1] / squares[0]))"),
                      caught_by=dimension_of_quantiles, hint="Average first: one over a logarithm near 0 can be anything.")
ratio_dimension.wrong("third nearest over nearest", replace=("squares[1] / squares[0]", "squares[2] / squares[0]"),
                      caught_by=dimension_is_intrinsic, hint="Rows 0 and 1 of the sorted distances.")


@ratio_dimension.right("in NumPy, sample by sample")
def _(X, X_new):
    X, logs = np.asarray(X), []
    for x in np.asarray(X_new).T:
        first, second = np.sort(np.linalg.norm(X.T - x, axis=1))[:2]
        logs.append(np.log(second) - np.log(first))
    return len(logs) / sum(logs)


cosine_memorized = Exercise(
    "ch03.cosine_memorized", "Copies by their features", principles=["P3.27"], label="eq:diffusion_sscd_memorization_criterion",
    minutes=6, level="more",
    objective="measure memorisation by the cosine of features",
    hints=["Bring every column to length 1 first, in both arrays; then cosines are dot products.",
           "F / jnp.linalg.norm(F, axis=0) has unit columns; A.T @ B holds all N M cosines.",
           "The largest over the training samples (axis 0), compared with c, then the mean over the others."])


@cosine_memorized.law("in the plane: counts if the smallest angle to a training feature is below arccos(c)")
def cosine_angles(f, rng):
    angles, others = np.array([0.3, 1.0, 3.0, 3.2, 3.4, 3.6]), 2 * np.pi * (np.arange(25) + 0.37) / 25
    between = np.abs((others - angles[:, None] + np.pi) % (2 * np.pi) - np.pi).min(axis=0)
    F, F_new = (np.stack([np.cos(a), 0 * a, np.sin(a)]) for a in (angles, others))
    for c in (0.6, 0.9, -0.2):
        close(f(F, F_new, c), (between < np.arccos(c)).mean())


@cosine_memorized.law("unchanged when features are made longer or shorter, each by a positive number of its own")
def cosine_lengths(f, rng):
    F, F_new = rng.normal(size=(3, 6)), rng.normal(size=(3, 25))
    largest = np.sort([max(a @ b / math.hypot(*a) / math.hypot(*b) for a in F.T) for b in F_new.T])
    c = float(largest[[8, 9]].mean()) if largest[9] - largest[8] > 1e-3 else float(largest[[12, 13]].mean())
    close(f(F * rng.uniform(0.2, 5, 6), F_new * rng.uniform(0.2, 5, 25), c), (largest > c).mean())


@cosine_memorized.law("a feature and its negative are no copies of each other")
def cosine_of_negatives(f, rng):
    F, copies = np.abs(rng.normal(size=(3, 6))) + 0.1, rng.integers(6, size=25)
    close(f(F, -F[:, copies], 0.2), 0)
    close(f(F, 2 * F[:, copies], 0.9), 1)


cosine_memorized.wrong("features of the training set keep their length", replace=("F / jnp.linalg.norm(F, axis=0), ", "F, "),
                       caught_by=cosine_lengths, hint="A dot product is a cosine only for vectors of length 1, both of them.")
cosine_memorized.wrong("new features keep their length", replace=("F_new / jnp.linalg.norm(F_new, axis=0)", "F_new"),
                       caught_by=cosine_lengths, hint="Divide by both lengths.")
cosine_memorized.wrong("the mean cosine", replace=("jnp.max(A.T @ B, axis=0)", "jnp.mean(A.T @ B, axis=0)"),
                       caught_by=cosine_angles, hint="One training sample that it resembles is enough.")
cosine_memorized.wrong("absolute cosines", replace=("jnp.max(A.T @ B, axis=0)", "jnp.max(jnp.abs(A.T @ B), axis=0)"),
                       caught_by=cosine_of_negatives, hint="A cosine of -1 is as far apart as can be.")
cosine_memorized.wrong("asks which training samples were copied", replace=("A.T @ B, axis=0", "A.T @ B, axis=1"),
                       caught_by=cosine_angles,
                       hint="The maximum goes over the training samples, and one number is left for each new one.")
cosine_memorized.wrong("divides by squared lengths",
                       replace=("A, B = F / jnp.linalg.norm(F, axis=0),", "A, B = F / jnp.sum(F**2, axis=0),"),
                       caught_by=cosine_lengths, hint="The length is the square root of the sum of squares.")


@cosine_memorized.right("pair by pair, in NumPy")
def _(F, F_new, c):
    F, F_new = np.asarray(F), np.asarray(F_new)
    return np.mean([any(a @ b > c * np.sqrt((a @ a) * (b @ b)) for a in F.T) for b in F_new.T])


# P3.28

kernel_cross_entropy = Exercise(
    "ch03.kernel_cross_entropy", "Code lengths under a kernel density", principles=["P3.28"], label="sec:diffusion_memorization",
    minutes=10, level="more", stand_in=memorization.kernel_cross_entropy,
    objective="measure how well a kernel density codes new samples",
    hints=["For one x: the log of the mean over i of exp(-||x - x_i||^2 / (2 eps^2)) / (2 pi eps^2)^(D/2).",
           "Tiny exponentials are 0 in floating point, and log 0 is -inf: jax.nn.logsumexp(exponents, axis=0) adds them safely.",
           "-log q(x) = log N + D/2 log(2 pi eps^2) - logsumexp(...). The mean goes over the code lengths, at the end."])


def log_kernel_density(X, x, eps):
    """log of the mean of the bumps at x, in float64, by the largest exponent."""
    exponents = [-math.dist(x, a) ** 2 / (2 * eps**2) for a in X.T]
    top = max(exponents)
    mean = sum(math.exp(e - top) for e in exponents) / len(exponents)
    return top + math.log(mean) - len(X) / 2 * math.log(2 * math.pi * eps**2)


@kernel_cross_entropy.law("the mean of -log q, bump by bump")
def kernel_bump_by_bump(f, rng):
    X, X_new = rng.normal(size=(3, 6)), rng.normal(size=(3, 6))
    for eps in (0.4, 1.7):
        close(f(X, X_new, eps), -np.mean([log_kernel_density(X, x, eps) for x in X_new.T]))


@kernel_cross_entropy.law("for centres in one point the code length of one Gaussian")
def kernel_of_one_centre(f, rng):
    a, X_new = rng.normal(size=(3, 1)), rng.normal(size=(3, 6))
    expected = 1.5 * np.log(2 * np.pi * 0.49) + ((X_new - a) ** 2).sum(axis=0).mean() / 0.98
    close(f(np.tile(a, 6), X_new, 0.7), expected)


@kernel_cross_entropy.law("D log a more when everything is a times as large")
def kernel_scaled(f, rng):
    X, X_new = rng.normal(size=(3, 6)), rng.normal(size=(3, 6))
    close(f(5 * X, 5 * X_new, 2.5), 3 * np.log(5) - np.mean([log_kernel_density(X, x, 0.5) for x in X_new.T]))


@kernel_cross_entropy.law("finite far away from all centres")
def kernel_far_away(f, rng):
    X, X_new = rng.normal(size=(3, 6)), 20 + rng.normal(size=(3, 6))
    close(f(X, X_new, 0.1), -np.mean([log_kernel_density(X, x, 0.1) for x in X_new.T]))


@kernel_cross_entropy.law("below every bound for training samples as eps shrinks")
def kernel_of_training_samples(f, rng):
    X = 3.0 * rng.permutation(8)[:6] + rng.integers(-4, 5, size=(3, 1))
    close(f(X, X, 1e-3), np.log(6) + 3 * np.log(1e-3) + 1.5 * np.log(2 * np.pi))


kernel_cross_entropy.wrong("a sum of bumps in place of their mean", replace=("jnp.log(N) + ", ""), caught_by=kernel_of_one_centre,
                           hint="q has to integrate to 1: each of the N bumps has the weight 1/N.")
kernel_cross_entropy.wrong("one dimension's constant", replace=("D / 2 * jnp.log", "1 / 2 * jnp.log"),
                           caught_by=kernel_of_one_centre,
                           hint="A bump in D dimensions is a product of D bumps.")
kernel_cross_entropy.wrong("eps for its square in the exponent", replace=("(2 * eps**2), axis", "(2 * eps), axis"),
                           caught_by=kernel_bump_by_bump,
                           hint="The covariance is eps^2 I.")
kernel_cross_entropy.wrong("forgets the normalising constant of a bump", replace=(" + D / 2 * jnp.log(2 * jnp.pi * eps**2)", ""),
                           caught_by=kernel_scaled, hint="Narrow bumps are high: the code length has to know eps.")
kernel_cross_entropy.wrong("logarithm of a plain sum", replace=("jax.nn.logsumexp(-squares / (2 * eps**2), axis=0)",
                                                                "jnp.log(jnp.exp(-squares / (2 * eps**2)).sum(axis=0))"),
                           caught_by=kernel_far_away,
                           hint="exp(-1000) is 0 in floating point. Take the largest exponent out first.")
kernel_cross_entropy.wrong("log of the mean density over the new samples", replace=("jnp.mean(log_sums)",
                                                                                    "jnp.log(jnp.mean(jnp.exp(log_sums)))"),
                           caught_by=kernel_bump_by_bump, hint="Every sample has its own code length; the mean is over lengths.")
kernel_cross_entropy.wrong("only the nearest bump", replace=("jax.nn.logsumexp(-squares / (2 * eps**2), axis=0)",
                                                             "jnp.max(-squares / (2 * eps**2), axis=0)"),
                           caught_by=kernel_of_one_centre, hint="Right for tiny eps only: all bumps add up.")
kernel_cross_entropy.wrong("sums over the new samples", replace=("(2 * eps**2), axis=0", "(2 * eps**2), axis=1"),
                           caught_by=kernel_bump_by_bump, hint="For each new x the sum is over the centres. Which axis is that?")


@kernel_cross_entropy.right("in NumPy, sample by sample")
def _(X, X_new, eps):
    X, lengths = np.asarray(X, dtype=float), []
    for x in np.asarray(X_new, dtype=float).T:
        e = -((X - x[:, None]) ** 2).sum(axis=0) / (2 * eps**2)
        lengths.append(-e.max() - np.log(np.mean(np.exp(e - e.max()))) + len(X) * np.log(eps * np.sqrt(2 * np.pi)))
    return np.mean(lengths)


leave_one_out = Exercise(
    "ch03.leave_one_out", "Code lengths without new samples", principles=["P3.28"], label="sec:diffusion_memorization",
    minutes=8, level="more",
    objective="choose the width of a kernel density from the training samples alone",
    hints=["As before with X for X_new, but in column i of the exponents sample i itself must not count.",
           "A bump that must not count has the exponent -inf, not 0: exp(-inf) = 0, exp(0) = 1.",
           "jnp.where(jnp.eye(N, dtype=bool), -jnp.inf, exponents); and N - 1 bumps share the weight."])


@leave_one_out.law("each sample coded by the others, bump by bump")
def left_out_by_hand(f, rng):
    X = rng.normal(size=(3, 6))
    for eps in (0.5, 1.5):
        close(f(X, eps), -np.mean([log_kernel_density(np.delete(X, i, axis=1), X[:, i], eps) for i in range(6)]))


@leave_one_out.law("for pairs far from each other, log(N - 1) and the code length of one Gaussian at the pair's distance")
def left_out_of_pairs(f, rng):
    a, b = rng.normal(size=(2, 3, 3))
    apart = 30 * np.eye(3)
    expected = np.log(5) + 1.5 * np.log(2 * np.pi * 0.64) + ((a - b) ** 2).sum(axis=0).mean() / 1.28
    close(f(np.concatenate([a + apart, b + apart], axis=1), 0.8), expected)


@leave_one_out.law("grows beyond every bound as eps shrinks, while all samples differ")
def left_out_narrow(f, rng):
    X = 2.0 * rng.permutation(8)[:6] + rng.normal(size=(3, 1))
    shortest = min(abs(a - b) for a in X[0] for b in X[0] if a != b)
    holds(f(X, 0.05) > 1.5 * shortest**2 / 0.005 - 10, "the code of left-out samples is too short")


@leave_one_out.law("D log a more when everything is a times as large")
def left_out_scaled(f, rng):
    X = rng.normal(size=(3, 6))
    expected = -np.mean([log_kernel_density(np.delete(X, i, axis=1), X[:, i], 0.6) for i in range(6)])
    close(f(4 * X, 2.4), expected + 3 * np.log(4))


leave_one_out.wrong("leaves every sample in", replace=("jnp.where(jnp.eye(N, dtype=bool), -jnp.inf, -squares / (2 * eps**2))",
                                                       "-squares / (2 * eps**2)"),
                    caught_by=left_out_narrow,
                    hint="The nearest centre to a training sample is the sample itself. It must not count.")
leave_one_out.wrong("exponent 0 for the sample itself", replace=("-jnp.inf", "0.0"), caught_by=left_out_narrow,
                    hint="exp(0) = 1 is the largest bump there is. Which exponent gives 0?")
leave_one_out.wrong("the weight of N bumps", replace=("jnp.log(N - 1)", "jnp.log(N)"), caught_by=left_out_of_pairs,
                    hint="How many bumps are left?")
leave_one_out.wrong("one dimension's constant", replace=("D / 2 * jnp.log", "1 / 2 * jnp.log"), caught_by=left_out_of_pairs,
                    hint="A bump in D dimensions is a product of D bumps.")
leave_one_out.wrong("leaves all the others out", replace=("jnp.where(jnp.eye(N, dtype=bool), -jnp.inf, -squares / (2 * eps**2))",
                                                          "jnp.where(jnp.eye(N, dtype=bool), -squares / (2 * eps**2), -jnp.inf)"),
                    caught_by=left_out_by_hand, hint="Where the identity is True stands the sample itself.")
leave_one_out.wrong("forgets the 2 in the exponent", replace=("-squares / (2 * eps**2)", "-squares / eps**2"),
                    caught_by=left_out_of_pairs,
                    hint="exp(-r^2 / (2 eps^2)).")


@leave_one_out.right("by kernel densities of the others, in NumPy")
def _(X, eps):
    X, total = np.asarray(X, dtype=float), 0.0
    D, N = X.shape
    for i in range(N):
        e = -((np.delete(X, i, axis=1) - X[:, [i]]) ** 2).sum(axis=0) / (2 * eps**2)
        total += np.log(np.exp(e - e.max()).mean()) + e.max()
    return D * np.log(eps) + D * np.log(2 * np.pi) / 2 - total / N


@leave_one_out.right("without the diagonal, which is cut out")
def _(X, eps):
    D, N = X.shape
    i = jnp.arange(N)[:, None]
    others = (i + jnp.arange(1, N)) % N  # (N, N - 1)
    squares = jnp.sum((X[:, others] - X[:, i]) ** 2, axis=0)
    log_q = jax.nn.logsumexp(-squares / (2 * eps**2), axis=1) - jnp.log(N - 1) - D * jnp.log(eps) - D / 2 * jnp.log(2 * jnp.pi)
    return -log_q.mean()
