# %% [markdown]
# # Chapter 3: Denoising and diffusion
#
# Chapter 2 knew the shape of the data. Now nothing is known but samples. This chapter learns a distribution by learning to
# *remove noise* from it: the best denoiser is a mean, a mean gives the slope of a density, the slope leads back to the data, and
# repeated in small steps it makes new samples. Every diffusion model is built of these four facts. It follows
# [[ch:denoising]] of the book. Two ideas return in every later chapter: *denoising compresses*, and *what a network
# should compute can often be written down*.
#
# Write your lines in place of `todo()` and run the cell: it tells you which laws hold. `hint("ch03.tweedie")` helps, and whatever
# you skip is done by a reference.
#
# Throughout, samples are **columns**: $X=[x_1,\dots,x_N]$ is $D\times N$. The components of a mixture are stacked on the first
# axis. $\log$ is natural, so entropies are in *nats*; divide by $\log2$ for bits. $x$ is a clean sample, $g$ standard normal
# noise, $x_t=\alpha x+\sigma g$ the noisy one at time $t$.

# %%
import jax
import jax.numpy as jnp
import numpy as np

from book_utils import data, diffusion, divergence, memorization, plot
from book_utils.course import derivation, exercise, hint, lesson, measured, show, solution, todo, yours
from book_utils.explore import explore
from book_utils.gaussian_mixture import GaussianMixture
from book_utils.plot import figure
from book_utils.transform import columns

lesson("ch03")
