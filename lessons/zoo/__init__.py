"""From a name to a model: its settings (`lessons.configs`), its parts, its weights.

names()                        everything that `load` knows
build("solo-mini")             the model with random weights, to train
load("solo-mini")              the trained model, to use
"""

from lessons.zoo.building import OFFICIAL, build, classes_of, with_classes
from lessons.zoo.loading import load, names, put_weights
from lessons.zoo.parts import MODELS, TRANSFORMS, augmentation

__all__ = [
    "MODELS",
    "OFFICIAL",
    "TRANSFORMS",
    "augmentation",
    "build",
    "classes_of",
    "load",
    "names",
    "put_weights",
    "with_classes",
]
