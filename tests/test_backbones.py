"""Backbones: torchvision's numbers from torchvision's names, any image size, and stages that stay frozen."""

from functools import partial

import pytest
import torch
import torchvision
from torch import nn

from lessons.backbones import (
    Bottleneck,
    FeaturePyramid,
    FrozenBatchNorm2d,
    Pointwise,
    ResNet,
    group_norm,
    norm_factory,
    resnet_c5,
    resnet_pyramid,
    slim_pyramid,
)
from lessons.errors import LessonsError


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def batch_norm_with_a_past(channels=6):
    """A BatchNorm whose four vectors are all different from their start."""
    norm = nn.BatchNorm2d(channels)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.normal_(norm.bias)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    norm.num_batches_tracked.fill_(1000)
    return norm.eval()


# --------------------------------------------------------------------------------------------------- norms


@pytest.mark.parametrize("eps", [1e-5, 0.0, 0.1])
def test_frozen_batch_norm_is_batch_norm_in_evaluation(eps):
    reference = batch_norm_with_a_past()
    reference.eps = eps
    torchvisions = torchvision.ops.FrozenBatchNorm2d(6, eps=eps)
    ours = FrozenBatchNorm2d(6, eps=eps)
    ours.load_state_dict(reference.state_dict())  # holds num_batches_tracked
    torchvisions.load_state_dict(reference.state_dict())
    x = torch.randn(2, 6, 5, 7)
    assert torch.allclose(ours.train()(x), reference(x), atol=1e-6)
    assert torch.allclose(ours(x), torchvisions(x), atol=1e-6)
    assert set(ours.state_dict()) == {"weight", "bias", "running_mean", "running_var"}
    assert list(ours.parameters()) == []


def test_frozen_batch_norm_passes_the_gradient_and_keeps_half_precision():
    norm = FrozenBatchNorm2d(6)
    norm.load_state_dict(batch_norm_with_a_past().state_dict())
    x = torch.randn(1, 6, 2, 2, requires_grad=True)
    norm(x).sum().backward()
    scale = norm.weight / (norm.running_var + 1e-5).sqrt()
    assert torch.allclose(x.grad, scale[None, :, None, None].expand(1, 6, 2, 2))
    assert norm(x.to(torch.bfloat16)).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("channels", "groups"), [(256, 32), (512, 32), (64, 8), (32, 4), (24, 3), (7, 1), (1, 1), (36, 4)]
)
def test_group_norm_has_at_most_32_groups_of_at_least_8_channels(channels, groups):
    norm = group_norm(channels)
    assert norm.num_groups == groups and channels % groups == 0


def test_norm_factory_knows_its_names_and_takes_functions():
    assert isinstance(norm_factory("frozen")(4), FrozenBatchNorm2d)
    assert isinstance(norm_factory("batch")(4), nn.BatchNorm2d)
    assert isinstance(norm_factory("group")(4), nn.GroupNorm)
    for norm in (partial(FrozenBatchNorm2d, eps=0.0), "frozen-eps0"):
        assert ResNet(18, norm, width=8).layer4[1].bn2.eps == 0.0
    with pytest.raises(LessonsError, match=r"norm='layer'.*frozen, frozen-eps0, still, batch, group"):
        norm_factory("layer")


# -------------------------------------------------------------------------------------------------- resnet


def torchvisions_features(model, images):
    x = model.maxpool(model.relu(model.bn1(model.conv1(images))))
    features = {}
    for level in (1, 2, 3, 4):
        x = getattr(model, f"layer{level}")(x)
        features[f"c{level + 1}"] = x
    return features


@pytest.mark.parametrize("depth", [18, 50])
def test_torchvision_s_checkpoint_gives_torchvision_s_features(depth):
    reference = getattr(torchvision.models, f"resnet{depth}")(weights=None).eval()
    for module in reference.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.load_state_dict(batch_norm_with_a_past(module.num_features).state_dict())
            module.weight.data *= 0.5  # keeps the sum of the blocks of the order of one
    ours = ResNet(depth)
    ours.load_state_dict(reference.state_dict())  # strict, with fc and num_batches_tracked
    images = torch.rand(2, 3, 65, 50)
    with torch.no_grad():
        expected, features = torchvisions_features(reference, images), ours(images)
    for level, reference_map in expected.items():
        assert features[level].shape == reference_map.shape
        assert (features[level] - reference_map).abs().max() < 1e-5 * reference_map.abs().max()


@pytest.mark.parametrize("depth", [18, 34, 50, 101])
def test_names_and_shapes_are_torchvision_s(depth):
    with torch.device("meta"):
        reference = getattr(torchvision.models, f"resnet{depth}")(weights=None).state_dict()
        ours = ResNet(depth, "batch").state_dict()
    reference = {name: x.shape for name, x in reference.items() if not name.startswith("fc.")}
    assert {name: x.shape for name, x in ours.items()} == reference


def test_only_a_checkpoint_of_this_depth_loads():
    state = torchvision.models.resnet18(weights=None).state_dict()
    del state["layer3.0.conv1.weight"]
    with pytest.raises(RuntimeError, match=r"layer3\.0\.conv1\.weight"):
        ResNet(18).load_state_dict(state)


def test_where_the_stride_sits():
    torchvisions, original = Bottleneck(8, 4, 2, group_norm), Bottleneck(8, 4, 2, group_norm, True)
    assert (torchvisions.conv1.stride, torchvisions.conv2.stride) == ((1, 1), (2, 2))
    assert (original.conv1.stride, original.conv2.stride) == ((2, 2), (1, 1))

    original.load_state_dict(torchvisions.state_dict())  # the same names and shapes, other numbers
    x = torch.randn(1, 8, 9, 6)
    assert original(x).shape == torchvisions(x).shape == (1, 16, 5, 3)
    assert not torch.allclose(original(x), torchvisions(x))

    model = resnet_pyramid(50, stride_in_1x1=True, width=8)
    first_blocks = [model.body.layer2[0], model.body.layer3[0], model.body.layer4[0]]
    assert all(block.conv1.stride == (2, 2) and block.conv2.stride == (1, 1) for block in first_blocks)


def test_with_the_stride_in_the_1x1_three_of_four_pixels_are_never_looked_at():
    block = Bottleneck(8, 4, 2, FrozenBatchNorm2d, True)
    x = torch.randn(1, 8, 6, 6)
    changed = x.clone()
    changed[:, :, 1::2] += 1
    changed[:, :, :, 1::2] += 1
    assert torch.equal(block(x), block(changed))
    assert not torch.equal(Bottleneck(8, 4, 2, FrozenBatchNorm2d)(x), block(changed))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ResNet(20), "depth=20.*18, 34, 50, 101"),
        (lambda: ResNet(18, stride_in_1x1=True), "stride_in_1x1.*depth=18"),
        (lambda: ResNet(18, width=8).freeze(6), "stages=6"),
        (lambda: slim_pyramid(8, 8)(torch.rand(3, 32, 32)), "pad_batch"),
        (lambda: slim_pyramid(8, 8)(torch.rand(1, 1, 32, 32)), r"\(1, 1, 32, 32\)"),
    ],
)
def test_mistakes_end_in_a_sentence(make, words):
    with pytest.raises(LessonsError, match=words):
        make()


# ------------------------------------------------------------------------------------------------- shapes


def shapes(levels):
    return {name: tuple(level.shape[1:]) for name, level in levels.items()}


def test_the_two_image_batch_of_the_lesson():
    with torch.device("meta"):
        levels = resnet_pyramid(50)(torch.empty(2, 3, 800, 1344))
    assert list(levels) == ["p2", "p3", "p4", "p5", "p6"]
    assert all(len(level) == 2 for level in levels.values())
    assert shapes(levels) == {
        "p2": (256, 200, 336),
        "p3": (256, 100, 168),
        "p4": (256, 50, 84),
        "p5": (256, 25, 42),
        "p6": (256, 13, 21),
    }


def test_the_single_level_of_the_simple_mask_rcnn():
    with torch.device("meta"):
        backbone = resnet_c5(depth=50)
        levels = backbone(torch.empty(2, 3, 800, 1344))
    assert shapes(levels) == {"c5": (2048, 25, 42)}
    assert backbone.strides == {"c5": 32} and backbone.channels == 2048


def test_strides_and_channels():
    backbone = slim_pyramid(width=16, channels=24)
    assert backbone.strides == {"p2": 4, "p3": 8, "p4": 16, "p5": 32, "p6": 64}
    assert backbone.channels == 24
    assert ResNet(50, width=8).level_channels == {"c2": 32, "c3": 64, "c4": 128, "c5": 256}


@pytest.mark.parametrize("size", [(1, 1), (31, 65), (64, 64), (100, 75), (33, 127)])
@pytest.mark.parametrize("norm", ["frozen", "group"])
def test_any_size_gives_every_level_its_ceil_of_size_over_stride(size, norm):
    backbone = FeaturePyramid(ResNet(18, norm, width=8), 8).eval()
    levels = backbone(torch.rand(1, 3, *size))
    for name, stride in backbone.strides.items():
        assert levels[name].shape == (1, 8, -(-size[0] // stride), -(-size[1] // stride))
        assert levels[name].isfinite().all()


# ------------------------------------------------------------------------------------------------ pyramid


def test_forward_is_its_parts():
    backbone = slim_pyramid(8, 8)
    images = torch.rand(2, 3, 70, 45)
    features = backbone.bottom_up(images)
    levels = backbone.pyramid(features)
    merged = backbone.top_down(features)
    assert list(features) == ["c2", "c3", "c4", "c5"] and list(merged) == ["p2", "p3", "p4", "p5"]
    for name, level in backbone(images).items():
        assert torch.equal(level, levels[name])
    assert torch.equal(backbone.smooth(merged)["p3"], levels["p3"])
    assert torch.equal(levels["p6"], levels["p5"][:, :, ::2, ::2])


@pytest.mark.parametrize("size", [(70, 45), (1, 1), (64, 96)])
def test_the_stem_s_map_comes_first_where_it_is_asked_for(size):
    torch.manual_seed(0)
    backbone = slim_pyramid(8, 12, levels=4, give_c1=True)
    images = torch.rand(2, 3, *size)
    levels = backbone(images)
    assert list(levels) == list(backbone.strides) == ["c1", "p2", "p3", "p4", "p5"]
    assert backbone.strides["c1"] == 2 and backbone.body.level_channels["c1"] == 8
    assert levels["c1"].shape == (2, 8, -(-size[0] // 2), -(-size[1] // 2))
    assert torch.equal(levels["c1"], backbone.body.stem(images))
    torch.manual_seed(0)
    for name, level in slim_pyramid(8, 12, levels=4)(images).items():
        assert torch.equal(level, levels[name]), "nothing else changes"


def test_the_top_down_path_is_doubling_cutting_and_adding():
    backbone = slim_pyramid(8, 8)
    features = backbone.bottom_up(torch.rand(1, 3, 70, 45))  # c2 18 × 12, c3 9 × 6, c4 5 × 3, c5 3 × 2
    merged = backbone.top_down(features)
    for fine, coarse in (("4", "5"), ("3", "4"), ("2", "3")):
        own = backbone.lateral["p" + fine](features["c" + fine])
        doubled = merged["p" + coarse].repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        expected = own + doubled[:, :, : own.shape[2], : own.shape[3]]
        assert torch.allclose(merged["p" + fine], expected)


def test_the_pyramid_is_torchvision_s():
    ours = slim_pyramid(8, 16)
    theirs = torchvision.ops.FeaturePyramidNetwork(
        [8, 16, 32, 64], 16, extra_blocks=torchvision.ops.feature_pyramid_network.LastLevelMaxPool()
    )
    for index, level in enumerate(("p2", "p3", "p4", "p5")):
        theirs.inner_blocks[index][0].load_state_dict(ours.lateral[level].state_dict())
        theirs.layer_blocks[index][0].load_state_dict(ours.output[level].state_dict())
    features = ours.bottom_up(torch.rand(1, 3, 70, 45))
    expected = list(theirs(features).values())
    for level, reference in zip(ours.pyramid(features).values(), expected, strict=True):
        assert torch.allclose(level, reference, atol=1e-6)


# ----------------------------------------------------------------------------------- training and freezing


def test_every_weight_of_the_slim_pyramid_gets_a_gradient():
    backbone = slim_pyramid(8, 8)
    levels = backbone(torch.rand(2, 3, 64, 64))
    sum(level.square().mean() for level in levels.values()).backward()
    for name, weight in backbone.named_parameters():
        assert weight.grad is not None and weight.grad.abs().sum() > 0, name


def test_frozen_stages_get_no_gradient_and_the_others_do():
    backbone = resnet_pyramid(18, "batch", width=8, channels=8, frozen_stages=2).train()
    statistics = {name: x.clone() for name, x in backbone.state_dict().items() if "running" in name}
    sum(level.square().mean() for level in backbone(torch.rand(2, 3, 64, 64)).values()).backward()
    frozen = ("body.conv1.", "body.bn1.", "body.layer1.")
    for name, weight in backbone.named_parameters():
        assert (weight.grad is None) == name.startswith(frozen), name
    for name, before in statistics.items():
        moved = not torch.equal(backbone.state_dict()[name], before)
        assert moved != name.startswith(frozen), name


def test_detectron2_s_freeze_at_2_freezes_eleven_weights():
    with torch.device("meta"):
        backbone = resnet_pyramid(50, frozen_stages=2)
    assert sum(not weight.requires_grad for weight in backbone.parameters()) == 11


def test_freeze_can_be_taken_back():
    body = ResNet(18, "batch", width=8).freeze(5)
    assert not any(weight.requires_grad for weight in body.parameters()) and not body.layer4.training
    body.freeze(0)
    assert all(weight.requires_grad for weight in body.parameters()) and body.layer4.training
    assert not resnet_c5(18, width=8).freeze(1).body.conv1.weight.requires_grad


def test_weights_start_with_he_s_spread():
    body = ResNet(18, "group", width=64)
    weight = body.layer2[1].conv1.weight
    assert weight.std().item() == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.02)
    pyramid = slim_pyramid()
    weight = pyramid.output["p2"].weight
    assert weight.std().item() == pytest.approx((1 / (64 * 9)) ** 0.5, rel=0.02)
    assert (pyramid.output["p2"].bias == 0).all()


# ---------------------------------------------------------------------------------- precision and layout


def test_autocast_keeps_half_precision_through_frozen_norms():
    backbone = resnet_pyramid(18, width=8, channels=8)
    images = torch.rand(1, 3, 64, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = backbone.bottom_up(images)
        levels = backbone.pyramid(features)
    assert {x.dtype for x in [*features.values(), *levels.values()]} == {torch.bfloat16}
    exact = backbone.bottom_up(images)["c5"]
    assert (features["c5"] - exact).abs().max() < 0.05 * exact.abs().max()


def test_channels_last_gives_the_same_numbers_in_the_same_layout():
    backbone = resnet_pyramid(18, width=8, channels=8)
    images = torch.rand(2, 3, 64, 96)
    expected = backbone(images)
    backbone = backbone.to(memory_format=torch.channels_last)
    for name, level in backbone(images.to(memory_format=torch.channels_last)).items():
        assert torch.allclose(level, expected[name], rtol=1e-4, atol=1e-4)
        assert level.is_contiguous(memory_format=torch.channels_last)


def accelerator():
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else None


@pytest.mark.skipif(accelerator() is None, reason="no CUDA or MPS device here")
def test_the_accelerator_gives_the_processor_s_numbers():
    backbone = slim_pyramid()
    images = torch.rand(2, 3, 64, 96)
    expected = backbone(images)
    levels = backbone.to(accelerator())(images.to(accelerator()))
    for name, level in levels.items():
        assert (level.cpu() - expected[name]).abs().max() < 1e-2 * expected[name].abs().max()


# ----------------------------------------------------------------------------------------- 1×1 convolutions


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(7, 10), (1, 1), (8, 8)])
def test_a_pointwise_convolution_is_a_convolution_in_either_layout(stride, size):
    torch.manual_seed(0)
    pointwise = Pointwise(5, 3, stride)
    plain = nn.Conv2d(5, 3, 1, stride)
    plain.load_state_dict(pointwise.state_dict())
    for layout in (torch.contiguous_format, torch.channels_last):
        x = torch.randn(2, 5, *size).contiguous(memory_format=layout).requires_grad_()
        # PyTorch's own only in the usual layout: in the other its backward pass overruns memory on some CPUs.
        y = x.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
        ours, theirs = pointwise(x), plain(y)
        assert torch.allclose(ours, theirs, atol=1e-6)
        ours.square().sum().backward()
        theirs.square().sum().backward()
        assert torch.allclose(x.grad, y.grad, atol=1e-5)
        assert torch.allclose(pointwise.weight.grad, plain.weight.grad, rtol=1e-4, atol=1e-5)
        pointwise.zero_grad(), plain.zero_grad()


def test_a_pointwise_convolution_of_no_region_has_a_gradient_of_zero():
    pointwise = Pointwise(4, 2).to(memory_format=torch.channels_last)
    pointwise(torch.zeros(0, 4, 14, 14)).sum().backward()
    assert pointwise.weight.grad is not None and not pointwise.weight.grad.any()
