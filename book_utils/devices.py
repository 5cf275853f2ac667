"""What JAX computes on, in one sentence, and data spread over it. Importing this module does not start JAX."""

import contextlib
import logging
import warnings
from collections import Counter
from collections.abc import Iterator


def describe() -> str:
    """What JAX computes on: platform, kind and number of devices, as in "JAX computes on 1 device: CPU (cpu)."

    Raises RuntimeError if a platform that JAX was told to use (JAX_PLATFORMS) is not there.
    """
    kinds = Counter((d.platform.upper(), d.device_kind) for d in _devices())
    number = sum(kinds.values())
    parts = [f"{platform} ({kind})" for platform, kind in kinds]
    return f"JAX computes on {number} device{'' if number == 1 else 's'}: {', '.join(parts)}."


def default_device_kind() -> str:
    """The kind of the device JAX uses when told nothing else: "cpu", or its maker's name for it, as in "NVIDIA H200"."""
    return _devices()[0].device_kind


def spread(X: object) -> object:
    """X, an array (..., N) or a pytree of such arrays, with its samples (the last axis) spread over all devices, equally many on each.

    A compiled function of X then works on all devices at once, and so does `training.train`: the model is copied to each, and
    gradients are summed across them. Raises ValueError if the devices do not divide N.
    """
    devices = _devices()
    import jax
    import numpy as np

    mesh = jax.sharding.Mesh(np.array(devices), ("samples",))

    def place(x: object) -> object:
        shape = np.shape(x)
        if not shape or shape[-1] % len(devices):
            raise ValueError(f"X: got shape {shape}, want (..., N) with N a multiple of the {len(devices)} devices")
        return jax.device_put(x, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*[None] * (len(shape) - 1), "samples")))
    return jax.tree.map(place, X)


def _devices() -> list:
    with _silence():
        import jax

        return jax.devices()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """JAX looks for devices when first asked for one, and complains of those it does not find; they are no one's mistake."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
