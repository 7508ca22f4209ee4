"""Backgrounds under the sky: meadow, sea, sky and street."""

import numpy as np

from lessons.data.minivoc.colours import BODY, BOX, Colour, choose, light, mix, shade
from lessons.data.minivoc.curves import box, ellipse, points, smooth
from lessons.data.minivoc.moods import Mood, Scene, hour
from lessons.data.minivoc.textures import Picture, Size, fade, lay, meadow


def _ridge(rng: np.random.Generator, width: int, base: float, rise: float, step: float) -> np.ndarray:
    """The outline of hills: up to `rise` pixels above row `base`, down to far below the picture."""
    x = np.arange(-step, width + 2 * step, step)
    y = base - rng.uniform(0, rise, len(x))
    return np.concatenate(
        [smooth(np.stack([x, y], axis=1), closed=False), points((width + 2 * step, 600), (-step, 600))]
    )


def _sky(rng: np.random.Generator, size: Size, mood: Mood, floor: float) -> Picture:
    """A graded sky with the sun or moon and cut-paper clouds above row `floor`."""
    width = size[1]
    picture = fade(size, mood.high, mood.low)
    if rng.random() < 0.6:
        x, y, r = (
            rng.uniform(0.1, 0.9) * width,
            rng.uniform(0.1, 0.5) * floor,
            rng.uniform(0.05, 0.11) * width,
        )
        lay(picture, [ellipse(x, y, r * 1.7)], mood.sun, opacity=0.2)
        lay(picture, [ellipse(x, y, r)], mood.sun)
    for _ in range(int(rng.integers(1, 5))):
        x, y, r = rng.uniform(0, width), rng.uniform(0.05, 0.75) * floor, rng.uniform(0.04, 0.09) * width
        puffs = [
            ellipse(x + k * r * 1.1, y - rng.uniform(0, r * 0.5), r * rng.uniform(0.7, 1.1), r * 0.75)
            for k in range(int(rng.integers(2, 5)))
        ]
        last = float(puffs[-1][:, 0].mean())
        lay(
            picture,
            [*puffs, box(x - r * 0.8, y, last + r * 0.8, y + r * 0.72, r * 0.35)],
            mix(mood.low, light(mood.low, 0.8), 0.7),
            shadow=0.10,
            opacity=0.92,
        )
    return picture


def paint_meadow(rng: np.random.Generator, size: Size) -> Scene:
    """Hills, trees and grass."""
    height, width = size
    mood = hour(rng)
    horizon = height * rng.uniform(0.3, 0.55)
    picture = _sky(rng, size, mood, horizon)
    layers = int(rng.integers(1, 4))
    for k in range(layers):
        colour = mix(mix(mood.hill, mood.low, 0.5), mix(mood.hill, mood.grass, 0.5), (k + 1) / (layers + 1))
        lay(
            picture,
            [
                _ridge(
                    rng,
                    width,
                    horizon - (layers - 1 - k) * 5,
                    height * 0.18 * (1 - k / 4),
                    width / rng.uniform(2.5, 5),
                )
            ],
            colour,
            shadow=0.18,
        )
        for _ in range(int(rng.integers(0, 4))):
            _tree(
                picture,
                rng,
                rng.uniform(0, width),
                horizon + 3 * k,
                height * rng.uniform(0.05, 0.13),
                shade(colour, 0.3),
            )
    lay(picture, [_ridge(rng, width, horizon + 8, 8, width / 3)], mood.grass, shadow=0.2)
    ground = fade(size, light(mood.grass, 0.1), shade(mood.grass, 0.25))
    below = (np.arange(height) > horizon + 9)[:, None, None]
    picture = np.where(below, 0.5 * picture + 0.5 * ground, picture).astype(np.float32)
    if rng.random() < 0.35:
        lean = rng.uniform(-0.4, 0.4) * width
        x = rng.uniform(0.3, 0.7) * width
        path = smooth([(x + lean, horizon + 8), (x + lean * 0.6, horizon + 30), (x, height * 0.8), (x -
        lean * 0.3, height + 20),
                       (x - lean * 0.3 + width * 0.35, height + 20), (x + width * 0.15, height * 0.8),
                           (x + lean * 0.6 + 14, horizon + 30), (x + lean + 4, horizon + 8)])  # fmt: skip
        lay(picture, [path], mix(BOX["sand"], mood.low, 0.3), opacity=0.75)
    meadow(rng, picture, int(horizon + 12), shade(mood.grass, 0.1), int(rng.integers(25, 80)))
    standing = (
        *("sheep",) * 4, *("dog",) * 2, *("person",) * 3, *("bicycle",) * 3, *("cat",) * 2, "bird",
            "chair", *("car",) * 2,
    )  # fmt: skip
    return Scene(picture, standing, ("bird", "aeroplane"), mood.low, horizon + 12, horizon)


def _tree(
    picture: Picture, rng: np.random.Generator, x: float, foot: float, tall: float, colour: Colour
) -> None:
    lay(picture, [box(x - tall * 0.05, foot - tall * 0.4, x + tall * 0.05, foot)], shade(colour, 0.4))
    if rng.random() < 0.4:
        crown = [
            points(
                (x - tall * s, foot - tall * t),
                (x, foot - tall * (t + 0.55)),
                (x + tall * s, foot - tall * t),
            )
            for s, t in ((0.3, 0.2), (0.24, 0.45), (0.17, 0.7))
        ]
    else:
        crown = [ellipse(x, foot - tall * 0.7, tall * 0.3, tall * 0.42)]
    lay(picture, crown, colour, shadow=0.12, spread=1.5)


def paint_sea(rng: np.random.Generator, size: Size) -> Scene:
    """Water in strips of paper, perhaps an island."""
    height, width = size
    mood = hour(rng)
    horizon = height * rng.uniform(0.3, 0.5)
    picture = _sky(rng, size, mood, horizon)
    if rng.random() < 0.5:
        x = rng.uniform(0, width)
        hill = [
            (x - width * 0.3, horizon + 2),
            (x - width * 0.1, horizon - height * 0.08),
            (x, horizon - height * rng.uniform(0.1, 0.2)),
            (x + width * 0.3, horizon + 2),
        ]
        lay(picture, [np.array(smooth(hill, closed=False))], mix(mood.hill, mood.low, 0.4), shadow=0.1)
    rows, y = int(rng.integers(5, 9)), horizon
    for k in range(rows):
        step = width / (18 - 1.2 * k)
        x = np.arange(-step, width + step, step / 2) + rng.uniform(0, step)
        x = np.concatenate([[-2 * step], x, [width + 2 * step]])
        swell = (0.4 + 2.4 * k / rows) * np.where(np.arange(len(x)) % 2, 1, -1)
        strip = np.concatenate(
            [
                smooth(np.stack([x, y + swell], axis=1), closed=False, steps=5),
                points((width + 99, 600), (-99, 600)),
            ]
        )
        lay(
            picture,
            [strip],
            mix(light(mood.water, 0.4), shade(mood.water, 0.22), k / rows),
            shadow=0.16,
            spread=2,
        )
        y += (height - horizon) / rows * (0.45 + 1.1 * k / rows)
    for _ in range(int(rng.integers(6, 18))):
        x, y = rng.uniform(0, width), rng.uniform(horizon + 4, height)
        long = 2 + 12 * (y - horizon) / (height - horizon)
        lay(picture, [ellipse(x, y, long, 0.9)], light(mood.water, 0.65), opacity=0.7)
    return Scene(picture, ("boat",) * 7, ("bird", "aeroplane"), mood.low, horizon + 10, horizon, wet=True)


def paint_sky(rng: np.random.Generator, size: Size) -> Scene:
    """High above: clouds in layers."""
    height, width = size
    mood = hour(rng)
    picture = _sky(rng, size, mood, height * 1.1)
    for k in range(int(rng.integers(0, 3))):
        bank = _ridge(rng, width, height * (0.85 + 0.07 * k), height * 0.14, width / rng.uniform(4, 8))
        lay(picture, [bank], light(mix(mood.low, mood.high, 0.35 - 0.2 * k), 0.3), shadow=0.14)
    return Scene(picture, (), ("aeroplane", "bird"), mood.low, height, height * 1.05)


def paint_street(rng: np.random.Generator, size: Size) -> Scene:
    """A row of house fronts, a pavement and a road."""
    height, width = size
    mood = hour(rng)
    kerb = height * rng.uniform(0.42, 0.58)
    picture = _sky(rng, size, mood, kerb * 0.5)
    x = -rng.uniform(0, 40)
    while x < width:
        wide, tall = rng.uniform(0.2, 0.36) * width, rng.uniform(0.55, 0.95) * kerb
        _house(
            picture,
            rng,
            x,
            kerb - tall,
            x + wide,
            kerb,
            mix(choose(rng, (*BODY, "sand", "blush", "sage")), mood.low, 0.45),
        )
        x += wide
    pavement, road = mix(BOX["sand"], mood.low, 0.4), mix(BOX["slate"], mood.hill, 0.35)
    edge = kerb + (height - kerb) * rng.uniform(0.2, 0.35)
    lay(picture, [box(-5, kerb, width + 5, height + 5)], pavement, shadow=0.2)
    for slab in np.arange(rng.uniform(-40, 0), width + 60, 26):
        lay(
            picture,
            [points((slab, kerb), (slab + 1.2, kerb), (slab - 9, edge), (slab - 10.5, edge))],
            shade(pavement, 0.2),
            opacity=0.6,
        )
    lay(picture, [box(-5, edge, width + 5, height + 5)], road, shadow=0.3)
    lay(picture, [box(-5, edge, width + 5, edge + 2.5)], light(pavement, 0.4))
    standing = (
        *("car",) * 4, *("bicycle",) * 5, *("person",) * 4, *("dog",) * 3, "cat", "chair", "pottedplant",
    )  # fmt: skip
    line, start = edge + (height - edge) * 0.55, rng.uniform(-40, 0)
    for dash in np.arange(start, width, 44):
        lay(
            picture,
            [points((dash, line), (dash + 24, line), (dash + 22, line + 4), (dash - 2, line + 4))],
            light(road, 0.7),
            opacity=0.85,
        )
    return Scene(picture, standing, ("bird",), mood.low, kerb + 6, kerb * 0.45)


def _house(
    picture: Picture,
    rng: np.random.Generator,
    left: float,
    top: float,
    right: float,
    foot: float,
    wall: Colour,
) -> None:
    lay(picture, [box(left, top, right, foot)], wall, shadow=0.16)
    roof = choose(rng, ("brick", "terracotta", "slate", "plum"))
    if rng.random() < 0.5:
        lay(
            picture,
            [points((left - 2, top), ((left + right) / 2, top - (right - left) * 0.35), (right + 2, top))],
            mix(roof, wall, 0.35),
            shadow=0.1,
        )
    else:
        lay(picture, [box(left - 2, top - 3, right + 2, top + 3)], shade(wall, 0.3))
    glass = light(wall, 0.55) if rng.random() < 0.4 else shade(wall, 0.4)
    columns, rows = int(rng.integers(2, 4)), max(int((foot - top) / 30), 1)
    wide, tall = (right - left) / (columns * 2 + 1), min((foot - top) / (rows * 2 + 0.5), 18)
    panes = [
        box(left + wide * (2 * i + 1), top + (foot - top) / rows * j + tall * 0.5,
            left + wide * (2 * i + 2), top + (foot - top) / rows * j + tall * 1.5)
        for i in range(columns) for j in range(rows)
    ]  # fmt: skip
    lay(picture, panes, glass, shadow=0.12, spread=1.0)
