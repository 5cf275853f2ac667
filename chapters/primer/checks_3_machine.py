"""The exercises of the primer, Part 3: what the machine sees."""

import jax.numpy as jnp
import numpy as np

from book_utils.course.exercises import Exercise, close, holds

soft_threshold = Exercise("primer.soft_threshold", "Soft thresholding", label="eq:ista_update", minutes=5,
                          objective="choose entry by entry without asking for values",
                          hints=["Three cases: x > lam, x < -lam, and between. In the first two, which way is zero?",
                                 "x - lam * jnp.sign(x) moves every entry by lam towards zero.",
                                 "jnp.where(condition, there, elsewhere) takes an array of conditions, here on jnp.abs(x)."])


@soft_threshold.law("entries within lam of zero become zero")
def small(f, rng):
    close(f(np.array([0.0, 0.3, -0.69, 0.5, -0.1]), 0.7), np.zeros(5))


@soft_threshold.law("all others move by lam towards zero")
def large(f, rng):
    close(f(np.array([1.0, -1.0, 2.5, -3.0, 0.9]), 0.7), np.array([0.3, -0.3, 1.8, -2.3, 0.2]))


@soft_threshold.law("no jump at lam")
def continuous(f, rng):
    close(f(np.array([0.7001, -0.7001, 0.6999, -0.6999, 0.7002]), 0.7), np.zeros(5), tol=2)


@soft_threshold.law("minimises (z - x)^2 / 2 + lam |z|, entry by entry")
def minimal(f, rng):
    x, lam = 2 * rng.normal(size=5), 0.7
    cost = lambda z: (z - x) ** 2 / 2 + lam * np.abs(z)
    grid = np.linspace(-8, 8, 16001)[:, None]
    excess = float((cost(f(x, lam)) - cost(grid).min(axis=0)).max())
    holds(excess < 1e-4, f"another z has a value lower by {excess:.2g}")


@soft_threshold.law("works under jit")
def threshold_jit(f, rng):
    close(f.jit(np.array([1.0, -1.0, 2.5, -0.5, 0.2]), 0.7), np.array([0.3, -0.3, 1.8, 0.0, 0.0]))


soft_threshold.wrong("keeps large entries as they are", replace=("x - lam * jnp.sign(x)", "x"), caught_by=large,
                     hint="That is hard thresholding. Here the entries that stay move by lam as well.")
soft_threshold.wrong("forgets negative entries", replace=("jnp.abs(x) > lam", "x > lam"), caught_by=large,
                     hint="-3 is further than lam from zero too.")
soft_threshold.wrong("moves negative entries away from zero", replace=("lam * jnp.sign(x)", "lam"), caught_by=large,
                     hint="Towards zero means up for a negative entry.")
soft_threshold.wrong("leaves small entries", replace=("0.0", "x"), caught_by=small,
                     hint="What lies within lam of zero arrives at zero and stops there.")
soft_threshold.wrong("moves away from zero", replace=("x - lam", "x + lam"), caught_by=large,
                     hint="Your entries move away from zero.")


@soft_threshold.right("sign times what is left of the size")
def _(x, lam):
    return jnp.sign(x) * jnp.maximum(jnp.abs(x) - lam, 0.0)


@soft_threshold.right("two ramps")
def _(x, lam):
    return jnp.maximum(x - lam, 0) - jnp.maximum(-x - lam, 0)


@soft_threshold.right("x less its clipped self")
def _(x, lam):
    return x - jnp.clip(x, -lam, lam)


safe_norm = Exercise("primer.safe_norm", "A length with a gradient at zero", minutes=6, level="more", needs_grad=True,
                     objective="keep NaN out of the gradient of a where",
                     hints=["The gradient runs through both branches of a where. Which number does the root see at x = 0?",
                            "Give the root something harmless at x = 0: a second where, inside it.",
                            "jnp.sqrt(jnp.where(s > 0, s, 1.0)), and the outer where as before."])


@safe_norm.law("is the length of x")
def length(f, rng):
    x = rng.normal(size=3)
    close(f(x), np.sqrt((x**2).sum()))
    close(f(x / 100), np.sqrt((x**2).sum()) / 100)


@safe_norm.law("is zero at x = 0")
def zero(f, rng):
    close(f(np.zeros(3)), 0.0)


@safe_norm.law("its gradient is x / ||x||")
def unit_gradient(f, rng):
    x = rng.normal(size=3)
    close(f.grad(x), x / np.sqrt((x**2).sum()))


@safe_norm.law("its gradient at x = 0 is zero")
def zero_gradient(f, rng):
    close(f.grad(np.zeros(3)), np.zeros(3))


safe_norm.wrong("one where", replace=("jnp.where(s > 0, s, 1.0)", "s"), caught_by=zero_gradient,
                hint="The value is right, and jax.grad gives 0 times infinity: the root still sees 0.")
safe_norm.wrong("a little more than s", replace=("jnp.where(s > 0, s, 1.0)", "s + 1e-3"), caught_by=length,
                hint="s + 1e-3 is wrong for every x, and very wrong for short ones.")
safe_norm.wrong("at least one", replace=("jnp.where(s > 0, s, 1.0)", "jnp.maximum(s, 1.0)"), caught_by=length,
                hint="A vector shorter than one is no exception: only x = 0 is.")
safe_norm.wrong("one at zero", replace=("1.0)), 0.0)", "1.0)), 1.0)"), caught_by=zero,
                hint="The harmless number goes into the root; the value at x = 0 is still 0.")
safe_norm.wrong("forgets the root", replace=("jnp.sqrt(jnp.where(s > 0, s, 1.0))", "s"), caught_by=length,
                hint="s is the squared length.")


@safe_norm.right("a floor under the squares")
def _(x):
    return jnp.sqrt(jnp.maximum((x * x).sum(), 1e-30))


@safe_norm.right("scaled by a safe length")
def _(x):
    s = x @ x
    length = jnp.sqrt(jnp.where(s == 0, 1.0, s))
    return s / length


log_sum_exp = Exercise("primer.log_sum_exp", "Log-sum-exp", minutes=5,
                       objective="rearrange a formula so that float32 can hold every number in it",
                       hints=["exp overflows beyond 88. Which number can you take out of every entry, and put back in the end?",
                              "log sum exp(x) = c + log sum exp(x - c) for every c. Which c makes the largest exponent 0?",
                              "c = x.max(). Do not forget to add it again."])


@log_sum_exp.law("equals the logarithm of the sum of exponentials")
def direct(f, rng):
    x = rng.normal(size=4)
    close(f(x), np.log(np.exp(x).sum()))


@log_sum_exp.law("adding 1000 to every entry adds 1000")
def raised(f, rng):
    x = rng.normal(size=4)
    close(f(x + 1000) - 1000, np.log(np.exp(x).sum()))


@log_sum_exp.law("subtracting 1000 from every entry subtracts 1000")
def lowered(f, rng):
    x = rng.normal(size=4)
    close(f(x - 1000) + 1000, np.log(np.exp(x).sum()))


@log_sum_exp.law("four equal entries add log 4")
def equal_entries(f, rng):
    close(f(np.full(4, 0.5)), 0.5 + np.log(4))


@log_sum_exp.law("one entry far above the others is all that counts")
def towering(f, rng):
    close(f(np.array([3.0, 300.0, -20.0, 7.0])), 300.0)


log_sum_exp.wrong("as it stands on paper", replace=("x.max()", "0.0"), caught_by=raised,
                  hint="exp(1000) is infinite in float32, and its logarithm too.")
log_sum_exp.wrong("forgets to add the maximum", replace=("m + jnp", "jnp"), caught_by=direct,
                  hint="What was taken out of the exponentials has to come back.")
log_sum_exp.wrong("takes out the mean", replace=("x.max()", "x.mean()"), caught_by=towering,
                  hint="Only one choice makes every exponential at most 1. With any other, the largest can overflow.")
log_sum_exp.wrong("logarithm of the mean", replace=(".sum()", ".mean()"), caught_by=equal_entries,
                  hint="The exponentials are added up, not averaged.")


@log_sum_exp.right("in NumPy")
def _(x):
    x = np.asarray(x, dtype=float)
    return x.max() + np.log(np.sum(np.exp(x - x.max())))


@log_sum_exp.right("entry by entry")
def _(x):
    total = x[0]
    for entry in x[1:]:
        total = jnp.maximum(total, entry) + jnp.log1p(jnp.exp(-jnp.abs(total - entry)))
    return total
