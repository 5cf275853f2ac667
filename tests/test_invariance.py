"""Convolutions from shift invariance against dense matrices in NumPy and SciPy, float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from book_utils import invariance

from oracles import numerical_gradient, relative, rng_of

CASES = [(3, 1, 5), (4, 3, 6), (7, 2, 9)]  # N, m, d: odd and even lengths
LABELS = {3: np.array([1, 0, 1]), 4: np.array([1, 0, 1, 1]), 7: np.array([2, 0, 1, 1, 0, 2, 1])}


def signals(seed, N, m, d):
    return rng_of(seed).normal(size=(N, m, d))


def orbits(Zs):
    """All shifts of all signals, as columns (m d, d N)."""
    return np.concatenate([np.concatenate([scipy.linalg.circulant(z) for z in V]) for V in np.asarray(Zs, np.float64)], axis=1)


def rate(A, eps):
    return np.linalg.slogdet(np.eye(len(A)) + len(A) / (A.shape[1] * eps**2) * A @ A.T)[1] / 2


def operator(A, eps):
    alpha = len(A) / (A.shape[1] * eps**2)
    return alpha * np.linalg.inv(np.eye(len(A)) + alpha * A @ A.T)


def dense(kernel):
    """The matrix (m d, m d) of a kernel (m, m, d)."""
    return np.block([[scipy.linalg.circulant(e) for e in row] for row in np.asarray(kernel, np.float64)])


def dense_layer(Z, E, Cs, gamma, eta, lam):
    parts = np.stack([g * C @ Z for g, C in zip(gamma, Cs)])
    scores = np.exp(-lam * np.linalg.norm(parts, axis=1))
    Z = Z + eta * (E @ Z - np.sum(scores / scores.sum(axis=0) * parts.swapaxes(0, 1), axis=1))
    return Z / np.linalg.norm(Z, axis=0)


@pytest.mark.parametrize("d", [1, 4, 7])
def test_circulants_and_convolutions_are_those_of_scipy(d):
    x, e = rng_of(d).normal(size=(2, d))
    np.testing.assert_allclose(invariance.circulant(x), scipy.linalg.circulant(x), rtol=1e-6)
    np.testing.assert_allclose(invariance.circular_convolve(x, e), scipy.linalg.circulant(e) @ x, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("eps", [0.1, 0.5, 3.0])
@pytest.mark.parametrize("case", CASES)
def test_kernels_are_those_of_the_dense_operators(case, eps):
    Zs, labels = signals(0, *case), LABELS[case[0]]
    assert relative(dense(invariance.multichannel_kernel(Zs, eps)), operator(orbits(Zs), eps)) < 1e-4
    found = invariance.multichannel_class_kernels(Zs, labels, eps)
    for k, kernel in enumerate(found):
        assert relative(dense(kernel), operator(orbits(Zs[labels == k]), eps)) < 1e-4


def test_one_channel_is_the_first_column():
    Z, labels = rng_of(1).normal(size=(6, 5)), np.array([0, 1, 1, 0, 1])
    assert relative(invariance.expansion_kernel(Z, 0.4), operator(orbits(Z.T[:, None]), 0.4)[:, 0]) < 1e-5
    for k, e in enumerate(invariance.compression_kernels(Z, labels, 0.4)):
        assert relative(e, operator(orbits(Z.T[labels == k, None]), 0.4)[:, 0]) < 1e-5


def test_the_operator_is_the_gradient_of_the_rate_of_the_orbits():
    Zs = signals(2, 2, 2, 3)
    A = orbits(Zs)
    expected = numerical_gradient(lambda A: rate(A, 0.7), A)
    assert relative(dense(invariance.multichannel_kernel(Zs, 0.7)) @ A, expected) < 1e-5


def test_four_numbers_agree_with_golden_ones_of_an_independent_script():
    Z = np.array([[1, 2, 0, -1], [-1, 1, 2, 0]], float).T
    golden = [0.5538020086, -0.4705882353, 0.5050215208, -0.4705882353]
    np.testing.assert_allclose(invariance.expansion_kernel(Z, 0.5), golden, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_a_convolution_is_its_block_circulant_matrix(case):
    _, m, d = case
    V, kernel = rng_of(3).normal(size=(m, d)), rng_of(4).normal(size=(m, m, d))
    assert relative(np.ravel(invariance.multichannel_convolve(V, kernel)), dense(kernel) @ V.ravel()) < 1e-5


@pytest.mark.parametrize("eps", [0.1, 1.0])
@pytest.mark.parametrize("case", CASES)
def test_rates_are_those_of_all_shifts(case, eps):
    Zs, labels = signals(5, *case), LABELS[case[0]]
    assert relative(invariance.orbit_rate(Zs, eps), rate(orbits(Zs), eps)) < 1e-5
    parts = sum(np.mean(labels == k) * rate(orbits(Zs[labels == k]), eps) for k in set(labels.tolist()))
    assert abs(float(invariance.orbit_rate_reduction(Zs, labels, eps)) - (rate(orbits(Zs), eps) - parts)) < 1e-4


def test_a_lift_convolves_and_keeps_what_is_above_the_threshold():
    x, kernels = rng_of(6).normal(size=6), rng_of(7).normal(size=(3, 6))
    expected = np.maximum([scipy.linalg.circulant(k) @ x - 0.3 for k in kernels], 0)
    np.testing.assert_allclose(invariance.lift(x, kernels, 0.3), expected, atol=1e-5)


def test_a_layer_is_the_dense_layer_and_commutes_with_shifts():
    Z, labels, z = rng_of(8).normal(size=(7, 5)), np.array([0, 1, 1, 0, 1]), rng_of(9).normal(size=7)
    e, kernels = invariance.expansion_kernel(Z, 0.5), invariance.compression_kernels(Z, labels, 0.5)
    rest = (kernels, np.array([0.4, 0.6]), 0.5, 2.0)
    expected = dense_layer(z[:, None], scipy.linalg.circulant(e), [scipy.linalg.circulant(c) for c in kernels], *rest[1:])[:, 0]
    found = invariance.shift_invariant_layer(z, e, *rest)
    assert relative(found, expected) < 1e-5
    for shift in (1, 3):
        np.testing.assert_allclose(invariance.shift_invariant_layer(np.roll(z, shift), e, *rest), np.roll(found, shift), atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_a_network_is_the_dense_network_on_all_shifts(case):
    Zs, labels, L = signals(10, *case), LABELS[case[0]], 4
    N, m, d = case
    net, rates = invariance.build(Zs, labels, 0.3, 0.6, 5.0, L)
    Z_new = signals(11, 2, m, d)
    A, B = (M / np.linalg.norm(M, axis=0) for M in (orbits(Zs), orbits(Z_new)))
    gamma, copies, expected = np.bincount(labels) / N, np.repeat(labels, d), []
    reduction = lambda A: rate(A, 0.6) - sum(g * rate(A[:, copies == k], 0.6) for k, g in enumerate(gamma))
    for _ in range(L):
        expected.append(reduction(A))
        E, Cs = operator(A, 0.6), [operator(A[:, copies == k], 0.6) for k in range(len(gamma))]
        A, B = (dense_layer(M, E, Cs, gamma, 0.3, 5.0) for M in (A, B))
    np.testing.assert_allclose(rates, [*expected, reduction(A)], atol=2e-4)
    assert relative(orbits(net(Z_new)), B) < 1e-4
    assert relative(orbits(net(Zs)), A) < 1e-4


def test_networks_commute_with_shifts_and_compile_and_differentiate():
    Zs, labels = signals(12, 6, 2, 10), np.array([0, 1, 0, 1, 1, 0])
    net, _ = invariance.build(Zs, labels, 0.5, 0.5, 20.0, 10)
    np.testing.assert_allclose(net(np.roll(Zs, 3, axis=-1)), np.roll(net(Zs), 3, axis=-1), atol=1e-5)
    gradient = jax.grad(lambda Zs: invariance.orbit_rate(Zs, 0.5))(jnp.asarray(Zs, jnp.float32))
    # one signal stands for d columns: the gradient of its rate is d times that of one of them
    expected = 10 * np.stack([operator(orbits(Zs), 0.5) @ V.ravel() for V in Zs]).reshape(Zs.shape)
    assert relative(gradient, expected) < 1e-4


@pytest.mark.parametrize("call, named", [
    (lambda: invariance.circulant(np.ones((2, 2))), "x"),
    (lambda: invariance.circular_convolve(np.ones(3), np.ones(4)), "e"),
    (lambda: invariance.expansion_kernel(np.ones((3, 2)), 0.0), "eps"),
    (lambda: invariance.compression_kernels(np.ones((3, 2)), np.array([0, 2]), 1.0), "labels"),
    (lambda: invariance.multichannel_kernel(np.ones((3, 2)), 1.0), "Zs"),
    (lambda: invariance.multichannel_convolve(np.ones((2, 3)), np.ones((2, 1, 3))), "kernel"),
    (lambda: invariance.lift(np.ones(3), np.ones((2, 4))), "kernels"),
    (lambda: invariance.shift_invariant_layer(np.zeros(3), np.ones(3), np.ones((1, 3)), [1.0], 0.5, 1.0), "z"),
    (lambda: invariance.build(np.ones((2, 1, 3)), np.array([0, 1]), 0.5, 0.5, 1.0, 0), "L")])
def test_bad_arguments_are_named(call, named):
    with pytest.raises(ValueError, match=rf"^{named}: got"):
        call()
