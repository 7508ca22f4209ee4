"""Normalisations with fixed statistics, folded into the convolutions before them: same numbers, less work."""

import copy
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

from lessons.backbones.norms import FrozenBatchNorm2d
from lessons.backbones.resnet import Bottleneck


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
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Bottleneck) and isinstance(child.bn3, nn.Identity):
                setattr(parent, name, FoldedBottleneck(child))
    return module.requires_grad_(False)


class FoldedBottleneck(nn.Module):
    """A bottleneck without normalisations, which adds its last product to the shortcut in place.

    Where there is no convolution on the shortcut, the block's input is overwritten: nobody else reads what
    lies between two blocks of a stage.
    """

    def __init__(self, block: Bottleneck) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = block.conv1, block.conv2, block.conv3
        self.downsample = block.downsample

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.conv1(x), inplace=True)
        out = F.relu(self.conv2(out), inplace=True)
        beside = x if self.downsample is None else self.downsample(x)
        return F.relu(self.conv3.add_to(beside, out), inplace=True)
