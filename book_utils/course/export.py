"""A lesson as a page to read anywhere, or as a plain script to work on with any editor."""

import re
from pathlib import Path

import jupytext
from jinja2 import DictLoader
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from book_utils.course import catalog
from book_utils.course.build import PLAIN
from book_utils.course.catalog import Chapter
from book_utils.course.errors import CourseError
from book_utils.course.execute import execute
from book_utils.course.notebook import INSTALL, PERCENT, make

# JupyterLab's page without the scripts that only widgets and diagrams need, and with the alternative text of every image.
# Formulas need MathJax from the web: where it does not come, a sentence says what the reader sees instead.
_PAGE = """\
{% extends 'lab/index.html.j2' %}
{% block html_head_js %}{% endblock %}
{% block html_head_js_mermaidjs %}{% endblock %}
{% block extra_css %}<style>main { max-width: 60em; margin: auto } .jp-Cell pre { white-space: pre-wrap }</style>{% endblock %}
{% block body_header %}{{ super() }}
<p id="offline" class="jp-RenderedHTMLCommon">Without a connection to the web, formulas are shown as LaTeX.</p>
<script>if (window.MathJax) document.getElementById("offline").remove()</script>
{% endblock %}
{% block data_png %}
<div class="jp-RenderedImage jp-OutputArea-output"><img src="data:image/png;base64,{{ output.data['image/png'] }}"
  alt="{{ output | get_metadata('alt', 'image/png') | escape_html }}"
  width="{{ output | get_metadata('width', 'image/png') }}"></div>
{% endblock %}
"""
_BADGE = re.compile(r"\[!\[(Open in Colab)\]\([^)]*\)\](\([^)]*\))")


def export(key: str, to: str = "html", out: Path | None = None) -> Path:
    """Write the student's lesson of a chapter to the file `out`, by default named after the chapter; returns the file.

    "html": one page that needs no kernel and no connection (but for formulas, which are set by MathJax from the web), run
    with sliders as stored frames. "py": a script of cells for any editor; `python` runs it and prints the verdicts.
    Raises CourseError for any other format, for a file that cannot be written, and for a script that is there already:
    a student may have worked in it.
    """
    chapter = catalog.chapter(key)
    if to not in ("html", "py"):
        raise CourseError(f"A lesson is exported to 'html' or 'py', not to {to!r}.")
    out = out or Path(f"{chapter.folder.name}.{to}")
    if to == "py" and out.exists():
        raise CourseError(f"{out} is there already and is not overwritten; name another file.")
    text = page(chapter) if to == "html" else script(chapter)
    try:
        out.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise CourseError(f"{out} cannot be written: {error.strerror}.") from None
    return out


def page(chapter: Chapter) -> str:
    """The unsolved lesson, run, as HTML."""
    notebook = execute(_lesson(chapter), env=PLAIN | {"BOOK_FRAMES": "1"})
    exporter = HTMLExporter(extra_loaders=[DictLoader({"page.html.j2": _PAGE})], template_file="page.html.j2",
                            exclude_input_prompt=True, exclude_output_prompt=True)
    return exporter.from_notebook_node(notebook)[0]


def script(chapter: Chapter) -> str:
    """The unsolved lesson as Python source in the py:percent format."""
    notebook = _lesson(chapter)
    notebook.metadata = {"jupytext": {"notebook_metadata_filter": "-all", "cell_metadata_filter": "tags,-all"}}
    return jupytext.writes(notebook, PERCENT)


def _lesson(chapter: Chapter) -> NotebookNode:
    """The notebook without what only a notebook on Colab needs."""
    notebook = make(chapter)
    notebook.metadata.title = chapter.title
    notebook.cells = [cell for cell in notebook.cells if cell.id != INSTALL]
    notebook.cells[0].source = _BADGE.sub(r"[\1]\2", notebook.cells[0].source)
    return notebook
