# %% [markdown]
# ### 4.6 Views instead of labels
# **Claim.** Without labels, let every sample be a class of its own: its members are $m$ *views* of it, copies that are shifted,
# turned or disturbed so that they still show the same thing. Features of all views are of length 1, $Z_k$ ($d\times m$) has
# those of sample $k$, and rate reduction can be maximised as before, with $K=N$ classes
# ([[eqn:maximal-rate-reduction-unsupervised]]):
#
# $$\Delta R_\varepsilon=\tfrac12\log\det\Big(I+\tfrac{d}{Nm\varepsilon^2}ZZ^\top\Big)
# -\frac1N\sum_{k=1}^N\tfrac12\log\det\big(I+\beta Z_kZ_k^\top\big),\qquad\beta=\frac d{m\varepsilon^2}.$$
#
# The book finds that its first term runs ahead, and proposes to rescale it ("MCR$^2$-CTRL"), to
# $\tilde R=\frac1{2\gamma_1}\log\det(I+\frac{\gamma_2d}{Nm\varepsilon^2}ZZ^\top)$ with $\gamma_1=\gamma_2=N$. What that makes of
# the objective the book does not say. It changes its *sign*:
#
# $$\tilde R-R^c=\frac1{2N}\Big[\log\det\big(I+\beta ZZ^\top\big)-\sum_{k=1}^N\log\det\big(I+\beta Z_kZ_k^\top\big)\Big]\le0,$$
#
# with equality if and only if the groups are orthogonal, $Z_k^\top Z_l=0$ for $k\ne l$.
#
# **Derive.** (1) What is left of $\frac{\gamma_2d}{Nm\varepsilon^2}$? (2) Why at most 0? Think of the $Nm\times Nm$ matrix
# $I+\beta Z^\top Z$ and its $N$ diagonal blocks. (3) Can it be 0 with more samples than dimensions?
#
# <details><summary>Answers</summary>
#
# (1) Exactly $\beta$: both terms now have the same factor. (2) $\log\det(I+\beta ZZ^\top)=\log\det(I+\beta Z^\top Z)$ (Part 2),
# and the determinant of a positive definite matrix is at most the product of those of its diagonal blocks $I+\beta Z_k^\top
# Z_k$ (Exercise 4.2 of the book; equality if all other blocks are 0). (3) No: $N>d$ nonzero vectors, one from each group,
# cannot be orthogonal. So $\Delta R$ lives in $[0,\infty)$ and its rescaled cousin below 0: they ask for the same thing, but
# the first is paid for expansion and the second for compression first.
# </details>
#
# #### Exercise: rate reduction under control
# *Core, 10 minutes.*

# %%
@exercise("ch04.ctrl_objective")
def ctrl_objective(Zs: "(N, d, m)", eps: float) -> "()":
    """MCR2-CTRL in nats, for features of m views of each of N samples (columns of Zs[k]): the rescaled rate of all N m views
    together, log det(I + gamma_2 d / (N m eps^2) Z Z^T) / (2 gamma_1) with gamma_1 = gamma_2 = N, minus the mean over the samples
    of the coding rate of their m views, log det(I + d / (m eps^2) Z_k Z_k^T) / 2.
    Example: Zs = [[[1., 1.], [0., 0.]], [[1., 0.], [0., 1.]]], eps = 1.  ->  -0.1014"""
    #: solution
    Zs = np.asarray(Zs)
    N, d, m = Zs.shape
    beta = d / (m * eps**2)
    logdet = lambda Z: np.linalg.slogdet(np.eye(d) + beta * Z @ Z.T)[1]
    whole = logdet(np.concatenate(list(Zs), axis=1))
    return (whole - sum(logdet(Z_k) for Z_k in Zs)) / (2 * N)
    #: end

# %% [markdown]
# **See.** Free features (no network) of 24 samples, 3 views each, in 8 dimensions, that climb the gradient of one objective or
# the other from the same start. The rescaled one does what the book describes: it first compresses, and the whole with it, and
# then expands. Dotted: the best values there are (4.8). *Both* arrive.

# %%
from chapters.ch04_lossy_compression import experiments_unsupervised as trial

start, eps, steps = trial.clustered_views(24, 8, 3), 0.5, [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
paths = {name: trial.ascent(name, start, steps, eps) for name in ("MCR2", "CTRL", "SimDINO")}
whole, groups, reduction, rescaled = trial.best_rates(24, 8, eps)
alt = "MCR2 raises R at once; CTRL lets R and the groups' rate fall first. Both end at the dotted values, even of CTRL's."
with figure(alt, size=(7.5, 2.4), ncols=3) as axes:
    for name, color, marker in zip(("MCR2", "CTRL"), plot.COLORS, plot.MARKERS):
        R, R_c = np.array([trial.two_rates(Zs, eps) for Zs in paths[name]]).T
        style = dict(color=color, marker=marker, markersize=3)
        axes[0].plot(steps, R, label=f"R, {name}", **style)
        axes[0].plot(steps, R_c, ":", label=f"R_c, {name}", **style)
        axes[1].plot(steps, R - R_c, **style)
        axes[2].plot(steps, [ctrl_objective(Zs, eps) for Zs in paths[name]], **style)
    for mine in yours(ctrl_objective):
        axes[2].plot(steps, [mine(Zs, eps) for Zs in paths["CTRL"]], **plot.DASHED)
    for ax, best, title in zip(axes, (whole, reduction, rescaled), ("rates", r"$\Delta R$", "rescaled: $\\tilde R-R^c$")):
        ax.axhline(best, color="black", linestyle=":", marker="None", linewidth=1)
        ax.set(xscale="symlog", xlim=(0, 700), xticks=[0, 1, 10, 100], title=title, xlabel="steps")
    axes[0].axhline(groups, color="black", linestyle=":", marker="None", linewidth=1)
    axes[0].legend(fontsize="x-small", loc=(0.5, 0.22))

# %% [markdown]
# ### 4.7 Cosines instead of log-determinants
# **Claim.** For two unit vectors with cosine $c$ the three objectives of the book's Exercise 4.3 are functions of $c$ alone, and
# $\log\det(I+ZZ^\top)$ with $Z=[z_1,z_2]$ *falls* as $c$ rises from 0 to 1. To draw two views together one may therefore
# minimise their rate, or maximise their cosine, or minimise their distance: the same, as long as $c\ge0$.
#
# **Derive.** What are the eigenvalues of $Z^\top Z$?
#
# #### Exercise: three objectives of two vectors (Exercise 4.3)
# *More, 6 minutes.*

# %%
@exercise("ch04.three_objectives")
def three_objectives(c: float) -> "(), (), ()":
    """For two vectors of length 1 with cosine c, -1 <= c <= 1: their inner product, their squared distance ||z_1 - z_2||^2, and
    log det(I + Z Z^T) where Z has the two as columns.
    Example: c = 0.5  ->  (0.5, 1., 1.322)"""
    #: solution
    squared_distance = 2 * (1 - c)
    return c, squared_distance, jnp.log(4 - c**2)
    #: end

# %% [markdown]
# <details><summary>If you read the book: Exercise 4.3</summary>
#
# Printed: maximal inner product, minimal distance and *maximal* $\log\det(I+ZZ^\top)$ are equivalent. The first two are. The
# third is largest at $c=0$, where the others are not optimal: it holds with *minimal*, and for $c\ge0$ only. Below 0 even that
# fails, as in the last line: of $c=-0.9$ and $c=0.5$ the second has the larger cosine and the larger log-determinant. (The
# determinant cannot tell $z$ from $-z$: both span the same line.)
# </details>

# %%
table = np.array([three_objectives(c) for c in (-0.9, 0.0, 0.5, 1.0)])
show(cosine=table[:, 0], squared_distance=table[:, 1], log_det=table[:, 2])
show(of_these_the_largest_log_det_has_cosine=table[table[:, 2].argmax(), 0])

# %% [markdown]
# **Claim.** For $m$ views the rate of a group is a function of their Gram matrix $G=Z_k^\top Z_k$, which has the cosines off its
# diagonal and ones on it: $\log\det(I+\beta G)$. Its derivative in the cosine $c_{ij}$ is
# $2\beta\big[(I+\beta G)^{-1}\big]_{ij}$. The 2 is there because $c_{ij}$ stands in $G$ twice. The book leaves open when
# minimising the rate is the same as maximising the cosines (its footnote before
# [[eqn:maximal-rate-reduction-unsupervised-simdino]]). Here is the answer, one step after the other: raising a cosine lowers the
# rate where that entry of the inverse is negative, and only there.
#
# #### Exercise: the rate of a group, and its slope
# *More, 10 minutes.*

# %%
@exercise("ch04.group_rate")
def group_rate(G: "(m, m)", beta: float) -> "(), (m, m)":
    """log det(I + beta G) for the Gram matrix G of m unit vectors (symmetric, ones on the diagonal), and the symmetric matrix of
    its derivatives in the cosines: entry (i, j) says how fast the value rises if the cosine of vectors i and j rises, that is
    G[i, j] and G[j, i] together; its diagonal is 0, as lengths stay 1.
    Example: G = [[1., 0.5], [0.5, 1.]], beta = 1.  ->  (1.322, [[0., -0.2667], [-0.2667, 0.]])"""
    #: solution
    A = np.eye(len(G)) + beta * np.asarray(G)
    slope = 2 * beta * np.linalg.inv(A)
    np.fill_diagonal(slope, 0)
    return np.linalg.slogdet(A)[1], slope
    #: end

# %% [markdown]
# **Derive.** The simplest group: all cosines equal $c$, so that $G=(1-c)I+c\,\mathbf 1\mathbf 1^\top$. You need one identity:
# $\det(I+s\,uu^\top)=1+s\,u^\top u$ for a vector $u$ and a number $s$.
#
# #### Exercise (derivation): a group of equal cosines
# *More, 10 minutes.*

# %%
@derivation("ch04.equicorrelated_chain")
def equicorrelated_chain(c, beta, m):
    """From the log-determinant of m views with equal cosines c to two logarithms.
    Pass through the log-determinant of I plus a multiple of the matrix of ones, then through a line without determinants."""
    log, logdet = np.log, lambda A: np.linalg.slogdet(A)[1]
    eye, ones = np.eye(m), np.ones((m, m))
    side = 1 + beta * (1 - c)  # what I + beta G does to vectors whose entries add up to 0
    yield logdet(eye + beta * ((1 - c) * eye + c * ones))
    #: solution
    yield logdet(side * (eye + beta * c / side * ones))
    yield m * log(side) + logdet(eye + beta * c / side * ones)
    yield m * log(side) + log(1 + m * beta * c / side)
    #: end
    yield (m - 1) * log(1 + beta * (1 - c)) + log(1 + beta * (1 + (m - 1) * c))

# %% [markdown]
# <details><summary>So when is it the same?</summary>
#
# Differentiate the last line: $(m-1)\beta\Big[\frac1{1+\beta(1+(m-1)c)}-\frac1{1+\beta(1-c)}\Big]$, which has the sign of $-c$.
# For equal cosines the rate is largest at $c=0$ and falls on both sides: minimising it is maximising cosines if $c\ge0$. For
# cosines that are not equal, first order near a common $c>0$ is the same by continuity: near collapse of the views it is always
# equivalent. Near $c_{ij}=0$ it is not: the rate is flat there, second order in the cosines, while their sum is not. Small
# $\beta$ shows it all at once: $\log\det(I+\beta G)\approx\beta m-\frac{\beta^2}2\big(m+\sum_{i\ne j}c_{ij}^2\big)$. The rate
# is small where the *squares* are large.
# </details>
#
# **Play.** The rate of $m$ views with equal cosines (they cannot be less than $-1/(m-1)$), by your `group_rate`, beside the
# straight line that a sum of cosines would be. Where do the two agree on which way to go? What does $\beta$, that is, a finer
# accuracy, change?

# %%
def draw_group(fig, beta, m):
    ax = fig.subplots()
    cosines = np.linspace(-0.98 / (m - 1), 1, 41)
    Gs = [(1 - c) * np.eye(m) + c for c in cosines]
    found = [group_rate(G, beta) for G in Gs]
    values, slopes = np.array([value for value, _ in found]), np.array([slope[0, 1] for _, slope in found])
    ax.plot(cosines, values, marker="None", label="log det")
    for mine in yours(group_rate):
        ax.plot(cosines, [mine(G, beta)[0] for G in Gs], **plot.DASHED)
    ends = np.array([cosines[0], 1.0])
    ax.plot(ends, values.max() + (values[-1] - values.max()) * ends, ":", marker="None", label="a sum of cosines")
    rising = slopes > 1e-6 * beta
    ax.fill_between(cosines, values.min(), values.max(), where=rising, color=plot.COLORS[1], alpha=0.15)
    ax.set(xlabel="cosine of all pairs", ylabel="nats")
    ax.legend()
    return f"With beta = {beta} and m = {m} the rate rises with the cosine where shaded, below 0, and falls above 0."

explore(draw_group, {"beta": [0.1, 1.0, 4.0, 16.0, 64.0], "m": [2, 3, 6]}, start={"beta": 16.0, "m": 3}, size=(4.6, 2.4))

# %% [markdown]
# **Claim.** With three vectors of unequal cosines, even in the plane, the two objectives can disagree about which of two
# configurations is better.
#
# #### Exercise: a witness
# *Challenge, 10 minutes.*

# %%
@exercise("ch04.disagreeing_triples")
def disagreeing_triples(beta: float) -> "(2, 3), (2, 3)":
    """Two triples of unit vectors in the plane, each as the columns of a (2, 3) matrix Z: the first has the larger sum of cosines
    over its three pairs, and yet also the larger log det(I + beta Z Z^T), both by 0.1 at least. beta is between 1 and 20."""
    #: solution
    on_circle = lambda *degrees: np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    alike = on_circle(0, 60, -60)
    opposite = on_circle(0, 0, 180)
    return alike, opposite
    #: end

# %% [markdown]
# <details><summary>If you read the book: what a group costs</summary>
#
# Dropping the log-determinants of groups is motivated by a cost of order $d^3$ for each sample
# (before [[eqn:maximal-rate-reduction-unsupervised-simdino]]). That is the cost of $\det(I+\beta Z_kZ_k^\top)$ written out; the
# book's own remark on computing rates (Part 2) gives it from the $m\times m$ matrix $Z_k^\top Z_k$, in the order of $dm^2+m^3$.
# Counted below for $d=128$ and two views, products and a Cholesky factor ($n^3/3$) on either side. So for a few views the exact
# rate is about as cheap as cosines; the reason to prefer cosines must be another one (simplicity; and see what wins in Doubt).
# </details>

# %%
d, m, rng = 128, 2, np.random.default_rng(0)
Z_k = rng.normal(size=(d, m)) / np.sqrt(d)
sides = [np.linalg.slogdet(np.eye(len(A)) + 64 * A)[1] for A in (Z_k @ Z_k.T, Z_k.T @ Z_k)]
show(rate_by_either_side=np.array(sides), multiplications_large_side=d * d * m + d**3 // 3, small_side=d * m * m + m**3 // 3)

# %% [markdown]
# ### 4.8 SimDINO
# **Claim.** Replace the groups' rates by cosines, keep the rate of the whole, and the objective is
# ([[eqn:maximal-rate-reduction-unsupervised-simdino]])
#
# $$\max\;R_\varepsilon(Z)+\frac\gamma N\sum_{k=1}^N\sum_{i\ne j}z_{k,i}^\top z_{k,j},\qquad\|z_{k,i}\|=1.$$
#
# #### Exercise (derivation): two more ways to say similarity
# The double sum over views need not be one. And it is a squared distance in disguise.
#
# *More, 8 minutes.*

# %%
@derivation("ch04.similarity_chain")
def similarity_chain(Zs):
    """From cosines of pairs of different views to squared distances, for unit columns.
    Pass through the sum of the views of each sample, the double sum being gone."""
    Zs, (N, d, m) = np.asarray(Zs), Zs.shape
    G = Zs.swapaxes(1, 2) @ Zs  # (N, m, m): the cosines of the views of each sample
    squares = ((Zs[:, :, :, None] - Zs[:, :, None, :]) ** 2).sum(axis=1)  # (N, m, m): ||z_i - z_j||^2
    different = 1 - np.eye(m)
    yield (G * different).sum() / N
    #: solution
    yield G.sum() / N - m
    yield (Zs.sum(axis=2) ** 2).sum() / N - m
    yield (1 - squares / 2).sum() / N - m
    #: end
    yield m * (m - 1) - squares.sum() / (2 * N)

# %% [markdown]
# #### Exercise: the objective of SimDINO
# *Core, 10 minutes.*

# %%
@exercise("ch04.simdino")
def simdino(Zs: "(N, d, m)", eps: float, gamma: float) -> "()":
    """The coding rate of all N m views together, plus gamma times the mean over the N samples of the sum of cosines over all
    ordered pairs of different views: (i, j) and (j, i) both count, (i, i) does not. The columns of every Zs[k] have length 1.
    Example: Zs = [[[1., 1.], [0., 0.]], [[1., 0.], [0., 1.]]], eps = 1., gamma = 2.  ->  2.661"""
    #: solution
    Zs = np.asarray(Zs)
    N, d, m = Zs.shape
    Z = np.concatenate(list(Zs), axis=1)
    rate = np.linalg.slogdet(np.eye(d) + d / (N * m * eps**2) * Z @ Z.T)[1] / 2
    sums = Zs.sum(axis=2)
    return rate + gamma * (np.sum(sums**2) - N * m) / N
    #: end

# %% [markdown]
# **Claim** (ours). *What does the rate do here?* The cosines alone are happiest when every feature of every sample is the same
# vector: *collapse*. Nothing is wrong with that for them. With the rate the best is: the views of a sample agree, *and* the
# samples spread evenly, $\frac1{Nm}ZZ^\top=\frac1dI$ (possible if $N\ge d$). Both terms are at their best there, so the
# optimum does not depend on $\gamma$. It is an optimum of $\Delta R$ and of the rescaled objective, too.
#
# **Derive.** $\lambda_1,\dots,\lambda_d\ge0$ are the eigenvalues of $\frac1{Nm}ZZ^\top$. (1) What do they add up to? (2) For
# which is $\frac12\sum\log(1+\lambda_id/\varepsilon^2)$ largest, for which smallest? (3) What is the least rate of a group?
#
# <details><summary>Answers</summary>
#
# (1) To 1, as all columns have length 1. (2) The logarithm is concave: largest when all are $1/d$, smallest when one is 1. (3)
# Again one eigenvalue for all, $\frac12\log(1+\beta m)=\frac12\log(1+d/\varepsilon^2)$, when the views are equal, up to signs
# that a determinant does not see. So features that agree in their views and spread evenly are best for all three objectives at
# once. They differ in how one gets there, and in what a network can do that must give similar images similar features.
# </details>
#
# #### Exercise: the worst and the best
# *More, 8 minutes.*

# %%
@exercise("ch04.collapse_value")
def collapse_value(eps: float, gamma: float, d: int, m: int) -> "(), ()":
    """The objective of SimDINO for unit features in d dimensions, m views a sample: if all features of all samples are one and
    the same vector; and the largest value it can have (with at least d samples).
    Example: eps = 1., gamma = 0.5, d = 3, m = 2  ->  (1.693, 2.04)"""
    #: solution
    agree = gamma * m * (m - 1)
    collapsed = np.log(1 + d / eps**2) / 2
    spread = d * np.log(1 + 1 / eps**2) / 2
    return collapsed + agree, spread + agree
    #: end

# %% [markdown]
# **Claim** (ours). Is collapse at least unstable? Move the features away from one vector $z$, by $t\,u_{k,i}$ with mean 0 and
# mean square 1 across $z$, and bring them back to length 1. Of the square of $u$ let the share $w$ lie *between the views* of a
# sample, the rest between samples. Then the objective changes by
#
# $$t^2\Big[\frac{a^2}{2(1+a)}-\gamma m^2w\Big]+O(t^3),\qquad a=\frac d{\varepsilon^2}.$$
#
# Spread between samples alone ($w=0$) always pays. A network cannot choose $w$ freely: what moves samples apart moves views
# apart. If $\gamma$ is so large that every direction it knows has a negative bracket, it stays collapsed.
#
# #### Exercise: a way out
# *Challenge, 12 minutes.*

# %%
@exercise("ch04.collapse_curvature")
def collapse_curvature(within: float, eps: float, gamma: float, d: int, m: int) -> "()":
    """The coefficient of t^2 in SimDINO's objective when the features leave their common vector z for z + t u_ki (then scaled to
    length 1): the u_ki are orthogonal to z, their mean is 0, the mean of ||u_ki||^2 is 1, and `within` is the mean of
    ||u_ki - u_k||^2, where u_k is the mean of the m views of sample k.
    Example: within = 0.25, eps = 1., gamma = 0.5, d = 3, m = 2  ->  0.625"""
    #: solution
    a = d / eps**2
    rate = a**2 / (2 * (1 + a))
    return rate - gamma * m**2 * within
    #: end

# %% [markdown]
# <details><summary>The derivation</summary>
#
# *Rate.* $S=\frac1{Nm}ZZ^\top$ has the entry $1-t^2$ along $z$, the block $t^2C$ across with $\operatorname{tr}C=1$, and between
# them terms of order $t^3$ (the $u$ have mean 0). So $\frac12\log\det(I+aS)=\frac12\log(1+a-at^2)+\frac12\operatorname{tr}(at^2C)
# +O(t^3)$, and the coefficient of $t^2$ is $\frac12\big(a-\frac a{1+a}\big)=\frac{a^2}{2(1+a)}$.
#
# *Cosines.* By the chain above they are $m(m-1)-\frac1{2N}\sum\|z_{k,i}-z_{k,j}\|^2$. To second order only the $tu$ differ, and
# $\sum_{i,j}\|u_{k,i}-u_{k,j}\|^2=2m\sum_i\|u_{k,i}-\bar u_k\|^2$; summed over $k$ that is $2m\cdot Nmw$. So
# $-\frac{1}{2N}\cdot2Nm^2w\,t^2=-m^2w\,t^2$.
# </details>
#
# **Play.** 40 samples with 4 views in 8 dimensions leave collapse along a random direction with $w=0.3$: the objective of your
# `simdino`, minus its value at collapse, and your parabola (dotted). At which $\gamma$ does the way out close?

# %%
leave = trial.leaving(40, 8, 4, within=0.3)
ts = np.linspace(0, 2, 21)

def draw_escape(fig, gamma):
    ax = fig.subplots()
    path = [leave(t) for t in ts]
    at_collapse, _ = collapse_value(0.5, gamma, 8, 4)
    ax.plot(ts, [simdino(Zs, 0.5, gamma) - at_collapse for Zs in path], label="objective")
    for mine in yours(simdino):
        ax.plot(ts, [mine(Zs, 0.5, gamma) - at_collapse for Zs in path], **plot.DASHED)
    bend = float(collapse_curvature(0.3, 0.5, gamma, 8, 4))
    near = ts[ts <= 0.6]
    ax.plot(near, bend * near**2, ":", marker="None", linewidth=3, label="parabola")
    ax.axhline(0, color="black", marker="None", linewidth=0.8)
    ax.set(xlabel="distance t from collapse", ylabel="gain in nats")
    ax.legend()
    return f"With gamma = {gamma} the parabola opens {'up: spreading out pays' if bend > 0 else 'down: collapse holds'}."

explore(draw_escape, {"gamma": [0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 8.0]}, start={"gamma": 1.0}, size=(4.6, 2.4))

# %% [markdown]
# **See.** Digits, and a perceptron with two hidden layers that has never seen a label: 64 images a step, four views of each
# (turned by up to 15 degrees, shifted by up to a pixel, scaled, brightened, with noise), 32 features, five seeds, 1,000 steps
# of `training.train`. With both terms; with cosines alone; with the rate alone. (Stored; `RUN_LONG=1` trains anew, in about a
# minute.)

# %%
from chapters.ch04_lossy_compression import long_unsupervised

found = measured(long_unsupervised.with_and_without)
names, middles = found["names"], (found["edges"][:-1] + found["edges"][1:]) / 2
alt = "Spectra: even with both terms or the rate alone, one direction with cosines alone, where also all cosines are 1."
with figure(alt, size=(7.5, 2.4), ncols=3) as axes:
    for name, color, spectra, apart, near in zip(names, plot.COLORS, found["spectra"], found["cosines"], found["views"]):
        axes[0].semilogy(np.arange(1, 33), np.median(spectra, axis=0).clip(1e-12), color=color, marker="None", label=name)
        axes[1].step(middles, apart, color=color, where="mid", marker="None")
        axes[2].step(middles, near, color=color, where="mid", marker="None")
    axes[0].set(title="spectrum of $ZZ^\\top/N$", xlabel="direction", ylim=(1e-9, 3))
    axes[1].set(title="two different digits", xlabel="cosine", ylim=(0, 0.35))
    axes[2].set(title="two views of one digit", xlabel="cosine", ylim=(0, 1.05))
    axes[0].legend(fontsize="x-small", loc=(0.02, 0.35))

# %% [markdown]
# Cosines alone: collapse. The features of all digits are one vector, but for differences of about a thousandth. Beware of scores
# that do not see it: nearest neighbours have no unit of length, and read the class out of those thousandths in nine of ten cases
# (an untrained network: 94 %). To a *given accuracy*, here features with a root mean square error of 0.1, nothing is left but
# chance. The rate alone spreads everything, the views of one digit too, and ranks below the untrained network.

# %%
print("                5-NN  with error 0.1   linear   effective rank")
for name, table, rounded in zip(names, found["scores"], found["rounded"]):
    (near, probe, *_, rank), spread = table.mean(axis=0), table.std(axis=0, ddof=1)[0]
    print(f"{name:14} {near:.3f} +- {spread:.3f}   {rounded.mean():.2f}       {probe:.2f}       {rank:.1f}")

# %% [markdown]
# **See.** The book's [[fig:train-test-loss-selfsup]] on a small scale: $R$, $R^c$ and $\Delta R$ of a batch of test digits that
# no network has seen, along 1,600 steps (stored: two minutes), for three objectives, SimDINO with $\gamma=1$; bands are the
# range of five seeds. Dotted: the values of collapse and the best ones, by your `collapse_value`. Again the rescaled objective
# compresses first: within a few steps it is close to collapse, out of which it climbs for the rest of the time.

# %%
run = measured(long_unsupervised.four_objectives)
alt = "MCR2 and SimDINO jump to high R and slowly compress groups; CTRL falls to the value of collapse and then slowly expands."
with figure(alt, size=(7.5, 2.4), ncols=3) as axes:
    for name, paths, color, marker in zip(run["names"], run["rates"], plot.COLORS, plot.MARKERS):
        R, R_c = paths[..., 0], paths[..., 1]
        for ax, values in zip(axes, (R, R_c, R - R_c)):
            ax.plot(run["steps"], values.mean(axis=1), color=color, marker=marker, markersize=3, label=name)
            ax.fill_between(run["steps"], values.min(axis=1), values.max(axis=1), color=color, alpha=0.25)
    collapsed, spread = (float(value) for value in collapse_value(np.sqrt(0.5), 0.0, 32, 4))
    dotted = ("$R$", (collapsed, spread)), ("$R^c$", (collapsed,)), (r"$\Delta R$", (spread - collapsed,))
    for ax, (title, lines) in zip(axes, dotted):
        for line in lines:
            ax.axhline(line, color="black", linestyle=":", marker="None", linewidth=1)
        ax.set(xscale="symlog", xlim=(0, 2000), xticks=[0, 10, 100, 1000], title=title, xlabel="steps")
    axes[0].legend(fontsize="x-small", loc=(0.5, 0.3))

# %% [markdown]
# **See.** And [[fig:unsupervised-clustering-results]]: do the features cluster by digit? $k$-means with 10 clusters (ten
# starts) on the training features of the same networks, against the labels, which nobody has used: accuracy under the best
# naming of clusters (ACC), normalised mutual information (NMI) and adjusted Rand index (ARI) of `book_utils.partitions`. The
# book uses another clustering method (EnSC) and CIFAR; what stands here is about digits and $k$-means. Beside them a
# contrastive loss (3.2, with its own pair in the denominator and scores divided by 0.2), networks without training, and plain
# pixels.

# %%
print(" " * 14 + "".join(f"{name:16}" for name in ("ACC", "NMI", "ARI", "5-NN", "final rate reduction")))
final = {name: f"{(paths[-1, :, 0] - paths[-1, :, 1]).mean():.1f}" for name, paths in zip(run["names"], run["rates"])}
tables = {**dict(zip(run["names"], run["scores"])), "contrastive": run["contrastive"], "untrained": run["untrained"]}
for name, table in tables.items():
    mean, spread = table.mean(axis=0), table.std(axis=0, ddof=1)
    print(f"{name:12}" + "".join(f"  {mean[i]:.3f} +- {spread[i]:.3f}" for i in (2, 3, 4, 0)) + f"  {final.get(name, '')}")
print(f"{'pixels':12}" + "".join(f"  {run['pixels'][i]:.3f}         " for i in (2, 3, 4, 0)))

# %% [markdown]
# <details><summary>If you read the book: does control lead to a higher rate reduction?</summary>
#
# The book reports (after [[eqn:maximal-rate-reduction-unsupervised]]) that with the rescaled rate features are first
# compressed, then expanded, and end at a higher $\Delta R$ than with plain rate reduction. The first half is what both figures
# above show. The second is not a property of the objective: both have the *same* optimum (4.8), free features reach it with
# either, and on digits, with this network and at equal steps, the rescaled objective ends far lower (last column) and is still
# climbing. What does hold here: its features cluster *better* than those of plain rate reduction, with less than a third of the
# $\Delta R$. A higher value of an objective is not yet a better representation.
# </details>
#
# **Claim.** SimDINO, DINO and contrastive learning are relatives ([[sec:SimDINO]], [[sub:contrastive_learning_objective]]). All
# draw the views of a sample together; they differ in what keeps the samples apart. *Contrastive* losses push each feature away
# from those of other samples in the batch, pair by pair. *DINO* compares softmax scores with those of a slowly following copy
# of the network, the teacher, and avoids collapse by centring and sharpening the teacher's scores, on a schedule. *SimDINO*
# keeps the views, drops scores, centring and sharpening, and lets the coding rate do it. For coarse $\varepsilon$ (small
# $a=d/\varepsilon^2$) the rate, too, is a sum over pairs:
#
# $$R_\varepsilon(Z)=\frac a2-\frac{a^2}4\cdot\Big(\text{mean of }(z^\top z')^2\text{ over all pairs of columns}\Big)+O(a^3).$$
#
# **Derive.** Expand $\frac12\log\det(I+aS)$ with $S=\frac1{Nm}ZZ^\top$; what is $\operatorname{tr}S^2$ in terms of $Z^\top Z$?
#
# <details><summary>Answer, and a difference</summary>
#
# $\frac12\operatorname{tr}(aS)-\frac14\operatorname{tr}(a^2S^2)+\dots$, $\operatorname{tr}S=1$, and
# $\operatorname{tr}S^2=\frac1{(Nm)^2}\|Z^\top Z\|_F^2$. So the rate repels, too, but by *squares* of cosines: it wants others
# orthogonal, not opposite, and two opposite features are as bad as two equal ones. And no table of all pairs is needed:
# a $d\times d$ matrix has it all.
# </details>

# %%
Zs = trial.clustered_views(24, 8, 3)
Z = trial.together(Zs)
for eps in (4.0, 16.0, 64.0):
    a = 8 / eps**2
    pairs = a / 2 - a**2 / 4 * np.mean((Z.T @ Z) ** 2)
    show(eps=eps, repulsion_by_rate=(a / 2 - simdino(Zs, eps, 0.0)) / a**2, by_pairs=(a / 2 - pairs) / a**2)

# %% [markdown]
# <details><summary>What the authors report, and what is not reproduced here</summary>
#
# On ImageNet, after 100 epochs, [[tab:dino_imagenet_linear_probing_teaser]] has (20 nearest neighbours / linear probe): ViT-B
# with DINO 72.9 / 76.3, with SimDINO 74.9 / 77.3; ViT-L with SimDINO 75.6 / 77.4, where DINO diverged. These are the authors'
# numbers. Nothing on this page can confirm or deny them: that takes ImageNet and days on several accelerators. Chapter 8 returns
# to the method. What can be checked on a small machine has been: the terms, what each is there for, and where they fail.
# </details>
