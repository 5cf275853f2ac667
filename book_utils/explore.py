"""A figure with parameters: an ordinary figure first, sliders where a front end can show them.

Sliders need a running kernel and a page. A notebook that is executed by a program (nbclient, nbval, nbconvert) has no page:
there `explore` shows its first figure and nothing else, so what is stored is the same everywhere.
"""

import base64
import html
import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence

from book_utils import plot

FRAMES = 24  # the most pictures put into an exported page for one figure


def explore(draw: Callable[..., str], choices: Mapping[str, Sequence], start: Mapping[str, object] | None = None,
            size: tuple[float, float] = (6, 3.2)) -> None:
    """Show what `draw` draws at `start`, and sliders to change its parameters.

    draw(fig, **values) draws on the empty Figure `fig` (of `size` inches) and returns the caption: a sentence that names the
    values and says what is to be seen. The caption is also the figure's alternative text.
    choices: for each parameter the values (numbers, booleans or strings) that its slider goes through.
    start: the value of each parameter at first; the first choice for those it does not name.
    The first figure stays; moving a slider draws the new one beneath the sliders, to be compared with it.
    With BOOK_FRAMES=1 in the environment (the exported page) every figure is drawn in advance, and the sliders need no kernel:
    all combinations if there are at most 24, otherwise only the first parameter moves and the caption says so.
    Raises ValueError if a parameter has no choices, or two that read alike; if `start` is not among the choices; or if
    `draw` returns anything but a sentence.
    """
    choices = {name: list(values) for name, values in choices.items()}
    start = _start(choices, dict(start or {}))
    if plot.exporting():
        return _publish_frames(draw, choices, start, size)
    picture, caption = _frame(draw, start, size)
    plot.publish(picture, caption, size)
    if live():
        _publish_sliders(draw, choices, start, size)


def live() -> bool:
    """Whether this cell was sent by a page that can show widgets.

    JupyterLab, Notebook 7 and VS Code name the cell in the metadata of the request to execute it; nbclient, nbval and a console
    do not. Colab has a shell of its own.
    """
    running = plot.shell()
    if type(running).__module__.startswith("google.colab"):
        return True
    kernel = getattr(running, "kernel", None)
    return kernel is not None and "cellId" in (kernel.get_parent().get("metadata") or {})


def _start(choices: dict[str, list], start: dict[str, object]) -> dict[str, object]:
    """`start` with the first choice for every parameter it does not name, after checking both."""
    if not choices:
        raise ValueError("explore wants at least one parameter with its choices")
    for name, values in choices.items():
        if not values:
            raise ValueError(f"{name} has no choices")
        labels = [_label(v) for v in values]
        if len(set(labels)) < len(labels):
            raise ValueError(f"two choices of {name} read alike: {', '.join(labels)}")
    for name, value in start.items():
        if name not in choices:
            raise ValueError(f"start names {name}, but the choices are for {', '.join(choices)}")
        if value not in choices[name]:
            wanted = ", ".join(map(_label, choices[name]))
            raise ValueError(f"start has {name} = {_label(value)}, which is not among its choices {wanted}")
    return {name: start.get(name, values[0]) for name, values in choices.items()}


def _label(value: object) -> str:
    """A choice in words: what the slider reads."""
    value = value.item() if hasattr(value, "item") else value  # NumPy's and JAX's numbers
    return f"{value:g}" if isinstance(value, float) else str(value)


def _values(values: dict[str, object]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} = {_label(value)}" for name, value in values.items())


def _frame(draw: Callable, values: dict[str, object], size: tuple[float, float]) -> tuple[bytes, str]:
    """The picture at `values`, and its caption."""
    with plot.style():
        fig = plot.new_figure(size)
        caption = plot.words(draw(fig, **values), "what draw returned")
        return plot.png(fig), caption


def _publish_sliders(draw: Callable, choices: dict[str, list], start: dict[str, object], size: tuple[float, float]) -> None:
    """Sliders beneath the first figure. Picture and caption appear when one of them has been moved.

    The first figure is an output of its own, not a fallback inside the widget's: when the notebook is opened again without
    its kernel, the front end puts an error in place of a widget, whatever else that output holds.
    """
    import ipywidgets

    sliders = {
        name: ipywidgets.SelectionSlider(options=[(_label(v), v) for v in values], value=start[name],
                                         description=name.replace("_", " "), style={"description_width": "initial"},
                                         layout={"width": "30em", "max_width": "100%"})
        for name, values in choices.items()
    }
    picture = ipywidgets.Image(format="png", width=round(size[0] * plot.WIDTH), layout={"display": "none", "max_width": "100%"})
    caption = ipywidgets.HTML()

    def moved(_: object) -> None:
        values = {name: slider.value for name, slider in sliders.items()}
        try:
            picture.value, text = _frame(draw, values, size)
            picture.layout.display = None
        except Exception as error:  # would otherwise end in a log that nobody sees, beside a picture of other values
            text = f"With {_values(values)} nothing can be drawn: {' '.join(str(error).split())[:200]}"
            picture.layout.display = "none"
        caption.value = html.escape(text)

    for slider in sliders.values():
        slider.observe(moved, names="value")
    box = ipywidgets.VBox([*sliders.values(), picture, caption])
    view = {"version_major": 2, "version_minor": 0, "model_id": box.model_id}
    # the text is what remains where there are no widgets: on GitHub, in print
    plot.shell().display_pub.publish({"application/vnd.jupyter.widget-view+json": view,
                                      "text/plain": f"Sliders for {', '.join(sliders)}: run this cell to move them."})


# Steps through the frames. Without scripts the sliders stay hidden, and the first frame is an ordinary picture.
_SCRIPT = """
(() => {
  const script = document.currentScript, [frames, strides] = JSON.parse(script.previousElementSibling.textContent);
  const [image, caption] = script.parentElement.querySelectorAll("img, figcaption");
  const ranges = [...script.parentElement.querySelectorAll("input")];
  const move = () => {
    const frame = frames[ranges.reduce((sum, range, i) => sum + strides[i] * range.value, 0)];
    image.src = "data:image/png;base64," + frame[0];
    image.alt = caption.textContent = frame[1];
    for (const range of ranges) {
      range.nextElementSibling.textContent = JSON.parse(range.dataset.labels)[range.value];
      range.setAttribute("aria-valuetext", frame[1]);
    }
  };
  for (const range of ranges) { range.addEventListener("input", move); range.parentElement.hidden = false; }
})();
"""


def _publish_frames(draw: Callable, choices: dict[str, list], start: dict[str, object], size: tuple[float, float]) -> None:
    """One output that steps through pictures drawn in advance, with no kernel and nothing loaded from elsewhere."""
    fixed = ""
    first, *others = choices
    if others and math.prod(map(len, choices.values())) > FRAMES:
        fixed = f" (Here {_values({n: start[n] for n in others})} throughout; in the notebook there is a slider for it.)"
        choices = {first: choices[first]} | {n: [start[n]] for n in others}
    frames = {}
    for chosen in itertools.product(*choices.values()):
        picture, caption = _frame(draw, dict(zip(choices, chosen)), size)
        frames[chosen] = picture, caption + fixed
    picture, caption = frames[tuple(start.values())]
    names = [n for n in choices if len(choices[n]) > 1]
    strides = [math.prod(len(choices[n]) for n in names[i + 1:]) for i in range(len(names))]  # the last one changes fastest
    sliders = "".join(
        f'<label hidden style="display:block">{html.escape(n.replace("_", " "))} '
        f'<input type="range" min="0" max="{len(choices[n]) - 1}" value="{choices[n].index(start[n])}" autocomplete="off" '
        f'aria-valuetext="{html.escape(caption)}" data-labels="{html.escape(json.dumps([_label(v) for v in choices[n]]))}"> '
        f'<span>{html.escape(_label(start[n]))}</span></label>' for n in names)
    data = json.dumps([[(base64.b64encode(p).decode(), c) for p, c in frames.values()], strides]).replace("</", "<\\/")
    if (running := plot.shell()) is not None:
        scripts = f'<script type="application/json">{data}</script><script>{_SCRIPT}</script>'
        page = plot.html_figure(picture, caption, size, sliders + scripts)
        running.display_pub.publish({"text/html": page, "text/plain": f"Figure: {caption}"})
