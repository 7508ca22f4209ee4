"""Normalisations with fixed statistics, folded into the convolutions before them: same numbers, less work."""

import copy
from itertools import pairwise

from torch import nn
from torch.nn.utils import fuse_conv_bn_eval

from lessons.backbones.norms import FrozenBatchNorm2d


def folded(module: nn.Module) -> nn.Module:
    """A copy for inference in which every BatchNorm is part of the convolution before it.

    y = (conv(x) - mean) / std · weight + bias is itself a convolution. The copy gives the same maps up to
    rounding, in less time; it is for inference only, and its weights are no longer those of a checkpoint.
    GroupNorm, whose statistics depend on the picture, stays.
    """
    module = copy.deepcopy(module).eval()
    for parent in module.modules():
        children = list(parent.named_children())
        for (first, convolution), (second, norm) in pairwise(children):
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d | FrozenBatchNorm2d):
                setattr(parent, first, fuse_conv_bn_eval(convolution, norm))
                setattr(parent, second, nn.Identity())
    return module.requires_grad_(False)
