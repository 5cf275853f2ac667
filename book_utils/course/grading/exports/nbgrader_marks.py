"""What runs in `nbgrader autograde` in the place of running the notebook: the course's own marks, written into the grade cells.

Needs nbgrader; only nbgrader_config.py of a course folder imports it. No cell of a student is run in nbgrader's process or in a kernel.
"""

import atexit
import tempfile
from pathlib import Path

import nbformat
from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import AssignLatePenalties, CheckCellMetadata, LimitOutput, NbGraderPreprocessor, SaveAutoGrades
from traitlets import Unicode

from book_utils.course.grading.exports.gradescope_run import said
from book_utils.course.grading.exports.nbgrader import grade_id
from book_utils.course.grading.marking import Marker
from book_utils.course.grading.marks import GRADED

_MARKERS: dict[Path, Marker] = {}  # one for every assignment, for all its submissions: starting one takes seconds


class Marks(NbGraderPreprocessor):
    """Gives every grade cell of an exercise the points that it earned, as a number, and the verdict as text."""

    folder = Unicode(help="The folder with what marks are given by: one folder for every assignment.").tag(config=True)

    @staticmethod
    def chain() -> list[type]:
        """nbgrader's own steps, with this one in the place of running the notebook."""
        return [Marks, ClearMetadataPreprocessor, LimitOutput, SaveAutoGrades, AssignLatePenalties, CheckCellMetadata]

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        folder = Path(self.folder) / resources["nbgrader"]["assignment"]
        marker = _MARKERS.get(folder)
        if marker is None:
            marker = _MARKERS[folder] = Marker(folder)
            atexit.register(marker.close)
        cells = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in nb.cells if cell.cell_type == "code"}
        ours = {grade_id(item.name) for item in marker.assignment.items}
        # the grade cells are nbgrader's, so the student's notebook is what is left without them
        left = NotebookNode(nb, cells=[cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade_id") not in ours])
        with tempfile.TemporaryDirectory(prefix="submission-") as alone:
            path = Path(alone) / "submission.ipynb"
            path.write_text(nbformat.writes(left), encoding="utf-8")
            marked = marker.mark(path)
        for mark in marked.marks:
            if cell := cells.get(grade_id(mark.name)):
                reason = "" if marked.status == GRADED else f"{marked.reason}\n"
                cell.outputs = [new_output("stream", name="stdout", text=f"{reason}{said(mark)}\n"),
                                new_output("execute_result", data={"text/plain": repr(float(mark.points))}, execution_count=None)]
        return nb, resources
