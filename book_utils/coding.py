"""Coding rates: nats per sample to write down a Gaussian, a set of samples, or classes of them, to a given accuracy.

    R(Z) = log det(I + d / (N eps^2) Z Z^T) / 2                                         (book: eq. 4.1.30, eqn:rate-Gaussian)
    R_c(Z | P) = sum_k tr(P_k) / (2 N) log det(I + d / (tr(P_k) eps^2) Z P_k Z^T)       (eq. 4.2.16, eq:MCRc; Ma et al. 2007)
    Delta R = R - R_c                                                                   (eq. 4.2.13; Yu et al. 2020)

Samples are the columns of Z (d, N). eps > 0 is the root of the mean squared error that a code may make, summed over the d
coordinates; P_k holds the shares of the samples in class k. Everything is in nats, and nothing is centred.

A log-determinant is taken on the smaller side of Z, classes all at once, by two Cholesky factors: one of I + alpha Z Z^T, raised
a little so that it exists, and one of what remains of it when the first is divided out. What remains is computed from Z, not from
Z Z^T, so that squaring the singular values does not cost half of the digits: in float32 coding_rate is within 2e-5 of its value
for eps down to 1e-2 and Z of any rank (tests hold it; one factor alone is off by 1e-3 there, or finds no factor at all). The
gradient is as good as the rounding of Z itself allows: where the rank of Z is below d, within 6e-7 (1 + alpha s^2) of its length,
s being the largest singular value.
The derivative is the closed one, d log det = 2 alpha tr((I + alpha Z Z^T)^-1 Z dZ^T), from the same factors; it can be
differentiated again, in both modes. Bad shapes and ranges raise ValueError; under jit, vmap and grad only shapes are checked.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular

from book_utils import validate
from book_utils.compile import compiled
from book_utils.validate import is_concrete, matrix, nonnegative, positive, shares

NEAR_ONE = 1e-2  # trace of alpha Z Z^T under which log det(I + .) is two terms of its series
BLOCK = 16  # side of the triangular systems that are left to LAPACK


def logdet_gram(Z: jax.Array, alpha: float) -> jax.Array:
    """log det(I + alpha Z Z^T) = log det(I + alpha Z^T Z) (), for Z (d, N) and alpha >= 0.

    Book: Section 4.2.3, the remark on computing coding rates."""
    return _logdet_gram(matrix(Z, "Z", "(d, N)"), nonnegative(alpha, "alpha"))


@compiled()
def _logdet_gram(Z, alpha):
    return _logdet(Z, alpha)


def coding_rate(Z: jax.Array, eps: float) -> jax.Array:
    """R(Z) = log det(I + d / (N eps^2) Z Z^T) / 2 (), nats per sample, for Z (d, N) and eps > 0.

    Book: eq. 4.1.30, eqn:rate-Gaussian."""
    return _coding_rate(matrix(Z, "Z", "(d, N)"), positive(eps, "eps"))


@compiled()
def _coding_rate(Z, eps):
    return 0.5 * _logdet(Z, _alpha(Z, eps))


def coding_rate_gradient(Z: jax.Array, eps: float) -> jax.Array:
    """Gradient of R at Z: alpha (I + alpha Z Z^T)^-1 Z (d, N), with alpha = d / (N eps^2).

    Book: Section 4.2.3; it is the expansion operator of Chapter 5, applied to Z."""
    return _coding_rate_gradient(matrix(Z, "Z", "(d, N)"), positive(eps, "eps"))


_coding_rate_gradient = compiled()(jax.grad(_coding_rate))


def class_coding_rate(Z: jax.Array, membership: jax.Array, eps: float, K: int | None = None) -> jax.Array:
    """R_c(Z | P) (), nats per sample, when every class of Z (d, N) is coded on its own; naming the class is not in it.

    membership: labels (N,), integers from 0 to K - 1, or shares (K, N) whose columns add up to 1. Every class needs a sample.
    K is asked for only where labels are traced. Labels known when tracing are sorted into classes, which is far quicker.
    Book: eq. 4.2.16, eq:MCRc; for labels eq. 4.2.12, chap4-eqn:compress-loss-eval."""
    Z, parts = _arguments(Z, membership, "membership", K)
    return _class_coding_rate(Z, parts, positive(eps, "eps"))


@compiled()
def _class_coding_rate(Z, parts, eps):
    return _of_classes(Z, eps, *parts)


def rate_reduction(Z: jax.Array, labels: jax.Array, eps: float, K: int | None = None) -> jax.Array:
    """Delta R = R(Z) - R_c(Z | labels) >= 0 (), nats per sample saved by coding every class of Z (d, N) on its own.

    labels: as membership in `class_coding_rate`. 0 exactly where all classes have one second moment.
    Book: eq. 4.2.13, chap4-eqn:coding-length-reduction."""
    Z, parts = _arguments(Z, labels, "labels", K)
    return _rate_reduction(Z, parts, positive(eps, "eps"))


@compiled()
def _rate_reduction(Z, parts, eps):
    return 0.5 * _logdet(Z, _alpha(Z, eps)) - _of_classes(Z, eps, *parts)


def rate_reduction_gradient(Z: jax.Array, labels: jax.Array, eps: float, K: int | None = None) -> jax.Array:
    """Gradient of Delta R at Z, (d, N): for labels it is alpha (I + alpha Z Z^T)^-1 Z - alpha (I + alpha_k Z_k Z_k^T)^-1 Z_k on
    the columns of class k, with alpha = d / (N eps^2) in front of both and alpha_k = d / (N_k eps^2).

    Arguments as in `rate_reduction`. Book: Section 4.2.4; Yu et al. 2020."""
    Z, parts = _arguments(Z, labels, "labels", K)
    return _rate_reduction_gradient(Z, parts, positive(eps, "eps"))


_rate_reduction_gradient = compiled()(jax.grad(_rate_reduction))


def water_level(eigenvalues: jax.Array, distortion: float) -> jax.Array:
    """The level kappa () with sum_i min(kappa, lambda_i) = distortion, for eigenvalues lambda (D,) >= 0 and distortion > 0.

    Where distortion exceeds their sum no level is high enough, and kappa is the largest eigenvalue.
    Book: Example 4.4, ex:gaussian_rate_distortion; Exercise 4.4, exer:KKT."""
    return _water_level(nonnegative(eigenvalues, "eigenvalues", "(D,)"), positive(distortion, "distortion"))


@compiled()
def _water_level(eigenvalues, distortion):
    # sum_i min(kappa, lambda_i) is the least of D lines, the k-th with the k smallest eigenvalues under water: the level is
    # the highest at which one of the lines reaches the distortion
    below = jnp.sort(eigenvalues)
    covered = jnp.cumsum(below) - below
    levels = (distortion - covered) / jnp.arange(below.shape[0], 0, -1)
    return jnp.minimum(jnp.max(levels), below[-1])


def rate_distortion_gaussian(eigenvalues: jax.Array, distortion: float) -> jax.Array:
    """Least mutual information (), in nats, of x ~ N(., Sigma) with a code within E |x - xhat|^2 <= distortion.

    eigenvalues (D,) >= 0 are those of Sigma; distortion > 0 is the mean squared error, eps^2, summed over the coordinates. It is
    sum_i log(lambda_i / min(kappa, lambda_i)) / 2 with kappa = `water_level`, and 0 from the trace of Sigma on.
    Book: Example 4.4, ex:gaussian_rate_distortion; Cover & Thomas 2006, Theorem 10.3.3 (reverse water-filling)."""
    return _rate_distortion_gaussian(nonnegative(eigenvalues, "eigenvalues", "(D,)"), positive(distortion, "distortion"))


@compiled()
def _rate_distortion_gaussian(eigenvalues, distortion):
    kappa = _water_level(eigenvalues, distortion)
    above = eigenvalues > kappa
    return 0.5 * jnp.sum(jnp.where(above, jnp.log(jnp.where(above, eigenvalues, 1.0) / jnp.where(above, kappa, 1.0)), 0.0))


def _alpha(Z, eps):
    d, N = Z.shape
    return d / (N * jnp.asarray(eps, Z.dtype) ** 2)


def _of_classes(Z, eps, columns, counts, membership):
    """R_c, with classes as columns (K, n) of Z (N stands for none) and their sizes, or as shares (K, N)."""
    d, N = Z.shape
    if membership is None:
        with_none = jnp.concatenate([Z, jnp.zeros((d, 1), Z.dtype)], axis=1)
        classes = jnp.moveaxis(with_none[:, columns], 0, 1)
        alphas = d / (counts * jnp.asarray(eps, Z.dtype) ** 2)
        return jnp.sum(counts * _logdet(classes, alphas)) / (2 * N)
    sizes = jnp.sum(membership, axis=1)
    alphas = d / (jnp.where(sizes > 0, sizes, 1.0) * jnp.asarray(eps, Z.dtype) ** 2)
    return jnp.sum(sizes * _logdet_of_shares(Z, membership, alphas)) / (2 * N)


@jax.custom_jvp
def _logdet(Z, alpha):
    """log det(I + alpha Z Z^T) (...), for Z (..., d, N) and alpha (...)."""
    return _value_and_inverse(_wide(Z), alpha)[0]


@_logdet.defjvp
def _logdet_derivative(primals, tangents):
    (Z, alpha), (dZ, d_alpha) = primals, tangents
    alpha = jnp.asarray(alpha, Z.dtype)
    Y, dY = _wide(Z), _wide(dZ)
    value, inverse = _value_and_inverse(Y, alpha)
    solved = inverse @ Y
    change = 2 * alpha * jnp.sum(solved * dY, axis=(-2, -1)) + d_alpha * jnp.sum(solved * Y, axis=(-2, -1))
    return value, change


@jax.custom_jvp
def _logdet_of_shares(Z, membership, alphas):
    """log det(I + alpha_k Z diag(membership_k) Z^T) (K,), for Z (d, N), membership (K, N) and alphas (K,)."""
    return _value_and_inverse(Z * jnp.sqrt(membership)[:, None, :], alphas)[0]


@_logdet_of_shares.defjvp
def _logdet_of_shares_derivative(primals, tangents):
    # the rule says what differentiating through the square root of a share cannot: the slope where the share is 0
    (Z, membership, alphas), (dZ, d_membership, d_alphas) = primals, tangents
    value, inverse = _value_and_inverse(Z * jnp.sqrt(membership)[:, None, :], alphas)
    solved = inverse @ Z
    lengths = jnp.sum(solved * Z, axis=1)
    change = 2 * alphas * jnp.sum(membership * jnp.sum(solved * dZ, axis=1), axis=1)
    change += alphas * jnp.sum(d_membership * lengths, axis=1) + d_alphas * jnp.sum(membership * lengths, axis=1)
    return value, change


def _wide(Z):
    """Z with its smaller side first."""
    return Z if Z.shape[-2] <= Z.shape[-1] else jnp.swapaxes(Z, -2, -1)


def _value_and_inverse(Y, alpha):
    """log det(I + alpha Y Y^T) (...) and the inverse of that matrix (..., p, p), for Y (..., p, q) and alpha (...)."""
    p, dtype = Y.shape[-2], Y.dtype
    alpha = jnp.asarray(alpha, dtype)[..., None, None]
    identity = jnp.eye(p, dtype=dtype)
    moments = alpha * (Y @ jnp.swapaxes(Y, -2, -1))
    trace = jnp.trace(moments, axis1=-2, axis2=-1)
    # rounding may take p ulp of its trace from the matrix; raised by that much it has a factor
    rise = 1 + p * jnp.finfo(dtype).eps * (1 + trace[..., None, None])
    first = jnp.linalg.cholesky(moments + rise * identity)
    undo = _inverse_of_lower(first)
    rest = undo @ Y
    second = jnp.linalg.cholesky(alpha * (rest @ jnp.swapaxes(rest, -2, -1)) + undo @ jnp.swapaxes(undo, -2, -1))
    root = _inverse_of_lower(second) @ undo
    value = 2 * (_log_of_diagonal(first) + _log_of_diagonal(second))
    series = trace - jnp.sum(moments * moments, axis=(-2, -1)) / 2
    return jnp.where(trace < NEAR_ONE, series, value), jnp.swapaxes(root, -2, -1) @ root


def _inverse_of_lower(L):
    """The inverse of lower triangular L (..., p, p): blocks on the diagonal, then from b to 2 b by two products.

    Larger triangular systems are slow where LAPACK shares them between threads: 80 times, for ten of 128 x 128 on two cores."""
    p = L.shape[-1]
    if p <= BLOCK:
        return solve_triangular(L, jnp.broadcast_to(jnp.eye(p, dtype=L.dtype), L.shape), lower=True)
    size = -(-p // BLOCK) * BLOCK
    added = np.arange(p, size)
    whole = jnp.pad(L, [(0, 0)] * (L.ndim - 2) + [(0, size - p)] * 2).at[..., added, added].set(1)
    index = np.arange(size)
    blocks = index.reshape(-1, BLOCK)
    rows, columns = blocks[:, :, None], blocks[:, None, :]
    inverse = jnp.zeros_like(whole).at[..., rows, columns].set(_inverse_of_lower(whole[..., rows, columns]))
    b = BLOCK
    while b < size:
        corner = (index[:, None] // b == index // b + 1) & (index[:, None] // (2 * b) == index // (2 * b))
        inverse = inverse - inverse @ (jnp.where(corner, whole, 0) @ inverse)
        b *= 2
    return inverse[..., :p, :p]


def _log_of_diagonal(L):
    return jnp.sum(jnp.log(jnp.diagonal(L, axis1=-2, axis2=-1)), axis=-1)


def _arguments(Z, classes, name, K):
    """Z, and its classes in the form of `_of_classes`."""
    Z = matrix(Z, "Z", "(d, N)")
    N = Z.shape[1]
    if np.ndim(classes) == 2:
        membership = shares(classes, name, "(K, N)", N=N)
        if is_concrete(classes):
            known = np.asarray(classes)
            validate.filled(known.sum(axis=1), name)
            if np.all((known == 0) | (known == 1)):
                return Z, _sorted(known.argmax(axis=0), len(known), Z.dtype)
        return Z, (None, None, membership.astype(Z.dtype))
    labels, K = validate.classes(classes, name, N, K)
    if is_concrete(labels):
        return Z, _sorted(labels, K, Z.dtype)
    return Z, (None, None, jax.nn.one_hot(labels, K, axis=0, dtype=Z.dtype))


def _sorted(labels, K, dtype):
    """The columns of every class (K, n), filled up with N, and the sizes of classes (K,)."""
    counts = np.bincount(labels, minlength=K)
    largest = counts.max()
    # a few widths only, so that batches whose classes differ in size a little do not compile anew
    step = max(1, 2 ** (int(largest).bit_length() - 3))
    columns = np.full((K, -(-largest // step) * step if counts.min() < largest else largest), len(labels))
    order = np.argsort(labels, kind="stable")
    place = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    columns[labels[order], place] = order
    return jnp.asarray(columns), jnp.asarray(counts, dtype), None
