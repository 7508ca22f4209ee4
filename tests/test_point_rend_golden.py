"""PointRend against detectron2's recorded numbers: operators, subdivision, whole model, a training step."""

import golden_detectron2 as official
import numpy as np
import pytest
import torch
from golden_detectron2 import load

from lessons import masks as mask_geometry
from lessons.backbones import resnet_pyramid
from lessons.checkpoints import detectron2
from lessons.data.images import to_tensor
from lessons.mask_rcnn.box_head import BoxBranch, Detecting
from lessons.mask_rcnn.model import MaskRCNN
from lessons.mask_rcnn.rpn import RPN
from lessons.point_rend.mask_branch import PointRendBranch
from lessons.point_rend.points import (
    fine_features,
    most_uncertain_cells,
    point_labels,
    point_sample,
    regular_grid,
    to_image,
    training_points,
    uncertainty,
)
from lessons.point_rend.subdivision import start_of
from lessons.resizing import with_pillow


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array)


@pytest.fixture(scope="module")
def ops() -> dict:
    return load("pointrend_ops")


@pytest.fixture(scope="module")
def model() -> MaskRCNN:
    shapes = official.manifest("pointrend")
    entries = {name: tensor(official.weight(name, shape)) for name, shape in shapes.items()}
    built = MaskRCNN(
        resnet_pyramid(50, "frozen", stride_in_1x1=True, frozen_stages=2),
        RPN(256),
        BoxBranch(256, 80),
        PointRendBranch(256, 80),
        std=(1 / 255,) * 3,
        mean=(0.485, 0.456, 0.406),
        mask_boxes="decoded",
    )
    detectron2.LAYOUT.put(built, entries, "the recording")
    return built.eval()


@pytest.fixture(scope="module")
def fast(model: MaskRCNN) -> MaskRCNN:
    """As `lessons.load` gives it: folded, and with the fast mask branch."""
    quick = model.for_inference()
    assert not isinstance(quick.mask_branch, PointRendBranch)
    return quick


# ----------------------------------------------------------------------------------------------- operators


def test_point_sampling(ops):
    maps = tensor(ops["ps.input"])
    for points, out, mode in (("3", "3", "bilinear"), ("4", "4", "bilinear"), ("3", "3_nearest", "nearest")):
        found = point_sample(maps, tensor(ops[f"ps.coords{points}"]), mode)
        assert np.abs(found.numpy() - ops[f"ps.out{out}"]).max() < 1e-6


@pytest.mark.parametrize("side", [2, 7, 14, 28])
def test_regular_grids_are_equal_to_the_bit(ops, side):
    assert np.array_equal(regular_grid(1, side)[0].numpy(), ops[f"grid.{side}"])


def test_uncertainty(ops):
    logits, labels = tensor(ops["unc.logits"]), tensor(ops["unc.classes"]) + 1
    assert np.array_equal(uncertainty(logits, labels).numpy(), ops["unc.out"])
    assert np.array_equal(uncertainty(logits[:, :1], labels).numpy(), ops["unc.out_agnostic"])


@pytest.mark.parametrize("case", "abcd")
def test_training_points_and_what_chance_they_use(ops, case):
    logits, labels = tensor(ops["unc.logits"]), tensor(ops["unc.classes"]) + 1
    count, oversample, importance = ops[f"rnd.{case}.params"].tolist()
    torch.manual_seed(ops["meta"]["seed"] + 10)
    points = training_points(logits, labels, int(count), oversample, importance)
    assert np.array_equal(torch.rand(3).numpy(), ops[f"rnd.{case}.next_rand"]), "as many random numbers"
    expected = ops[f"rnd.{case}.out"]
    for ours, theirs in zip(points.numpy(), expected, strict=True):  # sets: near ties may change places
        assert np.abs(np.sort(ours, axis=0) - np.sort(theirs, axis=0)).max() < 1e-6


@pytest.mark.parametrize(("key", "count"), [("50", 50), ("300", 300), ("rect", 13)])
def test_the_most_uncertain_cells(ops, key, count):
    doubt = tensor(ops["ongrid.rect.map" if key == "rect" else "ongrid.map"])
    index, points = most_uncertain_cells(doubt, count)
    for ours, theirs in zip(index.tolist(), ops[f"ongrid.{key}.idx"].tolist(), strict=True):
        assert set(ours) == set(theirs)
    assert np.abs(points.numpy() - ops[f"ongrid.{key}.coords"]).max() < 1e-6


def test_fine_features_and_points_in_the_image(ops):
    boxes, points = [tensor(ops["fg.boxes0"]), tensor(ops["fg.boxes1"])], tensor(ops["fg.coords"])
    p2, p3 = tensor(ops["fg.p2"]), tensor(ops["fg.p3"])
    assert np.abs(to_image(points, torch.cat(boxes)).numpy() - ops["fg.wrt_image"]).max() < 1e-4
    one = fine_features([p2], [4], boxes, points)
    two = fine_features([p2, p3], [4, 8], boxes, points)
    assert np.abs(one.numpy() - ops["fg.out_single"]).max() < 1e-5
    assert np.abs(two.numpy() - ops["fg.out_two"]).max() < 1e-5
    empty = fine_features([p2], [4], [boxes[0], boxes[0][:0]], points[:3])
    assert np.abs(empty.numpy() - ops["fg.out_second_image_empty"]).max() < 1e-5


def test_point_labels_are_soft(ops):
    height, width = ops["lab.image_hw"].tolist()
    masks = official.objects(height, width, 5, ops["meta"]["seed"])["masks"]
    labels = point_labels(masks, tensor(ops["lab.coords_abs"]))
    assert np.abs(labels.numpy() - ops["lab.out"]).max() < 1e-5
    assert ((labels > 0) & (labels < 1)).any()


def test_where_subdivision_begins():
    golden = load("subdivision")
    assert start_of(7, 5, 784)[0] == golden["step0.resolution"]
    assert start_of(7, 5, 784) == (28, 3)
    assert (
        start_of(7, 5, 195) == (7, 5) and start_of(7, 5, 196) == (14, 4) and start_of(7, 1, 10**6) == (14, 0)
    )


# ----------------------------------------------------------------------------------------------- subdivision


@torch.no_grad()
def test_every_step_of_the_subdivision(model):
    golden = load("subdivision")
    waves = official_smooth((1, 256, 50, 66), 31)
    boxes, labels = [tensor(golden["boxes"])], tensor(golden["classes"]) + 1
    branch, maps, strides = model.mask_branch, {"p2": waves}, {"p2": 4}
    coarse = branch.coarse_masks(maps, strides, boxes)
    assert np.abs(coarse.numpy() - golden["coarse"]).max() < 1e-4
    logits, steps = branch.subdivision(maps, strides, boxes, labels)
    assert [step.side for step in steps] == [28, 56, 112, 224]
    for number, step in enumerate(steps[1:], start=1):
        for ours, theirs in zip(
            step.index[:2].tolist(), golden[f"step{number}.indices"].tolist(), strict=True
        ):
            assert set(ours) == set(theirs)
    assert np.abs(logits[0, labels[0] - 1].numpy() - golden["final.cls_logits.inst0"]).max() < 2e-5


# --------------------------------------------------------------------------------------------- whole model


CASES = ["pointrend_inference", "pointrend_inference_batch", "pointrend_inference_no_detections"]


def detected(model: MaskRCNN, meta: dict) -> tuple[list[dict], list[np.ndarray]]:
    """What a model finds in the pictures of a recording, and the pictures."""
    model.decoding = Detecting(meta["SCORE_THRESH_TEST"], max_detections=meta["DETECTIONS_PER_IMAGE"])
    pictures = [official.rgb(official.picture(*entry)) for entry in meta["images"]]
    images = [with_pillow(picture, meta["MIN_SIZE_TEST"], meta["MAX_SIZE_TEST"]) for picture in pictures]
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


def test_a_training_step(model):
    golden = load("pointrend_training")
    meta = golden["meta"]
    images, targets = [], []
    for height, width, seed, count in meta["images"]:
        images.append(to_tensor(official.rgb(official.picture(height, width, seed))))
        targets.append(official.objects(height, width, count, seed))
    model.train()
    try:
        torch.manual_seed(meta["seed"])
        losses = model(images, targets)
        sum(losses.values()).backward()
    finally:
        model.eval()
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
        assert losses[ours].item() == pytest.approx(meta["losses"][theirs], rel=1.5e-6), ours
    parameters = dict(model.named_parameters())
    ours_of = {theirs: ours for ours, theirs in detectron2.LAYOUT.names(model).items()}
    for name, norm in zip(golden["grad.names"], golden["grad.norms"], strict=True):
        gradient = parameters[ours_of[str(name)]].grad
        assert gradient.double().norm().item() == pytest.approx(float(norm), rel=5e-5), name
    without = {name for name, weight in parameters.items() if weight.grad is None}
    assert without == {ours_of[str(name)] for name in golden["grad.none_params"]}


def official_smooth(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    """The recording's smooth maps: three plane waves in each channel, of at most four cycles to a side."""
    draw = np.random.RandomState(seed)
    height, width = shape[-2:]
    channels = int(np.prod(shape[:-2]))
    cycles = draw.uniform(-4, 4, (channels, 3, 2))
    phases = draw.uniform(0, 2 * np.pi, (channels, 3))
    y, x = (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width
    waves = sum(
        np.sin(
            2 * np.pi * cycles[:, wave, 0, None, None] * y[:, None]
            + 2 * np.pi * cycles[:, wave, 1, None, None] * x
            + phases[:, wave, None, None]
        )
        for wave in range(3)
    )
    return torch.from_numpy((waves * np.sqrt(2 / 3)).astype(np.float32).reshape(shape))
