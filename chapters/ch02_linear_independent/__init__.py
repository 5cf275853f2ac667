"""Chapter 2: learning linear and independent structures."""

KEY = "ch02"
TITLE = "Chapter 2: Linear and independent structures"

PRINCIPLES = [f"P2.{n}" for n in range(1, 14)]  # of the first half: one low-dimensional subspace

# Every letter of a stub: its shape and its meaning. The order is the order of arguments in stubs and kernels.
LETTERS = {
    "key": ("key", "random key of JAX"),
    "U": ("(D, d)", "orthonormal basis of a subspace: U.T @ U = I"),
    "V": ("(D, d)", "another basis; the columns that an iteration starts from"),
    "W1": ("(d, D)", "encoder of a linear autoencoder"),
    "W2": ("(D, d)", "decoder of a linear autoencoder"),
    "M": ("(D, D)", "symmetric matrix; a second moment where it is positive semidefinite"),
    "M_hat": ("(D, D)", "symmetric matrix, M with an error"),
    "Y": ("(D, N)", "observed entries of a matrix"),
    "mask": ("(D, N)", "which entries are observed"),
    "X": ("(D, N)", "data, one sample per column"),
    "x": ("(D,)", "one sample"),
    "Z": ("(d, N)", "codes, one per column"),
    "E": ("(D, N)", "noise, one vector per column"),
    "u": ("(D,)", "unit vector that an online method carries along"),
    "v": ("(D,)", "vector that a power method carries along"),
    "S": ("(d,)", "variances of the codes"),
    "eigenvalues": ("(D,)", "eigenvalues, in descending order"),
    "sigma": ("float", "standard deviation of the noise"),
    "gamma": ("float", "gain of an online step"),
    "d": ("int", "dimension of the subspace"),
    "r": ("int", "rank"),
    "T": ("int", "number of steps"),
}

# Slips of index or notation, for the page of errata; those that change mathematics stand in the lesson.
ERRATA = [
    ("[[eq:power_iteration]]", "the start is drawn from a normal law whose covariance is the all-ones matrix", "its covariance is the identity"),
    ("[[subsec:power iterations]], proof", "the product of norms runs over s = 1, ..., t", "it runs over s = 0, ..., t - 1"),
    ("[[subsec:power iterations]], deflation", "the first iterate v_1 is deflated", "the converged unit eigenvector w_1 is"),
]
