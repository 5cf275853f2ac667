"""Figures that say in words what they show, and numbers printed no finer than they are stable.

A figure never touches `matplotlib.pyplot`: no global style, no open windows, nothing left in memory after it is shown.
"""

import base64
import contextlib
import html
import io
import math
import os
import sys
from collections.abc import Iterator, Sequence

import numpy as np

# Okabe and Ito's eight colours, told apart with every common colour blindness. Those that stand out best on white come first.
COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*"]
# How ax.plot draws what a student's failing answer computes, beside the right one.
DASHED = {"color": "#444444", "linestyle": "--", "linewidth": 1.8, "marker": "None", "label": "yours (fails)"}

WIDTH = 100  # pixels of the page per inch of figure
DPI = 135  # pixels of the picture per inch: more than the page needs, for sharp text on dense screens
TINY = 1e-5  # what float32 leaves of an exact zero stays below this
_CAPTION = "max-width:45em;font-size:90%"


@contextlib.contextmanager
def figure(alt: str, size: tuple[float, float] = (6, 3.2), nrows: int = 1, ncols: int = 1, **subplots_kw: object) -> Iterator:
    """Draw a figure and show it once, with `alt` as its alternative text and as the caption beneath it.

    `with figure("The error falls as 1/n.") as ax: ax.plot(...)` gives one Axes, or an array of them (squeezed) for
    `nrows` by `ncols`. `size` is in inches, 100 pixels each. Further keywords go to `Figure.subplots` (sharex, subplot_kw, ...).
    Outside a notebook the figure is drawn but not shown. If the body raises, nothing is shown.
    Raises ValueError if `alt` is not a phrase of at least three words.
    """
    alt = words(alt, "alt")
    with style():
        fig = new_figure(size)
        yield fig.subplots(nrows, ncols, **subplots_kw)
        picture = png(fig)
    publish(picture, alt, size)


def images(ax: object, X: object, shape: tuple[int, int] | None = None, titles: Sequence[str] | None = None,
           columns: int | None = None, limits: tuple[float, float] | None = None) -> None:
    """Draw the columns of X (D, n) as small grey images, side by side in the one Axes `ax`, row after row.

    shape: (height, width) with height * width = D; square if not given. titles: n short texts, one above each image.
    columns: images in a row; all of them up to ten, by default.
    limits: the values drawn black and white; give them when images in several Axes are to be compared. By default one
    range for all n images: (0, max), or (-max, max) when X has negative entries, so that zero is the same mid-grey
    in every atom. NaN is left white.
    Raises ValueError if X is not a matrix, D does not fit the shape, or there are not n titles.
    """
    X = np.asarray(X, dtype=float)
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"X has shape {X.shape}; images wants (D, n), one image per column")
    D, n = X.shape
    if shape is None:
        shape = (math.isqrt(D),) * 2
    height, width = shape
    if height * width != D:
        raise ValueError(f"X has {D} rows, which do not make an image of shape ({height}, {width}); give shape=(height, width)")
    if titles is not None and len(titles) != n:
        raise ValueError(f"{len(titles)} titles were given for {n} images")
    columns = min(n, columns or (n if n <= 10 else math.ceil(math.sqrt(2 * n))))
    rows = -(-n // columns)
    gap = max(1, height // 8)
    above = gap if titles is None else gap + round(0.3 * height)
    sheet = np.full((rows * (height + above) - (gap if titles is None else 0), columns * (width + gap) - gap), np.nan)
    for i in range(n):
        top, left = i // columns * (height + above) + (0 if titles is None else above), i % columns * (width + gap)
        sheet[top:top + height, left:left + width] = X[:, i].reshape(height, width)
        if titles is not None:
            ax.text(left + (width - 1) / 2, top - 1, titles[i], ha="center", va="bottom", fontsize="small")
    if limits is None:
        largest = np.max(np.abs(X), where=np.isfinite(X), initial=0) or 1
        limits = (-largest if (X < 0).any() else 0, largest)
    ax.imshow(sheet, cmap="gray", vmin=limits[0], vmax=limits[1], interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.grid(False)


def show(**values: object) -> None:
    """Print each value on its own line as `name = value`, underscores in names as spaces.

    Floats have three significant digits, and anything below 1e-5 in size is "0 (within 1e-5)": of an exact zero float32
    leaves another tail on every machine, and another sign. Integers, booleans and strings are printed as they are.
    Arrays and lists of up to 64 numbers: three significant digits an entry, but no finer than a ten-thousandth of the
    largest entry's power of ten (float32 knows no better); larger ones by their shape alone.
    Raises ValueError for anything else.
    """
    if not values:
        raise ValueError("show wants values with names, as in show(angle=0.1)")
    # one print: a value that cannot be shown leaves no half of a table behind
    print("\n".join(f"{name.replace('_', ' ').strip()} = {_text(name, value)}" for name, value in values.items()))


def words(text: object, what: str) -> str:
    """`text` on one line. Raises ValueError unless it is a phrase of at least three words; `what` names it in the error."""
    if not isinstance(text, str) or len(text.split()) < 3:
        raise ValueError(f"{what} is {text!r}; it has to say in a sentence what the figure shows")
    return " ".join(text.split())


def style() -> contextlib.AbstractContextManager:
    """The style of the course, for the length of a `with`; Matplotlib's global settings are as before afterwards."""
    import matplotlib.style
    from cycler import cycler

    ours = {
        "font.size": 10, "axes.titlesize": 11, "legend.fontsize": 9, "xtick.labelsize": 9, "ytick.labelsize": 9,
        "axes.prop_cycle": cycler(color=COLORS) + cycler(marker=MARKERS), "lines.linewidth": 1.8, "lines.markersize": 5,
        "axes.grid": True, "grid.color": "#dddddd", "grid.linewidth": 0.6, "axes.axisbelow": True,
        "axes.spines.top": False, "axes.spines.right": False, "legend.framealpha": 0.9, "image.cmap": "cividis",
    }
    return matplotlib.style.context(["default", ours])  # "default": whatever matplotlibrc says, everyone sees the same


def new_figure(size: tuple[float, float]) -> object:
    """An empty Figure of `size` inches on an opaque white ground. To be used within `style()`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(figsize=size, dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(fig)
    return fig


def png(fig: object) -> bytes:
    """The figure as a PNG: the same bytes for the same figure, without date or version. To be used within `style()`."""
    from PIL import Image

    _thin_markers(fig)
    with io.BytesIO() as drawn, io.BytesIO() as small:
        fig.savefig(drawn, format="png", metadata={"Software": None})
        # 64 colours are enough for a plot, and weigh a quarter
        picture = Image.open(drawn).convert("RGB").quantize(64, dither=Image.Dither.NONE)
        picture.save(small, format="png", optimize=True)
        return small.getvalue()


def publish(picture: bytes, alt: str, size: tuple[float, float]) -> None:
    """Show a PNG drawn for `size` inches, with its alternative text and, beneath it, the same words for everyone.

    Two outputs, because a front end shows only one representation of each: text/html beside image/png would hide the
    picture, and JupyterLab gives images no alternative text. In the exported page it is one HTML figure.
    Outside IPython nothing happens.
    """
    running = shell()
    if running is None:
        return
    plain = {"text/plain": f"Figure: {alt}"}
    if exporting():
        return running.display_pub.publish({"text/html": html_figure(picture, alt, size)} | plain)
    metadata = {"image/png": {"alt": alt, "width": round(size[0] * WIDTH)}}
    running.display_pub.publish({"image/png": base64.b64encode(picture).decode()} | plain, metadata)
    running.display_pub.publish({"text/html": f'<p style="margin:0;{_CAPTION}">{html.escape(alt)}</p>'})


def html_figure(picture: bytes, alt: str, size: tuple[float, float], more: str = "") -> str:
    """The HTML of a whole figure; `more` is HTML that follows the caption.

    Only for the exported page: nbconvert gives images no alternative text either, but in a stored notebook a picture
    inside of HTML would be compared byte by byte.
    """
    source = "data:image/png;base64," + base64.b64encode(picture).decode()
    words = html.escape(alt)
    return (f'<figure style="margin:0"><img src="{source}" alt="{words}" width="{round(size[0] * WIDTH)}" style="max-width:100%">'
            f'<figcaption style="{_CAPTION}">{words}</figcaption>{more}</figure>')


def exporting() -> bool:
    """Whether the notebook is being run for the exported page (BOOK_FRAMES=1 in the environment)."""
    return os.environ.get("BOOK_FRAMES", "") not in ("", "0")


def shell() -> object | None:
    """The running IPython shell, if there is one."""
    return sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None


def _thin_markers(fig: object) -> None:
    """About ten markers along a line of many points, shifted from line to line: a marker on every point is a thick line."""
    for ax in fig.axes:
        for i, line in enumerate(ax.lines):
            n = len(line.get_xdata())
            if n > 30 and line.get_linestyle() != "None" and line.get_markevery() is None:
                line.set_markevery((i % 4 * (n // 40), n // 10))


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    array = np.asarray(value)
    exact = array.dtype.kind in "iub"
    if not exact and not str(array.dtype).startswith(("float", "bfloat")):  # JAX's bfloat16 and float8 are unknown to NumPy
        raise ValueError(f"{name} is {type(value).__name__}; show prints numbers, booleans, strings and arrays of real numbers")
    if array.size > 64:
        return f"array of shape {array.shape}"
    if exact:
        return str(array.tolist())
    array = array.astype(float)
    sizes = np.abs(array[np.isfinite(array)])
    largest = sizes.max() if sizes.size else 0.0
    if sizes.size == array.size and 0 < array.size and largest < TINY:
        return ("0" if array.ndim == 0 else f"zeros of shape {array.shape}") + " (within 1e-5)"
    finest = 4 - _exponent(largest) if largest > 0 else 4
    return _entries(array.tolist(), finest)


def _entries(value: object, finest: int) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_entries(v, finest) for v in value) + "]"
    return _number(value, finest)


def _number(x: float, finest: int) -> str:
    """x to three significant digits, and to at most `finest` decimals (negative: rounded to tens, hundreds, ...)."""
    if not math.isfinite(x):
        return str(x)
    x = round(x, finest)
    if x == 0:
        return "0"
    exponent = _exponent(x)
    decimals = min(2 - exponent, finest)
    if exponent >= 6 or (exponent < -3 and decimals == 2 - exponent):
        mantissa, power = f"{x:.2e}".split("e")
        return f"{mantissa}e{int(power)}"
    return f"{round(x, decimals):.{max(decimals, 0)}f}"


def _exponent(x: float) -> int:
    """The power of ten of x once it is rounded to three digits: 0 for 9.99, 1 for 9.999."""
    return int(f"{x:.2e}".partition("e")[2])
