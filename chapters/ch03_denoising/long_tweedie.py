"""Measurements behind the Doubt of Part 2 that are too long for a cell, or made of rounding errors."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from book_utils import data, sampling
from book_utils.gaussian_mixture import GaussianMixture

SEEDS = 3


def float32_log_determinants() -> dict:
    """log det(Sigma + s^2 I) in float32 for 400 random rank-one Sigma (3, 3) of three scales, s = 0.001, three ways.

    "eigenvalues": of the sum, their logarithms added up. "clipped": eigenvalues of Sigma, negative ones set to 0, s^2 added.
    "package": twice the difference of the exact quadratic form and `GaussianMixture.log_density` at a sample. Shares of NaN,
    median and largest errors in nats, (scales, ways).
    """
    s, rng, scales = 1e-3, np.random.default_rng(0), [1.0, 10.0, 100.0]
    nan, error, worst = [], [], []
    for scale in scales:
        f = rng.normal(size=(400, 3))
        Sigmas = np.float32(scale * f[:, :, None] * f[:, None, :])
        variance = scale * (f**2).sum(axis=1)
        exact = np.log(variance + s**2) + 2 * np.log(s**2)
        noise = np.float32(s**2) * np.eye(3, dtype=np.float32)
        eigenvalues = jnp.linalg.eigvalsh(jnp.asarray(Sigmas + noise))
        clipped = jnp.maximum(jnp.linalg.eigvalsh(jnp.asarray(Sigmas)), 0) + np.float32(s**2)
        package = np.array([_log_determinant(GaussianMixture(np.ones(1), np.zeros((1, 3)), Sigma[None]), x, s, rng)
                            for Sigma, x in zip(Sigmas[:100], f)])
        ways = [np.asarray(jnp.log(values).sum(axis=1), dtype=float) - exact for values in (eigenvalues, clipped)]
        ways.append(package - exact[:100])
        nan.append([np.isnan(way).mean() for way in ways])
        error.append([np.nanmedian(np.abs(way)) for way in ways])
        worst.append([np.nanmax(np.abs(way)) for way in ways])
    return {"scales": scales, "ways": ["eigenvalues", "clipped", "package"], "nan": nan, "error": error, "worst": worst}


def _log_determinant(mixture: GaussianMixture, f: np.ndarray, s: float, rng: np.random.Generator) -> float:
    """What `log_density` takes for the log-determinant, by its value at a point s away from 0, orthogonal to f."""
    x_t = np.cross(f, rng.normal(size=3))
    x_t *= s / np.linalg.norm(x_t)
    return -2 * float(mixture.log_density(x_t[:, None], 1.0, s)[0]) - 1 - 3 * np.log(2 * np.pi)


def mixtures_on_a_spiral() -> dict:
    """KL divergence in nats, on fresh samples of a noisy spiral, to mixtures fitted by 30 steps of EM: (forms, sizes, Ks, seeds).

    The spiral lies in the first two of D coordinates; noise of standard deviation 0.1 in all. Covariances: "full", or
    "line": one direction and equal noise in the others. `sizes`: pairs (D, N). The true density is integrated numerically.
    """
    sizes, Ks, forms = [(2, 500), (20, 500), (20, 3000)], [1, 4, 16, 32], ["full", "line"]
    found = np.empty((len(forms), len(sizes), len(Ks), SEEDS))
    for j, (D, N) in enumerate(sizes):
        for seed in range(SEEDS):
            rng = np.random.default_rng(seed)
            train, test = _spiral(rng, D, N), _spiral(rng, D, 2000)
            truth = _spiral_log_density(test)
            for i, form in enumerate(forms):
                for k, K in enumerate(Ks):
                    found[i, j, k, seed] = (truth - _em(rng, train, K, form)(test)).mean()
    return {"forms": forms, "sizes": sizes, "Ks": Ks, "kl": found}


NOISE = 0.1


def _curve(u: np.ndarray) -> np.ndarray:
    return u / 4 * np.stack([np.cos(u), np.sin(u)])


def _spiral(rng: np.random.Generator, D: int, N: int) -> np.ndarray:
    X = NOISE * rng.normal(size=(D, N))
    X[:2] += _curve(rng.uniform(1.5, 3.5 * np.pi, size=N))
    return X


def _spiral_log_density(X: np.ndarray) -> np.ndarray:
    """log p at the columns of X (D, M): the mean over 600 points of the curve."""
    centres = _curve(np.linspace(1.5, 3.5 * np.pi, 600))
    square = ((X[:2, None, :] - centres[:, :, None]) ** 2).sum(axis=0) + (X[2:] ** 2).sum(axis=0)
    return _logsumexp(-square / (2 * NOISE**2)) - np.log(600) - len(X) / 2 * np.log(2 * np.pi * NOISE**2)


def _logsumexp(A: np.ndarray) -> np.ndarray:
    top = A.max(axis=0)
    return top + np.log(np.exp(A - top).sum(axis=0))


def _em(rng: np.random.Generator, X: np.ndarray, K: int, form: str, steps: int = 30, ridge: float = 1e-3) -> Callable:
    """The log-density of a mixture of K Gaussians fitted to X (D, N): 30 steps of EM from K samples and round covariances.

    `ridge` is added to every full covariance, and is the least noise of the form "line". A tenth of the true variance."""
    D, N = X.shape
    pi, mus = np.full(K, 1 / K), X[:, rng.choice(N, K, replace=False)].T
    Sigmas = np.stack([np.eye(D) * X.var(axis=1).mean() / K] * K)

    def joint(Y: np.ndarray) -> np.ndarray:
        L = np.linalg.cholesky(Sigmas)
        white = np.linalg.inv(L)
        Z = (white.reshape(K * D, D) @ Y).reshape(K, D, -1) - white @ mus[:, :, None]
        constant = np.log(pi) - np.log(np.diagonal(L, axis1=1, axis2=2)).sum(axis=1) - D / 2 * np.log(2 * np.pi)
        return constant[:, None] - (Z**2).sum(axis=1) / 2

    for _ in range(steps):
        logs = joint(X)
        weights = np.exp(logs - _logsumexp(logs)) + 1e-8
        pi = weights.sum(axis=1) / weights.sum()
        mus = weights @ X.T / weights.sum(axis=1, keepdims=True)
        for k in range(K):
            away = X - mus[k][:, None]
            Sigmas[k] = (weights[k] * away) @ away.T / weights[k].sum() + (ridge * np.eye(D) if form == "full" else 0)
            if form == "line":
                values, W = np.linalg.eigh(Sigmas[k])
                noise = max(values[:-1].mean(), ridge)
                Sigmas[k] = noise * np.eye(D) + max(values[-1] - noise, 0) * np.outer(W[:, -1], W[:, -1])
    return lambda Y: _logsumexp(joint(Y))


class Subspaces(eqx.Module):
    """The denoiser of K subspaces with a common scale, of centred columns. Us (K, D, d) is free in training."""

    Us: jax.Array
    log_scale: jax.Array

    def __call__(self, X_t: jax.Array, t: jax.Array) -> jax.Array:
        variance = jnp.exp(2 * self.log_scale)
        codes = jnp.einsum("kdi,dm->kim", self.Us, X_t)
        weights = jax.nn.softmax((codes**2).sum(axis=1) * variance / (2 * t**2 * (variance + t**2)), axis=0)
        return jnp.einsum("kdi,kim->dm", self.Us, weights[:, None] * codes) * variance / (variance + t**2)


class Perceptron(eqx.Module):
    """A network with ReLU that corrects the best round shrinking, on inputs and outputs scaled to size 1; data of size `size`."""

    layers: eqx.nn.MLP
    size: float = eqx.field(static=True)

    def __call__(self, X_t: jax.Array, t: jax.Array) -> jax.Array:
        variance = self.size**2 + t**2
        inputs = jnp.concatenate([X_t / jnp.sqrt(variance), jnp.log(t / self.size)[None]])
        return self.size**2 / variance * X_t + t * self.size / jnp.sqrt(variance) * jax.vmap(self.layers, 1, 1)(inputs)


def learned_denoisers() -> dict:
    """Test errors of learned denoisers over that of the best linear denoiser: (laws, methods, sizes of the data, levels, seeds).

    Laws: four random subspaces, D = 32, d = 3, where the form is right (the exact denoiser's error is given too); and centred
    digits, D = 64, where it is not. Methods: subspaces (four with d = 3, or ten with d = 8), twice as many of them, a perceptron
    of about their size, and a larger one (two hidden layers of 128). Noise levels from 0.1 to 2 times the size of an entry,
    log-uniform; 1,000 steps of Adam on batches of 64; the better of two rates, on other samples. No early stopping.
    """
    results = {"laws": ["four subspaces", "digits"], "methods": ["subspaces", "twice as many", "perceptron", "perceptron, large"],
               "levels": LEVELS, "sizes": [], "numbers": [], "error": [], "exact": []}
    for law in results["laws"]:
        keys = jax.random.split(jax.random.key(0), SEEDS)
        draws = [(_four_subspaces if law == "four subspaces" else _digits)(key) for key in keys]
        train, valid, test = (jnp.stack([draw[i] for draw in draws]) for i in range(3))
        size = float(jnp.sqrt((train[0] ** 2).mean()))
        sizes, K, d, hidden = ([100, 2000], 4, 3, 11) if law == "four subspaces" else ([100, 1000], 10, 8, 38)
        bases = lambda key, K: jnp.linalg.qr(jax.random.normal(key, (K, train.shape[1], d)))[0]
        starts = [lambda key: Subspaces(bases(key, K), jnp.log(2 * size)),
                  lambda key: Subspaces(bases(key, 2 * K), jnp.log(2 * size)),
                  lambda key: Perceptron(eqx.nn.MLP(train.shape[1] + 1, train.shape[1], hidden, 1, key=key), size),
                  lambda key: Perceptron(eqx.nn.MLP(train.shape[1] + 1, train.shape[1], 128, 2, key=key), size)]
        linear = jnp.stack([_linear_error(a, b, size) for a, b in zip(train, test)])  # (seeds, levels)
        results["sizes"].append(sizes)
        results["numbers"].append([sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(start(keys[0]), eqx.is_array)))
                                   for start in starts])
        errors = [_errors(start, train, valid, test, sizes, size, keys) for start in starts]
        results["error"].append([error / np.asarray(linear).T for error in errors])
        if law == "four subspaces":
            exact = [_test_error(lambda X_t, t, Us=draw[3]: _exact(Us, X_t, t), draw[2], size) for draw in draws]
            results["exact"] = np.asarray(jnp.stack(exact) / linear).T
    return results


LEVELS = [0.2, 0.5, 1.0]  # of the noise, in sizes of an entry


def _four_subspaces(key: jax.Array) -> tuple[jax.Array, ...]:
    """Training, validation and test samples (D, N), and the bases (4, 32, 3)."""
    keys = jax.random.split(key, 7)
    Us = jnp.stack([sampling.random_frame(k, 32, 3) for k in keys[:4]])

    def draw(key: jax.Array, N: int) -> jax.Array:
        place, value = jax.random.split(key)
        return jnp.einsum("ndi,in->dn", Us[jax.random.randint(place, (N,), 0, 4)], jax.random.normal(value, (3, N)))
    return draw(keys[4], 2000), draw(keys[5], 500), draw(keys[6], 2000), Us


def _digits(key: jax.Array) -> tuple[jax.Array, ...]:
    X = data.digits()[0]
    X = jax.random.permutation(key, X, axis=1)
    X = X - X[:, :1000].mean(axis=1, keepdims=True)
    return X[:, :1000], X[:, 1000:1300], X[:, 1300:]


def _exact(Us: jax.Array, X_t: jax.Array, t: jax.Array) -> jax.Array:
    return Subspaces(Us, jnp.zeros(()))(X_t, t)


def _test_error(denoiser: Callable, X: jax.Array, size: float) -> jax.Array:
    """Mean squared error per sample at every level: (levels,)."""
    def at(level: jax.Array) -> jax.Array:
        t = jnp.full(X.shape[1], level * size)
        noise = jax.random.normal(jax.random.key(7), X.shape)
        return ((denoiser(X + t * noise, t) - X) ** 2).sum(axis=0).mean()
    return jnp.stack([at(level) for level in LEVELS])


def _linear_error(train: jax.Array, test: jax.Array, size: float) -> jax.Array:
    """The best linear denoiser, with the second moment of all training samples."""
    values, W = jnp.linalg.eigh(train @ train.T / train.shape[1])
    return _test_error(lambda X_t, t: W @ ((values[:, None] / (values[:, None] + t**2)) * (W.T @ X_t)), test, size)


def _errors(start: Callable, train: jax.Array, valid: jax.Array, test: jax.Array, sizes: list[int], size: float,
            keys: jax.Array, steps: int = 1000, batch: int = 64) -> np.ndarray:
    """Test errors (sizes, levels, seeds) with the better of two rates."""
    def one(N: jax.Array, rate: jax.Array, key: jax.Array, train: jax.Array, valid: jax.Array, test: jax.Array) -> jax.Array:
        begin, key = jax.random.split(key)
        network, static = eqx.partition(start(begin), eqx.is_array)
        optimiser = optax.adam(lambda i: rate * 0.5 * (1 + jnp.cos(jnp.pi * i / steps)))

        def loss(network: eqx.Module, key: jax.Array) -> jax.Array:
            chosen, level, noise = jax.random.split(key, 3)
            X = train[:, jax.random.randint(chosen, (batch,), 0, N)]
            t = size * jnp.exp(jax.random.uniform(level, (batch,), minval=jnp.log(0.1), maxval=jnp.log(2.0)))
            X_hat = eqx.combine(network, static)(X + t * jax.random.normal(noise, X.shape), t)
            return ((X_hat - X) ** 2 * (1 / t**2 + 1 / size**2)).mean()

        def step(state: tuple, key: jax.Array) -> tuple:
            network, memory = state
            update, memory = optimiser.update(jax.grad(loss)(network, key), memory)
            return (optax.apply_updates(network, update), memory), None

        (network, _), _ = jax.lax.scan(step, (network, optimiser.init(network)), jax.random.split(key, steps))
        denoiser = eqx.combine(network, static)
        return _test_error(denoiser, valid, size), _test_error(denoiser, test, size)

    run = jax.vmap(one, (None, None, 0, 0, 0, 0))
    run = jax.jit(jax.vmap(jax.vmap(run, (None, 0, None, None, None, None)), (0, None, None, None, None, None)))
    checked, found = run(jnp.array(sizes), jnp.array([2e-3, 1e-2]), keys, train, valid, test)  # (sizes, rates, seeds, levels)
    weight = jnp.array(LEVELS) ** -2.0
    best = (checked * weight).mean(axis=(2, 3)).argmin(axis=1)
    return np.asarray(found)[np.arange(len(sizes)), np.asarray(best)].transpose(0, 2, 1)
