"""Whether the entries of a file are those that a model waits for."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from lessons.errors import DataError

SHOWN = 3  # names in a message


def check_fit(entries: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]], path: str | Path) -> None:
    """See that a file has the entries of a model, all of them and no others, in the right shapes.

    BatchNorm's counters of batches may be there: nothing reads them.

    Args:
        entries: of the file. shapes: by the same names, of the model.

    Raises:
        DataError: one sentence with the first few names that are missing, extra or of another shape.
    """
    missing = [name for name in shapes if name not in entries]
    extra = [name for name in entries if name not in shapes and not name.endswith("num_batches_tracked")]
    misshapen = [
        f"{name} ({_times(entries[name].shape)}, not {_times(shape)})"
        for name, shape in shapes.items()
        if name in entries and tuple(entries[name].shape) != shape
    ]
    problems = [
        f"{len(names)} {kind}: {', '.join(names[:SHOWN])}{' …' if len(names) > SHOWN else ''}"
        for kind, names in (("missing", missing), ("extra", extra), ("of another shape", misshapen))
        if names
    ]
    if problems:
        raise DataError(
            f"{path} does not fit this model ({'; '.join(problems)}): choose the model that the file is of."
        )


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "a number"
