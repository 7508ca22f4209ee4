"""Checkers of lesson 10: an anchor, the verdict of each anchor, the size of a sample, a box as a step."""

from collections.abc import Callable

import torch
from torch import Tensor

from lessons import boxes as box_geometry
from lessons.mask_rcnn.anchors import cell_anchors, grid_anchors
from lessons.mask_rcnn.matching import match, sample


def check_anchor_at(answer: Callable[[int, int, int, float, float], tuple[float, ...]]) -> None:
    """`anchor_at(row, column, stride, size, ratio)`: corners, ratios below and above 1."""
    for row, column, stride, size, ratio in [
        (0, 0, 16, 32.0, 1.0), (2, 5, 16, 32.0, 1.0), (1, 3, 8, 64.0, 0.25), (4, 0, 32, 30.0, 4.0),
        (7, 7, 4, 32.0, 0.5),
    ]:  # fmt: skip
        placed = grid_anchors(cell_anchors([size], [ratio]), (row + 1, column + 1), (stride, stride))
        expected = placed[-1]
        given = torch.tensor([float(value) for value in answer(row, column, stride, size, ratio)])
        assert given.shape == (4,), "give four numbers: x1, y1, x2, y2."
        assert torch.allclose(given, expected, atol=1e-3), (
            f"row {row}, column {column}, stride {stride}, size {size:g}, height / width = {ratio:g}: the "
            f"anchor is {expected.tolist()} and not {given.tolist()}. Its area is size², its height ratio "
            "times its width, its centre at (column, row) times the stride."
        )


def check_verdicts(answer: Callable[[Tensor, float, float], Tensor]) -> None:
    """`verdicts(iou, positive, negative)` with low-quality matches: ties, thresholds hit exactly, noise."""
    draw = torch.Generator().manual_seed(10)
    tables = [
        torch.tensor([[0.8, 0.5, 0.1]]),
        torch.tensor([[0.7, 0.3, 0.29]]),
        torch.tensor([[0.1, 0.25, 0.25], [0.9, 0.0, 0.1]]),
        torch.tensor([[0.40, 0.20], [0.45, 0.10]]),
        torch.rand(4, 30, generator=draw) * 0.6,
    ]
    for table in tables:
        expected = match(table, 0.7, 0.3, low_quality=True)[1]
        given = answer(table.clone(), 0.7, 0.3)
        assert tuple(given.shape) == tuple(expected.shape), (
            f"for an IoU table of {tuple(table.shape)}, objects by anchors, give one verdict for each of the "
            f"{table.shape[1]} anchors, not {tuple(given.shape)}."
        )
        wrong = (given != expected).nonzero().flatten().tolist()
        assert not wrong, (
            f"anchor {wrong[0]}, whose IoU with the objects is {table[:, wrong[0]].tolist()}, has verdict "
            f"{int(expected[wrong[0]])} and not {int(given[wrong[0]])}: at least 0.7 is 1, less than 0.3 "
            "is 0, between is -1; and the best anchors of each object, all that tie, are 1 in any case."
        )


def check_sample_sizes(answer: Callable[[int, int, int, float], tuple[int, int]]) -> None:
    """`sample_sizes(positives, negatives, count, fraction)`: too few of the one, of the other, of both."""
    for positives, negatives, count, fraction in [
        (400, 9000, 256, 0.5), (69, 9000, 256, 0.5), (0, 9000, 256, 0.5), (300, 20, 256, 0.5),
        (5, 7, 256, 0.5), (200, 9000, 512, 0.25), (100, 100, 9, 0.5),
    ]:  # fmt: skip
        chosen = sample(torch.ones(positives), torch.ones(negatives), count, fraction)
        expected = tuple(len(one) for one in chosen)
        given = tuple(int(value) for value in answer(positives, negatives, count, fraction))
        assert given == expected, (
            f"{positives} positives and {negatives} negatives, {count} wanted, at most {fraction:g} of them "
            f"positive: {expected} and not {given}. Negatives fill the places that positives leave; "
            "positives never fill those that negatives leave."
        )


def check_step_to(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`step_to(box, anchor)` -> (4,) deltas: moved, enlarged, both, with anchors that are not square."""
    for box, anchor in [
        ((10.0, 20.0, 50.0, 40.0), (10.0, 20.0, 50.0, 40.0)),
        ((18.0, 20.0, 58.0, 40.0), (10.0, 20.0, 50.0, 40.0)),
        ((0.0, 0.0, 80.0, 40.0), (20.0, 10.0, 60.0, 30.0)),
        ((3.0, 7.0, 31.0, 90.0), (-22.6, -11.3, 22.6, 11.3)),
    ]:
        box, anchor = torch.tensor(box), torch.tensor(anchor)
        expected = box_geometry.encode(box[None], anchor[None])[0]
        given = answer(box, anchor)
        assert tuple(given.shape) == (4,), "give four numbers: dx, dy, dw, dh."
        assert torch.allclose(given, expected, atol=1e-4), (
            f"from the anchor {anchor.tolist()} to the box {box.tolist()} the step is "
            f"{[round(v, 3) for v in expected.tolist()]} and not {[round(v, 3) for v in given.tolist()]}: "
            "centres, divided by the anchor's width and height; and the logarithm of the ratio of the sides."
        )
