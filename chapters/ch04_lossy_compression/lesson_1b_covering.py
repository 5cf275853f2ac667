# %% [markdown]
# ### 1.6 A Gaussian: pour in the distortion
# **Claim.** For $x\sim N(0,\Sigma)$, $\lambda_i$ the eigenvalues of $\Sigma$ and $0<\varepsilon^2\le\operatorname{tr}\Sigma$
# ([[ex:gaussian_rate_distortion]]),
#
# $$\mathcal R_\varepsilon(x)=\frac12\sum_{i:\lambda_i>0}\log\frac{\lambda_i}{\min(\kappa,\lambda_i)},\qquad
# \text{with the }\textit{water level }\kappa:\ \sum_i\min(\kappa,\lambda_i)=\varepsilon^2 ,$$
#
# and 0 for larger $\varepsilon$. Directions of variance above $\kappa$ are coded with the error $\kappa$, all the same; those
# below are not coded at all, and their error is all they have.
#
# **Derive.** (1) Let $e=x-\hat x$ and $D_i=E[e_i^2]$ in the eigenbasis of $\Sigma$. Why is
# $I(x;\hat x)\ge\sum_i\frac12\log(\lambda_i/D_i)$? (2) So minimise that sum with $D_i\le\lambda_i$ and $\sum_iD_i=\varepsilon^2$.
# What do the conditions of Karush, Kuhn and Tucker say?
#
# <details><summary>Both steps</summary>
#
# (1) $I(x;\hat x)=h(x)-h(x\mid\hat x)$, and $h(x\mid\hat x)=h(e\mid\hat x)\le h(e)$: knowing $\hat x$ shifts $x$ by a constant,
# and forgetting it cannot lower the entropy. Next, $h(e)\le\sum_ih(e_i)\le\sum_i\frac12\log(2\pi e\,D_i)$, since independent
# entries and then Gaussian ones have the largest entropy. And $h(x)=\sum_i\frac12\log(2\pi e\,\lambda_i)$. (Where $D_i>\lambda_i$
# one may take $\lambda_i$ in place of $D_i$: a rate is never negative.)
#
# (2) With a multiplier $\nu$ for the sum and $\mu_i\ge0$ for $D_i\le\lambda_i$: *stationarity* $-\frac1{2D_i}+\nu+\mu_i=0$, and
# *complementary slackness* $\mu_i(\lambda_i-D_i)=0$. Where $D_i<\lambda_i$ the second says $\mu_i=0$ and the first
# $D_i=\frac1{2\nu}=\kappa$. Where $D_i=\lambda_i$ the first says $\mu_i=\frac1{2\lambda_i}-\nu\ge0$, that is
# $\lambda_i\le\kappa$. So $D_i=\min(\kappa,\lambda_i)$. The problem is convex: what satisfies the conditions is the minimum.
# </details>
#
# #### Exercise (book [[exer:KKT]], in five parts): the water level
# How much is $\sum_i\min(\kappa,\lambda_i)$ when the $m$ smallest eigenvalues lie below $\kappa$? Between which bounds? One line
# per $m$, and the sum is the lowest of them: no search is needed.
#
# *Core, 12 minutes.*

# %%
@exercise("ch04.water_level")
def water_level(eigenvalues: "(D,)", distortion: float) -> "()":
    """The level kappa with sum_i min(kappa, eigenvalues_i) = distortion. eigenvalues: >= 0 in any order, zeros allowed, not all
    zero. distortion > 0; where it is the sum of the eigenvalues or more, return the largest eigenvalue.
    Example: eigenvalues = [3., 1., 0.2], distortion = 0.9  ->  0.35"""
    #: solution
    rising = jnp.sort(eigenvalues)
    below = jnp.cumsum(rising) - rising  # what m directions take if they are full, m = 0, 1, ..., D - 1
    levels = (distortion - below) / jnp.arange(len(rising), 0, -1)
    return jnp.minimum(levels.max(), rising[-1])
    #: end

# %% [markdown]
# <details><summary>Why the largest</summary>
#
# For every set of $m$ directions $\sum_i\min(\kappa,\lambda_i)\le\sum_{i\in\text{set}}\lambda_i+(D-m)\kappa$, with equality for
# those below $\kappa$. So the left side is at least $\varepsilon^2$ exactly if all these lines are, that is if
# $\kappa\ge(\varepsilon^2-\lambda_1-\dots-\lambda_m)/(D-m)$, eigenvalues rising, for all $m$. The level is the largest of them.
# </details>
#
# #### Exercise: the rate
# *More, 6 minutes.*

# %%
@exercise("ch04.rate_distortion_gaussian")
def rate_distortion_gaussian(eigenvalues: "(D,)", distortion: float) -> "()":
    """Rate, in nats, of N(0, Sigma) at the mean squared error `distortion` > 0 (eps squared), Sigma having these eigenvalues:
    >= 0 in any order, zeros allowed, not all zero. It is 0 where distortion is the sum of the eigenvalues or more.
    Example: eigenvalues = [3., 1., 0.2], distortion = 0.9  ->  1.5991"""
    #: solution
    kappa = water_level(eigenvalues, distortion)
    return jnp.sum(jnp.log(jnp.maximum(eigenvalues / kappa, 1))) / 2
    #: end

# %% [markdown]
# **Play.** Bars are eigenvalues; blue is the error spent, orange what the code keeps. Under the level a direction costs nothing.
# Right: the rate, and where on it you stand. Its slope in $\varepsilon^2$ is $-1/(2\kappa)$: what one more unit of error saves.

# %%
variances = np.array([3.0, 2.0, 1.0, 0.6, 0.2, 0.05])
spends = np.linspace(0.05, 6.85, 35)
rates = [rate_distortion_gaussian(variances, float(s)) for s in spends]

def draw_water(fig, distortion):
    left, right = fig.subplots(1, 2)
    for mine in yours(water_level):
        left.axhline(mine(variances, distortion), **plot.DASHED)
    kappa = float(water_level(variances, distortion))
    left.bar(range(6), np.minimum(kappa, variances), color=plot.COLORS[0], label="error")
    left.bar(range(6), np.maximum(variances - kappa, 0), bottom=kappa, color=plot.COLORS[1], label="kept")
    left.axhline(kappa, color="black", linewidth=1, marker="None")
    left.set(xticks=range(6), xlabel="direction", ylabel="variance")
    left.legend()
    right.plot(spends, rates, marker="None")
    for mine in yours(rate_distortion_gaussian):
        right.plot(spends, [mine(variances, float(s)) for s in spends], **plot.DASHED)
    right.plot(distortion, rate_distortion_gaussian(variances, distortion), "o", color="black")
    right.set(xlabel=r"distortion $\varepsilon^2$", ylabel="rate in nats")
    return f"At distortion {distortion} the level is {kappa:.3g}, and {np.sum(variances > kappa)} of 6 directions are coded."

explore(draw_water, {"distortion": [0.2, 1.0, 2.0, 4.0, 6.0]}, start={"distortion": 2.0}, size=(6.4, 2.4))

# %% [markdown]
# <details><summary>If you read the book: where the formula holds</summary>
#
# [[ex:gaussian_rate_distortion]] gives the level for every $\varepsilon$, and the scalar formula from $\varepsilon=0$ on. At
# $\varepsilon=0$ the rate is infinite. And for $\varepsilon^2>\operatorname{tr}\Sigma$ no level exists: however high it is, the
# sum of the minima is at most the trace. There the rate is 0. A direction with $\lambda_i=0$ would read $\log(0/0)$; it counts 0.
# </details>

# %%
reach = [np.minimum(kappa, variances).sum() for kappa in (1.0, 3.0, 1000.0)]
show(sums_of_minima_at_levels_1_3_and_1000=reach, trace=variances.sum())

# %% [markdown]
# #### Exercise (derivation): from the multipliers to the formula
# The multipliers are given: $\nu=1/(2\kappa)$ and $\mu_i=\max(0,\frac1{2\lambda_i}-\nu)$, and stationarity makes $D_i$ of them.
#
# *More, 10 minutes.*

# %%
@derivation("ch04.reverse_water_filling")
def reverse_water_filling(eigenvalues, kappa):
    """From the rate at the errors that stationarity names to the formula with the water level. All eigenvalues > 0.
    Pass through the reciprocal errors, then drop mu, then sum over the directions above the water alone."""
    log, maximum, minimum = jnp.log, jnp.maximum, jnp.minimum
    nu = 1 / (2 * kappa)
    mu = maximum(0, 1 / (2 * eigenvalues) - nu)  # 0 for those above the level
    distortions = 1 / (2 * (nu + mu))  # stationarity: 1 / (2 D_i) = nu + mu_i
    above = eigenvalues > kappa
    yield jnp.sum(log(eigenvalues / distortions)) / 2
    #: solution
    yield jnp.sum(log(2 * (nu + mu) * eigenvalues)) / 2
    yield jnp.sum(log(maximum(2 * nu * eigenvalues, 1))) / 2
    yield jnp.sum(log(eigenvalues / kappa), where=above) / 2
    #: end
    yield jnp.sum(log(eigenvalues / minimum(kappa, eigenvalues))) / 2

# %% [markdown]
# #### Exercise: a certificate
# Somebody hands you errors $D_i$ and says that nothing is better. Three numbers tell. For the first multiplier take the one that
# the largest error names, $\nu=1/(2\max_jD_j)$; then stationarity gives $\mu_i=\frac1{2D_i}-\nu\ge0$. What is left to check is
# that the errors are allowed, and slackness. And the sum $\sum_i\mu_i(\lambda_i-D_i)$ says more than whether it is 0: no
# allowed errors have a rate lower by more than that. (The rate is convex: it lies above its tangents.)
#
# *More, 10 minutes.*

# %%
@exercise("ch04.kkt_residuals")
def kkt_residuals(eigenvalues: "(D,)", distortions: "(D,)", distortion: float) -> "(), (), ()":
    """How far the errors distortions, > 0, are from the conditions for the least rate at the total error `distortion`:
    |their sum - distortion|; the largest excess of an error over its eigenvalue, 0 if there is none; and the sum over i of
    mu_i (eigenvalues_i - distortions_i), with mu_i = 1 / (2 distortions_i) - 1 / (2 max_j distortions_j). eigenvalues > 0.
    Example: eigenvalues = [2., 1.], distortions = [0.5, 0.25], distortion = 1.  ->  (0.25, 0., 0.75)"""
    #: solution
    mu = 1 / (2 * distortions) - 1 / (2 * jnp.max(distortions))
    slack = eigenvalues - distortions
    return jnp.abs(jnp.sum(distortions) - distortion), jnp.maximum(-slack, 0).max(), jnp.sum(mu * slack)
    #: end

# %% [markdown]
# **See.** Three ways to spend 2 on the variances above: the same share $\varepsilon^2/D$ everywhere (more than the small ones
# have), in proportion to the variance, and by the level. The second is allowed, and its third number is the room above the rate.

# %%
kappa = water_level(variances, 2.0)
best = np.minimum(kappa, variances)
ways = {"equal": np.full(6, 2 / 6), "in proportion": 2 * variances / variances.sum(), "by the level": best}
for name, errors in ways.items():
    rest, excess, room = (float(r) for r in kkt_residuals(variances, errors, 2.0))
    rate = np.log(variances / errors).sum() / 2
    print(f"{name:14} off the sum {abs(rest):.3f}, over {abs(excess):.3f}, room {abs(room):.3f}, sum of logs {rate:.3f} nats")

# %% [markdown]
# #### Exercise: a channel that attains it
# So far a lower bound. It is attained if somewhere there is a pair $(x,\hat x)$ with these errors. In each direction take
# $\hat x_i\sim N(0,\lambda_i-D_i)$ and independent of it $e_i\sim N(0,D_i)$, and let $x_i=\hat x_i+e_i$. That makes $x$ from
# $\hat x$; a code needs $\hat x$ from $x$.
#
# <details><summary>Turn it round</summary>
#
# $x_i$ and $\hat x_i$ are jointly Gaussian, so $\hat x_i=a_ix_i+\text{noise}$ with
# $a_i=E[x_i\hat x_i]/\lambda_i=(\lambda_i-D_i)/\lambda_i$, and the variance of the noise is
# $(\lambda_i-D_i)-a_i^2\lambda_i=a_iD_i$. In one dimension: $a=1-\varepsilon^2/\sigma^2$, noise $a\varepsilon^2$.
# </details>
#
# *More, 12 minutes.*

# %%
@exercise("ch04.test_channel")
def test_channel(Sigma: "(D, D)", distortion: float) -> "(D, D), (D, D)":
    """The pair (A, covariance of the noise) such that xhat = A x + noise, with noise independent of x ~ N(0, Sigma), has
    E||x - xhat||^2 = distortion and the least rate. Sigma positive definite, 0 < distortion < its trace.
    Example: Sigma = [[4.]], distortion = 1.  ->  ([[0.75]], [[0.75]])"""
    #: solution
    eigenvalues, U = np.linalg.eigh(np.asarray(Sigma))
    spent = np.minimum(float(water_level(eigenvalues, distortion)), eigenvalues)
    kept = 1 - spent / eigenvalues
    return (U * kept) @ U.T, (U * kept * spent) @ U.T
    #: end

# %% [markdown]
# **See.** 300 samples of a flat Gaussian, before and after the channel. A code *shrinks*: $E\|\hat x\|^2$ is
# $\varepsilon^2$ less than $E\|x\|^2$. And what varies less than the level is flattened out.

# %%
rng = np.random.default_rng(0)
Sigma = np.array([[2.0, 0.9], [0.9, 0.6]])
before = np.linalg.cholesky(Sigma) @ rng.normal(size=(2, 300))
A, noise = (np.asarray(a, dtype=float) for a in test_channel(Sigma, 0.5))
values, vectors = np.linalg.eigh(noise)
after = A @ before + vectors @ (np.sqrt(np.maximum(values, 0))[:, None] * rng.normal(size=(2, 300)))
with figure("Samples fill a flat ellipse; after the channel they lie on its axis and reach less far.", size=(3.6, 2.1)) as ax:
    ax.plot(*before, ".", markersize=2, color="#999999", label="x")
    ax.plot(*after, ".", markersize=2, color=plot.COLORS[1], label=r"$\hat x$")
    ax.set(aspect="equal", xlim=(-5, 5), ylim=(-2.7, 2.7))
    ax.legend(markerscale=5)
show(mean_squared_error_of_300=np.mean(np.sum((before - after) ** 2, axis=0)), asked_for=0.5)

# %% [markdown]
# ### 1.7 So many words: how near?
# **Claim.** Turn the question round. With $M$ words, $\log M$ nats, how near is the nearest word to every point of a set? As near
# as $M$ balls of equal radius must be large to cover the set ([[example:sphere-covering-rate-distortion]]). For the unit square,
#
# $$\sqrt{\frac{2}{3\sqrt3\,M}}\ \le\ r_M\ \le\ \frac{\sqrt2}{2\sqrt M}\quad(M\text{ a square number}).$$
#
# Right: a lattice of squares. Left: no covering of the plane by discs is thinner than that by hexagons (Kershner).
#
# **See.** The best of six descents for 4, 16 and 64 discs. The radius is the *exact* one of these centres: the distance to the
# nearest centre is largest in a corner, on an edge where two are equally near, or inside where three are, and these are
# finitely many points (`covering.covering_radius`). For 4 discs squares are best, and the descents end close beside them (they
# follow a smooth stand-in for the largest distance). For 16 they beat the squares; for 64 they do not. Each radius
# is an upper bound for $r_M$, no more. (Stored; about a minute with `RUN_LONG=1`.)

# %%
from book_utils import covering
from chapters.ch04_lossy_compression import experiments_covering, long_covering

found = measured(long_covering.discs)
alt = "Overlapping discs cover a square: 4, 16 and 64 of them, ever smaller, in patterns that are not quite regular."
with figure(alt, size=(4.8, 1.8), ncols=3) as axes:
    for ax, (M, centres) in zip(axes, found["best"].items()):
        radius = covering.covering_radius(centres)
        experiments_covering.draw_discs(ax, centres, radius)
        ax.set_title(f"M = {M}: r = {radius:.4f}", fontsize="small")
for M, radii in zip(found["numbers"].astype(int), np.array(found["radii"])):
    print(f"M = {M:2}: hexagons {np.sqrt(2 / (3 * np.sqrt(3) * M)):.4f} <= r; best {radii[0]:.4f}, "
          f"6 starts {radii.mean():.4f} +- {radii.std():.4f}; squares {np.sqrt(0.5 / M):.4f}")

# %% [markdown]
# <details><summary>If you read the book: the radii printed by its script</summary>
#
# `unit_square_covering.py` minimises $r^2$ plus a penalty for what is not covered, and prints $1.07\,r$. The variable $r$ is no
# covering radius: discs of that size leave points bare. And times 1.07 is a guess: for 16 discs it comes out larger than the
# radius of the plain square lattice, whether the centres themselves are better than it or not. The next cell repeats the script
# on two coarser lattices of points (its own has 500 a side, and takes a quarter of an hour). Besides: its function
# `covering_radius` returns a squared radius (and is never called), and for odd $n$ the number of discs is a square below $2^n$.
# </details>

# %%
script = measured(long_covering.penalised_radius)
for side, r, exact in zip(script["sides"], script["r"], script["exact"]):
    print(f"{side:3} a side: r = {r:.4f}, printed 1.07 r = {1.07 * r:.4f}; its centres {exact:.4f}; squares {np.sqrt(2) / 8:.4f}")
show(discs_for_odd_n=[int(np.sqrt(2**n)) ** 2 for n in (3, 5, 7)], announced=[2**n for n in (3, 5, 7)])

# %% [markdown]
# #### Exercise: words chosen among the samples
# For samples in any dimension the best words are out of reach. A simple rule is never far off: take the sample that is
# farthest from all words so far, until none is farther than $\varepsilon$.
#
# *Core, 12 minutes.*

# %%
@exercise("ch04.greedy_net")
def greedy_net(X: "(D, N)", eps: float) -> "(m,)":
    """Numbers (integers) of the columns of X that are chosen, in the order of choice. Begin with column 0. As long as some column
    is farther than eps > 0 from all those chosen, choose the one whose distance to its nearest chosen column is largest (the
    first of several). A column at distance eps exactly counts as near enough. Euclidean distances.
    Example: X = [[0., 1., 2., 10.]], eps = 1.5  ->  [0, 3, 2]"""
    #: solution
    X = np.asarray(X)
    chosen, nearest = [0], np.linalg.norm(X - X[:, :1], axis=0)
    while nearest.max() > eps:
        chosen.append(int(nearest.argmax()))
        away = np.linalg.norm(X - X[:, chosen[-1:]], axis=0)
        nearest = np.minimum(nearest, away)
    return np.array(chosen)
    #: end

# %% [markdown]
# <details><summary>Never far off: by how much?</summary>
#
# Chosen samples are more than $\varepsilon$ apart. A ball of radius $\varepsilon/2$ holds at most one of them, so any covering
# by such balls has at least as many as you have chosen. And yours is a covering with radius $\varepsilon$:
# $\mathcal N_\varepsilon\le m\le\mathcal N_{\varepsilon/2}$.
# </details>
#
# **Play.** Two rings, 400 samples. The number of words grows as $1/\varepsilon$ while $\varepsilon$ is larger than the noise
# across the rings, and faster where it is smaller. At which $\varepsilon$ is the set no longer one-dimensional?

# %%
rng = np.random.default_rng(2)
angles, which = rng.uniform(0, 2 * np.pi, 400), np.repeat([-1.2, 1.2], 200)
rings = np.stack([np.cos(angles) + which, np.sin(angles)]) + 0.03 * rng.normal(size=(2, 400))

def draw_net(fig, eps):
    ax = fig.subplots()
    ax.plot(*rings, ".", markersize=2, color="#999999")
    words = np.asarray(greedy_net(rings, eps))
    experiments_covering.draw_discs(ax, rings[:, words], eps)
    for mine in yours(greedy_net):
        ax.plot(*rings[:, np.asarray(mine(rings, eps), dtype=int)], "x", color="#444444", label="yours (fails)")
    ax.set(xlim=(-3, 3), ylim=(-1.6, 1.6), aspect="equal")
    return f"With eps = {eps} there are {len(words)} words, {np.log(len(words)):.2f} nats a sample, for 400 samples on two rings."

explore(draw_net, {"eps": [0.05, 0.1, 0.2, 0.4, 0.8, 1.6]}, start={"eps": 0.4}, size=(3.6, 2.1))

# %% [markdown]
# ### 1.8 Counting balls bounds the rate
# **Claim.** Let $\mathcal N_\varepsilon(S)$ be the least number of balls of radius $\varepsilon$, centred in the compact set $S$,
# that cover it. For every law on $S$ ([[thm:covering-number-rate-distortion]])
#
# $$\mathcal R_\varepsilon(x)\le\log\mathcal N_\varepsilon(S),$$
#
# and for the *uniform* law on a sphere, or on a union of orthogonal unit spheres of *equal* dimension, equally likely, the two
# differ by at most a multiple of $D$, however small $\varepsilon<1$ is.
#
# **Derive.** The upper bound: send the number of a ball that holds $x$. For the lower one sections 1.9 and 1.11 have the tools.
#
# <details><summary>In full</summary>
#
# $\hat x$, the centre of a ball that holds $x$, has $\|x-\hat x\|\le\varepsilon$ always, and
# $I(x;\hat x)\le H(\hat x)\le\log\mathcal N_\varepsilon$. (Where several balls hold $x$ any rule will do.)
# </details>
#
# #### Exercise: balls on a circle
# The unit circle in the plane, balls centred on it. Which arc does one ball cover? Careful: $\varepsilon$ is a chord.
#
# *More, 6 minutes.*

# %%
@exercise("ch04.circle_covering_number")
def circle_covering_number(eps: float) -> "()":
    """Least number (an integer) of discs of radius eps > 0, centred on the unit circle, that cover the circle. eps may exceed 2.
    Values at which the arcs fit without any overlap, such as eps = 1, are not asked for.
    Example: eps = 0.5  ->  7"""
    #: solution
    half = 2 * np.arcsin(min(eps / 2, 1))  # angle between the centre of a disc and the end of its arc
    return int(np.ceil(np.pi / half))
    #: end

# %% [markdown]
# #### Exercise: a union of spheres
# Points of two orthogonal unit spheres are $\sqrt2$ apart, so for $\varepsilon<1$ a ball centred on one covers nothing of the
# other: covering numbers *add up*. A code may do better than number all the balls alike: first say which sphere, with a short
# word for a likely one, then which ball of that sphere. How many nats does that take on average? That is an upper bound on the
# rate.
#
# *Challenge, 15 minutes.*

# %%
@exercise("ch04.rate_of_union")
def rate_of_union(pi: "(K,)", log_numbers: "(K,)") -> "(), ()":
    """Two numbers in nats, for a law that is on part k with probability pi[k] (0 is possible), where part k is covered by
    exp(log_numbers[k]) balls and no ball covers points of two parts. First the logarithm of the number of balls in all. Second
    what it takes on average to say the part, as economically as pi allows, and then the ball of that part, by its number.
    log_numbers may be 1000: nothing may overflow.
    Example: pi = [0.5, 0.5], log_numbers = [0., 2.]  ->  (2.1269, 1.6931)"""
    #: solution
    top = jnp.max(log_numbers)
    cover = top + jnp.log(jnp.sum(jnp.exp(log_numbers - top)))
    which = -jnp.sum(pi * jnp.log(jnp.where(pi > 0, pi, 1)))
    return cover, which + jnp.sum(pi * log_numbers)
    #: end

# %% [markdown]
# <details><summary>The second is never larger, and equal when?</summary>
#
# Let $q_k=N_k/\sum_jN_j$. Then $\log\sum_jN_j-\sum_k\pi_k\log N_k-H(\pi)=\sum_k\pi_k\log(\pi_k/q_k)$, the Kullback-Leibler
# divergence of $\pi$ from $q$. It is 0 exactly if each sphere is as likely as its share of all balls.
# </details>
#
# <details><summary>If you read the book: spheres of different dimensions</summary>
#
# [[thm:covering-number-rate-distortion]] states the lower bound for a union of orthogonal spheres, and
# [[assumption:union-of-spheres]] allows any dimensions and weights. With dimensions that differ it fails. Take a circle and a
# 2-sphere, each with probability 1/2. Nearly all balls are on the 2-sphere, but only half of the time are they needed:
# $\log\mathcal N_\varepsilon\approx2\log\frac1\varepsilon$, while the rate is at most about $1.5\log\frac1\varepsilon$. The
# difference grows without bound. (In the proof $x_\delta$ is taken to be uniform on the thickened union. By its definition it
# is a mixture of uniform laws, uniform as a whole only if the weights are in proportion to the volumes.) What does hold: the
# bound as stated where all dimensions are equal, with a loss of $\log K-H(\pi)$ more for unequal weights; and for any
# dimensions $\mathcal R_\varepsilon\ge H(\pi)+\sum_k\pi_k\log\mathcal N_\varepsilon(S_k)-O(D)$.
#
# In the cell: a cap of the 2-sphere that a ball covers has the area $\pi\varepsilon^2$ out of $4\pi$, so at least
# $4/\varepsilon^2$ balls are needed; and a packing shows that $16/\varepsilon^2$ are enough.
# </details>

# %%
levels = [10.0**-k for k in (1, 2, 3, 4, 6, 8)]
circles = np.log([float(circle_covering_number(eps)) if eps > 0.005 else np.pi / eps for eps in levels])  # almost the same
few, many = np.log(4) - 2 * np.log(levels), np.log(16) - 2 * np.log(levels)
half = np.array([0.5, 0.5])
balls = [float(rate_of_union(half, np.array(logs))[0]) for logs in zip(circles, few)]
coded = [float(rate_of_union(half, np.array(logs))[1]) for logs in zip(circles, many)]
alt = "Against log 1/eps the log number of balls rises with slope 2, a code's nats with slope 1.5: they part."
with figure(alt, size=(4.6, 2.3)) as ax:
    ax.plot(-np.log(levels), balls, label=r"$\log\mathcal{N}_\varepsilon$, at least")
    ax.plot(-np.log(levels), coded, label="rate, at most")
    for mine in yours(rate_of_union):
        ax.plot(-np.log(levels), [mine(half, np.array(logs))[1] for logs in zip(circles, many)], **plot.DASHED)
    ax.set(xlabel=r"$\log 1/\varepsilon$", ylabel="nats")
    ax.legend()
show(eps=levels, difference_in_bits_at_least=(np.array(balls) - np.array(coded)) / np.log(2))

# %% [markdown]
# ### 1.9 Shannon's lower bound
# **Claim.** If $x$ has a density in $\mathbb R^D$, with entropy $h(x)$ ([[eq:slb]], [[eq:slb-appendix-1]]),
#
# $$\mathcal R_\varepsilon(x)\ \ge\ h(x)-\frac D2\log\frac{2\pi e\,\varepsilon^2}{D},$$
#
# and the difference tends to 0 with $\varepsilon$. What is subtracted is nearly the logarithm of the volume of a ball of radius
# $\varepsilon$: for a uniform law on $K$ the bound is *volume of $K$ over volume of a ball*, and a constant.
#
# **Derive.** Half of 1.6 did not use that $x$ is Gaussian. Which half? Which $D_i$ with the sum $\varepsilon^2$ are worst?
#
# <details><summary>Answer</summary>
#
# $I(x;\hat x)\ge h(x)-h(e)$ holds for any $x$ with a density, and $h(e)\le\sum_i\frac12\log(2\pi e\,D_i)$. The logarithm is
# concave: the sum is largest for equal $D_i=\varepsilon^2/D$.
# </details>
#
# #### Exercise: the bound
# *More, 6 minutes.*

# %%
@exercise("ch04.shannon_lower_bound")
def shannon_lower_bound(h: float, eps: float, D: int) -> "()":
    """Lower bound, in nats, on the rate at distortion eps > 0 (E||x - xhat||^2 <= eps^2, all D coordinates together) of any law
    in D dimensions whose differential entropy is h nats. It may be negative, and for h = -inf it is -inf.
    Example: h = 0., eps = 0.1, D = 2  ->  2.4604"""
    #: solution
    return h - D / 2 * jnp.log(2 * jnp.pi * jnp.e * eps**2 / D)
    #: end

# %% [markdown]
# **See.** The unit square, $h=0$, and everything said so far on one pair of axes. Its rate by the algorithm of 1.4 (the
# coordinates are independent: twice that of an interval at $\varepsilon/\sqrt2$) comes down to Shannon's bound as $\varepsilon$
# does. The coverings of 1.7 lie about 1.4 nats above it, and 1.2 would be left for the best ones: a covering keeps *every* error
# below $\varepsilon$, the rate only their mean square, half as large in a disc ($\log2$); errors in a disc are not Gaussian
# ($\log\frac e2$); and discs overlap ($0.2$).

# %%
distances, square_rates = experiments_covering.square_rate([4.0, 10, 25, 60, 150])
grid = np.geomspace(0.06, 0.4, 30)
bound = [float(shannon_lower_bound(0.0, float(eps), 2)) for eps in grid]
radii = np.array(found["radii"])[:, 0]
alt = "Nats against distortion: Shannon's bound lowest, the rate of the square just above it, coverings about 1.4 nats higher."
with figure(alt, size=(4.8, 2.6)) as ax:
    ax.semilogx(grid, bound, color="black", marker="None", label="Shannon's lower bound")
    ax.semilogx(distances, square_rates, "o-", color=plot.COLORS[0], label="rate of the square")
    ax.semilogx(radii, np.log(found["numbers"]), "s", color=plot.COLORS[1], label="discs of 1.7")
    for mine in yours(shannon_lower_bound):
        ax.semilogx(grid, [mine(0.0, float(eps), 2) for eps in grid], **plot.DASHED)
    ax.set(xlabel=r"$\varepsilon$", ylabel="nats", ylim=(-0.5, 5))
    ax.set_xticks([0.1, 0.2, 0.4], ["0.1", "0.2", "0.4"])
    ax.minorticks_off()
    ax.legend()
show(rate_above_the_bound=[rate - float(shannon_lower_bound(0.0, float(eps), 2)) for eps, rate in zip(distances, square_rates)])

# %% [markdown]
# #### Exercise: the constant
# With the volume $\pi^{D/2}\varepsilon^D/\Gamma(\frac D2+1)$ of a ball the bound reads
# $h(x)-\log\operatorname{vol}(B_\varepsilon)+c_D$ ([[eq:slb-appendix-1]]),
#
# $$c_D=\log\Big(\frac2{D\,\Gamma(D/2)}\Big(\frac D{2e}\Big)^{D/2}\Big)\ \ge\ -\frac1{6D}-\frac12\log(\pi D).$$
#
# The inequality ([[eq:slb-constant-est]]) is Stirling's,
# $\Gamma(s)\le\sqrt{2\pi}\,s^{s-1/2}e^{-s}e^{1/(12s)}$, at $s=D/2$. So a ball's volume is the right measure but for
# $\frac12\log D$ nats: next to nothing beside the rate, which grows as $D\log\frac1\varepsilon$.
#
# *More, 8 minutes.*

# %%
@exercise("ch04.slb_constant")
def slb_constant(D: int) -> "(), ()":
    """The constant c_D, and the lower bound on it by Stirling's formula, in nats. D >= 1, as large as 400: nothing may overflow.
    jax.scipy.special.gammaln is the logarithm of the Gamma function.
    Example: D = 1  ->  (-0.7258, -0.7390)"""
    #: solution
    exact = jnp.log(2 / D) - jax.scipy.special.gammaln(D / 2) + D / 2 * jnp.log(D / (2 * jnp.e))
    return exact, -1 / (6 * D) - jnp.log(jnp.pi * D) / 2
    #: end

# %% [markdown]
# <details><summary>If you read the book: which constant is sharp</summary>
#
# [[rem:slb]] says that the bound with $C_D$ is attained in the limit $\varepsilon\to0$; [[eq:slb-constant-est]] is then offered
# as the value of $C_D$. The limit holds with the exact constant only. With Stirling's the bound is still true, and stays a
# little below: by 0.013 nats for $D=1$, and by hardly anything soon after.
# </details>

# %%
for D in (1, 2, 5):
    exact, stirling = (float(c) for c in slb_constant(D))
    print(f"D = {D}: exact {exact:.4f}, by Stirling {stirling:.4f}")

# %% [markdown]
# ### 1.10 Coding up to eps and adding noise of size eps
# **Claim.** What Shannon's bound subtracts is an entropy: that of Gaussian noise $e\sim N(0,\frac{\varepsilon^2}DI)$, which has
# $E\|e\|^2=\varepsilon^2$. So the bound is a *difference* ([[rem:slb]]),
#
# $$\mathcal R_\varepsilon(x)\ge h(x)-h(e),\qquad h(e)=\log\operatorname{vol}(B_\varepsilon)-c_D .$$
#
# Coding up to $\varepsilon$ and looking at $x$ through noise of size $\varepsilon$ lose the same detail.
#
# #### Exercise: the entropy of the noise
# *More, 6 minutes.*

# %%
@exercise("ch04.noise_entropy")
def noise_entropy(eps: float, D: int) -> "()":
    """Differential entropy, in nats, of Gaussian noise in D dimensions with independent entries, equal variances, and
    E||e||^2 = eps^2 in all, eps > 0.
    Example: eps = 0.5, D = 3  ->  0.5294"""
    #: solution
    return D / 2 * (jnp.log(2 * jnp.pi * eps**2 / D) + 1)
    #: end

# %% [markdown]
# <details><summary>If you read the book: a sign, and a variance</summary>
#
# [[rem:slb]] says that $h(\varepsilon g)$ equals $-\log\operatorname{vol}(B_\varepsilon)$ up to a constant, and adds it to
# $h(x)$. It is $+\log\operatorname{vol}(B_\varepsilon)$: less noise has *less* entropy, with slope $+D$ in $\log\varepsilon$.
# So the bound is $h(x)$ *minus* the entropy of the noise, as above. And for the constants to agree the noise must have the
# covariance $\frac{\varepsilon^2}DI$, as in the rest of the chapter, not $\varepsilon^2I$.
# </details>

# %%
entropies = np.array([float(noise_entropy(eps, 3)) for eps in (0.1, 0.01, 0.001)])
volumes = np.array([float(covering.log_ball_volume(eps, 3)) for eps in (0.1, 0.01, 0.001)])
show(entropy_of_the_noise=entropies, log_volume_of_the_ball=volumes, difference=entropies - volumes)

# %% [markdown]
# **Play.** The picture behind [[fig:continuation]]: a circle, words on it $\varepsilon$ apart, and around each word a Gaussian of
# covariance $\frac{\varepsilon^2}2I$. This mixture has a best denoiser (Chapter 3), and the arrows show it. For small
# $\varepsilon$ they end on the circle: from the words and $\varepsilon$ alone one has the projection onto the set that was coded.
# For large $\varepsilon$ they end inside.

# %%
starts = np.stack(np.meshgrid(np.linspace(-1.5, 1.5, 6), np.linspace(-1.5, 1.5, 6))).reshape(2, -1)
ring = np.stack([np.cos(np.linspace(0, 2 * np.pi, 100)), np.sin(np.linspace(0, 2 * np.pi, 100))])

def draw_denoiser(fig, eps):
    ax = fig.subplots()
    words = int(np.ceil(2 * np.pi / eps))
    ends = experiments_covering.circle_denoiser(starts, words, eps)
    experiments_covering.draw_discs(ax, np.stack([np.cos(a := 2 * np.pi * np.arange(words) / words), np.sin(a)]), eps)
    ax.plot(*ring, color="black", linewidth=1, marker="None")
    ax.quiver(*starts, *(ends - starts), angles="xy", scale_units="xy", scale=1, width=0.005, color=plot.COLORS[1])
    ax.set(xlim=(-2, 2), ylim=(-2, 2), aspect="equal")
    off = np.sqrt(np.mean((np.linalg.norm(ends, axis=0) - 1) ** 2))
    return f"With eps = {eps} and {words} words the arrows end {off:.2f} from the circle, root mean square."

explore(draw_denoiser, {"eps": [0.1, 0.2, 0.4, 0.8, 1.2]}, start={"eps": 0.4}, size=(2.5, 2.5))

# %% [markdown]
# ### 1.11 Thick spheres: how the lower bound is proved
# **Claim.** A law on a sphere has no density, and Shannon's bound says nothing. Thicken it: let $S_\delta$ be the points nearer
# than $\delta$ to $S$, and $x_\delta$ uniform on it. If the nearest point of $S$ to $x_\delta$ is unique and uniform on $S$,
# then a code for $x$ is one for $x_\delta$ ([[lem:rate-distortion-lb-uos]]): first go to the nearest point, then code. So
# $\mathcal R_{\varepsilon+\delta}(x_\delta)\le\mathcal R_\varepsilon(x)$, and Shannon's bound holds for the left side.
#
# **Derive.** For the unit sphere of a subspace with orthonormal basis $U$, split $\xi=\xi^\parallel+\xi^\perp$,
# $\xi^\parallel=UU^\top\xi$. Which point of the sphere is nearest? At what distance ([[eq:distance-to-hypersphere]])?
#
# <details><summary>Answer</summary>
#
# For a unit vector $s$ of the subspace $\|\xi-s\|^2=\|\xi\|^2+1-2\langle\xi^\parallel,s\rangle$: least for
# $s=\xi^\parallel/\|\xi^\parallel\|$. Then it is $\|\xi^\perp\|^2+\|\xi^\parallel\|^2-2\|\xi^\parallel\|+1$.
# </details>
#
# #### Exercise: distance to a sphere
# *More, 6 minutes.*

# %%
@exercise("ch04.sphere_distance")
def sphere_distance(U: "(D, d)", x: "(D,)") -> "()":
    """Distance from x to the nearest point of the unit sphere of the subspace with orthonormal basis U: of the set of all U z
    with ||z|| = 1. It is 1 at x = 0.
    Example: U = [[1.], [0.]], x = [3., 1.5]  ->  2.5"""
    #: solution
    along = U @ (U.T @ x)
    across = x - along
    return jnp.sqrt(across @ across + (jnp.linalg.norm(along) - 1) ** 2)
    #: end

# %% [markdown]
# **Play.** Two orthogonal spheres and one point: let $a$ and $b$ be the lengths of its parts in the two subspaces. Shaded are the
# points nearer than $\delta$ to the one, and to the other. Up to which $\delta$ is the nearer sphere beyond doubt?

# %%
sides = np.linspace(0, 1.8, 46)
first, second = np.eye(2)[:, :1], np.eye(2)[:, 1:]
coarse = sides[::5]
near = lambda f, U: np.array([[f(U, np.array([a, b])) for a in coarse] for b in coarse], dtype=float)
distances_1 = np.hypot(sides[:, None], sides - 1)  # by the formula: b down, a across
mine_too = [near(mine, first) for mine in yours(sphere_distance)]

def draw_spheres(fig, delta):
    ax = fig.subplots()
    for table, color in ((distances_1, plot.COLORS[0]), (distances_1.T, plot.COLORS[1])):
        ax.contourf(sides, sides, table, levels=[-1, delta], colors=[color], alpha=0.4)
    for table in mine_too:
        ax.contour(coarse, coarse, table, levels=[delta], colors="#444444", linestyles="--")
    ax.set(xlabel="a", ylabel="b", aspect="equal")
    middle = float(sphere_distance(first, np.array([0.5, 0.5])))
    return f"With delta = {delta} the two {'meet' if delta > middle else 'stay apart'}: the midpoint is {middle:.4f} from both."

explore(draw_spheres, {"delta": [0.2, 0.45, 0.6, 0.7, 0.8]}, start={"delta": 0.45}, size=(2.5, 2.5))

# %% [markdown]
# <details><summary>The book's bound is 1/2. Which is the true one?</summary>
#
# If $x$ is nearer than $\delta$ to the first sphere, its part across, and with it $b$, is below $\delta$, so that it is at least
# $1-\delta$ from the second. Hence $\delta<1/2$ is enough. In the figure the regions are discs around $(1,0)$ and $(0,1)$. Their
# centres are $\sqrt2$ apart, so they are disjoint exactly for $\delta<1/\sqrt2$, and at $(\frac12,\frac12)$ they touch.
# </details>
#
# #### Exercise: the volume of a thick sphere
# In polar coordinates of the subspace, $\xi^\parallel=ts$ with $\|s\|=1$, volume is $t^{d-1}\,dt\,ds\,d\xi^\perp$. For given
# $t$ and $s$ the part across fills a ball of radius $\sqrt{\delta^2-(t-1)^2}$ in $D-d$ dimensions, whatever $s$ is. So the
# nearest point $s$ is *uniform*, and $t$ has a density in proportion to $t^{d-1}(\delta^2-(t-1)^2)^{(D-d)/2}$. Its integral,
# times the area of the sphere and the volume of a ball of radius 1, is the volume of the whole.
#
# *Challenge, 15 minutes.*

# %%
@exercise("ch04.tube_volume")
def tube_volume(delta: float, D: int, d: int) -> "()":
    """Volume, in D dimensions, of all points at most delta from the unit sphere of a d-dimensional subspace; 0 < delta < 1,
    1 <= d <= D; to within 1e-3 of itself. The sphere has the area 2 pi^(d/2) / Gamma(d/2); a ball of radius 1 in m >= 0
    dimensions has the volume pi^(m/2) / Gamma(m/2 + 1). jax.scipy.special.gammaln is the logarithm of Gamma; 4,000 values
    of t will do for the integral.
    Example: delta = 0.1, D = 2, d = 2  ->  1.2566"""
    #: solution
    gamma = lambda s: np.exp(float(jax.scipy.special.gammaln(s)))
    t = 1 - delta + delta * (np.arange(4000) + 0.5) / 2000
    integral = np.sum(t ** (d - 1) * (delta**2 - (t - 1) ** 2) ** ((D - d) / 2)) * delta / 2000
    return 2 * np.pi ** (d / 2) / gamma(d / 2) * np.pi ** ((D - d) / 2) / gamma((D - d) / 2 + 1) * integral
    #: end

# %% [markdown]
# **See.** A thick circle in space, $\delta=0.4$: of a hundred thousand points drawn in a box, those that are near enough. The
# density of $t$ is not symmetric: outside there is more room. Yet the nearest points are uniform on the circle (mean 0,
# covariance $I/2$, within sampling error), and the share that was kept gives the volume.

# %%
points, share = experiments_covering.tube_samples(3, 2, 0.4, 100_000)
lengths = np.linalg.norm(points[:2], axis=0)
nearest = points[:2] / lengths
ts = np.linspace(0.6, 1.4, 81)
density = ts * np.sqrt(np.maximum(0.16 - (ts - 1) ** 2, 0))
density /= density.sum() * 0.01
with figure("The histogram of t follows the density, which is a little higher right of 1 than left.", size=(4.4, 2.1)) as ax:
    ax.hist(lengths, bins=40, density=True, color="#cccccc")
    ax.plot(ts, density, marker="None", label=r"$t\,(\delta^2-(t-1)^2)^{1/2}$, scaled")
    ax.set(xlabel="t", yticks=[])
    ax.legend(loc="lower center")
show(volume=tube_volume(0.4, 3, 2), by_counting=share * 2.8**2 * 0.8)
show(mean_of_the_nearest_points_within_0_01_of_0=bool(np.abs(nearest.mean(axis=1)).max() < 0.01))
show(mean_squares_of_their_entries=np.mean(nearest**2, axis=1))

# %% [markdown]
# <details><summary>The rest of the proof: from volume to balls</summary>
#
# Choose points of $S$ more than $2\delta$ apart, as many as there is room for. The balls of radius $\delta$ around them are
# disjoint and lie in $S_\delta$; and since there is no room for another, balls of radius $2\delta$ around them cover $S$. So
# $\operatorname{vol}(S_\delta)\ge\mathcal N_{2\delta}(S)\operatorname{vol}(B_\delta)$. With $\delta=\varepsilon/2$ and Shannon's
# bound at $\varepsilon+\delta=3\delta$ for the uniform law on $S_\delta$,
#
# $$\mathcal R_\varepsilon(x)\ \ge\ \log\frac{\operatorname{vol}(S_\delta)}{\operatorname{vol}(B_{3\delta})}+c_D
# \ \ge\ \log\mathcal N_\varepsilon(S)-D\log3+c_D .$$
# </details>
#
# **See.** For the circle all of it is known: the true rate (by symmetry the best words lie on a smaller circle), the number of
# balls, and the bound just proved, in the plane and with the same circle in six dimensions. All have slope 1, the dimension of
# the circle. The bound loses $D\log3$ nats: true, and of use only where $\varepsilon$ is small.

# %%
eps_of, circle_rates = experiments_covering.circle_rate(np.geomspace(0.5, 3000, 25))
grid = np.geomspace(0.02, 0.9, 30)
bound_in = lambda D: [float(np.log(tube_volume(float(eps) / 2, D, 2)) - covering.log_ball_volume(1.5 * float(eps), D)
                            + slb_constant(D)[0]) for eps in grid]
alt = "Nats against eps, equal slopes: balls highest, the rate 0.8 lower, the bound for D = 2 lower by 1.5, far below D = 6."
with figure(alt, size=(5.6, 2.3)) as ax:
    ax.semilogx(grid, [np.log(float(circle_covering_number(float(eps)))) for eps in grid], ".", color=plot.COLORS[1],
                label=r"$\log\mathcal{N}_\varepsilon$")
    ax.semilogx(eps_of, circle_rates, color=plot.COLORS[0], marker="None", label="rate of the circle")
    for D, line in ((2, "--"), (6, ":")):
        ax.semilogx(grid, bound_in(D), line, color="black", marker="None", label=f"lower bound, D = {D}")
    ax.set(xlabel=r"$\varepsilon$", ylabel="nats", xlim=(0.02, 1), ylim=(-5, 6))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %% [markdown]
# <details><summary>If you read the book: spheres for Gaussians?</summary>
#
# A footnote to [[thm:covering-number-rate-distortion]], and Appendix B.3, call the uniform law on spheres equivalent to
# Gaussians on subspaces when the dimension $d$ is large. For a fixed $\varepsilon$ that is fair: the length of a Gaussian
# vector hardly varies. For $\varepsilon\to0$, of which the theorem speaks, it is not: then the length, too, must be coded, and
# the rate grows as $d\log\frac1\varepsilon$ in place of $(d-1)\log\frac1\varepsilon$. Below, $d=2$ and equal mean squares: each
# tenfold smaller $\varepsilon$ costs the circle $2.3$ nats and the Gaussian $4.6$.
# </details>

# %%
at = np.array([0.5, 0.05, 0.005])
circle = np.interp(-np.log(at), -np.log((table := experiments_covering.circle_rate(np.geomspace(0.5, 1e5, 200)))[0]), table[1])
gauss = [float(rate_distortion_gaussian(np.array([0.5, 0.5]), float(eps**2))) for eps in at]
show(eps=at, rate_of_the_circle=circle, rate_of_the_Gaussian=gauss)

# %% [markdown]
# ### 1.12 Doubt
# Optional: where the claims of this part stop being of use. Plain NumPy, to read and to change, in
# `chapters/ch04_lossy_compression/experiments_covering.py`.
#
# <details><summary>Rate, covering, Shannon's bound: one picture. At which eps?</summary>
#
# They have the same *slope*. Their distance is a constant, and at any $\varepsilon$ that one would use the constant matters. For
# the circle of 1.11 balls cost about 0.8 nats more than the rate. The lower bound that was proved lies 1.5 nats below it in the
# plane and 6 nats in six dimensions, where it is still negative at $\varepsilon=0.03$. So the sandwich counts dimensions, as
# promised. It does not replace the rate.
# </details>

# %%
at = np.array([0.4, 0.1, 0.03])
rates = np.interp(-np.log(at), -np.log(eps_of), circle_rates)
numbers = np.log([float(circle_covering_number(float(eps))) for eps in at])
for name, line in {"balls": numbers, "rate": rates}.items():
    print(f"{name:21}" + "".join(f"{nats:8.2f}" for nats in line))
for D in (2, 6):
    lows = np.log([float(tube_volume(eps / 2, D, 2)) for eps in at]) - [float(covering.log_ball_volume(1.5 * e, D)) for e in at]
    print(f"lower bound, D = {D}   " + "".join(f"{nats:8.2f}" for nats in lows + float(slb_constant(D)[0])))

# %% [markdown]
# <details><summary>The closed formula of the coming parts: how far from the true rate?</summary>
#
# The coding rate $R_\varepsilon$ of Part 2 knows the covariance alone. On a line,
# $R_\varepsilon=\frac12\log(1+1/\varepsilon^2)$ for each of four laws of variance 1. It is always above the true rate (here by
# Blahut and Arimoto's alternation): by 0.1 to 0.2 nats for one hump, by 0.9 for two. Shannon's bound, which knows the entropy,
# is much nearer for all of them.
#
# In many dimensions it is worse. Eight Gaussians on random planes in 16 dimensions: $R_\varepsilon$ of the whole takes all 16
# dimensions for data that have two at a time (mean and standard deviation over five draws). A code that says the plane first
# needs at most $\log8$ above the least possible. The chapter's answer is to compute $R_\varepsilon$ plane by plane: that is
# Part 2.
# </details>

# %%
print("law                  eps    rate   coding rate   Shannon")
for beta in (2.0, 50.0):
    for name, row in experiments_covering.line_laws(beta).items():
        print(f"{name:18}" + "{:6.2f}{:8.2f}{:14.2f}{:10.2f}".format(*row))
for eps in (0.5, 0.1, 0.01):
    (whole, above, least), spread = (table := experiments_covering.subspace_mixtures(eps)).mean(axis=1), table[0].std()
    print(f"planes, eps {eps:4}: coding rate {whole:.1f} +- {spread:.1f}, plane first {above:.1f}, at least {least:.1f}")

# %% [markdown]
# <details><summary>How wasteful is farthest point first?</summary>
#
# On the circle the least number is known: 16 at $\varepsilon=0.2$, with centres anywhere on it. Random samples of the circle,
# five draws each: farthest point first takes one to four more with few samples, and 16 with many. (The guarantee is only
# $\mathcal N_{\varepsilon/2}$, here 32.) Once samples are dense their number no longer matters: it measures the set, not the
# sample. In many dimensions this fails: there $N$ samples are all far from each other, and nets count samples until $N$ is
# exponential in the dimension.
# </details>

# %%
Ns = [50, 200, 1000]
for N, sizes in zip(Ns, experiments_covering.net_sizes(Ns, 0.2)):
    print(f"circle, N = {N:4}: {sizes.mean():.1f} +- {sizes.std():.1f} words")
for d in (2, 5, 20):
    sizes = []
    for seed in range(3):
        G = np.random.default_rng(seed).normal(size=(d, 400))
        sizes.append(len(np.asarray(greedy_net(G / np.linalg.norm(G, axis=0), 0.5))))
    print(f"sphere in {d:2} dimensions, 400 samples, eps = 0.5: {np.mean(sizes):.1f} +- {np.std(sizes):.1f} words")
