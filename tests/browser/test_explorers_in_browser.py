"""Every explorer of every lesson, in a real JupyterLab in a real browser: its sliders move its picture."""

from pathlib import Path

import nbformat
import pytest
from lesson_cells import find_explorers, lessons_with_explorers, read, reduced

# These are run as they are; of the others, for the sake of time, the cells that their explorers need.
WHOLE = ("00_start_here",)

MAKE = """
import ipywidgets
from itertools import count
from lessons import plots
from lessons.explorers import explore

def draw(number):
    if number > 8:
        raise ValueError(f"{number} is too much")
    figure = plots.new_figure(2, 2)
    figure.text(0.5, 0.5, str(number))
    return figure

number = lambda value: ipywidgets.IntSlider(value, 0, 9)
calls = count()
"""
SOUND = 'x = explore(draw, caption="c", number=number(3))\nx'
STILL = 'x = explore(lambda number: draw(0), caption="c", number=number(3))\nx'
DRIFTING = 'x = explore(lambda number: draw(next(calls)), caption="c", number=number(3))\nx'
FAILING = 'x = explore(draw, caption="c", number=number(8))\nx'


def begin(desk, path: Path) -> None:
    if path.stem not in desk.begun:
        notebook = read(path)
        desk.begin(path.stem, notebook if path.stem in WHOLE else reduced(notebook))


def next_lesson(request: pytest.FixtureRequest) -> Path | None:
    """The lesson of the test after this one, if that is asked for."""
    items = request.session.items
    after = items[items.index(request.node) + 1 :][:1]
    return after[0].callspec.params.get("path") if after and hasattr(after[0], "callspec") else None


@pytest.mark.parametrize("path", lessons_with_explorers(), ids=lambda path: path.stem)
def test_every_slider_moves_the_picture(desk, pictures, path, request):
    begin(desk, path)
    if following := next_lesson(request):
        begin(desk, following)
    with desk.opened(path.stem, pictures) as lesson:
        for explorer in find_explorers(read(path)):
            face = lesson.show(explorer.cell_id)
            face.keep(pictures / f"{path.stem}-{explorer.name}.png")
            sliders = face.sliders()
            assert sliders, f"{explorer.name} has no slider"
            for label, handle in sliders:
                face.move(label, handle)
            face.check_error_free()


def test_a_broken_explorer_does_not_pass(desk, tmp_path):
    cells = [nbformat.v4.new_code_cell(source) for source in (MAKE, SOUND, STILL, DRIFTING, FAILING)]
    python = {"name": "python3", "display_name": "Python 3", "language": "python"}  # else the page asks
    desk.begin("broken", nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": python}))
    sound, still, drifting, failing = (cell.id for cell in cells[1:])
    with desk.opened("broken", tmp_path) as lesson:

        def move(cell_id: str) -> None:  # one at a time: what is scrolled away is not in the page
            face = lesson.show(cell_id)
            face.move(*face.sliders()[0])
            face.check_error_free()

        move(sound)
        with pytest.raises(AssertionError, match="“number”: the picture is the same after 6 steps"):
            move(still)
        with pytest.raises(AssertionError, match="“number”: moved and moved back"):
            move(drifting)
        lesson.check_error_free()
        with pytest.raises(AssertionError, match="the picture is the same"):
            move(failing)
        with pytest.raises(AssertionError, match="ValueError: 9 is too much"):
            lesson.show(failing).check_error_free()
        with pytest.raises(AssertionError, match="ValueError: 9 is too much"):
            move(sound)  # the lesson is one: an error anywhere in it counts
