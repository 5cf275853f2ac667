"""The course plan: nothing lost, nothing out of order, weeks as even as they can be."""

import csv
import io
from itertools import combinations

import pytest

from book_utils.course import catalog, cli, syllabus
from book_utils.course.errors import CourseError

CHAPTERS = syllabus.course(catalog.chapters())


@pytest.fixture(scope="module")
def weeks():
    return syllabus.plan(CHAPTERS, 13)


def test_every_exercise_stands_once_and_in_the_lessons_order(weeks):
    assert [week.number for week in weeks] == list(range(1, 14))
    assert [e.exercise.name for week in weeks for e in week.entries] == [name for chapter in CHAPTERS for name in chapter.exercises]
    assert {chapter.key for chapter in CHAPTERS} >= {"ch02", "ch03", "ch04", "ch05"} and all(c.key not in catalog.FIRST for c in CHAPTERS)


def test_what_is_required_is_core_and_what_core_builds_on(weeks):
    entries = {e.exercise.name: e for week in weeks for e in week.entries}
    for entry in entries.values():
        assert entry.required or entry.exercise.level != "core"
        if entry.required:
            assert all(entries[need].required for need in entry.exercise.needs if need in entries)
    lifted = [e.exercise for e in entries.values() if e.required and e.exercise.level != "core"]
    assert all(any(e.name in other.exercise.needs for other in entries.values() if other.required) for e in lifted)


def test_what_an_exercise_builds_on_comes_no_later(weeks):
    week_of = {e.exercise.name: week.number for week in weeks for e in week.entries}
    assert all(week_of[need] <= week.number for week in weeks for e in week.entries for need in e.exercise.needs if need in week_of)


def test_every_week_has_work_and_none_is_much_longer_than_the_others(weeks):
    minutes = [week.minutes for week in weeks]
    assert min(minutes) > 0 and max(minutes) < 1.5 * sum(minutes) / len(minutes)


@pytest.mark.parametrize("weeks", [1, 2, 3, 4])
def test_no_other_cut_of_a_chapter_is_more_even(weeks):
    minutes = [[5, 10, 12, 4, 9, 11, 3]]
    ends = syllabus._cut(minutes, [[True] * 6], weeks)[0]

    def squares(stops):
        return sum(sum(minutes[0][a:b]) ** 2 for a, b in zip((0, *stops), stops, strict=False))
    assert squares(ends) == min(squares((*inner, 7)) for inner in combinations(range(1, 7), weeks - 1))


def test_a_week_had_rather_end_with_a_part():
    assert syllabus._cut([[10, 11, 10]], [[False, True]], 2) == [[2, 3]]
    assert syllabus._cut([[10, 11, 10]], [[True, False]], 2) == [[1, 3]]


def test_weeks_that_cannot_be_filled_and_chapters_that_stand_twice_are_refused():
    with pytest.raises(CourseError, match="fill 1 to"):
        syllabus.plan(CHAPTERS[:1], 500)
    with pytest.raises(CourseError, match="fill 2 to"):
        syllabus.plan(CHAPTERS[:2], 1)
    with pytest.raises(CourseError, match="named twice"):
        syllabus.plan([CHAPTERS[0], CHAPTERS[0]], 8)
    with pytest.raises(CourseError, match="at least one chapter"):
        syllabus.plan([], 8)


def test_the_page_has_every_required_exercise_and_states_hours(weeks):
    page = syllabus.markdown(weeks)
    assert all(f"| `{e.exercise.name}` " in page for week in weeks for e in week.required)
    assert f"{syllabus.hours(sum(week.minutes for week in weeks))} of required exercises" in page
    assert [line for line in page.splitlines() if line.startswith("## ")] == [f"## Week {w.number}: {w.chapter.title}" for w in weeks]
    assert (syllabus.hours(45), syllabus.hours(60), syllabus.hours(95), syllabus.hours(0)) == ("45 min", "1 h", "1 h 35 min", "0 min")


def test_the_command_writes_a_page_or_a_table(tmp_path, capsys):
    assert cli.main(["syllabus", "--weeks", "4", "--chapters", "ch04, ch02"]) == 0
    assert "## Week 1: Chapter 4" in capsys.readouterr().out
    assert cli.main(["syllabus", "--to", "csv", "--out", str(tmp_path / "plan.csv")]) == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "plan.csv").read_text(encoding="utf-8"))))
    assert len(rows) == sum(len(chapter.exercises) for chapter in CHAPTERS) and {row["required"] for row in rows} == {"yes", "no"}
    capsys.readouterr()
    assert cli.main(["syllabus", "--to", "pdf"]) == 2
    assert capsys.readouterr().err == "A syllabus is written as md or as csv, not as 'pdf'.\n"


def test_a_page_without_a_place_for_it_is_refused():
    assert syllabus.placed(f"a\n{syllabus.BEGIN}\nold\n{syllabus.END}\nb", "new\n") == f"a\n{syllabus.BEGIN}\n\nnew\n\n{syllabus.END}\nb"
    with pytest.raises(CourseError, match="no place"):
        syllabus.placed("a page", "new")
