"""What an HTTP server says, in the few terms a download needs (RFC 9110, sections 8.8, 13.1.5 and 14)."""

import http.client
import re
import socket
import ssl
import urllib.error
from email.message import Message


class Unavailable(Exception):
    """One address did not give the file. The message is the reason, in a few words; the next one is tried."""


class Interrupted(Unavailable):
    """The connection ended early. What arrived is kept, and the same address may be asked for the rest."""


class WrongChecksum(Unavailable):
    """All bytes arrived, but they are not the promised file."""


def position(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """The first byte that this response carries, and the size of the whole file (None: not said).

    Raises:
        Unavailable: the answer carries no file.
    """
    if response.status == 206:
        match = re.match(r"bytes (\d+)-\d+/", response.headers.get("Content-Range", ""))
        return (int(match[1]) if match else -1), total(response.headers)
    if response.status != 200:
        raise Unavailable(f"HTTP {response.status} {response.reason}")
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else None


def total(headers: Message) -> int | None:
    """The size of the whole file, from `Content-Range: bytes 5-9/10` or `bytes */10`."""
    match = re.search(r"/(\d+)$", headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def validator(headers: Message) -> str:
    """What `If-Range` takes to mean "this very version": a strong ETag, or the date of the last change."""
    etag = headers.get("ETag", "")
    # A weak ETag (W/"…") promises the same meaning, not the same bytes.
    return etag if etag.startswith('"') else headers.get("Last-Modified", "")


def reason(error: Exception, timeout: float) -> str:
    """A network error in a few words that a reader can act on."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"no answer within {timeout:g} s"
    if isinstance(cause, socket.gaierror):
        return "the host's name is not found"
    if isinstance(cause, ConnectionRefusedError):
        return "the host refuses the connection"
    if isinstance(cause, ssl.SSLError):
        return f"no secure connection: {cause.reason or cause}"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    return " ".join(str(cause).split()) or type(cause).__name__
