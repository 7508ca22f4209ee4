"""From settings to a model with random weights."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from torch import nn

from lessons import configs
from lessons.data import COCO_CLASSES, COCO_CLASSES_WITH_GAPS, VOC_CLASSES
from lessons.errors import LessonsError
from lessons.registry import TYPE, nearest
from lessons.zoo.parts import MODELS

Config = Mapping[str, Any]
OFFICIAL = "official"  # the size of a picture that the config states
CLASSES = {"VOC": VOC_CLASSES, "COCO": COCO_CLASSES, "COCO with gaps": COCO_CLASSES_WITH_GAPS}


def build(config: str | Path | Config) -> nn.Module:
    """The model of a config, with random weights, ready to train.

    Args:
        config: a name from `names()`, the path of a .toml file, or settings as `lessons.configs.read` gives.

    Returns:
        the model, with `.classes`, the names of the labels 1..C, and `.name`.

    Raises:
        LessonsError: settings that fit nothing; the sentence names them.
    """
    name = "model"
    if not isinstance(config, Mapping):
        name, config = (
            Path(config).stem if str(config).endswith(".toml") else str(config),
            configs.read(config),
        )
    if "model" not in config:
        raise LessonsError("The config has no [model]: say what is to be built.")
    classes = classes_of(config)
    for part, outputs in _class_counts(config["model"], "model"):
        if outputs != len(classes):
            raise LessonsError(
                f"{part} has {outputs} classes and data.classes {len(classes)}: make them equal."
            )
    test = dict(config.get("test", {}))
    resize = checked_resize(test.pop("resize", None))
    model = MODELS.build(config["model"], decoding=decoding(config, test), resize=resize)
    model.classes, model.name = classes, name
    return model


def classes_of(config: Config) -> tuple[str, ...]:
    """The names of the labels 1..C: data.classes, "VOC", "COCO" or a list.

    Raises:
        LessonsError: there are none, or another word.
    """
    classes = config.get("data", {}).get("classes")
    if isinstance(classes, str) and classes in CLASSES:
        return CLASSES[classes]
    if isinstance(classes, str) or not classes:
        raise LessonsError(f"data.classes is {classes!r}: choose {', '.join(CLASSES)}, or list the names.")
    return tuple(classes)


def with_classes(config: Config, classes: Sequence[str]) -> configs.Config:
    """The same settings for other classes: their names, and as many outputs of the head."""
    known = [name for name, names in CLASSES.items() if names == tuple(classes)]
    changes = {
        "data": {"classes": known[0] if known else list(classes)},
        "model": _with_class_counts(config["model"], len(classes)),
    }
    return configs.merge(config, changes)


def decoding(config: Config, options: Config) -> Any:
    """What counts as found, for the model of a config; what the options leave out is official.

    Raises:
        LessonsError: there is no such option, or it cannot have that value.
    """
    kind = MODELS.get(config["model"].get(TYPE)).Decoding
    known = [field.name for field in fields(kind)]
    for name, value in options.items():
        if name not in known:
            raise LessonsError(
                f"There is no test option {name!r}{nearest(name, known)}: choose among {', '.join(known)}."
            )
        _check_option(name, value)
    tuples = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
    return kind(**tuples)


def _class_counts(part: Config, name: str) -> Iterator[tuple[str, int]]:
    """The name and the number of classes of every part that has one."""
    for key, value in part.items():
        if key == "classes":
            yield name, value
        elif isinstance(value, Mapping):
            yield from _class_counts(value, f"{name}.{key}")


def _with_class_counts(part: Config, count: int) -> dict[str, Any]:
    """What changes in a model's settings for another number of classes."""
    changes: dict[str, Any] = {}
    for key, value in part.items():
        if key == "classes":
            changes[key] = count
        elif isinstance(value, Mapping):
            changes[key] = _with_class_counts(value, count)
    return changes


def checked_resize(resize: Any) -> tuple[int, int] | None:
    """(short, long) in pixels, or None.

    Raises:
        LessonsError: anything else.
    """
    if resize is None:
        return None
    pair = tuple(resize) if isinstance(resize, list | tuple) else ()
    if len(pair) != 2 or not all(type(side) is int and side >= 1 for side in pair) or pair[0] > pair[1]:
        raise LessonsError(
            f"resize={resize!r} is no size: give (short, long) in whole pixels, as (800, 1333), or None to "
            "leave pictures as they are."
        )
    return pair


def _check_option(name: str, value: Any) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if name.endswith("_threshold"):
        good, remedy = is_number and 0 <= value <= 1, "a number from 0 to 1"
    elif name in ("before_nms", "max_detections"):
        good, remedy = type(value) is int and value >= 1, "a whole number from 1"
    elif name == "kernel":
        good, remedy = value in ("gaussian", "linear"), "gaussian or linear"
    elif name == "sigma":
        good, remedy = is_number and value > 0, "a positive number"
    else:
        good, remedy = isinstance(value, list | tuple), "a list with a number for each grid"
    if not good:
        raise LessonsError(f"{name}={value!r} cannot be: give {remedy}.")
