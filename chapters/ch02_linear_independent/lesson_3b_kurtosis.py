# %% [markdown]
# ### 3.7 How far from Gaussian: kurtosis
# **Claim.** For a variable $x$ of mean zero let ([[eq:kurtosis]])
#
# $$\operatorname{kurt}(x)=E[x^4]-3\,E[x^2]^2 .$$
#
# It is 0 for every Gaussian; mostly positive where values are rare and large, as in sparse codes, and negative where they are
# spread evenly. For a number $a$ and *independent* $x,y$ of mean zero ([[exercise:kurtosis-linearity-properties]])
#
# $$\operatorname{kurt}(ax)=a^4\operatorname{kurt}(x),
# \qquad\operatorname{kurt}(x+y)=\operatorname{kurt}(x)+\operatorname{kurt}(y).$$
#
# From samples it is estimated by averages: $\frac1N\|s\|_4^4-\frac3{N^2}\|s\|_2^4$.
#
# #### Exercise: kurtosis of samples
# *More, 5 minutes. Part 2 of the book's exercise is its first law.*

# %%
@exercise("ch02.kurtosis")
def kurtosis(s: "(N,)") -> "()":
    """Kurtosis of N samples: (1/N) ||s||_4^4 - (3/N^2) ||s||_2^4. The samples are taken as they come: no mean is subtracted, and
    nothing is divided by the variance.
    Example: s = [1., -1., 2., -2., 0., 0.]  ->  -2.667"""
    #: solution
    return jnp.mean(s**4) - 3 * jnp.mean(s**2) ** 2
    #: end

# %% [markdown]
# **Derive.** That kurtosis adds up is the reason for the 3. Write it so that a machine can follow: here $x$ has the equally
# likely values $s_1,\dots,s_n$, and $y$ the values $y_1,\dots,y_m$; both average to 0. Independent means that all $nm$ pairs are
# equally likely.
#
# #### Exercise (derivation): kurtosis adds up
# *More, 10 minutes. [[exercise:kurtosis-linearity-properties]], part 1.*

# %%
@derivation("ch02.kurtosis_sum")
def kurtosis_sum(s: "(N,)", y: "(N,)"):
    """From the kurtosis of s + y to the sum of kurtoses, for s and y of mean 0 (their lengths may differ).
    Pass through averages over s and over y alone."""
    E = jnp.mean
    pairs = s[:, None] + y[None, :]  # every sum s_i + y_j once: s and y are independent
    yield E(pairs**4) - 3 * E(pairs**2) ** 2
    #: solution
    yield E(s**4) + 6 * E(s**2) * E(y**2) + E(y**4) - 3 * (E(s**2) + E(y**2)) ** 2
    #: end
    yield (E(s**4) - 3 * E(s**2) ** 2) + (E(y**4) - 3 * E(y**2) ** 2)

# %% [markdown]
# **What it is good for.** Let $x=Uz$ with orthogonal $U$ and independent codes of mean 0, variance 1 and kurtoses $\kappa_i$.
# Look along a unit vector $u$, and call $w=U^\top u$ its coordinates. The two rules say
# ([[eq:kurtosis-maximization-sphere-population-simple]])
#
# $$\operatorname{kurt}(u^\top x)=\operatorname{kurt}\Big(\sum_iw_iz_i\Big)=\sum_i\kappa_iw_i^4 .$$
#
# The variance of $u^\top x$ is 1 in every direction, so second moments see nothing. Kurtosis sees the axes: a mixture of
# independent codes is closer to a Gaussian than what was mixed.
#
# **See.** Turn $u$ through half a circle. Your kurtosis of 20,000 samples lies on the curve
# $\kappa_1\cos^4\varphi+\kappa_2\sin^4\varphi$, with its peaks, or its troughs, at the codes themselves ($0^\circ$ and
# $90^\circ$).

# %%
rng, angles, fine = np.random.default_rng(0), np.arange(0, 181, 15), np.arange(0, 181, 3)
flat = rng.uniform(-(3**0.5), 3**0.5, (2, 20_000))
thin = (rng.random((2, 20_000)) < 0.4) * rng.normal(size=(2, 20_000)) / 0.4**0.5
pairs = {"two sparse": (thin, (4.5, 4.5)), "two flat": (flat, (-1.2, -1.2)), "sparse, flat": ([thin[0], flat[0]], (4.5, -1.2))}
c, s = np.cos(np.deg2rad(fine)), np.sin(np.deg2rad(fine))
with figure("Kurtosis against the angle for three pairs of codes: measured on the curves, extreme at 0 and 90 degrees.") as ax:
    for (name, (Z, kappa)), color, marker in zip(pairs.items(), plot.COLORS, plot.MARKERS):
        turned = [np.cos(np.deg2rad(a)) * Z[0] + np.sin(np.deg2rad(a)) * Z[1] for a in angles]
        ax.plot(angles, [kurtosis(z) for z in turned], marker, color=color, label=name)
        ax.plot(fine, kappa[0] * c**4 + kappa[1] * s**4, color=color, marker="None")
        for mine in yours(kurtosis):
            ax.plot(angles, [mine(z) for z in turned], **plot.DASHED)
    ax.set(xlabel="angle of u in degrees", ylabel="kurtosis", xticks=range(0, 181, 45), ylim=(-2, 7))
    ax.legend(ncols=3, loc="upper center")

# %% [markdown]
# ### 3.8 Calculus on the sphere
# **Claim.** Directions are points of the sphere $\|u\|=1$. A velocity there is orthogonal to $u$; the *tangent space* is
# $T_u=\{v:u^\top v=0\}$, with projector $P=I-uu^\top$. Let $f$ have the gradient $g$ and the second derivatives $H$ in
# the space around. Along the great circle $c(t)=\cos(t)\,u+\sin(t)\,v$, with $v\in T_u$ of length 1,
#
# $$\frac{d}{dt}f(c(t))\Big|_{t=0}=g^\top v,\qquad\frac{d^2}{dt^2}f(c(t))\Big|_{t=0}=v^\top Hv-u^\top g .$$
#
# So on the sphere gradient and Hessian are ([[eq:exercise-riemann-grad-sphere]], [[eq:exercise-riemann-hess-sphere]])
#
# $$\operatorname{grad}f=P\,g,\qquad\operatorname{Hess}f=P\,\big(H-(u^\top g)\,I\big)\,P .$$
#
# **Derive.** What are $c'(0)$ and $c''(0)$? Use the chain rule twice.
#
# <details><summary>The argument</summary>
#
# $c'(0)=v$ and $c''(0)=-u$: going straight ahead on a sphere is to be accelerated towards its centre. The chain rule gives
# $(f\circ c)'=g(c)^\top c'$ and $(f\circ c)''=c'^\top H(c)\,c'+g(c)^\top c''$. At $t=0$ that is the claim. $Pg$ is the
# tangent vector with $(Pg)^\top v=g^\top v$ for all tangent $v$, and on tangent $v$ of length 1 the matrix has the quadratic form
# $v^\top(H-(u^\top g)I)v=v^\top Hv-u^\top g$.
# </details>
#
# #### Exercise: the tangent part of a vector
# *More, 5 minutes. [[exercise:sphere-calculus]], part 1, and half of part 2.*

# %%
@exercise("ch02.sphere_tangent")
def sphere_tangent(u: "(D,)", v: "(D,)") -> "(D,)":
    """P v = (I - u u^T) v: the part of v that is tangent to the sphere at u. u has length 1, v is any vector. If v is the
    gradient of a function in space, P v is its gradient on the sphere.
    Example: u = [0.6, 0.8], v = [1., 2.]  ->  [-0.32, 0.24]"""
    #: solution
    return v - (u @ v) * u
    #: end

# %% [markdown]
# **Derive.** To bring a point $v$ back to the sphere, minimise $f(u)=\frac12\|u-v\|^2$ over it. Its gradient in space is $u-v$.
# At which $u$ does the tangent part vanish? The condition of first order has two solutions; only one is the nearest point.
#
# #### Exercise: the nearest point of the sphere, and the farthest
# *More, 6 minutes. [[exercise:sphere-calculus]], part 2.*

# %%
@exercise("ch02.sphere_extremes")
def sphere_extremes(v: "(D,)") -> "(D,), (D,)":
    """The pair (nearest, farthest) of points of the unit sphere to v: the two u at which ||u - v||^2 is stationary there.
    v is not 0, and may be inside or outside.
    Example: v = [3., -4.]  ->  ([0.6, -0.8], [-0.6, 0.8])"""
    #: solution
    near = v / jnp.linalg.norm(v)
    return near, -near
    #: end

# %% [markdown]
# #### Exercise: second derivatives on the sphere
# *Challenge, 12 minutes. [[exercise:sphere-calculus]], part 3.*

# %%
@exercise("ch02.sphere_hessian")
def sphere_hessian(H: "(D, D)", u: "(D,)", g: "(D,)") -> "(D, D)":
    """The Hessian on the sphere, P (H - (u^T g) I) P with P = I - u u^T, for a function with gradient g and second derivatives H
    (symmetric) in space, at u of length 1.
    Example: H = [[2., 0.], [0., 4.]], u = [0.6, 0.8], g = [1.2, 3.2]  ->  [[-0.3584, 0.2688], [0.2688, -0.2016]]"""
    #: solution
    P = jnp.eye(len(u)) - jnp.outer(u, u)
    return P @ (H - (u @ g) * jnp.eye(len(u))) @ P
    #: end

# %% [markdown]
# **See.** A function along a great circle, and the parabola from your gradient and Hessian. Without the term $-u^\top g$ (dotted)
# the parabola bends upwards, the function downwards.

# %%
kappa, t = np.array([1.0, 2.0, 4.0]), np.linspace(-0.9, 0.9, 61)
u, v = np.array([5.0, 0.0, 12.0]) / 13, np.array([12.0, 0.0, -5.0]) / 13
g, H = 4 * kappa * u**3, np.diag(12 * kappa * u**2)
circle = np.cos(t)[:, None] * u + np.sin(t)[:, None] * v
parabola = lambda slope, bend: u**4 @ kappa + t * slope + t**2 / 2 * bend
with figure("A function along a great circle, and the parabola of its gradient and Hessian: they touch at 0.", size=(6, 3)) as ax:
    ax.plot(t, circle**4 @ kappa, marker="None", label="along the great circle")
    ax.plot(t, parabola(v @ sphere_tangent(u, g), v @ sphere_hessian(H, u, g) @ v), marker="None", label="to second order")
    ax.plot(t, parabola(v @ g, v @ H @ v), ":", color="black", marker="None", label="without $-u^T g$")
    for mine in yours(sphere_hessian):
        ax.plot(t, parabola(v @ g, v @ mine(H, u, g) @ v), **plot.DASHED)
    for mine in yours(sphere_tangent):
        ax.plot(t, parabola(v @ mine(u, g), v @ sphere_hessian(H, u, g) @ v), **plot.DASHED)
    ax.set(xlabel="t", ylabel="f", ylim=(0, 5))
    ax.legend()

# %% [markdown]
# ### 3.9 The landscape of kurtosis
# **Claim.** Let no $\kappa_i$ be 0. On the sphere $f(w)=\sum_i\kappa_iw_i^4$ is stationary exactly where
# ([[eq:kurtosis-sphere-landscape-stationarity]])
#
# $$\kappa_iw_i^3=f(w)\,w_i\quad\text{for all }i .$$
#
# **Derive.** (1) Where does this come from? (2) Let $S$ be the set of $i$ with $w_i\ne0$. What does the equation say of
# $\kappa_iw_i^2$ for $i\in S$? Why must all $\kappa_i$ with $i\in S$ have the same sign? Which $w$ are left? (3) Write the
# Hessian there. How does $f$ bend inside $S$, how towards a coordinate outside?
#
# <details><summary>The argument</summary>
#
# (1) Gradient $4\kappa w^3$; its tangent part is $4(\kappa w^3-(w^\top\kappa w^3)\,w)$, and $w^\top\kappa w^3=f(w)$.
#
# (2) $\kappa_iw_i^2=f(w)=:c$ on $S$. It is not 0, so $\kappa_i$ has the sign of $c$ for all $i\in S$. Since the $w_i^2$ add up to
# 1, $c=1/\sum_{j\in S}\kappa_j^{-1}$, and ([[eq:kurtosis-sphere-landscape-cps]])
#
# $$w_i=\pm\sqrt{\frac{1/\kappa_i}{\sum_{j\in S}1/\kappa_j}}\quad(i\in S),\qquad w_i=0\quad\text{otherwise}.$$
#
# Every nonempty $S$ on which the kurtoses have one sign is possible, with every choice of signs for the roots.
#
# (3) $H=\operatorname{diag}(12\kappa w^2)$ and $u^\top g=4c$, so on tangent vectors the quadratic form is that of
# $\operatorname{diag}(12\kappa w^2)-4cI$: it is $12c-4c=8c$ inside $S$, in $|S|-1$ tangent directions, and $-4c$ outside, in
# $D-|S|$. With $c>0$ only $|S|=1$ has no direction upwards: the axes with positive $\kappa_i$ are the local maxima. With $c<0$
# only $|S|=D$ has none, and that requires all kurtoses to be negative. Every other critical point with $c>0$ is a minimum
# ($|S|=D$) or a saddle, and likewise for $c<0$ with "up" and "down" exchanged.
# </details>
#
# So wherever *some* kurtosis is positive, climbing can end nowhere but at a single code: nothing is to be feared but saddles.
# With all of them negative one goes down instead.
#
# #### Exercise: where kurtosis is stationary
# *More, 6 minutes. [[exercise:kurtosis-sphere-landscape]], part 1.*

# %%
@exercise("ch02.kurtosis_stationarity")
def kurtosis_stationarity(w: "(D,)", kappa: "(D,)") -> "(D,)":
    """Left side minus right side of the condition: entry i is kappa_i w_i^3 - (sum_j kappa_j w_j^4) w_i, for w of length 1.
    It is a quarter of the gradient on the sphere.
    Example: w = [0.6, 0.8], kappa = [1., 2.]  ->  [-0.3533, 0.265]"""
    #: solution
    return kappa * w**3 - (kappa @ w**4) * w
    #: end

# %% [markdown]
# #### Exercise: the critical points of kurtosis
# *Challenge, 12 minutes. [[exercise:kurtosis-sphere-landscape]], part 2.*

# %%
@exercise("ch02.critical_point")
def critical_point(signs: "(D,)", kappa: "(D,)") -> "(D,)":
    """The critical point w of sum_i kappa_i w_i^4 on the unit sphere with w_i > 0 where signs is 1, w_i < 0 where it is -1, and
    w_i = 0 where it is 0. No kappa_i is 0; not all signs are 0, and where they are not, all kappa_i have the same sign.
    Example: signs = [1., -1., 0.], kappa = [1., 4., -3.]  ->  [0.8944, -0.4472, 0.]"""
    #: solution
    share = jnp.abs(signs) / kappa
    return signs * jnp.sqrt(share / share.sum())
    #: end

# %% [markdown]
# #### Exercise: up or down
# *Challenge, 12 minutes. [[exercise:kurtosis-sphere-landscape]], part 3: which of them are maxima?*

# %%
@exercise("ch02.morse_index")
def morse_index(w: "(D,)", kappa: "(D,)") -> "(), ()":
    """The pair (up, down) at a critical point w of sum_i kappa_i w_i^4 on the unit sphere: how many of the D - 1 eigenvalues of
    its Hessian on the tangent space are positive, and how many negative. No kappa_i is 0, and then none of them is 0.
    Example: w = [0.8944, 0.4472, 0.], kappa = [1., 4., -3.]  ->  (1, 1)"""
    #: solution
    w, kappa = np.asarray(w), np.asarray(kappa)
    f, P = kappa @ w**4, np.eye(len(w)) - np.outer(w, w)
    curvature = np.linalg.eigvalsh(P @ np.diag(12 * kappa * w**2 - 4 * f) @ P)
    small = 1e-3 * np.abs(curvature).max()
    return (curvature > small).sum(), (curvature < -small).sum()
    #: end

# %% [markdown]
# #### Exercise: where kurtosis is largest
# *Challenge, 10 minutes. [[exercise:kurtosis-sphere-landscape]], parts 3 and 4.*

# %%
@exercise("ch02.kurtosis_maximum")
def kurtosis_maximum(kappa: "(D,)") -> "(D,), ()":
    """The pair (w, value): the point w of the unit sphere with no negative coordinate where sum_i kappa_i w_i^4 is largest, and
    this largest value. No kappa_i is 0. If any is positive, one of them is larger than all others.
    Example: kappa = [-1., -2., -0.5]  ->  ([0.5345, 0.378, 0.7559], -0.2857)"""
    #: solution
    if kappa.max() > 0:
        w = jnp.eye(len(kappa))[jnp.argmax(kappa)]
    else:
        share = 1 / kappa
        w = jnp.sqrt(share / share.sum())
    return w, kappa @ w**4
    #: end

# %% [markdown]
# **Play.** The whole sphere as a map, as on a map of the world, and every critical point in it. Make one kurtosis negative: where
# do the peaks go? Make all of them negative.

# %%
KINDS = {"maximum": ("^", "#D55E00"), "minimum": ("v", "#56B4E9"), "saddle": ("X", "white")}
turned = np.linalg.qr(np.array([[1.0, 0.5, 0.3], [-0.4, 1, 0.6], [0.2, -0.5, 1]]))[0]  # so that no axis is at a pole
east, north = np.meshgrid(np.linspace(-np.pi, np.pi, 121), np.linspace(-np.pi / 2, np.pi / 2, 61))
globe = np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)])

def draw_landscape(fig, kappa_1, kappa_2, kappa_3):
    kappa, ax, count = np.array([kappa_1, kappa_2, kappa_3], dtype=float), fig.add_subplot(projection="mollweide"), []
    height = np.tensordot(kappa, np.tensordot(turned, globe, 1) ** 4, 1)
    fig.colorbar(ax.contourf(east, north, height, levels=14), shrink=0.7, label="kurtosis")
    for signs in np.unique(np.sign(independent.kurtosis_critical_points(kappa)), axis=0):
        for mine in [critical_point, *yours(critical_point)]:
            w = np.asarray(mine(signs, kappa), dtype=float)
            kind = ("maximum", "saddle", "minimum")[min(int(morse_index(w, kappa)[0]), 2)]
            count += [kind] * (mine is critical_point)
            marker, color = KINDS[kind] if mine is critical_point else ("+", "#444444")
            x, y, z = turned.T @ w
            ax.plot(np.arctan2(y, x), np.arcsin(np.clip(z, -1, 1)), marker, color=color, markeredgecolor="black", markersize=8)
    ax.set(xticklabels=[], yticklabels=[])
    maxima, minima, saddles = (count.count(kind) for kind in KINDS)
    return (f"Kurtoses {kappa_1}, {kappa_2}, {kappa_3}: {maxima} maxima (triangles up), {minima} minima (triangles down), "
            f"{saddles} saddles (crosses).{' Your points (fail) are the plus signs.' * bool(yours(critical_point))}")

levels = [-2, -1, 1, 2, 4]
start = {"kappa_1": 1, "kappa_2": 2, "kappa_3": 4}
explore(draw_landscape, dict.fromkeys(start, levels), start, size=(6.5, 3.3))

# %% [markdown]
# <details><summary>If you read the book: the maxima when every kurtosis is negative</summary>
#
# Part 4 of [[exercise:kurtosis-sphere-landscape]] gives them as the sums of all $\pm e_i$. These vectors have length $\sqrt D$,
# and brought to length 1 they are stationary only if all kurtoses are equal. What holds is [[eq:kurtosis-sphere-landscape-cps]]
# with $S$ the set of all indices. (In part 2, $S$ has to be nonempty.) The next cell compares the two for
# $\kappa=(-1,-2,-\frac12)$.
# </details>

# %%
kappa, equal = np.array([-1.0, -2.0, -0.5]), np.ones(3) / 3**0.5
best, value = kurtosis_maximum(kappa)
show(equal_weights=kappa @ equal**4, residual=np.linalg.norm(kurtosis_stationarity(equal, kappa)))
show(best=value, weights=best, residual_there=np.linalg.norm(kurtosis_stationarity(best, kappa)))
for mine in yours(kurtosis_maximum):
    show(yours=mine(kappa)[1])
for mine in yours(kurtosis_stationarity):
    show(your_residual_there=np.linalg.norm(mine(best, kappa)))

# %% [markdown]
# ### 3.10 FastICA
# *Independent component analysis* looks for directions in which white data are independent; here, in which kurtosis is extreme.
# Whiten first (3.3), so that $XX^\top/N=I$ and the dictionary that is left is orthogonal. Then
# $\operatorname{kurt}(u^\top X)=\frac1N\|X^\top u\|_4^4-3\|u\|^4$ ([[eq:kurtosis-approximation-l4]]).
#
# #### Exercise: the gradient of kurtosis
# *More, 8 minutes.*

# %%
@exercise("ch02.kurtosis_gradient")
def kurtosis_gradient(X: "(D, N)", u: "(D,)") -> "(D,)":
    """Gradient with respect to u of kurt(u^T X) = ||X^T u||_4^4 / N - 3 ||X^T u||_2^4 / N^2 for white data, X X^T / N = I. u may
    have any length.
    Example: X = [[1., 1., -1., -1.], [1., -1., 1., -1.]], u = [1., 2.]  ->  [-8., -64.]"""
    #: solution
    return 4 * X @ (X.T @ u) ** 3 / X.shape[1] - 12 * (u @ u) * u
    #: end

# %% [markdown]
# **Claim.** On the sphere kurtosis is stationary where its gradient is a multiple of $u$ (why?). There the following step changes
# at most the sign of $u$ ([[eq:fast-ica]]):
#
# $$v=\frac1NX(X^\top u)^{\circ3}-3u,\qquad u\leftarrow\frac{v}{\|v\|} .$$
#
# That is power iteration (2.1) again, with the gradient of kurtosis in place of $Mu$, and there is no step size to choose.
#
# **Derive.** Without the $-3u$ the fixed points are the same. So what is it for? Write the step for infinitely many samples in
# the coordinates $w=U^\top u$, with and without.
#
# <details><summary>The answer</summary>
#
# The tangent part of the gradient is 0 exactly where the gradient is a multiple of $u$; adding a multiple of $u$ changes nothing
# of that. But it changes how fast other directions die out. The gradient of $\sum_i\kappa_iw_i^4+3\|w\|^4$, the fourth moment, is
# four times $\kappa w^3+3\|w\|^2w$ (powers entry by entry). With the $-3u$ only $\kappa w^3$ is left: near an axis a small
# coordinate $\epsilon$ becomes $(\kappa_j/\kappa_i)\,\epsilon^3$, instead of about $\frac{3}{\kappa_i+3}\,\epsilon$. It also lets
# components of negative kurtosis be found: their sign turns at every step, and their direction stays.
# </details>
#
# #### Exercise: one step of FastICA
# *Core, 10 minutes.*

# %%
@exercise("ch02.fastica_step")
def fastica_step(X: "(D, N)", u: "(D,)") -> "(D,)":
    """One step of FastICA on white data, X X^T / N = I: v = X (X^T u)^3 / N - 3 u, the cube entry by entry, then v brought to
    length 1. u has length 1, v is not 0. The sign is left as it comes.
    Example: X = [[1., 1., -1., -1.], [1., -1., 1., -1.]], u = [0.6, 0.8]  ->  [-0.3887, -0.9214]"""
    #: solution
    v = X @ (X.T @ u) ** 3 / X.shape[1] - 3 * u
    return v / jnp.linalg.norm(v)
    #: end

# %% [markdown]
# **See.** The step is the gradient, brought back to the nearest point of the sphere: your three functions agree.

# %%
X, u = np.array([[1.0, 1, -1, -1], [1, -1, 1, -1]]), np.array([0.6, 0.8])
show(step=fastica_step(X, u), nearest_to_the_gradient=sphere_extremes(kurtosis_gradient(X, u))[0])
for mine in yours(fastica_step):
    show(your_step=mine(X, u))
for mine in yours(kurtosis_gradient):
    show(nearest_to_your_gradient=sphere_extremes(mine(X, u))[0])
for mine in yours(sphere_extremes):
    show(your_nearest_point=mine(kurtosis_gradient(X, u))[0])

# %% [markdown]
# #### Exercise: FastICA with infinitely many samples
# *More, 6 minutes.*

# %%
@exercise("ch02.fastica_population")
def fastica_population(w: "(D,)", kappa: "(D,)") -> "(D,)":
    """The step in the coordinates of the true directions, when averages are expectations: kappa_i w_i^3 for every i, brought to
    length 1. Signs are left as they come; some kappa_i w_i is not 0.
    Example: w = [0.6, 0.8], kappa = [1., 2.]  ->  [0.2064, 0.9785]"""
    #: solution
    v = kappa * w**3
    return v / jnp.linalg.norm(v)
    #: end

# %% [markdown]
# **Claim.** If errors fall as $\epsilon_{t+1}\approx C\epsilon_t^{\,p}$, the *order* of convergence is $p$: with $p=1$ (linear)
# every step adds the same number of correct digits, with $p=3$ (cubic) it triples them.
#
# #### Exercise: how fast errors fall
# *More, 8 minutes.*

# %%
@exercise("ch02.convergence_order")
def convergence_order(errors: "(T,)") -> "()":
    """The p with e_1 = C e_0^p and e_2 = C e_1^p, for some C, where e_0, e_1, e_2 are the last three errors above 1e-6 (those
    below are rounding). Errors descend; at least three are above 1e-6.
    Example: errors = [0.5, 0.25, 0.03125, 1e-8]  ->  3."""
    #: solution
    e = np.asarray(errors)
    e = e[e > 1e-6][-3:]
    return np.log(e[2] / e[1]) / np.log(e[1] / e[0])
    #: end

# %% [markdown]
# <details><summary>If you read the book: the cubic rate</summary>
#
# After [[eq:fast-ica]] it says that the step converges to columns of $U$ at a cubic rate. That is the step with expectations.
# With $N$ samples two things change. The limit is not a column of $U$ but a point about $N^{-1/2}$ away from it. And at that
# point the step has a derivative, also of size $N^{-1/2}$: after two or three steps that look cubic, errors fall by a constant
# factor. For codes that are zero with probability $1-\theta$ the squared tangent of the angle to the true direction is on average
# $\frac{D-1}N\cdot\frac{2}{3(1-\theta)^2}$ (the argument is under Doubt): no number of steps helps, only samples do.
# </details>
#
# **See.** Left: your population step and your step on 20,000 samples from the same start, measured from the truth; and the latter
# measured from its own limit. Right: how far from the truth the limit is.

# %%
from chapters.ch02_linear_independent import experiments_kurtosis as ica

Z = ica.bernoulli_gaussian(np.random.default_rng(1), 0.2, (6, 20_000))
Xw, M = ica.whiten(Z)  # here the true directions are the axes
w = u = np.array([0.75, 0.5, 0.3, 0.2, 0.2, 0.1]) / np.linalg.norm([0.75, 0.5, 0.3, 0.2, 0.2, 0.1])
off_axis = lambda path: [float(np.linalg.norm(v[1:]) / abs(v[0])) for v in np.asarray(path)]
many, few = [w], [u]
for _ in range(12):
    many.append(fastica_population(many[-1], np.full(6, 12.0)))
    few.append(fastica_step(Xw, few[-1]))
truth, sample = off_axis(many), off_axis(few @ M)
own = np.linalg.norm(np.asarray(few) - np.asarray(few[-1]), axis=1)
for name, path in ("expectations", truth), ("samples", own):
    print(f"order of convergence with {name}: {convergence_order(jnp.array(path)):.0f}")

# %%
Ns = [500, 2000, 8000]
ends = np.array([ica.limits(N) for N in Ns])
with figure("Left: errors by step; cubic with expectations, level with samples from the truth, linear from their own limit. "
            "Right: the level falls as the root of 1/N.", size=(8, 3.2), ncols=2) as axes:
    axes[0].semilogy(truth[:5], label="expectations")
    axes[0].semilogy(sample[:8], label="samples, from the truth")
    axes[0].semilogy(own[:6], label="samples, from their limit")
    for mine in yours(fastica_population):
        axes[0].semilogy(off_axis([w, mine(w, np.full(6, 12.0))]), **plot.DASHED)
    for mine in yours(fastica_step):
        path = [u]
        for _ in range(7):
            path.append(mine(Xw, path[-1]))
        axes[0].semilogy(off_axis(path @ M), **plot.DASHED)
    axes[0].set(xlabel="steps", ylabel="error", ylim=(1e-8, 3))
    axes[1].errorbar(Ns, (ends**2).mean(axis=1) ** 0.5, (ends**2).std(axis=1) / (2 * (ends**2).mean(axis=1) ** 0.5 * 20**0.5),
                     label="20 data sets", linestyle="None")
    axes[1].plot(Ns, (5 * 2 / (3 * 0.8**2) / np.array(Ns)) ** 0.5, ":", color="black", marker="None", label="predicted")
    axes[1].set(xscale="log", yscale="log", xlabel="samples N", ylabel="tangent of the angle to the truth")
    axes[1].set_xticks(Ns, Ns, minor=False)
    axes[1].set_yticks([0.02, 0.05, 0.1], [0.02, 0.05, 0.1], minor=False)
    axes[1].minorticks_off()
    for ax in axes:
        ax.legend()

# %% [markdown]
# ### 3.11 All components
# **Claim.** With one direction found, the others lie orthogonal to it. So search there next, and so on $D$ times
# ([[eq:fast-ica]] and after). What is removed has to be removed from the *iterate*, at every step: first the step, then the part
# along the directions found, then the length. (The alternative moves all rows at once and orthogonalises them together, as 3.6
# does: `independent.fastica`.)
#
# #### Exercise: all components, one after another
# *Challenge, 15 minutes.*

# %%
@exercise("ch02.fastica_deflation")
def fastica_deflation(W: "(D, D)", X: "(D, N)", T: int) -> "(D, D)":
    """D orthonormal rows, found one after another on white data, X X^T / N = I. Row k starts at row k of the orthogonal W, as it
    is, and takes T >= 1 steps: a step of FastICA, then the parts along the rows found before are subtracted, then length 1.
    For instance, for data that are an orthogonal U times independent codes, the rows are columns of U, up to order and sign."""
    #: solution
    found = jnp.zeros_like(W)
    for k in range(len(W)):
        u = W[k]
        for t in range(T):
            v = X @ (X.T @ u) ** 3 / X.shape[1] - 3 * u
            v = v - found.T @ (found @ v)
            u = v / jnp.linalg.norm(v)
        found = found.at[k].set(u)
    return found
    #: end

# %% [markdown]
# <details><summary>If you read the book: projecting the data instead</summary>
#
# After [[eq:fast-ica]] the data are projected, $X\leftarrow(I-uu^\top)X$, and the same step is used again. But that step was
# derived for white data, and projected data are not white. Along a direction $r$ that was removed the average contributes
# nothing, and $-3u$ remains: the coordinate $u^\top r$ is multiplied by $-3$, while a true one goes from $w_i$ to
# $\kappa_iw_i^3$. Unless $\kappa_iw_i^2$ exceeds 3, the iteration runs back to what was removed. To project the start as well
# helps only where $\kappa_i>3$: otherwise rounding grows by $3/\kappa_i$ at every step. Two remedies work: to project every
# iterate, or to use the gradient for data that are not white, $-3(u^\top Cu)\,Cu$ with $C=XX^\top/N$. The next cell tries all
# four on 30 data sets with four codes, which are nonzero with probability $\theta$; their kurtosis is $3/\theta-3$.
# </details>

# %%
thetas = [0.05, 0.1, 0.2, 0.35, 0.5, 0.7]
tried = [ica.deflation(theta) for theta in thetas]
with figure("Fraction of data sets with all four components found: few or none as printed; all, with either remedy.") as ax:
    for way, line in zip(tried[0], ("-", "--", "-", ":")):
        ax.plot(thetas, [found[way] for found in tried], line, label=way)
    ax.set(xlabel=r"fraction $\theta$ of nonzero codes", ylabel="all components found", ylim=(-0.05, 1.1))
    ax.legend(loc="upper left", bbox_to_anchor=(0.15, 0.85))

# %% [markdown]
# **See.** Three photographs, mixed: every pixel of a mixture is a combination of the three pixels at that place, with
# coefficients nobody knows. Can they be separated? Photographs are not independent: in many there is sky above and ground below.
# And the kurtosis of pixels has no firm sign; two of these have one close to 0. The *differences* between neighbouring pixels are
# nearly 0 almost everywhere and large at edges, which are at other places in each photograph. They are mixed by the same matrix.
# So find the directions from the differences, and apply them to the pixels.

# %%
crops = np.stack([np.asarray(data.photograph(name))[10:138, 10:139] for name in ("camera", "coffee", "flower")])
A = np.array([[0.6, 0.5, 0.4], [0.3, -0.7, 0.5], [0.6, 0.2, -0.7]])
centred = lambda images: images.reshape(3, -1) - images.reshape(3, -1).mean(axis=1, keepdims=True)
pixels, differences = centred(crops[:, :, 1:]), centred(np.diff(crops, axis=2))
unmix = {}
for name, S in (("pixels", pixels), ("differences", differences)):
    white, M = ica.whiten(A @ S)
    unmix[name] = np.asarray(fastica_deflation(np.eye(3), white, 50)) @ M
    failing = [np.asarray(mine(np.eye(3), white, 50)) @ M for mine in yours(fastica_deflation)]
    show(**{f"{name}, kurtosis": ((S / S.std(axis=1, keepdims=True)) ** 4).mean(axis=1) - 3})
    show(correlation_with_the_best_output=ica.matched(unmix[name] @ A @ pixels, pixels))

# %%
rows = {"photographs": np.eye(3), "mixed": A, "by pixels": unmix["pixels"] @ A, "by differences": unmix["differences"] @ A}
rows |= {"yours (fails)": W @ A for W in failing}
with figure("Three photographs; three mixtures; separated by their pixels, still mixed; separated by differences, clean up to "
            "order and sign.", size=(8, 3.4), nrows=-(-len(rows) // 2), ncols=2, gridspec_kw={"wspace": 0.1}) as axes:
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (name, B) in zip(axes.flat, rows.items()):
        shown = (B @ pixels).reshape(3, 128, 128)[:, ::2, ::2].reshape(3, -1)
        plot.images(ax, (shown / np.abs(shown).max(axis=1, keepdims=True)).T)
        ax.set_title(name)
