"""A lesson as a notebook: stubs, citations, ids, the cell that installs the course and the table of letters."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from importlib.metadata import metadata
from pathlib import Path
from urllib.parse import urlsplit

import jupytext
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from book_utils.course import catalog
from book_utils.course.catalog import CLOSE, OPEN, Chapter, Stub
from book_utils.course.cite import resolve
from book_utils.course.errors import CourseError
from book_utils.course.workspace import fingerprint

DISTRIBUTION = "drl-companion"
PERCENT = {"extension": ".py", "format_name": "percent", "comment_magics": False}
INSTALL, LETTERS = "install", "letters"  # ids of the two cells that no lesson contains

# fixed here, so that the notebook does not depend on the Python that made it
_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
_LANGUAGE = {"file_extension": ".py", "mimetype": "text/x-python", "name": "python", "pygments_lexer": "ipython3"}

_BADGE = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({})"
_COLAB = "https://colab.research.google.com/github{path}/blob/v{version}/notebooks/{name}"

# The import names of all that the course needs are the names to install. JupyterLab is left out: Colab is one.
INSTALL_CELL = '''\
# Does nothing where the course is installed. On Colab it installs the version that this notebook was made with.
import importlib, re, subprocess, sys
from importlib.metadata import requires, version
from importlib.util import find_spec
def pip(*what):
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *what], check=True)
    importlib.invalidate_caches()
if not find_spec("book_utils"):
    assert "google.colab" in sys.modules, "The course is not installed in this kernel. Start it with: uv run book lab"
    pip("--no-deps", "git+{repository}@v{version}")
    absent = [n for n in requires("{name}") if "jupyterlab" not in n and not find_spec(re.match(r"\\w+", n)[0])]
    pip(*absent, *(f"{{n}}=={{version(n)}}" for n in ("jax", "jaxlib", "numpy")))  # these stay as they are'''


def make(chapter: Chapter, source: Callable[[Stub], str] = lambda stub: stub.blank) -> NotebookNode:
    """The chapter's notebook, not run. `source` gives the text of each exercise cell: by default as a student gets it.

    Raises CourseError, naming the lesson file, for a lesson that does not begin with a title, a mark of a solution that
    stands alone or outside an exercise, and a label that the book does not have.
    """
    cells = []
    for path in chapter.lesson_files:
        for cell in jupytext.reads(path.read_text(encoding="utf-8"), PERCENT).cells:
            try:
                cells.append(cell_of(cell, source))
            except CourseError as error:
                raise CourseError(f"{_where(path)}: {error}") from None
    if not cells or cells[0].cell_type != "markdown" or not cells[0].source.startswith("# "):
        raise CourseError(f"{_where(chapter.folder)}: a lesson begins with a markdown cell that begins with its title, '# ...'.")
    repository, version = published()
    identify(cells)
    title, _, rest = cells[0].source.partition("\n")
    colab = _COLAB.format(path=urlsplit(repository).path, version=version, name=chapter.notebook)
    cells[0].source = f"{title}\n\n{_BADGE.format(colab)}\n{rest}".rstrip("\n")
    cells.insert(1, install())
    if chapter.facts.LETTERS:
        cells.append(new_markdown_cell(letters(chapter.facts.LETTERS), id=LETTERS))
    return bound(cells, {"chapter": chapter.key, "version": version})


def bound(cells: list[NotebookNode], book: dict) -> NotebookNode:
    """A valid notebook of these cells; `book` is what the course remembers of it."""
    notebook = new_notebook(cells=cells, metadata={"book": book, "kernelspec": _KERNEL, "language_info": _LANGUAGE})
    nbformat.validate(notebook)
    return notebook


def install() -> NotebookNode:
    """The cell that installs the course where it is not installed."""
    repository, version = published()
    return new_code_cell(INSTALL_CELL.format(repository=repository, version=version, name=DISTRIBUTION), id=INSTALL)


def published() -> tuple[str, str]:
    """(address of the repository, version) of the installed package: the one place that says where this project lives."""
    package = metadata(DISTRIBUTION)
    urls = dict(url.split(", ", 1) for url in package.get_all("Project-URL"))
    return urls["Repository"], package["Version"]


def dumps(notebook: NotebookNode) -> str:
    """The notebook as text, the same for the same content: sorted keys, one final newline."""
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def _where(path: Path) -> str:
    return "/".join(path.parts[-2:])


def cell_of(cell: NotebookNode, source: Callable[[Stub], str]) -> NotebookNode:
    """A cell of the lesson as it stands in the notebook; of its metadata only the tags are kept."""
    tags = {"tags": list(cell.metadata.tags)} if "tags" in cell.metadata else {}
    if cell.cell_type == "markdown":
        return new_markdown_cell(resolve(cell.source), metadata=tags)
    if cell.cell_type != "code":
        raise CourseError(f"a {cell.cell_type} cell, where only code and markdown are known: {cell.source[:40]!r}")
    stub = catalog.parse(cell.source)
    marks = [line.strip() for line in cell.source.split("\n") if line.strip().startswith("#:")]
    if marks != [OPEN, CLOSE] * (len(marks) // 2) or bool(stub) != bool(marks):
        raise CourseError(f"{stub.name if stub else repr(cell.source[:40])} wants its solution between {OPEN!r} and {CLOSE!r}, "
                          "and no other cell has these marks.")
    if stub is None:
        return new_code_cell(cell.source, metadata=tags)
    book = {"book": {"exercise": stub.name, "stub": fingerprint(stub.blank)}}
    return new_code_cell(source(stub), metadata=tags | book)


def identify(cells: list[NotebookNode]) -> None:
    """Ids that stay when other cells change: an exercise's name, otherwise a hash of the text."""
    seen = Counter()
    for cell in cells:
        name = cell.metadata.get("book", {}).get("exercise", "")
        own = re.sub(r"[^\w-]", "-", name) or hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[own] += 1
        cell.id = own if seen[own] == 1 else f"{own}-{seen[own]}"


def letters(meanings: dict[str, tuple[str, str]]) -> str:
    """The table of letters, their shapes and meanings."""
    rows = ["| `{}` | `{}` | {} |".format(*(field.replace("|", r"\|") for field in (letter, shape, meaning)))
            for letter, (shape, meaning) in meanings.items()]
    return "\n".join(["## Letters", "",
                      "One letter means one thing in this chapter, and functions take their arguments in this order.", "",
                      "| letter | shape | meaning |", "|---|---|---|", *rows])
