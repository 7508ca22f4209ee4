"""Aeroplanes, bicycles and cars, facing right, in units of about their own length."""

# ruff: noqa: RUF005 -- "array + (x, y)" moves an array, it joins nothing

import numpy as np

from lessons.data.minivoc.colours import BODY, BOX, GLASS, WOOD, Colour, choose, light, mix, shade
from lessons.data.minivoc.curves import arc, box, ellipse, points, smooth
from lessons.data.minivoc.raster import Drawing


def aeroplane(rng: np.random.Generator) -> Drawing:
    """An airliner from the side, one from above, or a biplane with struts."""
    return (_airliner, _from_above, _biplane)[int(rng.choice(3, p=(0.4, 0.35, 0.25)))](rng)


def _airliner(rng: np.random.Generator) -> Drawing:
    d, body, mark = (
        Drawing(pose="Right"),
        light(choose(rng, ("cream", "white", "silver", "sky", "mustard")), 0.2),
        choose(rng, BODY),
    )
    fat, sweep = rng.uniform(0.055, 0.085), rng.uniform(0.10, 0.2)
    d.add(
        points((0.08, -0.02), (-0.06, -0.22), (-0.12, -0.22), (-0.07, -0.02)), shade(body, 0.35)
    )  # far wing
    d.add(points((-0.34, -0.02), (-0.42, -0.25), (-0.50, -0.25), (-0.47, -0.01)), mark)  # fin
    d.add(
        smooth([(0.5, 0.01), (0.44, -fat * 0.65), (0.34, -fat), (-0.25, -fat), (-0.5, -0.05), (-0.5, -0.02),
                (-0.3, fat * 0.8), (0.3, fat), (0.45, fat * 0.7)]),
        body,
    )  # fmt: skip
    d.paint(smooth([(0.5, 0.02), (0.3, 0.03), (-0.5, -0.01), (-0.45, 0.2), (0.4, 0.2)]), mark, 0.85)
    d.paint(points((0.37, -fat), (0.43, -fat * 0.9), (0.465, -fat * 0.35), (0.39, -fat * 0.35)), GLASS)
    for x in np.arange(-0.3, 0.31, 0.066):
        d.paint(box(x, -fat * 0.55, x + 0.034, -fat * 0.05, 0.012), shade(GLASS, 0.3))
    d.add(ellipse(-0.02, fat + 0.055, 0.075, 0.032), shade(mark, 0.2), cast=True)  # engine
    d.add(
        points((0.12, 0.02), (-0.10 - sweep, 0.30), (-0.19 - sweep, 0.30), (-0.12, 0.03)),
        light(body, 0.1),
        cast=True,
    )
    d.paint(
        points((-0.10 - sweep, 0.30), (-0.19 - sweep, 0.30), (-0.165 - sweep, 0.24), (-0.055 - sweep, 0.24)),
        mark,
    )
    d.add(points((-0.36, -0.02), (-0.50, 0.07), (-0.56, 0.07), (-0.47, -0.02)), shade(body, 0.12), cast=True)
    return d


def _from_above(rng: np.random.Generator) -> Drawing:
    d, body, mark = (
        Drawing(),
        light(choose(rng, ("cream", "white", "silver", "rose", "mint", "mustard", "sky")), 0.15),
        choose(rng, BODY),
    )
    span, back = rng.uniform(0.40, 0.55), rng.uniform(0.03, 0.24)
    chord = rng.uniform(0.14, 0.20)
    for side in (-1, 1):
        for along in (0.35, 0.62)[: int(rng.integers(1, 3))]:
            x, y = 0.12 - back * along, side * span * along
            d.add(box(x - 0.06, y - 0.026, x + 0.075, y + 0.026, 0.022), shade(mark, 0.15))
        wing = points(
            (0.14, 0), (0.06 - back, side * span), (-0.01 - back, side * span), (0.14 - chord - 0.04, 0)
        )
        d.add(wing, body)
        d.paint(points((0.06 - back, side * span), (-0.01 - back, side * span), (-0.01 - back * 0.8,
            side * span * 0.8),
                       (0.075 - back * 0.8, side * span * 0.8)), mark)  # fmt: skip
        d.line(
            points((0.02, side * 0.05), (0.0 - back, side * span * 0.97)),
            0.012,
            shade(body, 0.35),
            inside=True,
        )
        d.add(points((-0.36, 0), (-0.45, side * 0.19), (-0.50, side * 0.19), (-0.47, 0)), shade(body, 0.12))
    d.add(
        smooth([(0.5, 0), (0.42, -0.05), (0.2, -0.06), (-0.2, -0.055), (-0.5, -0.012), (-0.5, 0.012),
            (-0.2, 0.055),
                (0.2, 0.06), (0.42, 0.05)]),
        light(body, 0.25), cast=True,
    )  # fmt: skip
    d.paint(points((0.40, -0.04), (0.45, -0.03), (0.45, 0.03), (0.40, 0.04)), GLASS)
    d.line(points((-0.26, 0), (-0.51, 0)), (0.012, 0.03), mark, cast=True)
    return d


def _biplane(rng: np.random.Generator) -> Drawing:
    d, body, wing = (
        Drawing(pose="Right"),
        choose(rng, BODY),
        light(choose(rng, ("cream", "mustard", "red", "sky", "sand")), 0.1),
    )
    top, low = -rng.uniform(0.21, 0.27), 0.12
    d.add(points((-0.36, -0.02), (-0.46, -0.20), (-0.53, -0.17), (-0.52, 0.0)), wing)
    d.add(smooth([(0.42, -0.06), (0.44, 0.05), (0.3, 0.1), (-0.2, 0.06), (-0.53, -0.01), (-0.53, -0.05),
        (-0.1, -0.08),
                  (0.1, -0.09), (0.3, -0.1)]), body)  # fmt: skip
    d.paint(box(0.30, -0.2, 0.5, 0.2), shade(body, 0.4))
    d.paint(ellipse(-0.02, -0.08, 0.06, 0.03), BOX["ink"])
    d.add(ellipse(-0.02, -0.115, 0.034), choose(rng, ("caramel", "tan")))
    wood = choose(rng, WOOD)
    for x in (0.02, 0.20):
        d.line(points((x + 0.05, top), (x, low)), 0.017, wood)
    d.line(points((0.08, 0.08), (0.17, 0.24), (0.26, 0.08)), 0.016, wood)
    d.add(box(-0.05, low - 0.022, 0.29, low + 0.022, 0.02), shade(wing, 0.12), cast=True)
    d.add(box(-0.03, top - 0.024, 0.34, top + 0.024, 0.02), wing, cast=True)
    d.add(ellipse(0.17, 0.24, 0.055), BOX["charcoal"])
    d.paint(ellipse(0.17, 0.24, 0.025), BOX["silver"])
    d.add(ellipse(0.47, -0.01, 0.017, rng.uniform(0.15, 0.21)), wood)
    d.add(ellipse(0.46, -0.01, 0.035, 0.03), BOX["mustard"])
    d.add(points((-0.36, -0.05), (-0.52, -0.06), (-0.54, -0.03), (-0.38, -0.02)), light(wing, 0.1), cast=True)
    return d


def bicycle(rng: np.random.Generator) -> Drawing:
    """A diamond frame, a step-through with basket and mudguards, or a penny-farthing; the wheels are open."""
    style = int(rng.choice(3, p=(0.45, 0.4, 0.15)))
    d, frame, tyre = (
        Drawing(pose="Right"),
        choose(rng, BODY),
        choose(rng, ("charcoal", "ink", "brown", "cream")),
    )
    if style == 2:
        return _penny_farthing(rng, d, frame)
    radius, thick = rng.uniform(0.185, 0.215), rng.uniform(0.024, 0.034)
    rear, front = points((-0.29, 0.1)), points((0.31, 0.1))
    for hub in (rear[0], front[0]):
        _wheel(d, rng, hub, radius, thick, tyre)
    crank, seat, head = np.array((-0.04, 0.11)), np.array((-0.12, -0.14)), np.array((0.22, -0.15))
    pipe = rng.uniform(0.022, 0.030)
    d.line(np.array([crank, rear[0], seat + (0.015, 0.04)]), pipe * 0.8, shade(frame, 0.15))
    if style == 0:
        d.line(np.array([crank, seat, head]), pipe, frame)
        d.line(np.array([crank, head + (0.012, 0.04)]), pipe, frame)
    else:
        d.line(np.array([crank, seat]), pipe, frame)
        d.line(smooth(np.array([crank, (0.04, 0.06), (0.15, -0.05), head]), closed=False), pipe * 1.15, frame)
        for hub in (rear[0], front[0]):
            d.line(arc(*hub, radius + 0.028, radius + 0.028, -2.9, -0.5), 0.017, frame)
    d.line(np.array([head + (-0.02, -0.06), head, front[0]]), pipe * 0.9, frame)
    d.line(np.array([seat + (0.012, 0.03), seat + (-0.012, -0.05)]), pipe * 0.7, BOX["slate"])
    d.add(
        smooth([(-0.21, -0.21), (-0.13, -0.215), (-0.06, -0.20), (-0.12, -0.18), (-0.2, -0.175)]),
        choose(rng, ("brown", "ink", "chestnut")),
    )
    top = head + (-0.025, -0.075)
    drop = (
        [(0.0, 0.0), (0.09, -0.01), (0.115, 0.05), (0.06, 0.09)]
        if style == 0
        else [(0.03, 0.0), (0.0, -0.05), (-0.1, -0.045)]
    )
    d.line(smooth(top + np.array(drop), closed=False), 0.024, BOX["ink"])
    d.line(np.array([crank, crank + (0.05, 0.085)]), 0.017, BOX["slate"])
    d.line(np.array([crank + (0.02, 0.085), crank + (0.08, 0.085)]), 0.018, BOX["ink"])
    d.add(ellipse(*crank, 0.042), BOX["slate"])
    d.paint(ellipse(*crank, 0.02), BOX["silver"])
    if style == 1 and rng.random() < 0.6:
        _basket(d, rng)
    return d


def _wheel(
    d: Drawing, rng: np.random.Generator, hub: np.ndarray, radius: float, thick: float, tyre: Colour
) -> None:
    start = rng.uniform(0, 1)
    for angle in start + np.arange(7) * np.pi / 7:
        reach = radius * np.array([np.cos(angle), np.sin(angle)])
        d.line(np.array([hub - reach, hub + reach]), 0.005, BOX["silver"], faint=True)
    d.line(ellipse(*hub, radius, n=40), thick, tyre, closed=True)
    d.line(ellipse(*hub, radius - thick * 0.55, n=40), thick * 0.35, BOX["silver"], closed=True, inside=True)
    d.add(ellipse(*hub, 0.024), BOX["slate"])


def _basket(d: Drawing, rng: np.random.Generator) -> None:
    straw = choose(rng, ("tan", "caramel", "sand"))
    d.add(points((0.25, -0.19), (0.46, -0.19), (0.42, -0.05), (0.28, -0.05)), straw, cast=True)
    for y in (-0.16, -0.12, -0.08):
        d.line(points((0.24, y), (0.47, y)), 0.008, shade(straw, 0.35), inside=True)
    for x in (0.3, 0.355, 0.41):
        d.line(points((x, -0.2), (x, -0.04)), 0.008, shade(straw, 0.3), inside=True)


def _penny_farthing(rng: np.random.Generator, d: Drawing, frame: Colour) -> Drawing:
    hub, radius = np.array((0.12, 0.06)), rng.uniform(0.31, 0.36)
    small = np.array((-0.36, 0.06 + radius - 0.12))
    _wheel(d, rng, hub, radius, 0.026, BOX["charcoal"])
    _wheel(d, rng, small, 0.12, 0.026, BOX["charcoal"])
    top = hub - (0.01, radius + 0.05)
    d.line(arc(*hub, radius + 0.05, radius + 0.05, -1.6, -3.35, 18), (0.034, 0.024), frame)
    d.line(np.array([hub + np.array((np.cos(-3.35), np.sin(-3.35))) * (radius + 0.05), small]), 0.024, frame)
    d.line(np.array([top + (0.02, -0.03), hub]), 0.026, frame)
    d.line(np.array([top + (0.02, -0.05), top + (0.10, -0.045), top + (0.13, 0.0)]), 0.024, BOX["ink"])
    d.add(smooth(top + points((-0.19, -0.03), (-0.1, -0.05), (-0.03, -0.03), (-0.1, 0.0))), BOX["brown"])
    d.line(np.array([hub, hub + (0.06, 0.06)]), 0.02, BOX["slate"])
    return d


def car(rng: np.random.Generator) -> Drawing:
    """A saloon, a round little car, a van or a pick-up, some with a roof rack."""
    style = int(rng.integers(4))
    d, paint = Drawing(pose="Right"), choose(rng, BODY)
    high = rng.uniform(0.19, 0.23)
    roofs = (
        [(-0.49, -0.02), (-0.46, -0.09), (-0.30, -0.11), (-0.2, -high - 0.01), (0.08, -high - 0.02),
            (0.23, -0.10), (0.44, -0.07), (0.5, 0.0)],
        [(-0.46, 0.0), (-0.42, -0.10), (-0.3, -high), (-0.08, -high - 0.07), (0.1, -high - 0.03), (0.22,
            -0.11), (0.4, -0.08), (0.46, 0.0)],
        [(-0.5, 0.0), (-0.5, -high), (-0.44, -high - 0.08), (0.2, -high - 0.08), (0.33, -0.13), (0.46,
            -0.09), (0.5, 0.0)],
        [(-0.5, -0.06), (-0.5, -0.06), (-0.1, -0.07), (-0.1, -0.07), (-0.08, -high - 0.04), (0.12,
            -high - 0.05), (0.22, -0.10), (0.46, -0.07), (0.5, 0.02)],
    )  # fmt: skip
    upper = np.array(roofs[style])
    if rng.random() < 0.35 and style != 3:
        _rack(d, rng, float(upper[:, 1].min()))
    d.add(smooth([*roofs[style], (0.5, 0.10), (0.5, 0.10), (-0.49, 0.10), (-0.49, 0.10)]), paint)
    _windows(d, style, high, paint)
    d.paint(box(-0.6, 0.065, 0.6, 0.2), shade(paint, 0.4), 0.7)
    d.line(points((-0.5, -0.045), (0.5, -0.035)), 0.010, light(paint, 0.4), inside=True)
    d.line(points((0.02, -0.04), (0.02, 0.08)), 0.007, shade(paint, 0.45), inside=True)
    d.line(points((-0.06, -0.02), (-0.02, -0.02)), 0.012, shade(paint, 0.6), inside=True)
    d.paint(ellipse(0.46, 0.0, 0.028, 0.032), BOX["cream"])
    d.paint(ellipse(-0.48, 0.0, 0.022, 0.035), BOX["red"])
    for x in (-0.29, 0.28):
        d.paint(ellipse(x, 0.105, 0.115), shade(paint, 0.7))
        d.add(ellipse(x, 0.115, 0.092), BOX["charcoal"])
        d.paint(ellipse(x, 0.115, 0.054), BOX["silver"])
        d.paint(ellipse(x, 0.115, 0.03), mix(BOX["slate"], paint, 0.4))
    return d


def _windows(d: Drawing, style: int, high: float, paint: Colour) -> None:
    panes = {
        0: [[(-0.26, -0.115), (-0.18, -high + 0.015), (-0.06, -high + 0.01), (-0.06, -0.11)], [(-0.035,
            -0.11), (-0.035, -high + 0.01), (0.06, -high + 0.01), (0.17, -0.10)]],
        1: [[(-0.32, -0.12), (-0.26, -high + 0.005), (-0.08, -high - 0.03), (-0.08, -0.115)], [(-0.05,
            -0.115), (-0.05, -high - 0.03), (0.07, -high), (0.16, -0.11)]],
        2: [[(-0.42, -0.14), (-0.42, -high - 0.03), (-0.24, -high - 0.03), (-0.24, -0.14)], [(-0.2,
            -0.14), (-0.2, -high - 0.03), (-0.02, -high - 0.03), (-0.02, -0.14)],
            [(0.02, -0.14), (0.02, -high - 0.03), (0.18, -high - 0.03), (0.28, -0.13)]],
        3: [[(-0.06, -0.10), (-0.05, -high), (0.1, -high - 0.01), (0.17, -0.09)]],
    }[style]  # fmt: skip
    for pane in panes:
        corners = np.array(pane)
        d.paint(corners, GLASS)
        d.paint(
            np.array(
                [
                    corners[1],
                    corners[1] * 0.6 + corners[2] * 0.4,
                    corners[0] * 0.7 + corners[3] * 0.3,
                    corners[0],
                ]
            ),
            light(GLASS, 0.5),
            0.6,
        )
    if style == 3:
        d.paint(box(-0.49, -0.05, -0.12, -0.035), shade(paint, 0.5))


def _rack(d: Drawing, rng: np.random.Generator, roof: float) -> None:
    metal = BOX["slate"]
    d.line(points((-0.24, roof - 0.045), (0.1, roof - 0.045)), 0.016, metal)
    for x in (-0.2, -0.07, 0.06):
        d.line(points((x, roof - 0.045), (x, roof + 0.03)), 0.014, metal)
    if rng.random() < 0.6:
        d.add(box(-0.2, roof - 0.14, 0.03, roof - 0.05, 0.015), choose(rng, WOOD))
        d.line(points((-0.09, roof - 0.15), (-0.09, roof - 0.05)), 0.018, BOX["cream"], inside=True)
