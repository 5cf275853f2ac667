"""Measurements too long for a lesson: run on demand, and their results stored beside the lesson with the text they came from.

A chapter keeps them in `long*.py`: every public function without arguments is one, and returns a dict of numbers, strings and
(nested) lists of them. `book build --long` runs them and writes `measured.json`; a lesson reads that through `measured`.
"""

import importlib
import inspect
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from book_utils.course.catalog import Chapter
from book_utils.course.errors import CourseError
from book_utils.course.workspace import fingerprint

STORE = "measured.json"


def measured(experiment: Callable[[], dict]) -> dict:
    """What the experiment found: as stored by the build, or with RUN_LONG=1 in the environment found anew, here and now.

    Runs it too where its text is no longer the one that the stored result came from. Lists come back as NumPy arrays."""
    if os.environ.get("RUN_LONG", "") in ("", "0"):
        entry = stored(experiment)
        if entry is not None:
            return _arrays(entry["result"])
        print(f"{experiment.__name__} was changed since it was last run, and is run now.")
    return _arrays(_plain(experiment()))


def stored(experiment: Callable) -> dict | None:
    """The stored entry of an experiment, unless the text of its module is another by now."""
    path = _file(experiment)
    entry = _read(path.with_name(STORE)).get(experiment.__name__)
    return entry if entry is not None and entry["source"] == _text(path) else None


def experiments(chapter: Chapter) -> Iterator[Callable]:
    """The chapter's long experiments, in the order of their files and lines. CourseError where two have one name."""
    homes = {}
    for path in sorted(chapter.folder.glob("long*.py")):
        module = importlib.import_module(f"{chapter.facts.__name__}.{path.stem}")
        for name, value in vars(module).items():
            if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_") \
                    and not inspect.signature(value).parameters:
                if name in homes:
                    raise CourseError(f"{name} stands in {homes[name]} and in {path.name}: results are stored by name, rename one.")
                homes[name] = path.name
                yield value


def renew(chapter: Chapter) -> Iterator[str]:
    """Run those whose stored result is missing or stale, store what they find, and say so, one sentence each."""
    for experiment in experiments(chapter):
        if stored(experiment) is not None:
            continue
        start = time.perf_counter()
        result = _plain(experiment())
        seconds = time.perf_counter() - start
        path = chapter.folder / STORE
        known = {e.__name__ for e in experiments(chapter)}
        kept = {name: entry for name, entry in _read(path).items() if name in known}
        kept[experiment.__name__] = {"source": _text(_file(experiment)), "result": result}
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(kept[name])}" for name in sorted(kept))
        path.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8", newline="\n")
        yield f"{experiment.__name__} was measured in {seconds:.0f} seconds."


def fresh(chapter: Chapter) -> None:
    """CourseError naming the first long experiment whose stored result is missing or stale."""
    for experiment in experiments(chapter):
        if stored(experiment) is None:
            raise CourseError(f"{experiment.__name__} was changed since its result was stored: run `book build {chapter.key} --long`.")


def _file(experiment: Callable) -> Path:
    return Path(sys.modules[experiment.__module__].__file__)


def _text(path: Path) -> str:
    return fingerprint(path.read_text(encoding="utf-8"))


def _read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _plain(value: object) -> object:
    """Numbers at five significant digits: a stored result carries no more than a rerun can be expected to give."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return float(f"{value:.5g}") if isinstance(value, float) else value


def _arrays(value: object) -> object:
    if isinstance(value, dict):
        return {k: _arrays(v) for k, v in value.items()}
    return np.array(value) if isinstance(value, list) else value
