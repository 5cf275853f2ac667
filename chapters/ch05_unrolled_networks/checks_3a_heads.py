"""Exercises of Part 3, first half: the rate of tokens by heads, its gradient, and the way to attention."""

import jax
import jax.numpy as jnp
import numpy as np

from book_utils import crate
from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds


def some(rng, d=5, n=7, K=3, p=2):
    """Tokens (d, n), and heads (K, d, p) that are orthonormal one by one."""
    return rng.normal(size=(d, n)), np.linalg.qr(rng.normal(size=(K, d, p)))[0]


def together(rng, d=6, K=3):
    """Heads (K, d, d / K) that are orthonormal together."""
    return np.linalg.qr(rng.normal(size=(d, d)))[0].reshape(d, K, d // K).transpose(1, 0, 2)


def rotation(rng, d):
    return np.linalg.qr(rng.normal(size=(d, d)))[0]


def rate(W, n, eps):
    """log det(I + p / (n eps^2) W W^T) / 2 from singular values, in float64."""
    return np.log1p(len(W) / (n * eps**2) * np.linalg.svd(W)[1] ** 2).sum() / 2


def by_heads(Z, U, eps):
    return sum(rate(B.T @ Z, Z.shape[1], eps) for B in U)


def slope(f, Z, step=1e-5):
    G = np.zeros_like(Z)
    for index in np.ndindex(*Z.shape):
        e = np.zeros_like(Z)
        e[index] = step
        G[index] = (f(Z + e) - f(Z - e)) / (2 * step)
    return G


def mixed(W):
    """W softmax(W^T W), token by token, in float64."""
    columns = []
    for w in W.T:
        scores = np.array([v @ w for v in W.T])
        odds = np.exp(scores - scores.max())
        columns.append(sum(o * v for o, v in zip(odds / odds.sum(), W.T)))
    return np.stack(columns, axis=1)


# P5.14, P5.15

code_rate = Exercise(
    "ch05.code_rate", "The rate of the heads", principles=["P5.14"], label="eq:def-mcr-Rc", minutes=8, stand_in=crate.code_rate,
    objective="compute what it costs to code tokens head by head",
    hints=["W_k = U[k].T @ Z; all at once U.transpose(0, 2, 1) @ Z, (K, p, n).", "alpha has p above, the number of coordinates a head codes, and n below.",
           "np.linalg.slogdet takes a stack of matrices (K, p, p); its second result are the logarithms."])


@code_rate.law("the sum over heads of the logs of 1 + alpha times squared singular values, halved")
def cr_singular(f, rng):
    Z, U = some(rng)
    close(f(Z, U, 0.7), by_heads(Z, U, 0.7))


@code_rate.law("the same when tokens and heads turn together, and in whatever order the tokens stand")
def cr_turned(f, rng):
    (Z, U), Q = some(rng), rotation(rng, 5)
    close(f(Q @ Z[:, ::-1], Q @ U, 0.7), float(f(Z, U, 0.7)))


@code_rate.law("0 for tokens that no head sees")
def cr_unseen(f, rng):
    Q = rotation(rng, 5)
    close(f(Q[:, :1] @ rng.normal(size=(1, 7)), np.stack([Q[:, 1:3], Q[:, 3:]]), 0.7), 0.0)


code_rate.wrong("d in place of p", replace=("p / (n * eps**2)", "len(Z) / (n * eps**2)"), caught_by=cr_singular, hint="A head codes p coordinates.")
code_rate.wrong("no half", replace=("[1]) / 2", "[1])"), caught_by=cr_singular)
code_rate.wrong("eps not squared", replace=("eps**2", "eps"), caught_by=cr_singular)
code_rate.wrong("heads shared out between tokens", replace=("p / (n * eps**2)", "p * len(U) / (n * eps**2)"), caught_by=cr_singular,
                hint="Every head codes all n tokens; nobody has shared them out.")
code_rate.wrong("one determinant for all heads", replace=("np.eye(p) + p / (n * eps**2) * W @ W.transpose(0, 2, 1)", "np.eye(p) + p / (n * eps**2) * np.sum(W @ W.transpose(0, 2, 1), axis=0)"),
                caught_by=cr_singular, hint="The logs are added up, not the matrices.")


@code_rate.right("with n x n determinants, in JAX")
def _(Z, U, eps):
    Z, (K, d, p), n = jnp.asarray(Z), U.shape, Z.shape[1]
    return sum(jnp.linalg.slogdet(jnp.eye(n) + p / (n * eps**2) * Z.T @ B @ B.T @ Z)[1] for B in jnp.asarray(U)) / 2


sparse_rate_reduction = Exercise(
    "ch05.sparse_rate_reduction", "The sparse rate reduction", principles=["P5.14", "P5.15"], label="eq:sparse-rr-1", minutes=8, level="more",
    objective="write down what a transformer layer is derived from, and say what it cannot see",
    hints=["Three terms: the rate of all tokens, with d; that of the heads, with p; the sum of absolute entries.", "The first term is the second with one head that sees everything."])


@sparse_rate_reduction.law("rate of all less rates of heads less the absolute entries, from singular values")
def sr_terms(f, rng):
    Z, U = some(rng)
    close(f(Z, U, 0.7, 0.2), rate(Z, 7, 0.7) - by_heads(Z, U, 0.7) - 0.2 * np.abs(Z).sum())


@sparse_rate_reduction.law("without the last term: the same when tokens are mixed by a rotation, Z Q")
def sr_blind(f, rng):
    Z, U = some(rng)
    close(f(Z @ rotation(rng, 7), U, 0.7, 0.0), float(f(Z, U, 0.7, 0.0)))


@sparse_rate_reduction.law("without the last term: at most d / 2 log K for heads that are orthonormal together")
def sr_bound(f, rng):
    U = together(rng)
    for scale in (0.1, 1, 30):
        Z = scale * rng.normal(size=(6, 9))
        holds(float(f(Z, U, 0.5, 0.0)) <= 3 * np.log(3) + 1e-3, "above d / 2 log K")


@sparse_rate_reduction.law("falls by the length of a step along signs, times lam, where rates cannot tell")
def sr_sparse(f, rng):
    Z = np.abs(rng.normal(size=(1, 7)))
    U = np.ones((1, 1, 1))
    close(f(Z, U, 0.7, 0.3), -0.3 * Z.sum())


sparse_rate_reduction.wrong("sparsity is punished", replace=("- lam * np.abs", "+ lam * np.abs"), caught_by=sr_sparse, hint="Large entries must cost something.")
sparse_rate_reduction.wrong("counts what is not 0", replace=("np.abs(Z).sum()", "(Z != 0).sum()"), caught_by=sr_terms, hint="The l1 norm adds up sizes.")
sparse_rate_reduction.wrong("the same alpha for both", replace=("len(W) / (Z.shape[1]", "len(Z) / (Z.shape[1]"), caught_by=sr_terms, hint="A head has p coordinates, all tokens have d.")
sparse_rate_reduction.wrong("heads added", replace=("rate(Z) - sum(", "rate(Z) + sum("), caught_by=sr_bound)


@sparse_rate_reduction.right("by singular values")
def _(Z, U, eps, lam):
    Z, U = np.asarray(Z, dtype=float), np.asarray(U, dtype=float)
    logs = lambda W: np.sum(np.log1p(W.shape[0] / (Z.shape[1] * eps**2) * np.linalg.svd(W, compute_uv=False) ** 2)) / 2
    return logs(Z) - sum(logs(B.T @ Z) for B in U) - lam * np.sum(np.abs(Z))


# P5.17

push_through = Derivation(
    "ch05.push_through", "Push it through", principles=["P5.17"], label="eq:rate-gradient", minutes=6, level="more",
    objective="move a matrix through an inverse and so make the gradient linear in the number of tokens",
    stages=[Stage("with both inverses", uses={"A", "B", "inv", "W"})],
    hints=["inv(B) @ B is the identity: put it in front.", "B @ W = W + alpha W W^T W. Which factor can be taken out on the right?", "W + alpha W W^T W = W @ A."])


@push_through.instance
def _(rng):
    return dict(W=rng.normal(size=(3, 5)), alpha=0.7)


push_through.wrong("multiplies out without alpha", replace=("(W + alpha * W @ W.T @ W)", "(W + W @ W.T @ W)"), caught_by="equal", hint="B has an alpha in it.")
push_through.wrong("loses the identity of B", replace=("(W + alpha * W @ W.T @ W)", "(alpha * W @ W.T @ W)"), caught_by="equal")
push_through.wrong("A on the left", replace=("inv(B) @ W @ A @ inv(A)", "inv(B) @ B @ W"), caught_by="equal")


@push_through.right("from the other side")
def _(W, alpha):
    W, (p, n) = np.asarray(W, dtype=float), np.shape(W)
    inv, I = np.linalg.inv, np.eye
    A, B = I(n) + alpha * W.T @ W, I(p) + alpha * W @ W.T
    yield W @ inv(A)
    yield inv(B) @ (B @ W) @ inv(A)
    yield inv(B) @ (W @ A) @ inv(A)
    yield inv(B) @ W


code_gradient = Exercise(
    "ch05.code_gradient", "The gradient of the heads' rate", principles=["P5.17"], label="eq:rate-gradient", minutes=12, needs=["ch05.code_rate"],
    stand_in=crate.code_rate_gradient, objective="differentiate the rate of tokens by heads",
    hints=["By the chain rule the gradient in W_k comes back through U_k: U[k] @ (gradient in W_k).", "The gradient in W_k is alpha (I + alpha W W^T)^-1 W: np.linalg.solve(I + alpha W W^T, W).",
           "U @ solved is (K, d, n). Add up over heads."])


@code_gradient.law("the slope of the rate in every entry")
def cg_slope(f, rng):
    Z, U = some(rng)
    close(f(Z, U, 0.7), slope(lambda Z: by_heads(Z, U, 0.7), Z))


@code_gradient.law("the same as with n x n inverses")
def cg_other(f, rng):
    Z, U = some(rng)
    a = 2 / (7 * 0.49)
    close(f(Z, U, 0.7), a * sum(B @ B.T @ Z @ np.linalg.inv(np.eye(7) + a * Z.T @ B @ B.T @ Z) for B in U))


@code_gradient.law("in each head no singular value above sqrt(alpha) / 2")
def cg_bounded(f, rng):
    Z, U = 5 * rng.normal(size=(6, 7)), together(rng)
    G = np.asarray(f(Z, U, 0.2), dtype=float)
    for B in U:
        holds(np.linalg.norm(B.T @ G, 2) <= np.sqrt(2 / (7 * 0.04)) / 2 + 1e-3, "a head is pushed harder than sqrt(alpha) / 2")


code_gradient.wrong("the inverse left out", replace=("np.linalg.solve(np.eye(p) + alpha * W @ W.transpose(0, 2, 1), W)", "W"), caught_by=cg_slope, hint="That is the gradient near Z = 0 only.")
code_gradient.wrong("a half", replace=("return alpha * np.sum", "return alpha / 2 * np.sum"), caught_by=cg_slope, hint="The half is used up: Z stands twice in Z Z^T.")
code_gradient.wrong("d in place of p", replace=("p / (n * eps**2), U", "len(Z) / (n * eps**2), U"), caught_by=cg_slope)
code_gradient.wrong("heads weighted by their number", replace=("np.sum(U @ solved, axis=0)", "np.mean(U @ solved, axis=0)"), caught_by=cg_slope, hint="A sum over heads.")
code_gradient.wrong("alpha forgotten in front", replace=("return alpha * np.sum", "return np.sum"), caught_by=cg_slope)


@code_gradient.right("head by head, with n x n inverses, in JAX")
def _(Z, U, eps):
    Z, U = jnp.asarray(Z), jnp.asarray(U)
    n = Z.shape[1]
    a = U.shape[2] / (n * eps**2)
    return a * sum(B @ (B.T @ Z) @ jnp.linalg.inv(jnp.eye(n) + a * (B.T @ Z).T @ (B.T @ Z)) for B in U)


@code_gradient.right("from singular values")
def _(Z, U, eps):
    Z, U, G = np.asarray(Z, dtype=float), np.asarray(U, dtype=float), 0.0
    a = U.shape[2] / (Z.shape[1] * eps**2)
    for B in U:
        P, s, Qt = np.linalg.svd(B.T @ Z, full_matrices=False)
        G = G + B @ (P * (a * s / (1 + a * s**2))) @ Qt
    return G


# P5.18 and Exercise 5.2

neumann_sum = Exercise(
    "ch05.neumann_sum", "A Neumann sum", principles=["P5.18"], label="eq:neumann", book="ex:neumannn", minutes=5, level="more",
    objective="approximate an inverse by a geometric series",
    hints=["Matrix powers, not powers of entries.", "I + A (I + A (I + ...)): T times."])


@neumann_sum.law("(I - A) times it is I - A^(T + 1)")
def ns_telescopes(f, rng):
    A = 0.5 * rng.normal(size=(4, 4))
    for T in (0, 1, 3):
        close((np.eye(4) - A) @ np.asarray(f(A, T), dtype=float), np.eye(4) - np.linalg.matrix_power(A, T + 1))


@neumann_sum.law("near the inverse after many terms, where the norm is below 1")
def ns_inverse(f, rng):
    A = rng.normal(size=(4, 4))
    A *= 0.6 / np.linalg.norm(A, 2)
    close(f(A, 40), np.linalg.inv(np.eye(4) - A))


@neumann_sum.law("finite where A^2 = 0, however large A")
def ns_nilpotent(f, rng):
    u, v = np.linalg.qr(rng.normal(size=(4, 2)))[0].T
    close(f(3 * np.outer(u, v), 9), np.eye(4) + 3 * np.outer(u, v))


neumann_sum.wrong("starts at the first power", replace=("    return total", "    return total - np.eye(len(A))"), caught_by=ns_telescopes, hint="A^0 = I is in the sum.")
neumann_sum.wrong("for I + A", replace=("np.eye(len(A)) + A @ total", "np.eye(len(A)) - A @ total"), caught_by=ns_telescopes, hint="That is the series of the inverse of I + A.")
neumann_sum.wrong("one term too many", replace=("range(T)", "range(T + 1)"), caught_by=ns_telescopes)
neumann_sum.wrong("powers of entries", replace=("+ A @ total", "+ A * total"), caught_by=ns_telescopes, hint="@ is the product of matrices.")


@neumann_sum.right("from powers, in JAX")
def _(A, T):
    A = jnp.asarray(A)
    return sum(jnp.linalg.matrix_power(A, k) for k in range(T + 1))


to_attention = Derivation(
    "ch05.to_attention", "The first approximation", principles=["P5.18"], label="eq:gd-mcr-parts", minutes=8, level="more",
    objective="find attention and its residual constant in a gradient step",
    stages=[Stage("with U U^T and V V^T", uses={"U", "V", "mssa"}, without={"X", "Y", "kernel"})],
    hints=["U @ X @ (I - alpha kernel(X)) = U @ X - alpha U @ X @ kernel(X).", "alpha times the two terms with kernels is mssa. One alpha stays in front of it.",
           "U @ X = U @ U.T @ Z, and U U^T + V V^T = I."])


@to_attention.instance
def _(rng):
    return dict(Z=rng.normal(size=(4, 5)) / 2, Q=rotation(rng, 4), kappa=0.3, alpha=0.6)


to_attention.wrong("alpha squared before mssa", replace=("V @ V.T) @ Z + kappa * alpha * mssa", "V @ V.T) @ Z + kappa * alpha * alpha * mssa"), caught_by="equal", hint="mssa has one alpha inside.")
to_attention.wrong("a sign", replace=("yield Z - kappa * alpha * Z + kappa", "yield Z - kappa * alpha * Z - kappa"), caught_by="equal", hint="Minus times minus.")
to_attention.wrong("forgets to shrink", replace=("yield Z - kappa * alpha * Z + kappa", "yield Z + kappa"), caught_by="equal")
to_attention.wrong("jumps over the identity", replace=("    yield Z - kappa * alpha * (U @ U.T + V @ V.T) @ Z + kappa * alpha * mssa\n", ""), caught_by="stages")


@to_attention.right("the heads' projections first")
def _(Z, Q, alpha, kappa):
    Z, Q = np.asarray(Z, dtype=float), np.asarray(Q, dtype=float)
    U, V, I = Q[:, : len(Q) // 2], Q[:, len(Q) // 2 :], np.eye(Z.shape[1])
    kernel = lambda W: W.T @ W
    X, Y = U.T @ Z, V.T @ Z
    mssa = alpha * (U @ X @ kernel(X) + V @ Y @ kernel(Y))
    yield Z - kappa * alpha * (U @ X @ (I - alpha * kernel(X)) + V @ Y @ (I - alpha * kernel(Y)))
    yield Z - kappa * alpha * (U @ U.T @ Z + V @ V.T @ Z - mssa)
    yield Z - kappa * alpha * (Z - mssa)
    yield (1 - kappa * alpha) * Z + kappa * alpha * mssa


ssa = Exercise(
    "ch05.ssa", "Subspace self-attention", principles=["P5.18"], label="eq:SSA", minutes=8, stand_in=crate.ssa,
    objective="mix tokens by how alike a head sees them",
    hints=["Scores W^T W are (n, n): entry (j, i) compares tokens j and i.", "Column i holds the weights of output i: the softmax runs down, and W @ weights mixes.",
           "Take each column's largest score off before np.exp."])


@ssa.law("token by token, the mean of all tokens weighted by exp of inner products")
def ssa_loops(f, rng):
    W = rng.normal(size=(3, 6))
    close(f(W), mixed(W))


@ssa.law("weighted means: a coordinate that all tokens share is kept")
def ssa_means(f, rng):
    W = rng.normal(size=(3, 6))
    W[1] = -0.7
    close(np.asarray(f(W))[1], np.full(6, -0.7))


@ssa.law("tokens in another order give outputs in that order")
def ssa_order(f, rng):
    W = rng.normal(size=(3, 6))
    close(f(W[:, [2, 5, 0, 4, 1, 3]]), np.asarray(f(W), dtype=float)[:, [2, 5, 0, 4, 1, 3]])


@ssa.law("no overflow at scores of 1,000: each token finds the longest of its kind")
def ssa_overflow(f, rng):
    close(f(np.array([[30.0, 32.0, -31.0]])), np.array([[32.0, 32.0, -31.0]]))


ssa.wrong("the softmax along rows", replace=("weights.sum(axis=0)", "weights.sum(axis=1, keepdims=True)"), caught_by=ssa_means, hint="The weights of one output stand in one column, and add up to 1 there.")
ssa.wrong("scores divided by sqrt(p)", replace=("scores = W.T @ W", "scores = W.T @ W / np.sqrt(len(W))"), caught_by=ssa_loops, hint="Published code divides; the operator here does not.")
ssa.wrong("no values", replace=("W @ (weights / weights.sum(axis=0))", "np.ones_like(W) @ (weights / weights.sum(axis=0)) * W"), caught_by=ssa_loops)
ssa.wrong("nothing taken off before exp", replace=("scores - scores.max(axis=0)", "scores"), caught_by=ssa_overflow, hint="exp(1000) is inf.")
ssa.wrong("coordinates compared, not tokens", replace=("W.T @ W", "np.tile(W[:1].T @ W[:1], 1)"), caught_by=ssa_loops)


@ssa.right("column by column, in JAX")
def _(W):
    W = jnp.asarray(W)
    return jax.vmap(lambda w: W @ jax.nn.softmax(W.T @ w), 1, 1)(W)


mssa_step = Exercise(
    "ch05.mssa_step", "A step of attention", principles=["P5.18"], label="eq:gd-mcr-parts", minutes=8, level="more", needs=["ch05.ssa"],
    stand_in=crate.mssa_step, objective="put heads and residual constant together",
    hints=["All heads at once: W = U.transpose(0, 2, 1) @ Z is (K, p, n), scores W.transpose(0, 2, 1) @ W are (K, n, n).", "Weights add up to 1 down the middle axis.",
           "MSSA has an alpha inside, and kappa alpha stands before it."])


@mssa_step.law("head by head and token by token")
def ms_loops(f, rng):
    Z, U = some(rng)
    a = 2 / (7 * 0.81)
    close(f(Z, U, 0.3, 0.9), (1 - 0.3 * a) * Z + 0.3 * a * a * sum(B @ mixed(B.T @ Z) for B in U))


@mssa_step.law("turns with tokens and heads")
def ms_turns(f, rng):
    (Z, U), Q = some(rng), rotation(rng, 5)
    close(f(Q @ Z, Q @ U, 0.3, 0.9), Q @ np.asarray(f(Z, U, 0.3, 0.9), dtype=float))


@mssa_step.law("small tokens in a coarse code: near a step down the slope, for heads that are orthonormal together and n copies of a token")
def ms_descends(f, rng):
    U, z = together(rng), rng.normal(size=6)
    Z = 0.1 * np.outer(z, np.ones(7))
    before, after = by_heads(Z, U, 1.0), by_heads(np.asarray(f(Z, U, 1.0, 1.0), dtype=float), U, 1.0)
    holds(after < before, "the step does not lower the rate")


mssa_step.wrong("alpha twice", replace=("+ share * mixed", "+ alpha * share * mixed"), caught_by=ms_loops, hint="One alpha is inside MSSA already.")
mssa_step.wrong("1 for the residual constant", replace=("(1 - share) * Z", "Z"), caught_by=ms_descends, hint="Then the step goes up the rate, not down.")
mssa_step.wrong("the softmax along rows", replace=("sum(axis=1, keepdims=True)", "sum(axis=2, keepdims=True)"), caught_by=ms_loops)
mssa_step.wrong("does not come back through U", replace=("np.sum(U @ W @ (weights", "np.sum(U[::-1] @ W @ (weights"), caught_by=ms_loops, hint="Each head speaks through its own basis.")


@mssa_step.right("head by head, in JAX")
def _(Z, U, kappa, eps):
    Z = jnp.asarray(Z)
    a = U.shape[2] / (Z.shape[1] * eps**2)
    heads = [B @ (B.T @ Z) @ jax.nn.softmax((B.T @ Z).T @ (B.T @ Z), axis=0) for B in jnp.asarray(U)]
    return Z + kappa * a * (a * sum(heads) - Z)


# Exercise 5.3 of the book

mean_rate = Exercise(
    "ch05.mean_rate", "The rate around means", principles=["P5.14"], label="eq:def-mcr-Rc", minutes=6, level="more", needs=["ch05.code_rate"],
    objective="extend the rate of the heads to clusters that are not centred",
    hints=["mu.T[:, :, None] is (K, d, 1): Z less that is (K, d, n), one copy for every head.", "Then as before, with V in place of W."])


@mean_rate.law("the rate of each head's tokens, taken from that head's mean")
def mr_parts(f, rng):
    (Z, U), mu = some(rng), rng.normal(size=(5, 3))
    close(f(Z, U, mu, 0.7), sum(rate(B.T @ (Z - m[:, None]), 7, 0.7) for B, m in zip(U, mu.T)))


@mean_rate.law("the same when tokens and means are shifted alike")
def mr_shift(f, rng):
    (Z, U), mu, c = some(rng), rng.normal(size=(5, 3)), rng.normal(size=(5, 1))
    close(f(Z + c, U, mu + c, 0.7), float(f(Z, U, mu, 0.7)))


@mean_rate.law("does not see the part of a mean that lies outside the head")
def mr_inside(f, rng):
    (Z, U), mu = some(rng), rng.normal(size=(5, 3))
    inside = np.stack([B @ B.T @ m for B, m in zip(U, mu.T)], axis=1)
    close(f(Z, U, inside, 0.7), float(f(Z, U, mu, 0.7)))


mean_rate.wrong("the mean of the tokens instead", replace=("Z - mu.T[:, :, None]", "Z - Z.mean(axis=1, keepdims=True) + 0 * mu.T[:, :, None]"), caught_by=mr_parts, hint="mu is given: it is the mean of the model.")
mean_rate.wrong("adds the mean", replace=("Z - mu.T", "Z + mu.T"), caught_by=mr_shift)
mean_rate.wrong("one mean for all heads", replace=("mu.T[:, :, None]", "mu.T[:1, :, None]"), caught_by=mr_parts, hint="Every head has its own.")
mean_rate.wrong("no half", replace=("[1]) / 2", "[1])"), caught_by=mr_parts)


@mean_rate.right("head by head, in JAX")
def _(Z, U, mu, eps):
    Z, n = jnp.asarray(Z), Z.shape[1]
    p = U.shape[2]
    V = [B.T @ Z - (B.T @ m)[:, None] for B, m in zip(jnp.asarray(U), jnp.asarray(mu).T)]
    return sum(jnp.linalg.slogdet(jnp.eye(p) + p / (n * eps**2) * v @ v.T)[1] for v in V) / 2


mean_attention = Exercise(
    "ch05.mean_attention", "Attention around means", principles=["P5.18"], label="eq:Multi-Head-SSA", minutes=8, level="more", needs=["ch05.ssa", "ch05.mean_rate"],
    objective="derive what means add to attention",
    hints=["Values and scores both come from V_k.", "U @ V @ weights, summed over heads, times alpha."])


@mean_attention.law("head by head and token by token, around the means")
def ma_loops(f, rng):
    (Z, U), mu = some(rng), rng.normal(size=(5, 3))
    close(f(Z, U, mu, 0.9), 2 / (7 * 0.81) * sum(B @ mixed(B.T @ (Z - m[:, None])) for B, m in zip(U, mu.T)))


@mean_attention.law("keys need no shift: the weights come from queries shifted and keys as they are")
def ma_queries(f, rng):
    (Z, U), mu, out = some(rng), rng.normal(size=(5, 3)), 0.0
    for B, m in zip(U, mu.T):
        W, shift = B.T @ Z, (B.T @ m)[:, None]
        scores = W.T @ (W - shift)
        odds = np.exp(scores - scores.max(axis=0))
        out = out + B @ (W - shift) @ (odds / odds.sum(axis=0))
    close(f(Z, U, mu, 0.9), 2 / (7 * 0.81) * out)


@mean_attention.law("the same when tokens and means are shifted alike")
def ma_shift(f, rng):
    (Z, U), mu, c = some(rng), rng.normal(size=(5, 3)), rng.normal(size=(5, 1))
    close(f(Z + c, U, mu + c, 0.9), np.asarray(f(Z, U, mu, 0.9), dtype=float))


mean_attention.wrong("values not shifted", replace=("np.sum(U @ V @ (weights", "np.sum(U @ (U.transpose(0, 2, 1) @ Z) @ (weights"), caught_by=ma_loops, hint="What is mixed is coded, and what is coded is V.")
mean_attention.wrong("queries not shifted", replace=("V.transpose(0, 2, 1) @ V)", "V.transpose(0, 2, 1) @ (U.transpose(0, 2, 1) @ Z))"), caught_by=ma_loops,
                     hint="Keys may stay as they are, queries not: which factor of the scores belongs to the column?")
mean_attention.wrong("the softmax along rows", replace=("sum(axis=1, keepdims=True)", "sum(axis=2, keepdims=True)"), caught_by=ma_loops)
mean_attention.wrong("without alpha", replace=("return alpha * np.sum", "return np.sum"), caught_by=ma_loops)


@mean_attention.right("head by head, in JAX")
def _(Z, U, mu, eps):
    Z, out = jnp.asarray(Z), 0.0
    for B, m in zip(jnp.asarray(U), jnp.asarray(mu).T):
        V = B.T @ (Z - m[:, None])
        out = out + B @ V @ jax.nn.softmax(V.T @ V, axis=0)
    return U.shape[2] / (Z.shape[1] * eps**2) * out


largest_head = Exercise(
    "ch05.largest_head", "Is the series valid?", principles=["P5.18"], label="eq:gd_rc_neumann", minutes=6, level="more",
    objective="say when two terms of a series may stand for an inverse",
    hints=["The spectral norm of W W^T is the square of the largest singular value of W.", "np.linalg.norm(W, 2, axis=(1, 2)) has one for every head."])


@largest_head.law("the largest eigenvalue of any head's second moment, times alpha")
def lh_eigen(f, rng):
    Z, U = some(rng)
    close(f(Z, U, 0.7), max(np.linalg.eigvalsh(B.T @ Z @ Z.T @ B)[-1] for B in U) * 2 / (7 * 0.49))


@largest_head.law("at least 1 / (K eps^2) for tokens of length 1 and heads that are orthonormal together")
def lh_bound(f, rng):
    Z = rng.normal(size=(6, 9))
    holds(float(f(Z / np.linalg.norm(Z, axis=0), together(rng), 0.5)) >= 1 / (3 * 0.25) - 1e-4, "below 1 / (K eps^2)")
    close(f(np.eye(6)[:, [0, 1, 2, 3, 4, 5]], np.eye(6).reshape(6, 3, 2).transpose(1, 0, 2), 0.5), 1 / (3 * 0.25))


@largest_head.law("four times as large for eps half as large")
def lh_scale(f, rng):
    Z, U = some(rng)
    close(float(f(Z, U, 0.4)) / float(f(Z, U, 0.8)), 4.0)


largest_head.wrong("singular values not squared", replace=("axis=(1, 2))) ** 2", "axis=(1, 2)))"), caught_by=lh_eigen)
largest_head.wrong("the smallest head", replace=("np.max(", "np.min("), caught_by=lh_eigen, hint="The series must be valid in every head.")
largest_head.wrong("all directions together", replace=("np.linalg.norm(W, 2, axis=(1, 2))", "np.linalg.norm(W, axis=(1, 2))"), caught_by=lh_eigen, hint="The spectral norm is the largest singular value, not the root of the sum of their squares.")
largest_head.wrong("eps not squared", replace=("eps**2", "eps"), caught_by=lh_scale)


@largest_head.right("by eigenvalues, in JAX")
def _(Z, U, eps):
    W = jnp.einsum("kdp,dn->kpn", jnp.asarray(U), jnp.asarray(Z))
    return U.shape[2] / (Z.shape[1] * eps**2) * jnp.max(jnp.linalg.eigvalsh(W @ W.transpose(0, 2, 1)))
