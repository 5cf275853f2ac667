"""Answers checked without a notebook: a Python file, or the exercise cells of a saved notebook."""

import ast
import linecache
import sys
import tokenize
from dataclasses import dataclass
from pathlib import Path

from book_utils.course import catalog, guard, workspace
from book_utils.course.checking import Verdict
from book_utils.course.errors import CourseError
from book_utils.course.exercises import namespace
from book_utils.course.sentences import sentence
from book_utils.course.session import SESSION

_TOOLS = """\
import jax, jax.numpy as jnp, numpy as np
from book_utils.course import derivation, exercise, hint, lesson, show, solution, todo, yours
"""


@dataclass(frozen=True)
class Checked:
    """The verdicts on the exercises that a file answers, and a sentence on what is wrong with the file itself, or ""."""

    verdicts: list[Verdict]
    trouble: str = ""

    @property
    def hold(self) -> bool:
        """Whether the file is sound and everything in it holds."""
        return not self.trouble and all(v.status == "HOLDS" for v in self.verdicts)


def check_file(path: Path) -> Checked:
    """Run a file with the names of the course and of its chapters at hand, and say the verdict on every exercise in it.

    CourseError where there is no such file, or it is neither .py nor .ipynb, or a notebook that cannot be read.
    """
    if not path.is_file():
        raise CourseError(f"There is no file {path}.")
    if path.suffix == ".ipynb":
        pieces = _cells(path)
    elif path.suffix == ".py":
        pieces, trouble = _file(path)
        if trouble:
            return Checked([], trouble)
    else:
        raise CourseError(f"{path} is neither a Python file (.py) nor a notebook (.ipynb).")
    names = list(dict.fromkeys(name for _, source in pieces for name in workspace.declared(source)))
    if not names:
        return Checked([], f'{path} has no exercise, that is no function under a line like @exercise("ch02.encode").')
    space = _space(names, path)
    SESSION.defer = True
    sys.path.insert(0, str(path.parent.absolute()))
    try:
        trouble = next(filter(None, (_run(file, source, space) for file, source in pieces)), "")
        _settle()
    finally:
        SESSION.defer = False
        sys.path.pop(0)
    found = {name: SESSION.answers[name].verdict for name in names if name in SESSION.answers}
    if unknown := [name for name in names if name not in found]:
        trouble = trouble or f"{path} answers {' and '.join(unknown)}, which the course does not have."
    if unreached := [name for name, verdict in found.items() if verdict is None]:
        trouble = trouble or f"{path} ends before {' and '.join(unreached)}."
    return Checked([verdict for verdict in found.values() if verdict is not None], trouble)


def _file(path: Path) -> tuple[list[tuple[str, str]], str]:
    """A Python file as (name, source), or a sentence on why it is none."""
    try:
        with tokenize.open(path) as file:
            source = file.read()
        ast.parse(source)
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}," if getattr(error, "lineno", None) else ""
        return [], f"{path}{line} is not Python: {getattr(error, 'msg', None) or 'it is not text'}."
    return [(str(path), source)], ""


def _cells(path: Path) -> list[tuple[str, str]]:
    """The exercise cells of a notebook as (name, source)."""
    sources = [cell["source"] for cell in workspace.read(path)["cells"] if cell["cell_type"] == "code"]
    answers = filter(workspace.declared, sources)
    return [(f"<{path.name}, exercise cell {number}>", source) for number, source in enumerate(answers, start=1)]


def _space(names: list[str], path: Path) -> dict:
    """What the file sees: the course's names, and of every chapter it answers the imports and the other exercises."""
    space: dict = {}
    exec(_TOOLS, space)
    for key in dict.fromkeys(name.partition(".")[0] for name in names):
        try:
            space |= namespace(catalog.chapter(key))
        except CourseError:  # the verdict on the exercise says that it does not exist
            continue
        exec(f"lesson({key!r})", space)
    return space | {"__name__": f"<{path.stem}>", "__file__": str(path)}


def _run(file: str, source: str, space: dict) -> str:
    """Run a piece of source; a sentence on what it raised, or ""."""
    lines = [line + "\n" for line in source.split("\n")]
    linecache.cache[file] = (len(source), None, lines, file)  # verdicts quote lines, and derivations are read
    try:
        exec(compile("".join(SESSION.unparsable(lines)), file, "exec"), space)
    except SystemExit:  # the file ends itself
        pass
    except (Exception, guard.Todo) as error:
        line, trace = None, error.__traceback__
        while trace is not None:
            line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == file else line
            trace = trace.tb_next
        names = [name for name in space if not name.startswith("_")]
        said = "todo() stands outside an exercise" if isinstance(error, guard.Todo) else sentence(error, names)
        return f"{file}, line {line}: {linecache.getline(file, line).strip()} - {said}."
    return ""


def _settle() -> None:
    try:
        SESSION.settle()
    except CourseError:  # strict mode raises what it has just said
        pass
