"""Speed of clustering by coding length. Not part of the ordinary suite; run it on a quiet machine, from the root:

    python -m pytest tests/bench/test_bench_lossy_clustering.py -o addopts="" -s

2,000 samples have to be done within 30 seconds on two cores, and the time may grow with N a little faster than N^2 (N merges,
each with a row of at most N gains; and at some N the N^2 numbers no longer fit the cache). The other side writes Algorithm 4.1 as
printed, one determinant for each pair at every step, O(N^3) of them: it is timed on 60 samples. Ratios of one run are to be
compared, times of different runs are not.
"""

import itertools

import numpy as np
import pytest

from book_utils import lossy_clustering as lossy

from timing import report, seconds

SIZES = [250, 500, 1000, 2000]


def subspaces(D, N, d, K=5, sigma=0.02):
    rng = np.random.default_rng(0)
    X = np.concatenate([np.linalg.qr(rng.normal(size=(D, d)))[0] @ rng.normal(size=(d, N // K)) for _ in range(K)], axis=1)
    return X + sigma * rng.normal(size=X.shape)


@pytest.mark.parametrize("D, d", [(3, 1), (16, 2), (64, 8)])
def test_time_and_its_growth(D, d):
    times = {}
    for N in SIZES:
        X = subspaces(D, N, d)
        times[N], labels = seconds(lambda: lossy.cluster(X, 0.3))
    slope = np.polyfit(np.log(SIZES[1:]), np.log([times[N] for N in SIZES[1:]]), 1)[0]
    print(f"\nD = {D}: " + ", ".join(f"N = {N}: {t:.2f} s" for N, t in times.items()) + f"; grows as N^{slope:.1f}")
    assert times[2000] < 30 and slope < 3


def naive(X, eps):
    """The algorithm as printed, with a determinant for every pair at every step."""
    clusters = [X[:, [i]] for i in range(X.shape[1])]
    while len(clusters) > 1:
        pairs = itertools.combinations(range(len(clusters)), 2)
        gains = {(k, l): lossy.merge_gain(clusters[k], clusters[l], eps) for k, l in pairs}
        k, l = max(gains, key=gains.get)
        if gains[k, l] <= 0:
            break
        clusters[k] = np.concatenate([clusters[k], clusters.pop(l)], axis=1)
    return clusters


def test_against_the_search_as_printed():
    X = subspaces(3, 60, 1)
    clusters = naive(X, 0.3)
    times = {"ours": (0.0, seconds(lambda: lossy.cluster(X, 0.3))[0]), "as printed": (0.0, seconds(lambda: naive(X, 0.3))[0])}
    report("60 samples of 3 dimensions", times)
    labels = lossy.cluster(X, 0.3)
    assert sorted(np.bincount(labels)) == sorted(c.shape[1] for c in clusters)
    assert times["as printed"][1] > 50 * times["ours"][1]
