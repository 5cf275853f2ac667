"""Conventions that a course may ask for instead of the lesson's, so that published solutions do not pass as they stand."""

from book_utils.course.variants import Change, backwards, bits, negative, rows, squared, times
from chapters.ch03_denoising.checks_1_entropy import discrete_entropy, gaussian_entropy
from chapters.ch03_denoising.checks_2a_denoiser import posterior_mean_table, gaussian_denoiser, mixture_denoiser
from chapters.ch03_denoising.checks_2b_tweedie import tweedie
from chapters.ch03_denoising.checks_3a_steps import denoising_step
from chapters.ch03_denoising.checks_3b_processes import ddim_step, sample_mixture
from chapters.ch03_denoising.checks_4a_learned import denoising_loss
from chapters.ch03_denoising.checks_4b_memory import memorizing_denoiser

discrete_entropy.variant("bits", "the logarithm is that to base 2.",
    result=bits,
    words={"in nats": "in bits", "p_i log p_i": "p_i log_2 p_i"})
discrete_entropy.variant("symbols", "the result is the exponential of the entropy, a number of symbols.",
    result=Change("jnp.exp(_)", "jnp.log(_)"),
    words={"Entropy in nats: minus": "The number of equally likely symbols that have the same entropy: the exponential of minus"})

gaussian_entropy.variant("precision", "the Gaussian is given by its precision, the inverse of the covariance.",
    arguments={"Sigma": Change("jnp.linalg.inv(_)", "jnp.linalg.inv(_)", "Precision")},
    words={"N(mu, Sigma) in nats, whatever mu. Sigma: symmetric": "N(mu, Precision^-1) in nats, whatever mu. Precision: symmetric"})
gaussian_entropy.variant("bits", "the logarithm is that to base 2.",
    result=bits,
    words={"in nats": "in bits"})

posterior_mean_table.variant("rows", "points are the rows of X and of the result.",
    arguments={"X": rows}, result=rows,
    words={"Column j is E[x": "Row j is E[x", "x is column i of X": "x is row i of X", "gets a column of zeros": "gets a row of zeros"})
posterior_mean_table.variant("values_first", "the table has a row for every value.",
    arguments={"P": rows},
    words={"where P[i, j] =": "where P[j, i] =", "(a column of zeros in P)": "(a row of zeros in P)"})

gaussian_denoiser.variant("noise", "the result is the mean of the noise g, not of x.",
    result=Change("(x_t - _) / t", "x_t - t * _"),
    words={"E[x | x_t] for x ~": "E[g | x_t] for x ~"})
gaussian_denoiser.variant("score", "the result is the gradient of the log density of x_t, not the mean of x.",
    result=Change("(_ - x_t) / t**2", "x_t + t**2 * _"),
    words={"E[x | x_t] for x ~": "The score of the density of x_t, for x ~"})

mixture_denoiser.variant("noise", "the result is the mean of the noise g, not of x.",
    result=Change("(x_t - _) / t", "x_t - t * _"),
    words={"E[x | x_t], where x": "E[g | x_t], where x"})
mixture_denoiser.variant("score", "the result is the gradient of the log density of x_t, not the mean of x.",
    result=Change("(_ - x_t) / t**2", "x_t + t**2 * _"),
    words={"E[x | x_t], where x": "The score of the density of x_t, where x"})

tweedie.variant("noise", "what is given is the mean of the noise, not the score.",
    arguments={"score": Change("-t * _", "-_ / t", "g_bar")},
    words={"from the score of p_t at x_t (already evaluated: score = grad log p_t(x_t))": "from g_bar = E[g | x_t]"})
tweedie.variant("energy_variance", "the gradient is that of an energy, -log p_t, and the noise is given by its variance.",
    arguments={"score": negative.called("slope"), "t": squared.called("variance")},
    words={
        "from the score of p_t at x_t (already evaluated: score = grad log p_t(x_t)). t > 0":
            "from the gradient of the energy at x_t (already evaluated: slope = grad (-log p_t)(x_t)) and variance = t^2 > 0",
    })

denoising_step.variant("noise", "what is given is the mean of the noise, not of x.",
    arguments={"x_bar": Change("(x_t - _) / t", "x_t - t * _", "g_bar")},
    words={"when x_bar = E[x | x_t] is known": "when g_bar = E[g | x_t] is known", "at s = 0 it is x_bar": "at s = 0 it is E[x | x_t]"})
denoising_step.variant("score", "what is given is the score, not the mean of x.",
    arguments={"x_bar": Change("(_ - x_t) / t**2", "x_t + t**2 * _", "score")},
    words={
        "when x_bar = E[x | x_t] is known": "when score = grad log p_t(x_t) is known",
        "at s = 0 it is x_bar": "at s = 0 it is E[x | x_t]",
    })

ddim_step.variant("change", "the result is what the step adds.",
    result=Change("_ - x_t", "_ + x_t"),
    words={"E[x_s | x_t] from": "E[x_s | x_t] - x_t, the change in one step, from"})
ddim_step.variant("exploding", "the result is in coordinates in which the signal keeps its size.",
    result=Change("_ / alpha_s", "_ * alpha_s"),
    words={"E[x_s | x_t] from": "E[x_s | x_t] / alpha_s from", "alpha and sigma_s may be 0": "alpha and sigma_s may be 0, alpha_s is not"})

sample_mixture.variant("rows", "samples are the rows of X_t and of the result.",
    arguments={"X_t": rows}, result=rows,
    words={"one sample per column": "one sample per row"})
sample_mixture.variant("ascending", "noise levels ascend in the arrays and are walked from the last to the first.",
    arguments={"alphas": backwards, "sigmas": backwards},
    words={
        "at the noise level alphas[0], sigmas[0]": "at the noise level alphas[L], sigmas[L]",
        "from 0 to L - 1, goes from level l to level l + 1; the result is at the last level":
            "from L down to 1, goes from level l to level l - 1; the result is at level 0",
        "sigmas descend, and only the last may be 0": "sigmas ascend, and only the first may be 0",
    })

denoising_loss.variant("rows_sum", "samples and noises are rows, and the loss is a sum.",
    arguments={"X": rows, "G": rows}, result=times("X.shape[1]"),
    words={
        "Sample i, column i of X, has the noise in column i of G": "Sample i, row i of X, has the noise in row i of G",
        "The loss is the mean over": "The loss is the sum over",
    })
denoising_loss.variant("rows_half", "samples and noises are rows, and there is one half before the square.",
    arguments={"X": rows, "G": rows}, result=times("0.5"),
    words={
        "Sample i, column i of X, has the noise in column i of G": "Sample i, row i of X, has the noise in row i of G",
        "of alpha^2 / sigma^2 times": "of alpha^2 / (2 sigma^2) times",
    })

memorizing_denoiser.variant("rows", "samples are the rows of X, of X_t and of the result.",
    arguments={"X": rows, "X_t": rows}, result=rows,
    words={
        "Column m is the posterior mean E[x | x_t] at column x_t of X_t": "Row m is the posterior mean E[x | x_t] at row m of X_t",
        "one of the N columns of X": "one of the N rows of X",
    })
memorizing_denoiser.variant("rows_variance", "samples are rows, and the noise is given by its variance.",
    arguments={"X": rows, "X_t": rows, "sigma": squared.called("variance")}, result=rows,
    words={
        "Column m is the posterior mean E[x | x_t] at column x_t of X_t": "Row m is the posterior mean E[x | x_t] at row m of X_t",
        "one of the N columns of X": "one of the N rows of X",
        "x_t = alpha x + sigma g": "x_t = alpha x + sqrt(variance) g",
        "sigma > 0": "variance > 0",
    })
