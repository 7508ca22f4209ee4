"""Where Pascal VOC keeps its files, which ids its lists name, and which files are missing."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lessons.errors import DataError
from lessons.files import exists

# folder, ending: what instance segmentation needs of every image
PARTS = (("JPEGImages", ".jpg"), ("SegmentationObject", ".png"), ("Annotations", ".xml"))
IMAGE_ENDINGS = (".jpeg", ".png", ".JPG", ".JPEG", ".PNG", ".tif", ".tiff", ".bmp", ".webp")


@dataclass(frozen=True)
class VOCFiles:
    """The files of one data set; `root` holds JPEGImages and the other folders."""

    root: Path

    def image(self, name: str) -> Path:
        """The picture: VOC's .jpg, or another kind if there is only that."""
        path = self.root / "JPEGImages" / f"{name}.jpg"
        if exists(path):
            return path
        others = (path.parent / f"{name}{ending}" for ending in IMAGE_ENDINGS)
        return next((other for other in others if exists(other)), path)

    def mask(self, name: str) -> Path:
        """The picture of its instances."""
        return self.root / "SegmentationObject" / f"{name}.png"

    def annotation(self, name: str) -> Path:
        """The XML with its objects."""
        return self.root / "Annotations" / f"{name}.xml"

    def split(self, name: str) -> Path:
        """The list of a split.

        Raises:
            DataError: there is no such list.
        """
        folder = self.root / "ImageSets" / "Segmentation"
        path = folder / f"{name}.txt"
        if Path(name).name != name or not path.is_file():
            there = ", ".join(sorted(file.stem for file in folder.glob("*.txt"))) or "none"
            raise DataError(f"{path} is missing: choose a split that is there ({there}).")
        return path

    def read_list(self, path: Path) -> list[str]:
        """The ids of a list in order, repeated ones too; blank lines and blanks at the ends do not count.

        Of a list in the form "id 1" and "id -1" (VOC's lists per class) the ids with -1 are left out.

        Raises:
            DataError: it is empty, not text, or an id leads out of the data set's folder.
        """
        lines = [line.strip() for line in _read_text(path).splitlines()]
        ids = [line for line in lines if line]
        flagged = [re.fullmatch(r"(\S+)\s+(-1|0|1)", line) for line in ids]
        # An id may hold a blank, so "photo 1" is an id if there is such a picture.
        if ids and all(flagged) and not exists(self.image(ids[0])):
            ids = [match[1] for match in flagged if match and match[2] != "-1"]
        if not ids:
            raise DataError(f"{path} lists no images: write one id to a line.")
        for name in ids:
            if ".." in Path(name).parts or Path(name).is_absolute():
                raise DataError(
                    f"{path} lists {name!r}, which leads out of the data set's folder: remove that line."
                )
        return ids


def find_root(root: str | Path) -> Path:
    """The folder with ImageSets in it: `root`, or a VOC year inside, the newer first.

    Raises:
        DataError: there is none.
    """
    root = Path(root).expanduser()
    years = [
        root / "VOCdevkit" / "VOC2012",
        root / "VOC2012",
        root / "VOCdevkit" / "VOC2007",
        root / "VOC2007",
    ]
    for folder in (root, *years):
        if (folder / "ImageSets" / "Segmentation").is_dir():
            return folder.resolve()
    what = "holds no ImageSets/Segmentation" if root.is_dir() else "is no folder"
    raise DataError(f"{root} {what}: name the folder that holds VOC's JPEGImages and ImageSets.")


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")  # Windows editors put a mark in front
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text: save it as UTF-8.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): change its permissions.") from None


def read_ids(folder: str | Path, split: str) -> list[str]:
    """The ids of a split in its list's order; none where there is no list, or an unreadable one."""
    files = VOCFiles(Path(folder))
    try:
        return files.read_list(files.split(split))
    except DataError:
        return []


def describe(missing: Sequence[str]) -> str:
    """What is missing, in a few words."""
    others = f" and {len(missing) - 1:,} other files" if len(missing) > 1 else ""
    return f"{missing[0]}{others} missing" if missing else "complete"


def missing_files(folder: str | Path, splits: Sequence[str] = ("train", "val")) -> list[str]:
    """The files, relative to `folder`, that its lists of ids promise and that are not there.

    One directory listing per part instead of one question per file: VOC 2012 takes milliseconds.
    """
    folder = Path(folder)
    ids = {split: read_ids(folder, split) for split in splits}
    missing = [f"ImageSets/Segmentation/{split}.txt" for split in splits if not ids[split]]
    for part, ending in PARTS:
        there = set(os.listdir(folder / part)) if (folder / part).is_dir() else set()
        missing += [f"{part}/{i}{ending}" for found in ids.values() for i in found if i + ending not in there]
    return missing
