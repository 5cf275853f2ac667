"""Networks that unroll sparse coding, trained against others: what the Doubt of Part 4 says of LISTA and of sparse autoencoders.

Each public function is run by `book build --long`; on one core the first takes about three minutes, the second one.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

SEEDS = 3


class ISTAStep(eqx.Module):
    """One step of ISTA on codes Z (m, N), with a dictionary, a step size and a threshold of its own."""

    A: jax.Array
    eta: jax.Array
    threshold: jax.Array

    def __call__(self, X: jax.Array, Z: jax.Array) -> jax.Array:
        G = Z - 2 * self.eta * self.A.T @ (self.A @ Z - X)
        return jnp.sign(G) * jax.nn.relu(jnp.abs(G) - self.threshold)


class LISTA(eqx.Module):
    """Codes (m, N) of X (D, N) after the steps, from zero; with `equivariant`, of X's columns at length 1, rescaled after."""

    steps: tuple[ISTAStep, ...]
    equivariant: bool = eqx.field(static=True)

    def __call__(self, X: jax.Array) -> jax.Array:
        scale = jnp.linalg.norm(X, axis=0) if self.equivariant else 1.0
        Z = jnp.zeros((self.steps[0].A.shape[1], X.shape[1]))
        for step in self.steps:
            Z = step(X / scale, Z)
        return Z * scale


class Perceptron(eqx.Module):
    """A network with ReLU between its layers, on columns."""

    layers: eqx.nn.MLP

    def __call__(self, X: jax.Array) -> jax.Array:
        return jax.vmap(self.layers, 1, 1)(X)


def planted(key: jax.Array, A: jax.Array, N: int, k: int, sigma: float = 0.0) -> tuple[jax.Array, jax.Array]:
    """X = A Z + sigma noise (D, N) and codes Z (m, N) with k standard normal entries a column, at random places."""
    places, values, noise = jax.random.split(key, 3)
    rank = jax.random.uniform(places, (A.shape[1], N)).argsort(axis=0).argsort(axis=0)
    Z = jnp.where(rank < k, jax.random.normal(values, rank.shape), 0)
    return A @ Z + sigma * jax.random.normal(noise, (A.shape[0], N)), Z


def unit_columns(key: jax.Array, D: int, m: int) -> jax.Array:
    """A random dictionary (D, m) with atoms of length 1."""
    A = jax.random.normal(key, (D, m))
    return A / jnp.linalg.norm(A, axis=0)


def trained(network: eqx.Module, loss: Callable, key: jax.Array, N: int, rate: jax.Array, steps: int, batch: int) -> eqx.Module:
    """`network` after Adam with a cosine schedule from `rate` on loss(network, chosen), chosen: `batch` of N columns."""
    parameters, static = eqx.partition(network, eqx.is_array)
    optimiser = optax.adam(lambda t: rate * 0.5 * (1 + jnp.cos(jnp.pi * t / steps)))

    def step(state: tuple, key: jax.Array) -> tuple:
        parameters, memory = state
        chosen = jax.random.randint(key, (batch,), 0, N)
        gradient = jax.grad(lambda p: loss(eqx.combine(p, static), chosen))(parameters)
        update, memory = optimiser.update(gradient, memory)
        return (optax.apply_updates(parameters, update), memory), None

    (parameters, _), _ = jax.lax.scan(step, (parameters, optimiser.init(parameters)), jax.random.split(key, steps))
    return eqx.combine(parameters, static)


def decibel(found: jax.Array, Z: jax.Array) -> jax.Array:
    """Squared error of the codes, relative to their squares, in dB: -10 is a tenth."""
    return 10 * jnp.log10(((found - Z) ** 2).sum() / (Z**2).sum())


def lista_against_networks() -> dict:
    """Errors of codes in dB, (methods, seeds, tests): five layers of LISTA, two perceptrons, and ISTA that knows the dictionary.

    D = 16, m = 32 random atoms, codes with 3 nonzeros. 3,000 steps of Adam on batches of 128, for every network on the same
    samples: 20,000 or only 200. The better of two rates, and the better lam of ISTA, on 2,000 other samples. Tests: the same
    law; 6 nonzeros; noise 0.1; inputs and codes times ten.
    """
    D, m, L = 16, 32, 5
    rates, lams = jnp.array([1e-3, 4e-3]), jnp.array([0.003, 0.01, 0.03, 0.1, 0.2, 0.4, 0.8])

    def start(name: str, A: jax.Array, key: jax.Array) -> eqx.Module:
        if "perceptron" in name:
            width, depth = (256, 2) if "large" in name else (52, 1)
            return Perceptron(eqx.nn.MLP(D, m, width, depth, key=key))
        eta = 0.5 / jnp.linalg.norm(A, 2) ** 2
        As = jax.random.normal(key, (L, D, m)) / 4 if "random" in name else jnp.stack([A] * L)
        return LISTA(tuple(ISTAStep(As[i], eta, jnp.array(0.05)) for i in range(L)), "equivariant" in name)

    def one(name: str, n: int, seed: int) -> list[float]:
        keys = jax.random.split(jax.random.key(seed), 8)
        A = unit_columns(keys[0], D, m)
        X, Z = planted(keys[1], A, n, 3)
        valid = planted(keys[2], A, 2000, 3)
        clean = planted(keys[3], A, 4000, 3)
        tests = [clean, planted(keys[4], A, 4000, 6), planted(keys[5], A, 4000, 3, 0.1), (10 * clean[0], 10 * clean[1])]
        if name.startswith("ISTA"):
            networks = [LISTA((ISTAStep(A, eta := 0.5 / jnp.linalg.norm(A, 2) ** 2, eta * lam),) * int(name.split()[1]), False)
                        for lam in lams]
            if name == "ISTA 1000":
                networks = [Repeated(network.steps[0], 1000) for network in networks]
        else:
            loss = lambda network, chosen: ((network(X[:, chosen]) - Z[:, chosen]) ** 2).sum() / len(chosen)
            run = eqx.filter_jit(lambda rate: trained(start(name, A, keys[6]), loss, keys[7], n, rate, 3000, 128))
            networks = [run(rate) for rate in rates]
        best = min(networks, key=lambda network: float(decibel(network(valid[0]), valid[1])))
        return [float(decibel(best(X), Z)) for X, Z in tests]

    rows = [("LISTA from the true A", 20_000), ("LISTA, equivariant, from the true A", 20_000), ("LISTA from a random A", 20_000),
            ("perceptron", 20_000), ("perceptron, large", 20_000), ("LISTA from the true A", 200), ("LISTA from a random A", 200),
            ("perceptron, large", 200), ("ISTA 5", 200), ("ISTA 1000", 200)]
    return {"methods": [name for name, _ in rows], "samples": [0 if name.startswith("ISTA") else n for name, n in rows],
            "numbers": [0 if name[:5] == "ISTA " else _size(start(name, jnp.eye(D, m), jax.random.key(0))) for name, _ in rows],
            "tests": ["same law", "6 nonzeros", "noise 0.1", "times ten"],
            "error": [[one(name, n, seed) for seed in range(SEEDS)] for name, n in rows]}


class Repeated(eqx.Module):
    """The same step of ISTA, T times."""

    step: ISTAStep
    T: int = eqx.field(static=True)

    def __call__(self, X: jax.Array) -> jax.Array:
        start = jnp.zeros((self.step.A.shape[1], X.shape[1]))
        return jax.lax.fori_loop(0, self.T, lambda _, Z: self.step(X, Z), start)


def _size(network: eqx.Module) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(network, eqx.is_array)))


def sparse_autoencoder_window() -> dict:
    """Share of planted features that sparse autoencoders find, for several lam: (settings, lams, seeds), and their nonzeros.

    D = 32, m = 64 features, nonnegative codes between 0.5 and 1.5 at k random places, or in two random pairs of features that
    are always present together. 20,000 samples, 3,000 steps of Adam on batches of 128 from random weights, decoder columns of
    length 1. A feature is found if some column of the decoder has cosine above 0.9 with it.
    """
    D, m, N = 32, 64, 20_000
    lams = jnp.array([0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6])

    def one(lam: jax.Array, key: jax.Array, tied: bool, k: int, pairs: bool) -> tuple[jax.Array, jax.Array]:
        keys = jax.random.split(key, 6)
        A = unit_columns(keys[0], D, m)
        places = jax.random.uniform(keys[1], (m // 2 if pairs else m, N))
        rank = places.argsort(axis=0).argsort(axis=0)
        present = jnp.repeat(rank < k // 2, 2, axis=0) if pairs else rank < k
        X = A @ jnp.where(present, 0.5 + jax.random.uniform(keys[2], (m, N)), 0)
        decoder = unit_columns(keys[3], D, m)
        network = {"decoder": decoder, "encoder": decoder.T, "before": jnp.zeros((D, 1)), "after": jnp.zeros((m, 1))}

        def codes(network: dict, X: jax.Array) -> tuple[jax.Array, jax.Array]:
            decoder = network["decoder"] / jnp.linalg.norm(network["decoder"], axis=0)
            encoder = decoder.T if tied else network["encoder"]
            return jax.nn.relu(encoder @ (X - network["before"]) + network["after"]), decoder

        def loss(network: dict, chosen: jax.Array) -> jax.Array:
            Z, decoder = codes(network, X[:, chosen])
            return (((X[:, chosen] - decoder @ Z - network["before"]) ** 2).sum() + lam * Z.sum()) / len(chosen)

        Z, decoder = codes(trained(network, loss, keys[4], N, 4e-3, 3000, 128), X[:, :2000])
        return ((A.T @ decoder).max(axis=1) > 0.9).mean(), (Z > 1e-3).sum(axis=0).mean()

    settings = {"untied, 3 at once": (False, 3, False), "tied, 3 at once": (True, 3, False),
                "untied, 8 at once": (False, 8, False), "untied, two pairs": (False, 4, True)}
    keys = jax.random.split(jax.random.key(0), SEEDS)
    every = [jax.jit(jax.vmap(jax.vmap(lambda lam, key, how=how: one(lam, key, *how), (None, 0)), (0, None)))(lams, keys)
             for how in settings.values()]
    return {"settings": list(settings), "lams": np.asarray(lams), "found": [np.asarray(found) for found, _ in every],
            "nonzeros": [np.asarray(nonzeros) for _, nonzeros in every]}
