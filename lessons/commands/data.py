"""check, download-voc, draw-minivoc: data sets."""

import argparse
from pathlib import Path

from lessons.commands import add_command, whole_number
from lessons.errors import LessonsError


def add(commands) -> None:
    """Add them to the parser."""
    text = "look at every file of a data set and print its problems; exit status 1 if there are errors"
    command = add_command(commands, "check", check, text)
    command.add_argument("folder", type=Path, help="VOC's folder; with --coco the folder of the images")
    command.add_argument("split", nargs="?", help="the list of ids: train, val ... (not with --coco)")
    command.add_argument("--coco", type=Path, metavar="ANNOTATIONS.json", help="a data set in COCO's format")

    text = "download and unpack the real Pascal VOC, resumable"
    command = add_command(commands, "download-voc", download, text)
    command.add_argument("--year", type=int, default=2012, help="2012 (2.0 GB) or 2007 (0.5 GB)")
    command.add_argument("--to", type=Path, metavar="FOLDER", help="default: the lessons' cache folder")

    text = "draw the mini VOC; the same seed, the same pictures"
    command = add_command(commands, "draw-minivoc", draw, text)
    command.add_argument("folder", type=Path)
    command.add_argument("--seed", type=int, help="default: the one of the set that ships")
    command.add_argument(
        "--train", type=whole_number, default=600, metavar="N", help="training pictures (600)"
    )
    command.add_argument(
        "--val", type=whole_number, default=150, metavar="N", help="validation pictures (150)"
    )
    command.add_argument("--overwrite", action="store_true", help="replace a set that is there already")


def check(options: argparse.Namespace) -> int:
    report = _data_set(options).check()
    print(report)
    return 0 if report.ok else 1


def _data_set(options: argparse.Namespace):
    if options.coco:
        if options.split:
            raise LessonsError(f"SPLIT {options.split!r} does not go with --coco: leave it out.")
        from lessons.data import CocoInstances

        return CocoInstances(options.folder, options.coco)
    if not options.split:
        raise LessonsError(
            "SPLIT is missing: name a list of ids such as train, or give --coco ANNOTATIONS.json."
        )
    from lessons.data import VOCInstances

    return VOCInstances(options.folder, options.split)


def download(options: argparse.Namespace) -> int:
    from lessons.data.download import download_voc

    folder = download_voc(options.year, options.to)
    print(f"{folder} is complete. Use it in the lessons: export LESSONS_VOC_ROOT={folder}")
    return 0


def draw(options: argparse.Namespace) -> int:
    from lessons.data import minivoc

    seed = {} if options.seed is None else {"seed": options.seed}
    minivoc.draw(options.folder, train=options.train, val=options.val, overwrite=options.overwrite, **seed)
    print(f"{options.folder}: {options.train} train and {options.val} val pictures.")
    return 0
