# %% [markdown]
# ## Part 2: Finding it step by step, and through noise
#
# After this part you can
# - find principal components with nothing but matrix-vector products, and say beforehand how many you need;
# - learn them from a stream of samples, one at a time;
# - say which noise leaves the subspace findable, and how much to shrink what you see;
# - say how many entries of a low-rank matrix have to be seen before the others follow.
#
# Core exercises: 23 minutes. *More* and *challenge* exercises are for those who want them.

# %% [markdown]
# ### 2.1 Power iteration
# **Claim.** Let $M$ be symmetric with eigenvalues $\lambda_1>\lambda_2\ge\dots\ge\lambda_D\ge0$ and orthonormal eigenvectors
# $w_1,\dots,w_D$. Multiply a random vector by $M$ again and again, each time bringing it back to length 1
# ([[eq:power_iteration]]):
#
# $$v_0\sim N(0,I),\qquad v_{t+1}=\frac{Mv_t}{\|Mv_t\|} .$$
#
# With probability one $v_t$ tends to $w_1$ or to $-w_1$, and the tangent of its angle to that line shrinks at least by
# $\lambda_2/\lambda_1$ at every step.
#
# #### Exercise: one step
# *Core, 5 minutes.*

# %%
@exercise("ch02.power_step")
def power_step(M: "(D, D)", v: "(D,)") -> "(D,)":
    """One step of power iteration: M v, brought to Euclidean length 1. v may have any length; M v is not zero.
    Example: M = [[2., 1.], [1., 2.]], v = [1., 0.]  ->  [0.8944, 0.4472]"""
    #: solution
    w = M @ v
    return w / jnp.linalg.norm(w)
    #: end

# %% [markdown]
# **Play.** $M$ turns the unit circle into an ellipse and pulls every vector towards its long axis. What happens as
# $\lambda_2/\lambda_1$ comes close to 1?

# %%
def draw_ellipse(fig, ratio, T):
    ax, a = fig.subplots(), jnp.linspace(0, 2 * jnp.pi, 200)
    W = jnp.array([[0.8, -0.6], [0.6, 0.8]])
    M, v = W @ jnp.diag(jnp.array([1, ratio])) @ W.T, W @ jnp.array([0.28, 0.96])
    ax.plot(*(M @ jnp.stack([jnp.cos(a), jnp.sin(a)])), color="#999999", marker="None")
    ax.axline((0, 0), (0.8, 0.6), color="black", linestyle=":")
    for t in range(T + 1):
        ax.annotate("", v, (0, 0), arrowprops=dict(arrowstyle="->", lw=1.8, color=plot.COLORS[0], alpha=0.25 + 0.75 * t / T))
        for mine in yours(power_step):
            ax.plot(*mine(M, v), "x", color="#444444")
        v = power_step(M, v)
    ax.set(xlim=(-1.1, 1.1), ylim=(-0.9, 1.1), aspect="equal")
    return f"lambda_2 / lambda_1 = {ratio}: {T} steps leave {ratio**T:.2g} of the tangent of the angle to the long axis."

explore(draw_ellipse, {"ratio": [0.3, 0.6, 0.8, 0.95], "T": [1, 2, 4, 8, 16]}, start={"ratio": 0.6, "T": 4}, size=(5, 4))

# %% [markdown]
# **Derive.** Normalising at the end or at every step gives the same direction. So write the start in the eigenbasis,
# $v_0=\sum_i\alpha_iw_i$, and let $M$ act $T$ times:
#
# $$v_T=\frac{M^Tv_0}{\|M^Tv_0\|}=\frac{\sum_i\lambda_i^T\alpha_iw_i}{\|\cdot\|}
# =\frac{\alpha_1w_1+\sum_{i\ge2}(\lambda_i/\lambda_1)^T\alpha_iw_i}{\|\cdot\|}.$$
#
# (The last step needs $\lambda_1>0$.) All ratios but the first die out, and a Gaussian start has $\alpha_1\ne0$ with
# probability one. Write it so that a machine can follow.
#
# #### Exercise (derivation): where the iterate is after T steps
# *Core, 10 minutes.*

# %%
@derivation("ch02.power_chain")
def power_chain(M: "(D, D)", v: "(D,)", T: int):
    """From T steps of power iteration to the formula with ratios of eigenvalues.
    Pass through the T-th power of M, then through the eigenvectors and eigenvalues."""
    unit = lambda w: w / jnp.linalg.norm(w)
    eigenvalues, W = jnp.linalg.eigh(M)  # M = W diag(eigenvalues) W^T, ascending: the last eigenvalue is lambda_1
    alpha = W.T @ v  # v = sum_i alpha_i w_i
    v_t = v
    for _ in range(T):
        v_t = unit(M @ v_t)
    yield v_t
    #: solution
    yield unit(jnp.linalg.matrix_power(M, T) @ v)
    yield unit(W @ (eigenvalues**T * alpha))
    #: end
    yield unit(W @ ((eigenvalues / eigenvalues[-1]) ** T * alpha))

# %% [markdown]
# <details><summary>If you read the book: two symbols at [[eq:power_iteration]]</summary>
#
# - *The start.* Printed is a normal law with covariance $\mathbf 1$, most likely meant as the identity; in the book's
#   notation it reads as the all-ones matrix, and then $v_0$ is a multiple of $(1,\dots,1)$. If $w_1$ is orthogonal to that
#   vector the iteration never meets it. The statement holds with $N(0,I)$.
# - *The proof.* The product of norms under $M^tv_0$ is printed over $s=1,\dots,t$. It runs over $s=0,\dots,t-1$: the first
#   vector to be normalised is $Mv_0$.
# </details>

# %%
M = jnp.array([[2.0, -1.0], [-1.0, 2.0]])  # eigenvalue 3 at (1, -1), eigenvalue 1 at (1, 1)
stuck, v_t = jnp.ones(2), [jnp.array([1.0, 0.5])]
for _ in range(20):
    stuck = power_step(M, stuck)
    v_t.append(power_step(M, v_t[-1]))
norms = jnp.array([jnp.linalg.norm(M @ v) for v in v_t])
scaled = lambda s: jnp.linalg.norm(v_t[3] - jnp.linalg.matrix_power(M, 3) @ v_t[0] / jnp.prod(norms[s]))
show(quotient_from_all_ones=stuck @ M @ stuck, quotient_from_another_start=v_t[-1] @ M @ v_t[-1])
show(error_with_s_from_1_to_t=scaled(slice(1, 4)), error_with_s_from_0_to_t_minus_1=scaled(slice(0, 3)))

# %% [markdown]
# #### Exercise: the error, exactly
# Read off the last line of the derivation how far $v_T$ is from the line of $w_1$: across it lie the terms $i\ge2$, along it
# $\alpha_1$. In the eigenbasis $M$ is diagonal, so the coordinates of the start are all one needs.
#
# *More, 8 minutes.*

# %%
@exercise("ch02.power_tangent")
def power_tangent(v: "(D,)", eigenvalues: "(D,)", T: int) -> "()":
    """Tangent (>= 0) of the angle between the lines of v_T and w_1 after T >= 0 steps, for M = diag(eigenvalues), so that w_i
    is the i-th unit vector. eigenvalues: descending, >= 0, the first larger than the second. v: the start, of any length,
    v[0] not 0. Must not overflow for large eigenvalues or T.
    Example: v = [1., 2., 2.], eigenvalues = [4., 2., 1.], T = 1  ->  1.118"""
    #: solution
    rest = (eigenvalues[1:] / eigenvalues[0]) ** T * v[1:]
    return jnp.linalg.norm(rest) / jnp.abs(v[0])
    #: end

# %% [markdown]
# <details><summary>Why the eigenvalue comes in twice as fast as the eigenvector</summary>
#
# Let $r_i=(\lambda_i/\lambda_1)^t\,\alpha_i/\alpha_1$, so that the squared tangent is $\tau^2=\sum_{i\ge2}r_i^2$. The
# Rayleigh quotient is the mean of the eigenvalues with weights proportional to $1,r_2^2,\dots,r_D^2$, hence
#
# $$\lambda_1-v_t^\top Mv_t=\frac{\sum_{i\ge2}(\lambda_1-\lambda_i)\,r_i^2}{1+\tau^2}\;\le\;(\lambda_1-\lambda_D)\,\tau^2 :$$
#
# the *square* of the tangent, so of order $(\lambda_2/\lambda_1)^{2t}$.
# </details>
#
# **See.** Twenty steps that you take against what you predict, and the error of the Rayleigh quotient.

# %%
eigenvalues, v = jnp.array([1.0, 0.8, 0.5, 0.1]), jnp.array([0.5, 1.0, -1.0, 1.0])
walk, steps = [v / jnp.linalg.norm(v)], np.arange(21)
for _ in steps[1:]:
    walk.append(power_step(jnp.diag(eigenvalues), walk[-1]))
walk = jnp.stack(walk, axis=1)
alt = "Tangents of twenty steps lie on the predicted curve; the error of the Rayleigh quotient falls twice as steeply."
with figure(alt, size=(6, 3.4)) as ax:
    ax.semilogy(steps, jnp.linalg.norm(walk[1:], axis=0) / jnp.abs(walk[0]), "o", label="tangent, measured")
    predicted = [power_tangent(v, eigenvalues, int(t)) for t in steps]
    ax.semilogy(steps, predicted, color=plot.COLORS[0], marker="None", label="tangent, predicted")
    ax.semilogy(steps, 1 - eigenvalues @ walk**2, "s", color=plot.COLORS[1], label="error of the Rayleigh quotient")
    for power, height, label in (1, 5, r"slopes of $0.8^t$ and $0.8^{2t}$"), (2, 0.3, None):
        ax.semilogy(steps, height * 0.8 ** (power * steps), ":", color="black", marker="None", label=label)
    for mine in yours(power_tangent):
        ax.plot(steps, [mine(v, eigenvalues, int(t)) for t in steps], **plot.DASHED)
    ax.set(xlabel="steps", xticks=range(0, 21, 5))
    ax.legend()

# %% [markdown]
# #### Exercise: for data, without the D x D matrix
# For $M=XX^\top/N$ a step needs only $M v=X(X^\top v)/N$: two products with $X$, $2DN$ multiplications, where building $M$
# takes $D^2N$ and $D^2$ numbers of memory.
#
# *More, 8 minutes.*

# %%
@exercise("ch02.power_iteration_data")
def power_iteration_data(X: "(D, N)", v: "(D,)", T: int) -> "(D,), ()":
    """T >= 1 steps of power iteration on X X^T / N from the start v (any length), without ever forming a D x D array: the pair
    (v_T of length 1, its Rayleigh quotient v_T^T (X X^T / N) v_T). X is used as it comes, without centring.
    Example: X = [[2., 0.], [0., 1.]], v = [1., 1.], T = 1  ->  ([0.9701, 0.2425], 1.912)"""
    #: solution
    for _ in range(T):
        v = X @ (X.T @ v)
        v = v / jnp.linalg.norm(v)
    return v, jnp.sum((X.T @ v) ** 2) / X.shape[1]
    #: end

# %% [markdown]
# **See.** From noise to the first principal component of centred digits. In the package this is `subspace.power_iteration`.

# %%
digits, _ = data.digits()
digits = digits - digits.mean(axis=1, keepdims=True)
noise = jax.random.normal(jax.random.key(1), (64,)) / 8
stages = [1, 2, 4, 8, 32]
with figure("A random image turns within 32 steps into the first principal component of the digits.", size=(7, 1.7)) as ax:
    seen = [power_iteration_data(digits, noise, T)[0] for T in stages]
    failing = [mine(digits, noise, 32)[0] for mine in yours(power_iteration_data)]
    titles = ["start", *[f"T = {T}" for T in stages], *["yours (fails)" for _ in failing]]
    plot.images(ax, jnp.stack([noise, *seen, *failing], axis=1), titles=titles)

# %% [markdown]
# ### 2.2 The next components
# **Claim.** Once $w_1$ is known, $M-\lambda_1w_1w_1^\top$ has the same eigenvectors; only the eigenvalue of $w_1$ has become
# 0. So power iteration now finds $w_2$, and so on, $d$ times ([[subsec:power iterations]]).
#
# **Derive.** Apply the new matrix to $w_1$ and to $w_j$, $j\ge2$, and use $w_1^\top w_j=0$. That is the whole proof. In
# practice $w_1$ is the last iterate and $\lambda_1$ its Rayleigh quotient, which is why the exercise takes any $v$.
#
# #### Exercise: deflation
# *More, 6 minutes.*

# %%
@exercise("ch02.deflate")
def deflate(M: "(D, D)", v: "(D,)") -> "(D, D)":
    """M without its part along v: M - lambda w w^T, with w = v / ||v|| and lambda = w^T M w. M symmetric, v any vector but 0.
    Example: M = [[2., 1.], [1., 2.]], v = [1., 1.]  ->  [[0.5, -0.5], [-0.5, 0.5]]"""
    #: solution
    w = v / jnp.linalg.norm(v)
    return M - (w @ M @ w) * jnp.outer(w, w)
    #: end

# %% [markdown]
# **See.** Four components of the digits, one after another, by your two functions.

# %%
def component(M, v=noise):
    for _ in range(60):
        v = power_step(M, v)
    return v

M = rest = digits @ digits.T / digits.shape[1]
found = []
for _ in range(4):
    found.append(component(rest))
    rest = deflate(rest, found[-1])
show(found=jnp.array([w @ M @ w for w in found]), by_eigh=jnp.linalg.eigvalsh(M)[:-5:-1])
failing = [component(mine(M, found[0])) for mine in yours(deflate)]
with figure("Four principal components of the digits as small images, bright and dark strokes.", size=(5, 1.7)) as ax:
    plot.images(ax, jnp.stack(found + failing, axis=1), titles=["1", "2", "3", "4", *["yours: 2 (fails)" for _ in failing]])

# %% [markdown]
# <details><summary>If you read the book: which vector is deflated</summary>
#
# Printed is $M-\lambda_1v_1v_1^\top$, where by [[eq:power_iteration]] $v_1$ is the *first iterate*. The statement holds for
# the eigenvector $w_1$, the limit of the iterates. With the first iterate nothing is removed cleanly: here 3, 2, 1 become
# 2.41, 1.19 and a negative number.
# </details>

# %%
M = jnp.diag(jnp.array([3.0, 2.0, 1.0]))
v_1 = power_step(M, jnp.ones(3))
show(spectrum_with_the_first_iterate=jnp.linalg.eigvalsh(M - 3 * jnp.outer(v_1, v_1))[::-1])
show(spectrum_with_the_eigenvector=jnp.linalg.eigvalsh(deflate(M, jnp.array([1.0, 0.0, 0.0])))[::-1])

# %% [markdown]
# #### Exercise: d components
# Two roads: one at a time with deflation, or all at once by multiplying $d$ columns and making them orthonormal again
# (orthogonal iteration, $V\leftarrow Q$ with $QR=MV$). In the second, the subspace of all $d$ comes in at the rate
# $\lambda_{d+1}/\lambda_d$.
#
# *Challenge, 15 minutes.*

# %%
@exercise("ch02.top_d")
def top_d(V: "(D, d)", M: "(D, D)", T: int) -> "(D, d), (d,)":
    """The d eigenvectors of M with the largest eigenvalues, as orthonormal columns, and these eigenvalues; the largest first.
    M is symmetric with eigenvalues >= 0, the first d + 1 of them different. V: independent columns to start from.
    T: steps, for all columns together or for each; large enough for float32. Signs of columns are free.
    With M = [[2, 1], [1, 2]] and d = 1: the column (0.707, 0.707) or its negative, and the eigenvalue 3.
    (eigh(M) would give the same, and teach nothing.)"""
    #: solution
    for _ in range(T):
        V = jnp.linalg.qr(M @ V)[0]
    return V, jnp.sum(V * (M @ V), axis=0)
    #: end

# %% [markdown]
# **See.** The angle to the true subspace of three components, on the digits, against the rate $\lambda_4/\lambda_3$.

# %%
M = digits @ digits.T / digits.shape[1]
all_values, W = jnp.linalg.eigh(M)
V, steps = jax.random.normal(jax.random.key(2), (64, 3)), [1, 2, 4, 8, 12, 16, 20, 24]
sine = lambda U: jnp.linalg.norm(U - W[:, -3:] @ (W[:, -3:].T @ U), 2)
with figure("The sine of the angle to the true subspace soon falls along a straight line on a log scale.", size=(5, 3)) as ax:
    ax.semilogy(steps, [sine(top_d(V, M, T)[0]) for T in steps], label="computed")
    rate = all_values[-4] / all_values[-3]
    ax.semilogy(steps, [rate**T for T in steps], ":", color="black", marker="None", label=r"slope of $(\lambda_4/\lambda_3)^T$")
    for mine in yours(top_d):
        ax.plot(steps, [sine(mine(V, M, T)[0]) for T in steps], **plot.DASHED)
    ax.set(xlabel="steps T", ylabel="sine of largest angle")
    ax.legend()

# %% [markdown]
# ### 2.3 One sample at a time
# **Claim.** Samples $x_1,x_2,\dots$ come in a stream, with mean zero and $E[xx^\top]=\Sigma$. A single neuron with weights
# $u$ of length 1 answers $\eta=u^\top x$ and moves towards what it answered to ([[eqn:Hebbian]]):
#
# $$u\;\leftarrow\;\frac{u+\gamma\,\eta\,x}{\|u+\gamma\,\eta\,x\|} .$$
#
# Under mild conditions, if $\lambda_1>\lambda_2$ and the gains decay suitably ($\sum\gamma_t=\infty$,
# $\sum\gamma_t^2<\infty$), $u$ tends to $\pm w_1$ of $\Sigma$. At a constant gain it keeps trembling, $E[\sin^2]$ staying
# near a floor proportional to $\gamma$.
#
# #### Exercise: one Hebbian step
# *More, 5 minutes.*

# %%
@exercise("ch02.hebbian_step")
def hebbian_step(x: "(D,)", u: "(D,)", gamma: float) -> "(D,)":
    """The new weights: u + gamma * eta * x with the response eta = u^T x of the old u, brought to length 1. u has length 1,
    gamma > 0.
    Example: x = [2., 0.], u = [0.6, 0.8], gamma = 0.5  ->  [0.9138, 0.4061]"""
    #: solution
    u = u + gamma * (u @ x) * x
    return u / jnp.linalg.norm(u)
    #: end

# %% [markdown]
# **See.** One stream, three gains: a large one is quick and restless, a small one slow and calm, a decaying one is both in
# turn.

# %%
rng = np.random.default_rng(3)
stream = np.sqrt([[3.0], [2.0], [1.0], [0.5], [0.1]]) * rng.normal(size=(5, 600))

def errors(step, gain):
    u, path = jnp.ones(5) / jnp.sqrt(5), []
    for t, x in enumerate(stream.T):
        u = step(x, u, gain(t))
        path.append(1 - u[0] ** 2)
    return path

with figure("Squared sine of the angle to the first eigenvector over 600 samples, for three gains.", size=(6, 3)) as ax:
    for gain, label in (lambda t: 0.1, "gain 0.1"), (lambda t: 0.01, "gain 0.01"), (lambda t: 1 / (t + 10), "gain 1 / (t + 10)"):
        ax.semilogy(errors(hebbian_step, gain), label=label)
    for mine in yours(hebbian_step):
        ax.plot(errors(mine, lambda t: 0.01), **plot.DASHED)
    ax.set(xlabel="samples seen", ylabel=r"$\sin^2$ of the angle to $w_1$")
    ax.legend()

# %% [markdown]
# **Claim.** The Hebbian step is projected gradient descent on the reconstruction error of one sample, $\|x-uu^\top x\|^2$
# ([[eq:pca-reconstruction-expectation]]): to first order in $\gamma$, and exactly once the gain is adjusted.
#
# **Derive.** For any $u$ the error is $\|x\|^2-2\eta^2+\|u\|^2\eta^2$. Where $\|u\|=1$ its gradient is $-2\eta x+2\eta^2u$. A
# step of size $\gamma/2$ goes to
#
# $$u+\gamma\,\eta\,x-\gamma\,\eta^2u=(1-\gamma\eta^2)\,u+\gamma\,\eta\,x ,$$
#
# and the length is normalised afterwards. Which gain gives the same direction in a Hebbian step?
#
# #### Exercise: the gain that makes them equal
# *More, 8 minutes.*

# %%
@exercise("ch02.effective_gain")
def effective_gain(x: "(D,)", u: "(D,)", gamma: float) -> "()":
    """The gain with which a Hebbian step from u (length 1) equals the projected gradient step of size gamma / 2 on
    ||x - u u^T x||^2; up to sign, and negative, where gamma (u^T x)^2 > 1. gamma (u^T x)^2 is not 1.
    Example: x = [2., 0.], u = [0.6, 0.8], gamma = 0.5  ->  1.786"""
    #: solution
    eta = u @ x
    return gamma / (1 - gamma * eta**2)
    #: end

# %%
x, u = jnp.array([1.0, -2.0, 0.5]), jnp.array([0.6, 0.0, 0.8])
for gamma in (0.01, 0.1, 0.5):
    step = u - gamma / 2 * jax.grad(lambda u: ((x - u * (u @ x)) ** 2).sum())(u)
    gap = lambda gain: jnp.linalg.norm(step / jnp.linalg.norm(step) - hebbian_step(x, u, gain))
    show(gamma=gamma, gap_at_equal_gains=gap(gamma), gap_at_adjusted_gains=gap(effective_gain(x, u, gamma)))
    for mine in yours(effective_gain):
        show(gap_at_your_gain=gap(mine(x, u, gamma)))

# %% [markdown]
# ### 2.4 Noise with a model: probabilistic PCA
# **Claim.** Let $x=Uz+\varepsilon$ with $z$ and $\varepsilon$ independent and of mean zero,
# $E[zz^\top]=\operatorname{diag}(s)$, $E[\varepsilon\varepsilon^\top]=\sigma^2I$. Then ([[eq:PPCA]], [[thm:ppca]])
#
# $$E[xx^\top]=U\operatorname{diag}(s)\,U^\top+\sigma^2I ,$$
#
# and if every $s_i>0$ its top $d$ eigenvectors span exactly the columns of $U$, *however large $\sigma$ is*.
#
# **Derive.** (1) Multiply out $(Uz+\varepsilon)(Uz+\varepsilon)^\top$: four terms. What does independence do to two of them?
# (2) Apply the sum to a column of $U$, then to a vector orthogonal to all of them.
#
# <details><summary>The argument</summary>
#
# (1) $E[Uz\varepsilon^\top]=U\,E[z]\,E[\varepsilon]^\top=0$, and likewise its transpose. (2) A column $u_i$ of $U$ comes back
# times $s_i+\sigma^2$, a vector orthogonal to $U$ times $\sigma^2$. That is a full set of eigenvectors; the first $d$
# eigenvalues are strictly larger exactly if all $s_i>0$, and then nothing else can be a top-$d$ subspace.
# </details>
#
# #### Exercise: the second moment and its eigenvalues
# *More, 10 minutes.*

# %%
@exercise("ch02.covariance_model")
def covariance_model(U: "(D, d)", S: "(d,)", sigma: float) -> "(D, D), (D,)":
    """E[x x^T] of x = U z + e with E[z z^T] = diag(S) and E[e e^T] = sigma^2 I, and its D eigenvalues, the largest first,
    written down from S and sigma without an eigenvalue solver. S: variances >= 0 in any order. d <= D.
    Example: U = [[0.6], [0.8]], S = [4.], sigma = 1.  ->  ([[2.44, 1.92], [1.92, 3.56]], [5., 1.])"""
    #: solution
    M = (U * S) @ U.T + sigma**2 * jnp.eye(U.shape[0])
    return M, jnp.concatenate([jnp.sort(S)[::-1], jnp.zeros(U.shape[0] - len(S))]) + sigma**2
    #: end

# %% [markdown]
# **See.** Noise lifts all eigenvalues alike: the step after the second never closes. In the average over finitely many
# samples it blurs (markers: 200 samples), and that is where large $\sigma$ costs.

# %%
rng = np.random.default_rng(0)
U, _ = np.linalg.qr(rng.normal(size=(8, 2)))
S = np.array([4.0, 1.0])
alt = "Eigenvalues of the model for three noise levels: two stand out, six are equal; sampled eigenvalues scatter around them."
with figure(alt, size=(6, 3)) as ax:
    for sigma, color, marker in zip((0.1, 1.0, 2.0), plot.COLORS, plot.MARKERS):
        eigenvalues = covariance_model(U, S, sigma)[1]
        ax.step(range(1, 9), eigenvalues, where="mid", color=color, marker="None", label=rf"$\sigma$ = {sigma}")
        for mine in yours(covariance_model):
            ax.plot(range(1, 9), mine(U, S, sigma)[1], **plot.DASHED)
        X = U @ (np.sqrt(S)[:, None] * rng.normal(size=(2, 200))) + sigma * rng.normal(size=(8, 200))
        ax.plot(range(1, 9), np.linalg.eigvalsh(X @ X.T / 200)[::-1], marker, color=color)
    ax.set(xlabel="index", ylabel="eigenvalue")
    ax.legend()

# %% [markdown]
# <details><summary>If you read the book: two conditions before [[thm:ppca]]</summary>
#
# Printed: for isotropic Gaussian noise *every* optimal $U_\star$ satisfies $U_\star U_\star^\top=UU^\top$, and a footnote
# allows any noise that has all of $\mathbb R^D$ as its support. Two hypotheses are missing.
# - $E[zz^\top]$ has to be positive definite. If some $s_i=0$, the $d$-th eigenvalue ties with the noise and the subspace is
#   not determined.
# - It is the *covariance* of the noise that counts. A multiple of the identity suffices, whatever the distribution; full
#   support does not: Gaussian noise with covariance $\operatorname{diag}(.1,.1,3,.1,.1)$ fills all of $\mathbb R^5$ and draws
#   a component to itself.
# </details>

# %%
U = jnp.eye(5)[:, :2]
signal, noise_covariance = U @ U.T, jnp.diag(jnp.array([0.1, 0.1, 3.0, 0.1, 0.1]))
W = jnp.linalg.eigh(signal + noise_covariance)[1][:, -2:]
show(distance_of_projectors=jnp.linalg.norm(W @ W.T - U @ U.T))
eigenvalues = covariance_model(U, jnp.array([1.0, 0.0]), 0.316)[1]
show(eigenvalues_with_a_zero_variance=eigenvalues, gap=eigenvalues[1] - eigenvalues[2])

# %% [markdown]
# **Claim.** Projecting onto $U$ is not the best linear denoiser. It is the best projection ([[eq:ppca_denoising]]; where
# [[thm:ppca]] says "optimal linear denoiser", read this): the noise outside the subspace goes, all that lies inside stays.
# With the model known one does better, by the Wiener filter:
#
# $$\hat x=U\operatorname{diag}\Big(\frac{s_i}{s_i+\sigma^2}\Big)U^\top x .$$
#
# **Derive.** Each coordinate of $U^\top x$ is $z_i+e_i$ with variances $s_i$ and $\sigma^2$. An estimate $g(z_i+e_i)$ has
# expected squared error $(1-g)^2s_i+g^2\sigma^2$. Where is it least, and how large is it there? What is it for the
# projection, $g=1$?
#
# <details><summary>The argument, and Bayes</summary>
#
# The derivative $-2(1-g)s_i+2g\sigma^2$ vanishes at $g=s_i/(s_i+\sigma^2)$, and the error there is
# $s_i\sigma^2/(s_i+\sigma^2)$: smaller than both $\sigma^2$ (projection) and $s_i$ (answering 0). Noise outside the subspace
# is uncorrelated with everything of interest, so no linear denoiser uses it. If $z$ and $\varepsilon$ are Gaussian, the
# density of $z_i$ given $y_i=z_i+e_i$ is proportional to $\exp\big(-\tfrac{z_i^2}{2s_i}-\tfrac{(y_i-z_i)^2}{2\sigma^2}\big)$,
# a Gaussian with centre $\frac{1/\sigma^2}{1/s_i+1/\sigma^2}\,y_i$: the same number is the posterior mean, and no denoiser at
# all does better.
# </details>
#
# #### Exercise: the Wiener filter
# *Core, 8 minutes.*

# %%
@exercise("ch02.wiener")
def wiener(U: "(D, d)", X: "(D, N)", S: "(d,)", sigma: float) -> "(D, N)":
    """Denoised samples: column i is U diag(S / (S + sigma^2)) U^T x_i. U has orthonormal columns, S holds the variances of the
    codes, sigma is the standard deviation of the noise; S + sigma^2 > 0.
    Example: U = [[0.6], [0.8]], X = [[1., 2.], [1., 0.]], S = [4.], sigma = 1.  ->  [[0.672, 0.576], [0.896, 0.768]]"""
    #: solution
    gain = S / (S + sigma**2)
    return U @ (gain[:, None] * (U.T @ X))
    #: end

# %% [markdown]
# **See.** Codes with variances 4, 1 and 1/4 in 20 dimensions. A linear denoiser is a matrix $G$, whose columns are what it
# makes of the unit vectors. So its expected squared error needs no samples:
#
# $$E\|Uz-G(Uz+\varepsilon)\|^2=\|(I-G)\,U\operatorname{diag}(\sqrt s)\|_F^2+\sigma^2\|G\|_F^2 .$$
#
# At $\sigma=1$ theory says $D\sigma^2=20$ for doing nothing, $d\sigma^2=3$ for projection and
# $\sum_is_i\sigma^2/(s_i+\sigma^2)=1.5$ for yours.

# %%
rng = np.random.default_rng(0)
U, _ = np.linalg.qr(rng.normal(size=(20, 3)))
S = np.array([4.0, 1.0, 0.25])
error = lambda G, sigma: (((U - G @ U) * np.sqrt(S)) ** 2).sum() + sigma**2 * (G**2).sum()
I, sigmas = np.eye(20), np.linspace(0.1, 3, 15)
with figure("The error of projection grows without limit; the Wiener filter stays below it and below a line.", size=(6, 3)) as ax:
    ax.plot(sigmas, [error(U @ U.T, s) for s in sigmas], label="projection")
    ax.plot(sigmas, [error(wiener(U, I, S, s), s) for s in sigmas], label="Wiener filter")
    ax.axhline(S.sum(), color="black", linestyle=":", label="answering 0")
    for mine in yours(wiener):
        ax.plot(sigmas, [error(mine(U, I, S, s), s) for s in sigmas], **plot.DASHED)
    ax.set(xlabel=r"noise $\sigma$", ylabel="expected squared error", ylim=(0, 12))
    ax.legend()
show(nothing=error(I, 1.0), projection=error(U @ U.T, 1.0), wiener=error(wiener(U, I, S, 1.0), 1.0))

# %% [markdown]
# ### 2.5 Missing entries
# **Claim.** A matrix of rank one is determined by its first column and its last row, if the entry they share is not zero:
# $D+N-1$ entries instead of $DN$ ([[sec:lowrank]], "Masked Low-Rank Matrix Completion"):
#
# $$X_{ij}=\frac{X_{i1}\,X_{Dj}}{X_{D1}} .$$
#
# **Derive.** Put $X=ab^\top$ and write out all four entries.
#
# Rank $r$ leaves $r(D+N-r)$ numbers free: $Dr$ for $r$ columns, $r(N-r)$ for the others as combinations of these. Fewer
# observations than that cannot do in general. And if all entries are free ($r$ full), nothing can be said of even one that is
# missing.
#
# #### Exercise: complete a matrix of rank one
# *More, 6 minutes.*

# %%
@exercise("ch02.complete_rank1")
def complete_rank1(Y: "(D, N)") -> "(D, N)":
    """All entries of a matrix of rank one. Y holds its first column and its last row; the other entries of Y are 0 and mean
    nothing. The shared entry Y[-1, 0] is not zero (where it is, nothing is determined: see below).
    Example: Y = [[2., 0., 0.], [1., 3., 5.]]  ->  [[2., 6., 10.], [1., 3., 5.]]"""
    #: solution
    return jnp.outer(Y[:, 0], Y[-1]) / Y[-1, 0]
    #: end

# %% [markdown]
# **See.** Fourteen numbers out of 54 are enough.

# %%
rng = np.random.default_rng(4)
whole, seen = np.outer(rng.uniform(0.3, 1, 6), rng.uniform(0.3, 1, 9)), np.zeros((6, 9), bool)
seen[:, 0] = seen[-1] = True
pictures = {"seen": np.where(seen, whole, np.nan), "completed": complete_rank1(whole * seen), "true": whole}
pictures |= {"yours (fails)": mine(whole * seen) for mine in yours(complete_rank1)}
with figure("The observed first column and last row, the completed matrix, and the true one, its equal.", size=(7, 1.8)) as ax:
    flat = np.stack([np.ravel(p) for p in pictures.values()], axis=1)
    plot.images(ax, flat, shape=(6, 9), titles=list(pictures), limits=(0, 1))
show(observed=int(seen.sum()), largest_error=np.abs(pictures["completed"] - whole).max())

# %% [markdown]
# <details><summary>If you read the book: the entry that is divided by</summary>
#
# The reconstruction is stated for every matrix of rank one under this mask. It needs $X_{D1}\ne0$. If it is zero, the first
# column or the last row is zero altogether, and different matrices look the same. (`subspace.complete_rank1` refuses such a
# $Y$.)
# </details>

# %%
first, second = np.outer([1.0, 2.0, 0.0], [1.0, 4.0]), np.outer([1.0, 2.0, 0.0], [1.0, -7.0])
shown = np.array([[1, 0], [1, 0], [1, 1]])
show(first=first, second=second, look_the_same=bool((first * shown == second * shown).all()))

# %% [markdown]
# **Play.** A random mask on a $30\times30$ matrix of rank 2, completed by alternating least squares (fix the columns and
# solve for the rows, then the other way round). There are 116 free numbers. At which fraction does it begin to work?

# %%
def draw_completion(fig, fraction):
    rng = np.random.default_rng(5)
    X, mask = rng.normal(size=(30, 2)) @ rng.normal(size=(2, 30)), rng.uniform(size=(30, 30)) < fraction
    estimate = np.asarray(subspace.als_complete(X * mask, mask, 2, 200))
    pictures = np.stack([np.where(mask, X, np.nan), estimate, X]).reshape(3, 900).T
    plot.images(fig.subplots(), pictures, limits=(-3, 3))
    error = np.linalg.norm(estimate - X) / np.linalg.norm(X)
    said = "below 0.001" if error < 1e-3 else f"{error:.1g}"
    return f"Left {mask.sum()} observed entries for 116 free numbers, then the completion and the truth. Relative error: {said}."

explore(draw_completion, {"fraction": [0.1, 0.15, 0.2, 0.3, 0.4, 0.6]}, start={"fraction": 0.4}, size=(8, 2.7))

# %% [markdown]
# ### 2.6 Doubt
# Optional: where the claims of this part stop being true. Every number comes from the cell beneath; the longer experiments
# can be read and changed in `chapters/ch02_linear_independent/experiments_power.py`.
#
# <details><summary>Is power iteration very efficient?</summary>
#
# It depends on $\lambda_2/\lambda_1$, and badly: the steps to a tangent of 0.001 grow like $1/(1-\lambda_2/\lambda_1)$. The
# Lanczos method uses the same products but keeps all of them; it needs far fewer. A full decomposition costs about $4.5D^3$
# multiplications ($9D^3$ operations: Golub and Van Loan, *Matrix Computations*) whatever the ratio, and $t$ steps cost
# $tD^2$: less only while $t<4.5D$. First $D=200$, one component; then the digits, where twenty components by deflation cost
# several times as much as all 64 by decomposition. Power iteration wins for few components, a clear gap, or a $D$ for which
# $M$ does not fit in memory.
# </details>

# %%
from chapters.ch02_linear_independent import experiments_power

start = np.random.default_rng(0).normal(size=200)
for ratio in (0.5, 0.9, 0.99, 0.999):
    spectrum = np.concatenate([[1.0], np.linspace(ratio, 0, 199)])
    power = experiments_power.power_steps(start, spectrum)
    show(ratio=ratio, power_steps=power, lanczos_steps=experiments_power.lanczos_steps(start, spectrum),
         power_over_full_decomposition=power / (4.5 * 200))

# %%
spectrum = np.linalg.eigvalsh(np.cov(digits))[::-1].clip(0)  # some pixels never change
steps = [experiments_power.power_steps(np.ones(64 - k), spectrum[k:]) for k in range(20)]
show(steps_for_each_component=steps, deflation_over_full_decomposition=sum(steps) / (4.5 * 64))

# %% [markdown]
# <details><summary>How much does online PCA depend on its gains?</summary>
#
# Near $w_1$ write $u=w_1+\sum_{j\ge2}p_jw_j$ and $a_j=w_j^\top x$. To first order a step is
# $p_j\leftarrow(1-\gamma(\lambda_1-\lambda_j))\,p_j+\gamma\,a_1a_j$, where the factor of $p_j$ stands for its mean. For
# Gaussian data $a_1a_j$ has variance $\lambda_1\lambda_j$; what steps add and what they take away balance at
#
# $$E[\sin^2]\approx\frac\gamma2\sum_{j\ge2}\frac{\lambda_1\lambda_j}{\lambda_1-\lambda_j}.$$
#
# Over 128 streams of 10,000 samples the floors agree with this where $\gamma$ is small. With $\gamma_t=c/(t+10)$ everything
# hangs on $c\,(\lambda_1-\lambda_2)$, and the gap is not known beforehand: $c=1$ stays within a factor of 1.5 of the
# eigenvector of all samples at once, $c=4$ within 3, and $c=1/4$ is 70 times worse. All three gains satisfy the conditions of
# the theorem.
# </details>

# %%
variances = np.array([3.0, 2.0, 1.0, 0.5, 0.1])
streams = np.sqrt(variances)[:, None] * np.random.default_rng(0).normal(size=(128, 5, 10_000))
floor = (3 * variances[1:] / (3 - variances[1:])).sum() / 2

def tell(u, **what):
    sin2 = (u[:, 1:] ** 2).sum(axis=1)
    show(**what, mean_sin2=sin2.mean(), standard_error=sin2.std() / np.sqrt(128))

run = jax.vmap(lambda X, gains: subspace.oja(X, jnp.ones(5), gains)[0], (0, None))
for gamma in (0.1, 0.01, 0.001):
    tell(run(streams, jnp.full(10_000, gamma)), gamma=gamma, predicted_floor=gamma * floor)
for c in (0.25, 1.0, 4.0):
    tell(run(streams, c / (jnp.arange(10_000) + 10)), c=c)
tell(np.linalg.eigh(streams @ streams.transpose(0, 2, 1))[1][..., -1], method="all samples at once")

# %% [markdown]
# <details><summary>Do r (D + N - r) entries suffice?</summary>
#
# For a chosen mask and rank 1, yes. For random masks and alternating least squares, no: with exactly that many entries no
# trial succeeds, with four times as many all do. Part of it has nothing to do with the algorithm: where a row or column has
# fewer than $r$ entries nobody can fill it, and random masks leave such rows (dotted: the fraction of masks without).
# </details>

# %%
factors = [1, 1.5, 2, 3, 4]
alt = "Fraction of 30 x 30 matrices completed against entries per free number: none at 1, all at 4. Dotted: masks that permit it."
with figure(alt, size=(6, 3)) as ax:
    for r, color in zip((1, 2, 3), plot.COLORS):
        completed, possible = experiments_power.completion(r, factors)
        ax.plot(factors, completed, color=color, label=f"rank {r}")
        ax.plot(factors, possible, ":", color=color, marker="None")
        show(rank=r, completed_at_1=bool(completed[0]), completed_at_4=bool(completed[-1] == 1))
    ax.set(xlabel="observed entries / free numbers", ylabel="fraction completed")
    ax.legend()

# %% [markdown]
# <details><summary>Is power iteration the denoiser of a subspace?</summary>
#
# A remark in [[subsec:power iterations]] says that for data on a single subspace the denoiser is precisely power iteration.
# For $x\sim N(0,\Sigma)$ seen with noise of standard deviation $s$ the posterior mean is $Wy$ with
# $W=\Sigma(\Sigma+s^2I)^{-1}$. If $\Sigma=UU^\top$, then $W=\Sigma/(1+s^2)$: after normalisation the same map, and one step
# is all there is to do. In general $W$ has the eigenvectors of $\Sigma$ but eigenvalues $\lambda/(\lambda+s^2)$, whose ratios
# are closer to 1. Repeating and normalising is power iteration *on $W$*: it goes to the same $w_1$, but more slowly, and
# hardly at all when $s$ is small.
# </details>

# %%
U, v = sampling.random_frame(jax.random.key(0), 6, 2), jnp.ones(6)
Sigma = U @ U.T
denoised = Sigma @ jnp.linalg.solve(Sigma + 0.25 * jnp.eye(6), v)
show(gap_to_a_power_step=jnp.linalg.norm(denoised / jnp.linalg.norm(denoised) - power_step(Sigma, v)))
spectrum = np.array([1.0, 0.8, 0.5, 0.1])
show(steps_with_Sigma=experiments_power.power_steps(np.ones(4), spectrum))
for s in (10.0, 1.0, 0.2):
    show(s=s, steps_with_the_denoiser=experiments_power.power_steps(np.ones(4), spectrum / (spectrum + s**2)))

# %% [markdown]
# <details><summary>On real images, does the model beat a black box?</summary>
#
# Digits with Gaussian noise, pixels between 0 and 1; 1,297 to train, 500 to test, three random splits. The model (mean, 32
# components, their variances, $\sigma$) has 2,145 numbers. Against it: a network $64\to16\to64$ with ReLU and 2,128
# parameters, trained for each noise level by 1,000 steps of Adam on batches of 96; and one four times as large, 800 steps on
# 64. *Told* means trained with clean images: the model gets their covariance and $\sigma$, the network pairs of a freshly
# noisy image and a clean one. The others see noisy images only. The projection has the best $d$ in hindsight. What came out:
#
# - With noisy images only, the model wins clearly at every level. At $\sigma=1$ the autoencoder's error is about
#   $16\,\sigma^2$: it lets the noise of sixteen directions through.
# - At $\sigma=1$ the model with 32 components is worse than answering the mean: among 1,297 samples the largest eigenvalues
#   of mere noise look like signal. Four components do better. A model is only as good as its $d$.
# - Told, at equal size: at the two lower levels the model is better, and at $\sigma=0.1$ the network is worse than doing
#   nothing; at the two higher levels the network is as good or slightly ahead.
# - Told and four times larger, the network wins at every level, though at the highest by a few percent only. Digits are not
#   Gaussian, and a nonlinear denoiser can use that.
#
# These are small images and small networks; nothing here decides about large ones. The errors of the networks are stored: with
# `RUN_LONG=1` in the environment the cell trains all 36 anew, in about ten seconds.
# </details>

# %%
from chapters.ch02_linear_independent import long_power

levels, networks = long_power.LEVELS, measured(long_power.networks_on_digits)
split = experiments_power.split_digits(np.asarray(data.digits()[0]), levels)
linear = experiments_power.linear_errors(wiener, *split, levels)
table = np.concatenate([linear, networks["small"], networks["large"]], axis=2)
methods = ["nothing", "the mean image", "projection, best d", "model, d = 32", "model, d = 4", "model, told",
           "network", "network, told", "network x 4, told"]
print(f"{'noise':18}" + "".join(f"{level:8}" for level in levels))
for method, mean in zip(methods, table.mean(axis=0).T):
    print(f"{method:18}" + "".join(f"{m:8.2g}" for m in mean))
spread = (table.std(axis=0) / table.mean(axis=0)).max()
print(f"largest standard deviation over the splits: {100 * spread:.0f} percent of the mean")

# %%
alt = "Errors relative to the told model: the small told network starts at twice its error, the large one stays below it."
with figure(alt, size=(7, 3.4)) as ax:
    for i in (2, 3, 5, 7, 8):
        relative = table[:, :, i] / table[:, :, 5]
        ax.errorbar(levels, relative.mean(axis=0), relative.std(axis=0), label=methods[i], marker=plot.MARKERS[i - 2])
    ax.set(xscale="log", xlabel=r"noise $\sigma$", ylabel="error / error of the told model")
    ax.set_xticks(levels, levels, minor=False)
    ax.minorticks_off()
    ax.legend()
