# %% [markdown]
# ### 4.9 Doubt
# Optional: where the claims of this part stop being true. Every number comes from the cell beneath; the experiments are plain
# NumPy, to read and to change, in `chapters/ch03_denoising/experiments_memory.py`. The book's figures on memorisation
# ([[fig:diffusion_memorization_euclidean_samples]] and the two after it) are taken from papers on large networks and many images;
# they are not reproduced here. What can be asked on a small machine is asked of small models.
#
# <details><summary>Does the optimal denoiser really copy, and does that depend on the sampler?</summary>
#
# A hundred training samples from $N(0,I)$ in $D$ dimensions, 200 samples from the memorising denoiser, three seeds: mean and
# standard deviation of the memorisation ratio, and how many different training samples stand nearest to a generated one.
#
# - It copies, whatever $D$ and however few the steps, if the last times are small. What few steps lose is *variety*: two hundred
#   independent draws from a hundred samples would show about 86 of them ($100(1-e^{-2})$); five steps show two thirds.
# - Stopped at $t=0.2$ it draws from a kernel density of that width. In two dimensions its ratio is hardly above that of fresh
#   samples, in ten it is still high: the same noise is small there, compared with the gaps between samples.
# - The ratio needs its baselines. Fresh samples score $3^{-D}$. And *noise* that has nothing to do with the data scores less
#   still: a "generalisation score" of one minus the ratio would call it the best model of all.
# </details>

# %%
from chapters.ch03_denoising import experiments_memory as trial

for D in (2, 3, 10):
    print(f"D = {D:2}, floor {3.0**-D:.1g}")
    for name, runs in trial.copies(D, [5, 20, 100]).items():
        (ratio, near), spread = runs.mean(axis=0), runs.std(axis=0)[0]
        print(f"  {name:15} ratio {ratio:.3f} +- {spread:.3f}, near {near:.0f} of 100")

# %% [markdown]
# <details><summary>Can a lower training loss be worse?</summary>
#
# Data $N(0,I)$ in two dimensions, noise $\sigma=0.3$, where the true posterior mean is $x_t/(1+\sigma^2)$. On noisy versions of
# its own training samples the memorising denoiser beats the truth, by construction; on new ones it loses, and loses more than it
# had won. Both errors come to the truth's as $N$ grows. So the training loss alone tells nothing, and one *below* that of the
# truth is the mark of memory. (Mean over five seeds, and standard deviation.)
# </details>

# %%
print("    N   truth, train   memory, train   truth, new   memory, new")
for N in (10, 100, 1000):
    runs = trial.losses(2, N, 0.3)
    print(f"{N:5}   " + "   ".join(f"{m:.3f} +- {s:.3f}" for m, s in zip(runs.mean(axis=0), runs.std(axis=0))))

# %% [markdown]
# <details><summary>Is it the dimension of the space that makes memory fail, or that of the data?</summary>
#
# That of the data, exactly. If all training samples lie in a subspace, the part of $x_t$ across it adds the same number to every
# $\|x_t-x_i\|^2$ and cancels in the weights: the denoiser in $D$ dimensions *is* the one in $d$, with the noise across removed
# completely. (First line below: the largest difference.)
#
# What is left is measured without the irreducible error, by Pythagoras (Part 2): $E\|f-x\|^2-E\|\bar x-x\|^2=E\|f-\bar x\|^2$,
# where $\bar x$ is the true posterior mean, known here. The right side has no large terms that cancel. At $\sigma=0.5$:
#
# - for $d=2$ memory is nearly as good as the truth with a thousand samples (the truth's own error is
#   $d\sigma^2/(1+\sigma^2)=0.4$); for $d=8$ four thousand are not enough. What a hundred samples do for $d=2$ takes about nine
#   hundred for $d=4$.
# - The structured competitor, principal components with the shrinkage of Chapter 2 (told $d$ and $\sigma$, in $D=64$), comes
#   down at least as fast as $1/N$ for every $d$. It wins because the data *are* Gaussian on a subspace; memory assumes nothing.
# </details>

# %%
show(largest_difference=trial.invariance(3, 64))
Ns = [100, 300, 1000, 4000]
alt = "Excess error against N: memory falls ever more slowly from d = 2 to 8; principal components lie far below and fall faster."
with figure(alt, size=(6, 3.2)) as ax:
    for d, color, marker in zip((2, 4, 8), plot.COLORS, plot.MARKERS):
        memory, components = trial.excess_risks(d, 64, Ns)
        ax.errorbar(Ns, memory.mean(axis=1), memory.std(axis=1), color=color, marker=marker, label=f"memory, d = {d}")
        ax.plot(Ns, components.mean(axis=1), ":", color=color, marker=marker, label=f"components, d = {d}")
        print(f"d = {d}, N = 1000: memory {memory[2].mean():.2g} +- {memory[2].std():.1g}, components {components[2].mean():.1g}")
    ax.set(xscale="log", yscale="log", xlabel="training samples N", ylabel="excess error")
    ax.set_xticks(Ns, Ns, minor=False)
    ax.minorticks_off()
    ax.legend(fontsize="x-small", ncols=2)

# %% [markdown]
# <details><summary>Is one third a meaningful threshold?</summary>
#
# It was chosen to agree with the eye on images. Here the truth is known: fresh samples of $N(0,I)$ in $d$ dimensions against
# *disturbed copies*, training samples displaced by a share of the mean distance between nearest neighbours. (A share of 1 is as
# far as another training sample.) The histograms are for a share of 0.6.
#
# - In two dimensions a tenth of the fresh samples pass for copies, and even mild disturbances hide most copies among them: no
#   threshold does much better (the *area* is the chance that a copy has a lower ratio than a fresh sample; 1/2 is guessing).
# - In ten and fifty dimensions the two kinds are well separated, but not at one third: the criterion finds hardly any copy that
#   is displaced by 0.6. With a threshold set by fresh samples, the level that only 5 percent of them fall below, most are found.
# - So: not a constant, but a *quantile of fresh samples*. A held-out set is all that it takes.
# </details>

# %%
shares = [0.3, 0.6, 1.0]
with figure("Ratios of fresh samples and copies: mixed in 2 dimensions, apart in 10 and 50, but there both right of a third.",
            size=(7.5, 2.4), ncols=3, sharey=True) as axes:
    for ax, d in zip(axes, (2, 10, 50)):
        fresh, disturbed = trial.two_kinds(d, shares)
        bins = np.linspace(0, 1, 26)
        ax.hist(fresh, bins, density=True, color=plot.COLORS[0], alpha=0.6, label="fresh")
        ax.hist(disturbed[1], bins, density=True, color=plot.COLORS[1], alpha=0.6, label="copies")
        ax.axvline(1 / 3, color="black", linewidth=1, marker="None")
        ax.set(title=f"d = {d}", xlabel="ratio", yticks=[])
        level = np.quantile(fresh, 0.05)
        print(f"d = {d:2}: fresh below 1/3 {(fresh < 1 / 3).mean():.2f}. Copies below 1/3, below {level:.2f} (5 percent), area:")
        for share, r in zip(shares, disturbed):
            print(f"  displaced {share}: {(r < 1 / 3).mean():.2f}, {(r < level).mean():.2f}, {trial.roc_area(r, fresh):.2f}")
    axes[0].legend(fontsize="small")

# %% [markdown]
# <details><summary>Does a short code with a precision learn the distribution?</summary>
#
# $N(0,I)$ in $D$ dimensions. For three seeds: the width of the kernel density that is best for 300 new samples; the width chosen
# by leaving one out; and what new samples cost beyond what the true law needs for the same ones, in nats.
#
# - The best width is finite, grows with $D$ and shrinks with $N$: the precision is part of the answer.
# - Leaving one out chooses as well in eight dimensions. In one dimension with a hundred samples it failed in one of three seeds:
#   bumps much too narrow, and new samples far out, whose code length is a squared distance over $2\varepsilon^2$, pay for it.
# - A short code is not yet a good one. In eight dimensions the best kernel density still wastes a third of a nat with 1,000
#   samples, where the right family (a fitted Gaussian) wastes a fiftieth.
# </details>

# %%
print(" D     N   best width     left out       cost, best      cost, chosen    cost, Gaussian")
for D, N in ((1, 100), (1, 1000), (8, 100), (8, 1000)):
    runs = trial.widths(D, N)
    print(f"{D:2} {N:5}   " + "   ".join(f"{m:.2f} +- {s:.2f}" for m, s in zip(runs.mean(axis=0), runs.std(axis=0))))

# %% [markdown]
# <details><summary>Is a trained network better than a kernel density of the same size?</summary>
#
# A kernel density *is* its training set: $ND$ numbers and a width. What does a network make of as many? Data on three random
# planes in eight dimensions, 64 or 512 training samples, three seeds. Against the kernel density (width by leaving one out): a
# network that maps four normal numbers to a sample, trained on the energy distance, and a diffusion model whose denoiser is a
# network, once of that size and once eight times as large. Beside them two small models: one Gaussian, and three planes fitted by
# turns (assign samples, refit planes). For 2,000 samples of each: the sliced Wasserstein distance to fresh samples (the mean
# distance of sorted projections, over 100 directions), the memorisation ratio, and the mean distance to the nearest true plane.
# What came out:
#
# - At equal size no network beats the kernel density clearly. By distance to the law they are level with it, or behind. With 512
#   samples the kernel density stays nearer to the planes than either.
# - Eight times as large, the diffusion model is nearer to the planes than the kernel density at both sizes, without copying. By
#   distance to the law it is ahead with 64 samples and behind with 512.
# - The three fitted planes, with 47 numbers, win by every measure. That is what knowing the shape is worth. A wrong shape does
#   not profit from data: one Gaussian is as far off the planes with 512 samples as with 64.
# - Every other model that makes new samples scores *below* the floor of fresh ones: its samples lie beside the planes, about
#   equally far from many training samples. And the sliced distance hardly sees that: with 64 samples it finds one Gaussian as
#   good as the best network. No single one of the three numbers would have told the story.
#
# Small networks, one recipe of training (4,000 steps of Adam), few data: nothing here decides about large ones. The results are
# stored; with `RUN_LONG=1` the cell trains all 18 networks anew, in one to two minutes.
# </details>

# %%
from chapters.ch03_denoising import long_memory

table = measured(long_memory.generators_of_equal_size)
for j, N in enumerate(table["sizes"]):
    print(f"N = {N:3}                 numbers   distance           ratio              off the planes")
    for i, name in enumerate(table["methods"]):
        runs = [table[key][i, j] for key in ("distance", "ratio", "off_planes")]
        print(f"{name:22} {table['numbers'][i, j]:8}   " + "   ".join(f"{r.mean():.3f} +- {r.std():.3f}  " for r in runs))
