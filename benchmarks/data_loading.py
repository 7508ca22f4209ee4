"""Images per second of `VOCInstances`: beside torchvision's pieces on one core, and over workers."""

import functools
import itertools
import os
import statistics
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from benchmarks import yardsticks
from benchmarks.measure import interleaved, speed_up, table
from lessons.data import VOCInstances, collate
from lessons.files import shipped_data
from lessons.voc_layout import read_ids

GOAL = 1.5
YARDSTICKS = {"as written (decoded twice)": yardsticks.as_written, "decoded once": yardsticks.decoded_once}


def open_data(images: int) -> VOCInstances:
    """The first `images` pictures of `LESSONS_VOC_ROOT` where it is set, else of the mini VOC that ships."""
    root = os.environ.get("LESSONS_VOC_ROOT") or shipped_data() / "minivoc"
    inside = (Path(root), Path(root, "VOCdevkit", "VOC2012"), Path(root, "VOCdevkit", "VOC2007"))
    split = next((s for s in ("val", "train", "trainval") for place in inside if read_ids(place, s)), "train")
    voc = VOCInstances(root, split)
    return voc.subset(voc.ids[:images])


def differences(voc: VOCInstances, read: yardsticks.Reader) -> list[str]:
    """Where the yardstick's information differs from ours; empty: both do the same work."""
    labels = {name: label for label, name in enumerate(voc.classes, start=1)}
    found = []
    for at, name in enumerate(voc.ids):
        (image, target), (their_image, theirs) = voc[at], read(voc.root, name, labels)
        if not torch.equal(image, their_image):
            found.append(f"{name}: image")
        found += [f"{name}: {key}" for key, value in theirs.items() if not torch.equal(target[key], value)]
    return found


def per_core(voc: VOCInstances, rounds: int) -> str:
    """One process, one thread: ours beside both yardsticks, the same files, the same information.

    A fresh `VOCInstances` in every round: nothing that it remembers from an earlier epoch helps.
    """
    for name, read in YARDSTICKS.items():
        if found := differences(voc, read):
            raise AssertionError(f"the yardstick {name!r} reads other information: {found[:3]}")
    labels = {name: label for label, name in enumerate(voc.classes, start=1)}
    candidates = {"VOCInstances": lambda: _read_all(voc.subset(voc.ids))}
    for name, read in YARDSTICKS.items():
        candidates[name] = functools.partial(_read_with, read, voc, labels)
    seconds = interleaved(candidates, rounds)
    ours = seconds["VOCInstances"]
    rows = [("`VOCInstances`", _rate(len(voc), ours), "", "")]
    for name in YARDSTICKS:
        ratio, least, most = speed_up(seconds[name], ours)
        met = "met" if ratio >= GOAL else "missed"
        row = (
            f"torchvision, {name}",
            _rate(len(voc), seconds[name]),
            f"{ratio:.2f} ({least:.2f}-{most:.2f})",
            met,
        )
        rows.append(row)
    return table(("reader", "images/s, one core", "times as fast", f"goal {GOAL}"), rows)


def over_workers(
    voc: VOCInstances, rounds: int, workers: Sequence[int] = (0, 1, 2), images: int = 400
) -> str:
    """A DataLoader with 0, 1, 2 … worker processes; `images` pictures per round, going round the data set.

    Efficiency: images per second over workers times those of one process that reads without workers.
    """
    order = list(itertools.islice(itertools.cycle(range(len(voc))), images))
    loaders = {}
    for count in workers:
        loaders[str(count)] = DataLoader(
            voc,
            batch_size=4,
            sampler=order,
            collate_fn=collate,
            num_workers=count,
            persistent_workers=count > 0,
        )
    candidates = {name: functools.partial(_exhaust, loader) for name, loader in loaders.items()}
    seconds = interleaved(candidates, rounds)
    rows = []
    for name, spent in seconds.items():
        ratio, _, _ = speed_up(seconds["0"], spent)
        rows.append((name, _rate(images, spent), f"{ratio:.2f}", f"{ratio / max(int(name), 1):.0%}"))
    return table(("workers", "images/s", "times one process", "efficiency per worker"), rows)


def _read_all(voc: VOCInstances) -> None:
    for at in range(len(voc)):
        voc[at]


def _read_with(read: yardsticks.Reader, voc: VOCInstances, labels: dict[str, int]) -> None:
    for name in voc.ids:
        read(voc.root, name, labels)


def _exhaust(loader: DataLoader) -> None:
    for _ in loader:
        pass


def _rate(images: int, seconds: Sequence[float]) -> str:
    return f"{images / statistics.median(seconds):.1f}"
