"""A notebook for `otter assign`, whose tests are functions (ok_format: false), with the plugin `otter_marks` that gives the marks.

What the format cannot do. Otter runs a submission and then its tests in the same process, where a student's cell can make any test pass. So the
plugin marks the submission before it is run and hands otter a notebook with nothing in it but the marks; where the plugin is missing,
otter stops. There are no public tests, hence no `grader.check` cells: the verdict below a cell says what one would. A test is worth all its
points or none, so there is one for every law that has weight, and otter's sum may differ from ours by a rounding. The hidden tests and the
secret lie in otter's autograder zip: do not give that to students. Written answers are not exported: they need pages of a PDF. Otter's
image for Gradescope (several GB, with conda) was not tried; `book package --gradescope` is smaller.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_raw_cell

from book_utils.course.errors import CourseError
from book_utils.course.grading.assignment import Assignment, Item
from book_utils.course.grading.exports.archive import marking, put, zipped
from book_utils.course.notebook import DISTRIBUTION, dumps, published

PLUGIN = "book_utils.course.grading.exports.otter_marks.Marks"

_CONFIG = '''\
# ASSIGNMENT CONFIG
init_cell: false
check_all_cell: false
export_cell: false
tests:
  ok_format: false
generate:
  show_hidden: true
  force_public_test_summary: false
requirements:
  - {requirement}
autograder_files:
  - {archive}
plugins:
  - {plugin}:
      archive: {archive}
'''

_TEST = '''\
def test_{number}(book_marks):
    held, said = book_marks[{name!r}][{law!r}]
    assert held, said'''


def write(assignment: Assignment, folder: Path) -> str:
    """Write NAME.ipynb and NAME-marking.zip into a folder of their own; a sentence on what to do next."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CourseError(f"{folder} is in use; name a folder that is not there yet.")
    archive = f"{assignment.name}-marking.zip"
    made = dumps(notebook(assignment, archive)).encode()
    put(folder, {f"{assignment.name}.ipynb": made, archive: zipped(marking(assignment))})
    return f"{folder}: there, run `otter assign {assignment.name}.ipynb dist`; dist/student is for students."


def notebook(assignment: Assignment, archive: str) -> NotebookNode:
    """The handout in otter's assign format, with solutions. CourseError if the assignment was made without them."""
    solved = assignment.instructor / f"{assignment.name}_solved.ipynb"
    if not solved.is_file():
        raise CourseError(f"otter assign wants the solutions, and there is no {solved.name}: make the assignment without --no-solutions.")
    answers = {cell.metadata.get("book", {}).get("exercise"): cell.source for cell in nbformat.read(solved, as_version=4).cells}
    items = {item.name: item for item in assignment.items}
    made = nbformat.read(assignment.handout, as_version=4)
    repository, version = published()
    config = _CONFIG.format(archive=archive, plugin=PLUGIN, requirement=f"{DISTRIBUTION} @ git+{repository}@v{version}")
    cells = [_raw("config", config)]
    for cell in made.cells:
        item = items.get(cell.metadata.get("book", {}).get("exercise"))
        cells += [cell] if item is None else _question(item, cell, answers[item.name])
    made.cells = cells
    return made


def _question(item: Item, stub: NotebookNode, answer: str) -> Iterator[NotebookNode]:
    """The cells of one exercise: what students get, the solution, and a test for every law that has weight."""
    name = re.sub(r"\W", "_", item.name)
    yield _raw(f"{name}-question", f"# BEGIN QUESTION\nname: {name}\ncheck_cell: false")
    yield _raw(f"{name}-solution", "# BEGIN SOLUTION")
    yield NotebookNode(stub, source=split(stub.source, answer))
    yield _raw(f"{name}-solution-end", "# END SOLUTION")
    yield _raw(f"{name}-tests", "# BEGIN TESTS")
    total = sum(item.weights.values())
    for number, (law, weight) in enumerate((law, weight) for law, weight in item.weights.items() if weight):
        points = f'""" # BEGIN TEST CONFIG\npoints: {item.points * weight / total!r}\nhidden: true\n""" # END TEST CONFIG\n'
        yield new_code_cell(points + _TEST.format(number=number, name=item.name, law=law), id=f"{name}-{number}"[-64:])
    yield _raw(f"{name}-tests-end", "# END TESTS")
    yield _raw(f"{name}-end", "# END QUESTION")


def split(blank: str, solved: str) -> str:
    """A solution in which otter knows the lines to take away, and those to put in their place."""
    before, after = blank.split("\n"), solved.split("\n")
    start = next(i for i, (one, other) in enumerate(zip(before, after)) if one != other)
    end = next(i for i, (one, other) in enumerate(zip(reversed(before), reversed(after))) if one != other)
    end = min(end, len(before) - start, len(after) - start)
    given, hidden, last = before[start : len(before) - end], after[start : len(after) - end], before[len(before) - end :]
    indent = " " * min(len(line) - len(line.lstrip()) for line in (*given, *hidden) if line.strip())
    marks = [f'{indent}""" # BEGIN PROMPT', *given, f'{indent}""" # END PROMPT', f"{indent}# BEGIN SOLUTION NO PROMPT", *hidden, f"{indent}# END SOLUTION"]
    return "\n".join(before[:start] + marks + last)


def _raw(name: str, source: str) -> NotebookNode:
    return new_raw_cell(source, id=name[-64:])
