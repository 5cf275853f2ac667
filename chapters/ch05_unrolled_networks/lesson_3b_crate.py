# %% [markdown]
# ### 3.5 The second step: a sparse code
# **Claim.** Compression makes tokens cheap in their heads. The other two terms, $R(Z)-\lambda\|Z\|_1$, ask for tokens that are diverse
# and sparse. With a dictionary $D$ that is nearly a rotation, $R(DZ)\approx R(Z)$, so one keeps $R$ by looking for a code $Y\ge0$ of the tokens
# $Z\approx DY$ with few entries ([[eq:sparse-nonnegative]]):
#
# $$\min_{Y\ge0}\;\tfrac12\|Z-DY\|_F^2+\lambda\|Y\|_1 .$$
#
# **Derive.** Take one proximal gradient step of size $\eta$ from $Y=Z$. (1) What is the gradient of the smooth part there? (2) Which $y\ge0$
# minimises $\frac12(y-x)^2+\eta\lambda y$?
#
# <details><summary>Answers</summary>
#
# (1) $D^\top(DZ-Z)$: the tokens are both what is coded and where the code starts, which needs a square $D$. (2) $\max(x-\eta\lambda,0)$. Together
# ([[eq:ista-block]])
#
# $$\mathrm{ISTA}(Z\mid D)=\mathrm{ReLU}\big(Z-\eta D^\top(DZ-Z)-\eta\lambda\big):$$
#
# two products of matrices and a ReLU, token by token. That is the place of the MLP in a transformer.
# </details>
#
# #### Exercise: one step of ISTA
# *Core, 8 minutes.*

# %%
@exercise("ch05.ista_step")
def ista_step(Z: "(d, n)", D: "(d, d)", eta: float, lam: float) -> "(d, n)":
    """New tokens: the step above from the tokens Z, which are also what is coded.
    Example: Z = [[1., -1.], [2., 0.5]], D = [[0., 1.], [1., 0.]], eta = 0.5, lam = 0.2  ->  [[1.4, 0.], [1.4, 0.]]"""
    #: solution
    Z, D = np.asarray(Z), np.asarray(D)
    slope = D.T @ (D @ Z - Z)
    return np.maximum(Z - eta * slope - eta * lam, 0)
    #: end

# %% [markdown]
# #### Derivation: a rotation and a step of size 1
# Then one step is the whole way: what comes out is the exact sparse code.
#
# *More, 6 minutes.*

# %%
@derivation("ch05.rotated_code")
def rotated_code(Z: "(d, n)", Q: "(d, d)", lam: float):
    """From one step of ISTA with D = Q, a rotation, and eta = 1 to a threshold. Multiply out, then use Q^T Q = I."""
    Z, Q = np.asarray(Z, dtype=float), np.asarray(Q, dtype=float)
    relu = lambda X: np.maximum(X, 0)
    yield relu(Z - Q.T @ (Q @ Z - Z) - lam)
    #: solution
    yield relu(Z - Q.T @ Q @ Z + Q.T @ Z - lam)
    yield relu(Z - Z + Q.T @ Z - lam)
    #: end
    yield relu(Q.T @ Z - lam)

# %% [markdown]
# <details><summary>If you read the book</summary>
#
# Where the network is used for images ([[sub:image_classification_architecture]], the definition of ISTA) the step is printed with
# $+\beta\lambda$, $\beta$ for our $\eta$. The threshold takes away: with a plus sign every entry grows, and no code becomes sparse. The next
# cell counts. The published code has the minus sign. In the same place the last argument of the last head is printed with $U^1$; it is $U^K$, as
# everywhere else.
# </details>

# %%
rng = np.random.default_rng(0)
rotation, _ = np.linalg.qr(rng.normal(size=(8, 8)))
code = rotation.T @ rng.normal(size=(8, 400))
show(zeros_with_minus=np.mean(code - 0.5 <= 0), zeros_as_printed=np.mean(code + 0.5 <= 0))

# %% [markdown]
# ### 3.6 A layer of CRATE
# **Claim.** Compress, then sparsify; that is a layer of CRATE ([[fig:crate_backbone]]), a transformer each part of which stands for something:
#
# | in a transformer | here |
# |---|---|
# | heads | the subspaces of a code |
# | queries, keys, values | one and the same projection $U_k^\top Z$ |
# | skip connection | the iterate that a gradient step starts from |
# | MLP | one proximal step towards a sparse code |
# | LayerNorm | tokens kept at the length at which the step was derived |
#
# The residual constant $1-\kappa\alpha$ is dropped, as in the network that is trained; 3.4 shows what that costs.
#
# #### Exercise: what LayerNorm does
# *More, 5 minutes.*

# %%
@exercise("ch05.layer_norm")
def layer_norm(Z: "(d, n)") -> "(d, n)":
    """Every column less its own mean over the d coordinates, scaled to length sqrt(d). No column is constant.
    Example: Z = [[1., 0.], [3., 1.]]  ->  [[-1., -1.], [1., 1.]]"""
    #: solution
    Z = np.asarray(Z)
    centred = Z - Z.mean(axis=0)
    return centred * np.sqrt(len(Z)) / np.linalg.norm(centred, axis=0)
    #: end

# %% [markdown]
# #### Exercise: one layer
# *More, 8 minutes.*

# %%
@exercise("ch05.crate_layer")
def crate_layer(Z: "(d, n)", U: "(K, d, p)", D: "(d, d)", eta: float, eps: float, lam: float) -> "(d, n)":
    """New tokens: first Y = Z + MSSA(Z | U), MSSA with its alpha = p / (n eps^2) inside and the softmax down columns; then
    ReLU(Y - eta D^T (D Y - Y) - eta lam). No LayerNorm. Scores stay below 80.
    Example: Z = [[1., 2.]], U = [[[1.]]], D = [[1.]], eta = 0.5, eps = 1., lam = 0.2  ->  [[1.7655, 2.8404]]"""
    #: solution
    Z, U, D = np.asarray(Z), np.asarray(U), np.asarray(D)
    W = U.transpose(0, 2, 1) @ Z
    weights = np.exp(W.transpose(0, 2, 1) @ W)
    heads = U @ W @ (weights / weights.sum(axis=1, keepdims=True))
    Y = Z + U.shape[2] / (Z.shape[1] * eps**2) * heads.sum(axis=0)
    return np.maximum(Y - eta * D.T @ (D @ Y - Y) - eta * lam, 0)
    #: end

# %% [markdown]
# #### Exercise: counting parameters
# The trained network has, in each layer, two LayerNorms with a scale and a shift each, one matrix for the heads ($Kp=d$), one matrix with a
# bias for their way out, and $D$. A vision transformer has two LayerNorms; four matrices with biases in its attention; and an MLP of
# width $4d$ with biases.
#
# *More, 6 minutes.*

# %%
@exercise("ch05.layer_parameters")
def layer_parameters(d: int) -> "(), ()":
    """Numbers in one layer of CRATE, and in one layer of a vision transformer, for tokens of dimension d.
    Example: d = 2  ->  (22, 74)"""
    #: solution
    norms = 2 * 2 * d
    crate_layer = norms + d * d + (d * d + d) + d * d
    return crate_layer, norms + 4 * (d * d + d) + (4 * d * d + 4 * d) + (4 * d * d + d)
    #: end

# %% [markdown]
# Per layer it is a quarter; per multiply-add it is not. With the embedding, positions and head for images of $224\times224$ pixels the count is
# that of the published networks ([[tab:crate_comparison_with_sota]]): 6.09 million for CRATE-Tiny.

# %%
own, other = layer_parameters(384)
ends = 2 * 768 + (768 * 384 + 384) + 2 * 384 + 384 + 197 * 384 + 2 * 384 + (384 * 1000 + 1000)
print(f"CRATE-Tiny: {12 * own + ends:,} parameters; a vision transformer of its width and depth: {12 * other + ends:,}")

# %% [markdown]
# **Claim.** To get tokens back from codes, undo the steps in reverse order ([[fig:crate_mae_layers]]): the decoder multiplies by $D$, and then
# takes off what attention adds: $Y=DZ$, then $Y-\mathrm{MSSA}(Y\mid U)$. It is an inverse to first order only: $f(z)=z+g(z)$ is undone by
# $y-g(y)$ up to terms of second order in $g$.
#
# #### Exercise: a layer of the decoder
# *More, 6 minutes.*

# %%
@exercise("ch05.decoder_step")
def decoder_step(Z: "(d, n)", U: "(K, d, p)", D: "(d, d)", eps: float) -> "(d, n)":
    """New tokens: Y - MSSA(Y | U) for Y = D Z, with alpha = p / (n eps^2) inside MSSA, the softmax down columns. Scores stay below 80.
    Example: Z = [[1., 2.]], U = [[[1.]]], D = [[1.]], eps = 1.  ->  [[0.1345, 1.0596]]"""
    #: solution
    Y, U = np.asarray(D) @ np.asarray(Z), np.asarray(U)
    W = U.transpose(0, 2, 1) @ Y
    weights = np.exp(W.transpose(0, 2, 1) @ W)
    heads = U @ W @ (weights / weights.sum(axis=1, keepdims=True))
    return Y - U.shape[2] / (Y.shape[1] * eps**2) * heads.sum(axis=0)
    #: end

# %% [markdown]
# <details><summary>If you read the book</summary>
#
# In [[sub:image_completion_architecture]] the decoder's layer is printed with a transposed dictionary of its own, $\tilde D^\top$, and the
# text before asks for $\tilde D\approx D$. Tokens are $Z\approx DY$ with codes $Y$, so what brings a code back to tokens is $D$ and not $D^\top$
# (the two agree on the way back only up to a rotation that is its own inverse). The published code multiplies by $D$.
# </details>
#
# ### 3.7 Does a trained layer do what it was derived for?
# **See.** CRATE with four layers, trained on the digits (14,130 numbers, 400 steps; three seeds). For every layer: the rate of its heads before and
# after attention, seen through the same $U$, every head's view of a token scaled to length 1, $\varepsilon=0.1$; and the share of entries above
# zero after the layer. That is what the book's figure shows of large networks ([[fig:crate_compression_sparsity]]), with one difference: there, each layer is
# seen through its own heads only, so that its curve also moves when the heads do. Beside it four controls: the same network before training; one whose heads
# leave through $U_k$ itself, as the derivation has it; that one with *minus* attention, which should expand; and a ViT, seen through its value
# matrices.

# %%
from chapters.ch05_unrolled_networks.long_crate import layer_by_layer

layers, found = range(1, 5), measured(layer_by_layer)
alt = "Left: the change of the rate in each layer for five networks: lowest by far where heads leave by U, near zero for the ViT, below zero in most layers of the others. Right: the share of entries above zero, 0.3 to 0.5 everywhere."
with figure(alt, size=(6.6, 2.9), ncols=2) as (left, right):
    for i, name in enumerate(found["names"]):
        look = {"color": plot.COLORS[i], "marker": plot.MARKERS[i]}
        left.errorbar(layers, found["change"][i].mean(axis=0), found["change"][i].std(axis=0, ddof=1), label=name, **look)
        right.errorbar(layers, found["left"][i].mean(axis=0), found["left"][i].std(axis=0, ddof=1), label=name, **look)
    left.axhline(0, color="grey", linewidth=0.8)
    left.set(xlabel="layer", ylabel="change of the rate, nats", xticks=layers)
    right.set(xlabel="layer", ylabel="entries above zero", xticks=layers, ylim=(0, 1))
    right.legend(fontsize=7, loc="upper right")
for name, raw, accuracy in zip(found["names"], found["raw"], found["accuracy"]):
    print(f"{name:18} without scaling: {raw.mean():+6.1f} nats a layer   accuracy {accuracy.mean():.2f} +- {accuracy.std(ddof=1):.2f}")

# %% [markdown]
# What comes out, in the order of the claims:
#
# - *Each layer lowers the rate of its heads.* Of directions, it does, in most layers and most of all in the network that follows the
#   derivation to the letter (by 5 to 13 nats a layer). But so does an untrained network, and so does minus attention from its second
#   layer on: a fall of this curve is no proof that training found the subspaces. The ViT's hardly moves.
# - *Without the scaling to length 1* the signs turn round: attention with plus makes tokens longer along their heads, and the rate rises; only
#   minus lowers it. 3.4 says why: MSSA points up the rate, and it was the residual constant, dropped here, that turned it.
# - *Each layer makes tokens sparser.* A ReLU after LayerNorm leaves about half the entries, in every network; from the second layer on, CRATE has 0.40 to
#   0.44 above zero, the untrained network 0.33 to 0.38. Training did not make codes sparser here; $\lambda=0.1$ asks for little.
# - *The closer to the derivation, the better.* No: leaving by $U_k$ costs 0.06 of accuracy, and the same network with the sign turned round
#   loses next to nothing.
#
# These are small networks on small images; the published ones are a thousand times larger, and there the curves fall more evenly. What the
# controls show holds at any size: such a curve needs an untrained network and a sign turned round beside it before it says anything.
