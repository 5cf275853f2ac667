"""Speed of the kernels of independent components. Not part of the ordinary suite; run it on a quiet machine, from the root:

    python -m pytest tests/bench/test_bench_independent.py -o addopts="" -s

Every comparison alternates the two sides within one run and compares medians, after both have run once; the first call, with
compilation, is printed apart. Times of different runs are not to be compared, ratios are.
"""

import warnings

import jax
import numpy as np
import pytest
from sklearn.decomposition import FastICA
from sklearn.exceptions import ConvergenceWarning

from book_utils import independent, manifold, sampling

from timing import medians, report


def white_mixture(D, N, theta=0.3):
    """White data (D, N), float32, of sparse codes in an orthogonal dictionary, and an orthogonal start (D, D)."""
    keys = jax.random.split(jax.random.key(0), 3)
    X = sampling.random_frame(keys[0], D, D) @ sampling.bernoulli_gaussian(keys[1], theta, D, N)
    return jax.block_until_ready(independent.whiten(X)[0]), sampling.random_frame(keys[2], D, D)


def sklearns(samples, start, T, tol, algorithm="parallel"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return FastICA(fun="cube", algorithm=algorithm, whiten=False, w_init=start, max_iter=T, tol=tol).fit(samples)


@pytest.mark.parametrize("D, N", [(10, 5_000), (10, 50_000), (30, 20_000), (64, 5_000), (64, 50_000)])
def test_fastica_is_not_slower_than_scikit_learn(D, N):
    """The same data, start, tolerance and number of steps, in float32, all rows at once; either side has the samples as it
    stores them. The plain loop beside them is scikit-learn's algorithm with z z z in place of z ** 3, in NumPy."""
    X, W = white_mixture(D, N)
    start, samples = np.asarray(W), np.ascontiguousarray(np.asarray(X).T)
    T = 10

    def plain():
        data, found = np.asarray(X), start
        for _ in range(T):
            Z = found @ data
            G = (Z * Z * Z) @ data.T / N - 3 * found
            squares, U = np.linalg.eigh(G @ G.T)
            found = (U / np.sqrt(squares)) @ (U.T @ G)
        return found

    times = medians(ours=lambda: independent.fastica(W, X, T, 0)[0], sklearn=lambda: sklearns(samples, start, T, 0), numpy=plain)
    report(f"FastICA, {T} steps, D = {D}, N = {N}", times)
    assert times["ours"][1] <= times["sklearn"][1]
    reached = [np.abs(independent.kurtosis(found @ X)).sum() for found in (independent.fastica(W, X, T, 0)[0],
                                                                          sklearns(samples, start, T, 0).components_)]
    assert abs(reached[0] / reached[1] - 1) < 0.03  # at D = 64 ten steps are not the end, and rounding takes its own way


def test_fastica_to_a_tolerance():
    """As it is used: both stop by the same rule at 1e-4."""
    X, W = white_mixture(20, 20_000)
    start, samples = np.asarray(W), np.ascontiguousarray(np.asarray(X).T)
    times = medians(ours=lambda: independent.fastica(W, X, 200)[0], sklearn=lambda: sklearns(samples, start, 200, 1e-4))
    steps = int(independent.fastica(W, X, 200)[1]), sklearns(samples, start, 200, 1e-4).n_iter_
    report(f"FastICA to 1e-4, D = 20, N = 20,000, steps {steps[0]} and {steps[1]}", times)
    assert abs(steps[0] - steps[1]) <= 1 and times["ours"][1] <= times["sklearn"][1]


def test_deflation_is_not_slower_than_scikit_learn():
    X, W = white_mixture(10, 20_000)
    start, samples = np.asarray(W), np.ascontiguousarray(np.asarray(X).T)
    times = medians(ours=lambda: independent.fastica_deflation(W, X, 10),
                    sklearn=lambda: sklearns(samples, start, 10, 0, "deflation"))
    report("deflation, 10 steps a row, D = 10, N = 20,000", times)
    assert times["ours"][1] <= times["sklearn"][1]


@pytest.mark.parametrize("D, N", [(6, 2_000), (20, 20_000), (64, 20_000)])
def test_msp_beside_a_plain_loop(D, N):
    """50 steps, against the same in NumPy with the singular value decomposition. D = 6 is as small as it gets in a lesson, and
    the two take about as long there on a quiet machine; on a busy one ours took up to four times as long."""
    X, W = white_mixture(D, N)
    start, data, T = np.asarray(W), np.asarray(X), 50

    def plain():
        found, history = start, []
        for _ in range(T):
            Z = found @ data
            cubes = Z * Z * Z
            history.append(np.vdot(cubes, Z) / (4 * N))
            U, _, Vh = np.linalg.svd(cubes @ data.T)
            found = U @ Vh
        return found

    times = medians(ours=lambda: independent.msp(W, X, T)[0], numpy=plain)
    report(f"MSP, {T} steps, D = {D}, N = {N}", times)
    assert np.abs(independent.msp(W, X, T)[0] - plain()).max() < 1e-2
    assert D == 6 or times["ours"][1] <= times["numpy"][1]


@pytest.mark.parametrize("D", [6, 20, 64])
def test_the_two_polar_factors(D):
    """100 in a row, as an iteration needs them: the accurate one, and the one in loops."""
    G = np.linspace(1, 5, D) * sampling.random_frame(jax.random.key(1), D, D)

    def chain(polar):
        return jax.jit(lambda G: jax.lax.scan(lambda W, _: (polar(G @ W), None), G, length=100)[0])

    accurate, quick = chain(manifold._polar), chain(manifold._polar_in_a_loop)
    report(f"100 polar factors, D = {D}", medians(ours=lambda: quick(G), accurate=lambda: accurate(G)))


@pytest.mark.parametrize("spread, route", [(1, "Gram matrix"), (1e-3, "data")])
def test_whitening(spread, route):
    """64 x 20,000, by either route, beside NumPy's singular value decomposition and its eigh of the Gram matrix."""
    rng = np.random.default_rng(0)
    data = (np.geomspace(1, spread, 64)[:, None] * rng.normal(size=(64, 20_000))).astype(np.float32)
    X = jax.block_until_ready(jax.numpy.asarray(data))

    def by_eigh():
        values, U = np.linalg.eigh(data @ data.T / data.shape[1])
        return ((U / np.sqrt(values)) @ U.T) @ data

    def by_svd():
        U, _, Vh = np.linalg.svd(data.T, full_matrices=False)
        return U @ Vh

    report(f"whitening from the {route}", medians(ours=lambda: independent.whiten(X), eigh=by_eigh, svd=by_svd))


def test_matching_on_the_host_and_in_compiled_code():
    rng = np.random.default_rng(0)
    W, V = rng.normal(size=(20, 20)), rng.normal(size=(20, 20))
    compiled = jax.jit(independent.match_signed_permutation)
    times = medians(ours=lambda: independent.match_signed_permutation(W, V), compiled=lambda: compiled(W, V))
    report("matching 20 directions", times)
