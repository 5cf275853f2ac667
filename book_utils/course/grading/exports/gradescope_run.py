"""What runs on Gradescope: marks the one notebook in ROOT/submission and writes ROOT/results/results.json."""

import json
import sys
from pathlib import Path

from book_utils.course.errors import CourseError
from book_utils.course.grading.exports.archive import replace
from book_utils.course.grading.marking import Marker
from book_utils.course.grading.marks import GRADED, Mark


def results(root: Path, folder: Path) -> dict:
    """The record that Gradescope reads. CourseError where the assignment cannot be used: that is no student's fault, so there is no mark."""
    notebooks = sorted(path for path in (root / "submission").rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
    if len(notebooks) != 1:
        return {"score": 0, "output": f"Submit one notebook, the one that you were given; {len(notebooks)} were found."}
    with Marker(folder) as marker:
        marked = marker.mark(notebooks[0])
    said = "" if marked.status == GRADED else f"{marked.reason} "
    return {"output": f"{said}Walls around the code: {', '.join(marked.walls) or 'it was not run'}.", "tests": [test(mark) for mark in marked.marks]}


def test(mark: Mark) -> dict:
    """An exercise as Gradescope shows it."""
    return {"name": mark.name, "score": mark.points, "max_score": mark.of, "output": said(mark), "output_format": "text",
            "visibility": "visible"}


def said(mark: Mark) -> str:
    """A mark in words: the sentence, the laws, and the hint for a familiar mistake. No secret input."""
    lines = [mark.text or f"{mark.status}  {mark.name}"]
    lines += [f"{'holds' if held.held else 'does not hold'}: {held.law}" for held in mark.laws]
    return "\n".join(lines + [mark.hint] * bool(mark.hint))


def main() -> int:
    root, folder = map(Path, sys.argv[1:3])
    try:
        found = results(root, folder)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 2
    (root / "results").mkdir(exist_ok=True)
    replace(root / "results" / "results.json", json.dumps(found, indent=1).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
