"""Does the order of CRATE and a vision transformer of equal parameters hang on the learning rate?"""

import numpy as np

from chapters.ch05_unrolled_networks import experiments_rivals as rivals


def other_rates() -> dict:
    """Test accuracy after 400 steps with two other learning rates than 3e-3, three seeds: accuracy (names, rates, seeds)."""
    rates, seeds = [1e-3, 1e-2], range(3)
    names = [rivals.CRATE, "ViT, 2 layers, thin MLP"]
    parts = [rivals.split(seed)[1] for seed in seeds]
    X, labels = (np.stack(stack) for stack in zip(*parts))
    table = [[rivals.accuracy(rivals.trained(name, seeds, rate), X, labels) for rate in rates] for name in names]
    return {"names": names, "rates": rates, "accuracy": np.array(table)}
