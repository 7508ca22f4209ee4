"""Checkers of lesson 06: a schedule, clipping, the batch of an iteration, what processes divide by."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


def check_triangle(answer: Callable[[int, int, int], float]) -> None:
    """`triangle(iteration, iterations, warmup)`: ends, the top, the way between; without a warm-up."""
    for iterations, warmup in [(100, 20), (10, 5), (7, 0)]:
        for iteration in range(iterations + 1):
            up = iteration / warmup if iteration < warmup else None
            expected = (iterations - iteration) / (iterations - warmup) if up is None else up
            given = float(answer(iteration, iterations, warmup))
            assert abs(given - expected) < 1e-9, (
                f"with {iterations} iterations and a warm-up of {warmup}, iteration {iteration} has "
                f"the factor {expected:.4f} and not {given:.4f}: down it is {iterations - warmup} steps."
            )


def check_clipped(answer: Callable[[Sequence[Tensor], float], list[Tensor]]) -> None:
    """`clipped(gradients, longest)` against PyTorch's; short gradients stay as they are."""
    generator = torch.Generator().manual_seed(6)
    for scale in (5.0, 0.01):
        gradients = [scale * torch.randn(size, generator=generator) for size in ((3,), (2, 4), (1,))]
        weights = [nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients]
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient.clone()
        length = nn.utils.clip_grad_norm_(weights, 1.0).item()
        before = [gradient.clone() for gradient in gradients]
        given = answer(gradients, 1.0)
        assert all(map(torch.equal, before, gradients)), "the given gradients were changed: make new tensors."
        for number, (mine, weight) in enumerate(zip(given, weights, strict=True)):
            assert torch.allclose(mine, weight.grad, atol=1e-5), (
                f"gradient {number} is wrong. All together are {length:.2f} long: that one length is "
                "compared with the longest, and one factor, at most 1, serves them all."
            )


def check_batch_of(answer: Callable[[int, int, Callable[[int], list[int]]], list[int]]) -> None:
    """`batch_of(iteration, batch_size, order_of)`: batches within an epoch, and over its end."""
    for size, batch_size in [(10, 4), (6, 3), (3, 7), (5, 1)]:

        def order_of(epoch: int, size: int = size) -> list[int]:
            generator = torch.Generator().manual_seed(epoch)
            return torch.randperm(size, generator=generator).tolist()

        endless = [image for epoch in range(40) for image in order_of(epoch)]
        for iteration in (0, 1, 2, 3, 7):
            expected = endless[iteration * batch_size :][:batch_size]
            given = list(answer(iteration, batch_size, order_of))
            assert given == expected, (
                f"iteration {iteration}, batches of {batch_size} from {size} images: it is {expected}, "
                f"not {given}. Number the images of all epochs through: the place in one is the rest."
            )


def check_losses_to_divide(answer: Callable[[Sequence[float], Sequence[int]], list[float]]) -> None:
    """`losses_to_divide(sums, counts)`: processes with many, few and no cells."""
    for sums, counts in [
        ([0.8, 0.6], [1, 3]),
        ([2.0], [4]),
        ([0.0, 1.5, 0.5], [0, 2, 1]),
        ([0.0, 0.0], [0, 0]),
    ]:
        given = [float(number) for number in answer(sums, counts)]
        assert len(given) == len(sums), f"{len(sums)} processes give {len(sums)} losses and not {len(given)}."
        expected = sum(sums) / max(sum(counts), 1)
        average = sum(given) / len(given)
        assert abs(average - expected) < 1e-6, (
            f"sums {sums} and counts {counts}: the average is {average:.4f} and not {expected:.4f}. "
            "Each divides by all cells / number of processes."
        )
        share = max(sum(counts), 1) / len(counts)
        assert all(abs(one - part / share) < 1e-6 for one, part in zip(given, sums, strict=True)), (
            "the average is right, but a process must use its own sum, for its gradients come from it."
        )
