"""The same objects as `decode.plain`, in another order of work: first which cells matter, then their masks.

Most of the S² masks of a level belong to cells where no class passes the threshold. Here the category branch
runs first, and only the masks of its candidates are made:

* The 1 × 1 predictor of SOLO and the enlarging before it are both linear, so they may change places: predict
  the few channels at half the size, then enlarge them instead of all 256 features.
* The 3 × 3 predictor of Decoupled SOLO is nine 1 × 1 predictors whose answers are shifted and added: these,
  too, may come before the enlarging.
* The 3 × 3 convolution that makes p2 is followed by halving, a mean of 2 × 2: together they are one 4 × 4
  convolution with stride 2, with less than half of the products.
* Matrix NMS compares only masks of one label, and each pair once.

Numbers differ from the plain form's by rounding.

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

from lessons import masks as mask_geometry
from lessons.backbones import FeaturePyramid
from lessons.data.batches import ImageBatch
from lessons.solo.decode import (
    AT_ONCE,
    OFFICIAL,
    Candidates,
    Decoding,
    Size,
    decay,
    enlarge_to,
    find_candidates,
    keep,
    measure,
    prediction,
    rank,
)
from lessons.solo.heads import DecoupledSOLOHead, DecoupledSOLOLightHead, SOLOHead, rows_and_columns

Head = SOLOHead | DecoupledSOLOHead | DecoupledSOLOLightHead
ROWS = 128  # of the matrix of overlaps, made together
PIXELS = 4096  # of every mask, counted together


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
        return self.x[self.columns[which]] * self.y[self.rows[which]]


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


def head_levels(
    pyramid: FeaturePyramid, tensor: Tensor, count: int = 5, halve_first: bool = True
) -> list[Tensor]:
    """Images (B, 3, H, W), sides multiples of 32 -> the head's levels: `resize_levels` of the finest maps.

    Args:
        count: how many, from p2 on: the number of the head's grids.
        halve_first: see `lessons.solo.heads.resize_levels`.
    """
    merged = pyramid.top_down(pyramid.bottom_up(tensor))
    convolution, p2 = pyramid.output["p2"], merged.pop("p2")
    first = convolve_and_halve(convolution, p2) if halve_first else convolution(p2)
    wanted = list(merged)[: count - 1]
    levels = [first, *pyramid.smooth({name: merged[name] for name in wanted}).values()]  # p3, p4, p5
    if count == 5:
        levels.append(pyramid.coarsest(levels[-1]))
    if count > 1:
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


def full_size(masks: ImageMasks, which: Tensor, frame: tuple[Size, Size, Size], threshold: float) -> Tensor:
    """Some masks at the picture's size, (K, *size) bool; as `lessons.solo.decode.full_size`."""
    canvas, (height, width), size = frame
    pixels = torch.zeros(len(which), *size, dtype=torch.bool, device=which.device)  # (K, *size)
    for few, answer in zip(which.split(AT_ONCE), pixels.split(AT_ONCE), strict=True):
        own = fill(masks.soft(few), canvas)[:, :height, :width]  # without the padding
        torch.gt(enlarge_to(own, size), threshold, out=answer)
    return pixels


def measure_all(masks: ImageMasks, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """Which pixels are inside (P, h, w) bool, area (P,) and maskness (P,), a few masks at a time."""
    count = len(masks.places)
    device = masks.places.device
    inside = torch.zeros(count, *masks.size, dtype=torch.bool, device=device)
    area, maskness = torch.zeros(count, device=device), torch.zeros(count, device=device)
    for start in range(0, count, AT_ONCE):
        few = slice(start, start + AT_ONCE)
        soft = masks.soft(torch.arange(start, min(start + AT_ONCE, count), device=device))
        torch.gt(soft, threshold, out=inside[few])
        area[few], maskness[few] = measure(soft, threshold)
    return inside, area, maskness


def matrix_nms(
    masks: Tensor, labels: Tensor, scores: Tensor, kernel: str = "gaussian", sigma: float = 2.0
) -> Tensor:
    """`lessons.solo.decode.matrix_nms`, with the same arguments and answer."""
    overlap = scores.new_zeros(len(masks), len(masks))
    for label in labels.unique():
        members = (labels == label).nonzero().squeeze(1)  # (M,), still best first
        if len(members) > 1:
            overlap[members[:, None], members] = overlap_with_worse(masks[members])
    return scores * decay(overlap, kernel, sigma)


def overlap_with_worse(masks: Tensor) -> Tensor:
    """IoU of each mask with every later one: (M, h, w) bool -> (M, M), 0 on and below the diagonal."""
    area = mask_geometry.area(masks)  # (M,)
    shared = torch.zeros(len(masks), len(masks), device=masks.device)
    at_once = PIXELS if len(masks) > ROWS else masks[0].numel()  # what stays in the cache
    for pixels in masks.flatten(1).split(at_once, dim=1):
        pixels = pixels.float()  # (M, PIXELS)
        for start in range(0, len(masks), ROWS):  # the upper triangle in strips: half of the products
            strip = slice(start, start + ROWS)
            shared[strip, start:].addmm_(pixels[strip], pixels[start:].T)
    union = area[:, None] + area - shared
    return (shared / union.clamp(min=1)).triu(diagonal=1)
