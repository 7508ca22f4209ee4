"""Fetching one file from the first address that gives it: resumable, checked, and never half.

The bytes go to `NAME.part` beside the file, with a note `NAME.part.json` that says where they came from. An
interrupted download keeps both, and the next call asks the server only for what is missing. The file gets its
name when it is whole and its checksum is right, so a file with that name can be trusted.
"""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tqdm.auto import tqdm

from lessons.downloads.answers import (
    Interrupted,
    Unavailable,
    WrongChecksum,
    position,
    reason,
    total,
    validator,
)
from lessons.downloads.disk import checksum, only_one_writer, readable_disk_errors, require_room
from lessons.errors import LessonsError

CHUNK = 1 << 18  # 256 KiB: few calls, and a progress bar that moves
ATTEMPTS = 3  # how often one address may break off without getting further before the next one is tried
PAUSE = 1.0  # seconds before the second attempt; twice that before the third


def fetch(
    urls: str | Sequence[str],
    path: str | Path,
    *,
    md5: str | None = None,
    sha256: str | None = None,
    progress: bool = True,
    timeout: float = 30.0,
    hint: str = "",
) -> Path:
    """Download one file to `path` from the first of `urls` that gives it, and check it.

    A file that is at `path` already is checked and returned without a request; it is never overwritten.

    Args:
        urls: http or https addresses of the same file, the preferred one first.
        path: where the file goes; its folder is made.
        md5, sha256: the expected checksum in hexadecimal; either, both or none. Its first digits are enough,
            as publishers put them into a file's name.
        progress: show a progress bar.
        timeout: seconds without a byte after which an address counts as silent.
        hint: a further remedy for the sentence that says that no address answered.

    Returns:
        `path`.

    Raises:
        LessonsError: no address gave the file (the sentence names each and why), the disk is full, the folder
            cannot be written, another process downloads the same file, or `path` holds something else.
    """
    path = Path(path)
    expected = {name: digest.lower() for name, digest in (("md5", md5), ("sha256", sha256)) if digest}
    if path.exists():
        return _accept_existing(path, expected)
    part = path.with_name(path.name + ".part")
    reasons = []
    with readable_disk_errors(path.parent, f"what arrived of {path.name} is kept"), only_one_writer(part):
        try:
            for url in [urls] if isinstance(urls, str) else urls:
                try:
                    _fetch_from(url, part, expected, progress, timeout)
                    part.replace(path)
                    return path
                except Unavailable as why:
                    reasons.append(f"{url} ({why})")
        finally:
            _remove_if_empty(part)
    raise LessonsError(
        f"{path.name} could not be downloaded: {'; '.join(reasons) or 'no address was given'}: "
        f"check the network and call again, or put your own copy of the file at {path}"
        f"{hint and ', or '}{hint}."
    )


def _fetch_from(url: str, part: Path, expected: dict[str, str], progress: bool, timeout: float) -> None:
    """Complete and check `part` from one address; a broken connection is taken up again where it ended."""
    furthest, failures = _size(part), 0
    while True:
        joined = _size(part) > 0
        try:
            _receive(url, part, bool(expected), progress, timeout)
            _verify(part, expected)
            return
        except Interrupted:
            failures = 0 if _size(part) > furthest else failures + 1
            furthest = max(furthest, _size(part))
            if failures >= ATTEMPTS:
                raise
            time.sleep(PAUSE * failures)
        except WrongChecksum:
            _discard(part)
            # A piece may have come from an older version or another mirror: once more, from byte 0.
            if not joined:
                raise


def _receive(url: str, part: Path, checked: bool, progress: bool, timeout: float) -> None:
    """One request: append what is missing to `part`, or write it anew where the server does not continue."""
    note = _read_note(part)
    start = _resume_from(url, part, note, checked)
    try:
        response = _open(url, start, note, timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416 and start:  # "range not satisfiable": nothing is missing, or it is another file
            return _accept_end(part, start, total(error.headers))
        raise Unavailable(f"HTTP {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unavailable(reason(error, timeout)) from None
    with response:
        begin, size = position(response)
        if begin and (begin != start or (note.total and size != note.total)):
            _discard(part)
            raise Interrupted("the file changed on the server")
        _write_note(part, _Note(url, validator(response.headers), size))
        _append(response, part, begin, size, progress, timeout)


def _resume_from(url: str, part: Path, note: "_Note", checked: bool) -> int:
    """How many bytes of `part` may be kept. Two servers' pieces are joined only if a checksum will tell."""
    same_file = note.url == url and note.validator
    return _size(part) if same_file or (checked and note.url) else 0


def _open(url: str, start: int, note: "_Note", timeout: float) -> http.client.HTTPResponse:
    if not url.lower().startswith(("http://", "https://")):
        raise ValueError("not an http or https address")
    headers = {"User-Agent": "instance-segmentation-lessons", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if note.url == url and note.validator:
            headers["If-Range"] = note.validator  # a changed file is then sent whole instead of spliced
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)


def _accept_end(part: Path, start: int, size: int | None) -> None:
    """The last run may have ended between the last byte and the renaming; otherwise begin again."""
    if start != size:
        _discard(part)
        raise Interrupted("the file changed on the server")


def _append(
    response: http.client.HTTPResponse,
    part: Path,
    begin: int,
    size: int | None,
    progress: bool,
    timeout: float,
) -> None:
    """Copy the response into `part` from byte `begin` on, and see that nothing is missing at the end."""
    require_room(part.parent, (size or begin) - begin, f"the rest of {part.stem}")
    bar = tqdm(
        total=size,
        initial=begin,
        unit="B",
        unit_scale=True,
        desc=part.stem,
        leave=False,
        disable=not progress,
    )
    with bar, _open_part(part, begin) as file:
        while block := _read(response, timeout):
            file.write(block)
            bar.update(len(block))
    arrived = _size(part)
    if size is not None and arrived < size:
        raise Interrupted(f"the connection ended after {arrived:,} of {size:,} bytes")


def _read(response: http.client.HTTPResponse, timeout: float) -> bytes:
    try:
        return response.read(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise Interrupted(reason(error, timeout)) from None


def _open_part(part: Path, begin: int) -> BinaryIO:
    return open(part, "ab" if begin else "wb")


def _verify(part: Path, expected: dict[str, str]) -> None:
    for algorithm, digest in expected.items():
        found = checksum(part, algorithm)
        if not found.startswith(digest):
            raise WrongChecksum(f"its {algorithm.upper()} is {found}, not {digest}")


def _accept_existing(path: Path, expected: dict[str, str]) -> Path:
    for algorithm, digest in expected.items():
        if not path.is_file() or not checksum(path, algorithm).startswith(digest):
            raise LessonsError(
                f"{path} is there already, but is not the file asked for (its {algorithm.upper()} is "
                f"not {digest}): move it away and call again."
            )
    return path


# ---------------------------------------------------------------------------- the half file and its note


@dataclass(frozen=True)
class _Note:
    """What is known of a half file: its address, the server's mark of this version, the size of the whole."""

    url: str = ""
    validator: str = ""
    total: int | None = None


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _note_of(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _read_note(part: Path) -> _Note:
    """The note beside a half file; an empty one where that is missing or damaged (all is asked)."""
    try:
        said = json.loads(_note_of(part).read_text("utf-8"))
        return _Note(str(said["url"]), str(said["validator"]), said["total"] and int(said["total"]))
    except (OSError, ValueError, KeyError, TypeError):
        return _Note()


def _write_note(part: Path, note: _Note) -> None:
    _note_of(part).write_text(json.dumps(vars(note)), "utf-8")


def _discard(part: Path) -> None:
    """Empty the half file. It stays as an empty file, because it carries the lock."""
    with open(part, "wb"):
        pass
    _note_of(part).unlink(missing_ok=True)


def _remove_if_empty(part: Path) -> None:
    if not _size(part):
        part.unlink(missing_ok=True)
        _note_of(part).unlink(missing_ok=True)
