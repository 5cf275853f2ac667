"""What a student reads: a page that says what held, what did not, and what to look at. It knows nothing of secret inputs."""

from pathlib import PurePosixPath

from book_utils.course.grading import marks, rosters, tables
from book_utils.course.grading.assignment import Assignment, Item
from book_utils.course.grading.gradebook import Row, excused, number
from book_utils.course.grading.marks import Mark
from book_utils.course.grading.pages import heading, page, paragraph, table

_STATUS = {"HOLDS": "all laws hold", "FAILS": "a law does not hold", "RAISES": "stopped with an error", "NOT STARTED": "not started"}


def pages(assignment: Assignment, rows: list[Row]) -> dict[str, str]:
    """A page for everyone who handed in, by file name: as Canvas and Moodle take them back, otherwise after the student's number."""
    return {_file(row): _page(assignment, row) for row in rows if row.submission}


def _file(row: Row) -> str:
    submission = row.submission
    if submission.owner == row.student.key and submission.form == rosters.MOODLE and "/" in submission.file:
        return f"{submission.part}/feedback.html"
    if submission.owner == row.student.key and submission.form:
        return f"{PurePosixPath(submission.part).stem}.html"
    return f"{''.join(c if c.isalnum() or c in '@.-' else '_' for c in row.student.key).lstrip('.')}.html"


def _page(assignment: Assignment, row: Row) -> str:
    titles = {item.name: item for item in assignment.items}
    overview = [(titles[mark.name].title, _status(mark), number(mark.points), number(mark.of)) for mark in row.marks]
    overview += [(answer.title, "marked" if answer.points is not None else "not marked yet", number(answer.points), number(answer.of))
                 for answer in row.answers.values()]
    parts = [paragraph(f"For {row.student.name}."), paragraph(_outcome(row)),
             table("Points", ("Part", "What was found", ">Points", ">Of"), overview),
             table("The mark", ("Sum", ">Points"), _sums(assignment, row))]
    for mark in row.marks:
        parts += _exercise(titles[mark.name], mark)
    for answer in row.answers.values():
        earned = "not marked yet" if answer.points is None else f"{number(answer.points)} of {number(answer.of)} points"
        parts += [heading(answer.title), paragraph(f"Written answer, {earned}."), paragraph(answer.comment)]
    parts += [heading("How this was marked"), paragraph(
        "Each exercise was run on inputs that nobody knows beforehand, and its laws were tested there. A sentence about a law that does not "
        "hold shows an input that is public; yours was also wrong on others. If you think that a mark is wrong, reply with the name "
        "of the law.")]
    return page(f"{assignment.title}: feedback", *filter(None, parts))


def _status(mark: Mark) -> str:
    return _STATUS.get(mark.status, mark.status.lower())


def _outcome(row: Row) -> str:
    """What became of the file, in a sentence."""
    name = PurePosixPath(row.submission.file).name
    if row.status == marks.UNREADABLE:
        return f"Your file {name} could not be read. {row.marked.reason}"
    if row.status == marks.TIMED_OUT:
        return f"Your file {name} took too long. {row.marked.reason}"
    if row.status == marks.ENDED:
        return f"Running your file {name} came to an end before everything was marked. {row.marked.reason}"
    return f"Your file {name} was read and marked. {row.marked.reason}"


def _sums(assignment: Assignment, row: Row) -> list[tuple[str, str]]:
    sums = [("Exercises", number(row.auto))]
    if assignment.questions:
        sums.append(("Written answers", number(row.written) or "not marked yet"))
    if row.days:
        sums.append((f"Taken for being late ({number(row.days)} {'day' if row.days == 1 else 'days'} begun)", f"-{number(row.penalty)}"))
    final = "excused" if excused(row) else number(row.final) or "not settled yet"
    return [*sums, (f"{tables.FINAL.capitalize()}, of {number(assignment.points)}", final)]


def _exercise(item: Item, mark: Mark) -> list[str]:
    parts = [heading(item.title), paragraph(f"{item.name}: {_status(mark)}, {number(mark.points)} of {number(mark.of)} points.")]
    if mark.laws and mark.status != "NOT STARTED":
        rows = [(held.law, "holds" if held.held else "does not hold", number(item.weights.get(held.law, 0.0)),
                 *(["yes" if held.law in item.gates else "no"] if item.gates else [])) for held in mark.laws]
        needed = ["Needed for any points"] if item.gates else []
        parts.append(table(f"Laws of {item.title}", ("Law", "On your answer", ">Weight", *needed), rows))
    if mark.status != "HOLDS":
        parts.append(paragraph(mark.text))
    if mark.mistake:
        parts += [heading("This looks like a known mistake", 3), paragraph(f"{mark.mistake.rstrip('.')}.", mark.hint)]
    elif mark.hint:
        parts += [heading("A hint", 3), paragraph(mark.hint)]
    return parts
