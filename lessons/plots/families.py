"""Several models side by side: one scene as each of them sees it, and one boundary enlarged.

N, M   detections of a picture, objects of it
H, W   height and width of the picture
P      sampled points

Nothing here asks a model: pictures, predictions, probabilities and points come in, figures go out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from torch import Tensor

from lessons import masks as mask_geometry
from lessons import palette
from lessons.errors import LessonsError
from lessons.plots.layers import array_of, halo, outline
from lessons.plots.pictures import Image, as_picture, draw_image, draw_instances
from lessons.plots.showing import new_figure

Window = tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels of the picture
NOTHING = palette.NEGATIVE  # a detection of no object, or of one that a better detection stands for
GAP, TITLE, LEGEND, TALLEST = 0.12, 0.34, 0.24, 3.0  # inches: between panels, above each, below all; a panel
TITLE_SIZE = 12  # points


@dataclass(frozen=True)
class Closeup:
    """A part of the picture, enlarged, with the outlines of one object.

    Attributes:
        window: what is enlarged. All panels are shown in its ratio of width to height.
        truth: (H, W) bool, the object's own mask.
        found: by name, the object's mask as a model sees it: probabilities (k·H, k·W), any k from 1 on. A
            name that the scene has as well has the window's frame drawn there.
        points: (P, 2) in pixels of the picture, drawn in a panel of their own over the last of `found`.
        points_title: of that panel.
    """

    window: Window
    truth: Image
    found: Mapping[str, Image]
    points: Image | None = None
    points_title: str = "the points that were asked"


def objects_of(found: Tensor, truth: Tensor, least: float = 0.3) -> list[int]:
    """Which object each detection stands for: masks (N, H, W), (M, H, W) bool -> N indices, -1 for none.

    The detections choose in turn, in the order given; each takes the free object that it overlaps most, if
    the IoU is at least `least`. The class is not looked at.
    """
    overlaps = mask_geometry.iou(found, truth)  # (N, M)
    chosen = []
    for row in overlaps:
        best = int(row.argmax()) if row.numel() else 0
        if row.numel() == 0 or row[best] < least:
            chosen.append(-1)
            continue
        chosen.append(best)
        overlaps[:, best] = -1  # taken
    return chosen


def colours_of(found: Tensor, truth: Tensor, least: float = 0.3) -> list[str]:
    """A colour for each detection, so that one object has one colour in all models' pictures."""
    return [NOTHING if one < 0 else palette.instance_colour(one) for one in objects_of(found, truth, least)]


def busiest_window(values: Image, size: tuple[int, int]) -> Window:
    """The window of `size` (h, w) pixels that holds most of `values` (H, W): where to look."""
    array = array_of(values).astype(np.float64)
    height, width = (min(wanted, whole) for wanted, whole in zip(size, array.shape, strict=True))
    sums = np.pad(array.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))  # of all pixels above and left
    held = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    # Of windows that hold equally much the middle one: what is looked at should not touch the frame.
    best = np.argwhere(held >= held.max() - 1e-9)
    top, left = best[((best - best.mean(axis=0)) ** 2).sum(axis=1).argmin()]
    return float(left), float(top), float(left + width), float(top + height)


def families(
    image: Image,
    target: Mapping[str, Any],
    predictions: Mapping[str, Mapping[str, Any]],
    closeup: Closeup | None = None,
    *,
    least: float = 0.3,
    width: float = 10.6,
) -> Figure:
    """One scene as several models see it, in a row; below it, if asked for, one boundary enlarged.

    Args:
        image: see `plots.as_picture`. target: `masks` (M, H, W) bool; an object has one colour throughout.
        predictions: by the model's name, `masks` (N, H, W) bool, best first; what is not to be drawn is left
            out. Grey is what stands for no object.
        closeup: the second row. least: see `objects_of`. width: of the figure, in inches.

    Raises:
        LessonsError: no prediction, or a close-up without outlines.
    """
    if not predictions or (closeup is not None and not closeup.found):
        raise LessonsError("families needs at least one prediction, and a close-up at least one outline.")
    picture = as_picture(image)
    rows = [(len(predictions), picture.shape[1] / picture.shape[0])]
    if closeup is not None:
        x1, y1, x2, y2 = closeup.window
        rows.append((len(closeup.found) + (closeup.points is not None), (x2 - x1) / (y2 - y1)))
    figure, (scenes, *below) = _panels(rows, width)
    for ax, (name, prediction) in zip(scenes, predictions.items(), strict=True):
        draw_instances(
            picture, {"masks": prediction["masks"]}, title=name, labels=False,
            colours=colours_of(prediction["masks"], target["masks"], least), ax=ax,
        )  # fmt: skip
        if closeup is not None and name in closeup.found:
            _frame(ax, closeup.window)
    for panels in below:
        draw_closeups(panels, picture, closeup)
        _legend(figure, closeup.points is not None)
    for ax in figure.axes:
        ax.title.set(fontsize=TITLE_SIZE, weight="bold")
    return figure


def draw_closeups(panels: Sequence[Axes], image: Image, closeup: Closeup) -> None:
    """A panel for each outline of the close-up, and one for its points."""
    for ax, (name, probabilities) in zip(panels, closeup.found.items(), strict=False):
        draw_outlines(ax, image, closeup.truth, probabilities, closeup.window, f"{name}, enlarged")
    if closeup.points is None:
        return
    ax = panels[-1]
    draw_outlines(ax, image, closeup.truth, None, closeup.window, closeup.points_title)
    x, y = array_of(closeup.points).T
    ax.scatter(
        x, y, s=15, color=palette.SAMPLED_POINT, edgecolors=palette.PAPER, linewidths=0.4, zorder=5,
    )  # fmt: skip


def draw_outlines(
    ax: Axes,
    image: Image,
    truth: Image,
    probabilities: Image | None,
    window: Window,
    title: str = "",
    linewidth: float = 2.6,
) -> Axes:
    """A part of the picture with the outline of the object, and of the mask that a model gives it.

    Args:
        truth: (H, W) bool. probabilities: (k·H, k·W) in [0, 1]: the outline is where they are one half; None
            for none. window: what part.
    """
    draw_image(image, title=title, ax=ax)
    size = array_of(truth).shape
    outline(ax, array_of(truth).astype(bool), palette.GROUND_TRUTH, linewidth)
    if probabilities is not None:
        soft = array_of(probabilities).astype(np.float32)
        _soft_outline(ax, soft, size, palette.PREDICTION, linewidth)
    x1, y1, x2, y2 = window
    ax.set(xlim=(x1, x2), ylim=(y2, y1))
    ax.set_aspect("auto")  # the panel has the window's ratio
    return ax


def _soft_outline(
    ax: Axes, probabilities: np.ndarray, size: tuple[int, ...], colour: str, linewidth: float
) -> None:
    """Where probabilities (k·H, k·W) of a picture of `size` (H, W) are one half; nothing if nowhere."""
    step = size[0] / probabilities.shape[0]  # of the picture's pixels
    padded = np.pad(probabilities, 1)  # a rim of zeros closes the line
    if not (padded.min() < 0.5 <= padded.max()):
        return
    y, x = ((np.arange(side) - 0.5) * step for side in padded.shape)  # centres; the rim's first is at -step/2
    lines = ax.contour(x, y, padded, levels=[0.5], colors=[colour], linewidths=linewidth)
    lines.set_path_effects(halo(linewidth))


def _legend(figure: Figure, points: bool) -> None:
    """What the close-up's colours mean, in one line below it."""
    entries = [
        Line2D([], [], color=palette.GROUND_TRUTH, linewidth=2.6, label="the object's outline"),
        Line2D([], [], color=palette.PREDICTION, linewidth=2.6, label="the model's"),
    ]
    if points:
        entries.append(
            Line2D([], [], color=palette.SAMPLED_POINT, marker="o", linewidth=0, label="a sampled point")
        )
    figure.legend(handles=entries, ncols=3, loc="lower center", fontsize=11, borderaxespad=0.1)


def _frame(ax: Axes, window: Window) -> None:
    x1, y1, x2, y2 = window
    for colour, linewidth in ((palette.INK, 4.2), (palette.HIGHLIGHT, 2.4)):
        ax.add_patch(
            Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=linewidth, zorder=6)
        )


def _panels(rows: Sequence[tuple[int, float]], width: float) -> tuple[Figure, list[list[Axes]]]:
    """A figure with rows of (how many panels, width / height of each); a row fills the width if it can."""
    sizes = []
    for count, ratio in rows:
        high = min((width - GAP * (count + 1)) / count / ratio, TALLEST)
        sizes.append((high * ratio, high))
    height = sum(high + TITLE + GAP for _, high in sizes) + (LEGEND if len(rows) > 1 else 0)
    figure = new_figure(width, height)
    figure.set_layout_engine("none")
    panels, top = [], 0.0
    for (count, _), (wide, high) in zip(rows, sizes, strict=True):
        top += TITLE
        left = (width - count * wide - (count - 1) * GAP) / 2
        panels.append(
            [
                figure.add_axes(
                    (
                        (left + number * (wide + GAP)) / width,
                        1 - (top + high) / height,
                        wide / width,
                        high / height,
                    )
                )
                for number in range(count)
            ]
        )
        top += high + GAP
    return figure, panels
