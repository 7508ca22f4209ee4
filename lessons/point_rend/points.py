"""Points: where they are chosen, and what is read there (Kirillov et al., PointRend, CVPR 2020, section 3).

    R      regions: boxes of all images together
    P      points in a region
    C      channels, or classes
    h, w   height and width of a map

A point is (x, y) from 0 to 1, relative to what it is in: a box, a map, an image. The centre of pixel j of a
map of w columns is (j + 1/2) / w; so a point x lies at the pixel index w · x - 1/2.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def point_sample(maps: Tensor, points: Tensor, mode: str = "bilinear") -> Tensor:
    """The maps' values at points between their pixels: (R, C, h, w), (R, ..., 2) -> (R, C, ...).

    Mixed from the four pixels around; what lies outside the map counts as 0.

    Args:
        points: (R, P, 2) or (R, a, b, 2), relative to the map.
        mode: "bilinear" or "nearest".
    """
    flat = points.ndim == 3
    grid = 2 * (points[:, :, None] if flat else points) - 1  # -1 and 1 are the map's edges
    values = F.grid_sample(maps, grid.to(maps.dtype), mode=mode, align_corners=False)
    return values.squeeze(3) if flat else values


def regular_grid(count: int, side: int, device: torch.device | str | None = None) -> Tensor:
    """The centres of side × side cells, row by row, for each of `count` regions: (count, side², 2)."""
    corner = torch.tensor([[[0.5, 0.0, 0.5], [0.0, 0.5, 0.5]]], device=device)
    grid = F.affine_grid(corner, [1, 1, side, side], align_corners=False).view(1, -1, 2)
    return grid.expand(count, -1, -1)


def uncertainty(logits: Tensor, labels: Tensor) -> Tensor:
    """How near a class's logit is to 0, where it could go either way: (R, C, ...) -> (R, 1, ...), -|logit|.

    Args:
        labels: (R,) int64, from 1 on: the class of each region. With one channel it is that one.
    """
    if logits.shape[1] == 1:
        return -logits.abs()
    return -logits[torch.arange(len(logits), device=logits.device), labels - 1][:, None].abs()


def training_points(
    coarse: Tensor,
    labels: Tensor,
    count: int,
    oversample_ratio: float = 3.0,
    importance_sample_ratio: float = 0.75,
) -> Tensor:
    """Points to learn from: most of them where the coarse mask is uncertain, the rest anywhere. (R, count, 2)

    k · N random candidates (k is `oversample_ratio`); of these the β · N most uncertain (β is
    `importance_sample_ratio`); and (1 - β) · N further random ones. The logits are read at the candidates
    first, and the uncertainty taken there: halfway between the logits -1 and +1 it is highest, and a map of
    uncertainties, -1 at both, would not show it.

    Args:
        coarse: (R, C, h, w) logits. labels: see `uncertainty`. count: N.

    Source: section 3.1. Chance comes from torch's global generator.
    """
    candidates = torch.rand(len(coarse), int(count * oversample_ratio), 2, device=coarse.device)  # (R, kN, 2)
    doubt = uncertainty(point_sample(coarse, candidates), labels)[:, 0]  # (R, kN)
    important = int(importance_sample_ratio * count)
    index = doubt.topk(important, dim=1).indices  # (R, βN)
    chosen = candidates.gather(1, index[..., None].expand(-1, -1, 2))  # (R, βN, 2)
    if important == count:
        return chosen
    anywhere = torch.rand(len(coarse), count - important, 2, device=coarse.device)
    return torch.cat([chosen, anywhere], dim=1)  # (R, N, 2)


def most_uncertain_cells(doubt: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The cells of a map that are most uncertain: indices (R, P) int64, row by row, and centres (R, P, 2).

    Args:
        doubt: (R, 1, h, w), see `uncertainty`. count: P at most; there may be fewer cells.
    """
    height, width = doubt.shape[-2:]
    index = doubt.flatten(1).topk(min(height * width, count), dim=1).indices  # (R, P)
    step_x, step_y = 1 / width, 1 / height
    x = step_x / 2 + (index % width).to(torch.float32) * step_x
    y = step_y / 2 + torch.div(index, width, rounding_mode="floor").to(torch.float32) * step_y
    return index, torch.stack([x, y], dim=2)


def to_image(points: Tensor, boxes: Tensor) -> Tensor:
    """Points (R, P, 2) relative to their boxes (R, 4) -> pixels of the image, (R, P, 2)."""
    corner, size = boxes[:, None, :2], boxes[:, None, 2:] - boxes[:, None, :2]  # (R, 1, 2) both
    return points * size + corner


def fine_features(
    maps: Sequence[Tensor], strides: Sequence[int], boxes: Sequence[Tensor], points: Tensor
) -> Tensor:
    """What the maps hold at points of boxes: (R, C, P), the channels of all maps one after the other.

    Args:
        maps: (B, C, h, w) each; one is enough.
        boxes: of each image, (R_b, 4) in pixels. points: (R, P, 2), relative to the boxes.
    """
    image_points = to_image(points, torch.cat(list(boxes))).split([len(one) for one in boxes])
    return torch.cat(
        [_of_one_map(level, stride, image_points) for level, stride in zip(maps, strides, strict=True)], dim=1
    )


def _of_one_map(level: Tensor, stride: int, image_points: Sequence[Tensor]) -> Tensor:
    # What the map stands for: the padded image, not the true one.
    size = torch.tensor([level.shape[3] * stride, level.shape[2] * stride], device=level.device)
    read = [
        point_sample(level[number : number + 1], (points / size).flatten(0, 1)[None])[0].unflatten(
            1, tuple(points.shape[:2])
        )  # (C, R_b, P)
        for number, points in enumerate(image_points)
    ]
    return torch.cat(read, dim=1).transpose(0, 1)  # (R, C, P)


def point_labels(masks: Tensor, image_points: Tensor) -> Tensor:
    """Whether points are on their objects: (R, H, W) bool, pixels (R, P, 2) -> (R, P) in [0, 1].

    The mask is read like a map: a point on the edge between two pixels is half on the object.
    """
    size = torch.tensor([masks.shape[2], masks.shape[1]], device=image_points.device)
    return point_sample(masks[:, None].to(image_points), image_points / size)[:, 0]
