"""The landscape of rate reduction against SciPy, autodiff, finite-difference Hessians and dense grids; and its refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, minimize

from book_utils import coding
from book_utils import rate_landscape as landscape

from oracles import numerical_gradient, relative, rng_of

RHOS = [1e-4, 0.01, 0.1, 1 / 3, 0.5, 0.8, 0.95]


def f(x, alpha, rho):
    return np.log1p(alpha * x) - rho * np.log1p(alpha * x / rho)


def slope(x, alpha, rho):
    return alpha / (1 + alpha * x) - alpha / (1 + alpha * x / rho)


def value(Z, labels, eps, lam=0.0):
    """L(Z) in float64."""
    d, N = Z.shape
    rate = lambda Y: np.linalg.slogdet(np.eye(d) + d / (Y.shape[1] * eps**2) * Y @ Y.T)[1] / 2  # noqa: E731
    parts = [Z[:, labels == k] for k in range(labels.max() + 1)]
    return rate(Z) - sum(Y.shape[1] / N * rate(Y) for Y in parts) - lam / 2 * (Z**2).sum()


def hessian(Z, labels, eps, lam, h=1e-4):
    """By second differences of the value, in float64."""
    flat = lambda z: value(z.reshape(Z.shape), labels, eps, lam)  # noqa: E731
    E, n, z = h * np.eye(Z.size), Z.size, Z.ravel()
    H = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            even, odd = flat(z + E[i] + E[j]) + flat(z - E[i] - E[j]), flat(z + E[i] - E[j]) + flat(z - E[i] + E[j])
            H[i, j] = H[j, i] = (even - odd) / (4 * h * h)
    return H


def two_classes(d=3, sizes=(2, 4), eps=0.5, share=0.5):
    """Labels, eps, alpha, and lam at that share of the highest."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    alpha = d / (len(labels) * eps**2)
    return labels, eps, alpha, share * float(landscape.largest_lam(np.array(sizes) / len(labels), alpha))


# --- one direction -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("alpha", [0.03, 1.0, 40.0])
@pytest.mark.parametrize("rho", RHOS)
def test_closed_forms_of_one_direction(alpha, rho):
    turn = np.sqrt(rho) / alpha
    touch = brentq(lambda x: f(x, alpha, rho) - x * slope(x, alpha, rho), 1.001 * turn, 100 / alpha)
    pi = [rho, *[(1 - rho) / 30] * 30] if rho > 0.1 else [rho] * round(1 / rho)
    assert np.isclose(landscape.inflection(alpha, rho), turn, rtol=1e-6)
    assert np.isclose(landscape.tangent_point(alpha, rho), touch, rtol=1e-4)
    bound = float(landscape.largest_lam(pi, alpha))
    assert np.isclose(bound, slope(turn, alpha, rho), rtol=1e-5)
    assert np.isclose(landscape.global_lam(pi, alpha), slope(touch, alpha, rho), rtol=1e-4)
    for share in (1e-3, 0.3, 0.95):
        x = brentq(lambda x, lam=share * bound: slope(x, alpha, rho) - lam, turn, 2 / (share * bound))
        assert np.isclose(landscape.optimal_variance(alpha, rho, share * bound), x, rtol=1e-4)
        worth = (f(x, alpha, rho) - share * bound * x) / 2
        assert np.isclose(landscape.direction_value(alpha, rho, share * bound), worth, rtol=1e-4, atol=2e-6)
    assert np.isnan(landscape.optimal_variance(alpha, rho, 1.01 * bound))


def test_the_table_of_ratios():
    """lambda* over the bound for one share, as known from float64."""
    for rho, ratio in ((0.9, 0.8649), (0.5, 0.8671), (0.25, 0.8737), (0.1, 0.8874), (0.01, 0.9316)):
        pi = [rho, *[(1 - rho) / 20] * 20] if rho > 0.1 else [rho] * round(1 / rho)
        assert np.isclose(landscape.global_lam(pi, 1.3) / landscape.largest_lam(pi, 1.3), ratio, atol=1e-4)


@pytest.mark.parametrize("N_k, d_k, alpha, rho", [
    (50, 2, 8 / (100 * 5.556**0.5), 0.5), (50, 4, 0.5, 0.5), (20, 5, 0.3, 0.2), (3, 4, 0.2, 0.1),
])
def test_no_spectrum_beats_the_best_flat_one(N_k, d_k, alpha, rho):
    """SLSQP over all spectra with that sum, from twelve starts."""
    best = np.asarray(landscape.best_rank_spectrum(alpha, rho, N_k, d_k))
    assert np.isclose(best.sum(), N_k) and len(set(best[best > 0])) == 1
    budget = {"type": "eq", "fun": lambda x: x.sum() - N_k}
    starts = [N_k * rng_of(seed).dirichlet(np.full(d_k, 0.7)) for seed in range(12)]
    found = [minimize(lambda x: -f(x, alpha, rho).sum(), start, method="SLSQP", bounds=[(0, N_k)] * d_k, constraints=budget).fun
             for start in starts]
    assert -min(found) / 2 <= landscape.spread_value(best, alpha, rho) * (1 + 1e-4)
    if N_k / d_k > landscape.tangent_point(alpha, rho):
        assert (best > 0).all()


def test_spread_value_is_the_rate_reduction_of_orthogonal_classes():
    rng, labels, eps = rng_of(0), np.repeat([0, 1], [4, 6]), 0.7
    Q, spectra = np.linalg.qr(rng.normal(size=(5, 5)))[0], rng.uniform(0.5, 3, size=(2, 2))
    Vs = [np.linalg.qr(rng.normal(size=(n, 2)))[0] for n in (4, 6)]
    parts = [Q[:, 2 * k:2 * k + 2] * np.sqrt(spectra[k]) @ V.T for k, V in enumerate(Vs)]
    alpha, Z = 5 / (10 * eps**2), np.concatenate(parts, axis=1)
    total = sum(landscape.spread_value(x, alpha, n / 10) for x, n in zip(spectra, (4, 6)))
    assert np.isclose(total, value(Z, labels, eps), rtol=1e-5)
    assert np.isclose(total, coding.rate_reduction(Z, labels, eps), rtol=1e-5)


# --- critical points ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("ranks", [(2, 1), (1, 2), (1, 1), (0, 2), (0, 0)])
def test_optimal_features_are_local_maxima(ranks):
    labels, eps, _, lam = two_classes()
    U = np.linalg.qr(rng_of(1).normal(size=(3, 3)))[0]
    Z = np.asarray(landscape.optimal_features(labels, U, ranks, eps, lam), np.float64)
    assert [np.linalg.matrix_rank(Z[:, labels == k], tol=1e-4) for k in (0, 1)] == list(ranks)
    assert np.abs(numerical_gradient(lambda Z: value(Z, labels, eps, lam), Z)).max() < 1e-6
    assert np.linalg.eigvalsh(hessian(Z, labels, eps, lam)).max() < 1e-5
    assert np.abs(landscape.ascend(Z, labels, eps, lam, 5) - Z).max() < 1e-5
    slopes = jax.grad(lambda Z: landscape.regularized_rate_reduction(Z, labels, eps, lam))(jnp.asarray(Z, jnp.float32))
    assert np.abs(slopes).max() < 1e-5


def test_full_rank_is_a_maximum_too():
    """N = (3, 6), d = 6, ranks (3, 3): what the printed theorem excludes is the global maximum."""
    labels, eps, alpha, lam = two_classes(6, (3, 6), share=0.3)
    Z = landscape.optimal_features(labels, np.eye(6), [3, 3], eps, lam)
    full = landscape.regularized_rate_reduction(Z, labels, eps, lam)
    worth = [landscape.direction_value(alpha, rho, lam) for rho in (1 / 3, 2 / 3)]
    assert np.isclose(full, 1.9733416, rtol=1e-5) and np.isclose(3 * worth[0] + 3 * worth[1], full, rtol=1e-5)
    assert 2 * worth[0] + 4 * worth[1] < full


def test_objective_is_the_rate_reduction_less_the_price():
    labels, eps, _, lam = two_classes()
    Z = rng_of(2).normal(size=(3, 6))
    assert np.isclose(landscape.regularized_rate_reduction(Z, labels, eps, lam), value(Z, labels, eps, lam), rtol=1e-5)


# --- ascent ------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("scale", [0.05, 1.0, 10.0])
def test_ascent_steps_along_the_gradient_and_never_falls(scale):
    labels, eps, alpha, lam = two_classes(4, (3, 4, 2))
    Z = scale * rng_of(3).normal(size=(4, 9))
    expected = Z + numerical_gradient(lambda Z: value(Z, labels, eps, lam), Z) / alpha
    assert relative(landscape.ascend(Z, labels, eps, lam, 1), expected) < 1e-4
    ends = [value(np.asarray(landscape.ascend(Z, labels, eps, lam, T), np.float64), labels, eps, lam) for T in (0, 1, 3, 10, 100)]
    assert (np.diff(ends) > -1e-6).all() and ends[-1] > ends[0]
    order = rng_of(4).permutation(9)
    mixed = landscape.ascend(Z[:, order], labels[order], eps, lam, 10)
    assert relative(mixed, np.asarray(landscape.ascend(Z, labels, eps, lam, 10), np.float64)[:, order]) < 1e-4


def test_ascent_on_the_sphere_stays_there_and_never_falls():
    labels, eps, _, _ = two_classes(5, (6, 10))
    Z = rng_of(5).normal(size=(5, 16))
    paths = [np.asarray(landscape.ascend_on_sphere(Z, labels, eps, T), np.float64) for T in (0, 1, 2, 5, 20, 300)]
    for path in paths:
        np.testing.assert_allclose(np.linalg.norm(path, axis=0), 1, rtol=1e-5)
    assert (np.diff([value(path, labels, eps) for path in paths]) > -1e-6).all()
    assert np.abs(paths[-1][:, :6].T @ paths[-1][:, 6:]).max() < 1e-2  # orthogonal classes


def test_no_curvature_exceeds_nine_eighths_of_alpha():
    labels, eps, alpha, lam = two_classes()
    for seed, scale in ((0, 0.1), (1, 1.0), (2, 5.0)):
        H = hessian(scale * rng_of(seed).normal(size=(3, 6)), labels, eps, lam)
        assert np.abs(np.linalg.eigvalsh(H)).max() < 9 / 8 * alpha + lam + 1e-4


def test_transformations_and_wide_numbers():
    labels, eps, _, lam = two_classes()
    Z = jnp.asarray(rng_of(6).normal(size=(2, 3, 6)), jnp.float32)
    together = jax.vmap(lambda Z: landscape.ascend(Z, labels, eps, lam, 4))(Z)
    np.testing.assert_allclose(together[1], landscape.ascend(Z[1], labels, eps, lam, 4), atol=1e-5)
    assert np.isclose(jax.jit(landscape.optimal_variance)(1.0, 0.25, 0.1), 6.2097408, rtol=1e-5)
    with jax.enable_x64(True):
        touch = brentq(lambda x: f(x, 1, 0.5) - x * slope(x, 1, 0.5), 1, 3)
        assert np.isclose(landscape.tangent_point(1.0, 0.5), touch, rtol=1e-10)
        assert landscape.ascend(np.asarray(Z[0], np.float64), labels, eps, lam, 2).dtype == jnp.float64


LABELS = np.array([0, 0, 1, 1])
REFUSED = [
    (lambda: landscape.spread_value([1, -1], 1, 0.5), r"spectrum: got -1, want numbers that are not negative"),
    (lambda: landscape.spread_value([1.0], 0, 0.5), r"alpha: got 0, want a number > 0"),
    (lambda: landscape.inflection(1, 1.5), r"rho: got 1.5, want a number in \(0, 1\]"),
    (lambda: landscape.optimal_variance(1, 0.5, 0), r"lam: got 0, want a number > 0"),
    (lambda: landscape.best_rank_spectrum(1, 0.5, 10, 0), r"d_k: got 0, want an integer >= 1"),
    (lambda: landscape.ascend(np.ones((2, 3)), LABELS, 1, 0.1, 5), r"labels: got shape \(4,\), want \(N,\) with N = 3"),
    (lambda: landscape.ascend(np.ones((2, 4)), 2 * LABELS, 1, 0.1, 5), r"labels: got no sample in class 1 of 3"),
    (lambda: landscape.ascend(np.ones((2, 4)), LABELS, 1, 0.1, -1), r"T: got -1, want an integer >= 0"),
    (lambda: landscape.ascend(np.ones((2, 4)), LABELS, 0, 0.1, 1), r"eps: got 0, want a number > 0"),
    (lambda: landscape.ascend_on_sphere(np.ones(4), LABELS, 1, 1), r"Z: got shape \(4,\), want \(d, N\)"),
    (lambda: landscape.optimal_features(LABELS, np.eye(3), [2, 2], 1, 0.1), r"ranks: got \[2, 2\], want 2 divisors of \[2, 2\]"),
    (lambda: landscape.optimal_features(LABELS, np.eye(3), [1], 1, 0.1), r"ranks: got \[1\], want 2 divisors"),
    (lambda: landscape.regularized_rate_reduction(np.ones((2, 4)), LABELS, 1, -1), r"lam: got -1, want numbers that are not neg"),
]


@pytest.mark.parametrize("call, message", REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
