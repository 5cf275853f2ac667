"""Where the chapters are and what their lessons contain, read from their text without running it."""

import ast
import functools
import importlib
import json
import os
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from book_utils.course.errors import CourseError, nearest

OPEN, CLOSE = "#: solution", "#: end"
FIRST = ("start", "primer")  # then the chapters in order of their keys


@dataclass(frozen=True)
class Stub:
    """One exercise cell of a lesson."""

    name: str  # "ch02.encode"
    function: str  # "encode"
    kind: str  # "exercise" or "derivation"
    cell: str  # as the author wrote it

    @property
    def blank(self) -> str:
        """The cell as a student gets it."""
        return blank(self.cell)

    @property
    def solved(self) -> str:
        """The cell with the solution and without the marks around it."""
        return solved(self.cell)

    @functools.cached_property
    def solution(self) -> str:
        """The lines between the marks, as they stand (indented)."""
        lines, inside = [], False
        for line in self.cell.split("\n"):
            mark = line.strip()
            if mark in (OPEN, CLOSE):
                inside = mark == OPEN
            elif inside:
                lines.append(line)
        return "\n".join(lines)

    @functools.cached_property
    def tree(self) -> ast.FunctionDef:
        """The function's syntax tree (solved form)."""
        return next(node for node in ast.parse(self.solved).body if _declares(node))

    @property
    def arguments(self) -> list[str]:
        """Names of the function's arguments, in order."""
        return [a.arg for a in self.tree.args.args]

    @property
    def shapes(self) -> dict[str, str]:
        """Annotation of every argument, and of the result under "return", as text."""
        found = {a.arg: a.annotation for a in self.tree.args.args} | {"return": self.tree.returns}
        return {name: node.value if isinstance(node, ast.Constant) else ast.unparse(node) for name, node in found.items() if node}

    @property
    def doc(self) -> str:
        """The function's docstring."""
        return ast.get_docstring(self.tree) or ""

    def patched(self, old: str, new: str) -> str:
        """The solved cell with `old` replaced by `new` inside the solution, where `old` must stand exactly once."""
        found = self.solution.count(old)
        if found != 1:
            raise CourseError(f"{self.name}: the patch {old!r} matches {found} times in the solution; it must match once.")
        return self.solved.replace(self.solution, self.solution.replace(old, new), 1)


@dataclass(frozen=True)
class Chapter:
    """A folder of `chapters/`: a lesson, its exercises and the facts in its `__init__`."""

    key: str
    folder: Path
    facts: ModuleType

    @property
    def title(self) -> str:
        return self.facts.TITLE

    @property
    def notebook(self) -> str:
        """File name of the notebook made from this chapter."""
        return f"{self.folder.name}.ipynb"

    @property
    def lesson_files(self) -> list[Path]:
        return sorted(self.folder.glob("lesson*.py"))

    @functools.cached_property
    def stubs(self) -> dict[str, Stub]:
        """Exercise cells by name, in the lesson's order."""
        stubs = {}
        for path in self.lesson_files:
            for cell in re.split(r"^# %%.*$", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
                if stub := parse(cell.strip("\n")):
                    if stub.name in stubs:
                        raise CourseError(f"{path.name}: {stub.name} stands twice.")
                    stubs[stub.name] = stub
        return stubs

    @functools.cached_property
    def exercises(self) -> dict[str, object]:
        """Exercises by name, in the lesson's order; each knows its stub and those before it."""
        found = {}
        for path in sorted(self.folder.glob("checks*.py")):
            module = importlib.import_module(f"{self.facts.__name__}.{path.stem}")
            for value in vars(module).values():
                if hasattr(value, "own_laws") and value.name not in found:
                    found[value.name] = value
        if found.keys() != self.stubs.keys():
            raise CourseError(f"{self.key}: lesson and checks disagree about {', '.join(sorted(found.keys() ^ self.stubs.keys()))}.")
        earlier = []
        for name, stub in self.stubs.items():
            found[name].attach(stub, self, tuple(earlier))
            earlier.append(name)
        return {name: found[name] for name in self.stubs}


def blank(cell: str) -> str:
    """A cell with what stands between the marks replaced by `todo()`, or by `yield ...` in a derivation."""
    lines, inside = [], False
    hole = "yield ..." if "@derivation(" in cell else "todo()"
    for line in cell.split("\n"):
        mark = line.strip()
        if mark == OPEN:
            lines.append(line.replace(OPEN, hole))
            inside = True
        elif mark == CLOSE:
            inside = False
        elif not inside:
            lines.append(line)
    return "\n".join(lines)


def solved(cell: str) -> str:
    """A cell without the lines that mark its solution."""
    return "\n".join(line for line in cell.split("\n") if line.strip() not in (OPEN, CLOSE))


def _declares(node: ast.AST) -> tuple[str, str] | None:
    """(kind, exercise name) of a function decorated with @exercise("...") or @derivation("...")."""
    for d in getattr(node, "decorator_list", []):
        if isinstance(d, ast.Call) and isinstance(d.func, ast.Name) and d.func.id in ("exercise", "derivation") and d.args:
            return d.func.id, ast.literal_eval(d.args[0])
    return None


def parse(cell: str) -> Stub | None:
    """The exercise that a cell declares, if it declares one."""
    if "@exercise(" not in cell and "@derivation(" not in cell:
        return None
    try:
        body = ast.parse(solved(cell)).body
    except SyntaxError:  # a student's cell, half written: the name is all there is to know
        match = re.search(r"^@(exercise|derivation)\(\s*['\"]([\w.]+)['\"]", cell, flags=re.MULTILINE)
        return Stub(match[2], match[2].rpartition(".")[2], match[1], cell) if match else None
    for node in body:
        if declared := _declares(node):
            return Stub(declared[1], node.name, declared[0], cell)
    return None


def call_function(source: str, name: str, namespace: dict) -> object:
    """Run `source` (an exercise cell without its decorator) in `namespace` and return its function `name`."""
    source = re.sub(r"^@(exercise|derivation)\(.*\)$", "", textwrap.dedent(source), flags=re.MULTILINE)
    exec(compile(source, f"<{name}>", "exec"), namespace)
    return namespace[name]


@functools.cache
def chapters() -> tuple[Chapter, ...]:
    """Every chapter: start, primer, then by key. A folder named by BOOK_CHAPTERS adds chapters of your own."""
    package = importlib.import_module("chapters")
    if (more := os.environ.get("BOOK_CHAPTERS")) and more not in package.__path__:
        package.__path__.append(more)
    found = []
    for folder in (f for root in package.__path__ for f in sorted(Path(root).iterdir())):
        if (folder / "__init__.py").exists():
            facts = importlib.import_module(f"chapters.{folder.name}")
            found.append(Chapter(facts.KEY, folder, facts))
    return tuple(sorted(found, key=lambda c: (FIRST.index(c.key) if c.key in FIRST else len(FIRST), c.key)))


def chapter(key: str) -> Chapter:
    """The chapter called `key`; CourseError with the nearest names otherwise."""
    for found in chapters():
        if key in (found.key, found.folder.name, found.notebook):
            return found
    raise nearest(key, [c.key for c in chapters()], "chapter")


def exercise(name: str) -> object:
    """The exercise called `name`, wherever it is; CourseError with the nearest names otherwise."""
    key = name.partition(".")[0]
    for found in chapters():
        if found.key == key and name in found.exercises:
            return found.exercises[name]
    raise nearest(name, [n for c in chapters() for n in c.stubs], "exercise")


@functools.cache
def labels() -> dict[str, dict[str, str]]:
    """Printed number and page of every label of the book, version 2."""
    root = Path(importlib.import_module("chapters").__file__).parent
    return json.loads((root / "labels.json").read_text(encoding="utf-8"))
