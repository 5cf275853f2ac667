"""The `book` command. Each subcommand is a few lines over a module that does the work; a wrong call is one sentence."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from book_utils.course import console
from book_utils.course.errors import CourseError, nearest

# Nothing that a command needs is imported before it runs: `book --help` is there at once.

_UsageError = typer.BadParameter.__base__  # by way of a public name: where typer keeps it depends on its version
_NAMED = "A chapter as `book list` names it, for instance ch02"
_ChapterName = Annotated[str, typer.Argument(metavar="CHAPTER", help=f"{_NAMED}.")]
_Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser, or print the address only.")]
_Port = Annotated[int | None, typer.Option(min=1, max=65535, help="Where to listen; the first free port from 8888 if not given.")]
_Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit status 1 if something would change.")]
_Long = Annotated[bool, typer.Option("--long", help="First run the long experiments whose stored results are missing or stale.")]
_To = Annotated[str, typer.Option(help="html: one page to read anywhere; py: a script of cells.")]
_Out = Annotated[Path | None, typer.Option(help="The file to write; named after the chapter if not given.")]
_MaybeChapter = Annotated[str | None, typer.Argument(metavar="[CHAPTER]", help=f"{_NAMED}; all if none is named.")]

_Submissions = Annotated[Path, typer.Argument(metavar="SUBMISSIONS", help="A folder or a zip file of notebooks.")]
_Assignment = Annotated[Path, typer.Option(help="The folder that `book assign` made.")]
_Roster = Annotated[Path, typer.Option(help="Who takes part: a gradebook exported from Canvas or Moodle, or a table with login and name.")]
_Feedback = Annotated[Path | None, typer.Option(help="The folder for a page to every student; none if not given.")]
_Table = Annotated[Path | None, typer.Option(help="In place of the file of this name in the assignment's folder.")]
_Column = Annotated[str, typer.Option(help="The gradebook's column, if it is not called like the assignment.")]
_Jobs = Annotated[int, typer.Option(min=0, help="Markers side by side; 0 is one a core.")]
_Walls = Annotated[str, typer.Option(help="What keeps students' code in: auto takes the strongest that this system has.")]
_Retry = Annotated[bool, typer.Option("--retry", help="Mark again what timed out or ended.")]
_Again = Annotated[bool, typer.Option("--again", help="Mark everything again, also what is marked already.")]

class _Commands(TyperGroup):
    def resolve_command(self, ctx: typer.Context, args: list[str]) -> tuple:
        if self.get_command(ctx, args[0]) is None:
            raise nearest(args[0], self.list_commands(ctx), "command")
        return super().resolve_command(ctx, args)


app = typer.Typer(cls=_Commands, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
                  context_settings={"help_option_names": ["-h", "--help"]})


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    console.careful()
    for variable in ("BOOK_CHAPTERS", "BOOK_WORK"):  # notebooks run in another folder than this one
        if os.environ.get(variable):
            os.environ[variable] = os.path.abspath(os.environ[variable])
    try:
        return app(arguments, prog_name="book", standalone_mode=False) or 0
    except _UsageError as error:
        where = error.ctx.command_path if error.ctx else "book"
        console.complain(f"{where}: {error.format_message().rstrip('.')}. `{where} --help` says what it takes.")
    except CourseError as error:
        console.complain(str(error))
    except (ImportError, RuntimeError) as error:  # jax and a jaxlib that do not fit raise a RuntimeError
        own = str(getattr(error, "name", "")).startswith(("book_utils", "chapters"))
        if own or not isinstance(error, ImportError) and "jax" in sys.modules:
            raise
        said = str(error).partition("\n")[0].rstrip(".")
        console.complain(f"A package that the course needs is missing or does not fit: {said}. `book doctor` says what to do.")
    except BrokenPipeError:  # `book list | head`: nobody reads on, and Python should not try to write the rest
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        console.complain(f"{error.filename or 'The computer says'}: {error.strerror or error}.")
    return 2


def _show_version(wanted: bool) -> None:
    if wanted:
        from book_utils.course.doctor import DISTRIBUTION, version

        print(f"{DISTRIBUTION} {version()}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def book(context: typer.Context,
         version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True,
                                               help="Print the version and end.")] = False) -> None:
    """Derive every principle of deep representation learning, and have a machine check it.

    `book lab` is where to begin: it opens the lessons. Your copies of them are in the folder work/, and nothing ever
    overwrites them.
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def lab(browser: _Browser = True, port: _Port = None) -> None:
    """Open the lessons in JupyterLab. Ctrl-C ends it.

    Makes the folder work/ with a copy of every lesson that is not there yet; what is there stays as it is.
    """
    from book_utils.course import lab, workspace

    port = lab.free_port(port)
    made, old = workspace.fill()
    folder = workspace.folder()
    if made:
        print(f"New in {folder}: {', '.join(path.name for path in made)}")
    for chapter in old:
        print(f"There is a newer version of {chapter.notebook}: `book update {chapter.key}` carries your answers over to it.")
    print("Starting JupyterLab ...", flush=True)

    def ready(address: str) -> None:
        print("The lessons are at" if browser else "Open this address in a browser:")
        print(f"{address}\nCtrl-C ends JupyterLab.", flush=True)
        if browser:
            lab.browse(address)

    lab.serve(folder, port, ready)
    print("JupyterLab has ended.")


@app.command("list")
def list_(chapter: _MaybeChapter = None) -> None:
    """List the chapters, or the exercises of one, and what holds.

    What holds is read from the verdicts in your saved notebooks.
    """
    from book_utils.course import catalog, standing, workspace

    folder = workspace.folder()
    if chapter is not None:
        row = standing.standing(catalog.chapter(chapter), folder)
        exercises = row.chapter.exercises.values()
        rows = [(e.name, e.title, e.level, e.minutes, row.statuses[e.name].lower() or "-") for e in exercises]
        total = ("", f"{len(rows)} exercises", "", sum(e.minutes for e in exercises), f"{row.held} hold")
        console.table(row.chapter.title, ["Exercise", "Title", "Level", ">Minutes", "Yours"], rows, total)
        return
    rows = []
    for found in catalog.chapters():
        try:
            rows.append(standing.standing(found, folder))
        except CourseError as error:
            console.complain(str(error))
            rows.append(standing.Standing(found, dict.fromkeys(found.exercises, "")))
    console.table("The lessons", ["Key", "Lesson", ">Exercises", ">Minutes", ">Yours hold"],
                  [(row.chapter.key, row.chapter.title, *standing.summary(row)) for row in rows],
                  ("", "Total", *standing.summary(*rows)))
    print("Exercises and minutes: core + more. `book list ch02` shows the exercises of a chapter.")


@app.command()
def run(chapter: _ChapterName) -> None:
    """Run a chapter without a browser and print the verdicts.

    Runs your copy from top to bottom if there is one, otherwise the lesson as it ships; saves nothing. Exit status 0 if
    every cell ran, whatever holds; 1 if one raised.
    """
    from book_utils.course import catalog, rehearse

    found = catalog.chapter(chapter)
    notebook, path = rehearse.source(found)
    print(f"Running {path or f'{found.notebook} as it ships'} ...", flush=True)
    result = rehearse.rehearse(found, notebook, path.parent if path else None)
    for _, _, text in result.verdicts:
        print(text)
    for name in result.missing:
        print(f"no verdict on {name}")
    statuses = [status for _, status, _ in result.verdicts]
    counts = [f"{statuses.count(status)} {words}" for status, words in
              (("HOLDS", "hold"), ("FAILS", "fail"), ("RAISES", "raise"), ("NOT STARTED", "not started")) if status in statuses]
    print(f"{found.key}: {', '.join(counts) or 'no verdicts'}, of {len(found.exercises)} exercises.")
    for sentence in result.broken:
        console.complain(sentence)
    raise typer.Exit(1 if result.broken else 0)


@app.command()
def check(file: Annotated[Path, typer.Argument(metavar="FILE", help="A Python file with answers, or a saved notebook.")]) -> None:
    """Check the answers in a Python file or a saved notebook.

    In a .py file write the functions as in a lesson, under @exercise("ch02.encode"); exercise, derivation, todo, hint, np,
    jnp, jax and the chapter's own names are at hand. Exit status 0 if all hold, 1 if not.
    """
    from book_utils.course.answers import check_file

    result = check_file(file)
    if result.verdicts:
        held = sum(v.status == "HOLDS" for v in result.verdicts)
        print(f"{held} of {len(result.verdicts)} hold.")
    if result.trouble:
        console.complain(result.trouble)
    raise typer.Exit(0 if result.hold else 1)


@app.command()
def update(chapter: _MaybeChapter = None) -> None:
    """Renew your copies of the lessons, with your answers in them.

    Answers are found by the exercise's name, your own cells follow the cell they followed before, and your old file moves
    to work/old/.
    """
    from book_utils.course import catalog
    from book_utils.course.update import update

    failed = False
    for found in [catalog.chapter(chapter)] if chapter is not None else catalog.chapters():
        try:
            done = update(found)
        except CourseError as error:
            console.complain(str(error))
            failed = True
            continue
        for sentence in done.sentences():
            print(sentence)
    raise typer.Exit(2 if failed else 0)


@app.command()
def doctor() -> None:
    """Test the course on this machine; say what to do if it fails.

    Exit status 0 if the course works here, 1 if not.
    """
    from book_utils.course.doctor import examine

    wrong = 0
    for finding in examine():
        mark = {"ok": "ok   ", "note": "note ", "wrong": "WRONG"}[finding.state]
        print(f"{mark}  {finding.what}: {finding.said}", flush=True)
        if finding.remedy:
            print(f"       {finding.remedy}")
        wrong += finding.state == "wrong"
    print("Everything works." if not wrong else f"Wrong: {wrong}. See above what to do.")
    raise typer.Exit(1 if wrong else 0)


@app.command()
def assign(chapter: _ChapterName,
           out: Annotated[Path, typer.Option(help="The folder to make, for instance hw3; it gives the assignment its name.")],
           salt: Annotated[Path, typer.Option(help="The course's secret: a file, made if it is not there. Keep it to yourself.")],
           exercises: Annotated[str, typer.Option(help="Names with commas between them: tweedie,mixture_denoiser.")] = "",
           written: Annotated[str, typer.Option(help="Questions to answer in words, likewise.")] = "",
           points: Annotated[str, typer.Option(help="Where not as the lesson has them: tweedie=2,mixture_denoiser=3.")] = "",
           title: Annotated[str, typer.Option(help="What students read on top.")] = "",
           due: Annotated[str, typer.Option(help="With an offset from UTC: 2026-10-02T23:59-07:00.")] = "",
           late_per_day: Annotated[float, typer.Option(help="Share of the points that a day begun takes.")] = 0.1,
           late_days: Annotated[int, typer.Option(help="After so many days a submission earns nothing.")] = 5,
           solutions: Annotated[bool, typer.Option("--solutions/--no-solutions", help="Also write a solved copy for yourself.")] = True,
           variants: Annotated[bool, typer.Option("--variants/--no-variants",
                                                  help="State exercises in other conventions than the lesson's, as the salt chooses.")] = True,
           force: Annotated[bool, typer.Option("--force", help="Replace the assignment that is there.")] = False) -> None:
    """For instructors: make an assignment of a chapter's exercises.

    Writes OUT/OUT.ipynb for students and OUT/instructor/ for you: a summary, rubrics, a solved copy, and the checks by which it
    is graded, whatever is installed later.
    """
    from book_utils.course.grading.assign import Wanted, assign
    from book_utils.course.grading.assignment import Late

    print(f"Making {out} ...", flush=True)
    listed = [tuple(part.strip() for part in text.split(",") if part.strip()) for text in (exercises, written, points)]
    made = assign(Wanted(chapter, *listed, title, due, Late(late_per_day, late_days), solutions, variants), out, salt, force)
    assignment = made.assignment
    if made.new_salt:
        print(f"Made the salt {salt}. Keep it: without it this assignment cannot be made again, and with it anybody can foresee its "
              "inputs.")
    counted = {"exercise": len(assignment.items), "written question": len(assignment.questions), "point": assignment.points}
    said = ", ".join(f"{number:g} {noun}{'s' * (number != 1)}" for noun, number in counted.items() if number)
    print(f"{assignment.handout} is for students: {said}. {assignment.instructor / 'summary.md'} is for you.")
    for sentence in made.warnings:
        console.complain(f"Note: {sentence}")


@app.command()
def written(submissions: Annotated[Path, typer.Argument(metavar="SUBMISSIONS", help="A folder or a zip file of notebooks.")],
            assignment: Annotated[Path, typer.Option(help="The folder that `book assign` made.")],
            out: Annotated[Path, typer.Option(help="The folder to write; marks that are in it already stay.")]) -> None:
    """For instructors: collect written answers without names, one file a question.

    Fill in the points in OUT/marks.csv; `book grade` merges them. Who is who stands beside the folder, in OUT-key.csv.
    """
    from book_utils.course.grading.assignment import load
    from book_utils.course.grading.written import export

    done = export(submissions, load(assignment), out)
    print(f"{out}: {done.answers} answers from {done.submissions} submissions. Points go into {out / 'marks.csv'}.")
    print(f"Keep {done.key} from whoever marks: it says who is who.")
    for sentence in done.unreadable:
        console.complain(f"Not read: {sentence}")


@app.command()
def grade(submissions: _Submissions, assignment: _Assignment, roster: _Roster,
          out: Annotated[Path, typer.Option(help="The gradebook to write, for instance grades.csv.")],
          feedback: _Feedback = None, submitted: _Table = None, extensions: _Table = None, groups: _Table = None, overrides: _Table = None,
          marks: _Table = None, column: _Column = "", jobs: _Jobs = 0, walls: _Walls = "auto", retry: _Retry = False,
          again: _Again = False) -> None:
    """For instructors: mark submissions and write a gradebook.

    Whose a notebook is, its file name and the roster say. Beside OUT stand a file to import into Canvas or Moodle, a class report,
    and what is marked already: a run that was killed goes on from there, and a rerun writes the same file. submitted.csv,
    extensions.csv, groups.csv, overrides.csv and marks.csv in the assignment's folder are heeded every time.
    """
    from book_utils.course.grading import tables
    from book_utils.course.grading.grade import Wanted, grade

    named = tables.named(submitted, extensions, groups, overrides, marks)
    done = grade(Wanted(submissions, assignment, roster, out, feedback, named, column, jobs, walls, again, retry))
    print("\n".join(done.sentences()))


@app.command()
def regrade(assignment: Annotated[Path, typer.Argument(metavar="ASSIGNMENT", help="The folder that `book assign` made.")],
            corrected: Annotated[Path, typer.Option("--with", help="The corrected assignment: the same exercises, other checks.")],
            submissions: Annotated[Path, typer.Option(help="A folder or a zip file of notebooks.")],
            roster: _Roster, grades: Annotated[Path, typer.Option(help="The gradebook that `book grade` wrote; it is written anew.")],
            feedback: _Feedback = None, submitted: _Table = None, extensions: _Table = None, groups: _Table = None,
            overrides: _Table = None, marks: _Table = None, column: _Column = "", jobs: _Jobs = 0, walls: _Walls = "auto",
            lower: Annotated[bool, typer.Option("--lower", help="Let marks fall where the corrected checks say so.")] = False) -> None:
    """For instructors: mark again after a faulty check.

    Both assignments' checks are run; of every exercise the better mark counts, unless --lower. Prints who changed and why. From
    then on use this command in place of `book grade`: it can be repeated like that one.
    """
    from book_utils.course.grading import tables
    from book_utils.course.grading.grade import Wanted
    from book_utils.course.grading.regrade import regrade

    named = tables.named(submitted, extensions, groups, overrides, marks)
    done = regrade(Wanted(submissions, assignment, roster, grades, feedback, named, column, jobs, walls), corrected, lower)
    print("\n".join(done.sentences()))


@app.command()
def package(assignment: Annotated[Path, typer.Argument(metavar="ASSIGNMENT", help="The folder that `book assign` made.")],
            gradescope: Annotated[Path | None, typer.Option(help="A zip to write, for Gradescope's autograder.")] = None,
            nbgrader: Annotated[Path | None, typer.Option(help="A course folder of nbgrader, new or one that this command made.")] = None,
            otter: Annotated[Path | None, typer.Option(help="A new folder, for `otter assign`.")] = None) -> None:
    """For instructors: write an assignment in the form that Gradescope, nbgrader or otter takes.

    Marks there are those of `book grade`. All that is written but the students' notebook holds the secret: keep it from students.
    """
    from book_utils.course.grading import exports

    for sentence in exports.package(assignment, gradescope, nbgrader, otter):
        print(sentence)


@app.command()
def syllabus(weeks: Annotated[int, typer.Option(min=1, help="How many weeks the course has.")] = 13,
             chapters: Annotated[str, typer.Option(help="Keys with commas between them, in your order; all but start and primer if not given.")] = "",
             to: Annotated[str, typer.Option(help="md: a page; csv: a line for every exercise.")] = "md",
             out: Annotated[Path | None, typer.Option(help="The file to write; the terminal if not given.")] = None) -> None:
    """For instructors: plan a course, week by week, from the exercises' minutes, levels and needs."""
    from book_utils.course import catalog, syllabus

    keys = [key.strip() for key in chapters.split(",") if key.strip()]
    chosen = [catalog.chapter(key) for key in keys] if keys else syllabus.course(catalog.chapters())
    if to not in ("md", "csv"):
        raise CourseError(f"A syllabus is written as md or as csv, not as {to!r}.")
    planned = syllabus.plan(chosen, weeks)
    text = syllabus.markdown(planned) if to == "md" else syllabus.table(planned)
    if out is None:
        print(text, end="")
        return
    out.write_text(text, encoding="utf-8", newline="\n")
    print(out)


@app.command()
def build(chapter: _MaybeChapter = None, check: _Check = False, long: _Long = False) -> None:
    """For authors: make notebooks/ from chapters/."""
    from book_utils.course.build import build

    changes = build([chapter] if chapter is not None else [], check, long)
    for sentence in changes or ["Everything is as built."]:
        print(sentence)
    raise typer.Exit(1 if check and changes else 0)


@app.command()
def export(chapter: _ChapterName, to: _To = "html", out: _Out = None) -> None:
    """For authors: write a lesson as a web page or as a plain script."""
    from book_utils.course.export import export

    print(export(chapter, to, out))


if __name__ == "__main__":
    sys.exit(main())
