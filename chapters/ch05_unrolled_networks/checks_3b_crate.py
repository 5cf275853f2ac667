"""Exercises of Part 3, second half: ISTA, LayerNorm, the layer of CRATE, its size, and its decoder."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from book_utils import crate, transformer
from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds


def some(rng, d=5, n=7, K=3, p=2):
    """Tokens (d, n), heads (K, d, p) that are orthonormal one by one, and a dictionary (d, d)."""
    return rng.normal(size=(d, n)), np.linalg.qr(rng.normal(size=(K, d, p)))[0], rng.normal(size=(d, d)) / 2


def mssa(Z, U, eps):
    """Token by token, in float64."""
    out = np.zeros_like(Z)
    for B in U:
        W = B.T @ Z
        for i, w in enumerate(W.T):
            odds = np.exp([v @ w for v in W.T])
            out[:, i] += B @ (W @ odds) / odds.sum()
    return U.shape[2] / (Z.shape[1] * eps**2) * out


def code(Y, D, eta, lam):
    """One proximal step, entry by entry, in float64."""
    slope = D.T @ (D @ Y - Y)
    return np.array([[max(y - eta * s - eta * lam, 0) for y, s in zip(*rows)] for rows in zip(Y, slope)])


# P5.19

ista_step = Exercise(
    "ch05.ista_step", "One step of ISTA", principles=["P5.19"], label="eq:ista-block", minutes=8, stand_in=crate.ista_step,
    objective="derive the MLP's place in a transformer as a step towards a sparse code",
    hints=["The gradient of ||B - D Y||^2 / 2 in Y is D^T (D Y - B). Here B = Y = Z.", "Then a threshold: eta lam is taken off, and what is negative becomes 0."])


@ista_step.law("each entry minimises its own quadratic with a price on what is positive")
def is_entries(f, rng):
    Z, _, D = some(rng)
    out, x, grid = np.asarray(f(Z, D, 0.3, 0.4), dtype=float), Z - 0.3 * D.T @ (D @ Z - Z), np.linspace(0, 8, 8001)
    for i, j in ((0, 0), (1, 3), (4, 6), (2, 2)):
        best = grid[np.argmin((grid - x[i, j]) ** 2 / 2 + 0.12 * grid)]
        holds(abs(out[i, j] - best) < 2e-3, "another entry costs less")


@ista_step.law("for D = I a threshold: eta lam taken off, nothing negative left")
def is_identity(f, rng):
    Z, _, _ = some(rng)
    close(f(Z, np.eye(5), 0.3, 0.4), np.maximum(Z - 0.12, 0))


@ista_step.law("the exact nonnegative sparse code, for a rotation and a step of size 1")
def is_rotation(f, rng):
    Z, _, D = some(rng)
    Q = np.linalg.qr(D)[0]
    Y = np.asarray(f(Z, Q, 1.0, 0.4), dtype=float)
    price = Q.T @ (Q @ Y - Z) + 0.4  # gradient of the objective: 0 where Y > 0, not negative where Y = 0
    close(Y * price, np.zeros_like(Y))
    holds(price.min() > -1e-3, "an entry that is 0 should grow")


ista_step.wrong("D and its transpose swapped", replace=("D.T @ (D @ Z - Z)", "D @ (D.T @ Z - Z)"), caught_by=is_rotation, hint="Z is coded as D times the code: the gradient begins with D^T.")
ista_step.wrong("the threshold added", replace=("- eta * lam", "+ eta * lam"), caught_by=is_identity, hint="A price on entries makes them smaller.")
ista_step.wrong("two-sided", replace=("np.maximum(Z - eta * slope - eta * lam, 0)", "np.sign(Z - eta * slope) * np.maximum(np.abs(Z - eta * slope) - eta * lam, 0)"),
                caught_by=is_identity, hint="The code is not negative.")
ista_step.wrong("the threshold without the step", replace=("- eta * lam", "- lam"), caught_by=is_identity, hint="A step of size eta pays eta times the price.")
ista_step.wrong("uphill", replace=("Z - eta * slope", "Z + eta * slope"), caught_by=is_entries)


@ista_step.right("with the Gram matrix, in JAX")
def _(Z, D, eta, lam):
    Z, D = jnp.asarray(Z), jnp.asarray(D)
    return jax.nn.relu(Z + eta * (D.T @ Z - D.T @ D @ Z - lam))


rotated_code = Derivation(
    "ch05.rotated_code", "A rotation and a step of size 1", principles=["P5.19"], label="eq:ista-block", minutes=6, level="more",
    objective="see that with a rotation one step of ISTA is the whole way",
    stages=[Stage("multiplied out, both Q^T Q Z and Q^T Z in it", uses={"Q", "Z", "relu"})],
    hints=["Q.T @ (Q @ Z - Z) = Q.T @ Q @ Z - Q.T @ Z.", "Q.T @ Q is the identity, so Z - Z is left."])


@rotated_code.instance
def _(rng):
    return dict(Z=rng.normal(size=(3, 5)), Q=np.linalg.qr(rng.normal(size=(3, 3)))[0], lam=0.3)


rotated_code.wrong("a sign", replace=("Q.T @ Q @ Z + Q.T @ Z - lam", "Q.T @ Q @ Z - Q.T @ Z - lam"), caught_by="equal", hint="Minus times minus.")
rotated_code.wrong("the threshold lost", replace=("relu(Z - Z + Q.T @ Z - lam)", "relu(Z - Z + Q.T @ Z)"), caught_by="equal")
rotated_code.wrong("not transposed", replace=("relu(Z - Z + Q.T @ Z - lam)", "relu(Z - Z + Q @ Z - lam)"), caught_by="equal")


@rotated_code.right("with the identity named")
def _(Z, Q, lam):
    Z, Q = np.asarray(Z, dtype=float), np.asarray(Q, dtype=float)
    relu = lambda X: np.maximum(X, 0)
    yield relu(Z - Q.T @ (Q @ Z - Z) - lam)
    yield relu((np.eye(len(Q)) - Q.T @ Q) @ Z + Q.T @ Z - lam)
    yield relu(0 * Z + Q.T @ Z - lam)
    yield relu(Q.T @ Z - lam)


# P5.16, P5.20

layer_norm = Exercise(
    "ch05.layer_norm", "What LayerNorm does", principles=["P5.20"], label="fig:crate_backbone", minutes=5, level="more",
    objective="see LayerNorm as a projection",
    hints=["Means and lengths are those of columns: axis=0.", "Length sqrt(d) means that the squares of a column have the mean 1."])


@layer_norm.law("each column has the mean 0 and the mean square 1")
def ln_moments(f, rng):
    out = np.asarray(f(3 * rng.normal(size=(5, 7)) + 2), dtype=float)
    close(out.mean(axis=0), np.zeros(7))
    close((out**2).mean(axis=0), np.ones(7))


@layer_norm.law("a projection: done twice it is as once, and scale and shift of a token do not matter")
def ln_projects(f, rng):
    Z = rng.normal(size=(5, 7))
    close(f(np.asarray(f(Z))), np.asarray(f(Z), dtype=float))
    close(f(Z * rng.uniform(0.5, 3, 7) + rng.normal(size=7)), np.asarray(f(Z), dtype=float))


@layer_norm.law("points along what the token has left without its mean")
def ln_direction(f, rng):
    Z = rng.normal(size=(5, 7))
    left = Z - Z.mean(axis=0)
    close(np.sum(np.asarray(f(Z)) * left, axis=0), np.sqrt(5) * np.linalg.norm(left, axis=0))


layer_norm.wrong("length 1", replace=("* np.sqrt(len(Z))", "* 1.0"), caught_by=ln_moments, hint="The length is sqrt(d).")
layer_norm.wrong("the mean left in", replace=("Z - Z.mean(axis=0)", "Z"), caught_by=ln_moments, hint="First the mean is taken off.")
layer_norm.wrong("over the tokens", replace=("Z.mean(axis=0)", "Z.mean(axis=1, keepdims=True)"), caught_by=ln_moments, hint="A token is normalised by itself: over its coordinates, down the column.")
layer_norm.wrong("one length for all", replace=("np.linalg.norm(centred, axis=0)", "np.linalg.norm(centred) * np.sqrt(Z.shape[1])"), caught_by=ln_moments)


@layer_norm.right("by the variance, in JAX")
def _(Z):
    Z = jnp.asarray(Z)
    return (Z - jnp.mean(Z, axis=0)) / jnp.std(Z, axis=0)


crate_layer = Exercise(
    "ch05.crate_layer", "One layer", principles=["P5.16", "P5.20"], label="fig:crate_backbone", minutes=8, level="more", needs=["ch05.ista_step"],
    objective="put compression and sparsification together",
    hints=["First Y = Z + MSSA(Z | U), as in 3.3, with 1 for the residual constant.", "Then ista_step of Y: everything in it is Y, not Z."])


@crate_layer.law("first the mixing, token by token, then the code, entry by entry")
def cl_loops(f, rng):
    Z, U, D = some(rng)
    close(f(Z, U, D, 0.3, 0.9, 0.2), code(Z + mssa(Z, U, 0.9), D, 0.3, 0.2))


@crate_layer.law("tokens in another order give outputs in that order, and none is negative")
def cl_order(f, rng):
    (Z, U, D), order = some(rng), [2, 5, 0, 4, 1, 3, 6]
    out = np.asarray(f(Z, U, D, 0.3, 0.9, 0.2), dtype=float)
    close(f(Z[:, order], U, D, 0.3, 0.9, 0.2), out[:, order])
    holds(out.min() >= 0, "a token has a negative entry")


@crate_layer.law("a token alone is only scaled in its heads, then coded")
def cl_alone(f, rng):
    Z, U, D = some(rng)
    z = Z[:, :1]
    alone = np.tile(z, 7)
    close(f(alone, U, D, 0.3, 0.9, 0.2), code(alone + 2 / (7 * 0.81) * sum(B @ B.T for B in U) @ alone, D, 0.3, 0.2))


crate_layer.wrong("codes the tokens as they came", replace=("(D @ Y - Y)", "(D @ Y - Z)"), caught_by=cl_loops, hint="The second step starts from, and codes, what the first one made.")
crate_layer.wrong("no skip connection", replace=("Y = Z + U.shape", "Y = U.shape"), caught_by=cl_alone, hint="Attention is added to the tokens.")
crate_layer.wrong("attention taken off", replace=("Y = Z + U", "Y = Z - U"), caught_by=cl_alone)
crate_layer.wrong("a skip connection around the code", replace=("return np.maximum(Y - eta", "return Y + np.maximum(Y - eta"), caught_by=cl_order, hint="ISTA has its own: it starts from Y.")
crate_layer.wrong("the softmax along rows", replace=("sum(axis=1, keepdims=True)", "sum(axis=2, keepdims=True)"), caught_by=cl_loops)


@crate_layer.right("head by head, in JAX")
def _(Z, U, D, eta, eps, lam):
    Z, D = jnp.asarray(Z), jnp.asarray(D)
    a = U.shape[2] / (Z.shape[1] * eps**2)
    Y = Z + a * sum(B @ (B.T @ Z) @ jax.nn.softmax((B.T @ Z).T @ (B.T @ Z), axis=0) for B in jnp.asarray(U))
    return jax.nn.relu(Y + eta * (D.T @ (Y - D @ Y) - lam))


layer_parameters = Exercise(
    "ch05.layer_parameters", "Counting parameters", principles=["P5.20"], label="tab:crate_comparison_with_sota", minutes=6, level="more",
    objective="count what a comparison at equal size has to hold equal",
    hints=["A LayerNorm has 2 d numbers. A matrix from a to b dimensions with a bias has a b + b.", "The MLP goes from d to 4 d and back: 4 d^2 + 4 d, and 4 d^2 + d."])


@functools.cache
def of_one_layer(kind: type, d: int) -> int:
    """Numbers in one layer of a network, by those of two sizes of it; only shapes are computed."""
    sizes = [jax.eval_shape(lambda: eqx.filter(kind(jax.random.key(0), 4, 4, 3, d=d, K=2, L=L), eqx.is_inexact_array)) for L in (1, 2)]
    one, two = (sum(leaf.size for leaf in jax.tree.leaves(size)) for size in sizes)
    return two - one


@layer_parameters.law("as many as a layer of CRATE has")
def lp_crate(f, rng):
    for d in (4, 12):
        close(f(d)[0], of_one_layer(crate.Crate, d))


@layer_parameters.law("as many as a layer of a vision transformer has")
def lp_vit(f, rng):
    for d in (4, 12):
        close(f(d)[1], of_one_layer(transformer.VisionTransformer, d))


layer_parameters.wrong("the norms' shifts forgotten", replace=("norms = 2 * 2 * d", "norms = 2 * d"), caught_by=lp_crate, hint="A LayerNorm has a scale and a shift.")
layer_parameters.wrong("D twice", replace=("(d * d + d) + d * d", "(d * d + d) + 2 * d * d"), caught_by=lp_crate, hint="D and its transpose are one matrix.")
layer_parameters.wrong("queries, keys and values in CRATE", replace=("norms + d * d +", "norms + 3 * d * d +"), caught_by=lp_crate, hint="They are one and the same.")
layer_parameters.wrong("the MLP's biases of one width", replace=("(4 * d * d + 4 * d)", "(4 * d * d + d)"), caught_by=lp_vit, hint="The hidden layer has 4 d biases.")


@layer_parameters.right("as polynomials")
def _(d):
    return 3 * d**2 + 5 * d, 12 * d**2 + 13 * d


# P5.32

decoder_step = Exercise(
    "ch05.decoder_step", "A layer of the decoder", principles=["P5.32"], label="fig:crate_mae_layers", minutes=6, level="more",
    stand_in=crate.decoder_step, objective="undo a layer in reverse order",
    hints=["The encoder coded last, so the decoder multiplies by D first.", "Then MSSA of Y, not of Z, is taken off."])


@decoder_step.law("first the dictionary, then the mixing of its result, token by token, taken off")
def ds_loops(f, rng):
    Z, U, D = some(rng)
    close(f(Z, U, D, 0.9), D @ Z - mssa(D @ Z, U, 0.9))


@decoder_step.law("undoes Z + MSSA(Z) to first order: at a code a hundred times coarser the error is far below what was added")
def ds_undoes(f, rng):
    Z, U, _ = some(rng)
    mixed = Z + mssa(Z, U, 12.0)
    off = np.linalg.norm(np.asarray(f(mixed, U, np.eye(5), 12.0), dtype=float) - Z)
    holds(off < 0.1 * np.linalg.norm(mixed - Z), "what was added is still there")


@decoder_step.law("turns with tokens, heads and dictionary")
def ds_turns(f, rng):
    (Z, U, D), Q = some(rng), np.linalg.qr(rng.normal(size=(5, 5)))[0]
    close(f(Q @ Z, Q @ U, Q @ D @ Q.T, 0.9), Q @ np.asarray(f(Z, U, D, 0.9), dtype=float))


decoder_step.wrong("D transposed", replace=("np.asarray(D) @ np", "np.asarray(D).T @ np"), caught_by=ds_loops, hint="Tokens are D times their code.")
decoder_step.wrong("adds attention once more", replace=("return Y - U", "return Y + U"), caught_by=ds_undoes, hint="What the encoder added is taken off.")
decoder_step.wrong("no dictionary", replace=("np.asarray(D) @ np.asarray(Z)", "np.asarray(Z) + 0 * np.asarray(D)[:, :1]"), caught_by=ds_loops)
decoder_step.wrong("only attention", replace=("return Y - U", "return -U"), caught_by=ds_undoes)


@decoder_step.right("head by head, in JAX")
def _(Z, U, D, eps):
    Y = jnp.asarray(D) @ Z
    a = U.shape[2] / (Y.shape[1] * eps**2)
    return Y - a * sum(B @ (B.T @ Y) @ jax.nn.softmax((B.T @ Y).T @ (B.T @ Y), axis=0) for B in jnp.asarray(U))
