"""Bottles and chairs. Each function draws one in units of about its own height."""

import numpy as np

from lessons.data.minivoc.colours import BODY, BOX, WOOD, Colour, choose, light, shade
from lessons.data.minivoc.curves import box, ellipse, points, smooth
from lessons.data.minivoc.raster import Drawing

FLASK = ("forest", "teal", "brick", "olive", "blue", "plum", "ochre", "navy", "mint", "brown")


def bottle(rng: np.random.Generator) -> Drawing:
    """A wine bottle, a round flask, or a jug whose handle you can reach through."""
    style = int(rng.choice(3, p=(0.45, 0.2, 0.35)))
    d, glass = Drawing(), choose(rng, FLASK)
    neck, wide = rng.uniform(0.032, 0.045), rng.uniform(0.10, 0.135)
    shoulder = rng.uniform(-0.18, -0.06)
    if style == 0:
        half = [
            (neck, -0.47),
            (neck, shoulder - 0.12),
            (neck * 1.3, shoulder - 0.06),
            (wide, shoulder + 0.06),
            (wide, 0.44),
            (wide * 0.85, 0.5),
        ]
    elif style == 1:
        half = [
            (neck * 1.5, -0.38),
            (neck * 1.2, -0.15),
            (wide * 1.2, -0.02),
            (wide * 1.9, 0.22),
            (wide * 1.5, 0.44),
            (wide * 0.9, 0.48),
        ]
    else:
        wide *= 1.35
        half = [
            (neck * 1.7, -0.42),
            (neck * 1.5, -0.26),
            (wide * 0.8, -0.12),
            (wide, 0.02),
            (wide, 0.43),
            (wide * 0.85, 0.48),
        ]
        for side in (1, -1)[: int(rng.integers(1, 3))]:
            d.line(
                smooth(
                    [
                        (side * neck * 1.4, -0.32),
                        (side * wide * 1.25, -0.34),
                        (side * wide * 1.45, -0.1),
                        (side * wide * 0.9, 0.08),
                    ],
                    closed=False,
                ),
                0.046,
                shade(glass, 0.15),
            )
    outline = smooth([*half, *[(-x, y) for x, y in half[::-1]]])
    d.add(outline, glass)
    _bottle_details(d, rng, style, wide, half, glass)
    return d


def _bottle_details(
    d: Drawing,
    rng: np.random.Generator,
    style: int,
    wide: float,
    half: list[tuple[float, float]],
    glass: Colour,
) -> None:
    neck, top = half[0]
    fill_line = rng.uniform(-0.05, 0.2)
    d.paint(box(-1, fill_line, 1, 1), shade(glass, 0.25), 0.7)
    right = np.array(half) * (1.05, 1.0)
    d.paint(smooth([*right, *[(x * 0.55, y) for x, y in half[::-1]]]), shade(glass, 0.4), 0.55)
    if rng.random() < 0.75 and style != 1:
        label, ink = light(choose(rng, ("cream", "white", "mustard", "blush")), 0.1), choose(rng, BODY)
        y = rng.uniform(0.08, 0.16)
        d.paint(box(-1, y, 1, y + 0.22), label)
        d.paint(box(-1, y + 0.02, 1, y + 0.035), ink)
        d.paint(ellipse(0, y + 0.12, 0.05), ink)
        d.paint(
            points((wide * 0.45, y), (1, y), (1, y + 0.22), (wide * 0.55, y + 0.22)), shade(label, 0.5), 0.4
        )
    elif style == 1:
        for y in (0.12, 0.2, 0.28):
            d.line(
                smooth([(-1, y - 0.05), (0, y), (1, y - 0.05)], closed=False),
                0.014,
                light(glass, 0.4),
                inside=True,
            )
    d.line(
        smooth([(-wide * 0.62, -0.02), (-wide * 0.68, 0.16), (-wide * 0.64, 0.36)], closed=False),
        (0.012, 0.026, 0.01),
        light(glass, 0.75),
        inside=True,
        opacity=0.9,
    )
    d.line(
        points((-neck * 0.45, top + 0.07), (-neck * 0.45, top + 0.17)), 0.014, light(glass, 0.7), inside=True
    )
    cork = choose(rng, ("tan", "caramel", "red", "mustard", "cream"))
    d.add(box(-neck * 0.85, top - 0.055, neck * 0.85, top + 0.01, 0.012), cork)
    d.add(box(-neck * 1.3, top - 0.01, neck * 1.3, top + 0.03, 0.012), shade(glass, 0.25))


def chair(rng: np.random.Generator) -> Drawing:
    """A ladder-back, spindle-back or rocking chair in three-quarter view, or an office chair."""
    if rng.random() < 0.18:
        return _office_chair(rng)
    d, wood = Drawing(pose="Left"), choose(rng, (*WOOD, *BODY))
    dark, pale = shade(wood, 0.3), light(wood, 0.18)
    width, back, depth = rng.uniform(0.30, 0.38), rng.uniform(0.42, 0.56), rng.uniform(0.10, 0.16)
    leg, floor, thick = 0.035, 0.46, rng.uniform(0.034, 0.042)
    left, right, seat = -width / 2, width / 2, 0.06
    rocking = rng.random() < 0.22
    d.line(points((left + depth, seat), (left + depth - 0.01, floor - 0.07)), leg, dark)
    d.line(points((right + depth, seat), (right + depth + 0.02, floor - 0.07)), leg, dark)
    posts = [
        points((left + depth * 0.9, seat), (left + depth, seat - back)),
        points((right + depth * 0.9, seat), (right + depth + 0.02, seat - back)),
    ]
    _chair_back(d, rng, posts, thick, wood, pale)
    for post in posts:
        d.line(post, thick, wood, cast=True)
        d.add(ellipse(*(post[1] + (0, -0.01)), 0.026), pale)
    stretch = floor - 0.16
    d.line(points((left, stretch), (right, stretch)), 0.022, dark)
    d.line(points((right, stretch + 0.04), (right + depth, stretch - 0.03)), 0.022, dark)
    d.line(points((left, seat), (left - 0.015, floor)), leg, wood)
    d.line(points((right, seat), (right + 0.005, floor)), leg, wood)
    if rocking:
        for x, y, colour in ((depth, -0.07, dark), (0, 0, wood)):
            d.line(
                smooth(
                    [
                        (left + x - 0.15, floor + y - 0.05),
                        (left + x, floor + y),
                        (right + x, floor + y),
                        (right + x + 0.14, floor + y - 0.06),
                    ],
                    closed=False,
                ),
                0.032,
                colour,
            )
    top = points(
        (left - 0.035, seat),
        (left + depth - 0.02, seat - 0.09),
        (right + depth + 0.03, seat - 0.09),
        (right + 0.03, seat),
    )
    d.add(np.concatenate([top[[0]], top[[3]], top[[3]] + (0, 0.035), top[[0]] + (0, 0.035)]), dark)
    d.add(top, pale, cast=True)
    if rng.random() < 0.5:
        cushion = choose(rng, BODY)
        d.add(smooth(top * (0.86, 1) + (0.012, -0.016)), cushion, cast=True)
        d.paint(smooth(top * (0.6, 0.6) + (0.025, -0.002)), light(cushion, 0.2))
    return d


def _chair_back(
    d: Drawing, rng: np.random.Generator, posts: list[np.ndarray], thick: float, wood: Colour, pale: Colour
) -> None:
    """Slats across or spindles upright between the two posts; what lies between them is open."""
    (low_left, high_left), (low_right, high_right) = posts

    def across(share: float) -> np.ndarray:
        return np.array(
            [low_left + (high_left - low_left) * share, low_right + (high_right - low_right) * share]
        )

    if rng.random() < 0.5:
        count = int(rng.integers(2, 5))
        for share in np.linspace(0.38, 0.93, count):
            bar = across(share)
            middle = bar.mean(axis=0) - (0, 0.018)
            d.line(smooth([bar[0], middle, bar[1]], closed=False), 0.21 / (count + 1.4), wood)
    else:
        count = int(rng.integers(2, 5))
        bottom, upper = across(0.25), across(0.95)
        for share in np.linspace(0, 1, count + 2)[1:-1]:
            d.line(
                np.array(
                    [bottom[0] * (1 - share) + bottom[1] * share, upper[0] * (1 - share) + upper[1] * share]
                ),
                0.022,
                wood,
            )
        d.line(bottom, thick * 0.8, wood)
        d.line(smooth([upper[0], upper.mean(axis=0) - (0, 0.05), upper[1]], closed=False), 0.062, pale)


def _office_chair(rng: np.random.Generator) -> Drawing:
    d, cloth, metal = Drawing(pose="Right"), choose(rng, BODY), choose(rng, ("charcoal", "slate", "ink"))
    for x, y in ((-0.22, 0.42), (0.22, 0.42), (-0.11, 0.455), (0.12, 0.455)):
        d.line(points((0, 0.33), (x, y)), (0.04, 0.024), metal)
        d.add(ellipse(x, y + 0.02, 0.03), shade(metal, 0.3))
    d.line(points((0, 0.08), (0, 0.34)), 0.042, BOX["slate"])
    d.line(smooth([(-0.1, 0.09), (-0.25, 0.06), (-0.25, -0.15)], closed=False), 0.036, metal)
    d.add(
        smooth([(-0.24, -0.46), (-0.14, -0.46), (-0.13, -0.2), (-0.17, 0.0), (-0.23, 0.0), (-0.26, -0.2)]),
        cloth,
        cast=True,
    )
    d.line(smooth([(-0.2, -0.12), (0.0, -0.13), (0.12, -0.12)], closed=False), 0.034, metal)
    d.line(points((0.05, -0.12), (0.04, 0.06)), 0.026, metal)
    d.add(box(-0.22, 0.02, 0.24, 0.11, 0.045), light(cloth, 0.12), cast=True)
    return d
