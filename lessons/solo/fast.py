"""The same objects as `decode.plain`, in another order of work: first which cells matter, then their masks.

Most of the S² masks of a level belong to cells where no class passes the threshold. Here the category branch
runs first, and only the masks of its candidates are made:

* The 1 × 1 predictor of SOLO and the enlarging before it are both linear, so they may change places: predict
  the few channels at half the size, then enlarge them instead of all 256 features.
* The 3 × 3 predictor of Decoupled SOLO is nine 1 × 1 predictors whose answers are shifted and added: these,
  too, may come before the enlarging.
* The 3 × 3 convolution that makes p2 is followed by halving, a mean of 2 × 2: together they are one 4 × 4
  convolution with stride 2, with less than half of the products.
* Matrix NMS compares only masks of one label, each pair once, and two pairs in one product.

Numbers differ from the plain form's by rounding.

    K     candidates: pairs of a cell and a class
    P     cells of a level with a candidate
    S     cells along one side of a level's grid
    h, w  height and width of the finest masks, the canvas / 4
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lessons import masks as mask_geometry
from lessons.backbones import FeaturePyramid
from lessons.data.batches import ImageBatch
from lessons.solo.cell_masks import (
    CellMasks,
    Head,
    ImageMasks,
    ProductMasks,
    enlarge_by,
    fill,
    make_masks,
    masks_of_cells,
    predict_enlarged,
)
from lessons.solo.decode import (
    AT_ONCE,
    OFFICIAL,
    Candidates,
    Decoding,
    Size,
    enlarge_to,
    find_candidates,
    keep,
    prediction,
    rank,
)
from lessons.solo.suppression import matrix_nms_by_label as matrix_nms
from lessons.solo.suppression import overlap_with_worse

__all__ = [
    "CellMasks",
    "Head",
    "ImageMasks",
    "ProductMasks",
    "convolve_and_halve",
    "decode",
    "decode_image",
    "enlarge_by",
    "fill",
    "full_size",
    "head_levels",
    "make_masks",
    "masks_of_cells",
    "matrix_nms",
    "measure_all",
    "overlap_with_worse",
    "predict_enlarged",
]


def head_levels(pyramid: FeaturePyramid, tensor: Tensor, halve_first: bool = True) -> list[Tensor]:
    """Images (B, 3, H, W), sides multiples of 32 -> the head's levels: `resize_levels` of the pyramid's maps.

    Args:
        halve_first: see `lessons.solo.heads.resize_levels`.
    """
    merged = pyramid.top_down(pyramid.bottom_up(tensor))
    levels = [
        convolve_and_halve(convolution, merged[name])
        if halve_first and name == "p2"
        else convolution(merged[name])
        for name, convolution in pyramid.output.items()
    ]
    if "p6" in pyramid.strides:
        levels.append(pyramid.coarsest(levels[-1]))
    if len(levels) > 1:
        levels[-1] = F.interpolate(
            levels[-1], size=levels[-2].shape[-2:], mode="bilinear", align_corners=False
        )
    return levels


def convolve_and_halve(convolution: nn.Conv2d, features: Tensor) -> Tensor:
    """A 3 × 3 convolution with padding 1, then the mean of 2 × 2: (B, C, h, w), h and w even -> h/2, w/2."""
    shifts = ((0, 1, 0, 1), (1, 0, 0, 1), (0, 1, 1, 0), (1, 0, 1, 0))
    weight = sum(F.pad(convolution.weight, shift) for shift in shifts) / 4  # (C', C, 4, 4)
    return F.conv2d(features, weight, convolution.bias, stride=2, padding=1)


@torch.no_grad()
def decode(
    head: Head,
    levels: Sequence[Tensor],
    batch: ImageBatch,
    sizes: Sequence[Size],
    decoding: Decoding = OFFICIAL,
) -> list[dict[str, Tensor]]:
    """The objects of each image of the batch.

    Args:
        levels: the head's levels of the whole batch, (B, channels, ., .): from `head_levels`, or from
            `head.resize_levels`.
        batch: what they were made from.
        sizes: (height, width) of the pictures, which the masks are given at.

    Returns:
        predictions, as `lessons.solo.decode.plain` gives them.
    """
    categories = [head.category_branch(level, grid) for level, grid in zip(levels, head.grids, strict=True)]
    answers = []
    for number, size in enumerate(sizes):
        candidates = find_candidates(categories, number, decoding.score_threshold)
        mine = [level[number : number + 1] for level in levels]
        frame = batch.padded_size, batch.sizes[number], size
        answers.append(decode_image(head, mine, candidates, frame, decoding))
    return answers


def decode_image(
    head: Head,
    levels: Sequence[Tensor],
    candidates: Candidates,
    frame: tuple[Size, Size, Size],
    decoding: Decoding,
) -> dict[str, Tensor]:
    """The objects of one image.

    Args:
        levels: the head's levels of this image, (1, channels, ., .).
        frame: sizes of the canvas, of the image in it, and of the picture.
    """
    masks, place = make_masks(head, levels, candidates)
    inside, area, maskness = measure_all(masks, decoding.mask_threshold)
    candidates, order = rank(candidates, area[place], maskness[place], decoding)
    place = place[order]
    scores = matrix_nms(inside[place], candidates.labels, candidates.scores, decoding.kernel, decoding.sigma)
    scores, kept = keep(scores, decoding)
    pixels = full_size(masks, place[kept], frame, decoding.mask_threshold)
    return prediction(candidates.labels[kept], scores, pixels)


def full_size(masks: ImageMasks, which: Tensor, frame: tuple[Size, Size, Size], threshold: float) -> Tensor:
    """Some masks at the picture's size, (K, *size) bool; as `lessons.solo.decode.full_size`."""
    canvas, (height, width), size = frame
    pixels = torch.zeros(len(which), *size, dtype=torch.bool, device=which.device)  # (K, *size)
    for few, answer in zip(which.split(AT_ONCE), pixels.split(AT_ONCE), strict=True):
        own = fill(masks.soft(few), canvas)[:, :height, :width]  # without the padding
        torch.gt(enlarge_to(own, size), threshold, out=answer)
    return pixels


def measure_all(masks: ImageMasks, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """Which pixels are inside (P, h, w) bool; area and maskness (P,) as `decode.measure`. A few at a time."""
    count = len(masks.places)
    device = masks.places.device
    inside = torch.zeros(count, *masks.size, dtype=torch.bool, device=device)
    area, maskness = torch.zeros(count, device=device), torch.zeros(count, device=device)
    for start in range(0, count, AT_ONCE):
        few = slice(start, start + AT_ONCE)
        soft = masks.soft(torch.arange(start, min(start + AT_ONCE, count), device=device))
        torch.gt(soft, threshold, out=inside[few])
        area[few] = mask_geometry.area(inside[few])
        maskness[few] = F.threshold_(soft, threshold, 0.0).flatten(1).sum(dim=1)  # in place, for its last use
    maskness /= area.clamp(min=1)
    return inside, area, maskness
