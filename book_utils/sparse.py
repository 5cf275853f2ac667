"""Sparse codes and dictionaries: the LASSO and its solvers, orthogonal matching pursuit, dictionary learning, unrolled networks.

    min over Z of  ||X - A Z||_F^2 + lam ||Z||_1          the LASSO, without one half (book: eq. eq:sparse_dl_lasso)
    Z <- S(Z - 2 eta A^T (A Z - X), eta lam)              ISTA, 0 < eta <= 1 / (2 sigma_1(A)^2) (book: eq. eq:ista_update)

Samples are the columns of X (D, N), atoms the columns of A (D, m), and the codes Z (m, N) have a column for each sample.
scikit-learn's `Lasso` on one column is this problem with alpha = lam / (2 D), its `sparse_encode` with alpha = lam / 2.

Bad shapes and ranges raise ValueError; under jit, vmap and grad only shapes are checked, and k, T must be known when tracing.
"""

import jax
import jax.numpy as jnp
import numpy as np

from book_utils.compile import compiled
from book_utils.validate import integer, is_concrete, matrix, nonnegative, numbers, same_type, vector

UNIT_TOLERANCE = 1e-3  # on the norms of atoms: far above float32 rounding, far below a forgotten normalisation


def soft_threshold(x: jax.Array, a: jax.Array | float) -> jax.Array:
    """S_a(x) = sign(x) max(|x| - a, 0), entry by entry: the z that minimises (z - x)^2 / 2 + a |z|. a >= 0 broadcasts to x.

    x - S_a(x) is x clipped to [-a, a]. The derivative in x is 1 where |x| > a and 0 elsewhere, also at |x| = a."""
    x = numbers(x, "x")
    return _soft_threshold(x, _threshold(x, a))


@compiled()
def _soft_threshold(x, a):
    return _soft(x, a)


def _soft(x, a):
    return jnp.where(jnp.abs(x) > a, x - a * jnp.sign(x), 0)


def nonnegative_threshold(x: jax.Array, a: jax.Array | float) -> jax.Array:
    """max(x - a, 0), entry by entry: what minimises (z - x)^2 / 2 + a z over z >= 0. x of any shape, a >= 0 broadcasts to it."""
    x = numbers(x, "x")
    return _nonnegative_threshold(x, _threshold(x, a))


@compiled()
def _nonnegative_threshold(x, a):
    return jnp.where(x > a, x - a, 0)


def _threshold(x, a):
    a = numbers(a, "a")
    if is_concrete(a) and np.any(np.asarray(a) < 0):
        raise ValueError(f"a: got {np.asarray(a).min():.3g}, want numbers that are not negative")
    if len(a.shape) > len(x.shape) or any(n not in (1, size) for n, size in zip(a.shape[::-1], x.shape[::-1])):
        raise ValueError(f"a: got shape {a.shape}, want one that broadcasts to the shape {x.shape} of x")
    return a.astype(x.dtype)


def spectral_norm(A: jax.Array) -> jax.Array:
    """sigma_1(A) (), the largest singular value of A (D, m), from the smaller of A A^T and A^T A."""
    return _spectral_norm(matrix(A, "A", "(D, m)"))


@compiled()
def _spectral_norm(A):
    return jnp.sqrt(_square_norm(A))


def _square_norm(A):
    gram = A @ A.T if A.shape[0] <= A.shape[1] else A.T @ A
    return jnp.maximum(jnp.linalg.eigvalsh(gram)[-1], 0)


def _steepest(A):
    """2 sigma_1(A)^2, the Lipschitz constant of the gradient 2 A^T (A Z - X); 1 for A = 0, where any will do."""
    square = _square_norm(A)
    return jnp.where(square > 0, 2 * square, 1)


def _lasso_arguments(A, X, lam, Z=None):
    A = matrix(A, "A", "(D, m)")
    X = matrix(X, "X", "(D, N)", D=A.shape[0])
    arrays = (A, X) if Z is None else (A, X, matrix(Z, "Z", "(m, N)", m=A.shape[1], N=X.shape[1]))
    arrays = same_type(*arrays)
    return *arrays, _number(lam, "lam", arrays[0].dtype)


def _number(value, name, dtype):
    return jnp.asarray(nonnegative(value, name), dtype)


def lasso_objective(A: jax.Array, X: jax.Array, Z: jax.Array, lam: float) -> jax.Array:
    """||X - A Z||_F^2 + lam ||Z||_1 (), summed over the samples. A (D, m), X (D, N), Z (m, N). Book: eq:sparse_dl_lasso."""
    return _lasso_objective(*_lasso_arguments(A, X, lam, Z))


@compiled()
def _lasso_objective(A, X, Z, lam):
    return jnp.sum(_objectives(X - A @ Z, Z, lam))


def lasso_gap(A: jax.Array, X: jax.Array, Z: jax.Array, lam: float) -> jax.Array:
    """An upper bound () on lasso_objective(A, X, Z, lam) - optimum, and 0 at the optimum: the duality gap.

    Summed over the samples. The dual of one is max 2 u^T x - ||u||^2 with 2 max|A^T u| <= lam; with r = x - A z, u = c r is
    feasible for c = min(1, lam / (2 max|A^T r|)). Computed without a difference of large numbers, no term being negative:
    (1 - c)^2 ||r||^2 + sum_i (lam |z_i| - 2 c z_i a_i^T r)."""
    return _lasso_gap(*_lasso_arguments(A, X, lam, Z))


@compiled()
def _lasso_gap(A, X, Z, lam):
    R = X - A @ Z
    return jnp.sum(_gaps(R, A.T @ R, Z, lam))


def _objectives(R, Z, lam):
    """Objective of each column, from the residuals R."""
    return jnp.sum(R**2, axis=0) + lam * jnp.sum(jnp.abs(Z), axis=0)


def _gaps(R, correlations, Z, lam):
    """Duality gap of each column, from the residuals R and A^T R."""
    largest = 2 * jnp.max(jnp.abs(correlations), axis=0)
    c = jnp.where(largest > lam, lam / jnp.where(largest > lam, largest, 1), 1)
    terms = lam * jnp.abs(Z) - 2 * c * Z * correlations
    return (1 - c) ** 2 * jnp.sum(R**2, axis=0) + jnp.sum(jnp.maximum(terms, 0), axis=0)


def lasso_kkt(A: jax.Array, X: jax.Array, Z: jax.Array, lam: float) -> jax.Array:
    """How far () G = 2 A^T (X - A Z) is, at worst, from optimality: G = lam sign(Z) where Z != 0, and |G| <= lam elsewhere."""
    return _lasso_kkt(*_lasso_arguments(A, X, lam, Z))


@compiled()
def _lasso_kkt(A, X, Z, lam):
    G = 2 * (A.T @ (X - A @ Z))
    return jnp.max(jnp.where(Z == 0, jnp.maximum(jnp.abs(G) - lam, 0), jnp.abs(G - lam * jnp.sign(Z))))


def lambda_max(A: jax.Array, X: jax.Array) -> jax.Array:
    """2 max|A^T X| (): the smallest lam at which Z = 0 is optimal for all samples."""
    A, X, _ = _lasso_arguments(A, X, 0)
    return _lambda_max(A, X)


@compiled()
def _lambda_max(A, X):
    return 2 * jnp.max(jnp.abs(A.T @ X))


def ista_step(A: jax.Array, X: jax.Array, Z: jax.Array, lam: float, eta: float) -> jax.Array:
    """S(Z - 2 eta A^T (A Z - X), eta lam) (m, N): one step of proximal gradient descent from Z (m, N), of size eta >= 0.

    Never raises the objective if eta <= 1 / (2 sigma_1(A)^2). Book: eq:ista_update."""
    A, X, Z, lam = _lasso_arguments(A, X, lam, Z)
    return _ista_step(A, X, Z, lam, _number(eta, "eta", X.dtype))


@compiled()
def _ista_step(A, X, Z, lam, eta):
    return _soft(Z - 2 * eta * (A.T @ (A @ Z - X)), eta * lam)


def ista(A: jax.Array, X: jax.Array, lam: float, T: int) -> tuple[jax.Array, jax.Array]:
    """T steps of ISTA from Z = 0 with eta = 1 / (2 sigma_1(A)^2): Z (m, N), and the objective at 0, ..., T steps (T + 1,).

    The objective never rises. After t steps it is within ||Z*||_F^2 / (2 eta t) of the optimum, Z* an optimum.
    Daubechies, Defrise & De Mol 2004; book: eq:ista_update."""
    return _ista(*_lasso_arguments(A, X, lam), integer(T, "T", 1))


@compiled("T")
def _ista(A, X, lam, T):
    eta = 1 / _steepest(A)

    def step(Z, _):
        R = A @ Z - X
        return _soft(Z - 2 * eta * (A.T @ R), eta * lam), jnp.sum(_objectives(R, Z, lam))

    Z, history = jax.lax.scan(step, jnp.zeros((A.shape[1], X.shape[1]), X.dtype), length=T)
    return Z, jnp.append(history, _lasso_objective(A, X, Z, lam))


def fista(A: jax.Array, X: jax.Array, lam: float, T: int) -> tuple[jax.Array, jax.Array]:
    """T steps of FISTA from Z = 0: Z (m, N), and the objective at 0, ..., T steps (T + 1,).

    An ISTA step from Y = Z + beta (Z - previous Z), beta = (t - 1) / t_next, t_next = (1 + sqrt(1 + 4 t^2)) / 2 from t = 1. Each
    column starts again at t = 1 whenever its step turns against its momentum. Not monotone.
    Beck & Teboulle 2009, where t steps without the restart are within 2 ||Z*||_F^2 / (eta (t + 1)^2) of the optimum;
    O'Donoghue & Candes 2015 (the restart, by the gradient)."""
    return _fista(*_lasso_arguments(A, X, lam), integer(T, "T", 1))


@compiled("T")
def _fista(A, X, lam, T):
    eta = 1 / _steepest(A)

    def step(state, _):
        Z, R, Z_ahead, R_ahead, t = state
        objective = jnp.sum(_objectives(R, Z, lam))
        Z_next = _soft(Z_ahead - 2 * eta * (A.T @ R_ahead), eta * lam)
        R_next = A @ Z_next - X
        t = jnp.where(jnp.sum((Z_ahead - Z_next) * (Z_next - Z), axis=0) > 0, 1, t)
        t_next = (1 + jnp.sqrt(1 + 4 * t**2)) / 2
        beta = (t - 1) / t_next
        return (Z_next, R_next, Z_next + beta * (Z_next - Z), R_next + beta * (R_next - R), t_next), objective

    Z, t = jnp.zeros((A.shape[1], X.shape[1]), X.dtype), jnp.ones(X.shape[1], X.dtype)
    (Z, R, *_), history = jax.lax.scan(step, (Z, -X, Z, -X, t), length=T)
    return Z, jnp.append(history, jnp.sum(_objectives(R, Z, lam)))


def sparse_code(A: jax.Array, X: jax.Array, lam: float, tol: float = 1e-4, T: int = 10_000) -> tuple[jax.Array, jax.Array]:
    """Codes Z (m, N) whose objective is proved to be at most 1 + tol times the optimum, and the gap () that proves it; lam > 0.

    FISTA with a step size for every sample. It grows by a ninth a step, and falls below ||d||^2 / (2 ||A d||^2) when the step d
    just taken was too long for the curvature it met: a few atoms curve far less than sigma_1(A)^2, all of them together.
    Every 10 steps `lasso_gap` is looked at, and the end is where it is at most tol / (1 + tol) of the objective, or at T steps.
    In float32 rounding can keep the gap above 1e-5 ||X||_F / lam of the objective (tests hold that it goes lower), at which the
    objective itself is closer. No derivative in reverse mode: the number of steps depends on the data."""
    A, X, lam = _lasso_arguments(A, X, lam)
    if is_concrete(lam) and not np.asarray(lam) > 0:
        raise ValueError("lam: got 0, want a number > 0, without which the gap says nothing")
    return _sparse_code(A, X, lam, _number(tol, "tol", X.dtype), integer(T, "T", 1))


@compiled("T")
def _sparse_code(A, X, lam, tol, T):
    def gap_and_objective(state):
        Z, R, *_ = state
        return jnp.sum(_gaps(-R, -(A.T @ R), Z, lam)), jnp.sum(_objectives(R, Z, lam))

    def far(carry):
        _, gap, objective, t = carry
        return (gap * (1 + tol) > tol * objective) & (t < T)

    def ten_steps(carry):
        state = _adaptive_steps(A, X, lam, steepest, carry[0], 10)
        return state, *gap_and_objective(state), carry[3] + 10

    Z, steepest = jnp.zeros((A.shape[1], X.shape[1]), X.dtype), _steepest(A)
    state = _from_rest(A, X, Z, jnp.full(X.shape[1], steepest))
    state, gap, *_ = jax.lax.while_loop(far, ten_steps, (state, *gap_and_objective(state), 0))
    return state[0], gap


def _from_rest(A, X, Z, curvature):
    R = A @ Z - X
    return Z, R, Z, R, jnp.ones_like(curvature), curvature


def _adaptive_steps(A, X, lam, steepest, state, steps):
    """Steps of FISTA with one curvature for each column; in pairs, so that XLA copies nothing between them."""
    def step(state):
        Z, R, Z_ahead, R_ahead, t, curvature = state
        eta = 1 / curvature
        Z_next = _soft(Z_ahead - 2 * eta * (A.T @ R_ahead), eta * lam)
        R_next = A @ Z_next - X
        change = jnp.sum((Z_next - Z_ahead) ** 2, axis=0)
        met = 2 * jnp.sum((R_next - R_ahead) ** 2, axis=0)
        steep = met > curvature * change
        met = jnp.maximum(1.1 * met / jnp.where(steep, change, 1), 1.3 * curvature)
        curvature = jnp.clip(jnp.where(steep, met, 0.9 * curvature), 1e-3 * steepest, steepest)
        t = jnp.where(jnp.sum((Z_ahead - Z_next) * (Z_next - Z), axis=0) > 0, 1, t)
        t_next = (1 + jnp.sqrt(1 + 4 * t**2)) / 2
        beta = (t - 1) / t_next
        return Z_next, R_next, Z_next + beta * (Z_next - Z), R_next + beta * (R_next - R), t_next, curvature

    return jax.lax.fori_loop(0, steps // 2, lambda _, state: step(step(state)), state)


def _unit_atoms(A):
    A = matrix(A, "A", "(D, m)")
    if is_concrete(A):
        norms = np.linalg.norm(np.asarray(A), axis=0)
        j = np.abs(norms - 1).argmax()
        if not abs(norms[j] - 1) < UNIT_TOLERANCE:
            raise ValueError(f"A: got a column of norm {norms[j]:.3g} at {j}, want atoms of norm 1")
    return A


def coherence(A: jax.Array) -> jax.Array:
    """Largest |cosine| () of the angle between two of the atoms of A (D, m), m >= 2, of any norms but 0.

    A code of k < (1 + 1 / coherence) / 2 nonzero entries is the sparsest of its sample, and both `omp` and the l1 norm find it
    (Tropp 2004). Never below `welch_bound`."""
    A = matrix(A, "A", "(D, m)")
    if A.shape[1] < 2:
        raise ValueError(f"A: got shape {A.shape}, want (D, m) with at least two columns")
    if is_concrete(A) and not np.asarray(A).any(axis=0).all():
        raise ValueError(f"A: got a column of zeros at {int((~np.asarray(A).any(axis=0)).argmax())}, want atoms with a direction")
    return _coherence(A)


@compiled()
def _coherence(A):
    A = A / jnp.max(jnp.abs(A), axis=0)  # first, so that no square leaves float32's range
    A = A / jnp.linalg.norm(A, axis=0)
    return jnp.max(jnp.where(jnp.eye(A.shape[1], dtype=bool), 0, jnp.abs(A.T @ A)))


def welch_bound(D: int, m: int) -> float:
    """sqrt((m - D) / (D (m - 1))): no m >= 2 unit vectors in D dimensions have a smaller coherence; 0 for m <= D. Welch 1974."""
    D, m = integer(D, "D", 1), integer(m, "m", 2)
    return float(np.sqrt(max(m - D, 0) / (D * (m - 1))))


def omp(A: jax.Array, X: jax.Array, k: int) -> jax.Array:
    """Orthogonal matching pursuit: codes Z (m, N) with at most k nonzero entries each, for the columns of X (D, N).

    The atoms of A (D, m) have norm 1. k <= min(D, m) times: take the atom with the largest |correlation| with the residual (the
    first in a tie), and refit to all atoms taken by least squares. A column whose residual is 0 to rounding takes no more.
    Pati, Rezaiifar & Krishnaprasad 1993."""
    A = _unit_atoms(A)
    X = matrix(X, "X", "(D, N)", D=A.shape[0])
    return _omp(*same_type(A, X), integer(k, "k", 1, min(A.shape), "min(D, m)"))


@compiled("k")
def _omp(A, X, k):
    D, m = A.shape

    def pursue(x):
        def step(i, state):
            Q, R, chosen, residual = state  # A[:, chosen] = Q R, Q with orthonormal columns: zeros where not yet there
            sizes = jnp.abs(residual @ A)
            j = jnp.min(jnp.where(sizes == jnp.max(sizes), jnp.arange(m), m))  # argmax, which XLA does one number at a time
            new = A[:, j]
            r = Q.T @ new
            new = new - Q @ r
            again = Q.T @ new  # once more: twice is enough for orthogonality to rounding
            new, r = new - Q @ again, r + again
            size = jnp.linalg.norm(new)
            on = (jnp.linalg.norm(residual) > small * jnp.linalg.norm(x)) & (size > small)
            q = jnp.where(on, new / jnp.where(on, size, 1), 0)
            R = R.at[:, i].set(jnp.where(on, r, 0)).at[i, i].set(jnp.where(on, size, 1))
            return Q.at[:, i].set(q), R, chosen.at[i].set(jnp.where(on, j, m)), residual - q * (q @ residual)

        small = 30 * jnp.finfo(X.dtype).eps
        state = jnp.zeros((D, k), X.dtype), jnp.zeros((k, k), X.dtype), jnp.zeros(k, int), x
        Q, R, chosen, _ = jax.lax.fori_loop(0, k, step, state)
        return jnp.zeros(m, X.dtype).at[chosen].add(jax.scipy.linalg.solve_triangular(R, Q.T @ x), mode="drop")

    return jax.vmap(pursue, in_axes=1, out_axes=1)(X)


def project_columns(A: jax.Array) -> jax.Array:
    """A (D, m) with every column longer than 1 shortened to length 1: the nearest dictionary with atoms in the unit ball.

    Columns inside the ball, zeros among them, stay as they are. Book: the projection in eqn:DL-update."""
    return _project_columns(matrix(A, "A", "(D, m)"))


@compiled()
def _project_columns(A):
    squares = jnp.sum(A * A, axis=0)
    return A / jnp.sqrt(jnp.where(squares > 1, squares, 1))


def dictionary_step(A: jax.Array, X: jax.Array, Z: jax.Array, nu: float) -> jax.Array:
    """One step of size nu >= 0 down the gradient 2 (A Z - X) Z^T, then onto atoms in the unit ball: A (D, m).

    Never raises ||X - A Z||_F^2 if nu <= 1 / (2 sigma_1(Z)^2). Book: eqn:DL-update."""
    A, X, Z, _ = _lasso_arguments(A, X, 0, Z)
    return _dictionary_step(A, X, Z, _number(nu, "nu", X.dtype))


@compiled()
def _dictionary_step(A, X, Z, nu):
    return _project_columns(A - 2 * nu * ((A @ Z - X) @ Z.T))


def layerwise_step(A: jax.Array, X: jax.Array, Z: jax.Array, lam: float, eta: float, nu: float) -> tuple[jax.Array, jax.Array]:
    """One layer of layerwise learning: an `ista_step` of size eta, then a `dictionary_step` of size nu with the new codes.

    Returns A (D, m), Z (m, N). Atoms stay in the unit ball, without which the l1 norm drives their lengths to infinity.
    Book: eq:ISTA-update-layerwise, which leaves the projection out."""
    A, X, Z, lam = _lasso_arguments(A, X, lam, Z)
    return _layerwise_step(A, X, Z, lam, _number(eta, "eta", X.dtype), _number(nu, "nu", X.dtype))


@compiled()
def _layerwise_step(A, X, Z, lam, eta, nu):
    Z = _ista_step(A, X, Z, lam, eta)
    return _dictionary_step(A, X, Z, nu), Z


def dictionary_learning(A: jax.Array, X: jax.Array, lam: float, T: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """A dictionary for the columns of X (D, N): min ||X - A Z||_F^2 + lam ||Z||_1 over Z and over A with atoms in the unit ball.

    T sweeps from the start A (D, m), its columns shortened to the ball, and Z = 0: four steps of `sparse_code` from the last
    codes, then one atom after another becomes the best there is, given the codes and the other atoms. Returns A (D, m), Z (m, N)
    and the objective after 0, ..., T sweeps (T + 1,), which never rises. A sample keeps its code if the steps would raise its objective,
    and an atom that no sample uses stays. Not convex: where it ends depends on the start; samples make a good one.
    Mairal, Bach, Ponce & Sapiro 2010 (the update of the atoms); book: eqn:DL-overcomplete, with a gradient step for both."""
    return _dictionary_learning(*_lasso_arguments(A, X, lam), integer(T, "T", 1))


@compiled("T")
def _dictionary_learning(A, X, lam, T):
    def sweep(carry, _):
        A, Z, curvature = carry
        state = _from_rest(A, X, Z, curvature)
        before = _objectives(state[1], Z, lam)
        Z_next, R_next, *_, curvature = _adaptive_steps(A, X, lam, _steepest(A), state, 4)
        Z = jnp.where(_objectives(R_next, Z_next, lam) <= before, Z_next, Z)
        return (_best_atoms(A, X, Z), Z, curvature), jnp.sum(before)

    A, Z = _project_columns(A), jnp.zeros((A.shape[1], X.shape[1]), X.dtype)
    (A, Z, _), history = jax.lax.scan(sweep, (A, Z, jnp.full(X.shape[1], _steepest(A))), length=T)
    return A, Z, jnp.append(history, _lasso_objective(A, X, Z, lam))


def _best_atoms(A, X, Z):
    """One atom after another: the minimiser of ||X - A Z||_F^2 over this atom in the unit ball, the others fixed."""
    products, targets = Z @ Z.T, X @ Z.T

    def update(j, A):
        size = products[j, j]
        best = A[:, j] + jnp.where(size > 0, (targets[:, j] - A @ products[:, j]) / jnp.where(size > 0, size, 1), 0)
        return A.at[:, j].set(_project_columns(best[:, None])[:, 0])

    return jax.lax.fori_loop(0, A.shape[1], update, A)


def lista(As: jax.Array, X: jax.Array, lam: jax.Array | float, eta: jax.Array | float) -> jax.Array:
    """L layers of learned ISTA on the columns of X (D, N): the codes Z (m, N) after the last, from Z = 0 before the first.

    Layer l is an `ista_step` with a dictionary of its own, Z <- S(Z - 2 eta A^T (A Z - X), eta lam) with A = As[l], As (L, D, m).
    lam, eta >= 0: one number, or one for each layer (L,). With all As equal this is L steps of ISTA.
    Gregor & LeCun 2010; book: eq:lista-training."""
    As = matrix(As, "As", "(L, D, m)")
    X = matrix(X, "X", "(D, N)", D=As.shape[1])
    lam = nonnegative(lam, "lam", "(L,)" if np.ndim(lam) else "()", L=As.shape[0])
    eta = nonnegative(eta, "eta", "(L,)" if np.ndim(eta) else "()", L=As.shape[0])
    return _lista(*same_type(As, X), lam, eta)


@compiled()
def _lista(As, X, lam, eta):
    L, D, m = As.shape
    lam, eta = (jnp.broadcast_to(jnp.asarray(p, X.dtype), L) for p in (lam, eta))
    Z = jnp.zeros((m, X.shape[1]), X.dtype)
    return jax.lax.scan(lambda Z, layer: (_ista_step(layer[0], X, Z, *layer[1:]), None), Z, (As, lam, eta))[0]


def sae_from_ista(A: jax.Array, z: jax.Array, lam: float, eta: float) -> tuple[jax.Array, jax.Array]:
    """Weights (m, D) and bias (m,) of an encoder that is one nonnegative ISTA step of size eta from z (m,):

    max(weights x + bias, 0) = max(z - 2 eta A^T (A z - x) - eta lam, 0) for every sample x. Book: eq:sae-loss."""
    A = matrix(A, "A", "(D, m)")
    z = vector(z, "z", "(m,)", m=A.shape[1])
    A, z = same_type(A, z)
    return _sae_from_ista(A, z, _number(lam, "lam", A.dtype), _number(eta, "eta", A.dtype))


@compiled()
def _sae_from_ista(A, z, lam, eta):
    return 2 * eta * A.T, z - 2 * eta * (A.T @ (A @ z)) - eta * lam


def double_dictionary(A: jax.Array, Z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """[A, -A] (D, 2 m) and [max(Z, 0); max(-Z, 0)] (2 m, N): nonnegative codes with the same product and the same l1 norm."""
    A = matrix(A, "A", "(D, m)")
    return _double_dictionary(*same_type(A, matrix(Z, "Z", "(m, N)", m=A.shape[1])))


@compiled()
def _double_dictionary(A, Z):
    return jnp.hstack([A, -A]), jnp.vstack([jnp.maximum(Z, 0), jnp.maximum(-Z, 0)])
