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

INSTANCES = (
    "#4E79A7", "#F28E2B", "#59A14F", "#E15759", "#B07AA1", "#EDC948",
    "#76B7B2", "#9C755F", "#FF9DA7", "#86BCB6", "#D37295", "#A0CBE8",
)  # fmt: skip


def instance_colour(number: int) -> str:
    """The colour of the `number`-th instance of a picture (0-based); the colours come round again."""
    return INSTANCES[number % len(INSTANCES)]
