"""`book assign` and `book written`: what an assignment's folder holds, what students get, and what is refused."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from book_utils import data
from book_utils.course import catalog, cli, workspace
from book_utils.course.checking import check, generator
from book_utils.course.cite import resolve
from book_utils.course.errors import CourseError
from book_utils.course.execute import execute
from book_utils.course.exercises import Law, close
from book_utils.course.grading import assign as assigning
from book_utils.course.grading import handout, written
from book_utils.course.grading.assign import Wanted, assign
from book_utils.course.grading.assignment import Late, digest, load

DUE = "2026-10-02T23:59-07:00"
HW3 = Wanted("ch03", ("tweedie", "ch03.loss_decomposition", "mixture_denoiser"), ("why_the_mean",), ("tweedie=2",), due=DUE)
CHAPTERS = [c for c in catalog.chapters() if written.prompts(c)]
PROMPTS = [prompt for c in CHAPTERS for prompt in written.prompts(c).values()]


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A folder with a salt and hw3, an assignment of three exercises and a question."""
    folder = tmp_path_factory.mktemp("course")
    (folder / "course.key").write_text("0123456789abcdef" * 4 + "\n")
    assign(HW3, folder / "hw3", folder / "course.key")
    return folder


@pytest.fixture(scope="module")
def hw3(course):
    return load(course / "hw3")


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def cells(path):
    return workspace.read(path)["cells"]


def stubs(notebook):
    return {c["metadata"]["book"]["exercise"]: c["source"] for c in notebook if "exercise" in c["metadata"].get("book", {})}


def verdicts(notebook):
    outputs = [o for c in notebook.cells for o in c.get("outputs", [])]
    return [o.get("text") or o["data"]["text/plain"] for o in outputs]


# What is in the folder

def test_the_record_says_what_was_asked_for(hw3):
    assert {item.name: item.points for item in hw3.items} == {"ch03.loss_decomposition": 1, "ch03.mixture_denoiser": 1, "ch03.tweedie": 2}
    assert [(q.name, q.points) for q in hw3.questions] == [("ch03.why_the_mean", 5)]
    assert (hw3.name, hw3.points, hw3.due) == ("hw3", 9, "2026-10-02T23:59:00-07:00")
    for item in hw3.items:
        laws = catalog.exercise(item.name).laws
        assert list(item.weights) == [law.name for law in laws] and item.weights["gives the worked example"] == 0
        assert re.fullmatch(r"[0-9a-f]{16}", item.revision)


def test_a_tampered_check_is_noticed(course, hw3, tmp_path):
    shutil.copytree(course / "hw3", tmp_path / "hw3")
    with next((tmp_path / "hw3/instructor/frozen/chapters/ch03_denoising").glob("checks*.py")).open("a") as file:
        file.write("\n")
    with pytest.raises(CourseError, match="hash differs"):
        load(tmp_path / "hw3")


def test_the_same_salt_makes_the_same_files_and_another_salt_other_inputs(course, hw3, tmp_path):
    (tmp_path / "other.key").write_text("another salt, long enough")
    assign(HW3, tmp_path / "again" / "hw3", course / "course.key")
    assert files(tmp_path / "again" / "hw3") == files(course / "hw3")
    other = assign(HW3, tmp_path / "other" / "hw3", tmp_path / "other.key").assignment
    assert other.seed("ch03.tweedie", 0) != hw3.seed("ch03.tweedie", 0)
    assert other.checks == hw3.checks
    everything = b"".join(files(course / "hw3").values())
    assert b"0123456789abcdef" * 4 not in everything


def test_students_get_no_secret_and_no_solution(hw3):
    text = hw3.handout.read_text(encoding="utf-8")
    assert hw3.secret not in text
    for item in hw3.items:
        for line in catalog.exercise(item.name).stub.solution.split("\n"):
            assert len(line.strip()) < 12 or line.strip() not in text
    for prompt in PROMPTS:
        assert prompt.model[:60] not in text
    assert catalog.OPEN not in text


def test_frozen_checks_run_alone(hw3):
    """With the frozen folder first on the path nothing of the installed package takes part, and data sets are found."""
    code = ("import book_utils, chapters; from book_utils import data; from book_utils.course import catalog\n"
            "from book_utils.course.checking import check\n"
            "e = catalog.exercise('ch03.tweedie'); print(book_utils.__file__, chapters.__file__)\n"
            "print(check(e, e.compile(e.stub.solved), e.stub.solved).status, data.digits()[0].shape)\n")
    frozen, datasets = str(hw3.frozen.absolute()), Path(data.__file__).with_name("datasets")
    env = os.environ | {"PYTHONPATH": frozen, "BOOK_DATASETS": str(datasets), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, cwd=hw3.folder)
    assert done.returncode == 0, done.stderr
    places, verdict = done.stdout.strip().split("\n")
    assert places.count(frozen) == 2 and verdict == "HOLDS (64, 1797)"
    assert digest(hw3.frozen) == hw3.checks


def test_the_summary_and_the_rubrics_say_what_a_grader_needs(hw3):
    summary = (hw3.instructor / "summary.md").read_text(encoding="utf-8")
    for item in hw3.items:
        assert item.name in summary and all(law in summary for law in item.weights)
    assert "9 points" in summary and "Friday, 2 October 2026, 23:59 (UTC-07:00)" in summary
    rubric = (hw3.instructor / "rubrics" / "ch03.why_the_mean.md").read_text(encoding="utf-8")
    assert "## A full answer" in rubric and "flawed answer (2)" in rubric and "[[eq" not in rubric


def test_points_of_a_question_scale_its_rubric():
    prompt = written.prompts(catalog.chapter("ch03"))["ch03.why_the_mean"]
    assert "1. **2** " in written.rubric(prompt, 10) and "2. **4** " in written.rubric(prompt, 10)


# What students get

def test_the_handout_has_the_chosen_stubs_and_what_leads_to_them(hw3):
    found = cells(hw3.handout)
    assert list(stubs(found)) == [item.name for item in hw3.items]
    text = "\n".join(c["source"] for c in found)
    assert "## 2.6 Tweedie's formula" in text and "**Claim.** Let $x$ have *any* law" in text
    assert "posterior_mean_table" in text  # what the stub builds upon is given
    assert "**See.**" not in text and "**Play.**" not in text and "<details>" not in text and "explore(" not in text
    assert not re.search(r"\[\[[a-z]+:", text)
    assert [c["id"] for c in found][:3] == ["title", "how-it-is-marked", "install"]
    assert "answer-ch03-why_the_mean" in [c["id"] for c in found]
    assert sum(c["cell_type"] == "code" for c in found) == 2 + 3


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.key)
def test_every_exercise_can_stand_in_a_handout(chapter):
    """Its section's heading, its own heading, and nothing about figures."""
    places = {name: section for section in handout.sections(chapter) for name in section.names}
    assert set(places) == set(chapter.exercises)
    for name, section in places.items():
        pieces = handout.texts(section, {name})
        text = "\n".join(source for kind, source in pieces if kind == "text")
        assert [value for kind, value in pieces if kind == "exercise"] == [name]
        assert text.startswith("## ") and "\n#### " in text, name
        assert not re.search(r"\*\*(See|Play)|<details>|dashed|slider", text), name
        assert name not in [e.name for e in handout.leans_on(chapter.exercises[name], section)]


def test_the_handout_runs_unsolved_and_solved_and_wants_the_course_s_convention(course):
    """With a variant the verdict in the student's notebook is about the variant: its solution holds, the lesson's does not."""
    wanted = Wanted("ch04", ("coding_rate", "merge_gain", "cluster", "logdet_commutes"), ("why_concave",))
    made = assign(wanted, course / "hw4", course / "course.key")
    assignment, variants = made.assignment, {item.name: item.variant for item in made.assignment.items}
    assert variants["ch04.coding_rate"] and variants["ch04.cluster"]
    assert not variants["ch04.merge_gain"]  # `cluster` calls it
    unsolved = verdicts(execute(nbformat.read(assignment.handout, as_version=4)))
    assert len(unsolved) == 4 and all(text.startswith("NOT STARTED") for text in unsolved)
    solved = nbformat.read(assignment.instructor / "hw4_solved.ipynb", as_version=4)
    solved.cells.append(nbformat.v4.new_code_cell('solution("ch04.coding_rate")'))
    said = verdicts(execute(solved))
    assert [text.split("  ")[0] for text in said[:4]] == ["HOLDS"] * 4
    assert "stays closed" in said[4]
    for name in ("ch04.coding_rate", "ch04.cluster"):
        exercise = catalog.exercise(name)
        own = exercise.stub.solved
        assert check(exercise, exercise.compile(own), own, variant=variants[name]).status in ("FAILS", "RAISES")


def test_a_verdict_in_another_convention_speaks_of_the_student_s_arguments():
    exercise = catalog.exercise("ch04.coding_rate")
    function = exercise.compile('@exercise("ch04.coding_rate")\ndef coding_rate(Z, distortion):\n    return 0 * distortion')
    text = check(exercise, function, variant="rows_distortion").text
    assert "distortion" in text and "eps =" not in text
    assert "here it is called with (Z, distortion)" in check(exercise, lambda Z, eps: 0.0, variant="rows_distortion").text


def test_written_questions_alone_make_a_handout_without_code(course, tmp_path):
    made = assign(Wanted("ch05", (), ("why_a_layer_descends",)), tmp_path / "essay", course / "course.key").assignment
    assert all(c["cell_type"] == "markdown" for c in cells(made.handout))
    assert load(tmp_path / "essay").questions == made.questions


def test_options_leave_out_solutions_and_variants(course, tmp_path):
    wanted = Wanted("ch04", ("coding_rate",), solutions=False, variants=False, late=Late(0.5, 1))
    made = assign(wanted, tmp_path / "bare", course / "course.key")
    assert not list((tmp_path / "bare" / "instructor").glob("*.ipynb"))
    assert made.assignment.items[0].variant == "" and any("--no-variants" in text for text in made.warnings)


def test_warnings_name_self_study_and_what_is_not_assigned(course, tmp_path):
    made = assign(Wanted("ch03", ("pythagoras_chain", "loss_decomposition")), tmp_path / "hw", course / "course.key")
    assert any("ch03.pythagoras_chain is for self-study only" in text for text in made.warnings)
    assert any("ch03.posterior_mean_table, which is not assigned" in text for text in made.warnings)


def test_dates_and_policies_in_words():
    assert handout.said_date("2026-10-02T23:59:00+00:00") == "Friday, 2 October 2026, 23:59 (UTC)"
    assert handout.late_policy(Late(0.1, 1, 0)) == "Every day begun takes 10 % of the points; after 1 day a submission earns nothing."
    assert handout.late_policy(Late(0.1, 0, 5)) == "5 minutes late are not late. What comes later earns nothing."


# What is refused

@pytest.mark.parametrize("options, said", [
    (["--exercises", "tweedy"], "ch03.tweedie"),
    (["--exercises", "tweedie,tweedie"], "named twice"),
    (["--exercises", "ch04.coding_rate"], "There is no exercise of ch03"),
    (["--exercises", ""], "wants exercises or written questions"),
    (["--written", "why_the_men"], "ch03.why_the_mean"),
    (["--exercises", "tweedie", "--points", "tweedie"], "tweedie=2"),
    (["--exercises", "tweedie", "--points", "tweedie=-1"], "tweedie=2"),
    (["--exercises", "tweedie", "--points", "tweedie=nan"], "tweedie=2"),
    (["--exercises", "tweedie", "--points", "tweedie=1,tweedie=2"], "points twice"),
    (["--exercises", "tweedie", "--points", "mixture_denoiser=2"], "in this assignment"),
    (["--exercises", "tweedie", "--points", "tweedie=0"], "worth a point"),
    (["--exercises", "tweedie", "--due", "tomorrow"], "not a date"),
    (["--exercises", "tweedie", "--due", "2026-10-02T23:59"], "offset"),
    (["--exercises", "tweedie", "--late-per-day", "2"], "share from 0 to 1"),
])
def test_a_wrong_call_is_one_sentence_and_writes_nothing(options, said, tmp_path, capsys):
    assert cli.main(["assign", "ch03", "--out", str(tmp_path / "hw"), "--salt", str(tmp_path / "new.key"), *options]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("chapter, out, salt, said", [
    ("ch33", "hw", "ok.key", "no chapter"),
    ("ch03", "hw", "short.key", "at least 16"),
    ("ch03", "hw", "nowhere/new.key", "no folder"),
    ("ch03", "hw", "folder", "cannot be read"),
    ("ch03", "hw", "hw/new.key", "Keep it elsewhere"),
    ("ch03", "folder", "ok.key", "not empty"),
    ("ch03", "ok.key", "ok.key", "not a folder"),
    ("ch03", "my homework", "ok.key", "is none"),
])
def test_a_salt_or_a_folder_that_will_not_do(chapter, out, salt, said, tmp_path, capsys):
    (tmp_path / "ok.key").write_text("long enough for a salt")
    (tmp_path / "short.key").write_text("short")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("mine")
    before = files(tmp_path)
    assert cli.main(["assign", chapter, "--exercises", "tweedie", "--out", str(tmp_path / out), "--salt", str(tmp_path / salt)]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
    assert files(tmp_path) == before and not (tmp_path / "hw").exists()


def test_an_assignment_is_replaced_only_when_told_to_and_keeps_what_is_the_instructor_s(tmp_path, capsys, monkeypatch):
    out, salt = tmp_path / "hw", tmp_path / "course.key"
    call = ["assign", "ch03", "--out", str(out), "--salt", str(salt), "--exercises"]
    assert cli.main([*call, "tweedie"]) == 0
    said = capsys.readouterr()
    assert f"Made the salt {salt}. Keep it" in said.out and "for students: 1 exercise," in said.out
    assert len(salt.read_bytes()) > 32 and (os.name == "nt" or salt.stat().st_mode & 0o077 == 0)
    before = files(tmp_path)
    assert cli.main([*call, "flow_map"]) == 2
    assert "--force" in capsys.readouterr().err and files(tmp_path) == before
    (out / "extensions.csv").write_text("login,days\n")
    (out / "instructor" / "overrides.csv").write_text("login,points\n")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")
    with monkeypatch.context() as patch:
        patch.setattr(assigning, "freeze", full)
        assert cli.main([*call, "flow_map", "--force"]) == 2
    assert before.items() <= files(tmp_path).items() and not list(tmp_path.glob(".hw*"))
    assert cli.main([*call, "flow_map", "--force"]) == 0
    assert [item.name for item in load(out).items] == ["ch03.flow_map"]
    assert (out / "extensions.csv").exists() and (out / "instructor" / "overrides.csv").exists()
    assert not list(tmp_path.glob(".hw*"))


@pytest.mark.parametrize("number", (0, 1))
def test_what_marks_down_a_right_answer_on_the_secret_inputs_cannot_be_assigned(course, hw3, tmp_path, monkeypatch, number):
    """A law that is true of nearly all inputs, the unlucky ones drawn by this salt."""
    exercise, wanted = catalog.exercise("ch03.mixture_denoiser"), Wanted("ch03", ("mixture_denoiser",), variants=False)
    law = Law("is nearly always true", lambda f, rng: close(float(rng.random() == drawn), 0.0))
    drawn = generator(exercise, law, hw3.seed(exercise.name, number)).random()
    monkeypatch.setattr(exercise, "laws", [*exercise.laws, law])
    with pytest.raises(CourseError, match="right answer to ch03.mixture_denoiser .* cannot be assigned"):
        assign(wanted, tmp_path / "hw3", course / "course.key")
    assert list(tmp_path.iterdir()) == []
    drawn = -1.0
    assert assign(wanted, tmp_path / "hw3", course / "course.key").assignment.items[0].name == exercise.name


# Written answers

def test_every_chapter_has_questions():
    assert {"ch02", "ch03", "ch04", "ch05"} <= {c.key for c in CHAPTERS}
    assert all(len(written.prompts(c)) >= 3 for c in CHAPTERS)


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda p: p.name)
def test_a_question_has_a_rubric_a_model_and_two_flawed_answers(prompt):
    key = prompt.name.partition(".")[0]
    assert re.fullmatch(r"ch\d\d\.\w+", prompt.name) and prompt.name not in catalog.chapter(key).stubs
    assert 3 <= len(prompt.rubric) <= 5 and all(points > 0 for points, _ in prompt.rubric)
    assert len(prompt.flawed) == 2
    for flawed in prompt.flawed:
        assert 0 <= flawed.points < prompt.points and len(flawed.wrong) > 80
        assert flawed.points == int(flawed.points)
    for text in (prompt.text, prompt.model, *(what for _, what in prompt.rubric), *(t for f in prompt.flawed for t in (f.answer, f.wrong))):
        assert text.count("$") % 2 == 0 and text.count("{") == text.count("}"), text
        assert resolve(text)
        assert not re.search(r"[\x00-\x08\x0b-\x1f]", text), "a backslash outside a raw string"


def submission(hw3, **answers):
    """The handout with text put under its question (and cells behind it)."""
    notebook = workspace.read(hw3.handout)
    for cell in notebook["cells"]:
        if cell["id"] == "answer-ch03-why_the_mean":
            cell["source"] = cell["source"].replace(written.PLACEHOLDER, answers["text"])
    return notebook


def test_answers_are_found_wherever_a_student_put_them(hw3):
    blank = workspace.read(hw3.handout)
    name = "ch03.why_the_mean"
    found = written.answers(blank, blank)
    assert found == {name: ""}
    mine = submission(hw3, text="Since the cross term is 0.")
    assert written.answers(mine, blank) == {name: "Since the cross term is 0."}
    place = [c["id"] for c in mine["cells"]].index("answer-ch03-why_the_mean")
    mine["cells"].insert(place + 1, {"cell_type": "markdown", "source": "And so on.", "metadata": {}})
    mine["cells"].insert(place + 2, {"cell_type": "code", "source": "print(1)", "metadata": {}})
    mine["cells"].append({"cell_type": "markdown", "source": "Thank you!", "metadata": {}})  # behind the table of letters: not an answer
    for cell in mine["cells"]:  # a front end that keeps neither metadata nor ids
        cell["metadata"] = {}
        cell.pop("id", None)
    assert written.answers(mine, blank) == {name: "Since the cross term is 0.\n\nAnd so on.\n\n```\nprint(1)\n```"}
    inside = workspace.read(hw3.handout)
    question = next(c for c in inside["cells"] if c["source"].startswith("### Why is the best"))
    question["source"] += "\n\nBecause."
    assert written.answers(inside, blank) == {name: "Because."}
    long = written.answers(submission(hw3, text="x" * 30_000), blank)[name]
    assert len(long) < 21_000 and long.endswith("(cut after 20000 characters)")


def test_written_answers_go_out_without_names_and_marks_survive(hw3, tmp_path, capsys):
    folder, out = tmp_path / "submissions", tmp_path / "written"
    folder.mkdir()
    texts = {"smith_jane_1_2_hw3": "## Not a heading\n<script>alert(1)</script>", "lee_bo_3_4_hw3": "Because $a<b$.",
             "ng_al_5_6_hw3": written.PLACEHOLDER}
    for name, text in texts.items():
        (folder / f"{name}.ipynb").write_text(workspace.written(submission(hw3, text=text)), encoding="utf-8")
    (folder / "broken_6_7.ipynb").write_text("{")
    call = ["written", str(folder), "--assignment", str(hw3.folder), "--out", str(out)]
    assert cli.main(call) == 0
    said = capsys.readouterr()
    assert "2 answers from 3 submissions" in said.out and "Not read: broken_6_7.ipynb" in said.err
    page = (out / "ch03.why_the_mean.md").read_text(encoding="utf-8")
    assert "smith" not in page and "<script>" not in page and "> ## Not a heading" in page and "## What earns points" in page
    rows = list(csv.DictReader((out / "marks.csv").open(encoding="utf-8")))
    assert [tuple(row) for row in rows] == [written.COLUMNS] * 3
    pseudonyms = {name: written.pseudonym(hw3, f"{name}.ipynb") for name in texts}
    assert {row["pseudonym"] for row in rows} == set(pseudonyms.values()) and all(p.isalpha() for p in pseudonyms.values())
    key = (tmp_path / "written-key.csv").read_text(encoding="utf-8")
    assert f"{pseudonyms['lee_bo_3_4_hw3']},lee_bo_3_4_hw3.ipynb" in key and "lee" not in (out / "marks.csv").read_text()
    nothing = next(row for row in rows if row["pseudonym"] == pseudonyms["ng_al_5_6_hw3"])
    assert (nothing["points"], nothing["comment"]) == ("0", "no answer")
    # a grader fills in two rows; then one student submits anew
    for row in rows:
        if row is not nothing:
            row |= {"points": "3.5", "comment": "good, but short"}
    save(out / "marks.csv", rows)
    assert written.read_marks(out / "marks.csv", hw3)["ch03.why_the_mean", pseudonyms["lee_bo_3_4_hw3"]] == (3.5, "good, but short")
    (folder / "lee_bo_3_4_hw3.ipynb").write_text(workspace.written(submission(hw3, text="Better.")), encoding="utf-8")
    assert cli.main(call) == 0
    after = {row["pseudonym"]: row for row in csv.DictReader((out / "marks.csv").open(encoding="utf-8"))}
    assert after[pseudonyms["smith_jane_1_2_hw3"]]["points"] == "3.5"
    changed = after[pseudonyms["lee_bo_3_4_hw3"]]
    assert changed["points"] == "" and "the earlier one had 3.5" in changed["comment"]
    again = files(out)
    assert cli.main(call) == 0 and files(out) == again


def save(path, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, written.COLUMNS)
        table.writeheader()
        table.writerows(rows)


def test_a_zip_of_submissions_and_a_picture_in_an_answer(hw3, tmp_path):
    notebook = submission(hw3, text="![proof](attachment:proof.png)")
    cell = next(c for c in notebook["cells"] if c["id"].startswith("answer"))
    cell["attachments"] = {"proof.png": {"image/png": "iVBORw0KGgo="}}
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("Jane Smith_12_assignsubmission_file_/hw3.ipynb", workspace.written(notebook))
        archive.writestr("__MACOSX/._hw3.ipynb", "x")
    done = written.export(tmp_path / "all.zip", hw3, tmp_path / "out")
    assert (done.submissions, done.answers, done.unreadable) == (1, 1, ())
    name = written.pseudonym(hw3, "Jane Smith_12_assignsubmission_file_/hw3.ipynb")
    assert (tmp_path / "out" / f"ch03.why_the_mean-{name}-1.png").read_bytes() == b"\x89PNG\r\n\x1a\n"
    assert f"ch03.why_the_mean-{name}-1.png" in (tmp_path / "out" / "ch03.why_the_mean.md").read_text(encoding="utf-8")


def test_what_no_file_can_hold_and_what_commands_a_terminal_in_an_answer(hw3, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ada.ipynb").write_text(json.dumps(submission(hw3, text="half \ud83d, \x1b[2J, \u202eback, \N{SNOWMAN}\tand\r\nmore")))
    assert written.export(tmp_path / "in", hw3, tmp_path / "out").answers == 1
    page = (tmp_path / "out" / "ch03.why_the_mean.md").read_text(encoding="utf-8")
    assert "> half ?, \ufffd[2J, \ufffdback, \N{SNOWMAN}\tand\n> more" in page


@pytest.mark.parametrize("row, said", [
    ({"points": "6"}, "from 0 to 5"), ({"points": "many"}, "from 0 to 5"), ({"points": "nan"}, "from 0 to 5"),
    ({"question": "ch03.why"}, "no written question"), ({"twice": True}, "stands twice"), ({"columns": "a,b"}, "no column"),
])
def test_marks_that_cannot_be(hw3, tmp_path, row, said):
    path = tmp_path / "marks.csv"
    one = {"question": "ch03.why_the_mean", "pseudonym": "bcd", "points": "1", "of": "5", "comment": "", "answer": ""}
    save(path, [one | {k: v for k, v in row.items() if k in one}] * (2 if "twice" in row else 1))
    if "columns" in row:
        path.write_text(row["columns"] + "\n1,2\n")
    with pytest.raises(CourseError, match=said):
        written.read_marks(path, hw3)


def test_what_written_refuses(hw3, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.zip").write_text("no zip")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.ipynb").write_text(json.dumps({}))
    for submissions, out, said in (("empty", "out", "no notebook"), ("text.zip", "out", "neither a folder nor a zip"),
                                   ("nowhere", "out", "There is no"), ("one", "full", "not empty"), ("one", "text.zip", "a folder is wanted")):
        assert cli.main(["written", str(tmp_path / submissions), "--assignment", str(hw3.folder), "--out", str(tmp_path / out)]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
