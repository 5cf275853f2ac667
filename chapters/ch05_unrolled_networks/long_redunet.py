"""ReduNet on digits beside what is usual, and what eps, lam, the step and depth do to it: measurements behind the Doubt of Part 1.

Public functions are run by `book build --long`, about two minutes together.
"""

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from book_utils import coding, data, neighbors, redunet, subspace_classifier
from book_utils.training import train
from chapters.ch05_unrolled_networks.experiments_gradient import three_clouds

SEEDS = range(5)
EPS, STEP, STRENGTH, L = 0.3**0.5, 0.5, 30.0, 50  # STEP is eta alpha, STRENGTH lam alpha


def _split(seed: int, n: int | None = None) -> tuple:
    """1,200 digits, or n of each class of these, and 597 to test with; images of length 1."""
    X, labels = map(np.asarray, data.digits())
    order = np.random.default_rng(seed).permutation(X.shape[1])
    X, labels = X[:, order] / np.linalg.norm(X[:, order], axis=0), labels[order]
    few = slice(0, 1200) if n is None else np.sort(np.concatenate([np.flatnonzero(labels[:1200] == k)[:n] for k in range(10)]))
    return X[:, few], labels[few], X[:, 1200:], labels[1200:]


def _built(Z: np.ndarray, labels: np.ndarray, eps: float = EPS, strength: float = STRENGTH, layers: int = L, step: float = STEP) -> tuple:
    alpha = Z.shape[0] / (Z.shape[1] * eps**2)
    return redunet.build(Z, labels, step / alpha, eps, strength / alpha, layers)


def _gate(net: redunet.ReduNet, layer: int, Z: jax.Array) -> np.ndarray:
    """The class whose membership is largest in a layer."""
    return np.asarray(redunet.soft_membership(Z, net.C[layer], net.gamma, net.lam)).argmax(axis=0)


def _nearest(Z: jax.Array, labels: np.ndarray, Z_new: jax.Array, r: int) -> np.ndarray:
    return np.asarray(subspace_classifier.nearest_subspace(subspace_classifier.fit_subspaces(Z, labels, r), Z_new))


def redunet_on_digits() -> dict:
    """Layer by layer, five splits: gains (2, layers, seeds), rate reduction of training and of test digits under true labels, and
    accuracy (5, layers, seeds): the gate of the layer on training and on test digits, the nearest of the class lines in training
    and in test, and the nearest subspace of 5 dimensions in test."""
    layers = [0, 1, 2, 5, 10, 20, 30, 49]
    gains, accuracy = np.zeros((2, len(layers), len(SEEDS))), np.zeros((5, len(layers), len(SEEDS)))
    for s in SEEDS:
        Z, labels, Z_test, labels_test = _split(s)
        net, path = _built(Z, labels)
        fresh = net.features(Z_test)
        for i, layer in enumerate(layers):
            gains[:, i, s] = [coding.rate_reduction(path[layer], labels, EPS), coding.rate_reduction(fresh[layer], labels_test, EPS)]
            accuracy[:, i, s] = [np.mean(_gate(net, layer, path[layer]) == labels), np.mean(_gate(net, layer, fresh[layer]) == labels_test),
                                 np.mean(_nearest(path[layer], labels, path[layer], 1) == labels),
                                 np.mean(_nearest(path[layer], labels, fresh[layer], 1) == labels_test),
                                 np.mean(_nearest(path[layer], labels, fresh[layer], 5) == labels_test)]
    return {"layers": layers, "gains": gains, "accuracy": accuracy}


def redunet_rivals() -> dict:
    """Test accuracy on the same splits: accuracy (names, seeds), seconds (names, seeds) to build or train, compiled before.

    The softmax classifier and the MLP (64, 128, 10) learn by Adam, 3e-3, batches of 100; "equal time" stops when as many seconds
    have passed as building the ReduNet took."""
    names = ["ReduNet, nearest subspace of 5", "its first gate, no layer", "nearest subspace of 10 of the images", "nearest image",
             "softmax classifier, 2,000 steps", "MLP, equal time", "MLP, 2,000 steps"]
    accuracy, seconds, optimiser = np.zeros((len(names), len(SEEDS))), np.full((len(names), len(SEEDS)), np.nan), optax.adam(3e-3)

    def loss(model, batch, key):
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(jax.vmap(model, 1)(batch["x"]), batch["y"]))
    for s in SEEDS:
        Z, labels, Z_test, labels_test = _split(s)
        timed = lambda f: (time.perf_counter(), jax.block_until_ready(f()), time.perf_counter())
        timed(lambda: _built(Z, labels))
        begun, (net, path), ended = timed(lambda: _built(Z, labels))
        seconds[0, s] = ended - begun
        found = [_nearest(path[-1], labels, net(Z_test), 5), _gate(net, 0, Z_test), _nearest(Z, labels, Z_test, 10),
                 labels[np.asarray(neighbors.nearest(Z, Z_test, 1)[1])[0]]]
        batch = {"x": jnp.asarray(8 * Z), "y": jnp.asarray(labels)}
        linear = eqx.nn.Linear(64, 10, key=jax.random.key(s))
        mlp = eqx.nn.MLP(64, 10, 128, 1, key=jax.random.key(s))
        for i, (model, steps) in enumerate([(linear, 2000), (mlp, None), (mlp, 2000)], start=4):
            if steps is None:
                train(loss, model, jax.random.key(s), 200, optimiser, batch, batch=100)
                begun, _, ended = timed(lambda: train(loss, model, jax.random.key(s), 200, optimiser, batch, batch=100)[0].layers[0].weight)
                steps = max(1, round(200 * seconds[0, s] / (ended - begun)))
            else:
                train(loss, model, jax.random.key(s), 100, optimiser, batch, batch=100)
            begun = time.perf_counter()
            model, _ = train(loss, model, jax.random.key(s), steps, optimiser, batch, batch=100)
            seconds[i, s] = time.perf_counter() - begun
            found.append(np.asarray(jax.vmap(model, 1)(jnp.asarray(8 * Z_test))).argmax(axis=1))
        accuracy[:, s] = [np.mean(each == labels_test) for each in found]
    return {"names": names, "accuracy": accuracy, "seconds": seconds}


def redunet_distortions() -> dict:
    """Thirty layers at several eps^2, built from 10, 30 or about 120 digits of each class, three splits. gains (2, sizes, squares,
    seeds): rate reduction of training digits and of equally many test digits of each class; accuracy likewise (2, ...): of the
    last gate on test digits, and of the first."""
    squares, sizes, seeds = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0], [10, 30, None], range(3)
    gains, accuracy = (np.zeros((2, len(sizes), len(squares), len(seeds))) for _ in range(2))
    for i, n in enumerate(sizes):
        for s in seeds:
            Z, labels, Z_test, labels_test = _split(s, n)
            count = n or 50
            picked = np.concatenate([np.flatnonzero(labels_test == k)[:count] for k in range(10)])
            for j, square in enumerate(squares):
                eps = square**0.5
                net, path = _built(Z, labels, eps, layers=30)
                fresh = net.features(Z_test)
                own = np.concatenate([np.flatnonzero(labels == k)[:count] for k in range(10)])
                gains[:, i, j, s] = [coding.rate_reduction(path[-1][:, own], labels[own], eps),
                                     coding.rate_reduction(fresh[-1][:, picked], labels_test[picked], eps)]
                accuracy[:, i, j, s] = [np.mean(_gate(net, 29, fresh[29]) == labels_test), np.mean(_gate(net, 0, Z_test) == labels_test)]
    return {"squares": squares, "gains": gains, "accuracy": accuracy}


def redunet_strengths() -> dict:
    """Rate reduction over its optimum after 300 layers on three clouds, at several lam alpha: shares (cases, strengths, seeds).

    Cases: eps^2 of 0.1 and 0.01 for clouds of spread 0.1, then for overlapping ones of spread 0.25; five draws."""
    strengths, cases = [0.3, 1, 3, 10, 30, 100, 300], [(0.1, 0.1), (0.1, 0.01), (0.25, 0.1), (0.25, 0.01)]
    shares = np.zeros((len(cases), len(strengths), len(SEEDS)))
    for i, (spread, square) in enumerate(cases):
        best = 1.5 * np.log(1 + 1 / square) - 0.5 * np.log(1 + 3 / square)
        for s in SEEDS:
            Z, membership = three_clouds(spread=spread, seed=10 + s)
            labels, alpha = membership.argmax(axis=0), 3 / (120 * square)
            for j, strength in enumerate(strengths):
                _, path = redunet.build(Z, labels, 0.5, square**0.5, strength / alpha, 300)
                shares[i, j, s] = float(coding.rate_reduction(path[-1], labels, square**0.5)) / best
    return {"strengths": strengths, "cases": cases, "shares": shares}


def redunet_depth() -> dict:
    """Layers until the rate reduction of three clouds is at 95 and 99 % of the optimum: (steps, 2, seeds), 1,001 if never within
    1,000; for ReduNet, for ascent with the true labels, and for Adam (rate 0.1) on the features themselves."""
    etas, square = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0], 0.1
    eps, best = square**0.5, 1.5 * np.log(1 + 1 / square) - 0.5 * np.log(1 + 3 / square)
    first = lambda gains: [int(np.argmax(np.append(gains, np.inf) >= part * best)) for part in (0.95, 0.99)]
    nets, truths, adam = (np.zeros((count, 2, len(SEEDS)), int) for count in (len(etas), len(etas), 1))
    unit, optimiser = lambda Z: Z / jnp.linalg.norm(Z, axis=0), optax.adam(0.1)
    for s in SEEDS:
        Z, membership = three_clouds(spread=0.1, seed=10 + s)
        labels, Z = membership.argmax(axis=0), jnp.asarray(Z, jnp.float32)
        gain = lambda Z: coding.rate_reduction(Z, labels, eps)
        all_gains = jax.jit(jax.vmap(gain))

        @jax.jit
        def ascend(Z, eta):
            def step(Z, _):
                moved = unit(Z + eta * jax.grad(gain)(Z))
                return moved, moved
            return jnp.concatenate([Z[None], jax.lax.scan(step, Z, None, 1000)[1]])

        @jax.jit
        def by_adam(Z):
            def step(carry, _):
                Z, state = carry
                updates, state = optimiser.update(jax.grad(lambda Z: -gain(unit(Z)))(Z), state)
                moved = optax.apply_updates(Z, updates)
                return (moved, state), unit(moved)
            return jnp.concatenate([Z[None], jax.lax.scan(step, (Z, optimiser.init(Z)), None, 1000)[1]])
        for i, eta in enumerate(etas):
            nets[i, :, s] = first(np.asarray(all_gains(redunet.build(Z, labels, eta, eps, 100 * 120 * square / 3, 1000)[1])))
            truths[i, :, s] = first(np.asarray(all_gains(ascend(Z, eta))))
        adam[0, :, s] = first(np.asarray(all_gains(by_adam(Z))))
    return {"etas": etas, "redunet": nets, "labels": truths, "adam": adam}
