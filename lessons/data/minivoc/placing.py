"""Which objects a picture gets, where they stand, and how large they are."""

from dataclasses import dataclass

import numpy as np

from lessons.data.minivoc.moods import Scene
from lessons.data.minivoc.silhouettes import KINDS

SMALLEST = 8.0  # pixels, the longest side


@dataclass(frozen=True)
class Place:
    """One object's place.

    Attributes:
        name: its class.
        x, y: the middle of its foot (what stands) or its centre (what floats or lies), in pixels.
        length: its longest side in pixels, before turning.
        turn: radians.
        stands: it has a foot on the ground.
        aloft: it flies; a thing that lies does neither.
        depth: 0 far to 1 near; the far ones are drawn first.
    """

    name: str
    x: float
    y: float
    length: float
    turn: float
    stands: bool
    aloft: bool
    depth: float

    def box(self) -> tuple[float, float, float, float]:
        """Roughly the region it takes: left, top, right, bottom."""
        half = self.length * 0.45
        middle = self.y - half if self.stands else self.y
        return self.x - half, middle - half, self.x + half, middle + half


def count_objects(rng: np.random.Generator) -> int:
    """How many objects to try: often one to four, now and then a crowd of up to fifteen."""
    low, past = ((1, 2), (2, 4), (3, 6), (5, 9), (9, 16))[
        int(rng.choice(5, p=(0.20, 0.36, 0.26, 0.11, 0.07)))
    ]
    return int(rng.integers(low, past))


def place_objects(rng: np.random.Generator, scene: Scene) -> list[Place]:
    """Places for the objects of `scene`, the farthest first.

    Each object gets a dozen tries for a place that hides not too much of the others; in two pictures of
    five they may
    overlap a good deal.
    """
    height, width = scene.picture.shape[:2]
    wanted, patience = count_objects(rng), float(rng.choice((0.10, 0.55), p=(0.6, 0.4)))
    largest = min(height, width) * _share_of_picture(rng, wanted)
    flock = (scene.standing + scene.flying)[int(rng.integers(len(scene.standing + scene.flying)))]
    one_kind = rng.random() < (0.35 if wanted > 3 else 0.1)
    places: list[Place] = []
    for _ in range(wanted):
        for attempt in range(12):
            place = _try_place(rng, scene, largest, flock if one_kind else None)
            if all(_overlap(place.box(), other.box()) <= patience for other in places) or attempt == 11:
                break
        places.append(place)
    return sorted(places, key=lambda place: place.depth)


def _share_of_picture(rng: np.random.Generator, wanted: int) -> float:
    """The length of the nearest object, beside the picture's shorter side."""
    if wanted == 1:
        return (
            float(np.exp(rng.uniform(np.log(0.1), np.log(1.2))))
            if rng.random() < 0.3
            else rng.uniform(0.8, 1.5)
        )
    if wanted <= 5:
        return rng.uniform(0.5, 1.1)
    return rng.uniform(0.38, 0.72)


def _try_place(rng: np.random.Generator, scene: Scene, largest: float, name: str | None) -> Place:
    height, width = scene.picture.shape[:2]
    choices = scene.standing + scene.flying
    name = choices[int(rng.integers(len(choices)))] if name is None else name
    kind = KINDS[name]
    flies = not scene.flat and (name not in scene.standing or (name in scene.flying and rng.random() < 0.5))
    near = float(rng.uniform(0.0, 1.0) ** 0.6)
    if scene.deep and rng.random() < 0.10:
        near *= rng.uniform(0.0, 0.35)
    least = 0.10 if scene.deep else 0.4
    length = max(
        largest * scene.near * kind.size * (least + (1 - least) * near) * rng.uniform(0.85, 1.15), SMALLEST
    )
    margin = -0.12 if rng.random() < 0.14 else 0.12
    x = rng.uniform(margin, 1 - margin) * width
    if scene.flat:
        return Place(
            name,
            x,
            rng.uniform(margin, 1 - margin) * height,
            length * 0.9,
            _any_turn(rng, name),
            False,
            bool(rng.random() < 0.4),
            rng.random(),
        )
    if flies:
        y = rng.uniform(0.08, 0.85) * scene.ceiling
        return Place(name, x, y, length, rng.uniform(-1, 1) * max(kind.lean, 0.3), False, True, near * 0.5)
    down = near * min(largest / (0.7 * min(height, width)), 1.0) if scene.deep else near
    foot = scene.ground + (height * 0.96 - scene.ground) * down + abs(rng.normal(0, 0.02)) * height
    foot = min(foot, height * (1.08 if margin < 0 else 0.97))
    return Place(name, x, foot, length, rng.normal(0, 0.5) * kind.lean, True, False, foot / height)


def _any_turn(rng: np.random.Generator, name: str) -> float:
    """Lying things lie anyhow, but mostly not quite upside down."""
    return float(
        rng.uniform(-np.pi, np.pi) if name == "aeroplane" or rng.random() < 0.2 else rng.normal(0, 0.35)
    )


def _overlap(one: tuple[float, float, float, float], two: tuple[float, float, float, float]) -> float:
    """The part of the smaller box that both share."""
    wide = min(one[2], two[2]) - max(one[0], two[0])
    high = min(one[3], two[3]) - max(one[1], two[1])
    if wide <= 0 or high <= 0:
        return 0.0
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (one, two)]
    return wide * high / min(areas)
