"""Coverings by balls, and what they say of the rate of a code: covering numbers, Shannon's lower bound, thickened spheres.

    N_eps(S) = least number of balls of radius eps, centred in S, that cover S      (book: Theorem 4.1)
    R_eps(x) >= h(x) - (D / 2) log(2 pi e eps^2 / D)                                (book: eq. 4.1.17, eq:slb; B.3.1)
    dist(x, S)^2 = ||x - U U^T x||^2 + (||U^T x|| - 1)^2                            (book: eq. B.3.28, eq:distance-to-hypersphere)

eps is a distance (the root of a total mean squared error where it is one of a code), rates and entropies are in nats. Samples and
centres are columns. `covering_radius`, `greedy_net` and `circle_covering_number` have results that need numbers to look at, so
they work outside jit only. Sources: Shannon 1959 (the bound), Gonzalez 1985 (farthest points), Kershner 1939 (hexagons).
Bad shapes and ranges raise ValueError; under jit, vmap and grad only shapes are checked. float32, or float64 in 64-bit mode.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from book_utils.compile import compiled
from book_utils.validate import frame, integer, matrix, nonnegative, positive, random_key, vector

CORNERS = np.array([[0.0, 0, 1, 1], [0, 1, 0, 1]])


def covering_radius(C: np.ndarray) -> float:
    """Least radius with which discs around the columns of C (2, M) cover the unit square: exact but for rounding in float64.

    The distance to the nearest centre is largest in a corner, on an edge where two centres are equally near, or inside where
    three are. All such points are tried (M^3 / 6 circumcentres): fine up to M = 64, where it takes about 0.1 s. A grid in place
    of them finds less than the radius. Centres may stand outside the square. Book: Example 4.5, Figure 4.3."""
    C = np.asarray(matrix(C, "C", "(2, M)", **{"2": 2}), np.float64)
    points = np.concatenate([CORNERS, _on_edges(C), _circumcentres(C)], axis=1)
    points = points[:, ((points >= 0) & (points <= 1)).all(axis=0)]
    squares = (points[0] - C[0, :, None]) ** 2 + (points[1] - C[1, :, None]) ** 2
    return float(np.sqrt(squares.min(axis=0).max()))


def _on_edges(C):
    """Where the bisectors of all pairs meet the lines of the four edges (2, 2 M (M - 1))."""
    i, j = np.triu_indices(C.shape[1], 1)
    normal, level = C[:, j] - C[:, i], (np.sum(C[:, j] ** 2, axis=0) - np.sum(C[:, i] ** 2, axis=0)) / 2  # normal . x = level
    found = []
    for axis, value in itertools.product((0, 1), (0.0, 1.0)):
        with np.errstate(divide="ignore", invalid="ignore"):
            along = (level - normal[axis] * value) / normal[1 - axis]  # not finite where they are parallel, and so left out
        fixed = np.full(len(i), value)
        found.append(np.stack([fixed, along] if axis == 0 else [along, fixed]))
    return np.concatenate(found, axis=1)


def _circumcentres(C):
    """Of all triples that do not stand on one line."""
    triples = np.array(list(itertools.combinations(range(C.shape[1]), 3)), dtype=int).reshape(-1, 3).T
    a, b, c = (C[:, index] for index in triples)
    u, v = b - a, c - a
    twice = 2 * (u[0] * v[1] - u[1] * v[0])
    u2, v2 = np.sum(u**2, axis=0), np.sum(v**2, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = a + np.stack([v[1] * u2 - u[1] * v2, u[0] * v2 - v[0] * u2]) / twice
    return centre[:, np.isfinite(centre).all(axis=0)]


def optimise_covering(key: jax.Array, M: int, restarts: int = 8, steps: int = 600, grid: int = 41) -> jax.Array:
    """Centres (2, M) of discs that cover the unit square with a small radius: the best of several descents, by `covering_radius`.

    Each starts at random and follows Adam on a p-norm of the distances from the points of a grid x grid lattice to their nearest
    centres; p rises from 4 to 80: near the largest distance, but smooth. No guarantee: a good local minimum, and a few percent
    above it where discs are not large beside the lattice's step. About a second for M = 16 with the defaults."""
    key, M = random_key(key), integer(M, "M", 1)
    Cs = _optimise_covering(key, M, integer(restarts, "restarts", 1), integer(steps, "steps", 1), integer(grid, "grid", 2))
    return Cs[int(np.argmin([covering_radius(C) for C in Cs]))]


@compiled("M", "restarts", "steps", "grid")
def _optimise_covering(key, M, restarts, steps, grid):
    line = jnp.linspace(0, 1, grid)
    points = jnp.stack(jnp.meshgrid(line, line)).reshape(2, -1)

    def loss(C, p):
        squares = (points[0, :, None] - C[0]) ** 2 + (points[1, :, None] - C[1]) ** 2
        return jax.nn.logsumexp(p * jnp.log(squares.min(axis=1) + 1e-9)) / p

    def step(i, state):
        C, m, v = state
        done = i / steps
        g = jax.grad(loss)(C, 2 + 38 * done)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        rate = 0.02 * (1 - done) + 1e-4
        return C - rate * (m / (1 - 0.9 ** (i + 1.0))) / (jnp.sqrt(v / (1 - 0.999 ** (i + 1.0))) + 1e-9), m, v

    def descend(C):
        return jnp.clip(lax.fori_loop(0, steps, step, (C, jnp.zeros_like(C), jnp.zeros_like(C)))[0], 0, 1)

    return jax.vmap(descend)(jax.random.uniform(key, (restarts, 2, M)))


def greedy_net(X: jax.Array, eps: float) -> np.ndarray:
    """Numbers (m,) of columns of X (D, N) such that every column is within eps of one of them: farthest point first.

    Begins with column 0 and adds the column farthest from all those chosen (the first of several), until none is farther than
    eps >= 0. So the chosen ones are more than eps apart: a packing and a covering at once, with N_eps <= m <= N_{eps / 2} for
    covering numbers of the columns. Gonzalez 1985."""
    X, eps = matrix(X, "X", "(D, N)"), nonnegative(eps, "eps")
    order, reach = _farthest_first(X)
    return np.asarray(order)[np.asarray(reach) > eps]


@compiled()
def _farthest_first(X):
    """All columns in that order (N,), and how far each was from those before it (N,), inf for the first."""
    def step(nearest, _):
        i = jnp.argmax(nearest)
        return jnp.minimum(nearest, jnp.sum((X - X[:, i, None]) ** 2, axis=0)), (i, nearest[i])

    start = jnp.full(X.shape[1], jnp.inf, X.dtype)
    _, (order, squares) = lax.scan(step, start, length=X.shape[1])
    return order, jnp.sqrt(squares)


def circle_covering_number(eps: float) -> int:
    """Least number of discs of radius eps > 0, centred on the unit circle, that cover it: ceil(pi / (2 arcsin(eps / 2))).

    A disc covers an arc of angle 4 arcsin(eps / 2) (eps is a chord); from eps = 2 on one is enough. Where arcs fit exactly, as at
    eps = 1, rounding does not add another."""
    return math.ceil(math.pi / (2 * math.asin(min(float(positive(eps, "eps")) / 2, 1))) * (1 - 1e-12))


def log_ball_volume(eps: jax.Array | float, D: int) -> jax.Array:
    """Logarithm () of the volume of a ball of radius eps >= 0 in D dimensions: pi^(D/2) eps^D / Gamma(D/2 + 1)."""
    return _log_ball_volume(nonnegative(eps, "eps"), integer(D, "D", 1))


@compiled("D")
def _log_ball_volume(eps, D):
    return D * jnp.log(eps) + D / 2 * math.log(math.pi) - math.lgamma(D / 2 + 1)


def shannon_lower_bound(h: jax.Array | float, eps: jax.Array | float, D: int) -> jax.Array:
    """Shannon's lower bound () on the rate, in nats, of a law in R^D with differential entropy h at distortion eps > 0.

    h - (D / 2) log(2 pi e eps^2 / D): the entropy of the source less that of Gaussian noise with E||e||^2 = eps^2. Tight for a
    Gaussian while eps^2 / D is at most its least eigenvalue, and for every density as eps -> 0; below 0, or -inf for h = -inf,
    it says nothing. Book: eq. 4.1.17, eq:slb, with the constant of eq. B.3.1."""
    eps, D = positive(eps, "eps"), integer(D, "D", 1)
    return _shannon_lower_bound(jnp.asarray(h, jnp.result_type(float)), eps, D)


@compiled("D")
def _shannon_lower_bound(h, eps, D):
    return h - D * (jnp.log(eps) + math.log(2 * math.pi * math.e / D) / 2)


def sphere_projection(U: jax.Array, x: jax.Array) -> jax.Array:
    """The point (D,) nearest to x (D,) on the unit sphere of the subspace with orthonormal basis U (D, d): U U^T x / ||U^T x||.

    Where U^T x = 0 all points are equally near, and the first column of U is returned. Book: Section B.3.2."""
    U = frame(U, "U", "(D, d)")
    return _sphere_projection(U, vector(x, "x", "(D,)", D=U.shape[0]))


@compiled()
def _sphere_projection(U, x):
    z = U.T @ x
    length = jnp.linalg.norm(z)
    first = jnp.zeros_like(z).at[0].set(1)
    return U @ jnp.where(length > 0, z / jnp.where(length > 0, length, 1), first)


def sphere_distance(U: jax.Array, x: jax.Array) -> jax.Array:
    """Distance () from x (D,) to the unit sphere of the subspace with orthonormal basis U (D, d).

    sqrt(||x - U U^T x||^2 + (||U^T x|| - 1)^2). Book: eq. B.3.28, eq:distance-to-hypersphere."""
    U = frame(U, "U", "(D, d)")
    return _sphere_distance(U, vector(x, "x", "(D,)", D=U.shape[0]))


@compiled()
def _sphere_distance(U, x):
    z = U.T @ x
    return jnp.hypot(jnp.linalg.norm(x - U @ z), jnp.linalg.norm(z) - 1)
