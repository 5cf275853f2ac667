"""Exercises of Part 4, its beginning: what attention alone does to noisy tokens, for how many layers, and a stack of it."""

import jax
import jax.numpy as jnp
import numpy as np

from book_utils import attention_only
from book_utils.course.exercises import Exercise, close, holds


def orthogonal_heads(rng, d, K, p):
    """K subspaces of p dimensions, orthogonal to each other: (K, d, p)."""
    return np.linalg.qr(rng.normal(size=(d, K * p)))[0].reshape(d, K, p).transpose(1, 0, 2)


def mixture(rng, delta, d=50, K=2, p=24, n=10):
    """Tokens near two orthogonal subspaces, classes in no order."""
    U, labels = orthogonal_heads(rng, d, K, p), rng.permutation(np.arange(n) % K)
    parts = rng.normal(size=(K, p, n)) * np.where(labels == np.arange(K)[:, None], 1.0, delta)[:, None]
    return np.einsum("kdp,kpn->dn", U, parts), labels, U


def softmax(scores):
    scores = np.exp(scores - scores.max())
    return scores / scores.sum()


def slow_step(Z, U, eta, tau):
    """One layer with a threshold, token by token."""
    new = Z.copy()
    for B in U:
        for i in range(Z.shape[1]):
            weights = softmax(np.array([(B.T @ z) @ (B.T @ Z[:, i]) for z in Z.T]))
            for j in np.flatnonzero(weights > tau):
                new[:, i] += eta * tau * B @ (B.T @ Z[:, j])
    return new


def slow_stack_layer(Z, U, eta, temperature):
    """One layer of the stack, token by token."""
    Y, new = np.sqrt(len(Z)) * Z / np.sqrt((Z**2).sum(axis=0)), Z.copy()
    for B in U:
        for i in range(Z.shape[1]):
            weights = softmax(np.array([(B.T @ y) @ (B.T @ Y[:, i]) for y in Y.T]) / temperature)
            new[:, i] += eta * B @ (B.T @ Y) @ weights
    return new


# P5.21

token_snr = Exercise(
    "ch05.token_snr", "Signal over noise", principles=["P5.21"], label="def:SNR", minutes=6, level="more",
    stand_in=attention_only.token_snr, objective="measure how far tokens are from the subspace of their class",
    hints=["For each class take its own tokens only. What is their part inside the subspace?",
           "U[k] U[k]^T projects on the subspace; what is left is outside.",
           "np.linalg.norm of a matrix is its Frobenius norm: divide that of the inside by that of the outside."])


@token_snr.law("tangent of the complement of the angle, for one token of each class")
def snr_angle(f, rng):
    U = orthogonal_heads(rng, 5, 2, 2)
    angles, Z = rng.uniform(0.3, 1.2, size=2), np.zeros((5, 2))
    for k in range(2):
        inside, outside = U[k] @ [0.6, 0.8], U[1 - k] @ [0.8, -0.6]
        Z[:, k] = 3 * (np.cos(angles[k]) * inside + np.sin(angles[k]) * outside)
    close(f(Z, np.array([0, 1]), U), 1 / np.tan(angles))


@token_snr.law("its square is a quotient of sums of squares over the tokens of the class")
def snr_sums(f, rng):
    Z, U, labels = rng.normal(size=(5, 7)), orthogonal_heads(rng, 5, 2, 2), np.array([1, 0, 0, 1, 1, 1, 0])
    expected = []
    for k in range(2):
        inside = sum((U[k][:, a] @ Z[:, i]) ** 2 for i in range(7) if labels[i] == k for a in range(2))
        expected.append(inside / ((Z[:, labels == k] ** 2).sum() - inside))
    close(np.asarray(f(Z, labels, U)) ** 2, expected)


token_snr.wrong("squares", replace=("np.linalg.norm(inside) / np.linalg.norm(Z_k - inside)",
                "np.linalg.norm(inside)**2 / np.linalg.norm(Z_k - inside)**2"), caught_by=snr_angle,
                hint="Norms, not squares: with squares a layer would multiply by (1 + eta tau)^2.")
token_snr.wrong("over the whole token", replace=("np.linalg.norm(Z_k - inside)", "np.linalg.norm(Z_k)"), caught_by=snr_angle,
                hint="The denominator is what lies outside of the subspace.")
token_snr.wrong("tokens of all classes", replace=("Z[:, labels == k]", "Z"), caught_by=snr_sums,
                hint="Class k has its own tokens: labels == k.")


@token_snr.right("with projectors in JAX")
def _(Z, labels, U):
    own = jax.nn.one_hot(jnp.asarray(labels), U.shape[0], axis=0)
    squares = jnp.sum(jnp.einsum("kdp,dn->kpn", U, Z) ** 2, axis=1)
    whole = jnp.sum(jnp.asarray(Z) ** 2, axis=0)
    return jnp.sqrt(jnp.sum(own * squares, axis=1) / jnp.sum(own * (whole - squares), axis=1))


thresholded_softmax = Exercise(
    "ch05.thresholded_softmax", "A softmax with a threshold", principles=["P5.21"], label="thm:1", minutes=5, level="more",
    stand_in=attention_only.thresholded_softmax, objective="keep of a softmax only what dominates",
    hints=["First the softmax of every column, then the threshold.", "Take the largest score of a column off before exponentials.",
           "np.where(weights > tau, tau, 0.0), with weights that add up to 1 down each column."])


@thresholded_softmax.law("tau exactly where the odds against an entry's column are small")
def threshold_odds(f, rng):
    A, tau = 2 * rng.normal(size=(5, 5)), 0.45
    odds = np.array([[sum(np.exp(A[l, i] - A[j, i]) for l in range(5)) for i in range(5)] for j in range(5)])
    close(f(A, tau), tau * (odds < 1 / tau))


@thresholded_softmax.law("the same when a number is added to each column, with no overflow at 10,000")
def threshold_shift(f, rng):
    A = 3 * rng.normal(size=(5, 5))
    far = A + np.array([0.0, 10_000, 0, 0, -3])
    odds = np.array([softmax(column) for column in np.asarray(far, np.float32).astype(float).T]).T
    close(f(far, 0.55), 0.55 * (odds > 0.55))


thresholded_softmax.wrong("rows", replace=("weights.sum(axis=0)", "weights.sum(axis=1, keepdims=True)"), caught_by=threshold_odds,
                          hint="The softmax runs down each column: column i holds the weights for token i.")
thresholded_softmax.wrong("keeps the weight itself", replace=("weights > tau, tau", "weights > tau, weights"),
                          caught_by=threshold_odds, hint="What is kept becomes tau, whatever it was.")
thresholded_softmax.wrong("no softmax", replace=("weights / weights.sum(axis=0)", "weights"), caught_by=threshold_odds,
                          hint="The weights of a column add up to 1.")
thresholded_softmax.wrong("overflows", replace=("np.exp(A - A.max(axis=0))", "np.exp(A)"), caught_by=threshold_shift,
                          hint="exp(10000) is inf, and inf / inf is NaN.")


@thresholded_softmax.right("with JAX")
def _(A, tau):
    return tau * (jax.nn.softmax(jnp.asarray(A), axis=0) > tau)


denoise_step = Exercise(
    "ch05.denoise_step", "A layer that denoises", principles=["P5.21"], label="eq:MSSA", minutes=8, level="more",
    stand_in=attention_only.denoise_step, needs=["ch05.thresholded_softmax"], allows=[attention_only.thresholded_softmax],
    objective="write attention with a threshold and a skip connection, and see it multiply the signal",
    hints=["Head by head: what the head sees, the scores between all pairs of tokens, the thresholded weights.",
           "W_k phi has one column per token; U_k brings it back to d dimensions.",
           "Start from Z and add eta * U_k @ (W_k @ phi(W_k.T @ W_k)) for every k."])


@denoise_step.law("signal of each token times 1 + eta tau and noise unchanged, near orthogonal subspaces")
def denoise_exact(f, rng):
    Z, labels, U = mixture(rng, 0.03)
    own = np.stack([U[k] @ U[k].T @ z for k, z in zip(labels, Z.T)], axis=1)
    close(f(Z, U, 0.7, 0.6), Z + 0.7 * 0.6 * own)


@denoise_step.law("as token by token, where heads overlap and tokens see each other")
def denoise_slow(f, rng):
    Z = np.round(1.5 * rng.normal(size=(5, 7)), 1)
    U = np.stack([np.linalg.qr(rng.normal(size=(5, 2)))[0] for _ in range(3)])
    close(f(Z, U, 0.4, 0.3), slow_step(Z, U, 0.4, 0.3))


denoise_step.wrong("no skip connection", replace=("new = Z.astype(float)", "new = 0.0"), caught_by=denoise_exact,
                   hint="New tokens are the old ones plus what the heads add.")
denoise_step.wrong("stays with the heads' scores", replace=("W.T @ W, tau", "Z.T @ Z, tau"), caught_by=denoise_slow,
                   hint="Head k compares what it sees: U_k^T z.")
denoise_step.wrong("tau once more", replace=("eta * basis", "eta * tau * basis"), caught_by=denoise_exact,
                   hint="phi already contains the factor tau.")
denoise_step.wrong("mixes along rows", replace=("thresholded_softmax(W.T @ W, tau))",
                   "np.asarray(thresholded_softmax(W.T @ W, tau)).T)"), caught_by=denoise_slow,
                   hint="Column i of the weights mixes token i: W @ phi, not W @ phi.T.")


@denoise_step.right("all heads at once in JAX")
def _(Z, U, eta, tau):
    W = jnp.einsum("kdp,dn->kpn", U, Z)
    weights = jax.nn.softmax(jnp.einsum("kpj,kpi->kji", W, W), axis=1)
    return Z + eta * tau * jnp.einsum("kdp,kpj,kji->di", U, W, weights > tau)


layers_exact = Exercise(
    "ch05.layers_exact", "How many layers are exact?", principles=["P5.21"], label="eq:SNR", minutes=12, level="challenge",
    stand_in=attention_only.layers_exact, needs=["ch05.thresholded_softmax"], allows=[attention_only.thresholded_softmax],
    objective="tell from the first tokens where the denoising theorem ends",
    hints=["Which columns of W_k = U_k^T Z have grown after l exact layers, and by which factor?",
           "Multiply the columns with labels == k by (1 + eta tau)^l. Where is the thresholded softmax not 0?",
           "It has to be not 0 exactly where np.diag(labels == k) is True, for all k; return the first l where it is not."])


def counted(Z, labels, U, eta, tau, L):
    """By walking through the layers and looking at the tokens."""
    for layer in range(L):
        wanted = Z + eta * tau * np.stack([U[k] @ U[k].T @ z for k, z in zip(labels, Z.T)], axis=1)
        new = slow_step(Z, U, eta, tau)
        if np.abs(new - wanted).max() > 1e-6:
            return layer
        Z = new
    return L


@layers_exact.law("the number counted by walking through the layers")
def exact_walked(f, rng):
    for delta in (0.05, 0.3):
        Z, labels, U = mixture(rng, delta)
        close(f(Z, labels, U, 0.8, 0.6, 12), counted(Z, labels, U, 0.8, 0.6, 12))


@layers_exact.law("L where there is almost no noise, and 0 where noise is as large as the signal")
def exact_ends(f, rng):
    close(f(*mixture(rng, 1e-6), 0.5, 0.55, 6), 6)
    close(f(*mixture(rng, 1.0), 0.5, 0.55, 6), 0)


layers_exact.wrong("nothing grows", replace=("(1 + eta * tau) ** layer", "1.0"), caught_by=exact_walked,
                   hint="After l layers the signals are (1 + eta tau)^l times as long.")
layers_exact.wrong("noise grows, too", replace=("np.where(labels == k, (1 + eta * tau) ** layer, 1.0)", "(1 + eta * tau) ** layer"),
                   caught_by=exact_walked, hint="Only the tokens of class k grow in head k.")
layers_exact.wrong("off by one", replace=("return layer", "return layer + 1"), caught_by=exact_ends,
                   hint="If layer 0 is not exact, no layer is.")
layers_exact.wrong("every token is kept", replace=("np.diag(labels == k)", "np.eye(len(labels), dtype=bool)"),
                   caught_by=exact_ends, hint="In head k the tokens of other classes must get nothing.")


@layers_exact.right("by the largest noise weight and the smallest own weight")
def _(Z, labels, U, eta, tau, L):
    Z, labels, U = np.asarray(Z, dtype=float), np.asarray(labels), np.asarray(U, dtype=float)
    n = len(labels)
    for layer in range(L):
        for k in range(len(U)):
            W = U[k].T @ Z
            W[:, labels == k] *= (1 + eta * tau) ** layer
            scores = W.T @ W
            odds = 1 / np.array([[np.exp(np.clip(scores[:, i] - scores[j, i], -500, 500)).sum() for i in range(n)] for j in range(n)])
            mine = labels == k
            if odds[:, ~mine].max() > tau or odds[mine, mine].min() <= tau:
                return layer
    return L


# P5.22

attention_stack = Exercise(
    "ch05.attention_stack", "A stack of attention", principles=["P5.22"], label="sub:aot", minutes=8, level="more",
    stand_in=attention_only.attention_stack, objective="write a transformer of attention and normalisation alone",
    hints=["In a layer there are two versions of the tokens: Z, which is added to, and Y, which the heads see.",
           "Y = Z / np.linalg.norm(Z, axis=0) * sqrt(d). Scores are W.T @ W / temperature, softmax down columns.",
           "Z = Z + eta * sum of U_k @ (W_k @ weights_k), L times, with Y and W anew in each layer."])


def stack_case(rng):
    return rng.normal(size=(5, 6)), np.stack([np.linalg.qr(rng.normal(size=(5, 2)))[0] for _ in range(3)])


@attention_stack.law("as token by token, layer by layer")
def stack_slow(f, rng):
    Z, U = stack_case(rng)
    close(f(Z, U, 0.6, 1.7, 2), slow_stack_layer(slow_stack_layer(Z, U, 0.6, 1.7), U, 0.6, 1.7))


@attention_stack.law("blind to the length of the tokens: what a layer adds is the same for Z and 3 Z")
def stack_scale(f, rng):
    Z, U = stack_case(rng)
    close(np.asarray(f(3 * Z, U, 0.6, 1.7, 1)) - 3 * Z, np.asarray(f(Z, U, 0.6, 1.7, 1)) - Z, tol=3)


@attention_stack.law("moves with the tokens when they are put in another order; no layer leaves them alone")
def stack_order(f, rng):
    (Z, U), order = stack_case(rng), rng.permutation(6)
    close(f(Z[:, order], U, 0.6, 1.7, 2), np.asarray(f(Z, U, 0.6, 1.7, 2))[:, order])
    close(f(Z, U, 0.6, 1.7, 0), Z)


attention_stack.wrong("raw tokens", replace=("Z / np.linalg.norm(Z, axis=0) * np.sqrt(len(Z))", "Z"), caught_by=stack_scale,
                      hint="Heads see tokens of length sqrt(d).")
attention_stack.wrong("unit length", replace=(" * np.sqrt(len(Z))", ""), caught_by=stack_slow, hint="The length is sqrt(d), not 1.")
attention_stack.wrong("adds to the scaled tokens", replace=("Z = Z + eta * mixed", "Z = Y + eta * mixed"), caught_by=stack_scale,
                      hint="The skip connection carries Z; only the heads see Y.")
attention_stack.wrong("times the temperature", replace=("/ temperature", "* temperature"), caught_by=stack_slow,
                      hint="A high temperature makes the weights even.")
attention_stack.wrong("one head after the other", replace=("mixed = mixed +", "mixed ="), caught_by=stack_slow,
                      hint="All heads contribute: add them up.")


@attention_stack.right("with einsum in JAX")
def _(Z, U, eta, temperature, L):
    Z = jnp.asarray(Z)
    for _ in range(L):
        W = jnp.einsum("kdp,dn->kpn", U, Z * jnp.sqrt(Z.shape[0] / jnp.sum(Z**2, axis=0)))
        weights = jax.nn.softmax(jnp.einsum("kpj,kpi->kji", W, W) / temperature, axis=1)
        Z = Z + eta * jnp.einsum("kdp,kpj,kji->di", U, W, weights)
    return Z
