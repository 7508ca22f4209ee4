"""Transforms: geometry that agrees with itself, inputs that stay as they were, and a way back."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lessons import boxes as box_geometry
from lessons.data import transforms as tr
from lessons.errors import LessonsError

GOLDEN = np.load(Path(__file__).parent / "golden" / "resize_and_pad.npz")

sides = st.integers(1, 40)
sizes = st.tuples(sides, sides)
few = settings(max_examples=40, deadline=None)


def sample(size=(20, 30), objects=3, seed=0):
    """A random image and a VOC target of it; each mask is one rectangle, its box the one around it."""
    rng = torch.Generator().manual_seed(seed)
    height, width = size
    image = torch.rand(3, height, width, generator=rng)
    masks = torch.zeros(objects, height, width, dtype=torch.bool)
    for mask in masks:
        y, x = (int(torch.randint(side, (), generator=rng)) for side in size)
        mask[y : y + height // 2 + 1, x : x + width // 2 + 1] = True
    boxes = box_geometry.from_masks(masks)
    target = {
        "boxes": boxes,
        "labels": torch.arange(1, objects + 1),
        "masks": masks,
        "image_id": 7,
        "area": masks.flatten(1).sum(1).float(),
        "iscrowd": torch.zeros(objects, dtype=torch.int64),
        "boxes_xml": boxes + 0.5,
        "ignore": torch.rand(height, width, generator=rng) > 0.8,
        "difficult": torch.zeros(objects, dtype=torch.bool),
        "note": {"nested": [torch.ones(2)]},
    }
    return image, target


def same(a, b):
    """Deep equality of tensors, dicts, lists and plain values; dtypes count."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


TRANSFORMS = [
    tr.Resize(37, 64),
    tr.Resize(20, 30),  # the size it has already
    tr.Resize(7, 9, antialias=False),
    tr.RandomHorizontalFlip(1.0),
    tr.RandomHorizontalFlip(0.0),
    tr.Normalise(),
    tr.PadToMultiple(32),
    tr.PadToMultiple(5),
    tr.Compose([tr.RandomHorizontalFlip(1.0), tr.Resize(33, 50), tr.Normalise(), tr.PadToMultiple(16)]),
]


@pytest.mark.parametrize("objects", [0, 3])
@pytest.mark.parametrize("transform", TRANSFORMS, ids=repr)
def test_the_input_stays_as_it_was_and_the_output_is_a_whole_target(transform, objects):
    image, target = sample(objects=objects)
    image_before, target_before = image.clone(), copy.deepcopy(target)

    new_image, new_target = transform(image, target)

    assert same(image, image_before)
    assert same(target, target_before)
    assert new_target is not target
    size = tuple(new_image.shape[1:])
    assert new_target.keys() == target.keys()
    assert new_image.dtype == torch.float32
    assert new_target["boxes"].shape == (objects, 4) and new_target["boxes"].dtype == torch.float32
    assert new_target["boxes_xml"].shape == (objects, 4)
    assert new_target["masks"].shape == (objects, *size) and new_target["masks"].dtype == torch.bool
    assert new_target["ignore"].shape == size and new_target["ignore"].dtype == torch.bool
    assert same(new_target["area"], new_target["masks"].flatten(1).sum(1).float())
    for key in ("labels", "iscrowd", "difficult", "image_id", "note"):
        assert same(new_target[key], target[key])


def test_the_same_cached_sample_gives_the_same_result_in_the_second_epoch():
    image, target = sample()
    first = tr.Resize(50, 80)(image, target)
    assert same(first, tr.Resize(50, 80)(image, target))


# ------------------------------------------------------------------------------------------------- size


@pytest.mark.parametrize("short", [800, 640, 256])
def test_scaled_size_is_detectron2s(short):
    ours = [tr.scaled_size((int(h), int(w)), short, 1333) for h, w in GOLDEN["resize.in"]]
    assert ours == [tuple(size) for size in GOLDEN[f"resize.{short}"].tolist()]


@few
@given(st.tuples(st.integers(1, 3000), st.integers(1, 3000)), st.integers(1, 900), st.integers(1, 1400))
def test_scaled_size_keeps_the_ratio_within_both_limits(size, short, long):
    new = tr.scaled_size(size, short, long)
    assert min(new) <= max(short, 1) and max(new) <= long and min(new) >= 1
    assert min(new) == short or max(new) == long
    factor = min(short / min(size), long / max(size))
    for old_side, new_side in zip(size, new, strict=True):
        assert new_side == 1 or abs(new_side - old_side * factor) <= 0.5 + 1e-6


def test_scaled_size_of_a_thread_is_at_least_one_pixel_wide():
    assert tr.scaled_size((1, 5000), 800, 1333) == (1, 1333)


def test_an_exact_half_falls_to_detectron2s_side():
    # 255 · 1333 / 1462 = 232.5, which detectron2's two divisions leave just under the half.
    assert tr.scaled_size((255, 1462), 800, 1333) == (232, 1333)


@pytest.mark.parametrize("arguments", [((0, 5), 800, 1333), ((5, 5), 0, 1333), ((5, 5), 800, -1)])
def test_scaled_size_refuses_what_is_not_positive(arguments):
    with pytest.raises(LessonsError, match="must be positive"):
        tr.scaled_size(*arguments)


# ----------------------------------------------------------------------------------------------- resize


def test_boxes_scale_by_the_rounded_sizes_each_axis_on_its_own():
    image, target = sample((427, 640), 0)
    target["boxes"] = torch.tensor([[0.0, 0.0, 640.0, 427.0], [64.0, 42.7, 320.0, 213.5]])
    target["masks"] = torch.zeros(2, 427, 640, dtype=torch.bool)
    _, new = tr.resize(image, target, 800, 1333)  # 1199 × 800; 1199.06 would leave the picture
    expected = torch.tensor([[0, 0, 1199, 800], [119.9, 80, 599.5, 400]])
    assert torch.allclose(new["boxes"], expected, atol=1e-3)


def test_a_target_without_masks_has_its_area_scaled():
    image, _ = sample((10, 20), 0)
    target = {"boxes": torch.tensor([[0.0, 0.0, 4.0, 5.0]]), "area": torch.tensor([20.0])}
    _, new = tr.resize(image, target, 20, 100)
    assert new["area"].tolist() == [80.0] and new["boxes"].tolist() == [[0, 0, 8, 10]]


@pytest.mark.parametrize("antialias", [True, False])
def test_a_one_pixel_image_can_be_resized(antialias):
    image, target = sample((1, 1), 1)
    new_image, new = tr.resize(image, target, 64, 100, antialias=antialias)
    assert torch.allclose(new_image, image.expand(3, 64, 64))
    assert new["masks"].all() and new["area"].tolist() == [64 * 64]
    assert new["boxes"].tolist() == [[0, 0, 64, 64]]


def test_antialias_averages_and_its_absence_drops_pixels():
    stripes = torch.zeros(3, 8, 8)
    stripes[:, :, ::4] = 1  # one column of four is white
    averaged, _ = tr.resize(stripes, {}, 2, 2)
    dropped, _ = tr.resize(stripes, {}, 2, 2, antialias=False)
    assert (averaged > 0.1).all()
    assert (dropped == 0).all()


def test_whole_number_enlargement_keeps_boxes_tight_around_their_masks():
    image, target = sample((20, 30), 4)
    _, new = tr.resize(image, target, 60, 90)
    assert torch.equal(new["boxes"], box_geometry.from_masks(new["masks"]))


@few
@given(sizes, st.integers(1, 60), st.integers(1, 90), st.integers(0, 99))
def test_boxes_come_back_from_a_resize(size, short, long, seed):
    image, target = sample(size, 2, seed)
    new_image, new = tr.resize(image, target, short, long)
    back = tr.restore({"boxes": new["boxes"]}, tuple(new_image.shape[1:]), size)
    assert torch.allclose(back["boxes"], target["boxes"], atol=1e-3)


@few
@given(sizes, st.integers(1, 4), st.integers(0, 99))
def test_masks_come_back_from_an_enlargement(size, factor, seed):
    image, target = sample(size, 2, seed)
    new_image, new = tr.resize(image, target, min(size) * factor, max(size) * factor)
    padded_image, padded = tr.pad_to_multiple(new_image, new, 32)
    back = tr.restore(padded, tuple(new_image.shape[1:]), size)
    assert padded_image.shape[1] % 32 == padded_image.shape[2] % 32 == 0
    assert torch.equal(back["masks"], target["masks"])


# ------------------------------------------------------------------------------------------------- flip


@few
@given(sizes, st.integers(0, 3), st.integers(0, 99))
def test_two_flips_are_none(size, objects, seed):
    image, target = sample(size, objects, seed)
    assert same(tr.horizontal_flip(*tr.horizontal_flip(image, target)), (image, target))


@few
@given(sizes, st.integers(0, 99))
def test_a_flipped_box_is_the_box_of_the_flipped_mask(size, seed):
    _, new = tr.horizontal_flip(*sample(size, 3, seed))
    assert torch.equal(new["boxes"], box_geometry.from_masks(new["masks"]))
    assert torch.equal(new["boxes_xml"], new["boxes"] + torch.tensor([-0.5, 0.5, -0.5, 0.5]))


def test_a_one_pixel_object_survives_the_flip():
    image, target = sample((4, 6), 1)
    target["masks"] = torch.zeros(1, 4, 6, dtype=torch.bool)
    target["masks"][0, 2, 0] = True
    target["boxes"] = torch.tensor([[0.0, 2.0, 1.0, 3.0]])
    _, new = tr.horizontal_flip(image, target)
    assert new["masks"].sum() == 1 and new["masks"][0, 2, 5]
    assert new["boxes"].tolist() == [[5, 2, 6, 3]]


def test_the_random_flip_repeats_with_its_generator_and_keeps_its_probability():
    image, target = sample()

    def flips(seed):
        flip = tr.RandomHorizontalFlip(0.3, torch.Generator().manual_seed(seed))
        return [not torch.equal(flip(image, target)[0], image) for _ in range(400)]

    assert flips(1) == flips(1) != flips(2)
    assert 0.2 < sum(flips(1)) / 400 < 0.4


@pytest.mark.parametrize("probability", [-0.1, 1.1])
def test_a_probability_outside_0_to_1_is_refused(probability):
    with pytest.raises(LessonsError, match="probability"):
        tr.RandomHorizontalFlip(probability)


# ------------------------------------------------------------------------------------- normalise and pad


@few
@given(sizes, st.integers(0, 99))
def test_denormalise_undoes_normalise(size, seed):
    image, _ = sample(size, 0, seed)
    assert torch.allclose(tr.denormalise(tr.normalise(image)), image, atol=1e-6)


def test_normalise_works_on_each_channel_of_one_image_or_a_batch():
    image = torch.tensor(tr.IMAGENET_MEAN)[:, None, None] + torch.tensor(tr.IMAGENET_STD)[:, None, None]
    assert torch.allclose(tr.normalise(image), torch.ones(3, 1, 1))
    assert torch.allclose(tr.normalise(image.expand(2, 3, 4, 5)), torch.ones(2, 3, 4, 5))


def test_normalise_refuses_wrong_numbers():
    image = torch.rand(3, 2, 2)
    with pytest.raises(LessonsError, match="mean"):
        tr.normalise(image, mean=(0.5,))
    with pytest.raises(LessonsError, match="std"):
        tr.normalise(image, std=(0.5, 0.0, 0.5))
    with pytest.raises(LessonsError, match="to_tensor"):
        tr.normalise((image * 255).to(torch.uint8))


@few
@given(sizes, st.integers(1, 40), st.integers(0, 99))
def test_padding_is_zero_smallest_and_cut_off_again(size, multiple, seed):
    image, target = sample(size, 2, seed)
    padded, new = tr.pad_to_multiple(image, target, multiple)
    height, width = size
    for side, new_side in zip(size, padded.shape[1:], strict=True):
        assert new_side % multiple == 0 and 0 <= new_side - side < multiple
    assert torch.equal(padded[:, :height, :width], image)
    assert padded.sum(dtype=torch.float64) == pytest.approx(image.sum(dtype=torch.float64).item())
    assert torch.equal(new["masks"][:, :height, :width], target["masks"])
    assert torch.equal(new["area"], new["masks"].flatten(1).sum(1).float())
    assert torch.equal(new["boxes"], target["boxes"])


def test_a_multiple_below_one_is_refused():
    with pytest.raises(LessonsError, match="multiple"):
        tr.pad_to_multiple(*sample(), 0)


# --------------------------------------------------------------------------------------------- way back


def test_restore_scales_clips_and_keeps_the_rest():
    masks = torch.zeros(1, 64, 96, dtype=torch.bool)  # padded from 40 × 80
    masks[0, 10:20, 20:40] = True
    masks[0, 50:, :] = True  # in the padding: no part of the picture
    prediction = {"boxes": torch.tensor([[-5.0, 10.0, 96.0, 64.0]]), "masks": masks, "scores": torch.ones(1)}
    before = copy.deepcopy(prediction)

    restored = tr.restore(prediction, (40, 80), (20, 40))

    assert same(prediction, before)
    assert restored["boxes"].tolist() == [[0, 5, 40, 20]]
    assert restored["masks"].shape == (1, 20, 40)
    assert box_geometry.from_masks(restored["masks"]).tolist() == [[10, 5, 20, 10]]
    assert torch.equal(restored["scores"], prediction["scores"])


def test_restore_of_nothing_found():
    prediction = {"boxes": torch.zeros(0, 4), "masks": torch.zeros(0, 64, 64, dtype=torch.bool)}
    restored = tr.restore(prediction, (50, 60), (500, 600))
    assert restored["boxes"].shape == (0, 4) and restored["masks"].shape == (0, 500, 600)


def test_restore_refuses_soft_and_small_masks():
    boxes = torch.zeros(1, 4)
    with pytest.raises(LessonsError, match="threshold"):
        tr.restore({"boxes": boxes, "masks": torch.rand(1, 8, 8)}, (8, 8), (4, 4))
    with pytest.raises(LessonsError, match="network_size"):
        tr.restore({"boxes": boxes, "masks": torch.rand(1, 8, 8) > 0.5}, (9, 8), (4, 4))


# ------------------------------------------------------------------------------------------- bad input


def geometry_calls():
    return [
        lambda image, target: tr.resize(image, target, 10, 20),
        tr.horizontal_flip,
        tr.pad_to_multiple,
    ]


@pytest.mark.parametrize("call", geometry_calls(), ids=["resize", "flip", "pad"])
def test_an_image_that_is_none_and_a_target_of_another_image_are_refused(call):
    image, target = sample()
    with pytest.raises(LessonsError, match="to_tensor"):
        call((image * 255).to(torch.uint8), target)
    with pytest.raises(LessonsError, match="to_tensor"):
        call(image[0], target)
    with pytest.raises(LessonsError, match="'masks'"):
        call(image, {**target, "masks": target["masks"][:, 1:]})
    with pytest.raises(LessonsError, match="'ignore'"):
        call(image, {**target, "ignore": target["ignore"][:, 1:]})
