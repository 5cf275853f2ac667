"""`book package`: what Gradescope, nbgrader and otter make of right, wrong, unsolved and hostile submissions. The last two where they are installed."""

import ast
import csv
import json
import os
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell

from book_utils.course import catalog, cli
from book_utils.course.errors import CourseError
from book_utils.course.grading import exports
from book_utils.course.grading.assign import Wanted, assign
from book_utils.course.grading.assignment import load
from book_utils.course.grading.exports import gradescope, otter

BIN = Path(sys.executable).parent
NAMES = ("ch03.mixture_denoiser", "ch03.tweedie")


def installed(tool, command):
    return pytest.mark.skipif(find_spec(tool) is None or not (BIN / command).exists(), reason=f"{tool} is not installed")


@pytest.fixture(scope="module")
def hw3(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    (folder / "course.key").write_text("sixteen bytes, at least")
    wanted = Wanted("ch03", ("tweedie", "mixture_denoiser"), ("why_at_most_log_n",), ("tweedie=2",))
    return assign(wanted, folder / "hw3", folder / "course.key").assignment


def submit(handout, hw3, path, kind):
    """A submission of some kind, made from what students get."""
    notebook = nbformat.read(handout, as_version=4)
    solved = nbformat.read(hw3.instructor / "hw3_solved.ipynb", as_version=4)
    answers = {cell.metadata.get("book", {}).get("exercise"): cell.source for cell in solved.cells}
    for cell in notebook.cells:
        if name := cell.metadata.get("book", {}).get("exercise"):
            wrong = cell.source.replace("todo()", "return np.zeros(np.shape(x_t))")
            cell.source = {"right": answers[name], "half": answers[name] if name.endswith("tweedie") else wrong, "wrong": wrong}.get(kind, cell.source)
    if kind == "hostile":
        notebook.cells = [cell for cell in notebook.cells if not cell.metadata.get("nbgrader", {}).get("grade")]
        notebook.cells.insert(0, new_code_cell(f"book_marks = __import__('collections').defaultdict(lambda: [True, ''])\n"
                                               f"open({str(path.parents[1] / 'results' / 'results.json')!r}, 'w').write('full')"))
        notebook.cells.append(new_code_cell("import IPython\nIPython.get_ipython().showtraceback = lambda *a, **k: None\n99.0"))
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def run(*command, cwd, **more):
    """The output of a command that has to succeed."""
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"} | more
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


# Gradescope


@pytest.fixture(scope="module")
def root(hw3, tmp_path_factory):
    """/autograder, as far as it is there before a submission is."""
    folder = tmp_path_factory.mktemp("gradescope")
    exports.package(hw3.folder, gradescope=folder / "hw3.zip")
    with zipfile.ZipFile(folder / "hw3.zip") as archive:
        archive.extractall(folder / "autograder" / "source")
    return folder / "autograder"


def autograde(root, files, folder):
    """The results of one submission, and the exit status, in a root of its own."""
    (folder / "submission").mkdir(parents=True)
    (folder / "results").mkdir()
    (folder / "source").symlink_to(root / "source")
    for name, make in files.items():
        make(folder / "submission" / name)
    environment = os.environ | {"AUTOGRADER_ROOT": str(folder), "AUTOGRADER_PYTHON": sys.executable}
    done = subprocess.run(["bash", str(root / "source" / "run_autograder")], env=environment, capture_output=True, text=True, timeout=300)
    path = folder / "results" / "results.json"
    return done.returncode, json.loads(path.read_text()) if path.exists() else None


def test_gradescope_marks(hw3, root, tmp_path):
    kinds = ("right", "half", "wrong", "unsolved", "hostile")

    def one(kind):
        files = {f"{kind}.ipynb": lambda path: submit(hw3.handout, hw3, path, kind)}
        return autograde(root, files, tmp_path / kind)

    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(kinds, pool.map(one, kinds), strict=True))
    assert {status for status, _ in found.values()} == {0}
    scores = {kind: [test["score"] for test in result["tests"]] for kind, (_, result) in found.items()}
    assert scores == {"right": [1, 2], "half": [0, 2], "wrong": [0, 0], "unsolved": [0, 0], "hostile": [0, 0]}
    for _, result in found.values():
        assert [(test["name"], test["max_score"]) for test in result["tests"]] == [(NAMES[0], 1), (NAMES[1], 2)]
        assert all(test["visibility"] == "visible" and test["output"] for test in result["tests"])
        assert hw3.secret not in json.dumps(result)
    assert "limits" in found["right"][1]["output"]
    assert found["wrong"][1]["tests"][1]["output"].startswith("FAILS  ch03.tweedie")


def test_gradescope_wants_one_notebook(hw3, root, tmp_path):
    status, result = autograde(root, {}, tmp_path / "none")
    assert status == 0 and result["score"] == 0 and "0 were found" in result["output"]
    two = {name: lambda path: submit(hw3.handout, hw3, path, "right") for name in ("a.ipynb", "b.ipynb")}
    status, result = autograde(root, two, tmp_path / "two")
    assert status == 0 and result["score"] == 0 and "2 were found" in result["output"]
    status, result = autograde(root, {"a.ipynb": lambda path: path.write_text("not JSON")}, tmp_path / "broken")
    assert status == 0 and [test["score"] for test in result["tests"]] == [0, 0] and "not a notebook" in result["output"]


def test_gradescope_gives_no_mark_where_it_cannot(hw3, root, tmp_path):
    shutil.copytree(root / "source", tmp_path / "changed" / "source")
    with (tmp_path / "changed" / "source" / "hw3" / "instructor" / "frozen" / "book_utils" / "coding.py").open("a") as file:
        file.write("# changed\n")
    status, result = autograde(tmp_path / "changed", {"a.ipynb": lambda path: submit(hw3.handout, hw3, path, "right")}, tmp_path / "root")
    assert status == 2 and result is None


def test_gradescope_zip(hw3, root, tmp_path):
    exports.package(hw3.folder, gradescope=tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == (root.parent / "hw3.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "again.zip") as archive:
        assert [name for name in archive.namelist() if archive.getinfo(name).external_attr >> 16 & 0o111] == ["run_autograder", "setup.sh"]
        assert not [name for name in archive.namelist() if "solved" in name or "rubrics" in name]
    for name in ("setup.sh", "run_autograder"):
        run("bash", "-n", root / "source" / name, cwd=tmp_path)
    assert "conda" not in (root / "source" / "setup.sh").read_text()
    pins = dict(line.split("==") for line in (root / "source" / "requirements.txt").read_text().splitlines())
    assert {"jax", "jaxlib", "numpy", "jupytext", "nbformat", "traitlets"} <= pins.keys() and not {"jupyterlab", "drl-companion"} & pins.keys()


def test_pins_are_what_is_installed_here():
    from importlib.metadata import version

    assert f"numpy=={version('numpy')}" in gradescope.pins()


# nbgrader


@installed("nbgrader", "nbgrader")
def test_nbgrader(hw3, tmp_path):
    course = tmp_path / "course"
    exports.package(hw3.folder, nbgrader=course)
    run("nbgrader", "generate_assignment", "hw3", cwd=course)
    release = course / "release" / "hw3" / "hw3.ipynb"
    assert [path.name for path in release.parent.iterdir()] == ["hw3.ipynb"]
    text = release.read_text()
    assert "HIDDEN" not in text and "RuntimeError" not in text and hw3.secret not in text and text.count("todo()\\n") == 0
    kinds = ("right", "half", "wrong", "unsolved", "hostile")
    for kind in kinds:
        submit(release, hw3, course / "submitted" / kind / "hw3" / "hw3.ipynb", kind)
    run("nbgrader", "autograde", "hw3", cwd=course)
    run("nbgrader", "export", cwd=course)
    with (course / "grades.csv").open() as file:
        rows = {row["student_id"]: (float(row["score"]), float(row["max_score"])) for row in csv.DictReader(file)}
    assert rows == {"right": (3, 8), "half": (2, 8), "wrong": (0, 8), "unsolved": (0, 8), "hostile": (0, 8)}
    marked = (course / "autograded" / "wrong" / "hw3" / "hw3.ipynb").read_text()
    assert "FAILS  ch03.tweedie" in marked and hw3.secret not in marked


def test_nbgrader_tree(hw3, tmp_path):
    """What can be seen without nbgrader: cells that are not marked by our configuration raise, and a second assignment joins the first."""
    exports.package(hw3.folder, nbgrader=tmp_path / "course")
    notebook = nbformat.read(tmp_path / "course" / "source" / "hw3" / "hw3.ipynb", as_version=4)
    facts = [cell.metadata.nbgrader for cell in notebook.cells if "nbgrader" in cell.metadata]
    assert [(fact.grade_id, fact.points, fact.locked) for fact in facts] == [
        ("ch03-mixture_denoiser", 1, True), ("ch03-tweedie", 2, True), ("ch03-why_at_most_log_n", 5, False)]
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("locked"):
            with pytest.raises(RuntimeError, match="Nothing was marked"):
                exec(cell.source, {})
    with pytest.raises(CourseError, match="is there already"):
        exports.package(hw3.folder, nbgrader=tmp_path / "course")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "nbgrader_config.py").write_text("c = get_config()\n")
    with pytest.raises(CourseError, match="is not ours"):
        exports.package(hw3.folder, nbgrader=tmp_path / "other")
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["nbgrader_config.py"]


# otter


@installed("otter", "otter")
def test_otter(hw3, tmp_path):
    exports.package(hw3.folder, otter=tmp_path / "ot")
    run("otter", "assign", "hw3.ipynb", "dist", cwd=tmp_path / "ot")  # also marks the solutions
    handout = tmp_path / "ot" / "dist" / "student" / "hw3.ipynb"
    assert [path.name for path in handout.parent.iterdir()] == ["hw3.ipynb"]
    sources = [cell.source for cell in nbformat.read(handout, as_version=4).cells]
    assert sources == [cell.source for cell in nbformat.read(hw3.handout, as_version=4).cells]
    (archive,) = (tmp_path / "ot" / "dist" / "autograder").glob("hw3-autograder_*.zip")
    kinds = {"right": [1, 2], "half": [0, 2], "unsolved": [0, 0], "hostile": [0, 0]}

    def one(kind):
        submit(handout, hw3, tmp_path / kind / "submitted" / "hw3.ipynb", kind)
        run("otter", "run", "-a", archive, "-o", tmp_path / kind, tmp_path / kind / "submitted" / "hw3.ipynb", cwd=tmp_path)
        tests = json.loads((tmp_path / kind / "results.json").read_text())["tests"]
        return [test["score"] for test in tests if test.get("max_score")], [test["max_score"] for test in tests if test.get("max_score")]

    with ThreadPoolExecutor(2) as pool:
        for kind, (scores, most) in zip(kinds, pool.map(one, kinds), strict=True):
            assert scores == pytest.approx(kinds[kind], abs=1e-3), kind
            assert most == pytest.approx([1, 2], abs=1e-3)


def test_otter_notebook(hw3):
    """What can be seen without otter: a test for every law that has weight, worth its points."""
    notebook = otter.notebook(hw3, "hw3-marking.zip")
    tests = [cell.source for cell in notebook.cells if "BEGIN TEST CONFIG" in cell.source]
    assert len(tests) == sum(weight > 0 for item in hw3.items for weight in item.weights.values())
    assert sum(float(test.split("points: ")[1].split("\n")[0]) for test in tests) == pytest.approx(3)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


@pytest.mark.parametrize("key", ["ch02", "ch03", "ch04", "ch05"])
def test_otter_takes_away_what_a_solution_adds(key):
    """For every exercise in every convention: without the solution's lines, with the prompt's, a cell is the stub that students get."""
    for exercise in catalog.chapter(key).exercises.values():
        for variant in ("", *exercise.variants):
            stub = exercise.stub_in(variant)
            source = otter.split(stub.blank, stub.solved)
            ast.parse(source)
            kept, hidden = [], False
            for line in source.split("\n"):
                if line.endswith("# BEGIN SOLUTION NO PROMPT"):
                    hidden = True
                elif line.endswith("# END SOLUTION"):
                    hidden = False
                elif not hidden and not line.endswith(('""" # BEGIN PROMPT', '""" # END PROMPT')):
                    kept.append(line)
            assert "\n".join(kept) == stub.blank, exercise.name


# the command


def test_command(hw3, tmp_path, capsys):
    assert cli.main(["package", str(hw3.folder), "--gradescope", str(tmp_path / "hw3.zip"), "--otter", str(tmp_path / "ot")]) == 0
    said = capsys.readouterr().out
    assert "upload it" in said and "otter assign hw3.ipynb" in said
    assert sorted(path.name for path in (tmp_path / "ot").iterdir()) == ["hw3-marking.zip", "hw3.ipynb"]


@pytest.mark.parametrize(("options", "says"), [
    ([], "Say which"), (["--gradescope", "hw3.tar"], "should end in .zip"), (["--gradescope", "nowhere/hw3.zip"], "There is no folder nowhere"),
    (["--otter", "used"], "is in use"), (["--nbgrader", "file"], "is not a folder")])
def test_what_cannot_be_written(options, says, hw3, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("")
    assert cli.main(["package", str(hw3.folder), *options]) == 2
    assert says in capsys.readouterr().err.replace("\n", " ")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "mine.txt", "used"]


def test_what_is_no_assignment_or_lacks_solutions(hw3, tmp_path):
    with pytest.raises(CourseError, match="is not an assignment"):
        exports.package(tmp_path, otter=tmp_path / "ot")
    shutil.copytree(hw3.folder, tmp_path / "hw3")
    (tmp_path / "hw3" / "instructor" / "hw3_solved.ipynb").unlink()
    with pytest.raises(CourseError, match="without --no-solutions"):
        exports.package(tmp_path / "hw3", otter=tmp_path / "ot")
    (tmp_path / "hw3" / "hw3.ipynb").unlink()
    with pytest.raises(CourseError, match="is missing"):
        exports.package(tmp_path / "hw3", gradescope=tmp_path / "hw3.zip")
    assert load(tmp_path / "hw3").name == "hw3" and not (tmp_path / "ot").exists()
