"""Speed and memory of the kernels of linear subspaces. Not part of the ordinary suite; run it on a quiet machine, from the root:

    python -m pytest tests/bench/test_bench_subspace.py -o addopts="" -s

Every comparison alternates the two sides within one run and compares medians, after both have run once; the first call, with
compilation, is printed apart. Times of different runs are not to be compared, ratios are.
"""

import subprocess
import sys

import jax
import numpy as np
import pytest
from sklearn.decomposition import PCA

from book_utils import data, subspace

from timing import medians


def decaying(D, N):
    rng = np.random.default_rng(0)
    return (np.geomspace(1, 0.01, D)[:, None] * rng.normal(size=(D, N))).astype(np.float32)


@pytest.mark.parametrize("name", ["MNIST", "synthetic"])
def test_pca_is_not_slower_than_scikit_learn(name):
    """784 x 5,000, d = 50, both from float32 data without a mean, against PCA's own choice of solver (the randomised one)
    and against its exact solvers. Ours is exact; the error of either side is measured against float64."""
    X = np.array(data.mnist()[0]) if name == "MNIST" else decaying(784, 5000)
    X -= X.mean(1, keepdims=True)
    samples, d, N = np.ascontiguousarray(X.T), 50, X.shape[1]  # either side has the samples as it stores them
    exact = np.linalg.eigvalsh(X.astype(np.float64) @ X.T.astype(np.float64) / N)[::-1][:d]
    solvers = ("auto", "covariance_eigh", "full")
    stored = jax.block_until_ready(jax.numpy.asarray(X))
    times = medians(9, ours=lambda: subspace.pca(stored, d),
                    **{s: lambda s=s: PCA(d, svd_solver=s, random_state=0).fit(samples).components_ for s in solvers})
    errors = {s: PCA(d, svd_solver=s, random_state=0).fit(samples).explained_variance_ * (N - 1) / N for s in solvers}
    errors["ours"] = np.asarray(subspace.pca(X, d)[1])
    errors = {side: np.abs(found / exact - 1).max() for side, found in errors.items()}
    print(f"\n{name} {X.shape}")
    for side, (first, median) in times.items():
        print(f"  {side:16s} first {first * 1e3:6.0f} ms  median {median * 1e3:6.1f} ms  {median / times['ours'][1]:5.2f} of ours"
              f"  largest relative error of an eigenvalue {errors[side]:.1e}")
    assert times["ours"][1] <= times["auto"][1]
    assert errors["ours"] <= min(errors["auto"], 1e-5)


def test_pca_of_few_long_samples():
    """D = 20,000 and N = 50, d = 10: scikit-learn's own choice here."""
    X = np.random.default_rng(0).normal(size=(20_000, 50)).astype(np.float32)
    X -= X.mean(1, keepdims=True)
    samples = np.ascontiguousarray(X.T)
    times = medians(9, ours=lambda: subspace.pca(X, 10), auto=lambda: PCA(10).fit(samples).components_)
    print(f"\n20,000 x 50: ours {times['ours'][1] * 1e3:.1f} ms, scikit-learn {times['auto'][1] * 1e3:.1f} ms")
    assert times["ours"][1] <= times["auto"][1]


MEMORY = """
import pathlib
import jax, numpy as np
from book_utils import subspace


def peak():  # VmHWM, not getrusage: the latter starts at the size of the process that started this one
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


D, N = 20_000, 50
X, v = np.random.default_rng(0).normal(size=(D, N)).astype(np.float32), np.ones(D, np.float32)
jax.block_until_ready(subspace.power_iteration(X[:10], v[:10], 5))  # the libraries and their threads are up
pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak from here on
before = peak()
jax.block_until_ready(CALL)
print(peak() - before)
"""


def extra_megabytes(call):
    script = MEMORY.replace("CALL", call)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return float(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_long_samples_need_little_memory():
    """D = 20,000 and N = 50: X is 4 MB, X X^T would be 1.6 GB. The peak of a process of its own grows by less than 200 MB."""
    assert 280 < extra_megabytes("np.ones(75_000_000, np.float32)") < 350  # the gauge itself: 286 MB
    calls = ("subspace.power_iteration(X, v, 100)", "subspace.orthogonal_iteration(np.eye(D, 10), X, 100)", "subspace.pca(X, 10)")
    for call in calls:
        megabytes = extra_megabytes(call)
        print(f"\n{call}: {megabytes:.0f} MB more at the peak")
        assert megabytes < 200


def test_power_iteration_costs_two_products_a_step():
    """784 x 5,000: 100 steps, against the same products in NumPy."""
    X, v = decaying(784, 5000), np.ones(784, np.float32)

    def in_numpy():
        w = v
        for _ in range(100):
            w = X @ (X.T @ w)
            w = w / np.linalg.norm(w)
        return w

    times = medians(9, ours=lambda: subspace.power_iteration(X, v, 100), numpy=in_numpy)
    print("\npower iteration, 100 steps on 784 x 5,000")
    for side, (first, median) in times.items():
        print(f"  {side:16s} first {first * 1e3:6.0f} ms  median {median * 1e3:6.1f} ms")


def test_oja_in_one_sweep():
    """100,000 samples in D = 5: compilation, then microseconds a sample."""
    X = np.random.default_rng(0).normal(size=(5, 100_000)).astype(np.float32)
    first, median = medians(9, ours=lambda: subspace.oja(X, np.ones(5), 0.01))["ours"]
    print(f"\nOja: first {first * 1e3:.0f} ms, median {median * 1e3:.1f} ms, {median / 1e5 * 1e6:.2f} us a sample")
