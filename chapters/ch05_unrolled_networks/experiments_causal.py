"""Sequences of tokens and operators on them, prefix by prefix: what Part 4's last sections show."""

from collections.abc import Callable

import numpy as np


def _softmax(scores: np.ndarray) -> np.ndarray:
    """Down columns; columns of -inf alone come out as NaN."""
    odds = np.exp(scores - scores.max(axis=-2, keepdims=True))
    return odds / odds.sum(axis=-2, keepdims=True)


HEADS = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0].reshape(6, 3, 2).transpose(1, 0, 2)  # (K, d, p)


def sequence(n: int = 8) -> np.ndarray:
    """n tokens (6, n) of some length."""
    return np.random.default_rng(1).normal(size=(6, 12))[:, :n]


def prefix_runs(operator: Callable, Z: np.ndarray) -> np.ndarray:
    """(n, d, n): the operator's output on the first 1, ..., n tokens, zeros where there is none."""
    n = Z.shape[1]
    outputs = [np.asarray(operator(Z[:, :i])) for i in range(1, n + 1)]
    runs = np.zeros((n, len(outputs[0]), n))
    for i, output in enumerate(outputs):
        runs[i, :, : i + 1] = output
    return runs


def attention(Z: np.ndarray, U: np.ndarray = HEADS, eps: float = 1.0) -> np.ndarray:
    """MSSA(Z | U), of Part 3."""
    W = U.transpose(0, 2, 1) @ Z
    return U.shape[2] / (Z.shape[1] * eps**2) * (U @ W @ _softmax(W.transpose(0, 2, 1) @ W)).sum(axis=0)


def statistics(Z: np.ndarray) -> np.ndarray:
    """TSSA(Z | U) with tau = eps = 1 and sigma = 1 / 2."""
    W = HEADS.transpose(0, 2, 1) @ Z
    odds = np.exp(2 * (W**2).sum(axis=1))
    share = (odds / odds.sum(axis=0))[:, None]
    moments = (share * W**2).sum(axis=2, keepdims=True) / share.sum(axis=2, keepdims=True)
    return -(HEADS @ (6 / (1 + 6 * moments) * W * share)).sum(axis=0) / Z.shape[1]


def sparsification(Z: np.ndarray) -> np.ndarray:
    """ISTA with D = HEADS side by side, eta = 1 and lam = 0.1: each token by itself."""
    D = HEADS.transpose(1, 0, 2).reshape(6, 6)
    return np.maximum(Z - D.T @ (D @ Z - Z) - 0.1, 0)


OPERATORS = {"attention": attention, "token statistics": statistics, "ISTA": sparsification}


def printed_factor(Z: np.ndarray) -> np.ndarray:
    """Causal compression with kappa = 0.1 and eps = 1, but p / N in place of p / i."""
    n = Z.shape[1]
    W = HEADS.transpose(0, 2, 1) @ Z
    mask = np.where(np.arange(n)[:, None] <= np.arange(n), 0.0, -np.inf)
    alpha = 2 / n
    return (1 - 0.1 * alpha) * Z + 0.1 * alpha**2 * (HEADS @ W @ _softmax(W.transpose(0, 2, 1) @ W + mask)).sum(axis=0)


def printed_mask(Z: np.ndarray) -> np.ndarray:
    """Attention whose mask lets through what stands on and below the diagonal."""
    n = Z.shape[1]
    W = HEADS.transpose(0, 2, 1) @ Z
    mask = np.where(np.arange(n)[:, None] >= np.arange(n), 0.0, -np.inf)
    return (HEADS @ W @ _softmax(W.transpose(0, 2, 1) @ W + mask)).sum(axis=0)


def published_statistics(Z: np.ndarray, causal: bool = False) -> np.ndarray:
    """What the published networks add per head coordinate, (6, n): each coordinate divided by its length before the membership."""
    squares = (HEADS.transpose(0, 2, 1) @ Z) ** 2
    so_far = (lambda x: np.cumsum(x, axis=-1)) if causal else (lambda x: np.sum(x, axis=-1, keepdims=True))
    odds = np.exp(np.sum(squares / so_far(squares), axis=1))
    share = odds / odds.sum(axis=0)
    moments = so_far(share[:, None] * squares) / so_far(share)[:, None]
    return (-share[:, None] * (HEADS.transpose(0, 2, 1) @ Z) / (1 + moments)).reshape(6, -1)


def influence(operator: Callable, Z: np.ndarray) -> np.ndarray:
    """(n, n): by how much output i (row) moves, in length, when token j (column) is replaced; as a share of the largest move."""
    n, before = Z.shape[1], np.asarray(operator(Z))
    moves = np.zeros((n, n))
    for j in range(n):
        other = Z.copy()
        other[:, j] = np.random.default_rng(j + 2).normal(size=len(Z))
        moves[:, j] = np.linalg.norm(np.asarray(operator(other)) - before, axis=0)
    return np.maximum(moves / moves.max(), 1e-9)


def products_per_token(i: np.ndarray, d: int, K: int) -> dict[str, np.ndarray]:
    """Multiplications for token number i, by the ways of the lesson; heads have d / K dimensions."""
    p, i = d // K, np.asarray(i, dtype=float)
    return {"attention, no cache": K * (d * p * i + d * p + 2 * p * i), "attention, cache": K * (2 * d * p + 2 * p * i),
            "token statistics": K * (2 * d * p + 4 * p) + 0 * i}


def many_tokens(n: int = 64) -> tuple[np.ndarray, np.ndarray, float]:
    """Tokens (16, n) at length 1, four heads of four dimensions that make up the space, and a distortion at which alpha is 1."""
    rng = np.random.default_rng(3)
    U = np.linalg.qr(rng.normal(size=(16, 16)))[0].reshape(16, 4, 4).transpose(1, 0, 2)
    Z = rng.normal(size=(16, n))
    return Z / np.linalg.norm(Z, axis=0), U, (4 / n) ** 0.5


def attention_rates(Z: np.ndarray, U: np.ndarray, kappa: float, eps: float, T: int, residual: float | None = None) -> np.ndarray:
    """R_c before and after each of T steps of attention, residual * Z + kappa alpha MSSA(Z); residual: 1 - kappa alpha if None."""
    rates = []
    for _ in range(T + 1):
        alpha = U.shape[2] / (Z.shape[1] * eps**2)
        W = U.transpose(0, 2, 1) @ Z
        rates.append(np.linalg.slogdet(np.eye(U.shape[2]) + alpha * W @ W.transpose(0, 2, 1))[1].sum() / 2)
        Z = (1 - kappa * alpha if residual is None else residual) * Z + kappa * alpha * attention(Z, U, eps)
    return np.array(rates)
