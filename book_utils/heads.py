"""Tokens as heads see them, and back: what the operators of CRATE and of token statistics share.

Tokens are the columns of Z (d, n), head k has the basis U[k] (d, p), and W (K, p, n) are the views of all heads. Everything here may
be called inside compiled functions; only `tokens_and_heads` looks at its arguments.
"""

import jax
import jax.numpy as jnp

from book_utils.validate import frames, matrix, same_type


def tokens_and_heads(Z: jax.Array, U: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Z (d, n) and U (K, d, p) in one floating type; ValueError unless their d agree and every U_k^T U_k = I to 1e-3."""
    Z = matrix(Z, "Z", "(d, n)")
    Z, U = same_type(Z, frames(U, "U", "(K, d, p)", d=Z.shape[0]))
    return Z, U


def views(Z: jax.Array, U: jax.Array) -> jax.Array:
    """W_k = U_k^T Z for every head, (K, p, n), by one product of matrices."""
    K, d, p = U.shape
    return (U.transpose(0, 2, 1).reshape(K * p, d) @ Z).reshape(K, p, -1)


def joined(U: jax.Array, W: jax.Array) -> jax.Array:
    """sum_k U_k W_k (d, n), what the heads have to say brought back to the tokens, by one product of matrices."""
    K, d, p = U.shape
    return U.transpose(1, 0, 2).reshape(d, K * p) @ W.reshape(K * p, -1)


def attend(W: jax.Array, scale: float, causal: bool = False) -> jax.Array:
    """W_k softmax(scale W_k^T W_k) for every head, (K, p, n), the softmax down columns; causal: column i from rows 1 to i alone."""
    scores = scale * jnp.einsum("kpj,kpi->kji", W, W)
    if causal:
        n = W.shape[2]
        scores = jnp.where(jnp.arange(n)[:, None] <= jnp.arange(n), scores, -jnp.inf)
    return W @ jax.nn.softmax(scores, axis=1)
