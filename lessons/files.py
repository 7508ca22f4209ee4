"""Where files live, and how they are written: beside first, then renamed, so that nobody sees half a file."""

import os
import tempfile
from pathlib import Path

from lessons.errors import LessonsError

REPOSITORY = Path(__file__).resolve().parent.parent


def shipped_data() -> Path:
    """The folder of what ships with the repository: the mini VOC and the small trained weights.

    `LESSONS_DATA` names another one.

    Raises:
        LessonsError: the folder does not exist.
    """
    folder = Path(os.environ.get("LESSONS_DATA") or REPOSITORY / "data")
    if not folder.is_dir():
        raise LessonsError(
            f"{folder} is missing: clone the whole repository, or name its data in LESSONS_DATA."
        )
    return folder


def cache_folder() -> Path:
    """The folder of what can be made again (downloads, image sizes). `LESSONS_CACHE` names another."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("LESSONS_CACHE") or Path(base) / "instance-segmentation-lessons")


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write `content` to `path` so that the file is either the old one or the whole new one, never half.

    A crash, a full disk or a second writer leaves the old file as it was.

    Raises:
        OSError: the folder cannot be written or the disk is full; nothing has changed then.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(prefix=path.name + ".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private (0600); give the permissions that an ordinary open() would have given.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(beside, 0o666 & ~mask)
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def exists(path: Path) -> bool:
    """Whether there is such a file; False, not an error, for a name that no file can have.

    A file in a folder that may not be read counts as there: opening it tells the true reason.
    """
    try:
        path.stat()
    except PermissionError:
        return True
    except (OSError, ValueError):  # missing, a name too long, a name with a zero byte
        return False
    return True
