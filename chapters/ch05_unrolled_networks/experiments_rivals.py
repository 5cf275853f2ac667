"""CRATE and its rivals of equal budget on MNIST: sizes that match, training of several seeds, attacks, heads taken out.

Images are 28 x 28, cut into 16 squares of 7 x 7. A seed sets the split (3,500 to train, 500 to choose the learning rate, 1,000 to
test, as many of every class), the start and the batches. The networks have the same embedding, class token, positions and head:
only the layer differs. `split` and `scores` serve the digits of 8 x 8 too.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from book_utils import crate, data, transformer

BATCH, STEPS = 100, 400
CRATE, TIED, VIT, WIDE, LOGISTIC = ("CRATE, 4 layers", "CRATE, heads leave by U", "ViT, equal parameters", "ViT, equal multiply-adds",
                                    "logistic regression")
SIZES = {CRATE: {}, TIED: {"tied": True}, VIT: {"L": 2, "width": 32}, WIDE: {"L": 2, "width": 80}}


class Logistic(eqx.Module):
    """Scores that are linear in the pixels."""

    linear: eqx.nn.Linear

    def __init__(self, key: jax.Array) -> None:
        self.linear = eqx.nn.Linear(784, 10, key=key)

    def __call__(self, patches: jax.Array) -> jax.Array:
        return self.linear(patches.ravel())


def build(name: str, key: jax.Array, **sizes: int) -> eqx.Module:
    """One untrained network for MNIST; sizes replace its own."""
    if name == LOGISTIC:
        return Logistic(key)
    kind = transformer.VisionTransformer if name.startswith("ViT") else crate.Crate
    return kind(key, 49, 16, 10, **(SIZES[name] | sizes))


def budgets(names: list[str]) -> list[tuple[int, int]]:
    """(parameters, multiply-adds of one image) of each network."""
    models = [build(name, jax.random.key(0)) for name in names]
    return [(transformer.parameters(model), 7840 if isinstance(model, Logistic) else transformer.multiply_adds(model)) for model in models]


def split(seed: int, n: int | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training and test digits of 8 x 8 of a seed: (X, labels) each. n: so many training digits of every class."""
    X, labels = (np.asarray(part) for part in data.digits())
    order = np.random.default_rng(seed).permutation(len(labels))
    first, last = order[:1000], order[1000:]
    if n is not None:
        first = np.concatenate([first[labels[first] == k][:n] for k in range(10)])
    return [(X[:, part], labels[part]) for part in (first, last)]


def mnist_split(seed: int, n: int = 350) -> list[tuple[np.ndarray, np.ndarray]]:
    """Images of MNIST of a seed, (X, labels) each: n of every class to train, 50 to choose the rate, 100 to test."""
    X, labels = (np.asarray(part) for part in data.mnist())  # every ten columns have one image of each class
    tens = np.random.default_rng(seed).permutation(500)
    parts = [(10 * part[:, None] + np.arange(10)).ravel() for part in (tens[:n], tens[350:400], tens[400:])]
    return [(X[:, part], labels[part]) for part in parts]


def scores(model: eqx.Module, X: jax.Array) -> jax.Array:
    """(N, 10) of images X, (64, N) or (784, N)."""
    return jax.vmap(model)(transformer.patches(X, 2 if X.shape[0] == 64 else 7))


def trained(name: str, seeds: range, rate: float, n: int = 350, **sizes: int) -> eqx.Module:
    """A stack of networks, one a seed, trained on MNIST by Adam with a cosine schedule down from `rate` on cross-entropy."""
    parts = [mnist_split(seed, n)[0] for seed in seeds]
    again = np.arange(3500) % len(parts[0][1])  # repeated to 3,500 columns: the same batches, and compiled once
    X = jnp.stack([part[0][:, again] for part in parts])
    labels = jnp.stack([part[1][again] for part in parts])
    keys = jnp.stack([jax.random.key(seed) for seed in seeds])
    models, fixed = eqx.partition(eqx.filter_vmap(lambda key: build(name, key, **sizes))(keys), eqx.is_inexact_array)
    return eqx.combine(_train(models, fixed, X, labels, keys, jnp.float32(rate)), fixed)


@eqx.filter_jit
def _train(models, fixed, X, labels, keys, rate):
    optimiser = optax.adam(lambda i: rate * (1 + jnp.cos(jnp.pi * i / STEPS)) / 2)

    def one(model, X, labels, key):
        def loss(model, chosen):
            out = scores(eqx.combine(model, fixed), X[:, chosen])
            return optax.softmax_cross_entropy_with_integer_labels(out, labels[chosen]).mean()

        def step(i, carry):
            model, memory = carry
            chosen = jax.random.randint(jax.random.fold_in(key, i), (BATCH,), 0, X.shape[1])
            update, memory = optimiser.update(jax.grad(loss)(model, chosen), memory)
            return optax.apply_updates(model, update), memory

        return jax.lax.fori_loop(0, STEPS, step, (model, optimiser.init(model)))[0]

    return jax.vmap(one)(models, X, labels, keys)


def over(function, models: transformer.Classifier, *stacks: np.ndarray) -> object:
    """function(model, *parts) for every model of a stack, as NumPy arrays."""
    arrays, fixed = eqx.partition(models, eqx.is_inexact_array)
    return jax.tree.map(np.asarray, _over(function, arrays, fixed, *map(jnp.asarray, stacks)))


@eqx.filter_jit
def _over(function, arrays, fixed, *stacks):
    return jax.lax.map(lambda each: function(eqx.combine(each[0], fixed), *each[1:]), (arrays, *stacks))


def accuracy(models: transformer.Classifier, X: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Share of right answers of every model of a stack, on its own images X (models, 784, N)."""
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


def halves(layer: eqx.Module) -> tuple[eqx.Module, eqx.Module]:
    """The step of a layer that lets tokens see each other, and the one that treats each by itself."""
    return (layer.compress, layer.sparsify) if isinstance(layer, crate.Layer) else (layer.mix, layer.each)


def looked(mix: eqx.Module, Z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Of the tokens Z (d, n): weights (K, n, n), column i those with which each head mixes token i, and what it adds (K, d, n)."""
    if isinstance(mix, crate.CompressionStep):
        W = mix.seen(Z)
        return jax.nn.softmax(W.swapaxes(1, 2) @ W * W.shape[1] ** -0.5, axis=1), mix.heads(Z)
    rows, own = jax.vmap(mix.norm)(Z.T), mix.attention
    q, k, v = (jax.vmap(part)(rows).reshape(len(rows), own.num_heads, -1) for part in (own.query_proj, own.key_proj, own.value_proj))
    weights = jax.nn.softmax(jnp.einsum("jkp,ikp->kji", k, q) * q.shape[2] ** -0.5, axis=1)
    back = own.output_proj.weight.reshape(len(Z), own.num_heads, -1)
    return weights, jnp.einsum("dkp,jkp,kji->kdi", back, v, weights)


def watched(model: transformer.Classifier, patches: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Of one image: weights (L, K, n) with which each head mixes the class token, patches alone, and shares (L, K) of what is added."""
    Z, maps, shares = model.tokens(patches), [], []
    for l in range(jax.tree.leaves(eqx.filter(model.layers, eqx.is_inexact_array))[0].shape[0]):
        mix, each = halves(model.layer(l))
        weights, parts = looked(mix, Z)
        total = parts.sum(axis=0)
        maps.append(weights[:, 1:, 0])
        shares.append(jnp.einsum("kdn,dn->k", parts, total) / jnp.sum(total**2))
        Z = each(mix(Z))
    return jnp.stack(maps), jnp.stack(shares)


def last_heads(model: transformer.Classifier, patches: jax.Array, label: jax.Array) -> tuple[jax.Array, ...]:
    """Of one image, last layer, class token: what each head adds (K, d), the slope of the margin there (d,), and by how much
    the margin changes when a head is taken out (K,). Margin: the right score less the best wrong one of the whole network."""
    last = jax.tree.leaves(eqx.filter(model.layers, eqx.is_inexact_array))[0].shape[0] - 1
    Z = model.tokens(patches)
    for l in range(last):
        mix, each = halves(model.layer(l))
        Z = each(mix(Z))
    mix, each = halves(model.layer(last))
    score = lambda z: model.head(model.norm_head(each(z[:, None])[:, 0]))
    z, parts = mix(Z)[:, 0], looked(mix, Z)[1][:, :, 0]
    right = jax.nn.one_hot(label, 10)
    sign = right - jax.nn.one_hot(jnp.argmax(score(z) - 1e9 * right), 10)
    margin = lambda z: sign @ score(z)
    return parts, jax.grad(margin)(z), jax.vmap(lambda part: margin(z - part) - margin(z))(parts)


def overlap(model: transformer.Classifier) -> jax.Array:
    """(L, K, K): for each two heads ||Q_j^T Q_k||^2 / p, with Q an orthonormal basis of what a head sees (keys, in a ViT). Orthogonal
    heads give 0, heads at random p / d."""
    mix = halves(model.layers)[0]
    if isinstance(mix, crate.CompressionStep):
        U = mix.U  # (L, K, d, p)
    else:
        keys = mix.attention.key_proj.weight  # (L, K p, d)
        U = keys.reshape(len(keys), mix.attention.num_heads, -1, keys.shape[2]).swapaxes(2, 3)
    Q = jnp.linalg.qr(U)[0]
    return jnp.sum(jnp.einsum("ljdp,lkdq->ljkpq", Q, Q) ** 2, axis=(3, 4)) / Q.shape[3]


def montage(maps: np.ndarray, columns: int) -> np.ndarray:
    """Maps (K, 16) as squares of 4 x 4, each over its largest value, so many in a row and NaN between them: one image."""
    rows = -(-len(maps) // columns)
    out = np.full((5 * rows - 1, 5 * columns - 1), np.nan)
    for k, values in enumerate(maps):
        a, b = 5 * (k // columns), 5 * (k % columns)
        out[a:a + 4, b:b + 4] = values.reshape(4, 4) / values.max()
    return out
