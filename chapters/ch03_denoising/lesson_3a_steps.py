# %% [markdown]
# ## Part 3: Sampling by denoising in steps
#
# After this part you can
# - take one denoising step, and say why a sampler takes many of them;
# - say what the steps do to variance and to entropy;
# - choose a start and a grid of times, and measure what the choice costs;
# - treat VE, VP and flow matching as one family, sample with DDIM and compute its gain;
# - measure the error of a sampler, and say what a model of few steps has to learn.
#
# Core exercises: 40 minutes. *More* and *challenge* exercises are for those who want them.

# %% [markdown]
# ### 3.1 One step back
# **Claim.** Let $x_t=x+tg$ with *one* $g$ for all times, and $s\le t$. Seen from $x_t$, the best guess of $x_s$ lies on the
# straight line from $x_t$ to the denoised sample $\bar x=E[x\mid x_t]$ ([[eq:denoising_iteration]]):
#
# $$E[x_s\mid x_t]=\frac st\,x_t+\Big(1-\frac st\Big)\bar x .$$
#
# On the uniform grid $t_\ell=\ell T/L$ the weights are $1-1/\ell$ and $1/\ell$ ([[eq:iter denoise]]): far out the denoiser is
# hardly trusted, and the last step takes its answer as it is.
#
# #### Exercise: one denoising step
# *Core, 8 minutes.*

# %%
@exercise("ch03.denoising_step")
def denoising_step(x_t: "(D,)", x_bar: "(D,)", t: float, s: float) -> "(D,)":
    """E[x_s | x_t] for x_t = x + t g and x_s = x + s g with the same x and g, when x_bar = E[x | x_t] is known.
    t > 0 and 0 <= s <= t; at s = 0 it is x_bar.
    Example: x_t = [4., 2.], x_bar = [0., 1.], t = 2., s = 0.5  ->  [1., 1.25]"""
    #: solution
    ratio = s / t
    return ratio * x_t + (1 - ratio) * x_bar
    #: end

# %% [markdown]
# **Derive.** To know $x$ and $x_t$ is to know $g$. Take a finite table of pairs $(x,g)$, one pair a column of $X$ and $G$, of
# which only those are left that have $x+tg=x_t$; `weights` are their probabilities given $x_t$. Then every mean is a sum.
#
# #### Exercise (derivation): the step is a conditional mean
# *Core, 10 minutes.*

# %%
@derivation("ch03.denoising_chain")
def denoising_chain(X: "(D, N)", weights: "(N,)", G: "(D, N)", x_t: "(D,)", t: float, s: float):
    """From the mean of x + s g over the pairs with x + t g = x_t to the denoising step. Pass through a line without G.
    E takes the mean of the columns of a (D, N) array; x_t[:, None] is x_t beside every column."""
    E = lambda Y: Y @ weights  # the mean over the table
    x_bar = E(X)
    yield E(X + s * G)
    #: solution
    yield E(X + s * (x_t[:, None] - X) / t)
    yield E(X) + s / t * (x_t - E(X))
    #: end
    yield (s / t) * x_t + (1 - s / t) * x_bar

# %% [markdown]
# Nothing in it is Gaussian. With Tweedie's formula $\bar x=x_t+t^2\nabla\log p_t(x_t)$ the same step reads
# $x_t+(1-\frac st)\,t^2\,\nabla\log p_t(x_t)$: uphill on $\log p_t$ ([[eq:app_denoising_iteration_score]]).
#
# **See.** Data on three segments (grey) and 200 samples that start from pure noise. Sixty steps carry them there. Far from the
# segments they are drawn together as one cloud; only near the end do they find *their* segment ([[fig:ve_gmm_denoising]] shows
# this in space).

# %%
from chapters.ch03_denoising import experiments_steps

angles, centres = np.array([0.3, 1.4, 2.6]), np.array([[-2.5, -1.5], [2.5, -1.0], [0.0, 2.5]])
along = np.stack([np.cos(angles), np.sin(angles)], axis=1)
segments = np.full(3, 1 / 3), centres, along[:, :, None] * along[:, None, :]  # weights, means, covariances of rank 1

def descend(X_t, times, denoiser, step):
    path = [X_t]
    for t, s in zip(times[:-1], times[1:]):  # all samples as one long vector: a step treats every coordinate alike
        moved = step(X_t.ravel(), denoiser(X_t, t).ravel(), float(t), float(s))
        X_t = np.asarray(moved).reshape(X_t.shape)
        path.append(X_t)
    return path

# %%
rng, times = np.random.default_rng(0), np.linspace(6, 0, 61)
X_T, which = 6 * rng.normal(size=(2, 200)), rng.integers(3, size=200)
data_points = centres[which].T + along[which].T * rng.normal(size=200)
mixture = GaussianMixture(*segments)
denoiser = lambda X_t, t: np.asarray(mixture.posterior_mean(X_t, 1.0, float(t)))
path = descend(X_T, times, denoiser, denoising_step)
alt = "Samples at t = 6, 3, 1, 0.3 and 0: a wide cloud, a narrower one, then clusters, and in the end points on three segments."
with figure(alt, size=(7.2, 1.7), ncols=5) as axes:
    for ax, i in zip(axes, (0, 30, 50, 57, 60)):
        ax.plot(*data_points, ".", color="#bbbbbb", markersize=3)
        ax.plot(*path[i], ".", color=plot.COLORS[0], markersize=3)
        for mine in yours(denoising_step):
            ax.plot(*descend(X_T, times, denoiser, mine)[i], "x", color="#444444", markersize=3)
        ax.set(xlim=(-9, 9), ylim=(-9, 9), aspect="equal", title=f"t = {times[i]:.1g}", xticks=[], yticks=[])

# %% [markdown]
# ### 3.2 Why many steps sample
# **Claim.** From far away $E[x\mid x_t]$ is close to the mean of all data: one large step answers with an average. Many small
# steps answer with samples.
#
# **Play.** Data in two heaps, one third at $-2$ and two thirds at $1$. Left: what becomes of twelve starts. Right: the outputs of
# 2,000 starts from $N(0,5^2)$ against the density of the data. How many steps until hardly any output lies between the heaps?

# %%
heaps = experiments_steps.Line([1 / 3, 2 / 3], [-2.0, 1.0], 0.2)
heap_denoiser = lambda X_t, t: heaps.posterior(X_t, t)[0]
starts = 5 * np.random.default_rng(1).normal(size=2000)

def draw_steps(fig, L):
    left, right = fig.subplots(1, 2)
    times, bins, x = np.linspace(5, 0, L + 1), np.linspace(-4, 3, 57), np.linspace(-4, 3, 300)
    path = np.array(descend(starts, times, heap_denoiser, denoising_step))
    left.plot(times, path[:, :12], color=plot.COLORS[0], linewidth=1, marker="None")
    left.set(xlabel="t", xlim=(5, 0), ylabel="sample")
    right.plot(x, heaps.density(x), color="#999999", marker="None", label="data")
    right.hist(path[-1], bins, density=True, color=plot.COLORS[1], alpha=0.6, label="outputs")
    for mine in yours(denoising_step):
        seen = np.array(descend(starts, times, heap_denoiser, mine))[-1]
        right.hist(seen, bins, density=True, histtype="step", color="#444444", linestyle="--", label="yours (fails)")
    right.set(xlabel="output", ylim=(0, 2))
    right.legend()
    between = np.mean((path[-1] > -1.4) & (path[-1] < 0.4))
    return f"With L = {L}, {100 * between:.0f} percent of the outputs lie between the heaps; of the data hardly any do."

explore(draw_steps, {"L": [1, 2, 5, 20, 100]}, start={"L": 5}, size=(7, 2.6))

# %% [markdown]
# **Claim.** For $x\sim N(\mu,\Sigma)$ a step multiplies $x_t-\mu$, in the direction of each eigenvector of $\Sigma$, by a number
# ([[ex:single_gaussian_denoising]]):
#
# $$1-\frac{\ell T^2}{\lambda L^2+\ell^2T^2}\;\in[0,1).$$
#
# All of them lie below 1; a contraction to the mean, then, like power iteration to its eigenvector? No: the numbers change with
# $\ell$ and with $L$, and for $\lambda>0$ their product stays away from 0.
#
# **Derive.** Put $\bar x-\mu=\Sigma(\Sigma+t^2I)^{-1}(x_t-\mu)$ into the step with $t=\ell T/L$, $s=(\ell-1)T/L$.
#
# #### Exercise: the gain of one step
# *More, 8 minutes.*

# %%
@exercise("ch03.step_gain")
def step_gain(lam: float, T: float, L: int, l: int) -> "()":
    """The factor of x_t - mu in a direction of variance lam >= 0, in the step from t = l T / L to s = (l - 1) T / L (so l = L is
    the first step and l = 1 the last), for Gaussian data. 1 <= l <= L, T > 0.
    Example: lam = 1., T = 2., L = 4, l = 2  ->  0.75"""
    #: solution
    t = l * T / L
    return 1 - t**2 / (l * (lam + t**2))
    #: end

# %% [markdown]
# #### Exercise: the gain of all steps
# *More, 8 minutes.*

# %%
@exercise("ch03.gain_product")
def gain_product(lam: float, T: float, L: int) -> "()":
    """The product of the gains of all L steps on the uniform grid from T to 0, l = L, ..., 1, for a direction of variance
    lam >= 0. T > 0. It must still be right, and quick, for L = 1,000,000. Called with numbers, never traced: NumPy will do.
    Example: lam = 1., T = 1., L = 2  ->  0.6"""
    #: solution
    l = np.arange(1.0, L + 1)
    t = l * T / L
    return np.prod(1 - t**2 / (l * (lam + t**2)))
    #: end

# %% [markdown]
# <details><summary>The limit</summary>
#
# With $u=\ell/L$ the logarithm of a gain is $-\frac1L\,\frac{uT^2}{\lambda+u^2T^2}$ up to terms that vanish in the sum. So the
# logarithm of the product is a Riemann sum and tends to
#
# $$-\int_0^1\frac{uT^2}{\lambda+u^2T^2}\,du=-\frac12\log\frac{\lambda+T^2}{\lambda},\qquad\text{the product to }
# \sqrt{\frac{\lambda}{\lambda+T^2}} .$$
#
# In this direction $x_T-\mu$ has the standard deviation $\sqrt{\lambda+T^2}$; the product turns it into $\sqrt\lambda$, that of
# the data. *That is why it samples.*
# </details>
#
# **Claim.** For finitely many steps, on any grid, look at the vector $v_t=(\sqrt\lambda,\,t)$. The gain of a step is
# $\frac{\|v_s\|}{\|v_t\|}\cos\theta$, where $\theta$ is the angle between $v_s$ and $v_t$. In the product the lengths cancel:
#
# $$\text{standard deviation of the output}=\sqrt\lambda\;\prod_\ell\cos\theta_\ell .$$
#
# The angles of the steps add up to $\Theta=\arctan(T/\sqrt\lambda)$, whatever the grid. Every grid loses some variance, and none
# gains any.
#
# #### Exercise (derivation): a gain is an angle
# *More, 8 minutes.*

# %%
@derivation("ch03.gain_chain")
def gain_chain(lam: float, t: float, s: float):
    """From the weights of the step and the gain of the denoiser to lengths and an angle. Pass through v_s and v_t alone: a line
    with inner products, a @ b, and without lam, theta and norm."""
    norm = jnp.linalg.norm
    v_t, v_s = jnp.array([lam**0.5, t]), jnp.array([lam**0.5, s])
    theta = jnp.arctan(t / lam**0.5) - jnp.arctan(s / lam**0.5)  # the angle between them
    yield s / t + (1 - s / t) * lam / (lam + t**2)
    #: solution
    yield (lam + s * t) / (lam + t**2)
    yield (v_s @ v_t) / (v_t @ v_t)
    #: end
    yield norm(v_s) / norm(v_t) * jnp.cos(theta)

# %% [markdown]
# <details><summary>How much is lost on the uniform grid</summary>
#
# $\log\cos\theta\approx-\theta^2/2$, so for many steps the relative loss is $\frac12\sum_\ell\theta_\ell^2$. A step of length
# $T/L$ at $t$ turns $v_t$ by about $\theta=\frac{\sqrt\lambda}{\lambda+t^2}\cdot\frac TL$. With the sum as an integral over $t$
# and $a=T^2/\lambda$ this is $\frac1{4L}\big(\frac{a}{a+1}+\sqrt a\arctan\sqrt a\big)$.
# </details>
#
# **See.** Products for four variances at $T=1$ and their limits (dotted), as in [[fig:not_contraction_mapping]]; right, what is
# missing, with the first-order formula dotted.

# %%
lams, counts = [0.1, 0.5, 2.0, 10.0], [1, 4, 16, 128, 1024]
limit = lambda lam: np.sqrt(lam / (lam + 1))
first_order = lambda a: (a / (a + 1) + np.sqrt(a) * np.arctan(np.sqrt(a))) / 4
alt = "Left: products level off at dotted limits, the higher the larger the variance. Right: relative errors fall like 1 / L."
with figure(alt, size=(7, 2.8), ncols=2) as (left, right):
    for lam, color in zip(lams, plot.COLORS):
        products = np.array([float(gain_product(lam, 1.0, L)) for L in counts])
        left.semilogx(counts, products, color=color, label=rf"$\lambda={lam:g}$")
        left.axhline(limit(lam), linestyle=":", color=color, marker="None")
        right.loglog(counts, 1 - products / limit(lam), color=color)
        right.loglog(counts, first_order(1 / lam) / np.array(counts), ":", color="black", marker="None")
    for mine in yours(gain_product):
        left.plot(counts, [mine(0.5, 1.0, L) for L in counts], **plot.DASHED)
    left.set(xlabel="steps L", ylabel="product of gains", ylim=(0, 1.05))
    right.set(xlabel="steps L", ylabel="missing, relative")
    left.legend(ncols=2, fontsize="small", loc="lower right")

# %% [markdown]
# <details><summary>If you read the book: the open interval, and the bound that is iterated</summary>
#
# In [[ex:single_gaussian_denoising]] all entries are said to lie in $(0,1)$. They lie in $[0,1)$: with $\lambda=0$ the last step,
# $\ell=1$, has the entry 0, and covariances with zero eigenvalues are the subject of the chapter. The product is not computed
# there, though it is said that it could be; its limit is $\sqrt{\lambda/(\lambda+T^2)}$, for the bound
# [[eq:denoising_contraction_1step]] with the *largest* eigenvalue. If all eigenvalues are 0 the product is 0 for every $L$, and
# rightly so: then the data are a single point.
# </details>

# %%
show(entry_for_lam_0_in_the_last_step=step_gain(0.0, 1.0, 10, 1), entry_for_lam_1=step_gain(1.0, 1.0, 10, 1))
for lam in (1.0, 0.01, 0.0):
    show(lam=f"{lam:g}", product_of_1024_steps=gain_product(lam, 1.0, 1024), limit=limit(lam))

# %% [markdown]
# ### 3.3 Denoising lowers entropy
# **Claim.** Let $h$ be the differential entropy. For *any* law of $x$ and all $0\le s<t$
# ([[thm:conditioning_reduces_entropy]], there with a condition that is not needed)
#
# $$h(E[x_s\mid x_t])-h(x_t)=E\log\det(I+M)\;\le\;E\operatorname{tr}M=-\Big(1-\frac st\Big)t^2J(p_t)<0,$$
#
# with $M=\big(1-\frac st\big)\big(\frac{1}{t^2}\operatorname{Cov}(x\mid x_t)-I\big)$ and the Fisher information
# $J(p_t)=E\|\nabla\log p_t(x_t)\|^2$.
#
# **Derive.** (1) Which matrix is the derivative of $x_t\mapsto E[x_s\mid x_t]$? (2) What does a smooth one-to-one map do to
# entropy? (3) Why is $\log\det(I+M)\le\operatorname{tr}M$? (4) Why is $E\operatorname{tr}\nabla^2\log p_t=-J$?
#
# <details><summary>The proof, for all s < t and without a condition</summary>
#
# (1) By second-order Tweedie the derivative of $\bar x$ in $x_t$ is $\frac1{t^2}\operatorname{Cov}(x\mid x_t)$. That of the step
# is $A=\frac stI+\big(1-\frac st\big)\frac1{t^2}\operatorname{Cov}(x\mid x_t)=I+M$: symmetric, and positive definite if $s>0$.
# Then the step is the gradient of a strictly convex function, hence one-to-one. (For $s=0$ the same holds unless the data lie
# in a hyperplane; if they do, the left side is $-\infty$.)
# (2) The density of $y=f(x_t)$ is $p_t(x_t)/\det A(x_t)$: take $-E\log$ on both sides. (3) $\log(1+m)\le m$ for every eigenvalue
# $m>-1$ of $M$. (4) $M=\big(1-\frac st\big)t^2\,\nabla^2\log p_t$. Integrate by parts (that is allowed for $t>0$: $p_t$ and its
# derivatives decay): $\int p_t\,\Delta\log p_t=-\int\nabla p_t\cdot\nabla\log p_t=-J$. And $J>0$, as no density is constant.
# </details>
#
# #### Exercise: how much a step takes away
# *More, 12 minutes.*

# %%
@exercise("ch03.entropy_drop")
def entropy_drop(Covs: "(M, D, D)", t: float, s: float) -> "(), ()":
    """The change of entropy in the step from x_t to E[x_s | x_t] and its upper bound, both in nats and both <= 0 on average over
    the law of x_t: the pair (mean of log det(I + M_i), mean of trace M_i). The means are over M noisy samples, of which
    Covs[i] = Cov(x | x_t) is the covariance of x given the i-th; M_i = (1 - s / t) (Covs[i] / t^2 - I). 0 < s <= t.
    Example: Covs = [[[1., 0.], [0., 0.5]], [[2., 0.5], [0.5, 1.]]], t = 2., s = 1.  ->  (-0.9057, -0.7188)"""
    #: solution
    M = (1 - s / t) * (Covs / t**2 - jnp.eye(Covs.shape[-1]))
    exact = jnp.linalg.slogdet(jnp.eye(Covs.shape[-1]) + M)[1].mean()
    return exact, jnp.trace(M, axis1=1, axis2=2).mean()
    #: end

# %% [markdown]
# **See.** Two heaps at $\pm1$, standard deviation 0.1; 400 equally likely values of $x_t$. Small steps lose what the bound says,
# large ones more.

# %%
pair, shares = experiments_steps.Line([0.5, 0.5], [-1.0, 1.0], 0.1), np.linspace(0.05, 1, 12)
alt = "Change of entropy against s / t for t = 0.1, 1 and 4: always below its dotted bound, which it touches at s = t."
with figure(alt, size=(6, 2.8)) as ax:
    for t, color in zip((0.1, 1.0, 4.0), plot.COLORS):
        Covs = pair.posterior(pair.quantiles(400, t), t)[1][:, None, None]
        changes = np.array([entropy_drop(Covs, t, t * share) for share in shares])
        ax.plot(shares, changes[:, 0], color=color, label=f"t = {t:g}")
        ax.plot(shares, changes[:, 1], ":", color=color, marker="None")
    for mine in yours(entropy_drop):
        ax.plot(shares, [mine(Covs, t, t * share)[0] for share in shares], **plot.DASHED)
    ax.set(xlabel="s / t", ylabel="change of entropy, nats")
    ax.legend(loc="lower right")

# %% [markdown]
# <details><summary>If you read the book: whose entropy falls</summary>
#
# Before the theorem, and again in [[sub:denoising_entropy_decreases]], the text promises that the entropy of the *iterates* falls
# from step to step. The theorem says so of $E[x_s\mid x_t]$ with an $x_t$ that has *exactly* the law of noisy data: of the first
# step, and of the next only as far as the iterates have kept to that law. Otherwise the entropy may rise:
#
# - from a poor start. Heaps at $\pm3$, $T=1.5$, ten steps from $N(0,T^2)$: the iterates begin too close together and must spread.
# - even from the right law. Heaps at $\pm1$, one large step from $t=10$ to $0.5$, then five small ones: the large step leaves the
#   samples too close together.
# </details>

# %%
far = experiments_steps.Line([0.5, 0.5], [-3.0, 3.0], 0.1)
poor = experiments_steps.entropies(far, np.linspace(1.5, 0, 11), start=lambda x: np.exp(-(x**2) / (2 * 1.5**2)))
large = experiments_steps.entropies(pair, np.array([10, 0.5, 0.4, 0.3, 0.2, 0.1, 0]))
show(changes_from_a_poor_start=np.diff(poor)[:5], changes_after_a_large_step=np.diff(large))

# %% [markdown]
# ### 3.4 Where to start, and at which times
# **Claim.** $x_T/T=x/T+g$ comes ever closer to $g$ as $T$ grows ([[eq:ve_converge_to_large_gaussian]]). So a sampler starts at
# $\hat x_T\sim N(0,T^2I)$, without any data, and takes the steps of 3.1 down to $t=0$ ([[eq:denoising-iteration-basic]]).
#
# How close is close? The *total variation* between two laws is the largest difference of the probabilities that they give to
# one event: $\max_A|P(A)-Q(A)|$.
#
# **Derive.** For laws on $n$ symbols: which event is the best? What is then the difference? Show that it is a metric.
#
# <details><summary>Answers</summary>
#
# $P(A)-Q(A)=\sum_{i\in A}(p_i-q_i)$ is largest if $A$ holds exactly the symbols with $p_i>q_i$, and smallest for the others. All
# differences add up to 0, so the positive ones weigh as much as the negative ones: each half of $\sum_i|p_i-q_i|$. As a sum of
# absolute values of differences it is symmetric, 0 only for $p=q$, and satisfies the triangle inequality. (For densities
# replace the sum by an integral.)
# </details>
#
# #### Exercise: total variation
# *More, 6 minutes.*

# %%
@exercise("ch03.total_variation")
def total_variation(p: "(n,)", q: "(n,)") -> "()":
    """The largest difference |P(A) - Q(A)| over all sets A of the n symbols, for probabilities p and q (each adds up to 1).
    Example: p = [0.5, 0.3, 0.2], q = [0.2, 0.4, 0.4]  ->  0.3"""
    #: solution
    return jnp.abs(p - q).sum() / 2
    #: end

# %% [markdown]
# #### Exercise: what a start from pure noise costs
# Let $x\sim N(0,I)$ in $D$ dimensions, so that $x_T\sim N(0,(1+T^2)I)$, and start from $N(0,T^2I)$ instead. The best event is a
# ball: that where one density is above the other. The squared length of a standard normal vector is at most $c$ with probability
# `jax.scipy.special.gammainc(D / 2, c / 2)` (the chi-square law).
#
# *Challenge, 15 minutes.*

# %%
@exercise("ch03.start_error")
def start_error(T: float, D: int) -> "()":
    """Total variation between N(0, (1 + T^2) I) and N(0, T^2 I) in D dimensions, T > 0: the largest difference of the
    probabilities of one event. An error of 1e-4 is allowed.
    Example: T = 1., D = 2  ->  0.25"""
    #: solution
    u = 1 / T**2
    a = D * jnp.log1p(u) / u
    chi2 = lambda c: jax.scipy.special.gammainc(D / 2, c / 2)
    return chi2((1 + u) * a) - chi2(a)
    #: end

# %% [markdown]
# **See.** Left: data of unit size, noisy data at $T=10$, and noise alone, as in [[fig:xT_vs_noise]]: nobody could tell. Right: in
# many dimensions one can (here $x\sim N(0,I)$; dotted, $\sqrt{D/\pi}/(2T^2)$).

# %%
rng, sizes = np.random.default_rng(3), np.array([1, 4, 16, 64, 256, 1024])
x, g = centres[which].T / 2 + along[which].T * rng.normal(size=200) / 2, rng.normal(size=(2, 2, 200))
alt = "Left: noisy data and noise are one cloud, the data a speck. Right: total variation grows like the root of D, for each T."
with figure(alt, size=(7, 3), ncols=2) as (left, right):
    for points, label in (x + 10 * g[0], r"$x_T$, $T=10$"), (10 * g[1], r"$N(0,T^2I)$"), (x, "data"):
        left.plot(*points, ".", markersize=4, label=label)
    left.set(aspect="equal", xlim=(-35, 35), ylim=(-35, 35))
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=3, columnspacing=0.6, handletextpad=0.1)
    for T, color in zip((3.0, 10.0, 30.0), plot.COLORS):
        right.loglog(sizes, [start_error(T, int(D)) for D in sizes], color=color, label=f"T = {T:g}")
        right.loglog(sizes, np.sqrt(sizes / np.pi) / (2 * T**2), ":", color="black", marker="None")
    for mine in yours(start_error):
        right.plot(sizes, [mine(10.0, int(D)) for D in sizes], **plot.DASHED)
    right.set(xlabel="dimension D", ylabel="total variation", ylim=(1e-4, 2))
    right.legend(loc="lower right")

# %% [markdown]
# **Claim.** The steps need not be equal. Far out little happens, near 0 everything: the times
# $t_\ell=C_1(e^{C_2\ell}-1)$ ([[eq:denoising_exponential_discretization]]) crowd near 0. $C_1$ follows from $t_L=T$; as
# $c=C_2\to0$ the times become uniform.
#
# #### Exercise: exponential times
# *More, 6 minutes.*

# %%
@exercise("ch03.exponential_times")
def exponential_times(T: float, c: float, L: int) -> "(L + 1,)":
    """The times C (e^(c l) - 1), DESCENDING, l = L, L - 1, ..., 0, with C such that the first is T (the last is 0).
    T > 0, c > 0 and c L <= 30; right to all digits also for c = 1e-12.
    Example: T = 7., c = 0.693147, L = 3  ->  [7., 3., 1., 0.]"""
    #: solution
    l = jnp.arange(L, -1, -1)
    return T * jnp.expm1(c * l) / jnp.expm1(c * L)
    #: end

# %% [markdown]
# **Play.** The two heaps of 3.2, 12 steps from 2,000 equally likely values of $x_T$, $T=10$: whatever error there is comes from
# the steps. Which $c$ is best? (The error is the *Wasserstein distance*: how far, on average, outputs must be moved to become
# data.)

# %%
def draw_times(fig, c):
    left, right = fig.subplots(1, 2)
    times = np.asarray(exponential_times(10.0, c, 12), dtype=float)
    left.plot(range(12, -1, -1), times)
    for mine in yours(exponential_times):
        left.plot(range(12, -1, -1), mine(10.0, c, 12), **plot.DASHED)
    left.set(xlabel=r"step $\ell$", ylabel=r"$t_\ell$")
    output = descend(heaps.quantiles(2000, 10.0), times, heap_denoiser, denoising_step)[-1]
    x, bins = np.linspace(-4, 3, 300), np.linspace(-4, 3, 57)
    right.plot(x, heaps.density(x), color="#999999", marker="None", label="data")
    right.hist(output, bins, density=True, color=plot.COLORS[1], alpha=0.6, label="outputs")
    right.set(xlabel="output", ylim=(0, 2.5))
    right.legend()
    error = np.abs(np.sort(output) - heaps.quantiles(2000)).mean()
    return f"With c = {c:g}, {(times < 1).sum()} of the 13 times lie below 1, and the error is {error:.2g}."

explore(draw_times, {"c": [1e-6, 0.1, 0.2, 0.4, 0.6, 1.0, 1.6]}, start={"c": 0.4}, size=(7, 2.6))

# %% [markdown]
# **Claim.** For Gaussian data of *one* variance $\lambda$ the best times are known. By the formula of 3.2 the output has the
# right standard deviation times $\prod_\ell\cos\theta_\ell$, with angles that add up to $\Theta=\arctan(T/\sqrt\lambda)$. So take
# equal angles:
#
# $$t_\ell=\sqrt\lambda\,\tan\frac{\ell\,\Theta}{L},\qquad
# \prod_\ell\cos\theta_\ell=\Big(\cos\frac{\Theta}{L}\Big)^L\approx1-\frac{\Theta^2}{2L}.$$
#
# **Derive.** Why is a product of cosines with a given sum of angles largest when all are equal? What is the second derivative of
# $\log\cos$?
#
# <details><summary>Answer</summary>
#
# $(\log\cos)''=-1/\cos^2<0$: a concave function. By Jensen's inequality
# $\frac1L\sum_\ell\log\cos\theta_\ell\le\log\cos\big(\frac1L\sum_\ell\theta_\ell\big)=\log\cos\frac\Theta L$, with equality for
# equal angles only. (All of them lie between 0 and $\pi/2$, where $\log\cos$ is defined.)
# </details>
#
# #### Exercise: the best grid
# *More, 10 minutes.*

# %%
@exercise("ch03.best_grid")
def best_grid(lam: float, T: float, L: int) -> "(L + 1,)":
    """The L + 1 times, DESCENDING from T to 0, for which the product of the gains of the L steps is largest for variance lam:
    from one time to the next the direction of (sqrt(lam), t) turns by the same angle. lam > 0, T > 0.
    Example: lam = 1., T = 1.732051, L = 2  ->  [1.732, 0.5774, 0.]"""
    #: solution
    Theta = jnp.arctan(T / jnp.sqrt(lam))
    return jnp.sqrt(lam) * jnp.tan(jnp.linspace(Theta, 0, L + 1))
    #: end

# %% [markdown]
# **Play.** Each ray is $(\sqrt\lambda,t)$ at one of the times; the angle between neighbours is what the step costs.

# %%
def draw_angles(fig, lam, T, L):
    kept = lambda times, lam: np.cos(np.diff(np.arctan(np.asarray(times) / np.sqrt(lam)))).prod()
    grids = {"uniform": np.linspace(T, 0, L + 1), "equal angles": np.asarray(best_grid(lam, T, L), dtype=float)}
    grids |= {"yours (fails)": mine(lam, T, L) for mine in yours(best_grid)}
    for ax, (title, times) in zip(fig.subplots(1, len(grids)), grids.items()):
        ends = np.outer([0, 1], np.asarray(times, dtype=float))
        ax.plot([0, np.sqrt(lam)], ends, "--" if "yours" in title else "-", color=plot.COLORS[0], linewidth=1, marker="None")
        ax.plot(np.full(len(times), np.sqrt(lam)), ends[1], "o", color=plot.COLORS[1])
        ax.set(title=title, xlabel=r"$\sqrt{\lambda}$", ylabel="t", ylim=(-0.03 * T, 1.05 * T), aspect="equal")
        ax.set(xlim=(0, max(1.2 * np.sqrt(lam), 0.6 * T)))
    uniform, best = (kept(grids[name], lam) for name in ("uniform", "equal angles"))
    other = kept(grids["equal angles"], lam / 100)
    return (f"lam = {lam:g}, T = {T:g}, L = {L}: of the standard deviation uniform times keep {uniform:.2f}, equal angles "
            f"{best:.2f}. But {other:.2f} of that of data with a hundredth of the variance.")

choices = {"lam": [0.1, 1.0, 4.0], "T": [2.0, 5.0, 10.0], "L": [3, 6, 12]}
explore(draw_angles, choices, start={"lam": 1.0, "T": 5.0, "L": 6}, size=(5, 3))

# %% [markdown]
# Real data have many variances at once. Exponential times are a compromise: where $t\gg C_1$ the ratio $s/t$ is the same at every
# step, so that no variance between $C_1^2$ and $T^2$ is favoured. Here is what twelve steps from $T=10$ keep of three standard
# deviations.

# %%
def kept(times, lams=np.array([0.01, 1.0, 25.0])):
    return np.cos(np.diff(np.arctan(np.asarray(times)[:, None] / np.sqrt(lams)), axis=0)).prod(axis=0)

show(variances=[0.01, 1.0, 25.0], uniform=kept(np.linspace(10, 0, 13)), exponential=kept(exponential_times(10.0, 0.5, 12)))
show(best_for_variance_1=kept(best_grid(1.0, 10.0, 12)), best_for_variance_one_hundredth=kept(best_grid(0.01, 10.0, 12)))

# %% [markdown]
# ### 3.5 A first doubt
# Optional: three questions about steps. The Doubt at the end of this part goes on.
#
# <details><summary>Does denoising always lower entropy?</summary>
#
# In one step from the law of $x_t=x+tg$: yes (3.3). Of iterates: see above. And for other processes: no. With
# $x_t=\sqrt{1-t^2}\,x+tg$ (VP, 3.6) the start at $t=1$ has variance 1. If the data have variance 25, sampling *must* raise the
# entropy: from 1.42 to 3.03 nats in the limit of many steps. "Denoising compresses" is a statement about noise that is added and
# taken away, not about every sampler.
# </details>

# %%
for L in (10, 1000):
    gain = diffusion.ddim_gain(jnp.array([25.0]), np.linspace(1, 0, L + 1), diffusion.VP)[0]
    show(L=L, entropy_of_the_output=np.log(2 * np.pi * np.e) / 2 + np.log(gain))
show(entropy_of_the_start=np.log(2 * np.pi * np.e) / 2, entropy_of_the_data=np.log(2 * np.pi * np.e * 25) / 2)

# %% [markdown]
# <details><summary>Is a start from pure noise harmless in high dimension?</summary>
#
# In total variation it is not: at $T=10$ the distance is 0.002 for $D=1$ and 0.18 for $D=4096$, as $\sqrt D/T^2$. A sampler
# that were exact from then on would carry this distance to its output unchanged, for one-to-one maps change no total variation.
# So $T$ must grow like $D^{1/4}$. But look at what the distance consists of: each coordinate of the output has a standard
# deviation half a percent too small. Total variation adds up what no eye would see in any coordinate.
# </details>

# %%
for D in (1, 16, 256, 4096):
    T = 10 * D**0.25
    show(D=D, total_variation_at_T_10=divergence.isotropic_total_variation(np.sqrt(1 + 1 / 100), D),
         at_T_10_times_fourth_root_of_D=divergence.isotropic_total_variation(np.sqrt(1 + 1 / T**2), D))
show(standard_deviation_of_a_coordinate=10 / np.sqrt(1 + 100))

# %% [markdown]
# <details><summary>Do more steps make the effect of a biased denoiser smaller?</summary>
#
# Not of every bias. Let the data be $N(0,1)$ and the denoiser answer $(1+\eta)\,\bar x$. Step $\ell$ of the uniform grid trusts
# it with weight $1/\ell$, and near $t=0$, where the gain of the denoiser is close to 1, these add up: the output is too large by
# about $\eta\sum_\ell\frac1\ell\approx\eta\log L$, without bound in $L$. More steps do not average such an error out; they
# apply it more often. This is what the weight $\alpha^2/\sigma^4$ of the error in [[eq:diffusion_sampling_error]] warns of: near
# $t=0$ a denoiser must be not just good, but better and better.
# </details>

# %%
def output_size(L, eta):
    t = np.arange(1, L + 1) * 10 / L
    weight = 1 / np.arange(1, L + 1)
    return np.prod(1 - weight + weight * (1 + eta) / (1 + t**2))

for L in (10, 100, 1000, 10_000):
    show(L=L, relative_change=[output_size(L, eta) / output_size(L, 0) - 1 for eta in (0.001, 0.01, 0.1)])
