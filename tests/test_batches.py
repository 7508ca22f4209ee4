"""Batches of different sizes: nothing is lost in the padding, and nothing in the grouping."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lessons.data.batches import AspectRatioBatchSampler, collate, pad_batch, padding_waste
from lessons.errors import LessonsError

GOLDEN = np.load(Path(__file__).parent / "golden" / "resize_and_pad.npz")
few = settings(max_examples=40, deadline=None)
sides = st.integers(1, 50)


def images_of(sizes):
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(3, h, w, generator=generator) + 1 for h, w in sizes]  # nowhere zero


# ------------------------------------------------------------------------------------------------ padding


@few
@given(st.lists(st.tuples(sides, sides), min_size=1, max_size=4), st.integers(1, 40))
def test_every_image_comes_back_and_the_padding_is_zero(sizes, multiple):
    images = images_of(sizes)
    batch = pad_batch(images, multiple)
    height, width = batch.padded_size
    assert len(batch) == len(images) and batch.sizes == sizes
    assert batch.tensor.shape == (len(images), 3, height, width)
    assert height % multiple == width % multiple == 0
    assert height - max(h for h, _ in sizes) < multiple and width - max(w for _, w in sizes) < multiple
    for index, (image, (h, w)) in enumerate(zip(images, sizes, strict=True)):
        assert torch.equal(batch.image(index), image)
        assert (batch.tensor[index] != 0).sum() == 3 * h * w


def test_the_padded_size_is_detectron2s():
    batch = pad_batch(images_of(GOLDEN["pad.sizes"].tolist()))
    assert tuple(batch.tensor.shape) == tuple(GOLDEN["pad.shape"].tolist())


def test_the_lesson_s_two_images_give_800_by_1344():
    images = [torch.zeros(3, 800, 1333), torch.zeros(3, 704, 1216)]
    assert pad_batch(images).tensor.shape == (2, 3, 800, 1344)


def test_the_batch_is_a_copy():
    image = torch.ones(3, 32, 32)
    pad_batch([image]).tensor.zero_()
    assert image.sum() == 3 * 32 * 32


def test_a_batch_keeps_its_dtype_and_moves_with_its_sizes():
    batch = pad_batch([torch.ones(3, 5, 6, dtype=torch.float64)])
    moved = batch.to("meta")
    assert batch.tensor.dtype == torch.float64
    assert moved.tensor.device.type == "meta" and moved.sizes == [(5, 6)]
    assert batch.tensor.device.type == "cpu"


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ([], "at least one"),
        ([torch.ones(3, 4, 4), torch.ones(4, 4)], "Image 1 has the shape"),
        ([torch.ones(1, 4, 4)], "Image 0 has the shape"),
        ([torch.ones(3, 4, 4), torch.ones(3, 0, 4)], "Image 1 has the shape"),
        ([torch.ones(3, 4, 4), torch.ones(3, 4, 4, dtype=torch.uint8)], "Image 1 is torch.uint8"),
        ([torch.ones(3, 4, 4), torch.ones(3, 4, 4).double()], "Image 1 is torch.float64"),
        ([np.ones((3, 4, 4))], "Image 0 is ndarray"),
    ],
)
def test_what_cannot_be_batched_is_named_by_its_index(images, words):
    with pytest.raises(LessonsError, match=words):
        pad_batch(images)


def test_a_multiple_below_one_is_refused():
    with pytest.raises(LessonsError, match="multiple"):
        pad_batch([torch.ones(3, 4, 4)], 0)


def test_collate_stacks_nothing():
    samples = [(torch.ones(3, 4, 5), {"image_id": 1}), (torch.ones(3, 6, 7), {"image_id": 2})]
    images, targets = collate(samples)
    assert images[1] is samples[1][0] and targets == [{"image_id": 1}, {"image_id": 2}]


# ----------------------------------------------------------------------------------------------- grouping

RATIOS = [0.75, 1.5, 0.6, 1.0, 0.75, 0.99, 1.33, 0.5, 0.7, 2.0, 0.8]  # 7 wide, 4 tall or square


def epochs(seed, count=3, **options):
    generator = torch.Generator().manual_seed(seed)
    sampler = AspectRatioBatchSampler(RATIOS, 3, generator=generator, **options)
    return [list(sampler) for _ in range(count)]


@few
@given(
    st.lists(st.floats(0.1, 10), max_size=40),
    st.integers(1, 7),
    st.booleans(),
    st.booleans(),
    st.integers(0, 9),
)
def test_an_epoch_has_every_index_once_in_batches_of_one_kind(ratios, batch_size, shuffle, drop_last, seed):
    generator = torch.Generator().manual_seed(seed)
    sampler = AspectRatioBatchSampler(ratios, batch_size, shuffle, generator, drop_last)
    batches = list(sampler)
    assert len(sampler) == len(batches)
    seen = [index for batch in batches for index in batch]
    assert len(seen) == len(set(seen))
    for batch in batches:
        assert 1 <= len(batch) <= batch_size
        assert len({ratios[index] >= 1 for index in batch}) == 1
    if drop_last:
        assert all(len(batch) == batch_size for batch in batches)
        assert len(ratios) - len(seen) <= 2 * (batch_size - 1)
    else:
        assert sorted(seen) == list(range(len(ratios)))


def test_epochs_repeat_with_the_seed_and_differ_from_each_other():
    assert epochs(1) == epochs(1)
    assert epochs(1) != epochs(2)
    first, second, third = epochs(1)
    assert first != second != third != first
    as_sets = [{frozenset(batch) for batch in epoch} for epoch in (first, second, third)]
    assert as_sets[0] != as_sets[1]  # other companions, not only another order


def test_wide_and_tall_batches_take_turns_by_chance():
    kinds = {tuple(RATIOS[batch[0]] >= 1 for batch in epoch) for epoch in epochs(0, count=40)}
    assert len(kinds) == 10  # all orders of 3 wide and 2 tall batches


def test_the_global_seed_is_used_without_a_generator():
    sampler = AspectRatioBatchSampler(RATIOS, 3)
    torch.manual_seed(5)
    first = list(sampler)
    torch.manual_seed(5)
    assert list(sampler) == first


def test_without_shuffle_the_data_set_s_order_stays():
    assert epochs(0, 1, shuffle=False) == [[[0, 2, 4], [1, 3, 6], [5, 7, 8], [9], [10]]]
    assert epochs(0, 1, shuffle=False, drop_last=True) == [[[0, 2, 4], [1, 3, 6], [5, 7, 8]]]


def test_a_data_loader_takes_the_sampler():
    data = [(torch.ones(3, 4, 5), {"image_id": index}) for index in range(len(RATIOS))]
    sampler = AspectRatioBatchSampler(RATIOS, 4)
    loader = torch.utils.data.DataLoader(data, batch_sampler=sampler, collate_fn=collate)
    ids = [target["image_id"] for _, targets in loader for target in targets]
    assert len(loader) == len(sampler) == 3 and sorted(ids) == list(range(11))


@pytest.mark.parametrize("ratio", [0.0, -1.0, float("nan")])
def test_a_ratio_that_is_none_is_named_by_its_index(ratio):
    with pytest.raises(LessonsError, match=r"aspect_ratios\[1\]"):
        AspectRatioBatchSampler([1.0, ratio], 2)


def test_a_batch_size_below_one_is_refused():
    with pytest.raises(LessonsError, match="batch_size"):
        AspectRatioBatchSampler([1.0], 0)


# -------------------------------------------------------------------------------------------------- waste


def test_padding_waste_by_hand():
    sizes = [(32, 64), (64, 32), (32, 64)]
    assert padding_waste(sizes, [[0, 1]]) == 0.5  # two half-filled squares
    assert padding_waste(sizes, [[0, 2], [1]]) == 0.0
    assert padding_waste([(16, 32)], [[0]]) == 0.5  # the multiple pads too
    assert padding_waste([(16, 32)], [[0]], multiple=1) == 0.0
    assert padding_waste(sizes, []) == 0.0


def test_grouping_wastes_less_than_chance():
    sizes = [(375, 500), (500, 375)] * 20
    ratios = [h / w for h, w in sizes]
    grouped = AspectRatioBatchSampler(ratios, 4, generator=torch.Generator().manual_seed(0))
    mixed = torch.randperm(40, generator=torch.Generator().manual_seed(0)).split(4)
    assert padding_waste(sizes, grouped) < 0.1 < padding_waste(sizes, [b.tolist() for b in mixed])


def test_batches_and_waste_agree_with_pad_batch():
    sizes = [(33, 20), (50, 65), (7, 7)]
    batch = pad_batch(images_of(sizes))
    filled = sum(h * w for h, w in sizes) / (3 * batch.padded_size[0] * batch.padded_size[1])
    assert padding_waste(sizes, [[0, 1, 2]]) == pytest.approx(1 - filled)
