"""The engine as a student meets it: right, wrong, half and broken answers in a notebook shell, and what comes back."""

import signal
import textwrap
import threading

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from book_utils.course import catalog, guard, session
from book_utils.course.checking import check, judge
from book_utils.course.transport import Local, Remote, Worker

ENCODE = '@exercise("ch99.encode")\ndef encode(U, X):\n    '
SETUP = """
import jax, jax.numpy as jnp, numpy as np
from book_utils import subspace
from book_utils.course import derivation, exercise, hint, lesson, solution, todo, yours
lesson("ch99")
"""


class Notebook:
    """A shell that runs cells and returns what a reader sees."""

    def __init__(self):
        self.shell = InteractiveShell()
        InteractiveShell._instance = self.shell
        session.SESSION.__init__()
        self.run(SETUP)

    def run(self, cell, succeeds=True):
        with capture_output() as seen:
            result = self.shell.run_cell(textwrap.dedent(cell))
        assert result.success is succeeds, result.error_before_exec or result.error_in_exec
        assert seen.stderr == ""
        return seen.stdout + "".join(o.data["text/plain"] for o in seen.outputs)


@pytest.fixture
def notebook(toy, monkeypatch):
    monkeypatch.setattr(session, "shell", lambda: book.shell)
    book = None
    book = object.__new__(Notebook)
    Notebook.__init__(book)
    yield book
    InteractiveShell.clear_instance()


def test_unsolved_says_so_and_a_reference_stands_in(notebook):
    assert notebook.run(ENCODE + "todo()") == "NOT STARTED  ch99.encode, Optimal codes: a reference stands in below."
    assert notebook.run("print(encode(np.eye(3)[:, :1], np.ones((3, 2))).shape)") == "(1, 2)\n"


@pytest.mark.parametrize("body", [
    "return U.T @ X",
    "return np.asarray(U).T @ np.asarray(X)",
    "return np.asarray(U, dtype=np.float64).T @ np.asarray(X, dtype=np.float64)",
    "return jnp.linalg.lstsq(U, X)[0]",
    "return jnp.linalg.pinv(U) @ X",
    "return jax.vmap(lambda x: U.T @ x, in_axes=1, out_axes=1)(X)",
    "return jnp.stack([U.T @ X[:, i] for i in range(X.shape[1])], axis=1)",
    "W, S, Vh = jnp.linalg.svd(U, full_matrices=False); return Vh.T @ (W.T @ X / S[:, None])",
    "w, Q = jnp.linalg.eigh(U.T @ U); return Q @ ((Q.T @ U.T @ X) / w[:, None])",
])
def test_right_answers_hold(notebook, body):
    assert notebook.run(ENCODE + body) == "HOLDS  ch99.encode: 3 of 3 laws. Your function is used below."


@pytest.mark.parametrize("body, said", [
    ("return X.T @ U", "the result has shape (9, 2); (d, N), here (2, 9), is promised"),
    ("return 0", "the result has shape (); (d, N), here (2, 9), is promised"),
    ("return jnp.nan * (U.T @ X)", "the result contains NaN"),
    ("return (U.T @ X, U)", "one result of shape (d, N) is wanted, and 2 came"),
    ("return 0.5 * U.T @ X", 'First that does not: "the residual is orthogonal to the subspace"'),
])
def test_wrong_answers_fail(notebook, body, said):
    text = notebook.run(ENCODE + body)
    assert text.startswith("FAILS  ch99.encode: ") and said in text and text.endswith("A reference stands in below.")


@pytest.mark.parametrize("body, said", [
    ("return U @ X", "your line 3: return U @ X - the inner sizes of a matrix product are 2 and 6"),
    ("return np.asarray(U) @ np.asarray(X)", "the inner sizes of a matrix product are 2 and 6"),
    ("X[0] = 1; return U.T @ X", "JAX arrays cannot be assigned to; use x = x.at[0].set(1)"),
    ("Y = np.asarray(X); Y[0] = 1; return U.T @ Y", "this array is read-only"),
    ("return U.T @ Xs", "`Xs` is not defined; did you mean `X`?"),
    ("U.T @ X", "the function returns None; is its `return` missing?"),
    ("return lambda: 0", "the result is a function; an array or a number is wanted"),
    ("return [1, 'two'][0:2] and {1, 2}", "the result is a set"),
    ("return jax.jit(lambda x: x if x[0, 0] > 0 else -x)(U.T @ X)", "use jnp.where"),
    ("return jax.vmap(lambda x: np.dot(np.asarray(U).T, x), 1, 1)(X)", "use the same function from jnp"),
    ("return U.transpose_it()", "an array has no `.transpose_it`"),
    ("return jnp.matmull(U.T, X)", "jax.numpy has no function `matmull`"),
    ("return encode(U, X)", "calls itself without end"),
    ("return jnp.linalg.solve(U, X)", "RAISES"),
    ("return U.T @ X + jnp.ones((7, 7))", "shapes"),
    ("return len(5)", "TypeError"),
    ("return X[100, 3.5]", "RAISES"),
    ("return 1 / 0", "a division by zero"),
])
def test_errors_come_back_as_one_sentence(notebook, body, said):
    text = notebook.run(ENCODE + body)
    assert text.startswith("RAISES  ch99.encode, ") and said in text and "Traceback" not in text and text.count("\n") == 0


def test_an_error_deep_inside_names_the_students_own_line(notebook):
    text = notebook.run("""
        @exercise("ch99.encode")
        def encode(U, X):
            Z = U.T @ X
            return jnp.linalg.cholesky(jnp.concatenate([Z, U]))
        """)
    assert "your line 4: return jnp.linalg.cholesky" in text


def test_helper_below_and_helper_in_another_cell(notebook):
    assert notebook.run(ENCODE + "return helper(U) @ X\n\ndef helper(U):\n    return U.T").startswith("HOLDS")
    notebook.run("def other(U):\n    return U.T")
    assert notebook.run(ENCODE + "return other(U) @ X").startswith("HOLDS")


def test_a_syntax_error_is_a_verdict_and_does_not_stop_the_notebook(notebook):
    text = notebook.run(ENCODE + "return (U.T @ X")
    assert text.startswith("RAISES  ch99.encode, your line 3: ") and "not Python" in text
    assert notebook.run("print(encode(np.eye(3)[:, :1], np.ones((3, 2))).shape)") == "(1, 2)\n"


def test_recursion_inside_ones_own_function(notebook):
    text = notebook.run('@exercise("ch99.countdown")\ndef countdown(n):\n    return 0 if n == 0 else n + countdown(n - 1)')
    assert text.startswith("HOLDS")
    assert notebook.run("print(countdown(10))") == "55\n"


def test_a_renamed_function_still_counts(notebook):
    text = notebook.run('@exercise("ch99.encode")\ndef my_codes(U, X):\n    return 2 * U.T @ X / 2')
    assert text.startswith("HOLDS") and "both names work" in text
    assert notebook.run("print(encode(np.eye(2), np.eye(2)) is None, my_codes)") == "False <ch99.encode: HOLDS>\n"


def test_renamed_or_swapped_arguments_are_named(notebook):
    text = notebook.run('@exercise("ch99.encode")\ndef encode(X, U):\n    return U.T @ X')
    assert "The arguments are (X, U) and the lesson calls it with (U, X), in this order" in text


def test_a_function_that_writes_into_its_argument_cannot_harm_the_lesson(notebook):
    notebook.run("A = np.ones((2, 2))")
    assert "RAISES" in notebook.run(ENCODE + "X -= 1; X[:] = 0; return U.T @ X")
    notebook.run(ENCODE + "return U.T @ X")
    notebook.run("encode(np.eye(2), A)")
    assert notebook.run("print(A.sum())") == "4.0\n"


def test_printing_is_quoted_only_when_the_answer_is_not_right(notebook):
    assert notebook.run(ENCODE + "print('here'); return U.T @ X") == "HOLDS  ch99.encode: 3 of 3 laws. Your function is used below."
    assert "(It printed: here)" in notebook.run(ENCODE + "print('here'); return U.T @ X + 1")


def test_a_loop_without_end_is_stopped(notebook, monkeypatch):
    monkeypatch.setattr(guard, "SECONDS", 0.5)
    assert "The call did not return within" in notebook.run(ENCODE + "while True:\n        pass")
    assert notebook.run("print('alive')") == "alive\n"


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN], ids=["foreground", "background"])
def test_the_windows_way_of_stopping_a_loop(notebook, monkeypatch, handler):
    monkeypatch.delattr("signal.setitimer")
    monkeypatch.setattr(guard, "SECONDS", 0.5)
    before = signal.signal(signal.SIGINT, handler)
    try:
        assert "The call did not return within" in notebook.run(ENCODE + "while True:\n        pass")
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert notebook.run(ENCODE + "return U.T @ X").startswith("HOLDS")
    assert not [t for t in threading.enumerate() if t.name.endswith("(interrupt)")]  # none is left to ring later


@pytest.mark.parametrize("body", ["try:\n        todo()\n    except Exception:\n        return U.T @ X",
                                  "try:\n        todo()\n    except:\n        return U.T @ X"])
def test_todo_cannot_be_swallowed(notebook, body):
    assert notebook.run(ENCODE + body).startswith("NOT STARTED")


@pytest.mark.parametrize("body", ["return subspace.project(U, X)", "from book_utils.subspace import project as p; return p(U, X)",
                                  "return jax.vmap(lambda x: subspace.project(U, x[:, None])[:, 0], 1, 1)(X)",
                                  "return subspace.ppca(X, 2).U @ (U.T @ X)"])
def test_the_kernel_is_refused_to_the_student_and_open_to_the_rest(notebook, body):
    text = notebook.run(f'@exercise("ch99.project")\ndef project(U, X):\n    {body}')
    assert text.startswith("FAILS") and "You may not use subspace." in text
    assert notebook.run("print(project(np.eye(2), np.eye(2)).shape, subspace.project(np.eye(2), np.eye(2)).shape)") == "(2, 2) (2, 2)\n"


@pytest.mark.parametrize("end", [".posterior_mean(X, 1.0, 0.5)", ".mean[:, None] + X", ".sample(jax.random.key(0), 5)[0]"])
def test_methods_of_kernels_are_refused_too(notebook, end):
    """And building an object is not: there is nothing in it yet that the student was asked for."""
    made = "GaussianMixture([1.0], np.zeros((1, len(X))), np.eye(len(X))[None])"
    text = notebook.run("from book_utils.gaussian_mixture import GaussianMixture\n\n"
                        f'@exercise("ch99.project")\ndef project(U, X):\n    return {made}{end}')
    assert text.startswith("FAILS") and "You may not use gaussian_mixture." in text
    assert notebook.run(f"X = np.ones((3, 5)); print(({made}{end}).shape)") == "(3, 5)\n"


def test_refusal_is_not_swallowed(notebook):
    text = notebook.run('@exercise("ch99.project")\ndef project(U, X):\n    try:\n        return subspace.project(U, X)\n'
                        "    except Exception:\n        return U @ (U.T @ X)")
    assert "You may not use subspace.project here" in text


def test_earlier_exercises_are_open_and_later_ones_closed(notebook):
    assert notebook.run('@exercise("ch99.project")\ndef project(U, X):\n    return U @ encode(U, X)').startswith("HOLDS")
    assert "You may not use project, which comes later," in notebook.run(ENCODE + "return U.T @ project(U, X)")


def test_a_numpy_answer_survives_a_figure_that_maps_over_it(notebook):
    notebook.run('@exercise("ch99.energy")\ndef energy(x):\n    return float(np.sum(np.asarray(x) ** 2))')
    # it lacks a gradient, which the third law asks for: so the stand-in draws
    assert notebook.run("print(jax.vmap(energy)(jnp.ones((3, 2))))") == "[2. 2. 2.]\n"
    assert notebook.run(ENCODE + "return np.asarray(U).T @ np.asarray(X)").startswith("HOLDS")
    text = notebook.run("print(jax.vmap(encode)(jnp.ones((2, 3, 1)), jnp.ones((2, 3, 4))).shape)")
    assert "(2, 1, 4)\n" in text and "here it raised: NumPy cannot work" in text and text.count("A reference stands in") == 1


def test_columns_loops_over_a_numpy_answer(notebook):
    notebook.run('@exercise("ch99.energy")\ndef energy(x):\n    return np.sum(np.asarray(x) ** 2)')
    notebook.run("from book_utils.transform import columns\nfrom book_utils.course import session\n"
                 "session.SESSION.answers['ch99.energy'].verdict = session.Verdict('ch99.energy', 'HOLDS', 4, 4, '')")
    assert notebook.run("print(columns(energy)(jnp.ones((2, 3))))") == "[2. 2. 2.]\n"  # and no word of a reference


def test_redefinition_and_duplicated_cells_last_one_counts(notebook):
    assert notebook.run(ENCODE + "return 0.5 * U.T @ X").startswith("FAILS")
    assert notebook.run(ENCODE + "return U.T @ X").startswith("HOLDS")
    notebook.run(SETUP)  # the setup cell again: the answer stays
    assert notebook.run("print(encode)") == "<ch99.encode: HOLDS>\n"
    assert notebook.run(ENCODE + "todo()").startswith("NOT STARTED")


def test_a_deleted_cell_leaves_the_reference(notebook):
    assert notebook.run("print(energy(jnp.array([3.0, 4.0])))") == "25.0\n"


def test_an_exercise_before_the_setup_cell(toy, notebook):
    session.SESSION.__init__()
    assert notebook.run(ENCODE + "return U.T @ X").startswith("HOLDS")
    notebook.run(SETUP)
    assert notebook.run("print(encode)") == "<ch99.encode: HOLDS>\n"


def test_unknown_names_offer_the_nearest(notebook):
    text = notebook.run('@exercise("ch99.encoed")\ndef encode(U, X):\n    return U.T @ X\n\nprint(encode(np.eye(2), np.eye(2)).shape)')
    assert "There is no exercise called 'ch99.encoed'. Did you mean ch99.encode" in text and "(2, 2)" in text
    assert "Did you mean ch99.encode" in notebook.run('hint("encode")')
    assert "There is no chapter called 'ch98'" in notebook.run('lesson("ch98")')


def test_hints_go_from_a_nudge_to_the_end_and_a_familiar_slip_comes_first(notebook):
    notebook.run(ENCODE + "todo()")
    assert notebook.run("hint(encode)").startswith("HINT  ch99.encode, 1 of 2: Which of U and U.T")
    assert "2 of 2: One matrix product." in notebook.run('hint("ch99.encode")')
    assert "these were all 2" in notebook.run('hint("ch99.encode")')
    assert "familiar" in notebook.run(ENCODE + "return (U / 2).T @ X")
    assert "1 of 3: Whence the half?" in notebook.run("hint(encode)")


def test_solution_is_folded(notebook):
    with capture_output() as seen:
        notebook.shell.run_cell("solution(encode)")
    assert "<details><summary>" in seen.outputs[0].data["text/html"] and "return U.T @ X" in seen.outputs[0].data["text/html"]


def test_yours_draws_a_failing_answer_and_never_breaks(notebook):
    assert notebook.run("print(yours(encode))") == "[]\n"
    notebook.run(ENCODE + "return 0.5 * U.T @ X")
    assert notebook.run("print(yours(encode)[0](np.eye(2), np.eye(2))[0, 0])") == "0.5\n"
    notebook.run(ENCODE + "return 1 / 0")
    assert notebook.run("print(yours(encode)[0](np.eye(2), np.eye(2))[0, 0])") == "nan\n"
    notebook.run(ENCODE + "return U.T @ X")
    assert notebook.run("print(yours(encode))") == "[]\n"


def test_strict_mode_raises_for_anything_but_holds(notebook, monkeypatch):
    monkeypatch.setenv("BOOK_STRICT", "1")
    assert notebook.run(ENCODE + "return U.T @ X").startswith("HOLDS")
    notebook.run(ENCODE + "return 2 * U.T @ X", succeeds=False)
    notebook.run(ENCODE + "todo()", succeeds=False)
    notebook.run(ENCODE + "return (", succeeds=False)


CHAIN = '@derivation("ch99.pythagoras")\ndef pythagoras(U, x):\n    r = x - U @ (U.T @ x)\n    yield r @ r\n    {}\n' \
        "    yield x @ x - jnp.linalg.norm(U.T @ x) ** 2"


@pytest.mark.parametrize("lines, said", [
    (["yield ..."], "NOT STARTED"),
    (["yield x @ x - (U.T @ x) @ (U.T @ x)"], "HOLDS  ch99.pythagoras: 4 of 4 laws. Every line follows from the one before."),
    (["yield x @ x + (U.T @ x) @ (U.T @ x)"], "line 2, `x @ x + U.T @ x @ (U.T @ x)`, breaks it: yours is "),
    (["yield r @ r", "yield (U.T @ x) @ (U.T @ x) - 2 * (U.T @ x) @ (U.T @ x) + x @ x"], "line 2 says again what line 1 says"),
    (["yield r.T @ r"], "no line of yours is written with the code U.T @ x"),
    (["yield x @ x - (U @ x) @ (U @ x)"], "RAISES  ch99.pythagoras, your line 5: "),
])
def test_derivations_name_the_first_line_that_breaks(notebook, lines, said):
    assert said in notebook.run(CHAIN.format("\n    ".join(lines)))


def test_a_derivation_keeps_its_given_lines(notebook):
    text = notebook.run(CHAIN.format("yield x @ x - (U.T @ x) @ (U.T @ x)").replace("yield r @ r", "yield 2 * r @ r / 2"))
    assert "the first line was changed" in text


def test_the_example_of_every_stub_is_a_law(toy):
    laws = toy.exercises["ch99.encode"].laws
    assert laws[-1].name == "gives the worked example"
    assert check(toy.exercises["ch99.encode"], lambda U, X: 1.02 * (U.T @ X)).failed is not None


def test_an_old_answer_against_a_newer_package(notebook):
    """An exercise that has gone, and one whose arguments have changed, are said plainly and stop nothing."""
    text = notebook.run('@exercise("ch99.retired")\ndef retired(x):\n    return x')
    assert "There is no exercise called 'ch99.retired'" in text
    text = notebook.run('@exercise("ch99.encode")\ndef encode(X):\n    return X')
    assert "The arguments are (X) and the lesson calls it with (U, X)" in text


@pytest.fixture(scope="module")
def worker():
    import os
    from conftest import OWN

    before = os.environ.get("BOOK_CHAPTERS")
    os.environ["BOOK_CHAPTERS"] = str(OWN)
    with Worker() as process:
        yield process
    os.environ.pop("BOOK_CHAPTERS") if before is None else os.environ.__setitem__("BOOK_CHAPTERS", before)


def test_the_same_verdict_through_another_process(toy, worker):
    for exercise in toy.exercises.values():
        sources = [exercise.stub.solved, exercise.stub.blank, *[exercise.stub.patched(*w.replace) for w in exercise.wrongs]]
        for source in sources:
            here = judge(exercise, Local(exercise, exercise.compile(source), source))
            there = judge(exercise, Remote(exercise, source, worker))
            assert (here.status, here.held, here.failed) == (there.status, there.held, there.failed)


@pytest.mark.parametrize("body, said", [("return 1 / 0", "division by zero"), ("import sys; print('x' * 10**6); return U.T @ X", "HOLDS"),
                                        ("return subspace.pca(X, 2)", "You may not use subspace.pca"), ("return object()", "the result is a object")])
def test_another_process_says_what_went_wrong(toy, worker, body, said):
    exercise = toy.exercises["ch99.encode"]
    assert said in judge(exercise, Remote(exercise, ENCODE + body, worker)).text


def test_patches_must_match_once(toy):
    with pytest.raises(catalog.CourseError, match="matches 0 times"):
        toy.stubs["ch99.encode"].patched("no such text", "")
