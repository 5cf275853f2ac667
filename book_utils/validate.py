"""What the kernels ask of their arguments before any compiled code runs.

Each function returns the argument in the form the kernel wants, or raises a ValueError that names the argument, what came and
what is wanted. Shapes, types and sizes are always looked at. The numbers themselves (finite? orthonormal? not negative?) are
looked at only where there are numbers: inside jit, vmap and grad an argument is a tracer and passes on its shape and type.

Real numbers of any kind come back as float32; float64 stays float64 when JAX's 64-bit mode is on. A shape is written as in the
docstrings, "(D, N)"; letters whose value is already known are given by name, `matrix(X, "X", "(D, N)", D=5)`.
"""

import operator

import jax
import jax.numpy as jnp
import numpy as np

FRAME_TOLERANCE = 1e-3  # on the entries of U^T U - I: far above float32 rounding, far below a forgotten normalisation
COVARIANCE_TOLERANCE = 1e-5  # on asymmetry and on negative eigenvalues, of the largest entry and eigenvalue


def numbers(value, name: str) -> jax.Array:
    """Real finite numbers of any shape, not empty."""
    x = _array(value, name)
    return _real(x, name, f"({', '.join(f'n{i + 1}' for i in range(x.ndim))})", True, {})


def matrix(value, name: str, shape: str = "(D, N)", *, finite: bool = True, **sizes: int) -> jax.Array:
    """A real matrix of that shape, nowhere empty; with finite=False infinities and NaN may stand in it."""
    return _real(value, name, shape, finite, sizes)


def vector(value, name: str, shape: str = "(D,)", *, nonzero: bool = False, **sizes: int) -> jax.Array:
    """A real finite vector of that shape, not empty; with nonzero=True not all of it may be 0."""
    x = _real(value, name, shape, True, sizes)
    if nonzero and is_concrete(x) and not np.any(np.asarray(x)):
        raise ValueError(f"{name}: got a vector of zeros, want {shape} with a direction")
    return x


def unit(value, name: str, shape: str = "(D,)", **sizes: int) -> jax.Array:
    """A vector of length 1."""
    u = vector(value, name, shape, **sizes)
    if is_concrete(u) and not abs((length := np.linalg.norm(np.asarray(u, np.float64))) - 1) < FRAME_TOLERANCE:
        raise ValueError(f"{name}: got a vector of length {length:.3g}, want {shape} of length 1")
    return u


def frame(value, name: str, shape: str = "(D, d)", **sizes: int) -> jax.Array:
    """A matrix with orthonormal columns, so with at most as many columns as rows."""
    U = matrix(value, name, shape, **sizes)
    if U.shape[1] > U.shape[0]:
        raise ValueError(f"{name}: got shape {U.shape}, want {shape} with no more columns than rows")
    if is_concrete(U):
        numbers = np.asarray(U)
        off = np.abs(numbers.T @ numbers - np.eye(U.shape[1])).max()
        if not off < FRAME_TOLERANCE:
            raise ValueError(f"{name}: got columns with {name}^T {name} off the identity by {off:.2g}, want orthonormal columns")
    return U


def frames(value, name: str, shape: str = "(K, D, d)", **sizes: int) -> jax.Array:
    """A stack of matrices with orthonormal columns."""
    Us = _real(value, name, shape, True, sizes)
    if Us.shape[2] > Us.shape[1]:
        raise ValueError(f"{name}: got shape {Us.shape}, want {shape} with no more columns than rows")
    for k in range(Us.shape[0] if is_concrete(Us) else 0):
        frame(Us[k], f"{name}[{k}]", "(D, d)")
    return Us


def skew(value, name: str, shape: str = "(D, D)", **sizes: int) -> jax.Array:
    """A matrix that is minus its transpose."""
    A = matrix(value, name, shape, **sizes)
    if is_concrete(A):
        numbers = np.asarray(A)
        off, size = np.abs(numbers + numbers.T).max(), np.abs(numbers).max()
        if off > FRAME_TOLERANCE * size:
            raise ValueError(f"{name}: got {name} + {name}^T with entries up to {off:.2g}, want a skew-symmetric matrix")
    return A


def covariance(value, name: str, shape: str = "(D, D)", **sizes: int) -> jax.Array:
    """A symmetric matrix with no negative eigenvalue."""
    Sigma = matrix(value, name, shape, **sizes)
    if is_concrete(Sigma):
        numbers = np.asarray(Sigma, np.float64)
        off, size = np.abs(numbers - numbers.T).max(), np.abs(numbers).max()
        if off > COVARIANCE_TOLERANCE * size:
            raise ValueError(f"{name}: got {name} - {name}^T with entries up to {off:.2g}, want a symmetric matrix")
        eigenvalues = np.linalg.eigvalsh((numbers + numbers.T) / 2)
        if eigenvalues[0] < -COVARIANCE_TOLERANCE * np.abs(eigenvalues).max():
            raise ValueError(f"{name}: got an eigenvalue {eigenvalues[0]:.2g}, want a covariance, with none below 0")
    return Sigma


def covariances(value, name: str, shape: str = "(K, D, D)", **sizes: int) -> jax.Array:
    """A stack of symmetric matrices with no negative eigenvalues."""
    Sigmas = _real(value, name, shape, True, sizes)
    for k in range(Sigmas.shape[0] if is_concrete(Sigmas) else 0):
        covariance(Sigmas[k], f"{name}[{k}]", "(D, D)")
    return Sigmas


def start(value, name: str, shape: str = "(D, d)", **sizes: int) -> jax.Array:
    """A matrix with linearly independent columns."""
    V = matrix(value, name, shape, **sizes)
    rank = np.linalg.matrix_rank(np.asarray(V)) if is_concrete(V) else min(V.shape)
    if rank < V.shape[1]:
        raise ValueError(f"{name}: got {V.shape[1]} columns of rank {rank}, want linearly independent columns")
    return V


def boolean(value, name: str, shape: str = "(D, N)", **sizes: int) -> jax.Array:
    """A matrix of True and False with at least one True."""
    m = _array(value, name)
    if m.dtype != bool:
        raise ValueError(f"{name}: got values of type {m.dtype}, want {shape} of True and False")
    _check_shape(m.shape, name, shape, sizes)
    if is_concrete(m) and not np.any(np.asarray(m)):
        raise ValueError(f"{name}: got no True, want at least one")
    return jnp.asarray(m)


def fraction(value, name: str) -> jax.Array | float:
    """A number in (0, 1]; a plain number stays one and so takes the type of the arrays it meets."""
    x = _real(value, name, "()", True, {})
    if is_concrete(x) and not 0 < x <= 1:
        raise ValueError(f"{name}: got {float(x):.3g}, want a number in (0, 1]")
    return x if isinstance(value, jax.Array) else float(value)


def nonnegative(value, name: str, shape: str = "()", **sizes: int) -> jax.Array | float:
    """A finite number >= 0, or an array of them; a plain number stays one and so takes the type of the arrays it meets."""
    x = _real(value, name, shape, True, sizes)
    if is_concrete(x) and np.any(np.asarray(x) < 0):
        raise ValueError(f"{name}: got {np.asarray(x).min():.3g}, want numbers that are not negative")
    return x if shape != "()" or isinstance(value, jax.Array) else float(value)


def positive(value, name: str) -> jax.Array | float:
    """A finite number > 0; a plain number stays one and so takes the type of the arrays it meets."""
    x = _real(value, name, "()", True, {})
    if is_concrete(x) and not x > 0:
        raise ValueError(f"{name}: got {float(x):.3g}, want a number > 0")
    return x if isinstance(value, jax.Array) else float(value)


def distribution(value, name: str, shape: str = "(K,)", **sizes: int) -> jax.Array:
    """Numbers >= 0 that add up to 1."""
    p = nonnegative(value, name, shape, **sizes)
    if is_concrete(p) and not abs((total := np.asarray(p).sum()) - 1) < FRAME_TOLERANCE:
        raise ValueError(f"{name}: got numbers that add up to {total:.3g}, want numbers that add up to 1")
    return p


def shares(value, name: str, shape: str = "(K, N)", **sizes: int) -> jax.Array:
    """A matrix of numbers >= 0 whose columns add up to 1."""
    S = nonnegative(value, name, shape, **sizes)
    if is_concrete(S):
        totals = np.asarray(S).sum(axis=0)
        off = int(np.argmax(np.abs(totals - 1)))
        if not abs(totals[off] - 1) < FRAME_TOLERANCE:
            raise ValueError(f"{name}: got a column {off} that adds up to {totals[off]:.3g}, want columns that add up to 1")
    return S


def whole_numbers(value, name: str, shape: str = "(N,)", K: int | None = None, **sizes: int) -> jax.Array | np.ndarray:
    """Integers from 0 on, below K where it is given; in NumPy where they are known, so that inside jit they still are."""
    labels = _array(value, name)
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(f"{name}: got values of type {labels.dtype}, want {shape} of integers")
    _check_shape(labels.shape, name, shape, sizes)
    if not is_concrete(labels):
        return labels
    labels = np.asarray(labels)
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or (K is not None and high >= K):
        to = "" if K is None else f" to K - 1 = {K - 1}"
        raise ValueError(f"{name}: got {low if low < 0 else high}, want integers from 0{to}")
    return labels


def classes(value, name: str, N: int, K: int | None = None) -> tuple[jax.Array | np.ndarray, int]:
    """Labels (N,) from 0 to K - 1, and K. Where labels are known every class needs a sample; for traced ones K has to be said."""
    labels = whole_numbers(value, name, "(N,)", K, N=N)
    if not is_concrete(labels):
        if K is None:
            raise ValueError(f"{name}: got traced labels, want K beside them, the number of classes")
        return labels, integer(K, "K", 1)
    sizes = np.bincount(labels, minlength=K or 0)
    filled(sizes, name)
    return labels, len(sizes)


def filled(sizes: np.ndarray, name: str) -> None:
    """ValueError where one of so many classes is of size 0."""
    if not np.all(sizes > 0):
        raise ValueError(f"{name}: got no sample in class {int(np.argmin(sizes > 0))} of {len(sizes)}, want one in each")


def integer(value, name: str, low: int, high: int | None = None, limit: str = "") -> int:
    """A Python int from low to high; `limit` says where high comes from, such as "min(D, N)"."""
    wanted = f"an integer >= {low}" if high is None else f"an integer from {low} to {limit + ' = ' if limit else ''}{high}"
    if isinstance(value, jax.core.Tracer):
        raise ValueError(f"{name}: got a traced value, want {wanted} that is known before tracing (static_argnames)")
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name}: got {value!r}, want {wanted}") from None
    if isinstance(value, bool | np.bool_) or number < low or (high is not None and number > high):
        raise ValueError(f"{name}: got {value!r}, want {wanted}")
    return number


def random_key(value, name: str = "key") -> jax.Array:
    """One random key, from jax.random.key or jax.random.PRNGKey."""
    typed = isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key)
    raw = isinstance(value, jax.Array | np.ndarray) and value.dtype == np.uint32
    if (typed and value.ndim == 0) or (raw and value.ndim == 1):
        return value
    came = f"{value.dtype} of shape {value.shape}" if hasattr(value, "dtype") else repr(value)
    raise ValueError(f"{name}: got {came}, want one random key, such as jax.random.key(0)")


def same_type(*arrays: jax.Array) -> list[jax.Array]:
    """The arrays in their common floating type (a scan's carry must not change its type on the way)."""
    dtype = jnp.result_type(*arrays)
    return [a.astype(dtype) for a in arrays]


def is_concrete(value) -> bool:
    """Whether there are numbers to look at, rather than a tracer."""
    return not isinstance(value, jax.core.Tracer)


def _real(value, name: str, shape: str, finite: bool, sizes: dict[str, int]) -> jax.Array:
    x = _array(value, name)
    if not (jnp.issubdtype(x.dtype, jnp.floating) or jnp.issubdtype(x.dtype, jnp.integer)):
        raise ValueError(f"{name}: got values of type {x.dtype}, want {shape} of real numbers")
    _check_shape(x.shape, name, shape, sizes)
    wide = jnp.result_type(float)  # float64 in 64-bit mode, else float32
    dtype = wide if x.dtype == np.float64 else np.dtype(np.float32)
    if not is_concrete(x):
        return x.astype(dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = np.asarray(x).astype(dtype, copy=False)
    # a sum is several times cheaper than looking at every number, and NaN and infinity do not get lost in it
    if finite and not np.isfinite(numbers.sum(dtype=np.float64)) and not np.isfinite(numbers).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(numbers))[0])
        raise ValueError(f"{name}: got {numbers[where]} at {list(where)}, want {shape} of numbers finite in {dtype}")
    return x if isinstance(x, jax.Array) and x.dtype == dtype else jnp.asarray(numbers)


def _array(value, name: str) -> jax.Array | np.ndarray:
    """The value as an array that has a shape and a dtype; nested lists may hold tracers."""
    if isinstance(value, jax.Array | np.ndarray):
        return value
    try:
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(value)):
            return jnp.asarray(value)
        return np.asarray(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: got {type(value).__name__} that does not make an array, want numbers") from None


def _check_shape(came: tuple[int, ...], name: str, shape: str, sizes: dict[str, int]) -> None:
    letters = [letter.strip() for letter in shape.strip("()").split(",") if letter.strip()]
    wanted = dict(zip(letters, came)) | sizes  # of a letter that stands twice, the last size is wanted of both
    fits = len(came) == len(letters) and all(size == wanted[letter] for letter, size in zip(letters, came))
    if not fits:
        known = " and ".join(f"{letter} = {sizes[letter]}" for letter in letters if letter in sizes)
        raise ValueError(f"{name}: got shape {came}, want {shape}{' with ' + known if known else ''}")
    if 0 in came:
        raise ValueError(f"{name}: got shape {came}, want {shape} with nothing of size 0")
