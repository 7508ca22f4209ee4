"""Our own weight files, and a model that begins with what a relative has learnt."""

import pytest
import torch

from lessons.backbones import slim_pyramid
from lessons.checkpoints import ours
from lessons.errors import DataError
from lessons.solo import DecoupledSOLOHead, SOLOHead
from lessons.solo.model import SOLO


def small(head_type, seed: int) -> SOLO:
    torch.manual_seed(seed)
    return SOLO(
        slim_pyramid(8, 16, levels=2), head_type(16, 16, 3, (4, 3), 2), scale_ranges=((1, 9), (9, 99))
    )


def test_what_is_saved_is_loaded(tmp_path):
    model, other = small(SOLOHead, 0), small(SOLOHead, 1)
    ours.save(model, tmp_path / "a.safetensors", {"mask AP": 0.5})
    assert ours.load(other, tmp_path / "a.safetensors") == {"mask AP": "0.5"}
    for name, entry in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], entry), name


def test_a_relative_takes_what_fits(tmp_path):
    model, relative = small(DecoupledSOLOHead, 0), small(SOLOHead, 1)
    before = {name: entry.clone() for name, entry in model.state_dict().items()}
    ours.save(relative, tmp_path / "solo.safetensors")
    fresh = ours.load_matching(model, tmp_path / "solo.safetensors")
    for name, entry in model.state_dict().items():
        expected = before[name] if name in fresh else relative.state_dict()[name]
        assert torch.equal(entry, expected), name
    assert fresh and all(name.startswith("head.mask") for name in fresh), "backbone and category branch fit"


def test_a_stranger_is_refused(tmp_path):
    ours.save(torch.nn.Linear(2, 2), tmp_path / "stranger.safetensors")
    with pytest.raises(DataError, match=r"stranger\.safetensors has nothing in common with this model"):
        ours.load_matching(small(SOLOHead, 0), tmp_path / "stranger.safetensors")
