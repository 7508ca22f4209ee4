"""What can be wrong with a VOC data set: found for a whole split, and put into sentences."""

from typing import TYPE_CHECKING

import numpy as np

from lessons.data import size_cache
from lessons.data.annotations import Annotation
from lessons.data.checking import ERROR, NOTE, Checked, Problem, Report, gather, in_parallel
from lessons.data.images import read_image, read_indices, stored_and_turned_size, unconfirmed_turn
from lessons.errors import DataError
from lessons.files import exists

if TYPE_CHECKING:
    from lessons.data.voc import VOCInstances


def check(dataset: "VOCInstances", workers: int | None, progress: bool) -> Report:
    """Check every picture of the split in threads, keep the sizes found, and report."""
    title = f"{dataset.files.root.name} {dataset.split}"
    checked = in_parallel(
        lambda name: check_image(dataset, name), dataset.ids, workers, progress, f"checking {title}"
    )
    fresh = {
        name: (*one.size, *dataset._stamps(name))
        for name, one in zip(dataset.ids, checked, strict=True)
        if one.size
    }
    dataset._keep_sizes(size_cache.load(dataset.root, dataset.split), fresh)
    return gather(checked, dataset._list_problems, title)


def check_image(dataset: "VOCInstances", name: str) -> Checked:
    """Everything about one picture: its three files one by one, and whether they agree."""
    result = Checked()
    indices = _read(
        result, name, "mask", dataset.files.mask(name), lambda: read_indices(dataset.files.mask(name))
    )
    mask_size = None if indices is None else indices.shape
    path = dataset.files.image(name)
    image = _read(result, name, "image", path, lambda: read_image(path, mask_size))
    xml = dataset.files.annotation(name)
    annotation = _read(result, name, "annotation", xml, lambda: dataset.annotation(name))
    if image is not None:
        result.size = image.shape[:2]
        _compare_sizes(dataset, result, name, mask_size, annotation)
    if annotation is not None:
        _check_objects(dataset, result, name, annotation)
    if indices is not None:
        counts = np.bincount(indices.ravel(), minlength=256)
        numbers = [n for n in range(1, 255) if counts[n]]
        result.instances = len(numbers)
        if annotation is not None:
            _compare_objects(dataset, result, name, numbers, annotation)
    return result


def _read(result: Checked, name: str, thing: str, path, read):
    """What `read` gives; or None, and a row in the report."""
    try:
        return read()
    except DataError as error:
        if not exists(path):
            kind = "missing file"
        else:
            kind = "bad XML" if thing == "annotation" else f"unreadable {thing}"
        result.problems.append(Problem(name, path.name, kind, ERROR, str(error)))
        return None


def _compare_sizes(
    dataset: "VOCInstances",
    result: Checked,
    name: str,
    mask_size: tuple[int, int] | None,
    annotation: Annotation | None,
) -> None:
    path = dataset.files.image(name)
    size = result.size
    if mask_size is not None and size != mask_size:
        message = size_mismatch(dataset, name, size, mask_size)
        result.problems.append(Problem(name, path.name, "size mismatch", ERROR, message))
    stored, turned = stored_and_turned_size(path)
    if stored != turned:
        which = (
            "the annotation agrees, so it is turned" if size == turned else "the mask is not, so it is left"
        )
        message = f"{path} carries an EXIF orientation that turns it by a quarter; {which}."
        result.problems.append(Problem(name, path.name, "EXIF orientation", NOTE, message))
    elif unconfirmed := unconfirmed_turn(path):
        result.problems.append(Problem(name, path.name, "EXIF orientation", NOTE, unconfirmed))
    stated = None if annotation is None else annotation.size
    if stated is not None and stated != size:
        xml = dataset.files.annotation(name)
        message = f"{xml} states {_by(stated)} pixels, but {path.name} has {_by(size)}: mend <size>."
        # Only the mask places the instances: a wrong <size> misleads no one who does not read it.
        severity = NOTE if size == mask_size else ERROR
        result.problems.append(Problem(name, xml.name, "size mismatch", severity, message))


def _check_objects(dataset: "VOCInstances", result: Checked, name: str, annotation: Annotation) -> None:
    path = dataset.files.annotation(name)
    result.objects = len(annotation.objects)
    for number, one in enumerate(annotation.objects, start=1):
        if one.name not in dataset.classes:
            message = unknown_class(dataset, name, one.name)
            result.problems.append(Problem(name, path.name, "unknown class", ERROR, message))
        fault = one.box_fault()
        if fault is not None:
            message = f"{path}: object {number}, a {one.name}, {fault}: mend the box."
            result.problems.append(Problem(name, path.name, "bad box", ERROR, message))
        elif result.size is not None and one.box is not None and _lies_outside(one.box, result.size):
            message = (
                f"{path}: the box of object {number}, a {one.name}, lies outside the image: mend the box."
            )
            result.problems.append(Problem(name, path.name, "bad box", ERROR, message))
        elif result.size is not None and one.box is not None and _sticks_out(one.box, result.size):
            message = f"{path}: the box of object {number}, a {one.name}, reaches over the edge of the image."
            result.problems.append(Problem(name, path.name, "box over the edge", NOTE, message))


def _lies_outside(box: tuple[float, float, float, float], size: tuple[int, int]) -> bool:
    return box[0] > size[1] or box[1] > size[0]  # counted from 1, the last pixel included


def _sticks_out(box: tuple[float, float, float, float], size: tuple[int, int]) -> bool:
    x1, y1, x2, y2 = box
    return x1 < 1 or y1 < 1 or x2 > size[1] or y2 > size[0]


def _compare_objects(
    dataset: "VOCInstances", result: Checked, name: str, numbers: list[int], annotation: Annotation
) -> None:
    count = len(annotation.objects)
    mask, xml = dataset.files.mask(name), dataset.files.annotation(name)
    if count and not numbers:
        message = f"{mask} holds no instance, but {xml.name} lists {count}: draw them or unlist the image."
        result.problems.append(Problem(name, mask.name, "empty mask", ERROR, message))
        return
    surplus = [number for number in numbers if number > count]
    if surplus:
        severity = ERROR if dataset.unlabelled == "error" else NOTE
        message = without_object(dataset, name, surplus)
        result.problems.append(Problem(name, mask.name, "instance without object", severity, message))
    for number in sorted(set(range(1, count + 1)) - set(numbers)):
        one = annotation.objects[number - 1]
        message = f"{xml}: object {number}, a {one.name}, has no pixel in {mask.name} and is left out."
        result.problems.append(Problem(name, xml.name, "object without instance", NOTE, message))


def duplicate(dataset: "VOCInstances", name: str) -> Problem:
    """The row for an id that is listed more than once."""
    message = f"{dataset.list_file} lists {name} more than once: it is taken once; remove the other lines."
    return Problem(name, dataset.list_file.name, "duplicate id", ERROR, message)


def size_mismatch(dataset: "VOCInstances", name: str, image: tuple[int, int], mask: tuple[int, int]) -> str:
    """The sentence for a picture and a mask of different sizes, (H, W) both."""
    return (
        f"{dataset.files.image(name)} has {_by(image)} pixels (height by width), but its mask "
        f"{dataset.files.mask(name).name} has {_by(mask)}: export them at the same size."
    )


def unknown_class(dataset: "VOCInstances", name: str, class_name: str) -> str:
    """The sentence for an object of a class that is not among `classes`."""
    return (
        f"{dataset.files.annotation(name)} names the class {class_name!r}, which is not among the "
        f"{len(dataset.classes)} classes: mend it, or name your own with classes=."
    )


def without_object(dataset: "VOCInstances", name: str, numbers: list[int]) -> str:
    """The sentence for instance indices that the XML has no object for."""
    count = len(dataset.annotation(name).objects)
    listed = ", ".join(map(str, numbers[:8])) + (" ..." if len(numbers) > 8 else "")
    return (
        f"{dataset.files.mask(name)} holds the instance {listed}, but {dataset.files.annotation(name).name} "
        f'lists {count} objects: add what is missing, or pass unlabelled="ignore".'
    )


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"
