"""The long measurements of Part 2's second half: clusters by coding length, percolation. Run by `book build --long`."""

import numpy as np

from book_utils import data, lossy_clustering
from book_utils.partitions import adjusted_rand_index
from chapters.ch04_lossy_compression.experiments_clustering import (
    VARIANTS, components, features, k_subspaces, kmeans, lines_and_plane, sweep)

SEEDS = 5


def lengths_over_eps() -> dict:
    """Two lines and a plane: clusters, nats per sample and score, (variants, noises, seeds, eps)."""
    eps, sigmas = np.geomspace(1e-4, 3, 23), [0.02, 0.05]
    found = [[[sweep(*lines_and_plane(seed, sigma), eps, **options) for seed in range(SEEDS)] for sigma in sigmas]
             for options in VARIANTS.values()]
    K, rates, scores = np.moveaxis(np.array(found), 3, 0)
    return {"eps": eps, "sigma": sigmas, "K": K, "rate": rates, "score": scores}


def harder_data() -> dict:
    """Scores of coding length (the three variants), K-subspaces told the dimensions and k-means told K = 3, each (seeds,): under
    outliers, and on curves. eps is 0.05 throughout."""
    def scores(**change):
        rows = []
        for seed in range(SEEDS):
            X, y = lines_and_plane(seed, **change)
            inside = y < 3
            lines = min((k_subspaces(X, [2, 1, 1], start) for start in range(20)), key=lambda pair: pair[0])[1]
            found = [lossy_clustering.cluster(X, 0.05, **options) for options in VARIANTS.values()] + [lines, kmeans(X, 3)]
            rows.append([adjusted_rand_index(y[inside], labels[inside]) for labels in found])
        return np.array(rows).T
    outliers, bends = [0, 0.02, 0.05, 0.1, 0.2, 0.4], [0, 0.1, 0.2, 0.4, 0.8, 1.6]
    return {"methods": [*VARIANTS, "K-subspaces", "k-means"], "outliers": outliers, "bends": bends,
            "by_outliers": [scores(outliers=share) for share in outliers], "by_bends": [scores(bend=bend) for bend in bends]}


def greedy_and_best() -> dict:
    """Lengths: the greedy search above the shortest of all 877 partitions of 7 samples, (seeds,); and against K-subspaces."""
    def partitions(N):
        if N == 1:
            return [(0,)]
        return [(*head, k) for head in partitions(N - 1) for k in range(max(head) + 2)]
    alls, excess = [np.array(p) for p in partitions(7)], {"two lines": [], "no structure": []}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        U = np.linalg.qr(rng.normal(size=(2, 2)))[0] @ np.array([[1, 0.6], [0, 0.8]])
        lines = np.repeat(U, [4, 3], axis=1) * rng.uniform(-1, 1, 7) + 0.02 * rng.normal(size=(2, 7))
        for name, X in (("two lines", lines), ("no structure", rng.normal(size=(3, 7)))):
            shortest = min(lossy_clustering.coding_length(X, labels, 0.02) for labels in alls)
            found = lossy_clustering.coding_length(X, lossy_clustering.cluster(X, 0.02), 0.02)
            excess[name].append(found / shortest - 1)
    runs = []
    for seed in range(SEEDS):
        X, y = lines_and_plane(seed)
        tries = [k_subspaces(X, [2, 1, 1], start) for start in range(20)]
        by_distance = min(tries, key=lambda pair: pair[0])[1]
        for labels in (lossy_clustering.cluster(X, 0.05), by_distance, tries[0][1], y):
            runs.append([lossy_clustering.coding_length(X, labels, 0.05) / len(y), adjusted_rand_index(y, labels)])
    return {"excess": excess, "runs": np.array(runs).reshape(SEEDS, 4, 2).transpose(1, 2, 0)}


def transition_over_N() -> dict:
    """The step to one cluster: the largest eps with K >= 3, and the smallest with K = 1 from there on, (sizes, seeds)."""
    eps, sizes = np.geomspace(0.12, 0.4, 18), [90, 180, 360, 720]
    last, first = [], []
    for N in sizes:
        for seed in range(SEEDS):
            K = np.array(sweep(*lines_and_plane(seed, sizes=(4 * N // 9, 5 * N // 18, 5 * N // 18)), eps)[0])
            last.append(eps[np.flatnonzero(K >= 3)[-1]])
            first.append(eps[np.flatnonzero(K > 1)[-1] + 1])
    return {"N": sizes, "last_three": np.reshape(last, (-1, SEEDS)), "first_one": np.reshape(first, (-1, SEEDS))}


def digits_over_eps() -> dict:
    """Random halves of the digits, (seeds, eps): clusters and score about means, of 10 components; and scores of k-means, told
    K = 10, 12, 15, (seeds, 3)."""
    X, y = (np.asarray(a) for a in data.digits())
    Z, eps = features(X.astype(float), 10), np.array([0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0])
    K, scores, others = [], [], []
    for seed in range(SEEDS):
        half = np.random.default_rng(seed).permutation(len(y))[: len(y) // 2]
        found = [lossy_clustering.cluster(Z[:, half], e, center=True) for e in eps]
        K.append([labels.max() + 1 for labels in found])
        scores.append([adjusted_rand_index(y[half], labels) for labels in found])
        others.append([adjusted_rand_index(y[half], kmeans(Z[:, half], K_, seed)) for K_ in (10, 12, 15)])
    return {"eps": eps, "K": K, "score": scores, "kmeans": others}


def percolation() -> dict:
    """Points at eta = N pi eps^2, eps = 0.02, in the unit square, (eta, seeds): share in the largest cluster, number of clusters,
    whether one cluster joins left and right, and the share of the middle that is covered."""
    eta, eps = np.array([0.3, 0.6, 0.9, 1.0, 1.128, 1.25, 1.4, 1.7, 2.2, 3.0, 4.0]), 0.02
    line = np.linspace(0.1, 0.9, 60)
    grid = np.stack(np.meshgrid(line, line)).reshape(2, -1)
    largest, K, joins, covered = [], [], [], []
    for rng in [np.random.default_rng(seed) for seed in range(SEEDS) for _ in eta]:
        N = rng.poisson(eta[len(K) % len(eta)] / (np.pi * eps**2))
        X = rng.random((2, N))
        labels = components(X, 2 * eps)
        largest.append(np.bincount(labels).max() / N)
        K.append(labels.max() + 1)
        joins.append(bool(np.isin(labels[X[0] <= eps], labels[X[0] >= 1 - eps]).any()))
        covered.append(np.mean([(((X - g[:, None]) ** 2).sum(axis=0) <= eps**2).any() for g in grid.T]))
    shaped = {"largest": largest, "K": K, "joins": joins, "covered": covered}
    return {"eta": eta} | {name: np.reshape(values, (SEEDS, -1)).T for name, values in shaped.items()}
