"""Plain values as bytes and back: what may cross between the checker and a student's function in another process.

Numbers, strings, None, Ellipsis, arrays, random keys, tuples, lists, dicts, and `functools.partial` of a module-level function of a chapter. Nothing here can
execute what it reads: arrays are raw bytes with a dtype and a shape, and a partial is a name that the other side looks up.
"""

import base64
import functools
import importlib
import json

import jax
import numpy as np

_KINDS = "biuf"  # dtypes that may travel: bool, integers, floats


class NotPlain(TypeError):
    """A value that cannot be handed to or from an answer."""


def plain(value: object) -> object:
    """`value` with arrays as NumPy arrays and lists as tuples; NotPlain if anything else is in it."""
    if value is None or value is ... or isinstance(value, str):
        return value
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (tuple, list)):
        return tuple(plain(v) for v in value)
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if is_key(value):
        return value
    if isinstance(value, np.generic) or type(value) is np.ndarray or type(value).__module__.startswith(("jax", "jaxlib")) and hasattr(value, "dtype"):
        array = np.asarray(value)
        if array.dtype.kind in _KINDS:
            return array
        raise NotPlain(f"an array of {array.dtype}")
    raise NotPlain(f"a {type(value).__name__}")


def is_key(value: object) -> bool:
    """Whether `value` is a typed random key of JAX, jax.random.key(...)."""
    return isinstance(value, jax.Array) and jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key)


def encode(value: object) -> bytes:
    """The bytes of a plain value (or of a partial of a chapter's function)."""
    return json.dumps(_pack(value)).encode()


def decode(data: bytes) -> object:
    """The value that `encode` wrote."""
    return _unpack(json.loads(data))


def _pack(value: object) -> object:
    if isinstance(value, functools.partial):
        f = value.func
        return {"partial": [f.__module__, f.__qualname__, _pack(value.args), _pack(value.keywords)]}
    value = plain(value) if not isinstance(value, (tuple, list, dict)) else value
    if value is ...:
        return {"ellipsis": True}
    if is_key(value):
        return {"key": _pack(np.asarray(jax.random.key_data(value)))}
    if isinstance(value, np.ndarray):
        return {"array": base64.b64encode(np.ascontiguousarray(value).tobytes()).decode(), "dtype": value.dtype.str, "shape": value.shape}
    if isinstance(value, float):
        return {"float": value.hex()}
    if isinstance(value, (tuple, list)):
        return {"tuple": [_pack(v) for v in value]}
    if isinstance(value, dict):
        return {"dict": {str(k): _pack(v) for k, v in value.items()}}
    return value


def _unpack(value: object) -> object:
    if not isinstance(value, dict):
        return value
    (kind, *_) = value
    if kind == "ellipsis":
        return ...
    if kind == "array":
        dtype = np.dtype(value["dtype"])
        if dtype.kind not in _KINDS:
            raise NotPlain(f"an array of {dtype}")
        return np.frombuffer(base64.b64decode(value["array"]), dtype).reshape(value["shape"])
    if kind == "key":
        return jax.random.wrap_key_data(_unpack(value["key"]))
    if kind == "float":
        return float.fromhex(value["float"])
    if kind == "tuple":
        return tuple(_unpack(v) for v in value["tuple"])
    if kind == "dict":
        return {k: _unpack(v) for k, v in value["dict"].items()}
    if kind == "partial":
        module, name, args, keywords = value["partial"]
        if not module.startswith("chapters."):
            raise NotPlain(f"a function of {module}")
        return functools.partial(getattr(importlib.import_module(module), name), *_unpack(args), **_unpack(keywords))
    raise NotPlain(f"a {kind}")
