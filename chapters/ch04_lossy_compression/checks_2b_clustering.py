"""Exercises of Part 2, second half: clusters by coding length, percolation, patches of images."""

import itertools

import numpy as np

from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds
from book_utils import lossy_clustering


def rate(X, eps):
    """Nats per sample of X (D, N), from the eigenvalues of its second moments, in float64."""
    D, N = X.shape
    return 0.5 * np.log(1 + D / eps**2 * np.linalg.eigvalsh(X @ X.T / N).clip(0)).sum()


def length(X, eps):
    return (X.shape[1] + X.shape[0]) * rate(X, eps)


def total(X, labels, eps):
    """Nats of a partition: every cluster, and which sample is in which."""
    labels = list(labels)
    parts = [[i for i, l in enumerate(labels) if l == k] for k in set(labels)]
    return sum(length(X[:, part], eps) - len(part) * np.log(len(part) / len(labels)) for part in parts)


def groups(labels):
    """A partition as a set of sets, whatever its numbers."""
    labels = np.asarray(labels).tolist()
    return {frozenset(i for i, l in enumerate(labels) if l == k) for k in labels}


def crossing_lines(rng, sizes=(5, 4), noise=0.01):
    """Noisy samples (2, N) of two lines through 0, 50 to 90 degrees apart, nowhere nearer to 0 than 0.5."""
    turn, apart = rng.uniform(0, np.pi), rng.uniform(0.9, 1.5)
    along = rng.uniform(0.5, 1.5, sum(sizes)) * rng.choice([-1, 1], sum(sizes))
    angles = np.repeat([turn, turn + apart], sizes)
    return along * np.stack([np.cos(angles), np.sin(angles)]) + noise * rng.normal(size=(2, sum(sizes)))


# P4.13

segment_length = Exercise(
    "ch04.segment_length", "The length of one cluster", principles=["P4.13"], label="alg:steepest_descent_coding_length",
    minutes=8, level="more", objective="count the nats that code the samples of one cluster, its basis included",
    hints=["The coding rate of these samples first: nats for one of them.",
           "R = log det(I + D / (N_k eps^2) X_k X_k^T) / 2, with the cluster's own N_k.",
           "Then (N_k + D) of these: N_k for the samples, D for the directions of the basis."])


@segment_length.law("(N_k + D) times the rate from the eigenvalues of the second moments")
def segment_by_eigenvalues(f, rng):
    for eps in (0.2, 1.0):
        X = rng.normal(size=(3, 7)) * np.array([[2.0], [1], [0.3]])
        close(f(X, eps), length(X, eps))


@segment_length.law("every sample twice: the rate stays, N_k doubles")
def segment_doubled(f, rng):
    X = rng.normal(size=(3, 7))
    close(f(np.concatenate([X, X], axis=1), 0.5), (14 + 3) / (7 + 3) * np.asarray(f(X, 0.5), dtype=float))


@segment_length.law("samples and eps in another unit: the same length")
def segment_in_other_units(f, rng):
    X = rng.normal(size=(3, 7))
    close(f(10 * X, 4.0), f(X, 0.4))


@segment_length.law("one sample x: (1 + D) log(1 + D ||x||^2 / eps^2) / 2")
def segment_of_one(f, rng):
    x = rng.normal(size=(3, 1))
    close(f(x, 0.5), 2 * np.log(1 + 3 * np.sum(x**2) / 0.25))


segment_length.wrong("eps not squared", replace=("eps**2", "eps"), caught_by=segment_in_other_units,
                     hint="X_k X_k^T has the unit of X squared. What must divide it?")
segment_length.wrong("no nats for the basis", replace=("(N_k + D) *", "N_k *"), caught_by=segment_of_one,
                     hint="Who decodes has to know the directions of the cluster too: D more vectors.")
segment_length.wrong("the nats of the basis inside the logarithm", replace=("(N_k * eps", "((N_k + D) * eps"),
                     caught_by=segment_by_eigenvalues,
                     hint="X_k X_k^T / N_k is a mean over samples; the basis adds none.")
segment_length.wrong("forgets the half", replace=(" / 2", ""), caught_by=segment_of_one,
                     hint="A standard deviation is the root of a variance: half of the logarithm.")
segment_length.wrong("eps per coordinate", replace=("D / (N_k", "1 / (N_k"), caught_by=segment_by_eigenvalues,
                     hint="eps^2 is for all D coordinates together: each may be off by eps^2 / D.")


@segment_length.right("from singular values, on the smaller side")
def _(X_k, eps):
    D, N_k = X_k.shape
    s = np.linalg.svd(np.asarray(X_k, dtype=float), compute_uv=False)
    return sum(0.5 * (N_k + D) * np.log1p(D * a**2 / (N_k * eps**2)) for a in s)


@segment_length.right("sample by sample, by a Cholesky factor")
def _(X_k, eps):
    X_k = np.asarray(X_k, dtype=float)
    D, N_k = X_k.shape
    M = np.eye(D)
    for x in X_k.T:
        M += D / (N_k * eps**2) * np.outer(x, x)
    return (N_k + D) * np.log(np.linalg.cholesky(M).diagonal()).sum()


label_bits = Derivation(
    "ch04.label_bits", "What a merge changes in the labels", principles=["P4.13"], label="alg:steepest_descent_coding_length",
    minutes=8, level="more", objective="show that the labels' share of a merge is the business of two clusters alone",
    stages=[Stage("written out for the two clusters, the others gone", uses={"N_k", "N_l", "N"}, without={"bits", "others"})],
    hints=["The terms of the other clusters stand in both sums. What is left?",
           "-N_k log(N_k / N) - N_l log(N_l / N), and plus (N_k + N_l) log((N_k + N_l) / N).",
           "Give N_k of the last logarithm to the first term and N_l to the second.",
           "In N_k (log((N_k + N_l) / N) - log(N_k / N)) the N cancels."])


@label_bits.instance
def _(rng):
    return dict(sizes=tuple(rng.integers(2, 30, 5).tolist()))


label_bits.wrong("forgets the cluster that results", replace=(" + (N_k + N_l) * log((N_k + N_l) / N)", ""), caught_by="equal",
                 hint="After the merge there is one cluster of N_k + N_l samples, and it pays too.")
label_bits.wrong("a sign", replace=("- N_l * log(N_l / N)", "+ N_l * log(N_l / N)"), caught_by="equal",
                 hint="Both clusters pay before the merge.")
label_bits.wrong("logarithms in place of lengths", replace=("-N_k * log(N_k / N)", "-log(N_k / N)"), caught_by="equal",
                 hint="Every one of the N_k samples pays log(N / N_k).")
label_bits.wrong("half of the logarithm to each", replace=("yield N_k * (log((N_k + N_l) / N) -",
                 "yield N_k * (log((N_k + N_l) / N) / 2 -"), caught_by="equal",
                 hint="(N_k + N_l) times the logarithm is N_k times it, and N_l times it.")


@label_bits.right("with ratios at once")
def _(sizes):
    N_k, N_l, *others = sizes
    N = sum(sizes)
    log = np.log
    bits = lambda sizes: -sum(n * log(n / sum(sizes)) for n in sizes)
    yield bits([N_k, N_l, *others]) - bits([N_k + N_l, *others])
    yield (N_k + N_l) * log(N_k + N_l) - (N_k + N_l) * log(N) - N_k * (log(N_k) - log(N)) - N_l * (log(N_l) - log(N))
    yield (N_k + N_l) * log(N_k + N_l) - N_k * log(N_k) - N_l * log(N_l)
    yield -N_k * log(N_k / (N_k + N_l)) - N_l * log(N_l / (N_k + N_l))


merge_gain = Exercise(
    "ch04.merge_gain", "What a merge saves", principles=["P4.13"], label="alg:steepest_descent_coding_length", minutes=12,
    needs=["ch04.segment_length"], objective="decide by coding length whether two clusters had better be one",
    hints=["Three lengths: X_k alone, X_l alone, both as one cluster. And a price: labels, which only two clusters need.",
           "segment_length gives all three lengths. np.concatenate([X_k, X_l], axis=1) is the union.",
           "Labels: every one of the N_k samples pays log((N_k + N_l) / N_k), every one of the N_l log((N_k + N_l) / N_l).",
           "Saved is what is paid before, labels included, minus what is paid after."])


@merge_gain.law("the change of the length of a whole partition, with two more clusters that take no part")
def gain_is_change_of_total(f, rng):
    X = rng.normal(size=(3, 11)) * np.array([[2.0], [1], [0.2]])
    before, after = np.repeat([0, 1, 2, 3], [2, 5, 2, 2]), np.repeat([0, 0, 2, 3], [2, 5, 2, 2])
    close(f(X[:, :2], X[:, 2:7], 0.5), total(X, before, 0.5) - total(X, after, 0.5))


@merge_gain.law("positive for two halves of one line, negative for two lines that cross")
def gain_on_two_lines(f, rng):
    X = crossing_lines(rng, (20, 20))
    holds(np.asarray(f(X[:, :10], X[:, 10:20], 0.1), dtype=float) > 0, "merging two halves of one line is said to cost nats")
    holds(np.asarray(f(X[:, :20], X[:, 20:], 0.1), dtype=float) < 0, "merging two lines that cross is said to save nats")


@merge_gain.law("the same for X_l and X_k, and under rotations")
def gain_is_symmetric(f, rng):
    X, Q = rng.normal(size=(3, 7)), np.linalg.qr(rng.normal(size=(3, 3)))[0]
    found = f(X[:, :2], X[:, 2:], 0.4)
    close(f(X[:, 2:], X[:, :2], 0.4), found)
    close(f(Q @ X[:, :2], Q @ X[:, 2:], 0.4), found)


@merge_gain.law("where eps is huge only labels count: with N_k = N_l = N / 2 it is N log 2")
def gain_without_samples(f, rng):
    X = rng.normal(size=(3, 8))
    close(f(X[:, :4], X[:, 4:], 1e4), 8 * np.log(2))


merge_gain.wrong("the printed sentence: what it costs", replace=("apart + pay - together", "together - apart - pay"),
                 caught_by=gain_on_two_lines, hint="A gain is positive where the union is the cheaper one.")
merge_gain.wrong("no labels", replace=("apart + pay - together", "apart - together"), caught_by=gain_without_samples,
                 hint="Two clusters have to say which sample is in which. One has not.")
merge_gain.wrong("labels paid by the union", replace=("apart + pay - together", "apart - pay - together"),
                 caught_by=gain_without_samples, hint="Who pays for labels: one cluster, or two?")
merge_gain.wrong("one sample's labels", replace=("pay = N_k * np.log", "pay = np.log"), caught_by=gain_without_samples,
                 hint="Every sample is labelled, so the logarithm counts N_k times.")
merge_gain.wrong("only X_k is labelled", replace=(" + N_l * np.log((N_k + N_l) / N_l)", ""), caught_by=gain_is_symmetric,
                 hint="X_k and X_l play the same part.")
merge_gain.wrong("two clusters, one length", replace=("segment_length(X_k, eps) + segment_length(X_l, eps)",
                 "segment_length(X_k, eps)"), caught_by=gain_is_change_of_total, hint="Apart, both clusters have to be coded.")


@merge_gain.right("by determinants, written out")
def _(X_k, X_l, eps):
    def nats(Y, others):
        D, n = Y.shape
        R = np.log(np.linalg.det(np.eye(D) + D / (n * eps**2) * Y @ Y.T)) / 2
        return (n + D) * R - n * np.log(n / (n + others))
    X_k, X_l = np.asarray(X_k, dtype=float), np.asarray(X_l, dtype=float)
    return nats(X_k, X_l.shape[1]) + nats(X_l, X_k.shape[1]) - nats(np.hstack([X_k, X_l]), 0)


cluster = Exercise(
    "ch04.cluster", "Merge while it saves", principles=["P4.13"], label="alg:steepest_descent_coding_length", minutes=15,
    needs=["ch04.merge_gain"], stand_in=lossy_clustering.cluster,
    objective="cluster samples by merging greedily, with no number of clusters given",
    hints=["Begin with labels = np.arange(N): every sample its own cluster. Then repeat: all pairs, the best, merge or stop.",
           "X = np.asarray(X) first; then X[:, labels == k] is cluster k. A dict {(k, l): merge_gain(...)} holds all gains.",
           "best = max(gains, key=gains.get). If there is no pair, or gains[best] <= 0, it is over.",
           "Merging is labels[labels == l] = k with k < l. At the end np.unique(labels, return_inverse=True)[1] renumbers."])


def greedy(X, eps):
    """The labels of Algorithm 4.1 in float64: at every step the shortest of all partitions that one merge leads to."""
    labels = list(range(X.shape[1]))
    while len(set(labels)) > 1:
        merged = [[k if other == l else other for other in labels] for k, l in itertools.combinations(sorted(set(labels)), 2)]
        lengths = [total(X, candidate, eps) for candidate in merged]
        if min(lengths) >= total(X, labels, eps):
            break
        labels = merged[int(np.argmin(lengths))]
    return [sorted(set(labels)).index(k) for k in labels]


@cluster.law("the two lines that cross, and no third cluster")
def cluster_two_lines(f, rng):
    X = crossing_lines(rng)
    holds(groups(f(X, 0.05)) == groups(np.repeat([0, 1], [5, 4])), "two lines of 5 and 4 samples are cut up in another way")


@cluster.law("at every step the merge that saves most, until none saves anything: by comparing whole partitions")
def cluster_step_by_step(f, rng):
    X = rng.normal(size=(2, 9)) * np.repeat([1.0, 0.1], [5, 4]) + np.repeat([[0.0], [0.4]], [1, 1], axis=0)
    for eps in (0.1, 0.6):
        holds(groups(f(X, eps)) == groups(greedy(X, eps)), "the clusters are not those of steepest descent")


@cluster.law("no two of the clusters found save anything by merging; and some merges have been made")
def cluster_is_done(f, rng):
    X = np.concatenate([crossing_lines(rng), 0.02 * rng.normal(size=(1, 9))])
    labels = np.asarray(f(X, 0.05)).astype(int)
    K = labels.max() + 1
    holds(K < 9, "nothing has been merged")
    for k, l in itertools.combinations(range(K), 2):
        merged = np.where(labels == l, k, labels)
        holds(total(X, merged, 0.05) > total(X, labels, 0.05) - 1e-3, "two of your clusters had better be one")


@cluster.law("one cluster where eps is huge")
def cluster_lazy(f, rng):
    holds(len(groups(f(rng.normal(size=(2, 9)), 100.0))) == 1, "with eps far above all samples there is more than one cluster")


@cluster.law("labels are 0, ..., K - 1 in the order of first appearance")
def cluster_numbers(f, rng):
    X = crossing_lines(rng)[:, [5, 6, 0, 1, 7, 2, 3, 8, 4]]
    close(f(X, 0.05), [0, 0, 1, 1, 0, 1, 1, 0, 1])


cluster.wrong("merges the worst pair", replace=("max(gains,", "min(gains,"), caught_by=cluster_two_lines,
              hint="A gain is what is saved. Which pair saves most?")
cluster.wrong("stops where merging pays", replace=("gains[best] <= 0", "gains[best] >= 0"), caught_by=cluster_is_done,
              hint="As long as the best gain is positive there is something to save.")
cluster.wrong("never stops before one", replace=(" or gains[best] <= 0", ""), caught_by=cluster_two_lines,
              hint="When the best gain is negative every merge makes the code longer.")
cluster.wrong("looks at the first pair only", replace=("max(gains, key=gains.get, default=None)", "next(iter(gains), None)"),
              caught_by=cluster_two_lines, hint="That the first pair does not pay says nothing of the others.")
cluster.wrong("any pair that pays", replace=("max(gains, key=gains.get, default=None)",
              "next((pair for pair in gains if gains[pair] > 0), None)"), caught_by=cluster_step_by_step,
              hint="Steepest descent takes the pair that saves most.")
cluster.wrong("gains of clusters as they once were", replace=("X[:, labels == k]", "X[:, [k]]"), caught_by=cluster_step_by_step,
              hint="After a merge the cluster has more samples: its gains are others now.")
cluster.wrong("numbers with gaps", replace=("np.unique(labels, return_inverse=True)[1]", "labels"), caught_by=cluster_numbers,
              hint="The labels that are left are 0 and 1, or 0 and 5?")


@cluster.right("with lists of columns, lengths kept")
def _(X, eps):
    X = np.asarray(X, dtype=float)
    D, N = X.shape

    def nats(part):
        n = len(part)
        return (n + D) / 2 * np.linalg.slogdet(np.eye(D) + D / (n * eps**2) * X[:, part] @ X[:, part].T)[1] - n * np.log(n)
    parts = [[i] for i in range(N)]
    while len(parts) > 1:
        now = [nats(p) for p in parts]
        saved, k, l = max((now[k] + now[l] - nats(parts[k] + parts[l]), k, l) for l in range(len(parts)) for k in range(l))
        if saved <= 0:
            break
        parts[k] += parts.pop(l)
    labels = np.empty(N, dtype=int)
    for k, part in enumerate(sorted(parts, key=min)):
        labels[part] = k
    return labels


split_gap = Exercise(
    "ch04.split_gap", "Cutting is free without labels", principles=["P4.13"], label="alg:steepest_descent_coding_length",
    minutes=10, level="more", objective="see that without the price of labels no cut ever costs anything",
    hints=["First the rate R of any samples Y (D, n), with their own n. You need it for X and for every class.",
           "Nats of a class are n R, and of all samples N R: the difference is what cutting saves.",
           "Labels: every sample of a class of n samples pays log(N / n).",
           "np.bincount(labels) are the sizes; leave out those that are 0."])


def gap_by_hand(X, labels, eps):
    N, parts = X.shape[1], [X[:, labels == k] for k in set(labels.tolist())]
    return (N * rate(X, eps) - sum(part.shape[1] * rate(part, eps) for part in parts),
            sum(part.shape[1] * np.log(N / part.shape[1]) for part in parts))


@split_gap.law("both numbers, from the eigenvalues of second moments, with a class that is empty")
def gap_by_eigenvalues(f, rng):
    X, labels = rng.normal(size=(3, 8)) * np.array([[2.0], [1], [0.2]]), np.array([0, 2, 2, 3, 0, 2, 3, 2])
    for actual, expected in zip(f(X, labels, 0.5), gap_by_hand(X, labels, 0.5)):
        close(actual, expected)


@split_gap.law("cutting never costs, and cutting further never costs more: the rate is concave in the second moments")
def gap_is_positive(f, rng):
    X, fine = rng.normal(size=(3, 8)), np.array([0, 1, 2, 3, 0, 1, 2, 3])
    coarse = np.asarray(f(X, fine // 2, 0.5)[0], dtype=float)
    holds(coarse > 0, "cutting in two is said to cost nats")
    holds(np.asarray(f(X, fine, 0.5)[0], dtype=float) >= coarse - 1e-3, "cutting further is said to cost nats")


@split_gap.law("nothing saved where both classes have the same second moments")
def gap_of_equal_classes(f, rng):
    X = rng.normal(size=(3, 4))
    saved, labels = f(np.concatenate([X, -X], axis=1), np.repeat([0, 1], 4), 0.5)
    close(saved, 0)
    close(labels, 8 * np.log(2))


@split_gap.law("every sample by itself: labels cost N log N")
def gap_of_singletons(f, rng):
    X = rng.normal(size=(3, 8))
    saved, labels = f(X, np.arange(8), 0.5)
    close(labels, 8 * np.log(8))
    close(saved, 8 * rate(X, 0.5) - 0.5 * sum(np.log(1 + 3 * x @ x / 0.25) for x in X.T))


split_gap.wrong("what cutting costs", replace=("N * rate(X) - parts", "parts - N * rate(X)"), caught_by=gap_is_positive,
                hint="Saved is the whole minus the parts.")
split_gap.wrong("a class with the whole's N", replace=("Y.shape[1] * eps", "N * eps"), caught_by=gap_by_eigenvalues,
                hint="A class has second moments of its own, a mean over its own samples.")
split_gap.wrong("classes unweighted", replace=("sum(n * rate", "sum(rate"), caught_by=gap_of_equal_classes,
                hint="A rate is for one sample; a class has n of them.")
split_gap.wrong("rates in place of nats", replace=("N * rate(X) - parts", "rate(X) - parts / N"), caught_by=gap_by_eigenvalues,
                hint="Nats for all N samples are asked for.")
split_gap.wrong("labels by number of classes", replace=("n * np.log(N / n)", "n * np.log(len(sizes))"),
                caught_by=gap_by_eigenvalues, hint="Short words for large classes: log(N / n), not log K.")
split_gap.wrong("labels in what is saved", replace=("N * rate(X) - parts,",
                "N * rate(X) - parts - sum(n * np.log(N / n) for n in sizes if n),"),
                caught_by=gap_of_equal_classes, hint="They are the second number.")


@split_gap.right("with masks, all determinants at once")
def _(X, labels, eps):
    X, labels = np.asarray(X, dtype=float), np.asarray(labels)
    D, N = X.shape
    masks = np.stack([np.ones(N), *[(labels == k).astype(float) for k in np.unique(labels)]])
    M = np.eye(D) + D / eps**2 * np.einsum("in,kn,jn->kij", X, masks, X) / masks.sum(axis=1)[:, None, None]
    whole, *parts = masks.sum(axis=1) * np.linalg.slogdet(M)[1] / 2
    saved, masks = whole - sum(parts), masks[1:]
    return saved, sum(-mask.sum() * np.log(mask.mean()) for mask in masks)


# P4.14

coverage = Exercise(
    "ch04.coverage", "How much do the discs cover?", principles=["P4.14"], label="fig:circle-packing", minutes=8, level="more",
    objective="compute the share of the plane within eps of a random point",
    hints=["When is a place not covered? When there is no point within eps of it.",
           "With N points per unit area the number in a disc of radius eps has a Poisson law of mean N pi eps^2.",
           "A Poisson variable of mean eta is 0 with probability exp(-eta). Covered is the rest."])


@coverage.law("more points: what is uncovered by both of two independent sets is uncovered by one and by the other")
def coverage_multiplies(f, rng):
    bare = lambda N: 1 - np.asarray(f(0.1, N), dtype=float)
    close(bare(50), bare(20) * bare(30))


@coverage.law("few and small discs: their areas add up")
def coverage_of_few(f, rng):
    close(np.asarray(f(0.001, 3), dtype=float) / (3 * np.pi * 1e-6), 1, tol=5)


@coverage.law("points dropped on a torus 200 times, looked at in 200 places: within 5 standard errors")
def coverage_by_dropping(f, rng):
    N, eps, shares = 40, 0.08, []
    for _ in range(200):
        away = np.abs(rng.random((2, rng.poisson(N), 1)) - rng.random((2, 1, 200)))
        shares.append(((np.minimum(away, 1 - away) ** 2).sum(axis=0) <= eps**2).any(axis=0).mean())
    error = 5 * np.std(shares) / 200**0.5
    holds(abs(np.asarray(f(eps, N), dtype=float) - np.mean(shares)) < error, "dropped points cover another share")


@coverage.law("never above 1")
def coverage_is_a_share(f, rng):
    holds(np.asarray(f(0.5, 100), dtype=float) <= 1, "more than all of the plane is covered")


coverage.wrong("adds up the areas", replace=("1 - np.exp(-eta)", "eta"), caught_by=coverage_is_a_share,
               hint="Where discs overlap the area counts once.")
coverage.wrong("what is left bare", replace=("1 - np.exp(-eta)", "np.exp(-eta)"), caught_by=coverage_of_few,
               hint="exp(-eta) is the probability of no point. Which share is asked for?")
coverage.wrong("a square's area", replace=("np.pi * eps**2", "(2 * eps) ** 2"), caught_by=coverage_by_dropping,
               hint="Within eps of a place: a disc, not a square.")
coverage.wrong("discs of diameter eps", replace=("np.pi * eps**2", "np.pi * eps**2 / 4"), caught_by=coverage_by_dropping,
               hint="eps is the radius.")
coverage.wrong("as if one point were sure to be near", replace=("np.exp(-eta)", "eta * np.exp(-eta)"), caught_by=coverage_of_few,
               hint="eta exp(-eta) is the probability of exactly one point.")


@coverage.right("summing the Poisson law")
def _(eps, N):
    eta, share, term = N * np.pi * eps**2, 0.0, np.exp(-N * np.pi * eps**2)
    for n in range(1, 400):
        term *= eta / n
        share += term
    return share


percolates = Exercise(
    "ch04.percolates", "From left to right through discs", principles=["P4.14"], label="fig:circle-packing", minutes=12,
    level="more", objective="find out whether discs that overlap join two sides of a square",
    hints=["Which pairs of discs overlap? Centres at most how far apart?",
           "Spread a set: at first the discs that meet the left side; then all that overlap one of the set, again and again.",
           "near = squared distances (N, N) <= (2 eps)^2; reached = near[reached].any(axis=0), N times at most.",
           "At the end: is a disc that meets the right side, X[0] >= 1 - eps, among those reached?"])


def spans(X, eps):
    """Which discs hang together with the left side, and whether one of them meets the right side, by union-find."""
    N = X.shape[1]
    parent = list(range(N + 1))

    def root(i):
        while parent[i] != i:
            i = parent[i]
        return i
    for i in range(N):
        if X[0, i] <= eps:
            parent[root(i)] = root(N)
        for j in range(i):
            if np.hypot(*(X[:, i] - X[:, j])) <= 2 * eps:
                parent[root(i)] = root(j)
    reached = np.array([root(i) == root(N) for i in range(N)])
    return reached, bool((reached & (X[0] >= 1 - eps)).any())


def says(f, X, eps, expected):
    answer = np.asarray(f(X, eps)[1])
    holds(answer.shape == () and bool(answer) == expected,
          f"discs that {'do' if expected else 'do not'} join left and right are said {'not ' if expected else ''}to")


@percolates.law("random discs, by union-find, on both sides of the threshold")
def percolation_by_union_find(f, rng):
    for eps in [0.095, 0.1, 0.11, 0.09, 0.08, 0.06, 0.14] * 2:
        X = rng.random((2, 45))
        reached, joined = spans(X, eps)
        close(f(X, float(eps))[0], reached)
        says(f, X, float(eps), joined)


@percolates.law("a chain with steps just below 2 eps joins, with one step just above 2 eps it does not")
def percolation_of_a_chain(f, rng):
    for longest, joined in ((0.198, True), (0.202, False)):
        x = np.cumsum([0.09, 0.19, 0.19, longest, 0.19, 0.07])
        says(f, np.stack([x, np.full(6, 0.5)])[:, rng.permutation(6)], 0.1, joined)


@percolates.law("a chain that winds back and forth, its discs in any order")
def percolation_of_a_snake(f, rng):
    x = np.concatenate([np.linspace(0.05, 0.9, 11), [0.9, 0.9], np.linspace(0.9, 0.135, 10), [0.135, 0.135],
                        np.linspace(0.135, 0.985, 11)])
    y = np.concatenate([np.full(11, 0.1), [0.2, 0.3], np.full(10, 0.4), [0.5, 0.6], np.full(11, 0.7)])
    X = np.stack([x, y])[:, rng.permutation(len(x))]
    says(f, X, 0.055, True)
    says(f, X[:, X[1] != 0.5], 0.055, False)


@percolates.law("the same in the mirror, and in another order")
def percolation_in_the_mirror(f, rng):
    for _ in range(6):
        X = rng.random((2, 45))
        found = bool(np.asarray(f(X, 0.09)[1]))
        says(f, np.stack([1 - X[0], X[1]]), 0.09, found)
        says(f, X[:, ::-1].copy(), 0.09, found)


percolates.wrong("centres at most eps apart", replace=("(2 * eps) ** 2", "eps**2"), caught_by=percolation_of_a_chain,
                 hint="Two discs of radius eps touch when their centres are 2 eps apart.")
percolates.wrong("a square against a length", replace=("(2 * eps) ** 2", "2 * eps"), caught_by=percolation_by_union_find,
                 hint="On the left side there are squares of distances.")
percolates.wrong("one step only", replace=("range(X.shape[1])", "range(1)"), caught_by=percolation_of_a_chain,
                 hint="A chain may have as many links as there are discs.")
percolates.wrong("from left to left", replace=("X[0] >= 1 - eps", "X[0] <= eps"), caught_by=percolation_of_a_chain,
                 hint="The chain ends at the right side.")
percolates.wrong("some disc on the left, some on the right", replace=("(reached & (X[0] >= 1 - eps))", "(X[0] >= 1 - eps)"),
                 caught_by=percolation_of_a_chain, hint="It has to be one that was reached from the left.")
percolates.wrong("from bottom to right", replace=("reached = X[0] <= eps", "reached = X[1] <= eps"),
                 caught_by=percolation_of_a_chain, hint="Row 0 of X holds the positions from left to right.")


@percolates.right("by powers of the adjacency matrix")
def _(X, eps):
    X = np.asarray(X, dtype=float)
    N = X.shape[1]
    A = np.zeros((N + 1, N + 1))
    A[:N, :N] = ((X[:, :, None] - X[:, None]) ** 2).sum(axis=0) <= 4 * eps**2
    A[N, :N] = A[:N, N] = X[0] <= eps
    A += np.eye(N + 1)
    for _ in range(12):
        A = np.minimum(A @ A, 1.0)
    return A[N, :N] > 0, A[N, :N] @ (X[0] >= 1 - eps) > 0


# P4.15

extract_patches = Exercise(
    "ch04.extract_patches", "A picture as samples", principles=["P4.15"], label="eg:image-segmentation", minutes=10, level="more",
    objective="cut an image into patches, one per column",
    hints=["Where may the upper left corner of a patch stand? In rows 0, stride, 2 stride, ... up to H - w.",
           "range(0, H - w + 1, stride) for the rows, the same with W for the columns; columns are the inner loop.",
           "image[i:i + w, j:j + w].ravel() is a patch read row by row; np.stack(..., axis=1) puts patches side by side."])


@extract_patches.law("every pixel of every patch is the pixel of the image that it should be")
def patches_pixel_by_pixel(f, rng):
    for w, stride in ((3, 2), (2, 1)):
        image = rng.random((8, 6))
        corners = [(i, j) for i in range(8) for j in range(6) if i % stride == 0 == j % stride and i + w <= 8 and j + w <= 6]
        wanted = np.array([[image[i + a // w, j + a % w] for i, j in corners] for a in range(w * w)])
        close(f(image, w, stride), wanted)


@extract_patches.law("patches that do not overlap hold every pixel once")
def patches_without_overlap(f, rng):
    image = rng.random((8, 6))
    patches = np.asarray(f(image, 2, 2), dtype=float)
    holds(patches.shape == (4, 12), f"of an 8 x 6 image there are patches of shape {patches.shape}, not 12 of 4 pixels")
    close(np.sort(patches.ravel()), np.sort(image.ravel()))


@extract_patches.law("of one pixel: the image row by row; as large as the image: one patch")
def patches_at_the_ends(f, rng):
    image = rng.random((6, 6))
    close(f(image, 1, 1), image.reshape(1, 36))
    close(f(image, 6, 4), image.reshape(36, 1))


@extract_patches.law("an image with rows that are all alike: rows of a patch are alike too")
def patches_of_stripes(f, rng):
    image = np.tile(rng.random(6), (8, 1))
    patches = np.asarray(f(image, 3, 1), dtype=float)
    close(patches[:3], patches[3:6])


extract_patches.wrong("forgets the last position", replace=("H - w + 1", "H - w"), caught_by=patches_at_the_ends,
                      hint="A patch whose lower edge is the image's fits. range leaves out its end.")
extract_patches.wrong("patches read column by column", replace=(".ravel()", ".T.ravel()"), caught_by=patches_of_stripes,
                      hint="Row by row, as images are read everywhere here.")
extract_patches.wrong("patches in rows", replace=("axis=1", "axis=0"), caught_by=patches_at_the_ends,
                      hint="One patch per column.")
extract_patches.wrong("no stride downwards", replace=("H - w + 1, stride)", "H - w + 1)"), caught_by=patches_without_overlap,
                      hint="The stride counts in both directions.")
extract_patches.wrong("height for width", replace=("W - w + 1", "H - w + 1"), caught_by=patches_pixel_by_pixel,
                      hint="How far to the right may a patch begin?")
extract_patches.wrong("starts from every w-th pixel", replace=("W - w + 1, stride", "W - w + 1, w"),
                      caught_by=patches_pixel_by_pixel, hint="From one patch to the next it is stride pixels, not w.")


@extract_patches.right("by shifted views of the image")
def _(image, w, stride):
    H, W = image.shape
    image = np.asarray(image)
    return np.array([image[a:H - w + 1 + a:stride, b:W - w + 1 + b:stride].ravel() for a in range(w) for b in range(w)])


@extract_patches.right("by NumPy's sliding windows")
def _(image, w, stride):
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(image), (w, w))[::stride, ::stride]
    return windows.reshape(-1, w * w).T
