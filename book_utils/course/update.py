"""A student's copy of a lesson brought to the lesson as it is now: answers carried over by exercise name, nothing lost."""

import re
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from book_utils.course import workspace
from book_utils.course.catalog import Chapter

_UNTOUCHED = re.compile(r"^\s*(?:todo\(\)|yield \.\.\.)\s*$", re.MULTILINE)
_HASHED = re.compile(r"[0-9a-f]{12}(?:-\d+)?")  # ids the builder gives; Jupyter's own are shorter or longer


@dataclass
class Update:
    """What became of one copy. `old` is where the student's file is now, None where nothing was done."""

    chapter: Chapter
    old: Path | None = None
    made: bool = False
    answers: list[str] = field(default_factory=list)  # exercises whose answers were carried over
    renewed: list[str] = field(default_factory=list)  # those among them whose text is another now
    own: int = 0  # cells the student added
    left: list[str] = field(default_factory=list)  # what stands in the old file alone

    def sentences(self) -> list[str]:
        """What to tell the student."""
        name = self.chapter.notebook
        if self.made:
            return [f"{name}: there was no copy; one has been made."]
        if self.old is None:
            return [f"{name}: made from the newest lesson, nothing to do."]
        carried = f"answers to {', '.join(self.answers)}" if self.answers else "no answers yet"
        added = f" and {self.own} cell{'s' if self.own > 1 else ''} of your own" if self.own else ""
        said = [f"{name}: renewed, with {carried}{added}. Your old file is {self.old}. Reload the page if the notebook is open."]
        said += [f"  The text of {exercise} is another now: run your answer again." for exercise in self.renewed]
        return said + [f"  In the old file only: {what}." for what in self.left]


def update(chapter: Chapter) -> Update:
    """Renew the student's copy of a chapter if it was made from an older lesson; make it if there is none.

    CourseError for a copy that cannot be read or replaced, which is then as it was.
    """
    path, fresh = workspace.copy(chapter), workspace.lesson(chapter)
    if workspace.place(path, fresh):
        return Update(chapter, made=True)
    mine = workspace.read(path)
    if workspace.current(mine, fresh):
        return Update(chapter)
    done = Update(chapter)
    done.old = workspace.replace(path, carry(mine, fresh, done))
    return done


def carry(mine: dict, fresh: dict, report: Update) -> dict:
    """`fresh` with the answers and the added cells of `mine`; `report` is told what was carried and what was not."""
    old, taken = _Copy(mine, fresh), {cell["id"] for cell in fresh["cells"]}
    answers: dict[str, dict] = {}
    own: dict[str | None, list[dict]] = defaultdict(list)
    neighbour = None  # the last cell before that is in the new lesson too
    for cell in mine["cells"]:
        if name := old.answers(cell):
            changed = old.changed(cell, name)
            if name not in old.exercises:
                if changed:
                    report.left.append(f"{name}, which is no longer in the lesson")
                continue
            neighbour = old.exercises[name]["id"]
            if changed is None:
                report.left.append(f"{name}, where todo() still stands")
            elif changed:
                if name in answers:
                    report.left.append(f"an earlier answer to {name}; the last one was carried over")
                answers[name] = cell
        elif old.shipped(cell):
            neighbour = old.place(cell) or neighbour
            if not old.intact(cell):
                report.left.append(f"an edited cell of the lesson, {_begins(cell)}")
        else:
            own[neighbour].append(_added(cell, taken))
    report.answers = [name for name in old.exercises if name in answers]
    report.own = sum(1 for cells in own.values() for cell in cells if cell["source"].strip())
    joined = {name for cell in answers.values() for name in _declared(cell)[1:]} - answers.keys()  # cells that a student merged
    notebook = {**fresh, "cells": list(own[None])}
    for cell in fresh["cells"]:
        name = cell["metadata"].get("book", {}).get("exercise")
        if name in answers:
            cell, renewed = _answered(cell, answers[name])
            report.renewed += [name] if renewed else []
        if name not in joined:
            notebook["cells"].append(cell)
        notebook["cells"] += own[cell["id"]]
    return notebook


class _Copy:
    """What can be said of the cells of a copy, seen beside the lesson as it is now."""

    def __init__(self, mine: dict, fresh: dict) -> None:
        self.made_from = mine["metadata"].get("book", {}).get("cells")
        self.declared = {name for cell in mine["cells"] for name in _declared(cell)}
        self.fresh = {cell["id"]: cell for cell in fresh["cells"]}
        self.by_text = {cell["source"]: cell["id"] for cell in fresh["cells"]}
        self.exercises = {n: cell for cell in fresh["cells"] if (n := cell["metadata"].get("book", {}).get("exercise"))}

    def answers(self, cell: dict) -> str | None:
        """The exercise that a cell answers: the one it names, or the one it was made for if no cell names that one now."""
        if cell["cell_type"] != "code":
            return None
        names, made_for = _declared(cell), cell["metadata"].get("book", {}).get("exercise")
        for name in names:
            if name in self.exercises:
                return name
        if made_for in self.declared:  # the other half of a cell that was split, or a lost duplicate
            return names[0] if names else None
        return made_for or (names[0] if names else None)

    def changed(self, cell: dict, name: str) -> bool | None:
        """Whether the student wrote in an exercise's cell; None where that cannot be told and nothing seems to be finished."""
        book = cell["metadata"].get("book", {})
        if not cell["source"].strip():
            return False
        if book.get("exercise") == name and "stub" in book:
            return workspace.fingerprint(cell["source"]) != book["stub"]
        if name in self.exercises and cell["source"].strip() == self.exercises[name]["source"].strip():
            return False
        return None if _UNTOUCHED.search(cell["source"]) else True

    def shipped(self, cell: dict) -> bool:
        """Whether a cell came with the lesson."""
        if cell["source"] in self.by_text:
            return True
        if "exercise" in cell["metadata"].get("book", {}):  # of the code, what answers nothing is the student's
            return cell["cell_type"] != "code"
        if self.made_from is not None:
            return cell.get("id") in self.made_from or workspace.fingerprint(cell["source"]) in self.made_from.values()
        return cell.get("id") in self.fresh or _HASHED.fullmatch(cell.get("id", "")) is not None

    def place(self, cell: dict) -> str | None:
        """The id of the same cell in the lesson as it is now."""
        return cell.get("id") if cell.get("id") in self.fresh else self.by_text.get(cell["source"])

    def intact(self, cell: dict) -> bool:
        """Whether a cell of the lesson is as it came."""
        if cell["source"] in self.by_text:
            return True
        return self.made_from is not None and workspace.fingerprint(cell["source"]) in self.made_from.values()


def _declared(cell: dict) -> list[str]:
    return workspace.declared(cell["source"]) if cell["cell_type"] == "code" else []


def _answered(cell: dict, answer: dict) -> tuple[dict, bool]:
    """An exercise's cell with the student's answer, and whether the exercise has another text than the one answered."""
    book = cell["metadata"]["book"]
    renewed = answer["metadata"].get("book", {}).get("stub", book["stub"]) != book["stub"]
    filled = {**cell, "source": answer["source"], "metadata": {**answer["metadata"], **cell["metadata"]}}
    if renewed:  # the verdict that was shown is about another exercise
        return {**filled, "outputs": [], "execution_count": None}, True
    return {**filled, "outputs": answer.get("outputs", []), "execution_count": answer.get("execution_count")}, False


def _added(cell: dict, taken: set[str]) -> dict:
    """A cell the student added, with an id that no other cell has; it no longer passes for a part of the lesson."""
    name = cell.get("id")
    while name is None or name in taken:
        name = uuid.uuid4().hex[:8]
    taken.add(name)
    return {**cell, "id": name, "metadata": {key: value for key, value in cell["metadata"].items() if key != "book"}}


def _begins(cell: dict) -> str:
    first = next((line.strip() for line in cell["source"].split("\n") if line.strip()), "now empty")
    return f"`{first[:60]}{'...' if len(first) > 60 else ''}`"
