"""How the learning rate moves: factors that the base rate is multiplied by, as functions of the iteration."""

import math
from collections.abc import Callable, Sequence
from functools import partial

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

Factor = Callable[[int], float]  # iteration, from 0 -> what the base learning rate is multiplied by


def warmup_and_steps(
    iteration: int,
    *,
    warmup: int = 500,
    warmup_ratio: float = 1 / 3,
    steps: Sequence[int] = (),
    gamma: float = 0.1,
) -> float:
    """A straight line from `warmup_ratio` to 1, then 1, and `gamma` times as much from every step on.

    Early gradients are large and point anywhere, for the heads are random; the warm-up keeps them from
    throwing a pretrained backbone off. Each step lets the weights settle on a finer scale (Goyal et al.,
    "Accurate, Large Minibatch SGD", 2017, section 2.2).

    Args:
        iteration: from 0.
        warmup: iterations of the line; the first whose factor is 1.
        warmup_ratio: the factor of iteration 0.
        steps: iterations, ascending.
    """
    factor = gamma ** sum(iteration >= step for step in steps)
    if iteration < warmup:
        factor *= 1 - (1 - iteration / warmup) * (1 - warmup_ratio)
    return factor


def one_cycle(
    iteration: int, *, iterations: int, warmup: int, warmup_ratio: float = 1 / 25, end_ratio: float = 1e-3
) -> float:
    """Up to 1 and down to almost nothing, each along half a cosine (Smith and Topin 2019, super-convergence).

    It reaches a good model in a given number of iterations, and no sooner: the last third, where the rate is
    small, gains most.

    Args:
        iteration: from 0 to `iterations` - 1.
        warmup: iterations on the way up.
        warmup_ratio, end_ratio: the factors of the first iteration and after the last.
    """
    if iteration < warmup:
        return between(warmup_ratio, 1.0, iteration / warmup)
    return between(1.0, end_ratio, (iteration - warmup) / max(iterations - warmup, 1))


def between(first: float, last: float, share: float) -> float:
    """Half a cosine from `first` (share 0) to `last` (share 1), flat at both ends."""
    return last + (first - last) * (1 + math.cos(math.pi * min(share, 1.0))) / 2


def scheduler(optimiser: Optimizer, factor: Factor) -> LambdaLR:
    """PyTorch's scheduler that follows `factor`. Call its step() after the optimiser's, once per iteration.

    The other order would skip the factor of iteration 0, and PyTorch warns of it.
    """
    return LambdaLR(optimiser, factor)


def factor_of(
    schedule: str, iterations: int, warmup: int, warmup_ratio: float, steps: Sequence[int]
) -> Factor:
    """The function of a recipe's words: "one-cycle" or "steps"."""
    if schedule == "one-cycle":
        return partial(one_cycle, iterations=iterations, warmup=warmup, warmup_ratio=warmup_ratio)
    return partial(warmup_and_steps, warmup=warmup, warmup_ratio=warmup_ratio, steps=tuple(steps))
