"""CoordConv: two more channels that tell a convolution where it is (Liu et al. 2018; SOLO, section 3.2).

A convolution sees the same numbers wherever the same pattern lies. To say "this pixel belongs to the object
whose centre is *up there*" it must know where it is itself, so x and y come along as channels.

    B     images
    C     channels
    h, w  height and width of one feature map
"""

import torch
from torch import Tensor

from lessons.errors import LessonsError


def coordinates(features: Tensor) -> Tensor:
    """The place of every pixel of a map: (..., h, w) -> (2, h, w), x first, then y.

    Both run from -1 at the centre of the first pixel to +1 at that of the last one, over the map as it is,
    padding included. dtype and device are those of `features`.
    """
    height, width = features.shape[-2:]
    x = torch.linspace(-1, 1, width, dtype=features.dtype, device=features.device)  # (w,)
    y = torch.linspace(-1, 1, height, dtype=features.dtype, device=features.device)  # (h,)
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)])  # (2, h, w)


def append_coordinates(features: Tensor, axes: str = "xy") -> Tensor:
    """Put the coordinates behind the channels of every image: (B, C, h, w) -> (B, C + len(axes), h, w).

    Args:
        axes: "xy", "x" or "y": which of the two.

    Raises:
        LessonsError: other axes.
    """
    if axes not in ("xy", "x", "y"):
        raise LessonsError(f'axes={axes!r} is not known: choose "xy", "x" or "y".')
    place = coordinates(features)[["xy".index(axis) for axis in axes]]  # (len(axes), h, w)
    return torch.cat([features, place.expand(len(features), -1, -1, -1)], dim=1)
