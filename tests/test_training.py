"""The training loop against a plain loop of optax, its silence, its progress and its refusals."""

import types

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from book_utils import explore, plot, training
from book_utils.course import guard
from book_utils.training import train

KEY = jax.random.key(0)
H, CENTRE = np.diag([1.0, 3.0, 0.5]), np.array([1.0, -2.0, 0.5])


def quadratic(model, key):
    gap = model["w"] - CENTRE
    return gap @ H @ gap / 2 + 4.0


def noisy(model, part, key):
    """Regression with noise of its own: depends on everything a step is given."""
    x, y = part
    return ((model.layers[0].weight @ x + 0.1 * jax.random.normal(key, x.shape[-1:]) - y) ** 2).mean()


def regression():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3, 40)).astype(np.float32)
    return eqx.nn.MLP(3, 1, 0, 0, key=KEY), (X, np.float32([[1.0, -2.0, 0.5]]) @ X)


def same(a, b):
    leaves = [jax.tree.leaves(eqx.filter(model, eqx.is_array)) for model in (a, b)]
    return all(map(np.array_equal, *leaves))


def test_a_convex_quadratic_reaches_its_optimum():
    model, losses = train(quadratic, {"w": np.zeros(3, np.float32), "name": "w"}, KEY, 400, optax.sgd(0.3))
    np.testing.assert_allclose(model["w"], CENTRE, atol=1e-5)
    assert model["name"] == "w" and losses.shape == (400,)
    np.testing.assert_allclose(losses[jnp.array([0, -1])], [quadratic({"w": np.zeros(3)}, KEY), 4.0], rtol=1e-6)


@pytest.mark.parametrize("batch", [None, 8])
def test_agrees_with_a_plain_loop_of_optax(batch):
    start, (X, y) = regression()
    optimiser, steps = optax.adam(0.05), 7
    model, losses = train(noisy, start, KEY, steps, optimiser, (X, y), batch, chunk=3)
    expected, memory, values = start, optimiser.init(eqx.filter(start, eqx.is_inexact_array)), []
    for i in range(steps):
        key, part = jax.random.fold_in(KEY, i), (X, y)
        if batch:
            draw, key = jax.random.split(key)
            chosen = np.asarray(jax.random.randint(draw, (batch,), 0, 40))
            part = X[:, chosen], y[:, chosen]
        value, gradient = eqx.filter_value_and_grad(noisy)(expected, part, key)
        update, memory = optimiser.update(gradient, memory)
        expected, values = eqx.apply_updates(expected, update), [*values, float(value)]
    np.testing.assert_allclose(losses, values, rtol=1e-5)
    np.testing.assert_allclose(model.layers[0].weight, expected.layers[0].weight, rtol=1e-5, atol=1e-6)


def test_the_same_key_gives_the_same_result_and_another_one_does_not():
    start, data = regression()
    optimiser = optax.adam(0.05)
    first, losses = train(noisy, start, KEY, 50, optimiser, data, 8)
    again, repeated = train(noisy, start, KEY, 50, optimiser, data, 8)
    other, _ = train(noisy, start, jax.random.key(1), 50, optimiser, data, 8)
    assert same(first, again) and np.array_equal(losses, repeated) and not same(first, other)


def test_the_length_of_chunks_does_not_matter():
    start, data = regression()
    results = [train(noisy, start, KEY, 25, optax.adam(0.05), data, 8, chunk)[1] for chunk in (1, 10, 25, 100)]
    for losses in results:
        np.testing.assert_allclose(losses, results[0], rtol=1e-6)


def test_equal_calls_compile_once():
    traced = []

    def loss(model, key):
        traced.append(1)
        return quadratic(model, key)

    optimiser = optax.sgd(0.1)
    for _ in range(3):
        train(loss, {"w": jnp.zeros(3)}, KEY, 250, optimiser, chunk=100)
    assert len(traced) < 8  # shapes are looked at once a call; the loop itself is traced once


def test_decay_and_schedules_see_the_parameters():
    optimiser = optax.adamw(optax.cosine_decay_schedule(0.1, 300), weight_decay=1e-3)
    model, _ = train(quadratic, {"w": jnp.zeros(3)}, KEY, 300, optimiser)
    np.testing.assert_allclose(model["w"], CENTRE, atol=0.02)


# who sees what

def test_nothing_is_shown_without_a_page(capfd, monkeypatch):
    shown = []
    publisher = types.SimpleNamespace(publish=lambda *args, **options: shown.append(args))
    monkeypatch.setattr(plot, "shell", lambda: types.SimpleNamespace(display_pub=publisher))
    train(quadratic, {"w": jnp.zeros(3)}, KEY, 5, optax.sgd(0.1), chunk=1)
    assert shown == [] and capfd.readouterr() == ("", "")


def test_a_person_who_waits_sees_one_line_that_moves(monkeypatch, capfd):
    shown, clock = [], iter(range(100))
    keep = lambda data, transient, update: shown.append((data["text/plain"], transient, update))
    publisher = types.SimpleNamespace(publish=keep)
    monkeypatch.setattr(plot, "shell", lambda: types.SimpleNamespace(display_pub=publisher))
    monkeypatch.setattr(explore, "live", lambda: True)
    monkeypatch.setattr(training.time, "perf_counter", lambda: 0.6 * next(clock))
    train(quadratic, {"w": jnp.zeros(3)}, KEY, 1500, optax.sgd(0.3), chunk=500)
    assert [(text, update) for text, _, update in shown] == [
        ("Training: step 1,000 of 1,500, loss 4, about 1 s to go", False), ("Training: step 1,500 of 1,500, loss 4, 2 s", True)]
    assert shown[0][1] == shown[1][1] and "display_id" in shown[0][1]
    assert capfd.readouterr() == ("", "")


def test_it_is_a_tool_not_a_kernel():
    """No exercise asks for a training loop, so answers may call it."""
    assert "training" in guard.TOOLS and not guard._is_kernel(train.__code__)


# refusals

W = {"w": jnp.zeros(3)}


@pytest.mark.parametrize("arguments, said", [
    ((None, W, KEY, 5, optax.sgd(0.1)), "loss: got None"),
    ((lambda model, key: model["w"], W, KEY, 5, optax.sgd(0.1)), "loss: got .* want one real number"),
    ((quadratic, {"w": jnp.arange(3)}, KEY, 5, optax.sgd(0.1)), "model: got no floating-point array"),
    ((quadratic, W, 0, 5, optax.sgd(0.1)), "key: got 0"),
    ((quadratic, W, KEY, 0, optax.sgd(0.1)), "steps: got 0"),
    ((quadratic, W, KEY, 2.5, optax.sgd(0.1)), "steps: got 2.5"),
    ((quadratic, W, KEY, 5, "adam"), "optimiser: got 'adam'"),
    ((quadratic, W, KEY, 5, optax.sgd(0.1), None, 8), "batch: got 8 without samples"),
    ((quadratic, W, KEY, 5, optax.sgd(0.1), (np.ones((3, 4)), np.ones(5))), "X: got shapes"),
    ((quadratic, W, KEY, 5, optax.sgd(0.1), np.ones((3, 0))), "X: got shapes"),
    ((quadratic, W, KEY, 5, optax.sgd(0.1), np.ones((3, 4)), 0), "batch: got 0"),
    ((quadratic, W, KEY, 5, optax.sgd(0.1), None, None, 0), "chunk: got 0"),
])
def test_bad_arguments_are_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        train(*arguments)
