# %% [markdown]
# ## Part 3: A transformer that is derived
#
# After this part you can
# - write down what it costs to code tokens head by head, and differentiate it at a cost linear in their number;
# - say which two approximations turn its gradient into attention, when they are good, and when they are not;
# - explain heads, queries, keys, values, the residual constant, the MLP and LayerNorm each by the step they stand for;
# - put a layer of CRATE together and take it apart again, and test what a trained one does to rate and sparsity;
# - say what a network of such layers is worth beside a black box of equal budget, measured.
#
# Core exercises: 36 minutes. *More* and *challenge* exercises are for those who want them.

# %% [markdown]
# ### 3.1 Coding tokens by heads
# **Claim.** An image cut into patches, or a sentence, is a matrix $Z$ of $n$ *tokens*. Their classes are not known. Suppose instead
# that tokens lie near $K$ subspaces with orthonormal bases $U_1,\dots,U_K$, the *heads*. Seen by head $k$ they are
# $W_k=U_k^\top Z$, and coding what every head sees costs ([[eq:def-mcr-Rc]])
#
# $$R^c(Z\mid U)=\sum_k\tfrac12\log\det(I+\alpha W_kW_k^\top),\qquad\alpha=\frac p{n\varepsilon^2}\ \text{ nats.}$$
#
# #### Exercise: the rate of the heads
# *Core, 8 minutes.*

# %%
@exercise("ch05.code_rate")
def code_rate(Z: "(d, n)", U: "(K, d, p)", eps: float) -> "()":
    """R^c(Z | U), in nats, for orthonormal bases U[k] (d, p) that need not be orthogonal to each other.
    Example: Z = [[1., 1.], [0., 2.]], U = [[[1.], [0.]], [[0.], [1.]]], eps = 1.  ->  0.8959"""
    #: solution
    Z, U = np.asarray(Z), np.asarray(U)
    p, n = U.shape[2], Z.shape[1]
    W = U.transpose(0, 2, 1) @ Z
    return np.sum(np.linalg.slogdet(np.eye(p) + p / (n * eps**2) * W @ W.transpose(0, 2, 1))[1]) / 2
    #: end

# %% [markdown]
# **Claim.** A rotation of tokens and heads together changes neither $R$ nor $R^c$. Coordinates mean something only if one prefers some
# of them, and the *sparse rate reduction* prefers axes ([[eq:sparse-rr-1]]):
#
# $$\max_Z\;R(Z)-R^c(Z\mid U)-\lambda\|Z\|_1 .$$
#
# **Derive.** Let the heads be orthonormal together, $[U_1,\dots,U_K]$ a $d\times d$ rotation with $Kp=d$. (1) How large can
# $R(Z)-R^c(Z\mid U)$ be? Compare both with the same $\alpha$ first, then mind that one has $d$ and the other $p$. (2) On what does it
# depend, if not on all of $Z$?
#
# <details><summary>Answers</summary>
#
# (1) With one $\alpha$ for both it is never positive: a determinant is not larger than the product of those of its diagonal blocks
# (Fischer). Raising $\alpha$ by the factor $d/p=K$ adds at most $\frac12\log K$ for each of $d$ eigenvalues, so
# $R-R^c\le\frac d2\log K$, however well the tokens are clustered. (2) On $ZZ^\top$ alone: tokens that each lie in one head, and tokens
# that are everywhere, have the *same* $R-R^c$ if their second moments agree.
# </details>
#
# #### Exercise: the sparse rate reduction
# *More, 8 minutes.*

# %%
@exercise("ch05.sparse_rate_reduction")
def sparse_rate_reduction(Z: "(d, n)", U: "(K, d, p)", eps: float, lam: float) -> "()":
    """R(Z) - R^c(Z | U) - lam ||Z||_1, with R(Z) = log det(I + d / (n eps^2) Z Z^T) / 2 and ||Z||_1 the sum of absolute entries.
    Example: Z = [[1., 0.], [0., 2.]], U = [[[1.], [0.]], [[0.], [1.]]], eps = 1., lam = 0.1  ->  0.0993"""
    #: solution
    Z, U = np.asarray(Z), np.asarray(U)
    rate = lambda W: np.linalg.slogdet(np.eye(len(W)) + len(W) / (Z.shape[1] * eps**2) * W @ W.T)[1] / 2
    return rate(Z) - sum(rate(B.T @ Z) for B in U) - lam * np.abs(Z).sum()
    #: end

# %% [markdown]
# **See.** Left: tokens of two heads in the plane, turned together with the heads: only the last term changes, and is best on the axes.
# Right: what is rewarded when two sets of tokens have the same second moment, one of them clustered in four heads, one not.

# %%
from chapters.ch05_unrolled_networks.experiments_heads import in_two_heads, same_moments, by_labels, turned

angles, (Z, U) = np.arange(0, 181, 5), in_two_heads()
clustered, spread, heads, labels = same_moments()
with figure("The objective peaks at 0, 90 and 180 degrees; by heads both sets score the same, by labels they do not.", size=(6.4, 2.4), ncols=2) as (left, right):
    left.plot(angles, [sparse_rate_reduction(*turned(Z, U, a), 0.3, 0.05) for a in angles], marker="None")
    for mine in yours(sparse_rate_reduction):
        left.plot(angles, [mine(*turned(Z, U, a), 0.3, 0.05) for a in angles], **plot.DASHED)
    left.set(xlabel="turned by (degrees)", ylabel="sparse rate reduction", xticks=[0, 45, 90, 135, 180])
    scores = [[sparse_rate_reduction(Z, heads, 0.1, 0.0), by_labels(Z, labels, 0.1)] for Z in (clustered, spread)]
    right.bar([0, 2], scores[0], label="clustered")
    right.bar([1, 3], scores[1], color=plot.COLORS[1], label="spread out")
    right.set(xticks=[0.5, 2.5], xticklabels=["by heads", "by labels"], ylabel="rate reduction")
    right.legend()

# %% [markdown]
# <details><summary>If you read the book</summary>
#
# The rate by heads is introduced as a more general form of the rate by memberships. It is another quantity: it does not become the
# other even for tokens that lie exactly in orthogonal heads, and it cannot tell clustered from spread-out tokens, as the bars show.
# What tells them apart in the network is the softmax below, which comes in as an approximation.
# </details>
#
# ### 3.2 Its gradient
# **Claim.** ([[eq:rate-gradient]])
# $\;\nabla_ZR^c=\alpha\sum_kU_kW_k(I_n+\alpha W_k^\top W_k)^{-1}=\alpha\sum_kU_k(I_p+\alpha W_kW_k^\top)^{-1}W_k .$
#
# The first form has matrices of the size of the text, the second of the size of a head: the cost of the exact gradient is *linear* in
# the number of tokens.
#
# #### Derivation: push it through
# *More, 6 minutes.*

# %%
@derivation("ch05.push_through")
def push_through(W: "(p, n)", alpha: float):
    """From the n x n inverse on the right to the p x p inverse on the left. Put inv(B) @ B in front, multiply out B @ W, and find A in it."""
    W, (p, n) = np.asarray(W, dtype=float), np.shape(W)
    inv, I = np.linalg.inv, np.eye
    A, B = I(n) + alpha * W.T @ W, I(p) + alpha * W @ W.T
    yield W @ inv(A)
    #: solution
    yield inv(B) @ B @ W @ inv(A)
    yield inv(B) @ (W + alpha * W @ W.T @ W) @ inv(A)
    yield inv(B) @ W @ A @ inv(A)
    #: end
    yield inv(B) @ W

# %% [markdown]
# #### Exercise: the gradient of the heads' rate
# *Core, 12 minutes.*

# %%
@exercise("ch05.code_gradient")
def code_gradient(Z: "(d, n)", U: "(K, d, p)", eps: float) -> "(d, n)":
    """Gradient of R^c(Z | U) in Z. No n x n matrix is needed.
    Example: Z = [[1., 1.], [0., 2.]], U = [[[1.], [0.]], [[0.], [1.]]], eps = 1.  ->  [[0.25, 0.25], [0., 0.3333]]"""
    #: solution
    Z, U = np.asarray(Z), np.asarray(U)
    p, n = U.shape[2], Z.shape[1]
    alpha, W = p / (n * eps**2), U.transpose(0, 2, 1) @ Z
    solved = np.linalg.solve(np.eye(p) + alpha * W @ W.transpose(0, 2, 1), W)
    return alpha * np.sum(U @ solved, axis=0)
    #: end

# %% [markdown]
# ### 3.3 From an inverse to a softmax
# **Claim.** If $\|A\|<1$ then $(I-A)^{-1}=\sum_kA^k$, the *Neumann series* ([[eq:neumann]]).
#
# **Derive.** (1) What is $(I-A)(I+A+\dots+A^T)$? (2) How large is the rest? (3) Is $\|A\|<1$ needed?
#
# <details><summary>Answers</summary>
#
# (1) $I-A^{T+1}$: everything else cancels. (2) $\|A^{T+1}(I-A)^{-1}\|\le\|A\|^{T+1}/(1-\|A\|)$. (3) No: what is needed is that the powers
# go to 0, that is, all eigenvalues below 1 in size. If $A^2=0$ the series ends, whatever $\|A\|$.
# </details>
#
# #### Exercise: a Neumann sum
# *More, 5 minutes.* This is Exercise 5.2 of the book.

# %%
@exercise("ch05.neumann_sum")
def neumann_sum(A: "(n, n)", T: int) -> "(n, n)":
    """I + A + A^2 + ... + A^T, matrix powers, T >= 0.
    Example: A = [[0., 2.], [0., 0.]], T = 3  ->  [[1., 2.], [0., 1.]]"""
    #: solution
    A = np.asarray(A)
    total = np.eye(len(A))
    for _ in range(T):
        total = np.eye(len(A)) + A @ total
    return total
    #: end

# %% [markdown]
# **Claim.** Attention is one step down $R^c$ after two approximations ([[eq:gd_rc_neumann]] to [[eq:gd-mcr-parts]]). First, the inverse
# becomes two terms of its series: $(I+\alpha W_k^\top W_k)^{-1}\approx I-\alpha W_k^\top W_k$. Second, the similarities $W_k^\top W_k$ become
# weights: $\operatorname{softmax}(W_k^\top W_k)$, down each column. With heads that are orthonormal together, $\sum_kU_kU_k^\top=I$, the step is
#
# $$Z\;\leftarrow\;(1-\kappa\alpha)Z+\kappa\alpha\,\mathrm{MSSA}(Z\mid U),\qquad
# \mathrm{MSSA}(Z\mid U)=\alpha\sum_kU_kW_k\operatorname{softmax}(W_k^\top W_k).$$
#
# #### Derivation: the first approximation
# Here `kernel` is what the softmax will take the place of.
#
# *More, 8 minutes.*

# %%
@derivation("ch05.to_attention")
def to_attention(Z: "(d, n)", Q: "(d, d)", alpha: float, kappa: float):
    """From a step down the two-term gradient to attention with a residual constant, for two heads U, V that are orthonormal together.
    Multiply out the terms of each head, then use U U^T + V V^T = I."""
    Z, Q = np.asarray(Z, dtype=float), np.asarray(Q, dtype=float)
    U, V, I = Q[:, : len(Q) // 2], Q[:, len(Q) // 2 :], np.eye(Z.shape[1])
    kernel = lambda W: W.T @ W
    X, Y = U.T @ Z, V.T @ Z  # the tokens as the two heads see them
    mssa = alpha * (U @ X @ kernel(X) + V @ Y @ kernel(Y))
    yield Z - kappa * alpha * (U @ X @ (I - alpha * kernel(X)) + V @ Y @ (I - alpha * kernel(Y)))
    #: solution
    yield Z - kappa * alpha * (U @ X + V @ Y) + kappa * alpha * alpha * (U @ X @ kernel(X) + V @ Y @ kernel(Y))
    yield Z - kappa * alpha * (U @ U.T + V @ V.T) @ Z + kappa * alpha * mssa
    yield Z - kappa * alpha * Z + kappa * alpha * mssa
    #: end
    yield (1 - kappa * alpha) * Z + kappa * alpha * mssa

# %% [markdown]
# #### Exercise: subspace self-attention
# One head. Queries, keys and values are one and the same.
#
# *Core, 8 minutes.*

# %%
@exercise("ch05.ssa")
def ssa(W: "(p, n)") -> "(p, n)":
    """W softmax(W^T W), the softmax down each column: column i of the result is a weighted mean of the columns of W. Scores may be as
    large as 1,000: nothing may overflow.
    Example: W = [[1., 2.]]  ->  [[1.7311, 1.8808]]"""
    #: solution
    W = np.asarray(W)
    scores = W.T @ W
    weights = np.exp(scores - scores.max(axis=0))
    return W @ (weights / weights.sum(axis=0))
    #: end

# %% [markdown]
# #### Exercise: a step of attention
# *More, 8 minutes.*

# %%
@exercise("ch05.mssa_step")
def mssa_step(Z: "(d, n)", U: "(K, d, p)", kappa: float, eps: float) -> "(d, n)":
    """New tokens: (1 - kappa alpha) Z + kappa alpha MSSA(Z | U) with alpha = p / (n eps^2); one alpha is inside MSSA. Softmax down columns;
    scores stay below 80.
    Example: Z = [[1., 2.]], U = [[[1.]]], kappa = 0.5, eps = 1.  ->  [[0.9664, 1.7351]]"""
    #: solution
    Z, U = np.asarray(Z), np.asarray(U)
    share = kappa * (alpha := U.shape[2] / (Z.shape[1] * eps**2))
    W = U.transpose(0, 2, 1) @ Z
    weights = np.exp(W.transpose(0, 2, 1) @ W)
    mixed = alpha * np.sum(U @ W @ (weights / weights.sum(axis=1, keepdims=True)), axis=0)
    return (1 - share) * Z + share * mixed
    #: end

# %% [markdown]
# <details><summary>If you read the book</summary>
#
# Three constants. [[eq:grad Rc]] has $\alpha^2$ before MSSA, though [[eq:Multi-Head-SSA]] has put one $\alpha$ inside already: one is left, as
# in [[eq:gd-mcr-parts]]. That the bases span the space is said to give $\sum_kU_kU_k^\top=I$; it takes bases that are orthonormal
# *together* (two lines at 45 degrees span the plane, and their sum has the eigenvalues below). And the gradient is called costly for
# its $K$ inverses; pushed through they are $p\times p$, and the exact gradient is cheaper than attention at every length.
# </details>

# %%
lines = np.array([[1.0, np.sqrt(0.5)], [0.0, np.sqrt(0.5)]])
show(eigenvalues=np.linalg.eigvalsh(lines @ lines.T))

# %% [markdown]
# **Claim.** Tokens of head $k$ may lie around a mean $\mu_k$. Then what is coded is $V_k=U_k^\top(Z-\mu_k\mathbf 1^\top)$.
#
# **Derive.** Go through the steps again with $V_k$ in place of $W_k$. Where do the means show up? In the scores $V_k^\top V_k$, write each
# factor out: which terms does a softmax down columns not see?
#
# <details><summary>Answers</summary>
#
# Values are shifted, and so are queries: score $(j,i)$ is $v_j^\top v_i=w_j^\top(w_i-m)-m^\top(w_i-m)$ with $m=U_k^\top\mu_k$, and the second term,
# all that the shift of the *key* $w_j$ has brought, is the same all down column $i$ and drops out of the softmax. The residual term becomes
# $Z-\sum_kU_kU_k^\top\mu_k\mathbf 1^\top$: a bias. Attention with biases on queries, values and output, and none needed on keys.
# </details>
#
# #### Exercise: the rate around means
# *More, 6 minutes.* This is Exercise 5.3 of the book, part 1.

# %%
@exercise("ch05.mean_rate")
def mean_rate(Z: "(d, n)", U: "(K, d, p)", mu: "(d, K)", eps: float) -> "()":
    """sum_k log det(I + alpha V_k V_k^T) / 2 with V_k = U[k].T @ (Z less mu[:, k] from every column), alpha = p / (n eps^2).
    Example: Z = [[1., 3.]], U = [[[1.]]], mu = [[2.]], eps = 1.  ->  0.3466"""
    #: solution
    Z, U, mu = np.asarray(Z), np.asarray(U), np.asarray(mu)
    p, n = U.shape[2], Z.shape[1]
    V = U.transpose(0, 2, 1) @ (Z - mu.T[:, :, None])
    return np.sum(np.linalg.slogdet(np.eye(p) + p / (n * eps**2) * V @ V.transpose(0, 2, 1))[1]) / 2
    #: end

# %% [markdown]
# #### Exercise: attention around means
# *More, 8 minutes.* This is Exercise 5.3 of the book, part 2.

# %%
@exercise("ch05.mean_attention")
def mean_attention(Z: "(d, n)", U: "(K, d, p)", mu: "(d, K)", eps: float) -> "(d, n)":
    """alpha sum_k U[k] V_k softmax(V_k^T V_k), with V_k = U[k].T @ (Z less mu[:, k] from every column), alpha = p / (n eps^2), softmax down
    columns; scores stay below 80.
    Example: Z = [[1., 3.]], U = [[[1.]]], mu = [[2.]], eps = 1.  ->  [[-0.3808, 0.3808]]"""
    #: solution
    Z, U, mu = np.asarray(Z), np.asarray(U), np.asarray(mu)
    alpha = U.shape[2] / (Z.shape[1] * eps**2)
    V = U.transpose(0, 2, 1) @ (Z - mu.T[:, :, None])
    weights = np.exp(V.transpose(0, 2, 1) @ V)
    return alpha * np.sum(U @ V @ (weights / weights.sum(axis=1, keepdims=True)), axis=0)
    #: end

# %% [markdown]
# ### 3.4 How good are the approximations?
# **Claim.** The two-term series needs $A_k=\alpha W_kW_k^\top$ with $\|A_k\|<1$ in every head.
#
# **Derive.** Tokens have length 1, and the heads are orthonormal together with $Kp=d$. What is $\sum_k\|W_k\|_F^2$? How small can the largest
# $\|A_k\|$ be?
#
# <details><summary>Answer</summary>
#
# $\sum_k\|W_k\|_F^2=\|Z\|_F^2=n$, so some head has $\|W_k\|_F^2\ge n/K$; it has $p$ eigenvalues, and the largest is at least $n/(Kp)$ as large.
# So $\max_k\|A_k\|\ge\frac p{n\varepsilon^2}\frac n{Kp}=\frac1{K\varepsilon^2}$: the regime needs $\varepsilon>1/\sqrt K$, a very coarse code. After a
# LayerNorm tokens have length $\sqrt d$, and it needs $\varepsilon>\sqrt p$.
# </details>
#
# #### Exercise: is the series valid?
# *More, 6 minutes.*

# %%
@exercise("ch05.largest_head")
def largest_head(Z: "(d, n)", U: "(K, d, p)", eps: float) -> "()":
    """The largest over the heads of the spectral norm of p / (n eps^2) W_k W_k^T, W_k = U[k].T @ Z.
    Example: Z = [[1., 1.], [0., 2.]], U = [[[1.], [0.]], [[0.], [1.]]], eps = 1.  ->  2."""
    #: solution
    Z, U = np.asarray(Z), np.asarray(U)
    W = U.transpose(0, 2, 1) @ Z
    return U.shape[2] / (Z.shape[1] * eps**2) * np.max(np.linalg.norm(W, 2, axis=(1, 2))) ** 2
    #: end

# %% [markdown]
# **Play.** Cosine between the exact gradient and what stands in for it, and relative errors, against $\varepsilon$. Tokens fill the space evenly, or
# lie mostly in few directions (*spiked*: badly conditioned). The thin line is the trivial stand-in: the tokens themselves.

# %%
from chapters.ch05_unrolled_networks.experiments_heads import stand_ins

def draw_quality(fig, tokens, n):
    grid, cosines, errors, norms = stand_ins(code_gradient, largest_head, tokens, n)
    left, right = fig.subplots(1, 2)
    for (name, values), color in zip(cosines.items(), [*plot.COLORS[:2], "black"]):
        left.semilogx(grid, values, color=color, marker="None", label=name, linewidth=0.8 if color == "black" else 1.8)
    left.set(xlabel="eps", ylabel="cosine with the gradient", ylim=(-1.05, 1.05))
    left.legend(fontsize=7)
    for (name, values), color in zip(errors.items(), plot.COLORS):
        right.loglog(grid, values, color=color, marker="None")
    right.loglog(grid, norms, color="grey", linestyle=":", marker="None")
    right.set(xlabel="eps", ylabel="relative error (dots: largest ||A||)", ylim=(1e-3, 1e4))
    i = int(np.argmin(np.abs(grid - 0.5)))
    name = "attention"
    return f"{tokens} tokens, n = {n}: at eps = 0.5 attention has cosine {cosines[name][i]:.2f}, the tokens alone {cosines['tokens alone'][i]:.2f}."

explore(draw_quality, {"tokens": ["even", "spiked"], "n": [16, 64, 256]}, start={"tokens": "even", "n": 64}, size=(6.6, 2.7))

# %% [markdown]
# Almost all of the agreement is the agreement of the gradient with the tokens, that is, of the term $\alpha Z$ that shrinks. The correction
# alone points where it should by half:

# %%
from chapters.ch05_unrolled_networks.experiments_heads import corrections

show(**corrections(code_gradient))

# %% [markdown]
# <details><summary>Doubt: does Z + MSSA(Z) go down at all?</summary>
#
# The network of the next section drops the residual constant: its step is $Z+\mathrm{MSSA}(Z)$. With the linear kernel that is *up* the
# rate, always: $\langle\nabla R^c,\mathrm{MSSA}\rangle=\alpha^2\sum_k\operatorname{tr}(W_k^\top(I+\alpha W_kW_k^\top)^{-1}W_kW_k^\top W_k)\ge0$. With
# the softmax there is no proof, so the next cell counts, over 500 random sets of tokens and heads. What brings the rate down
# again is the normalisation of tokens in the next layer.
# </details>

# %%
from chapters.ch05_unrolled_networks.experiments_heads import uphill

show(**uphill(code_gradient))
