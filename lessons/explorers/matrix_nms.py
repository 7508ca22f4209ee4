"""The Matrix NMS explorer: masks that overlap as much as one likes, and what becomes of their scores.

K     masks, best first
W     width of the drawn strip of pixels
"""

from collections.abc import Sequence
from dataclasses import dataclass

import ipywidgets
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from lessons import masks as mask_geometry
from lessons import palette
from lessons.explorers.face import Explorer, explore
from lessons.plots.matrices import matrix
from lessons.plots.showing import new_figure
from lessons.solo import decode

LENGTH = 400  # pixels of each mask: overlaps are right to about 1 / LENGTH
SCORES = (0.9, 0.8, 0.7)
NAMES = ("A", "B", "C")
PLACES = (
    (0.04, 0.57, 0.46, 0.37),
    (0.57, 0.60, 0.42, 0.34),
    (0.04, 0.02, 0.45, 0.36),
    (0.54, 0.02, 0.45, 0.36),
)
THRESHOLDS = {0.05: "kept", 0.25: "drawn"}


@dataclass(frozen=True)
class Decayed:
    """Every step of Matrix NMS for K masks of one class.

    Attributes:
        overlap: (K, K), the IoU of mask i (row) with the worse mask j (column), 0 elsewhere.
        covered: (K,), the compensation: how much a better mask covers each.
        factors: (K, K), what mask i multiplies the score of mask j by; 1 where it has no say.
        scores: (K,), afterwards.
    """

    overlap: Tensor
    covered: Tensor
    factors: Tensor
    scores: Tensor


def strips(overlaps: Sequence[float]) -> Tensor:
    """Equally long masks, each moved to the right of the one before: (K, 1, W) bool.

    Args:
        overlaps: K − 1 numbers in [0, 1], the IoU of each mask with the one before it.
    """
    starts = [0]
    for overlap in overlaps:
        starts.append(starts[-1] + round(LENGTH * (1 - overlap) / (1 + overlap)))
    place = torch.arange(starts[-1] + LENGTH)
    return torch.stack([(place >= start) & (place < start + LENGTH) for start in starts])[:, None]


def decay_steps(
    masks: Tensor, scores: Tensor, kernel: str = "gaussian", sigma: float = 2.0, compensation: bool = True
) -> Decayed:
    """Matrix NMS of masks (K, h, w) bool of one class, best first, with everything on the way.

    Without `compensation` a mask counts in full against the worse ones, however covered it is itself.
    """
    overlap = mask_geometry.iou(masks, masks).triu(diagonal=1)  # (K, K)
    covered = overlap.amax(dim=0)  # (K,)
    divisors = covered if compensation else torch.zeros_like(covered)
    factors = _of_pairs(overlap, kernel, sigma) / _of_pairs(divisors, kernel, sigma)[:, None]  # (K, K)
    below = torch.ones_like(factors, dtype=torch.bool).tril()
    factors = factors.masked_fill(below, 1.0)  # a worse mask has no say
    return Decayed(overlap, covered, factors, scores * factors.amin(dim=0))


def _of_pairs(overlaps: Tensor, kernel: str, sigma: float) -> Tensor:
    """The kernel f of each overlap: what becomes of the worse of two masks that are alone."""
    values = []
    for overlap in overlaps.flatten().tolist():
        pair = overlaps.new_tensor([[0.0, overlap], [0.0, 0.0]])
        values.append(decode.decay(pair, kernel, sigma)[1])
    return torch.stack(values).reshape(overlaps.shape)


def draw_matrix_nms(
    *,
    kernel: str = "gaussian",
    sigma: float = 2.0,
    second: float = 0.6,
    third: float = 0.6,
    masks: int = 3,
    compensation: bool = True,
) -> Figure:
    """The masks, their overlaps, the factors and the scores before and after.

    Args:
        kernel, sigma: see `lessons.solo.decode.matrix_nms`.
        second: IoU of mask B with A. third: of C with B.
        masks: two or three.
        compensation: see `decay_steps`.
    """
    pixels = strips((second, third)[: masks - 1])
    scores = torch.tensor(SCORES[:masks])
    steps = decay_steps(pixels, scores, kernel, sigma, compensation)
    figure = new_figure(8.4, 4.3)
    figure.set_layout_engine("none")  # fixed places: a slider that moves should not wait for a layout
    left, right, lower_left, lower_right = (figure.add_axes(place) for place in PLACES)
    draw_strips(left, pixels)
    draw_scores(right, scores, steps.scores)
    names = NAMES[:masks]
    matrix(
        torch.cat([steps.overlap, steps.covered[None]]),
        title="IoU of the better (row) with the worse (column)\nc: how covered each is itself",
        row_labels=[*names, "c"],
        column_labels=names,
        highlight=[(masks, column) for column in range(masks)],
        ax=lower_left,
    )
    matrix(
        steps.factors,
        title=f"factors, f(IoU){' / f(c of the row)' if compensation else ' alone'}; 1 below: no say\n"
        "yellow: the least of each column",
        row_labels=names,
        column_labels=names,
        highlight=[(int(row), column) for column, row in enumerate(steps.factors.argmin(dim=0))],
        ax=lower_right,
    )
    return figure


def draw_strips(ax: Axes, pixels: Tensor) -> None:
    """Masks (K, 1, W) of the same rows, drawn one below the other."""
    for row, mask in enumerate(pixels[:, 0]):
        start = int(mask.nonzero()[0])
        ax.add_patch(Rectangle((start, row + 0.15), int(mask.sum()), 0.7, color=palette.instance_colour(row)))
    ax.set(xlim=(-5, 3 * LENGTH + 5), ylim=(len(pixels), 0), xticks=[])
    ax.set_yticks([row + 0.5 for row in range(len(pixels))], NAMES[: len(pixels)])
    ax.set_title("the masks, best first; same rows, drawn apart")
    ax.tick_params(left=False)
    for side in ax.spines.values():
        side.set_visible(False)


def draw_scores(ax: Axes, before: Tensor, after: Tensor) -> None:
    """Bars: each score before in grey, after in blue, with the two thresholds."""
    names = NAMES[: len(before)]
    ax.barh(names, before.tolist(), color=palette.FAINT, height=0.72)
    ax.barh(names, after.nan_to_num(0).tolist(), color=palette.PREDICTION, height=0.42)
    for row, (old, new) in enumerate(zip(before.tolist(), after.tolist(), strict=True)):
        words = "0 / 0" if new != new else f"{old:.2f} → {new:.2f}"  # NaN: three equal masks, linear kernel
        ax.text(old + 0.015, row, words, va="center", fontsize=9)
    for threshold, word in THRESHOLDS.items():
        ax.axvline(threshold, color=palette.INK, linewidth=0.9, linestyle=(0, (3, 2)))
        ax.text(threshold, len(before) - 0.42, f" {word}", fontsize=8.5, va="top")
    ax.set(xlim=(0, 1.18), ylim=(len(before) - 0.1, -0.5), xticks=[0, 0.5, 1])
    ax.set_title("scores before (grey) and after (blue)")
    ax.tick_params(left=False)


def matrix_nms_explorer() -> Explorer:
    """An explorer of Matrix NMS: `draw_matrix_nms` behind sliders."""
    return explore(
        draw_matrix_nms,
        caption="Masks, their overlaps, and what Matrix NMS makes of their scores. The better mask of a pair "
        "lowers the score of the worse one.",
        kernel=ipywidgets.Dropdown(options=("gaussian", "linear"), value="gaussian"),
        sigma=ipywidgets.FloatSlider(2.0, min=0.5, max=4.0, step=0.25),
        second=ipywidgets.FloatSlider(0.6, min=0.0, max=1.0, step=0.05, description="IoU of B with A"),
        third=ipywidgets.FloatSlider(0.6, min=0.0, max=1.0, step=0.05, description="IoU of C with B"),
        masks=ipywidgets.IntSlider(3, 2, 3),
        compensation=ipywidgets.Checkbox(True, indent=False),
    )
