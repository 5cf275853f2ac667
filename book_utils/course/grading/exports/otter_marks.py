"""What runs in otter before a submission is run: the course's own marks, and in the submission's place a notebook that holds them.

Needs otter-grader; only otter imports it. No cell of a student is run in otter's process or in a kernel.
"""

import tempfile
import zipfile
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from otter.plugins import AbstractOtterPlugin

from book_utils.course.grading.assignment import Assignment
from book_utils.course.grading.marking import Marker
from book_utils.course.grading.marks import GRADED, Marked


class Marks(AbstractOtterPlugin):
    """Marks the submission by the assignment in the zip that the autograder carries."""

    def before_execution(self, submission: NotebookNode | str) -> NotebookNode:
        path = Path(self.submission_path)
        with tempfile.TemporaryDirectory(prefix="marking-") as folder:
            with zipfile.ZipFile(path.parent / self.plugin_config["archive"]) as archive:
                archive.extractall(folder)
            (assignment,) = Path(folder).iterdir()
            with Marker(assignment) as marker:
                found = table(marker.assignment, marker.mark(path))
        return new_notebook(cells=[new_code_cell(f"book_marks = {found!r}")], metadata=getattr(submission, "metadata", {}))


def table(assignment: Assignment, marked: Marked) -> dict[str, dict[str, tuple[bool, str]]]:
    """Of every exercise, whether each law counts, and what to say where it does not. Nothing counts where a gate does not hold."""
    marks = {mark.name: mark for mark in marked.marks}
    found = {}
    for item in assignment.items:
        mark = marks[item.name]
        held = {law.law for law in mark.laws if law.held}
        whole = set(item.gates) <= held
        said = mark.text if marked.status == GRADED else f"{marked.reason} {mark.text}"
        found[item.name] = {law: (whole and law in held, f"{law}. {said}") for law in item.weights}
    return found
