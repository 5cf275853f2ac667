"""The house rules: what may import what, how long the door takes, and what no file may contain."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from book_utils.course import guard

ROOT = Path(__file__).parent.parent
KERNELS = sorted(p for p in (ROOT / "book_utils").glob("*.py") if p.stem not in guard.TOOLS and p.stem != "__init__")


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", sorted((ROOT / "book_utils").glob("*.py")), ids=lambda p: p.name)
def test_kernels_know_nothing_of_the_course(path):
    assert not [m for m in imports(path) if m.startswith(("book_utils.course", "chapters"))]


def test_the_course_knows_nothing_of_any_chapter():
    for path in (ROOT / "book_utils" / "course").glob("*.py"):
        assert not [m for m in imports(path) if m.startswith("chapters")], path
        assert not re.search(r"\bch0\d_", path.read_text(encoding="utf-8")), path


def test_importing_the_package_is_quick():
    code = "import time; t = time.perf_counter(); import book_utils; print(time.perf_counter() - t)"
    seconds = min(float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout) for _ in range(2))
    assert seconds < 2.0


@pytest.mark.parametrize("path", KERNELS, ids=lambda p: p.stem)
def test_public_kernels_are_documented_python_functions(path):
    """The engine recognises a kernel by its code object, so a public one is a Python function around a compiled one."""
    module = importlib.import_module(f"book_utils.{path.stem}")
    public = {n: v for n, v in vars(module).items() if callable(v) and not n.startswith("_") and getattr(v, "__module__", "") == module.__name__}
    assert public
    for name, value in public.items():
        assert inspect.isfunction(value) or inspect.isclass(value), f"{name} is a {type(value).__name__}"
        assert inspect.getdoc(value) and len(inspect.getdoc(value)) > 40, f"{name} has no docstring"


def tracked():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode or not listed.stdout:
        pytest.skip("not a git checkout")
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def test_no_large_file_no_lock_file_no_registry_and_no_path_of_one_machine():
    hosts = re.compile("|".join([r"py" + r"pi\.org", r"python" + r"hosted\.org", r"registry\.npm" + "js", r"conda\.ana" + r"conda\.org"]))
    paths = re.compile(r"(?<![\w.:/])/(?:root|home/\w+|Users/\w+)/[\w./-]+")
    for path in tracked():
        assert path.stat().st_size < 2_000_000, path
        assert path.name != "uv.lock"
        if path.suffix not in {".npz", ".png"}:
            text = path.read_text(encoding="utf-8")
            assert not hosts.search(text), path
            assert not paths.search(text), path


def test_reading_the_catalogue_is_cheap():
    """It parses the lessons and runs none."""
    from book_utils.course import catalog

    catalog.chapters.cache_clear()
    start = time.perf_counter()
    assert all(chapter.stubs for chapter in catalog.chapters())
    assert time.perf_counter() - start < 1.0
