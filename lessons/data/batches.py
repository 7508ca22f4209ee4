"""Images of different sizes in one batch: padding, and grouping by aspect ratio so that little is needed.

B        images
H, W     height and width of the padded batch
h, w     height and width of one image before padding
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Sampler

from lessons.data.crossing import Samples
from lessons.data.transforms import padding
from lessons.errors import LessonsError


@dataclass(frozen=True)
class ImageBatch:
    """Images padded to one size. What is right of and below an image's own size is zero and means nothing.

    Attributes:
        tensor: (B, 3, H, W) float.
        sizes: (h, w) of each image before padding.
    """

    tensor: Tensor
    sizes: list[tuple[int, int]]

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def padded_size(self) -> tuple[int, int]:
        """(H, W)."""
        height, width = self.tensor.shape[-2:]
        return height, width

    def image(self, index: int) -> Tensor:
        """The image of that index without its padding: (3, h, w), a view of the batch."""
        height, width = self.sizes[index]
        return self.tensor[index, :, :height, :width]

    def to(self, device: torch.device | str) -> "ImageBatch":
        """The same batch on another device."""
        return ImageBatch(self.tensor.to(device), self.sizes)


def pad_batch(images: Sequence[Tensor], multiple: int = 32) -> ImageBatch:
    """Images (3, h, w) of different sizes -> one batch (B, 3, H, W), with zeros right and below.

    H and W are the largest h and w, rounded up to a multiple, so that a level of stride 32 has no part
    pixels. The top left corner stays where it is, so boxes need no shift. Pad normalised images: zero is
    their mean.

    Raises:
        LessonsError: no image, or one whose shape, dtype or device does not fit; the message has its index.
    """
    if len(images) == 0:
        raise LessonsError("pad_batch got no image: give a list of at least one.")
    for index, image in enumerate(images):
        _check_fits(image, images[0], index)
    sizes = [(image.shape[1], image.shape[2]) for image in images]
    height, width = _padded_size(sizes, multiple)
    batch = images[0].new_zeros(len(images), 3, height, width)  # (B, 3, H, W)
    for row, image in zip(batch, images, strict=True):
        row[:, : image.shape[1], : image.shape[2]] = image
    return ImageBatch(batch, sizes)


def collate(samples: Sequence[tuple[Tensor, dict[str, Any]]]) -> Samples:
    """The DataLoader's `collate_fn`: a list of (image, target) -> (list of images, list of targets).

    Nothing is stacked, as images and numbers of objects differ; the model pads. From a worker process the
    whole batch comes over as one tensor (see `lessons.data.crossing`).
    """
    return Samples([image for image, _ in samples], [target for _, target in samples])


def padding_waste(
    sizes: Sequence[tuple[int, int]], batches: Iterable[Sequence[int]], multiple: int = 32
) -> float:
    """The share of a padded epoch's pixels that are padding, 0 to 1.

    Args:
        sizes: (h, w) of every image of the data set, as the network will see it.
        batches: the indices of each batch; for example an `AspectRatioBatchSampler`.
    """
    own = padded = 0
    for batch in batches:
        batch_sizes = [sizes[index] for index in batch]
        height, width = _padded_size(batch_sizes, multiple)
        own += sum(h * w for h, w in batch_sizes)
        padded += len(batch_sizes) * height * width
    return 1 - own / padded if padded else 0.0


class AspectRatioBatchSampler(Sampler[list[int]]):
    """Batches of wide images (height / width < 1) and batches of tall and square ones, never mixed.

    A wide and a tall image in one batch would both be padded to a square. Every epoch has every index
    exactly once (but for what `drop_last` leaves out), in a new order, and both kinds of batches mixed by
    chance. Give it to a DataLoader as `batch_sampler`.

    Args:
        aspect_ratios: height / width of every image, as `VOCInstances.aspect_ratios()` gives them.
        batch_size: images per batch; the last batch of each kind may have fewer.
        shuffle: False keeps the order of the data set: batches come in the order of their first image.
        generator: where the order comes from; None is torch's global one. Equal seeds give equal epochs.
        drop_last: leave out the batches with fewer images.

    Raises:
        LessonsError: a batch size less than 1, or an aspect ratio that is not positive.
    """

    def __init__(
        self,
        aspect_ratios: Sequence[float] | Tensor,
        batch_size: int,
        shuffle: bool = True,
        generator: torch.Generator | None = None,
        drop_last: bool = False,
    ) -> None:
        ratios = torch.as_tensor(aspect_ratios, dtype=torch.float64).flatten()  # (images,)
        if batch_size < 1:
            raise LessonsError(f"batch_size={batch_size!r} must be at least 1.")
        if not (ratios > 0).all():  # also catches NaN
            index = int((~(ratios > 0)).nonzero()[0])
            raise LessonsError(
                f"aspect_ratios[{index}] is {ratios[index].item()}: give height / width, a positive number."
            )
        self.tall = ratios >= 1  # (images,) bool
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.generator = generator
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        images = len(self.tall)
        order = torch.randperm(images, generator=self.generator) if self.shuffle else torch.arange(images)
        batches: list[list[int]] = []
        for tall in (False, True):
            indices = order[self.tall[order] == tall].tolist()
            batches += [indices[i : i + self.batch_size] for i in range(0, len(indices), self.batch_size)]
        if self.drop_last:
            batches = [batch for batch in batches if len(batch) == self.batch_size]
        if self.shuffle:
            places = torch.randperm(len(batches), generator=self.generator).tolist()
            return iter([batches[place] for place in places])
        return iter(sorted(batches))  # by first image: no index is in two batches

    def __len__(self) -> int:
        tall = int(self.tall.sum())
        spare = 0 if self.drop_last else self.batch_size - 1  # rounds up
        return sum((count + spare) // self.batch_size for count in (tall, len(self.tall) - tall))


def _padded_size(sizes: Sequence[tuple[int, int]], multiple: int) -> tuple[int, int]:
    """(H, W) of the batch that holds images of those sizes."""
    height, width = max(h for h, _ in sizes), max(w for _, w in sizes)
    right, bottom = padding((height, width), multiple)
    return height + bottom, width + right


def _check_fits(image: Tensor, first: Tensor, index: int) -> None:
    if not isinstance(image, Tensor) or not image.is_floating_point():
        kind = image.dtype if isinstance(image, Tensor) else type(image).__name__
        raise LessonsError(
            f"Image {index} is {kind}: give a float tensor, as lessons.data.images.to_tensor makes."
        )
    if image.ndim != 3 or image.shape[0] != 3 or 0 in image.shape:
        raise LessonsError(f"Image {index} has the shape {tuple(image.shape)}: give (3, height, width).")
    if (image.dtype, image.device) != (first.dtype, first.device):
        raise LessonsError(
            f"Image {index} is {image.dtype} on {image.device} and image 0 {first.dtype} on {first.device}: "
            "bring all images to one dtype and device."
        )
