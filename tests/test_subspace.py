"""Every kernel of book_utils.subspace against code it shares nothing with, its stated float32 errors, and its refusals."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from book_utils import subspace

from oracles import numerical_gradient, relative, rng_of

EPS = np.finfo(np.float32).eps
seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=20, deadline=None, derandomize=True)


def frame(rng, D, d):
    return np.linalg.qr(rng.normal(size=(D, d)))[0]


def planted(rng, D, N, roots):
    """X (D, N), float32, whose X X^T / N has (to float32 rounding) the eigenvalues roots^2."""
    m = len(roots)
    return ((frame(rng, D, m) * roots) @ frame(rng, N, m).T * np.sqrt(N)).astype(np.float32)


def exact(X, d):
    """The d leading eigenvectors and eigenvalues of X X^T / N, by NumPy in float64, and lambda_{d+1}."""
    X = np.asarray(X, np.float64)
    U, s, _ = np.linalg.svd(X, full_matrices=False)
    return U[:, :d], s[:d] ** 2 / X.shape[1], np.append(s, 0)[d] ** 2 / X.shape[1]


def sine(U, V):
    """Sine of the largest principal angle, by SciPy in float64."""
    return np.sin(scipy.linalg.subspace_angles(np.asarray(U, np.float64), np.asarray(V, np.float64)).max())


@functools.cache
def digits():
    X = (load_digits().data.T / 16).astype(np.float32)
    return X - X.mean(1, keepdims=True)


# --- pca ---------------------------------------------------------------------------------------------------------------------

D_TOP = 8
SPECTRA = {  # standard deviations along the d leading directions, and along the rest
    "flat": (np.linspace(2, 1.5, D_TOP), 0.3),
    "one large": (np.r_[40, np.linspace(2, 1.5, D_TOP - 1)], 0.1),  # lambda_d / lambda_1 = 1.4e-3, by the Gram matrix
    "one larger": (np.r_[60, np.linspace(2, 1.5, D_TOP - 1)], 0.1),  # 6e-4, from the data themselves
    "geometric": (np.geomspace(1, 1e-4, D_TOP), 1e-5),
    "in pairs": (np.r_[1, 1, 1, 1, 1e-3, 1e-3, 1e-3, 1e-3], 1e-4),
    "narrow gap": (np.geomspace(1, 0.04, D_TOP), 0.04 * 0.99),
    "noiseless": (np.linspace(2, 1, D_TOP), 0.0),
}


@pytest.mark.parametrize("D, N", [(60, 200), (200, 60), (50, 50)])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_pca_keeps_the_errors_it_states(D, N, spectrum):
    top, rest = SPECTRA[spectrum]
    X = planted(rng_of(0), D, N, np.r_[top, np.full(min(D, N) - D_TOP, rest)])
    U, eigenvalues = subspace.pca(X, D_TOP)
    U_exact, exact_eigenvalues, following = exact(X, D_TOP)
    first, last = exact_eigenvalues[[0, -1]]
    assert U.shape == (D, D_TOP) and eigenvalues.shape == (D_TOP,) and U.dtype == eigenvalues.dtype == jnp.float32
    assert np.abs(np.sqrt(eigenvalues) - np.sqrt(exact_eigenvalues)).max() <= 2e-6 * np.sqrt(first)
    assert (np.abs(eigenvalues / exact_eigenvalues - 1) * np.sqrt(exact_eigenvalues / first)).max() <= 4e-6
    assert sine(U, U_exact) <= 3e-6 * np.sqrt(first * last) / (last - following)
    assert np.abs(np.asarray(U).T @ np.asarray(U) - np.eye(D_TOP)).max() <= 3e-6


def test_pca_agrees_with_scikit_learn_up_to_its_n_minus_one():
    X, d = digits(), 20
    N = X.shape[1]
    U, eigenvalues = subspace.pca(X, d)
    theirs = PCA(d, svd_solver="full").fit(X.T.astype(np.float64))
    assert relative(eigenvalues, theirs.explained_variance_ * (N - 1) / N) < 4e-6
    assert sine(U, theirs.components_.T) < 1e-4  # lambda_21 / lambda_20 = 0.98
    assert np.abs(np.abs(np.sum(np.asarray(U) * theirs.components_.T, axis=0)) - 1).max() < 1e-6
    assert 0.893 < eigenvalues.sum() / (X**2).sum() * N < 0.895  # the share of the variance that 20 components hold


def test_pca_does_not_centre():
    X = np.ones((3, 5))
    U, eigenvalues = subspace.pca(X, 1)
    np.testing.assert_allclose(U[:, 0], np.ones(3) / np.sqrt(3), rtol=1e-6)
    np.testing.assert_allclose(eigenvalues, [3], rtol=1e-6)


@pytest.mark.parametrize("X, d, expected", [
    (np.zeros((3, 3)), 3, [0, 0, 0]),
    (np.diag([3.0, 0, 2]), 3, [3, 4 / 3, 0]),  # a coordinate that is always 0, and all components
    (np.outer([3.0, 0, 4], [1, 1, 1]), 3, [25, 0, 0]),
    (np.array([[1.0], [2], [2]]), 1, [9]),
])
def test_pca_of_small_and_deficient_matrices(X, d, expected):
    U, eigenvalues = subspace.pca(X, d)
    np.testing.assert_allclose(eigenvalues, expected, atol=1e-5)
    np.testing.assert_allclose(U.T @ U, np.eye(d), atol=1e-6)
    assert (np.diff(eigenvalues) <= 0).all()


def test_pca_has_a_fixed_sign_and_repeats_itself():
    X = planted(rng_of(1), 60, 200, np.linspace(2, 0.1, 60))
    U, eigenvalues = subspace.pca(X, D_TOP)
    assert (np.take_along_axis(np.asarray(U), np.abs(U).argmax(0)[None], axis=0) > 0).all()
    for other in (subspace.pca(X, D_TOP), subspace.pca(-X, D_TOP)):
        np.testing.assert_array_equal(U, other[0])
        np.testing.assert_array_equal(eigenvalues, other[1])
    U_shuffled, _ = subspace.pca(X[:, ::-1], D_TOP)
    np.testing.assert_allclose(U, U_shuffled, atol=1e-4)


@quick
@given(seeds, st.floats(0.01, 0.3))
def test_pca_obeys_davis_and_kahan(seed, sigma):
    """sin(angle) <= ||perturbation|| / gap, for X = U Z + noise against the noiseless X."""
    rng = rng_of(seed)
    U, Z = frame(rng, 60, D_TOP), rng.normal(size=(D_TOP, 200)) * np.linspace(2, 1, D_TOP)[:, None]
    X = U @ Z + sigma * rng.normal(size=(60, 200))
    change = np.linalg.norm(X @ X.T - U @ Z @ Z.T @ U.T, 2) / 200
    gap = np.linalg.eigvalsh(Z @ Z.T / 200)[0] - np.linalg.eigvalsh(X @ X.T / 200)[-D_TOP - 1]
    angle = sine(subspace.pca(X, D_TOP)[0], U)
    assert gap <= 0 or angle <= change / gap + 1e-5


def test_pca_recovers_the_subspace_at_the_rate_of_one_over_the_root_of_n():
    """Book: Theorem 2.1. Without noise exactly; with noise sigma the sine is near sigma (sqrt(D - d) + sqrt(d)) / sqrt(N)."""
    rng, D, d = rng_of(2), 50, 5
    U, Z = frame(rng, D, d), rng.normal(size=(d, 1600))
    assert subspace.subspace_distance(U, subspace.pca(U @ Z, d)[0]) < 2e-6
    noisy = subspace.pca(U @ Z + 0.1 * rng.normal(size=(D, 1600)), d)[0]
    assert 0.7 < subspace.subspace_distance(U, noisy) * 40 / (0.1 * (np.sqrt(D - d) + np.sqrt(d))) < 1.1


@pytest.mark.parametrize("D, N, large", [(5, 9, 1), (9, 5, 1), (5, 9, 100)])
def test_pca_has_the_right_derivative_by_either_route(D, N, large):
    with jax.enable_x64(True):
        rng = rng_of(3)
        X, A = rng.normal(size=(D, N)), rng.normal(size=(D, D))
        X[0] *= large

        def by_kernel(X):
            U, eigenvalues = subspace.pca(X, 2)
            return jnp.sum((U @ U.T) * A) + jnp.sum(jnp.log(eigenvalues))

        def by_numpy(X):
            U, eigenvalues, _ = exact(X, 2)
            return np.sum((U @ U.T) * A) + np.sum(np.log(eigenvalues))

        expected = numerical_gradient(by_numpy, X)
        assert relative(jax.jit(jax.grad(by_kernel))(X), expected) < 1e-7


# --- project, subspace_distance ----------------------------------------------------------------------------------------------

def test_project_is_the_nearest_point():
    rng = rng_of(4)
    U, X = frame(rng, 7, 3), rng.normal(size=(7, 5))
    nearest = U @ scipy.linalg.lstsq(U, X)[0]
    assert relative(subspace.project(U, X), nearest) < 3e-7
    in_figure = subspace.project(np.array([[5.0], [1]]) / np.sqrt(26), np.array([[3.0], [1.5]]))
    np.testing.assert_allclose(in_figure[:, 0], [82.5 / 26, 16.5 / 26], rtol=1e-6)


@quick
@given(seeds)
def test_project_is_idempotent_symmetric_and_knows_the_subspace_alone(seed):
    rng = rng_of(seed)
    U, X, Q = frame(rng, 6, 2), rng.normal(size=(6, 4)), frame(rng, 2, 2)
    once = subspace.project(U, X)
    np.testing.assert_allclose(subspace.project(U, once), once, atol=2e-6)
    np.testing.assert_allclose(subspace.project(U @ Q, X), once, atol=2e-6)
    np.testing.assert_allclose((X * once).sum(), (np.asarray(once) ** 2).sum(), rtol=1e-5)  # x^T P x = ||P x||^2


def test_residual_of_the_projection_has_the_right_gradient():
    with jax.enable_x64(True):
        rng = rng_of(5)
        U, X = frame(rng, 6, 2), rng.normal(size=(6, 9))
        by_autodiff = jax.grad(lambda U: jnp.mean(jnp.sum((X - subspace.project(U, X)) ** 2, axis=0)))(U)
        expected = numerical_gradient(lambda U: np.mean(np.sum((X - U @ U.T @ X) ** 2, axis=0)), U)
        assert relative(by_autodiff, expected) < 1e-8


@pytest.mark.parametrize("D, d", [(40, 3), (300, 10)])
@pytest.mark.parametrize("angle", [0, 1e-7, 1e-5, 1e-4, 1e-2, 1, np.pi / 2])
def test_distance_of_planes_at_a_known_angle(D, d, angle):
    rng = rng_of(6)
    basis, others = frame(rng, D, 2 * d), np.r_[angle, rng.uniform(0, angle, d - 1)]
    U = basis[:, :d]
    V = (U * np.cos(others) + basis[:, d:] * np.sin(others)) @ frame(rng, d, d)
    measured = subspace.subspace_distance(U, V)
    assert measured.shape == () and 0 <= measured <= 1
    assert abs(measured - np.sin(angle)) < 1e-6


def test_distance_agrees_with_scipy_in_double_precision():
    with jax.enable_x64(True):
        for seed in range(5):
            rng = rng_of(seed)
            U, V = frame(rng, 9, 3), frame(rng, 9, 3)
            assert abs(subspace.subspace_distance(U, V) - sine(U, V)) < 1e-14
            near = np.linalg.qr(U + 1e-9 * rng.normal(size=U.shape))[0]
            assert abs(subspace.subspace_distance(U, near) - sine(U, near)) < 1e-15


@quick
@given(seeds)
def test_distance_is_a_metric_of_subspaces(seed):
    rng = rng_of(seed)
    U, V, W, Q = frame(rng, 6, 2), frame(rng, 6, 2), frame(rng, 6, 2), frame(rng, 2, 2)
    d = subspace.subspace_distance
    assert abs(d(U @ Q, V) - d(U, V)) < 1e-6
    assert abs(d(V, U) - d(U, V)) < 1e-6
    assert d(U, U @ Q) < 1e-6
    assert d(U, V) <= d(U, W) + d(W, V) + 1e-6


# --- power and orthogonal iteration ------------------------------------------------------------------------------------------

def spectral(rng, eigenvalues, N=40):
    """X (D, N) with X X^T / N = W diag(eigenvalues) W^T to float32 rounding, and W (D, D)."""
    W = frame(rng, len(eigenvalues), len(eigenvalues))
    return (W * np.sqrt(eigenvalues)) @ frame(rng, N, len(eigenvalues)).T * np.sqrt(N), W


@pytest.mark.parametrize("T", [1, 6])
def test_power_iteration_is_a_power_of_the_matrix(T):
    """v_T = M^T v_0 / ||M^T v_0||, by eigenvalues; the quotients from the same formula."""
    X, W = spectral(rng_of(7), eigenvalues := np.array([1, 0.8, 0.5, 0.1]))
    start = rng_of(8).normal(size=4)
    v, eigenvalue, history = subspace.power_iteration(X, start, T)
    coordinates = eigenvalues ** np.arange(T + 1)[:, None] * (W.T @ start)
    coordinates /= np.linalg.norm(coordinates, axis=1, keepdims=True)
    assert history.shape == (T + 1,) and eigenvalue.shape == ()
    assert relative(v, W @ coordinates[-1]) < 1e-6
    assert relative(history, coordinates**2 @ eigenvalues) < 1e-6
    assert eigenvalue == history[-1]


def test_power_iteration_converges_as_the_book_says():
    """Tangent to w_1 and error of the quotient after 40 steps on the spectrum (1, .8, .5, .1); the quotient never falls."""
    with jax.enable_x64(True):
        X, W = spectral(rng_of(9), np.array([1, 0.8, 0.5, 0.1]))
        start = W @ np.array([1.0, 1, 0, 0])
        v, eigenvalue, history = subspace.power_iteration(X, start, 40)
        tangent = np.linalg.norm(W[:, 1:].T @ v) / abs(W[:, 0] @ v)
        assert abs(tangent / 0.8**40 - 1) < 1e-9
        assert abs((1 - eigenvalue) / (0.2 * 0.8**80) - 1) < 1e-3
        assert (np.diff(history) > -1e-15).all()


def test_power_iteration_knows_no_scale():
    X, start = rng_of(10).normal(size=(5, 30)), rng_of(11).normal(size=5)
    v, eigenvalue, history = subspace.power_iteration(X, start, 9)
    for scale in (1e-14, 1e14):
        scaled = subspace.power_iteration(scale * X, 1e-30 * start, 9)
        np.testing.assert_allclose(scaled[0], v, atol=1e-6)
        np.testing.assert_allclose(np.float64(scaled[1]) / scale**2, eigenvalue, rtol=1e-5)
        np.testing.assert_allclose(np.float64(scaled[2]) / scale**2, history, rtol=1e-5)


def test_power_iteration_stays_in_the_null_space():
    v, eigenvalue, history = subspace.power_iteration(np.outer([1.0, 0, 0], [1, 2]), [0, 3, 4], 3)
    np.testing.assert_allclose(v, [0, 0.6, 0.8], rtol=1e-6)
    assert eigenvalue == 0 and not history.any()
    slope = jax.grad(lambda X: subspace.power_iteration(X, [0, 3, 4], 3)[1])(jnp.array([[1.0, 2], [0, 0], [0, 0]]))
    assert np.isfinite(slope).all()


def test_power_iteration_has_the_right_derivative():
    with jax.enable_x64(True):
        X, start = rng_of(12).normal(size=(4, 7)), rng_of(13).normal(size=4)

        def by_numpy(X):
            v = np.linalg.matrix_power(X @ X.T, 3) @ start
            return v @ X @ X.T @ v / (v @ v) / 7

        by_autodiff = jax.grad(lambda X: subspace.power_iteration(X, start, 3)[1])(X)
        assert relative(by_autodiff, numerical_gradient(by_numpy, X)) < 1e-7


def test_orthogonal_iteration_agrees_with_a_plain_loop():
    rng = rng_of(14)
    X, start = rng.normal(size=(6, 30)), rng.normal(size=(6, 3))
    V, eigenvalues, history = subspace.orthogonal_iteration(start, X, 5)
    M, Q, quotients = X @ X.T / 30, start, []
    for step in range(6):  # Gram-Schmidt by hand
        Q = Q if step == 0 else M @ Q
        columns = []
        for column in Q.T:
            column = column - sum(((c @ column) * c for c in columns), np.zeros(6))
            columns.append(column / np.linalg.norm(column))
        Q = np.array(columns).T
        quotients.append([q @ M @ q for q in Q.T])
    assert relative(V, Q) < 3e-6
    assert relative(history, np.array(quotients)) < 2e-6
    np.testing.assert_array_equal(eigenvalues, history[-1])


def test_orthogonal_iteration_finds_the_top_subspace_at_its_rate():
    with jax.enable_x64(True):
        X, W = spectral(rng_of(15), np.array([4, 3, 1, 0.5, 0.2]))
        start = rng_of(16).normal(size=(5, 2))
        angles = [sine(subspace.orthogonal_iteration(start, X, T)[0], W[:, :2]) for T in (12, 14)]
        assert abs(np.sqrt(angles[1] / angles[0]) / (1 / 3) - 1) < 0.01
        V, eigenvalues, _ = subspace.orthogonal_iteration(start, X, 100)
        assert np.abs(eigenvalues - np.array([4, 3])).max() < 1e-9
        assert np.abs(np.abs(W[:, :2].T @ V) - np.eye(2)).max() < 1e-9


def test_orthogonal_iteration_of_one_vector_is_power_iteration():
    X, start = rng_of(17).normal(size=(6, 30)), rng_of(18).normal(size=6)
    v, eigenvalue, history = subspace.power_iteration(X, start, 5)
    V, eigenvalues, histories = subspace.orthogonal_iteration(start[:, None], X, 5)
    np.testing.assert_allclose(V[:, 0], v, atol=1e-6)
    np.testing.assert_allclose(eigenvalues[0], eigenvalue, rtol=1e-6)
    np.testing.assert_allclose(histories[:, 0], history, rtol=1e-6)


def test_orthogonal_iteration_stays_orthonormal_when_the_data_have_less_rank():
    V, eigenvalues, _ = subspace.orthogonal_iteration(np.eye(4)[:, :3], np.outer([1.0, 1, 0, 0], [1, 2]), 3)
    np.testing.assert_allclose(V.T @ V, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(eigenvalues, [5, 0, 0], atol=1e-5)


def sizes_inside(jaxpr):
    for equation in jaxpr.eqns:
        yield from (v.aval.size for v in equation.outvars)
        for parameter in jax.tree.leaves(equation.params, is_leaf=lambda p: hasattr(p, "eqns") or hasattr(p, "jaxpr")):
            inner = getattr(parameter, "jaxpr", parameter)
            if hasattr(inner, "eqns"):
                yield from sizes_inside(inner)


@pytest.mark.parametrize("call", [
    lambda X, v, V: subspace.pca(X, 5),
    lambda X, v, V: subspace.ppca(X, 5),
    lambda X, v, V: subspace.power_iteration(X, v, 10),
    lambda X, v, V: subspace.orthogonal_iteration(V, X, 10),
    lambda X, v, V: subspace.project(V, X),
], ids=["pca", "ppca", "power_iteration", "orthogonal_iteration", "project"])
def test_nothing_larger_than_the_data_is_made(call):
    """For D = 20,000 and N = 50: no D x D array in the program."""
    D, N, d = 20_000, 50, 5
    shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((D, N), (D,), (D, d))]
    sizes = list(sizes_inside(jax.make_jaxpr(call)(*shapes).jaxpr))
    assert len(sizes) > 3 and max(sizes) <= D * N


# --- oja ---------------------------------------------------------------------------------------------------------------------

def oja_by_hand(X, u, gains):
    """The rule in Python floats, one number at a time."""
    path = []
    for x, gain in zip(X.T.tolist(), gains):
        output = sum(a * b for a, b in zip(u, x))
        u = [a + gain * output * b for a, b in zip(u, x)]
        length = sum(a * a for a in u) ** 0.5
        u = [a / length for a in u]
        path.append(u)
    return np.array(path).T


@pytest.mark.parametrize("gamma", [0.05, 0.0, 1 / np.arange(10, 310)], ids=["constant", "zero", "one a sample"])
def test_oja_agrees_with_plain_python(gamma):
    rng = rng_of(19)
    X, start = rng.normal(size=(4, 300)) * [[2], [1], [1], [0.5]], rng.normal(size=4)
    u, path = subspace.oja(X, start, gamma)
    expected = oja_by_hand(X, list(start), np.broadcast_to(gamma, 300).tolist())
    assert path.shape == (4, 300)
    assert np.abs(path - expected).max() < 5e-6
    np.testing.assert_array_equal(u, path[:, -1])


def test_oja_is_projected_descent_with_a_gain_of_its_own():
    """For unit u, normalise(u - (g / 2) grad ||x - u u^T x||^2) with g = gamma / (1 + gamma eta^2) is one step, exactly."""
    with jax.enable_x64(True):
        rng = rng_of(20)
        x, u, gamma = rng.normal(size=5), frame(rng, 5, 1)[:, 0], 0.3
        eta = u @ x
        gain = gamma / (1 + gamma * eta**2)
        descended = u + gain * (eta * x - eta**2 * u)
        stepped, _ = subspace.oja(x[:, None], u, gamma)
        np.testing.assert_allclose(stepped, descended / np.linalg.norm(descended), atol=1e-15)


def test_oja_needs_a_decaying_gain_to_converge():
    rng, N = rng_of(21), 20_000
    X, start = np.sqrt([[3], [2], [1], [0.5], [0.1]]) * rng.normal(size=(5, N)), np.ones(5)
    constant = subspace.oja(X, start, 0.03)[1]
    decaying = subspace.oja(X, start, 1 / (np.arange(N) + 10))[1]
    floor, last = [np.mean(1 - np.asarray(path[0, N // 2:], np.float64) ** 2) for path in (constant, decaying)]
    assert 0.05 < floor < 0.2 and last < 0.01


# --- ppca, wiener ------------------------------------------------------------------------------------------------------------

def ppca_data(sigma, D=30, N=400, d=4, seed=22):
    rng = rng_of(seed)
    X = frame(rng, D, d) @ (np.array([[3], [2], [1.5], [1]]) * rng.normal(size=(d, N))) + sigma * rng.normal(size=(D, N))
    return X.astype(np.float32)


@pytest.mark.parametrize("sigma", [1, 0.1, 0.01, 0.001])
def test_ppca_keeps_the_errors_it_states(sigma):
    X, d = ppca_data(sigma), 4
    U, S, fitted = subspace.ppca(X, d)
    X = X.astype(np.float64)
    eigenvalues = np.linalg.eigvalsh(X @ X.T / X.shape[1])[::-1]
    variance = eigenvalues[d:].mean()
    assert abs(fitted / np.sqrt(variance) - 1) < 2e-6
    assert relative(S, eigenvalues[:d] - variance) < 2e-6
    assert sine(U, exact(X, d)[0]) < 1e-5


def test_ppca_agrees_with_scikit_learn_up_to_its_n_minus_one():
    X, d = digits(), 10
    N = X.shape[1]
    fit = subspace.ppca(X, d)
    theirs = PCA(d, svd_solver="full").fit(X.T.astype(np.float64))
    variance = theirs.noise_variance_ * (N - 1) / N
    assert abs(fit.sigma**2 / variance - 1) < 5e-6
    assert relative(fit.S, theirs.explained_variance_ * (N - 1) / N - variance) < 5e-6
    covariance = np.asarray(fit.U) * fit.S @ np.asarray(fit.U).T + fit.sigma**2 * np.eye(64)
    assert relative(covariance, theirs.get_covariance() * (N - 1) / N) < 5e-6


def test_ppca_maximises_the_likelihood():
    X, d = ppca_data(0.5).astype(np.float64), 4
    fit = subspace.ppca(X, d)
    U, S, variance = np.asarray(fit.U, np.float64), np.asarray(fit.S, np.float64), float(fit.sigma) ** 2

    def log_likelihood(U, S, variance):
        covariance = (U * S) @ U.T + variance * np.eye(30)
        return -0.5 * (np.linalg.slogdet(covariance)[1] + np.trace(np.linalg.solve(covariance, X @ X.T)) / X.shape[1])

    best, rng = log_likelihood(U, S, variance), rng_of(23)
    for _ in range(20):
        other = np.linalg.qr(U + 0.03 * rng.normal(size=U.shape))[0]
        assert log_likelihood(other, S, variance) < best
        assert log_likelihood(U, S * np.exp(0.1 * rng.normal(size=d)), variance) < best
        assert log_likelihood(U, S, variance * np.exp(0.1 * rng.normal())) < best


def test_ppca_at_its_edges():
    wide = subspace.ppca(rng_of(24).normal(size=(6, 3)), 3)  # nothing is left over for the noise
    assert wide.sigma < 1e-6 and (wide.S > 0).all()
    white = subspace.ppca(np.eye(4) * 2, 2)  # all eigenvalues 1: no direction stands out
    np.testing.assert_allclose(white.sigma, 1, rtol=1e-6)
    assert (white.S >= 0).all() and (white.S < 1e-6).all()


@pytest.mark.parametrize("sigma", [0.3, 3.0])
def test_wiener_is_the_conditional_mean(sigma):
    """Cov(clean, x) Cov(x)^-1 x, with the matrices written out."""
    rng = rng_of(25)
    U, S, X = frame(rng, 7, 3), np.array([4, 1, 0.25]), rng.normal(size=(7, 5))
    clean = (U * S) @ U.T
    expected = clean @ np.linalg.solve(clean + sigma**2 * np.eye(7), X)
    assert relative(subspace.wiener(U, X, S, sigma), expected) < 1e-6


def test_wiener_beats_the_projection_by_the_predicted_margin():
    """sigma = 1 and S = (4, 1, 1/4) in D = 20: mean squared errors 20 (noisy), 3 (projection), 0.8 + 0.5 + 0.2 (Wiener)."""
    rng, N = rng_of(26), 20_000
    U, S = frame(rng, 20, 3), np.array([4, 1, 0.25])
    clean = U @ (np.sqrt(S)[:, None] * rng.normal(size=(3, N)))
    X = clean + rng.normal(size=(20, N))
    errors = [((np.asarray(Y) - clean) ** 2).sum() / N for Y in (X, subspace.project(U, X), subspace.wiener(U, X, S, 1))]
    np.testing.assert_allclose(errors, [20, 3, 1.5], rtol=0.03)


def test_wiener_without_noise_or_without_signal():
    rng = rng_of(27)
    U, X = frame(rng, 6, 2), rng.normal(size=(6, 4))
    np.testing.assert_allclose(subspace.wiener(U, X, [2, 0], 0), subspace.project(U[:, :1], X), atol=1e-6)
    np.testing.assert_array_equal(subspace.wiener(U, X, [0, 0], 0), 0)
    slope = jax.grad(lambda S: jnp.sum(subspace.wiener(U, X, S, 0.0) ** 2))(jnp.array([2.0, 0]))
    assert np.isfinite(slope).all()


# --- completion --------------------------------------------------------------------------------------------------------------

def test_complete_rank1_needs_a_column_and_a_row_only():
    rng = rng_of(28)
    X = np.outer(rng.normal(size=6), rng.normal(size=9))
    Y = np.full((6, 9), np.nan)
    Y[:, 0], Y[-1] = X[:, 0], X[-1]
    assert relative(subspace.complete_rank1(Y), X) < 3e-7
    assert relative(jax.jit(subspace.complete_rank1)(Y), X) < 3e-7
    np.testing.assert_array_equal(subspace.complete_rank1([[7]]), [[7]])


def test_complete_rank1_without_a_pivot():
    Y = np.outer([1.0, 2, 0], [1, 5])
    with pytest.raises(ValueError, match=r"Y: got 0 at the pivot Y\[-1, 0\]"):
        subspace.complete_rank1(Y)
    assert not np.isfinite(jax.jit(subspace.complete_rank1)(Y)).any()


def masked(seed, D, N, r, share):
    rng = rng_of(seed)
    X = rng.normal(size=(D, r)) @ rng.normal(size=(r, N))
    mask = rng.random((D, N)) < share
    return X, mask, np.where(mask, X, np.nan)


@pytest.mark.parametrize("seed", range(3))
def test_als_completes_what_it_should(seed):
    X, mask, Y = masked(seed, 40, 60, 2, 0.4)
    completed = subspace.als_complete(Y, mask, 2, 40)
    assert relative(completed, X) < 2e-5
    assert relative(1000 * X, 1000 * np.asarray(completed, np.float64)) < 2e-5
    np.testing.assert_array_equal(completed, subspace.als_complete(Y, mask, 2, 40))
    np.testing.assert_allclose(subspace.als_complete(1e-3 * Y, mask, 2, 40), 1e-3 * completed, atol=1e-7)


def test_als_agrees_with_plain_loops_of_least_squares():
    """Before it has converged, so that the steps themselves are compared; noisy, so that no fit is exact."""
    X, mask, _ = masked(3, 15, 12, 2, 0.7)
    Y = X + 0.3 * rng_of(29).normal(size=X.shape)
    U = np.linalg.svd(np.where(mask, Y, 0))[0][:, :2]

    def solve(A, Y, mask):
        return np.array([np.linalg.lstsq(A[m], y[m], rcond=None)[0] for y, m in zip(Y, mask)])

    for _ in range(3):
        U = solve(solve(U, Y.T, mask.T), Y, mask)
    expected = U @ solve(U, Y.T, mask.T).T
    assert relative(subspace.als_complete(Y, mask, 2, 3), expected) < 3e-5


def test_als_with_too_few_entries():
    X, mask, Y = masked(4, 40, 60, 2, 0.4)
    mask = mask.copy()
    mask[:, 5] = False
    mask[:, 6] = np.arange(40) == 3  # one entry for two unknowns
    completed = np.asarray(subspace.als_complete(Y, mask, 2, 40))
    np.testing.assert_array_equal(completed[:, 5], 0)
    assert np.isfinite(completed).all() and abs(completed[3, 6] - X[3, 6]) < 1e-3 * abs(X[3, 6])
    seen = (np.arange(60) != 5) & (np.arange(60) != 6)
    assert relative(completed[:, seen], X[:, seen]) < 2e-5
    hopeless = masked(5, 60, 60, 20, 0.1)  # 6 entries for 20 unknowns: every system leans on the ridge
    assert np.isfinite(subspace.als_complete(hopeless[2], hopeless[1], 20, 20)).all()


# --- all of them -------------------------------------------------------------------------------------------------------------

def plain_inputs(seed):
    rng = rng_of(seed)
    X = rng.normal(size=(5, 8)) * np.array([[3], [2], [1], [0.5], [0.2]])
    return {"X": X, "U": frame(rng, 5, 2), "V": frame(rng, 5, 2), "v": rng.normal(size=5), "S": np.array([2, 0.5]),
            "sigma": np.array(0.3), "gamma": np.array(0.05), "mask": rng.random((5, 8)) < 0.8,
            "Y": np.outer(rng.normal(size=5), rng.normal(size=8))}


CALLS = {
    "pca": lambda a: subspace.pca(a["X"], 2),
    "project": lambda a: subspace.project(a["U"], a["X"]),
    "subspace_distance": lambda a: subspace.subspace_distance(a["U"], a["V"]),
    "power_iteration": lambda a: subspace.power_iteration(a["X"], a["v"], 4),
    "orthogonal_iteration": lambda a: subspace.orthogonal_iteration(a["V"], a["X"], 4),
    "oja": lambda a: subspace.oja(a["X"], a["v"], a["gamma"]),
    "ppca": lambda a: subspace.ppca(a["X"], 2),
    "wiener": lambda a: subspace.wiener(a["U"], a["X"], a["S"], a["sigma"]),
    "complete_rank1": lambda a: subspace.complete_rank1(a["Y"]),
    "als_complete": lambda a: subspace.als_complete(a["Y"], a["mask"], 1, 5),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_same_numbers_under_jit_and_vmap(name):
    call, several = CALLS[name], [plain_inputs(seed) for seed in (30, 31, 32)]
    one_by_one = jax.tree.map(lambda *parts: np.stack(parts), *[call(inputs) for inputs in several])
    stacked = jax.tree.map(lambda *parts: np.stack(parts), *several)
    together = jax.jit(jax.vmap(call))(stacked)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), together, one_by_one)


def types(name, inputs):
    """Types of the results for these numbers, and for tracers of their shapes; nothing is compiled."""
    return {leaf.dtype.name for out in (jax.eval_shape(lambda: CALLS[name](inputs)), jax.eval_shape(CALLS[name], inputs))
            for leaf in jax.tree.leaves(out)}


@pytest.mark.parametrize("name", CALLS)
def test_types_of_the_results(name):
    """float64 is kept in 64-bit mode, where float32 stays float32; integers and half precision come back as float32."""
    double = plain_inputs(33)
    single, half = [{k: a.astype(t) if a.dtype == float else a for k, a in double.items()} for t in (np.float32, jnp.bfloat16)]
    whole = {**single, "X": np.arange(40).reshape(5, 8) % 7, "v": np.arange(5), "Y": np.outer(range(1, 6), range(1, 9))}
    half = {**single, "X": half["X"], "Y": half["Y"]}
    assert all(types(name, inputs) == {"float32"} for inputs in (double, single, half, whole))
    with jax.enable_x64(True):
        assert types(name, double) == {"float64"}
        assert all(types(name, inputs) == {"float32"} for inputs in (single, half, whole))


@pytest.mark.parametrize("name", [name for name in CALLS if name != "complete_rank1"])  # which has no product
def test_products_are_of_full_precision_on_every_device(name):
    """Left alone, a GPU rounds float32 factors to 10 bits; the program itself must ask for more."""
    text = str(jax.make_jaxpr(CALLS[name])(plain_inputs(34)))
    assert text.count("dot_general[") == text.count("precision=(Precision.HIGHEST, Precision.HIGHEST)") > 0


X5, U5 = plain_inputs(35)["X"], plain_inputs(35)["U"]
M5, NAN = np.ones((5, 8), bool), np.where(np.eye(5, 8) > 0, np.nan, 1.0)
REFUSED = [
    (lambda: subspace.pca(np.ones(5), 1), r"X: got shape \(5,\), want \(D, N\)"),
    (lambda: subspace.pca(np.ones((2, 3, 4)), 1), r"X: got shape \(2, 3, 4\), want \(D, N\)"),
    (lambda: subspace.pca(np.ones((0, 3)), 1), r"X: got shape \(0, 3\), want \(D, N\) with nothing of size 0"),
    (lambda: subspace.pca(X5, 0), r"d: got 0, want an integer from 1 to min\(D, N\) = 5"),
    (lambda: subspace.pca(X5, 6), r"d: got 6, want an integer from 1 to min\(D, N\) = 5"),
    (lambda: subspace.pca(X5[:, :3], 4), r"d: got 4, want an integer from 1 to min\(D, N\) = 3"),
    (lambda: subspace.pca(X5, 2.0), r"d: got 2.0, want an integer"),
    (lambda: subspace.pca(X5, True), r"d: got True, want an integer"),
    (lambda: subspace.pca(X5, "2"), r"d: got '2', want an integer"),
    (lambda: jax.jit(subspace.pca)(X5, 2), r"d: got a traced value, want an integer .* known before tracing"),
    (lambda: jax.jit(lambda X: subspace.pca(X, 6))(X5), r"d: got 6, want an integer from 1 to min\(D, N\) = 5"),
    (lambda: subspace.pca(NAN, 2), r"X: got nan at \[0, 0\], want \(D, N\) of numbers finite in float32"),
    (lambda: subspace.pca(np.full((2, 2), 1e300), 2), r"X: got inf at \[0, 0\], want \(D, N\) of numbers finite in float32"),
    (lambda: subspace.pca(X5 + 0j, 2), r"X: got values of type complex128, want \(D, N\) of real numbers"),
    (lambda: subspace.pca(X5 > 0, 2), r"X: got values of type bool, want \(D, N\) of real numbers"),
    (lambda: subspace.pca([["a", "b"]], 1), r"X: got values of type <U1, want \(D, N\) of real numbers"),
    (lambda: subspace.pca([[1, 2], [3]], 1), r"X: got list that does not make an array, want numbers"),
    (lambda: subspace.pca(None, 1), r"X: got values of type object, want \(D, N\) of real numbers"),
    (lambda: subspace.project(np.eye(4), X5), r"X: got shape \(5, 8\), want \(D, N\) with D = 4"),
    (lambda: subspace.project(X5, X5), r"U: got shape \(5, 8\), want \(D, d\) with no more columns than rows"),
    (lambda: subspace.project(2 * U5, X5), r"U: got columns with U\^T U off the identity by 3, want orthonormal columns"),
    (lambda: subspace.project(U5, X5[:, 0]), r"X: got shape \(5,\), want \(D, N\) with D = 5"),
    (lambda: subspace.project(NAN[:, :2], X5), r"U: got nan at \[0, 0\]"),
    (lambda: subspace.subspace_distance(U5, U5[:, :1]), r"V: got shape \(5, 1\), want \(D, d\) with D = 5 and d = 2"),
    (lambda: subspace.subspace_distance(U5, U5 + 1), r"V: got columns with V\^T V off the identity"),
    (lambda: subspace.power_iteration(X5, np.ones(4), 3), r"v: got shape \(4,\), want \(D,\) with D = 5"),
    (lambda: subspace.power_iteration(X5, np.zeros(5), 3), r"v: got a vector of zeros, want \(D,\) with a direction"),
    (lambda: subspace.power_iteration(X5, np.ones(5), 0), r"T: got 0, want an integer >= 1"),
    (lambda: subspace.power_iteration(NAN, np.ones(5), 1), r"X: got nan"),
    (lambda: subspace.orthogonal_iteration(np.ones((5, 2)), X5, 3), r"V: got 2 columns of rank 1, want linearly independent"),
    (lambda: subspace.orthogonal_iteration(np.eye(5, 6), X5, 3), r"V: got 6 columns of rank 5, want linearly independent"),
    (lambda: jax.jit(lambda V: subspace.orthogonal_iteration(V, X5, 3))(np.eye(5, 6)), r"V: got 6 columns of rank 5"),
    (lambda: subspace.orthogonal_iteration(U5[:4], X5, 3), r"V: got shape \(4, 2\), want \(D, d\) with D = 5"),
    (lambda: subspace.orthogonal_iteration(U5, X5, -1), r"T: got -1, want an integer >= 1"),
    (lambda: subspace.oja(X5, np.zeros(5), 0.1), r"u: got a vector of zeros, want \(D,\) with a direction"),
    (lambda: subspace.oja(X5, np.ones(3), 0.1), r"u: got shape \(3,\), want \(D,\) with D = 5"),
    (lambda: subspace.oja(X5, np.ones(5), -0.1), r"gamma: got -0.1, want numbers that are not negative"),
    (lambda: subspace.oja(X5, np.ones(5), np.ones(7)), r"gamma: got shape \(7,\), want \(N,\) with N = 8"),
    (lambda: subspace.oja(X5, np.ones(5), np.nan), r"gamma: got nan at \[\], want \(\) of numbers finite"),
    (lambda: subspace.ppca(X5, 5), r"d: got 5, want an integer from 1 to min\(D - 1, N\) = 4"),
    (lambda: subspace.ppca(np.ones((1, 3)), 1), r"d: got 1, want an integer from 1 to min\(D - 1, N\) = 0"),
    (lambda: subspace.wiener(U5, X5, np.ones(3), 1), r"S: got shape \(3,\), want \(d,\) with d = 2"),
    (lambda: subspace.wiener(U5, X5, [1, -1], 1), r"S: got -1, want numbers that are not negative"),
    (lambda: subspace.wiener(U5, X5, [1, 1], -1), r"sigma: got -1, want numbers that are not negative"),
    (lambda: subspace.wiener(U5, X5, [1, 1], [1, 1]), r"sigma: got shape \(2,\), want \(\)"),
    (lambda: subspace.wiener(U5, X5[:4], [1, 1], 1), r"X: got shape \(4, 8\), want \(D, N\) with D = 5"),
    (lambda: subspace.complete_rank1(np.ones(3)), r"Y: got shape \(3,\), want \(D, N\)"),
    (lambda: subspace.complete_rank1(NAN), r"Y\[:, 0\]: got nan at \[0\]"),
    (lambda: subspace.complete_rank1(np.array([[1, np.nan], [1, np.inf]])), r"Y\[-1\]: got inf at \[1\]"),
    (lambda: subspace.als_complete(X5, np.ones((5, 8)), 2, 3), r"mask: got values of type float64, want \(D, N\) of True"),
    (lambda: subspace.als_complete(X5, M5[:4], 2, 3), r"mask: got shape \(4, 8\), want \(D, N\) with D = 5 and N = 8"),
    (lambda: subspace.als_complete(X5, ~M5, 2, 3), r"mask: got no True, want at least one"),
    (lambda: subspace.als_complete(NAN, M5, 2, 3), r"Y: got numbers that are not finite where mask is True"),
    (lambda: subspace.als_complete(X5, M5, 6, 3), r"r: got 6, want an integer from 1 to min\(D, N\) = 5"),
    (lambda: subspace.als_complete(X5, M5, 2, 0), r"T: got 0, want an integer >= 1"),
]


@pytest.mark.parametrize("call, message", REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
