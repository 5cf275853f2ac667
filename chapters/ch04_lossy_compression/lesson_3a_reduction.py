# %% [markdown]
# ## Part 3: What makes a representation good
#
# After this part you can
# - say what cross-entropy makes of features when nothing holds it back, and what is lost;
# - name three wishes for a representation, and measure all three with one number, the *rate reduction*;
# - prove that it is never negative, and say when it is 0, how it grows with the scale, and why scale has to be fixed;
# - differentiate it by hand, and let features climb it;
# - extend it to uncertain labels, and see why nothing is gained by leaving them uncertain;
# - say where its optima lie, and which of them an ascent will find.
#
# Core exercises: 36 minutes. *More* and *challenge* exercises are for those who want them.

# %% [markdown]
# ### 3.1 What cross-entropy makes of features
# **Claim.** A classifier gives every sample $K$ scores, the *logits*; a softmax makes them probabilities. Trained is the mean
# number of nats that these probabilities spend on the labels ([[chap4-eqn:cross-entropy]]):
#
# $$-\frac1N\sum_{i=1}^N\log p_{y_i}(x_i),\qquad p_k(x)=\frac{e^{\ell_k(x)}}{\sum_l e^{\ell_l(x)}} .$$
#
# Its gradient in the logits of sample $i$ is $(p(x_i)-e_{y_i})/N$ with $e_k$ the $k$-th unit vector: what is predicted minus what
# is true. It is never 0, so a network that can is pushed to ever larger margins, whether the labels are true or not.
#
# #### Exercise: cross-entropy from logits
# *More, 6 minutes.*

# %%
@exercise("ch04.cross_entropy")
def cross_entropy(labels: "(N,)", logits: "(K, N)") -> "()":
    """Mean over the N samples of -log p[label], in nats, where p is the softmax of the sample's column of logits. Logits may be
    as large as 10,000: nothing may overflow, and no log 0.
    Example: labels = [1, 0], logits = [[0., 2.], [0., 0.], [0., 0.]]  ->  0.6692"""
    #: solution
    logits, N = np.asarray(logits), len(labels)
    logits = logits - logits.max(axis=0)
    return np.mean(np.log(np.exp(logits).sum(axis=0)) - logits[np.asarray(labels), np.arange(N)])
    #: end

# %% [markdown]
# **Claim.** Let the features $z_i$ be *free*: not the output of a network, but parameters themselves, beside a linear classifier
# with logits $Wz_i+b$ and a little weight decay. Then cross-entropy ends in *neural collapse* ([[remark:neural-collapse]]):
#
# 1. all features of a class become one vector, the class mean;
# 2. the class means, measured from their common centre, become equally long and point as far apart as $K$ vectors can: they
#    form a *simplex*, every cosine is $-1/(K-1)$;
# 3. the rows of $W$, up to scale, do the same.
#
# **Derive.** (1) $m_1,\dots,m_K$ are unit vectors. Expand $\|\sum_km_k\|^2\ge0$: how small can the largest of their inner
# products be? (2) When is it as small as that?
#
# <details><summary>Answers, and what they say about training</summary>
#
# (1) $0\le K+\sum_{k\ne l}m_k^\top m_l$, so the mean of the $K(K-1)$ inner products is at least $-1/(K-1)$, and the largest is
# not smaller than the mean. (2) When all are equal and $\sum_km_k=0$.
#
# Why does training go there? The gradient in $z_i$ is $W^\top(p(x_i)-e_{y_i})/N$ plus the decay. It depends on $i$ only through
# $y_i$ and $p(x_i)$: once the probabilities of a class agree, its features are pushed alike, and decay shrinks what differs. That
# the simplex is then the best of all (for $d\ge K-1$ and classes of equal size) takes a proof that is not in the book.
# </details>
#
# #### Exercise: a simplex
# *More, 5 minutes.*

# %%
@exercise("ch04.simplex_etf")
def simplex_etf(K: int) -> "(K, K)":
    """K >= 2 unit vectors of R^K, as columns, any two of which have the inner product -1 / (K - 1). Any such K vectors will do.
    (ETF: an equiangular tight frame.)"""
    #: solution
    centred = np.eye(K) - 1 / K
    return centred * np.sqrt(K / (K - 1))
    #: end

# %% [markdown]
# #### Exercise: how far has it collapsed?
# Compare the spread of the features within their classes with the spread of the class means.
#
# *More, 8 minutes.*

# %%
@exercise("ch04.neural_collapse")
def neural_collapse(Z: "(d, N)", labels: "(N,)") -> "()":
    """Spread within the classes divided by spread between them: the mean over all N samples of ||z_i - m_i||^2, divided by the
    mean over all N samples of ||m_i - m||^2. m_i: the mean of the class of sample i; m: the mean of all N features. Classes may
    differ in size; their means are not all equal.
    Example: Z = [[1., 3., 6.], [0., 0., 0.]], labels = [0, 0, 1]  ->  0.1875"""
    #: solution
    Z, labels = np.asarray(Z), np.asarray(labels)
    M = Z.copy()
    for k in np.unique(labels):
        M[:, labels == k] = Z[:, labels == k].mean(axis=1, keepdims=True)
    centre = Z.mean(axis=1, keepdims=True)
    return np.sum((Z - M) ** 2) / np.sum((M - centre) ** 2)
    #: end

# %% [markdown]
# **See.** Free features of 4 classes in 16 dimensions, five random starts, by plain gradient descent. Both parts of the collapse
# are complete. Of the 16 dimensions in which the 40 features differed, 3 are left.

# %%
from chapters.ch04_lossy_compression.experiments_reduction import free_features, mean_cosines

steps = [1, 3, 10, 30, 100, 300, 600, 1000, 1500, 2000, 2500]
labels, runs = free_features(steps)
cosines = mean_cosines(runs, labels).reshape(len(steps), -1)
ratio = lambda f: np.array([[f(Z, labels) for Z in run] for run in runs])
alt = "The ratio falls by almost six orders of magnitude; the cosines of class means narrow from a wide band to -1/3."
with figure(alt, size=(6.4, 2.3), ncols=2) as (left, right):
    left.loglog(steps, ratio(neural_collapse), color=plot.COLORS[0], marker="None", linewidth=1)
    for mine in yours(neural_collapse):
        left.plot(steps, np.nanmedian(ratio(mine), axis=1), **plot.DASHED)
    left.set(xlabel="steps", ylabel="within / between")
    right.fill_between(steps, cosines.min(axis=1), cosines.max(axis=1), color=plot.COLORS[1], alpha=0.4)
    right.axhline(np.asarray(simplex_etf(4))[:, 0] @ np.asarray(simplex_etf(4))[:, 1], color="black", linestyle=":")
    right.set(xscale="log", xlabel="steps", ylabel="cosines of class means")

# %% [markdown]
# Whatever else was in the data, how a 4 is slanted or how thick its stroke is, is gone: all features of a class are one word. For
# naming the class it is all one needs. For completing, editing or generating an image it is not enough.
#
# **Claim.** The *information bottleneck* makes the forgetting explicit ([[chap4-eqn:information-bottleneck]]): among features
# $z$ of $x$ maximise
#
# $$I(z;y)-\beta\,I(x;z),$$
#
# that is, know much about the label and little else. Beware: if $z=f(x)$ is a continuous, invertible function of a continuous
# $x$, then $I(x;z)=\infty$. The trade needs noise (or a finite accuracy, as the rest of this Part has). And a bottleneck still
# forgets. [[chap4-eqn:representation-learning]] therefore asks for a decoder, too, with $\|x-g(z)\|\le\varepsilon$: features like
# that are *consistent*, and the subject of [[ch:consistent-representations]].
#
# **Derive.** Let $x$ and $y$ be standard normal with correlation $c$, and let $z=x+\sigma g$. (1) What are the two informations,
# in terms of $c$ and the share $s=1/(1+\sigma^2)$ of $x$ in the variance of $z$? (2) Where is the derivative in $s$ zero?
#
# <details><summary>Answers</summary>
#
# (1) The squared correlation of $x$ and $z$ is $s$, that of $y$ and $z$ is $c^2s$, and two Gaussian numbers with squared
# correlation $r$ share $-\frac12\log(1-r)$ nats. (2) $\frac{c^2}{1-c^2s}=\frac{\beta}{1-s}$, so
# $s=\frac{c^2-\beta}{c^2(1-\beta)}$ if that is positive. If $\beta\ge c^2$ the best is to know nothing: a whole interval of
# prices for which the bottleneck is closed.
# </details>
#
# #### Exercise: the bottleneck of two Gaussian numbers
# *Challenge, 12 minutes.*

# %%
@exercise("ch04.ib_gaussian")
def ib_gaussian(corr: float, beta: float) -> "(), (), ()":
    """The best z = x + noise for I(z;y) - beta I(x;z), where x and y are standard normal with correlation corr (not 0, between -1
    and 1), the noise is independent Gaussian and 0 < beta < 1: the share of x in the variance of z (0 if pure noise is best),
    then I(x;z) and I(z;y) there, in nats.
    Example: corr = 0.8, beta = 0.4  ->  (0.625, 0.4904, 0.2554)"""
    #: solution
    square = corr**2
    share = max(0.0, (square - beta) / (square * (1 - beta)))
    return share, -np.log(1 - share) / 2, -np.log(1 - square * share) / 2
    #: end

# %% [markdown]
# ### 3.2 Three wishes
# **Claim.** A representation is *linear discriminative* ([[subsec:LDR]]) if
#
# - **within** a class features are correlated: they lie on a subspace of low dimension;
# - **between** classes they are not: the subspaces are far from each other, at best orthogonal;
# - **every class is diverse**: its subspace has as many dimensions as the first two wishes allow.
#
# Neural collapse fulfils the first wish to excess, the second nearly, and the third not at all. Two older methods know two
# wishes.
#
# *Linear discriminant analysis* looks for directions $w$ along which class means differ much and samples of a class little:
#
# $$\max_w\;\frac{w^\top S_Bw}{w^\top S_Ww},\qquad S_W=\frac1N\sum_i(x_i-m_i)(x_i-m_i)^\top,\quad
# S_B=\frac1N\sum_i(m_i-m)(m_i-m)^\top,$$
#
# with $m_i$ the mean of the class of sample $i$ and $m$ the mean of all.
#
# **Derive.** Substitute $u=S_W^{1/2}w$. What is maximised now? Which equation does the best $w$ satisfy?
#
# <details><summary>Answer</summary>
#
# $u^\top S_W^{-1/2}S_BS_W^{-1/2}u/u^\top u$: a Rayleigh quotient, largest at the top eigenvector. Back in $w$:
# $S_W^{-1}S_Bw=\lambda w$ with the largest $\lambda$. For two classes $S_B$ has rank one, and $w$ is proportional to
# $S_W^{-1}(m^{(1)}-m^{(0)})$: the line through both means, corrected for the shape of the clouds. Since $S_T=S_W+S_B$ for the
# covariance of all samples, $S_T$ in place of $S_W$ gives the same $w$: the quotient $q$ becomes $q/(1+q)$.
# </details>
#
# #### Exercise: the best direction for telling classes apart
# *More, 12 minutes.*

# %%
@exercise("ch04.lda_direction")
def lda_direction(X: "(D, N)", labels: "(N,)") -> "(D,)":
    """The direction w of length 1 (either sign) with the largest w^T S_B w / w^T S_W w. S_W: mean over all N samples of
    (x_i - m_i)(x_i - m_i)^T, with m_i the mean of the class of sample i, and invertible; S_B: mean over all N samples of
    (m_i - m)(m_i - m)^T, with m the mean of all samples. Two classes or more, of any sizes, neither empty."""
    #: solution
    X, labels = np.asarray(X), np.asarray(labels)
    means = np.stack([X[:, labels == k].mean(axis=1) for k in range(labels.max() + 1)], axis=1)
    within = X - means[:, labels]
    between = means[:, labels] - X.mean(axis=1, keepdims=True)
    values, W = np.linalg.eig(np.linalg.solve(within @ within.T, between @ between.T))
    w = W[:, values.real.argmax()].real
    return w / np.linalg.norm(w)
    #: end

# %% [markdown]
# **See.** Two flat clouds. Principal components look for variance, and find the direction that both classes share; the labels
# tell LDA to look across.

# %%
rng = np.random.default_rng(4)
clouds = np.diag([2.0, 0.35]) @ rng.normal(size=(2, 160)) + np.repeat([[-0.3, 0.3], [-0.8, 0.8]], 80, axis=1)
clouds, two = np.array([[0.9, -0.44], [0.44, 0.9]]) @ clouds, np.repeat([0, 1], 80)
pca = np.linalg.svd(clouds - clouds.mean(axis=1, keepdims=True))[0][:, 0]
ways = {"PCA": pca, "LDA": np.asarray(lda_direction(clouds, two))}
alt = "Two flat clouds side by side: projected on the principal direction they overlap, on the LDA direction they hardly do."
with figure(alt, size=(7, 2.2), ncols=3, width_ratios=[1.2, 1, 1]) as axes:
    for k in (0, 1):
        axes[0].plot(*clouds[:, two == k], plot.MARKERS[k], color=plot.COLORS[k], markersize=3)
    for (name, w), style, ax in zip(ways.items(), (":", "-"), axes[1:]):
        axes[0].axline((0, 0), w, color="black", linestyle=style, label=name)
        ax.hist([w @ clouds[:, two == k] for k in (0, 1)], bins=24, histtype="stepfilled", alpha=0.6, color=plot.COLORS[:2])
        ax.set(title=name, yticks=[])
    for mine in yours(lda_direction):
        axes[0].axline((0, 0), np.asarray(mine(clouds, two)), **plot.DASHED)
    axes[0].set(xlim=(-5, 5), ylim=(-4, 4), aspect="equal")
    axes[0].legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)

# %% [markdown]
# *Contrastive learning* does without labels. A sample and a changed copy of it (shifted, with noise) should have similar
# features, two different samples should not: of two random samples of $K$ equally large classes $1-1/K$ do come from different
# ones. Minimised is the mean over $i$ of ([[eqn:contrastive-loss]])
#
# $$-\log\frac{e^{z_i^\top z_i'}}{\sum_{j\ne i}e^{z_i^\top z_j}},$$
#
# with $z_i'$ the feature of the copy. Here the pair itself does not stand in the denominator (in many variants it does): the
# fraction is not a probability, and the loss may be negative.
#
# #### Exercise: contrastive loss
# *More, 8 minutes.*

# %%
@exercise("ch04.contrastive_loss")
def contrastive_loss(Z: "(d, N)", Z_new: "(d, M)") -> "()":
    """Mean over i of -log(exp(z_i . z'_i) / sum over j != i of exp(z_i . z_j)): column i of Z_new (with M = N) is the feature
    z'_i of a changed copy of sample i, and enters nowhere else. N >= 2. Features may be as long as 100: nothing may overflow.
    Example: Z = [[1., 0.], [0., 1.]], Z_new = [[1., 0.], [0., 1.]]  ->  -1."""
    #: solution
    Z, Z_new = np.asarray(Z), np.asarray(Z_new)
    scores = Z.T @ Z
    np.fill_diagonal(scores, -np.inf)
    top = scores.max(axis=1)
    logs = top + np.log(np.exp(scores - top[:, None]).sum(axis=1))
    return np.mean(logs - np.sum(Z * Z_new, axis=0))
    #: end

# %% [markdown]
# <details><summary>What is the best that it can hope for?</summary>
#
# For unit features the pair gives at best $-1$. For the rest, the logarithm of a mean of exponentials is at least the mean of the
# exponents (Jensen), so $\log\sum_{j\ne i}\ge\log(N-1)+$ the mean cosine, whose mean over $i$ is at least $-1/(N-1)$ by 3.1.
# Equality holds for a simplex of $N$ vertices. So without a limit on the dimension the *contrastive* optimum is a simplex too,
# one vertex per sample. The next cell has $N=4$.
# </details>

# %%
simplex, rng = np.asarray(simplex_etf(4)), np.random.default_rng(0)
others = rng.normal(size=(200, 4, 4))
others /= np.linalg.norm(others, axis=1, keepdims=True)
show(loss_of_the_simplex=contrastive_loss(simplex, simplex), bound=np.log(3) - 1 - 1 / 3)
show(least_of_200_random_configurations=min(float(contrastive_loss(Z, Z)) for Z in others))

# %% [markdown]
# ### 3.3 Rate reduction
# **Claim.** One number measures the three wishes. Let $R_\varepsilon(Z)=\frac12\log\det\big(I+\alpha ZZ^\top\big)$,
# $\alpha=d/N\varepsilon^2$, be the rate of all features together (Part 2), $R_\varepsilon(Z_k)$ with
# $\alpha_k=d/N_k\varepsilon^2$ that of class $k$ alone, and $\rho_k=N_k/N$. The *rate reduction* is
# ([[chap4-eqn:coding-length-reduction]])
#
# $$\Delta R_\varepsilon(Z)=R_\varepsilon(Z)-\sum_{k=1}^K\rho_k\,R_\varepsilon(Z_k):$$
#
# the nats per sample that are saved when the labels are known. Large as a whole: classes far apart, and diverse. Small in its
# parts: each class compact. To maximise it over features of a fixed size is the principle of *maximal coding rate reduction*
# ([[eqn:maximal-rate-reduction]]).
#
# #### Exercise: rate reduction
# *Core, 12 minutes.*

# %%
@exercise("ch04.rate_reduction")
def rate_reduction(Z: "(d, N)", labels: "(N,)", eps: float) -> "()":
    """Coding rate of all N features, minus the mean rate of the classes (weights N_k / N), in nats per sample. The rate of n
    features is 1/2 log det(I + d / (n eps^2) Z Z^T), with n the number of columns that are coded together. Features are used as
    they come, without centring or scaling. Every class from 0 to K - 1 has a sample.
    Example: Z = [[1., 1., 0.], [0., 0., 1.]], labels = [0, 0, 1], eps = 1.  ->  0.1297"""
    #: solution
    Z, labels = np.asarray(Z), np.asarray(labels)
    d, N = Z.shape
    rate = lambda F, n: np.linalg.slogdet(np.eye(d) + d / (n * eps**2) * F @ F.T)[1] / 2
    parts = 0.0
    for k in np.unique(labels):
        Z_k = Z[:, labels == k]
        N_k = Z_k.shape[1]
        parts += N_k / N * rate(Z_k, N_k)
    return rate(Z, N) - parts
    #: end

# %% [markdown]
# **Derive.** Write $\Sigma=ZZ^\top/N$ and $\Sigma_k=Z_kZ_k^\top/N_k$. (1) How is $\Sigma$ made of the $\Sigma_k$? (2) $\log\det$
# is strictly concave. What follows for $\Delta R$, and when is it 0? (3) With orthogonal $Q$ and $V_k$, what do $Z\to QZ$
# and $Z_k\to Z_kV_k$ change?
#
# <details><summary>Answers</summary>
#
# (1) $\Sigma=\sum_k\rho_k\Sigma_k$. (2) With $f(\Sigma)=\frac12\log\det(I+\frac d{\varepsilon^2}\Sigma)$ it is
# $\Delta R=f(\sum_k\rho_k\Sigma_k)-\sum_k\rho_kf(\Sigma_k)\ge0$: Jensen's inequality. It is 0 if and only if all $\Sigma_k$ are
# equal: then second moments do not tell the classes apart. (3) Nothing: $Q$ changes no eigenvalue, and $V_k$ not even
# $Z_kZ_k^\top$. Which sample sits where within its class is invisible to $\Delta R$.
# </details>
#
# **See.** 4 classes of 12 unit features in 16 dimensions, $\varepsilon=0.5$, arranged in three ways (compare
# [[fig:sphere-packing]]): on orthogonal subspaces of dimension 4; each collapsed to one vector, the four orthogonal; collapsed to
# a simplex. The height of a bar is $R$, its lower part $\sum_k\rho_kR_k$. Cross-entropy's favourite comes last.

# %%
from chapters.ch04_lossy_compression.experiments_reduction import on_subspaces

obtuse = float(np.degrees(np.arccos(-1 / 3)))
three = {"4 dimensions each,\northogonal": on_subspaces(4, 4, 90.0), "collapsed,\northogonal": on_subspaces(4, 1, 90.0),
         "collapsed,\nsimplex": on_subspaces(4, 1, obtuse)}
whole = [0.5 * np.linalg.slogdet(np.eye(16) + 16 / (48 * 0.25) * Z @ Z.T)[1] for Z, _ in three.values()]
gains = [float(rate_reduction(Z, labels, 0.5)) for Z, labels in three.values()]
alt = "Rate reductions of 7.21, 3.58 and 2.57 nats: subspaces of four dimensions, orthogonal vectors, a simplex."
with figure(alt, size=(6, 2.4)) as ax:
    ax.bar(range(3), np.subtract(whole, gains), color="#bbbbbb", label="classes, one by one")
    ax.bar(range(3), gains, bottom=np.subtract(whole, gains), color=plot.COLORS[0], label="rate reduction")
    for mine in yours(rate_reduction):
        ax.plot(range(3), [mine(Z, labels, 0.5) for Z, labels in three.values()], **plot.DASHED)
    for k, (top, gain) in enumerate(zip(whole, gains)):
        ax.text(k, top, f"{gain:.2f}", ha="center", va="bottom", color=plot.COLORS[0])
    ax.set(xticks=range(3), xticklabels=list(three), ylabel="nats per sample", ylim=(0, 14.5))
    ax.grid(False, axis="x")
    ax.legend()

# %% [markdown]
# **Play.** $K$ subspaces of dimension $q$ in 16 dimensions; any two meet at the same angle, in all $q$ directions. Left: the
# rate reduction against the angle, for every $q$. Right: $|\cos|$ between all features. When are more dimensions worth more?
# Which $q$ does a coarse $\varepsilon$ prefer?

# %%
angles = np.arange(0.0, 91.0, 15.0)

def draw_subspaces(fig, angle, q, K, eps):
    left, right = fig.subplots(1, 2, width_ratios=[1.5, 1])
    curve = lambda f, p: [float(f(*on_subspaces(K, p, a), eps)) for a in angles]
    for p in (1, 2, 3, 4):
        heights = curve(rate_reduction, p)
        left.plot(angles, heights, color=plot.COLORS[p], marker=plot.MARKERS[p], alpha=1 if p == q else 0.4, label=f"q = {p}")
        if p == q:
            value = heights[list(angles).index(angle)]
            left.plot(angle, value, "o", color="black", markersize=11, fillstyle="none")
    for mine in yours(rate_reduction):
        left.plot(angles, curve(mine, q), **plot.DASHED)
    left.set(xlabel="angle in degrees", ylabel="rate reduction", xticks=angles[::2])
    left.legend(loc="upper left")
    Z, _ = on_subspaces(K, q, angle)
    right.imshow(np.abs(Z.T @ Z), vmin=0, vmax=1, cmap="Greys")
    right.set(xticks=[], yticks=[], title="|cos| of features")
    return f"{K} subspaces of dimension {q} at {angle:g} degrees, eps = {eps:g}: a rate reduction of {value:.2f} nats."

explore(draw_subspaces, {"angle": list(angles), "q": [1, 2, 3, 4], "K": [2, 3, 4], "eps": [0.2, 0.5, 1.0, 2.0]},
        start={"angle": 60.0, "q": 3, "K": 4, "eps": 0.5}, size=(6.4, 2.6))

# %% [markdown]
# <details><summary>If you read the book: one name for two rates</summary>
#
# Between [[chap4-eqn:coding-length-eval]] and [[chap4-eqn:compress-loss-eval]] the letter $R_\varepsilon(Z_k)$ is defined anew,
# with the weight $N_k/N$ inside, while before, and in the clustering of [[sec:clustering-Gaussians]], it has none and the weight
# is written outside. Each is consistent in its place. Taken together they would weigh twice, as the next cell does for the three
# arrangements. Here $R_\varepsilon(Z_k)$ never has a weight.
# </details>

# %%
part = lambda Z: 0.5 * np.linalg.slogdet(np.eye(16) + 16 / (Z.shape[1] * 0.25) * Z @ Z.T)[1]
weighted = lambda Z, labels, power: sum(np.mean(labels == k) ** power * part(Z[:, labels == k]) for k in range(4))
show(weighted_once=[part(Z) - weighted(Z, labels, 1) for Z, labels in three.values()])
show(weighted_twice=[part(Z) - weighted(Z, labels, 2) for Z, labels in three.values()])

# %% [markdown]
# **Claim.** $\Delta R_\varepsilon(cZ)$ does not decrease when $c>0$ grows (the book says so without proof). It starts as $c^4$,
# and ends as $(\operatorname{rank}Z-\sum_k\rho_k\operatorname{rank}Z_k)\log c$. That has no bound as soon as one class has fewer
# dimensions than all together: without a limit on the size of the features there is no maximum. And since
# $R_\varepsilon(cZ)=R_{\varepsilon/c}(Z)$, a small $\varepsilon$ does the same.
#
# **Derive.** With $\beta=d/\varepsilon^2$ and $f(\Sigma)=\frac12\log\det(I+\beta\Sigma)$: what is the derivative of $f(s\Sigma)$
# in $s=c^2$? The function $A\mapsto\operatorname{tr}A^{-1}$ is convex on positive definite matrices. Use it.
#
# <details><summary>The argument</summary>
#
# In eigenvalues $f(s\Sigma)=\frac12\sum_i\log(1+s\beta\lambda_i)$, with derivative
# $\frac12\sum_i\frac{\beta\lambda_i}{1+s\beta\lambda_i}=\frac1{2s}\big(d-\operatorname{tr}(I+s\beta\Sigma)^{-1}\big)$. Hence
#
# $$\frac{d}{ds}\Delta R=\frac1{2s}\Big(\sum_k\rho_k\operatorname{tr}(I+s\beta\Sigma_k)^{-1}
# -\operatorname{tr}\big(I+s\beta\textstyle\sum_k\rho_k\Sigma_k\big)^{-1}\Big)\ge0$$
#
# by convexity. For small $s$, $\log(1+u)=u-u^2/2+\dots$ The first order cancels, since
# $\operatorname{tr}\Sigma=\sum_k\rho_k\operatorname{tr}\Sigma_k$, and what is left is
# $\frac{s^2\beta^2}4\big(\sum_k\rho_k\|\Sigma_k\|_F^2-\|\Sigma\|_F^2\big)$. For large $s$ every eigenvalue that is not 0
# contributes $\frac12\log s=\log c$.
# </details>
#
# **See.** The same three arrangements; dotted, $\log4$, the most that a label can tell. For small features, or a coarse
# $\varepsilon$, the order is another one: then collapse is worth more than diversity.

# %%
scales = np.geomspace(0.03, 30, 25)
alt = "For all three, rate reduction grows with the scale, like its fourth power at first, and passes log 4."
with figure(alt, size=(5.6, 2.5)) as ax:
    for name, (Z, labels) in three.items():
        ax.loglog(scales, [float(rate_reduction(c * Z, labels, 0.5)) for c in scales], label=name.replace("\n", " "))
        for mine in yours(rate_reduction):
            ax.plot(scales, [float(mine(c * Z, labels, 0.5)) for c in scales], **plot.DASHED)
    ax.axhline(np.log(4), color="black", linestyle=":")
    ax.text(0.03, np.log(4) * 1.15, "log 4", va="bottom")
    ax.set(xlabel="scale c of the features", ylabel="rate reduction")
    ax.legend(loc="lower right")

# %% [markdown]
# So scale has to be fixed before two representations can be compared: $\|Z_k\|_F^2=N_k$ for every class, or unit length for every
# feature, which implies it.
#
# #### Exercise: features of length 1
# *More, 4 minutes.*

# %%
@exercise("ch04.normalize_features")
def normalize_features(Z: "(d, N)") -> "(d, N)":
    """Every feature (a column) brought to Euclidean length 1; a feature that is 0 stays 0.
    Example: Z = [[3., 0., 1.], [4., 0., 0.]]  ->  [[0.6, 0., 1.], [0.8, 0., 0.]]"""
    #: solution
    lengths = np.linalg.norm(np.asarray(Z), axis=0)
    return Z / np.where(lengths > 0, lengths, 1)
    #: end

# %% [markdown]
# **See.** The raw pixels of 1,797 digits, brought to length 1. A random choice of labels gives a positive number, too: that much
# is chance, and every comparison has to say so.

# %%
images, digits = map(np.asarray, data.digits())
images, rng = np.asarray(normalize_features(images)), np.random.default_rng(0)
shuffled = [float(rate_reduction(images, rng.permutation(digits), 0.5)) for _ in range(3)]
show(rate_reduction_of_the_digits=rate_reduction(images, digits, 0.5), with_shuffled_labels=shuffled)

# %% [markdown]
# <details><summary>If you read the book: batch normalisation, and an estimate of mutual information</summary>
#
# - *Normalisation.* After [[chap4-eqn:flow]] the constraint is said to justify batch normalisation. That fixes the mean square of
#   every *channel* (row) over the batch, so $\|Z\|_F^2=dN$, and single features may have any length. The constraint is one per
#   sample, or class; what enforces it is a normalisation of columns.
# - *Information.* After [[eqn:maximal-rate-reduction]] $\Delta R$ is called, to a large extent, a computable realisation of
#   $I(z;y)$. As an estimate it cannot serve: $I(z;y)\le\log K$, and $\Delta R$ has no bound. It compares two codes, the better of
#   which has the labels for free; the other spends one *Gaussian* code on a mixture, and that waste is counted as gain. What the
#   two have in common: both are 0 when all classes have one and the same Gaussian law.
# </details>

# %%
Z = np.random.default_rng(0).normal(size=(16, 48)) * np.linspace(0.2, 3, 48)
channels = (Z - Z.mean(axis=1, keepdims=True)) / Z.std(axis=1, keepdims=True)
show(squared_norm_after_batch_normalisation=np.sum(channels**2), after_yours=np.sum(np.asarray(normalize_features(Z)) ** 2))
Z, labels = three["4 dimensions each,\northogonal"]
show(entropy_of_the_labels=np.log(4), rate_reductions=[rate_reduction(Z, labels, eps) for eps in (2.0, 0.5, 0.1, 0.01)])

# %% [markdown]
# ### 3.4 Its gradient
# **Claim.** The gradient of $\Delta R$ in the features of class $k$ is
#
# $$\frac{\partial\Delta R}{\partial Z_k}=\alpha\,(I+\alpha ZZ^\top)^{-1}Z_k-\alpha\,(I+\alpha_kZ_kZ_k^\top)^{-1}Z_k .$$
#
# The first term pushes features away from directions that are already well used; the second pulls a class together. Before both
# stands the *same* $\alpha$.
#
# **Derive.** From Part 2, $\nabla\frac12\log\det(I+\alpha ZZ^\top)=\alpha(I+\alpha ZZ^\top)^{-1}Z$. What is $\rho_k\alpha_k$?
# What is the gradient to first order near $Z=0$?
#
# <details><summary>Answers</summary>
#
# $\rho_k\alpha_k=\frac{N_k}N\cdot\frac d{N_k\varepsilon^2}=\alpha$. Near 0 both inverses are $I$ and the terms cancel: the
# gradient is of third order, as it must be for a function that starts as $c^4$. So tiny features stay tiny for a long time.
# </details>
#
# #### Exercise: the gradient of the rate reduction
# *Core, 12 minutes.*

# %%
@exercise("ch04.rate_reduction_gradient")
def rate_reduction_gradient(Z: "(d, N)", labels: "(N,)", eps: float) -> "(d, N)":
    """Gradient of the rate reduction (3.3) with respect to every entry of Z; column i belongs to sample i, whatever the order of
    the labels. The rate of n features is 1/2 log det(I + d / (n eps^2) Z Z^T). To be written out, not left to jax.grad.
    Example: Z = [[1., 1., 0.], [0., 0., 1.]], labels = [0, 0, 1], eps = 1.  ->  [[0.0635, 0.0635, 0.], [0., 0., 0.1778]]"""
    #: solution
    Z, labels = np.asarray(Z), np.asarray(labels)
    d, N = Z.shape
    alpha = d / (N * eps**2)
    G = alpha * np.linalg.solve(np.eye(d) + alpha * Z @ Z.T, Z)
    for k in np.unique(labels):
        Z_k = Z[:, labels == k]
        alpha_k = d / (Z_k.shape[1] * eps**2)
        G[:, labels == k] -= alpha * np.linalg.solve(np.eye(d) + alpha_k * Z_k @ Z_k.T, Z_k)
    return G
    #: end

# %% [markdown]
# **Play.** Three classes of 8 features on the sphere in 6 dimensions. Every step goes along the gradient, and then brings every
# feature back to length 1. In the middle the singular values of the three classes, on the right the cosines of all features. In
# which order do the three wishes come true? Do all starts end alike?

# %%
thirds = np.repeat([0, 1, 2], 8)

def climb(gradient, steps, seed):
    near = 2 * np.eye(6)[:, thirds] + 0.6
    Z, gains = np.asarray(normalize_features(near + np.random.default_rng(seed).normal(size=(6, 24)))), []
    for _ in range(steps):
        gains.append(float(rate_reduction(Z, thirds, 0.5)))
        Z = np.asarray(normalize_features(Z + 0.5 * np.asarray(gradient(Z, thirds, 0.5))))
    return Z, [*gains, float(rate_reduction(Z, thirds, 0.5))]

def draw_climb(fig, steps, seed):
    left, middle, right = fig.subplots(1, 3)
    Z, gains = climb(rate_reduction_gradient, steps, seed)
    left.plot(gains, marker="None")
    for mine in yours(rate_reduction_gradient):
        left.plot(climb(mine, steps, seed)[1], **plot.DASHED)
    left.set(xlabel="steps", ylabel="rate reduction")
    for k in range(3):
        middle.plot(range(1, 7), np.linalg.svd(Z[:, thirds == k])[1], color=plot.COLORS[k], marker=plot.MARKERS[k], linestyle=":")
    middle.set(xticks=range(1, 7), title="singular values", ylim=(-0.1, 3))
    right.imshow(Z.T @ Z, vmin=-1, vmax=1, cmap="RdBu_r")
    right.set(xticks=[], yticks=[], title="cosines")
    return f"Start {seed}: after {steps} steps the rate reduction has risen from {gains[0]:.2f} to {gains[-1]:.2f} nats."

explore(draw_climb, {"steps": [1, 10, 30, 60, 100], "seed": [1, 2, 3, 4]}, start={"steps": 100, "seed": 2}, size=(7, 2.3))

# %% [markdown]
# <details><summary>What is to be seen</summary>
#
# First every class loses dimensions, then the classes become orthogonal, and last the singular values within a class become
# equal: compact, apart, diverse. From start 2 each class ends with two of the six dimensions. From start 3 one class keeps a
# single dimension and another takes three: a lower hill, on which the ascent ends all the same. From 3.7 on you will see which
# hills there are.
# </details>

# %% [markdown]
# ### 3.5 The whole and its parts
# **Claim.** (The book's Exercise 4.2.) For one and the same $\alpha>0$,
#
# $$\log\det\big(I+\alpha ZZ^\top\big)\;\le\;\sum_k\log\det\big(I+\alpha Z_kZ_k^\top\big),$$
#
# with equality if and only if $Z_k^\top Z_l=0$ for all $k\ne l$. Turning the classes against each other changes the left side
# alone, and half of it is $R_\varepsilon(Z)$; the rates of the classes stay. So, whatever the shapes of the single classes,
# $\Delta R$ is largest when they are *orthogonal* (if there is room).
#
# Mind the difference: with $\alpha_k$ and weights $\rho_k$ on the right the order is the other way round, $\Delta R\ge0$.
#
# **Derive.** The left side is also $\log\det(I+\alpha Z^\top Z)$, and $Z^\top Z$ consists of the blocks $Z_k^\top Z_l$. For a
# positive definite $\begin{pmatrix}A&B\\B^\top&C\end{pmatrix}$ the determinant is $\det A\cdot\det(C-B^\top A^{-1}B)$. Compare
# with $\det A\cdot\det C$, and peel class after class.
#
# <details><summary>The argument</summary>
#
# $B^\top A^{-1}B$ is positive semidefinite, so $C-B^\top A^{-1}B\preceq C$ and its determinant is not larger; it is equal only if
# $B^\top A^{-1}B=0$, that is $B=0$ (*Fischer's inequality*). Take for $A$ the block of the classes $0,\dots,k-1$ and for $C$ that
# of class $k$: joining class $k$ loses $g_k=\log\det A+\log\det C-\log\det(\text{both})\ge0$. The sum of $g_1,\dots,g_{K-1}$
# telescopes to right minus left. It is 0 only if every $g_k$ is, that is, if class $k$ is orthogonal to all before it, for all
# $k$.
# </details>
#
# #### Exercise: one class after the other
# *More, 10 minutes.*

# %%
@exercise("ch04.peeling_gaps")
def peeling_gaps(Z: "(d, N)", labels: "(N,)", alpha: float) -> "(K - 1,)":
    """Entry k - 1, for k = 1, ..., K - 1: with L(A) = log det(I + alpha A A^T), L(features of the classes 0 to k - 1, together)
    plus L(features of class k) minus L(features of the classes 0 to k). Every class from 0 to K - 1 occurs, K >= 2.
    Example: Z = [[1., 0., 1.], [0., 1., 1.]], labels = [0, 1, 2], alpha = 1.  ->  [0., 0.4055]"""
    #: solution
    Z, labels = np.asarray(Z), np.asarray(labels)
    L = lambda chosen: np.linalg.slogdet(np.eye(len(Z)) + alpha * Z[:, chosen] @ Z[:, chosen].T)[1]
    classes = range(1, labels.max() + 1)
    return np.array([L(labels < k) + L(labels == k) - L(labels <= k) for k in classes])
    #: end

# %% [markdown]
# #### Exercise: a certificate of equality
# One number that is 0 exactly where the whole equals the sum of its parts, and that a reader can check by looking at the
# features.
#
# *More, 6 minutes.*

# %%
@exercise("ch04.equality_certificate")
def equality_certificate(Z: "(d, N)", labels: "(N,)") -> "()":
    """The largest |z_i . z_j| over all pairs of features of different classes. There are at least two classes.
    Example: Z = [[1., 0., 2.], [0., 3., -1.]], labels = [0, 1, 1]  ->  2."""
    #: solution
    Z, labels = np.asarray(Z), np.asarray(labels)
    apart = labels[:, None] != labels
    return np.abs(Z.T @ Z)[apart].max()
    #: end

# %% [markdown]
# **See.** Turn two orthogonal planes towards each other by an angle $\phi$: the loss is of *second* order in the certificate. A
# nearly orthogonal arrangement is nearly as good as an orthogonal one.

# %%
planes = [on_subspaces(2, 2, 90 - phi) for phi in (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)]
certificates = [equality_certificate(Z, labels) for Z, labels in planes]
show(certificate=np.array(certificates), right_minus_left=np.array([peeling_gaps(Z, labels, 1.0)[0] for Z, labels in planes]))

# %% [markdown]
# ### 3.6 Uncertain labels
# **Claim.** Let sample $i$ belong to class $k$ with the *share* $\pi_{ki}\ge0$, $\sum_k\pi_{ki}=1$, and let $n_k=\sum_i\pi_{ki}$
# be the size of class $k$. The class rate becomes ([[eq:MCRc]]; the book writes $\Pi_k$ for the diagonal matrix of the shares)
#
# $$R^c_\varepsilon(Z\mid\Pi)=\sum_k\frac{n_k}{2N}\log\det\Big(I+\frac d{n_k\varepsilon^2}\sum_i\pi_{ki}\,z_iz_i^\top\Big).$$
#
# It is *concave* in the shares. Hence, for given features, it is least at a corner, that is for a hard partition: no amount of
# hedging lowers the rate, and the maximum of $\Delta R=R-R^c$ over all shares is among the definite labels.
#
# **Derive.** (1) $g(S)=\log\det(I+\frac d{\varepsilon^2}S)$ is concave. Why is $n\,g(S/n)$ concave in $(n,S)$ together? (2) How
# do $n_k$ and $S_k=\sum_i\pi_{ki}z_iz_i^\top$ depend on the shares? (3) Why is a concave function on a polytope least at a
# corner?
#
# <details><summary>Answers</summary>
#
# (1) $n=\theta n_1+(1-\theta)n_2$ and $S$ likewise: $S/n$ is the mean of $S_1/n_1$ and $S_2/n_2$ with the weights $\theta n_1/n$
# and $(1-\theta)n_2/n$, so $n\,g(S/n)\ge\theta n_1g(S_1/n_1)+(1-\theta)n_2g(S_2/n_2)$. (2) Linearly. (3) Every point is a mean of
# corners, and there the function is at least the mean of its values at the corners, so not below the least of them.
# </details>
#
# #### Exercise: the class rate of soft memberships
# *More, 10 minutes.*

# %%
@exercise("ch04.soft_class_rate")
def soft_class_rate(Z: "(d, N)", membership: "(K, N)", eps: float) -> "()":
    """Sum over the classes k of n_k / (2 N) log det(I + d / (n_k eps^2) S_k), where n_k is the sum of row k of membership and S_k
    the sum over i of membership[k, i] z_i z_i^T. A class with n_k = 0 contributes 0 (no NaN). In nats per sample.
    Example: Z = [[1., 0.], [0., 1.]], membership = [[1., 0.5], [0., 0.5]], eps = 1.  ->  0.6466"""
    #: solution
    Z = np.asarray(Z)
    (d, N), rate = Z.shape, 0.0
    for shares in np.asarray(membership):
        n = shares.sum()
        if n > 0:
            rate += n / (2 * N) * np.linalg.slogdet(np.eye(d) + d / (n * eps**2) * (shares * Z) @ Z.T)[1]
    return rate
    #: end

# %% [markdown]
# **See.** Two lines of features in the plane. From fully undecided shares towards three hard partitions: every curve is concave,
# and falls to its corner. The true partition ends lowest.

# %%
rng = np.random.default_rng(1)
along = rng.uniform(-1, 1, size=12)
line = np.concatenate([np.outer([1, 0.2], along[:6]), np.outer([-0.3, 1], along[6:])], axis=1) + 0.02 * rng.normal(size=(2, 12))
true = np.repeat([0, 1], 6)
goals = {"true labels": true, "one swapped pair": true[[6, *range(1, 6), 0, *range(7, 12)]], "every second": np.arange(12) % 2}
thetas = np.linspace(0, 1, 21)
with figure("Three concave curves fall from the undecided rate; that of the true labels ends lowest.", size=(5.6, 2.5)) as ax:
    for name, hard in goals.items():
        shares = [(1 - s) / 2 + s * np.eye(2)[:, hard] for s in thetas]
        ax.plot(thetas, [float(soft_class_rate(line, membership, 0.2)) for membership in shares], label=name)
        for mine in yours(soft_class_rate):
            ax.plot(thetas, [float(mine(line, membership, 0.2)) for membership in shares], **plot.DASHED)
    ax.set(xlabel="from undecided (0) to hard (1)", ylabel="class rate")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %% [markdown]
# <details><summary>If you read the book: the constraint for soft memberships</summary>
#
# [[eq:MCR pi]] asks for $\|Z\Pi_k\|_F^2=N_k$. For a hard $\Pi_k$ that is the constraint of [[eqn:maximal-rate-reduction]]. For a
# soft one $N_k$ is not defined, and the left side weighs with $\pi_{ki}^2$. What unit features satisfy is
# $\|Z\Pi_k^{1/2}\|_F^2=\operatorname{tr}\Pi_k$, the size of the class.
# </details>

# %%
rng = np.random.default_rng(3)
shares = rng.dirichlet(np.ones(3), size=14).T
Z = np.asarray(normalize_features(rng.normal(size=(16, 14))))
show(with_the_square=np.sum((Z * shares[0]) ** 2), with_the_root=np.sum((Z * shares[0] ** 0.5) ** 2))
show(size_of_the_class=shares[0].sum())
