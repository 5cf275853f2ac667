"""Every kernel of book_utils.subspace_classifier against code it shares nothing with, its stated errors, and its refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from book_utils import subspace_classifier

from oracles import rng_of

seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=20, deadline=None, derandomize=True)


def frame(rng, d, q):
    return np.linalg.qr(rng.normal(size=(d, q)))[0]


def classes(rng, d, sizes, roots):
    """Features (d, N) in mixed order, and labels: class k has the singular values `roots`, times k + 1."""
    parts = []
    for k, N_k in enumerate(sizes):
        parts.append((k + 1) * (frame(rng, d, len(roots)) * roots) @ frame(rng, N_k, len(roots)).T)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    order = rng.permutation(len(labels))
    return np.concatenate(parts, axis=1)[:, order].astype(np.float32), labels[order]


def by_loop(Z, labels, q):
    """One SVD a class, by NumPy in float64."""
    Z = np.asarray(Z, np.float64)
    return np.stack([np.linalg.svd(Z[:, labels == k], full_matrices=False)[0][:, :q] for k in range(labels.max() + 1)])


def residuals(Us, Z_new):
    """Distance of every column to every subspace, by least squares."""
    return np.stack([np.linalg.norm(Z_new - U @ scipy.linalg.lstsq(U, Z_new)[0], axis=0) for U in np.asarray(Us, np.float64)])


# --- fit_subspaces -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("d, sizes", [(12, (30, 41, 25)), (40, (9, 8, 11, 10))])
@pytest.mark.parametrize("roots, q", [((3, 2.5, 2, 0.5, 0.4), 3), ((10, 1, 0.9, 0.5), 2), ((1, 1, 1), 3), ((1, 0.99, 0.97), 1)])
def test_fitted_subspaces_are_those_of_one_svd_a_class(d, sizes, roots, q):
    Z, labels = classes(rng_of(0), d, sizes, np.array(roots, float))
    Us = subspace_classifier.fit_subspaces(Z, labels, q)
    squares = np.r_[np.square(roots), 0]
    bound = 1e-6 * squares[0] / (squares[q - 1] - squares[q])
    assert Us.shape == (len(sizes), d, q) and Us.dtype == jnp.float32
    for U, V in zip(np.asarray(Us, np.float64), by_loop(Z, labels, q)):
        assert np.sin(scipy.linalg.subspace_angles(U, V).max()) < bound
        assert np.abs(U.T @ U - np.eye(q)).max() < 3e-6
        assert (U[np.abs(U).argmax(0), np.arange(q)] > 0).all()


def test_fit_does_not_centre_and_does_not_mind_the_order():
    Z = np.ones((3, 6)) + 0.01 * rng_of(1).normal(size=(3, 6))
    labels = np.array([0, 1, 0, 1, 1, 0])
    Us = np.asarray(subspace_classifier.fit_subspaces(Z, labels, 1))
    np.testing.assert_allclose(Us[:, :, 0], np.ones((2, 3)) / np.sqrt(3), atol=0.01)
    order = rng_of(2).permutation(6)
    np.testing.assert_allclose(subspace_classifier.fit_subspaces(Z[:, order], labels[order], 1), Us, atol=1e-5)


def test_fit_of_few_samples_is_orthonormal():
    Z, labels = np.eye(5)[:, :3], np.array([0, 0, 1])
    Us = np.asarray(subspace_classifier.fit_subspaces(Z, labels, 4))
    np.testing.assert_allclose(np.einsum("kdi,kdj->kij", Us, Us), np.broadcast_to(np.eye(4), (2, 4, 4)), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(Us[0, :2, :2]), np.sqrt(2), atol=1e-6)  # the plane of its two samples
    np.testing.assert_allclose(np.abs(Us[1, 2, 0]), 1, atol=1e-6)


def test_fit_and_classify_work_under_jit_and_vmap():
    Z, labels = classes(rng_of(3), 10, (20, 20, 20), np.array([2.0, 1.5]))
    stacked = jnp.stack([Z, -2 * Z, Z[::-1]])
    predict = lambda Z: subspace_classifier.nearest_subspace(subspace_classifier.fit_subspaces(Z, labels, 2, K=3), Z)
    np.testing.assert_array_equal(jax.jit(jax.vmap(predict))(stacked), np.broadcast_to(labels, (3, 60)))
    with pytest.raises(ValueError, match="want K beside them"):
        jax.jit(lambda labels: subspace_classifier.fit_subspaces(Z, labels, 2))(labels)


# --- nearest_subspace, subspace_energies ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("K, d, q", [(3, 8, 2), (5, 6, 1), (2, 4, 4)])
def test_nearest_has_the_least_residual_and_the_largest_energy(K, d, q):
    rng = rng_of(4)
    Us, Z_new = np.stack([frame(rng, d, q) for _ in range(K)]), rng.normal(size=(d, 50))
    distances = residuals(Us, Z_new)
    energies = np.asarray(subspace_classifier.subspace_energies(Us, Z_new))
    np.testing.assert_allclose(energies, (Z_new**2).sum(0) - distances**2, atol=2e-5)
    if q < d:
        np.testing.assert_array_equal(subspace_classifier.nearest_subspace(Us, Z_new), distances.argmin(0))


@quick
@given(seeds)
def test_nearest_depends_on_the_subspaces_and_on_the_direction_alone(seed):
    rng = rng_of(seed)
    Us, Z_new = np.stack([frame(rng, 7, 2) for _ in range(4)]), rng.normal(size=(7, 30))
    turned = np.stack([U @ frame(rng, 2, 2) for U in Us])
    Q, scale = frame(rng, 7, 7), rng.uniform(0.1, 9, size=30) * rng.choice([-1, 1], size=30)
    first = subspace_classifier.nearest_subspace(Us, Z_new)
    np.testing.assert_array_equal(subspace_classifier.nearest_subspace(turned, Z_new * scale), first)
    np.testing.assert_array_equal(subspace_classifier.nearest_subspace(Q @ Us, Q @ Z_new), first)
    shifted = subspace_classifier.nearest_subspace(np.roll(Us, 1, axis=0), Z_new)
    np.testing.assert_array_equal(shifted, (np.asarray(first) + 1) % 4)


def test_classes_on_subspaces_are_told_apart_without_error_and_the_first_of_equals_wins():
    Z, labels = classes(rng_of(5), 12, (30, 30), np.array([2.0, 1.5]))
    Us = subspace_classifier.fit_subspaces(Z, labels, 2)
    np.testing.assert_array_equal(subspace_classifier.nearest_subspace(Us, Z), labels)
    axes = np.stack([np.eye(4)[:, [1]], np.eye(4)[:, [2]], np.eye(4)[:, [1]]])
    picked = subspace_classifier.nearest_subspace(axes, np.array([[0.0, 1, 0, 0], [0, 0, -3, 0], [0, 0, 0, 0], [0, 1, 1, 1]]).T)
    assert picked.dtype == jnp.int32 and picked.tolist() == [0, 1, 0, 0]


# --- subspace_cosines, effective_rank ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("d, q", [(9, 3), (30, 5), (4, 3)])
def test_cosines_are_those_of_scipys_angles(d, q):
    rng = rng_of(6)
    Us = np.stack([frame(rng, d, q) for _ in range(4)])
    cosines = np.asarray(subspace_classifier.subspace_cosines(Us))
    assert cosines.shape == (4, 4, q)
    for k in range(4):
        for l in range(4):
            angles = np.sort(scipy.linalg.subspace_angles(Us[k], Us[l]))
            np.testing.assert_allclose(cosines[k, l], np.cos(angles), atol=1e-6)
    np.testing.assert_allclose(cosines, cosines.transpose(1, 0, 2), atol=1e-6)


def test_cosines_of_known_planes():
    tilted = np.array([[np.cos(0.3), 0], [0, 1], [np.sin(0.3), 0], [0, 0]])
    Us = np.stack([np.eye(4)[:, :2], np.eye(4)[:, 2:], tilted])
    cosines = subspace_classifier.subspace_cosines(Us)
    np.testing.assert_allclose(cosines[0], [[1, 1], [0, 0], [1, np.cos(0.3)]], atol=1e-6)
    np.testing.assert_allclose(cosines[1, 2], [np.sin(0.3), 0], atol=1e-6)


@pytest.mark.parametrize("roots", [(1,), (1, 1, 1, 1), (3, 2, 1), (1, 0.1, 0.01), (5, 1e-3, 1e-4)])
def test_effective_rank_is_the_exponential_of_scipys_entropy(roots):
    rng = rng_of(7)
    roots = np.array(roots, float)
    Z = 7 * (frame(rng, 12, len(roots)) * roots) @ frame(rng, 30, len(roots)).T
    expected = np.exp(scipy.stats.entropy(roots**2))
    assert abs(subspace_classifier.effective_rank(Z) - expected) < 1e-5 * expected
    assert abs(subspace_classifier.effective_rank(Z.T) - expected) < 1e-5 * expected
    assert 1 - 1e-5 <= expected <= len(roots) + 1e-9


# --- refusals -------------------------------------------------------------------------------------------------------------------

FIT, NEAR = subspace_classifier.fit_subspaces, subspace_classifier.nearest_subspace


@pytest.mark.parametrize("call, said", [
    (lambda: FIT(np.ones(3), [0, 0, 0], 1), "Z: got shape"),
    (lambda: FIT(np.ones((3, 4)), [0, 0, 1], 1), "labels: got shape"),
    (lambda: FIT(np.ones((3, 4)), [0.0, 0, 1, 1], 1), "want .* integers"),
    (lambda: FIT(np.ones((3, 4)), [1, 2, 3, -1], 1), "labels: got -1"),
    (lambda: FIT(np.ones((3, 4)), [0, 1, 2, 3], 1, K=3), "want integers from 0 to K - 1 = 2"),
    (lambda: FIT(np.ones((3, 4)), [0, 0, 2, 2], 1), "labels: got no sample in class 1 of 3"),
    (lambda: FIT(np.ones((3, 4)), [0, 0, 1, 1], 4), "r: got 4"),
    (lambda: NEAR(np.ones((2, 3, 1)), np.ones((3, 4))), r"Us\[0\]"),
    (lambda: NEAR(np.eye(3)[None], np.ones((4, 2))), "Z_new: got shape"),
    (lambda: subspace_classifier.subspace_energies(np.eye(3), np.ones((3, 2))), "Us: got shape"),
    (lambda: subspace_classifier.subspace_cosines(np.eye(3)), "Us: got shape"),
    (lambda: subspace_classifier.effective_rank(np.zeros((3, 2))), "zeros alone"),
    (lambda: FIT(np.full((3, 2), np.nan), [0, 1], 1), "Z: got nan"),
])
def test_refusals_name_the_argument(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_the_kernels_take_64_bits_where_they_are_on():
    with jax.enable_x64(True):
        Z, labels = classes(rng_of(8), 10, (20, 20), np.array([2.0, 1.0, 0.1]))
        Us = FIT(Z.astype(np.float64), labels, 2)
        assert Us.dtype == jnp.float64
        for U, V in zip(Us, by_loop(Z, labels, 2)):
            assert np.sin(scipy.linalg.subspace_angles(np.asarray(U), V).max()) < 1e-10
