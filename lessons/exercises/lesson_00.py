"""Checkers of the exercises of lesson 00.

N     instances of a picture
H, W  its height and width
"""

from collections.abc import Callable

import torch
from torch import Tensor

from lessons import boxes as box_geometry
from lessons import masks as mask_geometry

# Two objects that share no pixel: an L of five pixels and a bar of two.
TINY = torch.tensor([[1, 0, 0, 2], [1, 0, 0, 2], [1, 1, 1, 0]], dtype=torch.uint8)


def check_count_pixels(answer: Callable[[Tensor], Tensor]) -> None:
    """`count_pixels(masks (N, H, W) bool) -> (N,)`: the number of pixels of each mask."""
    masks = mask_geometry.from_indices(TINY)[1]
    _require_counts(answer(masks.clone()), [5, 2])
    _require_counts(answer(torch.cat([masks, torch.zeros_like(masks[:1])])), [5, 2, 0])
    _require_counts(answer(torch.ones(1, 40, 30, dtype=torch.bool)), [1200])
    _require_counts(answer(torch.zeros(0, 3, 4, dtype=torch.bool)), [])


def _require_counts(found: Tensor, expected: list[int]) -> None:
    _require_shape(found, (len(expected),), "one number for each mask")
    assert found.tolist() == expected, f"the masks have {expected} pixels, and the answer is {found.tolist()}"


def check_class_map(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`class_map(masks (N, H, W) bool, labels (N,)) -> (H, W) int64`: each pixel's class, 0 for none."""
    indices = TINY  # (3, 4)
    masks = mask_geometry.from_indices(indices)[1]  # (2, 3, 4)
    for labels in ([15, 15], [1, 20], [20, 1]):
        found = answer(masks.clone(), torch.tensor(labels))
        _require_shape(found, (3, 4), "one number for each pixel")
        assert found.dtype == torch.int64, f"classes are whole numbers: int64, not {str(found.dtype)[6:]}"
        assert not found[indices == 0].any(), "a pixel of no object is background: 0"
        for number, label in enumerate(labels, start=1):
            assert (found[indices == number] == label).all(), (
                f"the pixels of object {number} have the class {label}: write its label, not its number"
            )
    nothing = answer(torch.zeros(0, 3, 4, dtype=torch.bool), torch.zeros(0, dtype=torch.int64))
    _require_shape(nothing, (3, 4), "a picture without objects still has its size")
    assert not nothing.any(), "a picture without objects is background everywhere: 0"


def check_box_iou(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`box_iou(a (4,), b (4,)) -> ()`: intersection over union of two boxes xyxy, half-open."""
    box = torch.tensor([1.0, 2.0, 5.0, 5.0])
    _require_iou(answer, box, box, "a box shares all of itself with itself")
    inside, half = torch.tensor([0.0, 0, 2, 2]), torch.tensor([1.0, 0, 3, 2])
    _require_iou(answer, inside, half, "these boxes of 2×2 pixels share one column; a width is x2 - x1")
    far = torch.tensor([10.0, 20.0, 14.0, 23.0])
    _require_iou(answer, box, far, "boxes that lie apart share nothing: neither side may become negative")
    beside = torch.tensor([5.0, 2.0, 9.0, 5.0])
    _require_iou(answer, box, beside, "boxes that only touch share no pixel")
    draw = torch.Generator().manual_seed(0)
    corners = torch.rand(50, 2, 2, generator=draw) * 10
    some = torch.cat([corners, corners + 1 + 9 * torch.rand(50, 2, 2, generator=draw)], dim=-1)  # (50, 2, 4)
    for a, b in some:
        _require_iou(answer, a, b, "union = area of a + area of b - intersection")


def _require_iou(answer: Callable[[Tensor, Tensor], Tensor], a: Tensor, b: Tensor, hint: str) -> None:
    found = answer(a.clone(), b.clone())
    assert isinstance(found, Tensor | float | int), (
        f"give back one number, not a {type(found).__name__}: return the IoU"
    )
    expected = float(box_geometry.iou(a[None], b[None]))
    assert abs(float(found) - expected) < 1e-5, (
        f"{_numbers(a)} and {_numbers(b)} have the IoU {expected:.3f}, not {float(found):.3f}: {hint}"
    )


def _require_shape(found: Tensor, expected: tuple[int, ...], hint: str) -> None:
    assert isinstance(found, Tensor), f"give back a tensor, not a {type(found).__name__}: {hint}"
    assert tuple(found.shape) == expected, f"the shape is {tuple(found.shape)} and not {expected}: {hint}"


def _numbers(box: Tensor) -> str:
    return "(" + ", ".join(f"{value:.3g}" for value in box.tolist()) + ")"
