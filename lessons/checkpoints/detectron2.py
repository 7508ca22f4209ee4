"""detectron2's model zoo (.pkl): its names, and ours.

    theirs                                          ours
    backbone.bottom_up.stem.conv1.weight            backbone.body.conv1.weight          colours reversed
    backbone.bottom_up.stem.conv1.norm.weight       backbone.body.bn1.weight
    backbone.bottom_up.res2.0.conv1.weight          backbone.body.layer1.0.conv1.weight
    backbone.bottom_up.res2.0.conv1.norm.weight     backbone.body.layer1.0.bn1.weight
    backbone.bottom_up.res2.0.shortcut.weight       backbone.body.layer1.0.downsample.0.weight
    backbone.fpn_lateral2.weight                    backbone.lateral.p2.weight
    backbone.fpn_output2.weight                     backbone.output.p2.weight
    proposal_generator.rpn_head.conv.weight         rpn.head.conv.weight
    …objectness_logits, …anchor_deltas              rpn.head.objectness, .deltas
    roi_heads.box_head.fc1.weight                   box_branch.head.fc1.weight
    roi_heads.box_predictor.cls_score.weight        box_branch.head.category.weight     background first
    roi_heads.box_predictor.bbox_pred.weight        box_branch.head.deltas.weight
    roi_heads.mask_head.mask_fcn1.weight            mask_branch.head.convs.0.weight
    roi_heads.mask_head.deconv.weight               mask_branch.head.up.weight
    roi_heads.mask_head.predictor.weight            mask_branch.head.masks.weight

and of PointRend, whose names have changed twice (`todays_names`):

    roi_heads.mask_head.coarse_head.reduce_spatial_dim_conv.weight     mask_branch.coarse.reduce.weight
    roi_heads.mask_head.coarse_head.fc1.weight                         mask_branch.coarse.fc1.weight
    roi_heads.mask_head.coarse_head.prediction.weight                  mask_branch.coarse.masks.weight
    roi_heads.mask_head.point_head.fc1.weight                          mask_branch.point.layers.0.weight
    roi_heads.mask_head.point_head.predictor.weight                    mask_branch.point.masks.weight

A file is a pickle of {"model": name -> array, "__author__": …}. A pickle can run any program, so it is read
by an unpickler that admits NumPy arrays and plain containers, and nothing else.
"""

import io
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lessons.checkpoints.translation import Layout
from lessons.errors import DataError

# All that the pickle of an array mentions, under NumPy's old and new names of its inner modules.
ADMITTED = {
    ("collections", "OrderedDict"),
    ("_codecs", "encode"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    *(
        (f"numpy.{core}.{module}", name)
        for core in ("core", "_core")
        for module, name in (
            ("multiarray", "_reconstruct"),
            ("multiarray", "scalar"),
            ("numeric", "_frombuffer"),
        )
    ),
}
# Entries of old files that today's models do not have.
IGNORED = ("proposal_generator.anchor_generator.cell_anchors.", "pixel_mean", "pixel_std")
# Names of PointRend's parts from January to November 2020, and those of the coarse head's layers until April
# 2021, with what they are called today.
RENAMED = (
    (r"^roi_heads\.mask_(coarse|point)_head\.", r"roi_heads.mask_head.\1_head."),
    (r"^(roi_heads\.mask_head\.coarse_head\.)coarse_mask_fc", r"\1fc"),
)


class Refused(Exception):
    """A pickle asks for something that is not admitted; the message names it."""


class SafeUnpickler(pickle.Unpickler):
    """Reads arrays and plain containers; refuses whatever else a file asks for."""

    def find_class(self, module: str, name: str) -> Any:
        """The one hook through which a pickle reaches code."""
        if (module, name) not in ADMITTED:
            raise Refused(f"{module}.{name}")
        return super().find_class(module, name)


def load(model: nn.Module, path: str | Path) -> None:
    """Put the weights of a model-zoo file into a `MaskRCNN`, PointRend's too; all of them or none.

    Raises:
        DataError: the file is missing, damaged or refused, or is of another model.
    """
    LAYOUT.put(model, completed(todays_names(read(path))), path)


def read(path: str | Path) -> dict[str, Tensor]:
    """The entries of a model-zoo file, by official name, on the CPU.

    Raises:
        DataError: the file is missing, damaged or refused, or holds no arrays.
    """
    path = Path(path).expanduser()
    try:
        content = SafeUnpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except FileNotFoundError:
        raise DataError(
            f"{path} does not exist: download the checkpoint, or name the file you have."
        ) from None
    except Refused as error:
        raise DataError(
            f"{path} asks for more than arrays to be loaded ({error}), which is refused: use the file as its "
            "authors published it."
        ) from None
    except Exception as error:  # a damaged pickle can fail in any way at all
        raise DataError(
            f"{path} cannot be read as a pickle ({type(error).__name__}): download it again."
        ) from None
    entries = content.get("model") if isinstance(content, Mapping) else None
    if not isinstance(entries, Mapping) or not all(_is_array(entry) for entry in entries.values()):
        raise DataError(f"{path} holds no model of arrays: give a file of detectron2's model zoo (.pkl).")
    return {str(name): torch.from_numpy(np.array(entry)) for name, entry in entries.items()}


def todays_names(entries: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries of a PointRend file of any age by the names of today's models; others as they are."""
    renamed = {}
    for name, entry in entries.items():
        for old, new in RENAMED:
            name = re.sub(old, new, name)
        renamed[name] = entry
    return renamed


def completed(entries: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries without those of old files that nothing reads, and with what a file may leave out.

    A normalisation without statistics, as Caffe2's were, has mean 0 and variance 1.
    """
    kept = {name: entry for name, entry in entries.items() if not name.startswith(IGNORED)}
    for name, entry in list(kept.items()):
        if name.endswith(".norm.weight"):
            kept.setdefault(name.replace(".weight", ".running_mean"), torch.zeros_like(entry))
            kept.setdefault(name.replace(".weight", ".running_var"), torch.ones_like(entry))
    return kept


def _is_array(entry: Any) -> bool:
    return isinstance(entry, np.ndarray) and entry.dtype.kind in "fiub"


def _rules() -> tuple[tuple[str, str], ...]:
    end = r"\.(?P<end>weight|bias)"
    norm = r"\.(?P<end>weight|bias|running_mean|running_var)"
    blocks = [
        rule
        for layer in (1, 2, 3, 4)
        for rule in (
            (
                rf"backbone\.body\.layer{layer}\.(?P<block>\d+)\.conv(?P<number>\d)\.weight",
                f"backbone.bottom_up.res{layer + 1}.{{block}}.conv{{number}}.weight",
            ),
            (
                rf"backbone\.body\.layer{layer}\.(?P<block>\d+)\.bn(?P<number>\d){norm}",
                f"backbone.bottom_up.res{layer + 1}.{{block}}.conv{{number}}.norm.{{end}}",
            ),
            (
                rf"backbone\.body\.layer{layer}\.(?P<block>\d+)\.downsample\.0\.weight",
                f"backbone.bottom_up.res{layer + 1}.{{block}}.shortcut.weight",
            ),
            (
                rf"backbone\.body\.layer{layer}\.(?P<block>\d+)\.downsample\.1{norm}",
                f"backbone.bottom_up.res{layer + 1}.{{block}}.shortcut.norm.{{end}}",
            ),
        )
    ]
    convolutions = [
        (rf"mask_branch\.head\.convs\.{number}{end}", f"roi_heads.mask_head.mask_fcn{number + 1}.{{end}}")
        for number in range(4)
    ]
    return (
        (r"backbone\.body\.conv1\.weight", "backbone.bottom_up.stem.conv1.weight"),
        (rf"backbone\.body\.bn1{norm}", "backbone.bottom_up.stem.conv1.norm.{end}"),
        *blocks,
        (rf"backbone\.lateral\.p(?P<level>\d){end}", "backbone.fpn_lateral{level}.{end}"),
        (rf"backbone\.output\.p(?P<level>\d){end}", "backbone.fpn_output{level}.{end}"),
        (rf"rpn\.head\.conv{end}", "proposal_generator.rpn_head.conv.{end}"),
        (rf"rpn\.head\.objectness{end}", "proposal_generator.rpn_head.objectness_logits.{end}"),
        (rf"rpn\.head\.deltas{end}", "proposal_generator.rpn_head.anchor_deltas.{end}"),
        (rf"box_branch\.head\.(?P<layer>fc\d){end}", "roi_heads.box_head.{layer}.{end}"),
        (rf"box_branch\.head\.category{end}", "roi_heads.box_predictor.cls_score.{end}"),
        (rf"box_branch\.head\.deltas{end}", "roi_heads.box_predictor.bbox_pred.{end}"),
        *convolutions,
        (rf"mask_branch\.head\.up{end}", "roi_heads.mask_head.deconv.{end}"),
        (rf"mask_branch\.head\.masks{end}", "roi_heads.mask_head.predictor.{end}"),
    )


def _background_first(entry: Tensor) -> Tensor:
    return torch.cat([entry[-1:], entry[:-1]])


def _reversed_colours(entry: Tensor) -> Tensor:
    """A convolution that reads blue, green, red -> the same for red, green, blue."""
    return entry.flip(1) if entry.ndim == 4 else entry


def _point_rend_rules() -> tuple[tuple[str, str], ...]:
    end = r"\.(?P<end>weight|bias)"
    layers = [
        (
            rf"mask_branch\.point\.layers\.{number}{end}",
            f"roi_heads.mask_head.point_head.fc{number + 1}.{{end}}",
        )
        for number in range(3)
    ]
    return (
        (
            rf"mask_branch\.coarse\.reduce{end}",
            "roi_heads.mask_head.coarse_head.reduce_spatial_dim_conv.{end}",
        ),
        (rf"mask_branch\.coarse\.(?P<layer>fc\d){end}", "roi_heads.mask_head.coarse_head.{layer}.{end}"),
        (rf"mask_branch\.coarse\.masks{end}", "roi_heads.mask_head.coarse_head.prediction.{end}"),
        *layers,
        (rf"mask_branch\.point\.masks{end}", "roi_heads.mask_head.point_head.predictor.{end}"),
    )


LAYOUT = Layout(
    "detectron2's model zoo",
    (*_rules(), *_point_rend_rules()),
    {
        "backbone.body.conv1.weight": _reversed_colours,
        "box_branch.head.category.weight": _background_first,
        "box_branch.head.category.bias": _background_first,
    },
)
