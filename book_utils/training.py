"""Training: any model, any loss, any optimiser of optax, one compiled loop.

    model, losses = train(loss, model, key, 2000, optax.adam(1e-3))                    with loss(model, key)
    model, losses = train(loss, model, key, 2000, optax.adam(1e-3), X, batch=64)       with loss(model, X[:, chosen], key)

The loop runs in chunks, so that it can be interrupted, and a page on which a person runs it sees how far it is. Where no
person runs it nothing is shown.
"""

import time
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from book_utils import explore, plot, validate


def train(loss: Callable, model: object, key: jax.Array, steps: int, optimiser: optax.GradientTransformation, X: object = None,
          batch: int | None = None, chunk: int = 100) -> tuple[object, jax.Array]:
    """The model after so many steps of the optimiser, and the loss before each of them, (steps,).

    model: any pytree, such as an Equinox module. Its floating-point arrays are trained, all the rest stays as it is.
    loss(model, key), a number: `key` is another one in every step. With X, an array (..., N) or a pytree of such arrays with
    samples along the last axis, it is loss(model, part, key): `part` holds `batch` samples drawn anew in every step, with
    repetition; without `batch` all of them.
    The same key gives the same result, and `chunk` (steps between two looks at the clock) does not change it. Calls with the
    same loss, optimiser and shapes compile once. Matrix products are as precise as jax.default_matmul_precision says.
    Raises ValueError if the model has nothing to train, the loss is not one number, or an argument is not as above.
    """
    if not callable(loss):
        raise ValueError(f"loss: got {loss!r}, want a function of the model")
    if not (hasattr(optimiser, "init") and hasattr(optimiser, "update")):
        raise ValueError(f"optimiser: got {optimiser!r}, want one of optax, such as optax.adam(1e-3)")
    key = validate.random_key(key)
    steps, chunk = validate.integer(steps, "steps", 1), validate.integer(chunk, "chunk", 1)
    X, batch = _samples(X, batch)
    trained, fixed = eqx.partition(_as_jax(model), eqx.is_inexact_array)
    if not jax.tree.leaves(trained):
        raise ValueError("model: got no floating-point array in it, want at least one to train")
    value = eqx.filter_eval_shape(_value, trained, fixed, loss, X, batch, key)
    if getattr(value, "shape", None) != () or not jnp.issubdtype(value.dtype, jnp.floating):
        raise ValueError(f"loss: got {value}, want one real number")

    state, losses, began, page = (trained, optimiser.init(trained)), [], time.perf_counter(), _Page(steps)
    for start in range(0, steps, chunk):
        count = min(chunk, steps - start)
        state, values = _run(state, fixed, loss, optimiser, X, batch, key, jnp.int32(start), jnp.int32(count), chunk)
        losses.append(np.asarray(values)[:count])  # waits for the chunk: an interrupt comes through here
        page.say(start + count, losses[-1][-1], time.perf_counter() - began)
    return eqx.combine(state[0], fixed), jnp.asarray(np.concatenate(losses))


@eqx.filter_jit
def _run(state: tuple, fixed: object, loss: Callable, optimiser: optax.GradientTransformation, X: object, batch: int | None,
         key: jax.Array, start: jax.Array, count: jax.Array, chunk: int) -> tuple[tuple, jax.Array]:
    """`count` <= chunk steps from number `start` on; `count` is traced, so that a shorter last chunk is not compiled anew."""
    def step(i: jax.Array, carry: tuple) -> tuple:
        trained, memory, values = carry
        value, gradient = jax.value_and_grad(_value)(trained, fixed, loss, X, batch, jax.random.fold_in(key, start + i))
        update, memory = optimiser.update(gradient, memory, trained)
        return optax.apply_updates(trained, update), memory, values.at[i].set(value)

    value = jax.eval_shape(lambda trained: _value(trained, fixed, loss, X, batch, key), state[0])
    *state, values = jax.lax.fori_loop(0, count, step, (*state, jnp.zeros(chunk, value.dtype)))
    return tuple(state), values


def _value(trained: object, fixed: object, loss: Callable, X: object, batch: int | None, key: jax.Array) -> jax.Array:
    """The loss of one step."""
    model = eqx.combine(trained, fixed)
    if X is None:
        return loss(model, key)
    if batch is not None:
        draw, key = jax.random.split(key)
        chosen = jax.random.randint(draw, (batch,), 0, jax.tree.leaves(X)[0].shape[-1])
        X = jax.tree.map(lambda leaf: leaf[..., chosen], X)
    return loss(model, X, key)


def _samples(X: object, batch: int | None) -> tuple[object, int | None]:
    """X with arrays of JAX, after a look at the number of samples and the batch."""
    if X is None:
        if batch is not None:
            raise ValueError(f"batch: got {batch!r} without samples X to draw from")
        return None, None
    X = jax.tree.map(jnp.asarray, X)
    shapes = [leaf.shape for leaf in jax.tree.leaves(X)]
    if not shapes or min(map(len, shapes)) == 0 or len({shape[-1] for shape in shapes}) > 1 or 0 in shapes[0]:
        raise ValueError(f"X: got shapes {shapes}, want (..., N) with the same N >= 1 samples along every last axis")
    return X, None if batch is None else validate.integer(batch, "batch", 1)


def _as_jax(model: object) -> object:
    """The model with NumPy's floating-point arrays as JAX's."""
    is_numpy = lambda leaf: isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f"
    return jax.tree.map(lambda leaf: jnp.asarray(leaf) if is_numpy(leaf) else leaf, model)


class _Page:
    """One line on the page of a person who waits, from the second second on; nothing anywhere else."""

    def __init__(self, steps: int) -> None:
        self.steps, self.live, self.shown = steps, explore.live(), False

    def say(self, done: int, value: float, seconds: float) -> None:
        if not self.live or (seconds < 1 and not self.shown):
            return
        left = f"about {seconds * (self.steps / done - 1):.0f} s to go" if done < self.steps else f"{seconds:.0f} s"
        data = {"text/plain": f"Training: step {done:,} of {self.steps:,}, loss {value:.3g}, {left}"}
        plot.shell().display_pub.publish(data, transient={"display_id": f"training-{id(self)}"}, update=self.shown)
        self.shown = True
