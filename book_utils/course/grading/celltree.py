"""What can be imported in a cell: the course's tools and, of the kernels, the few that the exercises allow. No solution, no law, no other kernel."""

import ast
import compileall
from collections.abc import Iterable
from pathlib import Path

from book_utils.course import guard
from book_utils.course.catalog import Chapter

_COURSE = ("wire", "guard", "sentences", "errors", "transport", "exercises", "catalog")
_GRADING = ("walls", "cell")
_LIGHT = '''\
"""The names that a lesson imports, as far as marks need them."""

import importlib

_MODULES = {modules!r}


def __getattr__(name):
    if name.startswith("__") or name in _MODULES:
        raise AttributeError(name)
    guard, cell = (importlib.import_module(f"book_utils.course.{{module}}") for module in ("guard", "grading.cell"))
    return {{"exercise": cell.exercise, "derivation": cell.derivation, "todo": guard.todo}}.get(name, cell.NOTHING)
'''
_CLOSED = '''\
"""Not at hand while marks are given."""


def __getattr__(name):
    from book_utils.course.grading.cell import closed

    return closed({module!r}, name)
'''


def build(package: Path, chapter: Chapter, allowed: Iterable[tuple[str, str]], folder: Path) -> None:
    """Write the tree into `folder`: from the package at `package`, with dummies of the chapter's modules and the `allowed` (module, function)."""
    kernels = {path.stem: path for path in sorted(package.glob("*.py")) if path.stem not in guard.TOOLS and path.stem != "__init__"}
    books = folder / "book_utils"
    for part in ("", "course", "course/grading"):
        (books / part).mkdir(parents=True)
    for name in ("__init__", *sorted(guard.TOOLS)):
        _copy(package / f"{name}.py", books / f"{name}.py")
    for name in _COURSE:
        _copy(package / "course" / f"{name}.py", books / "course" / f"{name}.py")
    for name in _GRADING:
        _copy(package / "course" / "grading" / f"{name}.py", books / "course" / "grading" / f"{name}.py")
    (books / "course" / "__init__.py").write_text(_LIGHT.format(modules=(*_COURSE, "grading")), encoding="utf-8")
    (books / "course" / "grading" / "__init__.py").write_text("", encoding="utf-8")
    opened = _closure(kernels, allowed)
    for name, path in kernels.items():
        text = _CLOSED.format(module=name)
        if name in opened:
            text = _part(path.read_text(encoding="utf-8"), opened[name]) + "\n\n" + text
        (books / path.name).write_text(text, encoding="utf-8")
    lessons = folder / "chapters" / chapter.folder.name
    lessons.mkdir(parents=True)
    (folder / "chapters" / "__init__.py").write_text(_CLOSED.format(module="chapters"), encoding="utf-8")
    for path in chapter.folder.glob("*.py"):
        if not path.stem.startswith(("lesson", "checks")):
            (lessons / path.name).write_text(_CLOSED.format(module=chapter.folder.name), encoding="utf-8")
    compileall.compile_dir(folder, quiet=2)


def imports(chapter: Chapter) -> list[tuple[str, frozenset[str]]]:
    """The lesson's imports, one by one, each with the names that it binds."""
    found = {}
    for path in chapter.lesson_files:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for alias in node.names if isinstance(node, (ast.Import, ast.ImportFrom)) else ():
                one = ast.Import([alias]) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, [alias], node.level)
                found[ast.unparse(one)] = frozenset({(alias.asname or alias.name).partition(".")[0]})
    return list(found.items())


def _copy(source: Path, target: Path) -> None:
    if source.exists():
        target.write_bytes(source.read_bytes())


def _closure(kernels: dict[str, Path], allowed: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """The allowed functions and whatever of the kernels they use, by module."""
    opened: dict[str, set[str]] = {}
    queue = [pair for pair in allowed if pair[0] in kernels]
    while queue:
        module, name = queue.pop()
        if name in opened.setdefault(module, set()):
            continue
        opened[module].add(name)
        tree = ast.parse(kernels[module].read_text(encoding="utf-8"))
        defined = _defined(tree)
        if name not in defined:
            continue
        used = {n.id for n in ast.walk(defined[name]) if isinstance(n, ast.Name)}
        attributes = {(n.value.id, n.attr) for n in ast.walk(defined[name]) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)}
        queue += [(module, other) for other in used if other in defined]
        for node in tree.body:
            for alias in node.names if isinstance(node, ast.ImportFrom) else ():
                bound = alias.asname or alias.name
                if node.module == "book_utils" and alias.name in kernels:
                    queue += [(alias.name, attribute) for base, attribute in attributes if base == bound]
                elif node.module and node.module.startswith("book_utils.") and node.module.partition(".")[2] in kernels and bound in used:
                    queue.append((node.module.partition(".")[2], alias.name))
    return opened


def _defined(tree: ast.Module) -> dict[str, ast.stmt]:
    """Names that a module defines at its top level, with the statement that does."""
    found: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            for target in ast.walk(node):
                if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store):
                    found[target.id] = node
    return found


def _part(source: str, names: set[str]) -> str:
    """The imports of a module and the statements that define `names`."""
    tree = ast.parse(source)
    kept = {id(node) for name, node in _defined(tree).items() if name in names}
    body = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom)) or id(node) in kept]
    return "\n\n".join(ast.unparse(node) for node in body)
