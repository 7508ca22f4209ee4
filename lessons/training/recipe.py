"""What a training run is made of, in words and numbers: all that a config file says under [training]."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from lessons.errors import LessonsError
from lessons.training.schedule import factor_of, scheduler

CHOICES = {
    "optimiser": ("AdamW", "SGD"),
    "schedule": ("one-cycle", "steps"),
    "precision": ("auto", "float32", "bfloat16"),
}


@dataclass(frozen=True)
class Recipe:
    """A training run.

    Attributes:
        iterations: batches, not epochs: a schedule then means the same for every data set.
        batch_size: images per iteration, of all processes together.
        optimiser: "AdamW" or "SGD".
        learning_rate: the base rate, for that batch size; the schedule multiplies it.
        weight_decay: of all weights that train.
        momentum: of SGD.
        schedule: "one-cycle" or "steps"; see `lessons.training.schedule`.
        warmup: iterations. warmup_ratio: the first factor. steps: iterations, for "steps".
        clip: the longest gradient (its 2-norm over all weights); None: as it comes.
        seed: of the order of the images and of what chance does to each.
        workers: processes that read images; 0: the training process does.
        evaluate_every, save_every: iterations; 0: at the end only.
        keep: how many checkpoints stay.
        precision: "auto" is bfloat16 on a GPU that has it, and float32 elsewhere.

    Raises:
        LessonsError: a number that makes no sense, or an unknown word.
    """

    iterations: int
    batch_size: int = 4
    optimiser: str = "AdamW"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    momentum: float = 0.9
    schedule: str = "one-cycle"
    warmup: int = 0
    warmup_ratio: float = 1 / 25
    steps: tuple[int, ...] = field(default=())
    clip: float | None = None
    seed: int = 0
    workers: int = 0
    evaluate_every: int = 0
    save_every: int = 0
    keep: int = 2
    precision: str = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))  # a config file has lists
        for name, least in (("iterations", 1), ("batch_size", 1), ("keep", 1), ("workers", 0), ("warmup", 0)):
            if getattr(self, name) < least:
                raise LessonsError(f"{name}={getattr(self, name)!r} must be at least {least}.")
        if not self.learning_rate > 0:
            raise LessonsError(f"learning_rate={self.learning_rate!r} must be positive.")
        if self.clip is not None and not self.clip > 0:
            raise LessonsError(f"clip={self.clip!r} must be positive: leave it out for no clipping.")
        for name, words in CHOICES.items():
            if getattr(self, name) not in words:
                raise LessonsError(
                    f"{name}={getattr(self, name)!r} is not known: choose {' or '.join(words)}."
                )

    def make_optimiser(self, model: nn.Module) -> Optimizer:
        """For all weights of the model that train."""
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        options: dict[str, Any] = {"lr": self.learning_rate, "weight_decay": self.weight_decay}
        if self.optimiser == "SGD":
            return torch.optim.SGD(weights, momentum=self.momentum, **options)
        return torch.optim.AdamW(weights, **options)

    def make_scheduler(self, optimiser: Optimizer) -> LambdaLR:
        """The learning rate's way; one step per iteration."""
        factor = factor_of(self.schedule, self.iterations, self.warmup, self.warmup_ratio, self.steps)
        return scheduler(optimiser, factor)

    def dtype(self, device: torch.device) -> torch.dtype:
        """What convolutions are computed in on that device."""
        if self.precision == "bfloat16":
            return torch.bfloat16
        has = self.precision == "auto" and device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if has else torch.float32
