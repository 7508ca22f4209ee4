"""The whole detector: pictures in; losses, or objects, out.

B     images in the batch
N     instances of one image
H, W  height and width of the padded batch, multiples of 32
"""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from lessons.backbones import FeaturePyramid
from lessons.backbones.folding import folded
from lessons.data.batches import ImageBatch, pad_batch
from lessons.data.images import read_image, to_tensor
from lessons.data.transforms import IMAGENET_MEAN, IMAGENET_STD, normalise
from lessons.errors import LessonsError
from lessons.solo import decode, fast, losses, sparse, targets
from lessons.solo.decode import OFFICIAL, Decoding
from lessons.solo.heads import Output
from lessons.solo.resizing import official_size, resize_picture
from lessons.solo.targets import LevelTarget

Size = tuple[int, int]  # (height, width)

MULTIPLE = 32  # the stride of p5: all levels but p6 then have whole pixels


class SOLO(nn.Module):
    """Backbone and head, and what stands around them.

    Args:
        backbone: images (B, 3, H, W) -> {"p2", ..., "p6"}.
        head: p2 ... p6 -> logits; see `lessons.solo.heads`.
        scale_ranges: which sizes of objects each level is for, in pixels of the image that the network sees.
        sigma: size of the centre region in terms of the object's box.
        mask_weight: of the dice loss beside the focal loss.
        mean, std: of each colour, in [0, 1].
        decoding: what counts as found.
        resize: (short, long) sides that `predict` gives a picture; None leaves it as it is.

    Example:

        model = SOLO(resnet_pyramid(50, norm="still", frozen_stages=2), SOLOHead(classes=20))
        losses = model.train()(images, targets)      # a dict; sum its values and call backward()
    """

    def __init__(
        self,
        backbone: FeaturePyramid,
        head: nn.Module,
        *,
        scale_ranges: Sequence[tuple[float, float]] = targets.SCALE_RANGES,
        sigma: float = targets.SIGMA,
        mask_weight: float = losses.MASK_WEIGHT,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        decoding: Decoding = OFFICIAL,
        resize: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        if len(scale_ranges) != len(head.grids):
            raise LessonsError(
                f"scale_ranges has {len(scale_ranges)} entries and the head {len(head.grids)} grids: "
                "give one range for each."
            )
        self.backbone = backbone
        self.head = head
        self.scale_ranges = tuple(scale_ranges)
        self.sigma = sigma
        self.mask_weight = mask_weight
        self.mean, self.std = tuple(mean), tuple(std)
        self.decoding = decoding
        self.resize = resize

    def forward(
        self, images: Sequence[Tensor], targets: Sequence[dict[str, Any]] | None = None
    ) -> dict[str, Tensor] | list[dict[str, Tensor]]:
        """Images (3, h, w) float in [0, 1], of any sizes -> in training the losses, else the objects.

        Args:
            targets: in training, one dict per image: boxes (N, 4), labels (N,) from 1 to C, masks (N, h, w)
                bool, and iscrowd (N,) if there is any. N may be 0.

        Returns:
            in training, loss_mask and loss_category; in evaluation a dict per image: boxes (K, 4) float32,
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
        batch = self.prepare(images)
        output = sparse.output(self.head, self.pyramid(batch.tensor))
        return self.loss(output, self.assign(targets, batch, output))

    @torch.no_grad()
    def detect(
        self, images: Sequence[Tensor], sizes: Sequence[Size], *, plainly: bool = False
    ) -> list[dict[str, Tensor]]:
        """The objects of each image, with masks and boxes at `sizes`, the pictures' (height, width).

        Args:
            plainly: work in the paper's order (`decode.plain`): the same objects, in more time and memory.
        """
        batch = self.prepare(images)
        if not plainly:
            levels = fast.head_levels(self.backbone, batch.tensor, self.head.halve_first)
            return fast.decode(self.head, levels, batch, sizes, self.decoding)
        output = self.head(self.pyramid(batch.tensor))
        return [
            decode.plain(output, number, batch.padded_size, batch.sizes[number], size, self.decoding)
            for number, size in enumerate(sizes)
        ]

    def for_inference(self) -> "SOLO":
        """A copy in evaluation mode that gives the same objects in less time on a CPU.

        Fixed normalisations are folded into convolutions, and maps lie with their channels together. It is
        no longer the model of a checkpoint: train and save the original.
        """
        quick = copy.deepcopy(self).eval().requires_grad_(False)
        quick.backbone = folded(quick.backbone)
        return quick.to(memory_format=torch.channels_last)

    @torch.no_grad()
    def predict(self, picture: str | Path | Image.Image | np.ndarray) -> dict[str, Tensor]:
        """The objects of one picture, at its own size, on the CPU; see `forward`. `resize` is obeyed.

        The model evaluates meanwhile, and then goes on as it was.

        Args:
            picture: a path, a PIL image, or (H, W, 3) uint8 RGB.
        """
        pixels = as_pixels(picture)  # (H, W, 3)
        size = pixels.shape[:2]
        smaller = pixels if self.resize is None else resize_picture(pixels, official_size(size, *self.resize))
        device = next(self.parameters()).device
        training = self.training
        self.eval()
        try:
            (found,) = self.detect([to_tensor(smaller).to(device)], [size])
        finally:
            self.train(training)
        return {name: value.cpu() for name, value in found.items()}

    def prepare(self, images: Sequence[Tensor]) -> ImageBatch:
        """Normalise the images and pad them to one size."""
        return pad_batch([normalise(image, self.mean, self.std) for image in images], MULTIPLE)

    def pyramid(self, tensor: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> p2 ... p6, or what maps the backbone gives."""
        return list(self.backbone(tensor).values())

    def assign(
        self, targets_of_images: Sequence[dict[str, Any]], batch: ImageBatch, output: Output
    ) -> list[LevelTarget]:
        """Which cell of which level is to find what; one entry per level."""
        return targets.batch_targets(
            targets_of_images,
            batch.padded_size,
            self.head.grids,
            output.mask_sizes,
            self.scale_ranges,
            self.sigma,
        )

    def loss(self, output: Output, level_targets: Sequence[LevelTarget]) -> dict[str, Tensor]:
        """See `lessons.solo.losses.solo_loss`."""
        return losses.solo_loss(output, level_targets, self.mask_weight)


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
