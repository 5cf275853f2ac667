"""The operators of CRATE against loops, eigenvalues and finite differences in float64; the network against the published formulas."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from book_utils import crate, heads, transformer
from oracles import numerical_gradient, relative, rng_of

KEY = jax.random.key(0)


def some(seed, d=6, n=9, K=3, p=2, orthogonal=True):
    rng = rng_of(seed)
    Z = rng.normal(size=(d, n))
    Z /= np.linalg.norm(Z, axis=0)
    if orthogonal:
        Q = np.linalg.qr(rng.normal(size=(d, d)))[0]
        U = np.stack([Q[:, k * p:(k + 1) * p] for k in range(K)])
    else:
        U = np.stack([np.linalg.qr(rng.normal(size=(d, p)))[0] for _ in range(K)])
    return Z, U


def softmax(scores, axis=0):
    scores = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return scores / scores.sum(axis=axis, keepdims=True)


def rate(Z, U, eps):
    alpha = U.shape[2] / (Z.shape[1] * eps**2)
    return sum(np.log1p(alpha * np.linalg.eigvalsh(Z.T @ B @ B.T @ Z).clip(0)).sum() for B in U) / 2


def mssa(Z, U, eps):
    """Column by column, one token compared with each."""
    out, n = np.zeros_like(Z), Z.shape[1]
    for B in U:
        W = B.T @ Z
        for i in range(n):
            weights = softmax(np.array([W[:, j] @ W[:, i] for j in range(n)]))
            out[:, i] += B @ sum(w * W[:, j] for j, w in enumerate(weights))
    return U.shape[2] / (n * eps**2) * out


@pytest.mark.parametrize("orthogonal", [True, False])
@pytest.mark.parametrize("eps", [0.1, 0.5, 2.0])
def test_rate_and_gradient(orthogonal, eps):
    Z, U = some(0, orthogonal=orthogonal)
    assert abs(crate.code_rate(Z, U, eps) - rate(Z, U, eps)) < 2e-6 * (1 + rate(Z, U, eps))
    alpha, n = 2 / (9 * eps**2), 9
    published = alpha * sum(B @ B.T @ Z @ np.linalg.inv(np.eye(n) + alpha * Z.T @ B @ B.T @ Z) for B in U)
    assert relative(published, numerical_gradient(lambda Z: rate(Z, U, eps), Z)) < 1e-7
    assert relative(crate.code_rate_gradient(Z, U, eps), published) < 1e-5


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.floats(0.05, 3.0))
def test_rate_in_hypothesis(seed, eps):
    Z, U = some(seed, orthogonal=seed % 2 == 0)
    assert abs(crate.code_rate(Z, U, eps) - rate(Z, U, eps)) < 1e-5 * (1 + rate(Z, U, eps))


def test_mssa_and_its_step():
    for seed, orthogonal in [(1, True), (2, False)]:
        Z, U = some(seed, orthogonal=orthogonal)
        expected = mssa(3 * Z, U, 0.4)
        assert relative(crate.mssa(3 * Z, U, 0.4), expected) < 1e-5
        share = 0.3 * 2 / (9 * 0.4**2)
        assert relative(crate.mssa_step(3 * Z, U, 0.3, 0.4), (1 - share) * 3 * Z + share * expected) < 1e-5
        assert relative(crate.ssa(U[0].T @ Z), (U[0].T @ Z) @ softmax(Z.T @ U[0] @ U[0].T @ Z)) < 1e-6


def test_mssa_turns_with_the_frame_and_moves_with_the_tokens():
    Z, U = some(3)
    Q = np.linalg.qr(rng_of(4).normal(size=(6, 6)))[0]
    order = rng_of(5).permutation(9)
    assert relative(crate.mssa(Q @ Z, Q @ U, 0.5), Q @ np.asarray(crate.mssa(Z, U, 0.5), float)) < 1e-5
    assert relative(crate.mssa(Z[:, order], U, 0.5), np.asarray(crate.mssa(Z, U, 0.5), float)[:, order]) < 1e-5


def test_ista_and_decoder():
    Z, U = some(6)
    D = rng_of(7).normal(size=(6, 6)) / 3
    by_hand = np.maximum(Z - 0.2 * D.T @ (D @ Z - Z) - 0.2 * 0.3, 0)
    assert relative(crate.ista_step(Z, D, 0.2, 0.3), by_hand) < 1e-6
    Y = D @ Z
    assert relative(crate.decoder_step(Z, U, D, 0.7), Y - mssa(Y, U, 0.7)) < 1e-5


def test_causal_forms_agree():
    """Prefix by prefix, masked, and with a cache."""
    Z, U = some(8, orthogonal=False)
    loop = np.stack([mssa(Z[:, :i + 1], U, 0.4)[:, i] for i in range(9)], axis=1)
    masked = crate.causal_mssa(Z, U, 0.4)
    assert relative(masked, loop) < 1e-5
    cache, columns = crate.empty_cache(3, 2, 12), []
    for z in Z.T:
        cache, out = crate.causal_mssa_step(cache, z, U, 0.4)
        columns.append(out)
    assert relative(np.stack(columns, axis=1), loop) < 1e-5 and cache.length == 9
    later = Z.copy()
    later[:, 5:] = rng_of(9).normal(size=(6, 4))
    np.testing.assert_array_equal(crate.causal_mssa(later, U, 0.4)[:, :5], masked[:, :5])


def test_gradients_and_batches():
    Z, U = some(10)
    gradient = jax.grad(lambda Z: crate.code_rate(Z, U, 0.5))(jnp.asarray(Z, jnp.float32))
    assert relative(gradient, np.asarray(crate.code_rate_gradient(Z, U, 0.5), float)) < 1e-6
    Zs = jnp.stack([jnp.asarray(Z, jnp.float32), 2 * jnp.asarray(Z, jnp.float32)])
    for f in (lambda Z: crate.mssa(Z, U, 0.5), lambda Z: crate.code_rate(Z, U, 0.5), lambda Z: crate.causal_mssa(Z, U, 0.5)):
        np.testing.assert_allclose(jax.vmap(f)(Zs), jnp.stack([f(Zs[0]), f(Zs[1])]), rtol=1e-5, atol=1e-6)


# The network, against the published code's formulas written in NumPy: batch first, tokens in rows


def layer_norm(x, norm):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * np.asarray(norm.weight, float) + np.asarray(norm.bias, float)


def published_attention(x, step):
    K, d, p = step.U.shape
    qkv = np.concatenate([np.asarray(B, float).T for B in step.U])  # (K p, d), rows grouped by head
    w = (x @ qkv.T).reshape(len(x), K, p).transpose(1, 0, 2)
    mixed = softmax(w @ w.transpose(0, 2, 1) * p**-0.5, axis=-1) @ w
    joined = mixed.transpose(1, 0, 2).reshape(len(x), K * p)
    return joined @ np.asarray(step.out.weight, float).T + np.asarray(step.out.bias, float)


def published_feed_forward(x, step):
    D = np.asarray(step.D, float)
    return np.maximum(x + 0.1 * (x @ D - (x @ D.T) @ D) - 0.1 * 0.1, 0)


def test_the_layer_is_the_published_one():
    model = crate.Crate(KEY, 4, 16, 10, d=24, K=3, L=3)
    x = 2 * rng_of(11).normal(size=(17, 24))
    for l in range(3):
        layer = model.layer(l)
        middle = x + published_attention(layer_norm(x, layer.compress.norm), layer.compress)
        assert relative(layer.compress(jnp.asarray(x.T, jnp.float32)), middle.T) < 1e-5
        after = published_feed_forward(layer_norm(middle, layer.sparsify.norm), layer.sparsify)
        assert relative(layer(jnp.asarray(x.T, jnp.float32)), after.T) < 1e-5
        assert relative(layer.compress.heads(jnp.asarray(x.T, jnp.float32)).sum(0) + layer.compress.out.bias[:, None],
                        (middle - x).T) < 1e-5
        x = after


def test_the_network_is_the_published_one():
    model = crate.Crate(KEY, 4, 16, 10, d=24, K=3, L=2)
    patches = rng_of(12).normal(size=(4, 16))
    x = layer_norm(patches.T, model.norm_patch) @ np.asarray(model.embed.weight, float).T + np.asarray(model.embed.bias, float)
    x = np.concatenate([np.asarray(model.first, float).T, layer_norm(x, model.norm_token)]) + np.asarray(model.position, float).T
    for l in range(2):
        layer = model.layer(l)
        x = x + published_attention(layer_norm(x, layer.compress.norm), layer.compress)
        x = published_feed_forward(layer_norm(x, layer.sparsify.norm), layer.sparsify)
    scores = np.asarray(model.head.weight, float) @ layer_norm(x[:1], model.norm_head)[0] + np.asarray(model.head.bias, float)
    assert relative(model(jnp.asarray(patches, jnp.float32)), scores) < 1e-5


@pytest.mark.parametrize("d, K, L, millions", [(384, 6, 12, 6.0909), (576, 12, 12, 13.1163), (768, 12, 12, 22.7960), (1024, 16, 24, 77.6412)])
def test_sizes_of_the_published_networks(d, K, L, millions):
    shapes = eqx.filter_eval_shape(lambda: crate.Crate(KEY, 768, 196, 1000, d=d, K=K, L=L))
    numbers = sum(leaf.size for leaf in jax.tree.leaves(shapes) if hasattr(leaf, "size"))
    assert round(numbers / 1e6, 4) == millions


def test_tied_signed_and_causal_networks():
    patches = jnp.asarray(rng_of(13).normal(size=(4, 16)), jnp.float32)
    plain, tied = (crate.Crate(KEY, 4, 16, 10, tied=t) for t in (False, True))
    assert transformer.parameters(plain) - transformer.parameters(tied) == 4 * (32 * 32 + 32)
    step = tied.layer(0).compress
    Z = tied.tokens(patches)
    assert relative(step.increment(Z), np.einsum("kdp,kpn->dn", step.U, heads.attend(step.seen(Z), 8**-0.5))) < 1e-5
    minus = crate.Crate(KEY, 4, 16, 10, sign=-1.0).layer(0).compress
    np.testing.assert_allclose(minus.increment(Z), -plain.layer(0).compress.increment(Z), rtol=1e-6)
    causal = crate.Crate(KEY, 4, 16, 10, causal=True)
    later = Z.at[:, 9:].set(1.0)
    np.testing.assert_array_equal(causal.layer(0)(Z)[:, :9], causal.layer(0)(later)[:, :9])


def test_bad_arguments():
    Z, U = some(14)
    for call, said in [
        (lambda: crate.mssa(Z, U[:, :5], 0.5), r"U: got shape \(3, 5, 2\), want \(K, d, p\) with d = 6"),
        (lambda: crate.mssa(Z, 1.1 * U, 0.5), r"U\[0\]: got columns with U\[0\]\^T U\[0\] off the identity"),
        (lambda: crate.code_rate(Z, U, 0.0), "eps: got 0, want a number > 0"),
        (lambda: crate.ista_step(Z, np.eye(5), 0.1, 0.1), r"D: got shape \(5, 5\), want \(d, d\) with d = 6"),
        (lambda: crate.ista_step(Z, np.eye(6), 0.1, -0.1), "lam: got -0.1"),
        (lambda: crate.causal_mssa_step(crate.empty_cache(2, 2, 4), Z[:, 0], U, 0.5), r"cache: got W of shape \(2, 2, 4\)"),
        (lambda: crate.Crate(KEY, 4, 16, 10, d=32, K=5), "K: got 5 heads for tokens of dimension 32, want a number that divides 32"),
        (lambda: crate.Crate(KEY, 4, 16, 10)(jnp.zeros((4, 15))), r"patches: got shape \(4, 15\), want \(P, n\) = \(4, 16\)"),
        (lambda: crate.mssa(np.full((6, 9), np.nan), U, 0.5), "Z: got nan"),
    ]:
        with pytest.raises(ValueError, match=said):
            call()
