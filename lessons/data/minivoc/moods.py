"""The hours of the day, and what a painted scene is."""

from dataclasses import dataclass

import numpy as np

from lessons.data.minivoc.colours import Colour, pigment
from lessons.data.minivoc.textures import Picture


@dataclass(frozen=True)
class Mood:
    """The colours of an hour: the sky above and at the horizon, hills, grass, water, sun."""

    high: Colour
    low: Colour
    hill: Colour
    grass: Colour
    water: Colour
    sun: Colour


def _mood(*codes: str) -> Mood:
    return Mood(*(pigment(code) for code in codes))


MOODS = (
    _mood("7FB4CF", "F3E6C8", "7FA39A", "9DB068", "4F93A8", "FFF3C9"),  # noon
    _mood("A9C7CF", "F7D9BE", "B79AA0", "B5B578", "6FA3AC", "FFE3A3"),  # morning
    _mood("5F6FA5", "F2A477", "7A5F86", "8F8A55", "6B6F9E", "FFD27A"),  # sunset
    _mood("D9C9A8", "F6EAD2", "C58E5F", "CFA858", "8FB0A8", "F6B65B"),  # autumn
    _mood("B9CBD6", "EEF0EC", "9FB2C0", "DDE4E2", "7E9FB4", "FFF8E4"),  # winter
    _mood("1F2A55", "54608F", "2E3E66", "3F5F5A", "2B4A78", "F4EBC8"),  # night
    _mood("8CC5B8", "F5EFD0", "5E9C86", "A9BE5F", "3F9C9A", "FFF0B8"),  # spring
)


def hour(rng: np.random.Generator) -> Mood:
    """A random mood; night is rarer."""
    return MOODS[int(rng.choice(len(MOODS), p=(0.17, 0.16, 0.16, 0.15, 0.12, 0.08, 0.16)))]


@dataclass(frozen=True)
class Scene:
    """A painted background and what may be placed on it.

    Attributes:
        picture: (height, width, 3) float32.
        standing, flying: the classes that stand on the ground, and those that float above it.
        flat: things lie as seen from above: anywhere, at any angle.
        air: the colour that far things fade into.
        ground: the highest row where a foot may stand.
        ceiling: the lowest row of what flies.
        near: how near the scene is to the viewer; 1 for a landscape.
        deep: far things look much smaller, as in a landscape.
        wet: things stand in water.
    """

    picture: Picture
    standing: tuple[str, ...]
    flying: tuple[str, ...]
    air: Colour
    ground: float
    ceiling: float = 0.0
    near: float = 1.0
    deep: bool = True
    flat: bool = False
    wet: bool = False
