"""The real Pascal VOC, 2012 or 2007, from the first mirror that answers.

Everingham et al., "The Pascal Visual Object Classes (VOC) Challenge", IJCV 2010.
Nothing here runs unless a reader asks for it: the lessons work on what ships with the repository.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lessons.downloads import fetch, require_room, unpacked
from lessons.errors import DataError, LessonsError
from lessons.files import cache_folder
from lessons.voc_layout import describe, missing_files


@dataclass(frozen=True)
class Archive:
    """One year's archive: its name, its published MD5, and its size in bytes (unpacked about the same)."""

    name: str
    md5: str
    size: int
    mirrors: tuple[str, ...]


def _mirrors(year: int, name: str) -> tuple[str, ...]:
    # The first is the address that torchvision uses. The checksum guards http as well.
    return (
        f"https://thor.robots.ox.ac.uk/pascal/VOC/voc{year}/{name}",
        f"https://host.robots.ox.ac.uk/pascal/VOC/voc{year}/{name}",
        f"http://host.robots.ox.ac.uk/pascal/VOC/voc{year}/{name}",
        f"https://data.pjreddie.com/files/{name}",
    )


def _archive(year: int, name: str, md5: str, size: int) -> Archive:
    return Archive(name, md5, size, _mirrors(year, name))


ARCHIVES = {
    2012: _archive(2012, "VOCtrainval_11-May-2012.tar", "6cd6e144f989b92b3379bac3b3de84fd", 1_999_639_040),
    2007: _archive(2007, "VOCtrainval_06-Nov-2007.tar", "c52e279531787c972589f7e41ab4ae64", 460_032_000),
}


def download_voc(
    year: int = 2012,
    root: str | Path | None = None,
    *,
    mirrors: Sequence[str] | None = None,
    progress: bool = True,
) -> Path:
    """Download and unpack the train and val part of Pascal VOC, once.

    The data set comes to lie in `root/VOCdevkit/VOC2012` (torchvision looks there too). A complete one that
    is there already is returned without any request. An interrupted download goes on where it ended. An
    archive that you put into `root` yourself is used instead of a mirror, and stays; a downloaded one is
    removed once it is unpacked.

    Args:
        year: 2012 (2.0 GB, and 4.0 GB while unpacking) or 2007 (0.5 GB).
        root: the folder to hold it; None: the lessons' cache folder (`LESSONS_CACHE`).
        mirrors: addresses of the archive, instead of the published ones; each must give the same file.
        progress: show progress bars.

    Returns:
        The folder `VOC2012` (`VOC2007`), with JPEGImages, SegmentationObject, Annotations, ImageSets.

    Raises:
        LessonsError: another year, no mirror answers, too little room, or an incomplete folder is in the way.
        DataError: the archive is damaged, unsafe or lacks files.
    """
    if year not in ARCHIVES:
        raise LessonsError(f"year={year!r} is not offered: choose one of {', '.join(map(str, ARCHIVES))}.")
    source = ARCHIVES[year]
    root = Path(root) if root is not None else cache_folder() / "voc"
    found = _existing(root, year)
    if found:
        return found
    packed = root / source.name
    own_copy = packed.exists()
    arrived = _arrived(packed)  # a whole copy, or what an interrupted download left
    require_room(root, max(2 * source.size - arrived, source.size), f"VOC {year}")
    own = f"set LESSONS_VOC_ROOT to the folder that holds the JPEGImages of your VOC {year}"
    addresses = source.mirrors if mirrors is None else mirrors
    fetch(addresses, packed, md5=source.md5, progress=progress, hint=own)
    folder = _unpack(packed, root / "VOCdevkit" / f"VOC{year}", progress)
    if not own_copy:
        packed.unlink(missing_ok=True)
    return folder


def _arrived(packed: Path) -> int:
    half = packed.with_name(packed.name + ".part")
    return next((path.stat().st_size for path in (packed, half) if path.is_file()), 0)


def _existing(root: Path, year: int) -> Path | None:
    """The complete data set in `root`; None where there is nothing; an error where half of one stands."""
    name = f"VOC{year}"
    places = [root] if root.name == name and (root / "JPEGImages").is_dir() else []
    for folder in [*places, root / "VOCdevkit" / name, root / name]:
        missing = missing_files(folder) if folder.exists() else None
        if missing:
            raise DataError(
                f"{folder} is incomplete ({describe(missing)}): move it away, or name another root."
            )
        if missing == []:
            return folder
    return None


def _unpack(packed: Path, folder: Path, progress: bool) -> Path:
    """Unpack beside, look whether all is there, then rename: `folder` is whole or absent."""
    with unpacked(packed, folder.parent.parent, progress=progress) as temporary:
        fresh = temporary / "VOCdevkit" / folder.name
        missing = missing_files(fresh)
        if missing:
            raise DataError(
                f"{packed} is not a whole VOC archive ({describe(missing)}): remove it and download it again."
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            fresh.rename(folder)
        except OSError:
            # Another process was first; what it put there must be as good.
            if not folder.is_dir() or missing_files(folder):
                raise DataError(f"{folder} is in the way: move it away, or name another root.") from None
    return folder
