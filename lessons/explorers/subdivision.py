"""The explorer of subdivision: which cells a step asks, what it has by then, and what is still wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import ipywidgets
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lessons import palette
from lessons.errors import LessonsError
from lessons.explorers.face import Explorer, explore
from lessons.plots.pictures import draw_image, draw_mask
from lessons.plots.showing import new_figure
from lessons.point_rend.mask_branch import PointRendBranch
from lessons.point_rend.points import regular_grid, to_image
from lessons.point_rend.subdivision import Step, subdivide

MOST_SIDE = 224  # of the last map: the dense answer has as many points as it has cells
AT_ONCE = 6272  # points of the dense answer: what they need at a time stays in a processor's cache
PLACES = ((0.005, 0.02, 0.32, 0.802), (0.34, 0.02, 0.32, 0.802), (0.675, 0.02, 0.32, 0.802))  # squares


@dataclass(frozen=True)
class Subdivided:
    """One box, subdivided and asked everywhere.

    Attributes:
        steps: of `subdivide`, with one channel: the class that was asked for.
        dense: (s, s) logits of every cell of the last map.
    """

    steps: list[Step]
    dense: Tensor

    def asked(self, step: int) -> int:
        """How many points have been answered after a step."""
        return sum(one.points.shape[1] for one in self.steps[: step + 1])

    def mask(self, step: int) -> Tensor:
        """The mask (s, s) bool after a step, enlarged to the last side as `subdivide` enlarges."""
        size = self.dense.shape
        logits = F.interpolate(self.steps[step].after, size=size, mode="bilinear", align_corners=False)
        return logits[0, 0] > 0


@torch.no_grad()
def subdivided(
    branch: PointRendBranch,
    levels: Mapping[str, Tensor],
    strides: Mapping[str, int],
    box: Tensor,
    label: int,
    *,
    side: int = 7,
    steps: int = 5,
    count: int = 784,
) -> Subdivided:
    """Subdivide the mask of one box (4,) for one class, and ask every cell of the last map too.

    Args:
        levels: the maps of one image. label: from 1 on.
        side, steps, count: see `subdivide`; fewer steps where the last side would be above `MOST_SIDE`.

    Raises:
        LessonsError: side or count is not at least 1, or side is above `MOST_SIDE`.
    """
    if not 1 <= side <= MOST_SIDE or count < 1:
        raise LessonsError(f"side={side}, count={count}: give a side from 1 to {MOST_SIDE}, and some points.")
    while side * 2**steps > MOST_SIDE:
        steps -= 1
    boxes = [box[None]]
    coarse = branch.coarse_masks(levels, strides, boxes)

    def answer(points: Tensor) -> Tensor:
        logits = branch.answer(levels, strides, boxes, coarse, points)  # (1, C, P)
        return logits[:, label - 1 : label].float()

    _, trace = subdivide(answer, torch.ones(1, dtype=torch.int64, device=box.device), side, steps, count)
    last = trace[-1].side
    parts = regular_grid(1, last, box.device).split(AT_ONCE, dim=1)
    return Subdivided(trace, torch.cat([answer(part) for part in parts], dim=2).view(last, last))


def draw_subdivision(
    branch: PointRendBranch,
    levels: Mapping[str, Tensor],
    strides: Mapping[str, int],
    image: Tensor,
    boxes: Tensor,
    labels: Tensor,
    *,
    instance: int = 0,
    label: int | None = None,
    side: int = 7,
    steps: int = 5,
    count: int = 784,
    step: int = 1,
) -> Figure:
    """A step's points over the picture and over the mask, and where that mask differs from the dense one.

    Args:
        levels: the maps of the image (3, H, W). boxes: (D, 4) in its pixels, at least one. labels: (D,).
        instance: which box. label: the class whose mask is asked for; None: the box's own.
        side, steps, count: see `subdivided`.
        step: which is drawn, 0 being the start; one too large is the last.

    Raises:
        LessonsError: there is no such box; and see `subdivided`.
    """
    box = chosen_box(boxes, instance)
    label = int(labels[instance]) if label is None else label
    run = subdivided(branch, levels, strides, box, label, side=side, steps=steps, count=count)
    return draw_step(run, image, box, step)


def draw_step(run: Subdivided, image: Tensor, box: Tensor, step: int) -> Figure:
    """`draw_subdivision`, of what is computed already."""
    step = min(max(step, 0), len(run.steps) - 1)
    shown, cells = run.steps[step], run.steps[step].side ** 2
    points = shown.points[0].cpu()  # (P, 2)
    figure = new_figure(9.4, 3.75)
    figure.set_layout_engine("none")  # fixed places: a slider that moves should not wait for a layout
    left, middle, right = (figure.add_axes(place) for place in PLACES)
    draw_image(0.35 + 0.65 * image.mean(dim=0), ax=left)  # pale and grey, so that the points stand out
    x1, y1, x2, y2 = box.tolist()
    left.set(xlim=(x1, x2), ylim=(y2, y1), aspect="auto")  # a box as a mask sees it
    draw_dots(left, to_image(points[None], box[None].cpu())[0], shown.side)
    left.set_title(f"{'start' if step == 0 else f'step {step} of {len(run.steps) - 1}'}\n{counted(shown)}")
    draw_mask(shown.after[0, 0].sigmoid(), colour=palette.PREDICTION, grid=False, ax=middle)
    draw_dots(middle, points * shown.side, shown.side)
    middle.set_title(f"the mask, {shown.side}×{shown.side}\nasked {len(points) / cells:.1%} of its cells")
    draw_difference(right, run, step)
    return figure


def counted(step: Step) -> str:
    """How many cells were asked, in words."""
    return f"{step.points.shape[1]:,} points"


def draw_dots(ax: Axes, points: Tensor, side: int) -> None:
    """Points (P, 2) in the axes' coordinates, no larger than a cell of a map of this side."""
    size = min(max(90 / side, 1.1), 6) ** 2  # a panel is about 215 points wide
    ax.scatter(*points.T, s=size, color=palette.SAMPLED_POINT, linewidth=0, zorder=4)


def draw_difference(ax: Axes, run: Subdivided, step: int) -> None:
    """Where the mask so far, enlarged to the last side, is not what asking everywhere gives."""
    mask, dense = run.mask(step).cpu(), run.dense.cpu() > 0
    shown = torch.ones(*mask.shape, 3)
    for where, colour in (
        (mask & dense, palette.FAINT),
        (dense & ~mask, palette.GROUND_TRUTH),
        (mask & ~dense, palette.PREDICTION),
    ):
        shown[where] = torch.tensor(palette.channels(colour))
    side, wrong = len(dense), int((mask != dense).sum())
    ax.imshow(shown.numpy(), extent=(0, side, side, 0), interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    for edge in ax.spines.values():
        edge.set(visible=True, color=palette.FAINT)
    ax.set_title(
        f"{wrong:,} of {side**2:,} cells differ\nasked so far: {run.asked(step):,}, "
        f"{run.asked(step) / side**2:.1%} of them"
    )


def chosen_box(boxes: Tensor, instance: int) -> Tensor:
    """The box (4,) of an instance.

    Raises:
        LessonsError: there is none of that number.
    """
    if not 0 <= instance < len(boxes):
        raise LessonsError(f"instance={instance} of {len(boxes)} boxes: choose one that is there.")
    return boxes[instance]


def subdivision_explorer(
    branch: PointRendBranch,
    levels: Mapping[str, Tensor],
    strides: Mapping[str, int],
    image: Tensor,
    boxes: Tensor,
    labels: Tensor,
    classes: Sequence[str],
    *,
    step: int = 1,
) -> Explorer:
    """An explorer of subdivision: `draw_subdivision` behind sliders. `step` is the one to begin with.

    Args:
        branch: the plain one, of a small model: every cell of a map of up to 224×224 is asked too.
        classes: the names of the labels 1..C; those that were found can be asked for in any box.

    Raises:
        LessonsError: there is no box.
    """
    chosen_box(boxes, 0)

    @lru_cache(maxsize=32)
    def run(instance: int, label: int, side: int, steps: int, count: int) -> Subdivided:
        asked = label or int(labels[instance])
        return subdivided(
            branch, levels, strides, boxes[instance], asked, side=side, steps=steps, count=count
        )

    def draw(step: int, instance: int, label: int, **settings: Any) -> Figure:
        return draw_step(run(instance, label, **settings), image, boxes[instance], step)

    found = [(f"{number}: {classes[label - 1]}", number) for number, label in enumerate(labels.tolist())]
    there = sorted(set(labels.tolist()))
    named = [("its own", 0), *((classes[label - 1], label) for label in there)]
    counts = sorted({49, 196, 784, 1568, branch.subdivision_points})
    return explore(
        draw,
        caption="Vermilion: the points of a step, over the picture and over the mask that they gave. Right: "
        "that mask against the one from asking everywhere; green is missing, blue too much.",
        step=ipywidgets.IntSlider(step, 0, 5),
        instance=ipywidgets.Dropdown(options=found, value=0),
        label=ipywidgets.Dropdown(options=named, value=0, description="class"),
        side=ipywidgets.SelectionSlider(options=[4, 7, 14, 28], value=7, description="start at"),
        steps=ipywidgets.IntSlider(branch.subdivision_steps, 0, 5, description="doublings"),
        count=ipywidgets.SelectionSlider(options=counts, value=branch.subdivision_points, description="N"),
    )
