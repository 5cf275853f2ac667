"""Speed of rate reduction, value and gradient. Not part of the ordinary suite; run it on a quiet machine, from the root:

    python -m pytest tests/bench/test_bench_coding.py -o addopts="" -s

d = 128 features of N = 2,000 samples in K = 10 and K = 100 classes. The other sides are loops over the classes, one log-determinant
each, in float32 on two threads: by PyTorch and its autodiff where it is installed, else by NumPy with the gradient written out (not
both in one process, where their threads wait for each other). "diagonal" writes the membership of a class as an N x N diagonal matrix, as the formula is published and as the
code published with it does; "selected" takes the columns of the class, which is how one would write it with speed in mind.
Ratios of one run are to be compared, times of different runs are not.
"""

import jax
import numpy as np
import pytest

from book_utils import coding

from timing import medians, report

try:
    import torch
except ImportError:
    torch = None

D, N, EPS = 128, 2_000, 0.5


def features(K, N=N, d=D):
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(d, N)).astype(np.float32)
    return Z / np.linalg.norm(Z, axis=0), rng.permutation(np.arange(N) % K)


def ours(Z, labels):
    f = jax.jit(jax.value_and_grad(lambda Z: coding.rate_reduction(Z, labels, EPS)))
    Z = jax.device_put(Z)
    return lambda: f(Z)


def numpy_term(Z, alpha):
    """log det(I + alpha Z Z^T), and alpha times its inverse times Z."""
    A = np.eye(len(Z), dtype=np.float32) + np.float32(alpha) * Z @ Z.T
    return np.linalg.slogdet(A)[1], np.float32(alpha) * np.linalg.solve(A, Z)


def numpy_diagonal(Z, labels):
    d, N = Z.shape

    def run():
        value, gradient = numpy_term(Z, d / (N * EPS**2))
        value /= 2
        for k in range(labels.max() + 1):
            P = np.diag((labels == k).astype(np.float32))
            size = np.trace(P)
            A = np.eye(d, dtype=np.float32) + np.float32(d / (size * EPS**2)) * Z @ P @ Z.T
            value -= size / (2 * N) * np.linalg.slogdet(A)[1]
            gradient = gradient - np.float32(d / (N * EPS**2)) * np.linalg.inv(A) @ Z @ P
        return value, gradient
    return run


def numpy_selected(Z, labels):
    d, N = Z.shape

    def run():
        value, gradient = numpy_term(Z, d / (N * EPS**2))
        value /= 2
        for k in range(labels.max() + 1):
            mine = labels == k
            size = mine.sum()
            term, slope = numpy_term(Z[:, mine], d / (size * EPS**2))
            value -= size / (2 * N) * term
            gradient[:, mine] -= np.float32(size / N) * slope
        return value, gradient
    return run


def numpy_sides(Z, labels):
    return {"NumPy, diagonal": numpy_diagonal(Z, labels), "NumPy, selected": numpy_selected(Z, labels)}


def torch_sides(Z, labels):
    torch.set_num_threads(2)
    W, y = torch.tensor(Z, requires_grad=True), torch.tensor(labels)
    d, N = Z.shape
    identity = torch.eye(d)

    def side(moments):
        def run():
            W.grad = None
            value = torch.logdet(identity + d / (N * EPS**2) * W @ W.T) / 2
            for k in range(int(y.max()) + 1):
                size, S = moments(y == k)
                value = value - size / (2 * N) * torch.logdet(identity + d / (size * EPS**2) * S)
            value.backward()
            return value.item(), W.grad.numpy()
        return run

    def diagonal(mine):
        P = torch.diag(mine.float())
        return torch.trace(P), W @ P @ W.T

    def selected(mine):
        return mine.sum(), W[:, mine] @ W[:, mine].T
    return {"PyTorch, diagonal": side(diagonal), "PyTorch, selected": side(selected)}


@pytest.mark.parametrize("K, wanted", [(10, 1), (100, 5)])
def test_value_and_gradient_of_rate_reduction(K, wanted):
    Z, labels = features(K)
    sides = {"ours": ours(Z, labels)} | (torch_sides(Z, labels) if torch else numpy_sides(Z, labels))
    value, gradient = sides["ours"]()
    for side in sides.values():
        other, slope = side()
        assert abs(other - value) < 1e-4 * value and np.abs(slope - gradient).max() < 1e-3 * np.abs(gradient).max()
    times = medians(3, **sides)
    report(f"rate reduction, value and gradient: d = {D}, N = {N}, K = {K}", times)
    published = min(median for name, (_, median) in times.items() if "diagonal" in name)
    assert published > wanted * times["ours"][1]


def test_cost_against_the_batch_and_the_number_of_classes():
    sides = {}
    for K, N, d in [(10, 500, D), (10, 1_000, D), (10, 2_000, D), (10, 4_000, D), (20, 2_000, D), (50, 2_000, D), (100, 2_000, D),
                    (10, 2_000, 32), (10, 2_000, 64), (10, 2_000, 256)]:
        sides[f"K = {K}, N = {N}, d = {d}"] = ours(*features(K, N, d))
    times = medians(7, ours=sides["K = 10, N = 2000, d = 128"], **sides)
    report("rate reduction, value and gradient", times)
