"""The explorer of RoIAlign: bins, points and results are those of the package and of torchvision."""

import pytest
import torch
from torchvision.ops import roi_align, roi_pool

from lessons import palette, plots
from lessons.errors import LessonsError
from lessons.explorers import draw_roi_align, roi_align_explorer
from lessons.mask_rcnn.roi_align import pooled_bins, sampling_points

LEVEL = torch.rand(8, 8, generator=torch.Generator().manual_seed(0))
BOX = {"left": 20, "top": 36, "width": 67, "height": 49}
CORNERS = torch.tensor([[20.0, 36, 87, 85]])


def drawn_points(figure) -> torch.Tensor:
    """(K, 2) of the points, in the map's half-open coordinates."""
    colour = palette.channels(palette.SAMPLED_POINT)
    (dots,) = [
        dots for dots in figure.axes[0].collections if dots.get_facecolor()[:, :3].tolist() == [[*colour]]
    ]
    return torch.tensor(dots.get_offsets().data)


def drawn_bins(figure) -> torch.Tensor:
    """(K, 4): x1, y1, x2, y2 of the orange frames."""
    colour = palette.channels(palette.POSITIVE)
    frames = [p for p in figure.axes[0].patches if p.get_edgecolor()[:3] == colour and not p.get_fill()]
    return torch.tensor(
        [[*p.get_xy(), p.get_x() + p.get_width(), p.get_y() + p.get_height()] for p in frames]
    )


def written(figure) -> torch.Tensor:
    """The numbers of the result."""
    return torch.tensor([float(text.get_text()) for text in figure.axes[1].texts])


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("side, ratio", [(1, 1), (2, 2), (3, 0), (2, 4)])
def test_points_and_numbers_are_those_of_roi_align(aligned, side, ratio):
    figure = draw_roi_align(LEVEL, **BOX, side=side, sampling_ratio=ratio, aligned=aligned)
    points, _ = sampling_points(CORNERS[0], side, 1 / 16, ratio, aligned)
    assert torch.allclose(drawn_points(figure), points.reshape(-1, 2) + 0.5)
    expected = roi_align(LEVEL[None, None], [CORNERS], side, 1 / 16, ratio or -1, aligned).flatten()
    assert torch.allclose(written(figure), expected, atol=0.0051)


@pytest.mark.parametrize("aligned, shift", [(True, 0.0), (False, 0.5)])
@pytest.mark.parametrize("ratio", [1, 0])
def test_aligned_bins_fill_the_box_and_legacy_ones_are_half_a_pixel_off(aligned, shift, ratio):
    figure = draw_roi_align(LEVEL, **BOX, side=3, sampling_ratio=ratio, aligned=aligned)
    bins = drawn_bins(figure)
    assert len(bins) == 9
    outer = torch.cat([bins[:, :2].min(dim=0).values, bins[:, 2:].max(dim=0).values])
    assert torch.allclose(outer, CORNERS[0] / 16 + shift, atol=1e-5)


def test_rounded_bins_are_roi_pool_s():
    figure = draw_roi_align(LEVEL, **BOX, side=2, rounded=True)
    expected = pooled_bins(CORNERS[0], 2, 1 / 16).reshape(-1, 4)
    assert torch.equal(drawn_bins(figure).double(), expected)
    pooled = roi_pool(LEVEL[None, None], [CORNERS], 2, 1 / 16).flatten()
    assert torch.allclose(written(figure), pooled, atol=0.0051)
    assert not figure.axes[0].collections[2:]  # no points


@pytest.mark.parametrize("rounded", [True, False])
@pytest.mark.parametrize("box", [(128, 128, 128, 128), (0, 0, 0, 0), (50, 60, 0, 30), (300, -90, 40, 20)])
def test_boxes_without_extent_or_off_the_map_are_drawn(box, rounded):
    place = dict(zip(("left", "top", "width", "height"), box, strict=True))
    for ratio in (0, 2):
        figure = draw_roi_align(LEVEL[:3, :3], **place, side=4, sampling_ratio=ratio, rounded=rounded)
        assert len(written(figure)) == 16
    assert len(plots.render(figure)) > 0


def test_a_map_of_another_form_is_refused():
    with pytest.raises(LessonsError, match="1, 8, 8"):
        draw_roi_align(LEVEL[None], **BOX)


def test_every_control_is_moved():
    explorer = roi_align_explorer(LEVEL[:3, :3])
    before = explorer.picture.value
    assert explorer.move_all() >= 4 * 4 + 4 + 4 + 1 + 1
    assert explorer.picture.value == before and explorer.error.value == ""
    explorer.controls["rounded"].value = True
    assert explorer.picture.value != before
