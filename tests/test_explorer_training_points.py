"""The explorer of training points: the drawn points are the package's, and the two kinds differ in shape."""

import pytest
import torch

from lessons import palette, plots
from lessons.errors import LessonsError
from lessons.explorers import draw_training_points, training_points_explorer
from lessons.point_rend.points import to_image, training_points

COARSE = 4 * torch.randn(5, 7, 9, generator=torch.Generator().manual_seed(0))
IMAGE = torch.rand(3, 60, 80, generator=torch.Generator().manual_seed(1))
BOX = (10.0, 5.0, 70.0, 50.0)


def kinds(ax) -> tuple[torch.Tensor, torch.Tensor]:
    """Places (n, 2) of the dots, which are filled, and of the crosses, which are not."""
    colour = list(palette.channels(palette.SAMPLED_POINT))
    drawn = [one for one in ax.collections if one.get_edgecolor()[:, :3].tolist() == [colour]]
    dots, crosses = drawn
    assert dots.get_paths()[0].vertices.shape != crosses.get_paths()[0].vertices.shape
    return tuple(torch.tensor(one.get_offsets().data).reshape(-1, 2) for one in (dots, crosses))


@pytest.mark.parametrize("count, k, beta", [(196, 3.0, 0.75), (20, 1.0, 0.0), (50, 10.0, 1.0), (8, 1.5, 0.3)])
def test_dots_and_crosses_are_the_points_of_the_package(count, k, beta):
    figure = draw_training_points(
        COARSE, count=count, oversample_ratio=k, importance_sample_ratio=beta, seed=3, label=2
    )
    torch.manual_seed(3)
    expected = training_points(COARSE[None], torch.tensor([2]), count, k, beta)[0] * torch.tensor([9, 7])
    dots, crosses = kinds(figure.axes[0])
    assert len(dots) == int(beta * count)
    assert torch.allclose(torch.cat([dots, crosses]).float(), expected)


def test_on_the_picture_the_points_lie_in_the_box():
    figure = draw_training_points(COARSE[0], count=40, image=IMAGE, box=BOX)
    places, on_picture = (torch.cat(kinds(ax)).float() for ax in figure.axes)
    expected = to_image((places / torch.tensor([9, 7]))[None], torch.tensor([BOX]))[0]
    assert torch.allclose(on_picture, expected, atol=1e-3)


def test_the_label_decides_and_the_generator_stays_as_it_was():
    state = torch.get_rng_state()
    first, second = (kinds(draw_training_points(COARSE, label=label).axes[0])[0] for label in (1, 4))
    assert not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("value", [-9.0, 0.0, 9.0])
def test_a_mask_without_an_edge_is_drawn(value, recwarn):
    assert len(plots.render(draw_training_points(torch.full((3, 3), value), count=8))) > 0
    assert not recwarn.list


@pytest.mark.parametrize("coarse", [COARSE[None], COARSE[0, 0], COARSE[:, :0]])
def test_logits_of_another_form_are_refused(coarse):
    with pytest.raises(LessonsError, match="coarse has shape"):
        draw_training_points(coarse)


@pytest.mark.parametrize("label", [0, 6])
def test_a_label_without_a_channel_is_refused(label):
    with pytest.raises(LessonsError, match=f"label={label} is not among 1 to 5"):
        draw_training_points(COARSE, label=label)


def test_every_control_is_moved():
    explorer = training_points_explorer(COARSE, label=2, image=IMAGE, box=BOX)
    before = explorer.picture.value
    assert explorer.move_all() == 5 + 5 + 5 + 4
    assert explorer.picture.value == before and explorer.error.value == ""
    for name, value in (("N", 20), ("k", 9.0), ("beta", 0.1), ("seed", 5)):
        held = explorer.picture.value
        explorer.controls[name].value = value
        assert explorer.picture.value != held
