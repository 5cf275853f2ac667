"""Heads of CRATE and of vision transformers on MNIST: can the effect of one be foretold, what do they look at, how many are needed?

Three seeds and the protocol of long_rivals.py, but for the learning rate, 5e-3 for all.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from book_utils import transformer
from chapters.ch05_unrolled_networks import experiments_rivals as rivals

SEEDS, RATE = range(3), 5e-3
NAMES = [rivals.CRATE, rivals.VIT, rivals.WIDE]
HEADS = [1, 2, 4, 8, 16]


@functools.cache
def _networks(name, K=4):
    return rivals.trained(name, SEEDS, RATE, K=K)


@functools.cache
def _test(count):
    parts = [rivals.mnist_split(seed)[2] for seed in SEEDS]
    return np.stack([X[:, :count] for X, _ in parts]), np.stack([labels[:count] for _, labels in parts])


def _shares(model, X):
    return jnp.abs(jax.vmap(lambda image: rivals.watched(model, image)[1])(transformer.patches(X, 7))).mean(axis=0)


def _maps(model, X):
    return jax.vmap(lambda image: rivals.watched(model, image)[0])(transformer.patches(X, 7))


def _last(model, X, labels):
    return jax.vmap(lambda image, label: rivals.last_heads(model, image, label))(transformer.patches(X, 7), labels)


def _foretold(name, K=4):
    """error, by_slope, by_share and change of each seed, as heads_taken_out explains."""
    X, _ = _test(200)
    measured, predicted = rivals.over(lambda model, X: rivals.heads_out(model, X, K), _networks(name, K), X)
    base = rivals.over(rivals.scores, _networks(name, K), X)
    shares = rivals.over(_shares, _networks(name, K), X).reshape(len(SEEDS), -1)
    length = lambda part: np.sqrt((part**2).sum(axis=(-2, -1))).reshape(len(SEEDS), -1)
    true = length(measured)
    together = lambda guess: [np.corrcoef(a, b)[0, 1] if K > 1 else np.nan for a, b in zip(guess, true)]
    return {"change": (true / length(base)).mean(axis=1), "error": (length(predicted - measured) / true).mean(axis=1),
            "by_slope": together(length(predicted)), "by_share": together(shares)}


def heads_foretold() -> dict:
    """Each head is taken out of CRATE and of two ViTs; its effect on the scores of 200 test images is foretold; (names, seeds) each.

    change: length of the measured change over that of the scores, mean over heads. error: ||predicted - measured|| / ||measured||
    of the first-order prediction, mean over heads. by_slope, by_share: correlation, over all heads of a network, of the measured
    length with the predicted one, and with the size of the head's share of what its layer's attention adds."""
    found = [_foretold(name) for name in NAMES]
    return {"names": NAMES} | {what: np.array([each[what] for each in found]) for what in found[0]}


def heads_shown() -> dict:
    """Seed 0, CRATE and the ViT of equal parameters: maps (K, 3, 16) of the last layer for three test images; parts (24, K, d), slopes (24, d)
    and changes (24, K) of the margin in the last layer; alike, mean overlap of two heads (names, seeds), and at_start, untrained."""
    X, labels = _test(24)
    found = {"names": NAMES[:2], "labels": labels[0], "maps": [], "parts": [], "slopes": [], "changes": [], "alike": [], "at_start": []}
    for name in NAMES[:2]:
        models = _networks(name)
        maps = rivals.over(_maps, models, X[:, :, :3])
        parts, slopes, changes = rivals.over(_last, models, X, labels)
        found["maps"].append(np.round(maps[0][:, -1].swapaxes(0, 1), 3).tolist())
        for what, values in (("parts", parts), ("slopes", slopes), ("changes", changes)):
            found[what].append(np.round(values[0], 3).tolist())
        pairs = ~np.eye(4, dtype=bool)
        alike = lambda model: np.asarray(rivals.overlap(model))[:, pairs].mean()
        found["alike"].append(rivals.over(rivals.overlap, models)[:, :, pairs].mean(axis=(1, 2)))
        found["at_start"].append([alike(rivals.build(name, jax.random.key(seed))) for seed in SEEDS])
    return found


def head_counts() -> dict:
    """CRATE with K heads of 32 / K dimensions, equal parameters: accuracy, change, error (K, seeds); alike (K, seeds), mean overlap of
    two heads; maps_1, ..., maps_16: (4, K, 16) of the first test image of seed 0, weights of the patches for the class token."""
    X, labels = _test(1000)
    found = {"heads": HEADS, "accuracy": [], "change": [], "error": [], "alike": []}
    for K in HEADS:
        models = _networks(rivals.CRATE, K)
        found["accuracy"].append(rivals.accuracy(models, X, labels))
        told = _foretold(rivals.CRATE, K)
        found["change"].append(told["change"])
        found["error"].append(told["error"])
        pairs = ~np.eye(K, dtype=bool)
        found["alike"].append(rivals.over(rivals.overlap, models)[:, :, pairs].mean(axis=(1, 2)) if K > 1 else np.full(len(SEEDS), np.nan))
        found[f"maps_{K}"] = np.round(rivals.over(_maps, models, X[:, :, :1])[0, 0], 3)
    return found
