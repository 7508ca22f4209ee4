"""Folded normalisations: the same maps, from fewer layers."""

import pytest
import torch

from lessons.backbones import FrozenBatchNorm2d, Pointwise, resnet_pyramid, slim_pyramid
from lessons.backbones.folding import FoldedBottleneck, folded


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


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_a_product_is_added_up_in_place(bias: bool, layout: torch.memory_format):
    torch.manual_seed(0)
    product = Pointwise(5, 7, bias=bias)
    x = torch.randn(2, 5, 4, 6).to(memory_format=layout)
    total = torch.randn(2, 7, 4, 6).to(memory_format=layout)
    with torch.no_grad():
        expected, x_before = total + product(x), x.clone()
        found = product.add_to(total, x)
    assert torch.allclose(found, expected, atol=1e-5) and torch.equal(x, x_before)
    assert (found.data_ptr() == total.data_ptr()) == (layout == torch.channels_last)


@pytest.mark.parametrize("stride_in_1x1", [True, False])
def test_folded_bottlenecks_leave_images_and_levels_alone(stride_in_1x1: bool):
    torch.manual_seed(0)
    backbone = resnet_pyramid(50, "frozen", channels=16, width=8, stride_in_1x1=stride_in_1x1).eval()
    quick = folded(backbone).to(memory_format=torch.channels_last)
    assert sum(isinstance(module, FoldedBottleneck) for module in quick.modules()) == 16
    images = torch.randn(1, 3, 64, 96).to(memory_format=torch.channels_last)
    kept = images.clone()
    with torch.no_grad():
        expected, found = backbone.body(images), quick.body(images)
    assert torch.equal(images, kept)
    for name, level in expected.items():  # a later stage must not have written over an earlier one's map
        assert torch.allclose(found[name], level, atol=1e-4 * level.abs().max()), name
