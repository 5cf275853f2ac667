"""CRATE beside vision transformers of equal budget, logistic regression and the nearest image, on MNIST: the end of Part 3 doubts.

Three seeds; a seed sets the split, the start and the batches. Adam, 400 steps of 100 images, the first rate from a cosine schedule.
Each network's rate is the best of three on 500 images apart, for each number of training images anew; the 1,000 test images are
looked at once, with that rate. Networks are trained once in a process and shared by the measurements.
"""

import functools

import numpy as np

from book_utils import neighbors
from chapters.ch05_unrolled_networks import experiments_rivals as rivals

SEEDS, RATES = range(3), [2e-3, 5e-3, 1.25e-2]
NAMES = [rivals.CRATE, rivals.VIT, rivals.WIDE, rivals.LOGISTIC]


@functools.cache
def _images(part):
    """X (seeds, 784, N) and labels (seeds, N) of every seed; part 1 chooses rates, part 2 tests."""
    return tuple(np.stack(stack) for stack in zip(*(rivals.mnist_split(seed)[part] for seed in SEEDS)))


@functools.cache
def _chosen(name, n=350):
    """The networks of the best rate, and the validation accuracy of each rate, mean over seeds."""
    stacks = [rivals.trained(name, SEEDS, rate, n) for rate in RATES]
    valid = [rivals.accuracy(models, *_images(1)).mean() for models in stacks]
    return stacks[int(np.argmax(valid))], np.array(valid)


def _nearest(X_new, n=350):
    """Classes of the nearest training image, (seeds, M)."""
    found = []
    for seed, X in zip(SEEDS, X_new):
        X_train, labels = rivals.mnist_split(seed, n)[0]
        found.append(labels[np.asarray(neighbors.nearest(X_train, X, 1)[1])[0]])
    return np.stack(found)


def equal_budget() -> dict:
    """Test accuracy: accuracy (names, seeds), nearest image last; valid (names, rates); parameters, multiply_adds (names,)."""
    X, labels = _images(2)
    names = [rivals.CRATE, rivals.TIED, *NAMES[1:]]
    accuracy = [rivals.accuracy(_chosen(name)[0], X, labels) for name in names] + [(_nearest(X) == labels).mean(axis=1)]
    sizes = np.array(rivals.budgets(names))
    return {"names": names + ["nearest image"], "parameters": sizes[:, 0], "multiply_adds": sizes[:, 1], "rates": RATES,
            "valid": np.array([_chosen(name)[1] for name in names]), "accuracy": np.array(accuracy)}


def disturbed() -> dict:
    """Test accuracy on 500 test images under disturbances: accuracy (names, kinds, seeds), the nearest image last.

    Noise has standard deviation 0.3; an occlusion is a black square of 12 x 12 at a random place; FGSM (1 step), PGD (20 steps)
    and "from another" (PGD made for the ViT of equal parameters where CRATE is tested, for CRATE where any other is) move every
    pixel by 0.05 at most, climbing the margin."""
    X, labels = (part[..., :500] for part in _images(2))
    rng = np.random.default_rng(0)
    noisy = (X + 0.3 * rng.normal(size=X.shape)).astype(np.float32)
    hidden = X.copy().reshape(len(X), 28, 28, -1)
    for s in range(hidden.shape[0]):
        for i in range(hidden.shape[3]):
            a, b = rng.integers(0, 17, size=2)
            hidden[s, a:a + 12, b:b + 12, i] = 0
    hidden = hidden.reshape(X.shape)
    climbs = {steps: lambda model, X, y, steps=steps: rivals.attack(model, X, y, 0.05, steps) for steps in (1, 20)}
    made = {(name, steps): rivals.over(climb, _chosen(name)[0], X, labels) for name in NAMES for steps, climb in climbs.items()}
    table = []
    for name in NAMES:
        other = rivals.VIT if name == rivals.CRATE else rivals.CRATE
        images = [X, noisy, hidden, made[name, 1], made[name, 20], made[other, 20]]
        table.append([rivals.accuracy(_chosen(name)[0], part, labels) for part in images])
    images = [X, noisy, hidden, None, None, made[rivals.CRATE, 20]]
    table.append([np.full(len(SEEDS), np.nan) if part is None else (_nearest(part) == labels).mean(axis=1) for part in images])
    return {"names": NAMES + ["nearest image"], "kinds": ["clean", "noise", "occlusion", "FGSM", "PGD", "from another"],
            "accuracy": np.array(table)}


def few_images() -> dict:
    """Test accuracy after training on n images of every class: accuracy (names, sizes, seeds), the nearest image last."""
    sizes = [10, 100, 350]
    X, labels = _images(2)
    table = [[rivals.accuracy(_chosen(name, n)[0], X, labels) for n in sizes] for name in NAMES]
    table.append([(_nearest(X, n) == labels).mean(axis=1) for n in sizes])
    return {"names": NAMES + ["nearest image"], "sizes": sizes, "accuracy": np.array(table)}
