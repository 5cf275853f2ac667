"""What CRATE, the token statistics transformer and a vision transformer share, and the latter: patches in, scores of classes out.

    image -> patches (P, n) -> tokens (d, n + 1), the first a class token -> L layers (d, n + 1) -> scores (K,)

Only the layer differs between the three, so that what is compared is the layer. `VisionTransformer` is the black-box one, built of
Equinox's own layers (Dosovitskiy et al. 2021): pre-LayerNorm, attention with a bias, an MLP with GELU. `parameters` and
`multiply_adds` count what a comparison at equal budget needs.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from book_utils import validate


def patches(X: jax.Array, w: int) -> jax.Array:
    """Square images X (s * s, N), cut into squares of w x w pixels: (N, w * w, n), n = (s / w)^2 tokens, row by row.

    ValueError unless the images are square and w divides their side."""
    X = validate.matrix(X, "X", "(s * s, N)")
    side, N = round(X.shape[0] ** 0.5), X.shape[1]
    w = validate.integer(w, "w", 1)
    if side * side != X.shape[0] or side % w:
        raise ValueError(f"X: got images of {X.shape[0]} pixels for squares of {w} x {w}, want a square side that {w} divides")
    m = side // w
    return X.reshape(m, w, m, w, N).transpose(4, 1, 3, 0, 2).reshape(N, w * w, m * m)


def head_dimension(d: int, K: int) -> int:
    """The dimension p = d / K of each of K heads for tokens of dimension d; ValueError where K does not divide d."""
    if validate.integer(d, "d", 1) % validate.integer(K, "K", 1):
        raise ValueError(f"K: got {K} heads for tokens of dimension {d}, want a number that divides {d}")
    return d // K


class Classifier(eqx.Module):
    """Patches (P, n) to scores (classes,): embedding, class token, positions, L layers of one kind, a linear head.

    The layers are stacked along a leading axis and run by one scan, so that compiling takes as long for 24 as for 2;
    `layer(l)` is one of them."""

    norm_patch: eqx.nn.LayerNorm
    embed: eqx.nn.Linear
    norm_token: eqx.nn.LayerNorm
    first: jax.Array
    position: jax.Array
    layers: eqx.Module
    norm_head: eqx.nn.LayerNorm
    head: eqx.nn.Linear

    def __init__(self, key: jax.Array, P: int, n: int, classes: int, d: int, L: int, layer: Callable[[jax.Array], eqx.Module]) -> None:
        P, n, classes = (validate.integer(v, name, 1) for v, name in ((P, "P"), (n, "n"), (classes, "classes")))
        keys = jax.random.split(validate.random_key(key), 5)
        self.norm_patch, self.norm_token, self.norm_head = eqx.nn.LayerNorm(P), eqx.nn.LayerNorm(d), eqx.nn.LayerNorm(d)
        self.embed = eqx.nn.Linear(P, d, key=keys[0])
        self.first, self.position = jax.random.normal(keys[1], (d, 1)), jax.random.normal(keys[2], (d, n + 1))
        self.layers = eqx.filter_vmap(layer)(jax.random.split(keys[3], validate.integer(L, "L", 1)))
        self.head = eqx.nn.Linear(d, classes, key=keys[4])

    def tokens(self, patches: jax.Array) -> jax.Array:
        """The tokens (d, n + 1) that enter the first layer."""
        wanted = self.embed.in_features, self.position.shape[1] - 1
        if jnp.shape(patches) != wanted:
            raise ValueError(f"patches: got shape {jnp.shape(patches)}, want (P, n) = {wanted}")
        Z = jax.vmap(lambda x: self.norm_token(self.embed(self.norm_patch(x))), 1, 1)(patches)
        return jnp.concatenate([self.first, Z], axis=1) + self.position

    def layer(self, l: int) -> eqx.Module:
        """Layer number l, from 0."""
        return jax.tree.map(lambda leaf: leaf[l] if eqx.is_array(leaf) else leaf, self.layers)

    def features(self, patches: jax.Array) -> jax.Array:
        """The tokens (d, n + 1) that leave the last layer."""
        arrays, rest = eqx.partition(self.layers, eqx.is_array)
        return jax.lax.scan(lambda Z, own: (eqx.combine(own, rest)(Z), None), self.tokens(patches), arrays)[0]

    def __call__(self, patches: jax.Array) -> jax.Array:
        return self.head(self.norm_head(self.features(patches)[:, 0]))


class Attention(eqx.Module):
    """Z + attention(LayerNorm(Z)), with queries, keys and values of their own."""

    norm: eqx.nn.LayerNorm
    attention: eqx.nn.MultiheadAttention

    def __init__(self, key: jax.Array, d: int, K: int) -> None:
        self.norm = eqx.nn.LayerNorm(d)
        self.attention = eqx.nn.MultiheadAttention(K, d, use_query_bias=True, use_key_bias=True, use_value_bias=True,
                                                   use_output_bias=True, key=key)

    def __call__(self, Z: jax.Array) -> jax.Array:
        rows = jax.vmap(self.norm)(Z.T)
        return Z + self.attention(rows, rows, rows).T


class Perceptron(eqx.Module):
    """Z + MLP(LayerNorm(Z)), token by token, with one hidden layer of `width` and GELU."""

    norm: eqx.nn.LayerNorm
    mlp: eqx.nn.MLP

    def __init__(self, key: jax.Array, d: int, width: int) -> None:
        self.norm, self.mlp = eqx.nn.LayerNorm(d), eqx.nn.MLP(d, d, width, 1, jax.nn.gelu, key=key)

    def __call__(self, Z: jax.Array) -> jax.Array:
        return Z + jax.vmap(lambda z: self.mlp(self.norm(z)), 1, 1)(Z)


class Pair(eqx.Module):
    """Two steps, one after the other: `mix` lets tokens see each other, `each` treats every token by itself."""

    mix: eqx.Module
    each: eqx.Module

    def __call__(self, Z: jax.Array) -> jax.Array:
        return self.each(self.mix(Z))


class VisionTransformer(Classifier):
    """The black-box transformer: VisionTransformer(key, P, n, classes, d=32, K=4, L=4, width=128), scores as of `Crate`.

    width: of the hidden layer of every MLP, 4 d as a rule. ValueError where K does not divide d."""

    def __init__(self, key: jax.Array, P: int, n: int, classes: int, *, d: int = 32, K: int = 4, L: int = 4,
                 width: int | None = None) -> None:
        head_dimension(d, K)

        def layer(key: jax.Array) -> Pair:
            first, second = jax.random.split(key)
            return Pair(Attention(first, d, K), Perceptron(second, d, width or 4 * d))
        super().__init__(key, P, n, classes, d, L, layer)


def parameters(model: eqx.Module) -> int:
    """How many numbers of the model are trained: all floating-point arrays in it."""
    return sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(model, eqx.is_inexact_array)))


def multiply_adds(model: Classifier) -> int:
    """Multiplications with an addition in the matrix products of one input, counted in what JAX traces."""
    patches = jax.ShapeDtypeStruct((model.embed.in_features, model.position.shape[1] - 1), jnp.float32)
    arrays, rest = eqx.partition(model, eqx.is_array)
    return _products(jax.make_jaxpr(lambda arrays, patches: eqx.combine(arrays, rest)(patches))(arrays, patches).jaxpr)


def _products(jaxpr) -> int:
    total = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            (left, _), _ = equation.params["dimension_numbers"]
            summed = np.prod([equation.invars[0].aval.shape[axis] for axis in left], dtype=int)
            total += int(summed * np.prod(equation.outvars[0].aval.shape, dtype=int))
        times = equation.params.get("length", 1) if equation.primitive.name == "scan" else 1
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                total += times * _products(inner)
    return total
