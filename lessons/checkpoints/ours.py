"""Our own weight files: safetensors, which hold named tensors and a few texts, and nothing that could run.

The names are those of `model.state_dict()`. Beside them lie texts on where the weights are from: the config,
the command, the score.
"""

from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from lessons.checkpoints.fitting import check_fit
from lessons.errors import DataError
from lessons.files import write_atomically


def save(
    model: nn.Module,
    path: str | Path,
    metadata: Mapping[str, object] | None = None,
    dtype: torch.dtype | None = None,
) -> None:
    """Write a model's weights; the file is the old one or the whole new one, never half.

    Args:
        metadata: what to say of them, as text: {"config": "solo-mini", "AP": 0.5}.
        dtype: of the numbers in the file; float16 halves it, and costs each weight a part in 2,000 at most.
            None: as they are.
    """
    entries = {
        name: entry.detach().cpu().to(dtype if entry.is_floating_point() else None).contiguous()
        for name, entry in _entries(model).items()
    }
    texts = {str(name): str(value) for name, value in (metadata or {}).items()}
    write_atomically(path, safetensors.torch.save(entries, texts))


def load(model: nn.Module, path: str | Path) -> dict[str, str]:
    """Put the weights of a file into a model, all of them or none; gives the texts beside them.

    Raises:
        DataError: the file is missing or damaged, or entries are missing, extra or of another shape.
    """
    entries, texts = read(path)
    ours = _entries(model)
    check_fit(entries, {name: tuple(entry.shape) for name, entry in ours.items()}, path)
    with torch.no_grad():
        for name, entry in ours.items():  # the model's own memory
            entry.copy_(entries[name])
    return texts


def load_matching(model: nn.Module, path: str | Path) -> list[str]:
    """Put those weights of a file into a model that have a place of that name and shape; the rest stay.

    For a model that begins with what a relative has learnt.

    Returns:
        the names of the model's entries that the file had nothing for.

    Raises:
        DataError: as `read`; or nothing fits.
    """
    entries, _ = read(path)
    ours = _entries(model)
    fitting = [name for name, entry in ours.items() if name in entries and entries[name].shape == entry.shape]
    if not fitting:
        raise DataError(f"{path} has nothing in common with this model: name weights of a relative.")
    with torch.no_grad():
        for name in fitting:
            ours[name].copy_(entries[name])
    return [name for name in ours if name not in fitting]


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The entries and the texts of a file, on the CPU.

    Raises:
        DataError: the file is missing, or no safetensors file.
    """
    path = Path(path).expanduser()
    try:
        with safetensors.safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except FileNotFoundError:
        raise DataError(f"{path} does not exist: name the weights that you have, or train some.") from None
    except (safetensors.SafetensorError, OSError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{path} cannot be read as safetensors ({reason}): give weights that lessons.checkpoints.ours "
            "saved."
        ) from None


def _entries(model: nn.Module) -> dict[str, Tensor]:
    """The state, but for BatchNorm's counters of batches, which nothing reads."""
    state = model.state_dict()
    return {name: entry for name, entry in state.items() if not name.endswith("num_batches_tracked")}
