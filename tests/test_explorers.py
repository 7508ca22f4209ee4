"""Explorers: the plain functions over their range, and the face that calls them."""

import base64
from typing import ClassVar

import ipywidgets
import pytest
import torch

from lessons import palette, plots
from lessons.explorers import (
    draw_instance_browser,
    draw_pyramid_browser,
    explore,
    instance_browser,
    pyramid_browser,
)
from lessons.explorers.face import stops
from lessons.explorers.pyramid import compute_features


class Drawn:
    """Three pictures, the second one without objects."""

    classes = ("cat", "dog")
    ids = ("a", "b", "c")

    def __len__(self) -> int:
        return 3

    def __getitem__(self, number: int) -> tuple[torch.Tensor, dict]:
        if not 0 <= number < 3:
            raise IndexError(number)
        count = 0 if number == 1 else 2
        masks = torch.zeros(count, 40, 50, dtype=torch.bool)
        masks[:, 5:20, 5:30] = True
        boxes = torch.tensor([[5.0, 5, 30, 20]]).repeat(count, 1)
        ignore = torch.zeros(40, 50, dtype=torch.bool)
        ignore[30:] = True
        target = {"masks": masks, "boxes": boxes, "boxes_xml": boxes - 2, "ignore": ignore,
                  "labels": torch.arange(1, count + 1)}  # fmt: skip
        return torch.full((3, 40, 50), 0.1 * number), target


class Pools(torch.nn.Module):
    """A backbone of average pools: what every cell must hold is known."""

    strides: ClassVar = {"p2": 4, "p3": 8}

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        assert not torch.is_grad_enabled()
        return {
            level: torch.nn.functional.avg_pool2d(images, stride) for level, stride in self.strides.items()
        }


def test_instance_browser_draws_every_state():
    browser = instance_browser(Drawn())
    before = bytes(browser.picture.value)
    assert before.startswith(b"\xff\xd8")
    # Two more images, four switches, two more kinds of boxes; the ways back are not counted.
    assert browser.move_all() == 2 + 4 + 2
    assert browser.picture.value == before and browser.error.value == ""


@pytest.mark.parametrize("switch", ["masks", "boxes", "labels", "border"])
def test_each_switch_changes_the_picture(switch):
    on = plots.render(draw_instance_browser(Drawn(), 0))
    assert plots.render(draw_instance_browser(Drawn(), 0, **{switch: False})) != on


def test_kinds_of_boxes_differ_and_the_title_counts():
    seen = {
        plots.render(draw_instance_browser(Drawn(), 0, boxes_from=kind)) for kind in ("masks", "XML", "both")
    }
    assert len(seen) == 3
    assert draw_instance_browser(Drawn(), 1).get_title() == "image 1 · b · 0 instances"


def test_a_moved_slider_draws_a_new_picture():
    browser = instance_browser(Drawn())
    before = browser.picture.value
    browser.controls["number"].value = 2
    assert browser.picture.value != before and browser.state["number"] == 2


def test_pyramid_features_are_the_backbone_s_on_the_padded_image():
    image = torch.rand(3, 13, 17)
    backbone = Pools().train()
    features = compute_features(backbone, image)
    assert features["p2"].shape == (1, 3, 4, 6) and features["p3"].shape == (1, 3, 2, 3)
    assert torch.allclose(features["p2"][0, :, 0, 0], image[:, :4, :4].mean((1, 2)))
    assert backbone.training


def test_pyramid_browser_draws_every_state():
    browser = pyramid_browser(Pools(), torch.rand(3, 16, 24))
    assert bytes(browser.picture.value).startswith(b"\x89PNG")
    assert browser.move_all() > 8 and browser.error.value == ""


@pytest.mark.parametrize("across, down, cell", [(0, 0, (0, 0)), (1, 1, (20, 12)), (0.5, 0.5, (12, 8))])
def test_the_frame_stands_on_the_cell_s_pixels(across, down, cell):
    image = torch.rand(3, 16, 24)
    features = compute_features(Pools(), image)
    figure = draw_pyramid_browser(
        features, Pools.strides, image, level="p2", channel=0, across=across, down=down
    )
    frames = [
        p for p in figure.axes[0].patches if p.get_edgecolor()[:3] == palette.channels(palette.HIGHLIGHT)
    ]
    assert [(p.get_x(), p.get_y(), p.get_width(), p.get_height()) for p in frames] == [(*cell, 4, 4)]


def test_a_channel_past_the_last_is_the_last():
    image = torch.rand(3, 16, 24)
    features = compute_features(Pools(), image)
    one, other = (
        plots.render(draw_pyramid_browser(features, Pools.strides, image, level="p3", channel=channel))
        for channel in (2, 99)
    )
    assert one == other


def test_the_face_shows_widgets_and_a_static_picture():
    browser = instance_browser(Drawn())
    data, metadata = browser._repr_mimebundle_()
    assert base64.b64decode(data["image/jpeg"]) == browser.picture.value
    assert "model_id" in data["application/vnd.jupyter.widget-view+json"]
    assert metadata["image/jpeg"]["alt"] == browser.caption
    assert all(not getattr(control, "continuous_update", False) for control in browser.controls.values())


def test_an_error_is_shown_and_raised():
    def draw(number: int):
        if number == 2:
            raise ValueError("two is too much")
        return plots.pipeline_map(number)

    face = explore(draw, caption="c", number=ipywidgets.IntSlider(0, 0, 3))
    with pytest.raises(ValueError, match="two is too much"):
        face.move_all()
    assert "two is too much" in face.error.value
    face.controls["number"].value = 1
    assert face.error.value == ""


def test_stops_reach_both_ends():
    assert list(stops(ipywidgets.IntSlider(3, 0, 3))) == [0, 1, 2, 3]
    assert list(stops(ipywidgets.IntSlider(0, 0, 100))) == [0, 25, 50, 75, 100]
    assert list(stops(ipywidgets.IntSlider(5, 5, 5))) == [5]
    assert list(stops(ipywidgets.FloatSlider(0.5, min=0, max=1, step=0.5))) == [0.0, 0.5, 1.0]
    assert list(stops(ipywidgets.Checkbox(True))) == [True, False]
    assert list(stops(ipywidgets.Dropdown(options=[("one", 1), ("two", 2)]))) == [1, 2]


def test_the_padding_stays_behind_the_picture():
    """A grey rectangle drawn over the image would hide it and raise nothing."""
    features = {"p2": torch.rand(1, 3, 8, 8)}  # an image of 16×24, padded to 32×32
    pictures = []
    for shade in (0.0, 1.0):
        figure = draw_pyramid_browser(
            features, {"p2": 4}, torch.full((3, 16, 24), shade), level="p2", channel=0, across=0.9, down=0.9
        )
        pictures.append(plots.render(figure))
    assert pictures[0] != pictures[1]
