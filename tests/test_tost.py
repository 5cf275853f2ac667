"""Token statistics against loops and finite differences in float64; the network against the published formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from book_utils import tost, transformer
from oracles import numerical_gradient, relative, rng_of
from test_crate import KEY, layer_norm, softmax, some

EPS, SIGMA, TAU = 0.6, 0.5, 0.3


def moments(Z, share, B):
    return ((B.T @ Z) ** 2 @ share) / share.sum()


def bound(Z, shares, U, eps):
    c = Z.shape[0] / eps**2
    return sum(share.sum() * np.log1p(c * moments(Z, share, B)).sum() for share, B in zip(shares, U)) / (2 * Z.shape[1])


def memberships(Z, U, sigma):
    return softmax(np.stack([((B.T @ Z) ** 2).sum(0) for B in U]) / (2 * sigma**2))


def increment(Z, U):
    """Token by token."""
    d, n = Z.shape
    shares, c, out = memberships(Z, U, SIGMA), d / EPS**2, np.zeros((d, n))
    for share, B in zip(shares, U):
        slopes = c / (1 + c * moments(Z, share, B))
        for j in range(n):
            out[:, j] -= TAU / n * share[j] * B @ (slopes * (B.T @ Z[:, j]))
    return out


@pytest.mark.parametrize("orthogonal", [True, False])
def test_membership_bound_gradient_and_increment(orthogonal):
    Z, U = some(0, orthogonal=orthogonal)
    shares = memberships(Z, U, SIGMA)
    assert relative(tost.membership(Z, U, SIGMA), shares) < 1e-6
    assert abs(tost.variational_rate(Z, shares, U, EPS) - bound(Z, shares, U, EPS)) < 1e-6 * bound(Z, shares, U, EPS)
    slope = numerical_gradient(lambda Z: bound(Z, shares, U, EPS), Z)
    assert relative(tost.variational_gradient(Z, shares, U, EPS), slope) < 1e-5
    assert relative(jax.grad(lambda Z: tost.variational_rate(Z, shares, U, EPS))(jnp.asarray(Z, jnp.float32)), slope) < 1e-5
    assert relative(tost.tssa(Z, U, TAU, EPS, SIGMA), increment(Z, U)) < 1e-5


def test_a_head_without_tokens_counts_nothing():
    Z, U = some(1)
    shares = np.zeros((3, 9))
    shares[0, :4], shares[1, 4:] = 1, 1
    two = bound(Z, shares[:2], U[:2], EPS)
    assert abs(tost.variational_rate(Z, shares, U, EPS) - two) < 1e-6 * two
    assert np.isfinite(tost.variational_gradient(Z, shares, U, EPS)).all()


def test_it_is_a_bound_where_heads_hold_their_tokens():
    for seed in range(20):
        rng = rng_of(seed)
        Q = np.linalg.qr(rng.normal(size=(6, 6)))[0]
        U = np.stack([Q[:, 2 * k:2 * k + 2] for k in range(3)])
        shares = np.eye(3)[:, rng.integers(0, 3, 9)]
        Z = sum(B @ rng.normal(size=(2, 9)) * share for share, B in zip(shares, U))
        c = 6 / EPS**2
        rate = sum(share.sum() * np.log1p(c * np.linalg.eigvalsh(Z * share @ Z.T / share.sum()).clip(0)).sum()
                   for share in shares if share.sum()) / 18
        assert rate <= float(tost.variational_rate(Z, shares, U, EPS)) * (1 + 1e-6)


def test_causal_forms_agree():
    """Prefix by prefix, by running sums, and as a recurrence."""
    Z, U = some(2, orthogonal=False)
    loop = np.stack([increment(Z[:, :i + 1], U)[:, i] for i in range(9)], axis=1)
    parallel = tost.causal_tssa(Z, U, TAU, EPS, SIGMA)
    assert relative(parallel, loop) < 1e-5
    state, columns = tost.no_tokens(3, 2), []
    for z in Z.T:
        state, out = tost.tssa_step(state, z, U, TAU, EPS, SIGMA)
        columns.append(out)
    assert relative(np.stack(columns, axis=1), loop) < 1e-5
    assert state.power.size + state.mass.size == 3 * (2 + 1) and state.count == 9


def published(w, temperature, causal=False):
    """w (heads, n, p)."""
    squares = w**2
    if causal:
        lengths = np.cumsum(squares, axis=1)
    else:
        lengths = squares.sum(axis=1, keepdims=True)
    share = softmax((squares / lengths).sum(-1) * temperature[:, None], axis=0)
    if causal:
        dots = np.cumsum(squares * share[..., None], axis=1) / (np.cumsum(share, axis=1) + 1e-8)[..., None]
    else:
        dots = (share / (share.sum(-1, keepdims=True) + 1e-8))[:, None] @ squares
    return -w * share[..., None] / (1 + dots)


@pytest.mark.parametrize("causal", [False, True])
def test_the_step_is_the_published_one(causal):
    model = tost.Tost(KEY, 4, 16, 10, d=24, K=3, L=2, causal=causal)
    step = model.layer(1).mix
    x = rng_of(3).normal(size=(17, 24))
    w = np.einsum("nd,kdp->knp", layer_norm(x, step.norm), np.asarray(step.U, float))
    mixed = published(w, np.asarray(step.inverse_temperature, float), causal)
    joined = mixed.transpose(1, 0, 2).reshape(17, 24)
    after = x + joined @ np.asarray(step.out.weight, float).T + np.asarray(step.out.bias, float)
    assert relative(step(jnp.asarray(x.T, jnp.float32)), after.T) < 1e-5
    later = jnp.asarray(x.T, jnp.float32).at[:, 9:].set(1.0)
    same = np.array_equal(step(later)[:, :9], step(jnp.asarray(x.T, jnp.float32))[:, :9])
    assert same == causal


def test_cost_is_linear_in_the_tokens_and_attention_quadratic():
    from book_utils import crate

    for cls, low, high in [(tost.Tost, 0.9, 1.1), (crate.Crate, 1.3, 2.1)]:
        counts = [transformer.multiply_adds(cls(KEY, 4, n, 10, d=16, K=2, L=1)) for n in (1_024, 4_096)]
        assert low < np.log(counts[1] / counts[0]) / np.log(4) < high


def test_bad_arguments():
    Z, U = some(4)
    shares = np.full((3, 9), 1 / 3)
    for call, said in [
        (lambda: tost.variational_rate(Z, shares[:2], U, EPS), r"membership: got shape \(2, 9\), want \(K, n\) with K = 3 and n = 9"),
        (lambda: tost.variational_rate(Z, 2 * shares, U, EPS), "membership: got a column 0 that adds up to 2"),
        (lambda: tost.tssa(Z, U, -1.0, EPS, SIGMA), "tau: got -1"),
        (lambda: tost.tssa(Z, 2 * U, TAU, EPS, SIGMA), "off the identity"),
        (lambda: tost.tssa_step(tost.no_tokens(2, 2), Z[:, 0], U, TAU, EPS, SIGMA), r"state: got power of shape \(2, 2\)"),
        (lambda: tost.Tost(KEY, 4, 16, 10, d=32, K=3), "K: got 3 heads"),
    ]:
        with pytest.raises(ValueError, match=said):
            call()
