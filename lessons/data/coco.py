"""COCO's JSON, read as instances: bring your own data, as labelme, CVAT and others export it.

    {"images": [{"id", "file_name", "height", "width"}, ...],
     "annotations": [{"id", "image_id", "category_id", "segmentation", "bbox", "iscrowd"}, ...],
     "categories": [{"id", "name"}, ...]}

A `segmentation` is a list of polygons, or run lengths. A crowd (`iscrowd` 1) is a group without borders
between its members; it stays in the target, mask and all, and who trains or evaluates decides what to do with
it.

    N     instances of a picture
    H, W  its height and width; sizes are (H, W)
"""

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor

from lessons import boxes as box_geometry
from lessons import masks as mask_geometry
from lessons.data import coco_check, coco_json, export
from lessons.data.checking import Report
from lessons.data.coco_json import FARTHEST, is_box, is_crowd, is_number
from lessons.data.images import image_size, read_image, to_tensor
from lessons.errors import DataError, LessonsError

Target = dict[str, Any]
Transform = Callable[[Tensor, Target], tuple[Tensor, Target]]


class CocoInstances(torch.utils.data.Dataset):
    """Pictures with their instances from a folder and a file in COCO's format.

    `dataset[i]` gives `(image, target)`: image (3, H, W) float32 RGB in [0, 1], target a dict of

    * boxes (N, 4) float32 xyxy pixels, half-open: around the masks, or the JSON's `bbox` with `boxes="json"`
      (around the mask where there is none);
    * labels (N,) int64, 1..C in the order of the category ids; `category_ids[label - 1]` leads back;
    * masks (N, H, W) bool; area (N,) float32, the masks' pixels; image_id int, the JSON's; iscrowd (N,)
      int64.

    N may be 0. An annotation whose mask has no pixel is left out; `check()` lists it. Every call builds new
    tensors.

    Args:
        images_folder: what the file names are relative to. Names that lead out of it are refused.
        annotations_json: the file.
        transform: called with (image, target), gives (image, target).
        keep_empty: whether pictures without an annotation are part of the data set.
        boxes: "masks" or "json".

    Raises:
        DataError: the JSON is missing or damaged, or lacks images, annotations or categories. Smaller damage
            is left to `check()`, and to the reading of the picture that it concerns.
    """

    def __init__(
        self,
        images_folder: str | Path,
        annotations_json: str | Path,
        *,
        transform: Transform | None = None,
        keep_empty: bool = True,
        boxes: str = "masks",
    ) -> None:
        if boxes not in ("masks", "json"):
            raise LessonsError(f'boxes is {boxes!r}: choose "masks" or "json".')
        self.images_folder = Path(images_folder).expanduser()
        self.annotations_json = Path(annotations_json).expanduser()
        self.transform = transform
        self.keep_empty = keep_empty
        self.boxes = boxes
        content = coco_json.read(self.annotations_json)
        self.problems = content.problems
        self.category_ids = tuple(content.categories)
        self.classes = tuple(content.categories.values())
        self._labels = {number: label for label, number in enumerate(self.category_ids, start=1)}
        self._records = content.images
        self._annotations = content.annotations
        self.ids = [number for number in self._records if keep_empty or self._annotations.get(number)]
        self._positions = {number: position for position, number in enumerate(self.ids)}

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return (
            f"CocoInstances({str(self.images_folder)!r}, {str(self.annotations_json)!r}): {len(self)} images"
        )

    def __getitem__(self, position: int) -> tuple[Tensor, Target]:
        target = self.read_target(position)
        size = tuple(target["masks"].shape[1:])
        array = read_image(self.image_path(position), size)  # (H, W, 3)
        if array.shape[:2] != size:
            raise DataError(coco_check.size_mismatch(self, position, array.shape[:2], size))
        image = to_tensor(array)  # (3, H, W)
        return (image, target) if self.transform is None else self.transform(image, target)

    def index(self, name: int | str) -> int:
        """The position of the picture with this id, or with this file name.

        Raises:
            LessonsError: there is none.
        """
        if name in self._positions:
            return self._positions[name]
        for position in range(len(self)):
            if self.record(position).get("file_name") == name:
                return position
        raise LessonsError(
            f"{name!r} is no image of {self.annotations_json}: name an id or a file name from there."
        )

    def read_target(self, position: int) -> Target:
        """The target alone, as `__getitem__` gives it without a transform; the picture need not be there.

        Raises:
            DataError: an annotation cannot be used as it is.
        """
        size = self.size(position)
        annotations = self.annotations(position)
        masks = [self.read_mask(annotation, size) for annotation in annotations]
        stacked = torch.stack(masks) if masks else torch.zeros(0, *size, dtype=torch.bool)  # (N, H, W)
        area = mask_geometry.area(stacked)  # (N,)
        if not area.all():
            annotations = [one for one, pixels in zip(annotations, area.tolist(), strict=True) if pixels]
            stacked, area = stacked[area > 0], area[area > 0]
        tight = box_geometry.from_masks(stacked)  # (N, 4)
        return {
            "boxes": self._json_boxes(annotations, tight) if self.boxes == "json" else tight,
            "labels": torch.tensor(
                [self._label(annotation) for annotation in annotations], dtype=torch.int64
            ),
            "masks": stacked,
            "image_id": self.ids[position],
            "area": area,
            "iscrowd": torch.tensor([is_crowd(annotation) for annotation in annotations], dtype=torch.int64),
        }

    def read_mask(self, annotation: dict[str, Any], size: tuple[int, int]) -> Tensor:
        """The mask (H, W) bool of one annotation.

        Raises:
            DataError: its segmentation is missing or damaged.
        """
        segmentation = annotation.get("segmentation")
        try:
            if isinstance(segmentation, dict):
                return mask_geometry.decode_rle([segmentation], size)[0]
            if isinstance(segmentation, list):
                return mask_geometry.from_polygons(segmentation, size)
        except LessonsError as error:
            raise DataError(f"{self.name_of(annotation)}: {error}") from None
        raise DataError(f"{self.name_of(annotation)} has no segmentation: give it polygons or run lengths.")

    def size(self, position: int) -> tuple[int, int]:
        """The (H, W) that the JSON states; the picture's own where it states none.

        Raises:
            DataError: neither can be read.
        """
        record = self.record(position)
        stated = record.get("height"), record.get("width")
        if all(type(side) is int and 0 < side < FARTHEST for side in stated):
            return stated
        return image_size(self.image_path(position))

    def sizes(self) -> list[tuple[int, int]]:
        """The (H, W) of every picture, see `size`."""
        return [self.size(position) for position in range(len(self))]

    def aspect_ratios(self) -> list[float]:
        """height / width of every picture, for batches of like shapes."""
        return [height / width for height, width in self.sizes()]

    def check(self, workers: int | None = None, progress: bool = True) -> Report:
        """Read every picture and annotation and list every problem, instead of stopping at the first.

        Args:
            workers: how many threads; None: one for each core.
            progress: show a progress bar.
        """
        return coco_check.check(self, workers, progress)

    def to_coco(self) -> dict[str, Any]:
        """The data set as COCO's JSON with run-length masks; see `lessons.data.export.to_coco`."""
        return export.to_coco(self)

    def record(self, position: int) -> dict[str, Any]:
        """The JSON's entry of one picture."""
        if not -len(self.ids) <= position < len(self.ids):
            raise IndexError(f"{self!r} has no image {position}.")
        return self._records[self.ids[position]]

    def annotations(self, position: int) -> list[dict[str, Any]]:
        """The JSON's annotations of one picture."""
        return self._annotations.get(self.record(position)["id"], [])

    def file_name(self, position: int) -> str:
        """The picture's file name inside the folder; the backslashes of a Windows export are turned.

        Raises:
            DataError: there is none, or it leads out of the folder.
        """
        name = self.record(position).get("file_name")
        who = f"{self.annotations_json}: image {self.ids[position]}"
        if not isinstance(name, str) or not name:
            raise DataError(f"{who} has no file_name: add it.")
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or not path.parts or ".." in path.parts or ":" in path.parts[0]:
            raise DataError(
                f"{who} has the file name {name!r}, which leads out of "
                f"{self.images_folder}: make it relative to that folder."
            )
        return str(path)

    def image_path(self, position: int) -> Path:
        """The picture's file."""
        return self.images_folder / self.file_name(position)

    def name_of(self, annotation: dict[str, Any]) -> str:
        """How a sentence names an annotation."""
        number, image = annotation.get("id"), annotation.get("image_id")
        return f"{self.annotations_json}: annotation {number} of image {image}"

    def _label(self, annotation: dict[str, Any]) -> int:
        number = annotation.get("category_id")
        if not is_number(number) or number not in self._labels:
            raise DataError(coco_check.unknown_category(self, annotation))
        return self._labels[number]

    def _json_boxes(self, annotations: Sequence[dict[str, Any]], tight: Tensor) -> Tensor:
        result = tight.clone()
        for row, annotation in enumerate(annotations):
            if annotation.get("bbox") is None:
                continue
            if not is_box(annotation["bbox"]):
                bbox = annotation["bbox"]
                raise DataError(
                    f"{self.name_of(annotation)} has the bbox {bbox}: write x, y and a positive width and "
                    'height, or take boxes="masks".'
                )
            result[row] = box_geometry.from_xywh(torch.tensor([annotation["bbox"]], dtype=torch.float32))[0]
        return result
