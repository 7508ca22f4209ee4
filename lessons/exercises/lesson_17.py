"""Checkers of lesson 17: the loss at points, a soft label, a decoded box, the point head's weights."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from lessons import boxes as box_geometry
from lessons.mask_rcnn.mask_head import of_own_class
from lessons.point_rend.heads import PointHead
from lessons.point_rend.points import point_labels

WEIGHTS = (10.0, 10.0, 5.0, 5.0)  # of the deltas


def check_point_loss(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """`point_loss(logits, labels, truth)`: own class, soft labels, and without any region."""
    draw = torch.Generator().manual_seed(5)
    for regions in (3, 1):
        logits = 3 * torch.randn(regions, 6, 9, generator=draw)
        labels, truth = torch.tensor([6, 2, 1])[:regions], torch.rand(regions, 9, generator=draw)
        expected = F.binary_cross_entropy_with_logits(of_own_class(logits, labels), truth).item()
        given = float(answer(logits, labels, truth))
        assert abs(given - expected) < 1e-4, (
            f"for {regions} regions with 9 points the loss is {expected:.4f}, not {given:.4f}: the mean of "
            "the binary cross entropy over all points, of the channel label - 1."
        )
    nothing = torch.zeros(0, 6, 9, requires_grad=True)
    given = answer(nothing, torch.zeros(0, dtype=torch.int64), torch.zeros(0, 9))
    assert isinstance(given, Tensor) and given.requires_grad and given.item() == 0, (
        f"without any region the loss is a zero that hangs on the logits, not {given!r}: add up the nothing."
    )


def check_soft_label(answer: Callable[[Tensor, float, float], float]) -> None:
    """`soft_label(mask, x, y)`: pixels' middles, edges between pixels, corners, the picture's rim."""
    mask = torch.zeros(5, 6, dtype=torch.bool)
    mask[1:4, 2:5] = mask[0, 0] = True
    for x, y in [
        (2.5, 1.5),
        (0.5, 4.5),
        (2.0, 2.5),
        (2.0, 1.0),
        (3.3, 3.9),
        (4.8, 2.2),
        (0.0, 0.0),
        (0.25, 0.5),
    ]:
        expected = point_labels(mask[None], torch.tensor([[[x, y]]])).item()
        given = float(answer(mask, x, y))
        assert abs(given - expected) < 1e-4, (
            f"at x = {x}, y = {y} the label is {expected:.3f}, not {given:.3f}: pixel (r, c) has its middle "
            "at (c + ½, r + ½), the four middles around count by how near they are, and outside is 0."
        )


def check_box_to_learn_in(answer: Callable[[Tensor, Tensor, int], Tensor]) -> None:
    """`box_to_learn_in(proposal, deltas, label)`: the true class's deltas, not clipped, no gradient."""
    draw = torch.Generator().manual_seed(7)
    proposal = torch.tensor([30.0, 40, 110, 90])
    for label in (1, 4, 5):
        deltas = torch.randn(5, 4, generator=draw).requires_grad_()
        expected = box_geometry.decode(deltas[label - 1][None].detach(), proposal[None], WEIGHTS)[0]
        given = answer(proposal, deltas, label)
        assert tuple(given.shape) == (4,), f"one box has the shape (4,), not {tuple(given.shape)}."
        assert torch.allclose(given.detach(), expected, atol=1e-3), (
            f"for label {label} the box is {[round(edge, 1) for edge in expected.tolist()]}, not "
            f"{[round(edge, 1) for edge in given.tolist()]}: decode the deltas of the true class, row "
            "label - 1, with the weights (10, 10, 5, 5)."
        )
        assert not given.requires_grad, (
            "the box is where masks are learnt, not what is learnt: cut its gradient."
        )


def check_point_head_weights(answer: Callable[[int, int, int, int], int]) -> None:
    """`point_head_weights(channels, classes, hidden, layers)`: as the package's head counts."""
    for channels, classes, hidden, layers in [
        (256, 80, 256, 3),
        (64, 20, 64, 3),
        (8, 3, 16, 1),
        (12, 2, 5, 4),
    ]:
        with torch.device("meta"):
            head = PointHead(channels, classes, hidden, layers)
        expected = sum(weight.numel() for weight in head.parameters())
        given = answer(channels, classes, hidden, layers)
        assert given == expected, (
            f"{channels} channels, {classes} classes, {layers} layers of {hidden}: {expected:,} weights, not "
            f"{given:,}. Every layer reads the {classes} coarse logits again, and each output has a bias."
        )
