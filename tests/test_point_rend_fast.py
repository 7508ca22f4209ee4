"""The fast form of PointRend's mask branch gives the plain form's masks."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lessons import zoo
from lessons.errors import LessonsError
from lessons.point_rend import fast
from lessons.point_rend.fast import CellsHead, QuickPointRendBranch, Table
from lessons.point_rend.heads import PointHead
from lessons.point_rend.mask_branch import PointRendBranch
from lessons.point_rend.points import point_sample

HEIGHT, WIDTH, CHANNELS, CLASSES = 20, 26, 6, 5


def branch(levels: tuple[str, ...] = ("p2",), **options: int) -> PointRendBranch:
    """With weights large enough that masks have both sides of one half."""
    torch.manual_seed(1)
    built = PointRendBranch(CHANNELS, CLASSES, hidden=16, point_hidden=12, levels=levels, **options)
    for weight in built.parameters():
        torch.nn.init.normal_(weight, std=0.5 if weight.ndim == 1 else (2 / weight[0].numel()) ** 0.5)
    return built.eval()


def maps(images: int = 2, dtype: torch.dtype = torch.float32) -> tuple[dict[str, Tensor], dict[str, int]]:
    torch.manual_seed(2)
    fine = torch.randn(images, CHANNELS, HEIGHT, WIDTH, dtype=dtype)
    return {"p2": fine, "p3": fine[:, :, ::2, ::2].flip(1).contiguous()}, {"p2": 4, "p3": 8}


BOXES = torch.tensor(
    [
        [10.0, 8.0, 60.0, 50.0],
        [-9.5, -4.0, 30.0, 40.0],  # over the corner
        [80.0, 60.0, 104.0, 80.0],  # at the border
        [90.0, 70.0, 120.0, 99.0],  # over it
        [0.0, 0.0, 104.0, 80.0],
        [40.0, 30.0, 40.5, 30.25],  # next to nothing
    ]
)


def assert_same_masks(built: PointRendBranch, boxes: list[Tensor], labels: list[Tensor], **options: object):
    levels, strides = maps(len(boxes), **options)
    plain = built.probabilities(levels, strides, boxes, labels)
    quick = built.for_inference().probabilities(levels, strides, boxes, labels)
    assert [one.shape for one in quick] == [one.shape for one in plain]
    for ours, theirs in zip(quick, plain, strict=True):
        if len(ours):
            assert theirs.min() < 0.5 < theirs.max(), "masks that say something"
            far = (ours - theirs).abs() > 1e-5
            assert far.float().mean() < 1e-3, "but for cells of which another was asked, in a near tie"
            assert not ((ours >= 0.5) ^ (theirs >= 0.5)).any()


@pytest.mark.parametrize("count", [1, 3, fast.AT_ONCE, 6])
def test_the_same_masks_for_boxes_anywhere(count: int):
    labels = torch.arange(6) % CLASSES + 1
    assert_same_masks(branch(), [BOXES[:count], BOXES[6 - count :]], [labels[:count], labels[6 - count :]])


@pytest.mark.parametrize("empty", [0, 1])
def test_an_image_where_nothing_was_found(empty: int):
    boxes, labels = [BOXES, BOXES], [torch.ones(6, dtype=torch.int64)] * 2
    boxes[empty], labels[empty] = BOXES[:0], labels[0][:0]
    assert_same_masks(branch(), boxes, labels)


def test_nothing_found_at_all():
    nothing = [BOXES[:0], BOXES[:0]], [torch.zeros(0, dtype=torch.int64)] * 2
    assert_same_masks(branch(), *nothing)


def test_features_of_two_levels():
    assert_same_masks(branch(("p2", "p3")), [BOXES], [torch.tensor([1, 2, 3, 4, 5, 1])])


def test_the_point_head_may_read_other_maps_than_the_coarse_head():
    torch.manual_seed(1)
    built = PointRendBranch(
        CHANNELS, CLASSES, hidden=16, point_hidden=12, point_levels=["p2", "c1"], point_channels=[CHANNELS, 3]
    ).eval()
    torch.nn.init.normal_(built.point.masks.weight)
    torch.nn.init.normal_(built.coarse.masks.weight)
    levels, strides = maps(1)
    levels["c1"], strides["c1"] = torch.randn(1, 3, 2 * HEIGHT, 2 * WIDTH), 2
    boxes, labels = [BOXES], [torch.tensor([1, 2, 3, 4, 5, 1])]
    (plain,) = built.probabilities(levels, strides, boxes, labels)
    (quick,) = built.for_inference().probabilities(levels, strides, boxes, labels)
    assert ((plain - quick).abs() > 1e-5).float().mean() < 1e-3
    levels["c1"] = torch.randn_like(levels["c1"])
    (other,) = built.probabilities(levels, strides, boxes, labels)
    assert not torch.equal(plain, other), "the finer map is read"
    coarse = built.coarse_masks({"p2": levels["p2"]}, strides, boxes)
    assert coarse.shape == (6, CLASSES, 7, 7), "the coarse head needs p2 alone"


def test_as_many_numbers_of_channels_as_levels():
    with pytest.raises(LessonsError, match="one number for each"):
        PointRendBranch(CHANNELS, CLASSES, point_levels=["p2", "c1"], point_channels=[CHANNELS])


@pytest.mark.parametrize(("side", "steps", "points"), [(7, 0, 10), (4, 3, 20), (3, 2, 1000)])
def test_other_sizes(side: int, steps: int, points: int):
    options = {"side": side, "subdivision_steps": steps, "subdivision_points": points}
    assert_same_masks(branch(**options), [BOXES], [torch.tensor([1, 2, 3, 4, 5, 1])])


def test_one_class():
    torch.manual_seed(1)
    built = PointRendBranch(CHANNELS, 1, hidden=16, point_hidden=12).eval()
    torch.nn.init.normal_(built.point.masks.weight)
    torch.nn.init.normal_(built.coarse.masks.weight)
    assert_same_masks(built, [BOXES], [torch.ones(6, dtype=torch.int64)])


def test_double_precision_agrees_closely():
    levels, strides = maps(1, torch.float64)
    built, boxes, labels = branch().double(), [BOXES.double()], [torch.tensor([1, 2, 3, 4, 5, 1])]
    built.subdivision_steps = 2  # all cells: none is chosen, so no near tie
    (plain,) = built.probabilities(levels, strides, boxes, labels)
    (quick,) = built.for_inference().probabilities(levels, strides, boxes, labels)
    assert (plain - quick).abs().max() < 1e-6


@given(
    st.lists(st.tuples(st.floats(-0.3, 1.3), st.floats(-0.3, 1.3)), min_size=1, max_size=20),
    st.integers(1, 9),
    st.integers(1, 9),
)
@settings(max_examples=50, deadline=None)
def test_a_point_reads_four_weighted_pixels(points: list[tuple[float, float]], height: int, width: int):
    places = torch.tensor(points)
    level = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    index, weights = fast.taps(places, (height, width))
    assert (weights.sum(dim=-1) <= 1 + 1e-5).all() and (weights >= 0).all()
    rows = level[0].flatten(1).t().contiguous()
    read = fast.weighted_rows(rows, index, weights)
    assert torch.allclose(read, point_sample(level, places[None])[0].t(), atol=1e-5)
    gathered = (rows[index] * weights[..., None]).sum(dim=-2)  # as on other devices than the CPU
    assert torch.allclose(read, gathered, atol=1e-6)


def test_at_the_border_the_weights_sum_to_less_than_one():
    inside, edge, corner, outside = torch.tensor([[0.5, 0.5], [0.5, 0.0], [0.0, 0.0], [1.2, 0.5]]).unbind()
    for point, total in ((inside, 1.0), (edge, 0.5), (corner, 0.25), (outside, 0.0)):
        assert fast.taps(point, (4, 4))[1].sum().item() == pytest.approx(total)


def test_images_are_read_from_their_own_map():
    levels, strides = maps()
    table = Table.of(levels["p2"], strides["p2"])
    points = torch.rand(3, 7, 2) * torch.tensor([WIDTH * 4.0, HEIGHT * 4.0])
    numbers = fast.images_of([1, 2], torch.device("cpu"))
    assert numbers.tolist() == [0, 1, 1]
    relative = points / torch.tensor([WIDTH * 4.0, HEIGHT * 4.0])
    expected = point_sample(levels["p2"][numbers], relative).transpose(1, 2)
    assert torch.allclose(table.at(points, numbers), expected, atol=1e-5)


def test_the_head_of_worked_out_cells_is_the_point_head():
    torch.manual_seed(3)
    head = PointHead(CHANNELS, CLASSES, 12)
    torch.nn.init.normal_(head.masks.weight)
    fine, coarse = torch.randn(2, CHANNELS, 9), torch.randn(2, CLASSES, 7, 7)
    points, labels = torch.rand(2, 9, 2) * 1.2 - 0.1, torch.tensor([2, 5])
    with torch.no_grad():
        plain = head(fine, point_sample(coarse, points))[torch.arange(2), labels - 1]
        share = fine.transpose(1, 2) @ head.layers[0].weight[:, :CHANNELS, 0].t()
        quick = CellsHead.of(head, coarse, labels)(share, points)
    assert torch.allclose(plain, quick, atol=1e-5)


def test_a_loaded_model_runs_the_fast_form_and_leaves_the_plain_one_alone():
    model = zoo.build("point-rend-mini").eval()
    quick = model.for_inference()
    assert isinstance(quick.mask_branch, QuickPointRendBranch)
    assert isinstance(model.mask_branch, PointRendBranch)
    image = torch.rand(3, 64, 96)
    quick.decoding = model.decoding = type(model.decoding)(score_threshold=0.0, max_detections=5)
    (plain,), (found,) = model([image]), quick([image])
    assert len(plain["boxes"]) == len(found["boxes"]) > 0
    assert (plain["boxes"] - found["boxes"]).abs().max() < 1e-2
    (nothing,) = model.for_inference()([torch.zeros(3, 64, 96)])
    assert nothing["masks"].shape[1:] == (64, 96)
