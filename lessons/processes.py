"""How many processes train together, and sums over all of them. One process alone is the ordinary case."""

import torch
import torch.distributed
from torch import Tensor


def together() -> bool:
    """Whether this process is one of a group, as `torchrun` starts them."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def count() -> int:
    """The number of processes, at least 1."""
    return torch.distributed.get_world_size() if together() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return torch.distributed.get_rank() if together() else 0


def total(number: Tensor) -> Tensor:
    """The sum over all processes, the same on each; `number` itself, without a copy, where there is only one.

    Every process must call it, with the same shape.
    """
    if not together():
        return number
    result = number.detach().clone()
    torch.distributed.all_reduce(result)
    return result
