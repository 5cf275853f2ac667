"""An assignment, rosters, submissions and a marker that believes what a notebook says: enough to test everything around marking."""

import csv
import json
from dataclasses import replace

from book_utils.course.grading import assignment as assignments
from book_utils.course.grading import marks
from book_utils.course.grading.assignment import Assignment, Item, Late, Question
from book_utils.course.grading.marks import Held, Mark, Marked

LAWS = {"an example": 0.0, "it is linear": 1.0, "it keeps lengths": 3.0}
FIRST = ["Ada", "Émile", "Søren", "Mary Ann", "Łukasz", "O'Neil", "Ching-He", "Zoë", "José", "Anna"]
LAST = ["Lovelace", "de la Cruz", "Kierkegaard", "Noether", "Nguyễn", "Huang", "Weyl", "Smith", "García Márquez", "Bell", "Ito", "Ray"]


def assignment(folder, due="2026-10-02T23:59-07:00", questions=(), **more):
    """Written to a folder, with a frozen file, and read again."""
    (folder / "instructor" / "frozen").mkdir(parents=True)
    (folder / "instructor" / "frozen" / "checks.py").write_text("LAWS = 3\n")
    items = tuple(Item(f"ch99.{name}", name.capitalize(), 4.0, "r1", LAWS) for name in ("encode", "energy"))
    made = Assignment(folder.name, "Homework 3", "ch99", "0.1.0", assignments.digest(folder / "instructor" / "frozen"), "ab" * 32, items,
                      tuple(Question(f"ch99.{name}", name.capitalize(), 2.0) for name in questions), due, Late())
    made = replace(made, **more)
    (folder / "instructor" / "assignment.json").write_text(assignments.dumps(made))
    return assignments.load(folder)


def notebook(*held, say="", **more):
    """A submission of which each exercise holds so many laws (0 is not started)."""
    return json.dumps({"held": held, "say": say} | more)


class Believing:
    """A marker that reads in a notebook what it earns."""

    def __init__(self, given):
        self.assignment, self.marked, self.closed = given, [], False

    def mark(self, path):
        assert not self.closed
        self.marked.append(path)
        try:
            said = json.loads(path.read_text())
        except ValueError:
            return Marked(marks.UNREADABLE, "It is not a notebook.", self._marks([0, 0]), walls=("limits",))
        if said.get("breaks"):
            raise RuntimeError("the marker broke")
        return Marked(said.get("status", marks.GRADED), said.get("reason", ""), self._marks(said["held"], said["say"]),
                      said.get("written", {}), 1.0, ("namespaces", "limits"))

    def _marks(self, held, say=""):
        found = []
        for item, count in zip(self.assignment.items, held):
            laws = tuple(Held(law, place < count) for place, law in enumerate(item.weights)) if count else ()
            share = sum(item.weights[law.law] for law in laws if law.held) / sum(item.weights.values())
            status = "HOLDS" if count == len(item.weights) else "FAILS" if count else "NOT STARTED"
            points = round(item.points * share, 2)
            found.append(Mark(item.name, status, points, item.points, laws, say, say and f"{say} mistaken", say and f"{say} hint"))
        return tuple(found)

    def close(self):
        self.closed = True


def people(count):
    """(last, first, Canvas number, login) of so many students, one of a kind."""
    return [(f"{LAST[i % len(LAST)]}{'' if i < len(LAST) else ' ' + 'IVX'[i % 3] * (i // 12)}", FIRST[i % len(FIRST)], 100 + i, f"s{i:03d}")
            for i in range(count)]


def write(path, rows, delimiter=",", encoding="utf-8"):
    """A table."""
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def canvas(path, students, column="Homework 3 (98765)", points="8.0", delimiter=",", encoding="utf-8-sig"):
    """A gradebook as Canvas exports it."""
    identity = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    rows = [[*identity, column, "Homework (1234)", "Current Score", "Final Grade"],
            ["", "", "", "", "", "Manual Posting", "", "(read only)", "(read only)"],
            ["    Points Possible", "", "", "", "", points, "100.0", "(read only)", "(read only)"]]
    rows += [[f"{last}, {first}", number, f"SIS{number}", login, "Sec 1, Sec 2", "", "55", "55.0", "F"]
             for last, first, number, login in students]
    rows.append(["Student, Test", "999", "", "0f" * 20, "Sec 1", "", "", "", ""])
    return write(path, rows, delimiter, encoding)


def moodle(path, students, maximum="8.00"):
    """A grading worksheet as Moodle exports it."""
    rows = [["Identifier", "Full name", "ID number", "Email address", "Status", "Grade", "Maximum Grade", "Grade can be changed",
             "Last modified (submission)", "Last modified (grade)", "Feedback comments"]]
    rows += [[f"Participant {number}", f"{first} {last}", "", f"{login}@x.edu", "Submitted for grading", "", maximum, "Yes",
              "Friday, 2 October 2026, 9:13 PM", "-", ""] for last, first, number, login in students]
    return write(path, rows)


def squeezed(last, first):
    """A name as Canvas puts it before a file name."""
    return "".join(c for c in f"{last}{first}".lower() if c.isalnum())
