"""Copies, cosines and kernel densities against scikit-learn, and the law of the ratio for fresh samples."""

import jax
import numpy as np
import pytest
from scipy.integrate import quad
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import KernelDensity, NearestNeighbors

from book_utils import memorization

from oracles import relative, rng_of


def test_distance_ratio_agrees_with_scikit_learn():
    rng = rng_of(0)
    X, X_new = rng.normal(size=(3, 200)), rng.normal(size=(3, 50))
    distances, _ = NearestNeighbors(n_neighbors=2).fit(X.T).kneighbors(X_new.T)
    ratio = distances[:, 0] / distances[:, 1]
    assert relative(memorization.distance_ratio(X, X_new), ratio) < 1e-5
    assert relative(memorization.distance_ratio(100 * X, 100 * X_new), ratio) < 1e-5
    assert np.isclose(memorization.memorization_ratio(X, X_new, 0.5), np.mean(ratio < 0.5))


def test_copies_are_copies():
    """Of single samples and of samples that stand in the data twice."""
    X = rng_of(1).normal(size=(4, 30))
    np.testing.assert_array_equal(memorization.distance_ratio(X, X[:, 5:9]), 0)
    np.testing.assert_array_equal(memorization.distance_ratio(np.repeat(X, 2, axis=1), X), 0)
    assert memorization.memorization_ratio(X, X) == 1
    between = (X[:, :1] + X[:, 1:2]) / 2
    assert np.isclose(memorization.distance_ratio(X[:, :2], between)[0], 1)


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_fresh_samples_fall_below_c_with_probability_c_to_the_d(d):
    rng, M = rng_of(2), 20_000
    X, X_new = rng.uniform(size=(d, 20_000)), rng.uniform(0.25, 0.75, size=(d, M))
    for c in (1 / 3, 0.7):
        floor = c**d
        assert abs(memorization.memorization_ratio(X, X_new, c) - floor) < 5 * np.sqrt(floor * (1 - floor) / M) + 0.01 * floor


def test_largest_cosine_agrees_with_scikit_learn():
    rng = rng_of(3)
    F, F_new = rng.normal(size=(6, 40)), rng.normal(size=(6, 15))
    assert relative(memorization.largest_cosine(F, F_new), cosine_similarity(F.T, F_new.T).max(0)) < 1e-6
    np.testing.assert_allclose(memorization.largest_cosine(F, 7 * F), 1, atol=1e-6)


@pytest.mark.parametrize("eps", [0.02, 0.3, 4])
def test_kernel_density_agrees_with_scikit_learn(eps):
    rng = rng_of(4)
    X, X_new = rng.normal(size=(3, 80)), rng.normal(size=(3, 20))
    expected = KernelDensity(bandwidth=eps).fit(X.T).score_samples(X_new.T)
    assert relative(memorization.kernel_log_density(X, X_new, eps), expected) < 1e-5
    assert np.isclose(memorization.kernel_cross_entropy(X, X_new, eps), -expected.mean(), rtol=1e-5)


def test_kernel_density_at_its_own_centres():
    """Far from the origin with a bandwidth far below the distances: every sample is alone, and its own term is exact."""
    X = 20 * rng_of(7).normal(size=(4, 50))
    for eps in (1e-3, 1e-2):
        alone = 4 * np.log(eps * np.sqrt(2 * np.pi)) + np.log(50)
        np.testing.assert_allclose(memorization.kernel_cross_entropy(X, X, eps), alone, rtol=1e-6)


def test_kernel_density_is_a_density():
    X = rng_of(5).normal(size=(1, 6))
    total = quad(lambda x: float(np.exp(memorization.kernel_log_density(X, [[x]], 0.3)[0])), -6, 6, limit=200, epsabs=1e-5)[0]
    assert abs(total - 1) < 1e-4


def test_the_same_under_jit():
    rng = rng_of(6)
    X, X_new = rng.normal(size=(3, 20)), rng.normal(size=(3, 5))
    for f in (memorization.distance_ratio, memorization.largest_cosine):
        assert relative(jax.jit(f)(X, X_new), np.asarray(f(X, X_new))) < 1e-6


ones = np.ones((3, 4))
BAD = {
    "one sample": (lambda: memorization.distance_ratio(np.ones((3, 1)), ones), "want .* with N >= 2"),
    "other dimension": (lambda: memorization.memorization_ratio(ones, np.ones((2, 4))), "X_new: got shape"),
    "threshold": (lambda: memorization.memorization_ratio(ones, ones, 0), "c: got 0"),
    "zero feature": (lambda: memorization.largest_cosine(ones, np.zeros((3, 2))), "F_new: got a column of zeros"),
    "no bandwidth": (lambda: memorization.kernel_log_density(ones, ones, 0), "eps: got 0, want a number > 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence(name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call()
