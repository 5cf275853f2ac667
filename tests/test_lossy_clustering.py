"""Clusters by coding length against all partitions of few samples, against a greedy search written naively, and scikit-learn."""

import functools
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.metrics import adjusted_rand_score

from book_utils import lossy_clustering as lossy

from oracles import rng_of

seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=20, deadline=None, derandomize=True)
OPTIONS = [dict(), dict(overhead=False), dict(center=True), dict(overhead=False, center=True)]


# --- oracles: dense determinants on the larger side, and loops -----------------------------------------------------------------

def length(X, eps, overhead=True, center=False):
    D, n = X.shape
    mean = X.mean(axis=1) * center
    covariance = (X @ X.T) / n - np.outer(mean, mean)
    rate = 0.5 * np.log(np.maximum(np.linalg.eigvalsh(np.eye(D) + D / eps**2 * covariance), 1)).sum()
    return (n + D * overhead) * rate + (D / 2 * np.log(1 + mean @ mean / eps**2) if center else 0)


def total(X, labels, eps, **options):
    N, nats = X.shape[1], 0.0
    for k in set(labels):
        chosen = [i for i in range(N) if labels[i] == k]
        nats += length(X[:, chosen], eps, **options) - len(chosen) * np.log(len(chosen) / N)
    return nats


def greedy(X, eps, start=None, **options):
    """Algorithm 4.1 with nothing kept from one step to the next: the total of every partition that one merge leads to."""
    labels = list(range(X.shape[1]) if start is None else start)
    while True:
        now, best = total(X, labels, eps, **options), None
        for k, l in itertools.combinations(sorted(set(labels), key=labels.index), 2):
            merged = [k if other == l else other for other in labels]
            gain = now - total(X, merged, eps, **options)
            if gain > 1e-10 and (best is None or gain > best[0] + 1e-10):
                best = gain, merged
        if best is None:
            return np.array([sorted(set(labels), key=labels.index).index(k) for k in labels])
        labels = best[1]


def partitions(N):
    """All partitions of N samples, as labels in the order of first appearance."""
    if N == 1:
        yield (0,)
        return
    for head in partitions(N - 1):
        for k in range(max(head) + 2):
            yield (*head, k)


def two_lines(rng, sizes=(4, 3), sigma=0.02, D=2):
    U = np.linalg.qr(rng.normal(size=(D, 2)))[0] @ np.array([[1, 0.6], [0, 0.8]])
    X = np.concatenate([u[:, None] * rng.uniform(-1, 1, n) for u, n in zip(U.T, sizes)], axis=1)
    return X + sigma * rng.normal(size=X.shape), np.repeat([0, 1], sizes)


def lines_and_plane(seed, sigma=0.02, sizes=(60, 40, 40)):
    rng = rng_of(seed)
    plane = np.concatenate([rng.uniform(-1, 1, (2, sizes[0])), np.zeros((1, sizes[0]))])
    directions = np.array([[1.0, 0, 1], [0, 1, 1.5]])
    lines = [u[:, None] / np.linalg.norm(u) * rng.uniform(-1, 1, n) for u, n in zip(directions, sizes[1:])]
    X = np.concatenate([plane, *lines], axis=1)
    return X + sigma * rng.normal(size=X.shape), np.repeat([0, 1, 2], sizes)


def same(a, b):
    return adjusted_rand_score(a, b) == 1


# --- lengths -------------------------------------------------------------------------------------------------------------------

@quick
@given(seeds, st.sampled_from([(1, 5), (3, 8), (9, 4)]), st.sampled_from(range(4)), st.sampled_from([0.01, 0.3, 5.0]))
def test_lengths_are_those_of_dense_eigenvalues(seed, shape, option, eps):
    rng, options = rng_of(seed), OPTIONS[option]
    X, labels = rng.normal(size=shape) + 0.5, rng.integers(0, 3, shape[1])
    assert np.isclose(lossy.segment_length(X, eps, **options), length(X, eps, **options), rtol=1e-6)
    assert np.isclose(lossy.coding_length(X, labels, eps, **options), total(X, labels, eps, **options), rtol=1e-6)
    apart, one = np.repeat([0, 1], [2, shape[1] - 2]), np.zeros(shape[1], int)
    change = total(X, apart, eps, **options) - total(X, one, eps, **options)
    assert np.isclose(lossy.merge_gain(X[:, :2], X[:, 2:], eps, **options), change, rtol=1e-5, atol=1e-5)


def test_a_length_by_hand():
    """Two samples 3 and 4 on a line, eps = 1: (2 + 1) log(1 + 12.5) / 2; apart 2 (1/2) log 10 + 2 (1/2) log 17 + 2 log 2."""
    X = np.array([[3.0, 4.0]])
    assert np.isclose(lossy.segment_length(X, 1), 1.5 * np.log(13.5))
    assert np.isclose(lossy.coding_length(X, [0, 1], 1), np.log(10) + np.log(17) + 2 * np.log(2))
    assert np.isclose(lossy.merge_gain(X[:, :1], X[:, 1:], 1), np.log(170 * 4) - 1.5 * np.log(13.5))


def test_the_gain_of_a_merge_does_not_depend_on_the_other_clusters():
    X = rng_of(0).normal(size=(3, 12))
    before, after = np.repeat([0, 1, 2, 3], [4, 3, 2, 3]), np.repeat([0, 1, 0, 3], [4, 3, 2, 3])
    change = lossy.coding_length(X, before, 0.3) - lossy.coding_length(X, after, 0.3)
    assert np.isclose(lossy.merge_gain(X[:, :4], X[:, 7:9], 0.3), change)


@quick
@given(seeds)
def test_splitting_shortens_all_but_labels_and_bases(seed):
    rng = rng_of(seed)
    X, labels = rng.normal(size=(3, 12)), rng.integers(0, 4, 12)
    parts = sum(lossy.segment_length(X[:, labels == k], 0.5, overhead=False) for k in set(labels))
    assert parts <= lossy.segment_length(X, 0.5, overhead=False) + 1e-9


def test_rate_falls_with_eps_and_with_rotation_nothing_changes():
    X, y = lines_and_plane(0)
    Q = np.linalg.qr(rng_of(1).normal(size=(3, 3)))[0]
    lengths = [lossy.coding_length(X, y, eps) for eps in (0.01, 0.1, 1, 10)]
    assert (np.diff(lengths) < 0).all()
    assert np.isclose(lossy.coding_length(Q @ X, y, 0.1), lengths[1], rtol=1e-5)
    assert np.isclose(lossy.coding_length(7 * X, y, 0.7), lengths[1], rtol=1e-5)


# --- the greedy search ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("D", [1, 2, 3, 5, 8, 20])
def test_cluster_is_the_naive_search(D, options):
    """On both sides of D = N, with clusters on both sides of D / 2 and D."""
    for seed, eps in ((0, 0.05), (1, 0.3), (2, 1.0)):
        X = rng_of(seed).normal(size=(D, 13)) * np.geomspace(1, 0.1, D)[:, None] + 0.3
        X[:, 7:] *= 0.3
        np.testing.assert_array_equal(lossy.cluster(X, eps, **options), greedy(X, eps, **options))


@pytest.mark.parametrize("options", OPTIONS)
def test_cluster_from_a_start_is_the_naive_search(options):
    X, start = rng_of(0).normal(size=(4, 24)) * np.array([[1], [0.5], [0.1], [0.1]]), np.repeat([5, 0, 2, 9, 1], [6, 1, 9, 3, 5])
    found = lossy.cluster(X, 0.4, start=start, **options)
    np.testing.assert_array_equal(found, greedy(X, 0.4, start, **options))


def test_against_all_partitions_of_seven_samples():
    """The search is greedy, yet on two noisy lines it finds the shortest of all 877 partitions, and never undercuts it."""
    alls = list(partitions(7))
    assert len(alls) == 877
    for seed in range(6):
        X, _ = two_lines(rng_of(seed))
        lengths = [lossy.coding_length(X, labels, 0.1) for labels in alls]
        assert same(lossy.cluster(X, 0.1), alls[int(np.argmin(lengths))])
    for seed in range(6):  # no structure: close, not always equal
        X = rng_of(seed).normal(size=(2, 7))
        shortest = min(lossy.coding_length(X, labels, 0.3) for labels in alls)
        found = lossy.coding_length(X, lossy.cluster(X, 0.3), 0.3)
        assert shortest - 1e-9 <= found <= 1.1 * shortest


@quick
@given(seeds)
def test_no_merge_of_what_is_found_saves_anything(seed):
    X, _ = lines_and_plane(seed, sizes=(20, 12, 10))
    labels = lossy.cluster(X, 0.1)
    for k, l in itertools.combinations(range(labels.max() + 1), 2):
        assert lossy.merge_gain(X[:, labels == k], X[:, labels == l], 0.1) <= 1e-9


@quick
@given(seeds)
def test_order_and_rotation_of_the_samples_do_not_matter(seed):
    rng = rng_of(seed)
    X, _ = lines_and_plane(seed, sizes=(20, 12, 10))
    order, Q = rng.permutation(42), np.linalg.qr(rng.normal(size=(3, 3)))[0]
    labels = lossy.cluster(X, 0.08)
    assert same(lossy.cluster(X[:, order], 0.08), labels[order])
    assert same(lossy.cluster(Q @ X, 0.08), labels)
    assert same(lossy.cluster(10 * X, 0.8), labels)


def test_ties_go_to_the_earliest_samples_and_labels_are_in_order_of_appearance():
    X = np.array([[2.0, 0, 2, 0, 2, 0], [0, 1, 0, 1, 0, 1]])
    np.testing.assert_array_equal(lossy.cluster(X, 1e-3), [0, 1, 0, 1, 0, 1])
    np.testing.assert_array_equal(lossy.cluster(np.ones((3, 5)), 0.1), np.zeros(5))
    np.testing.assert_array_equal(lossy.cluster(np.zeros((2, 4)), 0.1), np.zeros(4))
    np.testing.assert_array_equal(lossy.cluster([[3.0]], 0.1), [0])


def test_samples_added_as_zeros_in_further_dimensions_only_change_the_factor():
    """log det sees eigenvalues alone; D enters through D / eps^2 and through the price of a basis."""
    X, _ = two_lines(rng_of(0), (8, 8))
    tall = np.concatenate([X, np.zeros((38, 16))])
    np.testing.assert_array_equal(lossy.cluster(tall, 0.1), greedy(tall, 0.1))


# --- what the default does -----------------------------------------------------------------------------------------------------

EPS = np.geomspace(1e-3, 10, 17)


@functools.cache
def found(seed, sigma, overhead):
    X, y = lines_and_plane(seed, sigma)
    labels = [lossy.cluster(X, eps, overhead=overhead) for eps in EPS]
    rates = [lossy.coding_length(X, l, eps, overhead=overhead) / len(y) for l, eps in zip(labels, EPS)]
    return np.array([l.max() + 1 for l in labels]), np.array([adjusted_rand_score(y, l) for l in labels]), np.array(rates)


@pytest.mark.parametrize("sigma", [0.01, 0.02, 0.05])
@pytest.mark.parametrize("seed", [0, 1])
def test_with_the_price_of_bases_the_clusters_are_found_over_two_decades(seed, sigma):
    K, scores, rates = found(seed, sigma, True)
    assert ((K <= 4) & (scores > 0.8)).sum() >= 8 and K[-1] == 1  # three, now and then with a fourth of one or two samples
    assert (np.diff(rates) < 0).all() and rates[-1] < 0.02
    K, scores, _ = found(seed, sigma, False)
    assert ((K <= 4) & (scores > 0.8)).sum() <= 2


def test_three_regimes():
    """Every sample by itself, the right clusters, all in one: without the price of bases, or about means, at very small eps."""
    X, y = lines_and_plane(0, 0.05)
    assert lossy.cluster(X, 1e-4, overhead=False).max() + 1 >= 0.95 * len(y)
    assert lossy.cluster(X, 2e-5, center=True).max() + 1 >= 0.9 * len(y)
    assert adjusted_rand_score(y, lossy.cluster(X, 0.1)) > 0.8
    assert lossy.cluster(X, 10).max() == 0


def test_against_scikit_learn():
    """Lines and planes through 0 are no blobs: methods that go by distance, told that there are three, do not find them. On
    three blobs, about their means, all agree."""
    X, y = lines_and_plane(0)
    ours = adjusted_rand_score(y, lossy.cluster(X, 0.05))
    kmeans = adjusted_rand_score(y, KMeans(3, n_init=10, random_state=0).fit_predict(X.T))
    linkages = [adjusted_rand_score(y, AgglomerativeClustering(3, linkage=name).fit_predict(X.T))
                for name in ("ward", "single", "average")]
    assert ours > 0.9 and max(kmeans, *linkages) < 0.5
    rng = rng_of(0)
    blobs = np.repeat(np.array([[4.0, 0, -4], [0, 5, 1]]), 40, axis=1) + 0.3 * rng.normal(size=(2, 120))
    y = np.repeat([0, 1, 2], 40)
    assert same(lossy.cluster(blobs, 0.3, center=True), y) and same(KMeans(3, n_init=10, random_state=0).fit_predict(blobs.T), y)


# --- refusals ------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("eps", [0, -1.0, np.nan, np.inf])
@pytest.mark.parametrize("f", [lossy.cluster, lossy.segment_length, lambda X, eps: lossy.coding_length(X, [0, 1], eps),
                               lambda X, eps: lossy.merge_gain(X, X, eps)])
def test_eps_must_be_a_number_above_zero(f, eps):
    with pytest.raises(ValueError, match="eps: got"):
        f(np.ones((2, 2)), eps)


@pytest.mark.parametrize("X", [[[1.0, np.nan]], [[np.inf, 1.0]], [1.0, 2.0], np.ones((2, 0)), [["a"]]])
def test_samples_must_be_a_finite_matrix(X):
    with pytest.raises(ValueError, match="X: got"):
        lossy.cluster(X, 0.1)


def test_other_refusals():
    with pytest.raises(ValueError, match="millionth"):
        lossy.cluster(np.ones((2, 3)), 1e-7)
    for labels in ([0, 1], [0.0, 1, 1], [[0, 1, 1]]):
        with pytest.raises(ValueError, match="labels: got"):
            lossy.coding_length(np.ones((2, 3)), labels, 0.1)
        with pytest.raises(ValueError, match="start: got"):
            lossy.cluster(np.ones((2, 3)), 0.1, start=labels)
    with pytest.raises(ValueError, match="X_l: got"):
        lossy.merge_gain(np.ones((2, 3)), np.ones((3, 3)), 0.1)
