"""How good a detector is: COCO's average precision, by its own tool and by hand, and along the boundaries.

The steps of the definition are the functions of `lessons.evaluation.average_precision`.
"""

from lessons.evaluation.boundaries import band, band_width, boundary_iou
from lessons.evaluation.by_hand import measure_by_hand, scenes
from lessons.evaluation.coco import measure
from lessons.evaluation.detections import to_entries, write_results
from lessons.evaluation.running import detect, evaluate
from lessons.evaluation.table import Measure, Table
from lessons.evaluation.truth import Truth, truth_of

__all__ = [
    "Measure",
    "Table",
    "Truth",
    "band",
    "band_width",
    "boundary_iou",
    "detect",
    "evaluate",
    "measure",
    "measure_by_hand",
    "scenes",
    "to_entries",
    "truth_of",
    "write_results",
]
