"""Boxes: half-open pixels, and what follows from that."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.ops import box_iou, masks_to_boxes

from lessons import boxes

SIDE = 12
corners = st.tuples(*[st.integers(0, SIDE)] * 4)


def ordered(numbers: tuple[int, int, int, int]) -> list[int]:
    (x1, x2), (y1, y2) = sorted(numbers[::2]), sorted(numbers[1::2])
    return [x1, y1, x2, y2]


box_lists = st.lists(corners.map(ordered), min_size=0, max_size=5).map(
    lambda rows: torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)
)


def drawn(box: torch.Tensor) -> torch.Tensor:
    """The pixels of an integer box, counted one by one."""
    canvas = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    x1, y1, x2, y2 = box.int().tolist()
    canvas[y1:y2, x1:x2] = True
    return canvas


@given(box_lists, box_lists)
def test_iou_counts_pixels(a, b):
    result = boxes.iou(a, b)
    assert result.shape == (len(a), len(b))
    for i, first in enumerate(a):
        for j, second in enumerate(b):
            both, either = drawn(first) & drawn(second), drawn(first) | drawn(second)
            expected = both.sum() / either.sum() if either.any() else 0
            assert result[i, j] == pytest.approx(float(expected), abs=1e-6)


@given(box_lists, box_lists)
def test_iou_is_symmetric_and_between_0_and_1(a, b):
    result = boxes.iou(a, b)
    assert torch.equal(result, boxes.iou(b, a).T)
    assert ((result >= 0) & (result <= 1)).all()


def test_iou_and_area_agree_with_torchvision():
    generator = torch.Generator().manual_seed(0)
    top_left = torch.rand(30, 2, generator=generator) * 100
    some = torch.cat([top_left, top_left + torch.rand(30, 2, generator=generator) * 50], dim=1)
    torch.testing.assert_close(boxes.iou(some[:10], some[10:]), box_iou(some[:10], some[10:]))


def test_box_turned_inside_out_has_no_area():
    assert boxes.area(torch.tensor([[5.0, 5, 2, 2], [5, 2, 2, 9], [1, 1, 3, 4]])).tolist() == [0, 0, 6]


@given(st.lists(corners.map(ordered), min_size=1, max_size=4))
def test_from_masks_is_tight(rows):
    rows = [row for row in rows if row[2] > row[0] and row[3] > row[1]] or [[2, 3, 5, 4]]
    expected = torch.tensor(rows, dtype=torch.float32)
    masks = torch.stack([drawn(box) for box in expected])
    masks &= ~torch.eye(SIDE, dtype=torch.bool)  # holes and ragged edges: tight means around what is left
    result = boxes.from_masks(masks)
    for box, mask in zip(result, masks, strict=True):
        x1, y1, x2, y2 = box.int().tolist()
        if not mask.any():
            assert box.tolist() == [0, 0, 0, 0]
            continue
        assert mask[y1:y2, x1:x2].sum() == mask.sum()  # nothing outside
        assert mask[y1].any() and mask[y2 - 1].any() and mask[:, x1].any() and mask[:, x2 - 1].any()


def test_from_masks_of_one_pixel_is_one_wide_and_torchvisions_is_not():
    masks = torch.zeros(1, 6, 8, dtype=torch.bool)
    masks[0, 2, 5] = True
    assert boxes.from_masks(masks).tolist() == [[5, 2, 6, 3]]
    assert masks_to_boxes(masks).tolist() == [[5, 2, 5, 2]]


@pytest.mark.parametrize("shape", [(0, 5, 5), (2, 0, 5), (2, 5, 0)])
def test_from_masks_of_nothing(shape):
    result = boxes.from_masks(torch.zeros(shape, dtype=torch.bool))
    assert result.shape == (shape[0], 4) and result.dtype == torch.float32 and not result.any()


@given(box_lists)
def test_there_and_back(some):
    assert torch.equal(boxes.from_xywh(boxes.to_xywh(some)), some)
    assert torch.equal(boxes.flip(boxes.flip(some, SIDE), SIDE), some)
    back = boxes.scale(boxes.scale(some, (SIDE, SIDE), (37, 91)), (37, 91), (SIDE, SIDE))
    torch.testing.assert_close(back, some, atol=1e-4, rtol=0)
    assert torch.equal(boxes.clip(some, (SIDE, SIDE)), some)


@given(corners.map(ordered))
def test_flip_moves_the_pixels_too(row):
    box = torch.tensor([row], dtype=torch.float32)
    assert torch.equal(drawn(boxes.flip(box, SIDE)[0]), drawn(box[0]).flip(1))


def test_scale_takes_height_before_width():
    assert boxes.scale(torch.tensor([[1.0, 1, 2, 2]]), (10, 10), (20, 50)).tolist() == [[5, 2, 10, 4]]


def test_from_voc_first_pixel_and_whole_image():
    assert boxes.from_voc(torch.tensor([[1.0, 1, 1, 1], [1, 1, 500, 375]])).tolist() == [
        [0, 0, 1, 1],
        [0, 0, 500, 375],
    ]


def test_clip_and_no_function_changes_its_input():
    some = torch.tensor([[-3.0, -2, 40, 50], [60, 60, 70, 70]])
    before = some.clone()
    assert boxes.clip(some, (20, 30)).tolist() == [[0, 0, 30, 20], [30, 20, 30, 20]]
    for result in (boxes.scale(some, (1, 1), (2, 2)), boxes.flip(some, 9), boxes.from_voc(some)):
        result.zero_()
    assert torch.equal(some, before)
