"""What all families have in common: pictures in; losses, or objects, out.

N      objects of one image
h, w   height and width of one image
"""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from lessons.backbones.folding import folded
from lessons.data.batches import ImageBatch, pad_batch
from lessons.data.images import read_image, to_tensor
from lessons.data.transforms import IMAGENET_MEAN, IMAGENET_STD, normalise
from lessons.errors import LessonsError
from lessons.resizing import RESIZINGS

Size = tuple[int, int]  # (height, width)
Target = dict[str, Any]  # boxes (N, 4), labels (N,) from 1 to C, masks (N, h, w) bool, iscrowd (N,)
Prediction = dict[str, Tensor]  # boxes (K, 4), labels (K,) from 1 to C, scores (K,), masks (K, h, w) bool

MULTIPLE = 32  # the stride of p5: all levels but p6 then have whole pixels


class Detector(nn.Module):
    """A family gives `losses`, `detect` and the attribute `backbone`, and has the rest.

    Args:
        mean, std: of each colour, in [0, 1].
        decoding: what counts as found; a frozen dataclass of the family's.
        resize: (short, long) sides that `predict` gives a picture; None leaves it as it is.
        resizing: by which rule; see `lessons.resizing`.
    """

    Decoding: ClassVar[type]  # the class of `decoding`
    backbone: nn.Module

    def __init__(
        self,
        *,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        decoding: Any = None,
        resize: tuple[int, int] | None = None,
        resizing: str = "opencv",
    ) -> None:
        super().__init__()
        if resizing not in RESIZINGS:
            raise LessonsError(f"resizing={resizing!r} is not known: choose one of {', '.join(RESIZINGS)}.")
        self.mean, self.std = tuple(mean), tuple(std)
        self.decoding = decoding
        self.resize = resize
        self.resizing = resizing

    def forward(
        self, images: Sequence[Tensor], targets: Sequence[Target] | None = None
    ) -> dict[str, Tensor] | list[Prediction]:
        """Images (3, h, w) float in [0, 1], of any sizes -> in training the losses, else the objects.

        Args:
            targets: in training, one dict per image: boxes (N, 4), labels (N,) from 1 to C, masks (N, h, w)
                bool, and iscrowd (N,) if there is any. N may be 0.

        Returns:
            in training a dict of losses, () each; in evaluation a dict per image: boxes (K, 4) float32,
            labels (K,) int64 from 1 to C, scores (K,) descending, masks (K, h, w) bool. K may be 0.

        Raises:
            LessonsError: no targets in training, or another number of them than of images.
        """
        if not self.training:
            return self.detect(images, [tuple(image.shape[-2:]) for image in images])
        if targets is None or len(targets) != len(images):
            raise LessonsError(
                f"targets must be one dict for each of the {len(images)} images while the model trains: "
                "give them, or call model.eval() first."
            )
        return self.losses(images, targets)

    def losses(self, images: Sequence[Tensor], targets: Sequence[Target]) -> dict[str, Tensor]:
        """What a training step makes smaller; see `forward`."""
        raise NotImplementedError

    def detect(self, images: Sequence[Tensor], sizes: Sequence[Size]) -> list[Prediction]:
        """The objects of each image, with masks and boxes at `sizes`, the pictures' (height, width)."""
        raise NotImplementedError

    def for_inference(self) -> "Detector":
        """A copy in evaluation mode that gives the same objects in less time on a CPU.

        Fixed normalisations are folded into convolutions, and maps lie with their channels together. It is
        no longer the model of a checkpoint: train and save the original.
        """
        quick = copy.deepcopy(self).eval().requires_grad_(False)
        quick.backbone = folded(quick.backbone)
        return quick.to(memory_format=torch.channels_last)

    @torch.no_grad()
    def predict(self, picture: str | Path | Image.Image | np.ndarray) -> Prediction:
        """The objects of one picture, at its own size, on the CPU; see `forward`. `resize` is obeyed.

        The model evaluates meanwhile, and then goes on as it was.

        Args:
            picture: a path, a PIL image, or (H, W, 3) uint8 RGB.
        """
        pixels = as_pixels(picture)  # (H, W, 3)
        size = pixels.shape[:2]
        image = to_tensor(pixels) if self.resize is None else RESIZINGS[self.resizing](pixels, *self.resize)
        device = next(self.parameters()).device
        training = self.training
        self.eval()
        try:
            (found,) = self.detect([image.to(device)], [size])
        finally:
            self.train(training)
        return {name: value.cpu() for name, value in found.items()}

    def prepare(self, images: Sequence[Tensor]) -> ImageBatch:
        """Normalise the images and pad them to one size."""
        return pad_batch([normalise(image, self.mean, self.std) for image in images], MULTIPLE)


def check_targets(images: Sequence[Tensor], targets: Sequence[Target], classes: int) -> None:
    """See that every target can be learnt from.

    Raises:
        LessonsError: one sentence that names the image (by its image_id): a label out of range, masks of
            another size; or an object whose box has no area, is not of numbers, or reaches outside the image.
    """
    for number, (image, target) in enumerate(zip(images, targets, strict=True)):
        name = f"Image {_id_of(target, number)}"
        size = tuple(image.shape[-2:])
        boxes, labels, masks = target["boxes"], target["labels"], target["masks"]
        if len(boxes) == 0:
            continue
        if not len(boxes) == len(labels) == len(masks):
            raise LessonsError(
                f"{name} has {len(boxes)} boxes, {len(labels)} labels and {len(masks)} masks: give one of "
                "each per object."
            )
        if tuple(masks.shape[-2:]) != size:
            raise LessonsError(
                f"{name} has {size[0]}×{size[1]} pixels and its masks {masks.shape[-2]}×{masks.shape[-1]}: "
                "give masks of the image's size."
            )
        lowest, highest = int(labels.min()), int(labels.max())
        if lowest < 1 or highest > classes:
            wrong = lowest if lowest < 1 else highest
            raise LessonsError(
                f"{name} has the label {wrong} and the model {classes} classes: give labels from 1 to "
                f"{classes}; 0 is background."
            )
        _check_boxes(boxes, size, name)


def _check_boxes(boxes: Tensor, size: Size, name: str) -> None:
    sides = boxes[:, 2:] - boxes[:, :2]  # (N, 2)
    edge = boxes.new_tensor([size[1], size[0]])
    problems = (
        (~boxes.isfinite().all(dim=1), "is not of finite numbers"),
        (~(sides > 0).all(dim=1), "has no area"),
        ((boxes[:, :2] < -1).any(dim=1) | (boxes[:, 2:] > edge + 1).any(dim=1), "reaches outside the image"),
    )
    for wrong, what in problems:
        if wrong.any():
            index = int(wrong.nonzero()[0])
            corners = ", ".join(f"{edge:g}" for edge in boxes[index].tolist())
            raise LessonsError(
                f"{name}: the box of object {index}, ({corners}) in {size[0]}×{size[1]} pixels, {what}: "
                "mend the annotation, or leave the object out."
            )


def _id_of(target: Target, number: int) -> str:
    given = target.get("image_id")
    if given is None:
        return f"{number} of the batch"
    return str(given.item() if isinstance(given, Tensor) and given.numel() == 1 else given)


def as_pixels(picture: str | Path | Image.Image | np.ndarray) -> np.ndarray:
    """A path, a PIL image or an array -> (H, W, 3) uint8 RGB.

    Raises:
        DataError: a file that cannot be read. LessonsError: anything else that is no picture.
    """
    if isinstance(picture, str | Path):
        return read_image(picture)
    if isinstance(picture, Image.Image):
        return np.array(picture.convert("RGB"))
    if isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.shape[2:] == (3,):
        return picture
    kind = f"{picture.dtype} {picture.shape}" if isinstance(picture, np.ndarray) else type(picture).__name__
    raise LessonsError(f"A picture cannot be {kind}: give a path, a PIL image or a uint8 (H, W, 3) array.")
