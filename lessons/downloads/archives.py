"""Unpacking an archive that somebody else made, without giving it any say over the disk.

A tar archive may hold absolute names, names with `..`, links that lead elsewhere, devices, set-uid programs
and sizes that fill a disk. Only plain files and folders are accepted, and this module writes them itself: the
archive decides the bytes of a file and its name below one folder, nothing else (not owner, mode or time).
"""

import re
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from tqdm.auto import tqdm

from lessons.downloads.disk import readable_disk_errors, require_room
from lessons.errors import DataError

MOST_MEMBERS = 1_000_000
CHUNK = 1 << 20


@contextmanager
def unpacked(archive: str | Path, beside: str | Path, *, progress: bool = True) -> Iterator[Path]:
    """Unpack an uncompressed tar archive into a temporary folder inside the folder `beside`.

    The caller renames what it wants out of the temporary folder; the rest is removed at the end, also after
    an error or Ctrl-C, so that nothing half stays. Uncompressed only: then nothing can expand without bound.

    Yields:
        The temporary folder, on the same disk as `beside`.

    Raises:
        DataError: the archive is damaged, or holds something other than plain files and folders.
        LessonsError: the disk is full or the folder cannot be written.
    """
    archive, beside = Path(archive), Path(beside)
    require_room(beside, archive.stat().st_size, f"unpacking {archive.name}")
    with readable_disk_errors(beside, f"{archive.name} is kept"):
        folder = tempfile.TemporaryDirectory(prefix=".unpacking-", dir=beside)
    with folder as name:
        with readable_disk_errors(Path(name), f"{archive.name} is kept"):
            _unpack(archive, Path(name), progress)
        yield Path(name)


def check_member(member: tarfile.TarInfo, archive: str | Path, most_bytes: int) -> PurePosixPath:
    """The relative path of a member that may be written.

    Raises:
        DataError: it is no plain file or folder, its name leads out of the folder, or it is too large.
    """
    path = PurePosixPath(member.name)
    problem = None
    if member.issym() or member.islnk():
        problem = "is a link"
    elif member.issparse():
        problem = "is a sparse file"
    elif not (member.isfile() or member.isdir()):
        problem = "is a device or another special file"
    elif path.is_absolute() or re.match(r"[A-Za-z]:", member.name):
        problem = "has an absolute name"
    elif ".." in path.parts or "\\" in member.name or "\0" in member.name:
        problem = "has a name that leads out of its folder"
    elif not 0 <= member.size <= most_bytes:
        problem = f"claims {member.size:,} bytes, more than the archive holds"
    if problem:
        raise DataError(
            f"{archive} is not safe to unpack, its member {member.name!r} {problem}: get another copy of it."
        )
    return path


def _unpack(archive: Path, folder: Path, progress: bool) -> None:
    left = archive.stat().st_size
    label = f"unpacking {archive.name}"
    bar = tqdm(total=left, unit="B", unit_scale=True, desc=label, leave=False, disable=not progress)
    try:
        with bar, tarfile.open(archive, "r:") as tar:
            for count, member in enumerate(tar):
                path = check_member(member, archive, left)
                left -= member.size  # all members together may not exceed the archive either
                if count >= MOST_MEMBERS:
                    raise DataError(f"{archive} holds over {MOST_MEMBERS:,} members: get another copy of it.")
                if hasattr(tarfile, "data_filter"):  # Python's own opinion, from 3.10.12, 3.11.4 and 3.12 on
                    tarfile.data_filter(member, str(folder))
                _write(tar, member, folder / path)
                bar.update(member.size)
    except (tarfile.TarError, EOFError, FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise DataError(f"{archive} is damaged ({error}): remove it and download it again.") from None


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    left = member.size
    with open(target, "xb") as file:  # "x": a second member of the same name would replace the first unseen
        while left:
            block = source.read(min(CHUNK, left))
            if not block:
                raise tarfile.ReadError(f"its member {member.name} is cut short")
            file.write(block)
            left -= len(block)
