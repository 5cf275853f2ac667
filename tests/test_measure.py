"""Long experiments: stored with the text they came from, read by the lessons, renewed by the build."""

import json

import numpy as np
import pytest

from book_utils.course import build, catalog, measure
from book_utils.course.errors import CourseError

LONG = '''\
import numpy as np

RUNS = []

def slope() -> dict:
    """A measurement."""
    RUNS.append("slope")
    return {"slope": np.float32(1) / 3, "table": np.arange(6).reshape(2, 3) / 7, "name": "ours", "count": 3}

def with_arguments(x):
    raise AssertionError("not an experiment")

def _helper():
    raise AssertionError("private")
'''


@pytest.fixture
def slow(tmp_path, monkeypatch):
    """A chapter with one long experiment; (chapter, module)."""
    folder = tmp_path / "ch98_slow"
    folder.mkdir()
    (folder / "__init__.py").write_text('KEY, TITLE, PRINCIPLES, LETTERS, ERRATA = "ch98", "Slow", [], {}, []\n')
    (folder / "long_slow.py").write_text(LONG)
    import chapters

    before = list(chapters.__path__)
    monkeypatch.setenv("BOOK_CHAPTERS", str(tmp_path))
    monkeypatch.delenv("RUN_LONG", raising=False)
    catalog.chapters.cache_clear()
    chapter = catalog.chapter("ch98")
    (experiment,) = measure.experiments(chapter)
    yield chapter, experiment, experiment.__globals__["RUNS"]
    chapters.__path__[:] = before
    catalog.chapters.cache_clear()
    import sys

    for name in [m for m in sys.modules if m.startswith("chapters.ch98")]:
        del sys.modules[name]


def test_the_build_stores_and_the_lesson_reads(slow):
    chapter, experiment, runs = slow
    with pytest.raises(CourseError, match="slope .* run `book build ch98 --long`"):
        measure.fresh(chapter)
    (said,) = measure.renew(chapter)
    assert said.startswith("slope was measured in ") and runs == ["slope"]
    measure.fresh(chapter)
    found = measure.measured(experiment)
    assert runs == ["slope"] and found["slope"] == 0.33333 and found["name"] == "ours" and found["count"] == 3
    np.testing.assert_allclose(found["table"], np.arange(6).reshape(2, 3) / 7, rtol=1e-4)
    assert not list(measure.renew(chapter))  # fresh: nothing to do


def test_run_long_measures_here_and_stores_nothing(slow, monkeypatch):
    chapter, experiment, runs = slow
    list(measure.renew(chapter))
    store = (chapter.folder / measure.STORE).read_bytes()
    monkeypatch.setenv("RUN_LONG", "1")
    assert measure.measured(experiment)["slope"] == 0.33333 and runs == ["slope", "slope"]
    monkeypatch.setenv("RUN_LONG", "0")
    measure.measured(experiment)
    assert runs == ["slope", "slope"] and (chapter.folder / measure.STORE).read_bytes() == store


def test_a_changed_experiment_is_run_again_and_says_so(slow, capsys):
    chapter, experiment, runs = slow
    list(measure.renew(chapter))
    path = chapter.folder / "long_slow.py"
    path.write_text(LONG.replace("/ 7", "/ 9"))
    measure.measured(experiment)
    assert runs == ["slope", "slope"] and "slope was changed" in capsys.readouterr().out
    with pytest.raises(CourseError):
        measure.fresh(chapter)


def test_what_is_no_experiment_any_more_leaves_the_store(slow):
    chapter, _, _ = slow
    store = chapter.folder / measure.STORE
    store.write_text(json.dumps({"gone": {"source": "", "result": {}}}))
    list(measure.renew(chapter))
    assert list(json.loads(store.read_text())) == ["slope"]


@pytest.mark.parametrize("chapter", catalog.chapters(), ids=lambda chapter: chapter.key)
def test_every_stored_result_came_from_the_text_as_it_is(chapter):
    measure.fresh(chapter)
    store = chapter.folder / measure.STORE
    assert not store.exists() or json.loads(store.read_text(encoding="utf-8")).keys() == {e.__name__ for e in measure.experiments(chapter)}


def test_a_build_does_not_pass_over_a_stale_result(slow, monkeypatch):
    monkeypatch.setattr(build.workspace, "checkout", lambda: slow[0].folder)
    with pytest.raises(CourseError, match="--long"):
        build.build(["ch98"])


def test_two_measurements_of_one_name_are_refused(slow):
    chapter, _, _ = slow
    (chapter.folder / "long_too.py").write_text(LONG)
    with pytest.raises(CourseError, match=r"slope stands in long_slow\.py and in long_too\.py"):
        list(measure.experiments(chapter))
