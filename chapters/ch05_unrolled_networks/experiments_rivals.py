"""CRATE and its rivals of equal budget on the digits: sizes that match, training of several seeds, attacks, heads taken out.

Images are 8 x 8, cut into 16 squares of 2 x 2. A seed sets the split (1,000 to train, 797 to test),
the start and the batches. All networks have the same embedding, class token, positions and head: only the layer differs.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from book_utils import crate, data, tost, transformer

BATCH, STEPS = 100, 400
VIT = transformer.VisionTransformer
CRATE = "CRATE, 4 layers"
# name: network, its sizes. The first is the measure; one is smaller, four have as many parameters, two as many multiply-adds.
NETWORKS = {
    CRATE: (crate.Crate, {}),
    "CRATE, heads leave by U": (crate.Crate, {"tied": True}),
    "ViT, 1 layer": (VIT, {"L": 1}),
    "ViT, 2 layers, thin MLP": (VIT, {"L": 2, "width": 32}),
    "ViT, 4 layers, narrow": (VIT, {"d": 16}),
    "ToST, 2 layers": (tost.Tost, {"L": 2, "width": 64}),
    "ViT, 2 layers, wider MLP": (VIT, {"L": 2, "width": 80}),
    "ToST, 2 layers, wider MLP": (tost.Tost, {"L": 2, "width": 129}),
}


def build(name: str, key: jax.Array) -> transformer.Classifier:
    """One untrained network for digits."""
    kind, sizes = NETWORKS[name]
    return kind(key, 4, 16, 10, **sizes)


def budgets(names: list[str]) -> list[tuple[int, int]]:
    """(parameters, multiply-adds of one image) of each network."""
    return [(transformer.parameters(model), transformer.multiply_adds(model))
            for model in (build(name, jax.random.key(0)) for name in names)]


def split(seed: int, n: int | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training and test digits of a seed: (X, labels) each. n: so many training digits of every class."""
    X, labels = (np.asarray(part) for part in data.digits())
    order = np.random.default_rng(seed).permutation(len(labels))
    first, last = order[:1000], order[1000:]
    if n is not None:
        first = np.concatenate([first[labels[first] == k][:n] for k in range(10)])
    return [(X[:, part], labels[part]) for part in (first, last)]


def scores(model: transformer.Classifier, X: jax.Array) -> jax.Array:
    """(N, 10) of images X (64, N)."""
    return jax.vmap(model)(transformer.patches(X, 2))


def trained(name: str, seeds: range, rate: float, n: int | None = None, steps: int = STEPS) -> transformer.Classifier:
    """A stack of networks, one a seed, trained by Adam with a cosine schedule down from `rate` on cross-entropy."""
    parts = [split(seed, n)[0] for seed in seeds]
    again = np.arange(1000) % len(parts[0][1])  # repeated to 1,000 columns: the same batches, and compiled once
    X = jnp.stack([part[0][:, again] for part in parts])
    labels = jnp.stack([part[1][again] for part in parts])
    keys = jnp.stack([jax.random.key(seed) for seed in seeds])
    models, fixed = eqx.partition(eqx.filter_vmap(lambda key: build(name, key))(keys), eqx.is_inexact_array)
    return eqx.combine(_train(models, fixed, X, labels, keys, rate, steps), fixed)


@eqx.filter_jit
def _train(models, fixed, X, labels, keys, rate, steps):
    optimiser = optax.adam(lambda i: rate * (1 + jnp.cos(jnp.pi * i / steps)) / 2)

    def one(model, X, labels, key):
        def loss(model, chosen):
            out = scores(eqx.combine(model, fixed), X[:, chosen])
            return optax.softmax_cross_entropy_with_integer_labels(out, labels[chosen]).mean()

        def step(i, carry):
            model, memory = carry
            chosen = jax.random.randint(jax.random.fold_in(key, i), (BATCH,), 0, X.shape[1])
            update, memory = optimiser.update(jax.grad(loss)(model, chosen), memory)
            return optax.apply_updates(model, update), memory

        return jax.lax.fori_loop(0, steps, step, (model, optimiser.init(model)))[0]

    return jax.vmap(one)(models, X, labels, keys)


def over(function, models: transformer.Classifier, *stacks: np.ndarray) -> object:
    """function(model, *parts) for every model of a stack, as NumPy arrays."""
    arrays, fixed = eqx.partition(models, eqx.is_inexact_array)
    return jax.tree.map(np.asarray, _over(function, arrays, fixed, *map(jnp.asarray, stacks)))


@eqx.filter_jit
def _over(function, arrays, fixed, *stacks):
    return jax.lax.map(lambda each: function(eqx.combine(each[0], fixed), *each[1:]), (arrays, *stacks))


def accuracy(models: transformer.Classifier, X: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Share of right answers of every model of a stack, on its own images X (models, 64, N)."""
    return (over(scores, models, X).argmax(axis=-1) == labels).mean(axis=-1)


# Attacks

def attack(model: transformer.Classifier, X: jax.Array, labels: jax.Array, radius: float, steps: int) -> jax.Array:
    """Images within `radius` of X in every pixel, and in [0, 1], that climb the best wrong score less the right one."""
    right = jax.nn.one_hot(labels, 10)

    def margin(X):
        out = scores(model, X)
        return jnp.sum((out - 1e9 * right).max(axis=1) - (out * right).sum(axis=1))

    size = radius if steps == 1 else 2.5 * radius / steps

    def climb(i, moved):
        moved = moved + size * jnp.sign(jax.grad(margin)(moved))
        return jnp.clip(jnp.clip(moved, X - radius, X + radius), 0, 1)

    return jax.lax.fori_loop(0, steps, climb, X)


# Heads

def without_heads(model: transformer.Classifier, gates: jax.Array) -> transformer.Classifier:
    """The network with what head k of layer l adds multiplied by gates[l, k] (L, K). Biases stay."""
    def place(model):
        mix = model.layers.compress if isinstance(model, crate.Crate) else model.layers.mix
        out = mix.attention.output_proj if hasattr(mix, "attention") else mix.out
        return out.weight
    weight = place(model)  # (L, d, K p): columns of head k follow those of head k - 1
    p = weight.shape[2] // gates.shape[1]
    return eqx.tree_at(place, model, weight * jnp.repeat(gates, p, axis=1)[:, None, :])


def heads_out(model: transformer.Classifier, X: jax.Array, K: int = 4) -> tuple[jax.Array, jax.Array]:
    """Change of the scores when each head is taken out, (L, K, N, 10): measured, and predicted to first order from the whole
    network, minus the derivative by the head's gate."""
    L = jax.tree.leaves(eqx.filter(model.layers, eqx.is_inexact_array))[0].shape[0]
    run = lambda gates: scores(without_heads(model, gates), X)
    one = jnp.ones((L, K))
    directions = -jnp.eye(L * K).reshape(L * K, L, K)
    base = run(one)
    measured = jax.lax.map(lambda move: run(one + move) - base, directions)
    predicted = jax.lax.map(lambda move: jax.jvp(run, (one,), (move,))[1], directions)
    return tuple(change.reshape(L, K, *base.shape) for change in (measured, predicted))
