"""Pages of HTML that say everything in words: headings, tables with captions, nothing that runs, and no text that is taken for a tag."""

import html
from collections.abc import Iterable, Sequence

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # a second lock: whatever a browser finds in it, it loads and runs nothing
_STYLE = """\
body { font: 1rem/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; min-width: 16rem; } caption { text-align: left; font-weight: bold; padding-bottom: .3rem; }
th, td { border: 1px solid #767676; padding: .3rem .6rem; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
thead th { overflow-wrap: normal; } .number { text-align: right; } .bar { display: inline-block; height: .8rem; background: #4a4a4a; }
.said { white-space: pre-wrap; }"""


def escaped(text: object) -> str:
    """Text as it stands on a page; characters that no page may hold are replaced."""
    clean = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in str(text))
    return html.escape(clean)


def page(title: str, *parts: str) -> str:
    """A whole page; `parts` are HTML already."""
    return (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escaped(title)}</title>\n'
            f"<style>\n{_STYLE}\n</style>\n</head>\n<body>\n<main>\n<h1>{escaped(title)}</h1>\n"
            + "\n".join(parts) + "\n</main>\n</body>\n</html>\n")


def heading(text: str, level: int = 2) -> str:
    """A heading."""
    return f"<h{level}>{escaped(text)}</h{level}>"


def paragraph(*sentences: str) -> str:
    """A paragraph, line breaks kept; nothing for no text."""
    said = " ".join(sentence for sentence in sentences if sentence)
    return f'<p class="said">{escaped(said)}</p>' if said else ""


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[object]], bars: Sequence[float] = ()) -> str:
    """A table whose first column names its rows; columns beginning with ">" are numbers. `bars` draws a share behind each row."""
    numeric = [column.startswith(">") for column in columns]
    head = "".join(f'<th scope="col"{_number(n)}>{escaped(column.lstrip(">"))}</th>' for column, n in zip(columns, numeric, strict=True))
    body = []
    for place, row in enumerate(rows):
        first, *rest = (escaped(cell) for cell in row)
        cells = "".join(f"<td{_number(n)}>{cell}</td>" for cell, n in zip(rest, numeric[1:], strict=True))
        body.append(f'<tr><th scope="row">{first}</th>{cells}{_bar(bars[place]) if bars else ""}</tr>')
    head += '<td aria-hidden="true"></td>' if bars else ""
    begin = f"<table>\n<caption>{escaped(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n"
    return begin + "\n".join(body) + "\n</tbody>\n</table>"


def _bar(share: float) -> str:
    return f'<td aria-hidden="true"><span class="bar" style="width: {12 * share:.2f}rem"></span></td>'


def _number(is_number: bool) -> str:
    return ' class="number"' if is_number else ""
