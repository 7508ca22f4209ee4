"""Cats, sitting and walking, in units of about their own length."""

import numpy as np

from lessons.data.minivoc.colours import BOX, FUR, Colour, choose, light, shade
from lessons.data.minivoc.curves import ellipse, points, smooth
from lessons.data.minivoc.raster import Drawing


def cat(rng: np.random.Generator) -> Drawing:
    """A cat that sits and looks at you, or one that walks with its tail up; plain or striped."""
    return _sitting_cat(rng) if rng.random() < 0.55 else _walking_cat(rng)


def _cat_face(d: Drawing, x: float, y: float, r: float, fur: Colour, iris: Colour) -> None:
    for side in (-1, 1):
        ear = points(
            (x + side * r * 0.98, y - r * 0.25),
            (x + side * r * 0.92, y - r * 1.42),
            (x + side * r * 0.22, y - r * 0.8),
        )
        d.add(ear, fur)
        d.paint(ear * 0.6 + ear.mean(axis=0) * 0.4 + (0, r * 0.06), BOX["rose"])
    d.add(ellipse(x, y, r * 1.1, r * 0.92), fur)
    d.paint(ellipse(x, y + r * 0.42, r * 0.55, r * 0.36), light(fur, 0.5))
    for side in (-1, 1):
        d.paint(ellipse(x + side * r * 0.45, y - r * 0.08, r * 0.21, r * 0.25), iris)
        d.paint(ellipse(x + side * r * 0.45, y - r * 0.08, r * 0.09, r * 0.22), BOX["ink"])
        for k in (-0.12, 0.14):
            d.line(
                points((x + side * r * 0.3, y + r * 0.38), (x + side * r * 1.5, y + r * (0.32 + k * 2))),
                0.005,
                light(fur, 0.75),
                faint=True,
            )
    d.paint(points((x - r * 0.15, y + r * 0.2), (x + r * 0.15, y + r * 0.2), (x, y + r * 0.38)), BOX["rose"])
    mouth = [(-0.3, 0.46), (-0.16, 0.56), (0.0, 0.42), (0.16, 0.56), (0.3, 0.46)]
    d.line(
        smooth([(x + r * u, y + r * v) for u, v in mouth], closed=False), 0.01, shade(fur, 0.6), inside=True
    )


def _tabby(d: Drawing, stripes: list[list[tuple[float, float]]], fur: Colour) -> None:
    for stripe in stripes:
        d.line(smooth(stripe, closed=False), (0.01, 0.032, 0.006), shade(fur, 0.5), inside=True)


def _sitting_cat(rng: np.random.Generator) -> Drawing:
    d, fur, iris = Drawing(pose="Frontal"), choose(rng, FUR), choose(rng, ("mustard", "lime", "mint"))
    wide, curl = rng.uniform(0.19, 0.24), rng.uniform(0.06, 0.2)
    d.line(
        smooth(
            [(0.1, 0.42), (0.30, 0.43), (0.40, 0.30 - curl), (0.33, 0.12 - curl), (0.42, 0.02 - curl)],
            closed=False,
        ),
        (0.08, 0.075, 0.055),
        shade(fur, 0.15),
    )
    d.add(smooth([(0, -0.2), (wide * 0.65, -0.05), (wide, 0.2), (wide * 1.05, 0.42), (0.12, 0.48), (-0.12,
        0.48), (-wide * 1.05, 0.42),
                  (-wide, 0.2), (-wide * 0.65, -0.05)]), fur)  # fmt: skip
    if rng.random() < 0.6:
        _tabby(
            d,
            [
                [(s * (wide + 0.02), y), (s * wide * 0.7, y + 0.02), (s * wide * 0.4, y)]
                for s in (-1, 1)
                for y in (0.08, 0.17, 0.26)
            ],
            fur,
        )
    else:
        d.paint(ellipse(0, 0.08, wide * 0.5, 0.2), light(fur, 0.55))
    paws = light(fur, 0.6) if rng.random() < 0.5 else fur
    for side in (-1, 1):
        d.line(points((side * 0.065, 0.15), (side * 0.06, 0.46)), (0.085, 0.08), shade(fur, 0.12), cast=True)
        d.add(ellipse(side * 0.07, 0.465, 0.065, 0.038), paws)
    if rng.random() < 0.4:
        d.paint(_collar(wide), choose(rng, ("red", "teal", "mustard")))
    _cat_face(d, 0.0, -0.25, 0.19, fur, iris)
    if rng.random() < 0.6:
        _tabby(d, [[(x, -0.44), (x * 0.9, -0.38), (x * 0.8, -0.33)] for x in (-0.06, 0.0, 0.06)], fur)
    return d


def _collar(wide: float) -> np.ndarray:
    """The band that a collar covers below the head."""
    return smooth([(-wide, -0.10), (0, -0.04), (wide, -0.10), (wide, -0.05), (0, 0.02), (-wide, -0.05)])


def _walking_cat(rng: np.random.Generator) -> Drawing:
    d, fur, iris = Drawing(pose="Right"), choose(rng, FUR), choose(rng, ("mustard", "lime", "mint"))
    stride, up = rng.uniform(0.03, 0.09), rng.uniform(0.2, 0.34)
    for x, swing, colour in (
        (-0.22, stride, shade(fur, 0.3)),
        (0.2, -stride, shade(fur, 0.3)),
        (-0.26, -stride, fur),
        (0.14, stride, fur),
    ):
        d.line(
            smooth([(x, 0.02), (x - swing * 0.2, 0.17), (x + swing, 0.34)], closed=False),
            (0.11, 0.058, 0.05),
            colour,
        )
        d.add(ellipse(x + swing + 0.015, 0.345, 0.038, 0.024), light(colour, 0.3))
    d.line(
        smooth([(-0.28, -0.05), (-0.42, -0.1), (-0.44, -0.1 - up * 0.6), (-0.36, -0.12 - up)], closed=False),
        (0.07, 0.06, 0.042),
        fur,
    )
    d.add(
        smooth(
            [
                (0.26, -0.06),
                (0.22, 0.08),
                (0.05, 0.11),
                (-0.15, 0.07),
                (-0.3, 0.07),
                (-0.36, -0.04),
                (-0.26, -0.13),
                (0, -0.1),
                (0.18, -0.15),
            ]
        ),
        fur,
    )
    if rng.random() < 0.6:
        _tabby(
            d, [[(x, -0.15), (x + 0.02, -0.05), (x - 0.01, 0.04)] for x in np.arange(-0.27, 0.15, 0.075)], fur
        )
    _cat_face(d, 0.31, -0.19, 0.125, light(fur, 0.05), iris)
    return d
