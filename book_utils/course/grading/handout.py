"""The notebook that students get: the chosen exercises with the text that leads to them, how they are marked, and nothing else."""

import ast
import re
import textwrap
from dataclasses import dataclass, field
from datetime import datetime

import jupytext
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from book_utils.course import catalog
from book_utils.course.catalog import Chapter, Stub
from book_utils.course.cite import resolve
from book_utils.course.exercises import Exercise
from book_utils.course.grading.assignment import Assignment, Item, Late
from book_utils.course.grading.written import PLACEHOLDER, Prompt
from book_utils.course.notebook import LETTERS, PERCENT, bound, identify, install, letters
from book_utils.course.workspace import fingerprint

TITLE, MARKS = "title", "how-it-is-marked"  # ids of the two cells that begin a handout

_FOLDED = re.compile(r"<details>.*?(</details>|\Z)", re.DOTALL)
_HEADING = re.compile(r"^(?=#{2,3} )", re.MULTILINE)
_SHOWN = re.compile(r"\*\*(See|Play|Doubt|Real|Where next)\b")  # paragraphs that speak of a figure or lead elsewhere
_ELSEWHERE = re.compile(r"\b(above|as in)\b", re.IGNORECASE)  # a stub that leans on another one


@dataclass
class Section:
    """What a numbered section of a lesson holds: texts, and the names of the exercises among them, in order."""

    pieces: list[tuple[str, str]] = field(default_factory=list)  # ("text" | "figure" | "exercise", source or name)

    @property
    def names(self) -> list[str]:
        return [value for kind, value in self.pieces if kind == "exercise"]


def make(assignment: Assignment, chapter: Chapter, prompts: list[Prompt], solved: bool = False) -> NotebookNode:
    """The handout of an assignment, not run; `solved` gives the instructor's copy, with solutions and model answers."""
    items = {item.name: item for item in assignment.items}
    cells = [new_markdown_cell(_title(assignment, chapter, solved)), new_markdown_cell(_marks(assignment))]
    code = [_setup(chapter, assignment)] if items else []
    said: set[str] = set()
    for section in sections(chapter):
        if not items.keys() & set(section.names):
            continue
        for kind, value in texts(section, set(items)):
            if kind == "text":
                code.append(new_markdown_cell(resolve(value)))
                continue
            exercise = chapter.exercises[value]
            given = [other for other in leans_on(exercise, section) if other.name not in items.keys() | said]
            said |= {other.name for other in given}
            code.append(new_markdown_cell("\n\n".join(filter(None, [_given(given), _worth(items[value])]))))
            code.append(_stub(exercise, items[value].variant, solved))
    if prompts:
        code.append(new_markdown_cell("## Written answers\n\nWrite in the cell below each question: a few sentences and formulas, whole "
                                      "steps, no more. Graders do not see your name, so do not write it there."))
        for question, prompt in zip(assignment.questions, prompts, strict=True):
            code += _question(question.points, prompt, solved)
    if items and (table := _letters(chapter, items)):
        code.append(new_markdown_cell(table, id=LETTERS))
    identify(code)
    for cell in code:
        if name := cell.metadata.get("book", {}).get("question"):
            cell.id = re.sub(r"[^\w-]", "-", f"answer-{name}")
    cells[0].id, cells[1].id = TITLE, MARKS
    cells += ([install()] if items else []) + code
    return bound(cells, {"assignment": assignment.name, "chapter": chapter.key, "version": assignment.version})


def sections(chapter: Chapter) -> list[Section]:
    """The lesson cut at its headings of Parts and sections."""
    found = [Section()]
    for path in chapter.lesson_files:
        for cell in jupytext.reads(path.read_text(encoding="utf-8"), PERCENT).cells:
            if cell.cell_type == "code":
                stub = catalog.parse(cell.source)
                found[-1].pieces.append(("exercise", stub.name) if stub else ("figure", ""))
                continue
            for text in _HEADING.split(cell.source):
                if text.startswith(("## ", "### ")):
                    found.append(Section())
                if text.strip():
                    found[-1].pieces.append(("text", text.strip()))
    return found


def texts(section: Section, chosen: set[str]) -> list[tuple[str, str]]:
    """The pieces of a section that lead to the chosen exercises: ("text", source) and ("exercise", name)."""
    last = max(i for i, (kind, value) in enumerate(section.pieces) if kind == "exercise" and value in chosen)
    kept, after_figure = [], False
    for i, (kind, value) in enumerate(section.pieces[: last + 1]):
        if kind == "exercise" and value in chosen:
            kept.append((kind, value))
        elif kind == "text":
            following = next(name for what, name in section.pieces[i:] if what == "exercise")
            if text := _leading(value, following in chosen, after_figure):
                kept.append((kind, text))
        after_figure = kind == "figure"
    return kept


def _leading(text: str, chosen: bool, after_figure: bool) -> str:
    """Claims and derivations of a text; what introduces its exercise, if that one is chosen; nothing that is about a figure."""
    keep, kept = not after_figure, []
    for paragraph in re.split(r"\n\s*\n", _FOLDED.sub("", text).strip()):
        if paragraph.startswith("#### "):
            keep = chosen
        elif paragraph.startswith("### "):
            paragraph, keep = paragraph[1:], True
        elif paragraph.startswith("**"):
            keep = not _SHOWN.match(paragraph)
        if keep:
            kept.append(paragraph)
    return "\n\n".join(kept)


def leans_on(exercise: Exercise, section: Section) -> list[Exercise]:
    """Functions of other exercises that a student has to know of.

    Those the solution uses, those that are offered in the text that introduces it, and, where its stub says "above", those before it
    in the section.
    """
    others = exercise.chapter.exercises
    uses = names_used(exercise)
    before = section.pieces[: section.pieces.index(("exercise", exercise.name))]
    if before and before[-1][0] == "text":
        uses |= set(re.findall(r"`(\w+)`", before[-1][1].rpartition("#### ")[2]))
    names = {name for name in exercise.earlier if others[name].function in uses} | set(exercise.needs)
    if _ELSEWHERE.search(exercise.stub.doc):
        names |= set(section.names) & set(exercise.earlier)
    return [other for name, other in others.items() if name in names and other.kind == "exercise"]


def names_used(exercise: Exercise) -> set[str]:
    """Names that an exercise's solution takes from outside, and those that its stub calls in words."""
    names = [node for node in ast.walk(exercise.stub.tree) if isinstance(node, ast.Name)]
    own = {node.id for node in names if isinstance(node.ctx, ast.Store)} | set(exercise.stub.arguments)
    return {node.id for node in names} - own | set(re.findall(r"\b(\w+)\(", exercise.stub.doc))


def _title(assignment: Assignment, chapter: Chapter, solved: bool) -> str:
    lines = [f"# {assignment.title}"]
    if solved:
        lines.append("**Instructor's copy, with solutions. Not for students.**")
    due = f"**Due {said_date(assignment.due)}.** " if assignment.due else ""
    lines.append(f"{due}{_points(assignment.points)} in all.")
    if assignment.items:
        lines.append(
            "Every exercise is one cell with one function. Write your lines in place of `todo()` (in a derivation, of `...`) and run the "
            "cell: the verdict names the first law that does not hold, and "
            f'`hint("{assignment.items[0].name}")` helps. Helper functions and imports may stand in the same cell or in cells of your own.')
    lines.append("Before you submit: *Restart kernel and run all cells*, read it once more, save. Submit this one file, under the name "
                 "that your course asks for.")
    opening = next(text for kind, text in sections(chapter)[0].pieces if kind == "text")
    for paragraph in opening.split("\n\n"):
        if paragraph.startswith("Throughout"):  # conventions
            lines.append(resolve(paragraph) + " Where a stub says otherwise, the stub counts.")
    return "\n\n".join(lines)


def _marks(assignment: Assignment) -> str:
    rows = [f"| `{item.name}` | {item.title} | {item.points:g} |" for item in assignment.items]
    rows += [f"| `{question.name}` | {question.title} (written) | {question.points:g} |" for question in assignment.questions]
    lines = ["## How it is marked", "", "| | | points |", "|---|---|---:|", *rows, ""]
    if assignment.items:
        lines += [
            "- Your functions are run on inputs that nobody has seen, in a process of their own, by a checker that is not in this notebook. "
            "An exercise's points are shared among its laws; the worked example, and what any array of the right shape would pass, earn "
            "nothing.",
            "- `HOLDS` here means that the same laws held on other inputs. A function that looks its results up, or sees that it is being "
            "checked, holds here and not there.",
            "- Read each stub, also if you know the lesson: **this course may use another convention than the lesson does**, and says so in "
            "the stub.",
            "- Not marked: text, figures, your own cells, the order of cells, and every exercise that is not in the table. An exercise you "
            "leave out costs its own points only: where a later one uses it, a reference stands in.",
            "- A function may take 20 seconds a call. It has no network, no files, and none of the package's functions for what it is asked "
            "to write.",
        ]
    if assignment.questions:
        lines.append("- Written answers are read by a person who does not see your name.")
    if assignment.due:
        lines.append(f"- {late_policy(assignment.late)}")
    return "\n".join(lines)


def late_policy(late: Late) -> str:
    """The rule about being late, in a sentence."""
    grace = f"{late.grace_minutes} minutes late are not late. " if late.grace_minutes else ""
    if late.days == 0 or late.per_day >= 1:
        return f"{grace}What comes later earns nothing."
    return (f"{grace}Every day begun takes {100 * late.per_day:g} % of the points; "
            f"after {late.days} {'day' if late.days == 1 else 'days'} a submission earns nothing.")


def said_date(due: str) -> str:
    """A date as people write it, with its offset from UTC."""
    moment = datetime.fromisoformat(due)
    offset = moment.strftime("%z")
    zone = "UTC" if offset == "+0000" else f"UTC{offset[:3]}:{offset[3:5]}"
    return f"{moment:%A}, {moment.day} {moment:%B %Y}, {moment:%H:%M} ({zone})"


def _points(points: float) -> str:
    return "1 point" if points == 1 else f"{points:g} points"


def _setup(chapter: Chapter, assignment: Assignment) -> NotebookNode:
    """The lesson's own first code cell, with what is graded in its last line."""
    cells = jupytext.reads(chapter.lesson_files[0].read_text(encoding="utf-8"), PERCENT).cells
    source = next(cell.source for cell in cells if cell.cell_type == "code")
    call = f'lesson("{chapter.key}")'
    graded = "".join(f'    "{item.name}": "{item.variant}",\n' for item in assignment.items)
    return new_code_cell(source.replace(call, f'lesson("{chapter.key}", graded={{\n{graded}}})'))


def _given(others: list[Exercise]) -> str:
    """Functions that are at hand without being asked for, if there are any."""
    if not others:
        return ""
    code = [f"{_signature(other.stub)}:\n" + textwrap.indent(f'"""{other.stub.doc}"""', "    ") for other in others]
    return ("*Given.* The text or the stub speaks of what follows. You may call it; a reference is at hand.\n\n"
            + "```python\n" + "\n\n".join(code) + "\n```")


def _signature(stub: Stub) -> str:
    """The line with which a stub's function begins."""
    return re.search(r"^def .*?(?=:\n)", stub.solved, flags=re.MULTILINE | re.DOTALL)[0]


def _worth(item: Item) -> str:
    together = ", if all of its laws hold" if set(item.gates) >= {law for law, weight in item.weights.items() if weight} else ""
    return f"**{_points(item.points)}** for `{item.name}`{together}"


def _stub(exercise: Exercise, variant: str, solved: bool) -> NotebookNode:
    stub = exercise.stub_in(variant)
    source = stub.solved if solved else stub.blank
    return new_code_cell(source, metadata={"book": {"exercise": exercise.name, "stub": fingerprint(stub.blank)}})


def _question(points: float, prompt: Prompt, solved: bool) -> list[NotebookNode]:
    answer = prompt.model if solved else PLACEHOLDER
    text = new_markdown_cell(f"### {prompt.title}\n\n{resolve(prompt.text)}\n\n**{_points(points)}** for `{prompt.name}`")
    return [text, new_markdown_cell(f"*Your answer to* `{prompt.name}`\n\n{answer}", metadata={"book": {"question": prompt.name}})]


def _letters(chapter: Chapter, items: dict[str, Item]) -> str:
    """The chapter's table of letters, as far as the chosen exercises use it."""
    shapes: dict[str, set[str]] = {}
    for item in items.values():
        stub = chapter.exercises[item.name].stub_in(item.variant)
        for letter in stub.arguments:
            shapes.setdefault(letter, set()).add(stub.shapes.get(letter, ""))
    # what this course turns round would only confuse in a table: its stub says it
    meanings = {letter: meaning for letter, meaning in chapter.facts.LETTERS.items()
                if letter in shapes and shapes[letter] <= {meaning[0], ""}}
    return letters(meanings) if meanings else ""
