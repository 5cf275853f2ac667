"""Denoisers that are trained: the network of Part 4 for images, its loss, and samples from it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from book_utils import data, diffusion, neighbors, training


class Denoiser(eqx.Module):
    """denoiser(X_t, alpha, sigma) -> (D, M): the best linear denoiser, and a network for what it leaves over.

    In the eigenbasis of the data's covariance every direction has the three factors of `ch03.preconditioning`: the network
    meets numbers of variance 1 and is asked for numbers of variance 1, at every noise level. alpha, sigma: numbers or (M,).
    """

    layers: eqx.nn.MLP
    mean: jax.Array  # (D, 1)
    V: jax.Array  # (D, D), eigenvectors
    lams: jax.Array  # (D, 1), eigenvalues
    scale: float = eqx.field(static=True)

    def __init__(self, key: jax.Array, X: jax.Array, width: int = 256, depth: int = 2) -> None:
        X = np.asarray(X, np.float64)
        lams, V = np.linalg.eigh(np.cov(X, bias=True))
        facts = X.mean(axis=1, keepdims=True), V, np.maximum(lams, 0)[:, None]
        self.mean, self.V, self.lams = (jnp.asarray(fact, jnp.float32) for fact in facts)
        self.scale = float(np.sqrt(lams.mean()))
        self.layers = eqx.filter_jit(lambda key: eqx.nn.MLP(len(X) + 8, len(X), width, depth, jax.nn.silu, key=key))(key)

    def __call__(self, X_t: jax.Array, alpha: jax.Array, sigma: jax.Array) -> jax.Array:
        mean, V, lams = jax.lax.stop_gradient((self.mean, self.V, self.lams))  # of the data: not trained
        size = jnp.sqrt(alpha**2 * lams + sigma**2 + 1e-12)
        Y = V.T @ (X_t - alpha * mean)
        left = jax.vmap(self.layers, 1, 1)(jnp.concatenate([Y / size, self._level(alpha, sigma, X_t.shape[1])]))
        return mean + V @ (alpha * lams / size**2 * Y + sigma * jnp.sqrt(lams) / size * left)

    def _level(self, alpha: jax.Array, sigma: jax.Array, M: int) -> jax.Array:
        """The noise level for the network: four cosines and four sines of log(sigma / (alpha scale)), (8, M)."""
        angle = jnp.clip(jnp.arctan2(sigma, alpha * self.scale), 1e-3, jnp.pi / 2 - 1e-3)
        waves = jnp.arange(1, 5)[:, None] / 4 * jnp.log(jnp.tan(angle))
        return jnp.broadcast_to(jnp.concatenate([jnp.cos(waves), jnp.sin(waves)]), (8, M))

    def linear(self, X_t: jax.Array, alpha: jax.Array, sigma: jax.Array) -> jax.Array:
        """The best linear denoiser alone."""
        Y = self.V.T @ (X_t - alpha * self.mean)
        return self.mean + self.V @ (alpha * self.lams / (alpha**2 * self.lams + sigma**2) * Y)


def weighted_loss(network: Denoiser, X: jax.Array, key: jax.Array) -> jax.Array:
    """The loss of a batch X (D, N): a noise and a noise level for every sample, weight alpha^2 / sigma^2. VP."""
    first, second = jax.random.split(key)
    rho = network.scale * jnp.tan(jax.random.uniform(first, X.shape[1:], minval=1e-3, maxval=jnp.pi / 2 - 1e-3))
    alpha = 1 / jnp.sqrt(1 + rho**2)
    X_bar = network(alpha * (X + rho * jax.random.normal(second, X.shape)), alpha, rho * alpha)
    return (((X_bar - X) ** 2).sum(axis=0) / rho**2).mean()


@eqx.filter_jit
def denoise(network: Denoiser, X_t: jax.Array, alpha: jax.Array, sigma: jax.Array) -> jax.Array:
    """network(X_t, alpha, sigma), compiled; alpha, sigma: arrays (M,)."""
    return network(jnp.asarray(X_t, jnp.float32), jnp.asarray(alpha, jnp.float32), jnp.asarray(sigma, jnp.float32))


def split_digits() -> tuple[jax.Array, jax.Array]:
    """1,500 digits (64, 1500) to train with, shuffled, and the other 297."""
    X = data.digits()[0]
    X = X[:, np.random.default_rng(0).permutation(X.shape[1])]
    return X[:, :1500], X[:, 1500:]


def sample(key: jax.Array, denoiser: diffusion.Denoiser, D: int, M: int, L: int, scale: float) -> jax.Array:
    """M samples (D, M) in L steps of DDIM along VP, at equal angles for data of that standard deviation."""
    times = diffusion.equal_angle_times(scale**2, 1.0, L, diffusion.VP)
    return diffusion.ddim(denoiser, jax.random.normal(key, (D, M)), times, diffusion.VP)


def beside_nearest(X: jax.Array, X_new: jax.Array) -> np.ndarray:
    """The columns of X_new (D, M), then the column of X (D, N) nearest to each: (D, 2 M)."""
    nearest = neighbors.nearest(X, X_new, 1)[1][0]
    return np.concatenate([X_new, np.asarray(X)[:, nearest]], axis=1)


def mnist_samples(key: jax.Array, M: int = 12, L: int = 50, N: int = 5000, width: int = 2048, depth: int = 4,
                  steps: int = 20_000, batch: int = 512) -> np.ndarray:
    """The same for N of the MNIST digits, 28 x 28 pixels: M samples and the training image nearest to each, (784, 2 M).

    For a GPU; on a CPU it would take hours.
    """
    keys = jax.random.split(key, 3)
    X = data.mnist()[0][:, :N]
    optimiser = optax.adam(optax.cosine_decay_schedule(5e-4, steps))
    network, _ = training.train(weighted_loss, Denoiser(keys[0], X, width, depth), keys[1], steps, optimiser, X, batch)
    return beside_nearest(X, sample(keys[2], network, len(X), M, L, network.scale))
