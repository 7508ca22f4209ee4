"""Files from the network: fetched once, resumable, checked (`fetch`), unpacked without trust (`unpacked`).

This room knows nothing of data sets, networks or weights.
"""

from lessons.downloads.archives import unpacked
from lessons.downloads.disk import checksum, require_room
from lessons.downloads.fetching import fetch

__all__ = ["checksum", "fetch", "require_room", "unpacked"]
