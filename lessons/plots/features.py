"""Feature maps: what a backbone's levels look like, with their names, strides and shapes."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lessons.errors import LessonsError
from lessons.plots.showing import new_figure

COLOURMAP = "magma"  # perceptual: equal steps of value look like equal steps of brightness


def feature_maps(
    features: Mapping[str, torch.Tensor] | torch.Tensor,
    *,
    channels: str | Sequence[int] = "mean",
    strides: Mapping[str, int] | None = None,
    image: int = 0,
    columns: int | None = None,
    width: float = 8.0,
) -> Figure:
    """Feature maps side by side: every level of a pyramid, or several channels of one tensor.

    Args:
        features: level name -> (B, C, H, W) or (C, H, W); or one such tensor.
        channels: the channels to draw, or "mean": the mean absolute value over all channels, one map a level.
        strides: level name -> stride, for the titles.
        image: which of the B images.
        columns: maps in a row; None: as many as there are levels (or, for one tensor, up to five channels).

    Each map has a colour scale of its own: dark is its least value, bright its greatest.

    Raises:
        LessonsError: nothing to draw, a shape that is no feature map, or a channel that is not there.
    """
    levels = {"": features} if isinstance(features, torch.Tensor) else dict(features)
    maps = [
        (name_map(level, tensor, channel, (strides or {}).get(level)), one_map(level, tensor, channel, image))
        for channel in (["mean"] if isinstance(channels, str) else channels)
        for level, tensor in levels.items()
    ]
    if not maps:
        raise LessonsError("features or channels is empty: there is no feature map to draw.")
    columns = columns or (min(len(maps), 5) if len(levels) == 1 else len(levels))
    columns = min(columns, len(maps))
    rows = -(-len(maps) // columns)
    side = width / columns
    tallest = max(values.shape[0] / values.shape[1] for _, values in maps)
    figure = new_figure(width, rows * (side * min(tallest, 2) + 0.2 + 0.17 * len(maps[0][0].splitlines())))
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for ax in axes:
        ax.set_axis_off()
    for ax, (title, values) in zip(axes, maps, strict=False):
        draw_map(ax, values, title)
    return figure


def draw_map(ax: Axes, values: np.ndarray, title: str = "") -> Axes:
    """One feature map (H, W), cells as squares, in half-open cell coordinates."""
    height, width = values.shape
    ax.imshow(values, cmap=COLOURMAP, extent=(0, width, height, 0), interpolation="nearest")
    ax.set_axis_off()
    ax.set_anchor("N")  # levels of slightly different ratios keep their titles on one line
    ax.set_title(title, fontsize=9, linespacing=1.35)
    return ax


def one_map(level: str, tensor: torch.Tensor, channel: int | str, image: int = 0) -> np.ndarray:
    """The map (H, W) of one channel, or of the mean absolute value of all."""
    shape = tuple(tensor.shape)
    if tensor.ndim not in (3, 4) or 0 in shape:
        raise LessonsError(
            f"features {level!r} has shape {shape}: feature maps are (B, C, H, W) or (C, H, W)."
        )
    maps = (tensor[image] if tensor.ndim == 4 else tensor).detach().float().cpu()  # (C, H, W)
    if channel == "mean":
        return maps.abs().mean(0).numpy()
    if not isinstance(channel, int) or not -len(maps) <= channel < len(maps):
        raise LessonsError(
            f'channel {channel!r} of {level!r} is not there: choose 0..{len(maps) - 1} or "mean".'
        )
    return maps[channel].numpy()


def name_map(level: str, tensor: torch.Tensor, channel: int | str, stride: int | None) -> str:
    """A map's title: its level and stride, then its shape (and channel)."""
    shape = "×".join(str(length) for length in tensor.shape[-3:])
    first = " · ".join(part for part in (level, f"stride {stride}" if stride else "") if part)
    which = "" if channel == "mean" else f"channel {channel}"
    second = which if not level and which else " · ".join(part for part in (shape, which) if part)
    return "\n".join(part for part in (first, second) if part)
