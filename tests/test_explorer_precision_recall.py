"""The precision-recall explorer: the drawing over its range, and what it says about each state."""

import pytest
import torch
from torch import Tensor

from lessons import palette, plots
from lessons.errors import LessonsError
from lessons.explorers import draw_precision_recall, precision_recall_explorer

IMAGE = torch.full((3, 30, 40), 0.5)


def squares(*boxes: tuple[int, int, int, int]) -> Tensor:
    drawn = torch.zeros(len(boxes), 30, 40, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(drawn, boxes, strict=True):
        mask[y1:y2, x1:x2] = True
    return drawn


TRUTH = squares((2, 2, 12, 12), (20, 2, 30, 12), (2, 18, 12, 28))
# The first found exactly, the second at IoU 0.8, one in the void; scores not in order. The third is missed.
MASKS = squares((20, 2, 28, 12), (32, 20, 38, 28), (2, 2, 12, 12))
SCORES = torch.tensor([0.3, 0.6, 0.9])


def titles(**state: float) -> list[str]:
    return [ax.get_title() for ax in draw_precision_recall(IMAGE, TRUTH, MASKS, SCORES, **state).axes]


@pytest.mark.parametrize(
    "overlap, score, judged, point",
    [
        (0.5, 0.0, "2 right, 1 wrong, 1 missed", "precision 0.67, recall 0.67"),
        (0.85, 0.0, "1 right, 2 wrong, 2 missed", "precision 0.33, recall 0.33"),
        (0.5, 0.6, "1 right, 1 wrong, 2 missed", "precision 0.50, recall 0.33"),  # 0.6 itself is kept
        (0.5, 0.65, "1 right, 0 wrong, 2 missed", "precision 1.00, recall 0.33"),
        (0.5, 0.95, "0 right, 0 wrong, 3 missed", "no detection left"),
    ],
)
def test_the_titles_say_what_is_drawn(overlap, score, judged, point):
    left, right = titles(overlap=overlap, score=score)
    assert left == judged and right.startswith(point)


def test_ap_is_the_mean_of_the_readings():
    # 34 readings (0 to 0.33) at 1, 33 (to 0.66) at 2/3
    assert titles(overlap=0.5)[1].endswith(f"AP {(34 + 33 * 2 / 3) / 101:.3f}")
    assert titles(overlap=0.5, score=0.95)[1].endswith("AP 0.000")


def contours(ax) -> list[str]:
    """The colours of the contours on an Axes."""
    shades = {palette.channels(colour): name for name, colour in palette.ROLES.items()}
    return [
        shades[tuple(float(part) for part in colour[:3])]
        for one in ax.collections
        for colour in one.get_edgecolor()
    ]


def test_right_wrong_and_missed_have_their_colours():
    left = draw_precision_recall(IMAGE, TRUTH, MASKS, SCORES, overlap=0.5).axes[0]
    assert sorted(contours(left)) == ["ground truth", "negative", "positive", "positive"]


@pytest.mark.parametrize("masks, truth", [(MASKS, TRUTH[:0]), (MASKS[:0], TRUTH), (MASKS[:0], TRUTH[:0])])
def test_without_objects_or_detections(masks, truth):
    figure = draw_precision_recall(IMAGE, truth, masks, SCORES[: len(masks)])
    right = figure.axes[1].get_title()
    assert right == (
        "no detection left; AP 0.000" if len(truth) else "nothing to find: no curve, AP is not a number"
    )
    assert plots.render(figure).startswith(b"\x89PNG")


def test_inputs_stay_and_must_fit():
    masks, scores = MASKS.clone(), SCORES.clone()
    draw_precision_recall(IMAGE, TRUTH, masks, scores, score=0.5)
    assert torch.equal(masks, MASKS) and torch.equal(scores, SCORES)
    with pytest.raises(LessonsError, match="2 scores for 3 masks"):
        draw_precision_recall(IMAGE, TRUTH, MASKS, SCORES[:2])


def test_the_explorer_draws_every_state():
    explorer = precision_recall_explorer(IMAGE, TRUTH, MASKS, SCORES)
    before = bytes(explorer.picture.value)
    assert before.startswith(b"\xff\xd8")
    assert explorer.move_all() == 4 + 4 and explorer.error.value == ""
    assert explorer.picture.value == before
    explorer.controls["score"].value = 0.5
    assert explorer.picture.value != before
