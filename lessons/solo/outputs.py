"""What SOLO's heads say, in logits, and which mask belongs to which cell.

B     images
S     cells along one side of a level's grid
C     classes, without background
h, w  height and width of a level's masks
P     (image, cell) pairs
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class HeadOutput:
    """Logits of SOLO's head, one entry per level.

    Attributes:
        categories: (B, C, S, S).
        masks: (B, S², h, w); channel k is the mask of the cell in row k // S and column k % S.
    """

    categories: list[Tensor]
    masks: list[Tensor]

    @property
    def mask_sizes(self) -> list[tuple[int, int]]:
        """(h, w) of each level."""
        return [tuple(masks.shape[-2:]) for masks in self.masks]

    def probabilities(self, level: int, images: Tensor, cells: Tensor) -> Tensor:
        """The masks of some cells: images (P,), cells (P,) -> (P, h, w) in [0, 1]."""
        return self.masks[level][images, cells].sigmoid()


@dataclass(frozen=True)
class DecoupledOutput:
    """Logits of the decoupled heads, one entry per level.

    Attributes:
        categories: (B, C, S, S).
        masks_x: (B, S, h, w), one channel per *column* of the grid.
        masks_y: (B, S, h, w), one channel per *row*.
    """

    categories: list[Tensor]
    masks_x: list[Tensor]
    masks_y: list[Tensor]

    @property
    def mask_sizes(self) -> list[tuple[int, int]]:
        """(h, w) of each level."""
        return [tuple(masks.shape[-2:]) for masks in self.masks_x]

    def probabilities(self, level: int, images: Tensor, cells: Tensor) -> Tensor:
        """The masks of some cells, column times row: images (P,), cells (P,) -> (P, h, w) in [0, 1]."""
        masks_x, masks_y = self.masks_x[level], self.masks_y[level]
        rows, columns = rows_and_columns(cells, masks_x.shape[1])
        return masks_x[images, columns].sigmoid() * masks_y[images, rows].sigmoid()


Output = HeadOutput | DecoupledOutput


def rows_and_columns(cells: Tensor, grid: int) -> tuple[Tensor, Tensor]:
    """Cell numbers, counted row by row, -> their row and their column in a grid × grid; all (P,) int64."""
    return cells.div(grid, rounding_mode="floor"), cells % grid
