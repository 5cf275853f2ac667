"""`columns`: JAX code in one sweep, NumPy code in a loop, and the same results from both."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from book_utils.transform import columns

X = np.random.default_rng(0).normal(size=(3, 7)).astype(np.float32)


def counted(f):
    """f, and a list that grows by one at every call of it."""
    calls = []

    def counting(x):
        calls.append(x)
        return f(x)
    return counting, calls


def test_a_jax_function_is_traced_once():
    f, calls = counted(lambda x: jnp.array([x[0] * x[1], jnp.sum(x)]))
    np.testing.assert_allclose(columns(f)(X), [X[0] * X[1], X.sum(0)], rtol=1e-5)
    assert len(calls) == 1 and isinstance(calls[0], jax.core.Tracer)


def branching(x):
    return x if x[0] > 0 else -x


def in_place(x):
    y = np.zeros(2)
    y[0], y[1] = x[0], 2 * x[1]
    return y


def in_place_by_column(x):
    y = np.zeros((3, 1))
    y[:, 0] = x
    return y[:2, 0]


@pytest.mark.parametrize("f, expected", [
    (lambda x: np.sort(np.asarray(x)), np.sort(X, axis=0)),
    (lambda x: np.exp(x), np.exp(X)),
    (lambda x: np.linalg.norm(x), np.linalg.norm(X, axis=0)),
    (lambda x: float(x[0]) + 1, X[0] + 1),
    (branching, X * np.sign(X[0])),
    (in_place, np.array([X[0], 2 * X[1]])),
    (in_place_by_column, X[:2]),
    (lambda x: np.eye(3)[int(abs(x[0]))], np.eye(3)[np.abs(X[0]).astype(int)].T),
    (lambda x: sum(range((x[0] > 0).astype(int))), np.zeros(7)),
    (lambda x: x[x > -np.inf], X),
], ids=["asarray", "ufunc", "norm", "float", "if", "assignment", "slice assignment", "int", "range", "boolean index"])
def test_code_that_needs_numbers_runs_in_a_loop(f, expected):
    f, calls = counted(f)
    result = columns(f)(X)
    assert isinstance(result, jax.Array) and result.dtype in (jnp.float32, jnp.int32)
    np.testing.assert_allclose(result, expected, rtol=1e-5)
    assert len(calls) == 1 + 7  # the attempt, and one call a sample
    assert all(isinstance(x, jax.Array) and x.shape == (3,) for x in calls)


@pytest.mark.parametrize("xp", [jnp, np], ids=["jax", "numpy"])
def test_scalars_vectors_matrices_tuples_and_dicts(xp):
    results = columns(lambda x: {"norm": xp.sqrt(xp.sum(x**2)), "pair": (xp.exp(x), xp.outer(x, x[:2]))})(X)
    assert results["norm"].shape == (7,) and isinstance(results["pair"], tuple)
    np.testing.assert_allclose(results["norm"], np.linalg.norm(X, axis=0), rtol=1e-5)
    np.testing.assert_allclose(results["pair"][0], np.exp(X), rtol=1e-5)
    np.testing.assert_allclose(results["pair"][1], np.einsum("in,jn->ijn", X, X[:2]), rtol=1e-5)


def test_a_result_that_is_the_same_for_every_sample():
    np.testing.assert_array_equal(columns(lambda x: np.array([1.0, 2]))(X), np.tile([[1.0], [2]], 7))
    np.testing.assert_array_equal(columns(lambda x: 3.0)(X), np.full(7, 3))


def test_name_and_docstring_are_kept():
    def halve(x):
        """Half of x."""
        return x / 2
    assert columns(halve).__name__ == "halve" and columns(halve).__doc__ == "Half of x."


def test_inside_jit_vmap_and_grad():
    square = columns(lambda x: jnp.sum(x**2))
    np.testing.assert_allclose(jax.jit(square)(X), (X**2).sum(0), rtol=1e-5)
    np.testing.assert_allclose(jax.vmap(square)(np.stack([X, 2 * X]))[1], 4 * (X**2).sum(0), rtol=1e-5)
    np.testing.assert_allclose(jax.grad(lambda X: jnp.sum(square(X)))(X), 2 * X, rtol=1e-5)
    with pytest.raises(jax.errors.TracerArrayConversionError):  # there are no numbers to loop over
        jax.jit(columns(np.exp))(X)


def test_mistakes_of_the_function_come_through_at_once():
    def wrong_shape(x):
        return jnp.ones(4) @ x

    def assigns(x):
        x[0] = 1
        return x

    def stops(x):
        raise KeyError("of its own")
    for f, kind in ((wrong_shape, TypeError), (assigns, TypeError), (stops, KeyError)):
        f, calls = counted(f)
        with pytest.raises(kind):
            columns(f)(X)
        assert len(calls) == 1


def test_many_columns_in_a_loop_stay_quick():
    """No program with one operand a sample is compiled."""
    wide = np.ones((2, 4000), np.float32)
    assert columns(np.exp)(wide).shape == (2, 4000)


def test_numbers_that_are_not_finite_pass_through():
    result = columns(lambda x: 2 * x)(np.array([[np.nan, 1], [np.inf, 2]]))
    np.testing.assert_array_equal(result, [[np.nan, 2], [np.inf, 4]])


def test_types():
    assert columns(lambda x: x)(np.arange(6).reshape(2, 3)).dtype == jnp.float32
    with jax.enable_x64(True):
        assert columns(lambda x: x)(np.ones((2, 3))).dtype == columns(np.exp)(np.ones((2, 3))).dtype == jnp.float64


@pytest.mark.parametrize("bad, message", [
    (np.ones(3), r"X: got shape \(3,\), want \(D, N\)"),
    (np.ones((3, 0)), r"X: got shape \(3, 0\), want \(D, N\) with nothing of size 0"),
    (np.ones((2, 2), complex), r"X: got values of type complex128, want \(D, N\) of real numbers"),
    ([["a"]], r"X: got values of type <U1, want \(D, N\) of real numbers"),
    ([[1], [2, 3]], r"X: got list that does not make an array"),
])
def test_bad_input_is_refused_by_name(bad, message):
    with pytest.raises(ValueError, match=message):
        columns(lambda x: x)(bad)
