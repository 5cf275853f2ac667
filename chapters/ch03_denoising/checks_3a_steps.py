"""Exercises of Part 3, first half: one denoising step, many of them, entropy, where to start and at which times."""

import jax
import jax.numpy as jnp
import numpy as np

from book_utils import diffusion, divergence
from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds


def orthonormal_pair(rng, D, d):
    """(D, d) with orthonormal columns."""
    return np.linalg.qr(rng.normal(size=(D, d)))[0]


def posterior_of_atoms(p, X, x_t, t):
    """Mean (D,) and covariance (D, D) of x given x_t = x + t g, for x on the columns of X with probabilities p: Bayes' rule."""
    logs = np.log(p) - ((x_t[:, None] - X) ** 2).sum(axis=0) / (2 * t**2)
    w = np.exp(logs - logs.max())
    w /= w.sum()
    mean = X @ w
    return mean, (w * (X - mean[:, None])) @ (X - mean[:, None]).T


def gaussian_step(Sigma, t, s):
    """The matrix of x_t - mu -> E[x_s - mu | x_t] for x ~ N(mu, Sigma): the gain Cov(x_s, x_t) Cov(x_t)^-1."""
    I = np.eye(len(Sigma))
    return (Sigma + s * t * I) @ np.linalg.inv(Sigma + t**2 * I)


# P3.12

denoising_step = Exercise(
    "ch03.denoising_step", "One denoising step", principles=["P3.12"], label="eq:denoising_iteration", minutes=8,
    objective="go from x_t to the mean of x_s, given a denoised sample",
    hints=["x_s = x + s g with the same x and the same g as in x_t. What is the mean of g once x_t is known?",
           "g = (x_t - x) / t, so its mean given x_t is (x_t - x_bar) / t.",
           "x_bar + (s / t) (x_t - x_bar): collect the factors of x_t and of x_bar."])


@denoising_step.law("the mean of x + s g over a table of pairs (x, g) with x + t g = x_t")
def step_is_a_mean(f, rng):
    X, p, x_t, t, s = rng.normal(size=(3, 5)), rng.dirichlet(np.ones(5)), rng.normal(size=3), 1.3, 0.4
    G = (x_t[:, None] - X) / t
    close(f(x_t, X @ p, t, s), (X + s * G) @ p)


@denoising_step.law("x_t itself at s = t, and x_bar at s = 0")
def step_ends(f, rng):
    x_t, x_bar = rng.normal(size=3), rng.normal(size=3)
    close(f(x_t, x_bar, 1.3, 1.3), x_t)
    close(f(x_t, x_bar, 1.3, 0.0), x_bar)


@denoising_step.law("moved by b where x_t and x_bar are both moved by b")
def step_moves_along(f, rng):
    x_t, x_bar, b = rng.normal(size=(3, 3))
    close(f(x_t + b, x_bar + b, 2.0, 0.5), f(x_t, x_bar, 2.0, 0.5) + b)


@denoising_step.law("what lies off the subspace of x_bar is multiplied by exactly s / t")
def step_off_subspace(f, rng):
    U = orthonormal_pair(rng, 3, 2)
    x_t, x_bar = rng.normal(size=3), U @ rng.normal(size=2)
    off = np.eye(3) - U @ U.T
    close(off @ f(x_t, x_bar, 2.0, 0.5), 0.25 * off @ x_t)


@denoising_step.law("two steps with one x_bar end where a single one does")
def step_in_two(f, rng):
    x_t, x_bar = rng.normal(size=3), rng.normal(size=3)
    close(f(np.asarray(f(x_t, x_bar, 2.0, 1.2)), x_bar, 1.2, 0.3), f(x_t, x_bar, 2.0, 0.3))


denoising_step.wrong("weights swapped", replace=("ratio * x_t + (1 - ratio) * x_bar", "(1 - ratio) * x_t + ratio * x_bar"),
                     caught_by=step_ends, hint="At s = t nothing has happened yet. Which weight must x_t have then?")
denoising_step.wrong("fresh noise of mean zero", replace=("ratio * x_t + (1 - ratio) * x_bar", "x_bar"), caught_by=step_ends,
                     hint="g has mean zero, but not given x_t: the sample tells much about its own noise.")
denoising_step.wrong("keeps all of x_t", replace=("ratio * x_t", "x_t"), caught_by=step_moves_along,
                     hint="The two weights of a mean add up to 1.")
denoising_step.wrong("variances for standard deviations", replace=("s / t", "(s / t) ** 2"), caught_by=step_off_subspace,
                     hint="The noise itself goes from t g to s g; its variance plays no part.")
denoising_step.wrong("the factor that shrinks a variance", replace=("s / t", "(s / t) ** 0.5"), caught_by=step_is_a_mean,
                     hint="Solve x_t = x + t g for g and put it into x + s g: is there a root?")
denoising_step.wrong("a step of size t - s", replace=("s / t", "1 - (t - s)"), caught_by=step_is_a_mean,
                     hint="The weight of x_bar has no unit of time: it is the share of the noise that goes, (t - s) / t.")


@denoising_step.right("by estimating the noise, in NumPy")
def _(x_t, x_bar, t, s):
    g_bar = np.subtract(x_t, x_bar) / t
    return np.asarray(x_bar) + s * g_bar


@denoising_step.right("as a step along the score")
def _(x_t, x_bar, t, s):
    score = (x_bar - x_t) / t**2
    return x_t + (1 - s / t) * t**2 * score


denoising_chain = Derivation(
    "ch03.denoising_chain", "The denoising step is a conditional mean", principles=["P3.12"], label="eq:iter denoise", minutes=10,
    objective="derive the denoising step, line by line",
    stages=[Stage("written with x_t in place of the noise G", uses={"X", "x_t"}, without={"G", "x_bar"})],
    hints=["In every pair of the table x + t g = x_t. Solve for g; x_t[:, None] stands beside all columns of X.",
           "The first line of yours is E(X + s * (x_t[:, None] - X) / t).",
           "The mean is linear, and the mean of x_t, which does not vary, is x_t: take the factors out, E(X) remains.",
           "What multiplies x_t, and what multiplies E(X), in E(X) + s (x_t - E(X)) / t?"])


@denoising_chain.instance
def _(rng):
    X, x_t, t, s = rng.normal(size=(3, 5)), rng.normal(size=3), 1.7, 0.6
    return dict(X=X, weights=rng.dirichlet(np.ones(5)), G=(x_t[:, None] - X) / t, x_t=x_t, t=t, s=s)


denoising_chain.wrong("takes the noise to have mean zero", replace=("E(X + s * (x_t[:, None] - X) / t)", "E(X) + 0 * x_t"),
                      caught_by="equal", hint="Over all pairs it has; these are the pairs that give one and the same x_t.")
denoising_chain.wrong("noise of the wrong sign", replace=("(x_t[:, None] - X)", "(X - x_t[:, None])"), caught_by="equal",
                      hint="x_t = x + t g: which of the two is larger where g is positive?")
denoising_chain.wrong("forgets to divide by t", replace=("(x_t[:, None] - X) / t", "(x_t[:, None] - X)"), caught_by="equal",
                      hint="Solve x_t = x + t g for g.")
denoising_chain.wrong("loses the noise's share of x", replace=("E(X) + s / t * (x_t - E(X))", "E(X) + s / t * x_t"),
                      caught_by="equal", hint="x stands twice under the mean: once alone, once in the noise.")
denoising_chain.wrong("renames before anything is shown", replace=("E(X + s * (x_t[:, None] - X) / t)", "E(X + s * G)"),
                      caught_by="repeats", hint="That is the line above. What do you know of G?")


@denoising_chain.right("the mean first, then the noise")
def _(X, weights, G, x_t, t, s):
    E = lambda Y: Y @ weights  # the mean over the table
    x_bar = E(X)
    yield E(X + s * G)
    yield E(X) + s * E(G)
    yield E(X) + s * E((x_t[:, None] - X) / t)
    yield E(X) + (s / t) * (x_t - E(X))
    yield (s / t) * x_t + (1 - s / t) * x_bar


# P3.13

step_gain = Exercise(
    "ch03.step_gain", "What one step does to a Gaussian", principles=["P3.13"], label="ex:single_gaussian_denoising", minutes=8,
    level="more", objective="compute the factor by which a step shrinks each direction of Gaussian data",
    hints=["For x ~ N(0, lam) the denoiser multiplies x_t by lam / (lam + t^2).",
           "The step from t = l T / L keeps (l - 1) / l of x_t and adds 1 / l of the denoised sample.",
           "1 - 1 / l + (1 / l) lam / (lam + t^2) = 1 - (1 / l) t^2 / (lam + t^2)."])


@step_gain.law("the mean of x_s given x_t, divided by x_t, by numerical integration over x")
def gain_by_quadrature(f, rng):
    lam, T, L, l, x_t = 0.7, 2.0, 5, 2, 0.9
    t, s, x = l * T / L, (l - 1) * T / L, np.linspace(-9, 9, 4001)
    w = np.exp(-(x**2) / (2 * lam) - (x_t - x) ** 2 / (2 * t**2))
    close(f(lam, T, L, l), ((x + s * (x_t - x) / t) * w).sum() / w.sum() / x_t)


@step_gain.law("the eigenvalues of the matrix Cov(x_s, x_t) Cov(x_t)^-1 for a dense covariance")
def gain_by_matrices(f, rng):
    A, T, L, l = rng.normal(size=(3, 3)), 1.5, 6, 4
    Sigma = A @ A.T
    found = [float(f(float(lam), T, L, l)) for lam in np.linalg.eigvalsh(Sigma)]
    close(found, np.sort(np.linalg.eigvals(gaussian_step(Sigma, l * T / L, (l - 1) * T / L)).real))


@step_gain.law("(l - 1) / l where the variance is 0: only noise is left to shrink")
def gain_without_variance(f, rng):
    close([float(f(0.0, 3.0, 8, l)) for l in (1, 2, 4, 8)], [0, 1 / 2, 3 / 4, 7 / 8])


@step_gain.law("unchanged in other units: lam times 9, T times 3")
def gain_in_other_units(f, rng):
    close(f(0.9 * 9, 6.0, 4, 3), float(f(0.9, 2.0, 4, 3)))


step_gain.wrong("t for t squared", replace=("t**2 / (l", "t / (l"), caught_by=gain_in_other_units,
                hint="lam is a variance. With which power of t may it be compared?")
step_gain.wrong("forgets the weight 1 / l", replace=("(l * (lam + t**2))", "(lam + t**2)"), caught_by=gain_without_variance,
                hint="That is the denoiser alone. A step goes 1 / l of the way to it.")
step_gain.wrong("the weight 1 / L", replace=("(l * (lam", "(L * (lam"), caught_by=gain_without_variance,
                hint="(t - s) / t with t = l T / L and s = (l - 1) T / L: what is left of L?")
step_gain.wrong("counts the steps from the start", replace=("l * T / L", "(L - l + 1) * T / L"), caught_by=gain_by_quadrature,
                hint="l = L is the first step, from T; l = 1 the last one, to 0.")
step_gain.wrong("what is taken away", replace=("1 - t**2", "t**2"), caught_by=gain_without_variance,
                hint="You have the part that goes. Which part stays?")
step_gain.wrong("the noise that is left, not the noise there is", replace=("l * T / L", "(l - 0.5) * T / L"),
                caught_by=gain_by_matrices, hint="The denoiser is used at the time that the step leaves, t = l T / L.")


@step_gain.right("as printed in the book")
def _(lam, T, L, l):
    return 1 - l * T**2 / (lam * L**2 + l**2 * T**2)


@step_gain.right("as the quotient of two covariances, in NumPy")
def _(lam, T, L, l):
    t, s = np.float64(l * T / L), np.float64((l - 1) * T / L)
    return np.divide(lam + s * t, lam + t * t)


gain_product = Exercise(
    "ch03.gain_product", "What all steps do together", principles=["P3.13"], label="ex:single_gaussian_denoising", minutes=8,
    level="more", objective="multiply a million factors close to 1",
    hints=["All L factors at once: an array of l = 1, ..., L, made of floats (in JAX l**2 overflows integers for l = 100,000).",
           "The factor of step l is that of step_gain, with t = l T / L; np.prod multiplies them, in float64.",
           "In float32 add logarithms instead: with the factor 1 - a, jnp.exp(jnp.log1p(-a).sum()) never rounds 1 - a."])


@gain_product.law("what a hundred steps leave of a number")
def product_of_steps(f, rng):
    lam, T, value = 0.3, 2.0, 1.0
    for l in range(100, 0, -1):
        t, s = l * T / 100, (l - 1) * T / 100
        value = (s * value + (t - s) * lam / (lam + t**2) * value) / t
    close(f(lam, T, 100), value)


@gain_product.law("sqrt(lam / (lam + T^2)) for a million steps")
def product_of_a_million(f, rng):
    for lam, T in (1.0, 1.0), (0.3, 2.0):
        close(f(lam, T, 1_000_000), (lam / (lam + T**2)) ** 0.5)


@gain_product.law("for one step, what the denoiser does: lam / (lam + T^2)")
def product_of_one(f, rng):
    close(f(0.5, 2.0, 1), 0.5 / 4.5)


@gain_product.law("0 where the variance is 0")
def product_without_variance(f, rng):
    close(f(0.0, 2.0, 100), 0.0)


gain_product.wrong("one step short", replace=("L + 1)", "L)"), caught_by=product_of_one,
                   hint="l runs from 1 to L, and arange stops before its end.")
gain_product.wrong("the time does not change", replace=("l * T / L", "T"), caught_by=product_of_a_million,
                   hint="With one t for all steps it would be a contraction. Step l is taken at t = l T / L.")
gain_product.wrong("the first step, L times over", replace=("np.prod(1 - t**2 / (l * (lam + t**2)))",
                                                           "(1 - t**2 / (l * (lam + t**2)))[-1] ** L"),
                   caught_by=product_of_a_million,
                   hint="So a contraction would do it. Here every step has a factor of its own.")
gain_product.wrong("the product of what is taken away", replace=("np.prod(1 - t**2", "np.prod(t**2"), caught_by=product_of_one,
                   hint="The factor of step l is what it leaves.")
gain_product.wrong("the denoiser at every step", replace=("(l * (lam + t**2))", "(lam + t**2)"), caught_by=product_of_a_million,
                   hint="A step goes only 1 / l of the way to the denoised sample.")
gain_product.wrong("a sum for a product", replace=("1 - t**2 / (l * (lam + t**2)))", "1 - (t**2 / (l * (lam + t**2))).sum())"),
                   caught_by=product_of_steps, hint="(1 - a)(1 - b) is 1 - a - b only as long as a b is negligible.")


@gain_product.right("by adding logarithms, in float32")
def _(lam, T, L):
    t = jnp.arange(1.0, L + 1) * T / L
    return jnp.exp(jnp.log1p(-t * T / (L * (lam + t**2))).sum())


@gain_product.right("as the book writes the factors, in logarithms")
def _(lam, T, L):
    l = np.arange(1, L + 1, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.exp(np.sum(np.log(lam * L**2 + l * (l - 1) * T**2) - np.log(lam * L**2 + (l * T) ** 2)))


gain_chain = Derivation(
    "ch03.gain_chain", "A gain is a quotient of lengths times a cosine", principles=["P3.13"],
    label="ex:single_gaussian_denoising", minutes=8, level="more", objective="read the gain of a step as an angle",
    stages=[Stage("written with v_s and v_t alone", uses={"v_s", "v_t"}, without={"lam", "theta", "norm"})],
    hints=["First one fraction: the common denominator is lam + t^2.",
           "The gain is (lam + s t) / (lam + t^2). Which inner products are these?",
           "v_s @ v_t = lam + s t and v_t @ v_t = lam + t^2; and v_s @ v_t is the product of both lengths and the cosine."])


@gain_chain.instance
def _(rng):
    t = rng.uniform(0.8, 3)
    return dict(lam=rng.uniform(0.3, 2), t=t, s=t * rng.uniform(0.1, 0.9))


gain_chain.wrong("a sum for the product of the times", replace=("(lam + s * t)", "(lam + s + t)"), caught_by="equal",
                 hint="s (lam + t^2) + (t - s) lam, divided by t: what remains?")
gain_chain.wrong("divides by the length of v_s", replace=("(v_t @ v_t)", "(v_s @ v_s)"), caught_by="equal",
                 hint="The denominator is lam + t^2: which vector has this squared length?")
gain_chain.wrong("the cosine alone", replace=("(v_t @ v_t)", "(norm(v_s) * norm(v_t))"), caught_by="equal",
                 hint="That is the cosine. The gain has the lengths as well.")
gain_chain.wrong("stays with numbers", replace=("(v_s @ v_t) / (v_t @ v_t)", "1 - t * (t - s) / (lam + t**2)"),
                 caught_by="stages", hint="True, but no vector is in sight. Write the fraction with inner products.")


@gain_chain.right("from the projection of v_s on v_t")
def _(lam, t, s):
    norm = jnp.linalg.norm
    v_t, v_s = jnp.array([lam**0.5, t]), jnp.array([lam**0.5, s])
    theta = jnp.arctan(t / lam**0.5) - jnp.arctan(s / lam**0.5)  # the angle between them
    yield s / t + (1 - s / t) * lam / (lam + t**2)
    yield 1 - (1 - s / t) * t**2 / (lam + t**2)
    yield np.dot(np.asarray(v_s), np.asarray(v_t)) / np.sum(np.asarray(v_t) ** 2)
    yield norm(v_s) * jnp.cos(theta) / norm(v_t)
    yield norm(v_s) / norm(v_t) * jnp.cos(theta)


best_grid = Exercise(
    "ch03.best_grid", "The best times for one variance", principles=["P3.13", "P3.18"], label="eq:denoising_iteration",
    minutes=10, level="more", stand_in=diffusion.equal_angle_times,
    objective="choose the times of a sampler so that as little variance as possible is lost",
    hints=["Draw (sqrt(lam), t) in the plane, for t = T and t = 0. Which angle do they enclose?",
           "tan(theta) = t / sqrt(lam). The angle at T is arctan(T / sqrt(lam)), that at 0 is 0.",
           "L + 1 equally spaced angles, from the largest to 0: jnp.linspace(Theta, 0, L + 1). Back to times with tan."])


def product_of_gains(lam, times):
    """By what a number of variance lam is multiplied along the times (L + 1,)."""
    times = np.asarray(times, dtype=float)
    return np.prod((lam + times[1:] * times[:-1]) / (lam + times[:-1] ** 2))


@best_grid.law("L + 1 times, from T down to 0")
def grid_ends(f, rng):
    times = np.asarray(f(0.4, 3.0, 6), dtype=float)
    holds(times.shape == (7,), f"the shape is {times.shape}, and seven times are wanted")
    close(times[[0, -1]], [3.0, 0.0])
    holds((np.diff(times) < 0).all(), "the times do not descend")


@best_grid.law("the directions of (sqrt(lam), t) are equal angles apart")
def grid_angles(f, rng):
    v = np.stack([np.full(7, 0.4**0.5), np.asarray(f(0.4, 3.0, 6), dtype=float)])
    v = v / np.linalg.norm(v, axis=0)
    cosines = (v[:, 1:] * v[:, :-1]).sum(axis=0)
    close(cosines, np.full(6, np.cos(np.arctan2(3.0, 0.4**0.5) / 6)))


@best_grid.law("a product of gains of cos(Theta / L)^L sqrt(lam / (lam + T^2))")
def grid_gain(f, rng):
    for lam, T in (0.4, 3.0), (2.0, 0.7):
        Theta = np.arctan2(T, lam**0.5)
        close(product_of_gains(lam, f(lam, T, 6)), np.cos(Theta / 6) ** 6 * (lam / (lam + T**2)) ** 0.5)


@best_grid.law("no grid nearby has a larger product of gains")
def grid_is_best(f, rng):
    times = np.asarray(f(0.4, 3.0, 6), dtype=float)
    nearby = [product_of_gains(0.4, times * np.exp(0.03 * rng.normal(size=7) * (np.arange(7) % 6 > 0))) for _ in range(50)]
    holds(product_of_gains(0.4, times) >= max(nearby) - 1e-6, "a grid with the same ends and slightly moved times is better")


best_grid.wrong("equal times", replace=("jnp.tan(jnp.linspace(Theta, 0, L + 1))", "jnp.linspace(jnp.tan(Theta), 0, L + 1)"),
                caught_by=grid_is_best, hint="Those are equal steps of t. Which quantity is to fall by equal steps?")
best_grid.wrong("ascending", replace=("(Theta, 0,", "(0, Theta,"), caught_by=grid_ends,
                hint="A sampler goes down in time: T stands first.")
best_grid.wrong("one time short", replace=("L + 1", "L"), caught_by=grid_ends, hint="L steps have L + 1 ends.")
best_grid.wrong("variance for standard deviation", replace=("T / jnp.sqrt(lam)", "T / lam"), caught_by=grid_ends,
                hint="The vector is (sqrt(lam), t). What is the tangent of its angle?")
best_grid.wrong("tangents left without their unit", replace=("jnp.sqrt(lam) * jnp.tan", "jnp.tan"), caught_by=grid_ends,
                hint="tan(theta) = t / sqrt(lam). What is t?")
best_grid.wrong("equal sines", replace=("jnp.tan(jnp.linspace(Theta, 0, L + 1))",
                                        "jnp.tan(jnp.arcsin(jnp.linspace(jnp.sin(Theta), 0, L + 1)))"),
                caught_by=grid_angles, hint="It is the angles that have to be equally spaced, not their sines.")


@best_grid.right("by turning a vector step by step, in NumPy")
def _(lam, T, L):
    angle = np.arctan2(T, np.sqrt(lam)) / L
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    v, times = np.array([np.sqrt(lam), T]), [T]
    for _ in range(L):
        v = turn @ v
        times.append(np.sqrt(lam) * v[1] / v[0])
    return np.array(times)


# P3.14

entropy_drop = Exercise(
    "ch03.entropy_drop", "How much entropy a step takes away", principles=["P3.14"], label="thm:conditioning_reduces_entropy",
    minutes=12, level="more", objective="compute the fall of entropy in a denoising step, and a bound for it",
    hints=["The step is a map x_t -> E[x_s | x_t]; a smooth one-to-one map changes entropy by the mean of log |det Jacobian|.",
           "The Jacobian of x_bar in x_t is Cov / t^2, so that of the step is (s / t) I + (1 - s / t) Cov / t^2.",
           "Write the Jacobian as I + M with M = (1 - s / t) (Cov / t^2 - I); the bound is the mean of trace M.",
           "jnp.linalg.slogdet takes a stack of matrices; jnp.trace(M, axis1=1, axis2=2) as well."])


@entropy_drop.law("for Gaussian data, the difference of the entropies of two Gaussians")
def drop_of_gaussians(f, rng):
    A, t, s = rng.normal(size=(2, 2)), 0.8, 0.3
    Sigma, I = A @ A.T + 0.1 * np.eye(2), np.eye(2)
    before, G = Sigma + t**2 * I, gaussian_step(Sigma, t, s)
    difference = (np.linalg.slogdet(G @ before @ G.T)[1] - np.linalg.slogdet(before)[1]) / 2
    Cov = Sigma - Sigma @ np.linalg.inv(before) @ Sigma
    close(f(np.stack([Cov] * 3), t, s)[0], difference)


@entropy_drop.law("the mean log-determinant of the Jacobian of x_t -> E[x_s | x_t] for five atoms, by differences")
def drop_by_differences(f, rng):
    p, X, X_t, t, s, h = rng.dirichlet(np.ones(5)), rng.normal(size=(2, 5)), rng.normal(size=(2, 3)), 1.1, 0.7, 1e-5
    step = lambda x_t: s / t * x_t + (1 - s / t) * posterior_of_atoms(p, X, x_t, t)[0]
    jacobians = [np.stack([(step(x_t + h * e) - step(x_t - h * e)) / (2 * h) for e in np.eye(2)], axis=1) for x_t in X_t.T]
    Covs = np.stack([posterior_of_atoms(p, X, x_t, t)[1] for x_t in X_t.T])
    close(f(Covs, t, s)[0], np.mean([np.linalg.slogdet(J)[1] for J in jacobians]))


@entropy_drop.law("a bound of -(1 - s / t) t^2 J for Gaussian data, where J is the trace of the inverse covariance of x_t")
def drop_bound(f, rng):
    A, t, s = rng.normal(size=(2, 2)), 0.8, 0.3
    Sigma = A @ A.T
    inverse = np.linalg.inv(Sigma + t**2 * np.eye(2))
    close(f(np.stack([Sigma - Sigma @ inverse @ Sigma] * 3), t, s)[1], -(1 - s / t) * t**2 * np.trace(inverse))


@entropy_drop.law("a fall at least as large as the bound says, for any covariances; nothing at s = t")
def drop_beyond_bound(f, rng):
    A = rng.normal(size=(3, 2, 2))
    Covs = A @ A.transpose(0, 2, 1)
    for s in (0.9, 0.2):
        exact, bound = f(Covs, 1.0, s)
        holds(exact <= bound, "the change of entropy is above its bound")
    close(f(Covs, 1.0, 1.0), np.zeros(2))


entropy_drop.wrong("a whole step down to 0", replace=("(1 - s / t) * (Covs", "(Covs"), caught_by=drop_beyond_bound,
                   hint="Where s = t nothing happens. Where does s enter the Jacobian?")
entropy_drop.wrong("t for t squared", replace=("Covs / t**2", "Covs / t"), caught_by=drop_bound,
                   hint="Second-order Tweedie: the Jacobian of the denoiser is the covariance of x given x_t, over t^2.")
entropy_drop.wrong("the whole Jacobian under the trace", replace=("M = (1", "M = jnp.eye(Covs.shape[-1]) + (1"),
                   caught_by=drop_bound, hint="At s = t the Jacobian is I: its log-determinant is 0. And your trace?")
entropy_drop.wrong("half a log-determinant, as of a covariance", replace=("[1].mean()", "[1].mean() / 2"),
                   caught_by=drop_of_gaussians,
                   hint="The one half belongs to a covariance, in which the map stands twice. Here it stands once.")
entropy_drop.wrong("adds up where a mean is meant", replace=("[1].mean()", "[1].sum()"), caught_by=drop_of_gaussians,
                   hint="The noisy samples stand for an expectation.")
entropy_drop.wrong("a sum of all entries as trace", replace=("jnp.trace(M, axis1=1, axis2=2)", "M.sum(axis=(1, 2))"),
                   caught_by=drop_bound, hint="A trace has only the entries of the diagonal.")


@entropy_drop.right("with eigenvalues, in NumPy")
def _(Covs, t, s):
    m = (1 - s / t) * (np.linalg.eigvalsh(np.asarray(Covs, dtype=float)) / t**2 - 1)
    return np.log(1 + m).sum(axis=1).mean(), m.sum(axis=1).mean()


# P3.17, P3.22: distances

total_variation = Exercise(
    "ch03.total_variation", "Total variation", principles=["P3.22"], label="thm:diffusion_sampler_convergence", minutes=6,
    level="more", stand_in=divergence.total_variation, objective="measure how far apart two laws are, in probabilities of events",
    hints=["Which set A makes P(A) - Q(A) largest? Take exactly the symbols with p_i > q_i.",
           "The differences p_i - q_i add up to 0: the positive ones weigh as much as the negative ones.",
           "So the largest difference is half of the sum of all |p_i - q_i|."])


def laws_of_five(rng, k):
    return rng.dirichlet(np.ones(5), size=k)


@total_variation.law("the largest |P(A) - Q(A)| over all 32 sets A of five symbols")
def variation_by_sets(f, rng):
    for p, q in (laws_of_five(rng, 2) for _ in range(3)):
        sets = (np.arange(32)[:, None] >> np.arange(5)) % 2
        close(f(p, q), np.abs(sets @ p - sets @ q).max())


@total_variation.law("a metric: symmetric, 0 from a law to itself, and no detour is shorter")
def variation_is_a_metric(f, rng):
    p, q, r = laws_of_five(rng, 3)
    close(f(q, p), float(f(p, q)))
    close(f(p, p), 0.0)
    holds(f(p, r) <= f(p, q) + f(q, r) + 1e-6, "the way over a third law is shorter")


@total_variation.law("1 where no symbol is shared")
def variation_of_strangers(f, rng):
    close(f(np.array([0.2, 0.8, 0, 0, 0]), np.array([0, 0, 0.3, 0.3, 0.4])), 1.0)


@total_variation.law("not larger after symbols are merged")
def variation_of_merged(f, rng):
    p, q = laws_of_five(rng, 2)
    merge = lambda p: np.array([p[0] + p[3], p[1], p[2] + p[4], 0, 0])
    holds(f(merge(p), merge(q)) <= f(p, q) + 1e-6, "merging symbols has made two laws easier to tell apart")


total_variation.wrong("twice too large", replace=(".sum() / 2", ".sum()"), caught_by=variation_of_strangers,
                      hint="Two probabilities differ by at most 1. What do the |p_i - q_i| add up to where no symbol is shared?")
total_variation.wrong("single symbols only", replace=("jnp.abs(p - q).sum() / 2", "jnp.abs(p - q).max()"),
                      caught_by=variation_by_sets, hint="An event may consist of several symbols.")
total_variation.wrong("a Euclidean distance", replace=("jnp.abs(p - q).sum() / 2", "jnp.linalg.norm(p - q)"),
                      caught_by=variation_of_strangers,
                      hint="Probabilities of disjoint symbols add up as they are, without squares.")
total_variation.wrong("squares", replace=("jnp.abs(p - q)", "((p - q) ** 2)"), caught_by=variation_by_sets,
                      hint="Nothing is squared in a difference of probabilities.")
total_variation.wrong("half of the mean", replace=(".sum() / 2", ".mean() / 2"), caught_by=variation_by_sets,
                      hint="Splitting a symbol in two equal halves must not change anything. Would it change a mean?")
total_variation.wrong("lets signs cancel", replace=("jnp.abs(p - q).sum()", "jnp.abs((p - q).sum())"),
                      caught_by=variation_by_sets, hint="p and q both add up to 1. What do their differences add up to?")


@total_variation.right("by the best event, in NumPy")
def _(p, q):
    p, q = np.asarray(p), np.asarray(q)
    return p[p > q].sum() - q[p > q].sum()


@total_variation.right("by the mass that is shared")
def _(p, q):
    return 1 - jnp.minimum(p, q).sum()


start_error = Exercise(
    "ch03.start_error", "What a start from pure noise costs", principles=["P3.17", "P3.22"],
    label="eq:ve_converge_to_large_gaussian", minutes=15, level="challenge",
    objective="say how large T must be before x_T may be replaced by noise",
    hints=["Divide by T: N(0, r I) with r = 1 + 1/T^2 against N(0, I). Where are the two densities equal?",
           "Where ||z||^2 = b, with b = D log(r) / (1 - 1/r). Inside of that sphere N(0, I) is the larger density.",
           "The event is ||z||^2 <= b: its probability is chi2(b) under N(0, I) and chi2(b / r) under N(0, r I).",
           "With u = 1/T^2: b / r = D log1p(u) / u, and b is 1 + u times that; chi2(c) = gammainc(D / 2, c / 2)."])


def half_the_difference(T, D):
    """1/2 integral |p - q| over the radius in D dimensions, by the trapezoidal rule on its logarithm."""
    z = np.linspace(np.log(D) / 2 - 8, np.log(D) / 2 + 3, 20001)
    radial = lambda v: D * (z - np.log(v) / 2) - np.exp(2 * z) / (2 * v)  # log density of log ||x||, up to a constant
    densities = [np.exp(radial(v) - radial(v).max()) for v in (1.0, 1 + 1 / T**2)]
    p, q = (d / d.sum() for d in densities)
    return np.abs(p - q).sum() / 2


@start_error.law("half the integral of |p - q| on the line")
def start_on_the_line(f, rng):
    z = np.linspace(-40, 40, 40001)
    for T in (0.7, 2.0):
        p, q = (np.exp(-(z**2) / (2 * v)) / v**0.5 for v in (1 + T**2, T**2))
        close(f(T, 1), np.abs(p / p.sum() - q / q.sum()).sum() / 2)


@start_error.law("k^k / (1 + k)^(1 + k) with k = T^2, in the plane")
def start_in_the_plane(f, rng):
    for T in (0.7, 2.0):
        k = T**2
        close(f(T, 2), k**k / (1 + k) ** (1 + k))


@start_error.law("half the integral of |p - q| over the radius in 64 dimensions")
def start_in_many_dimensions(f, rng):
    for T in (1.5, 3.0):
        close(f(T, 64), half_the_difference(T, 64))


@start_error.law("about sqrt(D / pi) / (2 T^2) once that is small")
def start_far_out(f, rng):
    for T, D in (12.0, 64), (6.0, 2):
        holds(0.9 < float(f(T, D)) * 2 * T**2 / (D / np.pi) ** 0.5 < 1.1, "it is off by more than a tenth")


start_error.wrong("T for T squared", replace=("1 / T**2", "1 / T"), caught_by=start_on_the_line,
                  hint="x_T has variance 1 + T^2 against T^2.")
start_error.wrong("the sphere of dimension one", replace=("D * jnp.log1p(u)", "jnp.log1p(u)"), caught_by=start_in_many_dimensions,
                  hint="The normalising factor of a density in D dimensions is the D-th power of that of one.")
start_error.wrong("one probability instead of a difference", replace=("chi2((1 + u) * a) - chi2(a)", "1 - chi2(a)"),
                  caught_by=start_in_the_plane, hint="The distance is P(A) - Q(A): both laws have some mass in the event.")
start_error.wrong("takes the more spread law for the more likely inside", replace=("chi2((1 + u) * a) - chi2(a)",
                                                                                   "chi2(a) - chi2((1 + u) * a)"),
                  caught_by=start_on_the_line, hint="A distance is not negative. Which of the two is the larger at the origin?")
start_error.wrong("halves once more", replace=("chi2((1 + u) * a) - chi2(a)", "(chi2((1 + u) * a) - chi2(a)) / 2"),
                  caught_by=start_in_the_plane,
                  hint="The one half goes with the integral of |p - q|; for the best event there is none.")
start_error.wrong("chi-square of D, not of D / 2", replace=("gammainc(D / 2", "gammainc(D"), caught_by=start_on_the_line,
                  hint="The chance that the squared length is <= c is gammainc(a, x) with a = D / 2 and x = c / 2.")


@start_error.right("with the other form of the sphere")
def _(T, D):
    r = (1 + T**2) / T**2
    b = D * np.log(r) / (1 - 1 / r)
    inside = lambda c: 1 - jax.scipy.special.gammaincc(D / 2, c / 2)
    return inside(b) - inside(b / r)


@start_error.right("by integration over the radius, in NumPy")
def _(T, D):
    z = np.linspace(np.log(D) / 2 - 9, np.log(D) / 2 + 4, 40001)
    p, q = (D * (z - np.log(v) / 2) - np.exp(2 * z) / (2 * v) for v in (1.0, 1 + 1 / T**2))
    p, q = (np.exp(d - d.max()) / np.exp(d - d.max()).sum() for d in (p, q))
    return np.maximum(p - q, 0).sum()


# P3.18

exponential_times = Exercise(
    "ch03.exponential_times", "Times that crowd near zero", principles=["P3.18"], label="eq:denoising_exponential_discretization",
    minutes=6, level="more", stand_in=diffusion.exponential_times, objective="place the steps of a sampler where they are needed",
    hints=["C_1 follows from t_L = T.", "l from L down to 0: jnp.arange(L, -1, -1).",
           "For small c, e^(c l) - 1 loses all digits; jnp.expm1(c * l) is the same without the loss.",
           "T expm1(c l) / expm1(c L)."])


@exponential_times.law("L + 1 times, from T down to 0")
def exponential_ends(f, rng):
    times = np.asarray(f(10.0, 0.3, 6), dtype=float)
    holds(times.shape == (7,), f"the shape is {times.shape}, and seven times are wanted")
    close(times[[0, -1]], [10.0, 0.0], tol=0.1)
    holds((np.diff(times) < 0).all(), "the times do not descend")


@exponential_times.law("every gap is e^c times the next one")
def exponential_gaps(f, rng):
    gaps = -np.diff(np.asarray(f(10.0, 0.3, 6), dtype=float))
    close(gaps[:-1] / gaps[1:], np.full(5, np.exp(0.3)))


@exponential_times.law("equal gaps for c = 1e-12")
def exponential_limit(f, rng):
    close(f(3.0, 1e-12, 6), np.linspace(3, 0, 7))


@exponential_times.law("proportional to T")
def exponential_scale(f, rng):
    close(f(2.5, 0.7, 6), np.asarray(f(1.0, 0.7, 6), dtype=float) * 2.5)


exponential_times.wrong("e^x - 1 in two operations", replace=("jnp.expm1(c * l)", "(jnp.exp(c * l) - 1)"),
                        caught_by=exponential_limit,
                        hint="What does the computer make of e^(1e-12)? There is a function for e^x - 1.")
exponential_times.wrong("never reaches 0", replace=("jnp.expm1(c * l)", "jnp.exp(c * l)"), caught_by=exponential_ends,
                        hint="t_0 = C_1 (e^0 - 1). What is it?")
exponential_times.wrong("ascending", replace=("jnp.arange(L, -1, -1)", "jnp.arange(L + 1)"), caught_by=exponential_ends,
                        hint="A sampler goes down in time: T stands first.")
exponential_times.wrong("stops one step early", replace=("(L, -1, -1)", "(L, 0, -1)"), caught_by=exponential_ends,
                        hint="L steps have L + 1 ends, and the last one is 0.")
exponential_times.wrong("powers of l", replace=("jnp.expm1(c * l) / jnp.expm1(c * L)", "(l / L) ** (1 + c)"),
                        caught_by=exponential_gaps, hint="The gaps are to grow by one and the same factor, e^c.")
exponential_times.wrong("powers of 2", replace=("jnp.expm1(c * l) / jnp.expm1(c * L)", "(2 ** (c * l) - 1) / (2 ** (c * L) - 1)"),
                        caught_by=exponential_gaps, hint="The base is e.")


@exponential_times.right("gap by gap, in NumPy")
def _(T, c, L):
    gaps = np.exp(c * np.arange(L - 1, -1, -1))
    return T - np.concatenate([[0], np.cumsum(gaps / gaps.sum() * T)])
