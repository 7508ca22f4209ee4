"""`setup`: the one cell in which a lesson is prepared."""

import os
import platform
import random
import warnings
from dataclasses import dataclass

import numpy as np
import psutil
import torch
import torchvision

from lessons.errors import LessonsError
from lessons.plots.showing import style


@dataclass(frozen=True)
class Setup:
    """What `setup` chose: the device that the lesson computes on, and the seed of everything random."""

    device: torch.device
    seed: int


def setup(seed: int = 0, threads: int | None = None) -> Setup:
    """Prepare a lesson: seeds, threads, plot style; print versions, device, seed and memory.

    Args:
        seed: of Python's, numpy's and torch's global generators.
        threads: CPU threads of torch; None keeps torch's choice.
    """
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (libraries that a reader may add draw from the global generator)
    torch.manual_seed(seed)
    if threads is not None:
        torch.set_num_threads(threads)
    style()
    quieten()
    device = choose_device()
    print(
        f"Python {platform.python_version()} · torch {short(torch.__version__)} · "
        f"torchvision {short(torchvision.__version__)}"
    )
    print(f"device {describe(device)} · {torch.get_num_threads()} CPU thread(s)")
    print(f"seed {seed} · {psutil.virtual_memory().total / 2**30:.0f} GiB of memory")
    return Setup(device, seed)


def choose_device() -> torch.device:
    """CUDA if there is a GPU, else Apple's MPS, else the CPU. `LESSONS_DEVICE` names another.

    Raises:
        LessonsError: `LESSONS_DEVICE` names no device of torch.
    """
    wanted = os.environ.get("LESSONS_DEVICE")
    if wanted:
        try:
            return torch.device(wanted)
        except RuntimeError:
            raise LessonsError(f"LESSONS_DEVICE={wanted} is no device: set it to cpu, cuda or mps.") from None
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def describe(device: torch.device) -> str:
    """The device's name, and what hardware it is."""
    if device.type != "cuda":
        return {"cpu": "cpu", "mps": "mps (Apple GPU)"}.get(device.type, str(device))
    memory = torch.cuda.get_device_properties(device).total_memory / 2**30
    return f"cuda ({torch.cuda.get_device_name(device)}, {memory:.0f} GiB)"


def short(version: str) -> str:
    """ "2.9.1+cpu" -> "2.9.1"."""
    return version.split("+")[0]


def quieten() -> None:
    """Silence the two warnings that say nothing to a reader; all others stay."""
    warnings.filterwarnings("ignore", message="IProgress not found")
    warnings.filterwarnings("ignore", message=".*pin_memory.*")
