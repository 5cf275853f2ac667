"""Discs that cover the unit square: by descent from several random starts, and by a radius with a penalty. Half a minute each."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from book_utils.covering import covering_radius, optimise_covering


def discs() -> dict:
    """For 4, 16 and 64 discs: the exact covering radius after 1,500 steps from each of 6 random starts; and the best centres."""
    numbers, radii, best = [4, 16, 64], [], {}
    for M in numbers:
        Cs = [np.asarray(optimise_covering(key, M, 1, 1500, 49)) for key in jax.random.split(jax.random.key(M), 6)]
        found = [covering_radius(C) for C in Cs]
        radii.append(sorted(found))
        best[str(M)] = Cs[int(np.argmin(found))].round(5).tolist()
    return dict(numbers=numbers, radii=radii, best=best)


def penalised_radius() -> dict:
    """16 discs as the book's script looks for them, at coarser lattices: what the variable r says, and what its centres do.

    r^2 + 1000 mean(max(0, least squared distance - r^2)) over a lattice of points, 8,000 steps of Adam with rate 0.02 and clipped
    gradients from the square grid. Returns, for each lattice, the penalised variable r and the exact radius of its centres."""
    sides = [60, 100]
    found = np.array([_by_penalty(side) for side in sides])
    return dict(sides=sides, r=found[:, 0].tolist(), exact=found[:, 1].tolist())


def _by_penalty(side):
    line, start = jnp.linspace(0, 1, side), (jnp.arange(4) + 0.5) / 4
    points = jnp.stack(jnp.meshgrid(line, line, indexing="ij")).reshape(2, -1)
    rule = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.02))

    def loss(state):
        C, log_r2 = state
        squares = (points[0, :, None] - C[0]) ** 2 + (points[1, :, None] - C[1]) ** 2
        return jnp.exp(log_r2) + 1000 * jnp.mean(jnp.maximum(squares.min(axis=1) - jnp.exp(log_r2), 0))

    def step(i, carry):
        state, memory = carry
        updates, memory = rule.update(jax.grad(loss)(state), memory)
        return optax.apply_updates(state, updates), memory

    state = jnp.stack(jnp.meshgrid(start, start, indexing="ij")).reshape(2, -1), jnp.log(jnp.float32(0.1))
    C, log_r2 = jax.jit(lambda state: jax.lax.fori_loop(0, 8000, step, (state, rule.init(state)))[0])(state)
    return float(jnp.exp(log_r2 / 2)), covering_radius(np.asarray(C, np.float64))
