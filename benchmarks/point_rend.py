"""PointRend beside torchvision's Mask R-CNN: the same backbone, proposals and boxes, another mask branch.

All models hold the yardstick's weights up to the mask branch, so all draw masks in the same hundred boxes.
"""

import functools

import torch

from benchmarks.mask_rcnn import NAME, YARDSTICK, Work, beside, ours, their_inference
from benchmarks.solo import hundred, picture
from lessons import configs, zoo
from lessons.mask_rcnn.box_head import Detecting
from lessons.mask_rcnn.model import MaskRCNN

TIME_GOAL, MEMORY_GOAL = 0.90, 1.6  # ratio, GB
CLASSES = 90
POINT_REND = "point-rend-r50-fpn-detectron2"  # whose mask branch is measured


def model() -> MaskRCNN:
    """torchvision's form, with PointRend's mask branch; random weights, the same every time."""
    branch = configs.read(POINT_REND)["model"]["mask_branch"]
    other = {"mask_branch": {**branch, "classes": CLASSES, "extends": False}}
    config = configs.merge(configs.read(NAME), {"model": {"backbone": {"norm": "frozen"}, **other}})
    torch.manual_seed(0)
    built = zoo.build(config)
    shared = {name: entry for name, entry in ours().state_dict().items() if "mask_branch" not in name}
    built.load_state_dict(shared, strict=False)  # the mask branch keeps its own
    return built.eval()


def inference(quick: bool) -> Work:
    """A picture through PointRend: 100 detections, masks of 224×224 pasted."""
    detector, image = model(), picture()
    if quick:
        detector = detector.for_inference()
    else:  # everything as `for_inference` has it, but for the mask branch
        plain = detector.mask_branch
        detector = detector.for_inference()
        detector.mask_branch = plain
    detector.decoding = Detecting(score_threshold=0.0)
    return lambda: hundred(detector([image]))


MODELS = {
    YARDSTICK: (their_inference, None),
    "PointRend, fast form": (functools.partial(inference, True), TIME_GOAL),
    "PointRend, plain form": (functools.partial(inference, False), None),
}


def beside_mask_rcnn(rounds: int, threads: int) -> str:
    """Seconds, ratios and memory of one picture."""
    return beside(MODELS, rounds, threads, f"{threads} thread(s), one picture", MEMORY_GOAL)
