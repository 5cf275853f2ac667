"""ReduNet against loops in float64, and against the formulas of the published code."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from book_utils import coding, redunet
from oracles import relative, rng_of

SIZES = [7, 5, 9]


def some(seed, d=6, sizes=SIZES):
    """Unit features near subspaces of two dimensions, labels in no order, and the membership."""
    rng = rng_of(seed)
    labels = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    bases = rng.normal(size=(len(sizes), d, 2))
    Z = np.stack([bases[k] @ rng.normal(size=2) + 0.1 * rng.normal(size=d) for k in labels], axis=1)
    return Z / np.linalg.norm(Z, axis=0), labels, np.eye(len(sizes))[:, labels]


def operator(Z, share, eps):
    d, alpha = len(Z), len(Z) / (share.sum() * eps**2)
    return alpha * np.linalg.inv(np.eye(d) + alpha * sum(s * np.outer(z, z) for s, z in zip(share, Z.T)))


def operators(Z, membership, eps):
    return operator(Z, np.ones(Z.shape[1]), eps), np.stack([operator(Z, share, eps) for share in membership])


def gate(z, C, gamma, lam):
    weights = np.exp([-lam * np.linalg.norm(g * c @ z) for g, c in zip(gamma, C)])
    return weights / weights.sum()


def layer(Z, E, C, gamma, eta, lam):
    """Point by point."""
    new = []
    for z in Z.T:
        moved = z + eta * (E @ z - sum(p * g * c @ z for p, g, c in zip(gate(z, C, gamma, lam), gamma, C)))
        new.append(moved / np.sqrt(moved @ moved))
    return np.stack(new, axis=1)


@pytest.mark.parametrize("soft", [False, True])
def test_operators_membership_increment_and_layer(soft):
    Z, _, membership = some(0)
    if soft:
        membership = 0.6 * membership + 0.4 / 3
    gamma, new = membership.mean(axis=1), some(1)[0]
    E, C = operators(Z, membership, 0.4)
    assert relative(redunet.expansion(Z, 0.4), E) < 1e-5
    assert relative(redunet.compression(Z, membership, 0.4), C) < 1e-5
    shares = np.stack([gate(z, C, gamma, 7.0) for z in new.T], axis=1)
    assert relative(redunet.soft_membership(new, C, gamma, 7.0), shares) < 1e-5
    g = E @ new - sum(g * c @ new * s for g, c, s in zip(gamma, C, shares))
    assert relative(redunet.increment(new, shares, E, C, gamma), g) < 1e-5
    assert relative(redunet.layer(new, E, C, gamma, 0.5, 7.0), layer(new, E, C, gamma, 0.5, 7.0)) < 1e-5


def test_on_the_training_set_the_increment_is_the_gradient():
    Z, labels, membership = some(2)
    E, C = redunet.expansion(Z, 0.5), redunet.compression(Z, membership, 0.5)
    gradient = coding.rate_reduction_gradient(Z, labels, 0.5)
    assert relative(redunet.increment(Z, membership, E, C, membership.mean(axis=1)), np.asarray(gradient, float)) < 1e-4


@pytest.mark.parametrize("eps", [1.0, 0.1, 0.01])
@pytest.mark.parametrize("d, r", [(40, 40), (40, 5), (3, 1)])
def test_operators_in_float32(eps, d, r):
    rng = rng_of(3)
    Z = (rng.normal(size=(d, r)) @ rng.normal(size=(r, 300))).astype(np.float32)
    Z /= np.linalg.norm(Z, axis=0)
    expected = operator(Z.astype(float), np.ones(300), eps)
    assert np.abs(redunet.expansion(Z, eps) - expected).max() < 2e-5 * np.abs(expected).max()
    C = redunet.compression(Z, np.ones((1, 300)), eps)
    assert np.abs(C[0] - expected).max() < 2e-5 * np.abs(expected).max()


def test_the_network_is_its_layers():
    Z, labels, membership = some(4)
    gamma, eta, eps, lam, L = membership.mean(axis=1), 0.5, 0.5, 20.0, 4
    net, features = redunet.build(Z, labels, eta, eps, lam, L)
    new = some(5)[0]
    assert features.shape == (L + 1, 6, 21) and net.E.shape == (L, 6, 6) and net.C.shape == (L, 3, 6, 6)
    for i in range(L):
        assert relative(features[i], Z) < 1e-4
        E, C = operators(Z, membership, eps)
        assert relative(net.E[i], E) < 1e-3 and relative(net.C[i], C) < 1e-3
        Z, new = layer(Z, E, C, gamma, eta, lam), layer(new, E, C, gamma, eta, lam)
    assert relative(net(3 * some(5)[0]), new) < 1e-4
    assert relative(net(some(4)[0]), np.asarray(features[-1], float)) < 1e-5


def test_three_classes_end_on_three_orthogonal_lines():
    rng = rng_of(6)
    Z = np.eye(3).repeat(100, axis=1) + 0.1 * rng.normal(size=(3, 300))
    labels = np.repeat(np.arange(3), 100)
    _, features = redunet.build(Z, labels, 0.5, 0.1, 600.0, 500)
    best = 1.5 * np.log(1 + 1 / 0.01) - 0.5 * np.log(1 + 3 / 0.01)
    rates = [float(coding.rate_reduction(features[i], labels, 0.1)) for i in (0, 50, 100, 200, 500)]
    assert np.all(np.diff(rates) > -1e-4) and abs(rates[-1] - best) < 1e-3


def published(X, y, eps, lam, eta, L):
    """Vector layers of github.com/Ma-Lab-Berkeley/ReduNet, samples in rows, its eps being the squared distortion."""
    Z = X / np.linalg.norm(X, axis=1, keepdims=True)
    for _ in range(L):
        m, d = Z.shape
        c = d / (m * eps)
        E = c * np.linalg.inv(np.eye(d) + c * Z.T @ Z)
        responses, gam = [], []
        for j in range(y.max() + 1):
            Z_j = Z[y == j]
            c_j = d / (len(Z_j) * eps)
            responses.append(Z @ (c_j * np.linalg.inv(np.eye(d) + c_j * Z_j.T @ Z_j)).T)
            gam.append(len(Z_j) / m)
        responses, gam = np.stack(responses), np.array(gam)
        weights = np.exp(-lam * np.clip(np.linalg.norm(responses, axis=2), 1e-8, None))
        weights = (weights / weights.sum(axis=0))[:, :, None]
        Z = Z + eta * (Z @ E.T - np.sum(gam[:, None, None] * responses * weights, axis=0))
        Z = Z / np.linalg.norm(Z, axis=1, keepdims=True)
    return Z


def test_equal_classes_as_the_published_code_has_them():
    Z, labels, _ = some(7, sizes=[6, 6, 6])
    ours = redunet.build(Z, labels, 0.5, 0.3, 3 * 5.0, 5)[1][-1]
    assert relative(ours, published(Z.T, labels, 0.3**2, 5.0, 0.5, 5).T) < 1e-3


def test_unequal_classes_differ_from_it_in_the_gate_alone():
    Z, labels, membership = some(8)
    E, C = operators(Z, membership, 0.3)
    gamma = membership.mean(axis=1)
    share = redunet.soft_membership(Z, C, np.ones(3), 5.0)
    moved = Z + 0.5 * np.asarray(redunet.increment(Z, share, E, C, gamma), float)
    assert relative(moved / np.linalg.norm(moved, axis=0), published(Z.T, labels, 0.09, 5.0, 0.5, 1).T) < 1e-5


def test_it_compiles_maps_and_differentiates():
    Z, labels, _ = some(9)
    net, _ = redunet.build(Z, labels, 0.5, 0.5, 20.0, 2)
    Z = jnp.asarray(Z, jnp.float32)
    assert relative(jax.jit(lambda Z: net(Z))(Z), np.asarray(net(Z), float)) < 1e-5
    assert relative(jax.vmap(net)(Z[None])[0], np.asarray(net(Z), float)) < 1e-5
    assert np.isfinite(jax.grad(lambda Z: jnp.sum(net(Z) ** 3))(Z)).all()


@pytest.mark.parametrize("call, said", [
    (lambda Z, y, P: redunet.expansion(Z[0], 0.5), "Z: got shape"),
    (lambda Z, y, P: redunet.expansion(Z, 0.0), "eps: got 0"),
    (lambda Z, y, P: redunet.compression(Z, P[:, :3], 0.5), "membership: got shape"),
    (lambda Z, y, P: redunet.compression(Z, np.eye(4)[:, y], 0.5), "membership: got no sample in class 3"),
    (lambda Z, y, P: redunet.soft_membership(Z, np.ones((3, 6, 5)), np.ones(3), 1.0), "C: got shape"),
    (lambda Z, y, P: redunet.soft_membership(Z, np.ones((3, 6, 6)), np.ones(2), 1.0), "gamma: got shape"),
    (lambda Z, y, P: redunet.layer(Z, np.eye(5), np.ones((3, 6, 6)), np.ones(3), 0.5, 1.0), "E: got shape"),
    (lambda Z, y, P: redunet.build(0 * Z, y, 0.5, 0.5, 1.0, 2), "Z: got a column of zeros"),
    (lambda Z, y, P: redunet.build(Z, y, 0.5, 0.5, 1.0, 0), "L: got 0"),
])
def test_bad_arguments(call, said):
    with pytest.raises(ValueError, match=said):
        call(*some(0))
