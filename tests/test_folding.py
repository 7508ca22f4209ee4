"""Folded normalisations: the same maps, from fewer layers."""

import pytest
import torch

from lessons.backbones import FrozenBatchNorm2d, resnet_pyramid, slim_pyramid
from lessons.backbones.folding import folded


@pytest.mark.parametrize("norm", ["frozen", "batch"])
def test_a_folded_backbone_gives_the_same_maps(norm: str):
    torch.manual_seed(0)
    backbone = resnet_pyramid(50, norm, channels=16, width=8).eval()
    for module in backbone.modules():
        if isinstance(module, FrozenBatchNorm2d | torch.nn.BatchNorm2d):
            for numbers in (module.weight.data, module.bias.data, module.running_mean, module.running_var):
                numbers.uniform_(0.5, 1.5)
    images = torch.randn(2, 3, 64, 96)
    before = {name: entry.clone() for name, entry in backbone.state_dict().items()}
    with torch.no_grad():
        expected, maps = backbone(images), folded(backbone)(images)
    for name, level in expected.items():
        assert torch.allclose(maps[name], level, atol=1e-4 * level.abs().max()), name
    left = [m for m in folded(backbone).modules() if isinstance(m, FrozenBatchNorm2d | torch.nn.BatchNorm2d)]
    assert not left
    assert all(torch.equal(backbone.state_dict()[name], entry) for name, entry in before.items())


def test_group_norm_stays():
    backbone = slim_pyramid(width=8, channels=8)
    norms = [
        sum(isinstance(m, torch.nn.GroupNorm) for m in b.modules()) for b in (backbone, folded(backbone))
    ]
    assert norms[0] == norms[1] > 0
