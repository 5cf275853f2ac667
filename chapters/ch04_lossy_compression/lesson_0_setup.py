# %% [markdown]
# # Chapter 4: Representation learning by lossy compression
#
# Two clouds of points may have the same dimension, the same volume (none) and the same entropy, and yet one is simple and the
# other is not. What tells them apart is how many bits it takes to write them down *to a given accuracy*. This chapter makes that
# number computable: one log-determinant, the *coding rate*. It then does three things with it: it finds clusters, it says what a
# good representation is, and it trains one. It follows [[ch:lossy-compression]] of the book. The last chapter ended where a
# model remembers its samples one by one; here you meet the price of that memory, in bits.
#
# Write your lines in place of `todo()` and run the cell: it tells you which laws hold. `hint("ch04.coding_rate")` helps, and
# whatever you skip is done by a reference.
#
# Throughout, samples are **columns**: data $X$ are $D\times N$, features $Z$ are $d\times N$. $\log$ is natural, so rates are in
# *nats*; divide by $\log2$ for bits. The distortion $\varepsilon$ is a root mean square: a code $\hat x$ is allowed
# $\mathbb E\|x-\hat x\|^2\le\varepsilon^2$, *summed* over the coordinates, and $\varepsilon$ stands squared in every formula.

# %%
import jax
import jax.numpy as jnp
import numpy as np

from book_utils import coding, data, plot
from book_utils.course import derivation, exercise, hint, lesson, measured, show, solution, todo, yours
from book_utils.explore import explore
from book_utils.plot import figure
from book_utils.transform import columns

lesson("ch04")
