"""What JAX computes on, in one sentence. Importing this module does not start JAX."""

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
