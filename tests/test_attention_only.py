"""Attention alone against loops in float64, and the theorem: what it promises while it holds, and how long that is."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from book_utils import attention_only, transformer
from oracles import relative, rng_of


def subspaces(rng, d, K, p):
    """K orthogonal subspaces of p dimensions each, (K, d, p)."""
    Q = np.linalg.qr(rng.normal(size=(d, K * p)))[0]
    return Q.reshape(d, K, p).transpose(1, 0, 2)


def tokens(seed, d=60, K=2, p=24, n=10, delta=0.05):
    """Tokens of the mixture in NumPy, classes in no order."""
    rng = rng_of(seed)
    U, labels = subspaces(rng, d, K, p), rng.permutation(np.arange(n) % K)
    Z = np.zeros((d, n))
    for i, k in enumerate(labels):
        for j in range(K):
            Z[:, i] += U[j] @ rng.normal(size=p) * (1 if j == k else delta)
    return Z, labels, U


def softmax(scores):
    scores = np.exp(scores - scores.max())
    return scores / scores.sum()


def step(Z, U, eta, tau):
    new = Z.copy()
    for i in range(Z.shape[1]):
        for B in U:
            for j, w in enumerate(softmax(np.array([(B.T @ z) @ (B.T @ Z[:, i]) for z in Z.T]))):
                new[:, i] += eta * tau * B @ (B.T @ Z[:, j]) * (w > tau)
    return new


def snr(Z, labels, U):
    return np.array([np.linalg.norm(B @ B.T @ Z[:, labels == k]) / np.linalg.norm(Z[:, labels == k] - B @ B.T @ Z[:, labels == k])
                     for k, B in enumerate(U)])


def test_mixture_has_the_two_variances():
    U, labels = subspaces(rng_of(0), 20, 3, 4), np.arange(6000) % 3
    Z = np.asarray(attention_only.mixture(jax.random.key(0), labels, U, 0.3), float)
    for k in range(3):
        for j in range(3):
            part = U[j].T @ Z[:, labels == k]
            assert abs(part @ part.T / 2000 - np.eye(4) * (1 if j == k else 0.09)).max() < (0.12 if j == k else 0.012)
    assert np.abs(Z - sum(B @ B.T @ Z for B in U)).max() < 1e-5


def test_snr_and_step():
    rng = rng_of(1)
    for Z, labels, U in (tokens(2), (rng.normal(size=(5, 7)), np.array([0, 1, 2, 0, 1, 1, 0]), subspaces(rng, 5, 1, 2).repeat(3, 0))):
        assert relative(attention_only.token_snr(Z, labels, U), snr(Z, labels, U)) < 1e-5
        for tau in (0.1, 0.55):
            assert relative(attention_only.denoise_step(Z, U, 0.5, tau), step(Z, U, 0.5, tau)) < 1e-5
    A = rng.normal(size=(6, 6)) * 3
    expected = 0.6 * np.stack([softmax(column) > 0.6 for column in A.T], axis=1)
    np.testing.assert_allclose(attention_only.thresholded_softmax(A, 0.6), expected, rtol=1e-6)


@pytest.mark.parametrize("delta", [0.0, 0.03, 0.1, 0.2, 0.5])
def test_theorem_and_its_end(delta):
    """While `layers_exact` says so the SNR grows by 1 + eta tau, and a step in float64 leaves that path where it says."""
    Z, labels, U = tokens(3, delta=max(delta, 1e-3))
    eta, tau = 0.5, 0.55
    L = attention_only.layers_exact(Z, labels, U, eta, tau, 12)
    exact = Z.copy()
    for layer in range(12):
        new = step(exact, U, eta, tau)
        wanted = exact + eta * tau * np.stack([U[k] @ U[k].T @ z for k, z in zip(labels, exact.T)], axis=1)
        assert (relative(new, wanted) < 1e-9) == (layer < L) or layer > L
        if layer >= L:
            break
        assert relative(snr(new, labels, U) / snr(exact, labels, U), np.full(2, 1 + eta * tau)) < 1e-9
        exact = new
    else:
        assert L == 12


def test_more_noise_breaks_sooner():
    lasts = [attention_only.layers_exact(*tokens(4, delta=delta), 0.5, 0.55, 30) for delta in (0.01, 0.05, 0.2)]
    assert lasts[0] > lasts[1] > lasts[2]


def test_stack():
    rng = rng_of(5)
    Z, U = rng.normal(size=(6, 5)), subspaces(rng, 6, 3, 2)
    expected = Z.copy()
    for _ in range(3):
        Y = expected / np.linalg.norm(expected, axis=0) * 6**0.5
        for i in range(5):
            weights = [softmax(np.array([(B.T @ y) @ (B.T @ Y[:, i]) / 1.7 for y in Y.T])) for B in U]
            expected[:, i] += 0.3 * sum(B @ (B.T @ Y) @ w for B, w in zip(U, weights))
    assert relative(attention_only.attention_stack(Z, U, 0.3, 1.7, 3), expected) < 1e-5
    np.testing.assert_array_equal(attention_only.attention_stack(Z, U, 0.3, 1.7, 0), np.asarray(Z, np.float32))
    order = rng.permutation(5)
    assert relative(attention_only.attention_stack(Z[:, order], U, 0.3, 1.7, 3), expected[:, order]) < 1e-5


def test_network_has_no_second_half():
    tied = attention_only.AttentionOnly(jax.random.key(0), 4, 16, 10, d=32, K=4, L=3)
    free = attention_only.AttentionOnly(jax.random.key(0), 4, 16, 10, d=32, K=4, L=3, tied=False)
    deeper = attention_only.AttentionOnly(jax.random.key(0), 4, 16, 10, d=32, K=4, L=4)
    assert transformer.parameters(deeper) - transformer.parameters(tied) == 32 * 32 + 64
    assert transformer.parameters(free) - transformer.parameters(tied) == 3 * (32 * 32 + 32)
    X = jnp.asarray(rng_of(6).normal(size=(4, 16)), jnp.float32)
    Z = tied.tokens(X)
    for l in range(3):
        layer = tied.layer(l)
        Y = np.asarray(jax.vmap(layer.norm, 1, 1)(Z), float)
        added = np.zeros_like(Y)
        for B in np.asarray(layer.U, float):
            W = B.T @ Y
            added += B @ W @ np.stack([softmax(column) for column in (W.T @ W / 8**0.5).T], axis=1)
        Z = Z + jnp.asarray(added, jnp.float32)
    assert relative(tied.features(X), np.asarray(Z, float)) < 1e-5
    scores = tied.head(tied.norm_head(Z[:, 0]))
    assert relative(eqx.filter_jit(tied)(X), np.asarray(scores, float)) < 1e-4


@pytest.mark.parametrize("call, text", [
    (lambda Z, labels, U: attention_only.denoise_step(Z, 2 * U, 0.5, 0.5), "orthonormal"),
    (lambda Z, labels, U: attention_only.denoise_step(Z, U, 0.5, 1.5), "tau"),
    (lambda Z, labels, U: attention_only.denoise_step(Z, U, 0.0, 0.5), "eta"),
    (lambda Z, labels, U: attention_only.token_snr(Z, labels[:-1], U), "labels"),
    (lambda Z, labels, U: attention_only.token_snr(Z, 0 * labels, U), "class"),
    (lambda Z, labels, U: attention_only.layers_exact(Z, labels, U, 0.5, 0.4, 3), "tau"),
    (lambda Z, labels, U: attention_only.layers_exact(Z, labels, np.stack([U[0], U[0]]), 0.5, 0.6, 3), "U"),
    (lambda Z, labels, U: attention_only.attention_stack(Z, U, 0.5, 1.0, -1), "L"),
    (lambda Z, labels, U: attention_only.thresholded_softmax(Z, 0.5), "A"),
    (lambda Z, labels, U: attention_only.mixture(jax.random.key(0), labels, U, -1.0), "delta"),
    (lambda Z, labels, U: attention_only.AttentionOnly(jax.random.key(0), 4, 16, 10, d=32, K=5), "K"),
])
def test_bad_arguments(call, text):
    with pytest.raises(ValueError, match=text):
        call(*tokens(7))
