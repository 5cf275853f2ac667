"""`book grade` and `book regrade` from end to end, around a marker that believes what a notebook says."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from book_utils.course import cli
from book_utils.course.errors import CourseError
from book_utils.course.grading import assignment as assignments
from book_utils.course.grading import marks, written
from book_utils.course.grading.assignment import load
from book_utils.course.grading.grade import Wanted, grade, state
from book_utils.course.grading.regrade import regrade

from gradebook_help import Believing, assignment, canvas, moodle, notebook, people, write

HERE = Path(__file__).parent


@pytest.fixture
def course(tmp_path):
    """Twelve students, an assignment and a folder of submissions of every kind."""
    assignment(tmp_path / "hw3")
    canvas(tmp_path / "canvas.csv", people(12))
    folder = tmp_path / "submissions"
    folder.mkdir()
    texts = {
        "lovelaceada_100_1_hw3.ipynb": notebook(3, 3),
        "x_LATE_101_2_hw3.ipynb": notebook(3, 1, say="forgot <b>the</b> root"),
        "x_102_3_hw3.ipynb": notebook(1, 0, say="forgot <b>the</b> root"),
        "x_103_4_hw3.ipynb": "not JSON at all",
        "x_104_5_hw3.ipynb": notebook(0, 0, status=marks.TIMED_OUT, reason="It was stopped after 60 seconds."),
        "x_105_6_hw3.ipynb": notebook(2, 0, status=marks.ENDED, reason="The process ended itself."),
        "x_106_7_hw3.ipynb": notebook(3, 3),  # the same bytes as the first
        "x_107_8_answers.pdf": "%PDF",
        "x_100_0_draft.ipynb": notebook(0, 0),
        "y_777_9_hw3.ipynb": notebook(3, 3),
        "readme.txt": "hello",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return tmp_path


def wanted(course, **more):
    call = Wanted(course / "submissions", course / "hw3", course / "canvas.csv", course / "grades.csv", course / "feedback", jobs=2)
    return replace(call, **more)


def run(course, **more):
    """(what came out, the notebooks that were marked)."""
    call = wanted(course, **more)
    markers = []

    def opened(folder):
        markers.append(Believing(load(folder)))
        return markers[-1]
    done = grade(call, opened)
    assert all(marker.closed for marker in markers)
    return done, [path.name for marker in markers for path in marker.marked]


def read(path):
    return {row["ID"]: row for row in csv.DictReader(path.open(encoding="utf-8"))}


def snapshot(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_student_and_every_file_is_accounted_for(course):
    done, marked = run(course)
    found = read(course / "grades.csv")
    assert {key: row["status"] for key, row in found.items()} == {
        "100": "graded", "101": "late", "102": "graded", "103": "unreadable", "104": "timed out", "105": "ended", "106": "graded",
        "107": "unreadable", "108": "no submission", "109": "no submission", "110": "no submission", "111": "no submission"}
    assert all(row["reason"] for row in found.values() if row["status"] != "graded")
    late = found["101"]
    assert [late[c] for c in ("auto", "written", "days late", "penalty", "final")] == ["4", "0", "1", "0.8", "3.2"]
    assert dict(done.report.left_out).keys() == {"x_100_0_draft.ipynb", "y_777_9_hw3.ipynb", "readme.txt"}
    assert "lovelaceada_100_1_hw3.ipynb of the same student counts" in dict(done.report.left_out)["x_100_0_draft.ipynb"]
    assert len(marked) == 6  # twins once, the draft and the stranger not at all
    said = "\n".join(done.sentences())
    assert "12 students: 3 graded, 1 late, 2 unreadable, 1 timed out, 1 ended, 4 no submission." in said
    assert "behind: namespaces, limits." in said and "submitted.csv" in said


def test_a_rerun_marks_nothing_and_writes_the_same_files_byte_for_byte(course):
    run(course)
    before = snapshot(course)
    _, marked = run(course, jobs=1)
    assert marked == []
    assert snapshot(course) == before
    _, marked = run(course, fresh=True, jobs=1)
    assert len(marked) == 6
    after = snapshot(course)
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} <= {"grades.csv.state"}


def test_a_zip_gives_the_same_gradebook(course):
    run(course)
    before = (course / "grades.csv").read_bytes()
    with zipfile.ZipFile(course / "all.zip", "w") as archive:
        for path in (course / "submissions").iterdir():
            archive.write(path, path.name)
    _, marked = run(course, submissions=course / "all.zip")
    assert marked == [] and (course / "grades.csv").read_bytes() == before
    run(course, submissions=course / "all.zip", fresh=True)
    assert (course / "grades.csv").read_bytes() == before


def test_only_what_changed_is_marked_again(course):
    run(course)
    (course / "submissions" / "x_108_11_hw3.ipynb").write_text(notebook(2, 2))
    (course / "submissions" / "x_102_3_hw3.ipynb").write_text(notebook(3, 3))
    _, marked = run(course)
    assert sorted(marked) == ["x_108_11_hw3.ipynb"]  # the other one has the bytes of a file that was marked before
    assert read(course / "grades.csv")["102"]["final"] == "8"
    record = json.loads((course / "hw3/instructor/assignment.json").read_text())
    (course / "hw3/instructor/assignment.json").write_text(json.dumps(record | {"due": "2026-10-09T23:59-07:00", "title": "HW"}))
    assert run(course)[1] == []
    record["items"][0]["points"] = 8.0
    (course / "hw3/instructor/assignment.json").write_text(json.dumps(record))
    assert len(run(course)[1]) == 6


def test_what_timed_out_on_a_busy_machine_is_marked_once_more_when_asked(course):
    done, _ = run(course)
    assert any("--retry" in note for note in done.report.notes)
    assert sorted(run(course, retry=True)[1]) == ["x_104_5_hw3.ipynb", "x_105_6_hw3.ipynb"]
    assert run(course)[1] == []


def test_a_run_that_was_killed_goes_on(course):
    """A real kill, in the middle of marking; the half-written line that it may leave is dropped."""
    code = ("import sys, time; sys.path.insert(0, sys.argv[1])\n"
            "import test_grade as t; from pathlib import Path\n"
            "class Slow(t.Believing):\n"
            "    def mark(self, path):\n"
            "        if self.marked: print('one is marked', flush=True); time.sleep(60)\n"
            "        return super().mark(path)\n"
            "course = Path(sys.argv[2])\n"
            "t.grade(t.wanted(course, jobs=1), lambda folder: Slow(t.load(folder)))\n")
    process = subprocess.Popen([sys.executable, "-c", code, str(HERE), str(course)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"one is marked\n"
    deadline, remembered = time.time() + 10, state(course / "grades.csv")
    while time.time() < deadline and not (remembered.exists() and remembered.read_text().endswith("\n")):
        time.sleep(0.02)
    process.kill()
    process.wait()
    process.stdout.close()
    assert not (course / "grades.csv").exists()
    with state(course / "grades.csv").open("a") as file:
        file.write('["0123", "{\\"half')
    _, marked = run(course)
    assert len(marked) == 5
    whole = (course / "grades.csv").read_bytes()
    run(course, fresh=True)
    assert (course / "grades.csv").read_bytes() == whole


def test_a_damaged_memory_changes_no_mark(course):
    """One character of the remembered points changed, and one of a name: what does not add up is marked again."""
    run(course)
    whole, memory = (course / "grades.csv").read_bytes(), state(course / "grades.csv")
    lines = memory.read_text().splitlines(keepends=True)
    assert '\\"points\\": ' in lines[0] and "ch99.energy" in lines[1]
    lines[0] = lines[0].replace('\\"points\\": ', '\\"points\\": 1', 1)
    lines[1] = lines[1].replace("ch99.energy", "ch99.enargy", 1)
    memory.write_text("".join(lines))
    _, marked = run(course)
    assert len(marked) == 2 and (course / "grades.csv").read_bytes() == whole


def test_an_interrupt_keeps_what_is_marked_and_leaves_the_last_gradebook(course):
    run(course)
    before = (course / "grades.csv").read_bytes()
    for number in range(3):
        (course / "submissions" / f"x_{108 + number}_1{number}_hw3.ipynb").write_text(notebook(1, number))

    class Interrupted(Believing):
        def mark(self, path):
            if self.marked:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.1)
            return super().mark(path)
    with pytest.raises(CourseError, match="the same command goes on"):
        grade(wanted(course, jobs=1), lambda folder: Interrupted(load(folder)))
    assert (course / "grades.csv").read_bytes() == before
    assert len(run(course)[1]) == 1


def test_markers_work_side_by_side_and_one_that_breaks_spoils_one_submission(course):
    together = threading.Barrier(2, timeout=20)

    class Meeting(Believing):
        def mark(self, path):
            if not self.marked:
                together.wait()  # passes only if two markers are at work at once
            return super().mark(path)
    (course / "submissions" / "x_109_11_hw3.ipynb").write_text(notebook(0, 0, breaks=True))
    grade(wanted(course, jobs=2), lambda folder: Meeting(load(folder)))
    row = read(course / "grades.csv")["109"]
    assert row["status"] == "ended" and "the next run tries again" in row["reason"]
    assert read(course / "grades.csv")["106"]["final"] == "8"
    assert run(course)[1] == ["x_109_11_hw3.ipynb"]


def test_a_marker_that_cannot_start_is_one_sentence(course):
    def broken(folder):
        raise CourseError("The frozen checks need a package that is missing.")
    with pytest.raises(CourseError, match="frozen checks need"):
        grade(wanted(course), broken)
    assert not (course / "grades.csv").exists()


class Page(HTMLParser):
    """What a page holds: its tags, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.said = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.said.append(data)


def test_feedback_names_laws_and_mistakes_in_words_and_escapes_everything(course):
    hostile = '</p><script>alert(1)</script>"\'&\x00\ud800\u202e'
    (course / "submissions" / "x_102_3_hw3.ipynb").write_text(notebook(2, 0, say=hostile))
    (course / "submissions" / "x_110_7_<img src=x onerror=alert(1)>.ipynb").write_text(notebook(2, 0))
    run(course)
    pages = {path.name: path.read_text(encoding="utf-8") for path in (course / "feedback").glob("*.html")}
    assert len(pages) == 9 and "x_LATE_101_2_hw3.html" in pages  # named as Canvas takes them back
    page = Page(pages["x_102_3_hw3.html"])
    tags = [tag for tag, _ in page.tags]
    assert not {"script", "img", "iframe", "a", "b", "link"} & set(tags)
    assert not {tag for text in pages.values() for tag, _ in Page(text).tags} & {"script", "img", "b"}
    text = " ".join("".join(page.said).split())
    assert "it is linear" in text and "does not hold" in text and "</p><script>alert(1)</script>" in text
    assert "mistaken" in text and "hint" in text and "\x00" not in text
    assert tags.count("h1") == 1 and "h2" in tags and tags.count("caption") == tags.count("table") and ("html", {"lang": "en"}) in page.tags
    assert all(a.get("scope") in ("col", "row") for tag, a in page.tags if tag == "th")
    late = " ".join(" ".join(Page(pages["x_LATE_101_2_hw3.html"]).said).split())
    assert "Taken for being late (1 day begun) -0.8 Final, of 8 3.2" in late


def test_feedback_of_the_last_run_goes_and_no_other_folder_is_touched(course):
    run(course)
    (course / "submissions" / "x_102_3_hw3.ipynb").unlink()
    run(course)
    assert not (course / "feedback" / "x_102_3_hw3.html").exists()
    (course / "mine").mkdir()
    (course / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(CourseError, match="did not make it"):
        run(course, feedback=course / "mine")
    assert (course / "mine" / "thesis.txt").exists()


def test_moodle_gets_its_folders_back(course):
    moodle(course / "moodle.csv", people(3))
    folder = course / "m"
    for last, first, number, _ in people(3):
        (folder / f"{first} {last}_{number}_assignsubmission_file_").mkdir(parents=True)
        (folder / f"{first} {last}_{number}_assignsubmission_file_" / "x.ipynb").write_text(notebook(3, 3))
    done, _ = run(course, submissions=folder, roster=course / "moodle.csv")
    assert (course / "feedback" / "Ada Lovelace_100_assignsubmission_file_" / "feedback.html").exists()
    assert (course / "grades-moodle.csv").exists() and done.report.counts == {"graded": 3}


def test_the_class_report_counts_mistakes_laws_and_twins(course):
    run(course)
    text = (course / "grades-report.html").read_text(encoding="utf-8")
    said = " ".join(" ".join(Page(text).said).split())
    assert "forgot <b>the</b> root mistaken Energy 2" in said and "forgot <b>the</b> root mistaken Encode 2" in said
    assert "it keeps lengths 3 3 60%" in said  # of the five submissions that answer Encode, twins two of them
    assert "Ada Lovelace, Ching-He Weyl" in said
    assert "y_777_9_hw3.ipynb" in said and "no submission" in said


def test_the_class_report_and_the_feedback_hold_no_secret(course):
    run(course)
    secret = load(course / "hw3").secret
    assert not [name for name, data in snapshot(course).items() if secret.encode() in data and not name.startswith("hw3")]


def test_an_exercise_without_answers_and_a_class_without_marks_still_make_a_report(course):
    for path in (course / "submissions").iterdir():
        path.unlink()
    (course / "submissions" / "x_100_1_hw3.ipynb").write_text("{")
    done, _ = run(course)
    assert done.report.counts == {"unreadable": 1, "no submission": 11}


def test_notes_say_what_would_surprise_in_a_gradebook(course):
    canvas(course / "canvas.csv", people(12), column="Something else (1)")
    assert any("no column 'Homework 3'" in note for note in run(course)[0].report.notes)
    canvas(course / "canvas.csv", people(12), points="100")
    assert any("Canvas has 100 points" in note for note in run(course)[0].report.notes)
    done, _ = run(course, column="Homework (1234)")
    assert "Homework (1234)" in (course / "grades-canvas.csv").read_text().splitlines()[0]


# Wrong calls

@pytest.mark.parametrize("change, said", [
    (lambda raw: raw.update(format=2), "format this one does not read"),
    (lambda raw: raw.pop("due"), "it has no 'due'"),
    (lambda raw: raw.update(extra=1), "it has an unknown 'extra'"),
    (lambda raw: raw.update(name=None), "name is None, and text is wanted"),
    (lambda raw: raw.update(name="../hw3"), "'../hw3' is no name of an assignment"),
    (lambda raw: raw.update(items={}), "items is {}, and a list is wanted"),
    (lambda raw: raw.update(items=[], questions=[]), "neither exercises nor questions"),
    (lambda raw: raw["items"].append(raw["items"][0]), "a name stands twice"),
    (lambda raw: raw["items"][1].update(points="4"), "items[1].points is '4', and a number"),
    (lambda raw: raw["items"][1].update(points=True), "items[1].points is True, and a number"),
    (lambda raw: raw["items"][1].update(points=-1), "items[1].points is -1, and a number"),
    (lambda raw: raw["items"][0].update(weights=[]), "items[0].weights is [], and a table"),
    (lambda raw: raw["items"][0]["weights"].update(dict.fromkeys(raw["items"][0]["weights"], float("nan"))), "is nan, and a number"),
    (lambda raw: raw["items"][0]["weights"].update(dict.fromkeys(raw["items"][0]["weights"], 0)), "no law of ch99.encode has any weight"),
    (lambda raw: raw["items"][0].update(gates=["no such law"]), "has a gate that is no law of it"),
    (lambda raw: raw.update(secret="5e"), "the secret is too short"),
    (lambda raw: raw.update(secret="five"), "cannot be read"),
    (lambda raw: raw.update(due="2026-10-02T23:59"), "no offset from UTC"),
    (lambda raw: raw.update(due="soon"), "cannot be read"),
    (lambda raw: raw["late"].update(days=1.5), "late.days is 1.5, and a whole number"),
    (lambda raw: raw["late"].update(per_day=1.5), "late.per_day is the share"),
])
def test_what_is_wrong_with_the_record_of_an_assignment_is_named(course, change, said):
    path = course / "hw3/instructor/assignment.json"
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))
    with pytest.raises(CourseError) as error:
        load(course / "hw3")
    assert said in str(error.value) and str(path) in str(error.value) and "\n" not in str(error.value)


def book(*arguments):
    return cli.main([str(a) for a in arguments])


@pytest.mark.parametrize("change, said", [
    (lambda c: (c / "canvas.csv").write_text(""), "is empty"),
    (lambda c: (c / "canvas.csv").unlink(), "There is no file"),
    (lambda c: (c / "hw3/instructor/assignment.json").write_text("{"), "cannot be read"),
    (lambda c: (c / "hw3/instructor/frozen/checks.py").write_text("LAWS = 4"), "its hash differs"),
    (lambda c: (c / "hw3").rename(c / "gone"), "There is no folder"),
    (lambda c: [p.unlink() for p in (c / "submissions").iterdir()], "There is no notebook"),
    (lambda c: (c / "hw3" / "overrides.csv").write_text("student,what,value\n"), "no column 'reason'"),
    (lambda c: (c / "hw3" / "extensions.csv").write_bytes(b"\xff\xfe\x00"), "not a table in UTF-8"),
])
def test_bad_input_is_one_sentence_status_2_and_leaves_earlier_results(course, capsys, change, said):
    run(course)
    before = {name: data for name, data in snapshot(course).items() if name.startswith(("grades", "feedback"))}
    change(course)
    arguments = (course / "submissions", "--assignment", course / "hw3", "--roster", course / "canvas.csv")
    assert book("grade", *arguments, "--out", course / "grades.csv", "--feedback", course / "feedback") == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert {name: data for name, data in snapshot(course).items() if name.startswith(("grades", "feedback"))} == before


@pytest.mark.parametrize("out, said", [("canvas.csv", "would be overwritten"), ("submissions/grades.csv", "among the submissions"),
                                       ("nowhere/grades.csv", "There is no folder"), ("hw3", "is a folder"),
                                       ("hw3/extensions.csv", "would be overwritten")])
def test_a_gradebook_is_not_written_over_anything_that_is_read(course, capsys, out, said):
    arguments = (course / "submissions", "--assignment", course / "hw3", "--roster", course / "canvas.csv")
    assert book("grade", *arguments, "--out", course / out) == 2
    assert said in capsys.readouterr().err


def test_an_unknown_column_is_offered_the_nearest(course, capsys):
    arguments = (course / "submissions", "--assignment", course / "hw3", "--roster", course / "canvas.csv", "--out", course / "grades.csv")
    assert book("grade", *arguments, "--column", "Homwork 3 (98765)") == 2
    assert "Did you mean Homework 3 (98765)" in capsys.readouterr().err


# Marking again

class Stricter(Believing):
    """Holds one law more of Encode for whoever holds two, and one less of Energy for whoever holds all."""

    def mark(self, path):
        marked = super().mark(path)
        given = {"ch99.encode": {2: 3, 3: 3}, "ch99.energy": {3: 2}}
        again = []
        for mark in marked.marks:
            held = sum(law.held for law in mark.laws)
            text = notebook(given[mark.name].get(held, held), given[mark.name].get(held, held))
            again.append(next(m for m in self._marks(json.loads(text)["held"]) if m.name == mark.name))
        return replace(marked, marks=tuple(again))


@pytest.fixture
def two(course):
    """The course with a gradebook, and a corrected assignment."""
    (course / "submissions" / "x_105_6_hw3.ipynb").write_text(notebook(2, 0))
    corrected = assignment(course / "hw3.1")
    (course / "hw3.1/instructor/frozen/checks.py").write_text("LAWS = 5\n")
    corrected = replace(corrected, name="hw3", checks=assignments.digest(corrected.frozen))
    (course / "hw3.1/instructor/assignment.json").write_text(assignments.dumps(corrected))
    run(course)
    return course


def again(course, **more):
    kinds = {"hw3": Believing, "hw3.1": Stricter}
    return regrade(wanted(course), course / "hw3.1", open_marker=lambda folder: kinds[folder.name](load(folder)), **more)


def test_regrading_raises_marks_lowers_none_and_says_who_and_why(two):
    before = read(two / "grades.csv")
    done = again(two)
    after = read(two / "grades.csv")
    assert [(c.row.student.key, c.before, c.after) for c in done.changes] == [("105", "1", "4")]
    assert done.changes[0].why == "ch99.encode 1 -> 4 (holds now: it keeps lengths)."
    assert "Huang" in done.changes[0].row.student.name and "Huang: 1 -> 4." in "\n".join(done.sentences())
    assert done.kept == 2 and all(float(after[key]["final"]) >= float(before[key]["final"]) for key in after)
    assert [row["why"] for row in csv.DictReader((two / "grades-changes.csv").open())] == [done.changes[0].why]
    assert "3 of 4" not in (two / "feedback" / "lovelaceada_100_1_hw3.html").read_text()
    files = snapshot(two)
    again(two)
    assert snapshot(two) == files


def test_regrading_lowers_when_told_to(two):
    done = again(two, lower=True)
    assert {c.row.student.key: (c.before, c.after) for c in done.changes} == {"105": ("1", "4"), "100": ("8", "5"), "106": ("8", "5")}
    assert "does not hold now: it keeps lengths" in done.changes[0].why


def test_regrading_heeds_overrides(two):
    write(two / "hw3" / "overrides.csv", [["student", "what", "value", "reason"], ["s005", "final", "2", "agreed"]])
    assert again(two).changes == []
    assert read(two / "grades.csv")["105"]["final"] == "2"


@pytest.mark.parametrize("change, said", [
    (lambda a: {"items": a.items[:1]}, "only one of them has ch99.energy"),
    (lambda a: {"items": (replace(a.items[0], points=5.0), a.items[1])}, "worth 4 points"),
    (lambda a: {"items": (replace(a.items[0], variant="rows"), a.items[1])}, "same salt and under the same name"),
])
def test_an_assignment_that_asks_something_else_corrects_nothing(two, capsys, change, said):
    given = load(two / "hw3.1")
    (two / "hw3.1/instructor/assignment.json").write_text(assignments.dumps(replace(given, **change(given))))
    before = snapshot(two)
    status = book("regrade", two / "hw3", "--with", two / "hw3.1", "--submissions", two / "submissions", "--roster", two / "canvas.csv",
                  "--grades", two / "grades.csv")
    assert status == 2 and said in capsys.readouterr().err and snapshot(two) == before


def test_regrading_without_a_gradebook_or_with_the_same_assignment_is_one_sentence(two, capsys):
    arguments = ("--submissions", two / "submissions", "--roster", two / "canvas.csv")
    assert book("regrade", two / "hw3", "--with", two / "hw3", *arguments, "--grades", two / "grades.csv") == 2
    assert book("regrade", two / "hw3", "--with", two / "hw3.1", *arguments, "--grades", two / "none.csv") == 2
    assert re.fullmatch(r".*is the assignment itself.*\n.*There is no gradebook.*\n", capsys.readouterr().err)


def test_written_marks_end_in_the_gradebook_and_on_the_page(tmp_path):
    given = assignment(tmp_path / "hw3", questions=["why"])
    canvas(tmp_path / "canvas.csv", people(2))
    (tmp_path / "submissions").mkdir()
    (tmp_path / "submissions" / "x_100_1_hw3.ipynb").write_text(notebook(3, 3, written={"ch99.why": "since"}))
    done, _ = run(tmp_path)
    assert read(tmp_path / "grades.csv")["100"]["final"] == "" and any("nobody has marked" in note for note in done.report.notes)
    name = written.pseudonym(given, "x_100_1_hw3.ipynb")
    table = write(tmp_path / "marked.csv", [written.COLUMNS, ["ch99.why", name, "1.5", "2", "a <clear> answer", ""]])
    run(tmp_path, tables={"marks.csv": table})
    row = read(tmp_path / "grades.csv")["100"]
    assert (row["written"], row["final"], row["ch99.why"]) == ("1.5", "9.5", "1.5")
    assert "a &lt;clear&gt; answer" in (tmp_path / "feedback" / "x_100_1_hw3.html").read_text()
    assert name not in (tmp_path / "feedback" / "x_100_1_hw3.html").read_text()


# With the real marker

def test_a_real_assignment_from_its_salt_to_a_gradebook(tmp_path, capsys):
    """Made, solved, handed in, marked, read by hand, corrected and marked again, all by the command."""
    def hand_in(number, source, change=lambda text: text):
        text = change(source.read_text(encoding="utf-8"))
        (tmp_path / "submissions" / f"x_{number}_1_hw3.ipynb").write_text(text, encoding="utf-8")

    def done(*arguments):
        status = book(*arguments)
        said = capsys.readouterr()
        assert status == 0, said.err
        return said.out
    (tmp_path / "submissions").mkdir()
    hw3, key = tmp_path / "hw3", tmp_path / "course.key"
    done("assign", "ch03", "--exercises", "tweedie,mixture_denoiser", "--points", "tweedie=2,mixture_denoiser=3", "--salt", key,
         "--written", "why_the_mean", "--title", "Homework 3", "--out", hw3)
    canvas(tmp_path / "canvas.csv", people(5), points="10")
    solved = hw3 / "instructor" / "hw3_solved.ipynb"
    hand_in(100, solved)
    hand_in(101, hw3 / "hw3.ipynb")
    hand_in(102, solved, lambda text: text.replace("return ", "return 0 * "))
    hand_in(103, solved, lambda text: text[: len(text) // 2])
    arguments = ("--roster", tmp_path / "canvas.csv", "--feedback", tmp_path / "feedback")
    grades = ("grade", tmp_path / "submissions", "--assignment", hw3, *arguments, "--out", tmp_path / "grades.csv", "--jobs", 1)
    done(*grades)
    found = read(tmp_path / "grades.csv")
    assert [(found[key]["auto"], found[key]["status"]) for key in ("100", "101", "102", "103", "104")] == [
        ("5", "graded"), ("0", "graded"), ("0", "graded"), ("0", "unreadable"), ("0", "no submission")]
    assert [found[key]["final"] for key in ("100", "101", "104")] == ["", "0", "0"]
    done("written", tmp_path / "submissions", "--assignment", hw3, "--out", tmp_path / "written")
    table = (tmp_path / "written" / "marks.csv").read_text(encoding="utf-8")
    names = [written.pseudonym(load(hw3), f"x_{number}_1_hw3.ipynb") for number in (100, 101)]
    assert [f"## {name}" in (tmp_path / "written" / "ch03.why_the_mean.md").read_text(encoding="utf-8") for name in names] == [True, False]
    (hw3 / "marks.csv").write_text(re.sub(r"(?m)^(ch03\.why_the_mean,\w+),,", r"\1,3,", table), encoding="utf-8")
    done(*grades)
    assert read(tmp_path / "grades.csv")["100"]["final"] == "8"
    before = (tmp_path / "grades.csv").read_bytes()
    done(*grades)
    assert (tmp_path / "grades.csv").read_bytes() == before
    page = (tmp_path / "feedback" / "x_102_1_hw3.html").read_text(encoding="utf-8")
    assert "does not hold" in page and load(hw3).secret not in page
    shutil.copytree(hw3, tmp_path / "hw3.1")
    said = done("regrade", hw3, "--with", tmp_path / "hw3.1", "--submissions", tmp_path / "submissions", *arguments,
                "--grades", tmp_path / "grades.csv")
    assert "0 of 5 final marks changed" in said
