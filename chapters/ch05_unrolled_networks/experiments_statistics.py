"""Tokens, memberships and counts behind the sections on token statistics."""

from collections.abc import Callable

import numpy as np

from book_utils import tost


def turn(degrees: float) -> np.ndarray:
    """Rotation of the plane (2, 2)."""
    a = np.deg2rad(degrees)
    return np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])


def plane(ratio: float) -> np.ndarray:
    """Covariance (2, 2) with eigenvalues `ratio`, at 30 degrees, and 1."""
    return turn(30) @ np.diag([ratio, 1.0]) @ turn(30).T


def heads_rate(Z: np.ndarray, membership: np.ndarray, eps: float) -> float:
    """R^c of tokens shared out to heads: sum_k n_k / (2 n) log det(I + d / (n_k eps^2) Z Pi_k Z^T)."""
    (d, n), masses = Z.shape, membership.sum(axis=1)
    return sum(mass / (2 * n) * np.linalg.slogdet(np.eye(d) + d / (mass * eps**2) * (Z * share) @ Z.T)[1]
               for mass, share in zip(masses, membership))


def powers() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """64 tokens in 16 coordinates of standard deviations 0.01 to 10; one head, which holds all."""
    Z = np.random.default_rng(0).normal(size=(16, 64)) * np.geomspace(0.01, 10, 16)[:, None]
    return Z, np.ones((1, 64)), np.eye(16)[None]


def views_rate(Z: np.ndarray, membership: np.ndarray, U: np.ndarray, eps: float) -> float:
    """R^c of the heads' views: as `heads_rate` with p x p covariances of U_k^T Z, which holds for tokens in any position."""
    (d, n), total = Z.shape, 0.0
    for basis, share in zip(U, membership):
        W, mass = basis.T @ Z, share.sum()
        total += mass / (2 * n) * np.linalg.slogdet(np.eye(W.shape[0]) + d / (mass * eps**2) * (W * share) @ W.T)[1]
    return total


def _near_heads(rng: np.random.Generator, d: int, K: int, p: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Tokens (d, n), each of one head with a random covariance in it, and a little noise; heads (K, d, p)."""
    U = np.stack([np.linalg.qr(rng.normal(size=(d, p)))[0] for _ in range(K)])
    mixers = rng.normal(size=(K, p, p)) / p**0.5
    k = rng.integers(K, size=n)
    codes = np.einsum("npq,nq->np", mixers[k], rng.normal(size=(n, p)))
    return np.einsum("ndp,np->dn", U[k], codes) + 0.1 * rng.normal(size=(d, n)), U


def _membership(Z: np.ndarray, U: np.ndarray, sigma: float = 0.5) -> np.ndarray:
    logits = ((U.transpose(0, 2, 1) @ Z) ** 2).sum(axis=1) / (2 * sigma**2)
    odds = np.exp(logits - logits.max(axis=0))
    return odds / odds.sum(axis=0)


def descent(gradient: Callable, rate: Callable, step: float, eps: float, T: int = 20) -> tuple[list, list]:
    """T steps of size step n eps^2 / d with the first membership kept: the bound and the rate of the views, T + 1 of each."""
    Z, U = _near_heads(np.random.default_rng(3), d=32, K=8, p=4, n=64)
    membership, (d, n), bounds, rates = _membership(Z, U), Z.shape, [], []
    for _ in range(T + 1):
        bounds.append(float(rate(Z, membership, U, eps)))
        rates.append(views_rate(Z, membership, U, eps))
        Z = Z - step * n * eps**2 / d * np.asarray(gradient(Z, membership, U, eps))
    return bounds, rates


def planes(sigma: float, n: int = 2000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """n tokens (6, n) of three overlapping planes, signal 1 within and noise sigma, their labels, and the planes (3, 6, 2)."""
    rng = np.random.default_rng(0)
    U = np.stack([np.linalg.qr(rng.normal(size=(6, 2)))[0] for _ in range(3)])
    labels = rng.integers(3, size=n)
    return np.einsum("ndp,np->dn", U[labels], rng.normal(size=(n, 2))) + sigma * rng.normal(size=(6, n)), labels, U


def uneven_heads() -> dict[str, np.ndarray]:
    """Shares of one token in three planes of spectrum (4, 0.2) with noise of variance 0.3: Bayes' rule by densities, and eq:pi."""
    spectrum, eta, rng = np.array([4.0, 0.2]), 0.3, np.random.default_rng(0)
    while True:
        U = np.stack([np.linalg.qr(rng.normal(size=(6, 2)))[0] for _ in range(3)])
        z = U[0] @ (spectrum**0.5 * rng.normal(size=2)) + eta**0.5 * rng.normal(size=6)
        covariances = np.stack([basis * spectrum @ basis.T + eta * np.eye(6) for basis in U])
        logs = np.array([-z @ np.linalg.solve(S, z) / 2 - np.linalg.slogdet(S)[1] / 2 for S in covariances])
        printed = ((U.transpose(0, 2, 1) @ z) ** 2).sum(axis=1) / (2 * eta)
        true, printed = (np.exp(x - x.max()) / np.exp(x - x.max()).sum() for x in (logs, printed))
        if true.argmax() != printed.argmax() and min(true.max(), printed.max()) > 0.55:
            return {"Bayes' rule": true, "as printed": printed}


def products_over(count: Callable, tokens: list) -> np.ndarray:
    """Products of attention and of token statistics (2, number of lengths), d = 384 in six heads."""
    return np.stack([np.asarray(count(int(n), 384, 6, 64), dtype=float) for n in tokens], axis=1)


def descents(operator: Callable, rate: Callable, trials: int = 100, eps: float = 1.0, sigma: float = 0.5) -> dict[str, float]:
    """One step of token statistics of size n eps^2 / d on random tokens: in which part of the trials bounds and rates fall."""
    fell, cosines = np.zeros(4), []
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        Z, U = _near_heads(rng, d=12, K=3, p=4, n=32)
        new = Z + np.asarray(operator(Z, U, 32 * eps**2 / 12, eps, sigma))
        before, after = _membership(Z, U, sigma), _membership(new, U, sigma)
        bound = [float(rate(Z, before, U, eps)), float(rate(new, before, U, eps)), float(rate(new, after, U, eps))]
        true = [heads_rate(Z, before, eps), heads_rate(new, before, eps), heads_rate(new, after, eps)]
        fell += [bound[1] < bound[0], true[1] < true[0], bound[2] < bound[0], true[2] < true[0]]
        if seed < 8:
            cosines.append(_alignment(new - Z, Z, U, rate, eps, sigma))
    names = ("bound, membership fixed", "rate, membership fixed", "bound, membership follows", "rate, membership follows")
    return {**dict(zip(names, fell / trials)), "cosine with the full gradient, down": np.mean(cosines)}


def few_tokens(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Six tokens in five dimensions, very unequal coordinates, random memberships in three planes that overlap."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(5, 6)) * rng.exponential(size=(5, 1))
    membership = rng.exponential(size=(3, 6))
    return Z, membership / membership.sum(axis=0), np.stack([np.linalg.qr(rng.normal(size=(5, 2)))[0] for _ in range(3)])


def changes(gradient: Callable, rate: Callable, seed: int, eps: float = 0.1) -> dict[str, float]:
    """What one step of size n eps^2 / d changes, for `few_tokens`: bound and rate, to 3 decimals (a float32 answer gives no more)."""
    Z, membership, U = few_tokens(seed)
    new = Z - 6 * eps**2 / 5 * np.asarray(gradient(Z, membership, U, eps))
    return {"bound changes by": round(float(rate(new, membership, U, eps)) - float(rate(Z, membership, U, eps)), 3),
            "rate changes by": round(heads_rate(new, membership, eps) - heads_rate(Z, membership, eps), 3)}


def _alignment(step: np.ndarray, Z: np.ndarray, U: np.ndarray, rate: Callable, eps: float, sigma: float) -> float:
    """Cosine of the step with minus the gradient of the bound with its membership following, by central differences."""
    def bound(Z: np.ndarray) -> float:
        W, share = U.transpose(0, 2, 1) @ Z, _membership(Z, U, sigma)
        moments = np.einsum("kpn,kn->kp", W**2, share) / share.sum(axis=1)[:, None]
        return np.sum(share.sum(axis=1)[:, None] * np.log1p(len(Z) / eps**2 * moments)) / (2 * Z.shape[1])
    gradient = np.zeros_like(Z)
    for at in np.ndindex(*Z.shape):
        E = np.zeros_like(Z)
        E[at] = 1e-5
        gradient[at] = (bound(Z + E) - bound(Z - E)) / 2e-5
    return -np.sum(step * gradient) / np.linalg.norm(step) / np.linalg.norm(gradient)


def sureness() -> dict[str, float]:
    """Mean of a token's largest share: by eq:pi, and with coordinates scaled over the tokens, as published, at the first temperature."""
    Z, _, U = planes(0.35, n=256)
    W = U.transpose(0, 2, 1) @ Z
    scaled = np.exp((W**2 / (W**2).sum(axis=2, keepdims=True)).sum(axis=1))
    return {"as derived": np.asarray(tost.membership(Z, U, 0.35)).max(axis=0).mean(),
            "as published": (scaled / scaled.sum(axis=0)).max(axis=0).mean()}


# ListOps, Text, Retrieval, Image, Pathfinder, and the average as printed.
LONG_RANGE = {"Reformer": (37.27, 56.10, 53.40, 38.07, 68.50, 50.56), "BigBird": (36.05, 64.02, 59.29, 40.83, 74.87, 54.17),
              "LinFormer": (16.13, 65.90, 53.09, 42.34, 75.30, 50.46), "Performer": (18.01, 65.40, 53.82, 42.77, 77.05, 51.18),
              "Transformer": (37.11, 65.21, 79.14, 42.94, 71.83, 59.24), "ToST": (37.25, 66.75, 79.46, 46.62, 69.41, 59.90)}
