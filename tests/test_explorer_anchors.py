"""The explorer of anchors: what it draws is what `match` says, over the range of every control."""

import pytest
import torch

from lessons import boxes, palette, plots
from lessons.explorers import anchors_explorer, draw_anchors
from lessons.explorers.anchors import anchors_of, counts_in_words
from lessons.mask_rcnn.matching import match


def sample(count: int = 2) -> tuple[torch.Tensor, dict]:
    """A picture of 60 × 90, on a canvas of 64 × 96, an object that fits an anchor, one that does not."""
    truth = torch.tensor([[14.0, 14.0, 50.0, 50.0], [60.0, 10.0, 66.0, 50.0]])
    return torch.full((3, 60, 90), 0.5), {"boxes": truth[:count]}


class Two:
    """The picture with its objects, and without."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, number: int) -> tuple[torch.Tensor, dict]:
        return sample(2 if number == 0 else 0)


def frames(figure, colour: str) -> torch.Tensor:
    """The boxes that are drawn in a colour over the picture: (N, 4)."""
    channels = palette.channels(colour)
    drawn = [patch for patch in figure.axes[0].patches if patch.get_edgecolor()[:3] == channels]
    corners = [(*p.get_xy(), p.get_x() + p.get_width(), p.get_y() + p.get_height()) for p in drawn]
    return torch.tensor(corners, dtype=torch.float32).reshape(-1, 4)


def test_the_levels_have_an_anchor_for_each_shape_at_each_place():
    placed = anchors_of((64, 96))
    assert {name: len(one) for name, one in placed.items()} == {
        "p2": 3 * 16 * 24, "p3": 3 * 8 * 12, "p4": 3 * 4 * 6, "p5": 3 * 2 * 3,
    }  # fmt: skip


@pytest.mark.parametrize("level", ["p2", "p3", "p5"])
@pytest.mark.parametrize("positive, low_quality", [(0.7, True), (0.5, False), (0.4, True)])
def test_orange_frames_are_the_positive_anchors_of_the_level(level, positive, low_quality):
    image, target = sample()
    placed = anchors_of((64, 96))
    verdict = match(boxes.iou(target["boxes"], torch.cat(list(placed.values()))), positive, 0.3, low_quality)[
        1
    ]
    of_level = dict(zip(placed, verdict.split([len(one) for one in placed.values()]), strict=True))
    figure = draw_anchors(image, target, level=level, positive=positive, low_quality=low_quality)
    expected = placed[level][of_level[level] == 1]
    assert torch.allclose(frames(figure, palette.POSITIVE), expected, atol=1e-4)
    assert torch.allclose(frames(figure, palette.GROUND_TRUTH), target["boxes"])
    assert figure.axes[0].get_title() == f"{level}: {counts_in_words(of_level[level])}"
    assert figure.axes[1].get_title() == f"all levels: {counts_in_words(verdict)}"


def test_the_parameters_of_the_test_above_have_positives():
    assert len(frames(draw_anchors(*sample(), level="p3"), palette.POSITIVE)) > 0


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
def test_one_ratio_alone(ratio):
    figure = draw_anchors(*sample(), level="p3", ratio=ratio, positive=0.3, negative=0.1)
    drawn = torch.cat([frames(figure, colour) for colour in (palette.POSITIVE, palette.IGNORED)])
    sides = drawn[:, 2:] - drawn[:, :2]
    assert len(drawn) > 0
    assert torch.allclose(sides[:, 1] / sides[:, 0], torch.full((len(drawn),), ratio), atol=1e-4)


def test_the_chart_shows_the_best_of_each_level():
    image, target = sample(1)
    figure = draw_anchors(image, target)
    line = next(one for one in figure.axes[1].lines if len(one.get_xdata()) == 4)
    expected = [boxes.iou(target["boxes"], one).max().item() for one in anchors_of((64, 96)).values()]
    assert list(line.get_xdata()) == pytest.approx(expected)
    ring = figure.axes[1].lines[-1]
    assert list(ring.get_ydata()) == [expected.index(max(expected))]


def test_a_picture_without_objects_is_drawn():
    figure = draw_anchors(*sample(0), positive=0.05, negative=0.95)
    assert len(frames(figure, palette.POSITIVE)) == 0 and len(plots.render(figure)) > 0
    assert "0 positive, 0 ignored" in figure.axes[1].get_title()


def test_every_control_is_moved():
    explorer = anchors_explorer(Two(), level="p3")
    before = explorer.picture.value
    assert explorer.move_all() == 1 + 4 + 3 + 5 + 5 + 1
    assert explorer.picture.value == before and explorer.error.value == ""
    explorer.controls["low_quality"].value = False
    assert explorer.picture.value != before
