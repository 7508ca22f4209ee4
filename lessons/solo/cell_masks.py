"""The masks of some cells only, made when asked for.

K     candidates: pairs of a cell and a class
P     cells of a level with a candidate
S     cells along one side of a level's grid
h, w  height and width of the finest masks, the canvas / 4
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lessons.solo.decode import Candidates, Size, enlarge_to
from lessons.solo.heads import DecoupledSOLOHead, DecoupledSOLOLightHead, SOLOHead
from lessons.solo.outputs import rows_and_columns

Head = SOLOHead | DecoupledSOLOHead | DecoupledSOLOLightHead


@dataclass(frozen=True)
class CellMasks:
    """Masks of P cells of a level, made when asked for: logits (P, ., .) at half the level's mask size."""

    logits: Tensor
    size: Size

    def soft(self, which: Tensor) -> Tensor:
        """Indices (M,) -> (M, h, w) in [0, 1]."""
        return fill(enlarge_by(self.logits[which], 2).sigmoid_(), self.size)


@dataclass(frozen=True)
class ProductMasks:
    """Masks of P cells of a level as products: probabilities x, y (., h, w), and which two a cell has."""

    x: Tensor
    y: Tensor
    columns: Tensor
    rows: Tensor

    def soft(self, which: Tensor) -> Tensor:
        """Indices (M,) -> (M, h, w) in [0, 1]."""
        return self.x[self.columns[which]].mul_(self.y[self.rows[which]])


@dataclass(frozen=True)
class ImageMasks:
    """Masks of the candidates' cells of all levels of one image, numbered through.

    Attributes:
        makers: level -> its masks, for the levels that have candidates.
        levels: (P,) int64, the level of each cell, ascending.
        places: (P,) int64, the cell's index within its level.
        size: (h, w).
    """

    makers: dict[int, CellMasks | ProductMasks]
    levels: Tensor
    places: Tensor
    size: Size

    def soft(self, which: Tensor) -> Tensor:
        """Indices (M,) -> (M, h, w) in [0, 1]."""
        parts = [
            (mine, maker.soft(self.places[which[mine]]))
            for level, maker in self.makers.items()
            if len(mine := (self.levels[which] == level).nonzero().squeeze(1))
        ]
        if len(parts) == 1:  # the ordinary case for a few neighbours: nothing to put together
            return parts[0][1]
        soft = torch.zeros(len(which), *self.size, device=which.device)
        for mine, masks in parts:
            soft[mine] = masks.float()
        return soft


def make_masks(head: Head, levels: Sequence[Tensor], candidates: Candidates) -> tuple[ImageMasks, Tensor]:
    """The masks of the candidates' cells, each cell once; and which of them is each candidate's, (K,)."""
    size = (2 * levels[0].shape[-2], 2 * levels[0].shape[-1])
    pairs = torch.stack([candidates.levels, candidates.cells], dim=1)  # (K, 2)
    pairs, place = pairs.unique(dim=0, return_inverse=True)  # (P, 2), by level and cell
    counts = torch.bincount(pairs[:, 0], minlength=len(levels)).tolist()
    cells = pairs[:, 1].split(counts)
    makers = {
        number: masks_of_cells(head, number, level, cells[number], size)
        for number, level in enumerate(levels)
        if counts[number]  # the mask tower of a level without candidates never runs
    }
    places = torch.cat([torch.arange(count, device=pairs.device) for count in counts])
    return ImageMasks(makers, pairs[:, 0], places, size), place


def masks_of_cells(
    head: Head, number: int, level: Tensor, cells: Tensor, size: Size
) -> CellMasks | ProductMasks:
    """The mask branch of one level for some cells only.

    Args:
        number: of the level. level: its features (1, channels_in, h/2, w/2). cells: (P,), at least one.
    """
    if isinstance(head, SOLOHead):
        predictor = head.masks[number]
        logits = F.conv2d(head.mask_features(level), predictor.weight[cells], predictor.bias[cells])
        return CellMasks(logits.squeeze(0), size)
    features_x, features_y = head.mask_features(level)
    rows, columns = rows_and_columns(cells, head.grids[number])
    rows, row_of = rows.unique(return_inverse=True)
    columns, column_of = columns.unique(return_inverse=True)
    x = fill(predict_enlarged(head.masks_x[number], features_x, columns).sigmoid_(), size)
    y = fill(predict_enlarged(head.masks_y[number], features_y, rows).sigmoid_(), size)
    return ProductMasks(x, y, column_of, row_of)


def predict_enlarged(predictor: nn.Conv2d, features: Tensor, channels: Tensor) -> Tensor:
    """`predictor(enlarge(features))[0, channels]`, with the prediction before the enlarging.

    Args:
        predictor: a 3 × 3 convolution with padding 1.
        features: (1, C, h, w).
        channels: (N,) int64.

    Returns:
        (N, 2h, 2w).
    """
    weights = predictor.weight[channels]  # (N, C, 3, 3)
    taps = weights.permute(2, 3, 0, 1).flatten(0, 2)[..., None, None]  # (9N, C, 1, 1)
    answers = enlarge_by(F.conv2d(features, taps).squeeze(0), 2)  # (9N, 2h, 2w)
    answers = answers.unflatten(0, (3, 3, -1))  # (3, 3, N, 2h, 2w)
    height, width = answers.shape[-2:]
    total = answers[1, 1] + predictor.bias[channels][:, None, None]  # (N, 2h, 2w), a tensor of its own
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            if (down, right) != (0, 0):
                # The tap that looks one pixel down adds its answer one pixel up; what looks outside sees 0.
                here, there = _shifted(height, down), _shifted(width, right)
                total[:, here[0], there[0]] += answers[down + 1, right + 1, :, here[1], there[1]]
    return total


def _shifted(length: int, step: int) -> tuple[slice, slice]:
    """Where an axis reads `step` further and stays inside: the places, and what they read."""
    return slice(max(0, -step), length - max(0, step)), slice(max(0, step), length + min(0, step))


def fill(maps: Tensor, size: Size) -> Tensor:
    """`enlarge_to`, which for a whole-number factor is `enlarge_by`."""
    factor = size[0] // maps.shape[1]
    if factor > 1 and (factor * maps.shape[1], factor * maps.shape[2]) == tuple(size):
        return enlarge_by(maps, factor)
    return enlarge_to(maps, size)


def enlarge_by(maps: Tensor, factor: int) -> Tensor:
    """(N, h, w) -> (N, factor · h, factor · w), bilinear; `factor` even.

    A general resizing computes every pixel's neighbours and weights. With a whole factor the weights repeat:
    each of `factor` phases is one mean of the map and the map moved by a pixel. Twice as fast on a CPU.
    """
    return _phases(_phases(maps, factor, dim=1), factor, dim=2)


def _phases(maps: Tensor, factor: int, dim: int) -> Tensor:
    """`enlarge_by` along one side."""
    length = maps.shape[dim]
    before = torch.cat([maps.narrow(dim, 0, 1), maps.narrow(dim, 0, length - 1)], dim)  # the border repeats
    after = torch.cat([maps.narrow(dim, 1, length - 1), maps.narrow(dim, length - 1, 1)], dim)
    larger = maps.new_empty(*maps.shape[: dim + 1], factor, *maps.shape[dim + 1 :])
    for phase in range(factor):
        offset = (phase + 0.5) / factor - 0.5  # of the new pixel's centre from the old one's
        torch.lerp(maps, after if offset > 0 else before, abs(offset), out=larger.select(dim + 1, phase))
    return larger.flatten(dim, dim + 1)
