"""Everything that a run needs to go on as if it had never stopped, in one file.

A file is written beside and then renamed: a run killed while it saves has the file before, whole. Files hold
tensors, numbers and texts only, and reading them never executes code.
"""

import io
import pickle
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lessons.errors import DataError
from lessons.files import write_atomically

PATTERN = re.compile(r"checkpoint-(\d+)\.pt")


def save(path: str | Path, state: dict[str, Any]) -> None:
    """Write the state: tensors, numbers, texts, and dicts, lists and tuples of them."""
    content = io.BytesIO()
    torch.save(state, content)
    write_atomically(path, content.getvalue())


def load(path: str | Path) -> dict[str, Any]:
    """The state, on the CPU.

    Raises:
        DataError: there is no such file, or it is no checkpoint.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist: name a checkpoint, or start anew.") from None
    except (
        pickle.UnpicklingError,
        RuntimeError,
        OSError,
        EOFError,
        ValueError,
        KeyError,
        AttributeError,
    ) as error:
        raise DataError(
            f"{path} cannot be read as a checkpoint ({type(error).__name__}): "
            "delete it to go on from the one before."
        ) from None


def save_newest(folder: Path, iteration: int, state: dict[str, Any], keep: int) -> Path:
    """Write checkpoint-ITERATION.pt, and only then delete what is older than the last `keep`."""
    path = folder / f"checkpoint-{iteration:08}.pt"
    save(path, state)
    for old in in_order(folder)[:-keep]:
        old.unlink(missing_ok=True)
    return path


def newest(folder: Path) -> Path | None:
    """The checkpoint with the most iterations; None if there is none."""
    found = in_order(folder)
    return found[-1] if found else None


def in_order(folder: Path) -> list[Path]:
    """All checkpoints of a run, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(
        (path for path in folder.iterdir() if PATTERN.fullmatch(path.name)),
        key=lambda path: int(PATTERN.fullmatch(path.name).group(1)),
    )


def random_state() -> dict[str, Any]:
    """Where all the dice of this process lie: Python's, NumPy's, torch's, and each GPU's."""
    # NumPy's global dice are old-fashioned (NPY002), and a reader's transform may throw them all the same.
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    return {
        "python": random.getstate(),
        "numpy": (name, keys.tolist(), *rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Lay the dice as they were. GPUs that this machine has not are passed over."""
    random.setstate(state["python"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    for number, cuda in enumerate(state["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(cuda, number)
