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


def test_the_key_decides_the_numbers():
    other, old = jax.random.key(1), jax.random.PRNGKey(0)
    U = sampling.random_frame(KEY, D, D_SUB)
    for draw in (lambda key: sampling.random_frame(key, D, D_SUB), lambda key: sampling.add_noise(key, np.ones((D, N)), 1.0),
                 lambda key: sampling.subspace_sample(key, U, N, 1.0)[0]):
        first = np.asarray(draw(KEY))
        np.testing.assert_array_equal(first, draw(KEY))
        np.testing.assert_array_equal(first, draw(old))
        assert np.abs(first - np.asarray(draw(other))).max() > 0.1


def test_under_jit_and_vmap():
    keys, U, sigmas = jax.random.split(KEY, 3), sampling.random_frame(KEY, D, D_SUB), np.array([0.1, 0.2, 0.3])

    def all_three(key, sigma):
        return sampling.subspace_sample(key, U, N, sigma), sampling.add_noise(key, np.ones((D, N)), sigma), \
            sampling.random_frame(key, D, D_SUB)

    together = jax.jit(jax.vmap(all_three))(keys, sigmas)
    one_by_one = [all_three(keys[i], sigmas[i]) for i in range(3)]
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
    with jax.enable_x64(True):
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
]


@pytest.mark.parametrize("call, message", REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
