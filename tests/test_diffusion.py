"""Processes, conversions, times and samplers against autodiff, discrete laws, plain loops in float64 and closed forms."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from book_utils import diffusion, memorization
from book_utils.diffusion import FLOW, VE, VP

from oracles import numerical_gradient, relative, rng_of

PROCESSES = [VE, VP, FLOW]
each = pytest.mark.parametrize("process", PROCESSES, ids=lambda p: p.name)
quick = settings(max_examples=20, deadline=None, derandomize=True)


def gaussian_denoiser(lams, X_t, alpha, sigma):
    """E[x | x_t] for x ~ N(0, diag(lams))."""
    gain = alpha * lams / (alpha**2 * lams + sigma**2)
    return gain[:, None] * X_t


def gaussian(lams):
    return jax.tree_util.Partial(gaussian_denoiser, jnp.asarray(lams, jnp.float32))


def atoms_denoiser(X, X_t, alpha, sigma):
    """Bayes' rule on equally likely atoms, in NumPy float64."""
    return X @ softmax(-((X_t[:, None] - alpha * X[:, :, None]) ** 2).sum(0) / (2 * sigma**2), axis=0)


def loop(denoiser, X, times, process):
    """Algorithm 3.1 in NumPy float64: an estimate of x and of g, put together again with the next factors."""
    for t, s in zip(times[:-1], times[1:]):
        X_bar = denoiser(X, float(process.alpha(t)), float(process.sigma(t)))
        g_bar = (X - process.alpha(t) * X_bar) / process.sigma(t)
        X = process.alpha(s) * X_bar + process.sigma(s) * g_bar
    return X


# --- processes ---------------------------------------------------------------------------------------------------------------

@each
@quick
@given(t=st.floats(0.01, 0.99))
def test_process_derivatives_and_inverse(process, t):
    assert np.isclose(jax.grad(process.alpha)(t), process.d_alpha(t), rtol=1e-4)
    assert np.isclose(jax.grad(process.sigma)(t), process.d_sigma(t), rtol=1e-4)
    assert np.isclose(process.time(3 * process.alpha(t), 3 * process.sigma(t)), t, rtol=1e-6)
    np.testing.assert_allclose(process.alpha(np.array([t, t])), [float(process.alpha(t))] * 2)


def test_processes_at_their_ends():
    for process in PROCESSES:
        assert (process.alpha(0.0), process.sigma(0.0)) == (1, 0)
    assert (VP.alpha(1.0), VP.sigma(1.0)) == (FLOW.alpha(1.0), FLOW.sigma(1.0)) == (0, 1)
    t = np.linspace(0, 1, 7)
    np.testing.assert_allclose(VP.alpha(t) ** 2 + VP.sigma(t) ** 2, 1)
    assert np.isclose(float(VP.alpha(np.float32(1 - 1e-6))), np.sqrt(1 - float(np.float32(1 - 1e-6)) ** 2), rtol=1e-6)


# --- one prediction in four forms --------------------------------------------------------------------------------------------

@each
def test_tweedie_gives_the_posterior_mean_of_a_discrete_law(process):
    rng, t = rng_of(0), 0.6
    alpha, sigma = float(process.alpha(t)), float(process.sigma(t))
    X, x_t = rng.normal(size=(3, 8)), rng.normal(size=3)
    log_p = lambda y: logsumexp(-((y[:, None] - alpha * X) ** 2).sum(0) / (2 * sigma**2))  # noqa: E731
    mean, score = atoms_denoiser(X, x_t[:, None], alpha, sigma)[:, 0], numerical_gradient(log_p, x_t)
    assert relative(diffusion.tweedie(x_t, score, alpha, sigma), mean) < 1e-6
    assert relative(diffusion.score_from_denoised(x_t, mean, alpha, sigma), score) < 1e-5


@each
def test_noise_and_velocity_are_the_means_of_theirs(process):
    """On a table of samples and noise vectors, not normal, where every conditional mean is a sum."""
    rng, t = rng_of(1), 0.3
    alpha, sigma, da, ds = (float(f(t)) for f in (process.alpha, process.sigma, process.d_alpha, process.d_sigma))
    x = rng.normal(size=(4, 9))
    x_t = rng.normal(size=4)
    g = (x_t[:, None] - alpha * x) / sigma  # the nine ways to reach x_t
    w = rng.dirichlet(np.ones(9))
    x_bar, g_bar, v_bar = x @ w, g @ w, (da * x + ds * g) @ w
    assert relative(diffusion.noise_from_denoised(x_t, x_bar, alpha, sigma), g_bar) < 1e-6
    assert relative(diffusion.denoised_from_noise(x_t, g_bar, alpha, sigma), x_bar) < 1e-6
    assert relative(diffusion.velocity_from_denoised(x_t, x_bar, alpha, sigma, da, ds), v_bar) < 1e-5
    assert relative(diffusion.denoised_from_velocity(x_t, v_bar, alpha, sigma, da, ds), x_bar) < 1e-5
    assert diffusion.velocity_from_denoised(x_t, x_bar, alpha, sigma, da, ds).dtype == np.float32


def test_a_step_of_euler_along_the_velocity_is_ddim_for_flow_alone():
    rng, t, s = rng_of(2), 0.7, 0.55
    x_t, x_bar = rng.normal(size=(2, 5))
    for process in (FLOW, VP):
        at = [float(f(t)) for f in (process.alpha, process.sigma, process.d_alpha, process.d_sigma)]
        euler = x_t - (t - s) * np.asarray(diffusion.velocity_from_denoised(x_t, x_bar, *at))
        step = np.asarray(diffusion.ddim_step(x_t, x_bar, *at[:2], float(process.alpha(s)), float(process.sigma(s))))
        assert np.allclose(euler, step, atol=1e-5) == (process is FLOW)


def test_ddim_step_is_exact_where_the_sample_is_known():
    rng = rng_of(3)
    x, g = rng.normal(size=(2, 3, 6))
    step = diffusion.ddim_step(0.6 * x + 0.8 * g, x, 0.6, 0.8, 0.9, 0.3)
    assert relative(step, 0.9 * x + 0.3 * g) < 1e-6
    np.testing.assert_allclose(diffusion.ddim_step([1.0], [3.0], 1, 2, 1, 0), [3])


# --- times -------------------------------------------------------------------------------------------------------------------

def test_times_descend_from_T_to_0():
    for times in (diffusion.uniform_times(3, 7), diffusion.exponential_times(3, 0.4, 7), diffusion.exponential_times(3, 100, 7),
                  diffusion.equal_angle_times(0.2, 3, 7)):
        assert times.shape == (8,) and times[0] == 3 and times[-1] == 0 and (np.diff(times) < 0).all()
    for process in (VP, FLOW):
        times = diffusion.equal_angle_times(0.2, 1, 7, process)
        assert times[0] == 1 and times[-1] == 0 and (np.diff(times) < 0).all()


def test_exponential_times():
    times = diffusion.exponential_times(10, 0.3, 20)
    l = np.arange(20, -1, -1)
    np.testing.assert_allclose(times, 10 * (np.exp(0.3 * l) - 1) / (np.exp(6) - 1), rtol=1e-12)
    np.testing.assert_allclose(np.diff(times)[:-1] / np.diff(times)[1:], np.exp(0.3), rtol=1e-9)
    np.testing.assert_allclose(diffusion.exponential_times(10, 1e-12, 20), diffusion.uniform_times(10, 20), rtol=1e-9)
    np.testing.assert_array_equal(diffusion.exponential_times(10, 0, 20), diffusion.uniform_times(10, 20))


@pytest.mark.parametrize("process, T", [(VE, 3), (VP, 1), (FLOW, 1), (VP, 0.8)])
def test_equal_angles_are_the_best_times(process, T):
    """An optimiser that knows nothing of angles finds no better times, and the gain is the predicted power of a cosine."""
    lam, L = 0.4, 5
    def lost(inner):
        times = np.concatenate([[T], np.sort(inner)[::-1], [0.0]])
        a, s = process.alpha(times), process.sigma(times)
        return -np.log((a[1:] * a[:-1] * lam + s[1:] * s[:-1]) / (a[:-1] ** 2 * lam + s[:-1] ** 2)).sum()
    times = diffusion.equal_angle_times(lam, T, L, process)
    found = minimize(lost, diffusion.uniform_times(T, L)[1:-1], method="Nelder-Mead",
                     options={"xatol": 1e-10, "fatol": 1e-12, "maxiter": 4000})
    np.testing.assert_allclose(np.sort(found.x)[::-1], times[1:-1], rtol=1e-3)
    angle = np.arctan2(process.sigma(T), process.alpha(T) * lam**0.5)
    limit = lam**0.5 / np.hypot(process.alpha(T) * lam**0.5, process.sigma(T))
    assert np.isclose(diffusion.ddim_gain([lam], times, process)[0], limit * np.cos(angle / L) ** L, rtol=1e-5)


# --- samplers ----------------------------------------------------------------------------------------------------------------

@each
def test_ddim_agrees_with_a_plain_loop(process):
    """Sampling back to atoms: the steps magnify differences, the float32 samples stay close to those of float64."""
    rng = rng_of(4)
    X, X_T = rng.normal(size=(3, 20)).astype(np.float32), rng.normal(size=(3, 15)).astype(np.float32)
    times = diffusion.uniform_times(0.99, 40)[:-1]
    denoiser = jax.tree_util.Partial(diffusion.memorizing_denoiser, jnp.asarray(X))
    plain = functools.partial(loop, functools.partial(atoms_denoiser, X.astype(float)), X_T.astype(float))
    expected = plain(times, process)
    assert relative(diffusion.ddim(denoiser, X_T, times, process), expected) < 1e-4
    path = diffusion.ddim_trajectory(denoiser, X_T, times, process)
    assert path.shape == (40, 3, 15)
    np.testing.assert_array_equal(path[0], X_T)
    assert relative(path[-1], expected) < 1e-4
    assert relative(path[20], plain(times[:21], process)) < 1e-4


@each
def test_ddim_of_a_gaussian_multiplies_by_its_gain(process):
    lams, L = np.array([0.0, 0.01, 1.0, 25.0]), 100
    times = diffusion.uniform_times(10 if process is VE else 1, L)
    X_T = rng_of(5).normal(size=(4, 6)).astype(np.float32)
    gain = diffusion.ddim_gain(lams, times, process)
    expected = loop(lambda X, a, s: (a * lams / (a**2 * lams + s**2))[:, None] * X, np.eye(4), times, process).diagonal()
    assert relative(gain, expected) < 1e-5 and gain[0] == 0
    assert relative(diffusion.ddim(gaussian(lams), X_T, times, process), expected[:, None] * X_T) < 1e-5


def test_ddim_gains_that_are_known():
    """Twice the angle in half as many steps; VP for variance 1 on equal angles is a power of one cosine."""
    for L, expected in ((10, 0.88348516), (100, 0.98773847), (1000, 0.99876700)):
        assert np.isclose(diffusion.ddim_gain([1.0], diffusion.equal_angle_times(1, 1, L, VP), VP)[0], expected, rtol=2e-5)
        assert np.isclose(np.cos(np.pi / 2 / L) ** L, expected, rtol=1e-6)


def test_the_processes_are_one_where_their_times_share_rho():
    lams, rho = np.array([0.3, 2.0, 9.0]), np.geomspace(20, 0.01, 30)
    X = rng_of(6).normal(size=(3, 40))
    samples = []
    for process in PROCESSES:
        times = process.time(np.ones_like(rho), rho)
        X_0 = diffusion.ddim(gaussian(lams), process.alpha(times[0]) * (20 * X), times, process)
        samples.append(X_0 / process.alpha(times[-1]))
    assert relative(samples[1], samples[0]) < 1e-5 and relative(samples[2], samples[0]) < 1e-5


@each
def test_ancestral_sampling_has_the_law_of_its_chain(process):
    """On Gaussian data the variance follows a recursion: gain squared times the variance, plus that of the fresh noise."""
    lams, L, M = np.array([0.2, 3.0]), 12, 200_000
    times = diffusion.uniform_times(10 if process is VE else 1, L)
    a, s = process.alpha(times), process.sigma(times)
    start = 2.0
    variance = np.full(2, start**2)
    for i in range(L):
        between = s[i] ** 2 - (a[i] / a[i + 1]) ** 2 * s[i + 1] ** 2  # variance of x_t given x_s
        bar = a[i] * lams / (a[i] ** 2 * lams + s[i] ** 2)
        gain = (a[i] / a[i + 1]) * s[i + 1] ** 2 / s[i] ** 2 + a[i + 1] * between / s[i] ** 2 * bar
        variance = gain**2 * variance + between * s[i + 1] ** 2 / s[i] ** 2
    X_T = start * jax.random.normal(jax.random.key(0), (2, M))
    X = np.asarray(diffusion.ancestral(jax.random.key(1), gaussian(lams), X_T, times, process))
    assert np.all(np.abs(X.var(axis=1) / variance - 1) < 5 * np.sqrt(2 / M))
    assert np.all(np.abs(X.mean(axis=1)) < 5 * np.sqrt(variance / M))
    again = diffusion.ancestral(jax.random.key(1), gaussian(lams), X_T, times, process)
    np.testing.assert_array_equal(again, X)


def test_samplers_are_compiled_once_for_all_weights_of_a_denoiser():
    traces = []
    def counted(lams, X_t, alpha, sigma):
        traces.append(None)
        return gaussian_denoiser(lams, X_t, alpha, sigma)
    times, X_T = diffusion.uniform_times(1, 9), np.ones((3, 2), np.float32)
    for lams in ([1.0, 2.0, 3.0], [0.0, 1.0, 5.0]):
        diffusion.ddim(jax.tree_util.Partial(counted, jnp.asarray(lams)), X_T, times, VP)
        seen = len(traces)
    assert seen == len(traces) <= 2  # a scan may look at its body twice, once for the shapes


def test_samplers_under_jit_and_grad():
    """times may be traced too: then they are taken as they are."""
    lams, X_T, times = jnp.array([0.5, 2.0]), jnp.ones((2, 3)), jnp.asarray(diffusion.uniform_times(1, 20))
    run = lambda lams, times: diffusion.ddim(jax.tree_util.Partial(gaussian_denoiser, lams), X_T, times, VP)  # noqa: E731
    assert relative(jax.jit(run)(lams, times), np.asarray(run(lams, times))) < 1e-5
    slope = jax.grad(lambda lams: run(lams, times).sum())(lams)

    def total(v):
        return 3 * float(np.sum(loop(lambda X, a, s: (a * v / (a**2 * v + s**2))[:, None] * X, np.ones((2, 1)),
                                     np.asarray(times, float), VP)))

    assert relative(slope, numerical_gradient(total, np.asarray(lams, float))) < 1e-4


# --- losses and the denoiser of a training set -------------------------------------------------------------------------------

@each
def test_denoising_error_of_the_best_denoiser(process):
    """lam sigma^2 / (alpha^2 lam + sigma^2) for each coordinate of Gaussian data; every other denoiser has more."""
    lams, N = np.array([0.5, 2.0, 4.0]), 100_000
    times = np.array([0.2, 0.7])
    X = np.sqrt(lams)[:, None] * rng_of(7).normal(size=(3, N))
    a, s = process.alpha(times)[:, None], process.sigma(times)[:, None]
    each_coordinate = lams * s**2 / (a**2 * lams + s**2)
    found = diffusion.denoising_error(jax.random.key(0), gaussian(lams), X, times, process)
    assert np.all(np.abs(found - each_coordinate.sum(1)) < 5 * np.sqrt(2 * (each_coordinate**2).sum(1) / N))
    assert np.all(diffusion.denoising_error(jax.random.key(0), gaussian(2 * lams), X, times, process) > found)


@pytest.mark.parametrize("alpha, sigma", [(1, 0.7), (0.6, 0.8), (0.999, 0.04), (0, 1)])
def test_memorizing_denoiser(alpha, sigma):
    rng = rng_of(8)
    X, X_t = rng.normal(size=(3, 25)), rng.normal(size=(3, 10))
    found = np.asarray(diffusion.memorizing_denoiser(X, X_t, alpha, sigma))
    assert relative(found, atoms_denoiser(X, X_t, alpha, sigma)) < 1e-5
    assert relative(diffusion.memorizing_denoiser(X[:, ::-1], X_t, alpha, sigma), found) < 1e-5
    if alpha == 0:
        assert relative(found, np.repeat(X.mean(1)[:, None], 10, axis=1)) < 1e-6


def test_memorizing_score_is_that_of_the_kernel_density():
    rng = rng_of(9)
    X, X_t = (rng.normal(size=(2, n)).astype(np.float32) for n in (30, 6))
    score = jax.grad(lambda Y: memorization.kernel_log_density(X, Y, 0.4).sum())(X_t)
    X_bar = diffusion.memorizing_denoiser(X, X_t, 1, 0.4)
    assert relative(diffusion.score_from_denoised(X_t, X_bar, 1, 0.4), np.asarray(score)) < 1e-5


def test_sampling_with_it_gives_training_samples_back():
    rng = rng_of(10)
    X = rng.normal(size=(2, 60))
    denoiser = jax.tree_util.Partial(diffusion.memorizing_denoiser, jnp.asarray(X, jnp.float32))
    X_new = diffusion.ddim(denoiser, rng.normal(size=(2, 200)), diffusion.uniform_times(1, 500)[:-1], VP)
    assert memorization.memorization_ratio(X, X_new) > 0.99


ones, one = np.ones((2, 3)), jax.random.key(0)
same = lambda X_t, alpha, sigma: X_t  # noqa: E731
BAD = {
    "ascending": (lambda: diffusion.ddim(same, ones, [0.0, 0.5], VP), r"times: got \[0, 0.5\], want .* that descend"),
    "a time twice": (lambda: diffusion.ddim(same, ones, [0.5, 0.5, 0.1], VP), r"times: got \[0.5, 0.5, 0.1\]"),
    "too close for float32": (lambda: diffusion.ddim(same, ones, diffusion.exponential_times(1, 100, 4)), "descend in float32"),
    "one time": (lambda: diffusion.ddim_trajectory(same, ones, [0.5], VP), r"times: got \[0.5\]"),
    "beyond the last": (lambda: diffusion.ddim(same, ones, [1.5, 0.5], VP), "got 1.5 to 0.5, want times of VP, from 0 to 1"),
    "below zero": (lambda: diffusion.ancestral(one, same, ones, [0.5, -0.5], VE), "times: got 0.5 to -0.5, want times of VE"),
    "NaN time": (lambda: diffusion.ddim(same, ones, [np.nan, 0], VP), "times: got nan"),
    "a vector": (lambda: diffusion.ddim(same, np.ones(3), [1, 0], VP), r"X_T: got shape \(3,\), want \(D, M\)"),
    "denoiser's shape": (lambda: diffusion.ddim(lambda X, a, s: X[:1], ones, [1, 0], VP), r"denoiser: got .* shape \(1, 3\)"),
    "no key": (lambda: diffusion.ancestral(None, same, ones, [1, 0], VP), "key: got None"),
    "tweedie without data": (lambda: diffusion.tweedie([1.0], [1.0], 0, 1), "alpha: got 0, want a number > 0"),
    "score without noise": (lambda: diffusion.score_from_denoised([1.0], [1.0], 1, 0), "sigma: got 0, want a number > 0"),
    "step without noise": (lambda: diffusion.ddim_step([1.0], [1.0], 1, 0, 1, 0), "sigma: got 0"),
    "other shape": (lambda: diffusion.tweedie(ones, [1.0], 1, 1), r"score: got shape \(1,\), want that of x_t, \(2, 3\)"),
    "negative variance": (lambda: diffusion.ddim_gain([-1.0], [1, 0], VP), "lams: got -1"),
    "no steps": (lambda: diffusion.uniform_times(1, 0), "L: got 0"),
    "no span": (lambda: diffusion.uniform_times(0, 3), "T: got 0, want a number > 0"),
    "negative growth": (lambda: diffusion.exponential_times(1, -1, 3), "c: got -1"),
    "angle beyond the last": (lambda: diffusion.equal_angle_times(1, 2, 3, VP), "T: got 2, want a number > 0 and <= 1 for VP"),
    "no variance": (lambda: diffusion.equal_angle_times(0, 1, 3), "lam: got 0"),
    "error without noise": (lambda: diffusion.denoising_error(one, same, ones, [0.0], VP), "want times of VP with sigma > 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence(name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call()
