"""A course folder for nbgrader: source/NAME/, marking/NAME/ (for `nbgrader_marks`, never released) and nbgrader_config.py.

What the format cannot do. nbgrader runs a notebook and looks at the outputs of its grade cells: a cell that raises nothing and ends in no number
earns everything, one that writes to stderr earns nothing, and a student's cell that runs before can make any test pass. So here no
test stands in the notebook: nbgrader_config.py puts `Marks` in the place of running it, and the grade cells raise where that is not in
use. nbgrader stores what OverwriteCells and its database hold, so whoever can write into gradebook.db or marking/ can set marks: keep
the course folder from students. `nbgrader validate` says nothing to students (the verdicts below their cells do). Written answers are
marked in formgrader, without pseudonyms. Late penalties are nbgrader's own: `late` of the assignment is not heeded.
"""

from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from book_utils.course.errors import CourseError
from book_utils.course.grading.assignment import Assignment
from book_utils.course.grading.exports.archive import marking, put
from book_utils.course.notebook import dumps

_CONFIG = '''\
# Written by `book package --nbgrader`. If you have a configuration of your own, it needs these lines.
from pathlib import Path

from book_utils.course.grading.exports.nbgrader_marks import Marks

c = get_config()  # noqa: F821 - nbgrader gives it
c.Autograde.autograde_preprocessors = Marks.chain()
c.Marks.folder = str(Path(__file__).resolve().parent / "marking")
c.OverwriteCells.add_missing_cells = True  # a grade cell that a student deleted comes back
'''

_GRADE = '''\
# {points} for {name}, given after you submit. Leave this cell as it is.
### BEGIN HIDDEN TESTS
raise RuntimeError("Nothing was marked: nbgrader ran this notebook without nbgrader_config.py of this course folder.")
### END HIDDEN TESTS'''


def write(assignment: Assignment, folder: Path) -> str:
    """Add the assignment to a course folder, which is made if it is not there; a sentence on what to do next."""
    source = folder / "source" / assignment.name
    if folder.exists() and not folder.is_dir():
        raise CourseError(f"{folder} is not a folder; nbgrader wants one for the course.")
    if source.exists():
        raise CourseError(f"{source} is there already; remove it and marking/{assignment.name} to write it anew.")
    config = folder / "nbgrader_config.py"
    own = config.is_file() and "Marks.chain()" not in config.read_text(encoding="utf-8")
    if own:
        raise CourseError(f"{config} is not ours. Without `Marks.chain()` nothing would be marked: write into an empty folder and copy its lines.")
    files = {f"marking/{name}": content for name, content in marking(assignment).items()}
    files[f"source/{assignment.name}/{assignment.name}.ipynb"] = dumps(notebook(assignment)).encode()
    if not config.exists():
        files[config.name] = _CONFIG.encode()
    put(folder, files)
    return f"{folder}: there, run `nbgrader generate_assignment {assignment.name}`, later `nbgrader autograde {assignment.name}`."


def notebook(assignment: Assignment) -> NotebookNode:
    """The handout with a grade cell after every exercise, and its written answers as cells to be marked by hand."""
    made = nbformat.read(assignment.handout, as_version=4)
    items = {item.name: item for item in assignment.items}
    questions = {question.name: question for question in assignment.questions}
    cells = []
    for cell in made.cells:
        cells.append(cell)
        about = cell.metadata.get("book", {})
        if item := items.get(about.get("exercise")):
            points = "1 point" if item.points == 1 else f"{item.points:g} points"
            cells.append(new_code_cell(_GRADE.format(points=points, name=item.name), id=f"marks-{grade_id(item.name)}"[:64],
                                       metadata={"nbgrader": _facts(item.name, item.points, locked=True)}))
        if question := questions.get(about.get("question")):
            cell.metadata["nbgrader"] = _facts(question.name, question.points, locked=False)
    made.cells = cells
    return made


def grade_id(name: str) -> str:
    """What nbgrader calls an exercise or a question: letters, digits, - and _."""
    return name.replace(".", "-")


def _facts(name: str, points: float, locked: bool) -> dict:
    return {"schema_version": 3, "grade_id": grade_id(name), "grade": True, "points": points, "locked": locked, "solution": not locked,
            "task": False}
