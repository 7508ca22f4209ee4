"""Point NMS and Matrix NMS: the official numbers, what they mean, and the fast form."""

import golden_solo
import numpy as np
import pytest
import torch

from lessons import masks as mask_geometry
from lessons.errors import LessonsError
from lessons.solo import decode, fast, suppression


def test_point_nms_and_matrix_nms_are_the_official_ones():
    golden = golden_solo.load("nms_loss_ops")
    assert np.array_equal(suppression.point_nms(torch.from_numpy(golden["heat"])), golden["points_nms"])
    width = golden["mask_shape"][2]
    masks = torch.from_numpy(np.unpackbits(golden["masks_packed"], axis=-1)[..., :width].astype(bool))
    labels, scores = torch.from_numpy(golden["labels"]).long(), torch.from_numpy(golden["scores"])
    kernels = {
        "gaussian_sigma2": ("gaussian", 2.0),
        "gaussian_sigma05": ("gaussian", 0.5),
        "linear": ("linear",),
    }
    for name, kernel in kernels.items():
        assert (
            np.abs(suppression.matrix_nms(masks, labels, scores, *kernel).numpy() - golden[name]).max() < 1e-6
        )
    assert torch.equal(
        suppression.matrix_nms(masks[:1], labels[:1], scores[:1]), torch.from_numpy(golden["one"])
    )
    four, labels = masks[[0, 0, 0, 1]], torch.tensor([1, 1, 1, 2])
    for kernel in ("gaussian", "linear"):
        ours = suppression.matrix_nms(four, labels, scores[:4], kernel).numpy()
        assert np.allclose(ours, golden[f"triple_{kernel}"], atol=1e-6, equal_nan=True)


def test_matrix_nms_of_nothing_and_of_unknown_kernels():
    nothing = torch.zeros(0, 4, 4, dtype=torch.bool)
    assert suppression.matrix_nms(nothing, torch.zeros(0, dtype=torch.int64), torch.zeros(0)).shape == (0,)
    with pytest.raises(LessonsError, match="kernel='cubic'"):
        suppression.matrix_nms(torch.ones(1, 2, 2, dtype=torch.bool), torch.ones(1), torch.ones(1), "cubic")


def test_matrix_nms_lowers_only_worse_masks_of_the_same_class():
    masks = torch.zeros(3, 8, 8, dtype=torch.bool)
    masks[:, :4] = True
    scores = torch.tensor([0.9, 0.8, 0.7])
    after = suppression.matrix_nms(masks, torch.tensor([1, 2, 1]), scores)
    assert after[:2].tolist() == scores[:2].tolist() and after[2] < 0.1
    assert (suppression.matrix_nms(masks, torch.tensor([1, 1, 1]), scores) <= scores).all()


def test_point_nms_looks_up_and_left_only():
    rising = torch.tensor([[[[0.1, 0.2, 0.3]]]])
    assert torch.equal(suppression.point_nms(rising), rising)
    assert suppression.point_nms(rising.flip(-1)).flatten().tolist() == pytest.approx([0.3, 0, 0])


@pytest.mark.parametrize("kernel", ["gaussian", "linear"])
@pytest.mark.parametrize("labels", [1, 3, 80])
def test_matrix_nms_by_label_is_the_plain_one(labels: int, kernel: str):
    draw = torch.Generator().manual_seed(labels)
    masks = torch.rand(150, 6, 7, generator=draw) < torch.rand(150, 1, 1, generator=draw)
    label = torch.randint(1, labels + 1, (150,), generator=draw)
    scores = torch.rand(150, generator=draw).sort(descending=True).values
    plain = suppression.matrix_nms(masks, label, scores, kernel)
    assert torch.allclose(
        suppression.matrix_nms_by_label(masks, label, scores, kernel), plain, atol=1e-6, equal_nan=True
    )
    assert suppression.matrix_nms_by_label(masks[:0], label[:0], scores[:0], kernel).shape == (0,)


def blobs(count: int, height: int, width: int) -> torch.Tensor:
    """Rectangles anywhere, many of them over one another: (count, height, width) bool."""
    draw = torch.rand(count, 4, 1, 1, generator=torch.Generator().manual_seed(count))
    y, x = torch.linspace(0, 1, height)[:, None], torch.linspace(0, 1, width)
    return ((y - draw[:, 0]).abs() < 0.5 * draw[:, 2]) & ((x - draw[:, 1]).abs() < 0.5 * draw[:, 3])


@pytest.mark.parametrize("count", [2, 129, 300, 400])
def test_shared_pixels_are_counted_exactly(count: int):
    masks = blobs(count, 95, 97)  # in three parts, the last one smaller
    masks[: count // 2] |= masks[:1].clone()
    masks[:2] = True
    flat = masks.flatten(1).double()
    found = suppression.shared_with_worse(masks)
    assert torch.equal(found.triu(diagonal=1).double(), (flat @ flat.T).triu(diagonal=1))
    expected = mask_geometry.iou(masks, masks).triu(diagonal=1)
    assert torch.equal(suppression.overlap_with_worse(masks), expected)


def test_shared_pixels_are_exact_with_products_of_less_precision():
    masks = blobs(150, 20, 30)
    expected = suppression.overlap_with_worse(masks)
    torch.set_float32_matmul_precision("medium")
    try:
        assert torch.equal(suppression.overlap_with_worse(masks), expected)
    finally:
        torch.set_float32_matmul_precision("highest")


def test_the_modules_of_a_lesson_have_the_same_functions():
    assert decode.matrix_nms is suppression.matrix_nms and decode.point_nms is suppression.point_nms
    assert fast.matrix_nms is suppression.matrix_nms_by_label


def test_matrix_nms_by_hand():
    """Three masks in a row: the second is covered by the first, the third by the second alone."""
    masks = torch.zeros(3, 1, 12, dtype=torch.bool)
    masks[0, 0, :4], masks[1, 0, 2:6], masks[2, 0, 4:8] = True, True, True
    scores = torch.tensor([0.9, 0.8, 0.7])
    after = suppression.matrix_nms(masks, torch.ones(3), scores, "linear")
    # Neighbours share 2 of 6. The second, covered itself, takes nothing from the third: 2/3 / 2/3.
    assert after.tolist() == pytest.approx([0.9, 0.8 * 2 / 3, 0.7])
    after = suppression.matrix_nms(masks, torch.ones(3), scores, "gaussian", sigma=3.0)
    assert after.tolist() == pytest.approx([0.9, 0.8 * np.exp(-3 / 9), 0.7])
