"""Masks: which pixels are an object's, as bool tensors (N, H, W); and the other ways to write that down.

    N, M  instances
    H, W  height and width of the image; sizes are (H, W)

*Indices* are one picture (H, W) whose value at a pixel is the number of the instance there: compact, but no
two instances can share a pixel. *Run lengths* (RLE) are COCO's way: the picture read column by column, as the
lengths of its runs of 0 and 1 in turn, starting with 0. *Polygons* are corners (x1, y1, x2, y2, ...) in
pixels.
"""

from collections.abc import Sequence

import numpy as np
import torch
from pycocotools import mask as coco_mask
from torch import Tensor

from lessons.errors import LessonsError

# Corners further out than this many times the image's longer side are a mistake, and would take the memory of
# an image that large to draw.
FARTHEST_CORNER = 16


def from_indices(indices: Tensor | np.ndarray, void: int = 255) -> tuple[Tensor, Tensor]:
    """Take a picture of instance numbers apart.

    Args:
        indices: (H, W) uint8 on the CPU; 0 is background.
        void: the number that is no instance either: VOC's border around objects, where no annotator decides.

    Returns:
        ids (N,) int64, ascending: the instance numbers present; and masks (N, H, W) bool, one for each.
    """
    array = np.asarray(indices)
    highest = int(np.where(array == void, 0, array).max(initial=0))
    present = ((number, array == number) for number in range(1, highest + 1) if number != void)
    found = {number: mask for number, mask in present if mask.any()}
    masks = np.stack(list(found.values())) if found else np.zeros((0, *array.shape), dtype=bool)  # (N, H, W)
    return torch.tensor(list(found), dtype=torch.int64), torch.from_numpy(masks)


def area(masks: Tensor) -> Tensor:
    """The number of pixels of each mask: (N, H, W) bool -> (N,) float32."""
    if masks.device.type != "cpu":
        return masks.flatten(1).sum(dim=1).float()
    # NumPy, which shares the memory, counts thirty times as fast as torch sums.
    return torch.tensor([np.count_nonzero(mask) for mask in masks.numpy()], dtype=torch.float32)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of every mask of `a` with every mask of `b`: (N, H, W), (M, H, W) -> (N, M).

    Counting the pixels that two masks share is a dot product of zeros and ones, so all pairs are one matrix
    product. It is exact up to 2**24 shared pixels. Two empty masks share nothing: 0.
    """
    intersection = a.flatten(1).float() @ b.flatten(1).float().T  # (N, H·W) @ (H·W, M) -> (N, M)
    union = area(a)[:, None] + area(b)[None, :] - intersection  # (N, M)
    return intersection / union.clamp(min=1)


def resize(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """The masks (N, H, W) bool at another size (height, width): (N, *size) bool.

    Each new pixel takes the value of the old pixel that its centre falls into. Whole pixels move, nothing is
    blended: masks that did not overlap do not overlap afterwards.
    """
    rows = _old_pixels(masks.shape[1], size[0], masks.device)
    columns = _old_pixels(masks.shape[2], size[1], masks.device)
    return masks.index_select(1, rows).index_select(2, columns)


def _old_pixels(old: int, new: int, device: torch.device) -> Tensor:
    """For each of `new` pixels the one of `old` under its centre: floor((i + 1/2) · old / new)."""
    i = torch.arange(new, device=device)
    return torch.div((2 * i + 1) * old, 2 * new, rounding_mode="floor")


def encode_rle(masks: Tensor) -> list[dict]:
    """Masks (N, H, W) bool -> N times {"size": [H, W], "counts": str}: COCO's compressed form, ready for
    JSON.

    An RLE of COCO's API has bytes where this has text, which JSON can hold; pycocotools reads both.
    """
    if len(masks) == 0:
        return []
    array = masks.cpu().numpy().astype(np.uint8, copy=False)
    columns_first = np.asfortranarray(array.transpose(1, 2, 0))  # (H, W, N)
    return [
        {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}
        for rle in coco_mask.encode(columns_first)
    ]


def decode_rle(rles: Sequence[dict], size: tuple[int, int]) -> Tensor:
    """COCO's run lengths -> masks (N, H, W) bool.

    Args:
        rles: each {"size": [H, W], "counts": ...}; counts a str or bytes (compressed) or a list of lengths.
        size: (H, W) of the image, which every mask must have.

    Raises:
        LessonsError: run lengths that are damaged, or of another size.
    """
    height, width = size
    masks = np.zeros((len(rles), height, width), dtype=bool)
    for mask, rle in zip(masks, rles, strict=True):
        mask[:] = _decode_one(rle, height, width)
    return torch.from_numpy(masks)


def _decode_one(rle: dict, height: int, width: int) -> np.ndarray:
    """One mask (H, W) bool. Ours, for pycocotools' reads on past the end of run lengths cut short."""
    if not isinstance(rle, dict) or "counts" not in rle:
        raise LessonsError(
            'A run-length mask needs two keys: write it as {"size": [height, width], "counts": ...}.'
        )
    if "size" in rle and rle["size"] not in ([height, width], (height, width)):
        raise LessonsError(
            f"A run-length mask has the size {rle['size']} and its image [{height}, {width}]: "
            "encode the mask at the image's size."
        )
    counts = rle["counts"]
    if isinstance(counts, str):
        counts = counts.encode("ascii", "replace")
    lengths = _lengths_from_text(counts) if isinstance(counts, bytes) else _lengths_from_list(counts)
    # Each length by itself first: the sum of huge ones would overflow, and could come out right.
    if ((lengths < 0) | (lengths > height * width)).any():
        raise LessonsError(
            f"A run length of a mask is negative or longer than its image of {height * width} pixels: "
            "encode the mask again."
        )
    if lengths.sum() != height * width:
        raise LessonsError(
            f"The run lengths of a mask add up to {lengths.sum()} pixels and its image has {height * width}: "
            "encode the mask again."
        )
    runs = np.arange(len(lengths)) % 2 == 1  # 0 first, then 1, in turn
    return np.repeat(runs, lengths).reshape(width, height).T  # column by column


def _lengths_from_list(counts: object) -> np.ndarray:
    """COCO's uncompressed counts, int64."""
    lengths = np.asarray(counts) if isinstance(counts, list | tuple) else np.empty(0, dtype=object)
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu":
        raise LessonsError(
            "The counts of a run-length mask must be a text or a list of whole numbers: encode it again."
        )
    return lengths.astype(np.int64)


def _lengths_from_text(counts: bytes) -> np.ndarray:
    """COCO's compressed counts, int64.

    Each character minus 48 holds 5 bits of a number, low bits first; bit 32 says that more follow, and bit 16
    of the last one is the sign. From the fourth on, a number is the difference to the one two before, which
    is the last run of the same value.
    """
    digits = np.frombuffer(counts, dtype=np.uint8).astype(np.int64) - 48  # (characters,)
    ends = np.flatnonzero((digits & 32) == 0)  # (runs,)
    damaged = len(digits) == 0 or digits.min() < 0 or digits.max() > 63 or (digits[-1] & 32) != 0
    if damaged or np.diff(ends, prepend=-1).max() > 10:  # no length needs more than 10 characters
        raise LessonsError("The counts of a run-length mask are damaged: encode the mask again.")
    starts = np.concatenate([[0], ends[:-1] + 1])
    characters = ends - starts + 1  # of each number
    place = np.arange(len(digits)) - np.repeat(starts, characters)
    numbers = np.add.reduceat((digits & 31) << (5 * place), starts)  # (runs,)
    numbers -= np.where(digits[ends] & 16, 1 << (5 * characters), 0)
    numbers[1::2] = numbers[1::2].cumsum()
    numbers[2::2] = numbers[2::2].cumsum()
    return numbers


def from_polygons(polygons: Sequence[Sequence[float]], size: tuple[int, int]) -> Tensor:
    """Fill polygons: together they are one object's mask (H, W) bool, drawn as COCO's own tools draw it.

    Args:
        polygons: each a flat list x1, y1, x2, y2, ... of corners in pixels; the object is their union. One of
            fewer than three corners encloses nothing and adds nothing.
        size: (H, W) of the image; what lies outside is cut off.

    Raises:
        LessonsError: a polygon with an odd count of numbers, or something else than numbers, or far outside.
    """
    height, width = size
    farthest = FARTHEST_CORNER * max(height, width, 1)
    corners = [_corners(polygon, farthest) for polygon in polygons]
    corners = [polygon for polygon in corners if len(polygon) >= 6]
    if not corners or 0 in size:
        return torch.zeros(height, width, dtype=torch.bool)
    union = coco_mask.merge(coco_mask.frPyObjects(corners, height, width))
    return torch.from_numpy(np.ascontiguousarray(_decode_one(union, height, width)))


def _corners(polygon: Sequence[float], farthest: float) -> list[float]:
    try:
        numbers = np.asarray(polygon, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        numbers = np.empty(0).reshape(0, 1)
    if numbers.ndim != 1 or len(numbers) % 2:
        raise LessonsError(
            "A polygon must be a flat list of numbers x1, y1, x2, y2, ...: mend it in the annotation."
        )
    if not (np.abs(numbers) <= farthest).all():
        raise LessonsError("A polygon has a corner far outside its image: mend it in the annotation.")
    return numbers.tolist()
