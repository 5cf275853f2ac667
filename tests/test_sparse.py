"""Every kernel of book_utils.sparse against code it shares nothing with, its stated float32 errors, and its refusals."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import DictionaryLearning, sparse_encode
from sklearn.linear_model import Lasso, orthogonal_mp, orthogonal_mp_gram

from book_utils import data, sparse

from oracles import numerical_gradient, relative, rng_of

EPS = np.finfo(np.float32).eps
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # asked for more than float64 has
seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=20, deadline=None, derandomize=True)


def unit_atoms(rng, D, m):
    A = rng.normal(size=(D, m))
    return A / np.linalg.norm(A, axis=0)


def objective(A, X, Z, lam):
    """By NumPy in float64, for whatever numbers the kernel was given and gave back."""
    A, X, Z = (np.asarray(array, np.float64) for array in (A, X, Z))
    return ((X - A @ Z) ** 2).sum() + lam * np.abs(Z).sum()


def by_scikit_learn(A, X, lam):
    """Column by column, min 1/(2 D) ||x - A z||^2 + alpha ||z||_1: this problem for alpha = lam / (2 D)."""
    A, X = np.asarray(A, np.float64), np.asarray(X, np.float64)
    model = Lasso(alpha=lam / (2 * len(A)), fit_intercept=False, tol=1e-13, max_iter=1_000_000)
    return model.fit(A, X).coef_.reshape(X.shape[1], -1).T


@functools.cache
def patches(N=500):
    X = np.array(data.natural_patches(jax.random.key(0), 3 * N))
    X = X[:, X.std(axis=0) > 0.04][:, :N]
    return X / np.linalg.norm(X, axis=0)


# --- thresholds --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("a", [0.0, 0.3, 1.7])
def test_soft_threshold_minimises_what_it_says(a):
    """Against the best point of a fine grid: neither z near the answer nor any other does better."""
    x = np.linspace(-3, 3, 41)
    grid = np.linspace(-4, 4, 8001)  # 0 is on it
    value = lambda z: (z - x[:, None]) ** 2 / 2 + a * np.abs(z)  # noqa: E731
    np.testing.assert_allclose(sparse.soft_threshold(x, a), grid[value(grid[None]).argmin(1)], atol=6e-4)
    nonnegative = grid[grid >= 0]
    np.testing.assert_allclose(sparse.nonnegative_threshold(x, a), nonnegative[value(nonnegative[None]).argmin(1)], atol=6e-4)


def test_thresholds_at_their_edges():
    np.testing.assert_array_equal(sparse.soft_threshold([-3.0, -1, -0.5, 0, 0.5, 1, 3], 1), [-2, 0, 0, 0, 0, 0, 2])
    np.testing.assert_array_equal(sparse.nonnegative_threshold([-3.0, -1, 0, 1, 3], 1), [0, 0, 0, 0, 2])
    np.testing.assert_array_equal(sparse.soft_threshold(np.ones((2, 3)), [[0.0], [0.25]]), [[1] * 3, [0.75] * 3])
    x = np.full((2, 3, 4), -2.0)
    np.testing.assert_array_equal(sparse.soft_threshold(x, [0, 1, 2, 3]), np.tile([-2, -1, 0, 0], (2, 3, 1)))
    assert sparse.soft_threshold(3.0, 1).shape == () and sparse.soft_threshold(3, 1) == 2
    slopes = jax.vmap(jax.grad(sparse.soft_threshold), in_axes=(0, None))
    np.testing.assert_array_equal(slopes(jnp.array([-2.0, -1, -0.5, 0, 1, 2]), 1.0), [1, 0, 0, 0, 0, 1])
    slopes = jax.vmap(jax.grad(sparse.soft_threshold, 1))
    np.testing.assert_array_equal(slopes(jnp.array([-2.0, 0.5, 2]), jnp.ones(3)), [1, 0, -1])


@quick
@given(seeds, st.floats(0, 3))
def test_thresholds_have_the_properties_of_a_proximal_map(seed, a):
    x, y = rng_of(seed).normal(size=(2, 50)).astype(np.float32)
    a = np.float32(a)
    s = np.asarray(sparse.soft_threshold(x, a))
    np.testing.assert_allclose(s + np.clip(x, -a, a), x, atol=2 * EPS)  # Moreau
    np.testing.assert_array_equal(sparse.soft_threshold(-x, a), -s)
    for f in (sparse.soft_threshold, sparse.nonnegative_threshold):
        p, q = np.asarray(f(x, a)), np.asarray(f(y, a))
        assert ((p - q) * (x - y) >= 0).all() and (np.abs(p - q) <= np.abs(x - y) + 4 * EPS).all()  # monotone, 1-Lipschitz
    rectified = sparse.nonnegative_threshold(x, a) - sparse.nonnegative_threshold(-x, a)
    np.testing.assert_array_equal(rectified, s)  # two rectifiers make it


# --- the LASSO: objective, gap, optimality ------------------------------------------------------------------------------------

def test_spectral_norm_of_wide_tall_and_zero_matrices():
    for shape in ((5, 30), (30, 5), (7, 7)):
        A = rng_of(0).normal(size=shape) * np.geomspace(1, 1e-3, shape[1])
        assert abs(sparse.spectral_norm(A) / np.linalg.norm(A, 2) - 1) < 2e-6
    assert sparse.spectral_norm(np.zeros((3, 4))) == 0


def test_the_convention_has_no_one_half():
    """scikit-learn's alpha is lam / 2 in sparse_encode and lam / (2 D) in Lasso; lam itself in their place is wrong."""
    A, X, lam = unit_atoms(rng_of(1), 10, 20), rng_of(2).normal(size=(10, 15)), 0.7
    Z = np.asarray(sparse.fista(A, X, lam, 1000)[0])
    np.testing.assert_allclose(Z, by_scikit_learn(A, X, lam), atol=5e-6)
    encode = functools.partial(sparse_encode, X.T, A.T, algorithm="lasso_cd", max_iter=100_000)
    np.testing.assert_allclose(Z, encode(alpha=lam / 2).T, atol=1e-3)  # stops at 1e-4 of ||x||^2
    assert np.abs(Z - encode(alpha=lam).T).max() > 0.1
    assert np.abs(Z - by_scikit_learn(A, X, 2 * lam)).max() > 0.1


def test_orthonormal_atoms_have_the_closed_form():
    """Codes S(A^T X, lam / 2), for one half of lam: the derivative of the square is 2."""
    A, X, lam = np.linalg.qr(rng_of(3).normal(size=(9, 6)))[0], rng_of(4).normal(size=(9, 11)), 0.8
    C = A.T @ X
    expected = np.sign(C) * np.maximum(np.abs(C) - lam / 2, 0)
    np.testing.assert_allclose(sparse.ista(A, X, lam, 1)[0], expected, atol=3e-6)  # one step is enough
    np.testing.assert_allclose(sparse.sparse_code(A, X, lam, 1e-6)[0], expected, atol=1e-5)
    assert sparse.lasso_kkt(A, X, expected, lam) < 2e-6 and sparse.lasso_gap(A, X, expected, lam) < 1e-5


def test_lambda_max_is_where_the_codes_vanish():
    A, X = rng_of(5).normal(size=(2, 8, 8)) @ np.diag(range(1, 9))
    X = X[:, :5]
    largest = float(sparse.lambda_max(A, X))
    assert abs(largest - max(2 * abs(a @ x) for a in A.T for x in X.T)) < 1e-5 * largest
    above, below = (np.asarray(sparse.fista(A, X, c * largest, 500)[0]) for c in (1.0001, 0.99))
    assert (above == 0).all() and (below != 0).sum() == 1
    assert sparse.lasso_gap(A, X, 0 * above, 1.0001 * largest) == 0 and sparse.lasso_kkt(A, X, 0 * above, 1.0001 * largest) == 0


@quick
@given(seeds, st.floats(0.001, 0.999))
def test_gap_bounds_the_distance_to_the_optimum(seed, fraction):
    """Against plain NumPy: the difference of the two objectives at the same dual point; and against the true optimum."""
    rng = rng_of(seed)
    A, X, Z = (rng.normal(size=shape).astype(np.float32) for shape in ((6, 9), (6, 4), (9, 4)))
    lam = fraction * float(sparse.lambda_max(A, X))
    Z *= rng.random(Z.shape) < 0.3
    dual = 0
    for x, z in zip(X.astype(float).T, Z.astype(float).T):
        r = x - A @ z
        u = r * min(1, lam / (2 * np.abs(A.T.astype(float) @ r).max()))
        dual += 2 * u @ x - u @ u
    gap, value = float(sparse.lasso_gap(A, X, Z, lam)), objective(A, X, Z, lam)
    assert abs(gap - (value - dual)) < 1e-5 * value
    best = by_scikit_learn(A, X, lam)
    optimum = objective(A, X, best, lam)
    assert value - optimum <= gap * (1 + 1e-5) + 1e-6 * value
    assert abs(sparse.lasso_objective(A, X, Z, lam) / value - 1) < 2e-6
    assert sparse.lasso_gap(A, X, best, lam) < 1e-5 * optimum * (1 + np.linalg.norm(X) / lam)


def test_kkt_residual_agrees_with_plain_loops():
    rng = rng_of(6)
    A, X, lam = rng.normal(size=(5, 8)), rng.normal(size=(5, 3)), 2.0
    Z = rng.normal(size=(8, 3)) * (rng.random((8, 3)) < 0.5)
    G = 2 * A.T @ (X - A @ Z)
    worst = max(abs(g - lam * np.sign(z)) if z else max(abs(g) - lam, 0) for g, z in zip(G.ravel(), Z.ravel()))
    assert abs(sparse.lasso_kkt(A, X, Z, lam) / worst - 1) < 1e-5


def test_objective_has_the_right_gradient():
    with jax.enable_x64(True):
        rng = rng_of(7)
        A, X, Z = rng.normal(size=(4, 6)), rng.normal(size=(4, 5)), rng.normal(size=(6, 5))
        expected = 2 * A.T @ (A @ Z - X) + 0.3 * np.sign(Z)
        assert relative(jax.grad(sparse.lasso_objective, 2)(A, X, Z, 0.3), expected) < 1e-12
        assert relative(jax.grad(sparse.lasso_objective)(A, X, Z, 0.3), 2 * (A @ Z - X) @ Z.T) < 1e-12


# --- ista, fista, sparse_code -------------------------------------------------------------------------------------------------

def soft_by_hand(x, a):
    return np.sign(x) * np.maximum(np.abs(x) - a, 0)


def ista_by_hand(A, X, lam, T):
    eta, Z, history = 1 / (2 * np.linalg.norm(A, 2) ** 2), np.zeros((A.shape[1], X.shape[1])), []
    for _ in range(T):
        history.append(objective(A, X, Z, lam))
        Z = soft_by_hand(Z - eta * 2 * A.T @ (A @ Z - X), eta * lam)
    return Z, np.array([*history, objective(A, X, Z, lam)])


def fista_by_hand(A, x, lam, T):
    """One sample, with the restart, in the order of the papers."""
    eta, z, y, t, history = 1 / (2 * np.linalg.norm(A, 2) ** 2), np.zeros(A.shape[1]), np.zeros(A.shape[1]), 1.0, []
    for _ in range(T):
        history.append(objective(A, x, z, lam))
        z_new = soft_by_hand(y - eta * 2 * A.T @ (A @ y - x), eta * lam)
        if (y - z_new) @ (z_new - z) > 0:
            t = 1.0
        t_new = (1 + np.sqrt(1 + 4 * t * t)) / 2
        y, z, t = z_new + (t - 1) / t_new * (z_new - z), z_new, t_new
    return z, np.array([*history, objective(A, x, z, lam)])


@pytest.mark.parametrize("D, m", [(6, 11), (11, 6)])
def test_ista_and_fista_agree_with_plain_loops(D, m):
    rng, lam, T = rng_of(8), 0.4, 60
    A, X = rng.normal(size=(D, m)), rng.normal(size=(D, 7))
    Z, history = sparse.ista(A, X, lam, T)
    Z_by_hand, history_by_hand = ista_by_hand(A, X, lam, T)
    assert relative(Z, Z_by_hand) < 3e-6 and relative(history, history_by_hand) < 2e-6 and history.shape == (T + 1,)
    Z, history = sparse.fista(A, X, lam, T)
    columns = [fista_by_hand(A, x, lam, T) for x in X.T]
    assert relative(Z, np.stack([z for z, _ in columns], axis=1)) < 2e-4  # a restart may fall one step off
    assert relative(history, sum(h for _, h in columns)) < 1e-5 and history.shape == (T + 1,)
    step = sparse.ista_step(A, X, Z, lam, 0.01)
    assert relative(step, soft_by_hand(Z - 0.01 * 2 * A.T @ (A @ np.asarray(Z, float) - X), 0.01 * lam)) < 3e-6


def test_ista_is_monotone_and_both_keep_their_rates():
    A, X, lam = unit_atoms(rng_of(9), 20, 50), rng_of(10).normal(size=(20, 30)), 0.2
    best = by_scikit_learn(A, X, lam)
    optimum, t = objective(A, X, best, lam), np.arange(1, 301)
    bound = (best**2).sum() * 2 * np.linalg.norm(A, 2) ** 2
    slow, fast = (np.asarray(f(A, X, lam, 300)[1], float) for f in (sparse.ista, sparse.fista))
    assert (np.diff(slow) <= 1e-6 * slow[:-1]).all()
    assert (slow[1:] - optimum <= bound / (2 * t)).all() and (fast[1:] - optimum <= 2 * bound / (t + 1) ** 2).all()
    assert fast[100] - optimum < 1e-3 * optimum < slow[100] - optimum


def test_steps_beyond_the_limit_diverge():
    A, X = unit_atoms(rng_of(11), 10, 20), rng_of(12).normal(size=(10, 3))
    for size, sign in ((0.99, -1), (1.3, 1)):  # of 1 / sigma_1^2
        Z = np.zeros((20, 3))
        for _ in range(100):
            Z = sparse.ista_step(A, X, Z, 0.1, size / np.linalg.norm(A, 2) ** 2)
        assert sign * (objective(A, X, Z, 0.1) - (X**2).sum()) > 0


@pytest.mark.parametrize("fraction", [1e-3, 1e-2, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("kind", ["unit norms", "ill-conditioned", "coherent", "norms from 1 to 1e-3", "tall"])
def test_sparse_code_is_within_its_tolerance(kind, fraction):
    """Against float64 coordinate descent to the end, for lam from 1e-3 of lambda_max to just below it: the gap is a bound, and as
    small as asked for, or as rounding lets it be."""
    rng = rng_of(13)
    A = unit_atoms(rng, *((30, 15) if kind == "tall" else (15, 30)))
    if kind == "ill-conditioned":
        U, _, Vt = np.linalg.svd(A, full_matrices=False)
        A = U * np.geomspace(1, 1e-3, 15) @ Vt
    elif kind == "coherent":
        A = 0.2 * A + unit_atoms(rng, 15, 1)
    elif kind.startswith("norms"):
        A = A * np.geomspace(1, 1e-3, 30)
    A, X = A.astype(np.float32), 3 * rng.normal(size=(len(A), 6)).astype(np.float32)
    lam = fraction * float(sparse.lambda_max(A, X))
    optimum = objective(A, X, by_scikit_learn(A, X, lam), lam)
    Z, gap = sparse.sparse_code(A, X, lam, 1e-4)
    floor = 1e-5 * np.linalg.norm(X) / lam  # what rounding may leave, as stated
    assert 0 <= gap <= max(1e-4, floor) * optimum
    assert -1e-6 <= objective(A, X, Z, lam) / optimum - 1 <= gap / optimum + 1e-6
    np.testing.assert_allclose(gap, sparse.lasso_gap(A, X, Z, lam), rtol=0.05, atol=1e-6 * optimum)


def test_sparse_code_on_natural_patches():
    X = patches()
    A, lam = X[:, :150], 0.2
    expected = sparse_encode(X.T.astype(float), A.T.astype(float), algorithm="lasso_cd", alpha=lam / 2).T
    optimum = objective(A, X, expected, lam)
    for tol in (1e-2, 1e-4):
        Z, gap = sparse.sparse_code(A, X, lam, tol)
        assert gap <= tol * optimum and -1e-6 < objective(A, X, Z, lam) / optimum - 1 < tol


def test_sparse_code_at_its_edges():
    A, X = unit_atoms(rng_of(14), 5, 8), rng_of(15).normal(size=(5, 3))
    X[:, 1] = 0
    Z, gap = sparse.sparse_code(A, X, 0.1, 1e-5)
    assert (np.asarray(Z)[:, 1] == 0).all() and np.isfinite(Z).all() and gap < 1e-5 * objective(A, X, Z, 0.1)
    for nothing in (sparse.sparse_code(0 * A, X, 0.1), sparse.sparse_code(A, 0 * X, 0.1), sparse.sparse_code(A, X, 1e4)):
        assert (np.asarray(nothing[0]) == 0).all() and nothing[1] == 0
    with_dead = np.insert(A, 2, 0, axis=1)
    np.testing.assert_allclose(np.delete(sparse.sparse_code(with_dead, X, 0.1, 1e-5)[0], 2, axis=0), Z, atol=1e-2)
    _, gap = sparse.sparse_code(A, X, 1e-3, 0.0, 20)  # stopped by the number of steps, and says how far it is
    assert gap > 1e-4
    for f in (sparse.ista, sparse.fista):  # a dictionary of zeros, and no penalty: least squares
        assert (np.asarray(f(0 * A, X, 0.1, 3)[0]) == 0).all()
        assert np.abs(A @ np.asarray(f(A, X, 0, 3000)[0]) - X).max() < 1e-4


# --- coherence, matching pursuit ----------------------------------------------------------------------------------------------

def test_coherence_agrees_with_plain_loops_and_knows_no_scale():
    A = rng_of(16).normal(size=(6, 9))
    expected = max(abs(a @ b) / np.linalg.norm(a) / np.linalg.norm(b) for i, a in enumerate(A.T) for b in A.T[:i])
    np.testing.assert_allclose(sparse.coherence(A), expected, rtol=1e-6)
    np.testing.assert_allclose(sparse.coherence(A * np.geomspace(1e-25, 1e15, 9)), expected, rtol=1e-6)
    assert sparse.coherence(np.eye(4)) == 0
    np.testing.assert_allclose(sparse.coherence(np.array([[1.0, -2], [2, -4]])), 1, rtol=1e-6)


def hadamard(n):
    return np.ones((1, 1)) if n == 1 else np.block([[hadamard(n // 2)] * 2, [hadamard(n // 2), -hadamard(n // 2)]])


@quick
@given(seeds, st.integers(2, 12), st.integers(2, 30))
def test_coherence_is_never_below_welch(seed, D, m):
    A = rng_of(seed).normal(size=(D, m))
    assert sparse.coherence(A) >= sparse.welch_bound(D, m) - 1e-6


def test_welch_is_met_by_the_vectors_of_a_simplex():
    simplex = np.linalg.qr(np.eye(5) - 0.2)[0][:, :4].T @ (np.eye(5) - 0.2)  # 5 vectors in 4 dimensions, cosines -1/4
    np.testing.assert_allclose(sparse.welch_bound(4, 5), 0.25)
    np.testing.assert_allclose(sparse.coherence(simplex), 0.25, rtol=1e-5)
    assert sparse.welch_bound(5, 5) == sparse.welch_bound(9, 3) == 0
    np.testing.assert_allclose(sparse.coherence(np.hstack([np.eye(64), hadamard(64) / 8])), 1 / 8, rtol=1e-6)


def omp_by_hand(A, x, k):
    chosen, z, r = [], np.zeros(A.shape[1]), x
    for _ in range(k):
        if np.linalg.norm(r) <= 1e-5 * np.linalg.norm(x):
            break
        chosen.append(np.abs(A.T @ r).argmax())
        z = np.zeros(A.shape[1])
        z[chosen] = np.linalg.lstsq(A[:, chosen], x)[0]
        r = x - A @ z
    return z


@pytest.mark.parametrize("D, m, k", [(12, 30, 1), (12, 30, 7), (12, 30, 12), (20, 9, 9)])
def test_omp_agrees_with_plain_loops_and_with_scikit_learn(D, m, k):
    A, X = unit_atoms(rng_of(17), D, m), rng_of(18).normal(size=(D, 25))
    Z = sparse.omp(A, X, k)
    expected = np.stack([omp_by_hand(A, x, k) for x in X.T], axis=1)
    assert Z.shape == (m, 25) and relative(Z, expected) < 2e-5
    assert (np.count_nonzero(Z, axis=0) <= k).all()
    assert relative(Z, orthogonal_mp(A, X, n_nonzero_coefs=k)) < 2e-5
    assert relative(Z, orthogonal_mp_gram(A.T @ A, A.T @ X, n_nonzero_coefs=k)) < 2e-5


def test_omp_on_coherent_atoms_is_as_good_as_least_squares():
    """Raw patches as atoms: the codes on the atoms taken are those of float64 least squares, to 1e-5 of the sample."""
    X = patches()
    A, k = X[:, :150], 8
    Z = np.asarray(sparse.omp(A, X[:, 150:300], k))
    for x, z in zip(X[:, 150:300].astype(float).T, Z.T):
        taken = np.flatnonzero(z)
        best = np.linalg.lstsq(A[:, taken].astype(float), x)[0]
        assert np.linalg.norm(A[:, taken] @ (z[taken] - best)) < 1e-5


def test_omp_finds_every_code_below_the_bound_of_coherence():
    """Identity and Hadamard, D = 64: coherence 1/8, so k < (1 + 8) / 2 is enough whatever the support, and 4 it is."""
    rng, A = rng_of(19), np.hstack([np.eye(64), hadamard(64) / 8])
    Z = np.zeros((128, 60))
    for z in Z.T:
        z[rng.choice(128, 4, replace=False)] = rng.choice([-1, 1], 4) * rng.uniform(0.5, 2, 4)
    assert np.abs(sparse.omp(A, A @ Z, 4) - Z).max() < 1e-5
    assert np.abs(sparse.omp(A, A @ Z, 9) - Z).max() < 1e-5  # what is left is 0: it takes no more


def test_omp_at_its_edges():
    A = np.array([[1, 0, 0.6], [0, 1, 0.8]])
    np.testing.assert_allclose(sparse.omp(A, [[1.0], [1]], 1), [[0], [0], [1.4]], rtol=1e-6)
    np.testing.assert_array_equal(sparse.omp(np.eye(3), [[2.0], [-2], [1]], 1)[:, 0], [2, 0, 0])  # a tie: the first
    np.testing.assert_array_equal(sparse.omp(A, np.zeros((2, 2)), 2), np.zeros((3, 2)))
    np.testing.assert_allclose(sparse.omp(A, 3 * A, 2), 3 * np.eye(3), rtol=1e-6)  # its own atoms, alone
    twice = np.array([[1.0, 1, 0], [0, 0, 1]])  # the same atom twice is never taken twice
    np.testing.assert_allclose(sparse.omp(twice, [[2.0], [1]], 2)[:, 0], [2, 0, 1], rtol=1e-6)
    for scale in (1e-15, 1e15):
        x = np.array([1, 2.0])
        np.testing.assert_allclose(sparse.omp(A, scale * x[:, None], 2)[:, 0], scale * omp_by_hand(A, x, 2), rtol=1e-5)


# --- dictionaries -------------------------------------------------------------------------------------------------------------

@quick
@given(seeds)
def test_project_columns_is_the_nearest_dictionary_in_the_ball(seed):
    rng = rng_of(seed)
    A = rng.normal(size=(3, 12)) * rng.choice([0, 0.1, 1, 10], 12)
    P = np.asarray(sparse.project_columns(A))
    norms = np.linalg.norm(A, axis=0)
    assert np.isfinite(P).all() and (np.linalg.norm(P, axis=0) <= 1 + 2 * EPS).all()
    np.testing.assert_array_equal(P[:, norms <= 1], A[:, norms <= 1].astype(np.float32))
    np.testing.assert_allclose(P[:, norms > 1], (A / np.maximum(norms, 1e-9))[:, norms > 1], atol=1e-6)
    np.testing.assert_allclose(sparse.project_columns(P), P, atol=1e-7)
    others = rng.normal(size=(200, 3, 12))
    others /= np.maximum(np.linalg.norm(others, axis=1, keepdims=True), 1)
    assert (np.linalg.norm(others - A, axis=1) >= np.linalg.norm(P - A, axis=0) - 1e-6).all()


def test_project_columns_of_zeros_has_a_derivative():
    slope = jax.jacobian(sparse.project_columns)(jnp.zeros((2, 1)))
    np.testing.assert_array_equal(slope.reshape(2, 2), np.eye(2))


def test_dictionary_and_layerwise_steps_agree_with_numpy():
    rng, lam, eta, nu = rng_of(20), 0.3, 0.02, 0.05
    A, X, Z = rng.normal(size=(5, 8)), rng.normal(size=(5, 12)), rng.normal(size=(8, 12))

    def by_hand(A, Z):
        A = A - nu * 2 * (A @ Z - X) @ Z.T
        return A / np.maximum(np.linalg.norm(A, axis=0), 1)

    assert relative(sparse.dictionary_step(A, X, Z, nu), by_hand(A, Z)) < 3e-6
    Z_next = soft_by_hand(Z - eta * 2 * A.T @ (A @ Z - X), eta * lam)
    found = sparse.layerwise_step(A, X, Z, lam, eta, nu)
    assert relative(found[1], Z_next) < 3e-6 and relative(found[0], by_hand(A, Z_next)) < 5e-6


def learning_by_hand(A, X, lam, T):
    """The same alternation to the end: codes by scikit-learn, each atom by a search of its own; it may only be lower."""
    A = A / np.maximum(np.linalg.norm(A, axis=0), 1)
    for _ in range(T):
        Z = by_scikit_learn(A, X, lam)
        for j in range(A.shape[1]):
            if Z[j].any():
                rest = X - A @ Z + np.outer(A[:, j], Z[j])
                A[:, j] = rest @ Z[j] / (Z[j] @ Z[j])
                A[:, j] /= max(np.linalg.norm(A[:, j]), 1)
    return objective(A, X, by_scikit_learn(A, X, lam), lam)


def test_dictionary_learning_descends_and_is_as_good_as_exact_alternation():
    X = patches(300)
    start, lam = 1.5 * X[:, :40], 0.2
    A, Z, history = sparse.dictionary_learning(start, X, lam, 30)
    history = np.asarray(history, float)
    assert A.shape == (64, 40) and Z.shape == (40, 300) and history.shape == (31,)
    assert (np.diff(history) <= 2e-6 * history[:-1]).all() and abs(history[0] / (X**2).sum() - 1) < 1e-5
    np.testing.assert_allclose(history[-1], objective(A, X, Z, lam), rtol=2e-6)
    assert (np.linalg.norm(A, axis=0) <= 1 + 2e-6).all()
    assert objective(A, X, by_scikit_learn(A, X, lam), lam) < 1.01 * learning_by_hand(start.astype(float), X, lam, 10)


def test_each_atom_is_the_best_given_the_rest():
    """The last atom of a sweep, which nothing has moved since, is the float64 minimiser given the codes and the others."""
    X = patches(300)
    A, Z, _ = (np.asarray(part, float) for part in sparse.dictionary_learning(X[:, :20], X, 0.2, 5))
    rest = X - A @ Z + np.outer(A[:, -1], Z[-1])
    best = rest @ Z[-1] / (Z[-1] @ Z[-1])
    np.testing.assert_allclose(A[:, -1], best / max(np.linalg.norm(best), 1), atol=1e-5)


def test_dictionary_learning_is_no_worse_than_scikit_learn():
    """Their objective carries one half and alpha = lam / 2; both dictionaries are judged with codes solved to the end."""
    X = patches(300)
    model = DictionaryLearning(30, alpha=0.1, max_iter=30, fit_algorithm="cd", random_state=0)
    theirs = model.fit(X.T.astype(float)).components_.T
    ours = sparse.dictionary_learning(X[:, :30], X, 0.2, 60)[0]
    judged = [objective(A, X, by_scikit_learn(A, X, 0.2), 0.2) for A in (ours, theirs)]
    assert judged[0] < 1.01 * judged[1]


@pytest.mark.parametrize("seed", range(2))
def test_dictionary_learning_recovers_a_planted_dictionary(seed):
    """D = 16, m = 32, three atoms a sample: at least 30 of the atoms to a cosine of 0.98, from samples as a start."""
    rng = rng_of(100 + seed)
    A, Z = unit_atoms(rng, 16, 32), np.zeros((32, 2000))
    for z in Z.T:
        z[rng.choice(32, 3, replace=False)] = rng.choice([-1, 1], 3) * rng.uniform(0.5, 1.5, 3)
    X = A @ Z
    found = np.asarray(sparse.dictionary_learning(X[:, :32], X, 0.2, 300)[0])
    cosines = np.abs((found / np.linalg.norm(found, axis=0)).T @ A)
    assert (cosines.max(axis=0) > 0.98).sum() >= 30


def test_dictionary_learning_with_dead_atoms_and_empty_samples():
    X = np.zeros((4, 6))
    X[0] = [1, 2, -1, 3, 0, 0]
    start = np.array([[1.0, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]])
    A, Z, history = sparse.dictionary_learning(start, X, 0.1, 5)
    np.testing.assert_array_equal(A[:, 1:], start[:, 1:])  # a column of zeros and an atom that no sample uses
    np.testing.assert_allclose(A[:, 0], [1, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(Z[0], [0.95, 1.95, -0.95, 2.95, 0, 0], atol=1e-4)
    for none in (sparse.dictionary_learning(0 * start, X, 0.1, 2), sparse.dictionary_learning(start, 0 * X, 0.1, 2)):
        assert all(np.isfinite(part).all() for part in none) and (np.asarray(none[1]) == 0).all()


# --- networks -----------------------------------------------------------------------------------------------------------------

def test_lista_with_one_dictionary_is_ista():
    A, X, lam = unit_atoms(rng_of(21), 6, 10), rng_of(22).normal(size=(6, 9)), 0.2
    eta = 1 / (2 * np.linalg.norm(A, 2) ** 2)
    for L in (1, 5):
        np.testing.assert_allclose(sparse.lista(np.stack([A] * L), X, lam, eta), ista_by_hand(A, X, lam, L)[0], atol=1e-6)


def test_lista_has_its_own_parameters_in_each_layer():
    rng = rng_of(23)
    As, X = rng.normal(size=(3, 4, 6)), rng.normal(size=(4, 5))
    lam, eta, Z = np.array([0.1, 0.4, 0.2]), np.array([0.05, 0.02, 0.03]), np.zeros((6, 5))
    for A, w, s in zip(As, lam, eta):
        Z = soft_by_hand(Z - s * 2 * A.T @ (A @ Z - X), s * w)
    assert relative(sparse.lista(As, X, lam, eta), Z) < 3e-6


def test_every_layer_of_lista_has_the_right_gradient():
    with jax.enable_x64(True):
        rng = rng_of(24)
        As, X, target = rng.normal(size=(3, 4, 6)) / 2, rng.normal(size=(4, 5)), rng.normal(size=(6, 5))

        def loss(As, lam, eta):
            return jnp.sum((sparse.lista(As, X, lam, eta) - target) ** 2)

        def by_hand(As, lam, eta):
            Z = np.zeros((6, 5))
            for A in As:
                Z = soft_by_hand(Z - eta * 2 * A.T @ (A @ Z - X), eta * lam)
            return ((Z - target) ** 2).sum()

        slopes = jax.grad(loss, (0, 1, 2))(As, 0.1, 0.1)
        assert (np.abs(slopes[0]).max(axis=(1, 2)) > 0.01).all()
        assert relative(slopes[0], numerical_gradient(lambda As: by_hand(As, 0.1, 0.1), As)) < 1e-6
        assert relative(slopes[1], numerical_gradient(lambda lam: by_hand(As, lam, 0.1), np.array(0.1))) < 1e-6
        assert relative(slopes[2], numerical_gradient(lambda eta: by_hand(As, 0.1, eta), np.array(0.1))) < 1e-6


def test_autoencoder_is_one_nonnegative_step():
    rng, lam, eta = rng_of(25), 0.3, 0.07
    A, z, X = rng.normal(size=(5, 8)), rng.normal(size=8), rng.normal(size=(5, 6))
    weights, bias = sparse.sae_from_ista(A, z, lam, eta)
    expected = np.maximum(z[:, None] - eta * 2 * A.T @ (A @ z[:, None] - X) - eta * lam, 0)
    np.testing.assert_allclose(np.maximum(weights @ X + bias[:, None], 0), expected, atol=3e-6)


def test_doubled_dictionary_has_nonnegative_codes_of_the_same_cost():
    rng = rng_of(26)
    A, X, Z = rng.normal(size=(4, 6)), rng.normal(size=(4, 5)), rng.normal(size=(6, 5))
    A2, Z2 = sparse.double_dictionary(A, Z)
    assert A2.shape == (4, 12) and (np.asarray(Z2) >= 0).all()
    np.testing.assert_allclose(np.asarray(A2) @ np.asarray(Z2), A @ Z, atol=3e-6)
    np.testing.assert_allclose(objective(A2, X, Z2, 0.4), objective(A, X, Z, 0.4), rtol=1e-6)


# --- all of them --------------------------------------------------------------------------------------------------------------

def plain_inputs(seed):
    rng = rng_of(seed)
    A = unit_atoms(rng, 5, 7)
    return {"A": A, "X": rng.normal(size=(5, 6)), "Z": rng.normal(size=(7, 6)), "z": rng.normal(size=7),
            "As": rng.normal(size=(3, 5, 7)) / 3, "lam": np.array(0.3), "eta": np.array(0.05)}


CALLS = {
    "soft_threshold": lambda a: sparse.soft_threshold(a["X"], a["lam"]),
    "nonnegative_threshold": lambda a: sparse.nonnegative_threshold(a["X"], a["lam"]),
    "spectral_norm": lambda a: sparse.spectral_norm(a["A"]),
    "lasso_objective": lambda a: sparse.lasso_objective(a["A"], a["X"], a["Z"], a["lam"]),
    "lasso_gap": lambda a: sparse.lasso_gap(a["A"], a["X"], a["Z"], a["lam"]),
    "lasso_kkt": lambda a: sparse.lasso_kkt(a["A"], a["X"], a["Z"], a["lam"]),
    "lambda_max": lambda a: sparse.lambda_max(a["A"], a["X"]),
    "ista_step": lambda a: sparse.ista_step(a["A"], a["X"], a["Z"], a["lam"], a["eta"]),
    "ista": lambda a: sparse.ista(a["A"], a["X"], a["lam"], 9),
    "fista": lambda a: sparse.fista(a["A"], a["X"], a["lam"], 9),
    "sparse_code": lambda a: sparse.sparse_code(a["A"], a["X"], a["lam"], 1e-6, 30),
    "coherence": lambda a: sparse.coherence(a["A"]),
    "omp": lambda a: sparse.omp(a["A"], a["X"], 2),
    "project_columns": lambda a: sparse.project_columns(a["Z"]),
    "dictionary_step": lambda a: sparse.dictionary_step(a["A"], a["X"], a["Z"], a["eta"]),
    "layerwise_step": lambda a: sparse.layerwise_step(a["A"], a["X"], a["Z"], a["lam"], a["eta"], a["eta"]),
    "dictionary_learning": lambda a: sparse.dictionary_learning(a["A"], a["X"], a["lam"], 4),
    "lista": lambda a: sparse.lista(a["As"], a["X"], a["lam"], a["eta"]),
    "sae_from_ista": lambda a: sparse.sae_from_ista(a["A"], a["z"], a["lam"], a["eta"]),
    "double_dictionary": lambda a: sparse.double_dictionary(a["A"], a["Z"]),
}


def test_every_kernel_is_called_here():
    public = {name for name, value in vars(sparse).items()
              if callable(value) and getattr(value, "__module__", "") == sparse.__name__ and not name.startswith("_")}
    assert public == {*CALLS, "welch_bound"}


@pytest.mark.parametrize("name", CALLS)
def test_the_same_numbers_under_jit_and_vmap(name):
    call, several = CALLS[name], [plain_inputs(seed) for seed in (30, 31, 32)]
    one_by_one = jax.tree.map(lambda *parts: np.stack(parts), *[call(inputs) for inputs in several])
    stacked = jax.tree.map(lambda *parts: np.stack(parts), *several)
    together = jax.jit(jax.vmap(call))(stacked)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), together, one_by_one)


def types(name, inputs):
    """Types of the results for these numbers, and for tracers of their shapes; nothing is compiled."""
    return {leaf.dtype.name for out in (jax.eval_shape(lambda: CALLS[name](inputs)), jax.eval_shape(CALLS[name], inputs))
            for leaf in jax.tree.leaves(out)}


@pytest.mark.parametrize("name", CALLS)
def test_types_of_the_results(name):
    """float64 is kept in 64-bit mode, and float32 too, also beside a float64 number; half precision becomes float32."""
    double = plain_inputs(33)
    single, half = [{k: a.astype(t) for k, a in double.items()} for t in (np.float32, jnp.bfloat16)]
    half = {**single, "X": half["X"], "Z": half["Z"]}
    mixed = {**single, "lam": double["lam"], "eta": double["eta"]}
    assert all(types(name, inputs) == {"float32"} for inputs in (double, single, half))
    with jax.enable_x64(True):
        assert types(name, double) == {"float64"}
        assert all(types(name, inputs) == {"float32"} for inputs in (single, half, mixed))


NO_PRODUCT = ("soft_threshold", "nonnegative_threshold", "project_columns", "double_dictionary")


@pytest.mark.parametrize("name", [name for name in CALLS if name not in NO_PRODUCT])
def test_products_are_of_full_precision_on_every_device(name):
    """Left alone, a GPU rounds float32 factors to 10 bits; the program itself must ask for more."""
    text = str(jax.make_jaxpr(CALLS[name])(plain_inputs(34)))
    assert text.count("dot_general[") == text.count("precision=(Precision.HIGHEST, Precision.HIGHEST)") > 0


A5, X5, Z5 = (plain_inputs(35)[letter] for letter in "AXZ")
NAN = np.where(np.eye(5, 6) > 0, np.nan, 1.0)
REFUSED = [
    (lambda: sparse.soft_threshold(X5, -1), r"a: got -1, want numbers that are not negative"),
    (lambda: sparse.soft_threshold(X5, np.ones(5)), r"a: got shape \(5,\), want one that broadcasts to the shape \(5, 6\) of x"),
    (lambda: sparse.soft_threshold(1.0, np.ones(2)), r"a: got shape \(2,\), want one that broadcasts to the shape \(\) of x"),
    (lambda: sparse.soft_threshold(NAN, 1), r"x: got nan at \[0, 0\]"),
    (lambda: sparse.soft_threshold([[1, 2], [3]], 1), r"x: got list that does not make an array"),
    (lambda: sparse.soft_threshold("x", 1), r"x: got values of type <U1"),
    (lambda: sparse.nonnegative_threshold(X5, [[-2.0]]), r"a: got -2, want numbers that are not negative"),
    (lambda: sparse.nonnegative_threshold(X5, np.nan), r"a: got nan"),
    (lambda: sparse.spectral_norm(X5[0]), r"A: got shape \(6,\), want \(D, m\)"),
    (lambda: sparse.lasso_objective(A5, X5[:4], Z5, 1), r"X: got shape \(4, 6\), want \(D, N\) with D = 5"),
    (lambda: sparse.lasso_objective(A5, X5, Z5.T, 1), r"Z: got shape \(6, 7\), want \(m, N\) with m = 7 and N = 6"),
    (lambda: sparse.lasso_objective(A5, X5, Z5, -0.1), r"lam: got -0.1, want numbers that are not negative"),
    (lambda: sparse.lasso_objective(A5, X5, Z5, [0.1, 0.2]), r"lam: got shape \(2,\), want \(\)"),
    (lambda: sparse.lasso_gap(A5, X5, Z5[:, :2], 1), r"Z: got shape \(7, 2\), want \(m, N\) with m = 7 and N = 6"),
    (lambda: sparse.lasso_kkt(A5, NAN, Z5, 1), r"X: got nan at \[0, 0\]"),
    (lambda: sparse.lambda_max(A5, X5.T), r"X: got shape \(6, 5\), want \(D, N\) with D = 5"),
    (lambda: sparse.ista_step(A5, X5, Z5, 0.1, -0.1), r"eta: got -0.1, want numbers that are not negative"),
    (lambda: sparse.ista(A5, X5, -1, 3), r"lam: got -1, want numbers that are not negative"),
    (lambda: sparse.ista(A5, X5, np.nan, 3), r"lam: got nan"),
    (lambda: sparse.ista(A5, X5, 0.1, 0), r"T: got 0, want an integer >= 1"),
    (lambda: sparse.fista(NAN, X5, 0.1, 2), r"A: got nan at \[0, 0\]"),
    (lambda: sparse.fista(A5, X5, 0.1, 2.5), r"T: got 2.5, want an integer >= 1"),
    (lambda: jax.jit(sparse.fista)(A5, X5, 0.1, 2), r"T: got a traced value, want an integer .* known before tracing"),
    (lambda: sparse.sparse_code(A5, X5, 0), r"lam: got 0, want a number > 0"),
    (lambda: sparse.sparse_code(A5, X5, 0.1, -1e-3), r"tol: got -0.001, want numbers that are not negative"),
    (lambda: sparse.sparse_code(A5, X5, 0.1, 1e-3, 0), r"T: got 0, want an integer >= 1"),
    (lambda: sparse.coherence(A5[:, :1]), r"A: got shape \(5, 1\), want \(D, m\) with at least two columns"),
    (lambda: sparse.coherence(A5 * (np.arange(7) != 3)), r"A: got a column of zeros at 3, want atoms with a direction"),
    (lambda: sparse.welch_bound(0, 3), r"D: got 0, want an integer >= 1"),
    (lambda: sparse.welch_bound(3, 1), r"m: got 1, want an integer >= 2"),
    (lambda: sparse.omp(2 * A5, X5, 2), r"A: got a column of norm 2 at \d, want atoms of norm 1"),
    (lambda: sparse.omp(A5 * (np.arange(7) != 3), X5, 2), r"A: got a column of norm 0 at 3, want atoms of norm 1"),
    (lambda: sparse.omp(A5, X5, 6), r"k: got 6, want an integer from 1 to min\(D, m\) = 5"),
    (lambda: sparse.omp(A5, X5, 0), r"k: got 0, want an integer from 1 to min\(D, m\) = 5"),
    (lambda: sparse.omp(A5[:, :3], X5, 4), r"k: got 4, want an integer from 1 to min\(D, m\) = 3"),
    (lambda: sparse.omp(A5, X5[:, 0], 1), r"X: got shape \(5,\), want \(D, N\) with D = 5"),
    (lambda: jax.jit(sparse.omp)(A5, X5, 2), r"k: got a traced value"),
    (lambda: sparse.project_columns(NAN), r"A: got nan at \[0, 0\]"),
    (lambda: sparse.dictionary_step(A5, X5, Z5, -1), r"nu: got -1, want numbers that are not negative"),
    (lambda: sparse.dictionary_step(A5, X5, Z5[:3], 1), r"Z: got shape \(3, 6\), want \(m, N\) with m = 7 and N = 6"),
    (lambda: sparse.layerwise_step(A5, X5, Z5, 0.1, 0.1, -1), r"nu: got -1, want numbers that are not negative"),
    (lambda: sparse.dictionary_learning(A5, X5, -0.1, 2), r"lam: got -0.1, want numbers that are not negative"),
    (lambda: sparse.dictionary_learning(A5, X5, 0.1, 0), r"T: got 0, want an integer >= 1"),
    (lambda: sparse.lista(A5, X5, 0.1, 0.1), r"As: got shape \(5, 7\), want \(L, D, m\)"),
    (lambda: sparse.lista([A5, A5], X5[:3], 0.1, 0.1), r"X: got shape \(3, 6\), want \(D, N\) with D = 5"),
    (lambda: sparse.lista([A5, A5], X5, [0.1, 0.2, 0.3], 0.1), r"lam: got shape \(3,\), want \(L,\) with L = 2"),
    (lambda: sparse.lista([A5, A5], X5, 0.1, [0.1, -0.2]), r"eta: got -0.2, want numbers that are not negative"),
    (lambda: sparse.sae_from_ista(A5, np.ones(5), 0.1, 0.1), r"z: got shape \(5,\), want \(m,\) with m = 7"),
    (lambda: sparse.double_dictionary(A5, Z5[:2]), r"Z: got shape \(2, 6\), want \(m, N\) with m = 7"),
]


@pytest.mark.parametrize("call, message", REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
