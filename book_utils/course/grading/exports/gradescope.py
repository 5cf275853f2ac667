"""A zip for Gradescope's autograder: setup.sh, run_autograder, the frozen checks and pinned requirements. No conda, no image of its own.

What the format cannot do. The secret lies in the container in which students' code runs: only the walls of `sandbox` keep the two apart, and
a container rarely allows namespaces, so look into the first results for which walls stood. Students who may submit as often as they like
see their points each time and can climb by trying; limit submissions in Gradescope. Written answers are not in results.json: make them
manual questions. Gradescope itself applies dates; `late` of the assignment is not heeded. The smallest container (0.5 CPU, 0.75 GB)
is too small for JAX twice; take 1 CPU and 1.5 GB or more.
"""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

from book_utils.course.errors import CourseError
from book_utils.course.grading.assignment import Assignment
from book_utils.course.grading.exports.archive import marking, replace, zipped
from book_utils.course.notebook import DISTRIBUTION

_PERSONAL = {"jupyterlab", "ipywidgets", "nbconvert"}  # what only people need
_RUNNER = "book_utils.course.grading.exports.gradescope_run"

_SETUP = '''\
#!/usr/bin/env bash
# Run once, when Gradescope builds the image: the Python with which this assignment was made, and pinned packages from PyPI.
set -euo pipefail
apt-get update -qq
apt-get install -y -qq python3-venv
apt-get install -y -qq bubblewrap || true  # a better wall, where there is one
python3 -m venv /opt/uv
/opt/uv/bin/python -m pip install --quiet uv
export UV_PYTHON_INSTALL_DIR=/opt/python
/opt/uv/bin/uv venv --quiet --python {python} /opt/book
/opt/uv/bin/uv pip install --quiet --python /opt/book/bin/python --no-deps -r /autograder/source/requirements.txt
'''

_RUN = '''\
#!/usr/bin/env bash
# Run for every submission. Both variables are for trying it elsewhere.
root="${{AUTOGRADER_ROOT:-/autograder}}"
export BOOK_DATASETS="$root/source/datasets" PYTHONPATH="$root/source/{name}/instructor/frozen" PYTHONDONTWRITEBYTECODE=1
exec "${{AUTOGRADER_PYTHON:-/opt/book/bin/python}}" -P -m {runner} "$root" "$root/source/{name}"
'''


def write(assignment: Assignment, path: Path) -> str:
    """Write the zip; a sentence on what to do with it."""
    if path.suffix != ".zip":
        raise CourseError(f"{path} should end in .zip: it is what you upload to Gradescope.")
    files = marking(assignment)
    if f"{assignment.name}/instructor/frozen/{_RUNNER.replace('.', '/')}.py" not in files:
        raise CourseError(f"{assignment.name} was made by a version of the course that knows no Gradescope; make it anew with `book assign`.")
    for data in sorted((Path(__file__).parents[3] / "datasets").glob("*.npz")):
        files[f"datasets/{data.name}"] = data.read_bytes()
    files["requirements.txt"] = "".join(f"{pin}\n" for pin in pins()).encode()
    files["setup.sh"] = _SETUP.format(python="{}.{}".format(*sys.version_info)).encode()
    files["run_autograder"] = _RUN.format(name=assignment.name, runner=_RUNNER).encode()
    replace(path, zipped(files, run=("setup.sh", "run_autograder")))
    return f"{path}: upload it as the autograder of a programming assignment, {sum(item.points for item in assignment.items):g} points."


def pins() -> list[str]:
    """Everything that marks need, as it is installed here: name==version."""
    found: dict[str, str] = {}
    queue = list(_needs(DISTRIBUTION))
    while queue:
        name = queue.pop()
        if name in found or name in _PERSONAL:
            continue
        try:
            found[name] = distribution(name).version.partition("+")[0]
        except PackageNotFoundError:
            raise CourseError(f"{name} is not installed here, so its version cannot be pinned; `book doctor` says what to do.") from None
        queue += _needs(name)
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def _needs(name: str) -> Iterator[str]:
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield re.sub(r"[-_.]+", "-", requirement.name).lower()
