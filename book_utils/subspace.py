"""Linear subspaces: principal components, the iterations that find them, probabilistic PCA, and completion of low-rank matrices.

    X X^T / N  u_i = lambda_i u_i                            the d largest: principal components (book: Theorem 2.1, thm:pca)
    v <- M v / ||M v||,          M = X X^T / N               power iteration (book: eq. 2.1.17, eq:power_iteration)
    u <- normalise(u + gamma (u^T x) x)                      normalised Hebbian rule (book: eq. 2.1.25, eqn:Hebbian)

Samples are the columns of X (D, N), and nothing here subtracts a mean. Sources: Pearson 1901, Hotelling 1933 and Eckart & Young
1936 (PCA), Davis & Kahan 1970 (what noise does to it), Oja 1982 (online), Tipping & Bishop 1999 (probabilistic PCA).

A subspace has many bases: compare them with `subspace_distance`, never entry by entry. Bad shapes and ranges raise ValueError;
under jit, vmap and grad only shapes are checked, and d, r, T must be known when tracing. float32, or float64 in 64-bit mode.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.linalg
import numpy as np
from jax import lax

from book_utils.compile import compiled
from book_utils.validate import boolean, frame, integer, is_concrete, matrix, nonnegative, same_type, start, vector

GRAM_GOOD = 1e-2  # smallest lambda_d / lambda_1 at which the float32 Gram matrix alone keeps the accuracy that `pca` promises
GRAM_SAFE = 1e-3  # smallest lambda_d / lambda_1 at which float32 eigenvectors of the Gram matrix are good enough to start from
RIDGE = 1e-6  # beside U^T U <= I: keeps a column with fewer than r observed entries solvable in float32


def pca(X: jax.Array, d: int) -> tuple[jax.Array, jax.Array]:
    """Principal components of the columns of X (D, N): U (D, d) orthonormal and the d largest eigenvalues (d,) of X X^T / N.

    Not centred, and divided by N. Eigenvalues descend; the entry of largest size in each column of U is positive, which fixes the
    sign. No D x D matrix when N < D, no N x N one when D < N.

    Float32 against float64 (tests hold it): sqrt(lambda_i) to 2e-6 of the largest one; lambda_i to 4e-6 sqrt(lambda_1 / lambda_i)
    of itself; the subspace to 3e-6 sqrt(lambda_1 lambda_d) / (lambda_d - lambda_{d+1}) (sine of the angle); U^T U = I to 3e-6.
    Derivatives exist where all eigenvalues of X X^T (X^T X if N < D) are distinct. Pearson 1901; book: Theorem 2.1, thm:pca."""
    X = matrix(X, "X", "(D, N)")
    return _pca(X, integer(d, "d", 1, min(X.shape), "min(D, N)"))


@compiled("d")
def _pca(X, d):
    D, N = X.shape
    eigenvalues, W = jnp.linalg.eigh(X @ X.T if D <= N else X.T @ X)  # ascending, of the smaller Gram matrix
    W = W[:, : -d - 1 : -1]

    def from_gram():
        return W if D <= N else jnp.linalg.qr(X @ W)[0], eigenvalues[: -d - 1 : -1]

    def from_gram_and_data():
        # Half a step of orthogonal iteration: the Gram matrix squared the condition number, X itself gives the lost digits back.
        U, s, _ = jnp.linalg.svd(X @ jnp.linalg.qr(X.T @ from_gram()[0])[0], full_matrices=False)
        return U, s**2

    def from_data():
        U, s, _ = jnp.linalg.svd(X, full_matrices=False)
        return U[:, :d], s[:d] ** 2

    ratio = eigenvalues[-d] / eigenvalues[-1]  # NaN for X = 0: then from_data
    case = jnp.where(ratio > GRAM_GOOD, 0, jnp.where(ratio > GRAM_SAFE, 1, 2))
    U, squares = lax.switch(case, [from_gram, from_gram_and_data, from_data])
    largest = jnp.take_along_axis(U, jnp.argmax(jnp.abs(U), axis=0)[None], axis=0)
    return U * jnp.sign(largest), squares / N


def project(U: jax.Array, X: jax.Array) -> jax.Array:
    """U U^T X (D, N): the closest points of the subspace with orthonormal basis U (D, d) to the columns of X (D, N).

    ValueError unless U^T U = I to 1e-3. Book: eq. 2.1.6 and 2.1.13, eqn:autoencoding-PCA, eq:orthogonal_denoising."""
    U = frame(U, "U", "(D, d)")
    return _project(U, matrix(X, "X", "(D, N)", D=U.shape[0]))


@compiled()
def _project(U, X):
    return U @ (U.T @ X)


def subspace_distance(U: jax.Array, V: jax.Array) -> jax.Array:
    """Sine of the largest principal angle, in [0, 1], between the subspaces with orthonormal bases U and V (D, d).

    ||V - U U^T V||_2: a small angle is not lost, as it is in sqrt(1 - cos^2). Float32: within 1e-6 of the sine (tests hold it).
    Bjorck & Golub 1973; it is ||U U^T - V V^T||_2, the distance in Davis & Kahan's theorem."""
    U = frame(U, "U", "(D, d)")
    return _subspace_distance(U, frame(V, "V", "(D, d)", D=U.shape[0], d=U.shape[1]))


@compiled()
def _subspace_distance(U, V):
    return jnp.minimum(jnp.linalg.norm(V - U @ (U.T @ V), ord=2), 1)


def power_iteration(X: jax.Array, v: jax.Array, T: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """T steps v <- M v / ||M v|| with M = X X^T / N, as X (X^T v) / N: M is never formed. X (D, N), start v (D,), not 0.

    Returns the unit vector v (D,), its Rayleigh quotient v^T M v (), and those of all iterates (T + 1,) from the start on, which
    never decrease. Where M v = 0, v stays: an eigenvector of the eigenvalue 0. The tangent of the angle to the first eigenvector
    falls by lambda_2 / lambda_1 a step, the error of the quotient by its square. Book: eq. 2.1.17, eq:power_iteration."""
    X = matrix(X, "X", "(D, N)")
    v = vector(v, "v", "(D,)", nonzero=True, D=X.shape[0])
    return _power_iteration(*same_type(X, v), integer(T, "T", 1))


@compiled("T")
def _power_iteration(X, v, T):
    N = X.shape[1]

    def step(v, _):
        z = v @ X  # X^T v, and on a CPU three times as fast
        return _unit(X @ z / N, otherwise=v), z @ z / N

    v, history = lax.scan(step, _unit(v, otherwise=v), length=T)
    z = v @ X
    eigenvalue = z @ z / N
    return v, eigenvalue, jnp.append(history, eigenvalue)


def _unit(v, otherwise):
    """v / ||v||, and `otherwise` for v = 0. Divided by its largest entry first, so that no square leaves float32's range."""
    size = lax.stop_gradient(jnp.max(jnp.abs(v)))  # the result does not depend on it
    w = jnp.where(size > 0, v / jnp.where(size > 0, size, 1), 1)
    return jnp.where(size > 0, w / jnp.linalg.norm(w), otherwise)


def orthogonal_iteration(V: jax.Array, X: jax.Array, T: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """T steps V <- qr(M V) with M = X X^T / N, as X (X^T V) / N: power iteration on d vectors at once. V (D, d), X (D, N).

    Returns V (D, d) orthonormal, its Rayleigh quotients v_i^T M v_i (d,), and those of all iterates (T + 1, d) from the start on.
    The start's columns must be independent and are made orthonormal first. The angle to the top subspace falls by
    lambda_{d+1} / lambda_d a step; with d = 1 this is `power_iteration`. Bauer 1957."""
    X = matrix(X, "X", "(D, N)")
    V = start(V, "V", "(D, d)", D=X.shape[0])
    return _orthogonal_iteration(*same_type(V, X), integer(T, "T", 1))


@compiled("T")
def _orthogonal_iteration(V, X, T):
    N = X.shape[1]

    def step(V, _):
        Z = X.T @ V
        return _orthonormal(X @ Z / N), (Z * Z).sum(0) / N

    V, history = lax.scan(step, _orthonormal(V), length=T)
    eigenvalues = ((X.T @ V) ** 2).sum(0) / N
    return V, eigenvalues, jnp.vstack([history, eigenvalues])


def _orthonormal(V):
    """Q of V = QR with R's diagonal not negative, so that Q is continuous in V and a direction keeps its sign."""
    Q, R = jnp.linalg.qr(V)
    return Q * jnp.where(jnp.diagonal(R) < 0, -1, 1)


def oja(X: jax.Array, u: jax.Array, gamma: jax.Array | float) -> tuple[jax.Array, jax.Array]:
    """Online PCA: u <- normalise(u + gamma (u^T x) x) over the columns x of X (D, N) in order, from u (D,), not 0.

    gamma >= 0: one gain, or one for each sample (N,). Returns the last u (D,) and the path (D, N), column i being the estimate
    after sample i. A constant gain leaves an error in proportion to it; 1 / (t + c) does not. Oja 1982; book: eq. 2.1.25."""
    X = matrix(X, "X", "(D, N)")
    u = vector(u, "u", "(D,)", nonzero=True, D=X.shape[0])
    gamma = nonnegative(gamma, "gamma", "(N,)" if np.ndim(gamma) else "()", N=X.shape[1])
    X, u = same_type(X, u)
    return _oja(X, u, jnp.broadcast_to(jnp.asarray(gamma, X.dtype), X.shape[1:]))


@compiled()
def _oja(X, u, gamma):
    def step(u, sample):
        x, gain = sample
        u = _unit(u + gain * (u @ x) * x, otherwise=u)
        return u, u

    u, path = lax.scan(step, u, (X.T, gamma))
    return u, path.T


class PPCA(NamedTuple):
    """What `ppca` fits: x = U z + sigma noise, with z ~ N(0, diag(S)). U (D, d) orthonormal, S (d,) descending, sigma ()."""

    U: jax.Array
    S: jax.Array
    sigma: jax.Array


def ppca(X: jax.Array, d: int) -> PPCA:
    """Maximum-likelihood probabilistic PCA of zero-mean columns X (D, N): X X^T / N ~ U diag(S) U^T + sigma^2 I, with d < D.

    sigma^2 = mean of the D - d discarded eigenvalues, S = eigenvalue - sigma^2 (>= 0), U as in `pca`. sigma^2 is summed over the
    residual and not a difference of traces: in float32 sigma is right to 2e-6 of itself down to sigma = 1e-3 beside codes of
    size 1 (tests hold it).
    Tipping & Bishop 1999; book: Theorem 2.3, thm:ppca, which needs noise of isotropic covariance and every S > 0."""
    X = matrix(X, "X", "(D, N)")
    return _ppca(X, integer(d, "d", 1, min(X.shape[0] - 1, X.shape[1]), "min(D - 1, N)"))


@compiled("d")
def _ppca(X, d):
    D, N = X.shape
    U, eigenvalues = _pca(X, d)
    variance = jnp.sum((X - U @ (U.T @ X)) ** 2) / (N * (D - d))
    return PPCA(U, jnp.maximum(eigenvalues - variance, 0), jnp.sqrt(variance))


def wiener(U: jax.Array, X: jax.Array, S: jax.Array, sigma: jax.Array | float) -> jax.Array:
    """Posterior mean of U z given each column x = U z + sigma noise of X (D, N): U diag(S / (S + sigma^2)) U^T X (D, N).

    U (D, d) orthonormal, S (d,) >= 0 variances of the codes, sigma >= 0. The best linear denoiser for that model, where `project`
    is the best projection; a direction with S = 0 is removed. Book: Section 2.1.4, subsec:probabilistic PCA; Wiener 1949."""
    U = frame(U, "U", "(D, d)")
    X = matrix(X, "X", "(D, N)", D=U.shape[0])
    return _wiener(U, X, nonnegative(S, "S", "(d,)", d=U.shape[1]), nonnegative(sigma, "sigma"))


@compiled()
def _wiener(U, X, S, sigma):
    gain = jnp.where(S > 0, S / jnp.where(S > 0, S + sigma**2, 1), 0)
    return U @ (gain[:, None] * (U.T @ X))


def complete_rank1(Y: jax.Array) -> jax.Array:
    """The matrix X (D, N) of rank 1 with the first column and the last row of Y: X_ij = X_i1 X_Dj / X_D1.

    Nothing else of Y is read (it may be NaN). ValueError if the pivot Y[-1, 0] is 0: then one of the two is 0 throughout and the
    rest is not determined. Book: the completion example at the end of Section 2.1, sec:lowrank, which leaves X_D1 != 0 unsaid."""
    Y = matrix(Y, "Y", "(D, N)", finite=False)
    column, row = vector(Y[:, 0], "Y[:, 0]", "(D,)"), vector(Y[-1], "Y[-1]", "(N,)")
    if is_concrete(row) and np.asarray(row)[0] == 0:
        raise ValueError("Y: got 0 at the pivot Y[-1, 0], want a number to divide by")
    return jnp.outer(column, row / row[0])


def als_complete(Y: jax.Array, mask: jax.Array, r: int, T: int) -> jax.Array:
    """A matrix (D, N) of rank <= r fitted to Y (D, N) where mask (D, N) is True: T sweeps of alternating least squares.

    What stands in Y elsewhere is not read (it may be NaN). Deterministic: starts at the r leading left singular vectors of Y with
    zeros for what is missing. Every least-squares problem carries a ridge of 1e-6 beside an orthonormal factor: a column with
    fewer than r entries gets the small solution, an empty one zeros. Data of rank r with ample entries come back to 2e-5 of their
    norm (tests hold it); fewer than r (D + N - r) entries cannot determine them.
    Jain, Netrapalli & Sanghavi 2013; book: the completion passage at the end of Section 2.1, sec:lowrank."""
    Y = matrix(Y, "Y", "(D, N)", finite=False)
    D, N = Y.shape
    mask = boolean(mask, "mask", "(D, N)", D=D, N=N)
    if is_concrete(Y) and is_concrete(mask) and not np.isfinite(np.asarray(Y)[np.asarray(mask)]).all():
        raise ValueError("Y: got numbers that are not finite where mask is True, want finite ones")
    return _als_complete(Y, mask, integer(r, "r", 1, min(D, N), "min(D, N)"), integer(T, "T", 1))


_solve_positive = functools.partial(jax.scipy.linalg.solve, assume_a="pos")


@compiled("r", "T")
def _als_complete(Y, mask, r, T):
    Y = jnp.where(mask, Y, 0)
    seen = mask.astype(Y.dtype)

    def codes(U, Y, seen):
        """Column j: the z that minimises the sum over observed i of (Y_ij - u_i^T z)^2, plus RIDGE ||z||^2; u_i is row i of U."""
        products = U[:, :, None] * U[:, None, :]
        grams = jnp.einsum("ij,iab->jab", seen, products) + RIDGE * jnp.eye(r, dtype=U.dtype)
        return jax.vmap(_solve_positive, in_axes=(0, 1), out_axes=1)(grams, U.T @ Y)

    def sweep(U, _):
        V, _ = jnp.linalg.qr(codes(U, Y, seen).T)
        return jnp.linalg.qr(codes(V, Y.T, seen.T).T)[0], None

    U, _ = lax.scan(sweep, _pca(Y, r)[0], length=T)
    return U @ codes(U, Y, seen)
