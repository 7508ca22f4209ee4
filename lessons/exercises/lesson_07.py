"""Checkers of lesson 07: a symmetric point NMS, maskness, NMS of masks, masks of the decoupled head."""

from collections.abc import Callable

import torch
from torch import Tensor

from lessons.solo import decode
from lessons.solo.heads import DecoupledOutput


def check_symmetric_point_nms(answer: Callable[[Tensor], Tensor]) -> None:
    """`symmetric_point_nms(scores)`: all eight neighbours count, in every direction alike."""
    generator = torch.Generator().manual_seed(7)
    scores = torch.rand(3, 6, 6, generator=generator)
    before = scores.clone()
    given = answer(scores)
    assert torch.equal(scores, before), "the input was changed: give a new tensor."
    assert given.shape == scores.shape, (
        f"the shape is {tuple(given.shape)} and must stay {tuple(scores.shape)}: how wide is the padding?"
    )
    kept = given > 0
    assert torch.equal(given[kept], scores[kept]), "what stays must keep its score."
    for row in range(6):
        for column in range(6):
            around = (slice(max(0, row - 1), row + 2), slice(max(0, column - 1), column + 2))
            for layer in range(3):
                best = bool(scores[layer, row, column] == scores[(layer, *around)].max())
                assert bool(kept[layer, row, column]) == best, (
                    f"cell ({row}, {column}) of class {layer} is {'' if best else 'not '}the best of its 3×3 "
                    f"neighbourhood and {'was removed' if best else 'stays'}: which neighbours were asked?"
                )
    plateau = torch.full((1, 3, 3), 0.5)
    assert torch.equal(answer(plateau), plateau), "equal neighbours do not remove each other."


def check_maskness(answer: Callable[[Tensor, float], Tensor]) -> None:
    """`maskness(soft, threshold)`: the mean over the mask's own pixels, 0 without any."""
    generator = torch.Generator().manual_seed(7)
    soft = torch.rand(5, 6, 7, generator=generator) ** 2
    soft[3] *= 0.4  # no pixel above the threshold
    soft[4] = 0.5  # exactly on it, which is not above
    for threshold in (0.5, 0.3):
        expected = decode.measure(soft, threshold)[1]
        given = answer(soft, threshold)
        assert given.shape == (5,), f"the shape is {tuple(given.shape)}: one number for each mask, (5,)."
        assert not given.isnan().any(), "a mask without a pixel gives NaN: what is a sum divided by nothing?"
        assert torch.allclose(given, expected, atol=1e-5), (
            f"with the threshold {threshold} the answer is {[round(x, 3) for x in given.tolist()]} and "
            f"should be {[round(x, 3) for x in expected.tolist()]}: the mean of which pixels?"
        )


def check_mask_nms(answer: Callable[[Tensor, float], list[int]]) -> None:
    """`mask_nms(masks, threshold)`: a mask that is removed removes nobody."""
    row = torch.arange(20)
    strips = [(0, 10), (3, 13), (6, 16), (10, 20)]  # neighbours overlap by 0.54, 0.54 and 0.43
    masks = torch.stack([(row >= start) & (row < stop) for start, stop in strips])[:, None]  # (4, 1, 20)
    for chosen, threshold, expected in [
        ([0, 1, 2, 3], 0.5, [0, 2, 3]),
        ([0, 1, 2, 3], 0.4, [0, 2]),
        ([0, 1, 2, 3], 0.6, [0, 1, 2, 3]),
        ([1, 0, 2], 0.5, [0]),
        ([0, 0, 0], 0.9, [0]),
        ([], 0.5, []),
    ]:
        given = [int(number) for number in answer(masks[chosen], threshold)]
        assert given == expected, (
            f"with the strips {[strips[number] for number in chosen]} and the threshold {threshold} the "
            f"masks {expected} stay, and the answer is {given}: may a mask that is gone still remove others?"
        )


def check_decoupled_masks(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """`decoupled_masks(masks_x, masks_y, cells)` against the package's own, in the right order of work."""
    generator = torch.Generator().manual_seed(7)
    masks_x, masks_y = 3 * torch.randn(2, 4, 5, 6, generator=generator)
    cells = torch.tensor([0, 1, 4, 6, 15, 6])
    everything = DecoupledOutput([torch.zeros(1, 1, 4, 4)], [masks_x[None]], [masks_y[None]])
    expected = decode.all_masks(everything, 0)[0][cells]
    given = answer(masks_x, masks_y, cells)
    shape = tuple(given.shape)
    assert shape == (6, 5, 6), f"the shape is {shape}: one mask for each of the cells, (6, 5, 6)."
    swapped = decode.all_masks(DecoupledOutput(everything.categories, [masks_y[None]], [masks_x[None]]), 0)[0]
    assert not torch.allclose(given, swapped[cells], atol=1e-5), (
        "cell 1 is in row 0 and column 1: x belongs to the column, y to the row."
    )
    assert torch.allclose(given, expected, atol=1e-5), (
        "other numbers: the sigmoid of each factor comes first, the product after it."
    )
