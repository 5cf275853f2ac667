# %% [markdown]
# ## Part 2: The best denoiser is a mean
#
# After this part you can
# - say why no denoiser beats the posterior mean, and by how much every other one loses;
# - write that mean down: for a table of cases, for one Gaussian, for a mixture of them;
# - read it off the slope of a density, by Tweedie's formula;
# - recognise it in what you know: the denoiser of one subspace is PCA, that of several is softmax attention.
#
# Core exercises: 50 minutes, 30 of them in 2.1 to 2.5. *More* and *challenge* exercises are for those who want them.

# %% [markdown]
# ### 2.1 The best guess is a mean
# **Claim.** A clean $x$ is not seen, a noisy $x_t$ is. Among all functions $f$ of what is seen the least mean squared error
# ([[eq:denoising_loss]]) belongs to the *posterior mean* ([[eq:optimal_denoiser]])
#
# $$\bar x(x_t)=E[x\mid x_t],\qquad\text{since}\qquad
# E\|x-f(x_t)\|^2=E\|x-\bar x(x_t)\|^2+E\|\bar x(x_t)-f(x_t)\|^2 .$$
#
# The first term is nobody's fault: it is what $x_t$ does not tell. The second is the price of not being the mean. (Proving it is
# Exercise 3.1 of the book.)
#
# Nothing in this is about noise or about densities. So begin with a table: $x$ is one of the columns of $X$, one of $M$ values is
# observed, and $P_{ij}$ is the probability that $x=x_i$ *and* value $j$ is observed.
#
# #### Exercise: the posterior mean from a table
# *Core, 8 minutes.*

# %%
@exercise("ch03.posterior_mean_table")
def posterior_mean_table(P: "(N, M)", X: "(D, N)") -> "(D, M)":
    """Column j is E[x | value j is observed], where P[i, j] = Pr(x is column i of X, and value j is observed). P >= 0, and its
    entries add up to 1. A value that is never observed (a column of zeros in P) gets a column of zeros.
    Example: P = [[0.1, 0.3, 0.], [0.3, 0.3, 0.]], X = [[0., 4.], [1., 1.]]  ->  [[3., 2., 0.], [1., 1., 0.]]"""
    #: solution
    mass = P.sum(axis=0)
    return X @ P / jnp.where(mass > 0, mass, 1)
    #: end

# %% [markdown]
# **See.** A digit is drawn from 1,797, and all you are told is the ink in one pixel, a number from 0 (black) to 16 (white). Here
# are your best guesses of the whole image.

# %%
images, labels = map(np.asarray, data.digits())
ink = np.rint(16 * images[21]).astype(int)  # in the third row, right of the middle
P = np.eye(17)[ink] / len(ink)
told = [0, 4, 8, 12, 16]
with figure("From no ink to full ink the guess turns from the shape of a 5 or 6 to that of a 9.", size=(7, 1.6)) as ax:
    guesses = np.asarray(posterior_mean_table(P, images))[:, told]
    failing = [np.asarray(mine(P, images))[:, 16] for mine in yours(posterior_mean_table)]
    titles = [*[f"ink {k}" for k in told], *["yours (fails)" for _ in failing]]
    plot.images(ax, np.stack([*guesses.T, *failing], axis=1), titles=titles, limits=(0, 1))
error = lambda guess: ((images - guess) ** 2).sum(axis=0).mean()
everything = np.asarray(posterior_mean_table(P, images))
show(error_of_the_mean_image=error(images.mean(axis=1, keepdims=True)), error_when_told_the_pixel=error(everything[:, ink]))

# %% [markdown]
# **Derive.** Put $\bar x$ between $x$ and $f$ and multiply out. Why does the cross term vanish, although $x-\bar x$ and
# $\bar x-f$ are both anything but zero? On a table every mean is a sum, and a machine can follow.
#
# #### Exercise (derivation): Pythagoras
# *More, 10 minutes.*

# %%
@derivation("ch03.pythagoras_chain")
def pythagoras_chain(P: "(N, M)", X: "(D, N)", X_bar: "(D, M)"):
    """From the mean squared error of any denoiser, which answers column j of X_bar to value j, to its two parts.
    Pass through all three terms of the square, then through the cross term as a sum over j alone."""
    x, f = X[:, :, None], X_bar[:, None, :]  # (D, N, 1) and (D, 1, M): differences are (D, N, M)
    m = posterior_mean_table(P, X)[:, None, :]  # (D, 1, M)
    dot = lambda A, B: (A * B).sum(axis=0)  # inner products: (N, M)
    mean = lambda A: jnp.sum(P * A)  # over the table
    given = lambda A: (P * A).sum(axis=1)  # of A (D, N, M), over x alone: (D, M), Pr(j) times the mean given j
    yield mean(dot(x - f, x - f))
    #: solution
    yield mean(dot(x - m, x - m)) + 2 * mean(dot(x - m, m - f)) + mean(dot(m - f, m - f))
    yield mean(dot(x - m, x - m)) + 2 * jnp.sum(given(x - m) * (m - f)[:, 0]) + mean(dot(m - f, m - f))
    #: end
    yield mean(dot(x - m, x - m)) + mean(dot(m - f, m - f))

# %% [markdown]
# <details><summary>Why the last step holds, and why the best one is unique</summary>
#
# For one value $j$ the vector $\bar x-f$ is fixed, and the mean of $x-\bar x$ over what $x$ can still be is zero: that is what
# $\bar x$ *is*. So the error of the posterior mean is orthogonal to every function of the observation, $\bar x-f$ among them. The
# second part is a sum of squares: it is zero only if $f=\bar x$ at every value that occurs.
#
# With densities in place of the table, sums over $i$ become integrals, and the argument is the same.
# </details>
#
# #### Exercise: what is lost, and by whom
# *More, 8 minutes.*

# %%
@exercise("ch03.loss_decomposition")
def loss_decomposition(P: "(N, M)", X: "(D, N)", X_bar: "(D, M)") -> "(), ()":
    """The two parts of the mean squared error of the denoiser that answers column j of X_bar when value j is observed:
    (irreducible, excess) = (E||x - m||^2, E||m - f||^2), with m the posterior mean and f the answer. P as above: entries >= 0
    that add up to 1, with columns of zeros allowed.
    Example: P = [[0.1, 0.3, 0.], [0.3, 0.3, 0.]], X = [[0., 4.], [1., 1.]], X_bar = [[2., 2., 9.], [1., 0., 9.]]
    ->  (3.6, 1.)"""
    #: solution
    m = posterior_mean_table(P, X)
    irreducible = sum(P[i] @ ((X[:, i:i + 1] - m) ** 2).sum(axis=0) for i in range(len(P)))
    excess = P.sum(axis=0) @ ((m - X_bar) ** 2).sum(axis=0)
    return irreducible, excess
    #: end

# %% [markdown]
# **See.** Five points on a line, seen through noise of standard deviation $t$ (as a table: 120 cells). Three denoisers that sound
# reasonable, and what each adds to the part that nobody can avoid.

# %%
atoms, weights, cells = np.array([[-2.0, -1.5, 0.0, 1.0, 3.0]]), np.array([0.1, 0.2, 0.3, 0.3, 0.1]), np.linspace(-9, 10, 120)
noise_levels, losses, dashed = np.geomspace(0.1, 3, 12), [], []
for t in noise_levels:
    P = np.exp(-((cells - atoms.T) ** 2) / (2 * t**2)).clip(1e-9)
    P *= weights[:, None] / P.sum(axis=1, keepdims=True)
    answers = [cells[None], atoms[:, P.argmax(axis=0)], np.full((1, 120), atoms @ weights)]
    losses.append([loss_decomposition(P, atoms, f) for f in answers])
    dashed.append([sum(mine(P, atoms, answers[0])) for mine in yours(loss_decomposition)])
losses = np.asarray(losses, dtype=float)  # (levels, denoisers, 2)
alt = "Three curves above one grey area: doing nothing is far above it for large t, the prior mean for small t."
with figure(alt, size=(6, 3.2)) as ax:
    ax.fill_between(noise_levels, losses[:, 0, 0], color="#cccccc", label="irreducible")
    for i, name in enumerate(["doing nothing", "the likeliest point", "the prior mean"]):
        ax.plot(noise_levels, losses[:, i].sum(axis=1), label=name)
    for mine in np.transpose(dashed):
        ax.plot(noise_levels, mine, **plot.DASHED)
    ax.set(xscale="log", xlabel="noise t", ylabel="mean squared error", ylim=(0, 4))
    ax.set_xticks([0.1, 0.3, 1, 3], [0.1, 0.3, 1, 3])
    ax.minorticks_off()
    ax.legend(loc="upper left")

# %% [markdown]
# ### 2.2 What one half of a Gaussian says of the other
# **Claim.** Let $x$ and $y$ be jointly Gaussian with means $\mu_x,\mu_y$, covariances $\Sigma_x,\Sigma_y$ and
# $\Sigma_{xy}=E(x-\mu_x)(y-\mu_y)^\top$, and let $\Sigma_y$ be positive definite. Given $y$, $x$ is Gaussian with
# ([[eq:gaussian-conditional-eqn]], [[exercise:conditional_gaussian]])
#
# $$\text{mean}\quad\mu_x+\Sigma_{xy}\Sigma_y^{-1}(y-\mu_y),\qquad
# \text{covariance}\quad S=\Sigma_x-\Sigma_{xy}\Sigma_y^{-1}\Sigma_{xy}^\top .$$
#
# The mean is linear in $y$; the covariance does not depend on $y$ at all.
#
# **Derive,** in the three steps of the book's exercise. First eliminate, as in Gauss' algorithm but with blocks
# ([[eq:gaussian-conditional-covariance-block]]):
#
# $$\Sigma=\begin{bmatrix}\Sigma_x&\Sigma_{xy}\\\Sigma_{xy}^\top&\Sigma_y\end{bmatrix}=LBL^\top,\qquad
# L=\begin{bmatrix}I&\ast\\0&I\end{bmatrix},\qquad B=\begin{bmatrix}\ast&0\\0&\ast\end{bmatrix}.$$
#
# Multiply out: what has to stand at the three stars?
#
# #### Exercise: elimination with blocks
# *More, 8 minutes.*

# %%
@exercise("ch03.block_ldl")
def block_ldl(Sigma_x: "(D, D)", Sigma_xy: "(D, d)", Sigma_y: "(d, d)") -> "(D + d, D + d), (D + d, D + d)":
    """The pair (L, B) with Sigma = L B L^T, where Sigma = [[Sigma_x, Sigma_xy], [Sigma_xy^T, Sigma_y]]: L is upper block
    triangular with identities on its diagonal, B block diagonal with blocks of sizes D and d. Sigma_y is positive definite; Sigma
    may be singular.
    Example: Sigma_x = [[5.]], Sigma_xy = [[2.]], Sigma_y = [[4.]]  ->  ([[1., 0.5], [0., 1.]], [[4., 0.], [0., 4.]])"""
    #: solution
    D, d = Sigma_xy.shape
    gain = jnp.linalg.solve(Sigma_y, Sigma_xy.T).T
    L = jnp.block([[jnp.eye(D), gain], [jnp.zeros((d, D)), jnp.eye(d)]])
    B = jnp.block([[Sigma_x - gain @ Sigma_xy.T, jnp.zeros((D, d))], [jnp.zeros((d, D)), Sigma_y]])
    return L, B
    #: end

# %% [markdown]
# Then invert ([[eq:gaussian-conditional-covariance-inverse-block]]). The inverse of a product is the product of the inverses in
# the opposite order; what is the inverse of $\begin{bmatrix}I&G\\0&I\end{bmatrix}$?
#
# #### Exercise: the precision, factor by factor
# *More, 7 minutes.*

# %%
@exercise("ch03.precision_from_blocks")
def precision_from_blocks(Sigma_x: "(D, D)", Sigma_xy: "(D, d)", Sigma_y: "(d, d)") -> "(D + d, D + d), (D + d, D + d)":
    """The pair (R, B) with Sigma^-1 = R B R^T, for Sigma as above, here positive definite: R is lower block triangular with
    identities on its diagonal, B block diagonal with blocks of sizes D and d. (The book calls R by the letter P.)
    Example: Sigma_x = [[5.]], Sigma_xy = [[2.]], Sigma_y = [[4.]]  ->  ([[1., 0.], [-0.5, 1.]], [[0.25, 0.], [0., 0.25]])"""
    #: solution
    D, d = Sigma_xy.shape
    back = jnp.linalg.solve(Sigma_y, Sigma_xy.T)
    R = jnp.block([[jnp.eye(D), jnp.zeros((D, d))], [-back, jnp.eye(d)]])
    first = jnp.linalg.inv(Sigma_x - Sigma_xy @ back)
    return R, jnp.block([[first, jnp.zeros((D, d))], [jnp.zeros((d, D)), jnp.linalg.inv(Sigma_y)]])
    #: end

# %% [markdown]
# In $-2\log$ of the joint density stands $z^\top\Sigma^{-1}z$ with $z=(x-\mu_x,\,y-\mu_y)$. Now it is
# $(R^\top z)^\top B\,(R^\top z)$. What is $R^\top z$?
#
# #### Exercise: the square, completed
# *More, 6 minutes.*

# %%
@exercise("ch03.split_quadratic")
def split_quadratic(mu_x: "(D,)", mu_y: "(d,)", Sigma_x: "(D, D)", Sigma_xy: "(D, d)", Sigma_y: "(d, d)",
                    x: "(D,)", y: "(d,)") -> "(), ()":
    """Two numbers that add up to z^T Sigma^-1 z, z = (x - mu_x, y - mu_y): first what depends on x and y, and is zero where x is
    the conditional mean of x given y; then what depends on y alone. Sigma as above, positive definite.
    Example: mu_x = [1.], mu_y = [2.], Sigma_x = [[5.]], Sigma_xy = [[2.]], Sigma_y = [[4.]], x = [4.], y = [4.]  ->  (1., 1.)"""
    #: solution
    v = jnp.linalg.solve(Sigma_y, y - mu_y)
    r = x - mu_x - Sigma_xy @ v
    S = Sigma_x - Sigma_xy @ jnp.linalg.solve(Sigma_y, Sigma_xy.T)
    return r @ jnp.linalg.solve(S, r), (y - mu_y) @ v
    #: end

# %% [markdown]
# <details><summary>The last step: divide the densities</summary>
#
# The second number is what stands in $-2\log p(y)$; divide $p(x,y)$ by $p(y)$ and it is gone. The first number is a square
# around the conditional mean, with the matrix $S^{-1}$. And $L$ has determinant 1, so $\det\Sigma=\det S\,\det\Sigma_y$: the
# factor that remains is $(2\pi)^{-D/2}(\det S)^{-1/2}$, just what a Gaussian with covariance $S$ needs.
# </details>
#
# #### Exercise: condition a Gaussian
# *More, 6 minutes.*

# %%
@exercise("ch03.condition_gaussian")
def condition_gaussian(mu_x: "(D,)", mu_y: "(d,)", Sigma_x: "(D, D)", Sigma_xy: "(D, d)", Sigma_y: "(d, d)",
                       y: "(d,)") -> "(D,), (D, D)":
    """Mean and covariance of x given y, for jointly Gaussian x and y with these means, covariances and cross-covariance
    Sigma_xy = E (x - mu_x)(y - mu_y)^T. Sigma_y is positive definite.
    Example: mu_x = [1.], mu_y = [2.], Sigma_x = [[5.]], Sigma_xy = [[2.]], Sigma_y = [[4.]], y = [4.]  ->  ([2.], [[4.]])"""
    #: solution
    gain = jnp.linalg.solve(Sigma_y, Sigma_xy.T).T
    return mu_x + gain @ (y - mu_y), Sigma_x - gain @ Sigma_xy.T
    #: end

# %% [markdown]
# **See.** The lower half $x$ of a digit, guessed from its upper half $y$ as if digits were Gaussian (means and covariances of
# 1,297 images; $y$ is seen with noise of standard deviation 0.1, which also keeps $\Sigma_y$ invertible). The other 500 images
# are new. The trace of $S$ says what the error should be.

# %%
order = np.random.default_rng(1).permutation(1797)
known, new = images[:, order[:1297]], images[:, order[1297:]]
halves, C = known.mean(axis=1), np.cov(known, bias=True)
law = halves[32:], halves[:32], C[32:, 32:], C[32:, :32], C[:32, :32] + 0.01 * np.eye(32)
upper = new[:32] + 0.1 * np.random.default_rng(2).normal(size=(32, 500))
lower = np.asarray(columns(lambda y: condition_gaussian(*law, y)[0])(upper))
alt = "Six digits, and the same with the lower half guessed: blurred, with the ink in about the right places."
with figure(alt, size=(7, 2.6), nrows=2) as axes:
    plot.images(axes[0], new[:, :6], limits=(0, 1))
    rows = [lower[:, :6], *[np.stack([mine(*law, y)[0] for y in upper[:, :6].T], axis=1) for mine in yours(condition_gaussian)]]
    plot.images(axes[1], np.concatenate([np.concatenate([upper[:, :6], half]) for half in rows], axis=1), limits=(0, 1))
    axes[0].set_ylabel("true"), axes[1].set_ylabel("seen + guessed")
misses = ((lower - new[32:]) ** 2).sum(axis=0)
show(error_of_the_mean_half=((new[32:] - halves[32:, None]) ** 2).sum(axis=0).mean(),
     promised_by_S=np.trace(condition_gaussian(*law, upper[:, 0])[1]), error_on_new_images=misses.mean())

# %% [markdown]
# <details><summary>If you read the book: the footnote at [[eq:gaussian-conditional-covariance-inverse-block]]</summary>
#
# Where $S$ is singular, the footnote keeps the formula for the inverse with a Moore-Penrose pseudoinverse $S^+$ in it. What comes
# out is *an* inverse $G$ in the sense that $\Sigma G\Sigma=\Sigma$ and $G\Sigma G=G$, but not the Moore-Penrose one: $\Sigma G$
# is not symmetric (next cell). The conditional law that the footnote goes on to state holds all the same. With probability one
# $z$ lies in the range of $\Sigma$, $z=\Sigma u$, and there $z^\top Gz=u^\top\Sigma u$ whichever such $G$ one takes.
# </details>

# %%
Sigma_y, G0 = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
L, B = (np.asarray(A, dtype=float) for A in block_ldl(G0 @ Sigma_y @ G0.T + np.diag([1.0, 0, 0]), G0 @ Sigma_y, Sigma_y))
Sigma, R = L @ B @ L.T, np.linalg.inv(L).T
G = R @ np.linalg.pinv(B, rcond=1e-4) @ R.T
same = lambda A, B: bool(np.abs(A - B).max() < 1e-4)
show(Sigma_G_Sigma_is_Sigma=same(Sigma @ G @ Sigma, Sigma), G_Sigma_G_is_G=same(G @ Sigma @ G, G),
     Sigma_G_is_symmetric=same(Sigma @ G, G @ Sigma))
moore_penrose, z = np.linalg.pinv(Sigma, rcond=1e-4), Sigma @ np.array([1.0, -2.0, 0.5, 3.0, 1.0])
show(distance_to_Moore_Penrose=np.linalg.norm(G - moore_penrose),
     same_square_on_the_support=same(z @ G @ z, z @ moore_penrose @ z))

# %% [markdown]
# ### 2.3 One Gaussian: every direction shrinks by its own factor
# **Claim.** If $x\sim N(\mu,\Sigma)$ and $x_t=x+tg$, then with the eigenvectors $w_i$ and eigenvalues $\lambda_i$ of $\Sigma$
# ([[eq:gaussian_denoiser]])
#
# $$\bar x(x_t)=\mu+\Sigma(\Sigma+t^2I)^{-1}(x_t-\mu)
# =\mu+\sum_i\frac{\lambda_i}{\lambda_i+t^2}\,w_iw_i^\top(x_t-\mu) .$$
#
# Directions with more variance than noise are nearly kept, those with less nearly dropped, those with none altogether. (You met
# these factors in Chapter 2: Wiener's filter, there the best of all *linear* denoisers, is here the best of all.)
#
# **Derive.** Read 2.2 with $y=x_t$: what are $\mu_y$, $\Sigma_y$ and $\Sigma_{xy}$? Which covariance is left?
#
# <details><summary>Answers</summary>
#
# $\mu_y=\mu$, since noise has mean zero; $\Sigma_y=\Sigma+t^2I$ and $\Sigma_{xy}=\Sigma$, since noise is independent of $x$. In
# the eigenbasis everything is diagonal, and the factors are $\lambda_i/(\lambda_i+t^2)$. What is left is
# $\Sigma-\Sigma(\Sigma+t^2I)^{-1}\Sigma=t^2\Sigma(\Sigma+t^2I)^{-1}$: in direction $w_i$ a variance of
# $\lambda_it^2/(\lambda_i+t^2)$, less than $\lambda_i$ and less than $t^2$, wherever $x_t$ is.
# </details>
#
# #### Exercise: the denoiser of one Gaussian
# *Core, 10 minutes.*

# %%
@exercise("ch03.gaussian_denoiser")
def gaussian_denoiser(mu: "(D,)", Sigma: "(D, D)", x_t: "(D,)", t: float) -> "(D,)":
    """E[x | x_t] for x ~ N(mu, Sigma) and x_t = x + t g with g standard normal and t > 0. Sigma is symmetric and positive
    semidefinite, and may be singular.
    Example: mu = [1., 1.], Sigma = [[3., 0.], [0., 0.]], x_t = [3., 5.], t = 1.  ->  [2.5, 1.]"""
    #: solution
    return mu + Sigma @ jnp.linalg.solve(Sigma + t**2 * jnp.eye(len(mu)), x_t - mu)
    #: end

# %% [markdown]
# **Play.** A grid of noisy points and where your denoiser takes them; the ellipses are one and two standard deviations of $x$.
# From which $t$ on is the picture a line? From which is it a point?

# %%
def draw_shrinking(fig, t):
    ax, a = fig.subplots(), np.linspace(0, 2 * np.pi, 100)
    W, lams, mu = np.array([[0.8, -0.6], [0.6, 0.8]]), np.array([2.25, 0.09]), np.array([0.5, 0.3])
    for r in (1, 2):
        ax.plot(*(mu[:, None] + r * W * np.sqrt(lams) @ np.stack([np.cos(a), np.sin(a)])), color="#999999", lw=1, marker="None")
    for x_t in [np.array([i, j]) for i in np.linspace(-2.5, 3.5, 6) for j in np.linspace(-2.2, 2.8, 5)]:
        ax.annotate("", np.asarray(gaussian_denoiser(mu, W * lams @ W.T, x_t, t)), x_t,
                    arrowprops=dict(arrowstyle="->", color=plot.COLORS[0], lw=1))
        for mine in yours(gaussian_denoiser):
            ax.plot(*mine(mu, W * lams @ W.T, x_t, t), "x", color="#444444")
    ax.set(xlim=(-3, 4), ylim=(-2.6, 3.2), aspect="equal")
    kept = 100 * lams / (lams + t**2)
    return f"t = {t}: of the way from the mean {kept[0]:.0f} % is kept along the long axis, {kept[1]:.0f} % along the short one."

explore(draw_shrinking, {"t": [0.1, 0.3, 0.6, 1.0, 2.0, 5.0]}, start={"t": 0.6}, size=(5, 4))

# %% [markdown]
# ### 2.4 Several Gaussians: ask each, trust each by its responsibility
# **Claim.** Let $x$ be drawn from $N(\mu_k,\Sigma_k)$ with probability $\pi_k$, and $x_t=x+tg$. Then
# ([[eq:gmm_bayes_optimal_denoiser]])
#
# $$\bar x(x_t)=\sum_{k=1}^Kr_k(x_t)\,\Big(\mu_k+\Sigma_k(\Sigma_k+t^2I)^{-1}(x_t-\mu_k)\Big),\qquad
# r_k(x_t)=\frac{\pi_k\,\phi(x_t;\mu_k,\Sigma_k+t^2I)}{\sum_j\pi_j\,\phi(x_t;\mu_j,\Sigma_j+t^2I)} ,$$
#
# where $\phi(\cdot\,;\mu,\Sigma)$ is the density of $N(\mu,\Sigma)$. Each component makes its guess as if it were alone, and
# $r_k$, its *responsibility*, is the probability that $x$ came from it, given what is seen.
#
# **Derive.** Nothing about it is Gaussian yet. Let $x$ carry a label, and let $P_{ik}$ be the probability that $x=x_i$ with label
# $k$. Start from Bayes' rule over all cases at once, and end with the labels.
#
# #### Exercise (derivation): the mean of means
# *More, 12 minutes.*

# %%
@derivation("ch03.mixture_mean_chain")
def mixture_mean_chain(P: "(N, M)", X: "(D, N)", x_t: "(D,)", t: float):
    """From Bayes' rule over all points to responsibilities, for P[i, k] = Pr(x is column i of X, with label k).
    Pass through sums over points and labels, then through the labels' own means, then through pi and density."""
    phi = jnp.exp(-((x_t[:, None] - X) ** 2).sum(axis=0) / (2 * t**2))  # (N,) density of x_t given x, but for a constant
    pi = P.sum(axis=0)  # (M,) Pr(label)
    density = phi @ P / pi  # (M,) density of x_t given the label, but for the same constant
    means = (X * phi) @ P / (phi @ P)  # (D, M) E[x | x_t, label], by Bayes' rule within each label
    r = pi * density / jnp.sum(pi * density)  # (M,) Pr(label | x_t)
    yield (X * phi) @ P.sum(axis=1) / (phi @ P.sum(axis=1))
    #: solution
    yield ((X * phi) @ P).sum(axis=1) / (phi @ P).sum()
    yield (means * (phi @ P)).sum(axis=1) / (phi @ P).sum()
    yield means @ (pi * density) / jnp.sum(pi * density)
    #: end
    yield means @ r

# %% [markdown]
# <details><summary>And for Gaussians?</summary>
#
# Replace sums over points by integrals. Given label $k$ all is as in 2.3: the mean is the denoiser of $N(\mu_k,\Sigma_k)$, and
# the density of $x_t$ is that of $N(\mu_k,\Sigma_k+t^2I)$. Note which covariance stands where: noise is in the densities, and in
# the inverse.
# </details>
#
# #### Exercise: responsibilities
# Far from all means every density is zero to the computer, and $0/0$ is no answer. Only ratios matter: take logarithms, subtract
# the largest, then exponentiate.
#
# *More, 8 minutes.*

# %%
@exercise("ch03.responsibilities")
def responsibilities(pi: "(K,)", mus: "(K, D)", Sigmas: "(K, D, D)", x_t: "(D,)", t: float) -> "(K,)":
    """Pr(component k | x_t), where x comes from N(mus[k], Sigmas[k]) with probability pi[k] and x_t = x + t g, t > 0. pi > 0;
    Sigmas may be singular. However far x_t is from all means, the result is finite and adds up to 1.
    Example: pi = [0.5, 0.5], mus = [[0.], [2.]], Sigmas = [[[0.]], [[3.]]], x_t = [2.], t = 1.  ->  [0.2130, 0.7870]"""
    #: solution
    C = Sigmas + t**2 * jnp.eye(len(x_t))
    r = x_t - mus
    logs = jnp.log(pi) - jnp.linalg.slogdet(C)[1] / 2 - jnp.einsum("ki,kij,kj->k", r, jnp.linalg.inv(C), r) / 2
    w = jnp.exp(logs - logs.max())
    return w / w.sum()
    #: end

# %% [markdown]
# #### Exercise: the denoiser of a mixture
# You may call `responsibilities` and `gaussian_denoiser`; where you have skipped one, a reference answers.
#
# *Core, 12 minutes.*

# %%
@exercise("ch03.mixture_denoiser")
def mixture_denoiser(pi: "(K,)", mus: "(K, D)", Sigmas: "(K, D, D)", x_t: "(D,)", t: float) -> "(D,)":
    """E[x | x_t], where x comes from N(mus[k], Sigmas[k]) with probability pi[k] and x_t = x + t g, t > 0. pi > 0; Sigmas may be
    singular. Finite however far x_t is from all means.
    Example: pi = [0.5, 0.5], mus = [[0.], [2.]], Sigmas = [[[0.]], [[3.]]], x_t = [2.], t = 1.  ->  [1.574]"""
    #: solution
    C = Sigmas + t**2 * jnp.eye(len(x_t))
    v = jnp.linalg.solve(C, (x_t - mus)[:, :, None])[:, :, 0]
    logs = jnp.log(pi) - jnp.linalg.slogdet(C)[1] / 2 - ((x_t - mus) * v).sum(axis=1) / 2
    w = jnp.exp(logs - logs.max())
    guesses = mus + jnp.einsum("kij,kj->ki", Sigmas, v)
    return w @ guesses / w.sum()
    #: end

# %% [markdown]
# **See.** Thirty noisy points, an arrow from each to your answer, and the density of $x_t$ beneath. The arrows go uphill; how
# that is meant exactly is the matter of 2.6.

# %%
pi, mus = np.array([0.3, 0.3, 0.4]), np.array([[-2.2, -1.0], [2.2, -1.2], [0.2, 1.6]])
Sigmas = np.array([[[0.5, 0.4], [0.4, 0.4]], [[0.1, 0.0], [0.0, 0.8]], [[1.0, -0.2], [-0.2, 0.1]]])
grid, t = np.stack(np.meshgrid(np.linspace(-4.2, 4.2, 80), np.linspace(-3.2, 4.2, 70))), 0.6
log_p_t = GaussianMixture(pi, mus, Sigmas).log_density(grid.reshape(2, -1), sigma=t).reshape(70, 80)
alt = "Three elongated hills of density; from each of thirty points an arrow leads up the slope of a hill nearby."
with figure(alt, size=(6, 4.4)) as ax:
    ax.contourf(*grid, np.exp(log_p_t), levels=8, cmap="Greys", alpha=0.6)
    for x_t in [np.array([i, j]) for i in np.linspace(-3.6, 3.6, 6) for j in np.linspace(-2.8, 3.2, 5)]:
        ax.annotate("", np.asarray(mixture_denoiser(pi, mus, Sigmas, x_t, t)), x_t,
                    arrowprops=dict(arrowstyle="->", color=plot.COLORS[0], lw=1.3))
        for mine in yours(mixture_denoiser):
            ax.plot(*mine(pi, mus, Sigmas, x_t, t), "x", color="#444444")
    ax.plot(*mus.T, "s", color=plot.COLORS[1], label="means of the components")
    ax.set(xlim=(-4.2, 4.2), ylim=(-3.2, 4.2), aspect="equal")
    ax.legend(loc="upper right")

# %% [markdown]
# **Play.** One noisy point (cross). Each component makes its guess (dots; the thicker, the more it is trusted), and the star is
# their mean. When do the components have to be far apart for one of them to decide alone: compared with their own width, or with
# $t$?

# %%
def draw_trust(fig, separation, t):
    ax, a, x_t = fig.subplots(), np.linspace(0, 2 * np.pi, 60), np.array([0.9, 1.1])
    places = separation * np.array([[1.0, 0.0], [-0.5, 0.87], [-0.5, -0.87]])
    case = np.full(3, 1 / 3), places, np.array([np.diag(s) for s in ([0.05, 0.6], [0.6, 0.05], [0.3, 0.3])])
    r = np.asarray(responsibilities(*case, x_t, t))
    for k, (mu, Sigma) in enumerate(zip(*case[1:])):
        color, guess = plot.COLORS[k], np.asarray(gaussian_denoiser(mu, Sigma, x_t, t))
        ax.plot(*(mu[:, None] + np.sqrt(Sigma) @ np.stack([np.cos(a), np.sin(a)])), color=color, marker="None", lw=1)
        ax.plot(*np.stack([x_t, guess]).T, color=color, marker="None", lw=0.4 + 3 * r[k])
        ax.plot(*guess, "o", color=color, ms=3 + 9 * r[k])
        ax.annotate(f"{100 * r[k]:.0f} %", mu + [1.3, 0.9] * mu / separation, color=color, ha="center", va="center")
    ax.plot(*mixture_denoiser(*case, x_t, t), "*", color="black", ms=13)
    ax.plot(*x_t, "X", color="black", ms=9)
    for mine in yours(mixture_denoiser):
        ax.plot(*mine(*case, x_t, t), "x", color="#444444")
    ax.set(xlim=(-3.4, 4.6), ylim=(-4.2, 4.2), aspect="equal")
    return f"Means {separation} from the centre, t = {t}: the most trusted component has {100 * r.max():.0f} % of the trust."

explore(draw_trust, {"separation": [1, 2, 3], "t": [0.2, 0.6, 1.2, 3.0]}, start={"separation": 2, "t": 1.2}, size=(5, 4.4))

# %% [markdown]
# ### 2.5 On real images
# Digits are not a mixture of ten Gaussians. Are they enough like one? Fit a mean and a covariance to the training images of each
# digit (1,297 images in all), and denoise new ones.
#
# **See.** Your denoiser at $t=0.5$: what is seen, what you answer, what was meant, and which digit has the largest
# responsibility.

# %%
from chapters.ch03_denoising import experiments_denoiser

clean, noisy, digit = experiments_denoiser.splits(images, labels)
model = experiments_denoiser.class_mixture(clean[0][:, :1297], digit[0][:1297])
seen = noisy[0, 2][:, 1297:1305]  # the third level is t = 0.5
rows = {"seen": seen, "yours": np.stack([mixture_denoiser(*model, x_t, 0.5) for x_t in seen.T], axis=1)}
rows |= {"fails": np.stack([mine(*model, x_t, 0.5) for x_t in seen.T], axis=1) for mine in yours(mixture_denoiser)}
rows |= {"meant": clean[0][:, 1297:1305]}
named = [str(np.argmax(responsibilities(*model, x_t, 0.5))) for x_t in seen.T]
titles = [named[i] if name == "yours" else "" for name in rows for i in range(8)]
alt = "Eight digits in noise, what the denoiser makes of them with the digit it thinks likeliest, and the originals."
with figure(alt, size=(7, 3.4)) as ax:
    plot.images(ax, np.concatenate(list(rows.values()), axis=1), limits=(0, 1), columns=8, titles=titles)
    ax.set_title(" / ".join({"yours": "denoised", "fails": "yours (fails)"}.get(name, name) for name in rows))
show(named=" ".join(named), meant=" ".join(str(int(k)) for k in digit[0][1297:1305]))

# %% [markdown]
# <details><summary>Doubt: do other denoisers do better, and does a black box?</summary>
#
# Squared errors per new image, means of three random splits, at four noise levels. Three posterior means: of one Gaussian; of
# ten; of the 1,297 training images themselves, which assumes nothing and remembers everything. And networks $64\to166\to64$, with
# as many parameters as ten Gaussians have numbers (about 21,450), one trained for each level and split on a million noisy images.
# What came out:
#
# - Ten Gaussians are better than one at every level: by a quarter or more at the two middle ones, by little at $t=1$, where the
#   responsibilities name fewer than half of the digits rightly.
# - Remembering the training images is by far the worst at $t=0.1$ and slightly the best from $t=0.5$ on. A new image is never
#   among the old ones, which matters only as long as it can be seen.
# - At equal size the network is clearly better at $t=0.1$, about as good at $t=0.25$, and slightly worse at the two higher
#   levels. It was not told the labels; the Gaussians were.
# - No method is best everywhere. In the class of all functions the best is a posterior mean, but of the *true* law; every one of
#   these uses a model of it.
#
# The errors of the networks are stored: with `RUN_LONG=1` in the environment the cell trains all 12 anew, in about half a minute
# on a quiet machine.
# </details>

# %%
from chapters.ch03_denoising import long_denoiser

networks = measured(long_denoiser.networks_of_equal_size)["errors"]
table, share = experiments_denoiser.digit_errors(images, labels)
table = np.concatenate([table, networks[:, :, None]], axis=2)  # (splits, levels, methods)
print(f"{'noise t':26}" + "".join(f"{level:8}" for level in experiments_denoiser.LEVELS))
for method, mean in zip(["one Gaussian", "ten Gaussians", "the training images", "network of equal size"], table.mean(axis=0).T):
    print(f"{method:26}" + "".join(f"{m:8.3g}" for m in mean))
print(f"{'digits named rightly, %':26}" + "".join(f"{100 * s:8.2g}" for s in share.mean(axis=0)))
spread = (table.std(axis=0) / table.mean(axis=0)).max()
print(f"largest standard deviation over the splits: {100 * spread:.0f} percent of the mean")
show(best_is_the_same_in_all_splits=bool((table.argmin(axis=2) == table.argmin(axis=2)[0]).all()))
