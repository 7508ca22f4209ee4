"""Average precision from the definition: overlap, match, count, draw the curve, take its mean.

The rules are COCO's (Lin et al. 2014, "Microsoft COCO", and the code of its evaluation server), step by step:

    overlaps_of_boxes, overlaps_of_masks    how much each detection and each object have in common
    match                                   which object each detection has found
    judge                                   which detections are right, wrong, or not counted
    precision_recall, envelope, interpolate the curve over all images, made to fall, read at 101 points
    average_precision                       the mean of the 101 readings

    D  detections of one class in one image, best score first
    G  objects (ground truth) of that class in that image
    K  detections of that class in all images
    T  thresholds of the overlap, ten by COCO
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lessons import boxes as box_geometry
from lessons import masks as mask_geometry

# NumPy's linspace and not torch's: the last bit of a threshold decides whether an overlap of 3/5 reaches 0.6.
IOU_THRESHOLDS = torch.from_numpy(np.linspace(0.5, 0.95, 10))  # (10,) float64
RECALLS = torch.from_numpy(np.linspace(0.0, 1.0, 101))  # (101,) float64
# From and to, in pixels, both included: an object of exactly 32² pixels is small and medium.
AREA_RANGES = {
    "all": (0.0, 1e5**2),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e5**2),
}


@dataclass(frozen=True)
class Scene:
    """One class in one image: all that matching needs. Detections stand in the order of falling scores.

    Attributes:
        overlaps: (D, G) float64, from `overlaps_of_boxes` or `overlaps_of_masks`.
        scores: (D,) float64.
        areas: (D,) float64 pixels of each detection.
        truth_areas: (G,) float64 pixels of each object.
        crowd: (G,) bool, True for a group without borders between its members.
    """

    overlaps: Tensor
    scores: Tensor
    areas: Tensor
    truth_areas: Tensor
    crowd: Tensor


def overlaps_of_boxes(detections: Tensor, truths: Tensor, crowd: Tensor) -> Tensor:
    """IoU of every detection with every object; boxes (D, 4), (G, 4) xyxy, crowd (G,) bool -> (D, G) float64.

    With a crowd it is the share of the *detection* that lies inside: one person cannot cover a crowd, so the
    union would be unfair.
    """
    a, b = detections.double(), truths.double()
    top_left = torch.maximum(a[:, None, :2], b[None, :, :2])  # (D, G, 2)
    bottom_right = torch.minimum(a[:, None, 2:], b[None, :, 2:])  # (D, G, 2)
    intersection = (bottom_right - top_left).clamp(min=0).prod(dim=-1)  # (D, G)
    return _share(intersection, box_geometry.area(a), box_geometry.area(b), crowd)


def overlaps_of_masks(detections: Tensor, truths: Tensor, crowd: Tensor) -> Tensor:
    """The same for masks (D, H, W), (G, H, W) bool, counted in pixels: (D, G) float64."""
    a, b = detections.flatten(1).float(), truths.flatten(1).float()  # (D, H·W), (G, H·W)
    intersection = (a @ b.T).double()  # pixels in both; exact up to 2**24
    area, truth_area = mask_geometry.area(detections).double(), mask_geometry.area(truths).double()
    return _share(intersection, area, truth_area, crowd)


def _share(intersection: Tensor, area: Tensor, truth_area: Tensor, crowd: Tensor) -> Tensor:
    """Intersection over union, or over the detection for a crowd; nothing in common is 0, also of nothing."""
    union = area[:, None] + truth_area[None, :] - intersection  # (D, G)
    whole = torch.where(crowd[None, :], area[:, None], union)
    return torch.where(intersection > 0, intersection / whole, 0.0)


def match(overlaps: Tensor, ignored: Tensor, crowd: Tensor, threshold: float) -> Tensor:
    """Which object each detection has found.

    The detections choose in turn, best score first. Each takes, of the objects that overlap it by `threshold`
    or more and that nobody has taken, the one that overlaps it most; one that is ignored only if no other is
    left to it. A crowd can be taken any number of times. Of equal overlaps the later object is taken: no
    reason, but it is COCO's choice.

    Args:
        overlaps: (D, G).
        ignored: (G,) bool, objects that are not asked for: crowds, and those of another size.
        crowd: (G,) bool.
        threshold: the least overlap. One of 1 admits 1 - 1e-10, for rounding.

    Returns:
        (D,) int64: the index of each one's object, -1 where it found none.
    """
    least = min(threshold, 1 - 1e-10)
    is_ignored, is_crowd = ignored.tolist(), crowd.tolist()
    taken: set[int] = set()
    matches = []
    for row in overlaps.tolist():
        near = [g for g, overlap in enumerate(row) if overlap >= least and (is_crowd[g] or g not in taken)]
        asked_for = [g for g in near if not is_ignored[g]]
        best = max(asked_for or near, key=lambda g: (row[g], g), default=-1)
        taken.add(best)
        matches.append(best)
    return torch.tensor(matches, dtype=torch.int64)


def judge(
    scene: Scene, thresholds: Sequence[float], area_range: tuple[float, float]
) -> tuple[Tensor, Tensor, int]:
    """Which detections of one scene are right, which count at all, and how many objects were to be found.

    Objects that are crowds or outside `area_range` are not asked for, and whoever finds one is neither right
    nor wrong. A detection that finds nothing is wrong; but if its own area is outside the range, it belongs
    to another range's account.

    Returns:
        correct (T, D) bool, counted (T, D) bool, one row for each of T thresholds of the overlap; and the
        number of objects asked for.
    """
    ignored = scene.crowd | _outside(scene.truth_areas, area_range)  # (G,)
    matches = torch.stack([match(scene.overlaps, ignored, scene.crowd, least) for least in thresholds])
    found = matches >= 0  # (T, D)
    # A match of -1 picks the last entry, which says: what was not found is not ignored.
    found_ignored = torch.cat([ignored, ignored.new_zeros(1)])[matches]
    counted = ~(found_ignored | (~found & _outside(scene.areas, area_range)))
    return found & counted, counted, int((~ignored).sum())


def _outside(areas: Tensor, area_range: tuple[float, float]) -> Tensor:
    least, most = area_range
    return (areas < least) | (areas > most)


def precision_recall(scores: Tensor, correct: Tensor, objects: int) -> tuple[Tensor, Tensor]:
    """The curve: after each detection, best score first, what share was right and what share was found.

    Args:
        scores, correct: (K,) of the detections that count, of all images; of equal scores the earlier first.
        objects: how many there were to find, at least 1.

    Returns:
        precision and recall, (K,) float64 both.
    """
    order = torch.sort(scores, descending=True, stable=True).indices
    right = correct[order].double().cumsum(dim=0)  # (K,)
    looked_at = torch.arange(1, len(scores) + 1, dtype=torch.float64)
    return right / looked_at, right / objects


def envelope(precision: Tensor) -> Tensor:
    """The best precision at this recall or a higher one: (K,) -> (K,), which never rises."""
    return precision.flip(0).cummax(dim=0).values.flip(0) if len(precision) else precision


def interpolate(precision: Tensor, recall: Tensor, at: Tensor = RECALLS) -> Tensor:
    """Read the curve's envelope at given recalls (101 by COCO): (R,). A recall never reached gives 0."""
    height = torch.cat([envelope(precision), precision.new_zeros(1)])  # (K + 1,)
    return height[torch.searchsorted(recall.contiguous(), at)]  # the first point at this recall or beyond


def curves(
    scenes: Sequence[Scene],
    thresholds: Sequence[float],
    area_range: tuple[float, float] = AREA_RANGES["all"],
) -> tuple[Tensor, Tensor]:
    """One class over all images: its curve at each of T thresholds of the overlap.

    Both results are not-a-number where there is no object to find: a question without an answer, not a bad
    one (COCO writes -1). With objects but without a detection both are 0.

    Returns:
        the precision at 101 recalls (T, 101), and the highest recall reached (T,).
    """
    judged = [judge(scene, thresholds, area_range) for scene in scenes]
    objects = sum(number for _, _, number in judged)
    readings = torch.full((len(thresholds), len(RECALLS)), torch.nan, dtype=torch.float64)
    reached = torch.full((len(thresholds),), torch.nan, dtype=torch.float64)
    if objects == 0:
        return readings, reached
    scores = torch.cat([scene.scores for scene in scenes])  # (K,)
    correct = torch.cat([one for one, _, _ in judged], dim=1)  # (T, K)
    counted = torch.cat([one for _, one, _ in judged], dim=1)  # (T, K)
    for t in range(len(thresholds)):
        kept = counted[t]
        precision, recall = precision_recall(scores[kept], correct[t, kept], objects)
        readings[t] = interpolate(precision, recall)
        reached[t] = recall[-1] if len(recall) else 0.0
    return readings, reached


def average_precision(
    scenes: Sequence[Scene], threshold: float, area_range: tuple[float, float] = AREA_RANGES["all"]
) -> float:
    """AP of one class at one threshold: the mean of the 101 readings; not-a-number without an object."""
    return float(curves(scenes, [threshold], area_range)[0].mean())
