"""The landscape of rate reduction: its best points in closed form, and gradient ascent between them.

    f(x) = log(1 + alpha x) - rho log(1 + alpha x / rho)                                     twice what one direction adds
    L(Z) = Delta R(Z) - lam / 2 ||Z||_F^2,   Z <- Z + grad L(Z) / alpha                      (book: eq:MCR-reg)
    x = (eta + sqrt(eta^2 - 4 lam^2 / rho)) / (2 lam alpha_k)                                (book: eq:Zk opti)

Features of one class are mutually orthogonal to those of the others; x is one of their squared singular values, alpha = d / (N
eps^2), rho = N_k / N, alpha_k = alpha / rho, eta = alpha_k - alpha - lam (1 / rho + 1). f is convex up to x_inf = sqrt(rho) /
alpha and concave from there on; the line from the origin touches it at x_t > x_inf. All else follows: there are stationary
points for lam up to f'(x_inf), they are worth having for lam up to f'(x_t), and N_k / x_t directions are best for a norm N_k.

Sources: Yu, Chan, You, Song & Ma 2020; Wang, Liu, Qu, Ma & Ma 2024. Values in nats, labels (N,) from 0 to K - 1. Bad shapes and
ranges raise ValueError; under jit, vmap and grad only shapes are checked. float32, or float64 in 64-bit mode. Against float64
(tests hold it): the closed forms to 1e-4 for 1e-4 <= rho <= 0.95, and lam from 1e-3 to 0.95 of the bound.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from book_utils.coding import rate_reduction, rate_reduction_gradient
from book_utils.compile import compiled
from book_utils.validate import classes, fraction, integer, is_concrete, matrix, nonnegative, positive

HALVINGS = 40  # of the ratio of the bounds around the tangent point: to the last digit of float32, and 1e-12 in float64


def spread_value(spectrum: jax.Array, alpha: float, rho: float) -> jax.Array:
    """sum_i f(x_i) / 2 (): what a class of squared singular values x (r,) adds to the rate reduction of orthogonal classes.

    Book: thm:MCR2-properties (its proof is in Yu et al. 2020)."""
    return _spread_value(nonnegative(spectrum, "spectrum", "(r,)"), *_class(alpha, rho))


@compiled()
def _spread_value(spectrum, alpha, rho):
    return jnp.sum(_f(alpha * spectrum, rho)) / 2


def _f(u, rho):
    return jnp.log1p(u) - rho * jnp.log1p(u / rho)


def _slope(u, rho):
    """f' / alpha at u = alpha x, with no difference of nearly equal numbers."""
    return (1 / rho - 1) * u / ((1 + u) * (1 + u / rho))


def inflection(alpha: float, rho: float) -> jax.Array:
    """x_inf = 1 / sqrt(alpha alpha_k) = sqrt(rho) / alpha (), where f turns from convex to concave."""
    alpha, rho = _class(alpha, rho)
    return jnp.sqrt(rho) / alpha


def tangent_point(alpha: float, rho: float) -> jax.Array:
    """x_t (), where the line from the origin touches f: f(x) = x f'(x), x > 0. By bisection; no derivative passes through it."""
    return _tangent_point(*_class(alpha, rho))


@compiled()
def _tangent_point(alpha, rho):
    root = jnp.sqrt(jnp.asarray(rho, jnp.result_type(float)))

    def halve(_, bounds):
        u = jnp.sqrt(bounds[0] * bounds[1])
        before = _f(u, rho) < u * _slope(u, rho)
        return jnp.where(before, u, bounds[0]), jnp.where(before, bounds[1], u)

    low, high = lax.fori_loop(0, HALVINGS, halve, (root, 100 * root))
    return jnp.sqrt(low * high) / alpha


def largest_lam(pi: jax.Array, alpha: float) -> jax.Array:
    """Up to which lam () classes of shares pi (K,) all have stationary points: alpha (1 - s) / (1 + s), s = sqrt(max pi).

    It is f' at the inflection. At this lam itself the points are no maxima. Book: eq:lambda."""
    rho = jnp.sqrt(jnp.max(nonnegative(pi, "pi", "(K,)")))
    return _class(alpha, 0.5)[0] * (1 - rho) / (1 + rho)


def global_lam(pi: jax.Array, alpha: float) -> jax.Array:
    """Below which lam a used direction adds a positive value in every class: f'(x_t) () of the largest class, 0.86 to 1 of
    `largest_lam`. Above it Z = 0 beats some of the points that the book's thm:mcr-global-opt calls global maximisers."""
    rho = jnp.max(nonnegative(pi, "pi", "(K,)"))
    alpha = _class(alpha, 0.5)[0]
    return alpha * _slope(_tangent_point(1.0, rho), rho)


def optimal_variance(alpha: float, rho: float, lam: float) -> jax.Array:
    """The x () of all directions that a class uses at a local maximum of L: the larger root of f'(x) = lam. NaN if there is none.

    Book: eq:Zk opti (there under a square root)."""
    return _optimal_variance(*_class(alpha, rho), positive(lam, "lam"))


@compiled()
def _optimal_variance(alpha, rho, lam):
    eta, double = alpha / rho - alpha - lam * (1 / rho + 1), 2 * lam / jnp.sqrt(rho)
    return (eta + jnp.sqrt((eta - double) * (eta + double))) * rho / (2 * lam * alpha)


def direction_value(alpha: float, rho: float, lam: float) -> jax.Array:
    """(f(x) - lam x) / 2 () at x = optimal_variance: what each used direction adds to L. Negative above `global_lam`."""
    return _direction_value(*_class(alpha, rho), positive(lam, "lam"))


@compiled()
def _direction_value(alpha, rho, lam):
    x = _optimal_variance(alpha, rho, lam)
    return (_f(alpha * x, rho) - lam * x) / 2


def best_rank_spectrum(alpha: float, rho: float, N_k: int, d_k: int) -> jax.Array:
    """The flat spectrum (d_k,), r entries N_k / r and then zeros, of the highest value; of equal ones the smallest r <= d_k.

    With ||Z_k||_F^2 = N_k. r = d_k wherever N_k / d_k >= tangent_point. Book: thm:MCR2-properties."""
    N_k, d_k = integer(N_k, "N_k", 1), integer(d_k, "d_k", 1)
    alpha, rho = _class(alpha, rho)
    r = jnp.arange(1, d_k + 1)
    best = jnp.argmax(r * _f(alpha * N_k / r, rho)) + 1
    return jnp.where(r <= best, N_k / best, 0.0)


def optimal_features(labels: jax.Array, U: jax.Array, ranks: jax.Array, eps: float, lam: float) -> jax.Array:
    """A critical point (d, N) of L with given ranks (K,), adding up to at most d: class k stands on the next ranks[k] columns of
    U (d, d) orthogonal, its samples taking turns, all of one length. ranks[k] divides the number of samples of class k.

    A local maximum for lam < `largest_lam`. Book: thm:mcr-global-opt."""
    U = matrix(U, "U", "(d, d)")
    labels, K = _known(labels, np.size(labels))
    ranks = [integer(r, f"ranks[{k}]", 0) for k, r in enumerate(np.asarray(ranks).tolist())]
    sizes = np.bincount(labels, minlength=K)
    if len(ranks) != K or sum(ranks) > len(U) or any(r and n % r for r, n in zip(ranks, sizes)):
        raise ValueError(f"ranks: got {ranks}, want {K} divisors of {sizes.tolist()} (or 0) that add up to at most d = {len(U)}")
    Z, start = np.zeros((len(U), len(labels)), U.dtype), 0
    for k, (r, n) in enumerate(zip(ranks, sizes)):
        if r:
            x = optimal_variance(len(U) / (len(labels) * eps**2), n / len(labels), lam)
            Z[:, labels == k] = np.sqrt(x * r / n) * np.asarray(U)[:, start + np.arange(n) % r]
        start += r
    return jnp.asarray(Z)


def regularized_rate_reduction(Z: jax.Array, labels: jax.Array, eps: float, lam: float) -> jax.Array:
    """L(Z) (): the rate reduction of Z (d, N) with labels (N,), less lam / 2 times its squared norm. Book: eq:MCR-reg."""
    value, lam = rate_reduction(Z, labels, eps), nonnegative(lam, "lam")
    return value - lam / 2 * jnp.sum(matrix(Z, "Z", "(d, N)") ** 2)


def ascend(Z: jax.Array, labels: jax.Array, eps: float, lam: float, T: int) -> jax.Array:
    """Z (d, N) after T >= 0 steps Z + grad L(Z) / alpha from the given one. No reverse-mode derivative passes through.

    No step decreases L if lam < 7 alpha / 8: no curvature of L is larger than 9 alpha / 8 + lam. Wang et al. 2024 on where it
    ends; book: thm:mcr-benign-opt-landscape."""
    Z, member = _classes(Z, labels)
    return _ascend(Z, member, positive(eps, "eps"), nonnegative(lam, "lam"), integer(T, "T", 0))


def ascend_on_sphere(Z: jax.Array, labels: jax.Array, eps: float, T: int) -> jax.Array:
    """Z (d, N) of unit columns after T >= 0 steps of projected ascent on the rate reduction: the same step, three quarters as
    long, and all columns brought back to length 1. No step decreases it: the step is below the inverse of the largest curvature,
    and the projection goes to the nearest point. Columns must not be 0. Book: eqn:maximal-rate-reduction."""
    Z, member = _classes(Z, labels)
    return _ascend_on_sphere(Z, member, positive(eps, "eps"), integer(T, "T", 0))


@compiled()
def _ascend(Z, member, eps, lam, T):
    return lax.fori_loop(0, T, lambda _, Z: Z + _step(Z, member, eps, lam), Z)


@compiled()
def _ascend_on_sphere(Z, member, eps, T):
    unit = lambda Z: Z / jnp.linalg.norm(Z, axis=0)  # noqa: E731
    return lax.fori_loop(0, T, lambda _, Z: unit(Z + 0.75 * _step(Z, member, eps, 0.0)), unit(Z))


def _step(Z, member, eps, lam):
    """grad L / alpha."""
    d, N = Z.shape
    return (rate_reduction_gradient(Z, member, eps) - lam * Z) * (N * eps**2 / d)


def _class(alpha, rho):
    """alpha > 0 and 0 < rho <= 1."""
    return positive(alpha, "alpha"), fraction(rho, "rho")


def _known(labels, N):
    """Labels (N,) as NumPy integers, and how many classes there are, none of them empty."""
    if not is_concrete(labels):
        raise ValueError("labels: got traced labels, want labels that are known before tracing")
    return classes(labels, "labels", N)


def _classes(Z, labels):
    """Z, and who belongs to which class, (K, N)."""
    Z = matrix(Z, "Z", "(d, N)")
    numbers, K = _known(labels, Z.shape[1])
    return Z, jnp.asarray(numbers == np.arange(K)[:, None], Z.dtype)
