"""The Matrix NMS explorer: its numbers are the package's, and every state draws."""

import itertools

import pytest
import torch

from lessons import masks as mask_geometry
from lessons import plots
from lessons.errors import LessonsError
from lessons.explorers import draw_matrix_nms, matrix_nms_explorer
from lessons.explorers.matrix_nms import SCORES, decay_steps, strips
from lessons.solo import decode

KERNELS = [("gaussian", 0.5), ("gaussian", 2.0), ("linear", 2.0)]


@pytest.mark.parametrize("second, third", [*itertools.product((0.0, 0.3, 0.6, 1.0), repeat=2)])
def test_strips_overlap_as_asked(second: float, third: float):
    masks = strips((second, third))
    overlap = mask_geometry.iou(masks, masks)
    assert overlap[0, 1] == pytest.approx(second, abs=0.003)
    assert overlap[1, 2] == pytest.approx(third, abs=0.003)
    assert len(set(masks.sum((1, 2)).tolist())) == 1, "equally long"


@pytest.mark.parametrize("kernel, sigma", KERNELS)
@pytest.mark.parametrize("second, third", [*itertools.product((0.0, 0.3, 0.8, 1.0), repeat=2)])
def test_the_steps_end_where_the_package_does(kernel: str, sigma: float, second: float, third: float):
    masks, scores = strips((second, third)), torch.tensor(SCORES)
    steps = decay_steps(masks, scores, kernel, sigma)
    expected = decode.matrix_nms(masks, torch.ones(3, dtype=torch.int64), scores, kernel, sigma)
    assert torch.allclose(steps.scores, expected, equal_nan=True)
    assert torch.equal(steps.covered, steps.overlap.amax(dim=0))
    assert (steps.factors.tril() == torch.ones(3, 3).tril()).all()


def test_compensation_gives_a_score_back_and_never_takes():
    masks, scores = strips((0.6, 0.6)), torch.tensor(SCORES)
    with_it, without = (decay_steps(masks, scores, compensation=choice).scores for choice in (True, False))
    assert torch.equal(with_it[:2], without[:2]), "A has nothing above it, so A counts in full against B"
    assert with_it[2] > without[2] + 0.1
    # Without it the least factor of C is that of B alone, exp(-2 · 0.6²).
    assert without[2] == pytest.approx(SCORES[2] * torch.tensor(-2 * 0.36).exp().item(), abs=0.005)


def test_every_state_draws():
    browser = matrix_nms_explorer()
    before = bytes(browser.picture.value)
    assert before.startswith(b"\x89PNG")
    # Kernel, then three sliders with five stops that miss the first value, then two masks and three again.
    assert browser.move_all() == 1 + 5 + 5 + 5 + 2 + 1
    assert browser.picture.value == before and browser.error.value == ""


@pytest.mark.parametrize("kernel", ["gaussian", "linear"])
@pytest.mark.parametrize("second, third", [*itertools.product((0.0, 1.0), repeat=2)])
def test_the_corners_draw(kernel: str, second: float, third: float):
    for masks, compensation in itertools.product((2, 3), (True, False)):
        draw_matrix_nms(kernel=kernel, second=second, third=third, masks=masks, compensation=compensation)


@pytest.fixture(scope="module")
def first_picture() -> bytes:
    return plots.render(draw_matrix_nms())


@pytest.mark.parametrize(
    "change",
    [{"kernel": "linear"}, {"sigma": 1.0}, {"second": 0.5}, {"third": 0.5}, {"masks": 2},
     {"compensation": False}],
)  # fmt: skip
def test_each_control_changes_the_picture(change: dict, first_picture: bytes):
    assert plots.render(draw_matrix_nms(**change)) != first_picture


def test_three_equal_masks_with_the_linear_kernel_are_said_to_be_undefined():
    figure = draw_matrix_nms(kernel="linear", second=1.0, third=1.0)
    written = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert "0 / 0" in written and "0.80 → 0.00" in written


def test_an_unknown_kernel_is_refused():
    with pytest.raises(LessonsError, match="kernel='cubic'"):
        draw_matrix_nms(kernel="cubic")
