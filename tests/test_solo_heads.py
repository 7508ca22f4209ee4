"""SOLO's heads: coordinates, levels, and the official numbers."""

import json
import zlib

import golden_solo
import pytest
import torch

from lessons.errors import LessonsError
from lessons.solo.coordinates import append_coordinates, coordinates
from lessons.solo.heads import (
    DecoupledOutput,
    DecoupledSOLOHead,
    DecoupledSOLOLightHead,
    SOLOHead,
    resize_levels,
)

SMALL = {"channels_in": 16, "channels": 16, "classes": 3, "grids": (5, 4, 3, 2, 1), "convolutions": 1}
HEADS = [SOLOHead, DecoupledSOLOHead, DecoupledSOLOLightHead]


def pyramid(height: int, width: int, batch: int = 2, channels: int = 16) -> list[torch.Tensor]:
    return [torch.randn(batch, channels, -(-height // s), -(-width // s)) for s in (4, 8, 16, 32, 64)]


@pytest.mark.parametrize("family", golden_solo.FAMILIES)
def test_the_recording_s_weights_are_drawn_again(family: str):
    check = json.loads((golden_solo.GOLDEN / "pseudo_weights_check.json").read_text(encoding="utf-8"))
    crc = 0
    for _, values in sorted(golden_solo.state_dict(family).items()):
        crc = zlib.crc32(values.numpy().tobytes(), crc)
    assert crc == check[family]["crc32_of_all"]


@pytest.mark.parametrize("family", golden_solo.FAMILIES)
def test_logits_are_the_official_ones(family: str):
    golden = golden_solo.load(f"head_{family}")
    height, width, seed, batch = map(int, golden["params"])
    # In double precision: what is left is the recording's own rounding, on every machine the same.
    features = [level.double() for level in golden_solo.features(height, width, seed, batch)]
    head = golden_solo.head(family).double()
    with torch.no_grad():
        levels, output = head.resize_levels(features), head(features)
    named = {"split_feats": levels, "train/cate": output.categories}
    if isinstance(output, DecoupledOutput):
        named |= {"train/ins_x": output.masks_x, "train/ins_y": output.masks_y}
    else:
        named |= {"train/ins": output.masks}
    for name, tensors in named.items():
        for level, tensor in enumerate(tensors):
            assert golden_solo.difference(golden, f"{name}/{level}", tensor) < 1e-5, (name, level)


def test_coordinates_run_from_end_to_end_x_first():
    x, y = coordinates(torch.zeros(7, 3, 5))
    assert x[0].tolist() == [-1, -0.5, 0, 0.5, 1] and (x == x[0]).all()
    assert y[:, 0].tolist() == [-1, 0, 1] and (y == y[:, :1]).all()


def test_coordinates_come_behind_the_features_and_follow_their_dtype():
    features = torch.randn(2, 4, 3, 5, dtype=torch.float64)
    both = append_coordinates(features)
    assert both.shape == (2, 6, 3, 5) and both.dtype == torch.float64
    assert (both[:, :4] == features).all()
    assert (append_coordinates(features, "x")[:, 4:] == both[:, 4:5]).all()
    assert (append_coordinates(features, "y")[:, 4:] == both[:, 5:]).all()
    assert append_coordinates(features[..., :1]).isfinite().all(), "a map one pixel wide"


def test_unknown_axes_are_named():
    with pytest.raises(LessonsError, match="axes='z'"):
        append_coordinates(torch.zeros(1, 1, 2, 2), "z")


def test_first_level_is_halved_and_last_takes_the_size_of_the_one_before():
    levels = resize_levels(
        [torch.randn(1, 2, *size) for size in [(75, 50), (38, 25), (19, 13), (10, 7), (5, 4)]]
    )
    assert [tuple(level.shape[-2:]) for level in levels] == [(37, 25), (38, 25), (19, 13), (10, 7), (10, 7)]


@pytest.mark.parametrize("head", HEADS)
def test_shapes_and_the_prior_of_an_untrained_head(head: type):
    torch.manual_seed(0)
    output = head(**SMALL)(pyramid(64, 96))
    assert [tuple(c.shape) for c in output.categories] == [(2, 3, s, s) for s in (5, 4, 3, 2, 1)]
    assert output.mask_sizes == [(16, 24), (16, 24), (8, 12), (4, 6), (4, 6)]
    for level, grid in enumerate(SMALL["grids"]):
        cells = torch.arange(grid**2)
        masks = output.probabilities(level, torch.zeros_like(cells), cells)
        assert masks.shape == (grid**2, *output.mask_sizes[level])
        prior = 0.01 if head is SOLOHead else 0.01**2
        assert masks.mean().item() == pytest.approx(prior, rel=0.3)
        assert output.categories[level].sigmoid().mean().item() == pytest.approx(0.01, rel=0.3)


def test_a_decoupled_mask_is_its_column_times_its_row():
    masks_x, masks_y = torch.randn(2, 3, 4, 6), torch.randn(2, 3, 4, 6)
    output = DecoupledOutput([torch.zeros(2, 1, 3, 3)], [masks_x], [masks_y])
    (mask,) = output.probabilities(0, torch.tensor([1]), torch.tensor([5]))  # row 1, column 2
    assert torch.equal(mask, masks_x[1, 2].sigmoid() * masks_y[1, 1].sigmoid())


@pytest.mark.parametrize("head", HEADS)
def test_one_image_does_not_change_another(head: type):
    torch.manual_seed(0)
    built, features = head(**SMALL), pyramid(64, 96)
    alone = built([level[1:] for level in features])
    together = built(features)
    for one, both in zip(alone.categories, together.categories, strict=True):
        assert torch.allclose(one[0], both[1], atol=1e-5)


@pytest.mark.parametrize(
    ("head", "towers"), [(SOLOHead, ["mask_tower"]), (DecoupledSOLOHead, ["mask_tower_x", "mask_tower_y"])]
)
def test_coordinates_can_begin_louder(head: type, towers: list[str]):
    torch.manual_seed(0)
    plain = head(16, 16, 2, grids=[3], convolutions=2)
    torch.manual_seed(0)
    loud = head(16, 16, 2, grids=[3], convolutions=2, coordinate_gain=32.0)
    first = {f"{name}.0.0.weight" for name in towers}
    for (name, ours), theirs in zip(loud.state_dict().items(), plain.state_dict().values(), strict=True):
        if name in first:
            assert torch.equal(ours[:, :16], theirs[:, :16]) and torch.equal(
                ours[:, 16:], 32 * theirs[:, 16:]
            )
        else:
            assert torch.equal(ours, theirs), name


def test_another_number_of_levels_is_refused():
    with pytest.raises(LessonsError, match="5 grids and got 4"):
        SOLOHead(**SMALL)(pyramid(64, 64)[:4])
    with pytest.raises(LessonsError, match="grids=\\(0,\\)"):
        SOLOHead(grids=(0,))
