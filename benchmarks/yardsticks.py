"""The yardstick of data loading: VOC instances read with torchvision's own pieces.

torchvision has no class for VOC instances. What people write is `VOCDetection` beside a second data set
like `VOCSegmentation` that opens SegmentationObject: two objects, and the picture is decoded by both.
`as_written` is that. `decoded_once` is the same by somebody who takes care: one decoding, the rest unchanged.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.datasets import VOCDetection
from torchvision.datasets.voc import ET_parse
from torchvision.ops import masks_to_boxes
from torchvision.transforms.functional import to_tensor

Sample = tuple[Tensor, dict[str, Tensor]]
Reader = Callable[[Path, str, dict[str, int]], Sample]


def as_written(root: Path, name: str, labels: dict[str, int]) -> Sample:
    """One picture (3, H, W) and its target, from two data sets that both open the picture."""
    image, annotation = _detection(root, name)
    _, mask = _segmentation(root, name)
    return to_tensor(image), _target(annotation, mask, labels)


def decoded_once(root: Path, name: str, labels: dict[str, int]) -> Sample:
    """The same from one decoding of the picture."""
    image, annotation = _detection(root, name)
    return to_tensor(image), _target(
        annotation, Image.open(root / "SegmentationObject" / f"{name}.png"), labels
    )


def _detection(root: Path, name: str) -> tuple[Image.Image, dict]:
    """What `VOCDetection.__getitem__` does."""
    image = Image.open(root / "JPEGImages" / f"{name}.jpg").convert("RGB")
    return image, VOCDetection.parse_voc_xml(ET_parse(root / "Annotations" / f"{name}.xml").getroot())


def _segmentation(root: Path, name: str) -> tuple[Image.Image, Image.Image]:
    """What `VOCSegmentation.__getitem__` does, on SegmentationObject."""
    image = Image.open(root / "JPEGImages" / f"{name}.jpg").convert("RGB")
    return image, Image.open(root / "SegmentationObject" / f"{name}.png")


def _target(annotation: dict, mask: Image.Image, labels: dict[str, int]) -> dict[str, Tensor]:
    """The information of our target from torchvision's pieces, vectorised as far as they allow."""
    indices = torch.from_numpy(np.array(mask))  # (H, W)
    found = torch.from_numpy(np.unique(indices.numpy()))
    found = found[(found != 0) & (found != 255)]  # (N,)
    masks = indices == found[:, None, None]  # (N, H, W)
    objects = [annotation["annotation"]["object"][index - 1] for index in found.tolist()]
    boxes = masks_to_boxes(masks)
    boxes[:, 2:] += 1  # to half-open
    corners = [[float(one["bndbox"][side]) for side in ("xmin", "ymin", "xmax", "ymax")] for one in objects]
    boxes_xml = torch.tensor(corners).reshape(-1, 4)
    boxes_xml[:, :2] -= 1  # from 1-based inclusive to 0-based half-open
    return {
        "boxes": boxes,
        "labels": torch.tensor([labels[one["name"]] for one in objects], dtype=torch.int64),
        "masks": masks,
        "area": masks.sum((1, 2)).float(),
        "boxes_xml": boxes_xml,
        "ignore": indices == 255,
        "difficult": torch.tensor([one["difficult"] == "1" for one in objects], dtype=torch.bool),
        "truncated": torch.tensor([one["truncated"] == "1" for one in objects], dtype=torch.bool),
    }
