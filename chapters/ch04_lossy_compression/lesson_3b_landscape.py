# %% [markdown]
# ### 3.7 One direction at a time
# **Claim.** Give class $k$ the norm $\|Z_k\|_F^2=N_k$ ([[eqn1:maximal-rate-reduction]]). Whatever the singular values of the
# classes, the rate reduction is largest where the classes are orthogonal to each other, and there it is a sum over directions:
#
# $$\Delta R=\tfrac12\sum_k\sum_if_k(x_{ki}),\qquad f_k(x)=\log(1+\alpha x)-\rho_k\log\Big(1+\frac{\alpha x}{\rho_k}\Big),$$
#
# with $x_{ki}$ the *squared* singular values of $Z_k$, $\alpha=d/(N\varepsilon^2)$ and $\rho_k=N_k/N$ (so that
# $\alpha_k=d/(N_k\varepsilon^2)=\alpha/\rho_k$).
#
# **Derive.** (1) Which of the two rates depends on how the classes lie to each other? (2) What bounds
# $\log\det(I+\alpha\sum_kZ_kZ_k^\top)$ from above, and when is the bound reached? (3) What is left of a log-determinant when the
# singular values are known?
#
# <details><summary>Answers</summary>
#
# (1) Only the rate of the whole; $R^c$ sees each class alone. (2) $\sum_k\log\det(I+\alpha Z_kZ_k^\top)$ (Fischer), with equality
# just where $Z_k^\top Z_l=0$ for $k\ne l$. That needs room: the ranks must add up to at most $d$. (3) A sum of
# $\log(1+\alpha x)$, so for class $k$ the sum of $f_k$.
# </details>
#
# #### Exercise: what a spectrum is worth
# *More, 6 minutes.*

# %%
@exercise("ch04.spread_value")
def spread_value(spectrum: "(r,)", alpha: float, rho: float) -> "()":
    """What one class adds to the rate reduction, in nats, when it is orthogonal to all others: half the sum of f over its squared
    singular values, f(x) = log(1 + alpha x) - rho log(1 + alpha x / rho). Entries >= 0 in any order, 0 < rho < 1.
    Example: spectrum = [1., 3.], alpha = 1., rho = 0.5  ->  0.2786"""
    #: solution
    x = np.asarray(spectrum)
    return (np.log1p(alpha * x) - rho * np.log1p(alpha * x / rho)).sum() / 2
    #: end

# %% [markdown]
# **Claim.** $f$ is shaped like an S: it starts like $x^2$, is convex up to
#
# $$x_{\text{inf}}=\frac1{\sqrt{\alpha\alpha_k}},$$
#
# and concave from there on, growing like $(1-\rho)\log x$.
#
# **Derive.** $f'(x)=\dfrac{\alpha}{1+\alpha x}-\dfrac{\alpha}{1+\alpha_kx}$: mind the identity $\rho\,\alpha_k=\alpha$. Bring it
# to one fraction, differentiate once more, and look for the sign.
#
# <details><summary>Answer</summary>
#
# $f'(x)=\alpha(\alpha_k-\alpha)\dfrac{x}{(1+\alpha x)(1+\alpha_kx)}$. The derivative of the fraction has the sign of
# $(1+\alpha x)(1+\alpha_kx)-x\,[\alpha(1+\alpha_kx)+\alpha_k(1+\alpha x)]=1-\alpha\alpha_kx^2$.
# </details>
#
# #### Exercise: where the curve turns
# *More, 6 minutes.*

# %%
@exercise("ch04.inflection")
def inflection(alpha: float, rho: float) -> "()":
    """The x > 0 at which f(x) = log(1 + alpha x) - rho log(1 + alpha x / rho) turns from convex to concave; 0 < rho < 1.
    Example: alpha = 2., rho = 0.25  ->  0.25"""
    #: solution
    return np.sqrt(rho) / alpha
    #: end

# %% [markdown]
# A budget $N_k$ is to be spent on squared singular values. Where $f$ is convex, one large value beats two halves; far out, where
# $f$ is concave, two halves win. What decides is the value *per unit of budget*, $f(x)/x$: the slope of the line from the origin
# to the curve. It is steepest where that line touches the curve.
#
# #### Exercise: the tangent from the origin
# *Challenge, 12 minutes.*

# %%
@exercise("ch04.tangent_point")
def tangent_point(alpha: float, rho: float) -> "()":
    """The x > 0 with f(x) = x f'(x), where the line from the origin touches f(x) = log(1 + alpha x) - rho log(1 + alpha x / rho).
    There is exactly one, between 1 and 100 times the inflection point; to a relative accuracy of 1e-4, for 1e-4 <= rho <= 0.95.
    Example: alpha = 1., rho = 0.5  ->  1.535"""
    #: solution
    low, high = np.sqrt(rho), 100 * np.sqrt(rho)  # of u = alpha x
    for _ in range(60):
        u = (low + high) / 2
        value, slope = np.log1p(u) - rho * np.log1p(u / rho), 1 / (1 + u) - 1 / (1 + u / rho)
        low, high = (u, high) if value < u * slope else (low, u)
    return u / alpha
    #: end

# %% [markdown]
# **See.** Left: what one direction is worth. Right: the slope of the curve, and that of the line from the origin to it. The
# first is highest at the inflection; the second where the two cross. These two heights come back in 3.9.

# %%
rho, xs = 0.25, np.linspace(0.02, 2, 50)
worth = lambda x, f=spread_value: float(f(np.array([x]), 1.0, rho))
values, turn, touch = np.array([worth(x) for x in xs]), float(inflection(1.0, rho)), float(tangent_point(1.0, rho))
alt = "Left an S-shaped curve; right its slope, highest at x = 0.5, and the chord's slope, highest where both cross at x = 1.1."
with figure(alt, size=(6.6, 2.4), ncols=2) as (left, right):
    left.plot(xs, values, marker="None")
    left.plot([0, 2], [0, 2 * worth(touch) / touch], ":", color="black", marker="None", label="tangent from the origin")
    for mine in yours(spread_value):
        left.plot(xs, [worth(x, mine) for x in xs], **plot.DASHED)
    right.plot(xs, np.gradient(values, xs), marker="None", label="of the curve")
    right.plot(xs, values / xs, marker="None", label="of the chord")
    steepest = (worth(turn + 0.05) - worth(turn - 0.05)) / 0.1
    for ax, heights in (left, (worth(turn), worth(touch))), (right, (steepest, worth(touch) / touch)):
        for x, y, mark, name in (turn, heights[0], "s", "inflection"), (touch, heights[1], "^", "tangent point"):
            ax.plot(x, y, mark, color="black", label=name if ax is left else None)
        for mine in [*yours(inflection), *yours(tangent_point)]:
            ax.axvline(float(mine(1.0, rho)), **plot.DASHED)
        ax.set(xlabel="squared singular value x", xlim=(0, 2))
        ax.legend(loc="upper left" if ax is left else "lower right")
    left.set(ylabel=r"$f(x)/2$, nats", ylim=(0, 0.45))
    right.set(ylabel="slope", ylim=(0, 0.2))

# %% [markdown]
# ### 3.8 How many directions?
# **Claim.** Let a class have the norm $N_k$ and at most $d_k$ directions, where $\sum_kd_k\le d$. If
#
# $$\frac{N_k}{d_k}\ge x_t\qquad(x_t\text{: the tangent point}),$$
#
# then the best spectrum is flat: $d_k$ singular values, *all* equal. With more room than that, the budget does not reach: about
# $N_k/x_t$ directions are used, and the rest of the room stays empty. (The book, [[thm:MCR2-properties]], has the condition
# $\varepsilon^4<c\,\rho_kd^2/d_k^2$ and equality of all singular values but the last.)
#
# **Derive.** Draw the *envelope* of $f$: the tangent from the origin up to $x_t$, then $f$ itself. It is concave and nowhere
# below $f$. What does concavity say of $\sum_if(x_i)$?
#
# <details><summary>The argument</summary>
#
# Call the envelope $g$. Then $\sum_if(x_i)\le\sum_ig(x_i)\le d_k\,g(N_k/d_k)$ by concavity, and if $N_k/d_k\ge x_t$ the right
# side is $d_kf(N_k/d_k)$: the value of the flat spectrum. If $N_k/d_k<x_t$, the right side is $N_kf(x_t)/x_t$, on the straight
# part. It is reached only by values that are 0 or $x_t$, so exactly only if $N_k/x_t$ is a whole number.
#
# In terms of $\varepsilon$: $x_t$ is a number $s(\rho)$ times $x_{\text{inf}}=\varepsilon^2\sqrt{NN_k}/d$, and the condition
# reads $\varepsilon^4\le\rho_kd^2/(s^2d_k^2)$. So $c=1/s^2=(x_{\text{inf}}/x_t)^2$.
# </details>
#
# **See.** The value of a flat spectrum against the number $r$ of its values, for $N_k=100$ samples of $N=300$ in $d=30$
# dimensions. The finer the resolution, the more directions. Vertical lines: $N_k/x_t$.

# %%
ranks, share = np.arange(1, 16), 1 / 3
flat = lambda budget, r: np.where(np.arange(15) < r, budget / r, 0.0)  # r equal squared singular values, then zeros
alt = "Value against rank for three eps: the maxima stand at ranks 8, 4 and 2, each within one of the line N_k / x_t."
with figure(alt, size=(5, 2.6)) as ax:
    for eps, color, marker in zip((1.0, 1.5, 2.0), plot.COLORS, plot.MARKERS):
        alpha = 30 / (300 * eps**2)
        values = np.array([float(spread_value(flat(100, r), alpha, share)) for r in ranks])
        best = values.argmax()
        ax.plot(ranks, values / values.max(), color=color, marker=marker, markersize=3, label=rf"$\varepsilon$ = {eps}")
        ax.plot(ranks[best], 1, color=color, marker=marker, markersize=9)
        ax.axvline(100 / float(tangent_point(alpha, share)), color=color, linestyle=":", marker="None")
    ax.set(xlabel="number of equal squared singular values r", ylabel="share of the largest value", ylim=(0.2, 1.05))
    ax.legend(loc="lower left", ncols=3)

# %% [markdown]
# <details><summary>If you read the book: what the constant c depends on, and a bound on the rank</summary>
#
# - *The constant.* In [[thm:MCR2-properties]] $c>0$ is printed as a constant. It has to depend on $\rho_k$: the $c$ found above
#   is $0.21$ for $\rho=1/2$ and goes to 0 with $\rho$ (first cell below). With $c=1$ the statement fails. Take $d=8$, two
#   classes of 50 samples, two directions for each, $\varepsilon^4=5.556$, which is below $\rho d^2/d_k^2=8$: your function
#   gives *one* direction the higher value (second cell).
# - *The rank.* The problem [[eqn1:maximal-rate-reduction]] is printed without a bound on the rank of $Z_k$; the theorem speaks of
#   $d_k$. It holds with $\operatorname{rank}(Z_k)\le d_k$ as a part of the problem. Without it nothing stops at $d_k$: three
#   classes of 100 samples in 30 dimensions, $d_k=5$, $\varepsilon=1$; six directions each give more than five (third cell).
# </details>

# %%
for rho in (0.5, 0.1, 0.01, 0.0001):
    show(rho=rho, c=(inflection(1.0, rho) / tangent_point(1.0, rho)) ** 2)

# %%
eps = 5.556 ** (1 / 4)
alpha = 8 / (100 * eps**2)
one, two = (2 * float(spread_value(flat(50, r), alpha, 0.5)) for r in (1, 2))
show(eps_to_the_fourth=eps**4, below=0.5 * 8**2 / 2**2, with_one_direction_each=one, with_two_directions_each=two)

# %%
three = lambda r: 3 * float(spread_value(flat(100, r), 30 / 300, 1 / 3))
show(five_each=three(5), six_each=three(6))

# %% [markdown]
# ### 3.9 A price on length
# **Claim.** Instead of fixing the norm, put a price on it ([[eq:MCR-reg]]): maximise
#
# $$L(Z)=\Delta R(Z)-\tfrac\lambda2\|Z\|_F^2 .$$
#
# Now the directions do not compete for a budget. Each is worth $\frac12(f(x)-\lambda x)$ for itself, so it is stationary where
# the slope of $f$ equals the price, $f'(x)=\lambda$. That is a quadratic equation:
#
# $$\lambda\alpha_kx^2-\eta_kx+\frac\lambda\alpha=0,\qquad\eta_k=\alpha_k-\alpha-\lambda\Big(\frac1{\rho_k}+1\Big).$$
#
# #### Exercise (derivation): from the slope to a quadratic
# *More, 10 minutes.*

# %%
@derivation("ch04.stationarity_chain")
def stationarity_chain(spectrum, alpha, rho, lam):
    """From the slope of f(x) - lam x, times the common denominator, to minus the quadratic; x stands for a whole spectrum.
    Pass through the slope written as two fractions, then through a line without the denominator."""
    x, alpha_k = spectrum, alpha / rho
    f = lambda x: jnp.log(1 + alpha * x) - rho * jnp.log(1 + alpha_k * x)
    slope = jax.grad(lambda x: (f(x) - lam * x).sum())  # slope(x): the derivative at every entry of x
    common = (1 + alpha * x) * (1 + alpha_k * x) / alpha
    eta = (alpha_k - alpha) - (1 + 1 / rho) * lam
    yield slope(x) * common
    #: solution
    yield (alpha / (1 + alpha * x) - alpha / (1 + alpha_k * x) - lam) * common
    yield (1 + alpha_k * x) - (1 + alpha * x) - lam / alpha * (1 + (alpha + alpha_k) * x + alpha * alpha_k * x**2)
    #: end
    yield -(lam * alpha_k * x**2 - eta * x + lam / alpha)

# %% [markdown]
# The product of the two roots is $1/(\alpha\alpha_k)=x_{\text{inf}}^2$: one lies where $f$ is convex, and there a larger or a
# smaller $x$ is better; the other where $f$ is concave. The maximum is the larger one ([[eq:Zk opti]]).
#
# #### Exercise: the best size
# *Core, 12 minutes.*

# %%
@exercise("ch04.optimal_variance")
def optimal_variance(alpha: float, rho: float, lam: float) -> "()":
    """The larger root x of lam alpha_k x^2 - eta x + lam / alpha = 0: the squared singular value that every used direction of
    a class has at a local maximum. Here alpha_k is alpha / rho, and eta = alpha_k - alpha - lam (1 / rho + 1); lam > 0 is so
    small that there are two roots.
    Example: alpha = 1., rho = 0.25, lam = 0.1  ->  6.21"""
    #: solution
    alpha_k = alpha / rho
    eta = alpha_k - alpha - lam * (1 / rho + 1)
    return (eta + np.sqrt(eta**2 - 4 * lam**2 / rho)) / (2 * lam * alpha_k)
    #: end

# %% [markdown]
# **Claim.** There are two roots as long as the price is below the steepest slope of $f$, which it has at $x_{\text{inf}}$:
#
# $$\lambda<\alpha\,\frac{1-\sqrt{\rho_k}}{1+\sqrt{\rho_k}} .$$
#
# For all classes at once the largest class decides ([[eq:lambda]], where numerator and denominator are divided by
# $\sqrt{\rho_{\max}}$).
#
# **Derive.** Put $x_{\text{inf}}$ into $f'$; or ask when the discriminant is 0. The two must agree.
#
# #### Exercise: the highest price
# *More, 6 minutes.*

# %%
@exercise("ch04.largest_lam")
def largest_lam(pi: "(K,)", alpha: float) -> "()":
    """The largest lam up to which the quadratics of all K classes have real roots; pi holds the shares rho_k = N_k / N of the
    classes, alpha = d / (N eps^2).
    Example: pi = [0.25, 0.75], alpha = 2.  ->  0.1436"""
    #: solution
    root = np.sqrt(np.asarray(pi).max())
    return alpha * (1 - root) / (1 + root)
    #: end

# %% [markdown]
# **Play.** What a direction is worth at a price, $\frac12(f(x)-\lambda x)$, for $\rho=1/2$. The slider is the price as a share of
# the highest. Where are the maxima, and which is the highest one? Is that so at a share of $0.95$? And at 1?

# %%
def draw_price(fig, share):
    ax, xs = fig.subplots(), np.linspace(0, 6, 61)
    lam = share * float(largest_lam(np.array([0.5, 0.5]), 1.0))
    net = lambda x: float(spread_value(np.array([x]), 1.0, 0.5)) - lam * x / 2
    ax.plot(xs, [net(x) for x in xs], marker="None")
    turn = float(inflection(1.0, 0.5))
    large = float(optimal_variance(1.0, 0.5, lam)) if share < 1 else turn
    for x, mark, name in (0.0, "o", "$x=0$"), (turn**2 / large, "s", "smaller root"), (large, "^", "larger root"):
        ax.plot(x, net(x), mark, label=name)
    for mine in yours(optimal_variance) if share < 1 else []:
        ax.axvline(float(mine(1.0, 0.5, lam)), **plot.DASHED)
    ax.set(xlabel="squared singular value x", ylabel="nats", xlim=(-0.1, 6.1))
    ax.legend()
    what = "is worth more than" if net(large) > 0 else "is worth less than"
    return f"At {share} of the highest price the larger root, x = {large:.2f}, {what} x = 0."

explore(draw_price, {"share": [0.3, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0]}, start={"share": 0.7}, size=(5, 2.4))

# %% [markdown]
# **Claim.** A used direction pays as long as its value at the larger root is positive. That is the case up to a price
# $\lambda^*$ *below* the highest: the slope of the tangent from the origin,
#
# $$\lambda^*=\frac{f(x_t)}{x_t}=f'(x_t)<f'(x_{\text{inf}}) .$$
#
# #### Exercise: what a direction is worth
# *Challenge, 10 minutes.*

# %%
@exercise("ch04.direction_value")
def direction_value(alpha: float, rho: float, lam: float) -> "()":
    """What one used direction of a class adds to L, in nats: (f(x) - lam x) / 2 at the larger root x of the last exercises, with
    f(x) = log(1 + alpha x) - rho log(1 + alpha x / rho). May be negative. lam > 0 is so small that there are two roots.
    Example: alpha = 1., rho = 0.25, lam = 0.1  ->  0.2707"""
    #: solution
    eta = alpha / rho - alpha - lam * (1 / rho + 1)
    x = (eta + np.sqrt(eta**2 - 4 * lam**2 / rho)) * rho / (2 * lam * alpha)
    return (np.log1p(alpha * x) - rho * np.log1p(alpha * x / rho) - lam * x) / 2
    #: end

# %% [markdown]
# **See.** The value against the price, for classes of different shares. Each curve crosses zero before the highest price.

# %%
shares = np.linspace(0.4, 0.999, 25)
alt = "Four falling curves that cross zero at 0.87 to 0.93 of the highest price and end below zero."
with figure(alt, size=(5, 2.4)) as ax:
    for rho, style in zip((0.5, 0.25, 0.1, 0.01), ("-", "--", "-.", ":")):
        top = float(largest_lam(np.array([rho] * round(1 / rho)), 1.0))
        ax.plot(shares, [direction_value(1.0, rho, s * top) for s in shares], style, marker="None", label=rf"$\rho$ = {rho}")
        for mine in yours(direction_value):
            ax.plot(shares, [mine(1.0, rho, s * top) for s in shares], **plot.DASHED)
        touch = float(tangent_point(1.0, rho))
        ax.plot(2 * float(spread_value(np.array([touch]), 1.0, rho)) / touch / top, 0, "o", color="black", markersize=4)
    ax.set(xlabel="price, as a share of the highest", ylabel="nats per direction", ylim=(-0.03, 0.22))
    ax.legend()

# %% [markdown]
# **Claim** ([[thm:mcr-global-opt]], with its edges set right). For $0<\lambda<\lambda_{\max}$, the highest price:
#
# - the *local* maximisers are all $Z$ with $Z_k=\sqrt{x_k}\,U_kV_k^\top$, $x_k$ the larger root, orthonormal columns in
#   $[U_1,\dots,U_K]$ and in every $V_k$, and *any* ranks $r_k\le\min(N_k,d)$ with $\sum_kr_k\le d$;
# - for $\lambda<\lambda^*$ of the largest class, the *global* ones among them are those that use all the directions there are,
#   $\sum_kr_k=\min(N,d)$, the smaller classes first.
#
# #### Exercise: put the classes on axes
# *More, 12 minutes.*

# %%
@exercise("ch04.optimal_features")
def optimal_features(labels: "(N,)", U: "(d, d)", ranks: "(K,)", eps: float, lam: float) -> "(d, N)":
    """A local maximiser of L with the given ranks. The columns of the orthogonal matrix U are dealt out in order: class 0 gets
    the first ranks[0] of them, class 1 the next ranks[1], and so on; they may not all be needed. Within a class the samples, in
    their order, take turns on its columns (first, second, ..., last, first, ...), all with the same positive factor, such that
    its squared singular values are the larger root for its share rho_k. ranks[k] divides N_k; where it is 0 the features are 0.
    Labels need not be sorted.
    Example: labels = [1, 0, 1], U = [[0., 1.], [1., 0.]], ranks = [1, 0], eps = 1., lam = 0.1  ->
    [[0., 0., 0.], [0., 2.121, 0.]]"""
    #: solution
    Z, start = np.zeros((len(U), len(labels))), 0
    for k, r in enumerate(np.asarray(ranks)):
        mine = np.flatnonzero(np.asarray(labels) == k)
        rho, alpha = len(mine) / len(labels), len(U) / (len(labels) * eps**2)
        eta = alpha / rho - alpha - lam * (1 / rho + 1)
        x = (eta + np.sqrt(eta**2 - 4 * lam**2 / rho)) * rho / (2 * lam * alpha)
        if r > 0:
            Z[:, mine] = np.sqrt(x * r / len(mine)) * np.asarray(U)[:, start + np.arange(len(mine)) % r]
        start += r
    return Z
    #: end

# %% [markdown]
# <details><summary>If you read the book: three edges of the theorem</summary>
#
# - *Full rank is allowed.* Printed is $r_k\in[0,\min\{N_k,d\})$, without its right end, while part (ii)(b) asks for
#   $r_k=\min\{N_k,d\}$. The end belongs to it. First cell: classes of 3 and 6 samples, $d=6$. Ranks $(3,3)$ are a local maximum
#   (no eigenvalue of the Hessian is positive) and better than any ranks that the printed condition leaves, such as $(2,4)$.
# - *The highest price is not.* [[eq:lambda]] prints an interval that is closed on the right. At its end both roots are
#   $x_{\text{inf}}$, an inflection: a critical point where the objective falls when $Z$ grows, and rises when $Z$ shrinks.
#   There is no direction of positive curvature either: it is neither a maximum nor a strict saddle (second cell). Part (i) and
#   [[thm:mcr-benign-opt-landscape]] hold for $\lambda$ strictly below.
# - *"Global" ends earlier.* Part (ii) is printed for the whole interval. Above $\lambda^*$ the value of a used direction is
#   negative, and $Z=0$ beats what it calls global maximisers (third cell: two classes of 10, $d=8$). It holds for
#   $\lambda<\lambda^*$.
# </details>

# %%
from chapters.ch04_lossy_compression import experiments_landscape as trial

labels, eps = np.repeat([0, 1], [3, 6]), 0.5
lam = 0.3 * float(largest_lam(np.array([1 / 3, 2 / 3]), 6 / (9 * eps**2)))
full = np.asarray(optimal_features(labels, np.eye(6), np.array([3, 3]), eps, lam))
curvature = trial.hessian_eigenvalues(full, labels, eps, lam)
show(largest_slope=np.abs(trial.gradient(full, labels, eps, lam)).max(), largest_curvature=curvature.max())
small, large = (float(direction_value(6 / (9 * eps**2), rho, lam)) for rho in (1 / 3, 2 / 3))
show(ranks_3_3=3 * small + 3 * large, ranks_2_4=2 * small + 4 * large, ranks_2_3=2 * small + 3 * large)

# %%
labels, alpha = np.repeat([0, 1], [4, 4]), 4 / (8 * eps**2)
lam = float(largest_lam(np.array([0.5, 0.5]), alpha))
inner = np.asarray(optimal_features(labels, np.eye(4), np.array([2, 2]), eps, lam / 2), dtype=float)
inner *= np.sqrt(float(inflection(alpha, 0.5)) / (inner**2).sum(axis=1).max())  # now of the size that both roots have at lam
curvature = trial.hessian_eigenvalues(inner, labels, eps, lam)
show(largest_slope=np.abs(trial.gradient(inner, labels, eps, lam)).max(), largest_curvature=curvature.max())
show(times_09_1_11=[trial.objective(scale * inner, labels, eps, lam) for scale in (0.9, 1.0, 1.1)])

# %%
alpha, shares = 8 / (20 * eps**2), np.array([0.5, 0.8, 0.9, 0.95])
highest = float(largest_lam(np.array([0.5, 0.5]), alpha))
show(share_of_the_highest_price=shares, L_of_8_directions=[8 * direction_value(alpha, 0.5, share * highest) for share in shares])
touch = float(tangent_point(alpha, 0.5))
show(lambda_star_over_the_highest=2 * spread_value(np.array([touch]), alpha, 0.5) / touch / highest)

# %% [markdown]
# ### 3.10 The landscape
# **Claim** ([[thm:mcr-benign-opt-landscape]]). For $0<\lambda<\lambda_{\max}$ every critical point of $L$ is a local maximiser or
# a *strict saddle*: a point with a direction in which $L$ curves upwards (a local minimum counts as one). Gradient ascent from
# a random start avoids the saddles with probability one.
#
# **See.** A slice in which all kinds are seen: $Z=(aE_1,bE_2)$ with two classes of four samples in two dimensions, each on an
# axis of its own. Which maxima are global? Into which of them does a start near 0 run?

# %%
from chapters.ch04_lossy_compression import experiments_landscape as trial

labels, eps = np.repeat([0, 1], 4), 0.5
alpha = 2 / (8 * eps**2)
lam = 0.5 * float(largest_lam(np.array([0.5, 0.5]), alpha))
unit = np.asarray(optimal_features(labels, np.eye(2), np.array([1, 1]), eps, lam), dtype=float)
unit /= np.sqrt((unit**2).sum(axis=1, keepdims=True))
top = float(optimal_variance(alpha, 0.5, lam)) ** 0.5
low = float(inflection(alpha, 0.5)) / top  # root of the smaller x: the product of the two roots is the inflection squared
line = np.linspace(-1.5 * top, 1.5 * top, 41)
heights = np.array([[trial.objective(np.array([[a], [b]]) * unit, labels, eps, lam) for a in line] for b in line])
all_signs = lambda *pairs: [(s * a, t * b) for a, b in pairs for s in (1, -1) for t in (1, -1)]
places = {"local maximum": all_signs((0, 0), (top, 0), (0, top)), "global maximum": all_signs((top, top)),
          "strict saddle": all_signs((low, 0), (0, low), (low, top), (top, low), (low, low))}
alt = "Nine maxima on a three by three grid, the four corners being highest, and strict saddles between them."
with figure(alt, size=(5, 3.2)) as ax:
    ax.contourf(line, line, heights, levels=14, cmap="cividis")
    for (name, points), color, marker in zip(places.items(), plot.COLORS, plot.MARKERS):
        ax.plot(*np.array(points).T, marker, color=color, markeredgecolor="white", markersize=7, label=name)
    ax.set(xlabel="a: size of class 1", ylabel="b: size of class 2", aspect="equal")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %% [markdown]
# How does one tell a maximum from a saddle? By the eigenvalues of the Hessian, and there is a catch: a maximum of $L$ is never
# alone. Turn the $U_k$ together, or any $V_k$ for itself: $L$ is the same. So the Hessian has *zero* eigenvalues at a perfect
# maximum, one for each dimension of the set of such $Z$. Count them: $[U_1,\dots,U_K]$ with $r=\sum_kr_k$ orthonormal columns has
# $dr-\frac{r(r+1)}2$ degrees of freedom, $V_k$ has $N_kr_k-\frac{r_k(r_k+1)}2$, and $U_kV_k^\top$ does not notice a rotation in
# $r_k$ dimensions applied to both.
#
# #### Exercise: which kind of point?
# *Challenge, 15 minutes.*

# %%
@exercise("ch04.classify_critical_point")
def classify_critical_point(labels: "(N,)", eigenvalues: "(D,)", ranks: "(K,)", d: int) -> int:
    """Kind of a critical point Z of L, from the D = d N eigenvalues (in any order) of the Hessian there. Its class k is
    sqrt(x) U_k V_k^T with ranks[k] orthonormal columns in U_k and in V_k, x > 0 being one number for each class, and the classes
    are orthogonal to each other. Returned is
      -1, a strict saddle, if some eigenvalue is positive;
       1, a local maximum, if none is positive, and there are exactly as many zeros as the set of all such Z (same ranks, same x)
          has dimensions;
       0, undecided, if none is positive and there are more zeros than that.
    As zero counts what is at most 1e-4 times the largest absolute eigenvalue.
    Example: labels = [0, 1], eigenvalues = [-1., -2., -2., 0.], ranks = [1, 1], d = 2  ->  1"""
    #: solution
    values, ranks, sizes = np.asarray(eigenvalues), np.asarray(ranks), np.bincount(np.asarray(labels))
    tiny, r = 1e-4 * np.abs(values).max(), ranks.sum()
    turns = d * r - r * (r + 1) // 2 + (sizes * ranks - ranks**2).sum()
    if values.max() > tiny:
        return -1
    return int((np.abs(values) <= tiny).sum() == turns)
    #: end

# %% [markdown]
# <details><summary>The count, and what it finds</summary>
#
# $N_kr_k-\frac{r_k(r_k+1)}2$ for $V_k$, less $\frac{r_k(r_k-1)}2$ for the rotation, is $N_kr_k-r_k^2$. Together
# $dr-\frac{r(r+1)}2+\sum_k(N_kr_k-r_k^2)$. The next cell looks at five critical points in three dimensions, classes of 2 and 4
# samples: three maxima with different ranks, one at the smaller root, and one at the highest price.
# </details>

# %%
labels, eps, alpha = np.repeat([0, 1], [2, 4]), 0.5, 3 / (6 * 0.5**2)
highest = float(largest_lam(np.array([1 / 3, 2 / 3]), alpha))
def kind(Z, ranks, lam):
    return int(classify_critical_point(labels, trial.hessian_eigenvalues(Z, labels, eps, lam), np.array(ranks), 3))

best = lambda ranks: np.asarray(optimal_features(labels, np.eye(3), np.array(ranks), eps, highest / 2), dtype=float)
show(ranks_2_1=kind(best((2, 1)), (2, 1), highest / 2), ranks_1_1=kind(best((1, 1)), (1, 1), highest / 2))
show(zero=kind(0 * best((1, 1)), (0, 0), highest / 2))
ratio = [float(inflection(alpha, rho) / optimal_variance(alpha, rho, highest / 2)) for rho in (1 / 3, 2 / 3)]
show(second_class_at_the_smaller_root=kind(best((1, 2)) * np.where(labels == 1, ratio[1], 1.0), (1, 2), highest / 2))
show(second_class_at_the_highest_price=kind(best((0, 2)) * np.where(labels == 1, ratio[1] ** 0.5, 1.0), (0, 2), highest))

# %% [markdown]
# #### Exercise: climb
# With the gradient of the rate reduction (earlier in this part) a step of gradient ascent divided by $\alpha$ has a
# simple form: for a sample of class $k$
#
# $$z\;\leftarrow\;z+(I+\alpha ZZ^\top)^{-1}z-(I+\alpha_kZ_kZ_k^\top)^{-1}z-\frac\lambda\alpha z .$$
#
# The first inverse pushes the sample away from everything that is there, the second pulls it back to its class. Chapter 5 makes a
# network out of this line.
#
# *More, 12 minutes.*

# %%
@exercise("ch04.ascend")
def ascend(Z: "(d, N)", labels: "(N,)", eps: float, lam: float, T: int) -> "(d, N)":
    """Z after T >= 0 steps of gradient ascent on L, each of length 1 / alpha: Z + grad L(Z) / alpha, where alpha = d / (N eps^2)
    and alpha_k = d / (N_k eps^2), as displayed above. All samples move at once: both inverses are those of the Z before the step.
    Labels need not be sorted. Do not change the array that comes in.
    Example: Z = [[1., 0.], [1., 1.]], labels = [0, 1], eps = 1., lam = 0.1, T = 1  ->  [[1.1, -0.2], [0.9, 0.9667]]"""
    #: solution
    Z, labels = np.array(Z, dtype=float), np.asarray(labels)
    (d, N), I = Z.shape, np.eye(len(Z))
    alpha = d / (N * eps**2)
    for _ in range(T):
        step = np.linalg.solve(I + alpha * Z @ Z.T, Z) - lam / alpha * Z
        for k in np.unique(labels):
            mine = labels == k
            Z_k, alpha_k = Z[:, mine], d / (mine.sum() * eps**2)
            step[:, mine] -= np.linalg.solve(I + alpha_k * Z_k @ Z_k.T, Z_k)
        Z = Z + step
    return Z
    #: end

# %% [markdown]
# <details><summary>Why this step never overshoots</summary>
#
# $\frac12\log\det(I+\alpha ZZ^\top)$ is a sum of $\frac12\log(1+\alpha\sigma^2)$, whose second derivative
# $\alpha(1-\alpha\sigma^2)/(1+\alpha\sigma^2)^2$ lies between $-\alpha/8$ and $\alpha$. The Hessian's other eigenvalues are
# slopes of chords of the derivative, and lie there too. For $R^c$ the same bounds hold, because $\rho_k\alpha_k=\alpha$ once
# more. So no curvature of $L$ exceeds $\frac98\alpha+\lambda$ in size, and a step shorter than $2$ over that cannot decrease
# $L$: $1/\alpha$ will do for $\lambda<\frac78\alpha$.
# </details>
#
# **See.** Three classes of 20 samples in space; shown are the *directions* of the features. Two random starts, one landscape.

# %%
labels, eps = np.repeat([0, 1, 2], 20), 0.5
lam, starts = 0.3 * float(largest_lam(np.full(3, 1 / 3), 3 / (60 * eps**2))), {}
for seed in (1, 0):
    starts[seed] = np.random.default_rng(seed).normal(size=(3, 60))
ends = {seed: np.asarray(ascend(Z, labels, eps, lam, 1000), dtype=float) for seed, Z in starts.items()}
alt = "Directions all over the sphere; then three classes on three axes; then one on a circle, one on an axis, one gone."
with figure(alt, size=(6.6, 2.4), ncols=3, subplot_kw={"projection": "3d"}) as axes:
    for ax, Z, title in zip(axes, [starts[1], ends[1], ends[0]], ["start", "after 1,000 steps", "from another start"]):
        for k in range(3):
            z = Z[:, labels == k]
            z = z[:, np.linalg.norm(z, axis=0) > 1e-3]
            ax.plot(*(z / np.linalg.norm(z, axis=0)), plot.MARKERS[k], color=plot.COLORS[k], markersize=3, linestyle="None")
        ax.set(title=title, xticks=[], yticks=[], zticks=[], box_aspect=(1, 1, 1))
for seed, Z in ends.items():
    sizes = [np.linalg.svd(Z[:, labels == k], compute_uv=False) for k in range(3)]
    show(ranks=np.array([(s > 1e-2).sum() for s in sizes]), L=trial.objective(Z, labels, eps, lam))

# %% [markdown]
# Both runs end at the same value, and it is the global maximum: all three dimensions are used. But look at the ranks. In the
# second run one class has two dimensions and another has *none*: all its features are 0. With a price on length instead of a
# fixed norm, a global maximum may erase a class (the next section counts how often).
#
# **Play.** The smallest landscape with a fixed norm: two classes of two points each on the unit circle, at the angles $\pm s$ and
# $\theta\pm s$. Right: all $(\theta,s)$, and three climbs along the gradient. Left: the four points before (hollow) and after
# (full) the leftmost climb. Where are the maxima, and why do they come in two kinds? (A point $z$ and $-z$ are the same to a
# rate.) What does a finer resolution change: the place of the optimum, or how wide its top is?

# %%
degrees, climbs_from = np.linspace(0, 180, 91), [(20, 30), (70, 40), (140, 60)]

def draw_points(ax, between, spread, **style):
    turn = np.linspace(0, 2 * np.pi, 100)
    ax.plot(np.cos(turn), np.sin(turn), color="#999999", marker="None", linewidth=0.8)
    for k in (0, 1):
        angles = np.deg2rad([k * between - spread, k * between + spread])
        ax.plot(np.cos(angles), np.sin(angles), plot.MARKERS[k], color=plot.COLORS[k], markersize=8, **style)
    ax.set(aspect="equal", xlim=(-1.1, 1.5))
    ax.set_axis_off()

# %%
def draw_circle(fig, eps):
    left, right = fig.subplots(1, 2, width_ratios=(1, 2))
    heights = trial.on_circle(np.deg2rad(degrees), np.deg2rad(degrees[:46, None]), eps)
    filled = right.contourf(degrees, degrees[:46], heights, levels=12, cmap="cividis")
    fig.colorbar(filled, ax=right, label="nats")
    climbs = [np.rad2deg(trial.uphill(*np.deg2rad(c), eps)) for c in climbs_from]
    for climb in climbs:
        right.plot(*climb, color="white", marker="None", linewidth=1.2, clip_on=False)
        right.plot(*climb[:, :1], "o", color="white", markersize=4)
    right.plot([90, 90], [0, 90], "*", color=plot.COLORS[1], markersize=11, clip_on=False)
    right.set(xlabel=r"$\theta$, degrees", ylabel="s, degrees", xticks=range(0, 181, 45), yticks=(0, 45, 90))
    draw_points(left, *climbs[0][:, 0], fillstyle="none")
    draw_points(left, *climbs[0][:, -1])
    best = 2 * float(spread_value(np.array([2.0]), 2 / (4 * eps**2), 0.5))
    half = degrees[:46][heights[:, 45] < best / 2][0]
    return f"With eps = {eps} the optima (stars) are worth {best:.3g} nats. A spread of {half:.0f} degrees costs over half of it."

explore(draw_circle, {"eps": [0.05, 0.1, 0.2, 0.5, 1.0, 2.0]}, start={"eps": 0.2}, size=(7.2, 2.6))

# %% [markdown]
# <details><summary>What is to be seen</summary>
#
# The two stars are one optimum: with $s=90°$ the two points of a class are opposite each other and span one line, as with $s=0$.
# The optimum is where it was for every $\varepsilon$; there the classes are orthogonal lines. What $\varepsilon$ changes is its
# *width*. At a fine resolution a spread of a few degrees already counts as a second direction and costs half of the gain; at a
# coarse one nearly everything is as good. Dark blue, along $s=45°$, both classes fill the plane evenly, and nothing is gained
# at any $\theta$: a flat bottom, not a saddle.
# </details>

# %% [markdown]
# ### 3.11 Doubt
# Optional: where the claims of this part stop being true. Ascents start from random normal features times a *scale*; the numbers
# are stored, and with `RUN_LONG=1` in the environment the cells measure anew, one to two minutes each. The experiments are in
# `chapters/ch04_lossy_compression/long_landscape.py`; there is no network in them, so they are about the objective alone.
#
# <details><summary>Does gradient ascent find good representations, and from which start?</summary>
#
# [[thm:mcr-benign-opt-landscape]] is often read as "ascent finds the optimum". It says that ascent finds *a* local maximum,
# and by [[thm:mcr-global-opt]] the local maxima include all ranks, down to $Z=0$, whose Hessian is exactly $-\lambda I$.
# Twelve dimensions, three classes of 20, $\lambda=0.3\,\lambda_{\max}$, ten seeds for each scale:
#
# - From a scale of 0.001 all runs end in $Z=0$. At 0.05 they keep half of the directions; at 0.1 most runs are global, from
#   0.2 on all are. The pass that a direction has to cross is the smaller root; what starts below it dies.
# - So the theorem is right and the conclusion needs a condition on the start. Networks with normalised outputs start far above.
# </details>

# %%
from chapters.ch04_lossy_compression import long_landscape

table = measured(long_landscape.ascent_from_scales)
for scale, ranks, shares in zip(table["scales"], table["ranks"], table["shares"]):
    used = ranks.sum(axis=1)
    print(f"scale {scale:5}: directions used {used.mean():4.1f} +- {used.std():.1f} of 12, L {shares.mean():.2f} +- "
          f"{shares.std():.2f} of the largest, global in {np.sum(shares > 0.999)} of 10 runs; first runs {ranks[:2].tolist()}")

# %% [markdown]
# <details><summary>Is a global maximum a good representation?</summary>
#
# Not by itself. Where classes are of one size, each direction has one value, whoever uses it: ranks $(3,0,0)$ are as global as
# $(1,1,1)$, and a class of rank 0 is *erased*: all its samples are mapped to 0. Sixty seeds each, from a scale of 0.5:
#
# - in 3 dimensions, one for each class, about half of the runs erase a class, and every one of them is a global maximum;
# - in 6 it is rare, in 12 it was not seen: random starts share out evenly enough. But nothing in the objective forbids it.
# - The norm constraint of [[eqn1:maximal-rate-reduction]] does forbid it. That is a reason to normalise, not a detail.
# </details>

# %%
table = measured(long_landscape.erased_classes)
for d, smallest, shares in zip(table["dimensions"], table["smallest"], table["shares"]):
    print(f"d = {d:2}: a class erased in {np.sum(smallest == 0)} of 60 runs; smallest rank {smallest.mean():.2f} on average; "
          f"global in {np.sum(shares > 0.999)} of 60")

# %% [markdown]
# <details><summary>Does the rank come from eps or from the data?</summary>
#
# From whichever is the lowest of three. Two classes of 60 samples of length 1 in 24 dimensions, three seeds. Rank is counted as
# $(\sum x)^2/\sum x^2$ of the squared singular values $x$: $r$ equal ones give $r$.
#
# - *Free features.* At fine resolution they fill their half of the room, 12. Then $\varepsilon$ takes over. The lines are the two
#   numbers of 3.7: $N_k/x_t$, the best rank, and $N_k/x_{\text{inf}}$, beyond which a flat spectrum is no maximum. Ascent from
#   a start that fills all directions stops *between* them: it removes directions only until what is left is a local maximum.
#   At $\varepsilon=1.4$ it keeps six where four would be best.
# - *Features $Wx$ of data of rank 3 in each class.* Three, whatever $\varepsilon$, until $\varepsilon$ is so coarse that fewer
#   pay. So the 10 to 12 principal directions that the book reports for each class of images may speak of the data, of $d/K$,
#   or of $\varepsilon$: the spectrum alone does not tell.
# </details>

# %%
table = measured(long_landscape.rank_from_eps)
alt = "Rank against eps: free features stay at 12, then fall between two curves; those of rank-3 data stay at 3 until the end."
with figure(alt, size=(5.2, 2.6)) as ax:
    for name, color, marker in (("free", plot.COLORS[0], "o"), ("limited", plot.COLORS[1], "s")):
        runs = table[name].reshape(7, -1)
        label = "free features" if name == "free" else "W x, data of rank 3"
        ax.errorbar(table["eps"], runs.mean(axis=1), runs.std(axis=1), color=color, marker=marker, label=label)
    for column, style, label in (0, ":", r"$N_k/x_t$: best"), (1, "--", r"$N_k/x_{inf}$: largest"):
        ax.plot(table["eps"], table["bounds"][:, column], style, color="black", marker="None", label=label)
    ax.set(xlabel=r"$\varepsilon$", ylabel="rank of a class", ylim=(0, 14))
    ax.legend()

# %% [markdown]
# <details><summary>Which normalisation does the theory need?</summary>
#
# Without any, the rate reduction has no maximum: it grows with the scale of $Z$ for ever. The theory fixes $\|Z_k\|_F^2=N_k$ for
# every class; features of length 1 (the *sphere*) do that. After [[eqn:maximal-rate-reduction]] the book says that batch
# normalisation does it naturally. It does not: it fixes each *channel*, so only the total $\|Z\|_F^2$. Free features in 12
# dimensions, classes of 10, 20 and 30, five seeds, the same total:
#
# - On the sphere every class has mean squared length 1 and every sample too.
# - Under batch normalisation small classes take more than their share (five to ten times the mean squared length of the largest),
#   and some samples nearly vanish. Rate reduction is higher for it, since that is a weaker constraint: a reason why numbers with
#   different normalisations should not be compared.
# - The ranks differ too, but not by much.
# </details>

# %%
table = measured(long_landscape.normalisations)
for name, runs in table.items():
    rates, lengths, samples = runs["rates"].mean(axis=0), runs["classes"].mean(axis=0), runs["samples"].mean(axis=0)
    spread = runs["rates"].std(axis=0)[2]
    print(f"{name:6}: nats after 1, 2, 4 thousand steps {rates[0]:.2f}, {rates[1]:.2f}, {rates[2]:.2f} (+- {spread:.2f})")
    print(f"        mean squared length of classes of 10, 20, 30: {lengths[0]:.3g}, {lengths[1]:.3g}, {lengths[2]:.3g}; "
          f"of samples {samples[0]:.2g} to {samples[1]:.2g}; ranks {np.round(runs['directions'].mean(axis=0), 1).tolist()}")

# %% [markdown]
# <details><summary>What does it cost, against batch size, dimension and number of classes?</summary>
#
# Processor time of value and gradient in units of that for $d=64$, $N=512$, $K=8$, one of the three varied; in brackets: in units
# of *one layer* of a network on the same batch, $\tanh(WZ)$ with $W$ $(d\times d)$, forward and backward. Measured once, with one
# thread for factorisations (where several share one on a busy machine they wait for each other, and at $d=256$ it can be ten
# times as much); a factor of one and a half means nothing.
#
# - It is the dimension that costs: log-determinants are cubic in the smaller side, and there are $K+1$ of them. From $d=128$ to
#   $256$ it is three times as much; for larger $d$ it comes to eight.
# - More samples cost less than in proportion, and more classes hardly anything: with $K$ classes of $N/K<d$ samples the smaller
#   side is $N/K$. That needs classes that are stored apart; with masked $d\times d$ matrices the cost would be $K$ times one.
# - Against a network: as much as some two to ten layers of width $d$. Hardly a reason against it for a deep
#   network; but batches have to be large enough to hold many samples of each class, which no table of times shows.
# </details>

# %%
table = measured(long_landscape.cost)
for name in ("d", "N", "K"):
    rows = zip(table[f"{name} is"], table[name], table[f"{name} over a layer"])
    print(f"{name}: " + ", ".join(f"{value}: {a:.2g} ({b:.2g})" for value, a, b in rows))
