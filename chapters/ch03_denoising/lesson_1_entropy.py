# %% [markdown]
# ## Part 1: Entropy: how many bits, and how noise adds them
#
# After this part you can
# - say how many bits a symbol costs, and measure a density with the same ruler;
# - compute the entropy of a Gaussian in any dimension, and the price of describing data with the wrong one;
# - add noise to a law, derive how fast its entropy grows, and read off that speed how many dimensions the data have.
#
# Core exercises: 26 minutes. *More* and *challenge* exercises are for those who want them.

# %% [markdown]
# ### 1.1 How many bits?
# **Claim.** Write symbol $i$, which comes with probability $p_i$, as a word of $l_i$ zeros and ones. No word may be the
# beginning of another one; then any string of words can be cut in one way only. Such words exist exactly if
# $\sum_i2^{-l_i}\le1$ (Kraft), and under this condition the mean length $\sum_ip_il_i$ is smallest for $l_i=-\log_2p_i$. That
# smallest mean is the *entropy* of $p$ ([[eqn:entropy-discrete]]). With the natural logarithm it is measured in nats,
#
# $$H(p)=-\sum_ip_i\log p_i ,\qquad 0\log0=0 ,$$
#
# and $H/\log2$ is the number of bits. It is 0 exactly if one symbol is certain, and at most $\log n$, for equal $p_i$.
#
# **Derive.** Short words use up room: a word of length $l$ takes the share $2^{-l}$ of all long strings, those that begin with
# it. Call $q_i=2^{-l_i}$. How much longer than $H/\log 2$ is the mean length? Use $\log u\le u-1$.
#
# <details><summary>The argument</summary>
#
# $\sum_ip_il_i=-\sum_ip_i\log_2q_i$. The difference to $-\sum_ip_i\log_2p_i$ is
#
# $$\sum_ip_i\log_2\frac{p_i}{q_i}=-\frac1{\log2}\sum_ip_i\log\frac{q_i}{p_i}
# \;\ge\;-\frac1{\log2}\sum_i(q_i-p_i)=\frac{1-\sum_iq_i}{\log 2}\;\ge\;0 ,$$
#
# with equality only where $q_i=p_i$ for all $i$. With $q_i=\frac1n$ it says that $H\le\log n$, and with densities in place of $p$
# and $q$ it proves the claim of 1.4. (Words of given lengths are found by taking, shortest first, the first one that is still
# free; Kraft's condition says that there always is one.)
# </details>
#
# #### Exercise: entropy
# *Core, 6 minutes.*

# %%
@exercise("ch03.discrete_entropy")
def discrete_entropy(p: "(n,)") -> "()":
    """Entropy in nats: minus the sum of p_i log p_i. p_i >= 0, adding up to 1; where p_i = 0 the term counts as 0 (and must
    not turn the sum into NaN).
    Example: p = [0.5, 0.25, 0.25, 0.]  ->  1.040"""
    #: solution
    logs = jnp.log(jnp.where(p > 0, p, 1))
    return -jnp.sum(p * logs)
    #: end

# %% [markdown]
# Words have whole lengths. Rounding up, $l_i=\lceil-\log_2p_i\rceil$, keeps Kraft's condition, and costs less than one bit a
# symbol. Does that ruin the claim? Not if blocks of $n$ symbols get one word together: the lost bit is shared by $n$.
#
# #### Exercise: Shannon's code lengths
# *More, 8 minutes.*

# %%
@exercise("ch03.code_lengths")
def code_lengths(p: "(n,)") -> "(n,), (), ()":
    """Whole lengths of binary words, l_i = -log2 p_i rounded up, with Kraft's sum of 2^(-l_i) and the mean length in bits, the
    sum of p_i l_i: the tuple (lengths, kraft, mean). p_i > 0. Floating point may turn an exact 3 into 3.0000002: take 0.0001
    away before rounding up.
    Example: p = [0.5, 0.3, 0.2]  ->  ([1., 2., 3.], 0.875, 1.7)"""
    #: solution
    lengths = jnp.ceil(-jnp.log2(p) - 1e-4)
    kraft = jnp.sum(2.0**-lengths)
    return lengths, kraft, jnp.sum(p * lengths)
    #: end

# %% [markdown]
# **See.** Left, what a coin costs: one bit if it is fair, next to nothing if it is nearly certain. Right, a coin with
# probabilities 0.9 and 0.1: one word for each block of symbols brings the length per symbol down towards the entropy (not at
# every step: rounding up has its ups and downs).

# %%
faces, blocks = np.linspace(0, 1, 41), [np.array([1.0])]
for _ in range(10):
    blocks.append(np.kron(blocks[-1], [0.9, 0.1]))  # probabilities of all blocks, one symbol longer than before
sizes = (1, 4, 7, 10)

# %%
alt = "Left: the entropy of a coin, highest where it is fair. Right: in blocks of ten, bits per symbol come close to the entropy."
with figure(alt, size=(8, 3), ncols=2) as (left, right):
    left.plot(faces, [discrete_entropy(np.array([q, 1 - q])) / np.log(2) for q in faces], marker="None")
    for mine in yours(discrete_entropy):
        left.plot(faces, [mine(np.array([q, 1 - q])) / np.log(2) for q in faces], **plot.DASHED)
    right.plot(sizes, [code_lengths(blocks[n])[2] / n for n in sizes], label="whole lengths")
    right.axhline(discrete_entropy(blocks[1]) / np.log(2), color="black", linestyle=":", label="entropy")
    for mine in yours(code_lengths):
        right.plot(sizes, [mine(blocks[n])[2] / n for n in sizes], **plot.DASHED)
    left.set(xlabel="probability of one face", ylabel="bits")
    right.set(xlabel="symbols in a block", ylabel="bits per symbol", ylim=(0, None))
    right.legend()

# %% [markdown]
# <details><summary>If you read the book: a word of length log2 1/p</summary>
#
# Before [[eqn:entropy-discrete]] each symbol is said to have a word of $\log_2(1/p)$ bits. That can be so only if every $p_i$
# is a power of 1/2. In general the best mean length $L$ of words for single symbols satisfies $H\le L<H+1$ (in bits), and $H$
# is reached in the limit of long blocks, as in the figure: at block size 1 no words at all do better than one bit, and $H$ is
# 0.469.
# </details>

# %% [markdown]
# ### 1.2 A ruler for densities
# **Claim.** A number with infinitely many digits costs infinitely many bits. But cut $\mathbb R^D$ into cubes of side
# $\epsilon$, and record only in which of them $x$ lies. If $x$ has a density $p$ (continuous and falling off quickly will do),
# the entropy $H_\epsilon$ of that record satisfies
#
# $$H_\epsilon+D\log\epsilon\;\to\;h(p)=-\int p(\xi)\log p(\xi)\,d\xi\qquad(\epsilon\to0),$$
#
# the *differential entropy* of $p$ ([[eqn:entropy-differential]]). Note the volume of the cell, $\epsilon^D$, in its logarithm.
#
# **Derive.** The cell around $x_i$ has probability about $\epsilon^Dp(x_i)$. Put this into $H$ and split the logarithm of the
# product. What is left of $D\log\epsilon$, and what sort of sum is the rest?
#
# <details><summary>The argument</summary>
#
# By the mean value theorem $x_i$ can be chosen in its cell so that $p_i=\epsilon^Dp(x_i)$ exactly. Then
# $H_\epsilon=-\sum_ip_i\,(D\log\epsilon+\log p(x_i))=-D\log\epsilon-\sum_i\epsilon^D\,p(x_i)\log p(x_i)$, since the $p_i$
# add up to 1. The last sum is a Riemann sum of $h(p)$.
# </details>
#
# So $x$ to within cells of side $\epsilon$ costs $h-D\log\epsilon$ nats: half the side, one bit more *for each coordinate*.
# $h$ itself compares with cells of side 1, and so it may be negative: the uniform law on a cube of side $a$ has $h=D\log a$.
#
# #### Exercise: from cells to differential entropy
# *More, 6 minutes.*

# %%
@exercise("ch03.quantized_entropy")
def quantized_entropy(p: "(n,)", eps: float, D: int) -> "()":
    """Estimate of the differential entropy, in nats: the entropy of the cells plus D log(eps). p: probabilities of all n cells,
    cubes of side eps in D dimensions; some may be 0, and such a term counts as 0.
    Example: p = [0.25, 0.25, 0.5, 0.], eps = 0.5, D = 2  ->  -0.3466"""
    #: solution
    entropy_of_cells = -jnp.sum(p * jnp.log(jnp.where(p > 0, p, 1)))
    return entropy_of_cells + D * jnp.log(eps)
    #: end

# %% [markdown]
# **See.** The law $N(0,4)$ on the line, and $N(0,\operatorname{diag}(4,\frac14))$ in the plane. What is recorded grows without
# end, with slope $D$; with the volume of the cell taken into account it settles, long before the cells are small.

# %%
import math

def gaussian_cells(eps, std):
    """Probabilities of the intervals of length eps around 0, eps, -eps, ... under N(0, std^2)."""
    edges = eps * (np.arange(-math.ceil(7 * std / eps), math.ceil(7 * std / eps) + 2) - 0.5)
    return np.diff([math.erf(e / std / 2**0.5) / 2 for e in edges])

def padded(p, n=25_000):  # impossible cells more: one shape for every eps
    return np.concatenate([p.ravel(), np.zeros(n - p.size)])

sides = [2.0, 1.0, 0.5, 0.25, 0.1]
laws = {1: [padded(gaussian_cells(e, 2)) for e in sides],
        2: [padded(np.outer(gaussian_cells(e, 2), gaussian_cells(e, 0.5))) for e in sides]}

# %%
alt = "As the cells shrink, the entropy of the record grows on a line of slope D; the corrected estimates are flat."
with figure(alt, size=(6, 3.2)) as ax:
    for D, color in (1, plot.COLORS[0]), (2, plot.COLORS[1]):
        ax.semilogx(sides, [discrete_entropy(p) for p in laws[D]], ":", color=color, label=f"D = {D}: record")
        estimates = [quantized_entropy(p, e, D) for p, e in zip(laws[D], sides)]
        ax.semilogx(sides, estimates, color=color, label=rf"D = {D}: record + D log $\epsilon$")
        for mine in yours(quantized_entropy):
            ax.plot(sides, [mine(p, e, D) for p, e in zip(laws[D], sides)], **plot.DASHED)
    ax.set(xlabel=r"side of the cells $\epsilon$", ylabel="nats", xlim=(2.2, 0.09), ylim=(0, 8))
    ax.set_xticks(sides, [f"{e:g}" for e in sides], minor=False)
    ax.minorticks_off()
    ax.legend(loc="upper left")

# %% [markdown]
# <details><summary>If you read the book: what the quantised entropy tends to</summary>
#
# After [[eqn:entropy-Gaussian-multi]] the entropy of the quantised variable is said to approximate the differential entropy.
# It tends to infinity; the offset that stands at the definition, before [[eqn:entropy-Gaussian]], belongs there too. And
# $\epsilon$ is the *volume* of a cell at the definition and the size of a grid later: with the side, the offset is $D\log$ of
# it. The cell shows all three for the law in the plane, at side 0.1, where $h=2.84$.
# </details>

# %%
record = discrete_entropy(laws[2][-1])
show(quantised_entropy=record, plus_log_of_the_side=record + np.log(0.1), plus_log_of_the_volume=record + np.log(0.1**2))

# %% [markdown]
# ### 1.3 Gaussians
# **Claim.** For $x\sim N(\mu,\Sigma)$ in $\mathbb R^D$ ([[eqn:entropy-Gaussian-multi]])
#
# $$h=\frac D2(1+\log2\pi)+\frac12\log\det\Sigma .$$
#
# The mean does not matter. If $\Sigma$ is singular, the law lives on a subspace of volume 0, and $h=-\infty$.
#
# **Derive.** Write out $-\log p(x)$: a constant and a quadratic form. What is
# $E\,(x-\mu)^\top\Sigma^{-1}(x-\mu)$?
#
# <details><summary>The argument</summary>
#
# $-\log p(x)=\frac D2\log2\pi+\frac12\log\det\Sigma+\frac12(x-\mu)^\top\Sigma^{-1}(x-\mu)$. The quadratic form is the trace of
# $\Sigma^{-1}(x-\mu)(x-\mu)^\top$, with mean $\operatorname{tr}(\Sigma^{-1}\Sigma)=D$.
# </details>
#
# #### Exercise: entropy of a Gaussian
# *Core, 8 minutes.*

# %%
@exercise("ch03.gaussian_entropy")
def gaussian_entropy(Sigma: "(D, D)") -> "()":
    """Differential entropy of N(mu, Sigma) in nats, whatever mu. Sigma: symmetric, positive definite. The determinant itself may
    be too large or too small for a float, its logarithm is not (jnp.linalg.slogdet).
    Example: Sigma = [[2., 1.], [1., 1.]]  ->  2.838"""
    #: solution
    D = Sigma.shape[0]
    logdet = jnp.linalg.slogdet(Sigma)[1]
    return D / 2 * (1 + jnp.log(2 * jnp.pi)) + logdet / 2
    #: end

# %% [markdown]
# **Play.** Both coordinates keep their variance 1, only their correlation grows. Once the points look like a line, your eye sees
# nothing happen any more. What does the entropy do?

# %%
points = np.random.default_rng(1).normal(size=(2, 150))

def draw_correlated(fig, one_minus_rho):
    rho = 1 - one_minus_rho
    Sigma = np.array([[1, rho], [rho, 1]])
    values, W = np.linalg.eigh(Sigma)
    ax, a, root = fig.subplots(), np.linspace(0, 2 * np.pi, 100), W * np.sqrt(values)
    ax.plot(*(root @ points), ".", color="#999999")
    ax.plot(*(2 * root @ np.stack([np.cos(a), np.sin(a)])), color=plot.COLORS[0], marker="None")
    ax.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
    mine = "".join(f" Yours (fails) says {float(m(Sigma)):.3g}." for m in yours(gaussian_entropy))
    return f"Correlation 1 - {one_minus_rho:g}: the entropy is {float(gaussian_entropy(Sigma)):.3g} nats.{mine}"

explore(draw_correlated, {"one_minus_rho": [1, 0.5, 0.1, 0.01, 1e-3, 1e-4]}, start={"one_minus_rho": 0.1}, size=(3.4, 3.4))

# %% [markdown]
# <details><summary>If you read the book: bits and nats</summary>
#
# A footnote at [[eqn:entropy-discrete]] takes logarithms to base 2. From [[eqn:entropy-Gaussian]] on, the formulas hold for
# the natural one: with $\log_2$ the $\frac12$ that comes from the quadratic form would need a factor $\log_2e$, and so would
# the derivatives of 1.6. The cell measures $N(0,4)$ with cells of side 0.1. We stay with nats throughout.
# </details>

# %%
measured_entropy = float(quantized_entropy(laws[1][-1], 0.1, 1))
show(nats=measured_entropy, formula_in_nats=gaussian_entropy(np.array([[4.0]])))
show(bits=measured_entropy / np.log(2), formula_read_with_log2=np.log2(2 * np.pi * 4) / 2 + 1 / 2)

# %% [markdown]
# ### 1.4 The price of the wrong codebook
# **Claim.** Words made for a density $q$, used on data from $p$, cost on average the *cross-entropy*
#
# $$\mathrm{CE}(p\,\|\,q)=E_{x\sim p}[-\log q(x)]=h(p)+\mathrm{KL}(p\,\|\,q)\;\ge\;h(p),$$
#
# with equality only for $q=p$ ([[sub:min_entropy]]; $\mathrm{KL}=E_p\log\frac pq$ is what the wrong belief costs). For
# $q=N(0,\Sigma_q)$ nothing of $p$ matters but its second moment $\Sigma=E[xx^\top]$:
#
# $$\mathrm{CE}=\tfrac12\log\det(2\pi\Sigma_q)+\tfrac12\operatorname{tr}(\Sigma_q^{-1}\Sigma),$$
#
# smallest at $\Sigma_q=\Sigma$, where it equals the entropy of $N(0,\Sigma)$. So this Gaussian is the best of all with mean 0;
# and no law with that second moment has more entropy than it.
#
# **Derive.** The inequality is that of 1.1 with integrals. Where does the last sentence come from?
#
# <details><summary>The argument</summary>
#
# $-\log q(x)=\frac12\log\det(2\pi\Sigma_q)+\frac12\operatorname{tr}(\Sigma_q^{-1}xx^\top)$; take the mean. At $\Sigma_q=\Sigma$
# the trace is $D$ and CE is $h(N(0,\Sigma))$, for *every* $p$ with this second moment. For $p=N(0,\Sigma)$ that is $h(p)$, so
# any other $\Sigma_q$ costs more. For any other $p$ the inequality reads $h(p)<\mathrm{CE}(p\,\|\,N(0,\Sigma))=h(N(0,\Sigma))$.
# </details>
#
# #### Exercise: Gaussian cross-entropy
# *More, 8 minutes.*

# %%
@exercise("ch03.gaussian_cross_entropy")
def gaussian_cross_entropy(Sigma: "(D, D)", Sigma_q: "(D, D)") -> "()":
    """Mean of -log q(x) in nats for q = N(0, Sigma_q), where x has mean 0 and covariance Sigma (of any law: no more is needed).
    Both symmetric; Sigma_q positive definite, Sigma positive semidefinite.
    Example: Sigma = [[2., 0.], [0., 0.]], Sigma_q = [[1., 0.], [0., 4.]]  ->  3.531"""
    #: solution
    logdet = jnp.linalg.slogdet(2 * jnp.pi * Sigma_q)[1]
    return (logdet + jnp.trace(jnp.linalg.solve(Sigma_q, Sigma))) / 2
    #: end

# %% [markdown]
# **See.** Two clouds in four dimensions, and three descriptions of them: one variance for every direction (the book's $p^n$
# takes one above all $\|x_i\|^2$, here far to the right), the covariance of the data ($p^e$), the clouds themselves. Each knows
# more and costs less.

# %%
within, axis = np.diag(np.geomspace(1, 0.01, 4)), np.eye(4)[0]  # x = 3 axis + noise or -3 axis + noise of this covariance
moment = within + 9 * np.outer(axis, axis)  # E x x^T
grid = np.linspace(-12, 12, 4001)
clouds = (np.exp(-((grid - 3) ** 2) / 2) + np.exp(-((grid + 3) ** 2) / 2)) / np.sqrt(8 * np.pi)  # the first coordinate
truth = -(clouds * np.log(clouds)).sum() * (grid[1] - grid[0]) + gaussian_entropy(within[1:, 1:])
variances = np.geomspace(0.6, 60, 15)

# %%
alt = "The cost of isotropic codebooks has its minimum at the mean variance, above the data's covariance and the true law."
with figure(alt, size=(6, 3)) as ax:
    ax.semilogx(variances, [gaussian_cross_entropy(moment, s * np.eye(4)) for s in variances], label="$N(0, s I)$")
    ax.axhline(gaussian_cross_entropy(moment, moment), color=plot.COLORS[1], linestyle="--", label="covariance of the data")
    ax.axhline(truth, color=plot.COLORS[2], linestyle="-.", label="the true law")
    ax.axvline(np.trace(moment) / 4, color="black", linestyle=":", label="mean variance")
    for mine in yours(gaussian_cross_entropy):
        ax.plot(variances, [mine(moment, s * np.eye(4)) for s in variances], **plot.DASHED)
    ax.set(xlabel="variance $s$ of the codebook", ylabel="nats per sample", ylim=(0, 17))
    ax.legend(loc="upper center", ncols=2)

# %% [markdown]
# <details><summary>If you read the book: the order of the three codebooks</summary>
#
# [[sub:min_entropy]] says that the coding rate falls from $p^n$ to $p^e$ to a good model. For $p^e$ made of the *true* second
# moment it does. The average $\frac1NXX^\top$ of not many more samples than dimensions has smallest eigenvalues that are far
# too small, and new samples in these directions cost dearly; for $N<D$ the cost is infinite. Below are medians over 200 sets
# of $N$ samples of the clouds, with the largest $\|x_i\|^2$ as variance of $p^n$. Where the order turns is asked in *Doubt*.
#
# Also printed: the rate is at least the entropy *unless* $p=q$; what is meant is that it is larger unless $p=q$.
# </details>

# %%
from chapters.ch03_denoising import experiments_entropy

Ns = (4, 6, 1000)
for N, one, many in zip(Ns, *list(experiments_entropy.codebooks(4, Ns).values())[::2]):
    show(N=N, one_variance_for_all=np.median(one), covariance_of_the_samples=np.median(many), true_law=truth)

# %% [markdown]
# ### 1.5 Adding noise
# **Claim.** Let $x_t=x+tg$ with $g\sim N(0,I)$ independent of $x$, the *same* $g$ for every $t$
# ([[eq:additive_gaussian_noise_model]]). If $x$ is a mixture of Gaussians, so is $x_t$, with the same weights and means and
# with $t^2$ added to every variance ([[ex:gaussian_mixture]]):
#
# $$x\sim\sum_k\pi_kN(\mu_k,\Sigma_k)\quad\Longrightarrow\quad x_t\sim\sum_k\pi_kN(\mu_k,\Sigma_k+t^2I).$$
#
# **Derive.** Given the component $k$, $x_t$ is a sum of two independent Gaussian vectors. What are its mean and its covariance?
# Why may $\Sigma_k$ be singular, even 0, as soon as $t>0$?
#
# #### Exercise: the density of the noised mixture
# *More, 10 minutes.*

# %%
@exercise("ch03.noised_mixture")
def noised_mixture(pi: "(K,)", mus: "(K, D)", Sigmas: "(K, D, D)", X_t: "(D, M)", t: float) -> "(M,)":
    """Density of x_t = x + t g at each column of X_t, where x comes from the mixture of the N(mus[k], Sigmas[k]) with weights
    pi. Sigmas may be singular, as long as Sigmas[k] + t^2 I is not. D is small: np.linalg.det will do.
    Example: pi = [0.5, 0.5], mus = [[-1.], [1.]], Sigmas = [[[0.]], [[3.]]], X_t = [[0., 1.]], t = 1.  ->  [0.2090, 0.1267]"""
    #: solution
    pi, mus, Sigmas, X_t = (np.asarray(given) for given in (pi, mus, Sigmas, X_t))
    C = Sigmas + t**2 * np.eye(mus.shape[1])
    R = X_t - mus[:, :, None]  # (K, D, M): every point seen from every mean
    quadratic = np.sum(R * np.linalg.solve(C, R), axis=1)
    densities = np.exp(-quadratic / 2) / np.sqrt(np.linalg.det(2 * np.pi * C))[:, None]
    return pi @ densities
    #: end

# %% [markdown]
# **Play.** Two strokes and a dot, drowned step by step. The number beside the entropy $h$ is its speed $t\,dh/dt$, that is, by
# how much $h$ grows when $\log t$ grows by 1. It stays near 1 until the noise is as large as the picture, and then goes to 2.
# Why? (1.6 knows.)

# %%
pi = np.array([0.5, 0.3, 0.2])
mus = np.array([[-3.0, -1.0], [2.5, 2.0], [3.0, -3.0]])
Sigmas = np.array([[[0.6, 1.2], [1.2, 2.42]], [[2.4, -0.8], [-0.8, 0.28]], [[0.05, 0.0], [0.0, 0.05]]])

def density(f, half, t, n=120):
    """f's density of the picture with noise t on a square grid of n x n points, and the grid's spacing."""
    side = np.linspace(-half, half, n)
    points = np.stack([axis.ravel() for axis in np.meshgrid(side, side)])
    return np.asarray(f(pi, mus, Sigmas, points, t)), side[1] - side[0]

def entropy_at(f, t):
    p, step = density(f, 6 + 4 * t, t)
    return -(p * np.log(p + 1e-30)).sum() * step**2

# %%
noises = np.geomspace(0.2, 12, 11)
curve = [entropy_at(noised_mixture, t) for t in noises]
failing = [[entropy_at(mine, t) for t in noises] for mine in yours(noised_mixture)]

# %%
def draw_noised(fig, t):
    left, right = fig.subplots(1, 2)
    p, _ = density(noised_mixture, 8, t)
    side = np.linspace(-8, 8, 120)
    left.contourf(side, side, p.reshape(120, 120) ** 0.5, levels=8, cmap="Blues")
    left.set(aspect="equal", xticks=range(-8, 9, 4), yticks=range(-8, 9, 4))
    h, later, before = (entropy_at(noised_mixture, t * factor) for factor in (1, 1.05, 1 / 1.05))
    right.semilogx(noises, curve, marker="None", label="$h(x_t)$")
    right.plot(noises, np.log(2 * np.pi * np.e * noises**2), ":", color="black", label="$h(tg)$, noise alone")
    right.plot(t, h, "o", color=plot.COLORS[1], markersize=9)
    for wrong in failing:
        right.plot(noises, wrong, **plot.DASHED)
    right.set(xlabel="noise $t$", ylabel="entropy (nats)", xlim=(0.18, 13), ylim=(-1, 9))
    right.legend()
    return f"t = {t:g}: the entropy is {h:.2f} nats, and its speed t dh/dt is {(later - before) / (2 * np.log(1.05)):.2f}."

explore(draw_noised, {"t": [0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 12.0]}, start={"t": 0.8}, size=(7.5, 3.3))

# %% [markdown]
# ### 1.6 How fast entropy grows
# **Claim.** Whatever the law of $x$ (with finite variance), noise raises the entropy at all times $t>0$
# ([[thm:diffusion_entropy_increases]] and the theorem before [[ex:gaussian_mixture]]), with the speed
#
# $$\frac{d}{dt}h(x_t)=t\,J(p_t),\qquad J(p)=E_{x\sim p}\|\nabla\log p(x)\|^2 .$$
#
# $\nabla\log p$ is called the *score*, and $J$ the *Fisher information*: steep densities spread quickly. All of this chapter
# is about the score.
#
# **Derive.** In one dimension, for $x$ that takes finitely many values $x_i$ equally often: then
# $p_t(\xi)=\frac1N\sum_i\phi_t(\xi-x_i)$ with $\phi_t$ the density of $N(0,t^2)$.
# 1. Check that $\phi_t$, and with it $p_t$, satisfies $\frac{\partial p}{\partial t}=t\,\frac{\partial^2p}{\partial\xi^2}$: noise
#    spreads like heat.
# 2. Differentiate $-\int p_t\log p_t$ under the integral.
# 3. Put in the heat equation.
# 4. Integrate by parts: at $\pm\infty$ everything vanishes.
#
# Steps 2 to 4 are a line of the chain each. Integrals are sums over a fine grid, and the derivative of the entropy is a
# difference quotient: exact enough for functions as smooth as these.
#
# #### Exercise (derivation): the speed of entropy
# *Core, 12 minutes.*

# %%
@derivation("ch03.entropy_slope_chain")
def entropy_slope_chain(X: "(D, N)", t: float):
    """From the derivative of the entropy of x_t = x + t g to t times the Fisher information. x: one of the N columns of X, D = 1.
    Pass through the time derivative of the density, then its second derivative in space, then its first."""
    grid, X = np.linspace(-8, 8, 321), np.asarray(X, dtype=float)
    integral = lambda values: 0.05 * values.sum()  # of a function given by its values on the grid
    kernel = lambda t: np.exp(-((grid - X.T) ** 2) / (2 * t**2)) / (np.sqrt(2 * np.pi) * t)  # (N, 321)
    density = lambda t: kernel(t).mean(axis=0)
    entropy = lambda t: -integral(density(t) * np.log(density(t)))
    p, away = density(t), (grid - X.T) / t
    dp_dt = ((away**2 - 1) / t * kernel(t)).mean(axis=0)
    dp_dx = (-away / t * kernel(t)).mean(axis=0)
    d2p_dx2 = ((away**2 - 1) / t**2 * kernel(t)).mean(axis=0)
    score = dp_dx / p  # the derivative of log p
    yield (entropy(t + 1e-4) - entropy(t - 1e-4)) / 2e-4
    #: solution
    yield -integral(dp_dt * (1 + np.log(p)))
    yield -t * integral(d2p_dx2 * (1 + np.log(p)))
    yield t * integral(dp_dx**2 / p)
    #: end
    yield t * integral(p * score**2)

# %% [markdown]
# For a Gaussian everything can be written down ([[ex:gaussian_mixture]]). With the eigenvalues $\lambda_i\ge0$ of $\Sigma$
#
# $$h(x_t)=\frac D2(1+\log2\pi)+\frac12\sum_i\log(\lambda_i+t^2),\qquad
# t\,\frac{dh}{dt}=\sum_i\frac{t^2}{\lambda_i+t^2} .$$
#
# Each direction counts 0 as long as $t\ll\sqrt{\lambda_i}$, and 1 once $t\gg\sqrt{\lambda_i}$. So $t\,dh/dt$ counts the
# directions in which the data are *thinner than the noise*: a meter that reads $D$ for large $t$, and for $t\to0$ the
# *codimension*, the number of directions with no data at all.
#
# #### Exercise: the slope of a Gaussian's entropy
# *More, 6 minutes.*

# %%
@exercise("ch03.gaussian_entropy_slope")
def gaussian_entropy_slope(lams: "(D,)", t: float) -> "()":
    """dh/dt, the derivative in t (not in t^2 or log t) of the entropy in nats of x_t = x + t g, where x is Gaussian and its
    covariance has the eigenvalues lams >= 0; t > 0.
    Example: lams = [4., 0.], t = 2.  ->  0.75"""
    #: solution
    return jnp.sum(t / (lams + t**2))
    #: end

# %% [markdown]
# **See.** Ten dimensions: two of size 1, three of size 0.01, and five without any data. The meter walks up a staircase.

# %%
lams = np.array([1, 1, 1e-4, 1e-4, 1e-4, 0, 0, 0, 0, 0])
times = np.geomspace(1e-4, 1e2, 61)
with figure("The meter reads 5 at small noise, 8 between 0.01 and 1, and 10 beyond.", size=(6, 3)) as ax:
    ax.semilogx(times, [t * gaussian_entropy_slope(lams, t) for t in times], label=r"$t\,dh/dt$")
    for size in (0.01, 1):
        ax.axvline(size, color="black", linestyle=":", label="sizes of the data" if size == 1 else None)
    for mine in yours(gaussian_entropy_slope):
        ax.plot(times, [t * mine(lams, t) for t in times], **plot.DASHED)
    ax.set(xlabel="noise $t$", ylabel="directions thinner than the noise", yticks=[0, 5, 8, 10], ylim=(0, 10.5))
    ax.legend()

# %% [markdown]
# **Claim.** The meter works for any law, if you can *denoise*. Let $\bar x=E[x\mid x_t]$ be the best guess of $x$, and
# $\mathrm{MMSE}(t)=E\|x-\bar x\|^2$ its error. Then
#
# $$t^2J(p_t)=t\,\frac{dh}{dt}=D-\frac{\mathrm{MMSE}(t)}{t^2} .$$
#
# Of the $D$ directions, $\mathrm{MMSE}/t^2$ are those along which the data run on at the scale of the noise, so that it cannot be
# told from them.
#
# **Derive.** The score is $\nabla\log p_t(x_t)=-E[g\mid x_t]/t$ (differentiate $p_t(\xi)=E\,\phi_t(\xi-x)$; Part 2 will do
# more with it). Now $D=E\|g\|^2$ splits into the part that $x_t$ tells and the part that it does not. What is $g-E[g\mid x_t]$ in
# terms of $x-\bar x$?
#
# <details><summary>The argument</summary>
#
# $\nabla\phi_t(\xi-x)=-\frac{\xi-x}{t^2}\phi_t(\xi-x)$. Divided by $p_t(\xi)$ this is a mean over the law of $x$ given
# $x_t=\xi$: the score is $-E[x_t-x\mid x_t]/t^2=-E[g\mid x_t]/t$, and $J=E\|E[g\mid x_t]\|^2/t^2$.
#
# $E[g\mid x_t]$ and what is left of $g$ are uncorrelated, so $D=E\|E[g\mid x_t]\|^2+E\|g-E[g\mid x_t]\|^2$. As
# $g=(x_t-x)/t$, the rest is $g-E[g\mid x_t]=-(x-\bar x)/t$, with mean square $\mathrm{MMSE}/t^2$.
# </details>
#
# #### Exercise: Fisher information from the error of denoising
# *More, 6 minutes.*

# %%
@exercise("ch03.fisher_from_mmse")
def fisher_from_mmse(mmse: float, t: float, D: int) -> "()":
    """Fisher information J(p_t) of x_t = x + t g in D dimensions. mmse: E ||x - E[x | x_t]||^2, summed over the coordinates.
    Example: mmse = 0.5, t = 0.5, D = 3  ->  4."""
    #: solution
    return (D - mmse / t**2) / t**2
    #: end

# %% [markdown]
# **See.** 200 points on a circle of radius 1 in three dimensions. From far away they are one point (dimension 0), from nearer a
# curve (1, and a little more where the noise reaches across the circle), and from very near 200 points (0 again). How many
# dimensions data have is a question of scale.

# %%
a, g = 2 * np.pi * np.arange(200) / 200, np.random.default_rng(2).normal(size=(3, 1000))
circle = np.stack([np.cos(a), np.sin(a), 0 * a])

def error_of_denoising(t):
    """Mean square error of the posterior mean. All points are alike: it suffices to put noise on the first."""
    X_t = circle[:, :1] + t * g
    weights = np.exp((circle.T @ X_t - circle[:, 0] @ X_t) / t**2)  # all points have length 1
    return ((circle @ weights / weights.sum(axis=0) - circle[:, :1]) ** 2).sum(axis=0).mean()

times = np.geomspace(3e-3, 10, 25)
errors = [error_of_denoising(t) for t in times]

# %%
with figure("The dimension of 200 points on a circle: 0 for small noise, 1 in the middle, 0 for large noise.", size=(6, 3)) as ax:
    ax.semilogx(times, [3 - t**2 * fisher_from_mmse(e, t, 3) for e, t in zip(errors, times)], label=r"$D-t\,dh/dt$")
    for mine in yours(fisher_from_mmse):
        ax.plot(times, [3 - t**2 * mine(e, t, 3) for e, t in zip(errors, times)], **plot.DASHED)
    ax.axvline(2 * np.pi / 200, color="black", linestyle=":", label="distance of neighbours")
    ax.set(xlabel="noise $t$", ylabel="dimension", ylim=(-0.1, 1.5))
    ax.legend()

# %% [markdown]
# ### 1.7 Doubt
# Optional: where the claims of this part stop being true. Every number comes from the cell beneath; the longer experiments
# can be read and changed in `chapters/ch03_denoising/experiments_entropy.py`.
#
# <details><summary>Can nothing write shorter than the entropy?</summary>
#
# Not if the symbols are independent. Below are 100,000 throws of the coin of 1.1 and of a *stubborn* one, whose faces are
# equally frequent but which changes face only once in ten throws. Its entropy symbol by symbol is a full bit, and yet a
# program that has never heard of either coin writes both in about 0.6 bits a throw. The entropy of *blocks* sees what is
# going on. So "the entropy of the data" means nothing before it is said what one sample is. Nor does bzip2 come near the
# entropy of the first coin, 0.469; Shannon's lengths for blocks of ten need 0.507. It has to find out what they are told.
# </details>

# %%
from chapters.ch03_denoising import experiments_entropy

plain = (np.random.default_rng(2).uniform(size=100_000) < 0.1).astype(int)
stubborn = experiments_entropy.stubborn_coin(0.1, 100_000, seed=2)

def bits_by_blocks(throws, n):
    numbers = throws.reshape(-1, n) @ 2 ** np.arange(n)  # each block read as a number
    return discrete_entropy(np.bincount(numbers, minlength=2**n) * n / len(throws)) / np.log(2) / n

# %%
for coin, throws in ("plain", plain), ("stubborn", stubborn):
    blocks_of = {f"blocks_of_{n}": bits_by_blocks(throws, n) for n in (1, 2, 8)}
    show(coin=coin, **blocks_of, bzip2=f"{experiments_entropy.compressed_bits(throws):.1f}")

# %% [markdown]
# <details><summary>Where does the order of the codebooks turn?</summary>
#
# New samples of two clouds in 16 dimensions, paid for with codebooks made from $N$ old ones; medians and quartiles over 200
# sets. Against the largest squared norm, which is a very bad variance, the covariance of the samples loses only up to about
# $N=1.25D$; against the mean variance, up to about $1.5D$. It takes ten times $D$ to come within a nat of what the true
# covariance costs. A grain of the identity mixed into it removes the reversal: then it is better from the first few samples
# on, and never infinite. Noise does the same to data: it adds $t^2I$ to their covariance.
# </details>

# %%
ratios = np.array([0.25, 0.5, 1, 1.25, 1.5, 2, 3, 5, 10])
costs = experiments_entropy.codebooks(16, [int(16 * r) for r in ratios])
alt = "Cost against samples per dimension: the plain covariance is worst near 1 and best from about 2 on; shrunk it is never bad."
with figure(alt, size=(6.5, 3.4)) as ax:
    for name, cost in costs.items():
        low, middle, high = np.quantile(np.minimum(cost, 1e4), (0.25, 0.5, 0.75), axis=1)
        ax.plot(ratios, middle, label=name)
        ax.fill_between(ratios, low, high, alpha=0.25)
    ax.set(xscale="log", xlabel="samples per dimension N / D", ylabel="nats per new sample", ylim=(0, 60))
    ax.set_xticks(ratios, [f"{r:g}" for r in ratios], minor=False)
    ax.minorticks_off()
    ax.legend()

# %%
reversed_sets = {name: (costs["covariance"] > costs[name]).mean(axis=1) for name in ("largest norm", "mean variance")}
show(N_over_D=ratios, sets_where_the_largest_norm_is_cheaper=reversed_sets["largest norm"],
     where_the_mean_variance_is=reversed_sets["mean variance"], after_ten_D=np.median(costs["covariance"][-1]),
     true_covariance=np.log(2 * np.pi * np.e * np.geomspace(1, 0.01, 16) * ([10] + [1] * 15)).sum() / 2)

# %% [markdown]
# <details><summary>Does low entropy mean simple?</summary>
#
# Among laws of variance 1 the Gaussian has the largest entropy; but how much less have others? A uniform law, or the law of
# waiting times, less than half a nat. Two clouds of width 0.1 have 1.6 nats less, and as they get thinner, any amount less.
# And entropy depends on the units: in tenths every number above grows by $\log10$, in $D$ dimensions by $D\log10$.
# So only differences in the same units mean something, and they say "concentrated near little volume", not "easy to describe":
# two clouds at 2 to the power of ten places chosen at random have low entropy too.
# </details>

# %%
x = np.arange(-12, 12, 0.01) + 0.005  # centres of cells
a, b = math.sqrt(3), math.sqrt(0.5)
bump = lambda m, s: np.exp(-((x - m) ** 2) / (2 * s**2))
laws_of_variance_1 = {"Gaussian": bump(0, 1), "Laplace": np.exp(-np.abs(x) / b),
                      "uniform": np.clip((a - np.abs(x)) / 0.01 + 0.5, 0, 1),
                      "waiting time": np.exp(-(x + 1)) * (x > -1), "two clouds": bump(-0.99**0.5, 0.1) + bump(0.99**0.5, 0.1)}
for name, f in laws_of_variance_1.items():
    p = np.where(f > 1e-30, f, 0) / f.sum()
    print(f"{name:14} variance {p @ x**2 - (p @ x) ** 2:.2f}   entropy {float(quantized_entropy(p, 0.01, 1)):.2f}")

# %% [markdown]
# <details><summary>Does noising always raise entropy?</summary>
#
# *Adding* independent noise does. Most diffusion models also shrink the data: $x_t=\sqrt{1-t^2}\,x+t\,g$ ends in $N(0,I)$,
# whatever it starts from, and whoever starts from large variances loses entropy on the way. What never goes up is what $x_t$
# tells about $x$; in the Gaussian case $h(x_t)-h(tg)=\frac12\log(1+\lambda(1-t^2)/t^2)$.
# </details>

# %%
for t in (0.1, 0.5, 0.9, 1.0):
    variance, noise = (1 - t**2) * 25 + t**2, gaussian_entropy(np.array([[t**2]]))
    entropy_t = gaussian_entropy(np.array([[variance]]))
    show(t=t, entropy=entropy_t, entropy_above_that_of_the_noise=entropy_t - noise)

# %% [markdown]
# <details><summary>Can the meter be read off samples?</summary>
#
# Take 1,000 samples for the law itself: then the posterior mean, and with it the meter, can be computed. Its largest reading
# over all $t$ is put against a standard estimate from the distances to the ten nearest samples (Levina and Bickel). Spheres
# of dimension $d$ in 20 dimensions, three seeds:
#
# - Without noise the distances do better. The meter reads low already at $d=4$: between the distance of neighbours and the
#   size of the sphere there is no room for a plateau, as that distance shrinks only like $N^{-1/d}$.
# - With noise of 0.05 in all 20 dimensions the distances, looking at the smallest scale, report mostly the noise. The meter
#   looks at every scale, and reads less, but more than 2. Neither knows which of the two answers, 2 or 20, is wanted.
# - Neither is near for $d=8$.
#
# With a *learned* denoiser in place of the posterior mean of samples the meter is not bound to them; Part 4 trains some.
# </details>

# %%
times = np.geomspace(0.03, 1, 10)
for d, noise in (1, 0), (2, 0), (4, 0), (8, 0), (2, 0.05):
    meter, neighbours = [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X = experiments_entropy.sphere(d, 20, 1000, noise, rng)
        meter.append(experiments_entropy.read_meter(X, times, rng).max())
        neighbours.append(experiments_entropy.neighbour_dimension(X))
    print(f"d = {d}, noise {noise:<4}   meter {np.mean(meter):4.1f} +- {np.std(meter):.1f}   "
          f"neighbours {np.mean(neighbours):4.1f} +- {np.std(neighbours):.1f}")
