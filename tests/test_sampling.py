"""Random frames and noisy samples: their laws against SciPy and closed forms, and their refusals."""

import jax
import numpy as np
import pytest
import scipy.stats

from book_utils import sampling

KEY = jax.random.key(0)
D, D_SUB, N = 5, 2, 40  # one shape for most tests: every other one is compiled anew
SE = 5  # statistical tests below allow five standard errors; keys are fixed, so they pass or fail for good


def frames(D, d, count):
    return np.asarray(jax.vmap(lambda key: sampling.random_frame(key, D, d))(jax.random.split(KEY, count)), np.float64)


@pytest.mark.parametrize("D, d", [(4, 4), (50, 4), (3, 1)])
def test_frames_are_orthonormal(D, d):
    U = np.asarray(sampling.random_frame(KEY, D, d))
    assert U.shape == (D, d) and U.dtype == np.float32
    assert np.abs(U.T @ U - np.eye(d)).max() < 1e-6


def test_square_frames_follow_the_haar_law():
    """Traces against SciPy's sampler, det = +-1 evenly, and E (tr Q)^2 = 1, E (tr Q)^4 = 3."""
    ours = frames(4, 4, 4000)
    theirs = scipy.stats.ortho_group.rvs(4, size=4000, random_state=0)
    traces = np.trace(ours, axis1=1, axis2=2)
    assert scipy.stats.ks_2samp(traces, np.trace(theirs, axis1=1, axis2=2)).pvalue > 0.01
    assert abs(np.linalg.det(ours).mean()) < SE / np.sqrt(4000)
    for power, expected in ((2, 1), (4, 3)):
        values = traces**power
        assert abs(values.mean() - expected) < SE * values.std() / np.sqrt(4000)


def test_tall_frames_have_no_preferred_direction_or_sign():
    """Every column is uniform on the sphere: E u_i = 0, E u_i^2 = 1/D, E u_i^4 = 3 / (D (D + 2)), for every entry."""
    U = frames(D, D_SUB, 4000)
    for power, expected in ((1, 0), (2, 1 / D), (4, 3 / (D * (D + 2)))):
        values = U**power
        assert (np.abs(values.mean(0) - expected) < SE * values.std(0) / np.sqrt(4000)).all()
    products = U[:, :, 0] * U[:, :, 1]  # mean 0: either column may change its sign without changing the law
    assert (np.abs(products.mean(0)) < SE * products.std(0) / np.sqrt(4000)).all()


def test_samples_are_codes_on_the_frame_plus_noise():
    U = sampling.random_frame(KEY, D, D_SUB)
    X, Z = sampling.subspace_sample(KEY, U, N, 0.0)
    assert X.shape == (D, N) and Z.shape == (D_SUB, N)
    np.testing.assert_allclose(X, np.asarray(U, np.float64) @ np.asarray(Z, np.float64), atol=1e-6)
    assert np.linalg.matrix_rank(X) == D_SUB
    noisy, same = sampling.subspace_sample(KEY, U, N, 0.3)
    np.testing.assert_array_equal(Z, same)  # the codes do not depend on the noise
    np.testing.assert_allclose(noisy - X, (sampling.subspace_sample(KEY, U, N, 0.6)[0] - X) / 2, atol=1e-6)


def test_samples_have_the_covariance_of_the_model():
    """Cov x = U diag(S) U^T + sigma^2 I, codes and noise independent and Gaussian."""
    many, S, sigma = 40_000, np.array([4, 0.25]), 0.5
    U = np.asarray(sampling.random_frame(KEY, D, D_SUB), np.float64)
    X, Z = (np.asarray(a, np.float64) for a in sampling.subspace_sample(KEY, U, many, sigma, S))
    noise = (X - U @ Z) / sigma
    stacked = np.vstack([Z / np.sqrt(S)[:, None], noise])
    assert np.abs(stacked @ stacked.T / many - np.eye(7)).max() < SE * np.sqrt(2 / many)
    assert np.abs(X @ X.T / many - (U * S) @ U.T - sigma**2 * np.eye(D)).max() < SE * np.sqrt(2 / many) * (4 + sigma**2)
    assert min(scipy.stats.kstest(row, "norm").pvalue for row in stacked) > 1e-3
    unit = np.asarray(sampling.subspace_sample(KEY, U, many, sigma)[1])
    assert np.abs(unit @ unit.T / many - np.eye(2)).max() < SE * np.sqrt(2 / many)


def test_noise_is_added_at_its_standard_deviation():
    X = np.arange(40_000.0).reshape(100, 400) / 1000
    np.testing.assert_array_equal(sampling.add_noise(KEY, X, 0), X.astype(np.float32))
    E = np.asarray(sampling.add_noise(KEY, np.zeros((100, 400)), 2.0)) / 2
    assert scipy.stats.kstest(E.ravel(), "norm").pvalue > 1e-3


@pytest.mark.parametrize("theta", [0.1, 0.5, 1.0])
def test_sparse_codes_have_their_moments(theta):
    """Mean 0, variance 1, E z^4 = 3 / theta, a share theta that is not zero, and those normal; entries independent."""
    many = 100_000
    Z = np.asarray(sampling.bernoulli_gaussian(KEY, theta, D, many), np.float64)
    assert Z.shape == (D, many)
    for values, expected in ((Z != 0, theta), (Z, 0), (Z**2, 1), (Z**4, 3 / theta), (Z[:-1] * Z[1:], 0),
                             (Z[:-1] ** 2 * Z[1:] ** 2, 1), (Z[:, :-1] ** 2 * Z[:, 1:] ** 2, 1)):
        assert (np.abs(values.mean(1) - expected) <= SE * values.std(1) / np.sqrt(many)).all()
    assert min(scipy.stats.kstest(row[row != 0] * np.sqrt(theta), "norm").pvalue for row in Z) > 1e-3


def planes(K):
    return np.stack([sampling.random_frame(key, D, D_SUB) for key in jax.random.split(KEY, K)])


def test_mixture_samples_lie_on_their_subspaces():
    Us = planes(3)
    X, labels = sampling.mixture_sample(KEY, Us, [0.5, 0, 0.5], N, 0)
    assert X.shape == (D, N) and labels.shape == (N,) and set(np.asarray(labels).tolist()) == {0, 2}
    for k in (0, 2):
        mine = np.asarray(X)[:, labels == k]
        np.testing.assert_allclose(Us[k] @ (Us[k].T @ mine), mine, atol=2e-6)
        assert np.linalg.matrix_rank(mine) == D_SUB
    noisy, same = sampling.mixture_sample(KEY, Us, [0.5, 0, 0.5], N, 0.3)
    np.testing.assert_array_equal(labels, same)  # neither labels nor codes depend on the noise
    np.testing.assert_allclose(noisy - X, (sampling.mixture_sample(KEY, Us, [0.5, 0, 0.5], N, 0.6)[0] - X) / 2, atol=1e-6)


def test_mixture_samples_have_the_moments_of_the_model():
    """Second moment sum_k pi_k U_k U_k^T + sigma^2 I - and labels, codes and noise independent."""
    many, Us, pi, sigma = 60_000, planes(3), np.array([0.2, 0.3, 0.5]), 0.5
    X, labels = (np.asarray(a) for a in sampling.mixture_sample(KEY, Us, pi, many, sigma))
    counts = np.bincount(labels, minlength=3)
    assert scipy.stats.chisquare(counts, many * pi).pvalue > 1e-3
    assert scipy.stats.chisquare(np.bincount(3 * labels[:-1] + labels[1:]), (many - 1) * np.outer(pi, pi).ravel()).pvalue > 1e-3
    X = X.astype(np.float64)
    second_moment = np.einsum("k,kij,klj->il", pi, Us, Us) + sigma**2 * np.eye(D)
    products = X[:, None] * X[None]
    assert (np.abs(products.mean(2) - second_moment) < SE * products.std(2) / np.sqrt(many)).all()
    for k in range(3):
        U = Us[k].astype(np.float64)
        mine = np.linalg.solve(np.linalg.cholesky(U @ U.T + sigma**2 * np.eye(D)), X[:, labels == k])
        assert np.abs(mine @ mine.T / counts[k] - np.eye(D)).max() < SE * np.sqrt(2 / counts[k])
        assert min(scipy.stats.kstest(row, "norm").pvalue for row in mine) > 1e-3


def test_a_mixture_is_no_superposition():
    """Two axes of the plane, each half of the time: covariance I / 2, and kurtosis 3 / 2 - 3 / 4 where a Gaussian has 0."""
    many = 200_000
    x = np.asarray(sampling.mixture_sample(KEY, [[[1], [0]], [[0], [1]]], [0.5, 0.5], many, 0)[0], np.float64)
    assert ((x == 0).sum(0) == 1).all()
    for power, expected in ((2, 0.5), (4, 1.5)):
        values = x**power
        assert (np.abs(values.mean(1) - expected) < SE * values.std(1) / np.sqrt(many)).all()


def test_the_key_decides_the_numbers():
    other, old = jax.random.key(1), jax.random.PRNGKey(0)
    U = sampling.random_frame(KEY, D, D_SUB)
    for draw in (lambda key: sampling.random_frame(key, D, D_SUB), lambda key: sampling.add_noise(key, np.ones((D, N)), 1.0),
                 lambda key: sampling.subspace_sample(key, U, N, 1.0)[0], lambda key: sampling.bernoulli_gaussian(key, 0.5, D, N),
                 lambda key: sampling.mixture_sample(key, U[None], [1], N, 0.5)[0]):
        first = np.asarray(draw(KEY))
        np.testing.assert_array_equal(first, draw(KEY))
        np.testing.assert_array_equal(first, draw(old))
        assert np.abs(first - np.asarray(draw(other))).max() > 0.1


def test_under_jit_and_vmap():
    keys, U, sigmas = jax.random.split(KEY, 3), sampling.random_frame(KEY, D, D_SUB), np.array([0.1, 0.2, 0.3])

    def all_five(key, sigma):
        return sampling.subspace_sample(key, U, N, sigma), sampling.add_noise(key, np.ones((D, N)), sigma), \
            sampling.random_frame(key, D, D_SUB), sampling.bernoulli_gaussian(key, sigma, D, N), \
            sampling.mixture_sample(key, U[None], np.ones(1), N, sigma)

    together = jax.jit(jax.vmap(all_five))(keys, sigmas)
    one_by_one = [all_five(keys[i], sigmas[i]) for i in range(3)]
    for i in range(3):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a[i], b, atol=1e-6), together, one_by_one[i])


def test_gradient_with_respect_to_the_noise_level_is_the_noise():
    U = np.eye(D, D_SUB)
    slope = jax.jit(jax.jacfwd(lambda sigma: sampling.subspace_sample(KEY, U, N, sigma)[0]))(0.7)
    unit, none = (np.asarray(sampling.subspace_sample(KEY, U, N, sigma)[0]) for sigma in (1.0, 0.0))
    np.testing.assert_allclose(slope, unit - none, atol=1e-6)


def test_types_follow_the_arguments():
    def types(f):  # nothing is compiled
        return {leaf.dtype.name for leaf in jax.tree.leaves(jax.eval_shape(f))}

    U, single = np.eye(4, 2), np.eye(4, 2, dtype=np.float32)
    assert types(lambda: (sampling.random_frame(KEY, 4, 2), sampling.subspace_sample(KEY, U, 3, 1))) == {"float32"}
    assert types(lambda: sampling.add_noise(KEY, np.ones((2, 2), int), 1)) == {"float32"}
    assert types(lambda: sampling.bernoulli_gaussian(KEY, 0.5, 2, 3)) == {"float32"}
    assert types(lambda: sampling.mixture_sample(KEY, U[None], [1], 3, 0)) == {"float32", "int32"}
    with jax.enable_x64(True):
        assert types(lambda: sampling.bernoulli_gaussian(KEY, 0.5, 2, 3)) == {"float64"}
        assert types(lambda: sampling.mixture_sample(KEY, U[None], [1.0], 3, 0)[0]) == {"float64"}
        assert types(lambda: sampling.mixture_sample(KEY, single[None], [1.0], 3, np.float64(0.5))[0]) == {"float32"}
        assert types(lambda: (sampling.random_frame(KEY, 4, 2), sampling.add_noise(KEY, U, 0.5))) == {"float64"}
        assert types(lambda: sampling.subspace_sample(KEY, U, 3, 0.5, np.array([1.0, 2]))) == {"float64"}
        assert types(lambda: sampling.subspace_sample(KEY, single, 3, np.float64(0.5))) == {"float32"}
        assert types(lambda: sampling.add_noise(KEY, single, np.float64(0.5))) == {"float32"}


REFUSED = [
    (lambda: sampling.random_frame(0, 4, 2), r"key: got 0, want one random key, such as jax.random.key\(0\)"),
    (lambda: sampling.random_frame(jax.random.split(KEY, 2), 4, 2), r"key: got key<fry> of shape \(2,\), want one random key"),
    (lambda: sampling.random_frame(np.zeros(2), 4, 2), r"key: got float64 of shape \(2,\), want one random key"),
    (lambda: sampling.random_frame(KEY, 0, 1), r"D: got 0, want an integer >= 1"),
    (lambda: sampling.random_frame(KEY, 4.0, 1), r"D: got 4.0, want an integer >= 1"),
    (lambda: sampling.random_frame(KEY, 4, 0), r"d: got 0, want an integer from 1 to D = 4"),
    (lambda: sampling.random_frame(KEY, 4, 5), r"d: got 5, want an integer from 1 to D = 4"),
    (lambda: jax.jit(sampling.random_frame)(KEY, 4, 2), r"D: got a traced value, want an integer >= 1 that is known"),
    (lambda: sampling.subspace_sample(None, np.eye(4, 2), 3, 1), r"key: got None"),
    (lambda: sampling.subspace_sample(KEY, np.eye(2, 4), 3, 1), r"U: got shape \(2, 4\), want \(D, d\) with no more columns"),
    (lambda: sampling.subspace_sample(KEY, np.ones((4, 2)), 3, 1), r"U: got columns with U\^T U off the identity by 4"),
    (lambda: sampling.subspace_sample(KEY, np.ones(4), 3, 1), r"U: got shape \(4,\), want \(D, d\)"),
    (lambda: sampling.subspace_sample(KEY, np.eye(4, 2), 0, 1), r"N: got 0, want an integer >= 1"),
    (lambda: sampling.subspace_sample(KEY, np.eye(4, 2), 3, -1), r"sigma: got -1, want numbers that are not negative"),
    (lambda: sampling.subspace_sample(KEY, np.eye(4, 2), 3, np.inf), r"sigma: got inf at \[\], want \(\) of numbers finite"),
    (lambda: sampling.subspace_sample(KEY, np.eye(4, 2), 3, 1j), r"sigma: got values of type complex128"),
    (lambda: sampling.subspace_sample(KEY, np.eye(4, 2), 3, "1"), r"sigma: got values of type <U1"),
    (lambda: sampling.subspace_sample(KEY, np.eye(4, 2), 3, 1, [1, 2, 3]), r"S: got shape \(3,\), want \(d,\) with d = 2"),
    (lambda: sampling.subspace_sample(KEY, np.eye(4, 2), 3, 1, [1, -2]), r"S: got -2, want numbers that are not negative"),
    (lambda: sampling.add_noise(KEY, np.ones(3), 1), r"X: got shape \(3,\), want \(D, N\)"),
    (lambda: sampling.add_noise(KEY, np.ones((0, 3)), 1), r"X: got shape \(0, 3\), want \(D, N\) with nothing of size 0"),
    (lambda: sampling.add_noise(KEY, [[np.nan]], 1), r"X: got nan at \[0, 0\]"),
    (lambda: sampling.add_noise(KEY, np.ones((2, 2)), np.ones(2)), r"sigma: got shape \(2,\), want \(\)"),
    (lambda: sampling.add_noise(7, np.ones((2, 2)), 1), r"key: got 7"),
    (lambda: sampling.bernoulli_gaussian(0, 0.5, 2, 3), r"key: got 0, want one random key"),
    (lambda: sampling.bernoulli_gaussian(KEY, 0, 2, 3), r"theta: got 0, want a number in \(0, 1\]"),
    (lambda: sampling.bernoulli_gaussian(KEY, -0.1, 2, 3), r"theta: got -0.1, want a number in \(0, 1\]"),
    (lambda: sampling.bernoulli_gaussian(KEY, 1.5, 2, 3), r"theta: got 1.5, want a number in \(0, 1\]"),
    (lambda: sampling.bernoulli_gaussian(KEY, np.nan, 2, 3), r"theta: got nan at \[\]"),
    (lambda: sampling.bernoulli_gaussian(KEY, [0.5, 0.5], 2, 3), r"theta: got shape \(2,\), want \(\)"),
    (lambda: sampling.bernoulli_gaussian(KEY, 0.5, 0, 3), r"D: got 0, want an integer >= 1"),
    (lambda: sampling.bernoulli_gaussian(KEY, 0.5, 2, 3.0), r"N: got 3.0, want an integer >= 1"),
    (lambda: sampling.mixture_sample(1, np.eye(3)[None], [1], 3, 0), r"key: got 1"),
    (lambda: sampling.mixture_sample(KEY, np.eye(3), [1], 3, 0), r"Us: got shape \(3, 3\), want \(K, D, d\)"),
    (lambda: sampling.mixture_sample(KEY, np.ones((2, 3, 4)), [1, 0], 3, 0), r"Us: got shape .* no more columns than rows"),
    (lambda: sampling.mixture_sample(KEY, [np.eye(3), np.ones((3, 3))], [1, 0], 3, 0), r"Us\[1\]: got columns with .* off"),
    (lambda: sampling.mixture_sample(KEY, np.eye(3)[None], [0.5, 0.5], 3, 0), r"pi: got shape \(2,\), want \(K,\) with K = 1"),
    (lambda: sampling.mixture_sample(KEY, np.eye(3)[None], [0.5], 3, 0), r"pi: got numbers that add up to 0.5, want"),
    (lambda: sampling.mixture_sample(KEY, [np.eye(3)] * 2, [2, -1], 3, 0), r"pi: got -1, want numbers that are not negative"),
    (lambda: sampling.mixture_sample(KEY, np.eye(3)[None], [1], 0, 0), r"N: got 0, want an integer >= 1"),
    (lambda: sampling.mixture_sample(KEY, np.eye(3)[None], [1], 3, -1), r"sigma: got -1, want numbers that are not negative"),
]


@pytest.mark.parametrize("call, message", REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
