"""Checkers of lesson 15: a point's index on a map, the value there, the doubt, the important points."""

from collections.abc import Callable

import torch
from torch import Tensor

from lessons.point_rend.points import point_sample, to_image, uncertainty

Box = tuple[float, float, float, float]


def check_map_index(answer: Callable[[tuple[float, float], Box, int], tuple[float, float]]) -> None:
    """`map_index(point, box, stride)`: anywhere in the box, several strides."""
    for point, box, stride in [
        ((0.5, 0.5), (0.0, 0.0, 8.0, 8.0), 4),
        ((0.25, 0.5), (40.0, 30.0, 100.0, 70.0), 4),
        ((0.0, 1.0), (13.5, 20.25, 50.0, 91.0), 8),
        ((0.9, 0.1), (-6.0, 3.0, 40.0, 33.0), 1),
    ]:
        place = to_image(torch.tensor([[point]]), torch.tensor([box]))[0, 0]
        expected = (place / stride - 0.5).tolist()
        given = [float(part) for part in answer(point, box, stride)]
        assert len(given) == 2, f"a place has a column and a row, and not {len(given)} numbers."
        worst = max(abs(a - b) for a, b in zip(given, expected, strict=True))
        assert worst < 1e-3, (
            f"the point {point} of the box {box} has column {expected[0]:.3f} and row {expected[1]:.3f} on a "
            f"map of stride {stride}, not {given[0]:.3f} and {given[1]:.3f}: to the image, divide by the "
            "stride, and index 0 is the middle of the first map pixel."
        )


def check_value_at(answer: Callable[[Tensor, float, float], float]) -> None:
    """`value_at(level, x, y)`: on noise, at pixels' middles, at and over the rim."""
    level = 1 + torch.rand(4, 6, generator=torch.Generator().manual_seed(4)) * 9
    for x, y in [
        (0.25, 0.375),
        (0.5, 0.5),
        (0.31, 0.77),
        (0.0, 0.5),
        (1.0, 1.0),
        (0.02, 0.98),
        (-0.05, 0.4),
        (1.4, 0.2),
    ]:
        expected = point_sample(level[None, None], torch.tensor([[[x, y]]])).item()
        given = float(answer(level, x, y))
        assert abs(given - expected) < 1e-3, (
            f"at ({x}, {y}) of a 4×6 map the value is {expected:.3f}, not {given:.3f}: the index is "
            "w · x - ½ across and h · y - ½ down, four pixels count, and those outside the map are 0."
        )


def check_doubt_of(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`doubt_of(logits, labels)`: own channel, both signs, one region and none."""
    draw = torch.Generator().manual_seed(6)
    for regions in (3, 1, 0):
        logits = 4 * torch.randn(regions, 5, 7, generator=draw)
        labels = torch.tensor([5, 1, 3])[:regions]
        expected = uncertainty(logits, labels)[:, 0]
        given = answer(logits, labels)
        assert tuple(given.shape) == (regions, 7), (
            f"{regions} regions with 7 points have {regions}×7 doubts, not {tuple(given.shape)}."
        )
        assert torch.allclose(given, expected, atol=1e-5), (
            "the doubt is minus the absolute value of the logit, of the channel label - 1 of each region: a "
            "logit of -3 is as sure as one of +3."
        )


def check_important_points(answer: Callable[[Tensor, Tensor, int, float], Tensor]) -> None:
    """`important_points(candidates, doubt, count, share)`: several regions, any share, none at all."""
    draw = torch.Generator().manual_seed(8)
    candidates, doubt = torch.rand(3, 24, 2, generator=draw), -torch.rand(3, 24, generator=draw)
    for count, share in [(8, 0.75), (8, 1.0), (5, 0.5), (8, 0.0)]:
        kept = int(share * count)
        expected = torch.stack([c[d.topk(kept).indices] for c, d in zip(candidates, doubt, strict=True)])
        given = answer(candidates, doubt, count, share)
        assert tuple(given.shape) == (3, kept, 2), (
            f"of {count} points a share of {share} is {kept} in each of 3 regions; the shape is "
            f"{tuple(given.shape)}."
        )
        assert torch.equal(given, expected), (
            f"for {count} points and a share of {share} other points come out: each region's own candidates, "
            "the greatest doubt first."
        )
