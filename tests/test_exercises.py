"""Every exercise of every chapter: its solution holds, its wrong answers are caught by the law that claims them, its right variants pass."""

import re
import time

import pytest

from book_utils.course import catalog, guard
from book_utils.course.checking import check, generator, judge
from book_utils.course.exercises import Broken
from book_utils.course.transport import Local, Proxy, Raised, Remote, Worker

CHAPTERS = {c.key: c for c in catalog.chapters()}
EXERCISES = [e for c in CHAPTERS.values() for e in c.exercises.values()]
WRONGS = [(e, w) for e in EXERCISES for w in e.wrongs]
RIGHTS = [(e, r) for e in EXERCISES for r in e.rights]


def verdict(exercise, source, seed=0):
    return check(exercise, exercise.compile(source), source, seed)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_declaration_is_complete(exercise):
    assert 2 <= len(exercise.hints) <= 4 and len(exercise.wrongs) >= 3 and exercise.rights and len(exercise.laws) >= 2
    assert exercise.objective and exercise.level in ("core", "more", "challenge") and 1 <= exercise.minutes <= 30
    assert exercise.name == f"{exercise.chapter.key}.{exercise.function}"
    for label in filter(None, (exercise.label, exercise.book)):
        assert label in catalog.labels(), label
    assert not [law.name for law in exercise.laws if re.search(r"\b(correct|reference|solution)\b", law.name)]
    assert exercise.stub.doc or exercise.kind == "derivation"
    assert set(exercise.needs) <= set(exercise.earlier)


@pytest.mark.parametrize("chapter", [c for c in CHAPTERS.values() if c.key != "start"], ids=lambda c: c.key)
def test_the_page_says_the_level_and_the_minutes_of_every_exercise(chapter):
    text = "\n".join(p.read_text(encoding="utf-8") for p in chapter.lesson_files)
    for exercise in chapter.exercises.values():
        above = text[: text.index(f'@{exercise.kind}("{exercise.name}")')]
        said = re.findall(r"(Core|More|Challenge), (\d+) minutes", above)[-1]
        assert said == (exercise.level.capitalize(), str(exercise.minutes)), exercise.name


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_solution_and_stand_in_hold_on_fresh_seeds(exercise):
    for seed in (0, 101, 2026):
        found = verdict(exercise, exercise.stub.solved, seed)
        assert found.status == "HOLDS", found.text
    if exercise.stand_in is not None:  # the kernel itself passes, outside the wall that keeps students from it
        kernel = Open(exercise)
        for seed in (0, 7):
            for law in exercise.laws:
                law(Proxy(exercise, kernel), generator(exercise, law, seed))


class Open(Local):
    """A stand-in called without the refusal of kernels."""

    def __init__(self, exercise):
        super().__init__(exercise, exercise.stand_in, "")

    def call(self, mode, args, options):
        def through_door(*a):
            with guard.open_door():
                return self.exercise.stand_in(*a)
        self.function = through_door
        return super().call(mode, args, options)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_blank_is_not_started(exercise):
    found = verdict(exercise, exercise.stub.blank)
    assert found.status == "NOT STARTED", found.text


@pytest.mark.parametrize("exercise, wrong", WRONGS, ids=lambda v: getattr(v, "name", None) or v.title)
def test_wrong_answer_is_caught_by_its_law(exercise, wrong):
    source = exercise.stub.patched(*wrong.replace)
    proxy = Proxy(exercise, Local(exercise, exercise.compile(source), source))
    with pytest.raises((Broken, Raised)):
        wrong.caught_by(proxy, generator(exercise, wrong.caught_by))
    found = verdict(exercise, source)
    assert found.status in ("FAILS", "RAISES") and found.held < found.total


def test_wrong_answers_compute_something():
    """A wrong answer that raises at once teaches nothing: most are caught by a law, with a number."""
    raising = [f"{e.name}: {w.title}" for e, w in WRONGS
               if verdict(e, e.stub.patched(*w.replace)).status == "RAISES"]
    assert len(raising) <= 0.1 * len(WRONGS), raising


@pytest.mark.parametrize("exercise, right", RIGHTS, ids=lambda v: getattr(v, "name", None) or v.title)
def test_right_variant_holds(exercise, right):
    source = right.source(exercise.name, exercise.stub)
    for seed in (0, 5):
        found = verdict(exercise, source, seed)
        assert found.status == "HOLDS", found.text


def test_every_verdict_is_the_same_through_another_process():
    with Worker() as worker:
        for exercise in EXERCISES:
            for source in [exercise.stub.solved, *[exercise.stub.patched(*w.replace) for w in exercise.wrongs]]:
                here = verdict(exercise, source)
                there = judge(exercise, Remote(exercise, source, worker))
                assert (here.status, here.held) == (there.status, there.held), f"{exercise.name}: {here.text} / {there.text}"


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_a_verdict_is_quick(exercise):
    proxy = Proxy(exercise, Local(exercise, exercise.compile(exercise.stub.solved), exercise.stub.solved))
    verdict(exercise, exercise.stub.solved)  # the first compile apart
    start = time.perf_counter()
    for law in exercise.laws:
        law(proxy, generator(exercise, law))
    assert time.perf_counter() - start < 4.0  # two seconds on a quiet machine
