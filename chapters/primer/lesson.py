# %% [markdown]
# # Primer: from NumPy to JAX in an hour
#
# The chapters write mathematics as code: samples as columns, functions as arguments, gradients on request. This hour
# makes such code easy to read. You need some NumPy and some linear algebra; JAX begins here.
#
# Write your lines in place of `todo()` and run the cell: it tells you which laws hold. Ten exercises are core, an
# eleventh is for the curious. If exercises of this kind are new to you, open `start` first; it takes ten minutes. Skip
# what you know: nothing below depends on your answers.

# %%
import jax
import jax.numpy as jnp
import numpy as np

from book_utils import plot
from book_utils.course import exercise, hint, lesson, show, solution, todo, yours
from book_utils.explore import explore
from book_utils.plot import figure
from book_utils.transform import columns

lesson("primer")

# %% [markdown]
# ## Part 1: Arrays
#
# After this part you can read a data matrix, say what broadcasting will do before it does it, and write array code that
# JAX can compile. *20 minutes.*
#
# ### 1.1 Samples are columns
#
# **Claim.** $N$ samples of $D$ numbers each form a matrix $X$ of shape `(D, N)`. Column $x_i$ is sample $i$; row $j$ is
# one feature, across all samples. Centring subtracts the mean sample from every column, $x_i - \frac1N\sum_k x_k$.
#
# "Over the samples" therefore means *axis 1*, and `X.mean(axis=1)` has shape `(D,)`. Subtracting it takes one more
# thought. Broadcasting lines shapes up *from the right*: `(D, N)` and `(D,)` do not fit, `(D, N)` and `(D, 1)` do.
# `keepdims=True` leaves the averaged axis in place with size 1; indexing with `[:, None]` adds such an axis afterwards.
#
# #### Exercise: centring
# *Core, 4 minutes.*

# %%
@exercise("primer.center")
def center(X: "(D, N)") -> "(D, N)":
    """The samples moved so that their mean is zero: every column of X less the mean of all columns.
    Example: X = [[1., 3., 5.], [0., 4., 2.]]  ->  [[-2., 0., 2.], [-2., 2., 0.]]"""
    #: solution
    return X - X.mean(axis=1, keepdims=True)
    #: end

# %% [markdown]
# **See.** The cloud moves, its shape stays. If your function fails, what it makes of the same cloud is drawn with
# crosses.

# %%
angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
X = jnp.array([2 + 1.5 * np.cos(angle), 1.5 + 0.5 * np.sin(angle) + 0.4 * np.cos(angle)])
with figure("An ellipse of samples away from the origin, and the same ellipse with its mean on the origin.", size=(5, 3)) as ax:
    ax.scatter(*X, color=plot.COLORS[0], marker="o", s=14, label="X")
    ax.scatter(*center(X), color=plot.COLORS[1], marker="^", s=14, label="center(X)")
    for mine in yours(center):
        ax.scatter(*mine(X), color="black", marker="x", s=18, label="yours")
    ax.plot(0, 0, "k+", markersize=12)
    ax.set(xlabel="feature 1", ylabel="feature 2", aspect="equal")
    ax.legend()

# %% [markdown]
# ### 1.2 `(N,)` is not `(N, 1)`
#
# **Claim.** Broadcasting adds missing axes on the *left* and stretches axes of size 1. So `(N,)` beside `(N, 1)` is no
# error: it is a table of $N \times N$ differences. Here is a prediction without any error.

# %%
y = np.array([1.0, 2.0, 4.0])  # (3,)
prediction = y[:, None]        # (3, 1): the same numbers
print("shape of the difference:", (y - prediction).shape)
show(mean_square=((y - prediction) ** 2).mean(), honest=((y - prediction[:, 0]) ** 2).mean())

# %% [markdown]
# A perfect prediction, and a mean square of 3.11; nothing complained. The worst broadcasts are those that run. Say the
# shape of both sides before you write the operator, and try code on matrices that are *not* square, as our checks do
# (they try square ones too).
#
# #### Exercise: distances to a point
# *Core, 5 minutes.*

# %%
@exercise("primer.squared_distances")
def squared_distances(X: "(D, N)", x: "(D,)") -> "(N,)":
    """Squared distance of every sample to x: entry i is ||x_i - x||^2, for column x_i of X.
    Example: X = [[0., 3., 1.], [0., 4., 1.]], x = [0., 1.]  ->  [1., 18., 1.]"""
    #: solution
    return ((X - x[:, None]) ** 2).sum(axis=0)
    #: end

# %% [markdown]
# **See.** With distances comes the simplest of classifiers: answer with the nearest sample.

# %%
landmarks, point = jnp.array([[0.0, 3.0, 6.0], [0.0, 4.0, 0.0]]), jnp.array([4.0, 3.0])
nearest = jnp.argmin(squared_distances(landmarks, point))
print(f"nearest to (4, 3): sample {nearest}, at ({landmarks[0, nearest]:.0f}, {landmarks[1, nearest]:.0f})")

# %% [markdown]
# ### 1.3 From `np` to `jnp`
#
# **Claim.** `jax.numpy`, called `jnp`, has NumPy's names and NumPy's shapes. Four things differ:
#
# | | `np` | `jnp` |
# |---|---|---|
# | change an entry | `x[0] = 1` | `x = x.at[0].set(1)`, see 1.4 |
# | random numbers | from a hidden state | from a key you pass, see 2.2 |
# | floating-point numbers | 64 bits | 32 bits, see 3.3 |
# | compile, lift, differentiate | no | `jax.jit`, `jax.vmap`, `jax.grad` |
#
# The last line explains the others. `jax.jit(f)` compiles `f`: JAX calls it once with *tracers*, stand-ins that know
# their shape but not their numbers, writes down the operations, and compiles the list. A `jnp` function accepts a tracer;
# an `np` function asks for numbers and raises. Where nothing is traced, plain NumPy is fine, and most exercises of the
# chapters accept it. This one asks for `jnp`.
#
# #### Exercise: columns of length one
# *Core, 4 minutes, needs jnp.*

# %%
@exercise("primer.normalize")
def normalize(X: "(D, N)") -> "(D, N)":
    """The samples scaled to length one: column i is x_i / ||x_i||. No column of X is zero. Must work under jax.jit: use jnp.
    Example: X = [[3., 0., 1.], [4., 2., 0.]]  ->  [[0.6, 0., 1.], [0.8, 1., 0.]]"""
    #: solution
    return X / jnp.linalg.norm(X, axis=0)
    #: end

# %% [markdown]
# ### 1.4 Arrays that do not change
#
# **Claim.** A JAX array never changes. `x.at[i].set(v)` returns a *new* array, and if you do not keep it, it is lost
# without a word:

# %%
x = jnp.zeros(3)
x.at[0].set(7.0)      # made, and dropped
z = x.at[0].set(7.0)  # made, and kept
print(x, z)

# %% [markdown]
# `.at[i].add(v)`, `.at[:, j].multiply(v)` and their like follow the same pattern. (Compiled code does not really copy:
# the compiler sees when the old array is no longer needed and reuses its memory.)
#
# #### Exercise: the largest entry alone
# *Core, 5 minutes.*

# %%
@exercise("primer.keep_largest")
def keep_largest(x: "(D,)") -> "(D,)":
    """A copy of x in which every entry is zero but the one with the largest absolute value, which keeps its sign. x has no ties.
    Example: x = [1., -3., 2., 0.5, 0.]  ->  [0., -3., 0., 0., 0.]"""
    #: solution
    i = jnp.argmax(jnp.abs(x))
    z = jnp.zeros_like(x)
    z = z.at[i].set(x[i])
    return z
    #: end

# %% [markdown]
# **See.** A vector with one entry that is not zero lies on an axis, and yours lies on the nearest one. Before that,
# `normalize` put the cloud on the circle. (`columns` applies a function of one sample to every column; 2.3 says how.)

# %%
ring = normalize(center(X))
with figure("Samples on the unit circle, each joined to its image on the nearest of the two axes.", size=(6.6, 3.4)) as ax:
    axis = columns(keep_largest)(ring)
    ax.plot(*jnp.stack([ring, axis], axis=1), color="0.8", marker="None", zorder=0)
    ax.scatter(*ring, color=plot.COLORS[0], marker="o", s=14, label="normalize")
    ax.scatter(*axis, color=plot.COLORS[1], marker="^", s=14, label="keep_largest")
    for mine in yours(normalize):
        ax.scatter(*mine(center(X)), color="black", marker="+", s=18, label="your normalize")
    for mine in yours(keep_largest):
        ax.scatter(*columns(mine)(ring), color="black", marker="x", s=18, label="your keep_largest")
    ax.set(xlabel="feature 1", ylabel="feature 2", aspect="equal")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %% [markdown]
# <details><summary><b>Doubt.</b> Most libraries stack samples as rows. Why columns?</summary>
#
# Only because the book does: its formulas act on column vectors, so $U^\top x$ codes one sample and $U^\top X$ codes all
# of them, with no transpose to remember. Nothing in the mathematics prefers it, and you pay at every border: what goes to
# scikit-learn goes as `X.T`.
# </details>
#
# ## Part 2: Functions and chance
#
# After this part you can hand functions to functions, draw random numbers that can be drawn again, lift a formula from
# one sample to all of them, and have JAX differentiate what you wrote. *25 minutes.*
#
# ### 2.1 A function is a value
#
# **Claim.** The slope of $f$ at $x$ along $v$ is about $\dfrac{f(x + hv) - f(x - hv)}{2h}$, with an error of order $h^2$.
#
# *Why?* Expand both values in powers of $h$. What happens to the even powers?
#
# <details><summary>The argument</summary>
#
# $f(x \pm hv) = f(x) \pm h\,s + \tfrac{h^2}{2}\,q \pm \tfrac{h^3}{6}\,c + \dots$, where $s$ is the slope. Subtracting
# removes $f(x)$ and $q$; dividing by $2h$ leaves $s + \tfrac{h^2}{6}\,c + \dots$ For a quadratic function $c = 0$ and the
# formula is exact.
# </details>
#
# A routine for this needs $f$ itself, not its value at some point. In Python that is an argument like any other: write
# `f`, and call `f(...)` inside.
#
# #### Exercise: the slope of a function
# *Core, 5 minutes.*

# %%
@exercise("primer.slope")
def slope(f: "(D,) -> ()", x: "(D,)", v: "(D,)", h: float) -> "()":
    """The central difference (f(x + h v) - f(x - h v)) / (2 h). f takes a (D,) array and returns one number; v has any length.
    With f(x) = x[0]**2 * x[1], x = [1., 2.], v = [1., 0.] and h = 0.1 the result is (2.42 - 1.62) / 0.2 = 4."""
    #: solution
    return (f(x + h * v) - f(x - h * v)) / (2 * h)
    #: end

# %% [markdown]
# **See.** The sum of the cubes of $x = (1, 2)$ has slope 3 along the first axis. How small should $h$ be?

# %%
def cubes(x):
    return (x**3).sum()

point, ahead = jnp.array([1.0, 2.0]), jnp.array([1.0, 0.0])
steps = [float(10.0**k) for k in np.arange(-6, 0.1, 0.5)]
with figure("Error of the central difference against h: it falls with h, turns near 0.003 and rises again.", size=(5, 3)) as ax:
    ax.loglog(steps, [abs(slope(cubes, point, ahead, h) - 3) + 1e-8 for h in steps], marker="o", color=plot.COLORS[0])
    for mine in yours(slope):
        ax.loglog(steps, [abs(mine(cubes, point, ahead, h) - 3) + 1e-8 for h in steps], **plot.DASHED)
    ax.set(xlabel="h", ylabel="error")

# %% [markdown]
# On the right the error falls like $h^2$, as claimed. On the left it *grows* as $h$ shrinks: two nearly equal numbers are
# subtracted, each known to seven digits only (3.3). There is a best $h$, and it is not small.
#
# ### 2.2 Keys
#
# **Claim.** JAX keeps no hidden random state. Every draw takes a *key*; the same key gives the same numbers, always. When
# you need two independent draws, make two keys out of one with `jax.random.split`, and do not use the first again.
#
# The chapters draw random subspaces like this: fill a `(D, d)` matrix with normal random numbers and make its columns
# orthonormal, for instance by `jnp.linalg.qr`, which returns a pair whose first entry has orthonormal columns with the
# same span. Such a matrix is called a *frame*. The normal distribution prefers no direction, so neither does the span.
#
# #### Exercise: two random frames
# *Core, 6 minutes.*

# %%
@exercise("primer.two_frames")
def two_frames(key, D: int, d: int) -> "(D, d), (D, d)":
    """Two independent random frames U, V: each has d <= D orthonormal columns, and its span has no preferred direction.
    All randomness comes from key (made by jax.random.key): the same key gives the same pair."""
    #: solution
    k1, k2 = jax.random.split(key)
    U, _ = jnp.linalg.qr(jax.random.normal(k1, (D, d)))
    V, _ = jnp.linalg.qr(jax.random.normal(k2, (D, d)))
    return U, V
    #: end

# %% [markdown]
# **See.** $U^\top U$ and $V^\top V$ are the identity. $U^\top V$ is small: in 200 dimensions two random subspaces are
# nearly orthogonal, a fact that returns.

# %%
U, V = two_frames(jax.random.key(0), 200, 6)
with figure("Three matrices: U^T U and V^T V are the identity, U^T V is nearly zero.", size=(7, 2.4), ncols=3) as axes:
    for ax, product, name in zip(axes, (U.T @ U, V.T @ V, U.T @ V), ("$U^T U$", "$V^T V$", "$U^T V$")):
        ax.imshow(jnp.abs(product), vmin=0, vmax=1, cmap="Greys")
        ax.set(title=name, xticks=[], yticks=[])
        ax.grid(False)

# %% [markdown]
# <details><summary><b>Doubt.</b> Is a QR frame uniformly random?</summary>
#
# Its *span* is. The signs of its columns are not: QR chooses them by a rule of its own. `sampling.random_frame`, which
# the chapters use, repairs that.
# </details>
#
# ### 2.3 One sample, then all of them
#
# **Claim.** A formula about one sample should be written for one sample. `columns(f)` lifts a function of one `(D,)`
# sample to all columns of a `(D, N)` matrix and puts the results side by side, along the last axis; it relies on
# `jax.vmap`, which runs `f` on all samples at once rather than in a loop. No `axis=`, no `[:, None]`, hence none of the
# traps of 1.2.
#
# | `f` returns | `columns(f)(X)` has shape |
# |---|---|
# | one number | `(N,)` |
# | `(k,)` | `(k, N)` |
#
# Lifting twice makes tables. The *Gram matrix* of a kernel $k$ holds $k(x_i, x_j)$ in row $i$ and column $j$; for the
# inner product it is $X^\top X$.
#
# #### Exercise: a Gram matrix for any kernel
# *Core, 6 minutes.*

# %%
@exercise("primer.gram")
def gram(kernel: "(D,), (D,) -> ()", X: "(D, N)") -> "(N, N)":
    """Entry (i, j) is kernel(x_i, x_j), for columns x_i and x_j of X. kernel takes two (D,) arrays, returns one number,
    and need not be symmetric. Loops are fine, columns or jax.vmap shorter.
    With kernel(x, y) = x[0] * y[1] and X = [[1., 2.], [3., 4.]] the result is [[3., 4.], [6., 8.]]."""
    #: solution
    def column(y):
        return columns(lambda x: kernel(x, y))(X)
    return columns(column)(X)
    #: end

# %% [markdown]
# **See.** Twelve samples near one line, then twelve near another. The squared cosine of their angle, as a kernel, sees
# the two groups.

# %%
U, V = two_frames(jax.random.key(1), 20, 1)
noise = 0.05 * jax.random.normal(jax.random.key(2), (20, 24))
lines = jnp.concatenate([U @ jnp.linspace(1, 2, 12)[None], V @ jnp.linspace(1, 2, 12)[None]], axis=1) + noise
K = gram(lambda x, y: (x @ y) ** 2, normalize(lines))
with figure("A 24 by 24 Gram matrix: two bright blocks of twelve on the diagonal, dark elsewhere.", size=(3, 3)) as ax:
    ax.imshow(K, vmin=0, vmax=1, cmap="Greys_r")
    ax.set(xlabel="sample j", ylabel="sample i")
    ax.grid(False)

# %% [markdown]
# ### 2.4 Gradients
#
# **Claim.** `jax.grad(f)` is the gradient of $f$: a new function, exact up to rounding, with no $h$ to choose. It works
# on any `f` that is written in `jnp` and returns one number. For $f(x) = x^\top M x$ calculus gives $(M + M^\top)\,x$;
# for symmetric $M$ that is the familiar $2Mx$.

# %%
M = jnp.array([[1.0, 0.6], [0.0, 0.4]])
by_jax = jax.grad(lambda x: x @ M @ x)(point)
print("by JAX :", [f"{g:.2f}" for g in by_jax])
print("by hand:", [f"{g:.2f}" for g in (M + M.T) @ point])

# %% [markdown]
# #### Exercise: gradient descent
# *Core, 6 minutes, needs grad.*
#
# Start somewhere and go downhill: $x \leftarrow x - \gamma\,\nabla f(x)$, as often as you like.

# %%
@exercise("primer.descend")
def descend(f: "(D,) -> ()", x: "(D,)", gamma: float, T: int) -> "(D,)":
    """The point after T steps x <- x - gamma * grad f(x), each with the gradient at the current point; x itself when T = 0.
    With f(x) = x[0]**2 + x[1], x = [1., 0.], gamma = 0.1 and T = 2 the result is [0.64, -0.2]."""
    #: solution
    g = jax.grad(f)
    for _ in range(T):
        x = x - gamma * g(x)
    return x
    #: end

# %% [markdown]
# **Play.** Twelve steps in a valley that is five times as curved one way as the other. Raise `gamma`: straight, zigzag,
# gone. Which eigenvalue of the Hessian decides when it breaks?

# %%
def valley(x):
    return x[0] ** 2 / 2 + 5 * x[1] ** 2 / 2

def walk(downhill, gamma):
    path = [jnp.array([-2.0, 1.0])]
    for _ in range(12):
        path.append(downhill(valley, path[-1], gamma, 1))
    return path

def draw(fig, gamma):
    path, ax = walk(descend, gamma), fig.subplots()
    a, b = np.meshgrid(np.linspace(-2.4, 2.4, 60), np.linspace(-1.6, 1.6, 60))
    ax.contour(a, b, valley((a, b)), levels=8, colors="0.8")
    ax.plot(*np.array(path).T, marker="o", color=plot.COLORS[0], markersize=4)
    for mine in yours(descend):
        ax.plot(*np.array(walk(mine, gamma)).T, **plot.DASHED)
    ax.set(xlim=(-2.4, 2.4), ylim=(-1.6, 1.6), xlabel="x[0]", ylabel="x[1]")
    return f"Gradient descent with gamma = {gamma}: from f = {valley(path[0]):.3g} to f = {valley(path[-1]):.2g} in 12 steps."

explore(draw, {"gamma": [0.05, 0.1, 0.2, 0.3, 0.35, 0.38, 0.42]}, start={"gamma": 0.3}, size=(5, 3))

# %% [markdown]
# <details><summary>The answer</summary>
#
# Along an eigenvector with eigenvalue $\lambda$ a step multiplies by $1 - \gamma\lambda$. That shrinks
# while $\gamma < 2/\lambda$: the largest eigenvalue, here 5, breaks first, at $\gamma = 0.4$.
# </details>
#
# ## Part 3: What the machine sees
#
# After this part you can write choices that compile, know what seven digits can hold, and recognise the two commonest
# sources of `nan`. *15 minutes.*
#
# ### 3.1 `where`, not `if`
#
# **Claim.** Under `jit` the numbers are not there yet, so `if x > lam` has no answer. `jnp.where(condition, a, b)` needs
# none: it computes `a` *and* `b`, and picks entry by entry.

# %%
def shrink(x, lam):
    return x - lam if x > lam else 0.0

try:
    jax.jit(shrink)(3.0, 1.0)
except jax.errors.TracerBoolConversionError:
    print("jit: is x > lam? Nobody knows x yet.")

# %% [markdown]
# *Soft thresholding* moves every number towards zero by $\lambda$ and stops at zero. It is the step by which the book
# finds sparse codes ([[eq:ista_update]]; its graph is [[fig:soft-thresholding]]), and it minimises
# $\tfrac12 (z - x)^2 + \lambda |z|$ over $z$.
#
# #### Exercise: soft thresholding
# *Core, 5 minutes, needs jnp.*

# %%
@exercise("primer.soft_threshold")
def soft_threshold(x: "(D,)", lam: float) -> "(D,)":
    """Every entry of x moved towards zero by lam >= 0; entries with |x_j| <= lam become zero. It must work under jax.jit.
    Example: x = [3., -0.5, -2., 0.2, 1.], lam = 1.  ->  [2., 0., -1., 0., 0.]"""
    #: solution
    return jnp.where(jnp.abs(x) > lam, x - lam * jnp.sign(x), 0.0)
    #: end

# %%
t = jnp.linspace(-3, 3, 121)
with figure("Soft thresholding with lam = 1: zero between -1 and 1, parallel to the diagonal outside.", size=(4, 3)) as ax:
    ax.plot(t, t, color="0.8", marker="None")
    ax.plot(t, soft_threshold(t, 1.0), color=plot.COLORS[0])
    for mine in yours(soft_threshold):
        ax.plot(t, mine(t, 1.0), **plot.DASHED)
    ax.set(xlabel="x", ylabel="soft_threshold(x, 1)", aspect="equal")

# %% [markdown]
# ### 3.2 More: the `nan` behind a `where`
#
# **Claim.** `jax.grad` differentiates both branches of a `where` and multiplies the one that was not picked by zero. If
# its derivative is infinite there, zero times infinity is `nan`, although the value is fine:

# %%
def root(s):
    return jnp.where(s > 0, jnp.sqrt(s), 0.0)

print("value at 0:", root(0.0), "  gradient at 0:", jax.grad(root)(0.0))

# %% [markdown]
# The cure is to show the dangerous function a harmless number whenever its result will not be used: a `where` inside,
# too.
#
# #### Exercise: a length with a gradient at zero
# *More, 6 minutes, needs grad.*

# %%
@exercise("primer.safe_norm")
def safe_norm(x: "(D,)") -> "()":
    """The length ||x||, written in jnp so that jax.grad of it is x / ||x|| for x not 0, and the zero vector at x = 0.
    Example: x = [2., -1., 2.]  ->  3."""
    #: solution
    s = (x**2).sum()
    return jnp.where(s > 0, jnp.sqrt(jnp.where(s > 0, s, 1.0)), 0.0)
    #: end

# %% [markdown]
# ### 3.3 Seven digits
#
# **Claim.** A float32 keeps about seven significant digits: the next number after 1 is $1 + 1.2\cdot10^{-7}$. Every
# operation rounds with a *relative* error of up to half that, and nothing above $3.4\cdot10^{38}$ exists. So a check that
# says "equal" means "equal to a few units in the last of seven digits".
#
# Two habits follow. First: **do not subtract large, nearly equal numbers.** The variance of 9999 and 10001 is 1, by
# either formula:

# %%
data = jnp.array([9999.0, 10001.0])
print("1 + 1e-8 is 1:", jnp.float32(1) + 1e-8 == 1)
show(mean_of_squares=(data**2).mean() - data.mean() ** 2, centred_first=((data - data.mean()) ** 2).mean())

# %% [markdown]
# The squares are near $10^8$ and need nine digits; the two that carry the variance are gone. Centre first.
#
# Second: **keep exponentials at home.** $e^{89}$ is already too large for float32, and probabilities are exponentials of
# numbers far from zero all the time. Take the logarithm of a sum of exponentials, $\log\sum_j e^{x_j}$. What happens to
# it when the same $c$ is subtracted from all $x_j$? And which $c$ makes every exponential at most 1, and one of them
# exactly 1?
#
# #### Exercise: log-sum-exp
# *Core, 5 minutes.*

# %%
@exercise("primer.log_sum_exp")
def log_sum_exp(x: "(D,)") -> "()":
    """The natural logarithm of the sum over j of exp(x_j), in float32, for entries of any size: 1000 and -1000 are welcome.
    Example: x = [0., 1., 2., -1000.]  ->  2.408"""
    #: solution
    m = x.max()
    return m + jnp.log(jnp.exp(x - m).sum())
    #: end

# %% [markdown]
# **See.** On paper the two numbers are equal. And $x_j - \log\sum_k e^{x_k}$ are logarithms of probabilities: their
# exponentials, the *softmax* of $x$, add up to 1.

# %%
x = jnp.array([1000.0, 1001.0, 1002.0])
softmax = jnp.exp(x - log_sum_exp(x))
show(as_on_paper=jnp.log(jnp.exp(x).sum()) - 1000, yours_or_ours=log_sum_exp(x) - 1000, sum_of_softmax=softmax.sum())

# %% [markdown]
# **See also.** The slope of log-sum-exp along an axis is the softmax entry there. Your `slope` and your `log_sum_exp` can
# show it together, or compare `jax.grad`, if you wrote `log_sum_exp` in `jnp`.

# %%
x = jnp.array([0.0, 1.0, 2.0])
for j in range(3):
    print(f"entry {j}: slope {slope(log_sum_exp, x, jnp.eye(3)[j], 0.1):.2f}, softmax {jnp.exp(x - log_sum_exp(x))[j]:.2f}")

# %% [markdown]
# <details><summary><b>Doubt.</b> Why not use 64 bits and forget all this?</summary>
#
# You may: `jax.config.update("jax_enable_x64", True)` as the first line of a script. It moves the limits ($e^{710}$,
# sixteen digits) and removes none of them: one-pass variance fails again at data near $10^8$. And accelerators are built
# for 32 bits and fewer. A formula that is safe in float32 is safe everywhere.
# </details>
#
# **Where next?** Chapter 2, where these functions meet data. Come back when a `nan` does.
