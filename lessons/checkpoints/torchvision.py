"""torchvision's Mask R-CNN (`maskrcnn_resnet50_fpn`, .pth): its names, and ours.

theirs                                      ours
backbone.body.layer1.0.conv1.weight         backbone.body.layer1.0.conv1.weight
backbone.fpn.inner_blocks.0.0.weight        backbone.lateral.p2.weight          (older files: one 0 less)
backbone.fpn.layer_blocks.0.0.weight        backbone.output.p2.weight
rpn.head.conv.0.0.weight                    rpn.head.conv.weight                (rpn.head.conv.weight)
rpn.head.cls_logits.weight                  rpn.head.objectness.weight
rpn.head.bbox_pred.weight                   rpn.head.deltas.weight
roi_heads.box_head.fc6.weight               box_branch.head.fc1.weight
roi_heads.box_predictor.cls_score.weight    box_branch.head.category.weight
roi_heads.box_predictor.bbox_pred.weight    box_branch.head.deltas.weight       without background's four
roi_heads.mask_head.0.0.weight              mask_branch.head.convs.0.weight     (mask_head.mask_fcn1.weight)
roi_heads.mask_predictor.conv5_mask.weight  mask_branch.head.up.weight
roi_heads.mask_predictor.mask_fcn_logits.…  mask_branch.head.masks.weight       without background's
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor, nn

from lessons.checkpoints import tensors
from lessons.checkpoints.translation import Layout

# Names of files from before torchvision 0.13 -> today's.
RENAMED = (
    (r"(backbone\.fpn\.(?:inner|layer)_blocks\.\d)\.(weight|bias)", r"\1.0.\2"),
    (r"rpn\.head\.conv\.(weight|bias)", r"rpn.head.conv.0.0.\1"),
    (r"roi_heads\.mask_head\.mask_fcn(\d)\.(weight|bias)", None),  # counts from 1
)


def _rules() -> tuple[tuple[str, str], ...]:
    end = r"\.(?P<end>weight|bias)"
    levels = [
        (rf"backbone\.{ours}\.p{level}{end}", f"backbone.fpn.{theirs}_blocks.{level - 2}.0.{{end}}")
        for ours, theirs in (("lateral", "inner"), ("output", "layer"))
        for level in (2, 3, 4, 5)
    ]
    return (
        (r"(?P<same>backbone\.body\..+)", "{same}"),
        *levels,
        (rf"rpn\.head\.conv{end}", "rpn.head.conv.0.0.{end}"),
        (rf"rpn\.head\.objectness{end}", "rpn.head.cls_logits.{end}"),
        (rf"rpn\.head\.deltas{end}", "rpn.head.bbox_pred.{end}"),
        (rf"box_branch\.head\.fc1{end}", "roi_heads.box_head.fc6.{end}"),
        (rf"box_branch\.head\.fc2{end}", "roi_heads.box_head.fc7.{end}"),
        (rf"box_branch\.head\.category{end}", "roi_heads.box_predictor.cls_score.{end}"),
        (rf"box_branch\.head\.deltas{end}", "roi_heads.box_predictor.bbox_pred.{end}"),
        (rf"mask_branch\.head\.convs\.(?P<number>\d){end}", "roi_heads.mask_head.{number}.0.{end}"),
        (rf"mask_branch\.head\.up{end}", "roi_heads.mask_predictor.conv5_mask.{end}"),
        (rf"mask_branch\.head\.masks{end}", "roi_heads.mask_predictor.mask_fcn_logits.{end}"),
    )


def _without_first(count: int) -> Callable[[Tensor], Tensor]:
    return lambda entry: entry[count:]


LAYOUT = Layout(
    "torchvision's Mask R-CNN",
    _rules(),
    {
        f"{name}.{end}": _without_first(count)
        for name, count in (("box_branch.head.deltas", 4), ("mask_branch.head.masks", 1))
        for end in ("weight", "bias")
    },
)


def load(model: nn.Module, path: str | Path) -> None:
    """Put the weights of a file into a `MaskRCNN`; all of them or none.

    Raises:
        DataError: the file is missing, damaged or refused, or is of another model.
    """
    LAYOUT.put(model, todays_names(tensors.read(path)), path)


def todays_names(entries: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries by the names that torchvision gives them today."""
    return {_todays_name(name): entry for name, entry in entries.items()}


def _todays_name(name: str) -> str:
    for pattern, template in RENAMED:
        found = re.fullmatch(pattern, name)
        if found and template is None:
            return f"roi_heads.mask_head.{int(found[1]) - 1}.0.{found[2]}"
        if found:
            return found.expand(template)
    return name
