"""Boats, facing right, in units of about their own length."""

import numpy as np

from lessons.data.minivoc.colours import BODY, GLASS, WOOD, Colour, choose, light, shade
from lessons.data.minivoc.curves import box, ellipse, points, smooth
from lessons.data.minivoc.raster import Drawing


def boat(rng: np.random.Generator) -> Drawing:
    """A sailing boat with main sail and jib, a fishing boat with cabin and mast, or a two-masted ship."""
    style = int(rng.choice(3, p=(0.5, 0.3, 0.2)))
    d, hull, trim = (
        Drawing(pose="Right"),
        choose(rng, BODY),
        choose(rng, ("cream", "white", "mustard", "red")),
    )
    wood, depth = choose(rng, WOOD), rng.uniform(0.12, 0.17)
    if style == 0:
        _sails(d, rng, wood, -0.02, rng.uniform(0.7, 0.95), 0.36)
    elif style == 1:
        _cabin(d, rng, wood)
    else:
        _sails(d, rng, wood, -0.22, rng.uniform(0.45, 0.6), 0.2)
        _sails(d, rng, wood, 0.14, rng.uniform(0.6, 0.72), 0.26)
    bow = rng.uniform(0.03, 0.10)
    d.add(smooth([(-0.46, 0.0), (-0.46, 0.0), (0, 0.03), (0.5, -bow), (0.5, -bow), (0.42, depth * 0.6),
        (0.28, depth), (-0.3, depth),
                  (-0.43, depth * 0.7)]), hull, cast=True)  # fmt: skip
    d.paint(
        smooth([(-0.5, 0.0), (0, 0.03), (0.6, -bow), (0.6, -bow + 0.045), (0, 0.07), (-0.5, 0.035)]), trim
    )
    d.paint(box(-0.6, depth * 0.78, 0.6, depth + 0.1), shade(hull, 0.45), 0.8)
    if rng.random() < 0.4:
        for x in (-0.25, -0.1, 0.05, 0.2):
            d.paint(ellipse(x, depth * 0.62, 0.022), light(GLASS, 0.3))
    return d


def _sails(
    d: Drawing, rng: np.random.Generator, wood: Colour, mast: float, height: float, spread: float
) -> None:
    canvas, second = (
        light(choose(rng, ("cream", "white", "red", "orange", "sky", "mustard", "rose")), 0.2),
        choose(rng, BODY),
    )
    d.line(points((mast, 0.05), (mast, -height)), (0.026, 0.016), wood)
    gap = 0.03
    d.add(smooth([(mast - gap, -height * 0.95), (mast - gap, -height * 0.95), (mast - spread * 0.75,
        -height * 0.45),
                  (mast - spread, -0.10), (mast - spread, -0.10), (mast - gap, -0.075), (mast - gap,
                      -0.075)]), canvas)  # fmt: skip
    for share in (0.3, 0.52, 0.74):
        d.line(
            points((mast - 0.5, -height * share + 0.02), (mast + 0.02, -height * share)),
            0.007,
            shade(canvas, 0.22),
            inside=True,
        )
    if rng.random() < 0.5:
        d.paint(box(mast - 0.6, -height * 0.34, mast - 0.01, -height * 0.2), second, 0.9)
    d.line(points((mast - spread * 1.02, -0.075), (mast, -0.06)), 0.018, wood)
    d.add(smooth([(mast + gap, -height * 0.84), (mast + gap, -height * 0.84), (mast + spread * 0.62,
        -height * 0.35),
                  (mast + spread * 1.05, -0.08), (mast + spread * 1.05, -0.08), (mast + gap + 0.05,
                      -0.11)]), shade(canvas, 0.1))  # fmt: skip
    d.add(points((mast, -height - 0.05), (mast - 0.11, -height - 0.025), (mast, -height)), second)


def _cabin(d: Drawing, rng: np.random.Generator, wood: Colour) -> None:
    wall, roof = light(choose(rng, ("cream", "white", "sky", "mint")), 0.2), choose(rng, BODY)
    mast = rng.uniform(-0.30, -0.22)
    tall = rng.uniform(0.42, 0.55)
    d.line(points((mast, 0.05), (mast, -tall)), (0.026, 0.018), wood)
    d.line(points((mast, -tall + 0.03), (-0.47, 0.0)), 0.010, wood)
    d.line(points((mast, -tall + 0.03), (0.49, -0.03)), 0.010, wood)
    d.line(points((mast, -0.08), (-0.5, -0.27)), 0.020, wood)
    d.add(box(-0.1, -0.22, 0.20, 0.06), wall)
    for x in (-0.06, 0.035, 0.12):
        d.paint(box(x, -0.17, x + 0.06, -0.09, 0.01), GLASS)
    d.add(box(-0.14, -0.26, 0.26, -0.21, 0.02), roof, cast=True)
    d.add(box(0.0, -0.37, 0.07, -0.25), roof)
    d.paint(box(-0.02, -0.345, 0.1, -0.31), light(wall, 0.2))
