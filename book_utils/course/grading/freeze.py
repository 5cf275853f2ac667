"""The checks of an assignment as they were when it was made: the package and the chapter, copied.

So marks never depend on what is installed later.
"""

import ast
import hashlib
import importlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import book_utils
from book_utils.course.catalog import Chapter, Stub


def freeze(chapter: Chapter, folder: Path) -> None:
    """Copy the package and the chapter into a folder that is not there yet.

    Everything that is Python goes, of the chapters also those that this one takes functions from; data sets do not (they are large
    and never change: `BOOK_DATASETS` says where they are).
    """
    _copy(Path(book_utils.__file__).parent, folder / "book_utils", "*.py")
    package = importlib.import_module("chapters")
    shelf = folder / "chapters"
    shelf.mkdir()
    for name in ("__init__.py", "labels.json"):
        shutil.copyfile(Path(package.__file__).parent / name, shelf / name)
    wanted, done = [chapter.folder], set()
    while wanted:
        source = wanted.pop()
        if source.name not in done:
            done.add(source.name)
            _copy(source, shelf / source.name, "*")
            wanted += _taken_from(source, list(package.__path__))


def _copy(source: Path, target: Path, pattern: str) -> None:
    for path in sorted(p for p in source.rglob(pattern) if p.is_file() and "__pycache__" not in p.parts):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _taken_from(folder: Path, roots: list[str]) -> Iterator[Path]:
    """Folders of the chapters that the files of one import."""
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("chapters."):
                name = node.module.split(".")[1]
                yield from (Path(root) / name for root in roots if (Path(root) / name).is_dir())


def revision(chapter: Chapter, stub: Stub) -> str:
    """A hash of an exercise's cell and of its chapter's checks: what a mark depends on, beside the package."""
    whole = hashlib.sha256(stub.cell.encode())
    for path in sorted(chapter.folder.glob("checks*.py")):
        whole.update(path.name.encode() + path.read_bytes())
    return whole.hexdigest()[:16]
