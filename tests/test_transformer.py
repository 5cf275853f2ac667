"""Patches, the shared classifier and the counts of a comparison."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from book_utils import crate, transformer
from oracles import rng_of

KEY = jax.random.key(0)


def test_patches_are_cut_row_by_row():
    X = np.arange(64.0)[:, None] + np.array([0, 100])
    cut = transformer.patches(X, 4)
    assert cut.shape == (2, 16, 4)
    for i in range(2):
        image = X[:, i].reshape(8, 8)
        for t, (r, c) in enumerate([(0, 0), (0, 4), (4, 0), (4, 4)]):
            np.testing.assert_array_equal(cut[i, :, t], image[r:r + 4, c:c + 4].ravel())
    for X, w in [(np.zeros((64, 1)), 3), (np.zeros((60, 1)), 2)]:
        with pytest.raises(ValueError, match="want a square side that"):
            transformer.patches(X, w)


def test_layers_are_run_one_after_the_other():
    model = transformer.VisionTransformer(KEY, 4, 16, 10, L=3)
    patches = jnp.asarray(rng_of(0).normal(size=(4, 16)), jnp.float32)
    Z = model.tokens(patches)
    for l in range(3):
        Z = model.layer(l)(Z)
    np.testing.assert_allclose(model.features(patches), Z, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(model(patches), model.head(model.norm_head(Z[:, 0])), rtol=1e-5, atol=1e-5)


def test_attention_is_equinox_s_with_tokens_in_columns():
    step = transformer.VisionTransformer(KEY, 4, 16, 10, L=1).layer(0)
    Z = rng_of(1).normal(size=(32, 5))
    x = np.asarray(jax.vmap(step.mix.norm)(jnp.asarray(Z.T, jnp.float32)), float)
    own = lambda part: (np.asarray(part.weight, float) @ x.T + np.asarray(part.bias, float)[:, None]).reshape(4, 8, 5)
    q, k, v = own(step.mix.attention.query_proj), own(step.mix.attention.key_proj), own(step.mix.attention.value_proj)
    scores = np.einsum("hpi,hpj->hji", q, k) / np.sqrt(8)
    weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    out = step.mix.attention.output_proj
    mixed = np.asarray(out.weight, float) @ np.einsum("hpj,hji->hpi", v, weights).reshape(32, 5) + np.asarray(out.bias, float)[:, None]
    np.testing.assert_allclose(step.mix(jnp.asarray(Z, jnp.float32)), Z + mixed, rtol=1e-4, atol=1e-5)


def test_size_of_the_published_network():
    """ViT-Tiny has 5,717,416 numbers; CRATE's embedding, used for all, normalises patches and tokens on top of that."""
    shapes = eqx.filter_eval_shape(lambda: transformer.VisionTransformer(KEY, 768, 196, 1000, d=192, K=3, L=12))
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes) if hasattr(leaf, "size")) == 5_717_416 + 2 * 768 + 2 * 192


@pytest.mark.parametrize("L", [1, 3])
def test_multiply_adds_counted_by_hand(L):
    d, n, P, K, width, classes = 32, 17, 4, 4, 64, 10
    ends = P * d * (n - 1) + d * classes
    vit = transformer.VisionTransformer(KEY, P, n - 1, classes, d=d, K=K, L=L, width=width)
    assert transformer.multiply_adds(vit) == ends + L * (4 * d * d * n + 2 * d * n * n + 2 * d * width * n)
    ours = crate.Crate(KEY, P, n - 1, classes, d=d, K=K, L=L)
    assert transformer.multiply_adds(ours) == ends + L * (2 * d * d * n + 2 * d * n * n + 2 * d * d * n)
    assert transformer.parameters(ours) == sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(ours, eqx.is_array)))


def test_batches_and_gradients():
    model = transformer.VisionTransformer(KEY, 4, 16, 10, L=2)
    patches = jnp.asarray(rng_of(2).normal(size=(3, 4, 16)), jnp.float32)
    np.testing.assert_allclose(jax.vmap(model)(patches)[1], model(patches[1]), rtol=1e-4, atol=1e-5)
    gradient = eqx.filter_grad(lambda model: jnp.sum(jax.vmap(model)(patches) ** 2))(model)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


def test_bad_sizes():
    for call, said in [(lambda: transformer.VisionTransformer(KEY, 4, 16, 10, d=30, K=4), "K: got 4 heads"),
                       (lambda: transformer.VisionTransformer(KEY, 4, 0, 10), "n: got 0"),
                       (lambda: transformer.VisionTransformer(KEY, 4, 16, 10, L=0), "L: got 0")]:
        with pytest.raises(ValueError, match=said):
            call()
