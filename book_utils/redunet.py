"""ReduNet: a network whose layers are steps of gradient ascent on the rate reduction, built forward from labelled features.

    E = alpha (I + alpha Z Z^T)^-1,   C_k = alpha_k (I + alpha_k Z P_k Z^T)^-1                                        operators
    p_k(z) = softmax over k of -lam ||gamma_k C_k z||                                                            soft membership
    g(z) = E z - sum_k gamma_k p_k(z) C_k z                                                                      increment
    z <- (z + eta g(z)) / ||z + eta g(z)||                                                                           layer

alpha = d / (N eps^2), alpha_k = d / (tr(P_k) eps^2), gamma_k = tr(P_k) / N. The operators of a layer are computed from the
training features that arrive there, never from other points. eps (squared in the formulas) enters the operators alone, the step
eta the layer alone. Features are columns, natural units.

The book and the published code (Chan et al. 2022, github.com/Ma-Lab-Berkeley/ReduNet, which calls eps^2 "eps") compare
||C_k z||. C_k carries 1 / tr(P_k), which makes a small class look far away; gamma_k C_k = alpha (I + alpha_k Z P_k Z^T)^-1 carries
the same factor for all classes, and is compared here. For K classes of equal size lam here is K times theirs; anywhere,
soft_membership with gamma = ones is theirs.

Inverses come from two Cholesky factors, as in `coding`: in float32 E and C_k are within 2e-5 of their largest entry for eps down
to 1e-2 and features of any rank (tests hold it). Bad shapes and ranges raise ValueError; under jit only shapes are checked.
Book: Section 5.1.1, sec:chap4-white-box-model-via-unrolling; Algorithms 5.1 and 5.2.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from book_utils.coding import _value_and_inverse
from book_utils.compile import compiled
from book_utils.validate import classes, filled, integer, is_concrete, matrix, nonnegative, positive, same_type, shares


def expansion(Z: jax.Array, eps: float) -> jax.Array:
    """E = alpha (I + alpha Z Z^T)^-1 (d, d), alpha = d / (N eps^2), for features Z (d, N) and eps > 0.

    Book: eqn:expand-directions."""
    return _expansion(matrix(Z, "Z", "(d, N)"), positive(eps, "eps"))


@compiled()
def _expansion(Z, eps):
    d, N = Z.shape
    return _operator(Z, d / (N * jnp.asarray(eps, Z.dtype) ** 2))


def compression(Z: jax.Array, membership: jax.Array, eps: float) -> jax.Array:
    """C_k = alpha_k (I + alpha_k Z P_k Z^T)^-1 stacked, (K, d, d), alpha_k = d / (tr(P_k) eps^2), for Z (d, N) and eps > 0.

    membership (K, N): shares of the samples, no class empty. Book: eqn:compress-directions."""
    Z = matrix(Z, "Z", "(d, N)")
    membership = shares(membership, "membership", "(K, N)", N=Z.shape[1])
    if is_concrete(membership):
        filled(np.asarray(membership).sum(axis=1), "membership")
    return _compression(*same_type(Z, membership), positive(eps, "eps"))


@compiled()
def _compression(Z, membership, eps):
    alphas = Z.shape[0] / (jnp.sum(membership, axis=1) * jnp.asarray(eps, Z.dtype) ** 2)
    return _operator(Z * jnp.sqrt(membership)[:, None], alphas)


def _operator(Y, alpha):
    """alpha (I + alpha Y Y^T)^-1 (..., d, d), for Y (..., d, N) and alpha (...)."""
    return alpha[..., None, None] * _value_and_inverse(Y, alpha)[1]


def soft_membership(Z_new: jax.Array, C: jax.Array, gamma: jax.Array, lam: float) -> jax.Array:
    """Shares (K, M) of every column z of Z_new (d, M) in the classes: softmax over k of -lam ||gamma_k C_k z||.

    C (K, d, d), gamma (K,) >= 0, lam >= 0. gamma = ones gives the book's. Book: eqn:soft-residual."""
    C, gamma = _classes(C, gamma)
    Z_new = matrix(Z_new, "Z_new", "(d, M)", d=C.shape[1])
    return _soft_membership(*same_type(Z_new, C, gamma), nonnegative(lam, "lam"))


@compiled()
def _soft_membership(Z_new, C, gamma, lam):
    return _gate(gamma[:, None, None] * (C @ Z_new), lam)


def _gate(compressed, lam):
    """Softmax (K, M) over classes of minus lam times the lengths of the compressed columns (K, d, M)."""
    return jax.nn.softmax(-lam * jnp.linalg.norm(compressed, axis=1), axis=0)


def increment(Z_new: jax.Array, membership: jax.Array, E: jax.Array, C: jax.Array, gamma: jax.Array) -> jax.Array:
    """g(z) = E z - sum_k gamma_k membership_k C_k z for every column z of Z_new (d, M): (d, M), without the step.

    membership (K, M), E (d, d), C (K, d, d), gamma (K,) >= 0. At the training features with their own memberships it is the
    gradient of the rate reduction. Book: eqn:DR-gradient-transform."""
    C, gamma = _classes(C, gamma)
    K, d, _ = C.shape
    Z_new = matrix(Z_new, "Z_new", "(d, M)", d=d)
    membership = shares(membership, "membership", "(K, M)", K=K, M=Z_new.shape[1])
    return _increment(*same_type(Z_new, membership, matrix(E, "E", "(d, d)", d=d), C, gamma))


@compiled()
def _increment(Z_new, membership, E, C, gamma):
    return E @ Z_new - jnp.einsum("km,kdm->dm", membership, gamma[:, None, None] * (C @ Z_new))


def layer(Z_new: jax.Array, E: jax.Array, C: jax.Array, gamma: jax.Array, eta: float, lam: float) -> jax.Array:
    """New features (d, M) of the columns of Z_new (d, M): z + eta g(z) at the soft membership of z, scaled to length 1.

    Arguments as of `soft_membership` and `increment`; eta > 0. Book: eqn:layer-approximate."""
    C, gamma = _classes(C, gamma)
    d = C.shape[1]
    Z_new, E = matrix(Z_new, "Z_new", "(d, M)", d=d), matrix(E, "E", "(d, d)", d=d)
    return _layer(*same_type(Z_new, E, C, gamma), positive(eta, "eta"), nonnegative(lam, "lam"))


@compiled()
def _layer(Z_new, E, C, gamma, eta, lam):
    compressed = gamma[:, None, None] * (C @ Z_new)
    return _unit(Z_new + eta * (E @ Z_new - jnp.einsum("km,kdm->dm", _gate(compressed, lam), compressed)))


def construct(Z: jax.Array, labels: jax.Array, eta: float, eps: float, lam: float, L: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Operators of L layers, E (L, d, d) and C (L, K, d, d), and the features before, between and after them, (L + 1, d, N).

    Z (d, N): training features, scaled to length 1 first; labels (N,) from 0, no class empty; eta, eps > 0, lam >= 0, L >= 1. Each
    layer's operators come from the features that arrive there; labels are used for C alone, the features move by `layer`.
    ValueError where a column is 0. Book: Algorithm 5.1, alg:redunet_training, with alpha_k and gamma_k as above."""
    Z = _directions(matrix(Z, "Z", "(d, N)"), "Z")
    labels, K = classes(labels, "labels", Z.shape[1])
    return _construct(Z, labels, positive(eta, "eta"), positive(eps, "eps"), nonnegative(lam, "lam"), K, integer(L, "L", 1))


@compiled("K", "L")
def _construct(Z, labels, eta, eps, lam, K, L):
    membership = jax.nn.one_hot(labels, K, axis=0, dtype=Z.dtype)
    gamma = jnp.mean(membership, axis=1)

    def step(Z, _):
        E, C = _expansion(Z, eps), _compression(Z, membership, eps)
        moved = _layer(Z, E, C, gamma, eta, lam)
        return moved, (E, C, moved)
    start = _unit(Z)
    _, (E, C, after) = jax.lax.scan(step, start, None, L)
    return E, C, jnp.concatenate([start[None], after])


class ReduNet(eqx.Module):
    """The network that `build` returns: called with points (d, M) it returns their features (d, M), columns of length 1.

    E (L, d, d), C (L, K, d, d): operators of the layers; gamma (K,); eta, lam: step and inverse temperature.
    Book: Algorithm 5.2, alg:redunet_evaluation."""

    E: jax.Array
    C: jax.Array
    gamma: jax.Array
    eta: jax.Array
    lam: jax.Array

    def __call__(self, Z_new: jax.Array) -> jax.Array:
        return self.features(Z_new)[-1]

    def features(self, Z_new: jax.Array) -> jax.Array:
        """Before, between and after the layers: (L + 1, d, M). The columns of Z_new are scaled to length 1 first, none is 0."""
        Z_new = _directions(matrix(Z_new, "Z_new", "(d, M)", d=self.E.shape[1]), "Z_new")
        return _features(self, Z_new)


@compiled()
def _features(net, Z_new):
    def step(Z, operators):
        moved = _layer(Z, *operators, net.gamma, net.eta, net.lam)
        return moved, moved
    start = _unit(Z_new.astype(net.E.dtype))
    _, after = jax.lax.scan(step, start, (net.E, net.C))
    return jnp.concatenate([start[None], after])


def build(Z: jax.Array, labels: jax.Array, eta: float, eps: float, lam: float, L: int) -> tuple[ReduNet, jax.Array]:
    """The network of L layers for training features Z (d, N) and labels (N,), and their features, (L + 1, d, N).

    Arguments as of `construct`. No gradient is propagated back: each layer costs O(d^2 N + K d^3)."""
    E, C, features = construct(Z, labels, eta, eps, lam, L)
    gamma = jnp.bincount(jnp.asarray(labels), length=C.shape[1]) / features.shape[2]
    as_array = lambda x: jnp.asarray(x, E.dtype)
    return ReduNet(E, C, as_array(gamma), as_array(eta), as_array(lam)), features


def _unit(Z):
    return Z / jnp.linalg.norm(Z, axis=0)


def _directions(Z, name):
    if is_concrete(Z) and not np.all(np.any(np.asarray(Z), axis=0)):
        raise ValueError(f"{name}: got a column of zeros, want (d, N) with a direction in each")
    return Z


def _classes(C, gamma):
    """The operators of K classes, square, and a share for each."""
    C = matrix(C, "C", "(K, d, d)")
    return C, nonnegative(gamma, "gamma", "(K,)", K=C.shape[0])
