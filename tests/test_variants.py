"""Variants: their solutions hold, the lesson's do not, their stubs say what they want, and no result can break a mark."""

import textwrap

import jax
import numpy as np
import pytest

from book_utils.course import catalog, session, variants
from book_utils.course.checking import judge
from book_utils.course.errors import CourseError
from book_utils.course.exercises import Broken, worked_example
from book_utils.course.transport import Local

EXERCISES = [e for key in ("ch02", "ch03", "ch04", "ch05") for e in catalog.chapter(key).exercises.values()]
VARIANTS = [v for e in EXERCISES for v in e.variants.values()]
each = pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: f"{v.exercise.name}-{v.name}")


def answer(variant, source):
    """The answer that a cell written in a variant's convention gives, as the lesson's laws see it."""
    exercise = variant.exercise
    return variant.transport(Local(exercise, exercise.compile(source), source))


class Given:
    """A transport that gives one result whatever it is asked, and remembers what it was asked."""

    source = printed = ""

    def __init__(self, result):
        self.result, self.asked = result, []

    def call(self, mode, args, options):
        self.asked.append(args)
        return self.result(*args) if callable(self.result) else self.result


@pytest.mark.parametrize("exercise", [e for e in EXERCISES if e.level == "core"], ids=lambda e: e.name)
def test_every_core_exercise_has_a_variant_or_says_why_not(exercise):
    assert bool(exercise.variants) != bool(exercise.self_study)
    assert bool(exercise.self_study) == (exercise.kind == "derivation")


@each
def test_its_solution_holds_on_fresh_seeds(variant):
    transport = answer(variant, variant.solved(variant.exercise))
    for seed in (1, 2**63 + 5):
        verdict = judge(variant.exercise, transport, seed)
        assert verdict.status == "HOLDS", verdict.text


@each
def test_the_lessons_solution_earns_little(variant):
    """Of the laws that are not the worked example a third at most."""
    transport = answer(variant, variant.exercise.stub.solved)
    for seed in (1, 4021):
        verdict = judge(variant.exercise, transport, seed)
        assert verdict.status in ("FAILS", "RAISES") and verdict.held <= len(variant.exercise.own_laws) / 3, verdict.text


@each
def test_its_stub_says_what_it_wants(variant):
    exercise, blank = variant.exercise, variant.stub(variant.exercise.stub)
    stub = catalog.parse(blank)
    assert (stub.name, stub.function, stub.arguments) == (exercise.name, exercise.function, variant.stated.arguments)
    assert " ".join(variant.sentence.split()) in " ".join(stub.doc.split()) and variant.sentence.endswith(".") and blank.endswith("\n    todo()")
    assert blank.count("\n    todo()") == 1 and not [line for line in blank.split("\n") if len(line) > 126]
    assert judge(exercise, answer(variant, blank)).status == "NOT STARTED"
    assert blank == variant.stub(exercise.stub) and blank not in [v.stub(exercise.stub) for v in exercise.variants.values() if v is not variant]
    example, solved = worked_example(stub), variant.solved(exercise)
    assert bool(example) == bool(worked_example(exercise.stub))
    if example:
        direct = Local(exercise, exercise.compile(solved), solved)
        example(lambda *args: direct.call("call", args, {}), np.random.default_rng(0))


@each
def test_values_come_back_as_they_went(variant):
    lesson = Local(variant.exercise, variant.exercise.compile(variant.exercise.stub.solved), "")
    asked = Given(lambda *given: variant.outward(lesson.call("call", back(variant, given), {}), back(variant, given)))
    judge(variant.exercise, variant.transport(asked), 7)
    assert asked.asked
    for given in asked.asked:
        args = back(variant, given)
        for value, again in zip(given, variant.forward(args)):
            assert type(value) is type(again)
            if not isinstance(value, jax.Array):
                np.testing.assert_allclose(again, value, rtol=1e-6, atol=1e-9)
        result = lesson.call("call", args, {})
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), result,
                     variant.backward(variant.outward(result, args), args))


def back(variant, given):
    """Arguments of the course as the lesson writes them: what the solved cell does before it calls the lesson's solution."""
    named = dict(zip(variant.exercise.stub.arguments, given))
    for name, change in variant.arguments.items():
        named[name] = variants._value(change.back, named[name], named)
    return tuple(named.values())


HOSTILE = ["text", "", (), {}, {"a": 1.0}, float("nan"), float("inf"), 0, True, ("a", "b"), ((), ((),)), np.zeros((0, 0)), np.zeros((3, 1, 2)),
           np.full((7, 7), np.nan), np.array(True), (np.zeros(3),) * 3, (np.zeros((2, 2)), "x"), ..., 10**400]


@each
def test_no_result_does_more_than_fail(variant):
    case = next(iter(variant.exercise.own_laws))
    args = asked_first(variant, case)
    for result in HOSTILE:
        try:
            variant.transport(Given(result)).call("call", args, {})
        except Broken:
            continue


def asked_first(variant, law):
    """The lesson's arguments of the first call that a law makes."""
    seen = []

    def f(*args):
        seen.append(args)
        raise Broken("seen")
    with pytest.raises(Broken):
        law(f, np.random.default_rng(3))
    return seen[0]


@pytest.mark.parametrize("name, variant, body", [
    ("ch02.encode", "rows", "return X @ U"),
    ("ch02.ky_fan", "least_rows", "values, vectors = jnp.linalg.eigh(M)\n    return vectors[:, :d].T, values[:d].sum()"),
    ("ch02.pca", "rows", "_, s, Vt = jnp.linalg.svd(X, full_matrices=False)\n    return Vt[:d], s[:d] ** 2 / len(X)"),
    ("ch02.pca", "ascending_rows", "values, vectors = jnp.linalg.eigh(X.T @ X / len(X))\n    return vectors[:, -d:], values[-d:]"),
    ("ch02.power_step", "inverse_mean_square", "w = jnp.linalg.solve(M, v)\n    return w / jnp.sqrt(jnp.mean(w**2))"),
    ("ch02.soft_threshold", "quarter", "return jnp.sign(Z) * jnp.maximum(jnp.abs(Z) - 2 * weight, 0)"),
    ("ch02.ista_step", "rows_half", "return soft_threshold(Z - eta * (Z @ A - X) @ A.T, eta * lam)"),
    ("ch02.dictionary_step", "rows_mean", "B = A - 2 * nu / len(X) * Z.T @ (Z @ A - X)\n"
                                          "    return B / jnp.maximum(1, jnp.linalg.norm(B, axis=1, keepdims=True))"),
    ("ch03.discrete_entropy", "bits", "return -jnp.sum(p * jnp.log2(jnp.where(p > 0, p, 1)))"),
    ("ch03.discrete_entropy", "symbols", "return jnp.exp(-jnp.sum(jax.scipy.special.xlogy(p, p)))"),
    ("ch03.gaussian_entropy", "precision", "return (len(Precision) * jnp.log(2 * jnp.pi * jnp.e) - jnp.linalg.slogdet(Precision)[1]) / 2"),
    ("ch03.gaussian_denoiser", "noise", "return t * jnp.linalg.solve(Sigma + t**2 * jnp.eye(len(mu)), x_t - mu)"),
    ("ch03.gaussian_denoiser", "score", "return -jnp.linalg.solve(Sigma + t**2 * jnp.eye(len(mu)), x_t - mu)"),
    ("ch03.mixture_denoiser", "score", """
        def log_density(x):
            C = Sigmas + t**2 * jnp.eye(len(x))
            v = jnp.linalg.solve(C, (x - mus)[:, :, None])[:, :, 0]
            return jax.nn.logsumexp(jnp.log(pi) - jnp.linalg.slogdet(C)[1] / 2 - ((x - mus) * v).sum(axis=1) / 2)
        return jax.grad(log_density)(x_t)"""),
    ("ch03.tweedie", "noise", "return x_t - t * g_bar"),
    ("ch03.tweedie", "energy_variance", "return x_t - variance * slope"),
    ("ch03.denoising_step", "noise", "return x_t - (t - s) * g_bar"),
    ("ch03.denoising_step", "score", "return x_t + t * (t - s) * score"),
    ("ch03.ddim_step", "change", "return alpha_s * x_bar + sigma_s / sigma * (x_t - alpha * x_bar) - x_t"),
    ("ch03.denoising_loss", "rows_sum", """
        loss = 0.0
        for x, g, t in zip(X, G, ts):
            a = jnp.sqrt(1 - t**2)
            loss += (a / t) ** 2 * jnp.sum((a * A @ (a * x + t * g) - x) ** 2)
        return loss"""),
    ("ch04.coding_rate", "rows_bits", "N, d = Z.shape\n    return jnp.sum(jnp.log2(1 + d / (N * eps**2) * jnp.linalg.svd(Z)[1] ** 2)) / 2"),
    ("ch04.optimal_variance", "ratio", "a, b = lam * alpha * ratio, alpha * ratio - alpha - lam * (ratio + 1)\n"
                                       "    return (b + np.sqrt(b**2 - 4 * a * lam / alpha)) / (2 * a)"),
    ("ch04.nearest_subspace", "rows_from_one", "return 1 + jnp.argmax(((Us @ Z_new.T) ** 2).sum(axis=1), axis=0)"),
    ("ch04.water_level", "deviations", """
        low, high = 0.0, float(deviations.max())
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if np.sum(np.minimum(middle, np.asarray(deviations)) ** 2) < distortion else (low, middle)
        return high"""),
    ("ch05.ssa", "rows_scaled", "return jax.nn.softmax(W @ W.T / jnp.sqrt(W.shape[1]), axis=1) @ W"),
    ("ch05.causal_attention", "rows_scaled", "n, p = W.shape\n    scores = jnp.where(jnp.tri(n, dtype=bool), W @ W.T / jnp.sqrt(p), -jnp.inf)\n"
                                             "    return jax.nn.softmax(scores, axis=1) @ W"),
    ("ch05.ista_step", "rows_threshold", "return jnp.maximum(Z - eta * (Z @ D.T - Z) @ D - threshold, 0)"),
    ("ch05.increment", "rows_loss", "return jnp.einsum('k,mk,kij,mj->mi', gamma, membership, C, Z_new) - Z_new @ E"),
    ("ch05.circulant", "upwards", "d = len(x)\n    return x[(jnp.arange(d)[:, None] + jnp.arange(d)) % d]"),
    ("ch05.expansion_kernel", "spectrum", "(N, d), power = Z.shape, (jnp.abs(jnp.fft.fft(Z, axis=1)) ** 2).sum(axis=0)\n"
                                          "    return 1 / (N * eps**2 + power)"),
    ("ch05.diagonal_bound", "rows_mean", "return jnp.mean(jnp.log(1 + c * jnp.array([q @ S @ q for q in Q])))"),
], ids=lambda v: v if isinstance(v, str) and len(v) < 30 and " " not in v else "")
def test_a_student_who_thinks_in_the_convention_passes(name, variant, body):
    variant = catalog.exercise(name).variants[variant]
    head = variant.stub(variant.exercise.stub).rpartition("    todo()")[0]
    body = textwrap.indent(textwrap.dedent(body).strip("\n"), "    ") if body.startswith("\n") else f"    {body}"
    for seed in (0, 11):
        verdict = judge(variant.exercise, answer(variant, head + body), seed)
        assert verdict.status == "HOLDS", verdict.text


def test_a_shape_is_named_in_the_students_convention():
    variant = catalog.exercise("ch02.encode").variants["rows"]
    verdict = judge(variant.exercise, answer(variant, variant.stub(variant.exercise.stub).replace("todo()", "return U.T @ X.T")))
    assert verdict.status == "FAILS" and "(N, d)" in verdict.text and "(2, 9)" in verdict.text and "(9, 2)" in verdict.text


def test_a_slip_is_recognised_in_another_convention():
    variant = catalog.exercise("ch02.encode").variants["rows"]
    verdict = judge(variant.exercise, answer(variant, variant.stub(variant.exercise.stub).replace("todo()", "return 2 * X @ U")))
    assert verdict.mistake and verdict.mistake.title == "loses the factor two of the gradient"


def test_a_hint_says_what_is_different_here(capsys, monkeypatch):
    monkeypatch.setattr(session, "SESSION", session.Session())
    session.SESSION.graded = {"ch03.tweedie": "noise", "ch03.ddim_step": ""}
    said = []
    for name in ("ch03.tweedie", "ch03.ddim_step"):
        session.hint(name)
        said.append(capsys.readouterr().out)
    assert "How long? (This speaks of the lesson's convention. Here what is given is the mean of the noise, not the score.)" in said[0]
    assert "convention" not in said[1]


def test_after_the_last_hint_nobody_is_sent_to_a_solution_that_is_closed(capsys, monkeypatch):
    monkeypatch.setattr(session, "SESSION", session.Session())
    session.SESSION.graded = {"ch03.tweedie": ""}
    for name, sent in (("ch03.tweedie", False), ("ch03.ddim_step", True)):
        for _ in range(len(catalog.exercise(name).hints) + 1):
            session.hint(name)
        last = capsys.readouterr().out.splitlines()[-1]
        assert "these were all" in last and ("solution(" in last) is sent


def test_the_choice_is_the_secrets():
    exercise = catalog.exercise("ch02.encode")
    chosen = [variants.choose(exercise, f"{n:032x}") for n in range(40)]
    assert set(chosen) == set(exercise.variants) and chosen == [variants.choose(exercise, f"{n:032x}") for n in range(40)]
    assert variants.choose(catalog.exercise("ch02.power_chain"), "00") == ""
    other = catalog.exercise("ch02.project")
    assert [variants.choose(other, f"{n:032x}") for n in range(40)] != [variants.choose(exercise, f"{n:032x}") for n in range(40)]


def test_changes_compose_and_undo_each_other():
    both = variants.rows.then(variants.bits)
    assert (both.there, both.back) == ("_.T / jnp.log(2)", "(_ * jnp.log(2)).T") and both.shape("(D, N)") == "(N, D)"
    X = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(variants._value(both.back, variants._value(both.there, X, {}), {}), X)
    assert variants.stacked_rows.shape("(K, d, p)") == "(K, p, d)" and variants.squared.called("variance").name == "variance"


@pytest.mark.parametrize("facts, said", [
    (dict(arguments={"Y": variants.rows}), "changes Y, which is no argument"),
    (dict(words={"no such words": "others"}), "stands 0 times in the stub"),
    (dict(result=(None, variants.rows)), "speaks of 2 results, the stub of 1"),
])
def test_a_declaration_that_does_not_fit_is_refused(facts, said):
    exercise = catalog.exercise("ch02.encode")
    with pytest.raises(CourseError, match=said):
        variants.Variant(exercise, "odd", "Odd.", **facts).stub(exercise.stub)


def test_a_law_that_maps_or_differentiates_allows_no_variant():
    variant = VARIANTS[0]
    with pytest.raises(CourseError, match="can have no variants"):
        variant.transport(Given(1.0)).call("vmap", (np.zeros((2, 1)), np.zeros((2, 3))), {})
