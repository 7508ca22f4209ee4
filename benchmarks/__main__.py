"""`python -m benchmarks` (or `make bench`): the tables of speed, each beside its yardstick.

`LESSONS_VOC_ROOT` names real data; without it the mini VOC that ships is read.
"""

import argparse
import sys
from collections.abc import Sequence

import torch

from benchmarks import data_loading
from benchmarks.measure import surroundings
from lessons.errors import LessonsError


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every table. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Speed, beside a yardstick.")
    parser.add_argument("--rounds", type=int, default=7, help="counted rounds; medians are over them (7)")
    parser.add_argument("--images", type=int, default=100, help="pictures read per round on one core (100)")
    parser.add_argument(
        "--loader-images", type=int, default=400, help="pictures per round over workers (400)"
    )
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # per core: nobody hides slow code behind more threads
    try:
        voc = data_loading.open_data(options.images)
    except LessonsError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    print(surroundings())
    print(f"\n## Reading VOC instances: {len(voc)} images, medians of {options.rounds} interleaved rounds\n")
    print(data_loading.per_core(voc, options.rounds))
    print("\nSame files, same information: image, masks, labels, both boxes, area, flags, void border.")
    print(f"\n## DataLoader workers: {options.loader_images} images per round\n")
    print(data_loading.over_workers(voc, options.rounds, images=options.loader_images))
    return 0


if __name__ == "__main__":
    sys.exit(main())
