"""How alike two partitions of the same samples are, such as classes and the clusters that were found without them.

    accuracy                         share of samples on which they agree, clusters being named as suits best
    normalized_mutual_information    I(y; c) / ((H(y) + H(c)) / 2)
    adjusted_rand_index              pairs on which they agree, beyond what chance would give

A partition is a vector (N,) of integers from 0 on; only who is with whom counts, not the names. All three are 1 for equal
partitions. For two random ones the index is 0 on average; the other two are not, and grow with the number of clusters. These are
the ACC, NMI and ARI of the literature. Everything here is computed on the host, in NumPy's float64, from the table of counts;
bad shapes and traced arguments raise ValueError.
"""

import numpy as np

from book_utils.validate import is_concrete, whole_numbers


def accuracy(labels: np.ndarray, found: np.ndarray) -> float:
    """The largest share of samples with found = labels over all ways to give clusters the names of classes, in [0, 1].

    labels, found: integers (N,) from 0 on. Each name is given once at most: with more clusters than classes some stay without,
    and their samples count as wrong (and the other way round). The best naming is a linear assignment (Kuhn 1955)."""
    counts = _counts(labels, found)
    counts = counts if counts.shape[0] <= counts.shape[1] else counts.T
    return float(counts[np.arange(len(counts)), assignment(-counts)].sum() / counts.sum())


def normalized_mutual_information(labels: np.ndarray, found: np.ndarray) -> float:
    """Mutual information of the two names of a random sample, divided by the mean of their entropies, in [0, 1].

    labels, found: integers (N,) from 0 on. 1 if both have a single part. Source: Strehl & Ghosh 2002; the arithmetic mean."""
    P = _counts(labels, found)
    P = P / P.sum()
    rows, columns = P.sum(axis=1), P.sum(axis=0)
    if P.size == 1:
        return 1.0
    shared = _entropy(rows) + _entropy(columns) - _entropy(P)
    return float(min(max(2 * shared / (_entropy(rows) + _entropy(columns)), 0.0), 1.0))


def adjusted_rand_index(labels: np.ndarray, found: np.ndarray) -> float:
    """(pairs - chance) / (most - chance), at most 1: 1 for equal partitions, negative where they agree less than by chance.

    labels, found: integers (N,) from 0 on. pairs: pairs of samples that are together in both. chance: its mean over random
    partitions with parts of the same sizes. most: the mean of the pairs together in one and in the other.
    Source: Hubert & Arabie 1985."""
    counts = _counts(labels, found)
    pairs = lambda n: float((n * (n - 1) / 2).sum())
    rows, columns = pairs(counts.sum(axis=1)), pairs(counts.sum(axis=0))
    together, all_pairs = pairs(counts), pairs(counts.sum())
    most = (rows + columns) / 2
    if together == most:  # equal partitions; among them those without any pair, or with all
        return 1.0
    chance = rows * columns / all_pairs
    return (together - chance) / (most - chance)


def assignment(costs: np.ndarray) -> np.ndarray:
    """A column for each row of costs (n, m), n <= m, no column twice, at the least total cost: (n,) integers.

    Shortest augmenting paths, O(n^2 m) on the host (Kuhn 1955; Jonker & Volgenant 1987). Finite costs, of any sign."""
    costs = np.asarray(costs)
    if costs.ndim != 2 or costs.shape[0] > costs.shape[1]:
        raise ValueError(f"costs: got shape {costs.shape}, want (n, m) with n <= m")
    n, m = costs.shape
    for_rows, for_columns = np.zeros(n), np.zeros(m + 1)  # prices; column m stands for "the row that is to be placed"
    owner = np.full(m + 1, -1)
    for row in range(n):
        owner[m], column = row, m
        distance, before, done = np.full(m, np.inf), np.full(m, m), np.zeros(m + 1, bool)
        while owner[column] >= 0:
            done[column] = True
            through = costs[owner[column]] - for_rows[owner[column]] - for_columns[:m]
            better = ~done[:m] & (through < distance)
            distance[better], before[better] = through[better], column
            nearest = int(np.argmin(np.where(done[:m], np.inf, distance)))
            step = distance[nearest]
            for_rows[owner[done]] += step
            for_columns[done] -= step
            distance[~done[:m]] -= step
            column = nearest
        while column != m:
            owner[column] = owner[before[column]]
            column = before[column]
    order = np.empty(n, np.int32)
    order[owner[:m][owner[:m] >= 0]] = np.flatnonzero(owner[:m] >= 0)
    return order


def _counts(labels, found):
    """Number of samples in part i of one and part j of the other, (K, M), float64; parts without samples are left out."""
    labels = whole_numbers(labels, "labels")
    found = whole_numbers(found, "found", N=labels.shape[0])
    if not (is_concrete(labels) and is_concrete(found)):
        raise ValueError("labels, found: got traced values, want integers that are known: this is computed on the host")
    rows, columns = (np.unique(part, return_inverse=True)[1] for part in (labels, found))
    counts = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(counts, (rows, columns), 1)
    return counts


def _entropy(p):
    p = p[p > 0]
    return -float(np.sum(p * np.log(p)))
