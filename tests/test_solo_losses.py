"""SOLO's losses: the official numbers and gradients, and a batch without anything to find."""

import golden_solo
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lessons.solo import losses, targets
from lessons.solo.heads import GRIDS, DecoupledSOLOHead, DecoupledSOLOLightHead, HeadOutput, SOLOHead


@pytest.mark.parametrize("family", golden_solo.FAMILIES)
def test_losses_and_gradients_are_the_official_ones(family: str):
    golden = golden_solo.load(f"loss_{family}")
    height, width, seed = map(int, golden["params"])
    # In double precision: what is left is the recording's own rounding, on every machine the same.
    features = [
        level.double().requires_grad_() for level in golden_solo.features(height, width, seed, batch=2)
    ]
    objects = [golden_solo.objects(height, width, int(n), int(s)) for n, s in golden["gts"]]
    head = golden_solo.head(family).double()
    output = head(features)
    ranges = golden_solo.scale_ranges(family)
    levels = targets.batch_targets(objects, (height, width), GRIDS, output.mask_sizes, ranges)
    found = losses.solo_loss(output, levels)
    sum(found.values()).backward()

    assert found["loss_mask"].item() == pytest.approx(golden["loss_ins"].item(), abs=1e-5)
    assert found["loss_category"].item() == pytest.approx(golden["loss_cate"].item(), abs=1e-5)
    names = golden_solo.official_names(torch.nn.ModuleDict({"head": head}))
    gradients = {names[f"head.{name}"]: parameter.grad for name, parameter in head.named_parameters()}
    # NaN: the official code leaves levels without an object out, and they get no gradient; ours is 0.
    official = np.nan_to_num(golden["grad_norms"].astype(np.float64))
    norms = np.array([gradients[name].norm().item() for name in golden["grad_names"]])
    assert np.array_equal(norms == 0, official == 0)
    apart = np.abs(norms - official) / np.maximum(official, 1e-12)
    # The recording's own rounding, which opens or shuts a ReLU here and there: 1.3e-4 of a norm at most.
    assert apart.max() < 2e-4 and np.median(apart) < 1e-5, golden["grad_names"][apart.argmax()]
    total = torch.stack([gradient.norm() for gradient in gradients.values()]).norm().item()
    assert total == pytest.approx(golden["head_total_grad_norm"].item(), rel=1e-4)
    for level, feature in enumerate(features):
        assert golden_solo.difference(golden, f"feat_grad/{level}", feature.grad) < 1e-6


def test_focal_and_dice_loss_are_the_official_ones():
    golden = golden_solo.load("nms_loss_ops")
    logits = torch.from_numpy(golden["focal_logits"]).requires_grad_()
    focal = losses.focal_loss(logits, torch.from_numpy(golden["focal_targets"]).long())
    focal.sum().backward()
    assert np.abs(focal.detach().numpy() - golden["focal_loss"]).max() < 2e-6
    assert np.abs(logits.grad.numpy() - golden["focal_grad"]).max() < 1e-6
    dice = losses.dice_loss(torch.from_numpy(golden["dice_input"]), torch.from_numpy(golden["dice_target"]))
    assert np.abs(dice.numpy() - golden["dice_loss"]).max() < 1e-6


def test_dice_weighs_small_and_large_objects_alike():
    small, large = torch.zeros(1, 64, 64, dtype=torch.bool), torch.zeros(1, 64, 64, dtype=torch.bool)
    small[0, :4, :4], large[0, :40, :40] = True, True
    for right_part in (0.0, 0.5, 1.0):
        both = [losses.dice_loss(right_part * mask.float(), mask).item() for mask in (small, large)]
        assert both[0] == pytest.approx(both[1], abs=1e-3)
    assert losses.dice_loss(torch.zeros(1, 4, 4), torch.zeros(1, 4, 4)).item() == 1


def test_dice_of_no_mask_is_no_number():
    assert losses.dice_loss(torch.zeros(0, 4, 4), torch.zeros(0, 4, 4, dtype=torch.bool)).shape == (0,)


def test_focal_loss_without_focus_is_cross_entropy():
    logits, labels = torch.randn(4, 3, 2, 2, dtype=torch.float64), torch.randint(0, 4, (4, 2, 2))
    truth = F.one_hot(labels, 4)[..., 1:].movedim(-1, 1).double()
    expected = F.binary_cross_entropy_with_logits(logits, truth, reduction="none") / 2
    assert torch.allclose(losses.focal_loss(logits, labels, alpha=0.5, gamma=0), expected)


def test_focal_loss_stays_finite_for_sure_answers():
    logits = torch.tensor([[200.0, -200.0]]).requires_grad_()
    loss = losses.focal_loss(logits, torch.tensor([2]))
    loss.sum().backward()
    assert loss.tolist() == [[150.0, 50.0]] and logits.grad.isfinite().all()


@pytest.mark.parametrize("head", [SOLOHead, DecoupledSOLOHead, DecoupledSOLOLightHead])
def test_without_a_positive_cell_every_parameter_still_has_a_gradient(head: type):
    built = head(channels_in=8, channels=8, classes=3, grids=(4, 4, 3, 2, 1), convolutions=1)
    output = built([torch.randn(2, 8, 64 // s, 64 // s) for s in (4, 8, 16, 32, 64)])
    nothing = {
        "boxes": torch.zeros(0, 4),
        "labels": torch.zeros(0, dtype=torch.int64),
        "masks": torch.zeros(0, 64, 64, dtype=torch.bool),
    }
    levels = targets.batch_targets([nothing] * 2, (64, 64), built.grids, output.mask_sizes)
    found = losses.solo_loss(output, levels)
    assert found["loss_mask"].item() == 0 and found["loss_category"].item() > 0
    sum(found.values()).backward()
    for name, parameter in built.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert (parameter.grad.abs().sum() > 0) == ("category" in name), name


def test_a_better_answer_costs_less():
    target = targets.LevelTarget(
        labels=torch.tensor([[[0, 2], [0, 0]]]),
        images=torch.tensor([0]),
        cells=torch.tensor([1]),
        masks=torch.eye(6, dtype=torch.bool)[None],
    )
    right = 10 * (F.one_hot(target.labels, 3)[..., 1:].movedim(-1, 1).float() - 0.5)
    masks = torch.zeros(1, 4, 6, 6)
    masks[0, 1] = 20 * (target.masks[0].float() - 0.5)
    good = losses.solo_loss(HeadOutput([right], [masks]), [target])
    bad = losses.solo_loss(HeadOutput([-right], [-masks]), [target])
    assert good["loss_mask"] < 0.01 < 2.9 < bad["loss_mask"]
    assert good["loss_category"] < 0.01 < 1 < bad["loss_category"]
