"""Exercises of Part 3, first half: what cross-entropy makes of features, rate reduction and its gradient, soft memberships."""

import itertools

import jax.numpy as jnp
import numpy as np

from book_utils.course.exercises import Exercise, close, holds

CLASSES = np.array([2, 0, 0, 1, 2, 0, 1, 0, 0, 1, 0, 1])  # 12 samples, classes of 6, 4 and 2, in no order


def scattered(rng, d=4):
    """Features (d, 12) of three unequal classes in CLASSES, each with directions and sizes of its own."""
    Z = np.zeros((d, 12))
    for k in range(3):
        where = CLASSES == k
        Z[:, where] = rng.normal(size=(d, d)) @ rng.normal(size=(d, where.sum())) + rng.normal(size=(d, 1))
    return Z / 2


def rotation(rng, n):
    """An orthogonal (n, n) matrix."""
    return np.linalg.qr(rng.normal(size=(n, n)))[0]


def rate_by_eigenvalues(Z, eps):
    """Coding rate of Z (d, n) from the eigenvalues of its Gram matrix, in float64."""
    d, n = Z.shape
    return 0.5 * np.log1p(d / (n * eps**2) * np.linalg.eigvalsh(Z.T @ Z).clip(0)).sum()


def reduction_by_eigenvalues(Z, labels, eps):
    """Rate reduction from eigenvalues of Gram matrices, in float64."""
    parts = sum(np.mean(labels == k) * rate_by_eigenvalues(Z[:, labels == k], eps) for k in set(labels.tolist()))
    return rate_by_eigenvalues(Z, eps) - parts


# P4.16

cross_entropy = Exercise(
    "ch04.cross_entropy", "Cross-entropy from logits", principles=["P4.16"], label="chap4-eqn:cross-entropy", minutes=6,
    level="more",
    objective="compute the loss of a classifier from its scores, without overflow",
    hints=["-log softmax is log(sum of exponentials) minus the score of the true class.",
           "Adding a number to all scores of a sample changes no probability: which number keeps exponentials from overflowing?",
           "Take the largest score of every column off first. The score of the true class is logits[labels, np.arange(N)]."])


def some_scores(rng):
    """Labels (6,) and logits (3, 6)."""
    return np.array([0, 2, 1, 1, 0, 2]), 2 * rng.normal(size=(3, 6))


@cross_entropy.law("minus the log of the product of the true classes' probabilities, divided by N")
def ce_by_products(f, rng):
    labels, logits = some_scores(rng)
    odds = [[np.exp(a - b) for a in column] for column, b in zip(logits.T, logits[labels, np.arange(6)])]
    close(f(labels, logits), np.log(np.prod([sum(o) for o in odds])) / 6)


@cross_entropy.law("log K where all scores of a sample are equal")
def ce_of_ignorance(f, rng):
    labels, _ = some_scores(rng)
    close(f(labels, np.tile(rng.normal(size=6), (3, 1))), np.log(3))


@cross_entropy.law("the same when a number is added to all scores of a sample, with no overflow at 10,000")
def ce_shift(f, rng):
    labels, logits = some_scores(rng)
    close(f(labels, logits + np.array([0.0, 1, -2, 3, -5, 8])), f(labels, logits))
    far = np.zeros((3, 6))
    far[0] = 10_000.0
    close(f(np.array([0, 0, 0, 0, 0, 1]), far), 10_000 / 6)


@cross_entropy.law("convex: halfway between two sets of scores not above the mean of both")
def ce_convex(f, rng):
    for _ in range(5):
        (labels, A), (_, B) = some_scores(rng), some_scores(rng)
        ends = float(f(labels, A)) / 2 + float(f(labels, B)) / 2
        holds(float(f(labels, (A + B) / 2)) <= ends + 1e-5, "the middle is above the mean of the ends")


cross_entropy.wrong("a sum over the samples", replace=("np.mean(np.log", "np.sum(np.log"), caught_by=ce_of_ignorance,
                    hint="Nats per sample: where has 1 / N gone?")
cross_entropy.wrong("mean over classes and samples",
                    replace=("np.mean(np.log(np.exp(logits).sum(axis=0)) - logits[np.asarray(labels), np.arange(N)])",
                    "np.mean(np.log(np.exp(logits).sum(axis=0)) - logits[np.asarray(labels), np.arange(N)]) / len(logits)"),
                    caught_by=ce_of_ignorance, hint="Only the true class of a sample counts: there are N terms, not N K.")
cross_entropy.wrong("the wrong sign", replace=("np.mean(np.log", "-np.mean(np.log"), caught_by=ce_by_products,
                    hint="Probabilities are below 1, so minus a logarithm of one is positive.")
cross_entropy.wrong("exponentials before anything is taken off", replace=("logits - logits.max(axis=0)", "logits + 0"),
                    caught_by=ce_shift, hint="exp(10000) is inf, and inf - inf is NaN.")
cross_entropy.wrong("one number for the whole batch", replace=("logits.max(axis=0)", "logits.max(axis=1, keepdims=True)"),
                    caught_by=ce_by_products, hint="You have taken off the largest score of every class. A column is one sample.")
cross_entropy.wrong("in bits", replace=("np.mean(np.log(", "np.mean(np.log2("), caught_by=ce_of_ignorance,
                    hint="Here logarithms are natural.")


@cross_entropy.right("with JAX")
def _(labels, logits):
    logs = jax.nn.log_softmax(jnp.asarray(logits), axis=0)
    return -jnp.mean(jnp.sum(logs * jax.nn.one_hot(labels, logits.shape[0], axis=0), axis=0))


@cross_entropy.right("from differences of scores, sample by sample")
def _(labels, logits):
    logits = np.asarray(logits, dtype=float)
    return sum(np.logaddexp.reduce(column - column[y]) for y, column in zip(np.asarray(labels), logits.T)) / len(labels)


simplex_etf = Exercise(
    "ch04.simplex_etf", "A simplex of unit vectors", principles=["P4.16"], label="remark:neural-collapse", minutes=5,
    level="more",
    objective="build the K directions that are as far apart as K directions can be",
    hints=["Start from the K unit vectors of R^K. What do they have in common that can be taken off?",
           "Subtract their mean from each. Are all inner products equal now? How long are the vectors?",
           "e_k - 1/K has the squared length 1 - 1/K = (K - 1) / K: divide by its root."])


@simplex_etf.law("of length 1")
def etf_lengths(f, rng):
    for K in (3, 5):
        close(np.linalg.norm(np.asarray(f(K)), axis=0), np.ones(K))


@simplex_etf.law("that add up to 0")
def etf_balanced(f, rng):
    for K in (3, 5):
        close(np.asarray(f(K)).sum(axis=1), np.zeros(K))


@simplex_etf.law("pairwise equally far apart, as two opposite points, a triangle, a tetrahedron are")
def etf_distances(f, rng):
    for K, distance in ((2, 2.0), (3, 3**0.5), (4, (8 / 3) ** 0.5)):
        C = np.asarray(f(K))
        actual = [np.linalg.norm(C[:, i] - C[:, j]) for i, j in itertools.combinations(range(K), 2)]
        close(actual, np.full(len(actual), distance))


@simplex_etf.law("their closest pair is farther apart than that of 300 random choices")
def etf_is_best(f, rng):
    closest = lambda C: max(C[:, i] @ C[:, j] for i, j in itertools.combinations(range(5), 2))
    random = rng.normal(size=(300, 5, 5))
    random /= np.linalg.norm(random, axis=1, keepdims=True)
    holds(closest(np.asarray(f(5), dtype=float)) < min(map(closest, random)), "random vectors are farther apart")


simplex_etf.wrong("orthogonal vectors", replace=("np.eye(K) - 1 / K", "np.eye(K)"), caught_by=etf_balanced,
                  hint="Orthogonal vectors have cosine 0. It can be below 0 for all pairs at once.")
simplex_etf.wrong("not of length 1", replace=("centred * np.sqrt(K / (K - 1))", "centred"), caught_by=etf_lengths,
                  hint="How long is e_k - 1/K?")
simplex_etf.wrong("the squared length for the length", replace=("np.sqrt(K / (K - 1))", "K / (K - 1)"), caught_by=etf_lengths,
                  hint="The squared length of e_k - 1/K is (K - 1) / K. And its length?")
simplex_etf.wrong("takes off too much", replace=("- 1 / K", "- 1 / (K - 1)"), caught_by=etf_balanced,
                  hint="The mean of K unit vectors has the entries 1 / K.")


@simplex_etf.right("from the wanted Gram matrix")
def _(K):
    gram = (1 + 1 / (K - 1)) * np.eye(K) - np.ones((K, K)) / (K - 1)
    values, vectors = np.linalg.eigh(gram)
    return np.sqrt(np.maximum(values, 0))[:, None] * vectors.T


neural_collapse = Exercise(
    "ch04.neural_collapse", "How far features have collapsed", principles=["P4.16"], label="remark:neural-collapse", minutes=8,
    level="more",
    objective="measure the spread within classes against the spread between them",
    hints=["For every sample its class mean: a matrix of the shape of Z.",
           "Two sums of squares: features minus class means; class means minus the mean of all features.",
           "The mean over the samples counts a class mean as often as the class has samples. The factor 1 / N cancels."])


@neural_collapse.law("by distances between samples alone: squares over all pairs, and over pairs of a class")
def nc_by_pairs(f, rng):
    Z = scattered(rng) + 1
    square = lambda A: sum(np.sum((A[:, [i]] - A) ** 2) for i in range(A.shape[1]))
    total = square(Z) / (2 * 12**2)
    within = sum(square(Z[:, CLASSES == k]) / (2 * np.sum(CLASSES == k)) for k in range(3)) / 12
    close(f(Z, CLASSES), within / (total - within))


@neural_collapse.law("the same wherever the origin lies, after a rotation, and in other units")
def nc_invariant(f, rng):
    Z = scattered(rng)
    expected = float(f(Z, CLASSES))
    close(f(3 * rotation(rng, 4) @ Z + rng.normal(size=(4, 1)), CLASSES), expected)


@neural_collapse.law("divided by 4 when all features move half the way to their class means")
def nc_quarter(f, rng):
    Z = scattered(rng)
    halfway = Z.copy()
    for k in range(3):
        halfway[:, CLASSES == k] = (Z[:, CLASSES == k] + Z[:, CLASSES == k].mean(axis=1, keepdims=True)) / 2
    close(f(halfway, CLASSES), float(f(Z, CLASSES)) / 4)


@neural_collapse.law("0 for collapsed features")
def nc_collapsed(f, rng):
    close(f(rng.normal(size=(4, 3))[:, CLASSES], CLASSES), 0)


neural_collapse.wrong("divides by the total spread", replace=("(M - centre) ** 2", "(Z - centre) ** 2"), caught_by=nc_by_pairs,
                      hint="The denominator is the spread of the class means, not that of all features.")
neural_collapse.wrong("class means from the origin", replace=("np.sum((M - centre) ** 2)", "np.sum(M**2)"),
                      caught_by=nc_invariant,
                      hint="Move all features by one vector: should anything change?")
neural_collapse.wrong("features from the common mean", replace=("(Z - M) ** 2", "(Z - centre) ** 2"), caught_by=nc_collapsed,
                      hint="Within a class the spread is about the mean of that class.")
neural_collapse.wrong("every class counts the same", replace=("centre = Z.mean(axis=1, keepdims=True)",
                      "centre = np.unique(M, axis=1).mean(axis=1, keepdims=True)"), caught_by=nc_by_pairs,
                      hint="The mean of the class means is the mean of all features only for classes of equal size.")
neural_collapse.wrong("lengths for their squares", replace=("return np.sum((Z - M) ** 2) / np.sum((M - centre) ** 2)",
                      "return np.sqrt(np.sum((Z - M) ** 2) / np.sum((M - centre) ** 2))"), caught_by=nc_quarter,
                      hint="Spread is a mean of squares; no root is taken.")


@neural_collapse.right("traces of covariances, with one-hot labels, in JAX")
def _(Z, labels):
    Z, P = jnp.asarray(Z), jax.nn.one_hot(labels, int(max(labels)) + 1)
    counts = P.sum(axis=0)
    means = Z @ P / counts
    centre = Z.mean(axis=1)
    between = jnp.sum(counts * jnp.sum((means - centre[:, None]) ** 2, axis=0))
    return jnp.sum((Z - means @ P.T) ** 2) / between


ib_gaussian = Exercise(
    "ch04.ib_gaussian", "The information bottleneck of two Gaussian numbers", principles=["P4.16"], level="challenge",
    label="chap4-eqn:information-bottleneck", minutes=12,
    objective="solve the information bottleneck where it has a closed form, and find the price at which it closes",
    hints=["With the share s the squared correlation of x and z is s, and that of y and z is corr^2 s.",
           "The objective is -log(1 - corr^2 s) / 2 + beta log(1 - s) / 2. Set its derivative in s to zero.",
           "corr^2 (1 - s) = beta (1 - corr^2 s). If the solution is negative, s = 0 is best."])


def informations(corr, share):
    """I(x;z) and I(z;y) from determinants of the covariance of (x, y, z), z = x + noise, with share of x in Var z."""
    holds(0 < share < 1, "the share is not between 0 and 1")
    noise = 1 / share - 1
    C = np.array([[1, corr, 1], [corr, 1, corr], [1, corr, 1 + noise]])
    two = lambda i, j: 0.5 * np.log(C[i, i] * C[j, j] / (C[i, i] * C[j, j] - C[i, j] ** 2))
    return two(0, 2), two(1, 2)


@ib_gaussian.law("no other share is better, on a fine grid")
def ib_best(f, rng):
    for corr, beta in ((0.9, 0.5), (-0.7, 0.2), (0.5, 0.2)):
        grid = np.linspace(0.001, 0.999, 999)
        values = [a[1] - beta * a[0] for a in (informations(corr, s) for s in grid)]
        share, about_x, about_y = (float(a) for a in f(corr, beta))
        close(about_y - beta * about_x, max(values))
        holds(abs(share - grid[int(np.argmax(values))]) < 2e-3, "the share is not where the objective is largest")


@ib_gaussian.law("the informations of that share, by determinants of covariances")
def ib_informations(f, rng):
    for corr, beta in ((0.9, 0.3), (-0.6, 0.1)):
        share, about_x, about_y = f(corr, beta)
        close([about_x, about_y], informations(corr, float(share)))


@ib_gaussian.law("closed, with two zeros, from the price corr^2 on; open just below")
def ib_closed(f, rng):
    for corr in (0.5, -0.8):
        for beta in (corr**2 + 0.01, 0.9):
            close(list(f(corr, beta)), np.zeros(3))
        holds(float(f(corr, corr**2 - 0.02)[0]) > 1e-3, "nothing is learned at a price below corr^2")


@ib_gaussian.law("z knows less of y than of x, and less than x does")
def ib_processing(f, rng):
    for corr, beta in ((0.9, 0.3), (-0.6, 0.1), (0.99, 0.01)):
        _, about_x, about_y = (float(a) for a in f(corr, beta))
        holds(0 < about_y < about_x and about_y < -0.5 * np.log(1 - corr**2), "z knows more of y than x does, or than of x")


ib_gaussian.wrong("the correlation for its square", replace=("corr**2", "abs(corr)"), caught_by=ib_best,
                  hint="The squared correlation of y and z is corr^2 times that of x and z.")
ib_gaussian.wrong("beta with the wrong sign", replace=("(square - beta)", "(square + beta)"), caught_by=ib_best,
                  hint="I(x;z) is to be small: beta times it is subtracted.")
ib_gaussian.wrong("a negative share",
                  replace=("max(0.0, (square - beta) / (square * (1 - beta)))", "(square - beta) / (square * (1 - beta))"),
                  caught_by=ib_closed,
                  hint="A share is a fraction of a variance. What is best where the derivative is negative everywhere?")
ib_gaussian.wrong("forgets the 1/2", replace=("-np.log(1 - share) / 2", "-np.log(1 - share)"), caught_by=ib_informations,
                  hint="Two Gaussian numbers with squared correlation r share -1/2 log(1 - r) nats.")
ib_gaussian.wrong("what z would know of y if y were x", replace=("-np.log(1 - square * share)", "-np.log(1 - share)"),
                  caught_by=ib_processing, hint="y and z are less correlated than x and z.")
ib_gaussian.wrong("forgets that noise is cheap", replace=("(square * (1 - beta))", "square"), caught_by=ib_best,
                  hint="Collect all terms with s: corr^2 s - beta corr^2 s.")


@ib_gaussian.right("from the variance of the noise, in JAX")
def _(corr, beta):
    left = corr**2 - beta
    noise = beta * (1 - corr**2) / left if left > 0 else jnp.inf  # 1 / share - 1
    share = 1 / (1 + noise)
    return share, jnp.log1p(1 / noise) / 2, -jnp.log1p(-(corr**2) * share) / 2


# P4.17

lda_direction = Exercise(
    "ch04.lda_direction", "Linear discriminant analysis", principles=["P4.17"], label="fig:LDA", minutes=12, level="more",
    objective="find the direction that tells classes apart, with the labels",
    hints=["Two matrices first: samples minus their class means, and class means (one per sample) minus the mean of all.",
           "At the maximum S_B w = lambda S_W w with lambda as large as possible.",
           "np.linalg.eig(np.linalg.solve(S_W, S_B)) gives real eigenvalues in no order, and eigenvectors as columns.",
           "Take the column of the largest eigenvalue, and bring it to length 1."])


def flat_classes(rng):
    """X (2, 12): the classes of CLASSES in one flat shape at different places."""
    A = rotation(rng, 2) @ np.diag([2.0, 0.4])
    return A @ (rng.normal(size=(2, 12)) + np.array([[0.0, 2.5, 0], [0, 0, 3.0]])[:, CLASSES]) + 3


def separation(w, X, labels):
    """Variance of the class means over the mean variance within classes, of the numbers w . x."""
    numbers = w @ X
    groups = [numbers[labels == k] for k in range(labels.max() + 1)]
    within = sum(len(g) * np.var(g) for g in groups)
    return sum(len(g) * (g.mean() - numbers.mean()) ** 2 for g in groups) / within


@lda_direction.law("separates the classes better than 2,000 other directions of the plane")
def lda_on_grid(f, rng):
    X = flat_classes(rng)
    angles = np.linspace(0, np.pi, 2000)
    best = max(separation(np.array([np.cos(a), np.sin(a)]), X, CLASSES) for a in angles)
    w = np.asarray(f(X, CLASSES), dtype=float)
    holds(separation(w, X, CLASSES) > best * (1 - 1e-3), "another direction separates the classes better")


@lda_direction.law("of length 1, and the same wherever the origin lies")
def lda_unit(f, rng):
    X = flat_classes(rng)
    w = np.asarray(f(X, CLASSES), dtype=float)
    close(np.linalg.norm(w), 1)
    moved = np.asarray(f(X + np.array([[2.0], [-1.0]]), CLASSES), dtype=float)
    close(np.outer(moved, moved), np.outer(w, w), tol=10)


@lda_direction.law("for two classes along S_W^-1 times the difference of the means")
def lda_two(f, rng):
    X, labels = flat_classes(rng), np.minimum(CLASSES, 1)
    A, B = X[:, labels == 0], X[:, labels == 1]
    S_W = len(A.T) * np.cov(A, bias=True) + len(B.T) * np.cov(B, bias=True)
    w = np.linalg.solve(S_W, A.mean(axis=1) - B.mean(axis=1))
    w /= np.linalg.norm(w)
    actual = np.asarray(f(X, labels), dtype=float)
    close(np.outer(actual, actual), np.outer(w, w), tol=10)


@lda_direction.law("after X -> A X the numbers w . x separate the classes as well as before")
def lda_equivariant(f, rng):
    X, A = flat_classes(rng), np.array([[1.0, 0.5], [-0.3, 2.0]])
    before = separation(np.asarray(f(X, CLASSES), dtype=float), X, CLASSES)
    close(separation(np.asarray(f(A @ X, CLASSES), dtype=float), A @ X, CLASSES), before, tol=5)


lda_direction.wrong("forgets the spread within classes",
                    replace=("np.linalg.solve(within @ within.T, between @ between.T)", "between @ between.T"),
                    caught_by=lda_on_grid,
                    hint="That is the direction in which the means differ most, however wide the clouds are there.")
lda_direction.wrong("principal components", replace=("np.linalg.solve(within @ within.T, between @ between.T)",
                    "(within @ within.T + between @ between.T)"), caught_by=lda_on_grid,
                    hint="S_W + S_B is the covariance of all samples: that direction knows no labels.")
lda_direction.wrong("the worst direction", replace=("argmax()", "argmin()"), caught_by=lda_two,
                    hint="The eigenvalue is the quotient that is to be large.")
lda_direction.wrong("solves from the wrong side", replace=("np.linalg.solve(within @ within.T, between @ between.T)",
                    "np.linalg.solve(within @ within.T, between @ between.T).T"), caught_by=lda_two,
                    hint="S_B S_W^-1 has the eigenvectors S_W w.")
lda_direction.wrong("every class counts the same",
                    replace=("between = means[:, labels] - X.mean(axis=1, keepdims=True)",
                             "between = means - means.mean(axis=1, keepdims=True)"), caught_by=lda_on_grid,
                    hint="The mean over all samples counts a large class more often.")
lda_direction.wrong("not of length 1", replace=("w / np.linalg.norm(w)", "2 * w"), caught_by=lda_unit,
                    hint="Only the direction matters, and length 1 is asked for.")


@lda_direction.right("by whitening with a Cholesky factor of the whole covariance")
def _(X, labels):
    X, labels = np.asarray(X, dtype=float), np.asarray(labels)
    X = X - X.mean(axis=1, keepdims=True)
    L = np.linalg.cholesky(X @ X.T)
    white = np.linalg.solve(L, X)
    S_B = sum(np.outer(white[:, labels == k].sum(axis=1), white[:, labels == k].mean(axis=1)) for k in np.unique(labels))
    w = np.linalg.solve(L.T, np.linalg.eigh(S_B)[1][:, -1])
    return w / np.linalg.norm(w)


contrastive_loss = Exercise(
    "ch04.contrastive_loss", "Contrastive loss", principles=["P4.17"], label="eqn:contrastive-loss", minutes=8, level="more",
    objective="write the loss that pulls a sample to its copy and pushes others away",
    hints=["-log of a fraction is log(denominator) - log(numerator), and the second is just an inner product.",
           "All inner products: Z.T @ Z. Which of them must not enter the sum?",
           "Put -inf on the diagonal; exp(-inf) is 0. Take the largest score of each row off before the exponentials."])


def five_pairs(rng):
    """Z (3, 5) and a copy of it with noise."""
    Z = rng.normal(size=(3, 5))
    return Z, Z + 0.3 * rng.normal(size=(3, 5))


@contrastive_loss.law("by loops over the pairs")
def contrastive_by_loops(f, rng):
    Z, Z_new = five_pairs(rng)
    losses = []
    for i in range(5):
        others = sum(np.exp(Z[:, i] @ Z[:, j]) for j in range(5) if j != i)
        losses.append(-np.log(np.exp(Z[:, i] @ Z_new[:, i]) / others))
    close(f(Z, Z_new), np.mean(losses))


@contrastive_loss.law("for orthonormal features log(N - 1) - 1; with two samples that is negative")
def contrastive_orthonormal(f, rng):
    Q = rotation(rng, 3)
    close(f(Q, Q), np.log(2) - 1)
    close(f(Q[:, :2], Q[:, :2]), -1)


@contrastive_loss.law("linear in the copies: a copy turned round costs twice its inner product, over N")
def contrastive_linear(f, rng):
    Z, Z_new = five_pairs(rng)
    other = Z_new.copy()
    other[:, 2] *= -1
    close(float(f(Z, other)) - float(f(Z, Z_new)), 2 * Z[:, 2] @ Z_new[:, 2] / 5)


@contrastive_loss.law("unchanged by a rotation, and by another order of the samples")
def contrastive_invariant(f, rng):
    (Z, Z_new), order, Q = five_pairs(rng), [3, 1, 4, 0, 2], rotation(rng, 3)
    close(f(Q @ Z[:, order], Q @ Z_new[:, order]), f(Z, Z_new))


@contrastive_loss.law("finite for features of length 100: the nearest other sample decides")
def contrastive_far(f, rng):
    Z = 100 * np.array([[1.0, 0.8, 0, 0, -1], [0, 0.6, 1, 0, 0], [0, 0, 0, 1, 0]])
    nearest = [max(Z[:, i] @ Z[:, j] for j in range(5) if j != i) for i in range(5)]
    ties = np.log([1, 1, 1, 4, 2]) * 0
    ties[[3, 4]] = np.log([4, 2])  # samples 3 and 4 have several nearest ones, all at the inner product 0
    close(f(Z, Z), np.mean(np.array(nearest) + ties - 10_000))


contrastive_loss.wrong("a sample among its own negatives",
                       replace=("np.fill_diagonal(scores, -np.inf)", "np.fill_diagonal(scores, scores.diagonal())"),
                       caught_by=contrastive_by_loops, hint="The sum runs over j other than i.")
contrastive_loss.wrong("the pair in the denominator, too",
                       replace=("np.fill_diagonal(scores, -np.inf)", "np.fill_diagonal(scores, np.sum(Z * Z_new, axis=0))"),
                       caught_by=contrastive_orthonormal,
                       hint="Many variants have it there. This one has not, and can be negative.")
contrastive_loss.wrong("copies as the negatives", replace=("Z.T @ Z\n", "Z.T @ Z_new\n"), caught_by=contrastive_by_loops,
                       hint="Below the line stand the other samples themselves; copies enter only above it.")
contrastive_loss.wrong("a sum over the samples", replace=("np.mean(logs", "np.sum(logs"), caught_by=contrastive_orthonormal,
                       hint="A mean over i is asked for.")
contrastive_loss.wrong("exponentials before anything is taken off",
                       replace=("top = scores.max(axis=1)", "top = np.zeros(len(scores))"),
                       caught_by=contrastive_far, hint="exp(10000) is inf.")
contrastive_loss.wrong("rows for columns", replace=("np.sum(Z * Z_new, axis=0)", "np.sum(Z * Z_new) "),
                       caught_by=contrastive_linear,
                       hint="A feature is a column: its product with its copy is a sum over rows, one number per sample.")


@contrastive_loss.right("with JAX's logsumexp")
def _(Z, Z_new):
    Z, Z_new = jnp.asarray(Z), jnp.asarray(Z_new)
    scores = jnp.where(jnp.eye(Z.shape[1]) > 0, -jnp.inf, Z.T @ Z)
    return jnp.mean(jax.nn.logsumexp(scores, axis=0) - jnp.einsum("di,di->i", Z, Z_new))


# P4.18

rate_reduction = Exercise(
    "ch04.rate_reduction", "Rate reduction", principles=["P4.18"], label="chap4-eqn:coding-length-reduction", minutes=12,
    objective="measure with one number whether classes are compact, apart and diverse",
    hints=["Two parts: the rate of all features, and the mean of the rates of the classes.",
           "In the rate of class k the number of samples is N_k, inside the determinant too.",
           "np.linalg.slogdet(A)[1] is log det A. Z[:, labels == k] are the features of class k.",
           "rate(Z) - sum over k of N_k / N * rate(Z_k), each rate with its own number of columns."])


@rate_reduction.law("by eigenvalues of Gram matrices, for unequal classes in no order")
def reduction_dense(f, rng):
    Z = scattered(rng)
    for eps in (0.3, 1.5):
        close(f(Z, CLASSES, eps), reduction_by_eigenvalues(Z, CLASSES, eps))


@rate_reduction.law("never negative, and 0 where all classes have the same covariance")
def reduction_not_negative(f, rng):
    for _ in range(10):
        holds(float(f(0.3 * scattered(rng), CLASSES, 0.8)) > 0, "it is not positive for classes that differ")
    A, same = rng.normal(size=(4, 2)), np.zeros((4, 12))
    for k in range(3):
        N_k = np.sum(CLASSES == k)
        same[:, CLASSES == k] = np.sqrt(N_k) * A @ np.linalg.qr(rng.normal(size=(N_k, 2)))[0].T
    close(f(same, CLASSES, 0.5), 0)


@rate_reduction.law("for orthogonal subspaces, sum over classes of d_k / 2 times a difference of logarithms")
def reduction_ideal(f, rng):
    d, sizes, dims, eps = 4, (6, 4, 2), (2, 1, 1), 0.5
    Q, Z, first, expected = rotation(rng, 4), np.zeros((4, 12)), 0, 0.0
    for k, (n, q) in enumerate(zip(sizes, dims)):
        V = np.linalg.qr(rng.normal(size=(n, q)))[0]
        Z[:, CLASSES == k] = np.sqrt(n / q) * Q[:, first:first + q] @ V.T
        first += q
        expected += q / 2 * (np.log(1 + d * n / (12 * eps**2 * q)) - n / 12 * np.log(1 + d / (eps**2 * q)))
    close(f(Z, CLASSES, eps), expected)


@rate_reduction.law("unchanged when features turn, when samples of a class are mixed by a rotation, when classes are renumbered")
def reduction_invariant(f, rng):
    Z = scattered(rng)
    expected = float(f(Z, CLASSES, 0.7))
    mixed = rotation(rng, 4) @ Z
    for k in range(3):
        mixed[:, CLASSES == k] = mixed[:, CLASSES == k] @ rotation(rng, np.sum(CLASSES == k))
    close(f(mixed, np.array([1, 2, 0])[CLASSES], 0.7), expected)


@rate_reduction.law("grows with the scale of the features, which is 1 / eps")
def reduction_scale(f, rng):
    Z = scattered(rng)
    values = [float(f(c * Z, CLASSES, 0.7)) for c in (0.3, 1.0, 3.0)]
    holds(values[0] < values[1] < values[2], "it does not grow with the scale")
    close(f(3 * Z, CLASSES, 2.1), values[1])


rate_reduction.wrong("class weights missing", replace=("N_k / N * rate", "rate"), caught_by=reduction_not_negative,
                     hint="A class counts as often as it has samples: weights N_k / N.")
rate_reduction.wrong("alpha for alpha_k", replace=("rate(Z_k, N_k)", "rate(Z_k, N)"), caught_by=reduction_ideal,
                     hint="The rate of a class has the number of its own samples in the determinant.")
rate_reduction.wrong("double weighting", replace=("N_k / N * rate", "(N_k / N) ** 2 * rate"), caught_by=reduction_dense,
                     hint="Once N_k / N. (Two places of the book define R of a class, one with the weight inside.)")
rate_reduction.wrong("labels from 1", replace=("np.unique(labels)", "range(1, labels.max() + 1)"), caught_by=reduction_dense,
                     hint="Classes are numbered from 0 to K - 1.")
rate_reduction.wrong("eps not squared", replace=("eps**2", "eps"), caught_by=reduction_scale,
                     hint="eps is a length; what stands beside Z Z^T is a square.")
rate_reduction.wrong("half missing", replace=("@ F.T)[1] / 2", "@ F.T)[1]"), caught_by=reduction_ideal,
                     hint="A rate is half a log-determinant: log of a ratio of volumes, and a determinant is a volume squared.")
rate_reduction.wrong("the parts minus the whole", replace=("return rate(Z, N) - parts", "return parts - rate(Z, N)"),
                     caught_by=reduction_not_negative, hint="What is saved: the whole minus its parts.")


@rate_reduction.right("with one-hot memberships and Cholesky factors, in JAX")
def _(Z, labels, eps):
    Z, labels = jnp.asarray(Z), np.asarray(labels)
    d, N = Z.shape
    shares = jnp.stack([jnp.ones(N)] + [jnp.asarray(labels == k, dtype=Z.dtype) for k in np.unique(labels)])
    n = shares.sum(axis=1)
    grams = jnp.einsum("kn,dn,en->kde", shares, Z, Z) * (d / (n * eps**2))[:, None, None]
    rates = jnp.log(jnp.diagonal(jnp.linalg.cholesky(jnp.eye(d) + grams), axis1=1, axis2=2)).sum(axis=1)
    return rates[0] - (n[1:] / N) @ rates[1:]


@rate_reduction.right("from singular values")
def _(Z, labels, eps):
    Z, labels = np.asarray(Z, dtype=float), np.asarray(labels)

    def nats(F):  # of all columns of F together
        return F.shape[1] * np.log1p(len(F) * np.linalg.svd(F, compute_uv=False) ** 2 / (F.shape[1] * eps**2)).sum() / 2
    return (nats(Z) - sum(nats(Z[:, labels == k]) for k in set(labels.tolist()))) / len(labels)


normalize_features = Exercise(
    "ch04.normalize_features", "Features of length 1", principles=["P4.18"], label="chap4-eqn:flow", minutes=4, level="more",
    objective="fix the scale that the rate reduction would otherwise exploit",
    hints=["The lengths of the columns: np.linalg.norm with which axis?",
           "A feature that is 0 would be divided by 0. Divide it by 1."])


def with_a_zero(rng):
    Z = rng.normal(size=(3, 5)) * np.array([1.0, 10, 0.1, 1, 3])
    Z[:, 3] = 0
    return Z


@normalize_features.law("of length 1, all but those that are 0")
def normalized_lengths(f, rng):
    close(np.linalg.norm(np.asarray(f(with_a_zero(rng))), axis=0), [1, 1, 1, 0, 1])


@normalize_features.law("in the directions they had")
def normalized_directions(f, rng):
    Z = with_a_zero(rng)
    A = np.asarray(f(Z), dtype=float)
    close(np.sum(A * Z, axis=0), [np.sqrt(sum(z * z)) for z in Z.T])


@normalize_features.law("unchanged when every feature is multiplied by a positive number of its own, or normalised again")
def normalized_scale(f, rng):
    Z = with_a_zero(rng)
    once = np.asarray(f(Z), dtype=float)
    close(f(Z * np.array([2.0, 0.5, 3, 1, 7])), once)
    close(f(once), once)


normalize_features.wrong("rows", replace=("axis=0)", "axis=1, keepdims=True)"), caught_by=normalized_lengths,
                         hint="A row is a channel, over all samples; a feature is a column.")
normalize_features.wrong("the whole matrix",
                         replace=("np.linalg.norm(np.asarray(Z), axis=0)", "np.linalg.norm(np.asarray(Z)) * np.ones(Z.shape[1])"),
                         caught_by=normalized_scale, hint="Every column has a length of its own.")
normalize_features.wrong("the squared length",
                         replace=("np.linalg.norm(np.asarray(Z), axis=0)", "np.sum(np.asarray(Z) ** 2, axis=0)"),
                         caught_by=normalized_directions, hint="Divide by the length, not by its square.")
normalize_features.wrong("0 / 0", replace=("np.where(lengths > 0, lengths, 1)", "lengths"), caught_by=normalized_lengths,
                         hint="A feature that is 0 becomes NaN.")


@normalize_features.right("with a tiny number in place of 0, in JAX")
def _(Z):
    Z = jnp.asarray(Z)
    return Z / jnp.maximum(jnp.sqrt(jnp.sum(Z**2, axis=0)), 1e-12)


rate_reduction_gradient = Exercise(
    "ch04.rate_reduction_gradient", "The gradient of the rate reduction", principles=["P4.18"],
    label="eqn:maximal-rate-reduction",
    minutes=12, objective="differentiate the rate reduction: push everything apart, pull each class together",
    hints=["The gradient of 1/2 log det(I + alpha Z Z^T) in Z is alpha (I + alpha Z Z^T)^-1 Z.",
           "For class k the same with alpha_k and Z_k, times the weight N_k / N. What is N_k / N times alpha_k?",
           "np.linalg.solve(A, Z) is A^-1 Z. Write the class's part into the columns labels == k.",
           "G[:, labels == k] -= alpha times the solution with I + alpha_k Z_k Z_k^T and Z_k."])


@rate_reduction_gradient.law("by finite differences of the rate reduction")
def gradient_differences(f, rng):
    Z, eps, h, G = scattered(rng), 0.8, 1e-5, np.zeros((4, 12))
    for i, j in itertools.product(range(4), range(12)):
        E = np.zeros((4, 12))
        E[i, j] = h
        G[i, j] = (reduction_by_eigenvalues(Z + E, CLASSES, eps) - reduction_by_eigenvalues(Z - E, CLASSES, eps)) / (2 * h)
    close(f(Z, CLASSES, eps), G)


@rate_reduction_gradient.law("turns with the features")
def gradient_turns(f, rng):
    Z, Q = scattered(rng), rotation(rng, 4)
    close(f(Q @ Z, CLASSES, 0.8), Q @ np.asarray(f(Z, CLASSES, 0.8), dtype=float))


@rate_reduction_gradient.law("0 where all classes have the same covariance: the rate reduction is least there")
def gradient_at_minimum(f, rng):
    A, same = rng.normal(size=(4, 2)), np.zeros((4, 12))
    for k in range(3):
        N_k = np.sum(CLASSES == k)
        same[:, CLASSES == k] = np.sqrt(N_k) * A @ np.linalg.qr(rng.normal(size=(N_k, 2)))[0].T
    close(f(same, CLASSES, 0.8), np.zeros((4, 12)))


@rate_reduction_gradient.law("of third order near Z = 0: at Z / 100 a millionth of a cubic, not a hundredth of a line")
def gradient_near_zero(f, rng):
    Z = scattered(rng)
    small = 0.01 * Z / np.linalg.norm(Z)
    holds(np.abs(np.asarray(f(small, CLASSES, 0.8))).max() < 2e-3 * np.abs(small).max(), "it is of first order at Z = 0")


@rate_reduction_gradient.law("never downhill along Z itself: the rate reduction grows with the scale")
def gradient_along_scale(f, rng):
    for _ in range(5):
        Z = scattered(rng)
        slope = (reduction_by_eigenvalues(1.001 * Z, CLASSES, 0.8) - reduction_by_eigenvalues(0.999 * Z, CLASSES, 0.8)) / 0.002
        actual = np.sum(np.asarray(f(Z, CLASSES, 0.8), dtype=float) * Z)
        holds(actual > 0, "it points towards smaller features")
        close(actual, slope)


rate_reduction_gradient.wrong("alpha_k in the second term", replace=("-= alpha * np", "-= alpha_k * np"),
                              caught_by=gradient_near_zero,
                              hint="The weight N_k / N times alpha_k is alpha.")
rate_reduction_gradient.wrong("alpha for alpha_k inside the inverse", replace=("alpha_k * Z_k @ Z_k.T", "alpha * Z_k @ Z_k.T"),
                              caught_by=gradient_at_minimum,
                              hint="Before both terms stands alpha. Inside the second inverse stands alpha_k.")
rate_reduction_gradient.wrong("weighs once more", replace=("-= alpha * np", "-= alpha * Z_k.shape[1] / N * np"),
                              caught_by=gradient_near_zero,
                              hint="The weight N_k / N is already used: it made alpha out of alpha_k.")
rate_reduction_gradient.wrong("pushes classes apart inside, too", replace=("-= alpha * np", "+= alpha * np"),
                              caught_by=gradient_at_minimum,
                              hint="The rates of the classes are subtracted.")
rate_reduction_gradient.wrong("eps not squared",
                              replace=("alpha_k = d / (Z_k.shape[1] * eps**2)", "alpha_k = d / (Z_k.shape[1] * eps)"),
                              caught_by=gradient_differences, hint="eps stands squared in alpha_k, as in alpha.")
rate_reduction_gradient.wrong("only the whole",
                              replace=("G[:, labels == k] -= alpha * np.linalg.solve(np.eye(d) + alpha_k * Z_k @ Z_k.T, Z_k)",
                              "G[:, labels == k] -= 0 * alpha_k"), caught_by=gradient_along_scale,
                              hint="Every class has a rate of its own, to be made small.")


@rate_reduction_gradient.right("with inverses and one-hot memberships, in JAX")
def _(Z, labels, eps):
    Z, labels = jnp.asarray(Z), np.asarray(labels)
    d, alpha = len(Z), len(Z) / (Z.shape[1] * eps**2)
    G = jnp.linalg.inv(jnp.eye(d) + alpha * Z @ Z.T) @ Z
    for k in np.unique(labels):
        mine = jnp.asarray(labels == k, dtype=Z.dtype)
        G -= mine * (jnp.linalg.inv(jnp.eye(d) + d / (mine.sum() * eps**2) * (mine * Z) @ Z.T) @ Z)
    return alpha * G


@rate_reduction_gradient.right("from the other side, with N x N matrices")
def _(Z, labels, eps):
    Z, labels = np.asarray(Z, dtype=float), np.asarray(labels)
    alpha = len(Z) / (len(labels) * eps**2)
    G = Z @ np.linalg.inv(np.eye(len(labels)) / alpha + Z.T @ Z)
    for k in set(labels.tolist()):
        Z_k = Z[:, labels == k]
        n = Z_k.shape[1]
        G[:, labels == k] -= n / len(labels) * Z_k @ np.linalg.inv(np.eye(n) * n * eps**2 / len(Z) + Z_k.T @ Z_k)
    return G


peeling_gaps = Exercise(
    "ch04.peeling_gaps", "The whole and its parts, class after class", principles=["P4.18"], label="subsec:MCR2", minutes=10,
    level="more",
    objective="prove the book's Exercise 4.2 by a list of numbers that are not negative and add up to right minus left",
    hints=["Masks: labels < k, labels == k and labels <= k choose the columns.",
           "L of the first mask plus L of the second minus L of the third. The same alpha in all three.",
           "The smallest k is 1: class 0 joined by class 1."])


def log_minor(Z, labels, alpha, classes):
    """log det of the block of the classes in I + alpha Z^T Z, in float64."""
    chosen = [i for i, k in enumerate(labels) if k in classes]
    return np.log(np.linalg.eigvalsh(np.eye(len(chosen)) + alpha * Z[:, chosen].T @ Z[:, chosen])).sum()


@peeling_gaps.law("add up to right minus left")
def peeling_telescopes(f, rng):
    Z = scattered(rng)
    for alpha in (0.01, 1.0, 30.0):
        parts = sum(log_minor(Z, CLASSES, alpha, [k]) for k in range(3))
        close(np.sum(np.asarray(f(Z, CLASSES, alpha), dtype=float)), parts - log_minor(Z, CLASSES, alpha, [0, 1, 2]))


@peeling_gaps.law("each the gain of Fischer's inequality, for blocks of the Gram matrix")
def peeling_by_blocks(f, rng):
    Z = scattered(rng)
    expected = [log_minor(Z, CLASSES, 0.7, range(k)) + log_minor(Z, CLASSES, 0.7, [k]) - log_minor(Z, CLASSES, 0.7, range(k + 1))
                for k in (1, 2)]
    close(f(Z, CLASSES, 0.7), expected)


@peeling_gaps.law("never negative, whatever alpha")
def peeling_not_negative(f, rng):
    for alpha in (0.1, 1.0, 10.0):
        for _ in range(5):
            holds(np.min(np.asarray(f(scattered(rng), CLASSES, alpha))) >= -1e-4, "an entry is negative")


@peeling_gaps.law("0 for a class that is orthogonal to those before it")
def peeling_orthogonal(f, rng):
    Z = scattered(rng)
    Z[2:, CLASSES == 0] = 0
    Z[:2, CLASSES == 1] = 0
    gaps = np.asarray(f(Z, CLASSES, 1.0), dtype=float)
    close(gaps[0], 0)
    holds(gaps[1] > 0.1, "nothing is lost by a class that is not orthogonal to the others")


peeling_gaps.wrong("left minus right",
                   replace=("L(labels < k) + L(labels == k) - L(labels <= k)", "L(labels <= k) - L(labels < k) - L(labels == k)"),
                   caught_by=peeling_not_negative,
                   hint="Coding two groups as one can only be cheaper, with one and the same alpha.")
peeling_gaps.wrong("only the class before", replace=("L(labels < k)", "L(labels == k - 1)"), caught_by=peeling_telescopes,
                   hint="Class k joins all classes before it, not only the last.")
peeling_gaps.wrong("a half too many",
                   replace=("alpha * Z[:, chosen] @ Z[:, chosen].T)[1]", "alpha * Z[:, chosen] @ Z[:, chosen].T)[1] / 2"),
                   caught_by=peeling_by_blocks, hint="Log-determinants this time, not rates.")
peeling_gaps.wrong("alpha by the size of the group",
                   replace=("alpha * Z[:, chosen]", "alpha * len(labels) / max(chosen.sum(), 1) * Z[:, chosen]"),
                   caught_by=peeling_telescopes,
                   hint="With alpha_k the inequality is another one. Here alpha is the same for all.")
peeling_gaps.wrong("classes that overlap", replace=("L(labels == k) - ", "L(labels >= k) - "), caught_by=peeling_by_blocks,
                   hint="One class joins at a time.")


@peeling_gaps.right("by Schur complements of the Gram matrix")
def _(Z, labels, alpha):
    Z, labels, gaps = np.asarray(Z, dtype=float), np.asarray(labels), []
    gram = np.eye(len(labels)) + alpha * Z.T @ Z
    for k in range(1, max(labels) + 1):
        old, new = np.flatnonzero(labels < k), np.flatnonzero(labels == k)
        B, C = gram[np.ix_(old, new)], gram[np.ix_(new, new)]
        rest = C - B.T @ np.linalg.solve(gram[np.ix_(old, old)], B)
        gaps.append(np.log(np.linalg.det(C) / np.linalg.det(rest)))
    return np.array(gaps)


equality_certificate = Exercise(
    "ch04.equality_certificate", "A certificate of equality", principles=["P4.18"], label="subsec:MCR2", minutes=6, level="more",
    objective="check by inner products alone whether the whole equals the sum of its parts",
    hints=["All inner products: Z.T @ Z. Which of them belong to two different classes?",
           "labels[:, None] != labels is a mask of the shape (N, N).",
           "Absolute values, and the largest."])


@equality_certificate.law("by loops over pairs of different classes")
def certificate_by_loops(f, rng):
    Z = scattered(rng)
    pairs = [(i, j) for i, j in itertools.combinations(range(12), 2) if CLASSES[i] != CLASSES[j]]
    close(f(Z, CLASSES), max(abs(sum(a * b for a, b in zip(Z[:, i], Z[:, j]))) for i, j in pairs))


@equality_certificate.law("0 for orthogonal classes, however their features lie within")
def certificate_zero(f, rng):
    Q, Z = rotation(rng, 4), np.zeros((4, 12))
    for k, basis in enumerate((Q[:, :2], Q[:, 2:3], Q[:, 3:])):
        Z[:, CLASSES == k] = basis @ rng.normal(size=(basis.shape[1], np.sum(CLASSES == k)))
    close(f(Z, CLASSES), 0)


@equality_certificate.law("not 0 where one pair of features is not orthogonal; then the whole is less than its parts")
def certificate_positive(f, rng):
    Z = np.zeros((4, 12))
    Z[CLASSES, np.arange(12)] = 1
    other = np.flatnonzero(CLASSES == 2)[1]
    for tilt in (0.1, -0.1):
        tilted = Z.copy()
        tilted[0, other] = tilt
        gap = sum(log_minor(tilted, CLASSES, 1.0, [k]) for k in range(3)) - log_minor(tilted, CLASSES, 1.0, [0, 1, 2])
        value = float(f(tilted, CLASSES))
        close(value, 0.1)
        holds(0 < gap < 12 * value**2, "right minus left is not between 0 and a multiple of the certificate's square")


@equality_certificate.law("of the units of a squared length, and unchanged by a rotation")
def certificate_units(f, rng):
    Z = scattered(rng)
    close(f(2 * rotation(rng, 4) @ Z, CLASSES), 4 * float(f(Z, CLASSES)))


equality_certificate.wrong("within classes, too", replace=("np.abs(Z.T @ Z)[apart]", "np.abs(Z.T @ Z)"),
                           caught_by=certificate_zero,
                           hint="Features of one class need not be orthogonal to each other.")
equality_certificate.wrong("the largest, with its sign", replace=("np.abs(Z.T @ Z)", "(Z.T @ Z)"), caught_by=certificate_positive,
                           hint="An inner product of -1 is far from 0.")
equality_certificate.wrong("class means only", replace=("np.abs(Z.T @ Z)[apart].max()",
                           "max(abs(Z[:, labels == a].mean(axis=1) @ Z[:, labels == b].mean(axis=1)) "
                            "for a in labels for b in labels if a != b)"),
                           caught_by=certificate_by_loops, hint="Means may be orthogonal, or 0, where the features are not.")
equality_certificate.wrong("cosines", replace=("np.abs(Z.T @ Z)[apart].max()",
                           "np.abs((Z / np.linalg.norm(Z, axis=0)).T @ (Z / np.linalg.norm(Z, axis=0)))[apart].max()"),
                           caught_by=certificate_units, hint="Inner products as they come, without dividing by lengths.")
equality_certificate.wrong("neighbours only", replace=("labels[:, None] != labels", "np.abs(labels[:, None] - labels) == 1"),
                           caught_by=certificate_positive, hint="Class 0 and class 2 are different classes, too.")


@equality_certificate.right("class against class, in JAX")
def _(Z, labels):
    Z, labels = jnp.asarray(Z), np.asarray(labels)
    blocks = [Z[:, labels == k] for k in range(labels.max() + 1)]
    return max(jnp.abs(A.T @ B).max() for i, A in enumerate(blocks) for B in blocks[:i])


# P4.19

soft_class_rate = Exercise(
    "ch04.soft_class_rate", "The class rate of soft memberships", principles=["P4.19"], label="eq:MCRc", minutes=10, level="more",
    objective="extend the class rate to uncertain labels, and see that certainty is cheaper",
    hints=["One class at a time: its shares are a row of membership, its size n_k is their sum.",
           "S_k = (shares * Z) @ Z.T: the shares enter once.",
           "n_k takes the place of N_k in both places, before the logarithm and inside it.",
           "Leave a class with n_k = 0 out of the sum."])


def soft_case(rng):
    """Features (3, 7) and memberships (3, 7)."""
    return rng.normal(size=(3, 7)), rng.dirichlet(np.ones(3), size=7).T


def hard_rate(Z, labels, eps):
    """Mean rate of the classes of a hard partition, in float64."""
    return sum(np.mean(labels == k) * rate_by_eigenvalues(Z[:, labels == k], eps) for k in set(np.asarray(labels).tolist()))


@soft_class_rate.law("for one-hot memberships the mean rate of the classes; an empty class costs nothing")
def soft_hard(f, rng):
    Z, _ = soft_case(rng)
    for labels in (np.array([0, 2, 1, 1, 0, 0, 2]), np.array([0, 2, 2, 0, 0, 0, 2])):
        close(f(Z, np.eye(3)[:, labels], 0.6), hard_rate(Z, labels, 0.6))


@soft_class_rate.law("where all samples have the same shares, the rate of all features together")
def soft_undecided(f, rng):
    Z, _ = soft_case(rng)
    close(f(Z, np.outer([0.5, 0.3, 0.2], np.ones(7)), 0.6), rate_by_eigenvalues(Z, 0.6))


@soft_class_rate.law("concave: halfway between two memberships not below the mean of both")
def soft_concave(f, rng):
    for _ in range(10):
        (Z, P), (_, Q) = soft_case(rng), soft_case(rng)
        ends = float(f(Z, P, 0.6)) / 2 + float(f(Z, Q, 0.6)) / 2
        holds(float(f(Z, (P + Q) / 2, 0.6)) >= ends - 1e-5, "the middle is below the mean of the ends")


@soft_class_rate.law("not below the best of all 2,187 hard partitions")
def soft_corner(f, rng):
    Z, P = soft_case(rng)
    hard = np.eye(3)[np.array(list(itertools.product(range(3), repeat=7)))].transpose(0, 2, 1)  # (2187, 3, 7)
    n = np.maximum(hard.sum(axis=2), 1)
    S = np.einsum("pkn,dn,en->pkde", hard, Z, Z)
    best = (n / 14 * np.linalg.slogdet(np.eye(3) + 3 / (n[:, :, None, None] * 0.36) * S)[1]).sum(axis=1).min()
    holds(float(f(Z, P, 0.6)) > best - 1e-4, "it is below the rate of every hard partition")
    holds(float(f(Z, P, 0.6)) <= rate_by_eigenvalues(Z, 0.6) + 1e-4, "it is above the rate of all features together")


@soft_class_rate.law("by the eigenvalues of each class's second moment")
def soft_dense(f, rng):
    Z, P = soft_case(rng)
    for eps in (0.4, 1.5):
        expected = 0.0
        for row in P:
            S = sum(p * np.outer(z, z) for p, z in zip(row, Z.T)) / sum(row)
            expected += sum(row) / 14 * np.log1p(3 / eps**2 * np.linalg.eigvalsh(S)).sum()
        close(f(Z, P, eps), expected)


soft_class_rate.wrong("shares squared", replace=("(shares * Z) @ Z.T", "(shares * Z) @ (shares * Z).T"), caught_by=soft_dense,
                      hint="S_k is linear in the shares. Squared, they belong to a constraint for hard labels.")
soft_class_rate.wrong("N for the size of the class", replace=("d / (n * eps**2)", "d / (N * eps**2)"), caught_by=soft_undecided,
                      hint="Inside the determinant stands the size of the class, too.")
soft_class_rate.wrong("every class counts the same", replace=("n / (2 * N) *", "1 / (2 * len(membership)) *"),
                      caught_by=soft_hard,
                      hint="The weight of a class is its size over N.")
soft_class_rate.wrong("columns for rows", replace=("(shares * Z) @ Z.T", "(shares[:d, None] * Z) @ Z.T"), caught_by=soft_dense,
                      hint="A share belongs to a sample, and a sample is a column of Z.")
soft_class_rate.wrong("no care for empty classes", replace=("if n > 0:", "with np.errstate(all='ignore'):"), caught_by=soft_hard,
                      hint="0 times log det of NaN is NaN.")
soft_class_rate.wrong("eps not squared", replace=("eps**2", "eps"), caught_by=soft_dense, hint="eps is a length.")


@soft_class_rate.right("all classes at once, with JAX")
def _(Z, membership, eps):
    Z, membership = jnp.asarray(Z), jnp.asarray(membership)
    (d, N), n = Z.shape, membership.sum(axis=1)
    scale = jnp.where(n > 0, d / (jnp.where(n > 0, n, 1) * eps**2), 0)
    S = jnp.einsum("kn,dn,en->kde", membership, Z, Z)
    return n @ jnp.linalg.slogdet(jnp.eye(d) + scale[:, None, None] * S)[1] / (2 * N)


@soft_class_rate.right("through the Gram matrix of weighted features")
def _(Z, membership, eps):
    Z, total = np.asarray(Z, dtype=float), 0.0
    for row in np.asarray(membership, dtype=float):
        G = np.sqrt(row)[:, None] * (Z.T @ Z) * np.sqrt(row)
        if sum(row) > 0:
            total += sum(row) * np.log1p(len(Z) * np.linalg.eigvalsh(G).clip(0) / (sum(row) * eps**2)).sum()
    return total / (2 * Z.shape[1])
