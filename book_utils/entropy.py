"""Entropies: of finite alphabets, of Gaussians, and of one-dimensional Gaussian mixtures at any noise level. All in nats.

    H(p) = -sum p_i log p_i                                          (book: eq. 3.1.1, eqn:entropy-discrete)
    h(p) = -int p log p                                              (book: eq. 3.1.2, eqn:entropy-differential)
    t dh/dt = t^2 J(p_t) = D - MMSE(t) / t^2                         for x_t = x + t g (de Bruijn 1959; Guo, Shamai & Verdu 2005)

J = E |grad log p_t|^2 is the Fisher information, MMSE = E |x - E[x | x_t]|^2. Bad shapes and ranges raise ValueError; under jit,
vmap and grad only shapes are checked. float32, or float64 in 64-bit mode. The quadratures in one dimension are right to 1e-5 of
the value (or 1e-6) in float32 and to 1e-8 in float64 (tests hold it), for components of widths 1e3 apart too: every component
sets edges at its own scale, and each piece between two edges gets 20 nodes of Gauss.
"""

import math

import jax
import jax.numpy as jnp
import jax.scipy.linalg
import numpy as np
from jax.scipy.special import xlogy

from book_utils.compile import compiled
from book_utils.gaussian_mixture import GaussianMixture
from book_utils.validate import covariance, distribution, integer, is_concrete, nonnegative, same_type

LOG_2PI = math.log(2 * math.pi)
EDGES = np.array([0, 1, 2, 3, 4, 5, 6.5, 8, 10.0])  # where panels of the quadrature end, in standard deviations
NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)


def discrete_entropy(p: jax.Array) -> jax.Array:
    """H(p) = -sum p_i log p_i (), in nats, of probabilities p (n,) that add up to 1; 0 log 0 = 0.

    Shannon 1948; book: eq. 3.1.1, eqn:entropy-discrete (there in bits: divide by log 2)."""
    return _discrete_entropy(distribution(p, "p", "(n,)"))


@compiled()
def _discrete_entropy(p):
    return -jnp.sum(xlogy(p, p))


def quantized_entropy(p: jax.Array, eps: float, D: int) -> jax.Array:
    """H(p) + D log eps (), in nats, of the probabilities p (n,) of cubes of side eps > 0 that R^D is cut into.

    Tends to the differential entropy as eps -> 0, where H(p) alone grows as -D log eps. Book: Section 3.1.2."""
    p, eps, D = distribution(p, "p", "(n,)"), nonnegative(eps, "eps"), integer(D, "D", 1)
    if is_concrete(eps) and eps == 0:
        raise ValueError("eps: got 0, want a side > 0")
    return _discrete_entropy(p) + D * jnp.log(eps)


def gaussian_entropy(Sigma: jax.Array) -> jax.Array:
    """h(N(mu, Sigma)) = (D / 2) log(2 pi e) + log det(Sigma) / 2 (), in nats, whatever mu is; Sigma (D, D).

    -inf where Sigma is singular: where a pivot of its Cholesky factorisation is 0, or within rounding of it (D eps of that
    variable's variance: the others determine it). Book: eq. 3.1.4, eqn:entropy-Gaussian-multi."""
    return _gaussian_entropy(covariance(Sigma, "Sigma", "(D, D)"))


@compiled()
def _gaussian_entropy(Sigma):
    return 0.5 * (Sigma.shape[0] * (1 + LOG_2PI) + _log_det(Sigma)[0])


def _log_det(Sigma):
    """log det, -inf if Sigma is singular; and a Cholesky factor, that of I if Sigma is singular."""
    D = Sigma.shape[0]
    L = jnp.linalg.cholesky(Sigma)
    pivots, variances = jnp.diagonal(L) ** 2, jnp.diagonal(Sigma)
    regular = jnp.all(pivots > D * jnp.finfo(Sigma.dtype).eps * variances)  # not so where they are NaN
    L = jnp.where(regular, L, jnp.eye(D, dtype=Sigma.dtype))
    return jnp.where(regular, 2 * jnp.sum(jnp.log(jnp.diagonal(L))), -jnp.inf), L


def gaussian_cross_entropy(Sigma: jax.Array, Sigma_q: jax.Array) -> jax.Array:
    """-E log q(x) (), in nats, for x ~ N(0, Sigma) and q the density of N(0, Sigma_q): samples of one, coded for the other.

    (D log(2 pi) + log det Sigma_q + tr(Sigma_q^-1 Sigma)) / 2, both (D, D). +inf if Sigma_q is singular (`gaussian_entropy` says
    when); Sigma may be. Never below h(N(0, Sigma)). Book: Section 3.1.3, sub:min_entropy."""
    Sigma = covariance(Sigma, "Sigma", "(D, D)")
    return _gaussian_cross_entropy(*same_type(Sigma, covariance(Sigma_q, "Sigma_q", "(D, D)", D=Sigma.shape[0])))


@compiled()
def _gaussian_cross_entropy(Sigma, Sigma_q):
    log_det, L = _log_det(Sigma_q)
    trace = jnp.trace(jax.scipy.linalg.cho_solve((L, True), Sigma))
    return jnp.where(log_det == -jnp.inf, jnp.inf, 0.5 * (Sigma.shape[0] * LOG_2PI + log_det + trace))


def gaussian_kl(Sigma: jax.Array, Sigma_q: jax.Array) -> jax.Array:
    """KL(N(0, Sigma) || N(0, Sigma_q)) (), in nats, >= 0: the cross-entropy above the entropy. Both (D, D).

    +inf if either is singular (a degenerate pair that shares its support counts as infinite too)."""
    Sigma = covariance(Sigma, "Sigma", "(D, D)")
    return _gaussian_kl(*same_type(Sigma, covariance(Sigma_q, "Sigma_q", "(D, D)", D=Sigma.shape[0])))


@compiled()
def _gaussian_kl(Sigma, Sigma_q):
    (log_det, _), (log_det_q, L) = _log_det(Sigma), _log_det(Sigma_q)
    # of A = L^-1 (Sigma - Sigma_q) L^-T the eigenvalues a alone matter: KL = sum (a - log(1 + a)) / 2, with no difference of logs
    half = jax.scipy.linalg.solve_triangular(L, Sigma - Sigma_q, lower=True)
    a = jnp.linalg.eigvalsh(jax.scipy.linalg.solve_triangular(L, half.T, lower=True))
    finite = jnp.isfinite(log_det + log_det_q)
    a = jnp.where(finite, jnp.maximum(a, -1 + jnp.finfo(a.dtype).eps), 0)
    return jnp.where(finite, 0.5 * jnp.sum(a - jnp.log1p(a)), jnp.inf)


def gaussian_entropy_slope(lams: jax.Array, t: float) -> jax.Array:
    """dh/dt (), in nats, for x_t = x + t g when Cov(x) has the eigenvalues lams (D,) >= 0: sum_i t / (lam_i + t^2).

    t dh/dt rises from the number of eigenvalues that are 0 to D. t = 0: 0, and inf if an eigenvalue is 0.
    Book: below Theorem 3.1, thm:diffusion_entropy_increases."""
    return _gaussian_entropy_slope(nonnegative(lams, "lams", "(D,)"), nonnegative(t, "t"))


@compiled()
def _gaussian_entropy_slope(lams, t):
    below = lams + t**2
    return jnp.sum(jnp.where(below > 0, t / jnp.where(below > 0, below, 1), jnp.inf))


def entropy_1d(mixture: GaussianMixture, alpha: float = 1.0, sigma: float = 0.0) -> jax.Array:
    """h(x_t) (), in nats, of x_t = alpha x + sigma g with x from a mixture of D = 1; by quadrature.

    ValueError if D > 1, or if a component of x_t has variance 0."""
    return _entropy_1d(*_line(mixture, alpha, sigma))


def fisher_information_1d(mixture: GaussianMixture, alpha: float = 1.0, sigma: float = 0.0) -> jax.Array:
    """J(p_t) = E (d log p_t / dx)^2 (), of x_t = alpha x + sigma g with x from a mixture of D = 1; by quadrature."""
    return _fisher_information_1d(*_line(mixture, alpha, sigma))


def mmse_1d(mixture: GaussianMixture, alpha: float = 1.0, sigma: float = 0.0) -> jax.Array:
    """E (x - E[x | x_t])^2 (), for x_t = alpha x + sigma g with x from a mixture of D = 1; by quadrature."""
    return _mmse_1d(*_line(mixture, alpha, sigma))


def _line(mixture, alpha, sigma):
    if mixture.mus.shape[1] != 1:
        raise ValueError(f"mixture: got one of dimension {mixture.mus.shape[1]}, want D = 1")
    alpha, sigma = nonnegative(alpha, "alpha"), nonnegative(sigma, "sigma")
    if all(map(is_concrete, (mixture.lams, alpha, sigma))) and not np.all(alpha**2 * np.asarray(mixture.lams) + sigma**2 > 0):
        raise ValueError("sigma: got 0 and a component without a density (its variance is 0), want sigma > 0")
    return mixture, alpha, sigma


def _quadrature(mixture, alpha, sigma):
    """Nodes x (n,) with weights (n,): Gauss's rule between every two edges, which every component sets at its own scale."""
    scale = jnp.sqrt(alpha**2 * mixture.lams + sigma**2)
    steps, nodes, weights = (jnp.asarray(a, scale.dtype) for a in (np.r_[-EDGES[:0:-1], EDGES], NODES, WEIGHTS))
    edges = jnp.sort((alpha * mixture.mus + scale * steps).ravel())
    half, middle = jnp.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * nodes).ravel(), (half[:, None] * weights).ravel()


def _at_nodes(mixture, alpha, sigma):
    """At every node: weight times p_t, log p_t (n,), responsibilities (K, n); and r = x - alpha mu_k (K, n), variances (K, 1)."""
    x, weights = _quadrature(mixture, alpha, sigma)
    variances = alpha**2 * mixture.lams + sigma**2
    r = x - alpha * mixture.mus
    log_joint = jnp.log(mixture.pi)[:, None] - 0.5 * (r**2 / variances + jnp.log(variances) + LOG_2PI)
    log_p = jax.nn.logsumexp(log_joint, axis=0)
    return weights * jnp.exp(log_p), log_p, jnp.exp(log_joint - log_p), r, variances


@compiled()
def _entropy_1d(mixture, alpha, sigma):
    p, log_p, *_ = _at_nodes(mixture, alpha, sigma)
    return -p @ log_p


@compiled()
def _fisher_information_1d(mixture, alpha, sigma):
    p, _, w, r, variances = _at_nodes(mixture, alpha, sigma)
    return p @ jnp.sum(w * r / variances, axis=0) ** 2


@compiled()
def _mmse_1d(mixture, alpha, sigma):
    p, _, w, r, variances = _at_nodes(mixture, alpha, sigma)
    means = mixture.mus + alpha * mixture.lams / variances * r
    spread = (means - jnp.sum(w * means, axis=0)) ** 2
    return p @ jnp.sum(w * (spread + sigma**2 * mixture.lams / variances), axis=0)
