# %% [markdown]
# ### 3.6 Shrink the data, too
# **Claim.** Noise alone spreads samples without end. So let the data fade while the noise grows
# ([[eq:gen_additive_gaussian_noise_model]]):
#
# $$x_t=\alpha_tx+\sigma_tg,\qquad\alpha_t\text{ not increasing},\ \sigma_t\text{ increasing},\qquad
# g\text{ the same for every }t .$$
#
# Three choices have names: *variance exploding* (VE, $\alpha=1$, $\sigma=t$: all we had so far), *variance preserving* (VP,
# $\alpha=\sqrt{1-t^2}$, $\sigma=t$, $t\le1$) and *flow matching* (FLOW, $\alpha=1-t$, $\sigma=t$, $t\le1$). In the last two
# nothing of $x$ is left at $t=1$, so that sampling starts from $N(0,I)$ exactly. Tweedie's formula becomes ([[eq:gen_tweedie]])
#
# $$E[x\mid x_t]=\frac{x_t+\sigma_t^2\,\nabla\log p_t(x_t)}{\alpha_t}.$$
#
# **Derive** ([[exercise:generalizing_results_to_different_noise_models]], first part). Call $y=\alpha_tx$. Then
# $x_t=y+\sigma_tg$: to which you may apply what you know. What is $E[y\mid x_t]$, and what is it in terms of $E[x\mid x_t]$?
#
# #### Exercise: Tweedie's formula for any process
# *More, 6 minutes.*

# %%
@exercise("ch03.process_tweedie")
def process_tweedie(x_t: "(D,)", score: "(D,)", alpha: float, sigma: float) -> "(D,)":
    """E[x | x_t] for x_t = alpha x + sigma g, from score = grad log p_t(x_t), already evaluated; alpha > 0.
    Example: x_t = [1., 0.6], score = [-1., 2.], alpha = 0.8, sigma = 0.5  ->  [0.9375, 1.375]"""
    #: solution
    return (x_t + sigma**2 * score) / alpha
    #: end

# %% [markdown]
# #### Exercise: and the way back
# *More, 4 minutes.*

# %%
@exercise("ch03.process_score")
def process_score(x_t: "(D,)", x_bar: "(D,)", alpha: float, sigma: float) -> "(D,)":
    """grad log p_t(x_t) from x_bar = E[x | x_t]; sigma > 0, and alpha may be 0.
    Example: x_t = [1., 0.6], x_bar = [0.9375, 1.375], alpha = 0.8, sigma = 0.5  ->  [-1., 2.]"""
    #: solution
    return (alpha * x_bar - x_t) / sigma**2
    #: end

# %% [markdown]
# <details><summary>If you read the book: [[eq:gen_tweedie]] at t = 1</summary>
#
# It is stated for all $t$, and VP and FLOW are started at $t=1$, where $\alpha=0$: there it reads $0/0$. No harm is done in
# [[alg:iterative_denoising]], which needs the denoiser and not the score: at $\alpha=0$ the denoiser is simply $E[x]$, and no
# coefficient of the step is divided by $\alpha$. So near $t=1$ use the denoiser. In the next cell both forms approach
# $t=1$ for $x\sim N(2,1)$ under VP, in single precision; at $t=1$ itself only one of them has an answer.
# </details>

# %%
with np.errstate(invalid="ignore"):
    for t in (0.9, 0.99, 1.0):
        a, s, x_t = np.sqrt(np.float32(1) - np.float32(t) ** 2), np.float32(t), np.float32(1.5)
        score = -(x_t - 2 * a) / (a**2 + s**2)
        show(t=t, by_the_score=(x_t + s**2 * score) / a, by_the_denoiser=2 + a * (x_t - 2 * a) / (a**2 + s**2))

# %% [markdown]
# **Claim.** What a step back is, does not change either: the mean of $x_s$ given $x_t$, for $s<t$
# ([[eq:gen_denoising_iteration]]). The resulting sampler is called *DDIM* (Song, Meng and Ermon, 2021):
#
# $$E[x_s\mid x_t]=\frac{\sigma_s}{\sigma_t}\,x_t+\Big(\alpha_s-\frac{\sigma_s}{\sigma_t}\,\alpha_t\Big)\,\bar x,
# \qquad\bar x=E[x\mid x_t].$$
#
# **Derive** (second part). $x_s=\alpha_sx+\sigma_sg$ with the same $g$. Take the mean given $x_t$ of both sides. Then do it
# with $x_t=\alpha_tx+\sigma_tg$: the left side does not change. Now $E[g\mid x_t]$ can be eliminated.
#
# #### Exercise: one step of DDIM
# *Core, 10 minutes.*

# %%
@exercise("ch03.ddim_step")
def ddim_step(x_t: "(D,)", x_bar: "(D,)", alpha: float, sigma: float, alpha_s: float, sigma_s: float) -> "(D,)":
    """E[x_s | x_t] from x_t and x_bar = E[x | x_t]. alpha, sigma > 0: the factors at time t; alpha_s, sigma_s: those at the
    earlier time s, where sigma_s <= sigma. alpha and sigma_s may be 0.
    Example: x_t = [1., -2.], x_bar = [0.5, 1.], alpha = 0.6, sigma = 0.8, alpha_s = 0.8, sigma_s = 0.6  ->  [0.925, -1.15]"""
    #: solution
    ratio = sigma_s / sigma
    return ratio * x_t + (alpha_s - ratio * alpha) * x_bar
    #: end

# %% [markdown]
# **Claim.** For a mixture of Gaussians with weights $\pi_k$, means $\mu_k$ and covariances $\Sigma_k$, the noised law is a
# mixture with $\alpha\mu_k$ and $S_k=\alpha^2\Sigma_k+\sigma^2I$, and ([[eq:gen_gmm_bayes_optimal_denoiser]])
#
# $$\bar x=\sum_kw_k\big(\mu_k+\alpha\,\Sigma_kS_k^{-1}(x_t-\alpha\mu_k)\big),\qquad
# w_k\propto\pi_k\,\phi(x_t;\,\alpha\mu_k,S_k),\quad\textstyle\sum_kw_k=1,$$
#
# where $\phi$ is the Gaussian density (third part).
#
# <details><summary>Why</summary>
#
# Given component $k$, $x$ and $x_t$ are jointly Gaussian: $x_t$ has the mean $\alpha\mu_k$ and the covariance $S_k$, and
# $E[(x-\mu_k)(x_t-\alpha\mu_k)^\top]=\alpha\Sigma_k$, for the noise is independent of $x$. So Gaussian conditioning gives
# $E[x\mid x_t,k]=\mu_k+\alpha\Sigma_kS_k^{-1}(x_t-\alpha\mu_k)$. Bayes' rule gives the probability $w_k$ of component $k$ given
# $x_t$, and the mean over $k$ is $\bar x$.
# </details>
#
# #### Exercise: the denoiser of a mixture
# *More, 12 minutes.*

# %%
@exercise("ch03.process_mixture_denoiser")
def process_mixture_denoiser(pi: "(K,)", mus: "(K, D)", Sigmas: "(K, D, D)", x_t: "(D,)", alpha: float, sigma: float) -> "(D,)":
    """E[x | x_t] for x_t = alpha x + sigma g and x from the mixture of N(mus[k], Sigmas[k]) with weights pi > 0. Covariances may
    be singular, even 0. alpha >= 0 (for alpha = 0 the answer is E[x]), sigma > 0.
    Example: pi = [0.5, 0.5], mus = [[1.], [-1.]], Sigmas = [[[0.]], [[0.]]], x_t = [0.5], alpha = 0.8, sigma = 0.6
    ->  [0.8044]"""
    #: solution
    S = alpha**2 * Sigmas + sigma**2 * jnp.eye(len(x_t))
    R = x_t - alpha * mus
    Z = jnp.linalg.solve(S, R[:, :, None])[:, :, 0]
    means = mus + alpha * jnp.einsum("kij,kj->ki", Sigmas, Z)
    log_w = jnp.log(pi) - 0.5 * jnp.sum(R * Z, axis=1) - 0.5 * jnp.linalg.slogdet(S)[1]
    return jax.nn.softmax(log_w) @ means
    #: end

# %% [markdown]
# ### 3.7 A sampler
# **Claim.** [[alg:iterative_denoising]] is a loop: start with noise, denoise, step, denoise, step, until the last noise level
# ([[exercise:implement_denoising_processes]], first and second part).
#
# #### Exercise: sample a mixture
# *Core, 12 minutes.*

# %%
@exercise("ch03.sample_mixture")
def sample_mixture(pi: "(K,)", mus: "(K, D)", Sigmas: "(K, D, D)", X_t: "(D, M)", alphas: "(L + 1,)",
                   sigmas: "(L + 1,)") -> "(D, M)":
    """Samples after L >= 1 steps of DDIM with the best denoiser of the mixture (pi, mus, Sigmas). X_t: one sample per column, at
    the noise level alphas[0], sigmas[0]. Step l, from 0 to L - 1, goes from level l to level l + 1; the result is at the last
    level. sigmas descend, and only the last may be 0. Nothing is random here. Your process_mixture_denoiser and ddim_step may be
    used, and columns(f)(X_t), which applies a function f of one sample to every column.
    Example: pi = [1.], mus = [[0.]], Sigmas = [[[1.]]], X_t = [[1., -2.]], alphas = [0., 0.8, 1.], sigmas = [1., 0.6, 0.]
    ->  [[0.48, -0.96]]"""
    #: solution
    for l in range(len(alphas) - 1):
        def step(x_t):
            x_bar = process_mixture_denoiser(pi, mus, Sigmas, x_t, alphas[l], sigmas[l])
            return ddim_step(x_t, x_bar, alphas[l], sigmas[l], alphas[l + 1], sigmas[l + 1])
        X_t = columns(step)(X_t)
    return X_t
    #: end

# %% [markdown]
# **See.** Data on three lines through the origin: Gaussians of rank one in the plane. Your sampler starts from $N(0,I)$ at
# $t=1$ and takes 30 steps of VP ([[fig:vp_gmm_denoising]] shows the like in space). Colours say near which line a sample will
# end. For a long time the cloud hardly changes; its lines appear only when $t$ is small, and the last step brings the samples
# onto them. A sample that has chosen its line comes closer to it in proportion to $\sigma$, exactly. Near the origin, where the
# lines meet, samples cannot choose, and in the end they lie at a mean of two lines.

# %%
directions = np.array([[0.9, 0.3], [-0.5, 0.8], [0.4, 1.0]])
lines = np.array([0.4, 0.3, 0.3]), np.zeros((3, 2)), 2 * np.einsum("ki,kj->kij", directions, directions)
t = np.linspace(1, 0, 31)
noise, stops = np.random.default_rng(0).normal(size=(2, 120)), [0, 12, 21, 26, 30]
path = [noise]
for l in range(30):
    piece = slice(l, l + 2)  # one step at a time, to see the way
    path.append(np.asarray(sample_mixture(*lines, path[-1], np.sqrt(1 - t[piece] ** 2), t[piece])))
clouds = [path[stop] for stop in stops]
turned = np.stack([-directions[:, 1], directions[:, 0]], axis=1) / np.linalg.norm(directions, axis=1)[:, None]
nearest = np.abs(turned @ clouds[-1]).argmin(axis=0)
alt = "A round cloud of noise turns within 30 steps into samples on three lines through the origin."
with figure(alt, size=(8, 2), ncols=5, sharex=True, sharey=True) as axes:
    for ax, X, stop in zip(axes, clouds, stops):
        ax.scatter(*X, s=6, c=[plot.COLORS[k] for k in nearest])
        ax.set(title=f"t = {t[stop]:.2g}", xlim=(-4, 4), ylim=(-4, 4), aspect="equal")
show(farthest_from_a_line=np.abs(turned @ clouds[-1]).min(axis=0).max())

# %% [markdown]
# <details><summary>If you read the book: what [[fig:vp_gmm_denoising]] starts from</summary>
#
# The text starts from noise that knows nothing of the data, and so do we. The book's code for the figure starts from noised
# *data*, the very points that are drawn beside the samples: $\alpha X+\sigma G$ at $t=0.999$. As $\alpha=0.045$ there, it hardly
# matters, as the next cell measures on our lines: the cosine between a sample and the point it started from is small on
# average, but not 0. At $t=0.9$ it would matter.
# </details>

# %%
from chapters.ch03_denoising import experiments_processes

for t_start in (0.999, 0.9):
    mean, error = experiments_processes.memory_of_the_start(lines[0], np.sqrt(2) * directions, t_start)
    show(start=t_start, mean_cosine_to_own_data=mean, standard_error=error)

# %% [markdown]
# ### 3.8 Which process?
# **Claim.** All of them are one. Divide by $\alpha_t$:
#
# $$\frac{x_t}{\alpha_t}=x+\rho_t\,g,\qquad\rho_t=\frac{\sigma_t}{\alpha_t}.$$
#
# So $x_t$ of any process is a VE sample in other units, with the noise $\rho_t$. DDIM does not notice the units either.
# *Samplers of different processes whose times have the same $\rho$ give identical samples.* What differs from process to
# process is only where uniform times fall, and what one starts from.
#
# #### Exercise: every process is one process
# *More, 4 minutes.*

# %%
@exercise("ch03.to_ve")
def to_ve(x_t: "(D,)", alpha: float, sigma: float) -> "(D,), ()":
    """The pair (y, rho): x_t = alpha x + sigma g in the units in which y = x + rho g; alpha > 0.
    Example: x_t = [1., -2.], alpha = 0.5, sigma = 0.25  ->  ([2., -4.], 0.5)"""
    #: solution
    return x_t / alpha, sigma / alpha
    #: end

# %% [markdown]
# <details><summary>Why DDIM does not notice</summary>
#
# Divide the step by $\alpha_s$ and write $y=x_t/\alpha_t$:
#
# $$\frac{x_s}{\alpha_s}=\frac{\sigma_s}{\sigma_t}\frac{\alpha_t}{\alpha_s}\,y
# +\Big(1-\frac{\sigma_s}{\sigma_t}\frac{\alpha_t}{\alpha_s}\Big)\bar x
# =\frac{\rho_s}{\rho_t}\,y+\Big(1-\frac{\rho_s}{\rho_t}\Big)\bar x .$$
#
# That is the step of VE from $\rho_t$ to $\rho_s$. And
# $\bar x$ is the same function of $y$ and $\rho$, because $x_t$ and $y$ carry the same information.
# </details>
#
# **See.** Six samples on their way from noise to three points, under three processes with a common $\rho$. The paths look
# different. Their ends are the same.

# %%
points = np.ones(3) / 3, np.array([[2.0, 0.0], [-1.0, 1.5], [-1.0, -1.5]]), np.zeros((3, 2, 2))
t = np.sin(np.linspace(1.4, 0, 17))
factors = {"VP": (np.sqrt(1 - t**2), t)}
rho = np.array([to_ve(noise[:, 0], a, s)[1] for a, s in zip(*factors["VP"])])
factors |= {"VE": (np.ones(17), rho), "FLOW": (1 / (1 + rho), rho / (1 + rho))}
ve_start, _ = columns(lambda x: to_ve(x, factors["VP"][0][0], t[0]))(noise)
paths = {}
for name, (a, s) in factors.items():
    path = [np.asarray(ve_start) * a[0]]
    for l in range(16):
        path.append(np.asarray(sample_mixture(*points, path[-1], a[l : l + 2], s[l : l + 2])))
    paths[name] = np.array(path)
alt = "Paths of six samples to three points under VP, VE and FLOW: different curves with the same ends."
with figure(alt, size=(8, 2.6), ncols=3) as axes:
    for ax, (name, path) in zip(axes, paths.items()):
        ax.plot(*path[:, :, [0, 1, 2, 5, 7, 8]].transpose(1, 0, 2), marker="None", linewidth=1.2)
        ax.plot(*points[1].T, "*", color="black", markersize=9)
        ax.set(title=name, aspect="equal")
ends = np.stack([path[-1] for path in paths.values()])
show(ends_of_120_samples_agree_within_a_thousandth=bool(np.ptp(ends, axis=0).max() < 1e-3))

# %% [markdown]
# **Claim.** For a Gaussian everything about a sampler is known. In an eigendirection with variance $\lambda$ each step
# multiplies by a number. Put $v_t=(\alpha_t\sqrt\lambda,\;\sigma_t)$, a vector in the plane: then that number is
#
# $$\frac{\alpha_s\alpha_t\lambda+\sigma_s\sigma_t}{\alpha_t^2\lambda+\sigma_t^2}=\frac{v_s\cdot v_t}{\|v_t\|^2}
# =\frac{\|v_s\|}{\|v_t\|}\,\cos\angle(v_s,v_t).$$
#
# $\|v_t\|$ is the standard deviation of $x_t$. Over all steps the lengths cancel, but for the first and the last: they are what
# a perfect sampler would do. What is lost is *the product of the cosines*. The angles add up to a fixed one, so it pays to make
# them equal, and the loss is of order $1/L$.
#
# #### Exercise: what a sampler does to one direction
# *More, 10 minutes.*

# %%
@exercise("ch03.ddim_gain")
def ddim_gain(lams: "(D,)", alphas: "(L + 1,)", sigmas: "(L + 1,)") -> "(D,)":
    """By which numbers DDIM with the best denoiser of N(0, diag(lams)) multiplies the coordinates, in all its L steps together,
    from alphas[0], sigmas[0] to alphas[-1], sigmas[-1]. lams >= 0; sigmas descend, and only the last may be 0. Must not overflow
    when L is in the thousands and sigmas or lams are large.
    Example: lams = [1., 0.], alphas = [0., 0.8, 1.], sigmas = [1., 0.6, 0.]  ->  [0.48, 0.]"""
    #: solution
    lams, a, s = np.asarray(lams), np.asarray(alphas)[:, None], np.asarray(sigmas)[:, None]
    top, bottom = a[1:] * a[:-1] * lams + s[1:] * s[:-1], a[:-1] ** 2 * lams + s[:-1] ** 2
    return np.exp(np.sum(np.log(top) - np.log(bottom), axis=0))
    #: end

# %% [markdown]
# #### Exercise: three processes on uniform times
# [[exercise:implement_denoising_processes]], third part: which process gives better results? Measure it direction by
# direction, by the *share* of the right standard deviation that comes out.
#
# *More, 10 minutes.*

# %%
@exercise("ch03.process_gains")
def process_gains(lams: "(D,)", L: int) -> "(3, D)":
    """Three rows, for VE from T = 10, VP from T = 1 and FLOW from T = 1, each with L steps on the uniform times T (1 - l / L).
    Entry i: the standard deviation of the sampler's output in a direction of variance lams[i] > 0, divided by the right one,
    sqrt(lams[i]), when it starts from the exact law of x_T. Your ddim_gain may be used.
    Example: lams = [1., 4.], L = 2  ->  [[0.1952, 0.3652], [0.433, 0.2665], [0.5, 0.4]]"""
    #: solution
    lams, u, rows = np.asarray(lams), 1 - np.arange(L + 1) / L, []
    for alphas, sigmas in ((np.ones(L + 1), 10 * u), (np.sqrt(1 - u**2), u), (1 - u, u)):
        start = np.sqrt(alphas[0] ** 2 * lams + sigmas[0] ** 2)
        rows.append(ddim_gain(lams, alphas, sigmas) * start / np.sqrt(lams))
    return np.stack(rows)
    #: end

# %%
lams = np.logspace(-3, 3, 25)
gains = np.asarray(process_gains(lams, 30))
alt = "What 30 uniform steps lose over the variance: VE least for large ones, VP least for small ones, FLOW never most."
with figure(alt, size=(6, 3.2)) as ax:
    for row, name in zip(gains, ("VE, T = 10", "VP", "FLOW")):
        ax.loglog(lams, 1 - row, label=name)
    for mine in yours(process_gains):
        for row in mine(lams, 30):
            ax.plot(lams, 1 - row, **plot.DASHED)
    ax.axhline(1 - np.cos(np.pi / 60) ** 30, color="black", linestyle=":", label="VP and FLOW, equal angles")
    ax.set(xlabel=r"variance $\lambda$ of the direction", ylabel="share that is lost", ylim=(0.01, 8))
    ax.legend(loc="upper center", ncols=2)
some = [4, 12, 20]
show(variances=lams[some], kept_by_VE=gains[0, some], kept_by_VP=gains[1, some], kept_by_FLOW=gains[2, some])

# %% [markdown]
# So no process is best. On uniform times VE from $T=10$ spends nearly all its steps where $\sigma$ is far above the data: bad
# for thin directions. VP is best for thin directions and worst for thick ones; FLOW treats $\lambda$ and $1/\lambda$ alike. On
# times with the same $\rho$ the differences are gone. What remains of VE is its start, $N(0,T^2I)$ in place of the law of
# $x_T$; what remains of "more stable" is a good habit: to choose times by angles, not by name.
#
# **Play.** Three lines again. How few steps will do, for each process on uniform times? Every start is the same noise, in the
# units of its process.

# %%
def draw_process(fig, process, L):
    u = np.linspace(1, 0, L + 1)
    a, s = {"VE": (np.ones(L + 1), 10 * u), "VP": (np.sqrt(1 - u**2), u), "FLOW": (1 - u, u)}[process]
    X = np.asarray(sample_mixture(*lines, s[0] * noise, a, s))
    ax = fig.subplots()
    for direction in directions:
        ax.axline((0, 0), direction, color="#bbbbbb", linewidth=1)
    ax.scatter(*X, s=8, color=plot.COLORS[0])
    ax.set(xlim=(-4, 4), ylim=(-4, 4), aspect="equal")
    off = np.abs(turned @ X).min(axis=0).mean()
    wanted = np.sqrt(np.trace(np.einsum("k,kij->ij", lines[0], lines[2])))
    size = np.sqrt((X**2).sum(axis=0).mean()) / wanted
    return f"{process}, {L} steps: mean distance to a line {off:.2g}, root mean square of samples {size:.2f} of the right one."

choices = {"process": ["VE", "VP", "FLOW"], "L": [1, 3, 5, 10, 30, 50]}
explore(draw_process, choices, start={"process": "VP", "L": 5}, size=(3.6, 3.6))

# %% [markdown]
# ### 3.9 How wrong is a sampler?
# **Claim.** Two errors meet: steps that are too long, and a denoiser that is not the best one. For *stochastic* samplers (DDPM:
# every step adds fresh noise) and score errors that are small on average, Li and Yan (2024) bound the total variation between
# the law of the sampler and that of the data by a multiple of
#
# $$\frac DL+\sqrt{\frac1L\sum_{\ell=1}^L\frac{\alpha_{t_\ell}^2}{\sigma_{t_\ell}^4}\,
# E\big\|\bar x^\star(x_{t_\ell})-\bar x(x_{t_\ell})\big\|^2},$$
#
# up to logarithms, both laws taken at the first noised time ([[thm:diffusion_sampler_convergence]],
# [[eq:diffusion_sampling_error]]). For DDIM, which is deterministic, such an average is not enough, as you are going to see.
#
# **Derive.** Tweedie says that the score is $(\alpha\bar x-x_t)/\sigma^2$. If $\bar x$ changes by $\delta$, how much does the
# score change? So what does the square root average?
#
# #### Exercise: a denoiser that is almost the best one
# Round the best denoiser's answer to a grid. *More, 6 minutes.*

# %%
@exercise("ch03.rounded_denoiser")
def rounded_denoiser(x_bar: "(D,)", alpha: float, sigma: float, eps: float) -> "(D,), ()":
    """A pair. First: x_bar with every entry rounded to the nearest multiple of eps > 0 (halfway either one). Second: the error
    that this makes in the score, as a squared length, (alpha / sigma^2)^2 times that of the change of x_bar; sigma > 0.
    Example: x_bar = [0.3, -1.1], alpha = 0.5, sigma = 0.5, eps = 0.25  ->  ([0.25, -1.], 0.05)"""
    #: solution
    rounded = eps * jnp.round(x_bar / eps)
    return rounded, (alpha / sigma**2) ** 2 * jnp.sum((rounded - x_bar) ** 2)
    #: end

# %% [markdown]
# <details><summary>If you read the book: [[thm:diffusion_sampler_convergence]] and the sampler it speaks of</summary>
#
# The theorem is stated for $\hat x$ of [[alg:iterative_denoising]], that is for DDIM, and for $x$ itself. Three things stand in
# the way.
#
# - *The sampler.* The paper that is cited proves its bound for DDPM, says so in its summary, and compares the laws at the first
#   noised time.
# - *The denoiser.* For DDIM small errors on average do not give a small total variation. Take $x\sim N(0,1)$ and round the best
#   denoiser to a grid. With the spacing the second term of the bound goes to 0. But with $t_0=0$ the last step returns the
#   denoiser's answer, a point of the grid, and $N(0,1)$ gives the grid the probability 0: $\mathrm{TV}=1$, however
#   fine it is. (DDPM survives it: fresh noise smears the grid.) Bounds for deterministic samplers ask for more, such as control
#   of the denoiser's derivative.
# - *The data.* Where $x$ is discrete, as in the use that is made of the theorem in [[sec:diffusion_memorization]], and $t_0=0$,
#   $\hat x$ is a mean of the atoms with strictly positive weights. It never equals an extreme atom, and an inner one only by
# accident: $\mathrm{TV}(x,\hat x)=1$ for every $L$. The samples do come close, so a Wasserstein distance does go to 0, and so
# does   total variation at a fixed $t_0>0$. Rounding hides it on a machine, where $1-10^{-30}$ is 1: the cell counts in
# logarithms.
#
# A safe statement: known for DDPM, measured for DDIM. With $x\sim N(0,I)$ in $D$ dimensions and equal angles the measured
# distance is about $\sqrt{D/\pi}\,\pi^2/(8L)$, better than $D/L$ (3.12).
# </details>

# %%
from chapters.ch03_denoising import experiments_processes

z = experiments_processes.normal_quantiles(400)  # stand for N(0, 1)
a, s = np.cos(np.linspace(np.pi / 2, 0, 31)), np.sin(np.linspace(np.pi / 2, 0, 31))  # VP; the best denoiser is alpha x_t
for eps in (0.2, 0.02, 0.002):
    x, error = z, 0.0
    for l in range(30):
        error += rounded_denoiser(a[l] * z, a[l], s[l], eps)[1] / 400 / 30
        x = ddim_step(x, rounded_denoiser(a[l] * x, a[l], s[l], eps)[0], a[l], s[l], a[l + 1], s[l + 1])
    on_the_grid = bool(np.abs(x / eps - np.round(x / eps)).max() < 0.01)
    show(eps=eps, second_term_of_the_bound=float(error) ** 0.5, every_output_is_on_the_grid=on_the_grid)

# %%
x = z
for l in range(30):  # data 1 and -1, equally likely: x_bar = tanh(alpha x_t / sigma^2)
    inside = a[l] * x / s[l] ** 2
    x = s[l + 1] / s[l] * x + (a[l + 1] - s[l + 1] / s[l] * a[l]) * np.tanh(inside)
log10_distance = (np.log(2) - 2 * np.abs(inside)) / np.log(10)  # 1 - tanh(u) = 2 / (1 + e^2u)
show(powers_of_ten_between_output_and_data=np.array([log10_distance.min(), log10_distance.max()]).round())

# %% [markdown]
# ### 3.10 Directions and velocities
# **Claim.** Papers write the same step in many ways, with time running up or down. One test settles what goes where: *a step
# towards the data has a positive coefficient on the denoiser, and so on the score*; the predicted noise (and the velocity) has
# a negative one. For the denoiser
#
# $$\alpha_s-\frac{\sigma_s}{\sigma_t}\alpha_t>0\quad\Longleftrightarrow\quad
# \frac{\alpha_s}{\sigma_s}>\frac{\alpha_t}{\sigma_t},$$
#
# the ratio of signal to noise grows.
#
# **Derive.** The same $x_s$ can be written as $\frac{\sigma_s}{\sigma_t}x_t+c_1\bar x$, as
# $\frac{\alpha_s}{\alpha_t}x_t+c_2\nabla\log p_t(x_t)$ and as $\frac{\alpha_s}{\alpha_t}x_t+c_3\bar g$, with the predicted
# noise $\bar g=E[g\mid x_t]$. Find the three constants.
#
# #### Exercise: which way a step goes
# *More, 8 minutes.*

# %%
@exercise("ch03.direction_sign")
def direction_sign(alpha: float, sigma: float, alpha_s: float, sigma_s: float) -> "(), (), ()":
    """The three numbers c_1, c_2, c_3: what stands before x_bar, before the score and before the predicted noise g_bar in a step
    of DDIM from alpha, sigma (both > 0) to alpha_s, sigma_s, as written above.
    Example: alpha = 0.6, sigma = 0.8, alpha_s = 0.8, sigma_s = 0.6  ->  (0.35, 0.3733, -0.4667)"""
    #: solution
    ratio = sigma_s / sigma
    on_x = alpha_s - ratio * alpha
    return on_x, on_x * sigma**2 / alpha, sigma_s - sigma * alpha_s / alpha
    #: end

# %% [markdown]
# **Claim.** Noise need not be Gaussian. Let $x_t=\alpha_tx+\sigma_ty$ with *any* $y$ independent of $x$: the last exercises on
# DDIM hold with $y$ in place of $g$, for they used conditional means only. (Tweedie's formula is lost: that needed the
# Gaussian.) In particular take FLOW, where $x_t=(1-t)x+ty$ moves along a straight line with the velocity $y-x$, and go back
# along the mean velocity ([[rem:flow_matching]]):
#
# $$x_s=x_t-(t-s)\,\bar v,\qquad\bar v=E[y-x\mid x_t]=\bar y-\bar x .$$
#
# *For FLOW this step is DDIM's step, exactly. For VP Euler's step along $\bar v=\alpha'\bar x+\sigma'\bar g$ is another one.*
#
# #### Exercise: a step along a velocity
# *More, 8 minutes.*

# %%
@exercise("ch03.flow_step")
def flow_step(x_t: "(D,)", x_bar: "(D,)", t: float, s: float) -> "(D,)":
    """x_t - (t - s) v_bar, where v_bar = y_bar - x_bar and y_bar solves x_t = (1 - t) x_bar + t y_bar; 0 <= s <= t <= 1, t > 0.
    x_bar = E[x | x_t].
    Example: x_t = [1., -2.], x_bar = [0.5, 1.], t = 0.5, s = 0.25  ->  [0.75, -0.5]"""
    #: solution
    v_bar = (x_t - (1 - t) * x_bar) / t - x_bar
    return x_t - (t - s) * v_bar
    #: end

# %% [markdown]
# <details><summary>Why it is DDIM's step</summary>
#
# $\bar y-\bar x=(x_t-\bar x)/t$. So $x_s=x_t-\frac{t-s}t(x_t-\bar x)=\frac st\,x_t+\big(1-\frac st\big)\bar x$, and for FLOW
# $\alpha_s-\frac{\sigma_s}{\sigma_t}\alpha_t=(1-s)-\frac st(1-t)=1-\frac st$. It works because $\alpha$ and $\sigma$ are linear
# in $t$: an Euler step is exact for them.
# </details>

# %%
x_t, x_bar = jnp.array([1.0, -2.0]), jnp.array([0.5, 1.0])
for t, s in ((0.9, 0.5), (0.5, 0.3)):
    root_t, root_s = np.sqrt(1 - t**2), np.sqrt(1 - s**2)
    euler_vp = x_t - (t - s) * diffusion.velocity_from_denoised(x_t, x_bar, root_t, t, -t / root_t, 1.0)
    show(t=t, s=s, FLOW_gap_to_DDIM=jnp.abs(flow_step(x_t, x_bar, t, s) - ddim_step(x_t, x_bar, 1 - t, t, 1 - s, s)).max(),
         VP_gap_to_DDIM=jnp.abs(euler_vp - ddim_step(x_t, x_bar, root_t, t, root_s, s)).max())

# %% [markdown]
# **See.** A flow between two laws neither of which is Gaussian: from $y$, three blobs on the right, to $x$, five points on the
# left. Given $x_t$, Bayes' rule weighs the fifteen pairs of a point and a blob; $\bar x$ is the mean point. Forty of your
# steps.

# %%
rng, spread = np.random.default_rng(5), 0.15
ring = np.array([[np.cos(a), np.sin(a)] for a in 2 * np.pi * np.arange(5) / 5]).T
blobs = np.array([[3.5, 4.0, 3.5], [-1.5, 0.0, 1.5]])

def mean_point(X_t, t):
    centres = (1 - t) * ring[:, :, None] + t * blobs[:, None, :]  # (2, 5, 3)
    squares = ((X_t[:, None, None] - centres[..., None]) ** 2).sum(axis=0)  # (5, 3, M)
    w = np.exp((squares.min(axis=(0, 1)) - squares) / (2 * (t * spread) ** 2)).sum(axis=1)
    return ring @ (w / w.sum(axis=0))

def flow(step):
    path, times = [blobs[:, rng.integers(0, 3, 60)] + spread * rng.normal(size=(2, 60))], np.linspace(1, 0, 41)
    for t, s in zip(times, times[1:]):  # 2 x 60 numbers as one vector
        path.append(np.asarray(step(path[-1].ravel(), mean_point(path[-1], t).ravel(), t, s)).reshape(2, 60))
    return np.array(path)

path = flow(flow_step)
with figure("Paths lead from three blobs on the right to five points on a circle on the left.", size=(5.5, 2.7)) as ax:
    ax.plot(*path.transpose(1, 0, 2), color="#999999", marker="None", linewidth=0.6)
    ax.plot(*path[0], "o", color=plot.COLORS[1], markersize=3)
    ax.plot(*path[-1], "*", color=plot.COLORS[0], markersize=9)
    for mine in yours(flow_step):
        ax.plot(*flow(mine)[-1], "x", color="#444444")
    ax.set(aspect="equal")

# %% [markdown]
# ### 3.11 Few steps
# **Claim.** In infinitely many infinitely small steps DDIM follows a curve, the *probability flow*. The map $F(s,t,\cdot)$
# along these curves, from time $t$ to time $s$, satisfies
#
# $$F(t,t,\xi)=\xi,\qquad F\big(s,u,F(u,t,\xi)\big)=F(s,t,\xi)\qquad(s\le u\le t),$$
#
# and sends the law of $x_t$ to the law of $x_s$. Whoever knows $F$ samples in one step: that is what *few-step* models learn
# (consistency models, flow maps). For VE and $x\sim N(0,\operatorname{diag}(\lambda))$, coordinate by coordinate,
#
# $$F(s,t,x_t)=\sqrt{\frac{\lambda+s^2}{\lambda+t^2}}\;x_t .$$
#
# **Derive.** With $\bar x=\frac\lambda{\lambda+t^2}x_t$ the velocity is $\frac{dx_t}{dt}=\bar g=\frac{x_t-\bar x}t
# =\frac t{\lambda+t^2}x_t$. Solve this equation: what is the derivative of $\log x_t$?
#
# #### Exercise: from any time to any other
# *More, 8 minutes.*

# %%
@exercise("ch03.flow_map")
def flow_map(lams: "(D,)", x_t: "(D,)", t: float, s: float) -> "(D,)":
    """F(s, t, x_t) for x_t = x + t g and x ~ N(0, diag(lams)): where the probability flow through x_t at time t > 0 is at time s,
    0 <= s <= t. lams >= 0.
    Example: lams = [5., 0.], x_t = [3., 3.], t = 2., s = 1.  ->  [2.449, 1.5]"""
    #: solution
    return jnp.sqrt((lams + s**2) / (lams + t**2)) * x_t
    #: end

# %% [markdown]
# **See.** One step of DDIM, the posterior mean $E[x_s\mid x_t]$, is *not* the flow map. Many steps come near it, with an error
# proportional to $1/L$.

# %%
lams, counts, x_t = np.array([0.1, 1.0, 10.0]), [1, 2, 4, 8, 16, 32], np.ones(3)
direct, ends = flow_map(lams, x_t, 2.0, 0.5), []
for L in counts:
    x, times = x_t, np.linspace(2, 0.5, L + 1)
    for t, s in zip(times, times[1:]):
        x = ddim_step(x, lams / (lams + t**2) * x, 1.0, t, 1.0, s)
    ends.append(np.asarray(x))
with figure("The gap between L steps of DDIM and the flow map falls as 1/L for three variances.", size=(5.5, 3)) as ax:
    for i, lam in enumerate(lams):
        ax.loglog(counts, [1 - end[i] / direct[i] for end in ends], label=rf"$\lambda$ = {lam:g}")
        for mine in yours(flow_map):
            ax.plot(counts, [abs(1 - end[i] / mine(lams, x_t, 2.0, 0.5)[i]) for end in ends], **plot.DASHED)
    ax.loglog(counts, 0.1 / np.array(counts), ":", color="black", marker="None", label="slope -1")
    ax.set(xlabel="steps L", ylabel="relative gap")
    ax.legend()

# %% [markdown]
# <details><summary>If you read the book: the remark on few-step models (last of [[sub:sampling_denoising]])</summary>
#
# - *The order.* The consistency condition is printed with the map from $u$ to $s$ inside and the map from $t$ to $u$ outside: a
#   point of time $s$ is given to a map that expects one of time $t$. It has to be $F(s,u,F(u,t,\xi))=F(s,t,\xi)$.
# - *The object.* The function in the condition is to estimate $E[x_s\mid x_t]$. But posterior means do not satisfy it in either
#   order: for $\lambda=1$ and $(s,u,t)=(0.5,1,2)$ going by way of $u$ multiplies by 0.45, going directly by 0.40. A model
#   cannot do both. What satisfies it is the flow map: 0.5 either way.
# - *The average velocity.* Printed is $E[(x_t-x_s)/(t-s)\mid x_t]$. For VE $(x_t-x_s)/(t-s)=g$ for *every* $s$, and for FLOW it
#   is $y-x$: this is the ordinary prediction again, and one step with it ordinary DDIM. Mean flows average the velocity
#   $\bar v$ along the flow's *curve*, and that depends on $s$.
#
# All three in the cell, the first and third for $x=\pm1$ and $\xi=1.3$.
# </details>

# %%
mean = lambda s, t, x: s / t * x + (1 - s / t) * np.tanh(x / t**2)  # E[x_s | x_t = x]
s, u, t, xi = 0.5, 1.0, 2.0, 1.3
show(right_order=mean(s, u, mean(u, t, xi)), printed_order=mean(u, t, mean(s, u, xi)), directly=mean(s, t, xi))
gain = lambda s, t: (1 + s * t) / (1 + t**2)
F = lambda s, t: flow_map(np.ones(1), np.ones(1), t, s)[0]
show(posterior_means=np.array([gain(s, u) * gain(u, t), gain(s, t)]), flow_maps=np.array([F(s, u) * F(u, t), F(s, t)]))
weights, data_points = np.array([1, 1]) + np.tanh(xi / t**2) * np.array([1, -1]), np.array([1.0, -1.0])  # Bayes' rule, times 2
g = (xi - data_points) / t
show(mean_velocity_for_three_s=np.array([weights / 2 @ ((xi - (data_points + e * g)) / (t - e)) for e in (0.1, 0.5, 1.5)]))
show(mean_velocity_along_the_curve=np.array([(1 - F(e, t)) / (t - e) for e in (0.1, 0.5, 1.5)]))

# %% [markdown]
# ### 3.12 Doubt
# Optional: where the claims of this part stop being true. Every number comes from the cell beneath; the experiments can be read
# and changed in `chapters/ch03_denoising/experiments_processes.py` and `long_processes.py`.
#
# <details><summary>How does the error of a sampler fall with the number of steps?</summary>
#
# For $x\sim N(0,1)$ all is exact: no samples, no seeds. Let $1-r$ be the lost share of the standard deviation. An angle
# $\theta$ costs $1-\cos\theta\approx\theta^2/2$, so on times $t(u)$, $0\le u\le1$, with angle $\theta(u)$, $L(1-r)$ tends to
# $\frac12\int_0^1\theta'(u)^2du$: $\pi^2/8$ for equal angles, $\frac12+\frac\pi4$ for FLOW on uniform times, and
# $\frac T4\big(\arctan T+\frac T{1+T^2}\big)$ for VE on uniform times from $T$. The slope of $\log(1-r)$ over $\log L$ is $-1$.
# One exception: for VP on uniform times $\theta=\arcsin t$, the integral diverges at $t=1$, and the loss is of order
# $\frac{\log L}{4L}$; between 300 and 1000 steps the slope is still $-0.91$. *Ancestral* sampling (DDPM) on equal angles loses
# twice as much as DDIM there, $\pi^2/4$, with the slope not quite at $-1$ yet.
#
# In $D$ dimensions $N(0,I)$ becomes $N(0,r^2I)$, at the total variation $\approx\sqrt{D/\pi}\,(1-r)$ for large $D$ and small
# losses (for $D=1$ the factor is 0.48 in place of 0.56): for DDIM the dimension enters as $\sqrt D$, not as $D$, for this law.
# And directions without data do no harm at all: they are set to 0 exactly, so that data on a subspace of dimension $d$ behave
# as in $d$ dimensions, without any change to the sampler.
# </details>

# %%
counts, T = [10, 30, 100, 300, 1000], experiments_processes.T_VE
constants = {"VE, uniform": T / 4 * (np.arctan(T) + T / (1 + T**2)),
             "VP, equal angles": np.pi**2 / 8, "FLOW, uniform": 0.5 + np.pi / 4}
lost = {name: [1 - experiments_processes.share_kept(process, times(L)) for L in counts]
        for name, (process, times) in experiments_processes.GRIDS.items()}
process, times = experiments_processes.GRIDS["VP, equal angles"]
lost["ancestral, equal angles"] = [1 - experiments_processes.share_kept_with_noise(process, times(L)) for L in counts]
constants["ancestral, equal angles"] = np.pi**2 / 4
print(f"{'L times the lost share':24}" + "".join(f"{L:8}" for L in counts) + "   slope  predicted")
for name, losses in lost.items():
    scaled = "".join(f"{L * loss:8.2f}" for L, loss in zip(counts, losses))
    said = f"{constants[name]:11.2f}" if name in constants else "          -"
    print(f"{name:24}{scaled}{experiments_processes.rate(counts, losses):8.2f}{said}")

# %%
alt = "Total variation over the number of steps in 1, 16 and 256 dimensions, close to the predicted lines of slope -1."
with figure(alt, size=(6, 3)) as ax:
    for D, color, marker in zip((1, 16, 256), plot.COLORS, plot.MARKERS):
        distances = [divergence.isotropic_total_variation(1 - loss, D) for loss in lost["VP, equal angles"]]
        ax.loglog(counts, distances, marker, color=color, label=f"D = {D}")
        predicted = np.sqrt(D / np.pi) * np.pi**2 / 8 / np.array(counts)
        ax.plot(counts, predicted, ":", color=color, marker="None", label=r"$\sqrt{D/\pi}\,\pi^2/(8L)$" if D == 256 else None)
    ax.set(xlabel="steps L", ylabel="total variation")
    ax.legend()

# %% [markdown]
# <details><summary>And for data that are not Gaussian?</summary>
#
# Three Gaussians on the line, with standard deviations 0.1, 0.5 and 0.2. There DDIM is increasing, so that it sends quantiles
# to quantiles, and the Wasserstein distance is known up to the fineness of 1,000 quantiles, without any chance. VP (equal
# angles for $\lambda=1$) and FLOW have the slope $-1$ again. VE does not: with exponential times it is at its floor of 0.08
# after 50 steps. That is the error of its start, $N(0,20^2)$, which no step removes.
#
# In sixteen dimensions (four planes, 4,000 samples, five seeds; about a minute if it is run anew) DDIM needs about half as many
# steps as ancestral sampling, and the choice among VP and FLOW matters less than the seed. With 200 steps all are within 0.002
# of the distance between two sets of fresh samples: with so few samples finer differences cannot be seen.
# </details>

# %%
counts = [5, 10, 20, 50, 100, 200]
distances = experiments_processes.mixture_errors(counts)
alt = "Distance to a mixture on the line over the number of steps: VP and FLOW fall as 1/L, VE stays at its floor of 0.08."
with figure(alt, size=(6, 3.2)) as ax:
    for name, values in distances.items():
        ax.loglog(counts, values, label=name)
    ax.loglog(counts, 2.5 / np.array(counts), ":", color="black", marker="None", label="slope -1")
    ax.set(xlabel="steps L", ylabel="Wasserstein distance")
    ax.legend(fontsize=8)
slopes = [experiments_processes.rate(counts, values) for values in distances.values()]
show(**{f"last_slope_of_{name.replace(', ', '_')}": slope for name, slope in zip(distances, slopes) if slope < -0.5})

# %%
from chapters.ch03_denoising import long_processes

found = measured(long_processes.samplers_in_sixteen_dimensions)
print(f"{'steps':30}" + "".join(f"{L:14}" for L in found["counts"]))
for method, distance in zip(found["methods"], found["distance"]):
    print(f"{method:30}" + "".join(f"{m:8.3f} ±{s:.3f}" for m, s in zip(distance.mean(axis=1), distance.std(axis=1))))
print(f"two fresh sets                {found['floor'].mean():8.3f} ±{found['floor'].std():.3f}")

# %% [markdown]
# <details><summary>Do more steps forgive a wrong denoiser?</summary>
#
# Let the denoiser answer $1+\eta$ times the best answer, for $N(0,1)$ under VP. With more steps the error of the output
# *grows*: each step towards $t=0$ covers a larger share of the way that is left, $1-s/t$, and the bias enters once per step. On
# uniform times the shares add up to about $\log L$, so that the output is too large by a factor of about $L^\eta$. The bound of
# 3.9 sees it coming: an error of $\eta\bar x$ at small $\sigma$ is an enormous error of the score. More steps remove the first
# term of the bound, not the second.
# </details>

# %%
for L in (50, 1000):
    times = diffusion.uniform_times(1, L)
    exact, *wrong = [experiments_processes.share_kept(diffusion.VP, times, eta=eta) for eta in (0, 0.001, 0.01, 0.1)]
    show(steps=L, lost_with_the_best_denoiser=1 - exact, gained_for_eta_of_0001_001_01=np.array(wrong) - exact)
    show(predicted_by_L_to_the_eta=np.array([L**eta - 1 for eta in (0.001, 0.01, 0.1)]))
