"""Potted plants: broad leaves, blades, fronds, flowers and cacti, in units of about their own height."""

import numpy as np

from lessons.data.minivoc.colours import BOX, GREEN, Colour, choose, light, mix, shade
from lessons.data.minivoc.curves import arc, box, ellipse, points, rotate, smooth
from lessons.data.minivoc.raster import Drawing


def pottedplant(rng: np.random.Generator) -> Drawing:
    """A pot with broad cut leaves, with blades, with fronds, with flowers, or with a cactus."""
    style = int(rng.choice(5, p=(0.28, 0.2, 0.22, 0.18, 0.12)))
    d, green = Drawing(), choose(rng, GREEN)
    rim = rng.uniform(0.13, 0.18)
    (_broad, _blades, _fronds, _flowers, _cactus)[style](d, rng, green, rim)
    pot, foot, low = (
        choose(rng, ("terracotta", "cream", "brick", "navy", "teal", "mustard", "rose", "orange")),
        rim * rng.uniform(0.6, 0.8),
        0.48,
    )
    d.add(points((-rim, 0.2), (rim, 0.2), (foot, low), (-foot, low)), pot)
    d.paint(points((rim * 0.35, 0.2), (1, 0.2), (1, low), (foot * 0.45, low)), shade(pot, 0.4), 0.5)
    if rng.random() < 0.5:
        band = light(pot, 0.5) if rng.random() < 0.5 else shade(pot, 0.35)
        zigzag = [(x, 0.32 + 0.03 * (-1) ** k) for k, x in enumerate(np.linspace(-0.2, 0.2, 9))]
        d.line(np.array(zigzag), 0.018, band, inside=True)
    d.add(box(-rim - 0.022, 0.16, rim + 0.022, 0.225, 0.012), light(pot, 0.12), cast=True)
    return d


def _leaf(
    d: Drawing, start: np.ndarray, turn: float, length: float, width: float, green: Colour, notches: int = 0
) -> None:
    """A leaf from `start`; notches cut its edge on both sides, as a monstera's."""
    upper = [
        (0, 0),
        (length * 0.15, -width * 0.75),
        (length * 0.45, -width),
        (length * 0.8, -width * 0.5),
        (length, 0.0),
    ]
    outline = smooth([*upper, *[(x, -y) for x, y in upper[-2:0:-1]]])
    if notches:
        sides = []
        for side in (-1, 1):
            edge = smooth(upper, closed=False)[2:-1] * (1, -side)
            bite = (np.arange(len(edge)) % 8) == 5
            edge[bite] = edge[bite] * (0.82, 0.28)
            sides.append(edge)
        outline = np.concatenate([points((0, 0)), sides[1], points((length, 0)), sides[0][::-1]])
    d.add(rotate(outline, turn) + start, green, cast=True)
    rib = rotate(points((length * 0.05, 0), (length * 0.9, 0)), turn) + start
    d.line(rib, 0.010, light(green, 0.4), inside=True)


def _broad(d: Drawing, rng: np.random.Generator, green: Colour, rim: float) -> None:
    count = int(rng.integers(5, 9))
    for k in rng.permutation(count):
        turn = -np.pi / 2 + (k / (count - 1) - 0.5) * rng.uniform(2.3, 2.9)
        stem = rng.uniform(0.22, 0.38)
        tip = points((np.cos(turn) * stem * 0.8, 0.18 + np.sin(turn) * stem))[0]
        d.line(
            smooth([(rng.uniform(-0.04, 0.04), 0.2), (tip[0] * 0.35, 0.1 + tip[1] * 0.4), tip], closed=False),
            0.017,
            shade(green, 0.25),
        )
        colour = mix(green, BOX["lime"] if k % 2 else BOX["forest"], rng.uniform(0.1, 0.4))
        _leaf(
            d,
            tip,
            turn + rng.uniform(-0.35, 0.35),
            rng.uniform(0.22, 0.3),
            rng.uniform(0.075, 0.11),
            colour,
            notches=int(rng.random() < 0.6),
        )


def _blades(d: Drawing, rng: np.random.Generator, green: Colour, rim: float) -> None:
    for k in range(int(rng.integers(6, 10))):
        x, lean = rng.uniform(-0.7, 0.7) * rim, rng.uniform(-0.28, 0.28)
        high, wide = rng.uniform(0.4, 0.68), rng.uniform(0.03, 0.045)
        spine = smooth([(x, 0.2), (x + lean * 0.3, 0.2 - high * 0.55), (x + lean, 0.2 - high)], closed=False)
        colour = mix(green, BOX["forest"], rng.uniform(0, 0.5))
        d.line(
            spine,
            (wide * 1.3, wide * 1.9, wide * 1.2, 0.006),
            light(colour, 0.45) if k % 2 else colour,
            cast=True,
        )
        d.line(
            spine[:-2], (wide * 0.5, wide * 0.9, 0.006), colour if k % 2 else light(colour, 0.25), inside=True
        )


def _fronds(d: Drawing, rng: np.random.Generator, green: Colour, rim: float) -> None:
    count = int(rng.integers(6, 9))
    for k in rng.permutation(count):
        out = (k / (count - 1) - 0.5) * 2
        reach, high = 0.4 * out + rng.uniform(-0.05, 0.05), rng.uniform(0.45, 0.62) * (1 - 0.35 * abs(out))
        spine = smooth(
            [(out * 0.04, 0.2), (reach * 0.45, 0.2 - high), (reach, 0.22 - high * 0.75)],
            closed=False,
            steps=8,
        )
        colour = mix(green, BOX["lime"] if k % 2 else BOX["forest"], rng.uniform(0.0, 0.4))
        d.line(spine, (0.018, 0.012), shade(colour, 0.2))
        for j in range(3, len(spine), 2):
            along = spine[j] - spine[j - 1]
            turn = float(np.arctan2(along[1], along[0]))
            size = 0.11 * (1.15 - j / len(spine))
            for side in (-1, 1):
                tip = spine[j] + rotate(points((size, 0)), turn + side * 0.9)[0]
                d.line(np.array([spine[j], (spine[j] + tip) / 2, tip]), (0.016, 0.024, 0.006), colour)


def _flowers(d: Drawing, rng: np.random.Generator, green: Colour, rim: float) -> None:
    petal, heart = (
        choose(rng, ("red", "rose", "mustard", "white", "lilac", "orange", "blush")),
        choose(rng, ("mustard", "brown", "cream")),
    )
    for k in range(int(rng.integers(4, 7))):
        _leaf(
            d,
            np.array((0.0, 0.2)),
            -np.pi / 2 + rng.uniform(-1.3, 1.3),
            rng.uniform(0.2, 0.32),
            0.05,
            mix(green, BOX["forest"], 0.1 * k),
        )
    count = int(rng.integers(3, 6))
    for k in rng.permutation(count):
        x, y = (k / (count - 1) - 0.5) * 0.52, -rng.uniform(0.18, 0.42)
        d.line(
            smooth([(x * 0.15, 0.2), (x * 0.5, (y + 0.2) * 0.4), (x, y)], closed=False),
            0.018,
            shade(green, 0.15),
        )
        size, spin = rng.uniform(0.035, 0.05), rng.uniform(0, 1)
        for angle in spin + np.arange(6) * np.pi / 3:
            d.add(
                ellipse(
                    x + np.cos(angle) * size, y + np.sin(angle) * size, size * 0.72, size * 0.5, turn=angle
                ),
                shade(petal, 0.08 * (np.sin(angle) > 0)),
            )
        d.add(ellipse(x, y, size * 0.55), heart, cast=True)


def _cactus(d: Drawing, rng: np.random.Generator, green: Colour, rim: float) -> None:
    high, wide = rng.uniform(0.42, 0.62), rng.uniform(0.10, 0.13)
    for side in (-1, 1)[: int(rng.integers(1, 3))]:
        y = 0.2 - high * rng.uniform(0.35, 0.55)
        d.line(
            smooth(
                [
                    (0, y),
                    (side * 0.17, y),
                    (side * 0.20, y - 0.05),
                    (side * 0.2, y - rng.uniform(0.12, 0.22)),
                ],
                closed=False,
            ),
            0.075,
            shade(green, 0.12),
        )
    d.line(points((0, 0.22), (0, 0.2 - high)), wide, green, cast=True)
    for x in (-0.28, 0.0, 0.28):
        d.line(points((x * wide, 0.2), (x * wide, 0.22 - high)), 0.010, light(green, 0.4), inside=True)
    for angle in arc(0, 0, 1, 1, 0, 5, 5)[:, 0]:
        d.add(
            ellipse(angle * 0.03, 0.2 - high - wide * 0.5, 0.022, 0.032, turn=angle),
            choose(rng, ("rose", "red", "mustard")),
        )
