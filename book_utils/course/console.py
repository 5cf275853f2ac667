"""What the `book` command writes: text and tables that every terminal can show, those without Unicode included."""

import codecs
import sys
import unicodedata
from collections.abc import Iterable, Sequence

# Characters of the lessons and of tables, as they are written where a terminal has only ASCII
_PLAIN = {
    "–": "-", "—": "-", "−": "-", "‐": "-", "‑": "-", "…": "...", "‘": "'", "’": "'", "“": '"', "”": '"', "„": '"',
    "·": "*", "•": "*", "×": "x", "⁄": "/", "²": "^2", "³": "^3", "√": "sqrt", "∞": "inf", "∈": "in", "‖": "||", "⊤": "T",
    "→": "->", "←": "<-", "⇒": "=>", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "✓": "+", "✗": "x", "ß": "ss",
    "λ": "lambda", "Λ": "Lambda", "─": "-", "━": "-", "═": "=", "│": "|", "┃": "|",
}


def _written(error: UnicodeError) -> tuple[str, int]:
    """Error handler of a codec: the characters that cannot be written, in ASCII."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_ascii(c) for c in error.object[error.start: error.end]), error.end


def _ascii(character: str) -> str:
    if character in _PLAIN:
        return _PLAIN[character]
    parts = unicodedata.normalize("NFKD", character)  # é is e and an accent, ¾ is 3, a slash and 4
    if simple := "".join(_PLAIN.get(part, part) for part in parts).encode("ascii", "ignore").decode():
        return simple
    name = unicodedata.name(character, "")
    if name.startswith("GREEK"):
        return name.split()[-1].lower() if "SMALL" in name else name.split()[-1].capitalize()
    return "+" if name.startswith("BOX DRAWINGS") else "?"


def careful() -> None:
    """Let standard output and error write in ASCII what they cannot write otherwise, instead of raising UnicodeEncodeError."""
    codecs.register_error("book-ascii", _written)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="book-ascii")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], total: Sequence[object] = ()) -> None:
    """Print a table; columns whose name begins with ">" are numbers and stand to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=Text(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, show_footer=bool(total))
    for column, sum_ in zip(columns, total or [""] * len(columns), strict=True):
        side = "right" if column.startswith(">") else "left"
        drawn.add_column(column.lstrip(">"), footer=Text(str(sum_)), justify=side, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(str(value)) for value in row))
    # not a terminal, or one too old for colours: rich notices, and draws lines in ASCII where the encoding wants it
    Console(highlight=False, emoji=False).print(drawn)


def complain(sentence: str) -> None:
    """One sentence on standard error."""
    print(sentence, file=sys.stderr, flush=True)
