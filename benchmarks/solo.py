"""SOLO beside torchvision's Mask R-CNN: whole models, target assignment and Matrix NMS, on one thread.

Time does not depend on what weights were trained on, only on how much is found. So all weights are random;
those of SOLO's predictors are scaled and shifted until about a thousand pairs of a cell and a class pass the
threshold: more than in most photographs. Every model gives 100 objects, each with a mask of 800 × 1216.
"""

import functools
from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.measure import Apart, interleaved, table
from lessons import boxes
from lessons.backbones import resnet_pyramid
from lessons.solo import fast, heads, targets
from lessons.solo.model import SOLO

SIZE = (800, 1216)  # height and width, multiples of 32
MASKS = (200, 304)  # of the finest masks, SIZE / 4
CANDIDATES = 1000
YARDSTICK = "torchvision Mask R-CNN"
MEMORY_GOAL = 1.6  # GB
Work = Callable[[], object]


def mask_rcnn() -> Work:
    """The yardstick: torchvision's `maskrcnn_resnet50_fpn`, 100 detections."""
    from torchvision.models.detection import maskrcnn_resnet50_fpn

    torch.manual_seed(0)
    sides = {"min_size": min(SIZE), "max_size": max(SIZE)}
    model = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, box_score_thresh=0.0, **sides).eval()
    image = picture()
    return torch.no_grad()(lambda: hundred(model([image])))


def solo(head: type[nn.Module]) -> Work:
    """SOLO with a ResNet-50, as `lessons.load` would run it."""
    torch.manual_seed(0)
    model = SOLO(resnet_pyramid(50, norm="still"), head()).for_inference()
    image = picture()
    awaken(model, image)
    return lambda: hundred(model([image]))


@torch.no_grad()
def awaken(model: SOLO, image: Tensor, candidates: int = CANDIDATES) -> None:
    """Change an untrained head's predictors so that it finds things in the image.

    Masks get an even share of the image, and as many pairs of a cell and a class pass the threshold as
    `candidates` says, before point NMS takes some away.
    """
    head = model.head
    for name, predictors in head.named_children():
        if name.startswith("masks"):
            for predictor in predictors:
                predictor.weight.mul_(20)
                predictor.bias.fill_(1)
    head.category.weight.mul_(5)
    head.category.bias.zero_()
    levels = fast.head_levels(model.backbone, model.prepare([image]).tensor)
    logits = [head.category_branch(level, grid) for level, grid in zip(levels, head.grids, strict=True)]
    best = torch.cat([one.flatten() for one in logits]).topk(candidates).values
    head.category.bias.fill_(torch.tensor(model.decoding.score_threshold).logit() - best[-1])


def assignment() -> Work:
    """The targets of 15 objects on five levels."""
    masks = ellipses(15, SIZE)
    target = {"boxes": boxes.from_masks(masks), "labels": torch.arange(1, 16), "masks": masks}
    sizes = [tuple(side // stride for side in SIZE) for stride in (4, 4, 8, 16, 16)]
    return lambda: targets.batch_targets([target], SIZE, heads.GRIDS, sizes)


def matrix_nms(labels: int) -> Work:
    """Matrix NMS of 500 masks that have so many labels, by turns."""
    masks, scores = ellipses(500, MASKS), torch.linspace(1, 0.1, 500)
    return lambda: fast.matrix_nms(masks, torch.arange(500) % labels + 1, scores)


MODELS = {
    YARDSTICK: (mask_rcnn, None),
    "`SOLO`": (functools.partial(solo, heads.SOLOHead), 0.95),
    "Decoupled `SOLO`": (functools.partial(solo, heads.DecoupledSOLOHead), 1.35),
}
PARTS = {
    "targets of 15 objects, five levels": (assignment, 0.003),
    "Matrix NMS, 500 masks, 80 labels": (functools.partial(matrix_nms, 80), 0.015),
    "Matrix NMS, 500 masks, one label": (functools.partial(matrix_nms, 1), 0.03),
}


def beside_mask_rcnn(rounds: int, models: Mapping = MODELS, parts: Mapping = PARTS) -> str:
    """Models in processes of their own, parts in this one, all by turns; ratios of their fastest rounds."""
    apart = {name: Apart(make) for name, (make, _) in models.items()}
    try:
        seconds = interleaved(apart | {name: make() for name, (make, _) in parts.items()}, rounds)
        memory = {name: process.peak_memory() / 1e9 for name, process in apart.items()}
    finally:
        for process in apart.values():
            process.close()
    rows = [_row(name, goal, seconds, memory.get(name)) for name, (_, goal) in (models | parts).items()]
    return table(("one thread, 800×1216", "s", "ratio", "goal", "GB", f"goal {MEMORY_GOAL}"), rows)


def _row(
    name: str, goal: float | None, seconds: Mapping[str, Sequence[float]], memory: float | None
) -> tuple[str, ...]:
    spent = min(seconds[name])
    peak = "" if memory is None else f"{memory:.2f}"
    if goal is None:
        return name, f"{spent:.3f}", "1", "", peak, ""
    ratio = spent / min(seconds[YARDSTICK])
    shown = "{:.2f}" if goal > 0.1 else "{:.2%}"
    met = f"{shown.format(goal)}, {_met(ratio <= goal)}"
    return name, f"{spent:.3f}", shown.format(ratio), met, peak, peak and _met(memory <= MEMORY_GOAL)


def picture() -> Tensor:
    """(3, *SIZE) in [0, 1], the same every time: soft blobs of colour."""
    coarse = torch.rand(1, 3, 25, 38, generator=torch.Generator().manual_seed(0))
    return F.interpolate(coarse, size=SIZE, mode="bilinear").squeeze(0)


def ellipses(count: int, size: tuple[int, int]) -> Tensor:
    """(count, *size) bool, the same every time: places anywhere, half axes of 3 to 30 % of the side."""
    draw = torch.rand(count, 4, 1, 1, generator=torch.Generator().manual_seed(0))
    y, x = torch.linspace(0, 1, size[0])[:, None], torch.linspace(0, 1, size[1])
    half_y, half_x = (0.03 + 0.27 * draw[:, 2:]).unbind(dim=1)  # (count, 1, 1)
    return ((y - draw[:, 0]) / half_y) ** 2 + ((x - draw[:, 1]) / half_x) ** 2 <= 1


def hundred(answer: Sequence[dict[str, Tensor]]) -> None:
    """All must do the same work: 100 masks at the picture's size."""
    shape = tuple(answer[0]["masks"].shape)
    if (shape[0], *shape[-2:]) != (100, *SIZE):
        raise AssertionError(f"the model gave masks {shape}, not 100 of {SIZE}")


def _met(met: bool) -> str:
    return "met" if met else "missed"
