"""The student's folder `work/`: a copy of every lesson, made where there is none and never written over.

Notebooks are read and written here as plain JSON: what a student's Jupyter put into a file comes out of it unchanged.
"""

import datetime
import hashlib
import json
import os
import re
from pathlib import Path

from book_utils.course import catalog
from book_utils.course.catalog import Chapter
from book_utils.course.errors import CourseError

_DECLARES = re.compile(r"^@(?:exercise|derivation)\(\s*['\"]([\w.]+)['\"]", re.MULTILINE)


def checkout() -> Path | None:
    """The folder of the repository, or None where only the installed package is there."""
    root = Path(catalog.__file__).parents[2]
    return root if (root / "pyproject.toml").exists() else None


def folder() -> Path:
    """Where the student's copies are: `work/` in the repository, otherwise in the current folder; BOOK_WORK names another."""
    if named := os.environ.get("BOOK_WORK"):
        return Path(named).absolute()
    if root := checkout():
        return root / "work"
    here = Path.cwd()
    return here if here.name == "work" and (here / "start.ipynb").exists() else here / "work"


def copy(chapter: Chapter) -> Path:
    """The student's copy of a lesson, there or not."""
    return folder() / chapter.notebook


def read(path: Path) -> dict:
    """A saved notebook; CourseError where there is none or it cannot be read."""
    try:
        return parsed(path.read_bytes(), path)
    except FileNotFoundError:
        raise CourseError(f"There is no file {path}.") from None
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror}.") from None


def parsed(data: bytes, path: Path) -> dict:
    """The notebook in the bytes of the file `path`, the text of every cell as one string that can be written down again."""
    try:
        text = data.decode("utf-8-sig")
        notebook = json.loads(text)
        if "\\ud" in text.lower():  # halves of characters, which no file can hold, become question marks
            notebook = json.loads(json.dumps(notebook, ensure_ascii=False).encode(errors="replace"))
        notebook["metadata"] = dict(notebook["metadata"])
        for cell in notebook["cells"]:
            cell.update(cell_type=str(cell["cell_type"]), source=_joined(cell["source"]), metadata=dict(cell.get("metadata", {})))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CourseError(f"{path} is not a notebook that can be read (is it damaged?); it is left as it is.") from None
    return notebook


def written(notebook: dict) -> str:
    """A notebook as text, in the form in which Jupyter saves it."""
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def fingerprint(source: str) -> str:
    """What a cell's text is remembered by, to tell later whether it was changed."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def cells_of(notebook: dict) -> dict[str, str]:
    """What a copy remembers of the lesson it was made from: a fingerprint of every cell's text, by the cell's id."""
    return {cell["id"]: fingerprint(cell["source"]) for cell in notebook["cells"]}


def lesson(chapter: Chapter) -> dict:
    """The lesson as it is now: the repository's notebook with its outputs, otherwise made from the chapter and not yet run."""
    root = checkout()
    stored = root / "notebooks" / chapter.notebook if root else None
    if stored and stored.exists():
        notebook = read(stored)
    else:
        from book_utils.course.notebook import dumps, make

        notebook = parsed(dumps(make(chapter)).encode(), Path(chapter.notebook))
    notebook["metadata"].setdefault("book", {})["cells"] = cells_of(notebook)
    return notebook


def current(mine: dict, fresh: dict) -> bool:
    """Whether a copy was made from the lesson as it is now."""
    made_from = mine["metadata"].get("book", {}).get("cells")
    if made_from is None:  # copied by hand: then the cells themselves have to say so
        stubs = [{c["id"]: c["metadata"].get("book", {}).get("stub") for c in n["cells"] if "id" in c} for n in (mine, fresh)]
        return stubs[1].items() <= stubs[0].items()
    return made_from == fresh["metadata"]["book"]["cells"]


def fill() -> tuple[list[Path], list[Chapter]]:
    """Make the copies that are missing. Returns them, and the chapters whose copy was made from an older lesson."""
    made, old = [], []
    for chapter in catalog.chapters():
        path, fresh = copy(chapter), lesson(chapter)
        if place(path, fresh):
            made.append(path)
            continue
        try:
            if not current(read(path), fresh):
                old.append(chapter)
        except CourseError:
            continue  # damaged: Jupyter will say so when it is opened
    return made, old


def place(path: Path, notebook: dict) -> bool:
    """Write a notebook where there is no file; False, and nothing is done, where there is one."""
    if path.exists():
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("x", encoding="utf-8", newline="\n")
    except FileExistsError:
        if path.exists():  # since a moment ago
            return False
        raise CourseError(f"{path.parent} is a file, and the folder for your copies should be there.") from None
    except OSError as error:
        where = f"{path.parent}: {error.strerror}"
        raise CourseError(f"Your copies cannot be written to {where}. The variable BOOK_WORK can name another folder.") from None
    try:
        with file:
            file.write(written(notebook))
    except BaseException:  # a full disk, Ctrl-C: half a notebook would be taken for the student's
        path.unlink()
        raise
    return True


def replace(path: Path, notebook: dict) -> Path:
    """Put a notebook in the place of the student's file, which moves to `old/`; returns where it is now. Nothing is deleted."""
    kept, stem = path.parent / "old", f"{path.stem}.{datetime.datetime.now():%Y-%m-%d-%H%M%S}"
    while (old := kept / f"{stem}.ipynb").exists():
        stem += "-2"
    fresh = kept / f"{stem}.new"
    try:
        kept.mkdir(exist_ok=True)
        fresh.write_text(written(notebook), encoding="utf-8", newline="\n")
        path.rename(old)  # what Jupyter saved until now is in it, whatever this command has read
        fresh.rename(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        if not path.exists():
            old.rename(path)
        raise CourseError(f"{path} cannot be renewed: {error.strerror}. Your file is as it was.") from None
    return old


def declared(source: str) -> list[str]:
    """Names of the exercises that a text answers, also where it is not Python (yet)."""
    return _DECLARES.findall(source)


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)
