# %% [markdown]
# # Chapter 5: Deep representations as unrolled optimisation
#
# Where do architectures come from? Usually from taste, tables of results, and luck. This chapter takes one objective, the rate
# reduction of Chapter 4, and one idea: *a layer is a step of an algorithm that climbs it*. What comes out are networks that
# you know: gradient ascent gives a residual network with parallel branches and a gate; asking that shifts do not matter makes
# its matrices convolutions; a code for tokens instead of classes gives attention with many heads and an MLP, that is, a
# transformer; a bound on the same objective gives attention of linear cost, and adding one token at a time a recurrent network.
# You derive each step, the checker tries it, and what was built is then measured beside the network it is meant to explain.
# The chapter follows [[ch:deep-networks]] of the book.
#
# Write your lines in place of `todo()` and run the cell: it tells you which laws hold. `hint("ch05.expand_compress")` helps, and
# whatever you skip is done by a reference.
#
# Throughout, samples and tokens are **columns**: features of $N$ samples are $Z$, $d\times N$; the $n$ tokens of one input are
# $Z$, $d\times n$. A softmax of scores between tokens runs **down each column**: column $i$ holds the weights with which
# output $i$ is mixed. $\log$ is natural, and the distortion $\varepsilon$ stands squared in every formula (published code
# often calls $\varepsilon^2$ "eps").

# %%
import jax
import jax.numpy as jnp
import numpy as np

from book_utils import coding, crate, data, invariance, plot, redunet, tost
from book_utils.course import derivation, exercise, hint, lesson, measured, show, solution, todo, yours
from book_utils.explore import explore
from book_utils.plot import figure
from book_utils.transform import columns

lesson("ch05")
