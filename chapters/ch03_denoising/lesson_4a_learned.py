# %% [markdown]
# ## Part 4: Learning a denoiser, and what it remembers
#
# After this part you can
# - train one network to remove noise of every level, and say what its loss counts;
# - write down what is known of a denoiser, and let the network learn the rest;
# - let it predict the noise or the velocity instead, and go from one to the other;
# - say what the best denoiser of finitely many samples is, why it is useless, and how to see whether a trained one is like it;
# - say what is wanted instead: codes that are short *and* lossy.
#
# Core exercises: 20 minutes. *More* and *challenge* exercises are for those who want them.

# %% [markdown]
# ### 4.1 One network for all noise levels
# **Claim.** A sampler asks for the denoiser at many times. Nobody trains a network for each: *one* network
# $\bar x_\theta(t,x_t)$ is told the time, and learns them all from
#
# $$\min_\theta\;E\,w_\tau\,\big\|\bar x_\theta(\tau,x_\tau)-x\big\|^2,\qquad x_\tau=\alpha_\tau x+\sigma_\tau g,$$
#
# where $x$ is a random sample, $g$ fresh noise and $\tau$ a random time ([[eq:training loss]],
# [[eq:parametric_denoising_loss]]). In practice that is the mean over a batch in which *every sample has a noise and a time of
# its own* ([[alg:learning_denoiser]]). A usual weight is $w_t=\alpha_t^2/\sigma_t^2$.
#
# **Derive.** (1) Suppose the network can be any function of $t$ and $x_t$. How does the minimiser change with the weights
# $w_t>0$? (2) And if it cannot?
#
# <details><summary>Answers</summary>
#
# (1) Not at all. Given $\tau=t$ the expectation is $w_t\,E\|\bar x_\theta(t,x_t)-x\|^2$, and each of these is smallest for the
# posterior mean $E[x\mid x_t]$ (Part 2), whatever factor stands before it. (2) Then the times compete for the network, and the
# weights, together with how often a time is drawn, say who gets more of it.
# </details>
#
# #### Exercise: the loss of a batch
# The smallest network that is told the time: a matrix $A$, and $\bar x_t=\alpha_t\,A\,x_t$. For data
# $x\sim N(0,UU^\top)$ and $\alpha_t^2+\sigma_t^2=1$ it even contains the best denoiser, $A=UU^\top$ (Part 2).
#
# *Core, 10 minutes.*

# %%
@exercise("ch03.denoising_loss")
def denoising_loss(A: "(D, D)", X: "(D, N)", G: "(D, N)", ts: "(N,)") -> "()":
    """The weighted loss of the network x_bar = alpha A x_t on a batch. Sample i, column i of X, has the noise in column i of G
    and the time t = ts[i], 0 < t <= 1, with alpha = sqrt(1 - t^2) and sigma = t. The loss is the mean over the samples of
    alpha^2 / sigma^2 times the squared Euclidean length (a sum over the D entries) of x_bar - x.
    Example: A = [[1., 0.], [0., 0.]], X = [[1., 0.], [0., 2.]], G = [[0., 1.], [1., 0.]], ts = [0.6, 0.8]  ->  1.305"""
    #: solution
    alphas = jnp.sqrt(1 - ts**2)
    X_t = alphas * X + ts * G
    X_bar = alphas * (A @ X_t)
    return jnp.mean(alphas**2 / ts**2 * ((X_bar - X) ** 2).sum(axis=0))
    #: end

# %% [markdown]
# **See.** The loss of five such networks when all samples have the same time. The data fill 3 of 12 dimensions. Only where the
# error itself goes to zero with the noise does the weighted loss stay bounded, and then it is a number of dimensions: 12 for
# leaving $x_t$ as it is, 3 for the best.

# %%
rng = np.random.default_rng(0)
U, _ = np.linalg.qr(rng.normal(size=(12, 3)))
P = U @ U.T
X, G = U @ rng.normal(size=(3, 2000)), rng.normal(size=(12, 2000))
networks = {"$A=0$": 0 * P, "$A=0.8\\,UU^\\top$": 0.8 * P, "$A=0.98\\,UU^\\top$": 0.98 * P,
            "$A=I$": np.eye(12), "$A=UU^\\top$": P}
times = np.geomspace(0.01, 0.99, 15)
alt = "Weighted loss against time: it grows without bound for three networks, tends to 12 for A = I and to 3 for the projector."
with figure(alt, size=(6, 3)) as ax:
    for name, A in networks.items():
        ax.loglog(times, [denoising_loss(A, X, G, np.full(2000, t)) for t in times], label=name)
    for mine in yours(denoising_loss):
        ax.plot(times, [mine(P, X, G, np.full(2000, t)) for t in times], **plot.DASHED)
    ax.set(xlabel="time t", ylabel="weighted loss", ylim=(0.05, 1e5))
    ax.legend()

# %% [markdown]
# <details><summary>If you read the book: times down to 0 at [[eq:parametric_denoising_loss]]</summary>
#
# Printed: $\tau$ is uniform on $[0,T]$, and weights $\alpha_t^2/\sigma_t^2$ are said to remain reasonably stable. Together they
# make the expectation *infinite* for every network whose error does not vanish as $t\to0$: the integral of $1/t^2$ diverges. It
# is finite with a smallest time (as in [[alg:learning_denoiser]], whose grid begins at $t_1>0$), or for networks that are built
# so that the error vanishes (4.3). In the cell $A$ is off by 2 % only.
# </details>

# %%
losses = [denoising_loss(0.98 * P, X, G, np.full(2000, t)) for t in (0.03, 0.003, 0.0003)]
show(tenfold_smaller_time_multiplies_the_loss_by=[losses[1] / losses[0], losses[2] / losses[1]])

# %% [markdown]
# ### 4.2 What the loss counts
# **Claim.** Let $x$ have covariance with eigenvalues $\lambda_i$ and be Gaussian. With $w_t=\alpha_t^2/\sigma_t^2$ the least
# weighted loss at time $t$ is
#
# $$w_t\,E\big\|x-E[x\mid x_t]\big\|^2=\sum_i\frac{\alpha_t^2\lambda_i}{\alpha_t^2\lambda_i+\sigma_t^2}\;\longrightarrow\;
# \operatorname{rank}\qquad(\sigma_t\to0):$$
#
# the number of directions in which the data stand out of the noise. The weight explodes, the product does not.
#
# **Derive.** In the eigenbasis the coordinates are independent. What is the posterior variance of a number with variance
# $\lambda$ that is seen as $\alpha x+\sigma g$ (Part 2)?
#
# #### Exercise: the least weighted loss
# *More, 6 minutes.*

# %%
@exercise("ch03.weighted_mmse")
def weighted_mmse(lams: "(D,)", alpha: float, sigma: float) -> "()":
    """The least expected value of alpha^2 / sigma^2 ||x_bar - x||^2 over all functions x_bar of x_t = alpha x + sigma g, for a
    Gaussian x whose covariance has the eigenvalues lams >= 0 (some may be 0). sigma > 0, alpha >= 0.
    Example: lams = [4., 1., 0.], alpha = 0.5, sigma = 0.5  ->  1.3"""
    #: solution
    return (alpha**2 * lams / (alpha**2 * lams + sigma**2)).sum()
    #: end

# %% [markdown]
# **See.** A ruler for dimension. Left: the rank-3 law of 4.1 is seen as 3-dimensional from $\sigma=0.1$ down. Right: the
# spectrum of the $8\times8$ digits has no such edge: what they "fill" depends on the noise you allow.

# %%
digits = np.asarray(data.digits()[0])
spectra = {"rank 3 of 12": np.r_[np.ones(3), np.zeros(9)], "digits": np.linalg.eigvalsh(np.cov(digits))[::-1].clip(0)}
sigmas = np.geomspace(0.003, 3, 25)
alt = "The least weighted loss against sigma: flat at 3 for the planted law, a slow ramp from 1 to 60 for the digits."
with figure(alt, size=(6.5, 2.6), ncols=2) as axes:
    for ax, (name, spectrum) in zip(axes, spectra.items()):
        ax.semilogx(sigmas, [weighted_mmse(spectrum, 1.0, sigma) for sigma in sigmas])
        for mine in yours(weighted_mmse):
            ax.plot(sigmas, [mine(spectrum, 1.0, sigma) for sigma in sigmas], **plot.DASHED)
        ax.set(xlabel=r"$\sigma$, for $\alpha=1$", title=name)
    axes[0].set(ylabel="least weighted loss", yticks=range(4))

# %% [markdown]
# **Claim.** Gradient descent on the loss finds the denoiser, here the projector, though nobody tells it of a subspace:
# [[alg:learning_denoiser]] with fresh noise and fresh times in every step.
#
# **Derive.** For one sample the loss is $w\|\alpha A x_t-x\|^2$. What is its derivative with respect to $A_{ij}$?
#
# <details><summary>The gradient</summary>
#
# With $e=\alpha Ax_t-x$ the chain rule gives $2w\,e_i\,\alpha\,(x_t)_j$: as a matrix, $2w\alpha\,e\,x_t^\top$. A step averages
# these over the batch. A deeper network differs in one thing: the chain rule has more links.
# </details>
#
# #### Exercise: one step of training
# *More, 12 minutes.*

# %%
@exercise("ch03.denoiser_step")
def denoiser_step(A: "(D, D)", X: "(D, N)", G: "(D, N)", ts: "(N,)", eta: float) -> "(D, D)":
    """The new A after one step of gradient descent, A - eta times the gradient in A of the loss of `denoising_loss`: the mean
    over the batch of alpha^2 / sigma^2 ||alpha A x_t - x||^2 with x_t = alpha x + sigma g, alpha = sqrt(1 - t^2), sigma = t and
    an own time t in (0, 1] and an own noise g for every sample x. Without automatic differentiation.
    Example: A = [[0., 0.], [0., 0.]], X = [[1.], [0.]], G = [[0.], [1.]], ts = [0.6], eta = 0.5
    ->  [[1.138, 0.8533], [0., 0.]]"""
    #: solution
    alphas = jnp.sqrt(1 - ts**2)
    X_t = alphas * X + ts * G
    errors = alphas * (A @ X_t) - X
    return A - eta * 2 / len(ts) * (alphas**3 / ts**2 * errors) @ X_t.T
    #: end

# %% [markdown]
# **See.** Three hundred steps of yours from $A=0$, batches of 64, times between 0.3 and 1. Dotted: the least loss there is, the
# mean of `weighted_mmse` over these times.

# %%
A, stages, path = np.zeros((12, 12)), {}, []
ts_test = np.tile(np.linspace(0.3, 1, 40), 50)
for step in range(301):
    if step in (0, 10, 300):
        stages[f"step {step}"] = np.asarray(A)
    if step % 10 == 0:
        path.append(denoising_loss(A, X, G, ts_test))
    batch = U @ rng.normal(size=(3, 64)), rng.normal(size=(12, 64)), rng.uniform(0.3, 1, size=64)
    A = denoiser_step(A, *batch, 0.03)
least = np.mean([weighted_mmse(spectra["rank 3 of 12"], np.sqrt(1 - t**2), t) for t in ts_test[:40]])
alt = "The loss falls from 7 to the dotted line near 1.6 in thirty steps; as an image, the matrix becomes the projector."
with figure(alt, size=(7.5, 2.4), ncols=2, width_ratios=(2, 3)) as (left, right):
    left.plot(range(0, 301, 10), path)
    left.axhline(least, linestyle=":", color="black", marker="None")
    left.set(xlabel="steps", ylabel="weighted loss", ylim=(0, 8))
    failing = [mine(np.zeros((12, 12)), *batch, 0.03) for mine in yours(denoiser_step)]
    shown = [*stages.values(), P, *failing]
    titles = [*stages, "$UU^\\top$", *["yours" for _ in failing]]
    plot.images(right, np.stack([np.ravel(M) for M in shown], axis=1), titles=titles)

# %% [markdown]
# ### 4.3 Write down what you can, learn the rest
# **Claim.** What is known of a denoiser need not be learned. Along an eigenvector with variance $\lambda$ (mean 0) we know the
# best *linear* denoiser, how far it errs, and how large its input is. So let the network $F$ compute
#
# $$\bar x_\theta=c_{\rm skip}\,x_t+c_{\rm out}\,F_\theta(c_{\rm in}\,x_t,\,t)$$
#
# with $c_{\rm in}x_t$ and the wanted output $(x-c_{\rm skip}x_t)/c_{\rm out}$ both of variance 1 *at every noise level*. (Karras,
# Aittala, Aila and Laine, 2022, call it preconditioning. The book leaves it out; most diffusion models in use have it.)
#
# **Derive.** (1) Which $c$ makes $E(x-c\,x_t)^2$ least? (2) How large is it then? (3) What is $w_t=\alpha_t^2/\sigma_t^2$ times
# an error of size $c_{\rm out}$, at most?
#
# <details><summary>Answers</summary>
#
# (1) $c=E[x\,x_t]/E[x_t^2]=\alpha\lambda/(\alpha^2\lambda+\sigma^2)$. (2) $\lambda-c\,\alpha\lambda=\lambda\sigma^2/(\alpha^2
# \lambda+\sigma^2)$, the square of $c_{\rm out}$. (3) $w_tc_{\rm out}^2=\alpha^2\lambda/(\alpha^2\lambda+\sigma^2)\le1$: with
# this network the usual weight is harmless, and even an untrained one has a bounded loss.
# </details>
#
# #### Exercise: the three factors
# *More, 10 minutes.*

# %%
@exercise("ch03.preconditioning")
def preconditioning(lams: "(D,)", alpha: float, sigma: float) -> "(D,), (D,), (D,)":
    """The tuple (c_skip, c_out, c_in), one number each for every direction i with variance lams[i] > 0 of x, mean 0, where
    x_t = alpha x + sigma g: c_skip x_t is the best linear prediction of x; c_out > 0 is the standard deviation of what it leaves
    over, x - c_skip x_t; c_in > 0 gives c_in x_t the variance 1. alpha >= 0, sigma > 0.
    Example: lams = [4., 1.], alpha = 0.6, sigma = 0.8  ->  ([1.154, 0.6], [1.109, 0.8], [0.6934, 1.])"""
    #: solution
    size = jnp.sqrt(alpha**2 * lams + sigma**2)
    return alpha * lams / size**2, sigma * jnp.sqrt(lams) / size, 1 / size
    #: end

# %% [markdown]
# **See.** The digits, for real. `experiments_learned.Denoiser` is an Equinox network with these factors in the eigenbasis of the
# training images: two hidden layers of 256 units, told the noise level by eight numbers. It is trained on 1,500 digits with
# `training.train`, the loop of the course: any model, any loss, any optimiser of optax (some three seconds).

# %%
import optax

from book_utils import training
from chapters.ch03_denoising import experiments_learned

X_train, X_test = experiments_learned.split_digits()
keys, optimiser = jax.random.split(jax.random.key(0), 4), optax.adam(optax.cosine_decay_schedule(4e-3, 2000))
untrained = experiments_learned.Denoiser(keys[0], X_train, width=256)
network, losses = training.train(experiments_learned.weighted_loss, untrained, keys[1], 2000, optimiser, X_train, batch=64)
show(loss_falls_by_a_tenth=bool(losses[-200:].mean() < 0.9 * losses[:20].mean()))
memorizer = jax.tree_util.Partial(diffusion.memorizing_denoiser, X_train)

# %% [markdown]
# Its error, relative to that of the best linear denoiser (the same with $F=0$), on digits it was trained on and on others; and
# that of the *memorising* denoiser, which is the best of all for the training set, a mean of training images (4.6).

# %%
sigmas = jnp.geomspace(0.05, 2, 8)
errors = lambda denoiser, X: diffusion.denoising_error(keys[2], denoiser, X, sigmas, diffusion.VE)
alt = "Errors relative to linear: the network's are alike on both sets; the memorising one is perfect on one, bad on the other."
with figure(alt, size=(6, 3)) as ax:
    for line, X, which in (("-", X_test, "new digits"), ("--", X_train[:, :297], "training digits")):
        linear = errors(network.linear, X)
        for name, denoiser, color in ("network", network, plot.COLORS[0]), ("memorising", memorizer, plot.COLORS[1]):
            ax.semilogx(sigmas, errors(denoiser, X) / linear, line, color=color, label=f"{name}, {which}")
    ax.axhline(1, color="#999999", marker="None", label="best linear")
    ax.set(xlabel=r"$\sigma$, for $\alpha=1$", ylabel="error / error of linear", ylim=(0, 2))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %% [markdown]
# With little noise the memorising denoiser answers with the nearest training image, which is right for that image and wrong for
# every other. In between, a mean over 1,500 images is not bad at all, and two thousand steps of training have not caught up with
# it. The network's two curves lie together: what it has learned so far, it has learned for new digits too.
#
# Now let both make digits from pure noise, by DDIM (Part 3). Beneath every sample, the training image nearest to it.

# %%
made = experiments_learned.sample(keys[3], network, 64, 200, 24, network.scale)
copied = experiments_learned.sample(keys[3], memorizer, 64, 200, 24, network.scale)
alt = "Samples of the network are new digits, some of them blurred; those of the memorising denoiser are training images."
with figure(alt, size=(7, 3.4), nrows=2) as axes:
    for ax, X_new, name in zip(axes, (made, copied), ("network", "memorising denoiser")):
        plot.images(ax, experiments_learned.beside_nearest(X_train, X_new[:, :12]), columns=12, limits=(0, 1))
        ax.set_title(f"{name}: samples, and nearest training images")
ratios = [float(memorization.memorization_ratio(X_train, X_new)) for X_new in (made, copied, X_test[:, :200])]
show(copies_among_samples_of_the_network_below_a_hundredth=ratios[0] < 0.01, of_the_memorizing_denoiser_all=ratios[1] == 1)
show(copies_among_new_digits_below_a_hundredth=ratios[2] < 0.01)

# %% [markdown]
# (A *copy* is much nearer to one training image than to any other; 4.7 says when that means something. On new digits it does not
# happen, so on a network's samples it would be a sign.)
#
# **Play.** How many steps of DDIM does it take? The starts are the same throughout. One step gives nearly the
# mean of all digits, and why is that?

# %%
def draw_steps(fig, L):
    X = experiments_learned.sample(keys[3], network, 64, 200, L, network.scale)[:, :20]
    plot.images(fig.subplots(), X, columns=10, limits=(0, 1))
    return f"Twenty samples of the network in {L} step{'s' if L > 1 else ''} of DDIM, each from its own noise."

explore(draw_steps, {"L": [1, 2, 4, 8, 24, 100]}, start={"L": 4}, size=(5, 1.3))

# %% [markdown]
# With a GPU, the same for digits of $28\times28$ pixels, a larger network and more steps. On a CPU this cell
# does nothing.

# %%
from book_utils import devices

if devices.default_device_kind() != "cpu":
    pairs = experiments_learned.mnist_samples(jax.random.key(0))
    with figure("Twelve samples after training on MNIST, and the nearest training images.", size=(7, 1.4)) as ax:
        plot.images(ax, pairs, columns=12, limits=(0, 1))

# %% [markdown]
# ### 4.4 Predict the noise instead
# **Claim.** Most diffusion models predict $\bar g=E[g\mid x_t]$. It says the same, since $x_t=\alpha\bar x+\sigma\bar g$, and
#
# $$\|g-\bar g\|^2=\frac{\alpha^2}{\sigma^2}\,\|x-\bar x\|^2$$
#
# sample by sample, not only in the mean. So the weight $\alpha_t^2/\sigma_t^2$ *is* the plain loss of a noise predictor
# (Section [[sub:sampling_denoising]], step 4).
#
# **Derive.** Take $E[\,\cdot\mid x_t]$ of $x_t=\alpha x+\sigma g$. What does it do to the left side?
#
# #### Exercise: from the denoised sample to the noise
# *More, 4 minutes.*

# %%
@exercise("ch03.noise_from_denoised")
def noise_from_denoised(x_t: "(D,)", x_bar: "(D,)", alpha: float, sigma: float) -> "(D,)":
    """The prediction g_bar = E[g | x_t] of the noise in x_t = alpha x + sigma g, from x_bar = E[x | x_t]. sigma > 0.
    Example: x_t = [1., 2.], x_bar = [1., 0.], alpha = 0.6, sigma = 0.8  ->  [0.5, 2.5]"""
    #: solution
    return (x_t - alpha * x_bar) / sigma
    #: end

# %% [markdown]
# #### Exercise (derivation): one loss, two names
# *More, 6 minutes.*

# %%
@derivation("ch03.noise_loss_chain")
def noise_loss_chain(x: "(D,)", x_bar: "(D,)", g: "(D,)", alpha: float, sigma: float):
    """From the error of a noise predictor to that of the denoiser it belongs to, for one sample and any x_bar.
    Have a line that writes both noises, the true one too, by x_t, x and x_bar (so without g and g_bar)."""
    x_t = alpha * x + sigma * g
    g_bar = noise_from_denoised(x_t, x_bar, alpha, sigma)
    yield jnp.sum((g - g_bar) ** 2)
    #: solution
    yield jnp.sum(((x_t - alpha * x) / sigma - (x_t - alpha * x_bar) / sigma) ** 2)
    yield jnp.sum((alpha / sigma * (x_bar - x)) ** 2)
    #: end
    yield (alpha / sigma) ** 2 * jnp.sum((x - x_bar) ** 2)

# %% [markdown]
# <details><summary>If you read the book: which factor, and which sizes, in step 4 of Section [[sub:sampling_denoising]]</summary>
#
# - The text says that the losses agree up to the factor $\alpha_t/\sigma_t$. It is the *square*, as in the equation that follows
#   there.
# - It also says that the output of a noise predictor is almost always as large as a Gaussian. That is true of the *target* $g$.
#   The best output is $\bar g$, and for full-rank data it goes to zero with $\sigma$: from a nearly clean image nobody can read
#   the noise. Next exercise, next figure.
# </details>

# %%
x, x_bar, g = jnp.array([1.0, 0.0, 2.0]), jnp.array([0.5, 0.5, 1.0]), jnp.array([0.3, -1.0, 0.4])
loss_of_noise = jnp.sum((g - noise_from_denoised(0.8 * x + 0.6 * g, x_bar, 0.8, 0.6)) ** 2)
show(quotient_of_losses=loss_of_noise / jnp.sum((x - x_bar) ** 2), alpha_over_sigma=0.8 / 0.6, its_square=(0.8 / 0.6) ** 2)

# %% [markdown]
# #### Exercise: how large the best outputs are
# For Gaussian data everything is a factor along each eigenvector: $\bar x=\frac{\alpha\lambda}{\alpha^2\lambda+\sigma^2}x_t$.
#
# *More, 8 minutes.*

# %%
@exercise("ch03.output_sizes")
def output_sizes(lams: "(D,)", alpha: float, sigma: float) -> "(), ()":
    """The tuple (E ||x_bar||^2, E ||g_bar||^2) of the best predictions x_bar = E[x | x_t] and g_bar = E[g | x_t], where
    x_t = alpha x + sigma g and x ~ N(0, Sigma) with eigenvalues lams >= 0 of Sigma. Sums over the D entries. sigma > 0.
    Example: lams = [1., 0.], alpha = 0.6, sigma = 0.8  ->  (0.36, 1.64)"""
    #: solution
    variances = alpha**2 * lams + sigma**2  # of x_t
    return (alpha**2 * lams**2 / variances).sum(), (sigma**2 / variances).sum()
    #: end

# %% [markdown]
# **See.** Mean squares per entry along VP, where $\alpha=\sqrt{1-\sigma^2}$. At full rank each target is well sized at one end
# and vanishes at the other. At low rank the noise predictor always has work to do, in the $D-d$ dimensions where there is no
# data; its squared output, $D-{}$`weighted_mmse`, counts them.

# %%
sigmas = np.linspace(0.01, 0.999, 40)
alt = "Mean squares of the best outputs against sigma: at full rank noise starts at 0, at rank 3 of 12 it starts at 0.75."
with figure(alt, size=(6.5, 2.6), ncols=2, sharey=True) as axes:
    for ax, spectrum, name in zip(axes, (np.ones(12), spectra["rank 3 of 12"]), ("rank 12 of 12", "rank 3 of 12")):
        for label, sizes in zip((r"$\bar x$", r"$\bar g$"), zip(*[output_sizes(spectrum, np.sqrt(1 - s**2), s) for s in sigmas])):
            ax.plot(sigmas, np.array(sizes) / 12, label=label)
        for mine in yours(output_sizes):
            ax.plot(sigmas, [mine(spectrum, np.sqrt(1 - s**2), s)[1] / 12 for s in sigmas], **plot.DASHED)
        ax.set(xlabel=r"$\sigma$", title=name)
    axes[0].set(ylabel="mean square per entry")
    axes[0].legend()
show(full_rank_at_sigma_one_hundredth=output_sizes(np.ones(12), np.sqrt(1 - 1e-4), 0.01)[1] / 12)

# %% [markdown]
# ### 4.5 Predict the velocity instead
# **Claim.** Let $x_t=\alpha_tx+\sigma_ty$ with *any* $y$, Gaussian or not. The velocity $v_t=\alpha_t'x+\sigma_t'y$ is the
# derivative of $x_t$ in time. Its mean $\bar v=E[v_t\mid x_t]$ and $\bar x=E[x\mid x_t]$ determine each other as long as
# $\sigma\alpha'\ne\alpha\sigma'$ (the book's Exercise [[exercise:velocity_prediction]]).
#
# **Derive.** $x_t=\alpha\bar x+\sigma\bar y$ and $\bar v=\alpha'\bar x+\sigma'\bar y$: two equations, two unknowns.
#
# #### Exercise: from the denoised sample to the velocity
# *More, 8 minutes.*

# %%
@exercise("ch03.velocity_from_denoised")
def velocity_from_denoised(x_t: "(D,)", x_bar: "(D,)", alpha: float, sigma: float, d_alpha: float, d_sigma: float) -> "(D,)":
    """The mean velocity E[d_alpha x + d_sigma y | x_t] where x_t = alpha x + sigma y, from x_bar = E[x | x_t]. sigma > 0;
    d_alpha, d_sigma are the derivatives of alpha and sigma in time.
    Example: x_t = [1., 2.], x_bar = [3., 0.], alpha = 0.5, sigma = 0.5, d_alpha = -1., d_sigma = 1.  ->  [-4., 4.]"""
    #: solution
    return d_sigma / sigma * x_t + (d_alpha - alpha * d_sigma / sigma) * x_bar
    #: end

# %% [markdown]
# #### Exercise: and back
# *More, 8 minutes.*

# %%
@exercise("ch03.denoised_from_velocity")
def denoised_from_velocity(x_t: "(D,)", v_bar: "(D,)", alpha: float, sigma: float, d_alpha: float, d_sigma: float) -> "(D,)":
    """The posterior mean E[x | x_t] where x_t = alpha x + sigma y, from v_bar = E[d_alpha x + d_sigma y | x_t].
    sigma d_alpha is not alpha d_sigma; sigma may be 0.
    Example: x_t = [1., 2.], v_bar = [-4., 4.], alpha = 0.5, sigma = 0.5, d_alpha = -1., d_sigma = 1.  ->  [3., 0.]"""
    #: solution
    return (sigma * v_bar - d_sigma * x_t) / (sigma * d_alpha - alpha * d_sigma)
    #: end

# %% [markdown]
# <details><summary>Where does it fail?</summary>
#
# $\sigma\alpha'-\alpha\sigma'=0$ says that $\sigma/\alpha$ has derivative 0: for a moment the noise does not grow, and the
# velocity is a multiple of $x_t$, which tells nothing. For the three processes the difference is $-1$ (VE), $-1/\sqrt{1-t^2}$
# (VP) and $-1$ (FLOW): never 0.
# </details>
#
# One velocity is an old acquaintance. Measure time along VP by the angle $\theta$, $\alpha=\cos\theta$, $\sigma=\sin\theta$; then
# $\alpha'=-\sigma$, $\sigma'=\alpha$, and $\bar x=\alpha x_t-\sigma\bar v$. These are the factors of 4.3 for $\lambda=1$ (the
# sign of $c_{\rm out}$ apart): to predict the velocity *is* preconditioning, for data of variance 1.
#
# **See.** One digit it has not seen, the network of 4.3, and all that its prediction can be called, along FLOW
# ($\alpha=1-t$, $\sigma=t$): white is positive, black negative. Which of them is easy for a network to put out, and when?

# %%
x, g, ts = np.asarray(X_test[:, 5]), np.random.default_rng(3).normal(size=64), np.array([0.1, 0.4, 0.7])
X_t = np.outer(x, 1 - ts) + np.outer(g, ts)
X_bar, rows, failing = np.asarray(experiments_learned.denoise(network, X_t, 1 - ts, ts)), [], []
for t, x_t, x_bar in zip(ts, X_t.T, X_bar.T):
    v_bar = velocity_from_denoised(x_t, x_bar, 1 - t, t, -1.0, 1.0)
    back = denoised_from_velocity(x_t, v_bar, 1 - t, t, -1.0, 1.0)
    rows += [x_t, x_bar, noise_from_denoised(x_t, x_bar, 1 - t, t), v_bar, back]
    failing += [mine(x_t, x_bar, 1 - t, t, -1.0, 1.0) for mine in yours(velocity_from_denoised)]
names = [title for t in ts for title in (f"t={t}: $x_t$", r"$\bar x$", r"$\bar g$", r"$\bar v$", r"$\bar x$ again")]
names += ["yours" for _ in failing]
alt = "For three times: a noisy digit, and its denoised sample, noise, velocity and denoised sample again."
with figure(alt, size=(6, 4)) as ax:
    plot.images(ax, np.stack(rows + failing, axis=1), titles=names, columns=5, limits=(-1.2, 1.2))

# %% [markdown]
# For a sampler all of this is one and the same prediction. For the *training* it is not: a network of limited size that is asked
# for $\bar g$ has another task than one that is asked for $\bar x$. Which is easier is an experiment, and is in Doubt (4.9).
