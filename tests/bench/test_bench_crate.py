"""Speed of the layers of CRATE and of token statistics. Not part of the ordinary suite; run it on a quiet machine, from the root:

    python -m pytest tests/bench/test_bench_crate.py -o addopts="" -s

A layer of the size of CRATE-Tiny (d = 384, K = 6 heads of p = 64, n = 197 tokens, batches of 8), value and gradient in all weights and
in the tokens, beside the same equations in PyTorch's eager mode, in float32 on two threads, where PyTorch is installed. Then the cost
in n, of token statistics and of attention: time, and the memory that the compiled program asks for. On a GPU also the fraction of
its peak, which is taken from BENCH_PEAK_TFLOPS (a number for each type, as in "bfloat16=989,float32=67").
Ratios of one run are to be compared, times of different runs are not.
"""

import os

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from book_utils import crate, tost

from timing import medians, report

try:
    import torch
except ImportError:
    torch = None

D, K, P, N, BATCH = 384, 6, 64, 197, 8
KEY = jax.random.key(0)


def layer(kind):
    first, second = jax.random.split(KEY)
    if kind == "CRATE":
        return crate.Layer(crate.CompressionStep(first, D, K, P), crate.SparsificationStep(second, D))
    return tost.TokenStatisticsStep(first, D, K, P)


def ours(kind, dtype=jnp.float32):
    arrays, rest = eqx.partition(layer(kind), eqx.is_array)
    arrays = jax.tree.map(lambda leaf: leaf.astype(dtype), arrays)
    Zs = jax.random.normal(KEY, (BATCH, D, N), dtype)
    f = jax.jit(jax.value_and_grad(lambda arrays, Zs: jnp.mean(jax.vmap(eqx.combine(arrays, rest))(Zs) ** 2), (0, 1)))
    return f, arrays, Zs


def by_torch(kind, weights, x):
    """The published equations, batch first and tokens in rows."""
    norm = lambda x, w, b: torch.nn.functional.layer_norm(x, (D,), w, b)

    def split(x, U):
        return (x @ U).reshape(BATCH, N, K, P).transpose(1, 2)

    def join(mixed, out, bias):
        return mixed.transpose(1, 2).reshape(BATCH, N, K * P) @ out.T + bias

    def crate_layer(x, w1, b1, U, out, bias, w2, b2, D_):
        w = split(norm(x, w1, b1), U)
        x = x + join(torch.softmax(w @ w.transpose(-1, -2) * P**-0.5, dim=-1) @ w, out, bias)
        x = norm(x, w2, b2)
        return torch.relu(x + 0.1 * (x @ D_ - (x @ D_.T) @ D_) - 0.01)

    def statistics(x, w1, b1, U, temperature, out, bias):
        w = split(norm(x, w1, b1), U)
        share = torch.softmax((torch.nn.functional.normalize(w, dim=-2) ** 2).sum(-1) * temperature[:, None], dim=1)
        dots = (share / (share.sum(-1, keepdim=True) + 1e-8)).unsqueeze(-2) @ w**2
        return x + join(-(w * share.unsqueeze(-1)) / (1 + dots), out, bias)

    def run():
        for tensor in (*weights, x):
            tensor.grad = None
        value = ((crate_layer if kind == "CRATE" else statistics)(x, *weights) ** 2).mean()
        value.backward()
        return value.item(), x.grad
    return run


@pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("kind", ["CRATE", "ToST"])
def test_a_layer_of_the_size_of_crate_tiny(kind):
    torch.set_num_threads(2)
    f, arrays, Zs = ours(kind)
    numbers = [np.array(leaf) for leaf in jax.tree.leaves(arrays)]
    numbers = [leaf.transpose(1, 0, 2).reshape(D, K * P) if leaf.ndim == 3 else leaf for leaf in numbers]
    tensor = lambda value: torch.tensor(np.ascontiguousarray(value), requires_grad=True)
    other = by_torch(kind, [tensor(leaf) for leaf in numbers], tensor(np.swapaxes(Zs, 1, 2)))
    (value, (_, slope)), (expected, gradient) = f(arrays, Zs), other()
    assert abs(value - expected) < 1e-5 * expected
    assert np.abs(np.swapaxes(slope, 1, 2) - gradient.numpy()).max() < 1e-4 * np.abs(gradient.numpy()).max()
    times = medians(9, ours=lambda: f(arrays, Zs), PyTorch=other)
    report(f"one layer of {kind}, value and gradient: d = {D}, K = {K}, n = {N}, batch {BATCH}", times)
    assert times["ours"][1] < times["PyTorch"][1]


def exponent(numbers, values):
    return np.polyfit(np.log(numbers), np.log(values), 1)[0]


def test_cost_in_the_number_of_tokens():
    """Operators on one head matrix, forward and backward, from 256 to 16,384 tokens; attention to 8,192, where its scores fill 1 GB."""
    d, heads, p = 64, 4, 16
    U = jnp.linalg.qr(jax.random.normal(KEY, (d, d)))[0].reshape(d, heads, p).transpose(1, 0, 2)
    operators = {"token statistics": lambda Z: tost.tssa(Z, U, 1.0, 0.5, 1.0), "attention": lambda Z: crate.mssa(Z, U, 0.5),
                 "exact gradient": lambda Z: crate.code_rate_gradient(Z, U, 0.5)}
    for name, operator in operators.items():
        seconds, memory = [], []
        tokens = [256, 1_024, 4_096, 8_192] if name == "attention" else [256, 1_024, 4_096, 16_384]
        for n in tokens:
            Z = jax.random.normal(KEY, (d, n)) / 8
            f = jax.jit(jax.grad(lambda Z: jnp.sum(operator(Z) ** 2)))
            memory.append(f.lower(Z).compile().memory_analysis().temp_size_in_bytes)
            seconds.append(medians(5, ours=lambda: f(Z))["ours"][1])
        time, space = exponent(tokens[1:], seconds[1:]), exponent(tokens[1:], memory[1:])
        print(f"\n{name}: {', '.join(f'n = {n}: {1e3 * s:.2f} ms, {m / 1e6:.1f} MB' for n, s, m in zip(tokens, seconds, memory))}"
              f"\n  time as n^{time:.2f}, memory as n^{space:.2f}")
        if name == "attention":
            assert time > 1.6 and space > 1.8
        else:
            assert time <= 1.1 and space <= 1.1


@pytest.mark.skipif(jax.default_backend() != "gpu", reason="no GPU")
@pytest.mark.parametrize("kind", ["CRATE", "ToST"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_fraction_of_peak_on_a_gpu(kind, dtype):
    peaks = dict(pair.split("=") for pair in os.environ.get("BENCH_PEAK_TFLOPS", "").split(",") if pair)
    f, arrays, Zs = ours(kind, jnp.dtype(dtype))
    Zs = jnp.tile(Zs, (32, 1, 1))
    flops = f.lower(arrays, Zs).compile().cost_analysis()["flops"]
    seconds = medians(15, ours=lambda: f(arrays, Zs))["ours"][1]
    reached = flops / seconds / 1e12
    of_peak = f", {100 * reached / float(peaks[dtype]):.0f} % of {peaks[dtype]}" if dtype in peaks else ""
    print(f"\none layer of {kind}, {dtype}: {1e3 * seconds:.2f} ms, {reached:.1f} TFLOP/s{of_peak}")
    assert reached > 0
