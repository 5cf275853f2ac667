"""`book assign`: an assignment made of a chapter's exercises, written as a folder, whole or not at all."""

import dataclasses
import hashlib
import hmac
import math
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from book_utils.course import catalog
from book_utils.course.catalog import Chapter
from book_utils.course.checking import check
from book_utils.course.errors import CourseError, nearest
from book_utils.course.exercises import Exercise
from book_utils.course.grading import handout, written
from book_utils.course.grading.assignment import MOST, NAME, ROUNDS, Assignment, Item, Late, Question, digest, dumps, load
from book_utils.course.grading.freeze import freeze, revision
from book_utils.course.grading.handout import late_policy, said_date
from book_utils.course.grading.weights import rules
from book_utils.course.notebook import dumps as notebook_text
from book_utils.course.notebook import published

_LEAST = 16  # bytes of a salt
_MADE = ("assignment.json", "frozen", "rubrics", "summary.md")  # in instructor/, beside NAME_solved.ipynb: ours, and replaced by --force


@dataclass(frozen=True)
class Made:
    """An assignment that was written, whether its salt is new, and sentences on what its author had better know."""

    assignment: Assignment
    new_salt: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """What an assignment is to be made of, as it is typed."""

    chapter: str
    exercises: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    points: tuple[str, ...] = ()  # "tweedie=2"
    title: str = ""
    due: str = ""
    late: Late = Late()
    solutions: bool = True  # whether the instructor's folder gets a solved copy
    variants: bool = True  # whether exercises are stated in another convention where they have one


def assign(wanted: Wanted, out: Path, salt: Path, force: bool = False) -> Made:
    """Write the assignment into the folder `out`, which also gives it its name. The same arguments and salt make the same files.

    A salt that is not there yet is made. CourseError, and nothing is written, for a name that the chapter does not have, points or a
    date that cannot be read, a salt that is too short, and a folder that is in use: `force` replaces an assignment, and no other folder.
    """
    name = _name(out)
    _room(out, force)
    secret_salt, new_salt = _salt(salt, out)
    chapter = catalog.chapter(wanted.chapter)
    exercises = _chosen(wanted.exercises, chapter.exercises, chapter.key, "exercise")
    prompts = _chosen(wanted.written, written.prompts(chapter), chapter.key, "written question")
    if not exercises and not prompts:
        raise CourseError(f"An assignment wants exercises or written questions. `book list {chapter.key}` shows the exercises.")
    points = _points(wanted.points, {thing.name: float(thing.points) for thing in (*exercises, *prompts)}, chapter.key)
    secret = hmac.new(secret_salt, name.encode(), hashlib.sha256).hexdigest()
    conventions = {e.name: _variant(e, exercises, secret) if wanted.variants else "" for e in exercises}
    items = tuple(_item(e, points[e.name], revision(chapter, e.stub), conventions[e.name]) for e in exercises)
    questions = tuple(Question(p.name, p.title, points[p.name]) for p in prompts)
    title = wanted.title or f"{name}: {chapter.title.partition(': ')[2] or chapter.title}"
    plan = Assignment(name, title, chapter.key, published()[1], "", secret, items, questions, _due(wanted.due), _late(wanted.late), out)
    for exercise in exercises:
        _audit(exercise, conventions[exercise.name], plan)
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=out.absolute().parent) as beside:
        made = dataclasses.replace(plan, folder=Path(beside) / name)
        made.frozen.mkdir(parents=True)
        freeze(chapter, made.frozen)
        made = dataclasses.replace(made, checks=digest(made.frozen))
        _write(made, chapter, prompts, exercises, wanted.solutions)
        load(made.folder)  # what cannot be read back is not worth having
        if new_salt:
            _write_salt(salt, secret_salt)
        _move(made.folder, out, Path(beside) / "old", name)
    return Made(dataclasses.replace(made, folder=out), new_salt, tuple(_warnings(made, exercises, conventions, wanted.variants)))


def _name(out: Path) -> str:
    name = out.absolute().name
    if not NAME.fullmatch(name):
        raise CourseError(f"The folder gives the assignment its name, and {name!r} is none: letters, digits, '.', '-' and '_', as in hw3.")
    return name


def _room(out: Path, force: bool) -> None:
    """CourseError unless `out` is free, or an assignment that may be replaced."""
    if out.is_symlink() or out.exists() and not out.is_dir():
        raise CourseError(f"{out} is not a folder; an assignment wants one of its own.")
    if out.is_dir() and any(out.iterdir()):
        if not (out / "instructor" / "assignment.json").is_file():
            raise CourseError(f"{out} is not empty, and it is not an assignment; name another folder.")
        if not force:
            raise CourseError(f"{out} is an assignment already. To make it anew, add --force; to keep both, name another folder.")


def _salt(path: Path, out: Path) -> tuple[bytes, bool]:
    """What the file holds, or something new to put into it, and which of the two."""
    if path.absolute().is_relative_to(out.absolute()):
        raise CourseError(f"The salt {path} would lie in the folder of the assignment. Keep it elsewhere: one salt serves a whole course.")
    try:
        salt = path.read_bytes().strip()  # an editor may have added an end of line
    except FileNotFoundError:
        if not path.absolute().parent.is_dir():
            raise CourseError(f"There is no folder {path.parent} for the salt.") from None
        return secrets.token_hex(32).encode(), True
    except OSError as error:
        raise CourseError(f"The salt {path} cannot be read: {error.strerror}.") from None
    if len(salt) < _LEAST:
        raise CourseError(f"The salt {path} has {len(salt)} bytes, and at least {_LEAST} are wanted. Name a file that does not exist: "
                          "then one is made.")
    return salt, False


def _write_salt(path: Path, salt: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(salt + b"\n")


def _chosen(names: Iterable[str], there: dict, key: str, what: str) -> list:
    """The things of these names, short or full, in the chapter's order."""
    full = [name if "." in name else f"{key}.{name}" for name in names]
    for name in full:
        if name not in there:
            raise nearest(name, there, f"{what} of {key}")
        if full.count(name) > 1:
            raise CourseError(f"{name} is named twice.")
    return [thing for name, thing in there.items() if name in full]


def _points(given: Iterable[str], points: dict[str, float], key: str) -> dict[str, float]:
    """Points of everything, by name; `given` changes some, as in "tweedie=2"."""
    changed: dict[str, float] = {}
    for text in given:
        name, equals, number = (part.strip() for part in text.partition("="))
        name = name if "." in name else f"{key}.{name}"
        try:
            worth = float(number)
        except ValueError:
            worth = math.nan
        if not equals or not 0 <= worth <= MOST:
            raise CourseError(f"{text!r} does not say how many points; it should look like tweedie=2.")
        if name not in points:
            raise nearest(name, points, "exercise or question in this assignment")
        if name in changed:
            raise CourseError(f"{name} is given points twice.")
        changed[name] = worth
    if not any((points | changed).values()):
        raise CourseError("Nothing in this assignment is worth a point.")
    return points | changed


def _due(text: str) -> str:
    if not text:
        return ""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CourseError(f"{text!r} is not a date and time; it should look like 2026-10-02T23:59-07:00.") from None
    if moment.tzinfo is None:
        raise CourseError(f"{text!r} says no offset from UTC, and an hour is not the same moment everywhere; write {text}-07:00, "
                          f"or {text}+00:00.")
    return moment.isoformat()


def _late(late: Late) -> Late:
    if not 0 <= late.per_day <= 1 or late.days < 0 or late.grace_minutes < 0:
        raise CourseError("Being late costs a share from 0 to 1 of the points a day, for a number of days that is not negative.")
    return late


def _variant(exercise: Exercise, exercises: list[Exercise], secret: str) -> str:
    """The convention that the salt chooses; the lesson's own for an exercise that another one here calls by its name."""
    if not exercise.variants or any(calls(other, exercise) for other in exercises if other is not exercise):
        return ""
    from book_utils.course.variants import choose

    return choose(exercise, secret)


def calls(one: Exercise, other: Exercise) -> bool:
    """Whether an exercise needs another one or calls its function."""
    return other.name in one.needs or other.function in handout.names_used(one)


def _item(exercise: Exercise, points: float, revision: str, variant: str) -> Item:
    """An exercise as it is marked, by the weights and gates that its convention asks for."""
    return Item(exercise.name, exercise.title, points, revision, *rules(exercise, variant), variant)


def _audit(exercise: Exercise, variant: str, plan: Assignment) -> None:
    """CourseError unless every answer that is known to be right holds on this assignment's secret inputs: nobody is marked down by the draw."""
    solutions = {convention: exercise.stub_in(convention).solved for convention in dict.fromkeys((variant, ""))}
    right = [(exercise.compile(source), source, convention) for convention, source in solutions.items()]
    right += [(exercise.compile(source), source, "") for source in (r.source(exercise.name, exercise.stub) for r in exercise.rights)]
    for number in range(ROUNDS):
        for function, source, convention in right:
            verdict = check(exercise, function, source, plan.seed(exercise.name, number), convention)
            if verdict.status != "HOLDS":
                raise CourseError(f"A right answer to {exercise.name} does not hold on the inputs that this salt draws, so it cannot be "
                                  f"assigned with it. {verdict.text}")


def _write(made: Assignment, chapter: Chapter, prompts: list[written.Prompt], exercises: list[Exercise], solutions: bool) -> None:
    """Every file of the assignment but frozen/, which is there."""
    put = {
        made.handout: notebook_text(handout.make(made, chapter, prompts)),
        made.instructor / "assignment.json": dumps(made),
        made.instructor / "summary.md": summary(made, exercises, prompts),
    }
    if solutions:
        put[made.instructor / f"{made.name}_solved.ipynb"] = notebook_text(handout.make(made, chapter, prompts, solved=True))
    for question, prompt in zip(made.questions, prompts, strict=True):
        put[made.instructor / "rubrics" / f"{question.name}.md"] = written.rubric(prompt, question.points)
    for path, text in put.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


def _move(fresh: Path, out: Path, old: Path, name: str) -> None:
    """Put the new folder in the place of `out`. Files there that no assignment writes (extensions, overrides, ...) come along."""
    if out.is_dir():
        mine = {out / f"{name}.ipynb", out / "instructor", out / "instructor" / f"{name}_solved.ipynb"}
        mine |= {out / "instructor" / part for part in _MADE}
        for path in (*out.iterdir(), *(out / "instructor").glob("*")):
            if path not in mine:
                copy = fresh / path.relative_to(out)
                shutil.copytree(path, copy, symlinks=True) if path.is_dir() else shutil.copy2(path, copy)
    try:
        if out.is_dir():
            out.rename(old)
        fresh.rename(out)
    except BaseException:  # Ctrl-C included: what is left in `old` would be deleted
        if old.exists():
            old.rename(out)
        raise


def _warnings(made: Assignment, exercises: list[Exercise], conventions: dict[str, str], variants: bool) -> Iterable[str]:
    for exercise in exercises:
        if exercise.self_study:
            yield f"{exercise.name} is for self-study only ({exercise.self_study}): its published solution passes."
        elif not conventions[exercise.name]:
            why = "it has no variant" if not exercise.variants else "--no-variants" if not variants else "another exercise here calls it"
            yield f"{exercise.name} is asked for as in the lesson ({why}): its published solution passes."
        if exercise.needs_grad:
            yield f"{exercise.name} needs jax.grad: say so in class."
    missing = [(e, need) for e in exercises for need in e.needs if need not in conventions]
    for exercise, need in missing:
        yield f"{exercise.name} builds on {need}, which is not assigned: a reference stands in for it."


def summary(made: Assignment, exercises: list[Exercise], prompts: list[written.Prompt]) -> str:
    """One page for the instructor."""
    minutes = sum(e.minutes for e in exercises) + sum(p.minutes for p in prompts)
    due = f"due {said_date(made.due)}. {late_policy(made.late)}" if made.due else "no date."
    lines = [f"# {made.title}", "", f"`{made.name}`, {made.points:g} points, about {minutes} minutes; {due}", "",
             "Students get the one notebook beside this folder. Keep this folder to yourself: it holds the secret that inputs are drawn "
             "from.", ""]
    if exercises:
        lines += ["## Exercises", "", "| exercise | level | minutes | points | stated |", "|---|---|---:|---:|---|"]
        for item, e in zip(made.items, exercises, strict=True):
            stated = f"variant *{item.variant}*" if item.variant else "as in the lesson" + (" (self-study)" if e.self_study else "")
            lines.append(f"| `{item.name}` {item.title} | {e.level} | {e.minutes} | {item.points:g} | {stated} |")
        lines += ["", "Points of an exercise are shared among its laws by weight. What weighs 0 is what the stub gives away or an answer "
                  "without content passes. Weights and gates (laws without which an exercise earns nothing) stand in assignment.json; "
                  "change them there before the first grading.", ""]
        for item, e in zip(made.items, exercises, strict=True):
            total = sum(item.weights.values())
            lines += [f"**`{item.name}`** ({e.objective.rstrip('.')})", ""]
            lines += [f"- {100 * weight / total:.3g} %: {law}" + " *(gate)*" * (law in item.gates) for law, weight in item.weights.items()]
            lines.append("")
    if prompts:
        lines += ["## Written answers", "", "| question | minutes | points | rubric |", "|---|---:|---:|---|"]
        for question, prompt in zip(made.questions, prompts, strict=True):
            lines.append(f"| `{question.name}` {question.title} | {prompt.minutes} | {question.points:g} | rubrics/{question.name}.md |")
        lines.append("")
    lines += ["## From here to marks", "", "```",
              f"book grade submissions/ --assignment {made.name}/ --roster canvas.csv --out grades.csv --feedback feedback/"]
    if prompts:
        lines.append(f"book written submissions/ --assignment {made.name}/ --out written/")
    lines += ["```", "",
              f"Made with version {made.version}; graded by the checks in frozen/ (hash {made.checks[:12]}), whatever is installed later. "
              "The same salt and the same arguments make this folder again.", "",
              "Solutions of the lessons are public. What protects marks: inputs that nobody has seen, conventions of this course where an "
              "exercise has them, and a question or two asked aloud. What nothing here protects against: a solution shared in class."]
    return "\n".join(lines) + "\n"
