"""Random subspaces and noisy samples near them.

    x_i = U z_i + sigma e_i,   z_i ~ N(0, diag(S)),   e_i ~ N(0, I)      low-rank data (book: eq. 2.1.1, eq:pca_dgp)
    A = Q R with R_jj > 0,     A_ij ~ N(0, 1)                            Q is Haar-distributed (Stewart 1980, Mezzadri 2007)

Samples are columns. Every function takes its random key; the same key gives the same numbers. Bad shapes and ranges raise
ValueError; under jit and vmap only shapes are checked, and sizes (D, d, N) must be known when tracing.
"""

import functools

import jax
import jax.numpy as jnp

from book_utils.validate import distribution, fraction, frame, frames, integer, matrix, nonnegative, random_key


def random_frame(key: jax.Array, D: int, d: int) -> jax.Array:
    """U (D, d) with orthonormal columns, uniform among all such (Haar): Q U has the law of U for every orthogonal Q; d <= D."""
    key, D = random_key(key), integer(D, "D", 1)
    return _random_frame(key, D, integer(d, "d", 1, D, "D"))


@functools.partial(jax.jit, static_argnames=("D", "d"))
def _random_frame(key, D, d):
    Q, R = jnp.linalg.qr(jax.random.normal(key, (D, d)))
    return Q * jnp.where(jnp.diagonal(R) < 0, -1, 1)  # R_jj > 0 makes Q unique; without it the law hangs on the QR code's signs


def subspace_sample(
    key: jax.Array, U: jax.Array, N: int, sigma: float, S: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """N samples near the subspace with orthonormal basis U (D, d): X = U Z + sigma E (D, N), and the codes Z (d, N).

    S (d,) >= 0: variances of the codes, all 1 unless given. sigma >= 0: standard deviation of the noise in each of the D
    coordinates. Book: eq. 2.1.1, eq:pca_dgp."""
    key, U, N = random_key(key), frame(U, "U", "(D, d)"), integer(N, "N", 1)
    S = jnp.ones(U.shape[1], U.dtype) if S is None else nonnegative(S, "S", "(d,)", d=U.shape[1])
    return _subspace_sample(key, U, N, nonnegative(sigma, "sigma"), S)


@functools.partial(jax.jit, static_argnames="N")
def _subspace_sample(key, U, N, sigma, S):
    D, d = U.shape
    for_codes, for_noise = jax.random.split(key)
    Z = jnp.sqrt(S)[:, None] * jax.random.normal(for_codes, (d, N), U.dtype)
    return jnp.matmul(U, Z, precision="highest") + sigma * jax.random.normal(for_noise, (D, N), U.dtype), Z


def add_noise(key: jax.Array, X: jax.Array, sigma: float) -> jax.Array:
    """X + sigma E (D, N) with E of independent standard normal entries; sigma >= 0."""
    return _add_noise(random_key(key), matrix(X, "X", "(D, N)"), nonnegative(sigma, "sigma"))


@jax.jit
def _add_noise(key, X, sigma):
    return X + sigma * jax.random.normal(key, X.shape, X.dtype)


def bernoulli_gaussian(key: jax.Array, theta: jax.Array | float, D: int, N: int) -> jax.Array:
    """Sparse codes Z (D, N) of independent entries b g with P(b = 1) = theta, else b = 0, and g ~ N(0, 1 / theta).

    0 < theta <= 1. Every entry has mean 0, variance 1, E z^4 = 3 / theta and kurtosis 3 (1 - theta) / theta: 0 for theta = 1,
    where the entries are Gaussian. Book: eq:ica-model-ch2."""
    key, theta = random_key(key), fraction(theta, "theta")
    return _bernoulli_gaussian(key, theta, integer(D, "D", 1), integer(N, "N", 1))


@functools.partial(jax.jit, static_argnames=("D", "N"))
def _bernoulli_gaussian(key, theta, D, N):
    for_mask, for_values = jax.random.split(key)
    return jnp.where(jax.random.bernoulli(for_mask, theta, (D, N)), jax.random.normal(for_values, (D, N)) / jnp.sqrt(theta), 0)


def mixture_sample(
    key: jax.Array, Us: jax.Array, pi: jax.Array, N: int, sigma: jax.Array | float
) -> tuple[jax.Array, jax.Array]:
    """N samples near a union of subspaces: X (D, N), and the number from 0 to K - 1 of each sample's subspace, labels (N,).

    A sample is U_k z + sigma e with probability pi_k, z ~ N(0, I) and e ~ N(0, I). Us (K, D, d): orthonormal bases; pi (K,) >= 0,
    adding up to 1; sigma >= 0. Book: eq:mixture-of-subspaces-statistical."""
    key, Us = random_key(key), frames(Us, "Us", "(K, D, d)")
    pi = distribution(pi, "pi", "(K,)", K=Us.shape[0])
    return _mixture_sample(key, Us, pi, integer(N, "N", 1), nonnegative(sigma, "sigma"))


@functools.partial(jax.jit, static_argnames="N")
def _mixture_sample(key, Us, pi, N, sigma):
    K, D, d = Us.shape
    for_labels, for_codes, for_noise = jax.random.split(key, 3)
    labels = jax.random.categorical(for_labels, jnp.log(pi), shape=(N,))
    Z = jax.random.normal(for_codes, (d, N), Us.dtype)
    lifted = jnp.where(labels == jnp.arange(K)[:, None, None], Z, 0).reshape(K * d, N)  # one block of K is not zero
    X = jnp.matmul(Us.transpose(1, 0, 2).reshape(D, K * d), lifted, precision="highest")
    return X + sigma * jax.random.normal(for_noise, (D, N), Us.dtype), labels
