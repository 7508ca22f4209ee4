"""The whole detector: pictures in; losses, or objects, out.

B     images in the batch
N     instances of one image
H, W  height and width of the padded batch, multiples of 32
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from lessons.backbones import FeaturePyramid
from lessons.data.batches import ImageBatch
from lessons.data.transforms import IMAGENET_MEAN, IMAGENET_STD
from lessons.detector import Detector, Size, Target
from lessons.errors import LessonsError
from lessons.solo import decode, fast, losses, sparse, targets
from lessons.solo.decode import OFFICIAL, Decoding
from lessons.solo.heads import Output
from lessons.solo.targets import LevelTarget


class SOLO(Detector):
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

    Decoding: ClassVar[type] = Decoding

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
        super().__init__(mean=mean, std=std, decoding=decoding, resize=resize)
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

    def losses(self, images: Sequence[Tensor], targets: Sequence[Target]) -> dict[str, Tensor]:
        """loss_mask and loss_category; see `Detector.forward`."""
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

    def pyramid(self, tensor: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> p2 ... p6, or what maps the backbone gives."""
        return list(self.backbone(tensor).values())

    def assign(
        self, targets_of_images: Sequence[Target], batch: ImageBatch, output: Output
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
