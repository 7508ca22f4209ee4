"""What was to be found: the objects of a data set, as COCO's annotations, masks as run lengths.

What counts is COCO's rule: every object counts, except crowds (`iscrowd` 1), which are not asked for and do
not harm whoever finds one. So VOC's *difficult* objects count like others (VOC's own measure leaves them
out), and VOC's *void* border is background to a detection: a mask that reaches into it loses a little IoU.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from lessons import boxes as box_geometry
from lessons import masks as mask_geometry
from lessons.data import CocoInstances
from lessons.data.coco_check import unknown_category
from lessons.data.coco_json import is_box, is_crowd
from lessons.errors import DataError, LessonsError

Entry = dict[str, Any]


@dataclass(frozen=True)
class Truth:
    """The images and objects to evaluate against.

    Attributes:
        sizes: (height, width) of each image by its id, in the data set's order.
        classes: the name of each class; the first is label 1.
        category_ids: what COCO's files call each class.
        annotations: one dict for each object: id (from 1), image_id, category_id, segmentation (run lengths),
            bbox (x, y, width, height), area in pixels, iscrowd.
    """

    sizes: dict[int, tuple[int, int]]
    classes: tuple[str, ...]
    category_ids: tuple[int, ...]
    annotations: list[Entry] = field(repr=False)


def truth_of(source: Any, limit: int | None = None, progress: bool = False) -> Truth:
    """The truth of a data set or of a file in COCO's format. No picture is decoded.

    Of COCO's format `area` and `bbox` are the file's (made from the mask where it has none), as the COCO API
    takes them. Of other data sets they are those of `read_target`.

    Args:
        source: a VOCInstances or CocoInstances (or what has their `read_target`, `classes` and
            `category_ids`), the path of a JSON file, or a Truth, which is handed back.
        limit: only the first so many images; None: all.
        progress: show a progress bar.

    Raises:
        DataError: a file is missing or damaged; the message names it.
        LessonsError: the source is none of these.
    """
    if isinstance(source, Truth):
        return source
    if isinstance(source, str | Path):
        source = CocoInstances(Path(source).parent, source)
    check_count("limit", limit, optional=True)
    if not all(hasattr(source, name) for name in ("read_target", "classes", "category_ids", "__len__")):
        raise LessonsError(
            f"A {type(source).__name__} cannot be evaluated against: give a VOCInstances, a CocoInstances or "
            "the path of a JSON file in COCO's format."
        )
    positions = range(len(source))[:limit]
    read = _read_json if isinstance(source, CocoInstances) else _read_target
    sizes: dict[int, tuple[int, int]] = {}
    annotations: list[Entry] = []
    for position in tqdm(positions, desc="truth", unit="image", disable=not progress, leave=False):
        image_id, size, found = read(source, position)
        sizes[image_id] = size
        for entry in found:
            annotations.append({"id": len(annotations) + 1, "image_id": image_id, **entry})
    classes = _distinct(source.classes, source.category_ids)
    return Truth(sizes, classes, tuple(source.category_ids), annotations)


def check_count(name: str, value: Any, optional: bool = False) -> None:
    """Raise a LessonsError unless an argument is a whole number from 1 (or None, where that is allowed)."""
    if not (type(value) is int and value >= 1) and not (optional and value is None):
        remedy = "a whole number from 1" + (", or None for all" if optional else "")
        raise LessonsError(f"{name} is {value!r}: give {remedy}.")


def _distinct(names: Sequence[str], category_ids: Sequence[int]) -> tuple[str, ...]:
    """The names; one that two categories share gets the id behind it, so that a table tells them apart."""
    pairs = zip(names, category_ids, strict=True)
    return tuple(f"{name} ({number})" if list(names).count(name) > 1 else name for name, number in pairs)


def _read_target(dataset: Any, position: int) -> tuple[int, tuple[int, int], Iterable[Entry]]:
    """One image by the contract for targets: its id, its size, its objects."""
    target = dataset.read_target(position)
    rows = zip(
        target["labels"].tolist(),
        mask_geometry.encode_rle(target["masks"]),
        box_geometry.to_xywh(target["boxes"].double()).tolist(),
        target["area"].tolist(),
        target["iscrowd"].tolist(),
        strict=True,
    )
    entries = [
        _entry(dataset.category_ids[label - 1], rle, bbox, area, crowd)
        for label, rle, bbox, area, crowd in rows
    ]
    return target["image_id"], tuple(target["masks"].shape[1:]), entries


def _read_json(dataset: CocoInstances, position: int) -> tuple[int, tuple[int, int], Iterable[Entry]]:
    """One image of a file in COCO's format. An object without a pixel stays: it is one more to miss."""
    size = dataset.size(position)
    entries = []
    for annotation in dataset.annotations(position):
        if annotation.get("category_id") not in dataset.category_ids:
            raise DataError(unknown_category(dataset, annotation))
        mask = dataset.read_mask(annotation, size)[None]  # (1, H, W)
        bbox, area = annotation.get("bbox"), annotation.get("area")
        if not is_box(bbox):
            bbox = box_geometry.to_xywh(box_geometry.from_masks(mask))[0].tolist()
        if not is_area(area):
            area = float(mask_geometry.area(mask))
        rle = mask_geometry.encode_rle(mask)[0]
        entries.append(_entry(annotation["category_id"], rle, bbox, area, is_crowd(annotation)))
    return dataset.ids[position], size, entries


def _entry(category_id: int, rle: Entry, bbox: list[float], area: float, crowd: int) -> Entry:
    return {"category_id": category_id, "segmentation": rle, "bbox": bbox, "area": area, "iscrowd": crowd}


def is_area(value: object) -> bool:
    """Whether a JSON value is a number of pixels."""
    return type(value) in (int, float) and math.isfinite(value) and value >= 0
