"""Digits and a small network, trained for rate reduction or for cross-entropy: what Part 4's first half shows and doubts."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from book_utils import coding, data, training

EPS = float(np.sqrt(0.5))  # the distortion of all experiments; sqrt(1/2) is customary for features of length 1
OPTIMISER = optax.adam(3e-3)
BATCH = 400


class Network(eqx.Module):
    """A perceptron 64 -> 128 -> 128 -> 32 whose output is the feature, and a linear head of K scores on top of it."""

    layers: eqx.nn.MLP
    head: eqx.nn.Linear

    def __init__(self, key: jax.Array, K: int = 10, D: int = 64, d: int = 32, width: int = 128) -> None:
        first, second = jax.random.split(key)
        self.layers = eqx.nn.MLP(D, d, width, 2, jax.nn.relu, key=first)
        self.head = eqx.nn.Linear(d, K, key=second)

    def __call__(self, X: jax.Array) -> jax.Array:
        """Features (d, N), as they come."""
        return jax.vmap(self.layers, 1, 1)(X)

    def logits(self, F: jax.Array) -> jax.Array:
        """Scores (K, N) of features (d, N)."""
        return self.head.weight @ F + self.head.bias[:, None]


def unit(F: jax.Array) -> jax.Array:
    """The columns of F (..., d, N) at length 1; safe for gradients at 0."""
    return F / jnp.sqrt(jnp.sum(F**2, axis=-2, keepdims=True) + 1e-12)


def cross_entropy(logits: jax.Array, membership: jax.Array) -> jax.Array:
    return -jnp.mean(jnp.sum(membership * jax.nn.log_softmax(logits, axis=0), axis=0))


def entropy_loss(network: Network, part: tuple, key: jax.Array) -> jax.Array:
    """Cross-entropy of the head on the features as they come: the usual way. part: X (64, N) and one-hot membership (K, N)."""
    X, membership = part
    return cross_entropy(network.logits(network(X)), membership)


def rate_loss(network: Network, part: tuple, key: jax.Array, eps: float = EPS) -> jax.Array:
    """Minus the rate reduction of the features at length 1. The head learns by cross-entropy on them, without moving them."""
    X, membership = part
    Z = unit(network(X))
    still = jax.lax.stop_gradient(jnp.sqrt(1.0 * len(Z)) * Z)  # entries of size 1, as the head expects
    return -coding.rate_reduction(Z, membership, eps) + cross_entropy(network.logits(still), membership)


def one_hot(labels: np.ndarray, K: int = 10) -> np.ndarray:
    return np.eye(K, dtype=np.float32)[:, labels]


def split_digits(seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Digits shuffled by that seed: (X, labels) of 1,000 to train with, 200 to choose with, 597 to test with."""
    X, labels = (np.asarray(part) for part in data.digits())
    order = np.random.default_rng(seed).permutation(len(labels))
    return [(X[:, part], labels[part]) for part in np.split(order, [1000, 1200])]


def both_losses(networks: tuple[Network, Network], part: tuple, key: jax.Array) -> jax.Array:
    """The two losses of two networks, added: as they share no parameter, each is trained as if it were alone."""
    return rate_loss(networks[0], part, key) + entropy_loss(networks[1], part, key)


def _drawn(rng: np.random.Generator) -> Network:
    """A network with random parameters from NumPy: jax.random would compile for two seconds."""
    draw = lambda leaf: jnp.asarray(rng.uniform(-1, 1, leaf.shape) / np.sqrt(leaf.shape[-1]), jnp.float32)
    shell = eqx.filter_eval_shape(Network, jax.random.key(0))
    return jax.tree.map(lambda leaf: draw(leaf) if isinstance(leaf, jax.ShapeDtypeStruct) else leaf, shell)


def trained(steps: int, seed: int = 0) -> tuple[Network, Network]:
    """Networks trained for rate reduction and for cross-entropy, from one start, after so many steps on batches of digits.

    The same seed walks the same path, whatever `steps`."""
    (X, labels), _, _ = split_digits(seed)
    network = _drawn(np.random.default_rng(seed))
    return training.train(both_losses, (network, network), jax.random.key(seed), steps, OPTIMISER, (X, one_hot(labels)), BATCH)[0]


@eqx.filter_jit
def _features(network: Network, X: jax.Array) -> jax.Array:
    return unit(network(X))


def features(network: Network, X: np.ndarray) -> np.ndarray:
    """Features (32, N) of length 1 of the images X (64, N)."""
    return np.asarray(_features(network, X))


def principal_images(U: np.ndarray, Z: np.ndarray, X: np.ndarray, n: int) -> np.ndarray:
    """The n columns of X whose features Z have the largest |u^T z|, for every direction u in turn: (D, directions * n)."""
    strongest = np.argsort(-np.abs(np.asarray(U).T @ Z), axis=1, kind="stable")[:, :n]
    return np.asarray(X)[:, strongest.ravel()]


def rates(Z: np.ndarray, labels: np.ndarray, eps: float = EPS) -> tuple[float, float, float]:
    """R, R^c and their difference for features Z (d, N), in nats. In NumPy: two functions of `coding` at two shapes would compile
    for three seconds, on a page that calls this ten times."""
    def rate(part: np.ndarray) -> float:
        d, N = part.shape
        return np.linalg.slogdet(np.eye(d) + d / (N * eps**2) * part @ part.T)[1] / 2
    whole, inside = rate(Z), sum((labels == k).mean() * rate(Z[:, labels == k]) for k in np.unique(labels))
    return whole, inside, whole - inside
