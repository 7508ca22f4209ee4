"""The whole PointRend against detectron2's recorded numbers: from picture to masks, and a training step."""

import copy
import json
from typing import Any

import golden_detectron2 as official
import numpy as np
import pytest
import torch
from golden_detectron2 import load

from lessons import masks as mask_geometry
from lessons.checkpoints import detectron2
from lessons.data.images import to_tensor
from lessons.mask_rcnn.model import MaskRCNN
from lessons.point_rend import mask_branch
from lessons.point_rend.mask_branch import PointRendBranch
from lessons.resizing import with_pillow

NORMS = 1.5e-4  # see test_mask_rcnn_golden_model


@pytest.fixture(scope="module")
def model() -> MaskRCNN:
    """In double precision: what is then left is the recording's own rounding, on every machine the same."""
    return official.point_rend().double()


@pytest.fixture(scope="module")
def fast(model: MaskRCNN) -> MaskRCNN:
    """As `lessons.load` gives it: folded, and with the fast mask branch."""
    quick = copy.deepcopy(model).float().for_inference()
    assert not isinstance(quick.mask_branch, PointRendBranch)
    return quick


CASES = ["pointrend_inference", "pointrend_inference_batch", "pointrend_inference_no_detections"]


def detected(model: MaskRCNN, meta: dict) -> tuple[list[dict], list[np.ndarray]]:
    """What a model finds in the pictures of a recording, and the pictures."""
    model.decoding = official.decoding(meta)
    pictures = [official.rgb(official.picture(*entry)) for entry in meta["images"]]
    images = [with_pillow(picture, meta["MIN_SIZE_TEST"], meta["MAX_SIZE_TEST"]) for picture in pictures]
    images = [image.to(next(model.parameters())) for image in images]
    return model.detect(images, [picture.shape[:2] for picture in pictures]), pictures


def recorded_masks(golden: dict, number: int, size: tuple[int, int]) -> torch.Tensor:
    """The masks (D, *size) bool of picture `number`."""
    rles = [{"size": list(size), "counts": bytes(counts)} for counts in golden[f"im{number}.rle"]]
    return mask_geometry.decode_rle(rles, tuple(size))


@pytest.mark.parametrize("case", CASES)
@torch.no_grad()
def test_pictures_to_masks(model, case):
    golden = load(case)
    found, pictures = detected(model, golden["meta"])
    for number, one in enumerate(found):
        boxes, scores = golden[f"im{number}.boxes"], golden[f"im{number}.scores"]
        assert len(one["boxes"]) == len(boxes)
        if len(boxes) == 0:
            assert one["masks"].shape == (0, *pictures[number].shape[:2])
            continue
        assert np.abs(one["boxes"].numpy() - boxes).max() < 5e-4
        assert np.abs(one["scores"].numpy() - scores).max() < 1e-5
        assert np.array_equal(one["labels"].numpy() - 1, golden[f"im{number}.classes"])
        theirs = recorded_masks(golden, number, pictures[number].shape[:2])
        assert (one["masks"] ^ theirs).flatten(1).sum(dim=1).max() <= 1, "one pixel may be a tie"


@pytest.mark.parametrize("case", CASES)
@torch.no_grad()
def test_the_fast_form_from_pictures_to_masks(fast, case):
    golden = load(case)
    found, pictures = detected(fast, golden["meta"])
    for number, one in enumerate(found):
        size = pictures[number].shape[:2]
        assert one["masks"].shape == (len(golden[f"im{number}.boxes"]), *size)
        if len(one["masks"]) == 0:
            continue
        assert np.abs(one["boxes"].numpy() - golden[f"im{number}.boxes"]).max() < 1e-5 * max(size)
        assert np.abs(one["scores"].numpy() - golden[f"im{number}.scores"]).max() < 3e-5
        assert np.array_equal(one["labels"].numpy() - 1, golden[f"im{number}.classes"])
        theirs = recorded_masks(golden, number, size)
        assert mask_geometry.iou(one["masks"], theirs).diagonal().min() >= 0.99


# -------------------------------------------------------------------------------------------- a training step


@pytest.fixture(scope="module")
def step(model) -> dict[str, Any]:
    """One training step, and what its stages gave each other on the way."""
    golden = load("pointrend_training")
    images, targets = [], []
    for height, width, seed, count in golden["meta"]["images"]:
        images.append(to_tensor(official.rgb(official.picture(height, width, seed))).double())
        targets.append(official.objects(height, width, count, seed))
    model.train().zero_grad()
    calls: list[list[Any]] = []

    def noted(name: str) -> Any:
        chance = getattr(torch, name)

        def call(*arguments: Any, **options: Any) -> torch.Tensor:
            calls.append([name, list(arguments)])
            return chance(*arguments, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        branch = model.mask_branch
        stages = {
            "loss": official.watch(patch, branch, "loss"),
            "coarse": official.watch(patch, branch.coarse, "forward"),
            "head": official.watch(patch, branch.point, "forward"),
            "points": official.watch(patch, mask_branch, "training_points"),
            "labels": official.watch(patch, mask_branch, "point_labels"),
        }
        for name in ("rand", "randperm"):
            patch.setattr(torch, name, noted(name))
        torch.manual_seed(golden["meta"]["seed"])
        losses = model(images, targets)
    sum(losses.values()).backward()
    yield stages | {"golden": golden, "losses": losses, "calls": calls}
    model.eval()


def test_the_losses(step):
    golden, losses = step["golden"], step["losses"]
    names = {
        "loss_objectness": "loss_rpn_cls",
        "loss_rpn_box": "loss_rpn_loc",
        "loss_category": "loss_cls",
        "loss_box": "loss_box_reg",
        "loss_mask": "loss_mask",
        "loss_mask_point": "loss_mask_point",
    }
    assert losses.keys() == names.keys()
    for ours, theirs in names.items():
        assert losses[ours].item() == pytest.approx(golden["meta"]["losses"][theirs], rel=1.5e-6), ours
    assert sum(losses.values()).item() == pytest.approx(float(golden["loss.total"]), rel=1.5e-6)


def test_chance_is_asked_in_the_same_order(step):
    assert step["calls"] == json.loads(step["golden"]["rng.calls"].tobytes())


def test_the_boxes_that_masks_are_learnt_in(step):
    """Decoded for the true class, not cut to the image."""
    ((arguments, _),) = step["loss"]
    boxes = torch.cat([one.boxes for one in arguments[2]])
    assert len(boxes) == step["golden"]["points.R"]
    assert np.abs(boxes.detach().numpy() - step["golden"]["mask_boxes"]).max() < 2e-3
    assert not boxes.requires_grad


def test_what_the_coarse_head_reads_and_says(step):
    ((arguments, coarse),) = step["coarse"]
    assert official.difference(step["golden"], "mask_pooled", arguments[0]) < 5e-5
    assert official.difference(step["golden"], "coarse", coarse) < 5e-5


def test_the_training_points(step):
    golden = step["golden"]
    ((_, points),) = step["points"]
    assert points.shape == tuple(golden["points.coords.shape"])
    assert official.close_stats(points, golden["points.coords.stats"], 1e-5)
    ours, theirs = points[0].numpy(), golden["points.first_instance"]  # near ties may change places
    assert np.abs(ours[:, None] - theirs).max(axis=2).min(axis=0).max() < 1e-6
    swapped = official.differences(golden, "points.coords", points) > 1e-5
    assert swapped.mean() < 0.02


def test_labels_at_points_are_soft(step):
    golden = step["golden"]
    labels = torch.cat([result for _, result in step["labels"]])
    different = official.differences(golden, "points.labels", labels) > 1e-3
    assert different.mean() < 0.02, "but for points that changed places"
    assert ((labels > 0) & (labels < 1)).any()


def test_what_the_point_head_says(step):
    ((_, logits),) = step["head"]
    different = official.differences(step["golden"], "pointlogits", logits) > 5e-5
    assert different.mean() < 0.02, "but for points that changed places"


def test_gradients(step, model):
    golden, parameters = step["golden"], dict(model.named_parameters())
    ours_of = {theirs: ours for ours, theirs in detectron2.LAYOUT.names(model).items()}
    for name, norm in zip(golden["grad.names"], golden["grad.norms"], strict=True):
        gradient = parameters[ours_of[str(name)]].grad
        assert gradient.double().norm().item() == pytest.approx(float(norm), rel=NORMS), name
    without = {name for name, weight in parameters.items() if weight.grad is None}
    assert without == {ours_of[str(name)] for name in golden["grad.none_params"]}
