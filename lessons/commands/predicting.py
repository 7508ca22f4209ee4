"""`lessons predict`: pictures in, pictures with what was found and one JSON file out."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from tqdm.auto import tqdm

from lessons import zoo
from lessons.data import COCO_CATEGORY_IDS, COCO_CLASSES
from lessons.data.images import read_image
from lessons.errors import DataError, LessonsError
from lessons.evaluation import to_entries
from lessons.files import write_atomically
from lessons.plots import draw_instances, new_figure, render
from lessons.plots.showing import DPI
from lessons.voc_layout import IMAGE_ENDINGS

RESULTS = "predictions.json"
ENDINGS = {ending.lower() for ending in (".jpg", *IMAGE_ENDINGS)}
LONGEST, SHORTEST = 1600, 800  # pixels of a drawn picture's longer side
Prediction = dict[str, Tensor]


def run(options: argparse.Namespace) -> int:
    """The command. A picture that cannot be read is named, the others go on, and the status is 1."""
    if not 0 <= options.show_above <= 1:
        raise LessonsError(f"--show-above {options.show_above} is no score: give a number from 0 to 1.")
    pictures = pictures_of(options.pictures)
    targets = check_targets(pictures, options.out, options.overwrite)
    model = zoo.load(options.model, options.weights, device=options.device)
    entries: list[dict[str, Any]] = []
    bad = 0
    for number, path in enumerate(tqdm(pictures, unit="picture", leave=False, disable=None), start=1):
        try:
            picture = read_image(path)  # (H, W, 3)
        except DataError as error:
            bad += 1
            print(f"lessons: {error}", file=sys.stderr)
            continue
        found = model.predict(picture)
        entries += entries_of(found, number, path.name, picture.shape[:2], model.classes)
        drawing = draw(picture, found, model.classes, options.show_above, targets[path].suffix)
        write_atomically(targets[path], drawing)
    write_atomically(options.out / RESULTS, json.dumps(entries).encode())
    done = len(pictures) - bad
    print(f"{options.out}: {len(entries)} objects in {done} pictures; all of them in {RESULTS}.")
    return 1 if bad else 0


def pictures_of(path: Path) -> list[Path]:
    """The picture itself, or the pictures of a folder, in order.

    Raises:
        LessonsError: there is no such thing, or no picture in it.
    """
    if not path.exists():
        raise LessonsError(f"{path} does not exist: name a picture, or a folder of pictures.")
    if not path.is_dir():
        return [path]
    pictures = sorted(file for file in path.iterdir() if file.suffix.lower() in ENDINGS and file.is_file())
    if not pictures:
        raise LessonsError(
            f"{path} holds no picture ({', '.join(sorted(ENDINGS))}): name a folder that does."
        )
    return pictures


def check_targets(pictures: Sequence[Path], folder: Path, overwrite: bool) -> dict[Path, Path]:
    """Which file each picture is drawn into: PNG stays PNG, all else becomes JPEG.

    Raises:
        LessonsError: a picture would be drawn over itself, or a file is there already.
    """
    if any(folder.resolve() == path.parent.resolve() for path in pictures):
        raise LessonsError(f"--out {folder} is the folder of the pictures themselves: name another.")
    targets: dict[Path, Path] = {}
    for path in pictures:
        ending = ".png" if path.suffix.lower() == ".png" else ".jpg"
        target = folder / (path.stem + ending)
        taken = target in targets.values()  # a.bmp beside a.jpg
        targets[path] = folder / (path.name + ending) if taken else target
    there = [file for file in (*targets.values(), folder / RESULTS) if file.exists()]
    if there and not overwrite:
        raise LessonsError(f"{there[0]} exists: name another folder, or say --overwrite.")
    return targets


def entries_of(
    found: Prediction, number: int, file_name: str, size: tuple[int, int], classes: Sequence[str]
) -> list[dict[str, Any]]:
    """COCO's result format, with the picture's file name and the class's name beside the numbers."""
    category_ids = COCO_CATEGORY_IDS if tuple(classes) == COCO_CLASSES else range(1, len(classes) + 1)
    entries = to_entries(found, number, size, category_ids)
    labels = found["labels"].tolist()
    return [
        {**entry, "file_name": file_name, "category": classes[label - 1]}
        for entry, label in zip(entries, labels, strict=True)
    ]


def draw(
    picture: np.ndarray, found: Prediction, classes: Sequence[str], show_above: float, ending: str
) -> bytes:
    """The picture (H, W, 3) with the objects above a score, as a file's bytes: PNG or JPEG."""
    shown = {name: value[found["scores"] > show_above] for name, value in found.items()}
    height, width = picture.shape[:2]
    scale = min(max(max(height, width), SHORTEST), LONGEST) / max(height, width) / DPI  # inches per pixel
    figure = new_figure(max(width * scale, 0.5), max(height * scale, 0.5))
    figure.set_layout_engine("none")
    ax = figure.add_axes((0, 0, 1, 1))
    draw_instances(picture, shown, classes=classes, boxes=False, ax=ax)
    ax.set_aspect("auto")
    return render(figure, "plot" if ending == ".png" else "photo")
