"""Checkers of lesson 04: the levels of an object, its centre, the cells it touches, masks made small."""

from collections.abc import Callable

import torch
from torch import Tensor

from lessons.solo.cells import centre_cells, centres_of_mass
from lessons.solo.targets import SCALE_RANGES, subsample


def check_levels_of(answer: Callable[[tuple[float, float, float, float]], list[int]]) -> None:
    """`levels_of(box)`: the five official ranges, both ends included, sides counted less one pixel."""
    for width, height, expected in [
        (11, 11, [0]), (61, 61, [0, 1]), (97, 97, [0, 1, 2]), (98, 98, [1, 2]), (193, 193, [1, 2, 3]),
        (501, 401, [3, 4]), (1, 200, []), (2, 2, [0]), (2001, 1001, [4]),
    ]:  # fmt: skip
        given = answer((7.0, 3.0, 7.0 + width, 3.0 + height))
        size = ((width - 1) * (height - 1)) ** 0.5
        assert list(given) == expected, (
            f"a box of {width}×{height} counts as √({width - 1} · {height - 1}) = {size:.1f} and is on the "
            f"levels {expected}, not {given}; the ranges are {SCALE_RANGES}, ends included."
        )


def check_centre_of(answer: Callable[[Tensor], tuple[float, float]]) -> None:
    """`centre_of(mask)`: of shapes whose centre of mass is not the middle of their box."""
    for name, cells in {
        "a single pixel": [(2, 5)], "a row": [(1, 1), (1, 2), (1, 3)], "a corner": [(0, 0), (0, 1), (3, 0)],
        "a heavy end": [(4, 0), (4, 6), (4, 7), (3, 7)],
    }.items():  # fmt: skip
        mask = torch.zeros(5, 8, dtype=torch.bool)
        mask[tuple(zip(*cells, strict=True))] = True
        x, y = centres_of_mass(mask[None])[0][0].tolist()
        given = tuple(float(value) for value in answer(mask))
        assert len(given) == 2, f"{name}: give two numbers, x and y."
        assert max(abs(given[0] - x), abs(given[1] - y)) < 1e-4, (
            f"{name}, pixels (row, column) {cells}: the centre is x = {x:.2f}, y = {y:.2f} and not "
            f"x = {given[0]:.2f}, y = {given[1]:.2f}: the mean over all pixels, x first."
        )


def check_touched(answer: Callable[[float, float, float, int], range]) -> None:
    """`touched(centre, half, side, grid)`: one axis; regions in a cell, over lines, capped, at the rim."""
    for centre, half, side, grid in [
        (50, 3, 96, 12), (50, 7, 96, 12), (50, 12, 96, 12), (50, 40, 96, 12), (1, 9, 96, 12), (95, 9, 96, 12),
        (20, 1, 100, 3), (47, 47, 96, 4), (30, 0, 96, 12),
    ]:  # fmt: skip
        points, halves = torch.full((1, 2), float(centre)), torch.full((1, 2), float(half))
        first, last = centre_cells(points, halves, torch.full((2,), float(side)), grid)
        expected = list(range(int(first[0, 0]), int(last[0, 0]) + 1))
        given = list(answer(float(centre), float(half), float(side), grid))
        assert given == expected, (
            f"centre {centre} ± {half} on a side of {side} with {grid} cells touches {expected}, not "
            f"{given}: from one end's cell to the other's, at most one beside the centre's own, none outside."
        )


def check_shrink(answer: Callable[[Tensor, int], Tensor]) -> None:
    """`shrink(mask, factor)` against the package, on noise, so that every pixel counts."""
    generator = torch.Generator().manual_seed(4)
    for factor, size in [(2, (8, 6)), (4, (16, 24)), (8, (32, 16))]:
        mask = torch.rand(size, generator=generator) < 0.4
        expected = subsample(mask[None], factor, (size[0] // factor, size[1] // factor))[0]
        given = answer(mask, factor)
        assert tuple(given.shape) == tuple(expected.shape), (
            f"{size} at 1/{factor} is {tuple(expected.shape)}, not {tuple(given.shape)}."
        )
        assert given.dtype == torch.bool, f"the small mask is {given.dtype}: masks are bool."
        assert torch.equal(given, expected), (
            f"factor {factor}: {int((given != expected).sum())} of {expected.numel()} pixels are wrong. Only "
            "the four old pixels around the new pixel's centre count, and two of them are enough."
        )
