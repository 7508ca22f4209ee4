"""Mask R-CNN's parts, one by one, against detectron2's recorded numbers."""

import golden_detectron2 as official
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lessons import boxes, masks
from lessons.data.batches import pad_batch
from lessons.mask_rcnn.anchors import Anchors, cell_anchors
from lessons.mask_rcnn.box_head import BoxHead
from lessons.mask_rcnn.mask_head import MaskHead, mask_targets
from lessons.mask_rcnn.matching import match, sample
from lessons.mask_rcnn.pasting import paste
from lessons.mask_rcnn.roi_align import Pooler
from lessons.mask_rcnn.rpn import RPNHead
from lessons.resizing import shortest_edge_size, with_pillow
from lessons.training.schedule import warmup_and_steps

OPS = official.load("detection_ops")
HEADS = official.load("heads")
STRIDES = {"p2": 4, "p3": 8, "p4": 16, "p5": 32, "p6": 64}
SEED = OPS["meta"]["seed"]


def recorded(key: str) -> Tensor:
    return torch.from_numpy(OPS[key])


def far(ours: Tensor, theirs: np.ndarray) -> float:
    """The largest difference; the shapes must be equal."""
    assert tuple(ours.shape) == theirs.shape
    return float(np.abs(ours.detach().double().numpy() - theirs).max())


def test_anchors_of_one_place():
    for level, sizes in enumerate(Anchors().sizes):
        assert far(cell_anchors(sizes, Anchors().aspect_ratios), OPS[f"anchors.cell{level}"]) < 1e-5


@pytest.mark.parametrize(("offset", "key"), [(0.0, "anchors.all"), (0.5, "anchors.all_offset_half")])
def test_anchors_of_all_places(offset: float, key: str):
    sizes = OPS["anchors.grid_sizes"].tolist()
    levels = {name: torch.zeros(1, 1, *size) for name, size in zip(STRIDES, sizes, strict=True)}
    padded = 4 * sizes[0][0], 4 * sizes[0][1]
    anchors = torch.cat(Anchors(offset=offset).of_levels(levels, STRIDES, padded))
    assert far(anchors, OPS[key]) < 1e-4


@pytest.mark.parametrize(("stage", "weights"), [("rpn", (1, 1, 1, 1)), ("roi", (10, 10, 5, 5))])
def test_deltas_of_boxes_and_boxes_of_deltas(stage: str, weights: tuple[float, ...]):
    source, target = recorded("box.src"), recorded("box.tgt")
    assert far(boxes.encode(target, source, weights), OPS[f"box.{stage}.deltas"]) < 1e-5
    deltas = recorded(f"box.{stage}.in_deltas").unflatten(1, (-1, 4))  # (N, 2, 4); the first of 30 each
    applied = OPS[f"box.{stage}.applied"]
    ours = boxes.decode(deltas, source[:, None], weights).flatten(1)
    assert ours.shape == applied.shape
    assert np.allclose(ours.numpy(), applied, rtol=1e-5, atol=1e-3)


def test_the_level_of_a_box():
    assert torch.equal(Pooler(7).level_of(recorded("level.boxes")), recorded("level.out"))


@pytest.mark.parametrize("case", ["iou", "hand", "empty"])
@pytest.mark.parametrize(("stage", "thresholds"), [("rpn", (0.7, 0.3, True)), ("roi", (0.5, 0.5, False))])
def test_matching(case: str, stage: str, thresholds: tuple[float, float, bool]):
    # "hand" has anchors exactly at a threshold, and objects whose best anchors tie.
    iou = torch.zeros(0, 5) if case == "empty" else recorded(f"match.{case}")
    index, verdict = match(iou, *thresholds)
    assert torch.equal(index, recorded(f"match.{stage}.{case}.idx"))
    assert torch.equal(verdict, recorded(f"match.{stage}.{case}.labels").long())


@pytest.mark.parametrize(("case", "share", "background"), [("sub", 0.5, 0), ("sub2", 0.25, 80)])
def test_sampling_draws_the_same(case: str, share: float, background: int):
    labels = recorded(f"{case}.labels")
    torch.manual_seed(SEED)
    positives, negatives = sample((labels != background) & (labels != -1), labels == background, 64, share)
    assert torch.equal(positives, recorded(f"{case}.pos"))
    assert torch.equal(negatives, recorded(f"{case}.neg"))


@pytest.mark.parametrize(("threshold", "key"), [(0.7, "nms.keep07"), (0.5, "nms.keep05")])
def test_nms_within_groups(threshold: float, key: str):
    some, scores, groups = recorded("nms.boxes"), recorded("nms.scores"), recorded("nms.idx")
    assert torch.equal(boxes.nms_within_groups(some, scores, groups, threshold), recorded(key))
    by_hand = torch.cat(
        [own[boxes.nms(some[own], scores[own], threshold)] for own in per_group(groups)]
    )  # without moving groups apart
    assert torch.equal(by_hand[scores[by_hand].argsort(descending=True)], recorded(key))


def per_group(groups: Tensor) -> list[Tensor]:
    return [(groups == group).nonzero()[:, 0] for group in groups.unique()]


def test_pooling_from_four_levels():
    levels = {name: recorded(f"pool.f{number}") for number, name in enumerate(list(STRIDES)[:4])}
    some = [recorded("pool.b0"), recorded("pool.b1")]
    assert far(Pooler(7)(levels, STRIDES, some), OPS["pool.out7"]) < 1e-5
    assert official.difference(OPS, "pool.out14", Pooler(14)(levels, STRIDES, some)) < 1e-5


@pytest.mark.parametrize("side", [7, 28])
def test_mask_targets_of_bitmasks(side: int):
    target = official.objects(60, 80, 6, SEED)
    cut = mask_targets(target["masks"], torch.arange(6), recorded("crop.boxes"), side)
    assert torch.equal(cut.bool(), recorded(f"crop.out{side}"))


def test_polygons_as_bitmasks():
    drawn = torch.stack([masks.from_polygons(polygons, (60, 80)) for polygons in OPS["meta"]["polygons"]])
    assert torch.equal(drawn, recorded("poly.bitmask"))
    # detectron2's boxes go to the corners; ours to the last pixel that was filled, which is further inside
    # where a corner is sharp: the second object ends in one.
    own, theirs = boxes.from_masks(drawn), recorded("poly.bboxes")
    assert (own[:, :2] >= theirs[:, :2]).all() and (own[:, 2:] <= theirs[:, 2:]).all()
    assert far(own, OPS["poly.bboxes"]) <= 2


def test_mask_targets_of_polygons_are_nearly_theirs():
    # detectron2 has another rule here: it moves the corners into the 28 × 28 frame and fills them there; we
    # cut the filled picture, as its bitmask rule does. The results differ along the edges.
    drawn = recorded("poly.bitmask")
    cut = mask_targets(drawn, torch.arange(2), recorded("poly.boxes"), 28).bool()
    theirs = recorded("poly.out28")
    assert masks.iou(cut, theirs).diagonal().min() > 0.9
    assert not torch.equal(cut, theirs)


def test_pasting():
    small, some = recorded("paste.masks"), recorded("paste.boxes")
    expected = np.unpackbits(OPS["paste.out"]).astype(bool).reshape(4, 60, 80)
    assert np.array_equal(paste(small, some, (60, 80)).numpy(), expected)
    soft = paste(small, some, (60, 80), threshold=None)
    assert official.difference(OPS, "paste.soft", soft) < 4e-5


@pytest.mark.parametrize("short", [800, 640, 256])
def test_sizes_of_resized_pictures(short: int):
    sizes = [shortest_edge_size(tuple(size), short, 1333) for size in OPS["resize.in"].tolist()]
    assert sizes == [tuple(size) for size in OPS[f"resize.{short}"].tolist()]


def test_resized_pictures_to_the_bit():
    picture = official.picture(90, 121, SEED)
    smaller = with_pillow(picture, 64, 1333).mul(255).round().byte().permute(1, 2, 0)
    assert torch.equal(smaller, recorded("pil.out"))
    larger = with_pillow(picture, 150, 1333).mul(255).round().byte().permute(1, 2, 0)
    assert tuple(larger.shape) == tuple(OPS["pil.up.shape"])
    assert np.array_equal(larger.numpy()[::15, ::15], OPS["pil.up.sample"])
    plain = Image.fromarray(picture).resize((86, 64), Image.Resampling.NEAREST)
    assert not np.array_equal(np.array(plain), OPS["pil.out"]), "the comparison can fail"


def test_padding():
    sizes = [tuple(size) for size in OPS["pad.sizes"].tolist()]
    batch = pad_batch([torch.ones(3, *size) for size in sizes], 32)
    assert tuple(batch.tensor.shape) == tuple(OPS["pad.shape"]) and batch.sizes == sizes
    assert [int(image[0].sum()) for image in batch.tensor] == [height * width for height, width in sizes]


def test_learning_rates():
    golden = official.load("lr_schedule")
    rates = [
        0.02 * warmup_and_steps(iteration, warmup=1000, warmup_ratio=0.001, steps=(210000, 250000))
        for iteration in golden["iter"].tolist()
    ]
    assert np.allclose(rates, golden["lr"], rtol=1e-12, atol=0)


def test_rpn_head():
    stem = "proposal_generator.rpn_head"
    names = {"conv": "conv", "objectness": "objectness_logits", "deltas": "anchor_deltas"}
    head = official.part(RPNHead(256, 3), {ours: f"{stem}.{theirs}" for ours, theirs in names.items()})
    with torch.no_grad():
        logits, deltas = head(official.noise((1, 256, 9, 11), "rpno"))
    assert share(official.on_map(logits, (9, 11)), HEADS["rpn.logits"]) < 1.5e-5
    assert share(official.on_map(deltas, (9, 11)), HEADS["rpn.deltas"]) < 1.5e-5


def share(ours: Tensor, theirs: np.ndarray) -> float:
    return far(ours, theirs) / float(np.abs(theirs).max())


def test_box_head():
    head = official.part(
        BoxHead(256, 80),
        {
            "fc1": "roi_heads.box_head.fc1",
            "fc2": "roi_heads.box_head.fc2",
            "deltas": "roi_heads.box_predictor.bbox_pred",
        },
    )
    for end in ("weight", "bias"):
        name = f"roi_heads.box_predictor.cls_score.{end}"
        theirs = torch.from_numpy(official.weight(name, official.manifest()[name]))
        head.category.get_parameter(end).data.copy_(theirs.roll(1, dims=0))  # background, the last, first
    hidden = []
    head.deltas.register_forward_hook(lambda layer, inputs, output: hidden.append(inputs[0]))
    with torch.no_grad():
        output = head(official.noise((4, 256, 7, 7), "boxo"))
    assert official.difference(HEADS, "box.feat", hidden[0]) < 1.5e-5
    assert share(output.logits.roll(-1, dims=1), HEADS["box.scores"]) < 1.5e-5
    assert share(output.deltas.flatten(1), HEADS["box.deltas"]) < 1.5e-5


def test_mask_head():
    names = {f"convs.{number}": f"roi_heads.mask_head.mask_fcn{number + 1}" for number in range(4)}
    names |= {"up": "roi_heads.mask_head.deconv", "masks": "roi_heads.mask_head.predictor"}
    head = official.part(MaskHead(256, 80), names)
    with torch.no_grad():
        logits = head(official.noise((3, 256, 14, 14), "masko"))
    assert official.difference(HEADS, "mask.out", logits) < 1.5e-5
    assert share(logits[:, 7], HEADS["mask.out_cls7"]) < 1.5e-5
