"""Rate reduction against cross-entropy on digits: what Part 4 doubts of labels, attacks, unseen classes and few samples.

Both train the same network (`experiments_supervised.Network`, with its head: equal numbers of parameters) from the same random
start, with the same batches, the same optimiser (Adam, 3e-3; of 1e-3, 3e-3 and 1e-2 it was best or level for both, by clean
validation digits) and the same number of steps. A seed sets the split of the digits, the start and the batches. All networks of a
measurement are trained at once, by jax.vmap. Public functions are run by `book build --long`, one to two minutes each on two
cores.
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from book_utils import coding, data, neighbors, subspace_classifier
from chapters.ch04_lossy_compression.experiments_supervised import (
    BATCH, EPS, OPTIMISER, Network, entropy_loss, one_hot, rate_loss, split_digits, unit)

SEEDS = 5
LOSSES = {"rate reduction": rate_loss, "cross-entropy": entropy_loss}
HEADS = ["head", "nearest subspace"]
r = 3  # basis vectors of a class in feature space: 32 dimensions for ten classes
RAW_R = 8  # and in pixel space


# Training and classifying stacks of networks -----------------------------------------------------------------------------------

def _stack(seeds: list[int], K: int = 10) -> Network:
    """One untrained network a seed; equal seeds give equal networks."""
    keys = jnp.stack([jax.random.key(seed) for seed in seeds])
    return eqx.filter_vmap(lambda key: Network(key, K))(keys)


def _train(loss, seeds: list[int], X: np.ndarray, memberships: np.ndarray, steps: int, every: int | None = None,
           batch: int = BATCH) -> Network:
    """Networks of every seed after each `every` steps (default: the last step alone), leading axes (seeds, checkpoints).

    X (seeds, 64, N), memberships (seeds, K, N)."""
    every = every or steps
    networks, fixed = eqx.partition(_stack(seeds, memberships.shape[1]), eqx.is_inexact_array)
    keys = jnp.stack([jax.random.key(100 + seed) for seed in seeds])
    X, memberships = jnp.asarray(X), jnp.asarray(memberships, jnp.float32)
    path = _paths(networks, fixed, loss, X, memberships, keys, every, steps // every, batch)
    return eqx.combine(path, fixed)


@eqx.filter_jit
def _paths(networks: Network, fixed: Network, loss, X: jax.Array, memberships: jax.Array, keys: jax.Array, every: int, count: int,
           batch: int) -> Network:
    def one(network, X, membership, key):
        def step(i, carry):
            network, memory = carry
            chosen = jax.random.randint(jax.random.fold_in(key, i), (batch,), 0, X.shape[1])
            part = X[:, chosen], membership[:, chosen]
            gradient = jax.grad(lambda network: loss(eqx.combine(network, fixed), part, key))(network)
            update, memory = OPTIMISER.update(gradient, memory, network)
            return optax.apply_updates(network, update), memory

        def stretch(carry, i):
            carry = jax.lax.fori_loop(i * every, (i + 1) * every, step, carry)
            return carry, carry[0]

        return jax.lax.scan(stretch, (network, OPTIMISER.init(network)), jnp.arange(count))[1]

    return jax.vmap(one)(networks, X, memberships, keys)


def _over(function, networks: Network, *stacks: np.ndarray) -> object:
    """function(network, *parts) over the leading axes: parts have the seeds', networks the checkpoints' as well."""
    arrays, fixed = eqx.partition(networks, eqx.is_inexact_array)
    return jax.tree.map(np.asarray, _mapped(function, arrays, fixed, *map(jnp.asarray, stacks)))


@eqx.filter_jit
def _mapped(function, networks: Network, fixed: Network, *stacks: jax.Array) -> object:
    inner = lambda network, *parts: jax.vmap(lambda one: function(eqx.combine(one, fixed), *parts))(network)
    return jax.vmap(inner)(networks, *stacks)


def _scores(network: Network, normal: bool, X_new: jax.Array, Us: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Scores of the classes (K, M) by the head and by the subspaces Us. `normal`: the head knows features of length 1."""
    F = network(X_new)
    Z = unit(F)
    return network.logits(jnp.sqrt(1.0 * len(F)) * Z if normal else F), subspace_classifier.subspace_energies(Us, Z)


def _fit(network: Network, X: jax.Array, labels: jax.Array, K: int = 10) -> jax.Array:
    return subspace_classifier.fit_subspaces(unit(network(X)), labels, r, K)


def _classify(normal: bool, network: Network, X: jax.Array, labels: jax.Array, *news: jax.Array) -> list[jax.Array]:
    Us = _fit(network, X, labels)
    return [jnp.stack([scores.argmax(axis=0) for scores in _scores(network, normal, new, Us)]) for new in news]


CLASSIFY = {name: functools.partial(_classify, name == "rate reduction") for name in LOSSES}


def _predictions(name: str, networks: Network, X: np.ndarray, labels: np.ndarray, *news: np.ndarray) -> list[np.ndarray]:
    """Predicted classes (2, seeds, checkpoints, M) of each of `news`, by the head and by subspaces fitted to X and labels."""
    return [np.moveaxis(found, 2, 0) for found in _over(CLASSIFY[name], networks, X, labels, *news)]


def _corrupt(labels: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Labels of which that share, in expectation, is drawn anew from all ten classes."""
    return np.where(rng.random(len(labels)) < share, rng.integers(10, size=len(labels)), labels)


def _vote(X: np.ndarray, labels: np.ndarray, X_new: np.ndarray, k: int) -> np.ndarray:
    """The commonest label of the k nearest images."""
    near = labels[np.asarray(neighbors.nearest(X, X_new, k)[1])]
    return one_hot(near).sum(axis=1).argmax(axis=0)


def _raw_subspace(X: np.ndarray, labels: np.ndarray, X_new: np.ndarray) -> np.ndarray:
    """Nearest subspace of the pixels themselves."""
    return np.asarray(subspace_classifier.nearest_subspace(subspace_classifier.fit_subspaces(X, labels, RAW_R), X_new))


def _parts(seeds: list[int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training, validation and test digits of every seed, stacked."""
    splits = [split_digits(seed) for seed in seeds]
    return [tuple(np.stack([split[i][j] for split in splits]) for j in (0, 1)) for i in range(3)]


# The measurements --------------------------------------------------------------------------------------------------------------

def label_noise() -> dict:
    """Test accuracy when shares of all training and validation labels are drawn anew; the test labels are right.

    accuracy: (losses, classifiers, shares, seeds, checkpoints), a checkpoint every 50 of 800 steps; stopped: (losses,
    classifiers, shares, seeds) at the checkpoint with the best accuracy on the *noisy* validation labels; fitted, of the same
    shape: share of the noisy training labels that the last network reproduces; raw: (methods, shares, seeds) on pixels.
    """
    shares, every, raw_names = [0.0, 0.2, 0.4, 0.6, 0.8], 50, ["5 neighbours", "25 neighbours", "nearest subspace"]
    accuracy, stopped, fitted, raw = [], [], [], np.zeros((3, len(shares), SEEDS))
    seeds = list(range(SEEDS))
    (X, labels), (X_val, val), (X_test, test) = _parts(seeds)
    for name, loss in LOSSES.items():
        rows = []
        for i, share in enumerate(shares):
            rngs = [np.random.default_rng([seed, round(10 * share)]) for seed in seeds]
            noisy = np.stack([_corrupt(y, share, rng) for y, rng in zip(labels, rngs)])
            noisy_val = np.stack([_corrupt(y, share, rng) for y, rng in zip(val, rngs)])
            networks = _train(loss, seeds, X, np.stack([one_hot(y) for y in noisy]), 800, every)
            on_train, on_val, on_test = _predictions(name, networks, X, noisy, X, X_val, X_test)
            right = (on_test == test[:, None]).mean(axis=-1)  # (classifiers, seeds, checkpoints)
            best = (on_val == noisy_val[:, None]).mean(axis=-1).argmax(axis=-1)
            rows.append((right, np.take_along_axis(right, best[..., None], -1)[..., 0],
                         (on_train[:, :, -1] == noisy).mean(axis=-1)))
            if name == "cross-entropy":
                for s in seeds:
                    said = (_vote(X[s], noisy[s], X_test[s], 5), _vote(X[s], noisy[s], X_test[s], 25),
                            _raw_subspace(X[s], noisy[s], X_test[s]))
                    raw[:, i, s] = [(found == test[s]).mean() for found in said]
        for store, parts in zip((accuracy, stopped, fitted), zip(*rows)):
            store.append(np.stack(parts, axis=1))
    return {"losses": list(LOSSES), "classifiers": HEADS, "shares": shares, "steps": list(range(every, 801, every)),
            "accuracy": np.stack(accuracy), "stopped": np.stack(stopped), "fitted": np.stack(fitted),
            "raw_names": raw_names, "raw": raw}


def _margin(scores: jax.Array, membership: jax.Array) -> jax.Array:
    """The best wrong score minus the right one (N,): positive where the decision is wrong."""
    return jnp.max(jnp.where(membership > 0, -jnp.inf, scores), axis=0) - jnp.sum(membership * scores, axis=0)


def _attack(score, X: jax.Array, membership: jax.Array, radius: float, key: jax.Array, steps: int) -> jax.Array:
    """Images within `radius` of X in every pixel, and in [0, 1], that raise the margin: one step of full size, or many of a fifth
    from a random start."""
    slope = jax.grad(lambda X: _margin(score(X), membership).sum())
    inside = lambda Y: jnp.clip(Y, jnp.maximum(X - radius, 0), jnp.minimum(X + radius, 1))
    if steps == 1:
        return inside(X + radius * jnp.sign(slope(X)))
    start = inside(X + radius * jax.random.uniform(key, X.shape, minval=-1, maxval=1))
    return jax.lax.fori_loop(0, steps, lambda _, Y: inside(Y + radius / 5 * jnp.sign(slope(Y))), start)


def small_perturbations() -> dict:
    """Accuracy on 400 test digits changed by at most a radius in every pixel: (deciders, attacks, radii, seeds), after 400 steps.

    Attacks: random signs; one gradient step; 40 projected steps; 40 steps against another decider, the head of cross-entropy or
    for cross-entropy the subspaces of rate reduction. All climb the margin of the scores that decide, which has no softmax to
    saturate. The last decider has no network: the nearest subspace of the pixels.
    """
    radii, attacks = [0.05, 0.1, 0.2, 0.3], ["none", "random signs", "one step", "40 steps", "from another"]
    names = [f"{name}, {head}" for name in LOSSES for head in HEADS] + ["pixels, nearest subspace"]
    seeds = list(range(SEEDS))
    (X, labels), _, (X_test, test) = _parts(seeds)
    X_test, test = X_test[:, :, :400], test[:, :400]
    trained = [_train(loss, seeds, X, np.stack([one_hot(y) for y in labels]), 400) for loss in LOSSES.values()]
    found = np.zeros((len(names), len(attacks), len(radii), SEEDS))

    @eqx.filter_jit
    def accuracies(networks, X, labels, X_new, right, radius, key):
        scorers = []
        for name, network in zip(LOSSES, networks):  # no dict: jit would sort it
            Us, normal = _fit(network, X, labels), name == "rate reduction"
            scorers += [lambda Y, n=network, Us=Us, normal=normal, j=j: _scores(n, normal, Y, Us)[j] for j in (0, 1)]
        pixels = subspace_classifier.fit_subspaces(X, labels, RAW_R, 10)
        scorers.append(lambda Y: subspace_classifier.subspace_energies(pixels, Y) / (Y**2).sum(axis=0))
        membership = jax.nn.one_hot(right, 10, axis=0)
        strong = [_attack(score, X_new, membership, radius, key, 40) for score in scorers]
        signs = jnp.clip(X_new + radius * jax.random.rademacher(key, X_new.shape).astype(X_new.dtype), 0, 1)
        rows = []
        for i, score in enumerate(scorers):
            other = strong[1 if i in (2, 3) else 2]
            changed = [X_new, signs, _attack(score, X_new, membership, radius, key, 1), strong[i], other]
            rows.append([jnp.mean(score(Y).argmax(axis=0) == right) for Y in changed])
        return jnp.array(rows)

    for s in seeds:
        networks = [jax.tree.map(lambda leaf: leaf[s, 0] if eqx.is_array(leaf) else leaf, stack) for stack in trained]
        for i, radius in enumerate(radii):
            found[:, :, i, s] = accuracies(networks, jnp.asarray(X[s]), jnp.asarray(labels[s]), jnp.asarray(X_test[s]),
                                           jnp.asarray(test[s]), jnp.float32(radius), jax.random.key(200 + s))
    return {"deciders": names, "attacks": attacks, "radii": radii, "accuracy": found}


def _area(known: np.ndarray, unknown: np.ndarray) -> float:
    """The chance that a known sample scores higher than an unknown one; ties count half."""
    below = np.searchsorted(np.sort(unknown), known, "left") + np.searchsorted(np.sort(unknown), known, "right")
    return float(below.mean() / (2 * len(unknown)))


def unseen_digits() -> dict:
    """Areas under the curve (scores, pairs, seeds) for telling digits of the eight known classes from those of two unseen ones.

    Networks of 400 steps on 900 digits of eight classes; 500 other digits of these classes, 340 of the unseen two. Three seeds
    for each of five pairs. Scores, none tuned: the highest probability of the head; the largest share ||U_k^T z||^2 of a feature
    in a subspace; on pixels the same share, and minus the distance to the nearest training image.
    """
    pairs, repeats = [[8, 9], [0, 1], [3, 5], [2, 7], [4, 6]], 3
    X_all, all_labels = (np.asarray(part) for part in data.digits())
    stacks, seeds = [], []
    for pair in pairs:
        for repeat in range(repeats):
            order = np.random.default_rng(repeat).permutation(len(all_labels))
            unseen = np.isin(all_labels[order], pair)
            known, unknown = order[~unseen], order[unseen]
            classes = np.setdiff1d(np.arange(10), pair)
            stacks.append((X_all[:, known[:900]], np.searchsorted(classes, all_labels[known[:900]]), X_all[:, known[900:1400]],
                           X_all[:, unknown[:340]]))
            seeds.append(repeat)
    X, labels, X_known, X_unknown = (np.stack(parts) for parts in zip(*stacks))
    memberships = np.stack([one_hot(y, 8) for y in labels])
    scores, areas = [], []
    for name, loss in LOSSES.items():
        def both(network, X, labels, *news):
            Us = _fit(network, X, labels, 8)
            found = [_scores(network, name == "rate reduction", new, Us) for new in news]
            return [jnp.stack([jax.nn.softmax(head, axis=0).max(axis=0), energies.max(axis=0)]) for head, energies in found]
        known, unknown = _over(both, _train(loss, seeds, X, memberships, 400), X, labels, X_known, X_unknown)
        for j, head in enumerate(HEADS):
            scores.append(f"{name}, {head}")
            areas.append([_area(known[i, 0, j], unknown[i, 0, j]) for i in range(len(seeds))])
    for title, score in ("pixels, nearest subspace", _share_in_subspace), ("pixels, nearest image", _nearness):
        scores.append(title)
        areas.append([_area(*(score(X[i], labels[i], new[i]) for new in (X_known, X_unknown))) for i in range(len(seeds))])
    return {"scores": scores, "pairs": pairs, "areas": np.array(areas).reshape(len(scores), len(pairs), repeats)}


def _share_in_subspace(X: np.ndarray, labels: np.ndarray, X_new: np.ndarray) -> np.ndarray:
    Us = subspace_classifier.fit_subspaces(X, labels, RAW_R)
    return np.asarray(subspace_classifier.subspace_energies(Us, X_new)).max(axis=0) / (X_new**2).sum(axis=0)


def _nearness(X: np.ndarray, labels: np.ndarray, X_new: np.ndarray) -> np.ndarray:
    return -np.asarray(neighbors.nearest(X, X_new, 1)[0][0])


def few_samples() -> dict:
    """Test accuracy after 400 steps on n samples of every class: (methods, sizes, seeds), on the 597 test digits."""
    sizes, seeds = [5, 10, 20, 50], list(range(SEEDS))
    methods = [f"{name}, {head}" for name in LOSSES for head in HEADS] + ["pixels, nearest image", "pixels, nearest subspace"]
    (X, labels), _, (X_test, test) = _parts(seeds)
    accuracy = np.zeros((len(methods), len(sizes), SEEDS))
    for i, n in enumerate(sizes):
        first = [np.concatenate([np.flatnonzero(y == k)[:n] for k in range(10)]) for y in labels]
        few, few_labels = np.stack([x[:, o] for x, o in zip(X, first)]), np.stack([y[o] for y, o in zip(labels, first)])
        again = np.tile(np.arange(10 * n), 500 // (10 * n))  # repeated to 500 columns: the same batches, and compiled once
        for j, (name, loss) in enumerate(LOSSES.items()):
            networks = _train(loss, seeds, few[:, :, again], np.stack([one_hot(y) for y in few_labels[:, again]]), 400)
            predicted, = _predictions(name, networks, few[:, :, again], few_labels[:, again], X_test)
            accuracy[2 * j: 2 * j + 2, i] = (predicted[:, :, 0] == test).mean(axis=-1)
        for s in seeds:
            Us = subspace_classifier.fit_subspaces(few[s], few_labels[s], min(RAW_R, n - 1))
            near = np.asarray(subspace_classifier.nearest_subspace(Us, X_test[s]))
            accuracy[4:, i, s] = [(found == test[s]).mean() for found in (_vote(few[s], few_labels[s], X_test[s], 1), near)]
    return {"methods": methods, "sizes": sizes, "accuracy": accuracy}


def batch_sizes() -> dict:
    """Rate reduction and cross-entropy with batches of three sizes, at equal steps (400) and at equal samples seen (48,000).

    accuracy: (budgets, losses, batches, seeds) on the test digits, rate reduction by the nearest subspace and cross-entropy by
    its head; reduction: (budgets, batches, seeds), rate reduction of all 1,000 training features of the networks trained for it.
    """
    batches, seeds = [30, 120, 400], list(range(3))
    (X, labels), _, (X_test, test) = _parts(seeds)
    memberships = np.stack([one_hot(y) for y in labels])
    accuracy, reduction = np.zeros((2, 2, len(batches), len(seeds))), np.zeros((2, len(batches), len(seeds)))
    for b, batch in enumerate(batches):
        for j, (name, loss) in enumerate(LOSSES.items()):
            for budget, steps in enumerate((400, 48_000 // batch)):
                networks = _train(loss, seeds, X, memberships, steps, batch=batch)
                predicted, = _predictions(name, networks, X, labels, X_test)
                accuracy[budget, j, b] = (predicted[1 - j, :, 0] == test).mean(axis=-1)
                if name == "rate reduction":
                    reduction[budget, b] = _over(_reduction, networks, X, memberships)[:, 0]
    return {"batches": batches, "budgets": ["400 steps", "48,000 samples"], "losses": list(LOSSES), "accuracy": accuracy,
            "reduction": reduction}


def _reduction(network: Network, X: jax.Array, membership: jax.Array) -> jax.Array:
    return coding.rate_reduction(unit(network(X)), membership, EPS)


def subspaces_or_not() -> dict:
    """Are the features of ten digits a union of orthogonal subspaces? (settings, data, seeds, numbers), after 800 steps.

    Settings: rate reduction with eps^2 = 0.05, 0.5, 2, then cross-entropy. Data: training and test digits. Numbers: effective
    rank of a class, mean; share of the energy of a class in its 3 leading directions; largest cosine between two classes' leading
    3-dimensional subspaces, mean over pairs; the same for leading directions alone; rate reduction at eps^2 = 0.5, and
    at the setting's own eps; best: the largest possible value of the last, by setting, for classes of equal size.
    """
    squares, seeds = [0.05, 0.5, 2.0], list(range(SEEDS))
    (X, labels), _, (X_test, test) = _parts(seeds)
    memberships = np.stack([one_hot(y) for y in labels])
    settings = [(f"rate reduction, eps^2 = {s}", functools.partial(rate_loss, eps=s**0.5), s) for s in squares]
    settings.append(("cross-entropy", entropy_loss, 0.5))
    numbers = np.zeros((len(settings), 2, SEEDS, 6))
    for i, (_, loss, square) in enumerate(settings):
        networks = _train(loss, seeds, X, memberships, 800)
        for j, (images, classes) in enumerate(((X, labels), (X_test, test))):
            Z = _over(lambda network, images: unit(network(images)), networks, images)[:, 0]
            for s in seeds:
                numbers[i, j, s] = _shape(Z[s], classes[s], square)
    return {"settings": [name for name, _, _ in settings], "numbers": numbers,
            "best": [_best_reduction(32, 10, 1000, square) for _, _, square in settings]}


def _shape(Z: np.ndarray, labels: np.ndarray, square: float) -> list[float]:
    Us = subspace_classifier.fit_subspaces(Z, labels, r)
    pairs = np.triu_indices(10, 1)
    largest = [np.asarray(subspace_classifier.subspace_cosines(Us[:, :, :n]))[:, :, 0][pairs].mean() for n in (3, 1)]
    classes = [Z[:, labels == k] for k in range(10)]
    inside = [np.linalg.norm(np.asarray(U).T @ Z_k) ** 2 / np.linalg.norm(Z_k) ** 2 for U, Z_k in zip(Us, classes)]
    ranks = [float(subspace_classifier.effective_rank(Z_k)) for Z_k in classes]
    gains = [float(coding.rate_reduction(Z, labels, e**0.5)) for e in (0.5, square)]
    return [np.mean(ranks), np.mean(inside), *largest, *gains]


def _best_reduction(d: int, K: int, N: int, square: float) -> float:
    """The largest rate reduction of N unit columns in K equal classes: flat, orthogonal, of dimension d / K or less each."""
    alpha, share = d / (N * square), 1 / K
    ranks = np.linspace(1, d / K, 1000)
    energy = N / K / ranks
    return float((K * ranks / 2 * (np.log1p(alpha * energy) - share * np.log1p(alpha / share * energy))).max())
