"""What the course says when it is called wrongly: one sentence, never a traceback."""

import difflib
from collections.abc import Iterable


class CourseError(Exception):
    """A wrong call by a person; its text is one clear sentence."""


def nearest(name: str, names: Iterable[str], what: str) -> CourseError:
    """The error for an unknown `name`, offering the names that come closest."""
    names = list(names)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    close += [n for n in names if name and n.rpartition(".")[2] == name.rpartition(".")[2] and n not in close]
    offer = f" Did you mean {' or '.join(close)}?" if close else f" There are: {', '.join(names[:12])}." if names else ""
    return CourseError(f"There is no {what} called {name!r}.{offer}")
