"""Transforms of an image and its target together, and the way back from the network's size to the picture's.

Every transform gives a new image and a new target and never changes what it was given: a data set may hand
out the same tensors again in the next epoch, and boxes scaled in place would then be scaled twice. What a
transform leaves as it is (labels, an image that has the right size) is shared with the input, not copied.

    image   (3, H, W) float32, RGB in [0, 1]; sizes are (height, width)
    target  dict; `boxes` and `boxes_xml` (N, 4), `masks` (N, H, W) and `ignore` (H, W) move with the image,
            `area` (N,) is counted again; every other key passes through

A transform is called as `image, target = transform(image, target)`. Do geometry before normalising.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lessons import boxes as box_geometry
from lessons import masks as mask_geometry
from lessons.errors import LessonsError

Size = tuple[int, int]  # (height, width)
Target = dict[str, Any]
Sample = tuple[Tensor, Target]
Transform = Callable[[Tensor, Target], Sample]

# Mean and standard deviation of ImageNet's pixels, red, green and blue in [0, 1]; for torchvision's weights.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def normalise(
    image: Tensor, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD
) -> Tensor:
    """(image - mean) / std in each channel: (..., 3, H, W) float -> the same shape.

    Raises:
        LessonsError: a mean or std without one number per channel, or a std that is not positive.
    """
    mean, std = _per_channel(image, mean, "mean"), _per_channel(image, std, "std")
    if not (std > 0).all():
        raise LessonsError(
            f"std={std.flatten().tolist()} must be positive in every channel: one number each."
        )
    return (image - mean) / std


def denormalise(
    image: Tensor, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD
) -> Tensor:
    """The way back from `normalise`, for drawing: image * std + mean, (..., 3, H, W) -> the same shape."""
    return image * _per_channel(image, std, "std") + _per_channel(image, mean, "mean")


def scaled_size(size: Size, short: int, long: int) -> Size:
    """The size of the same ratio with the shorter side `short`, or the longer side `long` if that is smaller.

    A scaled side x becomes int(x + 0.5) pixels, and at least one; the two steps are detectron2's, so that
    exact halves fall to the same side. Example: scaled_size((480, 640), 800, 1333) is (800, 1067).

    Raises:
        LessonsError: a side that is not positive.
    """
    if min(*size, short, long) < 1:
        raise LessonsError(f"size={size}, short={short} and long={long} must be positive: give whole pixels.")
    factor = short / min(size)
    height, width = (short if side == min(size) else side * factor for side in size)
    if max(height, width) > long:
        factor = long / max(height, width)
        height, width = height * factor, width * factor
    return max(1, int(height + 0.5)), max(1, int(width + 0.5))


def resize(image: Tensor, target: Target, short: int, long: int, *, antialias: bool = True) -> Sample:
    """Scale image and target to `scaled_size(image's size, short, long)`.

    Boxes are scaled by the exact ratio of the two sizes, axis by axis, so they fit the rounded size. Masks
    and `ignore` take the nearest pixel (`lessons.masks.resize`): no pixel gets two owners, but a thin
    object can lose pixels, or all of them. Its box and label stay, so that the target keeps its N.

    Args:
        short, long: pixels.
        antialias: average over all pixels that fall into a smaller one. Without it, as in torchvision's
            detection models, shrinking looks at four pixels only and drops the others.

    Raises:
        LessonsError: an image that is not float, a target of another size, a side that is not positive.
    """
    old = _size_of(image, target)
    new = scaled_size(old, short, long)
    if new == old:
        return image, dict(target)

    moved = _move(
        target,
        lambda boxes: box_geometry.scale(boxes, old, new),
        lambda masks: mask_geometry.resize(masks, new),
    )
    if "masks" in target:
        moved["area"] = mask_geometry.area(moved["masks"])
    elif "area" in target:
        moved["area"] = target["area"] * (new[0] * new[1] / (old[0] * old[1]))
    return resize_image(image, new, antialias=antialias), moved


def resize_image(image: Tensor, size: Size, *, antialias: bool = True) -> Tensor:
    """(3, H, W) float -> (3, *size), bilinear; `antialias` as in `resize`."""
    return F.interpolate(
        image[None], size=size, mode="bilinear", align_corners=False, antialias=antialias
    ).squeeze(0)


def horizontal_flip(image: Tensor, target: Target) -> Sample:
    """Mirror image and target left to right."""
    _, width = _size_of(image, target)
    return image.flip(-1), _move(
        target, lambda boxes: box_geometry.flip(boxes, width), lambda masks: masks.flip(-1)
    )


def pad_to_multiple(image: Tensor, target: Target, multiple: int = 32) -> Sample:
    """Add zeros right and below until both sides are multiples of `multiple`; boxes stay where they are.

    Masks and `ignore` are False there. Pad after normalising: a zero then is the mean colour, not black.
    """
    height, width = _size_of(image, target)
    right, bottom = padding((height, width), multiple)
    if right == bottom == 0:
        return image, dict(target)

    def pad(x: Tensor) -> Tensor:
        return F.pad(x, (0, right, 0, bottom))

    return pad(image), _move(target, lambda boxes: boxes, pad)


def padding(size: Size, multiple: int) -> tuple[int, int]:
    """How many columns (right) and rows (below) `size` lacks to the next multiples of `multiple`.

    Raises:
        LessonsError: `multiple` is less than 1.
    """
    if multiple < 1:
        raise LessonsError(f"multiple={multiple!r} must be at least 1: 32 suits a ResNet.")
    height, width = size
    return -width % multiple, -height % multiple


def restore(prediction: Target, network_size: Size, original_size: Size) -> Target:
    """A prediction from the size the network saw, back to the size of the picture.

    Args:
        prediction: `boxes` (N, 4) in pixels of the resized image; `masks` (N, H, W) bool, if there are any,
            of the resized image's size, or larger by the padding right and below, which is cut off. N may
            be 0.
        network_size: (height, width) of the resized image before padding.
        original_size: (height, width) of the picture.

    Returns:
        a new dict: boxes scaled and clipped, masks (N, *original_size) bool, the rest as it was.

    Raises:
        LessonsError: masks that are smaller than `network_size`, or not bool.
    """

    def bring_back(masks: Tensor) -> Tensor:
        if (
            masks.dtype != torch.bool
            or masks.shape[-2] < network_size[0]
            or masks.shape[-1] < network_size[1]
        ):
            raise LessonsError(
                f"The masks {tuple(masks.shape)} {masks.dtype} must be bool and of at least network_size="
                f"{network_size}: threshold them at the size the network saw."
            )
        return mask_geometry.resize(masks[:, : network_size[0], : network_size[1]], original_size)

    return _move(
        prediction,
        lambda boxes: box_geometry.clip(
            box_geometry.scale(boxes, network_size, original_size), original_size
        ),
        bring_back,
    )


@dataclass(frozen=True)
class Compose:
    """Transforms one after the other. Example: Compose([RandomHorizontalFlip(), Resize(), Normalise()])."""

    transforms: Sequence[Transform]

    def __call__(self, image: Tensor, target: Target) -> Sample:
        for transform in self.transforms:
            image, target = transform(image, target)
        return image, target


@dataclass(frozen=True)
class Normalise:
    """`normalise` for the image; the target stays."""

    mean: Sequence[float] = IMAGENET_MEAN
    std: Sequence[float] = IMAGENET_STD

    def __call__(self, image: Tensor, target: Target) -> Sample:
        return normalise(image, self.mean, self.std), dict(target)


@dataclass(frozen=True)
class Resize:
    """`resize` to one short and one long side, in pixels."""

    short: int = 800
    long: int = 1333
    antialias: bool = True

    def __call__(self, image: Tensor, target: Target) -> Sample:
        return resize(image, target, self.short, self.long, antialias=self.antialias)


@dataclass(frozen=True)
class PadToMultiple:
    """`pad_to_multiple`."""

    multiple: int = 32

    def __call__(self, image: Tensor, target: Target) -> Sample:
        return pad_to_multiple(image, target, self.multiple)


@dataclass(frozen=True)
class RandomHorizontalFlip:
    """`horizontal_flip` with a probability.

    Args:
        generator: where the chance comes from; None is torch's global one, which a DataLoader seeds
            differently in each worker. A generator given here is copied into every worker, and all would
            flip alike.
    """

    probability: float = 0.5
    generator: torch.Generator | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise LessonsError(f"probability={self.probability!r} must lie between 0 and 1.")

    def __call__(self, image: Tensor, target: Target) -> Sample:
        if torch.rand((), generator=self.generator).item() < self.probability:
            return horizontal_flip(image, target)
        return image, dict(target)


def _move(
    target: Target, move_boxes: Callable[[Tensor], Tensor], move_masks: Callable[[Tensor], Tensor]
) -> Target:
    """A new dict in which what has a place in the image is moved, and all else is passed through."""
    moved = dict(target)
    for key in ("boxes", "boxes_xml"):
        if key in target:
            moved[key] = move_boxes(target[key])
    if "masks" in target:
        moved["masks"] = move_masks(target["masks"])  # (N, H, W)
    if "ignore" in target:
        moved["ignore"] = move_masks(target["ignore"][None]).squeeze(0)  # (H, W) as one mask
    return moved


def _size_of(image: Tensor, target: Target) -> Size:
    """(height, width) of the image, once it is certain that the target belongs to an image of that size."""
    if image.ndim != 3 or not image.is_floating_point():
        raise LessonsError(
            f"An image must be (3, H, W) float, not {tuple(image.shape)} {image.dtype}: "
            "make it with lessons.data.images.to_tensor."
        )
    height, width = image.shape[-2:]
    for key in ("masks", "ignore"):
        if key in target and tuple(target[key].shape[-2:]) != (height, width):
            raise LessonsError(
                f"target[{key!r}] is {tuple(target[key].shape)} and the image {height}×{width}: "
                "transform image and target together."
            )
    return height, width


def _per_channel(image: Tensor, numbers: Sequence[float], name: str) -> Tensor:
    """One number per channel as (C, 1, 1), of the image's dtype and on its device."""
    if not image.is_floating_point() or len(numbers) != image.shape[-3]:
        raise LessonsError(
            f"{name}={tuple(numbers)} needs one number per channel of a float image, and the image is "
            f"{tuple(image.shape)} {image.dtype}: make it with lessons.data.images.to_tensor."
        )
    return torch.tensor(numbers, dtype=image.dtype, device=image.device)[:, None, None]
