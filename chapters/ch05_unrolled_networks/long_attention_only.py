"""How far attention alone gets on digits: measurements behind the Doubt of the attention-only transformer.

Public functions are run by `book build --long`, about three minutes.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from book_utils import attention_only, crate, data, transformer
from book_utils.training import train

SIZES = {"d": 32, "K": 4}
STEPS, SEEDS = 1000, 3


def _models() -> dict:
    """Makers of networks by name; all see patches of 2 x 2 pixels of digits of 8 x 8."""
    shape = 4, 16, 10
    return {
        "attention only, 4 layers": lambda key: attention_only.AttentionOnly(key, *shape, L=4, **SIZES),
        "attention only, 8 layers": lambda key: attention_only.AttentionOnly(key, *shape, L=8, **SIZES),
        "with a matrix out, 4 layers": lambda key: attention_only.AttentionOnly(key, *shape, L=4, tied=False, **SIZES),
        "CRATE, 4 layers": lambda key: crate.Crate(key, *shape, L=4, **SIZES),
        "vision transformer, 2 layers": lambda key: transformer.VisionTransformer(key, *shape, L=2, width=32, **SIZES),
    }


def _loss(model, batch, key):
    scores = jax.vmap(model)(jnp.moveaxis(batch["x"], -1, 0))
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(scores, batch["y"]))


def _split(seed: int) -> tuple:
    """1,200 digits to learn from and 597 to test with, another choice for each seed."""
    X, labels = data.digits()
    order = np.random.default_rng(seed).permutation(X.shape[1])
    return X[:, order[:1200]], labels[order[:1200]], X[:, order[1200:]], labels[order[1200:]]


def attention_only_on_digits() -> dict:
    """Test accuracy of each network, three seeds; parameters and multiply-adds; one nearest neighbour beside them."""
    optimiser = optax.adam(2e-3)
    names, accuracies, parameters, products = list(_models()), [], [], []
    for name, make in _models().items():
        row = []
        for seed in range(SEEDS):
            X, labels, X_test, labels_test = _split(seed)
            model = make(jax.random.key(seed))
            batch = {"x": jnp.moveaxis(transformer.patches(X, 2), 0, -1), "y": jnp.asarray(labels)}
            model, _ = train(_loss, model, jax.random.key(100 + seed), STEPS, optimiser, batch, batch=64)
            found = jnp.argmax(jax.vmap(model)(transformer.patches(X_test, 2)), axis=1)
            row.append(float(np.mean(np.asarray(found) == labels_test)))
        accuracies.append(row)
        parameters.append(transformer.parameters(model))
        products.append(transformer.multiply_adds(model))
    neighbours = []
    for seed in range(SEEDS):
        X, labels, X_test, labels_test = _split(seed)
        distances = (X**2).sum(axis=0)[:, None] - 2 * X.T @ X_test
        neighbours.append(float(np.mean(labels[distances.argmin(axis=0)] == labels_test)))
    return {"names": names, "accuracies": accuracies, "parameters": parameters, "products": products, "neighbours": neighbours}
