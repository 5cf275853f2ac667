"""Exercises of Part 3, second half: what a spectrum is worth, the price on length, and the landscape of rate reduction."""

import jax
import jax.numpy as jnp
import numpy as np

from book_utils import rate_landscape
from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds


def log_det(A):
    return np.linalg.slogdet(A)[1]


def landscape(Z, labels, eps, lam=0.0):
    """Rate reduction less lam / 2 ||Z||^2, by dense determinants in float64."""
    d, N = Z.shape
    rate = lambda Z_k: log_det(np.eye(d) + d / (Z_k.shape[1] * eps**2) * Z_k @ Z_k.T) / 2
    parts = [Z[:, labels == k] for k in range(labels.max() + 1)]
    return rate(Z) - sum(Z_k.shape[1] / N * rate(Z_k) for Z_k in parts) - lam / 2 * (Z**2).sum()


def uphill(Z, labels, eps, lam, h=1e-5):
    """Gradient (d, N) of `landscape`, by central differences."""
    G = np.zeros(Z.shape)
    for at in np.ndindex(*Z.shape):
        E = np.zeros(Z.shape)
        E[at] = h
        G[at] = (landscape(Z + E, labels, eps, lam) - landscape(Z - E, labels, eps, lam)) / (2 * h)
    return G


def gain_slope(x, alpha, rho, h=1e-4):
    """Derivative at x of log(1 + alpha x) - rho log(1 + alpha x / rho), by central differences of one-dimensional rates."""
    gain = lambda x: np.log(1 + alpha * x) - rho * np.log(1 + alpha * x / rho)
    return (gain(x * (1 + h)) - gain(x * (1 - h))) / (2 * h * x)


CLASSES = [(1.0, 0.5), (0.4, 0.25), (3.0, 0.1), (2.0, 0.8)]  # (alpha, rho)


def orthogonal(rng, d):
    return np.linalg.qr(rng.normal(size=(d, d)))[0]


# P4.21

spread_value = Exercise(
    "ch04.spread_value", "What a spectrum is worth", principles=["P4.21"], label="thm:MCR2-properties", minutes=6, level="more",
    stand_in=rate_landscape.spread_value,
    objective="turn the rate reduction of orthogonal classes into a sum over singular values",
    hints=["log det(I + alpha Z Z^T) is the sum of log(1 + alpha x) over the squared singular values x.",
           "The rate of the class itself has alpha_k = alpha / rho inside, and the weight rho in front.",
           "Both rates have the factor 1/2. The entries of spectrum are squares already."])


@spread_value.law("summed over two orthogonal classes, their rate reduction by dense determinants")
def spread_is_rate_reduction(f, rng):
    labels, eps, Q = np.repeat([0, 1], [4, 8]), 0.6, orthogonal(rng, 7)
    spectra, alpha = rng.uniform(0.3, 4, size=(2, 3)), 7 / (12 * eps**2)
    parts = [Q[:, 3 * k:3 * k + 3] @ np.diag(np.sqrt(spectra[k])) @ orthogonal(rng, n)[:3] for k, n in enumerate((4, 8))]
    close(f(spectra[0], alpha, 1 / 3) + f(spectra[1], alpha, 2 / 3), landscape(np.concatenate(parts, axis=1), labels, eps))


@spread_value.law("the same with a singular value of zero in place, in any order")
def spread_zero(f, rng):
    a, b = rng.uniform(0.5, 3, size=2)
    close(f(np.array([0.0, a, b]), 1.3, 0.4), float(f(np.array([b, a]), 1.3, 0.4)))


@spread_value.law("larger by (1 - rho) log(2) / 2 for each large squared singular value that is doubled")
def spread_large(f, rng):
    x = rng.uniform(1e5, 1e6, size=3)
    close(f(2 * x, 1.0, 0.3) - f(x, 1.0, 0.3), 3 * 0.7 * np.log(2) / 2, tol=3)


@spread_value.law("never negative, and 0 for features that are 0")
def spread_sign(f, rng):
    close(f(np.zeros(3), 2.0, 0.5), 0)
    values = [float(f(rng.uniform(0.1, 2, size=3), 2.0, rho)) for rho in (0.1, 0.5, 0.9)]
    holds(min(values) > 0, "a spectrum is worth less than nothing")


spread_value.wrong("one alpha in both logarithms", replace=("alpha * x / rho", "alpha * x"), caught_by=spread_is_rate_reduction,
                   hint="Inside the rate of the class stands alpha_k, with N_k in place of N.")
spread_value.wrong("the rate of the class without its weight", replace=("rho * np.log1p", "np.log1p"), caught_by=spread_sign,
                   hint="R^c weights each class with its share N_k / N.")
spread_value.wrong("forgets one half", replace=(".sum() / 2", ".sum()"), caught_by=spread_is_rate_reduction,
                   hint="A coding rate is half a log-determinant.")
spread_value.wrong("squares what is squared already", replace=("np.asarray(spectrum)", "np.asarray(spectrum) ** 2"),
                   caught_by=spread_large, hint="spectrum holds squared singular values.")
spread_value.wrong("alpha times the share for alpha over it", replace=("x / rho", "x * rho"), caught_by=spread_is_rate_reduction,
                   hint="A small class has a large alpha_k: d / (N_k eps^2).")
spread_value.wrong("a mean for a sum", replace=(".sum()", ".mean()"), caught_by=spread_zero,
                   hint="Every direction adds its own value, whatever the others do.")


@spread_value.right("value by value")
def _(spectrum, alpha, rho):
    total = 0.0
    for x in spectrum:
        total += 0.5 * np.log(1 + alpha * float(x)) - 0.5 * rho * np.log(1 + alpha / rho * float(x))
    return total


@spread_value.right("with diagonal matrices")
def _(spectrum, alpha, rho):
    X = np.diag(np.asarray(spectrum, dtype=float))
    I = np.eye(len(X))
    return 0.5 * (np.linalg.slogdet(I + alpha * X)[1] - rho * np.linalg.slogdet(I + alpha / rho * X)[1])


inflection = Exercise(
    "ch04.inflection", "Where the curve turns", principles=["P4.21"], label="thm:MCR2-properties", minutes=6, level="more",
    stand_in=rate_landscape.inflection,
    objective="find where spreading starts to pay: the inflection of the gain of one direction",
    hints=["f'(x) is a constant times x / ((1 + alpha x)(1 + alpha_k x)).", "It is largest where alpha alpha_k x^2 = 1.",
           "alpha_k = alpha / rho."])


@inflection.law("where the slope of f is largest")
def inflection_steepest(f, rng):
    for alpha, rho in CLASSES:
        x = float(f(alpha, rho))
        slopes = [gain_slope(x * s, alpha, rho) for s in (0.8, 0.9, 1.0, 1.1, 1.25)]
        holds(np.argmax(slopes) == 2, "f is steeper somewhere beside it")


@inflection.law("between values of opposite curvature, 2 percent apart")
def inflection_curvature(f, rng):
    for alpha, rho in CLASSES:
        x = float(f(alpha, rho))
        bend = [gain_slope(s * x * 1.001, alpha, rho) - gain_slope(s * x / 1.001, alpha, rho) for s in (0.98, 1.02)]
        holds(bend[0] > 0 > bend[1], "the curvature of f has one sign on both sides")


@inflection.law("eps^2 sqrt(N N_k) / d for N_k of N samples in d dimensions")
def inflection_samples(f, rng):
    d, N, N_k, eps = 6, 50, 20, 0.7
    close(f(d / (N * eps**2), N_k / N), eps**2 * np.sqrt(N * N_k) / d)


inflection.wrong("the share without its root", replace=("np.sqrt(rho)", "rho"), caught_by=inflection_steepest,
                 hint="alpha alpha_k x^2 = 1: a root has to be taken.")
inflection.wrong("the root of everything", replace=("np.sqrt(rho) / alpha", "np.sqrt(rho / alpha)"),
                 caught_by=inflection_steepest,
                 hint="alpha times alpha_k is alpha squared over rho.")
inflection.wrong("alpha for alpha_k", replace=("np.sqrt(rho)", "1"), caught_by=inflection_curvature,
                 hint="Two factors stand under the fraction, 1 + alpha x and 1 + alpha_k x.")
inflection.wrong("alpha_k = alpha rho", replace=("np.sqrt(rho)", "1 / np.sqrt(rho)"), caught_by=inflection_curvature,
                 hint="alpha_k has the smaller N_k in its denominator: it is larger than alpha.")
inflection.wrong("the singular value, not its square", replace=("np.sqrt(rho) / alpha", "np.sqrt(np.sqrt(rho) / alpha)"),
                 caught_by=inflection_samples, hint="x is a squared singular value.")


@inflection.right("with both alphas")
def _(alpha, rho):
    alpha_k = alpha / rho
    return 1 / jnp.sqrt(alpha * alpha_k)


tangent_point = Exercise(
    "ch04.tangent_point", "The tangent from the origin", principles=["P4.21"], label="thm:MCR2-properties", minutes=12,
    level="challenge", stand_in=rate_landscape.tangent_point,
    objective="find the size at which one more direction pays: the point of largest value per unit of norm",
    hints=["f(x) - x f'(x) is 0 at x = 0, then negative, then positive. You look for the change of sign.",
           "Halve the interval from the inflection to 100 times it, again and again.",
           "In u = alpha x there is no alpha: f = log(1 + u) - rho log(1 + u / rho), slope 1 / (1 + u) - 1 / (1 + u / rho)."])


def chord(x, alpha, rho):
    return (np.log1p(alpha * x) - rho * np.log1p(alpha * x / rho)) / x


@tangent_point.law("where the chord from the origin is as steep as the curve")
def tangent_touches(f, rng):
    for alpha, rho in CLASSES:
        x = float(f(alpha, rho))
        holds(x > 0 and abs(chord(x, alpha, rho) - gain_slope(x, alpha, rho)) < 1e-3 * chord(x, alpha, rho),
              "chord and curve differ in slope")


@tangent_point.law("where f(x) / x is largest: it falls to both sides")
def tangent_largest(f, rng):
    for alpha, rho in CLASSES:
        x = float(f(alpha, rho))
        holds(x > 0 and chord(x, alpha, rho) > max(chord(0.98 * x, alpha, rho), chord(1.02 * x, alpha, rho)),
              "another chord from the origin is steeper")


@tangent_point.law("the size of two equal values that are worth more than one or three with the same sum")
def tangent_two(f, rng):
    for alpha, rho in CLASSES:
        x = float(f(alpha, rho))
        total = [r * np.nan_to_num(chord(2 * x / r, alpha, rho)) * (2 * x / r) for r in (1, 2, 3)]
        holds(np.argmax(total) == 1, "one or three values with the same sum are worth more")


@tangent_point.law("halved where alpha is doubled")
def tangent_scale(f, rng):
    close(f(2.6, 0.3), float(f(1.3, 0.3)) / 2)


tangent_point.wrong("keeps the wrong half", replace=("if value < u * slope", "if value > u * slope"), caught_by=tangent_touches,
                    hint="Left of the tangent point the curve is steeper than the chord: move the lower bound.")
tangent_point.wrong("the slope alone", replace=("value < u * slope", "value < slope"), caught_by=tangent_touches,
                    hint="The chord has the slope f(x) / x, so f(x) is to be compared with x f'(x).")
tangent_point.wrong("forgets the weight of the class", replace=("rho * np.log1p(u / rho)", "np.log1p(u / rho)"),
                    caught_by=tangent_largest, hint="The second logarithm has rho in front.")
tangent_point.wrong("forgets the inner derivative", replace=("1 / (1 + u / rho)", "rho / (1 + u / rho)"),
                    caught_by=tangent_largest,
                    hint="The derivative of rho log(1 + u / rho) is 1 / (1 + u / rho).")
tangent_point.wrong("gives alpha x for x", replace=("return u / alpha", "return u"), caught_by=tangent_scale,
                    hint="You have solved for u = alpha x.")
tangent_point.wrong("stops too early", replace=("range(60)", "range(4)"), caught_by=tangent_two,
                    hint="Each halving gains a factor 2; the interval is a hundred times as long as what is asked for.")


@tangent_point.right("the steepest chord on a fine grid")
def _(alpha, rho):
    u = np.sqrt(rho) * np.geomspace(1, 100, 200_001)
    return u[np.argmax((np.log1p(u) - rho * np.log1p(u / rho)) / u)] / alpha


@tangent_point.right("by Newton's method")
def _(alpha, rho):
    x = 3 * np.sqrt(rho) / alpha
    for _ in range(30):
        slope = alpha / (1 + alpha * x) - alpha / (1 + alpha * x / rho)
        miss = np.log1p(alpha * x) - rho * np.log1p(alpha * x / rho) - x * slope
        bend = alpha**2 / rho / (1 + alpha * x / rho) ** 2 - alpha**2 / (1 + alpha * x) ** 2  # f''
        x = x + miss / (x * bend)
    return x


# P4.22

stationarity_chain = Derivation(
    "ch04.stationarity_chain", "From the slope to a quadratic", principles=["P4.22"], label="eq:Zk opti", minutes=10,
    level="more", instances=2,
    objective="derive the quadratic for the best singular value from the condition that the slope vanishes",
    stages=[Stage("with two fractions, the derivative written out", uses={"common", "alpha_k", "lam"}, without={"slope", "f"}),
            Stage("without the common denominator", uses={"alpha", "lam"}, without={"common", "slope", "f"})],
    hints=["The derivative of log(1 + a x) is a / (1 + a x). And rho alpha_k = alpha.",
           "First line: (alpha / (1 + alpha * x) - alpha / (1 + alpha_k * x) - lam) * common.",
           "Multiply the bracket by common: the first fraction leaves 1 + alpha_k x, the second 1 + alpha x.",
           "lam * common is lam / alpha times (1 + (alpha + alpha_k) x + alpha alpha_k x^2)."])


@stationarity_chain.instance
def _(rng):
    alpha, rho, lam = rng.uniform([0.5, 0.2, 0.1], [2, 0.8, 0.3])
    return dict(spectrum=rng.uniform(0.3, 2, size=5), alpha=alpha, rho=rho, lam=lam)


stationarity_chain.wrong("keeps alpha_k in front", replace=("- alpha / (1 + alpha_k * x)", "- alpha_k / (1 + alpha_k * x)"),
                         caught_by="equal", hint="The weight rho makes alpha of alpha_k.")
stationarity_chain.wrong("adds the price", replace=("- lam) * common", "+ lam) * common"), caught_by="equal",
                         hint="The slope of f(x) - lam x.")
stationarity_chain.wrong("crosses the wrong denominators",
                         replace=("(1 + alpha_k * x) - (1 + alpha * x)", "(1 + alpha * x) - (1 + alpha_k * x)"),
                         caught_by="equal", hint="Which factor of the denominator does the first fraction cancel?")
stationarity_chain.wrong("forgets the middle of the product", replace=("(alpha + alpha_k) * x + ", ""), caught_by="equal",
                         hint="(1 + a x)(1 + b x) has a term in x.")
stationarity_chain.wrong("never multiplies out",
                         replace=("(1 + alpha_k * x) - (1 + alpha * x) - lam / alpha * (1 + (alpha + alpha_k) * x "
                                  "+ alpha * alpha_k * x**2)",
                                  "(alpha * (alpha_k - alpha) * x / (1 + alpha * x) / (1 + alpha_k * x) - lam) * common"),
                         caught_by="stages", hint="True, but `common` is still there.")


@stationarity_chain.right("with one fraction")
def _(spectrum, alpha, rho, lam):
    x, alpha_k = spectrum, alpha / rho
    f = lambda x: jnp.log(1 + alpha * x) - rho * jnp.log(1 + alpha_k * x)
    slope = jax.grad(lambda x: (f(x) - lam * x).sum())  # slope(x): the derivative at every entry of x
    common = (1 + alpha * x) * (1 + alpha_k * x) / alpha
    eta = alpha_k - alpha - lam * (1 / rho + 1)
    yield slope(x) * common
    yield (alpha * (alpha_k - alpha) * x / ((1 + alpha * x) * (1 + alpha_k * x)) - lam) * common
    yield (alpha_k - alpha) * x - lam * (1 + alpha * x) * (1 + alpha_k * x) / alpha
    yield -(lam * alpha_k * x**2 - eta * x + lam / alpha)


PRICES = [(1.0, 0.5, 0.1), (0.4, 0.25, 0.1), (3.0, 0.1, 0.4), (2.0, 0.8, 0.07)]  # (alpha, rho, lam): 0.3 to 0.75 of the bound

optimal_variance = Exercise(
    "ch04.optimal_variance", "The best size", principles=["P4.22"], label="eq:Zk opti", minutes=12,
    stand_in=rate_landscape.optimal_variance, objective="compute the singular values of a local maximiser in closed form",
    hints=["a x^2 - b x + c = 0 has the roots (b +- sqrt(b^2 - 4 a c)) / (2 a).", "a = lam alpha_k, b = eta, c = lam / alpha.",
           "4 a c = 4 lam^2 alpha_k / alpha = 4 lam^2 / rho, and the larger root has the plus sign."])


@optimal_variance.law("where the slope of f equals the price")
def variance_stationary(f, rng):
    for alpha, rho, lam in PRICES:
        close(gain_slope(float(f(alpha, rho, lam)), alpha, rho), lam)


@optimal_variance.law("better than a little more and a little less")
def variance_maximum(f, rng):
    for alpha, rho, lam in PRICES:
        x = float(f(alpha, rho, lam))
        net = lambda x: np.log(1 + alpha * x) - rho * np.log(1 + alpha * x / rho) - lam * x
        holds(x > 0 and net(x) > max(net(0.95 * x), net(1.05 * x)), "a class with a slightly different x does better")


@optimal_variance.law("of features at which the gradient of L vanishes, classes of 2 and 4 samples")
def variance_gradient(f, rng):
    labels, eps, lam, Q = np.repeat([0, 1], [2, 4]), 0.8, 0.05, orthogonal(rng, 3)
    x = [float(f(3 / (6 * eps**2), n / 6, lam)) for n in (2, 4)]
    holds(min(x) > 0, "a squared singular value is not positive")
    first = np.sqrt(x[0]) * Q[:, :1] @ orthogonal(rng, 2)[:1]
    second = np.sqrt(x[1]) * Q[:, 1:] @ orthogonal(rng, 4)[:2]
    close(uphill(np.concatenate([first, second], axis=1), labels, eps, lam), np.zeros((3, 6)))


@optimal_variance.law("close to (1 - rho) / lam where the price is low")
def variance_cheap(f, rng):
    for rho in (0.2, 0.7):
        close(float(f(1.5, rho, 1e-5)) * 1e-5 / (1 - rho), 1)


optimal_variance.wrong("the smaller root", replace=("(eta + np.sqrt", "(eta - np.sqrt"), caught_by=variance_maximum,
                       hint="The slope is right there too, but it is a minimum along scaling: a saddle of L.")
optimal_variance.wrong("a price that helps", replace=("- lam * (1 / rho + 1)", "+ lam * (1 / rho + 1)"),
                       caught_by=variance_stationary,
                       hint="eta = alpha_k - alpha MINUS lam (1 / rho + 1).")
optimal_variance.wrong("alpha for alpha_k below", replace=("lam * alpha_k)", "lam * alpha)"), caught_by=variance_cheap,
                       hint="The coefficient of x^2 is lam alpha_k.")
optimal_variance.wrong("eta for its square", replace=("eta**2", "eta"), caught_by=variance_stationary,
                       hint="Under the root stands b^2 - 4 a c.")
optimal_variance.wrong("half of the denominator", replace=("(2 * lam", "(lam"), caught_by=variance_gradient,
                       hint="The roots of a quadratic have 2 a below.")
optimal_variance.wrong("forgets a one", replace=("(1 / rho + 1)", "(1 / rho)"), caught_by=variance_stationary,
                       hint="lam (alpha + alpha_k) / alpha = lam (1 + 1 / rho).")
optimal_variance.wrong("the singular value, not its square", replace=("return (eta", "return np.sqrt(eta"),
                       caught_by=variance_gradient,
                       hint="In the book the root of x stands in front of U V^T; asked for is x.")


@optimal_variance.right("as a root of a polynomial")
def _(alpha, rho, lam):
    eta = alpha / rho - alpha - lam * (1 / rho + 1)
    return np.roots([lam * alpha / rho, -eta, lam / alpha]).real.max()


@optimal_variance.right("from the product of the roots, in JAX")
def _(alpha, rho, lam):
    eta = alpha / rho - alpha - lam * (1 / rho + 1)
    smaller = 2 * lam / alpha / (eta + jnp.sqrt(eta**2 - 4 * lam**2 / rho))
    return rho / (alpha**2 * smaller)


largest_lam = Exercise(
    "ch04.largest_lam", "The highest price", principles=["P4.22"], label="eq:lambda", minutes=6, level="more",
    stand_in=rate_landscape.largest_lam, objective="say for which prices every class has stationary points",
    hints=["For one class: f' at its inflection x = sqrt(rho) / alpha.",
           "alpha / (1 + sqrt(rho)) - alpha / (1 + 1 / sqrt(rho)): bring it to one fraction.",
           "It falls as rho grows. So which class has the last word?"])


@largest_lam.law("the steepest slope of f, of the class in which that is least")
def lam_slope(f, rng):
    pi, x = np.array([0.2, 0.5, 0.3]), np.geomspace(0.01, 10, 4001)
    steepest = [np.max(gain_slope(x, 1.4, rho)) for rho in pi]
    close(f(pi, 1.4), min(steepest))


@largest_lam.law("d (sqrt(N / N_max) - 1) / (N (sqrt(N / N_max) + 1) eps^2)")
def lam_samples(f, rng):
    sizes, d, eps = np.array([12, 25, 13]), 7, 0.6
    s = np.sqrt(50 / 25)
    close(f(sizes / 50, d / (50 * eps**2)), d * (s - 1) / (50 * (s + 1) * eps**2))


@largest_lam.law("where the discriminant of the largest class is zero, the others being positive")
def lam_discriminant(f, rng):
    pi, alpha = np.array([0.15, 0.25, 0.6]), 0.9
    lam = float(f(pi, alpha))
    eta = alpha / pi - alpha - lam * (1 / pi + 1)
    gaps = (eta - 2 * lam / np.sqrt(pi)) / alpha
    close(gaps[2], 0)
    holds(gaps[:2].min() > 0.1, "another class has no roots there")


largest_lam.wrong("asks the smallest class", replace=(".max()", ".min()"), caught_by=lam_slope,
                  hint="The slopes of all classes have to be reached: the least steep one decides.")
largest_lam.wrong("asks the class in the middle", replace=("np.asarray(pi).max()", "np.asarray(pi).mean()"), caught_by=lam_slope,
                  hint="Every class needs its roots, not an average one.")
largest_lam.wrong("the share without its root", replace=("np.sqrt(np.asarray(pi).max())", "np.asarray(pi).max()"),
                  caught_by=lam_discriminant, hint="The inflection has a root of rho in it.")
largest_lam.wrong("upside down", replace=("(1 - root) / (1 + root)", "(1 + root) / (1 - root)"), caught_by=lam_samples,
                  hint="It is less than alpha.")
largest_lam.wrong("per unit of alpha", replace=("return alpha * ", "return "), caught_by=lam_samples,
                  hint="Prices scale with alpha, as slopes do.")


@largest_lam.right("class by class")
def _(pi, alpha):
    found = []
    for rho in np.asarray(pi, dtype=float):
        x = rho**0.5 / alpha
        found.append(alpha / (1 + alpha * x) - alpha / (1 + alpha / rho * x))
    return min(found)


direction_value = Exercise(
    "ch04.direction_value", "What a direction is worth", principles=["P4.22"], label="thm:mcr-global-opt", minutes=10,
    level="challenge", stand_in=rate_landscape.direction_value,
    objective="decide whether a direction pays at a price, and find that it may not although it is a local maximum",
    hints=["Two steps: the larger root x, as before; then half of f(x) - lam x.",
           "The whole expression is halved: L has lam / 2 in front of the squared norm.",
           "Near the highest price the value comes out negative. That is right."])
NET = [(1.0, 0.5, 0.1), (0.4, 0.25, 0.1), (3.0, 0.1, 1.5), (2.0, 0.8, 0.1)]  # (alpha, rho, lam), the last two near the bound


@direction_value.law("the largest of (f(x) - lam x) / 2 over all x beyond the inflection")
def direction_largest(f, rng):
    for alpha, rho, lam in NET:
        x = np.sqrt(rho) / alpha * np.geomspace(1, 100, 20_001)
        close(f(alpha, rho, lam), np.max(np.log1p(alpha * x) - rho * np.log1p(alpha * x / rho) - lam * x) / 2)


@direction_value.law("what a second direction adds to L, by dense determinants")
def direction_adds(f, rng):
    labels, eps, lam, Q, V = np.repeat([0, 1], 4), 0.8, 0.1, orthogonal(rng, 3), orthogonal(rng, 4)
    alpha = 3 / (8 * eps**2)
    x = max(np.roots([2 * lam * alpha, -(alpha - 3 * lam), lam / alpha]).real)
    first = np.sqrt(x) * Q[:, :1] @ V[:1]
    second = np.sqrt(x) * Q[:, 1:2] @ V[1:2]
    with_second = landscape(np.concatenate([first + second, np.zeros((3, 4))], axis=1), labels, eps, lam)
    close(f(alpha, 0.5, lam), with_second - landscape(np.concatenate([first, np.zeros((3, 4))], axis=1), labels, eps, lam))


@direction_value.law("zero at the slope of the tangent from the origin, positive below, negative above")
def direction_tangent(f, rng):
    for alpha, rho in ((1.0, 0.5), (0.7, 0.1)):
        x = np.sqrt(rho) / alpha * np.geomspace(1, 100, 20_001)
        slope = np.max((np.log1p(alpha * x) - rho * np.log1p(alpha * x / rho)) / x)
        close(f(alpha, rho, slope), 0)
        holds(f(alpha, rho, 0.97 * slope) > 1e-3 and f(alpha, rho, 1.03 * slope) < -1e-3, "the sign is not as the law says")


direction_value.wrong("at the saddle", replace=("(eta + np.sqrt", "(eta - np.sqrt"), caught_by=direction_largest,
                      hint="That is the value at the smaller root, the pass between 0 and the maximum.")
direction_value.wrong("pays twice", replace=("- lam * x) / 2", "- 2 * lam * x) / 2"), caught_by=direction_largest,
                      hint="L has lam / 2 in front of the squared norm.")
direction_value.wrong("pays nothing", replace=(" - lam * x) / 2", ") / 2"), caught_by=direction_tangent,
                      hint="What the direction costs is lam x / 2.")
direction_value.wrong("forgets one half", replace=("- lam * x) / 2", "- lam * x)"), caught_by=direction_adds,
                      hint="Both the rate and the price come with 1/2.")
direction_value.wrong("the rate of the class without its weight", replace=("- rho * np.log1p", "- np.log1p"),
                      caught_by=direction_largest, hint="R^c weights each class with its share.")


@direction_value.right("by searching on a grid")
def _(alpha, rho, lam):
    x = np.sqrt(rho) / alpha * np.geomspace(1, 1e4, 100_001)
    return 0.5 * np.max(np.log(1 + alpha * x) - rho * np.log(1 + alpha * x / rho) - lam * x)


optimal_features = Exercise(
    "ch04.optimal_features", "Put the classes on axes", principles=["P4.22"], label="thm:mcr-global-opt", minutes=12,
    level="more", stand_in=rate_landscape.optimal_features,
    objective="build a local maximiser of regularised rate reduction with given ranks",
    hints=["For each class: its share, its x by the quadratic, its columns of U, its samples.",
           "Sample number j of class k stands on column start + j % ranks[k] of U, where start adds up the earlier ranks.",
           "If n samples of length a stand on a column, its squared singular value is n a^2: here n = N_k / ranks[k].",
           "Hence a = sqrt(x * ranks[k] / N_k)."])


def arrangement(rng):
    return orthogonal(rng, 5), np.array([1, 0, 1, 1, 0, 1, 1, 1]), np.array([1, 3]), 0.7, 0.05


@optimal_features.law("where the gradient of L vanishes")
def features_gradient(f, rng):
    U, labels, ranks, eps, lam = arrangement(rng)
    Z = np.asarray(f(labels, U, ranks, eps, lam), dtype=float)
    close(uphill(Z, labels, eps, lam), np.zeros((5, 8)))
    holds(np.linalg.matrix_rank(Z) == 4, "the rank is not the sum of the ranks")


@optimal_features.law("no change of a few percent does better")
def features_best(f, rng):
    U, labels, ranks, eps, lam = arrangement(rng)
    Z = np.asarray(f(labels, U, ranks, eps, lam), dtype=float)
    near = [landscape(Z + 0.1 * rng.normal(size=Z.shape), labels, eps, lam) for _ in range(20)]
    near += [landscape(s * Z, labels, eps, lam) for s in (0.9, 1.1)]
    holds(landscape(Z, labels, eps, lam) > max(near), "features nearby have a larger L")


@optimal_features.law("each class in the span of its own columns of U, dealt out in order")
def features_columns(f, rng):
    U, labels, ranks, eps, lam = arrangement(rng)
    codes = np.abs(U.T @ np.asarray(f(labels, U, ranks, eps, lam), dtype=float)) > 1e-4
    expected = np.zeros((5, 8), bool)
    for sample, column in zip((1, 4, 0, 2, 3, 5, 6, 7), (0, 0, 1, 2, 3, 1, 2, 3)):
        expected[column, sample] = True
    holds((codes == expected).all(), "a sample stands on another column")


@optimal_features.law("all of one length within a class, and zero where the rank is 0")
def features_lengths(f, rng):
    U, labels, _, eps, lam = arrangement(rng)
    lengths = np.linalg.norm(np.asarray(f(labels, U, np.array([0, 3]), eps, lam), dtype=float), axis=0)
    close(lengths[labels == 0], np.zeros(2))
    close(lengths[labels == 1], np.full(6, lengths[0]))
    holds(lengths[0] > 0.1, "the other class is 0 too")


optimal_features.wrong("x for its root", replace=("np.sqrt(x * r", "(x * r"), caught_by=features_gradient,
                       hint="x is a squared singular value; features have lengths.")
optimal_features.wrong("as if one sample stood on every column", replace=("x * r / len(mine)", "x"), caught_by=features_gradient,
                       hint="Several samples share a column, and their squares add up to x.")
optimal_features.wrong("as if all samples stood on one column", replace=("x * r / len(mine)", "x / len(mine)"),
                       caught_by=features_gradient, hint="On each column stand N_k / r_k samples, not N_k.")
optimal_features.wrong("the smaller root", replace=("(eta + np.sqrt", "(eta - np.sqrt"), caught_by=features_best,
                       hint="A critical point, but L curves upwards along scaling.")
optimal_features.wrong("every class from the first column on", replace=("start + np.arange", "np.arange"),
                       caught_by=features_columns,
                       hint="Two classes must not share a direction.")
optimal_features.wrong("equal shares for all", replace=("len(mine) / len(labels), len(U)", "1 / (int(max(labels)) + 1), len(U)"),
                       caught_by=features_gradient, hint="A class of 2 among 8 samples has the share 1/4.")
optimal_features.wrong("one run of samples after the other",
                       replace=("np.arange(len(mine)) % r", "np.arange(len(mine)) * r // len(mine)"),
                       caught_by=features_columns, hint="They take turns: first column, second, ..., then the first again.")


@optimal_features.right("sample by sample")
def _(labels, U, ranks, eps, lam):
    U, labels, ranks = np.asarray(U), np.asarray(labels), np.asarray(ranks)
    (d, N), Z, seen = (len(U), len(labels)), [], [0] * len(ranks)
    for k in labels:
        N_k, r = (labels == k).sum(), ranks[k]
        alpha, alpha_k = d / (N * eps**2), d / (N_k * eps**2)
        eta = alpha_k - alpha - lam * (N / N_k + 1)
        x = np.roots([lam * alpha_k, -eta, lam / alpha]).real.max()
        Z.append(np.sqrt(x * r / N_k) * U[:, ranks[:k].sum() + seen[k] % r] if r else np.zeros(d))
        seen[k] += 1
    return np.stack(Z, axis=1)


# P4.23

classify_critical_point = Exercise(
    "ch04.classify_critical_point", "Which kind of point?", principles=["P4.23"], label="thm:mcr-benign-opt-landscape",
    minutes=15, level="challenge",
    objective="tell maxima from saddles by the Hessian, and zeros of symmetry from zeros of degeneracy",
    hints=["One positive eigenvalue settles it: a strict saddle.",
           "Otherwise count the zeros, and count the dimensions of the set of all such Z.",
           "The r columns of all U_k together: d r - r (r + 1) / 2. Each V_k: N_k r_k - r_k (r_k + 1) / 2.",
           "A rotation of U_k and V_k together changes nothing: take r_k (r_k - 1) / 2 off for each class."])


def critical_point(rng, ranks, share=0.5, smaller=()):
    """Labels, Hessian's eigenvalues (18,), ranks and d = 3, for classes of 2 and 4 samples at that share of the highest price."""
    labels, eps, Q = np.repeat([0, 1], [2, 4]), 0.5, orthogonal(rng, 3)
    alpha = 3 / (6 * eps**2)
    root = np.sqrt(2 / 3)
    lam, parts, start = share * alpha * (1 - root) / (1 + root), [], 0
    for k, (r, n) in enumerate(zip(ranks, (2, 4))):
        rho = n / 6
        eta = alpha / rho - alpha - lam * (1 / rho + 1)
        sign = -1 if k in smaller else 1
        x = (eta + sign * np.sqrt(max(eta**2 - 4 * lam**2 / rho, 0))) * rho / (2 * lam * alpha)
        parts.append(np.sqrt(x) * Q[:, start:start + r] @ orthogonal(rng, n)[:r])
        start += r
    Z, h = np.concatenate(parts, axis=1), 1e-5
    H = [(slope_of(Z + h * E, labels, eps, lam) - slope_of(Z - h * E, labels, eps, lam)).ravel() / (2 * h)
         for E in np.eye(18).reshape(18, 3, 6)]
    return labels, rng.permutation(np.linalg.eigvalsh((np.array(H) + np.array(H).T) / 2)), np.array(ranks), 3


def slope_of(Z, labels, eps, lam):
    """Gradient (d, N) of `landscape`, by inverses."""
    d, N = Z.shape
    alpha, G = d / (N * eps**2), np.zeros(Z.shape)
    inverse = np.linalg.inv(np.eye(d) + alpha * Z @ Z.T)
    for k in range(labels.max() + 1):
        mine = labels == k
        within = np.linalg.inv(np.eye(d) + d / (mine.sum() * eps**2) * Z[:, mine] @ Z[:, mine].T)
        G[:, mine] = alpha * (inverse - within) @ Z[:, mine]
    return G - lam * Z


@classify_critical_point.law("1 at the larger roots, whatever the ranks")
def kind_maxima(f, rng):
    for ranks in ((2, 1), (1, 2), (1, 1), (0, 3)):
        holds(f(*critical_point(rng, ranks)) == 1, f"ranks {ranks} of classes of 2 and 4 samples are a local maximum")


@classify_critical_point.law("-1 where a class stands at its smaller root")
def kind_saddles(f, rng):
    for ranks, smaller in (((1, 2), (1,)), ((1, 1), (0,)), ((2, 1), (0, 1))):
        holds(f(*critical_point(rng, ranks, smaller=smaller)) == -1, "L curves upwards in some direction")


@classify_critical_point.law("1 at zero, where all eigenvalues are -lam")
def kind_zero(f, rng):
    holds(f(*critical_point(rng, (0, 0))) == 1, "no direction leads up from zero, and none is flat")


@classify_critical_point.law("0 at the highest price, where the class that sets it has more zeros than symmetries")
def kind_edge(f, rng):
    for ranks in ((1, 2), (0, 1)):
        holds(f(*critical_point(rng, ranks, share=1.0)) == 0, "the Hessian does not decide there")


classify_critical_point.wrong("does not count the zeros", replace=("int((np.abs(values) <= tiny).sum() == turns)", "1"),
                              caught_by=kind_edge, hint="No positive eigenvalue is not yet a maximum: x^3 has none at 0.")
classify_critical_point.wrong("wants no zeros at all", replace=("== turns)", "== 0)"), caught_by=kind_maxima,
                              hint="The maxima come in whole families: along these the Hessian is 0.")
classify_critical_point.wrong("takes a zero for a way up", replace=("values.max() > tiny", "values.max() > -tiny"),
                              caught_by=kind_maxima, hint="Flat along a family of maxima is not upwards.")
classify_critical_point.wrong("the smallest eigenvalue", replace=("values.max() > tiny", "values.min() > tiny"),
                              caught_by=kind_saddles, hint="One direction upwards is enough.")
classify_critical_point.wrong("forgets that U and V may turn together",
                              replace=("sizes * ranks - ranks**2", "sizes * ranks - ranks * (ranks + 1) // 2"),
                              caught_by=kind_maxima,
                              hint="A rotation in r_k dimensions, applied to U_k and to V_k, leaves Z_k as it is.")
classify_critical_point.wrong("every U_k for itself", replace=("r * (r + 1) // 2", "(ranks * (ranks + 1) // 2).sum()"),
                              caught_by=kind_maxima, hint="The columns of different U_k are orthogonal to each other too.")


@classify_critical_point.right("by counting class by class")
def _(labels, eigenvalues, ranks, d):
    size = max(abs(float(v)) for v in eigenvalues)
    signs = [0 if abs(float(v)) <= 1e-4 * size else np.sign(float(v)) for v in eigenvalues]
    if 1 in signs:
        return -1
    free, used = 0, 0
    for k, r in enumerate(np.asarray(ranks).tolist()):
        n = int((np.asarray(labels) == k).sum())
        for j in range(r):  # one more column in U_k and V_k, each of length 1 and orthogonal to those before
            free += (d - 1 - used - j) + (n - 1 - j)
        used += r
        free -= r * (r - 1) // 2
    return int(signs.count(0) == free)


# No stand-in: rate_landscape.ascend takes a second to compile, the lesson's solution a few tenths to run.
ascend = Exercise(
    "ch04.ascend", "Climb", principles=["P4.23"], label="thm:mcr-benign-opt-landscape", minutes=12, level="more",
    objective="maximise regularised rate reduction by gradient ascent on the features",
    hints=["One step: three terms added to Z. The first is the same for all samples, the second differs from class to class.",
           "solve(I + alpha Z Z^T, Z) gives the first for all samples at once.",
           "For class k take the columns labels == k, their own Gram matrix and alpha_k; subtract from these columns only.",
           "Compute all of the step before Z is changed."])


def start(rng):
    return rng.normal(size=(3, 7)), np.array([0, 1, 1, 0, 2, 1, 2]), 0.8, 0.1


@ascend.law("one step along the gradient of L, by finite differences")
def ascend_gradient(f, rng):
    Z, labels, eps, lam = start(rng)
    close(f(Z, labels, eps, lam, 1), Z + uphill(Z, labels, eps, lam) * 7 * eps**2 / 3)


@ascend.law("L never decreases")
def ascend_up(f, rng):
    Z, labels, eps, lam = start(rng)
    heights = [landscape(np.asarray(f(Z, labels, eps, lam, T), dtype=float), labels, eps, lam) for T in (0, 1, 2, 4, 8)]
    holds((np.diff(heights) > 0).all(), "L fell, or stayed, on the way")


@ascend.law("five steps are two and then three, and none leaves Z as it is")
def ascend_steps(f, rng):
    Z, labels, eps, lam = start(rng)
    close(f(Z, labels, eps, lam, 0), Z)
    close(f(Z, labels, eps, lam, 5), np.asarray(f(np.asarray(f(Z, labels, eps, lam, 2)), labels, eps, lam, 3), dtype=float))


@ascend.law("turns with the features, and keeps the order of the samples")
def ascend_symmetry(f, rng):
    Z, labels, eps, lam = start(rng)
    Q, order = orthogonal(rng, 3), rng.permutation(7)
    close(f(Q @ Z[:, order], labels[order], eps, lam, 3), Q @ np.asarray(f(Z, labels, eps, lam, 3), dtype=float)[:, order])


@ascend.law("shrinks features near zero by lam / alpha each step: there they go to zero")
def ascend_small(f, rng):
    Z, labels, eps, lam = start(rng)
    alpha = 3 / (7 * eps**2)
    close(np.asarray(f(1e-3 * Z, labels, eps, lam, 5), dtype=float) * 1e3, Z * (1 - lam / alpha) ** 5, tol=3)


ascend.wrong("downhill", replace=("Z = Z + step", "Z = Z - step"), caught_by=ascend_up,
             hint="L is to be made larger.")
ascend.wrong("alpha inside both inverses", replace=("I + alpha_k * Z_k @ Z_k.T", "I + alpha * Z_k @ Z_k.T"),
             caught_by=ascend_gradient,
             hint="The rate of a class has its own alpha_k inside.")
ascend.wrong("weights the classes once more", replace=("step[:, mine] -= ", "step[:, mine] -= mine.mean() * "),
             caught_by=ascend_small,
             hint="rho_k alpha_k = alpha: the weight is in already.")
ascend.wrong("the price in another unit", replace=("lam / alpha * Z", "lam * Z"), caught_by=ascend_small,
             hint="The whole gradient is divided by alpha, the price too.")
ascend.wrong("pushes the class apart as well", replace=("step[:, mine] -= ", "step[:, mine] += "), caught_by=ascend_small,
             hint="R^c is to become small.")
ascend.wrong("too large a step", replace=("Z = Z + step", "Z = Z + 3 * step"), caught_by=ascend_up,
             hint="A step of 1 / alpha, not more: L may fall beyond twice the inverse of its largest curvature.")

@ascend.right("with the gradient of JAX")
def _(Z, labels, eps, lam, T):
    Z, labels = jnp.asarray(Z), np.asarray(labels)
    d, N = Z.shape

    def value(Z):
        rate = lambda Y: jnp.linalg.slogdet(jnp.eye(d) + d / (Y.shape[1] * eps**2) * Y @ Y.T)[1] / 2
        parts = [Z[:, labels == k] for k in range(labels.max() + 1)]
        return rate(Z) - sum(Y.shape[1] / N * rate(Y) for Y in parts) - lam / 2 * jnp.sum(Z**2)
    slope = jax.jit(jax.grad(value))
    for _ in range(T):
        Z = Z + slope(Z) * (N * eps**2 / d)
    return Z


@ascend.right("with explicit inverses")
def _(Z, labels, eps, lam, T):
    Z, labels = np.array(Z), np.asarray(labels)
    (d, N), alpha = Z.shape, Z.shape[0] / (Z.shape[1] * eps**2)
    for _ in range(T):
        old = Z.copy()
        E = np.linalg.inv(np.eye(d) + alpha * old @ old.T)
        for j in range(N):
            own = old[:, labels == labels[j]]
            C = np.linalg.inv(np.eye(d) + d / (own.shape[1] * eps**2) * own @ own.T)
            Z[:, j] += (E - C) @ old[:, j] - lam / alpha * old[:, j]
    return Z
