"""Data sets of a few pixels, written file by file, for tests to read and to damage."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lessons.data.images import voc_palette

SIZE = (20, 30)  # height, width


def indices_of(*rectangles: tuple[int, int, int, int], size: tuple[int, int] = SIZE) -> np.ndarray:
    """Instance n fills the n-th rectangle (x1, y1, x2, y2), 0-based half-open; None of it is void."""
    indices = np.zeros(size, dtype=np.uint8)
    for number, (x1, y1, x2, y2) in enumerate(rectangles, start=1):
        indices[y1:y2, x1:x2] = number
    return indices


def object_xml(name: str = "dog", box: tuple = (5, 4, 10, 9), difficult: int = 0, truncated: int = 0) -> str:
    corners = "".join(
        f"<{corner}>{value}</{corner}>"
        for corner, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    return (
        f"<object><name>{name}</name><difficult>{difficult}</difficult><truncated>{truncated}</truncated>"
        f"<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part><bndbox>{corners}</bndbox></object>"
    )


def annotation_xml(*objects: str, size: tuple[int, int] = SIZE) -> str:
    head = f"<size><width>{size[1]}</width><height>{size[0]}</height><depth>3</depth></size>"
    return f"<annotation>{head}{''.join(objects)}</annotation>"


class TinyVOC:
    """A set in VOC's layout; `add` writes one picture, `finish` the list."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ids: list[str] = []
        for folder in ("JPEGImages", "SegmentationObject", "Annotations", "ImageSets/Segmentation"):
            (root / folder).mkdir(parents=True)

    def image(self, name: str) -> Path:
        return self.root / "JPEGImages" / f"{name}.jpg"

    def mask(self, name: str) -> Path:
        return self.root / "SegmentationObject" / f"{name}.png"

    def xml(self, name: str) -> Path:
        return self.root / "Annotations" / f"{name}.xml"

    def list(self, split: str = "train") -> Path:
        return self.root / "ImageSets" / "Segmentation" / f"{split}.txt"

    def add(
        self,
        name: str = "a",
        indices: np.ndarray | None = None,
        objects: tuple[str, ...] | None = None,
        size: tuple[int, int] | None = None,
    ) -> "TinyVOC":
        """By default one dog at (4, 3)-(10, 9) with a void border to its right."""
        if indices is None:
            indices = indices_of((4, 3, 10, 9))
            indices[3:9, 10] = 255
        size = size or indices.shape
        noise = np.random.default_rng(len(self.ids)).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(noise).save(self.image(name), quality=90)
        write_mask(self.mask(name), indices)
        text = annotation_xml(*((object_xml(),) if objects is None else objects), size=size)
        self.xml(name).write_text(text, encoding="utf-8")
        self.ids.append(name)
        self.list().write_text("\n".join(self.ids) + "\n", encoding="utf-8")
        return self


def write_mask(path: Path, indices: np.ndarray) -> None:
    picture = Image.fromarray(indices)
    picture.putpalette(voc_palette().tobytes())
    picture.save(path)


def coco_json(
    images: list[dict], annotations: list[dict], categories: list[dict] | None = None
) -> dict[str, Any]:
    categories = categories or [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def one_image(**changes: Any) -> dict[str, Any]:
    return {"id": 1, "file_name": "a.png", "height": SIZE[0], "width": SIZE[1], **changes}


def one_annotation(**changes: Any) -> dict[str, Any]:
    """A dog whose polygon covers the pixels (4, 3)-(10, 9)."""
    square = [4, 3, 10, 3, 10, 9, 4, 9]
    return {
        "id": 1, "image_id": 1, "category_id": 7, "segmentation": [square], "bbox": [4, 3, 6, 6],
        "iscrowd": 0,
        **changes,
    }  # fmt: skip


def write_coco(
    folder: Path, content: dict[str, Any] | str, pictures: tuple[str, ...] = ("a.png",)
) -> tuple[Path, Path]:
    """The folder of pictures and the JSON file."""
    images = folder / "images"
    for name in pictures:
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE[::-1], "teal").save(images / name)
    path = folder / "instances.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return images, path
