"""The explorer of anchors: which are positive, ignored and negative for the objects of a picture."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import ipywidgets
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lessons import boxes as box_geometry
from lessons import palette
from lessons.data.batches import pad_batch
from lessons.explorers.face import Explorer, explore
from lessons.mask_rcnn.anchors import Anchors
from lessons.mask_rcnn.matching import IGNORED, NEGATIVE, POSITIVE, match
from lessons.plots.pictures import draw_boxes, draw_image
from lessons.plots.showing import new_figure

ALL = "all"
MOST_FRAMES = {POSITIVE: 100, IGNORED: 12}  # only the best are drawn as boxes, or nothing would be seen
COLOURS = {NEGATIVE: palette.NEGATIVE, IGNORED: palette.IGNORED, POSITIVE: palette.POSITIVE}
MINI = Anchors(sizes=((16,), (36,), (72,), (144,)))  # of mask-rcnn-mini
MINI_STRIDES = {"p2": 4, "p3": 8, "p4": 16, "p5": 32}


def anchors_of(
    size: tuple[int, int], anchors: Anchors = MINI, strides: Mapping[str, int] = MINI_STRIDES
) -> dict[str, Tensor]:
    """The anchors of an image of `size` (height, width), by level: (h · w · A, 4) each.

    The maps have ⌈side / stride⌉ places a side, as those of the backbones.
    """
    maps = {
        name: torch.empty(1).expand(1, 1, -(-size[0] // stride), -(-size[1] // stride))
        for name, stride in strides.items()
    }
    return dict(zip(maps, anchors.of_levels(maps, strides, size), strict=True))


def draw_anchors(
    image: Tensor,
    target: Mapping[str, Any],
    *,
    level: str = "p4",
    ratio: float | str = ALL,
    positive: float = 0.7,
    negative: float = 0.3,
    low_quality: bool = True,
    anchors: Anchors = MINI,
    strides: Mapping[str, int] = MINI_STRIDES,
) -> Figure:
    """The anchors of one level over the picture, and the best IoU of each object with every level.

    Args:
        image: (3, H, W). target: its boxes; there may be none.
        level: whose anchors are drawn. ratio: of those drawn, height / width; "all" for every one.
        positive, negative, low_quality: see `lessons.mask_rcnn.matching.match`. The verdict is about the
            anchors of all levels together, whatever is drawn.
        anchors, strides: of the model, by level.
    """
    padded = pad_batch([image]).padded_size
    by_level = anchors_of(padded, anchors, strides)
    iou = box_geometry.iou(target["boxes"], torch.cat(list(by_level.values())))  # (N, K)
    verdict = match(iou, positive, negative, low_quality)[1]  # (K,)
    counts = [len(one) for one in by_level.values()]
    of_level = dict(zip(by_level, verdict.split(counts), strict=True))
    ious = dict(zip(by_level, iou.split(counts, dim=1), strict=True))
    shape = (-1, anchors.per_place)
    chosen = torch.ones(shape[1], dtype=torch.bool)
    if ratio != ALL:
        chosen = torch.tensor([one == ratio for _ in anchors.sizes[0] for one in anchors.aspect_ratios])
    figure = new_figure(9.2, 4.4)
    figure.set_layout_engine("none")  # fixed places: a slider that moves should not wait for a layout
    left, right = figure.add_axes((0.01, 0.03, 0.53, 0.88)), figure.add_axes((0.61, 0.13, 0.37, 0.78))
    draw_level(
        left,
        image,
        target["boxes"],
        by_level[level].unflatten(0, shape)[:, chosen],
        of_level[level].unflatten(0, shape)[:, chosen],
        ious[level].unflatten(1, shape)[:, :, chosen],
    )
    left.set_title(f"{level}: {counts_in_words(of_level[level].unflatten(0, shape)[:, chosen])}")
    draw_bests(right, ious, positive, negative, level)
    right.set_title(f"all levels: {counts_in_words(verdict)}")
    return figure


def draw_level(ax: Axes, image: Tensor, truth: Tensor, anchors: Tensor, verdict: Tensor, iou: Tensor) -> None:
    """Dots for the places, coloured by their best anchor's verdict; frames for those that are not negative.

    Args:
        truth: (N, 4). anchors: (P, A, 4), of P places. verdict: (P, A). iou: (N, P, A).
    """
    draw_image(image, ax=ax)
    best = torch.where(verdict == POSITIVE, 2, torch.where(verdict == IGNORED, 1, 0)).amax(dim=1)  # (P,)
    places = (anchors[:, 0, :2] + anchors[:, 0, 2:]) / 2  # (P, 2)
    size = min(8.0, 110 / max(len(places), 1) ** 0.5)  # a fine grid gets smaller dots
    for rank, kind in enumerate((NEGATIVE, IGNORED, POSITIVE)):
        x, y = places[best == rank].unbind(dim=1)
        ax.plot(x, y, ".", color=COLOURS[kind], markersize=size, markeredgewidth=0, zorder=2 + rank / 10)
    draw_boxes(ax, best_of(IGNORED, anchors, verdict, iou), palette.IGNORED, linewidth=0.7)
    draw_boxes(ax, truth, palette.GROUND_TRUTH, linewidth=2.4)
    draw_boxes(ax, best_of(POSITIVE, anchors, verdict, iou), palette.POSITIVE, linewidth=1.3)
    height, width = image.shape[-2:]
    margin = 0.07 * max(height, width)
    for frame in ax.patches:
        frame.set_clip_on(True)  # large anchors reach far out of the picture
    ax.set(xlim=(-margin, width + margin), ylim=(height + margin, -margin))


def best_of(kind: int, anchors: Tensor, verdict: Tensor, iou: Tensor) -> Tensor:
    """The anchors with one verdict that overlap an object most, in their own order: (n, 4)."""
    own = (verdict.flatten() == kind).nonzero()[:, 0]
    if len(own) > MOST_FRAMES[kind]:
        strength = iou.amax(dim=0).flatten()[own]
        own = own[strength.topk(MOST_FRAMES[kind]).indices.sort().values]
    return anchors.flatten(0, 1)[own]


def draw_bests(ax: Axes, ious: Mapping[str, Tensor], positive: float, negative: float, level: str) -> None:
    """For each object a line over the levels: the IoU of its best anchor there, on bands of the verdicts."""
    ax.axvspan(0, min(negative, positive), color=palette.NEGATIVE, alpha=0.25, linewidth=0)
    ax.axvspan(min(negative, positive), positive, color=palette.IGNORED, alpha=0.25, linewidth=0)
    ax.axvspan(positive, 1, color=palette.POSITIVE, alpha=0.3, linewidth=0)
    rows = list(range(len(ious)))
    bests = torch.stack([one.amax(dim=1) for one in ious.values()], dim=1)  # (N, levels)
    for line in bests.tolist():
        ax.plot(line, rows, "-", color=palette.GROUND_TRUTH, linewidth=1, zorder=2)
        ax.plot(line, rows, "o", color=palette.GROUND_TRUTH, markersize=5, zorder=2)
        top = max(rows, key=line.__getitem__)
        ax.plot(line[top], top, "o", color=palette.GROUND_TRUTH, markeredgecolor=palette.INK, markersize=9)
    ax.set_yticks(rows, [f"▸ {name}" if name == level else name for name in ious])
    ax.set(xlim=(0, 1), ylim=(len(rows) - 0.6, -0.4))
    ax.set_xlabel("IoU of each object's best anchor on a level")
    ax.tick_params(left=False)


def counts_in_words(verdict: Tensor) -> str:
    """How many of each: "3 positive, 14 ignored, 983 negative"."""
    names = ((POSITIVE, "positive"), (IGNORED, "ignored"), (NEGATIVE, "negative"))
    return ", ".join(f"{int((verdict == kind).sum()):,} {name}" for kind, name in names)


def anchors_explorer(
    dataset: Any,
    number: int = 0,
    *,
    level: str = "p4",
    anchors: Anchors = MINI,
    strides: Mapping[str, int] = MINI_STRIDES,
) -> Explorer:
    """An explorer of anchors and their verdicts: `draw_anchors` behind sliders.

    Args:
        dataset: gives (image, target) by number, at the size that a network would see.
        number: the picture to begin with. level: the level to begin with.
        anchors, strides: of the model.
    """
    sample = lru_cache(maxsize=1)(lambda place: dataset[place])

    def draw(number: int, **state: Any) -> Figure:
        return draw_anchors(*sample(number), anchors=anchors, strides=strides, **state)

    return explore(
        draw,
        caption="Left: the places of one level, and the anchors there that are positive (orange) or ignored "
        "(purple, the best of them). Right: how well each level fits each object; the ring is its best.",
        kind="photo",
        number=ipywidgets.IntSlider(number, 0, max(len(dataset) - 1, 0), description="image"),
        level=ipywidgets.Dropdown(options=tuple(strides), value=level),
        ratio=ipywidgets.Dropdown(options=(ALL, *anchors.aspect_ratios), value=ALL),
        positive=ipywidgets.FloatSlider(0.7, min=0.3, max=0.95, step=0.05),
        negative=ipywidgets.FloatSlider(0.3, min=0.0, max=0.95, step=0.05),
        low_quality=ipywidgets.Checkbox(True, indent=False),
    )
