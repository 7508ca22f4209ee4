"""The 1×1 convolution, as what it is: one matrix product for all pixels."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Pointwise(nn.Conv2d):
    """A 1×1 convolution: each output pixel is a linear map of one input pixel. (B, C, H, W) -> (B, C', h, w)

    Where the channels of a pixel lie together in memory (channels-last), the map is a matrix already, and the
    product needs no copy of it. PyTorch's own way there makes copies on a CPU's single thread, and with a
    stride its backward pass has been seen to crash on narrow maps (torch 2.15). The names and shapes of the
    weights are those of `nn.Conv2d`.

    Args:
        stride: of two, every second row and column is read.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 1, stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or not x.is_contiguous(memory_format=torch.channels_last):
            return super().forward(x)
        return F.linear(self._pixels(x), self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)

    def add_to(self, total: Tensor, x: Tensor) -> Tensor:
        """total + self(x), in the memory of `total` (B, C', h, w) where that is possible; for inference.

        The product is added up where the sum is wanted: no map of its own is written and read again.
        """
        rows = total.permute(0, 2, 3, 1)  # (B, h, w, C')
        if total.device.type != "cpu" or not rows.is_contiguous():
            return total + self(x)
        rows = rows.flatten(0, 2)  # (B · h · w, C'), the same memory
        if self.bias is not None:
            rows += self.bias
        rows.addmm_(self._pixels(x).flatten(0, 2), self.weight.flatten(1).t())
        return total

    def _pixels(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, h, w, C), those that the stride meets."""
        down, across = self.stride
        return x[:, :, ::down, ::across].permute(0, 2, 3, 1)
