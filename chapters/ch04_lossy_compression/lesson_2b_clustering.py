# %% [markdown]
# ### 2.6 The length of a partition
# **Claim.** One Gaussian is a wasteful code for samples of several subspaces: cut them into clusters, and code each by itself. A
# cluster of $N_k$ samples takes $L(X_k)=(N_k+D)\,R_\varepsilon(X_k)$ nats, with the coding rate of [[eqn:rate-Gaussian]] and the
# cluster's *own* $N_k$ in it: $N_k$ rates for its samples, and $D$ for the directions of its basis. And it has to be said which
# sample is in which cluster. With short words for large clusters that takes $\log(N/N_k)$ nats for every sample of cluster $k$:
#
# $$L(\text{labels})=\sum_k(N_k+D)\,R_\varepsilon(X_k)-\sum_kN_k\log\frac{N_k}N .$$
#
# All of it is in nats, so it can be added up, and the best partition is the one that is shortest to write down. Nobody has to say
# how many clusters there are.
#
# #### Exercise: the length of one cluster
# *More, 8 minutes.*

# %%
@exercise("ch04.segment_length")
def segment_length(X_k: "(D, N_k)", eps: float) -> "()":
    """(N_k + D) R nats for the samples of one cluster, where R = log det(I + a X_k X_k^T) / 2 is their coding rate, with the
    factor a that allows a mean squared error of eps^2, summed over the D coordinates. About 0, not about a mean. eps > 0.
    Example: X_k = [[3., 4.]], eps = 1.  ->  3.904"""
    #: solution
    D, N_k = X_k.shape
    M = np.eye(D) + D / (N_k * eps**2) * np.asarray(X_k) @ np.asarray(X_k).T
    return (N_k + D) * np.linalg.slogdet(M)[1] / 2
    #: end

# %% [markdown]
# **Claim.** Two clusters had better be one where that is shorter. When clusters $k$ and $l$ merge and the others stay, the length
# falls by
#
# $$L(X_k)+L(X_l)-N_k\log\frac{N_k}{N_k+N_l}-N_l\log\frac{N_l}{N_k+N_l}-L(X_k\cup X_l),$$
#
# and nothing in it depends on the other clusters, not even the labels' share.
#
# **Derive** that share. The labels of *all* clusters are paid before and after; what is the difference?
#
# #### Exercise (derivation): what a merge changes in the labels
# *More, 8 minutes.*

# %%
@derivation("ch04.label_bits")
def label_bits(sizes):
    """From the labels' nats of all clusters, before minus after the first two merge, to a price of these two alone.
    Pass through a line that is written out for the two, with N but without the function `bits` and the others."""
    N_k, N_l, *others = sizes
    N = sum(sizes)
    log = np.log
    bits = lambda sizes: -sum(n * log(n / sum(sizes)) for n in sizes)
    yield bits([N_k, N_l, *others]) - bits([N_k + N_l, *others])
    #: solution
    yield -N_k * log(N_k / N) - N_l * log(N_l / N) + (N_k + N_l) * log((N_k + N_l) / N)
    yield N_k * (log((N_k + N_l) / N) - log(N_k / N)) + N_l * (log((N_k + N_l) / N) - log(N_l / N))
    #: end
    yield -N_k * log(N_k / (N_k + N_l)) - N_l * log(N_l / (N_k + N_l))

# %% [markdown]
# #### Exercise: what a merge saves
# *Core, 12 minutes.*

# %%
@exercise("ch04.merge_gain")
def merge_gain(X_k: "(D, N_k)", X_l: "(D, N_l)", eps: float) -> "()":
    """Nats *saved* by making one cluster of two: the length of both, with the labels that tell their samples apart, minus the
    length of their union. > 0 where merging is worth it, < 0 where it is not. segment_length(X_k, eps) is the length of one.
    Example: X_k = [[3.]], X_l = [[4.]], eps = 1.  ->  2.618"""
    #: solution
    N_k, N_l = X_k.shape[1], X_l.shape[1]
    together = segment_length(np.concatenate([X_k, X_l], axis=1), eps)
    apart = segment_length(X_k, eps) + segment_length(X_l, eps)
    pay = N_k * np.log((N_k + N_l) / N_k) + N_l * np.log((N_k + N_l) / N_l)
    return apart + pay - together
    #: end

# %% [markdown]
# **See.** Thirty samples of each of two lines in the plane, with an angle between them ([[fig:two-subspaces]] has two such
# clusters). Below 0 they had better stay apart. From which angle on? It depends on how closely one looks: with a coarse
# $\varepsilon$ two lines are one.

# %%
rng = np.random.default_rng(0)
along, off = rng.uniform(-1, 1, (2, 30)), 0.01 * rng.normal(size=(2, 2, 30))
line = lambda a, i: np.outer([np.cos(a), np.sin(a)], along[i]) + off[i]
angles = np.linspace(0, np.pi / 2, 16)
alt = "Nats saved by merging fall as the angle grows, through 0 at a few degrees for small eps, and late for eps = 0.5."
with figure(alt, size=(5.6, 2.4)) as ax:
    for eps in (0.02, 0.1, 0.5):
        gains = [merge_gain(line(0, 0), line(a, 1), eps) for a in angles]
        ax.plot(np.degrees(angles), gains, label=rf"$\varepsilon$ = {eps}")
        for mine in yours(merge_gain):
            ax.plot(np.degrees(angles), [mine(line(0, 0), line(a, 1), eps) for a in angles], **plot.DASHED)
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set(xlabel="angle between the lines, degrees", ylabel="nats saved")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %% [markdown]
# <details><summary>If you read the book: positive or negative?</summary>
#
# Above [[alg:steepest_descent_coding_length]] the difference is taken the other way round, the union's length minus the length of
# the two, and the text says that merging shortens the code where it is *positive*. It does so where it is **negative**: the
# algorithm itself merges the pair with the most negative difference. The next cell has two halves of one line; merging is right.
# </details>

# %%
halves = line(0, 0)[:, :15], line(0, 0)[:, 15:]
saved = merge_gain(*halves, 0.1)
show(saved_by_merging=saved, difference_as_printed=-np.asarray(saved))

# %% [markdown]
# ### 2.7 Merge while it saves
# **Claim.** There are too many partitions to try them all: 877 of 7 samples, $10^{115}$ of a hundred. So be greedy
# ([[alg:steepest_descent_coding_length]]). Begin with every sample as its own cluster. Merge the pair that saves most. Stop when
# no pair saves anything. The result is a partition that no single merge improves; nothing says that it is the shortest.
#
# #### Exercise: cluster by coding length
# *Core, 15 minutes.*

# %%
@exercise("ch04.cluster")
def cluster(X: "(D, N)", eps: float) -> "(N,)":
    """Labels of the samples: begin with N clusters of one sample, merge again and again the pair with the largest merge_gain(X_k,
    X_l, eps), and stop when the largest is not above 0, or when one cluster is left. Labels are 0, ..., K - 1 in the order in
    which clusters first appear among the samples. N is at most 20 here: no need to be quick. eps > 0.
    Example: X = [[1., 0., 2., 0., 3., 0.], [0., 1., 0., 2., 0., 3.]], eps = 0.1  ->  [0, 1, 0, 1, 0, 1]"""
    #: solution
    X, labels = np.asarray(X), np.arange(X.shape[1])
    while True:
        names = np.unique(labels)
        parts = {k: X[:, labels == k] for k in names}
        gains = {(k, l): merge_gain(parts[k], parts[l], eps) for k in names for l in names if k < l}
        best = max(gains, key=gains.get, default=None)
        if best is None or gains[best] <= 0:
            return np.unique(labels, return_inverse=True)[1]
        labels[labels == best[1]] = best[0]
    #: end

# %% [markdown]
# **See** your clusters: six samples of each of two noisy lines, at three values of $\varepsilon$.

# %%
few = np.concatenate([line(0.3, 0)[:, :6], line(1.2, 1)[:, :6]], axis=1)
alt = "Twelve samples of two lines that cross. At eps = 0.03 and 0.1 each line is a cluster; at eps = 2 all are one."
with figure(alt, size=(6.4, 2.2), ncols=3, sharey=True) as axes:
    for ax, eps in zip(axes, (0.03, 0.1, 2.0)):
        for answer, size, empty in [(cluster, 5, "full"), *[(mine, 10, "none") for mine in yours(cluster)]]:
            labels = np.asarray(answer(few, eps))
            for k in range(3):
                ax.plot(*few[:, labels == k], plot.MARKERS[k], color=plot.COLORS[k], markersize=size, fillstyle=empty)
        ax.set(title=rf"$\varepsilon$ = {eps}", aspect="equal", xticks=[-0.5, 0.5])

# %% [markdown]
# **How fast?** Your loop computes $O(N^3)$ determinants. But a merge changes the gains of one cluster only, so that $O(N^2)$ are
# enough; a gain needs sums over samples, which add up when clusters merge; and a cluster of three samples needs a $3\times3$
# determinant, whatever $D$ is. `book_utils.lossy_clustering.cluster` does that: 2,000 samples take a few seconds. From here on it
# stands in for your loop, which has been checked to do the same.
#
# **Play.** The book's example ([[fig:two-lines-and-plane]]): 358 noisy samples of a plane and two lines through 0 in space, drawn
# as seen from one side. Is there a range of $\varepsilon$ in which *three* comes out? How wide is it, for noise of 0.02?

# %%
from book_utils import lossy_clustering
from chapters.ch04_lossy_compression import experiments_clustering as trial, long_clustering

X, truth = trial.lines_and_plane(0)
view = np.array([[0.8, -0.6, 0.0], [0.2, 0.3, 0.93]])

def draw_clusters(fig, eps):
    labels = lossy_clustering.cluster(X, eps)
    K, ax = labels.max() + 1, fig.subplots()
    rate = lossy_clustering.coding_length(X, labels, eps) / 358
    for k in np.argsort(-np.bincount(labels)):
        ax.plot(*(view @ X[:, labels == k]), plot.MARKERS[k % 8], color=plot.COLORS[k % 8], markersize=3.5)
    ax.set(aspect="equal", xticks=[], yticks=[])
    largest = np.bincount(labels).max()
    return f"With eps = {eps} there are {K} clusters, the largest of {largest} samples, and a sample takes {rate:.2f} nats."

explore(draw_clusters, {"eps": [0.001, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 1.0]}, start={"eps": 0.05}, size=(3.6, 2.8))

# %% [markdown]
# **See.** The number of clusters and the rate over four decades of $\varepsilon$, means of five data sets with noise 0.02. Three
# ways to count: with the $D\,R_\varepsilon$ for the bases, as you did; without; and *about means*, where every cluster also has a
# mean, which costs $\frac D2\log(1+\|\mu\|^2/\varepsilon^2)$. (Stored: `long_clustering.py`, about two minutes.)

# %%
table = measured(long_clustering.lengths_over_eps)
alt = ("Left: with bases three clusters up to eps = 0.2, then one; without, hundreds that fall steadily; about means hundreds, "
       "then a plateau at three, then one. Right: all rates fall as eps grows.")
with figure(alt, size=(6.4, 2.3), ncols=2) as axes:
    for name, K, rate in zip(trial.VARIANTS, table["K"][:, 0], table["rate"][:, 0]):
        axes[0].loglog(table["eps"], K.mean(axis=0), label=name, markersize=3.5)
        axes[1].semilogx(table["eps"], rate.mean(axis=0), label=name, markersize=3.5)
    axes[0].axhline(3, color="#999999", linewidth=0.8)
    axes[0].axvline(0.02, color="#999999", linestyle=":")
    axes[0].set(xlabel=r"$\varepsilon$   (dotted: the noise)", ylabel="clusters K", ylim=(0.7, 500))
    axes[1].set(xlabel=r"$\varepsilon$", ylabel="nats a sample")
    axes[1].legend()

# %% [markdown]
# There are the three regimes: *lazy* on the right, where one cluster is enough; *memorising* on the left, where every sample is
# its own; and between them one that finds what is there. The rate falls throughout, as a rate should.
#
# <details><summary>If you read the book: the bases are no detail</summary>
#
# The length is printed as $N_kR_\varepsilon(X_k)$, and a footnote says that $(N_k+D)R_\varepsilon(X_k)$ is more accurate and
# left out for simplicity; the figure is said to come from the algorithm so printed. On our data (the book's are not published)
# the footnote decides. The next cell counts at how many of the 23 values of $\varepsilon$ the clusters are right but for a few
# samples (an adjusted Rand index above 0.9: 1 for the true partition, 0 for a random one), for noise of 0.02 and of 0.05.
# Without the bases hardly any; with them 17 and 9, more than three decades and nearly two. They never *memorise*, though: a new
# cluster costs a basis, and with clusters through 0 that price grows as fast as what it saves. The lengths about means have all
# three regimes, but they cut the plane into pieces already at $\varepsilon=0.1$.
# </details>

# %%
for name, score in zip(trial.VARIANTS, table["score"]):
    show(**{name: (score > 0.9).sum(axis=-1).mean(axis=-1)})

# %% [markdown]
# **Claim.** The labels are no detail either. Without them (and without bases) a finer partition is never longer:
# $\sum_kN_kR_\varepsilon(X_k)\le N\,R_\varepsilon(X)$ for *every* partition, equal only if all clusters have the same second
# moments. The shortest is then always the finest, every sample by itself.
#
# **Derive.** Write $\Sigma_k=X_kX_k^\top/N_k$. How is $XX^\top/N$ made of the $\Sigma_k$? And $\log\det$ is concave.
#
# <details><summary>The argument</summary>
#
# $\Sigma=\sum_k\frac{N_k}N\Sigma_k$, a mean with weights $N_k/N$, where $\Sigma=XX^\top/N$. By Jensen's inequality
#
# $$\log\det\Big(I+\frac D{\varepsilon^2}\Sigma\Big)\ge\sum_k\frac{N_k}N\log\det\Big(I+\frac D{\varepsilon^2}\Sigma_k\Big),$$
#
# and strictly so unless all $\Sigma_k$ are equal, as $\log\det$ is strictly concave. Times $N/2$. The same for each cluster that
# is cut further.
# </details>
#
# #### Exercise: cutting is free without labels
# *More, 10 minutes.*

# %%
@exercise("ch04.split_gap")
def split_gap(X: "(D, N)", labels: "(N,)", eps: float) -> "(), ()":
    """For a partition of X: the nats saved on samples alone, N R(X) minus the sum over classes of n R(class), n being the size of
    the class and R the coding rate of the samples given to it; and the nats that the labels cost, the sum of n log(N / n). No
    bases. Some of the classes 0, ..., max(labels) may be empty: they count nothing.
    Example: X = [[2., 0.], [0., 2.]], labels = [0, 1], eps = 1.  ->  (1.0217, 1.3863)"""
    #: solution
    X, N = np.asarray(X), X.shape[1]
    rate = lambda Y: np.linalg.slogdet(np.eye(len(Y)) + len(Y) / (Y.shape[1] * eps**2) * Y @ Y.T)[1] / 2
    sizes = np.bincount(labels)
    parts = sum(n * rate(X[:, labels == k]) for k, n in enumerate(sizes) if n)
    return N * rate(X) - parts, sum(n * np.log(N / n) for n in sizes if n)
    #: end

# %% [markdown]
# <details><summary>If you read the book: the objective above the algorithm</summary>
#
# There the sum $\sum_k\frac{N_k}NR_\varepsilon(X_k)$ alone is minimised over all partitions, and a footnote leaves the labels to
# Huffman coding. With the number of clusters free, that problem is solved by singletons at every $\varepsilon$; what the
# algorithm minimises has the labels in it, and has to. The next cell counts nats a sample at $\varepsilon=0.1$ for one cluster,
# for the true three, and for 358: without labels the last wins; with labels the true three do.
# </details>

# %%
whole = lossy_clustering.segment_length(X, 0.1, overhead=False)
for name, labels in (("one", np.zeros(358, int)), ("the true three", truth), ("every sample its own", np.arange(358))):
    saved, pay = (float(a) for a in split_gap(X, labels, 0.1))
    show(partition=name, without_labels=(whole - saved) / 358, with_labels=(whole - saved + pay) / 358)

# %% [markdown]
# ### 2.8 When do samples become a shape?
# **Claim.** Put a disc of radius $\varepsilon$ around each of $N$ random points per unit area ([[fig:circle-packing]]). To code
# the points to within $\varepsilon$ by a list of them all is wasteful once discs overlap. All that matters is
# $\eta=N\pi\varepsilon^2$, the mean number of discs over a place. They cover
#
# $$1-e^{-\eta}$$
#
# of the plane, and at $\eta_c\approx1.128$ an unbounded connected patch of discs appears: *percolation*.
#
# **Derive** the share. When is a place bare? With what probability?
#
# #### Exercise: how much do the discs cover?
# *More, 8 minutes.*

# %%
@exercise("ch04.coverage")
def coverage(eps: float, N: int) -> "()":
    """Share of the plane that is within eps of a point, when the points are thrown at random, independently, N of them per unit
    area on average: the number of points in a region of area A then has a Poisson law of mean N A. No borders.
    Example: eps = 0.1, N = 50  ->  0.7921"""
    #: solution
    eta = N * np.pi * eps**2
    return 1 - np.exp(-eta)
    #: end

# %% [markdown]
# #### Exercise: from left to right through discs
# *More, 12 minutes.*

# %%
@exercise("ch04.percolates")
def percolates(X: "(2, N)", eps: float) -> "(N,), ()":
    """A walk through discs of radius eps around the N points, from the left side of the unit square. First result, for each disc:
    True if a chain of discs leads to it, neighbours having a point in common (if only one), the first with its centre at most eps
    from the line x = 0. Second: True if a disc so reached has its centre at most eps from x = 1. Row 0 of X holds x, row 1 y.
    Example: X = [[0.1, 0.4, 0.7, 0.2], [0.5, 0.5, 0.5, 0.9]], eps = 0.16  ->  ([True, True, True, False], False)"""
    #: solution
    X = np.asarray(X)
    near = np.sum((X[:, :, None] - X[:, None]) ** 2, axis=0) <= (2 * eps) ** 2
    reached = X[0] <= eps
    for _ in range(X.shape[1]):
        reached = near[reached].any(axis=0) | reached
    return reached, (reached & (X[0] >= 1 - eps)).any()
    #: end

# %% [markdown]
# **Play.** Discs of radius 0.03, those of the largest patch in colour. Move $\eta$ across 1.128. Is everything joined then?

# %%
def draw_discs(fig, eta):
    rng = np.random.default_rng(3)
    points, eps = rng.random((2, 2000))[:, : round(eta / (np.pi * 0.03**2))], 0.03
    labels = trial.components(points, 2 * eps)
    sizes, ax = np.bincount(labels), fig.subplots()
    for i, (x, y) in enumerate(points.T):
        mine = labels[i] == sizes.argmax()
        ax.add_patch(Circle((x, y), eps, color=plot.COLORS[0] if mine else "#bbbbbb", linewidth=0))
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xticks=[], yticks=[])
    joined = " and ".join("do" if bool(f(points, eps)[1]) else "do not" for f in [percolates, *yours(percolates)])
    covered = 100 * float(coverage(eps, points.shape[1]))
    return (f"With eta = {eta} there are {points.shape[1]} discs in {len(sizes)} patches, the largest of {sizes.max()}; they "
            f"{joined} join left and right, and by the formula cover {covered:.0f} percent.")

from matplotlib.patches import Circle

explore(draw_discs, {"eta": [0.4, 0.8, 1.0, 1.128, 1.3, 1.6, 2.2, 3.0]}, start={"eta": 1.128}, size=(2.6, 2.6))

# %% [markdown]
# <details><summary>If you read the book: what happens at the critical number</summary>
#
# The text says that at $N_c$ the discs connect into one cluster that covers the whole plane. At $\eta_c$ an *unbounded* patch
# appears, no more: by the formula you wrote 68 percent are covered then, and many small patches are still apart. The next cell
# has the unit square with $\varepsilon=0.02$, five samples each (stored, five seconds): a single patch takes about three times
# $\eta_c$, and even at $\eta=4$ two percent are bare. To cover everything $\eta$ has to be about $\log N$: bare places become
# rare, but there are many places.
# </details>

# %%
table = measured(long_clustering.percolation)
eta = table["eta"]
alt = "Left and right are joined from eta = 1.1 on; the largest patch has nearly all discs at 2; the cover follows 1 - exp(-eta)."
with figure(alt, size=(5.8, 2.3)) as ax:
    ax.plot(eta, table["joins"].mean(axis=1), label="left and right joined")
    ax.plot(eta, table["largest"].mean(axis=1), label="share of discs in the largest patch")
    ax.plot(eta, table["covered"].mean(axis=1), "D", color=plot.COLORS[2], label="share covered")
    Ns = [round(e / (np.pi * 0.02**2)) for e in eta]
    ax.plot(eta, [coverage(0.02, N) for N in Ns], color=plot.COLORS[2], marker="None", label="the formula")
    for mine in yours(coverage):
        ax.plot(eta, [mine(0.02, N) for N in Ns], **plot.DASHED)
    ax.axvline(1.128, color="black", linewidth=0.8)
    ax.set(xlabel=r"$\eta=N\pi\varepsilon^2$", ylim=(-0.05, 1.05))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
show(eta=eta, patches=table["K"].mean(axis=1), covered=table["covered"].mean(axis=1))

# %% [markdown]
# ### 2.9 A photograph in clusters
# **Claim.** Small windows of one texture look alike: they are samples of one Gaussian of low dimension, roughly
# ([[eg:image-segmentation]]). So cut an image into patches, and the clusters of shortest length are its regions.
#
# #### Exercise: a picture as samples
# *More, 10 minutes.*

# %%
@exercise("ch04.extract_patches")
def extract_patches(image: "(H, W)", w: int, stride: int) -> "(w w, n)":
    """All w x w patches whose upper left corner is in a row and a column that are multiples of stride, and that lie inside of the
    image; one per column, each read row by row. Order: corners from left to right, then the next row of corners. Pixels as they
    are, no mean taken off. w is at most H and W.
    Example: image = [[1., 2., 3.], [4., 5., 6.]], w = 2, stride = 1  ->  [[1., 2.], [2., 3.], [4., 5.], [5., 6.]]"""
    #: solution
    (H, W), image = image.shape, np.asarray(image)
    rows, columns = range(0, H - w + 1, stride), range(0, W - w + 1, stride)
    return np.stack([image[i:i + w, j:j + w].ravel() for i in rows for j in columns], axis=1)
    #: end

# %% [markdown]
# **Play.** Patches of $7\times7$ pixels, every second one; their first eight principal components; and clusters about means. The
# search begins with squares of $5\times5$ patches, so that it has 625 clusters to merge and not 15,625. Nobody says how many
# regions there are, nor that neighbours belong together. Beside it $k$-means of the grey values, told to make four.

# %%
photo = np.asarray(data.photograph("camera"))
Z = trial.features(np.asarray(extract_patches(photo, 7, 2)), 8)
squares = np.arange(125)[:, None] // 5 * 25 + np.arange(125) // 5
greys = trial.kmeans(photo[::2, ::2].reshape(1, -1), 4, restarts=1)

def draw_regions(fig, eps):
    labels = lossy_clustering.cluster(Z, eps, start=squares.ravel(), center=True)
    order = np.argsort(np.argsort(-np.bincount(labels)))  # the largest regions first
    axes = fig.subplots(1, 3)
    axes[0].imshow(photo[::2, ::2], cmap="gray")
    axes[1].imshow(np.minimum(order[labels], 7).reshape(125, 125), cmap="Dark2", interpolation="nearest", vmin=0, vmax=7)
    axes[2].imshow(greys.reshape(128, 128), cmap="Dark2", interpolation="nearest", vmin=0, vmax=7)
    for ax, title in zip(axes, ("photograph", "coding length", "k-means of pixels")):
        ax.set(title=title, xticks=[], yticks=[])
    return f"With eps = {eps}: a photograph, its regions by coding length (from the eighth on in one colour), and by grey value."

explore(draw_regions, {"eps": [0.1, 0.2, 0.3, 0.5, 0.8]}, start={"eps": 0.3}, size=(5.2, 2))

# %% [markdown]
# Sky, coat and lawn are one cluster each; a fourth is whatever has an edge in it: tripod, face, buildings, every outline. Regions
# are not objects. Grey values alone find nearly the same three, with finer outlines: this photograph does not decide between the
# two. Two textures with the same grey values do, noise smoothed from left to right beside noise smoothed from top to bottom.

# %%
from book_utils.partitions import adjusted_rand_index

noise, where = trial.textures(0)
columns = trial.features(np.asarray(extract_patches(noise, 5, 1)), 8)
squares = np.arange(60)[:, None] // 6 * 10 + np.arange(60) // 6
by_length = lossy_clustering.cluster(columns, 0.5, start=squares.ravel(), center=True)
inside, truth_inside = slice(2, -2), where[2:-2, 2:-2].ravel()
by_grey = trial.kmeans(noise[inside, inside].reshape(1, -1), 2)
index = lambda labels: adjusted_rand_index(truth_inside, labels)
show(regions_found=int(by_length.max()) + 1, index_above_three_quarters=index(by_length) > 0.75,
     index_of_kmeans_above_a_tenth=index(by_grey) > 0.1)

# %% [markdown]
# **See.** Handwritten digits: 400 of them, ten principal components, clusters about means at $\varepsilon=0.7$. Nobody has said
# that there are ten digits. Above: the mean of each of the ten largest clusters; beneath, one of its images.

# %%
X_digits, y_digits = (np.asarray(a) for a in data.digits())
labels = lossy_clustering.cluster(trial.features(X_digits, 10)[:, :400], 0.7, center=True)
largest = np.argsort(-np.bincount(labels), kind="stable")[:10]
means = [X_digits[:, :400][:, labels == k].mean(axis=1) for k in largest]
ones = [X_digits[:, np.flatnonzero(labels == k)[0]] for k in largest]
alt = "Means of ten clusters of digits, most of them a clear digit, and beneath each mean one image of its cluster."
with figure(alt, size=(6, 1.5)) as ax:
    plot.images(ax, np.stack([*means, *ones], axis=1), columns=10, limits=(0, 1))

# %% [markdown]
# ### 2.10 Doubt
# Optional: where the claims of this part stop being true. The data sets and the other methods are plain NumPy, in
# `chapters/ch04_lossy_compression/experiments_clustering.py`; what takes long is in `long_clustering.py` beside it and stored
# (five data sets each, about five minutes in all; `RUN_LONG=1` runs it here).
#
# <details><summary>How much does the greedy search lose?</summary>
#
# Seven samples have 877 partitions, and the shortest can be found by trying all. For two noisy lines greed finds it in all of
# twenty trials. For samples without any structure, Gaussian in space, at $\varepsilon=0.02$, it fails in 17 of 20: early merges
# of two and two leave clusters that no pair improves, where one cluster of all seven would be shorter, by up to a sixth. (Then
# there was nothing to be found.)
#
# On the 358 samples there is no trying all. *K-subspaces* (assign every sample to the nearest of three subspaces, fit them
# again) is told the dimensions 2, 1, 1, and the best of twenty random starts is taken. At $\varepsilon=0.05$ greed has the
# shorter code in every data set, though it was told nothing: shorter even than that of the true partition. A single start of
# K-subspaces is a lottery: here an index of 0.04 to 0.08, where the best of twenty has 0.93 and more.
# </details>

# %%
table = measured(long_clustering.greedy_and_best)
for name, excess in table["excess"].items():
    show(samples=name, trials=len(excess), not_the_shortest=int((excess > 1e-6).sum()), longest_excess=excess.max())
for name, (nats, score) in zip(("greedy", "K-subspaces, best of 20", "K-subspaces, one start", "the truth"), table["runs"]):
    show(partition=name, nats_a_sample=nats.mean(), index=score.mean(), index_from=score.min(), index_to=score.max())

# %% [markdown]
# <details><summary>Outliers, and data that are not flat</summary>
#
# The same 358 samples at $\varepsilon=0.05$, scores of the inliers, with the spread of five data sets.
#
# - *Outliers* (left), uniform in a cube: with bases they do next to no harm up to 40 percent; they are coded as part of the plane
#   or by themselves. K-subspaces has no place for them, and breaks at 40.
# - *Bends* (right): plane and lines are curved by that much. A bend of 0.2 moves the ends by a tenth, twice $\varepsilon$, and
#   still the clusters hold; at 0.4 each is cut into flat pieces: that is the shorter code. Coding length is honest here: what it
#   models are Gaussians through 0. K-subspaces cannot cut, since it was told that there are three, and holds longer.
# - $k$-means, told that there are three, never finds them: all three clusters have their mean at 0.
# </details>

# %%
table = measured(long_clustering.harder_data)
alt = ("Adjusted Rand index. Left, with more outliers: with bases it stays at 0.97; K-subspaces breaks at 0.4. Right, with "
       "larger bends: all fall, K-subspaces last.")
with figure(alt, size=(7, 2.3), ncols=2, sharey=True) as axes:
    for ax, name in zip(axes, ("outliers", "bends")):
        runs = table["by_" + name]
        for i, method in enumerate(table["methods"]):
            ax.errorbar(range(len(runs)), runs[:, i].mean(axis=1), runs[:, i].std(axis=1), label=method)
        ax.set(xlabel=name, xticks=range(len(runs)), xticklabels=[f"{v:g}" for v in table[name]])
    axes[0].set_ylabel("adjusted Rand index")
    axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %% [markdown]
# <details><summary>Is it a phase transition?</summary>
#
# The step from several clusters to one looks sharp in the figure of 2.7, and the book calls it a phase transition. In physics
# that would mean that it becomes sharper, without end, the more samples there are. Here the last $\varepsilon$ with three
# clusters and the first with one are a factor of 1.3 apart at 90, 180 and 360 samples and of 1.2 at 720, where neighbouring
# values of $\varepsilon$ differ by 7 percent: eight times the samples hardly narrow it. It is a step, at the $\varepsilon$ where
# three bases stop paying. Where that is depends on the directions of the lines, and hardly on $N$.
# </details>

# %%
table = measured(long_clustering.transition_over_N)
ratio = table["first_one"] / table["last_three"]
for N, last, first, r in zip(table["N"], table["last_three"], table["first_one"], ratio):
    show(N=int(N), last_with_three=last.mean(), first_with_one=first.mean(), factor=r.mean(), scatter=first.std())

# %% [markdown]
# <details><summary>Digits: coding length against k-means</summary>
#
# Five random halves of the 1,797 digits, ten principal components; coding length about means (each dot is a data set) against
# $k$-means, which is told $K=10$, best of five starts (12 and 15 make no difference). For $\varepsilon$ from 0.4 to 0.6 coding
# length is ahead in nearly every half: it knows clusters that are long in one direction. But somebody has to choose
# $\varepsilon$; from 0.8 on it is no better than $k$-means, and at 1.5 it sees nothing. Told $\varepsilon$ or told $K$, something
# must be told. And the components matter: in all 64 dimensions a basis costs more than a cluster of a few dozen images
# could save, and nothing merges.
# </details>

# %%
table = measured(long_clustering.digits_over_eps)
alt = "Score of coding length against eps: 0.70 to 0.76 from 0.3 to 0.6, then falling to 0 at 2; k-means lies near 0.64."
with figure(alt, size=(5.6, 2.4)) as ax:
    for score, K in zip(table["score"], table["K"]):
        ax.plot(table["eps"], score, "o", color=plot.COLORS[0], markersize=4)
    ax.plot(table["eps"], table["score"].mean(axis=0), color=plot.COLORS[0], marker="None", label="coding length")
    kmeans = table["kmeans"][:, 0]
    ax.axhline(kmeans.mean(), color=plot.COLORS[1], label="k-means, K = 10")
    ax.axhspan(kmeans.min(), kmeans.max(), color=plot.COLORS[1], alpha=0.2, linewidth=0)
    ax.set(xlabel=r"$\varepsilon$", ylabel="adjusted Rand index")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
show(eps=table["eps"], clusters=table["K"].mean(axis=0), score=table["score"].mean(axis=0), kmeans=table["kmeans"].mean(axis=0))
away = X_digits[:, :400] - X_digits.mean(axis=1, keepdims=True)
show(clusters_of_400_in_all_64_dimensions=int(lossy_clustering.cluster(away, 0.5, center=True).max()) + 1)
