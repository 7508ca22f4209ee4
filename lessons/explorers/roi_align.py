"""The explorer of RoIAlign: a box over a small map, where it is sampled, and what comes out."""

import math

import ipywidgets
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from lessons import palette
from lessons.errors import LessonsError
from lessons.explorers.face import Explorer, explore
from lessons.mask_rcnn.roi_align import pooled_bins, roi_align_by_hand, sampling_points
from lessons.plots.matrices import matrix
from lessons.plots.showing import new_figure

Box = tuple[float, float, float, float]
MOST_NUMBERS = 10  # maps with more pixels a side are drawn without their numbers
MOST_POINTS = 2500  # more are a red surface


def draw_roi_align(
    level: Tensor,
    *,
    left: float,
    top: float,
    width: float,
    height: float,
    side: int = 2,
    sampling_ratio: int = 2,
    aligned: bool = True,
    rounded: bool = False,
    stride: int = 16,
) -> Figure:
    """The map with the box, its bins and the sampled points; beside it the side × side result.

    Args:
        level: (h, w), the map; pixel (r, c) is drawn over rows r to r + 1 and columns c to c + 1.
        left, top, width, height: of the box, in pixels of the image; it may reach outside.
        side: S. sampling_ratio: samples in a bin, each way; 0: as many as the bin is wide, rounded up.
        aligned: see `lessons.mask_rcnn.roi_align.roi_align`.
        rounded: RoIPool instead: whole pixels, and the greatest of each bin. Then there are no points.
        stride: pixels of the image to one of the map.

    Raises:
        LessonsError: the map is not (h, w).
    """
    if level.ndim != 2 or not level.numel():
        raise LessonsError(f"level has shape {tuple(level.shape)}: give a map (h, w).")
    box = (left, top, left + width, top + height)
    figure = new_figure(8.6, 4.7)
    ax, beside = figure.subplots(1, 2, width_ratios=(1.75, 1))
    draw_map(ax, level, stride)
    draw_box(ax, box, stride)
    if rounded:
        bins = pooled_bins(torch.tensor(box), side, 1 / stride)  # (S, S, 4)
        result = pool(level, bins)
        draw_bins(ax, bins.reshape(-1, 4))
        ax.set_title("RoIPool: orange bins of whole pixels")
    else:
        scale = 1 / stride
        points, (ny, nx) = sampling_points(torch.tensor(box), side, scale, sampling_ratio, aligned)
        result = roi_align_by_hand(level[None], torch.tensor(box), side, scale, sampling_ratio, aligned)[0]
        result = result.nan_to_num(0.0)  # a box without extent has no samples
        draw_bins(ax, sampled_bins(box, side, stride, aligned))
        draw_points(ax, points)
        ax.set_title(f"{'aligned' if aligned else 'legacy'} RoIAlign, {ny}×{nx} samples in a bin")
    draw_result(beside, result, "the greatest of each bin" if rounded else "the mean of each bin")
    return figure


def draw_map(ax: Axes, level: Tensor, stride: int) -> None:
    """The map's pixels as a shaded grid with their values; ticks count pixels of the image."""
    height, width = level.shape
    ax.imshow(level.numpy(), cmap="Greys", extent=(0, width, height, 0), alpha=0.4, vmin=0, zorder=0)
    ax.vlines(range(width + 1), 0, height, color=palette.FAINT, linewidth=0.8, zorder=0.5)
    ax.hlines(range(height + 1), 0, width, color=palette.FAINT, linewidth=0.8, zorder=0.5)
    if max(height, width) <= MOST_NUMBERS:
        for row, values in enumerate(level.tolist()):
            for column, value in enumerate(values):
                # In the pixel's upper part: its centre is where points fall.
                words = ax.text(
                    column + 0.5, row + 0.24, f"{value:.1f}", ha="center", va="center", fontsize=8
                )
                words.set_in_layout(False)  # laying out all of them would take most of the time
    step = max(1, max(height, width) // 8)
    ax.set_xticks(range(0, width + 1, step), [str(place * stride) for place in range(0, width + 1, step)])
    ax.set_yticks(range(0, height + 1, step), [str(place * stride) for place in range(0, height + 1, step)])
    ax.set(xlim=(-0.6, width + 0.6), ylim=(height + 0.6, -0.6), xlabel="pixels of the image")
    ax.set_aspect("equal")


def draw_box(ax: Axes, box: Box, stride: int) -> None:
    """The box as it is, dark, in the map's coordinates."""
    x1, y1, x2, y2 = (edge / stride for edge in box)
    style = {"fill": False, "edgecolor": palette.INK, "linewidth": 2.2, "zorder": 3}
    ax.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, **style))


def draw_bins(ax: Axes, bins: Tensor) -> None:
    """The bins (K, 4) that are read, orange, in the map's half-open coordinates."""
    for x1, y1, x2, y2 in bins.tolist():
        style = {"facecolor": palette.POSITIVE, "alpha": 0.16, "edgecolor": "none", "zorder": 1.5}
        ax.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, **style))
        style = {"fill": False, "edgecolor": palette.POSITIVE, "linewidth": 1.3, "zorder": 2.5}
        ax.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, **style))


def sampled_bins(box: Box, side: int, stride: int, aligned: bool) -> Tensor:
    """The bins (S · S, 4) that RoIAlign reads, in the map's half-open coordinates.

    Legacy ones lie half a map pixel too far right and down, and are at least 1 / S wide.
    """
    shift, least = (0.0, -math.inf) if aligned else (0.5, 1.0)
    x1, y1, x2, y2 = (edge / stride + shift for edge in box)
    wide, high = max(x2 - x1, least) / side, max(y2 - y1, least) / side
    corner = torch.cartesian_prod(y1 + torch.arange(side) * high, x1 + torch.arange(side) * wide).flip(1)
    return torch.cat([corner, corner + torch.tensor([wide, high])], dim=1)


def draw_points(ax: Axes, points: Tensor) -> None:
    """Every sampled point, at the middle of the pixel that its index names."""
    x, y = (points.reshape(-1, 2) + 0.5).unbind(dim=1)
    if len(x) <= MOST_POINTS:
        ax.scatter(x, y, s=26 if len(x) <= 100 else 6, color=palette.SAMPLED_POINT, zorder=4, linewidth=0)


def pool(level: Tensor, bins: Tensor) -> Tensor:
    """RoIPool: the greatest value of each bin (S, S, 4) of whole pixels; 0 for one that is off the map."""
    height, width = level.shape
    result = torch.zeros(bins.shape[:2])
    for row, column in torch.cartesian_prod(*map(torch.arange, bins.shape[:2])).tolist():
        x1, y1, x2, y2 = (int(edge) for edge in bins[row, column])
        inside = level[max(y1, 0) : max(min(y2, height), 0), max(x1, 0) : max(min(x2, width), 0)]
        result[row, column] = inside.max() if inside.numel() else 0.0
    return result


def draw_result(ax: Axes, result: Tensor, title: str) -> None:
    """The S × S numbers that the head gets, on cells of equal sides."""
    matrix(result, shade=True, decimals=2 if len(result) <= 4 else 1, title=title, ax=ax)
    ax.set_aspect("equal")
    for words in ax.texts:
        words.set_in_layout(False)


def roi_align_explorer(level: Tensor, *, stride: int = 16) -> Explorer:
    """An explorer of RoIAlign on one map (h, w): `draw_roi_align` behind sliders that move the box."""
    height, width = (extent * stride for extent in level.shape)

    def draw(**state: float) -> Figure:
        return draw_roi_align(level, stride=stride, **state)

    def slider(value: int, most: int, name: str) -> ipywidgets.IntSlider:
        return ipywidgets.IntSlider(value, 0, most, description=name)

    return explore(
        draw,
        caption="The dark box is asked for, the orange bins are read, at the vermilion points. Move the box "
        "by one pixel and see which of the three rules notices.",
        left=slider(width * 3 // 16, width, "left"),
        top=slider(height // 4, height, "top"),
        width=slider(width * 9 // 16, width, "width"),
        height=slider(height * 3 // 8, height, "height"),
        side=ipywidgets.IntSlider(2, 1, 7, description="bins a side"),
        sampling_ratio=ipywidgets.IntSlider(2, 0, 4, description="samples (0: adaptive)"),
        aligned=ipywidgets.Checkbox(True, description="aligned", indent=False),
        rounded=ipywidgets.Checkbox(False, description="rounded as RoIPool", indent=False),
    )
