"""Agreement of partitions against scikit-learn and SciPy."""

import jax
import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from book_utils import partitions
from book_utils.partitions import accuracy, adjusted_rand_index, assignment, normalized_mutual_information

from oracles import rng_of

SCORES = [accuracy, normalized_mutual_information, adjusted_rand_index]


def sklearn_accuracy(labels, found):
    counts = metrics.cluster.contingency_matrix(labels, found)
    return counts[scipy.optimize.linear_sum_assignment(-counts)].sum() / len(labels)


PAIRS = [(accuracy, sklearn_accuracy), (normalized_mutual_information, metrics.normalized_mutual_info_score),
         (adjusted_rand_index, metrics.adjusted_rand_score)]


@pytest.mark.parametrize("score, theirs", PAIRS, ids=lambda f: f.__name__)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), N=st.integers(1, 60), K=st.integers(1, 8), M=st.integers(1, 12))
def test_scores_agree_with_scikit_learn(score, theirs, seed, N, K, M):
    """Few samples and many of them, names without samples, single parts."""
    rng = rng_of(seed)
    labels, found = rng.integers(K, size=N), 3 * rng.integers(M, size=N)
    agree = rng.random(N) < 0.5
    found[agree] = 2 * labels[agree]
    assert abs(score(labels, found) - theirs(labels, found)) < 1e-12


@pytest.mark.parametrize("score", SCORES, ids=lambda f: f.__name__)
def test_names_do_not_count_and_nor_does_the_order(score):
    rng = rng_of(1)
    labels, found = rng.integers(4, size=90), rng.integers(6, size=90)
    order = rng.permutation(90)
    value = score(labels, found)
    assert score(labels[order], rng.permutation(6)[found][order]) == pytest.approx(value, abs=1e-12)
    assert score(found, labels) == pytest.approx(value, abs=1e-12)
    assert score(labels, (3 - labels) * 5) == 1
    assert isinstance(value, float)


def test_values_by_hand():
    labels, found = [0, 0, 0, 1, 1, 1], [0, 0, 1, 2, 2, 2]
    assert accuracy(labels, found) == pytest.approx(5 / 6)
    entropies = np.log(2), -(1 / 3 * np.log(1 / 3) + 1 / 6 * np.log(1 / 6) + 1 / 2 * np.log(1 / 2))
    assert normalized_mutual_information(labels, found) == pytest.approx(2 * np.log(2) / sum(entropies))
    assert adjusted_rand_index(labels, found) == pytest.approx((4 - 6 * 4 / 15) / (5 - 6 * 4 / 15))


def test_chance_scores_zero_in_one_of_the_three():
    rng = rng_of(2)
    runs = np.array([[score(rng.integers(5, size=40), rng.integers(10, size=40)) for score in SCORES] for _ in range(400)])
    accuracies, informations, indices = runs.T
    assert abs(indices.mean()) < 4 * indices.std() / 20 < accuracies.mean() and informations.mean() > 0.2


@pytest.mark.parametrize("score", SCORES, ids=lambda f: f.__name__)
def test_what_is_refused(score):
    for labels, found, said in (([0, 1], [0, 1, 2], "found: got shape"), ([0.0, 1.0], [0, 1], "labels: got values of type"),
                                ([0, 1], [0, -1], "found: got -1"), ([[0, 1]], [0, 1], "labels: got shape"), ([], [], "labels")):
        with pytest.raises(ValueError, match=said):
            score(labels, found)
    with pytest.raises(ValueError, match="traced"):
        jax.jit(score)(np.array([0, 1]), np.array([0, 1]))


def test_assignment_agrees_with_scipy():
    rng = rng_of(39)
    for costs in (np.zeros((3, 3)), np.ones((2, 5)), np.round(rng.normal(size=(20, 25))), rng.normal(size=(30, 30)),
                  rng.integers(5, size=(6, 9))):
        columns = assignment(costs)
        rows, theirs = scipy.optimize.linear_sum_assignment(costs)
        assert len(set(columns.tolist())) == len(costs)
        assert costs[np.arange(len(costs)), columns].sum() == pytest.approx(costs[rows, theirs].sum(), abs=1e-9)
    with pytest.raises(ValueError, match=r"costs: got shape \(3, 2\)"):
        assignment(np.zeros((3, 2)))


def test_thousands_of_samples_at_once():
    rng = rng_of(3)
    labels, found = rng.integers(100, size=100_000), rng.integers(120, size=100_000)
    assert all(0 <= score(labels, found) < 0.1 for score in (accuracy, normalized_mutual_information))
    assert partitions.adjusted_rand_index(labels, found) == pytest.approx(0, abs=1e-3)
