"""What pictures are made of: layers of masks, contours, colours, tags, and the room that a picture takes."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.patheffects as effects
import numpy as np
import torch
from matplotlib.axes import Axes

from lessons import palette
from lessons.errors import LessonsError
from lessons.plots.tags import Tag

MOST_PIXELS = 1400  # of a side that are drawn; a figure has no room for more


def justify(
    rows: Sequence[Sequence[float]], width: float, title_room: float, gap: float = 0.08, tallest: float = 2.6
) -> tuple[list[tuple[float, float, float, float]], float]:
    """Slots (x, y, width, height), y downwards, for pictures of given width / height ratios; and the
    whole height.

    The pictures of a row are equally high and fill the width, as in a printed album; none is higher than
    `tallest`, and the last row is not higher than the others where it holds fewer pictures.
    """
    slots, y, limit = [], 0.03, tallest
    for number, ratios in enumerate(rows):
        ratios = [min(max(ratio, 0.15), 8.0) for ratio in ratios]
        high = min((width - gap * (len(ratios) + 1)) / sum(ratios), limit)
        if number == 0 and len(rows) > 1 and len(rows[-1]) < len(ratios):
            limit = min(limit, high * 1.2)
        x, y = gap, y + title_room
        for ratio in ratios:
            slots.append((x, y, ratio * high, high))
            x += ratio * high + gap
        y += high + gap
    return slots, y


def inches(height: int, width: int, titled: bool = False, longest: float = 5.4) -> tuple[float, float]:
    """(width, height) of a figure for a picture: its longer side is `longest`, a very thin one is widened."""
    scale = longest / max(height, width)
    return max(width * scale, 1.2), max(height * scale, 1.2) + (0.3 if titled else 0)


def coarser(height: int, width: int) -> int:
    """Draw every how many-th pixel: 1 unless the picture is far larger than the figure."""
    return max(1, -(-max(height, width) // MOST_PIXELS))


def smoothing(height: int, width: int) -> str:
    """Pixels stay squares where the reader can count them, and are smoothed in a photograph."""
    return "nearest" if max(height, width) <= 64 else "antialiased"


def array_of(values: Any) -> np.ndarray:
    """A tensor on any device, or anything that numpy takes, as an array."""
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def count_instances(instances: Mapping[str, Any], box_key: str) -> int:
    """N, from whichever of the keys is there."""
    return next(
        (len(instances[key]) for key in (box_key, "masks", "labels") if instances.get(key) is not None), 0
    )


def choose_colours(count: int, role: str | None, colours: Sequence[str] | None) -> list[str]:
    """One colour for each instance: the given ones, the role's, or the instances' own."""
    if colours is not None:
        if len(colours) < count:
            raise LessonsError(
                f"colours has {len(colours)} entries for {count} instances: give one for each."
            )
        return list(colours[:count])
    if role is not None:
        return [palette.role_colour(role)] * count
    return [palette.instance_colour(number) for number in range(count)]


def lay_over(ax: Axes, masks: np.ndarray, colours: Sequence[str], cover: float) -> None:
    """One translucent layer for all masks (N, H, W); where they overlap, the colours mix."""
    height, width = masks.shape[1:]
    step = coarser(height, width)
    layer = np.zeros((*masks[0, ::step, ::step].shape, 4), dtype=np.float32)  # (H, W, RGBA)
    hits = np.zeros(layer.shape[:2], dtype=np.float32)
    for mask, colour in zip(masks[:, ::step, ::step].astype(bool), colours, strict=True):
        layer[mask, :3] += palette.channels(colour)
        hits[mask] += 1
    layer[..., :3] /= np.maximum(hits, 1)[..., None]
    layer[..., 3] = cover * (hits > 0)
    ax.imshow(layer, extent=(0, width, height, 0), interpolation="nearest")


def outline(ax: Axes, mask: np.ndarray, colour: str, linewidth: float = 1.5) -> None:
    """The contour of a mask (H, W), halfway between its pixels and the others; nothing for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return
    top, left = rows[0], columns[0]
    crop = np.pad(mask[top : rows[-1] + 1, left : columns[-1] + 1], 1)  # a border of zeros closes the line
    step = coarser(*crop.shape)
    crop = crop[::step, ::step].astype(np.float32)
    if min(crop.shape) < 2:
        return
    x = left - 0.5 + step * np.arange(crop.shape[1])  # centres of the pixels
    y = top - 0.5 + step * np.arange(crop.shape[0])
    lines = ax.contour(x, y, crop, levels=[0.5], colors=[colour], linewidths=linewidth)
    lines.set_path_effects(halo(linewidth))


def halo(linewidth: float) -> list[effects.AbstractPathEffect]:
    """A thin pale rim that keeps a line visible on a ground of its own colour."""
    return [effects.Stroke(linewidth=linewidth + 1.0, foreground=palette.PAPER, alpha=0.45), effects.Normal()]


def make_tags(
    instances: Mapping[str, Any],
    key: str,
    classes: Sequence[str] | None,
    colours: Sequence[str],
    scores: bool,
) -> list[Tag]:
    """One tag for each instance that has a label (or a score), at its box or at its mask's extent."""
    labels, marks = instances.get("labels"), instances.get("scores") if scores else None
    tags = []
    for number, colour in enumerate(colours):
        words = [] if labels is None else [class_name(int(labels[number]), classes)]
        words += [] if marks is None else [f"{float(marks[number]):.2f}"]
        if words:
            tags.append(Tag(" ".join(words), extent_of(instances, key, number), colour))
    return tags


def class_name(label: int, classes: Sequence[str] | None) -> str:
    """The name of a label in 1..C, or its number where the names do not reach."""
    return classes[label - 1] if classes is not None and 1 <= label <= len(classes) else f"label {label}"


def extent_of(instances: Mapping[str, Any], key: str, number: int) -> tuple[float, float, float, float]:
    """The instance's box, or what its mask spans where there are no boxes."""
    if instances.get(key) is not None:
        x1, y1, x2, y2 = (float(value) for value in instances[key][number])
        return x1, y1, x2, y2
    if instances.get("masks") is None:
        return 0.0, 0.0, 0.0, 0.0
    rows, columns = np.nonzero(array_of(instances["masks"][number]))
    if not len(rows):
        return 0.0, 0.0, 0.0, 0.0
    return float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)
