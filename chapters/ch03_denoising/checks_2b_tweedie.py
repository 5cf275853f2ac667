"""Exercises of Part 2, second half: Tweedie's formula, two points, one subspace, several subspaces."""

import itertools
import math

import jax.numpy as jnp
import numpy as np

from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds


def some_atoms(rng, D=2, N=7):
    """Atoms (D, N), their probabilities (N,), and a noisy sample (D,)."""
    return rng.normal(size=(D, N)), rng.dirichlet(np.full(N, 2.0)), rng.normal(size=D)


def bayes(X, weights, x_t, t):
    """Posterior probabilities (N,) of the atoms, in float64."""
    square = np.array([np.sum((x - x_t) ** 2) for x in X.T])
    likely = weights * np.exp(-(square - square.min()) / (2 * t**2))
    return likely / likely.sum()


def log_density(X, weights, x_t, t):
    """log p_t(x_t) but for a constant, in float64."""
    return np.log(sum(w * np.exp(-np.sum((x - x_t) ** 2) / (2 * t**2)) for w, x in zip(weights, X.T)))


def slope(function, x, h=1e-5):
    """Central differences of `function` at x (D,): gradient (D,), or Jacobian (m, D)."""
    return np.stack([(function(x + h * e) - function(x - h * e)) / (2 * h) for e in np.eye(len(x))], axis=-1)


def orthonormal_frame(rng, D, d):
    """(D, d) with orthonormal columns."""
    return np.linalg.qr(rng.normal(size=(D, d)))[0]


# P3.10

tweedie_chain = Derivation(
    "ch03.tweedie_chain", "From the score to the posterior mean", principles=["P3.10"], label="eq:tweedie", minutes=12,
    instances=2,
    objective="derive Tweedie's formula for a law of finitely many atoms",
    stages=[Stage("with the gradient of p_t, and no logarithm", uses={"grad", "p_t"}, without={"log_p_t", "log"}),
            Stage("with the Gaussians' gradients written out, grad being gone", uses={"X", "x_t", "phi"},
                  without={"grad", "log_p_t"})],
    hints=["The gradient of log p is the gradient of p, divided by p.",
           "The gradient of exp(-||x_i - z||^2 / (2 t^2)) in z is the same exponential times (x_i - z) / t^2.",
           "With columns: the gradient of p_t at x_t is ((X - x_t[:, None]) / t**2) @ (weights * phi(x_t)).",
           "After dividing by p_t(x_t) the weights are posterior. They add up to 1, so x_t cancels."])


@tweedie_chain.instance
def _(rng):
    X, weights, x_t = some_atoms(rng, N=5)
    return dict(X=X, weights=weights, x_t=x_t, t=0.9)


tweedie_chain.wrong("forgets to divide by p", replace=("grad(p_t)(x_t) / p_t(x_t)", "grad(p_t)(x_t)"), caught_by="equal",
                    hint="The derivative of log u is u' / u.")
tweedie_chain.wrong("pushes away from the atoms", replace=("(X - x_t[:, None])", "(x_t[:, None] - X)"), caught_by="equal",
                    hint="Uphill on a Gaussian around x_i: is that towards x_i or away from it?")
tweedie_chain.wrong("t for its square in the Gaussian's gradient", replace=("/ t**2) @", "/ t) @"), caught_by="equal",
                    hint="Differentiate -||x_i - z||^2 / (2 t^2).")
tweedie_chain.wrong("forgets the factor that squares bring down", replace=("/ t**2) @", "/ (2 * t**2)) @"), caught_by="equal",
                    hint="The derivative of a square brings down a factor 2.")
tweedie_chain.wrong("weighs all atoms alike", replace=("(weights * phi(x_t))", "phi(x_t)"), caught_by="equal",
                    hint="p_t is a weighted sum of Gaussians: where have the weights gone?")
tweedie_chain.wrong("leaves the gradient to the machine",
                    replace=("((X - x_t[:, None]) / t**2) @ (weights * phi(x_t))", "grad(lambda z: weights @ phi(z))(x_t)"),
                    caught_by="stages", hint="True, but the gradient of a Gaussian can be written out by hand.")


@tweedie_chain.right("atom by atom")
def _(X, weights, x_t, t):
    D = X.shape[0]
    square = lambda z: jnp.sum((X - z[:, None]) ** 2, axis=0)
    phi = lambda z: jnp.exp(-square(z) / (2 * t**2)) / (2 * jnp.pi * t**2) ** (D / 2)  # (N,): density of x_i + t g at z
    p_t = lambda z: weights @ phi(z)
    log_p_t = lambda z: jnp.log(p_t(z))
    grad = jax.grad  # grad(p_t)(z) is the gradient of p_t at z
    posterior = weights * phi(x_t) / p_t(x_t)  # Bayes' rule
    yield x_t + t**2 * grad(log_p_t)(x_t)
    yield x_t + t**2 / p_t(x_t) * grad(p_t)(x_t)
    yield x_t + sum(w * f * (x - x_t) for w, f, x in zip(weights, phi(x_t), X.T)) / p_t(x_t)
    yield X @ posterior


tweedie = Exercise(
    "ch03.tweedie", "Tweedie's formula", principles=["P3.10"], label="eq:tweedie", minutes=8,
    objective="remove noise with the score of the noisy density",
    hints=["One step uphill from x_t. How long?", "A score has the unit 1 / length. What turns it into a length?",
           "x_t plus t squared times the score."])


@tweedie.law("leaves x_t alone where the density is flat")
def tweedie_flat(f, rng):
    x_t = rng.normal(size=2)
    close(f(x_t, np.zeros(2), 0.8), x_t)


@tweedie.law("equals the posterior mean of seven atoms")
def tweedie_atoms(f, rng):
    X, weights, x_t = some_atoms(rng)
    for t in (0.6, 1.7):
        score = slope(lambda z: log_density(X, weights, z, t), x_t)
        close(f(x_t, score, t), X @ bayes(X, weights, x_t, t))


@tweedie.law("equals the posterior mean of a Gaussian, mu + Sigma (Sigma + t^2 I)^-1 (x_t - mu)")
def tweedie_gaussian(f, rng):
    A, mu, x_t, t = rng.normal(size=(2, 2)), rng.normal(size=2), rng.normal(size=2), 0.7
    C = A @ A.T + t**2 * np.eye(2)
    close(f(x_t, -np.linalg.inv(C) @ (x_t - mu), t), mu + A @ A.T @ np.linalg.solve(C, x_t - mu))


@tweedie.law("equals the posterior mean of a uniform law, by numerical integration")
def tweedie_uniform(f, rng):
    t, x, x_t = 0.5, np.linspace(-1, 1, 4001), np.array([0.9, -1.6])
    likely = np.exp(-((x_t[:, None] - x) ** 2) / (2 * t**2))
    likely[:, [0, -1]] /= 2  # trapezoids
    cdf = lambda z: 0.5 * (1 + math.erf(z / 2**0.5))
    p = np.array([cdf((z + 1) / t) - cdf((z - 1) / t) for z in x_t])  # twice the density
    d = (np.exp(-((x_t + 1) ** 2) / (2 * t**2)) - np.exp(-((x_t - 1) ** 2) / (2 * t**2))) / (t * math.sqrt(2 * math.pi))
    close(f(x_t, d / p, t), likely @ x / likely.sum(axis=1))


tweedie.wrong("t for its square", replace=("t**2", "t"), caught_by=tweedie_atoms, hint="What are the units of the score?")
tweedie.wrong("steps downhill", replace=("x_t + ", "x_t - "), caught_by=tweedie_gaussian,
              hint="Denoised samples are where the density is higher.")
tweedie.wrong("forgets x_t", replace=("x_t + ", ""), caught_by=tweedie_flat,
              hint="You have the step. From where is it taken?")
tweedie.wrong("half a step", replace=("t**2", "t**2 / 2"), caught_by=tweedie_uniform,
              hint="The 2 of the Gaussian's exponent is gone once it has been differentiated.")
tweedie.wrong("divides by the square", replace=("t**2 *", "1 / t**2 *"), caught_by=tweedie_gaussian,
              hint="With hardly any noise there is hardly anything to correct.")


@tweedie.right("entry by entry, in NumPy")
def _(x_t, score, t):
    return np.array([float(a) + t * (t * float(b)) for a, b in zip(x_t, score)])


score_from_atoms = Exercise(
    "ch03.score_from_atoms", "The score of a data set", principles=["P3.10"], label="thm:tweedie", minutes=8, level="more",
    objective="compute the score of noised data without any density of the data",
    hints=["Tweedie's formula, read backwards: (posterior mean - x_t) / t^2.",
           "The posterior weight of atom i is in proportion to weights[i] exp(-||x_i - x_t||^2 / (2 t^2)).",
           "Where all exponentials are 0 in float32 their ratios are not: work with logarithms, and subtract the largest.",
           "jax.nn.softmax(jnp.log(weights) - square / (2 * t**2)) does just that."])


@score_from_atoms.law("the gradient of log p_t, by finite differences")
def score_by_differences(f, rng):
    X, weights, x_t = some_atoms(rng)
    for t in (0.7, 1.5):
        close(f(X, weights, x_t, t), slope(lambda z: log_density(X, weights, z, t), x_t))


@score_from_atoms.law("far from all atoms it points to the nearest one, with no NaN")
def score_far_away(f, rng):
    X, weights, t = rng.normal(size=(2, 7)), np.full(7, 1 / 7), 0.05
    x_t = np.array([30.0, -20.0])
    nearest = X[:, np.argmin(np.sum((X - x_t[:, None]) ** 2, axis=0))]
    close(f(X, weights, x_t, t), (nearest - x_t) / t**2)


@score_from_atoms.law("an atom split into two, with half its weight each, changes nothing")
def score_of_split_atoms(f, rng):
    X, weights, x_t = some_atoms(rng)
    X[:, 6] = X[:, 5]
    halves = weights.copy()
    halves[5] = halves[6] = (weights[5] + weights[6]) / 2
    close(f(X, halves, x_t, 0.8), f(X, weights, x_t, 0.8))
    rest = np.append(weights[:5], weights[5] + weights[6])
    close(f(X, weights, x_t, 0.8), slope(lambda z: log_density(X[:, :6], rest, z, 0.8), x_t))


@score_from_atoms.law("mean zero under p_t itself, by numerical integration")
def score_has_mean_zero(f, rng):
    X, weights, t = np.array([[-1.0, 0.4, 2.0]]), np.array([0.6, 0.3, 0.1]), 0.8
    z = np.linspace(-6, 7, 45)
    p = np.array([sum(w * np.exp(-((a - s) ** 2) / (2 * t**2)) for w, a in zip(weights, X[0])) for s in z])
    scores = np.array([np.asarray(f(X, weights, np.array([s]), t), dtype=float)[0] for s in z])
    close(scores @ p / p.sum(), 0)
    close((scores * z) @ p / p.sum(), -1)  # integrating by parts: E[x_t score] = -1 in one dimension


score_from_atoms.wrong("weighs all atoms alike", replace=("jnp.log(weights) - ", "-"), caught_by=score_by_differences,
                       hint="An atom that is rare before the observation is rarer after it, too.")
score_from_atoms.wrong("forgets the 2", replace=("(2 * t**2)", "t**2"), caught_by=score_by_differences,
                       hint="The Gaussian's exponent is -||x_i - x_t||^2 / (2 t^2).")
score_from_atoms.wrong("the distance for its square", replace=("jnp.sum((X - x_t[:, None]) ** 2, axis=0)",
                       "jnp.linalg.norm(X - x_t[:, None], axis=0)"), caught_by=score_by_differences,
                       hint="The exponent of a Gaussian is quadratic.")
score_from_atoms.wrong("exponentials before their ratio",
                       replace=("jax.nn.softmax(logits)", "jnp.exp(logits) / jnp.exp(logits).sum()"), caught_by=score_far_away,
                       hint="Far away all exponentials are 0 in float32, and 0 / 0 is NaN.")
score_from_atoms.wrong("the posterior mean itself", replace=(" - x_t) / t**2", ")"), caught_by=score_has_mean_zero,
                       hint="That is what the denoiser answers. The score is the way there, in units of t^2.")
score_from_atoms.wrong("t for its square at the end", replace=("- x_t) / t**2", "- x_t) / t"), caught_by=score_by_differences,
                       hint="Solve Tweedie's formula for the score.")


@score_from_atoms.right("sum of gradients, in NumPy float64")
def _(X, weights, x_t, t):
    X, weights, x_t = (np.asarray(a, dtype=float) for a in (X, weights, x_t))
    logs = np.array([np.log(w) - np.dot(x - x_t, x - x_t) / (2 * t**2) for w, x in zip(weights, X.T)])
    likely = np.exp(logs - logs.max())
    return sum(p * (x - x_t) / t**2 for p, x in zip(likely, X.T)) / likely.sum()


@score_from_atoms.right("by automatic differentiation")
def _(X, weights, x_t, t):
    log_p = lambda z: jax.nn.logsumexp(jnp.log(weights) - jnp.sum((X - z[:, None]) ** 2, axis=0) / (2 * t**2))
    return jax.grad(log_p)(jnp.asarray(x_t))


posterior_covariance = Exercise(
    "ch03.posterior_covariance", "How sure the denoiser is", principles=["P3.10"], label="eq:tweedie", minutes=12, level="more",
    objective="compute the posterior covariance, and read it as the denoiser's Jacobian",
    hints=["First the posterior weights, as for the score. Then a weighted covariance.",
           "About which point? The covariance of x given x_t is taken about its own mean, E[x | x_t].",
           "With away = X minus the posterior mean in every column: sum over i of posterior[i] away_i away_i^T.",
           "(posterior * away) @ away.T is that sum."])


@posterior_covariance.law("t^2 times the Jacobian of the posterior mean, by finite differences")
def covariance_is_jacobian(f, rng):
    X, weights, x_t = some_atoms(rng, D=3)
    for t in (0.6, 1.4):
        close(f(X, weights, x_t, t), t**2 * slope(lambda z: X @ bayes(X, weights, z, t), x_t))


@posterior_covariance.law("its trace is the mean squared distance to the posterior mean")
def covariance_trace(f, rng):
    X, weights, x_t = some_atoms(rng, D=3)
    posterior = bayes(X, weights, x_t, 0.9)
    x_bar = X @ posterior
    close(np.trace(f(X, weights, x_t, 0.9)), sum(p * np.sum((x - x_bar) ** 2) for p, x in zip(posterior, X.T)))


@posterior_covariance.law("symmetric, with no negative eigenvalue, and 0 across a plane that contains all atoms")
def covariance_is_positive(f, rng):
    X, weights, x_t = some_atoms(rng, D=3)
    X[2] = 0.5
    C = np.asarray(f(X, weights, x_t, 0.9), dtype=float)
    close(C, C.T)
    close(C[2], np.zeros(3))
    holds(np.linalg.eigvalsh(C).min() > -1e-4, "an eigenvalue is negative")


@posterior_covariance.law("under very much noise the covariance of the atoms themselves; under very little, nearly 0")
def covariance_limits(f, rng):
    X, weights, _ = some_atoms(rng, D=3)
    X *= 2
    away = X - (X @ weights)[:, None]
    close(f(X, weights, np.ones(3), 1000.0), away @ np.diag(weights) @ away.T)
    close(f(X, weights, X[:, 2] + 0.01, 0.02), np.zeros((3, 3)))


posterior_covariance.wrong("about 0 instead of the mean", replace=("X - (X @ posterior)[:, None]", "X"),
                           caught_by=covariance_trace, hint="E[x x^T] is a covariance only where the mean is 0.")
posterior_covariance.wrong("about the noisy sample", replace=("(X @ posterior)[:, None]", "x_t[:, None]"),
                           caught_by=covariance_trace, hint="About x_t? The spread of x is measured about its own mean.")
posterior_covariance.wrong("the Jacobian instead", replace=("(posterior * away) @ away.T", "(posterior * away) @ away.T / t**2"),
                           caught_by=covariance_limits,
                           hint="The Jacobian is the covariance divided by t^2. Which one is asked for?")
posterior_covariance.wrong("spread under the prior weights", replace=("(posterior * away)", "(weights * away)"),
                           caught_by=covariance_limits, hint="Once x_t is seen, atoms far from it hardly count.")
posterior_covariance.wrong("every atom counts the same", replace=("jnp.log(weights) - ", "-"), caught_by=covariance_is_jacobian,
                           hint="Bayes' rule has two factors: prior and likelihood.")
posterior_covariance.wrong("forgets the 2", replace=("(2 * t**2)", "t**2"), caught_by=covariance_is_jacobian,
                           hint="The Gaussian's exponent is -||x_i - x_t||^2 / (2 t^2).")


@posterior_covariance.right("second moment minus square of the mean, in NumPy float64")
def _(X, weights, x_t, t):
    X, weights, x_t = (np.asarray(a, dtype=float) for a in (X, weights, x_t))
    logs = np.log(weights) - ((X.T - x_t) ** 2).sum(axis=1) / (2 * t**2)
    p = np.exp(logs - logs.max())
    p /= p.sum()
    return np.einsum("n,in,jn->ij", p, X, X) - np.outer(X @ p, X @ p)


@posterior_covariance.right("as a Jacobian")
def _(X, weights, x_t, t):
    x_bar = lambda z: X @ jax.nn.softmax(jnp.log(weights) - jnp.sum((X - z[:, None]) ** 2, axis=0) / (2 * t**2))
    return t**2 * jax.jacfwd(x_bar)(jnp.asarray(x_t))


# P3.11

twopoint_denoiser = Exercise(
    "ch03.twopoint_denoiser", "The denoiser of random signs", principles=["P3.11"], label="example:denoising_twopoints",
    minutes=6, level="more", objective="write the posterior mean of a sign, without overflow",
    hints=["Bayes' rule in one dimension: (e^a - e^-a) / (e^a + e^-a) with which a?",
           "That ratio has a name, and NumPy and JAX a function of that name that does not overflow.",
           "a = x_t / t^2: the tanh of it."])


@twopoint_denoiser.law("the posterior mean over all 8 sign vectors, by counting")
def signs_by_counting(f, rng):
    corners, x_t = np.array(list(itertools.product([-1.0, 1.0], repeat=3))).T, rng.normal(size=3)
    for t in (0.7, 2.0):
        close(f(x_t, t), corners @ bayes(corners, np.full(8, 1 / 8), x_t, t))


@twopoint_denoiser.law("odd, and strictly inside the two points where nothing is decided")
def signs_are_odd(f, rng):
    x_t = rng.normal(size=3)
    close(f(-x_t, 0.9), -np.asarray(f(x_t, 0.9), dtype=float))
    holds(np.abs(np.asarray(f(np.array([0.2, -0.1, 0.05]), 2.0), dtype=float)).max() < 0.1, "an answer is far from 0")


@twopoint_denoiser.law("the sign itself where t is tiny, with no overflow")
def signs_without_noise(f, rng):
    close(f(np.array([5.0, -5.0, 0.02]), 1e-3), [1, -1, 1])


@twopoint_denoiser.law("of slope 1 / t^2 at 0: the prior variance 1 over t^2, under much noise")
def signs_slope(f, rng):
    small = np.array([0.01, -0.02, 0.03])
    close(np.asarray(f(small, 1.5), dtype=float) / small, np.full(3, 1 / 1.5**2))


twopoint_denoiser.wrong("t for its square", replace=("t**2", "t"), caught_by=signs_slope,
                        hint="Expand the two exponents -(x_t -+ 1)^2 / (2 t^2): what stands before x_t?")
twopoint_denoiser.wrong("a factor 2 too many", replace=("x_t / t**2", "2 * x_t / t**2"), caught_by=signs_by_counting,
                        hint="The difference of the two exponents is 2 x_t / t^2; tanh a is e^a - e^-a over e^a + e^-a.")
twopoint_denoiser.wrong("decides for the nearer point", replace=("jnp.tanh(x_t / t**2)", "jnp.sign(x_t)"),
                        caught_by=signs_are_odd,
                        hint="The nearer point is the likeliest answer. The least squared error has the mean.")
twopoint_denoiser.wrong("exponentials and their ratio", replace=(
    "jnp.tanh(x_t / t**2)", "(jnp.exp(x_t / t**2) - jnp.exp(-x_t / t**2)) / (jnp.exp(x_t / t**2) + jnp.exp(-x_t / t**2))"),
                        caught_by=signs_without_noise, hint="For small t the exponentials overflow, and inf / inf is NaN.")
twopoint_denoiser.wrong("the probability of +1", replace=("jnp.tanh(x_t / t**2)", "jax.nn.sigmoid(2 * x_t / t**2)"),
                        caught_by=signs_by_counting, hint="With probability q of +1, the mean is q - (1 - q).")


@twopoint_denoiser.right("from the probability of +1, in NumPy")
def _(x_t, t):
    with np.errstate(over="ignore"):
        return 2 / (1 + np.exp(-2 * np.asarray(x_t, dtype=float) / t**2)) - 1


twopoint_variance = Exercise(
    "ch03.twopoint_variance", "Variance of the output, variance of the posterior", principles=["P3.11"],
    label="example:denoising_twopoints", minutes=10, level="more",
    objective="tell the variance of a denoiser's output from the uncertainty it leaves",
    hints=["The output has mean 0, so its variance is E[tanh(x_t / t^2)^2].",
           "By symmetry take x = 1: the mean of tanh((1 + t g) / t^2)^2 over a standard normal g.",
           "The posterior variance of a sign with mean m is 1 - m^2. What do the two results add up to?",
           "g = jnp.linspace(-8, 8, 1601), weights exp(-g^2 / 2) divided by their sum."])


def twopoint_by_integration(t):
    """Output variance and posterior variance by integrating over x_t, with Bayes' rule and no tanh."""
    x_t = np.linspace(-1 - 9 * t, 1 + 9 * t, 40_001)
    plus, minus = (np.exp(-((x_t - a) ** 2) / (2 * t**2)) for a in (1, -1))
    p = (plus + minus) / (plus + minus).sum()
    m = (plus - minus) / np.maximum(plus + minus, 1e-300)
    return p @ m**2, p @ (4 * plus * minus / np.maximum(plus + minus, 1e-300) ** 2)


@twopoint_variance.law("the integrals over x_t, with Bayes' rule")
def variances_by_integration(f, rng):
    for t in (0.3, 0.8, 3.0, 10.0):
        for actual, expected in zip(f(t), twopoint_by_integration(t)):
            close(actual, expected, tol=3)


@twopoint_variance.law("add up to the variance of x, which is 1")
def variances_add_up(f, rng):
    for t in (0.3, 1.0, 5.0):
        output, posterior = f(t)
        close(np.asarray(output, dtype=float) + np.asarray(posterior, dtype=float), 1, tol=5)


@twopoint_variance.law("the posterior variance is below t^2 / (1 + t^2), the error of the best linear denoiser, and grows with t")
def variance_below_linear(f, rng):
    ts = np.array([0.4, 0.7, 1.0, 2.0, 4.0])
    posterior = np.array([np.asarray(f(float(t))[1], dtype=float) for t in ts])
    holds((posterior <= ts**2 / (1 + ts**2) + 1e-3).all(), "the posterior variance exceeds that of a linear denoiser")
    holds((np.diff(posterior) > 0).all(), "the posterior variance falls somewhere")


twopoint_variance.wrong("in the other order", replace=("return shown, 1 - shown", "return 1 - shown, shown"),
                        caught_by=variance_below_linear, hint="First what the output does, then what is left open.")
twopoint_variance.wrong("looks at x = 0", replace=("(1 + t * g)", "(t * g)"), caught_by=variances_by_integration,
                        hint="x_t = x + t g, and x is 1 or -1, never 0.")
twopoint_variance.wrong("the variance of x_t, less the noise's", replace=("x_bar**2", "((1 + t * g) ** 2 - t**2)"),
                        caught_by=variances_by_integration, hint="Asked for is the variance of the denoised sample.")
twopoint_variance.wrong("noise of variance t", replace=("(1 + t * g)", "(1 + t**0.5 * g)"), caught_by=variances_by_integration,
                        hint="t is the standard deviation of the noise.")
twopoint_variance.wrong("the mean size for the mean square", replace=("x_bar**2", "jnp.abs(x_bar)"),
                        caught_by=variances_by_integration, hint="A variance is a mean of squares.")
twopoint_variance.wrong("weights of another Gaussian", replace=("jnp.exp(-(g**2) / 2)", "jnp.exp(-(g**2))"),
                        caught_by=variances_by_integration, hint="The standard normal density is in proportion to exp(-g^2 / 2).")


@twopoint_variance.right("the mean of x times the output, in NumPy")
def _(t):
    g = np.arange(-8, 8, 0.01)  # E[x x_bar] = E[x_bar^2], since x_bar is a conditional mean
    likely = np.exp(-(g**2) / 2)
    shown = likely @ np.tanh((1 + t * g) / t**2) / likely.sum()
    return shown, 1 - shown


@twopoint_variance.right("Gauss-Hermite quadrature for large t, a grid for small")
def _(t):
    if t > 1:
        g, likely = np.polynomial.hermite_e.hermegauss(60)
    else:
        g = np.linspace(-9, 9, 5001)
        likely = np.exp(-(g**2) / 2)
    square = np.tanh((1 + t * g) / t**2) ** 2
    return (likely * square).sum() / likely.sum(), (likely * (1 - square)).sum() / likely.sum()


# P3.15

woodbury_solve = Exercise(
    "ch03.woodbury_solve", "Solve without the big matrix", principles=["P3.15"], label="eq:sherman_morrison_woodbury",
    book="exercise:sherman_morrison_woodbury_identity", minutes=12, level="more",
    objective="derive and use the Sherman-Morrison-Woodbury identity",
    hints=["diag(a)^-1 b is b / a, and diag(a)^-1 B divides row i of B by a[i]. Nothing big is needed.",
           "The d x d matrix is C^-1 + W diag(a)^-1 B; solve with it for the right side W diag(a)^-1 b.",
           "x is b / a minus (B / a[:, None]) times that solution."])


def a_system(rng):
    """A system of 6 unknowns with a part of rank 2, far from symmetric."""
    return (rng.uniform(1, 2, size=6) * np.array([1, -1, 1, 1, -1, 1]), rng.normal(size=(6, 2)),
            np.array([[2.0, 0.5], [-0.3, 1.0]]), rng.normal(size=(2, 6)), rng.normal(size=6))


def a_large_system(rng):
    """300,000 unknowns and a part of rank 3."""
    place = np.arange(300_000)
    B = np.stack([np.cos(place), np.sin(2 * place), np.cos(3 * place + 1)], axis=1)
    W = np.stack([np.sin(place + 1), np.cos(2 * place), np.cos(3 * place)]) / 1000
    return 1.5 + np.sin(5 * place), B, np.array([[1.0, 0.5, 0.0], [0.0, 2.0, 0.0], [0.3, 0.0, 1.0]]), W, np.cos(2 * place)


@woodbury_solve.law("solves the system, by a dense solve in six dimensions")
def woodbury_dense(f, rng):
    for _ in range(3):
        a, B, C, W, b = a_system(rng)
        M = np.diag(a) + B @ C @ W
        while np.linalg.cond(M) > 50 or np.linalg.cond(np.linalg.inv(C) + W @ (B / a[:, None])) > 50:
            a, B, C, W, b = a_system(rng)
            M = np.diag(a) + B @ C @ W
        close(f(a, B, C, W, b), np.linalg.solve(M, b), tol=5)


@woodbury_solve.law("b / a where W is 0")
def woodbury_diagonal(f, rng):
    a, B, C, W, b = a_system(rng)
    close(f(a, B, C, 0 * W, b), b / a)


@woodbury_solve.law("for an orthonormal B, W = B^T, C = I and a = t^2: (b - B B^T b / (1 + t^2)) / t^2")
def woodbury_subspace(f, rng):
    B, b, t = orthonormal_frame(rng, 6, 2), rng.normal(size=6), 0.8
    close(f(np.full(6, t**2), B, np.eye(2), B.T, b), (b - B @ B.T @ b / (1 + t**2)) / t**2, tol=3)


@woodbury_solve.law("solves a system of 300,000 unknowns, whose matrix no machine holds")
def woodbury_large(f, rng):
    a, B, C, W, b = a_large_system(rng)
    x = np.asarray(f(a, B, C, W, b), dtype=float)
    close(x.shape, (300_000,))
    close(a * x + B @ (C @ (W @ x)), b, tol=10)


woodbury_solve.wrong("adds the correction", replace=("by_a - B_by_a", "by_a + B_by_a"), caught_by=woodbury_dense,
                     hint="In one dimension: 1 / (a + u) is smaller than 1 / a.")
woodbury_solve.wrong("C for its inverse", replace=("jnp.linalg.inv(C)", "C"), caught_by=woodbury_dense,
                     hint="z = C W x, so W x = C^-1 z: that is where C^-1 comes in.")
woodbury_solve.wrong("B^T for W", replace=("W @ B_by_a", "B.T @ B_by_a"), caught_by=woodbury_dense,
                     hint="The part of low rank is B C W; only in the symmetric case is W the transpose of B.")
woodbury_solve.wrong("forgets a in the small matrix", replace=("W @ B_by_a", "W @ B"), caught_by=woodbury_dense,
                     hint="Eliminating x puts diag(a)^-1 between W and B.")
woodbury_solve.wrong("forgets a on the right side", replace=("core, W @ by_a", "core, W @ b"), caught_by=woodbury_subspace,
                     hint="The right side of the small system is W diag(a)^-1 b.")
woodbury_solve.wrong("forgets a on the way back", replace=("by_a - B_by_a", "by_a - B"), caught_by=woodbury_subspace,
                     hint="x = diag(a)^-1 (b - B z).")


@woodbury_solve.right("both unknowns at once, in NumPy")
def _(a, B, C, W, b):
    a, B, C, W, b = (np.asarray(value, dtype=float) for value in (a, B, C, W, b))
    z = np.linalg.solve(np.eye(len(C)) + C @ W @ (B / a[:, None]), C @ (W @ (b / a)))  # z = C W x, multiplied by C
    return (b - B @ z) / a


lowrank_denoiser = Exercise(
    "ch03.lowrank_denoiser", "The denoiser of a subspace", principles=["P3.15"], label="eq:gaussian_lowrank_denoiser_simplified",
    minutes=6, level="more", objective="remove noise from data on a known subspace",
    hints=["Project, then shrink. By how much?", "Each coordinate within the subspace has variance 1, and its noise t^2.",
           "Two thin products, U^T x_t and then U times that; U U^T itself is never formed."])


@lowrank_denoiser.law("Sigma (Sigma + t^2 I)^-1 x_t with Sigma = U U^T, by a dense solve")
def lowrank_dense(f, rng):
    U, x_t = orthonormal_frame(rng, 6, 2), rng.normal(size=6)
    for t in (0.3, 1.5):
        close(f(U, x_t, t), U @ U.T @ np.linalg.solve(U @ U.T + t**2 * np.eye(6), x_t))


@lowrank_denoiser.law("the projection where there is no noise")
def lowrank_without_noise(f, rng):
    U, x_t = orthonormal_frame(rng, 6, 2), rng.normal(size=6)
    close(f(U, x_t, 0.0), U @ (U.T @ x_t))


@lowrank_denoiser.law("nothing is left of what is orthogonal to the subspace")
def lowrank_removes(f, rng):
    U, x_t = orthonormal_frame(rng, 6, 2), rng.normal(size=6)
    close(f(U, x_t - U @ (U.T @ x_t), 0.7), np.zeros(6))
    close(f(U, 2 * x_t, 0.7), 2 * np.asarray(f(U, x_t, 0.7), dtype=float))


@lowrank_denoiser.law("works in 300,000 dimensions")
def lowrank_large(f, rng):
    place = np.arange(300_000)
    U = np.stack([np.where(place % 3 == k, np.sqrt(1e-5), 0) for k in range(3)], axis=1)
    x_t = np.cos(place)
    close(300 * np.asarray(f(U, x_t, 1.0), dtype=float)[:3], 300e-5 / 2 * np.array([x_t[k::3].sum() for k in range(3)]), tol=3)


lowrank_denoiser.wrong("does not shrink", replace=(" / (1 + t**2)", ""), caught_by=lowrank_dense,
                       hint="Within the subspace, too, there is noise.")
lowrank_denoiser.wrong("t for its square", replace=("t**2", "t"), caught_by=lowrank_dense,
                       hint="Variances add: 1 for the signal, t^2 for the noise.")
lowrank_denoiser.wrong("keeps the share of the noise", replace=("U @ code / (1 + t**2)", "U @ code * t**2 / (1 + t**2)"),
                       caught_by=lowrank_without_noise, hint="With no noise at all, which factor do you want?")
lowrank_denoiser.wrong("shrinks all of x_t", replace=("U @ code / (1 + t**2)", "x_t / (1 + t**2)"), caught_by=lowrank_removes,
                       hint="What is off the subspace is noise and nothing else.")
lowrank_denoiser.wrong("only divides by the noise", replace=("(1 + t**2)", "t**2"), caught_by=lowrank_dense,
                       hint="For t near 0 nothing should be amplified.")


@lowrank_denoiser.right("column by column, in NumPy")
def _(U, x_t, t):
    return sum(u * (u @ np.asarray(x_t)) for u in np.asarray(U).T) / (1 + t**2)


subspace_loss = Exercise(
    "ch03.subspace_loss", "The loss of a subspace", principles=["P3.15"], label="eq:PCA", minutes=10, level="more",
    objective="reduce learning a subspace denoiser to principal components",
    hints=["Three terms: the energy of x, what the subspace earns, and the noise let through.",
           "With c = 1 / (1 + t^2): tr Sigma - (2 c - c^2) tr(V^T Sigma V) + c^2 t^2 E ||V^T g||^2.",
           "V^T g has d entries of variance 1, and 2 c - c^2 = (1 + 2 t^2) / (1 + t^2)^2."])


@subspace_loss.law("the mean over a law of finitely many x and g")
def loss_by_counting(f, rng):
    V, A, t = orthonormal_frame(rng, 5, 2), rng.normal(size=(5, 5)), 0.7
    xs = np.sqrt(5) * np.concatenate([A, -A], axis=1)  # ten equally likely x with covariance A A^T
    gs = np.sqrt(5) * np.concatenate([np.eye(5), -np.eye(5)], axis=1)
    errors = [np.sum((V @ V.T @ (x + t * g) / (1 + t**2) - x) ** 2) for x in xs.T for g in gs.T]
    close(f(V, A @ A.T, t), np.mean(errors))


@subspace_loss.law("without noise, what the projection leaves out")
def loss_without_noise(f, rng):
    V, A = orthonormal_frame(rng, 5, 2), rng.normal(size=(5, 5))
    close(f(V, A @ A.T, 0.0), np.sum((A - V @ V.T @ A) ** 2))


@subspace_loss.law("least at the principal components, for every t")
def loss_least_at_pca(f, rng):
    W = orthonormal_frame(rng, 5, 5)
    Sigma = (W * np.array([3.0, 2.0, 1.0, 0.5, 0.2])) @ W.T
    for t in (0.2, 1.0, 3.0):
        best = float(np.asarray(f(W[:, :2], Sigma, t), dtype=float))
        others = [float(np.asarray(f(orthonormal_frame(rng, 5, 2), Sigma, t), dtype=float)) for _ in range(5)]
        holds(best <= min(others) + 1e-5, "another subspace has a smaller loss")


@subspace_loss.law("for x on the subspace itself, d t^2 / (1 + t^2): the error of the best denoiser")
def loss_of_the_truth(f, rng):
    V, t = orthonormal_frame(rng, 5, 2), 0.6
    close(f(V, V @ V.T, t), 2 * t**2 / (1 + t**2))


subspace_loss.wrong("noise in all D directions", replace=("V.shape[1]", "V.shape[0]"), caught_by=loss_of_the_truth,
                    hint="After the projection, in how many directions is there still noise?")
subspace_loss.wrong("keeping costs instead of earning", replace=("- (1 + 2 * t**2)", "+ (1 + 2 * t**2)"),
                    caught_by=loss_without_noise, hint="The more of x lies in the subspace, the smaller the loss.")
subspace_loss.wrong("forgets what shrinking loses", replace=("(1 + 2 * t**2) / (1 + t**2) ** 2 * kept", "2 / (1 + t**2) * kept"),
                    caught_by=loss_without_noise, hint="2 c - c^2: the square of c Q x counts as well.")
subspace_loss.wrong("the mixed term once instead of twice", replace=("(1 + 2 * t**2) /", "t**2 /"), caught_by=loss_of_the_truth,
                    hint="||a - b||^2 = ||a||^2 - 2 a^T b + ||b||^2.")
subspace_loss.wrong("noise without the shrinking", replace=("+ t**2 * V.shape[1] / (1 + t**2) ** 2", "+ t**2 * V.shape[1]"),
                    caught_by=loss_by_counting,
                    hint="The noise is multiplied by c = 1 / (1 + t^2) as well, and its energy by c^2.")
subspace_loss.wrong("forgets the noise", replace=(" + t**2 * V.shape[1] / (1 + t**2) ** 2", ""), caught_by=loss_of_the_truth,
                    hint="True but for a constant. Asked for is the loss itself.")


@subspace_loss.right("as traces of two matrices, in NumPy")
def _(V, Sigma, t):
    V, Sigma = np.asarray(V, dtype=float), np.asarray(Sigma, dtype=float)
    G = V @ V.T / (1 + t**2)  # the denoiser is x_t -> G x_t
    off = G - np.eye(len(V))
    return np.trace(off @ Sigma @ off.T) + t**2 * np.trace(G @ G.T)


# P3.16

attention_denoiser = Exercise(
    "ch03.attention_denoiser", "The denoiser of several subspaces", principles=["P3.16"], label="eq:gmm_lowrank_denoiser",
    minutes=10, level="more", objective="write the denoiser of a mixture of subspaces as attention",
    hints=["Codes first: U_k^T x_t for every k, a (K, d) array. jnp.einsum, or a loop over k.",
           "The exponent is the squared length of the code over 2 t^2 (1 + t^2); the softmax runs over k.",
           "Then the weighted sum of U_k times its code, divided by 1 + t^2.",
           "jnp.einsum(\"kdi,d->ki\", Us, x_t) gives the codes."])


def some_subspaces(rng):
    """Three planes in five dimensions, (3, 5, 2)."""
    return np.stack([orthonormal_frame(rng, 5, 2) for _ in range(3)])


def subspace_posterior(bases, x_t, t):
    """Probabilities of subspaces with these bases, from Gaussian densities with dense covariances in float64."""
    covariances = [U @ U.T + t**2 * np.eye(len(x_t)) for U in bases]
    logs = np.array([-0.5 * x_t @ np.linalg.solve(C, x_t) - 0.5 * np.linalg.slogdet(C)[1] for C in covariances])
    likely = np.exp(logs - logs.max())
    return likely / likely.sum()


@attention_denoiser.law("Bayes' rule with dense covariances, at three noise levels")
def attention_by_bayes(f, rng):
    Us = some_subspaces(rng)
    for t in (0.5, 1.0, 2.0):
        x_t = 1.5 * rng.normal(size=5)
        gains = [U @ U.T @ np.linalg.inv(U @ U.T + t**2 * np.eye(5)) for U in Us]
        close(f(Us, x_t, t), sum(w * G @ x_t for w, G in zip(subspace_posterior(Us, x_t, t), gains)))


@attention_denoiser.law("under little noise the projection on the nearest subspace, with no overflow")
def attention_without_noise(f, rng):
    Us = some_subspaces(rng)
    x = Us[1] @ np.array([2.0, -1.0])
    close(f(Us, x, 0.01), x)


@attention_denoiser.law("does not depend on the bases: U_k R_k for U_k, or the subspaces in another order")
def attention_without_bases(f, rng):
    Us, x_t = some_subspaces(rng), rng.normal(size=5)
    turned = np.stack([U @ orthonormal_frame(rng, 2, 2) for U in Us[[2, 0, 1]]])
    close(f(turned, x_t, 0.8), f(Us, x_t, 0.8))
    close(f(Us, -x_t, 0.8), -np.asarray(f(Us, x_t, 0.8), dtype=float))


@attention_denoiser.law("for equal subspaces the denoiser of one")
def attention_of_one(f, rng):
    U, x_t = orthonormal_frame(rng, 5, 2), rng.normal(size=5)
    close(f(np.stack([U, U, U]), x_t, 0.7), U @ U.T @ x_t / (1 + 0.7**2))


@attention_denoiser.law("t^2 times its Jacobian is a covariance: symmetric, with no negative eigenvalue")
def attention_jacobian(f, rng):
    Us, x_t, t = some_subspaces(rng), rng.normal(size=5), 0.9
    J = slope(lambda z: np.asarray(f(Us, z, t), dtype=float), x_t, h=0.02)
    holds(np.abs(J - J.T).max() < 2e-3, "the Jacobian is not symmetric")
    holds(np.linalg.eigvalsh(J + J.T).min() > -2e-3, "the Jacobian has a negative eigenvalue")


attention_denoiser.wrong("the temperature of one Gaussian", replace=("(2 * t**2 * (1 + t**2))", "(2 * t**2)"),
                         caught_by=attention_by_bayes,
                         hint="By 2.9 the projection's share of the quadratic form is 1 / (t^2 (1 + t^2)).")
attention_denoiser.wrong("forgets the 2", replace=("(2 * t**2 * (1 + t**2))", "(t**2 * (1 + t**2))"),
                         caught_by=attention_by_bayes, hint="A Gaussian's exponent has a factor one half.")
attention_denoiser.wrong("the length for its square", replace=("jnp.sum(codes**2, axis=1)", "jnp.linalg.norm(codes, axis=1)"),
                         caught_by=attention_by_bayes, hint="The exponent of a Gaussian is quadratic in x_t.")
attention_denoiser.wrong("does not shrink", replace=("codes) / (1 + t**2)", "codes)"), caught_by=attention_of_one,
                         hint="For one subspace it has to be the denoiser of 2.9.")
attention_denoiser.wrong("the subspace furthest from x_t", replace=("jnp.sum(codes**2, axis=1)", "-jnp.sum(codes**2, axis=1)"),
                         caught_by=attention_by_bayes, hint="The longer the projection, the likelier the subspace.")
attention_denoiser.wrong("shrinks codes before they are compared", replace=("jnp.sum(codes**2, axis=1)",
                         "jnp.sum((codes / (1 + t**2)) ** 2, axis=1)"), caught_by=attention_by_bayes,
                         hint="The weights are about x_t as it was seen.")
attention_denoiser.wrong("weights without a softmax",
                         replace=("jax.nn.softmax(jnp.sum(codes**2, axis=1) / (2 * t**2 * (1 + t**2)))",
                                  "jnp.sum(codes**2, axis=1) / jnp.sum(codes**2)"), caught_by=attention_without_noise,
                         hint="Probabilities come from densities: exponentials of quadratic forms.")


@attention_denoiser.right("subspace by subspace, in NumPy float64")
def _(Us, x_t, t):
    Us, x_t = np.asarray(Us, dtype=float), np.asarray(x_t, dtype=float)
    off = np.array([np.sum((x_t - U @ (U.T @ x_t)) ** 2) for U in Us])  # the nearer the likelier: the squares add up
    likely = np.exp(-(off - off.min()) / (2 * t**2 * (1 + t**2)))
    return sum(w * U @ (U.T @ x_t) for w, U in zip(likely / likely.sum(), Us)) / (1 + t**2)


subspace_weights = Exercise(
    "ch03.subspace_weights", "Subspaces of different dimensions", principles=["P3.16"], label="eq:gmm_lowrank_denoiser",
    minutes=8, level="more", objective="say what a softmax over subspaces needs where their dimensions differ",
    hints=["Columns of zeros change nothing in U_k^T x_t; only d_k is needed besides.",
           "d_k is the sum of the squared entries of U_k.",
           "log det(U_k U_k^T + t^2 I) = d_k log(1 + t^2) + (D - d_k) log t^2; minus one half of it goes into the exponent.",
           "But for a constant that is -(d_k / 2) log(1 + 1 / t^2)."])


def unequal_subspaces(rng):
    """A line, a plane and a three-dimensional subspace of five dimensions, padded with zeros to (3, 5, 3)."""
    Us = np.stack([orthonormal_frame(rng, 5, 3) for _ in range(3)])
    Us[0, :, 1:] = 0
    Us[1, :, 2:] = 0
    return Us


@subspace_weights.law("Bayes' rule with dense covariances, at three noise levels")
def weights_by_bayes(f, rng):
    Us = unequal_subspaces(rng)
    for t in (0.5, 1.0, 2.0):
        x_t = 1.5 * rng.normal(size=5)
        close(f(Us, x_t, t), subspace_posterior(Us, x_t, t))


@subspace_weights.law("at x_t = 0 the smallest dimension leads, by powers of (1 + 1 / t^2)^(1/2)")
def weights_at_zero(f, rng):
    ratio = (1 + 1 / 0.6**2) ** 0.5
    powers = ratio ** -np.array([1.0, 2.0, 3.0])
    close(f(unequal_subspaces(rng), np.zeros(5), 0.6), powers / powers.sum())


@subspace_weights.law("all alike under very much noise")
def weights_under_noise(f, rng):
    close(f(unequal_subspaces(rng), rng.normal(size=5), 1000.0), np.full(3, 1 / 3))


@subspace_weights.law("for equal dimensions, the softmax of the squared lengths alone")
def weights_of_equals(f, rng):
    Us, x_t, t = unequal_subspaces(rng), rng.normal(size=5), 0.8
    Us = np.stack([Us[1], np.roll(Us[1], 1, axis=0), np.roll(Us[1], 2, axis=0)])
    likely = np.exp([np.sum((U.T @ x_t) ** 2) / (2 * t**2 * (1 + t**2)) for U in Us])
    close(f(Us, x_t, t), likely / likely.sum())


subspace_weights.wrong("no correction", replace=(" - dimension / 2 * jnp.log(1 + 1 / t**2)", ""), caught_by=weights_at_zero,
                       hint="The determinants differ now, and do not cancel.")
subspace_weights.wrong("rewards dimensions", replace=("- dimension / 2", "+ dimension / 2"), caught_by=weights_at_zero,
                       hint="A density that is spread more thinly is lower at 0.")
subspace_weights.wrong("without the one half", replace=("dimension / 2 *", "dimension *"), caught_by=weights_at_zero,
                       hint="A Gaussian density has the square root of the determinant.")
subspace_weights.wrong("counts columns of zeros as well", replace=("jnp.sum(Us**2, axis=(1, 2))", "Us.shape[2]"),
                       caught_by=weights_at_zero, hint="That is d for every subspace. How many columns of U_k are not zero?")
subspace_weights.wrong("forgets the noise off the subspace", replace=("jnp.log(1 + 1 / t**2)", "jnp.log(1 + t**2)"),
                       caught_by=weights_at_zero, hint="The determinant also has the factor t^2, D - d_k times.")
subspace_weights.wrong("the temperature of one Gaussian", replace=("(2 * t**2 * (1 + t**2))", "(2 * t**2)"),
                       caught_by=weights_of_equals, hint="The quadratic form is the same as for equal dimensions.")


@subspace_weights.right("densities within and off the subspace, in NumPy")
def _(Us, x_t, t):
    logs = []
    for U in np.asarray(Us, dtype=float):
        U, x = U[:, np.abs(U).sum(axis=0) > 0], np.asarray(x_t, dtype=float)
        within, d = np.sum((U.T @ x) ** 2), U.shape[1]
        logs.append(-within / (2 * (1 + t**2)) - (x @ x - within) / (2 * t**2)
                    - d / 2 * np.log(1 + t**2) - (len(x) - d) / 2 * np.log(t**2))
    likely = np.exp(np.array(logs) - max(logs))
    return likely / likely.sum()
