"""The pyramid browser: one level's map beside the picture, and the pixels that one cell stands on."""

from collections.abc import Mapping
from typing import Any

import ipywidgets
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lessons import palette
from lessons.explorers.face import Explorer, explore
from lessons.plots.features import draw_map, name_map, one_map
from lessons.plots.pictures import as_picture, draw_image
from lessons.plots.showing import new_figure


def draw_pyramid_browser(
    features: Mapping[str, torch.Tensor],
    strides: Mapping[str, int],
    image: torch.Tensor,
    *,
    level: str,
    channel: int | str = "mean",
    across: float = 0.5,
    down: float = 0.5,
) -> Figure:
    """The picture and one feature map; a cell of the map and its stride × stride pixels are framed.

    Args:
        features: level -> (1, C, H, W) or (C, H, W), of the padded image.
        strides: level -> stride in pixels.
        image: (3, H, W), as it was before padding.
        channel: a channel's number, or "mean" of the absolute values; past the last is the last.
        across, down: where the cell is, as shares in [0, 1] of the map's width and height.
    """
    tensor, stride = features[level], strides[level]
    channel = min(channel, tensor.shape[-3] - 1) if isinstance(channel, int) else channel
    values = one_map(level, tensor, channel)  # (H, W)
    rows, columns = values.shape
    row, column = min(int(down * rows), rows - 1), min(int(across * columns), columns - 1)
    picture = as_picture(image)
    ratio = (rows * stride) / (columns * stride)
    figure = new_figure(8.4, 4.2 * min(max(ratio, 0.4), 1.6) + 0.6)
    left, right = figure.subplots(1, 2)
    draw_image(picture, title="the picture\ngrey: padding; yellow: one cell's pixels", ax=left)
    # The map covers the padded image: the same frame on the left keeps the two in register.
    left.add_patch(Rectangle((0, 0), columns * stride, rows * stride, facecolor=palette.FAINT, zorder=-1))
    left.set_anchor("N")
    left.set(xlim=(0, columns * stride), ylim=(rows * stride, 0))
    draw_map(right, values, name_map(level, tensor, channel, stride))
    for ax, side in ((left, stride), (right, 1)):
        frame_cell(ax, column * side, row * side, side)
    return figure


def frame_cell(ax: Any, x: float, y: float, side: float) -> None:
    """A yellow square with a dark rim, seen on any ground."""
    for colour, linewidth in ((palette.INK, 4.0), (palette.HIGHLIGHT, 2.0)):
        ax.add_patch(
            Rectangle((x, y), side, side, fill=False, edgecolor=colour, linewidth=linewidth, clip_on=False)
        )


def pyramid_browser(
    backbone: torch.nn.Module, image: torch.Tensor, shown: torch.Tensor | None = None
) -> Explorer:
    """An explorer of a backbone's levels on one image: `draw_pyramid_browser` behind sliders.

    Args:
        backbone: images (1, 3, H, W) -> {level: (1, C, h, w)}, with `strides`.
        image: (3, H, W) as the backbone wants it (normalised); it is padded here to what the strides divide.
        shown: the same image as it is drawn; None: `image` itself.
    """
    features = compute_features(backbone, image)
    deepest = max(tensor.shape[-3] for tensor in features.values())
    picture = image if shown is None else shown

    def draw(level: str, channel: int, across: float, down: float) -> Figure:
        which = "mean" if channel < 0 else channel
        return draw_pyramid_browser(
            features, backbone.strides, picture, level=level, channel=which, across=across, down=down
        )

    levels = list(features)
    return explore(
        draw,
        caption="A level of the pyramid beside the picture: the yellow cell on the right stands on the "
        "yellow square on the left. Channel −1 is the mean of all.",
        level=ipywidgets.Dropdown(options=levels, value=levels[0]),
        channel=ipywidgets.IntSlider(-1, -1, deepest - 1),
        across=ipywidgets.FloatSlider(0.5, min=0.0, max=1.0, step=0.05),
        down=ipywidgets.FloatSlider(0.5, min=0.0, max=1.0, step=0.05),
    )


def compute_features(backbone: torch.nn.Module, image: torch.Tensor) -> dict[str, torch.Tensor]:
    """The backbone's levels of one image (3, H, W), without gradients, on the CPU; its mode stays."""
    # p6 is a stride-2 step from p5; padding to 32 would do for the others.
    multiple = max(backbone.strides.values())
    height, width = image.shape[-2:]
    padded = torch.nn.functional.pad(image, (0, -width % multiple, 0, -height % multiple))  # right and bottom
    parameter = next(backbone.parameters(), image)
    training = backbone.training
    backbone.eval()
    try:
        with torch.no_grad():
            features = backbone(padded[None].to(parameter.device, parameter.dtype))
    finally:
        backbone.train(training)
    return {level: tensor.cpu() for level, tensor in features.items()}
