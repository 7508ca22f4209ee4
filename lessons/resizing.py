"""How the official models' pictures are made smaller or larger before the network, each to the bit.

Released weights were tested with pictures resized in one particular way; another one shifts scores a little,
and numbers can then no longer be compared with the official ones.

    RESIZINGS["opencv"]        SOLO: bilinear on 8-bit pixels, in whole-number arithmetic
    RESIZINGS["pillow"]        detectron2: bilinear, and averaging where a picture shrinks (antialiased)
    RESIZINGS["torchvision"]   torchvision: bilinear on floats, not antialiased

    H, W  height and width; sizes are (H, W)
"""

from collections.abc import Callable

import numpy as np
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from lessons.data.images import to_tensor

Size = tuple[int, int]
ONE = 2048  # the weight 1.0

# (H, W, 3) uint8, short side, long side at most -> (3, h, w) float32 in [0, 1]
Resizing = Callable[[np.ndarray, int, int], Tensor]


def with_opencv(picture: np.ndarray, short: int, long: int) -> Tensor:
    """SOLO's way."""
    return to_tensor(resize_picture(picture, official_size(picture.shape[:2], short, long)))


def with_pillow(picture: np.ndarray, short: int, long: int) -> Tensor:
    """detectron2's way."""
    height, width = shortest_edge_size(picture.shape[:2], short, long)
    resized = Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR)
    return to_tensor(np.array(resized))


def with_torchvision(picture: np.ndarray, short: int, long: int) -> Tensor:
    """torchvision's way: sides are rounded down."""
    image = to_tensor(picture)
    factor = min(short / min(image.shape[-2:]), long / max(image.shape[-2:]))
    return F.interpolate(
        image[None], scale_factor=factor, mode="bilinear", recompute_scale_factor=True, align_corners=False
    )[0]


RESIZINGS: dict[str, Resizing] = {
    "opencv": with_opencv,
    "pillow": with_pillow,
    "torchvision": with_torchvision,
}


def official_size(size: Size, short: int, long: int) -> Size:
    """SOLO's size of the same ratio whose shorter side is `short`, or longer side `long` if that is smaller.

    A scaled side x becomes int(x + 0.5). (`lessons.data.transforms.scaled_size` rounds in two steps.)
    """
    factor = min(long / max(size), short / min(size))
    height, width = (max(1, int(side * factor + 0.5)) for side in size)
    return height, width


def shortest_edge_size(size: Size, short: int, long: int) -> Size:
    """detectron2's: the same, but scaled to `short` first and then to `long`, which can round otherwise."""
    factor = short / min(size)
    height, width = (float(short) if side == min(size) else factor * side for side in size)
    if max(height, width) > long:
        factor = long / max(height, width)
        height, width = height * factor, width * factor
    return max(1, int(height + 0.5)), max(1, int(width + 0.5))


def resize_picture(picture: np.ndarray, size: Size) -> np.ndarray:
    """(H, W, C) uint8 -> (*size, C) uint8, by OpenCV's rule.

    A float bilinear rounded afterwards is off by one in a tenth of the pixels. Each output pixel is a
    weighted mean of 2 × 2 pixels, the weights in 1/2048ths, with bits dropped on the way where 8-bit
    arithmetic drops them.
    """
    if tuple(picture.shape[:2]) == tuple(size):
        return picture
    top, bottom, down = _neighbours(picture.shape[0], size[0])
    left, right, across = _neighbours(picture.shape[1], size[1])
    # Left of the first and right of the last pixel's centre there is no second one to mix with.
    across = np.where((left < 0) | (left >= picture.shape[1] - 1), 0, across)[:, None]  # (W', 1)
    left, right = (np.clip(index, 0, picture.shape[1] - 1) for index in (left, right))
    top, bottom = (np.clip(index, 0, picture.shape[0] - 1) for index in (top, bottom))
    down = down[:, None, None]  # (H', 1, 1)

    pixels = picture.astype(np.int32)
    rows = (pixels[:, left] * (ONE - across) + pixels[:, right] * across) >> 4  # (H, W', C)
    mixed = (rows[top] * (ONE - down) >> 16) + (rows[bottom] * down >> 16)  # (H', W', C)
    return ((mixed + 2) >> 2).astype(np.uint8)


def _neighbours(old: int, new: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each of `new` pixels: the old pixels before and after its centre, and the weight of the latter.

    The indices may lie outside; all (new,), int32 and in 1/2048ths.
    """
    place = ((np.arange(new) + 0.5) * old / new - 0.5).astype(np.float32)  # (new,)
    before = np.floor(place).astype(np.int32)
    weight = np.rint((place - before.astype(np.float32)) * ONE).astype(np.int32)
    return before, before + 1, weight
