"""Our Mask R-CNN beside torchvision's, with the same weights: inference and training, on one and two threads.

Both models hold the same random weights, see the same picture and find the same hundred boxes, so both do the
same work. The simple form (one level of stride 32, as in line-by-line tutorials) is another model; it stands
beside them because such models are praised for their speed.
"""

import functools
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from benchmarks.measure import Apart, interleaved, table
from benchmarks.solo import SIZE, ellipses, hundred, picture
from lessons import boxes, configs, zoo
from lessons.checkpoints.torchvision import LAYOUT, todays_names
from lessons.mask_rcnn.box_head import Detecting

Work = Callable[[], object]
MEMORY_GOAL = 1.5  # GB
INFERENCE_GOAL, TRAINING_GOAL, SIMPLE_GOAL = 0.80, 0.90, 1 / 1.5
YARDSTICK = "torchvision `maskrcnn_resnet50_fpn`"
NAME = "mask-rcnn-r50-fpn-torchvision"


def theirs(frozen: bool) -> nn.Module:
    """torchvision's model with random weights, the same every time.

    Args:
        frozen: with fixed normalisations and two fixed stages, as torchvision trains it from ImageNet's
            weights; else as `maskrcnn_resnet50_fpn(weights=None)` builds it.
    """
    from torchvision.models.detection import MaskRCNN, maskrcnn_resnet50_fpn
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
    from torchvision.ops.misc import FrozenBatchNorm2d

    torch.manual_seed(0)
    sides = {"min_size": min(SIZE), "max_size": max(SIZE)}
    if not frozen:
        return maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, box_score_thresh=0.0, **sides)
    backbone = resnet_fpn_backbone(
        backbone_name="resnet50", weights=None, norm_layer=FrozenBatchNorm2d, trainable_layers=3
    )
    return MaskRCNN(backbone, 91, **sides)


def ours() -> nn.Module:
    """Our model of torchvision's form, with its weights."""
    config = configs.read(NAME)
    model = zoo.build(
        configs.merge(config, {"model": {"backbone": {"norm": "frozen"}}})
    )  # eps as without COCO's
    LAYOUT.put(model, todays_names(theirs(frozen=False).state_dict()), NAME)
    return model


def ours_to_train() -> nn.Module:
    """The same, laid out as `lessons.training.train` does."""
    return ours().to(memory_format=torch.channels_last)


def their_inference() -> Work:
    """A picture through torchvision's model: 100 detections."""
    model, image = theirs(frozen=False).eval(), picture()
    return torch.no_grad()(lambda: hundred(model([image])))


def our_inference() -> Work:
    """The same through ours, as `lessons.load` would run it."""
    model, image = ours().for_inference(), picture()
    model.decoding = Detecting(score_threshold=0.0)
    return lambda: hundred(model([image]))


def simple_inference() -> Work:
    """Through the simple form with random weights."""
    torch.manual_seed(0)
    model, image = zoo.build("mask-rcnn-simple-r50").for_inference(), picture()
    model.decoding = Detecting(score_threshold=0.0)
    return lambda: hundred(model([image]))


def batch_of_two() -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    """Two pictures with 8 objects each."""
    masks = ellipses(8, SIZE)
    target = {"boxes": boxes.from_masks(masks), "labels": torch.arange(1, 9), "masks": masks}
    return [picture(), picture().flip(2)], [target, target]


def training(make: Callable[[], nn.Module]) -> Work:
    """Forward and backward of a batch of two, and one step of SGD; the weights laid out as for training."""
    model = make().train()
    images, targets = batch_of_two()
    optimiser = torch.optim.SGD([w for w in model.parameters() if w.requires_grad], lr=1e-6)

    def step() -> None:
        losses = model(images, [dict(target) for target in targets])
        optimiser.zero_grad(set_to_none=True)
        sum(losses.values()).backward()
        optimiser.step()

    return step


INFERENCE = {
    YARDSTICK: (their_inference, None),
    "ours, the same weights": (our_inference, INFERENCE_GOAL),
    "ours, the simple form": (simple_inference, SIMPLE_GOAL),
}
TRAINING = {
    YARDSTICK: (functools.partial(training, functools.partial(theirs, frozen=True)), None),
    "ours, the same weights": (functools.partial(training, ours_to_train), TRAINING_GOAL),
}


def inference(rounds: int, threads: int, models: Mapping = INFERENCE) -> str:
    """Seconds, ratios and memory of one picture."""
    return beside(models, rounds, threads, f"{threads} thread(s), one picture", MEMORY_GOAL)


def training_steps(rounds: int, threads: int, models: Mapping = TRAINING) -> str:
    """Seconds, ratios and memory of one training step."""
    return beside(models, rounds, threads, f"{threads} thread(s), a step with two pictures", None)


def beside(models: Mapping, rounds: int, threads: int, head: str, memory_goal: float | None) -> str:
    """Seconds, ratios to the first and memory of models, each in a process of its own."""
    apart = {name: Apart(make, threads) for name, (make, _) in models.items()}
    try:
        seconds = interleaved(apart, rounds)
        memory = {name: process.peak_memory() / 1e9 for name, process in apart.items()}
    finally:
        for process in apart.values():
            process.close()
    yardstick = min(next(iter(seconds.values())))
    rows = []
    for name, (_, goal) in models.items():
        ratio = min(seconds[name]) / yardstick
        goals = ("", "")
        if goal is not None:
            within = "" if memory_goal is None else f"{memory_goal}, {_met(memory[name] <= memory_goal)}"
            goals = (f"{goal:.2f}, {_met(ratio <= goal)}", within)
        rows.append(
            (name, f"{min(seconds[name]):.3f}", f"{ratio:.2f}", goals[0], f"{memory[name]:.2f}", goals[1])
        )
    return table((head, "s", "ratio", "goal", "GB", "goal"), rows)


def parts_of_a_step() -> str:
    """Where the time of a training step goes, ours, on one thread."""
    from torch.profiler import profile, record_function

    model = zoo.build(NAME).train()
    images, targets = batch_of_two()
    _marked(model, record_function)
    with profile() as seen:
        for _ in range(2):
            sum(model(images, targets).values()).backward()
    found = {event.key: event.cpu_time_total / 2e6 for event in seen.key_averages()}
    rows = [(label, f"{found.get(label, 0.0):.3f}") for label, _, _ in STAGES]
    return table(("stage of the forward pass", "s"), rows)


# What is timed: a label, the part of the model, its method.
STAGES = (
    ("normalising and padding", "", "prepare"),
    ("backbone", "backbone", "forward"),
    ("RPN head and anchors", "rpn", "forward"),
    ("matching, sampling and losses of the RPN", "rpn", "loss"),
    ("proposals", "rpn", "propose"),
    ("choosing regions", "box_branch", "choose"),
    ("box branch", "box_branch", "forward"),
    ("box losses", "box_branch", "loss"),
    ("mask branch, its targets and loss", "mask_branch", "loss"),
)


def _marked(model: nn.Module, record: Callable) -> None:
    """Put a label around each stage, so that the profiler tells them apart."""
    for label, part, method in STAGES:
        owner = model.get_submodule(part) if part else model
        work = getattr(owner, method)

        def labelled(*inputs, work=work, label=label, **named):
            with record(label):
                return work(*inputs, **named)

        setattr(owner, method, labelled)


def _met(met: bool) -> str:
    return "met" if met else "missed"
