"""Subdivision: a mask of high resolution from few answers (PointRend, section 3.1; Whitted 1980).

R   regions
C   classes
s   side of the map so far
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from lessons.point_rend.points import most_uncertain_cells, regular_grid, uncertainty

Answer = Callable[[Tensor], Tensor]  # points (R, P, 2) relative to the boxes -> logits (R, C, P)


@dataclass(frozen=True)
class Step:
    """What one step did.

    Attributes:
        side: s after it.
        before: (R, C, s, s), the enlarged map; None in the first step, which asks at every cell.
        index: (R, P), the cells that were asked; points: (R, P, 2), their centres.
        after: (R, C, s, s), with the answers put in.
    """

    side: int
    before: Tensor | None
    index: Tensor | None
    points: Tensor
    after: Tensor


def start_of(side: int, steps: int, count: int) -> tuple[int, int]:
    """Where subdivision really begins: (side, steps), after steps that would ask at every cell anyway.

    While the doubled map has no more cells than `count`, it is asked whole: 7, five steps and 28² points
    become 28 and three steps.
    """
    while steps > 0 and 4 * side**2 <= count:
        side, steps = 2 * side, steps - 1
    return side, steps


def subdivide(
    answer: Answer, labels: Tensor, side: int = 7, steps: int = 5, count: int = 784
) -> tuple[Tensor, list[Step]]:
    """Enlarge a mask step by step, and ask again only where it is uncertain.

    Args:
        answer: the logits at points.
        labels: (R,) int64, from 1 on: the class whose uncertainty decides.
        side, steps: of the nominal start, and how often the side doubles. count: points in each step.

    Returns:
        logits (R, C, s, s), and every step, for those who want to look.
    """
    side, steps = start_of(side, steps, count)
    points = regular_grid(len(labels), side, labels.device)  # (R, s², 2)
    logits = answer(points).unflatten(2, (side, side))  # (R, C, s, s)
    trace = [Step(side, None, None, points, logits)]
    for _ in range(steps):
        side *= 2
        before = F.interpolate(logits, scale_factor=2, mode="bilinear", align_corners=False)
        index, points = most_uncertain_cells(uncertainty(before, labels), count)
        answers = answer(points)  # (R, C, P)
        places = index[:, None].expand_as(answers)
        logits = before.flatten(2).scatter(2, places, answers).unflatten(2, (side, side))
        trace.append(Step(side, before, index, points, logits))
    return logits, trace
