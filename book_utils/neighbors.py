"""Sums and searches over a data set, in chunks, so that nothing of size N x M is ever in memory.

    log sum_i exp(-||x_t - alpha x_i||^2 / (2 sigma^2))         log_sum: the density of a Gaussian bump on every sample
    sum_i w_i x_i,   w = softmax_i(-||x_t - alpha x_i||^2 / (2 sigma^2))         weighted_mean: the mean they give
    the k smallest ||x_new - x_i||                              nearest

Samples are the columns of X (D, N), queries those of X_t or X_new (D, M). Distances come from matrix products of centred data,
which costs O(N M D) and memory for (chunk, M) numbers. In float32 a product knows ||x||^2 to 1e-6 of itself, so the exponents to
1e-6 alpha^2 ||x||^2 / sigma^2: where that is above 1e-2 the differences are squared one by one instead, exactly and some ten
times slower. Bad shapes raise ValueError; under jit, vmap and grad only shapes are checked.
"""

import jax
import jax.numpy as jnp
from jax import lax

from book_utils.compile import compiled
from book_utils.validate import integer, is_concrete, matrix, nonnegative, same_type

BLOCK = 2**21  # numbers in one chunk's matrix of distances
ROUNDING = 1e-2  # largest error of an exponent that a matrix product may make
SPARE = 4  # candidates beside the k nearest, whose distances are then computed exactly


def log_sum(X: jax.Array, X_t: jax.Array, alpha: float, sigma: float) -> jax.Array:
    """log sum_i exp(-||x_t - alpha x_i||^2 / (2 sigma^2)) for every column of X_t (D, M): (M,), of the N columns of X (D, N).

    sigma > 0. To 1e-2 in the worst case, and to 1e-6 of the exponent where sigma is not small (see above)."""
    return _sums(*arguments(X, X_t, alpha, sigma))[0]


def weighted_mean(X: jax.Array, X_t: jax.Array, alpha: float, sigma: float) -> jax.Array:
    """sum_i w_i x_i (D, M), w = softmax_i(-||x_t - alpha x_i||^2 / (2 sigma^2)), for every column of X_t (D, M); sigma > 0."""
    return _sums(*arguments(X, X_t, alpha, sigma))[1]


def arguments(
    X, X_t, alpha, sigma, queries: str = "X_t", width: str = "sigma"
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Samples, queries, alpha and sigma > 0 in one type, or ValueError; `queries` and `width` are the caller's names for two."""
    X = matrix(X, "X", "(D, N)")
    X_t = matrix(X_t, queries, "(D, M)", D=X.shape[0])
    alpha, sigma = nonnegative(alpha, "alpha"), nonnegative(sigma, width)
    if is_concrete(sigma) and not sigma > 0:
        raise ValueError(f"{width}: got {float(sigma):.3g}, want a number > 0")
    X, X_t = same_type(X, X_t)
    return X, X_t, jnp.asarray(alpha, X.dtype), jnp.asarray(sigma, X.dtype)


@compiled()
def _sums(X, X_t, alpha, sigma):
    center = jnp.mean(X, axis=1, keepdims=True)
    Y = X_t - alpha * center
    largest = jnp.max(jnp.sum((X - center) ** 2, axis=0)) * alpha**2
    exact = jnp.finfo(X.dtype).eps * 8 * largest > ROUNDING * sigma**2

    def by_products(A):
        return (A.T @ Y - jnp.sum(A**2, axis=0)[:, None] / 2) / sigma**2

    def by_differences(A):
        squares = lax.map(lambda y: jnp.sum((A - y[:, None]) ** 2, axis=0), Y.T).T
        return -squares / (2 * sigma**2)

    def step(carry, chunk):
        top, total, mean = carry
        A, fresh = chunk
        A = A - center
        e = jnp.where(fresh[:, None], lax.cond(exact, by_differences, by_products, alpha * A), -jnp.inf)
        higher = jnp.maximum(top, jnp.max(e, axis=0))
        w, shrink = jnp.exp(e - higher), jnp.exp(top - higher)
        return (higher, total * shrink + jnp.sum(w, axis=0), mean * shrink + A @ w), None

    M = X_t.shape[1]
    carry = jnp.full(M, -jnp.inf, X.dtype), jnp.zeros(M, X.dtype), jnp.zeros_like(X_t)
    top, total, mean = _over_chunks(step, carry, X, M)
    left_out = jnp.where(exact, 0, jnp.sum(Y**2, axis=0) / (2 * sigma**2))  # the products leave out ||y||^2, which is common
    return top + jnp.log(total) - left_out, center + mean / total


def nearest(X: jax.Array, X_new: jax.Array, k: int) -> tuple[jax.Array, jax.Array]:
    """The k columns of X (D, N) nearest to each column of X_new (D, M): distances (k, M), ascending, and their indices (k, M).

    Distances of the winners are exact: that of a copy is 0. Which of two samples wins is decided by a matrix product first, so
    k + 4 candidates are kept, and one that is nearer by less than 1e-3 of the data's extent may be missed where more crowd in."""
    X = matrix(X, "X", "(D, N)")
    X_new = matrix(X_new, "X_new", "(D, M)", D=X.shape[0])
    return _nearest(*same_type(X, X_new), integer(k, "k", 1, X.shape[1], "N"))


@compiled("k")
def _nearest(X, X_new, k):
    N, M = X.shape[1], X_new.shape[1]
    center = jnp.mean(X, axis=1, keepdims=True)
    Y, kept = X_new - center, min(k + SPARE, N)

    def step(carry, chunk):
        A, fresh, index = chunk[0] - center, chunk[1], chunk[2]
        closeness = jnp.where(fresh[:, None], A.T @ Y - jnp.sum(A**2, axis=0)[:, None] / 2, -jnp.inf)
        both = jnp.concatenate([carry[0], closeness.T], axis=1)
        names = jnp.concatenate([carry[1], jnp.broadcast_to(index, (M, len(index)))], axis=1)
        best, where = lax.top_k(both, kept)
        return (best, jnp.take_along_axis(names, where, axis=1)), None

    carry = jnp.full((M, kept), -jnp.inf, X.dtype), jnp.zeros((M, kept), jnp.int32)
    _, names = _over_chunks(step, carry, X, M, indexed=True)
    exact = lax.map(lambda row: jnp.linalg.norm(X[:, row[0]] - row[1][:, None], axis=0), (names, X_new.T))  # (M, kept)
    order = jnp.argsort(exact, axis=1)[:, :k]
    return jnp.take_along_axis(exact, order, axis=1).T, jnp.take_along_axis(names, order, axis=1).T


def _over_chunks(step, carry, X, M, indexed=False):
    """Scan over the columns of X in chunks; the last chunk begins early and its columns seen before are marked as not fresh."""
    N = X.shape[1]
    size = min(N, max(16, BLOCK // M))

    def at(carry, i):
        begin = jnp.minimum(i * size, N - size)
        index = begin + jnp.arange(size)
        chunk = lax.dynamic_slice_in_dim(X, begin, size, axis=1), index >= i * size
        return step(carry, (*chunk, index) if indexed else chunk)

    return lax.scan(at, carry, jnp.arange(-(-N // size)))[0]
