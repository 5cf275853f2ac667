"""Classes as linear subspaces: fit one to the features of every class, classify by the nearest, and say how far apart they are.

    U_k: the r leading left singular vectors of Z_k           features of class k, one per column, not centred
    k(z) = argmax_k ||U_k^T z||^2 = argmin_k ||z - U_k U_k^T z||^2              the nearest subspace
    cos(theta_i) = i-th singular value of U_k^T U_l                             principal angles between two classes

Features are the columns of Z (d, N), labels (N,) are 0 to K - 1. Sources: Bjorck & Golub 1973 (principal angles), Roy & Vetterli
2007 (effective rank), Oja 1983 (subspace classifiers); book: Section 4.3.1, sec:MCR2-classification, where features learned by
rate reduction are classified this way. Bad shapes raise ValueError; under jit and vmap only shapes are checked, and r and K must
be known when tracing. float32, or float64 in 64-bit mode.
"""

import jax
import jax.numpy as jnp
import numpy as np

from book_utils.compile import compiled
from book_utils.validate import classes, frames, integer, is_concrete, matrix, same_type


def fit_subspaces(Z: jax.Array, labels: jax.Array, r: int, K: int | None = None) -> jax.Array:
    """Orthonormal bases Us (K, d, r): in Us[k] the r leading left singular vectors of the features of class k, not centred.

    Z (d, N), integer labels (N,) in 0 to K - 1 (K: the largest label plus 1, by default); singular values descend within a class.
    The entry of largest size in each column is positive. Where a class has rank below r, orthonormal directions of no meaning
    fill up. No class may be empty; for traced labels K has to be said. Float32: the subspace of class k to
    1e-6 lambda_1 / (lambda_r - lambda_{r+1}) (sine of the angle; lambda are squared singular values; tests hold it): the d x d
    Gram matrices are decomposed.
    ValueError unless 1 <= r <= d and labels are as above."""
    Z = matrix(Z, "Z", "(d, N)")
    labels, K = classes(labels, "labels", Z.shape[1], K)
    return _fit_subspaces(Z, labels, integer(r, "r", 1, Z.shape[0], "d"), K)


@compiled("r", "K")
def _fit_subspaces(Z, labels, r, K):
    inside = (labels[None] == jnp.arange(K)[:, None]).astype(Z.dtype)
    grams = jax.vmap(lambda mask: (Z * mask) @ Z.T)(inside)
    Us = jnp.linalg.eigh(grams)[1][:, :, : -r - 1 : -1]
    largest = jnp.take_along_axis(Us, jnp.argmax(jnp.abs(Us), axis=1)[:, None], axis=1)
    return Us * jnp.where(largest < 0, -1, 1)


def nearest_subspace(Us: jax.Array, Z_new: jax.Array) -> jax.Array:
    """The subspace nearest to every column of Z_new (d, M), as its number (M,): argmax_k ||U_k^T z||, the first of equals.

    Us (K, d, r): orthonormal bases. A column's length does not matter; a column of zeros gets 0. ValueError unless every
    U_k^T U_k = I to 1e-3."""
    Us = frames(Us, "Us", "(K, d, r)")
    Z_new = matrix(Z_new, "Z_new", "(d, M)", d=Us.shape[1])
    return _nearest_subspace(*same_type(Us, Z_new))


@compiled()
def _nearest_subspace(Us, Z_new):
    return jnp.argmax(_energies(Us, Z_new), axis=0).astype(jnp.int32)


def subspace_energies(Us: jax.Array, Z_new: jax.Array) -> jax.Array:
    """||U_k^T z||^2 for every subspace and every column z of Z_new (d, M): (K, M). For unit columns, cosines squared.

    Us (K, d, r): orthonormal bases, to 1e-3, or ValueError."""
    Us = frames(Us, "Us", "(K, d, r)")
    Z_new = matrix(Z_new, "Z_new", "(d, M)", d=Us.shape[1])
    return _energies(*same_type(Us, Z_new))


@compiled()
def _energies(Us, Z_new):
    return jnp.sum((Us.transpose(0, 2, 1) @ Z_new) ** 2, axis=1)


def subspace_cosines(Us: jax.Array) -> jax.Array:
    """Cosines of the principal angles between all pairs of the subspaces Us (K, d, r): (K, K, r), descending, in [0, 1].

    Entry [k, l, i] is the i-th singular value of U_k^T U_l: 1 for a shared direction, all 0 for orthogonal subspaces. Float32: to
    1e-6 (tests hold it), so that an angle below 1e-3 cannot be told from 0. Bjorck & Golub 1973."""
    return _subspace_cosines(frames(Us, "Us", "(K, d, r)"))


@compiled()
def _subspace_cosines(Us):
    products = jnp.einsum("kdi,ldj->klij", Us, Us)
    return jnp.clip(jnp.linalg.svd(products, compute_uv=False), 0, 1)


def effective_rank(Z: jax.Array) -> jax.Array:
    """exp(H(p)), p_i = sigma_i^2 / sum_j sigma_j^2 of the singular values sigma_i of Z (d, N): a number of dimensions, ().

    From 1 (all columns on one line) to min(d, N) (a flat spectrum); the true rank is never below. Not centred, and the scale of Z
    does not matter. ValueError for Z = 0. Float32: to 1e-5 (tests hold it). Roy & Vetterli 2007 take p_i = sigma_i / sum sigma_j;
    squares make p the shares of the energy, as in PCA."""
    Z = matrix(Z, "Z", "(d, N)")
    if is_concrete(Z) and not np.any(np.asarray(Z)):
        raise ValueError("Z: got zeros alone, want (d, N) with a direction")
    return _effective_rank(Z)


@compiled()
def _effective_rank(Z):
    energies = jnp.linalg.svd(Z, compute_uv=False) ** 2
    p = energies / jnp.sum(energies)
    return jnp.exp(-jnp.sum(jnp.where(p > 0, p * jnp.log(jnp.where(p > 0, p, 1)), 0)))
