"""Exercises of Part 4, overcomplete dictionaries: P2.28 to P2.35. Oracles: NumPy, float64, nothing shared with the solutions."""

import jax.numpy as jnp
import numpy as np

from book_utils import sparse
from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds


def atoms(rng, D=5, m=8):
    """A random dictionary (D, m) with atoms of length 1."""
    A = rng.normal(size=(D, m))
    return A / np.linalg.norm(A, axis=0)


def shrunk(V, a):
    """The soft threshold, written without signs."""
    return np.where(V > a, V - a, np.where(V < -a, V + a, 0))


def objective(A, X, Z, lam):
    return ((X - A @ Z) ** 2).sum() + lam * np.abs(Z).sum()


def optimal_pair(rng, lam):
    """A dictionary, data and codes that are optimal for them: one or two nonzeros a column, the residual made to fit."""
    while True:
        A, Z, X = atoms(rng), np.zeros((8, 4)), np.zeros((5, 4))
        for i, k in enumerate((1, 2, 2, 1)):
            S, signs = rng.choice(8, k, replace=False), rng.choice([-1.0, 1.0], k)
            Z[S, i] = signs * rng.uniform(1, 2, k)
            B = A[:, S]  # B^T r = lam / 2 * signs has its shortest solution in the span of B
            X[:, i] = B @ Z[S, i] + B @ np.linalg.solve(B.T @ B, lam / 2 * signs)
        off = np.abs(A.T @ (X - A @ Z))[Z == 0]
        if off.max() < 0.45 * lam:
            return A, X, Z


# P2.28 -----------------------------------------------------------------------------------------------------------

lasso_kkt = Exercise(
    "ch02.lasso_kkt", "When codes are optimal", principles=["P2.28"], label="eq:sparse_dl_lasso", minutes=10, level="more",
    objective="tell from the residual whether sparse codes are optimal", stand_in=sparse.lasso_kkt,
    hints=["Where an entry of Z is not zero the objective is smooth in it: its derivative has to vanish.",
           "The derivative of ||X - A Z||_F^2 is -g with g = 2 A^T (X - A Z); that of lam |z| is lam sign(z), or anything "
           "between -lam and lam at z = 0.",
           "Off zero the violation is |g - lam sign(z)|; at zero it is how far |g| exceeds lam, or 0.",
           "jnp.where(Z == 0, jnp.maximum(jnp.abs(g) - lam, 0), jnp.abs(g - lam * jnp.sign(Z))), and of all this the maximum."])


@lasso_kkt.law("zero at optimal codes")
def kkt_at_optimum(f, rng):
    A, X, Z = optimal_pair(rng, 0.6)
    close(f(A, X, Z, 0.6), 0.0)


@lasso_kkt.law("positive as soon as one entry of optimal codes is changed, by twice the change times the atom's squared length")
def kkt_moved(f, rng):
    A, X, Z = optimal_pair(rng, 0.6)
    i, j = np.argwhere(Z)[0]
    X, Z = X[:, [j]].repeat(4, axis=1), Z[:, [j]].repeat(4, axis=1)
    Z[i, 2] += 0.25 * np.sign(Z[i, 2])
    holds(float(f(A, X, Z, 0.6)) > 0.49, "codes that are not optimal pass for optimal")


@lasso_kkt.law("for Z = 0, how far the largest |2 a^T x| exceeds lam")
def kkt_at_zero(f, rng):
    A, X = atoms(rng), rng.normal(size=(5, 4))
    largest = 2 * np.abs(A.T @ X).max()
    close(f(A, X, np.zeros((8, 4)), 0.3 * largest), 0.7 * largest)
    close(f(A, X, np.zeros((8, 4)), 1.1 * largest), 0.0)


@lasso_kkt.law("without an l1 norm, the largest entry of the gradient of the squared error")
def kkt_of_least_squares(f, rng):
    A, X, Z = atoms(rng), rng.normal(size=(5, 4)), rng.normal(size=(8, 4))
    h, best = 1e-5, 0.0
    for i in range(8):
        for j in range(4):
            up, down = Z.copy(), Z.copy()
            up[i, j] += h
            down[i, j] -= h
            best = max(best, abs(objective(A, X, up, 0) - objective(A, X, down, 0)) / (2 * h))
    close(f(A, X, Z, 0.0), best)


lasso_kkt.wrong("loses the factor two of the gradient", replace=("2 * A.T", "A.T"), caught_by=kkt_at_zero,
                hint="The objective has no factor one half: what is the derivative of ||x - A z||^2?")
lasso_kkt.wrong("asks for a zero gradient everywhere", replace=("jnp.maximum(jnp.abs(g) - lam, 0)", "jnp.abs(g)"),
                caught_by=kkt_at_optimum, hint="At z = 0 the absolute value has a kink: any slope up to lam is balanced there.")
lasso_kkt.wrong("adds the slope of the l1 norm", replace=("g - lam * jnp.sign(Z)", "g + lam * jnp.sign(Z)"),
                caught_by=kkt_at_optimum,
                hint="g is minus the gradient of the squared error. Which sign makes the sum of the two vanish?")
lasso_kkt.wrong("looks only where the code is zero", replace=("jnp.abs(g - lam * jnp.sign(Z))", "0"),
                caught_by=kkt_of_least_squares,
                hint="On the support the derivative has to vanish, and that can fail as well.")
lasso_kkt.wrong("looks only at sizes", replace=("jnp.abs(g - lam * jnp.sign(Z))", "jnp.maximum(jnp.abs(g) - lam, 0)"),
                caught_by=kkt_moved, hint="Where z is not 0, |g| <= lam is not enough: g must equal lam sign(z).")


@lasso_kkt.right("entry by entry, in NumPy")
def _(A, X, Z, lam):
    A, X, Z, worst = np.asarray(A), np.asarray(X), np.asarray(Z), 0.0
    for i in range(Z.shape[1]):
        for a, z in zip(A.T, Z[:, i]):
            slope = 2 * a @ (A @ Z[:, i] - X[:, i])
            worst = max(worst, max(abs(slope) - lam, 0.0) if z == 0 else abs(slope + lam * np.sign(z)))
    return worst


lambda_max = Exercise(
    "ch02.lambda_max", "The weight at which all codes vanish", principles=["P2.28"], label="eq:sparse_dl_lasso", minutes=5,
    level="more",
    objective="find the smallest lam for which no atom is used", stand_in=sparse.lambda_max,
    hints=["Put Z = 0 into the conditions of optimality. What is left of the residual?",
           "|2 a^T x| <= lam for every atom a and every sample x.",
           "Twice the largest entry of A^T X in absolute value."])


@lambda_max.law("above it no move of one code entry lowers the objective at Z = 0; below it some move does")
def lambda_threshold(f, rng):
    A, X = 1.5 * atoms(rng), rng.normal(size=(5, 4))
    found = float(f(A, X))

    def best_move(lam):
        steps = np.concatenate([np.geomspace(1e-3, 1, 40), -np.geomspace(1e-3, 1, 40)])
        return min(objective(A, x[:, None], (s * e)[:, None], lam) - (x**2).sum() for x in X.T for e in np.eye(8) for s in steps)
    holds(best_move(1.02 * found) >= 0, "above yours, using an atom still pays")
    holds(best_move(0.98 * found) < 0, "just below yours, using an atom does not pay yet")


@lambda_max.law("twice the length of the data for one sample that is a multiple of a unit atom")
def lambda_of_an_atom(f, rng):
    A = atoms(rng)
    close(f(A, 3 * A[:, [2]]), 6.0)


@lambda_max.law("unchanged by the signs of atoms and samples")
def lambda_signs(f, rng):
    A, X = np.abs(atoms(rng)), np.abs(rng.normal(size=(5, 4)))
    close(f(A, -X), f(A, X))


lambda_max.wrong("loses the factor two", replace=("2 * ", ""), caught_by=lambda_of_an_atom,
                 hint="The objective has no factor one half. With it, this would be the answer.")
lambda_max.wrong("forgets the absolute value", replace=("jnp.abs(A.T @ X).max()", "(A.T @ X).max()"), caught_by=lambda_signs,
                 hint="An atom can be used with a negative coefficient.")
lambda_max.wrong("takes the largest sum over a sample", replace=("jnp.abs(A.T @ X).max()", "jnp.abs(A.T @ X).sum(axis=0).max()"),
                 caught_by=lambda_threshold, hint="The condition holds for every atom by itself.")
lambda_max.wrong("takes the smallest over the samples", replace=("jnp.abs(A.T @ X).max()", "jnp.abs(A.T @ X).max(axis=0).min()"),
                 caught_by=lambda_threshold, hint="All codes are to vanish, those of every sample.")


@lambda_max.right("sample by sample, in NumPy")
def _(A, X):
    return max(2 * np.abs(np.asarray(A).T @ x).max() for x in np.asarray(X).T)


coherence = Exercise(
    "ch02.coherence", "Coherence of a dictionary", principles=["P2.28"], label="sec:dictionary_learning", minutes=6, level="more",
    objective="measure how alike two atoms of a dictionary can be", stand_in=sparse.coherence,
    hints=["Bring the atoms to length 1; then a cosine is an inner product.",
           "A^T A holds the inner products of all pairs. Which entries do not belong to a pair?",
           "Subtract the identity from the Gram matrix of unit atoms, and take the largest absolute value."])


def hadamard(n):
    """The orthogonal matrix of order 2^n with entries +-2^(-n/2)."""
    H = np.ones((1, 1))
    for _ in range(n):
        H = np.block([[H, H], [H, -H]]) / np.sqrt(2)
    return H


@coherence.law("1 where an atom stands twice, even with another sign or length")
def coherence_twice(f, rng):
    A = rng.normal(size=(2, 3))
    A[:, 2] = -3 * A[:, 0]
    close(f(A), 1.0)


@coherence.law("1 / sqrt(D) for spikes and Hadamard's vectors together")
def coherence_of_two_bases(f, rng):
    close(f(np.hstack([np.eye(4), hadamard(2)])), 0.5)


@coherence.law("the cosine of the smallest angle between the lines of two atoms")
def coherence_of_angles(f, rng):
    angles = np.deg2rad([0.0, 70.0, 140.0])  # the lines of the first and the last meet at 40 degrees
    A = np.stack([np.cos(angles), np.sin(angles)])
    close(f(A * np.array([1.0, 0.5, 2.0])), np.cos(np.deg2rad(40.0)))


@coherence.law("never below Welch's bound, and equal to it for a frame of equal angles")
def coherence_welch(f, rng):
    mercedes = np.deg2rad([90.0, 210.0, 330.0])
    close(f(np.stack([np.cos(mercedes), np.sin(mercedes)])), 0.5)  # sqrt((3 - 2) / (2 * 2))
    holds(float(f(rng.normal(size=(4, 8)))) >= np.sqrt(4 / (4 * 7)), "it is below Welch's bound, which no dictionary is")


coherence.wrong("does not bring atoms to length 1", replace=("A / jnp.linalg.norm(A, axis=0)", "A"),
                caught_by=coherence_of_angles,
                hint="A cosine is an inner product of unit vectors.")
coherence.wrong("normalises the rows", replace=("axis=0", "axis=1, keepdims=True"), caught_by=coherence_of_angles,
                hint="Atoms are the columns of A.")
coherence.wrong("compares each atom with itself", replace=(" - jnp.eye(A.shape[1])", ""), caught_by=coherence_of_two_bases,
                hint="The cosine of an atom with itself is 1, always. Leave the diagonal out.")
coherence.wrong("forgets that -a is the same line as a",
                replace=("jnp.abs(A.T @ A - jnp.eye(A.shape[1]))", "(A.T @ A - jnp.eye(A.shape[1]))"),
                caught_by=coherence_of_angles,
                hint="Two atoms that point in opposite directions are as alike as two that are equal.")
coherence.wrong("takes the mean over pairs", replace=(".max()", ".mean()"), caught_by=coherence_twice,
                hint="The worst pair decides: one atom that stands twice is enough to spoil codes.")


@coherence.right("pair by pair, in NumPy")
def _(A):
    columns = [a / np.linalg.norm(a) for a in np.asarray(A).T]
    return max(abs(a @ b) for i, a in enumerate(columns) for b in columns[:i])


omp = Exercise(
    "ch02.omp", "Orthogonal matching pursuit", principles=["P2.28"], label="sec:dictionary_learning", minutes=15,
    level="challenge",
    objective="find a code with k nonzeros greedily, and know when it is the right one",
    hints=["k times: choose an atom, then fit all atoms chosen so far, then subtract the fit from x.",
           "Chosen is the atom most correlated with what is left: jnp.abs(A.T @ rest) divided by the lengths of the atoms.",
           "The fit is least squares with the chosen columns, np.linalg.lstsq(A[:, chosen], x, rcond=None)[0].",
           "In NumPy you may index with a list, A[:, chosen], and write code[chosen] = values."])


@omp.law("finds every code with fewer than (1 + 1 / coherence) / 2 nonzeros exactly: spikes and Hadamard, D = 64, k = 4")
def omp_recovers(f, rng):
    A, z = np.hstack([np.eye(64), hadamard(6)]), np.zeros(128)
    z[rng.choice(128, 4, replace=False)] = rng.choice([-1, 1], 4) * rng.uniform(0.5, 2, 4)
    close(f(A, A @ z, 4), z)


@omp.law("leaves a residual that is orthogonal to every atom it uses, and uses k")
def omp_orthogonal(f, rng):
    A, x = atoms(rng), rng.normal(size=5)
    z = np.asarray(f(A, x, 3), dtype=float)
    holds((z != 0).sum() == 3, f"it has {(z != 0).sum()} nonzeros instead of 3")
    close(A[:, z != 0].T @ (x - A @ z), np.zeros(3))


@omp.law("begins with the atom that leaves the least residual by itself")
def omp_first(f, rng):
    for _ in range(6):
        A, x = atoms(rng) * rng.uniform(0.2, 3, size=8), rng.normal(size=5)
        fits = [(a @ x) / (a @ a) for a in A.T]
        best = int(np.argmin([((x - c * a) ** 2).sum() for c, a in zip(fits, A.T)]))
        close(f(A, x, 1), fits[best] * np.eye(8)[best])


@omp.law("the next atom is the one most correlated with what the others leave over, not with x")
def omp_leftover(f, rng):
    A = np.array([[1.0, 0.8, 0.0], [0.0, 0.6, 0.0], [0.0, 0.0, 2.0]])  # the second atom is like the first
    close(f(A, np.array([3.0, 0.0, -1.0]), 2), [3.0, 0.0, -0.5])


@omp.law("with k = D it represents x exactly")
def omp_complete(f, rng):
    A, x = atoms(rng), rng.normal(size=5)
    close(A @ f(A, x, 5), x, tol=5)


omp.wrong("does not divide by the lengths of the atoms", replace=(" / np.linalg.norm(A, axis=0)", ""), caught_by=omp_first,
          hint="A long atom has large inner products with everything. Which atom leaves the least residual?")
omp.wrong("forgets the absolute value", replace=("np.abs(A.T @ rest)", "(A.T @ rest)"), caught_by=omp_first,
          hint="An atom that points away from the residual helps as well, with a negative coefficient.")
omp.wrong("never looks at the residual", replace=("A.T @ rest", "A.T @ x"), caught_by=omp_orthogonal,
          hint="After the first atom, what is left of x should decide. Which atom does yours take the second time?")
omp.wrong("the k atoms most correlated with x, all at once",
          replace=("np.argmax(np.abs(A.T @ rest) / np.linalg.norm(A, axis=0))",
                   "np.argsort(-np.abs(A.T @ x) / np.linalg.norm(A, axis=0))[len(chosen)]"), caught_by=omp_leftover,
          hint="If two atoms are alike and one has been taken, is there anything left for the other?")
omp.wrong("plain matching pursuit: older coefficients stay", replace=("np.linalg.lstsq(A[:, chosen], x, rcond=None)[0]",
          "np.append(values, A[:, chosen[-1]] @ rest / (A[:, chosen[-1]] ** 2).sum())"), caught_by=omp_orthogonal,
          hint="When an atom joins that is not orthogonal to the others, their coefficients have to be fitted again.")
omp.wrong("correlations instead of a fit", replace=("np.linalg.lstsq(A[:, chosen], x, rcond=None)[0]", "A[:, chosen].T @ x"),
          caught_by=omp_orthogonal, hint="Inner products are the coefficients only for orthonormal atoms.")
omp.wrong("one atom short", replace=("range(k)", "range(k - 1)"), caught_by=omp_complete,
          hint="How many atoms has the code after the first pass through the loop?")


@omp.right("by orthogonalising the chosen atoms")
def _(A, x, k):
    A, rest, basis, chosen = np.asarray(A, dtype=float), np.asarray(x, dtype=float), [], []
    for _ in range(k):
        chosen.append(int(np.argmax(np.abs(rest @ A) / np.sqrt((A**2).sum(axis=0)))))
        q = A[:, chosen[-1]].copy()
        for _ in range(2):
            for b in basis:
                q = q - (b @ q) * b
        basis.append(q / np.linalg.norm(q))
        rest = rest - (basis[-1] @ rest) * basis[-1]
    code = np.zeros(A.shape[1])
    code[chosen] = np.linalg.pinv(A[:, chosen]) @ np.asarray(x, dtype=float)
    return code


# P2.29 -----------------------------------------------------------------------------------------------------------

soft_threshold = Exercise(
    "ch02.soft_threshold", "The soft threshold", principles=["P2.29"], label="fig:soft-thresholding", minutes=8,
    objective="solve the sparse problem of one variable", stand_in=sparse.soft_threshold,
    hints=["Suppose the minimiser is positive. Then |z| = z, and the derivative 2 (z - t) + 2 a has to vanish: z = t - a. When "
           "is that positive?",
           "Likewise z = t + a for t < -a. And for |t| <= a?",
           "One line for both signs: the size |t| - a, but not below 0, with the sign of t."])


@soft_threshold.law("the z that minimises (z - t)^2 + 2 a |z|, for every entry t")
def soft_minimises(f, rng):
    T, grid = rng.normal(size=(3, 4)), np.linspace(-4, 4, 80_001)
    for a in (0.3, 1.0):
        best = [[grid[np.argmin((grid - t) ** 2 + 2 * a * np.abs(grid))] for t in row] for row in T]
        close(f(T, a), best)


@soft_threshold.law("what it takes away is the entry clipped to [-a, a]")
def soft_moreau(f, rng):
    T = 2 * rng.normal(size=(3, 4))
    close(T - f(T, 0.7), np.clip(T, -0.7, 0.7))


@soft_threshold.law("exactly 0 for every entry of size at most a")
def soft_zeros(f, rng):
    T = np.array([[0.5, -0.5, 0.0, 0.2], [0.25, -0.1, 0.5, -0.375], [0.0, 0.125, -0.5, 0.4]])
    holds((np.asarray(f(T, 0.5)) == 0).all(), "an entry of size at most a is not exactly 0")


@soft_threshold.law("leaves everything as it is for a = 0")
def soft_identity(f, rng):
    T = rng.normal(size=(3, 4))
    close(f(T, 0.0), T)


soft_threshold.wrong("keeps large entries as they are",
                     replace=("jnp.sign(Z) * jnp.maximum(jnp.abs(Z) - a, 0)", "jnp.where(jnp.abs(Z) > a, Z, 0)"),
                     caught_by=soft_moreau,
                     hint="That is the hard threshold. The l1 norm pulls on large entries too: how far does it move the minimum?")
soft_threshold.wrong("a ReLU: negative entries are lost",
                     replace=("jnp.sign(Z) * jnp.maximum(jnp.abs(Z) - a, 0)", "jnp.maximum(Z - a, 0)"),
                     caught_by=soft_minimises, hint="Try t = -3 with a = 1: is 0 the best z?")
soft_threshold.wrong("loses the sign", replace=("jnp.sign(Z) * ", ""), caught_by=soft_minimises,
                     hint="For negative t the best z is negative.")
soft_threshold.wrong("half the threshold", replace=(" - a,", " - a / 2,"), caught_by=soft_moreau,
                     hint="With 2 a |z| beside (z - t)^2 the two factors 2 cancel.")
soft_threshold.wrong("returns what is to be taken away",
                     replace=("jnp.sign(Z) * jnp.maximum(jnp.abs(Z) - a, 0)", "jnp.clip(Z, -a, a)"),
                     caught_by=soft_zeros, hint="This is t minus the answer. What is left for small t?")
soft_threshold.wrong("lets small entries change their sign", replace=("jnp.maximum(jnp.abs(Z) - a, 0)", "(jnp.abs(Z) - a)"),
                     caught_by=soft_zeros, hint="Below the threshold |t| - a is negative. The best z there is 0.")


@soft_threshold.right("two ReLUs")
def _(Z, a):
    return jnp.maximum(Z - a, 0) - jnp.maximum(-Z - a, 0)


@soft_threshold.right("entry by entry, in NumPy")
def _(Z, a):
    return np.array([[t - a if t > a else t + a if t < -a else 0.0 for t in row] for row in np.asarray(Z)])


ista_chain = Derivation(
    "ch02.ista_chain", "The bound above the error is a square", principles=["P2.29"], label="eq:ista_update", minutes=10,
    level="more",
    objective="complete the square that turns a bound on the squared error into a soft threshold",
    stages=[Stage("written with a square of codes and without Z_new - Z by itself", uses={"step", "G"})],
    hints=["Let step be Z_new - Z. First multiply the two terms that contain it by 2 eta and take 1 / (2 eta) out.",
           "step^2 + 2 eta G step is the beginning of the square of step + eta G.",
           "((step + eta * G) ** 2).sum() / (2 * eta) counts eta^2 G^2 / (2 eta) too much: take eta / 2 * (G * G).sum() away."])


@ista_chain.instance
def _(rng):
    return dict(A=atoms(rng), X=rng.normal(size=(5, 4)), Z=rng.normal(size=(8, 4)), Z_new=rng.normal(size=(8, 4)), eta=0.2)


ista_chain.wrong("a square too large", replace=(" - eta / 2 * (G * G).sum()", ""), caught_by="equal",
                 hint="(s + eta G)^2 = s^2 + 2 eta s G + eta^2 G^2. The last term was not there before.")
ista_chain.wrong("half the cross term", replace=("step * step + 2 * eta * G * step", "step * step + eta * G * step"),
                 caught_by="equal",
                 hint="Taking 1 / (2 eta) out of G step leaves 2 eta G step inside.")
ista_chain.wrong("the sign of a step uphill", replace=("((step + eta * G) ** 2)", "((step - eta * G) ** 2)"), caught_by="equal",
                 hint="Multiply it out: which sign has the cross term?")
ista_chain.wrong("says the same again", replace=("error + (step * step + 2 * eta * G * step).sum() / (2 * eta)",
                 "error + (G * step).sum() + (step * step).sum() / (2 * eta)"), caught_by="repeats",
                 hint="Take 1 / (2 eta) out of both terms.")


@ista_chain.right("in one line")
def _(A, X, Z, Z_new, eta):
    error, G = ((X - A @ Z) ** 2).sum(), 2 * A.T @ (A @ Z - X)  # value and gradient of the squared error at Z
    step = Z_new - Z
    yield error + (G * step).sum() + (step * step).sum() / (2 * eta)
    yield error + jnp.square(step + eta * G).sum() / (2 * eta) - eta * jnp.sum(G**2) / 2
    yield ((Z_new - (Z - eta * G)) ** 2).sum() / (2 * eta) + error - eta / 2 * (G * G).sum()


ista_step = Exercise(
    "ch02.ista_step", "One step of ISTA", principles=["P2.29"], label="eq:ista_update", minutes=10,
    objective="take one step towards sparse codes", stand_in=sparse.ista_step, allows=[sparse.soft_threshold],
    hints=["Two moves: a gradient step on the squared error, then the soft threshold of every entry.",
           "The gradient of ||X - A Z||_F^2 in Z is 2 A^T (A Z - X). Go against it, eta times.",
           "The threshold is eta * lam: a small step may take only a little away.",
           "soft_threshold(Z - 2 * eta * A.T @ (A @ Z - X), eta * lam)."])


@ista_step.law("stays at optimal codes, and only there, whatever the step")
def ista_fixed(f, rng):
    A, X, Z = optimal_pair(rng, 0.6)
    for eta in (0.05, 0.2):
        close(f(A, X, Z, 0.6, eta), Z)
    moved = Z + 0.2 * rng.normal(size=Z.shape)
    holds(np.abs(f(A, X, moved, 0.6, 0.2) - moved).max() > 1e-2, "it stays where the codes are not optimal")


@ista_step.law("for an orthogonal dictionary and eta = 1/2 it is at the optimum at once: A^T X with threshold lam / 2")
def ista_orthogonal(f, rng):
    Q = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    X, Z = rng.normal(size=(5, 4)), rng.normal(size=(5, 4))
    close(f(Q, X, Z, 0.8, 0.5), shrunk(Q.T @ X, 0.4))


@ista_step.law("never raises the objective for eta = 1 / (2 sigma_1(A)^2), and lowers it by ||step||^2 / (2 eta) at least")
def ista_descends(f, rng):
    A, X = atoms(rng), rng.normal(size=(5, 4))
    eta = 0.5 / np.linalg.norm(A, 2) ** 2
    for lam in (0.1, 1.0):
        Z = rng.normal(size=(8, 4))
        new = np.asarray(f(A, X, Z, lam, eta), dtype=float)
        gain = objective(A, X, Z, lam) - objective(A, X, new, lam)
        bound = ((new - Z) ** 2).sum() / (2 * eta)
        holds(gain >= bound * (1 - 1e-3), f"the objective falls by {gain:.3g} where a step of this length gives {bound:.3g}")


@ista_step.law("without an l1 norm, minus eta times the gradient of the squared error")
def ista_gradient(f, rng):
    A, X, Z = atoms(rng), rng.normal(size=(5, 4)), rng.normal(size=(8, 4))
    h, gradient = 1e-5, np.zeros((8, 4))
    for place in np.ndindex(8, 4):
        E = np.zeros((8, 4))
        E[place] = h
        gradient[place] = (objective(A, X, Z + E, 0) - objective(A, X, Z - E, 0)) / (2 * h)
    close(f(A, X, Z, 0.0, 0.15), Z - 0.15 * gradient)


@ista_step.law("from Z = 0 it uses an atom exactly where |2 a^T x| exceeds lam, whatever eta is")
def ista_starts(f, rng):
    A, X = atoms(rng), rng.normal(size=(5, 4))
    used = 2 * np.abs(A.T @ X) > 1.0
    for eta in (0.02, 0.2):
        holds(((np.asarray(f(A, X, np.zeros((8, 4)), 1.0, eta)) != 0) == used).all(), f"with eta = {eta} it uses other atoms")


ista_step.wrong("climbs: a plus for the minus", replace=("Z - 2 * eta", "Z + 2 * eta"), caught_by=ista_descends,
                hint="The gradient points uphill. (The sign is misprinted in the book, see below.)")
ista_step.wrong("threshold lam instead of eta lam", replace=("eta * lam)", "lam)"), caught_by=ista_fixed,
                hint="With a very small step the codes should hardly move. Do they, with your threshold?")
ista_step.wrong("loses the factor two of the gradient", replace=("2 * eta", "eta"), caught_by=ista_orthogonal,
                hint="The objective has no factor one half: its gradient is 2 A^T (A Z - X).")
ista_step.wrong("thresholds first", replace=("soft_threshold(Z - 2 * eta * A.T @ (A @ Z - X), eta * lam)",
                "soft_threshold(Z, eta * lam) - 2 * eta * A.T @ (A @ Z - X)"), caught_by=ista_starts,
                hint="Then the last move is a gradient step, and nothing is exactly zero after it.")
ista_step.wrong("a ReLU for the soft threshold", replace=("soft_threshold(Z - 2 * eta * A.T @ (A @ Z - X), eta * lam)",
                "jnp.maximum(Z - 2 * eta * A.T @ (A @ Z - X) - eta * lam, 0)"), caught_by=ista_orthogonal,
                hint="Codes may be negative here.")
ista_step.wrong("starts from zero every time", replace=("soft_threshold(Z - 2", "soft_threshold(0 * Z - 2"),
                caught_by=ista_gradient,
                hint="A step starts where the codes are.")
ista_step.wrong("a gradient of the mean over the samples", replace=("(A @ Z - X), eta", "(A @ Z - X) / X.shape[1], eta"),
                caught_by=ista_orthogonal, hint="The objective is a sum over the samples; each has codes of its own.")


@ista_step.right("sample by sample, in NumPy")
def _(A, X, Z, lam, eta):
    A, columns = np.asarray(A), []
    for x, z in zip(np.asarray(X).T, np.asarray(Z).T):
        v = z + 2 * eta * sum((row @ z - t) * -row for row, t in zip(A, x))
        columns.append(v - np.clip(v, -eta * lam, eta * lam))
    return np.stack(columns, axis=1)


@ista_step.right("with the Gram matrix, in two ReLUs")
def _(A, X, Z, lam, eta):
    V = (jnp.eye(A.shape[1]) - 2 * eta * (A.T @ A)) @ Z + 2 * eta * (A.T @ X)
    return jnp.maximum(V - eta * lam, 0) - jnp.maximum(-V - eta * lam, 0)


fista = Exercise(
    "ch02.fista", "FISTA: ISTA with momentum", principles=["P2.29"], label="eq:ista_update", minutes=15, level="challenge",
    objective="accelerate ISTA by extrapolating", allows=[sparse.soft_threshold, sparse.ista_step],
    hints=["Keep three things: the codes Z, the extrapolated point Y, and the number t.",
           "An ISTA step starts at Y and gives the new codes. Then t_new = (1 + sqrt(1 + 4 t^2)) / 2.",
           "The next Y lies beyond the new codes: new + (t - 1) / t_new * (new - old).",
           "The result is the last new codes, not the point beyond them."])


@fista.law("one step is ISTA's; two are as well, since t = 1 gives no momentum")
def fista_begins(f, rng):
    A, X = atoms(rng), rng.normal(size=(5, 4))
    eta, Z = 0.5 / np.linalg.norm(A, 2) ** 2, np.zeros((8, 4))
    for T in (1, 2):
        Z = shrunk(Z - 2 * eta * A.T @ (A @ Z - X), 0.4 * eta)
        close(f(A, X, 0.4, T), Z)


@fista.law("with one atom and no l1 norm, its error follows the recursion of momentum")
def fista_scalar(f, rng):
    A = np.array([[0.6, 0.0], [0.0, 2.0]])  # error of the first coordinate: multiplied by 1 - 0.36 / 4 from the point beyond
    old = new = -1.0
    t = [1.0]
    for _ in range(6):
        t.append((1 + np.sqrt(1 + 4 * t[-1] ** 2)) / 2)
    beyond = new
    for T in range(1, 6):
        old, new = new, 0.91 * beyond
        beyond = new + (t[T - 1] - 1) / t[T] * (new - old)
    close(f(A, A @ np.array([[1.0], [1.0]]), 0.0, 5), [[1 + new], [1.0]])


@fista.law("within 2 ||Z*||^2 / (eta (T + 1)^2) of the optimum, Z* optimal codes")
def fista_bound(f, rng):
    A, X, Z = optimal_pair(rng, 0.6)
    eta = 0.5 / np.linalg.norm(A, 2) ** 2
    gap = objective(A, X, np.asarray(f(A, X, 0.6, 15), dtype=float), 0.6) - objective(A, X, Z, 0.6)
    bound = 2 * (Z**2).sum() / (eta * 16**2)
    holds(gap <= bound, f"after 15 steps the objective is {gap:.3g} above its optimum, where {bound:.3g} is guaranteed")
    holds(gap >= -1e-3, "the objective is below its optimum")


fista.wrong("no momentum: ISTA", replace=("(t - 1) / t_new", "0"), caught_by=fista_scalar,
            hint="Y is the new codes plus a multiple of the last move. Which multiple?")
fista.wrong("returns the point beyond", replace=("return Z", "return Y"), caught_by=fista_scalar,
            hint="Y is where the next step would start; the codes are Z.")
fista.wrong("momentum in the other direction", replace=("(new - Z)", "(Z - new)"), caught_by=fista_scalar,
            hint="Extrapolate: go on in the direction of the last move.")
fista.wrong("t grows by one half a step", replace=("(1 + jnp.sqrt(1 + 4 * t**2)) / 2", "t + 0.5"), caught_by=fista_scalar,
            hint="That is how t grows in the long run. Here it is asked for exactly.")
fista.wrong("uses the new t in both places", replace=("(t - 1) / t_new", "(t_new - 1) / t_new"), caught_by=fista_begins,
            hint="With t = 1 at the start the first momentum is zero.")
fista.wrong("steps from the codes instead of from the point beyond",
            replace=("ista_step(A, X, Y, lam, eta)", "ista_step(A, X, Z, lam, eta)"),
            caught_by=fista_scalar, hint="Where does each ISTA step start?")


@fista.right("in NumPy, with the momentum of a list")
def _(A, X, lam, T):
    A, X = np.asarray(A, dtype=float), np.asarray(X, dtype=float)
    eta = 1 / (2 * np.linalg.eigvalsh(A @ A.T)[-1])
    path, t = [np.zeros((A.shape[1], X.shape[1]))] * 2, [0.0, 1.0]
    for _ in range(T):
        t.append(0.5 + np.sqrt(0.25 + t[-1] ** 2))
        Y = path[-1] + (t[-3] - 1) / t[-2] * (path[-1] - path[-2])
        V = Y + 2 * eta * A.T @ (X - A @ Y)
        path.append(V - np.clip(V, -eta * lam, eta * lam))
    return path[-1]


# P2.30 -----------------------------------------------------------------------------------------------------------

ista_layer = Exercise(
    "ch02.ista_layer", "ISTA as a layer of a network", principles=["P2.30"], label="eq:ista_update", minutes=8, level="more",
    objective="write a step of ISTA as one recurrent layer with ReLUs",
    hints=["Multiply out Z - 2 eta A^T (A Z - X): which matrix meets Z, which one X?",
           "Z appears twice: by itself, and as -2 eta A^T A Z.",
           "(I - 2 eta A^T A, 2 eta A^T, eta lam)."])


def layer(weights, X, Z):
    """ReLU(R Z + B X - a) - ReLU(-R Z - B X - a)."""
    R, B, a = (np.asarray(w, dtype=float) for w in weights)
    V = R @ Z + B @ X
    return np.maximum(V - a, 0) - np.maximum(-V - a, 0)


@ista_layer.law("the layer's output is the step of ISTA, whatever data and codes come in")
def layer_is_ista(f, rng):
    A, X, Z = atoms(rng), 2 * rng.normal(size=(5, 4)), rng.normal(size=(8, 4))
    close(layer(f(A, 0.7, 0.2), X, Z), shrunk(Z - 0.4 * A.T @ (A @ Z - X), 0.14))


@ista_layer.law("optimal codes go in and come out")
def layer_fixed(f, rng):
    A, X, Z = optimal_pair(rng, 0.6)
    close(layer(f(A, 0.6, 0.15), X, Z), Z)


@ista_layer.law("of orthonormal atoms with eta = 1/2 nothing recurs: the first matrix is 0")
def layer_orthogonal(f, rng):
    Q = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    R, B, a = f(Q, 0.8, 0.5)
    close(R, np.zeros((5, 5)))
    close(B, Q.T)
    close(a, 0.4)


ista_layer.wrong("forgets the codes themselves", replace=("jnp.eye(A.shape[1]) - ", "-"), caught_by=layer_orthogonal,
                 hint="Z - 2 eta A^T A Z: the first Z has a matrix too, the identity.")
ista_layer.wrong("loses the factor two at the input", replace=(", 2 * eta * A.T,", ", eta * A.T,"), caught_by=layer_orthogonal,
                 hint="The gradient carries its factor two to X as well.")
ista_layer.wrong("threshold lam", replace=("eta * lam", "lam"), caught_by=layer_fixed,
                 hint="The threshold of a step of size eta is eta lam.")
ista_layer.wrong("adds what inhibits", replace=("jnp.eye(A.shape[1]) - ", "jnp.eye(A.shape[1]) + "), caught_by=layer_is_ista,
                 hint="Atoms that explain the same part of x inhibit each other: with which sign?")


@ista_layer.right("column by column: what the layer does to unit vectors, in NumPy")
def _(A, lam, eta):
    A = np.asarray(A)
    recurrent = np.stack([e - 2 * eta * A.T @ (A @ e) for e in np.eye(A.shape[1])], axis=1)
    return recurrent, np.stack([2 * eta * row for row in A], axis=1), eta * lam


# P2.31 -----------------------------------------------------------------------------------------------------------

project_columns = Exercise(
    "ch02.project_columns", "Atoms no longer than 1", principles=["P2.31"], label="eqn:DL-overcomplete", minutes=6, level="more",
    objective="project a dictionary onto those whose atoms have length at most 1", stand_in=sparse.project_columns,
    hints=["Each column by itself: what is the point of the unit ball nearest to it?",
           "A column inside the ball stays. One outside is divided by its length.",
           "Divide every column by the larger of 1 and its length."])


def uneven(rng):
    """A dictionary (5, 8) with atoms shorter and longer than 1, one of them 0."""
    return atoms(rng) * np.array([0.3, 2.0, 1.0, 0.9, 5.0, 0.0, 1.4, 0.5])


@project_columns.law("leaves atoms of length up to 1 where they are, a zero atom too")
def project_inside(f, rng):
    A = 0.9 * uneven(rng)[:, [0, 2, 3, 5, 7]]
    close(f(A), A)


@project_columns.law("no dictionary with atoms of length at most 1 is nearer")
def project_is_nearest(f, rng):
    A = uneven(rng)
    P = np.asarray(f(A), dtype=float)
    holds((np.linalg.norm(P, axis=0) <= 1 + 1e-5).all(), "an atom is longer than 1")
    for _ in range(200):
        other = P + 0.1 * rng.normal(size=P.shape)
        other = other / np.maximum(np.linalg.norm(other, axis=0), 1 + 1e-6)
        holds(((other - A) ** 2).sum() >= ((P - A) ** 2).sum() - 1e-4, "another such dictionary is nearer")


@project_columns.law("applied twice, the same as once")
def project_again(f, rng):
    P = f(3 * uneven(rng))
    close(f(P), P)


@project_columns.law("keeps the direction of every atom")
def project_direction(f, rng):
    A = uneven(rng)
    P = f(A)
    close((P * A).sum(axis=0), np.linalg.norm(P, axis=0) * np.linalg.norm(A, axis=0))


project_columns.wrong("brings every atom to length 1",
                      replace=("jnp.maximum(jnp.linalg.norm(A, axis=0), 1)", "jnp.linalg.norm(A, axis=0)"),
                      caught_by=project_inside,
                      hint="An atom inside the ball is its own nearest point. What becomes of a zero atom?")
project_columns.wrong("looks at rows", replace=("axis=0", "axis=1, keepdims=True"), caught_by=project_is_nearest,
                      hint="Atoms are the columns of A.")
project_columns.wrong("clips the entries", replace=("A / jnp.maximum(jnp.linalg.norm(A, axis=0), 1)", "jnp.clip(A, -1, 1)"),
                      caught_by=project_direction, hint="The set is a ball, not a cube: it is the Euclidean length that counts.")
project_columns.wrong("divides by the squared length", replace=("jnp.linalg.norm(A, axis=0)", "(A**2).sum(axis=0)"),
                      caught_by=project_is_nearest, hint="How long is 2 e when divided by 4?")
project_columns.wrong("divides by the smaller of 1 and the length", replace=("jnp.maximum(", "jnp.minimum("),
                      caught_by=project_inside,
                      hint="Short atoms stay, long ones shrink. Which number do you divide each kind by?")


@project_columns.right("atom by atom, in NumPy")
def _(A):
    return np.stack([a if a @ a <= 1 else a / np.sqrt(a @ a) for a in np.asarray(A).T], axis=1)


dictionary_step = Exercise(
    "ch02.dictionary_step", "One step on the dictionary", principles=["P2.31"], label="eqn:DL-update", minutes=10,
    objective="improve a dictionary for given codes", stand_in=sparse.dictionary_step, allows=[sparse.project_columns],
    hints=["A gradient step on ||X - A Z||_F^2 in A, then every atom longer than 1 is cut to length 1.",
           "Change A by dA: the error changes by 2 <A Z - X, dA Z>. Which matrix meets dA?",
           "The gradient is 2 (A Z - X) Z^T. Go against it, nu times.",
           "Afterwards divide every column by the larger of 1 and its length: project_columns does it."])


@dictionary_step.law("inside the ball, minus nu times the gradient of the squared error")
def dictionary_gradient(f, rng):
    A, X, Z = 0.5 * atoms(rng), rng.normal(size=(5, 4)), rng.normal(size=(8, 4))
    h, gradient = 1e-5, np.zeros((5, 8))
    for place in np.ndindex(5, 8):
        E = np.zeros((5, 8))
        E[place] = h
        gradient[place] = (objective(A + E, X, Z, 0) - objective(A - E, X, Z, 0)) / (2 * h)
    nu = 0.3 / np.linalg.norm(gradient, axis=0).max()
    close(f(A, X, Z, nu), A - nu * gradient)


@dictionary_step.law("atoms of length at most 1, whatever the step")
def dictionary_ball(f, rng):
    A, X, Z = atoms(rng), 3 * rng.normal(size=(5, 4)), rng.normal(size=(8, 4))
    longest = np.linalg.norm(f(A, X, Z, 0.5), axis=0).max()
    holds(longest <= 1 + 1e-4, f"an atom has length {longest:.3g}")


@dictionary_step.law("never raises the error for nu = 1 / (2 sigma_1(Z)^2)")
def dictionary_descends(f, rng):
    A, X, Z = atoms(rng), rng.normal(size=(5, 4)), rng.normal(size=(8, 4))
    new = np.asarray(f(A, X, Z, 0.5 / np.linalg.norm(Z, 2) ** 2), dtype=float)
    gain = objective(A, X, Z, 0) - objective(new, X, Z, 0)
    bound = ((new - A) ** 2).sum() * np.linalg.norm(Z, 2) ** 2
    holds(gain >= bound * (1 - 1e-3), f"the error falls by {gain:.3g} where a step of this length gives {bound:.3g}")


@dictionary_step.law("stays where the data are reproduced")
def dictionary_fixed(f, rng):
    A, Z = 0.8 * uneven(rng)[:, [0, 2, 3, 5, 7, 0, 2, 3]], rng.normal(size=(8, 4))
    close(f(A, A @ Z, Z, 0.3), A)


@dictionary_step.law("an atom that no code uses does not move; too long, it is cut to length 1")
def dictionary_unused(f, rng):
    A, X = uneven(rng), rng.normal(size=(5, 4))
    close(f(A, X, np.zeros((8, 4)), 0.4), A / np.maximum(np.linalg.norm(A, axis=0), 1))


dictionary_step.wrong("no projection",
                      replace=("project_columns(A - 2 * nu * (A @ Z - X) @ Z.T)", "A - 2 * nu * (A @ Z - X) @ Z.T"),
                      caught_by=dictionary_ball, hint="How long are the atoms after your step? Nothing holds them.")
dictionary_step.wrong("climbs: a plus for the minus", replace=("A - 2 * nu", "A + 2 * nu"), caught_by=dictionary_descends,
                      hint="The gradient points uphill.")
dictionary_step.wrong("loses the factor two", replace=("2 * nu", "nu"), caught_by=dictionary_gradient,
                      hint="The objective has no factor one half.")
dictionary_step.wrong("brings every atom to length 1",
                      replace=("return project_columns(A - 2 * nu * (A @ Z - X) @ Z.T)",
                               "A = A - 2 * nu * (A @ Z - X) @ Z.T\n    return A / (jnp.linalg.norm(A, axis=0) + 1e-9)"),
                      caught_by=dictionary_fixed, hint="Atoms inside the ball stay as long as they are.")
dictionary_step.wrong("projects first and steps then", replace=("project_columns(A - 2 * nu * (A @ Z - X) @ Z.T)",
                      "project_columns(A) - 2 * nu * (project_columns(A) @ Z - X) @ Z.T"), caught_by=dictionary_ball,
                      hint="The step may lead out of the ball: the projection comes last.")
dictionary_step.wrong("divides by the number of samples", replace=("@ Z.T)", "@ Z.T / X.shape[1])"),
                      caught_by=dictionary_gradient,
                      hint="The objective is a sum over the samples, not a mean.")


@dictionary_step.right("sample by sample and atom by atom, in NumPy")
def _(A, X, Z, nu):
    A = np.asarray(A)
    step = sum(np.outer(x - A @ z, z) for x, z in zip(np.asarray(X).T, np.asarray(Z).T))
    return np.stack([a / max(1.0, np.sqrt(a @ a)) for a in (A + 2 * nu * step).T], axis=1)


@dictionary_step.right("with the moments of the codes")
def _(A, X, Z, nu):
    A = A - 2 * nu * (A @ (Z @ Z.T) - X @ Z.T)
    lengths = jnp.sqrt((A * A).sum(axis=0))
    return jnp.where(lengths > 1, A / jnp.where(lengths > 1, lengths, 1), A)


# P2.32 -----------------------------------------------------------------------------------------------------------

lista = Exercise(
    "ch02.lista", "Learned ISTA", principles=["P2.32"], label="sec:LISTA", minutes=8, level="more", needs_grad=True,
    objective="unroll ISTA into a network with a dictionary in each layer", stand_in=sparse.lista,
    allows=[sparse.soft_threshold, sparse.ista_step],
    hints=["Start with codes of zeros, m for each sample. Every layer is a step of ISTA with its own dictionary.",
           "`for A in As:` goes through the layers.",
           "Z = ista_step(A, X, Z, lam, eta) in each layer; the result is the Z after the last."])


def layers(rng, L=3):
    return np.stack([atoms(rng) for _ in range(L)])


@lista.law("with the same dictionary in every layer, as many steps of ISTA from zero")
def lista_is_ista(f, rng):
    A, X, Z = atoms(rng), rng.normal(size=(5, 4)), np.zeros((8, 4))
    for _ in range(3):
        Z = shrunk(Z - 0.3 * A.T @ (A @ Z - X), 0.06)
    close(f(np.stack([A, A, A]), X, 0.4, 0.15), Z)


@lista.law("for orthonormal dictionaries and eta = 1/2 only the last layer counts")
def lista_last(f, rng):
    Q = np.stack([np.linalg.qr(rng.normal(size=(5, 5)))[0] for _ in range(3)])
    X = rng.normal(size=(5, 4))
    close(f(Q, X, 0.6, 0.5), shrunk(Q[2].T @ X, 0.3))


@lista.law("changing any layer's dictionary changes the codes: each one can learn")
def lista_every_layer(f, rng):
    As, X = layers(rng), rng.normal(size=(5, 4))
    codes = np.asarray(f(As, X, 0.1, 0.15))
    for i in range(3):
        other = As.copy()
        other[i] += 0.3 * rng.normal(size=(5, 8))
        holds(np.abs(f(other, X, 0.1, 0.15) - codes).max() > 1e-3,
              f"the dictionary of layer {i + 1} has no influence on the codes")


lista.wrong("the codes before the last layer", replace=("for A in As:", "for A in As[:-1]:"), caught_by=lista_every_layer,
            hint="L dictionaries make L steps. What can the last one learn if it is never used?")
lista.wrong("one dictionary for all layers", replace=("ista_step(A,", "ista_step(As[0],"), caught_by=lista_last,
            hint="Each layer has a dictionary of its own: that is what is learned.")
lista.wrong("the layers from last to first", replace=("for A in As:", "for A in As[::-1]:"), caught_by=lista_last,
            hint="Layer 1 meets the zeros, layer L gives the result.")
lista.wrong("every layer starts from zero", replace=("ista_step(A, X, Z, lam, eta)", "ista_step(A, X, 0 * Z, lam, eta)"),
            caught_by=lista_is_ista, hint="A layer goes on from the codes of the one before.")
lista.wrong("starts from correlations", replace=("jnp.zeros((As.shape[2], X.shape[1]))", "As[0].T @ X"), caught_by=lista_is_ista,
            hint="A common start, but here the codes before the first layer are 0.")


@lista.right("written out, with jnp.where")
def _(As, X, lam, eta):
    Z = 0 * (As[0].T @ X)
    for i in range(len(As)):
        V = Z + 2 * eta * As[i].T @ (X - As[i] @ Z)
        Z = jnp.where(V > eta * lam, V - eta * lam, jnp.where(V < -eta * lam, V + eta * lam, 0))
    return Z


# P2.33 -----------------------------------------------------------------------------------------------------------

double_dictionary = Exercise(
    "ch02.double_dictionary", "Codes that are not negative", principles=["P2.33"], label="sec:LISTA", minutes=6, level="more",
    objective="exchange signs of codes for twice as many atoms", stand_in=sparse.double_dictionary,
    hints=["-2 times an atom is +2 times its negative.",
           "Positive parts go with the atoms of A, sizes of negative parts with those of -A.",
           "jnp.hstack([A, -A]) and jnp.vstack([jnp.maximum(Z, 0), jnp.maximum(-Z, 0)])."])


@double_dictionary.law("represents the same data")
def double_same(f, rng):
    A, Z = atoms(rng), rng.normal(size=(8, 4))
    A2, Z2 = f(A, Z)
    close(A2 @ Z2, A @ Z)


@double_dictionary.law("codes that are not negative, with the same l1 norm")
def double_codes(f, rng):
    A, Z = atoms(rng), rng.normal(size=(8, 4))
    Z2 = f(A, Z)[1]
    holds((Z2 >= 0).all(), "a code is negative")
    close(np.sum(Z2), np.abs(Z).sum())


@double_dictionary.law("the atoms first as they are, then with the other sign")
def double_atoms(f, rng):
    A, Z = atoms(rng), rng.normal(size=(8, 4))
    close(f(A, Z)[0], np.concatenate([A, -A], axis=1))


double_dictionary.wrong("keeps the sign of the negative part", replace=("jnp.maximum(-Z, 0)", "jnp.minimum(Z, 0)"),
                        caught_by=double_codes,
                        hint="The sign has moved into the atoms -A: the code holds the size.")
double_dictionary.wrong("sizes twice", replace=("jnp.maximum(-Z, 0)", "jnp.abs(Z)"), caught_by=double_codes,
                        hint="Of the two halves of a code at most one is not zero.")
double_dictionary.wrong("the same atoms twice", replace=("jnp.hstack([A, -A])", "jnp.hstack([A, A])"), caught_by=double_same,
                        hint="Which atom makes -2 a out of +2?")
double_dictionary.wrong("halves in the other order", replace=("jnp.vstack([jnp.maximum(Z, 0), jnp.maximum(-Z, 0)])",
                        "jnp.vstack([jnp.maximum(-Z, 0), jnp.maximum(Z, 0)])"), caught_by=double_same,
                        hint="Row j of the doubled codes belongs to column j of the doubled dictionary.")


@double_dictionary.right("from the absolute values, in NumPy")
def _(A, Z):
    A, Z = np.asarray(A), np.asarray(Z)
    return np.kron([[1.0, -1.0]], A), np.concatenate([(np.abs(Z) + Z) / 2, (np.abs(Z) - Z) / 2])


sae_from_ista = Exercise(
    "ch02.sae_from_ista", "The encoder of a sparse autoencoder", principles=["P2.33"], label="eq:sae-loss", minutes=10,
    level="more",
    objective="read the encoder of a sparse autoencoder as one step of ISTA", stand_in=sparse.sae_from_ista,
    hints=["With codes that are not negative, the soft threshold is max(. - eta lam, 0).",
           "Write z - 2 eta A^T (A z - x) - eta lam as a matrix times x plus a vector.",
           "x meets 2 eta A^T. All the rest is the bias.",
           "z - 2 * eta * A.T @ (A @ z) - eta * lam."])


@sae_from_ista.law("ReLU(W x + b) is the nonnegative step of ISTA from z, for every sample")
def sae_is_a_step(f, rng):
    A, z, X = atoms(rng), rng.uniform(0, 1, size=8), 2 * rng.normal(size=(5, 4))
    W, b = (np.asarray(p, dtype=float) for p in f(A, z, 0.5, 0.2))
    for x in X.T:
        close(np.maximum(W @ x + b, 0), np.maximum(z - 0.4 * A.T @ (A @ z - x) - 0.1, 0))


@sae_from_ista.law("from z = 0 the bias is minus eta lam in every entry")
def sae_from_zero(f, rng):
    close(f(atoms(rng), np.zeros(8), 0.5, 0.2)[1], np.full(8, -0.1))


@sae_from_ista.law("a code that represents x without a price stays as it is")
def sae_fixed(f, rng):
    A, z = atoms(rng), rng.uniform(0.1, 1, size=8)
    W, b = f(A, z, 0.0, 0.2)
    close(np.maximum(W @ (A @ z) + b, 0), z)


@sae_from_ista.law("lowers the squared error plus lam times the sum of the code, for eta = 1 / (2 sigma_1(A)^2)")
def sae_descends(f, rng):
    A, z, X = atoms(rng), rng.uniform(0, 1, size=8), rng.normal(size=(5, 4))
    W, b = (np.asarray(p, dtype=float) for p in f(A, z, 0.5, 0.5 / np.linalg.norm(A, 2) ** 2))
    for x in X.T:
        before, after = (((x - A @ c) ** 2).sum() + 0.5 * np.abs(c).sum() for c in (z, np.maximum(W @ x + b, 0)))
        holds(after <= before, f"the objective rises by {after - before:.2g}")


sae_from_ista.wrong("the transpose alone as weights", replace=("return 2 * eta * A.T,", "return A.T,"), caught_by=sae_is_a_step,
                    hint="How large is the step? It is in the weights.")
sae_from_ista.wrong("forgets what z already explains", replace=("z - 2 * eta * A.T @ (A @ z)", "z"), caught_by=sae_fixed,
                    hint="The residual of z is A z - x: the bias carries the first part.")
sae_from_ista.wrong("lam for eta lam", replace=(" - eta * lam", " - lam"), caught_by=sae_from_zero,
                    hint="The threshold of a step of size eta is eta lam.")
sae_from_ista.wrong("a bias that lets everything through", replace=(" - eta * lam", " + eta * lam"), caught_by=sae_from_zero,
                    hint="A threshold makes codes smaller.")
sae_from_ista.wrong("forgets z itself", replace=("z - 2 * eta * A.T @ (A @ z)", "-2 * eta * A.T @ (A @ z)"), caught_by=sae_fixed,
                    hint="A step goes on from z.")


@sae_from_ista.right("by probing the step, in NumPy")
def _(A, z, lam, eta):
    A, z = np.asarray(A), np.asarray(z)
    step = lambda x: z - 2 * eta * A.T @ (A @ z - x) - eta * lam
    bias = step(np.zeros(len(A)))
    return np.stack([step(e) - bias for e in np.eye(len(A))], axis=1), bias


# P2.34 -----------------------------------------------------------------------------------------------------------

layerwise_step = Exercise(
    "ch02.layerwise_step", "A layer that learns on the way", principles=["P2.34"], label="eq:ISTA-update-layerwise", minutes=8,
    level="more", objective="learn a dictionary layer by layer, without back-propagation", stand_in=sparse.layerwise_step,
    allows=[sparse.soft_threshold, sparse.ista_step, sparse.project_columns, sparse.dictionary_step],
    hints=["You have both halves: ista_step and dictionary_step.",
           "The codes move first. With which codes does the dictionary move?",
           "Z = ista_step(A, X, Z, lam, eta), then A = dictionary_step(A, X, Z, nu)."])


@layerwise_step.law("the codes take a step of ISTA with the dictionary that came in")
def layerwise_codes(f, rng):
    A, X, Z = atoms(rng), rng.normal(size=(5, 4)), rng.normal(size=(8, 4))
    close(f(A, X, Z, 0.5, 0.15, 0.1)[1], shrunk(Z - 0.3 * A.T @ (A @ Z - X), 0.075))


@layerwise_step.law("the dictionary takes a projected gradient step with the codes that go out")
def layerwise_atoms(f, rng):
    A, X, Z = uneven(rng), rng.normal(size=(5, 4)), rng.normal(size=(8, 4))
    new, codes = (np.asarray(r, dtype=float) for r in f(A, X, Z, 0.5, 0.02, 0.1))
    moved = A + 0.2 * (X - A @ codes) @ codes.T
    close(new, moved / np.maximum(np.sqrt((moved**2).sum(axis=0)), 1))


@layerwise_step.law("never raises the objective, forty layers long")
def layerwise_descends(f, rng):
    A, X, Z = atoms(rng), rng.normal(size=(5, 4)), np.zeros((8, 4))
    value = objective(A, X, Z, 0.3)
    for _ in range(40):
        A, Z = (np.asarray(r, dtype=float) for r in f(A, X, Z, 0.3, 0.5 / np.linalg.norm(A, 2) ** 2, 0.02))
        holds(objective(A, X, Z, 0.3) <= value + 1e-4, "the objective rises")
        value = objective(A, X, Z, 0.3)
    longest = np.linalg.norm(A, axis=0).max()
    holds(longest <= 1 + 1e-4, f"an atom has length {longest:.3g}")


layerwise_step.wrong("the dictionary moves with the old codes", replace=("Z_new, nu)", "Z, nu)"), caught_by=layerwise_atoms,
                     hint="The codes have just been improved. Which ones does the dictionary learn from?")
layerwise_step.wrong("no projection", replace=("dictionary_step(A, X, Z_new, nu)", "A - 2 * nu * (A @ Z_new - X) @ Z_new.T"),
                     caught_by=layerwise_atoms,
                     hint="Nothing holds the atoms: they grow, the codes shrink. (See the erratum below.)")
layerwise_step.wrong("codes from zero in every layer",
                     replace=("ista_step(A, X, Z, lam, eta)", "ista_step(A, X, 0 * Z, lam, eta)"),
                     caught_by=layerwise_codes, hint="A layer goes on from the codes of the one before.")
layerwise_step.wrong("the dictionary first",
                     replace=("Z_new = ista_step(A, X, Z, lam, eta)\n    return dictionary_step(A, X, Z_new, nu), Z_new",
                              "A = dictionary_step(A, X, Z, nu)\n    return A, ista_step(A, X, Z, lam, eta)"),
                     caught_by=layerwise_codes, hint="Forward first: the codes are computed with the dictionary as it came in.")


@layerwise_step.right("written out, in NumPy")
def _(A, X, Z, lam, eta, nu):
    A, X, Z = np.asarray(A), np.asarray(X), np.asarray(Z)
    Z = Z - 2 * eta * A.T @ (A @ Z - X)
    Z = Z - np.clip(Z, -eta * lam, eta * lam)
    A = A - 2 * nu * (A @ Z - X) @ Z.T
    return A / np.sqrt(np.maximum((A**2).sum(axis=0), 1)), Z


# P2.35 -----------------------------------------------------------------------------------------------------------

gpm_step = Exercise(
    "ch02.gpm_step", "One step for every power method", principles=["P2.35"], label="tab:power-method-summary", minutes=12,
    level="challenge", objective="see power iteration, FastICA and MSP as one step, and bound what it gains",
    hints=["Which frame U has the largest inner product sum(U * G)? For d = 1 it is g / ||g||.",
           "With the thin singular value decomposition G = P diag(s) Q^T, sum(U * G) is at most the sum of s; P Q^T attains it.",
           "The gain is the largest inner product minus the one you come from: sum(s) - sum(U * G)."])


def frame_and_gradient(rng, D=5, d=3):
    return np.linalg.qr(rng.normal(size=(D, d)))[0], rng.normal(size=(D, d))


def step_of(f, U, G):
    new, gain = f(U, G)
    return np.asarray(new, dtype=float), float(gain)


@gpm_step.law("orthonormal columns; for d = 1 the gradient brought to length 1")
def gpm_frames(f, rng):
    U, G = frame_and_gradient(rng)
    new, _ = step_of(f, U, G)
    close(new.T @ new, np.eye(3))
    close(step_of(f, U[:, :1], G[:, :1])[0], G[:, :1] / np.linalg.norm(G[:, :1]))


@gpm_step.law("no frame has a larger inner product with the gradient")
def gpm_largest(f, rng):
    U, G = frame_and_gradient(rng)
    new, _ = step_of(f, U, G)
    best = max((np.linalg.qr(rng.normal(size=(5, 3)))[0] * G).sum() for _ in range(200))
    holds((new * G).sum() >= best, "another frame has a larger inner product")
    close((new * G).sum(), np.sqrt(np.linalg.eigvalsh(G.T @ G)).sum())


@gpm_step.law("the gain is the inner product of the gradient with the move, and never negative")
def gpm_gain(f, rng):
    U, G = frame_and_gradient(rng)
    new, gain = step_of(f, U, G)
    close(gain, (G * (new - U)).sum())
    holds(gain >= 0, "the gain is negative")
    close(step_of(f, new, G)[1], 0.0)


@gpm_step.law("for the convex f(U) = sum(|X^T U|^4) / (4 N) the objective rises by at least the gain")
def gpm_ascends(f, rng):
    U, X = frame_and_gradient(rng)[0], rng.normal(size=(5, 60)) ** 3
    value = lambda U: ((X.T @ U) ** 4).sum() / 240
    for _ in range(4):
        new, gain = step_of(f, U, X @ (X.T @ U) ** 3 / 60)
        holds(value(new) - value(U) >= gain * (1 - 1e-3) - 1e-5 * (1 + value(new)), "the objective rises by less than the gain")
        U = new


gpm_step.wrong("QR for the polar factor", replace=("P @ Qt", "jnp.linalg.qr(G)[0]"), caught_by=gpm_largest,
               hint="QR keeps the direction of the first column and turns the others. Which frame is nearest to G as a whole?")
gpm_step.wrong("each column brought to length 1", replace=("P @ Qt", "G / jnp.linalg.norm(G, axis=0)"), caught_by=gpm_frames,
               hint="Columns of length 1 need not be orthogonal.")
gpm_step.wrong("the Frobenius norm for the sum of singular values", replace=("s.sum()", "jnp.linalg.norm(G)"), caught_by=gpm_gain,
               hint="What is sum(P Q^T * G)? Put in G = P diag(s) Q^T.")
gpm_step.wrong("the largest singular value only", replace=("s.sum()", "s[0]"), caught_by=gpm_gain,
               hint="Every column of the frame gains: what is the trace of diag(s)?")
gpm_step.wrong("the inner product itself for the gain", replace=(" - (U * G).sum()", ""), caught_by=gpm_gain,
               hint="How much was there before the step?")
gpm_step.wrong("the transpose of a factor", replace=("P @ Qt", "P @ Qt.T"), caught_by=gpm_largest,
               hint="numpy's svd returns the right factor transposed already.")


@gpm_step.right("through the inverse root of G^T G, in NumPy")
def _(U, G):
    G = np.asarray(G, dtype=float)
    squares, Q = np.linalg.eigh(G.T @ G)
    new = G @ (Q / np.sqrt(squares)) @ Q.T
    return new, (G * (new - np.asarray(U))).sum()
