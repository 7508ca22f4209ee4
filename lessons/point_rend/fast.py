"""The same masks as `mask_branch.PointRendBranch`, in another order of work.

Most of the plain form's products make numbers that are then thrown away. Three facts, exact but for rounding:

* One class of each box is used. The last layer needs that class's row, and maps have one channel, not C.
* Reading a map between its pixels is linear, a weighted sum of four. A linear layer may therefore come first:
  the first layer's columns for the fine features are applied once to every pixel of the map, not at every
  point; the columns for the coarse features once to the s² cells of the box.
* What a point reads of the cells is the same in each layer: s² weights, most of them 0.

Biases are added after the reading: at the border of the map the four weights sum to less than one.

R      regions of all images together, of which `AT_ONCE` are worked on at a time
P      points in a region
C      classes
H      width of the point head's layers
s      side of the coarse mask
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lessons.point_rend.heads import PointHead
from lessons.point_rend.points import regular_grid, to_image
from lessons.point_rend.subdivision import subdivide

if TYPE_CHECKING:
    from lessons.point_rend.mask_branch import PointRendBranch

AT_ONCE = 4  # regions: what they need at a time stays in a processor's cache


class QuickPointRendBranch(nn.Module):
    """Stands where a `PointRendBranch` stood, for inference only, and has its weights.

    Args:
        plain: the branch; kept as `.plain`.
    """

    def __init__(self, plain: "PointRendBranch") -> None:
        super().__init__()
        self.plain = plain

    @torch.no_grad()
    def probabilities(
        self,
        levels: Mapping[str, Tensor],
        strides: Mapping[str, int],
        boxes: Sequence[Tensor],
        labels: Sequence[Tensor],
    ) -> list[Tensor]:
        """As `PointRendBranch.probabilities`: of each image (D, M, M) in [0, 1]."""
        plain, counts = self.plain, [len(one) for one in boxes]
        if not any(counts):
            return plain.probabilities(levels, strides, boxes, labels)
        names = dict.fromkeys(plain.levels + plain.point_levels)
        tables = {name: Table.of(levels[name], strides[name]) for name in names}
        regions = torch.cat(list(boxes)), images_of(counts, boxes[0].device)
        coarse = plain.coarse(self._pooled([tables[name] for name in plain.levels], *regions))  # (R, C, s, s)
        projected = project(plain.point, [tables[name] for name in plain.point_levels])
        parts = zip(*(one.split(AT_ONCE) for one in (*regions, torch.cat(list(labels)), coarse)), strict=True)
        masks = torch.cat([self._masks(projected, *part) for part in parts])  # (R, M, M)
        return list(masks.split(counts))

    def _pooled(self, tables: Sequence["Table"], boxes: Tensor, images: Tensor) -> Tensor:
        """What the coarse head reads, (R, channels, 2s, 2s)."""
        side = 2 * self.plain.side
        points = to_image(regular_grid(len(boxes), side, boxes.device), boxes)  # (R, 4s², 2)
        read = torch.cat([table.at(points, images) for table in tables], dim=2)  # (R, 4s², channels)
        return read.transpose(1, 2).unflatten(2, (side, side))

    def _masks(
        self, projected: Sequence["Table"], boxes: Tensor, images: Tensor, labels: Tensor, coarse: Tensor
    ) -> Tensor:
        """Probabilities (r, M, M) of a few regions."""
        head = CellsHead.of(self.plain.point, coarse, labels)

        def answer(points: Tensor) -> Tensor:
            where = to_image(points, boxes)
            fine = sum(table.at(where, images) for table in projected)  # (r, P, H)
            return head(fine, points)[:, None]  # (r, 1, P)

        plain = self.plain
        logits, _ = subdivide(answer, labels, plain.side, plain.subdivision_steps, plain.subdivision_points)
        return logits[:, 0].float().sigmoid()


@dataclass(frozen=True)
class Table:
    """The pixels of a level's maps, one row of channels each, to be read between pixels.

    Attributes:
        rows: (B · h · w, channels). size: (h, w). stride: pixels of the image to one of the map.
    """

    rows: Tensor
    size: tuple[int, int]
    stride: int

    @classmethod
    def of(cls, maps: Tensor, stride: int) -> "Table":
        """From (B, channels, h, w)."""
        return cls(maps.permute(0, 2, 3, 1).flatten(0, 2).contiguous(), tuple(maps.shape[2:]), stride)

    def at(self, points: Tensor, images: Tensor) -> Tensor:
        """Points (R, P, 2) in pixels of image number (R,) -> (R, P, channels)."""
        height, width = self.size
        extent = points.new_tensor([width * self.stride, height * self.stride])
        index, weights = taps(points / extent, self.size)
        first = images * (height * width)  # the row where an image begins
        return weighted_rows(self.rows, index + first[:, None, None], weights)


@dataclass(frozen=True)
class CellsHead:
    """A point head for a few regions: what it makes of their coarse masks' cells is worked out already.

    The biases are one more cell, which every point reads whole.

    Attributes:
        cells: what each layer adds for a cell, (r, s² + 1, H); the last (r, s² + 1, 1).
        weights: of the layers after the first, for the features of the layer before: (H, H); the last
            (r, H, 1).
    """

    side: int
    cells: list[Tensor]
    weights: list[Tensor]

    @classmethod
    def of(cls, head: PointHead, coarse: Tensor, labels: Tensor) -> "CellsHead":
        """From coarse masks (r, C, s, s) and the labels (r,) of the regions."""
        classes = coarse.shape[1]
        values = coarse.flatten(2).transpose(1, 2)  # (r, s², C)
        cells, weights = [], []
        for layer in head.layers:
            weight = layer.weight[:, :, 0].t()  # (channels + C, H), then (H + C, H)
            bias = layer.bias.expand(len(labels), 1, -1)  # (r, 1, H)
            cells.append(torch.cat([values @ weight[-classes:], bias], dim=1))
            weights.append(weight[:-classes])
        last = head.masks.weight[labels - 1]  # (r, H + C, 1), the row of each region's class
        bias = head.masks.bias[labels - 1][:, None, None]  # (r, 1, 1)
        cells.append(torch.cat([values @ last[:, -classes:], bias], dim=1))
        return cls(coarse.shape[-1], cells, [*weights[1:], last[:, :-classes]])

    def __call__(self, fine: Tensor, points: Tensor) -> Tensor:
        """(r, P, H), the first layer's share of the fine features, points (r, P, 2) -> logits (r, P).

        What `fine` holds is overwritten: copies would take a fifth of the time.
        """
        shares = F.pad(self._shares(points, fine.dtype), (0, 1), value=1.0)  # (r, P, s² + 1)
        x = fine
        for cells, weight in zip(self.cells[:-1], self.weights, strict=True):
            x = x.baddbmm_(shares, cells).relu_() @ weight  # (r, P, H), at last (r, P, 1)
        return x.baddbmm_(shares, self.cells[-1])[:, :, 0]

    def _shares(self, points: Tensor, dtype: torch.dtype) -> Tensor:
        """How much of each cell a point reads: (r, P, 2) -> (r, P, s²)."""
        one_each = torch.eye(self.side**2, dtype=dtype, device=points.device)
        return weighted_rows(one_each, *taps(points, (self.side, self.side)))


def project(head: PointHead, tables: Sequence[Table]) -> list[Table]:
    """The first layer's columns for the fine features, applied to every pixel: tables of H channels."""
    weight, projected, begin = head.layers[0].weight[:, :, 0], [], 0
    for table in tables:
        end = begin + table.rows.shape[1]
        projected.append(Table(F.linear(table.rows, weight[:, begin:end]), table.size, table.stride))
        begin = end
    return projected


def taps(points: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The four pixels around points, and how much of each a point reads.

    Args:
        points: (..., 2), relative to the map. size: (h, w) of the map.

    Returns:
        rows (..., 4) int64, numbers of pixels counted line by line, and weights (..., 4). Pixels outside the
        map have the weight 0, so that there the weights sum to less than one.
    """
    height, width = size
    x, y = (points * points.new_tensor([width, height]) - 0.5).unbind(-1)
    left, top = x.floor(), y.floor()
    columns = torch.stack([left, left + 1, left, left + 1], dim=-1)  # (..., 4)
    lines = torch.stack([top, top, top + 1, top + 1], dim=-1)
    weights = (1 - (x[..., None] - columns).abs()) * (1 - (y[..., None] - lines).abs())
    inside = (columns >= 0) & (columns < width) & (lines >= 0) & (lines < height)
    rows = lines.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    return rows.long(), weights * inside


def weighted_rows(rows: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    """Sums of few rows each: (n, channels), (..., 4), (..., 4) -> (..., channels)."""
    if rows.device.type == "cpu":
        flat = F.embedding_bag(
            index.flatten(0, -2), rows, per_sample_weights=weights.to(rows).flatten(0, -2), mode="sum"
        )
        return flat.unflatten(0, index.shape[:-1])
    return (rows[index] * weights.to(rows)[..., None]).sum(dim=-2)


def images_of(counts: Sequence[int], device: torch.device) -> Tensor:
    """The number of each region's image: [2, 0, 1] -> (0, 0, 2)."""
    numbers = torch.arange(len(counts), device=device)
    return numbers.repeat_interleave(torch.tensor(counts, device=device))
