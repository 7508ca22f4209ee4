"""What chance does to a training image and its target, so that a small data set looks larger.

All dice are torch's global generator; as in `lessons.data.transforms`, nothing that comes in is changed. In a
training run every image of every epoch has a seed of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lessons import masks as mask_geometry
from lessons.data.transforms import Sample, Target, resize
from lessons.errors import LessonsError


@dataclass(frozen=True)
class RandomResize:
    """`resize` to one of several short sides, as likely each (mmdetection's multi-scale "value" mode).

    Args:
        shorts: pixels. long: at most.
    """

    shorts: Sequence[int]
    long: int = 1333

    def __post_init__(self) -> None:
        if len(self.shorts) == 0:
            raise LessonsError("shorts is empty: name at least one length of the shorter side.")

    def __call__(self, image: Tensor, target: Target) -> Sample:
        choice = int(torch.randint(len(self.shorts), ()))
        return resize(image, target, self.shorts[choice], self.long)


@dataclass(frozen=True)
class RandomQuarterTurn:
    """A turn by 0, 90, 180 or 270 degrees, as likely each: for pictures without an up and a down."""

    def __call__(self, image: Tensor, target: Target) -> Sample:
        for _ in range(int(torch.randint(4, ()))):
            image, target = quarter_turn(image, target)
        return image, dict(target)


@dataclass(frozen=True)
class RandomColour:
    """Another brightness, contrast and saturation, each times a number in 1 ± `strength`."""

    strength: float = 0.2

    def __post_init__(self) -> None:
        if not 0 <= self.strength < 1:
            raise LessonsError(f"strength={self.strength!r} must lie between 0 and 1.")

    def __call__(self, image: Tensor, target: Target) -> Sample:
        brightness, contrast, saturation = (1 + self.strength * (2 * torch.rand(3) - 1)).tolist()
        image = image * brightness
        image = image.mean() + (image - image.mean()) * contrast
        grey = image.mean(dim=0, keepdim=True)  # (1, H, W)
        return (grey + (image - grey) * saturation).clamp(0, 1), dict(target)


def quarter_turn(image: Tensor, target: Target) -> Sample:
    """Turn image and target by 90 degrees against the clock: (3, H, W) -> (3, W, H).

    A pixel at column x and row y comes to column y and row W - 1 - x.
    """
    width = image.shape[-1]
    turned = dict(target)
    for key in ("boxes", "boxes_xml"):
        if key in target:
            x1, y1, x2, y2 = target[key].unbind(dim=1)
            turned[key] = torch.stack([y1, width - x2, y2, width - x1], dim=1)  # (N, 4)
    for key in ("masks", "ignore"):
        if key in target:
            turned[key] = target[key].rot90(1, (-2, -1))
    if "masks" in turned and "area" in target:
        turned["area"] = mask_geometry.area(turned["masks"])
    return image.rot90(1, (-2, -1)), turned
