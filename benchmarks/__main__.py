"""`python -m benchmarks` (or `make bench`): the tables of speed, each beside its yardstick.

`LESSONS_VOC_ROOT` names real data; without it the mini VOC that ships is read.
"""

import argparse
import sys
from collections.abc import Sequence

import torch

from benchmarks import data_loading, mask_rcnn, point_rend, solo
from benchmarks.measure import surroundings
from lessons.errors import LessonsError

TABLES = ("data", "solo", "mask-rcnn", "point-rend")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Speed, beside a yardstick.")
    parser.add_argument("tables", nargs="*", metavar="table", help=f"which of {', '.join(TABLES)} (all)")
    parser.add_argument("--rounds", type=int, default=7, help="counted rounds of every table (7)")
    parser.add_argument("--images", type=int, default=100, help="pictures read per round on one core (100)")
    parser.add_argument(
        "--loader-images", type=int, default=400, help="pictures per round over workers (400)"
    )
    options = parser.parse_args(arguments)
    tables = options.tables or TABLES
    if unknown := set(tables) - set(TABLES):
        parser.error(f"{unknown.pop()!r} is no table: choose from {', '.join(TABLES)}")
    torch.set_num_threads(1)  # per core: nobody hides slow code behind more threads
    print(surroundings())
    try:
        if "data" in tables:
            _data(options)
    except LessonsError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    if "solo" in tables:
        _solo(options)
    if "mask-rcnn" in tables:
        _mask_rcnn(options)
    if "point-rend" in tables:
        _point_rend(options)
    return 0


def _data(options: argparse.Namespace) -> None:
    voc = data_loading.open_data(options.images)
    print(f"\n## Reading VOC instances: {len(voc)} images, medians of {options.rounds} interleaved rounds\n")
    print(data_loading.per_core(voc, options.rounds))
    print("\nSame files, same information: image, masks, labels, both boxes, area, flags, void border.")
    print(f"\n## DataLoader workers: {options.loader_images} images per round\n")
    print(data_loading.over_workers(voc, options.rounds, images=options.loader_images))


def _solo(options: argparse.Namespace) -> None:
    print(f"\n## SOLO: the fastest of {options.rounds} interleaved rounds, each model in its own process\n")
    print(solo.beside_mask_rcnn(options.rounds))
    print(f"\nResNet-50, 100 objects each; SOLO's from about {solo.CANDIDATES} pairs of a cell and a class.")


def _mask_rcnn(options: argparse.Namespace) -> None:
    print(
        f"\n## Mask R-CNN: the fastest of {options.rounds} interleaved rounds, each model in its own process"
    )
    for threads in (1, 2):
        print(f"\n{mask_rcnn.inference(options.rounds, threads)}")
    fewer = max(2, options.rounds // 2)
    for threads in (1, 2):
        print(f"\n{mask_rcnn.training_steps(fewer, threads)}")
    print(f"\n{mask_rcnn.parts_of_a_step()}")
    print("\nResNet-50, 800×1216, 100 detections; a training step has 8 objects in each of two pictures.")


def _point_rend(options: argparse.Namespace) -> None:
    rounds = max(2, options.rounds // 2)
    print(f"\n## PointRend: the fastest of {rounds} interleaved rounds, each model in its own process\n")
    print(point_rend.beside_mask_rcnn(rounds, 1))
    print("\nResNet-50, 800×1216, 100 detections; the same weights up to the mask branch, the same boxes.")


if __name__ == "__main__":
    sys.exit(main())
