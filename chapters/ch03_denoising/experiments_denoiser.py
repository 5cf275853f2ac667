"""The posterior means of Gaussian models of digits, behind the last section of Part 2's first half. Float64, in NumPy."""

import numpy as np

from chapters.ch02_linear_independent.experiments_power import TRAIN, split_digits

LEVELS = [0.1, 0.25, 0.5, 1.0]  # standard deviations of the noise; those of Chapter 2, so that its networks can be compared


def class_mixture(X: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One Gaussian for each label, with its share, mean and covariance in X (D, N): (K,), (K, D), (K, D, D)."""
    classes = [X[:, labels == k] for k in np.unique(labels)]
    return (np.array([A.shape[1] for A in classes]) / X.shape[1], np.array([A.mean(axis=1) for A in classes]),
            np.array([np.cov(A, bias=True) for A in classes]))


def splits(X: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chapter 2's three splits of the digits: clean (3, D, N), noisy (3, levels, D, N) and labels (3, N).

    The first TRAIN columns are for training, the others for testing.
    """
    clean, noisy = split_digits(X, LEVELS)
    return clean, noisy, split_digits(labels[None], LEVELS)[0][:, 0]  # the same permutations: they are drawn first


def digit_errors(X: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared errors per test image (3, levels, 3) of the posterior means of one Gaussian, of ten, and of the training images.

    And the fraction of test images (3, levels) whose digit has the largest of the ten responsibilities.
    """
    errors, named = np.zeros((3, len(LEVELS), 3)), np.zeros((3, len(LEVELS)))
    for i, (clean, noisy, label) in enumerate(zip(*splits(X, labels))):
        known, target = clean[:, :TRAIN], clean[:, TRAIN:]
        one, ten = (_factored(*class_mixture(known, which)) for which in (np.zeros(TRAIN), label[:TRAIN]))
        for j, t in enumerate(LEVELS):
            Y = noisy[j, :, TRAIN:]
            guess, _ = _posterior_mean(*one, Y, t)
            guesses, r = _posterior_mean(*ten, Y, t)
            w = _softmax((known.T @ Y - (known**2).sum(axis=0)[:, None] / 2) / t**2)
            errors[i, j] = [((m - target) ** 2).sum(axis=0).mean() for m in (guess, guesses, known @ w)]
            named[i, j] = (r.argmax(axis=0) == label[TRAIN:]).mean()
    return errors, named


def _factored(pi: np.ndarray, mus: np.ndarray, Sigmas: np.ndarray) -> tuple:
    lams, W = np.linalg.eigh(Sigmas)
    return pi, mus, lams.clip(0), W


def _posterior_mean(pi, mus, lams, W, X_t: np.ndarray, t: float) -> tuple[np.ndarray, np.ndarray]:
    """Posterior means (D, M) and responsibilities (K, M) for the columns of X_t."""
    c = np.swapaxes(W, 1, 2) @ (X_t - mus[:, :, None])
    spread = (lams + t**2)[:, :, None]
    r = _softmax(np.log(pi)[:, None] - np.log(spread).sum(axis=1) / 2 - (c**2 / spread).sum(axis=1) / 2)
    guesses = mus[:, :, None] + W @ (lams[:, :, None] / spread * c)
    return np.einsum("km,kdm->dm", r, guesses), r


def _softmax(logs: np.ndarray) -> np.ndarray:
    w = np.exp(logs - logs.max(axis=0))
    return w / w.sum(axis=0)
