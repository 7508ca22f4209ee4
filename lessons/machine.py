"""What this process may use of the machine: cores and memory, a container's limits included."""

import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def cores() -> int:
    """The number of CPU cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_memory() -> int:
    """Bytes that may still be allocated: what the machine has free, or what a container's limit leaves."""
    import psutil

    free = psutil.virtual_memory().available
    left = memory_left_in_container()
    return free if left is None else min(free, left)


def memory_left_in_container(cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int | None:
    """Bytes left under the tightest Linux control group of this process; None where there is no limit.

    Cached file contents count as used there, but the kernel gives them up first: they count as free here.
    """
    left = []
    for folder, limit, usage in _groups(cgroups, membership):
        most, used = _number(folder / limit), _number(folder / usage)
        if (
            most is not None and used is not None and most < 1 << 60
        ):  # version 1 writes a huge number for "none"
            left.append(max(most - max(used - _cache(folder), 0), 0))
    return min(left, default=None)


def _groups(cgroups: Path, membership: Path) -> list[tuple[Path, str, str]]:
    """Each group of this process, its parents too, with the names of its two files (version 2 or 1)."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            base, names = cgroups, ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            base, names = cgroups / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        inner = base / path.lstrip("/")
        # Inside a container the path may be the host's, unknown here; the base then is our own group.
        found += [
            (folder, *names) for folder in [inner, *inner.parents] if folder == base or base in folder.parents
        ]
    return found


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # "max" is no limit
        return None


def _cache(folder: Path) -> int:
    """Bytes of cached files that were not used lately."""
    try:
        pairs = [line.split() for line in (folder / "memory.stat").read_text().splitlines()]
    except OSError:
        return 0
    values = {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
    return values.get("total_inactive_file", values.get("inactive_file", 0))
