"""Timing that a busy machine cannot fool easily: every candidate once per round; and peak memory."""

import importlib.metadata
import multiprocessing
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import PIL
import torch

from lessons import machine


def interleaved(candidates: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each candidate in each round.

    Every round runs all of them once, so that a slow moment of the machine hits all alike; the order turns by
    one from round to round, and a first round that fills the file cache is not counted.
    """
    names = list(candidates)
    seconds = {name: [] for name in names}
    for turn in range(-1, rounds):
        for at in range(len(names)):
            name = names[(at + turn) % len(names)]
            began = time.perf_counter()
            candidates[name]()
            if turn >= 0:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def speed_up(slow: Sequence[float], fast: Sequence[float]) -> tuple[float, float, float]:
    """How many times as fast: the median of the rounds' own ratios, the smallest and the largest."""
    ratios = [one / other for one, other in zip(slow, fast, strict=True)]
    return statistics.median(ratios), min(ratios), max(ratios)


class Apart:
    """Work in a process of its own, so that its peak memory is its own. Call it to have the work done once.

    Args:
        make: gives the work; called in that process. Must be picklable.
        threads: that the process uses.
    """

    def __init__(self, make: Callable[[], Callable[[], object]], threads: int = 1) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(make, theirs, threads), daemon=True)
        self._process.start()
        theirs.close()  # so that a process that died ends the waiting

    def __call__(self) -> None:
        self._pipe.send("work")
        self._pipe.recv()

    def peak_memory(self) -> int:
        """Bytes of memory that the process held at most since it began, Python and torch included."""
        self._pipe.send("memory")
        return self._pipe.recv()

    def close(self) -> None:
        self._pipe.close()  # which ends the process
        self._process.join()


def _work(make: Callable[[], Callable[[], object]], pipe: Connection, threads: int) -> None:
    """What runs in the process of an `Apart`."""
    torch.set_num_threads(threads)
    work = make()
    try:
        while True:
            asked = pipe.recv()
            pipe.send(_peak_memory() if asked == "memory" else work() and None)
    except EOFError:
        pass


def _peak_memory() -> int:
    """The most bytes that this process has had in memory."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux: its `ru_maxrss` begins with what the process that started this one had
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return 1024 * int(lines["VmHWM"].split()[0])
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else 1024 * peak  # bytes there, else kilobytes


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown that is readable as plain text too."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in lines
    )


def surroundings() -> str:
    """The machine and the versions that a number belongs to."""
    gpu = f", {torch.cuda.get_device_name(0)}" if torch.cuda.is_available() else ""
    return (
        f"{_processor()}, {machine.cores()} cores{gpu}, {platform.system()} {platform.machine()}; "
        f"Python {platform.python_version()}, torch {torch.__version__}, torchvision "
        f"{importlib.metadata.version('torchvision')}, numpy {np.__version__}, Pillow {PIL.__version__}"
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"
