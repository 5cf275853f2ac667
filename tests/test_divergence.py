"""Distances between distributions against brute force and SciPy."""

import itertools
import math

import jax
import numpy as np
import pytest
import scipy.stats

from book_utils import divergence

from oracles import rng_of


def test_total_variation_is_the_largest_difference_over_all_sets():
    rng = rng_of(0)
    p, q = rng.dirichlet(np.ones(7)), rng.dirichlet(np.ones(7))
    sets = [list(s) for r in range(8) for s in itertools.combinations(range(7), r)]
    assert math.isclose(divergence.total_variation(p, q), max(abs(p[s].sum() - q[s].sum()) for s in sets), rel_tol=1e-6)
    assert divergence.total_variation(p, p) == 0
    assert math.isclose(divergence.total_variation([1, 0], [0, 1]), 1)


@pytest.mark.parametrize("D", [1, 2, 16, 256, 4096, 100_000])
@pytest.mark.parametrize("r", [1.0001, 1.005, 1.3, 20, 1e4])
def test_isotropic_total_variation_agrees_with_the_chi_square_law(D, r):
    cross = 2 * D * math.log(r) / (1 - r**-2)
    law = scipy.stats.chi2(D)
    expected = law.cdf(cross) - law.cdf(cross / r**2)
    assert math.isclose(divergence.isotropic_total_variation(r, D), expected, rel_tol=1e-8, abs_tol=1e-9)
    assert math.isclose(divergence.isotropic_total_variation(1 / r, D), expected, rel_tol=1e-8, abs_tol=1e-9)


def test_isotropic_total_variation_at_its_ends():
    assert divergence.isotropic_total_variation(1, 5) == 0
    for D in (1, 100):  # the slope at r = 1
        slope = divergence.isotropic_total_variation(1 + 1e-6, D) / 1e-6
        assert math.isclose(slope, 2 * (D / 2) ** (D / 2) * math.exp(-D / 2 - math.lgamma(D / 2)), rel_tol=1e-4)
    assert math.isclose(slope, math.sqrt(100 / math.pi), rel_tol=0.01)


@pytest.mark.parametrize("N, M", [(40, 40), (40, 30), (7, 64), (1, 5)])
def test_wasserstein_agrees_with_scipy(N, M):
    rng = rng_of(1)
    x, y = rng.normal(size=N), rng.normal(size=M) * 2 + 0.5
    x[-1] = x[0]
    assert math.isclose(divergence.wasserstein_1d(x, y), scipy.stats.wasserstein_distance(x, y), rel_tol=1e-5)
    assert divergence.wasserstein_1d(x, np.repeat(x, 3)) < 1e-6


def test_sliced_wasserstein_is_the_mean_over_projections():
    rng, key = rng_of(2), jax.random.key(0)
    X, Y = rng.normal(size=(3, 50)), rng.normal(size=(3, 70)) + 1
    directions = np.array(jax.random.normal(key, (20, 3)))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    expected = np.mean([scipy.stats.wasserstein_distance(u @ X, u @ Y) for u in directions])
    assert math.isclose(divergence.sliced_wasserstein(key, X, Y, 20), expected, rel_tol=1e-5)
    assert divergence.sliced_wasserstein(key, X, X[:, ::-1], 20) < 1e-6
    shift = divergence.sliced_wasserstein(key, X, X + np.array([[2.0], [0], [0]]), 4000)
    assert math.isclose(shift, 2 * 0.5, rel_tol=0.05)  # E |u_1| = 1/2 in three dimensions


BAD = {
    "not a distribution": (lambda: divergence.total_variation([0.5, 0.6], [0.5, 0.5]), "p: got numbers that add up to 1.1"),
    "other size": (lambda: divergence.total_variation([0.5, 0.5], [1.0]), r"q: got shape \(1,\), want \(n,\) with n = 2"),
    "no spread": (lambda: divergence.isotropic_total_variation(0, 3), "r: got 0, want a number > 0"),
    "no dimension": (lambda: divergence.isotropic_total_variation(2, 0), "D: got 0"),
    "a matrix": (lambda: divergence.wasserstein_1d(np.ones((2, 2)), [1.0]), r"x: got shape \(2, 2\)"),
    "other rows": (lambda: divergence.sliced_wasserstein(jax.random.key(0), np.ones((2, 3)), np.ones((3, 2))), "X_new: got"),
    "no key": (lambda: divergence.sliced_wasserstein(0, np.ones((2, 3)), np.ones((2, 3))), "key: got 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence(name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call()
