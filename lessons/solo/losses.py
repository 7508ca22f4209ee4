"""SOLO's two losses: dice for masks, focal loss for categories (SOLO, section 3.3).

B     images
S     cells along one side of a level's grid
C     classes, without background
P     positive cells: those that an object's centre region touches
h, w  height and width of a level's masks
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lessons import processes
from lessons.solo.heads import Output
from lessons.solo.targets import LevelTarget

MASK_WEIGHT = 3.0  # λ of the paper, the weight of the dice loss


def dice_loss(probabilities: Tensor, targets: Tensor, epsilon: float = 0.001) -> Tensor:
    """1 - D with D = 2 Σ pq / (Σ p² + Σ q²), over the pixels of each mask (equation 5).

    A small object counts as much as a large one, which a mean over pixels would not give.

    Args:
        probabilities: p, (P, h, w) in [0, 1].
        targets: q, (P, h, w) bool or float, 0 or 1.
        epsilon: added to each of the two sums of squares, so that two empty masks give 1 and no 0/0.

    Returns:
        (P,) in [0, 1].
    """
    p = probabilities.flatten(1)  # (P, h·w)
    q = targets.flatten(1).to(p.dtype)  # (P, h·w)
    shared = (p * q).sum(dim=1)  # (P,)
    return 1 - 2 * shared / ((p * p).sum(dim=1) + epsilon + (q * q).sum(dim=1) + epsilon)


def focal_loss(logits: Tensor, labels: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Binary cross-entropy of every class by itself, which fades where the answer is already right.

    With p_t the probability given to the truth: -α_t (1 - p_t)^γ log p_t (Lin et al., "Focal Loss", ICCV
    2017, equation 5). Most cells are empty, and without (1 - p_t)^γ their many small losses would drown the
    few cells that matter.

    Args:
        logits: (N, C, ...).
        labels: (N, ...) int64; 0 is background, class c of the logits' channel c - 1.
        alpha: weight of the right class; all others weigh 1 - alpha.

    Returns:
        (N, C, ...), the loss of each class at each place; nothing is summed.
    """
    classes = torch.arange(1, logits.shape[1] + 1, device=logits.device)  # (C,)
    is_class = labels.unsqueeze(1) == classes.view(-1, *[1] * (logits.ndim - 2))  # (N, C, ...)
    towards_truth = torch.where(is_class, logits, -logits)  # the logit of p_t
    weight = torch.where(is_class, alpha, 1 - alpha) * (-towards_truth).sigmoid() ** gamma
    return -weight * F.logsigmoid(towards_truth)


def solo_loss(
    output: Output, targets: Sequence[LevelTarget], mask_weight: float = MASK_WEIGHT
) -> dict[str, Tensor]:
    """Both losses of a batch; the gradient of their sum trains the model.

    Without any positive cell `loss_mask` is 0, and every parameter still has a gradient.

    Args:
        output: what the head gave, in logits.
        targets: one per level, as `lessons.solo.targets.batch_targets` makes them.

    Returns:
        loss_mask: `mask_weight` times the mean dice loss over all positive cells of all images and levels.
        loss_category: the sum of the focal loss over all cells and classes / (positive cells + 1).
    """
    dice = torch.cat([level_dice_loss(output, level, target) for level, target in enumerate(targets)])
    focal = [
        focal_loss(logits.float(), target.labels).sum()
        for logits, target in zip(output.categories, targets, strict=True)
    ]
    # Several training processes average their gradients. So that the average is the gradient of the whole
    # batch, each divides by its share of all positive cells, and not by its own, which may be none.
    positives = processes.total(dice.new_tensor(len(dice)))
    share = 1 / processes.count()
    return {
        "loss_mask": mask_weight * dice.sum() / (share * positives.clamp(min=1)),
        "loss_category": torch.stack(focal).sum() / (share * (positives + 1)),
    }


def level_dice_loss(output: Output, level: int, target: LevelTarget) -> Tensor:
    """The dice loss of each positive cell of one level: (P,)."""
    probabilities = output.probabilities(level, target.images, target.cells)  # (P, h, w)
    return dice_loss(probabilities.float(), target.masks)
