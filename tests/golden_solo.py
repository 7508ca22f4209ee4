"""The inputs of SOLO's golden numbers, made again from names and seeds; how recorded tensors are compared.

The recorded arrays are outputs only. Weights, pictures, feature maps and objects are drawn by the rules
below, which are part of the recording: a rule changed here makes every comparison fail, and
`test_solo_heads.py` checks the weights' checksums.
"""

import json
import math
import zlib
from collections import OrderedDict
from functools import cache
from pathlib import Path

import numpy as np
import torch

from lessons import boxes
from lessons.backbones import resnet_pyramid
from lessons.checkpoints.solo import load_official, official_names
from lessons.solo.heads import DecoupledSOLOHead, DecoupledSOLOLightHead, SOLOHead
from lessons.solo.model import SOLO
from lessons.solo.targets import SCALE_RANGES

GOLDEN = Path(__file__).parent / "golden" / "solo"
HEADS = {
    "solo_r50": SOLOHead,
    "decoupled_r50": DecoupledSOLOHead,
    "decoupled_light_r50": DecoupledSOLOLightHead,
}
FAMILIES = tuple(HEADS)
LIGHT_RANGES = ((1.0, 64.0), (32.0, 128.0), (64.0, 256.0), (128.0, 512.0), (256.0, 2048.0))

# By what a name holds, the first that fits: the factor of a convolution's weights, the constant in a bias.
WEIGHT_FACTORS = {
    "conv3.weight": 0.35,
    "downsample.0": 0.7071,
    "lateral_convs": 0.7071,
    "fpn_convs": 0.7071,
    "solo_cate": 2.0,
    "solo_ins_list": 3.0,
}
# "dsolo_..." before "solo_...", which it holds.
BIASES = {"solo_cate": -7.0, "dsolo_ins_list": 1.0, "solo_ins_list": -0.5}


def load(name: str) -> dict[str, np.ndarray]:
    """The arrays of one recorded file."""
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def manifest(family: str) -> dict[str, tuple[int, ...]]:
    """Official key name -> shape, of a whole model."""
    content = json.loads((GOLDEN / f"manifest_{family}.json").read_text(encoding="utf-8"))
    return {name: tuple(shape) for name, shape in content["state_dict"].items()}


def scale_ranges(family: str) -> tuple[tuple[float, float], ...]:
    return LIGHT_RANGES if "light" in family else SCALE_RANGES


def head(family: str) -> torch.nn.Module:
    """The head of a family with the weights of the recording."""
    head = HEADS[family]()
    parent = torch.nn.ModuleDict({"head": head})
    entries = state_dict(family, "bbox_head.")
    parent.load_state_dict({ours: entries[theirs] for ours, theirs in official_names(parent).items()})
    return head


def official_file(family: str, folder: Path) -> Path:
    """A file of the weights in the official layout, as the official code saves it; 150 MB."""
    path = folder / f"{family}.pth"
    torch.save({"meta": {"epoch": 12}, "state_dict": OrderedDict(state_dict(family))}, path)
    return path


def model(family: str, folder: Path) -> SOLO:
    """The whole model, its weights read from a file in the official layout."""
    path = official_file(family, folder)
    backbone = resnet_pyramid(50, norm="still", frozen_stages=2)
    model = SOLO(backbone, HEADS[family](), scale_ranges=scale_ranges(family))
    load_official(model, path)
    path.unlink()
    return model


def looked_up(table: dict[str, float], name: str, otherwise: float) -> float:
    return next((value for part, value in table.items() if part in name), otherwise)


@cache
def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """One entry of a state dict: normal numbers from a seed made of the name, shaped by what the entry is."""
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, dtype=np.int64)
    normal = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    if name.endswith("running_mean"):
        values = 0.05 * normal
    elif name.endswith("running_var"):
        values = 1.0 + 0.1 * np.abs(normal)
    elif name.endswith(".bias"):
        values = 0.05 * normal + looked_up(BIASES, name, 0.0)
    elif len(shape) == 1:  # the scale of a normalisation
        values = 1.0 + 0.1 * normal
    else:
        inputs = math.prod(shape[1:])
        values = looked_up(WEIGHT_FACTORS, name, 1.0) * np.sqrt(2.0 / inputs) * normal
    return values.astype(np.float32).reshape(shape)


def state_dict(family: str, prefix: str = "") -> dict[str, torch.Tensor]:
    """The state dict in the official layout, or the part of it whose names start with `prefix`."""
    entries = manifest(family).items()
    return {name: torch.from_numpy(weight(name, shape)) for name, shape in entries if name.startswith(prefix)}


def grid_of_pixels(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    return y, x


def picture(height: int, width: int, seed: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB: waves, and nine rectangles laid over them."""
    draw = np.random.RandomState(seed)
    y, x = grid_of_pixels(height, width)
    canvas = np.full((height, width, 3), 118.0)
    for channel in range(3):
        for _ in range(3):
            waves_x, waves_y = draw.uniform(-6, 6, 2)
            phase = draw.uniform(0, 2 * np.pi)
            strength = draw.uniform(10, 35)
            angle = 2 * np.pi * (waves_x * x / width + waves_y * y / height) + phase
            canvas[..., channel] += strength * np.sin(angle)
    for _ in range(9):
        middle = draw.uniform(0, height), draw.uniform(0, width)
        half = draw.uniform(0.03, 0.22) * height, draw.uniform(0.03, 0.22) * width
        colour, cover = draw.uniform(0, 255, 3), draw.uniform(0.5, 1.0)
        inside = rectangle(y, x, *middle, *half)
        canvas[inside] = (1 - cover) * canvas[inside] + cover * colour
    return np.floor(np.clip(canvas, 0, 255) + 0.5).clip(0, 255).astype(np.uint8)


def features(height: int, width: int, seed: int, batch: int) -> list[torch.Tensor]:
    """p2 ... p6, (B, 256, ., .) float32: one wave and some noise per channel."""
    levels = []
    for level, stride in enumerate((4, 8, 16, 32, 64)):
        draw = np.random.RandomState(1000 * seed + level)
        h, w = math.ceil(height / stride), math.ceil(width / stride)
        y, x = grid_of_pixels(h, w)
        waves = draw.uniform(-5, 5, (batch, 256, 2, 1, 1))
        phase = draw.uniform(0, 2 * np.pi, (batch, 256, 1, 1))
        turns = waves[:, :, 0] * (y + 0.5) / h + waves[:, :, 1] * (x + 0.5) / w
        values = np.sin(2 * np.pi * turns + phase)
        values = values + 0.1 * draw.standard_normal(values.shape)
        levels.append(torch.from_numpy(values.astype(np.float32)))
    return levels


def ellipse(y, x, middle_y, middle_x, half_y, half_x) -> np.ndarray:
    return ((y - middle_y) / half_y) ** 2 + ((x - middle_x) / half_x) ** 2 <= 1


def rectangle(y, x, middle_y, middle_x, half_y, half_x) -> np.ndarray:
    return (np.abs(y - middle_y) <= half_y) & (np.abs(x - middle_x) <= half_x)


def objects(height: int, width: int, count: int, seed: int) -> dict[str, torch.Tensor]:
    """A target: six pixels, two that overlap, one cut by the border, a huge ring, shapes of many sizes."""
    draw = np.random.RandomState(seed)
    y, x = grid_of_pixels(height, width)
    masks = np.zeros((count, height, width), dtype=bool)
    top, left = int(0.213 * height), int(0.707 * width)
    masks[0, top : top + 2, left : left + 3] = True
    masks[1] = ellipse(y, x, 0.557 * height, 0.343 * width, 0.17 * height, 0.14 * width)
    masks[2] = rectangle(y, x, 0.607 * height, 0.459 * width, 0.15 * height, 0.12 * width)
    masks[3] = ellipse(y, x, 0.313 * height, 1.00 * width, 0.20 * height, 0.15 * width)
    hole = rectangle(y, x, 0.5 * height, 0.5 * width, 0.1 * height, 0.1 * width)
    masks[4] = ellipse(y, x, 0.513 * height, 0.483 * width, 0.46 * height, 0.47 * width) & ~hole
    sides = np.geomspace(12, 0.8 * min(height, width), max(count - 5, 1))
    for number, side in zip(range(5, count), sides, strict=False):
        stretch = np.exp(draw.uniform(-0.6, 0.6))
        half_y, half_x = 0.5 * side * stretch, 0.5 * side / stretch
        middle_y, middle_x = draw.uniform(0.05, 0.95) * height, draw.uniform(0.05, 0.95) * width
        shape = ellipse if draw.uniform() < 0.6 else rectangle
        masks[number] = shape(y, x, middle_y, middle_x, half_y, half_x)
    return as_target(masks, draw.randint(1, 81, count))


def edge_objects(height: int, width: int) -> dict[str, torch.Tensor]:
    """A target whose centres lie exactly between cells and whose sizes are exactly the ends of ranges."""
    corners = []
    for number, side in enumerate((1, 2, 21, 49, 97, 129, 193, 385)):
        if side <= min(height, width):
            middle_y = height // 8 * (2 + number % 5)
            middle_x = width // 8 * (2 + 2 * number % 5)
            y = min(max(middle_y - side // 2, 0), height - side)
            x = min(max(middle_x - side // 2, 0), width - side)
            corners.append((y, x, y + side, x + side))
    corners.append((height // 4, width // 4, height // 4 + 41, width // 4 + 1))
    corners.append((height // 3, width // 3, height // 3 + 1, width // 3 + 61))
    masks = np.zeros((len(corners), height, width), dtype=bool)
    for mask, (y1, x1, y2, x2) in zip(masks, corners, strict=True):
        mask[y1:y2, x1:x2] = True
    return as_target(masks, np.arange(1, len(corners) + 1))


def as_target(masks: np.ndarray, labels: np.ndarray) -> dict[str, torch.Tensor]:
    """A target in our contract: boxes half-open, masks bool."""
    masks = torch.from_numpy(masks)
    return {"boxes": boxes.from_masks(masks), "labels": torch.from_numpy(labels).long(), "masks": masks}


def sample_positions(entries: int, samples: int) -> np.ndarray:
    """Which entries of a flattened tensor were kept: all, or `samples` of them, first and last included."""
    if entries <= samples:
        return np.arange(entries)
    return np.arange(samples, dtype=np.int64) * (entries - 1) // (samples - 1)


def difference(golden: dict[str, np.ndarray], key: str, ours: torch.Tensor) -> float:
    """The largest difference of a tensor from the recorded samples of it; shape and means must fit, too."""
    ours = ours.detach()
    assert tuple(ours.shape) == tuple(golden[f"{key}/shape"]), key
    values = ours.double().numpy().ravel()
    stats = [values.mean(), values.std(), values.min(), values.max(), np.abs(values).sum() / values.size]
    recorded = golden[f"{key}/stats"] / [1, 1, 1, 1, values.size]
    sample = golden[f"{key}/sample"]
    picked = values[sample_positions(values.size, sample.size)]
    return max(np.abs(picked - sample).max(), np.abs(stats - recorded).max())
