"""Checkers of lesson 13: the counts of a draw, the box loss, candidates, NMS class by class."""

from collections.abc import Callable

import torch
from torch import Tensor

from lessons import boxes
from lessons.mask_rcnn.matching import sample


def check_drawn_counts(answer: Callable[[int, int, int, float], tuple[int, int]]) -> None:
    """`drawn_counts(positives, negatives, count, fraction)`: too many, too few, and none of either."""
    for positives, negatives, count, fraction in [
        (43, 1957, 512, 0.25), (310, 1690, 512, 0.25), (69, 9000, 512, 0.5), (0, 700, 512, 0.25),
        (3, 20, 512, 0.25), (600, 5, 512, 0.25), (7, 9, 10, 0.25),
    ]:  # fmt: skip
        verdict = torch.tensor([True] * positives + [False] * negatives)
        expected = tuple(len(one) for one in sample(verdict, ~verdict, count, fraction))
        given = tuple(int(number) for number in answer(positives, negatives, count, fraction))
        assert given == expected, (
            f"of {positives} positives and {negatives} negatives, {count} in all and at most {fraction} of "
            f"them positive, {expected} are drawn, not {given}: negatives fill up, positives do not."
        )


def check_box_loss(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """`box_loss(deltas, labels, right)`: the true class, over all regions, also without a positive one."""
    draw = torch.Generator().manual_seed(5)
    for labels in ([2, 0, 1, 3, 0, 0], [3, 3], [0, 0, 0], []):
        count = len(labels)
        deltas = torch.randn(count, 3, 4, generator=draw, requires_grad=True)
        right = torch.randn(count, 4, generator=draw)
        expected = sum(
            (deltas[row, label - 1] - right[row]).abs().sum().item()
            for row, label in enumerate(labels)
            if label
        )
        expected /= max(count, 1)
        given = answer(deltas, torch.tensor(labels, dtype=torch.int64), right)
        assert isinstance(given, Tensor) and given.requires_grad, (
            f"labels {labels}: the loss must hang on the deltas, also where it is 0."
        )
        value = given.item()
        assert abs(value - expected) < 1e-4, (
            f"labels {labels}: the loss is {expected:.4f}, not {value:.4f}: the absolute errors of "
            "the true class (label 1 is the first), added up, divided by the number of all regions."
        )


def check_candidates(answer: Callable[[Tensor, float], list[tuple[int, int]]]) -> None:
    """`candidates(logits, threshold)`: several of one region, none of another, background left out."""
    logits = torch.tensor(
        [[0.0, 3.0, 2.8, -1.0], [6.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 4.0], [1.0, 1.0, 1.0, 1.0]]
    )
    for threshold in (0.05, 0.3, 0.9):
        probabilities = logits.softmax(dim=1)
        expected = [
            (row, label) for row in range(4) for label in range(1, 4) if probabilities[row, label] > threshold
        ]
        given = [(int(row), int(label)) for row, label in answer(logits, threshold)]
        assert given == expected, (
            f"above {threshold} the candidates are {expected}, not {given}: every pair counts whose "
            "probability is above the threshold, softmax over all columns, background left out."
        )


def check_nms_by_class(answer: Callable[[Tensor, Tensor, Tensor, float], list[int]]) -> None:
    """`nms_by_class(found, scores, labels, threshold)`: crowded boxes of several classes."""
    draw = torch.Generator().manual_seed(8)
    for count, classes in [(12, 3), (25, 2), (6, 1), (0, 1)]:
        corner = 40 * torch.rand(count, 2, generator=draw)
        found = torch.cat([corner, corner + 20 + 20 * torch.rand(count, 2, generator=draw)], dim=1)
        scores = torch.rand(count, generator=draw)
        labels = torch.randint(1, classes + 1, (count,), generator=draw)
        expected = boxes.nms_within_groups(found, scores, labels, 0.4).tolist()
        given = [int(index) for index in answer(found, scores, labels, 0.4)]
        assert given == expected, (
            f"of {count} boxes of {classes} classes {len(expected)} stay, {expected}, not {given}: boxes of "
            "different classes never suppress each other, and the best score comes first."
        )
