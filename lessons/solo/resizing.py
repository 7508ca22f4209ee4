"""The official resizing of pictures: bilinear on 8-bit pixels in whole-number arithmetic, exact to the bit.

The released weights were tested with pictures resized so. A float bilinear rounded afterwards is off by one
in a tenth of the pixels; seldom does that matter for a real picture, but numbers can then no longer be
compared with the official ones. Each output pixel is a weighted mean of 2 × 2 pixels, the weights in
1/2048ths, with bits dropped on the way where 8-bit arithmetic drops them.

    H, W  height and width; sizes are (H, W)
"""

import numpy as np

ONE = 2048  # the weight 1.0


def official_size(size: tuple[int, int], short: int, long: int) -> tuple[int, int]:
    """The size of the same ratio whose shorter side is `short`, or longer side `long` if that is smaller.

    A scaled side x becomes int(x + 0.5). (`lessons.data.transforms.scaled_size` rounds in two steps.)
    """
    factor = min(long / max(size), short / min(size))
    height, width = (max(1, int(side * factor + 0.5)) for side in size)
    return height, width


def resize_picture(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, C) uint8 -> (*size, C) uint8."""
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
