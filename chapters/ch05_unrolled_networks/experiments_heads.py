"""Tokens and heads: what the rate by heads sees, and how near attention is to its gradient. NumPy, float64."""

from collections.abc import Callable

import numpy as np


def random_heads(rng: np.random.Generator, d: int, K: int) -> np.ndarray:
    """K bases (K, d, d / K) that are orthonormal together."""
    return np.linalg.qr(rng.normal(size=(d, d)))[0].reshape(d, K, d // K).transpose(1, 0, 2)


def unit(Z: np.ndarray) -> np.ndarray:
    return Z / np.linalg.norm(Z, axis=0)


def in_two_heads() -> tuple[np.ndarray, np.ndarray]:
    """Tokens (2, 40) on the two axes of the plane, and the axes as heads."""
    rng = np.random.default_rng(0)
    return np.eye(2).repeat(20, axis=1) * rng.choice([-1, 1], 40) * rng.uniform(0.5, 1, 40), np.eye(2)[:, :, None]


def turned(Z: np.ndarray, U: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Tokens and heads in the plane, turned together."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    Q = np.array([[c, -s], [s, c]])
    return Q @ Z, Q @ U


def same_moments(d: int = 12, K: int = 4, n: int = 240) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Tokens that lie in one head each, others with the same second moment that lie in none, the heads, and the head of each token."""
    rng = np.random.default_rng(1)
    U, labels = random_heads(rng, d, K), np.arange(n) % K
    Z = np.stack([U[k] @ rng.normal(size=d // K) for k in labels], axis=1)
    return Z, Z @ np.linalg.qr(rng.normal(size=(n, n)))[0], U, labels


def by_labels(Z: np.ndarray, labels: np.ndarray, eps: float) -> float:
    """The rate reduction of Part 1."""
    rate = lambda Z: np.linalg.slogdet(np.eye(len(Z)) + len(Z) / (Z.shape[1] * eps**2) * Z @ Z.T)[1] / 2
    return rate(Z) - sum(np.mean(labels == k) * rate(Z[:, labels == k]) for k in set(labels.tolist()))


def attention(Z: np.ndarray, U: np.ndarray, eps: float, softmax: bool = True) -> np.ndarray:
    """MSSA(Z | U), or the same with the linear kernel alpha W^T W in place of the softmax."""
    alpha = U.shape[2] / (Z.shape[1] * eps**2)
    W = U.transpose(0, 2, 1) @ Z
    scores = W.transpose(0, 2, 1) @ W
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return alpha * (U @ W @ (odds / odds.sum(axis=1, keepdims=True) if softmax else scores)).sum(axis=0)


def _tokens(kind: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    weights = np.ones(32) if kind == "even" else 1 / np.arange(1, 33)
    return unit(np.linalg.qr(rng.normal(size=(32, 32)))[0] @ (weights[:, None] * rng.normal(size=(32, n)))), random_heads(rng, 32, 4)


def _cosine(A: np.ndarray, B: np.ndarray) -> float:
    return float(np.sum(A * B) / np.linalg.norm(A) / np.linalg.norm(B))


def stand_ins(gradient: Callable, largest: Callable, kind: str, n: int) -> tuple[np.ndarray, dict, dict, list]:
    """eps (25,), the cosines of three stand-ins with the gradient, the relative errors of two, and the largest ||A|| of a head."""
    Z, U = _tokens(kind, n)
    grid, cosines, errors, norms = np.geomspace(0.1, 3, 25), {}, {}, []
    for eps in grid:
        alpha, G = U.shape[2] / (n * eps**2), np.asarray(gradient(Z, U, eps), dtype=float)
        ways = {"two terms": alpha * Z - alpha * attention(Z, U, eps, softmax=False), "attention": alpha * Z - alpha * attention(Z, U, eps),
                "tokens alone": alpha * Z}
        for name, way in ways.items():
            cosines.setdefault(name, []).append(_cosine(G, way))
            if name != "tokens alone":
                errors.setdefault(name, []).append(np.linalg.norm(way - G) / np.linalg.norm(G))
        norms.append(float(largest(Z, U, eps)))
    return grid, cosines, errors, norms


def corrections(gradient: Callable) -> dict[str, float]:
    """Cosines of alpha Z minus the gradient with what stands in for it, at eps = 0.5 and 64 tokens."""
    found = {}
    for kind in ("even", "spiked"):
        Z, U = _tokens(kind, 64)
        alpha = U.shape[2] / (64 * 0.25)
        correction = alpha * Z - np.asarray(gradient(Z, U, 0.5), dtype=float)
        found[f"{kind}, softmax"] = _cosine(correction, attention(Z, U, 0.5))
        found[f"{kind}, two terms"] = _cosine(correction, attention(Z, U, 0.5, softmax=False))
    return found


def uphill(gradient: Callable, trials: int = 500) -> dict[str, float]:
    """In which share of random trials MSSA points up the rate: 12 tokens of any size, three heads in any position."""
    rng, up = np.random.default_rng(3), 0
    for _ in range(trials):
        U = np.linalg.qr(rng.normal(size=(3, 6, 2)))[0]
        Z = np.exp(rng.normal()) * rng.normal(size=(6, 12))
        up += np.sum(np.asarray(gradient(Z, U, 0.5)) * attention(Z, U, 0.5)) > 0
    return {"share of trials uphill": up / trials}
