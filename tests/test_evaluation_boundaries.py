"""The band along a contour, and what it changes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from lessons import masks
from lessons.errors import LessonsError
from lessons.evaluation import Truth, band, band_width, boundary_iou, measure

MASKS = arrays(bool, st.tuples(st.integers(0, 3), st.integers(1, 12), st.integers(1, 12)))


@settings(deadline=None)
@given(array=MASKS, density=st.integers(0, 3), width=st.integers(1, 4))
def test_band_is_what_is_near_the_contour(array, density, width):
    for _ in range(density):  # fuller masks, which have an inside
        array = array | np.roll(array, 1, axis=2)
    before = torch.from_numpy(array.copy())
    found = band(before, width)
    assert torch.equal(before, torch.from_numpy(array)) and found.dtype == torch.bool
    for mask, one in zip(array, found.numpy(), strict=True):
        # chessboard distance to the nearest pixel that is not mask, those outside of the image included
        distance = ndimage.distance_transform_cdt(np.pad(mask, 1), metric="chessboard")[1:-1, 1:-1]
        assert np.array_equal(one, mask & (distance <= width))


@pytest.mark.parametrize(
    "size, share, width",
    [((300, 400), 0.02, 10), ((480, 640), 0.02, 16), ((6, 8), 0.02, 1), ((6, 8), 0.25, 2)],
)
def test_width_is_a_share_of_the_diagonal(size, share, width):
    assert band_width(size, share) == width


@pytest.mark.parametrize("share", [0, -1, float("nan"), float("inf")])
def test_width_must_be_positive(share):
    with pytest.raises(LessonsError, match="band_share"):
        band_width((10, 10), share)


def squares(*boxes, size=(300, 400)):
    drawn = torch.zeros(len(boxes), *size, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(drawn, boxes, strict=True):
        mask[y1:y2, x1:x2] = True
    return drawn


def test_large_objects_feel_their_contour_and_thin_ones_are_all_contour():
    large, shifted = squares((50, 50, 250, 250), (55, 50, 255, 250))
    thin, moved = squares((50, 50, 250, 70), (55, 50, 255, 70))
    assert masks.iou(large[None], shifted[None]).item() == pytest.approx(195 / 205)
    # bands of 200² - 180² pixels; in common: two sides of 10 × 195, two of 5 × 180
    shared = 2 * 10 * 195 + 2 * 5 * 180
    expected = shared / (2 * (200**2 - 180**2) - shared)
    assert boundary_iou(large[None], shifted[None]).item() == pytest.approx(expected)
    assert boundary_iou(thin[None], moved[None]).item() == masks.iou(thin[None], moved[None]).item()
    assert boundary_iou(large[None], squares()).shape == (1, 0)


def ap(truth_mask, found_mask, iscrowd=0, kind="boundaries", **options):
    def entry(mask):
        rle = masks.encode_rle(mask[None])[0]
        return {"image_id": 1, "category_id": 1, "segmentation": rle, "bbox": [0, 0, 1, 1]}

    thing = {"id": 1, **entry(truth_mask), "area": float(truth_mask.sum()), "iscrowd": iscrowd}
    truth = Truth({1: tuple(truth_mask.shape)}, ("thing",), (1,), [thing])
    return measure(truth, [{**entry(found_mask), "score": 1.0}], kind, **options)[kind].AP


def test_boundary_ap_asks_for_both():
    disc, shifted = squares((50, 50, 250, 250), (55, 50, 255, 250))
    ring = disc & ~squares((60, 60, 240, 240))[0]  # the whole band, and nothing inside
    assert ap(disc, disc) == pytest.approx(1) and ap(disc, shifted, kind="masks") == pytest.approx(1)
    assert ap(disc, shifted) == pytest.approx(0.3)  # boundary IoU 0.6: passes 0.50, 0.55, 0.60
    assert boundary_iou(disc[None], ring[None]).item() == 1 and ap(disc, ring) == 0
    assert ap(disc, shifted, band_share=0.3) == pytest.approx(1)  # all band: mask IoU


def test_a_crowd_is_no_contour():
    crowd, member = squares((0, 0, 300, 300), (100, 100, 150, 150))
    assert np.isnan(ap(crowd, member, iscrowd=1))  # nothing asked for ...
    thing = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]}
    rles = masks.encode_rle(squares((0, 0, 300, 300), (320, 20, 380, 80), (100, 100, 150, 150)))
    truth = Truth({1: (300, 400)}, ("thing",), (1,), [
        {**thing, "id": 1, "segmentation": rles[0], "area": 90000.0, "iscrowd": 1},
        {**thing, "id": 2, "segmentation": rles[1], "area": 3600.0, "iscrowd": 0},
    ])  # fmt: skip
    found = [
        {**thing, "segmentation": rles[2], "score": 0.9},
        {**thing, "segmentation": rles[1], "score": 0.8},
    ]
    assert (
        pytest.approx(1) == measure(truth, found, "boundaries").AP
    )  # ... and who finds a member is not wrong
