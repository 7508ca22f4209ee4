"""Dogs and sheep, facing right, in units of about their own length."""

# ruff: noqa: RUF005 -- "array + (x, y)" moves an array, it joins nothing

import numpy as np

from lessons.data.minivoc.birds import eye
from lessons.data.minivoc.colours import BOX, FUR, Colour, brightness, choose, light, shade
from lessons.data.minivoc.curves import ellipse, points, rotate, smooth
from lessons.data.minivoc.raster import Drawing


def dog(rng: np.random.Generator) -> Drawing:
    """A dog that stands or sits, with hanging or pointed ears, long or short legs, patches and a collar."""
    return _standing_dog(rng) if rng.random() < 0.65 else _sitting_dog(rng)


def _dog_head(d: Drawing, rng: np.random.Generator, x: float, y: float, fur: Colour, ear: Colour) -> None:
    long, hanging = rng.uniform(0.16, 0.22), rng.random() < 0.75
    if not hanging:
        d.add(points((x - 0.08, y - 0.05), (x - 0.07, y - 0.24), (x + 0.03, y - 0.09)), ear)
    d.add(smooth([(x - 0.13, y), (x - 0.09, y - 0.11), (x + 0.03, y - 0.12), (x + 0.08, y - 0.05),
        (x + long, y - 0.025), (x + long + 0.02, y + 0.03),
                  (x + long - 0.03, y + 0.075), (x + 0.03, y + 0.1), (x - 0.08, y + 0.1)]), fur)  # fmt: skip
    d.paint(
        smooth([(x + 0.09, y - 0.03), (x + 0.3, y - 0.08), (x + 0.3, y + 0.1), (x + 0.06, y + 0.12)]),
        light(fur, 0.45),
    )
    d.add(ellipse(x + long, y - 0.015, 0.034, 0.028), BOX["ink"])
    d.line(
        smooth([(x + long, y + 0.04), (x + 0.1, y + 0.052), (x + 0.05, y + 0.03)], closed=False),
        0.010,
        BOX["ink"],
        inside=True,
    )
    if rng.random() < 0.45:
        d.add(
            smooth([(x + 0.10, y + 0.06), (x + 0.16, y + 0.06), (x + 0.155, y + 0.15), (x + 0.11, y + 0.15)]),
            BOX["rose"],
        )
    eye(d, x + 0.035, y - 0.045, 0.026)
    if hanging:
        d.add(
            smooth(
                [
                    (x - 0.1, y - 0.1),
                    (x - 0.01, y - 0.1),
                    (x - 0.02, y + 0.08),
                    (x - 0.07, y + 0.15),
                    (x - 0.14, y + 0.07),
                ]
            ),
            ear,
            cast=True,
        )


def _standing_dog(rng: np.random.Generator) -> Drawing:
    d, fur = Drawing(pose="Right"), choose(rng, FUR)
    ear, leg = (shade(fur, 0.4), rng.uniform(0.16, 0.34))
    stride, thick = rng.uniform(-0.06, 0.08), rng.uniform(0.055, 0.07)
    for x, swing, colour in (
        (-0.20, stride, shade(fur, 0.3)),
        (0.18, -stride, shade(fur, 0.3)),
        (-0.28, -stride, fur),
        (0.12, stride, fur),
    ):
        d.line(
            points((x, 0.02), (x - swing * 0.3, 0.1 + leg * 0.5), (x + swing, 0.1 + leg)),
            (0.13, thick, thick * 0.9),
            colour,
        )
        d.add(ellipse(x + swing + 0.02, 0.11 + leg, 0.045, 0.026), light(colour, 0.2))
    wag = rng.uniform(-0.1, 0.12)
    d.line(
        smooth([(-0.32, -0.08), (-0.43, -0.17), (-0.46 + wag, -0.31)], closed=False),
        (0.065, 0.045, 0.022),
        fur,
    )
    d.add(
        smooth(
            [
                (0.28, -0.12),
                (0.25, 0.06),
                (0.12, 0.12),
                (-0.1, 0.07),
                (-0.28, 0.09),
                (-0.37, -0.02),
                (-0.28, -0.13),
                (0, -0.12),
                (0.16, -0.17),
            ]
        ),
        fur,
    )
    if rng.random() < 0.5:
        patch = shade(fur, 0.5) if brightness(fur) > 0.45 else light(fur, 0.5)
        d.paint(
            ellipse(
                rng.uniform(-0.2, 0.0), rng.uniform(-0.12, -0.03), 0.12, 0.085, turn=rng.uniform(-0.5, 0.5)
            ),
            patch,
            0.9,
        )
        d.paint(ellipse(-0.33, 0.02, 0.08, 0.07), patch, 0.9)
    d.add(smooth([(0.12, -0.05), (0.18, -0.24), (0.29, -0.28), (0.34, -0.16), (0.27, 0.02)]), fur)
    d.line(
        points((0.17, -0.15), (0.33, -0.10)),
        0.035,
        choose(rng, ("red", "teal", "mustard", "blue")),
        inside=True,
    )
    _dog_head(d, rng, 0.30, -0.25, light(fur, 0.06), ear)
    return d


def _sitting_dog(rng: np.random.Generator) -> Drawing:
    d, fur = Drawing(pose="Right"), choose(rng, FUR)
    d.line(
        smooth([(-0.22, 0.36), (-0.36, 0.36), (-0.42, 0.24 - rng.uniform(0, 0.12))], closed=False),
        (0.06, 0.045, 0.025),
        fur,
    )
    d.line(points((0.15, 0.0), (0.17, 0.39)), (0.11, 0.055), shade(fur, 0.3))
    d.add(
        smooth(
            [
                (0.18, -0.2),
                (0.2, 0.02),
                (0.12, 0.22),
                (0.05, 0.38),
                (-0.2, 0.41),
                (-0.29, 0.28),
                (-0.2, 0.06),
                (-0.05, -0.14),
                (0.04, -0.26),
            ]
        ),
        fur,
    )
    d.paint(smooth([(0.3, -0.1), (0.13, -0.05), (0.1, 0.1), (0.17, 0.2), (0.4, 0.1)]), light(fur, 0.45))
    d.line(points((0.1, 0.0), (0.11, 0.39)), (0.12, 0.06), fur, cast=True)
    d.add(ellipse(-0.13, 0.28, 0.14, 0.12), light(fur, 0.06), cast=True)
    for x in (0.13, 0.19, -0.04):
        d.add(ellipse(x, 0.40, 0.052, 0.027), light(fur, 0.25))
    d.line(
        points((-0.01, -0.15), (0.2, -0.1)),
        0.038,
        choose(rng, ("red", "teal", "mustard", "blue")),
        inside=True,
    )
    _dog_head(d, rng, 0.12, -0.27, light(fur, 0.06), shade(fur, 0.4))
    return d


def sheep(rng: np.random.Generator) -> Drawing:
    """A sheep in its curls, head up or grazing."""
    d, wool = (
        Drawing(pose="Right"),
        choose(rng, ("cream", "white", "sand", "white", "cream", "blush", "grey")),
    )
    face = choose(rng, ("charcoal", "ink", "brown", "tan", "blush"))
    grazing, leg = rng.random() < 0.4, rng.uniform(0.15, 0.22)
    for x, colour in ((-0.17, shade(face, 0.3)), (0.17, shade(face, 0.3)), (-0.24, face), (0.11, face)):
        x += rng.uniform(-0.02, 0.02)
        d.line(points((x, 0.1), (x + rng.uniform(-0.02, 0.02), 0.17 + leg)), 0.046, colour)
    d.add(ellipse(-0.39, -0.02, 0.06, 0.05, turn=0.6), shade(wool, 0.15))
    count, phase = int(rng.integers(11, 15)), rng.uniform(0, 1)
    for k in range(count):
        angle = 2 * np.pi * (k + phase) / count
        x, y = 0.30 * np.cos(angle) - 0.02, 0.155 * np.sin(angle)
        d.add(ellipse(x, y, rng.uniform(0.075, 0.10), n=20), shade(wool, 0.04 + 0.16 * (np.sin(angle) > 0.3)))
    d.add(ellipse(-0.02, 0.0, 0.31, 0.17), wool)
    for _ in range(9):
        x, y = rng.uniform(-0.27, 0.2), rng.uniform(-0.14, 0.12)
        d.line(ellipse(x, y, 0.045, n=14)[2:10], 0.012, shade(wool, 0.2), inside=True)
    hx, hy = (0.36, 0.16) if grazing else (0.36, rng.uniform(-0.19, -0.11))
    d.add(
        smooth(
            rotate(
                points(
                    (-0.08, -0.08), (0.05, -0.085), (0.12, 0.02), (0.10, 0.075), (0.0, 0.07), (-0.08, 0.05)
                ),
                0.9 if grazing else 0.35,
            )
            + (hx, hy)
        ),
        face,
        cast=True,
    )
    for side in (-1, 1):
        d.add(
            ellipse(hx - 0.065 + 0.03 * side, hy - 0.025 - 0.01 * side, 0.062, 0.024, turn=0.5 + 0.5 * side),
            shade(face, 0.25) if side < 0 else face,
            cast=side > 0,
        )
    for x, y in ((-0.08, -0.085), (-0.03, -0.10), (0.02, -0.085)):
        d.add(ellipse(hx + x, hy + y, 0.05), wool)
    eye(d, hx + 0.03, hy - 0.01, 0.02)
    return d
