"""Point NMS and Matrix NMS: of many answers for one object, lower all but the best.

B     images in the batch
C     classes, without background
S     cells along one side of a level's grid
K     candidates: pairs of a cell and a class
h, w  height and width of the finest masks
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lessons import masks as mask_geometry
from lessons.errors import LessonsError

ROWS = 128  # masks that are counted together
PIXELS = 4095  # of every mask, counted together
OTHER = 4096  # what a pixel of the second of two masks in one number counts; more than PIXELS


def point_nms(scores: Tensor) -> Tensor:
    """Set to 0 what is less than its neighbour above, left, or above left: (B, C, S, S) -> the same shape.

    Neighbouring cells find the same object; this leaves most objects one cell. A pooling over 2 × 2 cells
    does it, so only half of the neighbours are looked at, and a row of scores that rises to the right stays
    whole. A cell that is set to 0 itself still suppresses others.
    """
    highest = F.max_pool2d(scores, kernel_size=2, stride=1, padding=1)[..., :-1, :-1]  # (B, C, S, S)
    return scores * (scores == highest)


def matrix_nms(
    masks: Tensor, labels: Tensor, scores: Tensor, kernel: str = "gaussian", sigma: float = 2.0
) -> Tensor:
    """Lower the score of every mask that a better one of its class already covers (SOLOv2, section 3.4).

    score_j · min over i < j of f(iou_ij) / f(c_i), where c_i is the largest overlap of i with one better
    than itself: a mask that is covered itself counts less against others. All pairs at once, nothing is
    removed and no order is waited for. f is exp(-sigma · iou²) ("gaussian") or 1 - iou ("linear").

    Args:
        masks: (K, h, w) bool, best first. K may be 0.
        labels: (K,) int64; masks of different labels do not meet.
        scores: (K,), descending.
        sigma: of the Gaussian; a larger one lowers more.

    Returns:
        (K,). Three equal masks of a class give NaN with the linear kernel (0 / 0), as in the official code.

    Raises:
        LessonsError: another kernel.
    """
    overlap = (mask_geometry.iou(masks, masks) * (labels[:, None] == labels)).triu(diagonal=1)  # (K, K)
    return scores * decay(overlap, kernel, sigma)


def decay(overlap: Tensor, kernel: str = "gaussian", sigma: float = 2.0) -> Tensor:
    """The factor of each score in `matrix_nms`.

    Args:
        overlap: (K, K), the IoU of mask i (row) with mask j (column); 0 unless i < j and the labels agree.

    Returns:
        (K,) in [0, 1].
    """
    if len(overlap) == 0:
        return overlap.new_zeros(0)
    covered = overlap.amax(dim=0)[:, None]  # (K, 1), c_i, along the rows
    if kernel == "gaussian":
        factors = torch.exp(-sigma * overlap**2) / torch.exp(-sigma * covered**2)  # (K, K)
    elif kernel == "linear":
        factors = (1 - overlap) / (1 - covered)  # (K, K)
    else:
        raise LessonsError(f'kernel={kernel!r} is not known: choose "gaussian" or "linear".')
    return factors.amin(dim=0)


def matrix_nms_by_label(
    masks: Tensor, labels: Tensor, scores: Tensor, kernel: str = "gaussian", sigma: float = 2.0
) -> Tensor:
    """The fast form of `matrix_nms`, with the same arguments and answer: only masks of one label meet."""
    overlap = scores.new_zeros(len(masks), len(masks))
    for label in labels.unique():
        members = (labels == label).nonzero().squeeze(1)  # (M,), still best first
        if len(members) > 1:
            overlap[members[:, None], members] = overlap_with_worse(masks[members])
    return scores * decay(overlap, kernel, sigma)


def overlap_with_worse(masks: Tensor) -> Tensor:
    """IoU of each mask with every later one: (M, h, w) bool -> (M, M), 0 on and below the diagonal."""
    shared = shared_with_worse(masks)
    area = shared.diagonal()  # (M,), what a mask shares with itself
    union = area[:, None] + area - shared
    return (shared / union.clamp(min=1)).triu(diagonal=1)


def shared_with_worse(masks: Tensor) -> Tensor:
    """Pixels that each mask shares with itself and every later one: (M, h, w) bool -> (M, M).

    What is below the diagonal means nothing.

    Each pair is counted once. And two masks go into one number: 1 where a pixel is the first one's, 4096
    where it is the second one's. One product then counts both, and as long as there are no more than 4095
    pixels, the counts are the two digits of the sum. Its largest is 2**24 - 1: exact in float32.
    """
    flat = masks.flatten(1)  # (M, h·w)
    exact = flat.device.type == "cpu" and torch.get_float32_matmul_precision() == "highest"
    if len(flat) <= ROWS or not exact:
        flat = flat.float()
        return flat @ flat.T
    shared = torch.zeros(len(flat), len(flat))
    for pixels in flat.split(PIXELS, dim=1):
        pixels = pixels.float()  # (M, ≤ PIXELS)
        for start in range(0, len(flat), 2 * ROWS):  # the upper triangle in strips
            first, second = pixels[start : start + ROWS], pixels[start + ROWS : start + 2 * ROWS]
            both = first.clone()
            both[: len(second)].add_(second, alpha=OTHER)
            counts = both @ pixels[start:].T  # (≤ ROWS, M - start)
            of_second = (counts / OTHER).floor_()
            shared[start : start + len(first), start:] += counts.sub_(of_second, alpha=OTHER)
            shared[start + ROWS :][: len(second), start:] += of_second[: len(second)]
    return shared
