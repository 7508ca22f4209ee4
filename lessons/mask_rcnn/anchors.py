"""Anchors: the boxes that every place of a feature map starts from (Ren et al., Faster R-CNN, section 3.1.1).

A      anchors at one place: sizes × aspect ratios
h, w   height and width of a feature map
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lessons.errors import LessonsError

Size = tuple[int, int]  # (height, width)


def cell_anchors(sizes: Sequence[float], aspect_ratios: Sequence[float], rounded: bool = False) -> Tensor:
    """The anchors of one place, around the origin: (A, 4), sizes outside, ratios inside.

    Every ratio of one size has the same area: for the ratio r = height / width, width = size / √r and
    height = size · √r.

    Args:
        sizes: √area in pixels of the image.
        aspect_ratios: height / width.
        rounded: to whole pixels, as torchvision does.
    """
    corners = []
    for size in sizes:
        for ratio in aspect_ratios:
            width = size / math.sqrt(ratio)
            height = ratio * width
            corners.append([-width / 2, -height / 2, width / 2, height / 2])
    anchors = torch.tensor(corners, dtype=torch.float32)  # (A, 4)
    return anchors.round() if rounded else anchors


def grid_anchors(cell: Tensor, size: Size, stride: Size, offset: float = 0.0) -> Tensor:
    """The anchors of one place, at every place of a map: (A, 4) -> (h · w · A, 4), by row, column, anchor.

    Args:
        size: (h, w) of the map.
        stride: (vertical, horizontal): pixels of the image from one place to the next.
        offset: of the first place from the image's corner, in strides: 0 is the pixel's corner, 0.5 its
            centre. The official models, trained with 0, expect 0.
    """
    height, width = size
    y = (torch.arange(height, device=cell.device, dtype=torch.float32) + offset) * stride[0]  # (h,)
    x = (torch.arange(width, device=cell.device, dtype=torch.float32) + offset) * stride[1]  # (w,)
    y, x = torch.meshgrid(y, x, indexing="ij")  # (h, w) both
    shifts = torch.stack([x, y, x, y], dim=-1)  # (h, w, 4)
    return (shifts[:, :, None, :] + cell).reshape(-1, 4)  # (h, w, A, 4) -> (h · w · A, 4)


@dataclass(frozen=True)
class Anchors:
    """Which anchors each level has.

    Args:
        sizes: for each level, from the finest on, its sizes √area; a pyramid has one per level.
        aspect_ratios: height / width, the same on all levels.
        rounded: see `cell_anchors`.
        measured_strides: stride = image size // map size, as in torchvision: 61, not 64, where p6 of 800
            pixels has 13 rows. False: the stride of the level.
        offset: see `grid_anchors`.
    """

    sizes: tuple[tuple[float, ...], ...] = ((32,), (64,), (128,), (256,), (512,))
    aspect_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    rounded: bool = False
    measured_strides: bool = False
    offset: float = 0.0

    def __post_init__(self) -> None:
        # A config file has lists.
        object.__setattr__(self, "sizes", tuple(tuple(sizes) for sizes in self.sizes))
        object.__setattr__(self, "aspect_ratios", tuple(self.aspect_ratios))
        counts = {len(sizes) for sizes in self.sizes}
        if len(counts) != 1 or 0 in counts:
            raise LessonsError(f"anchors.sizes={self.sizes!r}: give every level the same number of sizes.")

    @property
    def per_place(self) -> int:
        """A."""
        return len(self.sizes[0]) * len(self.aspect_ratios)

    def of_levels(
        self, levels: Mapping[str, Tensor], strides: Mapping[str, int], padded_size: Size
    ) -> list[Tensor]:
        """The anchors of each level's map (B, C, h, w): (h · w · A, 4) each.

        Raises:
            LessonsError: more or fewer levels than sizes.
        """
        if len(levels) != len(self.sizes):
            raise LessonsError(
                f"There are {len(levels)} levels ({', '.join(levels)}) and anchors for {len(self.sizes)}: "
                "give one entry of sizes for each level."
            )
        anchors = []
        for (name, level), sizes in zip(levels.items(), self.sizes, strict=True):
            height, width = level.shape[-2:]
            stride = strides[name], strides[name]
            if self.measured_strides:
                stride = padded_size[0] // height, padded_size[1] // width
            cell = cell_anchors(sizes, self.aspect_ratios, self.rounded).to(level.device)
            anchors.append(grid_anchors(cell, (height, width), stride, self.offset))
        return anchors
