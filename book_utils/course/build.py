"""chapters/ made into notebooks/, and nothing let through that a student should not see."""

import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from book_utils.course import catalog, environment, measure, syllabus, workspace
from book_utils.course.audit import audit
from book_utils.course.catalog import Chapter
from book_utils.course.cite import resolve
from book_utils.course.errors import CourseError, nearest
from book_utils.course.execute import execute
from book_utils.course.notebook import dumps, make

# what of the author's own surroundings could change an output
PLAIN = dict.fromkeys(["BOOK_STRICT", "BOOK_FRAMES", "RUN_LONG", "JAX_ENABLE_X64", "JAX_DEBUG_NANS", "JAX_DISABLE_JIT",
                       "JAX_DEFAULT_MATMUL_PRECISION", "XLA_FLAGS", "MPLBACKEND", "MATPLOTLIBRC", "PYTHONWARNINGS"])
PLAIN |= {"JAX_PLATFORMS": "cpu"}

PARTS = ("source", "metadata", "outputs", "execution_count")  # of a cell
_IMAGE = re.compile(r"data:image/[\w.+-]+;base64,[\w+/=\s]+")


def build(keys: Iterable[str] = (), check: bool = False, long: bool = False) -> list[str]:
    """Make the notebooks of the chapters called `keys` (all of them if none is named), the errata page, the syllabus and environment.yml.

    With `long`, first run the long experiments whose stored results are missing or stale (see `measure`); without, these raise.

    A stored notebook whose text is what a fresh run gives is kept as it is, images included: their bytes differ from
    machine to machine; to draw them anew, delete the file first. Returns a sentence for each file that changed; with `check`,
    for each that would change, and writes nothing.
    Raises CourseError naming notebook and cell for what must not reach a student (see `audit`).
    """
    root = workspace.checkout()
    if root is None:
        raise CourseError("Notebooks are built in a clone of the repository, not from the installed package.")
    chosen = [catalog.chapter(key) for key in keys] or catalog.chapters()
    changes = [sentence for chapter in chosen if long for sentence in measure.renew(chapter)]
    for chapter in chosen:
        measure.fresh(chapter)
    changes += [renew(chapter, root / "notebooks" / chapter.notebook, check) for chapter in chosen]
    changes.append(_renew_page(root / "notebooks" / "errata.md", errata(catalog.chapters()), check))
    changes.append(_renew_page(root / "environment.yml", environment.text(root / "pyproject.toml"), check))
    if own := [chapter for chapter in syllabus.course(catalog.chapters()) if chapter.folder.parent == root / "chapters"]:
        changes += [_renew_page(path, text, check) for path, text in pages(own, root / "docs").items()]
    return [change for change in changes if change]


def pages(chapters: list[Chapter], docs: Path) -> dict[Path, str]:
    """What the pages of `docs` that speak of the syllabus should say."""
    weeks = syllabus.plan(chapters, syllabus.WEEKS)
    guide = docs / "instructors.md"
    return {docs / "syllabus.md": syllabus.markdown(weeks),
            guide: syllabus.placed(guide.read_text(encoding="utf-8"), syllabus.overview(weeks))}


def renew(chapter: Chapter, path: Path, check: bool = False) -> str:
    """Write the chapter's notebook to `path` unless its text is there already; what changed in one sentence, or ""."""
    fresh = execute(make(chapter), env=PLAIN)
    audit(fresh, chapter)
    return _write(path, dumps(fresh), difference(path, fresh), check)


def solve(chapter: Chapter, answers: Mapping[str, str] | None = None) -> tuple[NotebookNode, float]:
    """The chapter's notebook with every exercise answered, run in strict mode, and the seconds that took.

    The answers are the lesson's own solutions; `answers` has other cells to take instead, by the exercise's name.
    Raises CourseError naming the first cell whose answer does not hold, and for a name that no exercise has.
    """
    answers = answers or {}
    for name in answers.keys() - chapter.stubs.keys():
        raise nearest(name, chapter.stubs, "exercise")
    solved = make(chapter, lambda stub: answers.get(stub.name, stub.solved))
    start = time.perf_counter()
    return execute(solved, env=PLAIN | {"BOOK_STRICT": "1"}), time.perf_counter() - start


def difference(path: Path, fresh: NotebookNode, parts: Iterable[str] = PARTS) -> str:
    """Where the stored notebook, images apart, is not as `fresh` is, as the end of a sentence; "" if nowhere.

    `parts`: what of each cell is compared. A built notebook's outputs are all compared, those that nbval is told to ignore
    too: on the build's terms (CPU, an empty folder) they are the same everywhere, and a stale one would never be renewed.
    """
    if not path.exists():
        return "is new"
    text = path.read_text(encoding="utf-8")
    try:
        stored = nbformat.reads(text, as_version=4)
    except ValueError:  # for instance after a merge
        return "was not a notebook"
    if [cell.get("id") for cell in stored.cells] != [cell.id for cell in fresh.cells]:
        return "has other cells"
    for old, new in zip(stored.cells, fresh.cells, strict=True):
        for part in parts:
            if _without_images(old.get(part)) != _without_images(new.get(part)):
                return f"has other {part.replace('_', ' ')} in cell {new.id}"
    same = stored.metadata == fresh.metadata and text == dumps(stored)
    return "" if same else "is written in another way"


def errata(chapters: Iterable[Chapter]) -> str:
    """The page of misprints that change no mathematics, from the facts of the chapters."""
    page = ["# Errata", "",
            "<!-- Made from the chapters by `book build`; edit ERRATA in a chapter's `__init__.py` instead. -->", "",
            "Indices and misprints that the notebooks' authors stumbled over in version 2 of the book (March 2026). What changes "
            "the mathematics stands in the lesson itself, beside the cell that shows it."]
    for chapter in chapters:
        if chapter.facts.ERRATA:
            page += ["", f"## {chapter.title}", "", "| Where | Printed | Holds |", "|---|---|---|"]
        for place, printed, holds in chapter.facts.ERRATA:
            where = f"[[{place}]]" if place in catalog.labels() else place
            page.append("| {} | {} | {} |".format(*(resolve(entry).replace("|", r"\|") for entry in (where, printed, holds))))
    return "\n".join(page) + "\n"


def _renew_page(path: Path, text: str, check: bool) -> str:
    stored = path.read_text(encoding="utf-8") if path.exists() else ""
    return _write(path, text, "" if stored == text else "has other text", check)


def _write(path: Path, text: str, change: str, check: bool) -> str:
    if change and not check:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    return f"{path.name} {change}." if change else ""


def _without_images(part: object) -> object:
    """A part of a cell with images left empty, also those inside HTML."""
    if isinstance(part, dict):
        return {key: "" if key.startswith("image/") and isinstance(value, str) else _without_images(value)
                for key, value in part.items()}
    if isinstance(part, list):
        return [_without_images(value) for value in part]
    return _IMAGE.sub("", part) if isinstance(part, str) else part
