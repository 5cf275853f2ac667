"""The exercises of the primer, Part 2: functions and chance."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from book_utils.course.exercises import Exercise, close, holds


def _square(M, x):
    return x @ M @ x


def _cube(x):
    return (x**3).sum()


def _bowl(x):
    return ((x - 1.0) ** 4).sum() + (x * x).sum()


slope = Exercise("primer.slope", "The slope of a function", minutes=5,
                 objective="take a function as an argument and call it",
                 hints=["f is a function like any other: f(x) is its value at x. At which two points is it needed?",
                        "The points are x + h * v and x - h * v. How far apart are they, counted in steps of v?",
                        "Divide the difference of the two values by 2 * h, with parentheses."])


@slope.law("exact for quadratic functions, even with a long step")
def quadratic(f, rng):
    M, x, v = rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=3)
    close(f(partial(_square, M), x, v, 0.5), v @ M @ x + x @ M @ v)


@slope.law("off by h^2 times the sum of v_j^3 for a sum of cubes")
def cubic(f, rng):
    x, v = rng.normal(size=3), rng.normal(size=3)
    close(f(partial(_cube), x, v, 0.25), (3 * x**2 * v).sum() + 0.25**2 * (v**3).sum())


@slope.law("turning v around turns the sign")
def reversed_direction(f, rng):
    x, v = rng.normal(size=3), rng.normal(size=3)
    close(f(partial(_bowl), x, -v, 0.1), -f(partial(_bowl), x, v, 0.1), tol=3)


slope.wrong("one-sided", replace=("f(x - h * v)) / (2 * h)", "f(x)) / h"), caught_by=quadratic,
            hint="From x to x + h v only: the quadratic term stays. Look to both sides.")
slope.wrong("divides by h", replace=("(2 * h)", "h"), caught_by=quadratic, hint="From x - h v to x + h v the distance is 2 h.")
slope.wrong("lacks parentheses", replace=("(2 * h)", "2 * h"), caught_by=quadratic,
            hint="/ 2 * h divides by 2 and then multiplies by h.")
slope.wrong("steps in all directions at once", replace=("x - h * v", "x - h"), caught_by=quadratic,
            hint="The step has length h along v: h * v.")


@slope.right("in NumPy")
def _(f, x, v, h):
    x, v = np.asarray(x), np.asarray(v)
    ahead, behind = f(x + h * v), f(x - h * v)
    return np.subtract(ahead, behind) / (2 * h)


@slope.right("along the line")
def _(f, x, v, h):
    along = lambda t: f(x + t * v)
    return (along(h) - along(-h)) / (h + h)


def keys(rng, count):
    return [jax.random.key(int(seed)) for seed in rng.choice(2**31 - 1, size=count, replace=False)]


two_frames = Exercise("primer.two_frames", "Two random frames", minutes=6,
                      objective="split a key, and never use one twice",
                      hints=["One key gives one draw. jax.random.split(key) makes two new keys out of one.",
                             "Fill a (D, d) matrix with jax.random.normal, one for each of the new keys.",
                             "jnp.linalg.qr(G) returns a pair; its first entry has orthonormal columns that span those of G."])


@two_frames.law("the columns of both are orthonormal")
def orthonormal(f, rng):
    U, V = f(*keys(rng, 1), 6, 2)
    close(U.T @ U, np.eye(2))
    close(V.T @ V, np.eye(2))


@two_frames.law("the two are independent")
def independent(f, rng):
    frames = (f(key, 6, 2) for key in keys(rng, 40))
    overlaps = [((U.T @ V) ** 2).sum() for U, V in frames]  # for independent planes 2/3 on average, with standard deviation 0.3
    gap = abs(float(np.mean(overlaps)) - 2 / 3)
    holds(gap < 0.4, f"over 40 keys, the average of ||U^T V||^2 is {gap:.2f} away from that of independent frames")


@two_frames.law("the same key gives the same frames")
def repeatable(f, rng):
    key, = keys(rng, 1)
    for first, second in zip(f(key, 6, 2), f(key, 6, 2)):
        close(second, first)


@two_frames.law("another key gives other frames")
def another_key(f, rng):
    for first, second in zip(*(f(key, 6, 2) for key in keys(rng, 2))):
        holds(np.abs(first - second).max() > 1e-3, "two different keys gave the same frame")


@two_frames.law("no direction is preferred")
def isotropic(f, rng):
    u = np.full(6, 6**-0.5)  # its squared length within a random plane is 1/3 on average, with standard deviation 0.24
    lengths = np.array([[((W.T @ u) ** 2).sum() for W in f(key, 6, 2)] for key in keys(rng, 40)])
    worst = float(np.abs(lengths.mean(axis=0) - 1 / 3).max())
    holds(worst < 0.22, f"over 40 keys, the squared length of (1, ..., 1) / sqrt(6) within a span is on average {worst:.2f} off")


two_frames.wrong("uses one key twice", replace=("normal(k2", "normal(k1"), caught_by=independent,
                 hint="The same key gives the same numbers, every time.")
two_frames.wrong("ignores its key", replace=("split(key)", "split(jax.random.key(0))"), caught_by=another_key,
                 hint="A key made inside the function is the same at every call.")
two_frames.wrong("scales the columns instead of making them orthogonal",
                 replace=("V, _ = jnp.linalg.qr(jax.random.normal(k2, (D, d)))", "V = normalize(jax.random.normal(k2, (D, d)))"),
                 caught_by=orthonormal, hint="Columns of length one need not be orthogonal to each other. QR sees to both.")
two_frames.wrong("positive entries only", replace=("normal(k2", "uniform(k2"), caught_by=isotropic,
                 hint="Numbers between 0 and 1 all point into the same corner of space.")


@two_frames.right("vmap over the keys")
def _(key, D, d):
    frames = jax.vmap(lambda k: jnp.linalg.qr(jax.random.normal(k, (D, d)))[0])(jax.random.split(key))
    return frames[0], frames[1]


@two_frames.right("with the singular value decomposition")
def _(key, D, d):
    first, second = jax.random.normal(key, (2, D, d))
    return jnp.linalg.svd(first, full_matrices=False)[0], jnp.linalg.svd(second, full_matrices=False)[0]


@two_frames.right("in NumPy, seeded by the key")
def _(key, D, d):
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    return np.linalg.qr(rng.normal(size=(D, d)))[0], np.linalg.qr(rng.normal(size=(D, d)))[0]


def _inner(x, y):
    return x @ y


def _lopsided(x, y):
    return x[0] * y.sum() + (y * y).sum()


gram = Exercise("primer.gram", "A Gram matrix for any kernel", minutes=6,
                objective="write a formula for one sample and lift it over all of them",
                hints=["Fix y. How does kernel(x, y), a function of x alone, become a function of all columns?",
                       "columns(lambda x: kernel(x, y))(X) has shape (N,): it is the column of the result that belongs to y.",
                       "Call that a function of y, and lift it with columns once more."])


@gram.law("the inner product gives X^T X")
def inner(f, rng):
    X = rng.normal(size=(2, 3))
    close(f(partial(_inner), X), X.T @ X)


@gram.law("entry (i, j) has sample i first and sample j second")
def order(f, rng):
    X = rng.normal(size=(2, 3))
    expected = [[X[0, i] * X[:, j].sum() + (X[:, j] ** 2).sum() for j in range(3)] for i in range(3)]
    close(f(partial(_lopsided), X), np.array(expected))


@gram.law("reordering the samples reorders rows and columns")
def reordered(f, rng):
    X, p = rng.normal(size=(2, 3)), np.array([2, 0, 1])
    close(f(partial(_lopsided), X[:, p]), f(partial(_lopsided), X)[np.ix_(p, p)])


gram.wrong("swaps the samples", replace=("kernel(x, y)", "kernel(y, x)"), caught_by=order,
           hint="Your matrix is transposed: whose index counts the rows?")
gram.wrong("compares samples with themselves", replace=("kernel(x, y)", "kernel(x, x)"), caught_by=inner,
           hint="y never enters.")
gram.wrong("always the inner product", replace=("kernel(x, y)", "x @ y"), caught_by=order,
           hint="The kernel that was handed over is never called.")
gram.wrong("the same column everywhere", replace=("columns(column)(X)", "jnp.stack([column(X[:, 0])] * X.shape[1], axis=1)"),
           caught_by=inner, hint="Every column of your matrix is the same.")


@gram.right("two loops")
def _(kernel, X):
    return jnp.array([[kernel(x, y) for y in X.T] for x in X.T])


@gram.right("two loops in NumPy")
def _(kernel, X):
    X = np.asarray(X)
    K = np.zeros((X.shape[1], X.shape[1]))
    for i in range(len(K)):
        for j in range(len(K)):
            K[i, j] = kernel(X[:, i], X[:, j])
    return K


@gram.right("vmap inside vmap")
def _(kernel, X):
    return jax.vmap(lambda x: jax.vmap(lambda y: kernel(x, y))(X.T))(X.T)


descend = Exercise("primer.descend", "Gradient descent", minutes=6, needs_grad=True,
                   objective="differentiate a function that was handed over",
                   hints=["jax.grad(f) is a new function: call it at x to get the gradient there.",
                          "Every step needs the gradient at the current x, so it is computed inside the loop.",
                          "x = x - gamma * jax.grad(f)(x), T times; return x after the loop."])


@descend.law("one step goes against the gradient of x^T M x")
def one_step(f, rng):
    M, x = rng.normal(size=(3, 3)), rng.normal(size=3)
    close(f(partial(_square, M), x, 0.1, 1), x - 0.1 * (M @ x + M.T @ x))


@descend.law("five steps on x^T M x multiply x by (I - gamma (M + M^T))^5")
def five_steps(f, rng):
    M, x = rng.normal(size=(3, 3)), rng.normal(size=3)
    close(f(partial(_square, M), x, 0.1, 5), np.linalg.matrix_power(np.eye(3) - 0.1 * (M + M.T), 5) @ x)


@descend.law("without steps, x stays")
def no_step(f, rng):
    x = rng.normal(size=3)
    close(f(partial(_bowl), x, 0.1, 0), x)


descend.wrong("climbs", replace=("x - gamma", "x + gamma"), caught_by=one_step,
              hint="The gradient points uphill.")
descend.wrong("subtracts the value", replace=("jax.grad(f)", "f"), caught_by=one_step,
              hint="f(x) is one number, the same for every entry of x. What is wanted is its gradient.")
descend.wrong("forgets the step size", replace=("gamma * ", ""), caught_by=one_step, hint="How long is your step?")
descend.wrong("leaves after the first step", replace=("    return x", "        return x"), caught_by=five_steps,
              hint="Your return stands inside the loop.")
descend.wrong("one step short", replace=("range(T)", "range(1, T)"), caught_by=one_step,
              hint="range(1, T) counts T - 1 numbers.")


@descend.right("with a compiled loop")
def _(f, x, gamma, T):
    return jax.lax.fori_loop(0, T, lambda _, x: x - gamma * jax.grad(f)(x), x)


@descend.right("calling itself")
def _(f, x, gamma, T):
    step = lambda x, T: x if T == 0 else step(x - gamma * jax.grad(f)(x), T - 1)
    return step(x, T)


@descend.right("with value and gradient")
def _(f, x, gamma, T):
    for _ in range(T):
        _, gradient = jax.value_and_grad(f)(x)
        x -= gamma * gradient
    return x
