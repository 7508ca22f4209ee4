"""Models side by side: who stands for what, where to look, and figures that hold it."""

import matplotlib.colors
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lessons import palette, plots
from lessons.errors import LessonsError
from lessons.plots.families import (
    NOTHING,
    Closeup,
    busiest_window,
    colours_of,
    draw_outlines,
    families,
    objects_of,
)

SIZE = (24, 32)


def strips(*columns: tuple[int, int]) -> torch.Tensor:
    drawn = torch.zeros(len(columns), *SIZE, dtype=torch.bool)
    for mask, (start, end) in zip(drawn, columns, strict=True):
        mask[:, start:end] = True
    return drawn


def test_each_object_is_taken_once_and_by_the_first():
    truth = strips((0, 10), (10, 20))
    found = strips((0, 8), (1, 10), (12, 20), (0, 20), (25, 30))
    # d1 fits object 0 better, but d0 came first; d3 overlaps both by half, and both are taken.
    assert objects_of(found, truth) == [0, -1, 1, -1, -1]
    assert objects_of(found[3:4], truth) == [0]
    assert objects_of(found[3:4], truth, least=0.51) == [-1]


def test_a_second_choice_is_free():
    truth = strips((0, 10), (6, 16))
    assert objects_of(strips((0, 10), (2, 13)), truth) == [0, 1]


@pytest.mark.parametrize("found, truth", [(0, 2), (2, 0), (0, 0)])
def test_nothing_found_or_nothing_there(found: int, truth: int):
    empty = torch.zeros(0, *SIZE, dtype=torch.bool)
    a = strips((0, 4), (5, 9)) if found else empty
    b = strips((0, 4), (5, 9)) if truth else empty
    assert objects_of(a, b) == [-1] * found


def test_one_object_has_one_colour_in_every_model():
    truth = strips((0, 10), (10, 20))
    first, second = strips((0, 10), (10, 20)), strips((11, 20), (25, 30), (0, 9))
    assert colours_of(first, truth) == [palette.instance_colour(0), palette.instance_colour(1)]
    assert colours_of(second, truth) == [palette.instance_colour(1), NOTHING, palette.instance_colour(0)]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**31),
    st.tuples(st.integers(1, 9), st.integers(1, 12)),
    st.tuples(st.integers(1, 14), st.integers(1, 14)),
)
def test_no_window_holds_more(seed: int, whole: tuple[int, int], size: tuple[int, int]):
    values = np.random.default_rng(seed).integers(0, 3, whole)
    x1, y1, x2, y2 = (int(edge) for edge in busiest_window(values, size))
    height, width = min(size[0], whole[0]), min(size[1], whole[1])
    assert (y2 - y1, x2 - x1) == (height, width) and min(x1, y1) >= 0
    assert x2 <= whole[1] and y2 <= whole[0]
    most = max(
        values[top : top + height, left : left + width].sum()
        for top in range(whole[0] - height + 1)
        for left in range(whole[1] - width + 1)
    )
    assert values[y1:y2, x1:x2].sum() == most


def test_what_is_looked_at_stands_in_the_middle():
    values = torch.zeros(21, 21)
    values[10, 10] = 1
    assert busiest_window(values, (5, 7)) == (7, 8, 14, 13)


def a_scene() -> tuple[torch.Tensor, dict, dict]:
    truth = {"masks": strips((2, 12), (14, 24))}
    return torch.rand(3, *SIZE), truth, {"A": {"masks": strips((2, 12))}, "B": {"masks": strips()}}


def colours_in(ax) -> set[str]:
    """Colours of lines that an Axes holds."""
    drawn = [colour for lines in ax.collections for colour in lines.get_edgecolor()]
    return {matplotlib.colors.to_hex(colour).upper() for colour in drawn}


def test_a_row_has_a_panel_for_each_model():
    image, truth, predictions = a_scene()
    figure = families(image, truth, predictions)
    assert [ax.get_title() for ax in figure.axes] == ["A", "B"]
    assert palette.instance_colour(0) in colours_in(figure.axes[0])
    assert colours_in(figure.axes[1]) == set()
    assert plots.render(figure)


def test_a_closeup_is_framed_and_shows_outlines_and_points():
    image, truth, predictions = a_scene()
    soft = torch.zeros(4 * SIZE[0], 4 * SIZE[1])
    soft[:, 8:44] = 0.9  # columns 2 to 11 of the picture
    points = torch.tensor([[11.0, 5.0], [11.5, 7.0]])
    closeup = Closeup((6, 4, 18, 12), truth["masks"][0], {"A": soft, "C": soft}, points, "asked here")
    figure = families(image, truth, predictions, closeup)
    assert [ax.get_title() for ax in figure.axes] == ["A", "B", "A, enlarged", "C, enlarged", "asked here"]
    framed, other, first, _, last = figure.axes
    assert len(framed.patches) == 2 and not other.patches  # the yellow frame and its dark rim
    assert first.get_xlim() == (6, 18) and first.get_ylim() == (12, 4)
    assert colours_in(first) == {palette.GROUND_TRUTH, palette.PREDICTION}
    assert np.allclose(last.collections[-1].get_offsets(), points)
    assert plots.render(figure)


def test_a_soft_outline_lies_where_the_probability_is_one_half():
    ax = plots.new_figure(2, 2).add_subplot()
    soft = torch.zeros(4 * SIZE[0], 4 * SIZE[1])
    soft[40:60, 20:100] = 1.0  # rows 10 to 15, columns 5 to 25 of the picture
    draw_outlines(ax, torch.rand(3, *SIZE), torch.zeros(SIZE, dtype=torch.bool), soft, (0, 0, 32, 24))
    (line,) = ax.collections
    corners = np.concatenate([path.vertices for path in line.get_paths()])
    assert np.allclose(corners.min(axis=0), (5, 10), atol=0.13)
    assert np.allclose(corners.max(axis=0), (25, 15), atol=0.13)


def test_a_mask_that_fills_the_picture_has_an_outline_and_an_empty_one_none():
    for value, lines in ((1.0, 1), (0.0, 0)):
        ax = plots.new_figure(2, 2).add_subplot()
        empty = torch.zeros(SIZE, dtype=torch.bool)
        draw_outlines(ax, torch.rand(3, *SIZE), empty, torch.full(SIZE, value), (0, 0, 32, 24))
        assert len(ax.collections) == lines


def test_nothing_to_draw_is_an_error():
    image, truth, predictions = a_scene()
    with pytest.raises(LessonsError, match="at least one prediction"):
        families(image, truth, {})
    with pytest.raises(LessonsError, match="at least one outline"):
        families(image, truth, predictions, Closeup((0, 0, 4, 4), truth["masks"][0], {}))
