"""PointRend against detectron2's recorded numbers: operators, heads, subdivision."""

import golden_detectron2 as official
import numpy as np
import pytest
import torch
from golden_detectron2 import load

from lessons.mask_rcnn.model import MaskRCNN
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

MAPS = 1.5e-5  # of a map's maximum; see golden/detectron2/README.md
LOGITS = 3e-5  # after subdivision; the recording's own rounding, seen in double precision, is 2.5e-5


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array)


@pytest.fixture(scope="module")
def ops() -> dict:
    return load("pointrend_ops")


@pytest.fixture(scope="module")
def model() -> MaskRCNN:
    """In double precision: what is then left is the recording's own rounding, on every machine the same."""
    return official.point_rend().double()


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


# ------------------------------------------------------------------------------------ heads and subdivision


@torch.no_grad()
def test_the_two_heads(model):
    golden, branch = load("heads"), model.mask_branch
    coarse = branch.coarse(official.noise((3, 256, 14, 14), "coarseo").double())
    assert np.abs(coarse.numpy() - golden["coarse.out"]).max() < MAPS * np.abs(golden["coarse.out"]).max()
    none = branch.coarse(torch.zeros(0, 256, 14, 14).double())
    assert none.shape == tuple(golden["coarse.out_empty_shape"])
    fine, coarse = official.noise((3, 256, 50), "fineo"), 2 * official.noise((3, 80, 50), "cfo")
    points = branch.point(fine.double(), coarse.double())
    assert np.abs(points.numpy() - golden["point.out"]).max() < MAPS * np.abs(golden["point.out"]).max()


@pytest.fixture(scope="module")
def trace(model) -> dict:
    """The recording's three instances, subdivided: the recording, coarse masks, logits, steps."""
    golden = load("subdivision")
    boxes, labels = [tensor(golden["boxes"]).double()], tensor(golden["classes"]) + 1
    maps, strides = {"p2": official.smooth((1, 256, 50, 66), 31).double()}, {"p2": 4}
    with torch.no_grad():
        coarse = model.mask_branch.coarse_masks(maps, strides, boxes)
        logits, steps = model.mask_branch.subdivision(maps, strides, boxes, labels)
    own = torch.arange(len(labels)), labels - 1
    return {"golden": golden, "coarse": coarse, "logits": logits, "own": own, "steps": steps}


def test_the_coarse_masks(trace):
    assert np.abs(trace["coarse"].numpy() - trace["golden"]["coarse"]).max() < 1e-4


def test_where_each_step_asks(trace):
    golden, steps = trace["golden"], trace["steps"]
    assert [step.side for step in steps] == [28, 56, 112, 224]
    assert official.difference(golden, "step0.coords", steps[0].points[0]) < 1e-6
    for number, step in enumerate(steps[1:], start=1):
        key = f"step{number}"
        assert step.side == golden[f"{key}.resolution"]
        for instance, theirs in enumerate(golden[f"{key}.indices"].tolist()):
            assert set(step.index[instance].tolist()) == set(theirs)
        # Of each instance the five cells that are most uncertain, in the order of their doubt; near ties
        # may change places, so theirs are looked for among our first ten.
        distances = torch.cdist(tensor(golden[f"{key}.coords_sample"]).to(step.points), step.points[:, :10])
        assert distances.min(dim=2).values.max() < 1e-6


def test_what_each_step_is_answered(trace):
    golden, own = trace["golden"], trace["own"]
    for number, step in enumerate(trace["steps"]):
        if number == 0:
            answers = step.after[own].flatten(1)[:, ::7]  # (3, 112)
        else:
            index = tensor(golden[f"step{number}.indices"])[:, ::7].long()  # (2, 112), in their order
            answers = step.after[own].flatten(1)[:2].gather(1, index)
        theirs = golden[f"step{number}.point_logits.cls"][: len(answers)]
        assert np.abs(answers.numpy() - theirs).max() < LOGITS, number
        if number:
            # Theirs is called upsampled, and was read after the answers had been put in.
            assert official.close_stats(step.after, golden[f"step{number}.upsampled.stats"], 1e-4), number


def test_the_final_masks(trace):
    golden, logits = trace["golden"], trace["logits"]
    assert logits.shape == tuple(golden["final.shape"])
    own = logits[trace["own"]]  # (3, 224, 224)
    assert np.abs(own[0].numpy() - golden["final.cls_logits.inst0"]).max() < LOGITS
    assert np.abs(own[1:, ::5, ::5].numpy() - golden["final.cls_logits.sample"]).max() < LOGITS
    for mask, every, stats, soft in zip(
        own, logits, golden["final.cls_logits.stats"], golden["pred_masks.stats"], strict=True
    ):
        assert official.close_stats(mask, stats, 1e-4)
        assert official.close_stats(mask.sigmoid(), soft, 1e-4)
        assert every.isfinite().all()


def test_no_boxes_at_all(model):
    maps, strides = {"p2": torch.zeros(1, 256, 50, 66).double()}, {"p2": 4}
    labels = torch.zeros(0, dtype=torch.int64)
    (masks,) = model.mask_branch.probabilities(maps, strides, [torch.zeros(0, 4).double()], [labels])
    assert masks.shape[0] == load("subdivision")["empty.pred_masks_shape"][0] == 0
