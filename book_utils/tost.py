"""The token statistics transformer: attention that never compares two tokens, from a bound on the rate of their heads.

    Pi_k(z) = softmax_k(||U_k^T z||^2 / (2 sigma^2))                                        membership (book: eq. 5.3.16, eq:pi)
    R_var = sum_k n_k / (2 n) sum_i f(m_ki),  m_ki = sum_j Pi_kj w_kji^2 / n_k,  n_k = sum_j Pi_kj    (eq. 5.3.8, eq:var_comp)
    TSSA(Z | U) = -(tau / n) sum_k U_k diag(f'(m_k)) W_k diag(Pi_k)                         (eq. 5.3.18, eq:tssa)

with f(x) = log(1 + d x / eps^2) and W_k = U_k^T Z, tokens in the columns of Z (d, n), heads U (K, d, p) with orthonormal columns.
Second moments m_k are sums over tokens: the cost is linear in n, and running sums make it causal, one token at a time, with a
state of K (p + 1) numbers. TSSA is an increment: new tokens are Z + TSSA(Z). It is -tau times the gradient of R_var with the
membership held fixed.

`Tost` is the network that is trained (Wu et al. 2025), and differs as the published code does: tokens pass a LayerNorm; each of
the K p coordinates is scaled to length 1 over the tokens before the membership is taken; the inverse temperature of a head is
learned; f'(x) is 1 / (1 + x); heads leave through a matrix of their own; an MLP follows. In its causal form the lengths are those
of the tokens so far. Bad shapes and heads that are not orthonormal raise ValueError; under jit and vmap only shapes are checked.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from book_utils import transformer
from book_utils.compile import compiled
from book_utils.heads import joined, tokens_and_heads, views
from book_utils.validate import frames, integer, positive, same_type, shares, vector


def membership(Z: jax.Array, U: jax.Array, sigma: float) -> jax.Array:
    """softmax_k(||U_k^T z||^2 / (2 sigma^2)) for every token z: (K, n), columns add up to 1.

    The probability that z (d,) is of head k, for heads of equal weight, variance s^2 within and noise of variance sigma^2, as
    sigma / s -> 0. Z (d, n), U (K, d, p) orthonormal, sigma > 0. Book: eq. 5.3.16, eq:pi."""
    Z, U = tokens_and_heads(Z, U)
    return _membership(Z, U, positive(sigma, "sigma"))


@compiled()
def _membership(Z, U, sigma):
    return jax.nn.softmax(jnp.sum(views(Z, U) ** 2, axis=1) / (2 * jnp.asarray(sigma, Z.dtype) ** 2), axis=0)


def variational_rate(Z: jax.Array, membership: jax.Array, U: jax.Array, eps: float) -> jax.Array:
    """R_var(Z | Pi, U) (), nats: a bound from above on the rate of the heads, with diagonals of U_k^T Z Pi_k Z^T U_k in place of
    its eigenvalues. Z (d, n), membership (K, n) with columns that add up to 1, U (K, d, p) orthonormal.

    A bound if every head holds the tokens that belong to it: image(Z Pi_k Z^T) in image(U_k). Book: eq. 5.3.8, eq:var_comp."""
    return _variational_rate(*_arguments(Z, membership, U), positive(eps, "eps"))


@compiled()
def _variational_rate(Z, membership, U, eps):
    d, n = Z.shape
    moments, masses = _moments(views(Z, U), membership)
    return jnp.sum(masses[:, None] * jnp.log1p(d / jnp.asarray(eps, Z.dtype) ** 2 * moments)) / (2 * n)


def variational_gradient(Z: jax.Array, membership: jax.Array, U: jax.Array, eps: float) -> jax.Array:
    """Gradient of R_var in Z with the membership held fixed, (d, n): sum_k U_k diag(f'(m_k)) U_k^T Z diag(Pi_k) / n.

    Arguments as of `variational_rate`. Book: eq. 5.3.10, eq2:grad Rcf."""
    return _variational_gradient(*_arguments(Z, membership, U), positive(eps, "eps"))


@compiled()
def _variational_gradient(Z, membership, U, eps):
    W = views(Z, U)
    moments, _ = _moments(W, membership)
    return joined(U, _slope(moments, Z.shape[0], eps)[:, :, None] * W * membership[:, None]) / Z.shape[1]


def tssa(Z: jax.Array, U: jax.Array, tau: float, eps: float, sigma: float) -> jax.Array:
    """TSSA(Z | U) (d, n), an increment: -tau times `variational_gradient` at the membership of Z.

    U (K, d, p) orthonormal; tau > 0: step, below n eps^2 / d if no coordinate may change its sign; eps > 0: distortion;
    sigma > 0: noise of the membership. Book: eq. 5.3.18, eq:tssa."""
    Z, U = tokens_and_heads(Z, U)
    return _tssa(Z, U, positive(tau, "tau"), positive(eps, "eps"), positive(sigma, "sigma"))


@compiled()
def _tssa(Z, U, tau, eps, sigma):
    return -tau * _variational_gradient(Z, _membership(Z, U, sigma), U, eps)


def causal_tssa(Z: jax.Array, U: jax.Array, tau: float, eps: float, sigma: float) -> jax.Array:
    """(d, n), an increment: its column i is column i of TSSA(Z_1, ..., Z_i | U), by running sums over the tokens; linear in n.

    Arguments as of `tssa`; n is i in column i. Book: Exercise 5.6."""
    Z, U = tokens_and_heads(Z, U)
    return _causal_tssa(Z, U, positive(tau, "tau"), positive(eps, "eps"), positive(sigma, "sigma"))


@compiled()
def _causal_tssa(Z, U, tau, eps, sigma):
    d, n = Z.shape
    W, share = views(Z, U), _membership(Z, U, sigma)
    moments = jnp.cumsum(share[:, None] * W**2, axis=2) / jnp.cumsum(share, axis=1)[:, None]
    return -tau / jnp.arange(1, n + 1) * joined(U, _slope(moments, d, eps) * W * share[:, None])


class TokenStatistics(NamedTuple):
    """All that is kept of the past: power (K, p), the sums of Pi w^2; mass (K,), the sums of Pi; count (), of the tokens."""

    power: jax.Array
    mass: jax.Array
    count: jax.Array


def no_tokens(K: int, p: int) -> TokenStatistics:
    """The statistics before the first token, of K heads of p dimensions."""
    K, p = integer(K, "K", 1), integer(p, "p", 1)
    return TokenStatistics(jnp.zeros((K, p)), jnp.zeros(K), jnp.zeros(()))


def tssa_step(state: TokenStatistics, z: jax.Array, U: jax.Array, tau: float, eps: float,
              sigma: float) -> tuple[TokenStatistics, jax.Array]:
    """The next token z (d,): the statistics with it, and the column (d,) that `causal_tssa` has there. O(K p d), whatever came.

    Arguments as of `tssa`; the state was made for the same K and p."""
    U = frames(U, "U", "(K, d, p)")
    K, d, p = U.shape
    z = vector(z, "z", "(d,)", d=d)
    if state.power.shape != (K, p):
        raise ValueError(f"state: got power of shape {state.power.shape}, want (K, p) = {(K, p)}")
    z, U = same_type(z, U)
    return _tssa_step(state, z, U, positive(tau, "tau"), positive(eps, "eps"), positive(sigma, "sigma"))


@compiled()
def _tssa_step(state, z, U, tau, eps, sigma):
    w, share = views(z[:, None], U)[:, :, 0], _membership(z[:, None], U, sigma)[:, 0]
    power, mass, count = state.power + share[:, None] * w**2, state.mass + share, state.count + 1
    slope = _slope(power / mass[:, None], U.shape[1], eps)
    out = -tau / count * joined(U, (slope * w * share[:, None])[:, :, None])[:, 0]
    return TokenStatistics(power, mass, count), out


# The network


class TokenStatisticsStep(eqx.Module):
    """Z + increment, the increment from second moments of the normalised tokens alone."""

    norm: eqx.nn.LayerNorm
    U: jax.Array
    inverse_temperature: jax.Array
    out: eqx.nn.Linear
    causal: bool = eqx.field(static=True)

    def __init__(self, key: jax.Array, d: int, K: int, p: int, causal: bool = False) -> None:
        first, second = jax.random.split(key)
        bound = 1 / jnp.sqrt(d)
        self.norm, self.causal = eqx.nn.LayerNorm(d), causal
        self.U = jax.random.uniform(first, (K, d, p), minval=-bound, maxval=bound)
        self.inverse_temperature, self.out = jnp.ones(K), eqx.nn.Linear(K * p, d, key=second)

    def __call__(self, Z: jax.Array) -> jax.Array:
        W = views(jax.vmap(self.norm, 1, 1)(Z), self.U)
        mixed = statistics_attention(W, self.inverse_temperature, self.causal)
        return Z + jax.vmap(self.out, 1, 1)(mixed.reshape(-1, Z.shape[1]))


class Tost(transformer.Classifier):
    """The token statistics transformer: Tost(key, P, n, classes, d=32, K=4, L=4, width=128), scores as of `crate.Crate`.

    width: of the hidden layer of every MLP, 4 d as a rule. Book: Section 5.3.2, sub:tost. ValueError where K does not divide d."""

    def __init__(self, key: jax.Array, P: int, n: int, classes: int, *, d: int = 32, K: int = 4, L: int = 4,
                 width: int | None = None, causal: bool = False) -> None:
        p = transformer.head_dimension(d, K)

        def layer(key: jax.Array) -> transformer.Pair:
            first, second = jax.random.split(key)
            return transformer.Pair(TokenStatisticsStep(first, d, K, p, causal), transformer.Perceptron(second, d, width or 4 * d))
        super().__init__(key, P, n, classes, d, L, layer)


def statistics_attention(W: jax.Array, inverse_temperature: jax.Array, causal: bool = False) -> jax.Array:
    """-Pi_k w / (1 + m_k) (K, p, n), as the published code has it: heads W (K, p, n), inverse temperatures (K,).

    Pi is a softmax over heads of the squared coordinates, each divided by its sum of squares over the tokens (causal: over the
    tokens so far), summed, times the inverse temperature; m_k are the second moments under Pi."""
    squares = W**2
    if causal:
        lengths = jnp.cumsum(squares, axis=2)
    else:
        lengths = jnp.sum(squares, axis=2, keepdims=True)
    logits = inverse_temperature[:, None] * jnp.sum(squares / jnp.maximum(lengths, 1e-12), axis=1)
    share = jax.nn.softmax(logits, axis=0)
    if causal:
        moments = jnp.cumsum(share[:, None] * squares, axis=2) / (jnp.cumsum(share, axis=1)[:, None] + 1e-8)
    else:
        moments = (squares @ (share / (jnp.sum(share, axis=1, keepdims=True) + 1e-8))[:, :, None])
    return -share[:, None] * W / (1 + moments)


# What they share


def _moments(W, membership):
    """Second moments (K, p) of the heads' coordinates under the membership, and the masses (K,) of the heads."""
    masses = jnp.sum(membership, axis=1)
    powers = (W**2 @ membership[:, :, None])[:, :, 0]
    return powers / jnp.where(masses > 0, masses, 1.0)[:, None], masses


def _slope(moments, d, eps):
    """f'(m) for f(x) = log(1 + c x), c = d / eps^2."""
    c = d / jnp.asarray(eps, moments.dtype) ** 2
    return c / (1 + c * moments)


def _arguments(Z, membership, U):
    Z, U = tokens_and_heads(Z, U)
    return *same_type(Z, shares(membership, "membership", "(K, n)", K=U.shape[0], n=Z.shape[1])), U
