"""The unit sphere and the orthogonal group: tangents, gradients, second derivatives, and the nearest orthogonal matrix.

    T_u = {v : u^T v = 0},    v -> (I - u u^T) v                   the sphere (book: exercise:sphere-calculus)
    T_Q = {Q Omega : Omega^T = -Omega},    G -> Q skew(Q^T G)      the orthogonal group (book: exercise:orthogonal-group-calculus)
    G = U S V^T  ->  U V^T                                         the nearest point of it (book: eq:projection-onto-ogrp-defn)

A function f enters by its derivatives in the surrounding space, taken at the point: g = grad f(u) or G = grad f(Q), as numbers.
Points are given as they are used: a unit vector u (D,), an orthogonal matrix Q (D, D). Sources: Absil, Mahony & Sepulchre 2008;
Schonemann 1966 (nearest orthogonal matrix).

Bad shapes and points that are not on the manifold raise ValueError; under jit, vmap and grad only shapes are checked. float32, or
float64 in 64-bit mode.
"""

import jax
import jax.numpy as jnp
from jax import lax

from book_utils.compile import compiled
from book_utils.validate import frame, matrix, skew, unit, vector

GRAM_GOOD = 1e-3  # smallest s_D^2 / s_1^2 at which float32's G G^T is good enough for a polar factor


def project_orthogonal(G: jax.Array) -> jax.Array:
    """The orthogonal matrix (D, D) nearest to G (D, D) in Frobenius norm: U V^T for G = U S V^T, the polar factor of G.

    Unique where G has full rank; of a G with less rank, one of several at the same distance. Both signs of the determinant
    compete, and the nearest takes that of det G. Float32: Q^T Q = I to 3e-6; Q to 1e-6 (2 + s_1 / s_D) of float64's (tests
    hold it). The derivative exists where G has full rank, equal singular values included. Schonemann 1966."""
    return _project_orthogonal(matrix(G, "G", "(D, D)"))


@compiled()
def _project_orthogonal(G):
    return _polar(G)


@jax.custom_jvp
def _polar(G):
    U, _, Vh = jnp.linalg.svd(G)
    return U @ Vh


@jax.custom_jvp
def _polar_in_a_loop(G):
    """As `_polar`, for D = 64 several times as fast, with an error of the squared condition number of G: good for iterations.

    (G G^T)^(-1/2) G, and then a step of Newton and Schulz, which makes orthogonal what rounding left."""
    squares, U = jnp.linalg.eigh(G @ G.T)

    def from_gram():
        Q = (U / jnp.sqrt(squares)) @ (U.T @ G)
        return 1.5 * Q - 0.5 * Q @ (Q.T @ Q)

    return lax.cond(squares[0] > GRAM_GOOD * squares[-1], from_gram, lambda: _polar(G))


def _polar_derivative(primals, tangents):
    """dQ = Q Omega, where Omega is skew and Omega P + P Omega = Q^T dG - dG^T Q for P = Q^T G = V S V^T."""
    (G,), (dG,) = primals, tangents
    U, s, Vh = jnp.linalg.svd(G)
    change = U.T @ dG @ Vh.T
    sums = s[:, None] + s
    return U @ Vh, U @ (jnp.where(sums > 0, 1 / jnp.where(sums > 0, sums, 1), 0) * (change - change.T)) @ Vh


_polar.defjvp(_polar_derivative)
_polar_in_a_loop.defjvp(_polar_derivative)


def project_sphere(v: jax.Array) -> jax.Array:
    """v / ||v|| (D,): the point of the unit sphere nearest to v (D,), not 0. (-v / ||v|| is the farthest.)"""
    return _project_sphere(vector(v, "v", "(D,)", nonzero=True))


@compiled()
def _project_sphere(v):
    v = v / jax.lax.stop_gradient(jnp.max(jnp.abs(v)))  # so that no square leaves float32's range
    return v / jnp.linalg.norm(v)


def sphere_tangent(u: jax.Array, v: jax.Array) -> jax.Array:
    """(I - u u^T) v (D,): the part of v (D,) that is tangent to the sphere at the unit vector u (D,)."""
    u = unit(u, "u", "(D,)")
    return _sphere_tangent(u, vector(v, "v", "(D,)", D=u.shape[0]))


@compiled()
def _sphere_tangent(u, v):
    return v - u * (u @ v)


def sphere_gradient(u: jax.Array, g: jax.Array) -> jax.Array:
    """Riemannian gradient (D,) at the unit vector u (D,) of a function with gradient g (D,) there: (I - u u^T) g.

    Book: eq:exercise-riemann-grad-sphere."""
    u = unit(u, "u", "(D,)")
    return _sphere_tangent(u, vector(g, "g", "(D,)", D=u.shape[0]))


def sphere_hessian(H: jax.Array, u: jax.Array, g: jax.Array) -> jax.Array:
    """Riemannian Hessian (D, D) at the unit vector u (D,): P (H - (u^T g) I) P with P = I - u u^T.

    H (D, D) and g (D,) are the second and first derivatives at u in the surrounding space. v^T Hess v is the second derivative
    along the great circle cos(t) u + sin(t) v; u itself has the eigenvalue 0. Book: eq:exercise-riemann-hess-sphere."""
    u = unit(u, "u", "(D,)")
    D = u.shape[0]
    return _sphere_hessian(matrix(H, "H", "(D, D)", D=D), u, vector(g, "g", "(D,)", D=D))


@compiled()
def _sphere_hessian(H, u, g):
    I = jnp.eye(u.shape[0], dtype=u.dtype)
    P = I - jnp.outer(u, u)
    return P @ (H - (u @ g) * I) @ P


def orthogonal_tangent(Q: jax.Array, G: jax.Array) -> jax.Array:
    """Q skew(Q^T G) (D, D): the part of G (D, D) tangent to the orthogonal matrices at Q (D, D); skew(A) = (A - A^T) / 2."""
    Q, G = _point_and_matrix(Q, G)
    return _orthogonal_tangent(Q, G)


def _point_and_matrix(Q, G):
    Q = frame(Q, "Q", "(D, D)")
    return Q, matrix(G, "G", "(D, D)", D=Q.shape[0])


@compiled()
def _orthogonal_tangent(Q, G):
    A = Q.T @ G
    return Q @ (A - A.T) / 2


def orthogonal_gradient(Q: jax.Array, G: jax.Array) -> jax.Array:
    """Riemannian gradient (D, D) at the orthogonal Q (D, D) of a function with gradient G (D, D) there: Q skew(Q^T G).

    Book: eq:exercise-riemann-grad-orthogonal-group."""
    Q, G = _point_and_matrix(Q, G)
    return _orthogonal_tangent(Q, G)


def orthogonal_hessian(Q: jax.Array, Omega: jax.Array, G: jax.Array, dG: jax.Array) -> jax.Array:
    """Second derivative () of a function along the geodesic Q expm(t Omega) at t = 0: <Q Omega, dG - Q Omega sym(Q^T G)>.

    Q (D, D) orthogonal, Omega (D, D) skew-symmetric, G (D, D) the gradient at Q in the surrounding space and dG (D, D) its
    derivative along Q Omega: G, dG = jax.jvp(jax.grad(f), (Q,), (Q @ Omega,)); dG = 0 for a linear f. sym(A) = (A + A^T) / 2.
    Book: eq:exercise-riemann-hess-orthogonal-group."""
    Q, G = _point_and_matrix(Q, G)
    D = Q.shape[0]
    return _orthogonal_hessian(Q, skew(Omega, "Omega", "(D, D)", D=D), G, matrix(dG, "dG", "(D, D)", D=D))


@compiled()
def _orthogonal_hessian(Q, Omega, G, dG):
    A = Q.T @ G
    along = Q @ Omega
    return jnp.sum(along * (dG - along @ (A + A.T) / 2))


def projection_spectrum(Q: jax.Array, G: jax.Array) -> jax.Array:
    """Eigenvalues (D (D - 1) / 2,), ascending, of the Riemannian Hessian of ||Q - G||_F^2 at Q: m_i + m_j over all i < j.

    m_1, ..., m_D are the eigenvalues of sym(Q^T G); Q (D, D) orthogonal, G (D, D). All of them positive at a critical point means
    a strict local minimum, which allows one m_i < 0: it is the global one where every m_i >= 0."""
    Q, G = _point_and_matrix(Q, G)
    return _projection_spectrum(Q, G)


@compiled()
def _projection_spectrum(Q, G):
    A = Q.T @ G
    m = jnp.linalg.eigvalsh((A + A.T) / 2)
    i, j = jnp.triu_indices(Q.shape[0], 1)
    return jnp.sort(m[i] + m[j])
