"""PointRend's mask branch: it stands where Mask R-CNN has `MaskBranch`, and everything else is Mask R-CNN.

R   regions: positive proposals in training, detected boxes in testing
C   classes
P   points in a region
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lessons.errors import LessonsError
from lessons.mask_rcnn.box_head import Regions
from lessons.mask_rcnn.mask_head import Target, mask_targets, of_own_class
from lessons.point_rend.fast import QuickPointRendBranch
from lessons.point_rend.heads import CoarseHead, PointHead
from lessons.point_rend.points import (
    fine_features,
    point_labels,
    point_sample,
    regular_grid,
    to_image,
    training_points,
)
from lessons.point_rend.subdivision import Step, subdivide


class PointRendBranch(nn.Module):
    """Coarse head, point head; two losses in training, subdivision in testing.

    Args:
        channels: of the maps. classes: C. hidden: of the coarse head. point_hidden: of the point head.
        levels: the maps that the coarse head reads; p2 for boxes of any size.
        point_levels: those that the point head reads; None: the same. point_channels: of each of these.
        side: of the coarse mask. points, oversample_ratio, importance_sample_ratio: N, k, β of
            `training_points`.
        subdivision_steps, subdivision_points: steps and N of `subdivide`.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        *,
        hidden: int = 1024,
        point_hidden: int = 256,
        levels: Sequence[str] = ("p2",),
        point_levels: Sequence[str] | None = None,
        point_channels: Sequence[int] | None = None,
        side: int = 7,
        points: int = 196,
        oversample_ratio: float = 3.0,
        importance_sample_ratio: float = 0.75,
        subdivision_steps: int = 5,
        subdivision_points: int = 784,
    ) -> None:
        super().__init__()
        self.levels, self.point_levels = tuple(levels), tuple(point_levels or levels)
        each = list(point_channels or [channels] * len(self.point_levels))
        if len(each) != len(self.point_levels):
            raise LessonsError(
                f"point_channels={each} for point_levels={list(self.point_levels)}: give one number for each."
            )
        self.coarse = CoarseHead(channels * len(self.levels), classes, side, hidden)
        self.point = PointHead(sum(each), classes, point_hidden)
        self.side = side
        self.points = points
        self.oversample_ratio, self.importance_sample_ratio = oversample_ratio, importance_sample_ratio
        self.subdivision_steps, self.subdivision_points = subdivision_steps, subdivision_points

    def coarse_masks(
        self, levels: Mapping[str, Tensor], strides: Mapping[str, int], boxes: Sequence[Tensor]
    ) -> Tensor:
        """Logits (R, C, s, s), from the maps at a regular grid of 2s × 2s points of each box."""
        count = sum(len(one) for one in boxes)
        grid = regular_grid(count, 2 * self.side, boxes[0].device)
        pooled = fine_features(*_chosen(self.levels, levels, strides), boxes, grid)  # (R, channels, 4s²)
        return self.coarse(pooled.unflatten(2, (2 * self.side, 2 * self.side)))

    def answer(
        self,
        levels: Mapping[str, Tensor],
        strides: Mapping[str, int],
        boxes: Sequence[Tensor],
        coarse: Tensor,
        points: Tensor,
    ) -> Tensor:
        """Logits (R, C, P) at points (R, P, 2) relative to the boxes."""
        fine = fine_features(*_chosen(self.point_levels, levels, strides), boxes, points)  # (R, channels, P)
        return self.point(fine, point_sample(coarse, points))

    def loss(
        self,
        levels: Mapping[str, Tensor],
        strides: Mapping[str, int],
        regions: Sequence[Regions],
        targets: Sequence[Target],
    ) -> dict[str, Tensor]:
        """loss_mask of the coarse masks and loss_mask_point of the points, () float32 both.

        Args:
            regions: of each image, positives only, with boxes as the box branch corrects them; there may be
                none at all.
        """
        boxes = [one.boxes for one in regions]
        labels = torch.cat([one.labels for one in regions])
        coarse = self.coarse_masks(levels, strides, boxes)  # (R, C, s, s)
        with torch.no_grad():
            points = training_points(
                coarse, labels, self.points, self.oversample_ratio, self.importance_sample_ratio
            )
        own = of_own_class(coarse, labels).float()  # (R, s, s)
        own_points = of_own_class(
            self.answer(levels, strides, boxes, coarse, points), labels
        ).float()  # (R, P)
        if len(labels) == 0:
            return {"loss_mask": own.sum(), "loss_mask_point": own_points.sum()}  # gradients of zero
        truth = [
            mask_targets(target["masks"], one.objects, one.boxes, self.side)
            for one, target in zip(regions, targets, strict=True)
        ]
        image_points = to_image(points, torch.cat(boxes)).split([len(one) for one in boxes])
        on_object = [
            point_labels(target["masks"].to(one.objects.device)[one.objects], where)
            for one, target, where in zip(regions, targets, image_points, strict=True)
        ]
        return {
            "loss_mask": F.binary_cross_entropy_with_logits(own, torch.cat(truth)),
            "loss_mask_point": F.binary_cross_entropy_with_logits(own_points, torch.cat(on_object)),
        }

    @torch.no_grad()
    def probabilities(
        self,
        levels: Mapping[str, Tensor],
        strides: Mapping[str, int],
        boxes: Sequence[Tensor],
        labels: Sequence[Tensor],
    ) -> list[Tensor]:
        """Of each image (D, s, s) in [0, 1]: for every detected box the mask of its class."""
        together = torch.cat(list(labels))
        logits, _ = self.subdivision(levels, strides, boxes, together)
        return list(of_own_class(logits, together).float().sigmoid().split([len(one) for one in boxes]))

    def subdivision(
        self,
        levels: Mapping[str, Tensor],
        strides: Mapping[str, int],
        boxes: Sequence[Tensor],
        labels: Tensor,
    ) -> tuple[Tensor, list[Step]]:
        """Logits (R, C, s, s) of the boxes' masks, and the steps that led there; see `subdivide`."""
        coarse = self.coarse_masks(levels, strides, boxes)
        return subdivide(
            lambda points: self.answer(levels, strides, boxes, coarse, points),
            labels,
            self.side,
            self.subdivision_steps,
            self.subdivision_points,
        )

    def for_inference(self) -> QuickPointRendBranch:
        """The same masks in less time and memory; see `lessons.point_rend.fast`."""
        return QuickPointRendBranch(self)


def _chosen(
    names: Sequence[str], levels: Mapping[str, Tensor], strides: Mapping[str, int]
) -> tuple[list[Tensor], list[int]]:
    return [levels[name] for name in names], [strides[name] for name in names]
