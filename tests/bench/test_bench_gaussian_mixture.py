"""Speed of the posterior mean of a mixture. Not part of the ordinary suite; run it on a quiet machine, from the root:

    python -m pytest tests/bench/test_bench_gaussian_mixture.py -o addopts="" -s

K = 32 components in D = 256 dimensions, at 10,000 samples. The other sides factor every covariance anew at every noise level, as
the book's own code does: in float32 by one batched solve (NumPy's: the LAPACK routine that PyTorch calls on a CPU), in float32 by
compiled JAX and Cholesky factors, in float64 by NumPy and SciPy. Their cost grows with the number of samples in proportion and
knows no noise level, so that they are timed on fewer samples or steps, and the time is multiplied. Ratios of one run are to be
compared, times of different runs are not.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from jax import lax

from book_utils import diffusion
from book_utils.gaussian_mixture import GaussianMixture

from timing import medians, report, seconds

K, D, N = 32, 256, 10_000
FEWER = 2_000  # samples that the other sides are timed on
ranks = pytest.mark.parametrize("R", [16, D])


@functools.cache
def mixture_of(R, K=K):
    """Means from N(0, I), covariances of about that size: of 16 directions each, or of all and with a spectrum that falls off."""
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(K, D, R)) / np.sqrt(R) * (np.linspace(1.5, 0.05, R) if R == D else 1)
    parts = np.full(K, 1 / K), rng.normal(size=(K, D)), factors @ factors.transpose(0, 2, 1)
    return parts, GaussianMixture(*parts)


def noisy(mixture, alpha, sigma, N=N):
    keys = jax.random.split(jax.random.key(0))
    return jax.block_until_ready(alpha * mixture.sample(keys[0], N)[0] + sigma * jax.random.normal(keys[1], (D, N)))


def by_scipy(parts, X, alpha, sigma):
    """float64: a Cholesky factor and one triangular solve for each component, one product for its mean, weights as they come."""
    X = np.asarray(X, np.float64)
    top, total, mean = np.full(X.shape[1], -np.inf), np.zeros(X.shape[1]), np.zeros(X.shape)
    for weight, mu, Sigma in zip(*parts):
        L = np.linalg.cholesky(alpha**2 * Sigma + sigma**2 * np.eye(D))
        half = scipy.linalg.solve_triangular(L, X - alpha * mu[:, None], lower=True, check_finite=False)
        log_joint = np.log(weight) - 0.5 * np.einsum("dn,dn->n", half, half) - np.log(np.diag(L)).sum()
        own = mu[:, None] + scipy.linalg.solve_triangular(L, alpha * Sigma, lower=True, check_finite=False).T @ half
        new = np.maximum(top, log_joint)
        before, now = np.exp(top - new), np.exp(log_joint - new)
        top, total, mean = new, before * total + now, before * mean + now * own
    return mean / total


def by_batched_solve(parts32, X, alpha, sigma):
    """float32, eagerly, as one writes it with torch.linalg.solve: all components at once."""
    pi, mus, Sigmas = (np.asarray(a) for a in parts32)
    S = alpha**2 * Sigmas + np.float32(sigma**2) * np.eye(D, dtype=np.float32)
    R = np.asarray(X) - alpha * mus[:, :, None]
    solved = np.linalg.solve(S, R)
    logs = np.log(pi)[:, None] - 0.5 * np.einsum("kdn,kdn->kn", R, solved) - 0.5 * np.linalg.slogdet(S)[1][:, None]
    w = np.exp(logs - logs.max(axis=0))
    return np.einsum("kn,kdn->dn", w / w.sum(axis=0), mus[:, :, None] + alpha * Sigmas @ solved)


@jax.jit
def by_solves(parts, X, alpha, sigma):
    """float32: all Cholesky factors in one batch, then the solve, the log-density and the mean of each component."""
    pi, mus, Sigmas = parts
    factors = jnp.linalg.cholesky(alpha**2 * Sigmas + sigma**2 * jnp.eye(D))

    def add(state, component):
        top, total, mean = state
        log_pi, mu, Sigma, L = component
        r = X - alpha * mu[:, None]
        solved = jax.scipy.linalg.cho_solve((L, True), r)
        log_joint = log_pi - 0.5 * jnp.sum(r * solved, axis=0) - jnp.sum(jnp.log(jnp.diagonal(L)))
        new = jnp.maximum(top, log_joint)
        before, now = jnp.exp(top - new), jnp.exp(log_joint - new)
        return (new, before * total + now, before * mean + now * (mu[:, None] + alpha * Sigma @ solved)), None

    zeros = jnp.zeros_like(X[0])
    _, total, mean = lax.scan(add, (zeros - jnp.inf, zeros, jnp.zeros_like(X)), (jnp.log(pi), mus, Sigmas, factors))[0]
    return mean / total


def scaled(times, factor):
    return {side: (first, median * (1 if side == "ours" else factor)) for side, (first, median) in times.items()}


def as_float32(parts):
    return tuple(jnp.asarray(a, jnp.float32) for a in parts)


@ranks
@pytest.mark.parametrize("sigma", [0.1, 0.5, 0.9, 0.999])
def test_posterior_mean(R, sigma):
    """At 10,000 samples x_t of VP noise. At sigma = 0.999 most samples could be of most components and all work has to be done:
    of full rank one product with a D x D matrix for each component, against two triangular solves and a product."""
    parts, mixture = mixture_of(R)
    alpha = float(np.sqrt(1 - sigma**2))
    X = noisy(mixture, alpha, sigma)
    some, parts32 = X[:, :FEWER], as_float32(parts)
    times = scaled(medians(3, ours=lambda: mixture.posterior_mean(X, alpha, sigma),
                           solves=lambda: by_solves(parts32, some, alpha, sigma),
                           batched=lambda: by_batched_solve(parts32, some, alpha, sigma)), N / FEWER)
    second, exact = seconds(lambda: by_scipy(parts, some, alpha, sigma))
    times["scipy"] = second, second * N / FEWER
    note = f"{FEWER:,} samples, times {N // FEWER}"
    report(f"posterior mean, R = {R}, sigma = {sigma}", times, {"solves": note, "batched": note, "scipy": note})
    assert np.abs(mixture.posterior_mean(X, alpha, sigma)[:, :FEWER] - exact).max() < 1e-3
    assert times["batched"][1] > 5 * times["ours"][1]
    easy = R < D or sigma <= 0.5
    assert times["solves"][1] > (5 if easy else 1.2) * times["ours"][1]
    assert times["scipy"][1] > (5 if easy else 2) * times["ours"][1]


@ranks
def test_ddim(R):
    """A hundred steps of VP from N(0, I): all of them for ours; one, which costs the same as any other, for the other sides."""
    parts, mixture = mixture_of(R)
    M = N if R < D else FEWER
    X_T, times = jax.random.normal(jax.random.key(1), (D, M)), diffusion.uniform_times(1, 100)
    first, X = seconds(lambda: diffusion.ddim(mixture.posterior_mean, X_T, times))
    ours, _ = seconds(lambda: diffusion.ddim(mixture.posterior_mean, X_T, times))
    parts32, some = as_float32(parts), X_T[:, :FEWER]
    others = scaled(medians(2, solves=lambda: by_solves(parts32, some, 0.8, 0.6)), 100 * M / FEWER)
    second, _ = seconds(lambda: by_scipy(parts, some, 0.8, 0.6))
    others["scipy"] = second, 100 * M / FEWER * second
    report(f"100 steps of DDIM, R = {R}, {M:,} samples", {"ours": (first, ours), **others},
           dict.fromkeys(("solves", "scipy"), f"one step of {FEWER:,} samples, times {100 * M // FEWER}"))
    assert np.isfinite(X).all()
    assert others["solves"][1] > (5 if R < D else 2) * ours and others["scipy"][1] > (5 if R < D else 3) * ours


@ranks
def test_cost_is_linear(R):
    """Twice the samples, or twice the components: about twice the time, no more."""
    _, mixture = mixture_of(R)
    _, half = mixture_of(R, K // 2)
    X = noisy(mixture, 0.6, 0.8)
    X_half = X[:, : N // 2]
    times = medians(3, ours=lambda: mixture.posterior_mean(X, 0.6, 0.8),
                    half_of_the_samples=lambda: mixture.posterior_mean(X_half, 0.6, 0.8),
                    half_of_the_components=lambda: half.posterior_mean(X, 0.6, 0.8))
    report(f"cost in N and K, R = {R}", times)
    assert times["ours"][1] < 3 * min(times["half_of_the_samples"][1], times["half_of_the_components"][1])
