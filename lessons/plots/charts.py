"""Plain charts, and the table of a dict's shapes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes

from lessons import palette
from lessons.plots.layers import array_of
from lessons.plots.showing import new_figure


def bars(
    values: Mapping[str, float],
    *,
    title: str = "",
    xlabel: str = "",
    colour: str = palette.PREDICTION,
    decimals: int = 0,
) -> Axes:
    """Horizontal bars, one for each name, from the first at the top; the number is written at each end."""
    ax = new_figure(6.4, 0.55 + 0.26 * len(values) + (0.25 if title else 0)).add_subplot()
    names, lengths = list(values), [float(length) for length in values.values()]
    drawn = ax.barh(names, lengths, color=colour, height=0.72)
    ax.bar_label(drawn, labels=[f"{length:,.{decimals}f}" for length in lengths], padding=3, fontsize=9)
    ax.invert_yaxis()
    ax.margins(x=0.1, y=0.02)
    ax.tick_params(left=False)
    ax.spines["left"].set_visible(False)
    ax.set(xlabel=xlabel, title=title)
    return ax


def histogram(
    values: torch.Tensor | np.ndarray | Sequence[float],
    *,
    bins: int | Sequence[float] = 20,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "count",
    colour: str = palette.PREDICTION,
    log: bool = False,
) -> Axes:
    """How often values fall into bins; `log` spaces equal bins by ratio (for sizes and areas above zero)."""
    numbers = array_of(values).astype(float).ravel()
    numbers = numbers[np.isfinite(numbers)]
    if log:
        numbers = numbers[numbers > 0]
    if log and isinstance(bins, int) and len(numbers):
        bins = np.geomspace(numbers.min(), max(numbers.max(), numbers.min() * 1.001), bins + 1)
    ax = new_figure(6.4, 2.8).add_subplot()
    ax.hist(numbers, bins=bins, color=colour, edgecolor=palette.PAPER, linewidth=0.8)
    if log:
        ax.set_xscale("log")
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    return ax


def tensor_shapes(values: Mapping[str, Any] | Sequence[Any], *, name: str = "") -> str:
    """A table in plain text of what a dict (or list) of tensors holds: name, shape, dtype. Print it.

    Nested dicts and lists are opened, their names joined by dots; other values are written as they are.
    """
    rows = list(shape_rows(values, name))
    wide = [max((len(row[column]) for row in rows), default=0) for column in range(2)]
    return "\n".join(f"{row[0]:<{wide[0]}}  {row[1]:<{wide[1]}}  {row[2]}".rstrip() for row in rows)


def shape_rows(values: Any, name: str) -> Any:
    """(name, shape, dtype) of everything in `values`, in order."""
    if isinstance(values, torch.Tensor | np.ndarray):
        shape = "×".join(str(length) for length in values.shape) or "scalar"
        yield name, shape, str(values.dtype).removeprefix("torch.")
    elif isinstance(values, Mapping):
        for key, value in values.items():
            yield from shape_rows(value, f"{name}.{key}" if name else str(key))
    elif isinstance(values, list | tuple) and any(
        isinstance(v, torch.Tensor | np.ndarray | Mapping) for v in values
    ):
        for number, value in enumerate(values):
            yield from shape_rows(value, f"{name}[{number}]")
    else:
        text = repr(values)
        yield name, text if len(text) <= 40 else text[:39] + "…", type(values).__name__
