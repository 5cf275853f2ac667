"""Experiments of Part 3's first half: features without a network under cross-entropy, and features on chosen subspaces."""

import numpy as np


def free_features(steps: list[int], K: int = 4, N_k: int = 10, d: int = 16, seeds: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Gradient descent on cross-entropy plus weight decay where the features themselves are the parameters.

    Minimises cross-entropy(W Z + b) + (5e-4 ||Z||^2 + 5e-3 ||W||^2 + 1e-2 ||b||^2) / 2 over Z (d, N), W (K, d) and b (K,) with
    step size 4, all seeds at once. Returns the labels (N,), and Z after each number of `steps` (ascending),
    (len(steps), seeds, d, N).
    """
    rng, N = np.random.default_rng(0), K * N_k
    labels = np.repeat(np.arange(K), N_k)
    one_hot = np.eye(K)[:, labels]
    Z, W, b = 0.3 * rng.normal(size=(seeds, d, N)), 0.3 * rng.normal(size=(seeds, K, d)), np.zeros((seeds, K, 1))
    seen = []
    for step in range(steps[-1] + 1):
        if step in steps:
            seen.append(Z.copy())
        p = np.exp(W @ Z + b)
        p = (p / p.sum(axis=1, keepdims=True) - one_hot) / N  # the gradient in the logits
        Z, W, b = (Z - 4 * (W.swapaxes(1, 2) @ p + 5e-4 * Z), W - 4 * (p @ Z.swapaxes(1, 2) + 5e-3 * W),
                   b - 4 * (p.sum(axis=2, keepdims=True) + 1e-2 * b))
    return labels, np.array(seen)


def mean_cosines(Z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cosines between class means, measured from the mean of the class means: (..., K (K - 1) / 2) for features Z (..., d, N)."""
    means = np.stack([Z[..., labels == k].mean(axis=-1) for k in range(labels.max() + 1)], axis=-1)
    means = means - means.mean(axis=-1, keepdims=True)
    means = means / np.linalg.norm(means, axis=-2, keepdims=True)
    return (means.swapaxes(-1, -2) @ means)[(..., *np.triu_indices(means.shape[-1], 1))]


def on_subspaces(K: int, q: int, degrees: float, d: int = 16, N_k: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Unit features of K classes, evenly spread on subspaces of dimension q, and their labels: Z (d, K N_k) and (K N_k,).

    Any two of the subspaces have q principal angles, all of them `degrees`, from 0 (one and the same subspace) to 90. Needs
    q to divide N_k, and K q <= d.
    """
    c = np.cos(np.radians(degrees))
    values, vectors = np.linalg.eigh((1 - c) * np.eye(K) + c * np.ones((K, K)))
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T  # K unit columns with the cosine c
    basis = np.zeros((d, K, q))
    for i in range(q):
        basis[i * K:(i + 1) * K, :, i] = root
    Z = np.tile(basis, (1, 1, N_k // q)).reshape(d, K * N_k)
    return Z, np.repeat(np.arange(K), N_k)
