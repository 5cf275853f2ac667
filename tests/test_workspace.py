"""The student's folder: copies never written over, answers carried over by name, verdicts read from what is saved."""

import json
from pathlib import Path

import nbformat
import pytest

from book_utils.course import notebook, standing, workspace
from book_utils.course.errors import CourseError
from book_utils.course.update import Update, carry, update

TODO = "    todo()"


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.setenv("BOOK_WORK", str(tmp_path / "work"))
    return tmp_path / "work"


def stub(name, body=TODO, text="Do it."):
    return f'@exercise("{name}")\ndef {name.partition(".")[2]}(x):\n    """{text}"""\n{body}'


def ours(name, body=TODO, text="Do it.", written_for=None):
    """An exercise cell as it ships, with another body if the student wrote one."""
    book = {"exercise": name, "stub": notebook.fingerprint(written_for or stub(name, text=text))}
    return {"cell_type": "code", "id": name.replace(".", "-"), "source": stub(name, body, text), "metadata": {"book": book},
            "outputs": [said("NOT STARTED", name)], "execution_count": 1}


def said(status, name):
    return {"output_type": "display_data", "metadata": {}, "data": {"text/plain": [f"{status}  {name}: ", "so and so."]}}


def prose(text, id=None):
    return {"cell_type": "markdown", "id": id or notebook.fingerprint(text)[:12], "source": text, "metadata": {}}


def mine(text, id="0a1b2c3d"):
    return {"cell_type": "code", "id": id, "source": text, "metadata": {}, "outputs": [], "execution_count": None}


def lesson(*cells):
    made = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    made["metadata"]["book"] = {"chapter": "ch99", "cells": workspace.cells_of(made)}
    return json.loads(json.dumps(made))


def copied(fresh, *cells):
    """A copy made from `fresh` that has these cells now."""
    return json.loads(json.dumps({**fresh, "cells": list(cells)}))


def carried(copy, fresh):
    report = Update(chapter=None)
    made = carry(copy, json.loads(json.dumps(fresh)), report)
    nbformat.validate(nbformat.from_dict(made))
    assert len({cell["id"] for cell in made["cells"]}) == len(made["cells"])
    return [cell["source"] for cell in made["cells"]], report, made


RIGHT = "    return x + 1"
OLD = lesson(prose("# Title"), ours("ch99.a"), prose("Then."), ours("ch99.b"), prose("Goes away."), ours("ch99.gone"))
NEW = lesson(prose("# Title"), prose("New."), ours("ch99.b"), prose("Then."), ours("ch99.c"), ours("ch99.a"))


def test_answers_follow_their_name_and_blank_stubs_stay_blank():
    copy = copied(OLD, prose("# Title"), ours("ch99.a", RIGHT), prose("Then."), ours("ch99.b"))
    sources, report, made = carried(copy, NEW)
    assert sources == ["# Title", "New.", stub("ch99.b"), "Then.", stub("ch99.c"), stub("ch99.a", RIGHT)]
    assert (report.answers, report.left, report.own, report.renewed) == (["ch99.a"], [], 0, [])
    assert made["cells"][-1]["metadata"]["book"] == NEW["cells"][-1]["metadata"]["book"]


def test_the_verdict_comes_along_unless_the_exercise_is_another():
    answered = {**ours("ch99.a", RIGHT), "outputs": [said("HOLDS", "ch99.a")], "execution_count": 7}
    _, report, made = carried(copied(OLD, answered), NEW)
    assert made["cells"][-1]["outputs"] == answered["outputs"] and report.renewed == []
    renewed = lesson(ours("ch99.a", text="Do it twice."))
    sources, report, made = carried(copied(OLD, answered), renewed)
    assert sources == [stub("ch99.a", RIGHT)] and made["cells"][0]["outputs"] == [] and report.renewed == ["ch99.a"]
    # the copy now belongs to the new text, so that a later update still sees an answer
    assert made["cells"][0]["metadata"]["book"]["stub"] == notebook.fingerprint(stub("ch99.a", text="Do it twice."))
    assert carried(made, lesson(ours("ch99.a", text="Thrice.")))[0] == [stub("ch99.a", RIGHT)]


def test_half_an_answer_is_an_answer():
    half = "    y = x + 1\n" + TODO
    sources, report, _ = carried(copied(OLD, ours("ch99.a", half)), NEW)
    assert sources[-1] == stub("ch99.a", half) and report.left == []


def test_own_cells_follow_the_same_neighbour_in_their_order():
    copy = copied(OLD, mine("first", "1"), prose("# Title"), mine("one", "2"), mine("two", "3"), ours("ch99.a"),
                  mine("mine", "4"), prose("Goes away."), mine("after what is gone", "5"))
    sources, report, _ = carried(copy, NEW)
    assert sources[:5] == ["first", "# Title", "one", "two", "New."]
    assert sources[5:] == [stub("ch99.b"), "Then.", stub("ch99.c"), stub("ch99.a"), "mine", "after what is gone"]
    assert report.own == 5 and report.left == []


def test_what_cannot_be_placed_is_listed():
    copy = copied(OLD, prose("# My title", OLD["cells"][0]["id"]), ours("ch99.a"), ours("ch99.gone", RIGHT))
    sources, report, _ = carried(copy, NEW)
    assert sources[0] == "# Title" and not any("My" in s or "gone" in s for s in sources)
    assert report.left == ["an edited cell of the lesson, `# My title`", "ch99.gone, which is no longer in the lesson"]


def test_the_last_changed_duplicate_wins():
    again = {**ours("ch99.a", "    return x + 2"), "id": "another"}
    untouched = {**ours("ch99.a"), "id": "third"}
    sources, report, _ = carried(copied(OLD, ours("ch99.a", RIGHT), again, untouched), NEW)
    assert sources[-1] == stub("ch99.a", "    return x + 2") and len(sources) == 6
    assert report.left == ["an earlier answer to ch99.a; the last one was carried over"]


def test_a_cell_split_or_merged_by_the_student():
    helper = {**ours("ch99.a"), "id": "half", "source": "def helper(x): return x"}
    sources, report, made = carried(copied(OLD, ours("ch99.a", RIGHT), helper), NEW)
    assert sources[-2:] == [stub("ch99.a", RIGHT), "def helper(x): return x"] and report.left == []
    assert made["cells"][-1]["metadata"] == {}
    both = {**ours("ch99.a"), "source": stub("ch99.a", RIGHT) + "\n\n" + stub("ch99.b", RIGHT)}
    sources, report, _ = carried(copied(OLD, both), NEW)
    assert sources == ["# Title", "New.", "Then.", stub("ch99.c"), both["source"]]


def test_an_answer_that_lost_its_decorator_or_is_not_python():
    broken = {**ours("ch99.a"), "source": "def a(x:\n  return"}
    assert carried(copied(OLD, broken), NEW)[0][-1] == broken["source"]
    emptied = {**ours("ch99.a"), "source": "  "}
    assert carried(copied(OLD, emptied), NEW)[0][-1] == stub("ch99.a")


def test_copies_without_our_metadata():
    bare = [{**cell, "metadata": {}} for cell in (ours("ch99.a", RIGHT), ours("ch99.b"), ours("ch99.c", "    y = 1\n" + TODO))]
    copy = {"cells": [prose("# Title"), *bare, mine("own")], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    del copy["cells"][-1]["id"]
    sources, report, _ = carried(copy, NEW)
    assert sources == ["# Title", "New.", stub("ch99.b"), "Then.", stub("ch99.c"), "own", stub("ch99.a", RIGHT)]
    assert report.left == ["ch99.c, where todo() still stands"]


def test_fingerprints_are_the_builders():
    assert workspace.fingerprint("x = 1\n") == notebook.fingerprint("x = 1\n")


def test_fill_makes_what_is_missing_and_nothing_else(toy, work):
    made, old = workspace.fill()
    assert work / "ch99_toy.ipynb" in made and not old
    (work / "ch99_toy.ipynb").write_text("mine")
    assert workspace.fill() == ([], [])
    assert (work / "ch99_toy.ipynb").read_text() == "mine"
    nbformat.validate(nbformat.read(made[0], as_version=4))


def test_update_keeps_the_old_file_byte_for_byte_and_is_idempotent(toy, work, monkeypatch):
    assert update(toy).made
    path = workspace.copy(toy)
    saved = workspace.read(path)
    saved["cells"][0]["source"] = "# An older title"
    saved["metadata"]["book"]["cells"][saved["cells"][0]["id"]] = notebook.fingerprint("# An older title")
    answer = next(cell for cell in saved["cells"] if cell["id"] == "ch99-encode")
    answer["source"] = answer["source"].replace("todo()", "return U.T @ X  # größer")
    path.write_text(json.dumps(saved))
    before = path.read_bytes()
    assert workspace.fill()[1] == [toy]
    done = update(toy)
    assert done.answers == ["ch99.encode"] and done.left == [] and done.old.read_bytes() == before
    assert done.old.parent == work / "old" and done.old.name.startswith("ch99_toy.20")
    assert "größer" in path.read_text(encoding="utf-8") and "Chapter 99: a toy" in path.read_text(encoding="utf-8")
    assert sorted(p.name for p in (work / "old").iterdir()) == [done.old.name]
    before = path.read_bytes()
    assert update(toy).old is None and path.read_bytes() == before
    assert toy not in workspace.fill()[1]


def test_two_updates_in_one_second_keep_both_files(toy, work):
    update(toy)
    path = workspace.copy(toy)
    kept = {workspace.replace(path, workspace.lesson(toy)) for _ in range(3)}
    assert len(kept) == 3 and all(p.exists() for p in kept) and path.exists()


@pytest.mark.parametrize("content", [b"{", b"", b"[]", b"\xff\xfe", b'{"worksheets": []}', b'{"cells": [3], "metadata": {}}',
                                     b'{"cells": [], "metadata": 3}'])
def test_a_damaged_copy_is_one_sentence_and_left_alone(toy, work, content):
    work.mkdir()
    workspace.copy(toy).write_bytes(content)
    with pytest.raises(CourseError, match="not a notebook that can be read"):
        update(toy)
    assert workspace.copy(toy).read_bytes() == content and [p.name for p in work.iterdir()] == ["ch99_toy.ipynb"]


def test_a_folder_that_cannot_be_written_to(toy, work, monkeypatch):
    update(toy)
    path, older = workspace.copy(toy), workspace.read(workspace.copy(toy))
    older["metadata"]["book"]["cells"] = {}
    path.write_text(workspace.written(older))

    def refuses(self, *_, **__):
        raise PermissionError(13, "Permission denied")
    monkeypatch.setattr(Path, "mkdir", refuses)
    with pytest.raises(CourseError, match="Permission denied. Your file is as it was"):
        update(toy)
    with pytest.raises(CourseError, match="cannot be written to .*: Permission denied"):
        workspace.place(work / "more" / "ch99_toy.ipynb", older)
    assert workspace.read(path) == older


def test_half_a_copy_is_not_left_behind(toy, work, monkeypatch):
    work.mkdir()
    with pytest.raises(TypeError):
        workspace.place(workspace.copy(toy), {"cells": [], "metadata": object()})
    assert not workspace.copy(toy).exists()
    (work / "a").touch()
    with pytest.raises(CourseError, match="is a file"):
        workspace.place(work / "a" / "ch99_toy.ipynb", {})


def test_a_failed_replacement_puts_the_file_back(toy, work, monkeypatch):
    update(toy)
    path, rename = workspace.copy(toy), Path.rename

    def refuses(self, target):
        if self.suffix == ".new":
            raise PermissionError(13, "Permission denied")
        return rename(self, target)
    before = path.read_bytes()
    monkeypatch.setattr(Path, "rename", refuses)
    with pytest.raises(CourseError, match="Your file is as it was"):
        workspace.replace(path, workspace.lesson(toy))
    assert path.read_bytes() == before and not list((work / "old").iterdir())


def test_where_the_folder_is(tmp_path, monkeypatch):
    monkeypatch.delenv("BOOK_WORK", raising=False)
    assert workspace.folder() == workspace.checkout() / "work"
    monkeypatch.setattr(workspace, "checkout", lambda: None)
    monkeypatch.chdir(tmp_path)
    assert workspace.folder() == tmp_path / "work"
    (tmp_path / "work").mkdir()
    monkeypatch.chdir("work")
    (tmp_path / "work" / "start.ipynb").touch()
    assert workspace.folder() == tmp_path / "work"


def test_standing_reads_the_last_verdict_of_each_exercise(toy, work):
    shown = [said("FAILS", "ch99.encode"), said("HOLDS", "ch99.encode"), said("NOT STARTED", "ch99.energy"),
             said("RAISES", "ch99.project"), said("HOLDS", "ch01.other"),
             {"output_type": "stream", "name": "stdout", "text": "HOLDS  ch99.countdown: printed by myself."}]
    cells = [{**mine(""), "outputs": [output]} for output in shown]
    work.mkdir()
    workspace.copy(toy).write_text(json.dumps(lesson(*cells)))
    row = standing.standing(toy, work)
    assert row.statuses == {"ch99.encode": "HOLDS", "ch99.project": "RAISES", "ch99.energy": "NOT STARTED", "ch99.countdown": "",
                            "ch99.pythagoras": ""}
    assert standing.summary(row) == ("5", "14", "1 of 5")


def test_progress_counts_what_is_saved_beside_the_notebook(toy, work, monkeypatch, capsys):
    work.mkdir()
    workspace.copy(toy).write_text(json.dumps(lesson({**mine(""), "outputs": [said("HOLDS", "ch99.encode")]})))
    monkeypatch.chdir(work)
    from book_utils.course import progress

    progress()
    shown = capsys.readouterr().out
    assert next(line for line in shown.split("\n") if "a toy" in line).split("toy")[1].split() == ["5", "14", "1", "of", "5"]
    assert shown.isascii()
    page = standing._html([standing.standing(toy, work)])
    assert '<a href="ch99_toy.ipynb">Chapter 99: a toy</a>' in page and "1 of 5" in page
    workspace.copy(toy).write_text("{")
    progress()
    assert "0 of 5" in capsys.readouterr().out
