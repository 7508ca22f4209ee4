"""The official SOLO checkpoints (.pth): their names of all weights, and ours.

    theirs                                  ours
    backbone.layer1.0.conv1.weight          backbone.body.layer1.0.conv1.weight
    neck.lateral_convs.0.conv.weight        backbone.lateral.p2.weight
    neck.fpn_convs.0.conv.weight            backbone.output.p2.weight
    bbox_head.cate_convs.0.conv.weight      head.category_tower.0.0.weight
    bbox_head.cate_convs.0.gn.weight        head.category_tower.0.1.weight
    bbox_head.ins_convs.0.conv.weight       head.mask_tower.0.0.weight       (ins_convs_x: mask_tower_x)
    bbox_head.solo_cate.weight              head.category.weight             (decoupled: dsolo_cate)
    bbox_head.solo_ins_list.0.weight        head.masks.0.weight              (dsolo_ins_list_x: masks_x)

A file is a dict whose "state_dict" holds them, beside "meta" and, while training, "optimizer".
"""

import io
import re
from pathlib import Path

import torch
from torch import nn

from lessons.checkpoints import tensors
from lessons.checkpoints.fitting import check_fit
from lessons.errors import LessonsError
from lessons.files import write_atomically

# Ours -> theirs; {p} is the number of a pyramid level less 2, {d} "d" in decoupled models.
RULES = (
    (r"backbone\.body\.(?P<rest>.+)", "backbone.{rest}"),
    (r"backbone\.lateral\.p(?P<level>\d)\.(?P<rest>.+)", "neck.lateral_convs.{p}.conv.{rest}"),
    (r"backbone\.output\.p(?P<level>\d)\.(?P<rest>.+)", "neck.fpn_convs.{p}.conv.{rest}"),
    (r"head\.category_tower\.(?P<n>\d+)\.0\.(?P<rest>.+)", "bbox_head.cate_convs.{n}.conv.{rest}"),
    (r"head\.category_tower\.(?P<n>\d+)\.1\.(?P<rest>.+)", "bbox_head.cate_convs.{n}.gn.{rest}"),
    (
        r"head\.mask_tower(?P<axis>|_x|_y)\.(?P<n>\d+)\.0\.(?P<rest>.+)",
        "bbox_head.ins_convs{axis}.{n}.conv.{rest}",
    ),
    (
        r"head\.mask_tower(?P<axis>|_x|_y)\.(?P<n>\d+)\.1\.(?P<rest>.+)",
        "bbox_head.ins_convs{axis}.{n}.gn.{rest}",
    ),
    (r"head\.category\.(?P<rest>.+)", "bbox_head.{d}solo_cate.{rest}"),
    (r"head\.masks(?P<axis>|_x|_y)\.(?P<n>\d+)\.(?P<rest>.+)", "bbox_head.{d}solo_ins_list{axis}.{n}.{rest}"),
)


def official_names(model: nn.Module) -> dict[str, str]:
    """Our name of every entry of a `SOLO` model's state dict -> the official one.

    BatchNorm's counters of batches are left out: nothing reads them, and not every file has them.

    Raises:
        LessonsError: the model has entries that an official SOLO has not.
    """
    ours = [name for name in model.state_dict() if not name.endswith("num_batches_tracked")]
    decoupled = any(name.startswith("head.masks_x.") for name in ours)
    return {name: _official_name(name, "d" if decoupled else "") for name in ours}


def load_official(model: nn.Module, path: str | Path) -> None:
    """Put the weights of an official file into a `SOLO` model; all of them or none.

    Raises:
        DataError: as `tensors.read`; or entries that are missing, that no part of the model takes, or of
            another shape: one sentence with the first few names.
    """
    entries = tensors.read(path)
    names = official_names(model)
    shapes = {names[name]: tuple(entry.shape) for name, entry in model.state_dict().items() if name in names}
    check_fit(entries, shapes, path)
    with torch.no_grad():
        for name, entry in model.state_dict().items():  # the model's own memory
            if name in names:
                entry.copy_(entries[names[name]])


def save_official(model: nn.Module, path: str | Path, meta: dict | None = None) -> None:
    """Write a `SOLO` model's weights to a file in the official layout, which the official code reads.

    Args:
        meta: plain values to keep beside them, such as {"CLASSES": (...)}.
    """
    names = official_names(model)
    entries = {names[name]: entry.cpu() for name, entry in model.state_dict().items() if name in names}
    file = io.BytesIO()
    torch.save({"meta": meta or {}, "state_dict": entries}, file)
    write_atomically(path, file.getvalue())


def _official_name(name: str, d: str) -> str:
    for pattern, template in RULES:
        found = re.fullmatch(pattern, name)
        if found:
            parts = found.groupdict()
            return template.format(d=d, p=int(parts.get("level") or 2) - 2, **parts)
    raise LessonsError(f"{name} has no place in an official SOLO checkpoint: build the model as published.")
