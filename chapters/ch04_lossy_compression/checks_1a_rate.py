"""Exercises of Part 1's first half: entropy of samples, quantisers, divergence and information, rate-distortion functions."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from book_utils import rate_distortion
from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds


def shares(rng, *shape):
    """Probabilities of this shape, none of them tiny."""
    p = rng.uniform(0.2, 1, size=shape)
    return p / p.sum()


def entropy_of(p):
    """Entropy in nats of probabilities of any shape, by its definition. Float64."""
    p = np.asarray(p, dtype=float).ravel()
    return -sum(value * math.log(value) for value in p if value > 0)


def information_of(joint):
    """H(x) + H(y) - H(x, y) of a table. Float64."""
    joint = np.asarray(joint, dtype=float)
    return entropy_of(joint.sum(axis=1)) + entropy_of(joint.sum(axis=0)) - entropy_of(joint)


# P4.1

sample_entropy = Exercise(
    "ch04.sample_entropy", "The entropy of samples", principles=["P4.1"], label="eg:measures-of-complexity",
    minutes=6, level="more",
    objective="compute the entropy of samples, and see that it knows nothing of where they lie",
    hints=["How often does the symbol of sample i come? Count the columns that are equal to column i.",
           "X[:, :, None] == X[:, None, :] compares every two columns, entry by entry; .all(axis=0) asks for all entries.",
           "With s_i for the share of samples equal to sample i, the entropy is minus the mean of log s_i over the samples."])


def scattered(rng):
    """Twelve different samples (2, 12), of which some share one coordinate."""
    return np.stack([np.tile(rng.permutation(4), 3), np.repeat(rng.permutation(3), 4)]) / 4.0


@sample_entropy.law("log N for N different samples, though some have a coordinate in common")
def atoms_of_equal_weight(f, rng):
    close(f(scattered(rng)), math.log(12))


@sample_entropy.law("of samples that come six, four and two times: the entropy of 1/2, 1/3, 1/6")
def atoms_with_multiplicity(f, rng):
    three = np.repeat(rng.normal(size=(2, 3)), [6, 4, 2], axis=1)
    close(f(rng.permutation(three, axis=1)), math.log(2) / 2 + math.log(3) / 3 + math.log(6) / 6)


@sample_entropy.law("0 where all samples are equal")
def atoms_in_one_place(f, rng):
    close(f(np.repeat(rng.normal(size=(2, 1)), 12, axis=1)), 0)


@sample_entropy.law("blind to geometry: the same when samples are moved about and none meets another")
def atoms_moved(f, rng):
    X = np.concatenate([scattered(rng)[:, :9], np.ones((2, 3))], axis=1)
    for squeezed in (X**3 + 2 * X, 1e-3 * X, np.float32([[1.0], [-5.0]]) * X):
        close(f(squeezed), math.log(12) - math.log(3) / 4)


sample_entropy.wrong("divided by N", replace=("-np.mean(np.log(share))", "-np.mean(np.log(share)) / len(share)"),
                     caught_by=atoms_of_equal_weight,
                     hint="(1/N) log N is no entropy: eight equally likely symbols need three bits, not 3/8 of one.")
sample_entropy.wrong("in bits", replace=("np.log(", "np.log2("), caught_by=atoms_of_equal_weight,
                     hint="Nats are asked for: the natural logarithm.")
sample_entropy.wrong("log N whatever comes twice", replace=("-np.mean(np.log(share))", "np.log(len(share))"),
                     caught_by=atoms_with_multiplicity, hint="Equal samples are one symbol, with a larger probability.")
sample_entropy.wrong("log of the number of different samples",
                     replace=("-np.mean(np.log(share))", "np.log(np.sum(1 / same.sum(axis=1)))"),
                     caught_by=atoms_with_multiplicity, hint="That is the entropy if all symbols were equally likely. Are they?")
sample_entropy.wrong("adds up over samples", replace=("np.mean(np.log(share))", "np.sum(share * np.log(share))"),
                     caught_by=atoms_with_multiplicity,
                     hint="A symbol that comes six times stands in your sum six times, each time with its full weight.")
sample_entropy.wrong("one equal coordinate is enough", replace=(".all(axis=0)", ".any(axis=0)"), caught_by=atoms_of_equal_weight,
                     hint="Columns are equal if all of their entries are.")


@sample_entropy.right("counting in a dictionary")
def _(X):
    columns, counts = [tuple(float(v) for v in column) for column in np.asarray(X).T], {}
    for column in columns:
        counts[column] = counts.get(column, 0) + 1
    return sum(n / len(columns) * np.log(len(columns) / n) for n in counts.values())


@sample_entropy.right("with numpy.unique")
def _(X):
    p = np.unique(np.asarray(X), axis=1, return_counts=True)[1] / X.shape[1]
    return -np.sum(p * np.log(p))


# P4.2

quantize = Exercise(
    "ch04.quantize", "The quantiser", principles=["P4.2"], label="eg:two-inrational", minutes=6, level="more",
    objective="code numbers with b bits each, at the least mean squared error",
    hints=["How many cells are there, and in which of them, counted from 0, does x lie? jnp.floor rounds down.",
           "x = 1 would start a cell of its own; it belongs to the last one, number 2^b - 1. jnp.minimum.",
           "The middle of cell number c is (c + 1/2) / 2^b."])

FINE = 4096


def spread_out():
    """4096 numbers, evenly in the middles of as many cells of [0, 1]."""
    return (np.arange(FINE) + 0.5) / FINE


@quantize.law("of mean squared error 4^-b / 12 for x uniform on [0, 1]")
def quantize_error(f, rng):
    x = spread_out()
    for b in (0, 1, 3, 5):
        errors = x - np.asarray(f(x, b), dtype=float)
        close(12 * 4.0**b * np.mean(errors**2), 1 - (2**b / FINE) ** 2)  # exact for numbers that are evenly spread


@quantize.law("takes exactly 2^b values, the middles of equal cells")
def quantize_values(f, rng):
    for b in (1, 4):
        values = np.unique(np.asarray(f(rng.permutation(spread_out()), b), dtype=float).round(6))
        holds(len(values) == 2**b, f"{len(values)} values for b = {b}")
        close(values, np.arange(1, 2 ** (b + 1), 2) / 2 ** (b + 1))


@quantize.law("1 lies in the last cell, and a left end in the cell that it begins")
def quantize_ends(f, rng):
    x = np.concatenate([np.ones(FINE // 2), np.tile(np.arange(8) / 8, FINE // 16)])
    close(f(x, 3)[: FINE // 2], np.full(FINE // 2, 15 / 16))
    close(f(x, 3)[FINE // 2:], np.tile(np.arange(8) / 8 + 1 / 16, FINE // 16))


@quantize.law("leaves a code word alone")
def quantize_twice(f, rng):
    once = np.asarray(f(rng.uniform(size=FINE), 5), dtype=float)
    close(f(once, 5), once)


quantize.wrong("the left end for the middle", replace=("(cell + 0.5)", "cell"), caught_by=quantize_error,
               hint="Your mean squared error is four times that of the middle: x is always to the right of your word.")
quantize.wrong("rounds to the nearest multiple of 2^-b",
               replace=("jnp.minimum(jnp.floor(n * x), n - 1)", "jnp.round(n * x) - 0.5"), caught_by=quantize_values,
               hint="As good inside, but how many words are there? One too many for b bits.")
quantize.wrong("a cell of its own for 1", replace=("jnp.minimum(jnp.floor(n * x), n - 1)", "jnp.floor(n * x)"),
               caught_by=quantize_ends, hint="What becomes of x = 1? There is no word to the right of the last cell.")
quantize.wrong("2 b cells", replace=("2**b", "2 * b + (b == 0)"), caught_by=quantize_error,
               hint="b binary digits tell how many cells apart?")
quantize.wrong("one cell too few", replace=("n = 2**b", "n = 2**b - (b > 0)"), caught_by=quantize_values,
               hint="2^b cells have 2^b + 1 ends. Count the cells.")


@quantize.right("the nearest of all words, in NumPy")
def _(x, b):
    words = (np.arange(2**b) + 0.5) / 2**b
    ends = np.arange(1, 2**b) / 2**b
    return words[np.searchsorted(ends, np.asarray(x), side="right")]


bits_for = Exercise(
    "ch04.bits_for", "How many bits for eps?", principles=["P4.2"], label="sub:rate-dist", minutes=6, level="more",
    objective="say how many bits a given accuracy costs, with the error summed over the coordinates",
    hints=["The error of D coordinates with b bits each is D 4^(-b) / 12. Where is it eps^2?",
           "4^b = D / (12 eps^2), so b is half of a logarithm to base 2, rounded up.",
           "A large eps would give a negative b; then no bit is needed at all.",
           "The result is D times that b."])


@bits_for.law("enough for eps, where one bit a coordinate less is not: by the errors of the quantiser itself")
def bits_are_enough(f, rng):
    x = spread_out()
    error = [np.mean((x - (np.floor(2**b * x) + 0.5) / 2**b) ** 2) for b in range(9)]  # of one coordinate
    for D, eps in ((1, 0.02), (3, 0.11), (3, 0.03), (20, 0.7), (20, 0.15)):
        b = float(np.asarray(f(eps, D))) / D
        holds(abs(b - round(b)) < 1e-4, f"{D} coordinates cannot share {b * D:.4g} bits equally")
        holds(D * error[round(b)] <= eps**2, f"for eps = {eps} and D = {D} the error is too large")
        holds(b < 0.5 or D * error[round(b) - 1] > eps**2, f"for eps = {eps} and D = {D} fewer bits do")


@bits_for.law("one bit more for each coordinate for half the eps, 0 for a large one")
def bits_halving(f, rng):
    for D in (1, 3, 20):
        eps = float(rng.uniform(0.01, 0.02))
        close(float(np.asarray(f(eps / 2, D))) - float(np.asarray(f(eps, D))), D)
        close(f(D / 2, D), 0)


@bits_for.law("b bits a coordinate, exactly, where eps^2 is D 4^-b / 12")
def bits_at_the_corner(f, rng):
    for b in (0, 1, 3, 7):
        close(f(math.sqrt(3 * 4.0**-b / 12), 3), 3 * b)


bits_for.wrong("eps is not squared", replace=("eps**2", "eps"), caught_by=bits_are_enough,
               hint="eps is the root of the mean squared error; the error itself is D 4^-b / 12.")
bits_for.wrong("eps for each coordinate", replace=("(D / (12 * eps**2))", "(1 / (12 * eps**2))"), caught_by=bits_are_enough,
               hint="The squared errors of all D coordinates together may be eps^2.")
bits_for.wrong("bits of one coordinate", replace=("D * max(b", "max(b"), caught_by=bits_halving,
               hint="How many coordinates get b bits?")
bits_for.wrong("eps as the largest error", replace=("D / (12 * eps**2)", "D / (4 * eps**2)"), caught_by=bits_are_enough,
               hint="Half a cell is the largest error. Its mean square is smaller: a third of the square of that.")
bits_for.wrong("rounds down", replace=("np.ceil(", "np.floor("), caught_by=bits_are_enough,
               hint="With fewer bits the error is too large.")
bits_for.wrong("natural logarithm", replace=("np.log2(", "np.log("), caught_by=bits_halving, hint="Bits count halvings.")
bits_for.wrong("fewer than no bits", replace=("max(b, 0.0)", "b"), caught_by=bits_halving,
               hint="Where eps is large, one word is enough, and costs 0.")


@bits_for.right("by trying one b after another")
def _(eps, D):
    b = 0
    while D * 4.0**-b / 12 > eps**2 * (1 + 1e-4):
        b += 1
    return float(D * b)


# P4.3

kl_divergence = Exercise(
    "ch04.kl_divergence", "Divergence", principles=["P4.3"], label="eq:mutual-information", minutes=6, level="more",
    objective="compute a divergence, with zeros where zeros belong and infinity where infinity belongs",
    hints=["The sum of p_i log(p_i / q_i), over the symbols that come at all.",
           "Where p_i = 0, let the ratio be 1: its logarithm is 0, and so is the term. jnp.where.",
           "Division by a q_i that is 0 gives jnp.inf by itself if p_i > 0, and so do its logarithm and the sum."])


@kl_divergence.law("what coding p with the words of q costs above the entropy of p")
def kl_by_code_lengths(f, rng):
    p, q = shares(rng, 5), shares(rng, 5)
    lengths = np.array([math.log(1 / value) for value in q])
    close(f(p, q), p @ lengths - entropy_of(p))


@kl_divergence.law("not negative, and 0 for p = q")
def kl_gibbs(f, rng):
    for _ in range(10):
        p, q = rng.dirichlet(np.full(5, 0.7)), rng.dirichlet(np.full(5, 0.7))
        holds(float(np.asarray(f(p, q))) > -1e-6, "it is negative")
        close(f(p, p), 0)


@kl_divergence.law("0 log 0 = 0: symbols that never come change nothing")
def kl_zeros(f, rng):
    p, q = shares(rng, 3), shares(rng, 5)
    expected = sum(a * math.log(a / b) for a, b in zip(p, q))
    close(f(np.pad(p, (0, 2)), q), expected)
    close(f(np.array([0.5, 0, 0.5, 0, 0]), np.array([0.25, 0.75, 0, 0, 0]) * [1, 0, 0, 0, 0] + [0, 0, 0.75, 0, 0]),
          math.log(2) / 2 + math.log(2 / 3) / 2)


@kl_divergence.law("infinite where something comes for which q has no word")
def kl_mismatch(f, rng):
    close(f(np.array([0.4, 0.3, 0.2, 0.1, 0]), np.array([0.5, 0.5, 0, 0, 0])), np.inf)


@kl_divergence.law("adds up for independent pairs")
def kl_of_pairs(f, rng):
    p, q = shares(rng, 2), shares(rng, 2)
    pad = lambda a: np.pad(a, (0, 5 - len(a)))
    close(f(pad(np.outer(p, p).ravel()), pad(np.outer(q, q).ravel())), 2 * float(np.asarray(f(pad(p), pad(q)))))


kl_divergence.wrong("arguments swapped",
                    replace=("jnp.where(p > 0, p, 1) / jnp.where(p > 0, q, 1)",
                             "jnp.where(p > 0, q, 1) / jnp.where(p > 0, p, 1)"),
                    caught_by=kl_gibbs, hint="Your result is never positive: the ratio stands upside down.")
kl_divergence.wrong("the mean under q", replace=("jnp.sum(p *", "jnp.sum(q *"), caught_by=kl_by_code_lengths,
                    hint="Samples come from p; q only says which words they get.")
kl_divergence.wrong("in bits", replace=("jnp.log(", "jnp.log2("), caught_by=kl_by_code_lengths,
                    hint="Your answer is 1.4427 times what is wanted: nats have the natural logarithm.")
kl_divergence.wrong("a large number for infinity",
                    replace=("jnp.where(p > 0, q, 1)", "jnp.where(p > 0, jnp.maximum(q, 1e-12), 1)"),
                    caught_by=kl_mismatch, hint="No word is no word: the cost is infinite, not 12 digits.")
kl_divergence.wrong("leaves out symbols without a word", replace=("jnp.where(p > 0, q, 1)", "jnp.where(q > 0, q, 1)"),
                    caught_by=kl_mismatch, hint="Only where p_i = 0 does a term count as 0.")
kl_divergence.wrong("zeros are not treated", replace=("jnp.where(p > 0, p, 1) /", "p /"), caught_by=kl_zeros,
                    hint="What does the computer make of 0 * log(0)?")
kl_divergence.wrong("symmetric", replace=("jnp.sum(p *", "jnp.sum((p - q) *"), caught_by=kl_by_code_lengths,
                    hint="That is KL(p || q) + KL(q || p), Jeffreys's divergence.")


@kl_divergence.right("symbol by symbol")
def _(p, q):
    total = 0.0
    for a, b in zip(np.asarray(p, dtype=float), np.asarray(q, dtype=float)):
        if a > 0:
            total += a * np.log(a / b) if b > 0 else np.inf
    return total


@kl_divergence.right("as a difference of two logarithms, in JAX")
def _(p, q):
    log_q = jnp.where(p > 0, jnp.log(q), 0)
    return jnp.sum(jax.scipy.special.xlogy(p, p) - p * log_q)


mutual_information = Exercise(
    "ch04.mutual_information", "Mutual information", principles=["P4.3"], label="eq:mutual-information", minutes=10,
    stand_in=rate_distortion.mutual_information,
    objective="compute from a table of joint probabilities how much one symbol says about another",
    hints=["First the two margins: P.sum(axis=1) is the law of x, P.sum(axis=0) that of y.",
           "If x and y were independent, entry (i, j) would be their product: P.sum(axis=1, keepdims=True) * P.sum(axis=0).",
           "Then the divergence of that table from P: the sum of P log(P / product), where P > 0.",
           "Where P is 0 let the ratio be 1, numerator and denominator: jnp.where(P > 0, P, 1) and the same with the product."])


@mutual_information.law("0 where x and y are independent")
def information_of_independent(f, rng):
    close(f(np.outer(shares(rng, 4), shares(rng, 6))), 0)


@mutual_information.law("for y = g(x), the entropy of y: all of it is about x")
def information_of_function(f, rng):
    p, P = shares(rng, 4), np.zeros((4, 6))
    P[np.arange(4), [5, 2, 2, 0]] = p
    close(f(P), entropy_of([p[0], p[1] + p[2], p[3]]))


@mutual_information.law("H(x) less the mean entropy of x once y is known")
def information_by_conditioning(f, rng):
    P = rng.dirichlet(np.full(24, 0.6)).reshape(4, 6)
    known = sum(column.sum() * entropy_of(column / column.sum()) for column in P.T)
    close(f(P), entropy_of(P.sum(axis=1)) - known)


@mutual_information.law("the same from y to x, and blind to the order of symbols")
def information_is_symmetric(f, rng):
    P, pad = shares(rng, 4, 4), [(0, 0), (1, 1)]
    shuffled = P[rng.permutation(4)][:, rng.permutation(4)]
    close(f(np.pad(P.T, pad)), information_of(P))
    close(f(np.pad(shuffled, pad)), information_of(P))


@mutual_information.law("unchanged by symbols that never come")
def information_with_zeros(f, rng):
    P = np.zeros((4, 6))
    P[1:3, 2:5] = shares(rng, 2, 3)
    close(f(P), information_of(P))


mutual_information.wrong("in bits", replace=("jnp.log(", "jnp.log2("), caught_by=information_of_function,
                         hint="Your answer is 1.4427 times what is wanted: nats have the natural logarithm.")
mutual_information.wrong("the divergence the other way round", replace=("jnp.sum(P * jnp.log(ratio))",
                         "-jnp.sum(jnp.where(P > 0, independent, 0) * jnp.log(ratio))"), caught_by=information_by_conditioning,
                         hint="Pairs come with the probabilities P, and so the mean is taken under P.")
mutual_information.wrong("compares with the law of y alone", replace=("P.sum(axis=1, keepdims=True) * P.sum(axis=0)",
                         "jnp.ones_like(P) * P.sum(axis=0)"), caught_by=information_of_independent,
                         hint="That gives -H(x|y). The independent pair has the product of both margins.")
mutual_information.wrong("the entropy of the pair",
                         replace=("P.sum(axis=1, keepdims=True) * P.sum(axis=0)", "jnp.ones_like(P) / P.size"),
                         caught_by=information_of_independent,
                         hint="You compare with all pairs equally likely. Independent pairs have the margins of P.")
mutual_information.wrong("zeros are not treated", replace=("jnp.where(P > 0, P, 1) /", "P /"), caught_by=information_of_function,
                         hint="What does the computer make of 0 * log(0)?")
mutual_information.wrong("a mean over the table", replace=("jnp.sum(P * jnp.log(ratio))", "jnp.mean(P * jnp.log(ratio))"),
                         caught_by=information_by_conditioning, hint="The weights P already add up to 1.")
mutual_information.wrong("something small added in the logarithm",
                         replace=("jnp.where(P > 0, P, 1) / jnp.where(P > 0, independent, 1)",
                                  "(P + 0.001) / (independent + 0.001)"),
                         caught_by=information_by_conditioning,
                         hint="That avoids the NaN and changes all other terms. Only the zeros need another number.")


@mutual_information.right("three entropies, in NumPy")
def _(P):
    P = np.asarray(P, dtype=float)
    H = lambda p: -sum(v * np.log(v) for v in p.ravel() if v > 0)
    return H(P.sum(axis=1)) + H(P.sum(axis=0)) - H(P)


@mutual_information.right("column by column, in JAX")
def _(P):
    px, total = P.sum(axis=1), 0.0
    for column in jnp.asarray(P).T:
        given = column / jnp.where(column.sum() > 0, column.sum(), 1)
        ratio = jnp.where(given > 0, given, 1) / jnp.where(given > 0, px, 1)
        total = total + column.sum() * jnp.sum(given * jnp.log(ratio))
    return total


information_chain = Derivation(
    "ch04.information_chain", "From divergence to entropies", principles=["P4.3"], label="eq:mutual", minutes=8, level="more",
    objective="derive that information is the uncertainty that goes when y is seen",
    stages=[Stage("made of entropies, with px, py and P, and no logarithm",
                  uses={"H", "px", "py", "P"}, without={"log", "given"}),
            Stage("with py and the conditional probabilities in place of the entropy of P", uses={"H", "py", "given", "log"})],
    hints=["The logarithm of a quotient of three factors is a sum of three logarithms: three sums over the table.",
           "Summed over the columns, P is px: the sum of P log px is the sum of px log px, minus an entropy.",
           "P = py * given, so H(P) = H(py) - np.sum(P * np.log(given)).",
           "H(px) + H(py) - H(P), then H(px) + H(py) - (H(py) - np.sum(P * np.log(given)))"])


@information_chain.instance
def _(rng):
    return dict(P=shares(rng, 3, 5))


information_chain.wrong("a plus too many",
                        replace=("- np.sum(P * np.log(px)) -", "+ np.sum(P * np.log(px)) -"), caught_by="equal",
                        hint="px stands in the denominator.")
information_chain.wrong("adds the entropy of the pair",
                        replace=("H(px) + H(py) - H(P)", "H(px) + H(py) + H(P)"), caught_by="equal",
                        hint="np.sum(P * np.log(P)) is minus an entropy.")
information_chain.wrong("logarithms of margins weighted with margins of the other", caught_by="equal",
                        replace=("np.sum(P * np.log(px))", "np.sum(py) * np.sum(np.log(px)) / 5"),
                        hint="Every log px_i is weighted with row i of P.")
information_chain.wrong("given weighted with itself", replace=("(H(py) - np.sum(P * np.log(given)))",
                        "(H(py) - np.sum(given * np.log(given)))"), caught_by="equal",
                        hint="Pairs come with the probabilities P: the columns of given add up to 1 each.")
information_chain.wrong("forgets that y has an entropy too", replace=("H(px) + H(py) - (H(py) - np.sum(P * np.log(given)))",
                        "H(px) - (H(py) - np.sum(P * np.log(given)))"), caught_by="equal",
                        hint="The entropy of y comes in twice, with opposite signs.")
information_chain.wrong("the chain rule left out", replace=("H(px) + H(py) - (H(py) - np.sum(P * np.log(given)))",
                        "H(py) + H(px) - H(P)"), caught_by="stages",
                        hint="True, but it says the same again. What is H(P) in terms of py and given?")


@information_chain.right("with margins first")
def _(P):
    P = np.asarray(P, dtype=float)
    H = lambda p, axis=None: -np.sum(p * np.log(p), axis=axis)
    px, py = P.sum(axis=1, keepdims=True), P.sum(axis=0)  # (n, 1) and (m,)
    given = P / py  # (n, m): column j is the law of x when y is symbol j
    yield np.sum(P * np.log(P / (px * py)))
    yield H(px) + H(py) - H(P)
    yield H(px) + H(py) + np.sum(P * (np.log(py) + np.log(given)))
    yield H(px) + np.sum(P * np.log(given))
    yield H(px) - np.sum(py * H(given, axis=0))


# P4.4

blahut_arimoto = Exercise(
    "ch04.blahut_arimoto", "Blahut and Arimoto's iteration", principles=["P4.4"], label="eqn:rate-distortion-general", minutes=12,
    stand_in=rate_distortion.blahut_arimoto, needs=["ch04.mutual_information"], allows=[rate_distortion.mutual_information],
    objective="compute the rate-distortion function of any finite source",
    hints=["A round has two lines: w from q, each row divided by its sum; then q from w, as the mean of the rows under p.",
           "Taking the smallest cost of a row away from the row multiplies the numerators and their sum alike: w stays.",
           "The joint table is p[:, None] * w. Its mean cost is D, its mutual information R; use the true costs for D.",
           "w = q * likely / (likely @ q)[:, None], then q = p @ w"])


def some_source(rng):
    """Probabilities (4,) and costs (4, 6), neither symmetric nor square."""
    return shares(rng, 4), rng.uniform(0, 2, size=(4, 6))


def parts(f, *arguments):
    """Distortion, rate and conditional probabilities in float64."""
    D, R, w = f(*arguments)
    return float(np.asarray(D)), float(np.asarray(R)), np.asarray(w, dtype=float)


@blahut_arimoto.law("after one round, words in proportion to exp(-beta cost)")
def first_round(f, rng):
    (p, costs), beta = some_source(rng), 1.7
    likely = np.array([[math.exp(-beta * c) for c in row] for row in costs])
    close(f(p, costs, beta, 1)[2], likely / likely.sum(axis=1)[:, None])


@blahut_arimoto.law("the distortion and the information are those of the conditional probabilities returned")
def belongs_together(f, rng):
    (p, costs), beta = some_source(rng), 2.5
    D, R, w = parts(f, p, costs, beta, 20)
    close(w.sum(axis=1), np.ones(4))
    joint = p[:, None] * w
    close(D, (joint * costs).sum())
    close(R, information_of(joint))


@blahut_arimoto.law("for a coin with errors counted, on the curve H(p) - H(D)")
def coin_curve(f, rng):
    p = np.array([0.3, 0.7])
    for beta in (1.5, 3.0):
        D, R, _ = parts(f, p, 1 - np.eye(2), beta, 100)
        close(D, 1 / (1 + math.exp(beta)))
        close(R, entropy_of(p) - entropy_of([D, 1 - D]))


@blahut_arimoto.law("no other conditional law has a smaller R + beta D")
def none_is_better(f, rng):
    (p, costs), beta = some_source(rng), 3.0
    D, R, w = parts(f, p, costs, beta, 100)
    for mix in (0.01, 0.1, 1.0):
        for other in rng.dirichlet(np.full(6, 0.3), size=(20, 4)):
            joint = p[:, None] * ((1 - mix) * w + mix * other)
            holds(information_of(joint) + beta * (joint * costs).sum() >= R + beta * D - 1e-4, "another law has a smaller one")


@blahut_arimoto.law("the slope of the curve is -beta")
def slope_is_price(f, rng):
    p, costs, beta = shares(rng, 4), rng.uniform(1, 2, size=(4, 6)), 2.5
    costs[range(4), range(4)] -= 1  # every symbol has a word of its own, so that the curve does not end before these prices
    (D0, R0, _), (D1, R1, _) = (parts(f, p, costs, b, 100) for b in (0.8 * beta, 1.2 * beta))
    holds(0.79 * beta * (D0 - D1) < R1 - R0 < 1.21 * beta * (D0 - D1), "between two prices the slope is not between them")


@blahut_arimoto.law("for an enormous price the cheapest word, and costs added to a row change D alone")
def enormous_price(f, rng):
    (p, costs), more = some_source(rng), np.array([1.0, 0.0, 3.0, 0.5])
    D, R, w = parts(f, p, costs + more[:, None], 1e5, 20)
    close(w, np.eye(6)[costs.argmin(axis=1)])
    close(D, p @ (costs.min(axis=1) + more))


blahut_arimoto.wrong("q is never updated", replace=("q = p @ w", "q = q"), caught_by=coin_curve,
                     hint="Your words stay equally frequent. They should become as frequent as they are used.")
blahut_arimoto.wrong("forgets q in w", replace=("q * likely / (likely @ q)[:, None]", "likely / likely.sum(axis=1)[:, None]"),
                     caught_by=coin_curve, hint="A word that is used often anyway is cheap in information: q_j stands in w.")
blahut_arimoto.wrong("symbols counted alike in q", replace=("q = p @ w", "q = w.mean(axis=0)"), caught_by=coin_curve,
                     hint="How often a word is used depends on how often the symbols come.")
blahut_arimoto.wrong("the price upside down", replace=("np.exp(-beta * (", "np.exp(-(1 / beta) * ("), caught_by=first_round,
                     hint="The higher the price, the more a cost counts.")
blahut_arimoto.wrong("prefers what is expensive", replace=("np.exp(-beta * (", "np.exp(beta * -np.max(costs) + beta * ("),
                     caught_by=first_round, hint="A costly word should be rare: exp(-beta d).")
blahut_arimoto.wrong("the smallest cost of all taken away", replace=("costs.min(axis=1, keepdims=True)", "costs.min()"),
                     caught_by=enormous_price, hint="For a row whose costs are all large, exp still gives 0 everywhere.")
blahut_arimoto.wrong("normalised over the symbols", replace=("(likely @ q)[:, None]", "(q * likely).sum(axis=0)"),
                     caught_by=belongs_together, hint="Given a symbol, the probabilities of the words add up to 1: row by row.")
blahut_arimoto.wrong("counts every symbol alike in D", replace=("np.sum(joint * costs)", "np.mean(w * costs) * len(likely[0])"),
                     caught_by=belongs_together, hint="A rare symbol's cost is paid rarely.")
blahut_arimoto.wrong("the cost above the cheapest", replace=("np.sum(joint * costs)",
                     "np.sum(joint * (costs - costs.min(axis=1, keepdims=True)))"), caught_by=enormous_price,
                     hint="What was taken away for the exponential belongs to the distortion.")
blahut_arimoto.wrong("the entropy of the words for the information",
                     replace=("mutual_information(joint)", "-np.sum(q * np.log(np.maximum(q, 1e-30)))"),
                     caught_by=belongs_together,
                     hint="H(xhat) is I(x; xhat) only if the word is determined by x. Yours are random.")
blahut_arimoto.wrong("in bits", replace=("mutual_information(joint)", "mutual_information(joint) / np.log(2)"),
                     caught_by=belongs_together, hint="R is asked for in nats.")


@blahut_arimoto.right("with logarithms, in JAX")
def _(p, costs, beta, T):
    log_p, log_q = jnp.log(jnp.asarray(p))[:, None], jnp.zeros(costs.shape[1])
    for _ in range(T):
        log_w = jax.nn.log_softmax(log_q - beta * costs, axis=1)
        log_q = jax.nn.logsumexp(log_p + log_w, axis=0)
    w = jnp.exp(log_w)
    information = jnp.sum(p[:, None] * w * jnp.where(w > 0, log_w - log_q, 0))
    return jnp.sum(p @ (w * costs)), information, w


@blahut_arimoto.right("symbol by symbol")
def _(p, costs, beta, T):
    p, costs = np.asarray(p, dtype=float), np.asarray(costs, dtype=float)
    q = np.ones(costs.shape[1]) / costs.shape[1]
    for _ in range(T):
        rows = []
        for row in costs:
            weights = q * np.exp(beta * (row.min() - row))
            rows.append(weights / weights.sum())
        q = sum(a * b for a, b in zip(p, rows))
    rate = sum(a * sum(v * np.log(v / u) for v, u in zip(row, q) if v > 0) for a, row in zip(p, rows))
    return sum(a * row @ cost for a, row, cost in zip(p, rows, costs)), rate, np.array(rows)


binary_rate = Exercise(
    "ch04.binary_rate", "The rate of a coin", principles=["P4.4"], label="eqn:rate-distortion-general", minutes=10,
    level="challenge",
    objective="derive a rate-distortion function by hand",
    hints=["Given the word, x and the error say the same: H(x|xhat) = H(e|xhat) <= H(e).",
           "The rate is the entropy of the coin minus that of an error with probability D.",
           "Up to which D? If the word is always the likelier symbol, how often is it wrong?",
           "Replace D by the smaller of D and the smaller probability; keep D off 0 by something tiny."])


def least_information(p, D):
    """Minimum of I over all channels that err with probability D exactly, by trying 20,001 of them. Float64."""
    a = np.linspace(max(0, (D - p[1]) / p[0]), min(1, D / p[0]), 20_001)[1:-1]  # errors on the first symbol
    b = (D - p[0] * a) / p[1]
    joint = np.stack([p[0] * (1 - a), p[0] * a, p[1] * b, p[1] * (1 - b)])
    margins = np.stack([joint[0] + joint[2], joint[1] + joint[3]])
    terms = joint * np.log(joint / (np.array([p[0], p[0], p[1], p[1]])[:, None] * margins[[0, 1, 0, 1]]))
    return terms.sum(axis=0).min()


@binary_rate.law("no channel with that error has less information, and one has no more")
def binary_by_search(f, rng):
    p = shares(rng, 2)
    for share in (0.1, 0.4, 0.8):
        D = share * min(p)
        close(f(p, D), least_information(p, D))


@binary_rate.law("the entropy of the coin without errors")
def binary_without_errors(f, rng):
    p = shares(rng, 2)
    close(f(p, 0.0), entropy_of(p))


@binary_rate.law("0 from the smaller probability on")
def binary_zero(f, rng):
    for p in ([0.3, 0.7], [0.8, 0.2]):
        for D in (min(p), 0.4, 0.5, 0.8, 1.0):
            close(f(np.array(p), D), 0)


@binary_rate.law("the same when the symbols change places")
def binary_symmetric(f, rng):
    p = shares(rng, 2)
    close(f(p[::-1], 0.1), f(p, 0.1))
    close(f(p, 0.1), entropy_of(p) - entropy_of([0.1, 0.9]))


binary_rate.wrong("in bits", replace=("entropy(p[0]) - entropy(D)", "(entropy(p[0]) - entropy(D)) / np.log(2)"),
                  caught_by=binary_without_errors, hint="Nats are asked for.")
binary_rate.wrong("never reaches 0", replace=("min(distortion, min(p))", "distortion"), caught_by=binary_zero,
                  hint="What is the rate if the word is always the same?")
binary_rate.wrong("0 only from one half on", replace=("min(p)", "0.5"), caught_by=binary_zero,
                  hint="How often is the likelier symbol wrong, if it is always the word?")
binary_rate.wrong("the first symbol taken for the rarer", replace=("min(p)", "p[0]"), caught_by=binary_zero,
                  hint="Which symbol is the rarer one? It need not be the first.")
binary_rate.wrong("a straight line", replace=("entropy(p[0]) - entropy(D)", "entropy(p[0]) * (1 - D / min(p))"),
                  caught_by=binary_by_search,
                  hint="That is what mixing two codes gives: no error, or always the same word. One can do better.")
binary_rate.wrong("forgets the right words", replace=("-a * np.log(a) - (1 - a) * np.log(1 - a)", "-a * np.log(a)"),
                  caught_by=binary_without_errors, hint="A coin has two faces.")


@binary_rate.right("as the information of the best channel, from words back to symbols")
def _(p, distortion):
    D = min(float(distortion), float(np.min(p)))
    r = (float(p[0]) - D) / (1 - 2 * D) if D < 0.5 else 1.0  # how often the first word is used
    joint = np.array([[r * (1 - D), (1 - r) * D], [r * D, (1 - r) * (1 - D)]])
    margins = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    return sum(v * np.log(v / u) for v, u in zip(joint.ravel(), margins.ravel()) if v > 0)


# P4.6

rate_curve = Exercise(
    "ch04.rate_curve", "A rate curve", principles=["P4.6"], label="fig:1d-line", minutes=10, level="more",
    needs=["ch04.blahut_arimoto"], allows=[rate_distortion.blahut_arimoto, rate_distortion.mutual_information],
    objective="compute what a data set costs to any accuracy",
    hints=["The costs are a table (N, M) of squared distances: X[:, :, None] - C[:, None, :], squared, then summed.",
           "All N samples are equally likely: p is N times 1/N.",
           "One call of blahut_arimoto for each price; eps is the square root of the distortion it returns."])


def four_in_two_pairs():
    """Samples (2, 4) in two close pairs, and words (2, 7): the samples, the middles of the pairs, and the middle of all."""
    X = np.array([[0.0, 0.12, 2.0, 2.12], [0.0, 0.16, 1.0, 1.16]])
    middles = np.stack([X[:, :2].mean(axis=1), X[:, 2:].mean(axis=1), X.mean(axis=1)], axis=1)
    return X, np.concatenate([X, middles], axis=1)


def curve_of(f, X, C, betas):
    eps, rates = f(X, C, np.array(betas), 100)
    return np.asarray(eps, dtype=float), np.asarray(rates, dtype=float)


@rate_curve.law("log N and no error for an enormous price")
def curve_saturates(f, rng):
    eps, rates = curve_of(f, *four_in_two_pairs(), [2000.0, 1e5])
    close(rates, np.full(2, math.log(4)), tol=5)
    close(eps, np.zeros(2), tol=10)


@rate_curve.law("log 2 where one word for each pair is best, its middle, half a pair away")
def curve_of_pairs(f, rng):
    eps, rates = curve_of(f, *four_in_two_pairs(), [30.0, 40.0])
    close(rates, np.full(2, math.log(2)), tol=10)
    close(eps, np.full(2, 0.1), tol=10)


@rate_curve.law("without a price nothing is said, and every word is used equally often")
def curve_without_price(f, rng):
    X, C = four_in_two_pairs()
    eps, rates = curve_of(f, X, C, [0.0, 0.0])
    close(rates, np.zeros(2))
    close(eps, np.full(2, math.sqrt(np.mean([np.sum((x - c) ** 2) for x in X.T for c in C.T]))))


@rate_curve.law("the higher the price, the smaller the error and the higher the rate")
def curve_is_monotone(f, rng):
    X, C = four_in_two_pairs()
    eps, rates = curve_of(f, X + 0.1 * rng.normal(size=(2, 4)), C, [1.0, 60.0])
    holds(eps[1] < eps[0] and rates[1] > rates[0], "it is not so")


@rate_curve.law("twice the distances, twice eps, at a quarter of the price; unchanged when all is moved or turned")
def curve_scales(f, rng):
    X, C = four_in_two_pairs()
    Q, shift = np.linalg.qr(rng.normal(size=(2, 2)))[0], rng.normal(size=(2, 1))
    (eps, rates), (eps_2, rates_2) = curve_of(f, X, C, [1.0, 4.0]), curve_of(f, 2 * Q @ X + shift, 2 * Q @ C + shift, [0.25, 1.0])
    close(eps_2, 2 * eps)
    close(rates_2, rates)


rate_curve.wrong("distances for their squares", replace=("np.sum((X[:, :, None] - C[:, None, :]) ** 2, axis=0)",
                 "np.linalg.norm(X[:, :, None] - C[:, None, :], axis=0)"), caught_by=curve_scales,
                 hint="The limit eps^2 is on the mean squared distance: the cost is d^2, not d.")
rate_curve.wrong("eps squared for eps", replace=("return np.sqrt(D), R", "return D, R"), caught_by=curve_of_pairs,
                 hint="blahut_arimoto returns a mean squared error. eps is its root.")
rate_curve.wrong("words from the samples alone", replace=("C[:, None, :]", "X[:, None, :]"), caught_by=curve_of_pairs,
                 hint="Two close samples share a word best in the middle. The words are the columns of C.")
rate_curve.wrong("a mean over the coordinates", replace=("np.sum((X", "np.mean((X"), caught_by=curve_of_pairs,
                 hint="The squared error is summed over the coordinates, as everywhere in this chapter.")
rate_curve.wrong("in bits", replace=("return np.sqrt(D), R", "return np.sqrt(D), R / np.log(2)"), caught_by=curve_saturates,
                 hint="The rate is asked for in nats.")
rate_curve.wrong("divided by N", replace=("return np.sqrt(D), R", "return np.sqrt(D), R / len(p)"), caught_by=curve_saturates,
                 hint="For small eps the rate is log N: that of one sample, named among N. It is not shared among them.")
rate_curve.wrong("the first coordinate alone", replace=("axis=0)", "axis=0) - np.subtract.outer(X[1], C[1]) ** 2"),
                 caught_by=curve_of_pairs, hint="A squared distance has a term for every coordinate.")


@rate_curve.right("with its own iteration for all prices at once")
def _(X, C, betas, T):
    X, C, betas = (np.asarray(a, dtype=float) for a in (X, C, betas))
    costs = (X**2).sum(axis=0)[:, None] - 2 * X.T @ C + (C**2).sum(axis=0)
    costs = np.maximum(costs, 0)
    likely = np.exp(-betas[:, None, None] * (costs - costs.min(axis=1, keepdims=True)))  # (k, N, M)
    q = np.ones((len(betas), 1, C.shape[1])) / C.shape[1]
    for _ in range(T):
        w = q * likely
        w = w / w.sum(axis=2, keepdims=True)
        q = w.mean(axis=1, keepdims=True)
    ratio = np.where(w > 0, w, 1) / np.where(w > 0, q, 1)
    return np.sqrt((w * costs).mean(axis=1).sum(axis=1)), (w * np.log(ratio)).mean(axis=1).sum(axis=1)
