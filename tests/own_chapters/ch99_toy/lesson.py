# %% [markdown]
# # Chapter 99: a toy
# Nothing but what the tests need, see [[eq:pca_dgp]].

# %%
import jax
import jax.numpy as jnp
import numpy as np
from book_utils import subspace
from book_utils.course import derivation, exercise, hint, lesson, show, solution, todo, yours

lesson("ch99")

# %%
@exercise("ch99.encode")
def encode(U: "(D, d)", X: "(D, N)") -> "(d, N)":
    """Codes of the columns of X in the orthonormal basis U.
    Example: U = [[0.6], [0.8]], X = [[1., 2.], [1., 0.]]  ->  [[1.4, 1.2]]"""
    #: solution
    return U.T @ X
    #: end

# %%
show(norm=jnp.linalg.norm(encode(jnp.eye(3)[:, :2], jnp.ones((3, 4)))))

# %%
@exercise("ch99.project")
def project(U: "(D, d)", X: "(D, N)") -> "(D, N)":
    """The point of col(U) that is closest to each column of X."""
    #: solution
    return U @ encode(U, X)
    #: end

# %%
@exercise("ch99.energy")
def energy(x: "(D,)") -> "()":
    """Squared length of x. Example: x = [3., 4.]  ->  25."""
    #: solution
    return jnp.sum(x**2)
    #: end

# %%
@exercise("ch99.countdown")
def countdown(n: int) -> int:
    """n + (n - 1) + ... + 1. Example: n = 3  ->  6"""
    #: solution
    return n * (n + 1) // 2
    #: end

# %%
@derivation("ch99.pythagoras")
def pythagoras(U, x):
    r = x - U @ (U.T @ x)
    yield r @ r
    #: solution
    yield x @ x - 2 * x @ (U @ (U.T @ x)) + (U @ (U.T @ x)) @ (U @ (U.T @ x))
    yield x @ x - (U.T @ x) @ (U.T @ x)
    #: end
    yield x @ x - jnp.linalg.norm(U.T @ x) ** 2
