"""The inputs of detectron2's golden numbers, made again from names and seeds; the model that reads them.

As in `golden_solo`, the recorded arrays are outputs only: a rule changed here makes every comparison fail.
Pictures are BGR, as the official model reads them; `rgb` turns them round for ours.
"""

import json
import math
import pickle
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden_solo import as_target, grid_of_pixels, looked_up, rectangle
from torch import Tensor, nn

from lessons import zoo
from lessons.checkpoints import detectron2
from lessons.mask_rcnn.box_head import Detecting
from lessons.mask_rcnn.model import MaskRCNN

GOLDEN = Path(__file__).parent / "golden" / "detectron2"
CONFIG = "mask-rcnn-r50-fpn-detectron2"
ROOT_OF_2 = 1.4142
# By what a name holds, the first that fits: how far the weights of a layer spread, next to 1 / √inputs.
SPREADS = {
    "stem.conv1.": ROOT_OF_2 / 48,  # pixels are of 0 to 255
    "objectness_logits.": 1.5,
    "anchor_deltas.": 0.25,
    "cls_score.": 3.5,
    "bbox_pred.": 1.2,
    "predictor.weight": 4.0,
    "coarse_head.prediction.": 4.0,
    "fpn_lateral": 1.0,
    "fpn_output2.": 1.0,
    "fpn_output3.": 1.6,
    "fpn_output4.": 3.2,
    "fpn_output5.": 7.0,
    "shortcut.weight": 1.0,
}


def load(name: str) -> dict[str, np.ndarray]:
    """The arrays of one recorded file, and its `meta`, read."""
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as file:
        arrays: dict[str, Any] = {key: file[key] for key in file.files}
    return arrays | {"meta": json.loads(arrays["meta"].tobytes())}


def manifest(model: str = "maskrcnn") -> dict[str, tuple[int, ...]]:
    """Official name -> shape, of a whole model."""
    content = json.loads((GOLDEN / f"manifest_{model}.json").read_text(encoding="utf-8"))
    return {name: tuple(shape) for name, shape in content.items()}


def normal(shape: tuple[int, ...], tag: str) -> np.ndarray:
    return np.random.RandomState(zlib.crc32(tag.encode())).standard_normal(shape)


def noise(shape: tuple[int, ...], tag: str) -> Tensor:
    """Normal numbers from a seed made of the tag; float32."""
    return torch.from_numpy(normal(shape, tag).astype(np.float32))


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """One entry of a state dict: normal numbers from a seed made of the name, shaped by what the entry is."""
    if name.endswith(("running_mean", "running_var")):
        return np.full(shape, float(name.endswith("var")), dtype=np.float32)
    values = normal(shape, name)
    if name.endswith(
        "norm.weight"
    ):  # of a block's last norm smaller, or the sum of many blocks would explode
        values = (1.0 + 0.1 * values) * (0.3 if "conv3.norm" in name else 1.0)
    elif len(shape) == 1:
        values = values * (0.1 if name.endswith("norm.bias") else 0.05)
    elif "deconv" in name:  # (inputs, outputs, 2, 2)
        values = values * (ROOT_OF_2 / np.sqrt(shape[0]))
    else:  # each output's weights have mean 0
        rows = values.reshape(shape[0], -1)
        values = (rows - rows.mean(axis=1)[:, None]).reshape(shape)
        values = values * (looked_up(SPREADS, name, ROOT_OF_2) / np.sqrt(math.prod(shape[1:])))
    return values.astype(np.float32)


@cache
def arrays() -> dict[str, np.ndarray]:
    """All weights of the official Mask R-CNN, by official name; 177 MB."""
    return {name: weight(name, shape) for name, shape in manifest().items()}


def part(module: nn.Module, names: dict[str, str]) -> nn.Module:
    """The module with the recording's weights: our names of layers -> official ones."""
    shapes = manifest()
    for ours, theirs in names.items():
        for end in ("weight", "bias"):
            entry = torch.from_numpy(weight(f"{theirs}.{end}", shapes[f"{theirs}.{end}"]))
            module.get_submodule(ours).get_parameter(end).data.copy_(entry)
    return module.eval()


def official_file(path: Path, entries: dict[str, np.ndarray] | None = None) -> Path:
    """A file of weights as the model zoo has them."""
    content = {"model": arrays() if entries is None else entries, "__author__": "somebody"}
    path.write_bytes(pickle.dumps(content, protocol=2))
    return path


def model(path: Path) -> MaskRCNN:
    """The model of the config, in the form that trains, with the weights of a file."""
    built = zoo.build(CONFIG)
    detectron2.load(built, path)
    return built


def point_rend() -> MaskRCNN:
    """The official PointRend with the recording's weights, ready to use; its plain form."""
    shapes = manifest("pointrend")
    built = zoo.build("point-rend-r50-fpn-detectron2")
    entries = {name: torch.from_numpy(weight(name, shape)) for name, shape in shapes.items()}
    detectron2.LAYOUT.put(built, entries, "the recording")
    return built.eval()


def decoding(meta: dict[str, Any]) -> Detecting:
    """What counted as found in a recording."""
    return Detecting(meta["SCORE_THRESH_TEST"], max_detections=meta["DETECTIONS_PER_IMAGE"])


def triangles(t: np.ndarray, period: int) -> np.ndarray:
    """0 to 255 and back again, in whole numbers."""
    t = t % (2 * period)
    return np.minimum(t, 2 * period - t) * 255 // period


def disc(y: np.ndarray, x: np.ndarray, middle_y: int, middle_x: int, half_y: int, half_x: int) -> np.ndarray:
    """An ellipse, in whole numbers: what is exactly on its edge is inside."""
    return (half_x * (y - middle_y)) ** 2 + (half_y * (x - middle_x)) ** 2 <= (half_x * half_y) ** 2


def picture(height: int, width: int, seed: int) -> np.ndarray:
    """(H, W, 3) uint8 BGR: slanted waves, fourteen striped shapes laid over them, and noise."""
    draw = np.random.RandomState(seed)
    y, x = (axis.astype(np.int64) for axis in grid_of_pixels(height, width))
    canvas = np.empty((height, width, 3), dtype=np.int64)
    for channel in range(3):
        across, down, long, short = (draw.randint(*ends) for ends in ((-3, 4), (1, 4), (40, 120), (7, 23)))
        waves = triangles(across * x + down * y + 5 * long, long)
        ripples = triangles(down * x - across * y + 5 * long, short)
        canvas[..., channel] = (2 * waves + ripples) // 4 + 20
    for _ in range(14):
        middle = draw.randint(0, height), draw.randint(0, width)
        half = draw.randint(4, max(5, height // 4)), draw.randint(4, max(5, width // 4))
        colour, stripe = draw.randint(0, 256, 3), draw.randint(3, 12)
        shape = disc if draw.randint(0, 2) else rectangle
        inside = shape(y, x, *middle, *half)
        stripes = (x + y) // stripe % 2 * 60
        canvas[inside] = (colour + stripes[..., None] * np.array([1, -1, 1]))[inside]
    grain = ((x * 73856093) ^ (y * 19349663) ^ (seed * 83492791)) % 31 - 15
    return (canvas + grain[..., None]).clip(0, 255).astype(np.uint8)


def rgb(picture: np.ndarray) -> np.ndarray:
    """The picture as people and our models have it."""
    return np.ascontiguousarray(picture[..., ::-1])


def objects(height: int, width: int, count: int, seed: int) -> dict[str, Tensor]:
    """A target: by turns a large ellipse, a rectangle over it, one that the border cuts, 3 × 4 pixels, a post
    and a ring."""
    draw = np.random.RandomState(seed)
    y, x = (axis.astype(np.int64) for axis in grid_of_pixels(height, width))
    masks, labels = np.zeros((count, height, width), dtype=bool), []
    large = height // 2, width // 2
    for number in range(count):
        middle_y = draw.randint(height // 4, 3 * height // 4)
        middle_x = draw.randint(width // 4, 3 * width // 4)
        kind = number % 6
        if kind == 0:
            large = middle_y, middle_x
            masks[number] = disc(y, x, *large, max(3, height // 5), max(3, width // 4))
        elif kind == 1:
            masks[number] = rectangle(y, x, large[0], large[1] + width // 10, height // 6, width // 6)
        elif kind == 2:
            edge = 0 if number % 12 == 2 else width - 1
            masks[number] = disc(y, x, middle_y, edge, max(3, height // 6), max(3, width // 6))
        elif kind == 3:
            masks[number, middle_y : middle_y + 3, middle_x : middle_x + 4] = True
        elif kind == 4:
            masks[number] = rectangle(y, x, middle_y, middle_x, height // 4, 3)
        else:
            radius = max(6, min(height, width) // 6)
            ring = (disc(y, x, middle_y, middle_x, side, side) for side in (radius, radius // 2))
            masks[number] = np.logical_xor(*ring)
        labels.append(1 + draw.randint(0, 80))
    return as_target(masks, np.array(labels, dtype=np.int64))


def on_map(anchors: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, h · w · A) or (B, h · w · A, 4) -> (B, A, h, w) or (B, 4 · A, h, w), as they are recorded."""
    return anchors.reshape(len(anchors), *size, -1).permute(0, 3, 1, 2)


def differences(golden: dict[str, np.ndarray], key: str, ours: Tensor) -> np.ndarray:
    """Of a tensor from the recorded samples of it, as shares of its largest value; the shape must fit.

    Appended are the differences of its mean, mean size, and ends.
    """
    ours = ours.detach()
    assert tuple(ours.shape) == tuple(golden[f"{key}.shape"]), key
    values = ours.double().flatten().numpy()
    stats = golden[f"{key}.stats"]
    largest = max(abs(stats[3]), abs(stats[4]))
    samples = np.abs(values[:: int(golden[f"{key}.step"])] - golden[f"{key}.sample"])
    means = np.abs([values.mean() - stats[0] / values.size, np.abs(values).mean() - stats[1] / values.size])
    ends = np.abs([values.min() - stats[3], values.max() - stats[4]])
    return np.concatenate([samples, means, ends]) / largest


def difference(golden: dict[str, np.ndarray], key: str, ours: Tensor) -> float:
    """The largest of the `differences`."""
    return float(differences(golden, key, ours).max())


def close_stats(values: Tensor, stats: np.ndarray, tolerance: float) -> bool:
    """Sum, sum of sizes, sum of squares, smallest, largest; relative."""
    own = values.double()
    sums = [own.sum(), own.abs().sum(), own.square().sum(), own.min(), own.max()]
    return np.allclose([float(one) for one in sums], stats, rtol=tolerance, atol=tolerance * stats[4])


def watch(patch: pytest.MonkeyPatch, owner: Any, name: str) -> list[tuple[tuple[Any, ...], Any]]:
    """Arguments and result of every call of a function from now on."""
    calls, original = [], getattr(owner, name)

    def watched(*arguments, **options):
        result = original(*arguments, **options)
        calls.append((arguments, result))
        return result

    patch.setattr(owner, name, watched)
    return calls


def smooth(shape: tuple[int, ...], seed: int) -> Tensor:
    """The recording's smooth maps: three plane waves in each channel, of at most four cycles to a side."""
    draw = np.random.RandomState(seed)
    height, width = shape[-2:]
    channels = int(np.prod(shape[:-2]))
    cycles = draw.uniform(-4, 4, (channels, 3, 2))
    phases = draw.uniform(0, 2 * np.pi, (channels, 3))
    y, x = (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width
    waves = sum(
        np.sin(
            2 * np.pi * cycles[:, wave, 0, None, None] * y[:, None]
            + 2 * np.pi * cycles[:, wave, 1, None, None] * x
            + phases[:, wave, None, None]
        )
        for wave in range(3)
    )
    return torch.from_numpy((waves * np.sqrt(2 / 3)).astype(np.float32).reshape(shape))
