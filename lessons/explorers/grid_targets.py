"""The explorer of SOLO's targets: a grid over a picture, its positive cells, and the levels beside it."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import ipywidgets
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator, ScalarFormatter

from lessons import palette
from lessons.explorers.face import Explorer, explore
from lessons.plots.pictures import draw_instances
from lessons.plots.showing import new_figure
from lessons.solo.heads import GRIDS
from lessons.solo.targets import SCALE_RANGES, SIGMA, Assignment, assign, instances_of

MULTIPLE = 32  # the canvas is the picture, padded to multiples of it
FINEST = 400  # about how many pixels of a shorter side are drawn
Range = tuple[float, float]


def draw_grid_targets(
    image: torch.Tensor,
    target: Mapping[str, Any],
    *,
    grid: int = 12,
    sigma: float = SIGMA,
    low: float = 1,
    high: float = 2048,
    grids: Sequence[int] = GRIDS,
    scale_ranges: Sequence[Range] = SCALE_RANGES,
) -> Figure:
    """One grid over the picture with its positive cells, and beside it which level takes which object.

    Args:
        image: (3, H, W). target: its boxes, labels and masks; there may be no object.
        grid: S of the grid that is drawn.
        sigma: size of the centre region in terms of the box, for the grid and the levels alike.
        low, high: the sizes of objects that the grid is for, in pixels, both included.
        grids, scale_ranges: of the levels that the chart compares it with.
    """
    height, width = image.shape[-2:]
    canvas = (height + -height % MULTIPLE, width + -width % MULTIPLE)
    objects = [target[name] for name in ("boxes", "labels", "masks")]
    everything = assign(*objects, canvas, [grid, *grids], [(low, high), *scale_ranges], sigma)
    figure = new_figure(9.2, 4.6 * min(max(canvas[0] / canvas[1], 0.6), 1.25) + 0.5)
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
    draw_picture(left, image, target, canvas, everything[0], sigma)
    names = ["this grid", *(f"level {number}" for number in range(len(grids)))]
    titles = [f"{name}: {side}×{side}" for name, side in zip(names, [grid, *grids], strict=True)]
    draw_levels(right, titles, [(low, high), *scale_ranges], everything, sizes_of(target))
    return figure


def draw_picture(
    ax: Axes,
    image: torch.Tensor,
    target: Mapping[str, Any],
    canvas: tuple[int, int],
    answer: Assignment,
    sigma: float,
) -> None:
    """The picture on its grey canvas: the grid, its positive cells, and the objects that have them.

    Objects without a cell, for their size or because others took it, keep the colours of the picture.
    """
    step = max(1, min(canvas) // FINEST)  # more pixels than that cost time and are not seen
    having = answer.instances.unique()
    shown = {name: target[name][having] for name in ("boxes", "labels", "masks")}
    colours = [palette.instance_colour(i) for i in having.tolist()]
    small = {"masks": shown["masks"][:, ::step, ::step]}
    draw_instances(image[:, ::step, ::step], small, boxes=False, labels=False, colours=colours, ax=ax)
    grid, height, width = len(answer.labels), canvas[0] / step, canvas[1] / step
    ax.add_patch(Rectangle((0, 0), width, height, facecolor=palette.FAINT, zorder=-1))
    wide, high = width / grid, height / grid
    for cell in answer.cells.tolist():
        corner = (cell % grid * wide, cell // grid * high)
        ax.add_patch(Rectangle(corner, wide, high, facecolor=palette.POSITIVE, alpha=0.9, zorder=2))
    lines, linewidth = torch.arange(grid + 1), 0.7 if grid <= 20 else 0.4
    ax.vlines(lines * wide, 0, height, color=palette.PAPER, linewidth=linewidth, zorder=2.5)
    ax.hlines(lines * high, 0, width, color=palette.PAPER, linewidth=linewidth, zorder=2.5)
    found = instances_of(*shown.values())
    regions = zip((found.centres / step).tolist(), (found.sides * sigma / step).tolist(), strict=True)
    for (x, y), (w, h) in regions:
        corner = (x - w / 2, y - h / 2)
        ax.add_patch(Rectangle(corner, w, h, fill=False, edgecolor=palette.INK, linewidth=0.8, zorder=3))
        ax.plot(x, y, ".", color=palette.INK, markersize=3, zorder=3)
    count = len(answer.cells)
    ax.set(xlim=(0, width), ylim=(height, 0))
    ax.set_title(f"{grid}×{grid} cells, {count} of them positive")


def draw_levels(
    ax: Axes,
    titles: Sequence[str],
    ranges: Sequence[Range],
    answers: Sequence[Assignment],
    sizes: torch.Tensor,
) -> None:
    """A bar for each level's range of sizes, a line for each object, and how many cells it gets there."""
    count = len(sizes)
    for place, ((low, high), answer) in enumerate(zip(ranges, answers, strict=True)):
        colour = palette.HIGHLIGHT if place == 0 else palette.FAINT
        ax.barh(place, max(high - low, 0), left=low, color=colour, height=0.7)
        cells = answer.instances.bincount(minlength=count)
        for size, number in zip(sizes.tolist(), cells.tolist(), strict=True):
            if number:
                style = {"boxstyle": "circle,pad=0.25", "facecolor": palette.POSITIVE, "edgecolor": "none"}
                ax.text(size, place, str(number), ha="center", va="center", fontsize=8.5, bbox=style)
    for number, size in enumerate(sizes.tolist()):
        ax.axvline(size, color=palette.instance_colour(number), linewidth=1.6, zorder=1.5)
    ax.set_xscale("log")
    ax.set(xlim=(8, 2100), ylim=(len(titles) - 0.4, -0.6), yticks=range(len(titles)), yticklabels=titles)
    ax.set_xticks([16, 48, 96, 192, 384, 768])
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("√ of the box's area, pixels")
    ax.set_title("lines: objects; circles: cells that they get")
    ax.tick_params(left=False)


def sizes_of(target: Mapping[str, Any]) -> torch.Tensor:
    """What the ranges are compared with, for each object: (N,) float32, at least 1 to be drawn."""
    sides = instances_of(target["boxes"], target["labels"], target["masks"]).sides
    return sides.clamp(min=0).prod(dim=1).sqrt().clamp(min=1)


def grid_targets_browser(dataset: Any, number: int = 0, *, grid: int = 12) -> Explorer:
    """An explorer of a data set's targets: `draw_grid_targets` behind sliders.

    Args:
        dataset: gives (image, target) by number, at the size that a network would see.
        number: the picture to begin with. grid: S to begin with.
    """
    sample = lru_cache(maxsize=1)(lambda place: dataset[place])

    def draw(number: int, **state: Any) -> Figure:
        return draw_grid_targets(*sample(number), **state)

    return explore(
        draw,
        caption="A grid over a picture. Orange cells are to find an object; dark boxes are centre regions. "
        "Right: which sizes each level is for, and how many cells each object gets there.",
        kind="photo",
        number=ipywidgets.IntSlider(number, 0, max(len(dataset) - 1, 0), description="image"),
        grid=ipywidgets.IntSlider(grid, 2, 40, description="cells a side"),
        sigma=ipywidgets.FloatSlider(SIGMA, min=0.05, max=1.0, step=0.05),
        low=ipywidgets.IntSlider(1, 1, 801, step=8, description="smallest size"),
        high=ipywidgets.IntSlider(2048, 8, 2048, step=8, description="largest size"),
    )
