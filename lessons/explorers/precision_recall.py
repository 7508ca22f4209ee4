"""The precision-recall explorer: what is right, wrong and missed in a picture, and the point that it makes of
the curve.

    D  detections of one class in one picture
    G  objects of that class
"""

import ipywidgets
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lessons import palette
from lessons.errors import LessonsError
from lessons.evaluation.average_precision import (
    RECALLS,
    interpolate,
    match,
    overlaps_of_masks,
    precision_recall,
)
from lessons.explorers.face import Explorer, explore
from lessons.plots.layers import array_of, outline
from lessons.plots.pictures import draw_instances
from lessons.plots.showing import new_figure


def draw_precision_recall(
    image: Tensor,
    truth: Tensor,
    masks: Tensor,
    scores: Tensor,
    *,
    overlap: float = 0.5,
    score: float = 0.0,
) -> Figure:
    """The picture with what is right, wrong and missed, beside the precision-recall curve of one class.

    Args:
        image: (3, H, W).
        truth: (G, H, W) bool, the objects to be found.
        masks, scores: (D, H, W) bool and (D,), in any order.
        overlap: the least IoU that counts as found.
        score: detections below are not shown; the curve ends where they begin.

    Raises:
        LessonsError: not as many scores as masks.
    """
    if len(masks) != len(scores):
        raise LessonsError(f"There are {len(scores)} scores for {len(masks)} masks: give one for each.")
    order = torch.sort(scores, descending=True, stable=True).indices
    masks, scores = masks[order], scores[order].double()
    nobody = torch.zeros(len(truth), dtype=torch.bool)  # no object is ignored, none is a crowd
    matches = match(overlaps_of_masks(masks, truth, nobody), nobody, nobody, overlap)  # (D,)
    kept = int((scores >= score).sum())
    figure = new_figure(8.4, 3.7)
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1, 1.15]})
    draw_judged(left, image, truth, masks[:kept], matches[:kept])
    draw_curve(right, scores, matches >= 0, len(truth), kept)
    return figure


def draw_judged(ax: Axes, image: Tensor, truth: Tensor, masks: Tensor, matches: Tensor) -> None:
    """Detections that found an object in orange, others in grey; objects that nobody found in green.

    Args:
        truth, masks: (G, H, W), (D, H, W) bool.
        matches: (D,) int64, the object of each detection, -1 for none.
    """
    right = matches >= 0
    colours = [palette.POSITIVE if one else palette.NEGATIVE for one in right.tolist()]
    found = set(matches.tolist())
    missed = [number for number in range(len(truth)) if number not in found]
    title = f"{int(right.sum())} right, {int((~right).sum())} wrong, {len(missed)} missed"
    draw_instances(image, {"masks": masks}, colours=colours, title=title, ax=ax)
    for number in missed:
        outline(ax, array_of(truth[number]), palette.GROUND_TRUTH, linewidth=2.0)


def draw_curve(ax: Axes, scores: Tensor, correct: Tensor, objects: int, kept: int) -> None:
    """The curve of the first `kept` detections, its envelope at 101 recalls, and the rest of it, faint.

    Args:
        scores, correct: (D,), best score first.
        objects: how many there were to find; without any there is no curve.
    """
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.06), xlabel="recall", ylabel="precision")
    if not objects:
        ax.set_title("nothing to find: no curve, AP is not a number")
        return
    precision, recall = precision_recall(scores, correct, objects)
    readings = interpolate(precision[:kept], recall[:kept])  # (101,)
    ax.fill_between(RECALLS, readings, step="pre", color=palette.PREDICTION, alpha=0.16, linewidth=0)
    ax.step(RECALLS, readings, where="pre", color=palette.PREDICTION, linewidth=1.2)
    start = max(kept - 1, 0)
    ax.plot(recall[start:], precision[start:], color=palette.NEGATIVE, linewidth=1.0, marker=".", zorder=2)
    ax.plot(recall[:kept], precision[:kept], color=palette.INK, linewidth=1.4, marker="o", markersize=4)
    if kept:
        ax.plot(
            recall[kept - 1], precision[kept - 1], marker="o", markersize=10, clip_on=False,
            color=palette.HIGHLIGHT, markeredgecolor=palette.INK, markeredgewidth=1.6, zorder=5,
        )  # fmt: skip
        now = f"precision {precision[kept - 1]:.2f}, recall {recall[kept - 1]:.2f}"
    else:
        now = "no detection left"
    ax.set_title(f"{now}; AP {readings.mean():.3f}")


def precision_recall_explorer(image: Tensor, truth: Tensor, masks: Tensor, scores: Tensor) -> Explorer:
    """An explorer of one class in one picture: `draw_precision_recall` behind two sliders."""

    def draw(overlap: float, score: float) -> Figure:
        return draw_precision_recall(image, truth, masks, scores, overlap=overlap, score=score)

    return explore(
        draw,
        caption="Left: right in orange, wrong in grey, missed in green. Right: the curve of what is shown "
        "(black), its envelope (blue), the point of the picture (yellow); grey is what the scores cut off.",
        kind="photo",
        overlap=ipywidgets.FloatSlider(0.5, min=0.5, max=0.95, step=0.05, description="least IoU"),
        score=ipywidgets.FloatSlider(0.0, min=0.0, max=1.0, step=0.05, description="least score"),
    )
