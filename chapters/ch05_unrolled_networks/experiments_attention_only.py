"""What the figures of the attention-only transformer need: tokens near subspaces, and a plain softmax layer."""

import numpy as np

from book_utils import attention_only


def near_subspaces(delta: float, p: int = 32, K: int = 3, n: int = 60, seed: int = 0) -> tuple:
    """Tokens (K p, n) of the mixture, labels (n,) and the bases (K, d, p), which are blocks of the identity."""
    rng, d = np.random.default_rng(seed), K * p
    labels = np.arange(n) % K
    Z = np.concatenate([rng.normal(size=(p, n)) * np.where(labels == k, 1.0, delta) for k in range(K)])
    return Z, labels, np.eye(d).reshape(d, K, p).transpose(1, 0, 2)


def softmax_layer(Z: np.ndarray, U: np.ndarray, eta: float, temperature: float = 1.0) -> np.ndarray:
    """Z + eta sum_k U_k W_k softmax(W_k^T W_k / temperature), W_k = U_k^T Z."""
    new = np.array(Z, dtype=float)
    for B in U:
        W = B.T @ Z
        scores = W.T @ W / temperature
        weights = np.exp(scores - scores.max(axis=0))
        new += eta * B @ (W @ (weights / weights.sum(axis=0)))
    return new


def mean_snr(layer, Z, labels, U, L: int, snr=attention_only.token_snr) -> np.ndarray:
    """The mean SNR of the classes before and after each of L layers, (L + 1,)."""
    means = [np.mean(np.asarray(snr(Z, labels, U)))]
    for _ in range(L):
        Z = np.asarray(layer(Z))
        means.append(np.mean(np.asarray(snr(Z, labels, U))))
    return np.array(means)
