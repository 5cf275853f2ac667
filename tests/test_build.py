"""The builder on lessons of a few lines: what it makes, what it keeps, what it refuses."""

import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

from book_utils.course import build, catalog, environment, execute, export, notebook, workspace
from book_utils.course.audit import audit
from book_utils.course.catalog import Chapter
from book_utils.course.cite import cite, resolve
from book_utils.course.errors import CourseError
from book_utils.course.workspace import fingerprint

ROOT = Path(__file__).parents[1]

# A chapter with an engine of its own, so that these tests need neither JAX nor the real one.
LESSON = '''\
# %% [markdown]
# # Toys
#
# After [[sec:lowrank]].

# %%
import os
import sys
def exercise(name):
    def verdict(f):
        try:
            f(1.0)
            print("HOLDS " + name)
        except NotImplementedError:
            if "BOOK_STRICT" in os.environ:
                raise
            print("NOT STARTED " + name)
        return f
    return verdict
derivation = exercise
def todo():
    raise NotImplementedError("todo")

# %%
@exercise("toy.twice")
def twice(x: "()") -> "()":
    """Twice x."""
    #: solution
    y = x + x
    return y
    #: end

# %% tags=["nbval-skip"]
print(1 + 1)
print("and", 3)

# %% [markdown]
# The end.

# %%
@derivation("toy.chain")
def chain(x: "()"):
    yield 3 * x
    #: solution
    yield x + 2 * x
    #: end
    yield x + x + x

# %% [markdown]
# The end.
'''


def write(folder: Path, *lessons: str, letters: dict | None = None) -> Chapter:
    """A chapter in `folder` with these lesson files."""
    folder.mkdir(exist_ok=True)
    for n, text in enumerate(lessons or (LESSON,)):
        (folder / f"lesson{n}.py").write_text(text, encoding="utf-8", newline="\n")
    letters = {"x": ("()", "a number |x|")} if letters is None else letters
    return Chapter("toy", folder, types.SimpleNamespace(TITLE="Toys", LETTERS=letters, ERRATA=[], PRINCIPLES=[]))


@pytest.fixture
def chapter(tmp_path):
    return write(tmp_path / "toy")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(chapter, notebook as run, text of its file), built once for the tests that only look."""
    folder = tmp_path_factory.mktemp("built")
    chapter = write(folder / "toy")
    assert build.renew(chapter, folder / "toy.ipynb") == "toy.ipynb is new."
    text = (folder / "toy.ipynb").read_bytes().decode("utf-8")
    return chapter, nbformat.reads(text, as_version=4), text


def source(notebook, cell_id):
    return next(cell.source for cell in notebook.cells if cell.id == cell_id)


def test_stub_replaces_solution(chapter):
    made = notebook.make(chapter)
    assert source(made, "toy-twice").endswith('"""Twice x."""\n    todo()')
    assert source(made, "toy-chain").split("\n")[2:] == ["    yield 3 * x", "    yield ...", "    yield x + x + x"]
    book = next(cell.metadata.book for cell in made.cells if cell.id == "toy-twice")
    assert book == {"exercise": "toy.twice", "stub": fingerprint(source(made, "toy-twice"))}


def test_stub_is_a_subset_of_the_solution(chapter):
    for stub in chapter.stubs.values():
        solved = iter(stub.solved.split("\n"))
        assert all(line in solved for line in stub.blank.split("\n") if line.strip() not in ("todo()", "yield ..."))


def test_cells_in_order(chapter):
    made = notebook.make(chapter)
    assert [cell.cell_type for cell in made.cells[:3]] == ["markdown", "code", "code"]
    assert made.cells[1].id == "install"
    assert made.cells[-1].id == "letters"
    assert r"| `x` | `()` | a number \|x\| |" in made.cells[-1].source
    repository, version = notebook.published()
    assert made.cells[0].source.startswith("# Toys\n\n[![Open in Colab](")
    assert f"{repository.removeprefix('https://github.com')}/blob/v{version}/notebooks/toy.ipynb)" in made.cells[0].source
    assert next(cell for cell in made.cells if "1 + 1" in cell.source).metadata == {"tags": ["nbval-skip"]}
    assert made.metadata.kernelspec.name == "python3"


def test_lesson_files_are_joined_in_order(tmp_path):
    made = notebook.make(write(tmp_path / "toy", "# %% [markdown]\n# # Title", "# %%\nb = 1", "# %%\nc = 1", letters={}))
    assert [cell.source for cell in made.cells[2:]] == ["b = 1", "c = 1"]


def test_ids_are_valid_unique_and_stable(tmp_path, chapter):
    made = notebook.make(chapter)
    ids = [cell.id for cell in made.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[\w-]{1,64}", i) for i in ids)
    ends = [cell.id for cell in made.cells if cell.source == "The end."]
    assert ends[1] == f"{ends[0]}-2"
    longer = notebook.make(write(tmp_path / "longer", LESSON.replace("# %% tags", "# %%\nnew = 1\n\n# %% tags")))
    assert set(ids) < {cell.id for cell in longer.cells}


@pytest.mark.parametrize("label, text", [
    ("eq:pca_dgp", "eq. (2.1.1)"), ("sec:lowrank", "Section 2.1"), ("thm:pca", "Theorem 2.1"),
    ("exercise:whitening", "Exercise 2.4"), ("ch:classic-models", "Chapter 2"), ("app:entropy", "Appendix B"),
    ("fig:evolution", "Figure 1.2"), ("prop:circular-conv-1", "Proposition 5.1"),
    ("eq:elbo-objective", "eq. (6.1.12)"), ("eq:iter denoise", "eq. (3.2.42)"),
])
def test_labels_are_cited(label, text):
    assert cite(label) == text
    assert resolve(f"see [[{label}]].") == f"see {text}."


def test_lists_in_prose_are_no_labels():
    text = "`[[0.6], [0.8]]`, `[[1., 2.]]` and [[a, b]]"
    assert resolve(text) == text


def test_unknown_label_names_file_and_nearest(tmp_path):
    with pytest.raises(CourseError, match=r"toy/lesson0.py: .*eq:pca_dpg.*Did you mean .*eq:pca_dgp"):
        notebook.make(write(tmp_path / "toy", LESSON.replace("sec:lowrank", "eq:pca_dpg")))
    with pytest.raises(CourseError, match="no number"):
        cite("ch:notation")


@pytest.mark.parametrize("change, message", [
    (("    #: end\n\n# %% tags", "\n# %% tags"), "toy.twice wants its solution between"),
    (("    #: solution\n    y", "    y"), "toy.twice wants its solution between"),
    (("print(1 + 1)", "#: solution\nprint(1 + 1)\n#: end"), "no other cell has these marks"),
    (("# # Toys", "# Toys"), "begins with its title"),
    (("# %%\nimport", "# %% [raw]\nimport"), "a raw cell"),
])
def test_bad_lessons_are_refused(tmp_path, change, message):
    assert change[0] in LESSON
    with pytest.raises(CourseError, match=message):
        notebook.make(write(tmp_path / "toy", LESSON.replace(*change)))


def test_built_notebook_is_run_and_settled(built):
    _, made, text = built
    code = [cell for cell in made.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert [cell.outputs[0].text for cell in code if cell.outputs] == [
        "NOT STARTED toy.twice\n", "2\nand 3\n", "HOLDS toy.chain\n"]
    assert all(len(cell.outputs) <= 1 and "execution" not in cell.metadata for cell in code)
    assert made.metadata.language_info == {
        "file_extension": ".py", "mimetype": "text/x-python", "name": "python", "pygments_lexer": "ipython3"}
    assert text.endswith("}\n") and "\r" not in text
    assert text == json.dumps(json.loads(text), sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def test_building_twice_gives_the_same_bytes(built, tmp_path):
    chapter, _, text = built
    build.renew(chapter, tmp_path / "again.ipynb")
    assert (tmp_path / "again.ipynb").read_bytes() == text.encode()


def test_stored_file_is_kept_and_changes_are_noticed(tmp_path, monkeypatch):
    image = '# %%\nfrom IPython.display import Image\nImage(data=bytes([137, 80, 78, 71, 13, 10, 26, 10]))\n'
    chapter, path = write(tmp_path / "toy", LESSON + "\n" + image), tmp_path / "toy.ipynb"
    build.renew(chapter, path)
    fresh = nbformat.read(path, as_version=4)
    # the run itself is tested above: here it is this one
    monkeypatch.setattr(build, "execute", lambda made, env: nbformat.from_dict(fresh))
    text = path.read_text(encoding="utf-8")
    assert "iVBORw0KGgo=" in text

    def stored(text, newline="\n"):
        path.write_text(text, encoding="utf-8", newline=newline)
        before = path.read_bytes()
        change = build.renew(chapter, path, check=True)
        assert path.read_bytes() == before
        return change

    assert stored(text) == ""
    assert stored(text.replace("iVBORw0KGgo=", "c29tZXRoaW5n")) == ""  # a picture from another machine
    assert stored(text, newline="\r\n") == ""  # as git checks it out on Windows
    assert "source in cell toy-twice" in stored(text.replace("Twice x.", "Thrice x."))
    assert "outputs in cell" in stored(text.replace("and 3", "and 4"))
    assert "metadata in cell" in stored(text.replace("nbval-skip", "nbval-keep"))
    assert "execution count in cell" in stored(text.replace('"execution_count": 2', '"execution_count": 7'))
    assert "other cells" in stored(text.replace("toy-twice", "toy-thrice"))
    assert "another way" in stored(text + "\n")
    assert "another way" in stored(text.replace("Python 3 (ipykernel)", "mine"))
    assert "not a notebook" in stored("<<<<<<< mine\n" + text)
    assert build.renew(chapter, path).endswith("was not a notebook.")
    assert path.read_text(encoding="utf-8") == text
    assert build.renew(chapter, path) == ""


def test_build_makes_every_file_and_checks_without_writing(tmp_path, chapter, monkeypatch):
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    monkeypatch.setattr(catalog, "chapters", lambda: (chapter,))
    monkeypatch.setattr(workspace, "checkout", lambda: tmp_path)
    files = [tmp_path / "notebooks" / "toy.ipynb", tmp_path / "notebooks" / "errata.md", tmp_path / "environment.yml"]
    assert len(build.build(check=True)) == 3
    assert not any(file.exists() for file in files)
    assert build.build() == ["toy.ipynb is new.", "errata.md has other text.", "environment.yml has other text."]
    assert build.build() == []
    files[1].write_text("mine", encoding="utf-8")
    assert build.build(["toy"], check=True) == ["errata.md has other text."]
    assert files[1].read_text(encoding="utf-8") == "mine"
    with pytest.raises(CourseError, match="Did you mean toy"):
        build.build(["toi"])
    monkeypatch.setattr(workspace, "checkout", lambda: None)
    with pytest.raises(CourseError, match="in a clone"):
        build.build()


def output(kind, text):
    return nbformat.v4.new_output("stream", name=kind, text=text) if kind in ("stdout", "stderr") else \
        nbformat.v4.new_output("display_data", {kind: text})


@pytest.mark.parametrize("text, outputs, message", [
    ("y = x + x", [], "shows a line of the solution of toy.twice: y = x [+] x"),
    ("def copy(x):\n    y  =  x + x  # the same", [], "shows a line of the solution of toy.twice"),
    ("# yield x + 2 * x", [], "shows a line of the solution of toy.chain"),
    ("1", [output("stdout", "def twice(x):\n    y = x + x\n")], "shows a line of the solution of toy.twice"),
    ("1", [output("text/html", "<pre>y = <b>x</b> &#43; x</pre>")], "shows a line of the solution of toy.twice"),
    ("1", [output("stderr", "careful\n")], "cell new: writes to stderr: careful"),
    ("1", [nbformat.v4.new_output("error", ename="ValueError", evalue="no")], "cell new: ends with ValueError: no"),
    ("1", [output("text/plain", repr(object()))], "an address or a path of this machine"),
    ("1", [output("stdout", f"in {Path.cwd()}")], "an address or a path of this machine"),
    ("1", [output("stdout", f"in {sys.prefix}")], "an address or a path of this machine"),
    ("1", [output("stdout", f"in {Path('~').expanduser() / 'notes'}")], "an address or a path of this machine"),
    ("1", [output("stdout", "in C:\\Users\\me")], "an address or a path of this machine"),
    ("1", [output("image/png", "x" * 1_600_000)], "cell new: the notebook has 1.6 MB"),
])
def test_what_students_must_not_see_is_refused(chapter, text, outputs, message):
    made = notebook.make(chapter)
    audit(made, chapter)
    made.cells.append(nbformat.v4.new_code_cell(text, outputs=outputs, id="new"))
    with pytest.raises(CourseError, match=message):
        audit(made, chapter)


def test_a_lesson_that_leaks_or_fails_is_not_written(tmp_path):
    for cell, message in [("print('y = x' + ' + x')", "shows a line of the solution"), ("1 / 0", "ZeroDivisionError: division")]:
        chapter = write(tmp_path / "toy", f"{LESSON}\n# %%\n{cell}\n")
        with pytest.raises(CourseError, match=message):
            build.renew(chapter, tmp_path / "toy.ipynb")
        assert not (tmp_path / "toy.ipynb").exists()


def test_harmless_lines_are_no_leak(chapter):
    made = notebook.make(chapter)
    picture = output("text/html", '<img alt="x" src="data:image/png;base64,/tmp/0x123456">')
    text = "y = x + x + 1\nreturn y\nmy = x\n# see /tables, www.site.org/home/x and 0x12"
    made.cells.append(nbformat.v4.new_code_cell(text, outputs=[picture, output("stdout", text)]))
    audit(made, chapter)


def test_solved_notebook(chapter):
    run, seconds = build.solve(chapter)
    assert "y = x + x" in source(run, "toy-twice")
    assert 0 < seconds < 60
    assert "".join(o.text for cell in run.cells for o in cell.get("outputs", [])).split("\n")[0] == "HOLDS toy.twice"


def test_solved_with_another_answer(chapter):
    answer = chapter.stubs["toy.twice"].patched("x + x", "2 * x")
    run, _ = build.solve(chapter, {"toy.twice": answer})
    assert source(run, "toy-twice") == answer
    with pytest.raises(CourseError, match="toy, cell toy-twice: NotImplementedError: todo"):
        build.solve(chapter, {"toy.twice": chapter.stubs["toy.twice"].blank})
    with pytest.raises(CourseError, match="Did you mean toy.twice"):
        build.solve(chapter, {"toy.twise": answer})


def cells(*sources):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text, id=f"c{n}") for n, text in enumerate(sources)],
                                    metadata={"book": {"chapter": "toy"}})


def test_execute_runs_here_and_leaves_its_argument_alone(tmp_path):
    given = cells("import sys, os\nprint(sys.executable, os.environ.get('A'), os.environ.get('HOME_OF_A'), os.listdir())", "")
    run = execute.execute(given, env={"A": "set", "HOME_OF_A": None})
    assert run.cells[0].outputs[0].text == f"{sys.executable} set None []\n"
    assert given.cells[0].outputs == []
    assert run.cells[1].execution_count is None
    (tmp_path / "mine.txt").write_text("", encoding="utf-8")
    path = tmp_path / "saved.ipynb"
    nbformat.write(cells("import os\nprint(sorted(os.listdir()))"), path)
    assert "mine.txt" in execute.execute(path, folder=tmp_path).cells[0].outputs[0].text


def test_execute_names_the_cell_that_fails(tmp_path):
    failing = cells("1", "1 / 0", "print('reached')")
    with pytest.raises(CourseError, match="toy, cell c1: ZeroDivisionError: division by zero"):
        execute.execute(failing)
    run = execute.execute(failing, allow_errors=True)
    assert run.cells[1].outputs[0].ename == "ZeroDivisionError"
    assert run.cells[2].outputs[0].text == "reached\n"
    with pytest.raises(CourseError, match="cell c1: not done after 1 second"):
        execute.execute(cells("1", "while True: pass"), timeout=1)
    with pytest.raises(CourseError, match="cell c0: Python died"):
        execute.execute(cells("import os\nos._exit(1)"))


def install_cell(monkeypatch, absent=(), colab=False):
    """Run the install cell where the modules `absent` are missing; the arguments of every call of pip."""
    calls, find = [], importlib.util.find_spec
    monkeypatch.setattr(subprocess, "run", lambda command, check: calls.append(command[1:]))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in absent else find(name))
    if colab:
        monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    repository, version = notebook.published()
    exec(notebook.INSTALL_CELL.format(repository=repository, version=version, name=notebook.DISTRIBUTION), {})
    return calls


def test_install_cell_is_short_and_first(chapter):
    first = next(cell for cell in notebook.make(chapter).cells if cell.cell_type == "code")
    lines = first.source.split("\n")
    assert first.id == "install"
    assert len(lines) <= 12
    assert max(map(len, lines)) <= 130


def test_install_cell_does_nothing_where_the_course_is(monkeypatch, capfd):
    assert install_cell(monkeypatch) == []
    assert install_cell(monkeypatch, colab=True) == []
    assert capfd.readouterr() == ("", "")


def test_install_cell_on_colab_leaves_jax_as_it_is(monkeypatch):
    calls = install_cell(monkeypatch, absent=["book_utils", "equinox", "jupyterlab"], colab=True)
    repository, version = notebook.published()
    start = ["-m", "pip", "install", "--quiet"]
    here = [f"{name}=={importlib.metadata.version(name)}" for name in ("jax", "jaxlib", "numpy")]
    assert calls[0] == [*start, "--no-deps", f"git+{repository}@v{version}"]
    equinox = next(r for r in importlib.metadata.requires(notebook.DISTRIBUTION) if r.startswith("equinox"))
    assert calls[1:] == [[*start, equinox, *here]]


def test_install_cell_elsewhere_says_what_to_do(monkeypatch):
    with pytest.raises(AssertionError, match="uv run book lab"):
        install_cell(monkeypatch, absent=["book_utils"])


def test_import_names_are_the_names_to_install():
    """The install cell looks for a requirement by its name."""
    requirements = importlib.metadata.requires(notebook.DISTRIBUTION)
    assert [r for r in requirements if importlib.util.find_spec(re.match(r"\w+", r)[0]) is None] == []


def test_page_stands_alone(tmp_path):
    png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    figure = ('# %%\nfrom IPython.display import display\n'
              f'display({{"image/png": "{png}", "text/plain": "Figure."}}, raw=True,\n'
              '        metadata={"image/png": {"alt": "Two < three", "width": 50}})\n'
              'print("frames", os.environ["BOOK_FRAMES"])\n')
    text = export.page(write(tmp_path / "toy", f"{LESSON}\n{figure}"))
    assert [dict(image.attrs) for image in BeautifulSoup(text, "html.parser").find_all("img")] == \
        [{"alt": "Two < three", "width": "50", "src": f"data:image/png;base64,{png}"}]
    assert "frames 1" in text and "<title>Toys</title>" in text
    assert "google.colab" not in text and "colab-badge" not in text
    fetched = [tag["src"] for tag in BeautifulSoup(text, "html.parser").find_all(["script", "iframe"], src=True)]
    fetched += [tag["href"] for tag in BeautifulSoup(text, "html.parser").find_all("link", href=True)]
    assert len(fetched) == 1 and "mathjax" in fetched[0]


def test_script_runs_without_ipython(tmp_path, chapter):
    text = export.script(chapter)
    assert "# %%\n@exercise" in text and "todo()" in text and "colab-badge" not in text and "jupytext" not in text
    path = tmp_path / "toy.py"
    path.write_text(text, encoding="utf-8")
    run = subprocess.run([sys.executable, "-I", str(path)], capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[:2] == ["NOT STARTED toy.twice", "2"]
    assert run.stderr == ""


def test_export_never_overwrites_a_script(tmp_path, chapter, monkeypatch):
    monkeypatch.setattr(catalog, "chapter", lambda key: chapter)
    monkeypatch.chdir(tmp_path)
    assert export.export("toy", "py") == Path("toy.py")
    with pytest.raises(CourseError, match="not overwritten"):
        export.export("toy", "py")
    with pytest.raises(CourseError, match="cannot be written"):
        export.export("toy", "py", Path("nowhere", "toy.py"))
    with pytest.raises(CourseError, match="'html' or 'py'"):
        export.export("toy", "pdf")


def test_errata_page(chapter):
    chapter.facts.ERRATA = [("eq:pca_dgp", "$a|b$", "$b$"), ("page 66, after [[eq:pca_dgp]]", "row", "column")]
    page = build.errata([chapter])
    assert r"| eq. (2.1.1) | $a\|b$ | $b$ |" in page
    assert "| page 66, after eq. (2.1.1) | row | column |" in page
    chapter.facts.ERRATA = [("[[eq:pca_dpg]]", "", "")]
    with pytest.raises(CourseError, match="no label"):
        build.errata([chapter])


def test_environment_says_what_pyproject_says():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    conda = yaml.safe_load(environment.text(ROOT / "pyproject.toml"))
    python, pip, packages = conda["dependencies"]
    pins = project["tool"]["uv"]["constraint-dependencies"]
    assert python == "python" + project["project"]["requires-python"]
    assert pip == "pip"
    assert packages["pip"][0] == "-e ."
    assert set(pins) < set(packages["pip"])
    names = {re.match(r"[\w-]+", need)[0] for need in packages["pip"][1:]}
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["test"]
    assert {re.match(r"[\w-]+", need)[0] for need in wanted} <= names


def test_installed_version_is_the_checkout_s():
    """Notebooks name the version and the address that the package's metadata have."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert notebook.published() == (project["urls"]["Repository"], project["version"])
