"""Paired timing for the benchmarks: the sides take turns within one run, medians are compared, compilation is printed apart."""

import time

import jax
import numpy as np


def seconds(f):
    """Seconds of one call, and its result."""
    start = time.perf_counter()
    result = jax.block_until_ready(f())
    return time.perf_counter() - start, result


def medians(repeats=7, **sides):
    """{name: (first call, median of the later ones)} in seconds, the sides taking turns."""
    first = {name: seconds(f)[0] for name, f in sides.items()}
    later = {name: [] for name in sides}
    for _ in range(repeats):
        for name, f in sides.items():
            later[name].append(seconds(f)[0])
    return {name: (first[name], float(np.median(later[name]))) for name in sides}


def report(title, times, notes=None):
    """Print the times, each beside its ratio to "ours", and what the dict `notes` has to say of a side."""
    print(f"\n{title}")
    for side, (first, median) in times.items():
        ratio, note = median / times["ours"][1], (notes or {}).get(side, "")
        print(f"  {side:28s} first {first * 1e3:7.0f} ms  median {median * 1e3:8.2f} ms  {ratio:6.2f} of ours  {note}")
