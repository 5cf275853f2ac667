"""One sentence for the errors that beginners meet most, in the words of what they wrote rather than of JAX's inside."""

import builtins
import difflib
import re

_NUMPY_IN_JAX = ("NumPy cannot work on the values that jax passes in while it traces (under jit, vmap or grad); "
                 "use the same function from jnp")
_RULES: list[tuple[str, str, str]] = [  # (exception name, pattern of its text, sentence)
    ("TypeError", r"does not support item assignment|JAX arrays are immutable",
     "JAX arrays cannot be assigned to; use x = x.at[0].set(1)"),
    ("ValueError", r"assignment destination is read-only|output array is read-only",
     "this array is read-only; work on a copy, np.array(x), or use x = x.at[0].set(1)"),
    ("TracerArrayConversionError", r"", _NUMPY_IN_JAX),
    ("TracerBoolConversionError", r"", "`if`, `and`, `while` need a known value, but under jit, vmap or grad it is not known yet; use jnp.where"),
    ("TracerIntegerConversionError", r"", "a traced value cannot be used as an index or a size here; use jnp.take, or a plain Python integer"),
    ("NonConcreteBooleanIndexError", r"", "a boolean mask cannot select entries under jit, vmap or grad; use jnp.where(mask, x, 0)"),
    ("ConcretizationTypeError", r"", "a shape or a Python number is needed here, but under jit, vmap or grad the value is not known yet"),
    ("UnexpectedTracerError", r"", "a traced value was kept after its function had ended; return values instead of storing them outside"),
    ("LinAlgError", r"[Ss]ingular", "the matrix is singular, so it has no inverse"),
    ("LinAlgError", r"did not converge", "the decomposition did not converge: does its input contain NaN?"),
    ("LinAlgError", r"square|2-dim", "a square matrix is needed here"),
    ("UnboundLocalError", r"variable '(\w+)'", r"`\1` is used before it has a value inside the function"),
    ("RecursionError", r"", "the function calls itself without end; is there a case in which it returns?"),
    ("TypeError", r"missing \d+ required positional argument.*?: (.+)", r"a call lacks the argument \1"),
    ("TypeError", r"takes (?:from )?(\d+).* positional arguments? but (\d+)", r"a function that takes \1 arguments was given \2"),
    ("TypeError", r"unexpected keyword argument '(\w+)'", r"a function was given the argument `\1`, which it does not have"),
    ("TypeError", r"'NoneType'", "a value is None: does a function before it lack its `return`, or was it never computed?"),
    ("TypeError", r"'(?:builtin_function_or_method|function|method)' object is not subscriptable", "a function is used with [ ] where ( ) is meant"),
    ("TypeError", r"'([\w.]+)' object is not callable", "a value is called like a function: is an operator such as `*` or `@` missing?"),
    ("TypeError", r"only (?:0-dimensional|length-1|size-1|integer scalar) arrays", "one number is needed here, but an array came"),
    ("TypeError", r"[Ss]hape.*must be|Shapes must be 1D sequences", "a shape must be a tuple of whole numbers, as in jnp.zeros((3, 2))"),
    ("TypeError", r"[Ee]xpected.*key|key.*(?:PRNG|got)", "a random function of JAX takes a key first: key = jax.random.key(0)"),
    ("AttributeError", r"'(?:ArrayImpl|jaxlib\S*|DynamicJaxprTracer|ndarray|numpy\.ndarray|\w*Tracer)' object has no attribute '(\w+)'",
     r"an array has no `.\1`; is it a function of jnp, as in jnp.\1(x)?"),
    ("AttributeError", r"module '([\w.]+)' has no attribute '(\w+)'", r"\1 has no function `\2`"),
    ("KeyError", r"(.+)", r"the dictionary has no entry \1"),
    ("IndexError", r"too many indices", "more indices are given than the array has axes"),
    ("IndexError", r"out of bounds|out of range", "an index lies outside the array"),
    ("IndexError", r"only integers", "an index must be a whole number or a slice"),
    ("RuntimeError", r"[Oo]ut of memory|RESOURCE_EXHAUSTED", "an array is too large for the memory; which product makes it?"),
    ("MemoryError", r"", "an array is too large for the memory; which product makes it?"),
    ("ZeroDivisionError", r"", "a division by zero"),
]
_SHAPE = r"\(?\[?((?:\d+(?:, ?)?)*)\)?\]?"


def _shapes(text: str) -> str | None:
    """A sentence for two shapes that do not fit, if that is what `text` says."""
    m = re.search(r"size (\d+) is different from (\d+)", text) if "matmul" in text else None
    if m:
        return f"the inner sizes of a matrix product are {m[2]} and {m[1]}; they must be equal (is a transpose missing?)"
    m = re.search(r"contracting dimensions to have the same shape, got \(?(\d+),?\)? and \(?(\d+),?\)?", text)
    if m:
        return f"the inner sizes of a matrix product are {m[1]} and {m[2]}; they must be equal (is a transpose missing?)"
    if "broadcast" in text:
        shapes = re.findall(r"\((?:\d+,? ?)*\)", text)
        if len(shapes) >= 2:
            return f"shapes {shapes[0]} and {shapes[1]} do not fit together elementwise"
    if "not aligned" in text:
        shapes = re.findall(r"\((?:\d+,? ?)*\)", text)
        return f"shapes {shapes[0]} and {shapes[1]} cannot be multiplied (is a transpose missing?)" if len(shapes) >= 2 else None
    return None


def sentence(error: BaseException, names: list[str] = ()) -> str:
    """What went wrong, in one sentence; `names` are the names the student could have meant."""
    kinds = [c.__name__ for c in type(error).__mro__]
    text = str(error).strip()
    if isinstance(error, NameError) and not isinstance(error, UnboundLocalError):
        name = error.name or (re.search(r"'(\w+)'", text) or [None, "?"])[1]
        near = difflib.get_close_matches(name, [*names, *dir(builtins)], n=1, cutoff=0.6)
        return f"`{name}` is not defined" + (f"; did you mean `{near[0]}`?" if near else "; is it computed above, or misspelt?")
    if isinstance(error, SyntaxError):
        return f"this line is not Python: {text.partition(' (')[0]}"
    for kind in kinds:
        for rule_kind, pattern, said in _RULES:
            if rule_kind == kind and (match := re.search(pattern, text, flags=re.DOTALL)):
                return match.expand(said) if match.re.groups else said
    if fitted := _shapes(text):
        return fitted
    first = re.split(r"(?<=[.!?])\s|\n", text, maxsplit=1)[0].rstrip(".")
    return f"{type(error).__name__}: {first[:200]}" if first else type(error).__name__
