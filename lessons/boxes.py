"""Boxes: rectangles with sides along the image's, as tensors (N, 4).

A box is (x1, y1, x2, y2) in float pixels, 0-based and half-open: pixel column 0 covers the x from 0 to 1, and
x2 is one past the last column, so that width = x2 - x1 with no "+ 1" anywhere. Sizes are (height, width).

    N, M  boxes
    H, W  height and width of an image
"""

import math

import torch
from torch import Tensor
from torchvision.ops import batched_nms

Weights = tuple[float, float, float, float]  # of dx, dy, dw, dh
# No step enlarges a side by more, or one bad delta would overflow exp: 1000 pixels from an anchor of 16.
MOST_ENLARGED = math.log(1000 / 16)


def area(boxes: Tensor) -> Tensor:
    """Width times height of each box, in pixels: (N, 4) -> (N,). A box turned inside out has area 0."""
    width, height = _sides(boxes)
    return width * height


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of every box of `a` with every box of `b`: (N, 4), (M, 4) -> (N, M) in [0, 1].

    Two boxes without area have nothing to share: their IoU is 0, not 0/0.
    """
    top_left = torch.maximum(a[:, None, :2], b[None, :, :2])  # (N, M, 2)
    bottom_right = torch.minimum(a[:, None, 2:], b[None, :, 2:])  # (N, M, 2)
    intersection = (bottom_right - top_left).clamp(min=0).prod(dim=-1)  # (N, M)
    union = area(a)[:, None] + area(b)[None, :] - intersection  # (N, M)
    # Rounding can leave the intersection of two equal boxes a hair above their union.
    return torch.where(union > 0, intersection / union, torch.zeros_like(union)).clamp(max=1)


def from_masks(masks: Tensor) -> Tensor:
    """The tightest box around each mask: (N, H, W) bool -> (N, 4) float32. An empty mask gives zeros."""
    if masks.numel() == 0:
        return torch.zeros(len(masks), 4, device=masks.device)
    x1, x2 = _first_and_past_last(_any(masks, dim=1))  # the columns that hold a pixel: (N, W)
    y1, y2 = _first_and_past_last(_any(masks, dim=2))  # the rows that hold a pixel: (N, H)
    return torch.stack([x1, y1, x2, y2], dim=1).float()  # (N, 4)


def from_xywh(boxes: Tensor) -> Tensor:
    """COCO's (x, y, width, height) -> (x1, y1, x2, y2), both (N, 4)."""
    return torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], dim=1)


def to_xywh(boxes: Tensor) -> Tensor:
    """(x1, y1, x2, y2) -> COCO's (x, y, width, height), both (N, 4)."""
    return torch.cat([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], dim=1)


def from_voc(boxes: Tensor) -> Tensor:
    """The numbers of a VOC XML -> ours, both (N, 4).

    VOC counts pixels from 1 and names the first and the last pixel *inside* the box (VOC development kit,
    section on annotations). Counted from 0 both come one earlier; and the last pixel ends one after where it
    starts. So: x1 - 1, y1 - 1, x2, y2.
    """
    return boxes - boxes.new_tensor([1, 1, 0, 0])


def scale(boxes: Tensor, from_size: tuple[int, int], to_size: tuple[int, int]) -> Tensor:
    """The boxes (N, 4) of an image of `from_size` (height, width), on that image resized to `to_size`."""
    y = to_size[0] / from_size[0]
    x = to_size[1] / from_size[1]
    return boxes * boxes.new_tensor([x, y, x, y])


def flip(boxes: Tensor, width: float) -> Tensor:
    """The boxes (N, 4) after an image of that width is mirrored; the old right edge is the new left."""
    x1, y1, x2, y2 = boxes.unbind(dim=-1)
    return torch.stack([width - x2, y1, width - x1, y2], dim=-1)


def clip(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """The part of each box (N, 4) inside an image of `size` (height, width); a box outside keeps no area."""
    height, width = size
    x1, y1, x2, y2 = boxes.unbind(dim=-1)
    return torch.stack(
        [x1.clamp(0, width), y1.clamp(0, height), x2.clamp(0, width), y2.clamp(0, height)], dim=-1
    )


def encode(boxes: Tensor, anchors: Tensor, weights: Weights = (1.0, 1.0, 1.0, 1.0)) -> Tensor:
    """The step from each anchor to its box, as deltas (dx, dy, dw, dh): (N, 4), (N, 4) -> (N, 4).

    dx = (x - x_a) / w_a and dw = log(w / w_a), x the centre and w the width; dy and dh likewise (Girshick et
    al., "Rich feature hierarchies", CVPR 2014, appendix C). So a step means the same for a small anchor and a
    large one. The weights bring the four to the same spread: (10, 10, 5, 5) in the box head.
    """
    x, y, width, height = _centres_and_sides(boxes)
    anchor_x, anchor_y, anchor_width, anchor_height = _centres_and_sides(anchors)
    wx, wy, ww, wh = weights
    return torch.stack(
        [
            wx * (x - anchor_x) / anchor_width,
            wy * (y - anchor_y) / anchor_height,
            ww * torch.log(width / anchor_width),
            wh * torch.log(height / anchor_height),
        ],
        dim=-1,
    )


def decode(deltas: Tensor, anchors: Tensor, weights: Weights = (1.0, 1.0, 1.0, 1.0)) -> Tensor:
    """Take the steps: deltas (..., 4) from anchors (..., 4) give boxes (..., 4). `encode`, backwards.

    dw and dh count at most log(1000 / 16), so that no side grows more than 62.5 times.
    """
    x, y, width, height = _centres_and_sides(anchors)
    dx, dy, dw, dh = (delta / weight for delta, weight in zip(deltas.unbind(-1), weights, strict=True))
    x, y = x + dx * width, y + dy * height
    width = width * torch.exp(dw.clamp(max=MOST_ENLARGED))
    height = height * torch.exp(dh.clamp(max=MOST_ENLARGED))
    return torch.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], dim=-1)


def nms(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Non-maximum suppression: of boxes that overlap, the best stays. (N, 4), (N,) -> (K,) int64 indices.

    The best box is kept, all that overlap it by more than the threshold go, and so on with what is left. Kept
    ones come with descending score. The plain form, one loop, of `torchvision.ops.nms`.
    """
    order = scores.argsort(descending=True, stable=True)  # (N,)
    overlaps = iou(boxes, boxes)[order][:, order] > threshold  # (N, N), best first
    alive = torch.ones(len(boxes), dtype=torch.bool, device=boxes.device)
    for best in range(len(boxes)):
        if alive[best]:
            alive[best + 1 :] &= ~overlaps[best, best + 1 :]
    return order[alive]


def nms_within_groups(boxes: Tensor, scores: Tensor, groups: Tensor, threshold: float) -> Tensor:
    """NMS in which only boxes of one group meet: of one class, or of one level. groups (N,) int64.

    torchvision's, which moves every group to a place of its own and suppresses once: on the order of a
    thousandth of a pixel is lost in moving, so that a pair exactly at the threshold can go either way.
    """
    return batched_nms(boxes, scores, groups, threshold)


def _centres_and_sides(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x, y of the centre, width, height; each (...)."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    width, height = x2 - x1, y2 - y1
    return x1 + width / 2, y1 + height / 2, width, height


def _sides(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Width and height of each box, (N,) both, never negative."""
    return (boxes[:, 2] - boxes[:, 0]).clamp(min=0), (boxes[:, 3] - boxes[:, 1]).clamp(min=0)


def _any(masks: Tensor, dim: int) -> Tensor:
    """`masks.any(dim)`. NumPy, which shares the memory, is ten times as fast at it on a CPU as torch."""
    return masks.any(dim) if masks.device.type != "cpu" else torch.from_numpy(masks.numpy().any(axis=dim))


def _first_and_past_last(filled: Tensor) -> tuple[Tensor, Tensor]:
    """Of each row of (N, L) bool: the index of its first True, and one past its last; (0, 0) without any."""
    numbers = filled.to(torch.uint8)  # argmax does not know bool; it finds the first of equal maxima
    length = filled.shape[1]
    some = filled.any(dim=1)
    first = numbers.argmax(dim=1)  # (N,)
    past_last = length - numbers.flip(1).argmax(dim=1)  # (N,)
    return first * some, past_last * some
