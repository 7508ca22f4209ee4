"""Drawing: pixels change where they should, inputs stay, and every size of picture can be drawn."""

import base64
import io
import itertools

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from PIL import Image

from lessons import palette, plots
from lessons.errors import LessonsError
from lessons.plots import layers, showing, tags


def drawn(figure, kind: str = "plot") -> np.ndarray:
    """The rendered figure as uint8 (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(plots.render(figure, kind))).convert("RGB"))


def a_target(count: int = 2, height: int = 60, width: int = 80) -> dict:
    masks = torch.zeros(count, height, width, dtype=torch.bool)
    boxes = torch.zeros(count, 4)
    for i in range(count):
        y, x = 5 + 20 * i, 10 + 25 * i
        masks[i, y : y + 15, x : x + 20] = True
        boxes[i] = torch.tensor([x, y, x + 20, y + 15])
    return {"masks": masks, "boxes": boxes, "labels": torch.arange(1, count + 1)}


def has_colour(picture: np.ndarray, colour: str, tolerance: int = 12) -> bool:
    wanted = np.array(palette.channels(colour)) * 255
    return bool((np.abs(picture.astype(float) - wanted).max(-1) <= tolerance).any())


def lab(colour: str) -> np.ndarray:
    """CIE L*a*b* (D65)."""
    rgb = np.array(palette.channels(colour))
    rgb = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ rgb / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_instance_colours_are_no_role_colours_and_differ():
    for instance in palette.INSTANCES:
        for role in (*palette.ROLES.values(), palette.HIGHLIGHT):
            assert np.linalg.norm(lab(instance) - lab(role)) >= 30, (instance, role)
    for one, other in itertools.combinations(palette.INSTANCES, 2):
        assert np.linalg.norm(lab(one) - lab(other)) >= 20, (one, other)


def test_ink_is_legible_on_every_colour():
    def luminance(colour):
        c = np.array(palette.channels(colour))
        c = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
        return c @ [0.2126, 0.7152, 0.0722]

    for colour in (*palette.INSTANCES, *palette.ROLES.values(), palette.HIGHLIGHT):
        high, low = sorted([luminance(colour), luminance(palette.ink_on(colour))], reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 3.5, colour


def test_masks_boxes_and_tags_change_pixels_only_where_they_are():
    image, target = torch.full((3, 60, 80), 0.5), a_target(1)
    plain = drawn(plots.draw_image(image))
    masked = drawn(plots.draw_instances(image, target, boxes=False, labels=False))
    changed = np.argwhere((plain != masked).any(-1))
    height, width = plain.shape[:2]
    (top, left), (bottom, right) = changed.min(0), changed.max(0)
    # The mask covers rows 5..20 of 60 and columns 10..30 of 80; figures have a thin margin.
    assert abs(top / height - 5 / 60) < 0.03 and abs(bottom / height - 20 / 60) < 0.03
    assert abs(left / width - 10 / 80) < 0.03 and abs(right / width - 30 / 80) < 0.03
    boxed = drawn(plots.draw_instances(image, target, masks=False, labels=False))
    tagged = drawn(plots.draw_instances(image, target, masks=False, boxes=False))
    assert (boxed != plain).any() and (tagged != plain).any() and (tagged != boxed).any()
    nothing = plots.draw_instances(image, target, masks=False, boxes=False, labels=False)
    assert np.array_equal(drawn(nothing), plain)


@pytest.mark.parametrize("role", ["ground truth", "prediction"])
def test_role_colours(role):
    picture = drawn(plots.draw_instances(torch.zeros(3, 60, 80), a_target(), labels=False, role=role))
    assert has_colour(picture, palette.ROLES[role])
    assert not has_colour(picture, palette.instance_colour(1))


def test_unknown_role_is_named():
    with pytest.raises(ValueError, match=r"truth.*ground truth"):
        plots.draw_instances(torch.zeros(3, 60, 80), a_target(), role="truth")


def test_void_border_has_the_ignored_colour_and_can_be_left_out():
    target = a_target(0) | {"ignore": torch.zeros(60, 80, dtype=torch.bool)}
    target["ignore"][20:40] = True
    image = torch.zeros(3, 60, 80)
    plain = drawn(plots.draw_image(image))
    shown = drawn(plots.draw_instances(image, target))
    assert has_colour(shown, palette.IGNORED, tolerance=40) and not has_colour(plain, palette.IGNORED, 40)
    assert np.array_equal(drawn(plots.draw_instances(image, target, ignore=False)), plain)


def test_input_is_not_changed():
    image, target = torch.rand(3, 60, 80), a_target()
    before = image.clone(), {key: value.clone() for key, value in target.items()}
    drawn(plots.draw_instances(image, target))
    drawn(plots.matrix(image[0, :4, :4], highlight=[(0, 0)]))
    drawn(plots.feature_maps(image))
    assert torch.equal(image, before[0])
    assert all(torch.equal(target[key], before[1][key]) for key in target)


def test_no_instances():
    empty = {"masks": torch.zeros(0, 60, 80, dtype=torch.bool), "boxes": torch.zeros(0, 4),
             "labels": torch.zeros(0, dtype=torch.int64), "scores": torch.zeros(0)}  # fmt: skip
    image = torch.rand(3, 60, 80)
    assert np.array_equal(drawn(plots.draw_instances(image, empty)), drawn(plots.draw_image(image)))


def test_an_instance_with_an_empty_mask_is_drawn_without_a_contour():
    target = a_target(1)
    target["masks"][:] = False
    drawn(plots.draw_instances(torch.rand(3, 60, 80), {"masks": target["masks"], "labels": target["labels"]}))


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 300), (300, 1), (2500, 1800)])
def test_pictures_of_any_size(size):
    target = {"masks": torch.ones(1, *size, dtype=torch.bool), "labels": torch.tensor([1]),
              "boxes": torch.tensor([[0.0, 0, size[1], size[0]]])}  # fmt: skip
    picture = drawn(plots.draw_instances(np.zeros((*size, 3), np.uint8), target))
    assert max(picture.shape) <= 600 and min(picture.shape[:2]) >= 100


@pytest.mark.parametrize("text", ["a" * 300, "ein sehr langer Name mit Umlauten äöü", "$x_1^2$", ""])
def test_tags_stay_inside_the_picture(text):
    ax = plots.draw_instances(
        torch.zeros(3, 60, 80), a_target() | {"scores": torch.ones(2)}, classes=[text] * 2
    )
    drawn(ax)
    layer = next(artist for artist in ax.artists if isinstance(artist, tags.TagLayer))
    window = ax.get_window_extent()
    assert len(layer.placed) == 2
    for spot in layer.placed:
        assert spot.x0 >= window.x0 - 1 and spot.x1 <= window.x1 + 1
        assert spot.y0 >= window.y0 - 1 and spot.y1 <= window.y1 + 1


def test_tags_of_one_box_do_not_overlap():
    target = a_target(1)
    target = {key: value.repeat(4, *[1] * (value.ndim - 1)) for key, value in target.items()}
    ax = plots.draw_instances(torch.zeros(3, 60, 80), target)
    drawn(ax)
    layer = next(artist for artist in ax.artists if isinstance(artist, tags.TagLayer))
    for one, other in itertools.combinations(layer.placed, 2):
        assert tags.shared_area(one, other) == 0


def test_masks_of_another_size_are_named():
    with pytest.raises(LessonsError, match=r"\(60, 80\).*\(30, 40\)"):
        plots.draw_instances(torch.zeros(3, 30, 40), a_target())


@pytest.mark.parametrize("shape", [(4, 8, 8), (2, 3, 8, 8), (5,)])
def test_what_is_no_image_is_named(shape):
    with pytest.raises(LessonsError, match="image has shape"):
        plots.as_picture(torch.zeros(shape))


def test_tensors_are_channels_first_and_arrays_last():
    tensor = torch.rand(3, 4, 5)
    array = (tensor.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    assert np.abs(plots.as_picture(tensor) - plots.as_picture(array)).max() <= 0.5 / 255 + 1e-6
    assert plots.as_picture(torch.tensor([[2.0, float("nan")]])).tolist() == [[[1.0] * 3, [0.0] * 3]]
    assert plots.as_picture(np.array([[True, False]])).tolist() == [[[1.0] * 3, [0.0] * 3]]


def test_grid_takes_mixed_sizes_and_fills_the_width():
    images = [torch.rand(3, 30, 60), torch.rand(3, 60, 30), torch.rand(3, 40, 40)]
    figure = plots.image_grid(images, ["a", "b", "c"], [None, None, None], columns=2)
    assert len(figure.axes) == 3
    drawn(figure)
    with pytest.raises(LessonsError, match="titles has 1 entries for 3"):
        plots.image_grid(images, ["a"])
    with pytest.raises(LessonsError, match="images is empty"):
        plots.image_grid([])


def test_slots_of_a_grid_are_equally_high_and_keep_their_ratios():
    slots, height = layers.justify([[2.0, 0.5], [1.0]], 8.0, 0.2)
    (x1, y1, w1, h1), (x2, y2, w2, h2), (_, y3, _, h3) = slots
    assert h1 == h2 and y1 == y2 and w1 == pytest.approx(2 * h1) and w2 == pytest.approx(h2 / 2)
    assert x2 > x1 + w1 and y3 > y1 + h1 and y3 + h3 < height


def test_matrix_writes_its_numbers():
    ax = plots.matrix(torch.tensor([[1.0, -0.001], [float("inf"), float("nan")]]), title="t")
    assert [text.get_text() for text in ax.texts] == ["1.00", "0.00", "∞", "nan"]
    ax = plots.matrix(torch.tensor([[1, -20]]), row_labels=["r"], column_labels=["a", "b"])
    assert {text.get_text() for text in ax.texts} == {"1", "−20", "r", "a", "b"}


def test_matrix_cells_by_mask_by_pairs_and_by_role():
    table = torch.zeros(2, 3)
    by_pairs = drawn(plots.matrix(table, highlight=[(0, 1), (-1, -1)]))
    mask = torch.tensor([[False, True, False], [False, False, True]])
    assert np.array_equal(by_pairs, drawn(plots.matrix(table, highlight=mask)))
    assert has_colour(by_pairs, palette.HIGHLIGHT)
    assert has_colour(drawn(plots.matrix(table, roles={"positive": [(0, 0)]})), palette.POSITIVE)
    assert has_colour(drawn(plots.matrix(table > -1)), palette.GROUND_TRUTH)
    drawn(plots.matrix(torch.full((2, 2), 3.0), shade=True))  # no range to shade


@pytest.mark.parametrize("shape", [(0, 3), (30, 2), (2, 2, 2)])
def test_matrices_nobody_can_read_are_refused(shape):
    with pytest.raises(LessonsError, match="shape"):
        plots.matrix(torch.zeros(shape))


def test_matrices_in_a_row_need_one_sign_fewer():
    assert len(plots.matrices([torch.eye(2), torch.eye(3)], ["a", "b"], ["→"]).axes) == 3
    with pytest.raises(LessonsError, match="one sign fewer"):
        plots.matrices([torch.eye(2)], ["a"], ["="])


def test_feature_maps_titles_say_level_stride_and_shape():
    features = {"p2": torch.rand(2, 8, 16, 20), "p3": torch.rand(2, 8, 8, 10)}
    figure = plots.feature_maps(features, strides={"p2": 4, "p3": 8}, channels=[0, 7])
    titles = [ax.get_title() for ax in figure.axes]
    assert titles[0] == "p2 · stride 4\n8×16×20 · channel 0" and len(titles) == 4
    assert figure.axes[3].images[0].get_array().shape == (8, 10)
    assert np.allclose(figure.axes[3].images[0].get_array(), features["p3"][0, 7])
    with pytest.raises(LessonsError, match="channel 8"):
        plots.feature_maps(features, channels=[8])
    with pytest.raises(LessonsError, match="shape"):
        plots.feature_maps(torch.rand(4, 4))


def test_charts_and_tables():
    drawn(plots.bars({"person": 3, "cat": 0}, title="t"))
    drawn(plots.bars({}))
    drawn(plots.histogram([1, 2, 3, float("nan")]))
    drawn(plots.histogram(torch.tensor([0.0, 1, 10, 100]), log=True))
    drawn(plots.histogram([], log=True))
    table = plots.tensor_shapes({"a": torch.zeros(2, 3), "b": [{"c": np.zeros(4, np.uint8)}], "n": 5})
    assert table.split("\n") == ["a       2×3  float32", "b[0].c  4    uint8", "n       5    int"]


def test_the_map_shows_every_lesson_and_highlights_one():
    assert sorted(stop.number for stop in plots.pipeline.STOPS) == list(range(len(plots.LESSONS)))
    assert not has_colour(drawn(plots.pipeline_map()), palette.HIGHLIGHT)
    seen = {drawn(plots.pipeline_map(here)).tobytes() for here in (0, "07_from_cells_to_masks", 19)}
    assert len(seen) == 3
    assert np.array_equal(drawn(plots.pipeline_map(7)), drawn(plots.pipeline_map("07_from_cells_to_masks")))
    for wrong in (20, "99_x", "x", -1):
        with pytest.raises(LessonsError, match="no lesson"):
            plots.pipeline_map(wrong)


def test_names_on_the_map_fit_their_boxes():
    figure = plots.pipeline_map(2)
    renderer = figure.canvas.get_renderer() if hasattr(figure.canvas, "get_renderer") else None
    if renderer is None:
        drawn(figure)
        renderer = figure._get_renderer()
    names = {stop.name: stop for stop in plots.pipeline.STOPS}
    for text in figure.axes[0].texts:
        if text.get_text() in names:
            extent = text.get_window_extent(renderer)
            assert extent.width <= plots.pipeline.WIDE * showing.DPI - 4, text.get_text()
            assert text.get_fontsize() >= 9


@pytest.fixture
def displayed(monkeypatch) -> list:
    calls = []
    monkeypatch.setattr(showing, "display", lambda data, **options: calls.append((data, options)))
    return calls


@pytest.mark.parametrize(
    "kind, mime, magic", [("plot", "image/png", b"\x89PNG"), ("photo", "image/jpeg", b"\xff\xd8")]
)
def test_show_displays_a_picture_with_alt_text_and_a_caption(displayed, kind, mime, magic):
    plots.show(plots.draw_image(torch.rand(3, 20, 30)), "Look at the noise.", kind=kind, width=300)
    (data, options), (caption, _) = displayed
    assert base64.b64decode(data[mime]).startswith(magic)
    assert options["metadata"][mime] == {"alt": "Look at the noise.", "width": 300}
    assert caption["text/markdown"] == "*Look at the noise.*"


def test_show_closes_figures_and_takes_several(displayed):
    figures = [plt.figure(), plt.figure()]
    figures[0].add_subplot().plot([1, 2])
    plots.show(figures, "Two.")
    assert len(displayed) == 3 and plt.get_fignums() == []


def test_show_insists_on_a_caption_and_a_known_kind(displayed):
    with pytest.raises(LessonsError, match="caption"):
        plots.show(plots.pipeline_map(), " ")
    with pytest.raises(LessonsError, match="kind='gif'"):
        plots.show(plots.pipeline_map(), "x", kind="gif")
    assert displayed == []


def test_the_same_figure_gives_the_same_bytes():
    assert plots.render(plots.pipeline_map(3)) == plots.render(plots.pipeline_map(3))


def test_a_notebook_stores_few_colours_and_a_file_all():
    figure = plots.new_figure(3, 2)
    figure.add_subplot().imshow(np.arange(3000).reshape(50, 60), cmap="viridis")
    whole, few = plots.render(figure), plots.render(figure, few_colours=True)
    pictures = [np.asarray(Image.open(io.BytesIO(file)).convert("RGB"), dtype=int) for file in (whole, few)]
    counts = [len(np.unique(picture.reshape(-1, 3), axis=0)) for picture in pictures]
    assert counts[0] > 256 >= counts[1] and len(few) < len(whole)
    assert np.abs(pictures[0] - pictures[1]).mean() < 2, "and looks the same"
