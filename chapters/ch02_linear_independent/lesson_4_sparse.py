# %% [markdown]
# ## Part 4: More atoms than dimensions
#
# After this part you can
# - say what a sparse code is, when it is optimal, and when it is the right one;
# - compute it by thresholding again and again, and learn the dictionary it uses;
# - read networks as such iterations: recurrent layers, LISTA, sparse autoencoders, layers that learn on the way;
# - see power iteration, FastICA and MSP as one method.
#
# Core exercises: 28 minutes. *More* and *challenge* exercises are for those who want them.

# %% [markdown]
# ### 4.1 Many atoms, few at a time
# **Claim.** Let the dictionary $A$ have more columns than rows, $m>D$, and let every sample use few of its *atoms*
# ([[eq:model-DL-overcomplete]]): $x=Az+\varepsilon$ with $z$ mostly zero. For known $A$ we look for such codes by the *LASSO*
# ([[eq:sparse_dl_lasso]])
#
# $$\min_Z\;F(Z)=\|X-AZ\|_F^2+\lambda\|Z\|_1,\qquad \|Z\|_1=\sum_{ij}|Z_{ij}| .$$
#
# (As in the book there is no factor one half before the square, here and in all that follows. With one, $\lambda$ would be half
# as large. scikit-learn's `Lasso` means the same with `alpha` $=\lambda/(2D)$, its `sparse_encode` with `alpha` $=\lambda/2$.)
# Let $g=2A^\top(x-Az)$. A code is optimal exactly if
#
# $$g_j=\lambda\operatorname{sign}(z_j)\ \text{ where } z_j\ne0,\qquad |g_j|\le\lambda\ \text{ where } z_j=0 .$$
#
# **Derive.** Move one entry of $z$ a little. Where is $F$ smooth, and what must its derivative be? At $z_j=0$ the two one-sided
# slopes are $\lambda-g_j$ to the right and $\lambda+g_j$ to the left: when is going nowhere best? Why do conditions on single
# entries suffice?
#
# <details><summary>Answers</summary>
#
# The squared error has slope $-g_j$ in $z_j$, and $|z_j|$ has slope $\operatorname{sign}(z_j)$: off zero, $-g_j+\lambda
# \operatorname{sign}(z_j)=0$. At zero neither side may go down: $\lambda-g_j\ge0$ and $\lambda+g_j\ge0$. And they suffice since
# $F$ is convex: the squared error lies above its tangent plane, and $\lambda|z_j+\delta_j|\ge\lambda|z_j|+g_j\delta_j$ for every
# $\delta_j$ is just what the conditions say; added up, $F(z+\delta)\ge F(z)$.
# </details>
#
# #### Exercise: when codes are optimal
#
# *More, 10 minutes.*

# %%
@exercise("ch02.lasso_kkt")
def lasso_kkt(A: "(D, m)", X: "(D, N)", Z: "(m, N)", lam: float) -> "()":
    """By how much the conditions of optimality are violated, at worst. With G = 2 A^T (X - A Z) the violation of entry (i, j) is
    |G_ij - lam sign(Z_ij)| where Z_ij is not 0, and max(|G_ij| - lam, 0) where it is; the result is the largest of all.
    Example: A = [[1., 0.6], [0., 0.8]], X = [[2.], [1.]], Z = [[1.], [0.]], lam = 1.  ->  1.8"""
    #: solution
    g = 2 * A.T @ (X - A @ Z)
    return jnp.where(Z == 0, jnp.maximum(jnp.abs(g) - lam, 0), jnp.abs(g - lam * jnp.sign(Z))).max()
    #: end

# %% [markdown]
# #### Exercise: the weight at which all codes vanish
#
# *More, 5 minutes.*

# %%
@exercise("ch02.lambda_max")
def lambda_max(A: "(D, m)", X: "(D, N)") -> "()":
    """The smallest lam >= 0 for which Z = 0 minimises ||X - A Z||_F^2 + lam ||Z||_1: all codes of all samples are zero.
    Example: A = [[1., 0.6], [0., 0.8]], X = [[2., 0.], [-1., 1.]]  ->  4."""
    #: solution
    return 2 * jnp.abs(A.T @ X).max()
    #: end

# %% [markdown]
# **See.** A hundred samples in 16 dimensions, each a sum of 3 out of 32 atoms and a little noise. Left: how many atoms the
# optimal codes use; dotted, your $\lambda$. Right: how far ISTA (4.3) is from optimal after so many steps.

# %%
from chapters.ch02_linear_independent import experiments_sparse

rng = np.random.default_rng(0)
A_true = rng.normal(size=(16, 32))
A_true /= np.linalg.norm(A_true, axis=0)
Z_true = rng.normal(size=(32, 100)) * (rng.random((32, 100)).argsort(axis=0) < 3)  # argsort: a random order in each column
X_planted = A_true @ Z_true + 0.02 * rng.normal(size=(16, 100))
lams, steps = np.geomspace(0.005, 20, 12), [1, 3, 10, 30, 100, 300, 1000]
codes = [experiments_sparse.lasso_codes(A_true, X_planted, lam, 300) for lam in lams]
partial = experiments_sparse.ista_path(A_true, X_planted, 0.1, steps)
alt = "Left: nonzeros fall from above ten to 0 at the dotted line. Right: the violation of optimality falls with the steps."
with figure(alt, size=(6.5, 2.5), ncols=2) as (left, right):
    left.semilogx(lams, [(Z != 0).sum() / 100 for Z in codes])
    left.axhline(3, color="#999999", linewidth=1, marker="None")
    left.axvline(float(lambda_max(A_true, X_planted)), linestyle=":", color="black", marker="None")
    left.set(xlabel=r"weight $\lambda$", ylabel="nonzeros per sample")
    right.loglog(steps, [lasso_kkt(A_true, X_planted, Z, 0.1) for Z in partial])
    for mine in yours(lasso_kkt):
        right.plot(steps, [mine(A_true, X_planted, Z, 0.1) for Z in partial], **plot.DASHED)
    for mine in yours(lambda_max):
        left.axvline(mine(A_true, X_planted), **plot.DASHED)
    right.set(xlabel="steps of ISTA", ylabel="largest violation")

# %% [markdown]
# ### 4.2 When is it the right code?
# **Claim.** With $m>D$ atoms every sample has many codes. A sparse one is determined if no two atoms are alike. The *coherence*
#
# $$\mu=\max_{i\ne j}\frac{|a_i^\top a_j|}{\|a_i\|\,\|a_j\|}\;\ge\;\sqrt{\frac{m-D}{D(m-1)}}$$
#
# (the bound is Welch's) tells how sparse: a code with fewer than $\frac12(1+1/\mu)$ nonzeros is found exactly, without noise,
# by a greedy search, *orthogonal matching pursuit*. (The book asks for incoherent atoms in [[sec:dictionary_learning]] and
# leaves the number aside.)
#
# **Derive.** (1) For unit atoms, $A^\top A$ has trace $m$ and at most $D$ nonzero eigenvalues. How small can the sum of its
# squared entries be? (2) Let $x=\sum_{j\in S}z_ja_j$ with $|S|=k$ and $|z_1|$ the largest. How large is $|a_1^\top x|$ at least,
# and $|a_j^\top x|$ at most for $j\notin S$?
#
# <details><summary>Both arguments</summary>
#
# (1) The sum of squared entries is the sum of squared eigenvalues, at least $m^2/D$ since $D$ of them add up to $m$. It is also
# at most $m+m(m-1)\mu^2$, and Welch's bound follows. (2) $|a_1^\top x|\ge|z_1|-(k-1)\mu|z_1|$ and $|a_j^\top x|\le k\mu|z_1|$. So
# the most correlated atom belongs to $S$ if $1-(k-1)\mu>k\mu$, which is $k<\frac12(1+1/\mu)$. After the fit, what is left is
# again a combination of the atoms in $S$, orthogonal to those taken: the argument repeats, and a new atom of $S$ is taken
# every time.
# </details>
#
# #### Exercise: coherence
#
# *More, 6 minutes.*

# %%
@exercise("ch02.coherence")
def coherence(A: "(D, m)") -> "()":
    """The largest absolute cosine of the angle between two different columns of A. m >= 2; columns have any length but 0.
    Example: A = [[1., 0., 3.], [0., 2., 4.]]  ->  0.8"""
    #: solution
    A = A / jnp.linalg.norm(A, axis=0)
    return jnp.abs(A.T @ A - jnp.eye(A.shape[1])).max()
    #: end

# %% [markdown]
# #### Exercise: orthogonal matching pursuit
#
# *Challenge, 15 minutes.*

# %%
@exercise("ch02.omp")
def omp(A: "(D, m)", x: "(D,)", k: int) -> "(m,)":
    """A code of x with k nonzeros, found greedily. Start with the residual x. Then k times: take the atom with the largest
    |a^T residual| / ||a||, the first of them in a tie; fit all atoms taken so far to x by least squares; the new residual is x
    minus the fit. The code holds the coefficients of the last fit. Atoms have any length but 0; k <= D, and the residual stays
    different from 0 until the last fit. Called with numbers, never traced: NumPy and Python lists will do.
    Example: A = [[1., 0.6, 0.], [0., 0.8, 2.]], x = [1., 4.], k = 1  ->  [0., 0., 2.]"""
    #: solution
    A, x = np.asarray(A), np.asarray(x)
    rest, chosen, values = x, [], []
    for _ in range(k):
        chosen.append(int(np.argmax(np.abs(A.T @ rest) / np.linalg.norm(A, axis=0))))
        values = np.linalg.lstsq(A[:, chosen], x, rcond=None)[0]
        rest = x - A[:, chosen] @ values
    code = np.zeros(A.shape[1])
    code[chosen] = values
    return code
    #: end

# %% [markdown]
# **See.** Spikes and cosines together, 128 atoms in 64 dimensions. Two cosines and a spike are told apart exactly, as the bound
# promises for three.

# %%
place = np.arange(64)
cosines = np.cos(np.pi * np.outer(place + 0.5, place) / 64) * np.sqrt(2 / 64)
cosines[:, 0] /= np.sqrt(2)
both, mixed = np.hstack([np.eye(64), cosines]), np.zeros(128)
mixed[[20, 64 + 3, 64 + 10]] = 1.5, 2.0, -1.0
found = np.asarray(omp(both, both @ mixed, 3))
alt = "Left: a wave with one spike. Right: its code, three bars among 128, each with the true value as a circle on its tip."
with figure(alt, size=(7, 2.3), ncols=2) as (left, right):
    left.plot(both @ mixed, marker="None")
    left.set(xlabel="coordinate", title="the signal")
    right.vlines(range(128), 0, found, color=plot.COLORS[1])
    right.plot(np.flatnonzero(mixed), mixed[mixed != 0], "o", color=plot.COLORS[0], fillstyle="none", label="true")
    for mine in yours(omp):
        right.plot(mine(both, both @ mixed, 3), **plot.DASHED)
    right.set(xlabel="atom: 64 spikes, 64 cosines", title="its code with k = 3")
    right.legend()
mu = coherence(both)
show(coherence=mu, welch=sparse.welch_bound(64, 128), fewer_nonzeros_than=(1 + 1 / mu) / 2)

# %% [markdown]
# ### 4.3 Threshold, and again
# **Claim.** In one variable the sparse problem has a closed solution, the *soft threshold* ([[fig:soft-thresholding]]):
#
# $$\arg\min_z\;(z-t)^2+2a|z|\;=\;S_a(t)=\operatorname{sign}(t)\max(|t|-a,\,0).$$
#
# **Derive.** Suppose $z>0$; then $z<0$; and when is neither possible?
#
# #### Exercise: the soft threshold
#
# *Core, 8 minutes.*

# %%
@exercise("ch02.soft_threshold")
def soft_threshold(Z: "(m, N)", a: float) -> "(m, N)":
    """For every entry t of Z the z that minimises (z - t)^2 + 2 a |z|. a >= 0. Entries of size at most a become exactly 0.
    (One line of jnp functions works for arrays of any shape, which is welcome further down.)
    Example: Z = [[3., -0.5], [-2., 1.]], a = 1.  ->  [[2., 0.], [-1., 0.]]"""
    #: solution
    return jnp.sign(Z) * jnp.maximum(jnp.abs(Z) - a, 0)
    #: end

# %% [markdown]
# **Play.** Left: what becomes of every $t$. Right: the function that is minimised for $t=1.2$, with your answer on it. From
# which $a$ on does the minimum sit in the kink?

# %%
def draw_threshold(fig, a):
    left, right = fig.subplots(1, 2)
    t = np.linspace(-3, 3, 121)
    left.plot(t, t, color="#999999", linewidth=1, marker="None")
    left.plot(t, soft_threshold(t[None], a)[0], marker="None")
    for mine in yours(soft_threshold):
        left.plot(t, mine(t[None], a)[0], **plot.DASHED)
    left.set(xlabel="t", ylabel="$S_a(t)$")
    best = float(soft_threshold(np.array([[1.2]]), a)[0, 0])
    z, cost = np.linspace(-1, 2.5, 200), lambda z: (z - 1.2) ** 2 + 2 * a * np.abs(z)
    right.plot(z, cost(z), marker="None")
    right.plot(best, cost(best), "o", color=plot.COLORS[1], markersize=8)
    right.set(xlabel="z", ylabel=r"$(z-1.2)^2+2a|z|$", ylim=(0, 7))
    return f"With the threshold a = {a} the best z for t = 1.2 is {best:.2g}; every t between -{a} and {a} becomes 0."

explore(draw_threshold, {"a": [0.0, 0.25, 0.5, 1.0, 1.2, 2.0]}, start={"a": 0.5}, size=(6.5, 2.5))

# %% [markdown]
# **Claim.** For many variables alternate a gradient step on the squared error with the soft threshold, the *iterative
# shrinkage-thresholding algorithm* ([[eq:ista_update]]):
#
# $$Z\;\leftarrow\;S_{\eta\lambda}\big(Z-2\eta A^\top(AZ-X)\big),\qquad 0<\eta\le\frac1{2\,\sigma_1(A)^2},$$
#
# where $\sigma_1(A)$ is the largest singular value. Every step lowers $F$, the fixed points are the optimal codes, and after $T$
# steps from zero $F$ is within $\|Z_\star\|_F^2/(2\eta T)$ of its minimum.
#
# **Derive.** The squared error $E(Z)=\|X-AZ\|_F^2$ has the gradient $G=2A^\top(AZ-X)$, and for other codes $Z'$
#
# $$E(Z')=E(Z)+\langle G,Z'-Z\rangle+\|A(Z'-Z)\|_F^2\;\le\;E(Z)+\langle G,Z'-Z\rangle+\frac1{2\eta}\|Z'-Z\|_F^2 ,$$
#
# with $\langle G,H\rangle=\sum_{ij}G_{ij}H_{ij}$. Which condition on $\eta$ makes the inequality true? On the right $A$ has
# gone, so the entries of $Z'$ no longer interact. Complete the square.
#
# #### Exercise (derivation): the bound is a square
#
# *More, 10 minutes.*

# %%
@derivation("ch02.ista_chain")
def ista_chain(A, X, Z, Z_new, eta):
    """From the bound on the squared error of Z_new, seen from Z, to a square around the gradient step."""
    error, G = ((X - A @ Z) ** 2).sum(), 2 * A.T @ (A @ Z - X)  # value and gradient of the squared error at Z
    step = Z_new - Z
    yield error + (G * step).sum() + (step * step).sum() / (2 * eta)
    #: solution
    yield error + (step * step + 2 * eta * G * step).sum() / (2 * eta)
    yield error + ((step + eta * G) ** 2).sum() / (2 * eta) - eta / 2 * (G * G).sum()
    #: end
    yield ((Z_new - (Z - eta * G)) ** 2).sum() / (2 * eta) + error - eta / 2 * (G * G).sum()

# %% [markdown]
# <details><summary>From here to the step, and why F falls</summary>
#
# Only the square contains $Z'$. Add $\lambda\|Z'\|_1$ and multiply by $2\eta$: what is to be minimised is, entry by entry,
# $(z'-t)^2+2\eta\lambda|z'|$ with $t$ from $Z-\eta G$. That is the soft threshold with $a=\eta\lambda$. The bound touches $F$ at
# $Z'=Z$ and lies above it elsewhere; so its minimum is at most $F(Z)$, and $F$ there is lower still. And
# $\|A(Z'-Z)\|_F^2\le\sigma_1(A)^2\|Z'-Z\|_F^2$, hence the condition on $\eta$.
# </details>
#
# #### Exercise: one step of ISTA
#
# *Core, 10 minutes.*

# %%
@exercise("ch02.ista_step")
def ista_step(A: "(D, m)", X: "(D, N)", Z: "(m, N)", lam: float, eta: float) -> "(m, N)":
    """New codes after one step of ISTA from the codes Z, of size eta > 0, on ||X - A Z||_F^2 + lam ||Z||_1 (no one half).
    Your soft_threshold may be used.
    Example: A = [[1., 0.6], [0., 0.8]], X = [[2.], [1.]], Z = [[1.], [0.]], lam = 1., eta = 0.25  ->  [[1.25], [0.45]]"""
    #: solution
    return soft_threshold(Z - 2 * eta * A.T @ (A @ Z - X), eta * lam)
    #: end

# %% [markdown]
# **See.** The code of one sample under your steps. After one step there are many small entries; in the end the three that
# belong there stand out, a little shorter than they should be (the price of the $\ell^1$ norm), with hardly anything beside
# them. $F$ falls all the way.

# %%
eta, lam, Z, path = 0.5 / np.linalg.norm(A_true, 2) ** 2, 0.1, np.zeros((32, 100)), []
for t in range(301):
    path.append(np.asarray(Z))
    Z = ista_step(A_true, X_planted, Z, lam, eta)
F = lambda Z: ((X_planted - A_true @ Z) ** 2).sum() + lam * np.abs(Z).sum()
with figure("A code after 1 step, many small entries; after 300, three large ones as in the true one.", size=(6, 2.6)) as ax:
    ax.plot(Z_true[:, 9], "o", color="black", fillstyle="none", markersize=8, label="true")
    for t, color, marker in (1, plot.COLORS[1], "s"), (300, plot.COLORS[0], "^"):
        ax.plot(path[t][:, 9], marker, color=color, label=f"after {t}")
    for mine in yours(ista_step):
        ax.plot(mine(A_true, X_planted, path[0], lam, eta)[:, 9], **plot.DASHED)
    ax.set(xlabel="atom", ylabel="coefficient")
    ax.legend(loc="lower left")
show(objective_after_1_10_100_300=np.array([F(path[t]) for t in (1, 10, 100, 300)]))

# %% [markdown]
# <details><summary>If you read the book: a sign and a condition before [[eq:ista_update]]</summary>
#
# - *The sign.* The gradient and subgradient steps there are printed as $Z+\eta\nabla$ and $Z+\eta\,\partial$. Downhill is minus,
#   as in [[eq:ista_update]] itself. With the plus the objective explodes.
# - *The step size.* Convergence is stated for any $\eta\ge0$. It holds for $0<\eta<1/\sigma_1(A)^2$, and $F$ falls at every step
#   for $\eta\le1/(2\sigma_1(A)^2)$. With $\eta=0$ nothing moves; beyond $1/\sigma_1(A)^2$ the codes grow without limit.
# </details>

# %%
Z, plus = np.zeros((32, 100)), []
for _ in range(4):
    Z = Z + eta * (2 * A_true.T @ (A_true @ Z - X_planted) + lam * np.sign(Z))
    plus.append(F(Z))
show(with_the_plus=np.array(plus), with_the_minus=np.array([F(Z) for Z in path[1:5]]))
for factor in (0.0, 1.0, 1.8, 2.4):
    Z = np.zeros((32, 100))
    for _ in range(100):
        Z = np.asarray(ista_step(A_true, X_planted, Z, lam, factor * eta))
    show(step=factor, objective_after_100=F(Z) if F(Z) < 1e6 else "beyond a million")

# %% [markdown]
# #### Exercise: with momentum
# Take the step not from the codes but from a point beyond them, in the direction of the last move (*FISTA*, Beck and Teboulle,
# 2009; not in the book). The guarantee becomes $2\|Z_\star\|_F^2/(\eta\,(T+1)^2)$: the square of $T$ instead of $T$.
#
# *Challenge, 15 minutes.*

# %%
@exercise("ch02.fista")
def fista(A: "(D, m)", X: "(D, N)", lam: float, T: int) -> "(m, N)":
    """Codes after T >= 1 steps of FISTA from zero, with eta = 1 / (2 sigma_1(A)^2). Start with Z = Y = 0 and t = 1. Each step:
    new = the step of ISTA from Y;  t_new = (1 + sqrt(1 + 4 t^2)) / 2;  Y = new + beta (new - Z) with beta = (t - 1) / t_new;
    then new and t_new take the places of Z and t. The result is Z, not Y.
    Example: A = [[1., 0.], [0., 2.]], X = [[1.], [1.]], lam = 0., T = 3  ->  [[0.6177], [0.5]]"""
    #: solution
    eta, t = 0.5 / jnp.linalg.norm(A, 2) ** 2, 1.0
    Z = Y = jnp.zeros((A.shape[1], X.shape[1]))
    for _ in range(T):
        new = ista_step(A, X, Y, lam, eta)
        t_new = (1 + jnp.sqrt(1 + 4 * t**2)) / 2
        Y = new + (t - 1) / t_new * (new - Z)
        Z, t = new, t_new
    return Z
    #: end

# %%
counts = [1, 2, 5, 10, 20, 50, 100]
best = F(experiments_sparse.lasso_codes(A_true, X_planted, lam, 2000))
with figure("Gaps to the minimum over the steps: ISTA, FISTA below it from ten steps on, and the two guarantees.") as ax:
    ax.loglog(counts, [F(path[t]) - best for t in counts], label="ISTA")
    ax.loglog(counts, [F(np.asarray(fista(A_true, X_planted, lam, t))) - best for t in counts], label="FISTA")
    for mine in yours(fista):
        ax.plot(counts, [F(np.asarray(mine(A_true, X_planted, lam, t))) - best for t in counts], **plot.DASHED)
    size = (path[-1] ** 2).sum()
    ax.plot(counts, [size / (2 * eta * t) for t in counts], ":", color=plot.COLORS[0], marker="None", label="guaranteed for ISTA")
    ax.plot(counts, [2 * size / (eta * (t + 1) ** 2) for t in counts], ":", color=plot.COLORS[1], marker="None",
            label="guaranteed for FISTA")
    ax.set(xlabel="steps", ylabel="$F-F_\\star$")
    ax.legend()

# %% [markdown]
# ### 4.4 The same step as a layer
# **Claim.** A soft threshold is two ReLUs, $S_a(v)=\operatorname{ReLU}(v-a)-\operatorname{ReLU}(-v-a)$. So a step of ISTA is one
# layer of a recurrent network, $Z\leftarrow S_a(RZ+BX)$: data come in through $B$, codes feed back through $R$, and atoms that
# explain the same part of the data inhibit each other.
#
# #### Exercise: ISTA as a layer
#
# *More, 8 minutes.*

# %%
@exercise("ch02.ista_layer")
def ista_layer(A: "(D, m)", lam: float, eta: float) -> "(m, m), (m, D), ()":
    """The tuple (R, B, a) for which S_a(R Z + B X) is the step of ISTA from Z of size eta, for all X and Z.
    Example: A = [[1., 0.6], [0., 0.8]], lam = 1., eta = 0.25  ->  ([[0.5, -0.3], [-0.3, 0.5]], [[0.5, 0.], [0.3, 0.4]], 0.25)"""
    #: solution
    return jnp.eye(A.shape[1]) - 2 * eta * A.T @ A, 2 * eta * A.T, eta * lam
    #: end

# %%
relu, (R, B, a) = lambda V: np.maximum(V, 0), map(np.asarray, ista_layer(A_true, lam, eta))
Z = np.zeros((32, 100))
for _ in range(100):
    Z = relu(R @ Z + B @ X_planted - a) - relu(-R @ Z - B @ X_planted - a)
show(equals_ISTA_after_100_layers=bool(np.abs(Z - path[100]).max() < 1e-3))
for mine in yours(ista_layer):
    show(gap_of_your_R=np.abs(mine(A_true, lam, eta)[0] - R).max())

# %% [markdown]
# ### 4.5 Learning the dictionary
# **Claim.** If $A$ is unknown too, minimise over both, but hold the atoms: $\|a_j\|\le1$ ([[eqn:DL-overcomplete]]). Alternate
# ([[eqn:ISTA-update]], [[eqn:DL-update]])
#
# $$Z\leftarrow S_{\eta\lambda}\big(Z-2\eta A^\top(AZ-X)\big),\qquad
# A\leftarrow P\big(A-2\nu\,(AZ-X)Z^\top\big),\quad \nu\le\frac1{2\,\sigma_1(Z)^2},$$
#
# where $P$ shortens every atom longer than 1 to length 1. Neither step raises the objective.
#
# **Derive.** (1) Without the constraint replace $(A,Z)$ by $(A/c,\,cZ)$. What becomes of the two terms as $c\to0$? (2) Change
# $A$ by a small $dA$: the error changes by $2\langle AZ-X,\,dA\,Z\rangle$. Which matrix meets $dA$? (3) Which point of the unit
# ball is nearest to a given column?
#
# <details><summary>Answers</summary>
#
# (1) The product stays and $\lambda\|cZ\|_1=c\,\lambda\|Z\|_1$ vanishes: the infimum is not attained, atoms grow without limit.
# (2) $\langle AZ-X,\,dA\,Z\rangle=\langle(AZ-X)Z^\top,\,dA\rangle$: the gradient is $2(AZ-X)Z^\top$. That a step of size $\nu$
# does not raise the error is 4.3 again with the roles exchanged. (3) The column itself if it is inside, otherwise the column
# divided by its length.
# </details>
#
# #### Exercise: atoms no longer than 1
#
# *More, 6 minutes.*

# %%
@exercise("ch02.project_columns")
def project_columns(A: "(D, m)") -> "(D, m)":
    """The matrix nearest to A (in the sum of squares) whose columns have length at most 1. Columns may be 0.
    Example: A = [[3., 0.3], [4., 0.4]]  ->  [[0.6, 0.3], [0.8, 0.4]]"""
    #: solution
    return A / jnp.maximum(jnp.linalg.norm(A, axis=0), 1)
    #: end

# %% [markdown]
# #### Exercise: one step on the dictionary
#
# *Core, 10 minutes.*

# %%
@exercise("ch02.dictionary_step")
def dictionary_step(A: "(D, m)", X: "(D, N)", Z: "(m, N)", nu: float) -> "(D, m)":
    """The new dictionary: a gradient step of size nu > 0 on ||X - A Z||_F^2 (no one half, a sum over the samples), then every
    column longer than 1 is divided by its length. Codes may be 0 throughout. project_columns may be used.
    Example: A = [[1., 0.], [0., 0.5]], X = [[2.], [1.]], Z = [[1.], [1.]], nu = 0.25  ->  [[0.9864, 0.5], [0.1644, 0.75]]"""
    #: solution
    return project_columns(A - 2 * nu * (A @ Z - X) @ Z.T)
    #: end

# %% [markdown]
# **See.** Your two steps in turn, from 32 random atoms, on 300 samples with two atoms each, entries of size 1 to 2.
# Every row is an atom that was planted, every column one that was learned; bright means equal up to sign.

# %%
size = (32, 300)
X_many = A_true @ (rng.choice([-1, 1], size) * rng.uniform(1, 2, size) * (rng.random(size).argsort(axis=0) < 2))
A = A_start = rng.normal(size=(16, 32)) / 4
largest_step = lambda M: 0.5 / max(np.linalg.norm(M @ M.T, 2), 1e-9)
Z, seen, cosines = np.zeros(size), [1, 100, 600], []
for t in range(1, 601):
    Z = ista_step(A, X_many, Z, 0.2, largest_step(np.asarray(A)))
    A = dictionary_step(A, X_many, Z, largest_step(np.asarray(Z)))
    if t in seen:
        cosine = np.abs(A_true.T @ np.asarray(A)) / np.linalg.norm(A, axis=0)
        cosines.append(cosine[:, cosine.argmax(axis=1)])
last = largest_step(np.asarray(Z))
failing = [np.abs(A_true.T @ np.asarray(mine(A_start, X_many, Z, last))) for mine in yours(dictionary_step)]
alt = "Cosines of planted atoms with the learned ones nearest to them, after 1, 100 and 600 steps: a bright diagonal appears."
with figure(alt, size=(8, 2.8), ncols=3 + len(failing)) as axes:
    for ax, cosine, title in zip(axes, cosines + failing, [f"after {t}" for t in seen] + ["yours (fails)"]):
        ax.imshow(cosine, vmin=0, vmax=1)
        ax.set(title=title, xticks=[], yticks=[], xlabel="learned")
        ax.grid(False)
show(more_than_25_of_32_found=bool((cosines[-1].max(axis=1) > 0.95).sum() > 25))

# %% [markdown]
# <details><summary>If you read the book: [[eqn:ISTA-update]] and [[eqn:DL-update]] with one step each</summary>
#
# The inner loops run over $\ell=1,\dots,L$ and $t=1,\dots,T$, so the last code is number $L+1$, the last dictionary number
# $T+1$; but what is handed on is printed as number $L$ and number $T$. For $L=T=1$, the case the book uses, number 1 is the
# start: the codes stay 0 and the dictionary stays as it was, for ever. Hand on the last ones. The next cell does both.
#
# [[fig:ReconMNIST]] is said to come from that scheme. Its caption names another one, warm steps like yours; and the book's code
# for it has a factor one half before the square, so that its $\lambda=0.1$ is $0.2$ in the convention of the text. The codes are
# called far sparser than those of the orthogonal dictionary, but the caption counts 20 nonzeros of 512 against 17 of 64: sparser
# as a fraction, not in number. What more atoms buy is a smaller error.
# </details>

# %%
def blocks(index, number):
    A, values = A_start, []
    for _ in range(number):
        codes = [np.zeros(size)]
        codes.append(np.asarray(ista_step(A, X_many, codes[0], 0.2, largest_step(np.asarray(A)))))
        Z = codes[index]
        dictionaries = [A, np.asarray(dictionary_step(A, X_many, Z, largest_step(Z)))]
        A = dictionaries[index]
        values.append(((X_many - A @ Z) ** 2).mean() * 16 + 0.2 * np.abs(Z).sum() / 300)
    return np.array(values)

show(per_sample_with_the_printed_indices=blocks(0, 3), with_the_last_ones=blocks(1, 3))

# %% [markdown]
# **Real data.** What does a dictionary learn from photographs? We cut 1,200 patches of $8\times8$ pixels from five photographs,
# subtract the mean of each, drop those with little contrast (more than half: sky, fur, blur) and bring the others to length 1.
# `sparse.dictionary_learning` goes the same way as you, faster: a few accelerated steps on the codes, then one atom after another
# set to its best. Of 128 atoms, after 80 such rounds from noise, the 64 that are used most are shown. Nobody asked for it, and
# yet most are *oriented edges and bars*, somewhere in the patch, as in the first stage of the visual cortex (Olshausen and
# Field, 1996).

# %%
patches = np.asarray(data.natural_patches(jax.random.key(0), 5000))
contrast = np.linalg.norm(patches, axis=0)
patches = (patches / np.maximum(contrast, 1e-9))[:, contrast > 0.5][:, :1200]
start = np.random.default_rng(0).normal(size=(64, 128))
edges, patch_codes, history = map(np.asarray, sparse.dictionary_learning(start, patches, 0.3, 80))
used = (patch_codes != 0).mean(axis=1)
edges = edges[:, np.argsort(-used)]
with figure("64 learned atoms as small images: mostly edges and bars in many directions and places.", size=(6.5, 1.7)) as ax:
    plot.images(ax, edges[:, :64], columns=16)
show(share_with_little_contrast=(contrast <= 0.5).mean(), fewer_than_12_of_128_used_at_a_time=bool(128 * used.mean() < 12))

# %% [markdown]
# **Play.** One patch and its code. A larger $\lambda$ uses fewer atoms and keeps less of the patch. Which is the smallest number
# of atoms at which you still recognise it?

# %%
def draw_patch(fig, lam):
    x = patches[:, [16]]
    z = np.asarray(sparse.fista(edges, x, lam, 300)[0])[:, 0]
    largest = np.argsort(-np.abs(z))[:6]
    shown = np.column_stack([x, edges @ z, np.where(z[largest] != 0, edges[:, largest], np.nan)])
    titles = ["patch", "from its code", *[f"{c:.2f}" if c else "" for c in z[largest]]]
    plot.images(fig.subplots(), shown / np.abs(shown).max(axis=0), titles=titles)
    count, error = (np.abs(z) > 0.01).sum(), np.linalg.norm(x[:, 0] - edges @ z)
    return f"With lambda = {lam} the patch takes {count} atoms with more than 0.01 (six shown); relative error {error:.1g}."

explore(draw_patch, {"lam": [0.05, 0.1, 0.2, 0.4, 0.8, 1.2]}, start={"lam": 0.4}, size=(7, 1.3))

# %% [markdown]
# ### 4.6 Learned ISTA
# **Claim.** ISTA needs hundreds of steps. Stop after $L$ of them and give each its own dictionary: a network of $L$ layers
# ([[sec:LISTA]])
#
# $$Z^{\ell+1}=S_{\eta\lambda}\big(Z^\ell-2\eta A^{\ell\top}(A^\ell Z^\ell-X)\big),\qquad Z^1=0,\quad\ell=1,\dots,L .$$
#
# Its dictionaries are trained on pairs of data and codes, to make $\|Z^{L+1}-Z\|_F^2$ small ([[eq:lista-training]]).
#
# #### Exercise: learned ISTA
#
# *More, 8 minutes.* Use jnp functions: this one will be differentiated.

# %%
@exercise("ch02.lista")
def lista(As: "(L, D, m)", X: "(D, N)", lam: float, eta: float) -> "(m, N)":
    """Codes after the last of L layers. Layer l = 0, ..., L - 1 is one step of ISTA with the dictionary As[l], of size eta; the
    codes before the first layer are 0. Your ista_step may be used.
    Example: As = [[[1.]], [[2.]]], X = [[1.]], lam = 0.4, eta = 0.25  ->  [[0.5]]"""
    #: solution
    Z = jnp.zeros((As.shape[2], X.shape[1]))
    for A in As:
        Z = ista_step(A, X, Z, lam, eta)
    return Z
    #: end

# %% [markdown]
# <details><summary>If you read the book: which codes the loss is for</summary>
#
# [[eq:lista-training]] is printed with $Z^L$, the codes *before* the last layer; its figure shows those after it. With $Z^L$ the
# last dictionary never acts: its gradient is exactly 0. The loss belongs to $Z^{L+1}$. (The same index appears where the sparse
# autoencoder is called a LISTA with one layer, and with two.)
# </details>

# %%
As, X_pairs, Z_pairs = jnp.stack([A_true] * 3), jnp.asarray(A_true @ Z_true), jnp.asarray(Z_true)
loss = lambda As, layers: ((lista(As[:layers], X_pairs, 0.1, eta) - Z_pairs) ** 2).sum()
for name, layers in {"before the last layer": 2, "after the last layer": 3}.items():
    gradient = jax.grad(loss)(As, layers)
    show(loss_on_the_codes=name, sizes_of_the_gradients=jnp.sqrt((gradient**2).sum(axis=(1, 2))))

# %% [markdown]
# **See.** Your layers, trained: five of them, from the true dictionary, 400 steps of Adam on batches of 128 fresh samples. The
# error of the codes (in dB, $-10$ is a tenth) falls far below that of five steps of ISTA; it takes ISTA some forty steps with a
# good $\lambda$ to come as far. How LISTA fares against other networks is a question for 4.10.

# %%
X_test, Z_test = experiments_sparse.planted(np.random.default_rng(1), A_true, 1000)
errors, losses = experiments_sparse.train_lista(lista, A_true, X_test, Z_test, layers=5, steps=400)
with figure("Error of codes: ISTA falls slowly with its steps, five trained layers lie as low as about forty of them.") as ax:
    for lam_ista, color in (0.05, plot.COLORS[0]), (0.2, plot.COLORS[2]):
        found = experiments_sparse.ista_path(A_true, X_test, lam_ista, range(1, 101))
        fall = [experiments_sparse.decibel(Z, Z_test) for Z in found]
        ax.semilogx(range(1, 101), fall, color=color, marker="None", label=rf"ISTA, $\lambda$ = {lam_ista}")
    ax.plot(5, errors[0], "o", color="#999999", label="five layers, untrained")
    ax.plot(5, errors[1], "s", color=plot.COLORS[1], markersize=8, label="five layers, trained")
    ax.set(xlabel="steps or layers", ylabel="error of the codes, dB")
    ax.legend()

# %% [markdown]
# ### 4.7 Sparse autoencoders
# **Claim.** Signs can be traded for atoms: with $[A,-A]$ and $\binom{\max(Z,0)}{\max(-Z,0)}$ the product and the $\ell^1$ norm
# stay, and no code is negative. For codes that may not be negative the soft threshold becomes $\max(\cdot-\eta\lambda,\,0)$. So
# *one* step of ISTA from a fixed code $z$ is
#
# $$x\;\mapsto\;\operatorname{ReLU}\big(2\eta A^\top x+b\big),\qquad b=z-2\eta A^\top Az-\eta\lambda\mathbf 1 :$$
#
# the encoder of a *sparse autoencoder* with tied weights, trained on the LASSO objective ([[eq:sae-loss]]).
#
# #### Exercise: codes that are not negative
#
# *More, 6 minutes.*

# %%
@exercise("ch02.double_dictionary")
def double_dictionary(A: "(D, m)", Z: "(m, N)") -> "(D, 2 * m), (2 * m, N)":
    """The tuple (A2, Z2): A2 holds the atoms of A, then their negatives, both in the order of A. Z2 >= 0, A2 Z2 = A Z, and the
    entries of Z2 add up to ||Z||_1.
    Example: A = [[1.], [2.]], Z = [[3., -4.]]  ->  ([[1., -1.], [2., -2.]], [[3., 0.], [0., 4.]])"""
    #: solution
    return jnp.hstack([A, -A]), jnp.vstack([jnp.maximum(Z, 0), jnp.maximum(-Z, 0)])
    #: end

# %% [markdown]
# #### Exercise: the encoder
#
# *More, 10 minutes.*

# %%
@exercise("ch02.sae_from_ista")
def sae_from_ista(A: "(D, m)", z: "(m,)", lam: float, eta: float) -> "(m, D), (m,)":
    """Weights W and bias b for which ReLU(W x + b) is, for every sample x, one step of size eta of nonnegative ISTA from the code
    z >= 0: a gradient step on ||x - A z||^2, then max(. - eta lam, 0).
    Example: A = [[1.], [0.5]], z = [1.], lam = 0.4, eta = 0.25  ->  ([[0.5, 0.25]], [0.275])"""
    #: solution
    return 2 * eta * A.T, z - 2 * eta * A.T @ (A @ z) - eta * lam
    #: end

# %% [markdown]
# **See.** The atom and its negative for each of the 32, and one sample: what a single encoder step reads off, and what the same
# step makes of it when repeated 200 times. One step sees the right atoms, but too faintly, and many others with them.

# %%
A2, Z2 = map(np.asarray, double_dictionary(A_true, Z_true))
eta2, x = 0.5 / np.linalg.norm(A2, 2) ** 2, A_true @ Z_true[:, 9]
stages, z = {}, np.zeros(64)
for t in range(1, 201):
    W, b = map(np.asarray, sae_from_ista(A2, z, 0.1, eta2))
    z = np.maximum(W @ x + b, 0)
    stages[t] = z
with figure("A doubled code with three nonzeros; one encoder step finds many small ones, 200 steps the right three.") as ax:
    ax.plot(Z2[:, 9], "o", color="black", fillstyle="none", markersize=8, label="true")
    for t, color, marker in (1, plot.COLORS[1], "s"), (200, plot.COLORS[0], "^"):
        ax.plot(stages[t], marker, color=color, label=f"step {t}")
    for mine in yours(sae_from_ista):
        W, b = map(np.asarray, mine(A2, np.zeros(64), 0.1, eta2))
        ax.plot(np.maximum(W @ x + b, 0), **plot.DASHED)
    ax.set(xlabel="atom: 32, then their negatives", ylabel="coefficient")
    ax.legend()

# %% [markdown]
# <details><summary>If you read the book: a missing X, and "identical"</summary>
#
# - *The encoder.* The step is printed as $\max\{2\eta(A^1)^\top+(\dots),0\}$; the data are missing: $2\eta(A^1)^\top X$. As
#   printed an $m\times D$ matrix is added to an $m\times N$ one.
# - *Identical to the encoder?* Only if weights are tied, $W_{\text{enc}}=2\eta W_{\text{dec}}^\top$. Those in use are not tied,
#   and it matters: see 4.10. The next cell fits the decoder that a generic encoder would belong to.
# </details>

# %%
W, b = map(np.asarray, sae_from_ista(A2, np.zeros(64), 0.1, eta2))
X_some, Z_some = X_planted[:, :5], np.full((64, 5), 0.1)
step = np.maximum(Z_some - 2 * eta2 * A2.T @ (A2 @ Z_some - X_some) - 0.1 * eta2, 0)
bias = np.asarray(sae_from_ista(A2, Z_some[:, 0], 0.1, eta2)[1])[:, None]
show(gap_with_X=np.abs(np.maximum(W @ X_some + bias, 0) - step).max(), shape_without_X=str(W.shape),
     shape_of_the_rest=str(Z_some.shape))
other = np.random.default_rng(2).normal(size=W.shape)  # an encoder that is not tied to the decoder
show(cosine_to_the_tied_one=(other * W).sum() / np.linalg.norm(other) / np.linalg.norm(W))

# %% [markdown]
# ### 4.8 Layers that learn on the way
# **Claim.** Put the two steps of 4.5 into one layer ([[eq:ISTA-update-layerwise]]): forward it computes codes, and in passing it
# improves the dictionary that the next layer will use. No error is sent back through the layers.
#
# #### Exercise: a layer that learns
#
# *More, 8 minutes.*

# %%
@exercise("ch02.layerwise_step")
def layerwise_step(A: "(D, m)", X: "(D, N)", Z: "(m, N)", lam: float, eta: float, nu: float) -> "(D, m), (m, N)":
    """The tuple (new A, new Z) after one layer. First the codes: a step of ISTA of size eta with A as it came in. Then the atoms:
    a projected gradient step of size nu with the new codes, as in dictionary_step. Your functions may be used.
    Example: A = [[1.], [0.]], X = [[2.], [1.]], Z = [[1.]], lam = 1., eta = 0.25, nu = 0.2
        ->  ([[0.9398], [0.3417]], [[1.25]])"""
    #: solution
    Z_new = ista_step(A, X, Z, lam, eta)
    return dictionary_step(A, X, Z_new, nu), Z_new
    #: end

# %% [markdown]
# **See.** A hundred and fifty layers from random atoms. Dashed, what [[eq:ISTA-update-layerwise]] does as printed (below).

# %%
def layers(step, number=150):
    A, Z, lengths, values = A_start, np.zeros(size), [], []
    for _ in range(number):
        A, Z = map(np.asarray, step(A, X_many, Z, 0.2, largest_step(A), 2e-3))
        lengths.append(np.linalg.norm(A, axis=0).mean())
        values.append(((X_many - A @ Z) ** 2).sum() / 300 + 0.2 * np.abs(Z).sum() / 300)
    return lengths, values

def printed(A, X, Z, lam, eta, nu):
    Z = np.asarray(soft_threshold(Z - 2 * eta * A.T @ (A @ Z - X), eta * lam))
    return A - 2 * nu * (A @ Z - X) @ Z.T, Z

alt = "Left: mean length of atoms, at most 1 with the projection, growing without. Right: objectives."
with figure(alt, size=(6.5, 2.5), ncols=2) as axes:
    runs = [(layers(layerwise_step), dict(label="projected")), (layers(printed), dict(linestyle="--", label="as printed"))]
    runs += [(layers(mine), plot.DASHED) for mine in yours(layerwise_step)]
    for curves, look in runs:
        for ax, curve in zip(axes, curves):
            ax.plot(curve, **{"marker": "None"} | look)
    axes[0].set(xlabel="layers", ylabel="mean length of the atoms")
    axes[1].set(xlabel="layers", ylabel="objective per sample")
    axes[1].legend()

# %% [markdown]
# <details><summary>If you read the book: a projection went missing in [[eq:ISTA-update-layerwise]]</summary>
#
# The scheme is called a relabelling of the alternating one with $L=T=1$. Two things differ: its codes go on from layer to layer,
# which is good, and its atoms are not held, which is not. Without the projection it runs into the scale ambiguity of 4.5: atoms
# grow, codes shrink, the objective falls below anything that unit atoms allow, and the weight $\lambda$ loses its meaning.
# </details>

# %%
A, Z = A_start, np.zeros(size)
for t in range(1, 501):
    A, Z = printed(A, X_many, Z, 0.2, largest_step(A), largest_step(Z) if t > 1 else 2e-3)
    if t in (10, 100, 500):
        length, size_of_code = np.linalg.norm(A, axis=0).mean(), np.abs(Z).sum() / 300
        show(layers=t, mean_length_of_atoms=round(length), l1_norm_of_a_code=f"{size_of_code:.1g}")

# %% [markdown]
# ### 4.9 One idea behind three methods
# **Claim.** Power iteration, FastICA and MSP ([[tab:power-method-summary]]) are one: *take the gradient and go to the nearest
# point of the set*, $U\leftarrow P_{\mathcal C}(\nabla f(U))$. For frames, $\mathcal C=\{U:U^\top U=I_d\}$ - unit vectors for
# $d=1$, orthogonal matrices for $d=D$ - the nearest point to $G$ is $PQ^\top$ from the thin decomposition
# $G=P\operatorname{diag}(s)\,Q^\top$. And if $f$ is convex, a step *gains* at least
#
# $$f(U_+)-f(U)\;\ge\;\langle\nabla f(U),\,U_+-U\rangle\;=\;\sum_is_i-\langle\nabla f(U),\,U\rangle\;\ge\;0 .$$
#
# **Derive.** All frames have the same $\|U\|_F^2=d$: why is the nearest one to $G$ the one with the largest $\langle G,U\rangle$?
# How large can that be? And what does a convex function do above its tangent plane?
#
# <details><summary>Answers</summary>
#
# $\|U-G\|_F^2=d-2\langle G,U\rangle+\|G\|_F^2$. With $V=P^\top UQ$, whose entries are at most 1 in size,
# $\langle G,U\rangle=\sum_is_iV_{ii}\le\sum_is_i$, and $U=PQ^\top$ attains it. A convex $f$ lies above its tangent plane at $U$:
# the first inequality; the step maximises $\langle\nabla f(U),\cdot\rangle$ over frames, $U$ among them: the last.
# </details>
#
# #### Exercise: one step for every power method
#
# *Challenge, 12 minutes.*

# %%
@exercise("ch02.gpm_step")
def gpm_step(U: "(D, d)", G: "(D, d)") -> "(D, d), ()":
    """The tuple (U_new, gain): U_new has orthonormal columns and is nearest to G (in the sum of squares); gain is
    sum(G * (U_new - U)). U has orthonormal columns, G is the gradient at U and has rank d <= D.
    Example: U = [[1.], [0.]], G = [[3.], [4.]]  ->  ([[0.6], [0.8]], 2.)"""
    #: solution
    P, s, Qt = jnp.linalg.svd(G, full_matrices=False)
    return P @ Qt, s.sum() - (U * G).sum()
    #: end

# %% [markdown]
# **See.** Three gradients, your step, and the kernels made for each: after five steps they agree. For power iteration
# $f(u)=\frac12u^\top Mu$; for MSP $f(U)=\frac1{4N}\sum|U^\top X|^4$ with $U=W^\top$; FastICA subtracts $3U$ from that gradient,
# which costs the guarantee: its $f$ is not convex.

# %%
X = np.random.default_rng(3).laplace(size=(4, 4)) @ np.random.default_rng(4).laplace(size=(4, 2000))
white, I = np.linalg.inv(np.linalg.cholesky(X @ X.T / 2000)) @ X, np.eye(4)  # white: X X^T / N = I
cube = lambda U: white @ (white.T @ U) ** 3 / 2000
stretched = white * np.array([[2.0], [1.5], [1.0], [0.5]])
methods = {"power iteration": (lambda u: stretched @ (stretched.T @ u) / 2000, np.full((4, 1), 0.5),
                               lambda u: subspace.power_iteration(stretched, u[:, 0], 5)[0][:, None]),
           "MSP": (cube, I, lambda U: independent.msp(U.T, white, 5)[0].T),
           "FastICA": (lambda U: cube(U) - 3 * U, I, lambda U: independent.fastica(U.T, white, 5, 0.0)[0].T)}
for name, (gradient, U, kernel) in methods.items():
    start, least = U, np.inf
    for _ in range(5):
        U, gain = map(np.asarray, gpm_step(U, gradient(U)))
        least = min(least, gain)
    equal = bool(np.abs(U - kernel(start)).max() < 1e-3)
    show(method=name, equals_its_kernel=equal, smallest_gain_is_not_negative=bool(least > -1e-4))

# %% [markdown]
# <details><summary>If you read the book: the table</summary>
#
# In [[tab:power-method-summary]] power iteration should read $u_{t+1}=\dots$; and the row of MSP names $U$ but iterates the
# analysis matrix, which tends to $U^\top$ (up to signs and order): read $W_{t+1}=P[(W_tX)^{\circ3}X^\top]$, or transpose all of
# it, as here.
# </details>

# %% [markdown]
# ### 4.10 Doubt
# Optional: where the claims of this part stop being true. The tables and curves of the longer experiments (up to three minutes
# each on two cores) are stored with the lesson; what made them can be read and changed in `long_sparse.py` and `long_lista.py`
# in `chapters/ch02_linear_independent`. With `RUN_LONG=1` in the environment they are computed anew. Bars are standard deviations
# over three seeds.
#
# <details><summary>Are subgradient steps really so slow, and is ISTA fast?</summary>
#
# The guarantees of 4.3 are for the worst case. On random dictionaries with many nonzeros (30 of 128, in 64 dimensions) the
# subgradient method with steps $\eta/\sqrt t$ still has a twentieth of its first gap after 300 steps, and not one exact zero.
# ISTA is some thirty times lower by then, FISTA two hundred thousand times. Up to a hundred steps ISTA's slope is close to the
# guaranteed $-1$, and FISTA's steeper than $-2$.
# </details>

# %%
gaps = np.array([experiments_sparse.solver_gaps(seed, 300) for seed in range(3)])
t = np.arange(1, 301)
alt = "Gaps to the minimum over 300 steps, three seeds each: subgradient hardly falls, ISTA does, FISTA most; two slopes dotted."
with figure(alt, size=(6, 2.8)) as ax:
    for i, name in enumerate(["subgradient", "ISTA", "FISTA"]):
        ax.loglog(t, gaps[:, i].T, color=plot.COLORS[i], linewidth=1.2, marker="None", label=[name, None, None])
    for power, label in (1, "slopes $-1$ and $-2$"), (2, None):
        ax.loglog(t, 60 / t**power, ":", color="black", marker="None", label=label)
    ax.set(xlabel="steps", ylabel="$F-F_\\star$")
    ax.legend()

# %% [markdown]
# <details><summary>Does recovery need incoherent atoms?</summary>
#
# The guarantee of 4.2 does; recovery mostly does not. For 128 random atoms in 64 dimensions $\mu\approx0.45$, which vouches for
# a single nonzero (dotted). Found are fifteen or more; beyond thirty, hardly any. Which method is better hangs on the *values*:
# for entries of equal size OMP fails at ten already, while the $\ell^1$ norm does not care (without noise its success depends on
# the signs alone).
#
# Then five nonzeros, and atoms pulled together (table): all of them towards one direction, or in pairs towards each other. OMP
# minds the pairs, where it takes the twin, and hardly the common direction; the $\ell^1$ norm minds neither, even at $\mu>0.95$.
# Part of the reason: $AZ=X$ may be multiplied by any invertible matrix without changing its solutions, and that changes $\mu$ at
# will. With noise this is no longer so: what separates twins amplifies noise.
# </details>

# %%
from chapters.ch02_linear_independent import long_lista, long_sparse

limits = measured(long_sparse.recovery_limits)
alt = "Share of codes recovered against the number of nonzeros; OMP with entries of equal size falls first."
with figure(alt, size=(6, 2.8)) as ax:
    for i, (method, line) in enumerate(zip(limits["methods"], ("-", "--"))):
        for j, values in enumerate(("normal values", "equal sizes")):
            share, look = limits["by_k"][i, j], dict(color=plot.COLORS[j], linestyle=line, marker=plot.MARKERS[2 * i + j])
            ax.errorbar(limits["ks"], share.mean(axis=-1), share.std(axis=-1), **look, label=f"{method}, {values}")
    ax.axvline(1.6, linestyle=":", color="black", marker="None")
    ax.set(xlabel="nonzeros", ylabel="share recovered")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
for j, pull in enumerate(("common direction", "pairs")):
    print(f"{pull:17} coherence" + "".join(f"{mu:6.2f}" for mu in limits["coherence"][j].mean(axis=-1)))
    for i, method in enumerate(limits["methods"]):
        print(f"{method:>27}" + "".join(f"{share:6.2f}" for share in limits["by_coherence"][i, j].mean(axis=-1)))

# %% [markdown]
# <details><summary>Does alternating find the dictionary?</summary>
#
# The problem is not convex, and the theorems the book refers to are local. From random atoms, 32 in 16 dimensions, with
# `sparse.dictionary_learning` and 2,000 steps on the codes: with two or three nonzeros a sample nearly all atoms are found from
# 250 samples on, with four from 500; with five about half of them from 2,000, with six hardly any. But slow is not stuck: four
# times as many steps find nearly all for five. For six they find a third, although these samples determine them: starts at
# cosines of 0.9 lead to every one.
#
# Last, four ways with 2,000 steps on the codes each, three nonzeros. One gradient step on codes and atoms in turn, as in 4.5, is
# better than twenty of each; setting every atom to its best is better still. To draw new atoms in every block (as in
# [[eqn:DL-update]]) or to go on from the old ones makes little difference, as the codes were found with the old ones either way.
# </details>

# %%
atoms = measured(long_sparse.atoms_found)
print("share found, N =" + "".join(f"{N:12}" for N in atoms["Ns"]))
for k, share in zip(atoms["ks"], atoms["by_k_and_N"]):
    cells = [f"{mean:6.2f} ({spread:.2f})" for mean, spread in zip(share.mean(axis=-1), share.std(axis=-1))]
    print(f"{k} nonzeros      " + "".join(cells))
for k, share in zip((5, 6), atoms["harder"]):
    far, near = share
    print(f"{k} nonzeros: random start, 2,000 sweeps {far.mean():.2f} ({far.std():.2f}), near start {near.mean():.2f}")
for method, share, value in zip(atoms["methods"], atoms["by_method"], atoms["objective"]):
    print(f"{method:22}found {share.mean():.2f} ({share.std():.2f})   objective {value.mean():.2f} ({value.std():.2f})")

# %% [markdown]
# <details><summary>What does it cost to learn without back-propagation?</summary>
#
# Depth. The LASSO objective per test sample (0.45 is about the best there is): ten layers of 4.8 have learned little;
# a hundred get half of the way from there, a thousand arrive: the network is the training run itself. Ten layers trained by
# back-propagation on the same objective come within a few percent with a hundredth of the depth. Ten steps of ISTA with the
# well-learned dictionary do not: what back-propagation found is not a better dictionary but ten dictionaries that hurry.
# </details>

# %%
cost = measured(long_sparse.layerwise_cost)
rows = {f"{L} layers that learn on the way": values for L, values in zip(cost["Ls"], cost["layerwise"])}
rows |= {"10 layers, by back-propagation": cost["network"], "learned atoms, 10 steps of ISTA": cost["dictionary"][0],
         "learned atoms, 1000 steps of ISTA": cost["dictionary"][1]}
for name, values in rows.items():
    print(f"{name:36}{values.mean():.2f} ({values.std():.2f})")

# %% [markdown]
# <details><summary>Does an overcomplete learned dictionary give sparser codes?</summary>
#
# Digits of $8\times8$ pixels, codes of 500 that were not learned from, five $\lambda$ each. At equal numbers of nonzeros 256
# learned atoms give smaller errors than 64, but not by much: about a tenth. The control that matters is 256 *training images
# as they are*: with ten nonzeros they are about as good as the 64 learned atoms, with more they fall behind. With OMP (table)
# two raw images are clearly better than any two learned atoms, five are as good, and at ten the 256 learned ones win. While
# few are used principal components have one and a half times the error, and random atoms are hopeless. Learning pays where
# many small corrections are wanted. And one $\lambda$ alone means different things to different dictionaries: say *how many*
# nonzeros and *which* error.
# </details>

# %%
frontier = measured(long_sparse.digit_frontier)
alt = "Relative error against nonzeros for five dictionaries: 256 learned atoms lowest, 64 just above, raw images above these."
with figure(alt, size=(6.5, 2.8)) as ax:
    for name, count, error, marker in zip(frontier["names"], frontier["nonzeros"], frontier["errors"], plot.MARKERS):
        spread = dict(yerr=error.std(axis=-1), xerr=count.std(axis=-1))
        ax.errorbar(count.mean(axis=-1), error.mean(axis=-1), **spread, label=str(name), marker=marker)
    ax.set(xlabel=r"nonzeros per image ($\lambda$ from 0.8 on the left to 0.05)", ylabel="relative error", ylim=(0, 0.42))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
print(f"{'error with OMP, k =':24}" + "".join(f"{k:12}" for k in frontier["ks"]))
for name, error in zip(frontier["names"], frontier["omp_errors"]):
    print(f"{name:24}" + "".join(f"{e.mean():6.2f} ({e.std():.2f})" for e in error))

# %% [markdown]
# <details><summary>LISTA against a black box</summary>
#
# Codes with 3 nonzeros of 32 from 16 numbers; 3,000 steps of Adam on the same samples for each network, the better of two
# learning rates by validation; errors in dB. What came out:
#
# - With 20,000 samples, started from the true dictionary, LISTA is better by 10 dB than a perceptron of its size and by 4 dB than
#   one thirty times as large, and it keeps the lead for 6 nonzeros and for noise.
# - Much of this is what it was told. From a random start it is 7 dB worse, and the large perceptron beats it.
# - Its thresholds are fixed numbers. Inputs ten times as large ruin it, while the large perceptron loses little. Dividing every
#   sample by its length and multiplying afterwards repairs it completely, and helps a little elsewhere.
# - With 200 samples nobody learns much: from the true dictionary LISTA ends where five steps of ISTA, untrained, are already,
#   and is worse elsewhere; on large inputs worse than answering 0.
# - A thousand steps of ISTA beat all networks on the first two tests. They need the true dictionary and two hundred times the
#   work; their $\lambda$, chosen without noise, is too small for noise, and it, too, is tied to a scale.
# </details>

# %%
race = measured(long_lista.lista_against_networks)
print(f"{'':36}{'samples':>8}{'numbers':>8}" + "".join(f"{test:>14}" for test in race["tests"]))
for method, samples, numbers, error in zip(race["methods"], race["samples"], race["numbers"], race["error"]):
    cells = "".join(f"{mean:8.1f} ({spread:.1f})" for mean, spread in zip(error.mean(axis=0), error.std(axis=0)))
    print(f"{method:36}{samples or '-':>8}{numbers or '-':>8}{cells}")

# %%
alt = "Errors of codes in dB for five networks on four tests; on large inputs only LISTA with scaling keeps its lead."
with figure(alt, size=(7, 2.6)) as ax:
    for i in range(5):
        error = race["error"][i]
        ax.errorbar(np.arange(4) + 0.08 * (i - 2), error.mean(axis=0), error.std(axis=0), linestyle="None",
                    marker=plot.MARKERS[i], label=str(race["methods"][i]))
    ax.axhline(0, color="black", linestyle=":", marker="None", label="answering 0")
    ax.set(xticks=range(4), xticklabels=race["tests"], ylabel="error, dB")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %% [markdown]
# <details><summary>Do sparse autoencoders find the features?</summary>
#
# When features are planted one can count. 64 features in 32 dimensions, three at once: for a $\lambda$ in a window nearly all are
# found; below it the codes are dense and none is; above it they are lost again. The window is wider for untied weights (a
# tied encoder has to detect with the same vectors that it explains with). With eight features at once it lies four times higher,
# and no $\lambda$ finds all. And where features always come in *pairs*, at most four in ten are found: two atoms that are always
# used together are cheaper to replace by others in their plane, such as their sum. On real networks nobody knows where the
# window is: that codes are sparse does not show that features are true.
# </details>

# %%
window = measured(long_lista.sparse_autoencoder_window)
alt = "Share of features found against lambda: high within a window only, which moves and shrinks; pairs stay below a half."
with figure(alt, size=(6.5, 2.6)) as ax:
    for setting, share, marker in zip(window["settings"], window["found"], plot.MARKERS):
        ax.errorbar(window["lams"], share.mean(axis=-1), share.std(axis=-1), label=str(setting), marker=marker)
    ax.set(xscale="log", xlabel=r"$\lambda$", ylabel="share of features found")
    ax.set_xticks(window["lams"], [f"{lam:g}" for lam in window["lams"]])
    ax.minorticks_off()
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
