"""Fixtures shared by the tests of the course."""

import os
import sys
from pathlib import Path

import matplotlib.font_manager  # noqa: F401 - builds its font cache here, once, rather than noisily inside a notebook
import pytest

from book_utils.course import catalog
from book_utils.course.threads import ONE_BLAS_THREAD

for variable, one in ONE_BLAS_THREAD.items():  # for the workers, and for the kernels that nbval starts
    os.environ.setdefault(variable, one)

OWN = Path(__file__).parent / "own_chapters"


def pytest_collection_modifyitems(items):
    """The longest file first, so that no worker is left alone with it at the end."""
    items.sort(key=lambda item: item.path.name != "test_right_variants.py")


@pytest.fixture
def toy(monkeypatch):
    """The toy chapter ch99, beside the real ones, in this process and in those it starts."""
    import chapters

    before = list(chapters.__path__)
    monkeypatch.setenv("BOOK_CHAPTERS", str(OWN))
    catalog.chapters.cache_clear()
    yield catalog.chapter("ch99")
    chapters.__path__[:] = before
    catalog.chapters.cache_clear()
    for name in [m for m in sys.modules if m.startswith("chapters.ch99")]:
        del sys.modules[name]
