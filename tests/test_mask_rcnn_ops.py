"""The parts of Mask R-CNN that have no weights, against slow loops and torchvision's kernels."""

import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.ops import nms as torchvision_nms
from torchvision.ops import roi_align as torchvision_roi_align
from torchvision.ops import roi_pool

from lessons import boxes as box_geometry
from lessons.errors import LessonsError
from lessons.mask_rcnn.anchors import Anchors, cell_anchors, grid_anchors
from lessons.mask_rcnn.mask_head import mask_targets, of_own_class
from lessons.mask_rcnn.matching import IGNORED, NEGATIVE, POSITIVE, match, sample
from lessons.mask_rcnn.pasting import paste, paste_rounded
from lessons.mask_rcnn.roi_align import Pooler, pooled_bins, roi_align, roi_align_by_hand, sampling_points
from lessons.mask_rcnn.rpn import smooth_l1

often = settings(max_examples=150, deadline=None)


def random_boxes(count: int, side: float = 100.0, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, generator=generator) * side
    return torch.cat([corners, corners + torch.rand(count, 2, generator=generator) * side / 2 + 0.1], dim=1)


# Anchors


def test_anchors_of_a_place_have_the_area_and_the_ratio():
    anchors = cell_anchors([32, 100], [0.5, 1, 2])
    assert anchors.shape == (6, 4) and anchors.dtype == torch.float32
    width, height = (anchors[:, 2:] - anchors[:, :2]).unbind(1)
    torch.testing.assert_close(width * height, torch.tensor([32.0] * 3 + [100.0] * 3) ** 2)
    torch.testing.assert_close(height / width, torch.tensor([0.5, 1, 2] * 2))
    torch.testing.assert_close(anchors[:, :2], -anchors[:, 2:])  # around the origin


def test_anchors_of_a_grid_go_by_row_column_anchor():
    cell = torch.tensor([[-1.0, -2, 1, 2], [-3, -3, 3, 3]])
    grid = grid_anchors(cell, (2, 3), (10, 20))
    assert grid.shape == (12, 4)
    for number, anchor in enumerate(grid):
        row, column, kind = number // 6, number // 2 % 3, number % 2
        expected = cell[kind] + torch.tensor([column * 20, row * 10] * 2)
        assert torch.equal(anchor, expected)
    shifted = grid_anchors(cell, (2, 3), (10, 20), offset=0.5)
    assert torch.equal(shifted - grid, torch.tensor([10.0, 5, 10, 5]).expand(12, 4))


@pytest.mark.parametrize("size", [(96, 160), (128, 96), (32, 32)])
def test_rounded_anchors_with_measured_strides_are_torchvisions(size: tuple[int, int]):
    levels = {
        f"p{level}": torch.zeros(1, 3, math.ceil(size[0] / 2**level), math.ceil(size[1] / 2**level))
        for level in range(2, 7)
    }
    ours = Anchors(rounded=True, measured_strides=True).of_levels(
        levels, {name: 2 ** int(name[1]) for name in levels}, size
    )
    generator = AnchorGenerator(((32,), (64,), (128,), (256,), (512,)), ((0.5, 1.0, 2.0),) * 5)
    (theirs,) = generator(ImageList(torch.zeros(1, 3, *size), [size]), list(levels.values()))
    assert torch.equal(torch.cat(ours), theirs)


def test_anchors_for_other_levels_are_refused():
    with pytest.raises(LessonsError, match=r"2 levels \(p2, p3\) and anchors for 5"):
        Anchors().of_levels(dict.fromkeys(("p2", "p3"), torch.zeros(1, 1, 2, 2)), {"p2": 4, "p3": 8}, (8, 8))
    with pytest.raises(LessonsError, match="the same number of sizes"):
        Anchors(sizes=((1, 2), (3,)))
    assert Anchors(sizes=[[1, 2, 3]], aspect_ratios=[1, 2]).per_place == 6


# Matching and sampling

quarters = st.integers(0, 4).map(lambda number: number / 4)


@st.composite
def ious(draw) -> Tensor:
    objects, anchors = draw(st.integers(0, 4)), draw(st.integers(0, 6))
    values = draw(st.lists(quarters, min_size=objects * anchors, max_size=objects * anchors))
    return torch.tensor(values, dtype=torch.float32).reshape(objects, anchors)


@often
@given(ious(), st.booleans())
def test_matching_is_what_a_loop_finds(iou: Tensor, low_quality: bool):
    """In quarters, ties and numbers exactly at the thresholds are common."""
    if iou.shape[1] == 0 and low_quality:
        return  # an image without an anchor
    index, verdict = match(iou, 0.75, 0.5, low_quality)
    assert index.shape == verdict.shape == (iou.shape[1],) and index.dtype == verdict.dtype == torch.int64
    rows = iou.tolist()
    for anchor in range(iou.shape[1]):
        overlaps = [row[anchor] for row in rows]
        best = max(overlaps, default=0.0)
        expected = POSITIVE if best >= 0.75 else NEGATIVE if best < 0.5 else IGNORED
        if low_quality and any(row[anchor] == max(row) for row in rows):
            expected = POSITIVE
        assert verdict[anchor] == expected
        assert index[anchor] == (overlaps.index(best) if overlaps else 0)


def test_a_bad_anchor_that_is_the_best_of_an_object_stays_with_the_object_it_overlaps_more():
    iou = torch.tensor([[0.6, 0.9], [0.2, 0.0]])
    index, verdict = match(iou, 0.7, 0.3, low_quality=True)
    assert index.tolist() == [0, 0] and verdict.tolist() == [POSITIVE, POSITIVE]


@often
@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 40), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
def test_sampling_takes_as_many_as_it_may(positives: int, negatives: int, count: int, fraction: float):
    kinds = torch.tensor([1] * positives + [0] * negatives + [-1] * 5)[
        torch.randperm(positives + negatives + 5)
    ]
    first, second = sample(kinds == 1, kinds == 0, count, fraction)
    assert len(first) == min(positives, int(count * fraction))
    assert len(second) == min(negatives, count - len(first))
    assert (kinds[first] == 1).all() and (kinds[second] == 0).all()
    chosen = torch.cat([first, second])
    assert len(chosen.unique()) == len(chosen) and chosen.dtype == torch.int64


def test_sampling_draws_one_permutation_of_each_in_this_order():
    kinds = torch.tensor([1, 0, 0, 1, 1, 0, -1, 0])
    torch.manual_seed(5)
    first, second = sample(kinds == 1, kinds == 0, 4, 0.5)
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(first, torch.tensor([0, 3, 4])[torch.randperm(3)[:2]])
    assert torch.equal(second, torch.tensor([1, 2, 5, 7])[torch.randperm(4)[:2]])
    assert torch.equal(after, torch.rand(1)), "nothing else was drawn"


def test_every_candidate_is_chosen_in_the_end():
    torch.manual_seed(0)
    everything = torch.ones(6, dtype=torch.bool)
    drawn = [sample(everything, everything, 2, 0.5) for _ in range(100)]
    assert torch.cat([first for first, _ in drawn]).unique().tolist() == list(range(6))
    assert torch.cat([second for _, second in drawn]).unique().tolist() == list(range(6))


# Box coding

WEIGHTS = [(1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0)]


@pytest.mark.parametrize("weights", WEIGHTS)
def test_coding_there_and_back(weights: tuple[float, float, float, float]):
    anchors, boxes = random_boxes(50, seed=1), random_boxes(50, seed=2)
    deltas = box_geometry.encode(boxes, anchors, weights)
    allowed = ((boxes[:, 2:] - boxes[:, :2]) / (anchors[:, 2:] - anchors[:, :2]) < 62).all(dim=1)
    assert allowed.sum() > 40
    torch.testing.assert_close(
        box_geometry.decode(deltas, anchors, weights)[allowed], boxes[allowed], rtol=1e-4, atol=1e-3
    )
    steps = torch.randn(50, 4, generator=torch.Generator().manual_seed(3))
    back = box_geometry.encode(box_geometry.decode(steps, anchors, weights), anchors, weights)
    torch.testing.assert_close(back, steps, rtol=1e-3, atol=5e-3)


def test_coding_by_hand():
    anchor, box = torch.tensor([[0.0, 0, 10, 20]]), torch.tensor([[5.0, 5, 25, 15]])
    deltas = box_geometry.encode(box, anchor, (10, 10, 5, 5))
    torch.testing.assert_close(deltas, torch.tensor([[10.0, 0, 5 * math.log(2), 5 * math.log(0.5)]]))
    assert torch.equal(box_geometry.decode(torch.zeros(1, 4), anchor), anchor)


def test_no_step_enlarges_a_side_more_than_62_and_a_half_times():
    anchor = torch.tensor([[0.0, 0, 16, 32]])
    box = box_geometry.decode(torch.tensor([[0.0, 0, 1e4, 1e4]]), anchor)
    torch.testing.assert_close(box[:, 2:] - box[:, :2], torch.tensor([[1000.0, 2000.0]]))
    smaller = box_geometry.decode(torch.tensor([[0.0, 0, -1e4, -1e4]]), anchor)
    assert smaller.tolist() == [[8, 16, 8, 16]]
    weighted = box_geometry.decode(torch.tensor([[0.0, 0, 5e4, 5e4]]), anchor, (10, 10, 5, 5))
    torch.testing.assert_close(weighted, box)


def test_coding_of_no_box_and_of_many_classes():
    assert box_geometry.encode(torch.zeros(0, 4), torch.zeros(0, 4)).shape == (0, 4)
    anchors = random_boxes(3)
    deltas = torch.randn(3, 5, 4)
    several = box_geometry.decode(deltas, anchors[:, None].expand(3, 5, 4))
    for column in range(5):
        torch.testing.assert_close(several[:, column], box_geometry.decode(deltas[:, column], anchors))


@pytest.mark.parametrize("beta", [0.0, 1 / 9, 1.0])
def test_smooth_l1_by_its_formula(beta: float):
    steps = torch.linspace(-2, 2, 41).reshape(-1, 1)
    d = steps.abs().double()
    expected = torch.where(d < beta, d**2 / (2 * beta or 1), d - beta / 2).sum()
    assert smooth_l1(steps, torch.zeros_like(steps), beta).item() == pytest.approx(expected.item(), rel=1e-6)
    assert smooth_l1(torch.zeros(0, 4), torch.zeros(0, 4), beta) == 0


# Non-maximum suppression

coordinates = st.integers(0, 12)


@st.composite
def scored_boxes(draw) -> tuple[Tensor, Tensor]:
    count = draw(st.integers(0, 12))
    rows = []
    for _ in range(count):
        x1, x2 = sorted((draw(coordinates), draw(coordinates)))  # equal ones make a box without area
        y1, y2 = sorted((draw(coordinates), draw(coordinates)))
        rows.append([x1, y1, x2, y2])
    scores = draw(st.lists(st.integers(0, 5), min_size=count, max_size=count))
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4), torch.tensor(scores, dtype=torch.float32)


@often
@given(scored_boxes(), st.sampled_from([0.0, 0.25, 0.5, 0.7, 1.0]))
def test_nms_is_torchvisions(some: tuple[Tensor, Tensor], threshold: float):
    """Whole numbers: equal scores, equal boxes, overlaps exactly at the threshold, boxes without area."""
    assert torch.equal(box_geometry.nms(*some, threshold), torchvision_nms(*some, threshold))


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.9])
def test_nms_of_many_boxes_is_torchvisions(threshold: float):
    boxes = random_boxes(200, 60, seed=4)
    boxes = torch.cat([boxes, boxes + 0.5 * torch.randn(200, 4, generator=torch.Generator().manual_seed(8))])
    scores = torch.rand(400, generator=torch.Generator().manual_seed(5))
    kept = box_geometry.nms(boxes, scores, threshold)
    assert torch.equal(kept, torchvision_nms(boxes, scores, threshold))
    assert (scores[kept].diff() <= 0).all()
    left = box_geometry.iou(boxes[kept], boxes[kept]).fill_diagonal_(0)
    assert (left <= threshold).all() and 0 < len(kept) < 400


def test_boxes_of_different_groups_never_meet():
    boxes, scores = random_boxes(60, 30, seed=6), torch.rand(60, generator=torch.Generator().manual_seed(7))
    groups = torch.arange(60) % 3
    kept = box_geometry.nms_within_groups(boxes, scores, groups, 0.4)
    expected = torch.cat(
        [
            own[box_geometry.nms(boxes[own], scores[own], 0.4)]
            for own in ((groups == g).nonzero()[:, 0] for g in range(3))
        ]
    )
    assert torch.equal(kept.sort().values, expected.sort().values) and (scores[kept].diff() <= 0).all()
    assert box_geometry.nms_within_groups(boxes[:0], scores[:0], groups[:0], 0.4).shape == (0,)


# RoIAlign and RoIPool

eighths = st.integers(-80, 200).map(lambda number: number / 8)


@st.composite
def any_box(draw) -> Tensor:
    """Inside, partly or all outside, without area, turned inside out, or far larger than the map."""
    x, y = draw(eighths), draw(eighths)
    sides = st.sampled_from([0.0, 0.125, 1.0, 3.5, 12.0, 30.25, 300.0, -2.0])
    return torch.tensor([x, y, x + draw(sides), y + draw(sides)], dtype=torch.float64)


def near_the_end_of_the_map(points: Tensor, size: tuple[int, int], side: int, n: tuple[int, int]) -> Tensor:
    """(S, S): bins with a sample just where the map ends for good, so that a rounding error decides."""
    edges = torch.tensor([[-1.0, -1.0], [size[1], size[0]]], dtype=points.dtype)
    near = ((points[:, :, None] - edges).abs() < 1e-9).any(dim=-1).any(dim=-1)  # (S · ny, S · nx)
    if 0 in n:
        return torch.zeros(side, side, dtype=torch.bool)
    return near.unflatten(1, (side, n[1])).unflatten(0, (side, n[0])).any(dim=3).any(dim=1)


@often
@given(
    any_box(),
    st.integers(0, 3),
    st.booleans(),
    st.sampled_from([1.0, 0.5, 0.25]),
    st.sampled_from([1, 2, 3, 7]),
    st.sampled_from([(6, 11), (9, 4), (1, 1), (1, 8)]),
)
def test_roi_align_by_hand_is_torchvisions(
    box: Tensor, ratio: int, aligned: bool, scale: float, side: int, size: tuple[int, int]
):
    # The kernel itself refuses an aligned box that is turned inside out.
    assume(not aligned or bool((box[2:] >= box[:2]).all()))
    level = torch.randn(2, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    ours = roi_align_by_hand(level, box, side, scale, ratio, aligned)
    theirs = torchvision_roi_align(
        level[None], [box[None]], side, spatial_scale=scale, sampling_ratio=ratio or -1, aligned=aligned
    )[0]
    points, n = sampling_points(box, side, scale, ratio, aligned)
    sure = ~near_the_end_of_the_map(points, size, side, n)
    assert ours.shape == theirs.shape
    torch.testing.assert_close(ours[:, sure], theirs[:, sure], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("corners", [(1.0, 1, 1, 5), (2.5, 3, 8, 3), (4.0, 4, 4, 4)])
def test_an_aligned_box_without_area_has_no_sample_and_gives_0(corners: tuple[float, ...]):
    level, box = torch.ones(2, 6, 11), torch.tensor(corners)
    assert torch.equal(roi_align_by_hand(level, box, 2, 1.0), torch.zeros(2, 2, 2))
    assert torch.equal(roi_align(level[None], [box[None]], 2, 1.0)[0], torch.zeros(2, 2, 2))
    assert torch.equal(roi_align_by_hand(level, box, 2, 1.0, aligned=False), torch.ones(2, 2, 2))


def test_roi_align_of_two_images_is_by_hand_of_each():
    maps = torch.randn(2, 3, 12, 17, generator=torch.Generator().manual_seed(2))
    boxes = [random_boxes(3, 60, seed=1), random_boxes(2, 60, seed=2)]
    together = roi_align(maps, boxes, 7, 0.25, 2, True)
    each = [
        roi_align_by_hand(level, box, 7, 0.25, 2)
        for level, own in zip(maps, boxes, strict=True)
        for box in own
    ]
    torch.testing.assert_close(together, torch.stack(each), rtol=1e-5, atol=1e-5)
    assert roi_align(maps, [boxes[0][:0]] * 2, 7, 0.25).shape == (0, 3, 7, 7)


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("ratio", [0, 2])
def test_gradients_of_roi_align(aligned: bool, ratio: int):
    """Of the kernel: those of the plain form, and those of small differences."""
    level = torch.randn(1, 2, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    level.requires_grad_()
    box = torch.tensor([2.3, -1.0, 19.0, 13.1], dtype=torch.float64)
    weights = torch.randn(2, 3, 3, dtype=torch.float64)
    (kernel,) = torch.autograd.grad(
        (roi_align(level, [box[None]], 3, 0.25, ratio, aligned)[0] * weights).sum(), level
    )
    (by_hand,) = torch.autograd.grad(
        (roi_align_by_hand(level[0], box, 3, 0.25, ratio, aligned) * weights).sum(), level
    )
    assert kernel.abs().sum() > 0
    torch.testing.assert_close(kernel, by_hand)
    assert torch.autograd.gradcheck(lambda x: roi_align(x, [box[None]], 3, 0.25, ratio, aligned), level)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_roi_align_of_half_precision_does_not_move_the_box(dtype: torch.dtype):
    """A map whose value is its column, and a box to 901.9; bfloat16 has nothing between 900 and 904."""
    level = torch.arange(64, dtype=dtype).expand(1, 1, 32, 64)
    box = torch.tensor([[601.9, 203.3, 901.9, 403.3]])
    pooled = roi_align(level, [box], 7, 1 / 16, 2)
    exact = roi_align(level.float(), [box], 7, 1 / 16, 2)
    assert pooled.dtype == dtype
    torch.testing.assert_close(pooled, exact.to(dtype), rtol=0, atol=0)


@often
@given(
    st.tuples(*[st.integers(0, 90).map(lambda number: number / 2)] * 4),
    st.sampled_from([1, 2, 3, 7]),
    st.sampled_from([1.0, 0.5, 0.25]),
)
def test_bins_are_those_that_roi_pool_reads(numbers: tuple[float, ...], side: int, scale: float):
    """RoIPool gives the maximum of each bin, and 0 for one outside; halves round away from 0."""
    (x1, x2), (y1, y2) = sorted(numbers[::2]), sorted(numbers[1::2])
    box = torch.tensor([x1, y1, x2, y2], dtype=torch.float64)
    level = torch.randn(20, 31, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    bins = pooled_bins(box, side, scale)
    expected = roi_pool(level[None, None], [box[None]], side, scale)[0, 0]
    assert bins.shape == (side, side, 4)
    for row in range(side):
        for column in range(side):
            left, top, right, bottom = (max(int(edge), 0) for edge in bins[row, column])
            part = level[top:bottom, left:right]
            assert expected[row, column] == (part.max() if part.numel() else 0)


# The pooler


def square(side: float) -> list[float]:
    return [3.0, 5.0, 3.0 + side, 5.0 + side]


@pytest.mark.parametrize("nudge", ["inside", "outside"])
def test_a_box_is_read_from_the_level_of_its_size(nudge: str):
    pooler = Pooler(7, nudge=nudge)
    sides = [0.0, 1, 55, 111, 112, 113, 223, 224, 225, 447, 448, 449, 5000]
    assert pooler.level_of(torch.tensor([square(side) for side in sides])).tolist() == [
        *(0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3)
    ]
    assert pooler.level_of(torch.zeros(0, 4)).shape == (0,)
    fewer = Pooler(7, levels=("p3", "p4"), canonical_size=112, nudge=nudge)
    assert fewer.level_of(torch.tensor([square(10), square(56), square(112), square(900)])).tolist() == [
        0,
        0,
        1,
        1,
    ]


def test_the_pooler_reads_every_box_from_its_own_level():
    generator = torch.Generator().manual_seed(0)
    strides = {"p2": 4, "p3": 8, "p4": 16, "p5": 32}
    levels = {name: torch.randn(2, 3, 512 // s, 384 // s, generator=generator) for name, s in strides.items()}
    boxes = [torch.tensor([square(300), square(20), square(150)]), torch.tensor([square(460), square(120)])]
    pooler = Pooler(5, sampling_ratio=2)
    pooled = pooler(levels, strides, boxes)
    for number, (image, box, name) in enumerate(
        [
            (0, boxes[0][0], "p4"),
            (0, boxes[0][1], "p2"),
            (0, boxes[0][2], "p3"),
            (1, boxes[1][0], "p5"),
            (1, boxes[1][1], "p3"),
        ]
    ):
        alone = roi_align(levels[name][image : image + 1], [box[None]], 5, 1 / strides[name], 2)
        torch.testing.assert_close(pooled[number], alone[0])
    assert pooler(levels, strides, [boxes[0][:0]] * 2).shape == (0, 3, 5, 5)


def test_levels_that_no_box_reads_have_a_gradient_of_zero():
    strides = {"p2": 4, "p3": 8}
    levels = {name: torch.randn(1, 2, 16, 16, requires_grad=True) for name in strides}
    for boxes in (torch.tensor([square(20)]), torch.zeros(0, 4)):
        pooled = Pooler(3, levels=("p2", "p3"))(levels, strides, [boxes])
        for name, gradient in zip(
            levels, torch.autograd.grad(pooled.sum(), list(levels.values())), strict=True
        ):
            assert gradient.any() == (name == "p2" and len(boxes) == 1)


def test_poolers_that_cannot_be():
    with pytest.raises(LessonsError, match="choose inside or outside"):
        Pooler(7, nudge="both")
    with pytest.raises(LessonsError, match="gives c5, not p2"):
        Pooler(7)({"c5": torch.zeros(1, 1, 2, 2)}, {"c5": 32}, [torch.zeros(0, 4)])


# Mask targets


def test_mask_targets_are_the_object_seen_through_its_box():
    masks = torch.zeros(2, 40, 50, dtype=torch.bool)
    masks[0, 10:20, 10:30] = True
    masks[1, 5:35, 40:45] = True
    boxes = torch.tensor([[40.0, 5, 45, 35], [10, 10, 30, 20], [20, 10, 40, 20], [0, 0, 5, 5]])
    objects = torch.tensor([1, 0, 0, 0])
    targets = mask_targets(masks, objects, boxes, 8)
    assert targets.dtype == torch.float32 and targets.shape == (4, 8, 8)
    assert targets[:2].all() and not targets[3].any()
    assert targets[2, :, :4].all() and not targets[2, :, 4:].any(), "the right half of the box has no object"
    soft = mask_targets(masks, objects, torch.tensor([[9.5, 9, 30, 20]]).expand(4, 4), 4, soft=True)
    assert ((soft > 0) & (soft < 1)).any()
    assert mask_targets(masks, objects[:0], boxes[:0], 8).shape == (0, 8, 8)
    assert mask_targets(masks[:0], objects[:0], boxes[:0], 8).shape == (0, 8, 8)


def test_the_mask_of_a_region_is_that_of_its_label():
    logits = torch.randn(3, 4, 2, 2)
    own = of_own_class(logits, torch.tensor([1, 4, 2]))
    assert torch.equal(own, torch.stack([logits[0, 0], logits[1, 3], logits[2, 1]]))


# Pasting


def pasted_slowly(mask: Tensor, box: list[float], size: tuple[int, int]) -> Tensor:
    """Each pixel's centre, in the small mask's pixels, mixed of the four around it; 0 outside of it."""
    side = len(mask)
    canvas = torch.zeros(size)
    x1, y1, x2, y2 = box

    def value(row: int, column: int) -> float:
        return float(mask[row, column]) if 0 <= row < side and 0 <= column < side else 0.0

    for row in range(max(math.floor(y1) - 1, 0), min(math.ceil(y2) + 1, size[0])):
        for column in range(max(math.floor(x1) - 1, 0), min(math.ceil(x2) + 1, size[1])):
            x = (column + 0.5 - x1) / (x2 - x1) * side - 0.5
            y = (row + 0.5 - y1) / (y2 - y1) * side - 0.5
            left, top = math.floor(x), math.floor(y)
            for down, across in ((0, 0), (0, 1), (1, 0), (1, 1)):
                share = (1 - abs(y - top - down)) * (1 - abs(x - left - across))
                canvas[row, column] += share * value(top + down, left + across)
    return canvas


PASTED = [
    [3.0, 4, 13, 10],
    [2.3, 1.7, 19.9, 14.2],
    [-5.0, -3, 9, 8],  # outside on the left and above
    [15.5, 8.25, 40, 30],
    [7.1, 6.2, 7.4, 6.9],  # smaller than a pixel
    [-30.0, -30, 60, 60],  # all of the picture lies inside
]


@pytest.mark.parametrize("box", PASTED, ids=str)
def test_pasting_is_what_a_loop_gives(box: list[float]):
    mask = torch.rand(5, 5, generator=torch.Generator().manual_seed(1))
    size = (16, 22)
    (soft,) = paste(mask[None], torch.tensor([box]), size, None)
    expected = pasted_slowly(mask, box, size)
    torch.testing.assert_close(soft, expected, rtol=0, atol=1e-5)
    assert expected.any() or box == PASTED[4]
    (hard,) = paste(mask[None], torch.tensor([box]), size, 0.5)
    sure = (expected - 0.5).abs() > 1e-4
    assert torch.equal(hard[sure], (expected >= 0.5)[sure]) and hard.dtype == torch.bool


def test_a_full_mask_pasted_is_its_box():
    full = torch.ones(1, 28, 28)
    (mask,) = paste(full, torch.tensor([[4.0, 3, 34, 20]]), (30, 40))
    assert mask.sum() == 30 * 17 and mask[3:20, 4:34].all()
    (rounded,) = paste_rounded(full, torch.tensor([[4.0, 3, 34, 20]]), (30, 40))
    assert rounded.sum() != mask.sum(), "rounding moves the edges"


@pytest.mark.parametrize("seed", range(3))
def test_rounded_pasting_is_torchvisions(seed: int):
    generator = torch.Generator().manual_seed(seed)
    """For boxes inside the picture, as they are after clipping; others stop torchvision."""
    tiny = torch.tensor([[5.0, 5, 5, 5], [3, 4, 3.2, 4.1], [0, 0, 45, 37], [44.5, 36.5, 45, 37]])
    boxes = torch.cat([box_geometry.clip(random_boxes(10, 40, seed=seed) - 5, (37, 45)), tiny])
    masks = torch.rand(14, 28, 28, generator=generator)
    expected = paste_masks_in_image(masks[:, None], boxes, (37, 45))[:, 0]
    soft = paste_rounded(masks, boxes, (37, 45), None)
    torch.testing.assert_close(soft, expected, rtol=0, atol=1e-6)
    assert torch.equal(paste_rounded(masks, boxes, (37, 45), 0.5), expected > 0.5)


@pytest.mark.parametrize("pasting", [paste, paste_rounded])
def test_what_cannot_be_seen_is_pasted_as_nothing(pasting):
    outside = torch.tensor([[50.0, 5, 60, 9], [5, 50, 9, 60], [-20, 0, -10, 5], [0, -20, 5, -10]])
    masks = torch.ones(4, 14, 14)
    assert not pasting(masks, outside, (20, 30)).any()
    assert not pasting(masks, outside, (20, 30), None).any()
    for threshold, dtype in ((0.5, torch.bool), (None, torch.float32)):
        nothing = pasting(masks[:0], outside[:0], (20, 30), threshold)
        assert nothing.shape == (0, 20, 30) and nothing.dtype == dtype
    assert pasting(masks[:1], torch.tensor([[0.0, 0, 1, 1]]), (1, 1)).shape == (1, 1, 1)


@pytest.mark.parametrize("pasting", [paste, paste_rounded])
def test_pasting_boxes_without_area_and_half_precision(pasting):
    soft = pasting(
        torch.ones(3, 6, 6), torch.tensor([[5.0, 5, 5, 9], [5, 5, 9, 5], [5, 5, 5, 5]]), (12, 12), None
    )
    assert soft.isfinite().all()
    masks = torch.rand(2, 6, 6, generator=torch.Generator().manual_seed(0)).half()
    boxes = torch.tensor([[1.5, 2, 10, 11], [-2, 0, 5, 5.5]])
    torch.testing.assert_close(
        pasting(masks, boxes, (12, 12), None),
        pasting(masks.float(), boxes, (12, 12), None),
        rtol=0,
        atol=1e-3,
    )


def test_a_box_of_numbers_that_are_none_is_pasted_as_nothing():
    boxes = torch.tensor([[0.0, 0, float("nan"), 5], [0, 0, float("inf"), 5]])
    assert not paste(torch.ones(2, 6, 6), boxes, (8, 8)).any()
