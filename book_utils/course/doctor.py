"""Whether this machine can run the course, and what to do where it cannot."""

import importlib.metadata
import operator
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from book_utils.course import catalog, workspace

DISTRIBUTION = "drl-companion"
_AGAIN = f"Install the course again: `uv sync` in the repository, or `pip install --upgrade {DISTRIBUTION}`."
_COMPARE = {">=": operator.ge, "<=": operator.le, "==": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt}
_ELSEWHERE = "Use Google Colab (the badge at the top of every notebook) or a JupyterHub."


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. What is wrong, and what could merely be better, comes with what to do."""

    what: str
    said: str
    state: str = "ok"  # "ok", "note": works, could be better; "wrong"
    remedy: str = ""


def examine() -> Iterator[Finding]:
    """Everything `book doctor` looks at, one thing after another; what needs JAX only where JAX starts."""
    yield system(platform.system(), platform.machine(), sys.version_info[:2])
    packages = [package(need) for need in requirements()]
    named = ("jax", "jaxlib", "numpy", "jupyterlab")  # of the others, only what is wrong
    yield from (finding for finding in packages if finding.state != "ok" or finding.what in named)
    yield Finding(DISTRIBUTION, version())
    yield writable(workspace.folder())
    started = yield from _start()
    if started:
        yield self_test()


def version() -> str:
    """The version of this package."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def system(name: str, machine: str, python: tuple[int, int]) -> Finding:
    """The platform and Python: JAX has no wheels for Macs with Intel processors and Windows on ARM."""
    said = f"{name} on {machine}, Python {python[0]}.{python[1]}"
    if name == "Darwin" and machine == "x86_64":
        newer = "On a newer Mac, install a Python for arm64; otherwise: "
        return Finding("system", said, "wrong", f"JAX has no release for Intel Macs. {newer}{_ELSEWHERE}")
    if name == "Windows" and machine.upper() == "ARM64":
        return Finding("system", said, "wrong", f"JAX has no release for Windows on ARM. {_ELSEWHERE}")
    if python < (3, 11):
        return Finding("system", said, "wrong", "Python 3.11 or newer is needed; `uv run book doctor` fetches one.")
    return Finding("system", said)


def requirements() -> list[str]:
    """What the course needs, as in "numpy>=2.0": from the installed package, or from pyproject.toml if it is not installed."""
    root = workspace.checkout()
    try:
        needs = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        text = (root / "pyproject.toml").read_text(encoding="utf-8") if root else "project.dependencies = []"
        needs = tomllib.loads(text)["project"]["dependencies"]
    needs = [need for need in needs if "extra ==" not in need]
    jax = next((need for need in needs if re.match(r"jax\b", need)), "jax")
    return [*needs, jax.replace("jax", "jaxlib", 1)]


def package(need: str) -> Finding:
    """Whether a package is installed in a version that the course works with."""
    name, _, allowed = re.fullmatch(r"([\w.-]+)(\[.*?\])?\s*([^;]*)(?:;.*)?", need.strip()).groups()
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "missing", "wrong", _AGAIN)
    if allows(allowed, found):
        return Finding(name, found)
    why = " makes lax.scan quadratic on the CPU" if name in ("jax", "jaxlib") and found == "0.11.1" else f" is outside {allowed}"
    return Finding(name, found, "wrong", f"{name} {found}{why}. {_AGAIN}")


def allows(specifier: str, version: str) -> bool:
    """Whether a requirement such as ">=0.10,!=0.11.1,<0.13" allows a version. Imports nothing that might be missing itself."""
    found = _numbers(version)
    clauses = re.findall(r"(>=|<=|==|!=|<|>)\s*([\d.]+)", specifier)
    return all(_COMPARE[sign](found, _numbers(bound)) for sign, bound in clauses)


def _numbers(version: str) -> tuple[int, ...]:
    numbers = [int(n) for n in re.match(r"\d+(?:\.\d+)*", version)[0].split(".")]
    while numbers and numbers[-1] == 0:  # 0.10.0 is 0.10
        numbers.pop()
    return tuple(numbers)


def writable(folder: Path) -> Finding:
    """Whether the student's folder, or the place where it will be made, can be written to."""
    place = next(p for p in (folder, *folder.parents) if p.exists())
    remedy = f"Allow yourself to write to {place}, free some space there, or name another folder in the variable BOOK_WORK."
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"a")
    except OSError as error:
        return Finding("work folder", f"{folder} cannot be written to: {error.strerror}", "wrong", remedy)
    return Finding("work folder", f"{folder}" if folder.exists() else f"{folder}, made by `book lab`")


def device(said: str, platforms: set[str], nvidia: bool, chosen: str, name: str) -> Finding:
    """What JAX computes on. A GPU that is not used is a note: the lessons are made for the CPU.

    platforms: of JAX's devices. nvidia: whether there is such a GPU. chosen: the variable JAX_PLATFORMS. name: the system.
    """
    if not nvidia or platforms != {"cpu"}:
        return Finding("device", said)
    if chosen:
        remedy = f"JAX_PLATFORMS={chosen} keeps JAX from it; unset this variable to use the GPU."
    elif name == "Windows":
        remedy = "JAX reaches it only from Linux: install the course in WSL 2 to use the GPU."
    else:
        remedy = f'this jaxlib is for the CPU only. For the GPU: `uv sync --extra cuda`, or `pip install "{DISTRIBUTION}[cuda]"`.'
    return Finding("device", said, "note", f"There is an NVIDIA GPU, and {remedy} Everything works on the CPU too.")


def self_test() -> Finding:
    """One compiled product, and one exercise whose solution holds and whose first wrong answer does not."""
    start = time.perf_counter()
    try:
        product = _product()
        exercise, right, wrong = _exercise()
    except Exception as error:
        return Finding("self-test", f"{type(error).__name__}: {error}".partition("\n")[0], "wrong", _AGAIN)
    said = f"a compiled product and the exercise {exercise} in {time.perf_counter() - start:.1f} s"
    if not product:
        return Finding("self-test", said, "wrong", "A product is wrong on this device; set JAX_PLATFORMS=cpu and try again.")
    if (right, wrong) != ("HOLDS", "FAILS"):
        remedy = f"Its solution {right}, and a wrong answer {wrong}; it should be HOLDS and FAILS. {_AGAIN}"
        return Finding("self-test", said, "wrong", remedy)
    return Finding("self-test", said)


def _start() -> Iterator[Finding]:
    """Import JAX and look at its devices; whether that went well."""
    chosen = os.environ.get("JAX_PLATFORMS", "")
    try:
        from book_utils import devices

        said = devices.describe()
        import jax

        platforms = {d.platform for d in jax.devices()}
    except Exception as error:  # jax and jaxlib that do not fit, a missing system library, a driver: each raises what it likes
        remedy = f"Unset JAX_PLATFORMS, which is {chosen!r}, and try again." if chosen else _AGAIN
        yield Finding("device", f"JAX does not start: {type(error).__name__}: {error}".partition("\n")[0], "wrong", remedy)
        return False
    yield device(said, platforms, _nvidia(), chosen, platform.system())
    return True


def _nvidia() -> bool:
    """Whether a driver of NVIDIA's answers."""
    try:
        return subprocess.run(["nvidia-smi", "-L"], capture_output=True, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _product() -> bool:
    import jax
    import numpy as np

    A = np.arange(12.0, dtype=np.float32).reshape(3, 4)
    return bool(np.allclose(jax.jit(lambda A: A @ A.T)(A), A @ A.T, rtol=1e-2))


def _exercise() -> tuple[str, str, str]:
    from book_utils.course.checking import check

    first = next(e for chapter in catalog.chapters() for e in chapter.exercises.values() if e.wrongs)
    right, wrong = first.stub.solved, first.stub.patched(*first.wrongs[0].replace)
    return first.name, *(check(first, first.compile(source), source).status for source in (right, wrong))
