"""Exercises of Part 3, second half: noising processes, samplers and their errors, velocities and flows."""

import jax
import jax.numpy as jnp
import numpy as np

from book_utils import diffusion
from book_utils.course.exercises import Exercise, close, holds
from book_utils.transform import columns

VP_PAIR = (0.8, 0.6, 0.96, 0.28)  # alpha, sigma at time t = 0.6 and alpha_s, sigma_s at s = 0.28, for VP


def atom_weights(atoms, x_t, alpha, sigma):
    """Bayes' rule: how likely each row of `atoms`, equally likely before, has become x, given x_t."""
    squares = ((x_t - alpha * atoms) ** 2).sum(axis=1) / (2 * sigma**2)
    weights = np.exp(squares.min() - squares)
    return weights / weights.sum()


def slope(function, x, h=1e-4):
    """Gradient of a function of a vector, by central differences."""
    return np.array([(function(x + h * e) - function(x - h * e)) / (2 * h) for e in np.eye(len(x))])


def eigenbasis(rng, D):
    """A random orthogonal matrix."""
    return np.linalg.qr(rng.normal(size=(D, D)))[0]


# P3.19, Exercise 3.4

process_tweedie = Exercise(
    "ch03.process_tweedie", "Tweedie's formula for any process", principles=["P3.19"], label="eq:gen_tweedie",
    book="exercise:generalizing_results_to_different_noise_models", minutes=6, level="more", stand_in=diffusion.tweedie,
    objective="turn the score of a noised law into the posterior mean, whatever the factors of data and noise",
    hints=["Where only noise is added, the mean is x_t + sigma^2 score. What takes the place of x if it is multiplied by alpha?",
           "y = alpha x is seen with noise alone: x_t = y + sigma g. What is E[y | x_t]?",
           "E[y | x_t] = alpha E[x | x_t]: divide the old formula by alpha, all of it."])


@process_tweedie.law("equal to the posterior mean of seven atoms by Bayes' rule")
def general_tweedie_atoms(f, rng):
    atoms, x_t, alpha, sigma = rng.normal(size=(7, 2)), rng.normal(size=2), 0.7, 0.6

    def log_density(x):
        return np.log(np.exp(-((x - alpha * atoms) ** 2).sum(axis=1) / (2 * sigma**2)).sum())
    close(f(x_t, slope(log_density, x_t), alpha, sigma), atom_weights(atoms, x_t, alpha, sigma) @ atoms)


@process_tweedie.law("x_t / alpha where the density is flat")
def general_tweedie_flat(f, rng):
    x_t = rng.normal(size=2)
    close(f(x_t, np.zeros(2), 0.25, 0.6), 4 * x_t)


@process_tweedie.law("the mean that minimises two squared distances, for a Gaussian")
def general_tweedie_gaussian(f, rng):
    mu, S, x_t, alpha, sigma = rng.normal(size=2), np.array([[2.0, 0.6], [0.6, 0.5]]), rng.normal(size=2), 0.5, 0.8
    score = -np.linalg.solve(alpha**2 * S + sigma**2 * np.eye(2), x_t - alpha * mu)
    precision = np.linalg.inv(S) + alpha**2 / sigma**2 * np.eye(2)
    close(f(x_t, score, alpha, sigma), np.linalg.solve(precision, np.linalg.solve(S, mu) + alpha / sigma**2 * x_t))


process_tweedie.wrong("no division by alpha", replace=("(x_t + sigma**2 * score) / alpha", "x_t + sigma**2 * score"),
                      caught_by=general_tweedie_flat, hint="That is E[alpha x | x_t].")
process_tweedie.wrong("divides x_t only", replace=("(x_t + sigma**2 * score) / alpha", "x_t / alpha + sigma**2 * score"),
                      caught_by=general_tweedie_atoms, hint="Both terms together are alpha times the answer.")
process_tweedie.wrong("sigma for its square", replace=("sigma**2", "sigma"), caught_by=general_tweedie_gaussian,
                      hint="What are the units of a score? One over those of x_t.")
process_tweedie.wrong("downhill", replace=("x_t + ", "x_t - "), caught_by=general_tweedie_atoms,
                      hint="Towards the data is towards higher density.")
process_tweedie.wrong("divides by alpha twice", replace=(") / alpha", ") / alpha**2"), caught_by=general_tweedie_flat,
                      hint="Without noise x_t = alpha x. What is x then?")


@process_tweedie.right("through the noise, in NumPy")
def _(x_t, score, alpha, sigma):
    g_bar = -sigma * np.asarray(score)
    return (np.asarray(x_t) - sigma * g_bar) / alpha


process_score = Exercise(
    "ch03.process_score", "The way back: the score from the posterior mean", principles=["P3.19"], label="eq:gen_tweedie",
    minutes=4, level="more", stand_in=diffusion.score_from_denoised,
    objective="turn a denoiser into a score",
    hints=["Solve Tweedie's formula for the score.",
           "alpha times x_bar is x_t plus sigma^2 times the score."])


@process_score.law("the slope of log p_t of seven atoms, from their posterior mean")
def score_atoms(f, rng):
    atoms, x_t, alpha, sigma = rng.normal(size=(7, 2)), rng.normal(size=2), 0.7, 0.6

    def log_density(x):
        return np.log(np.exp(-((x - alpha * atoms) ** 2).sum(axis=1) / (2 * sigma**2)).sum())
    close(f(x_t, atom_weights(atoms, x_t, alpha, sigma) @ atoms, alpha, sigma), slope(log_density, x_t))


@process_score.law("minus the noise over sigma, where x is known")
def score_known(f, rng):
    x, g = rng.normal(size=2), rng.normal(size=2)
    close(f(0.3 * x + 0.5 * g, x, 0.3, 0.5), -g / 0.5)


@process_score.law("defined for alpha = 0, where x_t is nothing but noise")
def score_of_noise(f, rng):
    x_t = rng.normal(size=2)
    close(f(x_t, rng.normal(size=2), 0.0, 2.0), -x_t / 4)


process_score.wrong("alpha forgotten", replace=("alpha * x_bar", "x_bar"), caught_by=score_known,
                    hint="Without noise x_t would be alpha x, not x.")
process_score.wrong("sigma for its square", replace=("sigma**2", "sigma"), caught_by=score_atoms,
                    hint="That is the noise, with its sign turned.")
process_score.wrong("away from the data", replace=("(alpha * x_bar - x_t)", "(x_t - alpha * x_bar)"), caught_by=score_known,
                    hint="A score points to where density rises.")
process_score.wrong("divides by alpha as well", replace=("(alpha * x_bar - x_t)", "(x_bar - x_t / max(alpha, 1e-6))"),
                    caught_by=score_atoms, hint="alpha x_bar = x_t + sigma^2 score: nothing is divided by alpha here.")


@process_score.right("as a slope of a Gaussian around alpha x_bar, in NumPy")
def _(x_t, x_bar, alpha, sigma):
    return -(np.asarray(x_t) - alpha * np.asarray(x_bar)) * (1 / sigma) * (1 / sigma)


ddim_step = Exercise(
    "ch03.ddim_step", "One step of DDIM", principles=["P3.19"], label="eq:gen_denoising_iteration",
    book="exercise:generalizing_results_to_different_noise_models", minutes=10, stand_in=diffusion.ddim_step,
    objective="step from one noise level to a lower one with nothing but a denoiser",
    hints=["x_s = alpha_s x + sigma_s g with the same g as in x_t. Which two conditional means do you need?",
           "E[x | x_t] is x_bar. From x_t = alpha x + sigma g, what is E[g | x_t]?",
           "E[g | x_t] = (x_t - alpha x_bar) / sigma. Put both into alpha_s x + sigma_s g.",
           "With ratio = sigma_s / sigma: ratio * x_t + (alpha_s - ratio * alpha) * x_bar."])


@ddim_step.law("alpha_s x + sigma_s g exactly, where the denoiser knows x")
def step_known(f, rng):
    x, g = rng.normal(size=3), rng.normal(size=3)
    alpha, sigma, alpha_s, sigma_s = VP_PAIR
    close(f(alpha * x + sigma * g, x, *VP_PAIR), alpha_s * x + sigma_s * g)


@ddim_step.law("the mean of x_s given x_t, for seven atoms, by Bayes' rule")
def step_atoms(f, rng):
    atoms, x_t = rng.normal(size=(7, 3)), rng.normal(size=3)
    alpha, sigma, alpha_s, sigma_s = 0.5, 0.9, 0.7, 0.4
    w = atom_weights(atoms, x_t, alpha, sigma)
    earlier = alpha_s * atoms + sigma_s * (x_t - alpha * atoms) / sigma
    close(f(x_t, w @ atoms, alpha, sigma, alpha_s, sigma_s), w @ earlier)


@ddim_step.law("where noise is only added: s/t of x_t and 1 - s/t of x_bar")
def step_only_noise(f, rng):
    x_t, x_bar = rng.normal(size=3), rng.normal(size=3)
    close(f(x_t, x_bar, 1.0, 2.0, 1.0, 0.5), 0.25 * x_t + 0.75 * x_bar)


@ddim_step.law("x_t itself for s = t")
def step_nowhere(f, rng):
    x_t = rng.normal(size=3)
    close(f(x_t, rng.normal(size=3), 0.8, 0.6, 0.8, 0.6), x_t)


@ddim_step.law("starts where alpha is 0, and ends at x_bar where the noise is gone")
def step_ends(f, rng):
    x_t, x_bar = rng.normal(size=3), rng.normal(size=3)
    close(f(x_t, x_bar, 0.0, 1.0, 0.6, 0.8), 0.8 * x_t + 0.6 * x_bar)
    close(f(x_t, x_bar, 0.8, 0.6, 1.0, 0.0), x_bar)


ddim_step.wrong("alpha at time t is lost", replace=("ratio * alpha)", "ratio)"), caught_by=step_known,
                hint="That is right only where alpha = 1. How much of x is in x_t?")
ddim_step.wrong("the coefficient of pure noising", replace=("(alpha_s - ratio * alpha)", "(1 - ratio)"), caught_by=step_atoms,
                hint="1 - s/t was for alpha = alpha_s = 1.")
ddim_step.wrong("the ratio of the data's factors", replace=("sigma_s / sigma", "alpha / alpha_s"), caught_by=step_known,
                hint="The coefficient of x_t carries the noise: how much of it is to be left?")
ddim_step.wrong("the ratio upside down", replace=("sigma_s / sigma", "sigma / max(sigma_s, 1e-6)"), caught_by=step_only_noise,
                hint="There is less noise at time s than at time t.")
ddim_step.wrong("the ratio of variances, as if part of the noise were new", replace=("sigma_s / sigma", "(sigma_s / sigma) ** 2"),
                caught_by=step_known, hint="x_s and x_t carry the same g, once times sigma_s and once times sigma.")
ddim_step.wrong("alpha x_bar is put on top", replace=("(alpha_s - ratio", "(alpha_s + ratio"), caught_by=step_nowhere,
                hint="ratio * x_t already contains ratio * alpha times x. Should that be added once more?")


@ddim_step.right("through the predicted noise, in NumPy")
def _(x_t, x_bar, alpha, sigma, alpha_s, sigma_s):
    g_bar = (np.asarray(x_t) - alpha * np.asarray(x_bar)) / sigma
    return alpha_s * np.asarray(x_bar) + sigma_s * g_bar


@ddim_step.right("as a rescaled step where noise is only added")
def _(x_t, x_bar, alpha, sigma, alpha_s, sigma_s):
    weight = alpha_s * sigma - alpha * sigma_s
    return (sigma_s * x_t + weight * x_bar) / sigma


process_mixture_denoiser = Exercise(
    "ch03.process_mixture_denoiser", "The denoiser of a Gaussian mixture, for any process", principles=["P3.19"],
    label="eq:gen_gmm_bayes_optimal_denoiser", book="exercise:generalizing_results_to_different_noise_models", minutes=12,
    level="more", objective="write the best denoiser of a Gaussian mixture under any noising process",
    hints=["Given component k, x_t is Gaussian: with which mean, and which covariance S_k?",
           "x and x_t have the covariance alpha Sigma_k, so E[x | x_t, k] = mu_k + alpha Sigma_k S_k^-1 (x_t - alpha mu_k).",
           "Bayes: the weight of k is proportional to pi_k times the density of N(alpha mu_k, S_k) at x_t. Keep the determinant.",
           "Work with logarithms, log pi_k - r^T S_k^-1 r / 2 - log det S_k / 2, and let jax.nn.softmax make weights of them."])


def mixture(rng):
    """pi (3,), mus (3, 2), Sigmas (3, 2, 2): one of them of rank one."""
    pi, mus = np.array([0.2, 0.5, 0.3]), 1.5 * rng.normal(size=(3, 2))
    A = rng.normal(size=(3, 2, 2))
    Sigmas = A @ A.transpose(0, 2, 1)
    Sigmas[2] = np.outer(A[2, 0], A[2, 0])
    return pi, mus, Sigmas


@process_mixture_denoiser.law("equal to Tweedie's formula with the slope of log p_t")
def mixture_tweedie(f, rng):
    (pi, mus, Sigmas), x_t, alpha, sigma = mixture(rng), rng.normal(size=2), 0.7, 0.6

    def log_density(x):
        S = alpha**2 * Sigmas + sigma**2 * np.eye(2)
        return np.log(sum(p * np.exp(-(x - alpha * m) @ np.linalg.inv(C) @ (x - alpha * m) / 2) / np.sqrt(np.linalg.det(C))
                          for p, m, C in zip(pi, mus, S)))
    close(f(pi, mus, Sigmas, x_t, alpha, sigma), (x_t + sigma**2 * slope(log_density, x_t)) / alpha)


@process_mixture_denoiser.law("the mean of the mixture for alpha = 0")
def mixture_of_noise(f, rng):
    pi, mus, Sigmas = mixture(rng)
    close(f(pi, mus, Sigmas, rng.normal(size=2), 0.0, 1.0), pi @ mus)


@process_mixture_denoiser.law("Bayes' rule for atoms, where all covariances are 0")
def mixture_of_atoms(f, rng):
    (pi, mus, Sigmas), x_t = mixture(rng), rng.normal(size=2)
    w = pi * atom_weights(mus, x_t, 0.9, 0.8)
    close(f(pi, mus, 0 * Sigmas, x_t, 0.9, 0.8), w @ mus / w.sum())


@process_mixture_denoiser.law("a factor alpha lam / (alpha^2 lam + sigma^2) for each eigendirection, for one Gaussian about 0")
def mixture_of_one(f, rng):
    Q, x_t, lams = eigenbasis(rng, 2), rng.normal(size=2), np.array([3.0, 0.2])
    Sigmas = np.stack([(Q * lams) @ Q.T] * 3)
    gain = 0.6 * lams / (0.36 * lams + 0.5**2)
    close(f(np.array([0.2, 0.5, 0.3]), np.zeros((3, 2)), Sigmas, x_t, 0.6, 0.5), Q @ (gain * (Q.T @ x_t)))


@process_mixture_denoiser.law("the same for x_t / alpha, 1 and sigma / alpha")
def mixture_scaled(f, rng):
    (pi, mus, Sigmas), x_t = mixture(rng), rng.normal(size=2)
    close(f(pi, mus, Sigmas, x_t, 0.5, 0.6), f(pi, mus, Sigmas, x_t / 0.5, 1.0, 0.6 / 0.5))


process_mixture_denoiser.wrong("the gain without alpha", replace=("mus + alpha * jnp.einsum", "mus + jnp.einsum"),
                               caught_by=mixture_of_one, hint="What is the covariance of x and alpha x + sigma g?")
process_mixture_denoiser.wrong("alpha for its square in the covariance", replace=("alpha**2 * Sigmas", "alpha * Sigmas"),
                               caught_by=mixture_of_one, hint="What is the covariance of alpha x?")
process_mixture_denoiser.wrong("means that were not scaled", replace=("x_t - alpha * mus", "x_t - mus"),
                               caught_by=mixture_of_atoms, hint="Given component k, around which point does x_t lie?")
process_mixture_denoiser.wrong("no determinants in the weights", replace=(" - 0.5 * jnp.linalg.slogdet(S)[1]", ""),
                               caught_by=mixture_tweedie, hint="A wide Gaussian is lower everywhere near its centre.")
process_mixture_denoiser.wrong("weights without pi", replace=("jnp.log(pi) - ", "-"), caught_by=mixture_of_noise,
                               hint="When x_t says nothing, how likely is each component?")
process_mixture_denoiser.wrong("only the likeliest component",
                               replace=("jax.nn.softmax(log_w) @ means", "means[jnp.argmax(log_w)]"), caught_by=mixture_of_noise,
                               hint="A posterior mean averages over all components.")
process_mixture_denoiser.wrong("sigma for its square", replace=("sigma**2 * jnp.eye", "sigma * jnp.eye"),
                               caught_by=mixture_tweedie, hint="Covariances add; that of sigma g is sigma^2 I.")


@process_mixture_denoiser.right("component by component, in NumPy")
def _(pi, mus, Sigmas, x_t, alpha, sigma):
    x_t, I = np.asarray(x_t, dtype=float), np.eye(len(x_t))
    logs, means = [], []
    for p, mu, Sigma in zip(np.asarray(pi), np.asarray(mus), np.asarray(Sigmas)):
        r, S = x_t - alpha * mu, alpha**2 * Sigma + sigma**2 * I
        z = np.linalg.solve(S, r)
        logs.append(np.log(p) - (r @ z + np.linalg.slogdet(S)[1]) / 2)
        means.append(mu + alpha * Sigma @ z)
    w = np.exp(np.array(logs) - max(logs))
    return w @ np.array(means) / w.sum()


@process_mixture_denoiser.right("with eigenvalues")
def _(pi, mus, Sigmas, x_t, alpha, sigma):
    lams, W = jnp.linalg.eigh(Sigmas)
    spread = alpha**2 * lams + sigma**2
    c = jnp.einsum("kji,kj->ki", W, x_t - alpha * mus)
    logs = jnp.log(pi) - ((c**2 / spread).sum(axis=1) + jnp.log(spread).sum(axis=1)) / 2
    means = mus + jnp.einsum("kij,kj->ki", W, alpha * lams / spread * c)
    return jax.nn.softmax(logs) @ means


# P3.19, Exercise 3.5

sample_mixture = Exercise(
    "ch03.sample_mixture", "A sampler for Gaussian mixtures", principles=["P3.19"], label="alg:iterative_denoising",
    book="exercise:implement_denoising_processes", minutes=12, needs=["ch03.process_mixture_denoiser", "ch03.ddim_step"],
    allows=[diffusion.ddim_step], budget=4.0,
    objective="run a denoiser and DDIM steps backwards from noise to samples",
    hints=["A loop over the L steps. Each goes from entry l of alphas and sigmas to entry l + 1.",
           "Within a step: first the denoised sample at the old noise level, then ddim_step to the new one.",
           "Write the step for one column x_t, and lift it: X_t = columns(step)(X_t)."])
ROUND = np.linspace(1.2, 0.0, 6)  # angles: alpha = cos, sigma = sin


# every law has K, D, M = 3, 2, 120: what is compiled for one serves the others
@sample_mixture.law("for one Gaussian, linear: each eigendirection is multiplied by the product of the cosines")
def sampler_cosines(f, rng):
    Q, lams, X_t = eigenbasis(rng, 2), np.array([4.0, 0.1]), rng.normal(size=(2, 120))
    alphas, sigmas = np.cos(ROUND), np.sin(ROUND)
    angles = np.arctan2(sigmas[:, None], alphas[:, None] * np.sqrt(lams))
    gain = np.cos(np.diff(angles, axis=0)).prod(axis=0) * np.sqrt(lams / (alphas[0] ** 2 * lams + sigmas[0] ** 2))
    Sigmas = np.stack([(Q * lams) @ Q.T] * 3)
    X = f(np.array([0.2, 0.3, 0.5]), np.zeros((3, 2)), Sigmas, X_t, alphas, sigmas)
    close(X, Q @ (gain[:, None] * (Q.T @ X_t)), tol=2)


@sample_mixture.law("what sticks out of the subspace of the data is multiplied by the last sigma over the first, exactly")
def sampler_residual(f, rng):
    Q, X_t, alphas, sigmas = eigenbasis(rng, 2), rng.normal(size=(2, 120)), np.cos(ROUND[:-1]), np.sin(ROUND[:-1])
    Sigmas = np.array([2.0, 0.5, 0.0])[:, None, None] * np.outer(Q[:, 0], Q[:, 0])
    X = f(np.array([0.4, 0.4, 0.2]), np.outer([-1.0, 1.0, 3.0], Q[:, 0]), Sigmas, X_t, alphas, sigmas)
    close(Q[:, 1] @ X, sigmas[-1] / sigmas[0] * (Q[:, 1] @ X_t), tol=2)


@sample_mixture.law("for the points a and -a, each step moves along a by the hyperbolic tangent")
def sampler_two_points(f, rng):
    a, X_t = np.array([1.0, -2.0]), rng.normal(size=(2, 120))
    sigmas = np.array([3.0, 2.0, 1.2, 0.8, 0.5, 0.0])
    X = X_t
    for t, s in zip(sigmas, sigmas[1:]):
        X = s / t * X + (1 - s / t) * np.outer(a, np.tanh(a @ X / t**2))
    close(f(np.array([0.2, 0.3, 0.5]), np.stack([a, a, -a]), np.zeros((3, 2, 2)), X_t, np.ones(6), sigmas), X, tol=2)


@sample_mixture.law("stopping halfway and going on from there changes nothing")
def sampler_in_two(f, rng):
    (pi, mus, Sigmas), X_t, alphas, sigmas = mixture(rng), rng.normal(size=(2, 120)), np.cos(ROUND), np.sin(ROUND)
    halfway = f(pi, mus, Sigmas, X_t, alphas[:3], sigmas[:3])
    close(f(pi, mus, Sigmas, halfway, alphas[2:], sigmas[2:]), f(pi, mus, Sigmas, X_t, alphas, sigmas))
    holds(np.abs(halfway - X_t).max() > 1e-3, "two steps leave the samples where they were")


sample_mixture.wrong("the last step is missing", replace=("len(alphas) - 1", "len(alphas) - 2"), caught_by=sampler_cosines,
                     hint="L + 1 noise levels make L steps; the last one arrives at the last level.")
sample_mixture.wrong("denoises at the level it is going to",
                     replace=("Sigmas, x_t, alphas[l], sigmas[l])", "Sigmas, x_t, alphas[l + 1], sigmas[l + 1] + 1e-6)"),
                     caught_by=sampler_cosines, hint="How noisy is x_t, before the step?")
sample_mixture.wrong("jumps to the denoised sample",
                     replace=("ddim_step(x_t, x_bar, alphas[l], sigmas[l], alphas[l + 1], sigmas[l + 1])", "x_bar"),
                     caught_by=sampler_residual, hint="Denoised in one go, samples lie between the data. A step goes part of it.")
sample_mixture.wrong("ends of the step exchanged",
                     replace=("alphas[l], sigmas[l], alphas[l + 1], sigmas[l + 1])",
                              "alphas[l + 1], sigmas[l + 1] + 1e-6, alphas[l], sigmas[l])"),
                     caught_by=sampler_residual, hint="ddim_step takes the factors of the noisier time first.")
sample_mixture.wrong("every step starts anew", replace=("X_t = columns(step)(X_t)", "X_s = columns(step)(X_t)"),
                     caught_by=sampler_residual, hint="What does the second step start from?")
sample_mixture.wrong("denoises once more at the end",
                     replace=("return X_t", "return columns(lambda x: process_mixture_denoiser(pi, mus, Sigmas, x, alphas[-1], "
                              "sigmas[-1] + 1e-6))(X_t)"),
                     caught_by=sampler_residual, hint="The grid says where to stop: at the last noise level, not beyond it.")


@sample_mixture.right("all columns at once, in NumPy")
def _(pi, mus, Sigmas, X_t, alphas, sigmas):
    pi, mus, Sigmas, X = (np.asarray(a, dtype=float) for a in (pi, mus, Sigmas, X_t))
    alphas, sigmas = np.asarray(alphas, dtype=float), np.asarray(sigmas, dtype=float)
    for a, s, a_s, s_s in zip(alphas, sigmas, alphas[1:], sigmas[1:]):
        S = a**2 * Sigmas + s**2 * np.eye(len(X))
        R = X - a * mus[:, :, None]
        Z = np.linalg.solve(S, R)
        logs = np.log(pi)[:, None] - 0.5 * (R * Z).sum(axis=1) - 0.5 * np.linalg.slogdet(S)[1][:, None]
        w = np.exp(logs - logs.max(axis=0))
        X_bar = ((mus[:, :, None] + a * Sigmas @ Z) * (w / w.sum(axis=0))[:, None]).sum(axis=0)
        X = a_s * X_bar + s_s * (X - a * X_bar) / s
    return X


@sample_mixture.right("as samples where noise is only added, scaled back at the end")
def _(pi, mus, Sigmas, X_t, alphas, sigmas):
    Y = X_t / jnp.maximum(alphas[0], 1e-6)
    rho = sigmas / jnp.maximum(alphas, 1e-6)
    for t, s in zip(rho, rho[1:]):
        Y_bar = columns(lambda y: process_mixture_denoiser(pi, mus, Sigmas, y, 1.0, t))(Y)
        Y = s / t * Y + (1 - s / t) * Y_bar
    return alphas[-1] * Y


to_ve = Exercise(
    "ch03.to_ve", "Every process is one process", principles=["P3.19"], label="eq:gen_additive_gaussian_noise_model", minutes=4,
    level="more", objective="see that a process with factors alpha, sigma is one that only adds noise, in other units",
    hints=["Divide x_t = alpha x + sigma g by something, so that x stands alone.",
           "x_t / alpha = x + rho g. What is rho?"])


@to_ve.law("x + rho g with the returned rho, for the x and the g that made x_t")
def ve_of_a_sample(f, rng):
    x, g = rng.normal(size=3), rng.normal(size=3)
    y, rho = f(0.4 * x + 0.9 * g, 0.4, 0.9)
    close(y, x + float(rho) * g)


@to_ve.law("the same posterior weights of seven atoms")
def ve_weights(f, rng):
    atoms, x_t = rng.normal(size=(7, 3)), rng.normal(size=3)
    y, rho = f(x_t, 0.6, 0.8)
    close(atom_weights(atoms, np.asarray(y, dtype=float), 1.0, float(rho)), atom_weights(atoms, x_t, 0.6, 0.8))


@to_ve.law("nothing changes for alpha = 1")
def ve_already(f, rng):
    x_t = rng.normal(size=3)
    y, rho = f(x_t, 1.0, 2.5)
    close(y, x_t)
    close(rho, 2.5)


to_ve.wrong("multiplies by alpha", replace=("x_t / alpha", "x_t * alpha"), caught_by=ve_of_a_sample,
            hint="x_t contains alpha x. How do you get x?")
to_ve.wrong("the noise keeps its size", replace=("sigma / alpha", "sigma"), caught_by=ve_of_a_sample,
            hint="Dividing x_t divides its noise too.")
to_ve.wrong("leaves x_t where it is", replace=("x_t / alpha", "x_t"), caught_by=ve_weights,
            hint="Then x is still multiplied by alpha.")
to_ve.wrong("the share of the noise in the variance", replace=("sigma / alpha", "sigma / (alpha**2 + sigma**2) ** 0.5"),
            caught_by=ve_weights, hint="Once x has the factor 1, which factor has g?")


@to_ve.right("in NumPy")
def _(x_t, alpha, sigma):
    return np.multiply(x_t, 1 / alpha), np.float32(sigma) / np.float32(alpha)


ddim_gain = Exercise(
    "ch03.ddim_gain", "What a sampler does to one direction", principles=["P3.19"], label="ex:single_gaussian_denoising",
    minutes=10, level="more", objective="say what a sampler makes of a Gaussian, exactly, without running it",
    hints=["Put x_bar = alpha lam / (alpha^2 lam + sigma^2) x_t into the DDIM step and bring both terms over one denominator.",
           "A step multiplies by (alpha_s alpha lam + sigma_s sigma) / (alpha^2 lam + sigma^2).",
           "Add the logarithms of these, over the steps: products of all numerators overflow."])


@ddim_gain.law("the lengths at both ends, and between them the cosines of the angles")
def gain_cosines(f, rng):
    lams, angles = np.array([0.1, 1.0, 6.0]), np.sort(rng.uniform(0.1, 1.4, size=6))[::-1]
    alphas, sigmas = np.cos(angles) * 2, np.sin(angles) * 3
    v = np.stack([alphas[:, None] * np.sqrt(lams), np.broadcast_to(sigmas[:, None], (6, 3))])
    lengths, turns = np.sqrt((v**2).sum(axis=0)), np.diff(np.arctan2(v[1], v[0]), axis=0)
    close(f(lams, alphas, sigmas), lengths[-1] / lengths[0] * np.cos(turns).prod(axis=0))


@ddim_gain.law("the last sigma over the first where there is no data")
def gain_of_nothing(f, rng):
    sigmas = np.array([2.0, 1.5, 1.0, 0.8, 0.5, 0.3])
    close(f(np.array([0.0, 1.0, 2.0]), np.linspace(0.2, 1, 6), sigmas)[0], 0.15)


@ddim_gain.law("in many small steps, the ratio of standard deviations")
def gain_limit(f, rng):
    lams, sigmas = np.array([0.5, 2.0, 9.0]), np.linspace(3, 0, 4001)
    close(f(lams, np.ones(4001), sigmas), np.sqrt(lams / (lams + 9)), tol=5)


@ddim_gain.law("a number also for a large start and many steps")
def gain_large(f, rng):
    lams, sigmas = np.array([1.0, 1e4, 1e6]), np.linspace(1e3, 0, 4001)
    right = np.sqrt(lams / (lams + 1e6))
    gain = f(lams, np.ones(4001), sigmas)
    holds(np.all(gain < right * 1.001) and np.all(gain > 0.2 * right), "the gain is not between 0.2 and 1 of the right one")


ddim_gain.wrong("the later length in the denominator",
                replace=("a[:-1] ** 2 * lams + s[:-1] ** 2", "a[1:] ** 2 * lams + s[1:] ** 2"), caught_by=gain_limit,
                hint="The denoiser is that of time t, where the step begins.")
ddim_gain.wrong("standard deviations for eigenvalues", replace=("a[:-1] * lams", "a[:-1] * np.sqrt(lams)"),
                caught_by=gain_cosines, hint="lam is a variance: how does it enter alpha Sigma (alpha^2 Sigma + sigma^2 I)^-1?")
ddim_gain.wrong("the gain of the denoiser alone", replace=(" + s[1:] * s[:-1]", ""), caught_by=gain_of_nothing,
                hint="A step keeps part of x_t itself.")
ddim_gain.wrong("a product before the logarithm",
                replace=("np.exp(np.sum(np.log(top) - np.log(bottom), axis=0))",
                         "np.prod(top, axis=0) / np.prod(bottom, axis=0)"),
                caught_by=gain_large, hint="How large is the product of four thousand numbers of size 1e6?")
ddim_gain.wrong("the mean factor of a step", replace=("np.sum(", "np.mean("), caught_by=gain_cosines,
                hint="Steps follow one another: their factors multiply.")


@ddim_gain.right("in JAX, by lengths and cosines")
def _(lams, alphas, sigmas):
    v = jnp.stack([jnp.outer(alphas, jnp.sqrt(lams)), jnp.outer(sigmas, jnp.ones(len(lams)))])
    inner, squares = (v[:, 1:] * v[:, :-1]).sum(axis=0), (v[:, :-1] ** 2).sum(axis=0)
    return jnp.exp(jnp.log(inner / squares).sum(axis=0))


@ddim_gain.right("step by step, in NumPy")
def _(lams, alphas, sigmas):
    lams, gain = np.asarray(lams, dtype=float), 1.0
    alphas, sigmas = np.asarray(alphas, dtype=float), np.asarray(sigmas, dtype=float)
    for a, s, a_s, s_s in zip(alphas, sigmas, alphas[1:], sigmas[1:]):
        x_bar = a * lams / (a**2 * lams + s**2)
        gain = gain * (s_s / s + (a_s - s_s / s * a) * x_bar)
    return gain


process_gains = Exercise(
    "ch03.process_gains", "Three processes on uniform times", principles=["P3.19"], book="exercise:implement_denoising_processes",
    minutes=10, level="more", needs=["ch03.ddim_gain"],
    objective="compare noising processes at equal numbers of steps, direction by direction",
    hints=["Three pairs of arrays alphas, sigmas on the times T (1 - l / L), and your ddim_gain three times.",
           "A start of the right law has standard deviation sqrt(alpha_T^2 lam + sigma_T^2); the output should have sqrt(lam).",
           "A row is ddim_gain(lams, alphas, sigmas) times the start's standard deviation, divided by sqrt(lam)."])


def shares(lams, alphas, sigmas):
    """Products of the cosines of the angles between neighbours among (alpha sqrt(lam), sigma)."""
    angles = np.arctan2(sigmas[:, None], alphas[:, None] * np.sqrt(lams))
    return np.cos(np.diff(angles, axis=0)).prod(axis=0)


@process_gains.law("products of cosines on the three grids")
def three_grids(f, rng):
    lams, u = np.array([0.01, 0.5, 4.0, 25.0]), np.linspace(1, 0, 21)
    close(f(lams, 20), [shares(lams, np.ones(21), 10 * u), shares(lams, np.sqrt(1 - u**2), u), shares(lams, 1 - u, u)])


@process_gains.law("with one step 0 for VP and FLOW, which answer the mean, and sqrt(lam / (lam + 100)) for VE")
def one_step(f, rng):
    lams = np.array([0.01, 0.5, 4.0, 25.0])
    close(f(lams, 1), [np.sqrt(lams / (lams + 100)), 0 * lams, 0 * lams])


@process_gains.law("for FLOW the same for lam and 1 / lam")
def flow_symmetry(f, rng):
    lams = np.array([0.2, 0.5, 2.0, 5.0])
    gains = f(lams, 20)[2]
    close(gains, gains[::-1])
    holds(np.all(gains > 0.5), "twenty steps of FLOW keep less than half")


@process_gains.law("never above 1, and closer to it with 20 steps than with one")
def more_steps(f, rng):
    lams = np.array([0.5, 1.0, 2.0, 4.0])
    few, many = f(lams, 1), f(lams, 20)
    holds(np.all(many < 1 + 1e-4) and np.all(many > few + 0.1), "with twenty steps too little is kept, or too much")


process_gains.wrong("VP with alpha = 1 - t^2", replace=("np.sqrt(1 - u**2)", "1 - u**2"), caught_by=three_grids,
                    hint="alpha^2 + sigma^2 = 1: the variance is what VP preserves.")
process_gains.wrong("FLOW with sigma = sqrt(t)", replace=("(1 - u, u)", "(1 - u, np.sqrt(u))"), caught_by=three_grids,
                    hint="FLOW goes from x to noise along a straight line.")
process_gains.wrong("VE from T = 1", replace=("10 * u", "u"), caught_by=one_step, hint="VE starts at T = 10.")
process_gains.wrong("the gain itself", replace=(" * start / np.sqrt(lams)", ""), caught_by=more_steps,
                    hint="Compare with what is right: a start's standard deviation has to become sqrt(lam).")
process_gains.wrong("divides by the eigenvalue", replace=("/ np.sqrt(lams)", "/ lams"), caught_by=more_steps,
                    hint="lam is a variance.")
process_gains.wrong("starts VE from pure noise", replace=("alphas[0] ** 2 * lams + sigmas[0] ** 2", "sigmas[0] ** 2"),
                    caught_by=one_step, hint="x_T still contains alpha_T x.")


@process_gains.right("by cosines, in NumPy")
def _(lams, L):
    lams, t, rows = np.asarray(lams, dtype=float), np.linspace(1, 0, L + 1), []
    for a, s in ((1 + 0 * t, 10 * t), (np.sqrt(1 - t * t), t), (1 - t, t)):
        v = np.stack([np.outer(a, np.sqrt(lams)), np.outer(s, np.ones(len(lams)))])
        v = v / np.linalg.norm(v, axis=0)
        rows.append((v[:, 1:] * v[:, :-1]).sum(axis=0).prod(axis=0))
    return np.array(rows)


# P3.22

rounded_denoiser = Exercise(
    "ch03.rounded_denoiser", "A denoiser that is almost the best one", principles=["P3.22"], label="eq:diffusion_sampling_error",
    minutes=6, level="more", objective="measure the error of a denoiser as the sampling theorem does",
    hints=["To the next multiple of eps: divide by eps, round, multiply by eps.",
           "The score is (alpha x_bar - x_t) / sigma^2. What does it change by when x_bar changes?"])


@rounded_denoiser.law("all entries of the first are multiples of eps")
def on_the_grid(f, rng):
    rounded, _ = f(rng.normal(size=4), 0.8, 0.6, 0.25)
    close(rounded / 0.25, np.round(np.asarray(rounded, dtype=float) / 0.25))


@rounded_denoiser.law("no entry moves by more than half of eps")
def moves_little(f, rng):
    x_bar = 3 * rng.normal(size=4)
    rounded, _ = f(x_bar, 0.8, 0.6, 0.25)
    holds(np.abs(rounded - x_bar).max() <= 0.125 + 1e-4, "an entry moves by more than eps / 2")


@rounded_denoiser.law("the second is the squared distance between the two scores")
def score_distance(f, rng):
    x_bar, x_t, alpha, sigma = rng.normal(size=4), rng.normal(size=4), 0.5, 0.7
    rounded, excess = f(x_bar, alpha, sigma, 0.5)
    score = lambda x: (alpha * x - x_t) / sigma**2
    close(excess, ((score(np.asarray(rounded, dtype=float)) - score(x_bar)) ** 2).sum())


@rounded_denoiser.law("nothing happens to multiples of eps")
def already_there(f, rng):
    x_bar = 0.5 * rng.integers(-6, 7, size=4)
    rounded, excess = f(x_bar.astype(float), 0.8, 0.6, 0.5)
    close(rounded, x_bar)
    close(excess, 0)


rounded_denoiser.wrong("rounds down", replace=("jnp.round(", "jnp.floor("), caught_by=moves_little,
                       hint="The nearest multiple can lie above.")
rounded_denoiser.wrong("rounds to whole numbers", replace=("eps * jnp.round(x_bar / eps)", "jnp.round(x_bar)"),
                       caught_by=moves_little, hint="The grid has the spacing eps.")
rounded_denoiser.wrong("forgets to scale back", replace=("eps * jnp.round", "jnp.round"), caught_by=moves_little,
                       hint="Which multiple of eps is meant by the whole number 3?")
rounded_denoiser.wrong("a factor that is not squared", replace=("(alpha / sigma**2) ** 2", "(alpha / sigma**2)"),
                       caught_by=score_distance, hint="The squared length of c v is c^2 times that of v.")
rounded_denoiser.wrong("alpha over sigma", replace=("alpha / sigma**2", "alpha / sigma"), caught_by=score_distance,
                       hint="That would be the error of the predicted noise.")
rounded_denoiser.wrong("a mean over entries", replace=("jnp.sum(", "jnp.mean("), caught_by=score_distance,
                       hint="The squared length of a vector is the sum of its squared entries.")


@rounded_denoiser.right("in NumPy, with the remainder")
def _(x_bar, alpha, sigma, eps):
    x_bar = np.asarray(x_bar, dtype=float)
    rest = (x_bar + eps / 2) % eps - eps / 2
    return x_bar - rest, alpha**2 / sigma**4 * float(rest @ rest)


# P3.23

direction_sign = Exercise(
    "ch03.direction_sign", "Which way a step goes", principles=["P3.23"], label="eq:gen_denoising_iteration", minutes=8,
    level="more", objective="recognise a sampling step by the sign of its coefficient, in every form in which it is written",
    hints=["The first is the factor of x_bar in ddim_step.",
           "Put x_bar = (x_t + sigma^2 score) / alpha into the step: what stands before the score?",
           "With x_bar = (x_t - sigma g_bar) / alpha, collect sigma_s g_bar and what comes from alpha_s x_bar."])


@direction_sign.law("three ways to write the same step, for one x and one g")
def three_ways(f, rng):
    x, g = rng.normal(), rng.normal()
    alpha, sigma, alpha_s, sigma_s = 0.5, 0.9, 0.7, 0.4
    x_t, x_s = alpha * x + sigma * g, alpha_s * x + sigma_s * g
    on_x, on_score, on_g = (float(c) for c in f(alpha, sigma, alpha_s, sigma_s))
    close(sigma_s / sigma * x_t + on_x * x, x_s)
    close(alpha_s / alpha * x_t + on_score * (-g / sigma), x_s)
    close(alpha_s / alpha * x_t + on_g * g, x_s)


@direction_sign.law("positive, positive, negative for every step towards less noise")
def signs_of_steps(f, rng):
    for t, s in ((0.9, 0.5), (0.5, 0.2), (0.3, 0.0)):
        for alpha, alpha_s in ((1.0, 1.0), ((1 - t * t) ** 0.5, (1 - s * s) ** 0.5), (1 - t, 1 - s)):
            on_x, on_score, on_g = f(alpha, t, alpha_s, s)
            holds(on_x > 0 and on_score > 0 and on_g < 0, "a step towards the data has another sign")


@direction_sign.law("1 - s/t, t (t - s) and s - t where noise is only added")
def signs_where_noise_is_added(f, rng):
    close(np.array([float(c) for c in f(1.0, 2.0, 1.0, 0.5)]), [0.75, 3.0, -1.5])


@direction_sign.law("all 0 for s = t")
def signs_of_nothing(f, rng):
    close(np.array([float(c) for c in f(0.6, 0.8, 0.6, 0.8)]), [0.0, 0.0, 0.0])


direction_sign.wrong("the sign of the noise", replace=("sigma_s - sigma * alpha_s / alpha", "sigma * alpha_s / alpha - sigma_s"),
                     caught_by=three_ways, hint="Noise is what a step takes away.")
direction_sign.wrong("the score without its sigma^2", replace=("on_x * sigma**2 / alpha", "on_x / alpha"), caught_by=three_ways,
                     hint="How does the score enter Tweedie's formula?")
direction_sign.wrong("the score without alpha", replace=("on_x * sigma**2 / alpha", "on_x * sigma**2"), caught_by=three_ways,
                     hint="Tweedie's formula is divided by alpha.")
direction_sign.wrong("the noise of time s alone", replace=("sigma_s - sigma * alpha_s / alpha", "sigma_s"),
                     caught_by=signs_of_steps, hint="x_bar = (x_t - sigma g_bar) / alpha brings noise of its own.")
direction_sign.wrong("alpha at time t is lost", replace=("alpha_s - ratio * alpha", "alpha_s - ratio"), caught_by=three_ways,
                     hint="Look at ddim_step again.")


@direction_sign.right("by solving for the coefficients, in NumPy")
def _(alpha, sigma, alpha_s, sigma_s):
    # x_s = c x_t + d p for p = x, -g / sigma and g: match what stands before x and before g
    M = lambda p: np.array([[alpha, p[0]], [sigma, p[1]]])
    solve = lambda p: np.linalg.solve(M(p), np.array([alpha_s, sigma_s], dtype=float))[1]
    return solve((1.0, 0.0)), solve((0.0, -1 / sigma)), solve((0.0, 1.0))


# P3.24

flow_step = Exercise(
    "ch03.flow_step", "A step along a velocity", principles=["P3.24"], label="rem:flow_matching", minutes=8, level="more",
    objective="sample by following a velocity, between any two laws",
    hints=["x_t = (1 - t) x + t y. What is its derivative in t?",
           "The velocity is y - x; its mean given x_t is y_bar - x_bar, with x_t = (1 - t) x_bar + t y_bar.",
           "Going back in time from t to s: x_t minus (t - s) times the velocity."])


@flow_step.law("(1 - s) x + s y exactly, where x is known")
def straight_line(f, rng):
    x, y = rng.normal(size=3), rng.normal(size=3)
    close(f(0.3 * x + 0.7 * y, x, 0.7, 0.2), 0.8 * x + 0.2 * y)


@flow_step.law("the mean of x_s given x_t for a y of four values, by counting")
def four_values(f, rng):
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(4, 3))
    t, s = 0.6, 0.25
    pairs = [(a, b) for a in x for b in y]
    x_t = (1 - t) * pairs[7][0] + t * pairs[7][1]
    w = np.array([np.exp(-10 * (((1 - t) * a + t * b - x_t) ** 2).sum()) for a, b in pairs])  # x_t is seen, but not sharply
    w = w / w.sum()
    mean = lambda time: sum(p * ((1 - time) * a + time * b) for p, (a, b) in zip(w, pairs))
    close(f(mean(t), mean(0), t, s), mean(s))


@flow_step.law("x_bar for s = 0, and x_t for s = t")
def flow_ends(f, rng):
    x_t, x_bar = rng.normal(size=3), rng.normal(size=3)
    close(f(x_t, x_bar, 0.4, 0.0), x_bar)
    close(f(x_t, x_bar, 0.4, 0.4), x_t)


@flow_step.law("from t = 1 on, where x_t is y itself")
def flow_start(f, rng):
    y, x_bar = rng.normal(size=3), rng.normal(size=3)
    close(f(y, x_bar, 1.0, 0.75), 0.75 * y + 0.25 * x_bar)


flow_step.wrong("the velocity points from y to x", replace=("/ t - x_bar", "/ t * -1 + x_bar"), caught_by=straight_line,
                hint="As t grows, x_t leaves x and comes to y.")
flow_step.wrong("forward in time", replace=("x_t - (t - s)", "x_t + (t - s)"), caught_by=flow_ends,
                hint="A velocity says where x_t goes as t grows. You go back.")
flow_step.wrong("y without its factor", replace=("(x_t - (1 - t) * x_bar) / t", "(x_t - (1 - t) * x_bar)"),
                caught_by=straight_line, hint="x_t - (1 - t) x is t y.")
flow_step.wrong("x_t taken for y", replace=("(x_t - (1 - t) * x_bar) / t", "x_t"), caught_by=straight_line,
                hint="Only at t = 1 is x_t equal to y.")
flow_step.wrong("all the way to 0", replace=("(t - s) * v_bar", "t * v_bar"), caught_by=flow_start,
                hint="The step ends at time s.")


@flow_step.right("as a point between x_t and x_bar, in NumPy")
def _(x_t, x_bar, t, s):
    return np.asarray(x_bar) + s / t * (np.asarray(x_t) - np.asarray(x_bar))


# P3.25

flow_map = Exercise(
    "ch03.flow_map", "From any time to any other in one step", principles=["P3.25"], minutes=8, level="more",
    objective="write the map that an ideal few-step model would have to learn, and tell it from a posterior mean",
    hints=["The path keeps pace with the law: at time t coordinate i has the variance lam_i + t^2.",
           "A path stays at the same number of standard deviations from 0.",
           "x_s = x_t times the ratio of the standard deviations at s and at t."])
FLOW_LAMS = np.array([4.0, 0.5, 0.0])


@flow_map.law("going by way of u is going directly")
def semigroup(f, rng):
    x_t = rng.normal(size=3)
    close(f(FLOW_LAMS, f(FLOW_LAMS, x_t, 2.0, 1.0), 1.0, 0.5), f(FLOW_LAMS, x_t, 2.0, 0.5))


@flow_map.law("the identity for s = t")
def flow_stays(f, rng):
    x_t = rng.normal(size=3)
    close(f(FLOW_LAMS, x_t, 1.5, 1.5), x_t)


@flow_map.law("sends the law of x_t to the law of x_s: one standard deviation to one standard deviation")
def flow_of_laws(f, rng):
    close(f(FLOW_LAMS, np.sqrt(FLOW_LAMS + 4.0), 2.0, 0.7), np.sqrt(FLOW_LAMS + 0.49))


@flow_map.law("the end of many small DDIM steps")
def flow_of_steps(f, rng):
    x = x_t = rng.normal(size=3)
    times = np.linspace(2.0, 0.5, 2001)
    for t, s in zip(times, times[1:]):
        x = s / t * x + (1 - s / t) * FLOW_LAMS / (FLOW_LAMS + t**2) * x
    close(f(FLOW_LAMS, x_t, 2.0, 0.5), x, tol=5)


flow_map.wrong("the posterior mean", replace=("jnp.sqrt((lams + s**2) / (lams + t**2))", "(lams + s * t) / (lams + t**2)"),
               caught_by=semigroup, hint="E[x_s | x_t] is one DDIM step. Take two half as long: is it the same?")
flow_map.wrong("a ratio of variances", replace=("jnp.sqrt((lams + s**2) / (lams + t**2))", "(lams + s**2) / (lams + t**2)"),
               caught_by=flow_of_laws, hint="Samples scale like standard deviations.")
flow_map.wrong("the noise alone", replace=("jnp.sqrt((lams + s**2) / (lams + t**2))", "s / t"), caught_by=flow_of_laws,
               hint="Right where lam = 0. What else is in x_t?")
flow_map.wrong("from s to t", replace=("(lams + s**2) / (lams + t**2)", "(lams + t**2) / (lams + s**2)"), caught_by=flow_of_laws,
               hint="s is the earlier time, with less noise: does the sample shrink or grow?")
flow_map.wrong("times for their squares", replace=("(lams + s**2) / (lams + t**2)", "(lams + s) / (lams + t)"),
               caught_by=flow_of_laws, hint="The noise t g has the variance t^2.")


@flow_map.right("in logarithms, in NumPy")
def _(lams, x_t, t, s):
    lams = np.asarray(lams, dtype=float)
    return np.exp(0.5 * np.log(lams + s * s) - 0.5 * np.log(lams + t * t)) * np.asarray(x_t)


@flow_map.right("by integrating the velocity with Runge and Kutta's rule")
def _(lams, x_t, t, s):
    x, h = x_t, (s - t) / 100
    for i in range(100):
        u = t + i * h
        v = lambda x, u: u / (lams + u**2) * x  # (x - x_bar) / u
        a = v(x, u)
        b = v(x + h / 2 * a, u + h / 2)
        c = v(x + h / 2 * b, u + h / 2)
        x = x + h / 6 * (a + 2 * b + 2 * c + v(x + h * c, u + h))
    return x
