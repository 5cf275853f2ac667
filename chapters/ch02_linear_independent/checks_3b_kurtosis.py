"""Exercises of Part 3, second half: kurtosis, calculus on the sphere, the landscape of kurtosis, FastICA. P2.22 to P2.26."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from book_utils import independent, manifold
from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds

# Equally likely values of mean 0 and variance 1, with their kurtosis.
TWO, FIVE = np.array([-1.0, 1.0]), np.array([2.0, -0.5, -0.5, -0.5, -0.5])
NINE = np.array([-2.0, 0, 0, 0, 0, 0, 0, 2.0])
LAWS = {"two": (TWO, -2.0), "five": (FIVE, 0.25), "nine": (NINE, 1.0)}


def kurt(s):
    """Kurtosis of samples, or of every row."""
    return (s**4).mean(axis=-1) - 3 * (s**2).mean(axis=-1) ** 2


def every(*names):
    """Exactly independent codes: every combination of the values of these laws once, (D, N), and their kurtoses (D,)."""
    values, kappa = zip(*[LAWS[name] for name in names])
    return np.array(list(itertools.product(*values))).T, np.array(kappa)


def orthogonal(rng, D):
    return np.linalg.qr(rng.normal(size=(D, D)))[0]


def unit(v):
    return v / np.linalg.norm(v)


def white(rng, D=3, N=80):
    """White data (D, N) whose rows depend on each other."""
    X = rng.normal(size=(D, D)) @ rng.laplace(size=(D, N)) * rng.uniform(0.2, 2, size=N)
    values, Q = np.linalg.eigh(X @ X.T / N)
    return (Q / np.sqrt(values)) @ Q.T @ X


def tangents(u):
    """An orthonormal basis of the tangent space of the sphere at u, as columns (D, D - 1)."""
    return np.linalg.svd(u[None])[2][1:].T


def along(f, u, v, h=1e-4):
    """First and second derivative at t = 0 of f(cos(t) u + sin(t) v), by central differences in float64."""
    before, here, after = (f(np.cos(t) * u + np.sin(t) * v) for t in (-h, 0.0, h))
    return (after - before) / (2 * h), (after - 2 * here + before) / h**2


# P2.22 -----------------------------------------------------------------------------------------------------------

kurtosis = Exercise(
    "ch02.kurtosis", "Kurtosis of samples", principles=["P2.22"], label="eq:kurtosis", minutes=5, level="more",
    book="exercise:kurtosis-linearity-properties",
    objective="estimate the kurtosis of a variable, which scales with the fourth power and adds up over independent ones",
    hints=["Two averages are needed: of the fourth powers and of the squares.",
           "||s||_4^4 is the sum of fourth powers, ||s||_2^4 the square of the sum of squares. Which power of N goes with each?",
           "The mean of s**4, minus three times the square of the mean of s**2."])


@kurtosis.law("grows with the fourth power of the scale")
def kurtosis_homogeneous(f, rng):
    s = rng.laplace(size=36)
    for a in (-2.0, 0.5):
        close(f(a * s), a**4 * np.float64(f(s)))


@kurtosis.law("adds up: over all sums of a value of one variable and a value of another, both of mean 0")
def kurtosis_additive(f, rng):
    s, y = rng.laplace(size=6), rng.uniform(size=6) ** 3
    s, y = s - s.mean(), 3 * (y - y.mean())
    close(f((s[:, None] + y).ravel()), np.float64(f(np.repeat(s, 6))) + np.float64(f(np.tile(y, 6))))


@kurtosis.law("0 where the second and the fourth moment are those of a Gaussian")
def kurtosis_of_gaussian(f, rng):
    close(f(rng.uniform(0.5, 2) * np.sqrt(3) * np.array([-1.0, 0, 0, 0, 0, 1.0])), 0.0, tol=5)


@kurtosis.law("-2 a^4 for samples a and -a, in whatever proportion")
def kurtosis_of_two_values(f, rng):
    a = rng.uniform(0.5, 1.5)
    close(f(a * np.array([1.0, 1, -1, 1, 1, 1])), -2 * a**4)


@kurtosis.law("unchanged when every sample occurs six times")
def kurtosis_of_copies(f, rng):
    s = rng.laplace(size=6)
    close(f(np.repeat(s, 6)), np.float64(f(s)))


kurtosis.wrong("3 / N for 3 / N^2", replace=("jnp.mean(s**2) ** 2", "jnp.sum(s**2) ** 2 / len(s)"), caught_by=kurtosis_of_copies,
               hint="||s||_2^4 is a sum of N^2 products. By what is it to be divided, to become a squared mean?")
kurtosis.wrong("takes the variance for 1", replace=("3 * jnp.mean(s**2) ** 2", "3"), caught_by=kurtosis_homogeneous,
               hint="That is right for white data only. Try 2 s in place of s.")
kurtosis.wrong("divides by the squared variance", replace=("jnp.mean(s**4)", "jnp.mean(s**4) / jnp.mean(s**2) ** 2"),
               caught_by=kurtosis_homogeneous,
               hint="Statistics packages divide by the squared variance. Here nothing is divided: only so does kurtosis add up.")
kurtosis.wrong("does not square the mean square", replace=("jnp.mean(s**2) ** 2", "jnp.mean(s**2)"),
               caught_by=kurtosis_homogeneous, hint="Both terms have to be of degree four in s.")
kurtosis.wrong("squares before averaging", replace=("jnp.mean(s**2) ** 2", "jnp.mean((s**2) ** 2)"),
               caught_by=kurtosis_of_gaussian, hint="The mean of squares, squared; not the mean of fourth powers again.")
kurtosis.wrong("subtracts the mean first", replace=("jnp.mean(s**2)", "jnp.var(s)"), caught_by=kurtosis_of_two_values,
               hint="The samples are taken as they come: no mean is subtracted in either term.")


@kurtosis.right("with norms, in NumPy")
def _(s):
    s = np.asarray(s)
    return np.linalg.norm(s, 4) ** 4 / len(s) - 3 * np.linalg.norm(s) ** 4 / len(s) ** 2


@kurtosis.right("sample by sample")
def _(s):
    second = fourth = 0.0
    for sample in np.asarray(s).tolist():
        second += sample * sample / len(s)
        fourth += sample * sample * sample * sample / len(s)
    return fourth - 3 * second * second


kurtosis_sum = Derivation(
    "ch02.kurtosis_sum", "Kurtosis adds up", principles=["P2.22"], label="exercise:kurtosis-linearity-properties",
    book="exercise:kurtosis-linearity-properties", minutes=10, level="more",
    objective="derive that the kurtosis of a sum of independent variables is the sum of their kurtoses",
    stages=[Stage("written with averages over s and over y alone", uses={"E", "s", "y"}, without={"pairs"})],
    hints=["(s + y)^4 has five terms. The average of s^2 y^2 over all pairs is a product of two averages.",
           "Two of the five terms have an average of s or of y as a factor, which is 0.",
           "E(s**4) + 6 * E(s**2) * E(y**2) + E(y**4) - 3 * (E(s**2) + E(y**2)) ** 2 is what remains."])


@kurtosis_sum.instance
def _(rng):
    s, y = rng.laplace(size=6), rng.normal(size=6) ** 3
    return dict(s=s - s.mean(), y=y - y.mean())


kurtosis_sum.wrong("four for six", replace=("6 * E(s**2)", "4 * E(s**2)"), caught_by="equal",
                   hint="How often does s^2 y^2 occur in (s + y)^4?")
kurtosis_sum.wrong("takes a mean of squares for the square of a mean",
                   replace=("(E(s**2) + E(y**2)) ** 2", "(E(s**4) + E(y**4))"), caught_by="equal",
                   hint="The square of an average is not the average of the squares.")
kurtosis_sum.wrong("squares term by term", replace=("(E(s**2) + E(y**2)) ** 2", "(E(s**2) ** 2 + E(y**2) ** 2)"),
                   caught_by="equal", hint="(a + b)^2 has a term 2 a b, and it is needed.")
kurtosis_sum.wrong("forgets the mixed term", replace=(" + 6 * E(s**2) * E(y**2)", ""), caught_by="equal",
                   hint="Independence makes E(s^2 y^2) a product. It does not make it zero.")
kurtosis_sum.wrong("stays with the pairs",
                   replace=("E(s**4) + 6 * E(s**2) * E(y**2) + E(y**4) - 3 * (E(s**2) + E(y**2)) ** 2",
                            "E(pairs * pairs**3) - 3 * E(pairs * pairs) ** 2"),
                   caught_by="stages", hint="True, but the pairs are still there: expand the fourth power.")


@kurtosis_sum.right("term by term")
def _(s, y):
    E = jnp.mean
    pairs = s[:, None] + y[None, :]  # every sum s_i + y_j once: s and y are independent
    yield E(pairs**4) - 3 * E(pairs**2) ** 2
    yield sum(c * E(s**p) * E(y ** (4 - p)) for p, c in enumerate((1, 4, 6, 4, 1))) - 3 * E(pairs**2) ** 2
    yield E(s**4) + E(y**4) + 6 * E(s**2) * E(y**2) - 3 * (E(s**2) ** 2 + 2 * E(s**2) * E(y**2) + E(y**2) ** 2)
    yield (E(s**4) - 3 * E(s**2) ** 2) + (E(y**4) - 3 * E(y**2) ** 2)


# P2.24 -----------------------------------------------------------------------------------------------------------

sphere_tangent = Exercise(
    "ch02.sphere_tangent", "The tangent part of a vector", principles=["P2.24"], label="eq:exercise-riemann-grad-sphere",
    book="exercise:sphere-calculus", minutes=5, level="more", stand_in=manifold.sphere_tangent,
    objective="project a vector onto the tangent space of the sphere, and so find the gradient on the sphere",
    hints=["Which part of v points along u? Take it away.",
           "u^T v is a number: how far v goes along u.",
           "v minus (u @ v) times u."])


@sphere_tangent.law("orthogonal to u")
def tangent_orthogonal(f, rng):
    u = unit(rng.normal(size=3))
    close(u @ f(u, 2 * rng.normal(size=3)), 0.0)


@sphere_tangent.law("leaves tangent vectors as they are, and nothing of a multiple of u")
def tangent_fixed(f, rng):
    u = unit(rng.normal(size=3))
    close(f(u, tangents(u)[:, 1]), tangents(u)[:, 1])
    close(f(u, -2 * u), np.zeros(3))


@sphere_tangent.law("turns the gradient of a function into its slopes along all great circles through u")
def tangent_slopes(f, rng):
    u, B = unit(rng.normal(size=3)), rng.normal(size=(2, 3))
    slopes = [along(lambda x: np.sin(B @ x).sum() + (x**3).sum(), u, v)[0] for v in tangents(u).T]
    close(tangents(u).T @ f(u, B.T @ np.cos(B @ u) + 3 * u**2), slopes)


sphere_tangent.wrong("keeps the other part", replace=("v - (u @ v) * u", "(u @ v) * u"), caught_by=tangent_fixed,
                     hint="That is the part along u. Which part is left of v?")
sphere_tangent.wrong("entry by entry", replace=("(u @ v) * u", "u * v * u"), caught_by=tangent_orthogonal,
                     hint="How far v goes along u is one number: the inner product u^T v.")
sphere_tangent.wrong("takes all of u away", replace=("(u @ v) * u", "u"), caught_by=tangent_fixed,
                     hint="Of u, take away as much as v contains: u^T v times.")
sphere_tangent.wrong("brings the result to length 1",
                     replace=("return v - (u @ v) * u", "w = v - (u @ v) * u\n    return w / jnp.linalg.norm(w)"),
                     caught_by=tangent_slopes, hint="The length says how steep the function is; it has to stay.")
sphere_tangent.wrong("adds", replace=("v - ", "v + "), caught_by=tangent_orthogonal,
                     hint="What is the inner product of your result with u?")


@sphere_tangent.right("with the matrix I - u u^T, in NumPy")
def _(u, v):
    u = np.asarray(u)
    return (np.eye(len(u)) - np.outer(u, u)) @ np.asarray(v)


@sphere_tangent.right("by least squares in a basis of the tangent space")
def _(u, v):
    basis = np.linalg.svd(np.asarray(u)[None])[2][1:]
    return basis.T @ (basis @ np.asarray(v))


sphere_extremes = Exercise(
    "ch02.sphere_extremes", "The nearest point of the sphere, and the farthest", principles=["P2.24"],
    label="exercise:sphere-calculus", book="exercise:sphere-calculus", minutes=6, level="more",
    objective="find the projection onto the sphere from its condition of first order, and tell it from the other solution",
    hints=["The gradient of ||u - v||^2 / 2 is u - v. Where is its tangent part zero?",
           "Its tangent part at u is that of -v, so v has to be a multiple of u. How many unit vectors are there on a line?",
           "v / ||v|| and its negative. At which of the two is ||u - v|| smaller?"])


@sphere_extremes.law("both of length 1")
def extremes_on_sphere(f, rng):
    near, far = f(3 * rng.normal(size=3))
    close([np.linalg.norm(near), np.linalg.norm(far)], [1, 1])


@sphere_extremes.law("with no tangent part of v left at either")
def extremes_stationary(f, rng):
    v = rng.normal(size=3)
    for u in f(v):
        close(tangents(np.asarray(u, dtype=float)).T @ v, np.zeros(2), tol=5)


@sphere_extremes.law("no point of the sphere is nearer to v than the first, none farther than the second")
def extremes_extreme(f, rng):
    v = np.array([0.3, -0.2, 0.4])
    near, far = f(v)
    points = rng.normal(size=(2000, 3))
    distances = np.linalg.norm(v - points / np.linalg.norm(points, axis=1, keepdims=True), axis=1)
    holds(np.linalg.norm(v - near) <= distances.min() + 1e-5, "a point of the sphere is nearer")
    holds(np.linalg.norm(v - far) >= distances.max() - 1e-5, "a point of the sphere is farther")


sphere_extremes.wrong("the farthest first", replace=("return near, -near", "return -near, near"), caught_by=extremes_extreme,
                      hint="Both are stationary. Put them into ||u - v||.")
sphere_extremes.wrong("a sum of absolute values as length", replace=("jnp.linalg.norm(v)", "jnp.abs(v).sum()"),
                      caught_by=extremes_on_sphere, hint="The Euclidean length has to be 1.")
sphere_extremes.wrong("divides by the squared length", replace=("jnp.linalg.norm(v)", "(v @ v)"), caught_by=extremes_on_sphere,
                      hint="v^T v is the square of the length.")
sphere_extremes.wrong("turns signs one by one", replace=("return near, -near", "return near, near.at[0].multiply(-1)"),
                      caught_by=extremes_stationary, hint="The other point lies on the same line through 0.")
sphere_extremes.wrong("keeps v as it is for the second", replace=("near, -near", "near, -v"), caught_by=extremes_on_sphere,
                      hint="The farthest point is on the sphere too.")


@sphere_extremes.right("in NumPy, with the two multipliers")
def _(v):
    v = np.asarray(v)
    scale = 1 / np.sqrt((v * v).sum())
    return scale * v, -scale * v


sphere_hessian = Exercise(
    "ch02.sphere_hessian", "Second derivatives on the sphere", principles=["P2.24"], label="eq:exercise-riemann-hess-sphere",
    book="exercise:sphere-calculus", minutes=12, level="challenge", stand_in=manifold.sphere_hessian,
    objective="find the Hessian on the sphere from the second derivative along great circles",
    hints=["Differentiate f(cos(t) u + sin(t) v) twice at t = 0. The curve's own second derivative there is -u.",
           "d^2/dt^2 f = v^T H v - g^T u, and g^T u = (g^T u) v^T v for a v of length 1.",
           "So the quadratic form on tangent vectors is that of H - (g^T u) I. Project on both sides with P = I - u u^T."])


def curved(rng, D=3):
    """A function on R^D, a point of the sphere, and gradient and second derivatives there."""
    u, B = unit(rng.normal(size=D)), rng.normal(size=(3, D))
    return (lambda x: np.sin(B @ x).sum() + (x**4).sum() / 2, u,
            B.T @ np.cos(B @ u) + 2 * u**3, -(B.T * np.sin(B @ u)) @ B + np.diag(6 * u**2))


@sphere_hessian.law("gives the second derivative along every great circle through u")
def hessian_along_circles(f, rng):
    function, u, g, H = curved(rng)
    Hess = np.asarray(f(H, u, g), dtype=float)
    for v in [*tangents(u).T, *(tangents(u) @ rng.normal(size=(2, 6))).T]:
        close(unit(v) @ Hess @ unit(v), along(function, u, unit(v))[1], tol=3)


@sphere_hessian.law("symmetric, and sends u to 0")
def hessian_of_normal(f, rng):
    _, u, g, H = curved(rng)
    Hess = np.asarray(f(H, u, g), dtype=float)
    close(Hess - Hess.T, np.zeros((3, 3)))
    close(Hess @ u, np.zeros(3), tol=3)


@sphere_hessian.law("zero for ||x||^2, which is constant on the sphere")
def hessian_of_constant(f, rng):
    u = unit(rng.normal(size=3))
    close(f(2 * np.eye(3), u, 2 * u), np.zeros((3, 3)))


@sphere_hessian.law("for x^T M x / 2 at an eigenvector: eigenvalues lambda_j - lambda_i on the others")
def hessian_of_rayleigh(f, rng):
    Q, values = orthogonal(rng, 3), np.array([3.0, 2.0, -1.0])
    M = (Q * values) @ Q.T
    close(np.linalg.eigvalsh(np.asarray(f(M, Q[:, 1], 2 * Q[:, 1]), dtype=float)), [-3, 0, 1])


sphere_hessian.wrong("forgets that the sphere is curved", replace=("(H - (u @ g) * jnp.eye(len(u)))", "H"),
                     caught_by=hessian_of_constant,
                     hint="A great circle is accelerated: its second derivative at t = 0 is -u. The gradient feels that.")
sphere_hessian.wrong("projects on one side only", replace=(" * jnp.eye(len(u))) @ P", " * jnp.eye(len(u)))"),
                     caught_by=hessian_of_normal, hint="Tangent vectors stand on both sides of the quadratic form.")
sphere_hessian.wrong("adds the curvature", replace=("(H - (u @ g)", "(H + (u @ g)"), caught_by=hessian_of_constant,
                     hint="cos(t) u + sin(t) v: what is its second derivative at t = 0, with its sign?")
sphere_hessian.wrong("subtracts the length of the gradient", replace=("(u @ g)", "jnp.linalg.norm(g)"),
                     caught_by=hessian_along_circles,
                     hint="Only the part of the gradient along u counts: the acceleration -u meets g.")
sphere_hessian.wrong("does not project", replace=("return P @ (H - (u @ g) * jnp.eye(len(u))) @ P",
                                                  "return H - (u @ g) * jnp.eye(len(u))"),
                     caught_by=hessian_of_normal, hint="It agrees on tangent vectors, but has to be zero along u.")


@sphere_hessian.right("written out, in NumPy")
def _(H, u, g):
    H, u, g = map(np.asarray, (H, u, g))
    P = np.eye(len(u)) - np.outer(u, u)
    return P @ H @ P - u.dot(g) * P


@sphere_hessian.right("in a basis of the tangent space")
def _(H, u, g):
    basis = np.linalg.svd(np.asarray(u)[None])[2][1:]
    inside = basis @ np.asarray(H) @ basis.T - np.dot(u, g) * np.eye(len(basis))
    return basis.T @ inside @ basis


# P2.23 -----------------------------------------------------------------------------------------------------------

kurtosis_stationarity = Exercise(
    "ch02.kurtosis_stationarity", "Where kurtosis is stationary", principles=["P2.23"],
    label="eq:kurtosis-sphere-landscape-stationarity", book="exercise:kurtosis-sphere-landscape", minutes=6, level="more",
    objective="write the condition of first order for kurtosis on the sphere",
    hints=["The gradient of sum_i kappa_i w_i^4 is 4 kappa w^3, entry by entry. Take its tangent part at w.",
           "The part along w is w^T (kappa w^3) = sum_i kappa_i w_i^4, a number.",
           "kappa * w**3 minus that number times w."])


def landscape(kappa):
    return lambda w: (kappa * w**4).sum()


@kurtosis_stationarity.law("a quarter of the slopes of sum_i kappa_i w_i^4 along great circles, and orthogonal to w")
def stationarity_slopes(f, rng):
    w, kappa = unit(rng.normal(size=3)), np.array([1.0, -2.0, 4.0])
    r = f(w, kappa)
    close(tangents(w).T @ r, [along(landscape(kappa), w, v)[0] / 4 for v in tangents(w).T])
    close(w @ r, 0.0)


@kurtosis_stationarity.law("zero on every axis, and where kappa_i w_i^2 is the same for all i")
def stationarity_zeros(f, rng):
    kappa = np.array([1.0, 4.0, 0.5])
    for w in [*np.eye(3), unit(np.array([1, -1, 1]) / np.sqrt(kappa))]:
        close(f(w, kappa), np.zeros(3))


@kurtosis_stationarity.law("linear in kappa")
def stationarity_linear(f, rng):
    w, kappa, other = unit(rng.normal(size=3)), rng.normal(size=3), rng.normal(size=3)
    close(f(w, 2 * kappa - other), 2 * f(w, kappa) - f(w, other))


kurtosis_stationarity.wrong("the whole gradient", replace=(" - (kappa @ w**4) * w", ""), caught_by=stationarity_slopes,
                            hint="On the sphere only the tangent part has to vanish. What is it at an axis?")
kurtosis_stationarity.wrong("the multiplier without kappa", replace=("(kappa @ w**4)", "(w**4).sum()"),
                            caught_by=stationarity_zeros,
                            hint="Multiply the equation by w^T. What must the number in front of w be?")
kurtosis_stationarity.wrong("keeps the four in one term", replace=("kappa * w**3", "4 * kappa * w**3"),
                            caught_by=stationarity_slopes,
                            hint="The factor 4 can be dropped, but then in both terms.")
kurtosis_stationarity.wrong("squares for cubes", replace=("kappa * w**3", "kappa * w**2"), caught_by=stationarity_slopes,
                            hint="What is the derivative of w_i^4, up to the factor 4?")
kurtosis_stationarity.wrong("the sum of squares as multiplier", replace=("(kappa @ w**4)", "(kappa @ w**2)"),
                            caught_by=stationarity_slopes, hint="Take the inner product of kappa w^3 with w.")


@kurtosis_stationarity.right("with the projector, in NumPy")
def _(w, kappa):
    w, kappa = np.asarray(w), np.asarray(kappa)
    return (np.eye(len(w)) - np.outer(w, w)) @ (kappa * w * w * w)


critical_point = Exercise(
    "ch02.critical_point", "The critical points of kurtosis", principles=["P2.23"], label="eq:kurtosis-sphere-landscape-cps",
    book="exercise:kurtosis-sphere-landscape", minutes=12, level="challenge",
    objective="find all critical points of kurtosis on the sphere",
    hints=["Where w_i is not 0, the condition kappa_i w_i^3 = c w_i can be divided by w_i.",
           "So w_i^2 = c / kappa_i on the support. Which c makes the squares add up to 1?",
           "c = 1 / (sum over the support of 1 / kappa_j). A sign for each w_i is free."])


@critical_point.law("of length 1, with the signs that were asked for")
def point_signs(f, rng):
    for signs, kappa in ([1, 0, -1], [1, -2, 4]), ([0, -1, 0], [1, -2, 4]), ([-1, -1, 1], [-1, -2, -0.5]):
        w = f(np.array(signs, dtype=float), np.array(kappa, dtype=float))
        close(np.linalg.norm(w), 1)
        close(np.sign(np.round(w, 4)), signs)


@critical_point.law("the slope along every great circle through it is zero")
def point_slopes(f, rng):
    for signs, kappa in ([1, -1, 1], [1, 2, 0.5]), ([0, 1, 1], [1, -2, -0.5]):
        w, kappa = np.asarray(f(np.array(signs, dtype=float), np.array(kappa)), dtype=float), np.array(kappa)
        holds(np.abs(np.linalg.norm(w) - 1) < 1e-3, "it is not on the sphere")
        close([along(landscape(kappa), unit(w), v)[0] for v in tangents(w).T], np.zeros(2), tol=5)


@critical_point.law("kurtosis there is 1 / sum_j (1 / kappa_j) over the support")
def point_value(f, rng):
    kappa = np.array([1.0, -3.0, 4.0])
    close(landscape(kappa)(f(np.array([1.0, 0.0, -1.0]), kappa)), 4 / 5)


critical_point.wrong("kappa for its reciprocal", replace=("jnp.abs(signs) / kappa", "jnp.abs(signs) * kappa"),
                     caught_by=point_slopes, hint="kappa_i w_i^2 is the same for all i: the larger kappa_i, the smaller w_i.")
critical_point.wrong("equal weights", replace=("jnp.abs(signs) / kappa", "jnp.abs(signs)"), caught_by=point_slopes,
                     hint="Equal weights are stationary only where all kurtoses are equal. What does the condition say of w_i^2?")
critical_point.wrong("does not bring it to length 1", replace=("share / share.sum()", "jnp.abs(share)"), caught_by=point_signs,
                     hint="The squares have to add up to 1.")
critical_point.wrong("sums over all coordinates", replace=("share.sum()", "(1 / kappa).sum()"), caught_by=point_signs,
                     hint="Coordinates outside the support take no part in the sum.")
critical_point.wrong("squares instead of their roots", replace=("jnp.sqrt(share / share.sum())", "(share / share.sum())"),
                     caught_by=point_signs, hint="These are the w_i^2. Is your vector of length 1?")


@critical_point.right("coordinate by coordinate, in NumPy")
def _(signs, kappa):
    support = [i for i, sign in enumerate(signs) if sign != 0]
    c = 1 / sum(1 / float(kappa[i]) for i in support)
    w = np.zeros(len(signs))
    for i in support:
        w[i] = float(signs[i]) * np.sqrt(c / float(kappa[i]))
    return w


morse_index = Exercise(
    "ch02.morse_index", "Up or down", principles=["P2.23"], label="exercise:kurtosis-sphere-landscape",
    book="exercise:kurtosis-sphere-landscape", minutes=12, level="challenge",
    objective="tell maxima, minima and saddles of kurtosis on the sphere apart",
    hints=["Second derivatives in space: diag(12 kappa w^2). How do they become those on the sphere?",
           "u^T g is w^T (4 kappa w^3) = 4 sum_i kappa_i w_i^4. The Hessian on the sphere is P (diag(12 kappa w^2) - u^T g I) P.",
           "It has one eigenvalue 0, along w itself, which does not count. jnp.linalg.eigvalsh gives them all; in floating point "
           "that one is only almost 0."])
POINTS = [([1, 0, 0], [1, 2, -3]), ([1, -1, 0], [1, 2, -3]), ([0, 0, 1], [1, 2, -3]), ([-1, 1, 1], [1, 2, 4]),
          ([1, 0, -1], [1, 2, 4]), ([0, 1, 1], [1, -2, -0.5]), ([1, 1, 1], [-1, -2, -0.5])]


def point(signs, kappa):
    signs, kappa = np.array(signs, dtype=float), np.array(kappa, dtype=float)
    share = np.abs(signs) / kappa
    return signs * np.sqrt(share / share.sum()) + 0.0, kappa


@morse_index.law("the signs of the second derivatives along great circles")
def index_of_curves(f, rng):
    for signs, kappa in POINTS:
        w, kappa = point(signs, kappa)
        V = tangents(w)
        second = lambda v: np.linalg.norm(v) ** 2 * along(landscape(kappa), w, unit(v))[1]
        form = np.diag([second(v) for v in V.T])
        form[0, 1] = form[1, 0] = (second(V[:, 0] + V[:, 1]) - second(V[:, 0] - V[:, 1])) / 4
        values = np.linalg.eigvalsh(form)
        close(np.array([int(n) for n in f(w, kappa)]), [(values > 0).sum(), (values < 0).sum()])


@morse_index.law("no other than D - 1 directions in all")
def index_counts_tangents(f, rng):
    for signs, kappa in POINTS:
        close(sum(int(n) for n in f(*point(signs, kappa))), 2)


@morse_index.law("up and down change places when kappa changes its sign")
def index_of_the_negative(f, rng):
    for signs, kappa in POINTS[:4]:
        w, kappa = point(signs, kappa)
        up, down = f(w, kappa)
        close(np.array([int(n) for n in f(w, -kappa)]), [int(down), int(up)])


morse_index.wrong("forgets that the sphere is curved", replace=(" - 4 * f", ""), caught_by=index_of_curves,
                  hint="The gradient along w is not zero at a critical point; it bends the function along a great circle.")
morse_index.wrong("counts the direction of w", replace=("P @ np.diag(12 * kappa * w**2 - 4 * f) @ P",
                                                       "np.diag(12 * kappa * w**2 - 4 * f)"),
                  caught_by=index_counts_tangents, hint="How many tangent directions are there in R^D? Restrict to them.")
morse_index.wrong("down before up", replace=("(curvature > small).sum(), (curvature < -small).sum()",
                                             "(curvature < -small).sum(), (curvature > small).sum()"), caught_by=index_of_curves,
                  hint="First how many go up: positive second derivatives.")
morse_index.wrong("counts rounding", replace=("small = 1e-3 * np.abs(curvature).max()", "small = -1e-3"),
                  caught_by=index_counts_tangents, hint="One eigenvalue is 0 up to rounding. It is neither up nor down.")
morse_index.wrong("first derivatives for second ones", replace=("12 * kappa * w**2", "4 * kappa * w**3"),
                  caught_by=index_of_curves, hint="Differentiate kappa_i w_i^4 twice.")


@morse_index.right("counted from the formula")
def _(w, kappa):
    support = int((np.abs(np.asarray(w)) > 1e-3).sum())
    up, down = support - 1, len(w) - support
    return (up, down) if np.asarray(kappa) @ np.asarray(w) ** 4 > 0 else (down, up)


@morse_index.right("in a basis of the tangent space, in NumPy")
def _(w, kappa):
    w, kappa = np.asarray(w), np.asarray(kappa)
    basis = np.linalg.svd(w[None])[2][1:]
    values = np.linalg.eigvalsh(basis @ np.diag(12 * kappa * w**2) @ basis.T - 4 * (kappa * w**4).sum() * np.eye(len(w) - 1))
    return (values > 0).sum(), (values < 0).sum()


kurtosis_maximum = Exercise(
    "ch02.kurtosis_maximum", "Where kurtosis is largest", principles=["P2.23"], label="exercise:kurtosis-sphere-landscape",
    book="exercise:kurtosis-sphere-landscape", minutes=10, level="challenge",
    objective="find the directions of largest kurtosis: single components where one is positive, a mixture of all where none is",
    hints=["A maximum has no direction upwards. Which supports are left, for c > 0 and for c < 0?",
           "With a positive kappa_i, the axes are the only maxima; the best has the largest kappa_i. With all of them negative, "
           "the support has to be everything.",
           "In the second case w_i = sqrt((1 / kappa_i) / sum_j (1 / kappa_j))."])


@kurtosis_maximum.law("of length 1, no coordinate negative, and the value is that of sum_i kappa_i w_i^4 there")
def maximum_value(f, rng):
    for kappa in np.array([1.0, -5.0, 2.0]), np.array([-1.0, -2.0, -0.5]):
        w, value = f(kappa)
        close(np.linalg.norm(w), 1)
        holds((np.asarray(w) >= 0).all(), "a coordinate is negative")
        close(value, landscape(kappa)(np.asarray(w, dtype=float)))


@kurtosis_maximum.law("the largest kurtosis where one is positive")
def maximum_positive(f, rng):
    for kappa in np.array([1.0, -5.0, 2.0]), np.array([-3.0, 0.4, -1.0]):
        close(f(kappa)[1], kappa.max())


@kurtosis_maximum.law("not exceeded at any of 20,000 points of the sphere")
def maximum_beats(f, rng):
    points = rng.normal(size=(20_000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    for kappa in np.array([1.0, -5.0, 2.0]), np.array([-1.0, -2.0, -0.5]):
        holds(f(kappa)[1] >= (points**4 @ kappa).max() - 1e-5, "a point of the sphere has more")


@kurtosis_maximum.law("where all are negative, a sum of reciprocals turned over")
def maximum_negative(f, rng):
    kappa = -rng.uniform(0.5, 3, size=3)
    close(f(kappa)[1], 1 / (1 / kappa).sum())


kurtosis_maximum.wrong("the largest in size", replace=("jnp.argmax(kappa)", "jnp.argmax(jnp.abs(kappa))"),
                       caught_by=maximum_positive,
                       hint="A very negative kurtosis is a minimum. Largest means largest, not farthest from 0.")
kurtosis_maximum.wrong("an axis in every case", replace=("if kappa.max() > 0", "if True"), caught_by=maximum_negative,
                       hint="With all kurtoses negative the axes are minima: moving away makes kurtosis less negative.")
kurtosis_maximum.wrong("equal weights where all are negative", replace=("share = 1 / kappa", "share = jnp.ones_like(kappa)"),
                       caught_by=maximum_negative, hint="Equal weights are stationary only where all kurtoses are equal.")
kurtosis_maximum.wrong("kappa for its reciprocal", replace=("share = 1 / kappa", "share = kappa"), caught_by=maximum_negative,
                       hint="kappa_i w_i^2 is the same for all i.")
kurtosis_maximum.wrong("the value of squares", replace=("kappa @ w**4", "kappa @ w**2"), caught_by=maximum_value,
                       hint="The function is the sum of kappa_i w_i^4.")


@kurtosis_maximum.right("the best of all critical points without a sign, in NumPy")
def _(kappa):
    kappa, best = np.asarray(kappa), (None, -np.inf)
    for code in range(1, 2 ** len(kappa)):
        inside = np.array([code >> i & 1 for i in range(len(kappa))], dtype=bool)
        share = np.where(inside, 1 / kappa, 0)
        if (share[inside] > 0).all() or (share[inside] < 0).all():
            w = np.sqrt(share / share.sum())
            best = max(best, (w, (kappa * w**4).sum()), key=lambda pair: pair[1])
    return best


# P2.25 -----------------------------------------------------------------------------------------------------------

kurtosis_gradient = Exercise(
    "ch02.kurtosis_gradient", "The gradient of kurtosis", principles=["P2.25"], label="eq:kurtosis-approximation-l4", minutes=8,
    level="more", objective="differentiate the kurtosis of white data along a direction",
    hints=["Two terms: the mean of (x_i^T u)^4, and 3 times the square of the mean of (x_i^T u)^2.",
           "For white data the mean of (x_i^T u)^2 is u^T u. Its square has the gradient 4 (u^T u) u.",
           "The first gradient is 4 X (X^T u)^3 / N. From it goes 12 (u^T u) u."])


@kurtosis_gradient.law("the slopes of kurtosis, in every direction and at a u of any length")
def gradient_slopes(f, rng):
    X, u = white(rng), rng.normal(size=3)
    slopes = [(kurt((u + 1e-4 * e) @ X) - kurt((u - 1e-4 * e) @ X)) / 2e-4 for e in np.eye(3)]
    close(f(X, u), slopes)


@kurtosis_gradient.law("4 kappa_i w_i^3 for independent codes")
def gradient_of_codes(f, rng):
    (X, kappa), u = every("two", "five", "nine"), rng.normal(size=3)
    close(f(X, u), 4 * kappa * u**3)


@kurtosis_gradient.law("of degree three: at 2 u eight times what it is at u")
def gradient_degree(f, rng):
    X, u = white(rng), rng.normal(size=3)
    close(f(X, 2 * u), 8 * f(X, u))


kurtosis_gradient.wrong("takes u for a unit vector", replace=("12 * (u @ u) * u", "12 * u"), caught_by=gradient_degree,
                        hint="u may have any length here: differentiate 3 (u^T u)^2.")
kurtosis_gradient.wrong("three for twelve", replace=("12 * (u @ u)", "3 * (u @ u)"), caught_by=gradient_of_codes,
                        hint="The factor 4 of the derivative belongs to both terms.")
kurtosis_gradient.wrong("the gradient of the fourth moment alone", replace=(" - 12 * (u @ u) * u", ""), caught_by=gradient_slopes,
                        hint="Kurtosis has a second term, and it is not constant off the sphere.")
kurtosis_gradient.wrong("loses the four", replace=("4 * X @", "X @"), caught_by=gradient_of_codes,
                        hint="Differentiate (x^T u)^4 with respect to u.")
kurtosis_gradient.wrong("sums instead of averaging", replace=(" / X.shape[1]", ""), caught_by=gradient_of_codes,
                        hint="Kurtosis averages over the N samples.")
kurtosis_gradient.wrong("squares for cubes", replace=("(X.T @ u) ** 3", "(X.T @ u) ** 2"), caught_by=gradient_degree,
                        hint="The derivative of a fourth power is a third power.")


@kurtosis_gradient.right("sample by sample, in NumPy")
def _(X, u):
    X, u = np.asarray(X), np.asarray(u)
    return np.mean([4 * (x @ u) ** 3 * x for x in X.T], axis=0) - 12 * np.dot(u, u) * u


@kurtosis_gradient.right("by automatic differentiation")
def _(X, u):
    return jax.grad(lambda u: jnp.mean((u @ X) ** 4) - 3 * jnp.mean((u @ X) ** 2) ** 2)(u)


fastica_step = Exercise(
    "ch02.fastica_step", "One step of FastICA", principles=["P2.25"], label="eq:fast-ica", minutes=10,
    objective="take a step of FastICA: the gradient of kurtosis, brought back to the sphere",
    hints=["Three operations: a response of every sample, a weighted average of the samples, and back to length 1.",
           "The responses are X^T u, one a sample. Their cubes are the weights in the average of the columns of X.",
           "X @ (X.T @ u) ** 3 / N is the average. From it goes 3 u, and the length is normalised last."])


@fastica_step.law("of length 1")
def step_length(f, rng):
    close(np.linalg.norm(f(white(rng), unit(rng.normal(size=3)))), 1)


@fastica_step.law("for independent codes it takes coordinates w to kappa w^3, brought to length 1")
def step_in_codes(f, rng):
    (Z, kappa), U, w = every("two", "five", "nine"), orthogonal(rng, 3), unit(rng.normal(size=3))
    close(f(U @ Z, U @ w), U @ unit(kappa * w**3))


@fastica_step.law("points along the gradient of kurtosis")
def step_along_gradient(f, rng):
    X, u = white(rng), unit(rng.normal(size=3))
    slopes = [(kurt((u + 1e-4 * e) @ X) - kurt((u - 1e-4 * e) @ X)) / 2e-4 for e in np.eye(3)]
    close(f(X, u), unit(np.array(slopes)))


@fastica_step.law("leaves the directions of independent components where they are, up to sign")
def step_fixed_points(f, rng):
    (Z, kappa), U = every("two", "five", "nine"), orthogonal(rng, 3)
    for column, k in zip(U.T, kappa):
        close(f(U @ Z, column), np.sign(k) * column)


fastica_step.wrong("forgets 3 u", replace=(" - 3 * u", ""), caught_by=step_in_codes,
                   hint="That is the gradient of the fourth moment. What would a Gaussian, of kurtosis 0, add to it?")
fastica_step.wrong("u for 3 u", replace=("- 3 * u", "- u"), caught_by=step_in_codes,
                   hint="For a Gaussian the mean of x (x^T u)^3 is 3 u. All of it has to go.")
fastica_step.wrong("12 u for 3 u", replace=("- 3 * u", "- 12 * u"), caught_by=step_along_gradient,
                   hint="The gradient is 4 X (X^T u)^3 / N - 12 u. If the 4 goes, what remains of the 12?")
fastica_step.wrong("sums instead of averaging", replace=(" / X.shape[1]", ""), caught_by=step_in_codes,
                   hint="3 u balances an average over the samples, not their sum.")
fastica_step.wrong("cubes the data", replace=("X @ (X.T @ u) ** 3", "X**3 @ (X.T @ u)"), caught_by=step_along_gradient,
                   hint="First the response X^T u of every sample, then the cube.")
fastica_step.wrong("does not normalise", replace=("v / jnp.linalg.norm(v)", "v"), caught_by=step_length,
                   hint="The new vector has to be back on the sphere.")
fastica_step.wrong("takes 3 u away after normalising", replace=("X.shape[1] - 3 * u\n    return v / jnp.linalg.norm(v)",
                                                               "X.shape[1]\n    return v / jnp.linalg.norm(v) - 3 * u"),
                   caught_by=step_length, hint="The length is normalised last.")


@fastica_step.right("sample by sample, in NumPy")
def _(X, u):
    X, u = np.asarray(X), np.asarray(u)
    v = sum(x * np.dot(x, u) ** 3 for x in X.T) / X.shape[1] - 3 * u
    return v / np.sqrt(np.dot(v, v))


@fastica_step.right("by automatic differentiation")
def _(X, u):
    v = jax.grad(lambda u: jnp.mean((u @ X) ** 4) - 3 * jnp.mean((u @ X) ** 2) ** 2)(u)
    return v / jnp.linalg.norm(v)


fastica_population = Exercise(
    "ch02.fastica_population", "FastICA with infinitely many samples", principles=["P2.25"], label="eq:kurtosis-max-sphere-fxp",
    minutes=6, level="more", objective="follow FastICA in the coordinates of the true directions",
    hints=["In these coordinates kurtosis is sum_i kappa_i w_i^4. What is its gradient, up to a factor?",
           "kappa_i w_i^3, entry by entry. Then back to length 1."])


@fastica_population.law("of length 1, and zeros stay zero")
def population_length(f, rng):
    w = unit(np.array([0.3, 0.0, -0.5]))
    out = f(w, np.array([-2.0, 3.0, 1.0]))
    close(np.linalg.norm(out), 1)
    close(out[1], 0.0)


@fastica_population.law("leaves every axis where it is, up to the sign of its kurtosis")
def population_axes(f, rng):
    kappa = np.array([-2.0, 3.0, 1.0])
    for i, e in enumerate(np.eye(3)):
        close(f(e, kappa), np.sign(kappa[i]) * e)


@fastica_population.law("cubes the ratio of two coordinates, times the ratio of their kurtoses")
def population_ratios(f, rng):
    w, kappa = unit(rng.uniform(0.5, 1, size=3)), np.array([-2.0, 3.0, 1.0])
    out = f(w, kappa)
    close(out[1:] / out[0], kappa[1:] / kappa[0] * (w[1:] / w[0]) ** 3)


fastica_population.wrong("forgets the kurtoses", replace=("kappa * w**3", "w**3"), caught_by=population_ratios,
                         hint="Each coordinate is weighted by its kurtosis.")
fastica_population.wrong("squares for cubes", replace=("w**3", "w**2"), caught_by=population_ratios,
                         hint="The derivative of w^4 is proportional to w^3.")
fastica_population.wrong("loses the signs of the kurtoses", replace=("kappa * w**3", "jnp.abs(kappa) * w**3"),
                         caught_by=population_axes, hint="A negative kurtosis turns the sign. That is part of the step.")
fastica_population.wrong("does not normalise", replace=("v / jnp.linalg.norm(v)", "v"), caught_by=population_length,
                         hint="The result has to lie on the sphere.")
fastica_population.wrong("keeps 3 w", replace=("kappa * w**3", "kappa * w**3 + 3 * w"), caught_by=population_ratios,
                         hint="That is matching, stretching, projecting. In FastICA the 3 w has been taken away.")


@fastica_population.right("as ratios, in NumPy")
def _(w, kappa):
    v = [float(k) * float(x) ** 3 for k, x in zip(kappa, w)]
    length = np.sqrt(sum(x * x for x in v))
    return np.array([x / length for x in v])


convergence_order = Exercise(
    "ch02.convergence_order", "How fast errors fall", principles=["P2.25"], label="eq:kurtosis-max-sphere-fxp", minutes=8,
    level="more", objective="tell linear from cubic convergence by three errors in a row",
    hints=["Take logarithms of e' = C e^p: a straight line with slope p.",
           "Two steps give two equations; subtract one from the other and C is gone.",
           "p = log(e_2 / e_1) / log(e_1 / e_0), with the last three errors above 1e-6."])


def errors(C, p, first, T):
    found = [first]
    while len(found) < T:
        found.append(C * found[-1] ** p)
    return np.array(found)


@convergence_order.law("p where every error is C times the p-th power of the one before")
def order_of_powers(f, rng):
    for C, p, first in (0.6, 1, 0.5), (1.5, 2, 0.3), (0.5, 3, 0.7):
        close(f(errors(C, p, first, 3)), p, tol=5)


@convergence_order.law("taken from the end: what happens at first does not count")
def order_of_the_tail(f, rng):
    close(f(np.array([0.9, 0.85, *errors(0.1, 1, 0.5, 4)])), 1, tol=5)


@convergence_order.law("unmoved by errors of 1e-6 and less, which are rounding")
def order_above_rounding(f, rng):
    close(f(np.array([*errors(0.5, 3, 0.8, 3), 3e-7, 2.5e-7, 2.4e-7])), 3, tol=5)


convergence_order.wrong("upside down", replace=("np.log(e[2] / e[1]) / np.log(e[1] / e[0])",
                                                "np.log(e[1] / e[0]) / np.log(e[2] / e[1])"), caught_by=order_of_powers,
                        hint="Which of the two falls is larger where convergence is fast?")
convergence_order.wrong("the ratio of the ratios", replace=("np.log(e[2] / e[1]) / np.log(e[1] / e[0])",
                                                           "(e[2] / e[1]) / (e[1] / e[0])"), caught_by=order_of_powers,
                        hint="p stands in an exponent. How do you get at it?")
convergence_order.wrong("takes C for 1", replace=("np.log(e[2] / e[1]) / np.log(e[1] / e[0])", "np.log(e[2]) / np.log(e[1])"),
                        caught_by=order_of_powers, hint="The constant is unknown. Two steps are needed to be rid of it.")
convergence_order.wrong("the first three", replace=("[-3:]", "[:3]"), caught_by=order_of_the_tail,
                        hint="The order is a statement about the end. Which three errors do you take?")
convergence_order.wrong("counts rounding", replace=("[e > 1e-6]", ""), caught_by=order_above_rounding,
                        hint="Errors that have reached rounding no longer fall, and say nothing of the order.")


@convergence_order.right("as a slope")
def _(errors):
    logs = jnp.log(jnp.array([e for e in errors if e > 1e-6][-3:]))
    return jnp.polyfit(logs[:2], logs[1:], 1)[0]


# P2.26 -----------------------------------------------------------------------------------------------------------

fastica_deflation = Exercise(
    "ch02.fastica_deflation", "All components, one after another", principles=["P2.26"], label="eq:fast-ica", minutes=15,
    level="challenge", stand_in=independent.fastica_deflation,
    objective="find every independent component, keeping each orthogonal to those found before at every step",
    hints=["Two loops: over the rows, and over the T steps of a row.",
           "After each step of FastICA take away the parts along the rows found so far, then bring to length 1.",
           "With the rows found so far in a matrix F, the part of v in their span is F^T (F v).",
           "found = found.at[k].set(u) writes row k of a JAX array; zeros in the rows not yet found do no harm."])


def rotated(rng):
    """Codes of three exactly independent components, an orthogonal matrix of directions (columns), and data."""
    (Z, kappa), U = every("two", "five", "nine"), orthogonal(rng, 3)
    return Z, kappa, U, U @ Z


@fastica_deflation.law("rows orthonormal, even after a single step each")
def deflation_orthonormal(f, rng):
    W = f(orthogonal(rng, 3), white(rng), 1)
    close(W @ W.T, np.eye(3), tol=5)


@fastica_deflation.law("finds every component once, up to order and sign, be its kurtosis positive or negative")
def deflation_finds(f, rng):
    _, _, U, X = rotated(rng)
    found = np.abs(f(orthogonal(rng, 3), X, 40) @ U)
    close(np.sort(found, axis=1), np.tile([0.0, 0, 1], (3, 1)), tol=10)
    close(found.sum(axis=0), np.ones(3), tol=10)


@fastica_deflation.law("row k starts at row k of W; T times, in coordinates of the codes, kappa w^3 and then what was found goes")
def deflation_steps(f, rng):
    _, kappa, U, X = rotated(rng)
    W, found = orthogonal(rng, 3), np.zeros((0, 3))
    for w in W @ U:
        for _ in range(2):
            v = kappa * w**3
            for row in found:
                v = v - (row @ v) * row
            w = unit(v)
        found = np.vstack([found, w])
    close(f(W, X, 2), found @ U.T, tol=10)


fastica_deflation.wrong("deflates the data and keeps 3 u", replace=(
    "v = v - found.T @ (found @ v)",
    "R = X - found.T @ (found @ X)\n            v = R @ (R.T @ u) ** 3 / X.shape[1] - 3 * u"),
                        caught_by=deflation_finds,
                        hint="Data without the directions found are not white: along these the step is -3 u, which leads back.")
fastica_deflation.wrong("lets every row run free", replace=("v - found.T @ (found @ v)", "v"), caught_by=deflation_orthonormal,
                        hint="What keeps the second row from finding the first component again?")
fastica_deflation.wrong("against the last one found only",
                        replace=("v - found.T @ (found @ v)", "v - (found[k - 1] @ v) * found[k - 1]"),
                        caught_by=deflation_orthonormal, hint="Every row found so far has to go, not just the one before.")
fastica_deflation.wrong("forgets 3 u", replace=(" - 3 * u", ""), caught_by=deflation_steps,
                        hint="Without it the iteration climbs the fourth moment, and components with negative kurtosis repel it.")
fastica_deflation.wrong("transposes the rows found", replace=("found.T @ (found @ v)", "found @ (found.T @ v)"),
                        caught_by=deflation_orthonormal,
                        hint="The components found are the rows. How far does v go along each of them?")
fastica_deflation.wrong("starts every row at the first", replace=("u = W[k]", "u = W[0]"), caught_by=deflation_steps,
                        hint="Row k starts at row k of W.")
fastica_deflation.wrong("orthogonalises after the last step only",
                        replace=("v = v - found.T @ (found @ v)", "v = v - (t == T - 1) * found.T @ (found @ v)"),
                        caught_by=deflation_finds,
                        hint="Left alone, every row runs to whatever component is near. The others have to go at every step.")


@fastica_deflation.right("with a projector, in NumPy")
def _(W, X, T):
    X, P, rows = np.asarray(X), np.eye(len(W)), []
    for u in np.asarray(W):
        for _ in range(T):
            v = P @ (X @ (X.T @ u) ** 3 / X.shape[1] - 3 * u)
            u = v / np.linalg.norm(v)
        rows.append(u)
        P = P - np.outer(u, u)
    return np.array(rows)


@fastica_deflation.right("step by step, with the function for one step")
def _(W, X, T):
    rows = []
    for u in W:
        for _ in range(T):
            u = fastica_step(X, u)
            for row in rows:
                u = u - (row @ u) * row
            u = u / jnp.linalg.norm(u)
        rows.append(u)
    return jnp.stack(rows)
