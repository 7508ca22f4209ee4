"""Official .pth files: pickles of tensors, read without executing anything."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from lessons.errors import DataError


def read(path: str | Path) -> dict[str, Tensor]:
    """The entries of an official file, by official name, on the CPU.

    Only tensors and plain containers are read: a file that asks for anything to be executed is refused.

    Raises:
        DataError: the file is missing, damaged or refused, or holds no state dict.
    """
    path = Path(path).expanduser()
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DataError(
            f"{path} does not exist: download the checkpoint, or name the file you have."
        ) from None
    except pickle.UnpicklingError:
        raise DataError(
            f"{path} is no checkpoint, or asks for more than tensors to be loaded, which is refused: "
            "use the file as its authors published it."
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError) as error:
        raise DataError(
            f"{path} cannot be read as a checkpoint ({type(error).__name__}): download it again."
        ) from None
    entries = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(entries, Mapping) or not all(isinstance(entry, Tensor) for entry in entries.values()):
        raise DataError(f"{path} holds no state_dict of tensors: give a checkpoint (.pth).")
    return dict(entries)
