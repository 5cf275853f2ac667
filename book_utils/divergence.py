"""How far apart two distributions are.

    TV(P, Q) = sup_A |P(A) - Q(A)| = 1/2 sum_i |p_i - q_i|                     total variation
    W1(P, Q) = min over couplings of E |x - y| = integral of |F - G|           Wasserstein distance, on the line
    sliced W1 = mean over directions u of W1(u^T x, u^T y)                     the same in more dimensions, by projections

Book: Theorem 3.4, thm:diffusion_sampler_convergence (total variation); Villani 2003 (Wasserstein), Bonneel et al. 2015 (sliced).
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from book_utils.compile import compiled
from book_utils.validate import distribution, integer, matrix, nonnegative, random_key, same_type, vector


def total_variation(p: jax.Array, q: jax.Array) -> jax.Array:
    """1/2 sum_i |p_i - q_i| (), the largest difference |P(A) - Q(A)| over sets A of symbols; p, q (n,) add up to 1. In [0, 1]."""
    p = distribution(p, "p", "(n,)")
    return jnp.sum(jnp.abs(p - distribution(q, "q", "(n,)", n=p.shape[0]))) / 2


def isotropic_total_variation(r: float, D: int) -> float:
    """Total variation between N(0, I) and N(0, r^2 I) in D dimensions, r > 0: a Python float, computed in float64 to 1e-9.

    Both densities depend on ||x|| alone and cross at one radius; the squared radius is chi-square with D degrees of freedom.
    The same for r and 1/r. About sqrt(D / pi) |r - 1| for r near 1."""
    D, r = integer(D, "D", 1), float(nonnegative(r, "r"))
    if not r > 0:
        raise ValueError(f"r: got {r:.3g}, want a number > 0")
    if r == 1:
        return 0.0
    r = max(r, 1 / r)
    cross = 2 * D * math.log(r) / (1 - r**-2)  # the squared radius below which N(0, I) is the larger density
    # P(cross / r^2 <= chi^2_D <= cross) in z = log of the squared radius, where the density is smooth and nowhere steep
    width = 40 * math.sqrt(2 / D)  # forty of its standard deviations
    low, high = max(math.log(cross / r**2), math.log(D) - width), min(math.log(cross), math.log(D) + width)
    edges = np.linspace(low, high, 401)
    nodes, weights = np.polynomial.legendre.leggauss(12)
    z = (edges[:-1, None] + edges[1:, None]) / 2 + np.diff(edges)[:, None] / 2 * nodes
    log_density = D / 2 * (z - math.log(2)) - np.exp(z) / 2 - math.lgamma(D / 2)
    return float(np.sum(np.exp(log_density) * weights * np.diff(edges)[:, None] / 2))


def wasserstein_1d(x: jax.Array, y: jax.Array) -> jax.Array:
    """W1 () between the samples x (N,) and y (M,): the area between their distribution functions, in the units of the samples."""
    return _wasserstein_1d(*same_type(vector(x, "x", "(N,)"), vector(y, "y", "(M,)")))


@compiled()
def _wasserstein_1d(x, y):
    N, M = len(x), len(y)
    if N == M:
        return jnp.mean(jnp.abs(jnp.sort(x) - jnp.sort(y)))
    levels = np.unique(np.concatenate([np.arange(N + 1) * M, np.arange(M + 1) * N]))  # where a quantile jumps, times N M
    middle = (levels[:-1] + levels[1:]) / 2
    gaps = np.diff(levels) / (N * M)
    at = lambda s, count, other: jnp.sort(s)[(middle // other).astype(int)]
    return jnp.sum(jnp.asarray(gaps, x.dtype) * jnp.abs(at(x, N, M) - at(y, M, N)))


def sliced_wasserstein(key: jax.Array, X: jax.Array, X_new: jax.Array, n: int = 100) -> jax.Array:
    """Mean over n random directions of W1 () between the projected columns of X (D, N) and of X_new (D, M).

    0 only for equal samples; at most E |u_1| ~ sqrt(2 / (pi D)) times the Wasserstein distance in D dimensions."""
    key, X = random_key(key), matrix(X, "X", "(D, N)")
    X, X_new = same_type(X, matrix(X_new, "X_new", "(D, M)", D=X.shape[0]))
    return _sliced_wasserstein(key, X, X_new, integer(n, "n", 1))


@compiled("n")
def _sliced_wasserstein(key, X, X_new, n):
    directions = jax.random.normal(key, (n, X.shape[0]), X.dtype)
    directions = directions / jnp.linalg.norm(directions, axis=1, keepdims=True)
    return jnp.mean(jax.lax.map(lambda u: _wasserstein_1d(u @ X, u @ X_new), directions))
