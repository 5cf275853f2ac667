"""Independent components: whitening, kurtosis, and the iterations that find the directions of largest fourth moment.

    Xw = (X X^T / N)^(-1/2) X                    whitening: Xw Xw^T / N = I (book: exercise:whitening)
    W <- P[(W X)^3 X^T]                          matching, stretching, projecting (book: eq:msp_iteration)
    W <- P[(W X)^3 X^T / N - 3 W]                FastICA, all rows at once (book: eq:fast-ica)

Samples are the columns of X (D, N), and nothing here subtracts a mean. W (D, D) is orthogonal and its rows are directions: W X
are codes, W^T is the dictionary that makes X of them. ^3 acts on each entry, and P is the nearest orthogonal matrix. Directions
come up to order and sign: compare them with `match_signed_permutation`. Sources: Hyvarinen & Oja 1997 and Hyvarinen 1999
(FastICA), Zhai, Yang, Liao, Wright & Ma 2020 (MSP).

Bad shapes and ranges raise ValueError; under jit, vmap and grad only shapes are checked, and T must be known when tracing.
float32, or float64 in 64-bit mode.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from book_utils.compile import compiled
from book_utils.manifold import _polar, _polar_in_a_loop
from book_utils.partitions import assignment
from book_utils.validate import frame, integer, is_concrete, matrix, nonnegative, same_type, unit, vector

GRAM_GOOD = 1e-2  # smallest lambda_D / lambda_1 at which the float32 matrix X X^T alone keeps the accuracy that `whiten` promises
CUTOFF = 100  # times the type's eps: singular values below this share of the largest count as 0
MOST_KURTOSES = 12  # the number of critical points grows as 3^D


def whiten(X: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Xw = M X (D, N) and M = (X X^T / N)^(-1/2) (D, D), the symmetric positive root, so that Xw Xw^T / N = I. X (D, N).

    Not centred, and divided by N. Of data that span less than R^D (always where N < D), M is the root of the pseudo-inverse, and
    Xw Xw^T / N the projection on their span; singular values of X below 1.2e-5 of the largest (100 eps; 2.2e-14 in float64) count
    as 0. Float32 against float64, c = s_1 / s_D the condition number of X on its span: M and Xw to 1e-7 c + 1e-5 of their norms,
    Xw Xw^T / N = I to 5e-6 (tests hold it). The derivative exists along changes of X that leave its rank, equal singular values
    included. Book: exercise:whitening, where the factor 1 / N is missing."""
    return _whiten(matrix(X, "X", "(D, N)"))


@compiled()
def _whiten(X):
    return _whitened_and_root(X)


@jax.custom_jvp
def _whitened_and_root(X):
    D, N = X.shape

    def from_data():
        if N < D:
            U, s, Vh = jnp.linalg.svd(X, full_matrices=False)
        else:  # of the transpose: on a CPU twice as fast
            V, s, Uh = jnp.linalg.svd(X.T, full_matrices=False)
            U, Vh = Uh.T, V.T
        live = s > CUTOFF * jnp.finfo(X.dtype).eps * s[0]
        M = (U * jnp.where(live, 1 / jnp.where(live, s, 1), 0)) @ U.T
        return jnp.sqrt(N) * U @ (live[:, None] * Vh), jnp.sqrt(N) * M

    if N < D:
        return from_data()
    eigenvalues, U = jnp.linalg.eigh(X @ X.T / N)

    def from_gram():
        M = (U / jnp.sqrt(eigenvalues)) @ U.T
        return M @ X, M

    return lax.cond(eigenvalues[0] > GRAM_GOOD * eigenvalues[-1], from_gram, from_data)


@_whitened_and_root.defjvp
def _whitening_derivative(primals, tangents):
    """With M = U diag(m) U^T: dM = U (K * (U^T dC U)) U^T, K_ij the difference quotient of the root, and C = X X^T / N."""
    (X,), (dX,) = primals, tangents
    Xw, M = _whitened_and_root(X)
    m, U = jnp.linalg.eigh(M)
    m = jnp.where(m > CUTOFF * jnp.finfo(X.dtype).eps * m[-1], m, 0)
    products, sums = m[:, None] * m, m[:, None] + m
    K = jnp.where(products > 0, -(products**2) / jnp.where(sums > 0, sums, 1), sums**3)
    change = dX @ X.T / X.shape[1]
    dM = U @ (K * (U.T @ (change + change.T) @ U)) @ U.T
    return (Xw, M), (dM @ X + M @ dX, dM)


def kurtosis(X: jax.Array) -> jax.Array:
    """E x^4 - 3 (E x^2)^2 of each row of X (D, N), as (D,): 0 for a Gaussian, added up by sums of independent variables.

    Neither centred nor divided by the squared variance, so a^4 times as large for a X. Float32: to 1e-6 E x^4 of float64 (tests
    hold it up to N = 10^6). Book: eq:kurtosis, and with the 3 / N^2 of its empirical form."""
    return _kurtosis(matrix(X, "X", "(D, N)"))


@compiled()
def _kurtosis(X):
    squares = X * X
    return jnp.mean(squares * squares, axis=1) - 3 * jnp.mean(squares, axis=1) ** 2


def l4_objective(W: jax.Array, X: jax.Array) -> jax.Array:
    """||W X||_4^4 / (4 N) (): what MSP increases, over N so that it is a mean per sample. W (D, D), X (D, N).

    Its gradient in W is (W X)^3 X^T / N. On white X it is (sum of the kurtoses of W X + 3 D) / 4 for orthogonal W. Float32: to
    1e-6 of itself (tests hold it). Book: eq:orthogonal-dictionary-learning-l4, without the 1 / N."""
    X = matrix(X, "X", "(D, N)")
    return _l4_objective(*same_type(matrix(W, "W", "(D, D)", D=X.shape[0]), X))


@compiled()
def _l4_objective(W, X):
    squares = (W @ X) ** 2
    return jnp.sum(squares * squares) / (4 * X.shape[1])


def msp(W: jax.Array, X: jax.Array, T: int) -> tuple[jax.Array, jax.Array]:
    """T steps W <- P[(W X)^3 X^T] from an orthogonal W (D, D), on X (D, N), white for the recovery of an orthogonal dictionary.

    Returns W (D, D) and the l4 objectives of all iterates (T + 1,) from the start on, which never decrease. Near a solution the
    error of white data with kurtosis kappa falls by 3 / (3 + kappa) a step: linearly, where the book says superlinearly. Entries
    of X between 1e-8 and 1e8 in size stay in float32's range. Zhai et al. 2020; book: eq:msp_iteration."""
    return _msp(*_start_and_data(W, X), integer(T, "T", 1))


def _start_and_data(W, X):
    X = matrix(X, "X", "(D, N)")
    return same_type(frame(W, "W", "(D, D)", D=X.shape[0]), X)


@compiled("T")
def _msp(W, X, T):
    N = X.shape[1]

    def step(W, _):
        Z = W @ X
        cubes = Z * Z * Z
        return _polar_in_a_loop(cubes @ X.T / N), jnp.sum(cubes * Z) / (4 * N)

    W, history = lax.scan(step, W, length=T)
    return W, jnp.append(history, _l4_objective(W, X))


def msp_population_step(W: jax.Array, kappa: jax.Array) -> jax.Array:
    """P[W^3 diag(kappa) + 3 W] (D, D): the step of `msp` on infinitely many samples.

    For independent codes z of mean 0, variance 1 and kurtoses kappa (D,), E (W z)^3 z^T = W^3 diag(kappa) + 3 W; W (D, D)
    orthogonal, in the coordinates of the codes, where the solutions are the signed permutations."""
    W = frame(W, "W", "(D, D)")
    return _msp_population_step(*same_type(W, vector(kappa, "kappa", "(D,)", D=W.shape[0])))


@compiled()
def _msp_population_step(W, kappa):
    return _polar(W**3 * kappa + 3 * W)


def fastica(W: jax.Array, X: jax.Array, T: int, tol: jax.Array | float = 1e-4) -> tuple[jax.Array, jax.Array]:
    """At most T steps W <- P[(W X)^3 X^T / N - 3 W] from an orthogonal W (D, D), on white X (D, N): W and the steps taken ().

    Stops after the step in which every row's |<new, old>| is within tol of 1 (not at all for tol = 0): a component of negative
    kurtosis changes its sign in each step. As scikit-learn's FastICA(fun="cube", algorithm="parallel", whiten=False), with the
    same rule; X is taken as white and not checked. No reverse-mode derivative, since the number of steps is not known before.
    Hyvarinen 1999; book: eq:fast-ica, all directions at once."""
    return _fastica(*_start_and_data(W, X), integer(T, "T", 1), nonnegative(tol, "tol"))


@compiled("T")
def _fastica(W, X, T, tol):
    N = X.shape[1]

    def step(state):
        W, steps, _ = state
        Z = W @ X
        new = _polar_in_a_loop((Z * Z * Z) @ X.T / N - 3 * W)
        return new, steps + 1, jnp.max(jnp.abs(jnp.abs(jnp.sum(new * W, axis=1)) - 1))

    state = (W, jnp.asarray(0), jnp.asarray(jnp.inf, W.dtype))
    W, steps, _ = lax.while_loop(lambda state: (state[1] < T) & (state[2] >= tol), step, state)
    return W, steps


def fastica_deflation(W: jax.Array, X: jax.Array, T: int) -> jax.Array:
    """FastICA one row after another, on white X (D, N): W (D, D) orthogonal, row k from row k of the given orthogonal W (D, D).

    T steps w <- X (X^T w)^3 / N - 3 w for each row, after each of which w is made orthogonal to the rows found before and unit.
    That is needed in every step: taking the found directions out of X alone leaves data that are not white, on which - 3 w leads
    back to them. Where nothing is left of a step, w is the part of some row of the start that is orthogonal to those found.
    Hyvarinen & Oja 1997; book: eq:fast-ica with the deflation that follows it."""
    return _fastica_deflation(*_start_and_data(W, X), integer(T, "T", 1))


@compiled("T")
def _fastica_deflation(W, X, T):
    D, N = X.shape

    def row(found, k):
        def apart(v):
            v = v - (found @ v) @ found
            return v - (found @ v) @ found  # again: the first time leaves rounding errors of the size of v

        left = jax.vmap(apart)(W)
        sizes = jnp.linalg.norm(left, axis=1)
        spare = left[jnp.argmax(sizes)] / jnp.max(sizes)

        def step(_, w):
            z = w @ X
            whole = X @ (z * z * z) / N - 3 * w
            v = apart(whole)
            size = jnp.linalg.norm(v)
            something = size > CUTOFF * jnp.finfo(v.dtype).eps * jnp.linalg.norm(whole)
            return jnp.where(something, v / jnp.where(something, size, 1), spare)

        return found.at[k].set(lax.fori_loop(0, T, step, W[k])), None

    return lax.scan(row, jnp.zeros_like(W), jnp.arange(D))[0]


def match_signed_permutation(W: jax.Array, V: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Which row of W (m, D) goes with which column of V (D, d), m >= d, up to sign: order (d,), signs (d,) and cosines (d,).

    signs[j] * W[order[j]] goes with V[:, j], at an angle with the cosine cosines[j] >= 0. No row is used twice, and the sum of
    the cosines is the largest possible (Kuhn 1955); lengths do not count, and a vector of zeros has the cosine 0 with all. So
    cosines.min() is 1 where W holds every direction of V."""
    W = matrix(W, "W", "(m, D)")
    V = matrix(V, "V", "(D, d)", D=W.shape[1])
    if V.shape[1] > W.shape[0]:
        raise ValueError(f"V: got {V.shape[1]} columns, want no more than the {W.shape[0]} rows of W")
    W, V = same_type(W, V)
    cosines = _cosines(W, V)
    if is_concrete(cosines):
        order = jnp.asarray(assignment(-np.abs(np.asarray(cosines))))
    else:  # the same in compiled code, which takes a second to compile
        from optax.assignment import hungarian_algorithm

        columns, rows = hungarian_algorithm(lax.stop_gradient(-jnp.abs(cosines)))
        order = rows[jnp.argsort(columns)]
    matched = jnp.take_along_axis(cosines, order[:, None], axis=1)[:, 0]
    return order, jnp.where(matched < 0, -1, 1).astype(W.dtype), jnp.abs(matched)


@compiled()
def _cosines(W, V):
    """Cosine (d, m) of the angle between column j of V and row i of W."""
    def normalised(rows):
        sizes = jnp.linalg.norm(rows, axis=1, keepdims=True)
        return rows / jnp.where(sizes > 0, sizes, 1)

    return normalised(V.T) @ normalised(W).T


def kurtosis_critical_points(kappa: jax.Array) -> np.ndarray:
    """Every critical point on the unit sphere of w -> sum_i kappa_i w_i^4, one in each row of (n, D); kappa (D,), D <= 12.

    Their supports S are the nonempty sets on which kappa has one sign, and w_i = +-1 / sqrt(kappa_i sum_{j in S} 1 / kappa_j), so
    with p positive and q negative kurtoses n = 3^p + 3^q - 2. Small supports first, + before -. ValueError for a kurtosis 0, with
    which they are not isolated; outside of jit only. Book: eq:kurtosis-sphere-landscape-cps."""
    kappa = _on_the_host(vector(kappa, "kappa", "(D,)"), "kappa")
    D = len(kappa)
    if D > MOST_KURTOSES:
        raise ValueError(f"kappa: got {D} kurtoses, want at most {MOST_KURTOSES}: the number of points grows as 3^D")
    if not kappa.all():
        raise ValueError("kappa: got a kurtosis 0, want none: with it, critical points are not isolated")
    blocks = []
    for size in range(1, D + 1):
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=size)))
        for support in map(list, itertools.combinations(range(D), size)):
            shares = 1 / kappa[support]
            if abs(np.sign(shares).sum()) == size:
                block = np.zeros((len(signs), D))
                block[:, support] = signs * np.sqrt(shares / shares.sum())
                blocks.append(block)
    return np.concatenate(blocks)


def morse_index(w: jax.Array, kappa: jax.Array) -> tuple[int, int]:
    """Directions along the unit sphere in which w -> sum_i kappa_i w_i^4 curves up and down at w (D,), as two numbers.

    (0, D - 1) is a strict maximum, (D - 1, 0) a strict minimum, anything between a saddle, at a critical point w; kappa (D,).
    Curvatures below 1e-5 of the largest count as 0; outside of jit only. Book: exercise:kurtosis-sphere-landscape."""
    w = _on_the_host(unit(w, "w", "(D,)"), "w")
    kappa = _on_the_host(vector(kappa, "kappa", "(D,)", D=len(w)), "kappa")
    tangents = np.linalg.qr(np.column_stack([w, np.eye(len(w))]))[0][:, 1:]
    curvatures = np.linalg.eigvalsh(tangents.T @ np.diag(12 * kappa * w**2 - 4 * np.sum(kappa * w**4)) @ tangents)
    smallest = 1e-5 * np.abs(curvatures).max(initial=0)
    return int((curvatures > smallest).sum()), int((curvatures < -smallest).sum())


def _on_the_host(x, name):
    if not is_concrete(x):
        raise ValueError(f"{name}: got a traced value, want numbers: this is not to be called under jit, vmap or grad")
    return np.asarray(x, np.float64)
