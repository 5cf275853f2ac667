"""Files of an assignment that marks need, and a zip that is the same for the same files."""

import io
import os
import zipfile
from pathlib import Path

from book_utils.course.errors import CourseError
from book_utils.course.grading.assignment import Assignment

_DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip knows


def marking(assignment: Assignment) -> dict[str, bytes]:
    """What marks are given by, in a folder named like the assignment: the handout, the record with its secret, the frozen checks."""
    paths = [assignment.handout, assignment.instructor / "assignment.json"]
    paths += [path for path in sorted(assignment.frozen.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    return {f"{assignment.name}/{path.relative_to(assignment.folder).as_posix()}": path.read_bytes() for path in paths}


def zipped(files: dict[str, bytes], run: tuple[str, ...] = ()) -> bytes:
    """A zip of these files, of which those in `run` can be run."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system, entry.compress_type = 3, zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if name in run else 0o100644) << 16
            archive.writestr(entry, content)
    return whole.getvalue()


def put(folder: Path, files: dict[str, bytes]) -> None:
    """Write the files into a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, content)


def replace(path: Path, content: bytes) -> None:
    """Write a file whole, or leave what is there."""
    if not path.absolute().parent.is_dir():
        raise CourseError(f"There is no folder {path.parent} for {path.name}.")
    if path.is_dir():
        raise CourseError(f"{path} is a folder; a file is to be written there.")
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(content)
    os.replace(beside, path)
