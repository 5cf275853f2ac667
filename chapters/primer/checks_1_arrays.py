"""The exercises of the primer, Part 1: arrays."""

import jax
import jax.numpy as jnp
import numpy as np

from book_utils.course.exercises import Exercise, close, holds

center = Exercise("primer.center", "Centring", minutes=4,
                  objective="average over the samples and subtract the result from every column",
                  hints=["The mean sample has one entry per feature: over which axis of X is the average taken?",
                         "X.mean(axis=1) has shape (D,). Which shape does broadcasting need beside (D, N)?",
                         "keepdims=True keeps the averaged axis with size 1."])


@center.law("the columns average to zero")
def centered(f, rng):
    close(f(rng.normal(size=(2, 3)) + 2).mean(axis=1), np.zeros(2))


@center.law("moving all samples together changes nothing")
def shifted(f, rng):
    X = rng.normal(size=(2, 3))
    close(f(X + np.array([[3.0], [-1.0]])), f(X))


@center.law("differences between samples stay")
def differences(f, rng):
    X = rng.normal(size=(2, 3))
    close(np.diff(f(X), axis=1), np.diff(X, axis=1))


@center.law("the columns average to zero when there are as many samples as features")
def centered_square(f, rng):
    close(f(rng.normal(size=(3, 3)) + np.array([[0.0], [5.0], [9.0]])).mean(axis=1), np.zeros(3))


center.wrong("averages each sample", replace=("axis=1", "axis=0"), caught_by=centered,
             hint="axis=0 runs down a column, over the features of one sample.")
center.wrong("one mean for all entries", replace=("axis=1, ", ""), caught_by=centered,
             hint="Without an axis, mean() averages every entry of X into one number.")
center.wrong("adds the mean", replace=("X - X", "X + X"), caught_by=centered, hint="Adding the mean doubles it.")
center.wrong("loses the averaged axis", replace=(", keepdims=True", ""), caught_by=centered_square,
             hint="(D,) is lined up with the last axis of X, which is that of the samples. A mean of shape (D, 1) is wanted.")


@center.right("in NumPy, with a new axis")
def _(X):
    mean = np.asarray(X).mean(axis=1)
    return np.asarray(X) - mean[:, None]


@center.right("as a product with the centring matrix")
def _(X):
    N = X.shape[1]
    return X @ (jnp.eye(N) - jnp.ones((N, N)) / N)


@center.right("a loop over features")
def _(X):
    return jnp.stack([row - row.mean() for row in X])


squared_distances = Exercise("primer.squared_distances", "Distances to a point", minutes=5,
                             objective="line a point of shape (D,) up with a matrix of shape (D, N)",
                             hints=["Subtract x from every column first. What shape must x have for that?",
                                    "x[:, None] has shape (D, 1). Then square, then add up: over which axis?",
                                    "One number per sample is left when axis 0, the features, is summed."])


@squared_distances.law("a sample is at distance zero from itself")
def itself(f, rng):
    X = rng.normal(size=(2, 3))
    close(f(X, X[:, 1])[1], 0.0)


@squared_distances.law("doubling all coordinates quadruples it")
def doubled(f, rng):
    X, x = rng.normal(size=(2, 3)), rng.normal(size=2)
    close(f(2 * X, 2 * x), 4 * f(X, x))


@squared_distances.law("equals the sum over features, one sample at a time")
def one_by_one(f, rng):
    X, x = rng.normal(size=(2, 3)), rng.normal(size=2)
    close(f(X, x), np.array([sum((X[j, i] - x[j]) ** 2 for j in range(2)) for i in range(3)]))


@squared_distances.law("equals that sum when there are as many samples as features")
def one_by_one_square(f, rng):
    X, x = rng.normal(size=(3, 3)), rng.normal(size=3)
    close(f(X, x), np.array([sum((X[j, i] - x[j]) ** 2 for j in range(3)) for i in range(3)]))


squared_distances.wrong("lines x up with the samples", replace=("x[:, None]", "x"), caught_by=one_by_one_square,
                        hint="(D,) beside (D, N) is lined up from the right: it meets the axis of the samples.")
squared_distances.wrong("sums over the samples", replace=("axis=0", "axis=1"), caught_by=one_by_one_square,
                        hint="The sum runs over the features of one sample: which axis is that?")
squared_distances.wrong("takes the root", replace=("sum(axis=0)", "sum(axis=0) ** 0.5"), caught_by=doubled,
                        hint="The squared distance is wanted, without the root.")
squared_distances.wrong("adds x", replace=("X - x", "X + x"), caught_by=itself, hint="From a sample to itself: x_i - x_i.")
squared_distances.wrong("squares after adding up",
                        replace=("((X - x[:, None]) ** 2).sum(axis=0)", "(X - x[:, None]).sum(axis=0) ** 2"),
                        caught_by=one_by_one, hint="Square each difference before they are added up.")


@squared_distances.right("in NumPy, sample by sample")
def _(X, x):
    X, x = np.asarray(X), np.asarray(x)
    return np.array([np.sum((X[:, i] - x) ** 2) for i in range(X.shape[1])])


@squared_distances.right("multiplied out")
def _(X, x):
    return (X * X).sum(0) - 2 * x @ X + x @ x


@squared_distances.right("on the transpose")
def _(X, x):
    return jnp.linalg.norm(X.T - x, axis=1) ** 2


normalize = Exercise("primer.normalize", "Columns of length one", minutes=4,
                     objective="translate NumPy into jnp, so that JAX can compile it",
                     hints=["The length of every column: jnp.linalg.norm can do all of them at once, given an axis.",
                            "The lengths have shape (N,). Does (D, N) / (N,) divide column by column?",
                            "It does: shapes are lined up from the right. Use jnp, not np, for the norm."])


@normalize.law("every column has length one")
def unit(f, rng):
    close((f(rng.normal(size=(2, 3))) ** 2).sum(axis=0), np.ones(3))


@normalize.law("every column keeps its direction")
def direction(f, rng):
    X = rng.normal(size=(2, 3))
    close(f(X) * np.sqrt((X**2).sum(axis=0)), X)


@normalize.law("unchanged when samples are made longer")
def longer(f, rng):
    X = rng.normal(size=(2, 3))
    close(f(X * np.array([2.0, 5.0, 0.3])), f(X))


@normalize.law("works under jit")
def normalize_jit(f, rng):
    X = rng.normal(size=(2, 3))
    close(f.jit(X), X / np.sqrt((X**2).sum(axis=0)))


normalize.wrong("normalises the features", replace=("axis=0", "axis=1, keepdims=True"), caught_by=unit,
                hint="The length of a sample is taken down its column, over axis 0.")
normalize.wrong("one length for the whole matrix", replace=(", axis=0", ""), caught_by=unit,
                hint="Without an axis, norm gives the length of the whole matrix as one number.")
normalize.wrong("absolute values for squares", replace=("axis=0", "ord=1, axis=0"), caught_by=unit,
                hint="The length is the root of the sum of squares, not the sum of absolute values.")
normalize.wrong("divides by the squared length", replace=("jnp.linalg.norm(X, axis=0)", "(X**2).sum(axis=0)"), caught_by=unit,
                hint="The sum of the squares is the squared length.")
normalize.wrong("stays in NumPy", replace=("jnp.", "np."), caught_by=normalize_jit,
                hint="np.linalg.norm wants numbers; under jit there are none yet. jnp has a function of the same name.")


@normalize.right("by the root of the sum of squares")
def _(X):
    return X * jax.lax.rsqrt((X**2).sum(axis=0, keepdims=True))


@normalize.right("vmap over the columns")
def _(X):
    return jax.vmap(lambda x: x / jnp.sqrt(x @ x), in_axes=1, out_axes=1)(X)


@normalize.right("a loop over columns")
def _(X):
    return jnp.stack([X[:, i] / jnp.linalg.norm(X[:, i]) for i in range(X.shape[1])], axis=1)


keep_largest = Exercise("primer.keep_largest", "The largest entry alone", minutes=5,
                        objective="change one entry of an array that cannot be changed",
                        hints=["Two steps: find the place of the largest absolute value, then fill zeros at that place.",
                               "jnp.argmax(jnp.abs(x)) is the place, jnp.zeros_like(x) are the zeros.",
                               "z.at[i].set(x[i]) returns the filled array; z itself stays as it was."])


@keep_largest.law("one entry is left")
def one_left(f, rng):
    count = int((f(rng.normal(size=5)) != 0).sum())
    holds(count == 1, f"{count} entries are not zero")


@keep_largest.law("a negative entry can be the largest")
def negative(f, rng):
    close(f(np.array([0.5, 1.5, -4.0, 2.0, -1.0])), np.array([0.0, 0.0, -4.0, 0.0, 0.0]))


@keep_largest.law("no vector with a single entry is nearer to x")
def nearest(f, rng):
    x = rng.normal(size=5)
    best = min(float(((x - np.eye(5)[j] * x[j]) ** 2).sum()) for j in range(5))
    close(((x - f(x)) ** 2).sum(), best)


@keep_largest.law("multiplying x by -3 multiplies the result by -3")
def homogeneous(f, rng):
    x = rng.normal(size=5)
    close(f(-3 * x), -3 * f(x))


keep_largest.wrong("drops the new array", replace=("z = z.at", "z.at"), caught_by=one_left,
                   hint="z.at[i].set(...) leaves z alone and returns a new array. Where does yours go?")
keep_largest.wrong("forgets the sign", replace=("jnp.argmax(jnp.abs(x))", "jnp.argmax(x)"), caught_by=negative,
                   hint="-4 is larger in absolute value than 2.")
keep_largest.wrong("marks the place", replace=("set(x[i])", "set(1.0)"), caught_by=negative,
                   hint="The entry of x is wanted, not a one at its place.")
keep_largest.wrong("starts from x", replace=("jnp.zeros_like(x)", "x"), caught_by=one_left,
                   hint="The array that is filled starts with zeros.")
keep_largest.wrong("keeps the absolute value", replace=("set(x[i])", "set(jnp.abs(x)[i])"), caught_by=negative,
                   hint="The absolute value finds the place; what is kept is the entry of x itself.")


@keep_largest.right("in NumPy, on a copy")
def _(x):
    z = np.zeros(x.shape)
    i = np.abs(x).argmax()
    z[i] = x[i]
    return z


@keep_largest.right("with where")
def _(x):
    return jnp.where(jnp.abs(x) == jnp.abs(x).max(), x, 0.0)
