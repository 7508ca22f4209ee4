"""From logits to objects: the official numbers, step by step and whole; and pictures with nothing in them."""

import copy
from pathlib import Path

import golden_solo
import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask
from scipy.optimize import linear_sum_assignment

from lessons import masks as mask_geometry
from lessons import resizing
from lessons.backbones import slim_pyramid
from lessons.data.images import to_tensor
from lessons.errors import DataError, LessonsError
from lessons.solo import decode, fast
from lessons.solo.decode import Decoding
from lessons.solo.heads import (
    DecoupledOutput,
    DecoupledSOLOHead,
    DecoupledSOLOLightHead,
    HeadOutput,
    SOLOHead,
)
from lessons.solo.model import SOLO

# Ours and the official code's soft masks differ by up to this, the official float32 and float64 ones too. A
# pixel so near to the threshold of 0.5 may be inside in one and outside in the other: a tie.
TIE = 3e-6
HEADS = [SOLOHead, DecoupledSOLOHead, DecoupledSOLOLightHead]


def recorded_masks(golden: dict[str, np.ndarray]) -> torch.Tensor:
    size = [int(side) for side in golden["rle_size"]]
    rles = [{"size": size, "counts": bytes(counts)} for counts in golden["rle_counts"]]
    return torch.from_numpy(np.array(coco_mask.decode(rles))).permute(2, 0, 1).bool()


def overlap(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """IoU of mask n of `a` with mask n of `b`; 1 where both are empty."""
    shared, either = (a & b).sum((1, 2)), (a | b).sum((1, 2))
    return torch.where(either > 0, shared / either, 1.0)


def assert_same_objects(ours: dict[str, torch.Tensor], reference: dict[str, torch.Tensor]) -> None:
    """Every object of one is one of the other: same label and mask, nearly the same score, in any order."""
    assert len(ours["scores"]) == len(reference["scores"])
    pixels = reference["masks"].sum((1, 2)) / 16  # no more than the pixels that scores were made from
    for number in range(len(reference["scores"])):
        allowed = 1e-4 + 0.5 / pixels[number].clamp(min=1)
        near = (ours["labels"] == reference["labels"][number]).nonzero().squeeze(1)
        near = near[(ours["scores"][near] - reference["scores"][number]).abs() < allowed]
        same = overlap(ours["masks"][near], reference["masks"][number].expand(len(near), -1, -1))
        assert (same > 0.999).any(), number


def places(ours: dict[str, torch.Tensor], reference: dict[str, torch.Tensor]) -> torch.Tensor:
    """Where the reference's objects stand among ours: those of nearly equal scores may be swapped."""
    unlike = 1 - mask_geometry.iou(reference["masks"], ours["masks"])  # (n, n)
    unlike += 1000.0 * (reference["labels"][:, None] != ours["labels"])
    unlike += 1000.0 * ((reference["scores"][:, None] - ours["scores"]).abs() > 1e-3)
    return torch.from_numpy(linear_sum_assignment(unlike.numpy())[1])


def scores_around_the_threshold(
    output: HeadOutput | DecoupledOutput, candidates: decode.Candidates
) -> tuple[torch.Tensor, torch.Tensor]:
    """The lowest and highest score of each object that `decode.plain` finds, whatever side of the threshold
    the pixels are taken to be that lie within `TIE` of it."""
    masks = decode.all_masks(output, 0)
    soft = torch.cat([level[candidates.of(number).cells] for number, level in enumerate(masks)])
    scores = torch.full((3, len(candidates)), torch.nan, dtype=soft.dtype)
    for row, threshold in zip(scores, (0.5, 0.5 - TIE, 0.5 + TIE), strict=True):
        ranked, order = decode.rank(candidates, *decode.measure(soft, threshold), decode.OFFICIAL)
        row[order] = decode.matrix_nms(soft[order] > threshold, ranked.labels, ranked.scores)
    _, kept = decode.keep(scores[0], decode.OFFICIAL)
    found = scores[:, kept].numpy()
    return np.nanmin(found, axis=0), np.nanmax(found, axis=0)


@pytest.fixture(scope="module", params=golden_solo.FAMILIES)
def whole_model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, SOLO]:
    return request.param, golden_solo.model(request.param, tmp_path_factory.mktemp("weights")).eval()


@pytest.mark.parametrize("kind", ["resize", "native"])
def test_pictures_become_the_official_masks(whole_model: tuple[str, SOLO], kind: str):
    family, model = whole_model
    golden = golden_solo.load(f"full_{family}_{kind}")
    picture = golden_solo.picture(*map(int, golden["params"]))
    long, short = map(int, golden["scale"])
    size = resizing.official_size(picture.shape[:2], short, long) if short else picture.shape[:2]
    image = to_tensor(resizing.resize_picture(picture, size))
    # The plain form in double precision: what is left is the recording's rounding, the same on every machine.
    exact = copy.deepcopy(model).double()
    with torch.no_grad():
        batch = model.prepare([image])
        assert golden_solo.difference(golden, "input", batch.tensor) < 1e-5
        bottom_up = exact.backbone.bottom_up(batch.tensor.double())
        features = list(exact.backbone.pyramid(bottom_up).values())
        output = exact.head(features)
        for name, tensors in {"backbone": bottom_up.values(), "fpn": features}.items():
            for level, tensor in enumerate(tensors):
                assert golden_solo.difference(golden, f"{name}/{level}", tensor) < 1e-5, (name, level)
        candidates = decode.find_candidates(output.categories, 0, 0.1)
        assert len(candidates) == golden["n_above_score_thr"]
        found = decode.plain(output, 0, batch.padded_size, batch.sizes[0], picture.shape[:2])
        (quick,) = fast.decode(
            model.head, fast.head_levels(model.backbone, batch.tensor), batch, [picture.shape[:2]]
        )

    official = {
        "labels": torch.from_numpy(golden["labels"]).long() + 1,
        "scores": torch.from_numpy(golden["scores"]),
        "masks": recorded_masks(golden),
    }
    order = places(found, official)
    assert torch.equal(found["labels"][order], official["labels"])
    lowest = highest = found["scores"].numpy()
    for other, at in ((official, order), (quick, places(found, quick))):
        scores = other["scores"].numpy()
        if np.abs(lowest[at] - scores).max() >= 1e-5:  # only because of ties
            lowest, highest = scores_around_the_threshold(output, candidates)
        assert (scores > lowest[at] - 1e-5).all() and (scores < highest[at] + 1e-5).all()
    masks = found["masks"][order]
    assert overlap(masks, official["masks"]).min() > 0.999
    assert (masks.sum((1, 2)) - torch.from_numpy(golden["areas"])).abs().max() <= 5
    assert_same_objects(quick, official)
    if kind == "native":
        (folded,) = model.for_inference().detect([image], [picture.shape[:2]])
        assert_same_objects(folded, official)


@pytest.mark.parametrize("family", golden_solo.FAMILIES)
def test_scores_and_masks_of_every_cell_are_the_official_ones(family: str):
    golden = golden_solo.load(f"head_{family}")
    height, width, seed, batch = map(int, golden["params"])
    with torch.no_grad():
        output = golden_solo.head(family)(golden_solo.features(height, width, seed, batch))
    size = output.mask_sizes[0]
    assert size == (height // 4, width // 4)
    for level, logits in enumerate(output.categories):
        scores = decode.point_nms(logits.sigmoid()).permute(0, 2, 3, 1)
        assert golden_solo.difference(golden, f"eval/cate/{level}", scores) < 1e-5
    if isinstance(output, DecoupledOutput):
        masks = {"ins_x": output.masks_x, "ins_y": output.masks_y}
    else:
        masks = {"ins": output.masks}
    for name, levels in masks.items():
        for level, logits in enumerate(levels):
            soft = torch.stack([decode.enlarge_to(one.sigmoid(), size) for one in logits])
            assert golden_solo.difference(golden, f"eval/{name}/{level}", soft) < 1e-5, (name, level)


def made_by_hand(decoupled: bool) -> HeadOutput | DecoupledOutput:
    """One 4 × 4 grid, 16 × 16 masks: the object of cell (1, 2) fills rows 4-11 and columns 6-13."""
    categories = torch.full((1, 2, 4, 4), -9.0)
    categories[0, 1, 1, 2] = 3.0
    rows, columns = torch.full((16, 1), -20.0), torch.full((1, 16), -20.0)
    rows[4:12], columns[:, 6:14] = 20.0, 20.0
    if decoupled:
        masks_x, masks_y = torch.full((2, 1, 4, 16, 16), -20.0)
        masks_x[0, 2], masks_y[0, 1] = columns.expand(16, 16), rows.expand(16, 16)
        return DecoupledOutput([categories], [masks_x], [masks_y])
    masks = torch.full((1, 16, 16, 16), -20.0)
    masks[0, 6] = torch.minimum(rows, columns)
    return HeadOutput([categories], [masks])


@pytest.mark.parametrize("decoupled", [False, True])
def test_one_object_by_hand(decoupled: bool):
    decoding = Decoding(smallest_areas=(8,))
    found = decode.plain(made_by_hand(decoupled), 0, (64, 64), (60, 64), (60, 64), decoding)
    assert found["labels"].tolist() == [2]
    assert found["scores"].item() == pytest.approx(torch.tensor(3.0).sigmoid().item(), abs=1e-5)
    assert found["boxes"].tolist() == [[24, 16, 56, 48]]
    assert found["masks"].shape == (1, 60, 64)
    assert found["masks"].sum() == 32 * 32 - 4, "bilinear rounds the corners off"
    larger = decode.plain(made_by_hand(decoupled), 0, (64, 64), (60, 64), (120, 128), decoding)
    assert larger["masks"].shape == (1, 120, 128)
    small = Decoding(smallest_areas=(64,))
    assert len(decode.plain(made_by_hand(decoupled), 0, (64, 64), (60, 64), (60, 64), small)["scores"]) == 0


def small_model(head: type) -> SOLO:
    torch.manual_seed(0)
    small_head = head(channels_in=16, channels=16, classes=3, grids=(8, 6, 4, 3, 2), convolutions=1)
    return SOLO(slim_pyramid(width=8, channels=16), small_head)


def eager_model(head: type) -> SOLO:
    """Finds something in every picture."""
    model = small_model(head)
    with torch.no_grad():
        for name, parameter in model.head.named_parameters():
            if name == "category.bias":
                parameter.zero_()
            elif name.startswith("masks") and name.endswith("bias"):
                parameter.fill_(1.0)
            elif name.endswith("weight") and parameter.ndim == 4:
                parameter.mul_(10)
    return model


def test_which_thresholds_belong_to_what_is_found():
    logits = torch.tensor([[[[0.0]], [[-1.0]]]])  # one cell, two classes
    threshold = logits.sigmoid()[0, 1].item()
    found = decode.find_candidates([logits], 0, threshold)
    assert found.labels.tolist() == [1], "a score must be above the threshold"
    scores, order = decode.keep(torch.tensor([0.05, 0.3, 0.04, float("nan")]), Decoding(keep_threshold=0.05))
    assert order.tolist() == [1, 0], "and at least the one after Matrix NMS"
    assert scores.tolist() == pytest.approx([0.3, 0.05])
    assert decode.keep(torch.tensor([0.1, 0.3, 0.2]), Decoding(max_detections=2))[1].tolist() == [1, 2]


def test_maskness_is_the_mean_over_the_mask_s_own_pixels():
    soft = torch.tensor([[[0.9, 0.7, 0.5, 0.1]], [[0.4, 0.3, 0.0, 0.5]]])
    area, maskness = decode.measure(soft)
    assert area.tolist() == [2, 0] and maskness.tolist() == pytest.approx([0.8, 0])


def test_the_best_large_enough_candidates_come_first():
    zeros = torch.zeros(4, dtype=torch.int64)
    candidates = decode.Candidates(
        torch.tensor([0, 0, 0, 1]), zeros, zeros, torch.tensor([0.5, 0.9, 0.8, 0.9])
    )
    area, maskness = torch.tensor([9.0, 9.0, 9.0, 16.0]), torch.tensor([1.0, 0.6, 0.9, 1.0])
    ranked, order = decode.rank(candidates, area, maskness, Decoding(smallest_areas=(8, 16)))
    assert order.tolist() == [2, 1, 0], "the last is no larger than its level asks for"
    assert ranked.scores.tolist() == pytest.approx([0.72, 0.54, 0.5])
    best = decode.rank(candidates, area, maskness, Decoding(smallest_areas=(8, 16), before_nms=2))
    assert best[1].tolist() == [2, 1]


@pytest.mark.parametrize("head", HEADS)
def test_nothing_found_is_an_ordinary_answer(head: type):
    model = small_model(head).eval()
    images = [torch.rand(3, 40, 70), torch.rand(3, 65, 33)]
    with torch.no_grad():
        answers = model(images)
    for image, found in zip(images, answers, strict=True):
        assert found["boxes"].shape == (0, 4) and found["scores"].shape == (0,)
        assert found["labels"].dtype == torch.int64 and found["masks"].dtype == torch.bool
        assert found["masks"].shape == (0, *image.shape[-2:])


@pytest.mark.parametrize("head", HEADS)
def test_predictions_keep_the_contract(head: type, tmp_path: Path):
    model = eager_model(head)
    picture = golden_solo.picture(50, 70, 1)
    Image.fromarray(picture).save(tmp_path / "picture.png")
    answers = [
        model.predict(given) for given in (tmp_path / "picture.png", Image.fromarray(picture), picture)
    ]
    for found in answers:
        assert 0 < len(found["scores"]) <= 100
        assert found["masks"].shape == (len(found["scores"]), 50, 70)
        assert found["boxes"].dtype == found["scores"].dtype == torch.float32
        assert (found["scores"].diff() <= 0).all() and (found["scores"] >= 0.05).all()
        assert found["labels"].min() >= 1 and found["labels"].max() <= 3
        assert all(torch.equal(found[name], answers[0][name]) for name in found)
    assert model.training, "predict leaves the model as it was"
    model.resize = (32, 64)
    assert model.predict(picture)["masks"].shape[1:] == (50, 70)


def test_what_is_no_picture_is_refused(tmp_path: Path):
    model = small_model(SOLOHead)
    with pytest.raises(DataError, match=r"missing\.png"):
        model.predict(tmp_path / "missing.png")
    for wrong in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), 7):
        with pytest.raises(LessonsError, match="give a path, a PIL image or a uint8"):
            model.predict(wrong)


def test_resizing_is_the_official_one_to_the_bit():
    golden = golden_solo.load("resized_image")
    picture = golden_solo.picture(*map(int, golden["params"]))
    long, short = map(int, golden["scale"])
    size = resizing.official_size(picture.shape[:2], short, long)
    assert np.array_equal(resizing.resize_picture(picture, size), golden["resized_rgb"])
    assert resizing.resize_picture(picture, picture.shape[:2]) is picture
    assert resizing.official_size((480, 640), 800, 1333) == (800, 1067)
    assert resizing.official_size((300, 1000), 800, 1333) == (400, 1333)


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (120, 7)])
def test_resizing_stays_within_the_colours(size: tuple[int, int]):
    flat = np.full((20, 30, 3), 137, np.uint8)
    assert (resizing.resize_picture(flat, size) == 137).all()


@pytest.mark.parametrize("head", HEADS)
def test_fast_and_plain_agree_on_a_batch_of_two_sizes(head: type):
    model = eager_model(head).eval()
    images = [to_tensor(golden_solo.picture(50, 70, 1)), to_tensor(golden_solo.picture(90, 40, 2))]
    sizes = [(50, 70), (45, 20)]
    with torch.no_grad():
        quick, plain = model.detect(images, sizes), model.detect(images, sizes, plainly=True)
    for one, other, size in zip(quick, plain, sizes, strict=True):
        assert len(one["scores"]) > 0 and one["masks"].shape[1:] == size
        assert_same_objects(one, other)
    for one, other in zip(model.for_inference().detect(images, sizes), plain, strict=True):
        assert_same_objects(one, other)
