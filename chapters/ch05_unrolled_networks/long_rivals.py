"""CRATE beside a vision transformer and ToST of equal budget on the digits: what the end of Part 3 doubts.

Five seeds; a seed sets the split, the start and the batches. Adam, 400 steps of 100 images, one learning rate (3e-3, cosine) for
all, tuned for none. Networks are trained once in a process and shared by the measurements.
"""

import functools

import numpy as np

from book_utils import neighbors
from chapters.ch05_unrolled_networks import experiments_rivals as rivals

SEEDS, RATE = range(5), 3e-3
FEW = [rivals.CRATE, "ViT, 2 layers, thin MLP", "ViT, 2 layers, wider MLP", "ToST, 2 layers"]


@functools.cache
def _networks(name):
    return rivals.trained(name, SEEDS, RATE)


@functools.cache
def _test():
    parts = [rivals.split(seed)[1] for seed in SEEDS]
    return np.stack([X for X, _ in parts]), np.stack([labels for _, labels in parts])


def _neighbours(X_new, n=None, seeds=SEEDS):
    """Classes of the nearest training image, (seeds, M)."""
    found = []
    for seed, X in zip(seeds, X_new):
        X_train, labels = rivals.split(seed, n)[0]
        found.append(labels[np.asarray(neighbors.nearest(X_train, X, 1)[1])[0]])
    return np.stack(found)


def equal_budget() -> dict:
    """Test accuracy of eight networks and of the nearest image: accuracy (names, seeds); parameters, multiply_adds (names,)."""
    X, labels = _test()
    names = list(rivals.NETWORKS)
    accuracy = [rivals.accuracy(_networks(name), X, labels) for name in names]
    accuracy.append((_neighbours(X) == labels).mean(axis=1))
    sizes = np.array(rivals.budgets(names))
    return {"names": names, "parameters": sizes[:, 0], "multiply_adds": sizes[:, 1], "accuracy": np.array(accuracy)}


def disturbed() -> dict:
    """Test accuracy under disturbances: accuracy (names, kinds, seeds), the nearest image last.

    Noise has standard deviation 0.3; an occlusion is a black square of 3 x 3 at a random place; FGSM (1 step), PGD (20 steps)
    and "from another" (PGD made for the ViT where CRATE is tested, for CRATE where any other is) move every pixel by 0.05 at
    most, climbing the margin."""
    X, labels = _test()
    rng = np.random.default_rng(0)
    noisy = (X + 0.3 * rng.normal(size=X.shape)).astype(np.float32)
    hidden = X.copy().reshape(*X.shape[:1], 8, 8, -1)
    for s in range(hidden.shape[0]):
        for i in range(hidden.shape[3]):
            a, b = rng.integers(0, 6, size=2)
            hidden[s, a:a + 3, b:b + 3, i] = 0
    hidden = hidden.reshape(X.shape)
    climbs = {steps: lambda model, X, y, steps=steps: rivals.attack(model, X, y, 0.05, steps) for steps in (1, 20)}
    made = {(name, steps): rivals.over(climb, _networks(name), X, labels) for name in FEW for steps, climb in climbs.items()}
    table = []
    for name in FEW:
        other = FEW[1] if name == FEW[0] else FEW[0]
        images = [X, noisy, hidden, made[name, 1], made[name, 20], made[other, 20]]
        table.append([rivals.accuracy(_networks(name), part, labels) for part in images])
    images = [X, noisy, hidden, None, None, made[FEW[0], 20]]
    table.append([np.full(len(SEEDS), np.nan) if part is None else (_neighbours(part) == labels).mean(axis=1) for part in images])
    return {"names": FEW + ["nearest image"], "kinds": ["clean", "noise", "occlusion", "FGSM", "PGD", "from another"],
            "accuracy": np.array(table)}


def heads_taken_out() -> dict:
    """Each of the heads is taken out of CRATE and of two ViTs; the change of the scores is predicted to first order beforehand.

    error: ||predicted - measured|| / ||measured|| over 200 test digits, mean over heads; (names, seeds). correlation: over heads,
    of the predicted and measured length of the change. change: mean length of the measured change over that of the scores."""
    X, labels = _test()
    names = FEW[:3]
    error, correlation, change = (np.zeros((len(names), len(SEEDS))) for _ in range(3))
    for i, name in enumerate(names):
        measured, predicted = rivals.over(rivals.heads_out, _networks(name), X[:, :, :200])
        base = rivals.over(rivals.scores, _networks(name), X[:, :, :200])
        length = lambda part: np.sqrt((part**2).sum(axis=(-2, -1))).reshape(len(SEEDS), -1)
        error[i] = (length(predicted - measured) / length(measured)).mean(axis=1)
        change[i] = (length(measured) / length(base)).mean(axis=1)
        correlation[i] = [np.corrcoef(a, b)[0, 1] for a, b in zip(length(predicted), length(measured))]
    return {"names": names, "error": error, "correlation": correlation, "change": change}


def few_digits() -> dict:
    """Test accuracy after training on n digits of every class, three seeds: accuracy (names, sizes, seeds), nearest image last."""
    sizes, seeds = [10, 30], range(3)
    X, labels = (part[:3] for part in _test())
    table = [[rivals.accuracy(rivals.trained(name, seeds, RATE, n), X, labels) for n in sizes] for name in FEW]
    table.append([(_neighbours(X, n, seeds) == labels).mean(axis=1) for n in sizes])
    return {"names": FEW + ["nearest image"], "sizes": sizes, "accuracy": np.array(table)}
