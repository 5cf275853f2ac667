# %% [markdown]
# The next three questions are put to three random planes in $\mathbb R^D$ ($N(0,U_kU_k^\top)$ with $d=2$, equally likely), where
# the best denoiser is known. Networks have three hidden layers and are trained by Adam (VP, 4,000 steps on batches of 128, noise
# levels uniform in the angle $\arctan(\sigma/\alpha)$); three seeds, means and standard deviations. The results are stored with
# the lesson (about a minute each on two cores; `RUN_LONG=1` computes them anew); what made them is in `long_learned.py` in
# `chapters/ch03_denoising`.
#
# <details><summary>Does a trained network memorise, and when does it stop?</summary>
#
# $D=8$, networks of width 64. With 8 samples the network is close to the memorising denoiser: most of what it generates are
# copies, and its training error is less than half of what the *best* denoiser makes on the same data. From 128 samples on it is
# nearer to the best one, on fresh data. So there is a transition, between 32 and 128 here. But:
#
# - *The number of samples is not what decides.* With 32 samples (table) 1,000 steps give hardly any copies, 16,000 steps a third,
#   and a wider network nearly twice as many as a narrow one. Stopping early hides the copies; it does not make the denoiser good:
#   the error on fresh data is more than twice that of the best, either way.
# - *Few copies do not show quality.* For large $N$ the share falls ten times below that of fresh data ($3^{-2}$, dotted), which
#   no perfect sampler does: small errors away from the planes make the nearest two distances alike.
# - The gap between training and fresh data is the plainer sign. It is closed at 2,048 samples. What is left there, 0.26 against
#   0.23, is not for lack of data, but of size or steps.
# </details>

# %%
from chapters.ch03_denoising import long_learned

change = measured(long_learned.memorize_to_generalize)
mean, spread = change["numbers"].mean(axis=1), change["numbers"].std(axis=1)
Ns = change["settings"][:5, 0]
alt = "Against N: copies fall from 0.7 to 0.01, below the floor; the distance to the best falls below that to the memorising one."
with figure(alt, size=(7, 2.6), ncols=2) as (left, right):
    left.errorbar(Ns, mean[:5, 0], spread[:5, 0], marker="o", label="samples of the network")
    left.plot(Ns, mean[:5, 1], label="fresh data")
    left.axhline(1 / 9, color="black", linestyle=":", marker="None")
    left.set(ylabel="share of copies")
    for column, name, marker in (6, "memorising denoiser", "o"), (7, "best denoiser", "s"):
        right.errorbar(Ns, mean[:5, column], spread[:5, column], marker=marker, label=f"to the {name}")
    right.set(ylabel="distance of the network")
    for ax in (left, right):
        ax.set(xscale="log", xlabel="training samples N")
        ax.legend()
print("                    share of copies     error at t = 0.3      of the best denoiser")
print("    N width  steps  network     fresh   training     fresh   training     fresh")
for setting, m, s in zip(change["settings"], mean, spread):
    N, width, steps = map(int, setting)
    print(f"{N:5}{width:6}{steps:7}{m[0]:6.2f} ({s[0]:.2f}){m[1]:7.2f}" + "".join(f"{value:10.2f}" for value in m[2:6]))

# %% [markdown]
# <details><summary>Is a denoiser of the right form better than a black box?</summary>
#
# The best denoiser of three planes is an attention over subspaces (Part 2), 48 numbers to learn. Against it a perceptron of 9,736
# numbers and one of 98, all trained on the same samples with the same steps; and the memorising denoiser. Shown is by how much
# the predicted noise errs beyond the best prediction, $\frac{\alpha^2}{\sigma^2}E\|\bar x_\theta-\bar x\|^2$, on fresh data.
#
# - *The form is worth a lot.* Started at the true planes and trained on 64 samples, it stays there, and errs hundreds of times
#   less than the large perceptron with 2,048. The small perceptron, of about its size, is nowhere near.
# - *If training finds it.* From random starts it does not: one or two planes are found, and the other heads lie across what is
#   left. Of five starts, the one with the lowest loss on the training data comes close for one of the three seeds, with 2,048
#   samples; six heads in place of three are no remedy. Where there is little noise, stuck planes are ten times worse than the
#   black box, and more; it has no such trouble.
# - With 2,048 samples on *planes*, memory is better than the perceptron too, but for the least noise: $d=2$ is a small dimension.
#
# So a white box is no better than the way one has to its parameters. (Chapter 2 saw the same of dictionaries.)
# </details>

# %%
rivals = measured(long_learned.learned_against_best)
alt = "Excess error against the noise level for two sample sizes and seven denoisers."
with figure(alt, size=(8, 3), ncols=2, sharey=True) as axes:
    for ax, N, excess in zip(axes, rivals["Ns"], rivals["excess"]):
        for name, numbers, runs, marker in zip(rivals["methods"], rivals["numbers"], excess, plot.MARKERS):
            label = f"{name} ({numbers})" if numbers else name
            ax.errorbar(rivals["angles"], runs.mean(axis=0), runs.std(axis=0), marker=marker, label=label)
        ax.set(yscale="log", ylim=(1e-6, 200), xlabel=r"angle $\arctan(\sigma/\alpha)$", title=f"N = {N}")
    axes[0].set(ylabel="excess error")
    axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %% [markdown]
# <details><summary>Is it easier to predict the noise?</summary>
#
# The book says that it is slightly easier, and may need larger models (Section [[sub:sampling_denoising]], step 4). Networks
# without any connection past them, asked for $x$, $g$ or $v=\alpha g-\sigma x$, each with the plain squared error of its target,
# 2,000 samples and 2,000 steps. Shown is by how much the predicted noise errs beyond the best, whatever the target was.
#
# - $D=8$: each has its end. Predicting $x$ is worst where there is little noise, where the answer is nearly $x_t$ and has to be
#   given to many digits; predicting $g$ is worst where there is much, for the same reason. The velocity is never the worst. (Part
#   of this is the weighting that comes with each loss.)
# - $D=64$, still planes: *predict the data*. At width 64 the noise predictor errs six times more where there is least noise, and
#   more than a hundred times from the middle on. A width of 160 brings it down by five to ten, which is not enough. All of $x_t$
#   has to pass through the network to its output, 64 numbers, where the data have two or three times two. This is the book's
#   "larger models", and no small effect; Li and He (2025) report the like for images.
# - So what is easier depends on $D$ against the width, and on whether the network has a way past it, as in 4.3.
# </details>

# %%
aims = measured(long_learned.three_targets)
alt = "Excess error against the noise level: for D = 8 curves cross, for D = 64 predicting x is far below noise and velocity."
with figure(alt, size=(7.5, 2.7), ncols=3, sharey=True) as axes:
    for ax, (D, width), excess in zip(axes, aims["settings"], aims["excess"]):
        for name, runs, marker in zip(aims["targets"], excess, plot.MARKERS):
            ax.errorbar(aims["angles"], runs.mean(axis=0), runs.std(axis=0), marker=marker, label=str(name))
        ax.set(yscale="log", xlabel=r"$\arctan(\sigma/\alpha)$", title=f"D = {D}, width {width}")
    axes[0].set(ylabel="excess error")
    axes[0].legend()
