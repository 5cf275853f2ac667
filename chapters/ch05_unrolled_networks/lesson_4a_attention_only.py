# %% [markdown]
# ## Part 4: Simpler, cheaper, causal
#
# After this part you can
# - say what attention alone does to noisy tokens near subspaces, prove it for one layer, and tell for how many it holds;
# - bound a coding rate by second moments, and get attention whose cost is linear in the number of tokens;
# - test whether an encoder is causal, and make it so with a mask;
# - write one and the same causal layer as a mask, as running sums and as a recurrence with a small state.
#
# Core exercises: 36 minutes. *More* and *challenge* exercises are for those who want them.

# %% [markdown]
# ### 4.1 What attention does to noise
# **Claim.** Leave out the second half of CRATE, and keep attention and the skip connection ([[sub:aot]], [[eq:MSSA]]):
#
# $$Z\leftarrow Z+\eta\sum_{k=1}^KU_kW_k\,\varphi(W_k^\top W_k),\qquad W_k=U_k^\top Z,$$
#
# with $\varphi$ a function of each column, such as the softmax. To see what it does, make a world where everything is known
# ([[def:MoG]]): the subspaces are orthogonal to each other, and a token of class $k$ is signal in its own subspace and a little
# noise in every other,
#
# $$z_i=U_ka_i+\sum_{j\ne k}U_je_{ij},\qquad a_i\sim\mathcal N(0,I),\quad e_{ij}\sim\mathcal N(0,\delta^2I).$$
#
# How clean the tokens $Z_k$ of class $k$ are is measured by norms, not their squares ([[def:SNR]]):
#
# $$\operatorname{SNR}_k=\frac{\|U_kU_k^\top Z_k\|_F}{\|(I-U_kU_k^\top)Z_k\|_F}.$$
#
# #### Exercise: signal over noise
# *More, 6 minutes.*

# %%
@exercise("ch05.token_snr")
def token_snr(Z: "(d, n)", labels: "(n,)", U: "(K, d, p)") -> "(K,)":
    """For every class k: the Frobenius norm of its tokens' part inside the subspace of U[k], divided by that of the part outside.
    Norms, not squares. Each class from 0 to K - 1 has a token, and something of it lies outside.
    Example: Z = [[3., 1.], [1., 2.]], labels = [0, 1], U = [[[1.], [0.]], [[0.], [1.]]]  ->  [3., 2.]"""
    #: solution
    Z, labels, U = np.asarray(Z), np.asarray(labels), np.asarray(U)
    ratios = []
    for k, basis in enumerate(U):
        Z_k = Z[:, labels == k]
        inside = basis @ (basis.T @ Z_k)
        ratios.append(np.linalg.norm(inside) / np.linalg.norm(Z_k - inside))
    return np.array(ratios)
    #: end

# %% [markdown]
# **Claim** ([[thm:1]]). Let $\varphi$ be a softmax down each column, of which only what exceeds $\tau$ is kept, and that as
# $\tau$; let $\tfrac12<\tau<1$. Then, while the conditions below hold, every layer multiplies every SNR by $1+\eta\tau$.
#
# **Derive.** (1) How many entries of a column can be kept? (2) Token $i$ is of class $k$. Its scores in head $k$ are
# $a_j^\top a_i$, and $\|a_i\|^2\approx p$. How large are the others? What is kept? (3) What are its scores in another head $j$, and
# what must not happen there? (4) If all this is so, what is the new token, and what its SNR?
#
# <details><summary>Answers</summary>
#
# (1) At most one: a softmax adds up to 1, and $\tau>\frac12$. (2) About $\sqrt p$ times a standard normal number, so the largest
# of them is about $\sqrt{2p\log n}$, and $p$ wins by far where $p$ is large beside $\log n$. The column is nearly $e_i$, and
# $\tau e_i$ is kept. (3) In head $j$ it has $e_{ij}$: the scores with the tokens of class $j$ have size $\delta\sqrt p$, those
# with the others less. None may get a weight above $\tau$: $\delta\sqrt p$ must not be large. Then nothing is kept. (4)
# $z_i+\eta\tau\,U_ka_i$: signal times $1+\eta\tau$, noise as it was, and so is every SNR.
# </details>
#
# #### Exercise: a softmax with a threshold
# *More, 5 minutes.*

# %%
@exercise("ch05.thresholded_softmax")
def thresholded_softmax(A: "(n, n)", tau: float) -> "(n, n)":
    """The softmax down each column of A, then tau where it is greater than tau and 0 elsewhere. The scores may be as large as
    10,000: nothing may overflow.
    Example: A = [[2., 0.], [0., 0.]], tau = 0.6  ->  [[0.6, 0.], [0., 0.]]"""
    #: solution
    A = np.asarray(A)
    weights = np.exp(A - A.max(axis=0))
    weights = weights / weights.sum(axis=0)
    return np.where(weights > tau, tau, 0.0)
    #: end

# %% [markdown]
# #### Exercise: a layer that denoises
# *More, 8 minutes.*

# %%
@exercise("ch05.denoise_step")
def denoise_step(Z: "(d, n)", U: "(K, d, p)", eta: float, tau: float) -> "(d, n)":
    """New tokens: Z + eta * sum over k of U_k W_k phi(W_k^T W_k), where W_k = U_k^T Z and phi is the softmax down each column,
    replaced by tau where it is greater than tau and by 0 elsewhere. The bases may overlap.
    Example: Z = [[2., 0.], [0., 1.]], U = [[[1.], [0.]]], eta = 0.5, tau = 0.6  ->  [[2.6, 0.], [0., 1.]]"""
    #: solution
    Z, U = np.asarray(Z), np.asarray(U)
    new = Z.astype(float)
    for basis in U:
        W = basis.T @ Z
        new = new + eta * basis @ (W @ thresholded_softmax(W.T @ W, tau))
    return new
    #: end

# %% [markdown]
# **See.** 60 tokens near three orthogonal subspaces of dimension 32, $\eta=0.5$, $\tau=0.55$. Dotted is the theorem. It holds
# exactly, and then no longer.

# %%
from chapters.ch05_unrolled_networks.experiments_attention_only import mean_snr, near_subspaces, softmax_layer

alt = "For each noise level the SNR follows the dotted line for some layers, then falls below where it began; less noise lasts longer."
with figure(alt, size=(5.6, 2.7)) as ax:
    for i, delta in enumerate((0.02, 0.05, 0.1, 0.2)):
        Z, labels, U = near_subspaces(delta)
        path = mean_snr(lambda Z: denoise_step(Z, U, 0.5, 0.55), Z, labels, U, 16)
        ax.semilogy(path, color=plot.COLORS[i], marker=plot.MARKERS[i], label=rf"$\delta={delta}$")
        ax.semilogy(path[0] * 1.275 ** np.arange(17), ":", color=plot.COLORS[i], marker="None")
        for mine in yours(denoise_step):
            ax.semilogy(mean_snr(lambda Z: mine(Z, U, 0.5, 0.55), Z, labels, U, 16), **plot.DASHED)
    ax.set(xlabel="layer", ylabel="mean SNR", ylim=(0.4, 2000))
    ax.legend(ncols=2, fontsize="small")

# %% [markdown]
# **Derive.** Why does it end? After $\ell$ exact layers the signals are $(1+\eta\tau)^\ell$ times as long, the noise is what it
# was. Which scores have grown, and by how much?
#
# <details><summary>Answer</summary>
#
# A token's noise in head $j$ meets the signals of class $j$, so these scores grow as $(1+\eta\tau)^\ell$. They are of size
# $\delta\sqrt p\,(1+\eta\tau)^\ell$, and once that is about $\sqrt{2\log n}$, the softmax of such a column settles on one token.
# From then on the layer adds a whole *signal* of class $j$ to what was a bit of noise, and the next layers make it grow. The
# first of all columns to fail does so a few layers earlier than the typical one. Scores within the own class grow with the
# square, and win all the more.
# </details>
#
# All that is decided by the first tokens: no layer has to be computed to tell how long it goes well.
#
# #### Exercise: how many layers are exact?
# *Challenge, 12 minutes.*

# %%
@exercise("ch05.layers_exact")
def layers_exact(Z: "(d, n)", labels: "(n,)", U: "(K, d, p)", eta: float, tau: float, L: int) -> "()":
    """How many layers l = 0, 1, ... give every token tau times its own signal and nothing else, before the first that does not;
    L if the layers 0 to L - 1 all do. In layer l the tokens of class k are (1 + eta tau)^l times as long in head k, and in the
    other heads as in Z. The layer is exact if, in every head k, the softmax down each column of W_k^T W_k exceeds tau exactly
    at the entries (i, i) with labels[i] = k. The subspaces are orthogonal to each other, and 1/2 < tau < 1."""
    #: solution
    Z, labels, U = np.asarray(Z), np.asarray(labels), np.asarray(U)
    for layer in range(L):
        for k, basis in enumerate(U):
            W = (basis.T @ Z) * np.where(labels == k, (1 + eta * tau) ** layer, 1.0)
            kept = np.asarray(thresholded_softmax(W.T @ W, tau)) > 0
            if not np.array_equal(kept, np.diag(labels == k)):
                return layer
    return L
    #: end

# %% [markdown]
# **See.** The number of exact layers, from the first tokens alone. (With $\eta=0.5$, $\tau=0.55$; three seeds each.)

# %%
for delta in (0.02, 0.05, 0.1, 0.2):
    cases = [near_subspaces(delta, seed=seed) for seed in range(3)]
    print(f"delta = {delta}:", [int(layers_exact(*case, 0.5, 0.55, 30)) for case in cases], "exact layers")

# %% [markdown]
# <details><summary>If you read the book: how long the theorem holds</summary>
#
# [[thm:1]] has the factor $1+\eta\tau$ for *each* of $L$ layers, with constants for $\delta$ that do not depend on $L$. But the
# scores of noise grow with the layers, so what is asked of $\delta$ has to depend on $L$: for instance
# $\delta\sqrt p\,(1+\eta\tau)^L\le c\sqrt{\log n}$ with a small $c$. With $\delta=c\sqrt{\log n/p}$ for a fixed $c$ more tokens do
# not help, as the next cell shows: two classes, $c=0.3$, more tokens in more dimensions, and the growth of the SNR in
# layer after layer, divided by the one that is promised.
# </details>

# %%
for n, p in ((64, 48), (256, 64), (512, 72)):
    Z, labels, U = near_subspaces(0.3 * np.sqrt(np.log(n) / p), p=p, K=2, n=n)
    path = mean_snr(lambda Z: denoise_step(Z, U, 0.5, 0.55), Z, labels, U, 8)
    print(f"n = {n}, p = {p}: " + "  ".join(f"{ratio:.2f}" for ratio in path[1:] / path[:-1] / 1.275))

# %% [markdown]
# ### 4.2 A transformer of attention alone
# **Claim.** Stack such layers, learn the heads, and there is a transformer without an MLP ([[fig:transformer]]). With heads that
# leave through $U$ a layer has $Kdp$ numbers, $d^2$ for $Kp=d$, where a vision transformer has about $12d^2$. For language a
# LayerNorm goes before each step: it keeps the scores in one range, so what ended the theorem above is slowed down.
#
# #### Exercise: a stack of attention
# *More, 8 minutes.*

# %%
@exercise("ch05.attention_stack")
def attention_stack(Z: "(d, n)", U: "(K, d, p)", eta: float, temperature: float, L: int) -> "(d, n)":
    """The tokens after L layers, all with the same heads. A layer: Y is Z with every column scaled to length sqrt(d) (not centred),
    W_k = U_k^T Y, and the new Z is Z + eta * sum over k of U_k W_k softmax(W_k^T W_k / temperature), the softmax down each
    column. What is added to is Z, not Y. No column is 0; for L = 0 the result is Z.
    Example: Z = [[1., 0.], [0., 1.]], U = [[[1.], [0.]]], eta = 0.5, temperature = 1., L = 1  ->  [[1.6225, 0.3536], [0., 1.]]"""
    #: solution
    Z, U = np.asarray(Z).astype(float), np.asarray(U)
    for _ in range(L):
        Y, mixed = Z / np.linalg.norm(Z, axis=0) * np.sqrt(len(Z)), 0.0
        for basis in U:
            W = basis.T @ Y
            scores = W.T @ W / temperature
            weights = np.exp(scores - scores.max(axis=0))
            mixed = mixed + basis @ (W @ (weights / weights.sum(axis=0)))
        Z = Z + eta * mixed
    return Z
    #: end

# %% [markdown]
# **See.** The same tokens, no threshold now: the plain softmax, and the stack with scores divided by $\sqrt p$ after scaling.

# %%
alt = "Plain softmax: the SNR rises for one layer, then falls below its start. Scaled: it rises further, then falls slowly."
with figure(alt, size=(6.4, 2.4), ncols=2) as axes:
    for ax, delta in zip(axes, (0.2, 0.5)):
        Z, labels, U = near_subspaces(delta)
        scaled = lambda f: mean_snr(lambda Z: f(Z, U, 0.5, 32**0.5, 1), Z, labels, U, 16)
        ax.plot(mean_snr(lambda Z: softmax_layer(Z, U, 0.5), Z, labels, U, 16), color=plot.COLORS[0], label="softmax")
        ax.plot(scaled(attention_stack), color=plot.COLORS[1], marker=plot.MARKERS[1], label="scaled")
        for mine in yours(attention_stack):
            ax.plot(scaled(mine), **plot.DASHED)
        ax.set(xlabel="layer", ylabel="mean SNR", title=rf"$\delta={delta}$")
    axes[0].legend(fontsize="small")

# %% [markdown]
# #### Doubt
# <details><summary>Is it attention that denoises?</summary>
#
# In the theorem's regime $\varphi$ is $\tau I$ on the tokens of the own class, and 0 on the others: no token looks at any
# other. It is a *gate* for each head, and a gate that asks how long $U_k^\top z$ is does the same for one token by itself. The
# next cell compares the two after one layer. Information is exchanged between tokens only where the theorem has ended.
# </details>

# %%
Z, labels, U = near_subspaces(0.05)
views = np.einsum("kdp,dn->kpn", U, Z)
open_gate = (views**2).sum(axis=1) > 32 / 2
gated = Z + 0.5 * 0.55 * np.einsum("kdp,kpn,kn->dn", U, views, open_gate)
show(largest_difference_of_a_gate_and_the_layer=np.abs(gated - np.asarray(denoise_step(Z, U, 0.5, 0.55))).max())

# %% [markdown]
# <details><summary>If you read the book: does the actual softmax do it, too?</summary>
#
# [[fig:MSSA]] is offered as support by the operator without a threshold; its dimensions, number of tokens and $\eta$ are not
# given. In our runs above the plain softmax raises the SNR for one layer and then ends below its start. With scores divided by
# $\sqrt p$ and tokens scaled before each layer, which [[eq:MSSA]] does not say, it rises for longer.
# </details>
#
# <details><summary>Does it do on real tokens?</summary>
#
# Digits of $8\times8$ pixels in 16 patches, 1,200 to learn from, 597 to test, three seeds (another split and start for each), 1,000
# steps of Adam. Attention through one matrix for everything, in and out, is behind; twice the layers do not help it, a matrix
# of its own for the way out does. All of them are behind a nearest neighbour on the pixels. The accuracies of
# [[tab:aot_vision]] come from networks of different size, and from training that is not described: the one of CRATE
# cannot be compared with those in the other tables of the chapter.
# </details>

# %%
from chapters.ch05_unrolled_networks import long_attention_only

run = measured(long_attention_only.attention_only_on_digits)
for name, row, count, products in zip(run["names"], run["accuracies"], run["parameters"], run["products"]):
    print(f"{name:29} {row.mean():.3f} +- {row.std(ddof=1):.3f}   {count:6} parameters   {products / 1000:4.0f} thousand multiply-adds")
print(f"{'one nearest neighbour':29} {run['neighbours'].mean():.3f} +- {run['neighbours'].std(ddof=1):.3f}")
