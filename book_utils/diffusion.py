"""Noising processes and the samplers that run them backwards.

    x_t = alpha_t x + sigma_t g,   g ~ N(0, I), the same g for every t    (book: eq. 3.2.85, eq:gen_additive_gaussian_noise_model)
    E[x | x_t] = (x_t + sigma_t^2 grad log p_t(x_t)) / alpha_t              Tweedie (book: eq. 3.2.86, eq:gen_tweedie)
    x_s = sigma_s / sigma_t x_t + (alpha_s - sigma_s / sigma_t alpha_t) x_bar  DDIM (book: eq. 3.2.87, eq:gen_denoising_iteration)

    process     alpha            sigma       from x_t / alpha_t = x + rho g, rho = sigma / alpha:
    VE          1                t           samplers whose times share rho give the same samples
    VP          sqrt(1 - t^2)    t           for t <= 1
    FLOW        1 - t            t           for t <= 1

A denoiser is a function `denoiser(X_t, alpha, sigma) -> X_bar` of noisy columns (D, M) and two numbers: a mixture's
`posterior_mean`, a network. It is traced: jax operations only. Sources: Robbins 1956 (Tweedie), Song et al. 2021 (DDIM, VE, VP),
Ho et al. 2020 (ancestral sampling), Lipman et al. 2023 (flow matching).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from book_utils import neighbors
from book_utils.compile import compiled, compiled_for_modules
from book_utils.validate import integer, is_concrete, matrix, nonnegative, numbers, random_key, same_type, vector

Denoiser = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


class Process(NamedTuple):
    """A noising process x_t = alpha(t) x + sigma(t) g: both factors and their derivatives, functions of t (numbers or arrays).

    `time(a, s)` is the time at which alpha : sigma = a : s; `last` is the largest time there is."""

    name: str
    alpha: Callable
    sigma: Callable
    d_alpha: Callable
    d_sigma: Callable
    time: Callable
    last: float


def _root(t):
    return ((1 - t) * (1 + t)) ** 0.5  # sqrt(1 - t^2) to full accuracy near t = 1


VE = Process("VE", lambda t: 1 + 0 * t, lambda t: t, lambda t: 0 * t, lambda t: 1 + 0 * t, lambda a, s: s / a, float("inf"))
VP = Process("VP", _root, lambda t: t, lambda t: -t / _root(t), lambda t: 1 + 0 * t, lambda a, s: s / (a * a + s * s) ** 0.5, 1.0)
FLOW = Process("FLOW", lambda t: 1 - t, lambda t: t, lambda t: 0 * t - 1, lambda t: 1 + 0 * t, lambda a, s: s / (a + s), 1.0)


# One prediction, four forms: the denoised sample x_bar, the score, the noise g_bar and the velocity v_bar


def tweedie(x_t: jax.Array, score: jax.Array, alpha: float, sigma: float) -> jax.Array:
    """(x_t + sigma^2 score) / alpha: E[x | x_t] from score = grad log p_t(x_t), of the shape of x_t; alpha > 0.

    For any law of x. ValueError for alpha = 0, where x_t says nothing of x.
    Book: eq. 3.2.23 and 3.2.86, eq:tweedie, eq:gen_tweedie."""
    x_t, score, alpha, sigma = _pair(x_t, score, "score", alpha, sigma, "alpha")
    return (x_t + sigma**2 * score) / alpha


def score_from_denoised(x_t: jax.Array, x_bar: jax.Array, alpha: float, sigma: float) -> jax.Array:
    """(alpha x_bar - x_t) / sigma^2: grad log p_t(x_t) from x_bar = E[x | x_t]; sigma > 0."""
    x_t, x_bar, alpha, sigma = _pair(x_t, x_bar, "x_bar", alpha, sigma, "sigma")
    return (alpha * x_bar - x_t) / sigma**2


def noise_from_denoised(x_t: jax.Array, x_bar: jax.Array, alpha: float, sigma: float) -> jax.Array:
    """(x_t - alpha x_bar) / sigma: E[g | x_t] from x_bar = E[x | x_t]; sigma > 0. Book: section 3.2.2."""
    x_t, x_bar, alpha, sigma = _pair(x_t, x_bar, "x_bar", alpha, sigma, "sigma")
    return (x_t - alpha * x_bar) / sigma


def denoised_from_noise(x_t: jax.Array, g_bar: jax.Array, alpha: float, sigma: float) -> jax.Array:
    """(x_t - sigma g_bar) / alpha: E[x | x_t] from g_bar = E[g | x_t]; alpha > 0."""
    x_t, g_bar, alpha, sigma = _pair(x_t, g_bar, "g_bar", alpha, sigma, "alpha")
    return (x_t - sigma * g_bar) / alpha


def velocity_from_denoised(
    x_t: jax.Array, x_bar: jax.Array, alpha: float, sigma: float, d_alpha: float, d_sigma: float
) -> jax.Array:
    """E[alpha' x + sigma' g | x_t] from x_bar = E[x | x_t]; sigma > 0. d_alpha, d_sigma: derivatives alpha', sigma' in time.

    Book: Exercise 3.6, exercise:velocity_prediction."""
    x_t, x_bar, alpha, sigma = _pair(x_t, x_bar, "x_bar", alpha, sigma, "sigma")
    return d_sigma / sigma * x_t + (d_alpha - alpha * d_sigma / sigma) * x_bar


def denoised_from_velocity(
    x_t: jax.Array, v_bar: jax.Array, alpha: float, sigma: float, d_alpha: float, d_sigma: float
) -> jax.Array:
    """E[x | x_t] from v_bar = E[alpha' x + sigma' g | x_t], where alpha' sigma is not alpha sigma' (never for VE, VP, FLOW).

    Book: Exercise 3.6, exercise:velocity_prediction."""
    x_t, v_bar, alpha, sigma = _pair(x_t, v_bar, "v_bar", alpha, sigma, "")
    return (sigma * v_bar - d_sigma * x_t) / (sigma * d_alpha - alpha * d_sigma)


def _pair(x_t, other, name, alpha, sigma, positive):
    x_t, other = numbers(x_t, "x_t"), numbers(other, name)
    if other.shape != x_t.shape:
        raise ValueError(f"{name}: got shape {other.shape}, want that of x_t, {x_t.shape}")
    factors = {"alpha": nonnegative(alpha, "alpha"), "sigma": nonnegative(sigma, "sigma")}
    if positive and is_concrete(factors[positive]) and not factors[positive] > 0:
        raise ValueError(f"{positive}: got {float(factors[positive]):.3g}, want a number > 0")
    return *same_type(x_t, other), factors["alpha"], factors["sigma"]


# Times, always descending, from T to 0


def uniform_times(T: float, L: int) -> np.ndarray:
    """T (1 - l / L) for l = 0, ..., L: (L + 1,), descending. Book: eq. 3.2.82, eq:denoising-iteration-basic."""
    T, L = _span(T, L)
    return T * np.arange(L, -1, -1) / L


def exponential_times(T: float, c: float, L: int) -> np.ndarray:
    """T (e^{c l} - 1) / (e^{c L} - 1) for l = L, ..., 0: (L + 1,), descending; gaps shrink by e^c from one to the next.

    c >= 0, and 0 is the limit, uniform times. Book: eq. 3.2.83, eq:denoising_exponential_discretization."""
    T, L = _span(T, L)
    c = float(nonnegative(c, "c"))
    if c == 0:
        return uniform_times(T, L)
    l = np.arange(L, -1, -1)
    return T * np.exp(c * (l - L)) * np.expm1(-c * l) / np.expm1(-c * L)  # e^{c L} alone would overflow


def equal_angle_times(lam: float, T: float, L: int, process: Process = VE) -> np.ndarray:
    """The times (L + 1,), descending from T to 0, of the largest DDIM gain for data of variance lam > 0 in L steps.

    The gain of a step is the cosine of the angle between (alpha sqrt(lam), sigma) at its two ends, up to lengths that cancel; the
    angles add up to a fixed one, so equal angles are best. For VP and FLOW T = 1 is allowed."""
    T, L = _span(T, L, process)
    lam = float(nonnegative(lam, "lam"))
    if not lam > 0:
        raise ValueError(f"lam: got {lam:.3g}, want a number > 0")
    root = lam**0.5
    angles = np.arctan2(process.sigma(T), root * process.alpha(T)) * np.arange(L, -1, -1) / L
    times = process.time(np.cos(angles), root * np.sin(angles))
    times[0] = T
    return times


def _span(T, L, process=None):
    T = float(nonnegative(T, "T"))
    if not T > 0 or (process is not None and T > process.last):
        limit = f" and <= {process.last:g} for {process.name}" if process else ""
        raise ValueError(f"T: got {T:.3g}, want a number > 0{limit}")
    return T, integer(L, "L", 1)


# Samplers


def ddim_step(
    x_t: jax.Array, x_bar: jax.Array, alpha: float, sigma: float, alpha_s: float, sigma_s: float
) -> jax.Array:
    """E[x_s | x_t] = sigma_s / sigma x_t + (alpha_s - sigma_s / sigma alpha) x_bar, of the shape of x_t; sigma > 0.

    alpha, sigma: the process at time t; alpha_s, sigma_s: at the earlier time s. Exact where x_bar = x.
    Book: eq. 3.2.42 and 3.2.87, eq:iter denoise, eq:gen_denoising_iteration."""
    x_t, x_bar, alpha, sigma = _pair(x_t, x_bar, "x_bar", alpha, sigma, "sigma")
    ratio = nonnegative(sigma_s, "sigma_s") / sigma
    return ratio * x_t + (nonnegative(alpha_s, "alpha_s") - ratio * alpha) * x_bar


def ddim(denoiser: Denoiser, X_T: jax.Array, times: jax.Array, process: Process = VP) -> jax.Array:
    """X (D, M) at the last of the times (L + 1,), from X_T (D, M) at the first, by L deterministic steps.

    times: descending, all but the last with sigma > 0; the last may be 0. X_T is a draw from N(0, sigma_T^2 I) or another start.
    Compiled once for each denoiser, process and shape. ValueError for times that do not descend or that the process does not
    have. Book: Algorithm 3.1, alg:iterative_denoising; Song, Meng & Ermon 2021."""
    X_T, alphas, sigmas, c = _run(X_T, times, process)
    return _ddim(denoiser, X_T, alphas, sigmas, c)


@compiled_for_modules
def _ddim(denoiser, X_T, alphas, sigmas, c):
    return lax.scan(_ddim_body(denoiser), X_T, (alphas, sigmas, *c))[0]


def ddim_trajectory(denoiser: Denoiser, X_T: jax.Array, times: jax.Array, process: Process = VP) -> jax.Array:
    """The samples of `ddim` at every one of the times: (L + 1, D, M), the first of them X_T."""
    X_T, alphas, sigmas, c = _run(X_T, times, process)
    return _ddim_trajectory(denoiser, X_T, alphas, sigmas, c)


@compiled_for_modules
def _ddim_trajectory(denoiser, X_T, alphas, sigmas, c):
    body = _ddim_body(denoiser)

    def keep(X_t, step):
        X_s, _ = body(X_t, step)
        return X_s, X_s

    return jnp.concatenate([X_T[None], lax.scan(keep, X_T, (alphas, sigmas, *c))[1]])


def _ddim_body(denoiser):
    def body(X_t, step):
        alpha, sigma, from_x_t, from_x_bar = step
        return from_x_t * X_t + from_x_bar * _denoised(denoiser, X_t, alpha, sigma), None
    return body


def ancestral(
    key: jax.Array, denoiser: Denoiser, X_T: jax.Array, times: jax.Array, process: Process = VP
) -> jax.Array:
    """X (D, M) at the last of the times, from X_T (D, M) at the first, by L random steps: `ddim` with fresh noise at every step.

    A step draws x_s from its law given x_t and x = x_bar, for the Markov chain with the marginals of the process:
    mean m sigma_s / sigma_t x_t + alpha_s (1 - m^2) x_bar, variance sigma_s^2 (1 - m^2), m = alpha_t sigma_s / (alpha_s sigma_t).
    Ho, Jain & Abbeel 2020."""
    key = random_key(key)
    X_T, alphas, sigmas, _ = _run(X_T, times, process)
    return _ancestral(key, denoiser, X_T, alphas, sigmas, _noisy_factors(times, process, X_T.dtype))


@compiled_for_modules
def _ancestral(key, denoiser, X_T, alphas, sigmas, factors):
    def body(X_t, step):
        key, alpha, sigma, from_x_t, from_x_bar, noise = step
        fresh = jax.random.normal(key, X_t.shape, X_t.dtype)
        return from_x_t * X_t + from_x_bar * _denoised(denoiser, X_t, alpha, sigma) + noise * fresh, None

    return lax.scan(body, X_T, (jax.random.split(key, len(alphas)), alphas, sigmas, *factors))[0]


def _denoised(denoiser, X_t, alpha, sigma):
    X_bar = denoiser(X_t, alpha, sigma)
    if X_bar.shape != X_t.shape:
        raise ValueError(f"denoiser: got samples of shape {X_bar.shape} back for {X_t.shape}, want the same shape")
    return X_bar.astype(X_t.dtype)


def _run(X_T, times, process):
    X_T = matrix(X_T, "X_T", "(D, M)")
    alphas, sigmas = _factors(times, process)
    ratio = sigmas[1:] / sigmas[:-1]
    coefficients = ratio, alphas[1:] - ratio * alphas[:-1]
    cast = lambda a: jnp.asarray(a, X_T.dtype)
    return X_T, cast(alphas[:-1]), cast(sigmas[:-1]), tuple(map(cast, coefficients))


def _noisy_factors(times, process, dtype):
    alphas, sigmas = _factors(times, process)
    m = alphas[:-1] * sigmas[1:] / (alphas[1:] * sigmas[:-1])
    spread = 1 - m**2
    return tuple(jnp.asarray(a, dtype) for a in (m * sigmas[1:] / sigmas[:-1], alphas[1:] * spread, sigmas[1:] * spread**0.5))


def _factors(times, process):
    """alpha and sigma at the times, in float64 where they are known: a step's factor is a small difference of large ones."""
    if not is_concrete(times):
        times = vector(times, "times", "(L + 1,)")
    else:
        given, times = times, np.asarray(times, np.float64)
        vector(given, "times", "(L + 1,)")
        if len(times) < 2 or not np.all(np.diff(times.astype(np.float32)) < 0):
            raise ValueError(f"times: got {_some(times)}, want at least two numbers that descend in float32")
        if times[0] > process.last or times[-1] < 0:
            came = f"{times[0]:.3g} to {times[-1]:.3g}"
            raise ValueError(f"times: got {came}, want times of {process.name}, from 0 to {process.last:g}")
    return process.alpha(times), process.sigma(times)


def _some(times):
    return "[" + ", ".join(f"{t:.3g}" for t in times[:4]) + (", ..." if len(times) > 4 else "") + "]"


def ddim_gain(lams: jax.Array, times: jax.Array, process: Process = VP) -> jax.Array:
    """Factors (n,) by which `ddim` with the best denoiser multiplies coordinates of variances lams (n,), x ~ N(0, diag(lams)).

    The right factor for a start of the right law is sqrt(lam) / sqrt(alpha_T^2 lam + sigma_T^2), and the gain never reaches it:
    their quotient is a product of cosines. Summed as logarithms. Book: Example 3.5, ex:single_gaussian_denoising (VE)."""
    lams = nonnegative(lams, "lams", "(n,)")
    alphas, sigmas = (jnp.asarray(a, lams.dtype)[:, None] for a in _factors(times, process))
    return _ddim_gain(lams, alphas, sigmas)


@compiled()
def _ddim_gain(lams, alphas, sigmas):
    top = alphas[1:] * alphas[:-1] * lams + sigmas[1:] * sigmas[:-1]
    return jnp.exp(jnp.sum(jnp.log(top) - jnp.log(alphas[:-1] ** 2 * lams + sigmas[:-1] ** 2), axis=0))


def denoising_error(key: jax.Array, denoiser: Denoiser, X: jax.Array, times: jax.Array, process: Process = VP) -> jax.Array:
    """Mean over the columns x of X (D, N) of ||x - denoiser(x_t)||^2, with one noise vector for each of them at each time: (n,).

    times (n,), in any order, with sigma > 0. Its expectation is smallest for E[x | x_t]. Book: eq. 3.2.7, eq:denoising_loss."""
    key, X = random_key(key), matrix(X, "X", "(D, N)")
    times = vector(times, "times", "(n,)")
    if is_concrete(times) and not (np.all(np.asarray(times) > 0) and np.all(np.asarray(times) <= process.last)):
        raise ValueError(f"times: got {_some(np.asarray(times))}, want times of {process.name} with sigma > 0")
    return _denoising_error(key, denoiser, X, *same_type(process.alpha(times), process.sigma(times)))


@compiled_for_modules
def _denoising_error(key, denoiser, X, alphas, sigmas):
    def at(step):
        key, alpha, sigma = step
        X_t = alpha * X + sigma * jax.random.normal(key, X.shape, X.dtype)
        return jnp.mean(jnp.sum((X - _denoised(denoiser, X_t, alpha, sigma)) ** 2, axis=0))

    return lax.map(at, (jax.random.split(key, len(alphas)), alphas, sigmas))


def memorizing_denoiser(X: jax.Array, X_t: jax.Array, alpha: float, sigma: float) -> jax.Array:
    """E[x | x_t] (D, M) for each column of X_t (D, M) when x is one of the columns of X (D, N), all equally likely; sigma > 0.

    The minimiser of the denoising loss on a training set X: sampling with it gives training samples back. Runs over X in chunks.
    Book: eq. 3.3.3, eq:memorizing_denoiser. As a denoiser of `ddim`: jax.tree_util.Partial(memorizing_denoiser, X)."""
    return neighbors.weighted_mean(X, X_t, alpha, sigma)
