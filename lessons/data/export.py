"""A data set written as COCO's JSON, which every tool reads."""

from typing import TYPE_CHECKING, Any

from lessons import boxes as box_geometry
from lessons import masks as mask_geometry

if TYPE_CHECKING:
    from torch import Tensor

EXTRA_FLAGS = ("difficult", "truncated")


def to_coco(dataset: Any) -> dict[str, Any]:
    """The whole data set as a dict in COCO's format, ready for `json.dump`; the pictures are not decoded.

    * images: `id` is the target's `image_id`;
    * annotations: `id` counts from 1 (pycocotools takes 0 for "nothing matched"); masks as compressed run
      lengths; `bbox` x, y, width, height around the mask; `area` its pixels;
    * categories: as the data set's `category_ids`; VOC's are its labels 1..20.

    VOC's flags `difficult` and `truncated` stay as fields of their own: `iscrowd` means a group without
    borders between its members, which a difficult object is not.
    """
    images, annotations = [], []
    for position, (height, width) in enumerate(dataset.sizes()):
        target = dataset.read_target(position)
        file_name = dataset.file_name(position)
        images.append({"id": target["image_id"], "file_name": file_name, "height": height, "width": width})
        for annotation in _annotations(target, dataset.category_ids):
            annotations.append({"id": len(annotations) + 1, **annotation})
    categories = [
        {"id": number, "name": name}
        for number, name in zip(dataset.category_ids, dataset.classes, strict=True)
    ]
    return {"images": images, "annotations": annotations, "categories": categories}


def _annotations(target: dict[str, Any], category_ids: tuple[int, ...]) -> list[dict[str, Any]]:
    """One dict for each instance of a target."""
    masks: Tensor = target["masks"]
    flags = [flag for flag in EXTRA_FLAGS if flag in target]
    rows = zip(
        mask_geometry.encode_rle(masks),
        box_geometry.to_xywh(box_geometry.from_masks(masks)).tolist(),
        target["labels"].tolist(),
        target["area"].tolist(),
        target["iscrowd"].tolist(),
        zip(*(target[flag].tolist() for flag in flags), strict=True) if flags else [()] * len(masks),
        strict=True,
    )
    return [
        {
            "image_id": target["image_id"],
            "category_id": category_ids[label - 1],
            "segmentation": rle,
            "bbox": bbox,
            "area": area,
            "iscrowd": crowd,
            **{flag: int(value) for flag, value in zip(flags, values, strict=True)},
        }
        for rle, bbox, label, area, crowd, values in rows
    ]
