"""Torchvision's ResNet checkpoints (.pth), trained on ImageNet, for a backbone to begin with."""

from pathlib import Path

from torch import nn

from lessons.checkpoints.fitting import check_fit
from lessons.checkpoints.tensors import read

CLASSIFIER = ("fc.weight", "fc.bias")  # of the 1000 classes of ImageNet


def load(body: nn.Module, path: str | Path) -> None:
    """Put the weights of a classification checkpoint into a `ResNet` of the same depth, all or none.

    Raises:
        DataError: the file is missing or damaged, or is of another network.
    """
    entries = {name: entry for name, entry in read(path).items() if name not in CLASSIFIER}
    state = body.state_dict()
    shapes = {name: tuple(entry.shape) for name, entry in state.items() if "num_batches" not in name}
    check_fit(entries, shapes, path)
    body.load_state_dict({name: entries.get(name, entry) for name, entry in state.items()})
