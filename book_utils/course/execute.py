"""Notebooks run without a browser, on the Python that runs the course."""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import nbformat
from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from book_utils.course.errors import CourseError
from book_utils.course.threads import ONE_BLAS_THREAD


class _ThisPython(KernelSpecManager):
    """Knows one kernel, the running interpreter, whatever is installed or not installed for the user."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())


class _Client(NotebookClient):
    def create_kernel_manager(self) -> AsyncKernelManager:
        connection = os.path.join(self.resources["temporary"], "kernel.json")
        self.km = AsyncKernelManager(kernel_spec_manager=_ThisPython(), connection_file=connection)
        return self.km


def execute(notebook: Path | NotebookNode, *, allow_errors: bool = False, timeout: int = 600,
            env: Mapping[str, str | None] | None = None, folder: Path | None = None) -> NotebookNode:
    """The notebook with the outputs of a fresh run, in one form: no times, counts from 1, neighbouring streams as one.

    notebook: a file, or a notebook, which is not changed. timeout: seconds that one cell may take. env: environment
    variables to set for the run, or with None to remove. folder: where the cells run; an empty temporary folder if None.
    Raises CourseError naming the cell when one fails (unless allow_errors) or takes too long, and when the kernel dies.
    """
    import matplotlib.font_manager  # noqa: F401  on a new machine this looks for fonts, and a kernel would say so on stderr

    if isinstance(notebook, Path):
        name, run = notebook.name, nbformat.read(notebook, as_version=4)
    else:
        name, run = notebook.metadata.book.chapter, nbformat.from_dict(notebook)
    metadata, reached = nbformat.from_dict(run.metadata), []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        cells = Path(temporary, "cells")
        cells.mkdir()
        # nothing of the user's own takes part: neither IPython's settings and history nor a registered kernel
        variables = ONE_BLAS_THREAD | os.environ | {"IPYTHONDIR": os.path.join(temporary, "ipython")} | dict(env or {})
        client = _Client(run, timeout=timeout, allow_errors=allow_errors, record_timing=False, store_widget_state=False,
                         resources={"metadata": {"path": str(folder or cells)}, "temporary": temporary},
                         on_cell_execute=lambda cell, cell_index: reached.append(cell.get("id", cell_index)))
        try:
            # what cells write to stderr is an output; the kernel's own remarks are not for the reader
            client.execute(env={key: value for key, value in variables.items() if value is not None}, stderr=subprocess.DEVNULL)
        except CellExecutionError as error:
            problem = f"{error.ename}: {error.evalue}"
        except CellTimeoutError:
            problem = f"not done after {timeout} seconds"
        except (DeadKernelError, RuntimeError):  # the latter when it died before the first cell
            problem = "Python died, perhaps for want of memory"
        else:
            run.metadata = metadata  # the run put the version of this Python there
            return _settled(run)
    where = f"cell {reached[-1]}" if reached else "at the start"
    raise CourseError(f"{name}, {where}: {problem.rstrip('.')}.")


def _settled(notebook: NotebookNode) -> NotebookNode:
    """The executed notebook in the form in which the same run is always written."""
    count = 0
    for cell in notebook.cells:
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        count += 1
        cell.execution_count = count
        outputs = []
        for output in cell.outputs:
            before = outputs[-1] if outputs else None
            if before and output.output_type == before.output_type == "stream" and output.name == before.name:
                before.text += output.text
            else:
                outputs.append(output)
            if output.output_type == "execute_result":
                output.execution_count = count
        cell.outputs = outputs
    return notebook
