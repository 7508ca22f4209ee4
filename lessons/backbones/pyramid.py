"""What stands on the bottom-up path: its last level alone, or a feature pyramid; and the build functions.

The pyramid is that of Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from lessons.backbones.norms import Norm
from lessons.backbones.pointwise import Pointwise
from lessons.backbones.resnet import ResNet
from lessons.errors import LessonsError


class SingleLevel(nn.Module):
    """Images (B, 3, H, W) -> {"c5": (B, channels, H/32, W/32)}: the simple Mask R-CNN's only feature map.

    Args:
        channels: a 1×1 and a 3×3 convolution bring the map to this many, as the simple Mask R-CNN has it.
            None: the ResNet's own, 2048 for depth 50.

    Attributes: body (the ResNet), strides {"c5": 32}, channels.
    """

    def __init__(self, body: ResNet, channels: int | None = None) -> None:
        super().__init__()
        self.body = body
        self.strides = {"c5": body.strides["c5"]}
        self.channels = channels or body.level_channels["c5"]
        self.narrow = nn.Identity()
        if channels:
            lateral = Pointwise(body.level_channels["c5"], channels)
            self.narrow = nn.Sequential(lateral, nn.Conv2d(channels, channels, 3, padding=1))
            for convolution in self.narrow:
                nn.init.kaiming_uniform_(convolution.weight, a=1)  # a=1: a gain of one, as no ReLU follows
                nn.init.zeros_(convolution.bias)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"c5": self.narrow(self.bottom_up(images)["c5"])}

    def bottom_up(self, images: Tensor) -> dict[str, Tensor]:
        """The ResNet's four maps, {"c2", ..., "c5"}."""
        return self.body(images)

    def freeze(self, stages: int) -> "SingleLevel":
        """See `ResNet.freeze`."""
        self.body.freeze(stages)
        return self


class FeaturePyramid(nn.Module):
    """Images (B, 3, H, W) -> {"p2": (B, C, H/4, W/4), ..., "p6": (B, C, H/64, W/64)}, sizes rounded up.

    Fine maps see edges and know little; coarse maps know what is there and see no edges. The pyramid hands
    the coarse knowledge down, so that every level has both (Lin et al. 2017, section 3). Its convolutions
    have a bias and no normalisation; no ReLU follows, so they start with variance 1 / fan-in and bias 0.

    Args:
        body: where it gives "c1", so does the pyramid, as it is and before p2.
        levels: how many maps are given, from p2 on; a picture of 200 pixels has no use for p6. What is known
            on p5 is handed down all the same.

    Attributes: body (the ResNet), lateral and output (the 1×1 and the 3×3 convolutions by level),
    strides {"p2": 4, ..., "p6": 64}, channels (C).
    """

    def __init__(self, body: ResNet, channels: int = 256, levels: int = 5) -> None:
        super().__init__()
        if not 1 <= levels <= 5:
            raise LessonsError(f"levels={levels!r}: choose 1 (p2 alone) to 5 (p2 to p6).")
        self.body = body
        self.strides = {f"p{2 + level}": 4 * 2**level for level in range(levels)}
        if "c1" in body.level_channels:
            self.strides = {"c1": 2, **self.strides}
        self.lateral, self.output = nn.ModuleDict(), nn.ModuleDict()
        for level in ("2", "3", "4", "5"):
            self.lateral["p" + level] = Pointwise(body.level_channels["c" + level], channels)
            if "p" + level in self.strides:
                self.output["p" + level] = nn.Conv2d(channels, channels, 3, padding=1)
        self.channels = channels
        for convolution in [*self.lateral.values(), *self.output.values()]:
            nn.init.kaiming_uniform_(convolution.weight, a=1)  # a=1: a gain of one, as no ReLU follows
            nn.init.zeros_(convolution.bias)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.bottom_up(images)  # c2 to c5
        finest = {"c1": features["c1"]} if "c1" in features else {}
        return finest | self.pyramid(features)  # p2 to p6

    def bottom_up(self, images: Tensor) -> dict[str, Tensor]:
        """(B, 3, H, W) -> the ResNet's four maps, {"c2", ..., "c5"}."""
        return self.body(images)

    def pyramid(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """{"c2", ..., "c5"} -> {"p2", ..., "p6"}, each with C channels."""
        merged = self.top_down(features)
        levels = self.smooth(merged)
        if "p6" in self.strides:
            levels["p6"] = self.coarsest(levels["p5"])
        return levels

    def top_down(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """{"c2", ..., "c5"} -> {"p2", ..., "p5"}: a level's own map, plus the coarser one enlarged.

        A 1×1 convolution first gives every map C channels. Enlarged means every pixel doubled in both
        directions (nearest), to the exact size of the finer level: where that is odd, the last doubled row
        or column is cut off.
        """
        coarser = self.lateral["p5"](features["c5"])  # (B, C, H/32, W/32)
        merged = {"p5": coarser}
        for level in ("4", "3", "2"):
            own = self.lateral["p" + level](features["c" + level])  # (B, C, h, w)
            coarser = own + F.interpolate(coarser, size=own.shape[-2:], mode="nearest")  # (B, C, h, w)
            merged["p" + level] = coarser
        return dict(sorted(merged.items()))  # p2 first

    def smooth(self, merged: dict[str, Tensor]) -> dict[str, Tensor]:
        """The 3×3 convolution of each level, which takes away the blocks that the doubling left."""
        return {level: convolution(merged[level]) for level, convolution in self.output.items()}

    @staticmethod
    def coarsest(p5: Tensor) -> Tensor:
        """p6, for the largest objects: every second pixel of p5. (B, C, h, w) -> (B, C, ⌈h/2⌉, ⌈w/2⌉)"""
        return F.max_pool2d(p5, kernel_size=1, stride=2)

    def freeze(self, stages: int) -> "FeaturePyramid":
        """See `ResNet.freeze`; the pyramid's own convolutions always train."""
        self.body.freeze(stages)
        return self


def resnet_pyramid(
    depth: int = 50,
    norm: str | Norm = "frozen",
    *,
    channels: int = 256,
    levels: int = 5,
    width: int = 64,
    stride_in_1x1: bool = False,
    frozen_stages: int = 0,
) -> FeaturePyramid:
    """A ResNet with a feature pyramid: Mask R-CNN's, PointRend's and SOLO's backbone. Weights are random.

    Args: see `ResNet`, `FeaturePyramid` and, for `frozen_stages`, `ResNet.freeze`.
    """
    body = ResNet(depth, norm, width=width, stride_in_1x1=stride_in_1x1)
    return FeaturePyramid(body, channels, levels).freeze(frozen_stages)


def resnet_c5(
    depth: int = 50,
    norm: str | Norm = "frozen",
    *,
    channels: int | None = None,
    width: int = 64,
    stride_in_1x1: bool = False,
    frozen_stages: int = 0,
) -> SingleLevel:
    """A ResNet that gives its last level alone, as the simple Mask R-CNN has it; see `resnet_pyramid`."""
    body = ResNet(depth, norm, width=width, stride_in_1x1=stride_in_1x1)
    return SingleLevel(body, channels).freeze(frozen_stages)


def slim_pyramid(
    width: int = 32, channels: int = 64, levels: int = 5, *, give_c1: bool = False
) -> FeaturePyramid:
    """The small models' backbone: a ResNet-18 of `width` with GroupNorm, which learns from scratch on a CPU.

    GroupNorm needs neither pretrained statistics nor a large batch (Wu and He 2018).
    """
    return FeaturePyramid(ResNet(18, "group", width=width, give_c1=give_c1), channels, levels)


def slim_c5(width: int = 32, channels: int = 64) -> SingleLevel:
    """As `slim_pyramid`, but with the last level alone."""
    return SingleLevel(ResNet(18, "group", width=width), channels)
