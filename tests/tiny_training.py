"""A model and a data set small enough to train in a test; run as a script, a training to be killed.

python -m tests.tiny_training FOLDER ITERATIONS [SLOWLY]
"""

import sys
import time

import torch
from torch import Tensor, nn

from lessons.training import Recipe, train


class Pictures:
    """16 pictures (3, 8, 8), each with a label that a linear model can learn."""

    def __init__(self, count: int = 16) -> None:
        generator = torch.Generator().manual_seed(7)
        self.images = torch.rand(count, 3, 8, 8, generator=generator)
        self.labels = (self.images[:, 0].mean(dim=(1, 2)) > 0.5).long()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        return self.images[index], {"labels": self.labels[index : index + 1], "image_id": index}


class Classifier(nn.Module):
    """Two losses, and dropout, which throws the training's own dice."""

    def __init__(self, seed: int = 0, dropout: float = 0.5) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.convolution = nn.Conv2d(3, 4, 3)
        self.drop = nn.Dropout(dropout)
        self.linear = nn.Linear(4, 2)

    def forward(self, images: list[Tensor], targets: list[dict]) -> dict[str, Tensor]:
        features = self.convolution(torch.stack(images)).relu().mean(dim=(2, 3))  # (B, 4)
        logits = self.linear(self.drop(features))  # (B, 2)
        labels = torch.cat([target["labels"] for target in targets])
        return {
            "loss_label": nn.functional.cross_entropy(logits, labels),
            "loss_small": 0.01 * logits.square().mean(),
        }


def brighter(image: Tensor, target: dict) -> tuple[Tensor, dict]:
    """An augmentation with its own dice."""
    return image * (0.5 + torch.rand(())), target


def recipe(iterations: int, **changes) -> Recipe:
    settings = {"batch_size": 4, "learning_rate": 0.05, "warmup": 5, "save_every": 7, "clip": 1.0, "seed": 3}
    return Recipe(iterations=iterations, **{**settings, **changes})


class Slow(Pictures):
    """Pictures that take a while to read, so that a run can be killed in the middle."""

    def __getitem__(self, index: int):
        time.sleep(0.004)
        return super().__getitem__(index)


if __name__ == "__main__":
    torch.set_num_threads(1)
    pictures = Slow() if len(sys.argv) > 3 else Pictures()
    train(
        Classifier(), pictures, recipe(int(sys.argv[2])), folder=sys.argv[1], augment=brighter, progress=False
    )
