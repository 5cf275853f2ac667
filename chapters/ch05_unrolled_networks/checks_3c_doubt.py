"""Exercises on taking out heads, at the end of Part 3."""

import jax.numpy as jnp
import numpy as np

from book_utils.course.exercises import Exercise, close, holds


def score(Z, B):
    """A smooth score of tokens Z (d, n)."""
    return np.sum(np.tanh(B.T @ Z)) + np.sum(B.T @ Z**2)


def slope(f, Z, step=1e-5):
    G = np.zeros_like(Z)
    for index in np.ndindex(*Z.shape):
        e = np.zeros_like(Z)
        e[index] = step
        G[index] = (f(Z + e) - f(Z - e)) / (2 * step)
    return G


# P5.20

head_share = Exercise(
    "ch05.head_share", "A head's share", principles=["P5.20"], label="fig:crate_backbone", minutes=6, level="more",
    objective="say how much of what attention adds is due to one head",
    hints=["First add up the heads: total (d, n).", "np.sum(parts * total, axis=(1, 2)) has one number per head.", "Divide by the squared length of total, so that shares add up to 1."])


@head_share.law("the factors c_k for which c_k times the total comes nearest to what head k adds")
def hs_nearest(f, rng):
    parts = rng.normal(size=(3, 4, 5))
    total = parts.sum(axis=0).reshape(-1, 1)
    close(f(parts), np.array([np.linalg.lstsq(total, part.ravel(), rcond=None)[0][0] for part in parts]))


@head_share.law("add up to 1")
def hs_sum(f, rng):
    close(np.sum(np.asarray(f(rng.normal(size=(3, 4, 5))))), 1.0)


@head_share.law("the shares of squared lengths, where heads add at right angles")
def hs_pythagoras(f, rng):
    Q, lengths = np.linalg.qr(rng.normal(size=(20, 3)))[0], np.array([1.0, 3.0, 2.0])
    close(f((Q * lengths).T.reshape(3, 4, 5)), lengths**2 / 14)


@head_share.law("negative for a head that takes off half of what another adds")
def hs_against(f, rng):
    part = rng.normal(size=(4, 5))
    close(f(np.stack([part, -part / 2, 0 * part])), np.array([2.0, -1.0, 0.0]))


head_share.wrong("squared lengths", replace=("parts * total", "parts**2"), caught_by=hs_nearest, hint="These do not add up to 1 unless heads are at right angles.")
head_share.wrong("squared lengths, made to add up to 1", replace=("np.sum(parts * total, axis=(1, 2)) / np.sum(total**2)", "np.sum(parts**2, axis=(1, 2)) / np.sum(parts**2)"),
                 caught_by=hs_against, hint="A head that works against the others must get a negative share.")
head_share.wrong("divided by the length", replace=("np.sum(total**2)", "np.sqrt(np.sum(total**2))"), caught_by=hs_sum, hint="Squared length below.")
head_share.wrong("the mean over heads", replace=("parts.sum(axis=0)", "parts.mean(axis=0)"), caught_by=hs_sum, hint="Attention adds the sum of the heads.")


@head_share.right("as a product of matrices, in JAX")
def _(parts):
    rows = jnp.asarray(parts).reshape(len(parts), -1)
    total = jnp.ones(len(rows)) @ rows
    return rows @ total / (total @ total)


predict_ablation = Exercise(
    "ch05.predict_ablation", "Foretell what a head is worth", principles=["P5.20"], label="fig:crate_backbone", minutes=6, level="more",
    objective="predict what a network loses with a head before taking it out",
    hints=["Taking head k out moves the tokens by minus parts[k].", "To first order a score changes by the inner product of its gradient with the move."])


@predict_ablation.law("exact for a score that is linear in the tokens")
def pa_linear(f, rng):
    A, Z, parts = rng.normal(size=(4, 5)), rng.normal(size=(4, 5)), rng.normal(size=(3, 4, 5))
    linear = lambda Z: sum(a * z for a, z in zip(A.ravel(), Z.ravel()))
    close(f(A, parts), np.array([linear(Z - part) - linear(Z) for part in parts]))


@predict_ablation.law("heads half as large: a quarter of the error, for a smooth score")
def pa_second_order(f, rng):
    B, Z, parts = rng.normal(size=(4, 2)), rng.normal(size=(4, 5)), rng.normal(size=(3, 4, 5)) / 20
    H = slope(lambda Z: score(Z, B), Z)
    error = lambda size: np.asarray(f(H, size * parts), dtype=float) - np.array([score(Z - size * part, B) - score(Z, B) for part in parts])
    holds(np.linalg.norm(error(0.5)) < 0.35 * np.linalg.norm(error(1.0)), "the error does not fall by a factor of four")


@predict_ablation.law("all heads together: minus the slope of the score along what attention adds")
def pa_together(f, rng):
    B, Z, parts = rng.normal(size=(4, 2)), rng.normal(size=(4, 5)), rng.normal(size=(3, 4, 5))
    along = lambda t: score(Z - t * parts.sum(axis=0), B)
    close(np.sum(np.asarray(f(slope(lambda Z: score(Z, B), Z), parts))), (along(1e-5) - along(-1e-5)) / 2e-5)


predict_ablation.wrong("puts the head in a second time", replace=("return -", "return "), caught_by=pa_linear, hint="The head is taken out: the tokens move by minus what it adds.")
predict_ablation.wrong("the class token alone", replace=("H * parts", "H[:, :1] * parts[:, :, :1]"), caught_by=pa_linear, hint="All tokens lose what the head adds.")
predict_ablation.wrong("sizes of all terms", replace=("H * parts", "np.abs(H * parts)"), caught_by=pa_linear)
predict_ablation.wrong("leaves the head in and takes out the others", replace=("H * parts", "H * (parts.sum(axis=0) - parts)"), caught_by=pa_second_order)


@predict_ablation.right("head by head, in JAX")
def _(H, parts):
    return jnp.stack([-jnp.vdot(jnp.asarray(H), part) for part in jnp.asarray(parts)])
