"""The whole Mask R-CNN against detectron2's recorded numbers: from picture to masks, and a training step."""

import json
from pathlib import Path
from typing import Any

import golden_detectron2 as official
import numpy as np
import pytest
import torch
from torch import Tensor

import lessons
from lessons import masks
from lessons.checkpoints.detectron2 import LAYOUT
from lessons.mask_rcnn.model import MaskRCNN
from lessons.resizing import with_pillow

CASES = ["maskrcnn_inference", "maskrcnn_inference_batch"]
# See golden/detectron2/README.md: the recording's tolerances, and the folded form's: of a map's maximum,
# pixels, scores, probabilities in masks, and intersection over union of pasted masks.
MAPS, BOXES, SCORES, SOFT = 1.5e-5, 5e-4, 1e-5, 4e-5
# Proposals grow from anchors of up to 512 pixels, and rounding with them: on two threads 9e-4 was seen.
PROPOSALS = 2e-3
# Gradients: theirs on two threads are 5e-5 from theirs on one; the same step in double precision, where no
# ReLU is switched by rounding, is 1.03e-4 from theirs, single elements 3.7e-4 of the largest.
NORMS, ELEMENTS = 1.5e-4, 5e-4
FAST_BOXES, FAST_SCORES, FAST_SOFT, FAST_IOU = 1e-5, 3e-5, 3e-4, 0.99


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory):
    path = official.official_file(tmp_path_factory.mktemp("zoo") / "model_final.pkl")
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def model(file: Path) -> MaskRCNN:
    """In double precision: what is then left is the recording's own rounding, on every machine the same."""
    return official.model(file).double()


def pictures(golden: dict[str, Any]) -> list[np.ndarray]:
    return [official.rgb(official.picture(*which)) for which in golden["meta"]["images"]]


def network_images(golden: dict[str, Any]) -> list[Tensor]:
    meta = golden["meta"]
    return [with_pillow(one, meta["MIN_SIZE_TEST"], meta["MAX_SIZE_TEST"]) for one in pictures(golden)]


@pytest.fixture(scope="module", params=CASES)
def seen(request: pytest.FixtureRequest, model: MaskRCNN) -> dict[str, Any]:
    """What `detect` gives for the pictures of a recording, and what its stages gave each other on the way."""
    golden = official.load(request.param)
    model.eval()
    model.decoding = official.decoding(golden["meta"])
    with pytest.MonkeyPatch.context() as patch:
        stages = {
            "batch": official.watch(patch, model, "prepare"),
            "bottom_up": official.watch(patch, model.backbone.body, "forward"),
            "levels": official.watch(patch, model.backbone, "forward"),
            "anchors": official.watch(patch, model.rpn, "forward"),
            "proposals": official.watch(patch, model.rpn, "propose"),
            "box_head": official.watch(patch, model.box_branch.head, "forward"),
            "found": official.watch(patch, model.box_branch, "detect"),
            "small": official.watch(patch, model.mask_branch, "probabilities"),
        }
        images = [image.double() for image in network_images(golden)]
        placed = model.detect(images, [one.shape[:2] for one in pictures(golden)])
    assert [len(calls) for calls in stages.values()] == [1] * len(stages)
    results = {name: calls[0][1] for name, calls in stages.items()}
    return results | {"golden": golden, "placed": placed, "pooled": stages["box_head"][0][0][0]}


def test_the_network_s_input(seen):
    golden, batch = seen["golden"], seen["batch"]
    assert golden["input.sizes"].tolist() == [list(size) for size in batch.sizes]
    # Theirs is of 0 to 255 less the mean, as ours after it was multiplied by 255; blue is first.
    assert official.difference(golden, "input", batch.tensor.flip(1)) < 1e-6


def test_all_maps(seen):
    golden, bottom_up, levels = seen["golden"], seen["bottom_up"], seen["levels"]
    for name, level in bottom_up.items():
        assert official.difference(golden, f"res{name[1]}", level) < MAPS, name
    assert list(levels) == ["p2", "p3", "p4", "p5", "p6"]
    for name, level in levels.items():
        assert official.difference(golden, name, level) < MAPS, name


def test_what_the_rpn_says_of_each_anchor(seen):
    golden, anchors = seen["golden"], seen["anchors"]
    for number, level in enumerate(seen["levels"].values()):
        size = tuple(level.shape[-2:])
        for kind, ours in (("logits", anchors.logits[number]), ("deltas", anchors.deltas[number])):
            key = f"rpn_{kind}{number}"
            assert official.difference(golden, key, official.on_map(ours, size)) < MAPS, key


def test_proposals(seen):
    golden = seen["golden"]
    for number, own in enumerate(seen["proposals"]):
        key = f"im{number}.proposals"
        assert len(own.boxes) == golden[f"{key}.n"]
        assert farthest(own.boxes[:110], golden[f"{key}.boxes_first100"]) < PROPOSALS
        assert np.abs(own.logits[:100].numpy() - golden[f"{key}.logits_first100"]).max() < 1e-4
        for values, name in ((own.boxes, "stats"), (own.logits, "logits_stats")):
            if f"{key}.{name}" in golden:
                assert official.close_stats(values, golden[f"{key}.{name}"], 1e-5), name


def farthest(own: Tensor, theirs: np.ndarray) -> float:
    """How far the worst of their boxes is from the nearest of ours: places in near ties may be swapped."""
    return float(np.abs(own.numpy()[:, None] - theirs).max(axis=2).min(axis=0).max())


def test_the_box_branch_on_all_proposals(seen):
    golden, output = seen["golden"], seen["box_head"]
    whole = {
        "box_pooled": seen["pooled"],
        "cls_logits": output.logits.roll(-1, dims=1),  # background last
        "box_deltas": output.deltas.flatten(1),
    }
    for key, values in whole.items():
        # Two proposals of nearly the same logit may change places on another machine.
        differences = official.differences(golden, key, values)
        assert np.mean(differences < 1e-4) > 0.99, key


def test_raw_detections(seen):
    golden = seen["golden"]
    for number, (found, small) in enumerate(zip(seen["found"], seen["small"], strict=True)):
        key = f"im{number}.raw"
        assert np.array_equal(found["labels"].numpy() - 1, golden[f"{key}.classes"])
        assert np.abs(found["boxes"].numpy() - golden[f"{key}.boxes"]).max() < BOXES
        assert np.abs(found["scores"].numpy() - golden[f"{key}.scores"]).max() < SCORES
        assert official.difference(golden, f"{key}.masks", small[:, None]) < SOFT
        for mask, stats in zip(small, golden[f"{key}.mask_stats"], strict=True):
            assert official.close_stats(mask, stats, 1e-4)


def test_boxes_and_masks_in_the_picture(seen, model):
    for number, found in enumerate(seen["placed"]):
        size = tuple(found["masks"].shape[1:])
        own_size = seen["batch"].sizes[number]
        soft = model.place(seen["found"][number], seen["small"][number], own_size, size, soft=True)["masks"]
        assert_as_recorded(seen["golden"], number, found, soft)


def assert_as_recorded(golden: dict[str, Any], number: int, found: dict[str, Tensor], soft: Tensor) -> None:
    key = f"im{number}"
    assert np.array_equal(found["labels"].numpy() - 1, golden[f"{key}.classes"])
    assert np.abs(found["boxes"].numpy() - golden[f"{key}.boxes"]).max() < BOXES
    assert np.abs(found["scores"].numpy() - golden[f"{key}.scores"]).max() < SCORES
    wrong = found["masks"] ^ recorded_masks(golden, number)  # (D, H, W)
    assert ((soft - 0.5).abs()[wrong] < SOFT).all(), "a pixel that differs is a tie"
    assert wrong.flatten(1).sum(dim=1).max() <= 2, "and ties are rare"
    assert np.abs(masks.area(found["masks"]).numpy() - golden[f"{key}.areas"]).max() <= 2


def recorded_masks(golden: dict[str, Any], number: int) -> Tensor:
    size = tuple(golden[f"im{number}.image_hw"].tolist())
    return masks.decode_rle([{"counts": bytes(counts)} for counts in golden[f"im{number}.rle"]], size)


@pytest.fixture(scope="module")
def fast(file: Path) -> MaskRCNN:
    """As a reader has it; no test option is that of a recording yet."""
    return lessons.load(official.CONFIG, weights=file, resize=(256, 1333), device="cpu")


def test_a_loaded_model_predicts_the_same(fast: MaskRCNN):
    golden = official.load("maskrcnn_inference")
    fast.decoding = official.decoding(golden["meta"])
    fast.resize = golden["meta"]["MIN_SIZE_TEST"], golden["meta"]["MAX_SIZE_TEST"]
    (picture,) = pictures(golden)
    assert_nearly_as_recorded(golden, 0, fast.predict(picture))
    assert fast.classes[0] == "person" and len(fast.classes) == 80


def test_the_fast_form_of_a_batch(fast: MaskRCNN):
    golden = official.load("maskrcnn_inference_batch")
    fast.decoding = official.decoding(golden["meta"])
    images, sizes = network_images(golden), [one.shape[:2] for one in pictures(golden)]
    for number, found in enumerate(fast.detect(images, sizes)):
        assert_nearly_as_recorded(golden, number, found)


def test_probabilities_of_the_fast_form(fast: MaskRCNN):
    golden = official.load("maskrcnn_inference")
    fast.decoding = official.decoding(golden["meta"])
    with torch.no_grad():
        batch = fast.prepare(network_images(golden))
        levels = fast.backbone(batch.tensor)
        (found,) = fast.find_boxes(levels, fast.propose(levels, batch), batch)
        (small,) = fast.mask_branch.probabilities(
            levels, fast.backbone.strides, [found["boxes"]], [found["labels"]]
        )
    assert official.difference(golden, "im0.raw.masks", small[:, None]) < FAST_SOFT


def assert_nearly_as_recorded(golden: dict[str, Any], number: int, found: dict[str, Tensor]) -> None:
    key, side = f"im{number}", int(golden[f"im{number}.image_hw"].max())
    assert np.array_equal(found["labels"].numpy() - 1, golden[f"{key}.classes"])
    assert np.abs(found["boxes"].numpy() - golden[f"{key}.boxes"]).max() < FAST_BOXES * side
    assert np.abs(found["scores"].numpy() - golden[f"{key}.scores"]).max() < FAST_SCORES
    overlap = masks.iou(found["masks"], recorded_masks(golden, number)).diagonal()
    assert overlap.min() >= FAST_IOU


# What the file has otherwise than we do, turned back: see `lessons.checkpoints.detectron2`.
TURNED_BACK = {
    "backbone.body.conv1.weight": lambda entry: entry.flip(1),
    "box_branch.head.category.weight": lambda entry: entry.roll(-1, dims=0),
    "box_branch.head.category.bias": lambda entry: entry.roll(-1, dims=0),
}


def gradients(model: MaskRCNN) -> dict[str, Tensor | None]:
    """The gradient of every parameter, by its official name and in its official arrangement."""
    names, found = LAYOUT.names(model), {}
    for name, parameter in model.named_parameters():
        turned = TURNED_BACK.get(name, lambda entry: entry)
        found[names[name]] = None if parameter.grad is None else turned(parameter.grad)
    return found


@pytest.fixture(scope="module")
def step(model: MaskRCNN) -> dict[str, Any]:
    """One training step, and what its stages gave each other on the way."""
    golden = official.load("maskrcnn_training")
    model.train()
    images, targets = [], []
    for height, width, seed, count in golden["meta"]["images"]:
        pixels = torch.from_numpy(official.rgb(official.picture(height, width, seed)))
        images.append(pixels.permute(2, 0, 1).double() / 255)
        targets.append(official.objects(height, width, count, seed))
    with pytest.MonkeyPatch.context() as patch:
        stages = {
            "chances": official.watch(patch, torch, "randperm"),
            "anchors": official.watch(patch, model.rpn, "choose"),
            "proposals": official.watch(patch, model.rpn, "propose"),
            "regions": official.watch(patch, model.box_branch, "choose"),
            "box_head": official.watch(patch, model.box_branch.head, "forward"),
            "mask_head": official.watch(patch, model.mask_branch.head, "forward"),
        }
        torch.manual_seed(golden["meta"]["seed"])
        losses = model(images, targets)
    sum(losses.values()).backward()
    return stages | {"golden": golden, "losses": losses, "gradients": gradients(model)}


def test_the_five_losses(step):
    names = {
        "loss_objectness": "loss_rpn_cls",
        "loss_rpn_box": "loss_rpn_loc",
        "loss_category": "loss_cls",
        "loss_box": "loss_box_reg",
        "loss_mask": "loss_mask",
    }
    losses, golden = step["losses"], step["golden"]
    assert losses.keys() == names.keys()
    for ours, theirs in names.items():
        assert losses[ours].item() == pytest.approx(golden["meta"]["losses"][theirs], rel=1.5e-6), ours
        assert losses[ours].item() == pytest.approx(float(golden[f"loss.{theirs}"]), rel=1.5e-6), ours
    assert sum(losses.values()).item() == pytest.approx(float(golden["loss.total"]), rel=1.5e-6)


def test_chance_is_asked_in_the_same_order(step):
    calls = [["randperm", list(arguments)] for arguments, _ in step["chances"]]
    assert calls == json.loads(step["golden"]["rng.calls"].tobytes())


def test_the_sampled_anchors(step):
    golden = step["golden"]
    assert len(step["anchors"]) == 2
    for number, (_, (positives, negatives, own)) in enumerate(step["anchors"]):
        key = f"rpn.im{number}"
        # Recorded in the order of the anchors, ours are in the order of the draw.
        order = positives.argsort()
        assert np.array_equal(positives[order].numpy(), golden[f"{key}.pos"])
        assert np.array_equal(negatives.sort().values.numpy(), golden[f"{key}.neg"])
        assert np.array_equal(own[order].numpy(), golden[f"{key}.pos_gt_boxes"])


def test_training_proposals(step):
    golden = step["golden"]
    ((_, proposals),) = step["proposals"]
    for number, own in enumerate(proposals):
        key = f"proposals.im{number}"
        assert len(own.boxes) == golden[f"{key}.n"]
        assert farthest(own.boxes[:25], golden[f"{key}.first20"]) < PROPOSALS
        assert official.close_stats(own.boxes, golden[f"{key}.stats"], 1e-5)


def test_the_sampled_regions(step):
    golden = step["golden"]
    ((_, regions),) = step["regions"]
    for number, own in enumerate(regions):
        key = f"roi.im{number}"
        assert len(own.boxes) == golden[f"{key}.n"]
        classes = torch.where(own.labels > 0, own.labels - 1, 80)
        assert np.array_equal(classes.numpy(), golden[f"{key}.classes"])
        assert np.array_equal(own.positives().targets.numpy(), golden[f"{key}.gt_boxes_fg"])
        assert np.abs(own.boxes[:160].numpy() - golden[f"{key}.boxes"]).max() < PROPOSALS
        assert official.close_stats(own.boxes, golden[f"{key}.boxes_stats"], 1e-5)


def test_mask_logits_of_the_positives(step):
    ((_, logits),) = step["mask_head"]
    assert official.difference(step["golden"], "masklogits", logits) < MAPS


def test_what_detectron2_logs_of_the_step(step):
    golden = step["golden"]
    recorded = dict(zip(golden["metrics.names"].tolist(), golden["metrics.values"].tolist(), strict=True))
    ((_, regions),) = step["regions"]
    ((_, output),) = step["box_head"]
    labels, guesses = torch.cat([one.labels for one in regions]), output.logits.argmax(dim=1)
    positive = labels > 0
    share = {
        "fast_rcnn/cls_accuracy": guesses == labels,
        "fast_rcnn/fg_cls_accuracy": (guesses == labels)[positive],
        "fast_rcnn/false_negative": guesses[positive] == 0,
    }
    for name, right in share.items():
        assert right.float().mean().item() == pytest.approx(recorded[name], abs=1e-6), name
    counts = {
        "roi_head/num_fg_samples": positive.sum() / 2,
        "roi_head/num_bg_samples": (~positive).sum() / 2,
        "rpn/num_pos_anchors": sum(len(chosen[0]) for _, chosen in step["anchors"]) / 2,
        "rpn/num_neg_anchors": sum(len(chosen[1]) for _, chosen in step["anchors"]) / 2,
    }
    for name, count in counts.items():
        assert float(count) == recorded[name], name


def test_gradients(step):
    golden, own = step["golden"], step["gradients"]
    for name, norm, total in zip(
        golden["grad.names"], golden["grad.norms"], golden["grad.sums"], strict=True
    ):
        gradient = own[str(name)].double()
        assert gradient.norm().item() == pytest.approx(norm, rel=NORMS), name
        assert gradient.sum().item() == pytest.approx(total, abs=NORMS * float(gradient.abs().sum())), name
        assert official.difference(golden, f"grad.sample.{name}", gradient) < ELEMENTS, name
    norms = [gradient.double().norm() for gradient in own.values() if gradient is not None]
    assert torch.stack(norms).norm().item() == pytest.approx(float(golden["grad.total_norm"]), rel=NORMS)


def test_what_has_no_gradient(step):
    without = {name for name, gradient in step["gradients"].items() if gradient is None}
    assert without == set(step["golden"]["grad.none_params"].tolist())
