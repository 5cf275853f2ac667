"""Coding rates against NumPy and SciPy in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from book_utils import coding

from oracles import numerical_derivative, relative, rng_of

SHAPES = [(1, 1), (3, 8), (8, 3), (16, 40), (17, 40), (40, 17), (70, 33)]  # with one, two and five blocks on the diagonal


def log_det(A):
    sign, value = np.linalg.slogdet(np.asarray(A, np.float64))
    assert sign > 0
    return value


def rate(Z, eps):
    """The other side than the shorter one."""
    Z = np.asarray(Z, np.float64)
    d, N = Z.shape
    Y = Z.T if d < N else Z
    return log_det(np.eye(len(Y)) + d / (N * eps**2) * Y @ Y.T) / 2


def class_rate(Z, membership, eps):
    Z, membership = np.asarray(Z, np.float64), np.asarray(membership, np.float64)
    d, N = Z.shape
    return sum(share.sum() / (2 * N) * log_det(np.eye(d) + d / (share.sum() * eps**2) * (Z * share) @ Z.T) for share in membership)


def inverse(Z, alpha):
    Z = np.asarray(Z, np.float64)
    return np.linalg.inv(np.eye(len(Z)) + alpha * Z @ Z.T)


def some(seed, d=6, N=20, K=3):
    rng = rng_of(seed)
    return rng.normal(size=(d, N)).astype(np.float32), rng.permutation(np.r_[np.arange(K), rng.integers(K, size=N - K)])


def shares_of(seed, K, N):
    shares = rng_of(seed).dirichlet(np.full(K, 0.7), size=N).T
    return (shares / shares.sum(axis=0)).astype(np.float32)


@pytest.mark.parametrize("eps", [10.0, 1.0, 0.1, 0.01])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_rate_is_the_log_determinant_on_either_side(shape, eps):
    Z = rng_of(SHAPES.index(shape)).normal(size=shape).astype(np.float32)
    assert relative(coding.coding_rate(Z, eps), rate(Z, eps)) < 1e-5
    alpha = shape[0] / (shape[1] * eps**2)
    assert relative(coding.logdet_gram(Z, alpha), 2 * rate(Z, eps)) < 1e-5


def of_rank(seed, d, N, r, size=1.0):
    rng = rng_of(seed)
    return (size * rng.normal(size=(d, r)) @ rng.normal(size=(r, N)) / np.sqrt(r)).astype(np.float32)


@pytest.mark.parametrize("r", [1, 5, 64, 127])
@pytest.mark.parametrize("eps", [1.0, 0.1, 0.01])
def test_float32_holds_where_the_rank_is_below_both_sides(r, eps):
    Z = of_rank(8, 128, 600, r)
    assert relative(coding.coding_rate(Z, eps), rate(Z, eps)) < 2e-5


def test_one_cholesky_factor_in_float32_does_not():
    Z, alpha = of_rank(8, 128, 600, 5), np.float32(128 / (600 * 0.01**2))
    moments = jnp.eye(128) + alpha * jnp.matmul(Z, Z.T, precision="highest")
    value = float(jnp.sum(jnp.log(jnp.diagonal(jnp.linalg.cholesky(moments)))))
    assert not abs(value - rate(Z, 0.01)) / rate(Z, 0.01) < 1e-3  # NaN, or far off


@pytest.mark.parametrize("r", [5, 64, 128])
@pytest.mark.parametrize("eps", [1.0, 0.1, 0.01])
def test_the_gradient_is_as_good_as_the_rounding_of_the_features_allows(r, eps):
    Z = of_rank(8, 128, 600, r)
    alpha = 128 / (600 * eps**2)
    lengths = np.linalg.svd(np.asarray(Z, np.float64), compute_uv=False)
    rounding = np.finfo(np.float32).eps * (1 + alpha * lengths[0] ** 2 if r < 128 else np.sqrt(1 + alpha * lengths[0] ** 2))
    assert relative(coding.coding_rate_gradient(Z, eps), alpha * inverse(Z, alpha) @ Z) < 1e-5 + 5 * rounding


@pytest.mark.parametrize("eps", [30.0, 1e2, 1e4, 1e6])
def test_a_rate_near_zero_keeps_its_digits(eps):
    Z, labels = some(9, 8, 30)
    lengths = np.linalg.svd(np.asarray(Z, np.float64), compute_uv=False)
    assert relative(coding.coding_rate(Z, eps), np.log1p(8 / (30 * eps**2) * lengths**2).sum() / 2) < 1e-4


def test_no_features_no_rate():
    Z = np.zeros((4, 7))
    assert coding.coding_rate(Z, 0.5) == 0 and coding.rate_reduction(Z, np.arange(7) % 2, 0.5) == 0
    assert not np.any(coding.rate_reduction_gradient(Z, np.arange(7) % 2, 0.5))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_gradient_is_that_of_autodiff_through_the_determinant(shape):
    Z = rng_of(SHAPES.index(shape)).normal(size=shape).astype(np.float32)
    alpha = shape[0] / (shape[1] * 0.6**2)
    slow = lambda Z: 0.5 * jnp.linalg.slogdet(jnp.eye(shape[0]) + alpha * jnp.matmul(Z, Z.T, precision="highest"))[1]
    assert relative(coding.coding_rate_gradient(Z, 0.6), jax.grad(slow)(Z)) < 1e-4
    H = rng_of(1).normal(size=shape).astype(np.float32)
    forward = jax.jvp(lambda Z: coding.coding_rate(Z, 0.6), (jnp.asarray(Z),), (jnp.asarray(H),))[1]
    assert abs(forward - np.vdot(coding.coding_rate_gradient(Z, 0.6), H)) < 1e-4 * np.linalg.norm(H)


def test_gradient_in_eps():
    Z, labels = some(10)
    slope = numerical_derivative(lambda eps: rate(Z, eps) - class_rate(Z, np.eye(3)[labels].T, eps), 0.4, 1)
    assert relative(jax.grad(lambda eps: coding.rate_reduction(Z, labels, eps))(0.4), slope) < 1e-4


@pytest.mark.parametrize("shape", [(4, 9), (9, 4)])
def test_second_derivatives_in_both_modes(shape):
    Z, eps = rng_of(2).normal(size=shape).astype(np.float32), 0.7
    H = rng_of(3).normal(size=shape).astype(np.float32)
    alpha = shape[0] / (shape[1] * eps**2)
    A = inverse(Z, alpha)
    expected = alpha * np.trace(H.T @ A @ H) - alpha**2 * np.trace(H.T @ A @ (Z @ H.T + H @ Z.T) @ A @ Z)
    f = lambda Z: coding.coding_rate(Z, eps)
    product = jax.jvp(jax.grad(f), (jnp.asarray(Z),), (jnp.asarray(H),))[1]
    assert relative(np.vdot(product, H), expected) < 1e-4
    assert relative(np.einsum("ij,ijkl,kl", H, jax.jacrev(jax.jacrev(f))(jnp.asarray(Z)), H), expected) < 1e-4


def test_classes_are_coded_one_by_one():
    Z, labels = some(11, 6, 40, 4)
    hard = np.eye(4)[labels].T
    expected = class_rate(Z, hard, 0.5)
    assert relative(coding.class_coding_rate(Z, labels, 0.5), expected) < 1e-5
    assert relative(coding.class_coding_rate(Z, hard, 0.5), expected) < 1e-5
    assert relative(coding.rate_reduction(Z, labels, 0.5), rate(Z, 0.5) - expected) < 1e-5
    counts = np.bincount(labels)
    parts = [counts[k] / 40 * coding.coding_rate(Z[:, labels == k], 0.5) for k in range(4)]
    assert relative(coding.class_coding_rate(Z, labels, 0.5), sum(parts)) < 1e-5


def test_classes_of_very_different_size():
    Z, _ = some(12, 5, 60)
    labels = np.r_[np.zeros(56, int), 1, 2, 2, 3]
    expected = rate(Z, 0.3) - class_rate(Z, np.eye(4)[labels].T, 0.3)
    assert relative(coding.rate_reduction(Z, labels, 0.3), expected) < 1e-5


def test_shares_of_samples():
    Z, _ = some(13, 6, 25)
    membership = shares_of(13, 4, 25)
    expected = class_rate(Z, membership, 0.5)
    assert relative(coding.class_coding_rate(Z, membership, 0.5), expected) < 1e-5
    assert relative(coding.rate_reduction(Z, membership, 0.5), rate(Z, 0.5) - expected) < 1e-5


def test_the_slope_in_a_share_holds_where_the_share_is_zero():
    Z, labels = some(14, 4, 9)
    hard = np.eye(3, dtype=np.float32)[labels].T
    f = jax.jit(lambda membership: coding.class_coding_rate(Z, membership, 0.5))  # traced: the shares stay shares
    got = np.asarray(jax.grad(f)(jnp.asarray(hard)))
    assert np.all(np.isfinite(got))
    for k, n in [(0, 3), (1, 3), (2, 0)]:
        step = np.zeros((3, 9))
        step[k, n] = 1
        one_sided = (class_rate(Z, hard + 1e-6 * step, 0.5) - class_rate(Z, hard, 0.5)) / 1e-6
        assert abs(got[k, n] - one_sided) < 1e-4


def test_the_gradient_of_rate_reduction():
    Z, labels = some(15, 6, 30)
    got = coding.rate_reduction_gradient(Z, labels, 0.5)
    alpha, counts = 6 / (30 * 0.25), np.bincount(labels)
    expected = alpha * inverse(Z, alpha) @ Z
    for k in range(3):
        mine = labels == k
        expected[:, mine] -= alpha * inverse(Z[:, mine], alpha * 30 / counts[k]) @ Z[:, mine]
    assert relative(got, expected) < 1e-5
    hard = jnp.eye(3)[labels].T
    assert relative(jax.jit(jax.grad(lambda Z, P: coding.rate_reduction(Z, P, 0.5)))(Z, hard), expected) < 1e-4
    assert relative(jax.jit(jax.grad(lambda Z, y: coding.rate_reduction(Z, y, 0.5, K=3)))(Z, labels), expected) < 1e-4
    assert relative(jax.jit(jax.grad(lambda Z: coding.rate_reduction(Z, labels, 0.5)))(Z), expected) < 1e-5


def test_many_at_once():
    Z, labels = some(16, 5, 12)
    stack = jnp.stack([Z, 2 * Z])
    got = jax.vmap(lambda Z: coding.rate_reduction(Z, labels, 0.5))(stack)
    assert relative(got, [coding.rate_reduction(Z, labels, 0.5), coding.rate_reduction(2 * Z, labels, 0.5)]) < 1e-5


def test_what_rate_reduction_does_not_change_with():
    Z, labels = some(17, 6, 30)
    value = coding.rate_reduction(Z, labels, 0.5)
    rng = rng_of(4)
    Q = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    order = rng.permutation(30)
    assert relative(coding.rate_reduction(Q @ Z, labels, 0.5), value) < 1e-5
    assert relative(coding.rate_reduction(Z[:, order], labels[order], 0.5), value) < 1e-5
    assert relative(coding.rate_reduction(Z, 2 - labels, 0.5), value) < 1e-5
    assert relative(coding.rate_reduction(np.hstack([Z, Z]), np.r_[labels, labels], 0.5), value) < 1e-5
    assert value > 0 and abs(coding.rate_reduction(np.hstack([Z, Z]), np.repeat([0, 1], 30), 0.5)) < 1e-5


@pytest.mark.parametrize("dimension", [4, 2, 1])
def test_orthogonal_classes_in_closed_form(dimension):
    d, K, n, eps = 16, 4, 32, 0.5
    frame = np.linalg.qr(rng_of(5).normal(size=(d, d)))[0]
    rows = np.linalg.qr(rng_of(6).normal(size=(n, n)))[0]
    Z = np.hstack([np.sqrt(n / dimension) * frame[:, 4 * k:4 * k + dimension] @ rows[:dimension] for k in range(K)])
    alpha, share = d / (K * n * eps**2), 1 / K
    expected = K * dimension / 2 * (np.log1p(alpha * n / dimension) - share * np.log1p(alpha / share * n / dimension))
    assert relative(coding.rate_reduction(Z, np.repeat(np.arange(K), n), eps), expected) < 1e-5


def test_batches_whose_classes_differ_a_little_compile_once():
    Z, _ = some(18, 4, 100)
    sizes = [(52, 48), (54, 46), (49, 51)]
    coding.rate_reduction(Z, np.repeat([0, 1], sizes[0]), 0.5)
    before = coding._rate_reduction._cache_size()
    for counts in sizes[1:]:
        coding.rate_reduction(Z, np.repeat([0, 1], counts), 0.7)
    assert coding._rate_reduction._cache_size() == before


@functools.cache
def spectra():
    rng = rng_of(7)
    return [np.array([3, 1, 0.2]), rng.exponential(size=7), np.r_[rng.exponential(size=4), 0, 0], np.full(5, 0.3)]


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("part", [0.02, 0.3, 0.7, 0.98])
def test_reverse_water_filling(which, part):
    eigenvalues = spectra()[which]
    distortion = part * eigenvalues.sum()
    level = scipy.optimize.brentq(lambda kappa: np.minimum(kappa, eigenvalues).sum() - distortion, 0, eigenvalues.max())
    assert relative(coding.water_level(eigenvalues, distortion), level) < 1e-5
    positive = eigenvalues[eigenvalues > 0]
    expected = np.log(positive / np.minimum(level, positive)).sum() / 2
    got = coding.rate_distortion_gaussian(eigenvalues, distortion)
    assert abs(got - expected) < 1e-5 * (1 + expected)
    slope = jax.grad(coding.rate_distortion_gaussian, argnums=1)(jnp.asarray(eigenvalues, jnp.float32), distortion)
    assert relative(slope, -1 / (2 * level)) < 1e-4


def test_no_allocation_of_the_distortion_does_better():
    eigenvalues, distortion = np.array([3, 1, 0.2, 0.6]), 1.3
    best = scipy.optimize.minimize(lambda D: np.log(eigenvalues / D).sum() / 2, np.full(4, 0.1), method="SLSQP",
                                   bounds=[(1e-6, size) for size in eigenvalues],
                                   constraints={"type": "eq", "fun": lambda D: D.sum() - distortion})
    assert abs(coding.rate_distortion_gaussian(eigenvalues, distortion) - best.fun) < 1e-4


def test_nothing_to_write_from_the_trace_on():
    assert coding.rate_distortion_gaussian([3.0, 1.0, 0.2], 4.2) == 0 and coding.rate_distortion_gaussian([3.0, 1.0, 0.0], 9.0) == 0
    assert coding.water_level([3.0, 1.0, 0.2], 9.0) == 3


def test_the_coding_rate_is_the_rate_of_the_noisy_source():
    Z, _ = some(19, 5, 20)
    Sigma = np.asarray(Z, np.float64) @ Z.T / 20
    noisy = np.linalg.eigvalsh(Sigma) + 0.3**2 / 5
    assert relative(coding.rate_distortion_gaussian(noisy, 0.3**2), coding.coding_rate(Z, 0.3)) < 1e-5
    assert relative(coding.water_level(noisy, 0.3**2), 0.3**2 / 5) < 1e-5


GOOD_Z, GOOD_LABELS = np.ones((3, 6)), np.arange(6) % 2


@pytest.mark.parametrize("call, words", [
    (lambda: coding.coding_rate(GOOD_Z, 0), "eps: got 0, want a number > 0"),
    (lambda: coding.rate_reduction(GOOD_Z, GOOD_LABELS, -1.0), "eps: got -1, want a number > 0"),
    (lambda: coding.coding_rate(GOOD_Z, np.inf), "eps: got inf"),
    (lambda: coding.coding_rate(GOOD_Z[0], 0.5), r"Z: got shape \(6,\), want \(d, N\)"),
    (lambda: coding.coding_rate(np.full((3, 6), np.nan), 0.5), r"Z: got nan at \[0, 0\]"),
    (lambda: coding.logdet_gram(GOOD_Z, -0.1), "alpha: got -0.1"),
    (lambda: coding.rate_reduction(GOOD_Z, 2 * GOOD_LABELS, 0.5), "labels: got no sample in class 1 of 3"),
    (lambda: coding.rate_reduction(GOOD_Z, GOOD_LABELS, 0.5, K=3), "labels: got no sample in class 2 of 3"),
    (lambda: coding.rate_reduction(GOOD_Z, GOOD_LABELS + 1, 0.5, K=2), "labels: got 2, want integers from 0 to K - 1 = 1"),
    (lambda: coding.rate_reduction(GOOD_Z, GOOD_LABELS - 1, 0.5), "labels: got -1, want integers from 0"),
    (lambda: coding.rate_reduction(GOOD_Z, GOOD_LABELS / 2, 0.5), "labels: got values of type float64, want .* integers"),
    (lambda: coding.rate_reduction(GOOD_Z, GOOD_LABELS[1:], 0.5), r"labels: got shape \(5,\), want \(N,\) with N = 6"),
    (lambda: coding.class_coding_rate(GOOD_Z, np.full((2, 6), 0.4), 0.5), "membership: got a column 0 that adds up to 0.8"),
    (lambda: coding.class_coding_rate(GOOD_Z, np.full((6, 2), 0.5), 0.5), r"membership: got shape \(6, 2\), want \(K, N\) with N = 6"),
    (lambda: coding.class_coding_rate(GOOD_Z, [[1.0] * 6, [0.0] * 6], 0.5), "membership: got no sample in class 1 of 2"),
    (lambda: coding.class_coding_rate(GOOD_Z, [[2.0] * 6, [-1.0] * 6], 0.5), "membership: got -1"),
    (lambda: jax.jit(lambda y: coding.rate_reduction(GOOD_Z, y, 0.5))(GOOD_LABELS), "labels: got traced labels, want K"),
    (lambda: coding.rate_distortion_gaussian([1.0, -1.0], 0.5), "eigenvalues: got -1"),
    (lambda: coding.water_level([1.0, 1.0], 0.0), "distortion: got 0, want a number > 0"),
])
def test_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call()
