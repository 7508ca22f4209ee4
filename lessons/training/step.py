"""One iteration: forward, backward, clip, optimiser, scheduler; and what is said when it fails."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from lessons import processes
from lessons.errors import LessonsError
from lessons.training import checkpoint


class NotFiniteError(LessonsError):
    """A loss that is infinite or not a number: nothing can be learnt from it, and a step would spoil all."""


def training_step(
    model: nn.Module,
    images: Sequence[Tensor],
    targets: Sequence[dict[str, Any]],
    optimiser: Optimizer,
    scheduler: LambdaLR,
    *,
    clip: float | None = None,
    dtype: torch.dtype = torch.float32,
) -> dict[str, float]:
    """One iteration: forward, backward, clip, optimiser, scheduler.

    Args:
        clip: longest gradient; None: as it comes.
        dtype: what convolutions are computed in; weights stay float32.

    Returns:
        the losses, averaged over all processes.

    Raises:
        NotFiniteError: a loss is infinite or not a number; the weights are those before the step.
    """
    kind = images[0].device.type
    with torch.autocast(kind, dtype, enabled=dtype != torch.float32):
        losses = model(images, targets)
    optimiser.zero_grad(set_to_none=True)
    sum(losses.values()).backward()
    averages = average_over_processes(losses)
    if not all(math.isfinite(value) for value in averages.values()):
        raise NotFiniteError(
            f"The losses are no longer finite ({averages}): choose a smaller learning_rate, or set clip."
        )
    if clip is not None:
        nn.utils.clip_grad_norm_([p for group in optimiser.param_groups for p in group["params"]], clip)
    optimiser.step()
    scheduler.step()  # after the optimiser: the rate of the next iteration
    return averages


def average_over_processes(losses: dict[str, Tensor]) -> dict[str, float]:
    """The losses of the whole batch, of which every process has seen its part; for the log."""
    values = torch.stack([loss.detach().float() for loss in losses.values()])
    averages = (processes.total(values) / processes.count()).tolist()
    return dict(zip(losses, averages, strict=True))


def moved(
    images: Sequence[Tensor], targets: Sequence[dict[str, Any]], device: torch.device
) -> tuple[list[Tensor], list[dict[str, Any]]]:
    """Images, and the tensors of the targets, on another device."""

    def move(value: Any) -> Any:
        return value.to(device, non_blocking=True) if isinstance(value, Tensor) else value

    return [move(image) for image in images], [
        {name: move(value) for name, value in target.items()} for target in targets
    ]


def where_it_stopped(
    error: NotFiniteError,
    iteration: int,
    targets: Sequence[dict[str, Any]],
    dataset: Any,
    folder: Path | None,
) -> str:
    """The sentence of the error with what a person needs to look into it."""
    names = [_name_of(target, dataset) for target in targets]
    kept = None if folder is None else checkpoint.newest(folder)
    last = "" if kept is None else f" The last good checkpoint is {kept}."
    return f"Iteration {iteration}, images {', '.join(names)}: {error}{last}"


def _name_of(target: dict[str, Any], dataset: Any) -> str:
    """A file's name where the data set has one for the target's number, else the number."""
    number = target.get("image_id")
    ids = getattr(dataset, "ids", None)
    named = isinstance(number, int) and isinstance(ids, list) and 0 <= number < len(ids)
    return str(ids[number]) if named and isinstance(ids[number], str) else str(number)
