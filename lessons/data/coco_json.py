"""The file itself: COCO's JSON, its three lists, and what is wrong with their entries."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lessons.data.checking import ERROR, Problem
from lessons.errors import DataError

FARTHEST = 2**24  # pixels; float32 counts no further

Entry = dict[str, Any]


@dataclass
class CocoJson:
    """What a file holds: category names by id in the order of the ids, images by id, annotations by image."""

    path: Path
    categories: dict[int, str] = field(default_factory=dict)
    images: dict[int, Entry] = field(default_factory=dict)
    annotations: dict[int, list[Entry]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add_problem(self, image: object, kind: str, message: str) -> None:
        """A row of the report; the message goes on after the file's name."""
        self.problems.append(Problem(str(image), self.path.name, kind, ERROR, f"{self.path}: {message}"))


def read(path: Path) -> CocoJson:
    """Read a file in COCO's format.

    Raises:
        DataError: it is missing, no JSON, lacks one of the lists, or its categories cannot be told apart.
    """
    content = _parse(path)
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise DataError(f'{path} has no list "{key}": export it in COCO\'s format for instances.')
    result = CocoJson(path)
    _add_categories(result, content["categories"])
    if not content["images"]:
        raise DataError(f"{path} lists no images: export the annotations again.")
    _add_images(result, content["images"])
    _add_annotations(result, content["annotations"])
    return result


def _parse(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{path} is missing: name the JSON file of the annotations.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): name a readable JSON file.") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON ({error}): export the annotations again.") from None


def _add_categories(result: CocoJson, entries: list) -> None:
    """Without categories that can be told apart there are no labels: anything else is refused."""
    names: dict[int, str] = {}
    for entry in entries:
        number, name = (entry.get("id"), entry.get("name")) if isinstance(entry, dict) else (None, None)
        if not is_number(number) or not isinstance(name, str):
            raise DataError(f"{result.path}: a category lacks id or name: write both for each.")
        if number in names:
            raise DataError(f"{result.path} has the category {number} twice: number them anew.")
        names[number] = name
    if not names:
        raise DataError(f"{result.path} lists no categories: name at least one.")
    result.categories = {number: names[number] for number in sorted(names)}


def _add_images(result: CocoJson, entries: list) -> None:
    """One without an id is left out; of two with the same id the first is kept."""
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict) or not is_number(entry.get("id")):
            name = entry.get("file_name", "") if isinstance(entry, dict) else ""
            message = f'entry {place} of "images" has no whole number as id and is left out: number it.'
            result.add_problem(name, "missing id", message)
        elif entry["id"] in result.images:
            number, name = entry["id"], entry.get("file_name")
            first = result.images[number].get("file_name")
            message = (
                f"the image id {number} is that of {first} and {name}; the second is left out: renumber."
            )
            result.add_problem(name, "duplicate id", message)
        else:
            result.images[entry["id"]] = entry


def _add_annotations(result: CocoJson, entries: list) -> None:
    """One without an image is left out. Of two with the same id both are kept: they may be two objects."""
    seen: set[int] = set()
    for place, entry in enumerate(entries):
        image = entry.get("image_id") if isinstance(entry, dict) else None
        if not is_number(image) or image not in result.images:
            where = f'entry {place} of "annotations"'
            message = f"{where} is of the image {image!r}, which is not listed, and is left out."
            result.add_problem("", "unknown image", message)
            continue
        name, number = result.images[image].get("file_name", image), entry.get("id")
        if not is_number(number):
            message = f'entry {place} of "annotations" has no whole number as id; it is read all the same.'
            result.add_problem(name, "missing id", message)
        elif number in seen:
            message = f"the annotation id {number} is given twice; both are read; number them anew."
            result.add_problem(name, "duplicate id", message)
        else:
            seen.add(number)
        result.annotations.setdefault(image, []).append(entry)


def is_number(value: object) -> bool:
    """Whether a JSON value can be an id: a whole number, and no truth value."""
    return type(value) is int


def is_crowd(annotation: dict[str, Any]) -> int:
    """1 for a group without borders between its members, else 0."""
    return int(annotation.get("iscrowd") in (1, True, "1"))


def is_box(value: object) -> bool:
    """Whether a JSON value is x, y, width, height with a positive width and height."""
    if not isinstance(value, list) or len(value) != 4 or any(type(x) not in (int, float) for x in value):
        return False
    # Comparing lets neither "not a number" pass, nor infinity, nor whole numbers too long for a float.
    return all(-FARTHEST <= x <= FARTHEST for x in value) and value[2] > 0 and value[3] > 0
