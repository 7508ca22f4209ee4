"""Which cell is to find which object, on which level, with which mask (SOLO, section 3.3).

An object belongs to the levels whose range its size falls into, and there to the cells that its *centre
region* touches: a box around the centre of mass of its mask, `sigma` times as wide and high as its own box,
and never more than 3 × 3 cells.

    B     images in the batch
    N     instances of one image
    S     cells along one side of a level's grid; the grid covers the whole padded canvas
    P     positive cells
    H, W  height and width of one image
    h, w  height and width of a level's masks
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lessons.solo.cells import (
    SIGMA,
    Assignment,
    Instances,
    Size,
    assign_level,
    cell_of,
    centre_cells,
    centres_of_mass,
    instances_of,
)

__all__ = [
    "SCALE_RANGES",
    "SIGMA",
    "Assignment",
    "Instances",
    "LevelTarget",
    "Size",
    "assign",
    "assign_level",
    "batch_targets",
    "cell_of",
    "centre_cells",
    "centres_of_mass",
    "instances_of",
    "subsample",
    "without_crowds",
]

SCALE_RANGES = ((1.0, 96.0), (48.0, 192.0), (96.0, 384.0), (192.0, 768.0), (384.0, 2048.0))


@dataclass(frozen=True)
class LevelTarget:
    """One level, all images of a batch.

    Attributes:
        labels: (B, S, S) int64, 0 is background.
        images: (P,) int64, the image of each positive cell.
        cells: (P,) int64, its number in the grid, counted row by row.
        masks: (P, h, w) bool, what is to be found there.
    """

    labels: Tensor
    images: Tensor
    cells: Tensor
    masks: Tensor


def assign(
    boxes: Tensor,
    labels: Tensor,
    masks: Tensor,
    canvas: Size,
    grids: Sequence[int],
    scale_ranges: Sequence[tuple[float, float]] = SCALE_RANGES,
    sigma: float = SIGMA,
) -> list[Assignment]:
    """The cells of one image's objects, one entry per level.

    Args:
        boxes: (N, 4) float32 xyxy, half-open. N may be 0.
        labels: (N,) int64, 1..C.
        masks: (N, H, W) bool.
        canvas: (height, width) of the padded batch. The same picture has other cells in another batch.
        grids: S of each level.
        scale_ranges: from and to which size (the root of the box's area, in pixels), both included, an
            object belongs to the level. They overlap: most objects are on two levels.
        sigma: size of the centre region in terms of the object's box.
    """
    instances = instances_of(boxes, labels, masks)
    return [
        assign_level(instances, canvas, grid, scale_range, sigma)
        for grid, scale_range in zip(grids, scale_ranges, strict=True)
    ]


def subsample(masks: Tensor, factor: int, size: Size) -> Tensor:
    """The masks at 1 / factor of their size: (N, H, W) bool -> (N, *size) bool.

    A new pixel is True where at least two of the four old pixels around its centre are, which is what
    bilinear resizing of 0 and 1 gives, rounded. Nothing is averaged over all old pixels: a thin object can
    vanish. Masks are taken to go on with False to the right and below.

    Args:
        factor: an even number.
        size: (h, w) of the result.
    """
    return _subsample(masks, torch.arange(len(masks), device=masks.device), factor, size)


def batch_targets(
    targets: Sequence[dict[str, Any]],
    canvas: Size,
    grids: Sequence[int],
    mask_sizes: Sequence[Size],
    scale_ranges: Sequence[tuple[float, float]] = SCALE_RANGES,
    sigma: float = SIGMA,
) -> list[LevelTarget]:
    """The targets of a batch, one entry per level.

    Args:
        targets: one dict per image: boxes, labels, masks, and iscrowd if there is any: crowds are left out,
            and so are background.
        mask_sizes: (h, w) of each level's masks, as the head gives them; the rest as in `assign`.
    """
    targets = [without_crowds(target) for target in targets]
    instances = [instances_of(target["boxes"], target["labels"], target["masks"]) for target in targets]
    masks = [target["masks"] for target in targets]
    levels = zip(grids, scale_ranges, mask_sizes, strict=True)
    return [
        _level_target([assign_level(i, canvas, grid, limits, sigma) for i in instances], masks, canvas, size)
        for grid, limits, size in levels
    ]


def without_crowds(target: dict[str, Any]) -> dict[str, Any]:
    """boxes, labels and masks of a target without its crowds, which have no one centre."""
    crowd = target.get("iscrowd")
    names = ("boxes", "labels", "masks")
    if crowd is None or not crowd.any():
        return {name: target[name] for name in names}
    return {name: target[name][crowd == 0] for name in names}


def _level_target(
    assignments: list[Assignment], masks: list[Tensor], canvas: Size, size: Size
) -> LevelTarget:
    """One assignment and the masks (N, H, W) of each image -> the level's target."""
    factor = canvas[0] // size[0]
    small = [
        _subsample(mask, assignment.instances, factor, size)
        for mask, assignment in zip(masks, assignments, strict=True)
    ]
    images = [torch.full_like(one.cells, number) for number, one in enumerate(assignments)]
    return LevelTarget(
        labels=torch.stack([one.labels for one in assignments]),
        images=torch.cat(images),
        cells=torch.cat([one.cells for one in assignments]),
        masks=torch.cat(small),
    )


def _subsample(masks: Tensor, instances: Tensor, factor: int, size: Size) -> Tensor:
    """`subsample` of the masks of those instances (P,), which may repeat: (P, *size) bool."""
    present, place = instances.unique(return_inverse=True)  # only these are made, and each once
    count = torch.zeros(len(present), *size, dtype=torch.uint8, device=masks.device)
    middle = factor // 2
    for row in (middle - 1, middle):
        for column in (middle - 1, middle):
            corner = masks[:, row::factor, column::factor][present]  # (., ≤ h, ≤ w)
            count[:, : corner.shape[1], : corner.shape[2]] += corner
    return (count >= 2)[place]
