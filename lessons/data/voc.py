"""VOC's own layout of files, read as instances.

root/JPEGImages/<id>.jpg             the picture
root/SegmentationObject/<id>.png     its instances: 0 background, n the n-th <object>, 255 the border
root/Annotations/<id>.xml            its objects: class, box, difficult, truncated
root/ImageSets/Segmentation/<split>.txt   the ids of a split, one to a line

N     instances of a picture
H, W  its height and width; sizes are (H, W)
"""

import copy
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lessons import boxes as box_geometry
from lessons import masks as mask_geometry
from lessons.data import export, size_cache, voc_check
from lessons.data.annotations import Annotation, VOCObject, read_annotation
from lessons.data.checking import Problem, Report
from lessons.data.images import image_size, read_image, read_indices, stored_and_turned_size, to_tensor
from lessons.errors import DataError, LessonsError
from lessons.files import exists
from lessons.voc_layout import VOCFiles, find_root

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip

VOID = 255
Target = dict[str, Any]
Transform = Callable[[Tensor, Target], tuple[Tensor, Target]]


class VOCInstances(torch.utils.data.Dataset):
    """Pictures with their instances from VOC's own layout of files.

    `dataset[i]` gives `(image, target)`: image (3, H, W) float32 RGB in [0, 1], target a dict of

    * boxes (N, 4) float32 xyxy pixels, 0-based half-open: around the masks, or the XML's with `boxes="xml"`;
    * labels (N,) int64, 1..C by the order of `classes`; masks (N, H, W) bool; area (N,) float32, the masks'
      pixels;
    * image_id int, the position in `ids`; iscrowd (N,) int64, all 0;
    * boxes_xml (N, 4) float32, the XML's, made 0-based half-open (zeros where the XML holds no readable box);
    * ignore (H, W) bool, the 255 border, which is neither object nor background;
    * difficult, truncated (N,) bool, the XML's flags; instances (N,) int64, the palette index of each.

    N may be 0. An object of the XML without a pixel in the mask is left out; `check()` notes it. Every call
    builds new tensors, so changing them changes nothing in the data set. Reading is safe from several threads
    and processes.

    Args:
        root: the folder that holds JPEGImages and the others, or one that holds it as VOCdevkit/VOC2012,
            VOC2012 or VOC2007 (the newer year if it holds both).
        split: the name of a list in ImageSets/Segmentation. Of lists in the form "id 1" and "id -1" (VOC's
            lists per class) the ids with -1 are left out.
        transform: called with (image, target), gives (image, target).
        boxes: "masks" or "xml".
        unlabelled: what to do with an instance index that the XML has no object for: "error", or "ignore",
            which adds its pixels to the ignore mask.
        classes: the names of the classes; the first is label 1.

    Raises:
        DataError: no such folder or list, or nothing in the list.
    """

    def __init__(
        self,
        root: str | Path,
        split: str,
        *,
        transform: Transform | None = None,
        boxes: str = "masks",
        unlabelled: str = "error",
        classes: Sequence[str] = VOC_CLASSES,
    ) -> None:
        if boxes not in ("masks", "xml"):
            raise LessonsError(f'boxes is {boxes!r}: choose "masks" or "xml".')
        if unlabelled not in ("error", "ignore"):
            raise LessonsError(f'unlabelled is {unlabelled!r}: choose "error" or "ignore".')
        self.root = find_root(root)
        self.files = VOCFiles(self.root)
        self.split = split
        self.transform = transform
        self.boxes = boxes
        self.unlabelled = unlabelled
        self.classes = tuple(classes)
        self.list_file = self.files.split(split)
        listed = self.files.read_list(self.list_file)
        self.ids = list(dict.fromkeys(listed))
        self._labels = {name: label for label, name in enumerate(self.classes, start=1)}
        self._positions = {name: position for position, name in enumerate(self.ids)}
        self._annotations: dict[str, tuple[tuple[int, int], Annotation]] = {}
        self._list_problems = self._problems_of_list(listed)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"VOCInstances({str(self.root)!r}, {self.split!r}): {len(self)} images"

    def __getitem__(self, position: int) -> tuple[Tensor, Target]:
        name = self._name(position)
        target = self.read_target(position)
        size = tuple(target["ignore"].shape)
        array = read_image(self.files.image(name), size)  # (H, W, 3)
        if array.shape[:2] != size:
            raise DataError(voc_check.size_mismatch(self, name, array.shape[:2], size))
        image = to_tensor(array)  # (3, H, W)
        return (image, target) if self.transform is None else self.transform(image, target)

    def index(self, name: str) -> int:
        """The position of the picture with this id.

        Raises:
            LessonsError: it is not in this split.
        """
        if name not in self._positions:
            raise LessonsError(f"{name!r} is not in {self.list_file}: choose one of its ids.")
        return self._positions[name]

    def read_target(self, position: int) -> Target:
        """The target alone, as `__getitem__` gives it without a transform; the picture is not touched.

        Raises:
            DataError: the mask or the XML is missing or damaged, an instance has no object, or its class is
                unknown.
        """
        name = self._name(position)
        indices = read_indices(self.files.mask(name))  # (H, W)
        objects = self.annotation(name).objects
        numbers, masks = mask_geometry.from_indices(indices, VOID)  # (N,), (N, H, W)
        ignore = torch.from_numpy(indices == VOID)  # (H, W)
        has_object = numbers <= len(objects)  # (N,)
        if not has_object.all():
            surplus = masks[~has_object]
            if self.unlabelled == "error":
                raise DataError(voc_check.without_object(self, name, numbers[~has_object].tolist()))
            ignore |= surplus.any(dim=0)
            numbers, masks = numbers[has_object], masks[has_object]
        return self._target(name, numbers, masks, ignore)

    def _target(self, name: str, numbers: Tensor, masks: Tensor, ignore: Tensor) -> Target:
        """Put the target together from N instances whose numbers are those of objects in the XML."""
        everything = self.annotation(name).objects
        objects = [everything[number - 1] for number in numbers.tolist()]
        return {
            "boxes": self._xml_boxes(name, objects)
            if self.boxes == "xml"
            else box_geometry.from_masks(masks),
            "labels": torch.tensor([self._label(name, one) for one in objects], dtype=torch.int64),
            "masks": masks,
            "image_id": self._positions[name],
            "area": mask_geometry.area(masks),
            "iscrowd": torch.zeros(len(objects), dtype=torch.int64),
            "boxes_xml": _boxes_of(objects),
            "ignore": ignore,
            "difficult": torch.tensor([one.difficult for one in objects], dtype=torch.bool),
            "truncated": torch.tensor([one.truncated for one in objects], dtype=torch.bool),
            "instances": numbers,
        }

    def sizes(self) -> list[tuple[int, int]]:
        """The (H, W) of every picture, as `__getitem__` gives it, from the headers of the files.

        They are kept between runs in `lessons.files.cache_folder()`; an entry counts as long as the file's
        length and time of change are the same.

        Raises:
            DataError: a picture is missing or no picture.
        """
        kept = size_cache.load(self.root, self.split)
        entries = {}
        for name in self.ids:
            entry, stamps = kept.get(name), self._stamps(name)
            if entry is None or entry[2:] != stamps:
                entry = (*self._size(name), *stamps)
            entries[name] = entry
        self._keep_sizes(kept, entries)
        return [(entry[0], entry[1]) for entry in entries.values()]

    def _keep_sizes(self, kept: dict[str, size_cache.Entry], entries: dict[str, size_cache.Entry]) -> None:
        if any(kept.get(name) != entry for name, entry in entries.items()):
            size_cache.save(self.root, self.split, {**kept, **entries})

    def _stamps(self, name: str) -> tuple[int, int, int, int]:
        return (*size_cache.stamp(self.files.image(name)), *size_cache.stamp(self.files.mask(name)))

    def _size(self, name: str) -> tuple[int, int]:
        """The size of one picture; where EXIF turns it, the mask decides whether it does."""
        stored, turned = stored_and_turned_size(self.files.image(name))
        if stored != turned and exists(self.files.mask(name)):
            return image_size(self.files.image(name), image_size(self.files.mask(name)))
        return turned

    def aspect_ratios(self) -> list[float]:
        """height / width of every picture, for batches of like shapes; see `sizes`."""
        return [height / width for height, width in self.sizes()]

    def check(self, workers: int | None = None, progress: bool = True) -> Report:
        """Read every file of the split and list every problem, instead of stopping at the first.

        Args:
            workers: how many threads; None: one for each core.
            progress: show a progress bar.
        """
        return voc_check.check(self, workers, progress)

    def to_coco(self) -> dict[str, Any]:
        """The whole split as COCO's JSON with run-length masks; see `lessons.data.export.to_coco`."""
        return export.to_coco(self)

    def subset(self, ids: Sequence[str]) -> "VOCInstances":
        """The same data set with these pictures only, in this order; `image_id` counts anew.

        Raises:
            LessonsError: an id is not in this split, or given twice.
        """
        ids = list(ids)
        for name in ids:
            self.index(name)
        if len(set(ids)) < len(ids):
            raise LessonsError("ids names a picture twice: name each once.")
        part = copy.copy(self)
        part.ids = ids
        part._positions = {name: position for position, name in enumerate(ids)}
        part._annotations = {}
        part._list_problems = []
        return part

    @property
    def category_ids(self) -> tuple[int, ...]:
        """The category that `to_coco` gives each class: its label."""
        return tuple(range(1, len(self.classes) + 1))

    def file_name(self, position: int) -> str:
        """The picture's file name inside JPEGImages."""
        return self.files.image(self._name(position)).relative_to(self.root / "JPEGImages").as_posix()

    def annotation(self, name: str) -> Annotation:
        """Its XML, read once and again when the file has changed.

        Raises:
            DataError: see `read_annotation`.
        """
        path = self.files.annotation(name)
        mark = size_cache.stamp(path)
        kept = self._annotations.get(name)
        if kept is None or kept[0] != mark:
            kept = self._annotations[name] = (mark, read_annotation(path))
        return kept[1]

    def _name(self, position: int) -> str:
        if not -len(self.ids) <= position < len(self.ids):
            raise IndexError(f"{self!r} has no image {position}.")
        return self.ids[position]

    def _label(self, name: str, one: VOCObject) -> int:
        if one.name not in self._labels:
            raise DataError(voc_check.unknown_class(self, name, one.name))
        return self._labels[one.name]

    def _xml_boxes(self, name: str, objects: list[VOCObject]) -> Tensor:
        for one in objects:
            if one.box_fault():
                path = self.files.annotation(name)
                raise DataError(f'{path}: a {one.name} {one.box_fault()}: mend it, or take boxes="masks".')
        return _boxes_of(objects)

    def _problems_of_list(self, listed: list[str]) -> list[Problem]:
        if len(listed) == len(self.ids):
            return []
        twice = [name for name, times in Counter(listed).items() if times > 1]
        shown = ", ".join(twice[:5]) + (" ..." if len(twice) > 5 else "")
        warnings.warn(f"{self.list_file} lists {shown} more than once: each is taken once.", stacklevel=3)
        return [voc_check.duplicate(self, name) for name in twice]


def _boxes_of(objects: Sequence[VOCObject]) -> Tensor:
    """The XML's boxes, ours (N, 4) float32; zeros where there is none to read."""
    written = [one.box or (1, 1, 0, 0) for one in objects]
    return box_geometry.from_voc(torch.tensor(written, dtype=torch.float32).reshape(-1, 4))
