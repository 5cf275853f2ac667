# %% [markdown]
# ## Part 2: A rate that can be computed, and clusters that it finds
#
# After this part you can
# - take, bound and differentiate the logarithm of a determinant, on its smaller side and without overflow;
# - compute the coding rate of a data set, and say of which source it is the exact rate, and of which only an upper bound;
# - cut a data set into clusters by the length of its code alone, without being told how many there are;
# - say what happens when the distortion is too coarse or too fine, and segment an image by its textures.
#
# Core exercises: 47 minutes. *More* and *challenge* exercises are for those who want them.

# %% [markdown]
# ### 2.1 The logarithm of a determinant
# **Claim.** Let $A$ $(n\times n)$ be symmetric and positive definite, with eigenvalues $\lambda_1,\dots,\lambda_n>0$. Then
# $\log\det A=\sum_i\log\lambda_i$; as a function of $A$ it is *concave*, and its gradient is $A^{-1}$. (This is Exercise 4.1 of
# the book; its second part follows in 2.2.) A determinant is the factor by which $A$ blows up volumes, and its logarithm turns
# "how many balls fit in" into a sum over directions. All rates of this chapter are such sums.
#
# **Derive.** Walk along a line, $A+tB$ with symmetric $B$. Write $A=LL^\top$ and take $L$ out on both sides:
# $A+tB=L\,(I+tM)\,L^\top$ with $M=L^{-1}BL^{-\top}$. The eigenvalues $\mu_1,\dots,\mu_n$ of $M$ are those of $B$ *relative to*
# $A$. (1) What is $\varphi(t)=\log\det(A+tB)$ in terms of $\mu$? (2) Differentiate twice. Which sign has the second derivative?
#
# <details><summary>Answer</summary>
#
# $\det(A+tB)=\det(L)^2\det(I+tM)$, so $\varphi(t)=\log\det A+\sum_i\log(1+t\mu_i)$ as long as all $1+t\mu_i>0$, which is where
# $A+tB$ is positive definite. Then $\varphi'(t)=\sum_i\mu_i/(1+t\mu_i)$ and $\varphi''(t)=-\sum_i\mu_i^2/(1+t\mu_i)^2\le0$. A
# function that is concave along every line is concave. The determinant itself is not: from $I$ to $3I$ $(n=2)$ it takes the
# values 1, 4, 9, and 4 is less than the mean of 1 and 9.
# </details>
#
# #### Exercise: along a line
# *More, 10 minutes.*

# %%
@exercise("ch04.logdet_along_line")
def logdet_along_line(A: "(n, n)", B: "(n, n)") -> "(), (), ()":
    """phi(0), phi'(0) and phi''(0) of phi(t) = log det(A + t B). A is symmetric positive definite, B symmetric, of any sign.
    Example: A = [[2., 0.], [0., 1.]], B = [[2., 0.], [0., -3.]]  ->  (0.6931, -2., -10.)"""
    #: solution
    L = np.linalg.cholesky(A)
    mu = np.linalg.eigvalsh(np.linalg.solve(L, np.linalg.solve(L, B).T))
    return 2 * np.sum(np.log(np.diag(L))), np.sum(mu), -np.sum(mu**2)
    #: end

# %% [markdown]
# **See.** A line in the space of $2\times2$ matrices: $\log\det$ along it, and the tangent and the parabola at $t=0$ from your
# three numbers. Where the line leaves the positive definite matrices, $\log\det$ falls to $-\infty$.

# %%
A, B = np.array([[2.0, 0.6], [0.6, 1.0]]), np.array([[1.2, -0.5], [-0.5, -0.8]])
mu = np.linalg.eigvals(np.linalg.solve(A, B)).real
low, high = -1 / mu.max(), -1 / mu.min()
t = np.linspace(low, high, 122)[1:-1]
phi = np.array([np.linalg.slogdet(A + s * B)[1] for s in t])
alt = "An arch that falls to minus infinity at both ends, below its tangent everywhere, with a parabola that fits it at 0."
with figure(alt, size=(5.2, 2.2)) as ax:
    ax.plot(t, phi, marker="None", label=r"$\log\det(A+tB)$")
    for f, style in [(logdet_along_line, None), *[(mine, plot.DASHED) for mine in yours(logdet_along_line)]]:
        value, slope, curvature = (float(number) for number in f(A, B))
        ax.plot(t, value + slope * t, ":", color="black", marker="None", label=None if style else "tangent")
        ax.plot(t, value + slope * t + curvature / 2 * t**2, **(style or dict(marker="None", label="parabola")))
    ax.set(xlabel="t", ylim=(-3, 1.5))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %% [markdown]
# **Claim.** A concave function lies below all its tangents. For two positive definite matrices this says
#
# $$\log\det A\;\le\;\log\det B+\operatorname{tr}\big(B^{-1}(A-B)\big),$$
#
# and the gap is a sum of terms $\mu_i-1-\log\mu_i\ge0$. Concavity is behind most inequalities of this chapter.
#
# **Derive.** Now $B=LL^\top$, and $\mu$ are the eigenvalues of $L^{-1}AL^{-\top}$: those of $A$ relative to $B$. Bring the two
# matrices into one, then the one matrix into its eigenvalues.
#
# #### Exercise (derivation): the gap under a tangent
# *More, 10 minutes.*

# %%
@derivation("ch04.concavity_bound")
def concavity_bound(A, B):
    """From the gap between log det A and its tangent at B to a sum of terms that are never negative.
    Pass through the one matrix L^-1 A L^-T, then through its eigenvalues mu, trace and determinant being gone."""
    A, B, n = np.asarray(A, dtype=float), np.asarray(B, dtype=float), len(A)
    inv, trace, log, sum = np.linalg.inv, np.trace, np.log, np.sum
    logdet = lambda M: np.linalg.slogdet(M)[1]
    L = np.linalg.cholesky(B)  # B = L L^T
    mu = np.linalg.eigvalsh(inv(L) @ A @ inv(L).T)
    yield logdet(B) + trace(inv(B) @ (A - B)) - logdet(A)
    #: solution
    yield trace(inv(B) @ A) - n - (logdet(A) - logdet(B))
    yield trace(inv(L) @ A @ inv(L).T) - n - logdet(inv(L) @ A @ inv(L).T)
    yield sum(mu) - n - sum(log(mu))
    #: end
    yield sum(mu - 1 - log(mu))

# %% [markdown]
# <details><summary>Why no term is negative, and when all are zero</summary>
#
# $\mu-1-\log\mu$ has derivative $1-1/\mu$, negative before 1 and positive after it, so its least value is at $\mu=1$, where it
# is 0. All are zero only if $L^{-1}AL^{-\top}=I$, that is, $A=B$. Divided by 2 the gap is the Kullback-Leibler divergence from
# $N(0,A)$ to $N(0,B)$ of Part 1.
# </details>
#
# #### Exercise: without the determinant
# The determinant of $10^{-3}I$ of size 400 is $10^{-1200}$, which is 0 on every machine; its logarithm is a harmless $-2763$.
# Never take the logarithm of a determinant: add logarithms. With $A=LL^\top$ (Cholesky, lower triangular $L$) the determinant of
# $A$ is the square of that of $L$, and a triangular matrix shows its own on the diagonal.
#
# *More, 5 minutes.*

# %%
@exercise("ch04.logdet_cholesky")
def logdet_cholesky(A: "(n, n)") -> "()":
    """log det A of a symmetric positive definite A of any size and scale, by its Cholesky factor: nothing may overflow or
    underflow on the way.
    Example: A = [[4., 2.], [2., 2.]]  ->  1.386"""
    #: solution
    L = np.linalg.cholesky(A)
    return 2 * np.sum(np.log(np.diag(L)))
    #: end

# %% [markdown]
# #### Exercise: the gradient
# The gradient of a function $f$ of a matrix is the matrix $G$ of its partial derivatives, so that the slope of $f$ along any $H$
# is $\langle G,H\rangle=\sum_{ij}G_{ij}H_{ij}=\operatorname{tr}(G^\top H)$. From the first exercise the slope of $\log\det$ is
# $\sum_i\mu_i=\operatorname{tr}(A^{-1}H)$. Read off $G$, and do so for an $A$ that need not be symmetric.
#
# *More, 6 minutes.*

# %%
@exercise("ch04.logdet_gradient")
def logdet_gradient(A: "(n, n)") -> "(n, n)":
    """The partial derivatives of log det A by each entry of A, all n^2 of them being free variables: entry (i, j) of the result
    belongs to entry (i, j) of A. Here A is any matrix with a positive determinant, symmetric or not.
    Example: A = [[2., 0.], [1., 1.]]  ->  [[0.5, -0.5], [0., 1.]]"""
    #: solution
    return np.linalg.inv(A).T
    #: end

# %% [markdown]
# <details><summary>If A is symmetric, and has to stay so</summary>
#
# Then $A^{-1}$ is symmetric too, the transpose is not seen, and the gradient is $A^{-1}$: its inner product with every symmetric
# $H$ is the slope. (If the two equal entries $a_{ij}=a_{ji}$ count as *one* variable, the derivative by it is twice the entry of
# $A^{-1}$. That is a table of derivatives, but not a gradient for $\langle\cdot,\cdot\rangle$.)
# </details>

# %% [markdown]
# ### 2.2 The small side
# **Claim.** For every $Z$ $(d\times N)$ with singular values $s_i$, and $\alpha\ge0$,
#
# $$\log\det(I_d+\alpha ZZ^\top)=\log\det(I_N+\alpha Z^\top Z)=\sum_i\log(1+\alpha s_i^2).$$
#
# The left matrix is $d\times d$ (how *directions* are used), the one in the middle $N\times N$ (how *samples* resemble one
# another). The same number from both; take the smaller one.
#
# **Derive.** Put both into one matrix of size $d+N$. With $W=\sqrt\alpha Z$, let
#
# $$M=\begin{pmatrix}I_d&-W\\W^\top&I_N\end{pmatrix}.$$
#
# Adding a multiple of the lower rows to the upper ones leaves the determinant as it is, and so does the other way round. So
# eliminate one corner, or the other. (A matrix with a zero corner has the determinants of its two diagonal blocks multiplied.)
#
# #### Exercise (derivation): two sides of one determinant
# *Core, 10 minutes.*

# %%
@derivation("ch04.logdet_commutes")
def logdet_commutes(Z, alpha):
    """From the d x d determinant to the N x N one.
    Pass through M, and through M with one corner eliminated: before it, after it, or both."""
    Z, (d, N) = np.asarray(Z, dtype=float), Z.shape
    I, O = np.eye, lambda m, n: np.zeros((m, n))  # identity and zero matrices
    logdet = lambda M: np.linalg.slogdet(M)[1]
    block = lambda a, b, c, d: np.block([[a, b], [c, d]])  # upper left, upper right, lower left, lower right
    W = alpha**0.5 * Z
    M = block(I(d), -W, W.T, I(N))
    yield logdet(I(d) + alpha * Z @ Z.T)
    #: solution
    yield logdet(block(I(d) + W @ W.T, O(d, N), W.T, I(N)))
    yield logdet(M)
    yield logdet(block(I(d), -W, O(N, d), I(N) + W.T @ W))
    #: end
    yield logdet(I(N) + alpha * Z.T @ Z)

# %% [markdown]
# <details><summary>The same with singular values</summary>
#
# $ZZ^\top$ has the eigenvalues $s_1^2,\dots,s_r^2$ and, if $d>r$, some zeros; $Z^\top Z$ has the same and, if $N>r$, some zeros.
# A zero eigenvalue contributes $\log1=0$. So both sides are $\sum_i\log(1+\alpha s_i^2)$. The elimination needs no
# eigenvalues, and holds for $I+AB$ and $I+BA$ with any $A$ and $B$ that can be multiplied both ways.
#
# The costs: $d^2N$ multiplications for the Gram matrix on the left and about $d^3$ for its determinant; $dN^2$ and $N^3$ in the
# middle. For two samples in 1,000 dimensions that is a factor of 250,000.
# </details>
#
# #### Exercise: fast and exact
# Three ways to lose the digits of $\log\det(I+\alpha ZZ^\top)$ in float32. *The big side*: with $N<d$ most eigenvalues of
# $ZZ^\top$ are 0 on paper and noise of size $10^{-7}s_1^2$ on the machine; times a large $\alpha$ the noise counts. *A Gram
# matrix*: the squares of small singular values drown in those of large ones. *The sum $1+\alpha s^2$*: for tiny $\alpha s^2$ it
# is 1, and its logarithm 0, where $\log(1+x)\approx x$; NumPy and JAX have a function for it.
#
# *More, 8 minutes.*

# %%
@exercise("ch04.logdet_small_side")
def logdet_small_side(Z: "(d, N)", alpha: float) -> "()":
    """log det(I + alpha Z Z^T) to a relative accuracy of 1e-3 in float32, for alpha from 1e-9 to 1e9, d < N or d > N; entries of
    Z are of order 1, and its min(d, N) singular values positive and of similar size.
    Example: Z = [[1., 0.], [0., 2.], [0., 0.]], alpha = 2.  ->  3.296"""
    #: solution
    s = np.linalg.svd(Z, compute_uv=False)
    return np.sum(np.log1p(alpha * s**2))
    #: end

# %% [markdown]
# **See.** The relative error of three routes in float32, against float64; $d=300$ and $N=10$. A cross at the top means NaN: the
# $300\times300$ matrix is no longer positive definite on the machine. (In the package: `coding.logdet_gram`, by
# Cholesky factors of the small side, which are quicker than singular values.)

# %%
from chapters.ch04_lossy_compression import experiments_coding

alphas = np.geomspace(1e-9, 1e9, 19)
Z, exact, errors = experiments_coding.float32_routes(alphas, d=300, N=10)
relative = lambda f: [max(abs(float(f(Z, float(alpha))) / value - 1), 1e-8) for alpha, value in zip(alphas, exact)]
alt = "The big side fails for large alpha, both Cholesky routes lose their digits for small; singular values keep six."
with figure(alt, size=(6, 2.7)) as ax:
    for (route, error), mark, color in zip(errors.items(), "s^", plot.COLORS[1:]):
        ax.loglog(alphas, error, marker=mark, color=color, label=route)
        nan = alphas[np.isnan(error)]
        ax.loglog(nan, np.full(len(nan), 30.0), "x", color=color)
    ax.loglog(alphas, relative(logdet_small_side), marker="o", color=plot.COLORS[0], label="logdet_small_side")
    for mine in yours(logdet_small_side):
        ax.loglog(alphas, relative(mine), **plot.DASHED)
    ax.set(xlabel=r"$\alpha$", ylabel="relative error", ylim=(5e-9, 100))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %% [markdown]
# ### 2.3 The coding rate: counting balls
# **Claim.** Samples $Z$ $(d\times N)$ with mean zero have the covariance $\Sigma=ZZ^\top/N$. To write down one of them with a
# mean squared error of $\varepsilon^2$ takes about ([[eqn:rate-Gaussian]])
#
# $$R_\varepsilon(Z)=\tfrac12\log\det\big(I+\alpha\,ZZ^\top\big),\qquad\alpha=\frac d{N\varepsilon^2}\qquad\text{nats}.$$
#
# (In the book the data are $X$ and have $D$ rows; the letters change, the formula does not.)
#
# **Derive.** Count balls. An error $w$ that is the same in all directions, with $\mathbb E\|w\|^2=\varepsilon^2$, has the
# covariance $\frac{\varepsilon^2}dI$: the total is shared by $d$ coordinates. (1) Which covariance has $z+w$, if $w$ is
# independent of $z$? (2) An ellipsoid with covariance $C$ has a volume proportional to $\sqrt{\det C}$. How many times does that
# of $w$ fit into that of $z+w$? (3) Take the logarithm.
#
# <details><summary>The argument</summary>
#
# (1) Covariances of independent vectors add: $\Sigma+\frac{\varepsilon^2}dI$. (2) The factors of proportion are the same and
# cancel, $\sqrt{\det(\Sigma+\frac{\varepsilon^2}dI)/\det(\frac{\varepsilon^2}dI)}=\sqrt{\det(I+\frac d{\varepsilon^2}\Sigma)}$.
# (3) Half of the $\log\det$; insert $\Sigma$. It is a count of volumes, not a construction: balls that cover a region must
# overlap, and 2.5 shows what that costs.
# </details>
#
# #### Exercise: the coding rate
# *Core, 10 minutes.*

# %%
@exercise("ch04.coding_rate")
def coding_rate(Z: "(d, N)", eps: float) -> "()":
    """R_eps(Z) = 1/2 log det(I + alpha Z Z^T) with alpha = d / (N eps^2), in nats. Samples are columns, taken as they come (no
    centring); eps > 0 is squared inside.
    Example: Z = [[1., -1., 1., -1.], [2., 2., -2., -2.]], eps = 1.  ->  1.648"""
    #: solution
    d, N = Z.shape
    alpha = d / (N * eps**2)
    return jnp.linalg.slogdet(jnp.eye(d) + alpha * Z @ Z.T)[1] / 2
    #: end

# %% [markdown]
# **Play.** A Gaussian in the plane: its ellipse of two standard deviations, covered by discs of radius $\varepsilon$ in a
# hexagonal pattern. Right: the logarithm of their number, and your $R_\varepsilon$. How does the difference change as the discs
# become small?

# %%
W = np.array([[0.8, -0.6], [0.6, 0.8]]) * np.array([1.0, 0.35])  # Sigma = W W^T
plane = W @ experiments_coding.white(2, 60)  # 60 samples with exactly this covariance
radii = [0.1, 0.15, 0.2, 0.3, 0.5, 0.8]
centres = {eps: experiments_coding.hexagonal_cover(W, eps) for eps in radii}

def draw_discs(fig, eps):
    left, right = fig.subplots(1, 2, width_ratios=(1.25, 1))
    experiments_coding.discs(left, W, centres[eps], eps)
    right.semilogx(radii, [np.log(centres[e].shape[1]) for e in radii], "s-", color=plot.COLORS[1], label="log of the number")
    right.semilogx(radii, [coding_rate(plane, e) for e in radii], color=plot.COLORS[0], label=r"$R_\varepsilon$")
    for mine in yours(coding_rate):
        right.plot(radii, [mine(plane, e) for e in radii], **plot.DASHED)
    right.axvline(eps, color="#999999", linestyle=":")
    right.set(xlabel=r"$\varepsilon$", ylabel="nats", xticks=radii, xticklabels=map(str, radii))
    right.minorticks_off()
    right.legend()
    difference = np.log(centres[eps].shape[1]) - float(coding_rate(plane, eps))
    return f"With eps = {eps} it takes {centres[eps].shape[1]} discs; their log is {difference:.2f} nats above the coding rate."

explore(draw_discs, {"eps": radii}, start={"eps": 0.3}, size=(6.6, 2.7))

# %% [markdown]
# <details><summary>What remains</summary>
#
# The ellipse has the area $4\pi\sqrt{\det\Sigma}$, a hexagon in a disc of radius $\varepsilon$ the area
# $\frac{3\sqrt3}2\varepsilon^2$, and $e^{R_\varepsilon}\approx\frac2{\varepsilon^2}\sqrt{\det\Sigma}$. So for small
# $\varepsilon$ the difference tends to $\log\frac{4\pi}{3\sqrt3}=0.88$: a constant, while both rates grow without bound. The
# constant depends on how much of the Gaussian is to be covered; what the coding rate gets right is the growth.
# </details>
#
# **Claim.** The coding rate has the gradient $\nabla R_\varepsilon(Z)=\alpha\,(I+\alpha ZZ^\top)^{-1}Z$, a $d\times N$ matrix
# like $Z$.
#
# **Derive.** Put a direction $H$ beside $Z$, and see how fast the rate changes along it. Let $A=I+\alpha ZZ^\top$. (1) What is
# the derivative of $I+\alpha(Z+tH)(Z+tH)^\top$ at $t=0$? (2) By 2.1 the slope of $\log\det$ at $A$ along $B$ is
# $\operatorname{tr}(A^{-1}B)$. (3) $B$ has two terms, transposes of each other. (4) Write the trace as a sum over entries,
# $\operatorname{tr}(PH^\top)=\sum_{ij}P_{ij}H_{ij}$.
#
# #### Exercise (derivation): the gradient of the coding rate
# *More, 12 minutes.*

# %%
@derivation("ch04.coding_rate_slope")
def coding_rate_slope(Z, H, eps):
    """From the slope of the coding rate along H to the inner product of H with the gradient.
    Pass through a trace, with no slope and no rate left, then through a sum over entries, with no trace left."""
    Z, H, (d, N) = np.asarray(Z, dtype=float), np.asarray(H, dtype=float), Z.shape
    inv, trace, sum, alpha = np.linalg.inv, np.trace, np.sum, d / (N * eps**2)
    rate = lambda M: np.linalg.slogdet(np.eye(d) + alpha * M @ M.T)[1] / 2
    slope = lambda f: (f(1e-4) - f(-1e-4)) / 2e-4  # the derivative of f at 0, by central differences
    unit = lambda i, j: np.outer(np.eye(d)[i], np.eye(N)[j])
    gradient = np.array([[slope(lambda t: rate(Z + t * unit(i, j))) for j in range(N)] for i in range(d)])
    A = np.eye(d) + alpha * Z @ Z.T
    yield slope(lambda t: rate(Z + t * H))
    #: solution
    yield trace(inv(A) @ (alpha * H @ Z.T + alpha * Z @ H.T)) / 2
    yield alpha * trace(inv(A) @ Z @ H.T)
    yield sum(alpha * (inv(A) @ Z) * H)
    #: end
    yield sum(gradient * H)

# %% [markdown]
# #### Exercise: the gradient
# The last two lines hold for every $H$. So what stands beside $H$ is the same in both.
#
# *More, 6 minutes.*

# %%
@exercise("ch04.coding_rate_gradient")
def coding_rate_gradient(Z: "(d, N)", eps: float) -> "(d, N)":
    """The gradient of the coding rate R_eps(Z) = 1/2 log det(I + alpha Z Z^T), alpha = d / (N eps^2), with respect to Z.
    Example: Z = [[1., -1.], [0., 0.]], eps = 1.  ->  [[0.3333, -0.3333], [0., 0.]]"""
    #: solution
    Z, (d, N) = np.asarray(Z), Z.shape
    a = d / (N * eps**2)
    return a * np.linalg.solve(np.eye(d) + a * Z @ Z.T, Z)
    #: end

# %% [markdown]
# **See.** Sixty samples, wide in one direction and narrow in the other. The arrows are your gradient, to scale but for a common
# factor: a higher rate is had by spreading out where the data are *thin*. Along a singular direction the gradient is
# $\alpha s/(1+\alpha s^2)$, largest where $s^2/N=\varepsilon^2/d$: where the data are about as thick as the noise. This is how
# the objective of Part 3 makes features diverse.

# %%
thin = np.diag([1.0, 0.1]) @ np.random.default_rng(3).normal(size=(2, 60))
with figure("Arrows at sixty points of a flat cloud point almost straight away from its long axis.", size=(5.6, 2)) as ax:
    for f, color in [(coding_rate_gradient, plot.COLORS[0]), *[(mine, "#444444") for mine in yours(coding_rate_gradient)]]:
        ax.quiver(*thin, *np.asarray(f(thin, 0.1)), angles="xy", scale_units="xy", scale=0.4, width=0.003, color=color)
    ax.plot(*thin, ".", color=plot.COLORS[1])
    ax.set(aspect="equal", xlim=(-3.8, 3.8), ylim=(-1.1, 1.1))

# %% [markdown]
# #### Exercise: the second derivative
# $\log\det$ is concave, but the coding rate is *not* concave in $Z$: at $Z=0$ it has its least value. Along a line $Z+tH$ the
# matrix in the determinant is a parabola, $A+tB+t^2C$ with $A=I+\alpha ZZ^\top$, so two effects meet: $C$ bends the rate up, $B$
# (by 2.1) down.
#
# *Challenge, 12 minutes.*

# %%
@exercise("ch04.coding_rate_curvature")
def coding_rate_curvature(Z: "(d, N)", H: "(d, N)", eps: float) -> "()":
    """The second derivative of t -> R_eps(Z + t H) at t = 0, where R_eps(Z) = 1/2 log det(I + alpha Z Z^T) with
    alpha = d / (N eps^2). To a relative accuracy of 1e-3: by a formula, since differences in float32 are too coarse.
    Example: Z = [[1., -1.]], H = [[1., 1.]], eps = 1.  ->  0.5"""
    #: solution
    Z, H, (d, N) = np.asarray(Z), np.asarray(H), Z.shape
    a = d / (N * eps**2)
    inverse = np.linalg.inv(np.eye(d) + a * Z @ Z.T)
    turn = inverse @ (Z @ H.T + H @ Z.T)
    return a * np.sum(H * (inverse @ H)) - a**2 / 2 * np.trace(turn @ turn)
    #: end

# %% [markdown]
# ### 2.4 Exact for which source?
# **Claim.** $R_\varepsilon$ came from counting balls. It is also, *exactly*, the rate distortion function (Part 1) of a Gaussian
# source at distortion $\varepsilon^2$; but of a source with a little noise in it, $N(0,\Sigma+\frac{\varepsilon^2}DI)$, not of
# $N(0,\Sigma)$.
#
# **Derive.** Water-filling spends the distortion $\min(\kappa,\lambda_i)$ on direction $i$, with the level $\kappa$ chosen so
# that the sum is $\varepsilon^2$; the rate is $\frac12\sum_i\log(\lambda_i/\min(\kappa,\lambda_i))$. How small can an
# eigenvalue of $\Sigma+\frac{\varepsilon^2}DI$ be? Which level does that allow?
#
# <details><summary>Answer</summary>
#
# None is below $\varepsilon^2/D$. Try $\kappa=\varepsilon^2/D$: all $\min(\kappa,\lambda_i)$ are $\kappa$, and they add up to
# $\varepsilon^2$, as they should. So the water stands at the floor of the noise, and the rate is
# $\frac12\sum_i\log\big((\lambda_i(\Sigma)+\frac{\varepsilon^2}D)\big/\frac{\varepsilon^2}D\big)=R_\varepsilon$.
# </details>
#
# #### Exercise: the perturbed source
# *More, 8 minutes.*

# %%
@exercise("ch04.perturbed_source_rate")
def perturbed_source_rate(Sigma: "(D, D)", eps: float) -> "(), ()":
    """The water level kappa and the rate distortion function, in nats, of the source N(0, Sigma + (eps^2 / D) I) at the total
    mean squared error eps^2, eps > 0. Sigma: a covariance, possibly singular.
    Example: Sigma = [[3., 0.], [0., 0.]], eps = 2.  ->  (2., 0.4581)"""
    #: solution
    kappa = eps**2 / len(Sigma)
    variances = np.linalg.eigvalsh(Sigma) + kappa
    return kappa, np.sum(np.log(variances / kappa)) / 2
    #: end

# %% [markdown]
# **See.** Data on a plane in ten dimensions. As $\varepsilon$ falls the coding rate grows by the *rank* for every factor $e$ (the
# dotted slope is 2), as the exact rate of $N(0,\Sigma)$ does, and stays above it. Right: the difference of the two, for data of
# rank 2 and of full rank.

# %%
two, ten = np.r_[3.0, 1.0, np.zeros(8)], np.linspace(3, 1, 10)
fine = np.geomspace(0.03, 3, 22)
exact_rate = lambda variances, eps: float(coding.rate_distortion_gaussian(variances, float(eps) ** 2))
rates = {r: [np.array([f(variances, e) for e in fine]) for f in (lambda v, e: float(perturbed_source_rate(np.diag(v), e)[1]),
         exact_rate)] for r, variances in {2: two, 10: ten}.items()}
alt = "Left both rates rise in parallel as eps falls. Right the gap tends to 1.61 nats for rank 2 and to 0 for full rank."
with figure(alt, size=(6.6, 2.6), ncols=2) as (left, right):
    left.semilogx(fine, rates[2][0], label=r"$R_\varepsilon$")
    left.semilogx(fine, rates[2][1], label="exact rate")
    left.semilogx(fine, 2 * np.log(3 / fine) + 2, ":", color="black", marker="None", label="slope 2")
    for mine in yours(perturbed_source_rate):
        left.plot(fine, [float(mine(np.diag(two), e)[1]) for e in fine], **plot.DASHED)
    for color, (r, (upper, lower)) in zip(plot.COLORS[2:], rates.items()):
        right.semilogx(fine, upper - lower, color=color, label=f"rank {r}")
    right.axhline(np.log(5), color="black", linestyle=":")
    left.set(xlabel=r"$\varepsilon$", ylabel="nats")
    right.set(xlabel=r"$\varepsilon$", ylabel="difference in nats")
    left.legend(), right.legend()

# %% [markdown]
# <details><summary>If you read the book: how close an approximation it is</summary>
#
# After [[eqn:rate-Gaussian]] it is said that for small $\varepsilon$ the formula is a close approximation to the rate
# distortion function of a Gaussian source. That holds if $\Sigma$ has full rank. For rank $r<D$ the exact code spends all its
# distortion on $r$ directions, $\varepsilon^2/r$ on each, where $R_\varepsilon$ counts with $\varepsilon^2/D$. So the gap tends
# to
#
# $$\tfrac r2\log\tfrac Dr ,$$
#
# which does not vanish: $\log5=1.61$ nats in the figure, and 7.49 for $r=5$, $D=100$. As this chapter is about data of low rank
# it matters. What holds for every $\varepsilon$: $R_\varepsilon$ is exact for the perturbed Gaussian, and an upper bound for
# the rate of every source with covariance $\Sigma$.
# </details>

# %%
print("  D  rank   gap at eps = 1     0.1    0.03   predicted")
for D, r in (10, 10), (10, 2), (100, 5):
    variances = np.r_[np.linspace(1, 2, r), np.zeros(D - r)]
    gaps = [float(perturbed_source_rate(np.diag(variances), eps)[1]) - exact_rate(variances, eps) for eps in (1.0, 0.1, 0.03)]
    print(f"{D:3}{r:6}{gaps[0]:17.2f}{abs(gaps[1]):8.2f}{abs(gaps[2]):8.2f}{r / 2 * np.log(D / r):12.2f}")

# %% [markdown]
# **Claim.** There is a third way to the same formula, and it tells what the book-keeping costs. Write data of low rank as
# $X=USV^\top$ and quantise $V$ and $U$. Per singular value $s$ this takes $\frac12\log\big(1+\frac{Ds^2}{N\varepsilon^2}\big)$
# nats for each of the $N$ entries of $V$, and as much for each of the $D$ entries of $U$. Added up: $(N+D)\,R_\varepsilon(X)$.
# The samples cost $N R_\varepsilon$, and to tell the receiver *which subspace* costs $D R_\varepsilon$ more.
#
# <details><summary>Where the numbers come from</summary>
#
# A column of $V$ has length 1 and $N$ entries, so the variance of an entry is $1/N$. An error of variance $\delta$ in every
# entry changes $X$ by $\sum s^2N\delta$ in squared Frobenius norm. Allow $\frac{N\varepsilon^2}D$ per direction:
# $\delta=\varepsilon^2/(Ds^2)$. A variance $1/N$ to be known up to a variance $\delta$ costs, as in the count of balls,
# $\frac12\log(1+\frac1{N\delta})$. For $U$ the entries have variance $1/D$, and the same error in $X$ allows
# $\delta=N\varepsilon^2/(D^2s^2)$: once more $\frac1{D\delta}=\frac{Ds^2}{N\varepsilon^2}$. To first order the total error
# is $2rN\varepsilon^2/D$, at most $N\varepsilon^2$ if $r\le D/2$.
# </details>
#
# #### Exercise: the code of a subspace
# You meet the second number again in 2.6: whether a clustering counts it or not decides what it finds.
#
# *More, 8 minutes.*

# %%
@exercise("ch04.subspace_code_length")
def subspace_code_length(X: "(D, N)", eps: float) -> "(), ()":
    """Nats for all N coordinate vectors (the rows of V) and nats for the basis (the D rows of U) of X = U S V^T, in this order: N
    and D times the sum over singular values s of 1/2 log(1 + D s^2 / (N eps^2)).
    Example: X = [[3., 0., 0.], [0., 0., 4.]], eps = 2.  ->  (3.323, 2.216)"""
    #: solution
    D, N = X.shape
    s = np.linalg.svd(X, compute_uv=False)
    each = np.sum(np.log(1 + D * s**2 / (N * eps**2))) / 2
    return N * each, D * each
    #: end

# %% [markdown]
# ### 2.5 A code that can be run
# **Claim.** Choose $M$ words $c_1,\dots,c_M$, the centres of balls of radius $\varepsilon$ that cover the data
# ([[subsec:lossy DR]]). *Encode* a sample as the number of the nearest word, *decode* the number as that word. The error is at
# most $\varepsilon$ for every sample, the rate at most $\log M$; less, if frequent words get short names: then it is the entropy
# of the number.
#
# #### Exercise: encode and decode
# *More, 6 minutes.*

# %%
@exercise("ch04.ball_code")
def ball_code(X: "(D, N)", C: "(D, M)") -> "(N,), (D, N)":
    """Encode every sample (column of X) by the number of the nearest word (column of C) in Euclidean distance, and decode it: the
    pair (numbers from 0 to M - 1 as integers, decoded samples). Of several nearest words the first counts.
    Example: X = [[0.2, 0.9, 2.6]], C = [[0., 1., 2.]]  ->  ([0, 1, 2], [[0., 1., 2.]])"""
    #: solution
    X, C = np.asarray(X), np.asarray(C)
    squares = np.sum((X[:, :, None] - C[:, None, :]) ** 2, axis=0)
    numbers = squares.argmin(axis=1)
    return numbers, C[:, numbers]
    #: end

# %% [markdown]
# **See.** 2,000 samples of the Gaussian of 2.3, coded with the centres of hexagonally arranged discs of eight sizes. Across: the
# error that was measured, root mean square. Up: the logarithm of the number of words in use, the entropy of the numbers, and
# $R_\varepsilon$ at that error. Dotted: the exact rate of $N(0,\Sigma)$, below which no code comes.

# %%
samples = W @ np.random.default_rng(5).normal(size=(2, 2000))
measured_at = []
for radius in np.geomspace(0.25, 1.5, 8):
    numbers, decoded = ball_code(samples, experiments_coding.hexagonal_cover(W, radius, deviations=4.5, words=520))
    shares = np.bincount(np.asarray(numbers)) / 2000
    shares = shares[shares > 0]
    error = np.sqrt(np.mean(np.sum((samples - np.asarray(decoded)) ** 2, axis=0)))
    measured_at.append((error, np.log(len(shares)), -shares @ np.log(shares), float(coding_rate(samples, error))))
error, of_words, entropy, rate = np.array(measured_at).T
alt = "Four falling curves: log of words in use on top, then the entropy, the coding rate and, lowest, the exact rate."
with figure(alt, size=(6, 2.5)) as ax:
    ax.semilogx(error, of_words, label="log of words in use")
    ax.semilogx(error, entropy, label="entropy of the numbers")
    ax.semilogx(error, rate, label=r"$R_\varepsilon$")
    exact = [exact_rate(np.array([1, 0.35**2]), e) for e in error]
    ax.semilogx(error, exact, ":", color="black", marker="None", label="exact rate")
    for mine in yours(ball_code):
        wrong = np.asarray(mine(samples, experiments_coding.hexagonal_cover(W, 0.5, deviations=4.5, words=520))[1])
        ax.axvline(np.sqrt(np.mean((samples - wrong) ** 2) * 2), **plot.DASHED)
    ax.set(xlabel="root mean squared error", ylabel="nats", xticks=[0.2, 0.3, 0.5, 0.8], xticklabels=["0.2", "0.3", "0.5", "0.8"])
    ax.minorticks_off()
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %% [markdown]
# <details><summary>How far apart are they, and why?</summary>
#
# Hexagons with a mean squared error $\varepsilon^2$ have the area $a=\frac{18\sqrt3}5\varepsilon^2$. For fine cells the
# entropy of the numbers is that of the density less the logarithm of the area, $\log(2\pi e\sqrt{\det\Sigma})-\log a$, and
# $R_\varepsilon\approx\log(\frac2{\varepsilon^2}\sqrt{\det\Sigma})$. The difference, $\log\frac{5\pi e}{18\sqrt3}=0.31$ nats,
# is the price of coding one sample at a time: no cell in the plane is rounder than a hexagon. Coding many samples at once,
# with cells in many dimensions, brings it down to 0. The number of words is larger still, since most of them, far out, are
# rare: it depends on the farthest sample, the entropy does not. With the coarsest cells the entropy falls below
# $R_\varepsilon$, which there is itself above the exact rate (2.4). (The book takes the radius $\varepsilon$ of the balls for
# the error. It is the *largest* error; the root mean square of a hexagon is $\sqrt{5/12}=0.65$ of it.)
# </details>

# %%
print("entropy above the coding rate: " + ", ".join(f"{gap:.2f}" for gap in entropy[:5] - rate[:5]))
show(for_tiny_cells=np.log(5 * np.pi * np.e / (18 * 3**0.5)))
