# %% [markdown]
# ## Part 1: Rate: how many bits to a given accuracy
#
# After this part you can
# - say why dimension, volume and entropy do not tell a simple set of points from another one, and which number does;
# - compute how much one symbol says about another, and with it the fewest bits that code a source to a given accuracy;
# - write down that number for a Gaussian, which spends its bits where the variance is above a water level;
# - bound it for any set: from above by covering the set with balls, from below by Shannon's bound.
#
# Core exercises: 46 minutes. *More* and *challenge* exercises are for those who want them.

# %% [markdown]
# ### 1.1 Which of two clouds is simpler?
# **Claim.** Take $N$ samples of a uniform law on a segment in the plane ([[eg:measures-of-complexity]]). None of the usual
# rulers helps to tell what they were taken from:
# - the area of the segment is 0, and so is that of the samples;
# - the segment has dimension 1, the samples have dimension 0: by that ruler the best model of any data is the list of the data;
# - the differential entropy of the segment is $-\infty$; the law that takes each of $N$ different samples equally often has
#   entropy
#
# $$H=\log N ,$$
#
# whether they are spread evenly or lie in two tight clusters ([[eg:density]], [[fig:1d-line]]).
#
# **Derive.** (1) Give the segment of length 1 a thickness $\delta$. What is the differential entropy of the uniform law on the
# rectangle, and where does it go with $\delta\to0$? (2) What does $H$ of $N$ atoms become when they are moved about, and none
# meets another?
#
# <details><summary>Answers</summary>
#
# (1) The density is $1/\delta$, so $h=-\log\frac1\delta=\log\delta\to-\infty$, and it does so for every curve, long or short.
# (2) The atoms keep their probabilities, and $H$ is made of probabilities only: it stays the same. $H$ asks *which* of the
# samples, never *where*. ($h$ and $H$ are not numbers on one scale either: one compares with a cell of side 1, one counts.)
# </details>
#
# #### Exercise: the entropy of samples
# *More, 6 minutes.*

# %%
@exercise("ch04.sample_entropy")
def sample_entropy(X: "(D, N)") -> "()":
    """Entropy in nats of the law that takes each of the N columns of X equally often. Columns that are equal in all their entries
    are one symbol, which comes that much more often.
    Example: X = [[0., 1., 0., 0.], [5., 5., 5., 6.]]  ->  1.040"""
    #: solution
    X = np.asarray(X)
    same = (X[:, :, None] == X[:, None, :]).all(axis=0)  # (N, N): is column i column j?
    share = same.mean(axis=1)
    return -np.mean(np.log(share))
    #: end

# %% [markdown]
# **See.** Eight points, evenly spread and in two clusters. To the last digit both sets have entropy $\log8$, three bits. Now
# round the points to multiples of a step before you count. (The curve goes up again where a cluster lies across a border of the
# rounding; a better code will not mind.) What tells the sets apart is how many bits *a given accuracy* costs: from here on that
# is our ruler.

# %%
from chapters.ch04_lossy_compression.experiments_rate import eight_points

sets, steps = {"even": eight_points(1.0), "clustered": eight_points(0.05)}, np.geomspace(1e-3, 1, 37)
rounded = {name: [np.round(X / step) for step in steps] for name, X in sets.items()}
alt = "Left, eight even points above eight in two clusters. Right, bits after rounding: far fewer for the clustered set."
with figure(alt, size=(8, 2.6), ncols=2, width_ratios=[1, 1.3]) as (left, right):
    for height, (name, X), color in zip((1, 0), sets.items(), plot.COLORS):
        left.plot(X[0], np.full(8, height), "o", color=color, alpha=0.6)
        right.semilogx(steps, [sample_entropy(Y) / np.log(2) for Y in rounded[name]], color=color, label=name)
        for mine in yours(sample_entropy):
            right.plot(steps, [mine(Y) / np.log(2) for Y in rounded[name]], **plot.DASHED)
    left.set(yticks=[0, 1], yticklabels=["clustered", "even"], ylim=(-0.6, 1.6), xlabel="x")
    right.set(xlabel="step of rounding", ylabel="bits")
    right.legend()

# %% [markdown]
# <details><summary>If you read the book: the entropy of N samples</summary>
#
# The remark after [[eq:mutual]] prints $\frac1N\log_2N$ bits for the entropy of $N$ equally likely samples. It is $\log_2N$, as
# the book has it later, where memorising all samples is priced ([[sec:clustering-Gaussians]]). The cell: bits to name one of
# the eight points.
# </details>

# %%
show(bits=float(sample_entropy(sets["even"])) / np.log(2), as_printed=np.log2(8) / 8)

# %% [markdown]
# ### 1.2 A code with an error
# **Claim.** A real number has infinitely many digits; no finite code brings it back ([[eg:two-inrational]]). So a code
# $x\mapsto\hat x$ may make an error, and what we ask is ([[sub:rate-dist]])
#
# $$\mathbb E\,\|x-\hat x\|^2\le\varepsilon^2 .$$
#
# It is enough that *no* error is longer than $\varepsilon$. The plainest code cuts $[0,1]$ into $2^b$ equal cells and sends the
# number of the cell, $b$ bits; $\hat x$ is the middle of the cell. For $x$ uniform on $[0,1]$ it makes the mean squared error
#
# $$\mathbb E\,(x-\hat x)^2=\tfrac1{12}\,4^{-b} ,$$
#
# so each bit more halves the root of it.
#
# **Derive.** What is the law of $x-\hat x$ within a cell? And its variance?
#
# <details><summary>Answer, and what the bits do not pay for</summary>
#
# Uniform on an interval of length $a=2^{-b}$ around 0: $\frac1a\int_{-a/2}^{a/2}u^2\,du=\frac{a^2}{12}$.
#
# The number of the cell is a code only for someone who knows the middles already: the *codebook*. Here it is a formula. For a
# source that takes the values $e$ and $\pi$, one bit says which, but the codebook has to hold two numbers to within
# $\varepsilon$, and each costs about $\log_2(1/\varepsilon)$ bits, once. Rates count what each further sample costs.
# </details>
#
# #### Exercise: the quantiser
# *More, 6 minutes.*

# %%
@exercise("ch04.quantize")
def quantize(x: "(D,)", b: int) -> "(D,)":
    """Each entry of x, in [0, 1], replaced by the middle of its cell, where [0, 1] is cut into 2^b cells of equal length, b >= 0.
    A cell contains its left end and not its right one; the last cell contains 1 as well.
    Example: x = [0., 0.3, 0.5, 1.], b = 1  ->  [0.25, 0.25, 0.75, 0.75]"""
    #: solution
    n = 2**b
    cell = jnp.minimum(jnp.floor(n * x), n - 1)
    return (cell + 0.5) / n
    #: end

# %% [markdown]
# #### Exercise: how many bits for eps?
# The constraint is on the *sum* over the coordinates. If $x$ is uniform on $[0,1]^D$, and each coordinate gets $b$ bits, the
# error is $D$ times as large.
#
# *More, 6 minutes.*

# %%
@exercise("ch04.bits_for")
def bits_for(eps: float, D: int) -> "()":
    """Bits that the quantiser needs for x uniform on the cube [0, 1]^D, all D coordinates together: D times the smallest whole
    b >= 0 for which E ||x - xhat||^2 <= eps^2. Floating point may turn an exact 3 into 3.0000002: take 0.0001 away before
    rounding up. eps > 0.
    Example: eps = 0.1, D = 3  ->  9."""
    #: solution
    b = np.ceil(np.log2(D / (12 * eps**2)) / 2 - 1e-4)
    return D * max(b, 0.0)
    #: end

# %% [markdown]
# **See.** Left, your quantiser with 2 bits. Right, the root of its mean squared error over 4,000 numbers, for $b$ bits, and the
# bits that you say are needed for each $\varepsilon$. Every circle has to lie in a corner of the staircase.

# %%
numbers, bs = (np.arange(4000) + 0.5) / 4000, np.arange(9)
root = lambda f, b: float(np.sqrt(np.mean((numbers - np.asarray(f(numbers, int(b)))) ** 2)))
scale = np.geomspace(0.8e-3, 0.5, 60)
alt = "Left, a staircase of four steps around the diagonal. Right, each bit halves the error; the bits needed are a staircase."
with figure(alt, size=(8, 2.8), ncols=2, width_ratios=[1, 1.3]) as (left, right):
    left.plot(numbers, numbers, ":", color="black", marker="None")
    left.plot(numbers, quantize(numbers, 2), marker="None")
    right.semilogx(scale, [bits_for(float(e), 1) for e in scale], drawstyle="steps-mid", marker="None", label="bits needed")
    right.plot([root(quantize, b) for b in bs], bs, "o", fillstyle="none", color=plot.COLORS[1], label="your quantiser")
    for mine in yours(quantize):
        left.plot(numbers, mine(numbers, 2), **plot.DASHED)
        right.plot([root(mine, b) for b in bs], bs, **plot.DASHED)
    for mine in yours(bits_for):
        right.plot(scale, [mine(float(e), 1) for e in scale], **plot.DASHED)
    left.set(xlabel="x", ylabel=r"$\hat x$")
    right.set(xlabel=r"$\varepsilon$", ylabel="bits")
    right.legend()

# %% [markdown]
# ### 1.3 What one thing says about another
# **Claim.** The *divergence* of $q$ from $p$ is what it costs, in nats a symbol, to code samples of $p$ with the words of $q$:
#
# $$\mathrm{KL}(p\,\|\,q)=\sum_ip_i\log\frac{p_i}{q_i}\;\ge\;0 ,$$
#
# 0 exactly for $p=q$, and $+\infty$ if $q$ has no word for something that comes. It is no distance: the order matters. The
# *information* that $y$ holds about $x$ is the divergence of independence from the truth ([[eq:mutual-information]]):
#
# $$I(x;y)=\mathrm{KL}\big(p(x,y)\,\|\,p(x)\,p(y)\big).$$
#
# **Derive.** Why is the divergence not negative? Use $\log u\le u-1$, at $u=q_i/p_i$.
#
# <details><summary>The argument</summary>
#
# $-\mathrm{KL}(p\,\|\,q)=\sum_{p_i>0}p_i\log\frac{q_i}{p_i}\le\sum_{p_i>0}(q_i-p_i)\le1-1=0$. In the first step equality holds
# only where $u=1$, that is $q_i=p_i$ wherever $p_i>0$. With densities the sums are integrals, and nothing else changes (the
# book takes Jensen's inequality).
# </details>
#
# #### Exercise: divergence
# *More, 6 minutes.*

# %%
@exercise("ch04.kl_divergence")
def kl_divergence(p: "(n,)", q: "(n,)") -> "()":
    """KL(p || q) in nats, the mean under p of log(p / q). p_i >= 0 and q_i >= 0, each adding up to 1. Where p_i = 0 the term
    counts as 0, even if q_i = 0; where p_i > 0 and q_i = 0 the result is infinite (jnp.inf).
    Example: p = [0.5, 0.5, 0.], q = [0.9, 0.1, 0.]  ->  0.5108"""
    #: solution
    ratio = jnp.where(p > 0, p, 1) / jnp.where(p > 0, q, 1)
    return jnp.sum(p * jnp.log(ratio))
    #: end

# %% [markdown]
# #### Exercise: mutual information
# $p(x)$ and $p(y)$ are the sums of the table of $p(x,y)$ along its rows and its columns.
#
# *Core, 10 minutes.*

# %%
@exercise("ch04.mutual_information")
def mutual_information(P: "(n, m)") -> "()":
    """I(x; y) in nats, from the table of joint probabilities: P[i, j] is the probability that x is symbol i and y symbol j.
    P >= 0, adding up to 1. Entries that are 0 count as 0 (and must not turn the sum into NaN), even if a whole row is 0.
    Example: P = [[0.4, 0.1], [0.1, 0.4], [0., 0.]]  ->  0.1927"""
    #: solution
    independent = P.sum(axis=1, keepdims=True) * P.sum(axis=0)
    ratio = jnp.where(P > 0, P, 1) / jnp.where(P > 0, independent, 1)
    return jnp.sum(P * jnp.log(ratio))
    #: end

# %% [markdown]
# Information is what is known of $x$ after $y$ was seen and was not known before ([[eq:mutual]]). With $H(x,y)$ for the entropy
# of the pair, and $H(x\mid y)$ for the entropy of $x$ when $y$ is known, averaged over $y$,
#
# $$I(x;y)=H(x)+H(y)-H(x,y)=H(x)-H(x\mid y) .$$
#
# So $I$ is the same from $x$ to $y$ as from $y$ to $x$, and at most $H(x)$. The book writes the same with differential
# entropies for a density ([[eq:information-entropy]]).
#
# #### Exercise (derivation): from divergence to entropies
# *More, 8 minutes.*

# %%
@derivation("ch04.information_chain")
def information_chain(P: "(n, m)"):
    """From the divergence between the table and independence to H(x) - H(x|y), for a table without zeros.
    Pass through three entropies, of px, py and P; then write that of P with py and the conditional probabilities `given`."""
    P = np.asarray(P, dtype=float)
    H = lambda p, axis=None: -np.sum(p * np.log(p), axis=axis)
    px, py = P.sum(axis=1, keepdims=True), P.sum(axis=0)  # (n, 1) and (m,)
    given = P / py  # (n, m): column j is the law of x when y is symbol j
    yield np.sum(P * np.log(P / (px * py)))
    #: solution
    yield np.sum(P * np.log(P)) - np.sum(P * np.log(px)) - np.sum(P * np.log(py))
    yield H(px) + H(py) - H(P)
    yield H(px) + H(py) - (H(py) - np.sum(P * np.log(given)))
    #: end
    yield H(px) - np.sum(py * H(given, axis=0))

# %% [markdown]
# **See.** Two Gaussians with correlation 0.9, each known only to within a cell. As the cells shrink, the entropy of $x$ grows
# without end, one bit for each halving. The information settles, at $-\frac12\log(1-0.9^2)$ nats: what $y$ does not know of $x$
# grows just as fast. Only if $y$ *is* $x$ (or a function that loses nothing) does the information grow with the entropy.
# A code without error needs infinitely many bits; a code with an error does not.

# %%
from chapters.ch04_lossy_compression.experiments_rate import two_gaussians

sides = [1.0, 0.5, 0.25, 0.125]
tables = [two_gaussians(0.9, side, 64) for side in sides]
equal = [np.diag(P.sum(axis=1)) for P in tables]  # y = x
alt = "As cells shrink, the information of x about itself rises in a straight line; that about a correlated y levels off."
with figure(alt, size=(6, 2.6)) as ax:
    for Ps, text in (equal, "y = x"), (tables, "correlation 0.9"):
        ax.semilogx(sides, [mutual_information(P) / np.log(2) for P in Ps], label=text)
        for mine in yours(mutual_information):
            ax.plot(sides, [mine(P) / np.log(2) for P in Ps], **plot.DASHED)
    ax.axhline(-np.log2(1 - 0.9**2) / 2, color="black", linestyle=":", label="formula")
    ax.set(xlabel="side of the cells", ylabel="I(x; y), bits", xlim=(1.1, 0.11), ylim=(0, None))
    ax.set_xticks(sides, [f"{side:g}" for side in sides])
    ax.minorticks_off()
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %% [markdown]
# ### 1.4 The rate-distortion function
# **Claim.** A code may err, and may even be random: given $x$, the word $\hat x$ comes with probability $p(\hat x\mid x)$. The
# *rate* at distortion $\varepsilon$ is the least information that a word has to hold ([[eqn:rate-distortion-general]]):
#
# $$\mathcal R_\varepsilon(x)=\min\big\{\,I(x;\hat x)\;:\;\mathbb E\,\|x-\hat x\|^2\le\varepsilon^2\,\big\}.$$
#
# (Shannon proved that many samples, coded together, need that many nats each and no more.) It falls as $\varepsilon$ grows, is
# convex *as a function of* $\varepsilon^2$, is at most $H(x)$ if $x$ is discrete, and is 0 exactly for
# $\varepsilon^2\ge\operatorname{tr}\operatorname{Cov}(x)$: then one word, the mean, will do.
#
# **Derive.** (1) Why does it fall? (2) Why is it convex in $\varepsilon^2$? Take two codes, and toss a coin which one to use.
#
# <details><summary>The arguments</summary>
#
# (1) A larger $\varepsilon$ allows more codes, and the minimum over more is not larger.
#
# (2) With probability $\theta$ use the first code, else the second. The mean squared error is the same mixture of the two
# errors. The coin $c$ is independent of $x$, so by the chain rule for entropies
# $I(x;\hat x)\le I(x;\hat x,c)=I(x;c)+I(x;\hat x\mid c)=0+\theta I_1+(1-\theta)I_2$. If the two were the best at their errors,
# the best at the mixed error is no worse than this.
# </details>
#
# **Claim.** Blahut and Arimoto found how to compute it. Let symbol $i$ come with probability $p_i$, and let $d_{ij}$ be the
# cost of word $j$ for it (above, the *squared* distance). Instead of a limit, put a price $\beta$ on distortion, and minimise
# $I+\beta\,\mathbb E\,d$ by turns:
#
# $$w_{ij}=\frac{q_j\,e^{-\beta d_{ij}}}{\sum_lq_l\,e^{-\beta d_{il}}},\qquad q_j=\sum_ip_i\,w_{ij} .$$
#
# $w_{ij}$ is the probability of word $j$ given symbol $i$, $q_j$ how often word $j$ is used at all. Each $\beta$ ends in one
# point of the curve, $D=\sum_{ij}p_iw_{ij}d_{ij}$ and $R=I$: the point at which the curve has slope $-\beta$.
#
# **Derive.** Look at $F(w,q)=\sum_{ij}p_iw_{ij}\log\frac{w_{ij}}{q_j}+\beta\sum_{ij}p_iw_{ij}d_{ij}$. (1) For given $w$, which
# $q$ makes it smallest? (2) For given $q$, which $w$? Both times, find a divergence.
#
# <details><summary>The argument</summary>
#
# (1) Let $\bar q_j=\sum_ip_iw_{ij}$. Then $\sum_{ij}p_iw_{ij}\log\frac{w_{ij}}{q_j}=I+\mathrm{KL}(\bar q\,\|\,q)$, smallest for
# $q=\bar q$, where $F=I+\beta D$. So the minimum of $I+\beta D$ over $w$ is that of $F$ over $w$ and $q$.
#
# (2) With $Z_i=\sum_lq_le^{-\beta d_{il}}$ and $\hat w_{ij}=q_je^{-\beta d_{ij}}/Z_i$, row $i$ of $F$ is
# $p_i\big(\mathrm{KL}(w_i\,\|\,\hat w_i)-\log Z_i\big)$, smallest for $w_i=\hat w_i$.
#
# Every half step lowers $F$; and since $F$ is convex in $w$ and $q$ together, there is nothing to get stuck in. At the minimum
# no point of the curve lies below the line $R+\beta D=$ const through $(D,R)$: the line touches the curve there. (Slowly, where
# words are close together: what is returned after $T$ rounds is achieved by a code, and so lies on or above the curve.)
# </details>
#
# #### Exercise: Blahut and Arimoto's iteration
# *Core, 12 minutes.*

# %%
@exercise("ch04.blahut_arimoto")
def blahut_arimoto(p: "(n,)", costs: "(n, m)", beta: float, T: int) -> "(), (), (n, m)":
    """(D, R, w) after T >= 1 rounds: the mean cost, the information in nats between symbol and word, and the conditional
    probabilities w[i, j] of word j given symbol i. A round takes w for the present q, then the new q for that w; at first all m
    words are equally frequent in q. D and R are those of the w of the last round. p > 0, adding up to 1; costs >= 0; beta >= 0,
    so large perhaps that exp(-beta * costs) is 0 for all words of a row: what may be taken away from a row of costs that leaves
    w as it is? You may call your mutual_information.
    Example: p = [0.5, 0.5], costs = [[0., 1.], [1., 0.]], beta = 1., T = 3
    ->  (0.2689, 0.1109, [[0.7311, 0.2689], [0.2689, 0.7311]])"""
    #: solution
    p, costs = np.asarray(p, dtype=float), np.asarray(costs, dtype=float)
    likely = np.exp(-beta * (costs - costs.min(axis=1, keepdims=True)))
    q = np.full(len(likely[0]), 1 / len(likely[0]))
    for _ in range(T):
        w = q * likely / (likely @ q)[:, None]
        q = p @ w
    joint = p[:, None] * w
    return np.sum(joint * costs), mutual_information(joint), w
    #: end

# %% [markdown]
# **Play.** A Gaussian, $N(0,1)$, cut into 61 cells; the words are the middles of the cells. Dots: your points for twelve
# prices. The curve is the exact $\frac12\log\frac1{\varepsilon^2}$ of [[ex:gaussian_rate_distortion]], which 1.6 derives. Right:
# for each $x$ (across), how likely each word is (up), at the price chosen. The best code is *random*, a blurred diagonal.
# Why is it flatter than the diagonal?

# %%
xs = np.linspace(-4, 4, 61)
bell = np.exp(-(xs**2) / 2) / np.exp(-(xs**2) / 2).sum()
squares, prices = (xs[:, None] - xs) ** 2, [0.55, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 20.0]
found = {beta: blahut_arimoto(bell, squares, beta, 150) for beta in prices}
failing = [np.array([mine(bell, squares, beta, 150)[:2] for beta in prices]).T for mine in yours(blahut_arimoto)]

def draw_channel(fig, beta):
    left, right = fig.subplots(1, 2, width_ratios=[1.3, 1])
    D, R, w = (np.asarray(value, dtype=float) for value in found[beta])
    line = np.linspace(0.02, 1.1, 100)
    left.plot(line, np.maximum(np.log(1 / line) / 2, 0), color="#999999", marker="None")
    left.plot(line, R - beta * (line - D), ":", color="black", marker="None")
    left.plot(*np.array([found[b][:2] for b in prices], dtype=float).T, "o", fillstyle="none")
    left.plot(D, R, "o", color="black")
    for points in failing:
        left.plot(*points, **plot.DASHED)
    left.set(xlabel=r"$\varepsilon^2$", ylabel="rate, nats", ylim=(-0.05, 2))
    right.imshow(w.T, origin="lower", extent=(-4, 4, -4, 4), vmax=w[30].max(), interpolation="nearest")
    right.plot([-4, 4], [-4, 4], ":", color="white", marker="None")
    right.set(xlabel="x", ylabel=r"$\hat x$")
    right.grid(False)
    return f"Price {beta:g}: distortion {D:.3f}, rate {R:.3f} nats, where the curve has slope {-beta:g} (dotted)."

explore(draw_channel, {"beta": prices}, start={"beta": 1.5}, size=(7.5, 3))

# %% [markdown]
# <details><summary>Answer</summary>
#
# The error $x-\hat x$ of the best code is uncorrelated with the *word*, not with $x$: $x=\hat x+e$. So words vary less than
# $x$, with variance $1-\varepsilon^2$, and given $x$ the mean word is $(1-\varepsilon^2)\,x$. At the price $\beta$ the slope
# says $\varepsilon^2=1/(2\beta)$, as long as that is at most 1.
# </details>
#
# #### Exercise: the rate of a coin
# Let $x$ be one of two symbols, and count errors: cost 1 for the wrong word, 0 for the right one. With $H_2(a)$ for the entropy
# of a coin with probabilities $a$ and $1-a$, and $p_0$ for the probability of the first symbol, the rate is
# $H_2(p_0)-H_2(D)$ up to a certain $D$, and then 0. Derive it: write $I=H(x)-H(x\mid\hat x)$, and let $e$ say whether the word is
# wrong.
#
# *Challenge, 10 minutes.*

# %%
@exercise("ch04.binary_rate")
def binary_rate(p: "(n,)", distortion: float) -> "()":
    """Least information in nats between x, one of n = 2 symbols with probabilities p, and a word that is wrong with probability
    at most `distortion`, between 0 and 1. From the probability on at which one word can be used always, it is 0. p > 0; at
    distortion 0 it is the entropy of x (and must not be NaN).
    Example: p = [0.7, 0.3], distortion = 0.1  ->  0.2858"""
    #: solution
    p = np.asarray(p, dtype=float)
    D = max(min(distortion, min(p)), 1e-12)
    entropy = lambda a: -a * np.log(a) - (1 - a) * np.log(1 - a)
    return entropy(p[0]) - entropy(D)
    #: end

# %% [markdown]
# <details><summary>The derivation</summary>
#
# Given the word, to know $x$ is to know $e$. So $H(x\mid\hat x)=H(e\mid\hat x)\le H(e)=H_2(P(e=1))\le H_2(D)$ for
# $D\le\frac12$: the rate is at least $H_2(p_0)-H_2(D)$. It is reached by a code that has the error independent of the *word*:
# flip the word with probability $D$. For the symbols to come out as $p$, the words need a probability $r$ with
# $r(1-D)+(1-r)D=p_0$, and $0\le r\le1$ as long as $D\le\min(p_0,1-p_0)$. At that $D$ one word is used always, and the rate is 0.
# </details>

# %%
coin, fine = np.array([0.7, 0.3]), np.linspace(0, 0.4, 41)
wrong_word = 1 - np.eye(2)
dots = np.array([blahut_arimoto(coin, wrong_word, beta, 150)[:2] for beta in (0.9, 1.2, 1.6, 2.0, 3.0, 4.0, 6.0)], dtype=float)
alt = "The rate of a coin falls from 0.61 nats, convex, to 0 at an error of 0.3; the points of the iteration lie on it."
with figure(alt, size=(5, 2.3)) as ax:
    ax.plot(fine, [binary_rate(coin, float(D)) for D in fine], marker="None", label="formula")
    ax.plot(*dots.T, "o", fillstyle="none", label="iteration")
    for mine in yours(binary_rate):
        ax.plot(fine, [mine(coin, float(D)) for D in fine], **plot.DASHED)
    ax.set(xlabel="probability of a wrong word", ylabel="rate, nats")
    ax.legend()

# %% [markdown]
# ### 1.5 The rate of a data set
# **Claim.** Back to the samples of 1.1. For the law that takes each of $N$ samples equally often
#
# $$\mathcal R_\varepsilon\le H=\log N,\qquad\mathcal R_\varepsilon\to\log N\quad(\varepsilon\to0),$$
#
# and where samples lie close together the rate stays well below $\log N$ until $\varepsilon$ is as small as their distances
# (the remarks after [[eq:mutual]]). The rate sees the geometry that entropy does not; and unlike the entropy of the law
# that the samples were taken from, it is a number that one can compute.
#
# **Derive.** (1) Which code shows $\mathcal R_\varepsilon\le\log N$? (2) Two clusters of diameter $a$, a distance 1 apart,
# equally many samples in each: which code shows that the rate is at most $\log2$ for $\varepsilon\ge a$?
#
# <details><summary>Answers</summary>
#
# (1) $\hat x=x$: no error, and $I(x;x)=H(x)$. (2) One word for each cluster, one of its samples: no error is longer than $a$,
# and $I(x;\hat x)=H(\hat x)=\log2$. The mean of the cluster is a better word than any sample. So the words should not be taken
# from the samples alone.
# </details>
#
# #### Exercise: a rate curve
# *More, 10 minutes.*

# %%
@exercise("ch04.rate_curve")
def rate_curve(X: "(D, N)", C: "(D, M)", betas: "(k,)", T: int) -> "(k,), (k,)":
    """(eps, rates): for each price, the root of the mean squared error and the rate in nats of the law that takes each column of
    X equally often, coded with words from the columns of C, after T rounds. The cost is the squared Euclidean distance. You may
    call your blahut_arimoto.
    Example: X = [[0., 3.], [0., 4.]], C = [[0., 3.], [0., 4.]], betas = [0., 0.05], T = 5  ->  ([3.536, 2.360], [0., 0.1628])"""
    #: solution
    X, C = np.asarray(X, dtype=float), np.asarray(C, dtype=float)
    costs = np.sum((X[:, :, None] - C[:, None, :]) ** 2, axis=0)
    p = np.full(len(costs), 1 / len(costs))
    points = [blahut_arimoto(p, costs, float(beta), T)[:2] for beta in np.asarray(betas)]
    D, R = np.array(points, dtype=float).T
    return np.sqrt(D), R
    #: end

# %% [markdown]
# **Play.** Eight points on a line, as in [[fig:1d-line]], and what they cost to within $\varepsilon$. Squeeze the two groups. The
# entropy is 3 bits all along. How many bits are left in between, and for which $\varepsilon$? (Words: a grid, and the middle of
# every run of neighbours.)

# %%
from chapters.ch04_lossy_compression.experiments_rate import words_for

geometric = np.geomspace(2.5, 1e6, 33)
bits = lambda f, X, C: (lambda eps, rates: (np.asarray(eps), np.asarray(rates) / np.log(2)))(*f(X, C, geometric, 200))
even = bits(rate_curve, eight_points(1.0), words_for(eight_points(1.0)))

def draw_rates(fig, squeeze):
    top, ax = fig.subplots(2, 1, height_ratios=[1, 6])
    X = eight_points(squeeze)
    top.plot(X[0], np.zeros(8), "o", color=plot.COLORS[1], alpha=0.6)
    top.set(yticks=[], xlim=(-0.05, 1.05))
    ax.semilogx(*even, color="#999999", marker="None", label="even")
    eps, rates = bits(rate_curve, X, words_for(X))
    ax.semilogx(eps, rates, color=plot.COLORS[1], marker="None", label="these points")
    for mine in yours(rate_curve):
        ax.plot(*bits(mine, X, words_for(X)), **plot.DASHED)
    ax.axhline(3, color="black", linestyle=":", label="entropy")
    ax.set(xlabel=r"$\varepsilon$", ylabel="rate, bits", xlim=(4e-4, 0.5), ylim=(-0.1, 3.3))
    ax.legend(loc="lower left")
    at = float(np.interp(0.03, eps[::-1], rates[::-1]))
    return f"Groups squeezed to {squeeze:g} of the even spacing: to within 0.03 a point costs {at:.1f} bits, for all of them 3."

explore(draw_rates, {"squeeze": [1.0, 0.7, 0.4, 0.2, 0.1, 0.03]}, start={"squeeze": 0.1}, size=(6, 3.4))

# %% [markdown]
# With words from the samples alone the curve would be too high: neighbours could not meet in the middle. Measured for four
# samples in two close pairs, at a price where one word for each pair is best; worse on both counts:

# %%
pairs, price = np.array([[0.0, 0.1, 1.0, 1.1]]), np.array([100.0])
(eps_alone, alone), (eps_free, free) = (rate_curve(pairs, C, price, 200) for C in (pairs, words_for(pairs)))
show(samples_alone_eps=eps_alone[0], bits=alone[0] / np.log(2))
show(with_the_middles_eps=eps_free[0], bits=free[0] / np.log(2))
