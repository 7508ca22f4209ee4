"""The instance browser: one picture of a data set, its annotations on and off."""

from typing import Any

import ipywidgets
from matplotlib.axes import Axes

from lessons import palette
from lessons.explorers.face import Explorer, explore
from lessons.plots.pictures import draw_boxes, draw_instances

BOX_KINDS = ("masks", "XML", "both")


def draw_instance_browser(
    dataset: Any,
    number: int = 0,
    *,
    masks: bool = True,
    boxes: bool = True,
    labels: bool = True,
    border: bool = True,
    boxes_from: str = "masks",
) -> Axes:
    """Image `number` of a data set with what is switched on.

    Args:
        dataset: gives (image, target) by number and has `classes`; `ids`, if any, name the picture.
        border: the void border, for data that have one.
        boxes_from: "masks" (solid), "XML" (dashed, where the target has `boxes_xml`), or "both".
    """
    image, target = dataset[number]
    colours = [palette.instance_colour(i) for i in range(len(target["labels"]))]
    xml = boxes and boxes_from in ("XML", "both") and target.get("boxes_xml") is not None
    solid = boxes and (boxes_from in ("masks", "both") or not xml)
    ids = getattr(dataset, "ids", None)
    name = f"image {number}" + (f" · {ids[number]}" if ids is not None else "")
    count = len(colours)
    ax = draw_instances(
        image,
        target,
        masks=masks,
        boxes=solid,
        labels=labels,
        ignore=border,
        classes=getattr(dataset, "classes", None),
        colours=colours,
        title=f"{name} · {count} instance{'' if count == 1 else 's'}",
    )
    if xml:
        draw_boxes(ax, target["boxes_xml"], colours, dashed=True)
    return ax


def instance_browser(dataset: Any, number: int = 0) -> Explorer:
    """An explorer of a data set's pictures: `draw_instance_browser` behind switches."""

    def draw(**state: Any) -> Axes:
        return draw_instance_browser(dataset, **state)

    return explore(
        draw,
        caption="One picture of the data set: switch masks, boxes, names and the void border on and off.",
        kind="photo",
        number=ipywidgets.IntSlider(number, 0, max(len(dataset) - 1, 0), description="image"),
        masks=ipywidgets.Checkbox(True, indent=False),
        boxes=ipywidgets.Checkbox(True, indent=False),
        labels=ipywidgets.Checkbox(True, indent=False, description="names"),
        border=ipywidgets.Checkbox(True, indent=False, description="void border"),
        boxes_from=ipywidgets.Dropdown(options=BOX_KINDS, value="masks", description="boxes from"),
    )
