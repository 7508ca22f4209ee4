"""The data sets that a command line or a config names."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lessons.data import CocoInstances, VOCInstances, minivoc
from lessons.errors import LessonsError
from lessons.zoo import classes_of

MINI_VOC = "mini-voc"


def voc(config: Mapping[str, Any], split: str | None, part: str, root: str | None = None) -> VOCInstances:
    """A split of a data set in VOC's layout, labelled by the config's classes.

    Args:
        split: its name; None: what the config calls `part`, which is "train" or "val".
        root: the folder; None: the config's data.set, the mini VOC or a folder.

    Raises:
        LessonsError: neither is named.
    """
    data = config.get("data", {})
    where = root or data.get("set")
    if not where:
        raise LessonsError("No data set: this model has none of its own, so give --data or --coco.")
    folder = minivoc.root() if where == MINI_VOC else Path(where).expanduser()
    return VOCInstances(folder, split or data.get(part, part), classes=classes_of(config))


def coco(images: Path, annotations: Path, *, keep_empty: bool = True) -> CocoInstances:
    """A data set in COCO's format, which brings its own classes."""
    return CocoInstances(images, annotations, keep_empty=keep_empty)


def check_same_classes(ours: Sequence[str], theirs: Sequence[str], whose: str) -> None:
    """See that label n means the same to both.

    Raises:
        LessonsError: it does not; the sentence names the first difference.
    """
    if tuple(ours) == tuple(theirs):
        return
    if len(ours) != len(theirs):
        difference = f"{len(theirs)} classes and the model has {len(ours)}"
    else:
        label = next(n for n, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b)
        difference = f"{theirs[label]!r} as label {label + 1} and the model has {ours[label]!r}"
    raise LessonsError(f"{whose} has {difference}: give a data set with the model's classes, in their order.")
