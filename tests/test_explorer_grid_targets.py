"""The explorer of grid targets: what it draws is what `assign` says, over the range of every control."""

import pytest
import torch

from lessons import boxes, palette, plots
from lessons.explorers import draw_grid_targets, grid_targets_browser
from lessons.solo.targets import assign


def sample(count: int = 2) -> tuple[torch.Tensor, dict]:
    """A picture of 70 × 90, on a canvas of 96 × 96, with objects of 20 × 20 and 30 × 10."""
    masks = torch.zeros(2, 70, 90, dtype=torch.bool)
    masks[0, 5:25, 10:30] = True
    masks[1, 40:50, 50:80] = True
    target = {"boxes": boxes.from_masks(masks), "labels": torch.tensor([3, 7]), "masks": masks}
    return torch.full((3, 70, 90), 0.5), {name: value[:count] for name, value in target.items()}


class Two:
    """The picture with its objects, and without."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, number: int) -> tuple[torch.Tensor, dict]:
        return sample(2 if number == 0 else 0)


def orange(figure) -> list[tuple[float, float, float, float]]:
    """x, y, width and height of each cell that is drawn as positive."""
    colour = palette.channels(palette.POSITIVE)
    drawn = [patch for patch in figure.axes[0].patches if patch.get_facecolor()[:3] == colour]
    return [(*patch.get_xy(), patch.get_width(), patch.get_height()) for patch in drawn]


@pytest.mark.parametrize("grid", [5, 24])
@pytest.mark.parametrize("sigma", [0.05, 1.0])
def test_the_orange_cells_are_the_assigned_ones(grid, sigma):
    image, target = sample()
    (answer,) = assign(*(target[k] for k in ("boxes", "labels", "masks")), (96, 96), [grid], [(1, 99)], sigma)
    side = 96 / grid
    expected = [(cell % grid * side, cell // grid * side, side, side) for cell in answer.cells.tolist()]
    figure = draw_grid_targets(image, target, grid=grid, sigma=sigma, low=1, high=99)
    assert len(orange(figure)) == len(expected)
    assert all(one == pytest.approx(other) for one, other in zip(orange(figure), expected, strict=True))
    assert figure.axes[0].get_title() == f"{grid}×{grid} cells, {len(expected)} of them positive"


@pytest.mark.parametrize("low, high, cells", [(1, 99, 3), (18, 99, 1), (1, 18, 2), (30, 99, 0), (50, 10, 0)])
def test_only_sizes_in_the_range_get_cells(low, high, cells):
    # Sizes are 19 and √(29 · 9) = 16.2; on a grid of 3 × 3 the second meets a line.
    figure = draw_grid_targets(*sample(), grid=3, low=low, high=high)
    assert len(orange(figure)) == cells


def test_the_chart_counts_the_cells_of_each_level():
    image, target = sample()
    figure = draw_grid_targets(
        image, target, grid=3, grids=(24, 6), scale_ranges=((1, 18), (18, 99)), sigma=1
    )
    counted = {(text.get_position()[1], text.get_text()) for text in figure.axes[1].texts}
    grids, ranges = (3, 24, 6), ((1, 2048), (1, 18), (18, 99))
    answers = assign(*(target[k] for k in ("boxes", "labels", "masks")), (96, 96), grids, ranges, 1.0)
    expected = {
        (row, str(int(cells)))
        for row, answer in enumerate(answers)
        for cells in answer.instances.bincount()
        if cells
    }
    assert counted == expected and len({row for row, _ in counted}) == 3


def test_a_picture_without_objects_is_drawn():
    figure = draw_grid_targets(*sample(0))
    assert orange(figure) == [] and len(plots.render(figure)) > 0


def test_every_control_is_moved():
    explorer = grid_targets_browser(Two())
    before = explorer.picture.value
    assert explorer.move_all() == 1 + 5 + 5 + 4 + 5
    assert explorer.picture.value == before and explorer.error.value == ""
    explorer.controls["sigma"].value = 1.0
    assert explorer.picture.value != before
