"""The `book` command: what it prints, its exit statuses, and that every wrong call is one sentence."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

from book_utils.course import cli, doctor, lab, session, workspace

from conftest import OWN

RIGHT = '@exercise("ch99.encode")\ndef encode(U, X):\n    return U.T @ X\n'
WRONG = '@exercise("ch99.energy")\ndef energy(x):\n    return jnp.sum(x**3)\n'
BOOK = [sys.executable, "-m", "book_utils.course.cli"]
BLANK = '@exercise("ch99.project")\ndef project(U, X):\n    todo()\n'


@pytest.fixture
def book(toy, tmp_path, monkeypatch, capsys):
    """Run the command in this process: (exit status, standard output, standard error)."""
    monkeypatch.setenv("BOOK_WORK", str(tmp_path / "work"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        session.SESSION.__init__()
        status = cli.main([str(a) for a in arguments])
        return status, *capsys.readouterr()
    return run


@pytest.fixture
def terminal(tmp_path):
    """Run the real command in a process of its own, in an environment of the caller's."""
    def run(*arguments, **variables):
        environment = os.environ | {"BOOK_CHAPTERS": str(OWN), "BOOK_WORK": "work"} | variables
        done = subprocess.run([*BOOK, *arguments], capture_output=True, cwd=tmp_path, timeout=120, env=environment)
        return done.returncode, done.stdout, done.stderr.decode()
    return run


def code(id, source):
    return {"cell_type": "code", "id": id, "metadata": {}, "outputs": [], "execution_count": None, "source": source}


def one_sentence(text):
    return "Traceback" not in text and text.count("\n") == 1 and text.endswith((".\n", "?\n"))


# The real command

def test_help_is_there_without_jax_and_version_is_the_packages(terminal):
    status, out, err = terminal("--help", PYTHONPROFILEIMPORTTIME="1")
    assert status == 0
    assert all(f"  {c} " in out.decode() for c in ("lab", "list", "run", "check", "update", "doctor", "build", "export"))
    assert not re.search(r"\| +(jax|numpy|nbformat|jupytext)$", err, flags=re.MULTILINE)
    assert terminal("--version")[1].decode().split() == [doctor.DISTRIBUTION, doctor.version()]


def test_a_console_that_cannot_print_a_character_gets_ascii(terminal, tmp_path):
    answer = tmp_path / "antwort.py"
    answer.write_text('print("λ → größer ≤ ¾ x² ✓")\n' + RIGHT, encoding="utf-8")
    status, out, err = terminal("check", "antwort.py", PYTHONIOENCODING="ascii")
    assert (status, err) == (0, "") and out.decode("ascii").startswith("lambda -> grosser <= 3/4 x^2 +")
    status, out, err = terminal("list", "ch99", PYTHONIOENCODING="cp1252")
    assert (status, err) == (0, "") and "ch99.pythagoras" in out.decode("ascii")


@pytest.mark.parametrize("call", [["lsit"], ["list", "ch98"]])
def test_wrong_calls_of_the_real_command(terminal, call):
    status, out, err = terminal(*call, PYTHONIOENCODING="ascii")
    assert (status, out) == (2, b"") and one_sentence(err)


def test_a_jaxlib_that_does_not_fit(terminal, tmp_path):
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax" / "__init__.py").write_text("raise RuntimeError('jaxlib is version 0.1, but jax needs 0.2.\\nMore.')")
    status, out, err = terminal("list", PYTHONPATH=str(tmp_path))
    assert (status, out) == (2, b"") and one_sentence(err) and "jaxlib is version 0.1" in err and "book doctor" in err
    status, out, err = terminal("doctor", PYTHONPATH=str(tmp_path))
    assert (status, err) == (1, "") and b"WRONG  device: JAX does not start: RuntimeError: jaxlib is version 0.1" in out


def test_lab_answers_on_its_address_and_ends_cleanly(tmp_path):
    process = subprocess.Popen([*BOOK, "lab", "--no-browser"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=os.environ | {"BOOK_WORK": str(tmp_path / "work"), "BOOK_CHAPTERS": ""})
    try:
        address = next(line.strip() for line in process.stdout if line.startswith("http"))
        address, _, token = address.partition("?token=")
        assert address.endswith("/lab/tree/start.ipynb") and (tmp_path / "work" / "start.ipynb").exists()
        contents = address.replace("lab/tree", "api/contents") + "?content=0"
        request = urllib.request.Request(contents, headers={"Authorization": f"token {token}"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as reply:
            assert json.load(reply)["name"] == "start.ipynb"
        if os.name != "nt":
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
            assert process.returncode == 0 and out.endswith("JupyterLab has ended.\n") and err == ""
    finally:
        process.kill()
        process.communicate()


# In this process

@pytest.mark.parametrize("call, says", [
    (["lsit"], "There is no command called 'lsit'. Did you mean list"),
    (["list", "ch9"], "There is no chapter called 'ch9'. Did you mean ch99"),
    (["run"], "CHAPTER"), (["run", "ch98"], "ch99"), (["run", "ch99", "--solved"], "--solved"),
    (["check"], "FILE"), (["check", "none.py"], "There is no file none.py."), (["check", "."], "There is no file"),
    (["check", "notes.txt"], "notes.txt is neither"),
    (["check", "damaged.ipynb"], "damaged.ipynb is not a notebook that can be read"),
    (["update", "ch98"], "ch99"), (["update", "ch99", "ch02"], "ch02"), (["build", "ch98"], "ch99"),
    (["export", "ch99", "--to", "pdf"], "pdf"), (["export", "ch98"], "ch99"),
    (["lab", "--port", "x"], "--port"), (["lab", "--port", "0"], "--port"),
    (["--nothing"], "--nothing"), (["list", "--chapter=ch99"], "--chapter"), (["doctor", "now"], "now"),
])
def test_wrong_calls(book, tmp_path, call, says):
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "damaged.ipynb").write_text("{")
    status, out, err = book(*call)
    assert status == 2 and out == "" and says in err and one_sentence(err)
    assert not (tmp_path / "work").exists()


def test_no_command_shows_the_help(book):
    status, out, err = book()
    assert status == 0 and "book lab" in out and err == ""


def test_list_counts_what_holds_in_saved_notebooks(book, toy, tmp_path):
    assert book("update", "ch99")[0] == 0
    saved = workspace.read(workspace.copy(toy))
    cell = next(cell for cell in saved["cells"] if cell["id"] == "ch99-encode")
    verdict = {"text/plain": ["HOLDS  ch99.encode: 3 of 3 laws."]}
    cell["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": verdict}]
    workspace.copy(toy).write_text(json.dumps(saved))
    status, out, _ = book("list", "ch99")
    assert status == 0 and re.search(r"ch99\.encode +Optimal codes +core +3 +holds", out) and "─" in out
    assert re.search(r"5 exercises +14 +1 hold", out)
    status, out, _ = book("list")
    assert status == 0 and re.search(r"ch99 +Chapter 99: a toy +5 +14 +1 of 5", out) and "Total" in out
    workspace.copy(toy).write_text("{")
    status, out, err = book("list")
    assert status == 0 and "0 of 5" in out and one_sentence(err)


@pytest.mark.parametrize("text, status, says", [
    (RIGHT, 0, "HOLDS  ch99.encode"),
    (RIGHT + WRONG + BLANK, 1, "FAILS  ch99.energy"),
    (BLANK, 1, "NOT STARTED  ch99.project"),
    (RIGHT.replace("U.T", "np.transpose(U)") + "Z = jax.numpy.eye(3)\nassert project(Z, jnp.eye(3)).shape == (3, 3)", 0, "HOLDS"),
    ('@exercise("ch99.energy")\ndef energy(x):\n    return helper(x)\n\ndef helper(x):\n    return x @ x\n', 0, "HOLDS"),
    ("import sys\n" + RIGHT + "sys.exit(3)\n", 0, "HOLDS"), ("print(__name__, __file__)\nimport beside\n" + RIGHT, 0, "HOLDS"),
    ("\ufeff" + RIGHT, 0, "HOLDS"),
])
def test_check_a_file(book, tmp_path, text, status, says):
    (tmp_path / "answers.py").write_text(text, encoding="utf-8")
    (tmp_path / "beside.py").touch()
    done, out, err = book("check", "answers.py")
    assert (done, err) == (status, "") and says in out and out.endswith("hold.\n")


@pytest.mark.parametrize("text, says", [
    (RIGHT + "def f(:\n", "answers.py, line 4, is not Python: invalid syntax."),
    (RIGHT + "x = 1 / 0\n", "answers.py, line 4: x = 1 / 0 - a division by zero."),
    (RIGHT + "todo()\n", "answers.py, line 4: todo() - todo() stands outside an exercise."),
    ("x = 1\n", "answers.py has no exercise"), ("", "answers.py has no exercise"), ("x = '\0'\n", "is not Python"),
    (RIGHT + "exit()\n" + BLANK, "answers.py ends before ch99.project."),
    (RIGHT.replace("ch99.encode", "ch99.encod"), "answers.py answers ch99.encod, which the course does not have."),
    (RIGHT.replace("ch99.encode", "ch77.encode"), "answers.py answers ch77.encode, which the course does not have."),
])
def test_a_file_that_cannot_be_checked_is_one_sentence(book, tmp_path, text, says):
    (tmp_path / "answers.py").write_text(text, encoding="utf-8")
    status, out, err = book("check", "answers.py")
    assert status == 1 and says in err and one_sentence(err) and "Traceback" not in out


def test_check_a_file_in_latin_1(book, tmp_path):
    (tmp_path / "answers.py").write_bytes(("# größer\n" + RIGHT).encode("latin-1"))
    status, _, err = book("check", "answers.py")
    assert status == 1 and "is not Python" in err and one_sentence(err)


def test_check_a_saved_notebook(book, toy):
    book("update", "ch99")
    path = workspace.copy(toy)
    saved = workspace.read(path)
    answers = {"ch99-encode": RIGHT, "ch99-energy": RIGHT.replace("encode", "energy").replace("U, X", "x:"),
               "ch99-pythagoras": toy.stubs["ch99.pythagoras"].solved}
    for cell in saved["cells"]:
        cell["source"] = answers.get(cell["id"], cell["source"])
    path.write_text(json.dumps(saved))
    status, out, err = book("check", path)
    assert (status, err) == (1, "") and "HOLDS  ch99.encode" in out and "HOLDS  ch99.pythagoras" in out
    assert "RAISES  ch99.energy, your line 2: def energy(x:):" in out and "2 of 5 hold." in out


def test_strict_mode_changes_no_status(book, tmp_path, monkeypatch):
    monkeypatch.setenv("BOOK_STRICT", "1")
    (tmp_path / "answers.py").write_text(RIGHT + WRONG)
    status, out, err = book("check", "answers.py")
    assert (status, err) == (1, "") and "1 of 2 hold." in out


def test_run_prints_verdicts_names_the_cell_that_broke_and_saves_nothing(book, toy):
    book("update", "ch99")
    path = workspace.copy(toy)
    saved = workspace.read(path)
    for cell in saved["cells"]:
        cell["source"] = {"ch99-encode": RIGHT, "ch99-energy": ""}.get(cell["id"], cell["source"])
    saved["cells"].append(code("mine", "# mine\nsqrt(2)"))
    path.write_text(json.dumps(saved))
    before = path.read_bytes()
    status, out, err = book("run", "ch99")
    assert status == 1 and re.fullmatch(r"Cell \[\d+\], `sqrt\(2\)`, raised NameError: name 'sqrt' is not defined\n", err)
    assert "HOLDS  ch99.encode: 3 of 3 laws." in out and "NOT STARTED  ch99.project" in out and "no verdict on ch99.energy" in out
    assert "ch99: 1 hold, 3 not started, of 5 exercises." in out
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == [path.name]


def test_run_without_a_copy_runs_the_lesson(book, tmp_path):
    status, out, err = book("run", "ch99")
    assert (status, err) == (0, "") and "as it ships" in out and "5 not started" in out and not (tmp_path / "work").exists()


def test_update_says_what_became_of_everything(book, toy):
    assert "there was no copy" in book("update", "ch99")[1]
    assert "nothing to do" in book("update", "ch99")[1]
    saved = workspace.read(workspace.copy(toy))
    saved["metadata"]["book"]["cells"] = {}
    saved["cells"].append({"cell_type": "markdown", "id": "note", "metadata": {}, "source": "My note"})
    saved["cells"].append(code("gone", "return 1") | {"metadata": {"book": {"exercise": "ch99.gone", "stub": "0"}}})
    workspace.copy(toy).write_text(json.dumps(saved))
    status, out, err = book("update", "ch99")
    assert (status, err) == (0, "") and "renewed, with no answers yet and 1 cell of your own. Your old file is " in out
    assert "  In the old file only: ch99.gone, which is no longer in the lesson.\n" in out
    workspace.copy(toy).write_text("{")
    status, out, err = book("update", "ch99")
    assert (status, out) == (2, "") and one_sentence(err)


def test_build_and_export_are_the_builders(book, tmp_path, monkeypatch):
    from book_utils.course import build

    monkeypatch.setattr(build, "build", lambda keys, check, long: [f"{keys} {check} {long}"])
    assert book("build", "--check") == (1, "[] True False\n", "")
    assert book("build", "ch99", "--long") == (0, "['ch99'] False True\n", "")
    status, out, err = book("export", "ch99", "--to", "py", "--out", "toy.py")
    assert (status, out, err) == (0, "toy.py\n", "")
    assert '@exercise("ch99.encode")' in (tmp_path / "toy.py").read_text()
    status, out, err = book("check", "toy.py")
    assert (status, err) == (1, "") and "0 of 5 hold." in out
    assert book("export", "ch99", "--to", "py", "--out", "toy.py")[0] == 2
    assert book("export", "ch99", "--to", "py", "--out", "nowhere/toy.py")[0] == 2


def test_a_port_in_use_is_one_sentence(book):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, out, err = book("lab", "--port", port)
    assert (status, out) == (2, "") and f"Port {port} is in use" in err and one_sentence(err)
    assert lab.free_port(None) in lab._PORTS


def test_a_missing_package_is_one_sentence(book, monkeypatch):
    monkeypatch.setitem(sys.modules, "jupytext", None)
    monkeypatch.delitem(sys.modules, "book_utils.course.notebook", raising=False)
    status, out, err = book("update", "ch99")
    assert status == 2 and "is missing" in err and "jupytext" in err and "book doctor" in err and one_sentence(err)


# The doctor

def test_a_sound_machine(book):
    status, out, err = book("doctor")
    assert (status, err) == (0, "") and out.endswith("Everything works.\n")
    for what in ("system", "jax", "jaxlib", "numpy", doctor.DISTRIBUTION, "work folder", "self-test"):
        assert f"ok     {what}: " in out
    assert "  device: JAX computes on" in out
    assert not workspace.folder().exists()


def test_a_machine_without_jax(book, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.setattr(doctor, "requirements", lambda: ["nonesuch>=1", "numpy>=2.0"])
    status, out, err = book("doctor")
    assert (status, err) == (1, "") and "WRONG  nonesuch: missing" in out and "WRONG  device: JAX does not start" in out
    assert "uv sync" in out and "self-test" not in out and out.endswith("Wrong: 2. See above what to do.\n")


@pytest.mark.parametrize("name, machine, python, state", [
    ("Darwin", "x86_64", (3, 12), "wrong"), ("Windows", "ARM64", (3, 12), "wrong"), ("Linux", "x86_64", (3, 10), "wrong"),
    ("Darwin", "arm64", (3, 12), "ok"), ("Windows", "AMD64", (3, 11), "ok"), ("Linux", "aarch64", (3, 14), "ok"),
])
def test_systems(name, machine, python, state):
    found = doctor.system(name, machine, python)
    assert found.state == state and bool(found.remedy) is (state == "wrong")


@pytest.mark.parametrize("version, allowed", [
    ("0.10", True), ("0.10.2", True), ("0.11.0", True), ("0.11.10", True), ("0.12.0.1", True), ("0.12.3.dev20260101", True),
    ("0.9.9", False), ("0.11.1", False), ("0.13.0", False), ("0.13.0rc1", False),
])
def test_versions(version, allowed, monkeypatch):
    need = next(need for need in doctor.requirements() if re.match(r"jaxlib\b", need))
    monkeypatch.setattr(doctor.importlib.metadata, "version", lambda name: version)
    found = doctor.package(need)
    assert found.what == "jaxlib" and (found.state == "ok") is allowed and bool(found.remedy) is not allowed
    assert ("lax.scan" in found.remedy) is (version == "0.11.1")


def test_devices():
    said = "JAX computes on 1 device: CPU (cpu)."
    assert doctor.device(said, {"cpu"}, False, "", "Linux").state == "ok"
    assert doctor.device(said, {"gpu"}, True, "", "Linux").state == "ok"
    assert "--extra cuda" in doctor.device(said, {"cpu"}, True, "", "Linux").remedy
    assert "JAX_PLATFORMS=cpu" in doctor.device(said, {"cpu"}, True, "cpu", "Linux").remedy
    assert "WSL" in doctor.device(said, {"cpu"}, True, "", "Windows").remedy


def test_a_folder_that_cannot_be_written_to(tmp_path, monkeypatch):
    def refuses(dir):
        raise PermissionError(13, "Permission denied")
    assert doctor.writable(tmp_path / "a" / "work").state == "ok" and not (tmp_path / "a").exists()
    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuses)
    found = doctor.writable(tmp_path / "work")
    assert found.state == "wrong" and "BOOK_WORK" in found.remedy and "Permission denied" in found.said


def test_a_self_test_that_goes_wrong(toy, monkeypatch):
    monkeypatch.setattr(doctor, "_product", lambda: False)
    assert doctor.self_test().state == "wrong"
    monkeypatch.setattr(doctor, "_product", lambda: True)
    monkeypatch.setattr(doctor, "_exercise", lambda: ("ch99.encode", "HOLDS", "HOLDS"))
    assert "a wrong answer HOLDS" in doctor.self_test().remedy
