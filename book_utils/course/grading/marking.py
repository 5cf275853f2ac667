"""Marks for submissions, from the command's side: a process that runs the frozen checks, started anew whenever it dies."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from book_utils.course.errors import CourseError
from book_utils.course.grading import marks
from book_utils.course.grading.assignment import load
from book_utils.course.grading.marks import Mark, Marked

START, WHOLE = 120.0, 600.0  # seconds until it is ready, and for one submission
_LONGEST = 8 << 20  # bytes of an answer


class Marker:
    """Marks the submissions of one assignment, one after another; several of them work side by side. A context manager.

    `walls`: "auto" for all that the system has, "limits" for those that every system has; `Marked.walls` says which stood.
    `seconds`: the longest that one call of a student's function may take. CourseError where the assignment cannot be used here.
    """

    def __init__(self, folder: Path, walls: str = "auto", seconds: float = 20.0) -> None:
        if os.name != "posix":
            raise CourseError("Marks are given on Linux and macOS; on Windows, run this command in WSL.")
        if walls not in ("auto", "limits"):
            raise CourseError(f"walls is {walls!r}; it is 'auto' or 'limits'.")
        self.assignment = load(Path(folder))
        self.walls, self.seconds = walls, seconds
        self.process: subprocess.Popen | None = None
        self.errors = tempfile.TemporaryFile()

    def mark(self, path: Path) -> Marked:
        """What the submission in the file `path` earned. Whatever is in it, there is an answer."""
        if self.process is None:
            self._start()
        start = time.monotonic()
        try:
            self.process.stdin.write(json.dumps({"path": str(Path(path).absolute())}).encode() + b"\n")
            self.process.stdin.flush()
            line = self._line(WHOLE)
        except OSError:
            line = b""
        try:
            answer = json.loads(line or b"{}")
            if "trouble" in answer:
                raise CourseError(answer["trouble"])
            return marks.loads(line.decode())
        except ValueError:
            late = time.monotonic() - start >= WHOLE
            self._stop()
            reason = "Marking took too long and was stopped." if late else "Marking this submission ended the process that gives marks."
            nothing = tuple(Mark(item.name, "FAILS", 0.0, item.points) for item in self.assignment.items)
            return Marked(marks.TIMED_OUT if late else marks.ENDED, reason, nothing, seconds=round(time.monotonic() - start, 2))

    def _start(self) -> None:
        data = Path(__file__).parents[2] / "datasets"
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("BOOK_", "PYTHON"))}
        environment |= {"PYTHONPATH": str(self.assignment.frozen.absolute()), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0",
                        "JAX_PLATFORMS": "cpu", "BOOK_DATASETS": os.environ.get("BOOK_DATASETS", str(data))}
        command = [sys.executable, "-s", "-P", "-m", "book_utils.course.grading.marker"]
        self.process = subprocess.Popen([*command, str(self.assignment.folder.absolute()), self.walls, str(self.seconds)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors, env=environment, start_new_session=True)
        self.buffer = bytearray()
        try:
            answer = json.loads(self._line(START) or b"{}")
        except ValueError:
            answer = {}
        if "ready" not in answer:
            self._stop()
            raise CourseError(answer.get("trouble") or f"The frozen checks of {self.assignment.name} cannot be run here{self._said()}.")

    def _said(self) -> str:
        """The last line that the process wrote before it ended, if it wrote one."""
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().split("\n")
        return f": {lines[-1][:200]}" if lines[-1] else ""

    def _line(self, seconds: float) -> bytes:
        """The next line that the process writes, or nothing where it ended, says too much or is too late."""
        deadline, number = time.monotonic() + seconds, self.process.stdout.fileno()
        while b"\n" not in self.buffer:
            if len(self.buffer) > _LONGEST or not select.select([number], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return b""
            piece = os.read(number, 1 << 16)
            if not piece:
                return b""
            self.buffer += piece
        line, _, self.buffer = self.buffer.partition(b"\n")
        return bytes(line)

    def _stop(self) -> None:
        process, self.process = self.process, None
        with contextlib.suppress(OSError):
            process.stdin.close()  # it ends by itself and removes what it made
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)
        process.stdout.close()

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self._stop()
        self.errors.close()

    def __enter__(self) -> "Marker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
