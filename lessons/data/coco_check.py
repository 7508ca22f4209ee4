"""What can be wrong with a data set in COCO's format: found for all pictures, and put into sentences."""

from typing import TYPE_CHECKING, Any

from lessons.data.checking import ERROR, NOTE, Checked, Problem, Report, gather, in_parallel
from lessons.data.coco_json import is_box
from lessons.data.images import read_image, stored_and_turned_size, unconfirmed_turn
from lessons.errors import DataError
from lessons.files import exists

if TYPE_CHECKING:
    from lessons.data.coco import CocoInstances


def check(dataset: "CocoInstances", workers: int | None, progress: bool) -> Report:
    """Check every picture in threads, and report."""
    title = dataset.annotations_json.name
    checked = in_parallel(
        lambda position: check_image(dataset, position),
        range(len(dataset)),
        workers,
        progress,
        f"checking {title}",
    )
    return gather(checked, dataset.problems, title)


def check_image(dataset: "CocoInstances", position: int) -> Checked:
    """Everything about one picture: its file, its size, and its annotations one by one."""
    result = Checked()
    annotations = dataset.annotations(position)
    result.objects = len(annotations)
    try:
        name = dataset.file_name(position)
    except DataError as error:
        name = str(dataset.ids[position])
        _add(dataset, result, name, "bad file name", ERROR, str(error))
    else:
        _check_picture(dataset, result, position, name)
    try:
        size = dataset.size(position)
    except DataError:
        return result  # no picture, and no size stated: said above
    for annotation in annotations:
        _check_annotation(dataset, result, name, annotation, size)
    return result


def _check_picture(dataset: "CocoInstances", result: Checked, position: int, name: str) -> None:
    path = dataset.image_path(position)
    stated = dataset.record(position).get("height"), dataset.record(position).get("width")
    try:
        size = dataset.size(position)
        found = read_image(path, size).shape[:2]
        stored, turned = stored_and_turned_size(path)
    except DataError as error:
        kind = "unreadable image" if exists(path) else "missing file"
        result.problems.append(Problem(name, path.name, kind, ERROR, str(error)))
        return
    result.size = found
    if found != size:
        message = size_mismatch(dataset, position, found, size)
        result.problems.append(Problem(name, path.name, "size mismatch", ERROR, message))
    if stored != turned:
        which = "is turned" if found == turned else "is left, for the annotation was drawn so"
        message = f"{path} carries an EXIF orientation that turns it by a quarter; it {which}."
        result.problems.append(Problem(name, path.name, "EXIF orientation", NOTE, message))
    elif unconfirmed := unconfirmed_turn(path):
        result.problems.append(Problem(name, path.name, "EXIF orientation", NOTE, unconfirmed))
    if size != stated:
        record = f"{dataset.annotations_json}: image {dataset.ids[position]}"
        message = f"{record} states no size, so the picture's is taken."
        _add(dataset, result, name, "no size", NOTE, message)


def _check_annotation(
    dataset: "CocoInstances", result: Checked, name: str, annotation: dict[str, Any], size: tuple[int, int]
) -> None:
    who = dataset.name_of(annotation)
    try:
        dataset._label(annotation)
    except DataError as error:
        _add(dataset, result, name, "unknown class", ERROR, str(error))
    bbox = annotation.get("bbox")
    if bbox is not None and not is_box(bbox):
        message = f"{who} has the bbox {bbox}: write x, y and a positive width and height, or leave it out."
        _add(dataset, result, name, "bad box", ERROR, message)
    try:
        mask = dataset.read_mask(annotation, size)
    except DataError as error:
        _add(dataset, result, name, "bad mask", ERROR, str(error))
        return
    polygons = annotation["segmentation"] if isinstance(annotation["segmentation"], list) else []
    short = sum(len(polygon) < 6 for polygon in polygons)
    if short:
        message = f"{who} has {short} polygon(s) of fewer than three corners, which enclose nothing."
        _add(dataset, result, name, "degenerate polygon", NOTE, message)
    if mask.any():
        result.instances += 1
    else:
        message = f"{who} has a mask without a pixel, so it is left out of the target: draw it or remove it."
        _add(dataset, result, name, "empty mask", ERROR, message)


def _add(
    dataset: "CocoInstances", result: Checked, name: str, kind: str, severity: str, message: str
) -> None:
    """A row about the JSON."""
    result.problems.append(Problem(name, dataset.annotations_json.name, kind, severity, message))


def unknown_category(dataset: "CocoInstances", annotation: dict[str, Any]) -> str:
    """The sentence for an annotation of a category that is not listed."""
    return (
        f"{dataset.name_of(annotation)} has the category {annotation.get('category_id')!r}, which is not "
        "listed: mend it or list the category."
    )


def size_mismatch(
    dataset: "CocoInstances", position: int, image: tuple[int, int], stated: tuple[int, int]
) -> str:
    """The sentence for a picture that has not the size that the JSON states, (H, W) both."""
    return (
        f"{dataset.image_path(position)} has {image[0]}×{image[1]} pixels (height by width), but "
        f"{dataset.annotations_json.name} states {stated[0]}×{stated[1]}: export them at the same size."
    )
