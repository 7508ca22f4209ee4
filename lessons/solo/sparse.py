"""The head's output for training, of which only the masks that are asked for are made.

The plain form, `SOLOHead.forward`, makes the masks of all S² cells; the loss looks at the few that an object
has claimed. A 1 × 1 convolution and enlarging are both linear, so here a claimed cell's channel is predicted
first, at half the size, and then enlarged by itself. Losses and gradients differ by rounding only.

    B     images
    S     cells along one side of a level's grid
    P     (image, cell) pairs
    h, w  height and width of a level's masks
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lessons.solo.heads import Output, SOLOHead, enlarge


@dataclass(frozen=True)
class CellOutput:
    """What a `HeadOutput` gives to the loss, without the masks that nobody asks for.

    Attributes:
        categories: per level (B, C, S, S) logits.
        features: per level (B, channels, h/2, w/2), what the mask predictors read.
        predictors: per level the 1 × 1 convolution with S² channels.
    """

    categories: list[Tensor]
    features: list[Tensor]
    predictors: Sequence[nn.Conv2d]

    @property
    def mask_sizes(self) -> list[tuple[int, int]]:
        """(h, w) of each level."""
        return [(2 * features.shape[-2], 2 * features.shape[-1]) for features in self.features]

    def probabilities(self, level: int, images: Tensor, cells: Tensor) -> Tensor:
        """The masks of some cells: images (P,) ascending, cells (P,) -> (P, h, w) in [0, 1].

        Without any cell the answer is empty and still hangs on all weights, whose gradients then are 0 and
        not missing: several training processes wait for every gradient.
        """
        features, predictor = self.features[level], self.predictors[level]
        weight, bias = predictor.weight.flatten(1), predictor.bias  # (S², channels), (S²,)
        counts = torch.bincount(images, minlength=len(features)).tolist()
        logits = torch.cat(
            [
                torch.addmm(bias[mine, None], weight[mine], of_image.flatten(1))  # (P of the image, h/2·w/2)
                for mine, of_image in zip(cells.split(counts), features, strict=True)
            ]
        )
        if len(cells) == 0:
            return logits.reshape(0, *self.mask_sizes[level])
        return enlarge(logits.unflatten(1, features.shape[-2:])[None]).squeeze(0).sigmoid()


def output(head: nn.Module, features: Sequence[Tensor]) -> Output | CellOutput:
    """p2 ... p6 -> what the losses need. The decoupled heads have few channels, and make them all."""
    if not isinstance(head, SOLOHead):
        return head(features)
    levels = head.resize_levels(features)
    categories = [head.category_branch(level, grid) for level, grid in zip(levels, head.grids, strict=True)]
    return CellOutput(categories, [head.mask_features(level) for level in levels], head.masks)
