"""Figures and printed numbers: what is shown, that it says in words what it shows, and that it is the same every time."""

import base64
import gc
import io
import os
import subprocess
import sys
import types
import weakref

import matplotlib
import nbclient
import nbconvert
import nbformat
import numpy as np
import pytest
from PIL import Image

from book_utils import plot

ALT = "A line rises from 0 to 1 & bends <down>."
SHOWN = "A line rises from 0 to 1 &amp; bends &lt;down&gt;."
SETUP = "import numpy as np\nfrom book_utils import plot\nfrom book_utils.plot import figure, show"
FIGURE = f"""with figure({ALT!r}, size=(5, 2), ncols=2) as axes:
    axes[0].plot(np.linspace(0, 1, 200), label="line")
    axes[0].plot(np.full(200, np.nan), **plot.DASHED)
    axes[0].legend()
    plot.images(axes[1], np.eye(4)[:, :3])"""
SHOW = "show(angle=np.float32(0.12345), steps=3, defect=1e-9)"


def notebook(*cells):
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c, id=f"c{i}") for i, c in enumerate(cells)])
    nb.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nb


def run(nb):
    return nbclient.NotebookClient(nb, timeout=120, kernel_name="python3").execute()


@pytest.fixture(scope="module")
def executed():
    return run(notebook(SETUP, FIGURE, SHOW))


@pytest.fixture
def outputs(monkeypatch):
    """What would be shown in a notebook, as (data, metadata)."""
    shown = []
    publisher = types.SimpleNamespace(publish=lambda data, metadata=None: shown.append((data, metadata or {})))
    monkeypatch.setattr(plot, "shell", lambda: types.SimpleNamespace(display_pub=publisher))
    monkeypatch.delenv("BOOK_FRAMES", raising=False)
    return shown


def picture(data):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGBA"))


# figure

def test_a_figure_is_one_png_and_its_words_beneath(outputs):
    with plot.figure(ALT, size=(4, 2)) as ax:
        ax.plot([0, 1])
    (image, metadata), (caption, _) = outputs
    assert image.keys() == {"image/png", "text/plain"} and image["text/plain"] == f"Figure: {ALT}"
    assert metadata == {"image/png": {"alt": ALT, "width": 400}}
    assert caption.keys() == {"text/html"} and SHOWN in caption["text/html"] and "base64" not in caption["text/html"]
    pixels = picture(image)
    assert pixels.shape == (2 * plot.DPI, 4 * plot.DPI, 4) and (pixels[..., 3] == 255).all() and (pixels[0, 0] == 255).all()


@pytest.mark.parametrize("alt", ["", "   ", "a figure", None, 3])
def test_the_words_are_required(outputs, alt):
    with pytest.raises(ValueError, match="has to say in a sentence"), plot.figure(alt):
        pass
    assert outputs == []


def test_words_on_several_lines_become_one(outputs):
    with plot.figure("A line\n    that rises."):
        pass
    assert outputs[0][0]["text/plain"] == "Figure: A line that rises."


def test_nothing_is_shown_when_the_body_raises(outputs):
    with pytest.raises(ZeroDivisionError), plot.figure(ALT):
        1 / 0
    assert outputs == []


def test_axes_come_as_one_or_as_a_squeezed_array(outputs):
    with plot.figure(ALT) as ax:
        assert hasattr(ax, "plot")
    with plot.figure(ALT, ncols=3, sharey=True) as axes:
        assert axes.shape == (3,)
    with plot.figure(ALT, nrows=2, ncols=2, subplot_kw={"projection": "polar"}) as axes:
        assert axes.shape == (2, 2) and axes[0, 0].name == "polar"


def test_global_settings_are_left_alone_and_have_no_say(outputs):
    with matplotlib.rc_context({"font.size": 30, "figure.facecolor": "red", "axes.facecolor": "red"}):
        before = dict(matplotlib.rcParams)
        with plot.figure(ALT) as ax:
            ax.plot([0, 1])
        with pytest.raises(ZeroDivisionError), plot.figure(ALT):
            1 / 0
        assert dict(matplotlib.rcParams) == before
    with plot.figure(ALT) as ax:
        ax.plot([0, 1])
    assert outputs[0] == outputs[2]


def test_the_same_figure_gives_the_same_bytes_without_date_or_version(outputs):
    for _ in range(2):
        with plot.figure(ALT) as ax:
            ax.imshow(np.arange(12).reshape(3, 4))
    assert outputs[0] == outputs[2]
    assert Image.open(io.BytesIO(base64.b64decode(outputs[0][0]["image/png"]))).text == {}


def test_colours_keep_their_value_in_the_small_png(outputs):
    with plot.figure(ALT) as ax:
        for i, color in enumerate(plot.COLORS):
            ax.axvspan(i, i + 1, color=color)
        ax.imshow(np.random.default_rng(0).random((60, 80)), extent=(0, 8, 1, 2), aspect="auto")
    found = {tuple(c) for c in np.unique(picture(outputs[0][0])[..., :3].reshape(-1, 3), axis=0)}
    for color in plot.COLORS:
        assert tuple(bytes.fromhex(color[1:])) in found


def test_lines_differ_in_colour_and_marker(outputs):
    with plot.figure(ALT) as ax:
        lines = [ax.plot([0, i])[0] for i in range(8)]
    assert {line.get_color() for line in lines} == set(plot.COLORS) and {line.get_marker() for line in lines} == set(plot.MARKERS)
    assert len(plot.COLORS) == len(plot.MARKERS) == 8


def test_long_lines_get_few_markers_but_clouds_keep_every_point(outputs):
    with plot.figure(ALT) as ax:
        short, = ax.plot(range(10))
        long, = ax.plot(range(1000))
        cloud, = ax.plot(range(1000), ".")
        chosen, = ax.plot(range(1000), markevery=7)
    assert long.get_markevery() == (25, 100) and chosen.get_markevery() == 7
    assert short.get_markevery() is cloud.get_markevery() is None


def test_a_failing_answer_may_be_nan_on_any_scale(outputs, recwarn):
    with plot.figure(ALT, ncols=3) as axes:
        axes[0].plot(np.full(200, np.nan), **plot.DASHED)
        axes[1].semilogy(np.full(200, np.nan), **plot.DASHED)
        axes[2].loglog(np.full(200, np.nan))
        plot.images(axes[0], np.full((4, 2), np.nan))
    assert len(outputs) == 2 and not recwarn.list


def test_200_figures_leave_nothing_in_memory(outputs):
    figures = []
    for _ in range(200):
        with plot.figure(ALT, size=(1, 1)) as ax:
            figures.append(weakref.ref(ax.figure))
        outputs.clear()
    del ax
    gc.collect()
    assert not any(f() for f in figures)
    assert "matplotlib.pyplot" not in sys.modules or not matplotlib.pyplot.get_fignums()


def test_outside_a_notebook_a_figure_is_drawn_but_not_shown():
    lazy, unseen = "import sys\nassert 'matplotlib' not in sys.modules", "assert 'matplotlib.pyplot' not in sys.modules"
    code = "\n".join([SETUP, lazy, FIGURE, unseen, "print(type(axes[0].figure.canvas).__name__)"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "FigureCanvasAgg\n" and done.stderr == ""


def test_in_the_exported_page_a_figure_is_one_html_with_alternative_text(outputs, monkeypatch):
    monkeypatch.setenv("BOOK_FRAMES", "1")
    with plot.figure(ALT, size=(4, 2)) as ax:
        ax.plot([0, 1])
    (data, _), = outputs
    assert data["text/plain"] == f"Figure: {ALT}" and "image/png" not in data
    assert f'alt="{SHOWN}" width="400"' in data["text/html"] and f">{SHOWN}</figcaption>" in data["text/html"]
    assert "http" not in data["text/html"]


# images

def draw_images(X, **kwargs):
    with plot.style():
        ax = plot.new_figure((3, 3)).subplots()
        plot.images(ax, X, **kwargs)
    return ax


def test_columns_become_square_images_side_by_side():
    X = np.arange(12.0).reshape(4, 3)
    image, = (ax := draw_images(X)).get_images()
    sheet = image.get_array().filled(np.nan)
    assert sheet.shape == (2, 8)
    np.testing.assert_array_equal(sheet[:, 3:5], X[:, 1].reshape(2, 2))
    assert np.isnan(sheet[:, 2]).all() and image.get_clim() == (0, 11)
    assert len(ax.get_xticks()) == 0


def test_signed_images_have_zero_in_the_middle():
    image, = draw_images(np.array([[-1.0, 3.0]] * 4)).get_images()
    assert image.get_clim() == (-3, 3)
    image, = draw_images(np.array([[-0.1, 3.0]] * 4), limits=(0, 1)).get_images()
    assert image.get_clim() == (0, 1)
    image, = draw_images(np.zeros((4, 2))).get_images()
    assert image.get_clim() == (0, 1)


def test_images_in_rows_with_titles_and_another_shape():
    X = np.arange(42.0).reshape(6, 7)
    ax = draw_images(X, shape=(3, 2), columns=4, titles=list("abcdefg"))
    sheet = ax.get_images()[0].get_array().filled(np.nan)
    assert [t.get_text() for t in ax.texts] == list("abcdefg")
    np.testing.assert_array_equal(sheet[-3:, 3:5], X[:, 5].reshape(3, 2))
    left, bottom = ax.texts[5].get_position()
    assert (left, bottom) == (3.5, sheet.shape[0] - 4)


@pytest.mark.parametrize(("X", "kwargs", "said"), [
    (np.ones(4), {}, r"\(4,\).*\(D, n\)"), (np.ones((6, 2)), {}, "6 rows"), (np.ones((6, 2)), {"shape": (2, 2)}, r"\(2, 2\)"),
    (np.ones((4, 2)), {"titles": ["a"]}, "1 titles .* 2 images"), (np.ones((4, 0)), {}, "D, n"),
])
def test_images_say_what_does_not_fit(X, kwargs, said):
    with pytest.raises(ValueError, match=said):
        draw_images(X, **kwargs)


# show

@pytest.mark.parametrize(("value", "printed"), [
    (0.5, "0.500"), (0.12345, "0.123"), (np.float32(0.1), "0.100"), (-2.0, "-2.00"), (0.00123, "0.00123"),
    (0.000123456, "1.23e-4"), (9.999, "10.0"), (99.95, "100"), (999.9, "1000"),
    (1234.5, "1230"), (123456.0, "123000"), (1234567.0, "1.23e6"),
    (1e-5, "1.00e-5"), (0.0, "0 (within 1e-5)"), (-0.0, "0 (within 1e-5)"), (3e-9, "0 (within 1e-5)"), (-4e-7, "0 (within 1e-5)"),
    (float("nan"), "nan"), (float("-inf"), "-inf"), (7, "7"), (60000, "60000"), (np.int32(7), "7"),
    (True, "True"), (np.bool_(False), "False"), ("a word", "a word"),
    ([1, 2], "[1, 2]"), ((0.5, 2.0), "[0.500, 2.00]"), (np.eye(2) + 1e-8, "[[1.00, 0], [0, 1.00]]"),
    ([np.nan, 1.0], "[nan, 1.00]"), (np.array([123.0, 4.56, 0.00123]), "[123, 4.56, 0]"),
    ([1.0, 0.0312, 0.00312], "[1.00, 0.0312, 0.0031]"),
    ([1e8, 1.0], "[1.00e8, 0]"), ([2e-4, 1e-4], "[2.00e-4, 1.00e-4]"), (np.array([True, False]), "[True, False]"),
    (np.zeros(3), "zeros of shape (3,) (within 1e-5)"), (np.zeros((9, 9)), "array of shape (9, 9)"), (np.zeros(0), "[]"),
])
def test_numbers_have_three_digits_and_no_tails(capsys, value, printed):
    plot.show(value=value)
    assert capsys.readouterr().out == f"value = {printed}\n"


def test_jax_numbers_are_printed_like_any_other(capsys):
    import jax.numpy as jnp

    plot.show(a=jnp.float32(0.25), b=jnp.arange(3), c=jnp.array([1.0, 0.5], jnp.bfloat16), d=jnp.array(4))
    assert capsys.readouterr().out == "a = 0.250\nb = [0, 1, 2]\nc = [1.00, 0.500]\nd = 4\n"


def test_float32_tails_never_reach_the_page(capsys):
    rng = np.random.default_rng(0)
    for _ in range(200):
        x = rng.normal(size=4) * 10.0 ** rng.integers(-3, 7)
        x = np.array([float(f"{v:.2e}") for v in x])  # the middle of what prints alike
        plot.show(x=x)
        plot.show(x=(x * (1 + 3e-7 * rng.normal(size=4))).astype(np.float32))
        first, second = capsys.readouterr().out.splitlines()
        assert first == second


def test_a_line_for_each_value_with_underscores_as_spaces(capsys):
    plot.show(relative_error=0.1, n=2)
    assert capsys.readouterr().out == "relative error = 0.100\nn = 2\n"


@pytest.mark.parametrize("values", [{}, {"x": None}, {"x": object()}, {"x": 1j}, {"x": {"a": 1}}, {"x": ["a", "b"]}])
def test_show_refuses_what_it_cannot_print_and_prints_nothing(capsys, values):
    with pytest.raises(ValueError):
        plot.show(good=1.0, **values) if values else plot.show()
    assert capsys.readouterr().out == ""


# in a real kernel

def test_outputs_in_a_kernel(executed):
    image, caption = executed.cells[1].outputs
    assert image.output_type == caption.output_type == "display_data"
    assert image.data["text/plain"] == f"Figure: {ALT}" and image.metadata["image/png"].alt == ALT
    assert picture(image.data).shape == (2 * plot.DPI, 5 * plot.DPI, 4)
    assert caption.data == {"text/html": f'<p style="margin:0;max-width:45em;font-size:90%">{SHOWN}</p>'}
    stream, = executed.cells[2].outputs
    assert stream.name == "stdout" and stream.text == "angle = 0.123\nsteps = 3\ndefect = 0 (within 1e-5)\n"


def test_a_second_kernel_gives_the_same_outputs_to_the_byte(executed):
    again = run(notebook(SETUP, FIGURE, SHOW))
    assert [c.outputs for c in again.cells] == [c.outputs for c in executed.cells]


def test_nbval_agrees_with_what_is_stored(executed, tmp_path):
    nbformat.write(executed, tmp_path / "figures.ipynb")
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q", "-p", "no:cacheprovider", "figures.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=dict(os.environ, PYTEST_ADDOPTS=""))
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout


@pytest.mark.parametrize("template", ["lab", "classic"])
def test_the_words_stand_in_converted_html(executed, template):
    page, _ = nbconvert.HTMLExporter(template_name=template).from_notebook_node(executed)
    assert f">{SHOWN}</p>" in page
    assert (f'alt="{SHOWN}"' in page) == (template == "classic")  # the lab template drops the metadata: hence the caption
