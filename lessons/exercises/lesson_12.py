"""Checkers of lesson 12: a value between pixels, the places of samples, the level of a box, a map's scale."""

from collections.abc import Callable

import torch
from torch import Tensor

from lessons.mask_rcnn.roi_align import Pooler, bilinear, sampling_points


def check_value_between(answer: Callable[[Tensor, float, float], float]) -> None:
    """`value_between(level, x, y)`: on noise, also on pixels' middles and on the last row and column."""
    level = torch.rand(5, 7, generator=torch.Generator().manual_seed(2)) * 9
    for x, y in [(2.0, 3.0), (1.25, 2.0), (4.0, 0.5), (3.3, 1.6), (0.0, 0.0), (6.0, 4.0), (5.75, 3.9)]:
        expected = bilinear(level[None], torch.tensor(x), torch.tensor(y)).item()
        given = float(answer(level, x, y))
        assert abs(given - expected) < 1e-3, (
            f"at column {x} and row {y} the map is {expected:.3f}, not {given:.3f}: the four pixels around "
            "count by how near they are, x across and y down."
        )


def check_sample_places(answer: Callable[[float, float, int, int, int], list[float]]) -> None:
    """`sample_places(start, end, stride, side, n)`: aligned, any bins and any number of samples."""
    for start, end, stride, side, n in [
        (16, 48, 16, 1, 1),
        (12, 44, 16, 2, 2),
        (0, 9, 4, 3, 1),
        (7, 300, 8, 7, 3),
    ]:
        box = torch.tensor([start, 0.0, end, stride])
        expected = sampling_points(box, side, 1 / stride, n)[0][0, :, 0].tolist()
        given = [float(place) for place in answer(float(start), float(end), stride, side, n)]
        assert len(given) == side * n, f"{side} bins of {n} samples are {side * n} places, not {len(given)}."
        worst = max(abs(a - b) for a, b in zip(given, expected, strict=True))
        assert worst < 1e-4, (
            f"from {start} to {end}, stride {stride}, {side} bins of {n}: the first place is "
            f"{expected[0]:.3f}, not {given[0]:.3f}, and some place is off by {worst:.3f}. Index 0 is the "
            "middle of the first map pixel, and the samples of a bin lie in the middle of equal parts of it."
        )


def check_level_of_box(answer: Callable[[tuple[float, float, float, float]], int]) -> None:
    """`level_of_box(box)`: on both sides of each boundary, clamped, and without area."""
    for width, height in [
        (10, 10), (111, 111), (112, 112), (200, 200), (223, 223), (224, 224), (112, 448), (330, 330),
        (447, 447), (448, 448), (900, 1200), (0, 50), (-5, 20),
    ]:  # fmt: skip
        box = (30.0, 40.0, 30.0 + width, 40.0 + height)
        expected = int(Pooler(7).level_of(torch.tensor([box]))) + 2
        given = answer(box)
        assert given == expected, (
            f"a box of {width}×{height} is read from level {expected}, not {given}: 4 + log2(√area / 224), "
            "rounded down, then clamped to 2 … 5."
        )


def check_scale_of_map(answer: Callable[[int, int], float]) -> None:
    """`scale_of_map(map_side, image_side)`: exact, a hair above and a hair below the power of two."""
    for map_side, image_side, stride in [
        (25, 800, 32), (26, 810, 32), (25, 801, 32), (50, 810, 16), (51, 810, 16), (203, 810, 4),
        (24, 799, 32),
    ]:  # fmt: skip
        given = float(answer(map_side, image_side))
        assert given == 1 / stride, (
            f"a map of {map_side} for an image of {image_side} has the scale 1/{stride}, not "
            f"{given:.4f}: round the logarithm to the nearest whole number."
        )
