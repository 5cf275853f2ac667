"""Labels of the book's source, written as the numbers that are printed: `[[eq:pca_dgp]]` becomes "eq. (2.1.1)"."""

import re

from book_utils.course import catalog
from book_utils.course.errors import CourseError, nearest

_EQUATION, _SECTION = "eq. ({})", "Section {}"
# the first word of a PDF anchor, or of a label where the anchor is of another kind, as a reader would cite it
_WORDS = {
    "equation": _EQUATION, "eq": _EQUATION, "eqn": _EQUATION,
    "section": _SECTION, "subsection": _SECTION, "sec": _SECTION, "subsec": _SECTION, "sub": _SECTION,
    "chapter": "Chapter {}", "appendix": "Appendix {}", "figure": "Figure {}", "fig": "Figure {}", "table": "Table {}",
    "prop": "Proposition {}", "eg": "Example {}",
} | {word: word.capitalize() + " {}" for word in (
    "algorithm", "assumption", "corollary", "definition", "example", "exercise", "lemma", "proposition", "remark", "theorem")}
_REFERENCE = re.compile(r"\[\[([A-Za-z][\w@-]*:[^\[\]\n]+)\]\]")


def cite(label: str) -> str:
    """How the place with this label is cited, e.g. "Theorem 2.1"; CourseError with the nearest labels if there is none."""
    labels = catalog.labels()
    if label not in labels:
        raise nearest(label, labels, "label")
    number, anchor = labels[label]["number"].strip("{}"), labels[label]["anchor"]
    kind = anchor.partition(".")[0]
    # a proposition that LaTeX anchored at the equation beside it keeps its own number: then the label's prefix says what it is
    if kind not in ("figure", "table") and anchor != f"{kind}.{number}":
        kind = re.sub(r"\d+$", "", label.partition(":")[0])
    if not number or kind not in _WORDS:
        raise CourseError(f"The label {label!r} has no number that could be cited; write the place in words.")
    return _WORDS[kind].format(number)


def resolve(markdown: str) -> str:
    """A text with every `[[label]]` in it cited."""
    return _REFERENCE.sub(lambda found: cite(found[1]), markdown)
