"""Entropies against SciPy, adaptive quadrature, finite differences and the identities between them; and their refusals."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from book_utils import entropy
from book_utils.gaussian_mixture import GaussianMixture

from oracles import numerical_derivative, relative, rng_of

seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=20, deadline=None, derandomize=True)


def covariance(seed, D=4, R=None):
    A = rng_of(seed).normal(size=(D, R or D))
    return A @ A.T


# --- finite alphabets --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("p, bits", [
    ([0.5, 0.25, 0.125, 0.125], 1.75), (np.ones(8) / 8, 3), ([0, 1, 0], 0), ([0.9, 0.1], 0.468996),
])
def test_discrete_entropy_of_known_laws(p, bits):
    assert np.isclose(entropy.discrete_entropy(p), bits * np.log(2), rtol=1e-6, atol=0)


@quick
@given(seeds, st.sampled_from([1, 7]))
def test_discrete_entropy_is_scipys_and_adds_up(seed, n):
    rng = rng_of(seed)
    p, q = rng.dirichlet(np.full(n, 0.3)), rng.dirichlet(np.ones(5))
    h = entropy.discrete_entropy(p)
    assert np.isclose(h, scipy.stats.entropy(p), rtol=2e-6, atol=1e-6) and -1e-7 <= h <= np.log(n) + 1e-6
    assert np.isclose(entropy.discrete_entropy(rng.permutation(p)), h, rtol=2e-6, atol=1e-7)
    assert np.isclose(entropy.discrete_entropy(np.outer(p, q).ravel()), h + entropy.discrete_entropy(q), rtol=1e-5)


def test_quantized_entropy_tends_to_the_differential_one():
    """N(0, 4) in cells of width eps: the error falls as eps^2. In the plane there are two logarithms of it."""
    h, errors = 0.5 * np.log(2 * np.pi * np.e * 4), []
    for eps in (1.0, 0.5):
        edges = np.arange(-20, 20 + eps, eps)
        p = np.diff(scipy.stats.norm.cdf(edges, 0, 2))
        errors.append(entropy.quantized_entropy(p, eps, 1) - h)
    assert 3.5 < errors[0] / errors[1] < 4.5 and abs(errors[1]) < 3e-3
    assert np.isclose(entropy.quantized_entropy(np.outer(p, p).ravel(), eps, 2), 2 * (h + errors[1]), rtol=1e-5)
    uniform = entropy.quantized_entropy(np.ones(10) / 10, 0.05, 1)  # on [0, 1/2]: negative
    assert np.isclose(uniform, np.log(0.5), rtol=1e-5)


# --- Gaussians ---------------------------------------------------------------------------------------------------------------

@quick
@given(seeds, st.sampled_from([1, 4]), st.sampled_from([1e-4, 1.0, 1e4]))
def test_gaussian_entropy_is_scipys(seed, D, scale):
    Sigma = scale * (covariance(seed, D) + 0.1 * np.eye(D))
    found = entropy.gaussian_entropy(Sigma)
    assert np.isclose(found, scipy.stats.multivariate_normal(np.ones(D), Sigma).entropy(), rtol=1e-5, atol=1e-4)
    Q = np.linalg.qr(rng_of(seed).normal(size=(D, D)))[0]
    assert np.isclose(entropy.gaussian_entropy(Q @ Sigma @ Q.T), found, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("D, R", [(2, 1), (5, 4), (30, 12), (3, 1)])
def test_gaussian_entropy_of_a_singular_covariance(D, R):
    for seed in range(10):
        assert entropy.gaussian_entropy(covariance(seed, D, R)) == -np.inf
        assert entropy.gaussian_entropy(covariance(seed, D, R) + 1e-3 * np.eye(D)) > -np.inf
    assert entropy.gaussian_entropy(np.zeros((2, 2))) == -np.inf


def test_gaussian_entropy_of_independent_scales_far_apart():
    """Not singular: sizes that differ are no dependence. Each tenfold smaller variance costs log(10) / 2."""
    h = [float(entropy.gaussian_entropy(np.diag([1.0, delta]))) for delta in (1, 1e-5, 1e-10, 1e-20)]
    np.testing.assert_allclose(h, np.log(2 * np.pi * np.e) + 0.5 * np.log([1, 1e-5, 1e-10, 1e-20]), rtol=1e-6)


def test_the_gaussian_has_the_largest_entropy_at_a_given_variance():
    others = [scipy.stats.laplace(scale=np.sqrt(0.5)).entropy(), scipy.stats.uniform(0, np.sqrt(12)).entropy()]
    assert entropy.gaussian_entropy([[1.0]]) > max(others)


@quick
@given(seeds, st.sampled_from([1, 4]))
def test_cross_entropy_and_kl(seed, D):
    """E -log q by the closed form in float64, entropy + KL = cross-entropy, and KL is 0 for equal laws alone."""
    Sigma, Sigma_q = covariance(seed, D) + 0.2 * np.eye(D), covariance(seed + 1, D) + 0.2 * np.eye(D)
    cross = 0.5 * (np.linalg.slogdet(2 * np.pi * Sigma_q)[1] + np.trace(np.linalg.inv(Sigma_q) @ Sigma))
    assert np.isclose(entropy.gaussian_cross_entropy(Sigma, Sigma_q), cross, rtol=2e-5)
    kl = cross - scipy.stats.multivariate_normal(np.zeros(D), Sigma).entropy()
    assert np.isclose(entropy.gaussian_kl(Sigma, Sigma_q), kl, rtol=1e-4, atol=1e-5)
    assert 0 <= entropy.gaussian_kl(Sigma, Sigma) < 1e-9
    assert np.isclose(entropy.gaussian_cross_entropy(Sigma, Sigma), entropy.gaussian_entropy(Sigma), rtol=1e-5, atol=1e-5)


def test_cross_entropy_is_a_mean_over_samples():
    Sigma, Sigma_q = covariance(0), covariance(1) + np.eye(4)
    X = np.linalg.cholesky(Sigma) @ rng_of(2).normal(size=(4, 100_000))
    lengths = -scipy.stats.multivariate_normal(np.zeros(4), Sigma_q).logpdf(X.T)
    assert abs(lengths.mean() - entropy.gaussian_cross_entropy(Sigma, Sigma_q)) < 5 * lengths.std() / 316


def test_kl_of_laws_close_together_keeps_its_digits():
    """KL(N(0, (1 + d) I) || N(0, I)) = D (d - log(1 + d)) / 2: near D d^2 / 4, lost in a difference of two entropies."""
    for d in (0.1, 2.0**-10, -(2.0**-10)):
        expected = 1.5 * (d - np.log1p(d))
        assert np.isclose(entropy.gaussian_kl((1 + d) * np.eye(3), np.eye(3)), expected, rtol=3e-3, atol=0)


def test_singular_codebooks_and_singular_data():
    thin, full = covariance(0, 4, 2), covariance(1) + np.eye(4)
    assert entropy.gaussian_cross_entropy(full, thin) == np.inf == entropy.gaussian_kl(full, thin)
    expected = 0.5 * (np.linalg.slogdet(2 * np.pi * full)[1] + np.trace(np.linalg.solve(full, thin)))
    assert np.isclose(entropy.gaussian_cross_entropy(thin, full), expected, rtol=1e-5)
    assert entropy.gaussian_kl(thin, full) == np.inf


@pytest.mark.parametrize("t", [0.05, 0.5, 5.0])
def test_slope_of_the_gaussian_entropy(t):
    lams = np.array([4.0, 1, 0])
    by_differences = numerical_derivative(lambda t: 0.5 * np.log(lams + t**2).sum(), t, 1)
    assert np.isclose(entropy.gaussian_entropy_slope(lams, t), by_differences, rtol=1e-5)


def test_slope_times_t_counts_dimensions():
    lams = np.r_[np.ones(3), np.zeros(4)]
    assert np.isclose(1e-4 * entropy.gaussian_entropy_slope(lams, 1e-4), 4, rtol=1e-6)
    assert np.isclose(1e4 * entropy.gaussian_entropy_slope(lams, 1e4), 7, rtol=1e-6)
    assert entropy.gaussian_entropy_slope(lams, 0) == np.inf and entropy.gaussian_entropy_slope([1, 2], 0) == 0


# --- one-dimensional mixtures ------------------------------------------------------------------------------------------------

MIXTURES = {
    "two peaks": ([0.5, 0.5], [-1, 1], [0.01, 0.01]),
    "two atoms": ([0.3, 0.7], [-1, 1], [0, 0]),
    "a needle in a hill": ([0.1, 0.9], [0.3, 0], [1e-6, 4]),
    "far apart": ([0.2, 0.3, 0.5], [-50, 0, 20], [1, 0.01, 25]),
    "one": ([1.0], [2.0], [3.0]),
    "many": (np.ones(9) / 9, np.linspace(-4, 4, 9), np.geomspace(1e-4, 1, 9)),
}
LEVELS = [(1, 0.1), (1, 1), (0.6, 0.8), (1, 10), (0, 1)]


def line(name):
    pi, mus, variances = MIXTURES[name]
    pi, mus, variances = (np.array(a, np.float64) for a in (pi, mus, variances))
    return GaussianMixture(pi, mus[:, None], variances[:, None, None])


def by_quad(name, alpha, sigma):
    """Entropy, Fisher information and MMSE by SciPy's adaptive quadrature in float64, over pieces that hold a few peaks each."""
    pi, mus, variances = (np.asarray(a, np.float64) for a in MIXTURES[name])
    means, spread = alpha * mus, alpha**2 * variances + sigma**2

    def at(x):
        logs = np.log(pi) - 0.5 * ((x - means) ** 2 / spread + np.log(2 * np.pi * spread))
        top = logs.max()
        w = np.exp(logs - top)
        log_p, w = top + np.log(w.sum()), w / w.sum()
        centres = mus + alpha * variances / spread * (x - means)
        within, between = sigma**2 * variances / spread, (centres - w @ centres) ** 2
        return np.exp(log_p), log_p, w @ ((means - x) / spread), w @ (within + between)

    roots = np.sqrt(spread)
    ends = np.unique(np.concatenate([means + u * roots for u in (-9, -6, -4, -2, 0, 2, 4, 6, 9)]))
    integrands = [lambda x: -at(x)[0] * at(x)[1], lambda x: at(x)[0] * at(x)[2] ** 2, lambda x: at(x)[0] * at(x)[3]]
    return [sum(quad(f, a, b, epsabs=1e-11, epsrel=1e-9, limit=100)[0] for a, b in zip(ends, ends[1:])) for f in integrands]


by_quad = functools.cache(by_quad)
KERNELS = [entropy.entropy_1d, entropy.fisher_information_1d, entropy.mmse_1d]


@pytest.mark.parametrize("alpha, sigma", LEVELS)
@pytest.mark.parametrize("name", MIXTURES)
def test_quadratures_agree_with_scipys(name, alpha, sigma):
    expected = np.array(by_quad(name, alpha, sigma))
    found = [f(line(name), alpha, sigma) for f in KERNELS]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    with jax.enable_x64(True):
        exact = [f(line(name), alpha, sigma) for f in KERNELS]
    np.testing.assert_allclose(exact, expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", MIXTURES)
def test_slope_of_the_entropy_is_fisher_information_and_mmse(name):
    """t dh/dt = t^2 J = 1 - MMSE / t^2, the slope by central differences in float64."""
    with jax.enable_x64(True):
        mixture = line(name)
        for t in (0.03, 0.3, 1.0, 3.0):
            h = lambda t: float(entropy.entropy_1d(mixture, 1.0, t))  # noqa: E731
            slope = numerical_derivative(h, t, 1, step=1e-5 * t)
            assert np.isclose(t * slope, t**2 * entropy.fisher_information_1d(mixture, 1.0, t), rtol=1e-6)
            assert np.isclose(t * slope, 1 - entropy.mmse_1d(mixture, 1.0, t) / t**2, rtol=1e-5, atol=1e-7)


def test_numbers_of_one_gaussian():
    mixture = GaussianMixture([1.0], [[3.0]], [[[4.0]]])
    assert np.isclose(entropy.entropy_1d(mixture), entropy.gaussian_entropy([[4.0]]), rtol=1e-6)
    assert np.isclose(entropy.entropy_1d(mixture, 0.5, 1), entropy.gaussian_entropy([[2.0]]), rtol=1e-6)
    assert np.isclose(entropy.fisher_information_1d(mixture, 0.5, 1), 1 / 2, rtol=1e-6)
    assert np.isclose(entropy.mmse_1d(mixture, 0.5, 1), 4 * 1 / 2, rtol=1e-6)
    assert entropy.mmse_1d(mixture, 1, 0) == 0


def test_entropy_is_a_mean_over_samples():
    mixture = line("many")
    X_t, _ = mixture.noised(0.6, 0.1).sample(jax.random.key(0), 100_000)
    lengths = -np.asarray(mixture.log_density(X_t, 0.6, 0.1), np.float64)
    assert abs(lengths.mean() - entropy.entropy_1d(mixture, 0.6, 0.1)) < 5 * lengths.std() / 316


def test_a_component_of_weight_zero_changes_nothing():
    for f in KERNELS:
        found = f(GaussianMixture([0.5, 0, 0.5], [[-1], [7], [1]], [[[0.01]], [[2]], [[0.01]]]), 1, 0.3)
        assert np.isclose(found, f(line("two peaks"), 1, 0.3), rtol=1e-5)


# --- under JAX's transformations, and refusals -------------------------------------------------------------------------------

def test_transformations_keep_the_values():
    mixture, levels = line("two peaks"), jnp.array([0.2, 0.5, 1.0])
    for f in KERNELS:
        together = jax.jit(jax.vmap(lambda t: f(mixture, 1.0, t)))(levels)
        np.testing.assert_allclose(together, [f(mixture, 1.0, t) for t in levels], rtol=1e-5)
    slope = jax.grad(lambda t: entropy.entropy_1d(mixture, 1.0, t))(1.0)
    assert np.isclose(slope, 0.5462729, rtol=1e-4)
    Sigma = jnp.asarray(covariance(0) + np.eye(4))
    cross, kl = (lambda S, f=f: f(S, 2 * S) for f in (entropy.gaussian_cross_entropy, entropy.gaussian_kl))
    for f in (entropy.gaussian_entropy, cross, kl):
        assert np.isclose(jax.jit(f)(Sigma), f(Sigma), rtol=1e-5)
    assert relative(2 * jax.grad(entropy.gaussian_entropy)(Sigma), np.linalg.inv(np.asarray(Sigma, np.float64))) < 1e-5
    assert np.isclose(jax.jit(entropy.discrete_entropy)(jnp.array([0, 0.5, 0.5])), np.log(2))


PLANE = GaussianMixture([1.0], [[0.0, 0]], np.eye(2)[None])
REFUSED = [
    (lambda: entropy.discrete_entropy([0.5, 0.6]), r"p: got numbers that add up to 1.1, want numbers that add up to 1"),
    (lambda: entropy.discrete_entropy([-0.5, 1.5]), r"p: got -0.5, want numbers that are not negative"),
    (lambda: entropy.discrete_entropy(np.eye(2) / 2), r"p: got shape \(2, 2\), want \(n,\)"),
    (lambda: entropy.quantized_entropy([0.5, 0.5], 0, 1), r"eps: got 0, want a side > 0"),
    (lambda: entropy.quantized_entropy([0.5, 0.5], -1, 1), r"eps: got -1, want numbers that are not negative"),
    (lambda: entropy.quantized_entropy([0.5, 0.5], 0.1, 0), r"D: got 0, want an integer >= 1"),
    (lambda: entropy.gaussian_entropy(np.ones(3)), r"Sigma: got shape \(3,\), want \(D, D\)"),
    (lambda: entropy.gaussian_entropy(np.ones((2, 3))), r"Sigma: got shape \(2, 3\), want \(D, D\)"),
    (lambda: entropy.gaussian_entropy([[1, 2], [0, 1]]), r"Sigma: got Sigma - Sigma\^T with entries up to 2, want"),
    (lambda: entropy.gaussian_entropy([[1, 2], [2, 1]]), r"Sigma: got an eigenvalue -1, want a covariance"),
    (lambda: entropy.gaussian_cross_entropy(np.eye(2), np.eye(3)), r"Sigma_q: got shape \(3, 3\), want \(D, D\) with D = 2"),
    (lambda: entropy.gaussian_kl(np.eye(2), -np.eye(2)), r"Sigma_q: got an eigenvalue -1, want a covariance"),
    (lambda: entropy.gaussian_entropy_slope([1, -1], 1), r"lams: got -1, want numbers that are not negative"),
    (lambda: entropy.gaussian_entropy_slope([1, 1], -1), r"t: got -1, want numbers that are not negative"),
    (lambda: entropy.entropy_1d(PLANE, 1, 1), r"mixture: got one of dimension 2, want D = 1"),
    (lambda: entropy.entropy_1d(line("two atoms"), 1, 0), r"sigma: got 0 and a component without a density"),
    (lambda: entropy.fisher_information_1d(line("one"), 0, 0), r"sigma: got 0 and a component without a density"),
    (lambda: entropy.mmse_1d(line("one"), 1, -1), r"sigma: got -1, want numbers that are not negative"),
]


@pytest.mark.parametrize("call, message", REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
