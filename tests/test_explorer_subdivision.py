"""The explorer of subdivision: its points, masks and counts are those of the package."""

import pytest
import torch

from lessons import palette, plots
from lessons.errors import LessonsError
from lessons.explorers import draw_subdivision, subdivision_explorer
from lessons.explorers.subdivision import Subdivided, draw_step, subdivided
from lessons.mask_rcnn.mask_head import of_own_class
from lessons.point_rend.mask_branch import PointRendBranch
from lessons.point_rend.points import regular_grid, to_image
from lessons.point_rend.subdivision import Step

STRIDES = {"p2": 4}
BOXES = torch.tensor([[3.0, 5, 40, 30], [10, 2, 60, 39]])
LABELS = torch.tensor([3, 1])
IMAGE = torch.rand(3, 40, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def branch() -> PointRendBranch:
    torch.manual_seed(0)
    built = PointRendBranch(4, 3, hidden=8, point_hidden=8, subdivision_steps=3, subdivision_points=49).eval()
    with torch.no_grad():
        for weight in built.parameters():
            weight.mul_(3)
        built.point.masks.weight.mul_(1000)  # so that the masks have both sides
    return built


@pytest.fixture(scope="module")
def levels() -> dict[str, torch.Tensor]:
    return {"p2": torch.randn(1, 4, 10, 16, generator=torch.Generator().manual_seed(2))}


def dots(ax) -> torch.Tensor:
    """(P, 2) of the vermilion points."""
    (found,) = [
        dots
        for dots in ax.collections
        if dots.get_facecolor()[:, :3].tolist() == [[*palette.channels(palette.SAMPLED_POINT)]]
    ]
    return torch.tensor(found.get_offsets().data, dtype=torch.float32)


@torch.no_grad()
def test_the_steps_are_those_of_the_branch(branch, levels):
    logits, steps = branch.subdivision(levels, STRIDES, [BOXES], LABELS)
    for number, label in enumerate(LABELS.tolist()):
        run = subdivided(branch, levels, STRIDES, BOXES[number], label, side=7, steps=3, count=49)
        assert [step.side for step in run.steps] == [step.side for step in steps] == [7, 14, 28, 56]
        for ours, theirs in zip(run.steps[1:], steps[1:], strict=True):
            assert set(ours.index[0].tolist()) == set(theirs.index[number].tolist())
        assert torch.allclose(run.steps[-1].after[0, 0], of_own_class(logits, LABELS)[number], atol=1e-4)
    assert (logits > 0).any() and (logits < 0).any()


@torch.no_grad()
def test_dense_is_the_answer_at_every_cell(branch, levels):
    run = subdivided(branch, levels, STRIDES, BOXES[0], 3, side=14, steps=3, count=10)
    coarse = branch.coarse_masks(levels, STRIDES, [BOXES[:1]])
    answers = branch.answer(levels, STRIDES, [BOXES[:1]], coarse, regular_grid(1, 112))
    assert torch.allclose(run.dense, answers[0, 2].view(112, 112), atol=1e-4)


def test_with_enough_points_nothing_differs_and_the_start_asks_all(branch, levels):
    run = subdivided(branch, levels, STRIDES, BOXES[0], 3, side=4, steps=2, count=256)
    assert [step.side for step in run.steps] == [16]
    assert torch.equal(run.mask(0), run.dense > 0)
    assert run.asked(0) == 256


def test_what_was_asked_is_counted_over_the_steps(branch, levels):
    run = subdivided(branch, levels, STRIDES, BOXES[0], 3, side=7, steps=3, count=20)
    assert [run.asked(step) for step in range(4)] == [49, 69, 89, 109]


@pytest.mark.parametrize("step, shown", [(0, 0), (2, 2), (9, 3)])
def test_the_points_are_drawn_in_the_picture_and_on_the_mask(branch, levels, step, shown):
    place = {"instance": 1, "side": 7, "steps": 3, "count": 49, "step": step}
    figure = draw_subdivision(branch, levels, STRIDES, IMAGE, BOXES, LABELS, **place)
    run = subdivided(branch, levels, STRIDES, BOXES[1], 1, side=7, steps=3, count=49)
    left, middle, right = figure.axes
    points = run.steps[shown].points
    assert torch.allclose(dots(middle), points[0] * run.steps[shown].side, atol=1e-4)
    assert torch.allclose(dots(left), to_image(points, BOXES[1:])[0], atol=1e-4)
    assert (*left.get_xlim(), *left.get_ylim()) == (10, 60, 39, 2)
    side = run.steps[shown].side
    assert f"{side}×{side}" in middle.get_title()
    wrong = int((run.mask(shown) != (run.dense > 0)).sum())
    assert right.get_title().startswith(f"{wrong:,} of 3,136 cells")
    assert f"asked so far: {49 * (shown + 1)}," in right.get_title()


def test_missing_is_green_and_too_much_is_blue(branch, levels):
    run = subdivided(branch, levels, STRIDES, BOXES[0], 3, side=4, steps=0)
    dense = torch.tensor([[1.0, 1], [-1, -1]])
    after = torch.tensor([[[[1.0, -1], [1, -1]]]])
    made = Subdivided([Step(2, None, None, run.steps[0].points[:, :4], after)], dense)
    (drawn,) = draw_step(made, IMAGE, BOXES[0], 0).axes[2].get_images()
    names = (palette.FAINT, palette.GROUND_TRUTH, palette.PREDICTION, palette.PAPER)
    expected = torch.tensor([palette.channels(name) for name in names]).view(2, 2, 3)
    assert torch.allclose(torch.from_numpy(drawn.get_array().data), expected)


def test_the_last_map_is_not_above_224(branch, levels):
    run = subdivided(branch, levels, STRIDES, BOXES[0], 3, side=28, steps=5, count=16)
    assert [step.side for step in run.steps] == [28, 56, 112, 224]


def test_another_class_gives_another_mask(branch, levels):
    figures = [
        draw_subdivision(branch, levels, STRIDES, IMAGE, BOXES, LABELS, label=label, count=49)
        for label in (None, 3, 2)
    ]
    own, same, other = (plots.render(figure) for figure in figures)
    assert own == same != other


def test_what_cannot_be_is_refused(branch, levels):
    for number in (-1, 2):
        with pytest.raises(LessonsError, match=f"instance={number} of 2"):
            draw_subdivision(branch, levels, STRIDES, IMAGE, BOXES, LABELS, instance=number)
    for wrong in ({"side": 0}, {"side": 225}, {"count": 0}):
        with pytest.raises(LessonsError, match="from 1 to 224"):
            draw_subdivision(branch, levels, STRIDES, IMAGE, BOXES, LABELS, **wrong)
    with pytest.raises(LessonsError, match="of 0 boxes"):
        subdivision_explorer(branch, levels, STRIDES, IMAGE, BOXES[:0], LABELS[:0], "abc")


def test_every_control_is_moved(branch, levels):
    explorer = subdivision_explorer(branch, levels, STRIDES, IMAGE, BOXES, LABELS, ["a", "b", "c"], step=1)
    explorer.controls["steps"].max = 2  # quicker: what more steps do is tested above
    before = explorer.picture.value
    assert explorer.move_all() >= 4 + 1 + 2 + 3 + 2 + 3
    assert explorer.picture.value == before and explorer.error.value == ""
    explorer.controls["step"].value = 2
    assert explorer.picture.value != before
