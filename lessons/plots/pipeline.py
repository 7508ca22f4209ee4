"""The map of the course: every lesson as a box in the pipeline, with "you are here"."""

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from lessons import palette
from lessons.errors import LessonsError
from lessons.plots.showing import new_figure

LESSONS = (
    "00_start_here", "01_voc_instances", "02_batches_and_backbones", "03_coordconv_and_the_solo_head",
    "04_grid_targets", "05_losses_and_training", "06_the_training_loop", "07_from_cells_to_masks",
    "08_average_precision", "09_configs_and_registry", "10_anchors_and_matching", "11_region_proposals",
    "12_roi_align", "13_box_head", "14_mask_head", "15_point_sampling", "16_subdivision",
    "17_training_with_points", "18_side_by_side", "19_official_weights",
)  # fmt: skip

WIDE, HIGH = 1.0, 0.58  # a lesson's box, in inches
COLUMN, ROW = 1.12, 0.86  # from one box to the next
LEFT, TOP = 0.64, 0.62  # centre of the first box
LINE = "#7B8794"
PAD = 0.13  # of a family's lane around its boxes


@dataclass(frozen=True)
class Stop:
    """A lesson on the map: its number, its short name, and its place in the grid of columns and rows."""

    number: int
    name: str
    column: float
    row: float

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) in inches, y downwards."""
        return LEFT + self.column * COLUMN, TOP + self.row * ROW


STOPS = (
    Stop(0, "Start\nhere", 0, 0),
    Stop(1, "VOC\ninstances", 0, 1),
    Stop(2, "Batches,\nbackbones", 0, 2),
    Stop(3, "SOLO head", 1.25, 0),
    Stop(4, "Grid\ntargets", 2.25, 0),
    Stop(5, "Losses,\ntraining", 3.25, 0),
    Stop(7, "Cells\nto masks", 5.25, 0),
    Stop(10, "Anchors,\nmatching", 1.25, 1),
    Stop(11, "Region\nproposals", 2.25, 1),
    Stop(12, "RoIAlign", 3.25, 1),
    Stop(13, "Box head", 4.25, 1),
    Stop(14, "Mask head", 5.25, 1),
    Stop(15, "Point\nsampling", 3.25, 2),
    Stop(16, "Sub-\ndivision", 4.25, 2),
    Stop(17, "Training\non points", 5.25, 2),
    Stop(8, "Average\nprecision", 6.5, 0),
    Stop(18, "Side\nby side", 6.5, 1),
    Stop(19, "Official\nweights", 6.5, 2),
    Stop(6, "Training\nloop", 4.25, 0),
    Stop(9, "Configs,\nregistry", 1.25, 2),
)


def lesson_number(here: int | str) -> int:
    """The number of a lesson: 7, "07" or "07_from_cells_to_masks" give 7.

    Raises:
        LessonsError: the course has no such lesson.
    """
    digits = str(here)[:2]
    if digits.isdigit() and int(str(here).split("_")[0]) < len(LESSONS):
        return int(digits)
    raise LessonsError(f"here={here!r} is no lesson: give a number from 0 to {len(LESSONS) - 1} or a name.")


def pipeline_map(here: int | str | None = None) -> Figure:
    """The whole course as one drawing, 8 inches wide, with the box of the lesson `here` highlighted.

    Left to right as an image travels: data and backbone, then one of three families, then evaluation.

    Raises:
        LessonsError: the course has no such lesson.
    """
    current = None if here is None else lesson_number(here)
    width, height = 2 * LEFT + 6.5 * COLUMN, TOP + 2 * ROW + HIGH / 2 + 0.2
    figure = new_figure(width, height)
    figure.set_layout_engine("none")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(height, 0))
    ax.set_axis_off()
    draw_lanes(ax)
    draw_arrows(ax)
    for stop in STOPS:
        draw_stop(ax, stop, stop.number == current)
    return figure


def draw_lanes(ax: Axes) -> None:
    """Pale grounds behind what belongs together, with the name above."""
    lanes = (
        ("data", 0, 0, 0, 2),
        ("SOLO", 1.25, 5.25, 0, 0),
        ("Mask R-CNN", 1.25, 5.25, 1, 1),
        ("PointRend", 3.25, 5.25, 2, 2),
        ("models", 1.25, 1.25, 2, 2),
        ("results", 6.5, 6.5, 0, 2),
    )
    for name, first, last, top, bottom in lanes:
        x, y = LEFT + first * COLUMN - WIDE / 2 - PAD / 2, TOP + top * ROW - HIGH / 2 - 0.19
        wide, high = (last - first) * COLUMN + WIDE + PAD, (bottom - top) * ROW + HIGH + 0.26
        ax.add_patch(rounded(x, y, wide, high, "#EEF1F4", "none", 0.09))
        ax.text(
            x + PAD / 2 + 0.02, y + 0.105, name, fontsize=8.5, va="center", color="#5B6875", weight="bold"
        )


def draw_arrows(ax: Axes) -> None:
    """The way of an image through the course."""
    pairs = ["0-1", "1-2", "3-4", "4-5", "5-6", "6-7", "10-11", "11-12", "12-13", "13-14", "15-16", "16-17"]
    places = {stop.number: stop.centre for stop in STOPS}
    for start, end in (pair.split("-") for pair in pairs):
        (x1, y1), (x2, y2) = places[int(start)], places[int(end)]
        if y1 == y2:
            arrow(ax, (x1 + WIDE / 2, y1), (x2 - WIDE / 2, y2))
        else:
            arrow(ax, (x1, y1 + HIGH / 2), (x2, y2 - HIGH / 2))
    draw_trunks(ax, places)


def draw_trunks(ax: Axes, places: dict[int, tuple[float, float]]) -> None:
    """From the backbone into the families, from the families to the results, from RoIAlign to PointRend."""
    half = WIDE / 2 + PAD / 2
    trunk = (places[2][0] + half + places[3][0] - half) / 2
    ax.plot([places[2][0] + WIDE / 2, trunk], [places[2][1]] * 2, color=LINE, linewidth=1.1, zorder=2)
    ax.plot([trunk, trunk], [places[2][1], places[3][1]], color=LINE, linewidth=1.1, zorder=2)
    for first in (3, 10):
        arrow(ax, (trunk, places[first][1]), (places[first][0] - WIDE / 2, places[first][1]))
    draw_bracket(ax, [(places[last][0] + half, places[last][1]) for last in (7, 14, 17)], places[8][0] - half)
    x = places[15][0] + 0.36  # past the lane's name
    arrow(ax, (x, places[12][1] + HIGH / 2), (x, places[15][1] - HIGH / 2))


def draw_bracket(ax: Axes, ends: list[tuple[float, float]], results: float) -> None:
    """All family lanes, joined, into the lane of the results: between two lessons, as it means none alone."""
    (x, top), (_, middle), (_, bottom) = ends
    joint = x + 0.4 * (results - x)
    for _, y in ends:
        ax.plot([x, joint], [y, y], color=LINE, linewidth=1.1, zorder=2)
    ax.plot([joint, joint], [top, bottom], color=LINE, linewidth=1.1, zorder=2, solid_capstyle="projecting")
    arrow(ax, (joint, (top + middle) / 2), (results, (top + middle) / 2))


def arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """A short arrow from edge to edge."""
    ax.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>,head_length=3.2,head_width=2.2", color=LINE,
            linewidth=1.1, shrinkA=0, shrinkB=0, joinstyle="miter", zorder=2,
        )
    )  # fmt: skip


def draw_stop(ax: Axes, stop: Stop, current: bool) -> None:
    """One lesson: its number small in the corner, its name; yellow with a bold frame where the reader is."""
    x, y = stop.centre
    ground, frame = (palette.HIGHLIGHT, palette.INK) if current else (palette.PAPER, "#B8C2CC")
    ax.add_patch(
        rounded(x - WIDE / 2, y - HIGH / 2, WIDE, HIGH, ground, frame, 0.07, 2.0 if current else 1.0)
    )
    ax.text(
        x - WIDE / 2 + 0.06, y - HIGH / 2 + 0.12, f"{stop.number:02d}",
        fontsize=8.5, va="center", color=palette.INK if current else "#5B6875",
    )  # fmt: skip
    ax.text(
        x + 0.03, y + 0.06, stop.name, fontsize=9.5, ha="center", va="center", linespacing=1.15, zorder=4,
        weight="bold" if current else "normal",
    )  # fmt: skip


def rounded(
    x: float, y: float, wide: float, high: float, ground: str, frame: str, radius: float, line: float = 1.0
) -> FancyBboxPatch:
    """A rectangle with rounded corners."""
    return FancyBboxPatch(
        (x, y), wide, high, boxstyle=f"round,pad=0,rounding_size={radius}",
        facecolor=ground, edgecolor=frame, linewidth=line, zorder=1 if frame == "none" else 3,
    )  # fmt: skip
