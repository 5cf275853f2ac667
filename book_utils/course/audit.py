"""What must not reach a student in a built notebook: solutions, errors, warnings, traces of one machine."""

import html
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode

from book_utils.course.catalog import Chapter, Stub
from book_utils.course.errors import CourseError
from book_utils.course.notebook import dumps

LARGEST = 1_500_000  # bytes of a notebook with its outputs

_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")
_HERE = {str(place) for place in (Path(__file__).parents[2], sys.prefix, Path.home(), tempfile.gettempdir()) if str(place) != "/"}
_PATH = re.compile("|".join([r"(?<![\w.:/])/(?:home|Users|root|tmp|usr|opt|var|private|mnt)/", r"\b[A-Z]:\\(?:Users|Program)",
                             "site-packages", *(rf"(?<![\w.:/]){re.escape(place)}\b" for place in sorted(_HERE))]))

# Lines that anybody writes and that give nothing away: brackets, `else:`, `return Z`, `D, N = X.shape`, a plain loop, an import.
_TRIVIAL = re.compile(r"(?:(?:return|yield) )?(?:[\w, ]+ = )?[\w.,\s\[\]:]*|[()\[\]{},:\"' ]*|"
                      r"for \w+ in range\(\w+\):|(?:from|import) .*")


def audit(notebook: NotebookNode, chapter: Chapter) -> None:
    """Pass an executed, unsolved notebook, or raise CourseError naming the first cell that is not fit for students, and why."""
    secrets = {line: stub.name for stub in chapter.stubs.values() for line in _secrets(stub)}
    for cell in notebook.cells:
        where = f"{chapter.notebook}, cell {cell.id}:"
        shown = []
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                raise CourseError(f"{where} ends with {output.ename}: {output.evalue}")
            if output.get("name") == "stderr":
                raise CourseError(f"{where} writes to stderr: {output.text.strip()[:200]}")
            shown += _texts(output)
        for text in shown:
            if found := _ADDRESS.search(text) or _PATH.search(text):
                raise CourseError(f"{where} its output names an address or a path of this machine: {_around(text, found)}")
        for text in (cell.source, *shown):
            text = re.sub(r"[ \t]+", " ", text)
            for line, name in secrets.items():
                # the whole line, neither part of a longer name nor the beginning of a longer expression
                if re.search(rf"(?<![\w.]){re.escape(line)}(?! ?[\w.(\[@*/+-])", text):
                    raise CourseError(f"{where} shows a line of the solution of {name}: {line}")
    size = len(dumps(notebook).encode())
    if size > LARGEST:
        largest = max(notebook.cells, key=lambda cell: len(json.dumps(cell)))
        raise CourseError(f"{chapter.notebook}, cell {largest.id}: the notebook has {size / 1e6:.1f} MB, {LARGEST / 1e6:.1f} MB "
                          "is the most it may have, and most of it is here.")


def _secrets(stub: Stub) -> set[str]:
    """Lines of the solution that the student is not given and that say something."""
    given = {_squeezed(line) for line in stub.blank.split("\n")}
    lines = {_squeezed(line) for line in stub.solution.split("\n")}
    return {line for line in lines - given if not _TRIVIAL.fullmatch(line)}


def _squeezed(line: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"(^|\s)#.*", "", line)).strip()


def _texts(output: NotebookNode) -> Iterator[str]:
    """What an output says in words: no images, HTML without its tags."""
    if output.output_type == "stream":
        yield output.text
    for kind, value in output.get("data", {}).items():
        if kind == "text/html":
            value = html.unescape(re.sub(r"<[^>]*>", "", value))
        if not kind.startswith("image/"):
            yield value if isinstance(value, str) else json.dumps(value)


def _around(text: str, found: re.Match) -> str:
    return repr(text[max(found.start() - 20, 0): found.end() + 20])
