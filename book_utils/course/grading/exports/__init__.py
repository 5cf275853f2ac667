"""An assignment in the form that an institution's own system takes: `book package`.

    archive.py                        files of an assignment that marks need, as a zip that is the same for the same assignment
    gradescope.py, gradescope_run.py  a zip for Gradescope, and what runs there
    nbgrader.py, nbgrader_marks.py    a course folder for nbgrader, and the preprocessor that marks in it
    otter.py, otter_marks.py          a notebook for `otter assign`, and the plugin that marks in `otter run` and on Gradescope

In all three the marks are those of `book grade`: the frozen checks, secret inputs, the student's code behind walls in a process of its
own, and the points of the assignment. The systems bring the rest (who submitted, when, what being late costs), each in its own way.
"""

from pathlib import Path

from book_utils.course.errors import CourseError
from book_utils.course.grading.assignment import load


def package(folder: Path, gradescope: Path | None = None, nbgrader: Path | None = None, otter: Path | None = None) -> list[str]:
    """Write the packages that a path is given for; a sentence on each. CourseError, and that package is not written, where it cannot be."""
    from book_utils.course.grading.exports import gradescope as zipped
    from book_utils.course.grading.exports import nbgrader as tree
    from book_utils.course.grading.exports import otter as master

    asked = [(writer, path) for writer, path in ((zipped.write, gradescope), (tree.write, nbgrader), (master.write, otter)) if path is not None]
    if not asked:
        raise CourseError("Say which: --gradescope FILE.zip, --nbgrader FOLDER or --otter FOLDER.")
    assignment = load(folder)
    if not assignment.items:
        raise CourseError(f"{assignment.name} has written questions only: there is nothing that a machine could mark.")
    if not assignment.handout.is_file():
        raise CourseError(f"{assignment.handout} is missing; take it from your backup.")
    return [writer(assignment, path) for writer, path in asked]
