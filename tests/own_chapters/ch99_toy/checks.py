"""Exercises of the toy chapter."""

import numpy as np

from book_utils import subspace
from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds


def frame(rng, D, d):
    return np.linalg.qr(rng.normal(size=(D, d)))[0]


encode = Exercise("ch99.encode", "Optimal codes", principles=["P99.1"], label="eq:pca_dgp", minutes=3, objective="find a code",
                  hints=["Which of U and U.T takes R^D to R^d?", "One matrix product."])


@encode.law("the residual is orthogonal to the subspace")
def orthogonal(f, rng):
    U, X = frame(rng, 6, 2), rng.normal(size=(6, 9))
    close(U.T @ (X - U @ f(U, X)), 0)


@encode.law("linear")
def linear(f, rng):
    U, X = frame(rng, 6, 2), rng.normal(size=(6, 9))
    close(f(U, -2 * X), -2 * f(U, X))


encode.wrong("half", replace=("U.T @ X", "0.5 * U.T @ X"), caught_by=orthogonal, hint="Whence the half?")
encode.wrong("affine", replace=("U.T @ X", "U.T @ X + 1"), caught_by=linear)
encode.wrong("squared", replace=("U.T @ X", "(U.T @ X) ** 2"), caught_by=linear)


@encode.right("least squares in NumPy")
def _(U, X):
    return np.linalg.lstsq(np.asarray(U), np.asarray(X), rcond=None)[0]


project = Exercise("ch99.project", "Projection", minutes=3, objective="project", needs=["ch99.encode"], stand_in=subspace.project,
                   hints=["Encode, then?", "U times the code."])


@project.law("idempotent")
def idempotent(f, rng):
    U, X = frame(rng, 6, 2), rng.normal(size=(6, 9))
    close(f(U, f(U, X)), f(U, X))


@project.law("leaves the subspace alone")
def alone(f, rng):
    U = frame(rng, 6, 2)
    close(f(U, U), U)


project.wrong("zero", replace=("U @ encode(U, X)", "0 * X"), caught_by=alone)
project.wrong("double", replace=("U @ encode(U, X)", "2 * U @ encode(U, X)"), caught_by=idempotent)
project.wrong("residual", replace=("U @ encode(U, X)", "X - U @ encode(U, X)"), caught_by=alone)


@project.right("the projector as a matrix")
def _(U, X):
    P = U @ U.T
    return P @ X


energy = Exercise("ch99.energy", "Energy", minutes=2, objective="a scalar", hints=["Square.", "Sum."])


@energy.law("homogeneous of degree two")
def homogeneous(f, rng):
    x = rng.normal(size=5)
    close(f(3 * x), 9 * f(x))


@energy.law("adds over orthogonal parts")
def adds(f, rng):
    close(f(np.array([1.0, 2.0, 0.0])), f(np.array([1.0, 0, 0])) + f(np.array([0, 2.0, 0])))


@energy.law("its gradient is twice the vector")
def gradient(f, rng):
    x = rng.normal(size=5)
    close(f.grad(x), 2 * x)


energy.wrong("length", replace=("x**2", "abs(x)"), caught_by=homogeneous)
energy.wrong("mean", replace=("jnp.sum", "jnp.mean"), caught_by=gradient)
energy.wrong("cube", replace=("x**2", "x**3"), caught_by=homogeneous)


@energy.right("inner product")
def _(x):
    return x @ x


countdown = Exercise("ch99.countdown", "Countdown", minutes=2, objective="recursion", hints=["Try n = 1.", "Then n = 2."])


@countdown.law("one more adds n + 1")
def step(f, rng):
    close(f(6) - f(5), 6)


@countdown.law("starts at zero")
def zero(f, rng):
    holds(f(0) == 0, "f(0) is not 0")


countdown.wrong("off by one", replace=("(n + 1)", "(n - 1)"), caught_by=step)
countdown.wrong("no half", replace=(" // 2", ""), caught_by=step)
countdown.wrong("shifted", replace=("n * (n + 1) // 2", "n * (n + 1) // 2 + 1"), caught_by=zero)


@countdown.right("recursion")
def _(n):
    return 0 if n == 0 else n + countdown(n - 1)


pythagoras = Derivation("ch99.pythagoras", "Pythagoras", minutes=4, objective="a chain", hints=["Expand the square.", "U.T @ U is the identity."],
                        stages=[Stage("written with the code U.T @ x", uses={"U", "x", "T"})])


@pythagoras.instance
def _(rng):
    return dict(U=frame(rng, 5, 2), x=rng.normal(size=5))


pythagoras.wrong("forgets the two", replace=("- 2 * x @ (U", "- x @ (U"), caught_by="equal")
pythagoras.wrong("sign", replace=("x @ x - (U.T", "x @ x + (U.T"), caught_by="equal")
pythagoras.wrong("stays", replace=("x @ x - 2 * x @ (U @ (U.T @ x)) + (U @ (U.T @ x)) @ (U @ (U.T @ x))", "r @ r"), caught_by="repeats")


@pythagoras.right("in one step")
def _(U, x):
    r = x - U @ (U.T @ x)
    yield r @ r
    yield x @ x - (U.T @ x) @ (U.T @ x)
    yield x @ x - jnp.linalg.norm(U.T @ x) ** 2
