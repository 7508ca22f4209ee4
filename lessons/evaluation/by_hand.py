"""The same table as `lessons.evaluation.coco.measure`, by the functions of `average_precision`.

It is slower, and every step of it can be looked at: `scenes` gathers, class by class, what is to be compared,
and `lessons.evaluation.average_precision.curves` does the rest.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lessons import boxes as box_geometry
from lessons import masks as mask_geometry
from lessons.evaluation.average_precision import (
    AREA_RANGES,
    IOU_THRESHOLDS,
    RECALLS,
    Scene,
    curves,
    overlaps_of_boxes,
    overlaps_of_masks,
)
from lessons.evaluation.boundaries import SHARE_OF_DIAGONAL, band, band_width, lower_overlap
from lessons.evaluation.coco import checked_kinds, completed, table_of
from lessons.evaluation.detections import detections_of
from lessons.evaluation.table import Measure, Table
from lessons.evaluation.truth import Entry, check_count, truth_of


def measure_by_hand(
    truth: Any,
    detections: Any,
    kinds: Sequence[str] = ("masks", "boxes"),
    *,
    max_detections: int = 100,
    band_share: float = SHARE_OF_DIAGONAL,
) -> Table:
    """COCO's average precision without COCO's code: arguments and table as those of `measure`."""
    truth = truth_of(truth)
    entries = detections_of(detections, truth)
    measures = []
    for kind in checked_kinds(kinds):
        by_class = scenes(truth, entries, kind, max_detections=max_detections, band_share=band_share)
        precision, recall = _curves([by_class[name] for name in truth.classes])
        measures.append(Measure.from_curves(kind, precision, recall, truth.classes))
    return table_of(tuple(measures), truth, entries)


def scenes(
    truth: Any,
    detections: Any,
    kind: str = "masks",
    *,
    max_detections: int = 100,
    band_share: float = SHARE_OF_DIAGONAL,
) -> dict[str, list[Scene]]:
    """For each class by its name: one Scene for each image where it was to be found, or was said to be.

    The images stand in the order of their ids, and the detections of each in the order of their scores: of
    equal scores the earlier comes first, as in COCO's code.
    """
    truth = truth_of(truth)
    check_count("max_detections", max_detections)
    found = _grouped(completed(detections_of(detections, truth), kind))
    objects = _grouped(truth.annotations)
    result = {}
    for name, category in zip(truth.classes, truth.category_ids, strict=True):
        images = sorted(image for image, other in found.keys() | objects.keys() if other == category)
        result[name] = [
            _scene(
                sorted(found.get((image, category), []), key=lambda one: -one["score"])[:max_detections],
                objects.get((image, category), []),
                kind,
                truth.sizes[image],
                band_share,
            )
            for image in images
        ]
    return result


def _grouped(entries: Sequence[Entry]) -> dict[tuple[int, int], list[Entry]]:
    """By image and category; the order inside each group is kept."""
    groups = defaultdict(list)
    for entry in entries:
        groups[entry["image_id"], entry["category_id"]].append(entry)
    return dict(groups)


def _scene(
    found: list[Entry], objects: list[Entry], kind: str, size: tuple[int, int], band_share: float
) -> Scene:
    crowd = torch.tensor([bool(one["iscrowd"]) for one in objects], dtype=torch.bool)  # (G,)
    return Scene(
        overlaps=_overlaps(found, objects, crowd, kind, size, band_share),
        scores=_numbers(found, "score"),
        areas=_numbers(found, "area"),
        truth_areas=_numbers(objects, "area"),
        crowd=crowd,
    )


def _overlaps(
    found: list[Entry],
    objects: list[Entry],
    crowd: Tensor,
    kind: str,
    size: tuple[int, int],
    band_share: float,
) -> Tensor:
    """(D, G) float64."""
    if not found or not objects:
        return torch.zeros(len(found), len(objects), dtype=torch.float64)
    if kind == "boxes":
        return overlaps_of_boxes(_boxes(found), _boxes(objects), crowd)
    a, b = _masks(found, objects, size)
    overlaps = overlaps_of_masks(a, b, crowd)
    if kind == "masks":
        return overlaps
    width = band_width(size, band_share)
    return lower_overlap(overlaps, overlaps_of_masks(band(a, width), band(b, width), crowd), crowd)


def _masks(found: list[Entry], objects: list[Entry], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """(D, h, w) and (G, h, w) bool: only the part of the image that holds them all, which takes less time."""
    masks = mask_geometry.decode_rle([one["segmentation"] for one in (*found, *objects)], size)
    corners = box_geometry.from_masks(masks).long()  # (D + G, 4)
    (left, top), (right, bottom) = corners[:, :2].amin(dim=0).tolist(), corners[:, 2:].amax(dim=0).tolist()
    part = masks[:, top:bottom, left:right]
    return part[: len(found)], part[len(found) :]


def _boxes(entries: list[Entry]) -> Tensor:
    """(N, 4) xyxy float64."""
    return box_geometry.from_xywh(torch.tensor([one["bbox"] for one in entries], dtype=torch.float64))


def _numbers(entries: list[Entry], key: str) -> Tensor:
    return torch.tensor([one[key] for one in entries], dtype=torch.float64)


def _curves(by_class: list[list[Scene]]) -> tuple[np.ndarray, np.ndarray]:
    """Precision (T, R, C, A) and recall (T, C, A) of C classes."""
    shape = len(IOU_THRESHOLDS), len(by_class), len(AREA_RANGES)
    precision, recall = np.empty((*shape, len(RECALLS))), np.empty(shape)
    for c, class_scenes in enumerate(by_class):
        for a, area_range in enumerate(AREA_RANGES.values()):
            readings, reached = curves(class_scenes, IOU_THRESHOLDS.tolist(), area_range)
            precision[:, c, a], recall[:, c, a] = readings.numpy(), reached.numpy()
    return np.moveaxis(precision, -1, 1), recall
