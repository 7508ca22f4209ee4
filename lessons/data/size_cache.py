"""The sizes of a data set's pictures, kept between runs; validated against the files, never trusted."""

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path

from lessons.files import cache_folder, write_atomically

FORMAT = 1
Entry = tuple[int, ...]  # height, width; the picture's stamp, the mask's stamp


def stamp(path: Path) -> tuple[int, int]:
    """What tells a changed file: its bytes and its time of change in nanoseconds; or (-1, -1)."""
    try:
        status = path.stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def cache_path(root: Path, split: str) -> Path:
    """Where the sizes of this split of this data set are kept."""
    name = hashlib.sha256(f"{root}\n{split}".encode("utf-8", "surrogateescape")).hexdigest()[:20]
    return cache_folder() / "sizes" / f"{name}.json"


def load(root: Path, split: str) -> dict[str, Entry]:
    """The entries kept for this split; none if the file is missing, damaged, or of something else."""
    try:
        content = json.loads(cache_path(root, split).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict) or not isinstance(content.get("sizes"), dict):
        return {}
    if [content.get(key) for key in ("format", "root", "split")] != [FORMAT, str(root), split]:
        return {}
    return {name: tuple(entry) for name, entry in content["sizes"].items() if _is_entry(entry)}


def save(root: Path, split: str, entries: Mapping[str, Entry]) -> None:
    """Keep the entries. A cache that cannot be written costs time, not the run: one warning, and on."""
    content = {"format": FORMAT, "root": str(root), "split": split, "sizes": dict(entries)}
    path = cache_path(root, split)
    try:
        write_atomically(path, json.dumps(content).encode())
    except OSError as error:
        warnings.warn(
            f"{path} could not be written ({error.strerror or error}), so image sizes are read again next "
            "time: make room there, or name another folder with LESSONS_CACHE.",
            stacklevel=2,
        )


def _is_entry(entry: object) -> bool:
    if not isinstance(entry, list) or len(entry) != 6:
        return False
    return all(type(number) is int for number in entry) and min(entry[:2]) > 0
