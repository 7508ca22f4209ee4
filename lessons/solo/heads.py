"""SOLO's heads: what is in each cell of a grid, and where its pixels are (Wang et al., "SOLO", ECCV 2020).

The picture is divided into S × S cells. The *category branch* says of every cell which object has its centre
there; the *mask branch* has one channel for every cell, the mask of that object over the whole picture. Five
pyramid levels do so with five grids: fine grids for small objects, coarse grids for large ones.

    B     images
    S     cells along one side of a level's grid
    C     classes, without background
    h, w  height and width of a level's masks: the canvas / 4, 4, 8, 16, 16
    P     (image, cell) pairs

Decoupled SOLO (section 3.5) replaces the S² channels by 2S: a mask is the product of the channel of its
column and the channel of its row.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lessons.backbones import group_norm
from lessons.errors import LessonsError
from lessons.solo.coordinates import append_coordinates
from lessons.solo.outputs import DecoupledOutput, HeadOutput, Output, rows_and_columns

__all__ = [
    "GRIDS",
    "PRIOR",
    "DecoupledOutput",
    "DecoupledSOLOHead",
    "DecoupledSOLOLightHead",
    "HeadOutput",
    "Output",
    "SOLOHead",
    "enlarge",
    "resize_levels",
    "rows_and_columns",
    "tower",
]

GRIDS = (40, 36, 24, 16, 12)
PRIOR = 0.01  # how probable an untrained head takes each class, and each mask pixel, to be


def resize_levels(features: Sequence[Tensor], halve_first: bool = True) -> list[Tensor]:
    """The pyramid's p2 ... p6, strides 4 8 16 32 64, -> the head's five levels, strides 8 8 16 32 32.

    p2 is halved, for its S² masks at twice its size would not fit into memory; the last level takes the size
    of the one before, so that the masks of the largest objects do not become coarser still. Bilinear, aligned
    at the corners of the pictures. Of fewer maps the same: p2 p3 p4 become strides 8 8 8.

    Args:
        halve_first: False leaves p2 as it is: small pictures can afford it, and need it.
    """
    levels = list(features)
    if halve_first:
        height, width = levels[0].shape[-2:]
        levels[0] = _resize(levels[0], (max(1, height // 2), max(1, width // 2)))
    if len(levels) > 1:
        levels[-1] = _resize(levels[-1], levels[-2].shape[-2:])
    return levels


def enlarge(features: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, C, 2h, 2w), bilinear: masks come at twice the size of their level."""
    return _resize(features, (2 * features.shape[-2], 2 * features.shape[-1]))


class _Head(nn.Module):
    """What the three heads share: the grids, the category branch, and the order of work.

    A subclass has a mask branch: `add_mask_branch` makes its layers, `mask_branch(level, features (B, C, h/2,
    w/2))` gives the tensors, and `output(categories, masks)` gathers what all levels gave.
    """

    def __init__(
        self,
        channels_in: int = 256,
        channels: int = 256,
        classes: int = 80,
        grids: Sequence[int] = GRIDS,
        convolutions: int = 7,
        halve_first: bool = True,
        coordinate_gain: float = 1.0,
    ) -> None:
        super().__init__()
        if min(classes, convolutions, *grids) < 1:
            raise LessonsError(
                f"classes={classes}, grids={tuple(grids)} and convolutions={convolutions} must be at least 1."
            )
        self.classes = classes
        self.grids = tuple(grids)
        self.halve_first = halve_first
        self.category_tower = tower(channels_in, channels, convolutions)
        self.category = nn.Conv2d(channels, classes, 3, padding=1)
        self.add_mask_branch(channels_in, channels, convolutions)
        self.initialise()
        self.amplify_coordinates(channels_in, coordinate_gain)

    def forward(self, features: Sequence[Tensor]) -> Output:
        """p2 ... p6, each (B, channels_in, ., .), -> the logits of all levels."""
        levels = self.resize_levels(features)
        categories = [
            self.category_branch(level, grid) for level, grid in zip(levels, self.grids, strict=True)
        ]
        return self.output(categories, [self.mask_branch(i, level) for i, level in enumerate(levels)])

    def resize_levels(self, features: Sequence[Tensor]) -> list[Tensor]:
        """See the function `resize_levels`.

        Raises:
            LessonsError: another number of feature maps than of grids.
        """
        if len(features) != len(self.grids):
            raise LessonsError(
                f"The head has {len(self.grids)} grids and got {len(features)} maps: give one for each."
            )
        return resize_levels(features, self.halve_first)

    def category_branch(self, features: Tensor, grid: int) -> Tensor:
        """(B, channels_in, ., .) -> (B, C, S, S). The map is squeezed into the grid before all else."""
        squeezed = _resize(features, (grid, grid))  # (B, channels_in, S, S)
        return self.category(self.category_tower(squeezed))

    def initialise(self) -> None:
        """Small weights, and biases by which every answer starts at "no" (Lin et al. 2017, focal loss)."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.01)
                if module.bias is not None:  # a predictor: tower convolutions have none
                    nn.init.constant_(module.bias, -math.log((1 - PRIOR) / PRIOR))

    @torch.no_grad()
    def amplify_coordinates(self, channels_in: int, gain: float) -> None:
        """Begin with larger weights for x and y, which else are one or two quiet voices among many channels.

        A mask channel must tell one place from all others; with few pictures to learn from, how loud the
        coordinates begin decides how soon it does.
        """
        for name, module in self.named_children():
            if name.startswith("mask_tower"):
                module[0][0].weight[:, channels_in:] *= gain


class SOLOHead(_Head):
    """One mask channel per cell (section 3.2).

    Args:
        channels_in: of the pyramid. channels: of the two towers. classes: C. grids: S of each level.
        convolutions: in each tower. halve_first: see `resize_levels`. coordinate_gain: how many times larger
            the weights of the coordinates begin; 1 in the paper.
    """

    def add_mask_branch(self, channels_in: int, channels: int, convolutions: int) -> None:
        self.mask_tower = tower(channels_in + 2, channels, convolutions)
        self.masks = nn.ModuleList(nn.Conv2d(channels, grid**2, 1) for grid in self.grids)

    def mask_features(self, features: Tensor) -> Tensor:
        """What the predictors read: (B, channels_in, h/2, w/2) -> (B, channels, h/2, w/2)."""
        return self.mask_tower(append_coordinates(features))

    def mask_branch(self, level: int, features: Tensor) -> Tensor:
        """(B, channels_in, h/2, w/2) -> (B, S², h, w)."""
        return self.masks[level](enlarge(self.mask_features(features)))

    def output(self, categories: list[Tensor], masks: list[Tensor]) -> HeadOutput:
        return HeadOutput(categories, masks)


class _DecoupledHead(_Head):
    """What both decoupled heads share: a predictor for columns and one for rows on every level."""

    def add_mask_branch(self, channels_in: int, channels: int, convolutions: int) -> None:
        self.masks_x = nn.ModuleList(nn.Conv2d(channels, grid, 3, padding=1) for grid in self.grids)
        self.masks_y = nn.ModuleList(nn.Conv2d(channels, grid, 3, padding=1) for grid in self.grids)

    def mask_branch(self, level: int, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, channels_in, h/2, w/2) -> masks_x and masks_y, both (B, S, h, w)."""
        features_x, features_y = self.mask_features(features)
        return self.masks_x[level](enlarge(features_x)), self.masks_y[level](enlarge(features_y))

    def output(self, categories: list[Tensor], masks: list[tuple[Tensor, Tensor]]) -> DecoupledOutput:
        return DecoupledOutput(categories, [x for x, _ in masks], [y for _, y in masks])


class DecoupledSOLOHead(_DecoupledHead):
    """A tower that knows x for the columns, and one that knows y for the rows (section 3.5).

    Args: as `SOLOHead`.
    """

    def add_mask_branch(self, channels_in: int, channels: int, convolutions: int) -> None:
        super().add_mask_branch(channels_in, channels, convolutions)
        self.mask_tower_x = tower(channels_in + 1, channels, convolutions)
        self.mask_tower_y = tower(channels_in + 1, channels, convolutions)

    def mask_features(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """What the predictors of x and of y read: twice (B, channels, h/2, w/2)."""
        return (
            self.mask_tower_x(append_coordinates(features, "x")),
            self.mask_tower_y(append_coordinates(features, "y")),
        )


class DecoupledSOLOLightHead(_DecoupledHead):
    """One tower with both coordinates for columns and rows alike, and fewer convolutions.

    Args: as `SOLOHead`.
    """

    def __init__(
        self,
        channels_in: int = 256,
        channels: int = 256,
        classes: int = 80,
        grids: Sequence[int] = GRIDS,
        convolutions: int = 4,
        halve_first: bool = True,
        coordinate_gain: float = 1.0,
    ) -> None:
        super().__init__(channels_in, channels, classes, grids, convolutions, halve_first, coordinate_gain)

    def add_mask_branch(self, channels_in: int, channels: int, convolutions: int) -> None:
        super().add_mask_branch(channels_in, channels, convolutions)
        self.mask_tower = tower(channels_in + 2, channels, convolutions)

    def mask_features(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """What the predictors of x and of y read: the same (B, channels, h/2, w/2) twice."""
        shared = self.mask_tower(append_coordinates(features))
        return shared, shared


def tower(channels_in: int, channels: int, convolutions: int) -> nn.Sequential:
    """3×3 convolutions, each with GroupNorm and ReLU: (B, channels_in, ., .) -> (B, channels, ., .)."""
    blocks = []
    for number in range(convolutions):
        inputs = channels_in if number == 0 else channels
        convolution = nn.Conv2d(inputs, channels, 3, padding=1, bias=False)
        blocks.append(nn.Sequential(convolution, group_norm(channels), nn.ReLU(inplace=True)))
    return nn.Sequential(*blocks)


def _resize(features: Tensor, size: Sequence[int]) -> Tensor:
    """(B, C, ., .) -> (B, C, *size): bilinear, pixel areas aligned, nothing averaged."""
    return F.interpolate(features, size=tuple(size), mode="bilinear", align_corners=False)
