"""Which cell is to find which object: the official answers, and what must hold for any objects."""

import zlib

import golden_solo
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lessons import boxes
from lessons.solo import targets
from lessons.solo.heads import GRIDS

SETS = range(5)
EVERY = ((0.0, 1e5),) * 5


def one_object(
    y1: int, x1: int, y2: int, x2: int, size: tuple[int, int] = (128, 128)
) -> dict[str, torch.Tensor]:
    masks = torch.zeros(1, *size, dtype=torch.bool)
    masks[:, y1:y2, x1:x2] = True
    return target_of(masks)


def target_of(masks: torch.Tensor, labels: list[int] | None = None) -> dict[str, torch.Tensor]:
    labels = torch.tensor(labels or [1] * len(masks), dtype=torch.int64)
    return {"boxes": boxes.from_masks(masks), "labels": labels, "masks": masks}


@pytest.mark.parametrize("number", SETS)
@pytest.mark.parametrize("family", golden_solo.FAMILIES)
def test_cells_and_masks_are_the_official_ones(family: str, number: int):
    golden = {
        key.removeprefix(f"set{number}/"): value
        for key, value in golden_solo.load(f"target_{family}").items()
        if key.startswith(f"set{number}/")
    }
    height, width, count, seed, *canvas = map(int, golden["params"])
    edge = golden["kind"] == "edge"
    objects = (
        golden_solo.edge_objects(height, width) if edge else golden_solo.objects(height, width, count, seed)
    )
    last_pixels = torch.from_numpy(golden["boxes"])  # counted to the last pixel, ours to one past it
    assert torch.equal(objects["boxes"], last_pixels + torch.tensor([0, 0, 1, 1]))

    sizes = [tuple(map(int, golden[f"level{level}/mask_shape"])) for level in range(5)]
    ranges = golden_solo.scale_ranges(family)
    for level, found in enumerate(targets.batch_targets([objects], tuple(canvas), GRIDS, sizes, ranges)):
        recorded = {
            name: golden[f"level{level}/{name}"] for name in ("cate", "cells", "mask_sum", "mask_crc")
        }
        assert np.array_equal(found.labels[0], recorded["cate"]), level
        assert np.array_equal(found.cells, recorded["cells"]), level
        assert np.array_equal(found.masks.sum((1, 2)), recorded["mask_sum"]), level
        crcs = [zlib.crc32(mask.numpy().astype(np.uint8).tobytes()) for mask in found.masks]
        assert np.array_equal(crcs, recorded["mask_crc"]), level


def test_a_centre_exactly_between_two_cells_belongs_to_the_later_one():
    assert 0.5 // (1 / 40) == 19, "what the plain floor division says"
    centre, canvas = torch.tensor([[160.0, 8.0]]), torch.tensor([320.0, 320.0])
    assert targets.cell_of(centre, canvas, 40).tolist() == [[20, 1]]


def test_a_centre_region_has_one_cell_beside_its_centre_at_most_and_ends_with_the_grid():
    centres, canvas = torch.tensor([[5.0, 95.0], [55.0, 45.0]]), torch.tensor([100.0, 100.0])
    first, last = targets.centre_cells(centres, torch.tensor([[40.0, 40.0], [3.0, 6.0]]), canvas, 10)
    assert first.tolist() == [[0, 8], [5, 3]] and last.tolist() == [[1, 9], [5, 5]]


def test_the_end_of_a_range_belongs_to_it():
    square = one_object(0, 0, 49, 49)  # from the first to the last pixel 48
    on_levels = [len(level.cells) > 0 for level in targets.assign(**square, canvas=(128, 128), grids=GRIDS)]
    assert on_levels == [True, True, False, False, False]


@pytest.mark.parametrize("thin", [(10, 10, 11, 60), (10, 10, 60, 11), (10, 10, 11, 11)])
def test_objects_one_pixel_thin_get_no_cell(thin: tuple[int, int, int, int]):
    for level in targets.assign(**one_object(*thin), canvas=(128, 128), grids=GRIDS):
        assert len(level.cells) == 0 and (level.labels == 0).all()


def test_the_centre_is_that_of_the_mask_and_may_lie_outside_it():
    masks = torch.zeros(1, 64, 64, dtype=torch.bool)
    masks[0, 8:40, 8:40] = True
    masks[0, 16:32, 16:32] = False
    masks[0, 8:40, 60:63] = False
    centres, filled = targets.centres_of_mass(masks)
    assert centres.tolist() == [[23.5, 23.5]] and filled.all()
    assert not masks[0, 23, 23]


def test_a_large_picture_s_centre_is_exact():
    masks = torch.ones(1, 2000, 3000, dtype=torch.bool)
    assert targets.centres_of_mass(masks)[0].tolist() == [[1499.5, 999.5]]


def test_the_later_of_two_objects_takes_a_shared_cell():
    masks = torch.zeros(2, 64, 64, dtype=torch.bool)
    masks[0, 10:30, 10:30], masks[1, 11:29, 11:29] = True, True
    level = targets.assign_level(targets.instances_of(**target_of(masks, [3, 7])), (64, 64), 4, (0, 100))
    assert level.labels.unique().tolist() == [0, 7] and set(level.instances.tolist()) == {1}


def test_an_object_without_a_pixel_is_left_out_and_no_object_is_no_error():
    empty = target_of(torch.zeros(1, 64, 64, dtype=torch.bool))
    none = target_of(torch.zeros(0, 64, 64, dtype=torch.bool))
    empty["boxes"] = torch.tensor([[3.0, 3.0, 20.0, 20.0]])
    for target in (empty, none):
        for level in targets.assign(**target, canvas=(64, 64), grids=GRIDS, scale_ranges=EVERY):
            assert len(level.cells) == len(level.instances) == 0 and not level.labels.any()


@st.composite
def scenes(draw) -> dict[str, torch.Tensor]:
    count = draw(st.integers(0, 4))
    masks = torch.zeros(count, 48, 64, dtype=torch.bool)
    for mask in masks:
        y, x = draw(st.integers(0, 47)), draw(st.integers(0, 63))
        mask[y : y + draw(st.integers(1, 48)), x : x + draw(st.integers(1, 64))] = True
    return target_of(masks, [draw(st.integers(1, 9)) for _ in range(count)])


@settings(max_examples=60, deadline=None)
@given(scenes(), st.integers(1, 40), st.floats(0.01, 1.5))
def test_what_holds_for_every_object(scene: dict[str, torch.Tensor], grid: int, sigma: float):
    instances = targets.instances_of(**scene)
    level = targets.assign_level(instances, (64, 64), grid, (0.0, 1e5), sigma)
    assert torch.equal(level.cells, level.labels.flatten().nonzero().squeeze(1))
    assert torch.equal(level.labels.flatten()[level.cells], scene["labels"][level.instances])
    for number in level.instances.unique().tolist():
        cells = level.cells[level.instances == number]
        rows, columns = cells // grid, cells % grid
        x, y = (instances.centres[number].double() / 64 * grid).tolist()
        assert len(cells) <= 9 and rows.max() - rows.min() <= 2 and columns.max() - columns.min() <= 2
        assert rows.min() - 1e-3 <= y <= rows.max() + 1.001 or len(scene["labels"]) > 1
        assert columns.min() - 1e-3 <= x <= columns.max() + 1.001 or len(scene["labels"]) > 1
    if len(scene["labels"]):
        assert level.instances.numel(), "the last object always has a cell"


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([2, 4, 8, 16]),
    st.integers(0, 99),
)
def test_subsampling_looks_at_the_four_middle_pixels(
    count: int, height: int, width: int, factor: int, seed: int
):
    masks = torch.rand(count, height, width, generator=torch.Generator().manual_seed(seed)) < 0.5
    padded = torch.zeros(count, 48, 48, dtype=torch.bool)
    padded[:, :height, :width] = masks
    small = targets.subsample(masks, factor, (48 // factor, 48 // factor))
    for i in range(48 // factor):
        for j in range(48 // factor):
            middle = slice(factor * i + factor // 2 - 1, factor * i + factor // 2 + 1)
            across = slice(factor * j + factor // 2 - 1, factor * j + factor // 2 + 1)
            assert torch.equal(small[:, i, j], padded[:, middle, across].sum((1, 2)) >= 2)


def test_a_batch_keeps_its_images_apart_and_crowds_are_background():
    first, empty = one_object(10, 10, 60, 60), target_of(torch.zeros(0, 32, 40, dtype=torch.bool))
    second = one_object(4, 8, 28, 30, size=(32, 40))
    crowd = {**first, "iscrowd": torch.ones(1, dtype=torch.int64)}
    sizes = [(32, 32), (32, 32), (16, 16), (8, 8), (8, 8)]
    levels = targets.batch_targets([first, empty, second, crowd], (128, 128), GRIDS, sizes)
    for number, level in enumerate(levels):
        assert level.labels.shape == (4, GRIDS[number], GRIDS[number])
        assert level.masks.shape == (len(level.cells), *sizes[number]) and level.masks.dtype == torch.bool
        assert set(level.images.tolist()) <= {0, 2}
        assert not level.labels[[1, 3]].any()
        where = level.labels.flatten(1)[level.images, level.cells]
        assert (where > 0).all() and (level.labels > 0).sum() == len(level.cells)
    alone = targets.batch_targets([second], (128, 128), GRIDS, sizes)[0]
    mine = levels[0].images == 2
    assert torch.equal(levels[0].masks[mine], alone.masks) and torch.equal(levels[0].cells[mine], alone.cells)


def test_targets_change_nothing_they_were_given():
    given_target = one_object(10, 10, 60, 60)
    before = {name: value.clone() for name, value in given_target.items()}
    targets.batch_targets([given_target], (128, 128), (8,), [(32, 32)], [(1, 100)])
    assert all(torch.equal(given_target[name], value) for name, value in before.items())
