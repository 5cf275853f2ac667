# %% [markdown]
# ### 4.3 A rate without eigenvalues
# **Claim** ([[thm:var_concave]]). Every coding rate is a sum over eigenvalues, $F(M)=\sum_if(\lambda_i(M))$ with a concave $f$, and
# eigenvalues are dear. Diagonals are cheap, and they bound the sum from above: for every orthogonal $Q$ and symmetric
# $M\succeq0$
#
# $$F(M)\;\le\;\sum_if\big((Q^\top MQ)_{ii}\big),$$
#
# with equality where $Q$ holds eigenvectors of $M$, and, for *strictly* concave $f$, nowhere else.
#
# **Derive.** (1) Write the diagonal of $Q^\top MQ$ with the eigenvalues $\lambda$ and eigenvectors $v_j$ of $M$. (2) What do the
# weights add up to, along rows and along columns? (3) What does concavity say of each diagonal entry? (4) When is it an equality?
#
# <details><summary>Answers</summary>
#
# (1) $(Q^\top MQ)_{ii}=\sum_j(q_i^\top v_j)^2\lambda_j$. (2) To 1, both: $Q$ and $V$ are orthogonal, so the squares are those of an
# orthogonal matrix. (3) An entry is a mean of eigenvalues, so $f$ of it is at least the mean of the $f(\lambda_j)$ (Jensen). Sum over $i$:
# every $f(\lambda_j)$ has total weight 1. (4) A strictly concave $f$ asks that each row's weight lies on *equal* eigenvalues: then
# $Mq_i=\lambda q_i$. A convex $f$ turns the inequality round.
# </details>
#
# #### Exercise: diagonals are means of eigenvalues
# *More, 6 minutes.*

# %%
@exercise("ch05.diagonal_shares")
def diagonal_shares(Q: "(d, d)", S: "(d, d)") -> "(d, d)":
    """Entry (i, j): the weight of the j-th smallest eigenvalue of S in entry i of the diagonal of Q.T @ S @ Q. The eigenvalues of S are
    all different; Q is orthogonal.
    Example: Q = [[0.6, -0.8], [0.8, 0.6]], S = [[1., 0.], [0., 3.]]  ->  [[0.36, 0.64], [0.64, 0.36]]"""
    #: solution
    vectors = np.linalg.eigh(np.asarray(S))[1]
    cosines = np.asarray(Q).T @ vectors
    return cosines**2
    #: end

# %% [markdown]
# #### Exercise: the bound by diagonals
# *Core, 6 minutes.*

# %%
@exercise("ch05.diagonal_bound")
def diagonal_bound(Q: "(d, d)", S: "(d, d)", c: float) -> "()":
    """The bound for f(x) = log(1 + c x): the sum over i of f((Q^T S Q)_ii), for Q orthogonal. No factor 1/2.
    Example: Q = [[0.6, -0.8], [0.8, 0.6]], S = [[1., 0.], [0., 3.]], c = 1.  ->  2.188"""
    #: solution
    Q, S = np.asarray(Q), np.asarray(S)
    diagonal = np.sum(Q * (S @ Q), axis=0)
    return np.sum(np.log1p(c * diagonal))
    #: end

# %% [markdown]
# **See.** In the plane $Q$ is an angle. Dotted is $\log\det(I+cS)$: the bound touches it at the eigenvectors, at 30 degrees here
# and a quarter turn further. The flatter the spectrum of $S$, the less it matters where one looks from.

# %%
from chapters.ch05_unrolled_networks.experiments_statistics import plane, turn

alt = "Waves that touch their dotted floors at the eigenvectors' angles; the longer the ellipse, the higher the wave."
with figure(alt, size=(5.2, 2.5)) as ax:
    angles = np.linspace(0, 180, 61)
    for i, ratio in enumerate((2.0, 8.0, 32.0)):
        S = plane(ratio)
        ax.plot(angles, [float(diagonal_bound(turn(a), S, 1.0)) for a in angles], color=plot.COLORS[i], marker="None", label=f"eigenvalues 1, {ratio:.0f}")
        ax.axhline(np.linalg.slogdet(np.eye(2) + S)[1], color=plot.COLORS[i], linestyle=":")
        for mine in yours(diagonal_bound):
            ax.plot(angles, [float(mine(turn(a), S, 1.0)) for a in angles], **plot.DASHED)
    ax.set(xlabel="angle of Q, degrees", ylabel="bound, nats", xticks=range(0, 181, 30), ylim=(1.5, 7.2))
    ax.legend(fontsize="small", ncols=3, loc="upper center")

# %% [markdown]
# **Claim** ([[eq:mcr_c_gen]], [[eq:var_comp]], [[cor:var_concave_logdet]]). Tokens belong to heads by shares $\Pi_{kj}\ge0$, which add up to 1 for each token;
# $n_k=\sum_j\Pi_{kj}$. The rate of the heads and its bound are, with $f(x)=\log(1+cx)$ and $c=d/\varepsilon^2$,
#
# $$R^c=\sum_k\frac{n_k}{2n}\sum_if\Big(\lambda_i\big(\tfrac1{n_k}Z\,\mathrm{diag}(\Pi_k)Z^\top\big)\Big)\;\le\;R^{\rm var}=\sum_k\frac{n_k}{2n}\sum_{i=1}^pf(m_{ki}),
# \qquad m_{ki}=\frac1{n_k}\sum_j\Pi_{kj}(U_k^\top Z)_{ij}^2 ,$$
#
# provided that head $k$ holds what belongs to it: the columns of $Z\,\mathrm{diag}(\Pi_k)Z^\top$ lie in the span of $U_k$. What
# was a spectrum is now second moments, one number for each coordinate of each head.
#
# #### Exercise: the rate of second moments
# *More, 8 minutes.*

# %%
@exercise("ch05.statistics_rate")
def statistics_rate(Z: "(d, n)", membership: "(K, n)", U: "(K, d, p)", eps: float) -> "()":
    """R^var above: the sum over k and i of n_k / (2 n) log(1 + d / eps^2 m_ki), where n_k is the sum of row k of membership (not 0)
    and m_ki the mean of the squares of coordinate i of U[k].T @ Z under the weights membership[k] / n_k.
    Example: Z = [[1., 3.]], membership = [[1., 1.]], U = [[[1.]]], eps = 1.  ->  0.8959"""
    #: solution
    Z, membership, U = np.asarray(Z), np.asarray(membership), np.asarray(U)
    W, masses = U.transpose(0, 2, 1) @ Z, membership.sum(axis=1)[:, None]
    moments = np.einsum("kpn,kn->kp", W**2, membership) / masses
    return np.sum(masses * np.log1p(len(Z) / eps**2 * moments)) / (2 * Z.shape[1])
    #: end

# %% [markdown]
# **Derive.** The theorem is about $d\times d$ matrices; why do $p$ diagonals do? That is the one new step of the corollary.
#
# #### Derivation: the rate inside a head
# *More, 8 minutes.* With the theorem, this is Exercise 5.5 of the book.

# %%
@derivation("ch05.inside_the_head")
def inside_the_head(Z: "(d, n)", U: "(K, d, p)", share: "(n,)", c: float, k: int):
    """All tokens lie in the span of B = U[k]. From the d x d log-determinant of their covariance to the p eigenvalues in the head.
    Pass through a d x d matrix that was projected on the head from both sides, then through a p x p log-determinant."""
    Z, B, share = np.asarray(Z, dtype=float), np.asarray(U, dtype=float)[k], np.asarray(share, dtype=float)
    d, p = B.shape
    I, log, eigenvalues = np.eye, np.log, np.linalg.eigvalsh
    logdet = lambda A: np.linalg.slogdet(A)[1]
    M = (Z * share) @ Z.T
    yield logdet(I(d) + c * M)
    #: solution
    yield logdet(I(d) + c * B @ B.T @ M @ B @ B.T)
    yield logdet(I(p) + c * B.T @ M @ B)
    #: end
    yield np.sum(log(1 + c * eigenvalues(B.T @ M @ B)))

# %% [markdown]
# Then the theorem is applied to $U_k^\top M U_k$ with $Q=I$. Nowhere was $Kp\le d$ needed: any number of heads will do.
#
# #### Exercise: a head that does not hold its tokens
# What if the condition fails? *More, 5 minutes.*

# %%
@exercise("ch05.broken_bound")
def broken_bound(eps: float) -> "(d, n), (K, n), (K, d, p)":
    """Tokens Z, membership and heads U, of whatever sizes you like, for which R^var is smaller than R^c by 0.1 or more, at this eps
    (at most 2). The columns of membership are not negative and add up to 1, no row is 0; the columns of each U[k] are
    orthonormal; no entry of Z is above 100."""
    #: solution
    Z = np.array([[0.0], [1.0]])
    membership = np.array([[1.0]])
    U = np.array([[[1.0], [0.0]]])
    return Z, membership, U
    #: end

# %%
from chapters.ch05_unrolled_networks.experiments_statistics import heads_rate

Z, membership, U = (np.asarray(part) for part in broken_bound(1.0))
show(bound=statistics_rate(Z, membership, U, 1.0), rate=heads_rate(Z, membership, 1.0))

# %% [markdown]
# A head is blind to what it does not see, and the "bound" with it. Tokens with noise never lie in their heads exactly, so
# in a network it is a bound on the rate of the *views* $U_k^\top Z$, not of the tokens. (The corollary also needs $f(0)=0$: $d-p$ eigenvalues that are 0
# must cost nothing.)
#
# <details><summary>If you read the book</summary>
#
# [[cor:var_concave_logdet]] asks of $f$ *strong* concavity for its "if and only if". Strict concavity is enough, as in
# [[thm:var_concave]], and it is what $f(x)=\log(1+cx)$ has: its second derivative $-c^2/(1+cx)^2$ goes to 0, so on $[0,\infty)$ it is not strongly concave,
# and the printed case would leave out the one function that is used. The next cell shows the largest $\mu$ with
# $f''\le-\mu$ up to $x$.
# </details>

# %%
show(**{f"up to {x}": 4.0 / (1 + 2.0 * x) ** 2 for x in (0, 10, 1000)})  # c = 2

# %% [markdown]
# ### 4.4 A layer from the bound
# **Claim** ([[eq1:grad Rcf]], [[eq2:grad Rcf]]). With the memberships held fixed, and $f'(m)=c/(1+cm)$ entry by entry,
#
# $$\nabla_ZR^{\rm var}=\frac1n\sum_kU_kD_kU_k^\top Z\,\mathrm{diag}(\Pi_k),\qquad D_k=\mathrm{diag}\big(f'(m_k)\big).$$
#
# First one head, in its own coordinates, with shares that need not add up to anything.
#
# #### Exercise: the gradient of a sum of moments
# *More, 6 minutes.* This is Exercise 5.4 of the book, first half.

# %%
@exercise("ch05.power_gradient")
def power_gradient(Z: "(d, n)", share: "(n,)", c: float) -> "(d, n)":
    """Gradient in Z of 1/2 sum_i log(1 + c p_i), where p_i = sum_j share_j Z_ij^2 (a sum, not a mean).
    Example: Z = [[1., 2.]], share = [1., 0.5], c = 1.  ->  [[0.25, 0.25]]"""
    #: solution
    Z, share = np.asarray(Z), np.asarray(share)
    powers = Z**2 @ share
    slopes = c / (1 + c * powers)
    return slopes[:, None] * Z * share
    #: end

# %% [markdown]
# #### Exercise: the gradient of the bound
# *More, 8 minutes.* This is Exercise 5.4 of the book, second half.

# %%
@exercise("ch05.statistics_gradient")
def statistics_gradient(Z: "(d, n)", membership: "(K, n)", U: "(K, d, p)", eps: float) -> "(d, n)":
    """Gradient in Z of R^var (the exercise "the rate of second moments"), the membership held fixed. No row of membership is 0.
    Example: Z = [[1., 2.]], membership = [[1., 1.]], U = [[[1.]]], eps = 1.  ->  [[0.1429, 0.2857]]"""
    #: solution
    Z, membership, U = np.asarray(Z), np.asarray(membership), np.asarray(U)
    W, c = U.transpose(0, 2, 1) @ Z, len(Z) / eps**2
    moments = np.einsum("kpn,kn->kp", W**2, membership) / membership.sum(axis=1)[:, None]
    slopes = c / (1 + c * moments)
    return np.einsum("kdp,kp,kpn,kn->dn", U, slopes, W, membership) / Z.shape[1]
    #: end

# %% [markdown]
# #### Derivation: from the bound to the layer
# The same by hand: how fast the bound changes when the tokens move along $H$.
#
# *More, 10 minutes.*

# %%
@derivation("ch05.statistics_slope")
def statistics_slope(Z: "(d, n)", H: "(d, n)", membership: "(K, n)", U: "(K, d, p)", c: float):
    """The slope of R^var along H: from the chain rule, where half a central difference is the exact derivative of a square, to H times
    the gradient. Pass through products of the views W and V = U[k].T @ H, then through a line without the masses n_k."""
    Z, H, membership, U = (np.asarray(part, dtype=float) for part in (Z, H, membership, U))
    n, sum, Pi = Z.shape[1], np.sum, membership[:, None]
    views = lambda Z: U.transpose(0, 2, 1) @ Z  # (K, p, n)
    W, V, n_k = views(Z), views(H), membership.sum(axis=1)[:, None]
    moments = lambda Z: sum(Pi * views(Z) ** 2, axis=2) / n_k  # (K, p)
    slopes = c / (1 + c * moments(Z))
    D = slopes[:, :, None] * np.eye(U.shape[2])
    yield sum(n_k / (2 * n) * slopes * (moments(Z + H) - moments(Z - H)) / 2)
    #: solution
    yield sum(n_k / (2 * n) * slopes * 2 * sum(Pi * W * V, axis=2) / n_k)
    yield sum(slopes * sum(Pi * W * V, axis=2)) / n
    yield sum(V * (D @ W) * Pi) / n
    #: end
    yield sum(H * sum(U @ D @ U.transpose(0, 2, 1) @ Z * Pi, axis=0)) / n

# %% [markdown]
# **Claim** ([[eq:layer-operation-orig]], [[eq:z_up]]). One step of size $\tau$ down this gradient moves each token to a mixture
#
# $$z_j\leftarrow\sum_k\Pi_{kj}\Big[I-\frac\tau nU_kD_kU_k^\top\Big]z_j .$$
#
# **Derive.** (1) Where did the first $z_j$ go? (2) What does head $k$ do to a coordinate in which its tokens have large second
# moment, and what to one in which they have none? (3) How large may $\tau$ be if no head is to turn a coordinate round?
#
# <details><summary>Answers</summary>
#
# (1) Shares add up to 1. (2) It multiplies coordinate $i$ by $1-\frac\tau nf'(m_{ki})$. Without bound $m$: 1, kept. $m=0$: $f'$ is largest,
# $c=d/\varepsilon^2$, and the factor is $1-\tau d/(n\varepsilon^2)$. (3) $\tau\le n\varepsilon^2/d$. At that step what has no power is
# deleted and what has much is kept: something like a projection on the directions that the head's tokens use. At smaller
# steps it is a gentle version of it.
# </details>
#
# #### Exercise: what a head keeps
# *More, 6 minutes.*

# %%
@exercise("ch05.kept")
def kept(Z: "(d, n)", membership: "(K, n)", U: "(K, d, p)", tau: float, eps: float) -> "(K, p)":
    """The factor by which head k multiplies its coordinate i in one step of size tau: 1 - tau / n f'(m_ki), with f'(m) = c / (1 + c m),
    c = d / eps^2, and m_ki the mean square of coordinate i of U[k].T @ Z under the weights membership[k] / n_k.
    Example: Z = [[1., 2.]], membership = [[1., 1.]], U = [[[1.]]], tau = 1., eps = 1.  ->  [[0.8571]]"""
    #: solution
    Z, membership, U = np.asarray(Z), np.asarray(membership), np.asarray(U)
    W, c = U.transpose(0, 2, 1) @ Z, len(Z) / eps**2
    moments = np.einsum("kpn,kn->kp", W**2, membership) / membership.sum(axis=1)[:, None]
    return 1 - tau / Z.shape[1] * c / (1 + c * moments)
    #: end

# %% [markdown]
# **See.** One head with 16 coordinates of very different power, at three steps: $\tau$ as a part of $n\varepsilon^2/d$.

# %%
from chapters.ch05_unrolled_networks.experiments_statistics import powers

Z, membership, U = powers()
(d, n), eps = Z.shape, 0.5
alt = "Factors rise from 1 - tau d / (n eps^2) at small second moment towards 1 at large."
with figure(alt, size=(5.2, 2.4)) as ax:
    for i, part in enumerate((0.25, 0.5, 1.0)):
        factors = lambda f: np.asarray(f(Z, membership, U, part * n * eps**2 / d, eps))[0]
        ax.semilogx((Z**2).mean(axis=1), factors(kept), color=plot.COLORS[i], marker=plot.MARKERS[i], label=f"{part:g}")
        for mine in yours(kept):
            ax.semilogx((Z**2).mean(axis=1), factors(mine), **plot.DASHED)
    ax.set(xlabel="second moment", ylabel="kept", ylim=(-0.1, 1.1))
    ax.legend(title=r"$\tau d/(n\varepsilon^2)$", fontsize="small")

# %% [markdown]
# **Play.** Many steps, the membership fixed: the bound, and the true rate beneath it, which the step has never seen. Heads of
# four dimensions each, eight in all. The step is in units of $n\varepsilon^2/d$.

# %%
from chapters.ch05_unrolled_networks.experiments_statistics import descent

def draw_descent(fig, step, eps):
    bounds, rates = descent(statistics_gradient, statistics_rate, step, eps)
    ax = fig.subplots()
    ax.plot(bounds, label="bound")
    ax.plot(rates, color=plot.COLORS[1], label="rate")
    ax.set(xlabel="step", ylabel="nats", ylim=(0, None))
    ax.legend()
    return f"step {step} n eps^2 / d, eps = {eps}: bound {bounds[0]:.2f} -> {bounds[-1]:.2f}, rate {rates[0]:.2f} -> {rates[-1]:.2f}"

explore(draw_descent, {"step": [0.5, 1, 2, 4, 8], "eps": [0.3, 1.0]}, start={"step": 1, "eps": 1.0}, size=(5.2, 2.3))

# %% [markdown]
# Steps of up to 2 units are safe for any tokens, heads and memberships; at $\varepsilon=1$ a step of 4 falls at first, and
# then climbs. And the fall does not end where the tokens are well told apart: what no head needs goes first, but the
# least rate of all is 0, at $Z=0$. Something else has to hold the scale, in a network a LayerNorm.
#
# **Derive.** Why is 2 safe? (1) A concave $f$ lies below its tangents: what does that make of $R^{\rm var}$ near given tokens? (2) How
# curved is the quadratic that you found, at most, and for which steps does gradient descent lower such a quadratic?
#
# <details><summary>Answers</summary>
#
# (1) $f(m)\le f(m_{ki})+f'(m_{ki})(m-m_{ki})$, and moments are quadratic in $Z$: a quadratic lies above $R^{\rm var}$ and touches it, with the
# same gradient, at the tokens. (2) For token $j$ its Hessian is $\frac1n\sum_k\Pi_{kj}U_kD_kU_k^\top\preceq\frac cnI$, because shares add up
# to 1 and $f'\le c$. A step of $\tau\le 2n/c=2n\varepsilon^2/d$ does not raise the quadratic, and so not what lies beneath it. That the *rate* falls, too, is
# not proved by this: only its bound is sure to (see Doubt).
# </details>
#
# ### 4.5 Attention from token statistics
# **Claim** ([[eq:pi]]). Who says which head a token belongs to? A model does. Let a token of head $k$ be $z=U_ka+\sigma g$, with
# $a\sim\mathcal N(0,s^2I)$, $g\sim\mathcal N(0,I)$ and all heads equally likely. Bayes' rule gives
#
# $$P(k\mid z)=\mathrm{softmax}_k\Big(\frac{s^2}{s^2+\sigma^2}\,\frac{\|U_k^\top z\|^2}{2\sigma^2}\Big),$$
#
# and for little noise, $\sigma\ll s$, the factor in front is 1.
#
# **Derive.** (1) What is the covariance of $z$, and its inverse? (2) Which parts of the log-density depend on $k$?
#
# <details><summary>Answers</summary>
#
# (1) $s^2U_kU_k^\top+\sigma^2I$: on the head $s^2+\sigma^2$, off it $\sigma^2$. The inverse is
# $\frac1{\sigma^2}I-\big(\frac1{\sigma^2}-\frac1{s^2+\sigma^2}\big)U_kU_k^\top$. (2) The determinant is the same for all $k$, and so is
# $\|z\|^2/\sigma^2$. What is left of $-\frac12z^\top\Sigma_k^{-1}z$ is $\frac12\frac{s^2}{\sigma^2(s^2+\sigma^2)}\|U_k^\top z\|^2$.
# </details>
#
# #### Exercise: which head is it?
# *More, 8 minutes.*

# %%
@exercise("ch05.posterior_heads")
def posterior_heads(Z: "(d, n)", U: "(K, d, p)", signal: float, sigma: float) -> "(K, n)":
    """P(k | z) for every head k and token z, a column of Z, in the model above: s = signal > 0, noise of standard deviation sigma > 0,
    heads equally likely. The exponents may be as large as 10,000: nothing may overflow.
    Example: Z = [[1.], [0.]], U = [[[1.], [0.]], [[0.], [1.]]], signal = 1., sigma = 1.  ->  [[0.5622], [0.4378]]"""
    #: solution
    W = np.asarray(U).transpose(0, 2, 1) @ np.asarray(Z)
    factor = signal**2 / (signal**2 + sigma**2)
    logits = factor * np.sum(W**2, axis=1) / (2 * sigma**2)
    odds = np.exp(logits - logits.max(axis=0))
    return odds / odds.sum(axis=0)
    #: end

# %% [markdown]
# **See.** 2,000 tokens of three overlapping planes in six dimensions. How sure is the membership (the mean of each token's largest share), and
# how often is it right? The two should agree.

# %%
from chapters.ch05_unrolled_networks.experiments_statistics import planes

alt = "Sureness by Bayes' rule lies on how often it is right; without the factor it is surer than it should be as noise grows."
with figure(alt, size=(5.2, 2.5)) as ax:
    noise = np.array([0.1, 0.2, 0.35, 0.6, 1.0, 1.5])
    cases = [(*planes(sigma), sigma) for sigma in noise]
    sure = lambda f: [np.asarray(f(Z, U, 1.0, s)).max(axis=0).mean() for Z, labels, U, s in cases]
    right = [(np.asarray(posterior_heads(Z, U, 1.0, s)).argmax(axis=0) == labels).mean() for Z, labels, U, s in cases]
    ax.plot(noise, right, "k:", marker="None", label="how often right")
    ax.plot(noise, sure(posterior_heads), color=plot.COLORS[0], label="Bayes' rule")
    ax.plot(noise, sure(lambda Z, U, signal, sigma: tost.membership(Z, U, sigma)), color=plot.COLORS[1], marker="s", label="without the factor")
    for mine in yours(posterior_heads):
        ax.plot(noise, sure(mine), **plot.DASHED)
    ax.set(xlabel=r"$\sigma/s$", ylabel="largest share, mean", ylim=(0.3, 1.02))
    ax.legend(fontsize="small")

# %% [markdown]
# <details><summary>If you read the book</summary>
#
# [[eq:pi]] has $\frac1{2\eta}\|U_k^\top z\|^2$ with $\eta=\sigma^2$, for heads whose covariances share *any* spectrum. What holds is:
# the factor $s^2/(s^2+\sigma^2)$ for equal eigenvalues $s^2$, so the printed form is the limit of little noise; and for a common spectrum
# $\lambda_1,\dots,\lambda_p$ the exponent is $\frac12\sum_i\frac{\lambda_i}{\eta(\eta+\lambda_i)}(u_{ki}^\top z)^2$, not a function of
# $\|U_k^\top z\|$. A learned temperature makes up for the first, not for the second. The next cell has a token for which the two disagree on
# the head, with $\lambda=(4,0.2)$, $\eta=0.3$.
# </details>

# %%
from chapters.ch05_unrolled_networks.experiments_statistics import uneven_heads

for name, shares in uneven_heads().items():
    print(f"{name}: " + "  ".join(f"{share:.2f}" for share in shares))

# %% [markdown]
# **Claim** ([[eq:tssa]]). Put it together, in the limit of little noise: *token statistics self-attention*, the increment
#
# $$\mathrm{TSSA}(Z\mid U)=-\frac\tau n\sum_kU_kD_kU_k^\top Z\,\mathrm{diag}(\Pi_k),\qquad \Pi_{kj}=\mathrm{softmax}_k\big(\|U_k^\top z_j\|^2/2\sigma^2\big).$$
#
# #### Exercise: token statistics
# *Core, 10 minutes.*

# %%
@exercise("ch05.token_statistics")
def token_statistics(Z: "(d, n)", U: "(K, d, p)", tau: float, eps: float, sigma: float) -> "(d, n)":
    """TSSA(Z | U) above, an increment. D_k is diagonal with entries f'(m_ki), f'(m) = c / (1 + c m), c = d / eps^2; m_ki is the mean
    square of coordinate i of U[k].T @ Z under the weights Pi_k / n_k, n_k the sum of Pi_kj over the tokens j. The exponents of
    the softmax may be as large as 10,000: nothing may overflow. Every head has a share of some token.
    Example: Z = [[1., 2.]], U = [[[1.]]], tau = 1., eps = 1., sigma = 1.  ->  [[-0.1429, -0.2857]]"""
    #: solution
    Z, U = np.asarray(Z), np.asarray(U)
    W, c = U.transpose(0, 2, 1) @ Z, len(Z) / eps**2
    logits = np.sum(W**2, axis=1) / (2 * sigma**2)
    odds = np.exp(logits - logits.max(axis=0))
    share = (odds / odds.sum(axis=0))[:, None]
    moments = np.sum(share * W**2, axis=2, keepdims=True) / np.sum(share, axis=2, keepdims=True)
    return -tau / Z.shape[1] * (U @ (c / (1 + c * moments) * W * share)).sum(axis=0)
    #: end

# %% [markdown]
# No token is compared with another. They meet in the second moments, $Kp$ numbers, and that is why it is cheap.
#
# #### Exercise: what it costs
# *More, 5 minutes.*

# %%
@exercise("ch05.count_products")
def count_products(n: int, d: int, K: int, p: int) -> "(2,)":
    """Multiplications of one layer of attention and of one of token statistics, in this order. Both: the views U[k].T @ Z, and U[k] times
    what the head makes of them. Attention (MSSA): all n x n scores W^T W, without using their symmetry, and W times the weights.
    Statistics: the views squared, the squares times Pi, the views times f'(m), and that times Pi. Nothing else is counted.
    Example: n = 10, d = 4, K = 2, p = 3  ->  [1680, 720]"""
    #: solution
    views_and_back = 2 * K * d * p * n
    attention = 2 * K * p * n**2
    statistics = 4 * K * p * n
    return np.array([views_and_back + attention, views_and_back + statistics])
    #: end

# %% [markdown]
# **See.** Lines are counts, for $d=384$ in six heads; markers are measured, on two cores: seconds of the compiled kernels, scaled as one, so
# that token statistics at 1,024 tokens lies on its line, and the memory that the compiled program asks for beside its input and
# output. (Attention was not timed where its scores alone need gigabytes.) Attention takes two to seven times as long as its products tell:
# exponentials, and moving all those scores, are not counted.

# %%
from chapters.ch05_unrolled_networks.experiments_statistics import products_over
from chapters.ch05_unrolled_networks.long_statistics import statistics_seconds

found = measured(statistics_seconds)
tokens, names = np.asarray(found["tokens"]), ("attention", "token statistics", "exact gradient")
scale = products_over(count_products, [1024])[1, 0] / found["token statistics"][1]
alt = "Statistics and the exact gradient grow linearly in time and memory, attention with the square from about a thousand tokens on."
with figure(alt, size=(6.6, 2.8), ncols=2) as axes:
    for i, name in enumerate(names):
        if i < 2:
            axes[0].loglog(tokens, products_over(count_products, tokens)[i], color=plot.COLORS[i], marker="None")
        timed = np.asarray(found[name])
        axes[0].loglog(tokens[: len(timed)], scale * timed, plot.MARKERS[i], color=plot.COLORS[i], label=name)
        axes[1].loglog(tokens, np.asarray(found[name + ", bytes"]) / 2**20, color=plot.COLORS[i], marker=plot.MARKERS[i])
    axes[0].set(xlabel="tokens", ylabel="products")
    axes[1].set(xlabel="tokens", ylabel="memory, MiB")
    axes[0].legend(fontsize="small")

# %% [markdown]
# #### Doubt
# <details><summary>Is the bound needed for linear cost?</summary>
#
# No. The exact gradient of $R^c(Z\mid U)$ in Part 3 has $p\times p$ inverses, and is linear in $n$, too: the triangles. What costs
# $n^2$ is comparing tokens by a softmax, not the rate. Token statistics are cheaper by a constant: they need no inverse.
# </details>
#
# <details><summary>Does a layer lower what it was derived from?</summary>
#
# The derivation holds the memberships fixed, and then computes them from the tokens that move. The next cell tries 100 random
# sets of tokens and heads, at the step $\tau=n\varepsilon^2/d$: how often does one step lower the bound, and how often the true rate
# of the tokens, with memberships held fixed, and with memberships that follow? And how well is the direction aligned with the full gradient?
# </details>

# %%
from chapters.ch05_unrolled_networks.experiments_statistics import descents

show(**descents(token_statistics, statistics_rate))

# %% [markdown]
# <details><summary>Always?</summary>
#
# The bound, yes, at fixed membership: that was proved above. The rate, no. Of 2,000 sets of six tokens with very unequal coordinates in five
# dimensions, random memberships and planes that overlap, the rate rose in 43 at $\varepsilon=0.1$, and in none at $0.5$, 1 and 2. One of the 43:
# </details>

# %%
from chapters.ch05_unrolled_networks.experiments_statistics import changes

show(**changes(statistics_gradient, statistics_rate, seed=1521))

# %% [markdown]
# <details><summary>Is it what the published network computes?</summary>
#
# Not quite. The [published code](https://github.com/RobinWu218/ToST) scales each of the $Kp$ coordinates to length 1 *over the tokens* before it takes the
# membership, with a learned inverse temperature for each head, starting from 1. All exponents are then small, and each token belongs to every head
# about equally. The next cell has the mean of a token's largest share, of $K=3$ heads: at $\frac13$ nobody belongs anywhere.
# </details>

# %%
from chapters.ch05_unrolled_networks.experiments_statistics import sureness

show(**sureness())

# %% [markdown]
# <details><summary>If you read the book: a table's averages</summary>
#
# In [[tab:tost_lra]] the last column of four rows is a mean of six numbers, the sixth being 50 for a task (Path-X) that is not in the table; two rows are means of
# the five that are. Over the five tasks shown the order of the means stays, the gaps shrink a little. But no row is ahead everywhere: on *Pathfinder* token statistics is fifth
# of six, on *ListOps* second, behind the Reformer. On ImageNet, by [[tab:tost_in1k_transfer]], token statistics of 22.6 million parameters has 77.9%, a ViT of
# 22.1 million 79.8%: what linear cost costs, at that size.
# </details>

# %%
from chapters.ch05_unrolled_networks.experiments_statistics import LONG_RANGE

for name, (*tasks, printed) in LONG_RANGE.items():
    print(f"{name:12} printed {printed:.2f}, mean of five {np.mean(tasks):.2f}")
