"""A gouache box of pigments, and how light and shade change them.

A colour is a float64 (3,) array, RGB in [0, 1].
"""

import numpy as np

Colour = np.ndarray  # (3,) float64

NIGHT_BLUE = np.array([0.10, 0.10, 0.24])
WARM_WHITE = np.array([1.0, 0.97, 0.88])


def pigment(code: str) -> Colour:
    """The colour written as six hexadecimal digits, such as "D9824B"."""
    return np.array([int(code[k : k + 2], 16) for k in (0, 2, 4)]) / 255


BOX = {
    name: pigment(code)
    for name, code in {
        "ink": "2B2D42", "charcoal": "44434A", "cream": "F6EBD3", "white": "FBF7EC", "sand": "E0C9A0",
        "mustard": "E2A93B", "ochre": "C98A2E", "orange": "E07B39", "terracotta": "C65D3B", "brick": "A6452F",
        "red": "C8373A", "rose": "D98C8C", "blush": "EFC1AE", "plum": "7B3F61", "lilac": "A48CB8",
        "navy": "27406B", "blue": "3B74A8", "sky": "8FBFD6", "teal": "2C7F86", "mint": "9CC9B1",
        "sage": "8BA67D", "leaf": "5B8C4A", "forest": "2F5D46", "olive": "7E8440", "lime": "A8BF53",
        "brown": "6B4630", "chestnut": "8C5535", "caramel": "B97E4B", "tan": "D3A876", "grey": "8E8F98",
        "silver": "C3C8CC", "slate": "5C6B7A",
    }.items()
}  # fmt: skip

BODY = (
    "mustard",
    "orange",
    "terracotta",
    "red",
    "plum",
    "navy",
    "blue",
    "teal",
    "mint",
    "cream",
    "rose",
    "forest",
    "sky",
)
WOOD = ("brown", "chestnut", "caramel", "tan", "ochre")
FUR = ("charcoal", "brown", "chestnut", "caramel", "orange", "cream", "grey", "sand", "ink")
SKIN = ("F2C9A5", "E0A97E", "C68656", "9A623B", "6E4329", "F6D7BE")
GREEN = ("leaf", "forest", "sage", "olive", "lime", "teal")


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """`one` with `share` (0 to 1) of `other` in it."""
    return one * (1 - share) + other * share


def shade(colour: Colour, amount: float = 0.3) -> Colour:
    """`colour` in shadow: darker and a little bluer."""
    return mix(colour, NIGHT_BLUE, amount)


def light(colour: Colour, amount: float = 0.3) -> Colour:
    """`colour` in the light: brighter and a little warmer."""
    return mix(colour, WARM_WHITE, amount)


def brightness(colour: Colour) -> float:
    """How bright the eye finds `colour`, 0 to 1."""
    return float(colour @ (0.299, 0.587, 0.114))


def choose(rng: np.random.Generator, names: tuple[str, ...], spread: float = 0.035) -> Colour:
    """One of the named pigments (or of six-digit codes), mixed by hand: never twice quite the same."""
    name = names[int(rng.integers(len(names)))]
    colour = BOX[name] if name in BOX else pigment(name)
    return np.clip(colour + rng.uniform(-spread, spread, 3) + rng.uniform(-spread, spread), 0, 1)


GLASS = mix(BOX["sky"], BOX["navy"], 0.35)
