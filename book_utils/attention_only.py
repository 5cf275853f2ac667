"""Attention and nothing else: tokens near orthogonal subspaces, denoised by a stack of heads, and a network of such layers.

    z_i = U_k a_i + sum_{j != k} U_j e_ij,  a_i ~ N(0, I),  e_ij ~ N(0, delta^2 I)          tokens of class k (book: eq. 5.3.1, def:MoG)
    Z <- Z + eta sum_k U_k W_k phi(W_k^T W_k),  W_k = U_k^T Z                                a layer (eq. 5.3.2, eq:MSSA)
    SNR_k = ||P_k Z_k|| / ||(I - P_k) Z_k||,  P_k = U_k U_k^T                                (eq. 5.3.3, def:SNR)

phi acts on every column. Theorem 5.1 takes the softmax, and of it tau where it is above tau and 0 elsewhere. While that leaves
each token its own signal and nothing else, a layer multiplies every SNR by 1 + eta tau, exactly; `layers_exact` says how long.
Tokens are the columns of Z (d, n), heads the orthonormal bases U (K, d, p), norms are Frobenius norms, not squared.

`AttentionOnly` is the network that is trained: a LayerNorm before each step, scores divided by sqrt(p), and heads that leave
through U (tied) or through a matrix of their own. Bad shapes, ranges and heads that are not orthonormal raise ValueError; under
jit, vmap and grad only shapes are checked. float32, or float64 in 64-bit mode.
"""

import jax
import jax.numpy as jnp
import numpy as np

from book_utils import crate, transformer
from book_utils.compile import compiled
from book_utils.heads import attend, joined, tokens_and_heads, views
from book_utils.validate import classes, fraction, frames, integer, matrix, nonnegative, positive, random_key


def mixture(key: jax.Array, labels: jax.Array, U: jax.Array, delta: float) -> jax.Array:
    """Tokens (d, n) with signal N(0, I) in the subspace of their class and noise N(0, delta^2 I) in each of the others.

    labels (n,): integers from 0 to K - 1; U (K, d, p): orthonormal bases; delta >= 0. Book: eq. 5.3.1, def:MoG."""
    U = frames(U, "U", "(K, d, p)")
    labels = jnp.asarray(labels)
    labels, _ = classes(labels, "labels", labels.size, U.shape[0])
    return _mixture(random_key(key), jnp.asarray(labels), U, nonnegative(delta, "delta"))


@compiled()
def _mixture(key, labels, U, delta):
    K, _, p = U.shape
    own = labels == jnp.arange(K)[:, None]
    W = jax.random.normal(key, (K, p, labels.shape[0]), U.dtype)
    return joined(U, W * jnp.where(own, 1.0, delta)[:, None])


def token_snr(Z: jax.Array, labels: jax.Array, U: jax.Array) -> jax.Array:
    """(K,): for every class the norm of its tokens within their subspace over the norm of what lies outside of it.

    Z (d, n), labels (n,) from 0 to K - 1, each of them taken, U (K, d, p) orthonormal; infinite where nothing lies outside.
    Book: eq. 5.3.3, def:SNR."""
    Z, U = tokens_and_heads(Z, U)
    labels, _ = classes(labels, "labels", Z.shape[1], U.shape[0])
    return _token_snr(Z, jnp.asarray(labels), U)


@compiled()
def _token_snr(Z, labels, U):
    own = (labels == jnp.arange(U.shape[0])[:, None]).astype(Z.dtype)
    inside = jnp.einsum("kdp,kpn->kdn", U, views(Z, U))
    signal, noise = (jnp.sum(jnp.sum(part**2, axis=1) * own, axis=1) for part in (inside, Z - inside))
    return jnp.sqrt(signal / noise)


def thresholded_softmax(A: jax.Array, tau: float) -> jax.Array:
    """The softmax down each column of A (n, n), and of it tau where it is above tau, 0 elsewhere: (n, n). 0 < tau <= 1.

    For tau >= 1/2 a column keeps one entry at most. Book: Theorem 5.1, thm:1."""
    A = matrix(A, "A", "(n, n)")
    return _thresholded_softmax(A, fraction(tau, "tau"))


@compiled()
def _thresholded_softmax(A, tau):
    tau = jnp.asarray(tau, A.dtype)
    return jnp.where(jax.nn.softmax(A, axis=0) > tau, tau, 0)


def denoise_step(Z: jax.Array, U: jax.Array, eta: float, tau: float) -> jax.Array:
    """New tokens (d, n): Z + eta sum_k U_k W_k phi(W_k^T W_k), with phi the `thresholded_softmax` and W_k = U_k^T Z.

    U (K, d, p) orthonormal, eta > 0, 0 < tau <= 1. Book: eq. 5.3.2, eq:MSSA, with phi of Theorem 5.1."""
    Z, U = tokens_and_heads(Z, U)
    return _denoise_step(Z, U, positive(eta, "eta"), fraction(tau, "tau"))


@compiled()
def _denoise_step(Z, U, eta, tau):
    W = views(Z, U)
    scores = jnp.einsum("kpj,kpi->kji", W, W)
    return Z + eta * joined(U, W @ jax.vmap(lambda A: _thresholded_softmax(A, tau))(scores))


def layers_exact(Z: jax.Array, labels: jax.Array, U: jax.Array, eta: float, tau: float, L: int) -> int:
    """How many `denoise_step`s from Z on, up to L, give every token tau times its own signal and nothing else.

    Told from Z alone: after l such layers the signals are (1 + eta tau)^l times as long, and the noise is what it was. Z (d, n),
    labels (n,) from 0 to K - 1, U (K, d, p) orthonormal and orthogonal to each other. eta > 0, 1/2 <= tau <= 1."""
    Z, U = tokens_and_heads(Z, U)
    K, d, p = U.shape
    frames(U.transpose(1, 0, 2).reshape(1, d, K * p), "U", "(1, d, K p)")
    labels, _ = classes(labels, "labels", Z.shape[1], K)
    tau, L = fraction(tau, "tau"), integer(L, "L", 0)
    if tau < 0.5:
        raise ValueError(f"tau: got {tau:.3g}, want a number in [1/2, 1], above which a column has one entry at most")
    exact = np.asarray(_layers_exact(Z, jnp.asarray(labels), U, positive(eta, "eta"), tau, L))
    return int(np.argmin(exact)) if not exact.all() else L


@compiled("L")
def _layers_exact(Z, labels, U, eta, tau, L):
    W, own = views(Z, U), labels == jnp.arange(U.shape[0])[:, None]
    wanted = jnp.where(own[:, None], jnp.eye(Z.shape[1], dtype=bool), False)

    def layer(size, _):
        grown = jnp.where(own[:, None], size * W, W)
        scores = jnp.einsum("kpj,kpi->kji", grown, grown)
        return size * (1 + eta * tau), jnp.all((jax.nn.softmax(scores, axis=1) > tau) == wanted)
    return jax.lax.scan(layer, jnp.ones((), Z.dtype), None, length=L)[1]


def attention_stack(Z: jax.Array, U: jax.Array, eta: float, temperature: float, L: int) -> jax.Array:
    """The tokens (d, n) after L layers Z <- Z + eta sum_k U_k W_k softmax(W_k^T W_k / temperature), in which W_k = U_k^T Y and Y
    is Z with every token scaled to length sqrt(d). No token may be 0.

    U (K, d, p) orthonormal, the same in every layer; eta, temperature > 0; L >= 0. A LayerNorm that does not centre, and the
    usual temperature sqrt(p), keep the scores in one range however many layers came before. Book: Section 5.3.1, sub:aot."""
    Z, U = tokens_and_heads(Z, U)
    return _attention_stack(Z, U, positive(eta, "eta"), positive(temperature, "temperature"), integer(L, "L", 0))


@compiled("L")
def _attention_stack(Z, U, eta, temperature, L):
    def layer(Z, _):
        W = views(Z * jnp.sqrt(Z.shape[0] / jnp.sum(Z**2, axis=0)), U)
        return Z + eta * joined(U, attend(W, 1 / temperature)), None
    return jax.lax.scan(layer, Z, None, length=L)[0]


class AttentionOnly(transformer.Classifier):
    """CRATE without its second half: AttentionOnly(key, P, n, classes, d=32, K=4, L=4), scores as of `crate.Crate`.

    tied: heads leave through U, and a layer trains K d p + 2 d numbers; else through a matrix of their own, twice as many.
    Book: Section 5.3.1; Wang et al. 2025. ValueError where K does not divide d."""

    def __init__(self, key: jax.Array, P: int, n: int, classes: int, *, d: int = 32, K: int = 4, L: int = 4, tied: bool = True,
                 causal: bool = False) -> None:
        p = transformer.head_dimension(d, K)
        super().__init__(key, P, n, classes, d, L, lambda key: crate.CompressionStep(key, d, K, p, tied, causal=causal))
