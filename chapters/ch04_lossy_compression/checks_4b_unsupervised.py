"""Exercises of Part 4, second half, without labels: P4.25 and P4.26. Oracles: NumPy, float64, nothing shared with answers."""

import jax.numpy as jnp
import numpy as np

from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds


def unit_views(rng, N=4, d=6, m=3, near=0.0):
    """Random unit features (N, d, m); with `near` > 0 the views of a sample are drawn together."""
    Zs = rng.normal(size=(N, d, m)) + near * rng.normal(size=(N, d, 1))
    return Zs / np.linalg.norm(Zs, axis=1, keepdims=True)


def frame(rng, d):
    """A random orthogonal matrix."""
    return np.linalg.qr(rng.normal(size=(d, d)))[0]


def log_volume(vectors, beta):
    """log det(I + beta V V^T) of a list of vectors, from the eigenvalues of their inner products."""
    G = np.array([[u @ v for v in vectors] for u in vectors])
    return np.log1p(beta * np.linalg.eigvalsh(G).clip(0)).sum()


def all_views(Zs):
    """The views of all samples, as a list of vectors."""
    return [z for Z_k in Zs for z in Z_k.T]


def equal_features(rng, N=4, d=6, m=3):
    """The same unit vector for every view of every sample."""
    z = rng.normal(size=d)
    return np.tile((z / np.linalg.norm(z))[:, None], (N, 1, m))


def pairs_of_views(Zs):
    """Mean over the samples of the sum of inner products of different views, pair by pair."""
    total = sum(Z_k[:, i] @ Z_k[:, j] for Z_k in Zs for i in range(Z_k.shape[1]) for j in range(Z_k.shape[1]) if i != j)
    return total / len(Zs)


# P4.25 ----------------------------------------------------------------------------------------------------------

ctrl_objective = Exercise(
    "ch04.ctrl_objective", "Rate reduction under control", principles=["P4.25"],
    label="eqn:maximal-rate-reduction-unsupervised", minutes=10,
    objective="write rate reduction for views in place of labels, and see what rescaling makes of it",
    hints=["With gamma_1 = gamma_2 = N both terms have one factor inside and one in front. Which?",
           "Inside: beta = d / (m eps^2), for the whole and for every group. In front of the whole and of the sum: 1 / (2 N).",
           "All views side by side are np.concatenate(list(Zs), axis=1), of shape (d, N m).",
           "(logdet(all) - sum of logdet(Z_k)) / (2 N), where logdet(Z) is log det(I + beta Z Z^T)."])


@ctrl_objective.law("0 where the groups are orthogonal")
def ctrl_orthogonal(f, rng):
    Q, Zs = frame(rng, 6), np.zeros((4, 6, 3))
    for k, axes in enumerate(([0], [1, 2], [3], [4, 5])):  # a line, a plane, a line, a plane
        Zs[k] = Q[:, axes] @ rng.normal(size=(len(axes), 3))
    Zs /= np.linalg.norm(Zs, axis=1, keepdims=True)
    close(f(Zs, 0.6), 0.0)


@ctrl_objective.law("never positive, and negative with more samples than dimensions")
def ctrl_sign(f, rng):
    for near in (0.0, 3.0):
        value = float(f(unit_views(rng, near=near), 0.4))
        holds(value < -1e-3, f"for 12 random views of 4 samples it is {value:.3g}; the groups are not orthogonal")


@ctrl_objective.law("the same from the inner products of the views")
def ctrl_gram(f, rng):
    for eps in (0.4, 1.5):
        Zs = unit_views(rng, near=1.0)
        beta = 6 / (3 * eps**2)
        groups = [log_volume(list(Z_k.T), beta) for Z_k in Zs]
        close(f(Zs, eps), (log_volume(all_views(Zs), beta) - sum(groups)) / 8)


@ctrl_objective.law("(log(1 + N d / eps^2) - N log(1 + d / eps^2)) / (2 N) where all features are equal")
def ctrl_collapsed(f, rng):
    close(f(equal_features(rng), 0.5), (np.log(1 + 4 * 6 / 0.25) - 4 * np.log(1 + 6 / 0.25)) / 8)


@ctrl_objective.law("unchanged when all features are turned, or when the views of a sample are mixed by an orthogonal matrix")
def ctrl_invariant(f, rng):
    Zs = unit_views(rng, near=1.0)
    mixed = frame(rng, 6) @ Zs @ np.stack([frame(rng, 3) for _ in Zs])
    close(f(mixed, 0.5), f(Zs, 0.5))


ctrl_objective.wrong("the whole without gamma_2", replace=("logdet(np.concatenate(list(Zs), axis=1))",
                     "np.linalg.slogdet(np.eye(d) + beta / N * np.einsum('kdi,kei->de', Zs, Zs))[1]"), caught_by=ctrl_orthogonal,
                     hint="gamma_2 = N stands inside the determinant of the whole and cancels the N there.")
ctrl_objective.wrong("the whole without gamma_1", replace=("return (whole - sum(", "return (N * whole - sum("),
                     caught_by=ctrl_orthogonal, hint="The rescaled rate is divided by 2 gamma_1 = 2 N.")
ctrl_objective.wrong("counts views for samples", replace=("/ (2 * N)", "/ (2 * N * m)"), caught_by=ctrl_collapsed,
                     hint="The mean is over the N samples, not over their N m views.")
ctrl_objective.wrong("cuts the array the wrong way", replace=("np.concatenate(list(Zs), axis=1)", "Zs.reshape(d, N * m)"),
                     caught_by=ctrl_orthogonal,
                     hint="reshape reads one sample after the other, row by row: its columns are not your features.")
ctrl_objective.wrong("eps not squared", replace=("eps**2", "eps"), caught_by=ctrl_gram,
                     hint="eps is a length, squared in a rate.")
ctrl_objective.wrong("forgets how many views a group has", replace=("d / (m * eps**2)", "d / eps**2"), caught_by=ctrl_collapsed,
                     hint="The rate of a group of m columns has the factor d / (m eps^2).")
ctrl_objective.wrong("compression rewarded, the wrong way round", replace=("whole - sum(logdet(Z_k) for Z_k in Zs)",
                     "sum(logdet(Z_k) for Z_k in Zs) - whole"), caught_by=ctrl_sign,
                     hint="It is maximised: expansion of the whole counts for, the rate of the groups against.")


@ctrl_objective.right("by the small sides, all groups at once, in JAX")
def _(Zs, eps):
    N, d, m = Zs.shape
    beta = d / (m * eps**2)
    Z = jnp.swapaxes(jnp.asarray(Zs), 0, 1).reshape(d, N * m)
    groups = jnp.linalg.slogdet(jnp.eye(m) + beta * jnp.einsum("kdi,kdj->kij", Zs, Zs))[1]
    return jnp.linalg.slogdet(jnp.eye(N * m) + beta * Z.T @ Z)[1] / (2 * N) - groups.mean() / 2


@ctrl_objective.right("from singular values")
def _(Zs, eps):
    Zs = np.asarray(Zs, dtype=float)
    N, d, m = Zs.shape
    rate = lambda Z: sum(np.log(1 + d / (m * eps**2) * s**2) for s in np.linalg.svd(Z, compute_uv=False)) / 2
    return rate(np.hstack(list(Zs))) / N - np.mean([rate(Z_k) for Z_k in Zs])


# P4.26 ----------------------------------------------------------------------------------------------------------

three_objectives = Exercise(
    "ch04.three_objectives", "Three objectives of two vectors", principles=["P4.26"], label="sec:SimDINO", minutes=6,
    level="more", objective="compare cosine, distance and log-determinant of two vectors",
    hints=["Expand ||z_1 - z_2||^2.", "The matrix Z^T Z is [[1, c], [c, 1]]. Its eigenvalues?",
           "log((1 + 1 + c) (1 + 1 - c)) is log(4 - c^2)."])


def with_cosine(rng, c):
    """Two unit vectors in R^5 with that cosine."""
    Q = frame(rng, 5)
    return Q[:, 0], c * Q[:, 0] + np.sqrt(1 - c**2) * Q[:, 1]


@three_objectives.law("what two vectors of R^5 with that cosine give")
def objectives_of_vectors(f, rng):
    for c in (-0.9, -0.3, 0.4, 0.8):
        u, v = with_cosine(rng, c)
        logdet = np.linalg.slogdet(np.eye(5) + np.outer(u, u) + np.outer(v, v))[1]
        close(f(c), (u @ v, (u - v) @ (u - v), logdet))


@three_objectives.law("at c = 1 two equal vectors, at c = -1 opposite ones: distances 0 and 2, both times log 3")
def objectives_of_a_line(f, rng):
    close(f(1.0), (1.0, 0.0, np.log(3)))
    close(f(-1.0), (-1.0, 4.0, np.log(3)))


@three_objectives.law("at c = 0 two orthogonal vectors: 2 log 2 nats")
def objectives_of_right_angle(f, rng):
    close(f(0.0), (0.0, 2.0, 2 * np.log(2)))


three_objectives.wrong("without the identity", replace=("jnp.log(4 - c**2)", "jnp.log(1.001 - c**2)"),
                       caught_by=objectives_of_right_angle,
                       hint="That is log det(Z^T Z). Add I first: the diagonal of I + Z^T Z is 2.")
three_objectives.wrong("a sum of squares", replace=("4 - c**2", "4 + c**2"), caught_by=objectives_of_a_line,
                       hint="The determinant of [[2, c], [c, 2]] has a minus sign.")
three_objectives.wrong("c for its square", replace=("c**2)", "c)"), caught_by=objectives_of_a_line,
                       hint="Both off-diagonal entries are c; they are multiplied.")
three_objectives.wrong("the distance, not its square", replace=("2 * (1 - c)", "(2 * (1 - c)) ** 0.5"),
                       caught_by=objectives_of_a_line, hint="Asked for is the squared distance.")
three_objectives.wrong("counts one length only", replace=("2 * (1 - c)", "1 - 2 * c"), caught_by=objectives_of_a_line,
                       hint="||z_1||^2 + ||z_2||^2 - 2 c: both are of length 1.")
three_objectives.wrong("a coding rate", replace=("jnp.log(4 - c**2)", "jnp.log(4 - c**2) / 2"),
                       caught_by=objectives_of_right_angle, hint="Here the log-determinant itself is asked for, without 1/2.")


@three_objectives.right("from vectors in the plane")
def _(c):
    Z = np.array([[1.0, c], [0.0, np.sqrt(1 - c**2)]])
    gap = Z[:, 0] - Z[:, 1]
    return Z[:, 0] @ Z[:, 1], gap @ gap, np.linalg.slogdet(np.eye(2) + Z @ Z.T)[1]


group_rate = Exercise(
    "ch04.group_rate", "The rate of a group, and its slope", principles=["P4.26"],
    label="eqn:maximal-rate-reduction-unsupervised-simdino", minutes=10, level="more",
    objective="differentiate the rate of a group in its cosines",
    hints=["The derivative of log det A in direction H is tr(A^-1 H).",
           "Raising one cosine changes two entries of G by the same amount.",
           "So H = beta (e_i e_j^T + e_j e_i^T), and tr(A^-1 H) = 2 beta (A^-1)_ij.",
           "slope = 2 * beta * inverse of (I + beta G), with zeros put on its diagonal."])


def cosines_of(rng, m=4, near=0.7):
    """The Gram matrix of m random unit vectors of R^3, drawn a little together."""
    V = rng.normal(size=(3, m)) + near * np.array([[1.0], [1.0], [0.0]])
    V = V / np.linalg.norm(V, axis=0)
    return V.T @ V


@group_rate.law("the value is that of m vectors with these cosines, from d x d matrices")
def group_value(f, rng):
    V = rng.normal(size=(3, 4))
    V = V / np.linalg.norm(V, axis=0)
    for beta in (0.3, 5.0):
        value, _ = f(V.T @ V, beta)
        close(value, np.linalg.slogdet(np.eye(3) + beta * V @ V.T)[1])


@group_rate.law("its slopes are differences of the value when one cosine is changed, in both places")
def group_differences(f, rng):
    G, beta, h = cosines_of(rng), 2.0, 1e-5
    expected = np.zeros((4, 4))
    for i in range(4):
        for j in range(4):
            if i != j:
                H = np.zeros((4, 4))
                H[i, j] = H[j, i] = h
                values = [np.linalg.slogdet(np.eye(4) + beta * (G + sign * H))[1] for sign in (1, -1)]
                expected[i, j] = (values[0] - values[1]) / (2 * h)
    close(f(G, beta)[1], expected)


@group_rate.law("for small beta the slopes are -2 beta^2 times the cosines, to first order")
def group_small(f, rng):
    G = cosines_of(rng)
    slope = np.asarray(f(G, 1e-3)[1], dtype=float)
    close(slope / 1e-6, -2 * (G - np.diag(np.diag(G))), tol=150)


@group_rate.law("for two vectors -2 beta^2 c / ((1 + beta)^2 - beta^2 c^2)")
def group_of_two(f, rng):
    c, beta = 0.6, 3.0
    expected = -2 * beta**2 * c / ((1 + beta) ** 2 - beta**2 * c**2)
    value, slope = f(np.array([[1, c], [c, 1]]), beta)
    close(value, np.log((1 + beta) ** 2 - beta**2 * c**2))
    close(slope, np.array([[0, expected], [expected, 0]]))


group_rate.wrong("counts the cosine once", replace=("2 * beta * np.linalg.inv(A)", "beta * np.linalg.inv(A)"),
                 caught_by=group_of_two, hint="The cosine stands in G twice, and both entries move.")
group_rate.wrong("forgets the inner derivative", replace=("2 * beta * np", "2 * np"), caught_by=group_of_two,
                 hint="Of I + beta G: a change of G counts beta times.")
group_rate.wrong("leaves the diagonal", replace=("np.fill_diagonal(slope, 0)", "pass"), caught_by=group_of_two,
                 hint="Lengths stay 1: no cosine stands on the diagonal.")
group_rate.wrong("without the inverse", replace=("np.linalg.inv(A)", "A"), caught_by=group_of_two,
                 hint="The gradient of log det A is its inverse.")
group_rate.wrong("without the identity", replace=("np.eye(len(G)) + beta", "1e-3 * np.eye(len(G)) + beta"),
                 caught_by=group_of_two, hint="I + beta G, with ones added on the diagonal.")
group_rate.wrong("a rate of one half", replace=("np.linalg.slogdet(A)[1], slope", "np.linalg.slogdet(A)[1] / 2, slope / 2"),
                 caught_by=group_of_two, hint="Asked for is the log-determinant, without 1/2.")


@group_rate.right("by eigenvectors, in JAX")
def _(G, beta):
    values, V = jnp.linalg.eigh(jnp.asarray(G))
    inverse = (V / (1 + beta * values)) @ V.T
    return jnp.log1p(beta * values).sum(), 2 * beta * inverse * (1 - jnp.eye(len(values)))


@group_rate.right("cosine by cosine, by solving")
def _(G, beta):
    G = np.asarray(G, dtype=float)
    A, slope = np.eye(len(G)) + beta * G, np.zeros(G.shape)
    for i in range(len(G)):
        for j in range(i):
            H = np.zeros(G.shape)
            H[i, j] = H[j, i] = beta
            slope[i, j] = slope[j, i] = np.trace(np.linalg.solve(A, H))
    return np.log(np.linalg.eigvalsh(A)).sum(), slope


equicorrelated_chain = Derivation(
    "ch04.equicorrelated_chain", "A group of equal cosines", principles=["P4.26"],
    label="eqn:maximal-rate-reduction-unsupervised-simdino", minutes=10, level="more",
    objective="find the rate of a group with equal cosines in closed form",
    stages=[Stage("with the log-determinant of I plus a multiple of ones, beside a logarithm", uses={"log", "logdet", "ones"}),
            Stage("without determinants", uses={"log"}, without={"logdet", "slogdet", "det"})],
    hints=["I + beta ((1 - c) I + c ones) = side I + beta c ones. Take the factor side out of the matrix.",
           "log det(side B) = m log(side) + log det(B) for an m x m matrix B.",
           "ones is u u^T with u = (1, ..., 1) and u^T u = m: log det(I + s ones) = log(1 + m s).",
           "m log(side) + log(1 + m beta c / side); then side + m beta c = 1 + beta (1 + (m - 1) c)."])


@equicorrelated_chain.instance
def _(rng):
    return dict(c=float(rng.uniform(-0.15, 0.9)), beta=float(rng.uniform(0.5, 5)), m=int(rng.integers(3, 6)))


equicorrelated_chain.wrong("takes the factor out once", replace=("yield m * log(side) + logdet(", "yield log(side) + logdet("),
                           caught_by="equal", hint="An m x m matrix: every row has the factor.")
equicorrelated_chain.wrong("forgets that u is not of length 1", replace=("log(1 + m * beta", "log(1 + beta"),
                           caught_by="equal", hint="u = (1, ..., 1) has the squared length m.")
equicorrelated_chain.wrong("forgets to divide what is left", replace=("logdet(side * (eye + beta * c / side * ones))",
                           "logdet(side * (eye + beta * c * ones))"), caught_by="equal",
                           hint="Multiply out: the ones would have the factor side, too.")
equicorrelated_chain.wrong("leaves a determinant to the machine", replace=("m * log(side) + log(1 + m * beta * c / side)",
                           "(m - 1) * log(side) + logdet(side * eye[:1, :1] + m * beta * c)"), caught_by="stages",
                           hint="One more step: the determinant of I + s u u^T is 1 + s u^T u.")


@equicorrelated_chain.right("with the eigenvalues")
def _(c, beta, m):
    log, logdet = np.log, lambda A: np.linalg.slogdet(A)[1]
    eye, ones = np.eye(m), np.ones((m, m))
    side = 1 + beta * (1 - c)  # what I + beta G does to vectors whose entries add up to 0
    yield logdet(eye + beta * ((1 - c) * eye + c * ones))
    yield log(side) * m + logdet(eye + ones * (beta * c / side))
    yield log(side) * (m - 1) + log(side + m * beta * c)
    yield (m - 1) * log(1 + beta * (1 - c)) + log(1 + beta * (1 + (m - 1) * c))


disagreeing_triples = Exercise(
    "ch04.disagreeing_triples", "A witness", principles=["P4.26"], label="eqn:maximal-rate-reduction-unsupervised-simdino",
    minutes=10, level="challenge", objective="find where cosines and log-determinants disagree",
    hints=["A determinant cannot tell z from -z. A cosine can.",
           "For the second triple: which vectors have the least log-determinant, but a poor sum of cosines?",
           "On one line: z, z and -z. Their cosines are 1, -1, -1.",
           "The first may be almost any triple that spans the plane, with a sum of cosines above -1: 0, 60 and -60 degrees."])


def sum_and_volume(Z, beta):
    """Sum of the cosines over the three pairs, and the log-determinant."""
    Z = np.asarray(Z, dtype=float)
    return sum(Z[:, i] @ Z[:, j] for i, j in ((0, 1), (0, 2), (1, 2))), log_volume(list(Z.T), beta)


@disagreeing_triples.law("six vectors of length 1 in the plane")
def triples_are_unit(f, rng):
    for Z in f(2.0):
        close(np.linalg.norm(np.asarray(Z, dtype=float), axis=0), np.ones(3))
        holds(np.shape(Z) == (2, 3), "a triple is a matrix of shape (2, 3)")


@disagreeing_triples.law("the first has the larger sum of cosines, by 0.1")
def triples_by_cosine(f, rng):
    first, second = (sum_and_volume(Z, 1.0)[0] for Z in f(3.0))
    holds(first > second + 0.0999, f"the sums of cosines are {first:.3g} and {second:.3g}")


@disagreeing_triples.law("the first has the larger log-determinant, by 0.1, for beta from 1 to 20")
def triples_by_volume(f, rng):
    for beta in (1.0, 4.0, 20.0):
        first, second = (sum_and_volume(Z, beta)[1] for Z in f(beta))
        holds(first > second + 0.0999, f"for beta = {beta:.0f} the log-determinants are {first:.3g} and {second:.3g}")


disagreeing_triples.wrong("three equal vectors first", replace=("on_circle(0, 60, -60)", "on_circle(0, 0, 0)"),
                          caught_by=triples_by_volume,
                          hint="Those have the largest sum, but also the least log-determinant: both objectives like them.")
disagreeing_triples.wrong("spread all around", replace=("on_circle(0, 0, 180)", "on_circle(0, 120, 240)"),
                          caught_by=triples_by_volume, hint="They have the least sum, but the largest log-determinant of all.")
disagreeing_triples.wrong("the wrong way round", replace=("return alike, opposite", "return opposite, alike"),
                          caught_by=triples_by_cosine, hint="Which of the two is asked for first?")
disagreeing_triples.wrong("forgets the opposite one", replace=("on_circle(0, 0, 180)", "on_circle(0, 0, 20)"),
                          caught_by=triples_by_cosine, hint="What does a determinant not see?")
disagreeing_triples.wrong("long vectors", replace=("np.stack([np.cos", "1.5 * np.stack([np.cos"), caught_by=triples_are_unit,
                          hint="Features are of length 1.")


@disagreeing_triples.right("without angles")
def _(beta):
    first = jnp.array([[1.0, 0.6, 0.6], [0.0, 0.8, -0.8]])
    return first, jnp.array([[0.6, 0.6, -0.6], [0.8, 0.8, -0.8]])


similarity_chain = Derivation(
    "ch04.similarity_chain", "Two more ways to say similarity", principles=["P4.26"],
    label="eqn:maximal-rate-reduction-unsupervised-simdino", minutes=8, level="more", instances=2,
    objective="write the similarity of views without a sum over pairs, and as a squared distance",
    stages=[Stage("with the sum of the views, without G and without distances", uses={"Zs", "sum"}, without={"G", "squares"})],
    hints=["The entries of G add up to all pairs (i, j), i = j included. How much do those m entries of a sample give?",
           "The entries of G of one sample add up to ||z_1 + ... + z_m||^2.",
           "z_i . z_j = 1 - ||z_i - z_j||^2 / 2 for unit vectors.",
           "G.sum() / N - m, then (Zs.sum(axis=2) ** 2).sum() / N - m, then 1 - squares / 2 for G."])


@similarity_chain.instance
def _(rng):
    return dict(Zs=unit_views(rng, near=1.0))


similarity_chain.wrong("forgets the pairs of a view with itself", replace=("yield G.sum() / N - m", "yield G.sum() / N"),
                       caught_by="equal", hint="The diagonal of G has m ones for each sample.")
similarity_chain.wrong("adds up samples, not views", replace=("Zs.sum(axis=2)", "Zs.sum(axis=0)"), caught_by="equal",
                       hint="Views lie along the last axis.")
similarity_chain.wrong("the sum of squares for the square of the sum", replace=("(Zs.sum(axis=2) ** 2).sum()", "(Zs**2).sum()"),
                       caught_by="equal", hint="First add up the views, then square.")
similarity_chain.wrong("a distance for half of it", replace=("1 - squares / 2)", "1 - squares)"), caught_by="equal",
                       hint="||u - v||^2 = 2 - 2 u . v.")


@similarity_chain.right("sample by sample")
def _(Zs):
    Zs = np.asarray(Zs)
    N, d, m = Zs.shape
    G = Zs.swapaxes(1, 2) @ Zs  # (N, m, m): the cosines of the views of each sample
    squares = ((Zs[:, :, :, None] - Zs[:, :, None, :]) ** 2).sum(axis=1)  # (N, m, m): ||z_i - z_j||^2
    different = 1 - np.eye(m)
    yield (G * different).sum() / N
    yield sum(G_k.sum() - np.trace(G_k) for G_k in G) / N
    yield sum(np.sum(np.sum(Z_k, axis=1) ** 2) - m for Z_k in Zs) / N
    yield m * (m - 1) - squares.sum() / (2 * N)


simdino = Exercise(
    "ch04.simdino", "The objective of SimDINO", principles=["P4.26"], label="eqn:maximal-rate-reduction-unsupervised-simdino",
    minutes=10, objective="write the objective of SimDINO",
    hints=["Two terms. The first is the coding rate of a matrix of how many columns?",
           "All views side by side are np.concatenate(list(Zs), axis=1); its rate has d / (N m eps^2).",
           "The cosines of different views of one sample add up to ||sum of the views||^2 - m.",
           "rate + gamma * (np.sum(Zs.sum(axis=2) ** 2) - N * m) / N."])


@simdino.law("without cosines the coding rate, from inner products of all views")
def simdino_rate(f, rng):
    for eps in (0.4, 1.5):
        Zs = unit_views(rng)
        close(f(Zs, eps, 0.0), log_volume(all_views(Zs), 6 / (12 * eps**2)) / 2)


@simdino.law("gamma counts the cosines of different views, pair by pair")
def simdino_pairs(f, rng):
    Zs = unit_views(rng, near=1.0)
    close(f(Zs, 0.7, 2.0) - np.asarray(f(Zs, 0.7, 0.5)), 1.5 * pairs_of_views(Zs))


@simdino.law("at collapse 1/2 log(1 + d / eps^2) + gamma m (m - 1)")
def simdino_collapsed(f, rng):
    close(f(equal_features(rng), 0.5, 0.3), np.log(1 + 6 / 0.25) / 2 + 0.3 * 6)


@simdino.law("-gamma m where the views of a sample add up to 0")
def simdino_opposite(f, rng):
    angles = 2 * np.pi * np.arange(3) / 3 + rng.uniform(0, 6, size=(4, 1))
    Q = np.stack([frame(rng, 6)[:, :2] for _ in range(4)])
    Zs = Q @ np.stack([np.cos(angles), np.sin(angles)], axis=1)
    close(f(Zs, 1.0, 0.8), log_volume(all_views(Zs), 0.5) / 2 - 0.8 * 3)


@simdino.law("does not see the order of samples or of views")
def simdino_order(f, rng):
    Zs = unit_views(rng, near=1.0)
    shuffled = np.stack([Z_k[:, rng.permutation(3)] for Z_k in Zs[rng.permutation(4)]])
    close(f(shuffled, 0.6, 0.4), f(Zs, 0.6, 0.4))


simdino.wrong("includes i = j", replace=("(np.sum(sums**2) - N * m) / N", "np.sum(sums**2) / N"), caught_by=simdino_collapsed,
              hint="A view has the cosine 1 with itself: that adds m to every sample. No gradient changes, but it is too much.")
simdino.wrong("mean over the pairs", replace=("- N * m) / N", "- N * m) / (N * m * (m - 1))"), caught_by=simdino_pairs,
              hint="A sum over the pairs of a sample, a mean over the samples.")
simdino.wrong("repels views", replace=("rate + gamma", "rate - gamma"), caught_by=simdino_pairs,
              hint="The objective is maximised. Should the views of one image be alike?")
simdino.wrong("adds up samples", replace=("Zs.sum(axis=2)", "Zs.sum(axis=0)"), caught_by=simdino_pairs,
              hint="The views of a sample lie along the last axis; axis 0 counts samples.")
simdino.wrong("eps not squared", replace=("eps**2", "eps"), caught_by=simdino_rate, hint="eps is a length, squared in a rate.")
simdino.wrong("the rate of N columns", replace=("d / (N * m * eps**2)", "d / (N * eps**2)"), caught_by=simdino_rate,
              hint="How many columns are coded together?")
simdino.wrong("without the one half", replace=("[1] / 2", "[1]"), caught_by=simdino_rate,
              hint="A coding rate is half a log-determinant.")
simdino.wrong("each pair once", replace=("- N * m) / N", "- N * m) / (2 * N)"), caught_by=simdino_pairs,
              hint="(i, j) and (j, i) both stand in the sum.")


@simdino.right("pair by pair, in JAX")
def _(Zs, eps, gamma):
    N, d, m = Zs.shape
    Z = jnp.concatenate([jnp.asarray(Z_k) for Z_k in Zs], axis=1)
    G = jnp.einsum("kdi,kdj->kij", Zs, Zs)
    cosines = jnp.where(jnp.eye(m, dtype=bool), 0, G).sum(axis=(1, 2)).mean()
    return jnp.linalg.slogdet(jnp.eye(N * m) + d / (N * m * eps**2) * Z.T @ Z)[1] / 2 + gamma * cosines


@simdino.right("from distances and singular values")
def _(Zs, eps, gamma):
    Zs = np.asarray(Zs, dtype=float)
    N, d, m = Zs.shape
    s = np.linalg.svd(np.hstack(list(Zs)), compute_uv=False)
    away = sum(np.sum((Z_k[:, [i]] - Z_k) ** 2) for Z_k in Zs for i in range(m))
    return np.log1p(d / (N * m * eps**2) * s**2).sum() / 2 + gamma * (m * (m - 1) - away / (2 * N))


collapse_value = Exercise(
    "ch04.collapse_value", "The worst and the best", principles=["P4.26"], label="sec:SimDINO", minutes=8, level="more",
    objective="say what the coding rate adds that cosines alone do not have",
    hints=["At collapse Z Z^T / (N m) = z z^T, with one eigenvalue that is not 0.",
           "The best spread has Z Z^T / (N m) = I / d: d eigenvalues of 1 / d.",
           "All cosines of views can be 1 in both cases: m (m - 1) ordered pairs a sample."])


def simdino_by_pairs(Zs, eps, gamma):
    """The objective from inner products alone."""
    N, d, m = Zs.shape
    return log_volume(all_views(Zs), d / (N * m * eps**2)) / 2 + gamma * pairs_of_views(Zs)


@collapse_value.law("the first is the objective of equal features")
def value_of_equal_features(f, rng):
    for N in (4, 7):
        close(f(0.6, 0.4, 6, 3)[0], simdino_by_pairs(equal_features(rng, N), 0.6, 0.4))


@collapse_value.law("the second is the objective of equal views, the samples an orthonormal basis and its opposite")
def value_of_a_frame(f, rng):
    Q = frame(rng, 5)
    Zs = np.repeat(np.concatenate([Q, -Q]).reshape(10, 5, 1), 2, axis=2)
    close(f(0.6, 0.4, 5, 2)[1], simdino_by_pairs(Zs, 0.6, 0.4))


@collapse_value.law("random features with equal views lie between the two")
def value_between(f, rng):
    worst, best = (float(value) for value in f(0.5, 0.2, 6, 3))
    for _ in range(5):
        value = simdino_by_pairs(np.repeat(unit_views(rng, 8, 6, 1), 3, axis=2), 0.5, 0.2)
        holds(worst < value < best, f"{value:.3g} is not between {worst:.3g} and {best:.3g}")


@collapse_value.law("in one dimension there is nothing to gain, and elsewhere the gain does not depend on gamma")
def gain_without_gamma(f, rng):
    close(f(0.7, 0.3, 1, 2)[0], f(0.7, 0.3, 1, 2)[1])
    gains = [np.subtract(*map(float, f(0.7, gamma, 6, 3))) for gamma in (0.0, 5.0)]
    close(gains[0], gains[1], tol=10)
    holds(abs(gains[0]) > 0.5, "in six dimensions spreading out gains something")


collapse_value.wrong("an even spread without dividing", replace=("1 + 1 / eps**2", "1 + d / eps**2"), caught_by=value_of_a_frame,
                     hint="The eigenvalues add up to 1: d equal ones are 1 / d each, and d / eps^2 times that is 1 / eps^2.")
collapse_value.wrong("one view too many", replace=("m * (m - 1)", "m**2"), caught_by=value_of_equal_features,
                     hint="Pairs of different views: m (m - 1).")
collapse_value.wrong("each pair once", replace=("gamma * m * (m - 1)", "gamma * m * (m - 1) / 2"),
                     caught_by=value_of_equal_features, hint="Ordered pairs count.")
collapse_value.wrong("collapse costs no nats", replace=("np.log(1 + d / eps**2) / 2", "0.0"), caught_by=value_of_equal_features,
                     hint="One direction is still to be coded: nothing here is centred.")
collapse_value.wrong("one direction of the spread only", replace=("d * np.log(1 + 1 / eps**2)", "np.log(1 + 1 / eps**2)"),
                     caught_by=value_of_a_frame, hint="There are d directions, and each is coded.")
collapse_value.wrong("spread out views as well", replace=("agree, spread + agree", "agree, spread"),
                     caught_by=value_of_a_frame, hint="Samples can spread while the views of each of them agree.")


@collapse_value.right("from eigenvalues")
def _(eps, gamma, d, m):
    rate = lambda eigenvalues: 0.5 * jnp.log1p(d / eps**2 * eigenvalues).sum()
    one, even = jnp.eye(d)[0], jnp.full(d, 1 / d)
    return rate(one) + gamma * (m**2 - m), rate(even) + gamma * (m**2 - m)


collapse_curvature = Exercise(
    "ch04.collapse_curvature", "A way out", principles=["P4.26"], label="sec:SimDINO", minutes=12, level="challenge",
    objective="say from which weight of the cosines on collapse is stable",
    hints=["Rate and cosines separately. For the rate only Z Z^T / (N m) counts: along z, and across.",
           "To second order: 1 - t^2 along z, t^2 across z, with a = d / eps^2 in front of both.",
           "Along: the logarithm falls by a t^2 / (1 + a). Across: it rises by a t^2. Half of the net is a^2 / (2 (1 + a)).",
           "The cosines of a sample fall by half of the sum of ||z_i - z_j||^2 over all (i, j): on average m^2 t^2 within."])


def near_collapse(rng, within, t, N=6, d=5, m=3):
    """Unit features at z + t u with the properties of the stub."""
    between, views = rng.normal(size=(N, d - 1, 1)), rng.normal(size=(N, d - 1, m))
    between, views = between - between.mean(axis=0), views - views.mean(axis=2, keepdims=True)
    size = lambda A: np.sqrt((A**2).sum(axis=1).mean())
    U = np.sqrt(1 - within) * between / size(between) + np.sqrt(within) * views / size(views)
    Zs = frame(rng, d) @ np.concatenate([np.ones((N, 1, m)), t * U], axis=1)
    return Zs / np.linalg.norm(Zs, axis=1, keepdims=True)


@collapse_curvature.law("second differences of the objective, for features that leave collapse at random")
def curvature_by_differences(f, rng):
    for within, gamma in ((0.0, 0.5), (0.4, 0.5), (0.8, 1.5)):
        t, seed = 2e-3, int(rng.integers(1000))
        there, here = (simdino_by_pairs(near_collapse(np.random.default_rng(seed), within, s), 0.8, gamma) for s in (t, 0.0))
        close(f(within, 0.8, gamma, 5, 3), (there - here) / t**2, tol=30)


@collapse_curvature.law("without cosines, or where views agree, always positive and the same")
def curvature_of_rate(f, rng):
    holds(float(f(1.0, 0.5, 0.0, 6, 4)) > 0, "without cosines nothing holds the features together")
    close(f(0.0, 0.5, 10.0, 6, 4), f(1.0, 0.5, 0.0, 6, 4))


@collapse_curvature.law("falls in a straight line with gamma, by m^2 for spread between views alone")
def curvature_line(f, rng):
    values = [float(f(1.0, 0.7, gamma, 6, 4)) for gamma in (0.0, 1.0, 2.0)]
    close(np.diff(values), np.full(2, -16.0))


@collapse_curvature.law("one half of d / eps^2, less 1/2, for fine accuracy")
def curvature_fine(f, rng):
    close(f(0.3, 0.02, 0.0, 4, 2) - (4 / 0.02**2 - 1) / 2, 0.0, tol=100)


collapse_curvature.wrong("counts pairs", replace=("m**2 * within", "m * (m - 1) * within"), caught_by=curvature_line,
                         hint="The pairs are m (m - 1), but two views are farther from each other than from their mean.")
collapse_curvature.wrong("the share between samples", replace=("* within", "* (1 - within)"), caught_by=curvature_line,
                         hint="Cosines of views do not suffer when samples move apart.")
collapse_curvature.wrong("forgets what is lost along z", replace=("a**2 / (2 * (1 + a))", "a / 2"),
                         caught_by=curvature_by_differences,
                         hint="Features stay of length 1: what they gain across z they lose along it.")
collapse_curvature.wrong("without the one half", replace=("(2 * (1 + a))", "(1 + a)"), caught_by=curvature_by_differences,
                         hint="A coding rate is half a log-determinant.")
collapse_curvature.wrong("eps not squared", replace=("d / eps**2", "d / eps"), caught_by=curvature_by_differences,
                         hint="eps is a length, squared in a rate.")
collapse_curvature.wrong("cosines help to spread", replace=("rate - gamma", "rate + gamma"), caught_by=curvature_line,
                         hint="Moving views apart lowers their cosines.")


@collapse_curvature.right("from the slope of a log-determinant")
def _(within, eps, gamma, d, m):
    S0, change = jnp.diag(jnp.arange(d) == 0), jnp.diag(jnp.where(jnp.arange(d) == 0, -1.0, 1 / (d - 1)))
    rise = jnp.trace(jnp.linalg.solve(jnp.eye(d) + d / eps**2 * S0, d / eps**2 * change)) / 2
    return rise - gamma * within * m * m
