"""Several processes that train one model: `torchrun --nproc-per-node 2 -m lessons train ...`.

All of it is PyTorch's own: the process group, DistributedDataParallel, DistributedSampler.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from lessons import processes


@contextlib.contextmanager
def group(device: torch.device) -> Iterator[torch.device]:
    """Join the group that `torchrun` started, and leave it at the end; without torchrun, nothing.

    Gives the device of this process: on a machine with several GPUs, one each.
    """
    if "LOCAL_RANK" not in os.environ or processes.together():
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    finally:
        torch.distributed.destroy_process_group()


def wrapped(model: nn.Module) -> nn.Module:
    """The model whose gradients are averaged over all processes; itself where there is only one."""
    if not processes.together():
        return model
    device = next(model.parameters()).device
    return DistributedDataParallel(model, device_ids=[device.index] if device.type == "cuda" else None)


def gathered(value: Any) -> list[Any]:
    """The values of all processes, in their order, on each of them."""
    values = [value] * processes.count()
    if processes.together():
        torch.distributed.all_gather_object(values, value)
    return values


def wait() -> None:
    """Until every process is here."""
    if processes.together():
        torch.distributed.barrier()
