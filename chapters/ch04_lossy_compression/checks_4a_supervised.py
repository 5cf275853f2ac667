"""Exercises of Part 4, first half, supervised rate reduction: P4.24. Oracles: NumPy, float64, nothing shared with answers."""

import itertools

import jax.numpy as jnp
import numpy as np

from book_utils import subspace_classifier
from book_utils.course.exercises import Exercise, close, holds


def rate_by_gram(Z, eps):
    """Coding rate from the eigenvalues of the small side's other matrix: columns against columns."""
    d, N = Z.shape
    return np.log1p(d / (N * eps**2) * np.linalg.eigvalsh(Z.T @ Z).clip(0)).sum() / 2


def members(labels, K):
    return (np.arange(K)[:, None] == labels).astype(float)


def orthonormal(rng, d, r):
    return np.linalg.qr(rng.normal(size=(d, r)))[0]


def projector(U):
    U = np.asarray(U, dtype=float)
    return U @ U.T


# P4.24 ------------------------------------------------------------------------------------------------------------

mcr_loss = Exercise(
    "ch04.mcr_loss", "The loss of a batch", principles=["P4.24"], label="eqn:maximal-rate-reduction", minutes=12, level="more",
    objective="write the loss that trains a network for rate reduction",
    hints=["Three steps: every column of Z to length 1, the rate of each class, the rate of all of them.",
           "membership[k] * Z leaves of Z the columns of class k, the others 0. Then Z_k Z_k^T is (membership[k] * Z) @ Z.T.",
           "With n = membership[k].sum(), class k adds n / N times log det(I + d / (n eps^2) Z_k Z_k^T) / 2. Mind n = 0.",
           "The loss is the classes' sum minus log det(I + d / (N eps^2) Z Z^T) / 2."])

BATCH_LABELS = np.array([1, 0, 0, 2, 1, 0, 2, 1, 0])


@mcr_loss.law("minus the rate reduction of the unit features, from the Gram matrices of all samples and of each class")
def loss_by_gram(f, rng):
    Z = rng.normal(size=(4, 9))
    unit = Z / np.sqrt((Z * Z).sum(0))
    inside = sum((BATCH_LABELS == k).mean() * rate_by_gram(unit[:, BATCH_LABELS == k], 0.7) for k in range(3))
    close(f(Z, members(BATCH_LABELS, 3), 0.7), inside - rate_by_gram(unit, 0.7))


@mcr_loss.law("for three classes on axes of their own, from the formula for log det of a diagonal matrix")
def loss_on_axes(f, rng):
    Z, eps = 3 * np.eye(4)[:, BATCH_LABELS], 0.5
    counts = np.array([4, 3, 2])
    inside = (counts / 9 * np.log1p(4 / eps**2)).sum() / 2  # alpha_k N_k = d / eps^2
    close(f(Z, members(BATCH_LABELS, 3), eps), inside - np.log1p(4 * counts / (9 * eps**2)).sum() / 2)


@mcr_loss.law("does not change when samples are made longer or shorter")
def loss_of_directions(f, rng):
    Z, lengths = rng.normal(size=(4, 9)), rng.uniform(0.2, 5, size=9)
    close(f(Z * lengths, members(BATCH_LABELS, 3), 0.7), f(Z, members(BATCH_LABELS, 3), 0.7))


@mcr_loss.law("0 when a batch holds a single class, for whatever other classes there are")
def loss_of_one_class(f, rng):
    close(f(rng.normal(size=(4, 9)), members(np.full(9, 1), 3), 0.7), 0.0)


@mcr_loss.law("below 0 when the classes differ, and unchanged when they are numbered otherwise")
def loss_renumbered(f, rng):
    Z, membership = rng.normal(size=(4, 9)), members(BATCH_LABELS, 3)
    value = float(f(Z, membership, 0.5))
    holds(value < -1e-3, "the loss is not negative")
    close(f(Z, membership[[2, 0, 1]], 0.5), value)


mcr_loss.wrong("features as they come", replace=("Z = Z / np.linalg.norm(Z, axis=0)", "Z = 1.0 * Z"),
               caught_by=loss_of_directions,
               hint="Without a constraint the loss falls for ever: longer features, larger rates. Divide each by its length.")
mcr_loss.wrong("rows of length 1", replace=("norm(Z, axis=0)", "norm(Z, axis=1, keepdims=True)"), caught_by=loss_of_directions,
               hint="A sample is a column: the norm is taken along axis 0.")
mcr_loss.wrong("the batch's factor for a class", replace=("rate(row, max(n, 1))", "rate(row, N)"),
               caught_by=loss_by_gram, hint="A class is coded on its own: its factor is d / (N_k eps^2), with its own number.")
mcr_loss.wrong("classes not weighted", replace=("n / N * rate(row", "rate(row"), caught_by=loss_by_gram,
               hint="Nats per sample: class k counts N_k / N.")
mcr_loss.wrong("minimises the rate reduction", replace=("inside - rate(np.ones(N), N)", "rate(np.ones(N), N) - inside"),
               caught_by=loss_renumbered, hint="Training lowers a loss, and the rate reduction is to grow.")
mcr_loss.wrong("0 / 0 where a class is not in the batch", replace=("max(n, 1)", "n"), caught_by=loss_of_one_class,
               hint="For an empty class d / (n eps^2) is infinite and Z_k is 0: their product is nan. Keep n at 1 or more there.")
mcr_loss.wrong("eps not squared", replace=("(n * eps**2)", "(n * eps)"), caught_by=loss_on_axes,
               hint="eps is a root mean square: it stands squared in every rate.")


@mcr_loss.right("class by class, from singular values, in NumPy")
def _(Z, membership, eps):
    Z = np.asarray(Z) / np.linalg.norm(Z, axis=0)
    d, N = Z.shape
    rate = lambda part: np.log1p(d / (part.shape[1] * eps**2) * np.linalg.svd(part, compute_uv=False) ** 2).sum() / 2
    classes = [Z[:, np.asarray(row) > 0] for row in membership]
    return sum(c.shape[1] / N * rate(c) for c in classes if c.shape[1]) - rate(Z)


@mcr_loss.right("all classes in one batched determinant")
def _(Z, membership, eps):
    d, N = Z.shape
    Z = Z / jnp.sqrt((Z**2).sum(axis=0))
    shares = jnp.concatenate([jnp.ones((1, N)), jnp.asarray(membership)])
    counts = shares.sum(axis=1)
    moments = jnp.einsum("kn,dn,en->kde", shares, Z, Z) / jnp.where(counts > 0, counts, 1)[:, None, None]
    rates = jnp.linalg.slogdet(jnp.eye(d) + d / eps**2 * moments)[1] / 2
    return counts[1:] @ rates[1:] / N - rates[0]


fit_subspaces = Exercise(
    "ch04.fit_subspaces", "A subspace for every class", principles=["P4.24"], label="sec:MCR2-classification", minutes=8,
    level="more", objective="fit a linear subspace to the features of every class",
    hints=["Z[:, labels == k] are the features of class k.",
           "np.linalg.svd gives U, s and V^T; s descends. Which of them has the d entries of a feature along its columns?",
           "np.linalg.svd(part, full_matrices=False)[0][:, :r] for every class, then np.stack."])


def labelled(rng, d=6, sizes=(9, 11, 10), roots=(3.0, 2.0, 0.5, 0.3), offset=0.0):
    """Features (d, N) in mixed order, and labels."""
    labels = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    Z = np.empty((d, len(labels)))
    for k, size in enumerate(sizes):
        m = len(roots)
        Z[:, labels == k] = (orthonormal(rng, d, m) * roots) @ orthonormal(rng, size, m).T + offset
    return Z, labels


@fit_subspaces.law("orthonormal bases (K, d, r)")
def fit_orthonormal(f, rng):
    Z, labels = labelled(rng)
    Us = np.asarray(f(Z, labels, 2), dtype=float)
    close(Us, np.zeros((3, 6, 2)), tol=1e5)  # the shape
    for U in Us:
        close(U.T @ U, np.eye(2))


@fit_subspaces.law("the eigenvectors of the r largest eigenvalues of the sum of z z^T over the class")
def fit_by_moments(f, rng):
    Z, labels = labelled(rng)
    Us = f(Z, labels, 2)
    for k in range(3):
        moment = sum(np.outer(z, z) for z in Z.T[labels == k])
        close(projector(Us[k]), projector(np.linalg.eigh(moment)[1][:, -2:]), tol=5)


@fit_subspaces.law("what lies outside is what the singular values from the (r + 1)-th on hold, no more")
def fit_residual(f, rng):
    Z, labels = labelled(rng)
    Us = f(Z, labels, 2)
    for k in range(3):
        part = Z[:, labels == k]
        close(((part - projector(Us[k]) @ part) ** 2).sum(), 0.5**2 + 0.3**2, tol=5)


@fit_subspaces.law("contains all features of a class that lies in r dimensions, far from 0 too")
def fit_far_from_zero(f, rng):
    Z, labels = labelled(rng, roots=(0.3,), offset=2.0)
    Us = f(Z, labels, 2)
    for k in range(3):
        part = Z[:, labels == k]
        close(projector(Us[k]) @ part, part)


@fit_subspaces.law("does not depend on the order of the samples")
def fit_any_order(f, rng):
    Z, labels = labelled(rng)
    order = rng.permutation(len(labels))
    first, second = f(Z, labels, 2), f(Z[:, order], labels[order], 2)
    for k in range(3):
        close(projector(first[k]), projector(second[k]), tol=5)


fit_subspaces.wrong("centred", replace=("np.linalg.svd(part, ", "np.linalg.svd(part - part.mean(axis=1, keepdims=True), "),
                    caught_by=fit_far_from_zero,
                    hint="A linear subspace goes through 0, and features keep their mean: nothing is subtracted here.")
fit_subspaces.wrong("right singular vectors", replace=("[0][:, :r]", "[2][:, :r]"), caught_by=fit_orthonormal,
                    hint="Directions in feature space have d entries: they are the columns of U.")
fit_subspaces.wrong("rows of U", replace=("[0][:, :r]", "[0][:r].T"), caught_by=fit_residual,
                    hint="Singular vectors are the columns of U, so U[:, :r].")
fit_subspaces.wrong("the smallest directions", replace=("[0][:, :r]", "[0][:, -r:]"), caught_by=fit_residual,
                    hint="NumPy sorts singular values in descending order (eigh does it the other way round).")
fit_subspaces.wrong("one subspace for all", replace=("part = Z[:, labels == k]", "part = Z"), caught_by=fit_by_moments,
                    hint="Every class has its own subspace, fitted to its own features.")
fit_subspaces.wrong("scaled by the singular values", replace=("full_matrices=False)[0][:, :r]", "full_matrices=False)[0][:, :r] "
                    "* np.linalg.svd(part, compute_uv=False)[:r]"), caught_by=fit_orthonormal,
                    hint="A basis says where a subspace lies: unit vectors, without the singular values.")


@fit_subspaces.right("eigenvectors of the second moments, in JAX")
def _(Z, labels, r):
    Z, labels = jnp.asarray(Z), np.asarray(labels)
    moments = jnp.stack([Z[:, labels == k] @ Z[:, labels == k].T for k in range(labels.max() + 1)])
    return jnp.linalg.eigh(moments)[1][:, :, ::-1][:, :, :r]


nearest_subspace = Exercise(
    "ch04.nearest_subspace", "The nearest subspace", principles=["P4.24"], label="sec:MCR2-classification", minutes=10,
    stand_in=subspace_classifier.nearest_subspace, objective="classify features by the subspace nearest to them",
    hints=["||z - U U^T z||^2 = ||z||^2 - ||U^T z||^2: the nearest subspace is the one with the largest ||U^T z||.",
           "U_k.T @ Z_new is (r, M): coordinates of all samples in subspace k. Their squares, summed over r, are ||U_k^T z||^2.",
           "For all k at once: jnp.swapaxes(Us, 1, 2) @ Z_new is (K, r, M).",
           "energies = (coordinates**2).sum(axis=1) is (K, M); then jnp.argmax(energies, axis=0)."])


def three_planes(rng):
    """Bases (3, 7, 2) and twelve samples (7, 12) in general position."""
    return np.stack([orthonormal(rng, 7, 2) for _ in range(3)]), rng.normal(size=(7, 12))


@nearest_subspace.law("the least distance, by least squares in every subspace")
def nearest_by_least_squares(f, rng):
    Us, Z_new = three_planes(rng)
    distances = [np.linalg.norm(Z_new - U @ np.linalg.lstsq(U, Z_new, rcond=None)[0], axis=0) for U in Us]
    close(f(Us, Z_new), np.argmin(distances, axis=0))


@nearest_subspace.law("a sample in a subspace belongs to it")
def nearest_of_members(f, rng):
    Us, _ = three_planes(rng)
    labels = np.tile([2, 0, 1], 4)
    close(f(Us, np.stack([Us[k] @ rng.normal(size=2) for k in labels], axis=1)), labels)


@nearest_subspace.law("does not change when a sample is made longer, shorter or negative")
def nearest_of_directions(f, rng):
    Us, Z_new = three_planes(rng)
    close(f(Us, Z_new * rng.uniform(0.1, 10, size=12) * rng.choice([-1, 1], size=12)), f(Us, Z_new))


@nearest_subspace.law("does not change when a basis is turned within its subspace")
def nearest_turned(f, rng):
    Us, Z_new = three_planes(rng)
    close(f(np.stack([U @ orthonormal(rng, 2, 2) for U in Us]), Z_new), f(Us, Z_new))


@nearest_subspace.law("numbers the subspaces from 0; the first of two equals wins")
def nearest_first_of_equals(f, rng):
    Us, Z_new = three_planes(rng)
    close(f(Us[[1, 1, 1]], Z_new), np.zeros(12))
    close(f(Us[[2, 0, 1]], Z_new), (np.asarray(f(Us, Z_new)) + 1) % 3)


nearest_subspace.wrong("the farthest", replace=("jnp.argmax(", "jnp.argmin("), caught_by=nearest_of_members,
                       hint="The projection is what lies in the subspace. Near means that it is large.")
nearest_subspace.wrong("adds coordinates, not their squares", replace=("coordinates**2", "coordinates"),
                       caught_by=nearest_of_directions,
                       hint="A basis vector and its negative span the same line: coordinates of both signs must not cancel.")
nearest_subspace.wrong("adds absolute values", replace=("coordinates**2", "jnp.abs(coordinates)"), caught_by=nearest_turned,
                       hint="The length of the projection is a Euclidean one. A sum of absolute values depends on the basis.")
nearest_subspace.wrong("one basis vector only", replace=("jnp.swapaxes(Us, 1, 2)", "jnp.swapaxes(Us[:, :, :1], 1, 2)"),
                       caught_by=nearest_by_least_squares, hint="A subspace has r directions, and all of them count.")
nearest_subspace.wrong("the best basis vector", replace=(".sum(axis=1)", ".max(axis=1)"), caught_by=nearest_turned,
                       hint="A sample between two basis vectors lies in the plane as well. Add the squares up.")
nearest_subspace.wrong("residual in place of the projection",
                       replace=("coordinates**2).sum(axis=1)", "(Z_new - Us @ coordinates) ** 2).sum(axis=1)"),
                       caught_by=nearest_of_members, hint="That is the distance: its *smallest* value wins.")


@nearest_subspace.right("distances to the projections, in NumPy")
def _(Us, Z_new):
    Z_new = np.asarray(Z_new)
    return np.argmin([np.linalg.norm(Z_new - U @ (U.T @ Z_new), axis=0) for U in np.asarray(Us)], axis=0)


@nearest_subspace.right("through projectors")
def _(Us, Z_new):
    return jnp.einsum("dm,kdi,kei,em->mk", Z_new, Us, Us, Z_new).argmax(axis=1)


absolute_cosines = Exercise(
    "ch04.absolute_cosines", "Blocks of cosines", principles=["P4.24"], label="fig:heatmap-plot", minutes=8, level="more",
    objective="see with one picture which classes share directions",
    hints=["Three steps: put the columns in order of their labels, divide each by its length, multiply all by all.",
           "np.argsort(labels, kind=\"stable\") keeps the order within a class.",
           "With unit columns in order, np.abs(Z.T @ Z)."])

PICTURE_LABELS = np.array([2, 0, 1, 1, 0, 2, 0, 1])


@absolute_cosines.law("entry (i, j) is |cos| of the angle between the i-th and the j-th sample, in order of classes")
def cosines_pair_by_pair(f, rng):
    Z = rng.normal(size=(5, 8))
    order = [i for k in range(3) for i in range(8) if PICTURE_LABELS[i] == k]
    expected = [[abs(Z[:, i] @ Z[:, j]) / np.linalg.norm(Z[:, i]) / np.linalg.norm(Z[:, j]) for j in order] for i in order]
    close(f(Z, PICTURE_LABELS), expected)


@absolute_cosines.law("three blocks of ones where every class has an axis of its own, and zeros elsewhere")
def cosines_blocks(f, rng):
    Z = np.eye(5)[:, PICTURE_LABELS] * rng.uniform(0.5, 3, size=8) * rng.choice([-1, 1], size=8)
    close(f(Z, PICTURE_LABELS), np.kron(np.eye(3), np.ones((3, 3)))[:8, :8])


@absolute_cosines.law("does not change when a sample is made longer, shorter or negative")
def cosines_of_directions(f, rng):
    Z = rng.normal(size=(5, 8))
    close(f(Z * rng.uniform(0.2, 4, size=8) * rng.choice([-1, 1], size=8), PICTURE_LABELS), f(Z, PICTURE_LABELS))


@absolute_cosines.law("symmetric, with ones on the diagonal")
def cosines_diagonal(f, rng):
    C = np.asarray(f(rng.normal(size=(5, 8)), PICTURE_LABELS), dtype=float)
    close(C, C.T)
    close(np.diag(C), np.ones(8))


absolute_cosines.wrong("not sorted", replace=('np.argsort(labels, kind="stable")', "np.arange(len(labels))"),
                       caught_by=cosines_blocks,
                       hint="Blocks appear when samples of one class stand side by side.")
absolute_cosines.wrong("lengths left in", replace=("Z = Z / np.linalg.norm(Z, axis=0)", "Z = 1.0 * Z"),
                       caught_by=cosines_diagonal,
                       hint="A cosine is the inner product of *unit* vectors.")
absolute_cosines.wrong("rows of length 1", replace=("norm(Z, axis=0)", "norm(Z, axis=1, keepdims=True)"),
                       caught_by=cosines_diagonal,
                       hint="A sample is a column.")
absolute_cosines.wrong("with signs", replace=("np.abs(Z.T @ Z)", "Z.T @ Z"), caught_by=cosines_of_directions,
                       hint="Opposite samples lie on one line: their absolute cosine is 1.")
absolute_cosines.wrong("squared", replace=("np.abs(Z.T @ Z)", "(Z.T @ Z) ** 2"), caught_by=cosines_pair_by_pair,
                       hint="The absolute value, not the square.")
absolute_cosines.wrong("last class first", replace=('np.argsort(labels, kind="stable")', 'np.argsort(-labels, kind="stable")'),
                       caught_by=cosines_pair_by_pair, hint="Class 0 comes first.")


@absolute_cosines.right("sorts the finished matrix, in JAX")
def _(Z, labels):
    Z = jnp.asarray(Z)
    products, lengths = jnp.abs(Z.T @ Z), jnp.sqrt((Z**2).sum(axis=0))
    order = np.concatenate([np.flatnonzero(np.asarray(labels) == k) for k in np.unique(labels)])
    return (products / jnp.outer(lengths, lengths))[order][:, order]


effective_rank = Exercise(
    "ch04.effective_rank", "How many dimensions a class fills", principles=["P4.24"], label="fig:feature-pca", minutes=8,
    level="more", stand_in=subspace_classifier.effective_rank, objective="count dimensions without a threshold",
    hints=["The singular values of Z, squared, are the energies along its principal directions.",
           "Divide them by their sum: p adds up to 1. The entropy of p is the log of a number of dimensions.",
           "p = p[p > 0]; np.exp(-(p * np.log(p)).sum())."])


@effective_rank.law("m for m equally strong directions")
def rank_of_flat(f, rng):
    for m in (1, 3, 5):
        close(f(7 * orthonormal(rng, 6, m) @ orthonormal(rng, 9, m).T), float(m))


@effective_rank.law("the perplexity of the eigenvalues of Z Z^T over their trace")
def rank_by_eigenvalues(f, rng):
    Z = rng.normal(size=(6, 9)) * np.array([[3, 2, 1, 1, 0.3, 0.1]]).T
    p = np.linalg.eigvalsh(Z @ Z.T) / np.trace(Z @ Z.T)
    close(f(Z), np.prod(p**-p))


@effective_rank.law("does not change with the scale, by a rotation, or when every sample is there twice")
def rank_invariant(f, rng):
    Z = rng.normal(size=(6, 9)) * np.array([[3, 2, 1, 1, 0.3, 0.1]]).T
    value = f(Z)
    close(f(0.1 * orthonormal(rng, 6, 6) @ Z), value)
    Z = rng.normal(size=(6, 5))
    close(f(np.concatenate([Z, Z[:, :4]], axis=1)), f(np.concatenate([Z[:, :4] * np.sqrt(2), Z[:, 4:], 0 * Z[:, :4]], axis=1)))


@effective_rank.law("the product of two factors for a Kronecker product")
def rank_of_product(f, rng):
    A, B = rng.normal(size=(2, 3)), rng.normal(size=(3, 3))
    by_hand = lambda M: np.exp(-sum(p * np.log(p) for p in np.linalg.eigvalsh(M @ M.T) / np.trace(M @ M.T)))
    close(f(np.kron(A, B)), by_hand(A) * by_hand(B))


effective_rank.wrong("singular values not squared", replace=("compute_uv=False) ** 2", "compute_uv=False)"),
                     caught_by=rank_by_eigenvalues, hint="Energies are squares of singular values.")
effective_rank.wrong("the entropy itself", replace=("np.exp(-(p * np.log(p)).sum())", "-(p * np.log(p)).sum()"),
                     caught_by=rank_of_flat,
                     hint="Entropy is in nats. Its exponential is a number of directions.")
effective_rank.wrong("bits in the exponent", replace=("np.log(p)", "np.log2(p)"), caught_by=rank_of_flat,
                     hint="exp goes with the natural logarithm.")
effective_rank.wrong("participation ratio", replace=("np.exp(-(p * np.log(p)).sum())", "1 / (p**2).sum()"),
                     caught_by=rank_by_eigenvalues,
                     hint="Also a count of directions, of order 2. Asked for is the exponential of the entropy.")
effective_rank.wrong("counts every direction", replace=("np.exp(-(p * np.log(p)).sum())", "1.0 * len(p)"),
                     caught_by=rank_by_eigenvalues, hint="A weak direction should count less than a strong one.")
effective_rank.wrong("centred", replace=("np.linalg.svd(Z, ", "np.linalg.svd(Z - Z.mean(axis=1, keepdims=True), "),
                     caught_by=rank_by_eigenvalues, hint="Nothing is subtracted: the mean is a direction like any other.")


@effective_rank.right("from eigenvalues, in JAX")
def _(Z):
    energies = jnp.linalg.eigvalsh(Z @ Z.T)
    p = jnp.clip(energies / energies.sum(), 1e-12, 1)
    return jnp.prod(p ** (-p))


subspace_cosines = Exercise(
    "ch04.subspace_cosines", "Angles between subspaces", principles=["P4.24"], label="thm:MCR2-properties", minutes=10,
    level="more", stand_in=subspace_classifier.subspace_cosines, objective="measure how far two subspaces are from orthogonal",
    hints=["For lines the cosine is |u^T v|. What replaces it when the bases have r columns?",
           "Turning a basis multiplies U_k^T U_l by an orthogonal matrix from one side: singular values do not change.",
           "products = jnp.einsum(\"kdi,ldj->klij\", Us, Us); jnp.linalg.svd(products, compute_uv=False)."])


@subspace_cosines.law("of planes that share a line, are tilted, or are orthogonal: known by hand")
def planes_by_hand(f, rng):
    e, tilt = np.eye(5), rng.uniform(0.3, 1.2)
    Us = np.stack([e[:, :2], np.stack([e[0], np.cos(tilt) * e[1] + np.sin(tilt) * e[2]], axis=1), e[:, 3:]])
    C = np.asarray(f(Us), dtype=float)
    close(C[0, 1], [1.0, np.cos(tilt)])
    close(C[:2, 2], np.zeros((2, 2)))


@subspace_cosines.law("does not change when bases are turned, and is 1 between a subspace and itself")
def planes_turned(f, rng):
    Us = np.stack([orthonormal(rng, 5, 2) for _ in range(3)])
    C = np.asarray(f(Us), dtype=float)
    close(f(np.stack([U @ orthonormal(rng, 2, 2) for U in Us])), C)
    close(C[np.arange(3), np.arange(3)], np.ones((3, 2)))


@subspace_cosines.law("their squares add up to the trace of the product of the two projectors")
def planes_trace(f, rng):
    Us = np.stack([orthonormal(rng, 5, 2) for _ in range(3)])
    C = np.asarray(f(Us), dtype=float)
    close((C**2).sum(axis=-1), [[np.trace(U @ U.T @ V @ V.T) for V in Us] for U in Us])


@subspace_cosines.law("the first is the largest cosine between a vector of one and a vector of the other, by search")
def planes_by_search(f, rng):
    Us = np.stack([orthonormal(rng, 5, 2) for _ in range(3)])
    angles = np.linspace(0, np.pi, 721)
    circle = np.stack([np.cos(angles), np.sin(angles)])
    largest = np.abs((Us[0] @ circle).T @ (Us[1] @ circle)).max()
    holds(0 <= float(f(Us)[0, 1, 0]) - largest + 1e-5 < 2e-4, "a pair of vectors has another cosine")


subspace_cosines.wrong("the diagonal of the products", replace=("jnp.linalg.svd(products, compute_uv=False)",
                       "jnp.abs(jnp.diagonal(products, axis1=-2, axis2=-1))"), caught_by=planes_turned,
                       hint="This compares basis vectors, and bases are arbitrary.")
subspace_cosines.wrong("ascending", replace=("compute_uv=False)", "compute_uv=False)[..., ::-1]"), caught_by=planes_by_hand,
                       hint="The largest cosine, the smallest angle, comes first.")
subspace_cosines.wrong("squares", replace=("compute_uv=False)", "compute_uv=False) ** 2"), caught_by=planes_trace,
                       hint="Singular values of U_k^T U_l are the cosines themselves.")
subspace_cosines.wrong("angles", replace=("jnp.linalg.svd(products, compute_uv=False)",
                       "jnp.arccos(jnp.clip(jnp.linalg.svd(products, compute_uv=False), 0, 1))"), caught_by=planes_by_hand,
                       hint="Asked for are the cosines, not the angles.")
subspace_cosines.wrong("column lengths of the products", replace=("jnp.linalg.svd(products, compute_uv=False)",
                       "jnp.sort(jnp.linalg.norm(products, axis=-2), axis=-1)[..., ::-1]"), caught_by=planes_turned,
                       hint="Lengths of columns depend on the basis. Singular values do not.")


@subspace_cosines.right("roots of eigenvalues, pair by pair, in NumPy")
def _(Us):
    Us, r = np.asarray(Us, dtype=float), np.shape(Us)[2]
    roots = lambda U, V: np.sqrt(np.linalg.eigvalsh(U.T @ V @ V.T @ U).clip(0))[::-1]
    return np.array([[roots(U, V) for V in Us] for U in Us]).reshape(len(Us), len(Us), r)


corrupt_labels = Exercise(
    "ch04.corrupt_labels", "Wrong labels", principles=["P4.24"], label="fig:CIFAR10-performance", minutes=6, level="more",
    objective="spoil labels in a controlled way, and say how many come out wrong",
    hints=["A uniform number is below share with probability share.",
           "K times a uniform number, rounded down, is each of 0, ..., K - 1 equally often.",
           "Two questions a sample, two independent numbers: whether, and what.",
           "np.where(draws[0] < share, np.floor(K * draws[1]), labels)."])


def even_draws(n=40):
    """All pairs of n evenly spaced numbers in (0, 1): as uniform as n^2 draws can be, (2, n^2)."""
    grid = (np.arange(n) + 0.5) / n
    return np.stack([part.ravel() for part in np.meshgrid(grid, grid, indexing="ij")])


@corrupt_labels.law("share 0 changes nothing; share 1 leaves nothing of the labels")
def labels_at_the_ends(f, rng):
    draws, labels = even_draws(), rng.integers(4, size=1600)
    close(f(labels, draws, 0.0, 4), labels)
    close(f(labels, draws, 1.0, 4), f((labels + 1) % 4, draws, 1.0, 4))


@corrupt_labels.law("over evenly spread draws, share * (1 - 1 / K) of the labels come out wrong")
def labels_wrong_share(f, rng):
    draws, labels = even_draws(), np.repeat(2, 1600)
    close((np.asarray(f(labels, draws, 0.4, 4)) != labels).mean(), 0.3)


@corrupt_labels.law("new labels are all of 0, ..., K - 1, equally often")
def labels_evenly(f, rng):
    draws = even_draws()
    found = np.asarray(f(np.repeat(7, 1600), draws, 0.5, 5), dtype=float)
    close([(found == k).mean() for k in range(8)], [0.1] * 5 + [0, 0, 0.5])


@corrupt_labels.law("the second number of a sample does not say whether it is drawn, nor the first its new label")
def labels_independent(f, rng):
    draws = even_draws()
    found = np.asarray(f(np.repeat(7, 1600), draws, 0.5, 5), dtype=float)
    for half in (draws[1] < 0.5, draws[1] > 0.5):
        close((found[half] == 7).mean(), 0.5)
    for half in (draws[0] < 0.25, (draws[0] > 0.25) & (draws[0] < 0.5)):
        close([(found[half] == k).mean() for k in range(5)], [0.2] * 5)


corrupt_labels.wrong("keeps the wrong part", replace=("draws[0] < share", "draws[0] > share"), caught_by=labels_at_the_ends,
                     hint="A uniform number is below share with probability share.")
corrupt_labels.wrong("one number for both questions", replace=("K * draws[1]", "K * draws[0]"), caught_by=labels_independent,
                     hint="Given that draws[0] < share it is not uniform on [0, 1) any more: small classes would be favoured.")
corrupt_labels.wrong("never the old label", replace=("np.floor(K * draws[1])", "(labels + 1 + np.floor((K - 1) * draws[1])) % K"),
                     caught_by=labels_wrong_share, hint="Drawn anew from all K classes: the old label may come again.")
corrupt_labels.wrong("misses the last class", replace=("np.floor(K * draws[1])", "np.floor((K - 1) * draws[1])"),
                     caught_by=labels_evenly, hint="floor(K u) is K - 1 at most already, since u < 1.")
corrupt_labels.wrong("rounds to the nearest", replace=("np.floor(", "np.round("), caught_by=labels_evenly,
                     hint="Rounding gives 0 half of its share, and gives K, which is no class.")
corrupt_labels.wrong("all labels anew", replace=("np.where(draws[0] < share, np.floor(K * draws[1]), labels)",
                     "np.floor(K * draws[1])"), caught_by=labels_at_the_ends, hint="Only a share of the labels is drawn anew.")


@corrupt_labels.right("sample by sample")
def _(labels, draws, share, K):
    spoiled = [int(K * u) if chosen < share else int(label) for label, chosen, u in zip(labels, *np.asarray(draws, dtype=float))]
    return np.array(spoiled)


fgsm = Exercise(
    "ch04.fgsm", "A step against a classifier", principles=["P4.24"], label="chap4-eqn:cross-entropy", minutes=15,
    level="challenge", objective="find the small change of an image that hurts a classifier most, to first order",
    hints=["The loss of one sample is log sum_k exp(w_k^T x) - w_y^T x. Differentiate with respect to x.",
           "That gradient is W^T (p - e_y), with p the softmax of the scores and e_y the one-hot label.",
           "Among changes with entries up to radius, the inner product with the gradient g is largest for radius * sign(g).",
           "Subtract 1 from p at (labels[i], i), then np.clip(X + radius * np.sign(W.T @ p), 0, 1)."])


def linear_classifier(rng, D=5, K=3, N=8):
    """Pixels well inside (0, 1), labels, and a classifier."""
    return rng.uniform(0.3, 0.7, size=(D, N)), rng.integers(K, size=N), 2 * rng.normal(size=(K, D))


def losses_of(X, labels, W):
    scores = W @ X
    return np.log(np.exp(scores).sum(axis=0)) - scores[labels, np.arange(len(labels))]


@fgsm.law("none of the 2^D changes of full size raises the loss more, for a small radius")
def attack_best_corner(f, rng):
    X, labels, W = linear_classifier(rng)
    corners = [losses_of(X + 0.002 * np.array(signs)[:, None], labels, W) for signs in itertools.product((-1, 1), repeat=5)]
    gap = np.max(corners, axis=0) - losses_of(np.asarray(f(X, labels, W, 0.002), dtype=float), labels, W)
    holds((gap < 2e-4).all(), "another change of the same size does more harm")


@fgsm.law("for two classes: every pixel towards the other class's weights")
def attack_two_classes(f, rng):
    X, labels, W = linear_classifier(rng)
    W = np.stack([W[0], W[1], np.full(5, -30.0)])  # the third class is out of the question
    labels = labels % 2
    close(f(X, labels, W, 0.1), X + 0.1 * np.sign(W[1 - labels] - W[labels]).T)


@fgsm.law("changes no pixel by more than the radius, and nearly all of them by as much; radius 0 changes nothing")
def attack_size(f, rng):
    X, labels, W = linear_classifier(rng)
    close(np.abs(np.asarray(f(X, labels, W, 0.05)) - X), np.full((5, 8), 0.05))
    close(f(X, labels, W, 0.0), X)


@fgsm.law("leaves images images: pixels stay in [0, 1]")
def attack_clipped(f, rng):
    X, labels, W = linear_classifier(rng)
    inside = np.asarray(f(np.round(X), labels, W, 0.2), dtype=float)
    holds(inside.min() >= 0 and inside.max() <= 1, "a pixel is darker than black or lighter than white")
    close(np.abs(inside - np.round(X)).max(), 0.2)


@fgsm.law("raises the loss of every sample")
def attack_raises(f, rng):
    X, labels, W = linear_classifier(rng)
    holds((losses_of(np.asarray(f(X, labels, W, 0.1), dtype=float), labels, W) > losses_of(X, labels, W)).all(), "a loss falls")


fgsm.wrong("helps the classifier", replace=("X + radius", "X - radius"), caught_by=attack_raises,
           hint="Training goes down the gradient in the weights; an attack goes up the gradient in the image.")
fgsm.wrong("the gradient without its sign", replace=("np.sign(W.T @ p)", "(W.T @ p)"), caught_by=attack_size,
           hint="The limit is on each pixel on its own: each may go to its limit.")
fgsm.wrong("forgets the label", replace=("p[labels, np.arange(len(labels))] -= 1", "p[labels, np.arange(len(labels))] -= 0"),
           caught_by=attack_two_classes, hint="The gradient in the scores is p - e_y: the right class is to lose.")
fgsm.wrong("pixels beyond black and white", replace=("np.clip(X + radius * np.sign(W.T @ p), 0, 1)",
           "X + radius * np.sign(W.T @ p)"),
           caught_by=attack_clipped, hint="An image has pixels in [0, 1].")
fgsm.wrong("sign before the weights", replace=("np.sign(W.T @ p)", "np.sign(W.T @ np.sign(p))"), caught_by=attack_best_corner,
           hint="The sign is taken of the gradient in the pixels, after the sum over the classes.")


@fgsm.right("image by image")
def _(X, labels, W, radius):
    X, W, changed = np.asarray(X), np.asarray(W), []
    for x, y in zip(X.T, np.asarray(labels)):
        weights = np.exp(W @ x - (W @ x).max())
        mean = weights @ W / weights.sum()
        changed.append((x + radius * np.sign(mean - W[y])).clip(0, 1))
    return np.stack(changed, axis=1)
