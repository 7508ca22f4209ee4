"""From a small mask in a box to a mask of the whole picture.

    D      detections
    M      side of a small mask
    H, W   height and width of the picture; sizes are (H, W)

Two rules, for two families of weights. `paste` is detectron2's: every pixel of the picture asks the small
mask at its own centre. `paste_rounded` is torchvision's, and maskrcnn-benchmark's before it: the box is
rounded to whole pixels, and the small mask resized to it, which shifts and stretches it by up to a pixel.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Size = tuple[int, int]
Window = tuple[int, int, int, int]  # top, bottom, left, right: whole pixels, half-open, inside the picture


def paste(masks: Tensor, boxes: Tensor, size: Size, threshold: float | None = 0.5) -> Tensor:
    """(D, M, M) probabilities in boxes (D, 4) -> (D, H, W) bool: the probability is at least the threshold.

    A pixel's centre, seen from the box, falls between the centres of the small mask's pixels and takes their
    mixture. Outside the small mask all is 0, so from its outermost centres the probability fades out over one
    mask pixel, half of it outside the box; one pixel outside the box it is cut off.

    Args:
        threshold: None gives the probabilities themselves, float32, in four times the memory.
    """
    return _pasted(masks, boxes, size, threshold, _sampled)


def paste_rounded(masks: Tensor, boxes: Tensor, size: Size, threshold: float | None = 0.5) -> Tensor:
    """As `paste`, by torchvision's rule; True where the probability is above the threshold.

    The small mask gets a border of one 0, the box grows as much, its corners are cut to whole pixels, and the
    mask is resized to the box, one pixel wider and higher than its corners are apart.
    """
    side = masks.shape[-1]
    padded = F.pad(masks, (1, 1, 1, 1))  # (D, M + 2, M + 2)
    grown = _grown(boxes, (side + 2) / side).to(torch.int64)  # cut off towards 0
    just_above = None if threshold is None else math.nextafter(threshold, math.inf)
    return _pasted(padded, grown, size, just_above, _resized)


Painter = Callable[[Tensor, Tensor, Size], tuple[Window, Tensor] | None]


def _pasted(masks: Tensor, boxes: Tensor, size: Size, threshold: float | None, painter: Painter) -> Tensor:
    """One mask at a time, in the window that it needs: most boxes are far smaller than the picture."""
    dtype = torch.float32 if threshold is None else torch.bool
    pasted = torch.zeros(len(masks), *size, dtype=dtype, device=masks.device)
    for canvas, mask, box in zip(pasted, masks.float(), boxes, strict=True):
        painted = painter(mask, box, size)
        if painted is not None:
            (top, bottom, left, right), values = painted
            canvas[top:bottom, left:right] = values if threshold is None else values >= threshold
    return pasted


def _sampled(mask: Tensor, box: Tensor, size: Size) -> tuple[Window, Tensor] | None:
    height, width = size
    x1, y1, x2, y2 = box.tolist()
    if not all(map(math.isfinite, (x1, y1, x2, y2))):
        return None
    left, top = max(math.floor(x1) - 1, 0), max(math.floor(y1) - 1, 0)
    right, bottom = min(math.ceil(x2) + 1, width), min(math.ceil(y2) + 1, height)
    if left >= right or top >= bottom:
        return None
    x = torch.arange(left, right, device=mask.device, dtype=torch.float32) + 0.5
    y = torch.arange(top, bottom, device=mask.device, dtype=torch.float32) + 0.5
    x = (x - box[0]) / (box[2] - box[0]) * 2 - 1  # -1 and 1 are the box's edges
    y = (y - box[1]) / (box[3] - box[1]) * 2 - 1
    y, x = torch.meshgrid(y, x, indexing="ij")
    grid = torch.stack([x, y], dim=-1).nan_to_num(posinf=0.0, neginf=0.0)
    values = F.grid_sample(mask[None, None], grid[None], align_corners=False)[0, 0]
    return (top, bottom, left, right), values


def _resized(mask: Tensor, box: Tensor, size: Size) -> tuple[Window, Tensor] | None:
    height, width = size
    x1, y1, x2, y2 = box.tolist()
    high, wide = max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1)
    left, right, top, bottom = max(x1, 0), min(x2 + 1, width), max(y1, 0), min(y2 + 1, height)
    if left >= right or top >= bottom:
        return None
    resized = F.interpolate(mask[None, None], size=(high, wide), mode="bilinear", align_corners=False)[0, 0]
    return (top, bottom, left, right), resized[top - y1 : bottom - y1, left - x1 : right - x1]


def _grown(boxes: Tensor, factor: float) -> Tensor:
    """The boxes (D, 4), larger around the same centre."""
    half_width = (boxes[:, 2] - boxes[:, 0]) * 0.5 * factor
    half_height = (boxes[:, 3] - boxes[:, 1]) * 0.5 * factor
    x, y = (boxes[:, 2] + boxes[:, 0]) * 0.5, (boxes[:, 3] + boxes[:, 1]) * 0.5
    return torch.stack([x - half_width, y - half_height, x + half_width, y + half_height], dim=1)
