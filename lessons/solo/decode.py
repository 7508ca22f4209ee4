"""From logits to objects: point NMS, mask scores, Matrix NMS, masks at the picture's size.

The plain form, in the paper's order: make every mask, then throw most of them away.

    B     images in the batch
    C     classes, without background
    S     cells along one side of a level's grid
    K     candidates: pairs of a cell and a class
    h, w  height and width of the finest masks, the canvas / 4
    sizes are (height, width)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from lessons import boxes as box_geometry
from lessons import masks as mask_geometry
from lessons.solo.outputs import DecoupledOutput, Output, rows_and_columns
from lessons.solo.suppression import decay, matrix_nms, point_nms

__all__ = [
    "AREAS",
    "AT_ONCE",
    "MASK_THRESHOLD",
    "OFFICIAL",
    "Candidates",
    "Decoding",
    "Size",
    "all_masks",
    "decay",
    "enlarge_to",
    "find_candidates",
    "full_size",
    "keep",
    "matrix_nms",
    "measure",
    "plain",
    "point_nms",
    "prediction",
    "rank",
]

Size = tuple[int, int]
MASK_THRESHOLD = 0.5
AT_ONCE = 16  # masks that are handled together, to need little memory
AREAS = (8, 8, 16, 32, 32)  # the strides of the levels; see `Decoding.smallest_areas`


@dataclass(frozen=True)
class Decoding:
    """What counts as found. The defaults are the official test values.

    Attributes:
        score_threshold: a class in a cell is a candidate above this.
        mask_threshold: a pixel belongs to the object above this.
        smallest_areas: for each level; a candidate needs a larger mask, in pixels of the finest masks. The
            official code compares with the level's stride, a length: a rule of thumb.
        before_nms: how many of the best candidates Matrix NMS sees.
        kernel, sigma: see `matrix_nms`.
        keep_threshold: a candidate stays whose score after Matrix NMS is at least this.
        max_detections: how many objects are given at most.
    """

    score_threshold: float = 0.1
    mask_threshold: float = MASK_THRESHOLD
    smallest_areas: tuple[float, ...] = AREAS
    before_nms: int = 500
    kernel: str = "gaussian"
    sigma: float = 2.0
    keep_threshold: float = 0.05
    max_detections: int = 100


OFFICIAL = Decoding()


@dataclass(frozen=True)
class Candidates:
    """Pairs of a cell and a class of one image, in the order of levels, cells and classes.

    Attributes:
        levels, cells: (K,) int64.
        labels: (K,) int64, 1..C.
        scores: (K,) float in [0, 1].
    """

    levels: Tensor
    cells: Tensor
    labels: Tensor
    scores: Tensor

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, kept: Tensor) -> "Candidates":
        return Candidates(self.levels[kept], self.cells[kept], self.labels[kept], self.scores[kept])

    def of(self, level: int) -> "Candidates":
        """Those of one level."""
        return self[self.levels == level]


def find_candidates(categories: Sequence[Tensor], image: int, threshold: float) -> Candidates:
    """Every class above the threshold in every cell of one image.

    Args:
        categories: per level (B, C, S, S) logits.
    """
    found = [
        _level_candidates(point_nms(logits[image : image + 1].sigmoid()).squeeze(0), level, threshold)
        for level, logits in enumerate(categories)
    ]
    return Candidates(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def _level_candidates(scores: Tensor, level: int, threshold: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Scores (C, S, S) -> levels, cells, labels and scores (K,) of those above the threshold."""
    by_cell = scores.flatten(1).T  # (S², C)
    cells, classes = (by_cell > threshold).nonzero(as_tuple=True)  # (K,), (K,)
    return torch.full_like(cells, level), cells, classes + 1, by_cell[cells, classes]


def all_masks(output: Output, image: int) -> list[Tensor]:
    """Every cell's mask of one image at the size of the finest level: per level (S², h, w) in [0, 1].

    First the sigmoid, then the resizing, of the decoupled head's X and Y each by itself, and only then the
    product: every other order gives other numbers.
    """
    size = output.mask_sizes[0]
    if not isinstance(output, DecoupledOutput):
        return [enlarge_to(masks[image].sigmoid(), size) for masks in output.masks]
    products = []
    for logits_x, logits_y in zip(output.masks_x, output.masks_y, strict=True):
        x = enlarge_to(logits_x[image].sigmoid(), size)  # (S, h, w)
        y = enlarge_to(logits_y[image].sigmoid(), size)  # (S, h, w)
        rows, columns = rows_and_columns(torch.arange(len(x) ** 2, device=x.device), len(x))  # (S²,)
        products.append(x[columns] * y[rows])
    return products


def enlarge_to(masks: Tensor, size: Size) -> Tensor:
    """(K, ., .) -> (K, *size), bilinear; K may be 0."""
    if len(masks) == 0 or tuple(masks.shape[-2:]) == tuple(size):
        return masks if tuple(masks.shape[-2:]) == tuple(size) else masks.new_zeros(0, *size)
    return F.interpolate(masks[None], size=tuple(size), mode="bilinear", align_corners=False).squeeze(0)


def plain(
    output: Output, image: int, canvas: Size, network_size: Size, size: Size, decoding: Decoding = OFFICIAL
) -> dict[str, Tensor]:
    """The objects of one image of the batch, in the paper's order of work.

    Args:
        output: the head's logits.
        image: its index in the batch.
        canvas: (height, width) of the padded batch.
        network_size: of this image in it, before padding.
        size: of the picture, which the masks are given at.

    Returns:
        boxes (K, 4) float32 around the masks, labels (K,) int64 1..C, scores (K,) descending, masks
        (K, *size) bool; K is at most `decoding.max_detections`, and may be 0.
    """
    candidates = find_candidates(output.categories, image, decoding.score_threshold)
    masks = all_masks(output, image)  # per level (S², h, w)
    soft = torch.cat(
        [of_level[candidates.of(level).cells] for level, of_level in enumerate(masks)]
    )  # (K, h, w)
    area, maskness = measure(soft, decoding.mask_threshold)
    candidates, order = rank(candidates, area, maskness, decoding)
    soft = soft[order]
    inside = soft > decoding.mask_threshold  # (K, h, w)
    scores = matrix_nms(inside, candidates.labels, candidates.scores, decoding.kernel, decoding.sigma)
    scores, kept = keep(scores, decoding)
    pixels = full_size(soft[kept], canvas, network_size, size, decoding.mask_threshold)  # (K, *size)
    return prediction(candidates.labels[kept], scores, pixels)


def measure(soft: Tensor, threshold: float = MASK_THRESHOLD) -> tuple[Tensor, Tensor]:
    """The area of each mask, and its *maskness*: how sure it is of its own pixels, their mean.

    Args:
        soft: (K, h, w) in [0, 1].

    Returns:
        twice (K,) float; both are 0 for a mask without a pixel.
    """
    area = mask_geometry.area(soft > threshold)  # (K,)
    own = F.threshold(soft, threshold, 0.0).flatten(1).sum(dim=1)  # (K,), over the pixels of the mask alone
    return area, own / area.clamp(min=1)


def rank(
    candidates: Candidates, area: Tensor, maskness: Tensor, decoding: Decoding
) -> tuple[Candidates, Tensor]:
    """Multiply the scores by the maskness, and take the best `before_nms` of those that are large enough.

    Args:
        area, maskness: (K,), of the candidates' masks.

    Returns:
        them, best first, and their indices.
    """
    large = area > area.new_tensor(decoding.smallest_areas)[candidates.levels]  # (K,)
    scores = torch.where(large, candidates.scores * maskness, -1.0)
    order = scores.argsort(descending=True, stable=True)[: min(decoding.before_nms, int(large.sum()))]
    chosen = candidates[order]
    return replace(chosen, scores=scores[order]), order


def keep(scores: Tensor, decoding: Decoding) -> tuple[Tensor, Tensor]:
    """The best `max_detections` scores of at least `keep_threshold`, descending; and their indices."""
    order = scores.argsort(descending=True, stable=True)
    order = order[scores[order] >= decoding.keep_threshold][: decoding.max_detections]  # NaN is not kept
    return scores[order], order


def full_size(soft: Tensor, canvas: Size, network_size: Size, size: Size, threshold: float) -> Tensor:
    """Masks (K, h, w) in [0, 1] -> (K, *size) bool: to the canvas, without its padding, to the picture.

    Both steps enlarge soft values; only then they are compared with the threshold. A few masks at a time:
    a hundred soft masks of a photograph would take a gigabyte.
    """
    height, width = network_size
    pixels = torch.zeros(len(soft), *size, dtype=torch.bool, device=soft.device)  # (K, *size)
    for few, answer in zip(soft.split(AT_ONCE), pixels.split(AT_ONCE), strict=True):
        own = enlarge_to(few, canvas)[:, :height, :width]  # without the padding
        torch.gt(enlarge_to(own, size), threshold, out=answer)
    return pixels


def prediction(labels: Tensor, scores: Tensor, pixels: Tensor) -> dict[str, Tensor]:
    """Labels (K,), scores (K,) and masks (K, H, W) bool as a prediction, with boxes around the masks."""
    return {"boxes": box_geometry.from_masks(pixels), "labels": labels, "scores": scores, "masks": pixels}
