"""What the disk may say: too little room, full, not writable, or somebody else writes the same file."""

import errno
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lessons.errors import LessonsError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def checksum(path: str | Path, algorithm: str) -> str:
    """The hexadecimal digest of a file. `algorithm` is a name that `hashlib` knows, such as "sha256"."""
    # usedforsecurity=False: MD5 is refused otherwise on machines in FIPS mode.
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def require_room(folder: str | Path, needed: int, purpose: str) -> None:
    """Stop before the work starts when `folder` (it need not exist yet) has under `needed` free bytes.

    Raises:
        LessonsError: too little room; the sentence names the folder and both sizes.
    """
    there = Path(folder).absolute()
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    if free < needed:
        raise LessonsError(
            f"{folder} has {free / 1e9:.2f} GB free and {purpose} needs {needed / 1e9:.2f} GB: "
            "make room, or name a folder on another disk."
        )


@contextmanager
def readable_disk_errors(folder: Path, kept: str) -> Iterator[None]:
    """Turn the operating system's errors about `folder` into one sentence.

    `kept` says what is not lost ("what arrived of weights.pth is kept").
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if error.errno in FULL:
            raise LessonsError(f"The disk is full at {folder}: make room and call again; {kept}.") from None
        reason = (error.strerror or type(error).__name__).lower()
        at = error.filename or folder
        raise LessonsError(f"{at} cannot be used ({reason}): name a folder that you may write to.") from None


@contextmanager
def only_one_writer(part: Path) -> Iterator[None]:
    """Let one process at a time write to the half file `part`; the lock ends with the process."""
    with open(part, "ab") as holder:
        _lock(holder, part)
        yield


def _lock(holder, part: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: two downloads of one file at a time are not told apart there
        return
    try:
        fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):  # else: a file system without locks
            raise LessonsError(
                f"{part} is being written by another process: wait until it is done, then call again."
            ) from None
