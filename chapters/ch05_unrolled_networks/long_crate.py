"""CRATE on the digits, layer by layer: what each step does to the rate of its heads and to sparsity, with controls."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from book_utils import coding, crate, training, transformer
from chapters.ch05_unrolled_networks.experiments_rivals import BATCH, STEPS, scores, split

EPS = 0.1


def _loss(model: transformer.Classifier, part: tuple, key: jax.Array) -> jax.Array:
    X, labels = part
    return optax.losses.softmax_cross_entropy_with_integer_labels(scores(model, X), labels).mean()


def _rate(views: jax.Array, unit: bool) -> jax.Array:
    """Of the heads' views (K, p, n), each token's scaled to length 1 or as it is."""
    if unit:
        views = views / jnp.maximum(jnp.linalg.norm(views, axis=1, keepdims=True), 1e-6)
    alpha = views.shape[1] / (views.shape[2] * EPS**2)
    return sum(coding.logdet_gram(W, alpha) for W in views) / 2


def _steps(model: transformer.Classifier, l: int) -> tuple:
    """Layer l: its two steps, and what its heads see of tokens (d, n), with LayerNorm and without, (K, p, n). Heads of a ViT see values."""
    layer = model.layer(l)
    if isinstance(model, crate.Crate):
        heads = lambda Z: jnp.einsum("kdp,dn->kpn", layer.compress.U, Z)
        return layer.compress, layer.sparsify, layer.compress.seen, heads
    values = layer.mix.attention.value_proj.weight
    heads = lambda Z: (values @ Z).reshape(4, -1, Z.shape[1])
    return layer.mix, layer.each, lambda Z: heads(jax.vmap(layer.mix.norm, 1, 1)(Z)), heads


@eqx.filter_jit
def _measures(model: transformer.Classifier, X: jax.Array) -> tuple:
    """For every layer, means over images: change of the rate by attention, scaled and raw, and the share of entries above 0 after it."""
    def one(patches: jax.Array) -> tuple:
        Z, found = model.tokens(patches), []
        for l in range(4):
            mix, each, see, heads = _steps(model, l)
            Y = mix(Z)
            after = each(Y)
            found.append((_rate(see(Y), True) - _rate(see(Z), True), _rate(heads(Y), False) - _rate(heads(Z), False), jnp.mean(after > 0)))
            Z = after
        return tuple(map(jnp.stack, zip(*found)))
    return tuple(jnp.mean(part, axis=0) for part in jax.vmap(one)(transformer.patches(X, 2)))


def layer_by_layer() -> dict:
    """Three seeds of five networks on 200 test digits each: CRATE, untrained, with heads that leave by U, those with minus, a ViT."""
    crates = {"CRATE": {}, "CRATE, untrained": {}, "leaving by U": {"tied": True}, "by U, with minus": {"tied": True, "sign": -1.0}}
    networks = {name: lambda key, more=more: crate.Crate(key, 4, 16, 10, **more) for name, more in crates.items()}
    networks["ViT"] = lambda key: transformer.VisionTransformer(key, 4, 16, 10)
    found = {"names": list(networks), "change": [], "raw": [], "left": [], "accuracy": []}
    for name, build in networks.items():
        steps, rows = 0 if name.endswith("untrained") else STEPS, []
        for seed in range(3):
            (X, labels), (X_test, labels_test) = split(seed)
            model = build(jax.random.key(seed))
            if steps:
                optimiser = optax.adam(optax.cosine_decay_schedule(3e-3, steps))
                model, _ = training.train(_loss, model, jax.random.key(seed), steps, optimiser, (X, labels), BATCH)
            hits = np.argmax(scores(model, X_test), axis=1) == labels_test
            rows.append((*_measures(model, X_test[:, :200]), hits.mean()))
        for part, values in zip(("change", "raw", "left", "accuracy"), zip(*rows)):
            found[part].append(np.stack(values))
    return found
