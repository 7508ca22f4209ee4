"""Which cells of a grid an object belongs to: geometry of centres, sizes and cells (SOLO, section 3.3).

An object belongs to a level whose range its size falls into, and there to the cells that its *centre region*
touches: a box around the centre of mass of its mask, `sigma` times as wide and high as its own box, and never
more than 3 × 3 cells.

    N     instances of one image
    S     cells along one side of a level's grid; the grid covers the whole padded canvas
    P     positive cells
    H, W  height and width of one image
"""

from dataclasses import dataclass

import torch
from torch import Tensor

Size = tuple[int, int]  # (height, width)
SIGMA = 0.2


@dataclass(frozen=True)
class Instances:
    """What the grid needs to know of the objects of one image, and nothing of their pixels.

    Attributes:
        centres: (N, 2) float32, x and y of the centre of mass, in pixels; pixel 0 is at 0.
        sides: (N, 2) float32, width and height of the box, less one pixel (see `instances_of`).
        labels: (N,) int64, 1..C.
        filled: (N,) bool, False where the mask has no pixel and so no centre.
    """

    centres: Tensor
    sides: Tensor
    labels: Tensor
    filled: Tensor


@dataclass(frozen=True)
class Assignment:
    """One image on one level.

    Attributes:
        labels: (S, S) int64, 0 where no object's centre is.
        cells: (P,) int64, the cells that are not 0, counted row by row, ascending.
        instances: (P,) int64, the instance that each of them is to find.
    """

    labels: Tensor
    cells: Tensor
    instances: Tensor


def instances_of(boxes: Tensor, labels: Tensor, masks: Tensor) -> Instances:
    """Boxes (N, 4), labels (N,) and masks (N, H, W) of one image -> what the grids need.

    The official code counts a box from its first to its last pixel, so sides here are one less than ours. An
    object one pixel thin has size 0 there, is below every range and never trained on.
    """
    centres, filled = centres_of_mass(masks)
    return Instances(centres, boxes[:, 2:] - boxes[:, :2] - 1, labels, filled)


def centres_of_mass(masks: Tensor) -> tuple[Tensor, Tensor]:
    """The mean x and y of each mask's pixels: (N, H, W) bool -> (N, 2) float32, and (N,) bool: has it any.

    It is the centre of the *mask*; of a ring or a crescent it lies outside. The sums are exact.
    """
    columns, rows = _count(masks, dim=1), _count(masks, dim=2)  # (N, W), (N, H) int64
    area = rows.sum(dim=1)  # (N,)
    x = (columns * torch.arange(columns.shape[1], device=masks.device)).sum(dim=1)  # (N,)
    y = (rows * torch.arange(rows.shape[1], device=masks.device)).sum(dim=1)  # (N,)
    centres = torch.stack([x, y], dim=1).double() / area.clamp(min=1)[:, None]  # (N, 2)
    return centres.float(), area > 0


def assign_level(
    instances: Instances, canvas: Size, grid: int, scale_range: tuple[float, float], sigma: float = SIGMA
) -> Assignment:
    """The cells of one image's objects on one level; arguments as in `assign`."""
    size = instances.sides.clamp(min=0).prod(dim=1).sqrt()  # (N,)
    here = (size >= scale_range[0]) & (size <= scale_range[1]) & instances.filled  # (N,)
    width_and_height = instances.centres.new_tensor([canvas[1], canvas[0]])  # (2,)
    first, last = centre_cells(instances.centres, 0.5 * instances.sides * sigma, width_and_height, grid)

    place = torch.arange(grid, device=first.device)  # (S,)
    inside = (place >= first[..., None]) & (place <= last[..., None])  # (N, 2, S), columns and rows
    covers = here[:, None, None] & inside[:, 1, :, None] & inside[:, 0, None, :]  # (N, S, S)

    # Where regions share a cell the later instance takes it. Owner 0 is nobody, owner n instance n - 1.
    numbers = torch.arange(1, len(covers) + 1, device=covers.device)  # (N,)
    nobody = numbers.new_zeros(1, grid, grid)
    owners = torch.cat([nobody, covers * numbers[:, None, None]]).amax(dim=0)  # (S, S)
    cells = owners.flatten().nonzero().squeeze(1)  # (P,)
    labels = torch.cat([instances.labels.new_zeros(1), instances.labels])[owners]  # (S, S)
    return Assignment(labels, cells, owners.flatten()[cells] - 1)


def centre_cells(centres: Tensor, halves: Tensor, canvas: Tensor, grid: int) -> tuple[Tensor, Tensor]:
    """First and last cell, in x and in y, that each centre region touches.

    At most one cell beside the centre's own on either side, and never outside the grid.

    Args:
        centres: (N, 2) float32, x and y.
        halves: (N, 2) float32, half the width and height of the centre region.
        canvas: (2,) float32, width and height.

    Returns:
        twice (N, 2) int64, x and y; both ends belong to the region.
    """
    centre = cell_of(centres, canvas, grid)  # (N, 2)
    first = torch.maximum(cell_of(centres - halves, canvas, grid), centre - 1).clamp(min=0)
    last = torch.minimum(cell_of(centres + halves, canvas, grid), centre + 1).clamp(max=grid - 1)
    return first, last


def cell_of(points: Tensor, canvas: Tensor, grid: int) -> Tensor:
    """The cell that a point falls into: (N, 2) float32 -> (N, 2) int64, before any clipping.

    Two divisions in float32, then the fraction is cut off. floor(point · S / side) would be simpler, and
    puts a few of the points that lie exactly between two cells elsewhere; the released weights were trained
    with this. Today's `//` on floats gives a third answer: 0.5 // (1 / 40) is 19.
    """
    # The divisor is a tensor, for a number would be replaced by its reciprocal on some devices.
    return (points / canvas / points.new_tensor(1 / grid)).trunc().long()


def _count(masks: Tensor, dim: int) -> Tensor:
    """The True of each mask along one side: (N, H, W) bool -> (N, W) or (N, H) int64."""
    if masks.device.type != "cpu":
        return masks.sum(dim)
    # NumPy, which shares the memory, counts ten times as fast on a CPU as torch.
    enough = "uint16" if masks.shape[dim] < 2**16 else "int64"
    return torch.from_numpy(masks.numpy().view("uint8").sum(axis=dim, dtype=enough).astype("int64"))
