"""CRATE, the transformer whose layers are steps on the sparse rate reduction: compress tokens by heads, then make them sparse.

    W_k = U_k^T Z,  alpha = p / (n eps^2)                                          tokens as head k sees them
    R_c(Z | U) = sum_k log det(I + alpha W_k W_k^T) / 2                            (book: eq. 5.2.3, eq:def-mcr-Rc)
    MSSA(Z | U) = alpha sum_k U_k W_k softmax(W_k^T W_k)                           (eq. 5.2.15, eq:Multi-Head-SSA)
    compress: Z <- (1 - kappa alpha) Z + kappa alpha MSSA(Z | U)                   (eq. 5.2.16, eq:gd-mcr-parts)
    sparsify: Z <- ReLU(Z - eta D^T (D Z - Z) - eta lam)                           (eq. 5.2.20, eq:ista-block)

The tokens of one input are the columns of Z (d, n), heads are orthonormal bases U (K, d, p), the dictionary is D (d, d), and a
softmax runs down each column: column i holds the weights that mix token i. Every docstring says whether an operator returns
what is added (an increment) or new tokens. eps enters through alpha alone. Batches are lifted with jax.vmap.

`Crate` is the network that is trained (Yu et al. 2023, 2024). It differs from the formulas as the published code does, and only so:
tokens pass a LayerNorm before each of the two steps; scores are divided by sqrt(p); heads leave through a matrix of their own in
place of alpha U (or, with tied=True, through U); the residual constant is 1, so compression is Z + increment; and sparsification
starts from the normalised tokens. Bad shapes, heads that are not orthonormal and sizes that do not divide raise ValueError; under
jit, vmap and grad only shapes are checked. float32, or float64 in 64-bit mode.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from book_utils import coding, transformer
from book_utils.compile import compiled
from book_utils.heads import attend, joined, tokens_and_heads, views
from book_utils.validate import frames, integer, matrix, nonnegative, positive, same_type, vector


def code_rate(Z: jax.Array, U: jax.Array, eps: float) -> jax.Array:
    """R_c(Z | U) = sum_k log det(I + p / (n eps^2) U_k^T Z Z^T U_k) / 2 (): nats to code the tokens Z (d, n) head by head.

    U (K, d, p): orthonormal bases, which need not be orthogonal to each other. eps > 0: distortion.
    Book: eq. 5.2.3, eq:def-mcr-Rc; Yu et al. 2023."""
    Z, U = tokens_and_heads(Z, U)
    return _code_rate(Z, U, positive(eps, "eps"))


@compiled()
def _code_rate(Z, U, eps):
    W = views(Z, U)
    return 0.5 * jnp.sum(jax.vmap(lambda head: coding.logdet_gram(head, _alpha(W, eps)))(W))


def code_rate_gradient(Z: jax.Array, U: jax.Array, eps: float) -> jax.Array:
    """Gradient of R_c(Z | U) at Z, (d, n): alpha sum_k U_k (I + alpha W_k W_k^T)^-1 W_k with alpha = p / (n eps^2).

    K systems of size p x p, so the cost is linear in n; the book writes the same with K inverses of size n x n. U (K, d, p):
    orthonormal bases. Book: eq. 5.2.9, eq:rate-gradient."""
    Z, U = tokens_and_heads(Z, U)
    return _code_rate_gradient(Z, U, positive(eps, "eps"))


_code_rate_gradient = compiled()(jax.grad(_code_rate))


def ssa(W: jax.Array) -> jax.Array:
    """W softmax(W^T W) (p, n), the softmax down each column: tokens W (p, n) of one head, mixed by how alike they are.

    Each column of the result is a weighted mean of the columns of W. Book: eq. 5.2.14, eq:SSA."""
    return _ssa(matrix(W, "W", "(p, n)"))


@compiled()
def _ssa(W):
    return attend(W[None], 1.0)[0]


def mssa(Z: jax.Array, U: jax.Array, eps: float) -> jax.Array:
    """MSSA(Z | U) = alpha sum_k U_k ssa(U_k^T Z) (d, n), with alpha = p / (n eps^2): what attention mixes in, neither an increment
    nor new tokens (`mssa_step` makes them). U (K, d, p): orthonormal bases.

    One alpha is inside, so minus the gradient of R_c is about alpha (MSSA - Z), not alpha^2 MSSA - alpha Z.
    Book: eq. 5.2.15, eq:Multi-Head-SSA."""
    Z, U = tokens_and_heads(Z, U)
    return _mssa(Z, U, positive(eps, "eps"))


@compiled()
def _mssa(Z, U, eps):
    W = views(Z, U)
    return _alpha(W, eps) * joined(U, attend(W, 1.0))


def mssa_step(Z: jax.Array, U: jax.Array, kappa: float, eps: float) -> jax.Array:
    """New tokens (d, n): (1 - kappa alpha) Z + kappa alpha MSSA(Z | U), alpha = p / (n eps^2), an approximate step of size kappa
    down the gradient of R_c. U (K, d, p): orthonormal bases. kappa, eps > 0. Book: eq. 5.2.16, eq:gd-mcr-parts."""
    Z, U = tokens_and_heads(Z, U)
    return _mssa_step(Z, U, positive(kappa, "kappa"), positive(eps, "eps"))


@compiled()
def _mssa_step(Z, U, kappa, eps):
    share = kappa * _alpha(views(Z, U), eps)
    return (1 - share) * Z + share * _mssa(Z, U, eps)


def ista_step(Z: jax.Array, D: jax.Array, eta: float, lam: float) -> jax.Array:
    """New tokens (d, n) >= 0: ReLU(Z - eta D^T (D Z - Z) - eta lam), one proximal step towards a sparse code of the tokens Z.

    Z (d, n) is what is coded and where the code starts, which is why D is square (d, d). eta > 0: step size, below 1 / ||D||^2
    for descent. lam >= 0: weight of the l1 norm. Book: eq. 5.2.20, eq:ista-block."""
    Z, D = _tokens_and_dictionary(Z, D)
    return _ista_step(Z, D, positive(eta, "eta"), nonnegative(lam, "lam"))


@compiled()
def _ista_step(Z, D, eta, lam):
    return jax.nn.relu(Z - eta * (D.T @ (D @ Z - Z) + lam))


def decoder_step(Z: jax.Array, U: jax.Array, D: jax.Array, eps: float) -> jax.Array:
    """New tokens (d, n) of the decoder, which undoes a layer in reverse order: Y = D Z, then Y - MSSA(Y | U).

    U (K, d, p): orthonormal bases, D (d, d). Book: Chapter 7, the decoder of CRATE-MAE."""
    Z, U = tokens_and_heads(Z, U)
    Z, D = _tokens_and_dictionary(Z, D)
    return _decoder_step(Z, U, D, positive(eps, "eps"))


@compiled()
def _decoder_step(Z, U, D, eps):
    Y = D @ Z
    return Y - _mssa(Y, U, eps)


# Token after token


def causal_mssa(Z: jax.Array, U: jax.Array, eps: float) -> jax.Array:
    """(d, n): its column i is column i of MSSA(Z_1, ..., Z_i | U), so it knows of no later token. All columns at once, by a mask.

    The factor of column i is alpha_i = p / (i eps^2), with i in place of n: n is not known to token i. U (K, d, p): orthonormal
    bases. Book: eq. 5.3.32 to 5.3.34, with the mask the other way round (its column i has to end at row i)."""
    Z, U = tokens_and_heads(Z, U)
    return _causal_mssa(Z, U, positive(eps, "eps"))


@compiled()
def _causal_mssa(Z, U, eps):
    W = views(Z, U)
    return _alphas(W, eps) * joined(U, attend(W, 1.0, causal=True))


class Cache(NamedTuple):
    """The past of a sequence as attention needs it: W (K, p, n) has the heads' views of the first `length` tokens."""

    W: jax.Array
    length: jax.Array


def empty_cache(K: int, p: int, n: int) -> Cache:
    """Room for n tokens of K heads of p dimensions, and no token yet."""
    sizes = integer(K, "K", 1), integer(p, "p", 1), integer(n, "n", 1)
    return Cache(jnp.zeros(sizes), jnp.zeros((), jnp.int32))


def causal_mssa_step(cache: Cache, z: jax.Array, U: jax.Array, eps: float) -> tuple[Cache, jax.Array]:
    """The next token z (d,): the cache with it, and the column (d,) that `causal_mssa` has there. K (d p + 2 p i) products.

    U (K, d, p): orthonormal bases; the cache was made for the same K and p. A full cache overwrites its last token."""
    U = frames(U, "U", "(K, d, p)")
    z = vector(z, "z", "(d,)", d=U.shape[1])
    K, _, p = U.shape
    if cache.W.shape[:2] != (K, p):
        raise ValueError(f"cache: got W of shape {cache.W.shape}, want (K, p, n) with K = {K} and p = {p}")
    z, U = same_type(z, U)
    return _causal_mssa_step(cache, z, U, positive(eps, "eps"))


@compiled()
def _causal_mssa_step(cache, z, U, eps):
    (K, _, p), n = U.shape, cache.W.shape[2]
    w = jnp.einsum("kdp,d->kp", U, z)
    W = jax.lax.dynamic_update_slice(cache.W, w[:, :, None].astype(cache.W.dtype), (0, 0, cache.length))
    scores = jnp.einsum("kpn,kp->kn", W, w)
    weights = jax.nn.softmax(jnp.where(jnp.arange(n) <= cache.length, scores, -jnp.inf), axis=1)
    mixed = jnp.einsum("kdp,kpn,kn->d", U, W, weights)
    alpha = p / ((cache.length + 1) * jnp.asarray(eps, z.dtype) ** 2)
    return Cache(W, cache.length + 1), alpha * mixed


# The network


class CompressionStep(eqx.Module):
    """Z + increment, the increment being attention of the normalised tokens with one matrix for queries, keys and values."""

    norm: eqx.nn.LayerNorm
    U: jax.Array
    out: eqx.nn.Linear | None
    sign: float = eqx.field(static=True)
    causal: bool = eqx.field(static=True)

    def __init__(self, key: jax.Array, d: int, K: int, p: int, tied: bool = False, sign: float = 1.0, causal: bool = False) -> None:
        first, second = jax.random.split(key)
        self.norm, self.sign, self.causal = eqx.nn.LayerNorm(d), sign, causal
        bound = 1 / jnp.sqrt(d)
        self.U = jax.random.uniform(first, (K, d, p), minval=-bound, maxval=bound)
        self.out = None if tied else eqx.nn.Linear(K * p, d, key=second)

    def seen(self, Z: jax.Array) -> jax.Array:
        """Tokens as the heads see them: W (K, p, n)."""
        return views(jax.vmap(self.norm, 1, 1)(Z), self.U)

    def heads(self, Z: jax.Array) -> jax.Array:
        """What each head adds to the tokens: (K, d, n). They add up to the increment, but for the bias of `out`."""
        mixed = attend(self.seen(Z), self.U.shape[2] ** -0.5, self.causal)
        K, d, p = self.U.shape
        back = self.U if self.out is None else self.out.weight.reshape(d, K, p).transpose(1, 0, 2)
        return self.sign * (back @ mixed)

    def increment(self, Z: jax.Array) -> jax.Array:
        """What is added to the tokens, (d, n)."""
        bias = 0.0 if self.out is None else self.sign * self.out.bias[:, None]
        return jnp.sum(self.heads(Z), axis=0) + bias

    def __call__(self, Z: jax.Array) -> jax.Array:
        return Z + self.increment(Z)


class SparsificationStep(eqx.Module):
    """One `ista_step` from the normalised tokens: new tokens, none negative."""

    norm: eqx.nn.LayerNorm
    D: jax.Array
    eta: float = eqx.field(static=True)
    lam: float = eqx.field(static=True)

    def __init__(self, key: jax.Array, d: int, eta: float = 0.1, lam: float = 0.1) -> None:
        self.norm, self.eta, self.lam = eqx.nn.LayerNorm(d), eta, lam
        bound = jnp.sqrt(6 / d)
        self.D = jax.random.uniform(key, (d, d), minval=-bound, maxval=bound)

    def __call__(self, Z: jax.Array) -> jax.Array:
        return _ista_step(jax.vmap(self.norm, 1, 1)(Z), self.D, self.eta, self.lam)


class Layer(eqx.Module):
    """A layer of CRATE: compression, then sparsification."""

    compress: CompressionStep
    sparsify: SparsificationStep

    def __call__(self, Z: jax.Array) -> jax.Array:
        return self.sparsify(self.compress(Z))


class Crate(transformer.Classifier):
    """CRATE as a classifier of token matrices: called with patches (P, n), it returns K_classes scores.

    Crate(key, P, n, classes, d=32, K=4, L=4): tokens of dimension d, K heads of p = d / K dimensions each, L layers.
    tied: heads leave through U in place of a matrix of their own. sign=-1: attention is subtracted (a control, see Part 3).
    eta, lam: step size and threshold of sparsification. Book: Section 5.2.2; layers as in the code of Yu et al. 2024.
    ValueError where K does not divide d."""

    def __init__(self, key: jax.Array, P: int, n: int, classes: int, *, d: int = 32, K: int = 4, L: int = 4, tied: bool = False,
                 sign: float = 1.0, eta: float = 0.1, lam: float = 0.1, causal: bool = False) -> None:
        p = transformer.head_dimension(d, K)

        def layer(key: jax.Array) -> Layer:
            first, second = jax.random.split(key)
            return Layer(CompressionStep(first, d, K, p, tied, sign, causal), SparsificationStep(second, d, eta, lam))
        super().__init__(key, P, n, classes, d, L, layer)


# What they share


def _alpha(W, eps):
    return W.shape[1] / (W.shape[2] * jnp.asarray(eps, W.dtype) ** 2)


def _alphas(W, eps):
    return W.shape[1] / (jnp.arange(1, W.shape[2] + 1) * jnp.asarray(eps, W.dtype) ** 2)


def _tokens_and_dictionary(Z, D):
    Z = matrix(Z, "Z", "(d, n)")
    return same_type(Z, matrix(D, "D", "(d, d)", d=Z.shape[0]))
