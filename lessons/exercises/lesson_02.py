"""Checkers of lesson 02: output sizes, padding, counting anchors, folding a normalisation."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lessons.backbones import FrozenBatchNorm2d


def check_output_size(answer: Callable[..., int]) -> None:
    """`output_size(size, kernel, stride, padding, dilation)` against torch's own convolution."""
    for kernel, stride, padding, dilation in [
        (3, 1, 1, 1), (3, 2, 1, 1), (7, 2, 3, 1), (1, 2, 0, 1),
        (3, 1, 2, 2), (3, 2, 0, 3), (2, 2, 0, 1), (5, 3, 1, 1),
    ]:  # fmt: skip
        layer = nn.Conv2d(1, 1, kernel, stride, padding, dilation, device="meta")
        for size in (9, 10, 31, 32):
            expected = layer(torch.empty(1, 1, size, size, device="meta")).shape[-1]
            given = answer(size, kernel, stride, padding, dilation)
            assert given == expected, (
                f"size {size}, kernel {kernel}, stride {stride}, padding {padding}, dilation {dilation} "
                f"gives {expected}, and the answer is {given}: what does the kernel span?"
            )
            assert isinstance(given, int), f"the answer is {given!r}: a side is a whole number, an int."


def check_pad_to(answer: Callable[[Tensor, int], Tensor]) -> None:
    """`pad_to(image, multiple)`: size, content, zeros, and the input as it was."""
    for size, multiple, expected in [
        ((5, 7), 4, (8, 8)), ((8, 4), 4, (8, 4)), ((1, 33), 32, (32, 64)), ((3, 3), 1, (3, 3)),
    ]:  # fmt: skip
        image = torch.arange(1.0, 3 * size[0] * size[1] + 1).reshape(3, *size)
        original = image.clone()
        padded = answer(image, multiple)
        given = tuple(padded.shape)
        assert given == (3, *expected), (
            f"{size} padded to multiples of {multiple} is (3, {expected[0]}, {expected[1]}), not {given}: "
            "how much is missing where the side is a multiple already?"
        )
        inside = padded[:, : size[0], : size[1]]
        assert torch.equal(inside, original), "the picture must stay in the top left corner, unchanged."
        assert padded.sum() == original.sum(), "what is added must be zero."
        assert torch.equal(image, original), "the input was changed: pad a copy."


def check_count_anchors(answer: Callable[[tuple[int, int], list[int], int], int]) -> None:
    """`count_anchors(size, strides, per_cell)`, with sizes that the strides do not divide."""
    for size, strides, per_cell, expected in [
        ((800, 1344), [4, 8, 16, 32, 64], 3, 268_569),
        ((800, 1344), [32], 9, 9_450),
        ((64, 64), [4, 8, 16, 32, 64], 1, 341),
        ((100, 36), [32], 2, 16),
    ]:
        given = answer(size, strides, per_cell)
        assert given == expected, (
            f"{size} with the strides {strides} and {per_cell} per cell has {expected:,} anchors, "
            f"not {given:,}: how many cells has a level whose stride does not divide the side?"
        )


def check_fold(answer: Callable[[Tensor, nn.Module], tuple[Tensor, Tensor]]) -> None:
    """`fold(weight, norm)`: one convolution must give what two layers give, and change neither."""
    generator = torch.Generator().manual_seed(2)
    for inner, outer, kernel in [(4, 4, 3), (3, 5, 1)]:
        weight = torch.randn(outer, inner, kernel, kernel, generator=generator)
        norm = FrozenBatchNorm2d(outer, eps=1e-2)  # large enough to be missed
        for name, buffer in norm.named_buffers():
            numbers = torch.rand(outer, generator=generator) + 0.2
            buffer.copy_(numbers * 0.1 if name == "running_var" else numbers)
        before = [weight.clone(), *(buffer.clone() for buffer in norm.buffers())]
        images = torch.randn(2, inner, 6, 5, generator=generator)
        expected = norm(F.conv2d(images, weight, padding=kernel // 2))
        try:
            folded, bias = answer(weight, norm)
            given = F.conv2d(images, folded, bias, padding=kernel // 2)
        except NotImplementedError:  # a RuntimeError too: the stub
            raise
        except RuntimeError as error:
            raise AssertionError(f"the shapes do not fit: {error}") from None
        assert torch.allclose(given, expected, atol=1e-4), (
            "the folded convolution gives other numbers: the scale belongs to the output channels, "
            "weight's first axis, and eps belongs under the root."
        )
        after = [weight, *norm.buffers()]
        same = all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
        assert same, "the weight or the norm was changed: give new tensors."
