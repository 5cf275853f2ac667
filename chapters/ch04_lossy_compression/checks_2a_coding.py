"""Exercises of Part 2, first half: log-determinants, the coding rate and its derivatives, the source it is exact for, a code."""

import jax.numpy as jnp
import numpy as np

from book_utils import coding
from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds


def logdet(M):
    """log |det M| in float64."""
    return np.linalg.slogdet(np.asarray(M, dtype=float))[1]


def definite(rng, n):
    """A well-conditioned symmetric positive definite (n, n), far from diagonal."""
    Q = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return (Q * rng.uniform(0.5, 3, size=n)) @ Q.T


def symmetric(rng, n):
    """A symmetric (n, n) with eigenvalues of both signs."""
    Q = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return (Q * np.array([1.0, -0.7, 0.4, -0.3, 0.2])[:n]) @ Q.T


def turn(rng, n):
    """An orthogonal (n, n)."""
    return np.linalg.qr(rng.normal(size=(n, n)))[0]


def rate(Z, eps):
    """The coding rate in float64, as a ratio of volumes: of Sigma + eps^2 / d I, and of eps^2 / d I."""
    d, N = Z.shape
    noise = eps**2 / d * np.eye(d)
    return (logdet(Z @ Z.T / N + noise) - logdet(noise)) / 2


def number(value):
    """A result as a float."""
    return float(np.asarray(value, dtype=float))


# P4.20, the book's Exercise 4.1

logdet_along_line = Exercise(
    "ch04.logdet_along_line", "The log-determinant along a line", principles=["P4.20"], label="chap4-eqn:coding-length-eval",
    minutes=10, level="more", objective="show that the log-determinant is concave",
    hints=["With A = L L^T, log det(A + t B) = log det A + sum of log(1 + t mu), mu the eigenvalues of L^-1 B L^-T.",
           "At t = 0 the derivatives of log(1 + t mu) are mu and -mu^2.",
           "np.linalg.solve(L, B) is L^-1 B; transpose it and solve once more.",
           "log det A is twice the sum of the logarithms on the diagonal of L."])


@logdet_along_line.law("the value and both derivatives, by central differences")
def line_by_differences(f, rng):
    A, B, h = definite(rng, 4), symmetric(rng, 4), 1e-3
    low, value, high = (logdet(A + t * B) for t in (-h, 0, h))
    for actual, expected in zip(f(A, B), (value, (high - low) / (2 * h), (high - 2 * value + low) / h**2)):
        close(actual, expected)


@logdet_along_line.law("towards A itself, A (1 + t): slope n and second derivative -n")
def line_towards_itself(f, rng):
    A = definite(rng, 4)
    value, slope, curvature = f(A, A)
    close(value, logdet(A))
    close(slope, 4)
    close(curvature, -4)


@logdet_along_line.law("both derivatives unchanged when A and B become C A C^T and C B C^T")
def line_is_relative(f, rng):
    A, B, C = definite(rng, 4), symmetric(rng, 4), np.eye(4) + 0.3 * rng.normal(size=(4, 4))
    inverse = np.linalg.inv(A)
    _, slope, curvature = f(C @ A @ C.T, C @ B @ C.T)
    close(slope, np.trace(inverse @ B), tol=5)
    close(curvature, -np.trace(inverse @ B @ inverse @ B), tol=5)


@logdet_along_line.law("never bent upwards, and straight only where B = 0")
def line_is_concave(f, rng):
    for _ in range(3):
        A, B = definite(rng, 4), symmetric(rng, 4)
        holds(number(f(A, B)[2]) < -0.01, "the second derivative is not negative")
    close(f(A, 0 * B)[2], 0)


logdet_along_line.wrong("eigenvalues of B alone", replace=("np.linalg.solve(L, np.linalg.solve(L, B).T)", "B"),
                        caught_by=line_towards_itself, hint="The eigenvalues are relative to A: those of L^-1 B L^-T.")
logdet_along_line.wrong("L taken out on one side only", replace=("np.linalg.solve(L, np.linalg.solve(L, B).T)",
                        "np.linalg.solve(L, B)"), caught_by=line_towards_itself,
                        hint="A + t B = L (I + t M) L^T: what is M? It is symmetric.")
logdet_along_line.wrong("bent upwards", replace=("-np.sum(mu**2)", "np.sum(mu**2)"), caught_by=line_is_concave,
                        hint="Differentiate mu / (1 + t mu) by t.")
logdet_along_line.wrong("square of the sum", replace=("-np.sum(mu**2)", "-np.sum(mu) ** 2"), caught_by=line_by_differences,
                        hint="The trace of the square, not the square of the trace.")
logdet_along_line.wrong("half the logarithm", replace=("2 * np.sum(np.log", "np.sum(np.log"), caught_by=line_towards_itself,
                        hint="det A = det(L) det(L^T).")
logdet_along_line.wrong("coefficient of the Taylor series", replace=("-np.sum(mu**2)", "-np.sum(mu**2) / 2"),
                        caught_by=line_by_differences, hint="Asked for is the second derivative, not the coefficient of t^2.")


@logdet_along_line.right("with traces, in NumPy")
def _(A, B):
    A, B = np.asarray(A, dtype=float), np.asarray(B, dtype=float)
    P = np.linalg.inv(A) @ B
    return np.linalg.slogdet(A)[1], np.trace(P), -np.sum(P * P.T)


@logdet_along_line.right("with the square root of A")
def _(A, B):
    values, Q = jnp.linalg.eigh(A)
    root = (Q / jnp.sqrt(values)) @ Q.T
    mu = jnp.linalg.eigvalsh(root @ B @ root)
    return jnp.log(values).sum(), mu.sum(), -(mu @ mu)


concavity_bound = Derivation(
    "ch04.concavity_bound", "The gap between a log-determinant and its tangent", principles=["P4.20"],
    label="chap4-eqn:coding-length-eval", minutes=10, level="more",
    objective="prove the tangent bound of the log-determinant",
    stages=[Stage("in the one matrix L^-1 A L^-T, without B", uses={"L", "A", "trace"}, without={"B"}),
            Stage("in the eigenvalues mu alone", uses={"mu", "log"}, without={"A", "B", "L", "trace", "logdet"})],
    hints=["tr(B^-1 (A - B)) = tr(B^-1 A) - n.",
           "B^-1 = L^-T L^-1, and the trace allows to move a factor from the front to the end.",
           "log det A - log det B is the log det of inv(L) @ A @ inv(L).T.",
           "Trace and log det of that matrix are sum(mu) and sum(log(mu))."])


@concavity_bound.instance
def _(rng):
    return dict(A=definite(rng, 4), B=definite(rng, 4))


concavity_bound.wrong("loses the n", replace=("trace(inv(B) @ A) - n - (", "trace(inv(B) @ A) - ("), caught_by="equal",
                      hint="What is the trace of B^-1 B?")
concavity_bound.wrong("the same factor on both sides", replace=(
    "trace(inv(L) @ A @ inv(L).T) - n", "trace(inv(L) @ A @ inv(L)) - n"),
                      caught_by="equal", hint="B = L L^T, so B^-1 = L^-T L^-1: one of the two factors is transposed.")
concavity_bound.wrong("a sign lost with the brackets", replace=("(logdet(A) - logdet(B))", "logdet(A) - logdet(B)"),
                      caught_by="equal", hint="Minus a difference: which sign has log det B?")
concavity_bound.wrong("logarithm of the sum", replace=("sum(log(mu))", "log(sum(mu))"), caught_by="equal",
                      hint="The determinant is the product of the eigenvalues. What is its logarithm?")
concavity_bound.wrong("stays with two matrices", replace=(
    "trace(inv(L) @ A @ inv(L).T) - n - logdet(inv(L) @ A @ inv(L).T)", "trace(inv(B) @ A) - n - logdet(inv(B) @ A)"),
                      caught_by="stages", hint="True, but B is still there. Bring L^-1 to the left of A and L^-T to the right.")


@concavity_bound.right("with one matrix all the way")
def _(A, B):
    A, B, n = np.asarray(A, dtype=float), np.asarray(B, dtype=float), len(A)
    inv, trace, log, sum = np.linalg.inv, np.trace, np.log, np.sum
    logdet = lambda M: np.linalg.slogdet(M)[1]
    L = np.linalg.cholesky(B)  # B = L L^T
    mu = np.linalg.eigvalsh(inv(L) @ A @ inv(L).T)
    yield logdet(B) + trace(inv(B) @ (A - B)) - logdet(A)
    yield trace(inv(L) @ A @ inv(L).T - np.eye(n)) - logdet(inv(L) @ A @ inv(L).T)
    yield sum(mu - 1) - log(np.prod(mu))
    yield sum(mu - 1 - log(mu))


logdet_cholesky = Exercise(
    "ch04.logdet_cholesky", "The log-determinant without the determinant", principles=["P4.20"], label="subsec:MCR2", minutes=5,
    level="more", objective="compute a log-determinant that neither overflows nor underflows",
    hints=["The determinant of a triangular matrix is the product of its diagonal.",
           "A = L L^T, so det A is the square of that product. Take logarithms before you multiply.",
           "Twice the sum of the logarithms of the diagonal of jnp.linalg.cholesky(A)."])


@logdet_cholesky.law("the sum of the logarithms of the eigenvalues")
def cholesky_eigenvalues(f, rng):
    for scale in (0.1, 1.0, 50.0):
        A = scale * definite(rng, 5)
        close(f(A), np.log(np.linalg.eigvalsh(A)).sum())


@logdet_cholesky.law("n log c is added when A of size n is multiplied by c, even where the determinant is 1e-1200 or 1e1200")
def cholesky_scales(f, rng):
    A = np.diag(np.linspace(0.5, 2, 300)) + 0.1
    for c in (1e-4, 1e4):
        close(f(c * A), logdet(A) + 300 * np.log(c))


@logdet_cholesky.law("2 log |det C| is added when A becomes C A C^T")
def cholesky_congruence(f, rng):
    A, C = definite(rng, 5), np.eye(5) + 0.3 * rng.normal(size=(5, 5))
    close(f(C @ A @ C.T), np.log(np.linalg.eigvalsh(A)).sum() + 2 * logdet(C), tol=3)


@logdet_cholesky.law("below the sum of the logarithms of A's diagonal, unless A is diagonal")
def cholesky_hadamard(f, rng):
    A = definite(rng, 5)
    holds(number(f(A)) < np.log(np.diag(A)).sum() - 1e-3, "it is not below")
    close(f(np.diag(np.diag(A))), np.log(np.diag(A)).sum())


logdet_cholesky.wrong("logarithm of the determinant", replace=(
    "2 * np.sum(np.log(np.diag(L)))", "np.log(np.prod(np.diag(L)) ** 2)"),
                      caught_by=cholesky_scales, hint="The product underflows to 0 or overflows to infinity: add logarithms.")
logdet_cholesky.wrong("forgets the 2", replace=("2 * np.sum", "np.sum"), caught_by=cholesky_eigenvalues,
                      hint="L is only one of the two factors.")
logdet_cholesky.wrong("the diagonal of A", replace=("2 * np.sum(np.log(np.diag(L)))", "np.sum(np.log(np.diag(A)))"),
                      caught_by=cholesky_hadamard, hint="That is an upper bound (Hadamard's), with equality for diagonal A.")
logdet_cholesky.wrong("in bits", replace=("np.log(", "np.log2("), caught_by=cholesky_eigenvalues,
                      hint="Logarithms are natural here: your answer is 1.44 times too large.")
logdet_cholesky.wrong("logarithm of the trace", replace=("np.sum(np.log(np.diag(L)))", "np.log(np.sum(np.diag(L)))"),
                      caught_by=cholesky_eigenvalues, hint="A product becomes a sum of logarithms, not the logarithm of a sum.")


@logdet_cholesky.right("with eigenvalues, in JAX")
def _(A):
    return jnp.log(jnp.linalg.eigvalsh(A)).sum()


logdet_gradient = Exercise(
    "ch04.logdet_gradient", "The gradient of the log-determinant", principles=["P4.20"], label="chap4-eqn:coding-length-eval",
    minutes=6, level="more", objective="find the gradient of the log-determinant, transpose included",
    hints=["Which G has tr(G^T H) = tr(A^-1 H) for every H?", "G^T = A^-1.", "Invert, then transpose."])


def unsymmetric(rng, n):
    """A well-conditioned (n, n) with a positive determinant, far from symmetric."""
    A = 2 * np.eye(n) + np.tril(rng.uniform(0.4, 1, size=(n, n)), -1) - 0.2 * np.triu(rng.uniform(size=(n, n)), 1)
    return A if np.linalg.det(A) > 0 else -A


@logdet_gradient.law("entry by entry the partial derivatives of log det A, for an A that is not symmetric")
def gradient_by_differences(f, rng):
    A, h = unsymmetric(rng, 4), 1e-5
    expected = np.zeros((4, 4))
    for i in range(4):
        for j in range(4):
            E = np.zeros((4, 4))
            E[i, j] = h
            expected[i, j] = (logdet(A + E) - logdet(A - E)) / (2 * h)
    close(f(A), expected)


@logdet_gradient.law("its inner product with A is n: along A (1 + t) the slope of n log(1 + t)")
def gradient_euler(f, rng):
    A = unsymmetric(rng, 4)
    close(np.sum(np.asarray(f(A), dtype=float) * A), 4)


@logdet_gradient.law("for a symmetric positive definite A: symmetric, and times A the identity")
def gradient_symmetric(f, rng):
    A = definite(rng, 4)
    G = np.asarray(f(A), dtype=float)
    close(G, G.T)
    close(G @ A, np.eye(4))


@logdet_gradient.law("divided by c when A is multiplied by c")
def gradient_scale(f, rng):
    A = unsymmetric(rng, 4)
    close(3 * np.asarray(f(3 * A), dtype=float), np.asarray(f(A), dtype=float))


logdet_gradient.wrong("no transpose", replace=("np.linalg.inv(A).T", "np.linalg.inv(A)"), caught_by=gradient_by_differences,
                      hint="The inner product is tr(G^T H). A symmetric A does not show the difference.")
logdet_gradient.wrong("the gradient of the determinant", replace=("np.linalg.inv(A).T",
                      "np.linalg.det(A) * np.linalg.inv(A).T"), caught_by=gradient_scale,
                      hint="That is the gradient of det A. The logarithm divides it by det A.")
logdet_gradient.wrong("derivative of the inverse", replace=("np.linalg.inv(A).T", "-(np.linalg.inv(A) @ np.linalg.inv(A)).T"),
                      caught_by=gradient_euler, hint="-1 / a^2 is the derivative of 1 / a. What is that of log a?")
logdet_gradient.wrong("entry by entry", replace=("np.linalg.inv(A).T", "1 / A"), caught_by=gradient_symmetric,
                      hint="1 / a for a number becomes the inverse for a matrix, not the inverse of every entry.")
logdet_gradient.wrong("equal entries as one variable", replace=("np.linalg.inv(A).T",
                      "2 * np.linalg.inv(A).T - np.diag(np.diag(np.linalg.inv(A)))"), caught_by=gradient_euler,
                      hint="All n^2 entries are free variables here.")


@logdet_gradient.right("by cofactors, in NumPy")
def _(A):
    A, n = np.asarray(A, dtype=float), len(A)
    minor = lambda i, j: np.linalg.det(np.delete(np.delete(A, i, axis=0), j, axis=1))
    return np.array([[(-1) ** (i + j) * minor(i, j) for j in range(n)] for i in range(n)]) / np.linalg.det(A)


logdet_commutes = Derivation(
    "ch04.logdet_commutes", "Two sides of one determinant", principles=["P4.20"], label="subsec:MCR2", minutes=10,
    objective="show that log det(I + a Z Z^T) = log det(I + a Z^T Z)",
    stages=[Stage("with M, before a corner is eliminated", uses={"M"}),
            Stage("with a zero corner in a block matrix", uses={"block", "O"})],
    hints=["The first line is the log-determinant of a block matrix with a zero corner; its other diagonal block is an identity.",
           "M has -W in the upper right. Add W times the lower rows to the upper rows: it becomes 0. And the upper left?",
           "Upper left: I + W W^T. Second line: logdet(block(I(d) + W @ W.T, O(d, N), W.T, I(N))); third: logdet(M).",
           "From M, take W^T times the upper rows from the lower ones: lower left 0, lower right I + W^T W."])


@logdet_commutes.instance
def _(rng):
    return dict(Z=rng.normal(size=(3, 5)), alpha=0.7)


logdet_commutes.wrong("eliminates with the wrong sign", replace=("I(d) + W @ W.T", "I(d) - W @ W.T"), caught_by="equal",
                      hint="The upper right corner of M is -W: add W times the lower rows, so W W^T is added on the left.")
logdet_commutes.wrong("the same sign in both corners", replace=("logdet(M)", "logdet(block(I(d), W, W.T, I(N)))"),
                      caught_by="equal", hint="With W and W^T, eliminating leaves I - W W^T. One corner needs the minus.")
logdet_commutes.wrong("the identity is lost", replace=("I(N) + W.T @ W", "I(N) * (W.T @ W)"), caught_by="equal",
                      hint="What stood in that corner before W^T times the upper rows was taken away?")
logdet_commutes.wrong("alpha twice", replace=("I(d) + W @ W.T", "I(d) + alpha * W @ W.T"), caught_by="equal",
                      hint="W is the square root of alpha times Z: alpha is in W W^T already.")
logdet_commutes.wrong("leaves out the matrix of both", replace=("logdet(M)", "logdet(I(d) + W @ W.T)"), caught_by="stages",
                      hint="True, but M itself is to be on the way: it is what both sides have in common.")


@logdet_commutes.right("the corners eliminated by products with triangular matrices")
def _(Z, alpha):
    Z, (d, N) = np.asarray(Z, dtype=float), Z.shape
    I, O = np.eye, lambda m, n: np.zeros((m, n))  # identity and zero matrices
    logdet = lambda M: np.linalg.slogdet(M)[1]
    block = lambda a, b, c, d: np.block([[a, b], [c, d]])  # upper left, upper right, lower left, lower right
    W = alpha**0.5 * Z
    M = block(I(d), -W, W.T, I(N))
    yield logdet(I(d) + alpha * Z @ Z.T)
    yield logdet(block(I(d), W, O(N, d), I(N)) @ M)
    yield logdet(M)
    yield logdet(block(I(d), O(d, N), -W.T, I(N)) @ M)
    yield logdet(I(N) + alpha * Z.T @ Z)


logdet_small_side = Exercise(
    "ch04.logdet_small_side", "A log-determinant to all digits", principles=["P4.20"], label="subsec:MCR2", minutes=8,
    level="more", objective="compute log det(I + alpha Z Z^T) fast, and accurately for tiny and for huge alpha",
    hints=["Which numbers of Z are enough? They come from the smaller side by themselves.",
           "The singular values: jnp.linalg.svd(Z, compute_uv=False).",
           "log(1 + x) for tiny x: jnp.log1p(x).",
           "The sum of log1p(alpha s^2) over all singular values s."])


def tall(rng):
    """Z (40, 3) with singular values of similar size."""
    return rng.normal(size=(40, 3))


@logdet_small_side.law("the same for Z and for its transpose, and equal to the determinant on the other side")
def small_both_sides(f, rng):
    Z = tall(rng)
    for alpha in (0.05, 2.0):
        close(f(Z, alpha), logdet(np.eye(40) + alpha * Z @ Z.T))
        close(f(Z.T, alpha), logdet(np.eye(40) + alpha * Z @ Z.T))


@logdet_small_side.law("for tiny alpha it is alpha times the sum of all squares")
def small_tiny(f, rng):
    Z = tall(rng)
    for alpha in (1e-7, 1e-9):
        close(number(f(Z, alpha)) / alpha, np.sum(Z**2), tol=3)


@logdet_small_side.law("for huge alpha it grows by the rank, which is min(d, N), times log alpha")
def small_huge(f, rng):
    Z = tall(rng)
    for alpha in (1e7, 1e9):
        close(f(Z, alpha), 3 * np.log(alpha) + logdet(Z.T @ Z))


@logdet_small_side.law("never falls when a sample is added")
def small_monotone(f, rng):
    Z = tall(rng)
    less = Z * np.array([1, 1, 0.0])
    for alpha in (1e-3, 1.0):
        gain = number(f(Z, alpha)) - number(f(less, alpha))
        z, rest = Z[:, 2], Z[:, :2]
        inverse = np.linalg.inv(np.eye(40) + alpha * rest @ rest.T)
        close(gain, np.log1p(alpha * z @ inverse @ z))


logdet_small_side.wrong("the logarithm of a sum that is rounded to 1", replace=("np.log1p(alpha", "np.log(1 + alpha"),
                        caught_by=small_tiny, hint="In float32 1 + 1e-8 is 1. Which function gives log(1 + x) without the sum?")
logdet_small_side.wrong("always the d x d side", replace=("np.sum(np.log1p(alpha * s**2))",
                        "np.linalg.slogdet(np.eye(Z.shape[0]) + alpha * Z @ Z.T)[1]"), caught_by=small_huge,
                        hint="With d > N most eigenvalues of Z Z^T are 0 but for rounding, and alpha multiplies the rounding.")
logdet_small_side.wrong("singular values for their squares", replace=("alpha * s**2", "alpha * s"), caught_by=small_both_sides,
                        hint="The eigenvalues of Z Z^T are the squares of the singular values of Z.")
logdet_small_side.wrong("alpha squared too", replace=("alpha * s**2", "(alpha * s) ** 2"), caught_by=small_both_sides,
                        hint="alpha multiplies Z Z^T: one alpha for two factors Z.")
logdet_small_side.wrong("half of it", replace=("np.sum(np.log1p(alpha * s**2))", "np.sum(np.log1p(alpha * s**2)) / 2"),
                        caught_by=small_huge, hint="The half belongs to the coding rate. Asked for is the log-determinant.")
logdet_small_side.wrong("the first term of the series", replace=("np.log1p(alpha * s**2)", "alpha * s**2"), caught_by=small_huge,
                        hint="log(1 + x) is close to x only where x is small.")


@logdet_small_side.right("eigenvalues of the smaller Gram matrix, in JAX")
def _(Z, alpha):
    gram = Z @ Z.T if Z.shape[0] <= Z.shape[1] else Z.T @ Z
    return jnp.log1p(alpha * jnp.linalg.eigvalsh(gram)).sum()


# P4.11

coding_rate = Exercise(
    "ch04.coding_rate", "The coding rate", principles=["P4.11"], label="eqn:rate-Gaussian", minutes=10,
    objective="compute the coding rate of a set of samples", stand_in=coding.coding_rate,
    hints=["Which of the two sizes of Z counts coordinates, which samples? Then alpha.",
           "Z @ Z.T is d x d, and so is the identity.",
           "jnp.linalg.slogdet(A) is the pair (sign, log |det A|).",
           "Half of jnp.linalg.slogdet(jnp.eye(d) + alpha * Z @ Z.T)[1]."])


@coding_rate.law("half the logarithm of a ratio of volumes: of Sigma + eps^2 / d I, and of eps^2 / d I")
def rate_of_volumes(f, rng):
    Z = rng.normal(size=(4, 8)) * np.array([[2.0], [1.0], [0.5], [0.1]])
    for eps in (0.3, 2.0):
        close(f(Z, eps), rate(Z, eps))


@coding_rate.law("a square Z: writing every sample down twice changes nothing")
def rate_of_duplicates(f, rng):
    Z = rng.normal(size=(4, 4))
    s = np.linalg.svd(Z, compute_uv=False)
    expected = 0.5 * np.log(1 + s**2 / 0.7**2).sum()
    close(f(Z, 0.7), expected)
    close(f(np.concatenate([Z, Z], axis=1), 0.7), expected)


@coding_rate.law("d / 2 log(1 + d / eps^2) for samples of covariance I")
def rate_of_white(f, rng):
    Z = np.sqrt(8) * np.linalg.qr(rng.normal(size=(8, 4)))[0].T
    for eps in (0.5, 1.5):
        close(f(Z, eps), 2 * np.log(1 + 4 / eps**2))


@coding_rate.law("data and distortion scaled alike: the same; rotated: the same")
def rate_is_invariant(f, rng):
    Z = rng.normal(size=(4, 8))
    expected = rate(Z, 0.6)
    close(f(3 * Z, 1.8), expected)
    close(f(turn(rng, 4) @ Z @ turn(rng, 8), 0.6), expected)


@coding_rate.law("for small eps it grows by rank times log 2 when eps is halved; for large eps it is d ||Z||^2 / (2 N eps^2)")
def rate_limits(f, rng):
    Z = turn(rng, 4)[:, :2] @ (np.sqrt(8) * np.linalg.qr(rng.normal(size=(8, 2)))[0].T)
    holds(abs(number(f(Z, 0.05)) - number(f(Z, 0.1)) - 2 * np.log(2)) < 0.01, "another growth than by 2 log 2 with rank 2")
    share = number(f(Z, 50.0)) / (4 * np.sum(Z**2) / (2 * 8 * 50**2))
    holds(abs(share - 1) < 0.01, "for eps = 50 it is another number")


@coding_rate.law("a sample in a new direction raises N times the rate, a copy of 0 does not")
def rate_of_one_more(f, rng):
    Z = np.concatenate([np.diag([2.0, 1.0, 0.5, 0.0]), np.zeros((4, 4))], axis=1)
    more = Z.copy()
    more[3, 5] = 1.5
    close(f(Z, 1.0), 0.5 * np.log([3, 1.5, 1.125]).sum())
    close(f(more, 1.0), 0.5 * np.log([3, 1.5, 1.125, 1 + 1.5**2 / 2]).sum())


coding_rate.wrong("eps not squared", replace=("eps**2", "eps"), caught_by=rate_is_invariant,
                  hint="eps is a length. Which power of it has the units of Z Z^T?")
coding_rate.wrong("d and N swapped", replace=("d / (N * eps**2)", "N / (d * eps**2)"), caught_by=rate_of_duplicates,
                  hint="Samples are columns: d counts rows. Z Z^T / N is the covariance, eps^2 / d the noise in one coordinate.")
coding_rate.wrong("the half missing", replace=("[1] / 2", "[1]"), caught_by=rate_of_white,
                  hint="A volume is the square root of the determinant of a covariance.")
coding_rate.wrong("in bits", replace=("[1] / 2", "[1] / (2 * jnp.log(2.0))"), caught_by=rate_of_white,
                  hint="Your answer is 1.44 times too large: rates are in nats, with natural logarithms.")
coding_rate.wrong("samples as rows", replace=("d, N = Z.shape", "Z = Z.T\n    d, N = Z.shape"), caught_by=rate_of_volumes,
                  hint="Samples are columns. By 2.2 Z Z^T and Z^T Z have the same log-determinant, but alpha tells d from N.")
coding_rate.wrong("the determinant of Sigma alone", replace=("jnp.eye(d) + alpha * Z @ Z.T", "Z @ Z.T / N"),
                  caught_by=rate_of_white, hint="Volume of z + w over that of w: two determinants, and both depend on eps.")
coding_rate.wrong("divides by N twice", replace=("[1] / 2", "[1] / (2 * N)"), caught_by=rate_of_duplicates,
                  hint="alpha contains 1 / N already, and the rate is that of one sample.")
coding_rate.wrong("the whole distortion in every coordinate", replace=("d / (N", "1 / (N"), caught_by=rate_of_white,
                  hint="eps^2 is the sum over d coordinates. What is left for one?")
coding_rate.wrong("1 added to every entry", replace=("jnp.eye(d) + ", "1 + "), caught_by=rate_of_one_more,
                  hint="I is the identity matrix; adding the number 1 fills the whole matrix.")


@coding_rate.right("with singular values, in NumPy")
def _(Z, eps):
    d, N = Z.shape
    s = np.linalg.svd(np.asarray(Z, dtype=float), compute_uv=False)
    return 0.5 * sum(np.log(1 + d * value**2 / (N * eps**2)) for value in s)


@coding_rate.right("by Cholesky on the side of the samples")
def _(Z, eps):
    scaled = jnp.asarray(Z) * jnp.sqrt(Z.shape[0] / Z.shape[1]) / eps
    return jnp.sum(jnp.log(jnp.diag(jnp.linalg.cholesky(jnp.eye(Z.shape[1]) + scaled.T @ scaled))))


coding_rate_slope = Derivation(
    "ch04.coding_rate_slope", "The gradient of the coding rate", principles=["P4.11"], label="eqn:rate-Gaussian", minutes=12,
    level="more", objective="derive the gradient of the coding rate",
    instances=2,
    stages=[Stage("with a trace, and neither slope nor rate", uses={"trace", "inv", "H"}, without={"slope", "rate", "gradient"}),
            Stage("with a sum over entries, and no trace", uses={"sum", "inv", "H"},
                  without={"slope", "rate", "gradient", "trace"})],
    hints=["The derivative of I + alpha (Z + t H)(Z + t H)^T at t = 0 is alpha (H Z^T + Z H^T).",
           "The slope of log det at A along B is trace(inv(A) @ B), and the rate has a half in front.",
           "A is symmetric, so trace(inv(A) @ H @ Z.T) and trace(inv(A) @ Z @ H.T) are equal: the half goes away.",
           "trace(P @ H.T) is sum(P * H)."])


@coding_rate_slope.instance
def _(rng):
    return dict(Z=rng.normal(size=(3, 5)), H=rng.normal(size=(3, 5)), eps=1.2)


coding_rate_slope.wrong("differentiates one factor only", replace=("alpha * H @ Z.T + alpha * Z @ H.T", "alpha * Z @ H.T"),
                        caught_by="equal", hint="Z stands twice in Z Z^T: the product rule gives two terms.")
coding_rate_slope.wrong("forgets the half", replace=("alpha * Z @ H.T)) / 2", "alpha * Z @ H.T))"), caught_by="equal",
                        hint="The rate is half of the log-determinant.")
coding_rate_slope.wrong("forgets the inverse", replace=("trace(inv(A) @ Z @ H.T)", "trace(A @ Z @ H.T)"), caught_by="equal",
                        hint="The slope of log a along b is b / a.")
coding_rate_slope.wrong("alpha is lost", replace=("sum(alpha * (inv(A) @ Z) * H)", "sum((inv(A) @ Z) * H)"), caught_by="equal",
                        hint="alpha is in front of Z Z^T, so it comes down with the derivative.")
coding_rate_slope.wrong("a product of matrices for a product of entries", replace=("(inv(A) @ Z) * H)", "(inv(A) @ Z) @ H.T)"),
                        caught_by="equal", hint="Only the diagonal of P H^T counts in the trace: sum(P * H).")
coding_rate_slope.wrong("stays with the trace", replace=("sum(alpha * (inv(A) @ Z) * H)", "trace(H.T @ inv(A) @ Z) * alpha"),
                        caught_by="stages",
                        hint="True, but the trace is still there. Which matrix is multiplied with H, entry by entry?")


@coding_rate_slope.right("in one step, and by singular values of Z")
def _(Z, H, eps):
    Z, H, (d, N) = np.asarray(Z, dtype=float), np.asarray(H, dtype=float), Z.shape
    inv, trace, sum, alpha = np.linalg.inv, np.trace, np.sum, d / (N * eps**2)
    rate = lambda M: np.linalg.slogdet(np.eye(d) + alpha * M @ M.T)[1] / 2
    slope = lambda f: (f(1e-4) - f(-1e-4)) / 2e-4  # the derivative of f at 0, by central differences
    unit = lambda i, j: np.outer(np.eye(d)[i], np.eye(N)[j])
    gradient = np.array([[slope(lambda t: rate(Z + t * unit(i, j))) for j in range(N)] for i in range(d)])
    A = np.eye(d) + alpha * Z @ Z.T
    yield slope(lambda t: rate(Z + t * H))
    U, s, V = np.linalg.svd(Z, full_matrices=False)
    yield trace(inv(A) @ Z @ H.T) * alpha
    yield sum(alpha * Z @ inv(np.eye(N) + alpha * Z.T @ Z) * H)
    yield alpha * sum(U * (s / (1 + alpha * s**2)) @ V * H)
    yield sum(gradient * H)


coding_rate_gradient = Exercise(
    "ch04.coding_rate_gradient", "The gradient of the coding rate, computed", principles=["P4.11"], label="eqn:rate-Gaussian",
    minutes=6, level="more", objective="compute the gradient of the coding rate", stand_in=coding.coding_rate_gradient,
    hints=["In the derivation, alpha times which matrix is multiplied entrywise with H?",
           "alpha A^-1 Z with A = I + alpha Z Z^T, a d x N matrix.",
           "A^-1 Z is jnp.linalg.solve(A, Z)."])


@coding_rate_gradient.law("entry by entry the partial derivatives of the rate, by differences")
def rate_gradient_differences(f, rng):
    Z, eps, h = rng.normal(size=(3, 5)), 0.8, 1e-4
    expected = np.zeros((3, 5))
    for i in range(3):
        for j in range(5):
            E = np.zeros((3, 5))
            E[i, j] = h
            expected[i, j] = (rate(Z + E, eps) - rate(Z - E, eps)) / (2 * h)
    close(f(Z, eps), expected)


@coding_rate_gradient.law("equal to alpha Z (I + alpha Z^T Z)^-1, from the side of the samples")
def rate_gradient_other_side(f, rng):
    Z, alpha = rng.normal(size=(3, 5)), 3 / (5 * 0.4**2)
    close(f(Z, 0.4), alpha * Z @ np.linalg.inv(np.eye(5) + alpha * Z.T @ Z))


@coding_rate_gradient.law("its inner product with Z counts the directions above the noise: rank for small eps, 0 for large")
def rate_gradient_counts(f, rng):
    Z = turn(rng, 3)[:, :2] @ (np.sqrt(5) * np.linalg.qr(rng.normal(size=(5, 2)))[0].T)
    holds(abs(np.sum(np.asarray(f(Z, 0.05), dtype=float) * Z) - 2) < 0.01, "with rank 2 and small eps it is not 2")
    holds(abs(np.sum(np.asarray(f(Z, 100.0), dtype=float) * Z)) < 0.01, "with large eps it is not 0")


@coding_rate_gradient.law("turns with the data, and is 0 at Z = 0")
def rate_gradient_turns(f, rng):
    Z, Q, V = rng.normal(size=(3, 5)), turn(rng, 3), turn(rng, 5)
    close(f(Q @ Z @ V, 0.8), Q @ np.asarray(f(Z, 0.8), dtype=float) @ V)
    close(f(0 * Z, 0.8), 0 * Z)


coding_rate_gradient.wrong("forgets the half", replace=("return a * ", "return 2 * a * "), caught_by=rate_gradient_counts,
                           hint="The two terms of the product rule are cancelled by the half in front of the log-determinant.")
coding_rate_gradient.wrong("alpha is lost", replace=("return a * ", "return "), caught_by=rate_gradient_other_side,
                           hint="The derivative of log(1 + a s^2) / 2 is a s / (1 + a s^2).")
coding_rate_gradient.wrong("no inverse", replace=("np.linalg.solve(np.eye(d) + a * Z @ Z.T, Z)", "Z"),
                           caught_by=rate_gradient_counts,
                           hint="That is the gradient for very large eps, where the logarithm is still a straight line.")
coding_rate_gradient.wrong("downhill", replace=("return a * ", "return -a * "), caught_by=rate_gradient_differences,
                           hint="A gradient points to where the function rises.")
coding_rate_gradient.wrong("eps not squared", replace=("eps**2", "eps"), caught_by=rate_gradient_differences,
                           hint="alpha = d / (N eps^2).")
coding_rate_gradient.wrong("d and N swapped", replace=("d / (N * eps**2)", "N / (d * eps**2)"),
                           caught_by=rate_gradient_other_side, hint="d counts coordinates, N samples; samples are columns.")


@coding_rate_gradient.right("with singular values, in NumPy")
def _(Z, eps):
    U, s, V = np.linalg.svd(np.asarray(Z, dtype=float), full_matrices=False)
    a = Z.shape[0] / Z.shape[1] / eps**2
    return U * (a * s / (1 + a * s**2)) @ V


@coding_rate_gradient.right("by automatic differentiation")
def _(Z, eps):
    d, N = Z.shape
    return jax.grad(lambda Y: jnp.linalg.slogdet(jnp.eye(d) + d / (N * eps**2) * Y @ Y.T)[1] / 2)(jnp.asarray(Z))


coding_rate_curvature = Exercise(
    "ch04.coding_rate_curvature", "The second derivative of the coding rate", principles=["P4.11"], label="eqn:rate-Gaussian",
    minutes=12, level="challenge", objective="find where the coding rate is bent up and where down",
    hints=["Along the line the matrix is A + t B + t^2 C with B = a (Z H^T + H Z^T) and C = a H H^T.",
           "The second derivative of log det at t = 0 is 2 tr(A^-1 C) - tr(A^-1 B A^-1 B), by 2.1; the rate is half of it.",
           "tr(A^-1 H H^T) is the sum of the entries of H * (A^-1 H)."])


@coding_rate_curvature.law("the second difference of the rate along the line")
def curvature_by_differences(f, rng):
    h = 1e-3
    for eps in (0.5, 2.0):
        Z, H = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
        second = (rate(Z + h * H, eps) - 2 * rate(Z, eps) + rate(Z - h * H, eps)) / h**2
        close(f(Z, H, eps), second, tol=3)


@coding_rate_curvature.law("at Z = 0 it is alpha ||H||^2: bent upwards in every direction")
def curvature_at_zero(f, rng):
    H = rng.normal(size=(3, 5))
    close(f(0 * H, H, 0.9), 3 / (5 * 0.9**2) * np.sum(H**2))


@coding_rate_curvature.law("along Z itself the sum of a s^2 (1 - a s^2) / (1 + a s^2)^2: down where a s^2 > 1")
def curvature_along_itself(f, rng):
    Z = rng.normal(size=(3, 5))
    x = 3 / (5 * 0.9**2) * np.linalg.svd(Z, compute_uv=False) ** 2
    close(f(Z, Z, 0.9), np.sum(x * (1 - x) / (1 + x) ** 2))


@coding_rate_curvature.law("in samples orthogonal to all others it is bent up; four times as much for 2 H")
def curvature_of_new_samples(f, rng):
    Z, H = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    Z[:, 3:], H[:, :3] = 0, 0
    holds(number(f(Z, H, 0.9)) > 0.01, "it is not bent up")
    close(f(Z, 2 * H, 0.9), 4 * number(f(Z, H, 0.9)))


coding_rate_curvature.wrong("one of two transposed terms", replace=("(Z @ H.T + H @ Z.T)", "(2 * Z @ H.T)"),
                            caught_by=curvature_by_differences,
                            hint="Inside one trace the two could be swapped; here the matrix is squared first.")
coding_rate_curvature.wrong("alpha for its square", replace=("a**2 / 2", "a / 2"), caught_by=curvature_along_itself,
                            hint="B contains alpha, and B stands twice.")
coding_rate_curvature.wrong("forgets the half", replace=("a**2 / 2", "a**2"), caught_by=curvature_along_itself,
                            hint="The rate is half of a log-determinant.")
coding_rate_curvature.wrong("bent up by both", replace=(") - a**2", ") + a**2"), caught_by=curvature_along_itself,
                            hint="A log-determinant is concave: the term with B is negative.")
coding_rate_curvature.wrong("as if the matrix were linear in t", replace=("a * np.sum(H * (inverse @ H)) - ", "-"),
                            caught_by=curvature_at_zero, hint="(Z + t H)(Z + t H)^T has a term with t^2.")
coding_rate_curvature.wrong("square of the trace", replace=("np.trace(turn @ turn)", "np.trace(turn) ** 2"),
                            caught_by=curvature_by_differences, hint="The trace of the square, not the square of the trace.")


@coding_rate_curvature.right("with the inverse on both sides of H, in JAX")
def _(Z, H, eps):
    a = Z.shape[0] / Z.shape[1] / eps**2
    A, B = jnp.eye(Z.shape[0]) + a * Z @ Z.T, a * (Z @ H.T + H @ Z.T)
    return jnp.trace(jnp.linalg.solve(A, a * H @ H.T - B @ jnp.linalg.solve(A, B) / 2))


@coding_rate_curvature.right("along the gradient, in NumPy float64")
def _(Z, H, eps):
    Z, H = np.asarray(Z, dtype=float), np.asarray(H, dtype=float)
    d, N = Z.shape
    a, h = d / (N * eps**2), 1e-5
    gradient = lambda Y: a * np.linalg.solve(np.eye(d) + a * Y @ Y.T, Y)
    return np.sum(H * (gradient(Z + h * H) - gradient(Z - h * H))) / (2 * h)


perturbed_source_rate = Exercise(
    "ch04.perturbed_source_rate", "The source whose rate it is", principles=["P4.11"], label="eqn:rate-Gaussian", minutes=8,
    level="more", objective="show of which Gaussian source the coding rate is the exact rate",
    hints=["No eigenvalue of Sigma + eps^2 / D I is below eps^2 / D.",
           "At the level eps^2 / D all D directions get the same distortion; what do they add up to?",
           "The rate is half the sum of log(variance / kappa), with the eigenvalues of the perturbed covariance as variances."])


def water_filling(variances, total):
    """Level and rate by bisection, in float64."""
    low, high = 0.0, float(variances.max())
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.minimum(middle, variances).sum() < total else (low, middle)
    spent = np.minimum(high, variances)
    used = variances > 0
    return high, 0.5 * np.log(variances[used] / spent[used]).sum()


@perturbed_source_rate.law("the water level and the rate of the perturbed source, by bisection")
def perturbed_by_bisection(f, rng):
    for eps in (0.3, 1.0, 4.0):
        Sigma = definite(rng, 5)
        expected = water_filling(np.linalg.eigvalsh(Sigma) + eps**2 / 5, eps**2)
        for actual, value in zip(f(Sigma, eps), expected):
            close(actual, value)


@perturbed_source_rate.law("the coding rate of data with the covariance Sigma")
def perturbed_is_coding_rate(f, rng):
    A = rng.normal(size=(5, 3))
    close(f(A @ A.T / 3, 0.8)[1], rate(A, 0.8))


@perturbed_source_rate.law("for small eps and rank 2 in 5 dimensions above the rate of N(0, Sigma) by log(5/2)")
def perturbed_gap(f, rng):
    Q, eps = turn(rng, 5), 0.1
    gap = number(f((Q * np.array([3.0, 1, 0, 0, 0])) @ Q.T, eps)[1]) - water_filling(np.array([3.0, 1, 0, 0, 0]), eps**2)[1]
    holds(abs(gap - np.log(2.5)) < 0.02, f"the difference is {gap:.2f}")


@perturbed_source_rate.law("0 where there is nothing to code, at the same level")
def perturbed_of_nothing(f, rng):
    kappa, nats = f(np.zeros((5, 5)), 0.7)
    close(kappa, 0.7**2 / 5)
    close(nats, 0)


perturbed_source_rate.wrong("the source without its noise", replace=("np.linalg.eigvalsh(Sigma) + kappa",
                            "np.maximum(np.linalg.eigvalsh(Sigma), kappa)"), caught_by=perturbed_is_coding_rate,
                            hint="The noise is in all directions, also where Sigma has variance.")
perturbed_source_rate.wrong("the whole distortion as level", replace=("eps**2 / len(Sigma)", "eps**2"),
                            caught_by=perturbed_of_nothing, hint="D directions share eps^2.")
perturbed_source_rate.wrong("eps not squared", replace=("eps**2", "eps"), caught_by=perturbed_of_nothing,
                            hint="eps is a root mean square; the level is a variance.")
perturbed_source_rate.wrong("the half missing", replace=("/ kappa)) / 2", "/ kappa))"),
                            caught_by=perturbed_by_bisection, hint="1/2 log of a ratio of variances for each direction.")
perturbed_source_rate.wrong("the total distortion added everywhere", replace=("np.linalg.eigvalsh(Sigma) + kappa",
                            "np.linalg.eigvalsh(Sigma) + eps**2"), caught_by=perturbed_of_nothing,
                            hint="The covariance of the noise is eps^2 / D times the identity.")


@perturbed_source_rate.right("as a log-determinant, in JAX")
def _(Sigma, eps):
    kappa = eps**2 / Sigma.shape[0]
    return kappa, jnp.linalg.slogdet(jnp.eye(Sigma.shape[0]) + jnp.asarray(Sigma) / kappa)[1] / 2


@perturbed_source_rate.right("by general water-filling, in NumPy")
def _(Sigma, eps):
    variances = np.sort(np.linalg.eigvalsh(np.asarray(Sigma, dtype=float))) + eps**2 / len(Sigma)
    levels = (eps**2 - np.cumsum(np.r_[0, variances[:-1]])) / np.arange(len(Sigma), 0, -1)
    kappa = levels[np.argmax(levels <= variances + 1e-9)]
    return kappa, 0.5 * np.log(variances / np.minimum(kappa, variances)).sum()


subspace_code_length = Exercise(
    "ch04.subspace_code_length", "The code of a subspace", principles=["P4.11"], label="subsec:lossy DR", minutes=8, level="more",
    objective="count the nats for coordinates and for the basis of a subspace",
    hints=["The same sum over singular values stands in both numbers.", "It is the coding rate of X, by 2.2.",
           "N times it for the coordinates, D times it for the basis."])


@subspace_code_length.law("together (N + D) times the coding rate")
def length_together(f, rng):
    X = rng.normal(size=(3, 7))
    for eps in (0.3, 1.5):
        close(sum(map(number, f(X, eps))), 10 * rate(X, eps))


@subspace_code_length.law("coordinates cost N / D times as much as the basis")
def length_ratio(f, rng):
    coordinates, basis = f(rng.normal(size=(3, 7)), 0.8)
    close(3 * number(coordinates), 7 * number(basis))


@subspace_code_length.law("every sample twice, on a line: twice the coordinates, the same basis")
def length_of_line(f, rng):
    u = np.array([[0.6], [0.0], [0.8]])
    x = np.array([[1.0, -2.0, 0.5, 3.0, 0.0, 0.0, 0.0]])
    each = 0.5 * np.log(1 + 3 * np.sum(x**2) / (7 * 0.8**2))
    for actual, expected in zip(f(u @ x, 0.8), (7 * each, 3 * each)):
        close(actual, expected)
    mixed = x @ turn(rng, 7)  # other coordinates of the same length
    close(f(u @ mixed, 0.8)[1], 3 * each)


subspace_code_length.wrong("singular values for their squares", replace=("D * s**2", "D * s"), caught_by=length_of_line,
                           hint="A variance is the square of a singular value, divided by N.")
subspace_code_length.wrong("in the other order", replace=("return N * each, D * each", "return D * each, N * each"),
                           caught_by=length_ratio, hint="First the coordinates, one set for each of N samples.")
subspace_code_length.wrong("the half missing", replace=("eps**2))) / 2", "eps**2)))"), caught_by=length_together,
                           hint="1/2 log of a ratio of variances for every entry.")
subspace_code_length.wrong("D and N swapped", replace=("D * s**2 / (N * eps**2)", "N * s**2 / (D * eps**2)"),
                           caught_by=length_of_line, hint="s^2 / N is a variance, and eps^2 / D the error in a coordinate.")
subspace_code_length.wrong("the basis for nothing", replace=("return N * each, D * each", "return N * each, 0 * each"),
                           caught_by=length_together, hint="The receiver does not know the subspace.")
subspace_code_length.wrong("eps not squared", replace=("eps**2", "eps"), caught_by=length_together,
                           hint="Compare the units of s^2 / N and of eps.")


@subspace_code_length.right("by a determinant, in JAX")
def _(X, eps):
    D, N = X.shape
    nats = 0.5 * jnp.linalg.slogdet(jnp.eye(D) + D / (N * eps**2) * X @ X.T)[1]
    return N * nats, D * nats


# P4.12

ball_code = Exercise(
    "ch04.ball_code", "Encode and decode by the nearest ball", principles=["P4.12"], label="subsec:lossy DR", minutes=6,
    level="more", objective="code samples by the nearest of given words",
    hints=["Distances of all samples to all words: an (N, M) array.",
           "X[:, :, None] - C[:, None, :] has the shape (D, N, M).",
           "argmin over the words; C[:, numbers] decodes."])


def samples_and_words(rng):
    """X (2, 30) and C (2, 7)."""
    return rng.normal(size=(2, 30)), rng.normal(size=(2, 7))


@ball_code.law("no word is nearer than the decoded one, which is the word of that number")
def code_is_nearest(f, rng):
    X, C = samples_and_words(rng)
    numbers, decoded = f(X, C)
    expected = np.array([np.argmin([np.linalg.norm(x - c) for c in C.T]) for x in X.T])
    close(decoded, C[:, expected])
    close(numbers, expected)


@ball_code.law("coding what is decoded changes nothing")
def code_is_idempotent(f, rng):
    X, C = samples_and_words(rng)
    numbers, decoded = f(X, C)
    again, twice = f(np.asarray(decoded, dtype=float), C)
    close(again, numbers)
    close(twice, decoded)
    close(f(C[:, np.arange(30) % 7], C)[0], np.arange(30) % 7)


@ball_code.law("far from the origin as near it")
def code_far_away(f, rng):
    X, C = np.round(4 * rng.normal(size=(2, 30))), np.round(4 * rng.normal(size=(2, 7)))
    for x in X.T:
        x += 0.25  # so that hardly any two words are equally near; exact in float32
    far = np.array([[50_000.0], [-20_000.0]])
    order = lambda numbers: np.sum((X - C[:, np.asarray(numbers, dtype=int)]) ** 2, axis=0)
    close(order(f(X + far, C + far)[0]), [np.min(np.sum((x[:, None] - C) ** 2, axis=0)) for x in X.T])


@ball_code.law("of several nearest words the first")
def code_of_ties(f, rng):
    X, C = np.zeros((2, 30)), np.array([[3.0, 1, 0, -1, 0, 2, 1], [0, 0, 1, 0, -1, 2, 0]])
    close(f(X, C)[0], np.ones(30))


ball_code.wrong("the farthest word", replace=("squares.argmin", "squares.argmax"), caught_by=code_is_nearest,
                hint="Smallest distance, not largest.")
ball_code.wrong("differences that are not squared", replace=(") ** 2, axis=0)", "), axis=0)"), caught_by=code_is_idempotent,
                hint="Differences of both signs cancel: square them.")
ball_code.wrong("the sum of absolute differences", replace=("np.sum((X[:, :, None] - C[:, None, :]) ** 2, axis=0)",
                "np.sum(np.abs(X[:, :, None] - C[:, None, :]), axis=0)"), caught_by=code_is_nearest,
                hint="Distances are Euclidean: balls, not diamonds.")
ball_code.wrong("squares expanded", replace=("np.sum((X[:, :, None] - C[:, None, :]) ** 2, axis=0)",
                "np.sum(C**2, axis=0) - 2 * X.T @ C"), caught_by=code_far_away,
                hint="||c||^2 - 2 c^T x is right on paper; far from the origin two large numbers cancel.")
ball_code.wrong("the largest inner product", replace=("np.sum((X[:, :, None] - C[:, None, :]) ** 2, axis=0)", "-X.T @ C"),
                caught_by=code_is_idempotent, hint="The inner product prefers long words. The nearest word may be a short one.")
ball_code.wrong("the error in place of the word", replace=("C[:, numbers]", "X - C[:, numbers]"), caught_by=code_is_nearest,
                hint="The receiver knows the number alone. What can be made of it?")


@ball_code.right("sample by sample")
def _(X, C):
    X, C = np.asarray(X, dtype=float), np.asarray(C, dtype=float)
    numbers = [min(range(C.shape[1]), key=lambda j: np.linalg.norm(x - C[:, j])) for x in X.T]
    return np.array(numbers), np.stack([C[:, j] for j in numbers], axis=1)


@ball_code.right("with distances in JAX")
def _(X, C):
    lengths = jnp.linalg.norm(jnp.asarray(X)[:, :, None] - jnp.asarray(C)[:, None, :], axis=0)
    numbers = jnp.argmin(lengths, axis=1)
    return numbers, jnp.asarray(C)[:, numbers]
