"""Checkers of lesson 11: NMS, smooth L1, the place of an output, the recall of proposals."""

from collections.abc import Callable

import torch
from torch import Tensor

from lessons import boxes as box_geometry
from lessons.mask_rcnn.rpn import smooth_l1


def check_suppress(answer: Callable[[Tensor, Tensor, float], list[int]]) -> None:
    """`suppress(boxes, scores, threshold)`: chains, order of the scores, the threshold itself."""
    chain = torch.tensor([[0.0, 0, 10, 10], [0, 4, 10, 14], [0, 8, 10, 18], [40, 40, 50, 50]])
    half = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5]])
    draw = torch.Generator().manual_seed(11)
    corners = torch.rand(40, 2, generator=draw) * 30
    many = torch.cat([corners, corners + 10 + 10 * torch.rand(40, 2, generator=draw)], dim=1)
    for name, boxes, scores, threshold in [
        ("a chain of three", chain, torch.tensor([0.9, 0.8, 0.7, 0.1]), 0.3),
        ("the best comes last", chain, torch.tensor([0.1, 0.2, 0.3, 0.4]), 0.3),
        ("an IoU of exactly the threshold", half, torch.tensor([0.9, 0.8]), 0.5),
        ("forty boxes", many, torch.rand(40, generator=draw), 0.5),
        ("one box", chain[:1], torch.ones(1), 0.5),
    ]:
        expected = box_geometry.nms(boxes, scores, threshold).tolist()
        given = [int(number) for number in answer(boxes, scores, threshold)]
        assert given == expected, (
            f"{name}, threshold {threshold}: {expected} are kept, best first, and not {given}. A box goes "
            "only if one that is *kept* overlaps it by more than the threshold."
        )


def check_penalty(answer: Callable[[float, float], float]) -> None:
    """`penalty(difference, beta)`: both sides of beta, both signs, beta 0."""
    for difference, beta in [
        (0.0, 1.0), (0.5, 1.0), (-0.5, 1.0), (1.0, 1.0), (-3.0, 1.0), (0.1, 1 / 9), (0.2, 1 / 9), (0.3, 0.0),
        (-2.0, 0.0), (0.0, 0.0),
    ]:  # fmt: skip
        expected = smooth_l1(torch.tensor([difference]), torch.zeros(1), beta).item()
        given = float(answer(difference, beta))
        assert abs(given - expected) < 1e-5, (
            f"a difference of {difference:g} with beta {beta:.3g} costs {expected:.4f}, not {given:.4f}: "
            "d² / 2β below beta, |d| - β/2 from there on; the two meet at |d| = β."
        )


def check_place_of(answer: Callable[[int, int, int], tuple[int, int, int]]) -> None:
    """`place_of(number, columns, anchors)`: all numbers of a few maps."""
    for rows, columns, anchors in [(2, 3, 3), (3, 2, 1), (4, 5, 9)]:
        for number in range(rows * columns * anchors):
            place, anchor = divmod(number, anchors)
            expected = (*divmod(place, columns), anchor)
            given = tuple(int(value) for value in answer(number, columns, anchors))
            assert given == expected, (
                f"on a map with {columns} columns and {anchors} anchors at a place, number {number} is "
                f"(row, column, anchor) {expected} and not {given}: anchors change "
                "fastest, then columns, then rows."
            )


def check_recall(answer: Callable[[Tensor, Tensor, float], float]) -> None:
    """`recall(truth, proposals, threshold)`: found once, twice, by the same box; nothing there at all."""
    truth = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [50, 50, 60, 60], [2, 0, 12, 10]])
    cases = {
        "no proposals": (truth, torch.zeros(0, 4), 0.5, 0.0),
        "each object its box": (truth, truth, 0.7, 1.0),
        "one object found five times": (truth, truth[:1].repeat(5, 1), 0.9, 0.25),
        "one box for two objects": (truth, truth[:1], 0.5, 0.5),
        "too far": (truth[:1], truth[:1] + 5, 0.5, 0.0),
        "an IoU of exactly the threshold": (truth[:1], torch.tensor([[0.0, 0, 10, 5]]), 0.5, 1.0),
    }
    for name, (objects, proposals, threshold, expected) in cases.items():
        given = float(answer(objects, proposals, threshold))
        assert abs(given - expected) < 1e-6, (
            f"{name}: the recall at IoU {threshold} is {expected:.2f}, not {given:.2f}: the share of the "
            "objects that some proposal overlaps by at least the threshold."
        )
