# %% [markdown]
# ## Part 4: Learning representations
#
# After this part you can
# - train a network for rate reduction, and classify by the nearest subspace;
# - see in three pictures whether features form low-dimensional, orthogonal classes: blocks, spectra, angles;
# - say how features of cross-entropy differ, and test robustness claims with the controls they need;
# - do without labels: let the views of one image be a class, and say what keeps all features from falling onto one point;
# - write the objective of SimDINO, and say what it keeps of rate reduction and what it drops.
#
# Core exercises: 30 minutes. *More* and *challenge* exercises are for those who want them.

# %% [markdown]
# ### 4.1 A network trained for rate reduction
# **Claim.** Part 3 maximised the rate reduction of *features* that could be moved at will. Now they are outputs of a network,
# $z_i=f_\theta(x_i)/\|f_\theta(x_i)\|$, and gradient descent moves its parameters:
#
# $$\max_\theta\;\Delta R_\varepsilon(Z)=R_\varepsilon(Z)-\sum_k\frac{N_k}{N}R_\varepsilon(Z_k),\qquad\|z_i\|=1,$$
#
# where $Z$ holds the features of one batch ([[eqn:maximal-rate-reduction]], [[sec:MCR2-classification]]). The labels enter only
# through which columns belong together: nothing says *where* a class has to go.
#
# **Derive.** (1) Cross-entropy is a mean over samples. Is this loss one? (2) A batch of $N$ samples has $N_k$ of class $k$, and
# perhaps none. What does a class without samples add? (3) Why is the length fixed?
#
# <details><summary>Answers</summary>
#
# (1) No: a log-determinant joins all samples of the batch. Its expectation over batches is not its value on all data, and the
# batch size is part of the objective (4.9 measures how much that matters). (2) Nothing: its weight is $N_k/N=0$. But the factor
# $d/(N_k\varepsilon^2)$ in its rate is infinite, and $\infty\cdot0$ is not a number: code has to say so. (3) Longer features
# have larger rates, and $\Delta R_\varepsilon(cZ)$ never falls with $c$ (Part 3): without a constraint the lengths run away.
# </details>
#
# #### Exercise: the loss of a batch
# In NumPy or with `jnp`; with `jnp`, `jax.grad` could train a network through it.
#
# *More, 12 minutes.*

# %%
@exercise("ch04.mcr_loss")
def mcr_loss(Z: "(d, N)", membership: "(K, N)", eps: float) -> "()":
    """Minus the rate reduction, in nats, of the N columns of Z, each first divided by its length (none is 0). membership[k, i]
    is 1 where sample i is of class k and 0 elsewhere, one 1 in a column; N_k is the number of samples of class k in this
    batch. A class without samples adds 0. eps > 0.
    Example: Z = [[2., 0.], [0., 3.]], membership = [[1., 0.], [0., 1.]], eps = 1.0  ->  -0.1438"""
    #: solution
    Z, membership = np.asarray(Z), np.asarray(membership)
    d, N = Z.shape
    Z = Z / np.linalg.norm(Z, axis=0)
    rate = lambda row, n: np.linalg.slogdet(np.eye(d) + d / (n * eps**2) * (row * Z) @ Z.T)[1] / 2
    inside = sum(n / N * rate(row, max(n, 1)) for row, n in zip(membership, membership.sum(axis=1)))
    return inside - rate(np.ones(N), N)
    #: end

# %% [markdown]
# **See.** The $8\times8$ digits: 1,000 to train with, 597 to test with (and 200 to choose with, in 4.9). A perceptron
# $64\to128\to128\to32$ is trained with `training.train`, once for rate reduction ($\varepsilon^2=1/2$) and once for
# cross-entropy with a linear head: same start, same batches of 400, same 200 steps of Adam (some four seconds, most of them to
# compile). Below, the rates along the way; compare [[fig:train-test-loss]].

# %%
from chapters.ch04_lossy_compression import experiments_supervised as trial

(X, labels), _, (X_test, labels_test) = trial.split_digits()
stops = [1, 5, 20, 60, 200]
path = [trial.trained(steps) for steps in stops]
networks = dict(zip(("rate reduction", "cross-entropy"), path[-1]))
rates = np.array([[trial.rates(trial.features(f, A), y) for f, _ in path] for A, y in ((X, labels), (X_test, labels_test))])
alt = "Steps 1 to 200: R rises; R^c rises a little, then falls; their difference grows throughout, on test digits a little less."
with figure(alt, size=(6, 3)) as ax:
    for i, name in enumerate(("$R$", "$R^c$", r"$\Delta R$")):
        ax.semilogx(stops, rates[0, :, i], label=name + ", training", color=plot.COLORS[i])
        ax.semilogx(stops, rates[1, :, i], ":", label=name + ", test", color=plot.COLORS[i])
    for mine in yours(mcr_loss):
        ax.plot(stops, [-mine(trial.features(f, X), trial.one_hot(labels), trial.EPS) for f, _ in path], **plot.DASHED)
    ax.set(xlabel="steps", ylabel="nats per sample", ylim=(0, 19))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %% [markdown]
# ### 4.2 The nearest subspace
# **Claim.** Features that fill one subspace per class need no classifier to be *learned*. Fit a subspace to the features of each
# class, with an orthonormal basis $U_k$ (the leading left singular vectors of $Z_k$), and give a new feature to the nearest:
#
# $$\hat k(z)=\arg\min_k\|z-U_kU_k^\top z\|=\arg\max_k\|U_k^\top z\|.$$
#
# **Derive.** (1) Why are the two the same? (2) Why the *leading left* singular vectors? (3) Why is no mean subtracted?
#
# <details><summary>Answers</summary>
#
# (1) $z-U_kU_k^\top z$ is orthogonal to the subspace, so $\|z\|^2=\|U_k^\top z\|^2+\|z-U_kU_k^\top z\|^2$: what one term gains
# the other loses. (2) By the first answer, the subspace with the least squared error over the class has the largest
# $\sum_i\|U^\top z_i\|^2=\operatorname{tr}(U^\top Z_kZ_k^\top U)$: the leading eigenvectors of $Z_kZ_k^\top$ (Chapter 2).
# (3) The coding rate is that of a Gaussian with mean 0. It makes classes *linear* subspaces, through the origin.
# </details>
#
# #### Exercise: a subspace for every class
# *More, 8 minutes.*

# %%
@exercise("ch04.fit_subspaces")
def fit_subspaces(Z: "(d, N)", labels: "(N,)", r: int) -> "(K, d, r)":
    """Orthonormal bases of the r-dimensional linear subspaces (through 0, nothing is centred) that fit the features of classes
    0, ..., K - 1 best: for class k the r leading left singular vectors of its columns of Z, the strongest first; signs do not
    matter. K is the largest label plus 1, and every class has r samples or more. For a class with the two features (2, 0, 0) and
    (3, 4, 0), and r = 1, the basis is (0.662, 0.750, 0) or its negative."""
    #: solution
    Z, labels, Us = np.asarray(Z), np.asarray(labels), []
    for k in range(labels.max() + 1):
        part = Z[:, labels == k]
        Us.append(np.linalg.svd(part, full_matrices=False)[0][:, :r])
    return np.stack(Us)
    #: end

# %% [markdown]
# #### Exercise: the nearest subspace
# *Core, 10 minutes.*

# %%
@exercise("ch04.nearest_subspace")
def nearest_subspace(Us: "(K, d, r)", Z_new: "(d, M)") -> "(M,)":
    """For every column of Z_new the number k, from 0, of the nearest of K linear subspaces; Us[k] is an orthonormal basis of
    subspace k, one vector per column. The first of equals.
    Example: Us = [[[1.], [0.]], [[0.6], [0.8]]], Z_new = [[1., 0., -1.], [0.4, 2., -1.]]  ->  [0, 1, 1]"""
    #: solution
    coordinates = jnp.swapaxes(Us, 1, 2) @ Z_new
    energies = (coordinates**2).sum(axis=1)
    return jnp.argmax(energies, axis=0)
    #: end

# %% [markdown]
# **See.** Subspaces of dimension 3 (ten of them have to fit into 32 dimensions), fitted to the training features. Row $k$,
# column $l$: how much of a *test* digit $k$ lies in subspace $l$, the mean of $\|U_l^\top z\|^2$. The title says how often the
# nearest subspace is right.

# %%
Z = {name: trial.features(f, X) for name, f in networks.items()}
Z_test = {name: trial.features(f, X_test) for name, f in networks.items()}
alt = "Rate reduction: a bright diagonal, all but dark elsewhere. Cross-entropy: most digits lie in many subspaces by half."
with figure(alt, size=(7, 3.2), ncols=2) as axes:
    for ax, name in zip(axes, networks):
        Us = np.asarray(fit_subspaces(Z[name], labels, 3))
        shares = ((Us.transpose(0, 2, 1) @ Z_test[name]) ** 2).sum(axis=1)
        table = np.stack([shares[:, labels_test == k].mean(axis=1) for k in range(10)])
        picture = ax.imshow(table, vmin=0, vmax=1)
        right = (np.asarray(nearest_subspace(Us, Z_test[name])) == labels_test).mean()
        title = f"{name}: {right:.2f}"
        for mine in yours(nearest_subspace):
            title += f" (yours: {(np.asarray(mine(Us, Z_test[name])) == labels_test).mean():.2f})"
        ax.set(title=title, xlabel="subspace", ylabel="digit", xticks=range(10), yticks=range(10))
        ax.grid(False)
    axes[0].figure.colorbar(picture, ax=axes, label="share of the energy")

# %% [markdown]
# So the comparison is not fair to either side if the classifier is not named: features of cross-entropy are made for the linear
# head they were trained with, and that one is right about as often (4.9 has all four combinations, with their spread).
#
# ### 4.3 Blocks
# **Claim.** [[thm:MCR2-properties]] says what maximal rate reduction looks like if features were free: $Z_k^\top Z_l=0$. The
# table of all $|\cos|$ between features, sorted by class, then has blocks on the diagonal and zeros elsewhere
# ([[fig:heatmap-plot]]). Within a block they need not be 1: a class is to be *diverse*.
#
# **Derive.** $N_k$ unit vectors are spread evenly over an $r$-dimensional subspace. What is the mean of $\cos^2$ over all pairs,
# in terms of $r$?
#
# <details><summary>Answer</summary>
#
# $\sum_{ij}(z_i^\top z_j)^2=\operatorname{tr}\big((Z_k^\top Z_k)^2\big)$, the sum of the squared eigenvalues; all $r$ of them are
# $N_k/r$, so the mean is $r\,(N_k/r)^2/N_k^2=1/r$. A pale block is a class of several dimensions, a bright one has collapsed.
# </details>
#
# #### Exercise: blocks of cosines
# *More, 8 minutes.*

# %%
@exercise("ch04.absolute_cosines")
def absolute_cosines(Z: "(d, N)", labels: "(N,)") -> "(N, N)":
    """The absolute cosines of the angles between all pairs of columns of Z (none is 0), with the samples first put in order of
    their labels: class 0 first, and samples of one class in the order in which they stand in Z.
    Example: Z = [[0., 3., 4.], [2., 0., 3.]], labels = [1, 0, 1]  ->  [[1., 0., 0.8], [0., 1., 0.6], [0.8, 0.6, 1.]]"""
    #: solution
    Z = np.asarray(Z)[:, np.argsort(labels, kind="stable")]
    Z = Z / np.linalg.norm(Z, axis=0)
    return np.abs(Z.T @ Z)
    #: end

# %% [markdown]
# **See.** 60 test digits under both networks, and as they are, in pixels. Rate reduction has blocks on a dark ground. The
# features of cross-entropy make all sorts of angles between classes: its head only needs the right score to be the largest.

# %%
shown = {"pixels": X_test} | Z_test
alt = "Pixels: bright everywhere. Rate reduction: ten blocks, dark between. Cross-entropy: blocks, and much in between."
with figure(alt, size=(6, 2.2), ncols=3) as axes:
    for ax, (name, features) in zip(axes, shown.items()):
        picture = ax.imshow(absolute_cosines(features[:, :60], labels_test[:60]), vmin=0, vmax=1, interpolation="nearest")
        for mine in yours(absolute_cosines):
            ax.contour(np.asarray(mine(features[:, :60], labels_test[:60])), [0.5], colors="#444444", linewidths=0.3)
        ax.set(title=name, xticks=[], yticks=[])
    axes[0].figure.colorbar(picture, ax=axes, label=r"$|\cos|$")

# %% [markdown]
# ### 4.4 Spectra and angles
# **Claim.** Two numbers say what the picture shows. How many dimensions does a class fill? With $p_i$ the share of its squared
# singular values, $e^{H(p)}$ counts them without a threshold (the *effective rank*). And how far are two subspaces from
# orthogonal? The singular values of $U_k^\top U_l$ are the cosines of their *principal angles*.
#
# **Derive.** (1) What is $e^{H(p)}$ for $r$ equal singular values? (2) Ten orthogonal classes of equal rank, in 32 dimensions:
# how large can the rank be?
#
# <details><summary>Answers</summary>
#
# (1) $p_i=1/r$, $H=\log r$: exactly $r$. (2) $32/10$: three or four. Rate reduction asks for as many dimensions as there are
# (Part 3), so here it is the *width of the feature*, not the data, that decides. The book reports 10 to 12 dimensions a class for
# CIFAR-10 in [[fig:MCR-pca]]: ten classes shared the 128 dimensions of its features, which allows 12.8.
# </details>
#
# #### Exercise: how many dimensions a class fills
# *More, 8 minutes.*

# %%
@exercise("ch04.effective_rank")
def effective_rank(Z: "(d, N)") -> "()":
    """exp(H(p)), where p_i is the share of the i-th squared singular value of Z (not 0, nothing is centred) in the sum of all,
    and H(p) = -sum_i p_i log p_i the entropy in nats, with 0 log 0 = 0.
    Example: Z = [[3., 0., 0.], [0., 3., 0.], [0., 0., 0.]]  ->  2.0"""
    #: solution
    energies = np.linalg.svd(Z, compute_uv=False) ** 2
    p = energies / energies.sum()
    p = p[p > 0]
    return np.exp(-(p * np.log(p)).sum())
    #: end

# %% [markdown]
# #### Exercise: angles between subspaces
# *More, 10 minutes.*

# %%
@exercise("ch04.subspace_cosines")
def subspace_cosines(Us: "(K, d, r)") -> "(K, K, r)":
    """The cosines of the principal angles between all pairs of K subspaces with the orthonormal bases Us[k], one vector per
    column: at [k, l] those between subspaces k and l, the singular values of Us[k]^T Us[l], in descending order.
    Example: Us = [[[1.], [0.]], [[0.6], [0.8]]]  ->  [[[1.], [0.6]], [[0.6], [1.]]]"""
    #: solution
    products = jnp.einsum("kdi,ldj->klij", Us, Us)
    return jnp.linalg.svd(products, compute_uv=False)
    #: end

# %% [markdown]
# **See.** Singular values of each class (one line a digit), relative to the largest, as in [[fig:feature-pca]], the effective
# ranks, and the largest cosine between any two of the fitted subspaces.

# %%
alt = ("Left: singular values of rate reduction are flat, then drop at one number; those of cross-entropy drop at once. Middle: "
       "ranks 1 to 5 against 1.5 to 2.5. Right: most cosines below 0.2 against nearly all above 0.8.")
with figure(alt, size=(7.5, 2.4), ncols=3) as (left, middle, right):
    for i, name in enumerate(networks):
        color, classes = plot.COLORS[i], [Z[name][:, labels == k][:, :80] for k in range(10)]
        for k, part in enumerate(classes):
            s = np.linalg.svd(part, compute_uv=False)[:10]
            left.plot(range(1, 11), s / s[0], color=color, linewidth=0.8, marker="None", label=name if k == 0 else None)
        middle.plot(range(10), [effective_rank(part) for part in classes], color=color, linestyle="None", marker=plot.MARKERS[i])
        Us = fit_subspaces(Z[name], labels, 3)
        for which, style in [(subspace_cosines, {"color": color}), *((mine, plot.DASHED) for mine in yours(subspace_cosines))]:
            largest = np.sort(np.asarray(which(Us))[:, :, 0][np.triu_indices(10, 1)])
            right.plot(largest, np.arange(1, 46) / 45, **{"marker": "None"} | style)
        for mine in yours(effective_rank):
            middle.plot(range(10), [mine(part) for part in classes], **plot.DASHED)
    left.set(title="singular values", xlabel="number", ylabel="relative to the first", ylim=(0, 1.05))
    middle.set(title="effective rank", xlabel="digit", ylim=(0, 6), xticks=range(10))
    right.set(title="cosines, cumulative", xlabel="largest cosine of a pair", xlim=(0, 1))
    left.legend(fontsize="x-small")

# %% [markdown]
# Rate reduction has made a union of nearly orthogonal subspaces, and the ranks add up to about 32: it has used all the room there
# is, as [[thm:MCR2-properties]] says. But not in equal parts, as the optimum for equal classes has it: other divisions are local
# maxima (Part 3), and training has found one. Where a class fills fewer than three dimensions, the other basis vectors mean
# nothing and may lie in the subspace of another class: large cosines, and fields off the diagonal in 4.2, come from there. And
# where it fills more than three, part of its energy is left out there.
#
# Cross-entropy has not collapsed to one dimension in 200 steps, as [[remark:neural-collapse]] has it in the limit, but it is on
# the way, and its classes share directions.
#
# What is a direction of such a subspace? Its *principal images* are those whose features are most along it
# ([[fig:pca-images]]): one row for each of the three directions of three digits.

# %%
Us = np.asarray(fit_subspaces(Z["rate reduction"], labels, 3))
alt = "Six training images for each of three directions of three digits: alike within a row, another style in another row."
with figure(alt, size=(7.5, 1.6), ncols=3) as axes:
    for ax, k in zip(axes, (1, 4, 7)):
        part = labels == k
        plot.images(ax, trial.principal_images(Us[k], Z["rate reduction"][:, part], X[:, part], 6), columns=6)
        ax.set(title=f"digit {k}", ylabel="direction")

# %% [markdown]
# ### 4.5 What to test it with
# **Claim.** [[fig:CIFAR10-performance]] compares the two losses when labels are wrong. In the usual protocol a share $s$ of the
# labels is replaced by classes drawn at random, *the old one included*: of $K$ classes, $s\,(1-1/K)$ of the labels come out
# wrong, and even at $s=0.8$ the right label is the commonest one of every class.
#
# **Derive.** How often is a label right at $s=0.8$ and $K=10$, how often is it any other one class?
#
# <details><summary>Answer</summary>
#
# Right: $0.2+0.8/10=0.28$. Any other: $0.08$. A vote among many neighbours of an image still finds the truth.
# </details>
#
# #### Exercise: wrong labels
# *More, 6 minutes.*

# %%
@exercise("ch04.corrupt_labels")
def corrupt_labels(labels: "(N,)", draws: "(2, N)", share: float, K: int) -> "(N,)":
    """The labels, spoiled: sample i gets a new label if draws[0, i] < share, and keeps its old one otherwise. The new label is
    the whole number in 0, ..., K - 1 that draws[1, i], a number in [0, 1), falls on when [0, 1) is cut into K equal pieces,
    numbered from the left. Rows of draws are independent.
    Example: labels = [3, 1, 2, 2], draws = [[0.1, 0.9, 0.2, 0.6], [0.3, 0.1, 0.8, 0.5]], share = 0.5, K = 4  ->  [1, 1, 3, 2]"""
    #: solution
    return np.where(draws[0] < share, np.floor(K * draws[1]), labels)
    #: end

# %% [markdown]
# **Claim.** An image may be wrong, too. Of all changes by at most $\delta$ in every pixel, $x+\delta\operatorname{sign}(g)$, with
# $g$ the gradient of the loss with respect to the *image*, raises the loss most, to first order. (Goodfellow, Shlens and Szegedy,
# 2015, call the step FGSM.) It needs a control, random signs of the same size, and it can be fooled: where the loss is flat at
# the image and steep nearby, one step finds nothing while many small ones do (*gradient masking*).
#
# **Derive.** (1) Why the sign? (2) What is $g$ for cross-entropy and scores $s=Wx$?
#
# <details><summary>Answers</summary>
#
# (1) The loss changes by $\sum_jg_j\,\Delta_j$, and each term is largest where $\Delta_j=\delta\operatorname{sign}(g_j)$.
# (2) The loss is $\log\sum_ke^{s_k}-s_y$, with derivative $p-e_y$ in the scores ($p$ their softmax, $e_y$ the one-hot label); by
# the chain rule $g=W^\top(p-e_y)$.
# </details>
#
# #### Exercise: a step against a classifier
# *Challenge, 15 minutes.*

# %%
@exercise("ch04.fgsm")
def fgsm(X: "(D, N)", labels: "(N,)", W: "(K, D)", radius: float) -> "(D, N)":
    """Every image, a column of X with pixels in [0, 1], changed by one step against the classifier with scores W x: each pixel
    moves by `radius` in the direction that raises, to first order, the cross-entropy -log softmax(W x)[y] of the image with its
    right class y, and is then brought back into [0, 1] where it left it. (A pixel with derivative 0 stays.)
    Example: X = [[0.5, 0.9], [0.5, 0.1]], labels = [0, 1], W = [[1., 0.], [0., 2.]], radius = 0.2
    ->  [[0.3, 1.], [0.7, 0.]]"""
    #: solution
    X, labels, W = np.asarray(X), np.asarray(labels), np.asarray(W)
    p = np.exp(W @ X - (W @ X).max(axis=0))
    p = p / p.sum(axis=0)
    p[labels, np.arange(len(labels))] -= 1
    return np.clip(X + radius * np.sign(W.T @ p), 0, 1)
    #: end

# %% [markdown]
# **See.** Both on the pixels, with no network at all. Left: nearest subspaces of dimension 8, fitted to spoiled labels. Accuracy
# falls slowly: a subspace is fitted to *all* images of a class, and the wrong ones pull in many directions. Right: a linear
# classifier (least squares on one-hot labels) against your step, and against random signs of the same size.

# %%
from book_utils import subspace_classifier

rng = np.random.default_rng(1)
draws, share_axis, radii = rng.uniform(size=(2, 1000)), np.linspace(0, 0.9, 7), np.linspace(0, 0.3, 7)
W = np.linalg.lstsq(X.T, trial.one_hot(labels).T, rcond=None)[0].T
signs = rng.choice([-1, 1], size=X_test.shape)
linear = lambda images: (np.argmax(W @ images, axis=0) == labels_test).mean()

def by_subspaces(spoil):
    spoiled = [np.asarray(spoil(labels, draws, share, 10)).astype(int) for share in share_axis]
    classify = lambda y: subspace_classifier.nearest_subspace(subspace_classifier.fit_subspaces(X, y, 8), X_test)
    return [(np.asarray(classify(y)) == labels_test).mean() for y in spoiled]

alt = "Left: accuracy falls slowly, to three quarters at 0.6. Right: one step of 0.1 leaves nothing, random signs a half."
with figure(alt, size=(7, 2.7), ncols=2, sharey=True) as (left, right):
    left.plot(share_axis, by_subspaces(corrupt_labels))
    for mine in yours(corrupt_labels):
        left.plot(share_axis, by_subspaces(mine), **plot.DASHED)
    right.plot(radii, [linear(np.asarray(fgsm(X_test, labels_test, W, radius))) for radius in radii], label="one step")
    right.plot(radii, [linear(np.clip(X_test + radius * signs, 0, 1)) for radius in radii], label="random signs")
    for mine in yours(fgsm):
        right.plot(radii, [linear(np.asarray(mine(X_test, labels_test, W, radius))) for radius in radii], **plot.DASHED)
    left.set(xlabel="share of labels drawn anew", ylabel="accuracy on test digits", ylim=(0, 1.03))
    right.set(xlabel="radius")
    right.legend()
