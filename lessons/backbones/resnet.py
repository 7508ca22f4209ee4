"""The bottom-up path: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016.

Modules carry torchvision's names (`layer1.0.conv1.weight`, ...), so that its classification checkpoints
load as they are.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from lessons.backbones.norms import Norm, norm_factory
from lessons.backbones.pointwise import Pointwise
from lessons.errors import LessonsError


def conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A convolution without bias (a normalisation follows) whose output has ceil(size / stride) pixels."""
    if kernel == 1:
        return Pointwise(in_channels, out_channels, stride, bias=False)
    return nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut (He et al. 2016, figure 5 left): ResNet-18 and -34."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(in_channels, width, 3, stride), norm(width)
        self.conv2, self.bn2 = conv(width, width, 3), norm(width)
        self.downsample = shortcut(in_channels, width, stride, norm)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        return F.relu(out.add_(x if self.downsample is None else self.downsample(x)), inplace=True)


class Bottleneck(nn.Module):
    """1×1 down to `width`, 3×3, 1×1 up to 4 · `width`, beside a shortcut (figure 5 right): ResNet-50 on.

    Args:
        stride_in_1x1: the first 1×1 convolution strides (the original, and detectron2's weights) instead of
            the 3×3 (torchvision's weights). It costs less and sees only every fourth input pixel.
    """

    expansion = 4

    def __init__(
        self, in_channels: int, width: int, stride: int, norm: Norm, stride_in_1x1: bool = False
    ) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_in_1x1 else (1, stride)
        self.conv1, self.bn1 = conv(in_channels, width, 1, first), norm(width)
        self.conv2, self.bn2 = conv(width, width, 3, second), norm(width)
        self.conv3, self.bn3 = conv(width, 4 * width, 1), norm(4 * width)
        self.downsample = shortcut(in_channels, 4 * width, stride, norm)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = F.relu(self.bn2(self.conv2(out)), inplace=True)
        out = self.bn3(self.conv3(out))
        return F.relu(out.add_(x if self.downsample is None else self.downsample(x)), inplace=True)


def shortcut(in_channels: int, out_channels: int, stride: int, norm: Norm) -> nn.Sequential | None:
    """What brings the input to the output's shape: a strided 1×1 convolution, or None where they agree."""
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(conv(in_channels, out_channels, 1, stride), norm(out_channels))


# depth -> the kind of block, and how many of them in layer1..layer4 (He et al. 2016, table 1)
DEPTHS: dict[int, tuple[type[nn.Module], tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
}


class ResNet(nn.Module):
    """Images (B, 3, H, W) -> {"c2": (B, C2, H/4, W/4), "c3", "c4", "c5": (B, C5, H/32, W/32)}.

    Before them stands "c1", (B, width, H/2, W/2), where `give_c1` asks for it.

    Convolutions start from He initialisation (He et al. 2015: normal, variance 2 / fan-out), which keeps the
    spread of the gradient through ReLUs; normalisations start as the identity.

    Args:
        depth: 18, 34, 50 or 101.
        norm: "frozen", "still", "batch", "group", or a function from a number of channels to a layer.
        width: channels of the stem and of the first stage's 3×3 convolutions; 64 in the paper.
        stride_in_1x1: see `Bottleneck`; only for depths made of bottlenecks.
        give_c1: give the stem's map too, before its pooling: small pictures' detail is there.

    Attributes:
        strides: pixels of the image per pixel of the level, by level.
        level_channels: C of each level.

    Raises:
        LessonsError: an unknown depth or norm, or stride_in_1x1 where no bottleneck is.
    """

    def __init__(
        self,
        depth: int = 50,
        norm: str | Norm = "frozen",
        *,
        width: int = 64,
        stride_in_1x1: bool = False,
        give_c1: bool = False,
    ) -> None:
        super().__init__()
        if depth not in DEPTHS:
            raise LessonsError(f"depth={depth!r} is not known: choose one of {', '.join(map(str, DEPTHS))}.")
        block, counts = DEPTHS[depth]
        if stride_in_1x1 and block is BasicBlock:
            raise LessonsError(
                f"stride_in_1x1 needs bottlenecks, which depth={depth} has not: choose 50 or 101."
            )
        norm, options = norm_factory(norm), {"stride_in_1x1": True} if stride_in_1x1 else {}

        self.conv1, self.bn1 = conv(3, width, 7, 2), norm(width)
        channels = width
        for stage, count in enumerate(counts):  # layer1 keeps the stem's size; each further one halves it
            blocks = []
            for number in range(count):
                stride = 2 if stage > 0 and number == 0 else 1
                blocks.append(block(channels, width * 2**stage, stride, norm, **options))
                channels = width * 2**stage * block.expansion
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.strides = {"c2": 4, "c3": 8, "c4": 16, "c5": 32}
        self.level_channels = {f"c{s + 2}": width * 2**s * block.expansion for s in range(4)}
        if give_c1:
            self.strides = {"c1": 2, **self.strides}
            self.level_channels = {"c1": width, **self.level_channels}
        self.frozen_stages = 0
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        if images.ndim != 4 or images.shape[1] != 3:
            raise LessonsError(
                f"images must be one tensor (B, 3, H, W), not {tuple(images.shape)}: make it with pad_batch."
            )
        x = self.stem(images)  # (B, width, H/2, W/2)
        maps = {"c1": x} if "c1" in self.strides else {}
        x = F.max_pool2d(x, kernel_size=3, stride=2, padding=1)  # (B, width, H/4, W/4); frees c1 if not given
        x = maps["c2"] = self.layer1(x)  # (B, C2, H/4, W/4)
        x = maps["c3"] = self.layer2(x)  # (B, C3, H/8, W/8)
        x = maps["c4"] = self.layer3(x)  # (B, C4, H/16, W/16)
        maps["c5"] = self.layer4(x)  # (B, C5, H/32, W/32)
        return maps

    def stem(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, width, H/2, W/2): a 7×7 convolution with stride 2; a pooling follows."""
        return F.relu(self.bn1(self.conv1(images)), inplace=True)

    def freeze(self, stages: int) -> "ResNet":
        """Keep the first `stages` of stem, layer1, ..., layer4 as they are, and train all the others.

        2 freezes stem and layer1: detectron2's FREEZE_AT=2, mmdetection's frozen_stages=1. Frozen
        BatchNorms stay in evaluation mode, or their statistics would go on moving.

        Raises:
            LessonsError: `stages` is not in 0..5.
        """
        if not 0 <= stages <= 5:
            raise LessonsError(
                f"freeze(stages={stages!r}): choose 0 (nothing) to 5 (stem and all four layers)."
            )
        self.frozen_stages = stages
        for number, parts in enumerate(self._stages()):
            for part in parts:
                part.requires_grad_(number >= stages)
        return self.train(self.training)

    def train(self, mode: bool = True) -> "ResNet":
        super().train(mode)
        for parts in self._stages()[: self.frozen_stages]:
            for part in parts:
                part.eval()
        return self

    def _stages(self) -> list[tuple[nn.Module, ...]]:
        return [(self.conv1, self.bn1), (self.layer1,), (self.layer2,), (self.layer3,), (self.layer4,)]

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:
        for name in ("fc.weight", "fc.bias"):  # the 1000 ImageNet classes of a classification checkpoint
            state_dict.pop(prefix + name, None)
        super()._load_from_state_dict(state_dict, prefix, *args)
