"""A batch on its way from a DataLoader's worker process to the training process: as one tensor, not as fifty.

PyTorch hands each tensor from one process to another through shared memory, with a file descriptor of its
own. A batch of four samples holds about fifty tensors. Here all are laid into one block of bytes, and taken
out of it again as views on the other side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

ALIGNMENT = 16  # bytes; a view as another dtype must begin at a multiple of its element's size


class Samples(tuple):
    """(images, targets): an ordinary pair of lists, which crosses between processes as one tensor.

    After the crossing the tensors of a batch share one block of memory: clone what you keep for long.
    """

    def __new__(cls, images: Sequence[Tensor], targets: Sequence[dict[str, Any]]) -> "Samples":
        return super().__new__(cls, (list(images), list(targets)))

    def __reduce__(self) -> tuple:
        return unpack, pack(*self)


@dataclass(frozen=True)
class Place:
    """Where a tensor lies in the block: its first byte, its shape, its dtype."""

    start: int
    shape: tuple[int, ...]
    dtype: torch.dtype


def pack(images: list[Tensor], targets: list[dict[str, Any]]) -> tuple[Tensor, list, list]:
    """All CPU tensors in one block (bytes,) uint8; and images and targets with places in their stead."""
    laid: list[tuple[Place, Tensor]] = []
    end = 0

    def lay(value: Any) -> Any:
        nonlocal end
        if not isinstance(value, Tensor) or value.device.type != "cpu":
            return value
        place = Place(end, tuple(value.shape), value.dtype)
        end += -(-value.numel() * value.element_size() // ALIGNMENT) * ALIGNMENT
        laid.append((place, value.detach()))
        return place

    image_places = [lay(image) for image in images]
    target_places = [{key: lay(value) for key, value in target.items()} for target in targets]
    block = torch.empty(end, dtype=torch.uint8)
    for place, tensor in laid:
        take(block, place).copy_(tensor)
    return block, image_places, target_places


def unpack(block: Tensor, images: list, targets: list[dict[str, Any]]) -> Samples:
    """The way back from `pack`; the tensors are views of the block."""

    def found(value: Any) -> Any:
        return take(block, value) if isinstance(value, Place) else value

    return Samples(
        [found(image) for image in images],
        [{key: found(value) for key, value in target.items()} for target in targets],
    )


def take(block: Tensor, place: Place) -> Tensor:
    """The tensor at that place, a view of the block (bytes,) uint8."""
    count = torch.Size(place.shape).numel() * place.dtype.itemsize
    return block[place.start : place.start + count].view(place.dtype).view(place.shape)
