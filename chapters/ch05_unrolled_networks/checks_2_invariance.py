"""Exercises of Part 2: orbits of shifts, operators that are convolutions, lifting, and several channels."""

import jax.numpy as jnp
import numpy as np

from book_utils import invariance
from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds


def circ(x):
    """Shifts of x as columns, by its entries."""
    d = len(x)
    return np.array([[x[(i - j) % d] for j in range(d)] for i in range(d)])


def orbit(Zs):
    """All shifts of signals (N, m, d), channels one below the other: (m d, N d)."""
    return np.hstack([np.vstack([circ(c) for c in V]) for V in Zs])


def dense(Zs, eps):
    """E of all shifts, (m d, m d), from d N columns in m d dimensions."""
    M = orbit(Zs)
    alpha = len(M) / (M.shape[1] * eps**2)
    return alpha * np.linalg.inv(np.eye(len(M)) + alpha * M @ M.T)


def rate(Zs, eps):
    M = orbit(Zs)
    return np.linalg.slogdet(np.eye(len(M)) + len(M) / (M.shape[1] * eps**2) * M @ M.T)[1] / 2


def slope(f, Z, step=1e-5):
    """The gradient of f at Z by central differences."""
    G = np.zeros_like(Z)
    for index in np.ndindex(*Z.shape):
        e = np.zeros_like(Z)
        e[index] = step
        G[index] = (f(Z + e) - f(Z - e)) / (2 * step)
    return G


# P5.9

circulant = Exercise(
    "ch05.circulant", "All shifts of a signal", principles=["P5.9"], label="sec:shift-invariant", minutes=5, stand_in=invariance.circulant,
    objective="write the orbit of a signal as a matrix",
    hints=["np.roll(x, j) is x shifted j places down.", "Stack them as columns: np.stack(..., axis=1)."])


@circulant.law("times z it is the circular convolution of x and z, by a double sum")
def ci_sum(f, rng):
    x, z = rng.normal(size=(2, 5))
    close(np.asarray(f(x)) @ z, [sum(x[(i - j) % 5] * z[j] for j in range(5)) for i in range(5)])


@circulant.law("column 0 is the signal itself")
def ci_first(f, rng):
    x = rng.normal(size=5)
    close(np.asarray(f(x))[:, 0], x)


@circulant.law("commutes with a shift by one place")
def ci_commutes(f, rng):
    out, P = np.asarray(f(rng.normal(size=5)), dtype=float), np.roll(np.eye(5), 1, axis=0)
    close(P @ out, out @ P)


circulant.wrong("shifts as rows", replace=("axis=1", "axis=0"), caught_by=ci_sum, hint="Samples are columns. Yours is the transpose.")
circulant.wrong("shifts upwards", replace=("j) for", "-j) for"), caught_by=ci_commutes, hint="np.roll(x, j) moves entries to higher indices. Yours is a Hankel matrix: constant along the other diagonals.")
circulant.wrong("begins with the first shift", replace=("range(len(x))", "range(1, len(x) + 1)"), caught_by=ci_first, hint="The shift by 0 comes first.")


@circulant.right("powers of the shift, in JAX")
def _(x):
    x = jnp.asarray(x)
    shift = jnp.roll(jnp.eye(len(x)), 1, axis=0)
    return sum(x[j] * jnp.linalg.matrix_power(shift, j) for j in range(len(x)))


@circulant.right("by indices")
def _(x):
    i = np.arange(len(x))
    return np.asarray(x)[(i[:, None] - i) % len(x)]


# P5.10

shift_through = Derivation(
    "ch05.shift_through", "Why E commutes with shifts", principles=["P5.10"], label="prop:circular-conv-1", minutes=6, level="more",
    objective="derive from the symmetry of the data that of the operator",
    stages=[Stage("in P and M, without A", uses={"inv", "P", "M"}, without={"A"})],
    hints=["P^T is the inverse of P: P inv(A) P^T is the inverse of a product.", "P (I + alpha M M^T) P^T = I + alpha (P M)(P M)^T.",
           "P M = M P, and P P^T = I."])


@shift_through.instance
def _(rng):
    return dict(x=rng.normal(size=5), alpha=0.7)


shift_through.wrong("forgets alpha", replace=("yield inv(I + alpha * (P @ M) @ (P @ M).T)", "yield inv(I + (P @ M) @ (P @ M).T)"), caught_by="equal")
shift_through.wrong("P on the left alone", replace=("yield inv(P @ A @ P.T)", "yield inv(P @ A)"), caught_by="equal", hint="The inverse of a product of three has three factors.")
shift_through.wrong("a sign", replace=("yield inv(I + alpha * (P @ M) @ (P @ M).T)", "yield inv(I - alpha * (P @ M) @ (P @ M).T)"), caught_by="equal")


@shift_through.right("with P moved through both factors")
def _(x, alpha):
    x = np.asarray(x, dtype=float)
    I, inv = np.eye(len(x)), np.linalg.inv
    P = np.roll(I, 1, axis=0)
    M = np.stack([np.roll(x, j) for j in range(len(x))], axis=1)
    A = I + alpha * M @ M.T
    yield P @ inv(A) @ P.T
    yield inv(P @ (I + alpha * M @ M.T) @ P.T)
    yield inv(P @ P.T + alpha * M @ P @ P.T @ M.T)
    yield inv(A)


expansion_kernel = Exercise(
    "ch05.expansion_kernel", "Expansion is a convolution", principles=["P5.10"], label="prop:circular-conv-1", minutes=12,
    stand_in=invariance.expansion_kernel, objective="compute an operator that commutes with shifts by a DFT",
    hints=["circ(z) acts on each frequency by the factor z^, its transpose by the conjugate: circ(z) circ(z)^T by |z^|^2.",
           "So E has the factor alpha / (1 + alpha sum_i |z_i^|^2). The DFT of its kernel is just that.",
           "np.fft.fft(Z, axis=0) transforms every column. Back with np.fft.ifft, and the real part."])


@expansion_kernel.law("d times e * z_i is the slope of the rate of all shifts in z_i")
def ek_slope(f, rng):
    Z = rng.normal(size=(5, 2))
    G = slope(lambda Z: rate(Z.T[:, None], 0.8), Z)
    close(circ(np.asarray(f(Z, 0.8), dtype=float)) @ Z, G / 5)


@expansion_kernel.law("column 0 of the inverse of the dense matrix")
def ek_dense(f, rng):
    Z = rng.normal(size=(5, 2))
    close(f(Z, 0.8), dense(Z.T[:, None], 0.8)[:, 0])


@expansion_kernel.law("a mirror image of itself, and the same for shifted signals")
def ek_mirror(f, rng):
    Z = rng.normal(size=(5, 2))
    e = np.asarray(f(Z, 0.8))
    close(e, np.roll(e[::-1], 1))
    close(f(np.stack([np.roll(Z[:, 0], 2), Z[:, 1]], axis=1), 0.8), e)


expansion_kernel.wrong("N columns counted, not d N", replace=("alpha = 1 /", "alpha = np.shape(Z)[0] /"), caught_by=ek_slope,
                       hint="All shifts are samples: d N of them, in d dimensions. What is alpha?")
expansion_kernel.wrong("amplitudes, not powers", replace=(" ** 2", ""), caught_by=ek_dense, hint="circ(z) circ(z)^T: two factors, one the conjugate of the other.")
expansion_kernel.wrong("squares without modulus", replace=("np.abs(", "("), caught_by=ek_mirror, hint="The transpose of circ(z) has the conjugate factors.")
expansion_kernel.wrong("scaled transform", replace=("axis=0)", "axis=0, norm='ortho')"), caught_by=ek_dense,
                       hint="Factors of circ(z) are the DFT of z without any scaling.")
expansion_kernel.wrong("alpha in front forgotten", replace=("alpha / (1", "1 / (1"), caught_by=ek_dense)


@expansion_kernel.right("a linear system")
def _(Z, eps):
    d, N = np.shape(Z)
    i, Z = np.arange(d), np.asarray(Z)
    M = np.hstack([z[(i[:, None] - i) % d] for z in Z.T])
    return np.linalg.solve(N * eps**2 * np.eye(d) + M @ M.T, np.eye(d)[0])


@expansion_kernel.right("a real transform, in JAX")
def _(Z, eps):
    d, N = jnp.shape(Z)
    spectra = jnp.fft.rfft(jnp.asarray(Z), axis=0)
    return jnp.fft.irfft(1 / (N * eps**2 + jnp.sum(spectra.real**2 + spectra.imag**2, axis=1)), d)


# P5.11

shift_layer = Exercise(
    "ch05.shift_layer", "A convolutional layer", principles=["P5.11"], label="eqn:approximate-convolution", minutes=8, level="more",
    stand_in=invariance.shift_invariant_layer, objective="put convolutions and a gate of norms together to a layer that commutes with shifts",
    hints=["e * z is np.fft.ifft(np.fft.fft(e) * np.fft.fft(z)).real, and rows of kernels go at once.",
           "One norm a class, over all d entries; the softmax has K numbers.", "z + eta * (e * z - sum of the K weighted parts), then length 1."])


def layer_of(rng, K=3, d=6):
    z, e, kernels = rng.normal(size=d), rng.normal(size=d), rng.normal(size=(K, d))
    return z / np.linalg.norm(z), e, kernels, rng.uniform(0.2, 1, size=K)


@shift_layer.law("built from dense matrices, class by class")
def sl_dense(f, rng):
    z, e, kernels, gamma = layer_of(rng)
    parts = [g * circ(k) @ z for g, k in zip(gamma, kernels)]
    weights = np.array([np.exp(-1.5 * np.sqrt(p @ p)) for p in parts])
    moved = z + 0.3 * (circ(e) @ z - sum(w * p for w, p in zip(weights / weights.sum(), parts)))
    close(f(z, e, kernels, gamma, 0.3, 1.5), moved / np.sqrt(moved @ moved))


@shift_layer.law("shifted in, shifted out")
def sl_shift(f, rng):
    z, *rest = layer_of(rng)
    out = np.asarray(f(z, *rest, 0.5, 4.0))
    for j in (1, 4):
        close(f(np.roll(z, j), *rest, 0.5, 4.0), np.roll(out, j))


@shift_layer.law("a signal of length 1")
def sl_length(f, rng):
    z, *rest = layer_of(rng)
    close(np.linalg.norm(np.asarray(f(3 * z, *rest, 0.5, 1.0))), 1.0)


shift_layer.wrong("a gate that looks at the first two places", replace=("np.linalg.norm(parts, axis=1)", "np.linalg.norm(parts[:, :2], axis=1)"),
                  caught_by=sl_shift, hint="The norm of all d entries does not change under shifts.")
shift_layer.wrong("the most that is left wins", replace=("norms.min() - norms", "norms - norms.min()"), caught_by=sl_dense,
                  hint="A signal of class k is what C_k leaves least of.")
shift_layer.wrong("no scaling", replace=("moved / np.linalg.norm(moved)", "moved"), caught_by=sl_length)
shift_layer.wrong("compression added", replace=(" - weights @", " + weights @"), caught_by=sl_dense)
shift_layer.wrong("weights not scaled", replace=(" / weights.sum()", ""), caught_by=sl_dense, hint="A softmax adds up to 1.")


@shift_layer.right("with dense matrices, in JAX")
def _(z, e, kernels, gamma, eta, lam):
    i = np.arange(len(z))
    dense = lambda k: jnp.asarray(k)[..., (i[:, None] - i) % len(i)]
    parts = jnp.asarray(gamma)[:, None] * (dense(kernels) @ z)
    weights = jnp.exp(-lam * jnp.sqrt(jnp.sum(parts**2, axis=1)))
    z = z + eta * (dense(e) @ z - jnp.einsum("k,kd->d", weights / weights.sum(), parts))
    return z / jnp.sqrt(z @ z)


# P5.12

lift = Exercise(
    "ch05.lift", "Lifting a signal to several channels", principles=["P5.12"], label="eqn:sparse-lifting", minutes=5, level="more",
    stand_in=invariance.lift, objective="lift by convolutions and a threshold, without breaking the symmetry",
    hints=["All convolutions at once: the DFT of kernels times the DFT of x, row by row.", "The threshold comes after the convolution, and then the maximum with 0."])


@lift.law("entry by entry, with indices that wrap around")
def li_loops(f, rng):
    x, kernels = rng.normal(size=6), rng.normal(size=(3, 6))
    expected = [[max(sum(k[(i - j) % 6] * x[j] for j in range(6)) - 0.4, 0) for i in range(6)] for k in kernels]
    close(f(x, kernels, 0.4), expected)


@lift.law("nowhere negative")
def li_positive(f, rng):
    holds(np.min(np.asarray(f(rng.normal(size=6), rng.normal(size=(3, 6)), 0.4))) >= -1e-6, "some entry is negative")


@lift.law("shifted in, shifted out")
def li_shift(f, rng):
    x, kernels = rng.normal(size=6), rng.normal(size=(3, 6))
    close(f(np.roll(x, 2), kernels, 0.4), np.roll(np.asarray(f(x, kernels, 0.4)), 2, axis=1))


lift.wrong("threshold after the maximum", replace=(" - tau, 0)", ", 0) - tau"), caught_by=li_positive, hint="What is below tau becomes 0.")
lift.wrong("correlation", replace=("np.fft.fft(kernels)", "np.conj(np.fft.fft(kernels))"), caught_by=li_loops, hint="A conjugate is a mirror image: k[i - j], not k[j - i].")
lift.wrong("keeps only what is small", replace=("np.maximum", "np.minimum"), caught_by=li_loops)
lift.wrong("without a threshold", replace=(" - tau", " - 0 * tau"), caught_by=li_loops)


@lift.right("shifts added up, in JAX")
def _(x, kernels, tau):
    kernels = jnp.asarray(kernels)
    total = sum(x[j] * jnp.roll(kernels, j, axis=1) for j in range(len(x)))
    return jnp.where(total > tau, total - tau, 0)


orbit_rank = Exercise(
    "ch05.orbit_rank", "The span of all shifts", principles=["P5.12"], label="eqn:W-multichannel", minutes=8, level="more",
    objective="count the dimensions that all shifts of some signals span, frequency by frequency",
    hints=["In the basis of the DFT all shifts of a signal differ by phases alone, and d phases are independent.",
           "So each frequency counts on its own: the rank of the m x N matrix of the N signals' m coefficients.",
           "np.linalg.svd(stack, compute_uv=False) of a stack (d, m, N). Count what is above the threshold."])


@orbit_rank.law("the rank of all shifts written side by side")
def or_dense(f, rng):
    Zs = rng.normal(size=(2, 3, 5))
    close(f(Zs), np.linalg.matrix_rank(orbit(Zs)))
    same = np.stack([np.stack([circ(k) @ x for k in Zs[0]]) for x in Zs[:, 0]])
    close(f(same), np.linalg.matrix_rank(orbit(same)))


@orbit_rank.law("a wave of one frequency spans a plane, a constant a line, a single spike everything")
def or_small(f, rng):
    t = np.arange(8)
    for x, r in [(np.cos(2 * np.pi * 2 * t / 8 + 0.3), 2), (np.ones(8), 1), (np.eye(8)[3], 8)]:
        close(f(x[None, None]), r)


@orbit_rank.law("no more from a second copy, or a shifted one")
def or_copy(f, rng):
    Zs = rng.normal(size=(1, 3, 5))
    close(f(np.concatenate([Zs, np.roll(Zs, 2, axis=2)])), 5)


orbit_rank.wrong("half the frequencies", replace=("np.fft.fft", "np.fft.rfft"), caught_by=or_small, hint="Conjugate frequencies count too.")
orbit_rank.wrong("the largest rank of one frequency", replace=("np.sum(sizes > 1e-4 * sizes.max())", "np.sum(sizes > 1e-4 * sizes.max(), axis=1).max()"),
                 caught_by=or_small, hint="Frequencies are orthogonal: their ranks add up.")
orbit_rank.wrong("channel by channel", replace=("transpose(2, 1, 0)", "transpose(1, 2, 0)"), caught_by=or_dense, hint="One matrix a frequency, with channels down and signals across.")
orbit_rank.wrong("all entries that are not 0", replace=("np.linalg.svd(spectra, compute_uv=False)", "np.abs(spectra)"), caught_by=or_copy)


@orbit_rank.right("from the dense matrix")
def _(Zs):
    Zs = np.asarray(Zs, dtype=float)
    shifts = [np.roll(V, j, axis=1).ravel() for V in Zs for j in range(Zs.shape[2])]
    sizes = np.linalg.svd(np.stack(shifts, axis=1))[1]
    return (sizes > 1e-4 * sizes[0]).sum()


# P5.13

multichannel_kernel = Exercise(
    "ch05.multichannel_kernel", "One small inverse a frequency", principles=["P5.13"], label="prop:multichannel-circular-conv-1", minutes=12, level="more",
    needs=["ch05.expansion_kernel"], stand_in=invariance.multichannel_kernel, objective="invert a block-circulant matrix frequency by frequency",
    hints=["At one frequency signal i is m complex numbers, z_i. What was |z|^2 becomes the m x m matrix z z^*.",
           "spectra (d, m, N): spectra @ its conjugate transpose adds up over signals, at all frequencies.",
           "np.linalg.inv takes stacks. The frequencies must be the last axis again before np.fft.ifft."])


def kernel_of(E, m):
    """First columns of the blocks of E (m d, m d)."""
    d = len(E) // m
    return np.array([[E[a * d:(a + 1) * d, c * d] for c in range(m)] for a in range(m)])


@multichannel_kernel.law("first columns of the blocks of the dense inverse")
def mk_dense(f, rng):
    Zs = rng.normal(size=(2, 3, 5))
    close(f(Zs, 0.8), kernel_of(dense(Zs, 0.8), 3))


@multichannel_kernel.law("its convolution, d times, is the slope of the rate of all shifts")
def mk_slope(f, rng):
    Zs = rng.normal(size=(2, 3, 5))
    kernel = np.asarray(f(Zs, 0.8), dtype=float)
    moved = [[sum(circ(kernel[a, c]) @ V[c] for c in range(3)) for a in range(3)] for V in Zs]
    close(moved, slope(lambda Zs: rate(Zs, 0.8), Zs) / 5)


@multichannel_kernel.law("the kernel from a to c is the mirror image of that from c to a")
def mk_mirror(f, rng):
    kernel = np.asarray(f(rng.normal(size=(2, 3, 5)), 0.8))
    close(kernel, np.roll(kernel[..., ::-1], 1, axis=2).transpose(1, 0, 2))


multichannel_kernel.wrong("no conjugate", replace=(".conj()", ""), caught_by=mk_dense, hint="z z^*, with the star.")
multichannel_kernel.wrong("N columns counted, not d N", replace=("alpha = m /", "alpha = m * len(spectra) /"), caught_by=mk_slope,
                          hint="m d dimensions, d N samples.")
multichannel_kernel.wrong("blocks transposed", replace=("transpose(1, 2, 0)", "transpose(2, 1, 0)"), caught_by=mk_dense)
multichannel_kernel.wrong("every channel on its own", replace=("np.eye(m) + alpha *", "np.eye(m) + np.eye(m) * alpha *"), caught_by=mk_dense,
                          hint="multiplied by the identity before the product?")
multichannel_kernel.wrong("scaled transform", replace=("np.fft.fft(np.asarray(Zs))", "np.fft.fft(np.asarray(Zs), norm='ortho')"), caught_by=mk_dense)


@multichannel_kernel.right("frequency by frequency")
def _(Zs, eps):
    (N, m, d), spectra = np.shape(Zs), np.fft.fft(np.asarray(Zs))
    out = np.zeros((m, m, d), complex)
    for w in range(d):
        moment = sum(np.outer(z, z.conj()) for z in spectra[:, :, w])
        out[:, :, w] = np.linalg.inv(N * eps**2 / m * np.eye(m) + moment)
    return np.fft.ifft(out).real


multichannel_convolve = Exercise(
    "ch05.multichannel_convolve", "A convolution with channels", principles=["P5.13"], label="eq:def-E-bar", minutes=5, level="more",
    stand_in=invariance.multichannel_convolve, objective="see the convolution of a convolutional network in a product with E",
    hints=["At each frequency: an (m, m) matrix times m numbers.", "np.einsum over two transforms, then np.fft.ifft and the real part."])


@multichannel_convolve.law("sums over channels and places, by loops")
def mc_loops(f, rng):
    V, kernel = rng.normal(size=(3, 5)), rng.normal(size=(3, 3, 5))
    close(f(V, kernel), [sum(circ(kernel[a, c]) @ V[c] for c in range(3)) for a in range(3)])


@multichannel_convolve.law("shifted in, shifted out")
def mc_shift(f, rng):
    V, kernel = rng.normal(size=(3, 5)), rng.normal(size=(3, 3, 5))
    close(f(np.roll(V, 2, axis=1), kernel), np.roll(np.asarray(f(V, kernel)), 2, axis=1))


@multichannel_convolve.law("unchanged by spikes at place 0 from each channel to itself")
def mc_identity(f, rng):
    V = rng.normal(size=(3, 5))
    close(f(V, np.einsum("ac,j->acj", np.eye(3), np.eye(5)[0])), V)


multichannel_convolve.wrong("channels swapped", replace=("acf,cf->af", "caf,cf->af"), caught_by=mc_loops, hint="kernel[a, c] takes channel c to channel a.")
multichannel_convolve.wrong("every channel on its own", replace=("acf,cf->af", "aaf,af->af"), caught_by=mc_loops)
multichannel_convolve.wrong("correlation", replace=("np.fft.fft(kernel)", "np.conj(np.fft.fft(kernel))"), caught_by=mc_loops, hint="A conjugate is a mirror image.")
multichannel_convolve.wrong("mirrors the signal", replace=("np.fft.fft(V)", "np.conj(np.fft.fft(V))"), caught_by=mc_identity)


@multichannel_convolve.right("shifts added up, in JAX")
def _(V, kernel):
    kernel = jnp.asarray(kernel)
    return sum(jnp.einsum("acd,c->ad", jnp.roll(kernel, j, axis=2), jnp.asarray(V)[:, j]) for j in range(np.shape(V)[1]))
