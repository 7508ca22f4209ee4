"""RoIAlign: of a box of any size, a map of one size (He et al., Mask R-CNN, ICCV 2017, section 3).

    R      boxes (regions of interest)
    C      channels
    h, w   height and width of a feature map
    S      side of the result: S × S bins
    n      samples in a bin, in each direction

The box is brought onto the map by dividing its corners by the stride. Each bin of it takes the mean of n × n
samples, each mixed from the four map pixels around it. Nothing is rounded on the way; RoIPool, its
predecessor, rounds the corners and then the bins.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import roi_align as torchvision_roi_align

from lessons import boxes as box_geometry
from lessons.errors import LessonsError


def roi_align(
    level: Tensor,
    boxes: Sequence[Tensor],
    side: int,
    scale: float,
    sampling_ratio: int = 0,
    aligned: bool = True,
) -> Tensor:
    """A map of S × S for each box: (B, C, h, w), B times (R_b, 4) -> (R, C, S, S), by torchvision's kernel.

    Args:
        boxes: of each image, in pixels of the image.
        side: S.
        scale: 1 / stride of the map.
        sampling_ratio: n; 0 takes as many as the bin is wide (high) on the map, rounded up.
        aligned: pixel i of the map lies at i + 1/2, as it should. False: at i, and a box is at least one map
            pixel wide: the first published form, which many weights were trained with.

    See `roi_align_by_hand` for the same, readable.
    """
    # In half precision the box itself would be rounded: bfloat16 has nothing between 900 and 904.
    wide = level.float() if level.dtype in (torch.float16, torch.bfloat16) else level
    boxes = [one.to(wide.dtype) for one in boxes]
    pooled = torchvision_roi_align(
        wide, boxes, side, spatial_scale=scale, sampling_ratio=sampling_ratio or -1, aligned=aligned
    )
    return pooled.to(level.dtype)


def roi_align_by_hand(
    level: Tensor, box: Tensor, side: int, scale: float, sampling_ratio: int = 0, aligned: bool = True
) -> Tensor:
    """`roi_align` of one box in plain tensor operations: (C, h, w), (4,) -> (C, S, S)."""
    points, n = sampling_points(box, side, scale, sampling_ratio, aligned)  # (S · ny, S · nx, 2)
    samples = bilinear(level, points[..., 0], points[..., 1])  # (C, S · ny, S · nx)
    ny, nx = n
    samples = samples.unflatten(2, (side, nx)).unflatten(1, (side, ny))  # (C, S, ny, S, nx)
    return samples.sum(dim=(2, 4)) / max(ny * nx, 1)  # (C, S, S); a box without area may have no sample


def sampling_points(
    box: Tensor, side: int, scale: float, sampling_ratio: int = 0, aligned: bool = True
) -> tuple[Tensor, tuple[int, int]]:
    """Where RoIAlign looks: points (S · ny, S · nx, 2) as (x, y) indices of map pixels, and (ny, nx).

    The index i stands for the middle of map pixel i, as `bilinear` counts. Arguments as in `roi_align`.
    """
    x1, y1, x2, y2 = (float(edge) * scale - (0.5 if aligned else 0.0) for edge in box)
    width, height = x2 - x1, y2 - y1
    if not aligned:
        width, height = max(width, 1.0), max(height, 1.0)
    bin_width, bin_height = width / side, height / side
    nx = sampling_ratio if sampling_ratio > 0 else max(math.ceil(bin_width), 0)
    ny = sampling_ratio if sampling_ratio > 0 else max(math.ceil(bin_height), 0)
    x = x1 + (torch.arange(side * nx, dtype=torch.float64) + 0.5) * bin_width / max(nx, 1)
    y = y1 + (torch.arange(side * ny, dtype=torch.float64) + 0.5) * bin_height / max(ny, 1)
    y, x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([x, y], dim=-1), (ny, nx)


def bilinear(level: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The map's value at points between its pixels: (C, h, w), (...) indices -> (C, ...).

    The four pixels around a point count by how near they are. A point up to one pixel outside takes the value
    at the edge; one further out is 0.
    """
    height, width = level.shape[-2:]
    outside = (x < -1) | (x > width) | (y < -1) | (y > height)
    x, y = x.clamp(0, width - 1).to(level.device), y.clamp(0, height - 1).to(level.device)
    left, top = x.floor().long(), y.floor().long()
    right, bottom = (left + 1).clamp(max=width - 1), (top + 1).clamp(max=height - 1)
    across, down = (x - left).to(level.dtype), (y - top).to(level.dtype)  # 0 to 1
    upper = level[:, top, left] * (1 - across) + level[:, top, right] * across
    lower = level[:, bottom, left] * (1 - across) + level[:, bottom, right] * across
    mixed = upper * (1 - down) + lower * down
    return torch.where(outside.to(level.device), torch.zeros_like(mixed), mixed)


def pooled_bins(box: Tensor, side: int, scale: float) -> Tensor:
    """RoIPool's bins of a box: (S, S, 4), as whole map pixels x1, y1, x2, y2, half-open.

    It rounds the corners to map pixels, and then each bin outwards, so that bins overlap and the box moves by
    up to half a map pixel, which is many pixels of the image (Girshick, Fast R-CNN, ICCV 2015, section 2.1).
    """
    x1, y1, x2, y2 = (math.floor(float(edge) * scale + 0.5) for edge in box)
    width, height = max(x2 - x1 + 1, 1), max(y2 - y1 + 1, 1)  # RoIPool counts the last pixel in
    steps = torch.arange(side, dtype=torch.float64)
    left = x1 + (steps * width / side).floor()  # (S,)
    right = x1 + ((steps + 1) * width / side).ceil()
    top = y1 + (steps * height / side).floor()
    bottom = y1 + ((steps + 1) * height / side).ceil()
    top, left = torch.meshgrid(top, left, indexing="ij")
    bottom, right = torch.meshgrid(bottom, right, indexing="ij")
    return torch.stack([left, top, right, bottom], dim=-1)


@dataclass(frozen=True)
class Pooler:
    """Which level a box is read from, and how.

    Args:
        side: S.
        levels: names of the maps that may be read, the finest first.
        sampling_ratio, aligned: see `roi_align`. torchvision: 2 and False.
        canonical_size, canonical_level: a box of this √area is read from this level (4: p4); one of half the
            size a level below (Lin et al. 2017, equation 1).
        nudge: what keeps a box of exactly a power of two from falling a level too low by rounding: 1e-8
            "inside" the logarithm, or 1e-6 "outside" (torchvision).
    """

    side: int
    levels: tuple[str, ...] = ("p2", "p3", "p4", "p5")
    sampling_ratio: int = 0
    aligned: bool = True
    canonical_size: float = 224.0
    canonical_level: int = 4
    nudge: str = "inside"

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", tuple(self.levels))  # a config file has lists
        if self.nudge not in ("inside", "outside") or not self.levels:
            raise LessonsError(
                f"nudge={self.nudge!r}, levels={self.levels!r}: choose inside or outside, and levels."
            )

    def level_of(self, boxes: Tensor) -> Tensor:
        """The place in `levels` of each box (R, 4): (R,) int64."""
        lowest = int(self.levels[0][1:])
        ratio = box_geometry.area(boxes).sqrt() / self.canonical_size  # (R,)
        if self.nudge == "inside":
            level = torch.floor(self.canonical_level + torch.log2(ratio + 1e-8))
        else:
            level = torch.floor(self.canonical_level + torch.log2(ratio) + 1e-6)
        return level.clamp(lowest, lowest + len(self.levels) - 1).long() - lowest

    def __call__(
        self, levels: Mapping[str, Tensor], strides: Mapping[str, int], boxes: Sequence[Tensor]
    ) -> Tensor:
        """Maps (B, C, h, w) by level, and boxes (R_b, 4) of each image -> (R, C, S, S), image by image."""
        missing = [name for name in self.levels if name not in levels]
        if missing:
            raise LessonsError(
                f"The backbone gives {', '.join(levels)}, not {missing[0]}: change the pooler's levels."
            )
        if len(self.levels) == 1:
            (name,) = self.levels
            return self._align(levels[name], boxes, strides[name])
        places = [self.level_of(one) for one in boxes]
        some = levels[self.levels[0]]
        counts = [len(one) for one in boxes]
        pooled = some.new_zeros(sum(counts), some.shape[1], self.side, self.side)  # (R, C, S, S)
        for number, name in enumerate(self.levels):
            chosen = [place == number for place in places]
            index = torch.cat(chosen).nonzero()[:, 0]
            own = [one[mask] for one, mask in zip(boxes, chosen, strict=True)]
            # Also with no box: then the level gets a gradient of zero, and not none at all.
            pooled = pooled.index_put(
                (index,), self._align(levels[name], own, strides[name]).to(pooled.dtype)
            )
        return pooled

    def _align(self, level: Tensor, boxes: Sequence[Tensor], stride: int) -> Tensor:
        return roi_align(level, boxes, self.side, 1 / stride, self.sampling_ratio, self.aligned)
