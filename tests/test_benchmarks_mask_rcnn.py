"""The benchmark of Mask R-CNN compares like with like. Nothing here measures time."""

import functools

import pytest
import torch

from benchmarks import mask_rcnn, solo
from lessons import zoo
from lessons.mask_rcnn.box_head import Detecting


@pytest.fixture
def small(monkeypatch):
    """Pictures of a size that a test can afford."""
    for module in (solo, mask_rcnn):
        monkeypatch.setattr(module, "SIZE", (96, 128))


def test_both_models_do_the_same_work(small):
    image = solo.picture()
    with torch.no_grad():
        theirs = mask_rcnn.theirs(frozen=False).eval()([image])[0]
    model = mask_rcnn.ours().for_inference()
    model.decoding = Detecting(score_threshold=0.0)
    ours = model([image])[0]
    assert len(theirs["boxes"]) == len(ours["boxes"]) == 100
    torch.testing.assert_close(ours["scores"], theirs["scores"], atol=3e-5, rtol=0)  # folded
    # Nearly equal scores may change places, so areas are compared in order of size.
    areas = [
        ((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])).sort().values for b in (ours["boxes"], theirs["boxes"])
    ]
    assert (areas[0] / areas[1] - 1).abs().median() < 1e-3


def test_a_training_step_changes_weights_that_train_and_no_others(small, monkeypatch):
    built = []
    monkeypatch.setattr(
        mask_rcnn, "ours", lambda: built.append(zoo.build("mask-rcnn-mini")) or built[0]
    )  # quicker than a ResNet-50
    step = mask_rcnn.training(mask_rcnn.ours_to_train)
    (model,) = built
    model.backbone.freeze(1)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    step()
    assert all(weight.grad is None for weight in model.backbone.body.conv1.parameters())
    assert torch.equal(before["backbone.body.conv1.weight"], model.backbone.body.conv1.weight)
    assert model.mask_branch.head.masks.weight.grad.abs().sum() > 0


def test_every_stage_of_a_step_is_timed(small, monkeypatch):
    monkeypatch.setattr(mask_rcnn, "NAME", "mask-rcnn-mini")
    printed = mask_rcnn.parts_of_a_step()
    for label, _, _ in mask_rcnn.STAGES:
        (row,) = [line for line in printed.splitlines() if label in line]
        assert float(row.split("|")[2]) > 0, row


def test_goals_are_judged_by_the_fastest_rounds(monkeypatch):
    class Here(functools.partial):
        def peak_memory(self):
            return {"yardstick": 2.0e9, "good": 1.4e9, "bad": 1.6e9}[self.keywords["name"]]

        def close(self):
            pass

    threads = []
    seconds = {"yardstick": [5.0, 4.0], "good": [3.0, 9.0], "bad": [4.0, 3.6]}
    monkeypatch.setattr(mask_rcnn, "Apart", lambda make, count: threads.append(count) or make())
    monkeypatch.setattr(mask_rcnn, "interleaved", lambda work, rounds: {name: seconds[name] for name in work})
    models = {
        name: (functools.partial(Here, print, name=name), goal)
        for name, goal in (("yardstick", None), ("good", 0.8), ("bad", 0.8))
    }
    printed = mask_rcnn.inference(2, 2, models)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines()]
    assert threads == [2, 2, 2]
    assert rows[2] == ["yardstick", "4.000", "1.00", "", "2.00", ""]
    assert rows[3] == ["good", "3.000", "0.75", "0.80, met", "1.40", "1.5, met"]
    assert rows[4] == ["bad", "3.600", "0.90", "0.80, missed", "1.60", "1.5, missed"]
