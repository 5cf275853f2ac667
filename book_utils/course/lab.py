"""JupyterLab on the student's folder, from the Python that runs the course."""

import http.client
import importlib.util
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from book_utils.course.errors import CourseError
from book_utils.course.threads import ONE_BLAS_THREAD

_PORTS = range(8888, 8938)  # Jupyter's own first choice, and what follows
_SETTINGS = Path(__file__).parent / "jupyter"  # of the lab, where the student has none: no news, nothing asked of the network
_OPTIONS = ["--no-browser", "--ServerApp.answer_yes=True", "--ServerApp.port_retries=0", "--LabApp.extension_manager=readonly"]
if hasattr(os, "geteuid") and os.geteuid() == 0:  # in a container; the server listens on this machine only
    _OPTIONS.append("--allow-root")
_GONE = (OSError, http.client.HTTPException)  # refused, not yet, not any more, too slow


def free_port(wanted: int | None) -> int:
    """`wanted` if nothing listens there, CourseError if something does; without a wish the first free port."""
    for port in [wanted] if wanted is not None else _PORTS:
        with socket.socket() as probe:
            if os.name != "nt":  # where it only means that a port just left can be taken again
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except (OSError, OverflowError):
                continue
    if wanted is None:
        raise CourseError(f"No port from {_PORTS[0]} to {_PORTS[-1]} is free; name another with --port.")
    raise CourseError(f"Port {wanted} is in use or not allowed; without --port a free one is taken.")


def serve(folder: Path, port: int, ready: Callable[[str], None]) -> None:
    """Run JupyterLab on `folder` at a free port until it ends or is interrupted; `ready(address)` is called when it answers."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise CourseError("JupyterLab is not installed here; `book doctor` says what to do.")
    token, address = secrets.token_hex(24), f"http://127.0.0.1:{port}"
    settings = os.pathsep.join(filter(None, [str(_SETTINGS), os.environ.get("JUPYTER_CONFIG_PATH")]))
    # the token goes through the environment, where other users of the machine cannot read it
    environment = ONE_BLAS_THREAD | os.environ | {"JUPYTER_TOKEN": token, "JUPYTER_CONFIG_PATH": settings}
    command = [sys.executable, "-m", "jupyterlab", *_OPTIONS, f"--ServerApp.port={port}", f"--ServerApp.root_dir={folder}"]
    with tempfile.TemporaryFile() as log:  # Jupyter says much that means nothing to a student; it is read if it does not start
        server = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # whoever ends this process ends the server too
        try:
            while not _answers(f"{address}/api/status", token):
                if server.poll() is not None:
                    raise CourseError(f"JupyterLab ended before it answered{_last_line(log)}. `book doctor` may say why.")
                time.sleep(0.1)
            ready(f"{address}/lab/tree/start.ipynb?token={token}")
            server.wait()
        except KeyboardInterrupt:
            pass
        finally:
            _end(server, address, token)
            signal.signal(signal.SIGTERM, before)


def browse(address: str) -> None:
    """Open the address; a browser of the terminal, which would not return, does not stop the rest."""
    threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()


def _ask(url: str, token: str, method: str = "GET") -> None:
    request = urllib.request.Request(url, method=method, headers={"Authorization": f"token {token}"})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # this machine is not reached through a proxy
    direct.open(request, timeout=2).close()


def _answers(url: str, token: str) -> bool:
    try:
        _ask(url, token)
    except _GONE:
        return False
    return True


def _last_line(log: BinaryIO) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().split("\n")
    return f": {lines[-1].strip().rstrip('.')}" if lines[-1] else ""


def _end(server: subprocess.Popen, address: str, token: str) -> None:
    """Let the server close its kernels and go; after ten seconds it has to."""
    if server.poll() is None:
        try:
            _ask(f"{address}/api/shutdown", token, "POST")
        except _GONE:  # it heard the Ctrl-C itself, or never came up
            server.terminate()
    try:
        server.wait(timeout=10)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        server.kill()
        server.wait()
