"""Rosters, whose a file is, lateness, an instructor's tables, and files that Canvas and Moodle take back."""

import csv
import io
import zipfile
from datetime import datetime, timedelta

import pytest

from book_utils.course.errors import CourseError
from book_utils.course.grading import gradebook, late, marks, pool, rosters, submissions, tables, written
from book_utils.course.grading.late import Extension

from gradebook_help import Believing, assignment, canvas, moodle, notebook, people, squeezed, write

DUE = datetime.fromisoformat("2026-10-02T23:59-07:00")


@pytest.fixture
def hw(tmp_path):
    return assignment(tmp_path / "hw3")


def put(folder, **files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def owners(roster, *names):
    """Whose files of these names are, by name of the file."""
    class Folder:
        submissions = [submissions._identified(submissions.Submission(name, digest="d"), roster, "hw3") for name in names]
    return {s.file: s.owner for s in Folder.submissions}


def row(given, roster, collection, key, noted=tables.Tables()):
    """The row of one student."""
    marker = Believing(given)
    results = {}
    for submission in collection.submissions:
        with collection.file(submission) as path:
            unread = submission.trouble and pool.nothing(given, marks.UNREADABLE, submission.trouble)
            results[submission.file] = unread or marker.mark(path)
    return next(r for r in gradebook.settle(given, roster, collection, noted, results) if r.student.key == key)


# Rosters

def test_canvas_rows_above_the_students_and_its_test_student_are_not_students(tmp_path):
    roster = rosters.read(canvas(tmp_path / "c.csv", people(3)))
    assert (roster.kind, [s.key for s in roster.students]) == ("canvas", ["100", "101", "102"])
    assert roster.students[1].name == "Émile de la Cruz"
    assert roster.identity == ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
    assert rosters.column_for(roster, "hw3", "homework 3") == "Homework 3 (98765)"
    assert rosters.column_for(roster, "hw4", "Section", "Current") == ""


def test_semicolons_of_a_european_spreadsheet_are_read_and_written(tmp_path):
    roster = rosters.read(canvas(tmp_path / "c.csv", people(2), delimiter=";"))
    assert len(roster.students) == 2
    assert ";8\n" in rosters.upload(roster, "Homework 3 (98765)", 8, {})


def test_students_are_found_by_login_number_address_or_name(tmp_path):
    roster = rosters.read(canvas(tmp_path / "c.csv", people(12)))
    for text in ("s003", "S003", "103", "SIS103", "Noether, Mary Ann", "mary ann noether"):
        assert roster.find(text, "t").key == "103", text
    with pytest.raises(CourseError, match=r"t: There is no student called 's0033'. Did you mean s003"):
        roster.find("s0033", "t")
    twins = rosters.read(moodle(tmp_path / "m.csv", [("Ray", "Ann", 1, "a1"), ("Ray", "Ann", 2, "a2")]))
    with pytest.raises(CourseError, match="names 2 students"):
        twins.find("Ann Ray", "t")


@pytest.mark.parametrize("text, said", [
    ("", "is empty"),
    ("a,b\n1,2\n", "is no roster"),
    ("login,name\n", "names no students"),
    ("login,name\nx,X\nx,Y\n", "line 3: login x stands twice"),
    ("login,name\n,X\n", "line 2: this row has nothing under login"),
    ("login,name\nx,X,1,2\n", "more cells than columns"),
    ("login,login\nx,X\n", "two columns called 'login'"),
    ('login,name\nx,"X\n', "is not a table in UTF-8"),
    ("Student,ID\n\"A, B\",1\n\"C, D\",\n", "line 3: this row has nothing under ID"),
])
def test_a_bad_roster_is_one_sentence(tmp_path, text, said):
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(CourseError, match=said):
        rosters.read(tmp_path / "r.csv")
    (tmp_path / "r.csv").write_bytes(b"login,name\nx,\xe9\n")
    with pytest.raises(CourseError, match="UTF-8"):
        rosters.read(tmp_path / "r.csv")
    with pytest.raises(CourseError, match="There is no file"):
        rosters.read(tmp_path / "none.csv")


# Whose a file is

def test_canvas_names(tmp_path):
    roster = rosters.read(canvas(tmp_path / "c.csv", people(12)))
    name = squeezed(*people(12)[4][:2])
    found = owners(roster, f"{name}_104_55_hw3.ipynb", f"{name}_LATE_104_56_hw3.ipynb", "wrongname_105_9_x.ipynb",
                   "somebody_777_1_hw3.ipynb", f"section 1/{name}_104_57_hw3-2.ipynb", "s006.ipynb", "s007_LATE.ipynb",
                   "s008_hw3.ipynb", "noise.ipynb")
    assert list(found.values()) == ["104", "104", "105", "", "104", "106", "107", "108", ""]


def test_what_a_student_writes_into_a_name_does_not_make_it_somebody_elses(tmp_path):
    roster = rosters.read(canvas(tmp_path / "c.csv", people(12)))
    found = owners(roster, "ray_104_55_ray_105_77_hw3.ipynb", "ray_104_55_X_105_assignsubmission_file_/s005.ipynb",
                   "ray_104_55_hw3/s005.ipynb", "ray_777_55_hw3/s005.ipynb")
    assert list(found.values()) == ["104", "104", "104", ""]
    worksheet = rosters.read(moodle(tmp_path / "m.csv", people(12)))
    found = owners(worksheet, "Ada Lovelace_100_assignsubmission_file_/Bob_101_assignsubmission_file_/hw3.ipynb",
                   "Ada Lovelace_100_assignsubmission_file_Bob_101_assignsubmission_file_hw3.ipynb",
                   "Ada Lovelace_100_assignsubmission_file/x_101_7_hw3.ipynb", "Participant_103_assignsubmission_file_/hw3.ipynb")
    assert list(found.values()) == ["Participant 100"] * 3 + ["Participant 103"]


def test_names_alone_decide_only_where_nobody_shares_them(tmp_path):
    write(tmp_path / "p.csv", [["First name", "Last name", "Email address"], ["Ann", "Ray", "a1@x"], ["Ann", "Ray", "a2@x"],
                               ["Zoë", "Ito", "z@x"]])
    roster = rosters.read(tmp_path / "p.csv")
    found = owners(roster, "Ann Ray_5_assignsubmission_file_/a.ipynb", "Zoe\u0308 Ito_6_assignsubmission_file_/a.ipynb",
                   "itozoë_1_2_a.ipynb", "a2@x.ipynb")
    assert list(found.values()) == ["", "z@x", "z@x", "a2@x"]


def test_of_several_files_one_counts_and_the_others_say_which(tmp_path, hw):
    roster = rosters.read(canvas(tmp_path / "c.csv", people(3)))
    folder = put(tmp_path / "s", **{"a_100_7_notes.ipynb": notebook(0, 0), "a_100_5_hw3.ipynb": notebook(1, 1),
                                    "a_100_6_hw3-1.ipynb": notebook(3, 3), "b_101_8_answer.docx": "x", ".DS_Store": "",
                                    ".ipynb_checkpoints/a_101_1_hw3.ipynb": "{}"})
    (folder / "c_102_9_hw3.ipynb").symlink_to(folder / "a_100_6_hw3-1.ipynb")
    collection = submissions.collect(folder, roster, "hw3")
    assert collection.chosen()["100"].file == "a_100_6_hw3-1.ipynb"
    assert len(collection.submissions) == 5
    assert row(hw, roster, collection, "101").status == marks.UNREADABLE
    assert "(.ipynb)" in row(hw, roster, collection, "101").reason
    assert "links are not followed" in row(hw, roster, collection, "102").reason


def test_a_zip_is_read_as_the_folder_is_and_nothing_is_unpacked_beside_it(tmp_path, hw):
    roster = rosters.read(canvas(tmp_path / "c.csv", people(2)))
    folder = put(tmp_path / "s", **{"a_100_7_hw3.ipynb": notebook(3, 3), "x/b_101_8_hw3.ipynb": notebook(1, 0)})
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        for path in sorted(folder.rglob("*.ipynb")):
            archive.write(path, path.relative_to(folder))
        archive.writestr("__MACOSX/a_100_7_hw3.ipynb", "x")
        archive.writestr("../../e_999_1_hw3.ipynb", "{}")
    packed = submissions.collect(tmp_path / "s.zip", roster, "hw3")
    assert {s.file for s in packed.submissions if s.owner} == {s.file for s in submissions.collect(folder, roster, "hw3").submissions}
    assert row(hw, roster, packed, "100").auto == 8
    assert not list(tmp_path.parent.glob("e_999*"))


@pytest.mark.parametrize("files, said", [({}, "There is no notebook in"), ({"a.ipynb": "{}", "b.ipynb": "{}"}, "None of the 2 notebooks")])
def test_a_folder_that_is_not_this_courses_is_one_sentence(tmp_path, files, said):
    roster = rosters.read(canvas(tmp_path / "c.csv", people(2)))
    (tmp_path / "s").mkdir()
    with pytest.raises(CourseError, match=said):
        submissions.collect(put(tmp_path / "s", **files), roster, "hw3")
    (tmp_path / "not.zip").write_text("no zip")
    for path in ("not.zip", "absent"):
        with pytest.raises(CourseError):
            submissions.collect(tmp_path / path, roster, "hw3")


# Late

@pytest.mark.parametrize("after, extension, days", [
    (timedelta(minutes=-5), late.NONE, 0), (timedelta(minutes=15), late.NONE, 0), (timedelta(minutes=16), late.NONE, 1),
    (timedelta(days=1), late.NONE, 1), (timedelta(days=1, seconds=1), late.NONE, 2), (timedelta(days=3), Extension(days=3), 0),
    (timedelta(days=3, hours=1), Extension(days=3), 1), (timedelta(days=3), Extension(until=DUE + timedelta(days=1)), 2),
    (timedelta(hours=1), Extension(until=DUE - timedelta(days=1)), 1),
])
def test_days_begun_after_the_date(hw, after, extension, days):
    assert late.days_late(hw, DUE + after, False, extension) == days


def test_a_name_that_says_late_is_one_day_which_any_extension_forgives(hw):
    assert late.days_late(hw, None, True) == 1
    assert late.days_late(hw, None, True, Extension(days=1)) == 0
    assert late.days_late(hw, None, True, Extension(until=DUE + timedelta(days=1))) == 0
    assert late.days_late(hw, DUE, True) == 0  # the time is known, and it was not late


def test_a_penalty_never_takes_more_than_was_earned(hw):
    assert [late.penalty(hw, days, 3.0) for days in (0, 1, 2, 5, 6)] == [0, 0.8, 1.6, 3.0, 3.0]


# The instructor's tables

def test_extensions_groups_and_overrides(tmp_path, hw):
    roster = rosters.read(canvas(tmp_path / "c.csv", people(6)))
    write(hw.folder / "extensions.csv", [["student", "days", "until"], ["s000", "2", ""], ["101", "", "2026-10-05"], ["s005", "7", ""]])
    write(hw.folder / "groups.csv", [["group", "student"], ["g", "s002"], ["g", "s003"]])
    write(hw.folder / "overrides.csv", [["student", "what", "value", "reason"], ["s004", "final", "ex", "ill"],
                                        ["s000", "energy", "3,5", "by hand"], ["s000", "penalty", "0.5", "x"]])
    write(hw.folder / "submitted.csv", [["Student", "Submitted"], ["s000", "2026-10-04T23:00"], ["s001", "2026-10-06T12:00:00-07:00"],
                                        ["s002", "2026-10-03T12:00:00-07:00"]])
    folder = put(tmp_path / "s", **{f"x_{100 + i}_1_hw3.ipynb": notebook(3, 1) for i in range(3)})
    noted = tables.read(hw, roster)
    collection = submissions.collect(folder, roster, "hw3")
    found = {key: row(hw, roster, collection, key, noted) for key in map(str, range(100, 106))}
    assert (found["100"].days, found["100"].auto, found["100"].penalty, found["100"].final) == (0, 7.5, 0.5, 7.0)
    assert (found["101"].days, found["101"].penalty, found["101"].status) == (1, 0.8, "late")
    assert found["102"].final == found["103"].final == 3.2
    assert "Handed in by 102" in found["103"].reason
    assert (found["104"].grade, found["104"].status) == ("EX", "no submission")
    assert found["105"].grade == "" and "more time" in found["105"].reason


@pytest.mark.parametrize("name, rows, said", [
    ("extensions.csv", [["student", "days"], ["s000", "-1"]], "line 2: '-1' is not a number from 0 to 366"),
    ("extensions.csv", [["student", "days"], ["s000", ""]], "either `until`"),
    ("extensions.csv", [["student", "until"], ["s000", "tomorrow"]], "'tomorrow' is no date"),
    ("extensions.csv", [["student", "days"], ["s000", "1"], ["100", "2"]], "line 3: Ada Lovelace stands twice"),
    ("extensions.csv", [["who", "days"], ["s000", "1"]], "no column 'student'"),
    ("groups.csv", [["group", "student"], ["g", "nobody at all"]], "line 2: There is no student"),
    ("overrides.csv", [["student", "what", "value", "reason"], ["s000", "fnal", "1", "x"]], "Did you mean final"),
    ("overrides.csv", [["student", "what", "value", "reason"], ["s000", "final", "nan", "x"]], "'nan' is not a number"),
    ("overrides.csv", [["student", "what", "value", "reason"], ["s000", "final", "1", ""]], "wants a reason"),
    ("overrides.csv", [["student", "what", "value", "reason"], ["s000", "final", "1", "x"], ["s000", "final", "2", "x"]], "set twice"),
    ("submitted.csv", [["student", "submitted"], ["s000", "5/3"]], "is no date"),
    ("marks.csv", [["question"], ["q"]], "no column"),
])
def test_a_bad_table_is_one_sentence_with_its_line(tmp_path, hw, name, rows, said):
    roster = rosters.read(canvas(tmp_path / "c.csv", people(2)))
    write(hw.folder / name, rows)
    with pytest.raises(CourseError, match=said):
        tables.read(hw, roster)


def test_written_marks_are_merged_by_pseudonym_and_nothing_is_final_before(tmp_path):
    given = assignment(tmp_path / "hw3", questions=["why", "how"])
    roster = rosters.read(canvas(tmp_path / "c.csv", people(3)))
    files = {"a_100_1_hw3.ipynb": {"ch99.why": "since", "ch99.how": " "}, "b_101_1_hw3.ipynb": {"ch99.why": "so", "ch99.how": "thus"}}
    folder = put(tmp_path / "s", **{file: notebook(3, 3, written=text) for file, text in files.items()})
    collection = submissions.collect(folder, roster, "hw3")
    assert row(given, roster, collection, "100").grade == ""
    assert "Not marked yet: Why." in row(given, roster, collection, "100").reason
    rows = [list(written.COLUMNS), ["ch99.why", written.pseudonym(given, "a_100_1_hw3.ipynb"), "1,5", "2", "good", ""],
            ["ch99.why", written.pseudonym(given, "b_101_1_hw3.ipynb"), "2", "2", "", ""]]
    write(given.folder / "marks.csv", rows)
    noted = tables.read(given, roster)
    done = row(given, roster, collection, "100", noted)
    assert (done.written, done.final, done.answers["ch99.why"].comment) == (1.5, 9.5, "good")
    assert row(given, roster, collection, "101", noted).final is None
    assert row(given, roster, collection, "102", noted).final == 0


# Back to where it came from

def grades(given, roster, folder):
    collection = submissions.collect(folder, roster, given.name)
    marker = Believing(given)
    results = {s.file: marker.mark(folder / s.file) for s in collection.submissions}
    return gradebook.settle(given, roster, collection, tables.Tables(), results)


def test_a_round_trip_of_120_through_canvas(tmp_path, hw):
    students = people(120)
    path = canvas(tmp_path / "c.csv", students)
    roster = rosters.read(path)
    assert len({s.key for s in roster.students}) == 120
    files = {f"{squeezed(last, first)}_{'LATE_' * (i % 7 == 0)}{number}_{5000 + i}_hw3{'-1' * (i % 5 == 0)}.ipynb":
             notebook(i % 4, i // 4 % 4) for i, (last, first, number, _) in enumerate(students) if i != 60}
    rows = grades(hw, roster, put(tmp_path / "s", **files))
    uploaded = rosters.upload(roster, rosters.column_for(roster, "Homework 3"), hw.points, {r.student.key: r.grade for r in rows})
    (tmp_path / "back.csv").write_text(uploaded)

    # what Canvas asks of a file: its own identity columns, who each row is, one column of marks by its own name, points possible
    theirs = {row["ID"]: row for row in csv.DictReader(path.open(encoding="utf-8-sig"))}
    back = list(csv.DictReader(io.StringIO(uploaded)))
    assert list(back[0]) == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Homework 3 (98765)"]
    assert back[0]["Student"].strip() == "Points Possible" and float(back[0]["Homework 3 (98765)"]) == 8
    assert len(back) == 121
    for row, student in zip(back[1:], students):
        assert all(row[c] == theirs[row["ID"]][c] for c in ("Student", "ID", "SIS User ID", "SIS Login ID", "Section"))
        place = students.index(student)
        earned = 0.0 if place == 60 else sum([0, 0, 1, 4][n] for n in (place % 4, place // 4 % 4))
        taken = min(earned, 0.8) if place % 7 == 0 else 0
        assert float(row["Homework 3 (98765)"]) == pytest.approx(earned - taken), student
    again = rosters.read(tmp_path / "back.csv")
    assert [s.key for s in again.students] == [s.key for s in roster.students]


def test_a_round_trip_of_120_through_moodle(tmp_path, hw):
    students = people(120)
    path = moodle(tmp_path / "m.csv", students)
    roster = rosters.read(path)
    files = {f"{first} {last}_{number}_assignsubmission_file_/my homework.ipynb": notebook(i % 4, 3)
             for i, (last, first, number, _) in enumerate(students) if i != 60}
    rows = grades(hw, roster, put(tmp_path / "s", **files))
    back = list(csv.DictReader(io.StringIO(rosters.upload(roster, "", hw.points, {r.student.key: r.grade for r in rows}))))
    theirs = list(csv.DictReader(path.open()))
    assert list(back[0]) == list(theirs[0])
    for place, (row, before) in enumerate(zip(back, theirs, strict=True)):
        assert {**row, "Grade": ""} == before
        assert 0 <= float(row["Grade"]) <= float(row["Maximum Grade"])
        assert float(row["Grade"]) == (0 if place == 60 else [0, 0, 1, 4][place % 4] + 4)


def test_moodles_gradebook_export_gets_a_column(tmp_path):
    write(tmp_path / "p.csv", [["First name", "Last name", "ID number", "Email address"], ["Ann", "Ray", "7", "a@x"]])
    roster = rosters.read(tmp_path / "p.csv")
    assert rosters.upload(roster, "Homework 3", 8, {"7": "3"}).splitlines() == [
        "First name,Last name,ID number,Email address,Homework 3", "Ann,Ray,7,a@x,3"]
