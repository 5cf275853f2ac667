"""Three clouds on the sphere through a ReduNet, and classes of unequal size: what Part 1's second half shows."""

from collections.abc import Callable

import numpy as np

from chapters.ch05_unrolled_networks.experiments_gradient import _reduction as reduction
from chapters.ch05_unrolled_networks.experiments_gradient import three_clouds

EPS = 0.1**0.5
BEST = 1.5 * np.log(1 + 1 / EPS**2) - 0.5 * np.log(1 + 3 / EPS**2)  # three orthogonal directions in R^3


def two_classes(N_k: int, N_l: int, noise: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Unit features (10, N_k + N_l) near two orthogonal planes, the first N_k near the first, and their membership."""
    planes = np.eye(10)[:, :4].reshape(10, 2, 2)
    parts = []
    for k, N in enumerate((N_k, N_l)):
        Z = planes[:, k] @ rng.normal(size=(2, N))
        parts.append(Z / np.linalg.norm(Z, axis=0) + noise * rng.normal(size=(10, N)))
    Z = np.concatenate(parts, axis=1)
    return Z / np.linalg.norm(Z, axis=0), np.eye(2).repeat([N_k, N_l], axis=1)


def found(soft_membership: Callable, ratios: list[int], noise: float, eps: float, weighted: bool) -> list[float]:
    """Share of 400 fresh points of a class of 40 samples that get most of their membership there, the other class being so many
    times as large; weighted: by the shares of classes, or by ones."""
    rng, shares = np.random.default_rng(0), []
    for ratio in ratios:
        Z, membership = two_classes(40, 40 * ratio, noise, rng)
        gamma, C = membership.mean(axis=1), _compression(Z, membership, eps)
        fresh, _ = two_classes(400, 1, noise, rng)
        given = np.asarray(soft_membership(fresh[:, :400], C, gamma if weighted else np.ones(2), 1.0))
        shares.append(float(np.mean(given[0] > given[1])))
    return shares


def through(redunet_build: Callable, redunet_layer: Callable, spread: float, eta: float, strength: float, L: int) -> dict:
    """Training and fresh points through L layers: paths (L + 1, 3, 120), and their rate reductions (L + 1,) under true labels.

    strength: lam alpha, alpha = 3 / (120 EPS^2)."""
    (Z, shares), (Z_new, _) = three_clouds(spread=spread), three_clouds(seed=2, spread=spread)
    lam, gamma = strength * 120 * EPS**2 / 3, np.full(3, 1 / 3)
    Es, Cs, path = redunet_build(Z, shares.argmax(axis=0), eta, EPS, lam, L)
    fresh = [Z_new]
    for E, C in zip(np.asarray(Es), np.asarray(Cs)):
        fresh.append(np.asarray(redunet_layer(fresh[-1], E, C, gamma, eta, lam)))
    path, fresh = np.asarray(path, dtype=float), np.asarray(fresh, dtype=float)
    gains = [[reduction(Z, shares, EPS) for Z in part] for part in (path, fresh)]
    return {"path": path, "fresh": fresh, "gains": np.array(gains), "labels": shares.argmax(axis=0)}


def _compression(Z: np.ndarray, membership: np.ndarray, eps: float) -> np.ndarray:
    d, sizes = len(Z), membership.sum(axis=1)[:, None, None]
    return np.linalg.inv(sizes * eps**2 / d * np.eye(d) + (Z * membership[:, None]) @ Z.T)


def gate_errors(soft_membership: Callable, top_expert: Callable, strengths: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """How far the mixture is from the answer of the top expert, for three of the overlapping clouds' points at every lam alpha, and
    the bound (K - 1) exp(-lam gap) times the longest difference from that answer: both (3, strengths), over alpha.

    The points are those at which the gap is larger than at 20, 50 and 80 % of all."""
    Z, shares = three_clouds(spread=0.25)
    C, gamma, alpha = _compression(Z, shares, EPS), shares.mean(axis=1), 3 / (120 * EPS**2)
    answers = gamma[:, None, None] * (C @ Z) / alpha
    lengths = np.sort(np.linalg.norm(answers, axis=1), axis=0)
    gaps = lengths[1] - lengths[0]
    chosen = np.argsort(gaps)[[24, 60, 96]]
    top = np.asarray(top_expert(Z, C, gamma)[0])[:, chosen] / alpha
    far = np.linalg.norm(answers[:, :, chosen] - top, axis=1).max(axis=0)
    errors = [np.linalg.norm((np.asarray(soft_membership(Z, C, gamma, strength / alpha))[:, None] * answers).sum(axis=0)[:, chosen] - top, axis=0)
              for strength in strengths]
    return np.array(errors).T, far[:, None] * 2 * np.exp(-np.outer(gaps[chosen], strengths))
