"""The walls around a call of a student's function: time, printing, unfinished work, and the kernels it has to build itself."""

import contextlib
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

SECONDS = 20.0
_AGAIN = 0.5  # rung again after this: an exception raised in a garbage collector's callback is lost
TOOLS = {"data", "plot", "explore", "devices", "transform", "validate", "compile", "training"}  # of book_utils: always allowed
_ROOT = str(Path(__file__).parent.parent) + os.sep
_COURSE = str(Path(__file__).parent) + os.sep


class Todo(BaseException):
    """`todo()` was reached. Not an Exception, so that `except Exception` cannot swallow it."""


class Refused(BaseException):
    """The function called the kernel that it was asked to write."""


class TooLong(BaseException):
    """The function did not return in time."""


class _State(threading.local):
    active: object = None  # the exercise whose answer is being called
    reached_todo = False


state = _State()


def todo() -> None:
    """Stands where your own lines go."""
    state.reached_todo = True
    raise Todo


class _Short(io.TextIOBase):
    """A stream that keeps the beginning of what is written and forgets the rest."""

    def __init__(self, limit: int = 2000) -> None:
        self.text, self.limit = "", limit

    def write(self, text: str) -> int:
        self.text += text[: max(0, self.limit - len(self.text))]
        return len(text)


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TooLong in this (main) thread after `seconds`; disarmed on the way out. A compiled loop cannot be stopped so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if hasattr(signal, "setitimer"):
        def ring(signum: int, frame: FrameType | None) -> None:
            raise TooLong
        before = signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    else:  # Windows has no alarm: a second thread interrupts this one
        import _thread

        rung, over, lock = threading.Event(), threading.Event(), threading.Lock()

        def interrupt() -> None:
            over.wait(seconds)
            while not over.is_set():
                with lock:
                    if not over.is_set():
                        rung.set()
                        _thread.interrupt_main()
                over.wait(_AGAIN)
        clock = threading.Thread(target=interrupt, daemon=True)
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a process started in the background may ignore it
        clock.start()
        try:
            yield
        except KeyboardInterrupt:
            raise TooLong from None if rung.is_set() else KeyboardInterrupt
        finally:
            with lock:
                over.set()
            clock.join(1)
            signal.signal(signal.SIGINT, before)


def _is_kernel(code: object) -> bool:
    """Whether it is the code of a public function of a kernel module, or of a public method there."""
    path, private = code.co_filename, any(part.startswith(("_", "<")) for part in code.co_qualname.split("."))
    if private or not path.startswith(_ROOT) or path.startswith(_COURSE):
        return False
    return Path(path).stem not in TOOLS


def _refuser(allowed: frozenset) -> Callable:
    """A profile function that raises Refused when a public kernel outside `allowed` is entered."""
    known: dict[object, bool] = {}

    def enter(frame: FrameType, event: str, arg: object) -> None:
        if event != "call":
            return
        code = frame.f_code
        kernel = known.get(code)
        if kernel is None:
            kernel = known[code] = _is_kernel(code) and code not in allowed
        if kernel:
            raise Refused(f"{Path(code.co_filename).stem}.{code.co_name}")
    return enter


@contextlib.contextmanager
def student_call(exercise: object) -> Iterator[_Short]:
    """Run the body as a call of the answer to `exercise`; yields the stream that keeps what it prints."""
    printed = _Short()
    outer, profile = state.active, sys.getprofile()
    allowed = frozenset(f.__code__ for f in exercise.allows)
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(_Short()), warnings.catch_warnings(), time_limit(SECONDS):
        warnings.simplefilter("ignore")
        state.active, state.reached_todo = exercise, False
        sys.setprofile(_refuser(allowed))
        try:
            yield printed
        finally:
            sys.setprofile(profile)
            state.active = outer
    if state.reached_todo:  # a bare `except:` swallowed it
        raise Todo


@contextlib.contextmanager
def open_door() -> Iterator[None]:
    """Inside a student's call: let a stand-in use its kernels."""
    profile, active = sys.getprofile(), state.active
    sys.setprofile(None)
    state.active = None
    try:
        yield
    finally:
        state.active = active
        sys.setprofile(profile)
