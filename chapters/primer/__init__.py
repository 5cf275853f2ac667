"""The primer: what a reader of the chapters needs to know of NumPy and JAX."""

KEY = "primer"
TITLE = "Primer: from NumPy to JAX in an hour"
PRINCIPLES = []
LETTERS = {  # in the one order in which arguments appear
    "key": ("key", "random key of JAX"),
    "f": ("(D,) -> ()", "function of one sample that returns one number"),
    "kernel": ("(D,), (D,) -> ()", "function of two samples that returns one number"),
    "X": ("(D, N)", "data, one sample per column"),
    "x": ("(D,)", "one sample, or one point"),
    "v": ("(D,)", "direction"),
    "lam": ("float", "threshold"),
    "h": ("float", "length of a small step"),
    "gamma": ("float", "step size of gradient descent"),
    "D": ("int", "number of features of a sample"),
    "d": ("int", "number of columns of a frame"),
    "T": ("int", "number of steps"),
}
ERRATA = []
