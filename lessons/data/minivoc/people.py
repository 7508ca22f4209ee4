"""People: one function draws a person who stands, walks, waves, rests a hand on the hip, sits or dances."""

# ruff: noqa: RUF005 -- "array + (x, y)" moves an array, it joins nothing

import numpy as np

from lessons.data.minivoc.colours import BODY, BOX, SKIN, Colour, choose, light, shade
from lessons.data.minivoc.curves import box, ellipse, points, smooth
from lessons.data.minivoc.raster import Drawing

HAIR = ("ink", "brown", "chestnut", "caramel", "charcoal", "brick", "sand", "grey")
# hand positions of (far arm, near arm), as (elbow, hand) from the shoulder; y downwards
ARMS = {
    "rest": (((-0.05, 0.12), (-0.04, 0.23)), ((0.05, 0.12), (0.06, 0.23))),
    "wave": (((-0.06, 0.12), (-0.05, 0.23)), ((0.11, -0.03), (0.13, -0.17))),
    "hip": (((-0.14, 0.10), (-0.035, 0.20)), ((0.14, 0.10), (0.035, 0.20))),
    "hip and wave": (((-0.14, 0.10), (-0.03, 0.20)), ((0.12, -0.06), (0.09, -0.20))),
    "walk": (((-0.09, 0.10), (-0.10, 0.20)), ((0.07, 0.11), (0.15, 0.17))),
    "cheer": (((-0.11, -0.06), (-0.09, -0.21)), ((0.11, -0.06), (0.09, -0.21))),
}
# (knee, foot) of the far and the near leg from the hip
LEGS = {
    "stand": (((-0.01, 0.19), (-0.015, 0.39)), ((0.01, 0.19), (0.015, 0.39))),
    "walk": (((-0.03, 0.19), (-0.15, 0.35)), ((0.09, 0.17), (0.10, 0.37))),
    "apart": (((-0.06, 0.19), (-0.10, 0.385)), ((0.06, 0.19), (0.10, 0.385))),
    "run": (((-0.04, 0.18), (-0.22, 0.25)), ((0.13, 0.14), (0.09, 0.33))),
}


def person(rng: np.random.Generator) -> Drawing:
    """A person in one of several poses; trousers, shorts, a skirt or a coat; hair, a hat, a bag."""
    d, skin, top, low = (
        Drawing(pose="Frontal"),
        choose(rng, SKIN, 0.02),
        choose(rng, BODY),
        choose(rng, (*BODY, "charcoal", "slate", "brown")),
    )
    hair, shoe = choose(rng, HAIR), choose(rng, ("ink", "brown", "red", "cream"))
    arms = ARMS[tuple(ARMS)[int(rng.integers(len(ARMS)))]]
    legs = LEGS[tuple(LEGS)[int(rng.choice(4, p=(0.3, 0.3, 0.25, 0.15)))]]
    dress, bulk = rng.random() < 0.35, rng.uniform(0.062, 0.082)
    if dress and rng.random() < 0.6:
        d.add(
            smooth(
                [(-0.095, -0.40), (0.0, -0.47), (0.095, -0.40), (0.10, -0.24), (0.0, -0.2), (-0.10, -0.24)]
            ),
            hair,
        )  # long hair
    shoulder = (points((-bulk - 0.005, -0.225)), points((bulk + 0.005, -0.225)))
    sleeve = shade(top, 0.12)
    _arm(d, shoulder[0][0], arms[0], skin, shade(sleeve, 0.15))
    bare = dress or rng.random() < 0.3
    for start, (knee, foot), dim in ((-0.035, legs[0], 0.25), (0.035, legs[1], 0.0)):
        _leg(
            d,
            np.array((start, 0.07)),
            knee,
            foot,
            shade(skin if bare else low, dim),
            shade(low, dim) if bare and not dress else None,
            shade(shoe, dim),
        )
    if dress:
        flare = rng.uniform(0.13, 0.19)
        d.add(smooth([(-bulk, -0.25), (-bulk * 0.8, -0.05), (-flare, 0.21), (-flare, 0.21), (0, 0.235),
            (flare, 0.21), (flare, 0.21),
                      (bulk * 0.8, -0.05), (bulk, -0.25), (0, -0.27)]), top, cast=True)  # fmt: skip
        d.paint(box(-1, -0.055, 1, -0.025), low)
        if rng.random() < 0.5:
            for x, y in (
                (-0.06, 0.05),
                (0.03, 0.1),
                (-0.02, 0.16),
                (0.08, 0.17),
                (0.05, 0.02),
                (-0.1, 0.17),
                (0.0, -0.12),
                (0.04, -0.18),
                (-0.04, -0.17),
            ):
                d.paint(ellipse(x, y, 0.015), light(top, 0.6))
    else:
        hem = rng.uniform(0.08, 0.12)
        d.add(smooth([(-bulk - 0.02, -0.25), (-bulk, -0.08), (-bulk, hem), (-bulk, hem), (bulk, hem),
            (bulk, hem), (bulk, -0.08),
                      (bulk + 0.02, -0.25), (0, -0.275)]), top, cast=True)  # fmt: skip
        _shirt(d, rng, top)
    _arm(d, shoulder[1][0], arms[1], skin, sleeve)
    d.line(points((0, -0.32), (0, -0.25)), 0.05, shade(skin, 0.15))
    _head(d, rng, skin, hair, dress)
    return d


def _arm(
    d: Drawing, shoulder: np.ndarray, reach: tuple[tuple[float, float], ...], skin: Colour, sleeve: Colour
) -> None:
    elbow, hand = shoulder + reach[0], shoulder + reach[1]
    d.line(smooth([shoulder, elbow, hand], closed=False), (0.052, 0.044, 0.036), sleeve, cast=True)
    d.add(ellipse(*(hand + (hand - elbow) * 0.08), 0.027), skin)


def _leg(
    d: Drawing, hip: np.ndarray, knee: tuple[float, float], foot: tuple[float, float], cloth: Colour,
    shorts: Colour | None, shoe: Colour
) -> None:  # fmt: skip
    bent, low = hip + knee, hip + foot
    d.line(np.array([hip, bent, low]), (0.085, 0.062, 0.046), cloth)
    if shorts is not None:
        d.line(np.array([hip, bent]), (0.095, 0.085), shorts)
    side = 0.03 if foot[0] >= 0 else -0.015
    d.line(np.array([low + (0, 0.015), low + (side, 0.02)]), 0.042, shoe)


def _shirt(d: Drawing, rng: np.random.Generator, top: Colour) -> None:
    kind = int(rng.integers(4))
    if kind == 0:
        for y in (-0.19, -0.12, -0.05, 0.02):
            d.paint(box(-0.2, y, 0.2, y + 0.03), light(top, 0.55))
    elif kind == 1:
        d.line(points((0, -0.27), (0, 0.12)), 0.012, shade(top, 0.45), inside=True)
        d.paint(points((-0.05, -0.28), (0.05, -0.28), (0, -0.19)), light(top, 0.6))
    elif kind == 2:
        d.line(points((-0.08, -0.26), (0.09, 0.06)), 0.02, BOX["brown"], inside=True)


def _head(d: Drawing, rng: np.random.Generator, skin: Colour, hair: Colour, dress: bool) -> None:
    y = -0.385
    d.add(ellipse(0, y, 0.072, 0.083), skin, cast=True)
    style = int(rng.integers(4))
    d.add(
        smooth(
            [
                (-0.08, y + 0.01),
                (-0.082, y - 0.06),
                (0, y - 0.108),
                (0.082, y - 0.06),
                (0.08, y + 0.01),
                (0.055, y - 0.04),
                (-0.02, y - 0.048),
            ]
        ),
        hair,
    )
    if style == 0:
        d.add(ellipse(0, y - 0.115, 0.038), hair)  # a bun
    elif style == 1:
        hat = choose(rng, BODY)
        d.add(
            smooth([(-0.075, y - 0.05), (-0.06, y - 0.12), (0.06, y - 0.12), (0.075, y - 0.05)]),
            hat,
            cast=True,
        )
        d.add(ellipse(0, y - 0.048, 0.135, 0.022), shade(hat, 0.15), cast=True)
    for x in (-0.026, 0.03):
        d.paint(ellipse(x, y + 0.008, 0.0095), BOX["ink"])
        d.paint(ellipse(x * 1.7, y + 0.03, 0.014), BOX["rose"], 0.5)
    d.line(
        smooth([(-0.018, y + 0.04), (0.003, y + 0.05), (0.024, y + 0.04)], closed=False),
        0.009,
        shade(skin, 0.55),
        inside=True,
    )
