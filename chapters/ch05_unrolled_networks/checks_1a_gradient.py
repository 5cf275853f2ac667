"""Exercises of Part 1, first half: the gradient of rate reduction, its two halves, residuals, increments, and the rate's curvature."""

import jax
import jax.numpy as jnp
import numpy as np

from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds


def shares_of(rng, K=3, N=8):
    """A soft membership (K, N) with classes of different size."""
    S = rng.uniform(0.1, 1, size=(K, N)) * np.arange(1, K + 1)[:, None]
    return S / S.sum(axis=0)


def hard(sizes):
    """The membership of classes of so many samples, one after another."""
    return np.eye(len(sizes)).repeat(sizes, axis=1)


def reduction(Z, S, eps):
    """Rate reduction from eigenvalues, in float64."""
    d, N = Z.shape
    logs = lambda A: np.log1p(np.linalg.eigvalsh(A).clip(0)).sum() / 2
    parts = [s.sum() / N * logs(d / (s.sum() * eps**2) * (Z * s) @ Z.T) for s in S]
    return logs(d / (N * eps**2) * Z @ Z.T) - sum(parts)


def slope(f, Z, step=1e-5):
    """The gradient of f at Z by central differences."""
    G = np.zeros_like(Z)
    for index in np.ndindex(*Z.shape):
        e = np.zeros_like(Z)
        e[index] = step
        G[index] = (f(Z + e) - f(Z - e)) / (2 * step)
    return G


# P5.1

class_constants = Exercise(
    "ch05.class_constants", "The constants of a class", principles=["P5.1"], label="eq:mcr-formulation", minutes=5, level="more",
    objective="know the constants of rate reduction and the identity between them",
    hints=["The size of class k is the sum of row k: samples count by their shares.",
           "alpha has N, alpha_k the size of class k, and both have d above and eps squared below."])


@class_constants.law("gamma_k alpha_k is alpha, for every class")
def cc_identity(f, rng):
    alpha, alphas, gamma = f(shares_of(rng), 0.7, 5)
    close(np.asarray(alphas) * np.asarray(gamma), np.full(3, float(alpha)))


@class_constants.law("the gammas add up to 1")
def cc_sum(f, rng):
    close(np.sum(f(shares_of(rng), 0.7, 5)[2]), 1.0)


@class_constants.law("alpha is d / (N eps^2), halved when every sample is written twice")
def cc_alpha(f, rng):
    S = shares_of(rng)
    close(f(S, 0.5, 3)[0], 3 / (8 * 0.25))
    close(f(np.tile(S, 2), 0.5, 3)[0], 3 / (16 * 0.25))


class_constants.wrong("N for the size of the class", replace=("d / (sizes * eps**2)", "d / (N * eps**2) + 0 * sizes"), caught_by=cc_identity,
                      hint="A class is coded on its own: alpha_k has its own size.")
class_constants.wrong("d for N in gamma", replace=("sizes / N", "sizes / d"), caught_by=cc_sum, hint="gamma_k is the share of the class in all samples.")
class_constants.wrong("eps not squared", replace=("d / (N * eps**2)", "d / (N * eps)"), caught_by=cc_identity)
class_constants.wrong("counts samples with any share", replace=("np.asarray(membership).sum(axis=1)", "(np.asarray(membership) > 0).sum(axis=1)"),
                      caught_by=cc_sum, hint="Shares, not heads, are counted: tr(P_k) is a sum of shares.")


@class_constants.right("traces of diagonal matrices")
def _(membership, eps, d):
    traces = np.array([np.trace(np.diag(s)) for s in np.asarray(membership)])
    alpha, gamma = d / (traces.sum() * eps**2), traces / traces.sum()
    return alpha, alpha / gamma, gamma


# P5.2

sphere_step = Exercise(
    "ch05.sphere_step", "A step on the sphere", principles=["P5.2"], label="eqn:gradient-descent", minutes=4, level="more",
    objective="take one step of projected gradient ascent",
    hints=["First the step, then the scaling: what is projected is the new point.", "np.linalg.norm(moved, axis=0) has one length for every column."])


@sphere_step.law("every column has length 1")
def ss_length(f, rng):
    close(np.linalg.norm(np.asarray(f(rng.normal(size=(3, 5)), rng.normal(size=(3, 5)), 0.3)), axis=0), np.ones(5))


@sphere_step.law("points from the origin to Z + eta H, column by column")
def ss_direction(f, rng):
    Z, H = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    out = np.asarray(f(Z, H, 0.3), dtype=float)
    for i in range(5):
        moved = Z[:, i] + 0.3 * H[:, i]
        close(out[:, i] @ moved, np.sqrt(moved @ moved))


@sphere_step.law("climbs: a small step along H gains as much as H's part along the sphere promises")
def ss_gain(f, rng):
    Z = rng.normal(size=(3, 5))
    Z, H = Z / np.linalg.norm(Z, axis=0), rng.normal(size=(3, 5))
    gained = np.sum((np.asarray(f(Z, H, 0.05), dtype=float) - Z) * H) / 0.05
    holds(abs(gained - np.sum((H - Z * np.sum(Z * H, axis=0)) * H)) < 0.3 * gained, "a small step does not follow H along the sphere")


sphere_step.wrong("downhill", replace=("+ eta", "- eta"), caught_by=ss_gain, hint="The rate reduction is to grow.")
sphere_step.wrong("rows of length 1", replace=("axis=0)", "axis=1, keepdims=True)"), caught_by=ss_length, hint="A feature is a column.")
sphere_step.wrong("the whole matrix of length 1", replace=("moved, axis=0)", "moved)"), caught_by=ss_length, hint="Every feature has length 1, not all of them together.")
sphere_step.wrong("no scaling", replace=("moved / np.linalg.norm(moved, axis=0)", "moved"), caught_by=ss_length, hint="Then the features grow and grow.")
sphere_step.wrong("scales the gradient", replace=("np.asarray(Z) + eta * np.asarray(H)", "np.asarray(Z) + eta * np.asarray(H) / np.linalg.norm(H, axis=0)"),
                  caught_by=ss_direction, hint="H is taken as long as it is; only the result is scaled.")


@sphere_step.right("column by column, in JAX")
def _(Z, H, eta):
    unit = lambda v: v / jnp.sqrt(v @ v)
    return jax.vmap(lambda z, h: unit(z + eta * h), 1, 1)(jnp.asarray(Z), jnp.asarray(H))


# P5.3

compressing_half = Derivation(
    "ch05.compressing_half", "The compressing half", principles=["P5.3"], label="eqn:compress-directions", minutes=8, level="more",
    objective="derive the compression operator from the differential of a log-determinant",
    stages=[Stage("in one trace with M", uses={"trace", "M", "H"}, without={"C"}), Stage("in C, without M", uses={"trace", "C", "H"}, without={"M", "inv"})],
    hints=["The trace of a matrix is that of its transpose, and factors may be moved from the front to the end. M and P are symmetric.",
           "So both traces are equal, and the half goes away.", "alpha inv(M) is C. And trace(A @ H.T) is sum(A * H)."])


@compressing_half.instance
def _(rng):
    return dict(Z=rng.normal(size=(3, 5)), H=rng.normal(size=(3, 5)), share=rng.uniform(0.1, 1, size=5), gamma=0.3, alpha=0.8)


compressing_half.wrong("keeps the half", replace=("yield gamma * trace(inv(M)", "yield gamma / 2 * trace(inv(M)"), caught_by="equal", hint="Two equal traces, each with a half.")
compressing_half.wrong("alpha twice", replace=("gamma * trace(C @ Z", "gamma * alpha * trace(C @ Z"), caught_by="equal", hint="C has an alpha in it.")
compressing_half.wrong("the shares on the wrong side", replace=("trace(C @ Z @ P @ H.T)", "trace(C @ Z @ H.T) * P[0, 0]"), caught_by="equal")
compressing_half.wrong("straight to C", replace=("    yield gamma * trace(inv(M) @ (alpha * Z @ P @ H.T))\n", ""), caught_by="stages")


@compressing_half.right("the other trace of the two")
def _(Z, H, share, gamma, alpha):
    Z, H, P = np.asarray(Z, dtype=float), np.asarray(H, dtype=float), np.diag(np.asarray(share, dtype=float))
    inv, trace, sum = np.linalg.inv, np.trace, np.sum
    M = np.eye(len(Z)) + alpha * Z @ P @ Z.T
    C = alpha * inv(M)
    yield gamma / 2 * (trace(inv(M) @ (alpha * H @ P @ Z.T)) + trace(inv(M) @ (alpha * Z @ P @ H.T)))
    yield gamma * alpha * trace(inv(M) @ H @ P @ Z.T)
    yield gamma * trace(H @ P @ Z.T @ C)
    yield sum(gamma * (C @ Z @ P) * H)


expand_compress = Exercise(
    "ch05.expand_compress", "Expand and compress", principles=["P5.3"], label="eqn:DR-gradient", minutes=15,
    objective="compute both operators and the gradient of the rate reduction",
    hints=["Each operator is a number times the inverse of I plus that number times a second moment.",
           "(Z * membership[k]) @ Z.T is Z P_k Z^T. With membership[:, None] all classes come at once, (K, d, d).",
           "Column i of the gradient is E z_i minus the sum over k of gamma_k membership[k, i] C_k z_i."])


@expand_compress.law("the gradient is the slope of the rate reduction, for soft memberships")
def ec_slope(f, rng):
    Z, S = rng.normal(size=(4, 8)), shares_of(rng)
    close(f(Z, S, 0.9)[2], slope(lambda Z: reduction(Z, S, 0.9), Z))


@expand_compress.law("E has the eigenvectors of Z Z^T and the eigenvalues 1 / (1 / alpha + lambda)")
def ec_expand(f, rng):
    Z = rng.normal(size=(4, 8))
    E, values, V = np.asarray(f(Z, shares_of(rng), 0.9)[0], dtype=float), *np.linalg.eigh(Z @ Z.T)
    close(V.T @ E @ V, np.diag(1 / (8 * 0.81 / 4 + values)))


@expand_compress.law("C_k is the operator E of class k alone")
def ec_compress(f, rng):
    Z = rng.normal(size=(4, 8))
    C = np.asarray(f(Z, hard([3, 5]), 0.9)[1], dtype=float)
    for k, mine in enumerate((slice(0, 3), slice(3, 8))):
        size = (3, 5)[k]
        close(np.linalg.inv(C[k]), size * 0.81 / 4 * np.eye(4) + Z[:, mine] @ Z[:, mine].T)


@expand_compress.law("no gradient where all samples are of one class")
def ec_one(f, rng):
    close(f(rng.normal(size=(4, 8)), np.ones((1, 8)), 0.9)[2], np.zeros((4, 8)))


expand_compress.wrong("N in every alpha", replace=("(d / (sizes * eps**2))", "(d / (N * eps**2) + 0 * sizes)"), caught_by=ec_compress, hint="Each class is coded on its own.")
expand_compress.wrong("classes not weighted", replace=('sizes / N, C', 'np.ones(len(sizes)), C'), caught_by=ec_slope, hint="Where is gamma_k?")
expand_compress.wrong("the shares forgotten in C", replace=("(Z * membership[:, None]) @ Z.T", "(Z * (membership[:, None] > 0)) @ Z.T"), caught_by=ec_slope,
                      hint="C_k sees every sample by its share.")
expand_compress.wrong("the shares forgotten behind C", replace=('"k,kde,ei,ki->di"', '"k,kde,ei,kj->di"'), caught_by=ec_one, hint="Column i takes the shares of sample i.")
expand_compress.wrong("compression added", replace=("E @ Z - np", "E @ Z + np"), caught_by=ec_one, hint="The rate of the classes is taken off.")
expand_compress.wrong("eps not squared", replace=("d / (N * eps**2), (", "d / (N * eps), ("), caught_by=ec_expand)
expand_compress.wrong("without the inverse's own alpha", replace=("E = alpha * np.linalg.inv", "E = np.linalg.inv"), caught_by=ec_expand, hint="alpha stands in front, too.")


@expand_compress.right("class by class, the gradient by jax.grad")
def _(Z, membership, eps):
    Z, S = jnp.asarray(Z), jnp.asarray(membership)
    d, N = Z.shape
    M = lambda s: jnp.eye(d) * (s.sum() * eps**2 / d) + (Z * s) @ Z.T
    rate = lambda Z, s: s.sum() / N * jnp.linalg.slogdet(jnp.eye(d) + d / (s.sum() * eps**2) * (Z * s) @ Z.T)[1] / 2
    G = jax.grad(lambda Z: rate(Z, jnp.ones(N)) - sum(rate(Z, s) for s in S))(Z)
    return jnp.linalg.inv(M(jnp.ones(N))), jnp.stack([jnp.linalg.inv(M(s)) for s in S]), G


@expand_compress.right("through eigenvectors, in NumPy")
def _(Z, membership, eps):
    Z, S = np.asarray(Z, dtype=float), np.asarray(membership, dtype=float)
    d, N = Z.shape

    def operator(s):
        values, V = np.linalg.eigh((Z * s) @ Z.T)
        return V / (s.sum() * eps**2 / d + values) @ V.T
    E, C = operator(np.ones(N)), np.stack([operator(s) for s in S])
    return E, C, E @ Z - sum(s.sum() / N * c @ Z * s for s, c in zip(S, C))


# P5.4

ridge_residual = Exercise(
    "ch05.ridge_residual", "The residual of a ridge regression", principles=["P5.4"], label="rem:regression-interpretation", minutes=8, level="more",
    objective="read the expansion operator as a residual",
    hints=["Set the derivative in q to 0: 2 q - 2 alpha Z^T (z - Z q) = 0.", "(I + alpha Z^T Z) q = alpha Z^T z."])


@ridge_residual.law("no other q is better")
def rr_best(f, rng):
    Z, z = rng.normal(size=(4, 7)), rng.normal(size=4)
    cost = lambda q: 0.8 * np.sum((z - Z @ q) ** 2) + q @ q
    q = np.asarray(f(Z, z, 0.8)[0], dtype=float)
    for _ in range(20):
        holds(cost(q) < cost(q + 0.05 * rng.normal(size=7)), "another q costs less")


@ridge_residual.law("alpha times the residual is E z")
def rr_expand(f, rng):
    for d, N in ((4, 7), (7, 4)):
        Z, z = rng.normal(size=(d, N)), rng.normal(size=d)
        close(0.8 * np.asarray(f(Z, z, 0.8)[1]), np.linalg.inv(np.eye(d) / 0.8 + Z @ Z.T) @ z)


@ridge_residual.law("the residual is z less what the columns of Z explain")
def rr_rest(f, rng):
    Z, z = rng.normal(size=(4, 7)), rng.normal(size=4)
    q, rest = f(Z, z, 0.8)
    close(Z @ np.asarray(q, dtype=float) + np.asarray(rest), z)


ridge_residual.wrong("least squares without the penalty", replace=("np.eye(Z.shape[1]) + alpha * Z.T @ Z, alpha * Z.T @ z", "1e-3 * np.eye(Z.shape[1]) + alpha * Z.T @ Z, alpha * Z.T @ z"),
                     caught_by=rr_expand, hint="The penalty ||q||^2 gives the identity in the system.")
ridge_residual.wrong("the penalty weighted instead", replace=("np.eye(Z.shape[1]) + alpha * Z.T @ Z, alpha * Z.T @ z", "alpha * np.eye(Z.shape[1]) + Z.T @ Z, Z.T @ z"),
                     caught_by=rr_expand, hint="alpha stands before the fit, not before the penalty.")
ridge_residual.wrong("what is explained instead of what is left", replace=("return q, z - Z @ q", "return q, Z @ q"), caught_by=rr_rest)
ridge_residual.wrong("alpha forgotten on the right", replace=("Z, alpha * Z.T @ z", "Z, Z.T @ z"), caught_by=rr_best)


@ridge_residual.right("with the d x d inverse")
def _(Z, z, alpha):
    Z, z = jnp.asarray(Z), jnp.asarray(z)
    rest = jnp.linalg.solve(jnp.eye(len(Z)) + alpha * Z @ Z.T, z)
    return alpha * Z.T @ rest, rest


@ridge_residual.right("as least squares with more rows")
def _(Z, z, alpha):
    Z, z = np.asarray(Z, dtype=float), np.asarray(z, dtype=float)
    N = Z.shape[1]
    q = np.linalg.lstsq(np.vstack([alpha**0.5 * Z, np.eye(N)]), np.concatenate([alpha**0.5 * z, np.zeros(N)]))[0]
    return q, z - Z @ q


residual_lines = Derivation(
    "ch05.residual_lines", "The residual is E z / alpha", principles=["P5.4"], label="rem:regression-interpretation", minutes=8, level="more",
    objective="show by pushing a matrix through an inverse that the expansion operator leaves residuals",
    stages=[Stage("without the N x N inverse", uses={"B", "Z", "z"}, without={"A"})],
    hints=["Z (I + alpha Z^T Z) = (I + alpha Z Z^T) Z. Multiply by one inverse from the left and the other from the right.",
           "z = inv(B) @ B @ z: now inv(B) can be taken out on the left.", "B - alpha Z Z^T is the identity."])


@residual_lines.instance
def _(rng):
    return dict(Z=rng.normal(size=(3, 5)), z=rng.normal(size=3), alpha=0.7)


residual_lines.wrong("pushes the wrong way", replace=("z - inv(B) @ Z @ (alpha * Z.T @ z)", "z - B @ Z @ (alpha * Z.T @ z)"), caught_by="equal",
                     hint="Z inv(A) = inv(B) Z, not B Z.")
residual_lines.wrong("loses alpha", replace=("inv(B) @ (alpha * Z @ Z.T) @ z", "inv(B) @ (Z @ Z.T) @ z"), caught_by="equal")
residual_lines.wrong("adds what is to be taken off", replace=("inv(B) @ (B - alpha * Z @ Z.T) @ z", "inv(B) @ (B + alpha * Z @ Z.T) @ z"), caught_by="equal")


@residual_lines.right("two lines")
def _(Z, z, alpha):
    Z, z, (d, N) = np.asarray(Z, dtype=float), np.asarray(z, dtype=float), Z.shape
    inv = np.linalg.inv
    A, B = np.eye(N) + alpha * Z.T @ Z, np.eye(d) + alpha * Z @ Z.T
    yield z - Z @ (inv(A) @ (alpha * Z.T @ z))
    yield (np.eye(d) - inv(B) @ (alpha * Z @ Z.T)) @ z
    yield inv(B) @ z


projection_gap = Exercise(
    "ch05.projection_gap", "How far from a projection?", principles=["P5.4"], label="rem:regression-interpretation", minutes=5, level="more",
    objective="say in which limit the expansion operator is a projection",
    hints=["In the complement both are 1. Inside the span P is 0, and E / alpha is 1 / (1 + alpha lambda).",
           "lambda = N / r and alpha = d / (N eps^2): what is left of N?"])


@projection_gap.law("as found from such vectors, built and decomposed")
def pg_built(f, rng):
    for eps, N, d, r in ((0.7, 12, 5, 3), (0.3, 40, 5, 2)):
        Q, _ = np.linalg.qr(rng.normal(size=(d, d)))
        Z = np.tile(Q[:, :r], N // r)
        E = np.linalg.inv(np.eye(d) + d / (N * eps**2) * Z @ Z.T)
        close(f(eps, N, d, r), np.linalg.norm(E - (np.eye(d) - Q[:, :r] @ Q[:, :r].T), 2))


@projection_gap.law("the same for ten and for ten thousand vectors")
def pg_number(f, rng):
    close(f(0.5, 10_000, 8, 5), float(f(0.5, 10, 8, 5)))


@projection_gap.law("goes to 0 with eps squared")
def pg_small(f, rng):
    close(float(f(0.002, 20, 8, 5)) / 0.002**2, 5 / 8)


projection_gap.wrong("forgets alpha", replace=("1 / (1 + alpha * eigenvalue)", "1 / (1 + eigenvalue)"), caught_by=pg_number, hint="The factor of E / alpha is 1 / (1 + alpha lambda).")
projection_gap.wrong("what is kept instead", replace=("return 1 / (1 + alpha * eigenvalue)", "return 1 - 1 / (1 + alpha * eigenvalue)"), caught_by=pg_small)
projection_gap.wrong("eigenvalue N / d", replace=("N / r, d", "N / d, d"), caught_by=pg_built, hint="The trace N is shared out between r directions.")
projection_gap.wrong("alpha without N", replace=("d / (N * eps**2)", "d / eps**2"), caught_by=pg_number)


@projection_gap.right("with N gone")
def _(eps, N, d, r):
    return r * eps**2 / (r * eps**2 + d)


# P5.5

increment = Exercise(
    "ch05.increment", "The increment of any point", principles=["P5.5"], label="eqn:DR-gradient-transform", minutes=8, needs=["ch05.expand_compress"],
    objective="turn a gradient on training data into a map of the whole space",
    hints=["C @ Z_new is (K, d, M): every point compressed by every class.", "Weights: gamma[:, None] * membership is (K, M). Sum over classes.",
           "E @ Z_new - ((gamma[:, None] * membership)[:, None] * (C @ Z_new)).sum(axis=0)"])


def operators(rng, d=4, K=3):
    sym = lambda A: A @ A.T + np.eye(d)
    gamma = rng.uniform(0.5, 1, size=K)
    return sym(rng.normal(size=(d, d))), np.stack([sym(rng.normal(size=(d, d))) for _ in range(K)]), gamma / gamma.sum()


@increment.law("on the training set with its memberships it is the slope of the rate reduction")
def inc_slope(f, rng):
    Z, S = rng.normal(size=(4, 8)), shares_of(rng)
    E = np.linalg.inv(8 * 0.81 / 4 * np.eye(4) + Z @ Z.T)
    C = np.stack([np.linalg.inv(s.sum() * 0.81 / 4 * np.eye(4) + (Z * s) @ Z.T) for s in S])
    close(f(Z, S, E, C, S.sum(axis=1) / 8), slope(lambda Z: reduction(Z, S, 0.9), Z))


@increment.law("point by point: a point does not know of the others")
def inc_single(f, rng):
    (E, C, gamma), Z, S = operators(rng), rng.normal(size=(4, 5)), shares_of(rng, N=5)
    out = np.asarray(f(Z, S, E, C, gamma), dtype=float)
    for i in (0, 3):
        expected = E @ Z[:, i] - sum(gamma[k] * S[k, i] * C[k] @ Z[:, i] for k in range(3))
        close(out[:, i], expected)


@increment.law("linear in the points, memberships held")
def inc_linear(f, rng):
    (E, C, gamma), S = operators(rng), shares_of(rng, N=5)
    A, B = rng.normal(size=(4, 5)), rng.normal(size=(4, 5))
    close(f(A + 2 * B, S, E, C, gamma), np.asarray(f(A, S, E, C, gamma), dtype=float) + 2 * np.asarray(f(B, S, E, C, gamma), dtype=float))


increment.wrong("the shares of classes forgotten", replace=("(gamma[:, None] * membership)", "(0 * gamma[:, None] + membership)"), caught_by=inc_single, hint="Where is gamma_k?")
increment.wrong("memberships forgotten", replace=("(gamma[:, None] * membership)", "(gamma[:, None] + 0 * membership)"), caught_by=inc_single, hint="A class compresses only what belongs to it.")
increment.wrong("compression added", replace=("@ Z_new - np", "@ Z_new + np"), caught_by=inc_single)
increment.wrong("the new points and not what is added to them", replace=("return np.asarray(E) @ Z_new -", "return Z_new + np.asarray(E) @ Z_new -"), caught_by=inc_single, hint="An increment is wanted.")
increment.wrong("a class's mean share", replace=("* membership)[:, None]", "* membership.mean(axis=1, keepdims=True))[:, None]"), caught_by=inc_single)


@increment.right("with einsum, in JAX")
def _(Z_new, membership, E, C, gamma):
    return jnp.asarray(E) @ Z_new - jnp.einsum("k,km,kde,em->dm", jnp.asarray(gamma), jnp.asarray(membership), jnp.asarray(C), jnp.asarray(Z_new))


# Exercise 5.1 of the book

rate_derivatives = Exercise(
    "ch05.rate_derivatives", "Gradient and curvature of the rate", principles=["P5.3"], label="eqn:expand-directions", minutes=10, level="more",
    objective="differentiate the coding rate twice",
    hints=["The gradient is alpha X^-1 Z.", "d (X^-1) = -X^-1 dX X^-1 with dX = alpha (Z H^T + H Z^T).",
           "alpha tr(X^-1 H H^T) - tr(X^-1 dX X^-1 dX) / 2. Which two traces make the half?"])


def half_logdet(Z, alpha):
    return np.log1p(alpha * np.linalg.eigvalsh(Z.T @ Z).clip(0)).sum() / 2


@rate_derivatives.law("the gradient is the slope of the rate")
def rd_first(f, rng):
    Z, H = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    close(f(Z, H, 0.8)[0], slope(lambda Z: half_logdet(Z, 0.8), Z))


@rate_derivatives.law("the curvature is that along the line Z + t H")
def rd_second(f, rng):
    Z, H, step = rng.normal(size=(3, 5)), rng.normal(size=(3, 5)), 1e-3
    on = lambda t: half_logdet(Z + t * H, 0.8)
    close(f(Z, H, 0.8)[1], (on(step) - 2 * on(0) + on(-step)) / step**2)


@rate_derivatives.law("at Z = 0 it is alpha ||H||^2")
def rd_origin(f, rng):
    H = rng.normal(size=(3, 5))
    close(f(np.zeros((3, 5)), H, 0.8)[1], 0.8 * np.sum(H**2))


rate_derivatives.wrong("of log det without the half", replace=("return alpha * inverse @ Z", "return 2 * alpha * inverse @ Z"), caught_by=rd_first, hint="R has a half in front.")
rate_derivatives.wrong("no half before the second trace", replace=("@ change) / 2", "@ change)"), caught_by=rd_second, hint="Both orders of Z and H come up, each once.")
rate_derivatives.wrong("plus", replace=("H @ H.T) - np", "H @ H.T) + np"), caught_by=rd_second, hint="The rate grows like a logarithm: far out it bends down.")
rate_derivatives.wrong("one factor of the product rule", replace=("(Z @ H.T + H @ Z.T)", "(2 * Z @ H.T)"), caught_by=rd_second)


@rate_derivatives.right("by JAX")
def _(Z, H, alpha):
    Z, H = jnp.asarray(Z), jnp.asarray(H)
    R = lambda Z: jnp.linalg.slogdet(jnp.eye(Z.shape[0]) + alpha * Z @ Z.T)[1] / 2
    G, change = jax.jvp(jax.grad(R), (Z,), (H,))
    return G, jnp.sum(change * H)


subadditivity_gap = Exercise(
    "ch05.subadditivity_gap", "The price of coding apart", principles=["P5.1"], label="eq:mcr-formulation", minutes=8, level="more",
    objective="show that rates of parts add up to no less than the rate of the whole",
    hints=["One alpha for all: it is not the alpha_k of rate reduction.", "np.linalg.slogdet(np.eye(n) + alpha * Z.T @ Z)[1] / 2 for every part, and for the whole."])


@subadditivity_gap.law("what Fischer's inequality leaves: determinants of the diagonal blocks against the whole")
def sg_blocks(f, rng):
    Z, labels = rng.normal(size=(4, 7)), np.array([1, 0, 0, 2, 1, 0, 2])
    G = np.eye(7) + 0.6 * Z.T @ Z
    blocks = np.where(labels[:, None] == labels, G, 0)
    close(f(Z, labels, 0.6), (np.log(np.linalg.det(blocks)) - np.log(np.linalg.det(G))) / 2)


@subadditivity_gap.law("0 where classes are orthogonal, and not otherwise")
def sg_zero(f, rng):
    Q, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    Z, labels = np.concatenate([Q[:, :2] @ rng.normal(size=(2, 4)), Q[:, 2:] @ rng.normal(size=(2, 3))], axis=1), np.array([0, 0, 0, 0, 1, 1, 1])
    close(f(Z, labels, 0.6), 0.0)
    Z[:, 4] += 0.7 * Q[:, 0]
    holds(float(f(Z, labels, 0.6)) > 1e-3, "no price for classes that are not orthogonal")


subadditivity_gap.wrong("the other way round", replace=("return sum(rate(Z[:, labels == k]) for k in range(labels.max() + 1)) - rate(Z)", "return rate(Z) - sum(rate(Z[:, labels == k]) for k in range(labels.max() + 1))"),
                        caught_by=sg_blocks, hint="The parts come first.")
subadditivity_gap.wrong("each class with its own alpha", replace=("alpha * Z.T @ Z", "alpha * len(labels) / Z.shape[1] * Z.T @ Z"), caught_by=sg_blocks, hint="One alpha for all here.")
subadditivity_gap.wrong("no half", replace=("[1] / 2", "[1]"), caught_by=sg_blocks)
subadditivity_gap.wrong("loses the last class", replace=("labels.max() + 1", "labels.max()"), caught_by=sg_zero, hint="Labels run from 0 to labels.max(), both included.")


@subadditivity_gap.right("from d x d determinants, in JAX")
def _(Z, labels, alpha):
    Z, labels = jnp.asarray(Z), np.asarray(labels)
    rate = lambda Z: jnp.linalg.slogdet(jnp.eye(Z.shape[0]) + alpha * Z @ Z.T)[1] / 2
    return sum(rate(Z * (labels == k)) for k in np.unique(labels)) - rate(Z)


critical_sizes = Exercise(
    "ch05.critical_sizes", "The sizes at which a class can rest", principles=["P5.3"], label="eqn:DR-gradient", minutes=12, level="challenge",
    objective="find the critical points of a class by its singular values",
    hints=["Multiply by both denominators: alpha (alpha_k - alpha) x = lam (1 + alpha x)(1 + alpha_k x).",
           "In powers of x: lam alpha alpha_k x^2 + [lam (alpha + alpha_k) - alpha (alpha_k - alpha)] x + lam = 0.", "np.roots takes the three coefficients, the highest power first."])


@critical_sizes.law("solve the equation")
def cs_solve(f, rng):
    alpha, lam, N, N_k = 0.5, 0.03, 30, 12
    for x in np.asarray(f(alpha, lam, N, N_k), dtype=float):
        close(alpha / (1 + alpha * x) - alpha / (1 + alpha * N / N_k * x), lam)


@critical_sizes.law("the slope of the objective is 0 at matrices with these squared singular values")
def cs_slope(f, rng):
    alpha, lam, N, N_k, d = 0.5, 0.03, 30, 12, 4
    low, high = np.asarray(f(alpha, lam, N, N_k), dtype=float)
    holds(low > 0 and high > 0, "a squared singular value is positive")
    P, Q = np.linalg.qr(rng.normal(size=(d, d)))[0], np.linalg.qr(rng.normal(size=(N_k, d)))[0]
    Z = P * np.sqrt([low, high, 0, high]) @ Q.T
    value = lambda Z: half_logdet(Z, alpha) - N_k / N * half_logdet(Z, alpha * N / N_k) - lam / 2 * np.sum(Z**2)
    close(slope(value, Z), np.zeros((d, N_k)))


@critical_sizes.law("two of them, their product 1 / (alpha alpha_k), the smaller first")
def cs_product(f, rng):
    low, high = np.asarray(f(0.5, 0.03, 30, 12), dtype=float)
    close(low * high, 12 / (0.25 * 30))
    holds(low < high, "the smaller comes first")


critical_sizes.wrong("alpha_k from the share of the class", replace=("alpha * N / N_k", "alpha * N_k / N"), caught_by=cs_solve, hint="A small class has a large alpha_k.")
critical_sizes.wrong("singular values, not their squares", replace=("np.sort(roots.real)", "np.sort(roots.real) ** 0.5"), caught_by=cs_solve)
critical_sizes.wrong("the larger first", replace=("np.sort(roots.real)", "np.sort(roots.real)[::-1]"), caught_by=cs_product)
critical_sizes.wrong("a sign", replace=("lam * (alpha + alpha_k) - alpha", "lam * (alpha + alpha_k) + alpha"), caught_by=cs_solve)


@critical_sizes.right("by the formula for quadratics")
def _(alpha, lam, N, N_k):
    alpha_k = alpha * N / N_k
    half = (alpha * (alpha_k - alpha) - lam * (alpha + alpha_k)) / (2 * lam * alpha * alpha_k)
    root = (half**2 - 1 / (alpha * alpha_k)) ** 0.5
    return np.array([half - root, half + root])
