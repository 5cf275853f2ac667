"""A course plan made from the exercises themselves: their minutes, their levels, and what they build on."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from book_utils.course import catalog
from book_utils.course.catalog import Chapter
from book_utils.course.errors import CourseError
from book_utils.course.exercises import Exercise
from book_utils.course.grading import handout, written

COLUMNS = ("week", "chapter", "part", "section", "exercise", "title", "level", "required", "minutes", "builds on", "for marks")
BEGIN, END = "<!-- syllabus: made by `book build` -->", "<!-- end of the syllabus -->"

WEEKS = 13

_INSIDE = 60.0  # what a week costs that ends within a Part, in squared minutes: to avoid it, weeks may differ a little more


@dataclass(frozen=True)
class Entry:
    """One exercise in its place."""

    exercise: Exercise
    part: str  # heading of its Part, "" before the first
    section: str
    required: bool  # core, or needed by a core exercise

    @property
    def marks(self) -> str:
        """How it is asked where it earns marks: in a convention of the course's own, or in the lesson's, whose solution is public."""
        if self.exercise.variants:
            return "variant"
        return "self-study" if self.exercise.self_study else "as in the lesson"


@dataclass(frozen=True)
class Week:
    """A run of exercises of one chapter."""

    number: int
    chapter: Chapter
    entries: tuple[Entry, ...]

    @cached_property
    def required(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.required]

    @property
    def minutes(self) -> int:
        """Of what is required."""
        return sum(entry.exercise.minutes for entry in self.required)

    def more(self, *levels: str) -> list[Entry]:
        """What is not required, of these levels."""
        return [entry for entry in self.entries if not entry.required and entry.exercise.level in levels]


def course(chapters: Iterable[Chapter]) -> list[Chapter]:
    """Those of the chapters that a course goes through: all but the ones to begin with."""
    return [chapter for chapter in chapters if chapter.key not in catalog.FIRST]


def plan(chapters: Iterable[Chapter], weeks: int) -> list[Week]:
    """The exercises of the chapters over so many weeks: in the lessons' order, no week in two chapters, required minutes as even as may be.

    What is not required stands in the week of the required exercise before it. CourseError for fewer weeks than chapters, and for more
    than there are required exercises.
    """
    chapters = list(chapters)
    if not chapters:
        raise CourseError("A syllabus wants at least one chapter.")
    if repeated := [c.key for c in chapters if chapters.count(c) > 1]:
        raise CourseError(f"{repeated[0]} is named twice.")
    blocks = [blocks_of(chapter) for chapter in chapters]
    most = sum(map(len, blocks))
    if not len(chapters) <= weeks <= most:
        raise CourseError(f"{len(chapters)} chapters with {most} required exercises fill {len(chapters)} to {most} weeks, not {weeks}.")
    ends = _cut([[sum(e.exercise.minutes for e in block if e.required) for block in each] for each in blocks],
                [[block[0].part != before[0].part for before, block in zip(each, each[1:], strict=False)] for each in blocks], weeks)
    found: list[Week] = []
    for chapter, each, stops in zip(chapters, blocks, ends, strict=True):
        for start, stop in zip((0, *stops), stops, strict=False):
            found.append(Week(len(found) + 1, chapter, tuple(entry for block in each[start:stop] for entry in block)))
    return found


def blocks_of(chapter: Chapter) -> list[list[Entry]]:
    """The exercises of a chapter, cut before every required one (what stands before the first goes with it); CourseError for none."""
    required = {e.name for e in chapter.exercises.values() if e.level == "core"}
    while more := {need for name in required for need in chapter.exercises[name].needs if need in chapter.exercises} - required:
        required |= more
    if not required:
        raise CourseError(f"{chapter.key} has no core exercises.")
    blocks: list[list[Entry]] = [[]]
    part = ""
    for section in handout.sections(chapter):
        heading = section.pieces[0][1].partition("\n")[0] if section.pieces else ""
        if heading.startswith("## "):
            part, heading = heading.removeprefix("## "), ""
        for name in section.names:
            entry = Entry(chapter.exercises[name], part, heading.lstrip("# "), name in required)
            if entry.required and any(e.required for e in blocks[-1]):
                blocks.append([])
            blocks[-1].append(entry)
    return blocks


def _cut(minutes: list[list[int]], fresh: list[list[bool]], weeks: int) -> list[list[int]]:
    """For every chapter, where its weeks end, so that the squares of the weeks' minutes sum to the least.

    `fresh` says of every block but the first of a chapter whether a Part begins with it: a week had better begin there.
    """
    @lru_cache(maxsize=None)
    def best(chapter: int, start: int, left: int) -> tuple[float, tuple]:
        """(cost, ((chapter, end), ...)) of what remains from a block on, in so many weeks."""
        if chapter == len(minutes):
            return (0.0, ()) if left == 0 else (float("inf"), ())
        if left == 0:
            return float("inf"), ()
        found = []
        for end in range(start + 1, len(minutes[chapter]) + 1):
            done = end == len(minutes[chapter])
            cost = sum(minutes[chapter][start:end]) ** 2 + (0.0 if done or fresh[chapter][end - 1] else _INSIDE)
            rest, ends = best(chapter + 1, 0, left - 1) if done else best(chapter, end, left - 1)
            found.append((cost + rest, ((chapter, end), *ends)))
        return min(found)
    ends = best(0, 0, weeks)[1]
    return [[end for chapter, end in ends if chapter == number] for number in range(len(minutes))]


def overview(weeks: list[Week]) -> str:
    """A table with a line for every week."""
    lines = ["| week | chapter | Part | required exercises | minutes | more | challenge |", "|---:|---|---|---|---:|---:|---:|"]
    for week in weeks:
        names = ", ".join(f"`{entry.exercise.function}`" for entry in week.required)
        parts = ", ".join(part.partition(":")[0] for part in _parts(week))
        lines.append(f"| {week.number} | {week.chapter.key} | {parts} | {names} | {week.minutes} | "
                     f"{_minutes(week.more('more'))} | {_minutes(week.more('challenge'))} |")
    more, challenge = (sum(_minutes(week.more(level)) for week in weeks) for level in ("more", "challenge"))
    lines.append(f"| | | | **all** | **{sum(week.minutes for week in weeks)}** | **{more}** | **{challenge}** |")
    return "\n".join(lines) + "\n"


def markdown(weeks: list[Week]) -> str:
    """The whole plan as a page."""
    total, longest = sum(week.minutes for week in weeks), max(week.minutes for week in weeks)
    page = [f"# Syllabus: {len(weeks)} weeks", "", "<!-- Made from the exercises by `book syllabus`; change those instead. -->", "",
            f"{hours(total)} of required exercises, {hours(longest)} at most in a week. Minutes are the authors' estimates for writing an "
            "answer; reading the lesson, lectures and written answers come on top. Required is what is core, and what core exercises build "
            "on; the rest is for who has time.",
            "", overview(weeks)]
    home: dict[str, int] = {entry.exercise.name: week.number for week in weeks for entry in week.entries}
    for week in weeks:
        page += [f"## Week {week.number}: {week.chapter.title}", "", f"{'; '.join(_parts(week))}. {hours(week.minutes)}.", "",
                 "| exercise | afterwards you can | minutes | builds on | for marks |", "|---|---|---:|---|---|"]
        for entry in week.required:
            e = entry.exercise
            cells = f"`{e.name}` {e.title}", e.objective.rstrip("."), e.minutes, _needs(e, week.number, home), entry.marks
            page.append(f"| {' | '.join(map(str, cells))} |")
        for level, said in (("more", "More"), ("challenge", "Challenge")):
            if entries := week.more(level):
                each = ", ".join(f"`{entry.exercise.function}` {entry.exercise.minutes}" for entry in entries)
                page += ["", f"{said} ({_minutes(entries)} minutes): {each}."]
        if week is _last(weeks, week.chapter) and (prompts := written.prompts(week.chapter)):
            page += ["", "To answer in words, by now: " + ", ".join(f"`{p.name}` ({p.minutes} minutes)" for p in prompts.values()) + "."]
        page.append("")
    return "\n".join(page).rstrip("\n") + "\n"


def table(weeks: list[Week]) -> str:
    """The plan as CSV, a line for every exercise."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    for week in weeks:
        for entry in week.entries:
            e = entry.exercise
            rows.writerow((week.number, week.chapter.key, entry.part, entry.section, e.name, e.title, e.level,
                           "yes" if entry.required else "no", e.minutes, " ".join(e.needs), entry.marks))
    return out.getvalue()


def placed(page: str, text: str) -> str:
    """A page with `text` between the two comments that mark its place; CourseError where they are missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise CourseError(f"The page has no place for the syllabus: it wants {BEGIN} and, behind it, {END}.")
    return f"{before}{BEGIN}\n\n{text}\n{END}{after}"


def hours(minutes: int) -> str:
    """90 -> "1 h 30 min"."""
    whole, rest = divmod(minutes, 60)
    return " ".join([f"{whole} h"] * bool(whole) + [f"{rest} min"] * bool(rest or not whole))


def _minutes(entries: Iterable[Entry]) -> int:
    return sum(entry.exercise.minutes for entry in entries)


def _parts(week: Week) -> list[str]:
    return list(dict.fromkeys(entry.part for entry in week.required if entry.part)) or [week.chapter.title]


def _needs(exercise: Exercise, now: int, home: dict[str, int]) -> str:
    said = [f"`{need.rpartition('.')[2]}`" + (f" (week {home[need]})" if home.get(need, now) != now else "") for need in exercise.needs]
    return ", ".join(said)


def _last(weeks: list[Week], chapter: Chapter) -> Week:
    return [week for week in weeks if week.chapter is chapter][-1]
