"""Gaussian mixtures against SciPy, scikit-learn, autodiff and dense float64 NumPy; their float32 errors; their refusals."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp, softmax
from scipy.stats import kstest, multivariate_normal, norm
from sklearn.mixture import GaussianMixture as Sklearn

from book_utils import diffusion, gaussian_mixture
from book_utils.gaussian_mixture import GaussianMixture

from oracles import numerical_gradient, relative, rng_of

NOISES = [(1.0, 0.5), (0.6, 0.8), (0.3, 0.7), (1.0, 5.0), (0.02, 0.9998)]
noises = pytest.mark.parametrize("alpha, sigma", NOISES)
quick = settings(max_examples=20, deadline=None, derandomize=True)
METHODS = ["log_density", "responsibilities", "posterior_mean", "score", "posterior_covariance"]


def parameters(seed=0, K=3, D=5, R=None, scale=1.0):
    """pi (K,), mus (K, D) and covariances (K, D, D) of rank R, as float32 numbers where that changes nothing that is tested."""
    rng = rng_of(seed)
    factors = rng.normal(size=(K, D, R or D)) * np.sqrt(scale)
    mus = (rng.normal(size=(K, D)) * np.sqrt(scale)).astype(np.float32)
    return rng.dirichlet(np.full(K, 5.0)), mus, factors @ factors.transpose(0, 2, 1)


def noisy_samples(parts, alpha, sigma, M, seed=1):
    """Samples X_t (D, M) of p_t, by NumPy; rounded to float32."""
    rng, (pi, mus, Sigmas) = rng_of(seed), parts
    labels = rng.choice(len(pi), p=pi, size=M)
    X = np.stack([rng.multivariate_normal(mus[k], Sigmas[k], method="eigh") for k in labels], axis=1)
    return (alpha * X + sigma * rng.normal(size=X.shape)).astype(np.float32)


def dense(parts, X_t, alpha, sigma):
    """All five, in float64, with covariances as full matrices; eigenvalues that are 0 but for rounding are 0."""
    pi, mus, Sigmas = (np.asarray(a, np.float64) for a in parts)
    X_t, D = np.asarray(X_t, np.float64), mus.shape[1]
    log_joint, means, scores, within = [], [], [], []
    for weight, mu, Sigma in zip(pi, mus, Sigmas):
        lam, V = np.linalg.eigh(Sigma)
        variances = alpha**2 * np.where(lam > 1e-12 * lam[-1], lam, 0) + sigma**2
        r = X_t - alpha * mu[:, None]
        whitened = (V / np.sqrt(variances)).T @ r
        log_joint.append(np.log(weight) - 0.5 * ((whitened**2).sum(0) + np.log(2 * np.pi * variances).sum()))
        precise = (V / variances) @ V.T
        means.append(mu[:, None] + alpha * Sigma @ precise @ r)
        scores.append(-precise @ r)
        within.append(sigma**2 * Sigma @ precise)
    w, means = softmax(log_joint, axis=0), np.array(means)
    mean = np.einsum("kn,kdn->dn", w, means)
    between = np.einsum("kn,kdn,ken->nde", w, means - mean, means - mean)
    return {"log_density": logsumexp(log_joint, axis=0), "responsibilities": w, "posterior_mean": mean,
            "score": np.einsum("kn,kdn->dn", w, scores), "posterior_covariance": np.einsum("kn,kde->nde", w, within) + between}


# --- building ----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("D, R", [(5, 5), (5, 2), (1, 1), (40, 3)])
def test_the_factors_make_the_covariances(D, R):
    pi, mus, Sigmas = parameters(D=D, R=R)
    mixture = GaussianMixture(pi, mus, Sigmas)
    Us, lams = np.asarray(mixture.Us, np.float64), np.asarray(mixture.lams, np.float64)
    assert Us.shape == (3, D, R) and lams.shape == (3, R) and mixture.pi.shape == (3,) and mixture.mus.shape == (3, D)
    assert relative((Us * lams[:, None]) @ Us.transpose(0, 2, 1), Sigmas) < 3e-7
    np.testing.assert_allclose(Us.transpose(0, 2, 1) @ Us, np.broadcast_to(np.eye(R), (3, R, R)), atol=3e-7)
    assert (np.diff(lams) <= 0).all() and (lams > 0).all()
    assert {a.dtype for a in jax.tree.leaves(mixture)} == {np.dtype(np.float32)}


def test_ranks_that_differ_and_no_rank_at_all():
    Sigmas = np.stack([np.diag([1.0, 0, 0]), np.diag([0, 2.0, 3.0]), np.zeros((3, 3))])
    mixture = GaussianMixture(np.ones(3) / 3, np.zeros((3, 3)), Sigmas)
    np.testing.assert_array_equal(mixture.lams, [[1, 0], [3, 2], [0, 0]])
    atoms = GaussianMixture([0.5, 0.5], [[-1, 0], [1, 0]], np.zeros((2, 2, 2)))
    np.testing.assert_array_equal(atoms.lams, [[0], [0]])


@pytest.mark.parametrize("scale", [1e-3, 1, 100])
@pytest.mark.parametrize("D, R", [(2, 1), (8, 2), (64, 8)])
def test_covariances_multiplied_out_in_float32_keep_their_rank(D, R, scale):
    for seed in range(10):
        factors = (rng_of(seed).normal(size=(3, D, R)) * np.sqrt(scale)).astype(np.float32)
        mixture = GaussianMixture(np.ones(3) / 3, np.zeros((3, D)), factors @ factors.transpose(0, 2, 1))
        assert mixture.lams.shape == (3, R)


def test_low_rank_is_the_same_mixture_and_can_be_built_when_traced():
    pi, mus, Sigmas = parameters(R=2)
    full = GaussianMixture(pi, mus, Sigmas)
    thin = GaussianMixture.low_rank(pi, mus, full.Us, full.lams)
    assert type(thin) is GaussianMixture and jax.tree.all(jax.tree.map(np.array_equal, full, thin))
    X_t = noisy_samples((pi, mus, Sigmas), 1, 0.5, 7)
    built_inside = jax.jit(lambda lams: GaussianMixture.low_rank(pi, mus, full.Us, lams).score(X_t, 1.0, 0.5))
    assert relative(built_inside(full.lams), full.score(X_t, 1, 0.5)) < 1e-5


def test_float64_stays_float64():
    with jax.enable_x64(True):
        parts = parameters(R=2)
        mixture = GaussianMixture(*(np.asarray(a, np.float64) for a in parts))
        X_t = noisy_samples(parts, 1, 0.1, 20).astype(np.float64)
        expected = dense(parts, X_t, 1, 0.1)
        for method in METHODS:
            found = getattr(mixture, method)(X_t, 1.0, 0.1)
            assert found.dtype == np.float64 and relative(found, expected[method]) < 1e-12


# --- each method against others' code ----------------------------------------------------------------------------------------

@noises
@pytest.mark.parametrize("R", [5, 2])
@pytest.mark.parametrize("method", METHODS)
def test_methods_agree_with_dense_float64(method, R, alpha, sigma):
    parts = parameters(R=R)
    X_t = noisy_samples(parts, alpha, sigma, 40)
    found = getattr(GaussianMixture(*parts), method)(X_t, alpha, sigma)
    expected = dense(parts, X_t, alpha, sigma)[method]
    assert found.shape == expected.shape and found.dtype == np.float32
    assert relative(found, expected) < 3e-6


@noises
def test_log_density_is_scipys(alpha, sigma):
    pi, mus, Sigmas = parts = parameters(R=2)
    X_t = noisy_samples(parts, alpha, sigma, 30)
    laws = [multivariate_normal(alpha * mu, alpha**2 * Sigma + sigma**2 * np.eye(5)) for mu, Sigma in zip(mus, Sigmas)]
    expected = np.log(pi @ np.array([law.pdf(X_t.T) for law in laws]))
    np.testing.assert_allclose(GaussianMixture(*parts).log_density(X_t, alpha, sigma), expected, rtol=2e-6)


@noises
@pytest.mark.parametrize("R", [5, 2])
def test_log_density_and_responsibilities_are_scikit_learns(R, alpha, sigma):
    pi, mus, Sigmas = parts = parameters(R=R)
    X_t = noisy_samples(parts, alpha, sigma, 200)
    theirs = Sklearn(3, covariance_type="full")
    noisy = alpha**2 * Sigmas + sigma**2 * np.eye(5)
    theirs.weights_, theirs.means_, theirs.covariances_ = pi, alpha * mus.astype(np.float64), noisy
    theirs.precisions_cholesky_ = np.linalg.cholesky(np.linalg.inv(noisy))
    mixture = GaussianMixture(*parts)
    X = X_t.T.astype(np.float64)
    np.testing.assert_allclose(mixture.log_density(X_t, alpha, sigma), theirs.score_samples(X), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(mixture.responsibilities(X_t, alpha, sigma), theirs.predict_proba(X).T, atol=2e-6)


@noises
@pytest.mark.parametrize("R", [5, 2])
def test_score_is_the_gradient_and_tweedie_holds(R, alpha, sigma):
    parts = parameters(R=R)
    X_t, mixture = noisy_samples(parts, alpha, sigma, 20), GaussianMixture(*parts)
    by_autodiff = jax.grad(lambda X: mixture.log_density(X, alpha, sigma).sum())(jnp.asarray(X_t))
    assert relative(mixture.score(X_t, alpha, sigma), by_autodiff) < 5e-6
    means = mixture.posterior_mean(X_t, alpha, sigma)
    assert relative(alpha * means - sigma**2 * np.asarray(by_autodiff), X_t) < 5e-6


@noises
@pytest.mark.parametrize("R", [5, 2])
def test_posterior_covariance_is_the_derivative_of_the_mean(R, alpha, sigma):
    """Cov(x | x_t) = sigma^2 / alpha times the Jacobian of E[x | x_t]: symmetric, and no eigenvalue is negative."""
    parts = parameters(R=R)
    X_t, mixture = noisy_samples(parts, alpha, sigma, 10), GaussianMixture(*parts)
    with jax.enable_x64(True):
        exact = GaussianMixture(*(np.asarray(a, np.float64) for a in parts))
        of_one = jax.jacfwd(lambda x: exact.posterior_mean(x[:, None], alpha, sigma)[:, 0])
        jacobian = jax.vmap(of_one, 1)(np.asarray(X_t, np.float64))
    covariances = np.asarray(mixture.posterior_covariance(X_t, alpha, sigma), np.float64)
    assert relative(covariances, sigma**2 / alpha * np.asarray(jacobian)) < 5e-6
    np.testing.assert_allclose(covariances, covariances.transpose(0, 2, 1), atol=1e-6)
    assert np.linalg.eigvalsh(covariances).min() > -1e-5


def test_mean_covariance_and_samples():
    pi, mus, Sigmas = parameters(R=2)
    mixture = GaussianMixture(pi, mus, Sigmas)
    mean = pi @ mus
    covariance = np.einsum("k,kde->de", pi, Sigmas) + np.einsum("k,kd,ke->de", pi, mus - mean, mus - mean)
    assert relative(mixture.mean, mean) < 1e-6 and relative(mixture.covariance, covariance) < 1e-6
    X, labels = mixture.sample(jax.random.key(0), 200_000)
    assert X.shape == (5, 200_000) and labels.shape == (200_000,) and X.dtype == np.float32
    errors = np.sqrt(np.diag(covariance) / 200_000)
    assert (np.abs(X.mean(1) - mean) < 5 * errors).all()
    assert relative(np.cov(X), covariance) < 0.02
    np.testing.assert_allclose(np.bincount(labels, minlength=3) / 200_000, pi, atol=5 * np.sqrt(0.25 / 200_000))
    for k in range(3):
        own = np.asarray(X[:, labels == k], np.float64)
        assert relative(own.mean(1), mus[k]) < 0.03 and relative(np.cov(own), Sigmas[k]) < 0.03
        assert np.linalg.matrix_rank(own - mus[k][:, None], tol=1e-2) == 2
    np.testing.assert_array_equal(X, mixture.sample(jax.random.key(0), 200_000)[0])


def test_samples_of_one_dimension_have_the_law():
    mixture = GaussianMixture([0.3, 0.7], [[-2], [1]], [[[0.25]], [[1]]])
    X, _ = mixture.sample(jax.random.key(1), 100_000)
    assert kstest(X[0], lambda x: 0.3 * norm.cdf(x, -2, 0.5) + 0.7 * norm.cdf(x, 1, 1)).pvalue > 1e-3


@noises
@pytest.mark.parametrize("R", [5, 2])
def test_noised_is_the_law_of_x_t(R, alpha, sigma):
    pi, mus, Sigmas = parts = parameters(R=R)
    mixture, X_t = GaussianMixture(*parts), noisy_samples(parts, alpha, sigma, 20)
    noised = mixture.noised(alpha, sigma)
    assert noised.Us.shape == (3, 5, 5)
    covariances = np.einsum("kdr,kr,ker->kde", noised.Us, noised.lams, noised.Us)
    assert relative(covariances, alpha**2 * Sigmas + sigma**2 * np.eye(5)) < 2e-6
    np.testing.assert_allclose(noised.log_density(X_t), mixture.log_density(X_t, alpha, sigma), rtol=1e-5)
    traced = jax.jit(lambda m, a, s: m.noised(a, s))(mixture, alpha, sigma)
    assert relative(traced.lams, noised.lams) < 1e-6
    assert mixture.noised(0.5).Us.shape == (3, 5, R) and relative(mixture.noised(0.5).lams, mixture.lams / 4) < 1e-6


# --- invariants --------------------------------------------------------------------------------------------------------------

def test_one_component_shrinks_eigendirections():
    """Book: eq. 3.2.22, and sigma^2 Sigma (Sigma + sigma^2 I)^-1 for the covariance, whatever x_t is."""
    _, (mu,), (Sigma,) = parts = parameters(K=1)
    X_t = noisy_samples(parts, 1, 0.7, 9)
    mixture = GaussianMixture(*parts)
    gain = Sigma @ np.linalg.inv(Sigma + 0.49 * np.eye(5))
    assert relative(mixture.posterior_mean(X_t, 1, 0.7), mu[:, None] + gain @ (X_t - mu[:, None])) < 2e-6
    assert relative(mixture.posterior_covariance(X_t, 1, 0.7), np.broadcast_to(0.49 * gain, (9, 5, 5))) < 3e-6
    np.testing.assert_array_equal(mixture.responsibilities(X_t, 1, 0.7), np.ones((1, 9)))


@quick
@given(st.integers(0, 2**32 - 1), st.sampled_from([5, 2]), st.sampled_from(NOISES))
def test_rotated_shifted_and_permuted(seed, R, noise):
    rng, (pi, mus, Sigmas) = rng_of(seed), parameters(seed, R=R)
    alpha, sigma = noise
    X_t = noisy_samples((pi, mus, Sigmas), alpha, sigma, 6, seed)
    Q, b, order = np.linalg.qr(rng.normal(size=(5, 5)))[0], rng.normal(size=5), rng.permutation(3)
    moved = GaussianMixture(pi[order], (mus @ Q.T + b)[order], (Q @ Sigmas @ Q.T)[order])
    mixture, there = GaussianMixture(pi, mus, Sigmas), Q @ X_t + alpha * b[:, None]
    log_density = mixture.log_density(X_t, alpha, sigma)
    np.testing.assert_allclose(moved.log_density(there, alpha, sigma), log_density, rtol=1e-5, atol=2e-5)
    w = mixture.responsibilities(X_t, alpha, sigma)
    np.testing.assert_allclose(moved.responsibilities(there, alpha, sigma), w[order], atol=1e-5)
    size = 1 + np.abs(X_t).max()
    mean = Q @ mixture.posterior_mean(X_t, alpha, sigma) + b[:, None]
    np.testing.assert_allclose(moved.posterior_mean(there, alpha, sigma), mean, atol=1e-5 * size)
    np.testing.assert_allclose(moved.score(there, alpha, sigma), Q @ mixture.score(X_t, alpha, sigma), atol=2e-5 * size)


def test_a_component_said_twice_and_one_of_weight_zero_change_nothing():
    pi, mus, Sigmas = parts = parameters(R=2)
    X_t = noisy_samples(parts, 0.6, 0.8, 9)
    mixture, double = GaussianMixture(*parts), [0, 1, 2, 0]
    split = GaussianMixture(np.r_[0.3 * pi[0], pi[1:], 0.7 * pi[0]], mus[double], Sigmas[double])
    never = GaussianMixture(np.r_[pi, 0], np.r_[mus, X_t.T[:1] / 0.6], Sigmas[double])
    for method in ["log_density", "posterior_mean", "score", "posterior_covariance"]:
        expected = getattr(mixture, method)(X_t, 0.6, 0.8)
        for other in (split, never):
            np.testing.assert_allclose(getattr(other, method)(X_t, 0.6, 0.8), expected, atol=2e-5)


def test_atoms_are_bayes_rule():
    """The two-point law: tanh(x_t / sigma^2), and no NaN however small sigma is. Book: Example 3.4."""
    atoms = GaussianMixture([0.5, 0.5], [[-1], [1]], np.zeros((2, 1, 1)))
    x_t = np.linspace(-5, 5, 41)[None]
    for sigma in (1e-3, 0.1, 1, 10):
        with np.errstate(over="ignore"):
            np.testing.assert_allclose(atoms.posterior_mean(x_t, 1, sigma), np.tanh(x_t / sigma**2), atol=1e-6)
    variance = atoms.posterior_covariance(x_t, 1, 1)[:, 0, 0]
    np.testing.assert_allclose(variance, 1 / np.cosh(x_t[0]) ** 2, atol=1e-6)


def test_means_of_the_score():
    """E score = 0 and E x_t . score = -D, over x_t from p_t."""
    mixture = GaussianMixture(*parameters(R=2))
    X_t, _ = mixture.noised(0.6, 0.8).sample(jax.random.key(0), 100_000)
    score = np.asarray(mixture.score(X_t, 0.6, 0.8), np.float64)
    assert (np.abs(score.mean(1)) < 5 * score.std(1) / 316).all()
    products = (np.asarray(X_t) * score).sum(0)
    assert abs(products.mean() + 5) < 5 * products.std() / 316


def test_no_noise():
    parts = parameters(R=2)
    mixture, X = GaussianMixture(*parts), noisy_samples(parts, 1, 0, 6)
    np.testing.assert_array_equal(mixture.posterior_mean(X, 0.5, 0), X / 0.5)
    np.testing.assert_allclose(mixture.posterior_mean(X, 0, 0), np.tile(mixture.mean[:, None], 6), rtol=1e-6)
    np.testing.assert_allclose(mixture.posterior_mean(X, 0, 1), np.tile(mixture.mean[:, None], 6), atol=2e-6)
    np.testing.assert_allclose(mixture.posterior_covariance(X, 0, 1)[3], mixture.covariance, atol=2e-5)
    np.testing.assert_array_equal(mixture.posterior_covariance(X, 1, 0), np.zeros((6, 5, 5)))
    np.testing.assert_allclose(mixture.posterior_covariance(X, 0, 0)[0], mixture.covariance, rtol=1e-6)
    slope = jax.jit(jax.grad(lambda X, s: mixture.posterior_mean(X, 0.5, s).sum()))(X, 0.0)
    np.testing.assert_allclose(slope, np.full_like(X, 2), rtol=1e-6)
    full = GaussianMixture(*(parts := parameters()))
    assert relative(full.score(X), dense(parts, X, 1, 0)["score"]) < 1e-4


# --- what float32 keeps ------------------------------------------------------------------------------------------------------

def sizes_of_errors(D, R, sigma, scale, seeds=range(5)):
    """Largest errors, of log p_t, the posterior mean and the score (as lengths of vectors), and the largest |x_t|."""
    worst = np.zeros(4)
    for seed in seeds:
        parts = parameters(seed, D=D, R=R, scale=scale)
        X_t, mixture = noisy_samples(parts, 1, sigma, 50, seed), GaussianMixture(*parts)
        expected = dense(parts, X_t, 1, sigma)
        errors = {m: np.asarray(getattr(mixture, m)(X_t, 1, sigma), np.float64) - expected[m] for m in METHODS[:4]}
        assert np.abs(errors["responsibilities"]).max() < 1e-4
        lengths = [np.linalg.norm(errors[m], axis=0).max() for m in ("posterior_mean", "score")]
        worst = np.maximum(worst, [np.abs(errors["log_density"]).max(), *lengths, np.linalg.norm(X_t, axis=0).max()])
    return worst


@pytest.mark.parametrize("D, R", [(2, 1), (8, 2), (32, 4), (8, 8)])
@pytest.mark.parametrize("sigma", [1e-3, 1e-2, 0.1, 1])
@pytest.mark.parametrize("scale", [1, 100])
def test_float32_keeps_the_errors_it_states(D, R, sigma, scale):
    """As if x_t had been moved by 5e-7 of its length, in which the score of a singular component changes by that over sigma^2."""
    log_density, mean, score, size = sizes_of_errors(D, R, sigma, scale)
    moved = 5e-7 * size
    assert mean < 2e-6 * size
    assert score < moved / sigma**2
    assert log_density < 1e-6 * D * np.log(size / sigma) + np.sqrt(D) * moved / sigma * 2


def test_score_in_pieces_is_better_than_a_difference():
    """Of full rank, with sigma far below every eigenvalue: the score is small there, the two terms of Tweedie's are not."""
    parts = parameters(D=8, scale=100)
    X_t, mixture = noisy_samples(parts, 1, 1e-3, 50), GaussianMixture(*parts)
    expected = dense(parts, X_t, 1, 1e-3)["score"]
    assert relative(mixture.score(X_t, 1, 1e-3), expected) < 1e-4
    assert relative((mixture.posterior_mean(X_t, 1, 1e-3) - X_t) / 1e-6, expected) > 0.1


def test_the_direct_way_fails_in_float32_where_this_one_does_not():
    """Sigma + sigma^2 I, then its eigenvalues and their logarithms, as the book's own code does it: 1e-6 is lost beside 100."""
    sigma, lost = 1e-3, 0
    for seed in range(40):
        pi, mus, Sigmas = parts = parameters(seed, K=2, D=2, R=1, scale=100)
        X_t = noisy_samples(parts, 1, sigma, 20, seed)
        noisy = Sigmas.astype(np.float32) + np.float32(sigma**2) * np.eye(2, dtype=np.float32)
        with np.errstate(invalid="ignore", divide="ignore"):
            log_dets = np.log(np.linalg.eigvalsh(noisy)).sum(1)
        exact = np.log(np.linalg.eigvalsh(Sigmas)[:, 1] + sigma**2) + np.log(sigma**2)
        lost += not (np.abs(log_dets - exact) < 0.5).all()  # nan counts too
        mixture = GaussianMixture(*parts)
        found = mixture.log_density(X_t, 1, sigma)
        assert np.isfinite(found).all() and np.abs(found - dense(parts, X_t, 1, sigma)["log_density"]).max() < 0.02
    assert lost > 20


@pytest.mark.parametrize("R", [5, 2])
def test_far_away_points_give_finite_numbers(R):
    mixture = GaussianMixture(*parameters(R=R))
    X_t = 1e3 * rng_of(2).normal(size=(5, 20))
    for sigma in (1e-3, 1, 100):
        for method in METHODS:
            assert np.isfinite(getattr(mixture, method)(X_t, 1, sigma)).all(), (method, sigma)
    w = mixture.responsibilities(X_t, 1, 1e-3)
    np.testing.assert_allclose(w.sum(0), 1, atol=1e-6)


# --- under JAX's transformations ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("method", METHODS)
def test_traced_noise_levels_and_mixtures(method):
    parts = parameters(R=2)
    mixture, X_t = GaussianMixture(*parts), jnp.asarray(noisy_samples(parts, 0.6, 0.8, 6))
    call = lambda m, X, a, s: getattr(m, method)(X, a, s)  # noqa: E731
    expected = call(mixture, X_t, 0.6, 0.8)
    np.testing.assert_allclose(jax.jit(call)(mixture, X_t, 0.6, 0.8), expected, rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(eqx.filter_jit(getattr(mixture, method))(X_t, 0.6, 0.8), expected, rtol=2e-5, atol=1e-6)
    levels = jnp.array([[0.6, 0.8], [1.0, 0.3]])
    together = jax.vmap(lambda level: call(mixture, X_t, *level))(levels)
    for i, (a, s) in enumerate(levels):
        np.testing.assert_allclose(together[i], call(mixture, X_t, a, s), rtol=2e-5, atol=1e-5)
    one_by_one = jax.vmap(lambda x: call(mixture, x[:, None], 0.6, 0.8), 1)(X_t)
    flat = np.moveaxis(np.asarray(expected), -1 if method != "posterior_covariance" else 0, 0)
    np.testing.assert_allclose(np.asarray(one_by_one).reshape(flat.shape), flat, rtol=2e-5, atol=1e-5)


def test_a_bound_method_is_a_denoiser_and_a_pytree():
    parts = parameters(R=2)
    mixture, X_t = GaussianMixture(*parts), noisy_samples(parts, 0.6, 0.8, 6)
    denoiser = mixture.posterior_mean
    assert len(jax.tree.leaves(denoiser)) == 4
    found = jax.jit(lambda f, X: f(X, 0.6, 0.8))(denoiser, X_t)
    np.testing.assert_allclose(found, mixture.posterior_mean(X_t, 0.6, 0.8), rtol=1e-5)
    X = diffusion.ddim(denoiser, X_t, diffusion.uniform_times(0.9, 20), diffusion.VP)
    assert X.shape == X_t.shape and np.isfinite(X).all()


def test_ddim_with_the_posterior_mean_samples_the_mixture():
    """A hundred steps from N(0, I) at t = 1: moments and weights are right, and every sample is in the plane of a component."""
    pi, mus, Sigmas = parts = parameters(4, D=6, R=2)
    X_T = jax.random.normal(jax.random.key(0), (6, 4000))
    times = diffusion.equal_angle_times(3, 1, 100, diffusion.VP)
    X = np.asarray(diffusion.ddim(GaussianMixture(*parts).posterior_mean, X_T, times, diffusion.VP))
    mixture = GaussianMixture(*parts)
    assert relative(X.mean(1), mixture.mean) < 0.15 and relative(np.cov(X), mixture.covariance) < 0.15
    off = [np.linalg.norm((np.eye(6) - U @ U.T) @ (X - mu[:, None]), axis=0) for U, mu in zip(np.asarray(mixture.Us), mus)]
    assert np.min(off, axis=0).max() < 1e-4
    np.testing.assert_allclose(np.bincount(np.argmin(off, axis=0)) / 4000, pi, atol=0.05)


def test_gradients_by_the_noise_level_and_the_parameters():
    """Of log p_t by alpha, sigma, the means and the eigenvalues, against central differences in float64."""
    with jax.enable_x64(True):
        pi, mus, Sigmas = parts = parameters(R=2)
        mixture = GaussianMixture(*(np.asarray(a, np.float64) for a in parts))
        X_t, Us = noisy_samples(parts, 0.6, 0.8, 4).astype(np.float64), mixture.Us

        def value(theta, method):
            alpha, sigma, mus, lams = theta[0], theta[1], theta[2:17].reshape(3, 5), theta[17:].reshape(3, 2)
            m = GaussianMixture.low_rank(mixture.pi, mus, Us, lams)
            return jnp.sum(jnp.sin(getattr(m, method)(X_t, alpha, sigma)))

        theta = np.r_[0.6, 0.8, np.ravel(mixture.mus), np.ravel(mixture.lams)]
        for method in ("log_density", "posterior_mean", "score"):
            of = functools.partial(value, method=method)
            assert relative(jax.jit(jax.grad(of))(jnp.asarray(theta)), numerical_gradient(of, theta)) < 1e-7


def test_samples_in_turns_are_the_same(monkeypatch):
    parts = parameters(R=2)
    mixture, X_t = GaussianMixture(*parts), noisy_samples(parts, 0.6, 0.8, 37)
    expected = {method: getattr(mixture, method)(X_t, 0.6, 0.8) for method in METHODS}
    monkeypatch.setattr(gaussian_mixture, "AT_ONCE", 200)
    jax.clear_caches()
    for method in METHODS:
        np.testing.assert_allclose(getattr(mixture, method)(X_t, 0.6, 0.8), expected[method], rtol=1e-5, atol=1e-6)
    jax.clear_caches()


# --- many samples in high dimension ------------------------------------------------------------------------------------------

@pytest.fixture
def always_many(monkeypatch):
    """As if any problem were large; what was compiled before is forgotten, and what is compiled now afterwards."""
    monkeypatch.setattr(gaussian_mixture, "MANY", 0)
    jax.clear_caches()
    yield
    jax.clear_caches()


@pytest.mark.parametrize("R", [40, 20, 3])
def test_many_samples_give_the_same(always_many, R):
    """Every way there is: few components left by the bounds, many left, none; little noise and much; sigma traced or not."""
    parts = parameters(K=6, D=40, R=R)
    parts[1][3:] = parts[1][:3]  # two components share a mean
    mixture = GaussianMixture(*parts)
    traced = jax.jit(lambda X, a, s: (mixture.posterior_mean(X, a, s), mixture.score(X, a, s)))
    for sigma in (1e-2, 0.3, 0.9, 0.99, 0.9999):
        alpha = float(np.sqrt(1 - sigma**2))
        X_t = noisy_samples(parts, alpha, sigma, 500)
        expected = dense(parts, X_t, alpha, sigma)
        mean, score = mixture.posterior_mean(X_t, alpha, sigma), mixture.score(X_t, alpha, sigma)
        assert relative(mean, expected["posterior_mean"]) < 1e-5
        assert relative(score, expected["score"]) < (1e-5 if sigma > 0.1 else 1e-4 if R == 40 else 1e-3)
        for found, again in zip(traced(X_t, alpha, sigma), (mean, score)):
            np.testing.assert_allclose(found, again, rtol=1e-4, atol=1e-4)


def test_many_samples_of_components_that_do_not_differ(always_many):
    """Nothing can be ruled out, with little noise and of low rank: the last resort. And weights of 0."""
    pi, mus, Sigmas = parameters(K=1, D=40, R=3)
    X_t = noisy_samples((pi, mus, Sigmas), 1, 0.01, 300)
    one, same = GaussianMixture(pi, mus, Sigmas), [0] * 16
    for weights in (np.ones(16) / 16, np.r_[0, np.ones(15) / 15]):
        mixture = GaussianMixture(weights, mus[same], Sigmas[same])
        for sigma in (0.01, 10.0):
            np.testing.assert_allclose(mixture.posterior_mean(X_t, 1, sigma), one.posterior_mean(X_t, 1, sigma), atol=2e-5)


def test_many_samples_far_away(always_many):
    for R in (40, 3):
        mixture = GaussianMixture(*parameters(K=6, D=40, R=R))
        X_t = 1e3 * rng_of(2).normal(size=(40, 200))
        for sigma in (1e-3, 1, 100):
            assert np.isfinite(mixture.posterior_mean(X_t, 1, sigma)).all() and np.isfinite(mixture.score(X_t, 1, sigma)).all()


@pytest.mark.parametrize("R", [40, 3])
def test_many_samples_under_transformations(always_many, R):
    """The derivative is that of all components at once; a batch of noise levels takes every branch."""
    parts = parameters(K=3, D=40, R=R)
    mixture, X_t = GaussianMixture(*parts), jnp.asarray(noisy_samples(parts, 0.6, 0.8, 100))
    sigmas = jnp.array([0.05, 0.8])
    together = jax.vmap(lambda s: mixture.posterior_mean(X_t, 0.6, s))(sigmas)
    for found, sigma in zip(together, sigmas):
        assert relative(found, dense(parts, X_t, 0.6, float(sigma))["posterior_mean"]) < 1e-5
    direction = jnp.ones_like(X_t)
    for sigma in (0.05, 0.8):
        _, slope = jax.jvp(lambda X: mixture.posterior_mean(X, 0.6, sigma), (X_t,), (direction,))
        covariances = dense(parts, X_t, 0.6, sigma)["posterior_covariance"]
        assert relative(slope, 0.6 / sigma**2 * covariances.sum(2).T) < 1e-4
        back = jax.grad(lambda X: mixture.posterior_mean(X, 0.6, sigma).sum())(X_t)
        assert relative(back, 0.6 / sigma**2 * covariances.sum(1).T) < 1e-4


def test_many_samples_in_double_precision(always_many):
    with jax.enable_x64(True):
        parts = parameters(K=4, D=40, R=40)
        mixture = GaussianMixture(*(np.asarray(a, np.float64) for a in parts))
        for sigma in (0.05, 0.9):
            X_t = noisy_samples(parts, 1, sigma, 200).astype(np.float64)
            assert relative(mixture.posterior_mean(X_t, 1.0, sigma), dense(parts, X_t, 1, sigma)["posterior_mean"]) < 1e-12


def test_a_large_problem_as_it_comes():
    """Large enough for the ways above with nothing patched, against the same columns a few at a time."""
    rng = rng_of(0)
    mixture = GaussianMixture.low_rank(np.ones(16) / 16, rng.normal(size=(16, 64)), np.tile(np.eye(64)[None], (16, 1, 1)),
                                       rng.uniform(0.1, 2, size=(16, 64)))
    X, _ = mixture.sample(jax.random.key(0), 5000)
    for alpha, sigma in ((1, 0.3), (0.3, 0.9)):
        X_t = alpha * X + sigma * rng.normal(size=X.shape)
        some = mixture.posterior_mean(X_t[:, ::100], alpha, sigma)
        np.testing.assert_allclose(mixture.posterior_mean(X_t, alpha, sigma)[:, ::100], some, atol=2e-4)


# --- precision and refusals --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("R", [2, 40])
def test_matrix_products_keep_their_precision_on_every_device(always_many, R):
    mixture, X_t = GaussianMixture(*parameters(D=40, R=R)), np.ones((40, 60), np.float32)
    for method in METHODS:
        text = str(jax.make_jaxpr(lambda X: getattr(mixture, method)(X, 0.6, 0.8))(X_t))
        assert text.count("dot_general[") == text.count("precision=(Precision.HIGHEST, Precision.HIGHEST)") > 0


PI, MUS, SIGMAS = parameters()
FULL, THIN = GaussianMixture(PI, MUS, SIGMAS), GaussianMixture(*parameters(R=2))
X5 = np.ones((5, 8))
U5 = np.tile(np.eye(5)[:, :2], (3, 1, 1))
LOPSIDED, NEGATIVE, INFINITE = SIGMAS.copy(), SIGMAS.copy(), SIGMAS.copy()
INFINITE[1, 2, 2] = np.inf
LOPSIDED[1, 0, 1] += 1
NEGATIVE[2] = np.diag([1, 1, 1, 1, -0.5])
REFUSED = [
    (lambda: GaussianMixture(PI[:2], MUS, SIGMAS), r"pi: got shape \(2,\), want \(K,\) with K = 3"),
    (lambda: GaussianMixture(PI, MUS[0], SIGMAS), r"mus: got shape \(5,\), want \(K, D\)"),
    (lambda: GaussianMixture(PI, MUS, SIGMAS[0]), r"Sigmas: got shape \(5, 5\), want \(K, D, D\) with K = 3 and D = 5"),
    (lambda: GaussianMixture(PI, MUS, SIGMAS[:, :4, :4]), r"Sigmas: got shape \(3, 4, 4\), want \(K, D, D\) with K = 3"),
    (lambda: GaussianMixture(PI * 2, MUS, SIGMAS), r"pi: got numbers that add up to 2, want numbers that add up to 1"),
    (lambda: GaussianMixture([-0.5, 0.5, 1], MUS, SIGMAS), r"pi: got -0.5, want numbers that are not negative"),
    (lambda: GaussianMixture(PI, MUS, LOPSIDED), r"Sigmas\[1\]: got Sigmas\[1\] - .* with entries up to 1, want a symmetric"),
    (lambda: GaussianMixture(PI, MUS, NEGATIVE), r"Sigmas\[2\]: got an eigenvalue -0.5, want a covariance, with none below 0"),
    (lambda: GaussianMixture(PI, MUS * np.nan, SIGMAS), r"mus: got nan at \[0, 0\]"),
    (lambda: GaussianMixture(PI, MUS, INFINITE), r"Sigmas: got inf at \[1, 2, 2\]"),
    (lambda: jax.jit(lambda S: GaussianMixture(PI, MUS, S).mean)(SIGMAS), r"Sigmas: got a traced value, want .* outside jit"),
    (lambda: GaussianMixture.low_rank(PI, MUS, U5[:2], np.ones((3, 2))), r"Us: got shape \(2, 5, 2\), want .* with K = 3"),
    (lambda: GaussianMixture.low_rank(PI, MUS, 2 * U5, np.ones((3, 2))), r"Us\[0\]: got columns with .*, want orthonormal"),
    (lambda: GaussianMixture.low_rank(PI, MUS, U5, np.ones((3, 3))), r"lams: got shape \(3, 3\), want .* with K = 3 and R = 2"),
    (lambda: GaussianMixture.low_rank(PI, MUS, U5, -np.ones((3, 2))), r"lams: got -1, want numbers that are not negative"),
    (lambda: FULL.log_density(X5[:4], 1, 1), r"X_t: got shape \(4, 8\), want \(D, M\) with D = 5"),
    (lambda: FULL.score(X5[:, 0], 1, 1), r"X_t: got shape \(5,\), want \(D, M\) with D = 5"),
    (lambda: FULL.posterior_mean(X5, 1, -1), r"sigma: got -1, want numbers that are not negative"),
    (lambda: FULL.posterior_mean(X5, -1, 1), r"alpha: got -1, want numbers that are not negative"),
    (lambda: FULL.posterior_mean(X5, 1, [1, 2]), r"sigma: got shape \(2,\), want \(\)"),
    (lambda: FULL.posterior_mean(X5, 1, np.nan), r"sigma: got nan"),
    (lambda: FULL.score(X5, 0, 0), r"sigma: got 0 and a component without a density"),
    (lambda: THIN.score(X5, 1, 0), r"sigma: got 0 and a component without a density .* want sigma > 0"),
    (lambda: THIN.log_density(X5), r"sigma: got 0 and a component without a density"),
    (lambda: THIN.responsibilities(X5, 1, 0), r"sigma: got 0 and a component without a density"),
    (lambda: FULL.sample(jax.random.key(0), 0), r"N: got 0, want an integer >= 1"),
    (lambda: FULL.sample(0, 3), r"key: got 0, want one random key"),
    (lambda: FULL.noised(1, -1), r"sigma: got -1, want numbers that are not negative"),
]


@pytest.mark.parametrize("call, message", REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_covariance_may_be_off_by_rounding():
    Sigmas = SIGMAS * (1 + 1e-7 * rng_of(3).normal(size=SIGMAS.shape))
    Sigmas[0] = np.diag([1, 1, 1, 1, -1e-7])
    mixture = GaussianMixture(PI, MUS, Sigmas)
    assert mixture.lams[0, 4] == 0
