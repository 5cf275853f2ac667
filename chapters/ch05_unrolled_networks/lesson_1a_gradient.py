# %% [markdown]
# ## Part 1: A network that climbs the rate reduction
#
# After this part you can
# - derive the gradient of the rate reduction, and say what each of its two halves does to a feature;
# - read both halves as residuals of ridge regressions, and say when they are projections;
# - turn a gradient step on the features of a training set into a layer that any point can pass;
# - build a network of such layers forward, without backpropagation, and say what its depth, step and gate are worth.
#
# Core exercises: 37 minutes. *More* and *challenge* exercises are for those who want them.

# %% [markdown]
# ### 1.1 The objective, and one identity
# **Claim.** Chapter 4 asks for features $Z$ whose classes are cheap to code one by one and dear to code together
# ([[eq:mcr-formulation]]):
#
# $$\Delta R=\tfrac12\log\det(I+\alpha ZZ^\top)-\sum_k\tfrac{\gamma_k}2\log\det(I+\alpha_kZ\Pi_kZ^\top),$$
#
# with $\Pi_k$ the diagonal matrix of shares of the samples in class $k$ (row $k$ of the *membership*),
# $\alpha=d/(N\varepsilon^2)$, $\alpha_k=d/(\operatorname{tr}(\Pi_k)\,\varepsilon^2)$ and $\gamma_k=\operatorname{tr}(\Pi_k)/N$.
#
# **Derive.** What is $\gamma_k\alpha_k$? What do the $\gamma_k$ add up to?
#
# <details><summary>Answers, and what they are good for</summary>
#
# $\gamma_k\alpha_k=\alpha$ for every class, whatever its size; and $\sum_k\gamma_k=1$. The first makes the gradient below shorter than
# it looks: $\gamma_kC_k=\alpha(I+\alpha_kZ\Pi_kZ^\top)^{-1}$. Where a class has nothing it pushes with $\alpha$, be it small or large.
# </details>
#
# #### Exercise: the constants of a class
# *More, 5 minutes.*

# %%
@exercise("ch05.class_constants")
def class_constants(membership: "(K, N)", eps: float, d: int) -> "(), (K,), (K,)":
    """alpha, then the K numbers alpha_k, then the K numbers gamma_k, for features of dimension d. The size tr(P_k) of a class is the
    sum of its row of shares; no class is empty.
    Example: membership = [[1., 1., 0.], [0., 0., 1.]], eps = 2., d = 6  ->  (0.5, [0.75, 1.5], [0.6667, 0.3333])"""
    #: solution
    sizes = np.asarray(membership).sum(axis=1)
    N = np.shape(membership)[1]
    return d / (N * eps**2), d / (sizes * eps**2), sizes / N
    #: end

# %% [markdown]
# <details><summary>If you read the book</summary>
#
# [[alg:redunet_training]] has $D$, the dimension of the data, for $d$ in $\alpha_k$, and for $N$ in $\gamma_k$. With the latter
# the $\gamma_k$ do not add up to 1, as the next cell shows for 12 samples of dimension 5, and the gradient is another one.
# </details>

# %%
some = np.repeat(np.eye(3), [6, 4, 2], axis=1)
show(as_printed=some.sum(axis=1).sum() / 5, as_derived=np.sum(class_constants(some, 0.5, 5)[2]))

# %% [markdown]
# **Claim.** $\Delta R$ never falls when all features are scaled up, and it grows without limit unless every class spans all that the
# whole spans. So each feature is kept at length 1, on the sphere. Climbing is then *projected gradient ascent*
# ([[eqn:gradient-descent]]): step along the gradient $H$, then bring every column back to length 1.
#
# #### Exercise: a step on the sphere
# *More, 4 minutes.*

# %%
@exercise("ch05.sphere_step")
def sphere_step(Z: "(d, N)", H: "(d, N)", eta: float) -> "(d, N)":
    """The features after a step of size eta along H, each column scaled to length 1. No column of Z + eta H is 0.
    Example: Z = [[1., 0.], [0., 1.]], H = [[0., 2.], [0., 1.]], eta = 0.5  ->  [[1., 0.5547], [0., 0.8321]]"""
    #: solution
    moved = np.asarray(Z) + eta * np.asarray(H)
    return moved / np.linalg.norm(moved, axis=0)
    #: end

# %% [markdown]
# ### 1.2 Two halves of a gradient
# **Claim.** The gradient of $\Delta R$ is ([[eqn:DR-gradient]])
#
# $$\frac{\partial\Delta R}{\partial Z}=EZ-\sum_k\gamma_kC_kZ\Pi_k,\qquad E=\alpha(I+\alpha ZZ^\top)^{-1},\quad
# C_k=\alpha_k(I+\alpha_kZ\Pi_kZ^\top)^{-1}.$$
#
# $E$ *expands* the whole set, each $C_k$ *compresses* one class: both push hardest where there is least, $E$ outwards and $C_k$ inwards.
#
# #### Derivation: the compressing half
# The slope of one term along a direction $H$, written as an inner product with $H$: what $H$ is multiplied with is the gradient.
#
# *More, 8 minutes.*

# %%
@derivation("ch05.compressing_half")
def compressing_half(Z: "(d, N)", H: "(d, N)", share: "(N,)", gamma: float, alpha: float):
    """From the slope of gamma / 2 log det(I + alpha Z P Z^T) along H (d log det M = tr(M^-1 dM), dM by the product rule) to a sum over
    entries. Pass through one trace in place of two, then through C in place of M."""
    Z, H, P = np.asarray(Z, dtype=float), np.asarray(H, dtype=float), np.diag(np.asarray(share, dtype=float))
    inv, trace, sum = np.linalg.inv, np.trace, np.sum
    M = np.eye(len(Z)) + alpha * Z @ P @ Z.T
    C = alpha * inv(M)
    yield gamma / 2 * (trace(inv(M) @ (alpha * H @ P @ Z.T)) + trace(inv(M) @ (alpha * Z @ P @ H.T)))
    #: solution
    yield gamma * trace(inv(M) @ (alpha * Z @ P @ H.T))
    yield gamma * trace(C @ Z @ P @ H.T)
    #: end
    yield sum(gamma * (C @ Z @ P) * H)

# %% [markdown]
# The expanding half is the same with $P=I$ and $\gamma=1$.
#
# #### Exercise: expand and compress
# *Core, 15 minutes.*

# %%
@exercise("ch05.expand_compress")
def expand_compress(Z: "(d, N)", membership: "(K, N)", eps: float) -> "(d, d), (K, d, d), (d, N)":
    """E, then the operators C_k stacked, then the gradient of the rate reduction at Z, E Z - sum_k gamma_k C_k Z diag(membership[k]),
    with E, C_k and the constants as defined above. No class is empty; shares may be anything from 0 to 1.
    Example: Z = [[1., 1.]], membership = [[1., 0.], [0., 1.]], eps = 1.  ->  ([[0.25]], [[[0.5]], [[0.5]]], [[0., 0.]])"""
    #: solution
    Z, membership = np.asarray(Z), np.asarray(membership)
    (d, N), sizes = Z.shape, membership.sum(axis=1)
    alpha, alphas = d / (N * eps**2), (d / (sizes * eps**2))[:, None, None]
    E = alpha * np.linalg.inv(np.eye(d) + alpha * Z @ Z.T)
    C = alphas * np.linalg.inv(np.eye(d) + alphas * (Z * membership[:, None]) @ Z.T)
    return E, C, E @ Z - np.einsum("k,kde,ei,ki->di", sizes / N, C, Z, membership)
    #: end

# %% [markdown]
# **See.** Two classes near two lines in the plane. Left: where $E$ pushes each feature; right: where $-\gamma_kC_k$ pushes those of
# class $k$. Each panel has its own scale of arrows. Move the angle between the lines and $\varepsilon$.

# %%
from chapters.ch05_unrolled_networks.experiments_gradient import two_lines

def draw_pushes(fig, angle, eps):
    Z, shares = two_lines(angle)
    E, C, _ = map(np.asarray, expand_compress(Z, shares, eps))
    for ax, pushes, title in zip(fig.subplots(1, 2), [E @ Z, -np.einsum("ki,kde,ei->di", shares / 2, C, Z)], ["E z", "-gamma C z"]):
        size = 0.5 / np.abs(pushes).max()
        for k in range(2):
            mine = shares[k] > 0
            ax.plot(*Z[:, mine], plot.MARKERS[k], color=plot.COLORS[k], linestyle="None", markersize=4)
            ax.quiver(*Z[:, mine], *(size * pushes[:, mine]), color=plot.COLORS[k], angles="xy", scale_units="xy", scale=1, width=0.006)
        ax.set(title=title, xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), xticks=[], yticks=[], aspect="equal")
    ratio = np.linalg.norm(E @ Z) / np.linalg.norm(pushes)
    return f"Lines at {angle:g} degrees, eps = {eps:g}: expansion is {ratio:.2f} times as strong as compression."

explore(draw_pushes, {"angle": [15, 30, 60, 90], "eps": [0.1, 0.3, 1.0]}, start={"angle": 30, "eps": 0.3}, size=(5.6, 2.9))

# %% [markdown]
# Between lines at an acute angle, $E$ pushes mostly across the bisector, where there is least. $C_k/\alpha_k$ keeps most of what
# lies across its own line, and of what lies along it 4 % at $\varepsilon=0.3$, a third at $\varepsilon=1$: features are drawn
# together onto their line, and along it a little towards 0, which the sphere then undoes.
#
# ### 1.3 Residuals
# **Claim.** $Ez$ is what is left of $z$ when it is explained by the columns of $Z$ ([[rem:regression-interpretation]]):
#
# $$Ez=\alpha(z-Zq_\star),\qquad q_\star=\arg\min_q\;\alpha\|z-Zq\|^2+\|q\|^2 .$$
#
# #### Exercise: the residual of a ridge regression
# *More, 8 minutes.*

# %%
@exercise("ch05.ridge_residual")
def ridge_residual(Z: "(d, N)", z: "(d,)", alpha: float) -> "(N,), (d,)":
    """The q that minimises alpha ||z - Z q||^2 + ||q||^2, and the residual z - Z q. N may exceed d, or d exceed N.
    Example: Z = [[1., 0.], [0., 2.]], z = [1., 1.], alpha = 1.  ->  ([0.5, 0.4], [0.5, 0.2])"""
    #: solution
    Z, z = np.asarray(Z), np.asarray(z)
    q = np.linalg.solve(np.eye(Z.shape[1]) + alpha * Z.T @ Z, alpha * Z.T @ z)
    return q, z - Z @ q
    #: end

# %% [markdown]
# #### Derivation: the residual is $Ez/\alpha$
# *More, 8 minutes.*

# %%
@derivation("ch05.residual_lines")
def residual_lines(Z: "(d, N)", z: "(d,)", alpha: float):
    """From the residual with the best q written out to a d x d inverse. Pass through one in which the N x N inverse is gone: push Z
    through it, Z inv(I + alpha Z^T Z) = inv(I + alpha Z Z^T) Z. Then write z as inv(B) @ B @ z."""
    Z, z, (d, N) = np.asarray(Z, dtype=float), np.asarray(z, dtype=float), Z.shape
    inv = np.linalg.inv
    A, B = np.eye(N) + alpha * Z.T @ Z, np.eye(d) + alpha * Z @ Z.T
    yield z - Z @ (inv(A) @ (alpha * Z.T @ z))
    #: solution
    yield z - inv(B) @ Z @ (alpha * Z.T @ z)
    yield inv(B) @ B @ z - inv(B) @ (alpha * Z @ Z.T) @ z
    yield inv(B) @ (B - alpha * Z @ Z.T) @ z
    #: end
    yield inv(B) @ z

# %% [markdown]
# **Claim.** In the eigenvectors of $ZZ^\top$ the factor of $E/\alpha$ is $1/(1+\alpha\lambda)$: 1 where there is nothing, small where
# there is much. That is *nearly* a projection onto what the data leave out. When exactly?
#
# **Derive.** Unit vectors fill an $r$-dimensional subspace evenly, so the nonzero eigenvalues of $ZZ^\top$ are $N/r$. What is the
# largest eigenvalue of the difference between $E/\alpha$ and the projection onto the complement? What does it become as
# $N\to\infty$, and as $\varepsilon\to0$?
#
# <details><summary>Answer</summary>
#
# Outside the subspace both have the factor 1. Inside it the projection has 0 and $E/\alpha$ has $1/(1+\alpha N/r)$. With
# $\alpha=d/(N\varepsilon^2)$ the $N$ cancels and $r\varepsilon^2/(r\varepsilon^2+d)$ is left: more samples change nothing, and with
# $\varepsilon\to0$ it vanishes like $\varepsilon^2$.
# </details>
#
# #### Exercise: how far from a projection?
# *More, 5 minutes.*

# %%
@exercise("ch05.projection_gap")
def projection_gap(eps: float, N: int, d: int, r: int) -> "()":
    """Spectral norm of E / alpha - P for N unit vectors in d dimensions with N / r as the only nonzero eigenvalue of Z Z^T, r times,
    r < d. P projects onto the orthogonal complement of their span. alpha = d / (N eps^2).
    Example: eps = 1., N = 50, d = 10, r = 4  ->  0.2857"""
    #: solution
    eigenvalue, alpha = N / r, d / (N * eps**2)
    return 1 / (1 + alpha * eigenvalue)
    #: end

# %% [markdown]
# <details><summary>If you read the book</summary>
#
# [[rem:regression-interpretation]] calls $E$ a projection approximately, for large $N$. $N$ cancels: $\alpha$ falls as fast as the
# eigenvalues grow. It is $E/\alpha$, not $E$, that is near a projection, and what brings it there is $\varepsilon\to0$.
# </details>

# %%
show(N_of_50=projection_gap(1.0, 50, 10, 4), N_of_5000=projection_gap(1.0, 5000, 10, 4), small_eps=projection_gap(0.05, 50, 10, 4))

# %% [markdown]
# **See.** Vectors drawn at random do not fill a subspace evenly. Markers: the distance for $N$ random unit vectors from 4 of 10
# dimensions, means of 20 draws; lines: yours.

# %%
from chapters.ch05_unrolled_networks.experiments_gradient import random_gaps

Ns, epsilons = [8, 16, 32, 100, 300, 1000, 3000], [1.0, 0.3, 0.1]
alt = "For each eps the measured distances fall at first and then settle on a level line above zero; smaller eps, lower line."
with figure(alt, size=(4.2, 2.5)) as ax:
    for i, (eps, gaps) in enumerate(zip(epsilons, random_gaps(epsilons, Ns, d=10, r=4))):
        ax.plot(Ns, gaps, plot.MARKERS[i], color=plot.COLORS[i], linestyle="None", label=f"eps = {eps}")
        ax.plot(Ns, [projection_gap(eps, N, 10, 4) for N in Ns], color=plot.COLORS[i], marker="None")
        for mine in yours(projection_gap):
            ax.plot(Ns, [mine(eps, N, 10, 4) for N in Ns], **plot.DASHED | {"label": None})
    ax.set(xscale="log", yscale="log", xlabel="N", ylabel="distance from a projection")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %% [markdown]
# More samples do bring $E/\alpha$ nearer to a projection as long as they even out the spectrum, and no further.
#
# ### 1.4 From the training set to any point
# **Claim.** A gradient moves the points it is computed from. A *layer* must move any point. The same two operators do it
# ([[eqn:DR-gradient-transform]]): with memberships $\pi_k(z)$ of the point,
#
# $$g(z)=Ez-\sum_k\gamma_k\,\pi_k(z)\,C_kz ,$$
#
# where $E$ and $C_k$ are computed from the training set, once. On the training set itself, with its own memberships, $g$ *is* the
# gradient. Its small steps follow $\dot z=g(z)$: a differential equation whose field was derived, not learned.
#
# #### Exercise: the increment of any point
# *Core, 8 minutes.*

# %%
@exercise("ch05.increment")
def increment(Z_new: "(d, M)", membership: "(K, M)", E: "(d, d)", C: "(K, d, d)", gamma: "(K,)") -> "(d, M)":
    """g(z) for every column z of Z_new, with the shares of column i in membership[:, i]. An increment: nothing is added, no step size,
    no scaling.
    Example: Z_new = [[2.]], membership = [[0.5], [0.5]], E = [[3.]], C = [[[1.]], [[2.]]], gamma = [0.4, 0.6]  ->  [[4.4]]"""
    #: solution
    Z_new, gamma, membership = np.asarray(Z_new), np.asarray(gamma), np.asarray(membership)
    compressed = np.asarray(C) @ Z_new
    return np.asarray(E) @ Z_new - np.sum((gamma[:, None] * membership)[:, None] * compressed, axis=0)
    #: end

# %% [markdown]
# **See.** Projected ascent from three random clouds on the sphere of $\mathbb R^3$, by your steps: the rate reduction, and the angles
# between the leading directions of the classes. Fresh points from the same clouds are carried along by your increment, with
# their true labels: no operator is computed from them.

# %%
from chapters.ch05_unrolled_networks.experiments_gradient import ascent

steps = range(0, 121)
gains, angles = ascent(expand_compress, sphere_step, increment, steps[-1])
alt = "The rate reduction of training points and of fresh points climbs towards the optimum; three angles rise towards 90 degrees."
with figure(alt, size=(6.4, 2.3), ncols=2) as (left, right):
    left.plot(steps, gains[0], marker="None", label="training")
    left.plot(steps[::6], gains[1, ::6], plot.MARKERS[1], color=plot.COLORS[1], linestyle="None", markersize=4, label="fresh")
    for mine in yours(expand_compress):
        left.plot(steps, ascent(mine, sphere_step, increment, steps[-1])[0][0], **plot.DASHED)
    left.axhline(1.5 * np.log(1 + 1 / 0.1) - 0.5 * np.log(1 + 3 / 0.1), color="black", linestyle=":")
    left.legend()
    left.set(xlabel="steps", ylabel="rate reduction")
    right.plot(steps, angles, marker="None")
    right.set(xlabel="steps", ylabel="angles in degrees", yticks=[0, 30, 60, 90])

# %% [markdown]
# The dotted line is the optimum for three classes of equal size in $\mathbb R^3$, one direction each:
# $\frac32\log(1+\frac1{\varepsilon^2})-\frac12\log(1+\frac3{\varepsilon^2})$, with $\varepsilon^2=0.1$. The fresh points get
# there, too: as long as somebody tells them their labels. Section 1.6 takes the labels away.
#
# ### 1.5 More about the rate
# Three facts that the rest of the chapter does not need: the book's first exercise.
#
# **Claim.** $R(Z)=\frac12\log\det X$ with $X=I+\alpha ZZ^\top$ is neither convex nor concave: it bends up at $Z=0$, and down far out.
#
# **Derive.** What is the second derivative of $t\mapsto R(Z+tH)$ at $t=0$? Which of its terms bends up, which down?
#
# <details><summary>Answer</summary>
#
# Differentiate the slope $\alpha\operatorname{tr}(X^{-1}ZH^\top)$ once more along $H$,
# with $dX^{-1}=-X^{-1}\,dX\,X^{-1}$ and $dX=\alpha(ZH^\top+HZ^\top)$:
#
# $$\alpha\operatorname{tr}(X^{-1}HH^\top)-\alpha\operatorname{tr}(X^{-1}\,dX\,X^{-1}ZH^\top).$$
#
# A trace is that of the transpose, so $ZH^\top$ may be replaced by the mean of itself and $HZ^\top$: the second term is
# $\frac12\operatorname{tr}(X^{-1}dX\,X^{-1}dX)$, never negative. It bends the rate down; the first bends it up.
# </details>
#
# #### Exercise: gradient and curvature of the rate
# *More, 10 minutes.* This is Exercise 5.1 of the book, part 1.

# %%
@exercise("ch05.rate_derivatives")
def rate_derivatives(Z: "(d, N)", H: "(d, N)", alpha: float) -> "(d, N), ()":
    """Gradient at Z of R(Z) = log det(I + alpha Z Z^T) / 2, and the second derivative of t -> R(Z + t H) at t = 0.
    Example: Z = [[1.]], H = [[2.]], alpha = 1.  ->  ([[0.5]], 0.)"""
    #: solution
    Z, H = np.asarray(Z, dtype=float), np.asarray(H, dtype=float)
    inverse = np.linalg.inv(np.eye(len(Z)) + alpha * Z @ Z.T)
    change = alpha * (Z @ H.T + H @ Z.T)
    second = alpha * np.trace(inverse @ H @ H.T) - np.trace(inverse @ change @ inverse @ change) / 2
    return alpha * inverse @ Z, second
    #: end

# %% [markdown]
# <details><summary>If you read the book</summary>
#
# The exercise prints $R$ without the factor $\frac12$ and both formulas with it: for $R$ as printed, both are half of what holds. The
# next cell compares the printed gradient with a difference quotient.
# </details>

# %%
step, alpha = 1e-4, 1.0
R = lambda z: np.log(1 + alpha * z**2)
show(difference_quotient=(R(1 + step) - R(1 - step)) / (2 * step), printed=rate_derivatives([[1.0]], [[1.0]], alpha)[0])

# %% [markdown]
# **Claim.** Coding parts on their own never costs less in sum, at one $\alpha$:
# $R(Z)\le\sum_kR(Z_k)$, with equality exactly where features of different classes are orthogonal.
#
# **Derive.** $\det(I+\alpha Z^\top Z)$ has the blocks $I+\alpha Z_k^\top Z_k$ on its diagonal. What does Fischer's inequality say? (Divide
# rows and columns by the Cholesky factors of the blocks: what is the trace of what comes out, and how large can a determinant be
# at that trace?)
#
# <details><summary>Answer</summary>
#
# With $G=I+\alpha Z^\top Z$ and $B=LL^\top$ its diagonal blocks alone, $A=L^{-1}GL^{-\top}$ is positive definite with identities for
# blocks: its $N$ eigenvalues add up to $N$, so their product is at most 1 (the geometric mean is at most the arithmetic one).
# Hence $\det G\le\det B=\prod_k\det(I+\alpha Z_k^\top Z_k)$, and half a logarithm of both sides is the claim. Equality needs all
# eigenvalues to be 1: $A=I$, $G=B$, and so $Z_k^\top Z_l=0$ for $k\ne l$.
# </details>
#
# #### Exercise: the price of coding apart
# *More, 8 minutes.* This is Exercise 5.1 of the book, part 2.

# %%
@exercise("ch05.subadditivity_gap")
def subadditivity_gap(Z: "(d, N)", labels: "(N,)", alpha: float) -> "()":
    """sum_k R(Z_k) - R(Z) with R(Z) = log det(I + alpha Z Z^T) / 2 and the same alpha for all; Z_k: the columns with label k. Labels run
    from 0 to K - 1, every class has a sample.
    Example: Z = [[1., 1.]], labels = [0, 1], alpha = 1.  ->  0.1438"""
    #: solution
    Z, labels = np.asarray(Z), np.asarray(labels)
    rate = lambda Z: np.linalg.slogdet(np.eye(Z.shape[1]) + alpha * Z.T @ Z)[1] / 2
    return sum(rate(Z[:, labels == k]) for k in range(labels.max() + 1)) - rate(Z)
    #: end

# %% [markdown]
# **Claim.** Alone, with its own rate taken off and a weight $\lambda$ on its size, a class $Z_k$ of $N_k$ samples has critical points
# whose squared singular values $x$ are 0 or solve
#
# $$\frac{\alpha}{1+\alpha x}-\frac{\alpha}{1+\alpha_kx}=\lambda,\qquad\alpha_k=\frac N{N_k}\alpha .$$
#
# **Derive.** Write $f$ for one singular value $\sigma$, differentiate, and clear fractions: a quadratic in $x=\sigma^2$. For which
# $\lambda$ are its roots real? Which of them is a maximum?
#
# <details><summary>Answer</summary>
#
# With $Z_k=P\Sigma Q^\top$ the objective is a sum over singular values of
# $\frac12\log(1+\alpha\sigma^2)-\frac{N_k}{2N}\log(1+\alpha_k\sigma^2)-\frac\lambda2\sigma^2$, and its gradient is $P\,\cdot\,Q^\top$ with the
# derivatives in $\sigma$ between them, since $N_k\alpha_k/N=\alpha$:
# $\sigma\,h(\sigma^2)$, $h(x)=\frac{\alpha}{1+\alpha x}-\frac{\alpha}{1+\alpha_kx}-\lambda$. So $\sigma=0$ or $h(x)=0$, that is
#
# $$\lambda\alpha\alpha_kx^2+\big[\lambda(\alpha+\alpha_k)-\alpha(\alpha_k-\alpha)\big]x+\lambda=0.$$
#
# $h+\lambda$ is largest at $x=1/\sqrt{\alpha\alpha_k}$, where it is
# $\alpha\,(\sqrt{\alpha_k}-\sqrt\alpha)/(\sqrt{\alpha_k}+\sqrt\alpha)$: two roots for a $\lambda$ below that. $h$ is negative before the smaller
# root, positive between them, negative after the larger. So along $\sigma$ both 0 and the larger root are maxima, and the
# smaller one is a minimum. The critical points are all $P\Sigma Q^\top$ with $P$, $Q$ orthogonal and every $\sigma^2$ one of the three.
# </details>
#
# #### Exercise: the sizes at which a class can rest
# *Challenge, 12 minutes.* This is Exercise 5.1 of the book, part 3.

# %%
@exercise("ch05.critical_sizes")
def critical_sizes(alpha: float, lam: float, N: int, N_k: int) -> "(2,)":
    """The two positive x at which a class of N_k < N samples can rest, the smaller first. lam is small enough for both to be real and
    different.
    Example: alpha = 1., lam = 0.1, N = 4, N_k = 1  ->  [0.0402, 6.2098]"""
    #: solution
    alpha_k = alpha * N / N_k
    roots = np.roots([lam * alpha * alpha_k, lam * (alpha + alpha_k) - alpha * (alpha_k - alpha), lam])
    return np.sort(roots.real)
    #: end

# %% [markdown]
# At the smaller root a direction either dies or grows. At the larger directions rest, all of one size: the equal singular values
# that Chapter 4 found.
