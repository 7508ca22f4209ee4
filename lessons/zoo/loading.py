"""From a name to a trained model: where the weights lie, or where they come from."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from lessons import configs
from lessons.checkpoints import detectron2, ours, solo, torchvision
from lessons.downloads import fetch
from lessons.errors import DataError, LessonsError
from lessons.files import cache_folder, exists, shipped_data
from lessons.zoo.building import OFFICIAL, build, checked_resize, decoding

# How official files are arranged: the function that reads one into a model.
LAYOUTS = {"solo": solo.load_official, "torchvision": torchvision.load, "detectron2": detectron2.load}


def names() -> list[str]:
    """Everything that `load` knows."""
    return configs.names()


def load(
    name: str | Path,
    weights: str | Path | None = None,
    *,
    resize: tuple[int, int] | Literal["official"] | None = OFFICIAL,
    device: str | torch.device | None = None,
    sha256: str | None = None,
    **test_options: Any,
) -> nn.Module:
    """A trained model, in evaluation mode and in its fast form; `model.predict("photo.jpg")` uses it.

    Args:
        name: one of `names()`, or the path of a .toml file, as `lessons train` leaves it beside its weights.
        weights: a file: .safetensors of this course, or an official .pth. None: what ships with the
            repository, or the published file, which is downloaded once, after its licence was said.
        resize: (short, long) sides that `predict` gives a picture; left out: those of the config; None: the
            picture as it is, padded to a multiple of 32.
        device: None: a GPU if there is one, else the CPU.
        sha256: the checksum to hold a published file to, where the config knows none; 8 digits or more.
        test_options: fields of the family's `Decoding`: score_threshold, max_detections ... What is left
            out is the config's.

    Returns:
        the model, with `.classes`, the names of the labels 1..C, and `.name`. To train one, see `build`.

    Raises:
        LessonsError: an unknown name or option, or weights that cannot be had. DataError: weights that
            cannot be read, or are of another model.
    """
    config = configs.read(name)
    test = {**config.get("test", {}), **test_options}
    size = checked_resize(test.pop("resize", None) if resize == OFFICIAL else resize)
    test.pop("resize", None)
    decoding(config, test)  # before anything is downloaded
    where = chosen_device(device)
    path = find_weights(name, config.get("weights", {}), weights, sha256)
    model = build(name)
    model.decoding, model.resize = decoding(config, test), size
    put_weights(model, path, config.get("weights", {}).get("layout", "solo"))
    return model.for_inference().to(where)


def put_weights(model: nn.Module, path: str | Path, layout: str = "solo") -> None:
    """Read a file of weights into a model: .safetensors is ours, anything else official.

    Args:
        layout: how an official file is arranged, one of `LAYOUTS`; the config's [weights] says which.

    Raises:
        DataError: the file is missing, damaged, or of another model. LessonsError: no such layout.
    """
    if str(path).endswith(".safetensors"):
        ours.load(model, path)
        return
    if layout not in LAYOUTS:
        raise LessonsError(f"weights.layout={layout!r} is not known: choose one of {', '.join(LAYOUTS)}.")
    LAYOUTS[layout](model, path)


def find_weights(
    name: str | Path, entry: Mapping[str, str], weights: str | Path | None = None, sha256: str | None = None
) -> Path:
    """The file of a model's weights: the given one, the one beside the config, or the published one.

    Args:
        entry: the config's [weights].

    Raises:
        LessonsError: there is none, or it could not be verified.
    """
    if weights is not None:
        return Path(weights).expanduser()
    if not entry.get("file"):
        raise LessonsError(
            f"{name} has no weights of its own: train it with `lessons train {name}`, then give weights=PATH."
        )
    if "page" in entry:
        return _published(str(name), entry, sha256)
    own = str(name).endswith(".toml")
    path = (configs.path_of(name).parent if own else shipped_data() / "weights") / entry["file"]
    if not exists(path):
        raise DataError(
            f"{path} is missing: clone the whole repository, train with `lessons train {name}`, or give "
            "weights=PATH."
        )
    return path


def chosen_device(device: str | torch.device | None) -> torch.device:
    """A device by its name; None: a GPU if there is one, else the CPU.

    Raises:
        LessonsError: no such device here.
    """
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
        return torch.device(device)
    except (RuntimeError, AssertionError):  # torch without CUDA asserts
        raise LessonsError(
            f"device={str(device)!r} is not to be had here: choose cpu, or leave it out."
        ) from None


def _published(name: str, entry: Mapping[str, str], sha256: str | None) -> Path:
    """The official file, from the cache or from its address. Bytes that nobody vouches for are not loaded."""
    digest = sha256 or entry.get("sha256", "")
    if not digest or not entry.get("url"):
        lacks = "checksum" if entry.get("url") else "address"
        raise LessonsError(
            f"{name}: no {lacks} of {entry['file']} is published, so it is not downloaded unverified: get it "
            f"from {entry['page']} and give weights=PATH, or give the sha256 that you trust."
        )
    if not re.fullmatch("[0-9a-fA-F]{8,64}", digest):
        raise LessonsError(
            f"sha256={digest!r} is no SHA-256: give its 64 hexadecimal digits, or at least the first 8."
        )
    path = cache_folder() / "weights" / entry["file"]
    if not exists(path):
        print(f"{name}: downloading {entry['file']}. {entry['licence']}", flush=True)
    hint = f"give weights=PATH; the authors publish it at {entry['page']}"
    return fetch(entry["url"], path, sha256=digest, hint=hint)
