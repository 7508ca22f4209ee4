"""The course's parts, by the names that config files call them by. The parts know nothing of this."""

from collections.abc import Mapping, Sequence
from typing import Any

from lessons.backbones import resnet_c5, resnet_pyramid, slim_c5, slim_pyramid
from lessons.data.augment import RandomColour, RandomQuarterTurn, RandomResize
from lessons.data.transforms import Compose, RandomHorizontalFlip, Resize
from lessons.mask_rcnn.anchors import Anchors
from lessons.mask_rcnn.box_head import BoxBranch
from lessons.mask_rcnn.mask_head import MaskBranch
from lessons.mask_rcnn.model import MaskRCNN
from lessons.mask_rcnn.roi_align import Pooler
from lessons.mask_rcnn.rpn import RPN
from lessons.point_rend.mask_branch import PointRendBranch
from lessons.registry import Registry
from lessons.solo.heads import DecoupledSOLOHead, DecoupledSOLOLightHead, SOLOHead
from lessons.solo.model import SOLO

MODELS = Registry("model part")
for part in (
    *(resnet_c5, resnet_pyramid, slim_c5, slim_pyramid),
    *(SOLO, SOLOHead, DecoupledSOLOHead, DecoupledSOLOLightHead),
    *(MaskRCNN, RPN, Anchors, BoxBranch, MaskBranch, Pooler),
    PointRendBranch,
):
    MODELS.register(part)

TRANSFORMS = Registry("transform")
for part in (Resize, RandomResize, RandomHorizontalFlip, RandomQuarterTurn, RandomColour):
    TRANSFORMS.register(part)


def augmentation(settings: Sequence[Mapping[str, Any]]) -> Compose:
    """The transforms of a training picture, in order: (image, target) -> (image, target)."""
    return Compose([TRANSFORMS.build(one) for one in settings])
