"""A small SOLO that trains in one process or in several, on pictures of one size.

python -m torch.distributed.run --nproc-per-node 2 -m tests.tiny_distributed FOLDER
"""

import sys

import torch

from lessons.backbones import slim_pyramid
from lessons.solo import SOLOHead
from lessons.solo.model import SOLO
from lessons.training import Recipe, distributed, train


class Rectangles:
    """12 pictures of 64×64 with 0 to 2 rectangles: a process may have no positive cell."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(2)
        self.samples = [self.draw(index, generator) for index in range(12)]

    def draw(self, index: int, generator: torch.Generator):
        count = index % 3
        image = 0.1 * torch.rand(3, 64, 64, generator=generator)
        masks = torch.zeros(count, 64, 64, dtype=torch.bool)
        corners = torch.randint(2, 24, (count, 2), generator=generator) + torch.arange(count)[:, None] * 20
        boxes = torch.cat([corners, corners + 14], dim=1)
        for number, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
            masks[number, y1:y2, x1:x2] = True
            image[number, y1:y2, x1:x2] += 0.8
        return image, {"boxes": boxes.float(), "labels": torch.arange(count) % 2 + 1, "masks": masks}

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int):
        return self.samples[index]


def run(folder: str, iterations: int = 6):
    torch.manual_seed(0)
    model = SOLO(
        slim_pyramid(8, 16, levels=3),
        SOLOHead(16, 16, 2, (6, 5, 4), 1),
        scale_ranges=((1, 20), (10, 40), (30, 99)),
    )
    recipe = Recipe(iterations, batch_size=4, optimiser="SGD", learning_rate=0.01, save_every=4, warmup=2)
    with distributed.group(torch.device("cpu")):
        return train(model, Rectangles(), recipe, folder=folder, progress=False)


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(sys.argv[1])
