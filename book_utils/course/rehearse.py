"""A chapter executed from top to bottom without a browser, for its verdicts; nothing is written over the student's file."""

from dataclasses import dataclass
from pathlib import Path

from book_utils.course import standing, workspace
from book_utils.course.catalog import Chapter
from book_utils.course.errors import CourseError


@dataclass(frozen=True)
class Rehearsal:
    """What a run of a chapter's notebook showed."""

    verdicts: list[tuple[str, str, str]]  # (exercise, status, sentence), in the notebook's order
    missing: list[str]  # exercises without a verdict: their cell is gone, or did not come to its end
    broken: list[str]  # cells that raised, a sentence each


def source(chapter: Chapter) -> tuple[dict, Path | None]:
    """The notebook to run: the student's copy and its file, or the lesson as it ships and None."""
    path = workspace.copy(chapter)
    return (workspace.read(path), path) if path.exists() else (workspace.lesson(chapter), None)


def rehearse(chapter: Chapter, notebook: dict, folder: Path | None) -> Rehearsal:
    """Run `notebook` in `folder` (a temporary one if None) and read its verdicts.

    A cell that raises does not stop the run; one that does not end, or takes the kernel with it, does: then `broken` says so.
    """
    import nbformat

    from book_utils.course.execute import execute

    notebook["metadata"]["book"] = notebook["metadata"].get("book", {}) | {"chapter": chapter.key}
    try:
        run = execute(nbformat.from_dict(notebook), allow_errors=True, folder=folder)
    except CourseError as error:
        return Rehearsal([], list(chapter.exercises), [str(error)])
    last = {name: (name, status, text) for name, status, text in standing.verdicts(run)}
    broken = [_raised(cell, output) for cell in run.cells for output in cell.get("outputs", []) if output.output_type == "error"]
    return Rehearsal(list(last.values()), [name for name in chapter.exercises if name not in last], broken)


def _raised(cell: dict, error: dict) -> str:
    """The cell as Jupyter numbers it after a full run, and what it raised."""
    first = next((line.strip() for line in cell.source.split("\n") if line.strip() and not line.startswith("#")), "")
    return f"Cell [{cell.execution_count}], `{first[:60]}`, raised {error.ename}: {error.evalue.partition(chr(10))[0][:200]}"
