"""Which images make which batch, and what chance does to each: all of it follows from one seed.

Nothing here remembers anything. The batch of iteration i is a function of the seed and of i, so a run that is
resumed at i goes on with the very images, flips and scales that it would have had, with any number of worker
processes; and several training processes share the batches that one process would have had.
"""

from collections.abc import Callable, Iterator, Sized
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader, Dataset, DistributedSampler, Sampler

from lessons import processes
from lessons.data import collate
from lessons.errors import LessonsError
from lessons.training.recipe import Recipe

PRIME = 1_000_003


class Lot(NamedTuple):
    """One image of a batch: its index in the data set, and the seed of what chance does to it."""

    index: int
    seed: int


class Lots(Sampler[list[Lot]]):
    """The batches from iteration `start` to `stop`: a DataLoader's `batch_sampler`.

    Every epoch has a new order, PyTorch's DistributedSampler's, and batches run on over its end, so that all
    are full. Process r of p gets every p-th image of a batch.

    Raises:
        LessonsError: no image, or a batch that the processes cannot share evenly.
    """

    def __init__(self, dataset: Sized, batch_size: int, seed: int, start: int, stop: int) -> None:
        count = processes.count()
        if len(dataset) == 0:
            raise LessonsError("The data set to train on is empty: name a split that has images.")
        if batch_size % count:
            raise LessonsError(
                f"batch_size={batch_size} cannot be shared by {count} processes: give a multiple of {count}."
            )
        self.sampler = DistributedSampler(dataset, count, processes.rank(), shuffle=True, seed=seed)
        self.share = batch_size // count
        self.seed, self.start, self.stop = seed, start, stop
        self.epoch, self.order = -1, []

    def __iter__(self) -> Iterator[list[Lot]]:
        for iteration in range(self.start, self.stop):
            yield [self.lot(iteration * self.share + number) for number in range(self.share)]

    def __len__(self) -> int:
        return max(self.stop - self.start, 0)

    def lot(self, position: int) -> Lot:
        """The image at that place of this process's endless sequence of epochs."""
        epoch, place = divmod(position, len(self.sampler))
        if epoch != self.epoch:
            self.sampler.set_epoch(epoch)
            self.epoch, self.order = epoch, list(self.sampler)
        index = self.order[place]
        return Lot(index, ((self.seed * PRIME + epoch) * PRIME + index) % 2**63)


class Augmented(Dataset):
    """A data set that is asked for lots, and whose `augment` throws its dice with the lot's seed.

    Args:
        augment: (image, target) -> (image, target), with torch's global generator; None: as they are.
    """

    def __init__(self, dataset: Any, augment: Callable | None) -> None:
        self.dataset = dataset
        self.augment = augment

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, lot: Lot) -> tuple:
        image, target = self.dataset[lot.index]
        if self.augment is None:
            return image, target
        with torch.random.fork_rng(devices=[]):  # the training's own dice stay as they lie
            torch.default_generator.manual_seed(lot.seed)
            return self.augment(image, target)


def batches(dataset: Any, augment: Callable | None, recipe: Recipe, start: int = 0) -> DataLoader:
    """The batches of a run from iteration `start` on: each a list of images and a list of targets."""
    return DataLoader(
        Augmented(dataset, augment),
        batch_sampler=Lots(dataset, recipe.batch_size, recipe.seed, start, recipe.iterations),
        collate_fn=collate,
        num_workers=recipe.workers,
        generator=torch.Generator(),  # a DataLoader draws a seed when it starts: not from the training's dice
    )
