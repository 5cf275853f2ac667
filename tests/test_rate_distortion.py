"""Mutual information and rate-distortion functions against SciPy, float64 and closed forms; and their refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from book_utils import rate_distortion as rd

from oracles import numerical_derivative, rng_of

seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=20, deadline=None, derandomize=True)


def source(seed, n=5, m=7):
    rng = rng_of(seed)
    return rng.dirichlet(np.ones(n)), rng.uniform(0, 3, size=(n, m))


def in_float64(p, costs, beta, T):
    """The iteration in probabilities rather than logarithms, the information as a sum of three entropies."""
    q = np.full(costs.shape[1], 1 / costs.shape[1])
    for _ in range(T):
        joint = q * np.exp(-beta * (costs - costs.min(axis=1, keepdims=True)))
        conditional = joint / joint.sum(axis=1, keepdims=True)
        q = p @ conditional
    joint = p[:, None] * conditional
    H = scipy.stats.entropy
    return (joint * costs).sum(), H(p) + H(q) - H(joint.ravel()), conditional


# --- mutual information ------------------------------------------------------------------------------------------------------

@quick
@given(seeds, st.sampled_from([(1, 4), (5, 3), (30, 40)]))
def test_information_is_three_entropies(seed, shape):
    P = rng_of(seed).dirichlet(np.full(shape[0] * shape[1], 0.3)).reshape(shape)
    H = scipy.stats.entropy
    expected = H(P.sum(axis=1)) + H(P.sum(axis=0)) - H(P.ravel())
    found = rd.mutual_information(P)
    assert abs(found - expected) < 2e-6 * (1 + expected) and found >= 0
    assert np.isclose(rd.mutual_information(P.T), found, rtol=1e-5, atol=2e-6)


def test_information_of_known_tables():
    assert rd.mutual_information(np.outer([0.2, 0.8, 0], [0.3, 0.3, 0.4])) < 1e-6
    assert np.isclose(rd.mutual_information(np.diag([0.5, 0.25, 0.25])), 1.5 * np.log(2), rtol=1e-6)
    flipped = np.log(2) - scipy.stats.entropy([0.11, 0.89])
    assert np.isclose(rd.mutual_information([[0.445, 0.055], [0.055, 0.445]]), flipped, rtol=1e-5)
    tiny = np.array([[1e-30, 0], [0, 1]])  # products of the margins are below what float32 holds
    assert 0 <= rd.mutual_information(tiny) < 1e-6


# --- the iteration -----------------------------------------------------------------------------------------------------------

@quick
@given(seeds, st.sampled_from([0.0, 0.5, 3.0, 40.0, 1e5]))
def test_iteration_is_that_in_float64(seed, beta):
    p, costs = source(seed)
    for T in (1, 50):
        expected, found = in_float64(p, np.float32(costs).astype(float), beta, T), rd.blahut_arimoto(p, costs, beta, T)
        for e, f in zip(expected, found):
            np.testing.assert_allclose(f, e, rtol=1e-3 if beta > 100 else 1e-4, atol=1e-4 if beta > 100 else 1e-5)
        assert np.isclose(rd.mutual_information(p[:, None] * np.asarray(found[2])), found[1], atol=2e-6)


@pytest.mark.parametrize("beta", [1.0, 2.0, 4.0])
def test_a_coin(beta):
    """R(D) = H(p) - H(D) for Hamming costs, at D = 1 / (1 + e^beta)."""
    D, R, _ = rd.blahut_arimoto([0.3, 0.7], 1 - np.eye(2), beta, 300)
    assert np.isclose(D, 1 / (1 + np.exp(beta)), rtol=1e-4)
    assert np.isclose(R, scipy.stats.entropy([0.3, 0.7]) - scipy.stats.entropy([D, 1 - D]), atol=1e-5)
    assert np.isclose(rd.blahut_arimoto([0.5, 0.5], 1 - np.eye(2), beta, 1)[0], 1 / (1 + np.exp(beta)), rtol=1e-5)


def test_a_gaussian_on_a_grid():
    """log(1 / D) / 2 at D = 1 / (2 beta), for every price above 1/2."""
    x, betas = np.linspace(-6, 6, 201), np.array([0.6, 1, 2, 5, 20])
    p = scipy.stats.norm.pdf(x) / scipy.stats.norm.pdf(x).sum()
    D, R = rd.curve(p, (x[:, None] - x) ** 2, betas, 400)
    np.testing.assert_allclose(D, 1 / (2 * betas), rtol=1e-4)
    np.testing.assert_allclose(R, np.log(2 * betas) / 2, rtol=1e-4)


@quick
@given(seeds)
def test_curve_falls_is_convex_and_has_slope_minus_beta(seed):
    p, costs = source(seed)
    betas = np.array([1.0, 1.5, 2.5, 4.0, 7.0])
    with jax.enable_x64(True):
        D, R = (np.asarray(a) for a in rd.curve(p, costs, betas, 2000))
    dD, dR = np.diff(D), np.diff(R)
    inside = dD < -1e-6  # where nothing changes two points may coincide
    slopes = -dR[inside] / dD[inside]
    assert np.all(dR[inside] > 0)
    assert np.all(slopes > 0.95 * betas[:-1][inside]) and np.all(slopes < 1.05 * betas[1:][inside])


def test_no_price_is_too_large_and_symbols_may_never_come():
    costs = 7 + 1e3 * (np.arange(3)[:, None] - np.arange(4)) ** 2
    D, R, conditional = rd.blahut_arimoto([0.5, 0.5, 0], costs, 1e6, 30)
    assert np.isclose(D, 7) and np.isclose(R, np.log(2)) and np.all(np.asarray(conditional)[:2] == np.eye(3, 4)[:2])


def test_transformations_keep_the_values():
    p, costs = source(3)
    compiled = jax.jit(lambda b: rd.blahut_arimoto(p, costs, b, 20)[1])
    assert np.isclose(compiled(2.0), rd.blahut_arimoto(p, costs, 2.0, 20)[1], rtol=1e-6)
    D, R = rd.curve(p, costs, np.array([1.0, 2.0]), 20)
    np.testing.assert_allclose([D[1], R[1]], rd.blahut_arimoto(p, costs, 2.0, 20)[:2], rtol=1e-5)
    with jax.enable_x64(True):
        rate = lambda b: rd.blahut_arimoto(p, costs, b, 20)[1]
        assert np.isclose(jax.grad(rate)(2.0), numerical_derivative(lambda b: float(rate(b)), 2.0, 1), rtol=1e-5)
    zeros = jnp.array([0.5, 0.5, 0]), jnp.diag(jnp.array([0.5, 0.5, 0]))
    assert jnp.isfinite(jax.grad(lambda p: rd.blahut_arimoto(p, 1 - np.eye(3), 2.0, 20)[1])(zeros[0])).all()
    assert jnp.isfinite(jax.grad(rd.mutual_information)(zeros[1])).all()


REFUSED = [
    (lambda: rd.mutual_information([0.5, 0.5]), r"P: got shape \(2,\), want \(n, m\)"),
    (lambda: rd.mutual_information(np.ones((2, 2))), r"P: got numbers that add up to 4, want"),
    (lambda: rd.mutual_information([[1.5, -0.5]]), r"P: got -0.5, want numbers that are not negative"),
    (lambda: rd.blahut_arimoto([0.5, 0.6], np.eye(2), 1, 5), r"p: got numbers that add up to 1.1, want"),
    (lambda: rd.blahut_arimoto([0.5, 0.5], np.eye(3), 1, 5), r"costs: got shape \(3, 3\), want \(n, m\) with n = 2"),
    (lambda: rd.blahut_arimoto([0.5, 0.5], np.eye(2), -1, 5), r"beta: got -1, want numbers that are not negative"),
    (lambda: rd.blahut_arimoto([0.5, 0.5], np.eye(2), 1, 0), r"T: got 0, want an integer >= 1"),
    (lambda: rd.curve([0.5, 0.5], np.eye(2), 1.0, 5), r"betas: got shape \(\), want \(k,\)"),
]


@pytest.mark.parametrize("call, message", REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
