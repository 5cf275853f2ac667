"""Exercises of Part 1, one subspace: P2.1 to P2.8. Oracles are NumPy in float64 and share nothing with the solutions."""

import jax
import jax.numpy as jnp
import numpy as np

from book_utils import subspace
from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds


def frame(rng, D, d):
    """A random orthonormal basis (D, d)."""
    return np.linalg.qr(rng.normal(size=(D, d)))[0]


def symmetric(rng, eigenvalues):
    """A symmetric matrix with these eigenvalues and random eigenvectors, and the eigenvectors as columns."""
    Q = frame(rng, len(eigenvalues), len(eigenvalues))
    return (Q * np.asarray(eigenvalues)) @ Q.T, Q


def sine(U, V):
    """Sine of the largest angle between two subspaces of equal dimension."""
    return np.linalg.norm(V - U @ (U.T @ V), 2)


# P2.1 ------------------------------------------------------------------------------------------------------------

lowrank_data = Exercise(
    "ch02.lowrank_data", "Data near a subspace", principles=["P2.1"], label="eq:pca_dgp", minutes=6, level="more",
    objective="write the low-rank model in matrix form and bound the singular values that noise can add",
    hints=["Column i of X is U z_i + e_i. Which matrix product does this for all columns at once?",
           "With singular values s_1 >= s_2 >= ..., Python's s[0] is s_1. Where is s_{d+1}, and which shape tells you d?",
           "jnp.linalg.svd(X, compute_uv=False) lists singular values, descending; jnp.linalg.norm(E, 2) is the first of E."])


def noisy(rng, size):
    """U, Z and noise E of a given size, for D = 8, d = 3, N = 12."""
    return frame(rng, 8, 3), 3 * rng.normal(size=(3, 12)), size * rng.normal(size=(8, 12))


@lowrank_data.law("X - E lies in the subspace and has the codes Z")
def lowrank_model(f, rng):
    U, Z, E = noisy(rng, 0.5)
    rest = f(U, Z, E)[0] - E
    close(rest - U @ (U.T @ rest), np.zeros((8, 12)))
    close(U.T @ rest, Z)


@lowrank_data.law("without noise the tail is zero")
def lowrank_clean(f, rng):
    U, Z, E = noisy(rng, 0.0)
    _, tail, bound = f(U, Z, E)
    close(tail, 0.0)
    close(bound, 0.0)


@lowrank_data.law("the squared tail is an eigenvalue of X X^T")
def lowrank_tail(f, rng):
    U, Z, E = noisy(rng, 0.5)
    X, tail, _ = f(U, Z, E)
    close(tail**2, np.linalg.eigvalsh(X.astype(float) @ X.T.astype(float))[-4])


@lowrank_data.law("the bound is the largest factor by which E stretches a vector")
def lowrank_stretch(f, rng):
    U, Z, E = noisy(rng, 0.5)
    close(f(U, Z, E)[2], np.sqrt(np.linalg.eigvalsh(E.T @ E)[-1]))


@lowrank_data.law("noise in one direction outside the subspace attains the bound")
def lowrank_attained(f, rng):
    U, Z, _ = noisy(rng, 0.0)
    V, W = frame(rng, 8, 8), frame(rng, 12, 12)
    v, w = V[:, 0] - U @ (U.T @ V[:, 0]), W[:, 0] - np.linalg.pinv(Z) @ (Z @ W[:, 0])
    E = np.outer(v / np.linalg.norm(v), w / np.linalg.norm(w))
    _, tail, bound = f(U, Z, E)
    close(tail, 1.0)
    close(bound, 1.0)


lowrank_data.wrong("puts the noise into the codes", replace=("U @ Z + E", "U @ (Z + U.T @ E)"), caught_by=lowrank_model,
                   hint="Noise lives in the data space: it may push a sample out of the subspace.")
lowrank_data.wrong("takes the d-th singular value for the next", replace=("[U.shape[1]]", "[U.shape[1] - 1]"),
                   caught_by=lowrank_clean, hint="Python counts from zero: s[0] is the first singular value.")
lowrank_data.wrong("takes the Frobenius norm", replace=("jnp.linalg.norm(E, 2)", "jnp.linalg.norm(E)"), caught_by=lowrank_stretch,
                   hint="norm(E) without a second argument is the root of the sum of squares, not the largest singular value.")
lowrank_data.wrong("takes the largest entry of the noise", replace=("jnp.linalg.norm(E, 2)", "jnp.abs(E).max()"),
                   caught_by=lowrank_attained, hint="How far can E stretch a vector? More than its largest entry says.")


@lowrank_data.right("sample by sample, in NumPy")
def _(U, Z, E):
    X = np.stack([np.asarray(U) @ z + e for z, e in zip(np.asarray(Z).T, np.asarray(E).T)], axis=1)
    return X, np.sort(np.linalg.svd(X)[1])[::-1][U.shape[1]], np.linalg.svd(np.asarray(E))[1].max()


# P2.2 ------------------------------------------------------------------------------------------------------------

encode = Exercise(
    "ch02.encode", "Optimal codes", principles=["P2.2"], label="eq:pca_sparse_recovery_problem", minutes=8, level="core",
    objective="find the code that minimises the residual for a fixed orthonormal basis",
    hints=["Expand ||x - U z||^2 and use that U^T U is the identity. Which vector must z equal?",
           "The gradient with respect to z is 2 (z - U^T x). Set it to zero.",
           "All samples at once: column i of the answer is U^T x_i, so one matrix product is enough."])


def codes_case(rng):
    return frame(rng, 6, 2), rng.normal(size=(6, 9)) + 1.0


@encode.law("the residual is orthogonal to the subspace")
def encode_orthogonal(f, rng):
    U, X = codes_case(rng)
    close(U.T @ (X - U @ f(U, X)), np.zeros((2, 9)))


@encode.law("points of the subspace get back their coordinates")
def encode_coordinates(f, rng):
    U, Z = frame(rng, 6, 2), rng.normal(size=(2, 9))
    close(f(U, U @ Z), Z)


@encode.law("moving the codes by dZ costs exactly ||dZ||^2")
def encode_cost(f, rng):
    U, X = codes_case(rng)
    Z, dZ = f(U, X), rng.normal(size=(2, 9))
    close(((X - U @ (Z + dZ)) ** 2).sum() - ((X - U @ Z) ** 2).sum(), (dZ**2).sum())


@encode.law("each sample is encoded by itself")
def encode_alone(f, rng):
    U, X = codes_case(rng)
    others = np.hstack([X[:, :1], rng.normal(size=(6, 8)) - 2.0])
    close(f(U, others)[:, 0], f(U, X)[:, 0])


encode.wrong("reshapes U instead of transposing it", replace=("U.T", "U.reshape(U.shape[::-1])"), caught_by=encode_orthogonal,
             hint="reshape((d, D)) keeps the numbers in their order of reading; U.T turns columns into rows.")
encode.wrong("loses the factor two of the gradient", replace=("U.T @ X", "2 * U.T @ X"), caught_by=encode_coordinates,
             hint="Both terms of the gradient, 2 z and -2 U^T x, carry the factor two.")
encode.wrong("subtracts the mean first", replace=("U.T @ X", "U.T @ (X - X.mean(axis=1, keepdims=True))"), caught_by=encode_alone,
             hint="The data are taken as they come: no sample's code depends on the other samples.")
encode.wrong("keeps the first d coordinates", replace=("U.T @ X", "X[: U.shape[1]]"), caught_by=encode_orthogonal,
             hint="The code consists of coordinates along the columns of U, not along the axes.")


@encode.right("with a least-squares solver")
def _(U, X):
    return np.linalg.lstsq(np.asarray(U), np.asarray(X), rcond=None)[0]


@encode.right("one sample at a time, with vmap")
def _(U, X):
    return jax.vmap(lambda x: jnp.sum(U * x[:, None], axis=0), in_axes=1, out_axes=1)(X)


# P2.3 ------------------------------------------------------------------------------------------------------------

project = Exercise(
    "ch02.project", "Projection onto the subspace", principles=["P2.3"], label="eqn:autoencoding-PCA", minutes=6, level="core",
    objective="encode and decode: the nearest point of the subspace", stand_in=subspace.project,
    hints=["Encode, then decode. What does a code z stand for in the data space?",
           "The code of x is U^T x, and the point with code z is U z.",
           "U^T goes first, so it stands on the right: U (U^T X). (U^T U is only the identity.)"])


@project.law("idempotent")
def project_twice(f, rng):
    U, X = codes_case(rng)
    once = f(U, X)
    close(f(U, once), once)


@project.law("leaves the points of the subspace where they are")
def project_fixed(f, rng):
    U, Z = frame(rng, 6, 2), rng.normal(size=(2, 9)) + 1.0
    close(f(U, U @ Z), U @ Z)


@project.law("every result lies in the subspace")
def project_inside(f, rng):
    U, X = codes_case(rng)
    rest = np.linalg.qr(U, mode="complete")[0][:, 2:]
    close(rest.T @ f(U, X), np.zeros((4, 9)))


@project.law("what is removed is orthogonal to the subspace")
def project_residual(f, rng):
    U, X = codes_case(rng)
    close(U.T @ (X - f(U, X)), np.zeros((2, 9)))


@project.law("no point of the subspace is nearer")
def project_nearest(f, rng):
    U, X = codes_case(rng)
    here = np.linalg.norm(X - f(U, X), axis=0)
    codes = np.linalg.lstsq(U, X, rcond=None)[0] + 0.3 * rng.normal(size=(400, 2, 9))
    nearest = np.linalg.norm(X - U @ codes, axis=1).min(axis=0)
    holds((here <= nearest + 1e-4).all(), f"a point of the subspace is nearer by {(here - nearest).max():.2g}")


@project.law("depends on the subspace only, not on its basis")
def project_basis(f, rng):
    U, X = codes_case(rng)
    close(f(U @ frame(rng, 2, 2), X), f(U, X))


project.wrong("returns what was to be removed", replace=("U @ (U.T @ X)", "X - U @ (U.T @ X)"), caught_by=project_fixed,
              hint="This is the residual. A point that is already in the subspace must not move.")
project.wrong("reflects instead of projecting", replace=("U @ (U.T @ X)", "2 * U @ (U.T @ X) - X"), caught_by=project_twice,
              hint="Going twice the way to the subspace ends on its other side.")
project.wrong("gives back the data", replace=("U @ (U.T @ X)", "X"), caught_by=project_inside,
              hint="Samples outside the subspace have to move into it.")
project.wrong("subtracts the mean and never adds it back", replace=("U.T @ X", "U.T @ (X - X.mean(axis=1, keepdims=True))"),
              caught_by=project_fixed, hint="The subspace passes through the origin: the data are used as they come.")
project.wrong("scales the result to the length of x",
              replace=("U @ (U.T @ X)", "U @ (U.T @ X) * jnp.linalg.norm(X, axis=0) / jnp.linalg.norm(U.T @ X, axis=0)"),
              caught_by=project_residual,
              hint="A projection shortens: it is one leg of a right triangle, the residual is the other.")


@project.right("x minus its part orthogonal to the subspace, in NumPy")
def _(U, X):
    full = np.linalg.qr(np.asarray(U), mode="complete")[0][:, U.shape[1]:]
    return np.asarray(X) - full @ (full.T @ np.asarray(X))


@project.right("one basis vector at a time")
def _(U, X):
    return sum(jnp.outer(u, u @ X) for u in U.T)


# P2.4 ------------------------------------------------------------------------------------------------------------

energy_chain = Derivation(
    "ch02.energy_chain", "Small residual is large energy", principles=["P2.4"], label="eq:pca_equals_denoising", minutes=10,
    level="core", objective="turn the mean squared residual into the total energy minus a trace",
    stages=[Stage("written without residual and trace", without={"R", "trace"}), Stage("written with the trace", uses={"trace"})],
    hints=["Multiply out ||x - U z||^2 with z = U^T x. What is x^T U z?",
           "x^T U z = z^T z, and ||U z||^2 = z^T U^T U z = z^T z. So three sums become two.",
           "(Z * Z).sum() is the sum of the diagonal of Z Z^T: jnp.trace(Z @ Z.T).",
           "Four lines are enough: multiplied out; with Z only; collected; with the trace of Z Z^T."])


@energy_chain.instance
def _(rng):
    return dict(U=frame(rng, 6, 2), X=rng.normal(size=(6, 9)))


energy_chain.wrong("counts the cross term once", replace=("2 * (X * (U @ Z)).sum()", "(X * (U @ Z)).sum()"), caught_by="equal",
                   hint="||a - b||^2 = ||a||^2 - 2 <a, b> + ||b||^2.")
energy_chain.wrong("loses 1/N on the way", replace=("jnp.trace(Z @ Z.T) / N", "jnp.trace(Z @ Z.T)"), caught_by="equal",
                   hint="Every sum over the samples is divided by N.")
energy_chain.wrong("takes a norm for its square",
                   replace=("((X * X).sum() - (Z * Z).sum()) / N", "((X * X).sum() - jnp.linalg.norm(Z)) / N"), caught_by="equal",
                   hint="jnp.linalg.norm(Z) is a root; the energy is its square.")
energy_chain.wrong("never reaches the trace", replace=("jnp.trace(Z @ Z.T)", "(Z * Z).sum()"), caught_by="stages",
                   hint="One line before the last must contain jnp.trace.")
energy_chain.wrong("says a line twice", replace=("    yield ((X * X).sum() - (Z * Z).sum()) / N\n",
                                                 2 * "    yield ((X * X).sum() - (Z * Z).sum()) / N\n"),
                   caught_by="repeats", hint="Every line has to say something new.")


@energy_chain.right("by Pythagoras, sample by sample")
def _(U, X):
    N = X.shape[1]
    Z = U.T @ X
    R = X - U @ Z
    yield (R * R).sum() / N
    yield (jnp.linalg.norm(X, axis=0) ** 2 - jnp.linalg.norm(U @ Z, axis=0) ** 2).mean()
    yield (X * X).sum() / N - sum(z @ z for z in Z.T) / N
    yield (X * X).sum() / N - jnp.trace(Z.T @ Z) / N
    yield (X * X).sum() / N - jnp.trace(U.T @ (X @ X.T / N) @ U)


# P2.5 ------------------------------------------------------------------------------------------------------------

ky_fan = Exercise(
    "ch02.ky_fan", "The frame that captures most", principles=["P2.5"], label="exercise:principal-components-derivation",
    book="exercise:principal-components-derivation", minutes=10, level="core",
    objective="maximise a trace over orthonormal frames, for any symmetric matrix",
    hints=["The captured value is the sum of lambda_i p_i with 0 <= p_i <= 1 and sum d. How do you spend the budget d best?",
           "Put p_i = 1 on the d largest eigenvalues: the frame consists of their eigenvectors.",
           "jnp.linalg.eigh(M) returns (values, vectors), values ASCENDING, eigenvectors as COLUMNS.",
           "vectors[:, -d:] and the sum of values[-d:]."])
SPECTRUM = (3.0, 2.0, 0.7, 0.1, -1.0, -4.0)


def captured(U, M):
    return np.trace(U.T @ M @ U)


@ky_fan.law("the columns are orthonormal")
def ky_orthonormal(f, rng):
    U, _ = f(symmetric(rng, SPECTRUM)[0], 2)
    close(U.T @ U, np.eye(2))


@ky_fan.law("the value is what the frame captures")
def ky_captures(f, rng):
    M = symmetric(rng, SPECTRUM)[0]
    U, value = f(M, 2)
    close(value, captured(U, M))


@ky_fan.law("no random frame captures more")
def ky_best(f, rng):
    M = symmetric(rng, SPECTRUM)[0]
    frames = np.linalg.qr(rng.normal(size=(500, 6, 2)))[0]
    most = np.einsum("kia,ij,kja->k", frames, M, frames).max()
    value = f(M, 2)[1]
    holds(value >= most - 1e-4, f"a random frame captures {most - value:.2g} more")


@ky_fan.law("a large negative eigenvalue is never captured")
def ky_negative(f, rng):
    M, Q = symmetric(rng, (1.0, 2.0, -5.0))
    U, value = f(M, 1)
    close(value, 2.0)
    close(U @ U.T, np.outer(Q[:, 1], Q[:, 1]))


@ky_fan.law("the value is the sum of the d largest eigenvalues")
def ky_value(f, rng):
    close(f(symmetric(rng, SPECTRUM)[0], 2)[1], 5.0)


@ky_fan.law("every frame captures d where M is the identity")
def ky_identity(f, rng):
    U, value = f(np.eye(6), 2)
    close(value, 2.0)
    close(U.T @ U, np.eye(2))


ky_fan.wrong("orders the eigenvalues without their signs",
             replace=("jnp.linalg.eigh(M)", "[a[..., ::-1] for a in jnp.linalg.svd(M)[1::-1]]"), caught_by=ky_negative,
             hint="M may have negative eigenvalues, and the singular values of M forget their signs.")
ky_fan.wrong("takes the d smallest", replace=("vectors[:, -d:], values[-d:].sum()", "vectors[:, :d], values[:d].sum()"),
             caught_by=ky_best, hint="eigh sorts in ascending order: yours is the minimum.")
ky_fan.wrong("takes rows for eigenvectors", replace=("vectors[:, -d:]", "vectors[-d:].T"), caught_by=ky_captures,
             hint="Test M u = lambda u: it holds for the columns that eigh returns.")
ky_fan.wrong("averages the eigenvalues", replace=("values[-d:].sum()", "values[-d:].mean()"), caught_by=ky_value,
             hint="A trace is a sum.")


@ky_fan.right("singular vectors of the shifted matrix, another basis of the same subspace")
def _(M, d):
    M = np.asarray(M)
    shift = np.abs(M).sum()  # no eigenvalue of M + shift I is negative
    U = np.linalg.svd(M + shift * np.eye(len(M)))[0][:, :d]
    U = U @ np.linalg.qr(np.arange(d * d).reshape(d, d) + 2.0 * np.eye(d))[0]
    return U, np.trace(U.T @ M @ U)


@ky_fan.right("sorted by hand")
def _(M, d):
    values, vectors = np.linalg.eig(np.asarray(M))
    top = np.argsort(-values.real)[:d]
    return np.linalg.qr(vectors.real[:, top])[0], values.real[top].sum()


frame_weights = Exercise(
    "ch02.frame_weights", "How a frame spends its budget", principles=["P2.5"], label="exercise:principal-components-derivation",
    book="exercise:principal-components-derivation", minutes=8, level="more",
    objective="compute the weights that a frame gives to the eigenvalues, the object of the proof",
    hints=["Expand U in the eigenvectors: W = Q^T U. Which part of W belongs to eigenvalue i?",
           "Row i of W holds the coordinates of q_i along the columns of U. Its squared length is a sum over the columns of W.",
           "jnp.linalg.eigh(M)[1][:, ::-1] has the eigenvectors as columns, in descending order of eigenvalue."])


@frame_weights.law("the weights lie between 0 and 1 and add up to d")
def weights_budget(f, rng):
    p = f(frame(rng, 6, 2), symmetric(rng, SPECTRUM)[0])
    holds(p.min() >= -1e-4 and p.max() <= 1 + 1e-4, f"a weight is {p.min():.3g} or {p.max():.3g}")
    close(p.sum(), 2.0)


@frame_weights.law("weights times eigenvalues add up to the captured value")
def weights_capture(f, rng):
    U, M = frame(rng, 6, 2), symmetric(rng, SPECTRUM)[0]
    close(np.dot(SPECTRUM, f(U, M)), captured(U, M))


@frame_weights.law("p_i is the squared length of the projection of the i-th eigenvector")
def weights_length(f, rng):
    U, (M, Q) = frame(rng, 6, 2), symmetric(rng, SPECTRUM)
    close(f(U, M), np.array([np.linalg.norm(U @ (U.T @ q)) ** 2 for q in Q.T]))


@frame_weights.law("the d leading eigenvectors have weight 1 and the others 0")
def weights_top(f, rng):
    M, Q = symmetric(rng, SPECTRUM)
    close(f(Q[:, :2], M), np.array([1.0, 1.0, 0, 0, 0, 0]))


@frame_weights.law("unchanged when the basis of the subspace is turned")
def weights_turned(f, rng):
    U, M = frame(rng, 6, 2), symmetric(rng, SPECTRUM)[0]
    close(f(U @ frame(rng, 2, 2), M), f(U, M))


frame_weights.wrong("leaves the eigenvalues in ascending order", replace=("[:, ::-1]", ""), caught_by=weights_top,
                    hint="eigh sorts in ascending order; here p_1 belongs to the largest eigenvalue.")
frame_weights.wrong("forgets a transpose", replace=("Q.T @ U", "Q @ U"), caught_by=weights_length,
                    hint="Row i of W must be q_i^T U, and q_i is column i of Q.")
frame_weights.wrong("takes lengths for squared lengths", replace=("(W * W).sum(axis=1)", "jnp.sqrt((W * W).sum(axis=1))"),
                    caught_by=weights_budget, hint="The squared lengths of the rows of W add up to d; the lengths do not.")
frame_weights.wrong("looks at the first basis vector only", replace=("(W * W).sum(axis=1)", "W[:, 0] ** 2"),
                    caught_by=weights_turned, hint="All d columns of U take part: the answer must not depend on the basis.")


@frame_weights.right("the diagonal of Q^T U U^T Q, in NumPy")
def _(U, M):
    Q = np.linalg.eigh(np.asarray(M))[1]
    return np.diag(Q.T @ np.asarray(U) @ np.asarray(U).T @ Q)[::-1]


# P2.6 ------------------------------------------------------------------------------------------------------------

pca = Exercise(
    "ch02.pca", "Principal components", principles=["P2.6"], label="thm:pca", minutes=10, level="core",
    objective="compute the principal subspace of data and its energies, for many or few samples", stand_in=subspace.pca,
    hints=["By 1.4 and 1.5 you want the d leading eigenvectors of X X^T / N, and here all d eigenvalues instead of their sum.",
           "Left singular vectors of X are eigenvectors of X X^T. How do its singular values become eigenvalues of X X^T / N?",
           "jnp.linalg.svd(X, full_matrices=False) returns U, s, V^T with s descending; the eigenvalues are s^2 / N."])


def data_case(rng, D, N, values):
    """X (D, N) whose matrix X X^T / N has exactly these non-zero eigenvalues, and their eigenvectors."""
    Q = frame(rng, D, len(values))
    return Q * np.sqrt(N * np.asarray(values)) @ frame(rng, N, len(values)).T, Q


@pca.law("the columns are orthonormal")
def pca_orthonormal(f, rng):
    X, _ = data_case(rng, 6, 20, (4.0, 2.0, 0.5, 0.3, 0.2, 0.1))
    U, _ = f(X, 2)
    close(U.T @ U, np.eye(2))


@pca.law("U^T (X X^T / N) U is diagonal, with the eigenvalues in descending order")
def pca_diagonal(f, rng):
    X, _ = data_case(rng, 6, 20, (4.0, 2.0, 0.5, 0.3, 0.2, 0.1))
    U, eigenvalues = f(X, 2)
    close(U.T @ (X @ X.T / 20) @ U, np.diag(eigenvalues))
    holds(eigenvalues[0] >= eigenvalues[1], f"{eigenvalues[0]:.3g} stands before {eigenvalues[1]:.3g}")


@pca.law("U U^T projects onto the leading eigenvectors")
def pca_projector(f, rng):
    X, Q = data_case(rng, 6, 20, (4.0, 2.0, 0.5, 0.3, 0.2, 0.1))
    U, eigenvalues = f(X, 2)
    close(U @ U.T, Q[:, :2] @ Q[:, :2].T)
    close(eigenvalues, np.array([4.0, 2.0]))


@pca.law("holds for fewer samples than dimensions")
def pca_few(f, rng):
    X, Q = data_case(rng, 12, 5, (4.0, 2.0, 1.0, 0.2, 0.1))
    U, eigenvalues = f(X, 3)
    close(U @ U.T, Q[:, :3] @ Q[:, :3].T)
    close(eigenvalues, np.array([4.0, 2.0, 1.0]))


@pca.law("without noise the subspace is recovered exactly")
def pca_recovers(f, rng):
    U = frame(rng, 6, 2)
    found, _ = f(U @ rng.normal(size=(2, 20)), 2)
    close(found @ found.T, U @ U.T)


@pca.law("doubling the data multiplies the eigenvalues by four")
def pca_doubled(f, rng):
    X, _ = data_case(rng, 6, 20, (4.0, 2.0, 0.5, 0.3, 0.2, 0.1))
    close(f(2 * X, 2)[1], 4 * f(X, 2)[1])


@pca.law("no mean is subtracted: far from the origin the first direction is the mean's")
def pca_uncentred(f, rng):
    mean = frame(rng, 6, 1)
    U, _ = f(50 * mean + rng.normal(size=(6, 20)), 2)
    holds(np.linalg.norm(U @ (U.T @ mean)) > 0.99, "the direction of the mean is not captured")


pca.wrong("returns singular values divided by N", replace=("s[:d] ** 2", "s[:d]"), caught_by=pca_doubled,
          hint="X = U diag(s) V^T gives X X^T = U diag(s^2) U^T.")
pca.wrong("divides by N - 1", replace=("X.shape[1]", "(X.shape[1] - 1)"), caught_by=pca_diagonal,
          hint="Here the matrix is X X^T / N; N - 1 belongs to the unbiased covariance.")
pca.wrong("subtracts the mean", replace=("jnp.linalg.svd(X,", "jnp.linalg.svd(X - X.mean(axis=1, keepdims=True),"),
          caught_by=pca_uncentred, hint="Centring is the caller's choice: this function takes the data as they come.")
pca.wrong("takes the last d directions", replace=("U[:, :d]", "U[:, -d:]"), caught_by=pca_projector,
          hint="eigh sorts in ascending order, svd in descending order.")
pca.wrong("divides by the dimension", replace=("X.shape[1]", "X.shape[0]"), caught_by=pca_projector,
          hint="X has shape (D, N): the number of samples is the second entry.")


@pca.right("eigenvectors of X X^T / N")
def _(X, d):
    values, vectors = jnp.linalg.eigh(X @ X.T / X.shape[1])
    return vectors[:, ::-1][:, :d], values[::-1][:d]


@pca.right("eigenvectors of the small matrix X^T X / N, mapped back")
def _(X, d):
    N = X.shape[1]
    values, vectors = np.linalg.eigh(np.asarray(X).T @ np.asarray(X) / N)
    values, vectors = values[::-1][:d], vectors[:, ::-1][:, :d]
    return np.asarray(X) @ vectors / np.sqrt(N * values), values


@pca.right("NumPy's SVD, with the signs turned")
def _(X, d):
    U, s, _ = np.linalg.svd(np.asarray(X, dtype=float))
    return -U[:, :d], (s**2)[:d] / X.shape[1]


sin_theta_bound = Exercise(
    "ch02.sin_theta_bound", "How far can the subspace turn?", principles=["P2.6"], label="thm:pca", minutes=15, level="challenge",
    objective="bound the rotation of the principal subspace by the size of the perturbation and the gap",
    hints=["Three numbers are needed: an eigenvalue of M_hat, an eigenvalue of M, and a norm.",
           "eigvalsh sorts in ascending order: the d-th largest is at index -d, the (d+1)-th largest at -d - 1.",
           "The gap is lambda_d(M_hat) - lambda_{d+1}(M), the size jnp.linalg.norm(M_hat - M, 2).",
           "Where the gap is not positive, or the quotient exceeds one, the bound says nothing: return 1."])


def shaken(rng, size):
    """A symmetric matrix and the same one with a symmetric perturbation of this size."""
    M, _ = symmetric(rng, (5.0, 4.0, 2.0, 1.0, 0.5, -1.0))
    E = rng.normal(size=(6, 6))
    E = E + E.T
    return M, M + size * E / np.linalg.norm(E, 2)


def worst_turn(rng):
    """M with eigenvalue gap 1 after the second, and the perturbation of size 0.4 that turns its plane furthest."""
    M, Q = symmetric(rng, (3.0, 1.0, 0.0, -1.0, -1.5, -2.0))
    E = np.zeros((6, 6))
    E[1:3, 1:3] = [[-0.32, 0.24], [0.24, 0.32]]
    return M, M + Q @ E @ Q.T


def turn(M, M_hat, d):
    return sine(np.linalg.eigh(M)[1][:, -d:], np.linalg.eigh(M_hat)[1][:, -d:])


@sin_theta_bound.law("the subspace never turns further")
def bound_safe(f, rng):
    for M, M_hat in [worst_turn(rng)] + [shaken(rng, size) for size in (0.1, 0.3, 0.6, 0.9, 1.2)]:
        real, bound = turn(M, M_hat, 2), f(M, M_hat, 2)
        holds(real <= bound + 1e-3, f"a subspace turns by {real:.3f} where yours says at most {bound:.3f}")


@sin_theta_bound.law("the size of the perturbation over the gap")
def bound_value(f, rng):
    M, M_hat = shaken(rng, 0.3)
    gap = np.sort(np.linalg.eigvalsh(M_hat))[-2] - 2.0
    close(f(M, M_hat, 2), 0.3 / gap)


@sin_theta_bound.law("never exceeds one")
def bound_capped(f, rng):
    M, Q = symmetric(rng, (5.0, 4.0, 2.0, 1.0, 0.5, -1.0))
    close(f(M, M - 1.5 * np.outer(Q[:, 1], Q[:, 1]), 2), 1.0)  # size 1.5, gap 0.5


@sin_theta_bound.law("one where there is no gap, zero where nothing moved")
def bound_ends(f, rng):
    M, _ = shaken(rng, 0.1)
    close(f(np.eye(6), np.eye(6), 2), 1.0)
    close(f(M, M, 2), 0.0)


@sin_theta_bound.law("unchanged when both matrices are scaled and shifted alike")
def bound_shift(f, rng):
    M, M_hat = shaken(rng, 0.3)
    close(f(3 * M + 2 * np.eye(6), 3 * M_hat + 2 * np.eye(6), 2), f(M, M_hat, 2))


sin_theta_bound.wrong("takes the gap of M alone", replace=("jnp.linalg.eigvalsh(M_hat)[-d]", "jnp.linalg.eigvalsh(M)[-d]"),
                      caught_by=bound_safe,
                      hint="The argument needs lambda_d of M_hat: the perturbation may close part of the gap of M.")
sin_theta_bound.wrong("takes the Frobenius norm", replace=("jnp.linalg.norm(M_hat - M, 2)", "jnp.linalg.norm(M_hat - M)"),
                      caught_by=bound_value,
                      hint="The argument uses the largest stretch of M_hat - M; the Frobenius norm is larger than needed.")
sin_theta_bound.wrong("forgets that a sine is at most one", caught_by=bound_capped,
                      replace=("jnp.minimum(size / (top - rest), 1.0)", "size / (top - rest)"),
                      hint="A quotient above one says nothing about a sine.")
sin_theta_bound.wrong("takes the next eigenvalue but one", replace=("[-d - 1]", "[-d - 2]"), caught_by=bound_safe,
                      hint="The gap is between neighbours: the d-th and the (d+1)-th largest.")


@sin_theta_bound.right("in NumPy, with a loop over the cases")
def _(M, M_hat, d):
    a, b = np.sort(np.linalg.eigvalsh(np.asarray(M)))[::-1], np.sort(np.linalg.eigvalsh(np.asarray(M_hat)))[::-1]
    gap, size = b[d - 1] - a[d], np.abs(np.linalg.eigvalsh(np.asarray(M_hat - M))).max()
    return 1.0 if gap <= size else size / gap


# P2.7 ------------------------------------------------------------------------------------------------------------

choose_dim = Exercise(
    "ch02.choose_dim", "Choosing the dimension", principles=["P2.7"], label="sub:pca", minutes=8, level="more",
    objective="read the dimension of the subspace from the sharpest drop of the eigenvalues",
    hints=["Form all quotients of neighbours: eigenvalues[:-1] / eigenvalues[1:].",
           "Quotients whose lower eigenvalue is numerically zero must not take part: jnp.where(keep, quotient, 0).",
           "jnp.argmax counts from zero, a dimension from one."])


def planted(rng, d, noise=0.02):
    """Twelve descending eigenvalues, the first d of them large."""
    signal = 1 + 2 * rng.uniform(size=d)
    return np.sort(np.concatenate([signal, noise * (1 + 0.3 * rng.uniform(size=12 - d))]))[::-1]


@choose_dim.law("finds a planted dimension")
def dim_planted(f, rng):
    for d in (1, 4, 9):
        got = f(planted(rng, d))
        holds(got == d, f"yours is {abs(got - d)} too {'many' if got > d else 'few'}")


@choose_dim.law("ignores a tail that is zero up to rounding")
def dim_tail(f, rng):
    eigenvalues = planted(rng, 4)
    eigenvalues[8:] = [3e-7, 1e-9, 1e-12, 0.0]
    close(f(eigenvalues), 4)


@choose_dim.law("the quotient decides, not the difference")
def dim_quotient(f, rng):
    close(f(np.array([100, 50, 45, 40, 0.5, 0.45, 0.4, 0.35, 0.3, 0.3, 0.25, 0.2])), 4)


@choose_dim.law("unchanged when the data are scaled")
def dim_scaled(f, rng):
    close(f(1e-5 * planted(rng, 4)), 4)


choose_dim.wrong("returns the index instead of the count", replace=("jnp.argmax(drop) + 1", "jnp.argmax(drop)"),
                 caught_by=dim_planted, hint="An index counts from zero: index 0 means one direction.")
choose_dim.wrong("looks for the largest difference", caught_by=dim_quotient,
                 replace=("eigenvalues[:-1] / eigenvalues[1:]", "eigenvalues[:-1] - eigenvalues[1:]"),
                 hint="The rule compares neighbours by their quotient.")
choose_dim.wrong("falls for the zero tail", replace=("1e-5 * eigenvalues[0]", "0"), caught_by=dim_tail,
                 hint="0.0001 / 0.0000000001 is a large quotient and means nothing: drop what is rounding.")
choose_dim.wrong("uses an absolute threshold", replace=("1e-5 * eigenvalues[0]", "1e-5"), caught_by=dim_scaled,
                 hint="What counts as zero depends on the unit of the data: compare with the largest eigenvalue.")


@choose_dim.right("a loop that remembers the best so far")
def _(eigenvalues):
    best, d = 0.0, 1
    for i in range(len(eigenvalues) - 1):
        if eigenvalues[i + 1] > 1e-5 * eigenvalues[0] and eigenvalues[i] / eigenvalues[i + 1] > best:
            best, d = eigenvalues[i] / eigenvalues[i + 1], i + 1
    return d


@choose_dim.right("differences of logarithms, in NumPy")
def _(eigenvalues):
    kept = np.asarray(eigenvalues, dtype=float)
    kept = kept[kept > 1e-5 * kept[0]]
    return int(np.argmin(np.diff(np.log(kept)))) + 1


# P2.8 ------------------------------------------------------------------------------------------------------------

autoencoder_grad = Exercise(
    "ch02.autoencoder_grad", "Gradient of a linear autoencoder", principles=["P2.8"], label="eqn:autoencoding-PCA", minutes=10,
    level="more", objective="differentiate the loss of an encoder and a decoder by hand",
    hints=["With R = X - W2 W1 X, a small change dW2 changes the loss by -2/N <R, dW2 W1 X>. Read off the matrix that meets dW2.",
           "<R, A B> = <R B^T, A> = <A^T R, B>: move factors to the other side, transposed.",
           "The gradients are -2/N W2^T R X^T and -2/N R (W1 X)^T."])


def loss(W1, W2, X):
    return ((X - W2 @ W1 @ X) ** 2).sum() / X.shape[1]


def network(rng, N=7):
    return 0.5 * rng.normal(size=(2, 5)), 0.5 * rng.normal(size=(5, 2)), rng.normal(size=(5, N))


@autoencoder_grad.law("agrees with differences of the loss along random directions")
def grad_differences(f, rng):
    W1, W2, X = network(rng)
    g1, g2 = f(W1, W2, X)
    for _ in range(3):
        A, B, h = rng.normal(size=W1.shape), rng.normal(size=W2.shape), 1e-5
        close((g1 * A).sum(), (loss(W1 + h * A, W2, X) - loss(W1 - h * A, W2, X)) / (2 * h))
        close((g2 * B).sum(), (loss(W1, W2 + h * B, X) - loss(W1, W2 - h * B, X)) / (2 * h))


@autoencoder_grad.law("vanishes at the principal components")
def grad_stationary(f, rng):
    X = rng.normal(size=(5, 7))
    U = np.linalg.svd(X)[0][:, :2]
    g1, g2 = f(U.T, U, X)
    close(g1, np.zeros((2, 5)))
    close(g2, np.zeros((5, 2)))


@autoencoder_grad.law("unchanged when every sample is given twice")
def grad_twice(f, rng):
    W1, W2, X = network(rng)
    for once, twice in zip(f(W1, W2, X), f(W1, W2, np.hstack([X, X]))):
        close(twice, once)


@autoencoder_grad.law("stretching the codes divides one gradient and multiplies the other")
def grad_stretched(f, rng):
    W1, W2, X = network(rng)
    (g1, g2), (h1, h2) = f(W1, W2, X), f(2 * W1, W2 / 2, X)
    close(h1, g1 / 2)
    close(h2, 2 * g2)


autoencoder_grad.wrong("points uphill", replace=("-2 / X.shape[1]", "2 / X.shape[1]"), caught_by=grad_differences,
                       hint="R carries W1 and W2 with a minus sign.")
autoencoder_grad.wrong("loses the factor two", replace=("-2 / X.shape[1]", "-1 / X.shape[1]"), caught_by=grad_differences,
                       hint="The derivative of a square is twice the value; the loss has no factor one half.")
autoencoder_grad.wrong("forgets to divide by N", replace=("-2 / X.shape[1]", "-2"), caught_by=grad_twice,
                       hint="The loss is a mean over the samples.")
autoencoder_grad.wrong("sends the error back through the encoder", replace=("W2.T @ R", "W1 @ R"), caught_by=grad_differences,
                       hint="The error of the output reaches the codes through the transpose of the decoder.")
autoencoder_grad.wrong("forgets what was reconstructed", replace=("R @ Z.T", "X @ Z.T"), caught_by=grad_stationary,
                       hint="At a perfect reconstruction nothing is left to learn: the residual must appear in both gradients.")


@autoencoder_grad.right("by automatic differentiation")
def _(W1, W2, X):
    return jax.grad(lambda W1, W2: ((X - W2 @ W1 @ X) ** 2).sum() / X.shape[1], argnums=(0, 1))(W1, W2)


@autoencoder_grad.right("through the matrix X X^T / N, in NumPy")
def _(W1, W2, X):
    W1, W2, X = np.asarray(W1), np.asarray(W2), np.asarray(X)
    C = X @ X.T / X.shape[1]
    rest = np.eye(len(C)) - W2 @ W1
    return -2 * W2.T @ rest @ C, -2 * rest @ C @ W1.T
