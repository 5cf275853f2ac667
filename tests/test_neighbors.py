"""Sums and searches in chunks against SciPy in float64, at every size of a chunk, and their memory."""

import subprocess
import sys

import jax
import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.special import logsumexp

from book_utils import neighbors

from oracles import relative, rng_of


def by_hand(X, X_t, alpha, sigma):
    """log sums and weighted means in float64, of the float32 numbers that the kernel is given."""
    X, X_t = (np.asarray(A, np.float32).astype(np.float64) for A in (X, X_t))
    e = -((X_t[:, None] - alpha * X[:, :, None]) ** 2).sum(0) / (2 * sigma**2)
    total = logsumexp(e, axis=0)
    return total, X @ np.exp(e - total)


@pytest.mark.parametrize("block", [1, 400, 2**21])
@pytest.mark.parametrize("sigma", [30, 1, 0.1, 1e-3])
@pytest.mark.parametrize("alpha", [1, 0.3, 0])
def test_sums_agree_with_scipy(monkeypatch, block, sigma, alpha):
    """Data far from the origin, noise down to 1e-3: where the exponents of a product are wrong, differences take over.
    Chunks of 16 (block = 1), 57 and all of 90 samples."""
    jax.clear_caches()
    monkeypatch.setattr(neighbors, "BLOCK", block)
    rng = rng_of(0)
    X, X_t = 2 * rng.normal(size=(5, 90)) + 7, alpha * (2 * rng.normal(size=(5, 7)) + 7)
    X_t[:, 3] = alpha * X[:, 88] + 1e-4
    log_sum, mean = by_hand(X, X_t, alpha, sigma)
    scale = np.abs(log_sum).max() + 1
    assert np.abs(neighbors.log_sum(X, X_t, alpha, sigma) - log_sum).max() < 5e-6 * scale
    assert relative(neighbors.weighted_mean(X, X_t, alpha, sigma), mean) < 1e-5


def test_a_matrix_product_alone_would_fail():
    """Why differences take over at small sigma: the same formula in float32 by a product is off by more than a nat."""
    rng = rng_of(1)
    X, X_t, sigma = (rng.normal(size=(50, 30)).astype(np.float32), rng.normal(size=(50, 4)).astype(np.float32), np.float32(1e-3))
    e = (X.T @ X_t - (X**2).sum(0)[:, None] / 2) / sigma**2
    exact = X.T.astype(float) @ X_t.astype(float) - (X.astype(float) ** 2).sum(0)[:, None] / 2
    assert np.abs(e - exact / float(sigma) ** 2).max() > 1
    assert relative(neighbors.weighted_mean(X, X_t, 1, sigma), by_hand(X, X_t, 1, sigma)[1]) < 1e-5


@pytest.mark.parametrize("block, k", [(1, 1), (300, 2), (2**21, 5), (300, 120)])
def test_nearest_agrees_with_a_tree(monkeypatch, block, k):
    jax.clear_caches()
    monkeypatch.setattr(neighbors, "BLOCK", block)
    rng = rng_of(2)
    X, X_new = (rng.normal(size=(4, n)).astype(np.float32) + 3 for n in (120, 9))
    X_new[:, 2] = X[:, 77]
    distances, names = neighbors.nearest(X, X_new, k)
    expected, where = cKDTree(X.T.astype(float)).query(X_new.T.astype(float), np.arange(1, k + 1))
    assert distances.shape == names.shape == (k, 9)
    np.testing.assert_array_equal(names.T, where)
    np.testing.assert_allclose(distances.T, expected, rtol=1e-5, atol=1e-6)
    assert distances[0, 2] == 0 and names[0, 2] == 77


def test_nearest_tells_neighbours_apart_that_a_product_cannot():
    """Samples 1e-3 apart and far from the origin: their squared distances differ by less than a product's error."""
    X = np.array([[3.0, 3.001, 3.0005, -3.0], [1.0, 1.0, 1.0, 1.0]])
    distances, names = neighbors.nearest(X, np.array([[3.0009], [1.0]]), 2)
    np.testing.assert_array_equal(names[:, 0], [1, 2])
    np.testing.assert_allclose(distances[:, 0], [1e-4, 4e-4], rtol=5e-3)


def test_the_same_under_jit_vmap_and_grad():
    rng = rng_of(3)
    X, X_t = rng.normal(size=(2, 12)), rng.normal(size=(3, 2, 5))
    for f in (neighbors.log_sum, neighbors.weighted_mean):
        plain = np.stack([f(X, Y, 0.8, 0.5) for Y in X_t])
        assert relative(jax.vmap(lambda Y, f=f: f(X, Y, 0.8, 0.5))(X_t), plain) < 1e-6
        assert relative(jax.jit(f)(X, X_t[0], 0.8, 0.5), plain[0]) < 1e-6
    gradient = jax.grad(lambda Y: neighbors.log_sum(X, Y, 0.8, 0.5).sum())(X_t[0].astype(np.float32))
    assert relative(gradient, (0.8 * by_hand(X, X_t[0], 0.8, 0.5)[1] - X_t[0]) / 0.25) < 1e-5  # Tweedie


MEMORY = """
import pathlib, numpy as np, jax
from book_utils import neighbors
X = np.random.default_rng(0).standard_normal((784, 60_000), np.float32)
X = jax.numpy.asarray(X)
mean = jax.block_until_ready(neighbors.weighted_mean(X, X[:, :500] + 0.5, 0.9, 5.0))
assert np.isfinite(mean).all() and mean.shape == (784, 500)
status = pathlib.Path("/proc/self/status").read_text()  # not getrusage: that starts at the size of the parent process
print(int(status.split("VmHWM:")[1].split()[0]) / 2**20)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_all_of_mnist_fits_in_memory():
    """60,000 images of 784 pixels, 500 queries: less than 1.5 GiB in all, of which the data and its NumPy original take 0.35."""
    run = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert float(run.stdout) < 1.5


ones = np.ones((3, 4))
BAD = {
    "a vector for a matrix": (lambda: neighbors.log_sum(np.ones(3), ones, 1, 1), r"X: got shape \(3,\), want \(D, N\)"),
    "other dimension": (lambda: neighbors.log_sum(ones, np.ones((2, 4)), 1, 1), r"X_t: got shape \(2, 4\), want .* D = 3"),
    "no noise": (lambda: neighbors.weighted_mean(ones, ones, 1, 0), "sigma: got 0, want a number > 0"),
    "negative noise": (lambda: neighbors.weighted_mean(ones, ones, 1, -1.0), "sigma: got -1"),
    "negative factor": (lambda: neighbors.weighted_mean(ones, ones, -0.5, 1), "alpha: got -0.5"),
    "NaN": (lambda: neighbors.log_sum(np.full((3, 4), np.nan), ones, 1, 1), "X: got nan at"),
    "more neighbours than samples": (lambda: neighbors.nearest(ones, ones, 5), "k: got 5, want an integer from 1 to N = 4"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence(name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call()
