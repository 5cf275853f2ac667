"""Networks trained on views of digits without labels: what Part 4's second half and its Doubt show.

Data, views, network and objectives are those of `experiments_unsupervised`. Public functions are run by `book build --long`, one
to two minutes each on two cores.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from chapters.ch04_lossy_compression.experiments_unsupervised import (
    GROUPS, VIEWS, feature_views, features, measured_rates, nearest_neighbours, networks, scores, scores_of, split_digits,
    trained, views)

SEEDS = 5


def _features(stack: eqx.Module, X: np.ndarray) -> np.ndarray:
    return np.asarray(features(stack, jnp.asarray(X)), np.float64)


def _rates(stack: eqx.Module) -> list:
    """R, R_c and the rescaled rate of 64 test digits with 4 views each, a batch that no network has seen: (networks, 3)."""
    return np.asarray(measured_rates(stack, jnp.asarray(split_digits()[1][0][:, :GROUPS]))).tolist()


def four_objectives() -> dict:
    """Rates along 1,600 steps of three objectives, (objectives, checkpoints, seeds, 3), and scores at the end.

    Scores are (objectives, seeds, 6). Also those of the contrastive loss after as many steps and of untrained networks, (seeds,
    6), and of pixels as they are, (6,); and 5 nearest neighbours on the pixels of eight views of every training digit.
    """
    names, steps = ["MCR2", "CTRL", "SimDINO"], [0, 12, 25, 50, 100, 200, 400, 800, 1600]
    paths, ends = [], []
    for name in names:
        stacks = [trained(name, SEEDS, count) for count in steps]
        paths.append([_rates(stack) for stack in stacks])
        ends.append(scores_of(stacks[-1]))
    (X, labels), (X_test, test) = split_digits()
    seen = np.asarray(views(jax.random.key(3), jnp.asarray(X), 8)).swapaxes(0, 1).reshape(64, -1)
    more = float((nearest_neighbours(seen, labels.repeat(8), X_test) == test).mean())
    return {"names": names, "steps": steps, "rates": paths, "scores": ends,
            "contrastive": scores_of(trained("contrastive", SEEDS, steps[-1])), "untrained": scores_of(networks(SEEDS)),
            "pixels": scores(X, X_test), "pixels_of_views": more}


def with_and_without() -> dict:
    """SimDINO, its cosines alone and its rate alone after 1,000 steps: spectra, cosines, scores.

    spectra: eigenvalues of Z Z^T / N on test digits, descending, (objectives, seeds, 32). cosines, views: histograms of the
    cosines of different test digits and of different views of one, (objectives, bins), all seeds together, adding up to 1.
    scores: (objectives, seeds, 6). rounded: 5 nearest neighbours when features are known to a root mean square error of 0.1,
    (objectives, seeds).
    """
    names, edges = ["SimDINO", "cosines alone", "rate alone"], np.linspace(-1, 1, 41)
    (X, labels), (X_test, test) = split_digits()
    Xs = views(jax.random.key(2), jnp.asarray(X_test), VIEWS)
    found = {key: [] for key in ("spectra", "cosines", "views", "scores", "rounded")}
    for name in names:
        stack = trained(name, SEEDS, 1000)
        Z, Z_new = _features(stack, X), _features(stack, X_test)
        found["spectra"].append([np.linalg.eigvalsh(A @ A.T / A.shape[1])[::-1].tolist() for A in Z_new])
        apart = np.concatenate([(A.T @ A)[np.triu_indices(A.shape[1], 1)] for A in Z_new])
        Zs = np.asarray(eqx.filter_vmap(lambda network: feature_views(network, Xs))(stack), np.float64)
        near = (Zs.swapaxes(2, 3) @ Zs)[..., *np.triu_indices(VIEWS, 1)].ravel()
        for key, values in (("cosines", apart), ("views", near)):
            found[key].append((np.histogram(values.clip(-1, 1), edges)[0] / values.size).round(5).tolist())
        found["scores"].append([scores(*pair) for pair in zip(Z, Z_new)])
        rng, d = np.random.default_rng(0), Z.shape[1]
        noisy = lambda A: A + 0.1 / np.sqrt(d) * rng.normal(size=A.shape)
        right = [nearest_neighbours(noisy(A), labels, noisy(B)) == test for A, B in zip(Z, Z_new)]
        found["rounded"].append(np.mean(right, axis=1).tolist())
    return found | {"names": names, "edges": edges}


def gamma_sweep() -> dict:
    """SimDINO with seven weights of the cosines, 1,000 steps: rates (gammas, seeds, 3) and scores (gammas, seeds, 6).

    share: of the variance of raw views about their mean, the part that lies between views of one digit; and the least such share
    along any direction of pixels.
    """
    gammas = (0.01, 0.1, 1.0, 3.0, 10.0, 30.0, 100.0)
    stack = trained("SimDINO", SEEDS, 1000, gammas=gammas)
    Xs = np.asarray(views(jax.random.key(2), jnp.asarray(split_digits()[0][0]), VIEWS), np.float64)
    within = Xs - Xs.mean(axis=2, keepdims=True)
    everywhere = Xs - Xs.mean(axis=(0, 2), keepdims=True)
    scatter = [np.einsum("kim,kjm->ij", A, A) for A in (within, everywhere)]
    L = np.linalg.cholesky(scatter[1])
    least = np.linalg.eigvalsh(np.linalg.solve(L, np.linalg.solve(L, scatter[0]).T))[0]
    return {"gammas": gammas, "rates": np.reshape(_rates(stack), (len(gammas), SEEDS, 3)),
            "scores": np.reshape(scores_of(stack), (len(gammas), SEEDS, 6)),
            "share": [float(np.trace(scatter[0]) / np.trace(scatter[1])), float(least)]}


def small_batches() -> dict:
    """Scores after 1,000 steps with batches of 8, 32 and 128 digits, 4 views each: (objectives, sizes, seeds, 6), three seeds."""
    names, sizes = ["CTRL", "SimDINO", "contrastive"], [8, 32, 128]
    return {"names": names, "sizes": sizes,
            "scores": [[scores_of(trained(name, 3, 1000, groups=size)) for size in sizes] for name in names]}
