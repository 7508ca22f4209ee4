"""What was found: predictions as entries of COCO's result format, small enough to keep for a whole data set.

    {"image_id": 42, "category_id": 18, "score": 0.236, "bbox": [x, y, width, height],
     "segmentation": {"size": [height, width], "counts": "..."}}

A file of results is a JSON list of these; one of box and mask may be missing.
"""

import json
import math
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lessons import boxes as box_geometry
from lessons import masks as mask_geometry
from lessons.errors import DataError, LessonsError
from lessons.evaluation.truth import Entry, Truth
from lessons.files import write_atomically

Prediction = dict[str, Tensor]


def to_entries(
    prediction: Prediction, image_id: int, size: tuple[int, int], category_ids: Sequence[int]
) -> list[Entry]:
    """One image's prediction as entries of COCO's result format, in the same order.

    Args:
        prediction: boxes (N, 4) xyxy, labels (N,) int64 1..C, scores (N,), and masks (N, H, W) bool, which
            may be left out where only boxes are evaluated. On any device.
        image_id: the image's id in the truth.
        size: its (H, W), which the masks must have.
        category_ids: what COCO's files call each class; the first is label 1.

    Raises:
        LessonsError: something is missing or does not fit; the message names the image.
    """
    _check(prediction, image_id, size, len(category_ids))
    boxes = box_geometry.to_xywh(prediction["boxes"].detach().cpu().double())
    boxes[:, 2:].clamp_(min=0)  # a box turned inside out has no area
    entries = [
        {"image_id": image_id, "category_id": category_ids[label - 1], "score": score, "bbox": bbox}
        for label, score, bbox in zip(
            prediction["labels"].tolist(),
            prediction["scores"].tolist(),
            boxes.tolist(),
            strict=True,
        )
    ]
    if "masks" in prediction:
        for entry, rle in zip(entries, mask_geometry.encode_rle(prediction["masks"]), strict=True):
            entry["segmentation"] = rle
    return entries


def _check(prediction: Prediction, image_id: int, size: tuple[int, int], classes: int) -> None:
    """One sentence about the first thing that does not fit."""
    who = f"The prediction of image {image_id}"
    if not isinstance(prediction, dict) or not {"boxes", "labels", "scores"} <= prediction.keys():
        raise LessonsError(f"{who} must be a dict with boxes, labels, scores and masks.")
    count = len(prediction["scores"])
    shapes = {"boxes": (count, 4), "labels": (count,), "scores": (count,), "masks": (count, *size)}
    for name, shape in shapes.items():
        if name in prediction and tuple(prediction[name].shape) != shape:
            found = tuple(prediction[name].shape)
            raise LessonsError(f"{who} has {name} of the shape {found}: give them as {shape}.")
    if "masks" in prediction and prediction["masks"].dtype != torch.bool:
        raise LessonsError(f"{who} has masks of {prediction['masks'].dtype}: threshold them, masks are bool.")
    for name in ("boxes", "scores"):
        if not torch.isfinite(prediction[name]).all():
            raise LessonsError(f"{who} has {name} that are not finite: mend the model's output.")
    labels = prediction["labels"]
    if labels.is_floating_point() or (count and not 1 <= int(labels.min()) <= int(labels.max()) <= classes):
        raise LessonsError(f"{who} has labels outside 1..{classes}, the data set's classes: map them first.")


def detections_of(source: Any, truth: Truth) -> list[Entry]:
    """Detections as entries that fit the truth.

    Args:
        source: the path of a JSON file of results; or a list of entries; or a list of predictions, one for
            each image of the truth in its order.
        truth: what they will be compared with.

    Raises:
        DataError: the file is missing or damaged, or an entry of it does not fit.
        LessonsError: an entry or a prediction does not fit.
    """
    where = "detections"
    if isinstance(source, str | Path):
        where, source = str(source), _read_list(Path(source))
    if not isinstance(source, list | tuple):
        raise LessonsError(
            f"detections is a {type(source).__name__}: give a list, or the path of a JSON file."
        )
    if source and isinstance(source[0], dict) and "image_id" not in source[0] and "scores" in source[0]:
        return _from_predictions(source, truth)
    known, sizes = set(truth.category_ids), truth.sizes
    for place, entry in enumerate(source):
        fault = _fault(entry, known, sizes)
        if fault:
            raise DataError(f"{where}: entry {place} {fault}.")
    return list(source)


def _read_list(path: Path) -> list[Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{path} is missing: name the JSON file of the results.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): name a readable JSON file.") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON ({error}): write the results again.") from None
    if not isinstance(content, list):
        raise DataError(f"{path} is no list: results are a list of detections; this may be the annotations.")
    return content


def _from_predictions(predictions: Sequence[Prediction], truth: Truth) -> list[Entry]:
    if len(predictions) != len(truth.sizes):
        raise LessonsError(
            f"There are {len(predictions)} predictions for {len(truth.sizes)} images: give one for each."
        )
    pairs = zip(predictions, truth.sizes.items(), strict=True)
    return [
        entry
        for prediction, (image_id, size) in pairs
        for entry in to_entries(prediction, image_id, size, truth.category_ids)
    ]


def _fault(entry: Any, category_ids: set[int], sizes: dict[int, tuple[int, int]]) -> str:
    """What is wrong with an entry, as the end of a sentence; nothing: the empty text."""
    if not isinstance(entry, dict):
        return "is no detection: write image_id, category_id, score and a bbox or segmentation"
    if not isinstance(entry.get("image_id"), Integral) or entry["image_id"] not in sizes:
        return f"is of the image {entry.get('image_id')!r}, which is not in the truth: leave it out"
    if not isinstance(entry.get("category_id"), Integral) or entry["category_id"] not in category_ids:
        return f"has the category {entry.get('category_id')!r}, which the truth does not list: map it first"
    if not _is_number(entry.get("score")):
        return f"has the score {entry.get('score')!r}: write a finite number"
    bbox, segmentation = entry.get("bbox"), entry.get("segmentation")
    if bbox is None and segmentation is None:
        return "has neither bbox nor segmentation: write one"
    if bbox is not None and not _is_box(bbox):
        return f"has the bbox {bbox!r}: write x, y, width, height, none of the last two negative"
    if isinstance(segmentation, dict) and "size" not in segmentation:
        return "has a segmentation without a size: write [height, width]"
    if segmentation is not None:
        try:
            # Also for safety: pycocotools reads past the end of run lengths that are cut short.
            mask_geometry.decode_rle([segmentation], sizes[entry["image_id"]])
        except LessonsError as error:
            return f"cannot be used: {str(error).removesuffix('.')}"
    return ""


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _is_box(value: object) -> bool:
    """Whether a value is x, y, width, height; a box without area is of no use, but no error."""
    four = isinstance(value, list | tuple) and len(value) == 4 and all(map(_is_number, value))
    return four and min(value[2:]) >= 0


def write_results(path: str | Path, entries: Sequence[Entry], overwrite: bool = False) -> None:
    """Write entries as a JSON file of results, which COCO's tools read.

    Raises:
        LessonsError: the file exists and `overwrite` is false.
    """
    if Path(path).exists() and not overwrite:
        raise LessonsError(f"{path} exists: name another file, or say overwrite=True.")
    write_atomically(path, json.dumps(list(entries)).encode())
