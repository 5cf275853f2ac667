"""Exercises of Part 2, first half: posterior means of tables, of Gaussians and of their mixtures."""

import jax
import jax.numpy as jnp
import numpy as np

from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds


def joint_table(rng, N=4, M=3):
    """Joint probabilities (N, M) of what is and what is seen, all positive."""
    P = rng.uniform(0.2, 1, size=(N, M))
    return P / P.sum()


def covariance_of(rng, eigenvalues):
    """A covariance with these eigenvalues, and its eigenvectors as columns in the same order."""
    W = np.linalg.qr(rng.normal(size=(len(eigenvalues),) * 2))[0]
    return (W * eigenvalues) @ W.T, W


# P3.7

posterior_mean_table = Exercise(
    "ch03.posterior_mean_table", "The posterior mean from a table", principles=["P3.7"], label="eq:optimal_denoiser", minutes=8,
    objective="compute the best denoiser where everything can be counted",
    hints=["Suppose value j is seen. Which probability has x_i now? Column j of P does not add up to 1.",
           "Pr(x_i given j) = P[i, j] / (sum of column j). The mean is the sum of the x_i with these weights.",
           "X @ P is that for all j at once, before dividing; the sums of the columns are P.sum(axis=0).",
           "Where a sum is 0, divide by 1: jnp.where(mass > 0, mass, 1). The column of X @ P is 0 there anyway."])


@posterior_mean_table.law("leaves an error whose mean is zero, whichever value was seen")
def table_error_has_mean_zero(f, rng):
    P, X = joint_table(rng), rng.normal(size=(2, 4))
    m = np.asarray(f(P, X), dtype=float)
    holds(m.shape == (2, 3), f"the shape is {m.shape} where (2, 3) is wanted")
    for j in range(3):
        close(sum(P[i, j] * (X[:, i] - m[:, j]) for i in range(4)), np.zeros(2))


@posterior_mean_table.law("where any other answer g instead of m costs more, by exactly E||m - g||^2")
def table_is_best(f, rng):
    P, X = joint_table(rng), rng.normal(size=(2, 4))
    m = np.asarray(f(P, X), dtype=float)
    holds(m.shape == (2, 3), f"the shape is {m.shape} where (2, 3) is wanted")
    step = rng.normal(size=(2, 3))

    def loss(g):
        return sum(P[i, j] * ((X[:, i] - g[:, j]) ** 2).sum() for i in range(4) for j in range(3))
    close(loss(m + step) - loss(m), sum(P[:, j].sum() * (step[:, j] ** 2).sum() for j in range(3)))


@posterior_mean_table.law("the mean of x at every value, if the value says nothing about x")
def table_of_independence(f, rng):
    p, q, X = rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(3)), rng.normal(size=(2, 4))
    close(f(np.outer(p, q), X), np.tile((X @ p)[:, None], 3))


@posterior_mean_table.law("x itself, if the value gives it away")
def table_of_certainty(f, rng):
    p, X = rng.dirichlet(np.ones(4)), rng.normal(size=(2, 4))
    P = np.zeros((4, 3))
    P[[0, 1, 2, 3], [2, 0, 1, 0]] = p  # value 0 is shared by x_1 and x_3
    close(f(P, X), np.stack([(p[1] * X[:, 1] + p[3] * X[:, 3]) / (p[1] + p[3]), X[:, 2], X[:, 0]], axis=1))


@posterior_mean_table.law("zero at a value that is never seen")
def table_with_an_empty_column(f, rng):
    P, X = joint_table(rng), rng.normal(size=(2, 4))
    P[:, 1] = 0
    close(np.asarray(f(P / P.sum(), X))[:, 1], np.zeros(2))


posterior_mean_table.wrong("ignores what was seen",
                           replace=("X @ P / jnp.where(mass > 0, mass, 1)", "jnp.outer(X @ P.sum(axis=1), mass > 0)"),
                           caught_by=table_error_has_mean_zero,
                           hint="That is the mean before anything was seen. Does the error have mean zero for each value j?")
posterior_mean_table.wrong("forgets to divide by the probability of the value",
                           replace=(" / jnp.where(mass > 0, mass, 1)", ""), caught_by=table_of_independence,
                           hint="The weights of a mean add up to 1. What does column j of P add up to?")
posterior_mean_table.wrong("the likeliest x instead of the mean",
                           replace=("X @ P / jnp.where(mass > 0, mass, 1)", "X[:, P.argmax(axis=0)] * (mass > 0)"),
                           caught_by=table_is_best,
                           hint="The likeliest one is most often right. But the loss is a squared distance: how far off else?")
posterior_mean_table.wrong("makes rows add up to 1", replace=("X @ P /", "X @ (P / P.sum(axis=1, keepdims=True)) /"),
                           caught_by=table_error_has_mean_zero,
                           hint="Dividing by the sum of row i gives Pr(j given x_i). Which way round is it wanted?")
posterior_mean_table.wrong("0 / 0", replace=("jnp.where(mass > 0, mass, 1)", "mass"), caught_by=table_with_an_empty_column,
                           hint="What does your formula do with a column of zeros?")
posterior_mean_table.wrong("all that is possible counts alike", replace=("X @ P /", "X @ (P > 0) * mass / (P > 0).sum(axis=0) /"),
                           caught_by=table_of_certainty,
                           hint="Two points may both be possible, one of them much more likely than the other.")


@posterior_mean_table.right("value by value, in NumPy")
def _(P, X):
    P, X = np.asarray(P), np.asarray(X)
    means = np.zeros((X.shape[0], P.shape[1]))
    for j, column in enumerate(P.T):
        if column.sum() > 0:
            means[:, j] = np.average(X, axis=1, weights=column)
    return means


@posterior_mean_table.right("by conditional probabilities")
def _(P, X):
    given = jnp.nan_to_num(P / P.sum(axis=0, keepdims=True))
    return (X[:, :, None] * given[None]).sum(axis=1)


pythagoras_chain = Derivation(
    "ch03.pythagoras_chain", "Pythagoras for denoisers", principles=["P3.7"], label="eq:denoising_loss", minutes=10, level="more",
    objective="derive that the posterior mean is the best denoiser", needs=["ch03.posterior_mean_table"],
    stages=[Stage("with m put between x and f, multiplied out", uses={"x", "m", "f"}, without={"given"}),
            Stage("with the cross term as a sum over j of a mean over x", uses={"given"})],
    hints=["x - f = (x - m) + (m - f). The square of a sum has three terms.",
           "mean(dot(x - m, x - m)) + 2 * mean(dot(x - m, m - f)) + mean(dot(m - f, m - f)) is the first line of yours.",
           "For one j, m - f is a fixed vector: take it out of the sum over x. What is left there is given(x - m), (D, M).",
           "The cross term is 2 * jnp.sum(given(x - m) * (m - f)[:, 0]); then look at what given(x - m) is."])


@pythagoras_chain.instance
def _(rng):
    return dict(P=joint_table(rng), X=rng.normal(size=(2, 4)), X_bar=rng.normal(size=(2, 3)))


pythagoras_chain.wrong("squares the parts and forgets the cross term's other factor",
                       replace=("2 * mean(dot(x - m, m - f))", "2 * mean(dot(x - m, x - f))"), caught_by="equal",
                       hint="Multiply (a + b)^2 out with a = x - m and b = m - f: the cross term is 2 a b.")
pythagoras_chain.wrong("jumps over the cross term", replace=("2 * jnp.sum(given(x - m) * (m - f)[:, 0])", "0"),
                       caught_by="stages",
                       hint="True, but why is it zero? Write it as a sum over j of given(x - m) times something.")
pythagoras_chain.wrong("the mean of x for the mean of x - m", replace=("given(x - m)", "given(x)"), caught_by="equal",
                       hint="The first factor of the cross term is x - m. What is its mean for one j?")
pythagoras_chain.wrong("the excess with the wrong sign",
                       replace=("2 * mean(dot(x - m, m - f)) + mean", "2 * mean(dot(x - m, m - f)) - mean"), caught_by="equal",
                       hint="A square of a sum: both squares come with a plus.")


@pythagoras_chain.right("as an expansion of one function, with einsum")
def _(P, X, X_bar):
    x, f = X[:, :, None], X_bar[:, None, :]  # (D, N, 1) and (D, 1, M): differences are (D, N, M)
    m = posterior_mean_table(P, X)[:, None, :]  # (D, 1, M)
    dot = lambda A, B: (A * B).sum(axis=0)  # inner products: (N, M)
    mean = lambda A: jnp.sum(P * A)  # over the table
    given = lambda A: (P * A).sum(axis=1)  # of A (D, N, M), over x alone: (D, M), Pr(j) times the mean given j
    yield mean(dot(x - f, x - f))
    yield mean(dot(x - m + m - f, x - m + m - f))
    yield mean(dot(x - m, x - m)) + mean(dot(m - f, m - f)) + 2 * jnp.einsum("dj,dj->", given(x - m), (m - f)[:, 0])
    yield mean(dot(x - m, x - m)) + mean(dot(m - f, m - f))


loss_decomposition = Exercise(
    "ch03.loss_decomposition", "What is lost, and by whom", principles=["P3.7"], label="eq:denoising_loss", minutes=8,
    level="more",
    objective="split the error of any denoiser into what nobody can avoid and what is its own",
    needs=["ch03.posterior_mean_table"],
    hints=["You have the posterior mean already: posterior_mean_table(P, X).",
           "E||x - m||^2 is a sum over all pairs (i, j), each with its weight P[i, j].",
           "E||m - f||^2 does not depend on x: value j has the weight P[:, j].sum()."])


@loss_decomposition.law("two parts that add up to the mean squared error, for any denoiser")
def parts_add_up(f, rng):
    P, X, X_bar = joint_table(rng), rng.normal(size=(2, 4)), rng.normal(size=(2, 3))
    close(sum(f(P, X, X_bar)), sum(P[i, j] * ((X[:, i] - X_bar[:, j]) ** 2).sum() for i in range(4) for j in range(3)))


@loss_decomposition.law("a first part that is the same for all denoisers, and a second that is zero for the posterior mean alone")
def parts_of_the_best(f, rng):
    P, X, X_bar = joint_table(rng), rng.normal(size=(2, 4)), rng.normal(size=(2, 3))
    m = np.stack([np.average(X, axis=1, weights=P[:, j]) for j in range(3)], axis=1)
    best, other = f(P, X, m), f(P, X, X_bar)
    close(best[1], 0)
    close(best[0], other[0])
    holds(other[1] > 1e-3, "another denoiser has no excess")


@loss_decomposition.law("a second part that grows with the square of the way from the posterior mean")
def excess_is_quadratic(f, rng):
    P, X, step = joint_table(rng), rng.normal(size=(2, 4)), rng.normal(size=(2, 3))
    m = np.stack([np.average(X, axis=1, weights=P[:, j]) for j in range(3)], axis=1)
    close(f(P, X, m + 2 * step)[1], 4 * f(P, X, m + step)[1])


@loss_decomposition.law("for a value that says nothing: the variance of x, and the squared distance to its mean")
def parts_without_information(f, rng):
    p, X, answer = rng.dirichlet(np.ones(4)), rng.normal(size=(2, 4)), rng.normal(size=2)
    mu = X @ p
    parts = f(np.outer(p, [0.5, 0.3, 0.2]), X, np.tile(answer[:, None], 3))
    close(parts[0], p @ ((X - mu[:, None]) ** 2).sum(axis=0))
    close(parts[1], ((mu - answer) ** 2).sum())


@loss_decomposition.law("unmoved by what would be answered to a value that is never seen")
def parts_with_an_empty_column(f, rng):
    P, X, X_bar = joint_table(rng), rng.normal(size=(2, 4)), rng.normal(size=(2, 3))
    P[:, 1] = 0
    P /= P.sum()
    moved = X_bar + np.array([0, 7.0, 0])
    close(np.asarray(f(P, X, moved)), np.asarray(f(P, X, X_bar)))


loss_decomposition.wrong("counts every value alike in the excess",
                         replace=("P.sum(axis=0) @", "jnp.ones(P.shape[1]) / P.shape[1] @"),
                         caught_by=parts_add_up, hint="A value that is seen more often counts more: by Pr(j).")
loss_decomposition.wrong("the whole error for its irreducible part", replace=("X[:, i:i + 1] - m", "X[:, i:i + 1] - X_bar"),
                         caught_by=parts_of_the_best,
                         hint="The first part is to be the error of the best denoiser, not of this one.")
loss_decomposition.wrong("distances to the prior mean for the excess",
                         replace=("(m - X_bar)", "(X @ P.sum(axis=1, keepdims=True) - X_bar)"), caught_by=parts_of_the_best,
                         hint="Which denoiser must have no excess?")
loss_decomposition.wrong("a mean over coordinates instead of their sum",
                         replace=("(m - X_bar) ** 2).sum(axis=0)", "(m - X_bar) ** 2).mean(axis=0)"),
                         caught_by=parts_add_up, hint="The squared length of a vector is the sum over its D coordinates.")
loss_decomposition.wrong("lengths instead of their squares",
                         replace=("((m - X_bar) ** 2).sum(axis=0)", "jnp.linalg.norm(m - X_bar, axis=0)"),
                         caught_by=excess_is_quadratic, hint="Pythagoras is about squares.")


@loss_decomposition.right("pair by pair, in NumPy")
def _(P, X, X_bar):
    P, X, X_bar = np.asarray(P, dtype=float), np.asarray(X, dtype=float), np.asarray(X_bar, dtype=float)
    irreducible = excess = 0.0
    for j, column in enumerate(P.T):
        if column.sum() > 0:
            m = X @ column / column.sum()
            irreducible += sum(p * np.dot(x - m, x - m) for p, x in zip(column, X.T))
            excess += column.sum() * np.dot(m - X_bar[:, j], m - X_bar[:, j])
    return irreducible, excess


@loss_decomposition.right("the first part as a difference of two means of squares")
def _(P, X, X_bar):
    m = posterior_mean_table(P, X)
    seen = P.sum(axis=0)
    return P.sum(axis=1) @ (X**2).sum(axis=0) - seen @ (m**2).sum(axis=0), jnp.sum(seen * (m - X_bar) ** 2)


# P3.8: conditioning

def joint_gaussian(rng):
    """Means, covariance blocks and the whole covariance of x (3,) and y (2,)."""
    Sigma, _ = covariance_of(rng, [4.0, 2.0, 1.0, 0.7, 0.4])
    mu = rng.normal(size=5)
    return mu[:3], mu[3:], Sigma[:3, :3], Sigma[:3, 3:], Sigma[3:, 3:], Sigma


def unit_triangular(A, corner):
    """Whether A (5, 5) is the identity but for the block `corner` (rows, columns)."""
    rest = np.array(A, dtype=float)
    rest[corner] = 0
    close(rest, np.eye(5))


UPPER, LOWER = (slice(0, 3), slice(3, 5)), (slice(3, 5), slice(0, 3))

block_ldl = Exercise(
    "ch03.block_ldl", "Elimination with blocks", principles=["P3.8"], label="eq:gaussian-conditional-covariance-block",
    book="exercise:conditional_gaussian", minutes=8, level="more",
    objective="split a covariance into what y explains of x and what it does not",
    hints=["Write L = [[I, G], [0, I]] and B = [[S, 0], [0, T]], and multiply L B L^T out.",
           "The lower right block says T = Sigma_y, the upper right G T = Sigma_xy, the upper left S + G T G^T = Sigma_x.",
           "G = Sigma_xy Sigma_y^-1 is jnp.linalg.solve(Sigma_y, Sigma_xy.T).T, as Sigma_y is symmetric. Then jnp.block."])


@block_ldl.law("multiplied out, the covariance again")
def ldl_product(f, rng):
    *_, Sigma_x, Sigma_xy, Sigma_y, Sigma = joint_gaussian(rng)
    L, B = (np.asarray(A, dtype=float) for A in f(Sigma_x, Sigma_xy, Sigma_y))
    close(L @ B @ L.T, Sigma)


@block_ldl.law("L is upper block triangular with identities on its diagonal, and B is block diagonal")
def ldl_form(f, rng):
    *_, Sigma_x, Sigma_xy, Sigma_y, _ = joint_gaussian(rng)
    L, B = f(Sigma_x, Sigma_xy, Sigma_y)
    unit_triangular(L, UPPER)
    close(np.asarray(B)[UPPER], np.zeros((3, 2)))
    close(np.asarray(B)[LOWER], np.zeros((2, 3)))


@block_ldl.law("the first block of B is what least squares of x on y leaves, and L holds its coefficients")
def ldl_least_squares(f, rng):
    X, Y = rng.normal(size=(3, 9)), rng.normal(size=(2, 9))
    X = X + rng.normal(size=(3, 2)) @ Y
    coefficients = np.linalg.lstsq(Y.T, X.T, rcond=None)[0].T
    L, B = f(X @ X.T / 9, X @ Y.T / 9, Y @ Y.T / 9)
    left = X - coefficients @ Y
    close(np.asarray(B)[:3, :3], left @ left.T / 9, tol=2)
    close(np.asarray(L)[UPPER], coefficients, tol=2)


@block_ldl.law("B is the covariance itself where x and y are uncorrelated")
def ldl_uncorrelated(f, rng):
    Sigma_x, Sigma_y = covariance_of(rng, [2.0, 1.0, 0.5])[0], covariance_of(rng, [3.0, 1.0])[0]
    L, B = f(Sigma_x, np.zeros((3, 2)), Sigma_y)
    close(L, np.eye(5))
    close(B, np.block([[Sigma_x, np.zeros((3, 2))], [np.zeros((2, 3)), Sigma_y]]))


block_ldl.wrong("the cross-covariance without the inverse", replace=("jnp.linalg.solve(Sigma_y, Sigma_xy.T).T", "Sigma_xy"),
                caught_by=ldl_product, hint="Multiply out: the upper right block of L B L^T is G Sigma_y.")
block_ldl.wrong("adds what y explains", replace=("Sigma_x - gain", "Sigma_x + gain"), caught_by=ldl_product,
                hint="What is left of x once y is known cannot vary more than x.")
block_ldl.wrong("keeps all of Sigma_x", replace=("Sigma_x - gain @ Sigma_xy.T", "Sigma_x"), caught_by=ldl_product,
                hint="L adds G Sigma_y G^T to the first block; it has to be taken off beforehand.")
block_ldl.wrong("the third factor for the first",
                replace=("[[jnp.eye(D), gain], [jnp.zeros((d, D)), jnp.eye(d)]]",
                         "[[jnp.eye(D), jnp.zeros((D, d))], [gain.T, jnp.eye(d)]]"),
                caught_by=ldl_form, hint="L is upper triangular; its transpose stands on the right.")
block_ldl.wrong("the inverse of L", replace=("jnp.eye(D), gain]", "jnp.eye(D), -gain]"), caught_by=ldl_least_squares,
                hint="Elimination subtracts; L puts back what was subtracted.")
block_ldl.wrong("the inverse of the second block", replace=("Sigma_y]])", "jnp.linalg.inv(Sigma_y)]])"), caught_by=ldl_product,
                hint="The second block is not touched by elimination.")


@block_ldl.right("by eliminating on both sides, in NumPy")
def _(Sigma_x, Sigma_xy, Sigma_y):
    Sigma = np.block([[np.asarray(Sigma_x), np.asarray(Sigma_xy)], [np.asarray(Sigma_xy).T, np.asarray(Sigma_y)]])
    D, L = len(Sigma_x), np.eye(len(Sigma))
    L[:D, D:] = np.asarray(Sigma_xy) @ np.linalg.inv(np.asarray(Sigma_y))
    back = 2 * np.eye(len(Sigma)) - L
    return L, back @ Sigma @ back.T


precision_from_blocks = Exercise(
    "ch03.precision_from_blocks", "The precision, factor by factor", principles=["P3.8"],
    label="eq:gaussian-conditional-covariance-inverse-block", book="exercise:conditional_gaussian", minutes=7, level="more",
    objective="invert a covariance by inverting its blocks",
    hints=["Sigma = L B L^T with the L and B of the exercise before. So Sigma^-1 = (L^T)^-1 B^-1 L^-1.",
           "[[I, G], [0, I]] times [[I, -G], [0, I]] is the identity.",
           "R = (L^T)^-1 = [[I, 0], [-Sigma_y^-1 Sigma_xy^T, I]]; B has the inverse of S and the inverse of Sigma_y."])


@precision_from_blocks.law("multiplied out and multiplied by the covariance, the identity")
def precision_inverts(f, rng):
    *_, Sigma_x, Sigma_xy, Sigma_y, Sigma = joint_gaussian(rng)
    R, B = (np.asarray(A, dtype=float) for A in f(Sigma_x, Sigma_xy, Sigma_y))
    close(R @ B @ R.T @ Sigma, np.eye(5), tol=5)


@precision_from_blocks.law("R is lower block triangular with identities on its diagonal, and B is block diagonal")
def precision_form(f, rng):
    *_, Sigma_x, Sigma_xy, Sigma_y, _ = joint_gaussian(rng)
    R, B = f(Sigma_x, Sigma_xy, Sigma_y)
    unit_triangular(R, LOWER)
    close(np.asarray(B)[UPPER], np.zeros((3, 2)))
    close(np.asarray(B)[LOWER], np.zeros((2, 3)))


@precision_from_blocks.law("R^T turns (x, y) into parts that are uncorrelated, B into parts of covariance 1")
def precision_whitens(f, rng):
    *_, Sigma_x, Sigma_xy, Sigma_y, Sigma = joint_gaussian(rng)
    R, B = (np.asarray(A, dtype=float) for A in f(Sigma_x, Sigma_xy, Sigma_y))
    close(B @ (R.T @ Sigma @ R), np.eye(5), tol=5)


@precision_from_blocks.law("the determinant of B is one over that of the covariance")
def precision_determinant(f, rng):
    *_, Sigma_x, Sigma_xy, Sigma_y, Sigma = joint_gaussian(rng)
    B = np.asarray(f(Sigma_x, Sigma_xy, Sigma_y)[1], dtype=float)
    close(np.linalg.det(B) * np.linalg.det(Sigma), 1, tol=5)


precision_from_blocks.wrong("L transposed instead of its inverse", replace=("[-back, ", "[back, "), caught_by=precision_inverts,
                            hint="The inverse of [[I, 0], [G, I]] is [[I, 0], [-G, I]].")
precision_from_blocks.wrong("the inverse of Sigma_x in place of that of S", replace=("Sigma_x - Sigma_xy @ back", "Sigma_x"),
                            caught_by=precision_determinant,
                            hint="Which blocks had B before it was inverted?")
precision_from_blocks.wrong("S without its inverse",
                            replace=("jnp.linalg.inv(Sigma_x - Sigma_xy @ back)", "Sigma_x - Sigma_xy @ back"),
                            caught_by=precision_determinant, hint="Both blocks of B are inverted.")
precision_from_blocks.wrong("the factors in the old order",
                            replace=("[[jnp.eye(D), jnp.zeros((D, d))], [-back, jnp.eye(d)]]",
                                     "[[jnp.eye(D), -back.T], [jnp.zeros((d, D)), jnp.eye(d)]]"),
                            caught_by=precision_form,
                            hint="(L B L^T)^-1 starts with the inverse of L^T, which is lower triangular.")
precision_from_blocks.wrong("adds what y explains", replace=("Sigma_x - Sigma_xy", "Sigma_x + Sigma_xy"),
                            caught_by=precision_inverts,
                            hint="S is what is left of Sigma_x: something is taken off.")


@precision_from_blocks.right("from the inverse of the whole, in NumPy")
def _(Sigma_x, Sigma_xy, Sigma_y):
    Sigma_x, Sigma_xy, Sigma_y = (np.asarray(A, dtype=float) for A in (Sigma_x, Sigma_xy, Sigma_y))
    D, whole = len(Sigma_x), np.linalg.inv(np.block([[Sigma_x, Sigma_xy], [Sigma_xy.T, Sigma_y]]))
    R, B = np.eye(len(whole)), np.zeros_like(whole)
    B[:D, :D], B[D:, D:] = whole[:D, :D], np.linalg.inv(Sigma_y)
    R[D:, :D] = whole[D:, :D] @ np.linalg.inv(whole[:D, :D])
    return R, B


@precision_from_blocks.right("from the factors of the exercise before")
def _(Sigma_x, Sigma_xy, Sigma_y):
    L, B = block_ldl(Sigma_x, Sigma_xy, Sigma_y)
    return jnp.linalg.inv(L.T), jnp.linalg.inv(B)


split_quadratic = Exercise(
    "ch03.split_quadratic", "The square, completed", principles=["P3.8"],
    label="eq:gaussian-conditional-covariance-inverse-block",
    book="exercise:conditional_gaussian", minutes=6, level="more",
    objective="complete the square of a joint Gaussian around the conditional mean",
    hints=["R^T z = (x - mu_x - Sigma_xy Sigma_y^-1 (y - mu_y), y - mu_y): x minus its conditional mean, and y minus its mean.",
           "B has the blocks S^-1 and Sigma_y^-1, so the square falls apart into two.",
           "S = Sigma_x - Sigma_xy Sigma_y^-1 Sigma_xy^T; r^T S^-1 r is r @ jnp.linalg.solve(S, r)."])


@split_quadratic.law("two numbers that add up to the square z^T Sigma^-1 z")
def squares_add_up(f, rng):
    mu_x, mu_y, Sigma_x, Sigma_xy, Sigma_y, Sigma = joint_gaussian(rng)
    x, y = rng.normal(size=3), rng.normal(size=2)
    z = np.concatenate([x - mu_x, y - mu_y])
    close(sum(f(mu_x, mu_y, Sigma_x, Sigma_xy, Sigma_y, x, y)), z @ np.linalg.inv(Sigma) @ z, tol=5)


@split_quadratic.law("a second number that does not depend on x")
def square_of_y(f, rng):
    mu_x, mu_y, Sigma_x, Sigma_xy, Sigma_y, _ = joint_gaussian(rng)
    y, given = rng.normal(size=2), (mu_x, mu_y, Sigma_x, Sigma_xy, Sigma_y)
    one, two = f(*given, rng.normal(size=3), y), f(*given, rng.normal(size=3), y)
    close(one[1], two[1])
    close(one[1], (y - mu_y) @ np.linalg.inv(Sigma_y) @ (y - mu_y), tol=5)


@split_quadratic.law("a first number that is least, and zero, at one x for each y: where the whole square is least")
def square_of_x(f, rng):
    mu_x, mu_y, Sigma_x, Sigma_xy, Sigma_y, Sigma = joint_gaussian(rng)
    Q, y = np.linalg.inv(Sigma), rng.normal(size=2)
    x = mu_x - np.linalg.solve(Q[:3, :3], Q[:3, 3:] @ (y - mu_y))  # the derivative of the square in x is zero
    close(f(mu_x, mu_y, Sigma_x, Sigma_xy, Sigma_y, x, y)[0], 0)


split_quadratic.wrong("x around its mean, not its conditional mean", replace=("x - mu_x - Sigma_xy @ v", "x - mu_x"),
                      caught_by=square_of_x, hint="Where is the square least in x, once y is known?")
split_quadratic.wrong("the conditional mean on the wrong side", replace=("- Sigma_xy @ v", "+ Sigma_xy @ v"),
                      caught_by=square_of_x,
                      hint="x minus (mu_x + ...): the sign of what is in the brackets turns.")
split_quadratic.wrong("the marginal covariance for S",
                      replace=("Sigma_x - Sigma_xy @ jnp.linalg.solve(Sigma_y, Sigma_xy.T)", "Sigma_x"),
                      caught_by=squares_add_up, hint="Once y is known, x varies less than Sigma_x says.")
split_quadratic.wrong("forgets the inverse of S", replace=("r @ jnp.linalg.solve(S, r)", "r @ S @ r"), caught_by=squares_add_up,
                      hint="A direction with little variance counts more, not less.")
split_quadratic.wrong("y around zero", replace=("(y - mu_y) @ v", "y @ v"), caught_by=square_of_y,
                      hint="The density of y has its centre at mu_y.")


@split_quadratic.right("the rest of the whole square, in NumPy")
def _(mu_x, mu_y, Sigma_x, Sigma_xy, Sigma_y, x, y):
    S_x, S_xy, S_y = (np.asarray(A, dtype=float) for A in (Sigma_x, Sigma_xy, Sigma_y))
    z = np.concatenate([np.subtract(x, mu_x), np.subtract(y, mu_y)]).astype(float)
    Q = np.linalg.inv(np.block([[S_x, S_xy], [S_xy.T, S_y]]))
    second = z[len(S_x):] @ np.linalg.inv(S_y) @ z[len(S_x):]
    return z @ Q @ z - second, second


condition_gaussian = Exercise(
    "ch03.condition_gaussian", "Condition a Gaussian", principles=["P3.8"], label="eq:gaussian-conditional-eqn",
    book="exercise:conditional_gaussian", minutes=6, level="more",
    objective="say what a Gaussian's one half is, once the other is known",
    hints=["It is all in the claim: a gain Sigma_xy Sigma_y^-1 of shape (D, d), used twice.",
           "jnp.linalg.solve(Sigma_y, Sigma_xy.T) is Sigma_y^-1 Sigma_xy^T; its transpose is the gain.",
           "mean: mu_x + gain @ (y - mu_y). Covariance: Sigma_x minus gain @ Sigma_xy.T."])


def log_normal(x, mu, Sigma):
    """Log of the density of N(mu, Sigma) at x, in float64."""
    r = x - mu
    return -(len(x) * np.log(2 * np.pi) + np.linalg.slogdet(Sigma)[1] + r @ np.linalg.solve(Sigma, r)) / 2


@condition_gaussian.law("the joint density is that of y times this one")
def conditional_density(f, rng):
    mu_x, mu_y, Sigma_x, Sigma_xy, Sigma_y, Sigma = joint_gaussian(rng)
    x, y = rng.normal(size=3), rng.normal(size=2)
    mean, S = (np.asarray(a, dtype=float) for a in f(mu_x, mu_y, Sigma_x, Sigma_xy, Sigma_y, y))
    holds(mean.shape == (3,) and S.shape == (3, 3), f"the shapes are {mean.shape} and {S.shape} where (3,) and (3, 3) are wanted")
    joint = log_normal(np.concatenate([x, y]), np.concatenate([mu_x, mu_y]), Sigma)
    close(log_normal(y, mu_y, Sigma_y) + log_normal(x, mean, S), joint, tol=5)


@condition_gaussian.law("what is left of x is uncorrelated with y: Sigma_xy - (slope of the mean) Sigma_y = 0")
def conditional_mean_is_linear(f, rng):
    mu_x, mu_y, Sigma_x, Sigma_xy, Sigma_y, _ = joint_gaussian(rng)
    y, given = rng.normal(size=2), (mu_x, mu_y, Sigma_x, Sigma_xy, Sigma_y)
    base = np.asarray(f(*given, y)[0], dtype=float)
    slope = np.stack([np.asarray(f(*given, y + e)[0], dtype=float) - base for e in np.eye(2)], axis=1)
    close(slope @ Sigma_y, Sigma_xy, tol=5)


@condition_gaussian.law("mu_x if y is what was expected")
def conditional_mean_unsurprised(f, rng):
    mu_x, mu_y, Sigma_x, Sigma_xy, Sigma_y, _ = joint_gaussian(rng)
    close(f(mu_x, mu_y, Sigma_x, Sigma_xy, Sigma_y, mu_y)[0], mu_x)


@condition_gaussian.law("a covariance that does not depend on y, and is never larger than Sigma_x")
def conditional_covariance(f, rng):
    mu_x, mu_y, Sigma_x, Sigma_xy, Sigma_y, _ = joint_gaussian(rng)
    given = (mu_x, mu_y, Sigma_x, Sigma_xy, Sigma_y)
    one, two = (np.asarray(f(*given, rng.normal(size=2))[1], dtype=float) for _ in range(2))
    close(one, two)
    holds(np.linalg.eigvalsh(Sigma_x - one).min() > -1e-3, "in some direction x varies more once y is known")


condition_gaussian.wrong("adds what y explains", replace=("Sigma_x - gain", "Sigma_x + gain"), caught_by=conditional_covariance,
                         hint="Knowing y cannot make x more uncertain.")
condition_gaussian.wrong("the wrong covariance inverted",
                         replace=("jnp.linalg.solve(Sigma_y, Sigma_xy.T).T", "jnp.linalg.solve(Sigma_x, Sigma_xy)"),
                         caught_by=conditional_mean_is_linear,
                         hint="y is measured in units of its own covariance: Sigma_y is inverted.")
condition_gaussian.wrong("no mean of x", replace=("mu_x + gain @ (y - mu_y)", "gain @ (y - mu_y)"),
                         caught_by=conditional_mean_unsurprised,
                         hint="If y is exactly its mean, what do you expect of x?")
condition_gaussian.wrong("y itself instead of its surprise", replace=("gain @ (y - mu_y)", "gain @ y"),
                         caught_by=conditional_mean_unsurprised, hint="If y is exactly its mean, nothing has been learnt.")
condition_gaussian.wrong("the covariance of x before y was known", replace=("Sigma_x - gain @ Sigma_xy.T", "Sigma_x"),
                         caught_by=conditional_density, hint="The conditional covariance is the Schur complement S.")
condition_gaussian.wrong("no inverse at all", replace=("jnp.linalg.solve(Sigma_y, Sigma_xy.T).T", "Sigma_xy"),
                         caught_by=conditional_mean_is_linear, hint="If y is doubled in size, its coefficient has to be halved.")


@condition_gaussian.right("read off the inverse of the whole covariance, in NumPy")
def _(mu_x, mu_y, Sigma_x, Sigma_xy, Sigma_y, y):
    S_x, S_xy, S_y = (np.asarray(A, dtype=float) for A in (Sigma_x, Sigma_xy, Sigma_y))
    D, Q = len(S_x), np.linalg.inv(np.block([[S_x, S_xy], [S_xy.T, S_y]]))
    S = np.linalg.inv(Q[:D, :D])
    return np.asarray(mu_x) - S @ Q[:D, D:] @ np.subtract(y, mu_y), S


@condition_gaussian.right("by whitening y with a Cholesky factor")
def _(mu_x, mu_y, Sigma_x, Sigma_xy, Sigma_y, y):
    C = jnp.linalg.cholesky(Sigma_y)
    half = jnp.linalg.solve(C, Sigma_xy.T)
    return mu_x + half.T @ jnp.linalg.solve(C, y - mu_y), Sigma_x - half.T @ half


# P3.8: one Gaussian

gaussian_denoiser = Exercise(
    "ch03.gaussian_denoiser", "The denoiser of one Gaussian", principles=["P3.8"], label="eq:gaussian_denoiser", minutes=10,
    objective="denoise samples of a Gaussian in the best possible way",
    hints=["In one dimension: by which factor must x_t - mu be multiplied if the variance of x is lam and that of the noise t^2?",
           "The covariance of x_t is Sigma + t^2 I, that of x with x_t is Sigma; their quotient is the gain.",
           "mu + Sigma (Sigma + t^2 I)^-1 (x_t - mu); jnp.linalg.solve(A, b) is A^-1 b, and jnp.eye(D) is I."])
SPREAD = np.array([4.0, 1.0, 0.0])


@gaussian_denoiser.law("multiplies eigen-coordinate i of x_t - mu by lam_i / (lam_i + t^2)")
def shrinks_each_direction(f, rng):
    (Sigma, W), mu, x_t, t = covariance_of(rng, SPREAD), rng.normal(size=3), rng.normal(size=3), 0.7
    found = W.T @ (np.asarray(f(mu, Sigma, x_t, t), dtype=float) - mu)
    close(found, [4 / 4.49, 1 / 1.49, 0] * (W.T @ (x_t - mu)))


@gaussian_denoiser.law("leaves the mean where it is")
def keeps_the_mean(f, rng):
    (Sigma, _), mu = covariance_of(rng, SPREAD), rng.normal(size=3)
    close(f(mu, Sigma, mu, 1.3), mu)


@gaussian_denoiser.law("in one dimension equal to Bayes' rule on a fine grid")
def agrees_with_a_grid(f, rng):
    mu, lam, x_t, t = 0.5, 2.0, rng.uniform(1, 2), 0.8
    x = np.linspace(-15, 15, 4001)
    p = np.exp(-((x - mu) ** 2) / (2 * lam) - (x_t - x) ** 2 / (2 * t**2))
    close(f(np.array([mu]), np.array([[lam]]), np.array([x_t]), t), [p @ x / p.sum()])


@gaussian_denoiser.law("turned and shifted with the data")
def denoiser_is_equivariant(f, rng):
    (Sigma, _), mu, x_t = covariance_of(rng, SPREAD), rng.normal(size=3), rng.normal(size=3)
    _, Q = covariance_of(rng, SPREAD)
    b = rng.normal(size=3)
    close(f(Q @ mu + b, Q @ Sigma @ Q.T, Q @ x_t + b, 0.9), Q @ np.asarray(f(mu, Sigma, x_t, 0.9)) + b)


@gaussian_denoiser.law("answers mu where there is nothing but noise")
def answers_the_mean(f, rng):
    close(f(np.array([1.0, -2.0, 0.5]), np.zeros((3, 3)), 5 * rng.normal(size=3), 1.5), [1.0, -2.0, 0.5])


gaussian_denoiser.wrong("t for its square", replace=("t**2", "t"), caught_by=shrinks_each_direction,
                        hint="t is a standard deviation; covariances add variances.")
gaussian_denoiser.wrong("forgets to go back to the mean", replace=("mu + Sigma @", "Sigma @"), caught_by=keeps_the_mean,
                        hint="You shrink towards zero; towards which point is it meant?")
gaussian_denoiser.wrong("shrinks x_t instead of x_t - mu", replace=("x_t - mu)", "x_t)"), caught_by=keeps_the_mean,
                        hint="At x_t = mu nothing should move.")
gaussian_denoiser.wrong("keeps the noise and drops the signal", replace=("Sigma @ jnp.linalg.solve", "t**2 * jnp.linalg.solve"),
                        caught_by=answers_the_mean,
                        hint="Sigma (Sigma + t^2 I)^-1 and t^2 (Sigma + t^2 I)^-1 add up to I. Which is which?")
gaussian_denoiser.wrong("forgets Sigma before the inverse", replace=("Sigma @ jnp.linalg.solve", "jnp.linalg.solve"),
                        caught_by=shrinks_each_direction,
                        hint="The gain of direction i is lam_i / (lam_i + t^2); you have 1 / (lam_i + t^2).")
gaussian_denoiser.wrong("noise on one column instead of the diagonal",
                        replace=("t**2 * jnp.eye(len(mu))", "t**2 * jnp.eye(len(mu))[0]"),
                        caught_by=shrinks_each_direction,
                        hint="Noise has the covariance t^2 I: it is added to the diagonal, not to every entry of a column.")
gaussian_denoiser.wrong("entry by entry", replace=("Sigma @ jnp.linalg.solve(Sigma + t**2 * jnp.eye(len(mu)), x_t - mu)",
                                                   "jnp.diag(Sigma) / (jnp.diag(Sigma) + t**2) * (x_t - mu)"),
                        caught_by=denoiser_is_equivariant,
                        hint="That is right for a diagonal Sigma. In which basis is Sigma diagonal?")


@gaussian_denoiser.right("in the eigenbasis, in NumPy")
def _(mu, Sigma, x_t, t):
    lams, W = np.linalg.eigh(np.asarray(Sigma))
    return np.asarray(mu) + W @ (lams / (lams + t**2) * (W.T @ np.subtract(x_t, mu)))


@gaussian_denoiser.right("by conditioning")
def _(mu, Sigma, x_t, t):
    return condition_gaussian(mu, mu, Sigma, Sigma, Sigma + t**2 * jnp.eye(len(mu)), x_t)[0]


@gaussian_denoiser.right("x_t minus the noise to be expected")
def _(mu, Sigma, x_t, t):
    return x_t - t**2 * jnp.linalg.inv(Sigma + t**2 * jnp.eye(len(mu))) @ (x_t - mu)


# P3.9

mixture_mean_chain = Derivation(
    "ch03.mixture_mean_chain", "The mean of means", principles=["P3.9"], label="eq:gmm_bayes_optimal_denoiser", minutes=12,
    level="more", objective="derive the denoiser of a mixture from those of its components",
    stages=[Stage("summed over points and labels, without their own means", uses={"phi", "P"}, without={"means"}),
            Stage("with the labels' own means, and phi still there", uses={"means", "phi"}),
            Stage("with pi, density and means, and without phi", uses={"means", "pi", "density"}, without={"phi", "P"})],
    hints=["Pr(x_i) is the sum of row i of P. Multiply first and sum over labels last: ((X * phi) @ P).sum(axis=1).",
           "Column k of (X * phi) @ P is column k of means times entry k of phi @ P: that is how means is defined.",
           "phi @ P is pi * density, again by definition.",
           "A sum over labels of means times numbers is a product: (means * a).sum(axis=1) = means @ a."])


@mixture_mean_chain.instance
def _(rng):
    return dict(P=joint_table(rng, 6, 3), X=rng.normal(size=(2, 6)), x_t=rng.normal(size=2), t=0.9)


mixture_mean_chain.wrong("the plain mean of the labels' means",
                         replace=("(means * (phi @ P)).sum(axis=1) / (phi @ P).sum()", "means.mean(axis=1)"),
                         caught_by="equal", hint="A label that explains x_t better counts more.")
mixture_mean_chain.wrong("forgets the weights of the labels", replace=("means @ (pi * density) / jnp.sum(pi * density)",
                                                                       "means @ density / jnp.sum(density)"),
                         caught_by="equal", hint="A rare label needs more evidence: its density is multiplied by pi.")
mixture_mean_chain.wrong("forgets what was seen", replace=("means @ (pi * density) / jnp.sum(pi * density)", "means @ pi"),
                         caught_by="equal", hint="Before x_t is seen the labels have weights pi. And after?")
mixture_mean_chain.wrong("sums over labels first and last", replace=("((X * phi) @ P).sum(axis=1)", "((X * phi) @ P).sum()"),
                         caught_by="equal", hint="The result is a vector with D entries: sum over labels only, which is axis 1.")
mixture_mean_chain.wrong("divides label by label", replace=("((X * phi) @ P).sum(axis=1) / (phi @ P).sum()",
                                                            "((X * phi) @ P / (phi @ P)).sum(axis=1)"),
                         caught_by="equal", hint="A sum of quotients is not the quotient of the sums.")


@mixture_mean_chain.right("label by label, with NumPy")
def _(P, X, x_t, t):
    phi = jnp.exp(-((x_t[:, None] - X) ** 2).sum(axis=0) / (2 * t**2))  # (N,) density of x_t given x, but for a constant
    pi = P.sum(axis=0)  # (M,) Pr(label)
    density = phi @ P / pi  # (M,) density of x_t given the label, but for the same constant
    means = (X * phi) @ P / (phi @ P)  # (D, M) E[x | x_t, label], by Bayes' rule within each label
    r = pi * density / jnp.sum(pi * density)  # (M,) Pr(label | x_t)
    labels = range(len(pi))
    yield (X * phi) @ P.sum(axis=1) / (phi @ P.sum(axis=1))
    yield sum((X * phi) @ P[:, k] for k in labels) / sum(phi @ P[:, k] for k in labels)
    yield sum(means[:, k] * (phi @ P[:, k]) for k in labels) / sum(phi @ P[:, k] for k in labels)
    yield np.sum([means[:, k] * pi[k] * density[k] for k in labels], axis=0) / np.dot(pi, density)
    yield means @ r


WEIGHTS, MUS = np.array([0.5, 0.2, 0.3]), np.array([[-1.0, 0.5], [1.5, 0.0], [0.3, 1.2]])
SIGMAS = np.array([[[0.5, 0.3], [0.3, 0.4]], [[0.2, 0.0], [0.0, 1.5]], [[0.9, -0.5], [-0.5, 0.6]]])


def log_densities(x_t, t):
    """log(pi_k phi(x_t; mu_k, Sigma_k + t^2 I)) for every component, in float64."""
    return np.array([np.log(p) + log_normal(x_t, m, S + t**2 * np.eye(2)) for p, m, S in zip(WEIGHTS, MUS, SIGMAS)])


responsibilities = Exercise(
    "ch03.responsibilities", "Responsibilities", principles=["P3.9"], label="eq:gmm_bayes_optimal_denoiser", minutes=8,
    level="more",
    objective="say which component a noisy sample comes from, and how sure one can be",
    hints=["Bayes' rule: pi_k times the density of x_t under component k, divided by the sum of these.",
           "Under component k, x_t is N(mu_k, C) with C = Sigma_k + t^2 I. With r = x_t - mu_k, -2 log of its density is "
           "log det C + r^T C^-1 r and a constant.",
           "Two densities a and b: a / (a + b) stays if both logs are lowered by one number. Which one keeps exp safe?",
           "logs = log pi - (log det)/2 - (square)/2; w = exp(logs - logs.max()); w / w.sum(). slogdet(C)[1] is log det."])


@responsibilities.law("Bayes' rule with the densities of the noised components")
def responsibilities_by_bayes(f, rng):
    for _ in range(3):
        x_t = rng.normal(size=2)
        p = np.exp(log_densities(x_t, 0.6))
        close(f(WEIGHTS, MUS, SIGMAS, x_t, 0.6), p / p.sum())


@responsibilities.law("pi again, where all components are the same")
def responsibilities_of_equals(f, rng):
    close(f(WEIGHTS, np.tile(MUS[0], (3, 1)), np.tile(SIGMAS[0], (3, 1, 1)), rng.normal(size=2), 0.6), WEIGHTS)


@responsibilities.law("with equal means and weights, most for the narrow component at the centre, for the wide one far out")
def responsibilities_of_widths(f, rng):
    given = np.full(3, 1 / 3), np.zeros((3, 2)), np.array([0.01, 1.0, 9.0])[:, None, None] * np.eye(2)
    near, far = np.asarray(f(*given, np.zeros(2), 0.3)), np.asarray(f(*given, np.array([9.0, 0.0]), 0.3))
    holds(near.argmax() == 0 and far.argmax() == 2, "the component with the largest share is another one")
    precisions = 1 / (np.array([0.01, 1.0, 9.0]) + 0.09)
    close(near, precisions / precisions.sum())


@responsibilities.law("finite and adding up to 1 at a distance of 90 standard deviations")
def responsibilities_far_out(f, rng):
    given = WEIGHTS, np.array([[0.0, -0.5], [0.0, 0.0], [0.0, 0.5]]), np.zeros((3, 2, 2))
    p = WEIGHTS * np.exp(-(np.array([-0.5, 0.0, 0.5]) ** 2) / 2)
    close(f(*given, np.array([90.0, 0.0]), 1.0), p / p.sum(), tol=10)


@responsibilities.law("in the order of the components")
def responsibilities_in_order(f, rng):
    x_t, turn = rng.normal(size=2), [2, 0, 1]
    close(f(WEIGHTS[turn], MUS[turn], SIGMAS[turn], x_t, 0.8), np.asarray(f(WEIGHTS, MUS, SIGMAS, x_t, 0.8))[turn])


responsibilities.wrong("forgets the weights of the components", replace=("jnp.log(pi) - ", "-"),
                       caught_by=responsibilities_of_equals,
                       hint="If all components are the same, what remains to tell them apart is pi.")
responsibilities.wrong("forgets the determinants", replace=(" - jnp.linalg.slogdet(C)[1] / 2", ""),
                       caught_by=responsibilities_of_widths,
                       hint="A narrow density is higher at its centre than a wide one. Which factor in front of exp says so?")
responsibilities.wrong("the determinant without its square root", replace=("[1] / 2", "[1]"), caught_by=responsibilities_by_bayes,
                       hint="The density has (det C)^(-1/2) in front.")
responsibilities.wrong("densities without noise in them", replace=("Sigmas + t**2 * jnp.eye(len(x_t))", "Sigmas"),
                       caught_by=responsibilities_by_bayes,
                       hint="x_t is what is seen: its components have covariances Sigma_k + t^2 I.")
responsibilities.wrong("t for its square", replace=("t**2", "t"), caught_by=responsibilities_by_bayes,
                       hint="t is a standard deviation; covariances add variances.")
responsibilities.wrong("exponentiates first", replace=("logs - logs.max()", "logs"), caught_by=responsibilities_far_out,
                       hint="exp(-4000) is zero to the computer, and so is the sum. What may be subtracted from all logs?")
responsibilities.wrong("the winner takes all", replace=("jnp.exp(logs - logs.max())", "1.0 * (logs == logs.max())"),
                       caught_by=responsibilities_by_bayes,
                       hint="A probability, not a decision: the second best may be nearly as good.")


@responsibilities.right("component by component, in NumPy")
def _(pi, mus, Sigmas, x_t, t):
    logs = []
    for p, mu, Sigma in zip(np.asarray(pi), np.asarray(mus), np.asarray(Sigmas)):
        lams, W = np.linalg.eigh(Sigma)
        c, spread = W.T @ np.subtract(x_t, mu), lams + t**2
        logs.append(np.log(p) - np.log(spread).sum() / 2 - (c**2 / spread).sum() / 2)
    return np.exp(logs - np.logaddexp.reduce(logs))


@responsibilities.right("with a softmax and Cholesky factors")
def _(pi, mus, Sigmas, x_t, t):
    def log_term(p, mu, Sigma):
        C = jnp.linalg.cholesky(Sigma + t**2 * jnp.eye(len(mu)))
        z = jax.scipy.linalg.solve_triangular(C, x_t - mu, lower=True)
        return jnp.log(p) - jnp.log(jnp.diag(C)).sum() - z @ z / 2
    return jax.nn.softmax(jax.vmap(log_term)(pi, mus, Sigmas))


mixture_denoiser = Exercise(
    "ch03.mixture_denoiser", "The denoiser of a mixture", principles=["P3.9"], label="eq:gmm_bayes_optimal_denoiser", minutes=12,
    objective="denoise samples of a mixture in the best possible way",
    hints=["Two things for each component: its guess, as if it were alone, and its responsibility. Then the weighted sum.",
           "The guess is gaussian_denoiser(mus[k], Sigmas[k], x_t, t); the weights: responsibilities(pi, mus, Sigmas, x_t, t).",
           "sum(w[k] * guess of k for k in range(len(pi))) is all there is to it."])


@mixture_denoiser.law("equal to Bayes' rule on a fine grid")
def mixture_by_grid(f, rng):
    x_t, t = rng.uniform(-1, 1, size=2), 0.7
    x = np.stack(np.meshgrid(np.linspace(-7, 7, 281), np.linspace(-7, 7, 281))).reshape(2, -1)
    p = np.zeros(x.shape[1])
    for w, m, S in zip(WEIGHTS, MUS, SIGMAS):
        r = x - m[:, None]
        p += w * np.exp(-(r * np.linalg.solve(S, r)).sum(axis=0) / 2) / np.sqrt(np.linalg.det(S))
    p *= np.exp(-((x_t[:, None] - x) ** 2).sum(axis=0) / (2 * t**2))
    close(f(WEIGHTS, MUS, SIGMAS, x_t, t), x @ p / p.sum())


@mixture_denoiser.law("without covariances, the posterior mean of the points mus")
def mixture_of_points(f, rng):
    x_t, t = rng.normal(size=2), 0.7
    p = WEIGHTS * np.exp(-((x_t - MUS) ** 2).sum(axis=1) / (2 * t**2))
    close(f(WEIGHTS, MUS, np.zeros((3, 2, 2)), x_t, t), p @ MUS / p.sum())


@mixture_denoiser.law("the shrinking of one Gaussian, where all components are the same")
def mixture_of_equals(f, rng):
    W, x_t = np.array([[0.6, -0.8], [0.8, 0.6]]), rng.normal(size=2)
    Sigma, mu = (W * [2.0, 0.1]) @ W.T, MUS[0]
    expected = mu + W @ ([2 / 2.36, 0.1 / 0.46] * (W.T @ (x_t - mu)))
    close(f(WEIGHTS, np.tile(mu, (3, 1)), np.tile(Sigma, (3, 1, 1)), x_t, 0.6), expected)


@mixture_denoiser.law("turned and shifted with the data, in whichever order the components are given")
def mixture_is_equivariant(f, rng):
    Q, b, x_t, turn = np.array([[0.6, -0.8], [0.8, 0.6]]), rng.normal(size=2), rng.normal(size=2), [2, 0, 1]
    moved = f(WEIGHTS[turn], (MUS @ Q.T + b)[turn], (Q @ SIGMAS @ Q.T)[turn], Q @ x_t + b, 0.8)
    close(moved, Q @ np.asarray(f(WEIGHTS, MUS, SIGMAS, x_t, 0.8)) + b)


@mixture_denoiser.law("finite at a distance of 90 standard deviations")
def mixture_far_out(f, rng):
    mus, Sigmas = np.array([[0.0, -0.5], [0.0, 0.0], [0.0, 0.5]]), np.zeros((3, 2, 2))
    p = WEIGHTS * np.exp(-(mus[:, 1] ** 2) / 2)
    close(f(WEIGHTS, mus, Sigmas, np.array([90.0, 0.0]), 1.0), p @ mus / p.sum(), tol=10)


mixture_denoiser.wrong("forgets the weights of the components", replace=("jnp.log(pi) - ", "-"),
                       caught_by=mixture_of_points, hint="Two components that explain x_t equally well: which one counts more?")
mixture_denoiser.wrong("forgets the determinants", replace=(" - jnp.linalg.slogdet(C)[1] / 2", ""), caught_by=mixture_by_grid,
                       hint="Components of different widths have densities of different heights.")
mixture_denoiser.wrong("exponentiates first", replace=("logs - logs.max()", "logs"), caught_by=mixture_far_out,
                       hint="exp(-4000) is zero to the computer, and so is the sum. What may be subtracted from all logs?")
mixture_denoiser.wrong("t for its square", replace=("t**2", "t"), caught_by=mixture_of_points,
                       hint="t is a standard deviation; covariances add variances.")
mixture_denoiser.wrong("every component keeps x_t as it is",
                       replace=("mus + jnp.einsum(\"kij,kj->ki\", Sigmas, v)", "mus + (x_t - mus)"),
                       caught_by=mixture_of_points, hint="Each component's guess is its own Gaussian denoiser: it shrinks.")
mixture_denoiser.wrong("every component answers its mean", replace=("mus + jnp.einsum(\"kij,kj->ki\", Sigmas, v)", "mus"),
                       caught_by=mixture_of_equals, hint="Within a component, part of x_t - mu_k is signal.")
mixture_denoiser.wrong("the shrinking without the way back to the mean", replace=("mus + jnp", "jnp"),
                       caught_by=mixture_of_points,
                       hint="The denoiser of a Gaussian shrinks towards its mean, not towards zero.")
mixture_denoiser.wrong("all components count alike", replace=("w @ guesses / w.sum()", "guesses.mean(axis=0)"),
                       caught_by=mixture_by_grid, hint="Far from x_t a component has little to say.")
mixture_denoiser.wrong("forgets to normalise", replace=(" / w.sum()", ""), caught_by=mixture_of_equals,
                       hint="The weights of a mean add up to 1.")


@mixture_denoiser.right("from the two exercises before")
def _(pi, mus, Sigmas, x_t, t):
    w = responsibilities(pi, mus, Sigmas, x_t, t)
    return sum(w[k] * gaussian_denoiser(mus[k], Sigmas[k], x_t, t) for k in range(len(pi)))


@mixture_denoiser.right("component by component, in NumPy")
def _(pi, mus, Sigmas, x_t, t):
    logs, guesses = [], []
    for p, mu, Sigma in zip(np.asarray(pi), np.asarray(mus), np.asarray(Sigmas)):
        lams, W = np.linalg.eigh(Sigma)
        c, spread = W.T @ np.subtract(x_t, mu), lams + t**2
        logs.append(np.log(p) - np.log(spread).sum() / 2 - (c**2 / spread).sum() / 2)
        guesses.append(mu + W @ (lams / spread * c))
    return np.exp(logs - np.logaddexp.reduce(logs)) @ np.array(guesses)
