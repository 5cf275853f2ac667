"""Samplers against one another on a mixture of planes in sixteen dimensions, with seeds: what the Doubt of Part 3 says of them.

Run by `book build --long`; on one core it takes about a minute.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from book_utils import sampling
from book_utils.diffusion import FLOW, VE, VP, Process, ancestral, ddim, equal_angle_times, exponential_times, uniform_times
from book_utils.divergence import sliced_wasserstein
from book_utils.gaussian_mixture import GaussianMixture

SEEDS, COUNTS, N, D = 5, [5, 10, 20, 50, 100, 200], 4000, 16
METHODS: dict[str, tuple[Process, Callable, bool]] = {  # the process, its times for L steps, and whether every step adds noise
    "DDIM, VP, equal angles": (VP, lambda L: equal_angle_times(1, 1, L, VP), False),
    "DDIM, VP, uniform": (VP, lambda L: uniform_times(1, L), False),
    "DDIM, FLOW, uniform": (FLOW, lambda L: uniform_times(1, L), False),
    "DDIM, VE from 20, exponential": (VE, lambda L: exponential_times(20, 6 / L, L), False),
    "ancestral, VP, equal angles": (VP, lambda L: equal_angle_times(1, 1, L, VP), True),
}


def samplers_in_sixteen_dimensions() -> dict:
    """Sliced Wasserstein distance from 4,000 samples to 4,000 fresh ones of the law, (methods, counts, seeds), and between two
    fresh sets, (seeds,).

    The law: four planes of D = 16 in general position, weights 0.1 to 0.4, variances 1 along each plane. The best denoiser, and
    a start from N(0, sigma_T^2 I). A seed draws the planes, the start and the fresh samples."""
    distances = np.zeros((len(METHODS), len(COUNTS), SEEDS))
    floor = np.zeros(SEEDS)
    for seed in range(SEEDS):
        keys = jax.random.split(jax.random.key(seed), 8)
        Us = jnp.stack([sampling.random_frame(key, D, 2) for key in keys[:4]])
        mixture = GaussianMixture.low_rank(jnp.array([0.1, 0.2, 0.3, 0.4]), jnp.zeros((4, D)), Us, jnp.ones((4, 2)))
        fresh, again = mixture.sample(keys[4], N)[0], mixture.sample(keys[5], N)[0]
        floor[seed] = sliced_wasserstein(keys[7], fresh, again)
        start = jax.random.normal(keys[6], (D, N))
        for m, (process, times, noisy) in enumerate(METHODS.values()):
            for l, L in enumerate(COUNTS):
                grid = times(L)
                X_T = process.sigma(grid[0]) * start
                denoise = jax.tree_util.Partial(GaussianMixture.posterior_mean, mixture)
                X = ancestral(keys[6], denoise, X_T, grid, process) if noisy else ddim(denoise, X_T, grid, process)
                distances[m, l, seed] = sliced_wasserstein(keys[7], X, fresh)
    return {"methods": list(METHODS), "counts": COUNTS, "distance": distances, "floor": floor}
