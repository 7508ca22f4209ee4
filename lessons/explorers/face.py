"""The face of an explorer: controls, one picture that they redraw, and a place for errors."""

from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lessons.plots.showing import Kind, as_figure, close, image_bundle, render

MOST_STOPS = 5  # of a slider, in move_all
FORMATS = {"plot": "png", "photo": "jpeg"}


def explore(
    draw: Callable[..., Figure | Axes], *, caption: str, kind: Kind = "plot", **controls: ipywidgets.Widget
) -> "Explorer":
    """Controls in front of a plain drawing function; the last line of a cell displays them.

    Args:
        draw: called as `draw(**state)` with the value of every control, gives a figure.
        caption: what to look at; also the alt text of the static picture.
        kind: "plot" (PNG) or "photo" (JPEG).
        controls: widgets by the name of the argument they set: IntSlider, FloatSlider, Dropdown, Checkbox …
    """
    return Explorer(draw, caption, kind, controls)


class Explorer:
    """Widgets when a kernel runs, the picture of the current state where none does. Made by `explore`."""

    def __init__(
        self,
        draw: Callable[..., Figure | Axes],
        caption: str,
        kind: Kind,
        controls: dict[str, ipywidgets.Widget],
    ) -> None:
        self.draw, self.caption, self.kind, self.controls = draw, caption, kind, controls
        self.error = ipywidgets.HTML()
        # A VBox stretches its children: an enlarged picture is blurred, and pushes the controls off the page.
        self.picture = ipywidgets.Image(
            format=FORMATS[kind], layout={"max_width": "100%", "align_self": "flex-start"}
        )
        for name, control in controls.items():
            if hasattr(control, "continuous_update"):
                control.continuous_update = False  # draw when the slider is let go, not on the way
            if not control.description:
                control.description = name.replace("_", " ")
            control.style.description_width = "initial"
            control.observe(self.redraw, names="value")
        row = ipywidgets.HBox(list(controls.values()), layout={"flex_flow": "row wrap"})
        note = ipywidgets.HTMLMath(f"<i>{caption}</i>")
        self.face = ipywidgets.VBox([row, self.error, self.picture, note])
        self.redraw()

    @property
    def state(self) -> dict[str, Any]:
        """The value of every control by name: what `draw` is called with."""
        return {name: control.value for name, control in self.controls.items()}

    def redraw(self, change: Any = None) -> None:
        """Draw the current state. An error is shown above the picture and raised, so that tests see it."""
        try:
            figure = self.draw(**self.state)
            self.picture.value = render(figure, self.kind, few_colours=True)
            close(as_figure(figure))
        except Exception as error:
            self.error.value = f"<b>{type(error).__name__}</b>: {error}"
            raise
        self.error.value = ""

    def move_all(self) -> int:
        """Move every control over its range and back, drawing each state; gives their number.

        A lesson calls this in one cell, so that running the notebook runs the callback of every control.
        """
        drawn = 0
        for control in self.controls.values():
            first = control.value
            for value in stops(control):
                if value != control.value:
                    control.value = value
                    drawn += 1
            control.value = first
        return drawn

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        """The widgets, and the current picture for whoever cannot show widgets."""
        data, metadata = image_bundle(self.picture.value, self.caption, self.kind)
        widgets = self.face._repr_mimebundle_()
        view = "application/vnd.jupyter.widget-view+json"
        return data | {view: widgets[view]}, metadata


def stops(control: ipywidgets.Widget) -> Iterator[Any]:
    """Values all over a control's range: every option, both of a checkbox, a few of a slider."""
    if hasattr(control, "options"):
        yield from (option[1] if isinstance(option, tuple) else option for option in control.options)
    elif isinstance(control.value, bool):
        yield from (True, False)
    elif hasattr(control, "min") and hasattr(control, "max"):
        steps = round((control.max - control.min) / (control.step or 1))
        count = min(MOST_STOPS, steps + 1)
        for number in range(count):
            place = round(number * steps / max(count - 1, 1))
            value = control.min + place * (control.step or 1)
            yield type(control.value)(min(value, control.max))
