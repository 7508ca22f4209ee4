"""The mask branch: which pixels of a box are the object's (He et al., Mask R-CNN, ICCV 2017, section 3).

R      regions: positive proposals in training, detected boxes in testing
C      classes
M      side of a mask: 28
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lessons.backbones import Pointwise
from lessons.mask_rcnn.box_head import Regions
from lessons.mask_rcnn.roi_align import Pooler, roi_align

Target = Mapping[str, Any]


class MaskHead(nn.Module):
    """Four 3×3 convolutions, one that doubles the size, and a mask of each class.

    Every class has its own, and none competes with another: which class it is, is the box branch's business.

    Args:
        channels: of the pooled regions. hidden: of the convolutions.
    """

    def __init__(self, channels: int, classes: int, hidden: int = 256, convolutions: int = 4) -> None:
        super().__init__()
        widths = [channels] + [hidden] * convolutions
        self.convs = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1) for before, after in pairwise(widths)
        )
        self.up = nn.ConvTranspose2d(widths[-1], hidden, 2, stride=2)
        self.masks = Pointwise(hidden, classes)
        for layer in (*self.convs, self.up):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        nn.init.normal_(self.masks.weight, std=0.001)
        nn.init.zeros_(self.masks.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        """(R, channels, M/2, M/2) -> logits (R, C, M, M)."""
        return self.masks(self.features(pooled))

    def features(self, pooled: Tensor) -> Tensor:
        """(R, channels, M/2, M/2) -> (R, hidden, M, M), what the last convolution reads."""
        x = pooled
        for convolution in self.convs:
            x = F.relu(convolution(x), inplace=True)
        return F.relu(self.up(x), inplace=True)


class MaskBranch(nn.Module):
    """Pooling and head, the loss, and the masks of what was found.

    Args:
        channels: of the maps. classes: C. hidden, convolutions: see `MaskHead`.
        pooler: how regions are read; masks are twice as large.
        soft_targets: where a mask target is cut out of the object's mask, take the share of the object in
            each cell (torchvision) instead of whether it is at least half.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        *,
        hidden: int = 256,
        convolutions: int = 4,
        pooler: Pooler | None = None,
        soft_targets: bool = False,
    ) -> None:
        super().__init__()
        self.pooler = pooler or Pooler(14)
        self.head = MaskHead(channels, classes, hidden, convolutions)
        self.soft_targets = soft_targets

    def loss(
        self,
        levels: Mapping[str, Tensor],
        strides: Mapping[str, int],
        regions: Sequence[Regions],
        targets: Sequence[Target],
    ) -> dict[str, Tensor]:
        """loss_mask, () float32: the mean over all pixels of all positive regions.

        Args:
            regions: of each image, positives only; there may be none at all.
        """
        logits = self.head(self.pooler(levels, strides, [one.boxes for one in regions]))  # (R, C, M, M)
        labels = torch.cat([one.labels for one in regions])
        own = of_own_class(logits, labels).float()  # (R, M, M)
        if len(own) == 0:
            # Not a new zero: this one hangs on every weight of the branch, so that all have a gradient, which
            # several processes that average theirs must have.
            return {"loss_mask": own.sum()}
        truth = torch.cat(
            [
                mask_targets(
                    target["masks"],
                    one.objects,
                    one.boxes,
                    own.shape[-1],
                    self.pooler.aligned,
                    self.soft_targets,
                )
                for one, target in zip(regions, targets, strict=True)
            ]
        )  # (R, M, M)
        return {"loss_mask": F.binary_cross_entropy_with_logits(own, truth)}

    @torch.no_grad()
    def probabilities(
        self,
        levels: Mapping[str, Tensor],
        strides: Mapping[str, int],
        boxes: Sequence[Tensor],
        labels: Sequence[Tensor],
    ) -> list[Tensor]:
        """Of each image (D, M, M) in [0, 1]: for every detected box the mask of its class."""
        logits = self.head(self.pooler(levels, strides, boxes))  # (R, C, M, M)
        own = of_own_class(logits, torch.cat(list(labels))).float().sigmoid()  # (R, M, M)
        return list(own.split([len(one) for one in boxes]))

    def for_inference(self) -> "MaskBranch":
        """The branch as `Detector.for_inference` wants it: there is no quicker form."""
        return self


def of_own_class(logits: Tensor, labels: Tensor) -> Tensor:
    """Of every region's masks (R, C, M, M) the one of its label, from 1 on: (R, M, M)."""
    return logits[torch.arange(len(labels), device=logits.device), labels - 1]


@torch.no_grad()
def mask_targets(
    masks: Tensor, objects: Tensor, boxes: Tensor, side: int, aligned: bool = True, soft: bool = False
) -> Tensor:
    """What the mask of each box should be: the object's mask, seen through the box. (R, M, M) float32.

    RoIAlign, with as many samples as there are pixels, reads the object's mask as if it were a feature map.

    Args:
        masks: (N, H, W) bool, the image's objects. objects: (R,) which one each box (R, 4) stands for.
        side: M. aligned: see `roi_align`. soft: keep shares; else 1 from one half on.
    """
    if len(boxes) == 0:
        return boxes.new_zeros(0, side, side)
    pictures = masks.to(boxes.device)[:, None].float()  # (N, 1, H, W)
    order = objects.argsort(stable=True)  # RoIAlign takes boxes picture by picture
    counts = torch.bincount(objects, minlength=len(masks)).tolist()
    shares = boxes.new_empty(len(boxes), side, side)
    shares[order] = roi_align(pictures, boxes[order].split(counts), side, 1.0, aligned=aligned)[:, 0]
    return shares if soft else (shares >= 0.5).float()
