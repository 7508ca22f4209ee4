"""The whole detector, two stages: where is something, and what is it?

B     images in the batch
N     objects of one image
D     detections of one image
P     proposals of one image
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from lessons import boxes as box_geometry
from lessons.data.batches import ImageBatch
from lessons.data.transforms import IMAGENET_MEAN, IMAGENET_STD
from lessons.detector import Detector, Prediction, Size, Target, check_targets
from lessons.errors import LessonsError
from lessons.mask_rcnn.box_head import BoxBranch, Detecting, Regions
from lessons.mask_rcnn.mask_head import MaskBranch
from lessons.mask_rcnn.pasting import paste, paste_rounded
from lessons.mask_rcnn.rpn import RPN

PASTINGS = {"sampled": paste, "rounded": paste_rounded}


class MaskRCNN(Detector):
    """Backbone, region proposals, box branch and mask branch (He et al., Mask R-CNN, ICCV 2017).

    Args:
        backbone: images (B, 3, H, W) -> {"p2", ..., "p6"}, or {"c5"}.
        rpn, box_branch, mask_branch: the stages; see their classes. All levels go to the RPN, and to the
            branches those that their poolers name.
        mask_boxes: what masks are learnt in: "proposals", or "decoded": the boxes as the box branch corrects
            them for the true class, which are what masks are made in when the model is used (PointRend).
        pasting: "sampled" (detectron2) or "rounded" (torchvision); see `lessons.mask_rcnn.pasting`.
        mean, std, decoding, resize, resizing: see `Detector`; decoding is a `Detecting`.

    Example:

        model = MaskRCNN(resnet_pyramid(50), RPN(256), BoxBranch(256, 20), MaskBranch(256, 20))
        losses = model.train()(images, targets)      # a dict; sum its values and call backward()
    """

    Decoding: ClassVar[type] = Detecting

    def __init__(
        self,
        backbone: nn.Module,
        rpn: RPN,
        box_branch: BoxBranch,
        mask_branch: MaskBranch,
        *,
        mask_boxes: str = "proposals",
        pasting: str = "sampled",
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        decoding: Detecting | None = None,
        resize: tuple[int, int] | None = None,
        resizing: str = "pillow",
    ) -> None:
        super().__init__(
            mean=mean, std=std, decoding=decoding or Detecting(), resize=resize, resizing=resizing
        )
        if mask_boxes not in ("proposals", "decoded") or pasting not in PASTINGS:
            raise LessonsError(
                f"mask_boxes={mask_boxes!r}, pasting={pasting!r}: choose proposals or decoded, and "
                f"{' or '.join(PASTINGS)}."
            )
        self.backbone = backbone
        self.rpn = rpn
        self.box_branch = box_branch
        self.mask_branch = mask_branch
        self.mask_boxes = mask_boxes
        self.pasting = pasting

    def losses(self, images: Sequence[Tensor], targets: Sequence[Target]) -> dict[str, Tensor]:
        """loss_objectness, loss_rpn_box, loss_category, loss_box, loss_mask; see `Detector.forward`."""
        check_targets(images, targets, self.classes_count)
        targets = [without_crowds(target) for target in targets]
        batch = self.prepare(images)
        levels, strides = self.backbone(batch.tensor), self.backbone.strides

        anchors = self.rpn(levels, strides, batch.padded_size)
        losses = self.rpn.loss(anchors, [target["boxes"] for target in targets])
        proposals = [found.boxes for found in self.rpn.propose(anchors, batch.sizes)]

        levels = by_channel(levels)
        regions = self.box_branch.choose(proposals, targets)
        corrected = self.box_branch(levels, strides, [one.boxes for one in regions])
        losses |= self.box_branch.loss(corrected, regions)

        if self.mask_boxes == "decoded":
            decoded = self.box_branch.true_class_boxes(corrected, regions)
            regions = [
                Regions(boxes, one.labels, one.objects, one.targets)
                for boxes, one in zip(decoded, regions, strict=True)
            ]
        positives = [one.positives() for one in regions]
        return losses | self.mask_branch.loss(levels, strides, positives, targets)

    @torch.no_grad()
    def detect(
        self, images: Sequence[Tensor], sizes: Sequence[Size], *, soft: bool = False
    ) -> list[Prediction]:
        """The objects of each image, with masks and boxes at `sizes`, the pictures' (height, width).

        Args:
            soft: masks are probabilities (D, *size) float32 instead of bool, and take four times the memory.
        """
        batch = self.prepare(images)
        levels = self.backbone(batch.tensor)
        proposals = self.propose(levels, batch)
        levels = by_channel(levels)
        found = self.find_boxes(levels, proposals, batch)
        masks = self.mask_branch.probabilities(
            levels,
            self.backbone.strides,
            [one["boxes"] for one in found],
            [one["labels"] for one in found],
        )  # (D, M, M) of each image
        return [
            self.place(one, small, own, size, soft)
            for one, small, own, size in zip(found, masks, batch.sizes, sizes, strict=True)
        ]

    def for_inference(self) -> "MaskRCNN":
        """See `Detector.for_inference`; the mask branch, too, takes its quicker form if it has one."""
        quick = super().for_inference()
        quick.mask_branch = quick.mask_branch.for_inference()
        return quick

    def propose(self, levels: dict[str, Tensor], batch: ImageBatch) -> list[Tensor]:
        """Where something may be: boxes (P, 4) of each image, in pixels of what the network saw."""
        anchors = self.rpn(levels, self.backbone.strides, batch.padded_size)
        return [one.boxes for one in self.rpn.propose(anchors, batch.sizes)]

    def find_boxes(
        self, levels: dict[str, Tensor], proposals: Sequence[Tensor], batch: ImageBatch
    ) -> list[Prediction]:
        """What is there: boxes, labels and scores of each image, in pixels of what the network saw."""
        output = self.box_branch(levels, self.backbone.strides, proposals)
        return self.box_branch.detect(output, proposals, batch.sizes, self.decoding)

    def place(
        self, found: Prediction, masks: Tensor, own_size: Size, size: Size, soft: bool = False
    ) -> Prediction:
        """Bring the boxes and small masks (D, M, M) of an image of `own_size` to a picture of `size`.

        Boxes are scaled and cut to the picture; what then has no area is left out.
        """
        boxes = box_geometry.clip(box_geometry.scale(found["boxes"], own_size, size), size)
        keep = ((boxes[:, 2:] - boxes[:, :2]) > 0).all(dim=1).nonzero()[:, 0]
        threshold = None if soft else self.decoding.mask_threshold
        pasted = PASTINGS[self.pasting](masks[keep], boxes[keep], size, threshold)
        return {
            "boxes": boxes[keep],
            "labels": found["labels"][keep],
            "scores": found["scores"][keep],
            "masks": pasted,
        }

    @property
    def classes_count(self) -> int:
        """C, without background."""
        return self.box_branch.head.category.out_features - 1


def by_channel(levels: dict[str, Tensor]) -> dict[str, Tensor]:
    """The maps laid out channel by channel, as RoIAlign reads them: once, and not again in each branch."""
    return {name: level.contiguous() for name, level in levels.items()}


def without_crowds(target: Target) -> Target:
    """The target without regions that hold a crowd, whose outline teaches nothing about one object."""
    crowd = target.get("iscrowd")
    if crowd is None or not crowd.any():
        return target
    keep = ~crowd.bool()
    return {
        name: value[keep] if isinstance(value, Tensor) and value.ndim and len(value) == len(keep) else value
        for name, value in target.items()
    }
