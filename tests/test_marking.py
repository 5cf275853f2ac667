"""Marks: right, half right and unsolved submissions, variants, what one slip costs, and what is said about it."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import book_utils
import grading_help as grading
from book_utils.course import catalog
from book_utils.course.errors import CourseError
from book_utils.course.grading import celltree, marks, replies
from book_utils.course.grading.assignment import dumps, load
from book_utils.course.grading.marking import Marker
from book_utils.course.grading.weights import rules, weights

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="marks are given on Linux and macOS")
NAMES = ["ch03.tweedie", "ch03.posterior_mean_table", "ch03.best_is_mean"]


@pytest.fixture(scope="module")
def homework(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course") / "hw"
    exercises = catalog.chapter("ch03").exercises
    names = [name for name in NAMES if name in exercises]
    variant = next(iter(exercises["ch03.tweedie"].variants), "")
    grading.make(folder, names, variants={"ch03.tweedie": variant} if variant else {})
    return folder


@pytest.fixture(scope="module")
def marker(homework):
    with Marker(homework, seconds=10.0) as marker:
        yield marker


def cells(marker, variant=True):
    """The solved cell of every exercise."""
    exercises = catalog.chapter("ch03").exercises
    return {item.name: exercises[item.name].variants[item.variant].solved(exercises[item.name]) if item.variant and variant
            else exercises[item.name].stub.solved for item in marker.assignment.items}


def test_right_public_and_unsolved_answers(marker, tmp_path):
    right = marker.mark(grading.write(tmp_path / "right.ipynb", *cells(marker).values()))
    assert right.status == marks.GRADED and right.points == marker.assignment.points, right
    public = marker.mark(grading.write(tmp_path / "public.ipynb", *cells(marker, variant=False).values()))
    with_variant = [m for m, item in zip(public.marks, marker.assignment.items) if item.variant]
    assert with_variant and all(m.status == "FAILS" and m.points < m.of for m in with_variant), public
    blank = [catalog.chapter("ch03").stubs[item.name].blank for item in marker.assignment.items]
    unsolved = marker.mark(grading.write(tmp_path / "unsolved.ipynb", *blank))
    assert unsolved.points == 0 and {m.status for m in unsolved.marks} == {"NOT STARTED"}
    assert marks.loads(marks.dumps(right)) == right


@pytest.mark.parametrize("change, said", [
    (dict(name="ch03.tweedy"), "'ch03.tweedy', which is no exercise of ch03"),
    (dict(variant="sideways"), "in the variant 'sideways', which it does not have"),
    (dict(weights={"is always true": 1.0}), "is no law: 'is always true'|gives no weight to"),
])
def test_a_record_that_the_frozen_checks_do_not_know_is_refused(homework, tmp_path, change, said):
    shutil.copytree(homework, tmp_path / "hw")
    made = load(homework)
    changed = replace(made, items=(replace(made.items[0], **change), *made.items[1:]))
    (tmp_path / "hw/instructor/assignment.json").write_text(dumps(changed))
    with Marker(tmp_path / "hw") as marker, pytest.raises(CourseError, match=said):
        marker.mark(grading.write(tmp_path / "a.ipynb", "1"))


def test_a_familiar_slip_is_told_in_the_convention_of_the_course(marker, tmp_path):
    own = cells(marker)["ch03.tweedie"]
    slip = own.replace("x_t + t**2 * score", "x_t + t * score")
    assert slip != own
    mark = marker.mark(grading.write(tmp_path / "slip.ipynb", slip)).marks[0]
    assert mark.status == "FAILS" and mark.mistake == "t for its square"
    assert mark.hint.endswith("(This speaks of the lesson's convention. Here what is given is the mean of the noise, not the score.)")


def test_the_same_submission_gets_the_same_mark_again(marker, tmp_path):
    path = grading.write(tmp_path / "a.ipynb", cells(marker)["ch03.tweedie"].replace("return", "return 1.1 *"))
    first, second = marker.mark(path), marker.mark(path)
    assert first.marks == second.marks and first.marks[0].status in ("FAILS", "RAISES")
    assert grading.SECRET not in marks.dumps(first)


def test_a_slip_costs_once(toy, tmp_path):
    """What calls the answer that failed is marked with the solution in its place."""
    grading.make(tmp_path / "hw", ["ch99.encode", "ch99.project"])
    slip = '@exercise("ch99.encode")\ndef encode(U, X):\n    return 2 * U.T @ X'
    with Marker(tmp_path / "hw", "limits", seconds=5.0) as marker:
        marked = marker.mark(grading.write(tmp_path / "s.ipynb", slip, toy.stubs["ch99.project"].solved))
        later = '@exercise("ch99.encode")\ndef encode(U, X):\n    return project(U, X)'
        assert "which comes later" in marker.mark(grading.write(tmp_path / "t.ipynb", later, toy.stubs["ch99.project"].solved)).marks[0].text
    assert [m.points for m in marked.marks] == [0, 10] and "the residual is orthogonal" in marked.marks[0].text


def test_the_process_that_gives_marks_is_started_again(toy, tmp_path):
    grading.make(tmp_path / "hw", ["ch99.encode"])
    path = grading.write(tmp_path / "s.ipynb", toy.stubs["ch99.encode"].solved)
    with Marker(tmp_path / "hw", seconds=5.0) as marker:
        assert marker.mark(path).points == 10
        marker.process.kill()
        marker.process.wait()
        assert marker.mark(path).status == marks.ENDED
        assert marker.mark(path).points == 10


def test_checks_that_were_changed_are_refused(toy, tmp_path):
    grading.make(tmp_path / "hw", ["ch99.encode"])
    (tmp_path / "hw" / "instructor" / "frozen" / "book_utils" / "course" / "guard.py").write_text("")
    with pytest.raises(CourseError, match="its hash differs"):
        Marker(tmp_path / "hw")
    with pytest.raises(CourseError, match="walls is 'paper'"):
        Marker(tmp_path / "hw", "paper")


def test_weights_give_nothing_for_the_shape(toy):
    energy, project, chain = (toy.exercises[f"ch99.{name}"] for name in ("energy", "project", "pythagoras"))
    assert [law for law, weight in weights(energy).items() if weight] == ["its gradient is twice the vector"] and rules(energy)[1] == ()
    assert set(rules(project)[1]) == {law.name for law in project.own_laws}  # the first argument passes each: all or nothing
    assert rules(chain)[1] == ("the first and the last line stand as given", "every line equals the one before")
    assert weights(chain)["no line repeats the one before"] == 0


def test_of_the_kernels_a_cell_has_what_is_allowed_and_no_more(tmp_path):
    celltree.build(Path(book_utils.__file__).parent, catalog.chapter("ch02"), [("sparse", "soft_threshold")], tmp_path / "tree")
    text = (tmp_path / "tree" / "book_utils" / "sparse.py").read_text()
    assert "def soft_threshold" in text and "def _threshold" in text and "def ista_step" not in text and "def fista" not in text
    assert not list((tmp_path / "tree").rglob("checks*")) and not list((tmp_path / "tree").rglob("lesson*"))
    assert "solution" not in "".join(p.read_text() for p in (tmp_path / "tree" / "chapters").rglob("*.py"))


@pytest.mark.parametrize("packed", [
    {"partial": ["os", "system", {"tuple": []}, {"dict": {}}]}, {"key": 3}, {"array": "AAAA", "dtype": "|O", "shape": [1]}, {}, [], 1 << 64,
    {"array": "AAAA", "dtype": "<f4", "shape": [-1]}, {"array": "AAAA", "dtype": "<f4", "shape": [10**9]}, {"array": "A", "dtype": "(9,)f4", "shape": [1]},
    {"array": 3, "dtype": "<f4", "shape": [1]}, {"float": "0x1p99999999"}, {"float": "x" * 50}, {"tuple": [None] * 30000}, {"dict": []}, {"tuple": "ab"},
])
def test_replies_that_are_not_plain_are_unfit(packed):
    with pytest.raises(replies.Unfit):
        replies.value(packed)
