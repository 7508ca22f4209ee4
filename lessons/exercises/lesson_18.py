"""Checkers of lesson 18: IoU in a zone, leaks, a threshold by number, models that no other one beats."""

from collections.abc import Callable

import torch
from torch import Tensor


def check_iou_in_zone(answer: Callable[[Tensor, Tensor, Tensor], float]) -> None:
    """`iou_in_zone(mask, truth, zone)`: random masks, the whole picture, a zone that holds neither."""
    draw = torch.Generator().manual_seed(1)
    for size in ((6, 9), (12, 5), (20, 20)):
        mask, truth, zone = (torch.rand(size, generator=draw) < 0.5 for _ in range(3))
        for where in (zone, torch.ones_like(zone), ~(mask | truth)):
            pixels = [(a, b) for a, b, inside in _pixels(mask, truth, where) if inside]
            either = sum(a or b for a, b in pixels)
            expected = sum(a and b for a, b in pixels) / either if either else 0.0
            given = answer(mask, truth, where)
            assert abs(float(given) - expected) < 1e-6, (
                f"{size[0]}×{size[1]} pixels, {int(where.sum())} in the zone: {expected:.3f}, not "
                f"{float(given):.3f}. Intersection and union are both counted in the zone; of none it is 0."
            )


def _pixels(*masks: Tensor) -> list[tuple[bool, ...]]:
    return list(zip(*(mask.flatten().tolist() for mask in masks), strict=True))


def check_leak(answer: Callable[[Tensor, int, Tensor], float]) -> None:
    """`leak(mask, own, objects)`: neighbours, background, no other object, an empty mask."""
    objects = torch.zeros(3, 6, 12, dtype=torch.bool)
    for number, (left, right) in enumerate([(0, 4), (4, 6), (8, 12)]):
        objects[number, :, left:right] = True
    for left, right, own, columns_on_others in [
        (0, 4, 0, 0), (2, 6, 0, 2), (2, 10, 0, 4), (6, 8, 1, 0), (3, 9, 1, 2), (0, 12, 2, 6), (5, 5, 1, 0),
    ]:  # fmt: skip
        mask = torch.zeros(6, 12, dtype=torch.bool)
        mask[:, left:right] = True
        expected = columns_on_others / max(right - left, 1)
        given = answer(mask, own, objects)
        assert abs(float(given) - expected) < 1e-6, (
            f"a mask of columns {left} to {right}, object {own}: {expected:.3f}, not {float(given):.3f}. "
            "Only other objects count, background does not; the share is one of the mask's own pixels, and 0 "
            "of none."
        )
    alone = answer(objects[0], 0, objects[:1])
    assert float(alone) == 0, f"with no other object nothing leaks, not {float(alone):.3f}."


def check_threshold_for(answer: Callable[[list[Tensor], int], float]) -> None:
    """`threshold_for(scores, count)`: uneven pictures, an empty one, fewer scores than asked for."""
    scores = [torch.tensor([0.9, 0.2]), torch.zeros(0), torch.tensor([0.8, 0.7, 0.6, 0.1])]
    for count, expected in [(1, 0.9), (2, 0.8), (4, 0.6), (6, 0.1), (50, 0.1)]:
        given = float(answer(scores, count))
        assert abs(given - expected) < 1e-6, (
            f"{count} answers of [0.9, 0.2], [], [0.8, 0.7, 0.6, 0.1]: the threshold is {expected}, not "
            f"{given:.3f}. The pictures share one list: some give many answers, some none."
        )


def check_worth_a_look(answer: Callable[[dict[str, tuple[float, float]]], list[str]]) -> None:
    """`worth_a_look(models)`: a middle one that nobody beats, one that is beaten, and equals."""
    cases = [
        ({"a": (0.4, 4.0), "b": (0.3, 2.0), "c": (0.2, 1.0)}, ["a", "b", "c"]),
        ({"a": (0.4, 4.0), "b": (0.3, 5.0), "c": (0.2, 1.0)}, ["a", "c"]),
        ({"a": (0.4, 4.0), "b": (0.4, 3.0)}, ["b"]),
        ({"b": (0.4, 4.0), "a": (0.4, 4.0)}, ["a", "b"]),
        ({"a": (0.1, 9.0)}, ["a"]),
    ]
    for models, expected in cases:
        given = list(answer(models))
        assert given == expected, (
            f"{models}: {expected}, not {given}. A model is beaten if another is at least as good in AP and "
            "in time, and better in one of them; two equal models do not beat each other."
        )
