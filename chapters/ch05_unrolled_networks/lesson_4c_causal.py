# %% [markdown]
# ### 4.6 One token at a time
# **Claim.** Text, sound and weather come in an order, and a network that predicts what comes next must not look ahead. An operator
# $f$ on token matrices is *causal* if its first $i$ output columns depend on the first $i$ tokens alone
# ([[sec:causal-crate]]):
#
# $$f([z_1,\dots,z_n])_{1:i}=f([z_1,\dots,z_i])\qquad\text{for all }i\le n .$$
#
# ISTA is causal, since it treats every token by itself. Attention and token statistics as we have them are not: each output
# mixes all tokens, and the factors $p/(n\varepsilon^2)$ and $\tau/n$ know how long the text will be.
#
# #### Exercise: does it look ahead?
# *More, 6 minutes.* The book leaves the proof that neither operator is causal to you: one counterexample is a proof.

# %%
@exercise("ch05.causality_violation")
def causality_violation(runs: "(n, d, n)") -> "()":
    """How far an operator is from causal on one sequence of n tokens: the largest absolute difference between an entry of a column
    computed from a prefix and the same entry computed from all n tokens. runs[i - 1] holds the output for the first i tokens in
    its columns 1 to i; whatever stands in its other columns does not count.
    Example: runs = [[[1., 9., 9.]], [[1., 2., 9.]], [[0.5, 2., 4.]]]  ->  0.5"""
    #: solution
    runs = np.asarray(runs)
    n = len(runs)
    seen = np.arange(n) <= np.arange(n)[:, None]
    gaps = np.abs(runs - runs[-1]).max(axis=1)
    return np.max(gaps, where=seen, initial=0.0)
    #: end

# %%
from chapters.ch05_unrolled_networks.experiments_causal import OPERATORS, prefix_runs, sequence

for name, operator in OPERATORS.items():
    show(**{name: causality_violation(prefix_runs(operator, sequence()))})

# %% [markdown]
# **Claim.** Unrolling gives a causal network at no extra thought: let token $i$ climb the objective *of the tokens so far*,
# $R^c(Z_{1:i}\mid U)$, and let the earlier ones rest.
#
# **Derive.** (1) What is the gradient of $R^c(Z_{1:i}\mid U)$ in its newest token $z_i$? (2) What is $\alpha$ in it?
#
# <details><summary>Answers</summary>
#
# (1) The last column of the gradient in all tokens. With $W_k=U_k^\top Z_{1:i}$ and $w_k$ its last column it is
# $\alpha_i\sum_kU_k(I+\alpha_iW_kW_k^\top)^{-1}w_k$: one system of size $p\times p$ for each head.
# (2) $\alpha_i=p/(i\varepsilon^2)$: it is the rate of $i$ tokens. No later length can enter.
# </details>
#
# #### Exercise: the gradient in the newest token
# *More, 8 minutes.*

# %%
@exercise("ch05.newest_gradient")
def newest_gradient(Z: "(d, n)", U: "(K, d, p)", eps: float) -> "(d,)":
    """Gradient of R^c(Z | U) = sum_k log det(I + alpha W_k W_k^T) / 2 in the last token Z[:, -1] alone, with W_k = U[k].T @ Z and
    alpha = p / (n eps^2), n being the number of tokens in Z.
    Example: Z = [[1., 2.]], U = [[[1.]]], eps = 1.  ->  [0.2857]"""
    #: solution
    Z, U = np.asarray(Z), np.asarray(U)
    p, n = U.shape[2], Z.shape[1]
    alpha = p / (n * eps**2)
    W = np.einsum("kdp,dn->kpn", U, Z)
    solved = np.linalg.solve(np.eye(p) + alpha * W @ W.transpose(0, 2, 1), W[:, :, -1:])
    return alpha * np.einsum("kdp,kp->d", U, solved[:, :, 0])
    #: end

# %% [markdown]
# ### 4.7 Three ways to say the same: prefixes, a mask, a cache
# **Claim.** Approximated as in Part 3, the step needs $\mathrm{SSA}(W_{1:i})$'s last column for every $i$. There are three ways to
# compute it: prefix by prefix, $n$ times; all columns at once, with the scores of later tokens set to $-\infty$ before the softmax
# (a *mask*, for training); one column after another, with the views $W$ of earlier tokens kept (the *KV cache*, for writing text).
#
# **Derive.** Scores are $S=W^\top W$ and the softmax runs down columns: column $i$ has the weights of output $i$. Which entries
# must be masked, those above or those below the diagonal?
#
# <details><summary>Answer</summary>
#
# Entry $(j,i)$ is the weight of token $j$ in output $i$, so $j>i$ has to go: all that stands *below* the diagonal. Allowed is the
# upper triangle with the diagonal. With softmax along rows, as most code has it, it is the other way round.
# </details>
#
# #### Exercise: attention with a mask
# *Core, 8 minutes.*

# %%
@exercise("ch05.causal_attention")
def causal_attention(W: "(p, n)") -> "(p, n)":
    """Causal SSA of one head: column i of the result is the last column of V softmax(V^T V) for V = W[:, :i], the first i tokens
    (i from 1 to n), with the softmax down each column. Scores may be as large as 1,000: nothing may overflow.
    Example: W = [[1., 2.]]  ->  [[1., 1.8808]]"""
    #: solution
    W = np.asarray(W)
    n = W.shape[1]
    scores = np.where(np.arange(n)[:, None] <= np.arange(n), W.T @ W, -np.inf)
    weights = np.exp(scores - scores.max(axis=0))
    return W @ (weights / weights.sum(axis=0))
    #: end

# %% [markdown]
# **See.** Which output moves when one token is replaced? Rows are outputs, columns the token that was replaced; white is *not at
# all*. Above: without a mask. Below: your causal attention, and causal token statistics.

# %%
from chapters.ch05_unrolled_networks.experiments_causal import HEADS, influence

Z = sequence()
by_heads = lambda attention: lambda Z: sum(B @ np.asarray(attention(B.T @ Z)) for B in HEADS)
ours = [("attention", lambda Z: crate.mssa(Z, HEADS, 1.0)), ("token statistics", lambda Z: tost.tssa(Z, HEADS, 1.0, 1.0, 0.5)),
        ("causal attention", by_heads(causal_attention)), ("causal statistics", lambda Z: tost.causal_tssa(Z, HEADS, 1.0, 1.0, 0.5))]
with figure("Four tables: full without a mask, empty above the diagonal with one.", size=(4.6, 4.2), nrows=2, ncols=2) as axes:
    for ax, (name, operator) in zip(axes.flat, ours):
        ax.imshow(np.log10(influence(operator, Z)), cmap="Blues", vmin=-4, vmax=0)
        ax.set(title=name, xticks=[], yticks=[], xlabel="replaced token", ylabel="output")

# %% [markdown]
# #### Derivation: a masked column is an unmasked one
# Column $i$ of attention with a mask is the last column of attention on the first $i$ tokens.
#
# *More, 8 minutes.*

# %%
@derivation("ch05.masked_column")
def masked_column(W: "(p, n)", k: int):
    """From column k (from 0) of masked attention to the last column of attention on the tokens 0 to k.
    Pass through the softmax of one masked column of scores, then through a ratio of sums over j <= k alone."""
    W = np.asarray(W, dtype=float)
    n = W.shape[1]
    exp, sum = np.exp, np.sum
    softmax = lambda S: exp(S) / sum(exp(S), axis=0)
    M = np.where(np.arange(n)[:, None] <= np.arange(n), 0.0, -np.inf)
    past = W[:, : k + 1]
    s = past.T @ W[:, k]  # the scores of column k that the mask lets through
    yield (W @ softmax(W.T @ W + M))[:, k]
    #: solution
    yield W @ softmax(W.T @ W[:, k] + M[:, k])
    yield past @ exp(s) / sum(exp(s))
    yield past @ softmax(past.T @ past[:, -1])
    #: end
    yield (past @ softmax(past.T @ past))[:, -1]

# %% [markdown]
# #### Exercise: attention with a cache
# While a text is being written, tokens come one at a time. What has to be kept of the past?
#
# *More, 6 minutes.*

# %%
@exercise("ch05.cache_step")
def cache_step(W: "(p, n)", w: "(p,)") -> "(p, n + 1), (p,)":
    """One step of causal attention of one head. W: the views of the n >= 1 tokens so far; w: the view of the next token. Returns the
    views of all n + 1, in order, and the new output: the last column of V softmax(V^T V), softmax down columns, for V the views of
    all n + 1. Compute that column only.
    Example: W = [[1.]], w = [2.]  ->  ([[1., 2.]], [1.8808])"""
    #: solution
    W = np.concatenate([np.asarray(W), np.asarray(w)[:, None]], axis=1)
    scores = W.T @ W[:, -1]
    weights = np.exp(scores - scores.max())
    return W, W @ weights / weights.sum()
    #: end

# %% [markdown]
# With a cache the next token costs $d\,p$ products for each head to view it, $d\,p$ to bring the answer back, and $2pi$ to compare
# and mix. Without, all of the past is viewed again: $d\,p\,i$ in place of $d\,p$. What is spent on viewing grows with the square
# of the length without a cache, and linearly with one. What is spent on comparing grows with the square in both: only token
# statistics is free of that (4.8).
#
# #### Exercise: a causal layer
# Now the whole step of compression, with the residual constant in its place.
#
# *More, 10 minutes.*

# %%
@exercise("ch05.causal_compress")
def causal_compress(Z: "(d, n)", U: "(K, d, p)", kappa: float, eps: float) -> "(d, n)":
    """New tokens: column i (from 1) is (1 - kappa a) z_i + kappa a MSSA_i with a = p / (i eps^2), where MSSA_i is the last column of
    a sum_k U_k V_k softmax(V_k^T V_k), V_k = U[k].T @ Z[:, :i], softmax down columns. Scores stay below 80.
    Example: Z = [[1., 2.]], U = [[[1.]]], kappa = 0.5, eps = 1.  ->  [[1., 1.735]]"""
    #: solution
    Z, U = np.asarray(Z), np.asarray(U)
    i = np.arange(1, Z.shape[1] + 1)
    alpha = U.shape[2] / (i * eps**2)
    W = np.einsum("kdp,dn->kpn", U, Z)
    weights = np.where(i[:, None] <= i, np.exp(W.transpose(0, 2, 1) @ W), 0.0)
    mixed = alpha * np.einsum("kdp,kpn->dn", U, W @ (weights / weights.sum(axis=1, keepdims=True)))
    return (1 - kappa * alpha) * Z + kappa * alpha * mixed
    #: end

# %% [markdown]
# <details><summary>If you read the book</summary>
#
# After [[sec:causal-crate]] three things differ from what holds. The factor is printed as $p/(N\varepsilon^2)$ with the length
# $N$ of the whole sequence: an operator that uses it is not causal by the section's own definition, since a shorter text has
# another factor. It has to be $p/(i\varepsilon^2)$, the factor of $R^c(Z_{1:i})$, or a constant. The printed mask has its
# $-\infty$ above the diagonal, which with a softmax down columns lets every output see *only* what comes later; and the values
# $U_k^\top Z$ in front of the softmax are missing, without which the shapes do not fit.
# </details>

# %%
from chapters.ch05_unrolled_networks.experiments_causal import printed_factor, printed_mask

show(**{"factor with N": causality_violation(prefix_runs(printed_factor, sequence())),
        "mask as printed": causality_violation(prefix_runs(printed_mask, sequence())),
        "as derived": causality_violation(prefix_runs(lambda Z: causal_compress(Z, HEADS, 0.1, 1.0), sequence()))})

# %% [markdown]
# ### 4.8 A recurrent network
# **Claim.** Token statistics are sums over tokens, and sums can be kept up to date. The causal operator is
#
# $$\mathrm{out}_i=-\frac{\tau}{i}\sum_kU_k\,f'(m_{k,i})\odot w_{k,i}\,\Pi_{k,i},\qquad
# m_{k,i}=\frac{\sum_{j\le i}\Pi_{k,j}\,w_{k,j}^{\odot2}}{\sum_{j\le i}\Pi_{k,j}} ,$$
#
# with $w_{k,i}=U_k^\top z_i$, $f'(x)=c/(1+cx)$, $c=d/\varepsilon^2$ and $\Pi_{k,i}=\mathrm{softmax}_k(\|w_{k,i}\|^2/2\sigma^2)$. No
# token is compared with another, and all that is kept of the past are the sums: $K(p+1)$ numbers, whatever its length.
#
# #### Exercise: causal token statistics
# *Core, 12 minutes.* This is Exercise 5.6 of the book.

# %%
@exercise("ch05.causal_statistics")
def causal_statistics(Z: "(d, n)", U: "(K, d, p)", tau: float, eps: float, sigma: float) -> "(d, n)":
    """The increments out_1, ..., out_n above, as columns, for all tokens at once: column i is what TSSA of the first i tokens adds to
    the last of them. Running sums in place of a loop over prefixes (np.cumsum along the tokens).
    Example: Z = [[1., 2.]], U = [[[1.]]], tau = 1., eps = 1., sigma = 1.  ->  [[-0.5, -0.2857]]"""
    #: solution
    Z, U = np.asarray(Z), np.asarray(U)
    (d, n), c = Z.shape, Z.shape[0] / eps**2
    W = np.einsum("kdp,dn->kpn", U, Z)
    odds = np.exp((logits := (W**2).sum(axis=1) / (2 * sigma**2)) - logits.max(axis=0))
    share = (odds / odds.sum(axis=0))[:, None]
    moments = np.cumsum(share * W**2, axis=2) / np.cumsum(share, axis=2)
    return -tau / np.arange(1, n + 1) * np.einsum("kdp,kpn->dn", U, c / (1 + c * moments) * W * share)
    #: end

# %% [markdown]
# #### Derivation: masked, parallel, recurrent
# One coordinate of one head: from the second moment written with a mask to a state that each token moves a little.
#
# *More, 8 minutes.*

# %%
@derivation("ch05.running_moment")
def running_moment(w: "(n,)", share: "(n,)"):
    """The moment m_n of one coordinate w_1, ..., w_n of one head with shares Pi_1, ..., Pi_n: from a product with a mask to the moment
    before the last token, moved towards the last square. Pass through running sums, then through the sums before the last token."""
    w, share = np.asarray(w, dtype=float), np.asarray(share, dtype=float)
    n, cumsum = len(w), np.cumsum
    M = np.where(np.arange(n)[:, None] <= np.arange(n), 1.0, 0.0)
    power, mass = np.sum(share[:-1] * w[:-1] ** 2), np.sum(share[:-1])
    m = power / mass  # the moment before the last token
    yield (((share * w**2) @ M) / (share @ M))[-1]
    #: solution
    yield cumsum(share * w**2)[-1] / cumsum(share)[-1]
    yield (power + share[-1] * w[-1] ** 2) / (mass + share[-1])
    yield (mass * m + share[-1] * w[-1] ** 2) / (mass + share[-1])
    #: end
    yield m + share[-1] / (mass + share[-1]) * (w[-1] ** 2 - m)

# %% [markdown]
# The last line is a *state-space model*: a state $m$ that decays by the factor $1-\Pi_n/\sum_j\Pi_j$, takes in the new square, and is
# read out by $f'(m)\odot w$. The decay is chosen by the input, through the membership $\Pi_n$: where a token does not belong to a
# head, the head's state stays as it is. Nobody put the gate there; it is the derivative of a rate.
#
# #### Exercise: the recurrence
# *More, 10 minutes.*

# %%
@exercise("ch05.recurrent_step")
def recurrent_step(power: "(K, p)", mass: "(K,)", count: int, z: "(d,)", U: "(K, d, p)", tau: float, eps: float, sigma: float) \
        -> "(K, p), (K,), (d,)":
    """One step of causal token statistics. power: the sums of Pi_kj w_kj^2 over the `count` tokens so far; mass: those of Pi_kj; z: the
    next token. Returns both sums with z in them, and z's increment out_i of 4.8, i = count + 1.
    Example: power = [[1.]], mass = [1.], count = 1, z = [2.], U = [[[1.]]], tau = 1., eps = 1., sigma = 1.  ->  ([[5.]], [2.], [-0.2857])"""
    #: solution
    z, U = np.asarray(z), np.asarray(U)
    w, c = np.einsum("kdp,d->kp", U, z), len(z) / eps**2
    odds = np.exp((logits := (w**2).sum(axis=1) / (2 * sigma**2)) - logits.max())
    share = odds / odds.sum()
    power, mass = np.asarray(power) + share[:, None] * w**2, np.asarray(mass) + share
    slope = c / (1 + c * power / mass[:, None])
    return power, mass, -tau / (count + 1) * np.einsum("kdp,kp->d", U, slope * w * share[:, None])
    #: end

# %% [markdown]
# **See.** Products per token while a text is being written: attention without a cache, with one, and token statistics by your
# recurrence, for $d=384$ in six heads. The markers are measured: seconds of the compiled kernels for one token on two cores, scaled
# so that token statistics at 256 tokens lies on its line. (A tenth of a millisecond of each is the call itself; large products run
# faster per product than small ones.)

# %%
from chapters.ch05_unrolled_networks.experiments_causal import products_per_token
from chapters.ch05_unrolled_networks.long_causal import seconds_per_token

found, i = measured(seconds_per_token), np.geomspace(16, 16_384, 60)
curves = products_per_token(i, d=384, K=6)
scale = curves["token statistics"][0] / found["token statistics"][0]
alt = "Without a cache the cost of a token grows linearly from the start, with one from some hundred tokens on; statistics stay level."
with figure(alt, size=(5.6, 3)) as ax:
    for (name, counts), color in zip(curves.items(), plot.COLORS):
        ax.loglog(i, counts, color=color, marker="None", label=name)
        ax.loglog(found["tokens"], scale * found[name], color=color, linestyle="None")
    ax.set(xlabel="tokens so far", ylabel="products for the next")
    ax.legend()

# %% [markdown]
# **Claim.** If a layer is a step of an algorithm, one may take it more often than it was trained: *loop* it, with the same $U$. A
# step of exact gradient descent of size $\kappa\le1/\alpha$ lowers $R^c$ every time. What of the step of attention?
#
# #### Exercise: the same layer again and again
# *More, 8 minutes.*

# %%
@exercise("ch05.looped_rates")
def looped_rates(Z: "(d, n)", U: "(K, d, p)", kappa: float, eps: float, T: int) -> "(T + 1,)":
    """R^c(Z | U) = sum_k log det(I + alpha W_k W_k^T) / 2 (W_k = U[k].T @ Z, alpha = p / (n eps^2)) before and after each of T steps
    Z <- Z - kappa G with the exact gradient G = alpha sum_k U_k (I + alpha W_k W_k^T)^-1 W_k: T + 1 numbers, the first for Z itself.
    Example: Z = [[2.]], U = [[[1.]]], kappa = 1., eps = 1., T = 2  ->  [0.8047, 0.6349, 0.4216]"""
    #: solution
    Z, U = np.asarray(Z, dtype=float), np.asarray(U, dtype=float)
    p, rates = U.shape[2], []
    alpha = p / (Z.shape[1] * eps**2)
    for t in range(T + 1):
        W = U.transpose(0, 2, 1) @ Z
        A = np.eye(p) + alpha * W @ W.transpose(0, 2, 1)
        rates.append(np.linalg.slogdet(A)[1].sum() / 2)
        Z = Z - kappa * alpha * (U @ np.linalg.solve(A, W)).sum(axis=0)
    return np.array(rates)
    #: end

# %%
from chapters.ch05_unrolled_networks.experiments_causal import many_tokens, attention_rates

Z, U, eps = many_tokens()  # alpha is 1
alt = "Exact steps fall all the way, ever faster; attention falls faster at first and then stays; attention added to Z climbs."
with figure(alt, size=(5.6, 2.6)) as ax:
    ax.plot(looped_rates(Z, U, 0.3, eps, 20), label="exact gradient")
    ax.plot(attention_rates(Z, U, 0.3, eps, 20), color=plot.COLORS[1], label="attention with its residual constant")
    ax.plot(attention_rates(Z, U, 0.3, eps, 20, residual=1.0), color=plot.COLORS[3], label="Z + attention")
    ax.set(xlabel="times the layer was applied", ylabel="coding rate of the heads", yscale="log")
    ax.legend()

# %% [markdown]
# Attention falls faster at first, and then stands still: it only averages, and once the tokens of a head agree there is nothing left
# to average. What is left is the rate of one direction for each head. The exact gradient shrinks that, too, as it has to: the least
# rate of all is 0, at $Z=0$. Looping is descent, not progress, unless something holds the scale. And attention added to $Z$ with a
# residual constant of 1, as in the network that is trained, climbs at every pass; a LayerNorm has to undo that.
#
# <details><summary>Doubt: is the published network causal?</summary>
#
# The operators of this Part are. What of the network around them? LayerNorm works on each token by itself and is. The token
# statistics that were published for images divide every coordinate by its length *over all tokens* before they take the
# membership, and are not; those published for text divide by the length so far, and are.
# </details>

# %%
from chapters.ch05_unrolled_networks.experiments_causal import published_statistics

show(**{"for images": causality_violation(prefix_runs(published_statistics, sequence())),
        "for text": causality_violation(prefix_runs(lambda Z: published_statistics(Z, causal=True), sequence()))})
