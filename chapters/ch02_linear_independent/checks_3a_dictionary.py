"""Exercises of Part 3, first half: P2.14 to P2.21 and P2.27. Oracles are float64 NumPy and share no code with the solutions."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from book_utils import independent, manifold
from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds


def orthogonal(rng, D=3):
    """A random orthogonal matrix (D, D)."""
    return np.linalg.qr(rng.normal(size=(D, D)))[0]


def turned_by(rng, size, D=3):
    """An orthogonal matrix at distance about `size` from the identity, and the skew-symmetric matrix that makes it."""
    Omega = rng.normal(size=(D, D))
    Omega = size * (Omega - Omega.T) / np.linalg.norm(Omega - Omega.T)
    return exponential(Omega), Omega


def exponential(Omega):
    """exp(Omega) of a skew-symmetric matrix, by its eigenvalues i t."""
    t, V = np.linalg.eigh(1j * Omega)
    return ((V * np.exp(-1j * t)) @ V.conj().T).real


def polar(G):
    """The orthogonal polar factor of G by Newton's iteration, without an SVD."""
    Q = G / np.linalg.norm(G, 2)
    for _ in range(60):
        Q = (Q + np.linalg.inv(Q).T) / 2
    return Q


def numbers(result):
    """A result in float64, for what would raise on NaN."""
    result = np.asarray(result, dtype=float)
    holds(np.isfinite(result).all(), "the result contains NaN or infinity")
    return result


def all_codes():
    """Z (3, 512) whose columns, all equally likely, are independent entries -2, 0, 0, 0, 0, 0, 0, 2: of variance and
    kurtosis 1, exactly."""
    return np.array(list(itertools.product([-2.0, 0, 0, 0, 0, 0, 0, 2], repeat=3))).T


def some_data(rng, N=9):
    """X (3, N), correlated and off centre."""
    return np.array([[2.0, 0.3, 0.0], [0.5, 1.0, 0.0], [0.0, -0.4, 0.6]]) @ rng.normal(size=(3, N)) + [[0.5], [0.0], [-0.3]]


# P2.14 -----------------------------------------------------------------------------------------------------------

lift = Exercise(
    "ch02.lift", "One dictionary for a mixture of subspaces", principles=["P2.14"],
    label="eq:mixture-of-subspaces-dictionary-pre",
    minutes=6, level="more", objective="write a mixture of subspaces as one dictionary with block-sparse codes",
    hints=["Put the K bases side by side. Which entries of the long code meet the columns of U_k?",
           "Block k of the code is z and all others are zero, K blocks of d entries.",
           "np.concatenate(list(Us), axis=1) puts matrices side by side; row k of np.zeros((K, d)) becomes z.",
           "Rows of a (K, d) array, read one after the other by .reshape(K * d), are the blocks."])


def subspaces(rng):
    """Us (3, 5, 2) and a code (2,)."""
    return np.stack([np.linalg.qr(rng.normal(size=(5, 2)))[0] for _ in range(3)]), rng.normal(size=2) + 2


@lift.law("the dictionary times the code is U_k z, for every k")
def lift_product(f, rng):
    Us, z = subspaces(rng)
    for k in range(3):
        A, code = f(Us, z, k)
        close(A @ code, Us[k] @ z)


@lift.law("only block k of the code is not zero, and it is z")
def lift_block(f, rng):
    Us, z = subspaces(rng)
    for k in range(3):
        code = np.asarray(f(Us, z, k)[1])
        close(code[2 * k:2 * k + 2], z)
        close(np.delete(code, [2 * k, 2 * k + 1]), np.zeros(4))


@lift.law("the dictionary holds all bases, in their order, and does not depend on k")
def lift_dictionary(f, rng):
    Us, z = subspaces(rng)
    for k in (0, 2):
        A = f(Us, z, k)[0]
        for j in range(3):
            close(A[:, 2 * j:2 * j + 2], Us[j])


lift.wrong("reshapes the stack as it lies in memory", replace=("Us.transpose(1, 0, 2)", "Us"), caught_by=lift_dictionary,
           hint="A reshape alone reads U_1 row by row and fills the first rows with it. The bases belong side by side.")
lift.wrong("shuffles the columns of the bases", replace=("Us.transpose(1, 0, 2)", "Us.transpose(1, 2, 0)"),
           caught_by=lift_dictionary, hint="All columns of U_1 come first, then all of U_2.")
lift.wrong("counts the subspaces from one", replace=("blocks[k] = z", "blocks[k - 1] = z"), caught_by=lift_block,
           hint="k = 0 is the first subspace, and index -1 is the last.")
lift.wrong("shuffles the code", replace=("blocks.reshape(K * d)", "blocks.T.reshape(K * d)"), caught_by=lift_block,
           hint="The d entries of z stay together: they meet d neighbouring columns.")
lift.wrong("gives every subspace the code", replace=("blocks[k] = z", "blocks[:] = z"),
           caught_by=lift_product,
           hint="That is the sum of U_1 z, U_2 z, ...: a superposition. A sample of a mixture lies in one subspace.")


@lift.right("with a Kronecker product, in NumPy")
def _(Us, z, k):
    Us = np.asarray(Us)
    return np.hstack(list(Us)), np.kron(np.eye(len(Us))[k], np.asarray(z))


mixture_moments = Exercise(
    "ch02.mixture_moments", "What a mixture shows that its covariance hides", principles=["P2.14"],
    label="eq:mixture-of-subspaces-statistical", minutes=10, level="more",
    objective="tell a mixture of subspaces from a superposition by fourth moments",
    hints=["Condition on the subspace k: given k, x = U_k z is Gaussian with covariance U_k U_k^T.",
           "So coordinate i has second moment a_ik = (U_k U_k^T)_ii, the squared length of row i of U_k, and fourth 3 a_ik^2.",
           "Average over k with weights pi: E x_i^2 = sum_k pi_k a_ik and E x_i^4 = 3 sum_k pi_k a_ik^2.",
           "The kurtosis is 3 (pi @ a**2 - (pi @ a)**2) with a = (Us**2).sum(axis=2) of shape (K, D)."])


def atoms_of(Us, pi):
    """Points and weights with all moments of the mixture up to order five: Gauss-Hermite with three nodes in every direction."""
    nodes, weights = np.array([-np.sqrt(3), 0, np.sqrt(3)]), np.array([1, 4, 1]) / 6
    Z = np.array(list(itertools.product(nodes, repeat=Us.shape[2]))).T
    w = np.array([np.prod(c) for c in itertools.product(weights, repeat=Us.shape[2])])
    return np.hstack([U @ Z for U in Us]), np.concatenate([p * w for p in pi])


@mixture_moments.law("the moments of the mixture, piece by piece")
def mixture_quadrature(f, rng):
    Us, _ = subspaces(rng)
    pi = np.array([0.5, 0.2, 0.3])
    X, w = atoms_of(Us, pi)
    M, kappa = f(Us, pi)
    close(M, (X * w) @ X.T)
    close(kappa, X**4 @ w - 3 * (X**2 @ w) ** 2)


@mixture_moments.law("on the axes the covariance is diag(pi) and the kurtoses are 3 pi (1 - pi)")
def mixture_axes(f, rng):
    pi = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
    M, kappa = f(np.eye(5)[:, :, None], pi)
    close(M, np.diag(pi))
    close(kappa, 3 * pi * (1 - pi))


@mixture_moments.law("a single subspace has no kurtosis: it is Gaussian")
def mixture_single(f, rng):
    Us, _ = subspaces(rng)
    M, kappa = f(np.stack([Us[0]] * 3), np.array([0.5, 0.2, 0.3]))
    close(M, Us[0] @ Us[0].T)
    close(kappa, np.zeros(5))


@mixture_moments.law("unchanged when each subspace gets another basis")
def mixture_basis(f, rng):
    Us, _ = subspaces(rng)
    pi = np.array([0.5, 0.2, 0.3])
    for mine, other in zip(f(Us, pi), f(Us @ orthogonal(rng, 2), pi)):
        close(other, mine)


mixture_moments.wrong("squares the weights, as if they multiplied the samples",
                      replace=('"k,kia,kja->ij", pi,', '"k,kia,kja->ij", pi**2,'),
                      caught_by=mixture_axes, hint="pi_k is how often piece k is drawn, not a factor in front of it.")
mixture_moments.wrong("forgets that a Gaussian's fourth moment is 3", replace=("3 * (pi", "(pi"), caught_by=mixture_axes,
                      hint="E g^4 = 3 for g ~ N(0, 1).")
mixture_moments.wrong("the fourth moment instead of the kurtosis", replace=(" - (pi @ energy) ** 2", ""),
                      caught_by=mixture_single,
                      hint="A kurtosis is zero for a Gaussian: what has to be taken away?")
mixture_moments.wrong("squares the average instead of averaging the squares", caught_by=mixture_quadrature,
                      replace=("pi @ energy**2 - (pi @ energy) ** 2", "(pi**2) @ energy**2 - (pi @ energy) ** 2"),
                      hint="Each piece enters with its probability, also in the fourth moment.")
mixture_moments.wrong("adds the entries of a row without squaring them", replace=("(Us**2).sum(axis=2)", "Us.sum(axis=2) ** 2"),
                      caught_by=mixture_basis, hint="Row i of U_k has a squared length, sum over its columns of U_ia^2.")
mixture_moments.wrong("divides by the squared variance", replace=("return M, 3 * (", "return M, 3 / np.diag(M) ** 2 * ("),
                      caught_by=mixture_axes, hint="The kurtosis of this chapter is E x^4 - 3 (E x^2)^2, not normalised.")


@mixture_moments.right("piece by piece, in NumPy")
def _(Us, pi):
    covariances = [np.asarray(U) @ np.asarray(U).T for U in Us]
    M = sum(float(p) * C for p, C in zip(pi, covariances))
    fourth = sum(3 * float(p) * np.diag(C) ** 2 for p, C in zip(pi, covariances))
    return M, fourth - 3 * np.diag(M) ** 2


# P2.15 -----------------------------------------------------------------------------------------------------------

turned_density = Exercise(
    "ch02.turned_density", "A Gaussian does not notice rotations", principles=["P2.15"], label="exercise:gaussian-rot-invar",
    book="exercise:gaussian-rot-invar", minutes=8, level="more",
    objective="change variables in a density, and see which maps leave a Gaussian unchanged",
    hints=["If v = B z then the density of v at a point is that of z at the preimage, divided by how much B stretches volumes.",
           "The preimage of the point is B^-1 times it; volumes are stretched by |det B|. And the logarithm?",
           "log p(z) = -||z||^2 / (2 sigma^2) - d log(sigma) - (d/2) log(2 pi).",
           "np.linalg.solve(B, z) is the preimage, np.linalg.slogdet(B)[1] is log |det B|."])


@turned_density.law("the first number is the log density of d independent Gaussians of standard deviation sigma")
def density_plain(f, rng):
    z = rng.normal(size=2)
    one = lambda t: np.log(np.exp(-t**2 / (2 * 0.7**2)) / np.sqrt(2 * np.pi * 0.7**2))
    close(f(np.eye(2), z, 0.7)[0], one(z[0]) + one(z[1]))


@turned_density.law("both numbers are equal where B is orthogonal")
def density_rotation(f, rng):
    for _ in range(4):
        a, b = f(orthogonal(rng, 2), 2 * rng.normal(size=2), 0.7)
        close(b, float(a))


@turned_density.law("B z has the density of a Gaussian with covariance sigma^2 B B^T")
def density_covariance(f, rng):
    for _ in range(4):
        B, z = rng.normal(size=(2, 2)) + 2 * np.eye(2), rng.normal(size=2)
        C = 0.7**2 * B @ B.T
        close(f(B, z, 0.7)[1], -z @ np.linalg.inv(C) @ z / 2 - np.log(np.linalg.det(2 * np.pi * C)) / 2)


@turned_density.law("the density of B z integrates to one, also where B turns the line round")
def density_integral(f, rng):
    t = np.linspace(-12, 12, 25)
    total = sum(np.exp(float(f(np.array([[-2.5]]), np.array([s]), 0.8)[1])) for s in t)
    close(total, 1.0, tol=5)


turned_density.wrong("forgets that volumes are stretched", replace=(" - np.linalg.slogdet(B)[1]", ""), caught_by=density_integral,
                     hint="Where points are spread more thinly the density is lower: it must still integrate to one.")
turned_density.wrong("multiplies by the volume factor", replace=(" - np.linalg.slogdet", " + np.linalg.slogdet"),
                     caught_by=density_integral,
                     hint="B = 2 spreads the points over twice the length: is the density higher or lower?")
turned_density.wrong("goes forward instead of back", replace=("np.linalg.solve(B, z)", "B @ z"), caught_by=density_covariance,
                     hint="Which code has to be drawn for B z to land on the given point?")
turned_density.wrong("takes the transpose for the inverse", replace=("np.linalg.solve(B, z)", "B.T @ z"),
                     caught_by=density_covariance, hint="B^T is the inverse only where B is orthogonal.")
turned_density.wrong("loses the sign of the determinant", replace=("np.linalg.slogdet(B)[1]", "np.log(np.linalg.det(B))"),
                     caught_by=density_integral,
                     hint="A reflection has determinant -1; volumes are stretched by its absolute value.")
turned_density.wrong("sigma for its square", replace=("(2 * sigma**2)", "(2 * sigma)"), caught_by=density_plain,
                     hint="sigma is a standard deviation; the exponent holds the variance.")


@turned_density.right("through the covariance, in NumPy")
def _(B, z, sigma):
    B, z = np.asarray(B, dtype=float), np.asarray(z, dtype=float)

    def log_density(C):
        return -0.5 * z @ np.linalg.solve(C, z) - 0.5 * np.linalg.slogdet(2 * np.pi * C)[1]
    return log_density(sigma**2 * np.eye(len(z))), log_density(sigma**2 * B @ B.T)


other_pair = Exercise(
    "ch02.other_pair", "Another basis, other codes, the same data", principles=["P2.15"],
    label="exercise:symmetry-identifiability",
    book="exercise:symmetry-identifiability", minutes=5, level="more",
    objective="see every invertible matrix as a symmetry of the model X = U Z",
    hints=["You want U' (B Z) = U Z for every Z.",
           "Put the identity B^-1 B between U and Z.",
           "np.linalg.inv(B) is B^-1."])


def pair_case(rng):
    U = np.linalg.qr(rng.normal(size=(5, 3)))[0]
    return U, rng.normal(size=(3, 3)) + 2 * np.eye(3), rng.normal(size=(3, 9))


@other_pair.law("the data are the same")
def pair_same(f, rng):
    U, B, Z = pair_case(rng)
    V, Y = f(U, B, Z)
    close(V @ Y, U @ Z)


@other_pair.law("the codes are B Z")
def pair_codes(f, rng):
    U, B, Z = pair_case(rng)
    close(f(U, B, Z)[1], np.einsum("ij,jn->in", B, Z))


@other_pair.law("two changes, one after the other, are the change by the product")
def pair_group(f, rng):
    U, B, Z = pair_case(rng)
    C = rng.normal(size=(3, 3)) + 2 * np.eye(3)
    for one, two in zip(f(U, C @ B, Z), f(*[f(U, B, Z)[0], C, f(U, B, Z)[1]])):
        close(two, one, tol=5)


other_pair.wrong("changes the basis as it changes the codes", replace=("U @ np.linalg.inv(B)", "U @ B"), caught_by=pair_same,
                 hint="U B B Z is not U Z: one of the two changes has to undo the other.")
other_pair.wrong("takes the transpose for the inverse", replace=("np.linalg.inv(B)", "B.T"), caught_by=pair_same,
                 hint="B^T undoes B only where B is orthogonal.")
other_pair.wrong("changes them the other way round", replace=("U @ np.linalg.inv(B), B @ Z", "U @ B, np.linalg.inv(B) @ Z"),
                 caught_by=pair_codes, hint="The data are the same, but the new codes were to be B Z.")
other_pair.wrong("changes the codes only", replace=("U @ np.linalg.inv(B)", "U"), caught_by=pair_same,
                 hint="Then the data change as well. What has to happen to U?")


@other_pair.right("with a linear solve, in NumPy")
def _(U, B, Z):
    return np.linalg.solve(np.asarray(B).T, np.asarray(U).T).T, np.asarray(B) @ np.asarray(Z)


factor_dqd = Exercise(
    "ch02.factor_dqd", "What uncorrelated codes leave open", principles=["P2.15"], label="exercise:symmetry-identifiability",
    book="exercise:symmetry-identifiability", minutes=12, level="challenge",
    objective="show that uncorrelated codes determine everything but scales and one rotation",
    hints=["Let C = B diag(S) B^T, diagonal by assumption. What is C^-1/2 B diag(S)^1/2?",
           "Multiply that matrix by its transpose: C^-1/2 B diag(S) B^T C^-1/2 = I. It is the orthogonal one.",
           "So B = C^1/2 Q diag(S)^-1/2: the left factors are square roots of the diagonal of C.",
           "left = sqrt(diag(B diag(S) B^T)), right = 1 / sqrt(S), Q = B / left[:, None] / right."])


def dqd_case(rng):
    """B with B diag(S) B^T diagonal, S, and the factors that made it."""
    left, S, Q = rng.uniform(0.5, 2, size=3), rng.uniform(0.3, 3, size=3), orthogonal(rng)
    return np.diag(left) @ Q @ np.diag(S**-0.5), S, left, Q


@factor_dqd.law("the three factors multiply to B")
def dqd_product(f, rng):
    B, S, _, _ = dqd_case(rng)
    left, Q, right = f(B, S)
    close(np.diag(left) @ Q @ np.diag(right), B)


@factor_dqd.law("the middle factor is orthogonal")
def dqd_orthogonal(f, rng):
    B, S, _, _ = dqd_case(rng)
    Q = f(B, S)[1]
    close(Q @ Q.T, np.eye(3))


@factor_dqd.law("the right factors bring codes of variances S to variance 1, the left ones give B z its own")
def dqd_scales(f, rng):
    B, S, scale, _ = dqd_case(rng)
    left, _, right = f(B, S)
    close(right**2 * S, np.ones(3))
    close(left, scale)


factor_dqd.wrong("divides by variances instead of standard deviations", replace=("1 / np.sqrt(S)", "1 / S"),
                 caught_by=dqd_orthogonal,
                 hint="Which factor brings a variable of variance S to variance 1?")
factor_dqd.wrong("forgets the variances of the codes", replace=("(B * S) @ B.T", "B @ B.T"), caught_by=dqd_scales,
                 hint="The covariance of B z is B diag(S) B^T.")
factor_dqd.wrong("takes variances for the left factors", replace=("np.sqrt(np.diag((B * S) @ B.T))", "np.diag((B * S) @ B.T)"),
                 caught_by=dqd_orthogonal, hint="diag(left) appears on both sides of the covariance: its entries are roots.")
factor_dqd.wrong("multiplies by the right factors instead of dividing", replace=("/ right, right", "* right, right"),
                 caught_by=dqd_product, hint="B = D1 Q D2: to free Q, both have to be undone.")
factor_dqd.wrong("rescales rows where columns are meant", replace=("/ right, right", "/ right[:, None], right"),
                 caught_by=dqd_product,
                 hint="A diagonal matrix on the right multiplies columns.")


@factor_dqd.right("matrix by matrix, in NumPy")
def _(B, S):
    B, root = np.asarray(B), np.diag(np.sqrt(np.asarray(S)))
    C = B @ root @ root @ B.T
    return np.diag(C) ** 0.5, np.diag(np.diag(C) ** -0.5) @ B @ root, np.diag(np.linalg.inv(root))


# P2.16 -----------------------------------------------------------------------------------------------------------

bg_moments = Exercise(
    "ch02.bg_moments", "Moments of a Bernoulli-Gaussian code", principles=["P2.16"], label="eq:ica-model-ch2", minutes=5,
    level="more",
    objective="compute the moments of the model of sparse codes",
    hints=["b is 0 or 1, so every power of b is b, and b is independent of g.",
           "E z^2 = E b E g^2 and E z^4 = E b E g^4, with E g^2 = 1 / theta and E g^4 = 3 (1 / theta)^2.",
           "The kurtosis here is E z^4 - 3 (E z^2)^2."])


def bg_quadrature(theta, power):
    """E z^power by the three-point rule, exact for a Gaussian up to the fifth power."""
    g, w = np.array([-np.sqrt(3), 0, np.sqrt(3)]) / np.sqrt(theta), np.array([1, 4, 1]) / 6
    return theta * (w * g**power).sum()


@bg_moments.law("variance 1, whatever the fraction of zeros")
def bg_variance(f, rng):
    for theta in (0.05, 0.2, 0.5, 1.0):
        close(f(theta)[0], bg_quadrature(theta, 2))


@bg_moments.law("the fourth moment of theta parts Gaussian and 1 - theta parts zero")
def bg_fourth(f, rng):
    for theta in (0.05, 0.2, 0.5, 1.0):
        close(f(theta)[1], bg_quadrature(theta, 4))


@bg_moments.law("kurtosis 0 for theta = 1, where z is Gaussian, and positive below")
def bg_gaussian(f, rng):
    close(f(1.0)[2], 0.0)
    for theta in (0.05, 0.2, 0.5, 0.9):
        variance, fourth, kurtosis = f(theta)
        close(kurtosis, bg_quadrature(theta, 4) - 3)
        holds(kurtosis > 0, "a sparse code has a kurtosis that is not positive")


bg_moments.wrong("loses the fraction that is not zero", replace=("theta * 3 / theta**2", "3 / theta**2"), caught_by=bg_fourth,
                 hint="E b^4 = E b = theta stands in front of E g^4.")
bg_moments.wrong("1 / theta as the standard deviation", replace=("theta * 3 / theta**2", "theta * 3 / theta**4"),
                 caught_by=bg_fourth,
                 hint="g has the variance 1 / theta.")
bg_moments.wrong("forgets the 3 of a Gaussian", replace=("theta * 3 / theta**2", "theta / theta**2"), caught_by=bg_fourth,
                 hint="E g^4 is three times the square of the variance.")
bg_moments.wrong("turns the kurtosis round", replace=("fourth - 3 * variance**2", "3 * variance**2 - fourth"),
                 caught_by=bg_gaussian,
                 hint="Heavy tails and a peak at zero: the fourth moment is larger than a Gaussian's.")
bg_moments.wrong("subtracts 1 instead of 3", replace=("fourth - 3 * variance**2", "fourth - variance**2"), caught_by=bg_gaussian,
                 hint="For a Gaussian of variance 1 the fourth moment is 3, and the kurtosis must be 0.")


@bg_moments.right("simplified")
def _(theta):
    return 1.0, 3 / theta, 3 * (1 - theta) / theta


# P2.17 -----------------------------------------------------------------------------------------------------------

span_coordinates = Exercise(
    "ch02.span_coordinates", "Away with the directions that are not there", principles=["P2.17"], label="exercise:whitening",
    book="exercise:whitening", minutes=6, level="more",
    objective="reduce data of rank d to d coordinates without losing anything",
    hints=["Which basis spans the columns of X? You met it in Part 1.",
           "The d leading left singular vectors; the coordinates of x in an orthonormal basis V are V^T x.",
           "V = np.linalg.svd(X, full_matrices=False)[0][:, :d], and Y = V^T X."])


def flat_data(rng, rank):
    return rng.normal(size=(5, rank)) @ (rng.normal(size=(rank, 9)) + 0.5)


@span_coordinates.law("V Y = X, where the rank of X is at most d")
def span_product(f, rng):
    for rank in (3, 2):
        X = flat_data(rng, rank)
        V, Y = f(X, 3)
        close(V @ Y, X)


@span_coordinates.law("the columns of V are orthonormal")
def span_orthonormal(f, rng):
    for rank in (3, 2):
        V, _ = f(flat_data(rng, rank), 3)
        close(V.T @ V, np.eye(3))


@span_coordinates.law("lengths and angles between samples are kept")
def span_gram(f, rng):
    X = flat_data(rng, 3)
    Y = f(X, 3)[1]
    close(Y.T @ Y, X.T @ X)


span_coordinates.wrong("takes the last directions", replace=("[:, :d]", "[:, -d:]"), caught_by=span_product,
                       hint="np.linalg.svd sorts its singular values in descending order.")
span_coordinates.wrong("subtracts the mean from the coordinates",
                       replace=("V.T @ X", "V.T @ (X - X.mean(axis=1, keepdims=True))"),
                       caught_by=span_product, hint="Then the mean is lost: V Y is to be X itself.")
span_coordinates.wrong("stretches the basis by the singular values",
                       replace=("[:, :d]", "[:, :d] * np.linalg.svd(X, compute_uv=False)[:d]"),
                       caught_by=span_orthonormal, hint="V is to have orthonormal columns: the singular vectors as they are.")
span_coordinates.wrong("orthonormalises the first d samples", replace=("np.linalg.svd(X, full_matrices=False)[0]", "X"),
                       caught_by=span_orthonormal,
                       hint="The first d samples are neither orthonormal nor certain to span the data.")


@span_coordinates.right("eigenvectors of X X^T, in NumPy")
def _(X, d):
    V = np.linalg.eigh(np.asarray(X, dtype=float) @ np.asarray(X, dtype=float).T)[1][:, ::-1][:, :d]
    return V, V.T @ np.asarray(X)


whiten = Exercise(
    "ch02.whiten", "Whitening", principles=["P2.17"], label="exercise:whitening", book="exercise:whitening", minutes=10,
    level="core",
    objective="bring data to second moment I by the symmetric inverse root",
    hints=["What does M have to satisfy so that (M X)(M X)^T / N = I? Write C = X X^T / N.",
           "M C M = I has the symmetric positive solution C^-1/2: same eigenvectors as C, eigenvalues lambda^-1/2.",
           "eigenvalues, V = np.linalg.eigh(C); V @ np.diag(eigenvalues**-0.5) @ V.T is that root.",
           "No mean is subtracted; N = X.shape[1]."])


@whiten.law("the second moment of the result is the identity")
def whiten_white(f, rng):
    X = some_data(rng)
    Y, _ = f(X)
    close(Y @ Y.T / 9, np.eye(3), tol=3)


@whiten.law("the result is M X")
def whiten_linear(f, rng):
    X = some_data(rng)
    Y, M = f(X)
    close(M @ X, Y, tol=3)


@whiten.law("M is symmetric, with positive eigenvalues")
def whiten_symmetric(f, rng):
    M = numbers(f(some_data(rng))[1])
    close(M, M.T)
    holds(np.linalg.eigvalsh((M + M.T) / 2)[0] > 0, "an eigenvalue of M is not positive")


@whiten.law("turning the data turns the result")
def whiten_turned(f, rng):
    X, Q = some_data(rng), orthogonal(rng)
    close(f(Q @ X)[0], Q @ f(X)[0], tol=3)


@whiten.law("data that are white already stay as they are")
def whiten_again(f, rng):
    X = np.linalg.qr(rng.normal(size=(9, 3)))[0].T * 3
    Y, M = f(X)
    close(Y, X, tol=3)
    close(M, np.eye(3), tol=3)


whiten.wrong("forgets to divide by N", replace=(" / X.shape[1]", ""), caught_by=whiten_white,
             hint="(X X^T)^-1/2 X has the second moment I / N. Average over the samples first.")
whiten.wrong("divides by D", replace=("X.shape[1]", "X.shape[0]"), caught_by=whiten_white,
             hint="Samples are columns: X.shape[1] counts them.")
whiten.wrong("the root, not its inverse", replace=("eigenvalues**-0.5", "eigenvalues**0.5"), caught_by=whiten_white,
             hint="Directions of large variance have to be shortened.")
whiten.wrong("the inverse without the root", replace=("eigenvalues**-0.5", "eigenvalues**-1.0"), caught_by=whiten_white,
             hint="M acts on both sides of C: M C M = I.")
whiten.wrong("does not turn back", replace=("V @ np.diag(eigenvalues**-0.5) @ V.T", "np.diag(eigenvalues**-0.5) @ V.T"),
             caught_by=whiten_symmetric, hint="White, but in the coordinates of the eigenvectors. Turn back with V.")
whiten.wrong("takes a Cholesky factor for the root", caught_by=whiten_symmetric,
             replace=("V @ np.diag(eigenvalues**-0.5) @ V.T", "np.linalg.inv(np.linalg.cholesky(X @ X.T / X.shape[1]))"),
             hint="The inverse of a Cholesky factor whitens too, but is triangular. The symmetric root is asked for.")
whiten.wrong("subtracts the mean first",
             replace=("X @ X.T /", "(X - X.mean(1, keepdims=True)) @ (X - X.mean(1, keepdims=True)).T /"),
             caught_by=whiten_white, hint="Data are taken as they come: the second moment about zero is to become I.")


@whiten.right("from the singular value decomposition, in NumPy")
def _(X):
    U, s, Vh = np.linalg.svd(np.asarray(X, dtype=float), full_matrices=False)
    N = X.shape[1]
    return np.sqrt(N) * U @ Vh, np.sqrt(N) * (U / s) @ U.T


@whiten.right("Newton's iteration for the inverse root, without eigenvectors")
def _(X):
    C = np.asarray(X, dtype=float) @ np.asarray(X, dtype=float).T / X.shape[1]
    scale = np.trace(C)
    Y, M = C / scale, np.eye(len(C))
    for _ in range(60):
        step = (3 * np.eye(len(C)) - M @ Y) / 2
        Y, M = Y @ step, step @ M
    M = M / np.sqrt(scale)
    return M @ np.asarray(X), M


whitening_rotation = Exercise(
    "ch02.whitening_rotation", "The rotation that whitening leaves", principles=["P2.17"], label="exercise:whitening",
    book="exercise:whitening", minutes=12, level="challenge",
    objective="say exactly what becomes of a dictionary when its data are whitened",
    hints=["Write Z = C^1/2 Zw with C = Z Z^T / N and Zw white. Then X = (A C^1/2) Zw.",
           "Let G = A C^1/2. Then X X^T / N = G G^T, and (G G^T)^-1/2 G is orthogonal: the polar factor of G.",
           "From G = L diag(s) R^T: (G G^T)^-1/2 G = L R^T.",
           "C^1/2 has the eigenvectors of C and the square roots of its eigenvalues."])


def inverse_root(C):
    values, V = np.linalg.eigh(C)
    return (V * values**-0.5) @ V.T


def dictionary_case(rng):
    return rng.normal(size=(3, 3)) + 1.5 * np.eye(3), some_data(rng)


@whitening_rotation.law("orthogonal")
def rotation_orthogonal(f, rng):
    A, Z = dictionary_case(rng)
    R = f(A, Z)
    close(R.T @ R, np.eye(3))


@whitening_rotation.law("carries the whitened codes to the whitened data, exactly")
def rotation_carries(f, rng):
    A, Z = dictionary_case(rng)
    X = A @ Z
    close(f(A, Z) @ (inverse_root(Z @ Z.T / 9) @ Z), inverse_root(X @ X.T / 9) @ X, tol=5)


@whitening_rotation.law("for white codes the orthogonal matrix nearest to the dictionary")
def rotation_white(f, rng):
    A, _ = dictionary_case(rng)
    Z = np.linalg.qr(rng.normal(size=(9, 3)))[0].T * 3
    close(f(A, Z), polar(A), tol=3)


@whitening_rotation.law("no rotation where an orthogonal dictionary is given as it is: R = A")
def rotation_of_orthogonal(f, rng):
    A, Z = orthogonal(rng), some_data(rng)
    close(f(A, Z), A, tol=3)


whitening_rotation.wrong("leaves the codes out", replace=("A @ root", "A"), caught_by=rotation_carries,
                         hint="That holds for white codes. These are not: their second moment has a root.")
whitening_rotation.wrong("forgets the root", replace=("eigenvalues**0.5", "eigenvalues"), caught_by=rotation_carries,
                         hint="Z = C^1/2 Zw, not C Zw.")
whitening_rotation.wrong("inverts the root", replace=("eigenvalues**0.5", "eigenvalues**-0.5"), caught_by=rotation_carries,
                         hint="Whitening divides by the root; writing Z through its whitened form multiplies by it.")
whitening_rotation.wrong("the root on the wrong side", replace=("A @ root", "root @ A"), caught_by=rotation_carries,
                         hint="X = A Z = A C^1/2 Zw: the root acts on codes, before A.")
whitening_rotation.wrong("Gram-Schmidt instead of the polar factor", replace=("L @ Rt", "np.linalg.qr(A @ root)[0]"),
                         caught_by=rotation_white,
                         hint="Q of QR depends on the order of the columns; the symmetric root does not.")


@whitening_rotation.right("both whitenings, then the rotation between them, in NumPy")
def _(A, Z):
    A, Z = np.asarray(A, dtype=float), np.asarray(Z, dtype=float)
    U, _, Vh = np.linalg.svd(A @ Z, full_matrices=False)
    P, _, Kh = np.linalg.svd(Z, full_matrices=False)
    return (U @ Vh) @ (P @ Kh).T


# P2.18 -----------------------------------------------------------------------------------------------------------

sparsity = Exercise(
    "ch02.sparsity", "Three measures of sparsity", principles=["P2.18"], label="fig:L4-sphere", minutes=6, level="more",
    objective="measure how sparse a code is, whatever its length",
    hints=["First bring every column to length 1: which axis does the norm run over?",
           "np.linalg.norm(Z, axis=0) has one entry per column; Z / that divides column by column.",
           "Then sums over axis 0 of fourth powers, of absolute values, and of (np.abs(Z) > 1e-3)."])


@sparsity.law("(1, 1, 1) for multiples of the unit vectors")
def sparsity_axes(f, rng):
    for result in f(np.diag([2.0, -1.0, 0.3, 5.0])):
        close(result, np.ones(4))


@sparsity.law("(1/k, sqrt(k), k) for k entries of equal size")
def sparsity_flat(f, rng):
    Z = np.array([[3.0, 1, 1, 2], [0, -1, 1, 2], [0, 0, -1, -2], [0, 0, 0, 2]])
    k = np.array([1.0, 2, 3, 4])
    for result, expected in zip(f(Z), (1 / k, np.sqrt(k), k)):
        close(result, expected)


@sparsity.law("unchanged when a sample is scaled")
def sparsity_scaled(f, rng):
    Z = rng.normal(size=(4, 4))
    for mine, scaled in zip(f(Z), f(Z * [3.0, -0.5, 10.0, 1.0])):
        close(scaled, mine)


@sparsity.law("l1^2 l4 >= 1, and 1/l0 <= l4 <= 1 <= l1 <= sqrt(l0)")
def sparsity_inequalities(f, rng):
    Z = rng.normal(size=(4, 4)) * (rng.uniform(size=(4, 4)) < 0.7)
    Z[0] = 1.0
    l4, l1, l0 = (np.asarray(r, dtype=float) for r in f(Z))
    slack = 1e-5
    holds((l1**2 * l4 >= 1 - slack).all(), "l1^2 l4 is below 1")
    holds((1 / l0 <= l4 + slack).all() and (l4 <= 1 + slack).all(), "l4 leaves its range")
    holds((l1 >= 1 - slack).all() and (l1 <= np.sqrt(l0) + slack).all(), "l1 leaves its range")


@sparsity.law("what is below a thousandth of the length is not counted")
def sparsity_dust(f, rng):
    Z = 100 * np.eye(4) + 0.01 * rng.uniform(0.5, 1, size=(4, 4))
    close(f(Z)[2], np.ones(4))


sparsity.wrong("does not normalise", replace=("Z / np.linalg.norm(Z, axis=0)", "Z"), caught_by=sparsity_axes,
               hint="A long code would seem less sparse than a short one.")
sparsity.wrong("normalises rows", replace=("np.linalg.norm(Z, axis=0)", "np.linalg.norm(Z, axis=1, keepdims=True)"),
               caught_by=sparsity_scaled, hint="Samples are columns: the norm runs down axis 0.")
sparsity.wrong("normalises all samples together", replace=("np.linalg.norm(Z, axis=0)", "np.linalg.norm(Z)"),
               caught_by=sparsity_axes, hint="Each sample has a length of its own.")
sparsity.wrong("forgets the absolute value", replace=("np.abs(Z).sum(axis=0)", "Z.sum(axis=0)"), caught_by=sparsity_flat,
               hint="Positive and negative entries must not cancel.")
sparsity.wrong("counts what rounding leaves", replace=("1e-3", "0"), caught_by=sparsity_dust,
               hint="After a matrix product hardly any entry is exactly 0.")
sparsity.wrong("takes the fourth root", replace=("(Z**4).sum(axis=0)", "(Z**4).sum(axis=0) ** 0.25"), caught_by=sparsity_flat,
               hint="The sum of fourth powers is asked for, not the norm itself.")


@sparsity.right("sample by sample, in NumPy")
def _(Z):
    rows = []
    for z in np.asarray(Z, dtype=float).T:
        p = np.abs(z) / np.sqrt((z**2).sum())
        rows.append([sum(p**4), sum(p), np.count_nonzero(p > 1e-3)])
    return tuple(np.array(rows).T)


disagreeing_plane = Exercise(
    "ch02.disagreeing_plane", "A plane in which l4 and l1 disagree", principles=["P2.18"], label="fig:L4-sphere", minutes=12,
    level="challenge", objective="find where two measures of sparsity part company",
    hints=["l4 loves one large entry, whatever surrounds it. l1 dislikes many entries, however small.",
           "Take p with one large entry and many small ones, and q with a few equal entries, on other coordinates than p.",
           "With disjoint supports l4(cos a p + sin a q) = cos^4 a l4(p) + sin^4 a l4(q): largest at an end; l1 is least there.",
           "p = (0.8, 0.15, ..., 0.15) with sixteen 0.15, q = three entries 1 / sqrt(3): compare l4 and l1."])


@disagreeing_plane.law("two orthonormal columns of at most 100 entries")
def plane_orthonormal(f, rng):
    V = numbers(f())
    holds(V.ndim == 2 and V.shape[1] == 2 and 3 <= V.shape[0] <= 100, f"the shape is {V.shape}")
    close(V.T @ V, np.eye(2))


@disagreeing_plane.law("where l4 is largest in the plane, l1 is at least half as large again as its least value")
def plane_disagrees(f, rng):
    a = np.linspace(0, np.pi, 7201)
    Z = numbers(f()) @ np.array([np.cos(a), np.sin(a)])
    Z = Z / np.linalg.norm(Z, axis=0)
    l4, l1 = (Z**4).sum(axis=0), np.abs(Z).sum(axis=0)
    there = l1[l4 > l4.max() - 1e-4].min()
    holds(there >= 1.5 * l1.min(), f"where l4 is largest, l1 is {there:.3g}, and its least value is {l1.min():.3g}")


disagreeing_plane.wrong("the first vector is a unit vector",
                        replace=("np.array([0.8] + [0.15] * 16 + [0.0] * 3)", "np.eye(20)[0]"),
                        caught_by=plane_disagrees, hint="A unit vector wins by every measure. The winners must differ.")
disagreeing_plane.wrong("the second vector has two entries", replace=("[3**-0.5] * 3", "[2**-0.5] * 2 + [0.0]"),
                        caught_by=plane_disagrees, hint="Compare the two values of l4: 1/2 for two equal entries.")
disagreeing_plane.wrong("forgets to normalise", replace=("[3**-0.5] * 3", "[1.0] * 3"), caught_by=plane_orthonormal,
                        hint="Three entries of what size make a vector of length 1?")
disagreeing_plane.wrong("too few small entries to matter",
                        replace=("[0.8] + [0.15] * 16 + [0.0] * 3", "[0.8] + [0.6] + [0.0] * 18"),
                        caught_by=plane_disagrees, hint="(0.8, 0.6) beats three equal entries in l1 as well.")


@disagreeing_plane.right("a hundred entries, in NumPy")
def _():
    p, q = np.zeros(100), np.zeros(100)
    p[0], p[1:96] = 0.75, np.sqrt(0.4375 / 95)
    q[96:] = 0.5
    return np.stack([q, -p], axis=1)


# P2.19 -----------------------------------------------------------------------------------------------------------

l4_gradient = Exercise(
    "ch02.l4_gradient", "The objective and its gradient", principles=["P2.19"], label="eq:orthogonal-dictionary-learning-l4",
    minutes=8, level="more", objective="differentiate the l4 objective with respect to a matrix of directions",
    hints=["Let Z = W X. A small change dW changes Z by dW X, and z^4 / 4 by z^3 dz.",
           "The change of the objective is <Z^3, dW X> / N. Move X to the other side of the product.",
           "<Z^3, dW X> = <Z^3 X^T, dW>, with ^3 entry by entry."])


def l4(W, X):
    return ((W @ X) ** 4).sum() / (4 * X.shape[1])


@l4_gradient.law("the value is the mean over the samples of ||W x||_4^4 / 4")
def l4_value(f, rng):
    W, X = rng.normal(size=(3, 3)), some_data(rng)
    close(f(W, X)[0], np.mean([sum((w @ x) ** 4 for w in W) / 4 for x in X.T]))


@l4_gradient.law("agrees with differences of the objective along random directions")
def l4_differences(f, rng):
    W, X = orthogonal(rng), 0.5 * some_data(rng)
    G, h = f(W, X)[1], 1e-4
    for _ in range(4):
        V = rng.normal(size=(3, 3))
        close((G * V).sum(), (l4(W + h * V, X) - l4(W - h * V, X)) / (2 * h), tol=3)


@l4_gradient.law("<gradient, W> is four times the value: the objective is homogeneous of degree four")
def l4_euler(f, rng):
    W, X = rng.normal(size=(3, 3)), some_data(rng)
    value, G = f(W, X)
    close((G * W).sum(), 4 * float(value))


@l4_gradient.law("unchanged when every sample is given twice")
def l4_twice(f, rng):
    W, X = orthogonal(rng), some_data(rng)
    for once, twice in zip(f(W, X), f(W, np.hstack([X, X]))):
        close(twice, once)


l4_gradient.wrong("cubes before multiplying", replace=("Z**3 @ X.T", "W @ X**3 @ X.T"), caught_by=l4_differences,
                  hint="The responses W X are cubed, not the pixels.")
l4_gradient.wrong("meets the codes instead of the data", replace=("Z**3 @ X.T", "Z**3 @ Z.T"), caught_by=l4_differences,
                  hint="dZ = dW X: which matrix stands beside dW?")
l4_gradient.wrong("a factor four too many", replace=("Z**3 @ X.T", "4 * Z**3 @ X.T"), caught_by=l4_euler,
                  hint="The quarter of the objective cancels the four of the derivative.")
l4_gradient.wrong("forgets to average the gradient", replace=("@ X.T / N", "@ X.T"), caught_by=l4_twice,
                  hint="The objective is a mean over the samples; so is its gradient.")
l4_gradient.wrong("forgets the quarter", replace=("/ (4 * N)", "/ N"), caught_by=l4_value,
                  hint="The objective carries a quarter.")


@l4_gradient.right("by automatic differentiation")
def _(W, X):
    return jax.value_and_grad(lambda W: jnp.mean(jnp.sum((W @ X) ** 4, axis=0)) / 4)(W)


@l4_gradient.right("sample by sample, in NumPy")
def _(W, X):
    W, samples = np.asarray(W), np.asarray(X).T
    return np.mean([((W @ x) ** 4).sum() / 4 for x in samples]), np.mean([np.outer((W @ x) ** 3, x) for x in samples], axis=0)


# P2.21 -----------------------------------------------------------------------------------------------------------

l4_step = Exercise(
    "ch02.l4_step", "One direction at a time", principles=["P2.21"], label="eq:l4-maximization-sphere", minutes=6, level="more",
    objective="climb the l4 objective on the sphere by a power method",
    hints=["The gradient of ||X^T u||_4^4 / 4 with respect to u is X (X^T u)^3.",
           "Take the gradient itself as the new vector, and bring it to length 1.",
           "v = X @ (X.T @ u) ** 3; return v / jnp.linalg.norm(v)."])


def unit_vector(rng):
    u = rng.normal(size=3)
    return u / np.linalg.norm(u)


@l4_step.law("of length 1, at any scale of the data")
def sphere_length(f, rng):
    for scale in (0.1, 5.0):
        close(np.linalg.norm(f(scale * some_data(rng), unit_vector(rng))), 1.0)


@l4_step.law("the objective never falls")
def sphere_ascent(f, rng):
    X = some_data(rng)
    for _ in range(6):
        u = unit_vector(rng)
        before, after = ((X.T @ u) ** 4).sum(), ((X.T @ np.asarray(f(X, u), dtype=float)) ** 4).sum()
        holds(after >= before * (1 - 1e-5), f"it falls from {before:.4g} to {after:.4g}")


@l4_step.law("the columns of an orthogonal dictionary with independent codes stay where they are")
def sphere_columns(f, rng):
    U = orthogonal(rng)
    for u in U.T:
        close(f(U @ all_codes(), u), u)


@l4_step.law("in the basis of those columns w goes to kappa w^3 + 3 w, at length 1")
def sphere_population(f, rng):
    U, w = orthogonal(rng), unit_vector(rng)
    expected = w**3 + 3 * w
    close(U.T @ np.asarray(f(0.1 * U @ all_codes(), U @ w)), expected / np.linalg.norm(expected))


@l4_step.law("-u goes to the opposite of where u goes")
def sphere_odd(f, rng):
    X, u = some_data(rng), unit_vector(rng)
    close(f(X, -u), -np.asarray(f(X, u)))


l4_step.wrong("forgets to normalise", replace=("v / jnp.linalg.norm(v)", "v"), caught_by=sphere_length,
              hint="The sphere: every iterate has length 1.")
l4_step.wrong("squares instead of cubing", replace=("** 3", "** 2"), caught_by=sphere_odd,
              hint="The derivative of z^4 / 4 is z^3. What does a square do to the sign of u?")
l4_step.wrong("power iteration: no cube at all", replace=(" ** 3", ""), caught_by=sphere_population,
              hint="X X^T u is the step of Part 2. For white data it goes nowhere.")
l4_step.wrong("cubes the data", replace=("X @ (X.T @ u) ** 3", "X**3 @ (X.T @ u)"), caught_by=sphere_population,
              hint="Cube the responses X^T u.")
l4_step.wrong("moves by a small step only", replace=("v / jnp.linalg.norm(v)", "(u + v) / jnp.linalg.norm(u + v)"),
              caught_by=sphere_population,
              hint="Here the gradient itself, brought to length 1, is the new vector.")


@l4_step.right("as a weighted sum of samples, in NumPy")
def _(X, u):
    X, z = np.asarray(X, dtype=float), np.asarray(u) @ np.asarray(X)
    v = (X * (z * z * z)).sum(axis=1)
    return v / np.sqrt(v @ v)


# P2.27 -----------------------------------------------------------------------------------------------------------

nearest_chain = Derivation(
    "ch02.nearest_chain", "How far is an orthogonal matrix?", principles=["P2.27"], label="eq:projection-onto-ogrp-defn",
    book="exercise:orthogonal-group-calculus", minutes=8, level="more",
    objective="reduce the distance to an orthogonal matrix to the singular values and the diagonal of one orthogonal matrix",
    stages=[Stage("written with the trace of Q^T G", uses={"trace", "G"}), Stage("written without G", without={"G"})],
    hints=["Multiply out the square of a difference, entry by entry. What is the sum of the squared entries of Q?",
           "(Q * G).sum() is the trace of Q^T G, and (G * G).sum() is the sum of the squared singular values.",
           "Put L @ np.diag(s) @ Rt in place of G. A trace does not change when the last factor becomes the first.",
           "trace(Q^T L diag(s) Rt) = trace(Rt Q^T L diag(s)): a diagonal matrix on the right multiplies the columns."])


@nearest_chain.instance
def _(rng):
    return dict(Q=orthogonal(rng), G=rng.normal(size=(3, 3)))


nearest_chain.wrong("counts the cross term once", replace=("(Q * Q).sum() - 2 * (Q * G).sum()", "(Q * Q).sum() - (Q * G).sum()"),
                    caught_by="equal", hint="(q - g)^2 = q^2 - 2 q g + g^2.")
nearest_chain.wrong("takes Q for a matrix of length one", replace=("D - 2 * np.trace(Q.T @ G)", "1 - 2 * np.trace(Q.T @ G)"),
                    caught_by="equal", hint="Each of the D columns of Q has length 1.")
nearest_chain.wrong("adds singular values instead of their squares",
                    replace=("np.trace(Q.T @ G) + (s**2).sum()", "np.trace(Q.T @ G) + s.sum()"), caught_by="equal",
                    hint="The sum of the squared entries of G is the trace of G^T G.")
nearest_chain.wrong("turns Q round", replace=("np.trace(Rt @ Q.T @ L @ np.diag(s))", "np.trace(Rt @ Q @ L @ np.diag(s))"),
                    caught_by="equal", hint="<Q, G> = trace(Q^T G): the transpose stays.")
nearest_chain.wrong("never leaves G", replace=("np.trace(Rt @ Q.T @ L @ np.diag(s))", "np.trace(G @ Q.T)"), caught_by="stages",
                    hint="True, but G is still there: put its singular value decomposition in its place.")


@nearest_chain.right("with sums over entries")
def _(Q, G):
    D = len(G)
    L, s, Rt = np.linalg.svd(G)
    yield ((Q - G) ** 2).sum()
    yield D + np.trace(G.T @ G) - 2 * np.trace(Q.T @ G)
    yield D + s @ s - 2 * np.trace(Q.T @ G)
    yield D + s @ s - 2 * sum(s[i] * (Rt[i] @ Q.T @ L[:, i]) for i in range(D))
    yield D + (s**2).sum() - 2 * (s * np.diag(Rt @ Q.T @ L)).sum()


project_orthogonal = Exercise(
    "ch02.project_orthogonal", "The nearest orthogonal matrix", principles=["P2.27"], label="eq:projection-onto-ogrp-defn",
    book="exercise:orthogonal-group-calculus", minutes=8, level="more", stand_in=manifold.project_orthogonal,
    objective="project a matrix onto the orthogonal group",
    hints=["By the derivation above the distance is least where the diagonal of R^T Q^T L is all ones.",
           "An orthogonal matrix with ones on its diagonal is the identity: R^T Q^T L = I. Solve for Q.",
           "np.linalg.svd(G) returns L, s, R^T, the last already transposed. Q = L R^T."])


@project_orthogonal.law("orthogonal")
def projection_orthogonal(f, rng):
    Q = f(rng.normal(size=(3, 3)))
    close(Q.T @ Q, np.eye(3))


@project_orthogonal.law("no orthogonal matrix is nearer, of either determinant")
def projection_nearest(f, rng):
    for sign in (1, -1):
        G = rng.normal(size=(3, 3))
        G[0] *= sign * np.sign(np.linalg.det(G))
        here = np.linalg.norm(np.asarray(f(G), dtype=float) - G)
        others = np.linalg.qr(rng.normal(size=(3000, 3, 3)))[0]
        others[::2, :, 0] *= -1
        near = [polar(G) @ turned_by(rng, size)[0] for size in (0.01, 0.1, 0.5) for _ in range(20)]
        best = min(np.linalg.norm(others - G, axis=(1, 2)).min(), min(np.linalg.norm(Q - G) for Q in near))
        holds(here <= best + 1e-5, f"an orthogonal matrix is nearer by {here - best:.2g}")


@project_orthogonal.law("Q^T G is symmetric, without negative eigenvalues")
def projection_polar(f, rng):
    G = rng.normal(size=(3, 3))
    S = numbers(f(G)).T @ G
    close(S, S.T)
    holds(np.linalg.eigvalsh((S + S.T) / 2)[0] > -1e-5, "an eigenvalue of Q^T G is negative")


@project_orthogonal.law("orthogonal matrices stay where they are, reflections too")
def projection_fixed(f, rng):
    Q = orthogonal(rng)
    for sign in (1, -1):
        close(f(Q * [sign, 1, 1]), Q * [sign, 1, 1])


@project_orthogonal.law("P[G Q] = P[G] Q for orthogonal Q")
def projection_turned(f, rng):
    G, Q = rng.normal(size=(3, 3)) + np.eye(3), orthogonal(rng)
    close(f(G @ Q), np.asarray(f(G)) @ Q, tol=3)


project_orthogonal.wrong("Gram-Schmidt", replace=("L @ Rt", "np.linalg.qr(G)[0]"), caught_by=projection_nearest,
                         hint="Q of QR is orthogonal but treats the first column better than the last: it is not the nearest.")
project_orthogonal.wrong("transposed", replace=("L @ Rt", "(L @ Rt).T"), caught_by=projection_fixed,
                         hint="An orthogonal G should come back as it is. Does yours?")
project_orthogonal.wrong("transposes the last factor again", replace=("L @ Rt", "L @ Rt.T"), caught_by=projection_nearest,
                         hint="np.linalg.svd returns R^T already.")
project_orthogonal.wrong("insists on a rotation", caught_by=projection_fixed,
                         replace=("L @ Rt", "L @ np.diag(np.array([1.0, 1.0, np.linalg.det(L @ Rt)])) @ Rt"),
                         hint="The orthogonal group has reflections too: the sign of det G decides.")
project_orthogonal.wrong("normalises the columns", replace=("L @ Rt", "G / np.linalg.norm(G, axis=0)"),
                         caught_by=projection_orthogonal, hint="Columns of length 1 need not be orthogonal to each other.")


@project_orthogonal.right("G (G^T G)^-1/2, in NumPy")
def _(G):
    G = np.asarray(G, dtype=float)
    values, V = np.linalg.eigh(G.T @ G)
    return G @ (V / np.sqrt(values)) @ V.T


@project_orthogonal.right("Newton's iteration, without an SVD")
def _(G):
    Q = np.asarray(G, dtype=float)
    Q = Q / np.linalg.norm(Q, 2)
    for _ in range(60):
        Q = (Q + np.linalg.inv(Q).T) / 2
    return Q


orthogonal_tangent = Exercise(
    "ch02.orthogonal_tangent", "Directions along the orthogonal group", principles=["P2.27"],
    label="eq:exercise-riemann-grad-orthogonal-group", book="exercise:orthogonal-group-calculus", minutes=8, level="more",
    objective="find the tangent part of a matrix at an orthogonal one", stand_in=manifold.orthogonal_tangent,
    hints=["Every matrix is G = Q A with A = Q^T G. Which A are directions along the group?",
           "The skew-symmetric ones. A splits into skew + symmetric; the parts are orthogonal to each other.",
           "skew(A) = (A - A^T) / 2; the answer is Q skew(Q^T G)."])


@orthogonal_tangent.law("Q^T times the result is skew-symmetric")
def tangent_skew(f, rng):
    Q, G = orthogonal(rng), rng.normal(size=(3, 3))
    A = Q.T @ np.asarray(f(Q, G), dtype=float)
    close(A, -A.T)


@orthogonal_tangent.law("directions along the group stay as they are")
def tangent_fixed(f, rng):
    Q, Omega = orthogonal(rng), turned_by(rng, 2.0)[1]
    close(f(Q, Q @ Omega), Q @ Omega)


@orthogonal_tangent.law("Q times a symmetric matrix goes to zero")
def tangent_normal(f, rng):
    Q, S = orthogonal(rng), rng.normal(size=(3, 3))
    close(f(Q, Q @ (S + S.T)), np.zeros((3, 3)))


@orthogonal_tangent.law("gives the derivative of a function along every curve in the group")
def tangent_derivative(f, rng):
    Q, C = orthogonal(rng), rng.normal(size=(3, 3))
    value = lambda Q: ((C @ Q) ** 3).sum()
    T, h = np.asarray(f(Q, C.T @ (3 * (C @ Q) ** 2)), dtype=float), 1e-5
    for _ in range(4):
        Omega = turned_by(rng, 1.0)[1]
        slope = (value(Q @ exponential(h * Omega)) - value(Q @ exponential(-h * Omega))) / (2 * h)
        close((T * (Q @ Omega)).sum(), slope, tol=3)


orthogonal_tangent.wrong("keeps the symmetric part", replace=("A - A.T", "A + A.T"), caught_by=tangent_fixed,
                         hint="Differentiate Q^T Q = I along a curve: which kind of matrix is Q^T dQ?")
orthogonal_tangent.wrong("forgets the half", replace=("(A - A.T) / 2", "(A - A.T)"), caught_by=tangent_fixed,
                         hint="Projecting twice must change nothing more.")
orthogonal_tangent.wrong("stays at the identity", replace=("Q @ (A - A.T)", "(A - A.T)"), caught_by=tangent_skew,
                         hint="skew(Q^T G) is the direction as seen from the identity: move it to Q.")
orthogonal_tangent.wrong("ignores where it stands", replace=("Q.T @ G", "G"), caught_by=tangent_normal,
                         hint="The directions along the group depend on Q.")
orthogonal_tangent.wrong("moves with Q instead of its transpose", replace=("Q.T @ G", "Q @ G"), caught_by=tangent_fixed,
                         hint="G = Q A: which A?")


@orthogonal_tangent.right("G minus its normal part, in NumPy")
def _(Q, G):
    Q, G = np.asarray(Q), np.asarray(G)
    return (G - Q @ G.T @ Q) / 2


orthogonal_hessian = Exercise(
    "ch02.orthogonal_hessian", "Second derivatives along the orthogonal group", principles=["P2.27"],
    label="eq:exercise-riemann-hess-orthogonal-group", book="exercise:orthogonal-group-calculus", minutes=15, level="challenge",
    objective="derive the Riemannian Hessian of the orthogonal group", stand_in=manifold.orthogonal_hessian,
    hints=["Q(t) = Q exp(t Omega) has velocity Q Omega and acceleration Q Omega^2. Differentiate f(Q(t)) twice.",
           "f'' = <velocity, second derivative of f along it> + <gradient, acceleration> = <Q Omega, H> + <G, Q Omega Omega>.",
           "<G, Q Omega Omega> = tr(A^T Omega Omega) with A = Q^T G. Omega Omega is symmetric: only sym(A) counts.",
           "(Q Omega * (H - Q Omega sym(A))).sum() with sym(A) = (A + A^T) / 2."])


def quartic(rng):
    """A function of a matrix, its gradient, and the derivative of its gradient along a direction."""
    C, X = rng.normal(size=(3, 3)), rng.normal(size=(3, 9))
    value = lambda Q: ((Q @ X) ** 4).sum() / 36 + (C * Q).sum()
    return value, lambda Q: (Q @ X) ** 3 @ X.T / 9 + C, lambda Q, V: (3 * (Q @ X) ** 2 * (V @ X)) @ X.T / 9


@orthogonal_hessian.law("the second derivative along the curve Q exp(t Omega)")
def hessian_geodesic(f, rng):
    for _ in range(3):
        value, gradient, derivative = quartic(rng)
        Q, Omega, h = orthogonal(rng), turned_by(rng, 1.0)[1], 1e-3
        second = (value(Q @ exponential(h * Omega)) - 2 * value(Q) + value(Q @ exponential(-h * Omega))) / h**2
        close(f(Q, Omega, gradient(Q), derivative(Q, Q @ Omega)), second, tol=5)


@orthogonal_hessian.law("zero for a function that does not change on the group")
def hessian_constant(f, rng):
    Q, Omega = orthogonal(rng), turned_by(rng, 2.0)[1]
    close(f(Q, Omega, 2 * Q, 2 * Q @ Omega), 0.0)      # ||Q||_F^2


@orthogonal_hessian.law("for the linear function <C, Q> at Q = I, minus tr(C Omega^T Omega)")
def hessian_linear(f, rng):
    C, Omega = rng.normal(size=(3, 3)), turned_by(rng, 2.0)[1]
    close(f(np.eye(3), Omega, C, np.zeros((3, 3))), -np.trace(C @ Omega.T @ Omega))


orthogonal_hessian.wrong("takes the group for flat", replace=("H - along @ (A + A.T) / 2", "H"), caught_by=hessian_constant,
                         hint="The curve bends: its acceleration Q Omega^2 meets the gradient.")
orthogonal_hessian.wrong("bends the wrong way", replace=("H - along", "H + along"), caught_by=hessian_constant,
                         hint="Omega^2 has no positive eigenvalue: the acceleration points inwards.")
orthogonal_hessian.wrong("multiplies from the left", replace=("along @ (A + A.T) / 2", "(A + A.T) @ along / 2"),
                         caught_by=hessian_geodesic, hint="tr(A^T Omega Omega): sym(A) stands to the right of Q Omega.")
orthogonal_hessian.wrong("forgets the half of sym", replace=("(A + A.T) / 2", "(A + A.T)"), caught_by=hessian_linear,
                         hint="sym(A) is the mean of A and A^T.")
orthogonal_hessian.wrong("takes the skew part", replace=("(A + A.T)", "(A - A.T)"), caught_by=hessian_constant,
                         hint="Omega^2 is symmetric; what is its product with a skew matrix, summed up?")


@orthogonal_hessian.right("velocity and acceleration, in NumPy")
def _(Q, Omega, G, H):
    Q, Omega, G, H = map(np.asarray, (Q, Omega, G, H))
    return np.trace((Q @ Omega).T @ H) + np.trace(G.T @ (Q @ Omega @ Omega))


second_order_spectrum = Exercise(
    "ch02.second_order_spectrum", "Which critical points are minima?", principles=["P2.27"], label="eq:projection-onto-ogrp-defn",
    book="exercise:orthogonal-group-calculus", minutes=12, level="challenge", stand_in=manifold.projection_spectrum,
    objective="compute the second-order condition of the projection onto the orthogonal group, and see that it is not enough",
    hints=["||Q - G||^2 = const - 2 <G, Q> is linear. Its second derivative along Omega: 2 tr(M Omega^T Omega) with M = Q^T G.",
           "In the eigenbasis of M take Omega that turns axes i and j, with entries +-1/sqrt(2): Omega^T Omega is half "
           "of the identity on these two axes.",
           "So the second derivative is m_i + m_j, one for each pair i < j.",
           "np.linalg.eigvalsh(M), np.triu_indices(D, 1) for the pairs, np.sort."])


def critical_case(rng):
    """G, and a critical point Q of the distance to it: Q^T G = V diag(m) V^T."""
    m, V, Q = np.array([3.0, 2.0, -0.5]), orthogonal(rng), orthogonal(rng)
    return Q, Q @ (V * m) @ V.T, V, m


@second_order_spectrum.law("sums of pairs of eigenvalues of Q^T G")
def spectrum_pairs(f, rng):
    Q, G, _, _ = critical_case(rng)
    close(f(Q, G), np.array([1.5, 2.5, 5.0]))


@second_order_spectrum.law("second derivatives of the squared distance along turns of length one")
def spectrum_differences(f, rng):
    Q, G, V, m = critical_case(rng)
    found, h = [], 1e-3
    for i, j in ((0, 1), (0, 2), (1, 2)):
        Omega = V @ (np.outer(np.eye(3)[i], np.eye(3)[j]) - np.outer(np.eye(3)[j], np.eye(3)[i])) @ V.T / np.sqrt(2)
        distance = lambda t: ((Q @ exponential(t * Omega) - G) ** 2).sum()
        found.append((distance(h) - 2 * distance(0) + distance(-h)) / h**2)
    close(f(Q, G), np.sort(found), tol=5)


@second_order_spectrum.law("at the nearest orthogonal matrix, sums of pairs of singular values, in ascending order")
def spectrum_nearest(f, rng):
    s, V, Q = np.array([0.5, 0.6, 0.7, 4.0]), orthogonal(rng, 4), orthogonal(rng, 4)
    close(f(Q, Q @ (V * s) @ V.T), np.array([1.1, 1.2, 1.3, 4.5, 4.6, 4.7]))


second_order_spectrum.wrong("the eigenvalues themselves", replace=("m[i] + m[j]", "m"), caught_by=spectrum_pairs,
                            hint="A turn always moves two axes at once.")
second_order_spectrum.wrong("leaves the pairs as they come", replace=("np.sort(m[i] + m[j])", "m[i] + m[j]"),
                            caught_by=spectrum_nearest,
                            hint="With four eigenvalues the pair (1, 4) may come to more than (2, 3): sort the sums.")
second_order_spectrum.wrong("products of pairs", replace=("m[i] + m[j]", "m[i] * m[j]"), caught_by=spectrum_pairs,
                            hint="Both axes contribute m / 2 twice: the contributions add.")
second_order_spectrum.wrong("half of it", replace=("m[i] + m[j]", "(m[i] + m[j]) / 2"), caught_by=spectrum_differences,
                            hint="The cross term of the squared distance carries a factor 2.")
second_order_spectrum.wrong("pairs with themselves too", replace=("np.triu_indices(len(m), 1)", "np.triu_indices(len(m))"),
                            caught_by=spectrum_pairs, hint="Turning an axis into itself is no turn: i < j.")
second_order_spectrum.wrong("singular values for eigenvalues",
                            replace=("np.linalg.eigvalsh((M + M.T) / 2)", "np.linalg.svd(M)[1]"),
                            caught_by=spectrum_pairs, hint="Q^T G may have negative eigenvalues: that is the point here.")


@second_order_spectrum.right("pair by pair, in NumPy")
def _(Q, G):
    M = np.asarray(Q).T @ np.asarray(G)
    m = np.linalg.eigvalsh((M + M.T) / 2)
    return np.array(sorted(float(m[i] + m[j]) for i in range(len(m)) for j in range(i)))


# P2.19, the algorithm --------------------------------------------------------------------------------------------

msp_step = Exercise(
    "ch02.msp_step", "Match, stretch, project", principles=["P2.19"], label="eq:msp_iteration", minutes=10, level="core",
    objective="write one step of the algorithm that finds an orthogonal dictionary of sparse codes",
    allows=[manifold.project_orthogonal],
    hints=["Three operations: match W with the data, stretch the responses by cubing them, project what they give on O(D).",
           "The gradient at W is (W X)^3 X^T, with ^3 entry by entry. Its projection is the new W.",
           "With L, s, R^T the singular value decomposition of the gradient, the projection is L R^T (your project_orthogonal).",
           "(W @ X) ** 3 @ X.T has shape (D, D); no 1/N is needed, since the projection ignores lengths."])


def dot(A, B):
    return (np.asarray(A, dtype=float) * B).sum()


@msp_step.law("orthogonal")
def msp_orthogonal(f, rng):
    W = f(orthogonal(rng), some_data(rng))
    close(W @ W.T, np.eye(3))


@msp_step.law("of all orthogonal matrices the one that goes furthest along the gradient")
def msp_furthest(f, rng):
    W, X = orthogonal(rng), 0.5 * some_data(rng)
    G = np.einsum("in,jn->ij", (W @ X) ** 3, X)
    new = np.asarray(f(W, X), dtype=float)
    others = np.linalg.qr(rng.normal(size=(3000, 3, 3)))[0]
    most = max(np.einsum("kij,ij->k", others, G).max(), dot(polar(G), G))
    holds(dot(new, G) >= most * (1 - 1e-4), f"another matrix goes further: {most:.4g} against {dot(new, G):.4g}")


@msp_step.law("the objective never falls")
def msp_ascent(f, rng):
    X = some_data(rng)
    for _ in range(6):
        W = orthogonal(rng)
        before, after = l4(W, X), l4(np.asarray(f(W, X), dtype=float), X)
        holds(after >= before * (1 - 1e-5), f"it falls from {before:.4g} to {after:.4g}")


@msp_step.law("the transpose of the dictionary, in any order and sign, stays where it is")
def msp_fixed(f, rng):
    U = orthogonal(rng)
    W = np.array([[0, -1.0, 0], [0, 0, 1], [1, 0, 0]]) @ U.T
    close(f(W, U @ all_codes()), W)


@msp_step.law("turning the data turns the directions with them")
def msp_turned(f, rng):
    W, X, Q = orthogonal(rng), 0.5 * some_data(rng), orthogonal(rng)
    close(f(W @ Q.T, Q @ X), np.asarray(f(W, X)) @ Q.T, tol=5)


msp_step.wrong("Gram-Schmidt instead of the projection", replace=("L @ Rt", "np.linalg.qr((W @ X) ** 3 @ X.T)[0]"),
               caught_by=msp_furthest, hint="Q of QR is orthogonal, but it is not the orthogonal matrix nearest to the gradient.")
msp_step.wrong("cubes the data before matching", replace=("(W @ X) ** 3", "W @ X**3"), caught_by=msp_furthest,
               hint="Match first, then stretch: the responses W X are cubed.")
msp_step.wrong("forgets to stretch", replace=("(W @ X) ** 3", "(W @ X)"), caught_by=msp_furthest,
               hint="Without the cube white data give W back: nothing is learned.")
msp_step.wrong("squares", replace=("** 3", "** 2"), caught_by=msp_fixed,
               hint="The derivative of a fourth power is a cube, and a cube keeps the sign.")
msp_step.wrong("returns the dictionary", replace=("L @ Rt", "(L @ Rt).T"), caught_by=msp_fixed,
               hint="W has the directions as rows, before and after the step; the dictionary is its transpose.")
msp_step.wrong("returns the turn instead of the turned directions", replace=("@ X.T)", "@ (W @ X).T)"), caught_by=msp_fixed,
               hint="(W X)^3 (W X)^T gives the factor between the old and the new W: that is a later exercise.")
msp_step.wrong("transposes the last factor again", replace=("L @ Rt", "L @ Rt.T"), caught_by=msp_furthest,
               hint="np.linalg.svd returns R^T already.")


@msp_step.right("G (G^T G)^-1/2, in NumPy")
def _(W, X):
    Z = np.asarray(W, dtype=float) @ np.asarray(X)
    G = (Z * Z * Z) @ np.asarray(X, dtype=float).T
    values, V = np.linalg.eigh(G.T @ G)
    return G @ (V / np.sqrt(values)) @ V.T


@msp_step.right("through the step of the codes")
def _(W, X):
    Z = W @ X
    L, _, Rt = jnp.linalg.svd(Z**3 @ Z.T / X.shape[1])
    return (L @ Rt) @ W


msp_population = Exercise(
    "ch02.msp_population", "A step on infinitely many samples", principles=["P2.19"], label="eq:msp_iteration", minutes=15,
    level="challenge", objective="compute the rate at which matching, stretching and projecting converges",
    stand_in=independent.msp_population_step,
    allows=[manifold.project_orthogonal],
    hints=["With w a row of W and z independent entries of variance 1: E[(w^T z)^3 z_j] has which non-zero terms?",
           "(w^T z)^3 z_j: the indices of the four z come in pairs. All equal to j: w_j^3 E z_j^4. Two pairs: 3 w_j w_i^2.",
           "So it is w_j^3 E z_j^4 + 3 w_j (1 - w_j^2) = kappa_j w_j^3 + 3 w_j, since the w_i^2 add up to 1.",
           "kappa_j belongs to column j: W**3 * kappa + 3 * W, and then L R^T from its singular value decomposition."])
KAPPAS = (1.0, 2.5, 4.0)


def codes_of_kurtosis(kappa):
    """Z (3, 4096) of independent entries 0, a, -a with variance 1 and these kurtoses, and the weights of the columns."""
    levels = [(-np.sqrt(3 + k), 0, np.sqrt(3 + k)) for k in kappa]
    weights = [(0.5 / (3 + k), 1 - 1 / (3 + k), 0.5 / (3 + k)) for k in kappa]
    return np.array(list(itertools.product(*levels))).T, np.array([np.prod(w) for w in itertools.product(*weights)])


@msp_population.law("the step over all values of codes with these kurtoses, weighted by their probabilities")
def population_expectation(f, rng):
    Z, w = codes_of_kurtosis(KAPPAS)
    W = orthogonal(rng)
    close(f(W, np.array(KAPPAS)), polar(((W @ Z) ** 3 * w) @ Z.T), tol=3)


@msp_population.law("Gaussian codes, of kurtosis 0, teach nothing: W stays where it is")
def population_gaussian(f, rng):
    W = orthogonal(rng)
    close(f(W, np.zeros(3)), W)


@msp_population.law("close to the identity an error shrinks to 3 / (3 + kappa) of itself")
def population_rate(f, rng):
    for kappa in (1.0, 9.0):
        W, _ = turned_by(rng, 0.02)
        after = np.linalg.norm(np.asarray(f(W, np.full(3, kappa)), dtype=float) - np.eye(3))
        close(after / np.linalg.norm(W - np.eye(3)), 3 / (3 + kappa), tol=20)


@msp_population.law("signed permutations stay where they are")
def population_fixed(f, rng):
    W = np.array([[0, -1.0, 0], [0, 0, 1], [1, 0, 0]])
    close(f(W, np.array(KAPPAS)), W)


msp_population.wrong("forgets the pairs", replace=("+ 3 * W", ""), caught_by=population_rate,
                     hint="Terms with two different pairs of indices survive as well: 3 w_j (1 - w_j^2).")
msp_population.wrong("takes the fourth moment for the kurtosis", replace=("W**3 * kappa", "W**3 * (kappa + 3)"),
                     caught_by=population_gaussian,
                     hint="The pairs sum to 3 w_j (1 - w_j^2): the missing 3 w_j^3 turns E z^4 into kappa.")
msp_population.wrong("gives the kurtoses to the rows", replace=("W**3 * kappa", "W**3 * kappa[:, None]"),
                     caught_by=population_expectation, hint="kappa_j belongs to code j, and W z meets code j in column j.")
msp_population.wrong("counts the pairs once", replace=("3 * W", "W"), caught_by=population_rate,
                     hint="In how many ways can z_j be paired with one of the three factors of the cube?")
msp_population.wrong("does not project", replace=("L @ Rt", "G"), caught_by=population_gaussian,
                     hint="The step ends on the orthogonal group.")


@msp_population.right("row by row, in NumPy")
def _(W, kappa):
    W, kappa = np.asarray(W, dtype=float), np.asarray(kappa)
    G = np.array([[kappa[j] * w[j] ** 3 + 3 * w[j] for j in range(len(w))] for w in W])
    values, V = np.linalg.eigh(G.T @ G)
    return G @ (V / np.sqrt(values)) @ V.T


# P2.20 -----------------------------------------------------------------------------------------------------------

msp_layer = Exercise(
    "ch02.msp_layer", "A layer of the network", principles=["P2.20"], label="eq:msp_iteration", minutes=6, level="more",
    objective="write a step of the algorithm as a layer that sees only its own input",
    allows=[manifold.project_orthogonal],
    hints=["The new W is P[(W X)^3 X^T]. Which orthogonal matrix, times the old W, gives it?",
           "P[G] Q = P[G Q] for orthogonal Q; take Q = W^T, and W X = Z.",
           "The layer is P[Z^3 Z^T], with ^3 entry by entry."])


def layer_codes(rng):
    return 0.5 * some_data(rng)


@msp_layer.law("orthogonal")
def layer_orthogonal(f, rng):
    V = f(layer_codes(rng))
    close(V @ V.T, np.eye(3))


@msp_layer.law("times the old W it is the new W of matching, stretching and projecting")
def layer_step(f, rng):
    W, X = orthogonal(rng), layer_codes(rng)
    close(np.asarray(f(W @ X)) @ W, polar((W @ X) ** 3 @ X.T), tol=3)


@msp_layer.law("the identity once the codes are independent")
def layer_done(f, rng):
    close(f(all_codes()), np.eye(3))


@msp_layer.law("renaming the codes and changing their signs renames the layer")
def layer_renamed(f, rng):
    Z, Q = layer_codes(rng), np.array([[0, -1.0, 0], [0, 0, 1], [1, 0, 0]])
    close(f(Q @ Z), Q @ np.asarray(f(Z)) @ Q.T, tol=3)


msp_layer.wrong("forgets to stretch", replace=("Z**3 @ Z.T", "Z @ Z.T"), caught_by=layer_step,
                hint="Z Z^T is symmetric and positive: its projection is always the identity.")
msp_layer.wrong("stretches twice", replace=("Z**3 @ Z.T", "Z**3 @ (Z**3).T"), caught_by=layer_step,
                hint="In the step the cube meets X^T, and X^T W^T = Z^T: no cube there.")
msp_layer.wrong("the layer backwards", replace=("Z**3 @ Z.T", "Z @ (Z**3).T"), caught_by=layer_step,
                hint="That is the transpose, and so the inverse.")
msp_layer.wrong("Gram-Schmidt instead of the projection", replace=("L @ Rt", "np.linalg.qr(Z**3 @ Z.T)[0]"), caught_by=layer_step,
                hint="The nearest orthogonal matrix comes from the singular value decomposition.")
msp_layer.wrong("returns the new codes", replace=("L @ Rt", "(L @ Rt) @ Z"), caught_by=layer_orthogonal,
                hint="The layer is the matrix that will multiply Z.")


@msp_layer.right("G (G^T G)^-1/2, in NumPy")
def _(Z):
    Z = np.asarray(Z, dtype=float)
    G = Z**3 @ Z.T
    values, V = np.linalg.eigh(G.T @ G)
    return G @ (V / np.sqrt(values)) @ V.T
