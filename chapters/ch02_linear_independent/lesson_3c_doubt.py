# %% [markdown]
# ### 3.12 Doubt
# Optional: where the claims of this part stop being true. Every number comes from the cell beneath; the experiments are plain
# NumPy functions, to read and to change, in `chapters/ch02_linear_independent/experiments_independent.py`.
#
# <details><summary>How many samples does it take?</summary>
#
# Random dictionaries, random starts, 200 steps of matching, stretching and projecting; a success has found *every* column to a
# cosine of 0.95. Twenty seeds each; stored, since it takes about 20 seconds (`long_independent.py`, and `RUN_LONG=1` runs it
# here).
#
# - Sparser codes are not always much cheaper: in ten dimensions 800 samples do for $\theta=0.1$, $0.3$ and $0.5$. But close to
#   $\theta=1$ the price explodes, because what is to be seen, a kurtosis of $3/\theta-3$, goes to zero while the scatter of
#   fourth moments does not. At $\theta=0.9$ even 6,400 rarely do.
# - $\theta=1$ is impossible at any $N$: these codes are Gaussian (3.2). Nothing in the run betrays it: the objective rises as
#   always, and some $W$ comes out. Only its value, hardly above $3D/4$, could warn you.
# - Twice the dimension takes two to four times the samples (right): more than in proportion.
# </details>

# %%
from chapters.ch02_linear_independent import experiments_independent as trial, long_independent

table = measured(long_independent.msp_samples)
with figure("Fraction of successes against the number of samples. Left: the curves move right as theta grows, and stay at zero "
            "for theta = 1. Right: they move right as the dimension grows.", size=(7.5, 2.8), ncols=2, sharey=True) as axes:
    for name, ax, rows in (("theta", axes[0], table["by_theta"]), ("D", axes[1], table["by_D"])):
        for value, row in zip(table[name], rows):
            ax.plot(table["N"], row, label=f"{name} = {value}")
        ax.set(xscale="log", xlabel="samples N", ylim=(-0.05, 1.05))
        ax.legend(fontsize="x-small", loc="upper left")
    axes[0].set_ylabel("successes")
show(N=table["N"], half_succeed_at_D=[int(table["N"][(row >= 0.5).argmax()]) for row in table["by_D"]])

# %% [markdown]
# <details><summary>What do noise and outliers do?</summary>
#
# Six dimensions, 2,000 samples, $\theta=0.3$, eight seeds; the sine of the angle to the column that is found worst. Beside the
# cube, a measure that grows like $|z|$: the step of FastICA for $\log\cosh$,
# $W\leftarrow P\big[\operatorname{diag}(E[1-\tanh^2])W-E[\tanh(Wx)\,x^\top]\big]$, the smooth form of $\ell^1$.
#
# - Gaussian noise (left) costs each of them about the same: it has no kurtosis, so it blurs the landscape without moving its
#   peaks.
# - Outliers (right), ten times as long as a typical sample: *two* of 2,000 are enough to lose a column, because each counts
#   like ten thousand samples in a fourth moment. $\log\cosh$ bears twenty with a sine of 0.1, and fails at sixty.
# - The cheap cure is again to shorten first: cut every column to at most twice the median length. Then 60 outliers do no harm,
#   and even without any the clipped cube is more than twice as accurate as the plain one. $\log\cosh$ is better still on clean
#   data. The fourth power is chosen for its algebra, not for its statistics.
# </details>

# %%
noises, fractions = [0, 0.25, 0.5, 1.0], [0, 0.001, 0.003, 0.01, 0.03]
with figure("Sine of the worst angle. Left, against noise: all three rise slowly. Right, against the fraction of outliers: the "
            "cube fails at once, log cosh late, the clipped cube never.", size=(7.5, 2.8), ncols=2, sharey=True) as axes:
    for name in trial.METHODS:
        for ax, key, values in (axes[0], "sigma", noises), (axes[1], "outliers", fractions):
            runs = np.array([trial.errors(name, **{key: value}) for value in values])
            ax.errorbar(range(len(values)), runs.mean(axis=1), runs.std(axis=1), label=name)
            ax.set(xticks=range(len(values)), xticklabels=values)
    axes[0].set(xlabel="standard deviation of the noise", ylabel="sine of the worst angle", ylim=(0, 1))
    axes[1].set(xlabel="fraction of outliers")
    axes[0].legend()

# %% [markdown]
# <details><summary>Does a learned dictionary beat principal components on images?</summary>
#
# How much of the energy of an image do the 8 largest of 32 coefficients hold? In a random orthogonal basis of the 32 leading
# principal directions, in the principal components themselves, and in the basis that matching, stretching and projecting
# learns; on the half of the images not used for learning, three random halves. What came out:
#
# - Without whitening the gain over principal components is a few tenths of a percent at best, and on centred digits there is
#   none. The leading components hold most of the energy anyway (of digits as they are, the first is nearly the mean image).
# - After whitening, where all directions carry the same energy, it is another story. There the principal components of digits
#   are *no sparser than random directions*, and the learned ones are clearly better. On whitened patches the learned
#   dictionary leads by less.
#
# So the fair summary is: it finds structure that second moments cannot see, and this shows once second moments are taken out
# of the way. Whether that helps depends on what the codes are for. To copy images with few numbers, principal components are
# hard to beat with a complete orthogonal dictionary. (Part 4 gives up "complete".)
# </details>

# %%
X = np.asarray(data.digits()[0])
some = np.asarray(data.natural_patches(jax.random.key(0), 5000))
some = some[:, np.argsort(some.std(axis=0))[-3000:]]                        # the flattest dropped
centred = X - X.mean(axis=1, keepdims=True)
print(f"{'energy in the 8 largest of 32':32}{'random':>9}{'principal':>11}{'learned':>9}")
spread = 0
for name, images, white in (("digits", X, False), ("digits, centred", centred, False),
                            ("digits, centred and whitened", centred, True), ("patches", some, False),
                            ("patches, whitened", some, True)):
    runs = np.array([trial.shares(images, white, seed) for seed in range(3)])
    print("{:32}{:9.3f}{:11.3f}{:9.3f}".format(name, *runs.mean(axis=0)))
    spread = max(spread, runs[:, 1:].std(axis=0).max())
print(f"largest standard deviation of the last two columns over the halves: {spread:.3f}")

# %% [markdown]
# <details><summary>Is the cube the best choice?</summary>
#
# Any odd $g$ can take its place: $v=\frac1NX\,g(X^\top u)-\operatorname{mean}(g'(X^\top u))\,u$ has the true directions as fixed
# points too (with $g(y)=y^3$ it is your step). Popular is $g=\tanh$, the derivative of $\log\cosh$, which listens less to large
# values. Which one makes more of $N$ samples? Let $s$ be the code that is sought and $b$ the share of another one that gets into
# the answer. To first order
#
# $$N\,E[b^2]=\frac{E[g(s)^2]-E[s\,g(s)]^2}{\big(E[s\,g(s)]-E[g'(s)]\big)^2} ,$$
#
# for the cube and sparse codes $\frac{2}{3(1-\theta)^2}$. Where it comes from: let $y=z_1+\sum_{j\ge2}b_jz_j$ be the output and
# $\delta_j$ the average of $z_1z_j$ over the samples. Whitening replaces $z_j$ by about $z_j-\frac12\delta_jz_1$, and $b_j$ is
# $u_j-\frac12\delta_j$. At a fixed point the average of $x_jg(y)$ is $u_j$ times that of $x_1g(y)$, hence
# $\overline{z_jg(z_1)}-\frac12\delta_jE[sg]+b_jE[g']=(b_j+\frac12\delta_j)\,E[sg]$, that is
# $b_j=\overline{z_j\,(g(z_1)-E[sg]\,z_1)}\,/\,(E[sg]-E[g'])$. Its mean square is the formula.
#
# Measured with 24 data sets of 4,000 samples (bars: standard error of the mean; black: the formula): for flat codes the cube is
# better, by a factor of about 1.6. For sparse and heavy-tailed ones $\tanh$ is, by 3 for Laplace codes and by more than 20 where
# one code in ten is nonzero. For Student's law with 5 degrees of freedom the sixth moment is infinite and the cube's error falls
# more slowly than $1/N$. The cube is the simplest to analyse; for sparse codes it is a poor choice.
# </details>

# %%
from chapters.ch02_linear_independent import experiments_kurtosis as ica

alt = "Squared error of one direction times N, for five kinds of codes: the cube is below tanh for uniform ones only."
with figure(alt, size=(7, 3.2)) as ax:
    for offset, name in ((-0.12, "cube"), (0.12, "tanh")):
        runs = np.array([ica.efficiency(source, name) for source in ica.SOURCES])
        place = np.arange(len(runs)) + offset
        ax.errorbar(place, runs.mean(axis=1), runs.std(axis=1) / runs.shape[1] ** 0.5, linestyle="None", label=name)
        ax.plot(place, [ica.predicted(source, name) for source in ica.SOURCES], "_", color="black", markersize=14)
    ax.set_xticks(range(len(runs)), ica.SOURCES)
    ax.set(yscale="log", ylabel="N times squared error", ylim=(0.01, 40))
    ax.legend()
for source in ("uniform", "Laplace", "sparse, 0.1"):
    ratio = ica.predicted(source, "cube") / ica.predicted(source, "tanh")
    print(f"{source}: the cube needs {ratio:.2g} times the samples of tanh")

# %% [markdown]
# <details><summary>What if the sources are not independent?</summary>
#
# Two kinds of dependence, three sources, 12 data sets of 4,000 samples (left figure: median and range).
# - *Sizes* depend: with probability $\rho$ all codes of a sample are zero together or not at all. The true directions remain
#   fixed points, but near them a step multiplies errors by $\rho$ instead of cubing them. Up to $\rho=0.6$ the price is small;
#   near 1 nothing is left, since then every direction is as good as any other.
# - *Values* are correlated, every pair with correlation $\rho$. White outputs are uncorrelated, so they cannot all equal the
#   sources: no three of them reach more than the dotted line, on average over the sources. More samples do not help.
#
# And Gaussian sources? One does no harm. Of two, only the plane is determined: three sparse sources beside two Gaussian ones are
# found in each of 20 data sets, but the Gaussian two come out mixed, differently each time.
#
# The photographs of 3.11 were one choice. For twenty random ones (three of the five, random crops, random mixing) the last cell
# prints the correlation of the worst separated photograph with its output, at worst and in the median. That the pixels of two
# photographs are correlated explains the smaller part of the failure: the uncorrelated outputs closest to them do much better.
# </details>
#
# <details><summary>What does one outlier do?</summary>
#
# One of 2,000 mixed samples is replaced by a vector of random direction, $r$ times as long as the others (right figure: median
# and range over 20 data sets of four Laplace sources). Its share of the fourth moment is of order $r^4/N$: from $r\approx6$ on
# the cube looks at the outlier instead of the data. With $\tanh$ its weight grows like $r$ only, and even $r=20$ does little
# harm. Cut long samples back first, and the cube survives too.
# </details>

# %%
rhos, lengths = [0, 0.3, 0.6, 0.8, 0.95], [1, 3, 6, 9, 20]
spread = lambda runs: (np.median(runs, 1), np.abs(np.percentile(runs, [0, 100], 1) - np.median(runs, 1)))
with figure("Worst correlation of a source with its output. Left: high until sizes depend strongly; near the dotted line if "
            "correlated. Right: one outlier ruins the cube, not tanh.", size=(8, 3.2), ncols=2, sharey=True) as axes:
    for how, label in ("size", "sizes depend"), ("correlated", "values correlated"):
        axes[0].errorbar(rhos, *spread([ica.dependent(rho, how) for rho in rhos]), label=label)
    closest = [ica.closest((1 - rho) * np.eye(3) + rho) for rho in rhos]
    axes[0].plot(rhos, closest, ":", color="black", marker="None", label="closest uncorrelated")
    for name, clip, label in ("cube", False, "cube"), ("tanh", False, "tanh"), ("cube", True, "cube, clipped"):
        axes[1].errorbar(lengths, *spread([ica.outlier(r, name, clip) for r in lengths]), label=label)
    axes[0].set(xlabel=r"dependence $\rho$", ylabel="worst correlation", ylim=(0.5, 1.02))
    axes[1].set(xlabel="length r of the outlier", xticks=lengths)
    for ax in axes:
        ax.legend(loc="lower left")

# %%
gaussian = ica.two_gaussians()
print(f"three sparse sources, worst of 20 data sets: {gaussian[:, :3].min():.2f}; two Gaussian ones: {gaussian[:, 3:].min():.1f}")
runs = [ica.photographs(seed) for seed in range(20)]
for name, label in ("pixels", "by pixels"), ("differences", "by differences"), ("closest", "closest uncorrelated outputs"):
    found = np.array([run[name] for run in runs])
    print(f"photographs, {label}: {found.min():.2f} at worst, {np.median(found):.2f} in the median")
