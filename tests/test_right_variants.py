"""Every right variant of every exercise carries the whole notebook to its end, the figures drawn by it."""

import pytest

from book_utils.course import build, catalog, standing


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("chapter", catalog.chapters(), ids=lambda chapter: chapter.key)
def test_right_variants_carry_the_notebook_to_its_end(chapter, place):
    if place >= max(len(exercise.rights) for exercise in chapter.exercises.values()):
        pytest.skip("no exercise has so many")
    answers = {name: exercise.rights[min(place, len(exercise.rights) - 1)].source(name, exercise.stub)
               for name, exercise in chapter.exercises.items()}
    notebook, _ = build.solve(chapter, answers)
    assert standing.shown(notebook) == dict.fromkeys(chapter.stubs, "HOLDS")
