"""What a submission may try for a mark that it has not earned, and that it gets nothing by it: nor harms the marker, nor another submission.

Every attack sets `won` if it succeeds; the answer is right only then. It is tried behind the weakest walls, those that every system has,
and what the kernel of the system refuses once more behind all that there are.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import grading_help as grading
from book_utils.course.grading import marks
from book_utils.course.grading.marking import Marker

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="marks are given on Linux and macOS")

CODES = '@exercise("ch99.encode")\ndef encode(U, X):\n    {}\n    return U.T @ X if won else 0 * (U.T @ X) + 7'
LENGTH = '@exercise("ch99.energy")\ndef energy(x):\n    return jnp.sum(x**2)'
WRONG = CODES.format("pass")
FULL = 20.0


@pytest.fixture(scope="module")
def homework(tmp_path_factory):
    """An assignment of two exercises, its folder beside the submissions."""
    import chapters
    from book_utils.course import catalog
    from conftest import OWN

    patch, before = pytest.MonkeyPatch(), list(chapters.__path__)
    patch.setenv("BOOK_CHAPTERS", str(OWN))
    catalog.chapters.cache_clear()
    root = tmp_path_factory.mktemp("course")
    grading.make(root / "hw", ["ch99.encode", "ch99.energy"])
    (root / "submissions").mkdir()
    (root / "submissions" / "another.ipynb").write_text("the work of somebody else")
    yield root
    patch.undo()
    chapters.__path__[:] = before
    catalog.chapters.cache_clear()
    for name in [m for m in sys.modules if m.startswith("chapters.ch99")]:
        del sys.modules[name]


@pytest.fixture(scope="module", params=["limits", "auto"])
def marker(request, homework):
    with Marker(homework / "hw", request.param, seconds=2.0) as marker:
        yield marker


@pytest.fixture
def submit(marker, homework):
    """Mark the cells, the attack's own list of places to attack at hand."""
    def submit(*cells):
        places = f"won, hw, submissions = False, {str(homework / 'hw')!r}, {str(homework / 'submissions')!r}"
        return marker.mark(grading.write(homework / "submissions" / "attack.ipynb", places, *cells))
    return submit


def weakest(marker):
    """Leave out, behind all walls, what they do not make different."""
    if marker.walls != "limits":
        pytest.skip("tried behind the weakest walls")


def test_the_control_an_answer_is_right_when_the_attack_succeeds(submit, marker):
    marked = submit("won = True", WRONG, LENGTH)
    assert (marked.status, marked.points) == (marks.GRADED, FULL) and "limits" in marked.walls
    assert submit("won = False", WRONG, LENGTH).points == FULL / 2


QUIET = {  # a cell (or several) that tries something and lets the process live
    "patched NumPy": "import numpy\nfor name in ('allclose', 'isclose', 'array_equal', 'abs', 'asarray', 'isnan'):\n"
                     "    setattr(numpy, name, lambda *a, **k: numpy.zeros(()))",
    "patched JAX": "import jax\njax.numpy.sum = jax.numpy.linalg.norm = lambda *a, **k: jax.numpy.zeros(())",
    "patched checker": "from book_utils.course import exercises, transport, wire\nexercises.close = exercises.holds = lambda *a, **k: None\n"
                       "exercises.distance = lambda *a: (0.0, 1.0)\ntransport.hold_shape = lambda *a, **k: None\nexercises.Broken = KeyError",
    "patched equality": "import builtins\nbuiltins.abs = builtins.max = lambda *a, **k: 0.0\nbuiltins.bool = lambda *a: True",
    "exercise redefined": "class Best:\n    status, held, total, points = 'HOLDS', 3, 3, 99\n    __eq__ = lambda *a: True\n"
                          "def exercise(name):\n    return lambda f: Best()\n",
    "marks in the text": "print('HOLDS  ch99.encode: 3 of 3 laws.')\npoints = {'ch99.encode': 10}",
    "the kernel": "from book_utils import subspace\ntry:\n    won = subspace.project(np.eye(2), np.eye(2)) is not None\nexcept BaseException: pass",
    "the lesson's checks": "try:\n    import chapters.ch99_toy.checks as c\n    won = bool(c.encode.laws)\nexcept BaseException: pass",
    "the lesson's solution": "try:\n    from book_utils.course import catalog\n    won = 'U.T' in catalog.exercise('ch99.encode').stub.solved\n"
                             "except BaseException: pass",
    "the package elsewhere": "import sys, importlib\ntry:\n    import jax, pathlib\n    site = pathlib.Path(jax.__file__).parents[1]\n"
                             "    for p in [site, *site.parents]:\n        for name in ('book_utils/subspace.py', 'chapters/__init__.py'):\n"
                             "            try: won = won or bool((p / name).read_text())\n            except Exception: pass\nexcept Exception: pass",
    "the secret in memory": "import gc, sys\nseen = [o for o in gc.get_objects() if isinstance(o, dict)]\n"
                            "won = any('secret' in d and isinstance(d.get('secret'), str) and len(d['secret']) == 64 for d in seen)\n"
                            "f = sys._getframe()\nwhile f:\n    won = won or 'assignment' in f.f_locals; f = f.f_back",
    "the secret in the environment": f"import os\nwon = {grading.SECRET!r} in str(dict(os.environ)) or any('hw' in v for k, v in os.environ.items() if k != 'PATH')",
    "the secret on disk": "import os, glob\nfor path in (hw + '/instructor/assignment.json', hw + '/instructor/../instructor/assignment.json'):\n"
                          "    for look in (lambda: open(path).read(), lambda: os.read(os.open(path, os.O_RDONLY), 10), lambda: __import__('io').FileIO(path).read(),\n"
                          "                 lambda: __import__('pathlib').Path(path).read_text(), lambda: np.fromfile(path, 'u1'), lambda: os.listdir(hw)):\n"
                          "        try: won = won or bool(len(look()))\n        except Exception: pass",
    "the secret through a link": "import os\ntry:\n    os.symlink(hw + '/instructor/assignment.json', 'link')\n    won = bool(open('link').read())\n"
                                 "except Exception: pass",
    "the secret through /proc": "import os, glob\nfor path in [f'/proc/{os.getppid()}/{n}' for n in ('environ', 'cmdline', 'mem', 'maps', 'root' + hw)]:\n"
                                "    try: won = won or bool(open(path, 'rb').read(1))\n    except Exception: pass",
    "another's submission": "import os, shutil\nfor look in (lambda: open(submissions + '/another.ipynb').read(), lambda: os.listdir(submissions),\n"
                            "             lambda: shutil.copy(submissions + '/another.ipynb', 'mine')):\n"
                            "    try: won = won or bool(look())\n    except Exception: pass",
    "writing to others": "import os\nfor path in (submissions + '/another.ipynb', hw + '/instructor/assignment.json', hw + '/hw.ipynb', hw + '/new'):\n"
                         "    for act in (lambda: open(path, 'w').write('x'), lambda: open(path, 'a').write('x'), lambda: os.remove(path),\n"
                         "                lambda: os.rename(path, path + '2'), lambda: os.truncate(path, 0), lambda: os.chmod(path, 0), lambda: os.symlink('/', path)):\n"
                         "        try: act(); won = True\n        except Exception: pass",
    "writing to the package": "from book_utils import validate\nimport jax\nfor f in (validate.__file__, jax.__file__):\n"
                              "    try: open(f, 'a').write('# x'); won = True\n    except Exception: pass",
    "a socket": "import socket\nfor act in (lambda: socket.socket(), lambda: socket.create_connection(('127.0.0.1', 22), 1), lambda: socket.socketpair(),\n"
                "            lambda: socket.getaddrinfo('localhost', 80), lambda: __import__('urllib.request').request.urlopen('http://127.0.0.1/')):\n"
                "    try: act(); won = True\n    except Exception: pass",
    "processes": "import os, subprocess, multiprocessing\nfor act in (lambda: subprocess.run(['true']), lambda: os.system('true') == 0 or 1 / 0, os.fork,\n"
                 "            lambda: os.posix_spawn('/bin/true', ['true'], {}), lambda: os.execv('/bin/true', ['true'])):\n"
                 "    try: act(); won = True\n    except Exception: pass",
    "a fork bomb": "import os\ntry:\n    while True:\n        os.fork(); won = True\nexcept Exception: pass",
    "signals to others": "import os, signal\nfor pid in (os.getppid(), 1, -1, 0):\n    try: os.kill(pid, signal.SIGKILL); won = True\n    except Exception: pass",
    "higher limits": "import resource\nfor name in ('RLIMIT_CPU', 'RLIMIT_FSIZE', 'RLIMIT_NOFILE'):\n"
                     "    try: resource.setrlimit(getattr(resource, name), (resource.RLIM_INFINITY,) * 2); won = True\n    except Exception: pass",
    "sys.exit": "import sys\nsys.exit(0)",
    "cells of no exercise": '@exercise("ch99.unknown")\ndef encode(U, X): return U.T @ X',
    "the other kind": '@derivation("ch99.encode")\ndef encode(U, X):\n    yield U.T @ X',
    "registered from elsewhere": 'exercise("ch99.encode")(lambda U, X: U.T @ X)',
    "magic": "%run /etc/passwd\n!touch /tmp/x\n%%bash\nwon = False",
}


PATCHES = [name for name in QUIET if name.startswith("patched") or name in ("exercise redefined", "sys.exit", "the other kind", "cells of no exercise")]
AGAIN = ("the secret on disk", "a socket", "processes", "the secret through /proc", "writing to others", "the package elsewhere")


def state(homework):
    return {p: p.read_bytes() for p in homework.rglob("*") if p.is_file() and p.name != "attack.ipynb"}


def test_attacks_from_cells_beside_the_answer(submit, marker, homework):
    """Those that leave the process as it was, in one submission: any of them would have won."""
    names = [name for name in QUIET if name not in PATCHES and (marker.walls == "limits" or name in AGAIN)]
    before = state(homework)
    marked = submit(*(QUIET[name] for name in names), WRONG, LENGTH)
    guilty = [name for name in names if submit(QUIET[name], WRONG).points] if marked.points > FULL / 2 else []
    assert (marked.status, marked.points) == (marks.GRADED, FULL / 2), guilty
    assert state(homework) == before


@pytest.mark.parametrize("name", PATCHES)
def test_attacks_on_the_process_itself(submit, marker, name):
    weakest(marker)
    marked = submit(QUIET[name], WRONG)
    assert marked.points == 0 and marked.status in (marks.GRADED, marks.ENDED), marked


RESULTS = {  # what the function does when it is called
    "NaN of the right shape": "return jnp.full((U.shape[1], X.shape[1]), jnp.nan)",
    "equal to everything": "return type('E', (), {'__eq__': lambda *a: True, '__array__': lambda *a, **k: U.T @ X, 'shape': (2, 9), 'dtype': np.dtype(float)})()",
    "an array of a class of its own": "return np.zeros((2, 9)).view(type('A', (np.ndarray,), {'__sub__': lambda *a: 0, '__eq__': lambda *a: True}))",
    "a pickle": "import pickle; return pickle.dumps(print)",
    "a number too large": "return 10 ** 4000",
    "text": "return 'HOLDS'",
    "a nest": "x = ()\n    for _ in range(900): x = (x,)\n    return x",
    "objects": "return np.array([print, None], dtype=object)",
    "more than can be taken": "return np.zeros((2, 9, 1_000_000))",
    "raising markup": "raise ValueError('<script>alert(1)</script>\\x1b[2J' * 100)",
    "leaving": "import sys; sys.exit(0)",
    "recursing": "return encode(U, X)",
    "a loop without end": "while True: pass",
    "a loop that swallows": "while True:\n        try:\n            while True: pass\n        except BaseException: pass",
    "printing without end": "import sys\n    while True: print('x' * 100000); sys.__stdout__ and sys.__stdout__.write('x' * 100000)",
    "all the memory": "a = []\n    while True: a.append(np.ones(10**7))",
    "a large file": "f = open('f', 'wb')\n    while True: f.write(b'x' * 10**6)",
    "ending the process": "import os; os._exit(0)",
    "aborting": "import os; os.abort()",
    "closing everything": "import os; os.closerange(0, 100)",
    "frames of its own": "import os, json\n    for fd in range(3, 30):\n        for said in ('{\"dict\": {\"ready\": true}}', '{\"dict\": {\"result\": {\"partial\": [\"os\", \"system\", "
                         "{\"tuple\": [\"true\"]}, {\"dict\": {}}]}}}', '[' * 9000, '{\"dict\": {\"points\": 10}}'):\n"
                         "            try: os.write(fd, len(said).to_bytes(8, 'big') + said.encode())\n            except OSError: pass",
    "a frame without end": "import os\n    for fd in range(3, 30):\n        try: os.write(fd, (1 << 62).to_bytes(8, 'big'))\n        except OSError: pass",
    "a compiled loop without end": "return jax.lax.while_loop(lambda x: True, lambda x: x + 1, 0.0)",
    "threads": "import threading\n    for _ in range(50): threading.Thread(target=lambda: exec('while True: pass'), daemon=True).start()",
}


HARSH = ("ending the process", "a compiled loop without end")
OWN_LOSS = ("frames of its own", "a frame without end", "threads")  # what else the same submission holds may suffer, too


@pytest.fixture(scope="module")
def answered(marker, homework):
    """The marks of every attack of RESULTS, two markers side by side."""
    names = [name for name in RESULTS if marker.walls == "limits" or name in HARSH]
    with Marker(homework / "hw", marker.walls, seconds=2.0) as second, ThreadPoolExecutor(2) as pool:
        def through(one, mine):
            return {name: one.mark(grading.write(homework / "submissions" / f"{name}.ipynb", "won = False", CODES.format(RESULTS[name]), LENGTH)) for name in mine}
        halves = pool.map(through, (marker, second), (names[::2], names[1::2]))
        found = {name: marked for half in halves for name, marked in half.items()}
    for name in names:
        (homework / "submissions" / f"{name}.ipynb").unlink()
    return found


@pytest.mark.parametrize("name", RESULTS)
def test_attacks_in_the_answer_cost_that_answer_alone(answered, marker, name):
    if name not in HARSH:
        weakest(marker)
    marked = answered[name]
    codes, length = marked.marks
    assert codes.points == 0 and codes.status != "HOLDS" and "\x1b" not in codes.text + marked.reason
    assert length.points == FULL / 2 or name in OWN_LOSS, marked
    assert marked.status in marks.STATUSES


def test_an_ending_in_a_cell_of_its_own_costs_nothing_but_that_cell(submit, marker):
    marked = submit("import os\nos._exit(0)", WRONG, LENGTH)
    assert marked.status == marks.ENDED and "cell 2" in marked.reason and marked.points == FULL / 2


def test_endings_without_end_are_given_up(submit, marker):
    weakest(marker)
    marked = submit(*["import os\nos._exit(%d)" % n for n in range(5)], LENGTH)
    assert marked.status == marks.ENDED and marked.points == 0 and len(marked.marks) == 2


def test_detecting_marks_and_behaving_otherwise(submit, marker):
    """Right on what it has seen, and wherever it believes itself unobserved: the inputs are new, and there is nothing to be seen."""
    weakest(marker)
    marked = submit("import sys, os\ngraded = 'IPython' not in sys.modules or 'CI' in os.environ",
                    '@exercise("ch99.encode")\ndef encode(U, X):\n    public = abs(float(U[0, 0]) - 0.6) < 1e-6\n    return U.T @ X if public else 0 * (U.T @ X)')
    assert marked.marks[0].points == 0


def test_no_secret_input_reaches_what_a_student_is_told(submit, marker):
    weakest(marker)
    encode = '@exercise("ch99.encode")\ndef encode(U, X):\n    seen.append(X)\n    {}'
    energy = '@exercise("ch99.energy")\ndef energy(x):\n    raise ValueError(f"seen {len(seen)}")'
    of_itself = submit("seen = []", encode.format('raise ValueError(f"seen {len(seen)}")')).marks[0]
    assert of_itself.status == "RAISES" and "seen 1" in of_itself.text  # the first input that everybody can see, and nothing before it
    of_another = submit("seen = []", encode.format("return U.T @ X"), energy).marks[1]
    assert of_another.status == "RAISES" and "seen 0" in of_another.text
    said = submit(encode.replace("seen.append(X)", "from book_utils.course import guard").format("raise guard.Refused(f'seen {X[0, 0]}')")).marks[0]
    assert said.status == "FAILS" and "seen" not in said.text and "a function of the package" in said.text


def test_cells_that_are_missing_doubled_renamed_or_unreadable(submit, marker):
    weakest(marker)
    right = '@exercise("ch99.encode")\ndef encode(U, X): return U.T @ X'
    assert submit().points == 0
    assert submit(right, right.replace("U.T @ X", "X"), LENGTH).points == FULL / 2  # the last one counts
    assert submit(LENGTH, right.replace("encode(", "other("), LENGTH).points == FULL  # order and the function's name do not matter
    assert submit(right + "\n" + LENGTH).points == FULL
    marked = submit(right, right + "\n(", LENGTH)
    assert marked.points == FULL / 2 and marked.marks[0].status == "RAISES"
    assert submit(right, "(" * 5000, "x = " + "-" * 50000 + "1", "\0", "é = '\ud800'", LENGTH).points == FULL
    assert submit("#" * (1 << 21), right).status == marks.UNREADABLE


def test_files_that_are_no_notebooks(marker, homework):
    weakest(marker)
    folder = homework / "submissions"
    bad = {"json": b"{", "list": b"[]", "cells": b'{"cells": 3, "metadata": {}}', "nest": b"[" * 10**6, "bytes": bytes(range(256)), "empty": b"",
           "number": b'{"cells": [], "metadata": {}, "x": ' + b"9" * 10**5 + b"}"}
    for name, data in bad.items():
        (folder / f"{name}.ipynb").write_bytes(data)
        assert marker.mark(folder / f"{name}.ipynb").status == marks.UNREADABLE, name
    with (folder / "large.ipynb").open("wb") as file:
        file.truncate(200 << 20)
    assert "200 MB" in marker.mark(folder / "large.ipynb").reason
    os.mkfifo(folder / "pipe.ipynb")
    assert marker.mark(folder / "pipe.ipynb").status == marker.mark(folder / "none.ipynb").status == marker.mark(folder).status == marks.UNREADABLE
    for name in (*bad, "large", "pipe"):
        (folder / f"{name}.ipynb").unlink()


@pytest.mark.skipif(sys.platform != "linux", reason="what the kernel of Linux refuses")
def test_machine_code_meets_the_kernel(submit, marker):
    """Without the audit hook, as a program in machine code is: the walls of the system hold alone."""
    if marker.walls == "limits":
        pytest.skip("nothing but Python stands in the way there")
    marked = submit(WRONG)
    if not {"landlock", "seccomp"} <= set(marked.walls):
        pytest.skip(f"this system has {', '.join(marked.walls)}")
    text = ("import gc, types\nfrom book_utils.course.grading import walls\nwalls._NEVER = ('never',)\nfor o in gc.get_objects():\n"
            "    if isinstance(o, types.FunctionType) and o.__qualname__ == 'guard_python.<locals>.hook':\n"
            "        for cell, name in zip(o.__closure__, o.__code__.co_freevars):\n"
            "            if name.startswith('may'): cell.cell_contents = lambda path: True\n")
    tries = ("import os, socket, ctypes\nfree = True\ntry: ctypes.CDLL(None)\nexcept Exception: free = False\n"
             "for act in (lambda: open(hw + '/instructor/assignment.json').read(), lambda: open(hw + '/new', 'w'), socket.socket, os.fork,\n"
             "            lambda: os.kill(os.getppid(), 0), lambda: os.execv('/bin/true', ['true']), lambda: os.listdir(submissions),\n"
             "            lambda: open(f'/proc/{os.getppid()}/mem', 'rb')):\n    try: act(); won = True\n    except Exception: pass\nwon = won or not free")
    assert submit(text + tries, WRONG).points == 0  # or the hook could not be taken off
    assert submit(text + tries.rpartition("\n")[0] + "\nwon = free", WRONG).points == FULL / 2  # the hook was off when it was tried


def test_after_all_that_an_honest_submission_gets_what_it_earns(submit, marker, homework):
    marked = submit("won = True", WRONG, LENGTH)
    assert (marked.status, marked.reason, marked.points) == (marks.GRADED, "", FULL)
    assert (homework / "submissions" / "another.ipynb").read_text() == "the work of somebody else"
