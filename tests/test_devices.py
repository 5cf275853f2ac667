"""The sentence about JAX's devices."""

import logging
import re
import subprocess
import sys
import types
import warnings

import jax

from book_utils import devices


def test_one_sentence_about_these_devices():
    said = devices.describe()
    assert re.fullmatch(r"JAX computes on \d+ devices?: .+\.", said) and str(len(jax.devices())) in said
    assert jax.devices()[0].platform.upper() in said and devices.default_device_kind() in said
    assert devices.default_device_kind() == jax.devices()[0].device_kind


def test_several_devices_of_a_kind_are_named_once(monkeypatch):
    monkeypatch.setattr(jax, "devices", lambda: [types.SimpleNamespace(platform="gpu", device_kind="NVIDIA H200")] * 2)
    assert devices.describe() == "JAX computes on 2 devices: GPU (NVIDIA H200)."
    assert devices.default_device_kind() == "NVIDIA H200"


def test_jax_is_not_started_by_the_import_and_nothing_is_said_on_stderr():
    code = "import sys; from book_utils import devices; assert 'jax' not in sys.modules; print(devices.describe())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith("JAX computes on ") and done.stderr == ""


def test_complaints_about_missing_devices_are_kept_back_and_others_are_not(monkeypatch, caplog, recwarn):
    found = jax.devices()

    def noisy():
        logging.getLogger("jax._src.xla_bridge").error("no GPU")
        warnings.warn("no TPU")
        return found

    monkeypatch.setattr(jax, "devices", noisy)
    devices.describe()
    assert caplog.text == "" and not recwarn.list
    logging.getLogger("other").warning("heard")
    assert "heard" in caplog.text
