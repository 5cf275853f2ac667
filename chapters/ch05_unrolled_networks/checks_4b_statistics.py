"""Exercises of Part 4, middle: a bound on the rate by second moments, its gradient, memberships, token statistics."""

import jax
import jax.numpy as jnp
import numpy as np

from book_utils import tost
from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds


def orthogonal(rng, d=4):
    return np.linalg.qr(rng.normal(size=(d, d)))[0]


def covariance(rng, spectrum=(0.2, 1.0, 2.5, 6.0)):
    """Symmetric (d, d) with the given eigenvalues."""
    V = orthogonal(rng, len(spectrum))
    return V * np.array(spectrum) @ V.T


def heads(rng, d=5, K=3, p=2):
    return np.stack([np.linalg.qr(rng.normal(size=(d, p)))[0] for _ in range(K)])


def tokens(rng, d=5, n=6):
    return rng.normal(size=(d, n))


def shares(rng, K=3, n=6):
    """Membership (K, n), heads of quite different mass."""
    membership = rng.exponential(size=(K, n)) * np.array([1.0, 2.0, 4.0])[:K, None]
    return membership / membership.sum(axis=0)


def bound(Z, membership, U, eps):
    """R^var, coordinate by coordinate, in float64."""
    total, c = 0.0, len(Z) / eps**2
    for B, share in zip(U, membership):
        for column in B.T:
            moment = sum(s * (column @ z) ** 2 for s, z in zip(share, Z.T)) / share.sum()
            total += share.sum() / (2 * Z.shape[1]) * np.log(1 + c * moment)
    return total


def rate(Z, membership, eps):
    """R^c from eigenvalues, in float64."""
    (d, n), total = Z.shape, 0.0
    for share in membership:
        spectrum = np.linalg.eigvalsh((Z * share) @ Z.T / share.sum()).clip(0)
        total += share.sum() / (2 * n) * np.log(1 + d / eps**2 * spectrum).sum()
    return total


def slope(F, Z, H):
    return (F(Z + 1e-5 * H) - F(Z - 1e-5 * H)) / 2e-5


def memberships(Z, U, sigma):
    odds = np.exp([[np.sum((B.T @ z) ** 2) / (2 * sigma**2) for z in Z.T] for B in U])
    return odds / odds.sum(axis=0)


# P5.23

diagonal_shares = Exercise(
    "ch05.diagonal_shares", "Diagonals are means of eigenvalues", principles=["P5.23"], label="thm:var_concave", minutes=6, level="more",
    objective="write the diagonal of a turned matrix as means of its eigenvalues",
    hints=["S = V diag(lambda) V^T. What is q_i^T S q_i?",
           "np.linalg.eigh sorts from the smallest and has eigenvectors in its columns.",
           "The square of q_i^T v_j: all of them stand in Q.T @ V."])


@diagonal_shares.law("times the eigenvalues, smallest first, they are the diagonal of Q^T S Q")
def ds_diagonal(f, rng):
    Q, S = orthogonal(rng), covariance(rng)
    close(np.asarray(f(Q, S), dtype=float) @ np.linalg.eigvalsh(S), np.array([q @ S @ q for q in Q.T]))


@diagonal_shares.law("not negative; rows and columns add up to 1")
def ds_doubly(f, rng):
    M = np.asarray(f(orthogonal(rng), covariance(rng)), dtype=float)
    holds(M.min() >= -1e-5, "an entry is negative")
    close(M.sum(axis=0), np.ones(4))
    close(M.sum(axis=1), np.ones(4))


@diagonal_shares.law("the identity, if the columns of Q are the eigenvectors in order")
def ds_identity(f, rng):
    S = covariance(rng)
    close(f(np.linalg.eigh(S)[1], S), np.eye(4))


diagonal_shares.wrong("rows of Q", replace=("np.asarray(Q).T @ vectors", "np.asarray(Q) @ vectors"), caught_by=ds_diagonal,
                      hint="Entry i of the diagonal of Q.T @ S @ Q belongs to column i of Q.")
diagonal_shares.wrong("no square", replace=("cosines**2", "cosines"), caught_by=ds_doubly, hint="v_j stands twice in q_i^T v_j lambda_j v_j^T q_i.")
diagonal_shares.wrong("i and j exchanged", replace=("return cosines**2", "return cosines.T ** 2"), caught_by=ds_diagonal,
                      hint="Row i is for entry i of the diagonal, column j for eigenvalue j.")
diagonal_shares.wrong("largest first", replace=("eigh(np.asarray(S))[1]", "eigh(np.asarray(S))[1][:, ::-1]"), caught_by=ds_diagonal,
                      hint="Column 1 belongs to the smallest eigenvalue.")


@diagonal_shares.right("entry by entry, with the singular vectors")
def _(Q, S):
    V = np.linalg.svd(np.asarray(S))[0][:, ::-1]
    return jnp.array([[jnp.vdot(q, v) ** 2 for v in V.T] for q in np.asarray(Q).T])


diagonal_bound = Exercise(
    "ch05.diagonal_bound", "The bound by diagonals", principles=["P5.23"], label="eq:U_bound", minutes=6,
    objective="bound a spectral function by a diagonal",
    hints=["Only the diagonal of Q.T @ S @ Q counts.", "Take f of every diagonal entry, then add up: np.log1p(c * diagonal)."])


@diagonal_bound.law("log det(I + c S) if Q holds eigenvectors, in any order")
def db_tight(f, rng):
    S = covariance(rng)
    close(f(np.linalg.eigh(S)[1][:, [2, 0, 3, 1]], S, 0.7), np.linalg.slogdet(np.eye(4) + 0.7 * S)[1])


@diagonal_bound.law("never below log det(I + c S), nor above d log(1 + c times the mean eigenvalue)")
def db_between(f, rng):
    for c in (0.3, 3.0):
        S = covariance(rng)
        value, low = float(f(orthogonal(rng), S, c)), np.linalg.slogdet(np.eye(4) + c * S)[1]
        holds(value >= low - 1e-4, "it is below log det(I + c S)")
        holds(value <= 4 * np.log1p(c * np.trace(S) / 4) + 1e-4, "it is above d log(1 + c tr(S) / d)")


@diagonal_bound.law("the largest it can be where Q spreads every eigenvalue evenly")
def db_even(f, rng):
    H = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
    spectrum = rng.uniform(0.1, 5, size=4)
    close(f(H, np.diag(spectrum), 0.7), 4 * np.log1p(0.7 * spectrum.mean()))


@diagonal_bound.law("what the columns of Q see, one after another")
def db_columns(f, rng):
    Q, S = orthogonal(rng), covariance(rng)
    close(f(Q, S, 1.3), sum(np.log(1 + 1.3 * q @ S @ q) for q in Q.T))


diagonal_bound.wrong("Q S Q^T", replace=("Q * (S @ Q), axis=0", "Q * (Q @ S), axis=1"), caught_by=db_tight,
                     hint="With eigenvectors in the columns of Q, it is Q.T @ S @ Q that is diagonal.")
diagonal_bound.wrong("half of it", replace=("return np.sum", "return 0.5 * np.sum"), caught_by=db_tight, hint="There is no factor 1/2 here.")
diagonal_bound.wrong("c left out", replace=("c * diagonal", "diagonal"), caught_by=db_even)
diagonal_bound.wrong("the log of the sum", replace=("np.sum(np.log1p(c * diagonal))", "np.log1p(c * np.sum(diagonal))"), caught_by=db_between,
                     hint="f is taken of every entry; then they are added up.")
diagonal_bound.wrong("without the 1", replace=("np.log1p(c * diagonal)", "np.log(c * diagonal)"), caught_by=db_tight)


@diagonal_bound.right("with the whole product, in JAX")
def _(Q, S, c):
    return jnp.log(1 + c * jnp.diag(Q.T @ S @ Q)).sum()


# P5.24, P5.26

statistics_rate = Exercise(
    "ch05.statistics_rate", "The rate of second moments", principles=["P5.24", "P5.26"], label="eq:var_comp", minutes=8, level="more",
    stand_in=tost.variational_rate, objective="bound the rate of the heads by second moments",
    hints=["Views first: U.transpose(0, 2, 1) @ Z is (K, p, n). Square it, and only then average over tokens.",
           "The mean for head k divides by n_k, the sum of its shares, not by n.",
           "Sum of n_k log(1 + d / eps^2 m_ki) over k and i, over 2 n."])


@statistics_rate.law("above the rate of the heads, for heads that hold everything")
def sr_above(f, rng):
    for eps in (0.5, 2.0):
        Z, membership, U = tokens(rng), shares(rng), heads(rng, p=5)
        holds(float(f(Z, membership, U, eps)) >= rate(Z, membership, eps) - 1e-4, "it is below R^c")


@statistics_rate.law("equal to it, if the heads are principal axes of what belongs to them")
def sr_tight(f, rng):
    Z, membership = tokens(rng), shares(rng)
    U = np.stack([np.linalg.eigh((Z * share) @ Z.T)[1] for share in membership])
    close(f(Z, membership, U, 0.8), rate(Z, membership, 0.8))


@statistics_rate.law("the sum, coordinate by coordinate, over heads of any mass")
def sr_loops(f, rng):
    Z, membership, U = tokens(rng), shares(rng), heads(rng)
    close(f(Z, membership, U, 0.8), bound(Z, membership, U, 0.8))


@statistics_rate.law("unchanged when every token comes twice")
def sr_twice(f, rng):
    Z, membership, U = tokens(rng, n=3), shares(rng, n=3), heads(rng)
    close(f(np.hstack([Z, Z]), np.hstack([membership, membership]), U, 0.8), bound(Z, membership, U, 0.8))


statistics_rate.wrong("means over all tokens", replace=("membership) / masses", "membership) / Z.shape[1]"), caught_by=sr_tight,
                      hint="The weights of a mean add up to 1: divide by n_k.")
statistics_rate.wrong("p in place of d", replace=("len(Z) / eps", "U.shape[2] / eps"), caught_by=sr_loops,
                      hint="Here the factor is d / eps^2, also for heads of p coordinates.")
statistics_rate.wrong("all heads alike", replace=("np.sum(masses * np", "np.sum(Z.shape[1] / len(U) * np"), caught_by=sr_tight,
                      hint="A head counts by the part n_k / n of the tokens that it holds.")
statistics_rate.wrong("the square of the mean", replace=('np.einsum("kpn,kn->kp", W**2, membership) / masses', '(np.einsum("kpn,kn->kp", W, membership) / masses) ** 2'),
                      caught_by=sr_above, hint="A second moment is the mean of the squares.")
statistics_rate.wrong("without the half", replace=("/ (2 * Z.shape[1])", "/ Z.shape[1]"), caught_by=sr_tight)


@statistics_rate.right("head by head, from the diagonal of a covariance")
def _(Z, membership, U, eps):
    Z, total = np.asarray(Z), 0.0
    for B, share in zip(np.asarray(U), np.asarray(membership)):
        S = B.T @ (Z * share) @ Z.T @ B
        total += share.sum() * np.log(1 + len(Z) / eps**2 * np.diag(S) / share.sum()).sum()
    return total / 2 / Z.shape[1]


inside_the_head = Derivation(
    "ch05.inside_the_head", "The rate inside a head", principles=["P5.26"], label="cor:var_concave_logdet", minutes=8, level="more",
    objective="reduce a d x d rate to the p coordinates of a head",
    stages=[Stage("projected on the head from both sides", uses={"logdet", "d", "B", "M"}),
            Stage("a p x p log-determinant", uses={"logdet", "p", "B", "M"}, without={"d"})],
    hints=["What is B @ B.T @ Z, if every token lies in the span of B?",
           "log det(I + X Y) = log det(I + Y X): take X = B and Y all the rest. And B.T @ B = I.",
           "logdet(I(d) + c * B @ B.T @ M @ B @ B.T), then logdet(I(p) + c * B.T @ M @ B)."])


@inside_the_head.instance
def _(rng):
    U = heads(rng)
    return dict(Z=U[1] @ rng.normal(size=(2, 6)), U=U, share=rng.uniform(0.1, 1, size=6), c=1.7, k=1)


inside_the_head.wrong("forgets c", replace=("I(p) + c * B.T", "I(p) + B.T"), caught_by="equal")
inside_the_head.wrong("projects twice on half of it", replace=("c * B @ B.T @ M @ B @ B.T", "c / 2 * B @ B.T @ M @ B @ B.T"), caught_by="equal")
inside_the_head.wrong("a minus", replace=("I(p) + c", "I(p) - c / 9"), caught_by="equal")
inside_the_head.wrong("jumps", replace=("\n    yield logdet(I(p) + c * B.T @ M @ B)", ""), caught_by="stages",
                      hint="A p x p log-determinant comes before its eigenvalues.")


@inside_the_head.right("with the projector as a matrix of its own")
def _(Z, U, share, c, k):
    Z, B, share = np.asarray(Z, dtype=float), np.asarray(U, dtype=float)[k], np.asarray(share, dtype=float)
    d, p = B.shape
    I, log, eigenvalues = np.eye, np.log, np.linalg.eigvalsh
    logdet = lambda A: np.linalg.slogdet(A)[1]
    M = (Z * share) @ Z.T
    yield logdet(I(d) + c * M)
    yield logdet(I(d) + (B @ B.T) @ (c * M) @ (B @ B.T))
    yield logdet(I(p) + c * B.T @ M @ B @ B.T @ B)
    yield np.sum(log(1 + c * eigenvalues(B.T @ M @ B)))


broken_bound = Exercise(
    "ch05.broken_bound", "A head that does not hold its tokens", principles=["P5.26"], label="cor:var_concave_logdet", minutes=5, level="more",
    objective="find where the condition of the corollary is needed",
    hints=["A head that sees nothing of a token counts nothing for it.",
           "One token and one head in the plane are enough. Which angle between them?"])


def example_of(f, eps):
    Z, membership, U = (np.asarray(part, dtype=float) for part in f(eps))
    holds(Z.ndim == 2 and membership.ndim == 2 and U.ndim == 3 and membership.shape[1] == Z.shape[1]
          and U.shape[:2] == (len(membership), len(Z)), "the shapes are not (d, n), (K, n) and (K, d, p)")
    return Z, membership, U


@broken_bound.law("R^var is smaller than R^c by 0.1 or more")
def bb_below(f, rng):
    for eps in (0.3, float(rng.uniform(0.5, 1.5)), 2.0):
        Z, membership, U = example_of(f, eps)
        holds(bound(Z, membership, U, eps) <= rate(Z, membership, eps) - 0.1, "R^var is not smaller by 0.1")


@broken_bound.law("the columns of every U[k] are orthonormal")
def bb_frames(f, rng):
    U = example_of(f, 1.0)[2]
    close(U.transpose(0, 2, 1) @ U, np.stack([np.eye(U.shape[2])] * len(U)))


@broken_bound.law("a membership: not negative, columns add up to 1, no row of zeros; no token above 100")
def bb_membership(f, rng):
    Z, membership, _ = example_of(f, 1.0)
    holds(np.abs(Z).max() <= 100, "an entry of Z is above 100")
    holds(membership.min() >= 0 and membership.sum(axis=1).min() > 0, "a share is negative, or a row is 0")
    close(membership.sum(axis=0), np.ones(Z.shape[1]))


broken_bound.wrong("a token that its head holds", replace=("[[0.0], [1.0]]", "[[1.0], [0.0]]"), caught_by=bb_below,
                   hint="Your head sees all of the token: there the bound holds.")
broken_bound.wrong("a short head", replace=("[[[1.0], [0.0]]]", "[[[0.1], [0.0]]]"), caught_by=bb_frames, hint="The column of U[0] has to have length 1.")
broken_bound.wrong("half a share", replace=("[[1.0]]", "[[0.5]]"), caught_by=bb_membership, hint="The shares of a token add up to 1.")


@broken_bound.right("a plane among five dimensions, many tokens")
def _(eps):
    Z = np.array([[0.1, 0.2, 0.0], [0.0, 0.1, 0.1], [2.0, 1.0, 0.0], [0.0, 1.0, 3.0], [1.0, 0.0, 1.0]])
    return jnp.asarray(Z), jnp.full((2, 3), 0.5), jnp.stack([jnp.eye(5)[:, :2], jnp.eye(5)[:, :2]])


# P5.24

power_gradient = Exercise(
    "ch05.power_gradient", "The gradient of a sum of moments", principles=["P5.24"], label="eq1:grad Rcf", minutes=6, level="more",
    objective="differentiate a function of second moments",
    hints=["Z_ij stands in p_i alone. What is the derivative of p_i in Z_ij?",
           "1/2 f'(p_i) times 2 share_j Z_ij, with f'(x) = c / (1 + c x).",
           "slopes[:, None] * Z * share: one slope for each row, one share for each column."])


@power_gradient.law("the slope of the sum along any direction")
def pg_slope(f, rng):
    Z, share, H = tokens(rng), rng.uniform(0.2, 2, size=6), rng.normal(size=(5, 6))
    F = lambda Z: sum(np.log(1 + 0.8 * sum(share * row**2)) for row in Z) / 2
    close(np.sum(np.asarray(f(Z, share, 0.8), dtype=float) * H), slope(F, Z, H))


@power_gradient.law("0 for a token without share, which does not count for the others")
def pg_absent(f, rng):
    Z, share = tokens(rng), rng.uniform(0.2, 2, size=6)
    share[2] = 0.0
    with_it = np.asarray(f(Z, share, 0.8), dtype=float)
    Z[:, 2] *= -3
    close(f(Z, share, 0.8), with_it * (np.arange(6) != 2))


@power_gradient.law("share * Z / Z^2, c and all else gone, where one token has all the power and c is large")
def pg_large(f, rng):
    Z = rng.uniform(1, 2, size=(5, 1))
    close(f(Z, np.array([0.5]), 1e6), 1 / Z)


power_gradient.wrong("a factor 2", replace=("return slopes", "return 2 * slopes"), caught_by=pg_slope, hint="The 1/2 in front takes the 2 of the square.")
power_gradient.wrong("the share once", replace=("* Z * share", "* Z"), caught_by=pg_absent, hint="Token j enters p_i with share_j: so does its derivative.")
power_gradient.wrong("the square of the sum", replace=("Z**2 @ share", "(Z @ share) ** 2"), caught_by=pg_slope, hint="p_i is a sum of squares.")
power_gradient.wrong("the slope of log(1 + x)", replace=("c / (1 + c * powers)", "1 / (1 + powers)"), caught_by=pg_slope)
power_gradient.wrong("a mean", replace=("Z**2 @ share", "Z**2 @ share / np.sum(share)"), caught_by=pg_slope, hint="Here p_i is a sum: nothing is divided.")


@power_gradient.right("by jax.grad")
def _(Z, share, c):
    return jax.grad(lambda Z: jnp.sum(jnp.log1p(c * (Z**2 @ jnp.asarray(share)))) / 2)(jnp.asarray(Z))


statistics_gradient = Exercise(
    "ch05.statistics_gradient", "The gradient of the bound", principles=["P5.24"], label="eq2:grad Rcf", minutes=8, level="more",
    stand_in=tost.variational_gradient, objective="differentiate the bound in the tokens",
    hints=["For one head, in its own views W = U_k^T Z, it is the exercise before, with shares Pi_k / n_k.",
           "By the chain rule the gradient in Z is U_k times the one in W.",
           "The n_k in front cancels the 1 / n_k of the shares outside f', not the one inside; 1 / n stays."])


@statistics_gradient.law("the slope of the bound along any direction")
def sg_slope(f, rng):
    Z, membership, U, H = tokens(rng), shares(rng), heads(rng), rng.normal(size=(5, 6))
    close(np.sum(np.asarray(f(Z, membership, U, 0.8), dtype=float) * H), slope(lambda Z: bound(Z, membership, U, 0.8), Z, H))


@statistics_gradient.law("half, when every token comes twice")
def sg_twice(f, rng):
    Z, membership, U = tokens(rng, n=3), shares(rng, n=3), heads(rng)
    twice = np.asarray(f(np.hstack([Z, Z]), np.hstack([membership, membership]), U, 0.8), dtype=float)
    expected = np.zeros_like(Z)
    for at in np.ndindex(*Z.shape):
        E = np.zeros_like(Z)
        E[at] = 1.0
        expected[at] = slope(lambda Z: bound(Z, membership, U, 0.8), Z, E)
    close(twice[:, :3], expected / 2)


@statistics_gradient.law("turns with tokens and heads")
def sg_turns(f, rng):
    Z, membership, U, Q = tokens(rng), shares(rng), heads(rng), orthogonal(rng, 5)
    close(f(Q @ Z, membership, Q @ U, 0.8), Q @ np.asarray(f(Z, membership, U, 0.8), dtype=float))


statistics_gradient.wrong("without 1 / n", replace=(" / Z.shape[1]", ""), caught_by=sg_slope, hint="n_k cancels; n does not.")
statistics_gradient.wrong("sums in place of means", replace=(" / membership.sum(axis=1)[:, None]", ""), caught_by=sg_slope,
                          hint="Inside f' stands the mean m_ki, with its 1 / n_k.")
statistics_gradient.wrong("a factor 2", replace=("return np.einsum", "return 2 * np.einsum"), caught_by=sg_slope)
statistics_gradient.wrong("means over all tokens", replace=("membership.sum(axis=1)[:, None]", "Z.shape[1]"), caught_by=sg_slope,
                          hint="Divide by n_k, the sum of a head's shares.")
statistics_gradient.wrong("the share once", replace=('"kdp,kp,kpn,kn->dn", U, slopes, W, membership', '"kdp,kp,kpn->dn", U, slopes, W'), caught_by=sg_slope,
                          hint="A token moves for head k as far as it belongs to it.")


@statistics_gradient.right("head by head, with diagonal matrices")
def _(Z, membership, U, eps):
    Z, G = np.asarray(Z), 0.0
    d, n = Z.shape
    for B, share in zip(np.asarray(U), np.asarray(membership)):
        S = B.T @ (Z * share) @ Z.T @ B / share.sum()
        G = G + B @ np.linalg.inv(np.diag(eps**2 / d + np.diag(S))) @ B.T @ Z @ np.diag(share) / n
    return G


statistics_slope = Derivation(
    "ch05.statistics_slope", "From the bound to the layer", principles=["P5.24", "P5.25"], label="eq:layer-operation-orig", minutes=10, level="more",
    objective="derive the operator of token statistics from the bound",
    stages=[Stage("the moments differentiated, in views", uses={"W", "V", "Pi", "n_k"}, without={"moments"}),
            Stage("the masses gone", uses={"W", "V", "Pi"}, without={"n_k", "moments"})],
    hints=["(W + V)^2 - (W - V)^2 = 4 W V, entry by entry: half of it is the derivative 2 W V.",
           "n_k stands once above and once below; so does 2.",
           "The slope may go inside the sum over tokens: (D @ W) is W with row i times slope i. Then V = U^T H goes over to the other side."])


@statistics_slope.instance
def _(rng):
    return dict(Z=tokens(rng), H=tokens(rng), membership=shares(rng), U=heads(rng), c=1.3)


statistics_slope.wrong("half the derivative", replace=("slopes * 2 * sum", "slopes * sum"), caught_by="equal", hint="The derivative of w^2 along v is 2 w v.")
statistics_slope.wrong("keeps a 2", replace=("sum(slopes * sum(Pi * W * V, axis=2)) / n", "2 * sum(slopes * sum(Pi * W * V, axis=2)) / n"), caught_by="equal")
statistics_slope.wrong("V twice", replace=("sum(V * (D @ W) * Pi)", "sum(V * (D @ V) * Pi)"), caught_by="equal")
statistics_slope.wrong("jumps", replace=("\n    yield sum(slopes * sum(Pi * W * V, axis=2)) / n\n    yield sum(V * (D @ W) * Pi) / n", ""), caught_by="stages",
                       hint="Show the line in which n_k has cancelled.")


@statistics_slope.right("in two lines")
def _(Z, H, membership, U, c):
    Z, H, membership, U = (np.asarray(part, dtype=float) for part in (Z, H, membership, U))
    n, sum, Pi = Z.shape[1], np.sum, membership[:, None]
    views = lambda Z: U.transpose(0, 2, 1) @ Z
    W, V, n_k = views(Z), views(H), membership.sum(axis=1)[:, None]
    moments = lambda Z: sum(Pi * views(Z) ** 2, axis=2) / n_k
    slopes = c / (1 + c * moments(Z))
    D = slopes[:, :, None] * np.eye(U.shape[2])
    yield sum(n_k / (2 * n) * slopes * (moments(Z + H) - moments(Z - H)) / 2)
    yield sum(n_k * slopes * sum(Pi * (W * V), axis=2) / n_k) / n
    yield sum(slopes[:, :, None] * Pi * W * V) / n
    yield sum(H * sum(U @ D @ U.transpose(0, 2, 1) @ Z * Pi, axis=0)) / n


# P5.25

kept = Exercise(
    "ch05.kept", "What a head keeps", principles=["P5.25"], label="eq:z_up", minutes=6, level="more",
    objective="read a step of token statistics as a projection that depends on the data",
    hints=["In the head's coordinates I - tau / n U_k D_k U_k^T is diagonal.",
           "One factor for each coordinate of each head: 1 - tau / n c / (1 + c m), m the mean square of its views."])


@kept.law("by so much the views of a token of one head alone are multiplied in a step down the bound")
def ke_step(f, rng):
    Z, membership, U = tokens(rng), shares(rng), heads(rng)
    membership[:, 4] = [0, 1, 0]
    factors = np.asarray(f(Z, membership, U, 0.7, 0.8), dtype=float)
    for i in range(2):
        H = np.zeros_like(Z)
        H[:, 4] = U[1][:, i]
        w = U[1][:, i] @ Z[:, 4]
        close(factors[1, i] * w, w - 0.7 * slope(lambda Z: bound(Z, membership, U, 0.8), Z, H))


@kept.law("1 - tau d / (n eps^2) without power, 1 with very much")
def ke_ends(f, rng):
    U = np.eye(5)[None, :, :2]
    Z = np.zeros((5, 6))
    Z[1] = 3000 * (1 + rng.uniform(size=6))
    close(f(Z, np.ones((1, 6)), U, 0.5, 0.8), np.array([[1 - 0.5 * 5 / (6 * 0.64), 1.0]]))


@kept.law("between 0 and 1 at the step n eps^2 / d")
def ke_range(f, rng):
    Z, membership, U = 0.1 * tokens(rng), shares(rng), heads(rng)
    factors = np.asarray(f(Z, membership, U, 6 * 0.64 / 5, 0.8), dtype=float)
    holds(factors.min() >= -1e-5 and factors.max() <= 1 + 1e-5, "a factor is outside")


kept.wrong("what is taken away", replace=("return 1 - tau", "return tau"), caught_by=ke_ends, hint="What is left, not what goes.")
kept.wrong("without n", replace=("tau / Z.shape[1] * c", "tau * c"), caught_by=ke_ends, hint="The gradient has 1 / n in front.")
kept.wrong("p in place of d", replace=("len(Z) / eps**2", "U.shape[2] / eps**2"), caught_by=ke_ends, hint="c = d / eps^2.")
kept.wrong("means over all tokens", replace=("membership.sum(axis=1)[:, None]", "Z.shape[1]"), caught_by=ke_step, hint="Divide by n_k.")
kept.wrong("sums", replace=(" / membership.sum(axis=1)[:, None]", ""), caught_by=ke_step, hint="A mean, not a sum.")


@kept.right("head by head, in JAX")
def _(Z, membership, U, tau, eps):
    Z, n = jnp.asarray(Z), Z.shape[1]
    c = Z.shape[0] / eps**2
    rows = [((B.T @ Z) ** 2 @ share) / jnp.sum(share) for B, share in zip(jnp.asarray(U), jnp.asarray(membership))]
    return jnp.stack([1 - tau / (n * (1 / c + row)) for row in rows])


# P5.27

posterior_heads = Exercise(
    "ch05.posterior_heads", "Which head is it?", principles=["P5.27"], label="eq:pi", minutes=8, level="more",
    objective="derive the membership of a token from a model of tokens",
    hints=["Compare two heads: everything in the log-density that does not depend on k drops out of a softmax.",
           "The exponent is s^2 / (s^2 + sigma^2) ||U_k^T z||^2 / (2 sigma^2).",
           "A softmax over heads, axis 0, with the largest exponent of each token taken off first."])


def bayes(Z, U, signal, sigma):
    logs = []
    for B in U:
        S = signal**2 * B @ B.T + sigma**2 * np.eye(len(Z))
        logs.append([-z @ np.linalg.inv(S) @ z / 2 - np.linalg.slogdet(S)[1] / 2 for z in Z.T])
    odds = np.exp(np.array(logs) - np.max(logs, axis=0))
    return odds / odds.sum(axis=0)


@posterior_heads.law("Bayes' rule with the densities of the heads")
def ph_bayes(f, rng):
    Z, U = tokens(rng), heads(rng)
    for signal, sigma in ((1.0, 0.8), (0.7, 1.1)):
        close(f(Z, U, signal, sigma), bayes(Z, U, signal, sigma))


@posterior_heads.law("the shares of a token add up to 1, also with exponents of 10,000")
def ph_overflow(f, rng):
    Z, U = 10 * tokens(rng), heads(rng)
    found = np.asarray(f(Z, U, 1.0, 0.1), dtype=float)
    holds(np.isfinite(found).all(), "not finite")
    close(found.sum(axis=0), np.ones(6))


@posterior_heads.law("even shares where there is no signal")
def ph_even(f, rng):
    close(f(tokens(rng), heads(rng), 1e-4, 1.0), np.full((3, 6), 1 / 3))


posterior_heads.wrong("without the factor", replace=("signal**2 / (signal**2 + sigma**2)", "1.0"), caught_by=ph_even,
                      hint="That is the limit of little noise. What does the head's covariance say of a view's variance?")
posterior_heads.wrong("a softmax over tokens", replace=("odds / odds.sum(axis=0)", "odds / odds.sum(axis=1, keepdims=True)"), caught_by=ph_bayes,
                      hint="Each token is shared out among heads.")
posterior_heads.wrong("without the half", replace=("/ (2 * sigma**2)", "/ sigma**2"), caught_by=ph_bayes, hint="A Gaussian has 1/2 in its exponent.")
posterior_heads.wrong("nothing taken off before exp", replace=("logits - logits.max(axis=0)", "logits"), caught_by=ph_overflow, hint="exp(10,000) is inf.")
posterior_heads.wrong("the wrong way round", replace=("factor = signal**2 /", "factor = sigma**2 /"), caught_by=ph_bayes)


@posterior_heads.right("from the part outside, in JAX")
def _(Z, U, signal, sigma):
    Z, U = jnp.asarray(Z), jnp.asarray(U)
    inside = jnp.sum(jnp.einsum("kdp,dn->kpn", U, Z) ** 2, axis=1)
    outside = jnp.sum(Z**2, axis=0) - inside
    return jax.nn.softmax(-inside / (2 * (signal**2 + sigma**2)) - outside / (2 * sigma**2), axis=0)


token_statistics = Exercise(
    "ch05.token_statistics", "Token statistics", principles=["P5.25", "P5.27"], label="eq:tssa", minutes=10, stand_in=tost.tssa,
    objective="write attention of linear cost from second moments",
    hints=["Three pieces: views W (K, p, n), shares Pi (K, n) by a softmax over heads, moments (K, p).",
           "m_ki is the sum of Pi_kj w_kij^2 over tokens, divided by the sum of Pi_kj.",
           "Then -tau / n times the sum over k of U_k (f'(m) * w * Pi): rows by slopes, columns by shares."])


@token_statistics.law("a step down the bound, at the membership of the tokens")
def ts_down(f, rng):
    Z, U, H = tokens(rng), heads(rng), rng.normal(size=(5, 6))
    membership = memberships(Z, U, 0.9)
    close(np.sum(np.asarray(f(Z, U, 0.7, 0.8, 0.9), dtype=float) * H), -0.7 * slope(lambda Z: bound(Z, membership, U, 0.8), Z, H))


@token_statistics.law("the tokens in another order give the same outputs in that order")
def ts_order(f, rng):
    Z, U, order = tokens(rng), heads(rng), [3, 0, 4, 1, 2, 5]
    close(f(Z[:, order], U, 0.7, 0.8, 0.9), np.asarray(f(Z, U, 0.7, 0.8, 0.9), dtype=float)[:, order])


@token_statistics.law("at the step n eps^2 / d, one head that holds all deletes what has no power")
def ts_deletes(f, rng):
    Z = np.diag([40.0, 30.0, 1e-3, 1e-3, 1e-3]) @ rng.choice([-1.0, 1.0], size=(5, 6))
    new = Z + np.asarray(f(Z, np.eye(5)[None], 6 * 0.64 / 5, 0.8, 9.0), dtype=float)
    close(1000 * new[2:], np.zeros((3, 6)))
    close(new[:2] / Z[:2], np.ones((2, 6)))


@token_statistics.law("finite with exponents of 10,000")
def ts_finite(f, rng):
    U = heads(rng)
    Z = np.hstack([B @ rng.choice([-1.0, 1.0], size=(2, 2)) for B in U]) * 10
    holds(np.isfinite(np.asarray(f(Z, U, 0.7, 0.8, 0.1))).all(), "not finite")


token_statistics.wrong("uphill", replace=("return -tau", "return tau"), caught_by=ts_down, hint="It is a step down the gradient.")
token_statistics.wrong("a softmax over tokens", replace=("odds / odds.sum(axis=0)", "odds / odds.sum(axis=1, keepdims=True)"), caught_by=ts_down,
                       hint="Here each token is shared out between heads: a softmax over k.")
token_statistics.wrong("sums in place of means", replace=(" / np.sum(share, axis=2, keepdims=True)", ""), caught_by=ts_down, hint="A moment is a mean: divide by n_k.")
token_statistics.wrong("the share once", replace=("* W * share))", "* W))"), caught_by=ts_down, hint="The output of head k for a token has its share in front.")
token_statistics.wrong("p in place of d", replace=("len(Z) / eps**2", "U.shape[2] / eps**2"), caught_by=ts_down, hint="c = d / eps^2.")
token_statistics.wrong("without 1 / n", replace=("-tau / Z.shape[1] *", "-tau *"), caught_by=ts_deletes, hint="The gradient of a rate per token has 1 / n.")
token_statistics.wrong("nothing taken off before exp", replace=("logits - logits.max(axis=0)", "logits"), caught_by=ts_finite, hint="exp(10,000) is inf.")


@token_statistics.right("head by head, with diagonal matrices")
def _(Z, U, tau, eps, sigma):
    Z, out = np.asarray(Z), 0.0
    (d, n), power = Z.shape, np.stack([np.sum((B.T @ Z) ** 2, axis=0) for B in np.asarray(U)]) / (2 * sigma**2)
    for k, B in enumerate(np.asarray(U)):
        share = 1 / np.exp(np.minimum(power - power[k], 80)).sum(axis=0)
        m = (B.T @ Z) ** 2 @ share / np.sum(share)
        out = out + B @ np.diag(1 / (eps**2 / d + m)) @ B.T @ Z @ np.diag(share)
    return -tau * out / n


count_products = Exercise(
    "ch05.count_products", "What it costs", principles=["P5.27"], label="eq:tssa", minutes=5, level="more",
    objective="count the products of attention and of token statistics",
    hints=["A product of (a, b) and (b, c) costs a b c multiplications.",
           "Views: p d n for each head, and as many for the way back. Scores: n p n. Mixing: p n n.",
           "Statistics, for each head: four times p n beside the views and the way back."])


def counted(n, d, K, p):
    """By the shapes of the products, one by one."""
    product = lambda a, b: (a[0] * a[1] * b[1])
    views, back = product((p, d), (d, n)), product((d, p), (p, n))
    attention = views + product((n, p), (p, n)) + product((p, n), (n, n)) + back
    statistics = views + sum(np.ones((p, n)).size for _ in range(4)) + back
    return np.array([K * attention, K * statistics], dtype=float)


@count_products.law("the products, counted by their shapes")
def cp_counted(f, rng):
    for n, d, K, p in [(10, 4, 2, 3), (7, 5, 1, 2), (30, 8, 4, 2)]:
        close(np.asarray(f(n, d, K, p), dtype=float) / 1000, counted(n, d, K, p) / 1000)


@count_products.law("statistics: twice the tokens, twice the products")
def cp_linear(f, rng):
    one, two = (np.asarray(f(n, 6, 3, 2), dtype=float) for n in (20, 40))
    close(two[1] / one[1], 2.0)


@count_products.law("attention: what grows with the square is 2 K p n^2")
def cp_square(f, rng):
    a, b, c = (float(np.asarray(f(n, 6, 3, 2))[0]) for n in (10, 11, 12))
    close(a - 2 * b + c, 2.0 * 2 * 3 * 2)


count_products.wrong("one table of n x n", replace=("2 * K * p * n**2", "K * p * n**2"), caught_by=cp_square, hint="Scores and mixing both meet all pairs.")
count_products.wrong("no way back", replace=("2 * K * d * p * n", "K * d * p * n"), caught_by=cp_counted, hint="U_k brings the head's output back to d dimensions.")
count_products.wrong("pairs in the statistics", replace=("4 * K * p * n\n", "4 * K * p * n**2\n"), caught_by=cp_linear, hint="No token is compared with another.")
count_products.wrong("statistics first", replace=("[views_and_back + attention, views_and_back + statistics]", "[views_and_back + statistics, views_and_back + attention]"),
                     caught_by=cp_linear, hint="Attention first.")


@count_products.right("one head at a time")
def _(n, d, K, p):
    found = [0, 0]
    for _ in range(K):
        found[0] += 2 * d * p * n + 2 * p * n * n
        found[1] += (2 * d + 4) * p * n
    return np.asarray(found)
