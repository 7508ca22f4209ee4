"""The region proposal network: where is something? (Ren et al., Faster R-CNN, NeurIPS 2015, section 3)

B      images in the batch
A      anchors at one place
h, w   height and width of one level
K      anchors of all levels of one image: the sum of h · w · A
P      proposals of one image
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lessons import boxes as box_geometry
from lessons.backbones import Pointwise
from lessons.errors import LessonsError
from lessons.mask_rcnn.anchors import Anchors, Size
from lessons.mask_rcnn.matching import NEGATIVE, POSITIVE, match, sample


class RPNHead(nn.Module):
    """A 3×3 convolution, then for each anchor a logit (is something here?) and four deltas (where exactly?).

    The same weights on every level. Args: channels of the maps; anchors at one place, A.
    """

    def __init__(self, channels: int, anchors: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.objectness = Pointwise(channels, anchors)
        self.deltas = Pointwise(channels, 4 * anchors)
        for layer in self.children():
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)

    def forward(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, h, w) -> logits (B, h · w · A) and deltas (B, h · w · A, 4), in the order of the anchors."""
        hidden = F.relu(self.conv(level), inplace=True)  # (B, C, h, w)
        logits = self.objectness(hidden).permute(0, 2, 3, 1).flatten(1)  # (B, h · w · A)
        deltas = self.deltas(hidden)  # (B, A · 4, h, w)
        deltas = deltas.unflatten(1, (-1, 4)).permute(0, 3, 4, 1, 2).flatten(1, 3)  # (B, h · w · A, 4)
        return logits, deltas


@dataclass
class RPNOutput:
    """What the head says of every anchor; one entry per level.

    Attributes: logits (B, h · w · A), deltas (B, h · w · A, 4), anchors (h · w · A, 4).
    """

    logits: list[Tensor]
    deltas: list[Tensor]
    anchors: list[Tensor]


@dataclass
class Proposals:
    """Of one image: boxes (P, 4) inside the image, best first, and their logits (P,)."""

    boxes: Tensor
    logits: Tensor


class RPN(nn.Module):
    """Head, anchors and the two things done with them: proposals, and losses.

    The defaults are detectron2's; "torchvision" beside an argument is what its models need.

    Args:
        channels: of every level.
        levels: the maps that have anchors; None: all.
        before_nms: (training, testing): how many of each level go into NMS.
        after_nms: (training, testing): how many of all levels come out. torchvision: (2000, 1000).
        nms_threshold: proposals of one level that overlap more are the same.
        smallest: sides must be larger than this, in pixels. torchvision: at least 1e-3.
        rank_by: "logit", or "probability" (torchvision): the same order but for ties after rounding.
        positive, negative: IoU of an anchor with an object, see `match`.
        samples: anchors of each image that a step learns from; half of them positive, if there are as many.
        beta: where the box loss turns from square to straight; 0 is plain L1. torchvision: 1/9.
        divide_by: losses are sums, divided by "samples" · B, or by the number "sampled" (torchvision).
    """

    def __init__(
        self,
        channels: int,
        anchors: Anchors | None = None,
        *,
        levels: Sequence[str] | None = None,
        before_nms: Sequence[int] = (2000, 1000),
        after_nms: Sequence[int] = (1000, 1000),
        nms_threshold: float = 0.7,
        smallest: float = 0.0,
        rank_by: str = "logit",
        positive: float = 0.7,
        negative: float = 0.3,
        samples: int = 256,
        beta: float = 0.0,
        divide_by: str = "samples",
    ) -> None:
        super().__init__()
        if rank_by not in ("logit", "probability") or divide_by not in ("samples", "sampled"):
            raise LessonsError(
                f"rank_by={rank_by!r}, divide_by={divide_by!r}: choose logit or probability, and samples or "
                "sampled."
            )
        self.anchors = anchors or Anchors()
        self.levels = levels if levels is None else tuple(levels)
        self.head = RPNHead(channels, self.anchors.per_place)
        self.before_nms, self.after_nms = tuple(before_nms), tuple(after_nms)
        self.nms_threshold, self.smallest, self.rank_by = nms_threshold, smallest, rank_by
        self.positive, self.negative, self.samples = positive, negative, samples
        self.beta, self.divide_by = beta, divide_by

    def forward(
        self, levels: Mapping[str, Tensor], strides: Mapping[str, int], padded_size: Size
    ) -> RPNOutput:
        """Maps by level, (B, C, h, w) each -> what the head says of every anchor."""
        if self.levels is not None:
            levels = {name: levels[name] for name in self.levels}
        logits, deltas = zip(*(self.head(level) for level in levels.values()), strict=True)
        return RPNOutput(list(logits), list(deltas), self.anchors.of_levels(levels, strides, padded_size))

    @torch.no_grad()
    def propose(self, output: RPNOutput, sizes: Sequence[Size]) -> list[Proposals]:
        """The best boxes of each image, of all levels together.

        No gradient: proposals are where the second stage looks, and the deltas learn from their own loss.

        Args:
            sizes: (height, width) of each image without padding; boxes are cut to it.
        """
        phase = 0 if self.training else 1
        return [self._propose(output, number, size, phase) for number, size in enumerate(sizes)]

    def _propose(self, output: RPNOutput, number: int, size: Size, phase: int) -> Proposals:
        boxes, logits, levels = [], [], []
        for level, anchors in enumerate(output.anchors):
            best, index = output.logits[level][number].topk(min(self.before_nms[phase], len(anchors)))
            # Only the chosen ones are decoded: each box depends on its own anchor alone.
            boxes.append(box_geometry.decode(output.deltas[level][number, index].float(), anchors[index]))
            logits.append(best.float())
            levels.append(torch.full_like(index, level))
        boxes, logits, levels = torch.cat(boxes), torch.cat(logits), torch.cat(levels)  # (n, 4), (n,), (n,)
        finite = boxes.isfinite().all(dim=1) & logits.isfinite()
        boxes = box_geometry.clip(boxes, size)
        sides = boxes[:, 2:] - boxes[:, :2]  # (n, 2)
        keep = (finite & (sides > self.smallest).all(dim=1)).nonzero()[:, 0]
        boxes, logits, levels = boxes[keep], logits[keep], levels[keep]
        scores = logits.sigmoid() if self.rank_by == "probability" else logits
        keep = box_geometry.nms_within_groups(boxes, scores, levels, self.nms_threshold)
        keep = keep[: self.after_nms[phase]]
        return Proposals(boxes[keep], logits[keep])

    def loss(self, output: RPNOutput, boxes_of_images: Sequence[Tensor]) -> dict[str, Tensor]:
        """loss_objectness and loss_rpn_box, both () float32.

        Args:
            boxes_of_images: the ground truth, (N, 4) for each image; N may be 0.

        Source: Ren et al. 2015, equation 1.
        """
        anchors = torch.cat(output.anchors)  # (K, 4)
        chosen = [self.choose(anchors, boxes) for boxes in boxes_of_images]
        logits = torch.cat(output.logits, dim=1)  # (B, K)
        deltas = torch.cat(output.deltas, dim=1)  # (B, K, 4)
        guesses, truths, steps, right_steps = [], [], [], []
        for number, (positives, negatives, targets) in enumerate(chosen):
            guesses += [logits[number, positives], logits[number, negatives]]
            truths += [torch.ones_like(guesses[-2]), torch.zeros_like(guesses[-1])]
            steps.append(deltas[number, positives])
            right_steps.append(box_geometry.encode(targets, anchors[positives]))
        sampled = sum(len(guess) for guess in guesses)
        divisor = self.samples * len(chosen) if self.divide_by == "samples" else max(sampled, 1)
        objectness = F.binary_cross_entropy_with_logits(
            torch.cat(guesses).float(), torch.cat(truths).float(), reduction="sum"
        )
        box = smooth_l1(torch.cat(steps).float(), torch.cat(right_steps), self.beta)
        return {"loss_objectness": objectness / divisor, "loss_rpn_box": box / divisor}

    @torch.no_grad()
    def choose(self, anchors: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The anchors (K, 4) of one image that a step learns from, given its objects' boxes (N, 4).

        Returns:
            indices of the positives (P,) and of the negatives (Q,), and the positives' objects (P, 4).
        """
        index, verdict = match(
            box_geometry.iou(boxes, anchors), self.positive, self.negative, low_quality=True
        )
        positives, negatives = sample(verdict == POSITIVE, verdict == NEGATIVE, self.samples, 0.5)
        targets = boxes[index[positives]] if len(boxes) else boxes.new_zeros(0, 4)
        return positives, negatives, targets


def smooth_l1(steps: Tensor, right: Tensor, beta: float) -> Tensor:
    """The sum of |d| - β/2, or d² / 2β where |d| < β; β = 0 is plain L1 (Girshick 2015, equation 3)."""
    return F.smooth_l1_loss(steps, right, beta=beta, reduction="sum")
