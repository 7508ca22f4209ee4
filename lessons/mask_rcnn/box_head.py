"""The second stage's box branch: what is in each proposal, and where are its edges really?

(Girshick, Fast R-CNN, ICCV 2015, section 2.3; Lin et al. 2017, section 4.2)

    N   objects of one image (ground truth)
    R   regions of all images together
    C   classes, without background
    D   detections of one image

Label 0 is background, classes are 1 to C. The deltas have no place for background, which has no box.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lessons import boxes as box_geometry
from lessons.mask_rcnn.anchors import Size
from lessons.mask_rcnn.matching import NEGATIVE, POSITIVE, match, sample
from lessons.mask_rcnn.roi_align import Pooler
from lessons.mask_rcnn.rpn import smooth_l1

Target = Mapping[str, Any]


@dataclass(frozen=True)
class Detecting:
    """What counts as found.

    Args:
        score_threshold: a pair of a proposal and a class with a higher probability is a candidate.
        nms_threshold: candidates of one class that overlap more are the same object.
        max_detections: of one image, of all classes together.
        mask_threshold: a pixel of this probability belongs to the object.
    """

    score_threshold: float = 0.05
    nms_threshold: float = 0.5
    max_detections: int = 100
    mask_threshold: float = 0.5


@dataclass
class Regions:
    """The proposals of one image that a step learns from, the positives first.

    Attributes:
        boxes: (R, 4). labels: (R,) int64, 0 is background.
        objects: (R,) int64, the index of the object that each stands for; means nothing for background.
        targets: (R, 4), that object's box.
    """

    boxes: Tensor
    labels: Tensor
    objects: Tensor
    targets: Tensor

    def positives(self) -> "Regions":
        """Those that stand for an object."""
        keep = self.labels > 0
        return Regions(self.boxes[keep], self.labels[keep], self.objects[keep], self.targets[keep])


@dataclass
class BoxOutput:
    """Of each region: logits (R, 1 + C), background first, and deltas (R, C, 4)."""

    logits: Tensor
    deltas: Tensor


class BoxHead(nn.Module):
    """Two fully connected layers, and from them the classes and, for each class, the box.

    Args:
        channels: of the maps. side: of the pooled regions. hidden: width of the two layers.
    """

    def __init__(self, channels: int, classes: int, side: int = 7, hidden: int = 1024) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels * side * side, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.category = nn.Linear(hidden, 1 + classes)
        self.deltas = nn.Linear(hidden, 4 * classes)
        for layer, spread in ((self.category, 0.01), (self.deltas, 0.001)):
            nn.init.normal_(layer.weight, std=spread)
            nn.init.zeros_(layer.bias)

    def forward(self, pooled: Tensor) -> BoxOutput:
        """(R, channels, side, side) -> logits and deltas."""
        hidden = F.relu(self.fc1(pooled.flatten(1)), inplace=True)  # (R, hidden)
        hidden = F.relu(self.fc2(hidden), inplace=True)  # (R, hidden)
        return BoxOutput(self.category(hidden), self.deltas(hidden).unflatten(1, (-1, 4)))


class BoxBranch(nn.Module):
    """Pooling and head, and what is done with them: sampling, losses, detections.

    The defaults are detectron2's; "torchvision" beside an argument is what its models need.

    Args:
        channels: of the maps. classes: C. hidden: see `BoxHead`.
        pooler: how regions are read; its side is the head's.
        samples: proposals of each image that a step learns from.
        positive_fraction: at most this share of them stands for objects.
        positive: IoU with an object from which a proposal stands for it.
        weights: of the deltas, see `lessons.boxes.encode`.
        beta: see `smooth_l1`. torchvision: 1/9.
        smallest: a detected box has sides of at least this, in pixels. torchvision: 0.01.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        *,
        hidden: int = 1024,
        pooler: Pooler | None = None,
        samples: int = 512,
        positive_fraction: float = 0.25,
        positive: float = 0.5,
        weights: Sequence[float] = (10.0, 10.0, 5.0, 5.0),
        beta: float = 0.0,
        smallest: float = 0.0,
    ) -> None:
        super().__init__()
        self.pooler = pooler or Pooler(7)
        self.head = BoxHead(channels, classes, self.pooler.side, hidden)
        self.samples, self.positive_fraction, self.positive = samples, positive_fraction, positive
        self.weights, self.beta, self.smallest = tuple(weights), beta, smallest

    def forward(
        self, levels: Mapping[str, Tensor], strides: Mapping[str, int], boxes: Sequence[Tensor]
    ) -> BoxOutput:
        """Maps by level, and the boxes (R_b, 4) of each image -> logits and deltas of all of them."""
        return self.head(self.pooler(levels, strides, boxes))

    @torch.no_grad()
    def choose(self, proposals: Sequence[Tensor], targets: Sequence[Target]) -> list[Regions]:
        """The regions that a step learns from, of each image: positives first, in the order of the draw.

        The objects themselves are added to the proposals: at the beginning no proposal is good enough to show
        the head what an object looks like.
        """
        return [self._choose(boxes, target) for boxes, target in zip(proposals, targets, strict=True)]

    def _choose(self, proposals: Tensor, target: Target) -> Regions:
        truth = target["boxes"].to(proposals)
        boxes = torch.cat([proposals, truth])  # (P + N, 4)
        index, verdict = match(box_geometry.iou(truth, boxes), self.positive, self.positive)
        positives, negatives = sample(
            verdict == POSITIVE, verdict == NEGATIVE, self.samples, self.positive_fraction
        )
        keep = torch.cat([positives, negatives])  # (R,)
        if len(truth) == 0:
            nothing = torch.zeros_like(keep)
            return Regions(boxes[keep], nothing, nothing, boxes.new_zeros(len(keep), 4))
        objects = index[keep]
        labels = target["labels"].to(objects)[objects]
        labels[len(positives) :] = 0
        return Regions(boxes[keep], labels, objects, truth[objects])

    def loss(self, output: BoxOutput, regions: Sequence[Regions]) -> dict[str, Tensor]:
        """loss_category and loss_box, both () float32.

        Both are divided by the number of all regions, positive or not, so that an image with many objects
        counts more (Girshick 2015, equation 1, where λ = 1). The box is learnt for the true class only.
        """
        labels = torch.cat([one.labels for one in regions])  # (R,)
        boxes = torch.cat([one.boxes for one in regions])
        targets = torch.cat([one.targets for one in regions])
        category = F.cross_entropy(output.logits.float(), labels, reduction="sum")
        positive = (labels > 0).nonzero()[:, 0]  # (P,)
        steps = output.deltas[positive, labels[positive] - 1].float()  # (P, 4)
        right = box_geometry.encode(targets[positive], boxes[positive], self.weights)
        count = max(len(labels), 1)
        return {
            "loss_category": category / count,
            "loss_box": smooth_l1(steps, right, self.beta) / count,
        }

    @torch.no_grad()
    def true_class_boxes(self, output: BoxOutput, regions: Sequence[Regions]) -> list[Tensor]:
        """The boxes as the head corrects them for the true class; (R_b, 4) for each image, not clipped.

        For background, which has no class, they are the last class's.
        """
        counts = [len(one.boxes) for one in regions]
        labels = torch.cat([one.labels for one in regions])
        classes = torch.where(labels > 0, labels - 1, output.deltas.shape[1] - 1)
        deltas = output.deltas[torch.arange(len(labels), device=labels.device), classes].float()  # (R, 4)
        boxes = box_geometry.decode(deltas, torch.cat([one.boxes for one in regions]), self.weights)
        return list(boxes.split(counts))

    @torch.no_grad()
    def detect(
        self,
        output: BoxOutput,
        proposals: Sequence[Tensor],
        sizes: Sequence[Size],
        detecting: Detecting,
    ) -> list[dict[str, Tensor]]:
        """For each image boxes (D, 4), labels (D,) from 1 on, scores (D,), best first; D may be 0.

        A proposal may be found as several classes.
        """
        counts = [len(one) for one in proposals]
        probabilities = output.logits.float().softmax(dim=1)[:, 1:].split(counts)  # (R_b, C) each
        deltas = output.deltas.float().split(counts)
        return [
            self._detect(*of_one, detecting)
            for of_one in zip(probabilities, deltas, proposals, sizes, strict=True)
        ]

    def _detect(
        self, probabilities: Tensor, deltas: Tensor, proposals: Tensor, size: Size, detecting: Detecting
    ) -> dict[str, Tensor]:
        row, column = (probabilities > detecting.score_threshold).nonzero(as_tuple=True)
        scores = probabilities[row, column]  # (n,): candidates, pairs of a proposal and a class
        boxes = box_geometry.decode(deltas[row, column], proposals[row], self.weights)
        boxes = box_geometry.clip(boxes, size)
        sides = boxes[:, 2:] - boxes[:, :2]
        keep = (
            boxes.isfinite().all(dim=1) & scores.isfinite() & (sides >= self.smallest).all(dim=1)
        ).nonzero()[:, 0]
        boxes, scores, labels = boxes[keep], scores[keep], column[keep] + 1
        keep = box_geometry.nms_within_groups(boxes, scores, labels, detecting.nms_threshold)
        keep = keep[: detecting.max_detections]
        return {"boxes": boxes[keep], "labels": labels[keep], "scores": scores[keep]}
