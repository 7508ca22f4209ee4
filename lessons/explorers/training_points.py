"""The explorer of training points: where N, k and β let the points fall on a coarse mask."""

import ipywidgets
import matplotlib.ticker
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor

from lessons import palette
from lessons.errors import LessonsError
from lessons.explorers.face import Explorer, explore
from lessons.plots.pictures import draw_image
from lessons.plots.showing import new_figure
from lessons.point_rend.points import point_sample, regular_grid, to_image, training_points, uncertainty

Box = tuple[float, float, float, float]
FINE = 112  # the map behind is sampled at this many points a side
SHADES = LinearSegmentedColormap.from_list(
    "doubt", [palette.PAPER, "#8DA2B5"], N=24
)  # few shades: small files


def draw_training_points(
    coarse: Tensor,
    *,
    count: int = 196,
    oversample_ratio: float = 3.0,
    importance_sample_ratio: float = 0.75,
    seed: int = 0,
    label: int = 1,
    image: Tensor | None = None,
    box: Box | None = None,
) -> Figure:
    """The points of one draw over the map of uncertainty; with an image and a box, also on the picture.

    Args:
        coarse: logits (h, w), or (C, h, w) of which the channel of `label`, from 1 on, decides.
        count, oversample_ratio, importance_sample_ratio: N, k, β of `training_points`.
        seed: of the draw; the global generator stays as it was.
        image: (3, H, W). box: the mask's, in pixels of the image.

    Raises:
        LessonsError: coarse is not (h, w) or (C, h, w), or holds no such label.
    """
    logits = one_channel(coarse, label)
    points = drawn_points(logits, count, oversample_ratio, importance_sample_ratio, seed)
    important = int(importance_sample_ratio * count)
    if image is None or box is None:
        figure = new_figure(4.6, 5.0)
        ax = figure.add_subplot()
    else:
        figure = new_figure(8.6, 4.6)
        ax, beside = figure.subplots(1, 2)
        draw_on_picture(beside, image, box, points, important)
    draw_doubt(ax, logits)
    scatter_points(ax, points * torch.tensor([logits.shape[1], logits.shape[0]]), important)
    ax.set_title(f"{important} where it is uncertain (dots), {count - important} anywhere (crosses)")
    return figure


def one_channel(coarse: Tensor, label: int) -> Tensor:
    """The logits (h, w) of a label.

    Raises:
        LessonsError: another shape, or no such label.
    """
    if coarse.ndim not in (2, 3) or not coarse.numel():
        raise LessonsError(f"coarse has shape {tuple(coarse.shape)}: give logits (h, w) or (C, h, w).")
    if coarse.ndim == 2:
        return coarse.detach().float().cpu()
    if not 1 <= label <= len(coarse):
        raise LessonsError(f"label={label} is not among 1 to {len(coarse)}, the channels of coarse.")
    return coarse[label - 1].detach().float().cpu()


def drawn_points(logits: Tensor, count: int, k: float, beta: float, seed: int) -> Tensor:
    """(N, 2) in [0, 1] from the package's `training_points`, the uncertain ones first."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return training_points(logits[None, None], torch.tensor([1]), count, k, beta)[0]


def draw_doubt(ax: Axes, logits: Tensor) -> None:
    """Darkest where the sampled logit is 0, with the mask's edge and the cells of the coarse mask.

    The shade is 1 - |2p - 1|, which has the order of -|logit| and an end on either side.
    """
    height, width = logits.shape
    fine = point_sample(logits[None, None], regular_grid(1, FINE)).view(FINE, FINE)
    doubt = -uncertainty(fine[None, None], torch.tensor([1]))[0, 0]
    ax.imshow(
        (2 - 2 * doubt.sigmoid()).numpy(),
        cmap=SHADES,
        vmin=0,
        vmax=1,
        extent=(0, width, height, 0),
        interpolation="nearest",
    )
    ax.vlines(range(width + 1), 0, height, color=palette.FAINT, linewidth=0.6)
    ax.hlines(range(height + 1), 0, width, color=palette.FAINT, linewidth=0.6)
    if fine.min() < 0 < fine.max():
        x, y = ((torch.arange(FINE) + 0.5) / FINE * side for side in (width, height))
        ax.contour(
            x.numpy(), y.numpy(), fine.numpy(), levels=[0], colors=[palette.PREDICTION], linewidths=1.6
        )
    ax.set(xlim=(0, width), ylim=(height, 0))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True, nbins=8))
    ax.set_aspect("equal")


def scatter_points(ax: Axes, places: Tensor, important: int) -> None:
    """Points at (N, 2) of the axes: dots for the first `important` ones, crosses for the others."""
    size = 16 if len(places) <= 250 else 8
    first, rest = places[:important].numpy().T, places[important:].numpy().T
    ax.scatter(*first, s=size, marker="o", color=palette.SAMPLED_POINT, linewidth=0, zorder=4)
    ax.scatter(*rest, s=1.6 * size, marker="x", color=palette.SAMPLED_POINT, linewidth=1.2, zorder=4)


def draw_on_picture(ax: Axes, image: Tensor, box: Box, points: Tensor, important: int) -> None:
    """The same points on the picture, which is cut to the box and a little around it."""
    x1, y1, x2, y2 = box
    draw_image(image, ax=ax, title="the same points on the picture")
    scatter_points(ax, to_image(points[None], torch.tensor([box]))[0], important)
    air = 0.04 * max(x2 - x1, y2 - y1)
    ax.set(xlim=(x1 - air, x2 + air), ylim=(y2 + air, y1 - air))


def training_points_explorer(
    coarse: Tensor, *, label: int = 1, image: Tensor | None = None, box: Box | None = None
) -> Explorer:
    """An explorer of the training points on one coarse mask: `draw_training_points` behind sliders."""

    def draw(N: int, k: float, beta: float, seed: int) -> Figure:
        return draw_training_points(
            coarse, count=N, oversample_ratio=k, importance_sample_ratio=beta, seed=seed,
            label=label, image=image, box=box,
        )  # fmt: skip

    return explore(
        draw,
        caption="Dark: uncertain, blue: the edge of the coarse mask. Dots were chosen among k · N "
        "candidates, crosses fell anywhere.",
        N=ipywidgets.IntSlider(196, 8, 392, 4, description="N, points"),
        k=ipywidgets.FloatSlider(
            value=3.0, min=1.0, max=10.0, step=0.5, description="k, candidates per point"
        ),
        beta=ipywidgets.FloatSlider(
            value=0.75, min=0.0, max=1.0, step=0.05, description="β, share of uncertain"
        ),
        seed=ipywidgets.IntSlider(0, 0, 20, description="seed"),
    )
