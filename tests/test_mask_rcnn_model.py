"""The whole Mask R-CNN, small: any images, any number of objects, any number of processes."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lessons.backbones import slim_c5, slim_pyramid
from lessons.errors import LessonsError
from lessons.mask_rcnn.anchors import Anchors
from lessons.mask_rcnn.box_head import BoxBranch, Detecting
from lessons.mask_rcnn.mask_head import MaskBranch
from lessons.mask_rcnn.model import MaskRCNN, without_crowds
from lessons.mask_rcnn.roi_align import Pooler
from lessons.mask_rcnn.rpn import RPN

CLASSES = 3
LOSSES = {"loss_objectness", "loss_rpn_box", "loss_category", "loss_box", "loss_mask"}


def small_model(kind: str = "pyramid", seed: int = 0, positive: float = 0.5, **options) -> MaskRCNN:
    """8 to 16 channels wide."""
    torch.manual_seed(seed)
    if kind == "pyramid":
        backbone, names = slim_pyramid(8, 16, levels=4), ("p2", "p3", "p4", "p5")
        anchors = Anchors(sizes=((8,), (16,), (32,), (64,)))
    else:
        backbone, names = slim_c5(8, 16), ("c5",)
        anchors = Anchors(sizes=((16, 32, 64),))
    return MaskRCNN(
        backbone,
        RPN(16, anchors, before_nms=(100, 50), after_nms=(60, 30), samples=32),
        BoxBranch(
            16, CLASSES, hidden=32, samples=32, positive=positive, pooler=Pooler(3, names, sampling_ratio=1)
        ),
        MaskBranch(16, CLASSES, hidden=16, convolutions=2, pooler=Pooler(4, names, sampling_ratio=1)),
        **options,
    )


def image_of(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


def target_of(height: int, width: int, *boxes: tuple[int, int, int, int]) -> dict[str, Tensor]:
    """Rectangles at whole pixels."""
    masks = torch.zeros(len(boxes), height, width, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[y1:y2, x1:x2] = True
    return {
        "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        "labels": torch.arange(len(boxes)) % CLASSES + 1,
        "masks": masks,
    }


def step(
    model: MaskRCNN, images: list[Tensor], targets: list[dict[str, Tensor]], names: set[str] = LOSSES
) -> dict[str, Tensor]:
    """One training step; every parameter has to have a gradient of finite numbers."""
    model.train().zero_grad(set_to_none=True)
    losses = model(images, targets)
    sum(losses.values()).backward()
    assert set(losses) == names
    assert all(loss.ndim == 0 and loss.isfinite() for loss in losses.values()), losses
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, f"{name} has no gradient"
        assert parameter.grad.isfinite().all(), f"{name} has a gradient of no number"
    return {name: loss.detach() for name, loss in losses.items()}


# Training

TWO = ((4, 5, 30, 40), (20, 8, 50, 30))
BATCHES = {
    "one": [(48, 64, *TWO)],
    "three of different size": [(48, 64, *TWO), (64, 40, (3, 3, 20, 60)), (33, 51, (1, 1, 50, 30))],
    "one of them without objects": [(48, 64), (64, 50, (0, 0, 50, 64))],
    "no objects at all": [(48, 64), (40, 40)],
    "one pixel": [(48, 64, (10, 10, 11, 11), (0, 0, 1, 1), (63, 47, 64, 48))],
    "smaller than a stride": [(5, 7, (1, 1, 4, 4))],
    "a single pixel": [(1, 1, (0, 0, 1, 1))],
    "one row": [(1, 90, (10, 0, 60, 1)), (90, 1)],
    "twice the same object": [(48, 64, TWO[0], TWO[0])],
}


@pytest.mark.parametrize("kind", ["pyramid", "single level"])
@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
def test_any_batch_trains(kind: str, batch: list[tuple]):
    images = [image_of(height, width, seed) for seed, (height, width, *_) in enumerate(batch)]
    losses = step(small_model(kind), images, [target_of(*one) for one in batch])
    some = any(len(one) > 2 for one in batch)
    assert losses["loss_objectness"] > 0 and losses["loss_category"] > 0
    for name in ("loss_rpn_box", "loss_box", "loss_mask"):
        assert (losses[name] > 0) == some, f"{name} is of objects alone"


@pytest.mark.parametrize("mask_boxes", ["proposals", "decoded"])
def test_no_positive_proposal_leaves_every_gradient_defined(mask_boxes: str):
    """An IoU of more than 1 is out of reach, also for the objects themselves, which join the proposals."""
    model = small_model(positive=1.5, mask_boxes=mask_boxes)
    losses = step(model, [image_of(48, 64)], [target_of(48, 64, *TWO)])
    assert losses["loss_mask"] == losses["loss_box"] == 0 and losses["loss_rpn_box"] > 0
    assert not model.mask_branch.head.masks.weight.grad.any()
    losses = step(small_model(mask_boxes=mask_boxes), [image_of(48, 64)], [target_of(48, 64, *TWO)])
    assert losses["loss_mask"] > 0 and losses["loss_box"] > 0


def test_a_seed_repeats_a_step_and_another_does_not():
    model = small_model()
    images, targets = [image_of(64, 64)], [target_of(64, 64, *TWO)]

    def losses(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return torch.stack(list(step(model, images, targets).values()))

    first = losses(1)
    assert torch.equal(first, losses(1))
    assert not torch.equal(first, losses(2))


def test_training_changes_neither_images_nor_targets():
    images, targets = [image_of(48, 64)], [target_of(48, 64, *TWO)]
    targets[0]["iscrowd"] = torch.tensor([0, 1])
    before = copy.deepcopy((images, targets))
    step(small_model(), images, targets)
    assert torch.equal(before[0][0], images[0])
    assert before[1][0].keys() == targets[0].keys()
    assert all(torch.equal(before[1][0][name], value) for name, value in targets[0].items())


def test_a_few_steps_lower_the_losses():
    model = small_model()
    images, targets = [image_of(64, 64)], [target_of(64, 64, *TWO)]
    images[0][:, 5:40, 4:30] += 1
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    totals = []
    for _ in range(15):
        totals.append(sum(step(model, images, targets).values()))
        optimiser.step()
    assert sum(totals[-3:]) < 0.75 * sum(totals[:3])


def test_crowds_teach_nothing():
    """The losses with a crowd are those without the object; it is not left in place as background either."""
    model = small_model()
    images = [image_of(48, 64)]
    both, one = target_of(48, 64, *TWO), target_of(48, 64, TWO[0])
    both["iscrowd"], both["image_id"] = torch.tensor([0, 1]), 7
    answers = []
    for target in (both, one):
        torch.manual_seed(3)
        answers.append(step(model, images, [target]))
    assert answers[0] == answers[1]
    kept = without_crowds(both)
    assert kept["boxes"].tolist() == one["boxes"].tolist() and kept["masks"].shape == (1, 48, 64)
    assert kept["image_id"] == 7
    both["iscrowd"] = torch.tensor([1, 1])
    assert without_crowds(both)["masks"].shape == (0, 48, 64)
    step(model, images, [both])


def test_training_under_bfloat16():
    """Losses are float32, gradients finite, and not far from those of float32."""
    model = small_model()
    images, targets = [image_of(48, 64), image_of(64, 40)], [target_of(48, 64, *TWO), target_of(64, 40)]
    torch.manual_seed(1)
    exact = step(model, images, targets)
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        rough = step(model, images, targets)
    for name, loss in rough.items():
        assert loss.dtype == torch.float32
        # Proposals, and with them samples, may change.
        torch.testing.assert_close(loss, exact[name], rtol=0.1, atol=0.02)


def test_what_training_needs():
    model = small_model().train()
    with pytest.raises(LessonsError, match="targets must be one dict for each of the 2 images"):
        model([image_of(40, 40)] * 2, [target_of(40, 40)])
    with pytest.raises(LessonsError, match=r"call model\.eval"):
        model([image_of(40, 40)])
    with pytest.raises(LessonsError, match="Image 0 of the batch has the label 9 and the model 3 classes"):
        model([image_of(40, 40)], [target_of(40, 40, (1, 1, 9, 9)) | {"labels": torch.tensor([9])}])
    with pytest.raises(LessonsError, match="choose proposals or decoded, and sampled or rounded"):
        small_model(mask_boxes="none")


# Detecting


def eager(kind: str = "pyramid", **options) -> MaskRCNN:
    """Random weights that are sure of something."""
    model = small_model(kind, decoding=Detecting(score_threshold=0.3, max_detections=20), **options).eval()
    with torch.no_grad():
        for layer in (
            model.rpn.head.objectness,
            model.box_branch.head.category,
            model.mask_branch.head.masks,
        ):
            layer.weight.mul_(40)
    return model


@pytest.mark.parametrize("kind", ["pyramid", "single level"])
def test_answers_keep_the_contract(kind: str):
    sizes = [(48, 64), (5, 7), (90, 33), (1, 1)]
    with torch.no_grad():
        answers = eager(kind)([image_of(*size, seed) for seed, size in enumerate(sizes)])
    assert len(answers) == 4 and sum(len(found["scores"]) for found in answers) > 0
    for (height, width), found in zip(sizes, answers, strict=True):
        count = len(found["scores"])
        assert found["masks"].shape == (count, height, width) and found["masks"].dtype == torch.bool
        assert found["boxes"].shape == (count, 4) and found["boxes"].dtype == torch.float32
        assert found["labels"].dtype == torch.int64 and found["labels"].tolist() == [
            label for label in found["labels"].tolist() if 1 <= label <= CLASSES
        ]
        assert count <= 20 and (found["scores"].diff() <= 0).all() and (found["scores"] > 0.3).all()
        boxes = found["boxes"]
        assert (boxes >= 0).all() and (boxes <= torch.tensor([width, height] * 2)).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()


@pytest.mark.parametrize("kind", ["pyramid", "single level"])
def test_nothing_found_is_an_ordinary_answer(kind: str):
    model = eager(kind)
    model.decoding = Detecting(score_threshold=1.0)
    sizes = [(48, 64), (33, 20)]
    for soft, dtype in ((False, torch.bool), (True, torch.float32)):
        answers = model.detect([image_of(*size) for size in sizes], sizes, soft=soft)
        for size, found in zip(sizes, answers, strict=True):
            assert found["boxes"].shape == (0, 4) and found["scores"].shape == found["labels"].shape == (0,)
            assert found["masks"].shape == (0, *size) and found["masks"].dtype == dtype


def test_no_proposal_at_all_is_an_ordinary_answer():
    """All boxes lie too far away: their part inside the image has no area."""
    model = eager()
    with torch.no_grad():
        model.rpn.head.deltas.bias.copy_(torch.tensor([1e6, 0, 0, 0]).repeat(3))
    (found,) = model([image_of(48, 64)])
    assert found["masks"].shape == (0, 48, 64)
    step(model, [image_of(48, 64)], [target_of(48, 64, *TWO)])
    step(model, [image_of(48, 64)], [target_of(48, 64)])


def test_answers_that_are_no_numbers_are_left_out():
    model = eager()
    with torch.no_grad():
        model.rpn.head.deltas.bias.fill_(float("nan"))
    (found,) = model([image_of(48, 64)])
    assert len(found["scores"]) == 0
    model = eager()
    with torch.no_grad():
        model.box_branch.head.deltas.bias.fill_(float("inf"))
    (found,) = model([image_of(48, 64)])
    assert found["boxes"].isfinite().all()


def test_an_image_in_a_batch_has_the_objects_it_has_alone():
    """Of one size, so that both are padded alike."""
    model = eager()
    images = [image_of(48, 64, seed) for seed in range(3)]
    with torch.no_grad():
        together = model(images)
        for image, found in zip(images, together, strict=True):
            (alone,) = model([image])
            assert len(found["scores"]) > 0 and torch.equal(found["labels"], alone["labels"])
            torch.testing.assert_close(found["boxes"], alone["boxes"], rtol=0, atol=1e-3)
            assert (found["masks"] != alone["masks"]).sum() <= 2


def test_boxes_and_masks_come_at_the_size_that_is_asked_for():
    model = eager()
    image = image_of(48, 64)
    (own,) = model.detect([image], [(48, 64)])
    (larger,) = model.detect([image], [(96, 192)])
    assert len(own["boxes"]) > 0 and larger["masks"].shape[1:] == (96, 192)
    torch.testing.assert_close(larger["boxes"], own["boxes"] * torch.tensor([3.0, 2, 3, 2]))
    shares = [found["masks"].float().mean(dim=(1, 2)) for found in (own, larger)]
    torch.testing.assert_close(*shares, rtol=0.2, atol=0.03)


def test_soft_masks_are_what_masks_are_cut_from():
    for pasting in ("sampled", "rounded"):
        model = eager(pasting=pasting)
        (hard,) = model.detect([image_of(48, 64)], [(48, 64)])
        (soft,) = model.detect([image_of(48, 64)], [(48, 64)], soft=True)
        assert soft["masks"].dtype == torch.float32 and soft["masks"].max() <= 1 and hard["masks"].any()
        assert torch.equal(soft["masks"] > 0.5, hard["masks"]) or pasting == "sampled"
        assert torch.equal(soft["masks"] >= 0.5, hard["masks"]) or pasting == "rounded"


def test_the_model_for_inference_finds_the_same():
    model = eager()
    quick = model.for_inference()
    assert not quick.training and not any(parameter.requires_grad for parameter in quick.parameters())
    with torch.no_grad():
        ours, theirs = model([image_of(48, 64)])[0], quick([image_of(48, 64)])[0]
    assert torch.equal(ours["labels"], theirs["labels"]) and len(ours["labels"]) > 0
    torch.testing.assert_close(ours["boxes"], theirs["boxes"], rtol=0, atol=1e-3)
    assert model.box_branch.head.category.weight.requires_grad, "the original goes on training"


@pytest.mark.parametrize("dtype", [torch.bfloat16])
def test_detecting_under_autocast(dtype: torch.dtype):
    with torch.no_grad(), torch.autocast("cpu", dtype):
        (found,) = eager()([image_of(48, 64)])
    assert found["boxes"].dtype == found["scores"].dtype == torch.float32
    assert len(found["scores"]) > 0 and found["masks"].any()


# Several processes


def share_of(rank: int) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    """The second process has no object at all."""
    return [image_of(48, 64, rank)], [target_of(48, 64, *(TWO if rank == 0 else ()))]


class Total(nn.Module):
    def __init__(self, model: MaskRCNN) -> None:
        super().__init__()
        self.model = model

    def forward(self, images, targets) -> Tensor:
        return sum(self.model(images, targets).values())


def one_process(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
    )
    try:
        total = DistributedDataParallel(Total(small_model().train()))
        torch.manual_seed(rank)
        total(*share_of(rank)).backward()
        gradients = {name: parameter.grad for name, parameter in total.module.model.named_parameters()}
        torch.save(gradients, f"{folder}/{rank}.pt")
    finally:
        torch.distributed.destroy_process_group()


def test_two_processes_of_which_one_has_no_object(tmp_path: Path):
    """Their gradients are the mean of both; without one for every weight the first would wait for ever."""
    torch.multiprocessing.start_processes(one_process, (str(tmp_path),), nprocs=2, start_method="spawn")
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    alone = []
    for rank in (0, 1):
        model = small_model()
        torch.manual_seed(rank)
        step(model, *share_of(rank))
        alone.append({name: parameter.grad for name, parameter in model.named_parameters()})
    assert first.keys() == alone[0].keys()
    for name, gradient in first.items():
        assert torch.equal(gradient, second[name])
        torch.testing.assert_close(gradient, (alone[0][name] + alone[1][name]) / 2, rtol=1e-3, atol=1e-6)
    assert first["mask_branch.head.up.weight"].any() and not alone[1]["mask_branch.head.up.weight"].any()
