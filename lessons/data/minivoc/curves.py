"""Plane geometry: ellipses, smooth outlines, strokes. Points are float64 (n, 2) arrays of x, y.

x runs to the right and y downwards, as in the picture.
"""

# ruff: noqa: RUF005 -- "array + (x, y)" moves an array, it joins nothing

from collections.abc import Sequence

import numpy as np

Points = np.ndarray  # (n, 2) float64


def points(*pairs: tuple[float, float]) -> Points:
    """The given x, y pairs as an (n, 2) array."""
    return np.asarray(pairs, dtype=np.float64)


def ellipse(
    x: float, y: float, rx: float, ry: float | None = None, *, turn: float = 0.0, n: int = 36
) -> Points:
    """The outline of an ellipse about (x, y), turned by `turn` radians, as n points."""
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    local = np.stack([rx * np.cos(angle), (rx if ry is None else ry) * np.sin(angle)], axis=1)  # (n, 2)
    return rotate(local, turn) + (x, y)


def arc(x: float, y: float, rx: float, ry: float, start: float, stop: float, n: int = 16) -> Points:
    """n points of an open arc from angle `start` to `stop`, in radians from the right, clockwise."""
    angle = np.linspace(start, stop, n)
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1)


def box(left: float, top: float, right: float, bottom: float, radius: float = 0.0) -> Points:
    """A rectangle, its corners rounded with `radius`."""
    if radius <= 0:
        return points((left, top), (right, top), (right, bottom), (left, bottom))
    radius = min(radius, (right - left) / 2, (bottom - top) / 2)
    centres = ((right, bottom, -1, -1), (left, bottom, 1, -1), (left, top, 1, 1), (right, top, -1, 1))
    quarters = [
        arc(x + sx * radius, y + sy * radius, radius, radius, k * np.pi / 2, (k + 1) * np.pi / 2, 6)
        for k, (x, y, sx, sy) in enumerate(centres)
    ]
    return np.concatenate(quarters)


def rotate(path: Points, turn: float, x: float = 0.0, y: float = 0.0) -> Points:
    """`path` turned by `turn` radians (clockwise in the picture) about (x, y)."""
    cosine, sine = np.cos(turn), np.sin(turn)
    return (path - (x, y)) @ np.array([[cosine, sine], [-sine, cosine]]) + (x, y)


def smooth(path: Points | Sequence[tuple[float, float]], *, closed: bool = True, steps: int = 7) -> Points:
    """A Catmull-Rom curve through `path`; a point given twice in a row is a corner.

    Each span between the points p1, p2 is the cubic that leaves p1 along (p2 - p0) / 2 and reaches p2
    along (p3 - p1) / 2.
    """
    path = np.asarray(path, dtype=np.float64)
    count = len(path)
    spans = range(count if closed else count - 1)
    index = (lambda k: k % count) if closed else (lambda k: min(max(k, 0), count - 1))
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]  # (steps, 1)
    pieces = []
    for k in spans:
        p0, p1, p2, p3 = (path[index(k + shift)] for shift in (-1, 0, 1, 2))
        if np.array_equal(p1, p2):
            continue
        leave, reach = (p2 - p0) / 2, (p3 - p1) / 2
        cubic = 2 * p1 - 2 * p2 + leave + reach
        square = 3 * p2 - 3 * p1 - 2 * leave - reach
        pieces.append(((cubic * t + square) * t + leave) * t + p1)
    if not closed:
        pieces.append(path[-1:])
    return np.concatenate(pieces)


def following(polygons: np.ndarray) -> np.ndarray:
    """The point after each point of polygons (..., n, 2); after the last comes the first."""
    return np.concatenate([polygons[..., 1:, :], polygons[..., :1, :]], axis=-2)


def oriented(polygons: np.ndarray) -> np.ndarray:
    """Polygons (..., n, 2) with their points in the positive order, so that overlaps add up."""
    after = following(polygons)
    area = (polygons[..., 0] * after[..., 1] - polygons[..., 1] * after[..., 0]).sum(axis=-1)
    return np.where((area >= 0)[..., None, None], polygons, polygons[..., ::-1, :])


def outline_stroke(path: Points, widths: np.ndarray, closed: bool) -> list[np.ndarray]:
    """The polygons whose union is `path` drawn with a round pen: quadrangles (k, 4, 2) and discs (n, 12, 2).

    Args:
        path: (n, 2).
        widths: (n,), the pen's diameter at each point.
        closed: join the last point to the first.
    """
    ends = np.roll(path, -1, axis=0) if closed else path[1:]
    starts = path if closed else path[:-1]
    from_width = widths[: len(starts), None] / 2
    to_width = (np.roll(widths, -1) if closed else widths[1:])[:, None] / 2
    along = ends - starts
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / length  # (n, 2)
    corners = np.stack(
        [
            starts + normal * from_width,
            ends + normal * to_width,
            ends - normal * to_width,
            starts - normal * from_width,
        ],
        axis=1,
    )  # (n, 4, 2)
    unit = ellipse(0, 0, 1, n=12)
    discs = path[:, None] + unit[None] * widths[:, None, None] / 2  # (n, 12, 2)
    return [oriented(corners), oriented(discs)]
