"""Where Pascal VOC keeps its files, and which of them are missing. Nothing is opened but the lists of ids."""

import os
from collections.abc import Sequence
from pathlib import Path

# folder, ending: what instance segmentation needs of every image
PARTS = (("JPEGImages", ".jpg"), ("SegmentationObject", ".png"), ("Annotations", ".xml"))


def read_ids(folder: str | Path, split: str) -> list[str]:
    """The image ids in `ImageSets/Segmentation/SPLIT.txt`, in the file's order; none without a list."""
    path = Path(folder) / "ImageSets" / "Segmentation" / f"{split}.txt"
    return path.read_text("utf-8", errors="replace").split() if path.is_file() else []


def describe(missing: Sequence[str]) -> str:
    """What is missing, in a few words."""
    others = f" and {len(missing) - 1:,} other files" if len(missing) > 1 else ""
    return f"{missing[0]}{others} missing" if missing else "complete"


def missing_files(folder: str | Path, splits: Sequence[str] = ("train", "val")) -> list[str]:
    """The files, relative to `folder`, that its lists of ids promise and that are not there.

    One directory listing per part instead of one question per file: VOC 2012 takes milliseconds.
    """
    folder = Path(folder)
    missing, ids = [], []
    for split in splits:
        found = read_ids(folder, split)
        ids += found
        if not found:
            missing.append(f"ImageSets/Segmentation/{split}.txt")
    for part, ending in PARTS:
        there = set(os.listdir(folder / part)) if (folder / part).is_dir() else set()
        missing += [f"{part}/{i}{ending}" for i in ids if i + ending not in there]
    return missing
