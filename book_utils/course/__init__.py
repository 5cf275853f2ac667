"""The machinery around exercises. A lesson imports these names; nothing here knows of any chapter."""

import importlib

# Where each name lives, imported when it is first asked for: `book --help` and a grader's kernel need neither JAX nor
# matplotlib. No module of this package may have one of these names, or importing it would hide the function.
_HOMES = dict.fromkeys(["derivation", "exercise", "hint", "lesson", "solution", "yours"], "book_utils.course.session")
_HOMES |= {"measured": "book_utils.course.measure", "todo": "book_utils.course.guard", "progress": "book_utils.course.standing", "show": "book_utils.plot"}

__all__ = ["derivation", "exercise", "hint", "lesson", "measured", "progress", "show", "solution", "todo", "yours"]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
