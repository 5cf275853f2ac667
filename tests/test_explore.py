"""Figures with parameters: static everywhere, sliders where a page asks for them, frames in the exported page."""

import json
import os
import queue
import re
import subprocess
import sys
import types

import jupyter_client
import nbclient
import nbconvert
import nbformat
import pytest
from bs4 import BeautifulSoup

from book_utils import plot
from book_utils.explore import explore, live

SETUP = """from book_utils.explore import explore
def draw(fig, d, noise=0.0):
    if d == 8:
        raise ArithmeticError("d is <too> large")
    fig.subplots().plot([0, d, noise])
    return f"A line up to d = {d} & noise = {noise:g}."
"""
CELL = 'explore(draw, {"d": [1, 2, 4, 8], "noise": [0.0, 0.5]}, start={"d": 2}, size=(3, 2))'
FIRST = "A line up to d = 2 & noise = 0."
OUTPUTS = ("display_data", "execute_result", "stream", "error", "clear_output", "update_display_data")
VIEW = "application/vnd.jupyter.widget-view+json"


def draw(fig, d, noise=0.0):
    fig.subplots().plot([0, d, noise])
    return f"A line up to d = {d} & noise = {noise:g}."


def notebook(*cells):
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c, id=f"c{i}") for i, c in enumerate(cells)])
    nb.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nb


def run(nb):
    return nbclient.NotebookClient(nb, timeout=120, kernel_name="python3").execute()


@pytest.fixture(scope="module")
def executed():
    return run(notebook(SETUP, CELL, "import sys; print('ipywidgets' in sys.modules)"))


@pytest.fixture
def outputs(monkeypatch):
    """What would be shown in a notebook without a page, as (data, metadata)."""
    shown = []
    publisher = types.SimpleNamespace(publish=lambda data, metadata=None: shown.append((data, metadata or {})))
    monkeypatch.setattr(plot, "shell", lambda: types.SimpleNamespace(display_pub=publisher))
    monkeypatch.delenv("BOOK_FRAMES", raising=False)
    return shown


# checks

@pytest.mark.parametrize(("choices", "start", "said"), [
    ({}, None, "at least one parameter"),
    ({"d": []}, None, "d has no choices"),
    ({"d": [0.1234561, 0.1234562]}, None, "read alike"),
    ({"d": [1, 2]}, {"d": 3}, "start has d = 3, which is not among its choices 1, 2"),
    ({"d": [1, 2]}, {"D": 1}, "start names D"),
])
def test_choices_and_start_are_checked(outputs, choices, start, said):
    with pytest.raises(ValueError, match=said):
        explore(draw, choices, start)
    assert outputs == []


@pytest.mark.parametrize("returned", [None, "", "two words", 3])
def test_draw_has_to_return_a_sentence(outputs, returned):
    with pytest.raises(ValueError, match="what draw returned"):
        explore(lambda fig, d: returned, {"d": [1]})
    assert outputs == []


def test_an_error_in_the_first_figure_is_the_authors_to_see(outputs):
    with pytest.raises(ZeroDivisionError):
        explore(lambda fig, d: 1 / 0, {"d": [1]})
    assert outputs == []


# without a page

def test_first_figure_at_start_or_at_the_first_choice(outputs):
    explore(draw, {"d": [1, 2, 4], "noise": [0.5]}, start={"d": 4})
    (image, metadata), (caption, _) = outputs
    said = "A line up to d = 4 & noise = 0.5."
    assert image["text/plain"] == f"Figure: {said}" and metadata["image/png"] == {"alt": said, "width": 600}
    assert "d = 4 &amp; noise = 0.5." in caption["text/html"]


def test_under_nbclient_there_is_only_an_ordinary_figure(executed):
    image, caption = executed.cells[1].outputs
    assert image.data.keys() == {"image/png", "text/plain"} and image.data["text/plain"] == f"Figure: {FIRST}"
    assert caption.data.keys() == {"text/html"}
    assert executed.cells[2].outputs[0].text == "False\n"
    assert "widgets" not in executed.metadata


def test_a_second_kernel_gives_the_same_outputs_to_the_byte(executed):
    again = run(notebook(*[c.source for c in executed.cells]))
    assert [c.outputs for c in again.cells] == [c.outputs for c in executed.cells]


def test_nbval_agrees_with_what_is_stored(executed, tmp_path):
    nbformat.write(executed, tmp_path / "explore.ipynb")
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q", "-p", "no:cacheprovider", "explore.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=dict(os.environ, PYTEST_ADDOPTS=""))
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout


def test_in_a_plain_script_nothing_is_shown_and_no_widget_is_imported():
    code = f"{SETUP}\nimport sys\nassert 'matplotlib' not in sys.modules\n{CELL}\n" \
           "assert not {'ipywidgets', 'IPython', 'matplotlib.pyplot'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# with a page

def test_colab_is_known_by_its_shell(monkeypatch):
    monkeypatch.setattr(plot, "shell", lambda: type("Shell", (), {"__module__": "google.colab._shell"})())
    assert live()
    monkeypatch.setattr(plot, "shell", lambda: None)
    assert not live()


class Page:
    """A front end, as far as the kernel can tell: names the cell, keeps the widgets' states, moves sliders."""

    def __init__(self):
        self.manager, self.client = jupyter_client.manager.start_new_kernel(kernel_name="python3")
        self.state, self.outputs = {}, []

    def send(self, kind, content, metadata=None):
        message = self.client.session.msg(kind, content, metadata=metadata)
        self.client.shell_channel.send(message)
        mine = message["header"]["msg_id"]
        while True:
            try:
                heard = self.client.get_iopub_msg(timeout=60)
            except queue.Empty:
                pytest.fail("the kernel does not answer")
            kind, content = heard["msg_type"], heard["content"]
            if kind == "comm_open":
                self.state[content["comm_id"]] = dict(content["data"]["state"])
            elif kind == "comm_msg" and content["data"]["method"] == "update":
                state = self.state[content["comm_id"]]
                state |= content["data"]["state"]
                state |= {path[0]: bytes(b) for path, b in zip(content["data"]["buffer_paths"], heard["buffers"])}
            elif kind in OUTPUTS:
                self.outputs.append((kind, content))
            elif kind == "status" and content["execution_state"] == "idle" and heard["parent_header"]["msg_id"] == mine:
                return

    def execute(self, code):
        self.send("execute_request", {"code": code, "silent": False, "store_history": True, "user_expressions": {},
                                      "allow_stdin": False, "stop_on_error": True}, {"cellId": "c1"})

    def move(self, slider, index):
        self.send("comm_msg", {"comm_id": slider, "data": {"method": "update", "state": {"index": index}, "buffer_paths": []}})

    def named(self, model):
        return [key for key, state in self.state.items() if state["_model_name"] == model]


@pytest.fixture(scope="module")
def page():
    page = Page()
    page.execute(SETUP)
    page.execute(CELL)
    yield page
    page.client.stop_channels()
    page.manager.shutdown_kernel(now=True)


def test_a_page_gets_the_figure_and_sliders_beneath(page):
    assert [kind for kind, _ in page.outputs] == ["display_data"] * 3
    image, caption, view = [content["data"] for _, content in page.outputs]
    assert image["text/plain"] == f"Figure: {FIRST}" and "image/png" in image and "text/html" in caption
    assert view["text/plain"] == "Sliders for d, noise: run this cell to move them."
    box = page.state[view[VIEW]["model_id"]]
    assert box["_model_name"] == "VBoxModel" and len(box["children"]) == 4
    d, noise = (page.state[s] for s in page.named("SelectionSliderModel"))
    assert d["_options_labels"] == ["1", "2", "4", "8"] and d["index"] == 1 and d["description"] == "d" and d["readout"]
    assert noise["_options_labels"] == ["0", "0.5"] and noise["index"] == 0


def test_moving_a_slider_draws_and_says_the_values(page):
    (d, noise), (image,), (caption,) = page.named("SelectionSliderModel"), page.named("ImageModel"), page.named("HTMLModel")
    shown = len(page.outputs)
    page.move(d, 2)
    assert page.state[caption]["value"] == "A line up to d = 4 &amp; noise = 0."
    first = page.state[image]["value"]
    assert bytes(first).startswith(b"\x89PNG") and page.state[page.state[image]["layout"][len("IPY_MODEL_"):]]["display"] is None
    page.move(noise, 1)
    assert page.state[caption]["value"] == "A line up to d = 4 &amp; noise = 0.5." and page.state[image]["value"] != first
    assert len(page.outputs) == shown  # nothing printed, cleared or updated in the notebook


def test_a_draw_that_raises_says_so_in_place_of_the_picture(page):
    (d, noise), (image,), (caption,) = page.named("SelectionSliderModel"), page.named("ImageModel"), page.named("HTMLModel")
    layout = page.state[page.state[image]["layout"][len("IPY_MODEL_"):]]
    shown = len(page.outputs)
    page.move(noise, 0)
    page.move(d, 3)
    assert page.state[caption]["value"] == "With d = 8, noise = 0 nothing can be drawn: d is &lt;too&gt; large"
    assert layout["display"] == "none"
    page.move(d, 0)
    assert page.state[caption]["value"] == "A line up to d = 1 &amp; noise = 0." and layout["display"] is None
    assert len(page.outputs) == shown


# the exported page

def frames(page):
    """The figure of a page, its sliders, and what its script steps through."""
    figure = BeautifulSoup(page, "html.parser").find("figure")
    data, script = figure.find_all("script")
    return figure, figure.find_all("input"), *json.loads(data.string)


@pytest.fixture
def exporting(outputs, monkeypatch):
    monkeypatch.setenv("BOOK_FRAMES", "1")
    return outputs


def test_frames_of_all_combinations(exporting):
    explore(draw, {"d": [1, 2, 4], "noise": [0.0, 0.5]}, start={"d": 2, "noise": 0.5})
    (data, _), = exporting
    said = "A line up to d = 2 & noise = 0.5."
    assert data.keys() == {"text/html", "text/plain"} and data["text/plain"] == f"Figure: {said}"
    figure, (d, noise), pictures, strides = frames(data["text/html"])
    assert len(pictures) == 6 and strides == [2, 1]
    assert pictures[1 * 2 + 1][1] == said == figure.img["alt"] == figure.figcaption.text == d["aria-valuetext"]
    assert figure.img["src"] == "data:image/png;base64," + pictures[3][0] and len({p for p, _ in pictures}) == 6
    assert (d["type"], d["min"], d["max"], d["value"], json.loads(d["data-labels"])) == ("range", "0", "2", "1", ["1", "2", "4"])
    assert d.parent.name == "label" and d.parent.text.split() == ["d", "2"] and "hidden" in d.parent.attrs
    assert noise["value"] == "1" and noise.parent.text.split() == ["noise", "0.5"]
    assert not re.search(r"https?:|<link| id=", data["text/html"])


def test_with_too_many_combinations_the_first_parameter_alone_moves(exporting):
    explore(draw, {"d": list(range(9)), "noise": [0.0, 0.5, 1.0]}, start={"noise": 0.5})
    figure, (d,), pictures, strides = frames(exporting[0][0]["text/html"])
    assert len(pictures) == 9 and strides == [1]
    fixed = "(Here noise = 0.5 throughout; in the notebook there is a slider for it.)"
    assert all(caption.endswith(fixed) for _, caption in pictures)
    assert figure.img["alt"] == pictures[0][1]


def test_a_parameter_with_one_choice_has_no_slider(exporting):
    explore(draw, {"d": [1, 2], "noise": [0.5]})
    _, inputs, pictures, strides = frames(exporting[0][0]["text/html"])
    assert len(inputs) == 1 and len(pictures) == 2 and strides == [1]


def test_a_caption_cannot_break_out_of_the_page(exporting):
    explore(lambda fig, d: f'A </script> "quoted" <b> {d}', {"d": [1, 2]})
    figure, _, pictures, _ = frames(exporting[0][0]["text/html"])
    assert figure.b is None and figure.img["alt"] == 'A </script> "quoted" <b> 1'
    assert pictures[1][1] == 'A </script> "quoted" <b> 2'


def test_the_same_frames_every_time(exporting):
    for _ in range(2):
        explore(draw, {"d": [1, 2]})
    assert exporting[0] == exporting[1]


def test_frames_survive_the_conversion(monkeypatch):
    monkeypatch.setenv("BOOK_FRAMES", "1")
    nb = run(notebook(SETUP.replace("d == 8", "d == 9"), CELL))
    page, _ = nbconvert.HTMLExporter().from_notebook_node(nb)
    figure, inputs, pictures, _ = frames(page)
    assert len(pictures) == 8 and len(inputs) == 2 and figure.img["alt"] == FIRST and "No description" not in page
