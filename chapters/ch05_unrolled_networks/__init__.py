"""Chapter 5: networks whose layers are steps of an optimisation."""

KEY = "ch05"
TITLE = "Chapter 5: Deep representations as unrolled optimisation"

PRINCIPLES = [f"P5.{n}" for n in (*range(1, 6), 14, 15, 17, 18, 21, 22, *range(28, 32))]

# Every letter of a stub: its shape and its meaning. The order is the order of arguments in stubs and kernels.
LETTERS = {
    "key": ("key", "random key of JAX"),
    "runs": ("(n, d, n)", "outputs for the first 1, ..., n tokens of a sequence: runs[i - 1] has its first i columns filled"),
    "power": ("(K, p)", "sums over tokens of Pi w^2, one for each coordinate of each head"),
    "mass": ("(K,)", "sums over tokens of Pi, one for each head"),
    "count": ("int", "number of tokens so far"),
    "X": ("(D, N)", "data, one sample per column"),
    "x": ("(d,)", "one signal of length d"),
    "X_new": ("(D, M)", "other data"),
    "Z": ("(d, N) or (d, n)", "features of N samples, or the n tokens of one input, one per column"),
    "Z_new": ("(d, M)", "features of other samples"),
    "Zs": ("(N, m, d)", "N signals of m channels: channel c of signal i is Zs[i, c]"),
    "H": ("(d, N)", "direction in which features are changed, or a gradient"),
    "z": ("(d,)", "one feature, token or signal"),
    "V": ("(m, d)", "one signal of m channels"),
    "labels": ("(N,) or (n,)", "class of every sample or token, 0 to K - 1"),
    "membership": ("(K, N) or (K, n) or (K, M)", "share of every column in every class or head: the K shares of a column add up to 1"),
    "E": ("(d, d)", "expansion operator"),
    "C": ("(K, d, d)", "compression operators, one per class"),
    "U": ("(K, d, p)", "orthonormal bases of K subspaces, the heads: U[k].T @ U[k] = I"),
    "mu": ("(d, K)", "means of K clusters of tokens, one per column"),
    "D": ("(d, d)", "dictionary: a code is sought with tokens = D @ code"),
    "W": ("(p, n)", "tokens as one head sees them, U[k].T @ Z"),
    "w": ("(p,) or (n,)", "one token as a head sees it, or one coordinate of it for n tokens"),
    "share": ("(n,)", "shares of n tokens in one head"),
    "Q": ("(d, d)", "orthogonal matrix"),
    "A": ("(n, n)", "square matrix"),
    "S": ("(d, d)", "symmetric positive semidefinite matrix"),
    "e": ("(d,)", "kernel of a circular convolution"),
    "kernels": ("(m, d) or (K, d)", "kernels of circular convolutions, one per channel or class"),
    "kernel": ("(m, m, d)", "kernel of a multichannel convolution: kernel[a, b] takes channel b to channel a"),
    "gamma": ("(K,)", "share of every class in all samples"),
    "alpha": ("float", "factor of Z Z^T in a coding rate: d / (N eps^2), or p / (n eps^2) for a head"),
    "eta": ("float", "step size"),
    "kappa": ("float", "step size of compression"),
    "tau": ("float", "threshold, or step of token statistics, as the exercise says"),
    "c": ("float", "factor in f(x) = log(1 + c x)"),
    "eps": ("float", "distortion: root of the mean squared error, summed over the coordinates"),
    "lam": ("float", "weight of the l1 norm, or inverse temperature of a membership, as the exercise says"),
    "sigma": ("float", "standard deviation of noise"),
    "delta": ("float", "size of the noise in the other subspaces"),
    "temperature": ("float", "temperature of a softmax"),
    "L": ("int", "number of layers"),
    "T": ("int", "number of steps"),
    "N": ("int", "number of samples"),
    "n": ("int", "number of tokens"),
    "d": ("int", "dimension of features or tokens"),
    "K": ("int", "number of classes or heads"),
    "p": ("int", "dimension of one head"),
    "k": ("int", "number of a class, a head or a token"),
    "r": ("int", "dimension of the span of the data"),
    "N_k": ("int", "number of samples of one class"),
}

# Slips of index or notation, for the page of errata; those that change mathematics stand in the lesson.
ERRATA = [
    ("below [[prop:circular-conv-1]]", "the convolution of e and z is written out with entries of x", "with entries of z"),
    ("[[eqn:W-multichannel]] and above", "the vector of all channels is written as a row", "a column in R^(dC): transposed"),
    ("[[prop:multichannel-circular-conv-1]]", "signals in R^(C x n)", "R^(C x d)"),
    ("[[fig:samples-invariant-1d-mnist-diagram]], [[fig:redu-invariant-1d-mnist-diagram]]", "captions of panels belong to other panels; m samples", "see the panels; N = 100"),
    ("[[sec:causal-crate]], third display", "the rate of all heads is written R(Z_{1:i} | U)", "R^c_eps(Z_{1:i} | U), as in [[eq:rate-gradient]]"),
]
