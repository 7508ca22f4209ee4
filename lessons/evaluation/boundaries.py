"""Boundary IoU: how well two masks agree near their contours.

Of a large object nearly all pixels are inside, so that its mask IoU hardly feels a ragged contour. Cheng et
al. (2021, "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation") compare only the pixels of
each mask that are near its own contour: a band whose width is a share of the image's diagonal, 2 % usually.
Objects no thicker than twice the width are all band, and there boundary IoU is mask IoU.

    N, M  instances
    H, W  height and width of the image
"""

import math

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from lessons import boxes as box_geometry
from lessons import masks as mask_geometry
from lessons.errors import LessonsError

SHARE_OF_DIAGONAL = 0.02


def band_width(size: tuple[int, int], share: float = SHARE_OF_DIAGONAL) -> int:
    """The width of the band in whole pixels, at least 1: that share of the diagonal of an image (H, W).

    Raises:
        LessonsError: the share is not a positive number.
    """
    if not (share > 0 and math.isfinite(share)):
        raise LessonsError(f"band_share is {share!r}: give a positive share of the diagonal such as 0.02.")
    return max(1, round(share * math.hypot(*size)))


def band(masks: Tensor, width: int) -> Tensor:
    """The pixels of each mask within `width` of its contour, (N, H, W) bool on the CPU -> the same shape.

    They are those that `width` erosions by a 3×3 square take away: a pixel is inside, and not of the band, if
    the whole square of 2·width + 1 pixels a side around it is mask. What lies outside the image is not mask,
    so an object cut off by the image's border has its contour there.
    """
    bands = torch.from_numpy(np.zeros(masks.shape, dtype=bool))
    corners = box_geometry.from_masks(masks).long().tolist()
    for mask, near, (x1, y1, x2, y2) in zip(masks.numpy(), bands.numpy(), corners, strict=True):
        filled = mask[y1:y2, x1:x2]  # around it nothing is mask, as outside the image
        near[y1:y2, x1:x2] = filled & ~_erode(filled, width)
    return bands


def _erode(mask: np.ndarray, width: int) -> np.ndarray:
    """(h, w) bool: whether the square around each pixel is full. A square is a row of columns: two passes."""
    if mask.size == 0:
        return mask
    if min(mask.shape) <= 2 * width:
        return np.zeros_like(mask)  # no square fits in
    rows = ndimage.minimum_filter1d(mask.view(np.uint8), 2 * width + 1, axis=0, mode="constant", cval=0)
    return ndimage.minimum_filter1d(rows, 2 * width + 1, axis=1, mode="constant", cval=0).view(bool)


def boundary_iou(a: Tensor, b: Tensor, share: float = SHARE_OF_DIAGONAL) -> Tensor:
    """IoU of the bands of every mask of `a` with those of `b`: (N, H, W), (M, H, W) bool -> (N, M)."""
    width = band_width(tuple(a.shape[1:]), share)
    return mask_geometry.iou(band(a, width), band(b, width))


def lower_overlap(mask_overlaps: Tensor, band_overlaps: Tensor, crowd: Tensor) -> Tensor:
    """What boundary AP takes for an overlap, (D, G): the lower of mask IoU and boundary IoU.

    Boundary IoU alone would let a ring pass for a disc, for it never looks inside; the lower of the two
    demands both. A crowd (G,) has no contour worth following: its mask overlap counts.
    """
    return torch.where(crowd[None, :], mask_overlaps, torch.minimum(mask_overlaps, band_overlaps))
