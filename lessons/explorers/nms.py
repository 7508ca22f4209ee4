"""The explorer of non-maximum suppression: boxes before and after, for any threshold."""

from collections.abc import Mapping
from typing import Any

import ipywidgets
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lessons import boxes as box_geometry
from lessons import palette
from lessons.explorers.face import Explorer, explore
from lessons.plots.pictures import draw_boxes, draw_image
from lessons.plots.showing import new_figure

PLACES = ((0.01, 0.02, 0.32, 0.82), (0.345, 0.02, 0.32, 0.82), (0.73, 0.15, 0.25, 0.69))
FOUND = 0.5  # IoU from which a box counts as finding an object


def draw_nms(
    image: Tensor,
    target: Mapping[str, Any],
    boxes: Tensor,
    scores: Tensor,
    groups: Tensor | None = None,
    *,
    threshold: float = 0.7,
    count: int = 100,
    within_groups: bool = True,
) -> Figure:
    """The best boxes of a picture before NMS, after it, and how much those kept still overlap.

    Args:
        image: (3, H, W). target: its boxes, the ground truth; there may be none.
        boxes: (P, 4), scores: (P,), in any order. groups: (P,) int64, levels or classes.
        threshold: of the IoU, see `lessons.boxes.nms`.
        count: how many of the boxes go in, best first.
        within_groups: only boxes of one group meet; no difference without groups.
    """
    best = scores.argsort(descending=True, stable=True)[:count]
    boxes, scores = boxes[best], scores[best]
    groups = groups[best] if groups is not None and within_groups else torch.zeros_like(best)
    keep = kept(boxes, scores, groups, threshold)
    figure = new_figure(9.6, 3.5)
    figure.set_layout_engine("none")  # fixed places: a slider that moves should not wait for a layout
    left, middle, right = (figure.add_axes(place) for place in PLACES)
    draw_kept(left, image, target["boxes"], boxes, f"before: {len(boxes)} boxes")
    draw_kept(middle, image, target["boxes"], boxes[keep], f"after: {len(keep)} boxes")
    draw_overlaps(right, boxes, keep, threshold)
    return figure


def kept(boxes: Tensor, scores: Tensor, groups: Tensor, threshold: float) -> Tensor:
    """NMS in each group by itself, with the plain form: (P, 4), (P,), (P,) -> (K,) indices, best first."""
    of_groups = [(groups == group).nonzero()[:, 0] for group in groups.unique()]
    chosen = [one[box_geometry.nms(boxes[one], scores[one], threshold)] for one in of_groups]
    indices = torch.cat(chosen) if chosen else torch.zeros(0, dtype=torch.int64)
    return indices[scores[indices].argsort(descending=True, stable=True)]


def draw_kept(ax: Axes, image: Tensor, truth: Tensor, boxes: Tensor, title: str) -> None:
    """The boxes in blue over the picture; objects in green, dashed where no box finds them."""
    draw_image(image, ax=ax)
    draw_boxes(ax, boxes, palette.PREDICTION, linewidth=0.8)
    found = (box_geometry.iou(truth, boxes) >= FOUND).any(dim=1)  # (N,)
    draw_boxes(ax, truth[found], palette.GROUND_TRUTH, linewidth=2.4)
    draw_boxes(ax, truth[~found], palette.GROUND_TRUTH, linewidth=2.4, dashed=True)
    ax.set_title(f"{title}\nfind {int(found.sum())} of {len(truth)} objects")


def draw_overlaps(ax: Axes, boxes: Tensor, keep: Tensor, threshold: float) -> None:
    """How many boxes overlap a better one by how much: all of them in grey, those kept in blue."""
    bins = torch.linspace(0, 1, 21).tolist()
    for chosen, colour, label in (
        (boxes, palette.FAINT, "before"),
        (boxes[keep], palette.PREDICTION, "after"),
    ):
        ax.hist(most_with_better(chosen).tolist(), bins=bins, color=colour, label=label)
    ax.axvline(threshold, color=palette.INK, linewidth=1, linestyle=(0, (3, 2)))
    ax.set(xlim=(0, 1), xlabel="IoU with the nearest better box", ylabel="boxes")
    ax.legend(loc="upper left")
    ax.set_title("dashed: the threshold\n")


def most_with_better(boxes: Tensor) -> Tensor:
    """The largest IoU of each box with one before it, 0 for the first: (P, 4), best first -> (P,)."""
    if not len(boxes):
        return torch.zeros(0)
    return box_geometry.iou(boxes, boxes).triu(diagonal=1).amax(dim=0)


def nms_explorer(
    image: Tensor,
    target: Mapping[str, Any],
    boxes: Tensor,
    scores: Tensor,
    groups: Tensor | None = None,
    *,
    threshold: float = 0.7,
    count: int = 100,
) -> Explorer:
    """An explorer of NMS: `draw_nms` behind sliders. `threshold` and `count` are those to begin with."""

    def draw(**state: Any) -> Figure:
        return draw_nms(image, target, boxes, scores, groups, **state)

    most = max(len(boxes), 1)
    return explore(
        draw,
        caption="Boxes before and after NMS (blue). Green: the objects, dashed where no box overlaps them by "
        "0.5. Right: what is kept overlaps by less than the threshold, in its group.",
        kind="photo",
        threshold=ipywidgets.FloatSlider(threshold, min=0.0, max=1.0, step=0.05),
        count=ipywidgets.IntSlider(min(count, most), 1, most, description="boxes before"),
        within_groups=ipywidgets.Checkbox(True, description="each level by itself", indent=False),
    )
