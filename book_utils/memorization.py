"""Whether generated samples are copies of training data, and what a kernel density says about the data.

    ||x - x_(1)|| / ||x - x_(2)|| < c = 1/3     copied (book: eq. 3.3.5, eq:diffusion_euclidean_memorization_criterion)
    max_i cos(f(x), f(x_i)) > c = 3/5           copied, by features (book: eq. 3.3.6, eq:diffusion_sscd_memorization_criterion)
    mean_i N(x; x_i, eps^2 I)                   kernel density with bandwidth eps

x_(1), x_(2) are the nearest and second nearest training samples. Samples fresh from a smooth density on a d-dimensional set have
a ratio below c with probability c^d, for many training samples: no ratio says anything unless it is held against that.
Sources: Somepalli et al. 2022, Yoon et al. 2023, Rosenblatt 1956 and Parzen 1962 (kernel density).
"""

import jax
import jax.numpy as jnp

from book_utils import neighbors
from book_utils.compile import compiled
from book_utils.validate import fraction, matrix, same_type


def distance_ratio(X: jax.Array, X_new: jax.Array) -> jax.Array:
    """Distance to the nearest column of X (D, N) over the distance to the second nearest, for each column of X_new (D, M): (M,).

    In [0, 1]; 0 for a copy, also of a sample that stands in X twice. N >= 2. Columns of X_new that are training samples find
    themselves. Book: eq:diffusion_euclidean_memorization_criterion."""
    X = matrix(X, "X", "(D, N)")
    if X.shape[1] < 2:
        raise ValueError(f"X: got shape {X.shape}, want (D, N) with N >= 2")
    first, second = neighbors.nearest(X, X_new, 2)[0]
    return jnp.where(first == 0, 0, first / jnp.where(second == 0, 1, second))


def memorization_ratio(X: jax.Array, X_new: jax.Array, c: float = 1 / 3) -> jax.Array:
    """The fraction () of the columns of X_new (D, M) that are copies of a column of X (D, N): distance ratio below c, 0 < c <= 1.

    Book: eq. 3.3.4 and 3.3.5, eq:diffusion_euclidean_memorization_criterion."""
    return jnp.mean(distance_ratio(X, X_new) < fraction(c, "c"))


def largest_cosine(F: jax.Array, F_new: jax.Array) -> jax.Array:
    """Largest cosine between each column of F_new (d, M) and the columns of F (d, N), all of them features: (M,).

    ValueError for a column of zeros, which has no direction. Book: eq:diffusion_sscd_memorization_criterion."""
    F = matrix(F, "F", "(d, N)")
    F, F_new = same_type(F, matrix(F_new, "F_new", "(d, M)", d=F.shape[0]))
    for name, features in (("F", F), ("F_new", F_new)):
        if not isinstance(features, jax.core.Tracer) and not jnp.all(jnp.any(features != 0, axis=0)):
            raise ValueError(f"{name}: got a column of zeros, want features that are not zero")
    return _largest_cosine(F, F_new)


@compiled()
def _largest_cosine(F, F_new):
    unit = lambda A: A / jnp.linalg.norm(A, axis=0)
    return jnp.max(unit(F).T @ unit(F_new), axis=0)


def kernel_log_density(X: jax.Array, X_new: jax.Array, eps: float) -> jax.Array:
    """log of mean_i N(x; x_i, eps^2 I) in nats for each column x of X_new (D, M): (M,), with the columns of X (D, N) as centres.

    eps > 0. A training sample is among its own centres."""
    X, X_new, _, eps = neighbors.arguments(X, X_new, 1.0, eps, "X_new", "eps")
    D, N = X.shape
    return neighbors.log_sum(X, X_new, 1.0, eps) - jnp.log(N) - D * (jnp.log(eps) + jnp.log(2 * jnp.pi) / 2)


def kernel_cross_entropy(X: jax.Array, X_new: jax.Array, eps: float) -> jax.Array:
    """Mean code length () in nats of the columns of X_new (D, M) under the kernel density of X (D, N)."""
    return -jnp.mean(kernel_log_density(X, X_new, eps))
