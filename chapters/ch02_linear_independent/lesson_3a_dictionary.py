# %% [markdown]
# ## Part 3: Independent and sparse directions
#
# After this part you can
# - turn a mixture of subspaces into one dictionary with sparse codes, and say what data can never tell about it;
# - whiten data, and say exactly what becomes of the dictionary;
# - find an orthogonal dictionary by matching, stretching and projecting, and say how fast;
# - measure kurtosis, separate mixed signals with FastICA, and read the landscape that both climb.
#
# Core exercises: 30 minutes. *More* and *challenge* exercises are for those who want them.

# %% [markdown]
# ### 3.1 A mixture of subspaces is a sparse dictionary
# **Claim.** Often a sample lies in *one of several* subspaces ([[eq:mixture-of-subspaces-geometric]]): $x=U_kz$ for some $k$.
# Put the bases side by side. Then ([[eq:mixture-of-subspaces-dictionary-pre]])
#
# $$x=\underbrace{[U_1\;\cdots\;U_K]}_{A}\begin{bmatrix}z_1\\\vdots\\z_K\end{bmatrix}\quad\text{with only one block not zero},$$
#
# so at most $d$ of the $Kd$ entries are not zero. Forget the blocks and keep the count: $x=Az$ with few non-zero entries,
# $\|z\|_0\le d$. The columns of $A$ are called *atoms*, $A$ a *dictionary* ([[eq:mixture-of-subspaces-dictionary]]).
#
# #### Exercise: one dictionary for all subspaces
#
# *More, 6 minutes.*

# %%
@exercise("ch02.lift")
def lift(Us: "(K, D, d)", z: "(d,)", k: int) -> "(D, K * d), (K * d,)":
    """The dictionary A = [U_1 ... U_K] and the long code of the sample that lies in subspace number k (0 <= k < K) and has the
    code z there. The long code consists of K blocks of d entries: block k is z, the others are 0.
    Example: Us = [[[1.], [0.]], [[0.6], [0.8]]], z = [2.], k = 1  ->  ([[1., 0.6], [0., 0.8]], [0., 2.])"""
    #: solution
    K, D, d = Us.shape
    A = Us.transpose(1, 0, 2).reshape(D, K * d)
    blocks = np.zeros((K, d))
    blocks[k] = z
    return A, blocks.reshape(K * d)
    #: end

# %% [markdown]
# **Claim.** *One of several* is not *a sum of several*. Draw $k$ with probability $\pi_k$, then $x=U_kz$ with $z\sim N(0,I)$:
# a mixture ([[eq:mixture-of-subspaces-statistical]]). The sum $\sum_k\sqrt{\pi_k}\,U_kz_k$ of independent parts has the same
# covariance $\sum_k\pi_kU_kU_k^\top$, so principal components see no difference; but the sum is Gaussian and the mixture is
# not. Fourth moments tell. The *kurtosis* $E x^4-3(E x^2)^2$ is zero for a Gaussian; for coordinate $i$ of the mixture, with
# $a_{ik}=(U_kU_k^\top)_{ii}$,
#
# $$\operatorname{kurt}(x_i)=3\Big(\sum_k\pi_ka_{ik}^2-\big(\sum_k\pi_ka_{ik}\big)^2\Big)\;\ge\;0 .$$
#
# **Derive.** Given $k$, what is the law of $x_i$? A Gaussian of variance $a$ has the fourth moment $3a^2$. When is the bracket,
# the variance of $a_{ik}$ over the pieces, zero?
#
# #### Exercise: what the covariance hides
#
# *More, 10 minutes.*

# %%
@exercise("ch02.mixture_moments")
def mixture_moments(Us: "(K, D, d)", pi: "(K,)") -> "(D, D), (D,)":
    """E[x x^T] and the kurtoses E x_i^4 - 3 (E x_i^2)^2 of the D coordinates of the mixture: x = U_k z with probability pi_k,
    where z ~ N(0, I_d). Us holds the orthonormal bases U_1, ..., U_K; pi adds up to 1. Exact, without drawing samples.
    Example: Us = [[[1.], [0.]], [[0.6], [0.8]]], pi = [0.5, 0.5]  ->  ([[0.68, 0.24], [0.24, 0.32]], [0.3072, 0.3072])"""
    #: solution
    M = np.einsum("k,kia,kja->ij", pi, Us, Us)
    energy = (Us**2).sum(axis=2)
    return M, 3 * (pi @ energy**2 - (pi @ energy) ** 2)
    #: end

# %% [markdown]
# **See.** Two lines against a Gaussian cloud of the same covariance, and the kurtosis of what one sees along each direction:
# turn the lines by $-\alpha$ and look at the first coordinate. It is zero along directions that see both lines alike, and never
# negative.

# %%
rng = np.random.default_rng(0)
lines = np.array([[[1.0], [0.0]], [[0.5], [0.75**0.5]]])               # at 0 and 60 degrees
which, z = rng.integers(2, size=150), rng.normal(size=(2, 150))
mixed, summed = (lines[which, :, 0] * z[0][:, None]).T, (lines[0] * z[0] + lines[1] * z[1]) * 0.5**0.5
turn = lambda a: np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
angles = np.deg2rad(np.arange(0, 181, 7.5))
alt = ("Left: a mixture of two lines. Middle: a sum with the same covariance, a round cloud. Right: kurtosis against direction, "
       "with peaks for the mixture, zero for the sum.")
with figure(alt, size=(7.5, 2.5), ncols=3) as axes:
    for ax, X, name in zip(axes, (mixed, summed), ("mixture", "sum")):
        ax.plot(*X, ".", markersize=3)
        ax.set(aspect="equal", xlim=(-3, 3), ylim=(-3, 3), title=name)
    axes[2].plot(np.rad2deg(angles), [mixture_moments(turn(a) @ lines, np.full(2, 0.5))[1][0] for a in angles], label="mixture")
    axes[2].axhline(0, color=plot.COLORS[1], label="sum")
    for mine in yours(mixture_moments):
        axes[2].plot(np.rad2deg(angles), [mine(turn(a) @ lines, np.full(2, 0.5))[1][0] for a in angles], **plot.DASHED)
    axes[2].set(xlabel="direction in degrees", title="kurtosis along it", xticks=[0, 60, 120, 180], ylim=(-0.1, 1.1))
    axes[2].legend()

# %% [markdown]
# ### 3.2 What data cannot tell
# **Claim.** Now let the dictionary be square, *complete*: $X=UZ$, nothing thrown away. Without assumptions on the codes every
# invertible $B$ gives another pair, $UB^{-1}$ and $BZ$, that makes the same data ([[exercise:symmetry-identifiability]]).
#
# #### Exercise: another basis, other codes
#
# *More, 5 minutes. [[exercise:symmetry-identifiability]] of the book, part 1.*

# %%
@exercise("ch02.other_pair")
def other_pair(U: "(D, d)", B: "(d, d)", Z: "(d, N)") -> "(D, d), (d, N)":
    """The pair (U', Z') with Z' = B Z and U' Z' = U Z, for invertible B.
    Example: U = [[1.], [0.]], B = [[2.]], Z = [[3., 4.]]  ->  ([[0.5], [0.]], [[6., 8.]])"""
    #: solution
    return U @ np.linalg.inv(B), B @ Z
    #: end

# %% [markdown]
# **Claim.** Assume the codes uncorrelated, with variances $s_i>0$, and let new codes $Bz$ be uncorrelated too. Then
#
# $$B=D_1\,Q\,D_2\qquad\text{with diagonal }D_1,D_2\text{ and orthogonal }Q .$$
#
# **Derive.** $C=E[Bz(Bz)^\top]=B\operatorname{diag}(s)B^\top$ is diagonal. Multiply it by $C^{-1/2}$ from both sides.
#
# So second moments fix everything but units and *one rotation*. Units do not matter; the rotation does.
#
# #### Exercise: what uncorrelated codes leave open
#
# *Challenge, 12 minutes. [[exercise:symmetry-identifiability]] of the book, part 2.*

# %%
@exercise("ch02.factor_dqd")
def factor_dqd(B: "(d, d)", S: "(d,)") -> "(d,), (d, d), (d,)":
    """(left, Q, right) with B = diag(left) Q diag(right), Q orthogonal and left > 0, for a B with diagonal B diag(S) B^T.
    S: variances > 0 of the codes z. right brings z to variance 1 (this fixes the units), left gives B z the variances it has.
    Example: B = [[0.6, 0.4], [-1.6, 0.6]], S = [1., 4.]  ->  ([1., 2.], [[0.6, 0.8], [-0.8, 0.6]], [1., 0.5])"""
    #: solution
    right = 1 / np.sqrt(S)
    left = np.sqrt(np.diag((B * S) @ B.T))
    return left, B / left[:, None] / right, right
    #: end

# %% [markdown]
# **Claim.** For *Gaussian* codes the rotation stays open for ever, with any number of samples: if $z\sim N(0,\sigma^2I)$, then
# $Qz$ has the same density ([[exercise:gaussian-rot-invar]]).
#
# **Derive.** The density of $Bz$ at a point $v$ is that of $z$ at $B^{-1}v$, divided by $|\det B|$, by which $B$ stretches
# volumes. What are $\|Q^{-1}v\|$ and $|\det Q|$?
#
# #### Exercise: a Gaussian does not notice rotations
#
# *More, 8 minutes. [[exercise:gaussian-rot-invar]] of the book.*

# %%
@exercise("ch02.turned_density")
def turned_density(B: "(d, d)", z: "(d,)", sigma: float) -> "(), ()":
    """Natural logarithms of two densities at the point z: of d independent Gaussian entries with mean 0 and standard deviation
    sigma, and of B times such a vector. B is invertible, its determinant may be negative.
    Example: B = [[2., 0.], [0., 1.]], z = [2., 1.], sigma = 1.  ->  (-4.338, -3.531)"""
    #: solution
    d = len(z)
    log_density = lambda v: -(v @ v) / (2 * sigma**2) - d * np.log(sigma) - d / 2 * np.log(2 * np.pi)
    return log_density(z), log_density(np.linalg.solve(B, z)) - np.linalg.slogdet(B)[1]
    #: end

# %% [markdown]
# **Claim.** So let the codes be independent and *not* Gaussian. The model of this part has zeros
# ([[eq:ica-model-ch2]], Bernoulli-Gaussian): $z_i=b_ig_i$ with $b_i=1$ with probability $\theta$, otherwise 0, and
# $g_i\sim N(0,1/\theta)$. Then $E z_i^2=1$ for every $\theta$, so on average $\|z\|^2=D$ and $\|z\|_0=\theta D$. Now not even
# the rotation is left open: independent codes with at most one Gaussian among them are determined up to order, sign and scale
# (Comon, 1994). The rest of this part finds them.
#
# #### Exercise: moments of a sparse code
#
# *More, 5 minutes.*

# %%
@exercise("ch02.bg_moments")
def bg_moments(theta: float) -> "(), (), ()":
    """(E z^2, E z^4, E z^4 - 3 (E z^2)^2) of z = b g: b is 1 with probability theta and else 0, g ~ N(0, 1 / theta), independent.
    0 < theta <= 1.
    Example: theta = 0.5  ->  (1., 6., 3.)"""
    #: solution
    variance, fourth = theta * 1 / theta, theta * 3 / theta**2
    return variance, fourth, fourth - 3 * variance**2
    #: end

# %% [markdown]
# **See.** A Gaussian and a sparse cloud, each before and after the same rotation. All four have the second moment $I$. Which
# pair could you tell apart? Your densities say it for the first; the kurtosis $3/\theta-3$ says how far the second is from it.

# %%
def sparse_codes(theta, D, N, seed):
    rng = np.random.default_rng(seed)
    return (rng.random((D, N)) < theta) * rng.normal(size=(D, N)) / theta**0.5

Q, clouds = turn(np.pi / 6), {"Gaussian": sparse_codes(1.0, 2, 250, 1), "sparse": sparse_codes(0.2, 2, 250, 1)}
with figure("Four clouds. A Gaussian one looks the same after a rotation; a sparse one is a cross, and its arms turn.",
            size=(8, 2.3), ncols=4) as axes:
    for ax, (name, X) in zip(axes, [(n + m, B @ C) for n, C in clouds.items() for m, B in (("", np.eye(2)), (", turned", Q))]):
        ax.plot(*X, ".", markersize=3)
        ax.set(aspect="equal", xlim=(-5, 5), ylim=(-5, 5), xticks=[-4, 0, 4], yticks=[-4, 0, 4], title=name)
point, stretch = np.array([1.0, -0.5]), np.diag([2.0, 1.0])
show(log_density=turned_density(Q, point, 1.0)[0], turned=turned_density(Q, point, 1.0)[1],
     stretched=turned_density(stretch, point, 1.0)[1], kurtosis_of_sparse_codes=bg_moments(0.2)[2])
for mine in yours(turned_density):
    show(stretched_by_yours=mine(stretch, point, 1.0)[1])

# %% [markdown]
# ### 3.3 Whitening
# **Claim.** Data of rank $d<D$ first lose the directions that are not there: $X=VY$ with orthonormal $V$ and $Y$ of size
# $d\times N$. What is left can be *whitened*: with $C=XX^\top/N$ invertible, $C^{-1/2}X$ has the second moment $I$
# ([[exercise:whitening]]).
#
# #### Exercise: only the directions that are there
#
# *More, 6 minutes. [[exercise:whitening]] of the book, part 1.*

# %%
@exercise("ch02.span_coordinates")
def span_coordinates(X: "(D, N)", d: int) -> "(D, d), (d, N)":
    """(V, Y) with orthonormal columns in V and X = V Y, for X of rank at most d <= min(D, N). (Of data of higher rank, V spans
    the d leading principal components and V Y is the projection.) Signs and the choice of basis are free.
    For instance X = [[3., 0.], [4., 0.]], d = 1: V is the column (0.6, 0.8) and Y = [[5., 0.]], or both with signs changed."""
    #: solution
    V = np.linalg.svd(X, full_matrices=False)[0][:, :d]
    return V, V.T @ X
    #: end

# %% [markdown]
# **Derive.** We look for $M$ with $MCM^\top=I$. There are many: $QM$ will do for each orthogonal $Q$. The one that is symmetric
# with positive eigenvalues is $C^{-1/2}$. What are its eigenvectors and eigenvalues? Why does turning the data turn the result,
# $(QCQ^\top)^{-1/2}QX=Q\,C^{-1/2}X$?
#
# #### Exercise: whitening
#
# *Core, 10 minutes. [[exercise:whitening]] of the book, part 2.*

# %%
@exercise("ch02.whiten")
def whiten(X: "(D, N)") -> "(D, N), (D, D)":
    """(M X, M) with M = (X X^T / N)^(-1/2), the symmetric root with positive eigenvalues. X has rank D; no mean is subtracted.
    Example: X = [[2., -2., 0., 0.], [0., 0., 1., -1.]]
        ->  ([[1.414, -1.414, 0., 0.], [0., 0., 1.414, -1.414]], [[0.7071, 0.], [0., 1.414]])"""
    #: solution
    eigenvalues, V = np.linalg.eigh(X @ X.T / X.shape[1])
    M = V @ np.diag(eigenvalues**-0.5) @ V.T
    return M @ X, M
    #: end

# %% [markdown]
# **Claim.** Why whiten? Because it makes the dictionary orthogonal. Let $X=AZ$ with an invertible $A$, and let
# $Z_w=(ZZ^\top/N)^{-1/2}Z$ be the whitened *codes*. Then, exactly and for any codes of full rank,
#
# $$\Big(\frac{XX^\top}N\Big)^{-1/2}X=R\,Z_w\qquad\text{with }R\text{ orthogonal},$$
#
# the polar factor of $A\,(ZZ^\top/N)^{1/2}$. If $E[zz^\top]=I$, then $ZZ^\top/N\to I$: $R$ tends to the orthogonal
# matrix nearest to $A$, with an error of order $1/\sqrt N$, and $Z_w$ to $Z$.
#
# <details><summary>The argument</summary>
#
# Let $G=A(ZZ^\top/N)^{1/2}$, so that $X=GZ_w$ and $XX^\top/N=GG^\top$. With $G=L\Sigma R_0^\top$:
# $(GG^\top)^{-1/2}G=L\Sigma^{-1}L^\top L\Sigma R_0^\top=LR_0^\top$, orthogonal.
# </details>
#
# #### Exercise: the rotation that whitening leaves
#
# *Challenge, 12 minutes. [[exercise:whitening]] of the book, part 3.*

# %%
@exercise("ch02.whitening_rotation")
def whitening_rotation(A: "(D, m)", Z: "(m, N)") -> "(D, D)":
    """The orthogonal R with whiten(A Z) = R whiten(Z), where whiten(X) = (X X^T / N)^(-1/2) X. Here m = D, A is invertible and
    Z has rank D.
    Example: A = [[0., -2.], [1., 0.]], Z = [[1., -1., 0., 0.], [0., 0., 1., -1.]]  ->  [[0., -1.], [1., 0.]]"""
    #: solution
    eigenvalues, V = np.linalg.eigh(Z @ Z.T / Z.shape[1])
    root = V @ np.diag(eigenvalues**0.5) @ V.T
    L, _, Rt = np.linalg.svd(A @ root)
    return L @ Rt
    #: end

# %% [markdown]
# **See.** A cross that the dictionary has sheared. Whitening makes its arms orthogonal again; what remains is a rotation,
# drawn as two unit vectors.

# %%
A, codes = np.array([[1.5, 1.0], [0.2, 0.8]]), clouds["sparse"]
panels = {"data": (A @ codes, A), "whitened": (whiten(A @ codes)[0], whitening_rotation(A, codes))}
panels |= {"yours (fails)": (mine(A @ codes)[0], whitening_rotation(A, codes)) for mine in yours(whiten)}
with figure("A sheared cross, and the same after whitening: the arms have become orthogonal and lie along the drawn vectors.",
            size=(6, 2.8), ncols=len(panels)) as axes:
    for ax, (name, (X, arms)) in zip(axes, panels.items()):
        ax.plot(*X, ".", markersize=3)
        for arm in np.asarray(arms).T:
            ax.annotate("", 3 * arm, (0, 0), arrowprops=dict(arrowstyle="->", lw=1.8, color=plot.COLORS[1]))
        ax.set(aspect="equal", xlim=(-6, 6), ylim=(-5, 5), title=name)

# %% [markdown]
# <details><summary>If you read the book: three factors in the formulas for whitening</summary>
#
# - In [[sec:complete-dictionary]] data are preconditioned by $(\frac1{N\theta}XX^\top)^{-1/2}$. With $E z_i^2=1$, as there, the
#   $\theta$ has to go: with it the singular values of the new dictionary are $\sqrt\theta$ instead of 1. (It belongs to a model
#   with $g\sim N(0,1)$.)
# - [[exercise:whitening]], part 2, whitens by $(YY^\top)^{-1/2}$. Its second moment is $I/N$; the average $YY^\top/N$ is meant.
# - Part 3 equates the whitened data with an orthogonal matrix times the *codes*. That needs $E[zz^\top]=I$ and $N\to\infty$;
#   what holds exactly is $R$ times the *whitened* codes. For codes of variances 1 and 9 the fitted matrix is far from
#   orthogonal.
# </details>

# %%
fit = lambda Y, Z: np.linalg.svd(Y @ np.linalg.pinv(Z), compute_uv=False)      # singular values of the best W in Y = W Z
codes = sparse_codes(0.2, 2, 5000, 1)
white = np.asarray(whiten(A @ codes)[0])
show(dictionary_with_theta_kept=fit(0.2**0.5 * white, codes), with_theta_gone=fit(white, codes))
show(second_moment_without_N=white @ white.T / 5000**2)
uneven = np.array([[1.0], [3.0]]) * codes
white = np.asarray(whiten(A @ uneven)[0])
show(for_uneven_codes=fit(white, uneven), for_their_whitened_ones=fit(white, np.asarray(whiten(uneven)[0])))

# %% [markdown]
# ### 3.4 Sparse directions stand out
# **Claim.** From here on data are white and the dictionary is orthogonal. Which direction $u$ makes the responses $u^\top x$
# sparse? Counting zeros is hopeless with noise, so one takes a smooth measure. On the unit sphere of $\mathbb R^n$ these three
# agree about what is sparsest ([[fig:L4-sphere]]):
#
# $$\max\|z\|_4^4=1,\qquad\min\|z\|_1=1,\qquad\min\|z\|_0=1,\qquad\text{each exactly at the }\pm e_i ,$$
#
# and they call the same vectors densest, $\pm1/\sqrt n$ in every entry. In between they disagree.
#
# **Derive.** Let $p_i=z_i^2$, so that $\sum_ip_i=1$. Why is $\sum_ip_i^2\le\max_ip_i$? Why is $\sum_i\sqrt{p_i}\ge\sum_ip_i$?
# When is either an equality? And show $\|z\|_1^2\,\|z\|_4^4\ge1$.
#
# <details><summary>The arguments</summary>
#
# $\sum p_i^2\le(\max p_i)\sum p_i=\max p_i\le1$, and $\sqrt p\ge p$ on $[0,1]$. Both are equalities only if each $p_i$ is 0 or
# 1, and as they add up to 1 exactly one of them is 1. The last is Hölder's inequality for $1=\sum|z_i|^{2/3}|z_i|^{4/3}$ with
# exponents $3/2$ and $3$: $1\le(\sum|z_i|)^{2/3}(\sum z_i^4)^{1/3}$.
# </details>
#
# #### Exercise: three measures of sparsity
#
# *More, 6 minutes.*

# %%
@exercise("ch02.sparsity")
def sparsity(Z: "(d, N)") -> "(N,), (N,), (N,)":
    """For each column, brought to Euclidean length 1: the sum of fourth powers of its entries, the sum of their absolute
    values, and the number of entries of absolute value above 1e-3 (what is smaller counts as zero). No column is zero.
    Example: Z = [[3., 1.], [4., 0.], [0., 0.]]  ->  ([0.5392, 1.], [1.4, 1.], [2, 1])"""
    #: solution
    Z = Z / np.linalg.norm(Z, axis=0)
    return (Z**4).sum(axis=0), np.abs(Z).sum(axis=0), (np.abs(Z) > 1e-3).sum(axis=0)
    #: end

# %% [markdown]
# #### Exercise: where they disagree
#
# *Challenge, 12 minutes.*
#
# On a *part* of the sphere the winners may differ. Construct a plane through the origin in which they do. (With two vectors of
# disjoint supports you can prove it.)

# %%
@exercise("ch02.disagreeing_plane")
def disagreeing_plane() -> "(D, d)":
    """Two orthonormal columns (d = 2; any D from 3 to 100) spanning a plane such that the unit vector of the plane with the
    largest sum of fourth powers has a sum of absolute values at least 50 percent above the least in the plane."""
    #: solution
    p = np.array([0.8] + [0.15] * 16 + [0.0] * 3)
    q = np.array([0.0] * 17 + [3**-0.5] * 3)
    return np.stack([p, q], axis=1)
    #: end

# %% [markdown]
# **See.** Left, the circle: both measures are extreme at multiples of $90°$ and of $45°$. Right, your plane: the two winners
# (markers) differ. So the choice of a measure matters as soon as no direction is perfectly sparse.

# %%
angles = np.linspace(0, np.pi, 181)
circle = np.array([np.cos(angles), np.sin(angles)])
planes = {"the circle": np.eye(20)[:, :2], "your plane": np.asarray(disagreeing_plane())}
with figure("Sums of fourth powers and of absolute values against the angle. On the circle their extremes coincide; in the plane "
            "one is best at an angle where the other is not.", size=(7, 2.6), ncols=2) as axes:
    for ax, (name, V) in zip(axes, planes.items()):
        l4, l1, _ = map(np.asarray, sparsity(V @ circle))
        for values, best, label in (l4, l4.argmax(), r"$\|z\|_4^4$"), (l1 / l1.max(), l1.argmin(), r"$\|z\|_1$ / largest"):
            line, = ax.plot(np.rad2deg(angles), values, marker="None", label=label)
            ax.plot(np.rad2deg(angles[best]), values[best], "o", markersize=9, color=line.get_color())
        for mine in yours(sparsity):
            ax.plot(np.rad2deg(angles), mine(V @ circle)[0], **plot.DASHED)
        ax.set(xlabel="angle in degrees", xticks=range(0, 181, 45), title=name, ylim=(0, 1.45))
        ax.legend(loc="upper center", ncols=2)

# %% [markdown]
# **Claim.** Data $X=UZ$ with orthogonal $U$: look for the direction with the largest $\frac1N\|X^\top u\|_4^4$ on the sphere
# ([[eq:l4-maximization-sphere]]), by what worked for principal components: the gradient, brought to length 1,
#
# $$u\;\leftarrow\;\frac{X\,(X^\top u)^{\circ3}}{\|X\,(X^\top u)^{\circ3}\|}\qquad(\circ3\text{: entry by entry}).$$
#
# It never goes down. And for many samples of independent codes with positive kurtosis every local maximum is near a column
# $\pm u_i$, while all *other* critical points are saddles or minima ([[rem:L4-global]]): from almost every start one ends at
# some column.
#
# **Derive.** Why does it never go down? A convex $f$ lies above its tangents: $f(v)\ge f(u)+\nabla f(u)^\top(v-u)$. Which unit
# vector $v$ makes the right side largest? Is it at least $f(u)$?
#
# <details><summary>The argument, and where the columns come in</summary>
#
# $v=\nabla f(u)/\|\nabla f(u)\|$ makes $\nabla f(u)^\top v$ largest, so at least as large as $\nabla f(u)^\top u$: hence
# $f(v)\ge f(u)$. For independent codes of variance 1 and $w=U^\top u$, multiply out $(w^\top z)^4$: only terms in which indices
# come in pairs survive, so
#
# $$E(w^\top z)^4=\sum_iw_i^4\,E z_i^4+3\sum_{i\ne j}w_i^2w_j^2=\sum_i\kappa_iw_i^4+3 ,$$
#
# with $\kappa_i=E z_i^4-3$: up to constants, and for equal kurtoses, $\|w\|_4^4$ on the sphere, whose maxima are the $\pm e_i$.
# 3.7 and what follows look at this landscape closely.
# </details>
#
# #### Exercise: one direction at a time
#
# *More, 6 minutes.*

# %%
@exercise("ch02.l4_step")
def l4_step(X: "(D, N)", u: "(D,)") -> "(D,)":
    """One step: X (X^T u)^3, the cube taken entry by entry, brought to Euclidean length 1. u has length 1.
    Example: X = [[2., 0., 1.], [0., 1., 1.]], u = [0.6, 0.8]  ->  [0.8853, 0.4649]"""
    #: solution
    v = X @ (X.T @ u) ** 3
    return v / jnp.linalg.norm(v)
    #: end

# %% [markdown]
# **See.** A hundred random starts in eight dimensions, all at once (thirty of them drawn). Some linger at a saddle, but in the
# end each is at a column, and every column is found.

# %%
rng = np.random.default_rng(2)
U = np.linalg.qr(rng.normal(size=(8, 8)))[0]
X = np.asarray(whiten(U @ sparse_codes(0.2, 8, 2000, 2))[0])
starts = rng.normal(size=(8, 100))
starts = starts / np.linalg.norm(starts, axis=0)

def climb(step, T=15):
    u, path = starts, []
    for _ in range(T + 1):
        path.append(np.abs(U.T @ np.asarray(u)))                       # cosines with the columns, (8, 100)
        u = columns(lambda v: step(X, v))(u)
    return np.array(path)

cosines = climb(l4_step)
with figure("The largest cosine with a column against steps, for thirty starts: all curves rise to one.", size=(4.5, 2.5)) as ax:
    ax.plot(cosines.max(axis=1)[:, :30], color=plot.COLORS[0], marker="None", linewidth=0.6)
    for mine in yours(l4_step):
        ax.plot(climb(mine).max(axis=1).mean(axis=1), **plot.DASHED)
    ax.set(xlabel="step", ylabel="largest cosine with a column", ylim=(0.4, 1.02))
show(starts_that_end_at_a_column=int((cosines[-1].max(axis=0) > 0.99).sum()),
     columns_found=len(set(cosines[-1].argmax(axis=0).tolist())))

# %% [markdown]
# **Play.** In the plane everything depends on one angle. Right: the objective of the direction at that angle, and where the
# columns are (dotted). What happens to the peaks as $\theta$ goes to 1? And to the reliability of the highest one with few
# samples?

# %%
def draw_cross(fig, theta, N):
    X = turn(-np.pi / 6) @ sparse_codes(theta, 2, N, 5)
    left, right = fig.subplots(1, 2, width_ratios=(1, 1.4))
    left.plot(*X[:, :500], ".", markersize=3)
    left.set(aspect="equal", xlim=(-6, 6), ylim=(-6, 6), title="samples (at most 500 drawn)")
    objective = ((circle.T @ X) ** 4).mean(axis=1)
    right.plot(np.rad2deg(angles), objective, marker="None")
    right.axhline(3, color="#999999", linestyle="--")
    for column in (30, 120):
        right.axvline(column, color="black", linestyle=":")
    right.set(xlabel="angle in degrees", title="mean fourth power of the response", ylim=(0, None), xticks=range(0, 181, 30))
    best = int(np.rad2deg(angles[objective.argmax()]).round())
    return f"theta = {theta}, {N} samples: the objective is largest at {best} degrees; the columns are at 30 and 120 (dashed: 3)."

explore(draw_cross, {"theta": [0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0], "N": [100, 1000, 10000]},
        start={"theta": 0.2, "N": 1000}, size=(7, 2.6))

# %% [markdown]
# ### 3.5 Orthogonal matrices
# All columns at once means looking for an orthogonal matrix. So how does one stay on $O(D)=\{Q:Q^\top Q=I\}$?
#
# **Claim.** The orthogonal matrix nearest to $G=L\Sigma R^\top$ in Frobenius norm is $LR^\top$; it is the only one if $G$ has
# full rank ([[eq:projection-onto-ogrp-defn]]).
#
# **Derive.** Bring the distance to a form where one sees the best $Q$. $L$, $R$ are orthogonal, and so is $R^\top Q^\top L$.
#
# #### Exercise (derivation): how far is an orthogonal matrix?
#
# *More, 8 minutes. [[exercise:orthogonal-group-calculus]] of the book, part 3.*

# %%
@derivation("ch02.nearest_chain")
def nearest_chain(Q: "(D, D)", G: "(D, D)"):
    """From the squared distance of an orthogonal Q to G to a sum over singular values.
    Pass through the trace of Q^T G, then write it without G."""
    D = len(G)
    L, s, Rt = np.linalg.svd(G)                                            # G = L diag(s) Rt
    yield ((Q - G) ** 2).sum()                                              # given
    #: solution
    yield (Q * Q).sum() - 2 * (Q * G).sum() + (G * G).sum()
    yield D - 2 * np.trace(Q.T @ G) + (s**2).sum()
    yield D - 2 * np.trace(Rt @ Q.T @ L @ np.diag(s)) + (s**2).sum()
    #: end
    yield D + (s**2).sum() - 2 * (s * np.diag(Rt @ Q.T @ L)).sum()         # to show

# %% [markdown]
# An entry of an orthogonal matrix is at most 1. So the last line is least when the whole diagonal of $R^\top Q^\top L$ is 1,
# and then that matrix is $I$: $Q=LR^\top$, at the squared distance $\sum_i(\sigma_i-1)^2$.
#
# #### Exercise: the nearest orthogonal matrix
#
# *More, 8 minutes. [[exercise:orthogonal-group-calculus]] of the book, part 3.*

# %%
@exercise("ch02.project_orthogonal")
def project_orthogonal(G: "(D, D)") -> "(D, D)":
    """The orthogonal matrix nearest to G in Frobenius norm, among those of determinant 1 and of determinant -1. G has full rank.
    Example: G = [[0., -3.], [1., 0.]]  ->  [[0., -1.], [1., 0.]]"""
    #: solution
    L, _, Rt = np.linalg.svd(G)
    return L @ Rt
    #: end

# %% [markdown]
# **Claim.** Could calculus have found it? At a critical point of $\|Q-G\|_F^2$ on $O(D)$ the matrix $M=Q^\top G$ is symmetric,
# with eigenvalues $m_i$, and the second derivatives along the group, over turns of length one, are $m_i+m_j$ for the pairs
# $i<j$. At a minimum none of them is negative.
#
# #### Exercise: which critical points are minima?
#
# *Challenge, 12 minutes. [[exercise:orthogonal-group-calculus]] of the book, part 3.*

# %%
@exercise("ch02.second_order_spectrum")
def second_order_spectrum(Q: "(D, D)", G: "(D, D)") -> "(pairs,)":
    """Second derivatives at t = 0 of ||Q exp(t Omega) - G||_F^2 over an orthonormal basis of skew-symmetric Omega, chosen so
    that the second derivative is diagonal: its D (D - 1) / 2 eigenvalues, ascending. Q is orthogonal and Q^T G symmetric.
    Example: Q = [[1., 0.], [0., 1.]], G = [[3., 1.], [1., 3.]]  ->  [6.]"""
    #: solution
    M = Q.T @ G
    m = np.linalg.eigvalsh((M + M.T) / 2)
    i, j = np.triu_indices(len(m), 1)
    return np.sort(m[i] + m[j])
    #: end

# %% [markdown]
# <details><summary>If you read the book: is every local minimum the nearest matrix?</summary>
#
# [[exercise:orthogonal-group-calculus]], part 3, says that at every local minimizer $Q^\top G$ is positive semidefinite.
# Nonnegative sums $m_i+m_j$ allow *one* negative $m_i$, and it happens: $O(D)$ has two pieces, determinants $1$ and $-1$, and
# each has its own minimum. For $G=\operatorname{diag}(3,2,1)$ and $Q=\operatorname{diag}(1,1,-1)$ all second derivatives are
# positive, yet $I$ is nearer. It holds for every *global* minimizer, and the conclusion $LR^\top$ is right.
# </details>

# %%
G, Q = np.diag([3.0, 2.0, 1.0]), np.diag([1.0, 1.0, -1.0])
show(second_derivatives_at_Q=second_order_spectrum(Q, G), eigenvalues_of_QtG=np.linalg.eigvalsh(Q.T @ G))
show(squared_distance_at_Q=((Q - G) ** 2).sum(), at_the_nearest=((np.asarray(project_orthogonal(G)) - G) ** 2).sum())

# %% [markdown]
# **Claim.** Other functions need directions and second derivatives along the group. Differentiate $Q^\top Q=I$ along a curve:
# $Q^\top\dot Q$ is skew-symmetric. So the directions at $Q$ are $Q\Omega$ with $\Omega^\top=-\Omega$, and the part of $G$
# among them is ([[eq:exercise-riemann-grad-orthogonal-group]])
#
# $$Q\operatorname{skew}(Q^\top G),\qquad\operatorname{skew}(A)=\tfrac12(A-A^\top).$$
#
# For a gradient $G$ it is the gradient along the group, zero exactly at critical points.
#
# #### Exercise: directions along the group
#
# *More, 8 minutes. [[exercise:orthogonal-group-calculus]] of the book, part 1.*

# %%
@exercise("ch02.orthogonal_tangent")
def orthogonal_tangent(Q: "(D, D)", G: "(D, D)") -> "(D, D)":
    """The matrix Q Omega, Omega skew-symmetric, that is nearest to G in Frobenius norm. Q is orthogonal, G any matrix.
    Example: Q = [[0., -1.], [1., 0.]], G = [[1., 2.], [3., 4.]]  ->  [[2.5, 0.], [0., 2.5]]"""
    #: solution
    A = Q.T @ G
    return Q @ (A - A.T) / 2
    #: end

# %% [markdown]
# **Claim.** The straightest curves are $Q\exp(t\Omega)$. Let $f$ have the gradient $G$ at $Q$, and let $H$ be the derivative of
# that gradient along $Q\Omega$. Then ([[eq:exercise-riemann-hess-orthogonal-group]])
#
# $$\frac{d^2}{dt^2}f(Qe^{t\Omega})\Big|_0=\big\langle Q\Omega,\;H-Q\Omega\operatorname{sym}(Q^\top G)\big\rangle .$$
#
# **Derive.** Velocity $Q\Omega$, acceleration $Q\Omega^2$. Where does each enter the second derivative of $f(Q(t))$?
#
# #### Exercise: second derivatives along the group
#
# *Challenge, 15 minutes. [[exercise:orthogonal-group-calculus]] of the book, part 2.*

# %%
@exercise("ch02.orthogonal_hessian")
def orthogonal_hessian(Q: "(D, D)", Omega: "(D, D)", G: "(D, D)", H: "(D, D)") -> "()":
    """Second derivative at t = 0 of f(Q exp(t Omega)). Q is orthogonal, Omega skew-symmetric, G = gradient of f at Q in the
    space of all matrices, H = derivative of that gradient at Q in the direction Q Omega.
    Example: Q = [[1., 0.], [0., 1.]], Omega = [[0., -1.], [1., 0.]], G = [[2., 5.], [1., 4.]], H = [[0., 3.], [1., 0.]]
        ->  -8."""
    #: solution
    A = Q.T @ G
    along = Q @ Omega
    return (along * (H - along @ (A + A.T) / 2)).sum()
    #: end

# %% [markdown]
# ### 3.6 Matching, stretching, projecting
# **Claim.** With orthogonal $W$, its rows directions, $WX$ are the codes. Make their fourth powers as large as possible
# ([[eq:orthogonal-dictionary-learning-l4]]):
#
# $$\max_{W\in O(D)}f(W),\qquad f(W)=\frac1{4N}\|WX\|_4^4,\qquad\nabla f(W)=\frac1N(WX)^{\circ3}X^\top .$$
#
# #### Exercise: the objective and its gradient
#
# *More, 8 minutes.*

# %%
@exercise("ch02.l4_gradient")
def l4_gradient(W: "(D, D)", X: "(D, N)") -> "(), (D, D)":
    """(value, gradient) of f(W) = sum of the fourth powers of all entries of W X, divided by 4 N. The gradient treats all D^2
    entries of W as free.
    Example: W = [[1., 0.], [1., 1.]], X = [[1., 2.], [0., -1.]]  ->  (2.375, [[8.5, -4.], [1.5, -0.5]])"""
    #: solution
    Z = W @ X
    N = X.shape[1]
    return (Z**4).sum() / (4 * N), Z**3 @ X.T / N
    #: end

# %% [markdown]
# **See.** Second derivatives at work. Eight codes with $\theta=0.2$; we leave the true $W=U^\top$ by turning two directions
# into each other. Your parabolas bend down at $0°$, a maximum, and up at $45°$, where a turn in either direction gains.

# %%
spin = np.outer(np.eye(8)[1], np.eye(8)[0]) - np.outer(np.eye(8)[0], np.eye(8)[1])       # turns codes 0 and 1 into each other
turning, degrees = U @ spin @ U.T, np.arange(-20, 71, 5)
away = lambda a: (np.eye(8) + np.sin(a) * spin + (1 - np.cos(a)) * spin @ spin) @ U.T    # U^T exp(a turning)
with figure("The objective while two directions are turned into each other, and parabolas fitted at 0 and at 45 degrees: a "
            "maximum and a minimum along this turn.", size=(4.5, 2.5)) as ax:
    ax.plot(degrees, [l4_gradient(away(a), X)[0] for a in np.deg2rad(degrees)], "o", label="objective")
    for at, color in zip((0, 45), plot.COLORS[1:]):
        W, near = away(np.deg2rad(at)), np.deg2rad(np.arange(-20, 21, 2))
        (value, G), H = l4_gradient(W, X), (3 * (W @ X) ** 2 * (W @ turning @ X)) @ X.T / X.shape[1]
        slope = (np.asarray(orthogonal_tangent(W, G)) * (W @ turning)).sum()
        for bend, how in [(orthogonal_hessian(W, turning, G, H), {"color": color, "marker": "None"}),
                          *((mine(W, turning, G, H), plot.DASHED) for mine in yours(orthogonal_hessian))]:
            ax.plot(at + np.rad2deg(near), value + slope * near + bend / 2 * near**2, **how)
    ax.set(xlabel="turn in degrees", ylabel="objective", xticks=[0, 45])

# %% [markdown]
# **Claim.** At a critical point $W$ is the projection of the gradient. Turn the condition into an iteration
# ([[eq:msp_iteration]]):
#
# $$W\;\leftarrow\;P_{O(D)}\big[(WX)^{\circ3}X^\top\big].$$
#
# *Match* the directions with the data, *stretch* the responses by cubing, *project* on the orthogonal group. The objective never
# goes down. At the end the dictionary is $W^\top$, up to order and signs of its columns.
#
# **Derive.** By 3.5 a critical point has $W^\top\nabla f$ symmetric, hence so is $S=\nabla f\,W^\top$, and $\nabla f=SW$. If
# $S$ has positive eigenvalues, what is the polar factor of $SW$? And the ascent: $f$ is convex; which orthogonal $V$ makes
# $\langle\nabla f(W),V\rangle$ largest?
#
# <details><summary>Answers</summary>
#
# With $S=E\Lambda E^\top$ the singular value decomposition of $SW$ is $E\,\Lambda\,(W^\top E)^\top$, so the polar factor is
# $EE^\top W=W$. By the chain of 3.5, maximising $\langle G,V\rangle$ is minimising $\|V-G\|_F$: $V=P[G]$ is best, so
# $f(V)\ge f(W)+\langle\nabla f(W),V-W\rangle\ge f(W)$.
# </details>
#
# #### Exercise: match, stretch, project
#
# *Core, 10 minutes.*

# %%
@exercise("ch02.msp_step")
def msp_step(W: "(D, D)", X: "(D, N)") -> "(D, D)":
    """One step: the orthogonal matrix nearest to (W X)^3 X^T, the cube taken entry by entry. W is orthogonal, its rows are
    directions, and so are the rows of the result.
    Example: W = [[0.6, 0.8], [-0.8, 0.6]], X = [[2., 0., 1.], [0., 1., 1.]]
        ->  [[0.4882, 0.8727], [-0.8727, 0.4882]]"""
    #: solution
    L, _, Rt = np.linalg.svd((W @ X) ** 3 @ X.T)
    return L @ Rt
    #: end

# %% [markdown]
# **See.** The same eight codes, from a random start. Row $i$ of $|WU|$ says how much direction $i$ sees of each column: at the
# end there is one bright entry in every row and column. The objective only rises.

# %%
def run(step, W, T):
    path = [W]
    for _ in range(T):
        path.append(np.asarray(step(path[-1])))
    return path

W_start, stages = np.linalg.qr(np.random.default_rng(5).normal(size=(8, 8)))[0], (0, 2, 4, 8, 20)
path = run(lambda W: msp_step(W, X), W_start, 20)
pictures = {f"t = {t}": np.abs(path[t] @ U) for t in stages}
pictures |= {"yours (fails)": np.abs(run(lambda W: mine(W, X), W_start, 20)[-1] @ U) for mine in yours(msp_step)}
with figure("Matrices of cosines between found and true directions: grey at first, in the end a permutation.",
            size=(7, 1.8)) as ax:
    plot.images(ax, np.stack([p.ravel() for p in pictures.values()], axis=1), titles=list(pictures), limits=(0, 1))
objective = np.array([((W @ X) ** 4).sum() / (4 * 2000) for W in path])
show(objective=objective[list(stages)], never_falls=bool((np.diff(objective) > -1e-4).all()),
     worst_cosine_with_a_column=np.abs(path[-1] @ U).max(axis=1).min())

# %% [markdown]
# **How fast?** Replace the average over samples by the expectation, and let the dictionary be $I$ (turning the data turns
# everything). The step becomes
#
# $$W\;\leftarrow\;P\big[W^{\circ3}\operatorname{diag}(\kappa)+3W\big],$$
#
# and near a signed permutation every error shrinks, per step, to
# $\;\dfrac3{3+\kappa}=\theta\;$ of itself for equal kurtoses, the last equality for Bernoulli-Gaussian codes.
#
# <details><summary>The rate</summary>
#
# Near $I$ write $W=I+\Omega+O(\|\Omega\|^2)$ with $\Omega$ skew. Off the diagonal $W^{\circ3}$ is of third order, on it 1 up
# to second: the bracket is $(\kappa+3)I+3\Omega+O(\|\Omega\|^2)$. Dividing by $3+\kappa$ changes no projection, and
# $P[I+\epsilon\Omega]=I+\epsilon\Omega$ to first order.
# </details>
#
# #### Exercise: a step on infinitely many samples
#
# *Challenge, 15 minutes.*

# %%
@exercise("ch02.msp_population")
def msp_population(W: "(D, D)", kappa: "(D,)") -> "(D, D)":
    """The orthogonal matrix nearest to E[(W z)^3 z^T], the cube entry by entry, for independent z_j of mean 0, odd moments 0,
    variance 1 and kurtosis kappa_j = E z_j^4 - 3. W is orthogonal, its rows are directions.
    Example: W = [[0.6, 0.8], [-0.8, 0.6]], kappa = [3., 3.]  ->  [[0.5281, 0.8492], [-0.8492, 0.5281]]"""
    #: solution
    G = W**3 * kappa + 3 * W
    L, _, Rt = np.linalg.svd(G)
    return L @ Rt
    #: end

# %% [markdown]
# <details><summary>If you read the book: how fast is it?</summary>
#
# [[sec:complete-dictionary]] calls the convergence of [[eq:msp_iteration]] superlinear. For Bernoulli-Gaussian data it is
# *linear*, of ratio $\theta$: fast when codes are very sparse, slow when they are not. The term $3W$ is what slows it down.
# Subtract it, $W\leftarrow P[\frac1N(WX)^{\circ3}X^\top-3W]$, and on the population only $W^{\circ3}$ is left, whose errors
# are cubed at every step (for equal kurtoses). That is FastICA for all directions at once: 3.10.
# </details>
#
# **See.** Errors on the population, with slopes $\theta^t$ (dotted), and those of the corrected step, which is done after two.

# %%
start = np.asarray(project_orthogonal(np.eye(4) + 0.1 * np.random.default_rng(6).normal(size=(4, 4))))

def errors(step, T=12):
    return [np.linalg.norm(W - np.eye(4)) for W in run(step, start, T)]

with figure("Errors against steps on a logarithmic scale: straight lines for three values of theta, steeper for smaller theta, "
            "and a curve that plunges for the corrected step.", size=(5, 2.7)) as ax:
    for theta, color in zip((0.1, 0.3, 0.6), plot.COLORS):
        kappa = np.full(4, bg_moments(theta)[2])
        fall = errors(lambda W: msp_population(W, kappa))
        ax.semilogy(fall, label=rf"$\theta$ = {theta}", color=color)
        ax.semilogy(0.6 * fall[0] * theta ** np.arange(13), ":", color=color, marker="None")
    for mine in yours(msp_population):
        ax.semilogy(errors(lambda W: mine(W, kappa)), **plot.DASHED)
    ax.semilogy(errors(lambda W: project_orthogonal(W**3 * kappa)), label="$3W$ subtracted", color="black", marker="D")
    ax.set(xlabel="step", ylabel="distance to the identity", ylim=(1e-6, 1))
    ax.legend()

# %% [markdown]
# **Claim.** A step can be seen as a *layer*. The factor between the old and the new $W$ depends on the codes $Z=WX$ alone:
#
# $$\delta W=W_{t+1}W_t^\top=P\big[Z_t^{\circ3}Z_t^\top\big],\qquad Z_{t+1}=\delta W\,Z_t ,$$
#
# so $Z_T=\delta W_T\cdots\delta W_1Z_0$ with $Z_0=W_0X$: a deep linear network, built layer by layer without back-propagation.
# Each layer is orthogonal, and the codes become sparser from layer to layer at constant energy.
#
# **Derive.** $P[G]\,Q=P[GQ]$ for orthogonal $Q$: why? (Look at the singular value decomposition of $GQ$.) Then take
# $Q=W_t^\top$.
#
# #### Exercise: a layer
#
# *More, 6 minutes.*

# %%
@exercise("ch02.msp_layer")
def msp_layer(Z: "(d, N)") -> "(d, d)":
    """The orthogonal matrix V such that V Z are the codes after one more step of matching, stretching and projecting, when Z
    are the codes before it: V times the old W is the new W.
    Example: Z = [[1., 1., 0.], [0., 2., 1.]]  ->  [[0.9536, -0.3011], [0.3011, 0.9536]]"""
    #: solution
    L, _, Rt = np.linalg.svd(Z**3 @ Z.T)
    return L @ Rt
    #: end

# %% [markdown]
# **See.** Codes after 0, 2, 4 and 16 layers: more and more of them are zero, and the others grow. The energy does not change.

# %%
Z, layers = W_start @ X, {}
for t in range(17):
    layers[t] = Z
    Z = np.asarray(msp_layer(Z)) @ Z
with figure("Histograms of all codes on a logarithmic scale after 0, 2, 4 and 16 layers: a narrow peak grows at zero, and "
            "the tails grow wider.", size=(5, 2.6)) as ax:
    outline = dict(bins=np.linspace(-7, 7, 57), histtype="step", log=True, linewidth=1.6)
    for t in (0, 2, 4, 16):
        ax.hist(layers[t].ravel(), label=f"layer {t}", **outline)
    for mine in yours(msp_layer):
        ax.hist((np.asarray(mine(Z)) @ Z).ravel(), color="#444444", linestyle="--", label="yours (fails)", **outline)
    ax.set(xlabel="code", ylabel="how often")
    ax.legend()
show(mean_square=[(layers[t] ** 2).mean() for t in (0, 16)], mean_fourth_power=[(layers[t] ** 4).mean() for t in (0, 2, 4, 16)])

# %% [markdown]
# **Real images.** What are the sparse directions of photographs? We take $8\times8$ patches of five photographs, each without
# its mean and the flattest dropped, keep 32 principal coordinates (93 % of the energy), whiten, and run your step 40 times on
# one half. Back in pixels the columns of $VM^{-1}W^\top$ are the atoms.
#
# **See.** Principal components (two rows above) are waves that fill the patch; the atoms of the sparse dictionary (two rows
# below) are edges, lines and corners, each in its place. Nobody told it about edges.

# %%
patches = np.asarray(data.natural_patches(jax.random.key(0), 5000))
patches = patches[:, np.sort(np.argsort(patches.std(axis=0))[-3000:])]
learn, test = patches[:, ::2], patches[:, 1::2]
V = np.asarray(span_coordinates(learn @ learn.T, 32)[0])                # the same principal directions, from a smaller matrix
white, M = map(np.asarray, whiten(V.T @ learn))
turned = np.asarray(project_orthogonal(np.random.default_rng(7).normal(size=(32, 64)) @ V))    # a random start
W = run(lambda W: msp_step(W, white), turned, 40)[-1]
atoms = V @ np.linalg.inv(M) @ W.T
order = np.argsort(-((W @ white) ** 4).mean(axis=1))                   # the most peaked codes first
with figure("Thirty-two principal components of image patches, waves of growing frequency; below, thirty-two atoms: short edges "
            "and lines.", size=(8, 2.2)) as ax:
    both = np.hstack([V, atoms[:, order]])
    plot.images(ax, both / np.abs(both).max(axis=0), columns=16)

# %% [markdown]
# How much sparser are the codes? Measured on the patches that were *not* used for learning (though cut from the same
# photographs, and some overlap): the $\ell^1$ norm of codes of length 1, over $\sqrt{32}$. Gaussian codes would have
# $\sqrt{2/\pi}\approx0.80$, a single non-zero entry $0.18$. The learned directions gain about as much on the principal
# components as those gain on random directions: real, reproducible, and far from one atom per patch.

# %%
for name, B in {"random directions": turned, "principal components": np.eye(32), "learned directions": W}.items():
    show(**{name: np.mean(sparsity(B @ M @ V.T @ test)[1]) / 32**0.5})
