"""Exercises of Part 4, last sections: causality, masks and caches, token statistics as a recurrence, a layer again and again."""

import jax
import jax.numpy as jnp
import numpy as np

from book_utils import tost
from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds


def heads(rng, d=5, K=2, p=2):
    """Orthonormal bases (K, d, p) of subspaces that are not orthogonal to each other."""
    return np.stack([np.linalg.qr(rng.normal(size=(d, p)))[0] for _ in range(K)])


def tokens(rng, d=5, n=6):
    return rng.normal(size=(d, n))


def last_of_attention(V):
    """Last column of V softmax(V^T V) (p,), token by token, in float64."""
    scores = np.array([v @ V[:, -1] for v in V.T])
    weights = np.exp(scores - scores.max())
    return sum(w * v for w, v in zip(weights / weights.sum(), V.T))


def last_of_statistics(Z, U, tau, eps, sigma):
    """Last column of TSSA of the tokens Z (d,), by loops, in float64."""
    (d, n), c, out = Z.shape, Z.shape[0] / eps**2, np.zeros(len(Z))
    share = np.exp([[np.sum((B.T @ z) ** 2) / (2 * sigma**2) for z in Z.T] for B in U])
    share /= share.sum(axis=0)
    for B, mine in zip(U, share):
        for column in B.T:
            w = column @ Z
            moment = (mine * w**2).sum() / mine.sum()
            out -= tau / n * mine[-1] * c / (1 + c * moment) * w[-1] * column
    return out


def rate(Z, U, eps):
    """R^c(Z | U) from eigenvalues, in float64."""
    alpha = U.shape[2] / (Z.shape[1] * eps**2)
    return sum(np.log1p(alpha * np.linalg.eigvalsh(Z.T @ B @ B.T @ Z).clip(0)).sum() for B in U) / 2


# P5.28

causality_violation = Exercise(
    "ch05.causality_violation", "Does it look ahead?", principles=["P5.28"], label="sec:causal-crate", minutes=6, level="more",
    objective="measure how far an operator on sequences is from causal",
    hints=["Compare runs[i - 1] with the last of the runs, in the columns that both have.",
           "Run number i - 1 has i columns: a table of True and False, (n, n), says which columns of which run count.",
           "np.abs(runs - runs[-1]).max(axis=1) is (n, n): one number for each run and column. Take the largest where column <= run."])


def some_runs(rng, n=5):
    """Runs of a causal operator, with rubbish in the columns that do not count."""
    whole = rng.normal(size=(3, n))
    return np.stack([np.where(np.arange(n) <= i, whole, rng.normal(size=(3, n))) for i in range(n)])


@causality_violation.law("0 for a causal operator, whatever stands in the columns that do not count")
def cv_causal(f, rng):
    close(f(some_runs(rng)), 0.0)


@causality_violation.law("the size of a change in any one column that counts, up or down")
def cv_one(f, rng):
    for i, j in [(0, 0), (2, 0), (3, 3), (3, 1)]:
        for change in (0.7, -0.3):
            runs = some_runs(rng)
            runs[i, 1, j] += change
            close(f(runs), abs(change))


@causality_violation.law("the largest of several changes")
def cv_largest(f, rng):
    runs = some_runs(rng)
    runs[1, 0, 1] += 0.2
    runs[3, 2, 0] -= 0.9
    close(f(runs), 0.9)


causality_violation.wrong("counts every column", replace=("np.arange(n) <= np.arange(n)[:, None]", "np.ones((n, n), bool)"),
                          caught_by=cv_causal, hint="A run of i tokens has i columns; the rest of the table is not its output.")
causality_violation.wrong("leaves the newest column out", replace=("np.arange(n) <= np", "np.arange(n) < np"), caught_by=cv_one,
                          hint="The newest token's own output must agree, too.")
causality_violation.wrong("looks at columns where rows are meant", replace=("max(axis=1)", "max(axis=2)[:, :1]"), caught_by=cv_causal,
                          hint="The axes of runs are the run, the coordinate and the column.")
causality_violation.wrong("without absolute values", replace=("np.abs(runs - runs[-1])", "(runs - runs[-1])"), caught_by=cv_one,
                          hint="A column may be too small as well.")


@causality_violation.right("run by run, in JAX")
def _(runs):
    return max(jnp.max(jnp.abs(run[:, :i] - runs[-1][:, :i])) for i, run in enumerate(jnp.asarray(runs), start=1))


# P5.29

newest_gradient = Exercise(
    "ch05.newest_gradient", "The gradient in the newest token", principles=["P5.29"], label="sec:causal-crate", minutes=8, level="more",
    needs=[], objective="differentiate the rate of a sequence in its last token",
    hints=["It is the last column of the gradient in all tokens, of Part 3.",
           "For every head: solve (I + alpha W W^T) y = w with w the last column of W, then add up U[k] @ y.",
           "np.linalg.solve takes a stack of matrices (K, p, p) and of right sides (K, p, 1)."])


@newest_gradient.law("the slope of the rate when the last token moves, and no other")
def ng_slope(f, rng):
    for n in (1, 6):
        Z, U, h = tokens(rng, n=n), heads(rng), rng.normal(size=5)
        moved = lambda t: rate(np.concatenate([Z[:, :-1], (Z[:, -1] + t * h)[:, None]], axis=1), U, 0.7)
        close(np.sum(np.asarray(f(Z, U, 0.7)) * h), (moved(1e-5) - moved(-1e-5)) / 2e-5)


@newest_gradient.law("the same in whatever order the earlier tokens stand")
def ng_order(f, rng):
    Z, U = tokens(rng), heads(rng)
    close(f(Z[:, [3, 0, 4, 1, 2, 5]], U, 0.7), f(Z, U, 0.7))


@newest_gradient.law("turns with the tokens and the heads")
def ng_turns(f, rng):
    Z, U, Q = tokens(rng), heads(rng), np.linalg.qr(rng.normal(size=(5, 5)))[0]
    close(f(Q @ Z, Q @ U, 0.7), Q @ np.asarray(f(Z, U, 0.7), dtype=float))


newest_gradient.wrong("without alpha in front", replace=("return alpha * np", "return np"), caught_by=ng_slope,
                      hint="The derivative of log det(I + alpha W W^T) / 2 has a factor alpha.")
newest_gradient.wrong("eps not squared", replace=("eps**2", "eps"), caught_by=ng_slope)
newest_gradient.wrong("d in place of p", replace=("alpha = p / (", "alpha = len(Z) / ("), caught_by=ng_slope,
                      hint="A head codes p coordinates.")
newest_gradient.wrong("forgets that the newest token is one of them", replace=("W @ W.transpose(0, 2, 1)", "W[:, :, :-1] @ W[:, :, :-1].transpose(0, 2, 1)"),
                      caught_by=ng_slope, hint="The rate is that of all n tokens, the newest among them.")
newest_gradient.wrong("the first token's", replace=("W[:, :, -1:]", "W[:, :, :1]"), caught_by=ng_order)


@newest_gradient.right("with the n x n inverse, in JAX")
def _(Z, U, eps):
    Z, U = jnp.asarray(Z), jnp.asarray(U)
    n = Z.shape[1]
    alpha = U.shape[2] / (n * eps**2)
    return alpha * sum(B @ (B.T @ Z) @ jnp.linalg.inv(jnp.eye(n) + alpha * Z.T @ B @ B.T @ Z)[:, -1] for B in U)


causal_attention = Exercise(
    "ch05.causal_attention", "Attention with a mask", principles=["P5.30"], label="sec:causal-crate", minutes=8,
    objective="make attention causal for all tokens at once",
    hints=["Compute all n x n scores, and make those that may not count -inf before the softmax.",
           "Column i has the weights of output i: rows j > i have to go.",
           "np.where(np.arange(n)[:, None] <= np.arange(n), scores, -np.inf); take each column's largest score off before np.exp."])


@causal_attention.law("column i is the last column of attention on the first i tokens")
def ca_prefixes(f, rng):
    W = 1.5 * rng.normal(size=(3, 7))
    close(f(W), np.stack([last_of_attention(W[:, :i]) for i in range(1, 8)], axis=1))


@causal_attention.law("the first output is the first token, and none knows of a later one")
def ca_no_later(f, rng):
    W = rng.normal(size=(3, 7))
    close(np.asarray(f(W))[:, 0], W[:, 0])
    other = W.copy()
    other[:, 4:] = rng.normal(size=(3, 3))
    close(np.asarray(f(other))[:, :4], np.asarray(f(W), dtype=float)[:, :4])


@causal_attention.law("weighted means: a coordinate that all tokens share is kept")
def ca_means(f, rng):
    W = rng.normal(size=(3, 7))
    W[1] = 0.8
    close(np.asarray(f(W))[1], np.full(7, 0.8))


@causal_attention.law("no overflow at scores of 1,000")
def ca_overflow(f, rng):
    W = np.array([[30.0, 31.0, 32.0]])
    close(f(W), W)


causal_attention.wrong("the mask the other way round", replace=("np.arange(n)[:, None] <= np.arange(n)", "np.arange(n)[:, None] >= np.arange(n)"),
                       caught_by=ca_prefixes, hint="Your first output changes when the last token does. Column i must not see the rows below i.")
causal_attention.wrong("not even itself", replace=("np.arange(n)[:, None] <= np", "np.arange(n)[:, None] < np"), caught_by=ca_no_later,
                       hint="A token may look at itself: without that the first has nothing to look at.")
causal_attention.wrong("the softmax along rows", replace=("weights.sum(axis=0)", "weights.sum(axis=1, keepdims=True)"), caught_by=ca_means,
                       hint="The weights of one output stand in one column, and add up to 1 there.")
causal_attention.wrong("masked after the softmax", replace=("np.where(np.arange(n)[:, None] <= np.arange(n), W.T @ W, -np.inf)\n    weights = np.exp(scores - scores.max(axis=0))\n    return W @ (weights / weights.sum(axis=0))",
                       "W.T @ W\n    weights = np.exp(scores - scores.max(axis=0))\n    return W @ np.triu(weights / weights.sum(axis=0))"), caught_by=ca_means,
                       hint="What is cut off after the softmax is missing from the sum: the weights no longer add up to 1.")
causal_attention.wrong("0 in place of -inf", replace=("W.T @ W, -np.inf", "W.T @ W, 0.0"), caught_by=ca_no_later,
                       hint="A score of 0 still gets the weight exp(0) = 1.")
causal_attention.wrong("nothing taken off before exp", replace=("scores - scores.max(axis=0)", "scores"), caught_by=ca_overflow,
                       hint="exp(1000) is inf.")


@causal_attention.right("prefix by prefix, in JAX")
def _(W):
    W = jnp.asarray(W)
    scores = W.T @ W
    columns = [W[:, :i] @ jax.nn.softmax(scores[:i, i - 1]) for i in range(1, W.shape[1] + 1)]
    return jnp.stack(columns, axis=1)


masked_column = Derivation(
    "ch05.masked_column", "A masked column is an unmasked one", principles=["P5.30"], label="sec:causal-crate", minutes=8, level="more",
    objective="show that a mask gives the outputs of all prefixes",
    stages=[Stage("in the softmax of one masked column", uses={"softmax", "M", "W"}, without={"past"}),
            Stage("a ratio of sums over the past alone", uses={"past", "exp", "s"}, without={"M", "W", "softmax"})],
    hints=["Column k of W @ A is W @ A[:, k], and the softmax of a matrix takes each column by itself.",
           "exp(-inf) = 0: rows below k drop out of the numerator and of the sum.",
           "past @ exp(s) / sum(exp(s)), and that is past @ softmax(s). What is W[:, k] in terms of past?"])


@masked_column.instance
def _(rng):
    return dict(W=rng.normal(size=(3, 6)), k=3)


masked_column.wrong("forgets the mask", replace=("softmax(W.T @ W[:, k] + M[:, k])", "softmax(W.T @ W[:, k] + 0 * M[0, 0])"), caught_by="equal",
                    hint="Without M the tokens after k have weight.")
masked_column.wrong("a row of the mask", replace=("M[:, k]", "M[k]"), caught_by="equal", hint="Scores of output k stand in column k.")
masked_column.wrong("divides by all", replace=("/ sum(exp(s))", "/ sum(exp(W.T @ W[:, k]))"), caught_by="equal",
                    hint="Rows below k are exp(-inf) in the sum, too.")
masked_column.wrong("jumps", replace=("    yield past @ exp(s) / sum(exp(s))\n", ""), caught_by="stages")


@masked_column.right("fewer words")
def _(W, k):
    W = np.asarray(W, dtype=float)
    n = W.shape[1]
    exp, sum = np.exp, np.sum
    softmax = lambda S: exp(S) / sum(exp(S), axis=0)
    M = np.where(np.arange(n)[:, None] <= np.arange(n), 0.0, -np.inf)
    past = W[:, : k + 1]
    s = past.T @ W[:, k]
    yield (W @ softmax(W.T @ W + M))[:, k]
    yield W @ softmax((W.T @ W + M)[:, k])
    yield (past @ exp(s)) / exp(s).sum()
    yield (past @ softmax(past.T @ past))[:, -1]


cache_step = Exercise(
    "ch05.cache_step", "Attention with a cache", principles=["P5.29"], label="sec:causal-crate", minutes=6, level="more",
    objective="compute the next output of attention from the views kept",
    hints=["Append the new view as the last column: it is key and value of itself.",
           "The scores are W.T @ w, with the new token among them; a softmax; the weighted mean of the columns of W."])


@cache_step.law("the last column of attention on all tokens")
def cs_last(f, rng):
    W = 1.5 * rng.normal(size=(3, 6))
    close(f(W[:, :-1], W[:, -1])[1], last_of_attention(W))


@cache_step.law("token after token gives causal attention")
def cs_loop(f, rng):
    V = rng.normal(size=(3, 5))
    W = V[:, :1]
    for i in range(1, 5):
        W, out = f(W, V[:, i])
        close(out, last_of_attention(V[:, : i + 1]))
    close(W, V)


@cache_step.law("no overflow at scores of 1,000")
def cs_overflow(f, rng):
    close(f(np.array([[30.0]]), np.array([32.0]))[1], np.array([32.0]))


cache_step.wrong("does not look at itself", replace=("scores = W.T @ W[:, -1]", "scores = np.where(np.arange(W.shape[1]) < W.shape[1] - 1, W.T @ W[:, -1], -np.inf)"),
                 caught_by=cs_last, hint="The new token is one of the tokens it attends to.")
cache_step.wrong("the new view in front", replace=("[np.asarray(W), np.asarray(w)[:, None]]", "[np.asarray(w)[:, None], np.asarray(W)]"),
                 caught_by=cs_loop, hint="In order: the new token comes last.")
cache_step.wrong("no softmax", replace=("np.exp(scores - scores.max())", "scores"), caught_by=cs_last)
cache_step.wrong("nothing taken off before exp", replace=("scores - scores.max()", "scores"), caught_by=cs_overflow, hint="exp(1000) is inf.")


@cache_step.right("with JAX")
def _(W, w):
    W = jnp.hstack([W, jnp.asarray(w)[:, None]])
    return W, W @ jax.nn.softmax(W.T @ jnp.asarray(w))


causal_compress = Exercise(
    "ch05.causal_compress", "A causal layer", principles=["P5.29", "P5.30"], label="sec:causal-crate", minutes=10, level="more",
    objective="write the causal step of compression with the factors that keep it causal",
    hints=["There is one factor a for every column: p / (i eps^2) is a vector of n numbers.",
           "a stands twice: inside MSSA, and with kappa in front of it.",
           "Masked weights for all heads at once: np.where(i[:, None] <= i, exp of W^T W, 0), divided by their sum down columns."])


@causal_compress.law("column i is the last column of the step on the first i tokens")
def cc_prefixes(f, rng):
    Z, U, kappa, eps = tokens(rng), heads(rng), 0.3, 0.9
    expected = np.zeros_like(Z)
    for i in range(1, 7):
        a = 2 / (i * eps**2)
        mixed = a * sum(B @ last_of_attention(B.T @ Z[:, :i]) for B in U)
        expected[:, i - 1] = (1 - kappa * a) * Z[:, i - 1] + kappa * a * mixed
    close(f(Z, U, kappa, eps), expected)


@causal_compress.law("the same for the first tokens when others follow")
def cc_causal(f, rng):
    Z, U = tokens(rng), heads(rng)
    close(f(Z[:, :4], U, 0.3, 0.9), np.asarray(f(Z, U, 0.3, 0.9), dtype=float)[:, :4])


@causal_compress.law("turns with the tokens and the heads")
def cc_turns(f, rng):
    Z, U, Q = tokens(rng), heads(rng), np.linalg.qr(rng.normal(size=(5, 5)))[0]
    close(f(Q @ Z, Q @ U, 0.3, 0.9), Q @ np.asarray(f(Z, U, 0.3, 0.9), dtype=float))


causal_compress.wrong("the length of the whole text in the factor", replace=("U.shape[2] / (i * eps**2)", "U.shape[2] / (len(i) * eps**2) + 0 * i"),
                      caught_by=cc_causal, hint="Drop the last tokens, and your first outputs change: i, not n, stands in alpha.")
causal_compress.wrong("the mask the other way round", replace=("i[:, None] <= i", "i[:, None] >= i"), caught_by=cc_causal,
                      hint="Column i must not see the rows below i.")
causal_compress.wrong("alpha once", replace=("mixed = alpha * np", "mixed = np"), caught_by=cc_prefixes,
                      hint="MSSA has a factor a of its own, and kappa a stands in front of it.")
causal_compress.wrong("1 in place of the residual constant", replace=("(1 - kappa * alpha) * Z", "Z"), caught_by=cc_prefixes,
                      hint="The step shrinks the token a little before it adds.")
causal_compress.wrong("the softmax along rows", replace=("sum(axis=1, keepdims=True)", "sum(axis=2, keepdims=True)"), caught_by=cc_prefixes)


@causal_compress.right("head by head, in JAX")
def _(Z, U, kappa, eps):
    Z, U, n = jnp.asarray(Z), jnp.asarray(U), Z.shape[1]
    alpha = U.shape[2] / (jnp.arange(1, n + 1) * eps**2)
    mask = jnp.where(jnp.triu(jnp.ones((n, n))) > 0, 0.0, -jnp.inf)
    mixed = sum(B @ (B.T @ Z) @ jax.nn.softmax(Z.T @ B @ B.T @ Z + mask, axis=0) for B in U)
    return Z + kappa * alpha * (alpha * mixed - Z)


# Token statistics, book Exercise 5.6

causal_statistics = Exercise(
    "ch05.causal_statistics", "Causal token statistics", principles=["P5.28", "P5.30"], label="eq:tssa", minutes=12,
    stand_in=tost.causal_tssa, objective="make token statistics causal with running sums",
    hints=["Memberships are token by token: nothing changes there. Only the moments are sums over tokens.",
           "np.cumsum along the tokens of Pi w^2, divided by np.cumsum of Pi: one moment for every coordinate and every prefix.",
           "Then -tau / i times U_k (f'(m) * w * Pi), with i = 1, ..., n, and f'(m) = c / (1 + c m), c = d / eps^2."])


@causal_statistics.law("column i is what token statistics adds to the last of the first i tokens")
def st_prefixes(f, rng):
    Z, U = tokens(rng), heads(rng)
    expected = np.stack([last_of_statistics(Z[:, :i], U, 0.7, 0.8, 0.6) for i in range(1, 7)], axis=1)
    close(f(Z, U, 0.7, 0.8, 0.6), expected)


@causal_statistics.law("the same for the first tokens when others follow")
def st_causal(f, rng):
    Z, U = tokens(rng), heads(rng)
    close(f(Z[:, :4], U, 0.7, 0.8, 0.6), np.asarray(f(Z, U, 0.7, 0.8, 0.6), dtype=float)[:, :4])


@causal_statistics.law("the last column does not depend on the order of the earlier tokens")
def st_order(f, rng):
    Z, U = tokens(rng), heads(rng)
    close(np.asarray(f(Z[:, [3, 0, 4, 1, 2, 5]], U, 0.7, 0.8, 0.6))[:, -1], np.asarray(f(Z, U, 0.7, 0.8, 0.6), dtype=float)[:, -1])


causal_statistics.wrong("the current token left out", replace=("np.cumsum(share * W**2, axis=2) / np", "(np.cumsum(share * W**2, axis=2) - share * W**2) / np"),
                        caught_by=st_prefixes, hint="The first i tokens include token i.")
causal_statistics.wrong("the length of the whole text", replace=("np.arange(1, n + 1)", "n"), caught_by=st_causal,
                        hint="Drop the last tokens and your first outputs change: the factor is tau / i.")
causal_statistics.wrong("moments of all tokens", replace=("np.cumsum(share * W**2, axis=2) / np.cumsum(share, axis=2)",
                        "(share * W**2).sum(axis=2, keepdims=True) / share.sum(axis=2, keepdims=True)"), caught_by=st_causal,
                        hint="A moment over all tokens knows the later ones.")
causal_statistics.wrong("squares the running sum", replace=("np.cumsum(share * W**2, axis=2)", "np.cumsum(share * W, axis=2) ** 2"), caught_by=st_prefixes,
                        hint="The square of a sum is not the sum of the squares.")
causal_statistics.wrong("divides by the number of tokens", replace=("/ np.cumsum(share, axis=2)", "/ np.arange(1, n + 1)"), caught_by=st_prefixes,
                        hint="A head's moment is over the tokens it holds: divide by its share of them.")
causal_statistics.wrong("the membership over tokens", replace=("odds / odds.sum(axis=0)", "odds / odds.sum(axis=1, keepdims=True)"), caught_by=st_causal,
                        hint="Each token is shared out between the heads: a softmax over k, for every token.")
causal_statistics.wrong("uphill", replace=("return -tau", "return tau"), caught_by=st_prefixes, hint="It is a step down the gradient.")


@causal_statistics.right("a loop with a state, in NumPy")
def _(Z, U, tau, eps, sigma):
    Z, U = np.asarray(Z, dtype=float), np.asarray(U, dtype=float)
    c, power, mass, columns = len(Z) / eps**2, 0.0, 0.0, []
    for i, z in enumerate(Z.T, start=1):
        w = U.transpose(0, 2, 1) @ z
        odds = np.exp(np.sum(w**2, axis=1) / (2 * sigma**2))
        share = (odds / odds.sum())[:, None]
        power, mass = power + share * w**2, mass + share
        columns.append(-tau / i * np.sum([B @ (c / (1 + c * q) * v * s) for B, q, v, s in zip(U, power / mass, w, share)], axis=0))
    return np.stack(columns, axis=1)


running_moment = Derivation(
    "ch05.running_moment", "Masked, parallel, recurrent", principles=["P5.30"], label="eq:tssa", minutes=8, level="more",
    objective="show that the masked, the parallel and the recurrent form of token statistics agree",
    stages=[Stage("in running sums, without the mask", uses={"cumsum"}, without={"M"}),
            Stage("in the sums before the last token", uses={"power", "mass", "share", "w"}, without={"cumsum", "M", "m"})],
    hints=["A product with the mask M adds up the first 1, ..., n entries: that is what cumsum does.",
           "The last running sum is the sum before the last token, plus the last term.",
           "power = mass * m. Write (mass m + Pi w^2) / (mass + Pi) as m plus something."])


@running_moment.instance
def _(rng):
    return dict(w=rng.normal(size=6), share=rng.uniform(0.1, 0.9, size=6))


running_moment.wrong("adds the last square without its share", replace=("(power + share[-1] * w[-1] ** 2)", "(power + w[-1] ** 2)"), caught_by="equal",
                     hint="Every square has its share in front.")
running_moment.wrong("forgets the last share below", replace=("(power + share[-1] * w[-1] ** 2) / (mass + share[-1])", "(power + share[-1] * w[-1] ** 2) / mass"),
                     caught_by="equal", hint="The mass grows, too.")
running_moment.wrong("the running sum of the squares, then their share", replace=("cumsum(share * w**2)[-1]", "share[-1] * cumsum(w**2)[-1]"), caught_by="equal")
running_moment.wrong("from the mask to the state at once", replace=("    yield cumsum(share * w**2)[-1] / cumsum(share)[-1]\n", ""), caught_by="stages")


@running_moment.right("the second line as sums")
def _(w, share):
    w, share = np.asarray(w, dtype=float), np.asarray(share, dtype=float)
    n, cumsum = len(w), np.cumsum
    M = np.where(np.arange(n)[:, None] <= np.arange(n), 1.0, 0.0)
    power, mass = np.sum(share[:-1] * w[:-1] ** 2), np.sum(share[:-1])
    m = power / mass
    yield (((share * w**2) @ M) / (share @ M))[-1]
    yield (cumsum(share * w**2) / cumsum(share))[-1]
    yield power / (mass + share[-1]) + share[-1] / (mass + share[-1]) * w[-1] ** 2
    yield m + share[-1] / (mass + share[-1]) * (w[-1] ** 2 - m)


recurrent_step = Exercise(
    "ch05.recurrent_step", "The recurrence", principles=["P5.29"], label="eq:tssa", minutes=10, level="more",
    needs=["ch05.causal_statistics"], objective="run token statistics as a recurrent network with a state of fixed size",
    hints=["First the new token's views w (K, p) and shares (K,), then both sums with it, then its output from the new sums.",
           "The moment of a coordinate is its power divided by the mass of its head.",
           "np.einsum('kdp,kp->d', U, slope * w * share[:, None]), times -tau / (count + 1)."])


def a_state(rng, U, n=4, sigma=0.6):
    """n earlier tokens (d, n), and the sums over them."""
    Z = tokens(rng, n=n)
    W = U.transpose(0, 2, 1) @ Z
    share = np.exp((W**2).sum(axis=1) / (2 * sigma**2))
    share /= share.sum(axis=0)
    return Z, (share[:, None] * W**2).sum(axis=2), share.sum(axis=1)


@recurrent_step.law("its output is that of all tokens together")
def rs_output(f, rng):
    U, z = heads(rng), rng.normal(size=5)
    Z, power, mass = a_state(rng, U)
    out = f(power, mass, 4, z, U, 0.7, 0.8, 0.6)[2]
    close(out, last_of_statistics(np.concatenate([Z, z[:, None]], axis=1), U, 0.7, 0.8, 0.6))


@recurrent_step.law("the sums with the new token in them")
def rs_sums(f, rng):
    U, z = heads(rng), rng.normal(size=5)
    _, power, mass = a_state(rng, U)
    new, weight, _ = f(power, mass, 4, z, U, 0.7, 0.8, 0.6)
    odds = [np.exp(np.sum((B.T @ z) ** 2) / 0.72) for B in U]
    for k, B in enumerate(U):
        close(np.asarray(weight)[k], mass[k] + odds[k] / sum(odds))
        close(np.asarray(new)[k], power[k] + odds[k] / sum(odds) * (B.T @ z) ** 2)


@recurrent_step.law("from an empty state on, token after token")
def rs_loop(f, rng):
    U, Z = heads(rng), tokens(rng, n=4)
    power, mass = np.zeros((2, 2)), np.zeros(2)
    for i in range(4):
        power, mass, out = f(power, mass, i, Z[:, i], U, 0.7, 0.8, 0.6)
        close(out, last_of_statistics(Z[:, : i + 1], U, 0.7, 0.8, 0.6))


recurrent_step.wrong("reads out before it takes in", replace=("c / (1 + c * power / mass[:, None])", "c / (1 + c * (power - share[:, None] * w**2) / mass[:, None])"),
                     caught_by=rs_output, hint="The moments of token i have token i in them.")
recurrent_step.wrong("one token too few", replace=("-tau / (count + 1)", "-tau / max(count, 1)"), caught_by=rs_output, hint="i = count + 1.")
recurrent_step.wrong("adds views, not their squares", replace=("share[:, None] * w**2, np", "share[:, None] * w, np"), caught_by=rs_sums)
recurrent_step.wrong("counts tokens in place of shares", replace=("np.asarray(mass) + share", "np.asarray(mass) + 1 + 0 * share"), caught_by=rs_sums,
                     hint="A token is shared out between the heads.")
recurrent_step.wrong("the output without the membership", replace=("slope * w * share[:, None])", "slope * w)"), caught_by=rs_output)


@recurrent_step.right("head by head, in JAX")
def _(power, mass, count, z, U, tau, eps, sigma):
    z, U, c = jnp.asarray(z), jnp.asarray(U), len(z) / eps**2
    w = jnp.stack([B.T @ z for B in U])
    share = jax.nn.softmax(jnp.sum(w**2, axis=1) / (2 * sigma**2))
    power, mass = power + share[:, None] * w**2, mass + share
    out = sum(B @ (s * v / (1 / c + q / m)) for B, s, v, q, m in zip(U, share, w, power, mass))
    return power, mass, -tau / (count + 1) * out


# P5.31

looped_rates = Exercise(
    "ch05.looped_rates", "The same layer again and again", principles=["P5.31"], label="sec:causal-crate", minutes=8, level="more",
    objective="spend more computation on the same layer and see what it buys",
    hints=["Record the rate first, then step: T + 1 numbers, of T + 1 sets of tokens.",
           "W = U.transpose(0, 2, 1) @ Z has shape (K, p, n); A = I + alpha W W^T, (K, p, p). slogdet and solve take stacks.",
           "The gradient is alpha times the sum over heads of U @ solve(A, W)."])


@looped_rates.law("begins with the rate of the tokens")
def lr_first(f, rng):
    Z, U = tokens(rng), heads(rng)
    close(np.asarray(f(Z, U, 0.2, 0.8, 3))[0], rate(Z, U, 0.8))


@looped_rates.law("after one step, the rate of the tokens moved down the slope found by differences")
def lr_second(f, rng):
    Z, U, slope = tokens(rng), heads(rng), np.zeros((5, 6))
    for index in np.ndindex(5, 6):
        moved = np.zeros((5, 6))
        moved[index] = 1e-5
        slope[index] = (rate(Z + moved, U, 0.8) - rate(Z - moved, U, 0.8)) / 2e-5
    close(np.asarray(f(Z, U, 0.2, 0.8, 3))[1], rate(Z - 0.2 * slope, U, 0.8))


@looped_rates.law("falls at every step of size 1 / alpha, where heads are orthogonal")
def lr_falls(f, rng):
    Z, Q = tokens(rng, d=4), np.linalg.qr(rng.normal(size=(4, 4)))[0]
    rates = np.asarray(f(Z, np.stack([Q[:, :2], Q[:, 2:]]), 6 * 0.8**2 / 2, 0.8, 6))
    holds(np.all(np.diff(rates) < 0), "a step does not lower the rate")


looped_rates.wrong("climbs", replace=("Z - kappa * alpha", "Z + kappa * alpha"), caught_by=lr_falls, hint="Down the slope.")
looped_rates.wrong("records after the step only", replace=("T + 1):", "1, T + 2):\n        W = U.transpose(0, 2, 1) @ Z\n        A = np.eye(p) + alpha * W @ W.transpose(0, 2, 1)\n        Z = Z - kappa * alpha * (U @ np.linalg.solve(A, W)).sum(axis=0)"),
                   caught_by=lr_first, hint="The first number belongs to Z as it came.")
looped_rates.wrong("the step without the inverse", replace=("np.linalg.solve(A, W)", "W"), caught_by=lr_second,
                   hint="That is the gradient for small tokens only.")
looped_rates.wrong("without alpha in the step", replace=("kappa * alpha * (U", "kappa * (U"), caught_by=lr_second)
looped_rates.wrong("no half", replace=("[1].sum() / 2", "[1].sum()"), caught_by=lr_first, hint="R^c has a half in front.")


@looped_rates.right("with the n x n matrices")
def _(Z, U, kappa, eps, T):
    Z, U = np.asarray(Z, dtype=float), np.asarray(U, dtype=float)
    n = Z.shape[1]
    alpha, rates = U.shape[2] / (n * eps**2), []
    for _ in range(T + 1):
        G = [np.eye(n) + alpha * Z.T @ B @ B.T @ Z for B in U]
        rates.append(sum(np.log(np.linalg.det(g)) for g in G) / 2)
        Z = Z - kappa * alpha * sum(B @ B.T @ Z @ np.linalg.inv(g) for B, g in zip(U, G))
    return np.array(rates)
