"""Every kernel of book_utils.independent against code it shares nothing with, its stated float32 errors, and its refusals."""

import itertools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.decomposition import FastICA
from sklearn.exceptions import ConvergenceWarning

from book_utils import independent

from oracles import numerical_derivative, relative, rng_of

seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=20, deadline=None, derandomize=True)


def frame(rng, D, d):
    return np.linalg.qr(rng.normal(size=(D, d)))[0]


def planted(rng, D, N, roots):
    """X (D, N), float32, whose X X^T / N has (to float32 rounding) the eigenvalues roots^2."""
    m = len(roots)
    return ((frame(rng, D, m) * roots) @ frame(rng, N, m).T * np.sqrt(N)).astype(np.float32)


def sparse(rng, theta, D, N):
    """Bernoulli-Gaussian codes."""
    return (rng.random((D, N)) < theta) * rng.normal(size=(D, N)) / np.sqrt(theta)


def polar(G):
    return scipy.linalg.polar(G)[0]


def white(X):
    """(X X^T / N)^(-1/2) X by SciPy's general matrix root, in float64."""
    return scipy.linalg.inv(scipy.linalg.sqrtm(X @ X.T / X.shape[1])) @ X


def mixed(seed, theta=0.2, D=5, N=2000):
    """White data X (D, N) with a sparse code, and the directions (D, D), as columns, that give it."""
    rng = rng_of(seed)
    U = frame(rng, D, D)
    Z = sparse(rng, theta, D, N)
    return white(U @ Z), polar(U @ scipy.linalg.sqrtm(Z @ Z.T / N))


def is_orthogonal(W):
    return np.abs(np.asarray(W, np.float64) @ np.asarray(W, np.float64).T - np.eye(len(W))).max() < 4e-6


# --- whiten ------------------------------------------------------------------------------------------------------------------

def exact_root(X, rank):
    """The root of the pseudo-inverse of X X^T / N and the whitened data, by NumPy's SVD in float64."""
    U, s, Vh = np.linalg.svd(np.asarray(X, np.float64), full_matrices=False)
    U, s, Vh, N = U[:, :rank], s[:rank], Vh[:rank], X.shape[1]
    return np.sqrt(N) * (U @ Vh), np.sqrt(N) * (U / s) @ U.T, U @ U.T


@pytest.mark.parametrize("D, N, rank", [(3, 500, 3), (60, 400, 60), (50, 50, 50), (60, 400, 20), (60, 20, 20)])
@pytest.mark.parametrize("condition", [1, 3, 9.5, 10.5, 1e3, 1e4])
def test_whitening_keeps_the_errors_it_states(D, N, rank, condition):
    X = planted(rng_of(0), D, N, 5 * np.geomspace(1, 1 / condition, rank))
    Xw, M = (np.asarray(a, np.float64) for a in independent.whiten(X))
    exact_Xw, exact_M, projection = exact_root(X, rank)
    tolerance = 1e-7 * condition + 1e-5
    assert np.linalg.norm(M - exact_M, 2) <= tolerance * np.linalg.norm(exact_M, 2)
    assert np.linalg.norm(Xw - exact_Xw, 2) <= tolerance * np.sqrt(N)
    np.testing.assert_allclose(M, M.T, atol=1e-6 * np.abs(M).max())
    second_moment = Xw @ Xw.T / N
    assert np.abs(second_moment @ second_moment - second_moment).max() <= 1e-5  # a projection, and on the right subspace:
    assert np.abs(second_moment - projection).max() <= (5e-6 if rank == D else tolerance)


def test_whitening_agrees_with_scipy_in_double_precision():
    with jax.enable_x64(True):
        X = rng_of(1).normal(size=(5, 40)) * np.array([[100], [3], [1], [0.1], [0.01]])
        Xw, M = independent.whiten(X)
        assert relative(M, scipy.linalg.inv(scipy.linalg.sqrtm(X @ X.T / 40))) < 1e-11
        assert relative(Xw, white(X)) < 1e-11


def test_whitening_of_images_with_pixels_that_never_change():
    X = (load_digits().data.T / 16).astype(np.float32)
    X -= X.mean(1, keepdims=True)
    Xw, M = (np.asarray(a, np.float64) for a in independent.whiten(X))
    rank = np.linalg.matrix_rank(X.astype(np.float64) @ X.T)
    assert rank == 61  # three pixels are black in every image
    second_moment = Xw @ Xw.T / X.shape[1]
    np.testing.assert_allclose(np.linalg.eigvalsh(second_moment), [0] * 3 + [1] * 61, atol=1e-5)
    assert relative(M @ X, Xw) < 1e-3


@pytest.mark.parametrize("share, rank", [(5e-5, 4), (5e-6, 3)])
def test_where_a_direction_counts_as_absent(share, rank):
    """Below 1.2e-5 of the largest singular value, on either side of which M is 20,000 along it or 0."""
    X = planted(rng_of(2), 4, 100, [1, 1, 1, share])
    M = np.asarray(independent.whiten(X)[1])
    assert np.linalg.matrix_rank(M) == rank
    assert (np.abs(M).max() > 1000) == (rank == 4)


def test_whitening_of_nothing():
    Xw, M = independent.whiten(np.zeros((3, 5)))
    assert not Xw.any() and not M.any()
    Xw, M = independent.whiten([[0, 0], [3, -3]])
    np.testing.assert_allclose(Xw, [[0, 0], [1, -1]], atol=1e-6)
    np.testing.assert_allclose(M, [[0, 0], [0, 1 / 3]], atol=1e-6)


@quick
@given(seeds, st.sampled_from([(4, 30, 4), (4, 3, 3), (4, 30, 2)]))
def test_whitening_goes_along_with_rotations_and_undoes_every_mixing_but_a_rotation(seed, sizes):
    D, N, rank = sizes
    rng = rng_of(seed)
    X = rng.normal(size=(D, rank)) @ rng.normal(size=(rank, N))
    roots = np.linalg.svd(X, compute_uv=False)
    if roots[rank - 1] < 0.02 * roots[0]:
        return
    Q, Xw = frame(rng, D, D), np.asarray(independent.whiten(X)[0])
    np.testing.assert_allclose(independent.whiten(Q @ X)[0], Q @ Xw, atol=3e-4)
    np.testing.assert_allclose(independent.whiten(Xw)[0], Xw, atol=1e-4)
    for scale in (1e-12, 1e12):
        np.testing.assert_allclose(independent.whiten(scale * X)[0], Xw, atol=1e-3)
    np.testing.assert_allclose(independent.whiten(np.c_[X, X])[0], np.c_[Xw, Xw], atol=1e-3)
    mixed_too = np.asarray(independent.whiten((np.eye(D) + 0.1 * rng.normal(size=(D, D))) @ X)[0])
    np.testing.assert_allclose(mixed_too.T @ mixed_too, Xw.T @ Xw, atol=2e-3 * N)


@pytest.mark.parametrize("X, span", [
    (rng_of(3).normal(size=(4, 9)), None),
    (rng_of(4).normal(size=(4, 9)) * [[1000], [1], [1], [1]], None),  # by the other route
    (3 * frame(rng_of(5), 9, 4).T, None),  # all eigenvalues equal
    (np.diag([1.0, 2, 0, 0]) @ rng_of(6).normal(size=(4, 9)), 2),
    (rng_of(7).normal(size=(4, 2)), 2),
], ids=["any", "wide range", "white", "deficient", "few samples"])
def test_whitening_has_the_right_derivative(X, span):
    """Also where eigenvalues are equal, and along changes that leave the rank of deficient data."""
    with jax.enable_x64(True):
        rng, rank = rng_of(8), span or 4
        left, right = 0.1 * rng.normal(size=(4, 4)), 0.1 * rng.normal(size=(X.shape[1], X.shape[1]))
        weights, more = rng.normal(size=X.shape), rng.normal(size=(4, 4))

        def at(t, numpy, both):
            changed = (numpy.eye(4) + t * left) @ X @ (numpy.eye(X.shape[1]) + t * right)
            Xw, M = both(changed)
            return (weights * Xw).sum() + (more * M).sum()

        by_autodiff = jax.jit(jax.grad(lambda t: at(t, jnp, independent.whiten)))(0.0)
        expected = numerical_derivative(lambda t: at(t, np, lambda X: exact_root(X, rank)[:2]), 0.0, 1.0)
        assert abs(by_autodiff / expected - 1) < 1e-7


# --- kurtosis ----------------------------------------------------------------------------------------------------------------

def test_kurtosis_is_scipys_times_the_squared_variance():
    X = rng_of(9).laplace(size=(3, 400)) * [[1], [5], [0.1]]
    X -= X.mean(1, keepdims=True)
    expected = scipy.stats.kurtosis(X, axis=1) * X.var(axis=1) ** 2
    assert relative(independent.kurtosis(X), expected) < 1e-6


@pytest.mark.parametrize("values, expected", [
    ([1, -1], -2),
    ([np.sqrt(3), -np.sqrt(3), 0, 0, 0, 0], 0),
    ([2, 0, 0, 0, 0, 0, 0, -2], 1),
    ([1, 1, 1], -2),  # not centred: a constant counts as a coin without a sign
    ([0, 0], 0),
])
def test_kurtosis_of_small_laws(values, expected):
    np.testing.assert_allclose(independent.kurtosis([values]), [expected], atol=2e-6)


@pytest.mark.parametrize("N", [1000, 1_000_000])
def test_kurtosis_keeps_the_error_it_states(N):
    rng = rng_of(10)
    X = np.stack([rng.normal(size=N), rng.uniform(-1, 1, N), sparse(rng, 0.05, 1, N)[0], 1e3 + rng.normal(size=N)])
    X = X.astype(np.float32)
    exact = X.astype(np.float64)
    fourth = (exact**4).mean(1)
    error = np.abs(np.asarray(independent.kurtosis(X)) - (fourth - 3 * (exact**2).mean(1) ** 2))
    assert (error <= 1e-6 * fourth).all()


@quick
@given(seeds, st.floats(-3, 3))
def test_kurtosis_of_sums_and_multiples(seed, a):
    """Added up over independent centred variables - here all pairs of values - and of degree four."""
    rng = rng_of(seed)
    x, y = rng.normal(size=7), rng.normal(size=5) ** 3
    x, y = x - x.mean(), y - y.mean()
    kurt = lambda s: float(independent.kurtosis(np.ravel(s)[None])[0])  # noqa: E731
    scale = 1 + np.mean(x**4) + np.mean(y**4)
    assert abs(kurt(x[:, None] + y) - kurt(x) - kurt(y)) < 1e-5 * scale
    assert abs(kurt(a * x) - a**4 * kurt(x)) < 1e-5 * (1 + a**4) * scale
    assert kurt(x) >= -2 * np.mean(x**4) - 1e-5 * scale


def test_kurtosis_has_the_right_gradient():
    with jax.enable_x64(True):
        X, dX = rng_of(11).normal(size=(2, 3, 8))
        by_autodiff = jax.jvp(lambda X: independent.kurtosis(X).sum(), (jnp.asarray(X),), (jnp.asarray(dX),))[1]
        expected = numerical_derivative(lambda X: ((X**4).mean(1) - 3 * (X**2).mean(1) ** 2).sum(), X, dX)
        assert abs(by_autodiff / expected - 1) < 1e-8


# --- l4 and MSP --------------------------------------------------------------------------------------------------------------

def test_the_objective_and_its_gradient():
    rng = rng_of(12)
    W, X = rng.normal(size=(4, 4)), rng.normal(size=(4, 700))
    plain = sum((W @ x) ** 4 @ np.ones(4) for x in X.T) / 4 / 700
    assert abs(independent.l4_objective(W, X) / plain - 1) < 1e-6
    slope = jax.grad(independent.l4_objective)(jnp.asarray(W), X)
    assert relative(slope, (W @ X) ** 3 @ X.T / 700) < 2e-6


def test_the_objective_is_kurtosis_plus_a_constant_on_white_data():
    X, _ = mixed(13)
    W = frame(rng_of(14), 5, 5)
    assert abs(4 * independent.l4_objective(W, X) / (independent.kurtosis(W @ X).sum() + 15) - 1) < 2e-6


def msp_by_hand(W, X, T):
    history = []
    for step in range(T + 1):
        W = polar((W @ X) ** 3 @ X.T) if step else W
        history.append(np.sum((W @ X) ** 4) / 4 / X.shape[1])
    return W, np.array(history)


@pytest.mark.parametrize("T", [1, 7])
def test_msp_agrees_with_a_plain_loop(T):
    X, start = mixed(15)[0], frame(rng_of(16), 5, 5)
    W, history = independent.msp(start, X, T)
    expected, objectives = msp_by_hand(start, X, T)
    assert W.shape == (5, 5) and history.shape == (T + 1,)
    assert relative(W, expected) < 2e-5 and relative(history, objectives) < 2e-6
    with jax.enable_x64(True):
        W, history = independent.msp(start, X, T)
        assert relative(W, expected) < 1e-12 and relative(history, objectives) < 1e-13


@quick
@given(seeds, st.sampled_from(["sparse", "Gaussian", "deficient", "a row of zeros", "few samples", "skewed"]))
def test_msp_never_descends_whatever_the_data(seed, kind):
    rng, D, N = rng_of(seed), 4, 40
    X = {"sparse": sparse(rng, 0.3, D, N), "Gaussian": rng.normal(size=(D, N)), "skewed": rng.exponential(size=(D, N)),
         "deficient": rng.normal(size=(D, 2)) @ rng.normal(size=(2, N)), "a row of zeros": rng.normal(size=(D, N)),
         "few samples": np.tile(rng.normal(size=(D, 2)), 20)}[kind]
    if kind == "a row of zeros":
        X[1] = 0
    W, history = independent.msp(frame(rng, D, D), X, 30)
    assert np.isfinite(history).all() and is_orthogonal(W)
    assert (np.diff(history) >= -2e-6 * history[-1]).all()
    gradient = np.asarray(W) @ ((np.asarray(W) @ X) ** 3 @ X.T / N).T
    if kind == "sparse" and history[-1] - history[-2] < 1e-7 * history[-1]:
        assert np.abs(gradient - gradient.T).max() < 0.05 * np.abs(gradient).max()  # stationary: W^T grad is symmetric


@pytest.mark.parametrize("theta", [0.1, 0.3, 0.6])
def test_msp_recovers_the_dictionary(theta):
    X, V = mixed(17, theta, D=6, N=20_000)
    W, _ = independent.msp(frame(rng_of(18), 6, 6), X, 100)
    assert independent.match_signed_permutation(W, V)[2].min() > 0.999


def test_msp_on_data_of_any_size():
    X, start = mixed(19)[0], frame(rng_of(20), 5, 5)
    W, history = independent.msp(start, X, 20)
    for scale in (1e-8, 1e8):
        scaled, objectives = independent.msp(start, scale * X, 20)
        np.testing.assert_allclose(scaled, W, atol=2e-4)
        np.testing.assert_allclose(np.float64(objectives) / scale**4, history, rtol=1e-4)
    W, history = independent.msp(start, 0 * X, 3)
    assert is_orthogonal(W) and not history.any()


def test_msp_has_the_right_derivative():
    with jax.enable_x64(True):
        X, start = mixed(21, N=200)[0], frame(rng_of(22), 5, 5)
        dX = rng_of(23).normal(size=X.shape)
        slope = jax.grad(lambda X: independent.msp(start, X, 4)[1][-1])(jnp.asarray(X))
        expected = numerical_derivative(lambda X: msp_by_hand(start, X, 4)[1][-1], X, dX)
        assert abs(np.sum(slope * dX) / expected - 1) < 1e-6


LAWS = ([-1, 1, -1, 1], [-np.sqrt(2), 0, 0, np.sqrt(2)], [-np.sqrt(4), 0, 0, 0, 0, 0, 0, np.sqrt(4)])  # variance 1


def all_codes():
    """Every combination of the values of three independent laws, as columns, and the three kurtoses -2, -1, 1."""
    Z = np.array(list(itertools.product(*LAWS))).T
    return Z, np.array([np.mean(np.power(law, 4)) - 3 for law in LAWS])


def test_the_population_step_is_the_step_on_all_possible_codes():
    Z, kappa = all_codes()
    np.testing.assert_allclose(kappa, [-2, -1, 1])
    W = frame(rng_of(24), 3, 3)
    np.testing.assert_allclose(independent.msp(W, Z, 1)[0], independent.msp_population_step(W, kappa), atol=2e-6)


@pytest.mark.parametrize("theta", [0.05, 0.2, 0.5])
def test_the_population_step_contracts_by_theta(theta):
    with jax.enable_x64(True):
        A = 0.05 * rng_of(25).normal(size=(5, 5))
        W, errors = scipy.linalg.expm(A - A.T), []
        for _ in range(6):
            errors.append(np.linalg.norm(W - np.eye(5)))
            W = independent.msp_population_step(W, np.full(5, 3 / theta - 3))
        assert abs(errors[-1] / errors[-2] / theta - 1) < 0.01


# --- FastICA -----------------------------------------------------------------------------------------------------------------

def sklearns(algorithm, start, X, T, tol):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return FastICA(fun="cube", algorithm=algorithm, whiten=False, w_init=start, max_iter=T, tol=tol).fit(X.T)


def two_signed(seed, D=5, N=3000):
    """White mixtures of sparse and of uniform codes: kurtoses of both signs, so that rows change their sign in every step."""
    rng = rng_of(seed)
    Z = np.vstack([sparse(rng, 0.3, 2, N), rng.uniform(-1, 1, (D - 2, N))])
    return white(frame(rng, D, D) @ Z)


@pytest.mark.parametrize("data", [lambda: mixed(26)[0], lambda: two_signed(27)], ids=["sparse", "two signs"])
@pytest.mark.parametrize("T", [1, 3, 10])
def test_fastica_is_scikit_learns(data, T):
    with jax.enable_x64(True):
        X, start = data(), frame(rng_of(28), 5, 5)
        W, steps = independent.fastica(start, X, T, 0)
        theirs = sklearns("parallel", start, X, T, 0)
        assert steps == T and steps.shape == ()
        assert relative(W, theirs.components_) < 1e-9


@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-8])
def test_fastica_stops_where_scikit_learn_stops(tol):
    for seed in range(3):
        X, start = two_signed(seed), frame(rng_of(seed), 5, 5)
        with jax.enable_x64(True):
            W, steps = independent.fastica(start, X, 200, tol)
            theirs = sklearns("parallel", start, X, 200, tol)
            assert steps == theirs.n_iter_ < 200
            assert relative(W, theirs.components_) < 1e-6
    single, fewer = independent.fastica(start, X, 200, max(tol, 1e-6))
    assert int(fewer) <= int(steps) and np.abs(np.sum(np.asarray(single) * np.asarray(W), axis=1)).min() > 0.9999


def test_fastica_in_single_precision():
    X, start = two_signed(29), frame(rng_of(30), 5, 5)
    W, steps = independent.fastica(start, X, 6)
    assert W.dtype == jnp.float32 and is_orthogonal(W)
    assert relative(W, sklearns("parallel", start, X, int(steps), 0).components_) < 2e-4


@pytest.mark.parametrize("theta", [0.1, 0.4, 0.7])
def test_both_ways_of_fastica_recover_the_dictionary(theta):
    """Also at theta = 0.7, where deflating the data alone fails."""
    X, V = mixed(31, theta, D=4, N=20_000)
    start = frame(rng_of(32), 4, 4)
    W, steps = independent.fastica(start, X, 100)
    assert steps < 30
    for found in (W, independent.fastica_deflation(start, X, 60)):
        assert is_orthogonal(found)
        assert independent.match_signed_permutation(found, V)[2].min() > 0.998


@pytest.mark.parametrize("T", [1, 4, 15])
def test_deflation_is_scikit_learns(T):
    with jax.enable_x64(True):
        X, start = two_signed(33), frame(rng_of(34), 5, 5)
        W = independent.fastica_deflation(start, X, T)
        assert relative(W, sklearns("deflation", start, X, T, 0).components_) < 1e-9


@quick
@given(seeds, st.sampled_from(["Gaussian", "deficient", "a row of zeros", "zeros", "few samples", "not white"]))
def test_fastica_gives_an_orthogonal_matrix_whatever_the_data(seed, kind):
    rng, D, N = rng_of(seed), 4, 40
    X = rng.normal(size=(D, N))
    X = {"Gaussian": X, "deficient": np.outer(X[:, 0], X[1]), "a row of zeros": X * [[1], [1], [0], [1]], "zeros": 0 * X,
         "few samples": np.tile(X[:, :2], 20), "not white": 10 * X}[kind]
    if kind != "not white":
        X = np.asarray(independent.whiten(X)[0])
    W, steps = independent.fastica(frame(rng, D, D), X, 25)
    assert is_orthogonal(W) and 1 <= steps <= 25
    assert is_orthogonal(independent.fastica_deflation(frame(rng, D, D), X, 25))


def test_deflation_where_a_step_leaves_nothing():
    """A kurtosis of exactly 0, so that v = 3 w - 3 w; and starts that lie among the rows already found."""
    root = np.sqrt(3)
    assert is_orthogonal(independent.fastica_deflation([[1]], [[root, -root, 0, 0, 0, 0]], 3))
    Z, _ = all_codes()
    for start in (np.eye(3), np.eye(3)[::-1], np.eye(3)[[1, 2, 0]]):
        W = independent.fastica_deflation(start, Z, 5)
        np.testing.assert_allclose(np.abs(W), start, atol=1e-5)


def test_fastica_has_the_right_forward_derivative():
    with jax.enable_x64(True):
        X, start = mixed(35, N=300)[0], frame(rng_of(36), 5, 5)
        dX = rng_of(37).normal(size=X.shape)
        for kernel, algorithm in ((lambda X: independent.fastica(start, X, 2, 0)[0], "parallel"),
                                  (lambda X: independent.fastica_deflation(start, X, 2), "deflation")):
            by_autodiff = jax.jvp(kernel, (jnp.asarray(X),), (jnp.asarray(dX),))[1]

            def by_numpy(X, parallel=algorithm == "parallel"):
                found = start.copy()
                for _ in range(2 if parallel else 0):
                    found = polar((found @ X) ** 3 @ X.T / 300 - 3 * found)
                for k in range(0 if parallel else 5):
                    for _ in range(2):
                        w = X @ (X.T @ found[k]) ** 3 / 300 - 3 * found[k]
                        w -= found[:k].T @ (found[:k] @ w)
                        found[k] = w / np.linalg.norm(w)
                return found

            assert relative(by_autodiff, numerical_derivative(by_numpy, X, dX)) < 1e-6


# --- matching ----------------------------------------------------------------------------------------------------------------

def cosines_of(W, V):
    return (W / np.linalg.norm(W, axis=1, keepdims=True)) @ (V / np.linalg.norm(V, axis=0))


@quick
@given(seeds)
def test_matching_undoes_any_order_signs_and_lengths(seed):
    rng = rng_of(seed)
    V, order, signs = frame(rng, 5, 5), rng.permutation(5), rng.choice([-1, 1], 5)
    W = np.empty((5, 5))
    W[order] = signs[:, None] * V.T * rng.uniform(0.1, 9, (5, 1))
    found, their_signs, cosines = independent.match_signed_permutation(W, V)
    np.testing.assert_array_equal(found, order)
    np.testing.assert_array_equal(their_signs, signs)
    np.testing.assert_allclose(cosines, 1, atol=1e-6)


@quick
@given(seeds, st.sampled_from([(4, 4, 4), (5, 3, 3), (5, 3, 2), (3, 5, 3), (1, 1, 1)]))
def test_matching_is_the_best_of_all(seed, sizes):
    m, D, d = sizes
    rng = rng_of(seed)
    W, V = rng.normal(size=(m, D)), rng.normal(size=(D, d))
    order, signs, cosines = independent.match_signed_permutation(W, V)
    assert len(set(np.asarray(order).tolist())) == d
    C = cosines_of(W, V)
    best = max(sum(abs(C[row, column]) for column, row in enumerate(rows)) for rows in itertools.permutations(range(m), d))
    assert abs(cosines.sum() - best) < 1e-5
    np.testing.assert_allclose(signs * C[order, np.arange(d)], cosines, atol=1e-6)


@pytest.mark.parametrize("m, d", [(60, 60), (90, 40)])
def test_matching_agrees_with_scipy_and_with_itself_in_compiled_code(m, d):
    rng = rng_of(38)
    W, V = rng.normal(size=(m, 12)), rng.normal(size=(12, d))
    W[3], V[:, 5] = 0, 0
    with np.errstate(invalid="ignore"):
        C = np.nan_to_num(np.abs(cosines_of(W, V)))
    rows, columns = scipy.optimize.linear_sum_assignment(-C)
    for match in (independent.match_signed_permutation, jax.jit(independent.match_signed_permutation)):
        order, _, cosines = match(W, V)
        assert len(set(np.asarray(order).tolist())) == d
        assert abs(cosines.sum() - C[rows, columns].sum()) < 1e-5 * d
        np.testing.assert_allclose(C[order, np.arange(d)], cosines, atol=1e-5)


def test_matching_has_the_derivative_of_its_cosines():
    with jax.enable_x64(True):
        rng = rng_of(40)
        W, V, dW = rng.normal(size=(3, 4, 4))
        slope = jax.grad(lambda W: independent.match_signed_permutation(W, V)[2].sum())(jnp.asarray(W))
        order, signs, _ = independent.match_signed_permutation(W, V)
        expected = numerical_derivative(lambda W: (signs * cosines_of(W, V)[order, np.arange(4)]).sum(), W, dW)
        assert abs(np.sum(slope * dW) / expected - 1) < 1e-8


# --- the landscape -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kappa", [[1, 2, 4], [-1, -2, -0.5], [3, -1, 2], [5], [1, -1], [1, 1, 1, -2, -2]])
def test_critical_points_are_critical_and_all_different(kappa):
    kappa = np.array(kappa, float)
    points = independent.kurtosis_critical_points(kappa)
    positive, negative = (kappa > 0).sum(), (kappa < 0).sum()
    assert points.shape == (3**positive + 3**negative - 2, len(kappa)) and points.dtype == np.float64
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, rtol=1e-12)
    values = points**4 @ kappa
    np.testing.assert_allclose(kappa * points**3, values[:, None] * points, atol=1e-12)
    assert len(np.unique(points.round(9), axis=0)) == len(points)


@pytest.mark.parametrize("kappa", [[1, 2], [-1, -3], [2, -1]])
def test_no_critical_point_of_the_circle_is_missing(kappa):
    angles = 1e-3 + np.linspace(0, 2 * np.pi, 10_001)
    heights = kappa[0] * np.cos(angles) ** 4 + kappa[1] * np.sin(angles) ** 4
    turns = np.sum(np.diff(np.sign(np.diff(np.append(heights, heights[1])))) != 0)
    assert len(independent.kurtosis_critical_points(kappa)) == turns


def test_no_critical_point_of_the_sphere_is_missing():
    """Newton's method on the stationarity equations from random points ends at a listed one, and finds them all."""
    kappa = np.array([1, 2, 4])
    points = independent.kurtosis_critical_points(kappa)
    rng, hit = rng_of(41), set()

    def equations(y):
        return np.append(kappa * y[:3] ** 3 - y[3] * y[:3], y[:3] @ y[:3] - 1)

    for _ in range(300):
        w = rng.normal(size=3)
        guess = np.append(w / np.linalg.norm(w), rng.uniform(0.3, 4))
        end, _, good, _ = scipy.optimize.fsolve(equations, guess, full_output=True)
        if good == 1 and np.abs(equations(end)).max() < 1e-10:
            distances = np.linalg.norm(points - end[:3], axis=1)
            assert distances.min() < 1e-5
            hit.add(int(distances.argmin()))
    assert hit == set(range(26))


def test_which_critical_points_are_maxima():
    """With positive kurtoses (index by the size of the support) only the axes; with negative ones alone only the dense points."""
    for w in independent.kurtosis_critical_points([1, 2, 4]):
        size = (w != 0).sum()
        assert independent.morse_index(w, [1, 2, 4]) == (size - 1, 3 - size)
    for w in independent.kurtosis_critical_points([-1, -2, -0.5]):
        size = (w != 0).sum()
        assert independent.morse_index(w, [-1, -2, -0.5]) == (3 - size, size - 1)
    dense = independent.kurtosis_critical_points([-1, -2, -0.5])[-1]
    np.testing.assert_allclose(np.abs(dense), [0.53452, 0.37796, 0.75593], atol=1e-5)
    heights = {independent.morse_index(w, [3, -1, 2]): round(float(w**4 @ [3, -1, 2]), 6)
               for w in independent.kurtosis_critical_points([3, -1, 2])}
    assert heights == {(0, 2): 2, (1, 1): 1.2, (2, 0): -1}
    assert independent.morse_index([1], [5]) == independent.morse_index([-1], [-5]) == (0, 0)


@quick
@given(seeds)
def test_the_morse_index_counts_the_bends_of_great_circles(seed):
    """Second differences along 200 random circles through w have both signs only at a saddle."""
    rng = rng_of(seed)
    kappa = rng.choice([-1, 1], 3) * rng.uniform(0.5, 3, 3)
    points = independent.kurtosis_critical_points(kappa)
    w = points[rng.integers(len(points))]
    up, down = independent.morse_index(w, kappa)
    assert up + down == 2
    v = rng.normal(size=(200, 3))
    v -= (v @ w)[:, None] * w
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    height = lambda t: (np.cos(t) * w + np.sin(t) * v) ** 4 @ kappa  # noqa: E731
    bends = height(1e-2) - 2 * height(0) + height(-1e-2)
    assert ((bends > 0).any(), (bends < 0).any()) == (up > 0, down > 0)


def test_twelve_kurtoses_are_quick():
    assert len(independent.kurtosis_critical_points([1, -1] * 6)) == 2 * (3**6 - 1)


# --- all of them -------------------------------------------------------------------------------------------------------------

def plain_inputs(seed):
    rng = rng_of(seed)
    return {"X": white(sparse(rng, 0.4, 4, 80)), "W": frame(rng, 4, 4), "V": frame(rng, 4, 4), "kappa": np.array([3.0, 1, -1, 2])}


CALLS = {
    "whiten": lambda a: independent.whiten(a["X"] * np.array([[1], [2], [3], [40]], a["X"].dtype)),
    "kurtosis": lambda a: independent.kurtosis(a["X"]),
    "l4_objective": lambda a: independent.l4_objective(a["W"], a["X"]),
    "msp": lambda a: independent.msp(a["W"], a["X"], 3),
    "msp_population_step": lambda a: independent.msp_population_step(a["W"], a["kappa"]),
    "fastica": lambda a: independent.fastica(a["W"], a["X"], 3, 0),
    "fastica_deflation": lambda a: independent.fastica_deflation(a["W"], a["X"], 3),
    "match_signed_permutation": lambda a: independent.match_signed_permutation(a["W"], a["V"]),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_same_numbers_under_jit_and_vmap(name):
    call, several = CALLS[name], [plain_inputs(seed) for seed in (50, 51, 52)]
    one_by_one = jax.tree.map(lambda *parts: np.stack(parts), *[call(inputs) for inputs in several])
    stacked = jax.tree.map(lambda *parts: np.stack(parts), *several)
    together = jax.jit(jax.vmap(call))(stacked)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=5e-5), together, one_by_one)


def test_fastica_under_vmap_stops_each_one_where_it_would_stop_alone():
    several = [plain_inputs(seed) for seed in (53, 54, 55)]
    alone = [independent.fastica(a["W"], a["X"], 50, 1e-3) for a in several]
    starts, data = (np.stack([a[name] for a in several]) for name in ("W", "X"))
    W, steps = jax.vmap(lambda W, X: independent.fastica(W, X, 50, 1e-3))(starts, data)
    assert steps.tolist() == [int(one[1]) for one in alone]
    np.testing.assert_allclose(W, np.stack([one[0] for one in alone]), atol=1e-4)


def types(name, inputs):
    """Types of the real results for these numbers, and for tracers of their shapes; nothing is compiled."""
    return {leaf.dtype.name for out in (jax.eval_shape(lambda: CALLS[name](inputs)), jax.eval_shape(CALLS[name], inputs))
            for leaf in jax.tree.leaves(out) if jnp.issubdtype(leaf.dtype, jnp.floating)}


@pytest.mark.parametrize("name", CALLS)
def test_types_of_the_results(name):
    """float64 is kept in 64-bit mode, where float32 stays float32; integers and half precision come back as float32."""
    double = plain_inputs(56)
    single = {k: a.astype(np.float32) for k, a in double.items()}
    whole = {**single, "X": np.arange(320).reshape(4, 80) % 7, "kappa": np.array([1, 2, 3, 4])}
    half = {**single, "X": single["X"].astype(jnp.bfloat16)}
    assert all(types(name, inputs) == {"float32"} for inputs in (double, single, half, whole))
    with jax.enable_x64(True):
        assert types(name, double) == {"float64"}
        assert all(types(name, inputs) == {"float32"} for inputs in (single, half, whole))


@pytest.mark.parametrize("name", [name for name in CALLS if name != "kurtosis"])  # which has no product
def test_products_are_of_full_precision_on_every_device(name):
    """Left alone, a GPU rounds float32 factors to 10 bits; the program itself must ask for more."""
    text = str(jax.make_jaxpr(CALLS[name])(plain_inputs(57)))
    assert text.count("dot_general[") == text.count("precision=(Precision.HIGHEST, Precision.HIGHEST)") > 0


X4, W4 = plain_inputs(58)["X"], plain_inputs(58)["W"]
NAN = np.where(np.eye(4, 8) > 0, np.nan, 1.0)
REFUSED = [
    (lambda: independent.whiten(np.ones(5)), r"X: got shape \(5,\), want \(D, N\)"),
    (lambda: independent.whiten(np.ones((3, 0))), r"X: got shape \(3, 0\), want \(D, N\) with nothing of size 0"),
    (lambda: independent.whiten(NAN), r"X: got nan at \[0, 0\], want \(D, N\) of numbers finite in float32"),
    (lambda: independent.whiten(X4 + 0j), r"X: got values of type complex128"),
    (lambda: independent.kurtosis(np.ones(5)), r"X: got shape \(5,\), want \(D, N\)"),
    (lambda: independent.kurtosis(NAN), r"X: got nan at \[0, 0\]"),
    (lambda: independent.l4_objective(W4, X4[:3]), r"W: got shape \(4, 4\), want \(D, D\) with D = 3"),
    (lambda: independent.l4_objective(W4[:2], X4), r"W: got shape \(2, 4\), want \(D, D\) with D = 4"),
    (lambda: independent.msp(2 * W4, X4, 3), r"W: got columns with W\^T W off the identity by 3, want orthonormal columns"),
    (lambda: independent.msp(W4[:, :2], X4, 3), r"W: got shape \(4, 2\), want \(D, D\) with D = 4"),
    (lambda: independent.msp(W4, X4, 0), r"T: got 0, want an integer >= 1"),
    (lambda: independent.msp(W4, X4, 2.0), r"T: got 2.0, want an integer"),
    (lambda: independent.msp(W4, NAN, 2), r"X: got nan at \[0, 0\]"),
    (lambda: jax.jit(independent.msp)(W4, X4, 2), r"T: got a traced value, want an integer .* known before tracing"),
    (lambda: independent.msp_population_step(W4, [1, 2]), r"kappa: got shape \(2,\), want \(D,\) with D = 4"),
    (lambda: independent.msp_population_step(W4 + 1, [1, 2, 3, 4]), r"W: got columns with W\^T W off the identity"),
    (lambda: independent.fastica(W4 + 1, X4, 3), r"W: got columns with W\^T W off the identity"),
    (lambda: independent.fastica(W4, X4[0], 3), r"X: got shape \(80,\), want \(D, N\)"),
    (lambda: independent.fastica(W4, X4, -1), r"T: got -1, want an integer >= 1"),
    (lambda: independent.fastica(W4, X4, 3, -1), r"tol: got -1, want numbers that are not negative"),
    (lambda: independent.fastica(W4, X4, 3, np.nan), r"tol: got nan at \[\]"),
    (lambda: independent.fastica_deflation(0 * W4, X4, 3), r"W: got columns with W\^T W off the identity by 1"),
    (lambda: independent.fastica_deflation(W4, X4, 0), r"T: got 0, want an integer >= 1"),
    (lambda: independent.match_signed_permutation(W4, X4[:3]), r"V: got shape \(3, 80\), want \(D, d\) with D = 4"),
    (lambda: independent.match_signed_permutation(W4, X4), r"V: got 80 columns, want no more than the 4 rows of W"),
    (lambda: independent.match_signed_permutation(W4[0], W4), r"W: got shape \(4,\), want \(m, D\)"),
    (lambda: independent.kurtosis_critical_points([]), r"kappa: got shape \(0,\), want \(D,\) with nothing of size 0"),
    (lambda: independent.kurtosis_critical_points([1, 0]), r"kappa: got a kurtosis 0, want none"),
    (lambda: independent.kurtosis_critical_points(np.ones(13)), r"kappa: got 13 kurtoses, want at most 12"),
    (lambda: independent.kurtosis_critical_points([np.inf]), r"kappa: got inf at \[0\]"),
    (lambda: jax.jit(independent.kurtosis_critical_points)(np.ones(2)), r"kappa: got a traced value, want numbers"),
    (lambda: independent.morse_index([1, 1], [1, 2]), r"w: got a vector of length 1.41, want \(D,\) of length 1"),
    (lambda: independent.morse_index([1, 0], [1]), r"kappa: got shape \(1,\), want \(D,\) with D = 2"),
]


@pytest.mark.parametrize("call, message", REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
