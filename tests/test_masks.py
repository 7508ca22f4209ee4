"""Masks in their three spellings: pixels, indices, run lengths and polygons."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco_mask

from lessons import masks
from lessons.errors import LessonsError

stacks = array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=9).flatmap(
    lambda shape: arrays(bool, shape)
)


@given(stacks)
def test_run_lengths_there_and_back(array):
    some = torch.from_numpy(array)
    rles = json.loads(json.dumps(masks.encode_rle(some)))
    assert torch.equal(masks.decode_rle(rles, array.shape[1:]), some)
    assert all((coco_mask.decode(rle) == mask).all() for rle, mask in zip(rles, array, strict=True))


def test_long_run_lengths_there_and_back():
    some = torch.zeros(2, 900, 700, dtype=torch.bool)
    some[0, 100:800, 50:650] = True
    some[1] = torch.rand(900, 700, generator=torch.Generator().manual_seed(0)) < 0.3
    assert torch.equal(masks.decode_rle(masks.encode_rle(some), (900, 700)), some)


def test_uncompressed_run_lengths_go_down_the_columns():
    result = masks.decode_rle([{"size": [2, 3], "counts": [1, 2, 3]}], (2, 3))
    assert result.int().tolist() == [[[0, 1, 0], [1, 0, 0]]]


@pytest.mark.parametrize("shape", [(0, 4, 5)])
def test_no_masks(shape):
    nothing = torch.zeros(shape, dtype=torch.bool)
    assert masks.encode_rle(nothing) == []
    assert masks.decode_rle([], (4, 5)).shape == shape
    assert masks.area(nothing).shape == (0,)
    assert masks.iou(nothing, torch.ones(3, 4, 5, dtype=torch.bool)).shape == (0, 3)
    assert masks.resize(nothing, (8, 3)).shape == (0, 8, 3)


@pytest.mark.parametrize(
    "counts",
    [
        "",
        "9",
        "oooo",
        "zz",
        "\x01\x02",
        "é",
        [5, 5, 5],
        [-1, 7],
        [1.5, 4.5],
        6,
        None,
        "0" * 40,
        "o" * 30 + "0",
    ],
)
def test_damaged_run_lengths_are_refused(counts):
    with pytest.raises(LessonsError, match="encode"):
        masks.decode_rle([{"size": [2, 3], "counts": counts}], (2, 3))


def test_run_lengths_of_another_size_are_refused():
    with pytest.raises(LessonsError, match=r"\[3, 2\]"):
        masks.decode_rle([{"size": [3, 2], "counts": [6]}], (2, 3))


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), max_size=12))
def test_any_text_is_decoded_or_refused(text):
    try:
        result = masks.decode_rle([{"size": [5, 4], "counts": text}], (5, 4))
    except LessonsError:
        return
    assert result.shape == (1, 5, 4)


@given(arrays(np.uint8, (5, 7), elements=st.sampled_from([0, 1, 2, 9, 254, 255])))
def test_from_indices_takes_apart_and_loses_nothing(indices):
    before = indices.copy()
    ids, some = masks.from_indices(indices)
    assert ids.dtype == torch.int64 and some.shape == (len(ids), 5, 7)
    assert ids.tolist() == [n for n in np.unique(indices) if n not in (0, 255)]
    again = (some * ids[:, None, None]).sum(0).numpy()
    assert (again == np.where(indices == 255, 0, indices)).all()
    assert (indices == before).all()


def test_from_indices_void_can_be_an_ordinary_number():
    ids, _ = masks.from_indices(torch.tensor([[0, 3, 255]], dtype=torch.uint8), void=3)
    assert ids.tolist() == [255]


@given(stacks)
def test_iou_with_itself(array):
    some = torch.from_numpy(array)
    result = masks.iou(some, some)
    assert torch.equal(result, result.T)
    assert result.diagonal().tolist() == [float(mask.any()) for mask in some]
    assert ((result >= 0) & (result <= 1)).all()


def test_iou_and_area_count_pixels():
    a = torch.tensor([[[1, 1, 0], [0, 0, 0]]], dtype=torch.bool)
    b = torch.tensor([[[0, 1, 1], [0, 1, 0]], [[0, 0, 0], [0, 0, 1]]], dtype=torch.bool)
    assert masks.area(b).tolist() == [3, 1]
    assert masks.iou(a, b).tolist() == [[0.25, 0]]


@given(stacks, st.integers(1, 4), st.integers(1, 4))
def test_resize_up_and_back(array, up, across):
    some = torch.from_numpy(array)
    height, width = array.shape[1:]
    larger = masks.resize(some, (up * height, across * width))
    assert larger.dtype == torch.bool
    assert torch.equal(larger, some.repeat_interleave(up, 1).repeat_interleave(across, 2))
    assert torch.equal(masks.resize(larger, (height, width)), some)


def test_resize_keeps_neighbours_apart():
    left = torch.zeros(1, 7, 11, dtype=torch.bool)
    left[..., :5] = True
    assert not (masks.resize(left, (4, 6)) & masks.resize(~left, (4, 6))).any()


def test_polygon_of_whole_pixels_is_their_rectangle():
    mask = masks.from_polygons([[2, 1, 6, 1, 6, 4, 2, 4]], (6, 8))
    expected = torch.zeros(6, 8, dtype=torch.bool)
    expected[1:4, 2:6] = True
    assert torch.equal(mask, expected)


def test_polygons_are_united_and_cut_at_the_edge():
    mask = masks.from_polygons([[-5, -5, 2, -5, 2, 2, -5, 2], [6, 0, 20, 0, 20, 3, 6, 3]], (6, 8))
    assert mask[:2, :2].all() and mask[:3, 6:].all() and mask.sum() == 10


@pytest.mark.parametrize("polygons", [[], [[]], [[1, 1]], [[1, 1, 5, 5]]])
def test_polygon_without_three_corners_encloses_nothing(polygons):
    assert masks.from_polygons(polygons, (6, 8)).sum() == 0


def test_four_numbers_are_not_taken_for_a_box():
    """pycocotools takes [x, y, w, h] for a box if it comes first."""
    mask = masks.from_polygons([[1, 1, 5, 5], [0, 0, 3, 0, 3, 2, 0, 2]], (6, 8))
    assert mask.sum() == 6


@pytest.mark.parametrize(
    "polygon", [[1, 2, 3, 4, 5, 6, 7], ["a", 1, 2, 3, 4, 5], [[1, 2], [3, 4], [5, 6]], [0, 0, 1e9, 0, 5, 5],
                [float("nan"), 0, 1, 1, 2, 2], None, 5]
)  # fmt: skip
def test_malformed_polygons_are_refused(polygon):
    with pytest.raises(LessonsError, match="polygon"):
        masks.from_polygons([polygon], (6, 8))


@pytest.mark.parametrize("counts", [[2**63 - 1, 2**63 - 1, 602], [-1, 601], [601, -1]])
def test_run_lengths_that_overflow_or_are_negative_are_refused(counts):
    """Their sum in 64 bits is the image's 600 pixels; writing them out would leave the array."""
    with pytest.raises(LessonsError, match="negative or longer"):
        masks.decode_rle([{"size": [20, 30], "counts": counts}], (20, 30))
