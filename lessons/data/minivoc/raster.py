"""From layers of outlines to pixels: a polygon filler in NumPy, and the drawing of an object that it renders.

Written here rather than taken from an image library, so that the masks do not depend on that library's
version.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lessons.data.minivoc.colours import NIGHT_BLUE, Colour
from lessons.data.minivoc.curves import Points, following, oriented, outline_stroke

FINENESS = 4  # sub-pixels per pixel and axis: 17 steps of coverage
LEAST_STROKE = 1.35  # pixels; a thinner stroke would cover less than half of any pixel and leave the mask


def fill(polygons: Sequence[Points], size: tuple[int, int]) -> np.ndarray:
    """The cells whose centres lie in the union of `polygons`, by the non-zero winding rule.

    Each edge adds its direction (+1 down, -1 up) where it crosses the centre line of a row; running sums
    along the rows
    are the winding numbers.

    Args:
        polygons: (n, 2), or several of n points as (k, n, 2), in cells; may reach beyond the grid.
        size: (height, width) of the grid.

    Returns:
        (height, width) bool.
    """
    height, width = size
    starts = np.concatenate([polygon.reshape(-1, 2) for polygon in polygons])
    ends = np.concatenate([following(polygon).reshape(-1, 2) for polygon in polygons])
    upper, lower = np.minimum(starts[:, 1], ends[:, 1]), np.maximum(starts[:, 1], ends[:, 1])
    first = np.clip(np.ceil(upper - 0.5), 0, height).astype(np.int64)
    past = np.clip(np.ceil(lower - 0.5), 0, height).astype(np.int64)
    rows_each = past - first
    edge = np.repeat(np.arange(len(starts)), rows_each)  # (crossings,)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(rows_each) - rows_each, rows_each) + first[edge]
    drop = ends[edge, 1] - starts[edge, 1]
    x = starts[edge, 0] + (row + 0.5 - starts[edge, 1]) * (ends[edge, 0] - starts[edge, 0]) / drop
    column = np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)
    winding = np.zeros((height, width + 1), dtype=np.int16)
    np.add.at(winding, (row, column), np.where(drop > 0, 1, -1).astype(np.int16))
    return np.cumsum(winding, axis=1, dtype=np.int16)[:, :width] != 0


def cover(polygons: Sequence[Points], size: tuple[int, int]) -> np.ndarray:
    """How much of each pixel the union of `polygons` covers: (height, width) float32 in [0, 1]."""
    fine = fill(
        [oriented(polygon) * FINENESS for polygon in polygons], (size[0] * FINENESS, size[1] * FINENESS)
    )
    return _shrink(fine.view(np.uint8))


@dataclass(frozen=True)
class Layer:
    """One colour laid on: an area (widths None), or a stroke along a path.

    mode "add" makes the object larger, "paint" colours only what is there, "cut" opens a hole.
    """

    path: Points
    colour: Colour
    mode: str = "add"
    widths: np.ndarray | None = None
    closed: bool = False
    opacity: float = 1.0
    least: float = LEAST_STROKE
    faint: bool = False  # seen in the picture but left out of the mask: spokes, whiskers
    cast: bool = False  # throws a shadow on the object's own layers below


@dataclass
class Drawing:
    """An object as layers, in its own units (about one unit long); later layers cover earlier ones."""

    layers: list[Layer] = field(default_factory=list)
    pose: str = "Unspecified"

    def add(self, path: Points, colour: Colour, *, cast: bool = False) -> None:
        """Lay on an area that belongs to the object."""
        self.layers.append(Layer(path, colour, cast=cast))

    def paint(self, path: Points, colour: Colour, opacity: float = 1.0) -> None:
        """Colour an area of the object without making the object larger."""
        self.layers.append(Layer(path, colour, mode="paint", opacity=opacity))

    def cut(self, path: Points) -> None:
        """Open a hole in all layers so far."""
        self.layers.append(Layer(path, NIGHT_BLUE, mode="cut"))

    def line(
        self, path: Points, width: float | Sequence[float], colour: Colour, *, closed: bool = False,
            cast: bool = False,
        inside: bool = False, faint: bool = False, opacity: float = 1.0,
    ) -> None:  # fmt: skip
        """Draw a stroke; `width` is one number or several, spread evenly over the path.

        `inside` paints without making the object larger; `faint` strokes are seen but do not belong to
        the mask.
        """
        given = np.atleast_1d(np.asarray(width, dtype=np.float64))
        widths = np.interp(np.linspace(0, 1, len(path)), np.linspace(0, 1, len(given)), given)
        least = 0.35 if faint else 0.6 if inside else LEAST_STROKE
        mode = "paint" if inside else "add"
        self.layers.append(Layer(path, colour, mode, widths, closed, opacity, least, faint, cast))

    def bounds(self) -> tuple[float, float, float, float]:
        """left, top, right, bottom of the layers that make the object."""
        grown = [
            (layer.path - reach, layer.path + reach)
            for layer in self.layers
            if layer.mode == "add"
            for reach in [0.0 if layer.widths is None else layer.widths[:, None] / 2]
        ]
        low = np.min([lower.min(axis=0) for lower, _ in grown], axis=0)
        high = np.max([upper.max(axis=0) for _, upper in grown], axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])


@dataclass(frozen=True)
class Sprite:
    """A rendered object.

    Attributes:
        colour, coverage: (h, w, 3) and (h, w) float32 in [0, 1].
        mask: (h, w) bool; where at least half a pixel belongs to the object.
        left, top: its place in the picture.
    """

    colour: np.ndarray
    coverage: np.ndarray
    mask: np.ndarray
    left: int
    top: int


def render(drawing: Drawing, matrix: np.ndarray, offset: np.ndarray, light_from: np.ndarray) -> Sprite:
    """Render `drawing` whole, also where it reaches beyond the picture.

    Args:
        matrix, offset: a point p of the drawing lands at p @ matrix + offset, in pixels.
        light_from: (2,) unit vector towards the light.
    """
    scale = float(np.sqrt(abs(np.linalg.det(matrix))))
    shapes = [_polygons(layer, matrix, offset, scale) for layer in drawing.layers]
    made = np.concatenate(
        [
            p.reshape(-1, 2)
            for layer, shape in zip(drawing.layers, shapes, strict=True)
            if layer.mode == "add"
            for p in shape
        ]
    )
    left, top = (np.floor(made.min(axis=0)) - 1).astype(int)
    right, bottom = (np.ceil(made.max(axis=0)) + 1).astype(int)
    height, width = (bottom - top) * FINENESS, (right - left) * FINENESS
    colour = np.zeros((height, width, 3), dtype=np.float32)
    covered = np.zeros((height, width), dtype=bool)
    solid = np.zeros((height, width), dtype=bool)
    thrown = -light_from * max(0.7, 0.012 * scale) * FINENESS
    for layer, shape in zip(drawing.layers, shapes, strict=True):
        cells = [(polygon - (left, top)) * FINENESS for polygon in shape]
        if layer.cast:
            _lay(colour, (), [c + thrown for c in cells], NIGHT_BLUE, "paint", 0.16)
            _lay(colour, (), [c + thrown / 2 for c in cells], NIGHT_BLUE, "paint", 0.16)
        _lay(
            colour,
            (covered,) if layer.faint else (covered, solid),
            cells,
            layer.colour,
            layer.mode,
            layer.opacity,
        )
    coverage = _shrink(covered.view(np.uint8))
    colour = _shrink(colour * covered[..., None]) / np.maximum(coverage, 1e-6)[..., None]
    mask = (
        coverage >= 0.5
        if not any(layer.faint for layer in drawing.layers)
        else _shrink(solid.view(np.uint8)) >= 0.5
    )
    return Sprite(colour, coverage, mask, int(left), int(top))


def _polygons(layer: Layer, matrix: np.ndarray, offset: np.ndarray, scale: float) -> list[Points]:
    path = layer.path @ matrix + offset
    if layer.widths is None:
        return [oriented(path)]
    return outline_stroke(path, np.maximum(layer.widths * scale, layer.least), layer.closed)


def _lay(
    colour: np.ndarray,
    covers: tuple[np.ndarray, ...],
    cells: list[Points],
    pigment: Colour,
    mode: str,
    opacity: float,
) -> None:
    """Lay one colour on the canvas (in place), touching only the rectangle around the shape."""
    everything = np.concatenate([polygon.reshape(-1, 2) for polygon in cells])
    low = np.maximum(np.floor(everything.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(everything.max(axis=0)).astype(int) + 1, colour.shape[1::-1])
    if (high <= low).any():
        return
    inside = fill([polygon - low for polygon in cells], (high[1] - low[1], high[0] - low[0]))
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    for covered in covers:
        if mode == "cut":
            covered[window] &= ~inside
        elif mode == "add":
            covered[window] |= inside
    if mode == "cut":
        return
    target = colour[window]
    for channel in range(3):  # one plane at a time: several times as fast as whole pixels
        plane, value = target[..., channel], np.float32(pigment[channel])
        np.copyto(
            plane,
            value if opacity >= 1 else plane * np.float32(1 - opacity) + np.float32(opacity) * value,
            where=inside,
        )


def _shrink(fine: np.ndarray) -> np.ndarray:
    """The mean of each FINENESS × FINENESS block of an (h, w[, c]) array, rows first for speed."""
    rows = fine[0::FINENESS] + fine[1::FINENESS] + fine[2::FINENESS] + fine[3::FINENESS]
    blocks = rows[:, 0::FINENESS] + rows[:, 1::FINENESS] + rows[:, 2::FINENESS] + rows[:, 3::FINENESS]
    return blocks.astype(np.float32) / FINENESS**2
