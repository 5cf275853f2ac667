"""The network of Chapter 3's Part 4: right where it is known, and trained on MNIST where there is a GPU (here a tiny one)."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from book_utils import data, diffusion
from book_utils.training import train
from chapters.ch03_denoising import experiments_learned, long_learned

KEY = jax.random.key(0)


def gaussian_posterior_mean(X, X_t, alpha, sigma):
    """For the Gaussian with the data's moments, by a dense solve in float64."""
    X, X_t = np.asarray(X, np.float64), np.asarray(X_t, np.float64)
    mean, C = X.mean(axis=1, keepdims=True), np.cov(X, bias=True)
    return mean + alpha * C @ np.linalg.solve(alpha**2 * C + sigma**2 * np.eye(len(X)), X_t - alpha * mean)


def test_its_linear_part_is_the_posterior_mean_of_a_gaussian():
    X, X_test = experiments_learned.split_digits()
    assert X.shape == (64, 1500) and X_test.shape == (64, 297)
    network = experiments_learned.Denoiser(KEY, X, width=8)
    X_t = 0.8 * X_test[:, :20] + 0.6 * jax.random.normal(KEY, (64, 20))
    np.testing.assert_allclose(network.linear(X_t, 0.8, 0.6), gaussian_posterior_mean(X, X_t, 0.8, 0.6), atol=1e-4)
    np.testing.assert_allclose(network(X_t, 0.0, 1.0).mean(), X.mean(), atol=0.2)  # defined where x_t is noise alone
    one_by_one = jnp.concatenate([network(X_t[:, [i]], 0.8, 0.6) for i in range(20)], axis=1)
    np.testing.assert_allclose(network(X_t, jnp.full(20, 0.8), jnp.full(20, 0.6)), one_by_one, atol=1e-5)


def test_what_is_known_of_the_data_is_not_trained():
    X = experiments_learned.split_digits()[0]
    start = experiments_learned.Denoiser(KEY, X, width=8)
    network, losses = train(experiments_learned.weighted_loss, start, KEY, 20, optax.adam(1e-2), X, 32)
    for name in ("mean", "V", "lams"):
        assert np.array_equal(getattr(network, name), getattr(start, name))
    assert not np.array_equal(network.layers.layers[0].weight, start.layers.layers[0].weight) and np.isfinite(losses).all()


def test_the_same_for_mnist_with_small_sizes():
    pairs = experiments_learned.mnist_samples(KEY, M=3, L=2, N=50, width=16, depth=1, steps=5, batch=8)
    assert pairs.shape == (784, 6) and np.isfinite(pairs).all()
    X = np.asarray(data.mnist()[0][:, :50])
    for new, nearest in zip(np.asarray(pairs).T[:3], np.asarray(pairs).T[3:]):
        np.testing.assert_array_equal(nearest, X[:, np.linalg.norm(X - new[:, None], axis=0).argmin()])


def test_the_true_planes_make_the_best_denoiser():
    best, X = long_learned._planes(0)
    X_t = np.asarray(0.9 * X[:, :50] + np.sqrt(0.19) * jax.random.normal(KEY, (8, 50)), np.float64)
    covariances = [0.81 * U @ U.T + 0.19 * np.eye(8) for U in np.asarray(best.Us, np.float64)]
    weights = np.exp([-(X_t * np.linalg.solve(S, X_t)).sum(axis=0) / 2 for S in covariances])
    means = [0.9 * U @ U.T @ np.linalg.solve(S, X_t) for U, S in zip(np.asarray(best.Us, np.float64), covariances)]
    expected = sum(w * mean for w, mean in zip(weights / weights.sum(axis=0), means))
    np.testing.assert_allclose(best(jnp.asarray(X_t, jnp.float32), 0.9, np.sqrt(0.19)), expected, atol=1e-4)


def test_all_targets_are_the_same_prediction():
    """A network that puts out what it is asked for denoises perfectly, whatever the target."""
    X, G, alpha, sigma = np.ones((4, 3)), np.arange(12.0).reshape(4, 3), 0.8, 0.6
    X_t = alpha * X + sigma * G
    for target in ("denoised", "noise", "velocity"):
        network = long_learned.Perceptron(KEY, 4, 5, target)
        wanted = network.wanted(X, G, alpha, sigma)
        np.testing.assert_allclose(network.denoised(wanted, X_t, alpha, sigma), X, atol=1e-6)
        assert network(jnp.asarray(X_t, jnp.float32), alpha, sigma).shape == (4, 3)
    np.testing.assert_allclose(wanted, diffusion.velocity_from_denoised(X_t, X, alpha, sigma, -sigma, alpha), atol=1e-5)
