# %% [markdown]
# # Start here: ten minutes
#
# *Principles and Practice of Deep Representation Learning* derives what deep networks do from one idea: data lie near
# simple shapes, and a good representation is one that has found them. These notebooks are the book's workshop. Each takes
# one chapter and turns every principle in it into something you do: derive it, write it in three to ten lines, and be
# told at once whether what you wrote obeys the laws it should obey. Then you see it at work, drawn by your own code, and
# measured where it is in doubt.
#
# This page shows how. It has one exercise, and the exercise has one line.

# %%
import jax.numpy as jnp
import numpy as np

from book_utils import course, devices, plot
from book_utils.course import exercise, hint, lesson, solution, todo, yours
from book_utils.plot import figure

lesson("start")

# %% [markdown]
# Everything runs on whatever JAX finds in your machine. An ordinary laptop is enough: each notebook is made for two CPU
# cores.

# %% tags=["nbval-ignore-output"]
print(devices.describe())

# %% [markdown]
# ## How an exercise works
#
# Below is a function without a body. Its first line says which arguments come in and what goes out: `"(D, N)"` is an
# array with $D$ rows and $N$ columns, and here, as everywhere in the course, each *column* is a point. The text says what
# to compute, with an example.
#
# Run the cell as it is first. Then write your line in place of `todo()` and run it again.
#
# #### Exercise: halfway
# *Core, 2 minutes.*

# %%
@exercise("start.midpoint")
def midpoint(X: "(D, N)", Y: "(D, N)") -> "(D, N)":
    """The points halfway: column i of the result lies in the middle between column i of X and column i of Y.
    Example: X = [[0., 2., -1.], [0., 4., 5.]], Y = [[4., 2., 2.], [1., -4., 6.]]  ->  [[2., 2., 0.5], [0.5, 0., 5.5]]"""
    #: solution
    return (X + Y) / 2
    #: end

# %% [markdown]
# The verdict appears under the cell. It says which *laws* hold: statements about the thing you compute, tried on inputs
# you have not seen. For instance, halfway from X to Y must be halfway from Y to X. It never shows the answer.
#
# ### What can a midpoint be good for?
#
# A game. Put one point anywhere near a triangle. In each round every point becomes three: the midpoints between it and
# each corner of the triangle. After six rounds there are 729 points. Where? Guess before you look.

# %%
corners = jnp.array([[0.0, 1.0, 0.5], [0.0, 0.0, 0.87]])

def game(halfway, rounds=6):
    points = jnp.array([[0.2], [0.9]])
    for _ in range(rounds):
        points = halfway(jnp.repeat(points, 3, axis=1), jnp.tile(corners, points.shape[1]))
    return points

players = [("midpoint", midpoint, plot.COLORS[0])] + [("yours (fails)", mine, "#444444") for mine in yours(midpoint)]
with figure("Six rounds leave a triangle made of three half-size copies of itself, each made of three smaller ones, and so on.",
            size=(4.2 * len(players), 4), ncols=len(players)) as axes:
    for ax, (name, halfway, color) in zip(np.atleast_1d(axes), players):
        ax.scatter(*game(halfway), s=3, color=color, marker="o")
        ax.set(title=name, xticks=[], yticks=[], aspect="equal")

# %% [markdown]
# That picture is right whether or not you have done the exercise. *Everything below an exercise always works.* Until your
# function holds, a reference does its work; from then on the figures are drawn by your code. If your function fails, the
# right result stays and yours appears beside it: in other notebooks as a dashed curve, here as a second picture. Nothing
# is lost by skipping an exercise and coming back.
#
# ### Now break it
#
# Nothing you type can do damage, so try these in the exercise, one after the other. After a failing one, look at the game
# again.
#
# | write this in place of `todo()` | and read | because |
# |---|---|---|
# | `todo()`, as it was | `NOT STARTED` | there is nothing to check yet |
# | `return X + Y / 2` | `FAILS` | the first law that breaks, and how far off you are; a familiar slip, so `hint` knows it |
# | `return (X * Y) ** 0.5` | `FAILS` | a mean, but another one, and for negative numbers not even that |
# | `return X[:, :1]` | `FAILS` | the shape is not the one that was promised |
# | `X + Y` | `RAISES` | without `return`, a function returns `None` |
# | `X[0] = 1.0` | `RAISES` | your line, and in one sentence what is wrong: JAX arrays do not change (see `primer`) |
# | `return (X + Y` | `RAISES` | even when the line is not Python, the notebook goes on |
# | `while True: pass` | `FAILS` | after 20 seconds you are asked whether there is a loop without end |
# | your own idea | `HOLDS` | "4 of 4 laws": any formula that obeys the laws is right, however it is written |
#
# Read `4 of 4 laws` as what it says: many tries found nothing wrong. The proof is still yours to give.
#
# ### Stuck?
#
# `hint` gives one hint at a time, from a nudge to nearly the answer; run the cell again for the next.
# `solution("start.midpoint")` shows a reference, folded, so that you can still decide not to look.

# %%
hint("start.midpoint")

# %% [markdown]
# In a lesson some exercises are *core*, some are *more*, some a *challenge*. Core exercises need NumPy only, unless they
# say otherwise. Sections called **Doubt**, folded at the end of each Part, ask where the claims stop being true. A loop
# inside compiled code is the one thing that nobody can interrupt: should the page ever hang, restart the kernel from the
# menu and run the setup cell. Every Part can be started from there.
#
# ## Where things are kept
#
# You work on copies in the folder `work/`. They are yours: nothing writes over them. After a `git pull`, `book update`
# carries your answers over into the new lessons, by their names, and keeps the old file as well. In a terminal, in the
# project's folder, each of these begins with `uv run`:
#
# | command | what it does |
# |---|---|
# | `book lab` | opens JupyterLab on your copies |
# | `book list` | shows what holds and what is left |
# | `book run ch02` | runs your copy of a chapter from top to bottom and prints the verdicts |
# | `book check answers.py` | gives the verdicts on a plain Python file, for those who prefer an editor |
# | `book update` | brings your copies up to date, with your answers |
# | `book doctor` | says what is wrong with an installation, and what to do about it |
#
# ## Where to go
#
# The table shows every chapter, how long its core takes and how far you are.

# %%
course.progress()

# %% [markdown]
# New to JAX? The **primer** is an hour well spent: columns, broadcasting, keys, gradients. If `jnp.where` and `jax.vmap`
# are old friends, begin with **Chapter 2**.
