"""The twelve classes and how each is drawn, posed and placed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lessons.data.minivoc.birds import bird, flying_bird
from lessons.data.minivoc.boats import boat
from lessons.data.minivoc.cats import cat
from lessons.data.minivoc.dogs_and_sheep import dog, sheep
from lessons.data.minivoc.people import person
from lessons.data.minivoc.plants import pottedplant
from lessons.data.minivoc.raster import Drawing
from lessons.data.minivoc.things import bottle, chair
from lessons.data.minivoc.vehicles import aeroplane, bicycle, car


@dataclass(frozen=True)
class Kind:
    """A class of objects.

    Attributes:
        draw: one random drawing of it.
        size: its longest side beside a person's height, as a picture book would have it.
        lean: how far it may be turned, in radians, where it stands or flies.
        aloft: one random drawing of it in flight, where that is another one.
    """

    draw: Callable[[np.random.Generator], Drawing]
    size: float
    lean: float
    aloft: Callable[[np.random.Generator], Drawing] | None = None


KINDS = {
    "aeroplane": Kind(aeroplane, 1.2, 0.45),
    "bicycle": Kind(bicycle, 1.0, 0.10),
    "bird": Kind(bird, 0.55, 0.12, flying_bird),
    "boat": Kind(boat, 1.1, 0.10),
    "bottle": Kind(bottle, 0.6, 0.06),
    "car": Kind(car, 1.25, 0.06),
    "cat": Kind(cat, 0.65, 0.07),
    "chair": Kind(chair, 0.8, 0.07),
    "dog": Kind(dog, 0.7, 0.07),
    "person": Kind(person, 1.0, 0.08),
    "pottedplant": Kind(pottedplant, 0.75, 0.06),
    "sheep": Kind(sheep, 0.75, 0.07),
}
CLASSES = tuple(KINDS)
