"""Exercises of Part 2: power iteration, deflation, online PCA, probabilistic PCA, completion."""

import jax.numpy as jnp
import numpy as np

from book_utils import subspace
from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds

SPECTRUM = np.array([3.0, 2.0, 1.2, 0.6, 0.2])


def orthonormal(rng, D, d):
    """(D, d) with orthonormal columns."""
    return np.linalg.qr(rng.normal(size=(D, d)))[0]


def spectral(rng, eigenvalues=SPECTRUM):
    """A symmetric matrix with these eigenvalues, and its eigenvectors as columns in the same order."""
    W = orthonormal(rng, len(eigenvalues), len(eigenvalues))
    return (W * eigenvalues) @ W.T, W


def tangent(v, w):
    """Tangent of the angle between the lines of v and of the unit vector w."""
    return np.linalg.norm(v - (v @ w) * w) / abs(v @ w)


# P2.9

power_step = Exercise(
    "ch02.power_step", "One step of power iteration", principles=["P2.9"], label="eq:power_iteration", minutes=5,
    objective="take one step of power iteration",
    hints=["Two operations: multiply, then bring back to length 1.",
           "Which vector is divided, and by whose length?",
           "Give M v a name; divide it by the square root of the sum of its squared entries (jnp.linalg.norm)."])


@power_step.law("of length 1, whatever the length of v")
def step_has_length_one(f, rng):
    M, _ = spectral(rng)
    close(np.linalg.norm(f(M, 4 * rng.normal(size=5))), 1)


@power_step.law("leaves every unit eigenvector with a positive eigenvalue where it is")
def step_keeps_eigenvectors(f, rng):
    M, W = spectral(rng)
    for w in W.T:
        close(f(M, w), w)


@power_step.law("multiplies the tangent of the angle to w_1 by exactly lambda_2 / lambda_1, for v in the plane of w_1 and w_2")
def step_contracts(f, rng):
    M, W = spectral(rng)
    v = W[:, 0] + 2.5 * W[:, 1]
    close(tangent(f(M, v), W[:, 0]), 2.5 * SPECTRUM[1] / SPECTRUM[0])


power_step.wrong("forgets to normalise", replace=("w / jnp.linalg.norm(w)", "w"), caught_by=step_has_length_one,
                 hint="How long is M v? After a hundred steps, how long would it be?")
power_step.wrong("divides by the length of v", replace=("jnp.linalg.norm(w)", "jnp.linalg.norm(v)"),
                 caught_by=step_keeps_eigenvectors,
                 hint="The new vector is to have length 1. Whose length do you divide by?")
power_step.wrong("divides by the largest entry", replace=("jnp.linalg.norm(w)", "jnp.abs(w).max()"),
                 caught_by=step_has_length_one,
                 hint="That keeps numbers in range, but the length here is the Euclidean one.")
power_step.wrong("divides by the Rayleigh quotient", replace=("jnp.linalg.norm(w)", "(v @ w)"), caught_by=step_has_length_one,
                 hint="v^T M v is the length of M v only where v is already an eigenvector of length 1.")
power_step.wrong("adds the old vector, as a gradient step does", replace=("M @ v", "v + M @ v"), caught_by=step_contracts,
                 hint="v + M v is a step with the matrix I + M: it has the same eigenvectors, but which ratio of eigenvalues?")


@power_step.right("in NumPy")
def _(M, v):
    w = np.asarray(M).dot(np.asarray(v))
    return w / np.sqrt(w @ w)


@power_step.right("row by row")
def _(M, v):
    w = [float(row @ v) for row in M]
    length = sum(entry**2 for entry in w) ** 0.5
    return jnp.array([entry / length for entry in w])


power_chain = Derivation(
    "ch02.power_chain", "Where power iteration is after T steps", principles=["P2.9"],
    label="subsec:power iterations", minutes=10,
    objective="derive the direction of the T-th iterate from the eigenvalues",
    stages=[Stage("written with the T-th power of M", uses={"M", "matrix_power"}),
            Stage("written with eigenvalues and eigenvectors", uses={"eigenvalues", "W"}, without={"M", "matrix_power"})],
    hints=["Normalising at every step or once at the end: does it change the direction?",
           "The first line of yours is unit(jnp.linalg.matrix_power(M, T) @ v).",
           "v = W @ alpha, and M sends column i of W to eigenvalues[i] times itself, T times over."])


@power_chain.instance
def _(rng):
    M, _ = spectral(rng, np.array([1.0, 0.7, 0.5, 0.2]))
    return dict(M=M, v=rng.normal(size=4), T=4)


power_chain.wrong("takes the power of every entry", replace=("jnp.linalg.matrix_power(M, T)", "M**T"), caught_by="equal",
                  hint="M**T raises the entries of M to a power. A product of T matrices is jnp.linalg.matrix_power(M, T).")
power_chain.wrong("one factor of M short", replace=("matrix_power(M, T)", "matrix_power(M, T - 1)"), caught_by="equal",
                  hint="How many times has M been applied in v_1? In v_T?")
power_chain.wrong("forgets to normalise", replace=("unit(W @ (eigenvalues**T * alpha))", "W @ (eigenvalues**T * alpha)"),
                  caught_by="equal",
                  hint="Every line is a vector of length 1.")
power_chain.wrong("T times the eigenvalue instead of its T-th power", replace=("eigenvalues**T", "T * eigenvalues"),
                  caught_by="equal",
                  hint="Apply M to w_i twice: is it 2 lambda_i w_i?")
power_chain.wrong("stays with M", replace=("W @ (eigenvalues**T * alpha)", "M @ (jnp.linalg.matrix_power(M, T - 1) @ v)"),
                  caught_by="stages",
                  hint="True, but M is still there. Expand v in the eigenvectors.")


@power_chain.right("with a diagonal matrix")
def _(M, v, T):
    unit = lambda w: w / jnp.linalg.norm(w)
    eigenvalues, W = jnp.linalg.eigh(M)  # M = W diag(eigenvalues) W^T, ascending: the last eigenvalue is lambda_1
    alpha = W.T @ v  # v = sum_i alpha_i w_i
    v_t = v
    for _ in range(T):
        v_t = unit(M @ v_t)
    yield v_t
    yield unit(np.linalg.matrix_power(np.asarray(M), T) @ np.asarray(v))
    yield unit(W @ jnp.diag(eigenvalues**T) @ W.T @ v)
    yield unit(W @ ((eigenvalues / eigenvalues[-1]) ** T * alpha))


power_tangent = Exercise(
    "ch02.power_tangent", "The exact error after T steps", principles=["P2.9"],
    label="eq:power_iteration", minutes=8, level="more",
    objective="predict the error of power iteration without running it",
    hints=["The tangent is the length of what is not along w_1, divided by the length of what is.",
           "After T steps coordinate i has grown by eigenvalues[i] ** T. Only ratios matter.",
           "Form the ratios eigenvalues[1:] / eigenvalues[0] first and raise these to the power T: below 1 they stay below 1."])


@power_tangent.law("equal to what T real steps leave")
def tangent_of_real_steps(f, rng):
    v0 = rng.normal(size=5)
    v = v0
    for _ in range(6):
        v = SPECTRUM * v / np.linalg.norm(SPECTRUM * v)
    close(f(v0, SPECTRUM, 6), tangent(v, np.eye(5)[0]))


@power_tangent.law("for a start in the plane of w_1 and w_2, its own tangent times (lambda_2 / lambda_1)^T")
def tangent_in_the_plane(f, rng):
    close(f(np.array([2.0, 3.0, 0, 0, 0]), SPECTRUM, 3), 1.5 * (SPECTRUM[1] / SPECTRUM[0]) ** 3)


@power_tangent.law("unchanged by the length and the sign of the start")
def tangent_of_lines(f, rng):
    v = np.abs(rng.normal(size=5)) + 0.2
    close(f(-3 * v, SPECTRUM, 2), tangent(SPECTRUM**2 * v, np.eye(5)[0]))


@power_tangent.law("unchanged when M is multiplied by a number, however large")
def tangent_of_large_matrices(f, rng):
    v = rng.normal(size=5)
    close(f(v, 1e6 * SPECTRUM, 12), tangent(SPECTRUM**12 * v, np.eye(5)[0]))


power_tangent.wrong("the rate of the Rayleigh quotient", replace=("** T", "** (2 * T)"), caught_by=tangent_in_the_plane,
                    hint="That is how fast the eigenvalue comes in. How fast does the vector?")
power_tangent.wrong("the bound by the second eigenvalue instead of the equality",
                    replace=("eigenvalues[1:] /", "eigenvalues[1] /"),
                    caught_by=tangent_of_real_steps, hint="Coordinates beyond the second fade faster than lambda_2 says.")
power_tangent.wrong("the sine of the start in place of its tangent", replace=("jnp.abs(v[0])", "jnp.linalg.norm(v)"),
                    caught_by=tangent_in_the_plane, hint="A tangent divides by the part along w_1 alone.")
power_tangent.wrong("a sum of absolute values as length", replace=("jnp.linalg.norm(rest)", "jnp.abs(rest).sum()"),
                    caught_by=tangent_of_real_steps, hint="The part across w_1 is a vector; what is its Euclidean length?")
power_tangent.wrong("a sign that is kept", replace=("jnp.abs(v[0])", "v[0]"), caught_by=tangent_of_lines,
                    hint="The angle is between two lines: v and -v are the same line.")
power_tangent.wrong("powers before ratios",
                    replace=("(eigenvalues[1:] / eigenvalues[0]) ** T", "eigenvalues[1:] ** T / eigenvalues[0] ** T"),
                    caught_by=tangent_of_large_matrices,
                    hint="On paper it is the same; which numbers does the computer have to hold on the way?")


@power_tangent.right("by stepping through")
def _(v, eigenvalues, T):
    for _ in range(T):
        v = eigenvalues * v
        v = v / jnp.linalg.norm(v)
    return jnp.sqrt((v[1:] ** 2).sum()) / jnp.abs(v[0])


@power_tangent.right("in logarithms, with NumPy")
def _(v, eigenvalues, T):
    v, eigenvalues = np.asarray(v, dtype=float), np.asarray(eigenvalues, dtype=float)
    with np.errstate(divide="ignore"):
        logs = 2 * (T * np.log(eigenvalues) + np.log(np.abs(v)))
    return np.sqrt(np.exp(logs[1:] - logs[0]).sum())


power_iteration_data = Exercise(
    "ch02.power_iteration_data", "Power iteration that never forms a D x D array", principles=["P2.9"],
    label="subsec:power iterations",
    minutes=8, level="more", objective="find the top principal component with products by X and its transpose only",
    hints=["X X^T v can be computed from right to left.",
           "X @ (X.T @ v) costs two products with X; (X @ X.T) @ v builds D times D numbers first.",
           "The Rayleigh quotient v^T X X^T v / N of a unit v is the squared length of X^T v, divided by the number of samples."])


def data_of(rng, eigenvalues, N):
    """X (D, N) with X X^T / N = W diag(eigenvalues) W^T exactly, and W."""
    D = len(eigenvalues)
    W = orthonormal(rng, D, D)
    return W @ (np.sqrt(N * eigenvalues)[:, None] * orthonormal(rng, N, D).T), W


@power_iteration_data.law("a vector of length 1 with the Rayleigh quotient of X X^T / N at it")
def data_rayleigh(f, rng):
    X, _ = data_of(rng, SPECTRUM, 7)
    v, value = f(X, rng.normal(size=5), 3)
    close(np.linalg.norm(v), 1)
    close(value, v @ X @ X.T @ v / 7)


@power_iteration_data.law("after T steps where the eigenvalues say")
def data_steps(f, rng):
    X, W = data_of(rng, SPECTRUM, 7)
    v = rng.normal(size=5)
    expected = W @ (SPECTRUM**3 * (W.T @ v))
    close(f(X, v, 3)[0], expected / np.linalg.norm(expected))


@power_iteration_data.law("works for D = 6,000,000, where D x D numbers fit on no machine")
def data_without_gram(f, rng):
    x = np.tile(np.float32([3, 1]), 3_000_000)  # D^2 float32 numbers: more bytes than 47 bits can address
    v, _ = f(x[:, None], np.ones(len(x), dtype=np.float32), 1)
    close(v[::997] * np.sqrt(5 * len(x)), x[::997], tol=5)


power_iteration_data.wrong("forms X X^T", replace=("X @ (X.T @ v)", "(X @ X.T) @ v"), caught_by=data_without_gram,
                           hint="Where do you put the brackets, and how large is the array inside them?")
power_iteration_data.wrong("forgets 1/N", replace=(" / X.shape[1]", ""), caught_by=data_rayleigh,
                           hint="The eigenvalue is that of X X^T / N: the mean of (v^T x)^2 over the samples.")
power_iteration_data.wrong("divides by D", replace=("X.shape[1]", "X.shape[0]"), caught_by=data_rayleigh,
                           hint="Samples are columns here. Which entry of X.shape counts them?")
power_iteration_data.wrong("one step short", replace=("range(T)", "range(T - 1)"), caught_by=data_steps,
                           hint="T = 1 means one multiplication.")
power_iteration_data.wrong("never normalises", replace=("v / jnp.linalg.norm(v)", "v"), caught_by=data_rayleigh,
                           hint="What is the length of your vector after T steps?")
power_iteration_data.wrong("squares the sum", replace=("jnp.sum((X.T @ v) ** 2)", "jnp.sum(X.T @ v) ** 2"),
                           caught_by=data_rayleigh,
                           hint="Square each response, then add.")


@power_iteration_data.right("sample by sample, in NumPy")
def _(X, v, T):
    X, v = np.asarray(X), np.asarray(v)
    for _ in range(T):
        v = sum((x @ v) * x for x in X.T)
        v = v / np.linalg.norm(v)
    return v, np.mean([(x @ v) ** 2 for x in X.T])


# P2.10

deflate = Exercise(
    "ch02.deflate", "Deflation", principles=["P2.10"], label="subsec:power iterations", minutes=6, level="more",
    objective="remove a direction that has been found from a symmetric matrix",
    hints=["Let w be v brought to length 1. Which number times w w^T has to go?",
           "The Rayleigh quotient w^T M w is a number; jnp.outer(w, w) is the matrix w w^T.",
           "M - (w @ M @ w) * jnp.outer(w, w), with w = v / ||v||."])


@deflate.law("sends the eigenvalue of v to 0 and keeps the others")
def deflated_spectrum(f, rng):
    M, W = spectral(rng)
    close(np.sort(np.linalg.eigvalsh(np.asarray(f(M, W[:, 0]), dtype=float)))[::-1], [2.0, 1.2, 0.6, 0.2, 0])


@deflate.law("keeps the other eigenvectors")
def deflated_eigenvectors(f, rng):
    M, W = spectral(rng)
    close(f(M, W[:, 1]) @ W[:, [0, 2, 3, 4]], W[:, [0, 2, 3, 4]] * SPECTRUM[[0, 2, 3, 4]])


@deflate.law("unchanged by the length and the sign of v")
def deflated_line(f, rng):
    M, W = spectral(rng)
    close(f(M, -3 * W[:, 0]), M - SPECTRUM[0] * np.outer(W[:, 0], W[:, 0]))


@deflate.law("symmetric, with nothing left along v, even where v is no eigenvector")
def deflated_anywhere(f, rng):
    M, _ = spectral(rng)
    v = rng.normal(size=5)
    R = np.asarray(f(M, v), dtype=float)
    close(R - R.T, np.zeros((5, 5)))
    close(v @ R @ v, 0, tol=10)


deflate.wrong("forgets the eigenvalue", replace=("(w @ M @ w) * ", ""), caught_by=deflated_spectrum,
              hint="w w^T has the eigenvalue 1. Which one has to be taken away?")
deflate.wrong("does not bring v to length 1", replace=("v / jnp.linalg.norm(v)", "v"), caught_by=deflated_line,
              hint="Try 2 v in place of v: the line is the same.")
deflate.wrong("adds instead of taking away", replace=("return M - ", "return M + "), caught_by=deflated_spectrum,
              hint="Which eigenvalue does w have afterwards?")
deflate.wrong("takes ||M w|| for the eigenvalue", replace=("(w @ M @ w)", "jnp.linalg.norm(M @ w)"), caught_by=deflated_anywhere,
              hint="For an eigenvector that is the same. For a v that has not quite converged?")
deflate.wrong("projects on one side only", replace=("(w @ M @ w) * jnp.outer(w, w)", "jnp.outer(w, w @ M)"),
              caught_by=deflated_anywhere,
              hint="(I - w w^T) M is not symmetric unless w is an eigenvector.")


@deflate.right("without normalising first, in NumPy")
def _(M, v):
    M, v = np.asarray(M), np.asarray(v)
    return M - (v @ M @ v) / (v @ v) ** 2 * v[:, None] * v[None, :]


top_d = Exercise(
    "ch02.top_d", "The first d eigenvectors", principles=["P2.10"],
    label="subsec:power iterations", minutes=15, level="challenge",
    objective="find several eigenvectors by deflation or by orthogonal iteration",
    hints=["One at a time: power iteration, deflate, again. All at once: multiply all columns, then make them orthonormal.",
           "Multiplying all columns by M turns each of them towards w_1. What keeps them apart is the Q of a QR decomposition.",
           "Repeat T times V = jnp.linalg.qr(M @ V)[0]. At the end the eigenvalue of column k is v_k^T M v_k."])


def top_case(f, rng):
    M, W = spectral(rng)
    return M, W, *map(np.asarray, f(rng.normal(size=(5, 3)), M, 60))


@top_d.law("orthonormal columns")
def top_orthonormal(f, rng):
    _, _, U, _ = top_case(f, rng)
    close(U.T @ U, np.eye(3))


@top_d.law("the subspace of the three largest eigenvalues")
def top_subspace(f, rng):
    _, W, U, _ = top_case(f, rng)
    close(U @ U.T, W[:, :3] @ W[:, :3].T)


@top_d.law("every column an eigenvector with its own eigenvalue, the largest first")
def top_pairs(f, rng):
    M, _, U, eigenvalues = top_case(f, rng)
    close(eigenvalues, SPECTRUM[:3])
    close(M @ U, U * SPECTRUM[:3])


top_d.wrong("normalises each column but does not keep them apart",
            replace=("jnp.linalg.qr(M @ V)[0]", "M @ V / jnp.linalg.norm(M @ V, axis=0)"),
            caught_by=top_orthonormal, hint="Where does every column go under power iteration?")
top_d.wrong("never multiplies by M", replace=("jnp.linalg.qr(M @ V)[0]", "jnp.linalg.qr(V)[0]"), caught_by=top_subspace,
            hint="That makes the start orthonormal. What turns it towards the eigenvectors?")
top_d.wrong("orthonormalises first and multiplies afterwards", replace=("jnp.linalg.qr(M @ V)[0]", "M @ jnp.linalg.qr(V)[0]"),
            caught_by=top_orthonormal, hint="Which of the two was done last to what you return?")
top_d.wrong("reads the eigenvalues off the diagonal of M", replace=("jnp.sum(V * (M @ V), axis=0)", "jnp.diag(M)[: V.shape[1]]"),
            caught_by=top_pairs, hint="That would do if M were diagonal. In the basis V it is: V^T M V.")
top_d.wrong("smallest first",
            replace=("return V, jnp.sum(V * (M @ V), axis=0)", "return V[:, ::-1], jnp.sum(V * (M @ V), axis=0)[::-1]"),
            caught_by=top_pairs, hint="eigh sorts upwards; here the largest is to come first.")


@top_d.right("one at a time, by deflation, in NumPy")
def _(V, M, T):
    V, M = np.array(V, dtype=float), np.array(M, dtype=float)
    values = []
    for k in range(V.shape[1]):
        for _ in range(T):
            V[:, k] = M @ V[:, k]
            V[:, k] /= np.linalg.norm(V[:, k])
        values.append(V[:, k] @ M @ V[:, k])
        M = M - values[-1] * np.outer(V[:, k], V[:, k])
    return V, np.array(values)


@top_d.right("with eigh at the end")
def _(V, M, T):
    for _ in range(T):
        V = jnp.linalg.qr(M @ V)[0]
    eigenvalues, Q = jnp.linalg.eigh(V.T @ M @ V)
    return (V @ Q)[:, ::-1], eigenvalues[::-1]


# P2.11

hebbian_step = Exercise(
    "ch02.hebbian_step", "Online PCA: the normalised Hebbian step", principles=["P2.11"],
    label="eqn:Hebbian", minutes=5, level="more",
    objective="learn a principal component from one sample at a time",
    hints=["The response u^T x is one number. It says how much of x to add.",
           "Add gamma times response times x to u; then bring the sum to length 1.",
           "The response is that of the old u, before anything is added."])


@hebbian_step.law("of length 1")
def hebbian_length(f, rng):
    x, u = rng.normal(size=4), orthonormal(rng, 4, 1)[:, 0]
    close(np.linalg.norm(f(x, u, 0.7)), 1)


@hebbian_step.law("divides the tangent of the angle between u and x by 1 + gamma ||x||^2")
def hebbian_angle(f, rng):
    x, w = np.array([0.0, 2.0, 0, 0]), np.array([0.8, 0.6, 0, 0])
    close(tangent(f(x, w, 0.2), np.eye(4)[1]), (0.8 / 0.6) / 1.8)


@hebbian_step.law("the same for x and for -x")
def hebbian_sign(f, rng):
    x, u = rng.normal(size=4), orthonormal(rng, 4, 1)[:, 0]
    u = u * np.sign(u @ x)
    expected = u + 0.4 * (u @ x) * x
    close(f(-x, u, 0.4), expected / np.linalg.norm(expected))


hebbian_step.wrong("downhill", replace=("u + gamma", "u - gamma"), caught_by=hebbian_angle,
                   hint="Should u turn towards x or away from it?")
hebbian_step.wrong("forgets to normalise", replace=("u / jnp.linalg.norm(u)", "u"), caught_by=hebbian_length,
                   hint="What is the length of u after a thousand steps?")
hebbian_step.wrong("adds x whatever the response", replace=("(u @ x) * ", ""), caught_by=hebbian_sign,
                   hint="x and -x carry the same line. Does your step treat them alike?")
hebbian_step.wrong("takes the part along u away first", replace=("(u @ x) * x", "(u @ x) * (x - (u @ x) * u)"),
                   caught_by=hebbian_angle,
                   hint="That is the projected gradient step, which is a Hebbian step with another gain: see the next exercise.")
hebbian_step.wrong("squares the response", replace=("(u @ x) * x", "(u @ x) ** 2 * x"), caught_by=hebbian_angle,
                   hint="The update is linear in the response (and so quadratic in x).")


@hebbian_step.right("with the matrix I + gamma x x^T, in NumPy")
def _(x, u, gamma):
    v = (np.eye(len(x)) + gamma * np.outer(x, x)) @ np.asarray(u)
    return v / np.linalg.norm(v)


effective_gain = Exercise(
    "ch02.effective_gain", "Gradient descent is a Hebbian step with another gain", principles=["P2.11"],
    label="eq:pca-reconstruction-expectation",
    minutes=8, level="more", objective="show that a projected gradient step on the error of one sample is a Hebbian step",
    hints=["Collect the multiples of u in u + gamma eta x - gamma eta^2 u.",
           "(1 - gamma eta^2) u + gamma eta x: what may be divided out before normalising?",
           "Divide by 1 - gamma eta^2 and compare with u + gain * eta * x."])


def gradient_step(x, u, gamma):
    """Projected gradient step of size gamma / 2 on ||x - u u^T x||^2, from differences rather than from the formula."""
    def loss(w):
        return ((x - w * (w @ x)) ** 2).sum()
    h = 1e-5
    gradient = np.array([(loss(u + h * e) - loss(u - h * e)) / (2 * h) for e in np.eye(len(u))])
    v = u - gamma / 2 * gradient
    return v / np.linalg.norm(v)


@effective_gain.law("makes the Hebbian step equal to the projected gradient step")
def gain_identity(f, rng):
    u = orthonormal(rng, 4, 1)[:, 0]
    x = 1.2 * u + 0.8 * rng.normal(size=4)
    gamma = 0.3 / (u @ x) ** 2
    v = u + float(f(x, u, gamma)) * (u @ x) * x
    close(v / np.linalg.norm(v), gradient_step(x, u, gamma))


@effective_gain.law("gamma itself where x is orthogonal to u")
def gain_without_response(f, rng):
    u = orthonormal(rng, 4, 2)
    close(f(3 * u[:, 1], u[:, 0], 0.7), 0.7)


@effective_gain.law("negative when gamma eta^2 exceeds 1: the gradient step has gone past zero")
def gain_beyond_one(f, rng):
    x, u = np.array([2.0, 1.0, 0, 0]), np.array([1.0, 0, 0, 0])
    v = u + float(f(x, u, 0.6)) * 2 * x
    close(-v / np.linalg.norm(v), gradient_step(x, u, 0.6))


effective_gain.wrong("the wrong sign", replace=("1 - gamma", "1 + gamma"), caught_by=gain_identity,
                     hint="The last term of the gradient step takes some of u away: is the share of x larger or smaller then?")
effective_gain.wrong("does not square the response", replace=("eta**2", "eta"), caught_by=gain_identity,
                     hint="The gradient of ||x - u u^T x||^2 has the term 2 eta^2 u.")
effective_gain.wrong("gamma, to first order only", replace=(" / (1 - gamma * eta**2)", ""), caught_by=gain_identity,
                     hint="True for small gamma. The exact statement costs one more factor.")
effective_gain.wrong("to second order only", replace=("gamma / (1 - gamma * eta**2)", "gamma * (1 + gamma * eta**2)"),
                     caught_by=gain_identity,
                     hint="You have expanded 1 / (1 - a). It need not be expanded.")


@effective_gain.right("from the reciprocal, in NumPy")
def _(x, u, gamma):
    return 1 / (1 / gamma - np.dot(u, x) ** 2)


# P2.12

covariance_model = Exercise(
    "ch02.covariance_model", "The second moment of signal plus noise", principles=["P2.12"],
    label="eq:PPCA", minutes=10, level="more",
    objective="write down the second moment of x = U z + noise and its eigenvalues",
    hints=["Multiply out (U z + e)(U z + e)^T and take the mean of each of the four terms.",
           "E[z z^T] = diag(S) and E[e e^T] = sigma^2 I; the cross terms vanish.",
           "Apply the sum to a column of U, then to a vector orthogonal to U: what comes back?",
           "Eigenvalues: S sorted downwards, then D - d zeros, plus sigma^2 everywhere."])


@covariance_model.law("the mean of x x^T over a model with finitely many outcomes")
def model_by_counting(f, rng):
    U, S, sigma = orthonormal(rng, 5, 2), np.array([1.0, 3.0]), 0.5
    Z = np.concatenate([np.diag(np.sqrt(2 * S)), -np.diag(np.sqrt(2 * S))], axis=1)  # four equally likely codes
    E = sigma * np.sqrt(5) * np.concatenate([np.eye(5), -np.eye(5)], axis=1)  # ten equally likely disturbances
    outcomes = [U @ z + e for z in Z.T for e in E.T]
    close(f(U, S, sigma)[0], np.mean([np.outer(x, x) for x in outcomes], axis=0))


@covariance_model.law("the eigenvalues of the matrix, the largest first")
def model_spectrum(f, rng):
    U, S, sigma = orthonormal(rng, 5, 2), np.array([1.0, 3.0]), 0.5
    M, eigenvalues = f(U, S, sigma)
    close(eigenvalues, [3.25, 1.25, 0.25, 0.25, 0.25])
    close(np.linalg.eigvalsh(np.asarray(M, dtype=float))[::-1], eigenvalues)


@covariance_model.law("top eigenvectors that span the columns of U, be sigma 0.1, 1 or 3")
def model_subspace(f, rng):
    U = orthonormal(rng, 5, 2)
    for sigma in (0.1, 1.0, 3.0):
        top = np.linalg.eigh(np.asarray(f(U, np.array([2.0, 4.0]), sigma)[0], dtype=float))[1][:, -2:]
        close(top @ top.T, U @ U.T, tol=5)


covariance_model.wrong("sigma for its square", replace=("sigma**2 * jnp.eye", "sigma * jnp.eye"), caught_by=model_by_counting,
                       hint="sigma is a standard deviation; a second moment holds variances.")
covariance_model.wrong("noise inside the subspace only", replace=("jnp.eye(U.shape[0])", "(U @ U.T)"),
                       caught_by=model_by_counting,
                       hint="The noise e has D independent coordinates, not d.")
covariance_model.wrong("standard deviations where variances are meant", replace=("(U * S)", "(U * S**2)"),
                       caught_by=model_by_counting,
                       hint="S already holds variances: E[z z^T] = diag(S).")
covariance_model.wrong("eigenvalues in the order of the codes", replace=("jnp.sort(S)[::-1]", "S"), caught_by=model_spectrum,
                       hint="The largest is to come first, in whichever order S is given.")
covariance_model.wrong("noise on the first d eigenvalues only",
                       replace=("jnp.zeros(U.shape[0] - len(S))", "jnp.zeros(U.shape[0] - len(S)) - sigma**2"),
                       caught_by=model_spectrum, hint="How large is v^T M v for a v orthogonal to all of U?")


@covariance_model.right("sum of rank-one terms, in NumPy")
def _(U, S, sigma):
    U, S = np.asarray(U), np.asarray(S)
    M = sum(s * np.outer(u, u) for s, u in zip(S, U.T)) + np.diag([sigma**2] * len(U))
    return M, np.array(sorted([float(s) + sigma**2 for s in S] + [sigma**2] * (len(U) - len(S)), reverse=True))


wiener = Exercise(
    "ch02.wiener", "The Wiener filter", principles=["P2.12"], label="eq:ppca_denoising", minutes=8, stand_in=subspace.wiener,
    objective="denoise with the least expected error, not only by projection",
    hints=["First the code of the noisy sample, U^T x. Then one factor for each of its d entries. Then back.",
           "Entry i of U^T x is z_i plus noise of variance sigma^2. Which multiple g of it is closest to z_i on average?",
           "(1 - g)^2 s + g^2 sigma^2 is least at g = s / (s + sigma^2).",
           "U @ (gain[:, None] * (U.T @ X)) applies a gain to each row of the codes."])


def wiener_case(rng):
    return orthonormal(rng, 5, 2), np.array([4.0, 0.5]), 0.8


@wiener.law("the projection where there is no noise")
def wiener_without_noise(f, rng):
    (U, S, _), X = wiener_case(rng), rng.normal(size=(5, 5))
    close(f(U, X, S, 0.0), U @ U.T @ X)


@wiener.law("orthogonal, in expectation, to its own error: C (C + sigma^2 I)^-1 with C = E[U z z^T U^T]")
def wiener_orthogonality(f, rng):
    U, S, sigma = wiener_case(rng)
    C = U @ np.diag(S) @ U.T
    close(f(U, np.eye(5), S, sigma), C @ np.linalg.inv(C + sigma**2 * np.eye(5)))


@wiener.law("of expected squared error sum_i s_i sigma^2 / (s_i + sigma^2), which no other matrix beats")
def wiener_least_error(f, rng):
    U, S, sigma = wiener_case(rng)
    W = np.asarray(f(U, np.eye(5), S, sigma), dtype=float)

    def error(G):
        return (((U - G @ U) * np.sqrt(S)) ** 2).sum() + sigma**2 * (G**2).sum()
    close(error(W), (S * sigma**2 / (S + sigma**2)).sum())
    nearby = [error(W + 0.1 * rng.normal(size=(5, 5))) for _ in range(20)]
    holds(error(W) <= min(nearby), "a matrix nearby has a smaller expected error")


wiener.wrong("no shrinking: the projection", replace=("S / (S + sigma**2)", "jnp.ones_like(S)"), caught_by=wiener_orthogonality,
             hint="Where signal is weaker than noise, is it wise to keep all of what you see?")
wiener.wrong("sigma for its square", replace=("sigma**2", "sigma"), caught_by=wiener_orthogonality,
             hint="S holds variances; sigma is a standard deviation.")
wiener.wrong("keeps the share of the noise", replace=("S / (S + sigma**2)", "sigma**2 / (S + sigma**2)"),
             caught_by=wiener_without_noise,
             hint="With no noise at all, which factor do you want?")
wiener.wrong("shrinks on the way in and on the way out", replace=("gain[:, None] * ", "gain[:, None] ** 2 * "),
             caught_by=wiener_least_error,
             hint="One factor per code, applied once.")
wiener.wrong("standard deviations for variances", replace=("S / (S + sigma**2)", "jnp.sqrt(S) / (jnp.sqrt(S) + sigma)"),
             caught_by=wiener_least_error, hint="Minimise (1 - g)^2 s + g^2 sigma^2 over g, with s the variance.")


@wiener.right("with a linear solve in D dimensions, in NumPy")
def _(U, X, S, sigma):
    U, X, S = np.asarray(U), np.asarray(X), np.asarray(S)
    C = (U * S) @ U.T
    if sigma == 0:
        return U @ (U.T @ X)
    return C @ np.linalg.solve(C + sigma**2 * np.eye(len(U)), X)


@wiener.right("sample by sample")
def _(U, X, S, sigma):
    return jnp.stack([sum(s / (s + sigma**2) * (u @ x) * u for s, u in zip(S, U.T)) for x in X.T], axis=1)


# P2.13

complete_rank1 = Exercise(
    "ch02.complete_rank1", "Completing a matrix of rank one", principles=["P2.13"], label="sec:lowrank", minutes=6, level="more",
    objective="recover all entries of a rank-one matrix from its first column and last row",
    hints=["In a matrix of rank one every column is a multiple of the first.",
           "The last row tells which multiple: compare the last entries of the two columns.",
           "Entry (i, j) is first column's entry i times last row's entry j, divided by the entry they share."])


@complete_rank1.law("recovers the matrix exactly")
def completes(f, rng):
    a, b = rng.uniform(0.5, 2, size=4), rng.uniform(-2, -0.5, size=6)
    close(f(first_column_last_row(np.outer(a, b))), np.outer(a, b))


@complete_rank1.law("leaves what was seen as it was")
def keeps_observed(f, rng):
    Y = first_column_last_row(np.outer(rng.uniform(0.5, 2, size=4), rng.uniform(0.5, 2, size=6)))
    X = np.asarray(f(Y), dtype=float)
    close(X[:, 0], Y[:, 0])
    close(X[-1], Y[-1])


def first_column_last_row(X):
    """X where it is observed, 0 elsewhere."""
    Y = np.zeros_like(X)
    Y[:, 0], Y[-1] = X[:, 0], X[-1]
    return Y


complete_rank1.wrong("divides by the first entry", replace=("Y[-1, 0]", "Y[0, 0]"), caught_by=keeps_observed,
                     hint="Which entry do the first column and the last row share?")
complete_rank1.wrong("does not divide", replace=(" / Y[-1, 0]", ""), caught_by=completes,
                     hint="Put i = D: you should get the last row back.")
complete_rank1.wrong("takes the first row for the last", replace=("Y[-1])", "Y[0])"), caught_by=completes,
                     hint="The first row was not observed, but for its first entry.")
complete_rank1.wrong("takes the last column for the first", replace=("Y[:, 0]", "Y[:, -1]"), caught_by=keeps_observed,
                     hint="The last column was not observed, but for its last entry.")


@complete_rank1.right("column by column, in NumPy")
def _(Y):
    Y = np.asarray(Y)
    return np.stack([Y[:, 0] * (Y[-1, j] / Y[-1, 0]) for j in range(Y.shape[1])], axis=1)
