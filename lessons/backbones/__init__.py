"""From a batch of images to feature maps: a ResNet, and above it a feature pyramid or its last level alone.

    images -> stem -> layer1 -> layer2 -> layer3 -> layer4          the bottom-up path
                        c2        c3        c4        c5
                        p2   <-   p3   <-   p4   <-   p5 -> p6      the feature pyramid

    B        images in the batch
    C        channels
    H, W     height and width of the padded images, any size
    h, w     height and width of one level: ceil(H / stride), ceil(W / stride); c2 and p2 have stride 4,
             and each further level has twice the stride of the one before

Example:

    backbone = resnet_pyramid(50)
    levels = backbone(images)                # (B, 3, H, W) -> {"p2": (B, 256, h, w), ..., "p6"}
    features = backbone.bottom_up(images)    # the same in two steps
    levels = backbone.pyramid(features)
"""

from lessons.backbones.norms import FrozenBatchNorm2d, Norm, StillBatchNorm2d, group_norm, norm_factory
from lessons.backbones.pointwise import Pointwise
from lessons.backbones.pyramid import (
    FeaturePyramid,
    SingleLevel,
    resnet_c5,
    resnet_pyramid,
    slim_c5,
    slim_pyramid,
)
from lessons.backbones.resnet import BasicBlock, Bottleneck, ResNet

__all__ = [
    "BasicBlock",
    "Bottleneck",
    "FeaturePyramid",
    "FrozenBatchNorm2d",
    "Norm",
    "Pointwise",
    "ResNet",
    "SingleLevel",
    "StillBatchNorm2d",
    "group_norm",
    "norm_factory",
    "resnet_c5",
    "resnet_pyramid",
    "slim_c5",
    "slim_pyramid",
]
