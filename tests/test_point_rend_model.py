"""The whole PointRend, small: any batch trains, anything or nothing is found, points teach both heads."""

import pytest
import torch
from test_mask_rcnn_model import BATCHES, CLASSES, TWO, image_of, small_model, step, target_of

from lessons.backbones import slim_pyramid
from lessons.mask_rcnn.anchors import Anchors
from lessons.mask_rcnn.box_head import Detecting, Regions
from lessons.mask_rcnn.model import MaskRCNN
from lessons.mask_rcnn.rpn import RPN
from lessons.point_rend.mask_branch import PointRendBranch

LOSSES = {"loss_objectness", "loss_rpn_box", "loss_category", "loss_box", "loss_mask", "loss_mask_point"}
LEVELS = ("p2", "p3", "p4", "p5")


def point_rend(fine: bool = False, **options) -> MaskRCNN:
    """The small Mask R-CNN with the other mask branch; `fine`: its point head reads the stem's map too."""
    model = small_model(mask_boxes="decoded", **options)
    reading = {"point_levels": ["p2", "c1"], "point_channels": [16, 8]} if fine else {}
    model.mask_branch = PointRendBranch(
        16, CLASSES, hidden=16, point_hidden=12, points=20, subdivision_points=100, **reading
    )
    if fine:
        model.backbone = slim_pyramid(8, 16, levels=4, give_c1=True)
        anchors = Anchors(sizes=((8,), (16,), (32,), (64,)))
        model.rpn = RPN(16, anchors, levels=LEVELS, before_nms=(100, 50), after_nms=(60, 30), samples=32)
    return model


@pytest.mark.parametrize("fine", [False, True])
@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
def test_any_batch_trains(fine: bool, batch: list[tuple]):
    images = [image_of(height, width, seed) for seed, (height, width, *_) in enumerate(batch)]
    losses = step(point_rend(fine), images, [target_of(*one) for one in batch], LOSSES)
    some = any(len(one) > 2 for one in batch)
    for name in ("loss_mask", "loss_mask_point"):
        assert (losses[name] > 0) == some, f"{name} is of objects alone"


def test_no_foreground_in_the_whole_batch_leaves_every_gradient_defined():
    model = point_rend(positive=1.5)  # an IoU out of reach
    losses = step(
        model, [image_of(48, 64), image_of(40, 40)], [target_of(48, 64, *TWO), target_of(40, 40)], LOSSES
    )
    assert losses["loss_mask"] == losses["loss_mask_point"] == 0
    assert not any(parameter.grad.any() for parameter in model.mask_branch.parameters())


def region(*boxes: tuple[float, ...]) -> Regions:
    """Boxes that stand for the first object."""
    box, count = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), len(boxes)
    return Regions(box, torch.ones(count, dtype=torch.int64), torch.zeros(count, dtype=torch.int64), box)


@pytest.mark.parametrize(
    "box",
    [(4.0, 5, 30, 40), (0.0, 0, 64, 48), (-20.0, -9, 90, 70), (60.0, 44, 64, 48), (100.0, 90, 120, 99)],
    ids=["inside", "the image", "over every border", "in the corner", "outside"],
)
def test_losses_of_one_box_anywhere(box: tuple[float, ...]):
    torch.manual_seed(0)
    branch = point_rend().mask_branch
    levels, strides = {"p2": torch.randn(1, 16, 12, 16, requires_grad=True)}, {"p2": 4}
    losses = branch.loss(levels, strides, [region(box)], [target_of(48, 64, TWO[0])])
    sum(losses.values()).backward()
    assert all(loss > 0 and loss.isfinite() for loss in losses.values())
    assert levels["p2"].grad.isfinite().all()


def test_the_points_teach_the_coarse_head_and_the_map_too():
    torch.manual_seed(0)
    branch = point_rend().mask_branch
    torch.nn.init.normal_(branch.point.masks.weight)
    levels, strides = {"p2": torch.randn(1, 16, 12, 16, requires_grad=True)}, {"p2": 4}
    losses = branch.loss(levels, strides, [region(TWO[0])], [target_of(48, 64, TWO[0])])
    losses["loss_mask_point"].backward()
    assert branch.coarse.masks.weight.grad.any() and levels["p2"].grad.any()


def test_the_losses_of_two_images_are_the_means_over_both():
    torch.manual_seed(0)
    branch = point_rend().mask_branch
    maps, target = torch.randn(2, 16, 12, 16), target_of(48, 64, TWO[0])

    def coarse_loss(*numbers: int) -> float:
        levels = {"p2": maps[list(numbers)]}
        losses = branch.loss(levels, {"p2": 4}, [region(TWO[0])] * len(numbers), [target] * len(numbers))
        return losses["loss_mask"].item()

    assert coarse_loss(0, 1) == pytest.approx((coarse_loss(0) + coarse_loss(1)) / 2)


def test_training_under_bfloat16():
    model = point_rend(fine=True)
    images, targets = [image_of(48, 64), image_of(64, 40)], [target_of(48, 64, *TWO), target_of(64, 40)]
    with torch.autocast("cpu", torch.bfloat16):
        losses = step(model, images, targets, LOSSES)
    assert all(loss.dtype == torch.float32 for loss in losses.values())


@pytest.mark.parametrize("fine", [False, True])
@pytest.mark.parametrize("form", ["plain", "fast"])
def test_answers_keep_the_contract(fine: bool, form: str):
    model = point_rend(fine, decoding=Detecting(score_threshold=0.3, max_detections=6)).eval()
    with torch.no_grad():
        for layer in (
            model.rpn.head.objectness,
            model.box_branch.head.category,
            model.mask_branch.point.masks,
        ):
            layer.weight.mul_(40)
    model = model.for_inference() if form == "fast" else model
    sizes = [(48, 64), (5, 7), (90, 33), (1, 1)]
    with torch.no_grad():
        answers = model([image_of(*size, seed) for seed, size in enumerate(sizes)])
    assert sum(len(found["scores"]) for found in answers) > 0
    for size, found in zip(sizes, answers, strict=True):
        assert found["masks"].shape == (len(found["scores"]), *size) and found["masks"].dtype == torch.bool
    model.decoding = Detecting(score_threshold=1.0)
    for size, found in zip(sizes, model([image_of(*size) for size in sizes]), strict=True):
        assert found["masks"].shape == (0, *size) and found["boxes"].shape == (0, 4)
