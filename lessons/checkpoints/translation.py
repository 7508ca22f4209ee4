"""From the names and shapes of a foreign weight file to ours: rules, one list per family of files.

A *layout* says for every entry of our model which entry of the file it comes from, and for the few whose
numbers are arranged otherwise (colours, classes, background) how they are turned.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from lessons.checkpoints.fitting import check_fit
from lessons.errors import LessonsError

Turn = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Layout:
    """How files of one family name and arrange what our models hold.

    Args:
        family: for sentences: "a detectron2 Mask R-CNN".
        rules: pairs of a pattern for our name and a template for theirs, `{name}` standing for a group of the
            pattern. The first that fits counts.
        turns: by our name, what makes our numbers of theirs.
    """

    family: str
    rules: tuple[tuple[str, str], ...]
    turns: Mapping[str, Turn] = field(default_factory=dict)

    def their_name(self, name: str) -> str:
        """The file's name of one of our entries.

        Raises:
            LessonsError: the file has nothing like it.
        """
        for pattern, template in self.rules:
            found = re.fullmatch(pattern, name)
            if found:
                return template.format(**found.groupdict())
        raise LessonsError(f"{name} has no place in a file of {self.family}: build the model as published.")

    def names(self, model: nn.Module) -> dict[str, str]:
        """Our name of every entry of a model's state dict -> theirs; counters of batches are left out."""
        ours = [name for name in model.state_dict() if not name.endswith("num_batches_tracked")]
        return {name: self.their_name(name) for name in ours}

    def put(self, model: nn.Module, entries: Mapping[str, Tensor], path: str | Path) -> None:
        """Copy the entries of a file into a model, all of them or none.

        Raises:
            DataError: entries are missing, that no part of the model takes, or of another shape.
        """
        names = self.names(model)
        ours = model.state_dict()  # the model's own memory
        turned, back = {}, {theirs: name for name, theirs in names.items()}
        for theirs, entry in entries.items():
            name = back.get(theirs)
            turn = self.turns.get(name) if name else None
            turned[theirs] = entry if turn is None or entry.ndim == 0 else turn(entry)
        check_fit(turned, {theirs: tuple(ours[name].shape) for name, theirs in names.items()}, path)
        with torch.no_grad():
            for name, theirs in names.items():
                ours[name].copy_(turned[theirs])
