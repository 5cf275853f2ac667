# %% [markdown]
# ### 2.6 Tweedie's formula
# **Claim.** Let $x$ have *any* law, $x_t=x+tg$ with $t>0$, and let $p_t$ be the density of $x_t$ (it has one, even where $x$ has
# none). Then the posterior mean is one step uphill on $\log p_t$, of size $t^2$ ([[eq:tweedie]]):
#
# $$E[x\mid x_t]=x_t+t^2\,\nabla\log p_t(x_t) .$$
#
# The gradient $\nabla\log p_t$ is called the *score*. Who can remove noise knows the score, and who knows the score can remove
# noise.
#
# **Derive.** Take a law of finitely many *atoms*: $x$ is $x_i$, column $i$ of $X$, with probability $w_i$. Then
# $p_t(z)=\sum_iw_i\,\varphi_i(z)$, where $\varphi_i(z)$ is the density of $x_i+tg$ at $z$, a Gaussian around $x_i$, and every
# expectation is a sum. (1) What is $\nabla\log p$, in terms of $\nabla p$ and $p$? (2) What is the gradient of one Gaussian
# $\varphi_i$? (3) Split the sum, and look for the posterior weights.
#
# #### Exercise (derivation): from the score to the posterior mean
# *Core, 12 minutes.*

# %%
@derivation("ch03.tweedie_chain")
def tweedie_chain(X, weights, x_t, t):
    """From one step on log p_t to the mean of the atoms under their posterior weights.
    Pass through the gradient of p_t itself, then through the gradient of the Gaussians, written out by hand."""
    D = X.shape[0]
    square = lambda z: jnp.sum((X - z[:, None]) ** 2, axis=0)
    phi = lambda z: jnp.exp(-square(z) / (2 * t**2)) / (2 * jnp.pi * t**2) ** (D / 2)  # (N,): density of x_i + t g at z
    p_t = lambda z: weights @ phi(z)
    log_p_t = lambda z: jnp.log(p_t(z))
    grad = jax.grad  # grad(p_t)(z) is the gradient of p_t at z
    posterior = weights * phi(x_t) / p_t(x_t)  # Bayes' rule
    yield x_t + t**2 * grad(log_p_t)(x_t)
    #: solution
    yield x_t + t**2 * grad(p_t)(x_t) / p_t(x_t)
    yield x_t + t**2 * ((X - x_t[:, None]) / t**2) @ (weights * phi(x_t)) / p_t(x_t)
    yield x_t + X @ posterior - x_t * posterior.sum()
    #: end
    yield X @ posterior

# %% [markdown]
# <details><summary>And for any other law?</summary>
#
# Read the sum over atoms as an expectation over $x$: $p_t(z)=E[\varphi(z;x,t^2I)]$. The only step that needs thought is the
# gradient under the expectation. It is allowed since $\varphi$ and its gradient are bounded functions of $x$, whatever $x$ does.
# So nothing is asked of $x$: not a density, not even a mean. (The book writes the proof with a density of $x$ and says
# in a footnote that none is needed.)
# </details>
#
# #### Exercise: denoise with a score
# *Core, 8 minutes.*

# %%
@exercise("ch03.tweedie")
def tweedie(x_t: "(D,)", score: "(D,)", t: float) -> "(D,)":
    """Posterior mean E[x | x_t] for x_t = x + t g, from the score of p_t at x_t (already evaluated: score = grad log p_t(x_t)).
    t > 0.
    Example: x_t = [1., 1.], score = [0., -2.], t = 0.5  ->  [1., 0.5]"""
    #: solution
    return x_t + t**2 * score
    #: end

# %% [markdown]
# **Play.** A mixture of three flat Gaussians. Your arrows go from $x_t$ to your denoised sample; the circles are posterior means
# by Bayes' rule (2.4). The lines are level lines of $\log p_t$. Which way does an arrow stand to the line it starts on? Where do
# the arrows end when $t$ is small, and where when it is large?

# %%
turn = lambda a: np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
flat = np.stack([turn(a) @ np.diag([1.5, 0.02]) @ turn(a).T for a in (0.3, 1.9, -0.6)])
mixture = GaussianMixture(np.array([0.4, 0.3, 0.3]), np.array([[-2.0, -1.0], [2.0, -0.5], [0.0, 2.0]]), flat)
line = np.linspace(-5, 5, 50)
grid = np.stack(np.meshgrid(line, line)).reshape(2, -1)
starts = np.stack(np.meshgrid(np.linspace(-4, 4, 4), np.linspace(-4, 4, 4))).reshape(2, -1)

def draw_scores(fig, t):
    ax = fig.subplots()
    log_p = np.asarray(mixture.log_density(grid, 1.0, t)).reshape(50, 50)
    levels = log_p.max() - np.array([12.0, 6, 3, 1])
    ax.contour(line, line, log_p, levels=levels, colors="#999999", linestyles="-", linewidths=0.8)
    scores = np.asarray(mixture.score(starts, 1.0, t))
    for x_t, score in zip(starts.T, scores.T):
        for mine in yours(tweedie):
            ax.plot(*np.stack([x_t, mine(x_t, score, t)], axis=1), **plot.DASHED)
        end = np.asarray(tweedie(x_t, score, t))
        ax.annotate("", end, x_t, arrowprops=dict(arrowstyle="->", color=plot.COLORS[0], shrinkA=0, shrinkB=0))
    ax.plot(*mixture.posterior_mean(starts, 1.0, t), "o", color=plot.COLORS[1], fillstyle="none", markersize=7)
    ax.set(xlim=(-5, 5), ylim=(-5, 5), aspect="equal")
    return f"With t = {t} every arrow, t^2 times the score, ends in the circle of the posterior mean."

explore(draw_scores, {"t": [0.25, 0.5, 1.0, 2.0, 4.0]}, start={"t": 1.0}, size=(3.2, 3.2))

# %% [markdown]
# <details><summary>If you read the book: a logarithm in Appendix B</summary>
#
# Just above [[eq:app_denoising_iteration_score]] the formula is repeated with $\nabla p_t$ in place of $\nabla\log p_t$. It holds
# with the logarithm, as in [[eq:tweedie]] and in the equation that follows there. Units tell: $t^2\nabla p_t$ is not a length.
# </details>

# %%
atoms, weights, x_t, t = jnp.array([-1.0, 0.5, 2.0]), jnp.array([0.5, 0.2, 0.3]), jnp.array([0.8]), 0.7
phi = lambda z: jnp.exp(-((z - atoms) ** 2) / (2 * t**2)) / (2 * jnp.pi * t**2) ** 0.5
p_t = lambda z: weights @ phi(z)
by_counting = weights * phi(x_t) @ atoms / p_t(x_t)  # Bayes' rule
error = lambda slope: jnp.abs(tweedie(x_t, slope, t) - by_counting).max()
show(error_with_the_logarithm=error(jax.grad(lambda z: jnp.log(p_t(z)))(x_t)), error_without=error(jax.grad(p_t)(x_t)))

# %% [markdown]
# #### Exercise: the score of a data set
# A data set is a law of atoms too. It has no density, but $p_t$ has, and the derivation gave its score: from $x_t$ to the
# posterior mean, divided by $t^2$. The posterior weights are a softmax.
#
# *More, 8 minutes.*

# %%
@exercise("ch03.score_from_atoms")
def score_from_atoms(X: "(D, N)", weights: "(N,)", x_t: "(D,)", t: float) -> "(D,)":
    """grad log p_t(x_t) for x_t = x + t g, where x is column i of X with probability weights[i]. weights > 0, t > 0. Must work
    far away from all atoms, and for small t, where all the Gaussians are 0 in float32.
    Example: X = [[0., 2.]], weights = [0.5, 0.5], x_t = [1.5], t = 1.  ->  [-0.0379]"""
    #: solution
    logits = jnp.log(weights) - jnp.sum((X - x_t[:, None]) ** 2, axis=0) / (2 * t**2)
    return (X @ jax.nn.softmax(logits) - x_t) / t**2
    #: end

# %% [markdown]
# **See.** A denoiser of digits out of your two functions. The law is 1,796 images, each equally likely; the noisy image is made
# from another one. Nobody has trained anything.

# %%
images = np.asarray(data.digits()[0])
clean, atoms, levels = images[:, 7], np.delete(images, 7, axis=1), (0.25, 0.5, 1.0, 2.0)
equal, g = np.full(1796, 1 / 1796), np.random.default_rng(0).normal(size=64)
denoise = lambda score, x_t, t: np.asarray(tweedie(x_t, score(atoms, equal, x_t, t), t))
noisy = [clean + t * g for t in levels]
below = [denoise(score_from_atoms, x_t, t) for x_t, t in zip(noisy, levels)]
failing = [denoise(mine, noisy[1], 0.5) for mine in yours(score_from_atoms)]
alt = "A digit 7, four noisy copies, and beneath them denoised ones: a 7 at t = 0.25 and 0.5, then more and more a blur."
with figure(alt, size=(5, 2.3)) as ax:
    corner = failing[:1] or [np.full(64, np.nan)]
    titles = ["clean", *[f"t = {t}" for t in levels], "yours (fails)" if failing else "", *["denoised"] * 4]
    plot.images(ax, np.stack([clean, *noisy, *corner, *below], axis=1), titles=titles, columns=5, limits=(0, 1))

# %% [markdown]
# ### 2.7 How sure is the denoiser?
# **Claim.** One more derivative gives the posterior *covariance* (Tweedie of second order; not in the book):
#
# $$\operatorname{Cov}(x\mid x_t)=t^2\,\frac{\partial\,E[x\mid x_t]}{\partial x_t}=t^2\big(I+t^2\,\nabla^2\log p_t(x_t)\big).$$
#
# So the Jacobian of the best denoiser is symmetric, and none of its eigenvalues is negative. Where the data lie along a curve it
# is large along the curve and nearly 0 across: the denoiser keeps one direction and throws the others away.
#
# **Derive.** For atoms: how does the posterior weight $\pi_i$ change with $x_t$? Then differentiate $\sum_i\pi_ix_i$.
#
# <details><summary>The argument</summary>
#
# $\log\pi_i=\log w_i-\|x_t-x_i\|^2/2t^2-\log\sum_j(\dots)$, and the last term makes the weights add up to 1. Its gradient is
# $(x_i-x_t)/t^2-\sum_j\pi_j(x_j-x_t)/t^2=(x_i-\bar x)/t^2$ with $\bar x=E[x\mid x_t]$. So $\nabla\pi_i=\pi_i(x_i-\bar x)/t^2$ and
#
# $$\frac{\partial\bar x}{\partial x_t}=\frac1{t^2}\sum_i\pi_i\,x_i(x_i-\bar x)^\top
# =\frac1{t^2}\sum_i\pi_i\,(x_i-\bar x)(x_i-\bar x)^\top,$$
#
# the last step because $\sum_i\pi_i(x_i-\bar x)=0$. The second equality of the claim is the derivative of Tweedie's formula.
# </details>
#
# #### Exercise: posterior covariance
# *More, 12 minutes.*

# %%
@exercise("ch03.posterior_covariance")
def posterior_covariance(X: "(D, N)", weights: "(N,)", x_t: "(D,)", t: float) -> "(D, D)":
    """Covariance of x given x_t = x + t g, where x is column i of X with probability weights[i] > 0; t > 0. It is the covariance
    about the posterior mean, so t^2 times the Jacobian of the denoiser.
    Example: X = [[0., 2.]], weights = [0.5, 0.5], x_t = [1.], t = 1.  ->  [[1.]]"""
    #: solution
    logits = jnp.log(weights) - jnp.sum((X - x_t[:, None]) ** 2, axis=0) / (2 * t**2)
    posterior = jax.nn.softmax(logits)
    away = X - (X @ posterior)[:, None]
    return (posterior * away) @ away.T
    #: end

# %% [markdown]
# **See.** Data along a spiral, three noisy samples (crosses) with $t=0.3$. Around each denoised sample an ellipse: two standard
# deviations of what $x$ may have been.

# %%
turns = np.linspace(1.5, 3.5 * np.pi, 150)
spiral = turns / 4 * np.stack([np.cos(turns), np.sin(turns)])
even, t = np.full(150, 1 / 150), 0.3
circle = np.stack([np.cos(np.linspace(0, 2 * np.pi, 60)), np.sin(np.linspace(0, 2 * np.pi, 60))])

def ellipse(covariance):
    values, vectors = np.linalg.eigh(np.asarray(covariance, dtype=float))
    return 2 * vectors @ (np.sqrt(np.maximum(values, 0))[:, None] * circle)

alt = "Ellipses on a spiral: thin ones along the arm where one arm is near, a long one across where two arms are equally near."
with figure(alt, size=(4, 3.6)) as ax:
    ax.plot(*spiral, ".", color="#999999")
    for x_t in np.array([[1.9, 0.9], [-1.6, -0.3], [0.7, -1.5]]):
        x_bar = np.asarray(tweedie(x_t, score_from_atoms(spiral, even, x_t, t), t))
        ax.annotate("", x_bar, x_t, arrowprops=dict(arrowstyle="->", color=plot.COLORS[0], shrinkA=0, shrinkB=0))
        ax.plot(*x_t, "x", color="black")
        ax.plot(*(x_bar[:, None] + ellipse(posterior_covariance(spiral, even, x_t, t))), color=plot.COLORS[1], marker="None")
        for mine in yours(posterior_covariance):
            ax.plot(*(x_bar[:, None] + ellipse(mine(spiral, even, x_t, t))), **plot.DASHED)
    ax.set(aspect="equal")

# %% [markdown]
# ### 2.8 One step of denoising is not sampling
# **Claim.** Let $x$ be $+1$ or $-1$ with equal probability ([[example:denoising_twopoints]]). The best denoiser is
#
# $$E[x\mid x_t]=\tanh(x_t/t^2).$$
#
# For large $t$ it answers a number near 0, which $x$ never is. The mean of what is possible need not be possible.
#
# **Derive.** Bayes' rule with two atoms; what do $e^{-(x_t-1)^2/2t^2}$ and $e^{-(x_t+1)^2/2t^2}$ have in common?
#
# <details><summary>Answer</summary>
#
# The factor $e^{-(x_t^2+1)/2t^2}$. It cancels, and $(e^{a}-e^{-a})/(e^{a}+e^{-a})=\tanh a$ with $a=x_t/t^2$ is left. If the
# $D$ entries of $x$ are independent, so are they given $x_t$, and the formula holds for each.
# </details>
#
# #### Exercise: the denoiser of random signs
# *More, 6 minutes.*

# %%
@exercise("ch03.twopoint_denoiser")
def twopoint_denoiser(x_t: "(D,)", t: float) -> "(D,)":
    """E[x | x_t] for x_t = x + t g, where the D entries of x are independent, each +1 or -1 with probability 1/2. t > 0, and as
    small as 0.001: nothing may overflow.
    Example: x_t = [0.1, -1.], t = 0.5  ->  [0.3799, -0.9993]"""
    #: solution
    return jnp.tanh(x_t / t**2)
    #: end

# %% [markdown]
# **Play.** Left: the denoiser. Right: what it makes of 4,000 noisy samples; the true law sits at the two ends. From which $t$ on
# is the output not even roughly a sample?

# %%
rng = np.random.default_rng(1)
signs, noises, xi = np.where(rng.random(4000) < 0.5, 1.0, -1.0), rng.normal(size=4000), np.linspace(-4, 4, 161)

def draw_twopoint(fig, t):
    left, right = fig.subplots(1, 2)
    left.plot(xi, twopoint_denoiser(xi, t), marker="None")
    for mine in yours(twopoint_denoiser):
        left.plot(xi, mine(xi, t), **plot.DASHED)
    left.plot([-1, 1], [-1, 1], "o", color=plot.COLORS[1])
    left.set(xlabel="$x_t$", ylabel=r"$E[x\mid x_t]$", ylim=(-1.1, 1.1))
    denoised = np.asarray(twopoint_denoiser(signs + t * noises, t))
    right.hist(denoised, bins=np.linspace(-1, 1, 41), color=plot.COLORS[0])
    right.set(xlabel="denoised samples", yticks=[])
    between = 100 * np.mean(np.abs(denoised) < 0.9)
    return f"With t = {t}, {between:.0f} percent of the denoised samples are farther than 0.1 from both points."

explore(draw_twopoint, {"t": [0.2, 0.4, 0.7, 1.0, 2.0, 5.0]}, start={"t": 0.7}, size=(6, 2.5))

# %% [markdown]
# **Claim.** What the denoiser shows of $x$ and what it leaves open add up (the *law of total variance*):
#
# $$\operatorname{Var}(x)=\operatorname{Var}\big(E[x\mid x_t]\big)+E\big[\operatorname{Var}(x\mid x_t)\big].$$
#
# The last term is the error that even the best denoiser makes. For the two points the sum is 1.
#
# #### Exercise: two variances
# Both need an integral over $x_t$, one-dimensional and smooth: a sum over a fine grid will do.
#
# *More, 10 minutes.*

# %%
@exercise("ch03.twopoint_variance")
def twopoint_variance(t: float) -> "(), ()":
    """For x = +1 or -1 with probability 1/2 and x_t = x + t g: the variance of E[x | x_t], and the mean of the posterior variance
    Var(x | x_t), in this order; both to within 1e-3. t between 0.2 and 20. By symmetry it is enough to look at x = 1 and to sum
    over a grid of g with weights in proportion to exp(-g^2 / 2).
    Example: t = 1.  ->  (0.5504, 0.4496)"""
    #: solution
    g = jnp.linspace(-8, 8, 1601)
    likely = jnp.exp(-(g**2) / 2)
    x_bar = jnp.tanh((1 + t * g) / t**2)
    shown = jnp.sum(likely * x_bar**2) / jnp.sum(likely)
    return shown, 1 - shown
    #: end

# %% [markdown]
# **See.** Left of the crossing the denoiser knows; right of it, it does not, and says so by answering close to the mean. Dotted:
# what the best *linear* denoiser, $x_t/(1+t^2)$, leaves open.

# %%
ts = np.geomspace(0.2, 10, 18)
parts = np.array([twopoint_variance(float(t)) for t in ts])
alt = "Against t the output variance falls from 1 to 0 and the posterior variance rises from 0 to 1, below the linear one."
with figure(alt, size=(5.6, 2.2)) as ax:
    ax.semilogx(ts, parts[:, 0], label="variance of the output")
    ax.semilogx(ts, parts[:, 1], label="posterior variance")
    ax.semilogx(ts, ts**2 / (1 + ts**2), ":", color="black", marker="None", label="error of a linear denoiser")
    for mine in yours(twopoint_variance):
        ax.plot(ts, [mine(float(t))[0] for t in ts], **plot.DASHED)
    ax.set(xlabel="t")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %% [markdown]
# <details><summary>If you read the book: which variance is huge</summary>
#
# After [[eq:iter denoise]] a small first step is justified by a huge variance of the denoiser at large $t$, with the two points
# as the example. Read as the variance of the *output*, it is the other way round: the output hardly varies. What is large is the
# *posterior* variance: $x$ is still undecided. The advice, to take small steps, holds.
# </details>

# %%
for t in (0.3, 1.0, 3.0, 10.0):
    output, posterior = twopoint_variance(t)
    show(t=t, variance_of_the_output=output, posterior_variance=posterior)

# %% [markdown]
# ### 2.9 One subspace
# **Claim.** Let $x\sim N(0,UU^\top)$ with orthonormal $U$ $(D\times d)$: standard normal on a subspace, nothing off it. The
# denoiser of [[eq:optimal denoiser]] would invert a $D\times D$ matrix. But $UU^\top+t^2I$ is a multiple of the identity and $d$
# directions more, and for such matrices there is the *Sherman-Morrison-Woodbury* identity ([[eq:sherman_morrison_woodbury]]):
#
# $$(A+BCF)^{-1}=A^{-1}-A^{-1}B\,(C^{-1}+FA^{-1}B)^{-1}FA^{-1}.$$
#
# Here $A$ is $D\times D$ and easy to invert, $B$ is $D\times d$, $C$ $d\times d$, $W$ $d\times D$; $A$, $C$ and $A+BCF$ have
# inverses. (The book writes $U$ and $V$ for $B$ and $W$; here these letters stand for orthonormal bases.) Inverted is only a
# $d\times d$ matrix.
#
# **Derive.** Solve $(A+BCF)\,x=b$. Call $z=CFx$, so that $Ax+Bz=b$ and $C^{-1}z=Fx$: two equations, one of them small.
# Eliminate $x$.
#
# <details><summary>The argument</summary>
#
# From the first, $x=A^{-1}(b-Bz)$. Put it into the second: $(C^{-1}+FA^{-1}B)\,z=FA^{-1}b$. If the matrix on the left sent some
# $z\ne0$ to 0, then $x=-A^{-1}Bz$ would satisfy $z=CFx$ and $(A+BCF)x=0$, so $x=0$ and $z=0$: a contradiction. Hence it has an
# inverse, and $x=A^{-1}b-A^{-1}B(C^{-1}+FA^{-1}B)^{-1}FA^{-1}b$ for every $b$. With $A=B=W=1$ and $C=-1$ the sum is 0: that
# $A$ and $C$ have inverses is not enough.
# </details>
#
# #### Exercise: solve without the big matrix
# This is the book's [[exercise:sherman_morrison_woodbury_identity]], as a computation. Say the big matrix is never built: with
# $D=300{,}000$ it would need 360 gigabytes.
#
# *More, 12 minutes.*

# %%
@exercise("ch03.woodbury_solve")
def woodbury_solve(a: "(D,)", B: "(D, d)", C: "(d, d)", W: "(d, D)", b: "(D,)") -> "(D,)":
    """The x (D,) with (diag(a) + B C W) x = b, without ever forming a D x D array. No entry of a is 0; C and the matrix of the
    system have inverses. B, C and W are any matrices of these shapes: not orthonormal, not symmetric.
    Example: a = [1., 2.], B = [[1.], [0.]], C = [[3.]], W = [[0., 1.]], b = [7., 4.]  ->  [1., 2.]"""
    #: solution
    by_a, B_by_a = b / a, B / a[:, None]
    core = jnp.linalg.inv(C) + W @ B_by_a
    return by_a - B_by_a @ jnp.linalg.solve(core, W @ by_a)
    #: end

# %% [markdown]
# **Claim.** With $A=t^2I$, $B=U$, $C=I$, $W=U^\top$ everything collapses ([[eq:gaussian_lowrank_denoiser_simplified]]):
#
# $$E[x\mid x_t]=\frac1{1+t^2}\,UU^\top x_t .$$
#
# Project, then shrink.
#
# **Derive.** Put it in; use $U^\top U=I$ wherever it occurs. Or without matrices: what are the eigenvalues of $UU^\top$, and by
# what does the denoiser multiply each direction?
#
# <details><summary>Answer</summary>
#
# $C^{-1}+FA^{-1}B=(1+1/t^2)I$, so $(UU^\top+t^2I)^{-1}=\frac1{t^2}\big(I-\frac1{1+t^2}UU^\top\big)$, and $UU^\top$ times that is
# $\frac1{t^2}\big(1-\frac1{1+t^2}\big)UU^\top=\frac1{1+t^2}UU^\top$. With eigenvalues: $\lambda/(\lambda+t^2)$ is $1/(1+t^2)$ on
# the subspace and 0 off it.
# </details>
#
# #### Exercise: the denoiser of a subspace
# *More, 6 minutes.*

# %%
@exercise("ch03.lowrank_denoiser")
def lowrank_denoiser(U: "(D, d)", x_t: "(D,)", t: float) -> "(D,)":
    """E[x | x_t] for x ~ N(0, U U^T), U with orthonormal columns, x_t = x + t g, t >= 0; in about 4 D d operations, without a
    D x D array.
    Example: U = [[0.6], [0.8]], x_t = [3., 4.], t = 0.5  ->  [2.4, 3.2]"""
    #: solution
    code = U.T @ x_t
    return U @ code / (1 + t**2)
    #: end

# %% [markdown]
# **Claim.** Suppose the subspace is not known. Among all denoisers $\frac1{1+t^2}VV^\top x_t$ with orthonormal $V$
# $(D\times d)$ ([[eq:optimal nn]]) the loss $E\|\frac1{1+t^2}VV^\top x_t-x\|^2$ is least where $E\|V^\top x\|^2$ is largest
# ([[eq:PCA]]): at the first $d$ principal components. It is so for every $t$, and for every law of $x$ with mean zero and finite
# second moments.
#
# **Derive.** Write $c=1/(1+t^2)$ and $Q=VV^\top$, a projector. (1) Put in $x_t=x+tg$; which terms does the mean over $g$ leave?
# (2) How large is $E\|Qg\|^2$? (3) What is $\|cQx-x\|^2$ in terms of $\|x\|^2$ and $\|V^\top x\|^2$?
#
# <details><summary>Answers</summary>
#
# (1) $\|cQx-x\|^2+2ct\,\langle cQx-x,Qg\rangle+c^2t^2\|Qg\|^2$, and the middle term has mean 0. (2)
# $E\|Qg\|^2=\operatorname{tr}Q=d$, not $D$. (3) $\|x\|^2-(2c-c^2)\|V^\top x\|^2$. Together, with $2c-c^2=(1+2t^2)/(1+t^2)^2$ and
# $\Sigma=E[xx^\top]$,
#
# $$\text{loss}(V)=\operatorname{tr}\Sigma-\frac{1+2t^2}{(1+t^2)^2}\operatorname{tr}(V^\top\Sigma V)+\frac{t^2d}{(1+t^2)^2},$$
#
# and only the middle term depends on $V$, with a negative sign.
# </details>
#
# #### Exercise: the loss of a subspace
# *More, 10 minutes.*

# %%
@exercise("ch03.subspace_loss")
def subspace_loss(V: "(D, d)", Sigma: "(D, D)", t: float) -> "()":
    """E ||V V^T x_t / (1 + t^2) - x||^2 for x_t = x + t g, where x has mean zero and covariance Sigma (its law is otherwise free)
    and V has orthonormal columns; t >= 0. A sum over the D entries, not a mean.
    Example: V = [[1.], [0.]], Sigma = [[2., 0.], [0., 1.]], t = 1.  ->  1.75"""
    #: solution
    kept = jnp.trace(V.T @ Sigma @ V)
    return jnp.trace(Sigma) - (1 + 2 * t**2) / (1 + t**2) ** 2 * kept + t**2 * V.shape[1] / (1 + t**2) ** 2
    #: end

# %% [markdown]
# **See.** Turn a plane out of the first two principal directions, towards the third. For every $t$ the loss is least at angle 0.
# How much there is to gain is another matter: hardly anything at $t=5$.

# %%
Sigma, degrees = np.diag([2.0, 1.5, 0.5, 0.1]), np.linspace(-90, 90, 37)
turned = [np.array([[1, 0], [0, np.cos(a)], [0, np.sin(a)], [0, 0]]) for a in np.radians(degrees)]
with figure("For t = 0.1, 1 and 5 the excess loss is least at angle 0; the valley is flattest at t = 5.", size=(4.4, 2.2)) as ax:
    for t in (0.1, 1.0, 5.0):
        losses = np.array([subspace_loss(V, Sigma, t) for V in turned])
        ax.plot(degrees, losses - losses[18], label=f"t = {t:g}")
        for mine in yours(subspace_loss):
            ax.plot(degrees, np.array([mine(V, Sigma, t) for V in turned]) - losses[18], **plot.DASHED)
    ax.set(xlabel="angle in degrees", ylabel="loss above the least", xticks=range(-90, 91, 45))
    ax.legend()

# %% [markdown]
# <details><summary>If you read the book: a factor 2, and three smaller things</summary>
#
# Between [[eq:optimal nn]] and [[eq:PCA]] a squared norm is expanded, and the mixed term is printed with the coefficient
# $t/(1+t^2)$. It is $2t/(1+t^2)$, as the next cell shows for one sample. The term has mean 0, so the conclusion stands.
# (On the same lines: the minimum over $V$ stands on one side of an equation only; and the conditions at
# [[eq:sherman_morrison_woodbury]] leave out that $A+UCV$ has an inverse.)
# </details>

# %%
rng, t = np.random.default_rng(6), 0.7
V, x, g, c = np.linalg.qr(rng.normal(size=(5, 2)))[0], rng.normal(size=5), rng.normal(size=5), 1 / (1 + 0.7**2)
noise = V @ (V.T @ g)
rest = x - c * V @ (V.T @ x)
expansion = lambda factor: rest @ rest - factor * t * c * rest @ noise + (t * c) ** 2 * noise @ noise
whole = c * V @ (V.T @ (x + t * g)) - x
show(squared_norm=whole @ whole, with_the_factor_1=expansion(1), with_the_factor_2=expansion(2))

# %% [markdown]
# ### 2.10 Several subspaces: attention
# **Claim.** Let $x$ lie on one of $K$ subspaces of dimension $d$, each equally likely, standard normal on it ([[eq:MoG1]]).
# Then ([[eq:gmm_lowrank_denoiser]])
#
# $$E[x\mid x_t]=\frac1{1+t^2}\sum_{k=1}^K\pi_k\,U_kU_k^\top x_t,\qquad
# \pi=\operatorname{softmax}_k\Big(\frac{\|U_k^\top x_t\|^2}{2t^2(1+t^2)}\Big):$$
#
# project on every subspace, and mix by how long the projections are. Weights that are a softmax of a quadratic form of the input,
# and applied to linear images of the input: the shape of *attention* in transformers.
#
# **Derive.** Start from the mixture denoiser (2.4) with $\Sigma_k=U_kU_k^\top$. Which factors of the $K$ Gaussian densities at
# $x_t$ are the same for all $k$? What is left of $x_t^\top(U_kU_k^\top+t^2I)^{-1}x_t$ by 2.9?
#
# <details><summary>Answer</summary>
#
# The determinant of $U_kU_k^\top+t^2I$ is $(1+t^2)^d\,t^{2(D-d)}$ for every $k$, *because the dimensions are equal*. The
# quadratic form is $\frac1{t^2}\|x_t\|^2-\frac1{t^2(1+t^2)}\|U_k^\top x_t\|^2$, and its first part is the same for every $k$.
# Minus one half of the rest is the exponent above.
# </details>
#
# #### Exercise: the denoiser of several subspaces
# *More, 10 minutes.*

# %%
@exercise("ch03.attention_denoiser")
def attention_denoiser(Us: "(K, D, d)", x_t: "(D,)", t: float) -> "(D,)":
    """E[x | x_t] for x = U_k z with k one of K numbers, each equally likely, and z ~ N(0, I_d); x_t = x + t g, t > 0, and as
    small as 0.01. Every U_k has orthonormal columns.
    Example: Us = [[[1.], [0.]], [[0.], [1.]]], x_t = [2., 1.], t = 1.  ->  [0.6792, 0.1604]"""
    #: solution
    codes = jnp.einsum("kdi,d->ki", Us, x_t)
    weights = jax.nn.softmax(jnp.sum(codes**2, axis=1) / (2 * t**2 * (1 + t**2)))
    return jnp.einsum("k,kdi,ki->d", weights, Us, codes) / (1 + t**2)
    #: end

# %% [markdown]
# **Play.** Two lines in the plane. For small $t$ every point goes to the nearer line; for large $t$ to the mean of its two
# projections, shrunk. In between there is a zone of doubt: how wide is it?

# %%
lines = np.stack([np.array([[np.cos(a)], [np.sin(a)]]) for a in (0.2, 1.4)])
places = np.stack(np.meshgrid(np.linspace(-2, 2, 5), np.linspace(-2, 2, 5))).reshape(2, -1)

def draw_attention(fig, t):
    ax = fig.subplots()
    for U in lines:
        ax.axline((0, 0), U[:, 0], color="#999999", linewidth=1)
    for mine in yours(attention_denoiser):
        for x_t in places.T:
            ax.plot(*np.stack([x_t, mine(lines, x_t, t)], axis=1), **plot.DASHED)
    ends = np.asarray(columns(lambda x_t: attention_denoiser(lines, x_t, t))(places))
    ax.quiver(*places, *(ends - places), angles="xy", scale_units="xy", scale=1, width=0.004, color=plot.COLORS[0])
    ax.plot(*ends, ".", color=plot.COLORS[1])
    ax.set(xlim=(-2.3, 2.3), ylim=(-2.3, 2.3), aspect="equal")
    off = np.min(np.linalg.norm(ends - lines * np.sum(lines * ends, axis=1, keepdims=True), axis=1), axis=0)
    return f"With t = {t}, {np.sum(off > 0.1)} of 25 denoised points are farther than 0.1 from both lines."

explore(draw_attention, {"t": [0.1, 0.3, 0.6, 1.0, 2.0]}, start={"t": 0.6}, size=(3, 3))

# %% [markdown]
# #### Exercise: subspaces of different dimensions
# With dimensions $d_k$ the determinants no longer cancel. Without a correction a plane beats a line that lies in it, whatever the
# data: its projection is never shorter. What has to be added to the exponent?
#
# *More, 8 minutes.*

# %%
@exercise("ch03.subspace_weights")
def subspace_weights(Us: "(K, D, d)", x_t: "(D,)", t: float) -> "(K,)":
    """The probabilities of the K subspaces given x_t = x + t g, t > 0, where x is standard normal on one of them, each equally
    likely. Subspace k has the dimension d_k <= d: the first d_k columns of U_k are orthonormal, the others are zero.
    Example: Us = [[[1., 0.], [0., 0.]], [[1., 0.], [0., 1.]]], x_t = [1., 0.], t = 1.  ->  [0.5858, 0.4142]"""
    #: solution
    length = jnp.sum(jnp.einsum("kdi,d->ki", Us, x_t) ** 2, axis=1)
    dimension = jnp.sum(Us**2, axis=(1, 2))
    return jax.nn.softmax(length / (2 * t**2 * (1 + t**2)) - dimension / 2 * jnp.log(1 + 1 / t**2))
    #: end

# %% [markdown]
# <details><summary>Where the logarithm comes from</summary>
#
# The determinant is $(1+t^2)^{d_k}t^{2(D-d_k)}$, so minus one half of its logarithm is
# $-\frac{d_k}2\log(1+t^2)+\frac{d_k}2\log t^2$ and a constant: $-\frac{d_k}2\log(1+1/t^2)$. A subspace of more dimensions spreads
# its probability more thinly, and pays for it.
# </details>
#
# **See.** A line, and a plane that contains it. The sample lies near the line: 1.2 along it, 0.1 off it within the plane, 0.05
# off the plane. Solid: the weight of the line. Dotted: by the softmax of [[eq:gmm_lowrank_denoiser]], which is meant for equal
# dimensions. Where $t$ is smaller than the distance from the line, the plane wins; between that and large $t$, the line.

# %%
nested = np.zeros((2, 3, 2))
nested[:, 0, 0] = nested[1, 1, 1] = 1
x_t, ts = np.array([1.2, 0.1, 0.05]), np.geomspace(0.03, 10, 25)
lengths = np.array([1.2**2, 1.2**2 + 0.1**2])
uncorrected = 1 / (1 + np.exp((lengths[1] - lengths[0]) / (2 * ts**2 * (1 + ts**2))))
alt = "The weight of the line is 0 for tiny t, rises above 0.8 and falls to one half; uncorrected it never exceeds one half."
with figure(alt, size=(4.4, 2.2)) as ax:
    ax.semilogx(ts, [subspace_weights(nested, x_t, float(t))[0] for t in ts], label="weight of the line")
    ax.semilogx(ts, uncorrected, ":", color="black", marker="None", label="without the correction")
    for mine in yours(subspace_weights):
        ax.plot(ts, [mine(nested, x_t, float(t))[0] for t in ts], **plot.DASHED)
    ax.set(xlabel="t", ylim=(-0.05, 1.05))
    ax.legend()

# %% [markdown]
# ### 2.11 Doubt
# Four questions about this Part. Everything here is optional.
#
# <details><summary>The formulas are exact. Are their numbers?</summary>
#
# Weights of components need $\log\det(\Sigma+t^2I)$. For data on a line in space and $t=0.001$ two eigenvalues of that matrix are
# $10^{-6}$, and the rounding errors of its float32 entries are as large as that once $\Sigma$ has entries near 10. The
# obvious way, taken also by the code that comes with the book: eigenvalues of the sum, in float32, for every $t$. The table has
# 400 random $\Sigma$ of rank one for every scale: in how many cases the answer is NaN (an eigenvalue came out negative), and by
# how many nats the others are off, in the median and at worst. Setting negative eigenvalues of $\Sigma$ to 0 removes the NaN but
# not the error: a positive eigenvalue of $10^{-5}$ is noise as well. `GaussianMixture` factors $\Sigma$ once, in float64, drops
# eigenvalues below $10^{-7}$ of the largest, and adds $t^2$ to what is left. One nat in a log-determinant is a factor 1.6 in the
# weight of a component.
#
# Rounding differs from machine to machine; the table is stored as one machine had it (a few seconds with `RUN_LONG=1`).
# </details>

# %%
from chapters.ch03_denoising import experiments_tweedie, long_tweedie

table = measured(long_tweedie.float32_log_determinants)
print(f"{'scale':>6}  {'way':12}{'NaN':>8}{'median error':>14}{'worst':>14}")
for i, scale in enumerate(table["scales"]):
    for j, way in enumerate(table["ways"]):
        nan, median, worst = (table[what][i, j] for what in ("nan", "error", "worst"))
        errors = f"{median:14.2f}{worst:14.2f}" if worst > 0.001 else f"{'below 0.001':>14}{'below 0.001':>14}"
        print(f"{scale:6.0f}  {way:12}{100 * nan:6.1f} %" + errors)

# %% [markdown]
# <details><summary>Mixtures of Gaussians approximate everything. At what price?</summary>
#
# With enough components, yes. How many samples does it take to *fit* them? A spiral with noise 0.1, in the plane or in the first
# two of 20 coordinates (the other 18 are nothing but noise), 30 steps of EM from random starts, and the Kullback-Leibler
# divergence from the true law, on fresh samples. In the plane 16 components suffice. In 20 dimensions full covariances have 231
# numbers a component: with 500 samples one component is best and every further one makes it worse, though the data are no more
# complicated than before. Components that are a line with equal noise around it have 42 numbers: they need more of them, and then
# do better by far. It is *low-rank* mixtures that are useful in high dimensions, and even for these the best number of
# components depends on the number of samples.
#
# Three seeds, mean and standard deviation; stored; about half a minute with `RUN_LONG=1`.
# </details>

# %%
table = measured(long_tweedie.mixtures_on_a_spiral)
alt = "KL against components: with 500 samples in 20 dimensions full covariances get worse, lines better up to 16 of them."
with figure(alt, size=(5.4, 2.5)) as ax:
    for i, form in enumerate(table["forms"]):
        for j, (D, N) in enumerate(table["sizes"]):
            kl = table["kl"][i, j]
            ax.errorbar(table["Ks"], kl.mean(axis=1), kl.std(axis=1), color=plot.COLORS[j], linestyle="-:"[i],
                        marker=plot.MARKERS[j], label=f"{form}, D = {D}, N = {N}")
    ax.set(xscale="log", yscale="log", xlabel="components", ylabel="KL in nats")
    ax.set_xticks(table["Ks"], table["Ks"], minor=False)
    ax.minorticks_off()
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %% [markdown]
# <details><summary>Principal components at every t: at the same speed?</summary>
#
# The minimiser does not depend on $t$; the way to it does. By the formula of 2.9 the valley's depth is in proportion to
# $(1+2t^2)/(1+t^2)^2$: 1 at $t=0$, $0.75$ at 1, $0.075$ at 5. And a gradient from few samples carries noise, which grows with
# $t$. Below, stochastic gradient descent from random starts, 32 fresh samples a step, a rate that falls to 0, the best of five
# such for each $t$; medians of eight runs. Dotted: principal components of all the clean samples that were used. Training sees
# clean samples anyway, so for *one* subspace the denoising loss is a detour. It pays where there is no closed form.
# </details>

# %%
levels = [0.1, 1.0, 5.0]
sines, by_pca = experiments_tweedie.learn_subspace(levels, rates=[0.03, 0.1, 0.3, 1.0, 3.0])
alt = "The angle falls soonest and farthest for t = 0.1, least for t = 5; principal components stay ahead of all three."
with figure(alt, size=(5.2, 2.4)) as ax:
    for t, runs in zip(levels, sines):
        ax.semilogy(np.median(runs, axis=1), label=f"t = {t:g}")
    ax.axhline(np.median(by_pca), linestyle=":", color="black", marker="None", label="principal components")
    ax.set(xlabel="steps", ylabel="sine of largest angle")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %% [markdown]
# <details><summary>If the form of the denoiser is known, does learning it beat a black box?</summary>
#
# Two laws. *Four subspaces* of dimension 3 in 32 dimensions: here the denoiser of 2.10 has the right form. *Digits*, less their
# mean: here it has not. Its bases and one scale are learned with the denoising loss, by 1,000 steps of Adam; so are a perceptron
# with about as many numbers and a larger one, with the usual scaling of inputs and outputs. The table has test errors over those
# of the best *linear* denoiser, which needs no training and always has the covariance of all samples, at three noise levels (in
# sizes of an entry), for few and for many training samples; the spread over three seeds in brackets. What came out:
#
# - Four bases for four subspaces: four runs of six get stuck, as clustering with exactly as many centres as clusters does, and
#   at low noise are far worse than linear; the other two reach the exact denoiser. With eight bases four of six reach it, at 100
#   samples already, and the other two are close to linear at the lowest noise and much better above.
# - The perceptrons are hardly better than linear, even the large one with 2,000 samples. Here knowing the form is worth more
#   than thirty times as many numbers.
# - On digits the subspaces are the worst of all: what does not fit into eight dimensions is thrown away, however little noise
#   there is. The perceptrons roughly match the linear denoiser and no more.
#
# A form that is right wins by far; a form that is wrong loses by far. Small networks, short training, no early stopping: for
# larger networks nothing is decided here. Stored; about a minute and a half with `RUN_LONG=1`.
# </details>

# %%
table = measured(long_tweedie.learned_denoisers)
for i, law in enumerate(table["laws"]):
    print(f"{law:20}{'':6}" + "".join(f"{f'N = {N}':42}" for N in table["sizes"][i].astype(int)).rstrip())
    print((f"{'':26}" + "".join(f"{f't = {level:g}':14}" for level in table["levels"]) * 2).rstrip())
    for method, numbers, errors in zip(table["methods"], table["numbers"][i], table["error"][i]):
        cells = zip(errors.mean(axis=2).ravel(), errors.std(axis=2).ravel())
        print(f"{method:18}{int(numbers):6}  " + "".join(f"{f'{m:.2f} ({s:.2f})':14}" for m, s in cells).rstrip())
exact = table["exact"].mean(axis=1)
print("exact denoiser of four subspaces: " + ", ".join(f"{e:.2f}" for e in exact))
