"""A training step on eight devices, spread over samples, gives the losses of one device. Eight CPU devices are made up for it."""

import json
import os
import subprocess
import sys

import numpy as np

PROGRAM = """
import json, jax, jax.numpy as jnp, numpy as np, optax, equinox as eqx
from book_utils import crate, data, devices, training, transformer

X, labels = data.digits()
X, labels = jnp.moveaxis(transformer.patches(X, 2), 0, -1)[..., :1600], labels[:1600]

def loss(model, part, key):
    patches, labels = part
    scores = jax.vmap(model, -1, 0)(patches)
    return optax.losses.softmax_cross_entropy_with_integer_labels(scores, labels).mean()

found, model = {}, crate.Crate(jax.random.key(0), 4, 16, 10, L=2)
for name, place in [("one", lambda x: x), ("all", devices.spread)]:
    for batch in [None, 64]:
        trained, losses = training.train(loss, model, jax.random.key(1), 5, optax.adam(1e-2), place((X, labels)), batch)
        used = {len(leaf.sharding.device_set) for leaf in jax.tree.leaves(eqx.filter(trained, eqx.is_array))}
        found[f"{name} {batch}"] = [np.asarray(losses).tolist(), sorted(used)]

placed = devices.spread((X, labels))
found["shards"] = sorted({shard.data.shape for shard in placed[0].addressable_shards})
arrays, rest = eqx.partition(model, eqx.is_array)
step = jax.jit(jax.grad(lambda arrays, part: loss(eqx.combine(arrays, rest), part, None)))
found["sums across devices"] = "all-reduce" in step.lower(arrays, placed).compile().as_text()
try:
    devices.spread(np.zeros((3, 12)))
except ValueError as error:
    found["refused"] = str(error)
print(json.dumps(found))
"""


def test_eight_devices_give_the_losses_of_one():
    surroundings = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=surroundings)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for batch in ("None", "64"):
        (one, on_one), (spread, on_all) = found[f"one {batch}"], found[f"all {batch}"]
        np.testing.assert_allclose(spread, one, rtol=2e-5)
        assert on_one == [1] and on_all == [8] and one[-1] < one[0]
    assert found["shards"] == [[4, 16, 200]]
    assert found["sums across devices"]
    assert found["refused"] == "X: got shape (3, 12), want (..., N) with N a multiple of the 8 devices"
