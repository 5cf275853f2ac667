"""Coverings against SciPy's Voronoi diagram, lattices and exhaustive search; volumes, Shannon's bound, spheres; refusals."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from scipy.spatial import Voronoi

from book_utils import covering

from oracles import relative, rng_of

SQUARES = np.array(np.meshgrid((np.arange(4) + 0.5) / 4, (np.arange(4) + 0.5) / 4)).reshape(2, -1)


def by_voronoi(C):
    """Covering radius of centres inside the square: Voronoi vertices with their four mirror images, and corners."""
    mirrored = [C.T]
    for axis, value in itertools.product((0, 1), (0.0, 1.0)):
        image = C.T.copy()
        image[:, axis] = 2 * value - image[:, axis]
        mirrored.append(image)
    vertices = Voronoi(np.vstack(mirrored)).vertices
    vertices = vertices[((vertices > -1e-9) & (vertices < 1 + 1e-9)).all(axis=1)]
    points = np.vstack([vertices, list(itertools.product((0, 1), (0, 1)))])
    return np.linalg.norm(points[:, None] - C.T, axis=-1).min(axis=1).max()


@pytest.mark.parametrize("M", [1, 2, 3, 5, 16, 64])
def test_radius_is_that_of_the_voronoi_diagram(M):
    for seed in range(3):
        C = rng_of([seed, M]).uniform(size=(2, M)).astype(np.float32).astype(np.float64)
        assert np.isclose(covering.covering_radius(C), by_voronoi(C), rtol=1e-9)


@pytest.mark.parametrize("M", [1, 2, 4, 9])
def test_radius_is_never_below_that_of_a_lattice_and_hardly_above(M):
    """Centres outside the square, too: the largest distance over a lattice of step h lies within h / sqrt(2) of it."""
    line = np.linspace(0, 1, 301)
    points = np.stack(np.meshgrid(line, line)).reshape(2, -1)
    for seed in range(5):
        C = rng_of([seed, M]).uniform(-0.5, 1.5, size=(2, M)).astype(np.float32).astype(np.float64)
        seen = np.sqrt(((points[:, :, None] - C[:, None]) ** 2).sum(axis=0)).min(axis=1).max()
        assert seen - 1e-9 <= covering.covering_radius(C) <= seen + 1 / 300 / math.sqrt(2)


def test_radius_of_regular_centres():
    assert np.isclose(covering.covering_radius(SQUARES), math.sqrt(2) / 8, rtol=1e-7)
    assert np.isclose(covering.covering_radius([[0.5], [0.5]]), math.sqrt(0.5))
    assert np.isclose(covering.covering_radius([[0.5, 0.5], [0.25, 0.75]]), math.hypot(0.5, 0.25))
    assert np.isclose(covering.covering_radius([[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]), math.sqrt(0.5))  # three in one place


def test_descent_finds_better_than_squares_for_sixteen_discs():
    """And never less than the density of hexagons allows; the same key, the same centres."""
    C = covering.optimise_covering(jax.random.key(0), 16, 8, 800, 40)
    radius = covering.covering_radius(C)
    assert C.shape == (2, 16) and math.sqrt(2 / (3 * math.sqrt(3) * 16)) < radius < 0.1765
    a, b = (covering.optimise_covering(jax.random.key(1), 5, 2, 50, 20) for _ in range(2))
    assert np.array_equal(a, b) and (np.asarray(a) >= 0).all() and (np.asarray(a) <= 1).all()
    assert covering.covering_radius(covering.optimise_covering(jax.random.key(2), 1)) < 0.72


# --- nets --------------------------------------------------------------------------------------------------------------------

def by_hand(X, eps):
    gaps = np.sqrt(((X[:, :, None] - X[:, None]) ** 2).sum(axis=0))
    chosen = [0]
    while gaps[chosen].min(axis=0).max() > eps:
        chosen.append(int(gaps[chosen].min(axis=0).argmax()))
    return chosen


@pytest.mark.parametrize("D, N", [(1, 1), (2, 50), (7, 200)])
def test_net_is_that_of_a_slow_search(D, N):
    for seed in range(3):
        X = rng_of([seed, N]).normal(size=(D, N))
        for eps in (0.3, 1.0, 3.0):
            found = covering.greedy_net(X, eps)
            assert found.dtype.kind == "i" and found.tolist() == by_hand(X, eps)


def test_net_lies_between_covering_numbers():
    for seed in range(10):
        X = rng_of(seed).normal(size=(2, 9))
        near = np.sqrt(((X[:, :, None] - X[:, None]) ** 2).sum(axis=0))
        least = lambda eps: next(m for m in range(1, 10) for s in itertools.combinations(range(9), m)  # noqa: E731
                                 if (near[list(s)] <= eps).any(axis=0).all())
        assert least(1.0) <= len(covering.greedy_net(X, 1.0)) <= least(0.5)


def test_net_of_samples_that_repeat():
    X = np.zeros((2, 6))
    X[0, 3:] = 2
    assert covering.greedy_net(X, 2.0).tolist() == [0]
    assert covering.greedy_net(X, 1.9).tolist() == [0, 3] == covering.greedy_net(X, 0).tolist()


@pytest.mark.parametrize("eps, M", [(0.2, 16), (0.5, 7), (0.9, 4), (1, 3), (2**0.5, 2), (1.99, 2), (2, 1), (5, 1), (1e-3, 3142)])
def test_discs_on_a_circle(eps, M):
    assert covering.circle_covering_number(eps) == M
    assert 2 * math.sin(math.pi / (2 * M)) <= eps + 1e-12 and (M == 1 or 2 * math.sin(math.pi / (2 * (M - 1))) > eps)


# --- volumes and Shannon's bound ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("D", [1, 2, 3, 10, 300])
def test_volume_of_balls(D):
    expected = D / 2 * np.log(np.pi) + D * np.log(0.3) - scipy.special.gammaln(D / 2 + 1)
    assert np.isclose(covering.log_ball_volume(0.3, D), expected, rtol=2e-6)
    known = {1: 0.6, 2: np.pi * 0.09, 3: 4 / 3 * np.pi * 0.027}
    if D in known:
        assert np.isclose(np.exp(covering.log_ball_volume(0.3, D)), known[D], rtol=1e-5)
    assert covering.log_ball_volume(0.0, D) == -np.inf


@pytest.mark.parametrize("D", [1, 2, 5, 50])
def test_bound_in_both_forms(D):
    """The form of the appendix: entropy, less log volume, and a constant with Gamma(D/2)."""
    constant = np.log(2 / D) - scipy.special.gammaln(D / 2) + D / 2 * np.log(D / (2 * np.e))
    volume = D / 2 * np.log(np.pi) + D * np.log(0.05) - scipy.special.gammaln(D / 2 + 1)
    assert np.isclose(covering.shannon_lower_bound(1.7, 0.05, D), 1.7 - volume + constant, rtol=2e-6)
    assert constant >= -1 / (6 * D) - 0.5 * np.log(np.pi * D)


def test_bound_is_the_rate_of_a_gaussian_at_small_distortion():
    lams = np.array([2.0, 1.0, 0.5])
    h = 0.5 * np.log(2 * np.pi * np.e * lams).sum()
    assert np.isclose(covering.shannon_lower_bound(h, 1.2, 3), 0.5 * np.log(3 * lams / 1.44).sum(), rtol=1e-5)
    assert covering.shannon_lower_bound(-np.inf, 0.1, 3) == -np.inf


# --- spheres -----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("D, d", [(1, 1), (4, 2), (6, 5)])
def test_nearest_point_of_a_sphere(D, d):
    """It is on the sphere, at the distance that is claimed, and no random point of the sphere is nearer."""
    for seed in range(5):
        rng = rng_of([seed, D])
        U, x = np.linalg.qr(rng.normal(size=(D, d)))[0], 2 * rng.normal(size=D)
        s = np.asarray(covering.sphere_projection(U, x), np.float64)
        assert np.isclose(np.linalg.norm(s), 1, rtol=1e-5) and relative(U @ (U.T @ s), s) < 1e-5
        distance = covering.sphere_distance(U, x)
        assert np.isclose(distance, np.linalg.norm(x - s), rtol=1e-5)
        z = rng.normal(size=(d, 2000))
        assert distance <= np.linalg.norm(U @ (z / np.linalg.norm(z, axis=0)) - x[:, None], axis=0).min() + 1e-5
        np.testing.assert_allclose(covering.sphere_projection(U, s), s, atol=1e-5)
        assert covering.sphere_distance(U, s) < 1e-5


def test_centre_of_a_sphere():
    U = np.eye(3)[:, :2]
    assert covering.sphere_distance(U, np.zeros(3)) == 1
    np.testing.assert_allclose(covering.sphere_projection(U, [0, 0, 2.0]), [1, 0, 0])


def test_transformations_keep_the_values():
    U, X = jnp.eye(3)[:, :2], jnp.asarray(rng_of(0).normal(size=(3, 5)))
    together = jax.jit(jax.vmap(lambda x: covering.sphere_distance(U, x), in_axes=1))(X)
    np.testing.assert_allclose(together, [covering.sphere_distance(U, x) for x in X.T], rtol=1e-5)
    gradient = jax.grad(lambda x: covering.sphere_distance(U, x))(X[:, 0])
    assert np.isclose(jnp.linalg.norm(gradient), 1, rtol=1e-4)
    assert np.isclose(jax.grad(lambda eps: covering.shannon_lower_bound(1.0, eps, 3))(0.5), -6, rtol=1e-5)
    assert np.isclose(jax.jit(lambda eps: covering.log_ball_volume(eps, 2))(2.0), np.log(4 * np.pi), rtol=1e-5)


REFUSED = [
    (lambda: covering.covering_radius(np.ones((3, 4))), r"C: got shape \(3, 4\), want \(2, M\) with 2 = 2"),
    (lambda: covering.covering_radius([[np.nan], [0.5]]), r"C: got nan at \[0, 0\], want"),
    (lambda: covering.optimise_covering(0, 4), r"key: got 0, want one random key"),
    (lambda: covering.optimise_covering(jax.random.key(0), 0), r"M: got 0, want an integer >= 1"),
    (lambda: covering.greedy_net(np.ones(3), 1.0), r"X: got shape \(3,\), want \(D, N\)"),
    (lambda: covering.greedy_net(np.ones((2, 3)), -1.0), r"eps: got -1, want numbers that are not negative"),
    (lambda: covering.circle_covering_number(0), r"eps: got 0, want a number > 0"),
    (lambda: covering.log_ball_volume(1.0, 0), r"D: got 0, want an integer >= 1"),
    (lambda: covering.shannon_lower_bound(0.0, 0.0, 2), r"eps: got 0, want a number > 0"),
    (lambda: covering.sphere_distance(np.ones((3, 2)), np.ones(3)), r"U: got columns with U\^T U off the identity"),
    (lambda: covering.sphere_projection(np.eye(3), np.ones(2)), r"x: got shape \(2,\), want \(D,\) with D = 3"),
]


@pytest.mark.parametrize("call, message", REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
