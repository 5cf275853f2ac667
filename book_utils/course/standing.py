"""How far a student has come, read from the verdicts in saved notebooks."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from book_utils.course import catalog, workspace
from book_utils.course.catalog import Chapter
from book_utils.course.errors import CourseError

_VERDICT = re.compile(r"(NOT STARTED|HOLDS|FAILS|RAISES)  ([\w.]+)[,:]")


@dataclass(frozen=True)
class Standing:
    """One chapter and what of it holds."""

    chapter: Chapter
    statuses: dict[str, str]  # of every exercise; "" where the notebook says nothing

    @property
    def held(self) -> int:
        """Number of exercises that hold."""
        return list(self.statuses.values()).count("HOLDS")

    def count(self, core: bool) -> int:
        """Number of core exercises, or of all the others."""
        return len(self._minutes(core))

    def minutes(self, core: bool) -> int:
        """Minutes that the core exercises take, or all the others."""
        return sum(self._minutes(core))

    def _minutes(self, core: bool) -> list[int]:
        return [e.minutes for e in self.chapter.exercises.values() if (e.level == "core") is core]


def verdicts(notebook: dict) -> list[tuple[str, str, str]]:
    """(exercise, status, sentence) of every verdict that a notebook shows, in its order."""
    found = []
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            text = "".join(output.get("data", {}).get("text/plain", ""))
            if match := _VERDICT.match(text):
                found.append((match[2], match[1], text))
    return found


def shown(notebook: dict) -> dict[str, str]:
    """The last status that a notebook shows of each exercise, by name."""
    return {name: status for name, status, _ in verdicts(notebook)}


def standing(chapter: Chapter, folder: Path) -> Standing:
    """What the notebook of `chapter` in `folder` says; nothing if there is none, CourseError if it cannot be read."""
    path = folder / chapter.notebook
    known = shown(workspace.read(path)) if path.exists() else {}
    return Standing(chapter, {name: known.get(name, "") for name in chapter.exercises})


def progress() -> None:
    """Show the chapters, their minutes, and how many exercises hold in the notebooks saved beside this one."""
    rows = []
    for chapter in catalog.chapters():
        try:
            rows.append(standing(chapter, Path.cwd()))
        except CourseError:  # a damaged notebook: nothing in it is known to hold
            rows.append(Standing(chapter, dict.fromkeys(chapter.exercises, "")))
    _display(_text(rows), _html(rows))


def summary(*rows: Standing) -> tuple[str, str, str]:
    """Exercises, minutes and what holds in all of `rows`: "12 + 5" is core and the rest."""
    def both(what: Callable[[Standing, bool], int]) -> str:
        core, more = (sum(what(row, core) for row in rows) for core in (True, False))
        return f"{core} + {more}" if more else str(core)

    held, of = sum(row.held for row in rows), sum(len(row.statuses) for row in rows)
    return both(Standing.count), both(Standing.minutes), f"{held} of {of}"


_COLUMNS = ("Lesson", "Exercises", "Minutes", "Yours hold")
_NOTE = "Exercises and minutes: core, and what goes further. Save a notebook and run this cell again to count what holds in it."


def _text(rows: list[Standing]) -> str:
    lines = [_COLUMNS, *((row.chapter.title, *summary(row)) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_COLUMNS))]
    return "\n".join(["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines] + [_NOTE])


def _html(rows: list[Standing]) -> str:
    head = "".join(f'<th scope="col" style="text-align:left">{column}</th>' for column in _COLUMNS)
    body = ""
    for row in rows:
        title = f'<a href="{html.escape(row.chapter.notebook)}">{html.escape(row.chapter.title)}</a>'
        cells = "".join(f'<td style="text-align:left">{cell}</td>' for cell in (title, *summary(row)))
        body += f"<tr>{cells}</tr>"
    return f"<table><caption>{_NOTE}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _display(text: str, page: str) -> None:
    from book_utils.course.session import shell

    if shell() is None:
        return print(text)
    from IPython.display import display

    display({"text/plain": text, "text/html": page}, raw=True)
