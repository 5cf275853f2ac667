"""Exercises of Part 4, first half, learned denoisers: P3.20 and P3.21. Oracles: NumPy, float64, nothing shared with answers."""

import jax.numpy as jnp
import numpy as np

from book_utils import diffusion
from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds


def training_batch(rng, D=5, N=10):
    """A matrix, samples, noises and times in (0.2, 0.9), one for each sample."""
    return rng.normal(size=(D, D)), rng.normal(size=(D, N)), rng.normal(size=(D, N)), rng.uniform(0.2, 0.9, size=N)


def loss_by_samples(A, X, G, ts):
    """The weighted loss, sample by sample."""
    total = 0.0
    for x, g, t in zip(X.T, G.T, ts):
        x_t = np.sqrt(1 - t * t) * x + t * g
        error = np.sqrt(1 - t * t) * A.dot(x_t) - x
        total += (1 - t * t) / (t * t) * error.dot(error)
    return total / len(ts)


def full_covariance(rng, lams):
    """A covariance (n, n) with these eigenvalues and no axis of its own among the coordinates."""
    Q = np.linalg.qr(rng.normal(size=(len(lams), len(lams))))[0]
    return (Q * lams) @ Q.T


# P3.20 -----------------------------------------------------------------------------------------------------------

denoising_loss = Exercise(
    "ch03.denoising_loss", "The loss of a batch", principles=["P3.20"], label="eq:parametric_denoising_loss", minutes=10,
    objective="write the loss that trains one denoiser for all noise levels",
    hints=["Four steps: alpha for every sample, the noisy batch, the network's answers, the mean of the weighted errors.",
           "NumPy multiplies a matrix (D, N) by a vector (N,) column by column: ts * G has noise i times ts[i].",
           "alphas = jnp.sqrt(1 - ts**2), X_t = alphas * X + ts * G, X_bar = alphas * (A @ X_t).",
           "((X_bar - X) ** 2).sum(axis=0) has one squared length a sample. Weight by alphas**2 / ts**2, then take the mean."])


@denoising_loss.law("for A = 0, the mean over the samples of alpha^2 / t^2 ||x||^2")
def loss_of_zero(f, rng):
    A, X, G, ts = training_batch(rng)
    close(f(0 * A, X, G, ts), np.mean([(1 / t**2 - 1) * (x @ x) for x, t in zip(X.T, ts)]))


@denoising_loss.law("for A = I and X = 0, the mean over the samples of alpha^4 ||g||^2")
def loss_of_noise_alone(f, rng):
    A, X, G, ts = training_batch(rng)
    close(f(np.eye(5), 0 * X, G, ts), np.mean([(1 - t**2) ** 2 * (g @ g) for g, t in zip(G.T, ts)]))


@denoising_loss.law("for a projector of rank 2, x in its range and noises that average like Gaussian ones: "
                    "alpha^2 t^2 ||x||^2 + 2 alpha^4")
def loss_of_projector(f, rng):
    U = np.linalg.qr(rng.normal(size=(5, 2)))[0]
    x, t = U @ rng.normal(size=2), rng.uniform(0.3, 0.8)
    G = np.sqrt(5) * np.hstack([np.eye(5), -np.eye(5)])  # mean 0, covariance I
    close(f(U @ U.T, np.tile(x[:, None], 10), G, np.full(10, t)), (1 - t**2) * t**2 * (x @ x) + 2 * (1 - t**2) ** 2)


@denoising_loss.law("is what its samples give one by one, each with its own noise and its own time")
def loss_one_by_one(f, rng):
    batch = training_batch(rng)
    close(f(*batch), loss_by_samples(*batch))


@denoising_loss.law("at t = 1 a sample costs nothing")
def loss_at_the_end(f, rng):
    A, X, G, ts = training_batch(rng)
    ts[3:] = 1.0
    close(f(A, X, G, ts), 0.3 * loss_by_samples(A, X[:, :3], G[:, :3], ts[:3]))


denoising_loss.wrong("one time for the whole batch", replace=("alphas = jnp.sqrt(1 - ts**2)",
                     "ts = ts[0]\n    alphas = jnp.sqrt(1 - ts**2)"), caught_by=loss_of_zero,
                     hint="A step that sees one time only learns that time and forgets another. Each sample has its own.")
denoising_loss.wrong("one noise for the whole batch", replace=("ts * G", "ts * G[:, :1]"), caught_by=loss_of_noise_alone,
                     hint="Each sample has its own noise, the column of G with its number.")
denoising_loss.wrong("compares with the noisy sample", replace=("X_bar - X)", "X_bar - X_t)"), caught_by=loss_of_zero,
                     hint="A network that is asked for x_t learns to copy. What should it give back?")
denoising_loss.wrong("mean over the entries instead of their sum", replace=(".sum(axis=0)", ".mean(axis=0)"),
                     caught_by=loss_of_zero,
                     hint="A squared length is a sum over the D entries. With a mean the least loss would not count dimensions.")
denoising_loss.wrong("sum over the batch", replace=("jnp.mean(", "jnp.sum("), caught_by=loss_of_zero,
                     hint="The batch stands for an expectation: take the mean.")
denoising_loss.wrong("no weight", replace=("alphas**2 / ts**2 * ", ""), caught_by=loss_of_zero,
                     hint="Each sample's squared error is weighted by alpha^2 / sigma^2.")
denoising_loss.wrong("weight not squared", replace=("alphas**2 / ts**2", "alphas / ts"), caught_by=loss_of_zero,
                     hint="The weight is alpha^2 / sigma^2.")
denoising_loss.wrong("the weight upside down", replace=("alphas**2 / ts**2", "ts**2 / alphas**2"), caught_by=loss_of_zero,
                     hint="Which times should count more, those with little noise or those with much?")
denoising_loss.wrong("alpha = 1 - t", replace=("jnp.sqrt(1 - ts**2)", "1 - ts"), caught_by=loss_of_noise_alone,
                     hint="This is another process. Here alpha^2 + sigma^2 = 1.")
denoising_loss.wrong("the network is not told the time", replace=("alphas * (A @ X_t)", "A @ X_t"), caught_by=loss_of_noise_alone,
                     hint="The network is x_bar = alpha A x_t: the factor alpha is what it does with the time.")


@denoising_loss.right("sample by sample, in NumPy")
def _(A, X, G, ts):
    A, X, G, losses = np.asarray(A), np.asarray(X), np.asarray(G), []
    for i, t in enumerate(np.asarray(ts)):
        alpha = (1 - t**2) ** 0.5
        gap = alpha * (A @ (alpha * X[:, i] + t * G[:, i])) - X[:, i]
        losses.append((alpha / t) ** 2 * (gap @ gap))
    return np.mean(losses)


@denoising_loss.right("the errors weighted before they are squared")
def _(A, X, G, ts):
    signal = 1 - ts**2
    weighted = jnp.sqrt(signal) / ts * X - signal / ts * (A @ (ts * G + jnp.sqrt(signal) * X))
    return jnp.sum(weighted**2) / len(ts)


weighted_mmse = Exercise(
    "ch03.weighted_mmse", "The least weighted loss", principles=["P3.20"], label="eq:parametric_denoising_loss", minutes=6,
    level="more", objective="say what the weighted denoising loss counts",
    hints=["In the eigenbasis the problem falls apart into D problems with one number each.",
           "A number of variance lam, seen as alpha x + sigma g, has posterior variance lam sigma^2 / (alpha^2 lam + sigma^2).",
           "Times alpha^2 / sigma^2 that is alpha^2 lam / (alpha^2 lam + sigma^2). Add them up."])


@weighted_mmse.law("alpha^2 / sigma^2 times the trace of the posterior covariance, which is (Sigma^-1 + alpha^2 / sigma^2 I)^-1")
def weighted_trace(f, rng):
    lams, alpha, sigma = rng.uniform(0.2, 3, size=5), 0.7, 0.4
    Sigma = full_covariance(rng, lams)
    posterior = np.linalg.inv(np.linalg.inv(Sigma) + alpha**2 / sigma**2 * np.eye(5))
    close(f(lams, alpha, sigma), alpha**2 / sigma**2 * np.trace(posterior))


@weighted_mmse.law("counts the eigenvalues that are not 0, as sigma tends to 0")
def weighted_rank(f, rng):
    lams = np.array([4.0, 0.0, 1.0, 0.5, 0.0])
    close(f(lams, 0.9, 1e-3), 3.0)
    holds(float(f(lams, 0.9, 0.3)) < 2.99, "with much noise fewer directions stand out")


@weighted_mmse.law("0 where x_t is noise alone")
def weighted_noise(f, rng):
    close(f(rng.uniform(0.2, 3, size=5), 0.0, 1.0), 0.0)


@weighted_mmse.law("depends on alpha and sigma through their quotient alone")
def weighted_quotient(f, rng):
    lams = rng.uniform(0.2, 3, size=5)
    close(f(lams, 0.5, 0.25), f(lams, 2.0, 1.0))


@weighted_mmse.law("no factor c in x_bar = c x_t does better, for equal eigenvalues")
def weighted_search(f, rng):
    lam, alpha, sigma = rng.uniform(0.5, 2), 0.6, 0.5
    factors = np.linspace(0, 2, 20_001)
    loss = alpha**2 / sigma**2 * ((1 - factors * alpha) ** 2 * lam + factors**2 * sigma**2)
    close(f(np.full(5, lam), alpha, sigma), 5 * loss.min())


weighted_mmse.wrong("without the weight", replace=("(alpha**2 * lams /", "(sigma**2 * lams /"), caught_by=weighted_noise,
                    hint="That is the mean squared error itself. It is to be multiplied by alpha^2 / sigma^2.")
weighted_mmse.wrong("alpha not squared below", replace=("alpha**2 * lams + sigma**2", "alpha * lams + sigma**2"),
                    caught_by=weighted_rank, hint="The variance of x_t along an eigenvector is alpha^2 lam + sigma^2.")
weighted_mmse.wrong("standard deviation for variance", replace=(" + sigma**2)", " + sigma)"), caught_by=weighted_quotient,
                    hint="sigma g has variance sigma^2.")
weighted_mmse.wrong("mean over the directions", replace=(".sum()", ".mean()"), caught_by=weighted_rank,
                    hint="||x_bar - x||^2 is a sum over the D directions.")
weighted_mmse.wrong("counts the directions without data", replace=("(alpha**2 * lams / (", "(sigma**2 / ("),
                    caught_by=weighted_rank, hint="A direction with lam = 0 has no error: x_bar knows that there is nothing.")
weighted_mmse.wrong("the variance of x_bar instead", replace=("(alpha**2 * lams / (", "(alpha**2 * lams**2 / ("),
                    caught_by=weighted_trace,
                    hint="This is what the output explains. Asked for is what it misses, times the weight.")


@weighted_mmse.right("through the posterior variances, in NumPy")
def _(lams, alpha, sigma):
    total = 0.0
    for lam in np.asarray(lams, dtype=float):
        gain = alpha * lam / (alpha**2 * lam + sigma**2)
        total += (lam - gain * alpha * lam) * alpha**2 / sigma**2
    return total


denoiser_step = Exercise(
    "ch03.denoiser_step", "One step of training", principles=["P3.20"], label="alg:learning_denoiser", minutes=12, level="more",
    objective="train a linear denoiser by gradients written out by hand",
    hints=["Begin as in the loss: alphas, X_t, and errors = alphas * (A @ X_t) - X.",
           "For one sample the gradient is 2 w alpha e x_t^T, where w = alpha^2 / t^2 and e is its error.",
           "A sum of outer products e_i x_i^T is one matrix product: E @ X_t.T, with columns scaled beforehand.",
           "A - eta * 2 / len(ts) * (alphas**3 / ts**2 * errors) @ X_t.T, since w alpha = alpha^3 / t^2."])


@denoiser_step.law("moves against the gradient of the loss, by differences in every entry of A")
def step_by_differences(f, rng):
    A, X, G, ts = training_batch(rng)
    gradient, h = np.zeros((5, 5)), 1e-5
    for i in range(5):
        for j in range(5):
            E = np.zeros((5, 5))
            E[i, j] = h
            gradient[i, j] = (loss_by_samples(A + E, X, G, ts) - loss_by_samples(A - E, X, G, ts)) / (2 * h)
    close(f(A, X, G, ts, 0.02), A - 0.02 * gradient)


@denoiser_step.law("stays where weighted least squares is at its minimum")
def step_at_minimum(f, rng):
    _, X, G, ts = training_batch(rng)
    alphas = np.sqrt(1 - ts**2)
    inputs = alphas * (alphas * X + ts * G)
    root = alphas / ts
    A = np.linalg.lstsq((root * inputs).T, (root * X).T, rcond=None)[0].T
    close(f(A, X, G, ts, 0.1), A, tol=5)


@denoiser_step.law("from A = 0, eta 2 alpha^3 / t^2 x x_t^T on average")
def step_from_zero(f, rng):
    A, X, G, ts = training_batch(rng)
    moves = [2 * (1 - t**2) ** 1.5 / t**2 * np.outer(x, np.sqrt(1 - t**2) * x + t * g) for x, g, t in zip(X.T, G.T, ts)]
    close(f(0 * A, X, G, ts, 0.1), 0.1 * np.mean(moves, axis=0))


@denoiser_step.law("a small step lowers the loss, and eta = 0 changes nothing")
def step_descends(f, rng):
    A, X, G, ts = training_batch(rng)
    close(f(A, X, G, ts, 0.0), A)
    after = np.asarray(f(A, X, G, ts, 1e-3), dtype=float)
    holds(loss_by_samples(after, X, G, ts) < loss_by_samples(A, X, G, ts), "the loss does not fall")


denoiser_step.wrong("uphill", replace=("A - eta", "A + eta"), caught_by=step_descends, hint="The loss is to become smaller.")
denoiser_step.wrong("the inner derivative is forgotten", replace=("alphas**3", "alphas**2"), caught_by=step_from_zero,
                    hint="The network is alpha A x_t: the chain rule brings one more alpha beside the weight.")
denoiser_step.wrong("no weight", replace=("alphas**3 / ts**2 * errors", "alphas * errors"), caught_by=step_from_zero,
                    hint="The loss is weighted by alpha^2 / t^2, sample by sample, and so is its gradient.")
denoiser_step.wrong("without the two of the square", replace=("eta * 2 /", "eta /"), caught_by=step_from_zero,
                    hint="What is the derivative of a square?")
denoiser_step.wrong("sum over the batch", replace=(" / len(ts)", ""), caught_by=step_from_zero,
                    hint="The loss is a mean over the samples.")
denoiser_step.wrong("outer products with the clean samples", replace=("@ X_t.T", "@ X.T"), caught_by=step_at_minimum,
                    hint="What does A multiply: x or x_t?")
denoiser_step.wrong("the gradient transposed",
                    replace=("(alphas**3 / ts**2 * errors) @ X_t.T", "X_t @ (alphas**3 / ts**2 * errors).T"),
                    caught_by=step_from_zero, hint="Entry (i, j) is error i times input j.")
denoiser_step.wrong("the same time for all",
                    replace=("alphas = jnp.sqrt(1 - ts**2)", "ts = 0 * ts + ts.mean()\n    alphas = jnp.sqrt(1 - ts**2)"),
                    caught_by=step_by_differences, hint="Every sample has its own time.")


@denoiser_step.right("sample by sample, in NumPy")
def _(A, X, G, ts, eta):
    A, X, G, gradient = np.asarray(A), np.asarray(X), np.asarray(G), np.zeros(np.shape(A))
    for x, g, t in zip(X.T, G.T, np.asarray(ts)):
        alpha = np.sqrt(1 - t**2)
        x_t = alpha * x + t * g
        gradient = gradient + 2 * (alpha / t) ** 2 * alpha * np.outer(alpha * A @ x_t - x, x_t)
    return A - eta * gradient / len(ts)


@denoiser_step.right("from second moments")
def _(A, X, G, ts, eta):
    alphas = jnp.sqrt(1 - ts**2)
    X_t, weights = alphas * X + ts * G, (alphas / ts) ** 2
    second = jnp.einsum("in,n,jn->ij", X_t, weights * alphas**2, X_t)
    cross = jnp.einsum("in,n,jn->ij", X, weights * alphas, X_t)
    return A - 2 * eta * (A @ second - cross) / X.shape[1]


preconditioning = Exercise(
    "ch03.preconditioning", "What the network need not learn", principles=["P3.20"], label="alg:learning_denoiser", minutes=10,
    level="more", objective="build what is known of a denoiser into the network, and leave it a task of unit size",
    hints=["One direction at a time: x has variance lam, x_t has variance alpha^2 lam + sigma^2, and E[x x_t] = alpha lam.",
           "The best factor is E[x x_t] / E[x_t^2]. What is left has variance E[x^2] - E[x x_t]^2 / E[x_t^2].",
           "c_skip = alpha lam / v, c_out = sqrt(lam sigma^2 / v), c_in = 1 / sqrt(v), with v = alpha^2 lam + sigma^2."])


def four_points(lam, alpha, sigma):
    """x and x_t of a law with the wanted moments: x = +-sqrt(lam) and g = +-1, independent, four equally likely pairs."""
    x, g = np.sqrt(lam) * np.array([1, 1, -1, -1]), np.array([1, -1, 1, -1])
    return x, alpha * x + sigma * g


def factors_of(f, rng, alpha=0.7, sigma=0.5):
    lams = rng.uniform(0.2, 3, size=5)
    return [(*map(float, c), *four_points(lam, alpha, sigma)) for *c, lam in zip(*f(lams, alpha, sigma), lams)]


@preconditioning.law("the network's input has variance 1 in every direction")
def precondition_input(f, rng):
    for _, _, c_in, _, x_t in factors_of(f, rng):
        close(np.mean((c_in * x_t) ** 2), 1.0)


@preconditioning.law("what c_skip x_t leaves over is uncorrelated with x_t")
def precondition_skip(f, rng):
    for c_skip, _, _, x, x_t in factors_of(f, rng):
        close(np.mean((x - c_skip * x_t) * x_t), 0.0)


@preconditioning.law("the network's target has variance 1 in every direction")
def precondition_target(f, rng):
    for c_skip, c_out, _, x, x_t in factors_of(f, rng):
        holds(c_out > 0, "c_out is not positive")
        close(np.mean(((x - c_skip * x_t) / c_out) ** 2), 1.0)


@preconditioning.law("nothing is skipped where x_t is noise alone; nearly all where there is hardly any noise")
def precondition_ends(f, rng):
    lams = rng.uniform(0.2, 3, size=5)
    for actual, expected in zip(f(lams, 0.0, 1.0), (np.zeros(5), np.sqrt(lams), np.ones(5))):
        close(actual, expected)
    c_skip, c_out, _ = f(lams, 0.5, 1e-4)
    close(c_skip, np.full(5, 2.0))
    close(c_out, np.full(5, 2e-4))


preconditioning.wrong("skips x_t / alpha, as if there were no noise",
                      replace=("return alpha * lams / size**2", "return lams / lams / alpha"), caught_by=precondition_skip,
                      hint="Part of x_t is noise: the best factor is smaller than 1 / alpha.")
preconditioning.wrong("the factor of plain noise, without alpha", replace=("return alpha * lams", "return lams"),
                      caught_by=precondition_skip, hint="E[x x_t] is alpha lam.")
preconditioning.wrong("a variance for a standard deviation",
                      replace=("sigma * jnp.sqrt(lams) / size,", "sigma**2 * lams / size**2,"), caught_by=precondition_target,
                      hint="To give the target variance 1, divide by a standard deviation.")
preconditioning.wrong("the output in units of the data", replace=("sigma * jnp.sqrt(lams) / size,", "jnp.sqrt(lams),"),
                      caught_by=precondition_target,
                      hint="With little noise there is little left to learn: c_out depends on sigma.")
preconditioning.wrong("the output in units of the noise",
                      replace=("sigma * jnp.sqrt(lams) / size,", "sigma * jnp.ones_like(lams),"), caught_by=precondition_target,
                      hint="With much noise the error is no larger than the data: c_out depends on lam.")
preconditioning.wrong("the input divided by its variance", replace=("1 / size", "1 / size**2"), caught_by=precondition_input,
                      hint="c_in x_t has variance c_in^2 times that of x_t.")
preconditioning.wrong("forgets that alpha shrinks the data", replace=("alpha**2 * lams + sigma**2", "lams + sigma**2"),
                      caught_by=precondition_input, hint="alpha x has variance alpha^2 lam.")


@preconditioning.right("by signal to noise, in NumPy")
def _(lams, alpha, sigma):
    lams = np.asarray(lams)
    c_in = (alpha * alpha * lams + sigma * sigma) ** -0.5
    return alpha * lams * c_in**2, np.sqrt(lams) * c_in * sigma, c_in


# P3.21 -----------------------------------------------------------------------------------------------------------

noise_from_denoised = Exercise(
    "ch03.noise_from_denoised", "From the denoised sample to the noise", principles=["P3.21"], label="sub:sampling_denoising",
    minutes=4, level="more", objective="turn a denoiser into a noise predictor", stand_in=diffusion.noise_from_denoised,
    hints=["Given x_t, the mean of x_t is x_t: x_t = alpha E[x | x_t] + sigma E[g | x_t].", "Solve for the last mean."])


def posterior_of_pairs(rng, alpha, sigma, D=4, K=6):
    """x_t, and K pairs (x, y) with weights that all give it: whatever the law of (x, y), this is what is left of it given x_t."""
    x_t, xs, weights = rng.normal(size=D), rng.laplace(size=(K, D)), rng.dirichlet(np.ones(K))
    return x_t, xs, (x_t - alpha * xs) / sigma, weights


@noise_from_denoised.law("the mean of the noises of all pairs that give x_t")
def noise_of_pairs(f, rng):
    x_t, xs, gs, weights = posterior_of_pairs(rng, 0.6, 0.5)
    close(f(x_t, weights @ xs, 0.6, 0.5), weights @ gs)


@noise_from_denoised.law("the noise itself where x_bar = x")
def noise_itself(f, rng):
    x, g = rng.normal(size=4), rng.normal(size=4)
    close(f(0.8 * x + 0.3 * g, x, 0.8, 0.3), g)


@noise_from_denoised.law("-sigma times the slope of log p_t, for three atoms")
def noise_and_score(f, rng):
    atoms, x_t, alpha, sigma, h = rng.normal(size=(3, 4)), rng.normal(size=4), 0.7, 0.9, 1e-5

    def weigh(x):
        return np.exp(-((x - alpha * atoms) ** 2).sum(axis=1) / (2 * sigma**2))
    slope = [(np.log(weigh(x_t + h * e).sum()) - np.log(weigh(x_t - h * e).sum())) / (2 * h) for e in np.eye(4)]
    x_bar = weigh(x_t) @ atoms / weigh(x_t).sum()
    close(f(x_t, x_bar, alpha, sigma), -sigma * np.array(slope))


noise_from_denoised.wrong("forgets alpha", replace=("alpha * x_bar", "x_bar"), caught_by=noise_itself,
                          hint="In x_t the sample stands with the factor alpha.")
noise_from_denoised.wrong("leaves sigma in", replace=(" / sigma", ""), caught_by=noise_itself,
                          hint="That is sigma g. The noise has variance 1.")
noise_from_denoised.wrong("divides by the variance", replace=("/ sigma", "/ sigma**2"), caught_by=noise_itself,
                          hint="That is minus the score. What are the units of g?")
noise_from_denoised.wrong("the other direction", replace=("x_t - alpha * x_bar", "alpha * x_bar - x_t"), caught_by=noise_itself,
                          hint="Noise is what x_t has too much, not what it lacks.")


@noise_from_denoised.right("entry by entry, in NumPy")
def _(x_t, x_bar, alpha, sigma):
    return np.array([float(a) / sigma - alpha / sigma * float(b) for a, b in zip(x_t, x_bar)])


noise_loss_chain = Derivation(
    "ch03.noise_loss_chain", "One loss, two names", principles=["P3.21"], label="sub:sampling_denoising", minutes=6, level="more",
    objective="show that a denoiser and its noise predictor have the same loss, up to a factor",
    allows=[diffusion.noise_from_denoised],
    stages=[Stage("in x_t, x and x_bar, without g and g_bar", uses={"x_t", "x", "x_bar"}, without={"g", "g_bar"})],
    hints=["x_t = alpha x + sigma g, so g = (x_t - alpha x) / sigma. And g_bar?",
           "In the difference of the two, x_t cancels.",
           "Then the square of alpha / sigma times x_bar - x is left."])


@noise_loss_chain.instance
def _(rng):
    return {"x": rng.normal(size=4), "x_bar": rng.normal(size=4), "g": rng.normal(size=4), "alpha": rng.uniform(0.3, 0.9),
            "sigma": rng.uniform(0.4, 0.9)}


noise_loss_chain.wrong("the factor is not squared", replace=("jnp.sum((alpha / sigma * (x_bar - x)) ** 2)",
                       "alpha / sigma * jnp.sum((x_bar - x) ** 2)"), caught_by="equal",
                       hint="The factor stands inside the square.")
noise_loss_chain.wrong("forgets alpha in the true noise", replace=("(x_t - alpha * x) / sigma", "(x_t - x) / sigma"),
                       caught_by="equal", hint="x_t = alpha x + sigma g.")
noise_loss_chain.wrong("the factor upside down", replace=("(alpha / sigma * (x_bar - x))", "(sigma / alpha * (x_bar - x))"),
                       caught_by="equal", hint="The noise is the smaller part where sigma is small: its error is the larger one.")
noise_loss_chain.wrong("skips the middle",
                       replace=("    yield jnp.sum(((x_t - alpha * x) / sigma - (x_t - alpha * x_bar) / sigma) ** 2)\n", ""),
                       caught_by="stages", hint="Write both noises by x_t first.")
noise_loss_chain.wrong("a sum without squares", replace=("(x_t - alpha * x_bar) / sigma) ** 2", "(x_t - alpha * x_bar) / sigma)"),
                       caught_by="equal", hint="A squared length is a sum of squares.")


@noise_loss_chain.right("with norms, and x_t multiplied out last")
def _(x, x_bar, g, alpha, sigma):
    x_t = alpha * x + sigma * g
    g_bar = noise_from_denoised(x_t, x_bar, alpha, sigma)
    yield jnp.sum((g - g_bar) ** 2)
    yield jnp.linalg.norm((x_t - alpha * x) - (x_t - alpha * x_bar)) ** 2 / sigma**2
    yield jnp.linalg.norm(alpha * x_bar - alpha * x) ** 2 / sigma**2
    yield (alpha / sigma) ** 2 * jnp.sum((x - x_bar) ** 2)


output_sizes = Exercise(
    "ch03.output_sizes", "How large the best outputs are", principles=["P3.21"], label="sub:sampling_denoising", minutes=8,
    level="more", objective="say how large the best denoiser's and the best noise predictor's outputs are, at every noise level",
    hints=["In the eigenbasis x_t has the variances alpha^2 lam + sigma^2. The outputs are multiples of x_t.",
           "x_bar = alpha lam / (alpha^2 lam + sigma^2) x_t, and g_bar = (x_t - alpha x_bar) / sigma = ?",
           "g_bar = sigma / (alpha^2 lam + sigma^2) x_t. A factor c gives the mean square c^2 (alpha^2 lam + sigma^2)."])


@output_sizes.law("from the matrices of both predictors, for a covariance that is not diagonal")
def sizes_by_matrices(f, rng):
    lams, alpha, sigma = rng.uniform(0.2, 3, size=5), 0.7, 0.4
    Sigma = full_covariance(rng, lams)
    S = alpha**2 * Sigma + sigma**2 * np.eye(5)  # of x_t
    B = np.linalg.solve(S, alpha * Sigma).T  # x_bar = B x_t
    C = (np.eye(5) - alpha * B) / sigma
    for actual, expected in zip(f(lams, alpha, sigma), (np.trace(B @ S @ B.T), np.trace(C @ S @ C.T))):
        close(actual, expected)


@output_sizes.law("E ||x||^2 is E ||x_bar||^2 and the least error together")
def sizes_total_variance(f, rng):
    lams, alpha, sigma = rng.uniform(0.2, 3, size=5), 0.5, 0.6
    error = np.trace(np.linalg.inv(np.diag(1 / lams) + alpha**2 / sigma**2 * np.eye(5)))
    close(f(lams, alpha, sigma)[0], lams.sum() - error)


@output_sizes.law("where x_t is noise alone: 0, and D")
def sizes_of_noise(f, rng):
    denoised, noise = f(rng.uniform(0.2, 3, size=5), 0.0, 1.0)
    close(denoised, 0.0)
    close(noise, 5.0)


@output_sizes.law("with hardly any noise: E ||x||^2, and the number of directions without data")
def sizes_without_noise(f, rng):
    lams = np.array([2.0, 0.0, 1.0, 0.5, 0.0])
    denoised, noise = f(lams, 0.9, 1e-3)
    close(denoised, 3.5)
    close(noise, 2.0)


output_sizes.wrong("the target's size for the output's", replace=("(sigma**2 / variances).sum()", "1.0 * len(lams)"),
                   caught_by=sizes_without_noise, hint="g has D entries of variance 1. But how much of it can be read from x_t?")
output_sizes.wrong("the data's size for the output's", replace=("(alpha**2 * lams**2 / variances).sum()", "lams.sum()"),
                   caught_by=sizes_of_noise, hint="A posterior mean varies less than x: with much noise it hardly moves.")
output_sizes.wrong("the error for the output", replace=("(alpha**2 * lams**2 / variances)", "(sigma**2 * lams / variances)"),
                   caught_by=sizes_of_noise, hint="This is E ||x - x_bar||^2.")
output_sizes.wrong("factors not squared", replace=("(alpha**2 * lams**2 / variances)", "(alpha * lams / variances)"),
                   caught_by=sizes_by_matrices, hint="A factor c in x_bar = c x_t gives c^2 times the variance of x_t.")
output_sizes.wrong("the noise of directions with data forgotten", replace=("(sigma**2 / variances)", "(lams == 0)"),
                   caught_by=sizes_of_noise, hint="Also where there is data some of the noise can be guessed.")
output_sizes.wrong("alpha not squared in x_t's variance", replace=("alpha**2 * lams + sigma**2", "alpha * lams + sigma**2"),
                   caught_by=sizes_by_matrices, hint="alpha x has variance alpha^2 lam.")


@output_sizes.right("through the weighted loss, in NumPy")
def _(lams, alpha, sigma):
    lams = np.asarray(lams)
    kept = alpha**2 * lams / (alpha**2 * lams + sigma**2)  # the share of the data in x_t's variance
    return (kept * lams).sum(), len(lams) - kept.sum()


velocity_from_denoised = Exercise(
    "ch03.velocity_from_denoised", "From the denoised sample to the velocity", principles=["P3.21"],
    label="exercise:velocity_prediction", minutes=8, level="more", objective="turn a denoiser into a velocity predictor",
    stand_in=diffusion.velocity_from_denoised,
    hints=["Name the mean of y given x_t y_bar. Then x_t = alpha x_bar + sigma y_bar and v_bar = d_alpha x_bar + d_sigma y_bar.",
           "From the first, y_bar = (x_t - alpha x_bar) / sigma. Put it into the second.",
           "d_sigma / sigma * x_t + (d_alpha - alpha * d_sigma / sigma) * x_bar."])


@velocity_from_denoised.law("the mean velocity of all pairs (x, y) that give x_t, y not Gaussian")
def velocity_of_pairs(f, rng):
    alpha, sigma, d_alpha, d_sigma = 0.6, 0.5, -0.8, 1.3
    x_t, xs, ys, weights = posterior_of_pairs(rng, alpha, sigma)
    close(f(x_t, weights @ xs, alpha, sigma, d_alpha, d_sigma), weights @ (d_alpha * xs + d_sigma * ys))


@velocity_from_denoised.law("the derivative of x_t in time where x_bar = x, along VP")
def velocity_is_a_derivative(f, rng):
    x, y, t, h = rng.normal(size=4), rng.laplace(size=4), 0.6, 1e-4
    at = lambda t: np.sqrt(1 - t**2) * x + t * y
    close(f(at(t), x, 0.8, 0.6, -0.75, 1.0), (at(t + h) - at(t - h)) / (2 * h))


@velocity_from_denoised.law("along alpha = 1 - t, sigma = t: x_t - t v_bar is x_bar")
def velocity_of_flow(f, rng):
    x_t, x_bar = rng.normal(size=4), rng.normal(size=4)
    close(x_t - 0.3 * np.asarray(f(x_t, x_bar, 0.7, 0.3, -1.0, 1.0)), x_bar)


@velocity_from_denoised.law("the predicted noise where noise is only added")
def velocity_of_ve(f, rng):
    x_t, x_bar = rng.normal(size=4), rng.normal(size=4)
    close(f(x_t, x_bar, 1.0, 0.5, 0.0, 1.0), 2 * (x_t - x_bar))


velocity_from_denoised.wrong("alpha for its derivative", replace=("(d_alpha - alpha", "(alpha - alpha"),
                             caught_by=velocity_of_flow, hint="The velocity has the derivatives of alpha and sigma as factors.")
velocity_from_denoised.wrong("forgets to divide by sigma", replace=("alpha * d_sigma / sigma)", "alpha * d_sigma)"),
                             caught_by=velocity_of_flow, hint="y_bar = (x_t - alpha x_bar) / sigma: both terms are divided.")
velocity_from_denoised.wrong("both terms with the same sign", replace=("d_alpha - alpha", "d_alpha + alpha"),
                             caught_by=velocity_of_flow, hint="x_bar is subtracted to get y_bar.")
velocity_from_denoised.wrong("takes x_t for the noise",
                             replace=("d_sigma / sigma * x_t + (d_alpha - alpha * d_sigma / sigma) * x_bar",
                                      "d_alpha * x_bar + d_sigma * x_t"), caught_by=velocity_of_flow,
                             hint="d_sigma multiplies y_bar, and x_t is alpha x_bar + sigma y_bar.")
velocity_from_denoised.wrong("backwards in time",
                             replace=("return d_sigma / sigma * x_t + (d_alpha - alpha * d_sigma / sigma) * x_bar",
                                      "return -d_sigma / sigma * x_t - (d_alpha - alpha * d_sigma / sigma) * x_bar"),
                             caught_by=velocity_of_ve, hint="v is the derivative as t grows, from data towards noise.")


@velocity_from_denoised.right("by a small linear system, in NumPy")
def _(x_t, x_bar, alpha, sigma, d_alpha, d_sigma):
    known = np.stack([np.asarray(x_bar), np.asarray(x_t)])
    means = np.linalg.solve(np.array([[1.0, 0.0], [alpha, sigma]]), known)  # rows: x_bar, y_bar
    return np.array([d_alpha, d_sigma]) @ means


denoised_from_velocity = Exercise(
    "ch03.denoised_from_velocity", "From the velocity to the denoised sample", principles=["P3.21"],
    label="exercise:velocity_prediction", minutes=8, level="more",
    objective="turn a velocity predictor into a denoiser", stand_in=diffusion.denoised_from_velocity,
    hints=["Two equations: x_t = alpha x_bar + sigma y_bar and v_bar = d_alpha x_bar + d_sigma y_bar. Get rid of y_bar.",
           "Multiply the first by d_sigma, the second by sigma, and subtract.",
           "(sigma * v_bar - d_sigma * x_t) / (sigma * d_alpha - alpha * d_sigma)."])


@denoised_from_velocity.law("the mean of x over all pairs (x, y) that give x_t, y not Gaussian")
def denoised_of_pairs(f, rng):
    alpha, sigma, d_alpha, d_sigma = 0.6, 0.5, -0.8, 1.3
    x_t, xs, ys, weights = posterior_of_pairs(rng, alpha, sigma)
    close(f(x_t, weights @ (d_alpha * xs + d_sigma * ys), alpha, sigma, d_alpha, d_sigma), weights @ xs)


@denoised_from_velocity.law("x_t - t v_bar along alpha = 1 - t, sigma = t")
def denoised_of_flow(f, rng):
    x_t, v_bar = rng.normal(size=4), rng.normal(size=4)
    close(f(x_t, v_bar, 0.7, 0.3, -1.0, 1.0), x_t - 0.3 * v_bar)


@denoised_from_velocity.law("x_t / alpha where sigma = 0, whatever the velocity")
def denoised_without_noise(f, rng):
    x_t, v_bar = rng.normal(size=4), rng.normal(size=4)
    close(f(x_t, v_bar, 0.8, 0.0, -0.5, 1.2), x_t / 0.8)


@denoised_from_velocity.law("x itself, from the derivative of x_t in time along VP")
def denoised_from_a_path(f, rng):
    x, y = rng.normal(size=4), rng.laplace(size=4)
    close(f(0.8 * x + 0.6 * y, -0.75 * x + y, 0.8, 0.6, -0.75, 1.0), x)


denoised_from_velocity.wrong("the sign of the divisor",
                             replace=("(sigma * d_alpha - alpha * d_sigma)", "(alpha * d_sigma - sigma * d_alpha)"),
                             caught_by=denoised_of_flow, hint="Try the last line on a sample without noise, sigma = 0.")
denoised_from_velocity.wrong("derivatives exchanged below",
                             replace=("(sigma * d_alpha - alpha * d_sigma)", "(sigma * d_sigma - alpha * d_alpha)"),
                             caught_by=denoised_of_flow, hint="sigma meets the derivative of alpha, alpha that of sigma.")
denoised_from_velocity.wrong("x_t without the derivative of sigma", replace=("d_sigma * x_t", "x_t"), caught_by=denoised_of_pairs,
                             hint="The first equation was multiplied by d_sigma, its left side as well.")
denoised_from_velocity.wrong("the formula of flow matching for all",
                             replace=("(sigma * v_bar - d_sigma * x_t) / (sigma * d_alpha - alpha * d_sigma)",
                                      "x_t - sigma * v_bar"), caught_by=denoised_without_noise,
                             hint="x_t - t v_bar holds for alpha = 1 - t and sigma = t. Here both are any.")
denoised_from_velocity.wrong("solves for y instead",
                             replace=("(sigma * v_bar - d_sigma * x_t)", "(d_alpha * x_t - alpha * v_bar)"),
                             caught_by=denoised_of_flow, hint="This is the mean of y. Eliminate y_bar, not x_bar.")


@denoised_from_velocity.right("by a small linear system, in NumPy")
def _(x_t, v_bar, alpha, sigma, d_alpha, d_sigma):
    system = np.array([[alpha, sigma], [d_alpha, d_sigma]])
    return np.linalg.solve(system, np.stack([np.asarray(x_t), np.asarray(v_bar)]))[0]
