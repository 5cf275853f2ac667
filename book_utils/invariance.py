"""Rate reduction where shifts do not matter: its matrices are circular convolutions, and ReduNet is a convolutional network.

A sample stands for all d circular shifts of itself, its orbit, the columns of circ(x): circ(x)[i, j] = x[(i - j) mod d]. For N
signals of m channels the d N columns circ(z_i) (m d, d) are coded at once, with alpha = m d / (d N eps^2) = m / (N eps^2):

    E = alpha (I + alpha sum_i circ(z_i) circ(z_i)^T)^-1       m x m blocks, each circulant       (book: eq. 5.1.33, eq:def-E-bar)
    E^(w) = alpha (I_m + alpha sum_i z^_i(w) z^_i(w)^*)^-1      one m x m matrix a frequency       (Chan et al. 2022, Theorem 3)
    R = log det(I + alpha sum_i circ(z_i) circ(z_i)^T) / 2 = sum_w log det(I_m + alpha sum_i z^_i(w) z^_i(w)^*) / 2

with z^(w) the DFT without any scaling. The d frequencies of a real signal are conjugate in pairs, so half of them are computed:
O(d m^3) for the inverses, O(d N m^2) for what is inverted, O(m N d log d) for the transforms, in place of O(d^3 m^3).

A layer moves a signal to length 1 in z + eta (E z - sum_k gamma_k pi_k C_k z), pi = softmax_k(-lam ||gamma_k C_k z||): norms of
shifted signals are equal, so the layer commutes with shifts. In float32 kernels are within 1e-4 of their float64 value, of their
length, for alpha times the power of the data up to 1e4. Bad shapes and ranges raise ValueError; under jit only shapes are checked.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from book_utils import validate
from book_utils.compile import compiled, compiled_for_modules
from book_utils.validate import integer, matrix, nonnegative, positive, vector


def circulant(x: jax.Array) -> jax.Array:
    """circ(x) (d, d): column j is x (d,), shifted j places down, circ(x)[i, j] = x[(i - j) mod d]. Book: eq. 5.1.21."""
    return _circulant(vector(x, "x", "(d,)"))


@compiled()
def _circulant(x):
    places = np.arange(x.shape[0])
    return x[(places[:, None] - places) % x.shape[0]]


def circular_convolve(z: jax.Array, e: jax.Array) -> jax.Array:
    """circ(e) z = e * z (d,): entry i is sum_j e[j] z[(i - j) mod d], for z and e (d,), in O(d log d). Book: Proposition 5.1."""
    z = vector(z, "z", "(d,)")
    return _convolve(z, vector(e, "e", "(d,)", d=z.shape[0]))


@compiled()
def _convolve(z, e):
    return jnp.fft.irfft(jnp.fft.rfft(z) * jnp.fft.rfft(e), z.shape[-1])


def expansion_kernel(Z: jax.Array, eps: float) -> jax.Array:
    """First column (d,) of E = alpha (I + alpha sum_i circ(z_i) circ(z_i)^T)^-1, alpha = 1 / (N eps^2): E z = e * z.

    The orbits of the N columns of Z (d, N) are d N samples in d dimensions. Book: Proposition 5.1, prop:circular-conv-1."""
    Z = matrix(Z, "Z", "(d, N)")
    return _multichannel_kernel(Z.T[:, None], positive(eps, "eps"))[0, 0]


def compression_kernels(Z: jax.Array, labels: jax.Array, eps: float, K: int | None = None) -> jax.Array:
    """First columns (K, d) of the C_k: as `expansion_kernel`, of the columns of Z (d, N) with label k alone.

    labels (N,): integers from 0 to K - 1, every class with a sample; K is asked for only where they are traced."""
    Z = matrix(Z, "Z", "(d, N)")
    labels, K = validate.classes(labels, "labels", Z.shape[1], K)
    return _class_kernels(Z.T[:, None], labels, positive(eps, "eps"), K)[:, 0, 0]


def shift_invariant_layer(z: jax.Array, e: jax.Array, kernels: jax.Array, gamma: jax.Array, eta: float, lam: float) -> jax.Array:
    """One layer on one signal z (d,): z + eta (e * z - sum_k gamma_k pi_k c_k * z), scaled to length 1, (d,).

    pi = softmax_k(-lam ||gamma_k c_k * z||), with the compression kernels c_k in the rows of kernels (K, d), the expansion kernel
    e (d,), shares gamma (K,) of the classes, step eta >= 0 and inverse temperature lam >= 0. It commutes with shifts of z.
    Book: eq. 5.1.25, eqn:approximate-convolution; there the norms are not weighted by gamma."""
    z = vector(z, "z", "(d,)", nonzero=True)
    e = vector(e, "e", "(d,)", d=z.shape[0])
    kernels = matrix(kernels, "kernels", "(K, d)", d=z.shape[0])
    gamma = nonnegative(gamma, "gamma", "(K,)", K=kernels.shape[0])
    return _shift_invariant_layer(z, e, kernels, gamma, nonnegative(eta, "eta"), nonnegative(lam, "lam"))


@compiled()
def _shift_invariant_layer(z, e, kernels, gamma, eta, lam):
    parts = gamma[:, None] * _convolve(z, kernels)
    pi = jax.nn.softmax(-lam * jnp.linalg.norm(parts, axis=1))
    z = z + eta * (_convolve(z, e) - pi @ parts)
    return z / jnp.linalg.norm(z)


def lift(x: jax.Array, kernels: jax.Array, tau: float = 0.0) -> jax.Array:
    """max(k_c * x - tau, 0) for every kernel k_c, a row of kernels (m, d): m channels (m, d) from one signal x (d,).

    Circular, so shifts of x shift the channels. Book: eq. 5.1.32, eqn:sparse-lifting, with a ReLU as tau."""
    x = vector(x, "x", "(d,)")
    return _lift(x, matrix(kernels, "kernels", "(m, d)", d=x.shape[0]), nonnegative(tau, "tau"))


@compiled()
def _lift(x, kernels, tau):
    return jnp.maximum(_convolve(x, kernels) - tau, 0)


def multichannel_kernel(Zs: jax.Array, eps: float) -> jax.Array:
    """Kernels (m, m, d) of E for N signals of m channels, Zs (N, m, d): entry [a, c] is the first column of its block (a, c).

    alpha = m / (N eps^2). Book: Proposition 5.2, prop:multichannel-circular-conv-1."""
    return _multichannel_kernel(_signals(Zs), positive(eps, "eps"))


@compiled()
def _multichannel_kernel(Zs, eps):
    return _in_time(_operator(jnp.fft.rfft(Zs), eps), Zs.shape[-1])


def multichannel_class_kernels(Zs: jax.Array, labels: jax.Array, eps: float, K: int | None = None) -> jax.Array:
    """The same for every class on its own, (K, m, m, d): alpha_k = m / (N_k eps^2). labels (N,) as in `compression_kernels`."""
    Zs = _signals(Zs)
    labels, K = validate.classes(labels, "labels", Zs.shape[0], K)
    return _class_kernels(Zs, labels, positive(eps, "eps"), K)


@compiled("K")
def _class_kernels(Zs, labels, eps, K):
    return _in_time(_class_operators(jnp.fft.rfft(Zs), jax.nn.one_hot(labels, K, axis=0, dtype=Zs.dtype), eps), Zs.shape[-1])


def multichannel_convolve(V: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution (m, d) of V (m, d) with kernel (m, m, d): channel a is sum_c kernel[a, c] * V[c]. Book: eq. 5.1.36."""
    V = matrix(V, "V", "(m, d)")
    return _multichannel_convolve(V, matrix(kernel, "kernel", "(m, m, d)", m=V.shape[0], d=V.shape[1]))


@compiled()
def _multichannel_convolve(V, kernel):
    return jnp.fft.irfft(jnp.einsum("acf,cf->af", jnp.fft.rfft(kernel), jnp.fft.rfft(V)), V.shape[-1])


def orbit_rate(Zs: jax.Array, eps: float) -> jax.Array:
    """Coding rate (), in nats, of all d N shifts of the signals Zs (N, m, d): vectors of m d numbers, alpha = m / (N eps^2)."""
    return _orbit_rate(_signals(Zs), positive(eps, "eps"))


@compiled()
def _orbit_rate(Zs, eps):
    return _rate(jnp.fft.rfft(Zs), jnp.ones((Zs.shape[0],), Zs.dtype), eps, Zs.shape[-1])


def orbit_rate_reduction(Zs: jax.Array, labels: jax.Array, eps: float, K: int | None = None) -> jax.Array:
    """`orbit_rate` of all signals minus the mean, by share, of those of the classes: (), nats, never negative."""
    Zs = _signals(Zs)
    labels, K = validate.classes(labels, "labels", Zs.shape[0], K)
    return _orbit_rate_reduction(Zs, labels, positive(eps, "eps"), K)


@compiled("K")
def _orbit_rate_reduction(Zs, labels, eps, K):
    return _reduction(jnp.fft.rfft(Zs), jax.nn.one_hot(labels, K, axis=0, dtype=Zs.dtype), eps, Zs.shape[-1])


class InvariantReduNet(eqx.Module):
    """A built network: `E` (L, f, m, m) and `C` (L, K, f, m, m) are the layers' operators at the f = d // 2 + 1 frequencies.

    net(Zs) are the features (N, m, d) of signals Zs (N, m, d), each of length 1 over all its channels. Shifted in, shifted out."""
    E: jax.Array
    C: jax.Array
    gamma: jax.Array
    eta: float
    lam: float

    def __call__(self, Zs: jax.Array) -> jax.Array:
        return _apply(self, _signals(Zs))


def build(Zs: jax.Array, labels: jax.Array, eta: float, eps: float, lam: float, L: int) -> tuple[InvariantReduNet, jax.Array]:
    """A network of L layers made forward from signals Zs (N, m, d) with labels (N,), and Delta R of its features (L + 1,), nats.

    Signals are scaled to length 1 first; each layer takes its operators from the features of the layer before, no gradient is
    taken. The network holds L (K + 1) (d // 2 + 1) m^2 complex numbers. Book: Algorithm 5.1, on circulant families."""
    Zs = _signals(Zs)
    labels, K = validate.classes(labels, "labels", Zs.shape[0])
    eta, eps, lam = nonnegative(eta, "eta"), positive(eps, "eps"), nonnegative(lam, "lam")
    E, C, gamma, rates = _build(Zs, jnp.asarray(labels), eta, eps, lam, integer(L, "L", 1), K)
    return InvariantReduNet(E, C, gamma, eta, lam), rates


def _build(Zs, labels, eta, eps, lam, L, K):
    membership, d = jax.nn.one_hot(labels, K, axis=0, dtype=Zs.dtype), Zs.shape[-1]
    Zh, layers, rates = _start(Zs), [], []
    for _ in range(L + 1):
        factors, alphas, rate = jax.block_until_ready(_factors(Zh, membership, eps, d))
        rates.append(rate)
        if len(rates) <= L:
            Zh, E, C = jax.block_until_ready(_layer(Zh, factors, alphas, membership, eta, lam, d))
            layers.append((E, C))
    E, C = (jnp.stack(part) for part in zip(*layers))
    return E, C, membership.mean(axis=1), jnp.stack(rates)


# A loop of Python, and one call of LAPACK after another: side by side, or in lax.scan, its calls for stacks of this size have been
# seen to wait for each other for ever on a CPU of two cores.


@compiled()
def _start(Zs):
    return _unit(jnp.fft.rfft(Zs), Zs.shape[-1])


@compiled("d")
def _factors(Zh, membership, eps, d):
    """Cholesky factors (K + 1, f, m, m) of all samples and of every class, their alphas (K + 1,), and Delta R."""
    weights = jnp.concatenate([jnp.ones_like(membership[:1]), membership])
    alphas, moments = jax.vmap(lambda w: _moments(Zh, w, eps))(weights)
    factors = jnp.linalg.cholesky(moments)
    rates = _log_determinants(factors) @ _pairs(d).astype(membership.dtype) / 2
    return factors, alphas, rates[0] - membership.mean(axis=1) @ rates[1:]


@compiled("d")
def _layer(Zh, factors, alphas, membership, eta, lam, d):
    halves = jax.lax.linalg.triangular_solve(factors, jnp.broadcast_to(jnp.eye(Zh.shape[1], dtype=Zh.dtype), factors.shape),
                                             left_side=True, lower=True)
    inverses = alphas[:, None, None, None] * (halves.conj().swapaxes(-1, -2) @ halves)
    E, C = inverses[0], inverses[1:]
    return _move(Zh, E, C, membership.mean(axis=1), eta, lam, d), E, C


@compiled_for_modules
def _apply(net, Zs):
    d = Zs.shape[-1]
    Zh, _ = jax.lax.scan(lambda Zh, layer: (_move(Zh, *layer, net.gamma, net.eta, net.lam, d), None),
                         _unit(jnp.fft.rfft(Zs), d), (net.E, net.C))
    return jnp.fft.irfft(Zh, d)


def _signals(Zs):
    return matrix(Zs, "Zs", "(N, m, d)")


def _operator(Zh, eps):
    """alpha (I + alpha sum_i z_i z_i^*)^-1 at every frequency, (f, m, m), for spectra (N, m, f)."""
    return _inverses(Zh, jnp.ones((Zh.shape[0],), Zh.real.dtype), eps)


def _class_operators(Zh, membership, eps):
    return jax.vmap(lambda weights: _inverses(Zh, weights, eps))(membership)


def _moments(Zh, weights, eps):
    m = Zh.shape[1]
    alpha = m / (weights.sum() * jnp.asarray(eps, weights.dtype) ** 2)
    return alpha, jnp.eye(m, dtype=Zh.dtype) + alpha * jnp.einsum("n,naf,ncf->fac", weights.astype(Zh.dtype), Zh, Zh.conj())


def _inverses(Zh, weights, eps):
    alpha, M = _moments(Zh, weights, eps)
    return alpha * jnp.linalg.inv(M)


def _rate(Zh, weights, eps, d):
    logs = _log_determinants(jnp.linalg.cholesky(_moments(Zh, weights, eps)[1]))
    return _pairs(d).astype(logs.dtype) @ logs / 2


def _log_determinants(factors):
    """From Cholesky factors (..., m, m)."""
    return 2 * jnp.sum(jnp.log(jnp.diagonal(factors, axis1=-2, axis2=-1).real), axis=-1)


def _reduction(Zh, membership, eps, d):
    return _factors(Zh, membership, eps, d)[2]


def _pairs(d):
    """How many of the d frequencies each of the d // 2 + 1 that are computed stands for: 1 where it is its own conjugate."""
    own = np.arange(d // 2 + 1) * 2 % d == 0
    return jnp.asarray(np.where(own, 1, 2))


def _in_time(operators, d):
    """Kernels (..., m, m, d) of operators at the frequencies (..., f, m, m)."""
    return jnp.fft.irfft(jnp.moveaxis(operators, -3, -1), d)


def _lengths(Zh, d):
    """Lengths (...) over channels and time of signals with spectra (..., m, f), by Parseval."""
    return jnp.sqrt(jnp.sum(jnp.abs(Zh) ** 2 @ _pairs(d).astype(Zh.real.dtype), axis=-1) / d)


def _unit(Zh, d):
    return Zh / _lengths(Zh, d)[..., None, None]


def _move(Zh, E, C, gamma, eta, lam, d):
    parts = gamma[:, None, None, None] * jnp.einsum("kfac,ncf->knaf", C, Zh)
    pi = jax.nn.softmax(-lam * _lengths(parts, d), axis=0)
    expanded = jnp.einsum("fac,ncf->naf", E, Zh)
    return _unit(Zh + eta * (expanded - jnp.einsum("kn,knaf->naf", pi.astype(Zh.dtype), parts)), d)
