"""What a cell answered, read without trust: plain values alone, nothing looked up, nothing executed, nothing beyond its size."""

import base64
import binascii
import json
import math

import numpy as np

BYTES = 48 << 20  # of a reply
_DEPTH, _PARTS, _TEXT, _INTEGER = 8, 20_000, 10_000, 1 << 63
_DTYPES = {f"{order}{kind}" for order in "<|" for kind in ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")}


class Unfit(Exception):
    """A reply that is no plain value."""


def read(data: bytes) -> dict:
    """The reply in `data`, a dict of packed values by text keys; Unfit where it is none."""
    try:
        reply = json.loads(data)["dict"]
    except (ValueError, RecursionError, TypeError, KeyError, IndexError):
        raise Unfit("not a reply") from None
    if not isinstance(reply, dict):
        raise Unfit("not a reply")
    return reply


def value(packed: object) -> object:
    """The plain value that `wire.encode` packed: numbers, text, None, Ellipsis, arrays, tuples and dicts of them; Unfit for anything else."""
    return _Reader().value(packed, 0)


class _Reader:
    def __init__(self) -> None:
        self.parts = 0

    def value(self, packed: object, depth: int) -> object:
        self.parts += 1
        if depth > _DEPTH or self.parts > _PARTS:
            raise Unfit("too deep or too many parts")
        if packed is None or isinstance(packed, bool):
            return packed
        if isinstance(packed, int):
            if abs(packed) >= _INTEGER:
                raise Unfit("an integer out of bounds")
            return packed
        if isinstance(packed, float):
            return packed
        if isinstance(packed, str):
            return text(packed, _TEXT)
        if not isinstance(packed, dict) or not packed:
            raise Unfit("no plain value")
        kind, inside = next(iter(packed.items()))
        if kind == "ellipsis":
            return ...
        if kind == "array":
            return self.array(packed)
        if kind == "float" and isinstance(inside, str) and len(inside) < 40:
            try:
                return float.fromhex(inside)
            except (ValueError, OverflowError):
                raise Unfit("no number") from None
        if kind == "tuple" and isinstance(inside, list):
            return tuple(self.value(v, depth + 1) for v in inside)
        if kind == "dict" and isinstance(inside, dict):
            return {text(k, _TEXT): self.value(v, depth + 1) for k, v in inside.items()}
        raise Unfit("no plain value")

    def array(self, packed: dict) -> np.ndarray:
        dtype, shape = packed.get("dtype"), packed.get("shape")
        if not isinstance(dtype, str) or dtype not in _DTYPES:
            raise Unfit("an array of something else than numbers")
        if not isinstance(shape, list) or len(shape) > 16 or not all(type(n) is int and 0 <= n < 1 << 31 for n in shape):
            raise Unfit("no shape")
        try:
            data = base64.b64decode(packed["array"], validate=True)
        except (TypeError, ValueError, binascii.Error):
            raise Unfit("no array") from None
        dtype = np.dtype(dtype)
        if len(data) != math.prod(shape) * dtype.itemsize:
            raise Unfit("an array that is not as large as it says")
        return np.frombuffer(data, dtype).reshape(shape)


def text(said: object, limit: int = 600) -> str:
    """Text that can be shown: a string without control characters, cut at `limit`."""
    if not isinstance(said, str):
        return ""
    return "".join(c if c.isprintable() else " " for c in said[:limit])


def line(said: object) -> int | None:
    """The number of a line, or None."""
    return said if type(said) is int and 0 < said < 100_000 else None
