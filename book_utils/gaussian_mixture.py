"""Gaussian mixtures that are diffused: x_t = alpha x + sigma g, with x from the mixture and g ~ N(0, I).

    p_t = sum_k pi_k N(alpha mu_k, alpha^2 Sigma_k + sigma^2 I)                     (book: Example 3.2, ex:gaussian_mixture)
    w_k = P(component k | x_t)  ~  pi_k N(x_t; alpha mu_k, alpha^2 Sigma_k + sigma^2 I)
    E[x | x_t] = sum_k w_k (mu_k + alpha Sigma_k (alpha^2 Sigma_k + sigma^2 I)^-1 (x_t - alpha mu_k))      (book: eq. 3.2.19)

Every covariance is Sigma_k = U_k diag(lam_k) U_k^T, factored once, when the mixture is built. After that every noise level costs
products with U_k alone: nothing is factored or solved again, and no small eigenvalue is ever found as a difference of large ones.

Samples are columns. Bad shapes and ranges raise ValueError; under jit, vmap and grad only shapes are checked, alpha and sigma may
be traced there, and the mixture is an argument like any other (a pytree). float32, or float64 in 64-bit mode.
"""

import functools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from book_utils.compile import compiled
from book_utils.validate import (
    covariances, distribution, frames, integer, is_concrete, matrix, nonnegative, random_key, same_type,
)

ZERO = 1e-7  # eigenvalues below this share of their component's largest are set to 0 when a mixture is built
AT_ONCE = 2**22  # numbers that one step may hold for all components together; more samples are taken in turns


class GaussianMixture(eqx.Module):
    """sum_k pi_k N(mu_k, Sigma_k), from pi (K,), mus (K, D), Sigmas (K, D, D); and what is known of its noised versions.

    Fields: pi (K,), mus (K, D), Us (K, D, R) with orthonormal columns and lams (K, R) >= 0, so that Sigma_k is
    U_k diag(lam_k) U_k^T. Covariances may be singular. They are factored here, once, in float64; eigenvalues (descending) below
    1e-7 of a component's largest become 0, and R >= 1 is the largest rank. Not to be built under jit (`low_rank` can be).

    In the methods X_t (D, M) has samples as columns, alpha and sigma >= 0 are numbers. At sigma = 0 the law need not have a
    density: there `log_density`, `responsibilities` and `score` raise ValueError unless every component has full rank and
    alpha > 0. ValueError too for weights that are negative or do not add up to 1, for a covariance that is not symmetric or has
    a negative eigenvalue (either beyond 1e-5 of its scale), for shapes that do not fit.

    A method is a pytree: hand `mixture.posterior_mean` to a compiled function as a denoiser, or call it in one. It holds arrays
    and so does not hash: jax.jit(mixture.posterior_mean) fails, equinox.filter_jit of it works.

    Float32 against float64 (tests hold it, down to sigma = 1e-3 for singular covariances of size 100, where a factorisation of
    Sigma_k + sigma^2 I in float32 gives NaN): the posterior mean to 2e-6 |x_t|; the score as if x_t had been moved by 5e-7 |x_t|,
    so to 5e-7 |x_t| / sigma^2; log p_t to 1e-6 (D log(|x_t| / sigma) + sqrt(D) |x_t| / sigma) nats."""

    pi: jax.Array
    mus: jax.Array
    Us: jax.Array
    lams: jax.Array

    def __init__(self, pi: jax.Array, mus: jax.Array, Sigmas: jax.Array):
        mus = matrix(mus, "mus", "(K, D)")
        K, D = mus.shape
        pi = distribution(pi, "pi", "(K,)", K=K)
        checked = covariances(Sigmas, "Sigmas", "(K, D, D)", K=K, D=D)
        if not is_concrete(checked):
            raise ValueError("Sigmas: got a traced value, want covariances that are known (build the mixture outside jit)")
        exact = np.asarray(Sigmas, np.float64)
        lams, Us = np.linalg.eigh((exact + exact.transpose(0, 2, 1)) / 2)
        lams, Us = lams[:, ::-1], Us[:, :, ::-1]
        lams = np.where(lams > ZERO * lams[:, :1], lams, 0)
        R = max(1, int((lams > 0).sum(1).max()))
        Us, lams = jnp.asarray(Us[:, :, :R], checked.dtype), jnp.asarray(lams[:, :R], checked.dtype)
        self.pi, self.mus, self.Us, self.lams = same_type(pi, mus, Us, lams)

    @classmethod
    def low_rank(cls, pi: jax.Array, mus: jax.Array, Us: jax.Array, lams: jax.Array) -> "GaussianMixture":
        """The mixture with Sigma_k = U_k diag(lam_k) U_k^T: Us (K, D, R) with orthonormal columns, lams (K, R) >= 0."""
        mus = matrix(mus, "mus", "(K, D)")
        K, D = mus.shape
        pi, Us = distribution(pi, "pi", "(K,)", K=K), frames(Us, "Us", "(K, D, R)", K=K, D=D)
        return _mixture(*same_type(pi, mus, Us, nonnegative(lams, "lams", "(K, R)", K=K, R=Us.shape[2])))

    @property
    def mean(self) -> jax.Array:
        """E x (D,)."""
        return _mean(self)

    @property
    def covariance(self) -> jax.Array:
        """E (x - E x)(x - E x)^T (D, D)."""
        return _covariance(self)

    def sample(self, key: jax.Array, N: int) -> tuple[jax.Array, jax.Array]:
        """N independent samples X (D, N), and the component from 0 to K - 1 that each came from, labels (N,)."""
        return _sample(self, random_key(key), integer(N, "N", 1))

    def noised(self, alpha: float = 1.0, sigma: float = 0.0) -> "GaussianMixture":
        """The law of x_t: the mixture with means alpha mu_k and covariances alpha^2 Sigma_k + sigma^2 I (R = D if sigma > 0)."""
        alpha, sigma = nonnegative(alpha, "alpha"), nonnegative(sigma, "sigma")
        without_noise = is_concrete(sigma) and sigma == 0
        return _noised(self, alpha, sigma, self.Us.shape[2] if without_noise else self.Us.shape[1])

    def log_density(self, X_t: jax.Array, alpha: float = 1.0, sigma: float = 0.0) -> jax.Array:
        """log p_t at the columns of X_t (D, M): (M,), in nats."""
        return _log_density(*self._noisy(X_t, alpha, sigma))

    def responsibilities(self, X_t: jax.Array, alpha: float = 1.0, sigma: float = 0.0) -> jax.Array:
        """P(component k | x_t) for the columns of X_t (D, M): (K, M), columns add up to 1."""
        return _responsibilities(*self._noisy(X_t, alpha, sigma))

    def posterior_mean(self, X_t: jax.Array, alpha: float = 1.0, sigma: float = 0.0) -> jax.Array:
        """E[x | x_t] for the columns of X_t (D, M): (D, M), the denoiser of least mean squared error.

        sigma = 0: X_t / alpha, and the mean of the mixture if alpha = 0 too. Book: eq. 3.2.19, eq:gmm_bayes_optimal_denoiser."""
        return _posterior_mean(*self._noisy(X_t, alpha, sigma, density=False))

    def score(self, X_t: jax.Array, alpha: float = 1.0, sigma: float = 0.0) -> jax.Array:
        """The gradient of log p_t at the columns of X_t (D, M): (D, M)."""
        return _score(*self._noisy(X_t, alpha, sigma))

    def posterior_covariance(self, X_t: jax.Array, alpha: float = 1.0, sigma: float = 0.0) -> jax.Array:
        """Cov(x | x_t) for the columns of X_t (D, M): (M, D, D), within components and between them.

        sigma = 0: zeros, and the covariance of the mixture if alpha = 0 too."""
        return _posterior_covariance(*self._noisy(X_t, alpha, sigma, density=False))

    def _noisy(self, X_t, alpha, sigma, density=True):
        K, D, R = self.Us.shape
        X_t = matrix(X_t, "X_t", "(D, M)", D=D)
        alpha, sigma = nonnegative(alpha, "alpha"), nonnegative(sigma, "sigma")
        if density and is_concrete(sigma) and sigma == 0:
            flat = R < D or (is_concrete(alpha) and alpha == 0) or (is_concrete(self.lams) and not np.asarray(self.lams).all())
            if flat:
                raise ValueError("sigma: got 0 and a component without a density (its covariance is singular), want sigma > 0")
        return self, X_t, alpha, sigma


def _mixture(pi, mus, Us, lams):
    mixture = object.__new__(GaussianMixture)
    for name, value in dict(pi=pi, mus=mus, Us=Us, lams=lams).items():
        object.__setattr__(mixture, name, value)
    return mixture


@compiled()
def _mean(mixture):
    return mixture.pi @ mixture.mus


@compiled()
def _covariance(mixture):
    pi, mus, Us, lams = mixture.pi, mixture.mus, mixture.Us, mixture.lams
    centred = mus - pi @ mus
    return jnp.einsum("kdr,ker->de", Us * (pi[:, None] * lams)[:, None], Us) + (pi[:, None] * centred).T @ centred


@compiled("N")
def _sample(mixture, key, N):
    K, D, R = mixture.Us.shape
    for_labels, for_codes = jax.random.split(key)
    labels = jax.random.categorical(for_labels, jnp.log(mixture.pi), shape=(N,))
    Z = jax.random.normal(for_codes, (R, N), mixture.Us.dtype)

    def add(X, component):
        k, mu, U, lam = component
        return jnp.where(labels == k, mu[:, None] + U @ (jnp.sqrt(lam)[:, None] * Z), X), None

    return lax.scan(add, jnp.zeros((D, N), Z.dtype), (jnp.arange(K), mixture.mus, mixture.Us, mixture.lams))[0], labels


@compiled("R")
def _noised(mixture, alpha, sigma, R):
    Us, lams = mixture.Us, alpha**2 * mixture.lams
    missing = R - Us.shape[2]
    if missing:
        rest = jnp.linalg.qr(Us, mode="complete")[0][:, :, Us.shape[2] :]
        Us, lams = jnp.concatenate([Us, rest], axis=2), jnp.pad(lams, ((0, 0), (0, missing)))
    return _mixture(mixture.pi, alpha * mixture.mus, Us, lams + sigma**2)


def _in_turns(f, X, at_once):
    """f of all columns of X, at most so many at once; f's results have them on the last axis."""
    N = X.shape[1]
    if N <= at_once:
        return f(X)
    turns = math.ceil(N / at_once)
    width = math.ceil(N / turns)
    padded = jnp.pad(X, ((0, 0), (0, turns * width - N)), mode="edge")
    results = lax.map(f, padded.reshape(-1, turns, width).transpose(1, 0, 2))
    return jax.tree.map(lambda y: jnp.moveaxis(y, 0, -2).reshape(*y.shape[1:-1], turns * width)[..., :N], results)


def _all_at_once(f, mixture, X, alpha, sigma):
    """f(log_joint (K, N), vectors (K, D, N)) of `_mean_of` or the like, with every component at every sample."""
    K, D, _ = mixture.Us.shape
    step, combine = f
    every = jax.vmap(step, in_axes=(0, None, None, None))
    return _in_turns(lambda X: combine(*every(_components(mixture), X, alpha, sigma)), X, max(1, AT_ONCE // (K * D)))


def _components(mixture):
    return jnp.log(mixture.pi), mixture.mus, mixture.Us, mixture.lams


def _pieces(component, X, alpha, sigma):
    """Of one component: codes c = U^T r (R, N), residuals r - U c (D, N) or None if R = D, variances (R,), log(pi_k N(x)) (N,).

    The residual is formed as a vector: |r|^2 - |c|^2 would keep no digit where sigma is small."""
    log_pi, mu, U, lam = component
    D, R = U.shape
    variances = alpha**2 * lam + sigma**2
    r = X - alpha * mu[:, None]
    c = U.T @ r
    squares, log_det, off = jnp.sum(c**2 / variances[:, None], axis=0), jnp.sum(jnp.log(variances)), None
    if R < D:
        off = r - U @ c
        squares += jnp.sum((off / sigma) ** 2, axis=0)
        log_det += 2 * (D - R) * jnp.log(sigma)
    return c, off, variances, log_pi - 0.5 * (squares + log_det + D * math.log(2 * math.pi))


def _log_joint_of(component, X, alpha, sigma):
    return _pieces(component, X, alpha, sigma)[3], None


def _mean_of(component, X, alpha, sigma):
    """log(pi_k N(x)) (N,) and E[x | x_t, component k] (D, N)."""
    _, mu, U, lam = component
    c, _, variances, log_joint = _pieces(component, X, alpha, sigma)
    return log_joint, mu[:, None] + U @ ((alpha * lam / variances)[:, None] * c)


def _score_of(component, X, alpha, sigma):
    """log(pi_k N(x)) (N,) and the score of component k (D, N): -(r - U c) / sigma^2 - U (c / variances).

    (alpha x_bar - x) / sigma^2 would be a difference of large numbers."""
    c, off, variances, log_joint = _pieces(component, X, alpha, sigma)
    score = -component[2] @ (c / variances[:, None])
    return log_joint, score if off is None else score - off / sigma**2


def _average(log_joint, vectors):
    return jnp.einsum("kn,kdn->dn", jax.nn.softmax(log_joint, axis=0), vectors)


@compiled()
def _log_density(mixture, X_t, alpha, sigma):
    return _all_at_once((_log_joint_of, lambda logs, _: jax.nn.logsumexp(logs, axis=0)), mixture, X_t, alpha, sigma)


@compiled()
def _responsibilities(mixture, X_t, alpha, sigma):
    return _all_at_once((_log_joint_of, lambda logs, _: jax.nn.softmax(logs, axis=0)), mixture, X_t, alpha, sigma)


def _at_zero(mixture, X_t, alpha, sigma):
    """sigma with 1 in place of 0, so that what is not wanted stays finite, and E[x | x_t] at sigma = 0."""
    limit = jnp.where(alpha == 0, _mean(mixture)[:, None], X_t / jnp.where(alpha == 0, 1, alpha))
    return jnp.where(sigma == 0, 1, sigma), limit


@compiled()
def _posterior_mean(mixture, X_t, alpha, sigma):
    safe, limit = _at_zero(mixture, X_t, alpha, sigma)
    return jnp.where(sigma == 0, limit, _averaged(_mean_of, mixture, X_t, alpha, safe))


@compiled()
def _score(mixture, X_t, alpha, sigma):
    return _averaged(_score_of, mixture, X_t, alpha, sigma)


def _averaged(step, mixture, X, alpha, sigma):
    """sum_k w_k vector_k (D, N) over the components, with `step` giving log(pi_k N(x)) and the vectors."""
    K, D, R = mixture.Us.shape
    N = X.shape[1]
    X, alpha, sigma = (jnp.asarray(a, jnp.result_type(X, mixture.Us)) for a in (X, alpha, sigma))
    if D < 32 or N < 16 * K or K * D * R * N < MANY:
        return _all_at_once((step, _average), mixture, X, alpha, sigma)
    return _in_turns(lambda X: _of_many(step, mixture, X, alpha, sigma), X, max(4096, 2 * AT_ONCE // (K * _few(R))))


# Many samples in high dimension. Where sigma is not small beside the samples, two products with all bases side by side do it, and
# no residual is formed. Elsewhere most samples belong to one component, beyond what float32 can tell: every component is looked
# at in a few directions, which bounds its density from above; the likeliest one is worked out, then whatever others its value
# does not rule out, the likeliest first. Work on one component is done for all its samples together, in blocks. Bases of high
# rank are many directions: there the bounds come first, and the products only where too many components are left.

MANY = 2**28  # multiplications from which on this pays
FEW = 16  # directions that bound a density, or a quarter of all if that is more
BLOCK = 128  # samples of one component that are worked on together
NOISY = 2**14  # largest (|x| + alpha |mu|)^2 / sigma^2 at which exponents may be differences of squares: 1e-3 nats in float32


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _of_many(step, mixture, X, alpha, sigma):
    """What `_all_at_once` gives, but for components of weight below e^-4 times the rounding error of 1."""
    _, D, R = mixture.Us.shape
    by_squares = _one_by_one if 2 * R > D else _side_by_side
    size = jnp.sqrt(jnp.max(jnp.sum(X**2, axis=0))) + alpha * jnp.sqrt(jnp.max(jnp.sum(mixture.mus**2, axis=1)))
    noisy = size**2 <= NOISY * sigma**2

    def all_of_them():
        return lax.cond(noisy, lambda: by_squares(step, mixture, X, alpha, sigma),
                        lambda: _all_at_once((step, _average), mixture, X, alpha, sigma))

    def best_first():
        quick = X.shape[1] * jnp.where(noisy, 1, mixture.mus.shape[0] // 4)  # so many more are done sooner than all
        average, left = _best_first(step, mixture, X, alpha, sigma, quick)
        return lax.cond(left > 0, all_of_them, lambda: average)

    return best_first() if _few(R) < R else lax.cond(noisy, all_of_them, best_first)


@_of_many.defjvp
def _derivative_of_all(step, primals, tangents):
    return jax.jvp(functools.partial(_all_at_once, (step, _average)), primals, tangents)


def _side_by_side(step, mixture, X, alpha, sigma):
    """Responsibilities from sum_k of alpha^2 lam / (alpha^2 lam + sigma^2) c^2, and the mean from the same codes c."""
    K, D, R = mixture.Us.shape
    U = mixture.Us.transpose(1, 0, 2).reshape(D, K * R)
    gains, constants = _gains(mixture, alpha, sigma)
    origin = jnp.einsum("kdr,kd->kr", mixture.Us, alpha * mixture.mus)[:, :, None]

    def average(X):
        c = (U.T @ X).reshape(K, R, -1) - origin
        squares = _distances(X, alpha * mixture.mus) - alpha * jnp.sum(gains[:, :, None] * c**2, axis=1)
        w = jax.nn.softmax(constants[:, None] - 0.5 * squares / sigma**2, axis=0)
        return mixture.mus.T @ w + U @ (w[:, None] * gains[:, :, None] * c).reshape(K * R, -1)

    return _vector_from_mean(step, _in_turns(average, X, max(1, AT_ONCE // (K * R))), X, alpha, sigma)


def _one_by_one(step, mixture, X, alpha, sigma):
    """The same for R near D: the product with U diag(gain) U^T gives both, component by component."""
    gains, constants = _gains(mixture, alpha, sigma)
    G = jnp.einsum("kdr,ker->kde", mixture.Us * gains[:, None], mixture.Us)

    def average(X):
        def add(state, component):
            top, total, average = state
            constant, mu, G = component
            r = X - alpha * mu[:, None]
            z = G @ r
            log_joint = constant - 0.5 * jnp.sum(r * (r - alpha * z), axis=0) / sigma**2
            new = jnp.maximum(top, log_joint)
            finite = jnp.where(new > -jnp.inf, new, 0)  # a weight may be 0
            before, now = jnp.exp(top - finite), jnp.exp(log_joint - finite)
            return (new, before * total + now, before * average + now * (mu[:, None] + z)), None

        zeros = jnp.zeros_like(X[0])
        _, total, average = lax.scan(add, (zeros - jnp.inf, zeros, jnp.zeros_like(X)), (constants, mixture.mus, G))[0]
        return average / total

    return _vector_from_mean(step, _in_turns(average, X, 1024), X, alpha, sigma)


def _gains(mixture, alpha, sigma):
    _, D, R = mixture.Us.shape
    variances = alpha**2 * mixture.lams + sigma**2
    constants = jnp.log(mixture.pi) - 0.5 * jnp.sum(jnp.log(variances), axis=1) - (D - R) * jnp.log(sigma)
    return alpha * mixture.lams / variances, constants


def _vector_from_mean(step, mean, X, alpha, sigma):
    return mean if step is _mean_of else (alpha * mean - X) / sigma**2


def _distances(X, points):
    """|x - point|^2 (K, N), by a product: to rounding of |x|^2 + |point|^2."""
    return jnp.sum(X**2, axis=0) - 2 * points @ X + jnp.sum(points**2, axis=1)[:, None]


def _best_first(step, mixture, X, alpha, sigma, quick):
    """The average (D, N), and 0; or, once more than `quick` bounds are left, anything and their number."""
    K = mixture.Us.shape[0]
    cut = 4 - jnp.log(jnp.finfo(X.dtype).eps)

    def body(state):
        upper, top, total, average, _ = state
        choice = jnp.argmax(upper, axis=0)
        needed = jnp.max(upper, axis=0) > top - cut
        logs, vectors = _each_its_own(step, mixture, X, jnp.where(needed, choice, K), alpha, sigma)
        new = jnp.maximum(top, logs)
        before, now = total * jnp.exp(top - new), jnp.exp(logs - new)
        average = average + now / (before + now) * (vectors - average)
        upper = jnp.where(choice == jnp.arange(K)[:, None], -jnp.inf, upper)
        return upper, new, before + now, average, jnp.sum(upper > new - cut)

    def few_left(state):
        return (state[4] > 0) & (state[4] <= quick)

    zeros = jnp.zeros_like(X[0])
    start = _upper_bounds(mixture, X, alpha, sigma), zeros - jnp.inf, zeros, jnp.zeros_like(X), jnp.array(1)
    return lax.while_loop(few_left, body, start)[3:]


def _few(R):
    return min(R, max(FEW, R // 4))


def _upper_bounds(mixture, X, alpha, sigma):
    """Bounds (K, N) above log(pi_k N(x)): what a few directions leave of |r|^2 has at most the largest of the variances left."""
    K, D, R = mixture.Us.shape
    variances = alpha**2 * mixture.lams + sigma**2
    few, low = _few(R), _few(R) // 4 if R == D else 0  # those of largest variance, and some of the smallest
    order = jnp.argsort(variances, axis=1)
    few = jnp.concatenate([order[:, :low], order[:, R - few + low :]], axis=1)
    unused = jnp.where(jnp.any(jnp.arange(R)[:, None] == few[:, None], axis=2), 0, variances)
    largest = jnp.maximum(jnp.max(unused, axis=1), sigma**2 if R < D else 0)[:, None]  # 0 if nothing is left
    U = jnp.take_along_axis(mixture.Us, few[:, None], axis=2)
    codes = jnp.einsum("kds,dn->ksn", U, X) - alpha * jnp.einsum("kds,kd->ks", U, mixture.mus)[:, :, None]
    means = alpha * mixture.mus
    squares = _distances(X, means)
    size = jnp.linalg.norm(X, axis=0) + jnp.linalg.norm(means, axis=1)[:, None]
    slip = 8 * jnp.finfo(X.dtype).eps * size  # several times what rounding does to a code
    known = jnp.maximum(jnp.abs(codes) - slip[:, None], 0) ** 2 / jnp.take_along_axis(variances, few, axis=1)[:, :, None]
    rest = jnp.maximum(squares - jnp.sum(codes**2, axis=1) - 4 * slip * size, 0)
    rest = jnp.where(largest > 0, rest / jnp.where(largest > 0, largest, 1), 0)
    log_det = jnp.sum(jnp.log(variances), axis=1) + 2 * (D - R) * jnp.log(sigma)
    constants = jnp.log(mixture.pi) - 0.5 * (log_det + D * math.log(2 * math.pi))
    return constants[:, None] - 0.5 * (jnp.sum(known, axis=1) + rest)


def _each_its_own(step, mixture, X, choice, alpha, sigma):
    """`step` of component choice[n] at sample n: log(pi_k N(x)) (N,), vectors (D, N); where choice is K: -inf, and anything."""
    K, N = mixture.Us.shape[0], X.shape[1]
    components, blocks = _components(mixture), N // BLOCK + K + 1
    counts = jnp.bincount(choice, length=K + 1)
    needed = -(-counts // BLOCK)  # blocks of each component
    last = jnp.cumsum(needed)
    order = jnp.argsort(choice)
    shift = (last - needed) * BLOCK - (jnp.cumsum(counts) - counts)
    place = jnp.arange(N) + shift[choice[order]]  # of the sorted samples, every component's in blocks of its own
    source = jnp.zeros(blocks * BLOCK, order.dtype).at[place].set(order, mode="drop")
    slot = jnp.zeros_like(order).at[order].set(place)
    arranged = X[:, source]

    def work(b, results):
        k = jnp.searchsorted(last, b, side="right")
        columns = lax.dynamic_slice_in_dim(arranged, b * BLOCK, BLOCK, axis=1)
        found = step(jax.tree.map(lambda a: a[k], components), columns, alpha, sigma)
        return tuple(lax.dynamic_update_slice_in_dim(a, y, b * BLOCK, axis=-1) for a, y in zip(results, found))

    empty = jnp.zeros_like(arranged)
    logs, vectors = lax.fori_loop(0, last[K - 1], work, (empty[0], empty))
    return jnp.where(choice < K, logs[slot], -jnp.inf), vectors[:, slot]


@compiled()
def _posterior_covariance(mixture, X_t, alpha, sigma):
    safe, _ = _at_zero(mixture, X_t, alpha, sigma)
    Us, lams = mixture.Us, mixture.lams
    within = jnp.einsum("kdr,ker->kde", Us * (safe**2 * lams / (alpha**2 * lams + safe**2))[:, None], Us)

    def covariance(log_joint, means):
        weights = jax.nn.softmax(log_joint, axis=0)
        centred = means - jnp.einsum("kn,kdn->dn", weights, means)
        return jnp.einsum("kn,kde->den", weights, within) + jnp.einsum("kn,kdn,ken->den", weights, centred, centred)

    covariances = jnp.moveaxis(_all_at_once((_mean_of, covariance), mixture, X_t, alpha, safe), -1, 0)
    limit = jnp.where(alpha == 0, _covariance(mixture), 0)
    return jnp.where(sigma == 0, limit, covariances)
