"""Checkers of lesson 05: the gradient of dice, focal loss of a cell, what a mean is over, who learns."""

from collections.abc import Callable

import torch
from torch import Tensor

from lessons.solo import losses
from lessons.solo.outputs import rows_and_columns


def check_dice_gradient(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`dice_gradient(p, q)` against autograd."""
    generator = torch.Generator().manual_seed(5)
    for size in [(1, 2), (3, 3), (4, 7)]:
        p = torch.rand(size, generator=generator).requires_grad_()
        q = (torch.rand(size, generator=generator) > 0.5).float()
        q[0, 0] = 1.0
        losses.dice_loss(p[None], q[None], epsilon=0).sum().backward()
        given = answer(p.detach().clone(), q.clone())
        assert tuple(given.shape) == size, f"the gradient is {tuple(given.shape)} and not {size}."
        assert not torch.allclose(given, -p.grad, atol=1e-6), (
            "the sign is that of D, and the loss is 1 - D: inside the object the gradient is negative."
        )
        assert torch.allclose(given, p.grad, atol=1e-5), (
            f"at pixel (0, 0), with p = {p[0, 0]:.2f} and q = 1, it is {p.grad[0, 0]:.4f} and not "
            f"{given[0, 0]:.4f}: p is in the numerator and, squared, in the denominator too."
        )


def check_focal_loss_of_cell(answer: Callable[[Tensor, int], float]) -> None:
    """`focal_loss_of_cell(probabilities, label)`: an object of each class, and background."""
    for numbers in ([0.2, 0.7, 0.1], [0.01] * 5, [0.9]):
        probabilities = torch.tensor(numbers)
        for label in range(len(numbers) + 1):
            logits, labels = probabilities.logit()[None], torch.tensor([label])
            expected = losses.focal_loss(logits, labels).sum().item()
            given = float(answer(probabilities.clone(), label))
            what = "background" if label == 0 else f"class {label}"
            assert abs(given - expected) < 1e-4 * max(1.0, expected), (
                f"probabilities {numbers} and {what} give {expected:.5f} not {given:.5f}: every class has "
                "a p_t of its own, and the classes that are not there count as well, with weight 1 - α."
            )


def check_mask_loss(answer: Callable[[list[Tensor]], float]) -> None:
    """`mask_loss(dice_losses)`: levels with many, few and no cells."""
    for levels in ([[0.5]], [[0.2, 0.4, 0.6, 0.8], [1.0]], [[], [0.3, 0.9], []], [[0.1] * 9, [], [0.7]]):
        tensors = [torch.tensor(level, dtype=torch.float32) for level in levels]
        every = [number for level in levels for number in level]
        expected = 3 * sum(every) / len(every)
        given = float(answer(tensors))
        assert abs(given - expected) < 1e-5, (
            f"levels with {[len(level) for level in levels]} cells give {expected:.4f} and not {given:.4f}: "
            "one mean over all cells together, then times 3."
        )
    given = float(answer([torch.zeros(0), torch.zeros(0)]))
    assert given == 0, f"without any positive cell it is 0 and not {given}."


def check_learning_channels(answer: Callable[[Tensor], tuple[list[int], list[int]]]) -> None:
    """`learning_channels(labels)`: cells away from the diagonal, an empty grid, one label beside another."""
    for grid, cells in [(4, [4, 6]), (3, [1, 2, 5]), (5, []), (2, [2])]:
        labels = torch.zeros(grid * grid, dtype=torch.int64)
        labels[cells] = torch.arange(1, len(cells) + 1)
        rows, columns = rows_and_columns(torch.tensor(cells, dtype=torch.int64), grid)
        expected = (sorted(set(columns.tolist())), sorted(set(rows.tolist())))
        given = tuple([int(number) for number in part] for part in answer(labels.reshape(grid, grid)))
        assert given != expected[::-1] or given == expected, "columns first, then rows."
        assert given == expected, (
            f"positive cells {cells} of a {grid}×{grid} grid teach columns {expected[0]} and rows "
            f"{expected[1]}, and not {given[0]} and {given[1]}."
        )
