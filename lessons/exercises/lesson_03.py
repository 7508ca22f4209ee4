"""Checkers of lesson 03: coordinates, an object's channel, the decoupled product, the memory of masks."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lessons.solo.coordinates import coordinates
from lessons.solo.heads import DecoupledOutput


def check_place_of_pixels(answer: Callable[[int, int], Tensor]) -> None:
    """`place_of_pixels(height, width)` against the package's coordinates."""
    for height, width in [(3, 5), (2, 2), (7, 4)]:
        given, expected = answer(height, width), coordinates(torch.empty(height, width))
        assert tuple(given.shape) == (2, height, width), (
            f"for {height}×{width} the shape is {tuple(given.shape)} and not (2, {height}, {width})."
        )
        assert given.is_floating_point(), f"the numbers are {given.dtype}: coordinates need a fraction."
        assert not torch.allclose(given, expected.flip(0), atol=1e-6), "x comes first, then y."
        assert torch.allclose(given, expected, atol=1e-6), (
            f"row 0 of x for width {width} is {expected[0, 0].tolist()} and not {given[0, 0].tolist()}: "
            "the first pixel is −1 and the *last* one is +1."
        )


def check_channel_of(answer: Callable[[Tensor, int], int]) -> None:
    """`channel_of(mask, grid)`: pictures that are not square, and objects away from the diagonal."""
    for size, grid, (y1, x1, y2, x2), expected in [
        ((8, 8), 4, (0, 6, 2, 8), 3), ((8, 8), 4, (6, 0, 8, 2), 12), ((6, 12), 3, (0, 4, 2, 8), 1),
        ((12, 6), 3, (8, 0, 12, 2), 6), ((10, 10), 5, (4, 2, 6, 4), 11), ((16, 8), 2, (9, 1, 15, 3), 2),
    ]:  # fmt: skip
        mask = torch.zeros(size, dtype=torch.bool)
        mask[y1:y2, x1:x2] = True
        given = answer(mask, grid)
        assert given == expected, (
            f"an object in rows {y1} to {y2 - 1} and columns {x1} to {x2 - 1} of a {size[0]}×{size[1]} "
            f"picture has channel {expected} of a {grid}×{grid} grid, not {given}: channels go row by row."
        )


def check_mask_of_cell(answer: Callable[[Tensor, Tensor, int], Tensor]) -> None:
    """`mask_of_cell(masks_x, masks_y, cell)` against the package's decoupled output."""
    generator = torch.Generator().manual_seed(3)
    for grid in (2, 5):
        masks_x, masks_y = torch.randn(2, grid, 4, 6, generator=generator) * 2
        output = DecoupledOutput([], [masks_x[None]], [masks_y[None]])
        for cell in range(grid**2):
            expected = output.probabilities(0, torch.tensor([0]), torch.tensor([cell]))[0]
            given = answer(masks_x, masks_y, cell)
            assert tuple(given.shape) == (4, 6), f"the mask is {tuple(given.shape)} and not (4, 6)."
            swapped = masks_x[cell // grid].sigmoid() * masks_y[cell % grid].sigmoid()
            assert not torch.allclose(given, swapped) or torch.allclose(swapped, expected), (
                f"cell {cell} of a {grid}×{grid} grid: masks_x has one channel for each *column*, "
                "masks_y one for each row."
            )
            assert torch.allclose(given, expected, atol=1e-6), (
                f"cell {cell} of a {grid}×{grid} grid gives other numbers: "
                "first a probability from each, then the product."
            )


def check_mask_bytes(answer: Callable[[tuple[int, int], Sequence[int]], int]) -> None:
    """`mask_bytes(canvas, grids)`: the float32 logits of one picture's masks, all levels."""
    for canvas, grids, expected in [
        ((800, 1216), (40, 36, 24, 16, 12), 745_408_000),
        ((64, 64), (1, 1, 1, 1, 1), 4 * (256 + 256 + 64 + 16 + 16)),
        ((128, 64), (4, 3, 2, 2, 1), 4 * (25 * 512 + 4 * 128 + 5 * 32)),
    ]:
        given = answer(canvas, grids)
        assert given == expected, (
            f"canvas {canvas} with the grids {tuple(grids)} has {expected:,} bytes of mask logits, "
            f"not {given:,}: strides are 8, 8, 16, 32, 32, and masks are twice as large as their level."
        )
