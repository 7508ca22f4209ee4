"""The explorer of NMS: what it keeps is what NMS keeps, over the range of every control."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision import ops

from lessons import palette, plots
from lessons.explorers import draw_nms, nms_explorer
from lessons.explorers.nms import kept, most_with_better

IMAGE = torch.full((3, 60, 80), 0.5)


def crowd(count: int = 40, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Boxes inside the picture, their scores, and two groups."""
    draw = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, generator=draw) * 30
    sides = 10 + torch.rand(count, 2, generator=draw) * 20
    scores = torch.randn(count, generator=draw)
    return torch.cat([corners, corners + sides], dim=1), scores, torch.arange(count) % 2


TARGET = {"boxes": torch.tensor([[5.0, 5.0, 30.0, 30.0], [70.0, 50.0, 78.0, 58.0]])}


def blue(figure, panel: int) -> int:
    colour = palette.channels(palette.PREDICTION)
    return sum(patch.get_edgecolor()[:3] == colour for patch in figure.axes[panel].patches)


@given(seed=st.integers(0, 10_000), threshold=st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]))
def test_kept_is_what_torchvision_keeps_in_each_group(seed, threshold):
    boxes, scores, groups = crowd(30, seed)
    assert torch.equal(
        kept(boxes, scores, torch.zeros_like(groups), threshold), ops.nms(boxes, scores, threshold)
    )
    expected = ops.batched_nms(boxes, scores, groups, threshold)
    assert torch.equal(kept(boxes, scores, groups, threshold), expected)


@pytest.mark.parametrize("threshold, count, within", [(0.0, 40, True), (0.5, 25, False), (0.7, 1, True)])
def test_the_panels_show_what_goes_in_and_what_stays(threshold, count, within):
    boxes, scores, groups = crowd()
    figure = draw_nms(
        IMAGE, TARGET, boxes, scores, groups, threshold=threshold, count=count, within_groups=within
    )
    best = scores.argsort(descending=True)[:count]
    chosen = groups[best] if within else torch.zeros(count, dtype=torch.int64)
    stays = kept(boxes[best], scores[best], chosen, threshold)
    assert (blue(figure, 0), blue(figure, 1)) == (count, len(stays))
    assert figure.axes[0].get_title().startswith(f"before: {count} boxes")
    assert figure.axes[1].get_title().startswith(f"after: {len(stays)} boxes")


def test_an_object_without_a_box_is_dashed():
    figure = draw_nms(IMAGE, TARGET, TARGET["boxes"][:1] + 1, torch.ones(1))
    green = palette.channels(palette.GROUND_TRUTH)
    styles = [p.get_linestyle() for p in figure.axes[1].patches if p.get_edgecolor()[:3] == green]
    assert len(styles) == 2 and len(set(map(str, styles))) == 2
    assert figure.axes[1].get_title().endswith("find 1 of 2 objects")


def test_overlap_with_a_better_box():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5], [50, 50, 60, 60], [0, 0, 10, 6]])
    assert most_with_better(boxes).tolist() == pytest.approx([0, 0.5, 0, 5 / 6])
    assert most_with_better(boxes[:0]).shape == (0,)


@pytest.mark.parametrize("count, objects", [(0, 2), (5, 0), (0, 0)])
def test_no_boxes_and_no_objects_are_drawn(count, objects):
    boxes, scores, groups = crowd()
    target = {"boxes": TARGET["boxes"][:objects]}
    figure = draw_nms(IMAGE, target, boxes[:count], scores[:count], groups[:count])
    assert len(plots.render(figure)) > 0 and blue(figure, 0) == count


def test_every_control_is_moved():
    explorer = nms_explorer(IMAGE, TARGET, *crowd(), count=30)
    before = explorer.picture.value
    assert explorer.move_all() == 5 + 5 + 1
    assert explorer.picture.value == before and explorer.error.value == ""
    explorer.controls["threshold"].value = 0.0
    assert explorer.picture.value != before
