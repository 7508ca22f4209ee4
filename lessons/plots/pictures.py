"""Pictures: an image with its instances, grids of them, and single masks."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lessons import palette
from lessons.errors import LessonsError
from lessons.plots.layers import (
    array_of,
    choose_colours,
    coarser,
    count_instances,
    halo,
    inches,
    justify,
    lay_over,
    make_tags,
    outline,
    smoothing,
)
from lessons.plots.showing import new_figure
from lessons.plots.tags import TagLayer

Image = torch.Tensor | np.ndarray
COVER = 0.42  # how much of the picture a mask covers


def as_picture(image: Image) -> np.ndarray:
    """Any image of the course as float32 (H, W, 3) in [0, 1].

    Tensors are channels first, (3, H, W) or (1, H, W); arrays are channels last, (H, W, 3) or (H, W, 1);
    either may be (H, W) grey. Integers are scaled by their range (255 for uint8), floats clipped to [0, 1].

    Raises:
        LessonsError: another number of dimensions or channels.
    """
    if isinstance(image, torch.Tensor):
        array = image.detach().cpu()
        array = (array.float() if array.dtype == torch.bfloat16 else array).numpy()
        array = np.moveaxis(array, 0, -1) if array.ndim == 3 else array  # (C, H, W) -> (H, W, C)
    else:
        array = np.asarray(image)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[-1] not in (1, 3):
        raise LessonsError(
            f"image has shape {tuple(image.shape)}: give a tensor (3, H, W), an array (H, W, 3) or (H, W)."
        )
    if array.dtype.kind in "iu":
        array = array / np.iinfo(array.dtype).max
    picture = np.clip(np.nan_to_num(array.astype(np.float32)), 0, 1)
    return np.repeat(picture, 3, axis=-1) if picture.shape[-1] == 1 else picture


def draw_image(image: Image, *, title: str = "", ax: Axes | None = None) -> Axes:
    """The image alone, in half-open pixel coordinates, on `ax` or on a figure of its own."""
    picture = as_picture(image)
    height, width = picture.shape[:2]
    if ax is None:
        ax = new_figure(*inches(height, width, bool(title))).add_subplot()
    step = coarser(height, width)
    ax.imshow(picture[::step, ::step], extent=(0, width, height, 0), interpolation=smoothing(height, width))
    ax.set(xlim=(0, width), ylim=(height, 0))
    ax.set_axis_off()
    if title:
        ax.set_title(title)
    return ax


def draw_instances(
    image: Image,
    instances: Mapping[str, Any],
    *,
    masks: bool = True,
    boxes: bool | str = True,
    labels: bool = True,
    scores: bool = True,
    ignore: bool = True,
    classes: Sequence[str] | None = None,
    role: str | None = None,
    colours: Sequence[str] | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """The image with its instances: translucent masks with a contour, boxes, and name tags.

    Args:
        image: see `as_picture`.
        instances: a target or a prediction. Its keys `masks` (N, H, W), `boxes` (N, 4), `labels` (N,),
            `scores` (N,) and `ignore` (H, W) are drawn where they are there; N may be 0.
        boxes: True draws `boxes`; a string draws the boxes of that key, as "boxes_xml"; False none.
        labels: name tags. `scores` adds the score to them.
        ignore: draw the void border in the colour of what is ignored.
        classes: names of the labels 1..C; None writes the numbers.
        role: a name in `palette.ROLES`, "ground truth" or "prediction" above all: everything in that colour.
            None gives each instance a colour of its own.
        colours: one colour for each instance, instead of both.

    Raises:
        LessonsError: masks of another size than the image, or too few colours.
    """
    ax = draw_image(image, title=title, ax=ax)
    size = int(ax.get_ylim()[0]), int(ax.get_xlim()[1])
    key = boxes if isinstance(boxes, str) else "boxes"
    count = count_instances(instances, key)
    colours = choose_colours(count, role, colours)
    if ignore and instances.get("ignore") is not None:
        lay_over(ax, array_of(instances["ignore"])[None], [palette.IGNORED], 0.85)
    if masks and instances.get("masks") is not None and count:
        drawn = array_of(instances["masks"]).astype(bool)
        if drawn.shape[1:] != size:
            raise LessonsError(
                f"masks are {drawn.shape[1:]} and the image is {size}: resize the masks first."
            )
        lay_over(ax, drawn, colours, COVER)
        for mask, colour in zip(drawn, colours, strict=True):
            outline(ax, mask, colour)
    if boxes and instances.get(key) is not None:
        draw_boxes(ax, instances[key], colours)
    if labels and count:
        TagLayer(ax, make_tags(instances, key, classes, colours, scores))
    return ax


def draw_boxes(
    ax: Axes,
    boxes: torch.Tensor | np.ndarray | Sequence[Sequence[float]],
    colours: str | Sequence[str],
    *,
    dashed: bool = False,
    linewidth: float = 1.6,
) -> None:
    """Draw boxes (N, 4) xyxy on `ax`: one colour for all or one for each. Dashed ones for a second kind."""
    rows = np.asarray(array_of(boxes), dtype=float).reshape(-1, 4)
    colours = [colours] * len(rows) if isinstance(colours, str) else colours
    for (x1, y1, x2, y2), colour in zip(rows, colours, strict=True):
        frame = Rectangle(
            (x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=linewidth,
            linestyle=(0, (3, 2)) if dashed else "-", joinstyle="miter", clip_on=False, zorder=3,
        )  # fmt: skip
        if not dashed:
            frame.set_path_effects(halo(linewidth))
        ax.add_patch(frame)


def draw_mask(
    mask: Image,
    *,
    colour: str = palette.GROUND_TRUTH,
    title: str = "",
    grid: bool | None = None,
    ax: Axes | None = None,
) -> Axes:
    """One mask (H, W) on paper: bool filled with `colour`, float in [0, 1] as its shades.

    `grid` draws the pixels' edges; None draws them where a side has at most 40 pixels.
    """
    values = np.clip(array_of(mask).astype(np.float32), 0, 1)
    height, width = values.shape
    if ax is None:
        ax = new_figure(*inches(height, width, bool(title), longest=3.2)).add_subplot()
    paper, ink = np.array(palette.channels(palette.PAPER)), np.array(palette.channels(colour))
    step = coarser(height, width)
    shades = paper + (ink - paper) * values[::step, ::step, None]  # (H, W, 3)
    ax.imshow(shades, extent=(0, width, height, 0), interpolation="nearest")
    if grid or (grid is None and max(height, width) <= 40):
        ax.vlines(range(width + 1), 0, height, color=palette.FAINT, linewidth=0.7)
        ax.hlines(range(height + 1), 0, width, color=palette.FAINT, linewidth=0.7)
    ax.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    for side in ax.spines.values():
        side.set(visible=True, color=palette.FAINT)
    if title:
        ax.set_title(title)
    return ax


def image_grid(
    images: Sequence[Image],
    titles: Sequence[str] | None = None,
    targets: Sequence[Mapping[str, Any] | None] | None = None,
    *,
    columns: int = 4,
    width: float = 8.0,
    **options: Any,
) -> Figure:
    """Images of any sizes in rows of `columns`, with instances where `targets` are given.

    `options` go to `draw_instances` (role=…, classes=…, labels=False …).

    Raises:
        LessonsError: no images, or not as many titles or targets as images.
    """
    for name, given in (("titles", titles), ("targets", targets)):
        if given is not None and len(given) != len(images):
            raise LessonsError(
                f"{name} has {len(given)} entries for {len(images)} images: give one for each."
            )
    if not len(images):
        raise LessonsError("images is empty: an image grid needs at least one image.")
    columns = min(columns, len(images))
    pictures = [as_picture(image) for image in images]
    rows = [range(first, min(first + columns, len(images))) for first in range(0, len(images), columns)]
    slots, height = justify([[p.shape[1] / p.shape[0] for p in pictures[r.start : r.stop]] for r in rows],
                            width, 0.26 if titles else 0.04)  # fmt: skip
    figure = new_figure(width, height)
    figure.set_layout_engine("none")
    for number, (picture, (x, y, wide, high)) in enumerate(zip(pictures, slots, strict=True)):
        ax = figure.add_axes((x / width, 1 - (y + high) / height, wide / width, high / height))
        target = targets[number] if targets is not None else None
        draw_instances(picture, target or {}, title=titles[number] if titles else "", ax=ax, **options)
        ax.set_aspect("auto")  # the slot has the picture's own ratio, or is too thin to show otherwise
    return figure
