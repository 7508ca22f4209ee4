"""Normalisation layers for detection, where a batch has too few images for statistics of its own."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lessons.errors import LessonsError

Norm = Callable[[int], nn.Module]  # a number of channels -> a normalisation layer


class FrozenBatchNorm2d(nn.Module):
    """Batch normalisation whose statistics and affine numbers are constants: y = x · scale + shift.

    Detection trains on two or so large images per device, too few for batch statistics; so the
    statistics of the pretraining stay. All four vectors are buffers: no optimiser touches them.

    Args:
        channels: C of the input (B, C, H, W).
        eps: added to the variance. torchvision sets 0.0 when it loads its COCO weights.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        # Under autocast x is half precision; float32 constants would silently make every map float32 again.
        mean, variance, weight, bias = (
            constant.to(x.dtype) for constant in (self.running_mean, self.running_var, self.weight, self.bias)
        )
        # One pass over the map; written out as x · scale + shift it would be two, and two more backward.
        return F.batch_norm(x, mean, variance, weight, bias, training=False, eps=self.eps)

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:
        state_dict.pop(prefix + "num_batches_tracked", None)  # nn.BatchNorm2d counts its steps; we take none
        super()._load_from_state_dict(state_dict, prefix, *args)

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, eps={self.eps}"


class StillBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm with the statistics of the pretraining, whose scale and shift go on learning.

    It stays in evaluation mode while the model trains, as in SOLO's official code.
    """

    def train(self, mode: bool = True) -> "StillBatchNorm2d":
        return super().train(False)


def group_norm(channels: int) -> nn.GroupNorm:
    """GroupNorm with 32 groups, or fewer in narrow layers, so that a group has at least 8 channels.

    A group of one channel would be instance normalisation, which forgets how strong a channel is
    (Wu and He 2018, table 3).
    """
    most = min(32, max(1, channels // 8))
    groups = next(count for count in range(most, 0, -1) if channels % count == 0)
    return nn.GroupNorm(groups, channels)


NORMS: dict[str, Norm] = {
    "frozen": FrozenBatchNorm2d,
    "frozen-eps0": partial(FrozenBatchNorm2d, eps=0.0),  # of torchvision's COCO weights
    "still": StillBatchNorm2d,
    "batch": nn.BatchNorm2d,
    "group": group_norm,
}


def norm_factory(norm: str | Norm) -> Norm:
    """The function from a number of channels to a layer that `norm` names; such a function passes through.

    Example: `norm_factory("group")`, or `functools.partial(FrozenBatchNorm2d, eps=0.0)`.

    Raises:
        LessonsError: the name is none of "frozen", "frozen-eps0", "still", "batch", "group".
    """
    if callable(norm):
        return norm
    if norm not in NORMS:
        raise LessonsError(
            f"norm={norm!r} is not known: choose one of {', '.join(NORMS)}, or give a function."
        )
    return NORMS[norm]
