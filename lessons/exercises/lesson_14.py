"""Checkers of lesson 14: the masks of the regions' classes, their loss, a mask target, a row pasted."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from lessons.mask_rcnn.mask_head import mask_targets, of_own_class
from lessons.mask_rcnn.pasting import paste


def check_own_masks(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`own_masks(logits, labels)`: the first and the last class, one region, and none."""
    draw = torch.Generator().manual_seed(1)
    for labels in ([2, 1, 5, 5, 3], [5], [1, 1], []):
        logits = torch.randn(len(labels), 5, 3, 3, generator=draw)
        numbers = torch.tensor(labels, dtype=torch.int64)
        given = answer(logits, numbers)
        assert tuple(given.shape) == (len(labels), 3, 3), (
            f"labels {labels}: one mask for each region is {(len(labels), 3, 3)}, not {tuple(given.shape)}."
        )
        assert torch.equal(given, of_own_class(logits, numbers)), (
            f"labels {labels}, five classes: region i's mask is channel label − 1 of row i, as label 0 is "
            "background and has no channel."
        )


def check_mask_loss(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`mask_loss(own, truth)`: hard and soft targets, large logits, no region."""
    draw = torch.Generator().manual_seed(2)
    for count, spread in [(3, 1.0), (1, 60.0), (4, 2.0), (0, 1.0)]:
        own = (spread * torch.randn(count, 4, 4, generator=draw)).requires_grad_()
        truth = torch.rand(count, 4, 4, generator=draw)
        truth = truth if count == 4 else truth.round()
        expected = F.binary_cross_entropy_with_logits(own, truth).item() if count else 0.0
        given = answer(own, truth)
        assert isinstance(given, Tensor) and given.requires_grad, (
            f"{count} regions: the loss must hang on the logits, also where it is 0."
        )
        assert abs(given.item() - expected) < 1e-4 * max(expected, 1), (
            f"{count} regions: the loss is {expected:.4f}, not {given.item():.4f}: the mean over all pixels "
            "of all regions, finite for large logits too, and 0 without a region."
        )


def check_cut_target(answer: Callable[[Tensor, tuple[int, int, int, int], int], Tensor]) -> None:
    """`cut_target(mask, box, side)`: square and long bins, one pixel each, ties at one half."""
    generator = torch.Generator().manual_seed(3)
    for box, side in [((2, 1, 10, 9), 4), ((0, 0, 12, 6), 3), ((5, 3, 9, 7), 4), ((1, 2, 13, 10), 2)]:
        mask = torch.rand(12, 16, generator=generator) < 0.5
        nothing = torch.tensor([0])
        corners = torch.tensor([box], dtype=torch.float32)
        expected = mask_targets(mask[None], nothing, corners, side)[0].bool()
        given = answer(mask, box, side)
        assert tuple(given.shape) == (side, side), f"the target is {(side, side)}, not {tuple(given.shape)}."
        assert torch.equal(given.bool(), expected), (
            f"box {box}, {side}×{side}: {int((given.bool() != expected).sum())} of {side * side} cells are "
            "wrong. A cell is 1 where at least half of its own pixels are the object's."
        )


def check_paste_row(answer: Callable[[Tensor, float, float, int], Tensor]) -> None:
    """`paste_row(values, start, end, width)`: whole and broken ends, beyond the row, wide and narrow."""
    draw = torch.Generator().manual_seed(4)
    for count, start, end, width in [
        (2, 1.0, 5.0, 7), (4, 2.3, 9.6, 12), (6, -3.0, 4.0, 8), (3, 0.0, 3.0, 3), (8, 4.2, 6.1, 9),
        (2, 0.5, 19.0, 16),
    ]:  # fmt: skip
        values = torch.rand(count, generator=draw)
        square = values.expand(count, count)  # the same in every row; read far from its rim
        box = torch.tensor([[start, -500.0, end, 501.0]])
        expected = paste(square[None], box, (1, width), threshold=None)[0, 0]
        given = answer(values, start, end, width)
        assert tuple(given.shape) == (width,), f"the row has {width} pixels, not {tuple(given.shape)}."
        worst = (given - expected).abs().max().item()
        assert worst < 1e-4, (
            f"{count} values from {start} to {end} in {width} pixels: wrong by up to {worst:.3f}. Pixel x "
            "asks at (x + 1/2 − start) / (end − start) · M − 1/2; it mixes two values; outside are 0s."
        )
