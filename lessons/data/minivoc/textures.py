"""Surfaces: paper grain, wood, tiles, woven cloth, grass."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter

from lessons.data.minivoc.colours import NIGHT_BLUE, Colour, light, mix, shade
from lessons.data.minivoc.curves import Points
from lessons.data.minivoc.raster import cover

Size = tuple[int, int]  # (height, width)
Picture = np.ndarray  # (height, width, 3) float32 in [0, 1]


def plain(size: Size, colour: Colour) -> Picture:
    """One colour everywhere."""
    return np.broadcast_to(colour.astype(np.float32), (*size, 3)).copy()


def fade(size: Size, top: Colour, bottom: Colour) -> Picture:
    """From `top` to `bottom`."""
    share = np.linspace(0, 1, size[0], dtype=np.float32)[:, None, None]
    return (plain(size, top) * (1 - share) + plain(size, bottom) * share).astype(np.float32)


def clouded(rng: np.random.Generator, size: Size, cells: tuple[float, float]) -> np.ndarray:
    """Smooth noise in [-1, 1], (height, width) float32, in spots of `cells` = (height, width) pixels."""
    rows, columns = (int(np.ceil(length / cell)) + 2 for length, cell in zip(size, cells, strict=True))
    grid = rng.uniform(-1, 1, (rows, columns)).astype(np.float32)
    row_low, row_share = _ease(size[0], cells[0])
    column_low, column_share = _ease(size[1], cells[1])
    above = (
        grid[row_low] * (1 - row_share[:, None]) + grid[row_low + 1] * row_share[:, None]
    )  # (height, columns)
    return above[:, column_low] * (1 - column_share) + above[:, column_low + 1] * column_share


def _ease(length: int, cell: float) -> tuple[np.ndarray, np.ndarray]:
    place = np.arange(length, dtype=np.float32) / cell
    low = place.astype(np.int64)
    share = place - low
    return low, share * share * (3 - 2 * share)


def grain(rng: np.random.Generator, picture: Picture, amount: float = 0.02) -> Picture:
    """`picture` as on rough paper: broad washes and a fine tooth."""
    size = picture.shape[:2]
    wash = (
        clouded(rng, size, (48, 48)) + 0.6 * clouded(rng, size, (14, 14)) + 0.35 * clouded(rng, size, (3, 3))
    )
    return np.clip(picture * (1 + amount * wash[..., None]), 0, 1)


def lay(
    picture: Picture, polygons: Sequence[Points], colour: Colour, *, shadow: float = 0.0, opacity: float =
    1.0, spread: float = 3.0
) -> None:  # fmt: skip
    """Lay a cut-out of `colour` on `picture` (in place), with a soft shadow around it."""
    everything = np.concatenate(polygons)
    low = np.maximum(np.floor(everything.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(everything.max(axis=0)).astype(int) + 1, picture.shape[1::-1])
    if (high <= low).any():
        return
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    amount = cover([polygon - low for polygon in polygons], (high[1] - low[1], high[0] - low[0]))
    if shadow:
        margin = int(3 * spread) + 2
        around = (
            slice(max(low[1] - margin, 0), high[1] + margin),
            slice(max(low[0] - margin, 0), high[0] + margin),
        )
        lowered = np.zeros(picture.shape[:2], dtype=np.float32)
        lowered[window][2:] = amount[:-2]
        darken(picture[around], lowered[around], shadow, spread)
    amount = amount[..., None] * opacity
    picture[window] *= 1 - amount
    picture[window] += amount * colour.astype(np.float32)


def darken(picture: Picture, amount: np.ndarray, strength: float, spread: float) -> None:
    """Cast the shadow of `amount` (height, width) on `picture` (in place), blurred by `spread` pixels."""
    veil = (gaussian_filter(amount, spread, mode="constant") * strength)[..., None].astype(np.float32)
    picture *= 1 - veil
    picture += veil * NIGHT_BLUE.astype(np.float32)


def planks(rng: np.random.Generator, size: Size, colour: Colour, rows: np.ndarray) -> Picture:
    """Boards that lie across; `rows` are the y of the joints, increasing."""
    picture = plain(size, colour)
    fibre = clouded(rng, size, (2.5, 60)) + 0.5 * clouded(rng, size, (1.2, 25))
    edges = [0, *np.clip(rows, 0, size[0]).astype(int), size[0]]
    for top, bottom in pairwise(edges):
        tone = rng.uniform(-0.10, 0.10)
        picture[top:bottom] = light(colour, tone) if tone > 0 else shade(colour, -tone)
        joint = int(rng.integers(0, size[1]))
        picture[top:bottom, joint : joint + 1] = shade(colour, 0.35)
        picture[top : top + 1] = shade(colour, 0.38)
    return np.clip(picture * (1 + 0.055 * fibre[..., None]), 0, 1)


def tiles(
    rng: np.random.Generator, size: Size, one: Colour, two: Colour, cell: float, turn: float = 0.0
) -> Picture:
    """A chequered floor of square tiles, turned by `turn` radians, with grout between them."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    u, v = (x * np.cos(turn) + y * np.sin(turn)) / cell, (y * np.cos(turn) - x * np.sin(turn)) / cell
    odd = ((np.floor(u) + np.floor(v)) % 2)[..., None]
    grout = np.minimum(np.abs(u - np.round(u)), np.abs(v - np.round(v))) * cell
    line = np.clip(1.2 - grout, 0, 1)[..., None] * 0.35
    picture = one * (1 - odd) + two * odd
    return (picture * (1 - line) + shade(one, 0.4) * line).astype(np.float32)


def cloth(rng: np.random.Generator, size: Size, ground: Colour, stripe: Colour, cell: float) -> Picture:
    """A woven check: bands both ways, darker where they cross, with a fine weave."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    shift = rng.uniform(0, cell, 2)
    bands = [
        np.clip((np.abs(((t + s) % cell) - cell / 2) - cell * 0.25) * 1.0 + 0.5, 0, 1)
        for t, s in ((x, shift[0]), (y, shift[1]))
    ]
    amount = (0.32 * (bands[0] + bands[1]))[..., None]
    weave = 0.012 * np.sin(x * 2.1) * np.sin(y * 2.1)
    return np.clip(ground * (1 - amount) + stripe * amount + weave[..., None], 0, 1).astype(np.float32)


def meadow(rng: np.random.Generator, picture: Picture, top: int, colour: Colour, blades: int) -> None:
    """Grass from row `top` down (in place): tufts that grow larger towards the viewer, and a few flowers."""
    height, width = picture.shape[:2]
    depth = rng.uniform(0, 1, blades) ** 0.7
    for near in np.sort(depth):
        x, y = rng.uniform(0, width), top + 4 + near * (height - top)
        size = 2 + 7 * near
        tone = (
            light(colour, rng.uniform(0, 0.22)) if rng.random() < 0.5 else shade(colour, rng.uniform(0, 0.2))
        )
        flower = rng.random() < 0.12
        _tuft(picture, rng, x, y, size, tone, flower)


def _tuft(
    picture: Picture, rng: np.random.Generator, x: float, y: float, size: float, tone: Colour, flower: bool
) -> None:
    left, top = int(max(x - size * 1.2, 0)), int(max(y - size * 1.4, 0))
    window = picture[top : int(y) + 3, left : int(x + size * 1.2) + 2]
    if window.size == 0:
        return
    origin = np.array((x - left, y - top))
    leaves = [
        origin + np.array([(-size * 0.1, 0), (lean * size, -size * rng.uniform(0.7, 1.2)), (size * 0.1, 0)])
        for lean in (-0.6, -0.05, 0.5)
    ]
    lay(window, leaves, tone)
    if flower:
        bloom = (np.array((1.0, 0.95, 0.8)), np.array((0.92, 0.65, 0.2)), np.array((0.85, 0.5, 0.5)))[
            int(rng.integers(3))
        ]
        head = origin - (0.05 * size, 0.9 * size)
        ring = np.linspace(0, 2 * np.pi, 8, endpoint=False)
        lay(
            window,
            [head + 0.22 * size * np.stack([np.cos(ring), np.sin(ring)], axis=1)],
            mix(bloom, tone, 0.1),
        )
