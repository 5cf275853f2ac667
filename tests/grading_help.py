"""A small assignment and submissions to it."""

import json
from pathlib import Path

from nbformat.v4 import new_code_cell, new_notebook

from book_utils.course import catalog
from book_utils.course.grading import assignment, freeze
from book_utils.course.grading.weights import rules

SECRET = "5e" * 32


def make(folder: Path, names: list[str], points: float = 10.0, variants: dict[str, str] = {}) -> assignment.Assignment:
    """An assignment of the exercises `names` (all of one chapter), each worth `points`."""
    chapter = catalog.chapter(names[0].partition(".")[0])
    (folder / "instructor").mkdir(parents=True)
    freeze.freeze(chapter, folder / "instructor" / "frozen")
    items = []
    for name in names:
        exercise, variant = chapter.exercises[name], variants.get(name, "")
        items.append(assignment.Item(name, exercise.title, points, freeze.revision(chapter, exercise.stub), *rules(exercise, variant), variant))
    digest = assignment.digest(folder / "instructor" / "frozen")
    made = assignment.Assignment(folder.name, "Homework", chapter.key, "0", digest, SECRET, tuple(items), folder=folder)
    (folder / "instructor" / "assignment.json").write_text(assignment.dumps(made), encoding="utf-8")
    cells = [f'lesson("{chapter.key}")', "show(1)", *(chapter.stubs[name].blank for name in names)]
    write(folder / f"{folder.name}.ipynb", *cells)
    return made


def write(path: Path, *cells: str) -> Path:
    """A notebook of code cells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(new_notebook(cells=[new_code_cell(cell) for cell in cells])), encoding="utf-8")
    return path
