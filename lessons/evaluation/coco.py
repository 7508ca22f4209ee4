"""Average precision by COCO's own tool, pycocotools, which published numbers are made with.

It prints nothing here, and three rough edges are smoothed: no detection at all is an ordinary case; a mask's
area is its pixels even where the entry has a box as well; a question without objects is not-a-number, not -1.
"""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lessons import masks as mask_geometry
from lessons.errors import LessonsError
from lessons.evaluation.average_precision import AREA_RANGES, IOU_THRESHOLDS, RECALLS
from lessons.evaluation.boundaries import SHARE_OF_DIAGONAL, band, band_width
from lessons.evaluation.detections import detections_of
from lessons.evaluation.table import Measure, Table
from lessons.evaluation.truth import Entry, Truth, check_count, truth_of

KINDS = ("masks", "boxes", "boundaries")


def measure(
    truth: Any,
    detections: Any,
    kinds: Sequence[str] = ("masks", "boxes"),
    *,
    max_detections: int = 100,
    band_share: float = SHARE_OF_DIAGONAL,
) -> Table:
    """Compare detections with the truth: COCO's average precision.

    Args:
        truth: a data set, the path of a JSON file in COCO's format, or a Truth; see `truth_of`.
        detections: predictions, one for each image; or entries of COCO's result format; or the path of a file
            of them; see `detections_of`. None at all is an ordinary case: AP 0 where there are objects.
        kinds: what overlap is measured by: "masks", "boxes", "boundaries" (the lower of mask IoU and boundary
            IoU).
        max_detections: how many count for each class in each image, best score first.
        band_share: for "boundaries", the width of the band as a share of the image's diagonal.

    Returns:
        A table; `table["masks"].AP`. Not-a-number where no object was to be found, as for a class that does
        not occur.

    Raises:
        LessonsError: a kind is unknown, or truth and detections do not fit each other.
    """
    truth = truth_of(truth)
    entries = detections_of(detections, truth)
    kinds = checked_kinds(kinds)
    check_count("max_detections", max_detections)
    measures = tuple(_measure(truth, entries, kind, max_detections, band_share) for kind in kinds)
    return table_of(measures, truth, entries)


def checked_kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    """The kinds, also of a single text.

    Raises:
        LessonsError: one is unknown, or there is none.
    """
    kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    if not kinds or not set(kinds) <= set(KINDS):
        raise LessonsError(f"kinds is {kinds!r}: choose from {', '.join(KINDS)}.")
    return kinds


def table_of(measures: tuple[Measure, ...], truth: Truth, entries: Sequence[Entry]) -> Table:
    """The measures with what was compared."""
    objects = sum(not annotation["iscrowd"] for annotation in truth.annotations)
    return Table(measures, images=len(truth.sizes), objects=objects, detections=len(entries))


def completed(entries: Sequence[Entry], kind: str) -> list[Entry]:
    """The detections with the id, bbox, area and iscrowd that comparing needs; the entries stay as they are.

    The area is the one that `kind` speaks of: the box's, or the mask's pixels. A box is made from the mask
    where there is none.

    Raises:
        LessonsError: a mask is needed and an entry has none.
    """
    result = []
    for number, entry in enumerate(entries, start=1):
        rle, bbox = entry.get("segmentation"), entry.get("bbox")
        if kind != "boxes" and rle is None:
            raise LessonsError(
                f'A detection of image {entry["image_id"]} has no mask: ask for kinds="boxes".'
            )
        compressed = _compressed(rle) if rle is not None else None
        if bbox is None:
            bbox = coco_mask.toBbox(compressed)
        bbox = [float(number) for number in bbox]
        area = bbox[2] * bbox[3] if kind == "boxes" else float(coco_mask.area(compressed))
        result.append(
            {**entry, "id": number, "segmentation": compressed, "bbox": bbox, "area": area, "iscrowd": 0}
        )
    return result


def _compressed(rle: Entry) -> Entry:
    """COCO's plain lists of run lengths become text, which alone pycocotools compares."""
    if isinstance(rle["counts"], list):
        height, width = rle["size"]
        return coco_mask.frPyObjects(rle, height, width)
    return rle


def _measure(
    truth: Truth, entries: Sequence[Entry], kind: str, max_detections: int, band_share: float
) -> Measure:
    """One kind of overlap, by pycocotools."""
    found = completed(entries, kind)
    objects = [dict(annotation) for annotation in truth.annotations]  # pycocotools writes into them
    if kind == "boundaries":
        for entry in (*objects, *found):
            entry["band"] = band_of(entry["segmentation"], truth.sizes[entry["image_id"]], band_share)
    with contextlib.redirect_stdout(io.StringIO()):  # its reports of progress
        evaluator = COCOeval if kind != "boundaries" else BoundaryEvaluator
        task = evaluator(_api(truth, objects), _api(truth, found), "bbox" if kind == "boxes" else "segm")
        task.params.iouThrs = IOU_THRESHOLDS.numpy()
        task.params.recThrs = RECALLS.numpy()
        task.params.maxDets = [max_detections]
        task.params.areaRng = [list(area_range) for area_range in AREA_RANGES.values()]
        task.params.areaRngLbl = list(AREA_RANGES)
        task.evaluate()
        task.accumulate()
    precision, recall = task.eval["precision"][..., 0], task.eval["recall"][..., 0]  # (T, R, C, A), (T, C, A)
    # pycocotools sorts the categories by their ids; the truth's classes have their own order.
    place = np.argsort(np.argsort(truth.category_ids))
    precision, recall = precision[:, :, place], recall[:, place]
    return Measure.from_curves(kind, _no_answer(precision), _no_answer(recall), truth.classes)


def _no_answer(values: np.ndarray) -> np.ndarray:
    return np.where(values < 0, np.nan, values)


def _api(truth: Truth, annotations: list[Entry]) -> COCO:
    """pycocotools' own form of a data set."""
    api = COCO()
    api.dataset = {
        "images": [{"id": number, "height": h, "width": w} for number, (h, w) in truth.sizes.items()],
        "categories": [{"id": number} for number in truth.category_ids],
        "annotations": annotations,
    }
    api.createIndex()
    return api


def band_of(rle: Entry, size: tuple[int, int], band_share: float) -> Entry:
    """The band along a mask's contour, both as run lengths."""
    mask = mask_geometry.decode_rle([rle], size)
    return mask_geometry.encode_rle(band(mask, band_width(size, band_share)))[0]


class BoundaryEvaluator(COCOeval):
    """COCO's evaluation with the lower of mask IoU and boundary IoU, see `lessons.evaluation.boundaries`."""

    def computeIoU(self, image_id: int, category_id: int) -> Any:
        """(D, G) overlaps, the detections in the order of falling scores, as in the parent class."""
        overlaps = np.asarray(super().computeIoU(image_id, category_id))
        if overlaps.size == 0:
            return []
        objects = self._gts[image_id, category_id]
        found = sorted(self._dts[image_id, category_id], key=lambda one: -one["score"])[: len(overlaps)]
        bands = coco_mask.iou(
            [one["band"] for one in found], [one["band"] for one in objects], [0] * len(objects)
        )
        crowd = np.array([bool(one["iscrowd"]) for one in objects])
        return np.where(crowd, overlaps, np.minimum(overlaps, bands))
