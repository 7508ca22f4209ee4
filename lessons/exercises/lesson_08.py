"""Checkers of lesson 08: the overlap of masks, greedy matching, the area under the envelope, boundary IoU."""

from collections.abc import Callable

import torch
from torch import Tensor

from lessons import masks
from lessons.evaluation.average_precision import envelope, match, overlaps_of_masks, precision_recall
from lessons.evaluation.boundaries import band


def check_overlap(answer: Callable[[Tensor, Tensor, bool], float]) -> None:
    """`overlap(detection, truth, crowd)` against the package, nested, disjoint and empty masks included."""
    inner, outer, aside, nothing = (
        _rectangle(*corners) for corners in [(2, 2, 5, 4), (1, 1, 9, 7), (8, 5, 11, 8), (0, 0, 0, 0)]
    )
    for detection, truth in [
        (inner, outer), (outer, inner), (aside, outer), (inner, aside), (outer, outer), (nothing, nothing),
    ]:  # fmt: skip
        for crowd in (False, True):
            expected = overlaps_of_masks(detection[None], truth[None], torch.tensor([crowd])).item()
            try:
                given = answer(detection, truth, crowd)
            except ZeroDivisionError:
                raise AssertionError("two masks without a pixel: nothing in common is 0.") from None
            both = int((detection & truth).sum())
            assert abs(given - expected) < 1e-6, (
                f"detection of {int(detection.sum())} pixels, {'crowd' if crowd else 'object'} of "
                f"{int(truth.sum())}, {both} in common: the overlap is {expected:.3f}, not {given:.3f}; "
                "what is the whole that they are a share of?"
            )


def check_greedy(answer: Callable[[Tensor, Tensor, float], list[int]]) -> None:
    """`greedy(overlaps, crowd, threshold)` on tables in which the order, the threshold and crowds matter."""
    no = [False, False]
    for rows, crowd, threshold, hint in [
        ([[0.6, 0.0], [0.9, 0.0]], no, 0.5, "the first takes the object, though the second fits better"),
        ([[0.6, 0.7], [0.0, 0.8]], no, 0.5, "the first takes its best, nothing is left to the second"),
        ([[0.5, 0.4], [0.0, 0.5]], no, 0.5, "an overlap of just the threshold is enough"),
        ([[0.4, 0.3]], no, 0.5, "nothing reaches the threshold"),
        ([[0.9, 0.6], [0.9, 0.6], [0.9, 0.6]], [True, False], 0.5,
         "a free object goes before a crowd, and a crowd can be taken again and again"),
    ]:  # fmt: skip
        overlaps, is_crowd = torch.tensor(rows, dtype=torch.float64), torch.tensor(crowd)
        expected = match(overlaps, is_crowd, is_crowd, threshold).tolist()
        given = [int(one) for one in answer(overlaps, is_crowd, threshold)]
        assert given == expected, f"{rows} at {threshold} gives {expected}, not {given}: {hint}."


def check_area_under_envelope(answer: Callable[[Tensor, Tensor, int], float]) -> None:
    """`area_under_envelope(scores, correct, objects)`: unsorted lists, none right, none at all."""
    generator = torch.Generator().manual_seed(8)
    cases = [
        (torch.rand(n, generator=generator), torch.rand(n, generator=generator) < 0.6) for n in (6, 9, 25)
    ]
    cases += [(torch.tensor([0.2, 0.9, 0.5]), torch.tensor([True, False, True]))]
    cases += [(torch.tensor([0.9, 0.5]), torch.tensor([False, False]))]
    cases += [(torch.zeros(0), torch.zeros(0, dtype=torch.bool))]
    for scores, correct in cases:
        objects = int(correct.sum()) + 2
        precision, recall = precision_recall(scores, correct, objects)
        steps = torch.diff(recall, prepend=recall.new_zeros(1))
        expected = (steps * envelope(precision)).sum().item()
        given = float(answer(scores.clone(), correct.clone(), objects))
        assert abs(given - expected) < 1e-6, (
            f"{len(scores)} detections, {int(correct.sum())} of them right, {objects} objects: the area is "
            f"{expected:.4f}, not {given:.4f}; is the list sorted, and may the curve rise again?"
        )


def check_contour_iou(answer: Callable[[Tensor, Tensor, int], float]) -> None:
    """`contour_iou(a, b, width)`: away from the picture's edge, at it, thin, and empty."""
    for one, other, width in [
        ((2, 2, 10, 9), (3, 2, 11, 9), 1), ((2, 1, 10, 9), (3, 2, 11, 10), 2),
        ((0, 0, 9, 8), (0, 0, 8, 8), 1), ((0, 3, 12, 10), (0, 2, 12, 9), 2),
        ((1, 4, 11, 6), (2, 4, 12, 6), 1), ((0, 0, 0, 0), (0, 0, 0, 0), 1),
    ]:  # fmt: skip
        a, b = _rectangle(*one), _rectangle(*other)
        expected = masks.iou(band(a[None], width), band(b[None], width)).item()
        try:
            given = float(answer(a.clone(), b.clone(), width))
        except ZeroDivisionError:
            raise AssertionError("two masks without a pixel: their boundary IoU is 0.") from None
        assert abs(given - expected) < 1e-6, (
            f"the rectangles {one} and {other} in a picture 12 wide and 10 high, width {width}: "
            f"{expected:.3f}, not {given:.3f}; "
            "is the band inside the mask, and does it follow the picture's edge?"
        )


def _rectangle(x1: int, y1: int, x2: int, y2: int) -> Tensor:
    """(10, 12) bool, true from (x1, y1) up to, and without, (x2, y2)."""
    mask = torch.zeros(10, 12, dtype=torch.bool)
    mask[y1:y2, x1:x2] = True
    return mask
