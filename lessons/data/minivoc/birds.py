"""Birds that perch, wade and fly, facing right, in units of about their own length."""

from itertools import pairwise

import numpy as np

from lessons.data.minivoc.colours import BOX, Colour, brightness, choose, light, shade
from lessons.data.minivoc.curves import ellipse, points, rotate, smooth
from lessons.data.minivoc.raster import Drawing

PLUMAGE = (
    "blue",
    "red",
    "mustard",
    "teal",
    "orange",
    "plum",
    "navy",
    "cream",
    "brick",
    "lilac",
    "charcoal",
    "white",
)


def eye(d: Drawing, x: float, y: float, size: float) -> None:
    """Paint an eye that looks to the right."""
    d.paint(ellipse(x, y, size), BOX["white"])
    d.paint(ellipse(x + size * 0.15, y, size * 0.68), BOX["ink"])
    d.paint(ellipse(x + size * 0.35, y - size * 0.3, size * 0.25), BOX["white"])


def bird(rng: np.random.Generator) -> Drawing:
    """A songbird or a wader on its thin legs."""
    return _songbird(rng) if rng.random() < 0.6 else _wader(rng)


def _songbird(rng: np.random.Generator) -> Drawing:
    d, coat, belly, beak = (
        Drawing(pose="Right"),
        choose(rng, PLUMAGE),
        choose(rng, ("cream", "orange", "rose", "mustard", "blush")),
        choose(rng, ("orange", "mustard", "ochre")),
    )
    lift, legs = rng.uniform(-0.05, 0.12), rng.uniform(0.16, 0.24)
    for x, tilt in ((-0.03, -0.03), (0.07, 0.02)):
        foot = 0.18 + legs
        d.line(points((x, 0.12), (x + tilt, foot)), 0.018, shade(beak, 0.3))
        d.line(
            points((x + tilt - 0.045, foot + 0.006), (x + tilt + 0.06, foot + 0.008)), 0.016, shade(beak, 0.3)
        )
    tail = rotate(
        points((-0.1, -0.02), (-0.50, -0.05), (-0.52, 0.0), (-0.49, 0.015), (-0.50, 0.05), (-0.1, 0.09)),
        lift * 2,
        -0.1,
        0,
    )
    d.add(tail, shade(coat, 0.35))
    d.add(smooth([(0.36, -0.24), (0.33, -0.08), (0.27, 0.08), (0.08, 0.2), (-0.12, 0.16), (-0.26, 0.02),
        (-0.14, -0.08),
                  (0.05, -0.16), (0.12, -0.30), (0.25, -0.36)]), coat)  # fmt: skip
    d.paint(
        smooth(
            [
                (0.5, -0.15),
                (0.27, -0.14),
                (0.17, -0.02),
                (0.1, 0.09),
                (-0.1, 0.13),
                (0.04, 0.205),
                (0.3, 0.16),
            ]
        ),
        belly,
    )
    d.add(points((0.335, -0.29), (0.49, -0.225), (0.345, -0.19)), beak)
    if rng.random() < 0.35:
        d.add(
            points((0.14, -0.29), (0.10, -0.45), (0.22, -0.36), (0.20, -0.47), (0.29, -0.34)), coat
        )  # crest
    wing = smooth(
        [
            (0.13, -0.08),
            (0.08, 0.06),
            (-0.1, 0.09),
            (-0.36, 0.06),
            (-0.36, 0.06),
            (-0.2, -0.04),
            (-0.02, -0.12),
        ]
    )
    d.add(wing, shade(coat, 0.22), cast=True)
    for k in range(3):
        d.line(
            smooth(
                [(0.06 - 0.03 * k, -0.03 + 0.02 * k), (-0.1, 0.0 + 0.028 * k), (-0.32, 0.03 + 0.012 * k)],
                closed=False,
            ),
            0.012,
            light(coat, 0.45),
            inside=True,
        )
    eye(d, 0.26, -0.26, 0.032)
    return d


def flying_bird(rng: np.random.Generator) -> Drawing:
    """A bird in flight, its wings spread up and down or both raised, the outer feathers like fingers."""
    d, coat = Drawing(), choose(rng, PLUMAGE)
    tip = shade(coat, 0.5) if brightness(coat) > 0.35 else light(coat, 0.5)
    rise, bend = rng.uniform(-0.15, 0.38), rng.uniform(0.1, 0.3)
    d.add(
        points((-0.14, -0.02), (-0.36, -0.09), (-0.32, -0.02), (-0.38, 0.02), (-0.31, 0.05), (-0.14, 0.05)),
        tip,
    )  # tail
    for side, colour in ((1, shade(coat, 0.25)), (0, coat)):
        _wing(d, rise * (0.8 if side else 1.0), bend, -1 if side else 1, colour, tip)
    d.add(smooth([(0.28, -0.07), (0.24, 0.0), (0.08, 0.06), (-0.1, 0.05), (-0.22, 0.01), (-0.1, -0.05),
        (0.1, -0.07),
                  (0.2, -0.11)]), light(coat, 0.15), cast=True)  # fmt: skip
    d.add(points((0.265, -0.085), (0.37, -0.045), (0.25, -0.03)), BOX["mustard"])
    eye(d, 0.22, -0.065, 0.02)
    return d


def _wing(d: Drawing, rise: float, bend: float, side: int, colour: Colour, tip: Colour) -> None:
    """A spread wing whose outer feathers stand apart; side 1 is the near wing, -1 the far one."""
    y = side * 0.03
    reach = side * (0.46 - abs(rise) * 0.25)
    shoulder, wrist = np.array((0.12, y)), np.array((0.10 + bend * 0.3, y + reach * 0.45))
    end = np.array((-0.08 - bend, y + reach))
    if rise > 0.18 and side == 1:  # both wings up: the near one is mirrored above the back
        wrist, end = wrist * (1, -1) + (-0.10, 0), end * (1, -1) + (-0.12, 0)
    fingers = [end + (end - wrist) * 0.05 * k + np.array((-0.055 * k, -0.03 * side * k)) for k in range(4)]
    outline = [shoulder, wrist, fingers[0]]
    for one, two in pairwise(fingers):
        outline += [one * 0.62 + two * 0.12 + wrist * 0.26, two]
    d.add(np.array([*outline, (-0.12, y * 0.5)]), colour, cast=side == 1)
    d.paint(
        np.array(
            [
                *[f + (f - wrist) * 0.2 for f in fingers],
                wrist * 0.35 + fingers[-1] * 0.65,
                wrist * 0.4 + fingers[0] * 0.6,
            ]
        ),
        tip,
        0.9,
    )


def _wader(rng: np.random.Generator) -> Drawing:
    d, coat, leg = (
        Drawing(pose="Right"),
        choose(rng, ("white", "rose", "grey", "sky", "cream", "blush", "lilac")),
        choose(rng, ("orange", "charcoal", "rose", "ochre")),
    )
    neck, step = rng.uniform(0.24, 0.36), rng.uniform(0.02, 0.1)
    for x, knee, foot in ((-0.05, -0.07 - step, -0.03), (0.02, 0.0, 0.02 + step)):
        d.line(points((x, 0.08), (knee, 0.28), (foot, 0.48)), 0.017, leg)
        d.line(points((foot - 0.03, 0.485), (foot + 0.07, 0.485)), 0.016, leg)
    d.line(
        smooth([(0.12, 0.0), (0.22, -0.1), (0.15, -0.05 - neck * 0.7), (0.19, -0.1 - neck)], closed=False),
        (0.10, 0.06, 0.045, 0.05),
        coat,
    )
    d.add(
        smooth(
            [
                (0.22, -0.04),
                (0.14, 0.1),
                (-0.05, 0.14),
                (-0.22, 0.11),
                (-0.40, 0.16),
                (-0.40, 0.16),
                (-0.3, 0.02),
                (-0.1, -0.09),
                (0.1, -0.12),
            ]
        ),
        coat,
    )
    d.add(ellipse(0.20, -0.12 - neck, 0.06, 0.045), coat)
    d.add(
        points((0.24, -0.14 - neck), (0.24 + rng.uniform(0.14, 0.24), -0.09 - neck), (0.23, -0.09 - neck)),
        choose(rng, ("mustard", "orange", "charcoal")),
    )
    d.add(
        smooth(
            [
                (0.13, -0.04),
                (0.06, 0.06),
                (-0.15, 0.09),
                (-0.36, 0.13),
                (-0.36, 0.13),
                (-0.22, 0.0),
                (0.0, -0.08),
            ]
        ),
        shade(coat, 0.18),
        cast=True,
    )
    d.paint(points((-0.42, 0.18), (-0.2, 0.12), (-0.24, 0.03)), shade(coat, 0.65), 0.8)
    d.paint(ellipse(0.21, -0.13 - neck, 0.012), BOX["ink"])
    return d
