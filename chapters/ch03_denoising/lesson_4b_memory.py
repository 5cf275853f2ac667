# %% [markdown]
# ### 4.5 The best denoiser of a training set
# **Claim.** What is trained on are $N$ samples, not their distribution. Of all functions, the one with the smallest training
# loss ([[eq:parametric_denoising_loss_finite_sample]]) is an average of the training samples ([[eq:memorizing_denoiser]]):
#
# $$\bar x(x_t)=\sum_{i=1}^Nw_i\,x_i,\qquad
# w_i=\frac{\exp\big(-\|x_t-\alpha x_i\|^2/(2\sigma^2)\big)}{\sum_j\exp\big(-\|x_t-\alpha x_j\|^2/(2\sigma^2)\big)} .$$
#
# **Derive.**
# 1. The training loss is the mean of $\|x-f(x_t)\|^2$ when $x$ follows another law than that of the data. Which one?
# 2. Part 2 says which $f$ minimises such a mean, whatever the law of $x$. What is it here?
# 3. What does the average become for $\sigma\to0$? For $\alpha=0$? Can it ever leave the convex hull of the training samples?
#
# <details><summary>Answers</summary>
#
# (1) The *empirical law*: each of the $N$ samples with probability $1/N$. (2) The posterior mean,
# $\sum_i\Pr(x=x_i\mid x_t)\,x_i$. Given $x=x_i$, the noisy sample is $N(\alpha x_i,\sigma^2I)$. By Bayes' rule the probability
# of $x_i$ is proportional to $\frac1N\exp(-\|x_t-\alpha x_i\|^2/(2\sigma^2))$, and the rest cancels. (It is also the denoiser
# of a Gaussian mixture with means $x_i$ and covariances 0.) (3) If $x_i$ is the one with the nearest $\alpha x_i$, every other
# $w_j$ is below $\exp(-(\text{gap of squared distances})/(2\sigma^2))\to0$: the answer is a training sample. For $\alpha=0$ all
# weights are $1/N$: the mean. And the weights are $\ge0$ and add up to 1, so the hull is never left.
# </details>
#
# #### Exercise: the memorising denoiser
# Two habits for many samples. Multiply out, $\|x_t-\alpha x_i\|^2=\|x_t\|^2-2\alpha\,x_i^\top x_t+\alpha^2\|x_i\|^2$: a matrix
# product and an $N\times M$ array do, where all differences at once would fill $DNM$ numbers. And subtract the largest exponent
# before you take exponentials (`jax.nn.softmax` does).
#
# *Core, 10 minutes.*

# %%
@exercise("ch03.memorizing_denoiser")
def memorizing_denoiser(X: "(D, N)", X_t: "(D, M)", alpha: float, sigma: float) -> "(D, M)":
    """Column m is the posterior mean E[x | x_t] at column x_t of X_t, where x_t = alpha x + sigma g and x is one of the N columns
    of X, all equally likely: the average above. alpha >= 0, sigma > 0. Exponents may be as low as -1e5 in every term.
    Example: X = [[0., 2., 4.]], X_t = [[0.5]], alpha = 0.5, sigma = 0.5  ->  [[1.027]]"""
    #: solution
    squares = jnp.sum(X_t**2, axis=0) - 2 * alpha * X.T @ X_t + alpha**2 * jnp.sum(X**2, axis=0)[:, None]
    w = jax.nn.softmax(-squares / (2 * sigma**2), axis=0)
    return X @ w
    #: end

# %% [markdown]
# **See.** Twenty-four training samples around a circle and what the best denoiser makes of a grid of points, for three noise
# levels. First everything goes some way towards the mean; then the training samples draw apart what is near them; at last nearly
# every point goes straight to one of them.

# %%
rng = np.random.default_rng(3)
angle = 2 * np.pi * rng.random(24)
few = np.stack([np.cos(angle), np.sin(angle)]) + 0.1 * rng.normal(size=(2, 24))
grid = np.stack(np.meshgrid(np.linspace(-1.6, 1.6, 7), np.linspace(-1.6, 1.6, 7))).reshape(2, -1)
alt = "Lines from grid points to what the denoiser makes of them: around the mean, then on a ring, at last on training samples."
with figure(alt, size=(7.5, 2.7), ncols=3, sharey=True) as axes:
    for ax, sigma in zip(axes, (1.0, 0.3, 0.05)):
        ends = np.asarray(memorizing_denoiser(few, grid, 1.0, sigma))
        ax.plot(*np.stack([grid, ends], axis=1), color=plot.COLORS[0], linewidth=0.7, marker="None")
        ax.plot(*ends, ".", color=plot.COLORS[1], markersize=4)
        ax.plot(*few, "o", color="black", markerfacecolor="none", markersize=7)
        for mine in yours(memorizing_denoiser):
            ax.plot(*np.asarray(mine(few, grid, 1.0, sigma)), "x", color="#444444")
        ax.set(title=rf"$\sigma$ = {sigma}", aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])

# %% [markdown]
# #### Exercise (derivation): it is Tweedie's answer for a kernel density
# Put a Gaussian bump of width $\sigma$ on every $\alpha x_i$. The average of the bumps is a *kernel density*, the oldest way to
# turn samples into a density: $p_t(x_t)=\frac1N\sum_iN(x_t;\alpha x_i,\sigma^2I)$. It is precisely the law of $x_t$ here. So
# Tweedie's formula must lead from its score to the average, and back. Take the way there; the derivative is yours to do by hand.
#
# *More, 8 minutes.*

# %%
@derivation("ch03.memorizing_chain")
def memorizing_chain(X: "(D, N)", x_t: "(D,)", alpha: float, sigma: float):
    """From Tweedie's formula for a kernel density to a weighted average of training samples.
    Pass through a line with the weights w and the differences alpha x_i - x_t, without a derivative."""
    log_bumps = lambda z: -jnp.sum((z[:, None] - alpha * X) ** 2, axis=0) / (2 * sigma**2)  # (N,), up to a constant
    w = jnp.exp(log_bumps(x_t)) / jnp.sum(jnp.exp(log_bumps(x_t)))  # (N,), they add up to 1
    log_density = lambda z: jnp.log(jnp.sum(jnp.exp(log_bumps(z))))  # up to a constant, which has no slope
    yield (x_t + sigma**2 * jax.grad(log_density)(x_t)) / alpha
    #: solution
    yield (x_t + sigma**2 * ((alpha * X - x_t[:, None]) / sigma**2) @ w) / alpha
    yield (x_t + alpha * X @ w - x_t * jnp.sum(w)) / alpha
    #: end
    yield X @ w

# %% [markdown]
# ### 4.6 Sampling gives the training set back
# **Claim.** A sampler that uses this denoiser ends at training samples ([[sec:diffusion_memorization]]). It is the denoiser that
# a large enough network, trained well enough, would learn: the loss does not ask for anything else. What generalises in a
# diffusion model is what keeps it from minimising its loss.
#
# **See.** Twenty-four training samples from three clouds, 49 starts $x_T=Tg$ and forty steps of Part 3. Left, the paths; right,
# where they end when the sampler runs to $t=0.01$, and where they are at $t=0.3$.

# %%
clouds = np.array([[-1.5, 1.5, 0.0], [-1.0, -1.0, 1.5]])
draw = lambda rng, N: clouds[:, rng.integers(3, size=N)] + 0.5 * rng.normal(size=(2, N))

def sample(X, X_t, times):  # steps of E[x_s | x_t] where noise is only added; every iterate
    path = [X_t]
    for t, s in zip(times, times[1:]):
        X_t = s / t * X_t + (1 - s / t) * np.asarray(memorizing_denoiser(X, X_t, 1.0, float(t)))
        path.append(X_t)
    return np.stack(path)

# %%
rng = np.random.default_rng(0)
train, times = draw(rng, 24), np.geomspace(10, 0.01, 41)
path = sample(train, 10 * rng.normal(size=(2, 49)), times)
stop = int((times > 0.3).sum())
alt = "Paths run inwards and end on training samples. At t = 0.3 the points lie between and around them."
with figure(alt, size=(7.5, 2.7), ncols=3, sharex=True, sharey=True) as axes:
    axes[0].plot(*path.transpose(1, 0, 2), color=plot.COLORS[0], linewidth=0.6, marker="None")
    for ax, shown, title in zip(axes, (None, path[-1], path[stop]), ("paths", "at t = 0.01", "at t = 0.3")):
        ax.plot(*train, "o", color="black", markerfacecolor="none", markersize=6)
        if shown is not None:
            ax.plot(*shown, ".", color=plot.COLORS[1], markersize=6)
        ax.set(title=title, xlim=(-3.5, 3.5), ylim=(-3, 3.5))
gap = np.linalg.norm(path[-1][:, :, None] - train[:, None], axis=0).min(axis=1)
show(every_sample_within_3_hundredths_of_a_training_sample=bool((gap < 0.03).all()))

# %% [markdown]
# <details><summary>If you read the book: does it return the training samples exactly?</summary>
#
# Section [[sec:diffusion_memorization]] invokes [[thm:diffusion_sampler_convergence]]: with more and more steps the model
# always samples from the empirical law. That theorem measures by total variation, the largest difference of probabilities, and
# for a law of atoms this distance is 1 after *any* finite number of steps. The last output is an average of all atoms with
# weights that are positive, however small; an extreme atom is never hit, and any other one only by chance. What does converge
# is a distance that forgives small shifts (Wasserstein), or the law at a small $t>0$. Below: two atoms, $-1$ and $1$, where the
# denoiser is $\tanh(x_t/t^2)$. The share of outputs that equal an atom stays 0, the distance to one shrinks quickly. (With
# more steps floating point rounds the outputs to $\pm1$. That is the machine, not the theorem.)
# </details>

# %%
for L in (2, 3, 4, 5):
    times, x = np.linspace(2, 0, L + 1), 2 * np.random.default_rng(0).normal(size=10_000)
    for t, s in zip(times, times[1:]):
        x = s / t * x + (1 - s / t) * np.tanh(x / t**2)
    show(L=L, share_equal_to_an_atom=float((np.abs(x) == 1).mean()), median_distance_to_one=float(np.median(1 - np.abs(x))))

# %% [markdown]
# **Play.** Stopping early is the crudest cure. The law of $x_t$ *is* the kernel density of width $t$, so a sampler that is exact
# and stops at $t$ draws a training sample and adds noise of size $t$, no more. Move the two sliders: how does the $t$ that looks
# right change with $N$? (*Copies*: explained in 4.7.)

# %%
from chapters.ch03_denoising import experiments_memory

def draw_stopped(fig, N, stop):
    rng = np.random.default_rng(1)
    X, ax = draw(rng, N), fig.subplots()
    made = X[:, rng.integers(N, size=300)] + stop * rng.normal(size=(2, 300))
    fresh = draw(rng, 300)
    ax.plot(*made, ".", color=plot.COLORS[1], markersize=4, label="samples")
    ax.plot(*X, "o", color="black", markerfacecolor="none", markersize=6, label="training samples")
    ax.set(xlim=(-3.5, 3.5), ylim=(-3, 3.5), aspect="equal")
    ax.legend(fontsize="small")
    ratio = lambda X_new: 100 * (experiments_memory.distance_ratios(X, X_new) < 1 / 3).mean()
    return (f"N = {N} training samples, sampler stopped at t = {stop}: {ratio(made):.0f} percent of its samples are copies; "
            f"of fresh samples of the true law {ratio(fresh):.0f} percent are.")

explore(draw_stopped, {"N": [20, 60, 200], "stop": [0.01, 0.03, 0.1, 0.2, 0.3, 0.5]}, start={"N": 60, "stop": 0.1}, size=(5, 4.2))

# %% [markdown]
# ### 4.7 What counts as a copy
# **Claim.** A sample $x$ is called *memorised* if its nearest training sample $x_{(1)}$ is much nearer than the second,
# $\|x-x_{(1)}\|/\|x-x_{(2)}\|<1/3$ ([[eq:diffusion_euclidean_memorization_criterion]]). The fraction of a model's samples for
# which this is so is its *memorisation ratio*. By itself it says little: among *fresh* samples of a law that fills $d$
# dimensions, a fraction $3^{-d}$ passes for memorised. On a curve that is every third.
#
# #### Exercise: the memorisation ratio
# *More, 8 minutes.*

# %%
@exercise("ch03.memorization_ratio")
def memorization_ratio(X: "(D, N)", X_new: "(D, M)", c: float) -> "()":
    """The fraction of columns x of X_new with ||x - x_(1)|| < c ||x - x_(2)||, where x_(1), x_(2) are the nearest and the second
    nearest of the N >= 2 columns of X (Euclidean distance, not squared). 0 < c <= 1. A column with distance exactly 0 to a
    column of X counts as well, also where that column stands in X twice.
    Example: X = [[0., 1., 5.]], X_new = [[0.1, 0.4, 1.5, 3.]], c = 0.5  ->  0.5"""
    #: solution
    distances = jnp.linalg.norm(X[:, :, None] - X_new[:, None, :], axis=0)  # (N, M)
    first, second = jnp.sort(distances, axis=0)[:2]
    return jnp.mean((first < c * second) | (first == 0))
    #: end

# %% [markdown]
# **Derive.** Stand at a fresh sample and let $N$ training samples fall independently and uniformly into a ball of radius 1
# around you. (For many samples only the nearest matter, and around them every smooth density is nearly constant: so this is the
# general case. The ball has the dimension $d$ of the set the data fill, not that of the space around.) The share of the ball
# within radius $r$ is $F(r)=r^d$. One of the $N$ is the second nearest, at $r$; one of the other $N-1$ lies within $c\,r$; the
# remaining $N-2$ lie farther than $r$. Integrate, and see everything cancel but $c^d$: not even $N$ is left.
#
# #### Exercise (derivation): the floor of fresh samples
# *More, 10 minutes.*

# %%
@derivation("ch03.fresh_sample_floor")
def fresh_sample_floor(c: float, d: int, N: int):
    """The probability that the nearest of N samples is closer than c times the second nearest.
    Pass through a line that is still an integral over r but contains no c r; then through one over u, the share of the ball
    within the second nearest sample, that contains neither F nor f."""
    grid = jnp.linspace(0, 1, 20_001)
    integral = lambda h: jnp.trapezoid(h(grid), grid)  # of h from 0 to 1
    F = lambda r: r**d
    f = lambda r: d * r ** (d - 1)  # derivative of F: the density of one distance
    yield N * (N - 1) * integral(lambda r: f(r) * F(c * r) * (1 - F(r)) ** (N - 2))
    #: solution
    yield N * (N - 1) * c**d * integral(lambda r: f(r) * F(r) * (1 - F(r)) ** (N - 2))
    yield N * (N - 1) * c**d * integral(lambda u: u * (1 - u) ** (N - 2))
    #: end
    yield c**d

# %% [markdown]
# <details><summary>The last integral</summary>
#
# With $v=1-u$: $\int_0^1(1-v)\,v^{N-2}dv=\frac1{N-1}-\frac1N=\frac1{N(N-1)}$. For $c\le1$ the formula is the distribution
# function of the ratio itself: $\Pr(\text{ratio}<c)=c^d$.
# </details>
#
# **See.** 600 training samples, uniform on a segment, a square and a cube, each turned somehow in a space of four dimensions; 600
# fresh ones, and your ratio for several $c$. Dotted: $c^d$. Only the dimension of the set counts, and the $1/3$ of the criterion
# means something else in each.

# %%
rng = np.random.default_rng(0)
Q, levels, fractions = np.linalg.qr(rng.normal(size=(4, 4)))[0], [0.15, 1 / 3, 0.6, 0.8], {}
with figure("Measured fractions lie near the curves c to the power d for d = 1, 2 and 3.", size=(6, 3)) as ax:
    for d, color, marker in zip((1, 2, 3), plot.COLORS, plot.MARKERS):
        X, X_new = Q[:, :d] @ rng.random((2, d, 600))
        fractions[d] = [float(memorization_ratio(X, X_new, c)) for c in levels]
        ax.plot(levels, fractions[d], marker, color=color, label=f"d = {d}")
        ax.plot(np.linspace(0, 1, 50), np.linspace(0, 1, 50) ** d, ":", color=color, marker="None")
        for mine in yours(memorization_ratio):
            ax.plot(levels, [mine(X, X_new, c) for c in levels], **plot.DASHED)
    ax.axvline(1 / 3, color="black", linewidth=0.8, marker="None")
    ax.set(xlabel="c", ylabel="fresh samples below c", ylim=(-0.02, 1))
    ax.legend()
for d in fractions:
    show(d=d, share_below_a_third=fractions[d][1], predicted=3.0**-d, standard_error=(3.0**-d * (1 - 3.0**-d) / 600) ** 0.5)

# %% [markdown]
# #### Exercise: the dimension, from the same distances
# Read backwards, the law is a dimension meter. If $\Pr(\text{ratio}<c)=c^d$, then $-\log(\text{ratio})$ is exponential with mean
# $1/d$. So one over the mean of $-\log(\text{ratio})$ over fresh samples estimates $d$ (E. Facco et al., *Scientific Reports* 7,
# 2017, with training samples only), and with it the floor $c^d$ for data whose dimension nobody knows.
#
# *More, 6 minutes.*

# %%
@exercise("ch03.ratio_dimension")
def ratio_dimension(X: "(D, N)", X_new: "(D, M)") -> "()":
    """Estimate 1 / mean(-log(r)) of the dimension of the set that the data fill: r is the Euclidean distance of a column of
    X_new to the nearest column of X over that to the second nearest, and the mean goes over the M columns. No column of X_new
    is in X, and no r is 1.
    Example: X = [[0., 1., 5.]], X_new = [[0.1, 0.4, 1.5, 2.]]  ->  0.9102"""
    #: solution
    squares = jnp.sort(jnp.sum((X[:, :, None] - X_new[:, None, :]) ** 2, axis=0), axis=0)
    return 2 / jnp.mean(jnp.log(squares[1] / squares[0]))
    #: end

# %% [markdown]
# **See.** On 300 handwritten digits of $8\times8$ pixels and 300 others: the dimension that the ratios see is far below 64, and
# the floor at $1/3$ is practically zero. Here a copy would stand out. (Below, uniform samples in cubes: in high dimensions the
# estimate is too low, since the two nearest samples are not near, and the density around is not constant.)

# %%
images = np.asarray(data.digits()[0])[:, np.random.default_rng(0).permutation(1797)]
old, new = images[:, :300], images[:, 300:600]
estimate = float(ratio_dimension(old, new))
show(digits=estimate, floor_at_a_third=(1 / 3) ** estimate, measured=float(memorization_ratio(old, new, 1 / 3)))
for d in (2, 10, 64):
    X, X_new = np.random.default_rng(d).random((2, 64, 300)) * (np.arange(64) < d)[:, None]
    show(cube_of_dimension=d, estimate=float(ratio_dimension(X, X_new)))

# %% [markdown]
# #### Exercise: the same by features
# Distances between pixels miss copies that are shifted or recoloured. So one compares *features*, by their cosine, and calls a
# sample memorised if the largest cosine with a training sample exceeds $3/5$ ([[eq:diffusion_sscd_memorization_criterion]]).
# There the features come from a large network that was trained to recognise copies.
#
# *More, 6 minutes.*

# %%
@exercise("ch03.cosine_memorized")
def cosine_memorized(F: "(d, N)", F_new: "(d, M)", c: float) -> "()":
    """The fraction of columns of F_new whose largest cosine with a column of F exceeds c. The cosine of a and b is
    a . b / (||a|| ||b||); no column is zero. -1 < c < 1.
    Example: F = [[1., 0.], [0., 2.]], F_new = [[3., 3., -3.], [0., 3., 0.]], c = 0.8  ->  0.3333"""
    #: solution
    A, B = F / jnp.linalg.norm(F, axis=0), F_new / jnp.linalg.norm(F_new, axis=0)
    return jnp.mean(jnp.max(A.T @ B, axis=0) > c)
    #: end

# %% [markdown]
# **See.** $3/5$ belongs to those features and to no others. With bare pixels as features every new digit is a "copy", because all
# images are positive and share their dark border. Take away the mean image, and it is still nearly every one.

# %%
mean = old.mean(axis=1, keepdims=True)
show(pixels=float(cosine_memorized(old, new, 0.6)), without_the_mean=float(cosine_memorized(old - mean, new - mean, 0.6)))
show(of_noise_in_their_place=float(cosine_memorized(old - mean, np.random.default_rng(0).normal(size=new.shape), 0.6)))

# %% [markdown]
# ### 4.8 Low entropy is not the goal, a short code is
# **Claim.** The empirical law has the lowest entropy there is, $-\infty$, and to a code for *new* samples it is useless: it
# gives them probability 0, so their code length is infinite ([[sec:diffusion_memorization]]). Now put a ball of noise of size
# $\varepsilon$ around every training sample. Under this kernel density,
#
# $$q_\varepsilon(x)=\frac1N\sum_{i=1}^NN(x;x_i,\varepsilon^2I),$$
#
# the mean code length $-\log q_\varepsilon$ of new samples is finite, large for $\varepsilon\to0$ and for
# $\varepsilon\to\infty$, and smallest somewhere between. That of the *training* samples falls without end as $\varepsilon\to0$.
#
# **Derive.** What is the code length of a training sample for tiny $\varepsilon$, when only its own bump counts? And that of a
# new one at distance $r$ from the nearest?
#
# <details><summary>Answers</summary>
#
# $\log N+D\log\varepsilon+\frac D2\log(2\pi)\to-\infty$, and the same plus $r^2/(2\varepsilon^2)\to+\infty$. For large
# $\varepsilon$ both grow like $D\log\varepsilon$. Where only the nearest bump counts, the sum is smallest at
# $\varepsilon^2=E[r^2]/D$: balls about as large as the gaps between the samples.
# </details>
#
# #### Exercise: code lengths under a kernel density
# *More, 10 minutes.*

# %%
@exercise("ch03.kernel_cross_entropy")
def kernel_cross_entropy(X: "(D, N)", X_new: "(D, M)", eps: float) -> "()":
    """Mean over the columns x of X_new of -log q(x), in nats, for the kernel density q with the N columns of X as centres and
    covariance eps^2 I, eps > 0: q integrates to 1. Squared distances may be 1e6 times eps^2.
    Example: X = [[0., 2.]], X_new = [[0., 1., 2.]], eps = 1.  ->  1.463"""
    #: solution
    D, N = X.shape
    squares = jnp.sum((X[:, :, None] - X_new[:, None, :]) ** 2, axis=0)  # (N, M)
    log_sums = jax.nn.logsumexp(-squares / (2 * eps**2), axis=0)
    return jnp.log(N) + D / 2 * jnp.log(2 * jnp.pi * eps**2) - jnp.mean(log_sums)
    #: end

# %% [markdown]
# #### Exercise: without new samples
# Who has no test set can let every training sample play the new one: its code length under the bumps of the *other* $N-1$.
# Leave yourself in, and tiny $\varepsilon$ wins again.
#
# *More, 8 minutes.*

# %%
@exercise("ch03.leave_one_out")
def leave_one_out(X: "(D, N)", eps: float) -> "()":
    """Mean over i of -log q_i(x_i), in nats, where q_i is the kernel density of width eps > 0 with all columns of X but column i
    as centres (N >= 2): N - 1 bumps, each with weight 1 / (N - 1).
    Example: X = [[0., 1., 3.]], eps = 1.  ->  2.513"""
    #: solution
    D, N = X.shape
    squares = jnp.sum((X[:, :, None] - X[:, None, :]) ** 2, axis=0)
    others = jnp.where(jnp.eye(N, dtype=bool), -jnp.inf, -squares / (2 * eps**2))
    return jnp.log(N - 1) + D / 2 * jnp.log(2 * jnp.pi * eps**2) - jnp.mean(jax.nn.logsumexp(others, axis=0))
    #: end

# %% [markdown]
# **See.** Two hundred samples of $N(0,I)$ in four dimensions, and two hundred new ones. The dotted line is the entropy of the
# true law, below which no code of new samples can stay. The training curve goes through it as if it were not there. (Squares:
# without any new sample.)

# %%
rng = np.random.default_rng(0)
X, X_new = rng.normal(size=(2, 4, 200))
widths = np.geomspace(0.1, 2, 10)
curves = {"new samples": [float(kernel_cross_entropy(X, X_new, float(e))) for e in widths],
          "training samples, each without itself": [float(leave_one_out(X, float(e))) for e in widths],
          "training samples": [float(kernel_cross_entropy(X, X, float(e))) for e in widths]}
with figure("Code lengths against eps: U-shaped for new samples and for left-out ones, falling without end for training samples.",
            size=(6, 3.4)) as ax:
    for (name, curve), style in zip(curves.items(), ("-", "", "-")):
        ax.semilogx(widths, curve, linestyle=style, label=name)
    for mine in yours(kernel_cross_entropy):
        ax.plot(widths, [mine(X, X_new, float(e)) for e in widths], **plot.DASHED)
    for mine in yours(leave_one_out):
        ax.plot(widths, [mine(X, float(e)) for e in widths], **plot.DASHED)
    ax.axhline(2 * np.log(2 * np.pi * np.e), color="black", linestyle=":", marker="None", label="entropy of the true law")
    ax.set(xlabel=r"$\varepsilon$", ylabel="nats", ylim=(-1, 15))
    ax.legend(fontsize="small")
best = {name: int(np.argmin(curve)) for name, curve in curves.items()}
show(best_width=widths[best["new samples"]], chosen_without_new_samples=widths[best["training samples, each without itself"]])

# %% [markdown]
# Read as a coding rate: to describe data *up to a precision* $\varepsilon$ is to minimise a **lossy** rate. The right
# $\varepsilon$ is not the smallest, and the training loss does not give it. What such a rate is, and which networks minimise
# it, is the subject of [[ch:lossy-compression]].
#
# **Play.** The same in one dimension, to look at. When do the bumps become a density?

# %%
def draw_density(fig, eps, N):
    rng = np.random.default_rng(2)
    law = lambda n: (np.where(rng.random(n) < 0.4, -1.5, 1.0) + 0.5 * rng.normal(size=n))[None]
    X, X_new, x = law(N), law(2000), np.linspace(-4, 4, 401)
    bump = lambda x, m, s: np.exp(-((x - m) ** 2) / (2 * s**2)) / (s * np.sqrt(2 * np.pi))
    ax = fig.subplots()
    ax.plot(x, 0.4 * bump(x, -1.5, 0.5) + 0.6 * bump(x, 1, 0.5), color="black", linestyle=":", marker="None", label="true")
    ax.plot(x, bump(x, X.T, eps).mean(axis=0), color=plot.COLORS[1], marker="None", label="kernel density")
    ax.plot(X[0], np.full(N, -0.03), "|", color=plot.COLORS[0], label="training samples")
    ax.set(ylim=(-0.06, 1), xlabel="x")
    ax.legend(fontsize="small", loc="upper left")
    nats = lambda X_new: experiments_memory.code_lengths(experiments_memory.squared_distances(X, X_new), 1, [eps])[0]
    return f"N = {N} samples, bumps of width {eps}: {nats(X_new):.2f} nats for a new sample, {nats(X):.2f} for a training sample."

explore(draw_density, {"eps": [0.01, 0.03, 0.1, 0.2, 0.4, 0.8], "N": [10, 40, 160]}, start={"eps": 0.1, "N": 40}, size=(6, 3))

# %% [markdown]
# <details><summary>If you read the book: an order that needs many samples</summary>
#
# The order of code lengths after [[fig:diffusion_perturbation]] (empirical law, then isotropic Gaussian, then the Gaussian with
# the second moment of the data, then a good model) is printed for a given $X$. It holds when $N$ is much larger than $D$. With
# few samples the Gaussian that was fitted to them is the worse one, and with $N<D$ its code is infinite as well: it has no
# volume. Below, new samples of $N(0,\operatorname{diag}(4,1,1,\tfrac14))$, coded with the mean squared length per coordinate as
# variance, and with the second moment $XX^\top/N$; means over 200 training sets.
# </details>

# %%
for N in (3, 5, 20, 1000):
    isotropic, moments = experiments_memory.gaussian_codes(np.array([4.0, 1.0, 1.0, 0.25]), N, sets=200)
    show(N=N, isotropic_is_longer=bool(isotropic > moments), infinite=bool(np.isinf(moments)))
