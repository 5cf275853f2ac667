"""Written answers: what is asked, how it is marked by hand, and answers without names, one file a question.

A chapter declares its questions in `written.py`, as a list QUESTIONS of Prompt: proofs that are no chain of equalities.
"""

import base64
import binascii
import csv
import hashlib
import hmac
import importlib
import io
import math
import re
from dataclasses import dataclass
from pathlib import Path

from book_utils.course import workspace
from book_utils.course.catalog import Chapter
from book_utils.course.cite import resolve
from book_utils.course.errors import CourseError, nearest
from book_utils.course.grading.assignment import Assignment, Question
from book_utils.course.grading.submissions import contents, files

PLACEHOLDER = "*Write here.*"
COLUMNS = ("question", "pseudonym", "points", "of", "comment", "answer")  # of marks.csv; `answer` is a hash of what was read

_MARKER = re.compile(r"\s*\*Your answer to\*\s+`([\w.]+)`")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # what commands terminals, or turns text around
_LONGEST = 20_000  # characters of one answer; what is longer is cut, and says so
_PICTURES = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif"}
_LETTERS = "bcdfghjkmnpqrstvwxz"  # no vowels, so no words; no digits, so no spreadsheet takes a pseudonym for a number


@dataclass(frozen=True)
class Flawed:
    """An answer that is not right, what is wrong with it, and what it earns."""

    answer: str
    wrong: str
    points: float


@dataclass(frozen=True)
class Prompt:
    """A question to answer in words. Each item of the rubric is (points, what must be there)."""

    name: str
    title: str
    text: str
    rubric: tuple[tuple[float, str], ...]
    model: str
    flawed: tuple[Flawed, Flawed]
    minutes: int = 15

    @property
    def points(self) -> float:
        """Sum over the rubric."""
        return sum(points for points, _ in self.rubric)


def prompts(chapter: Chapter) -> dict[str, Prompt]:
    """The questions of a chapter, by name; none where it declares none."""
    if not (chapter.folder / "written.py").is_file():
        return {}
    return {prompt.name: prompt for prompt in importlib.import_module(f"{chapter.facts.__name__}.written").QUESTIONS}


def rubric(prompt: Prompt, points: float) -> str:
    """How the answers to a question are marked, when it is worth so many points: a page of Markdown."""
    scale = points / prompt.points
    rows = [f"{number}. **{scale * worth:.3g}** {resolve(what)}" for number, (worth, what) in enumerate(prompt.rubric, start=1)]
    lines = [f"# {prompt.title}", "", f"`{prompt.name}`, {points:g} points, about {prompt.minutes} minutes.", "", resolve(prompt.text), "",
             "## What earns points", "", *rows, "",
             "A step may be said in other words or in another order. What follows from a mistake that already cost points is read as if it "
             "were right.",
             "", "## A full answer", "", resolve(prompt.model)]
    for number, flawed in enumerate(prompt.flawed, start=1):
        lines += ["", f"## A flawed answer ({number}): {scale * flawed.points:.3g} of {points:g}", "", _quoted(resolve(flawed.answer)), "",
                  f"**What is wrong.** {resolve(flawed.wrong)}"]
    return "\n".join(lines) + "\n"


def answers(notebook: dict, handout: dict) -> dict[str, str]:
    """The text that a submission answers each question of a handout with; "" where there is none.

    An answer is what stands in the question's own cell and in the cells that were added behind it, up to the handout's next cell.
    """
    return {name: _tidy("\n\n".join(text for text, _ in parts)) for name, parts in _parts(notebook, handout).items()}


def _parts(notebook: dict, handout: dict) -> dict[str, list[tuple[str, dict]]]:
    """(text, attachments) of every cell that belongs to an answer."""
    asked: dict[str, str] = {}  # question -> the text of the cell that asks it
    for before, cell in zip(handout["cells"], handout["cells"][1:]):
        if name := _question(cell):
            asked[name] = before["source"].strip()
    known = {cell["source"].strip() for cell in handout["cells"] if not _question(cell)}
    found: dict[str, list[tuple[str, dict]]] = {name: [] for name in asked}
    current = ""
    for cell in notebook["cells"]:
        source = cell["source"].strip()
        name = _question(cell)
        if name in asked:
            current = name
            source = _MARKER.sub("", source, count=1).replace(PLACEHOLDER, "")
        elif source in known or workspace.declared(source):
            current = ""
        elif begun := next((name for name, text in asked.items() if source.startswith(text)), ""):  # written into the question itself
            current, source = begun, source[len(asked[begun]):]
        if current and source.strip():
            text = f"```\n{source.strip()}\n```" if cell["cell_type"] == "code" else source.strip()
            attachments = cell.get("attachments")
            part = (text, attachments if isinstance(attachments, dict) else {})
            if part not in found[current]:
                found[current].append(part)
    return found


def _question(cell: dict) -> str:
    """Name of the question that a cell answers, or nothing."""
    book = cell.get("metadata", {}).get("book")
    if isinstance(book, dict) and isinstance(book.get("question"), str):
        return book["question"]
    match = _MARKER.match(cell["source"])
    return match[1] if match else ""


def _tidy(text: str) -> str:
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + f"\n\n(cut after {_LONGEST} characters)"


def pseudonym(assignment: Assignment, file: str) -> str:
    """What the graders of an assignment know a submission by; `file` is its path in the folder (or zip) of submissions, with slashes."""
    digest = hmac.new(bytes.fromhex(assignment.secret), f"written|{file}".encode(), hashlib.sha256).digest()
    number, letters = int.from_bytes(digest[:8], "big"), ""
    for _ in range(8):
        number, place = divmod(number, len(_LETTERS))
        letters += _LETTERS[place]
    return letters


@dataclass(frozen=True)
class Exported:
    """What `export` wrote: number of submissions, of answers, the key's file, and a sentence on every notebook that could not be read."""

    submissions: int
    answers: int
    key: Path
    unreadable: tuple[str, ...]


def export(submissions: Path, assignment: Assignment, out: Path) -> Exported:
    """Write the answers to every written question, under pseudonyms, into `out`, with a `marks.csv` to fill in.

    Marks that are there already stay, unless the answer has changed since: then the mark moves into the comment. Who is who stands
    beside the folder, in a file of its own. CourseError where there are no questions or no submissions, or `out` is something else.
    """
    if not assignment.questions:
        raise CourseError(f"{assignment.name} has no written questions.")
    if out.exists() and not out.is_dir():
        raise CourseError(f"{out} is a file, and a folder is wanted.")
    if out.is_dir() and any(out.iterdir()) and not (out / "marks.csv").is_file():
        raise CourseError(f"{out} is not empty, and `book written` did not make it: it has no marks.csv.")
    earlier = _rows(out / "marks.csv", assignment) if (out / "marks.csv").is_file() else {}
    handout = workspace.read(assignment.handout)
    read: dict[str, dict[str, list[tuple[str, dict]]]] = {}  # pseudonym -> question -> parts
    key, unreadable = [], []
    for submission in (s for s in files(submissions) if s.file.lower().endswith(".ipynb")):
        file = submission.file
        name = pseudonym(assignment, file)
        key.append((name, file))
        if submission.trouble:
            unreadable.append(f"{file}: {submission.trouble}")
            continue
        try:
            read[name] = _parts(workspace.parsed(contents(submissions, submission), Path(file)), handout)
        except (CourseError, RecursionError) as error:
            unreadable.append(str(error) if isinstance(error, CourseError) else f"{file} is not a notebook that can be read.")
    if not key:
        raise CourseError(f"There is no notebook in {submissions}.")
    made: dict[str, bytes] = {}
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(COLUMNS)
    count = 0
    for question in assignment.questions:
        page = [(assignment.instructor / "rubrics" / f"{question.name}.md").read_text(encoding="utf-8"), "", "# Answers"]
        for name in sorted(read):
            text, pictures = _shown(read[name][question.name], f"{question.name}-{name}")
            made |= pictures
            rows.writerow(_row(question, name, text, earlier.get((question.name, name))))
            if text:
                count += 1
                page += ["", f"## {name}", "", _quoted(text)]
        made[f"{question.name}.md"] = ("\n".join(page) + "\n").encode()
    made["marks.csv"] = table.getvalue().encode()
    listed = io.StringIO()
    csv.writer(listed, lineterminator="\n").writerows([("pseudonym", "file"), *sorted(key)])
    key_file = out.with_name(f"{out.name}-key.csv")
    out.mkdir(parents=True, exist_ok=True)
    for name, data in made.items():
        _write(out / name, data)
    _write(key_file, listed.getvalue().encode())
    return Exported(len(read), count, key_file, tuple(unreadable))


def _shown(parts: list[tuple[str, dict]], stem: str) -> tuple[str, dict[str, bytes]]:
    """An answer as text in which nothing is code, and the pictures in it, as files."""
    texts, pictures = [], {}
    for text, attachments in parts:
        for name, kinds in attachments.items():
            for kind, data in kinds.items() if isinstance(kinds, dict) else ():
                if kind in _PICTURES and isinstance(data, str) and f"attachment:{name}" in text:
                    try:
                        picture = base64.b64decode(data, validate=False)
                    except (binascii.Error, ValueError):
                        continue
                    file = f"{stem}-{len(pictures) + 1}.{_PICTURES[kind]}"
                    pictures[file] = picture
                    text = text.replace(f"attachment:{name}", file)
        texts.append(text)
    return _tidy("\n\n".join(texts)), pictures


def _quoted(text: str) -> str:
    """Text as a quotation in Markdown that it cannot leave: no line of it is a heading of the page, and no tag is one."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "\n".join(f"> {line}".rstrip() for line in escaped.splitlines())


def _row(question: Question, name: str, text: str, earlier: dict[str, str] | None) -> tuple:
    now = hashlib.sha256(text.encode()).hexdigest()[:12]
    points, comment = ("", "") if text else ("0", "no answer")
    if earlier and earlier["answer"] == now:
        points, comment = earlier["points"], earlier["comment"]
    elif earlier and earlier["points"] and earlier["comment"] != "no answer":
        comment = f"(the answer has changed; the earlier one had {earlier['points']}) {earlier['comment']}".strip()
    return question.name, name, points, f"{question.points:g}", comment, now


def read_marks(path: Path, assignment: Assignment) -> dict[tuple[str, str], tuple[float, str]]:
    """(points, comment) by (question, pseudonym), from a `marks.csv`; rows without points are not marked yet and are left out.

    CourseError, with the line, for a question that the assignment does not have, a row that stands twice, or points out of range.
    """
    rows = _rows(path, assignment)
    return {key: (float(row["points"].replace(",", ".")), row["comment"]) for key, row in rows.items() if row["points"]}


def _rows(path: Path, assignment: Assignment) -> dict[tuple[str, str], dict[str, str]]:
    worth = {question.name: question.points for question in assignment.questions}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if absent := set(COLUMNS[:3]) - set(reader.fieldnames or ()):
                raise CourseError(f"{path} has no column {sorted(absent)[0]!r}; its first line should be {','.join(COLUMNS)}.")
            rows = {}
            for row in reader:
                line = reader.line_num
                row = {column: (row.get(column) or "").strip() for column in COLUMNS}
                key = row["question"], row["pseudonym"]
                if key[0] not in worth:
                    raise CourseError(f"{path}, line {line}: {nearest(key[0], worth, 'written question')}")
                if key in rows:
                    raise CourseError(f"{path}, line {line}: {key[1]} stands twice for {key[0]}.")
                if row["points"] and not 0 <= _number(row["points"]) <= worth[key[0]]:
                    raise CourseError(f"{path}, line {line}: {row['points']!r} is not a number of points from 0 to {worth[key[0]]:g}.")
                rows[key] = row
            return rows
    except FileNotFoundError:
        raise CourseError(f"There is no file {path}.") from None
    except (UnicodeDecodeError, csv.Error):
        raise CourseError(f"{path} is not a table in UTF-8 that can be read; save it as CSV (UTF-8).") from None


def _number(text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return math.nan


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: beside, then renamed."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(data)
    fresh.replace(path)
