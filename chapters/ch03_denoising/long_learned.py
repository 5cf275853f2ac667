"""Denoisers trained on three planes in space, where the best denoiser is known: what the Doubt of Part 4 says of learning.

Data: N(0, U_k U_k^T) for one of K = 3 random planes, equally likely, in D = 8 dimensions if not said otherwise. VP. Noise levels
are uniform in the angle arctan(sigma / alpha). Public functions are run by `book build --long`, about a minute each on two cores.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from book_utils import diffusion, memorization, training

K, d, SEEDS = 3, 2, 3
LEAST = 0.03  # the smallest angle; the largest is pi / 2 - LEAST
ANGLES = np.linspace(0.06, 1.4, 8)  # at which denoisers are compared


class Perceptron(eqx.Module):
    """denoiser(X_t, alpha, sigma): three hidden layers that predict x, g or v = alpha g - sigma x, whatever it is called."""

    layers: eqx.nn.MLP
    target: str = eqx.field(static=True)

    def __init__(self, key: jax.Array, D: int, width: int, target: str = "velocity", depth: int = 3) -> None:
        self.layers = eqx.nn.MLP(D + 5, D, width, depth, jax.nn.silu, key=key)
        self.target = target

    def output(self, X_t: jax.Array, alpha: jax.Array, sigma: jax.Array) -> jax.Array:
        level = jnp.log(sigma / jnp.maximum(alpha, 1e-3))
        told = [jnp.broadcast_to(row, X_t.shape[1:]) for row in (alpha, sigma, level / 3, jnp.sin(level), jnp.cos(level))]
        return jax.vmap(self.layers, 1, 1)(jnp.concatenate([X_t, jnp.stack(told)]))

    def wanted(self, X: jax.Array, G: jax.Array, alpha: jax.Array, sigma: jax.Array) -> jax.Array:
        return {"denoised": X, "noise": G, "velocity": alpha * G - sigma * X}[self.target]

    def __call__(self, X_t: jax.Array, alpha: jax.Array, sigma: jax.Array) -> jax.Array:
        return self.denoised(self.output(X_t, alpha, sigma), X_t, alpha, sigma)

    def denoised(self, F: jax.Array, X_t: jax.Array, alpha: jax.Array, sigma: jax.Array) -> jax.Array:
        """x_bar from the output."""
        if self.target == "noise":
            return (X_t - sigma * F) / jnp.maximum(alpha, 1e-3)
        return F if self.target == "denoised" else alpha * X_t - sigma * F


class Subspaces(eqx.Module):
    """The best denoiser of three planes, an attention over subspaces; the planes (K, D, d) may be the true ones or learned."""

    Us: jax.Array
    target = "velocity"

    def __call__(self, X_t: jax.Array, alpha: jax.Array, sigma: jax.Array) -> jax.Array:
        Us = jnp.linalg.qr(self.Us)[0]
        codes = jnp.einsum("kdp,dn->kpn", Us, X_t)
        weights = jax.nn.softmax((codes**2).sum(axis=1) * (alpha / sigma) ** 2 / 2, axis=0)
        return alpha * jnp.einsum("kdp,kpn,kn->dn", Us, codes, weights)

    def output(self, X_t: jax.Array, alpha: jax.Array, sigma: jax.Array) -> jax.Array:
        return (alpha * X_t - self(X_t, alpha, sigma)) / sigma

    def wanted(self, X: jax.Array, G: jax.Array, alpha: jax.Array, sigma: jax.Array) -> jax.Array:
        return alpha * G - sigma * X


def plain_loss(network: eqx.Module, X: jax.Array, key: jax.Array) -> jax.Array:
    """Squared error of the network's own target, each sample with its own noise and angle."""
    first, second = jax.random.split(key)
    angle = jax.random.uniform(first, X.shape[1:], minval=LEAST, maxval=jnp.pi / 2 - LEAST)
    G, alpha, sigma = jax.random.normal(second, X.shape), jnp.cos(angle), jnp.sin(angle)
    return ((network.output(alpha * X + sigma * G, alpha, sigma) - network.wanted(X, G, alpha, sigma)) ** 2).mean()


OPTIMISERS = {steps: optax.adam(optax.cosine_decay_schedule(3e-3, steps)) for steps in (1000, 2000, 4000, 16_000)}


def _planes(seed: int, D: int = 8) -> tuple[Subspaces, jax.Array]:
    """The true denoiser, and 2,048 samples (D, 2048) to train with."""
    rng = np.random.default_rng(seed)
    Us = np.stack([np.linalg.qr(rng.normal(size=(D, d)))[0] for _ in range(K)])
    return Subspaces(jnp.asarray(Us, jnp.float32)), _draw(rng, Us, 2048)


def _draw(rng: np.random.Generator, Us: np.ndarray, N: int) -> jax.Array:
    return jnp.asarray(np.einsum("nij,jn->in", np.asarray(Us)[rng.integers(K, size=N)], rng.normal(size=(d, N))), jnp.float32)


def _trained(network: eqx.Module, seed: int, X: jax.Array, steps: int = 4000) -> eqx.Module:
    """After Adam with batches of 128, from the samples X (D, N); repeated to 2048 columns, so that all N compile once."""
    X = jnp.tile(X, 2048 // X.shape[1])
    return training.train(plain_loss, network, jax.random.key(100 + seed), steps, OPTIMISERS[steps], X, 128, 1000)[0]


@eqx.filter_jit
def _errors(f: eqx.Module, g: eqx.Module, X: jax.Array, key: jax.Array, angle: float) -> tuple[jax.Array, jax.Array]:
    """Mean squares of f - x and of f - g on noisy copies of X."""
    alpha, sigma = jnp.cos(angle), jnp.sin(angle)
    X_t = alpha * X + sigma * jax.random.normal(key, X.shape)
    mean = lambda E: (E**2).sum(axis=0).mean()
    return mean(f(X_t, alpha, sigma) - X), mean(f(X_t, alpha, sigma) - g(X_t, alpha, sigma))


_loss = eqx.filter_jit(plain_loss)


def _excess(f: eqx.Module, best: Subspaces, fresh: jax.Array, seed: int) -> list[float]:
    """alpha^2 / sigma^2 E ||f - best||^2 at ANGLES: the squared error of the predicted noise, beyond the best one's."""
    away = [float(_errors(f, best, fresh, jax.random.key(300 + seed), angle)[1]) for angle in ANGLES]
    return (np.array(away) / np.tan(ANGLES) ** 2).tolist()


def _size(network: eqx.Module) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(network, eqx.is_inexact_array)))


def memorize_to_generalize() -> dict:
    """Perceptrons trained on N samples, (settings, seeds, numbers): copies among samples and among fresh data, errors at t = 0.3.

    Settings: width 64 and 4,000 steps for five N; then N = 32 with 1,000 and 16,000 steps and with width 128. Numbers: share of
    copies among 500 samples of 100 steps; the same of 2,000 fresh data; mean squared errors on training and on fresh data, for
    the network, then for the best denoiser; root mean square distance, on fresh data, to the memorizing denoiser and to the best.
    """
    settings = [(N, 64, 4000) for N in (8, 32, 128, 512, 2048)] + [(32, 64, 1000), (32, 64, 16_000), (32, 128, 4000)]
    times = diffusion.equal_angle_times(1.0, 0.999, 100, diffusion.VP)

    def one(N: int, width: int, steps: int, seed: int) -> list[float]:
        best, X = _planes(seed)
        X, fresh = X[:, :N], _draw(np.random.default_rng(50 + seed), best.Us, 2000)
        network = _trained(Perceptron(jax.random.key(seed), 8, width), seed, X, steps)
        memorizer = jax.tree_util.Partial(diffusion.memorizing_denoiser, X)
        start = jax.random.normal(jax.random.key(200 + seed), (8, 500))
        copies = [float(memorization.memorization_ratio(X, new)) for new in
                  (diffusion.ddim(network, start, times, diffusion.VP), fresh)]
        noise, angle = jax.random.key(300 + seed), jnp.arcsin(0.3)
        again = jnp.tile(X, 2048 // N)[:, :2000]  # training data, as many as fresh ones
        errors = [float(_errors(f, best, data, noise, angle)[0]) for f in (network, best) for data in (again, fresh)]
        away = [float(jnp.sqrt(_errors(network, other, fresh, noise, angle)[1])) for other in (memorizer, best)]
        return copies + errors + away

    return {"settings": settings, "numbers": [[one(*setting, seed) for seed in range(SEEDS)] for setting in settings]}


def learned_against_best() -> dict:
    """alpha^2 / sigma^2 E ||x_bar - best||^2 on fresh data at ANGLES, (samples, methods, seeds, angles), after 4,000 steps.

    Perceptrons of widths 64 and 3; the attention over subspaces with learned planes: three from one random start, three and six
    from the one of five starts whose loss on the training data ends lowest, three that start at the true planes; and the
    memorizing denoiser, which is not trained. N = 64 and 2,048.
    """
    def start(name: str, best: Subspaces, seed: int) -> eqx.Module:
        key = jax.random.key(seed)
        if "perceptron" in name:
            return Perceptron(key, 8, 64 if name == "perceptron" else 3)
        if name == "3 planes, from the true ones":
            return best
        return Subspaces(jax.random.normal(key, (int(name[0]), 8, d)))

    def one(name: str, N: int, seed: int) -> list[float]:
        best, X = _planes(seed)
        X, fresh = X[:, :N], _draw(np.random.default_rng(50 + seed), best.Us, 2000)
        if name == "memorizing":
            f = jax.tree_util.Partial(diffusion.memorizing_denoiser, X)
        else:
            runs = [_trained(start(name, best, seed + 10 * i), seed, X) for i in range(5 if "of five" in name else 1)]
            f = min(runs, key=lambda network: float(_loss(network, jnp.tile(X, 2048 // N), jax.random.key(400 + seed))))
        return _excess(f, best, fresh, seed)

    methods = ["perceptron", "small perceptron", "3 planes", "3 planes, best of five", "6 planes, best of five",
               "3 planes, from the true ones", "memorizing"]
    return {"methods": methods, "numbers": [_size(start(name, _planes(0)[0], 0)) for name in methods[:-1]] + [0],
            "Ns": [64, 2048], "angles": ANGLES,
            "excess": [[[one(name, N, seed) for seed in range(SEEDS)] for name in methods] for N in (64, 2048)]}


def three_targets() -> dict:
    """alpha^2 / sigma^2 E ||x_bar - best||^2 on fresh data at ANGLES, (settings, targets, seeds, angles): what to predict.

    Perceptrons that predict x, g or v, each with the plain loss of its target, 2,000 steps, 2,048 samples. Settings: D = 8 with
    width 64; D = 64, still three planes, with widths 64 and 160.
    """
    settings, targets = [(8, 64), (64, 64), (64, 160)], ["denoised", "noise", "velocity"]

    def one(D: int, width: int, target: str, seed: int) -> list[float]:
        best, X = _planes(seed, D)
        fresh = _draw(np.random.default_rng(50 + seed), best.Us, 2000)
        network = _trained(Perceptron(jax.random.key(seed), D, width, target), seed, X, 2000)
        return _excess(network, best, fresh, seed)

    return {"settings": settings, "targets": targets, "angles": ANGLES,
            "excess": [[[one(*setting, target, seed) for seed in range(SEEDS)] for target in targets] for setting in settings]}
