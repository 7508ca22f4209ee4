"""One palette for the whole course: the same colour means the same thing in every figure.

The role colours are those of Okabe and Ito, which readers with any kind of colour vision can tell apart.
Instances of one picture take the colours of `INSTANCES` in turn; no role colour is among them.
"""

GROUND_TRUTH = "#009E73"  # bluish green: what the annotation says
PREDICTION = "#0072B2"  # blue: what a model says
POSITIVE = "#E69F00"  # orange: an anchor, cell or proposal that is trained as an object
NEGATIVE = "#7F8C8D"  # grey: one that is trained as background
IGNORED = "#CC79A7"  # reddish purple: the void border, crowds, anchors between the thresholds
SAMPLED_POINT = "#D55E00"  # vermilion: a sampled point
HIGHLIGHT = "#F0E442"  # yellow: "look here", the lesson's own box on the map
INK = "#1F2933"  # text and axes
PAPER = "#FFFFFF"  # the background of every figure
FAINT = "#D5DBE1"  # grid lines, and what is there but not the subject

ROLES = {
    "ground truth": GROUND_TRUTH,
    "prediction": PREDICTION,
    "positive": POSITIVE,
    "negative": NEGATIVE,
    "ignored": IGNORED,
    "sampled point": SAMPLED_POINT,
}

# Bright enough for photographs, at least 30 (CIE 1976 colour difference) from every role colour and 20 from
# each other, neighbours in the list far apart. A test holds these numbers.
INSTANCES = (
    "#7C3AED", "#A3E635", "#DC143C", "#22D3EE", "#FF9E8A", "#8B4513",
    "#6C8CFF", "#8CF5C8", "#E81CFF", "#8A1538", "#B9A5FF", "#8FC9FF",
)  # fmt: skip


def instance_colour(number: int) -> str:
    """The colour of the `number`-th instance of a picture (0-based); the colours come round again."""
    return INSTANCES[number % len(INSTANCES)]


def role_colour(role: str) -> str:
    """The colour of a role, by its name in `ROLES`.

    Raises:
        ValueError: there is no such role.
    """
    if role not in ROLES:
        raise ValueError(f"role {role!r} is not in the palette: choose one of {', '.join(ROLES)}.")
    return ROLES[role]


def channels(colour: str) -> tuple[float, float, float]:
    """The red, green and blue of "#RRGGBB", each in [0, 1]."""
    red, green, blue = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return red, green, blue


def ink_on(colour: str) -> str:
    """`INK` or `PAPER`: whichever has the greater contrast (WCAG 2 relative luminance) on `colour`."""

    def luminance(name: str) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels(name)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark, here = luminance(PAPER), luminance(INK), luminance(colour)
    return PAPER if (light + 0.05) / (here + 0.05) > (here + 0.05) / (dark + 0.05) else INK
