"""A cell as the marker sees it: a process that is started, asked with a deadline, and ended whatever it does."""

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import jax
import numpy

from book_utils.course import wire
from book_utils.course.grading import replies

START = 60.0  # seconds until a cell has to be ready
WALLS = ("auto", "limits")
_CODE = "import sys; sys.path[:0] = {first!r}; sys.path += {last!r}; from book_utils.course.grading.cell import main; main({config!r})"
_THREADS = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")} | {"MALLOC_ARENA_MAX": "2"}
_KEPT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG")


class Gone(BaseException):
    """The cell ended, or was ended at a limit. Not an Exception: no law may swallow it. `late`: at a limit of time."""

    def __init__(self, text: str, late: bool = False) -> None:
        super().__init__(text)
        self.late = late


class Cell:
    """One process for one submission. `walls` are the names of those that stand."""

    def __init__(self, tree: Path, hidden: list[Path], walls: str) -> None:
        self.folder = Path(os.path.realpath(tempfile.mkdtemp(prefix="cell-")))
        self.walls: tuple[str, ...] = ()
        sites = sorted({str(Path(module.__file__).parents[1]) for module in (jax, numpy)} | {sysconfig.get_path(p) for p in ("purelib", "platlib")})
        away = [str(path) for path in hidden] + [f"{site}/{name}" for site in sites for name in ("book_utils", "chapters")]
        readable = [str(tree), *sites, sys.base_prefix, sys.base_exec_prefix, sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
        if data := os.environ.get("BOOK_DATASETS"):
            readable.append(data)
        config = {"readable": readable, "hidden": away, "folder": str(self.folder), "walls": walls}
        code = _CODE.format(first=[str(tree)], last=sites, config=config)
        own = {name: str(self.folder) for name in ("HOME", "TMPDIR", "MPLCONFIGDIR")}
        kept = {name: os.environ[name] for name in (*_KEPT, "BOOK_DATASETS") if name in os.environ}
        environment = kept | own | _THREADS | {"JAX_PLATFORMS": "cpu", "MPLBACKEND": "Agg", "PYTHONHASHSEED": "0"}
        self.process = subprocess.Popen([sys.executable, "-s", "-P", "-S", "-B", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, env=environment, cwd=self.folder, start_new_session=True)
        self.started = time.monotonic()
        for stream in (self.process.stdin, self.process.stdout):
            os.set_blocking(stream.fileno(), False)

    def ready(self) -> None:
        """Wait until the walls stand; Gone if they never do."""
        if not self.walls:
            said = self._read(self.started + START).get("walls", {})
            self.walls = tuple(replies.text(name, 40) for name in replies.value(said))

    def ask(self, request: dict, seconds: float) -> dict:
        """Send a request and wait for the reply, JSON as it came; Gone if there is none in time, or one that is too large or no reply."""
        deadline = time.monotonic() + seconds
        data = wire.encode(request)
        self._write(len(data).to_bytes(8, "big") + data, deadline)
        return self._read(deadline)

    def _write(self, data: bytes, deadline: float) -> None:
        number, view = self.process.stdin.fileno(), memoryview(data)
        while view:
            if not select.select([], [number], [], max(0.0, deadline - time.monotonic()))[1]:
                raise Gone("it did not take its next input in time", late=True)
            try:
                view = view[os.write(number, view):]
            except BlockingIOError:
                continue
            except OSError:
                raise Gone("the process ended") from None

    def _read(self, deadline: float) -> dict:
        size = int.from_bytes(self._exactly(8, deadline), "big")
        if size > replies.BYTES:
            raise Gone("it returned more than can be taken")
        try:
            return replies.read(self._exactly(size, deadline))
        except replies.Unfit:
            raise Gone("it answered with what is no answer") from None

    def _exactly(self, size: int, deadline: float) -> bytes:
        number, data = self.process.stdout.fileno(), bytearray()
        while len(data) < size:
            if not select.select([number], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise Gone("it did not answer in time", late=True)
            try:
                piece = os.read(number, min(size - len(data), 1 << 20))
            except BlockingIOError:
                continue
            if not piece:
                raise Gone("the process ended")
            data += piece
        return bytes(data)

    def close(self) -> None:
        """End the process and all that it started, and remove its folder."""
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                stream.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)
        shutil.rmtree(self.folder, ignore_errors=True)
