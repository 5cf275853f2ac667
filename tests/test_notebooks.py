"""notebooks/ is what the build makes from chapters/, and fit for students. That a run prints what is stored, nbval says."""

import re
import statistics
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from book_utils.course import build, catalog, environment, export, standing
from book_utils.course.audit import audit
from book_utils.course.notebook import make

ROOT = Path(__file__).parents[1]
CHAPTERS = catalog.chapters()
each = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.key)


def stored(chapter):
    return nbformat.read(ROOT / "notebooks" / chapter.notebook, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_no_other_notebooks():
    assert {path.name for path in (ROOT / "notebooks").glob("*.ipynb")} == {chapter.notebook for chapter in CHAPTERS}


@each
def test_notebook_is_made_from_its_lesson(chapter):
    change = build.difference(ROOT / "notebooks" / chapter.notebook, make(chapter), parts=("source", "metadata"))
    assert change == "", f"{chapter.notebook} {change}: run `book build {chapter.key}`"


def test_generated_pages_are_up_to_date():
    assert (ROOT / "notebooks" / "errata.md").read_text(encoding="utf-8") == build.errata(CHAPTERS)
    assert (ROOT / "environment.yml").read_text(encoding="utf-8") == environment.text(ROOT / "pyproject.toml")


@each
def test_notebook_is_fit_for_students(chapter):
    notebook = stored(chapter)
    audit(notebook, chapter)
    assert standing.shown(notebook) == dict.fromkeys(chapter.stubs, "NOT STARTED")


@each
def test_cells_are_short(chapter):
    lengths = {cell.id: sum(bool(line.strip()) for line in cell.source.split("\n")) for cell in code(stored(chapter))}
    assert {cell: n for cell, n in lengths.items() if n > 25} == {}
    assert statistics.median(lengths.values()) <= 8


@each
def test_every_picture_has_its_words(chapter):
    for cell in stored(chapter).cells:
        pages = [cell.source] if cell.cell_type == "markdown" else []
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                assert len(output.metadata["image/png"]["alt"].split()) >= 3, cell.id
            assert not {"image/svg+xml", "image/jpeg", "image/gif"} & output.get("data", {}).keys(), cell.id
            pages.append(output.get("data", {}).get("text/html", ""))
        for page in pages:
            assert not re.search(r"!\[\s*\]\(", page), cell.id
            assert all(image.get("alt") for image in BeautifulSoup(page, "html.parser").find_all("img")), cell.id


@each
def test_letters_mean_one_thing_in_one_order(chapter):
    """Every argument of every stub is a letter of the chapter, with its shape and in its place."""
    letters = chapter.facts.LETTERS
    for stub in chapter.stubs.values():
        shapes = {name: stub.shapes.get(name, "key") for name in stub.arguments}  # what has no shape is a random key
        assert shapes.keys() <= letters.keys(), stub.name
        if stub.kind == "exercise":
            assert all(shapes[name] in letters[name][0].split(" or ") for name in shapes), stub.name
        assert stub.arguments == [letter for letter in letters if letter in shapes], stub.name


@each
def test_every_principle_has_an_exercise(chapter):
    named = {principle for exercise in chapter.exercises.values() for principle in exercise.principles}
    assert named == set(chapter.facts.PRINCIPLES)


@each
def test_solved_notebook_holds_everywhere_in_time(chapter):
    notebook, seconds = build.solve(chapter)
    assert standing.shown(notebook) == dict.fromkeys(chapter.stubs, "HOLDS")
    assert not [cell.id for cell in code(notebook) for output in cell.outputs if output.get("name") == "stderr"]
    assert seconds <= 180  # 90 on two quiet cores; here the suite itself occupies them


def test_script_runs_in_plain_python(tmp_path):
    start = CHAPTERS[0]
    path = tmp_path / "start.py"
    path.write_text(export.script(start), encoding="utf-8")
    run = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, encoding="utf-8", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    for name in start.stubs:
        assert f"NOT STARTED  {name}" in run.stdout
