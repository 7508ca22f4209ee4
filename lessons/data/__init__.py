"""Pictures with instances: VOC's layout, COCO's JSON, the drawn mini VOC, and the way to a batch."""

from lessons.data.batches import AspectRatioBatchSampler, ImageBatch, collate, pad_batch
from lessons.data.checking import Problem, Report
from lessons.data.coco import CocoInstances
from lessons.data.coco_classes import COCO_CATEGORY_IDS, COCO_CLASSES, COCO_CLASSES_WITH_GAPS
from lessons.data.download import download_voc
from lessons.data.voc import VOC_CLASSES, VOCInstances

__all__ = [
    "COCO_CATEGORY_IDS",
    "COCO_CLASSES",
    "COCO_CLASSES_WITH_GAPS",
    "VOC_CLASSES",
    "AspectRatioBatchSampler",
    "CocoInstances",
    "ImageBatch",
    "Problem",
    "Report",
    "VOCInstances",
    "collate",
    "download_voc",
    "pad_batch",
]
