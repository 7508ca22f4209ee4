"""Backgrounds within walls: a room, a table, and things laid flat."""

import numpy as np

from lessons.data.minivoc.colours import BODY, BOX, WOOD, Colour, choose, light, mix, shade
from lessons.data.minivoc.curves import box, ellipse, smooth
from lessons.data.minivoc.moods import Scene, hour
from lessons.data.minivoc.silhouettes import CLASSES
from lessons.data.minivoc.textures import Picture, Size, cloth, darken, fade, lay, plain, planks, tiles


def paint_room(rng: np.random.Generator, size: Size) -> Scene:
    """A papered wall and a floor of planks or tiles, perhaps a rug and pictures."""
    height, width = size
    wall = mix(
        choose(rng, (*BODY, "sage", "blush", "lilac", "sand", "cream")), BOX["cream"], rng.uniform(0.35, 0.7)
    )
    base = height * rng.uniform(0.5, 0.66)
    picture = _wallpaper(rng, size, wall)
    for x in rng.permutation([0.2, 0.5, 0.8])[: int(rng.integers(0, 3))]:
        _frame(
            picture,
            rng,
            x * width,
            base * rng.uniform(0.3, 0.42),
            width * rng.uniform(0.09, 0.13),
            base * 0.22,
            wall,
        )
    floor = _floor(rng, size, base)
    picture[int(base) :] = floor[int(base) :]
    lay(picture, [box(-5, base - 9, width + 5, base)], light(wall, 0.5), shadow=0.2)
    if rng.random() < 0.5:
        rug, x, y = choose(rng, BODY), rng.uniform(0.3, 0.7) * width, base + (height - base) * 0.55
        for share, colour in ((1.0, rug), (0.86, light(rug, 0.4)), (0.76, rug), (0.4, shade(rug, 0.2))):
            lay(
                picture,
                [ellipse(x, y, width * 0.36 * share, (height - base) * 0.32 * share)],
                colour,
                shadow=0.12 if share == 1 else 0,
            )
    standing = (
        *("chair",) * 3, *("pottedplant",) * 2, *("cat",) * 4, "dog", "person", *("bottle",) * 2,
    )  # fmt: skip
    return Scene(picture, standing, (), light(wall, 0.2), base + 5, near=1.1, deep=False)


def _wallpaper(rng: np.random.Generator, size: Size, wall: Colour) -> Picture:
    height, width = size
    picture, other = fade(size, light(wall, 0.12), wall), mix(wall, choose(rng, BODY), 0.16)
    pattern, step = int(rng.integers(4)), rng.uniform(16, 30)
    if pattern == 0:
        lay(
            picture,
            [box(x, -5, x + step / 2, height + 5) for x in np.arange(rng.uniform(-step, 0), width, step)],
            other,
        )
    elif pattern == 1:
        dots = [
            (x + step / 2 * (k % 2), y)
            for k, y in enumerate(np.arange(0, height, step * 0.7))
            for x in np.arange(0, width, step)
        ]
        lay(picture, [ellipse(x, y, step * 0.13, n=10) for x, y in dots], other)
    elif pattern == 2:
        sprigs = [
            (x + step * 0.6 * (k % 2), y)
            for k, y in enumerate(np.arange(0, height, step))
            for x in np.arange(0, width, step * 1.2)
        ]
        lay(
            picture,
            [
                ellipse(x + s * 3, y - abs(s) * 2, 3.4, 1.5, turn=s * 0.9 + 1.57 * (s == 0), n=10)
                for x, y in sprigs
                for s in (-1, 0, 1)
            ],
            other,
        )
    return picture


def _frame(
    picture: Picture, rng: np.random.Generator, x: float, y: float, wide: float, tall: float, wall: Colour
) -> None:
    mood, wood = hour(rng), choose(rng, WOOD)
    lay(picture, [box(x - wide - 3, y - tall - 3, x + wide + 3, y + tall + 3)], wood, shadow=0.3)
    lay(picture, [box(x - wide, y - tall, x + wide, y + tall)], mood.high)
    lay(picture, [box(x - wide, y + tall * 0.3, x + wide, y + tall)], mood.grass)
    lay(picture, [ellipse(x + wide * 0.4, y - tall * 0.3, wide * 0.22)], mood.sun)


def _floor(rng: np.random.Generator, size: Size, top: float) -> Picture:
    colour = choose(rng, (*WOOD, "sand"))
    if rng.random() < 0.6:
        return planks(rng, size, colour, top + np.cumsum(rng.uniform(0.9, 1.1, 12) * np.linspace(7, 22, 12)))
    pale = mix(colour, BOX["cream"], 0.65)
    return tiles(
        rng,
        size,
        pale,
        mix(pale, choose(rng, BODY), 0.3),
        rng.uniform(18, 30),
        np.pi / 4 * float(rng.integers(2)),
    )


def paint_table(rng: np.random.Generator, size: Size) -> Scene:
    """A table top of wood or under a checked cloth before a wall."""
    height = size[0]
    wall = mix(choose(rng, (*BODY, "sage", "sand", "lilac")), BOX["cream"], rng.uniform(0.2, 0.6))
    edge = height * rng.uniform(0.5, 0.68)
    picture = _wallpaper(rng, size, wall)
    if rng.random() < 0.5:
        top = planks(rng, size, choose(rng, WOOD), edge + np.cumsum(np.linspace(12, 26, 8)))
    else:
        top = cloth(rng, size, BOX["cream"], choose(rng, BODY), rng.uniform(16, 26))
    shadow = np.zeros(size, dtype=np.float32)
    shadow[int(edge) :] = 1
    darken(picture, shadow, 0.3, 6)
    picture[int(edge) :] = top[int(edge) :]
    return Scene(
        picture,
        ("bottle", "bottle", "bottle", "pottedplant", "pottedplant", "cat", "bird"),
        (),
        light(wall, 0.2),
        edge + 8,
        near=1.4,
        deep=False,
    )


def paint_flat(rng: np.random.Generator, size: Size) -> Scene:
    """Paper cut-outs on a board, a cloth, tiles or terrazzo, seen from above."""
    kind = int(rng.integers(4))
    tint = mix(choose(rng, BODY), BOX["cream"], rng.uniform(0.3, 0.75))
    if kind == 0:
        picture = planks(
            rng, size, choose(rng, WOOD), np.arange(rng.uniform(5, 30), size[0], rng.uniform(24, 40))
        )
    elif kind == 1:
        picture = cloth(rng, size, light(tint, 0.3), choose(rng, BODY), rng.uniform(18, 36))
    elif kind == 2:
        picture = tiles(rng, size, tint, light(tint, 0.35), rng.uniform(22, 44), rng.uniform(0, 1.5))
    else:
        picture = _terrazzo(rng, size, tint)
    return Scene(picture, CLASSES, (), tint, 0.0, near=1.1, deep=False, flat=True)


def _terrazzo(rng: np.random.Generator, size: Size, tint: Colour) -> Picture:
    picture = plain(size, light(tint, 0.3))
    for _ in range(5):
        chips = [
            smooth(ellipse(rng.uniform(0, size[1]), rng.uniform(0, size[0]), rng.uniform(1.5, 5),
                rng.uniform(1.5, 5), n=6) + rng.uniform(-1, 1, (6, 2)), steps=3)
            for _ in range(14)
        ]  # fmt: skip
        lay(picture, chips, mix(tint, choose(rng, BODY), 0.45), opacity=0.8)
    return picture
