"""Checkers of lesson 16: a doubled row, cells in doubt, the number of answers, a layer before the reading."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from lessons.point_rend.points import point_sample
from lessons.point_rend.subdivision import subdivide


def check_double_row(answer: Callable[[Tensor], Tensor]) -> None:
    """`double_row(row)`: on noise, and of a single cell."""
    for length in (2, 1, 3, 7):
        row = torch.randn(length, generator=torch.Generator().manual_seed(length)) * 3
        expected = F.interpolate(row[None, None], scale_factor=2, mode="linear", align_corners=False)[0, 0]
        given = answer(row.clone())
        assert given.shape == (2 * length,), (
            f"{length} cells become {2 * length}, not {tuple(given.shape)}: each becomes two."
        )
        wrong = (given - expected).abs()
        at = int(wrong.argmax())
        assert wrong[at] < 1e-4, (
            f"of {length} cells doubled, number {at} is {expected[at]:.3f}, not {given[at]:.3f}: ¾ of its "
            "own cell and ¼ of the neighbour on its side; where there is none, the cell's own value."
        )


def check_cells_in_doubt(answer: Callable[[Tensor, int], list[tuple[int, int]]]) -> None:
    """`cells_in_doubt(logits, count)`: also more than there are; logits of both signs."""
    for height, width, count in [(2, 2, 1), (3, 5, 4), (6, 4, 9), (2, 3, 10)]:
        draw = torch.Generator().manual_seed(height)
        logits = torch.randn(height, width, generator=draw) * 4
        order = logits.abs().flatten().argsort().tolist()[:count]
        expected = [divmod(cell, width) for cell in order]
        given = [(int(row), int(column)) for row, column in answer(logits.clone(), count)]
        assert len(given) == len(expected), (
            f"{count} of {height * width} cells: {len(expected)} are to be had, not {len(given)}."
        )
        assert given == expected, (
            f"on a map of {height}×{width} the {count} in doubt begin with {expected[:3]}, not {given[:3]}: "
            "(row, column), the logit nearest to 0 first, whatever its sign."
        )


def check_answers_needed(answer: Callable[[int, int, int], int]) -> None:
    """`answers_needed(side, steps, count)`: against `subdivide`, which counts what it asks."""
    for side, steps, count in [
        (7, 5, 784), (28, 3, 784), (28, 0, 784), (7, 5, 783), (7, 2, 10_000), (7, 0, 1), (4, 3, 20),
        (14, 4, 196),
    ]:  # fmt: skip
        asked: list[int] = []

        def ask(points: Tensor, asked: list[int] = asked) -> Tensor:
            asked.append(points.shape[1])
            return torch.zeros(1, 1, points.shape[1])

        subdivide(ask, torch.tensor([1]), side, steps, count)
        given = answer(side, steps, count)
        assert given == sum(asked), (
            f"from {side}×{side}, {steps} steps, N = {count}: {sum(asked)} answers ({asked}), not {given}. "
            "Steps that would ask everywhere are skipped; the start asks every cell, each step N."
        )


def check_layer_first(answer: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> None:
    """`layer_first(level, weight, bias, points)`: inside, at the rim, and outside of the map."""
    draw = torch.Generator().manual_seed(4)
    level, weight = torch.randn(3, 4, 5, generator=draw), torch.randn(2, 3, generator=draw)
    bias, points = torch.tensor([5.0, -2.0]), torch.rand(40, 2, generator=draw)
    points[:4] = torch.tensor([[0.0, 0.5], [0.5, 1.0], [1.3, 0.2], [0.97, 0.03]])
    expected = weight @ point_sample(level[None], points[None])[0] + bias[:, None]
    given = answer(level.clone(), weight.clone(), bias.clone(), points.clone())
    assert given.shape == expected.shape, f"the answer is (2, 40), not {tuple(given.shape)}."
    worst = (given - expected).abs().amax(dim=0)
    inside = ((points > 0.2) & (points < 0.8)).all(dim=1)
    assert worst[inside].max() < 1e-4, (
        f"inside the map it is off by {worst[inside].max():.2f}: apply the weights to each pixel, then read "
        "the outcome at the points."
    )
    assert worst.max() < 1e-4, (
        f"inside the map it is right, at the rim off by {worst.max():.2f}: there the weights of the reading "
        "sum to less than one, so the bias is to be added after it."
    )
