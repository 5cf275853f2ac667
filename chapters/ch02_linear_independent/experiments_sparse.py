"""Measurements of Part 4 that are too long for a cell: training a small LISTA, and the gaps of three solvers of the LASSO."""

from collections.abc import Callable, Iterable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax


def planted(rng: np.random.Generator, A: np.ndarray, N: int, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Samples A Z (D, N) and codes Z (m, N) with k standard normal entries in each column, at random places."""
    m = A.shape[1]
    Z = rng.normal(size=(m, N)) * (rng.random((m, N)).argsort(axis=0) < k)
    return A @ Z, Z


def decibel(found: np.ndarray, Z: np.ndarray) -> float:
    """Squared error of codes relative to their squares, in dB: -10 is a tenth."""
    return 10 * np.log10(((found - Z) ** 2).sum() / (Z**2).sum())


def ista_path(A: np.ndarray, X: np.ndarray, lam: float, steps: Iterable[int]) -> list[np.ndarray]:
    """The codes (m, N) after each of these numbers of steps of ISTA from zero, with eta = 1 / (2 sigma_1(A)^2); in float64."""
    eta, Z, path = 0.5 / np.linalg.norm(A, 2) ** 2, np.zeros((A.shape[1], X.shape[1])), []
    for _ in range(max(steps)):
        Z = Z - 2 * eta * A.T @ (A @ Z - X)
        Z = Z - np.clip(Z, -eta * lam, eta * lam)
        path.append(Z)
    return [path[t - 1] for t in steps]


def lasso_codes(A: np.ndarray, X: np.ndarray, lam: float, steps: int) -> np.ndarray:
    """Codes (m, N) after so many steps of FISTA from zero; in float64, restarted column by column as in `sparse.fista`."""
    eta, t = 0.5 / np.linalg.norm(A, 2) ** 2, np.ones(X.shape[1])
    Z = Y = np.zeros((A.shape[1], X.shape[1]))
    for _ in range(steps):
        new = Y - 2 * eta * A.T @ (A @ Y - X)
        new = new - np.clip(new, -eta * lam, eta * lam)
        t = np.where(((Y - new) * (new - Z)).sum(axis=0) > 0, 1, t)
        t_new = (1 + np.sqrt(1 + 4 * t**2)) / 2
        Z, Y, t = new, new + (t - 1) / t_new * (new - Z), t_new
    return Z


class LISTA(eqx.Module):
    """Layers of ISTA with dictionaries As (L, D, m), one weight and one step size; `forward` applies them."""

    As: jax.Array
    lam: jax.Array
    eta: jax.Array
    forward: Callable = eqx.field(static=True)

    def __call__(self, X: jax.Array) -> jax.Array:
        return self.forward(self.As, X, self.lam, self.eta)


def train_lista(forward: Callable, A: np.ndarray, X_test: np.ndarray, Z_test: np.ndarray, layers: int, steps: int) -> tuple:
    """Errors in dB on the test set before and after training from A in every layer, and the losses (steps,) on the way.

    Adam with a cosine schedule from 0.004, batches of 128 fresh samples of the planted model.
    """
    X, Z = (jnp.asarray(part.reshape(len(part), steps, 128).swapaxes(0, 1), jnp.float32)
            for part in planted(np.random.default_rng(0), A, 128 * steps))
    eta = 0.5 / np.linalg.norm(A, 2) ** 2
    network = LISTA(jnp.stack([jnp.asarray(A, jnp.float32)] * layers), jnp.array(0.1), jnp.array(eta), forward)
    parameters, static = eqx.partition(network, eqx.is_array)
    optimiser = optax.adam(optax.cosine_decay_schedule(0.004, steps))

    def loss(parameters: LISTA, X: jax.Array, Z: jax.Array) -> jax.Array:
        return ((eqx.combine(parameters, static)(X) - Z) ** 2).sum() / X.shape[1]

    def step(state: tuple, batch: tuple) -> tuple:
        parameters, memory = state
        value, gradient = jax.value_and_grad(loss)(parameters, *batch)
        update, memory = optimiser.update(gradient, memory)
        return (optax.apply_updates(parameters, update), memory), value

    @jax.jit
    def run(parameters: LISTA) -> tuple:
        (trained, _), losses = jax.lax.scan(step, (parameters, optimiser.init(parameters)), (X, Z))
        test = jnp.asarray(X_test, jnp.float32)
        return [eqx.combine(p, static)(test) for p in (parameters, trained)], losses

    codes, losses = run(parameters)
    return [decibel(np.asarray(Z), Z_test) for Z in codes], np.asarray(losses)


def solver_gaps(seed: int, steps: int, lam: float = 0.1) -> np.ndarray:
    """Gaps to the minimum of the LASSO, (3, steps): the subgradient method, ISTA, FISTA; in float64.

    Random unit atoms, D = 64, m = 128, 20 samples with 30 normal entries. The subgradient method has steps eta / sqrt(t), and its
    best value so far counts. The minimum is that of 2,000 steps of `lasso_codes`.
    """
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(64, 128))
    A /= np.linalg.norm(A, axis=0)
    X, _ = planted(rng, A, 20, 30)
    gram, products, squares = A.T @ A, A.T @ X, (X**2).sum()
    eta = 0.5 / np.linalg.norm(A, 2) ** 2

    def objective(Z: np.ndarray) -> float:
        return squares + (Z * (gram @ Z - 2 * products)).sum() + lam * np.abs(Z).sum()

    def ista(Z: np.ndarray) -> np.ndarray:
        V = Z - 2 * eta * (gram @ Z - products)
        return V - np.clip(V, -eta * lam, eta * lam)

    Z, subgradient = np.zeros_like(products), []
    for t in range(1, steps + 1):
        Z = Z - eta / np.sqrt(t) * (2 * (gram @ Z - products) + lam * np.sign(Z))
        subgradient.append(objective(Z))
    Z, plain = np.zeros_like(products), []
    for _ in range(steps):
        Z = ista(Z)
        plain.append(objective(Z))
    Z, Y, t, fast = np.zeros_like(products), np.zeros_like(products), 1.0, []
    for _ in range(steps):
        new, t_new = ista(Y), (1 + np.sqrt(1 + 4 * t**2)) / 2
        Z, Y, t = new, new + (t - 1) / t_new * (new - Z), t_new
        fast.append(objective(Z))
    return np.array([np.minimum.accumulate(subgradient), plain, fast]) - objective(lasso_codes(A, X, lam, 2000))
