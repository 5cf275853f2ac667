"""The instructor's page: its commands are run as they are written, and print what it says; its syllabus is that of the exercises."""

import os
import re
import subprocess
import sysconfig
from pathlib import Path

import pytest
import typer

from book_utils.course import build, catalog, cli, syllabus
from book_utils.course.grading import marker, walls
from book_utils.course.grading.assignment import Late

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "instructors.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"(?P<before>[^\n]*)\n\n```(?P<kind>console|csv)\n(?P<text>.*?)```$", re.DOTALL | re.MULTILINE)
# what differs from one system to another: the walls that stood, and what is said where they are weak
_ELSEWHERE = re.compile(r"Students' code ran behind: .*")


def commands(text):
    """(command, what it prints) of every command in a block."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.split("\n")
        end = next(i for i, line in enumerate(lines) if not line.endswith("\\")) + 1
        yield "\n".join(lines[:end]), "\n".join(lines[end:])


def masked(text):
    return _ELSEWHERE.sub("Students' code ran behind: ...", text)


@pytest.mark.skipif(os.name != "posix", reason="the page is for a shell as Linux and macOS have it")
def test_the_walk_through_runs_and_prints_what_it_shows(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BOOK_")}
    environment |= {"PATH": f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}", "COLUMNS": "80", "LC_ALL": "C"}
    ran = []
    for block in _BLOCK.finditer(PAGE):
        if block["kind"] == "csv":
            (tmp_path / re.findall(r"`([\w/]+\.csv)`", block["before"])[-1]).write_text(block["text"], encoding="utf-8")
            continue
        for command, shown in commands(block["text"]):
            done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=environment, text=True, timeout=300,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            assert (done.returncode, masked(done.stdout)) == (0, masked(shown)), f"$ {command}\n{done.stdout}"
            ran.append(command.split()[:2])
    assert [two[1] for two in ran if two[0] == "book"] == ["assign", "assign", "grade", "written", "grade", "regrade", "package"]


def test_the_syllabus_on_the_pages_is_that_of_the_exercises():
    for path, text in build.pages(syllabus.course(catalog.chapters()), DOCS).items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `book build`"


def test_every_command_and_option_that_is_named_exists():
    commands = typer.main.get_command(cli.app).commands
    parameters = [parameter for command in commands.values() for parameter in command.params]
    options = {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}
    for text in (PAGE, (DOCS.parent / "README.md").read_text(encoding="utf-8")):
        assert set(re.findall(r"`(?:uv run )?book (\w+)", text)) <= commands.keys()
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE)) <= options


def test_links_lead_somewhere():
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", PAGE, flags=re.MULTILINE)}
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert target[1:] in anchors if target.startswith("#") else (DOCS / target).is_file(), target


def test_limits_are_those_of_the_code():
    assert f"A call may take {marker.CALL:g} seconds and an exercise {marker.EXERCISE:g}" in PAGE
    assert f"needs more than {walls.MEMORY >> 30} GB" in PAGE
    assert f"{Late.grace_minutes} minutes are not late, each day begun takes {100 * Late.per_day:g} %" in PAGE
    assert f"after {Late.days} days a submission earns nothing" in PAGE and marker.ROUNDS == 2
