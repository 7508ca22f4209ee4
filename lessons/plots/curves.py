"""How a training went: its losses, and what it scored on the way."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lessons import palette
from lessons.errors import LessonsError
from lessons.plots.showing import new_figure
from lessons.training import History

NO_LOSS = ("iteration", "learning_rate")  # what a step says beside its losses
LINES = ("-", "--", "-.", ":")


def curves(
    history: History | Mapping[str, Any],
    *,
    names: Sequence[str] | None = None,
    scores: Sequence[str] | None = None,
    window: int = 21,
    title: str = "",
) -> Figure:
    """Losses over iterations, thin as they came and thick as a running median; below them what was scored.

    Args:
        history: of `lessons.training.train`, or what the log.json of `lessons train` holds.
        names: which losses; None: all of them, the sum first.
        scores: which numbers of the evaluations; None: all. Without an evaluation there is no second axis.
        window: values that a median is taken of; at most a quarter of the run.

    Raises:
        LessonsError: no iteration is there to draw, or a loss or score of that name.
    """
    iterations, losses = chosen("loss", *losses_of(history), names)
    evaluations = evaluations_of(history)
    figure = new_figure(7.2, 4.2 if evaluations else 3.0)
    rows = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1], squeeze=False) if evaluations else None
    above = figure.add_subplot() if rows is None else rows[0, 0]
    draw_losses(above, iterations, losses, window)
    above.set_title(title)
    if rows is not None:
        draw_scores(rows[1, 0], *chosen("score", *evaluations, scores))
    figure.axes[-1].set_xlabel("iteration")
    figure.axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    return figure


def running_median(values: Sequence[float], window: int) -> np.ndarray:
    """The median of the `window` values around each one; at both ends of those that there are. (N,)"""
    half = max(window, 1) // 2
    numbers = np.asarray(values, dtype=float)
    around = [numbers[max(0, place - half) : place + half + 1] for place in range(len(numbers))]
    return np.array([np.median(few) for few in around])


def losses_of(history: History | Mapping[str, Any]) -> tuple[np.ndarray, dict[str, list[float]]]:
    """Iterations (N,), and every loss by its name; of a log the middle of each block, and its mean."""
    if isinstance(history, History):
        steps = history.steps
        found = [name for name in (steps[0] if steps else {}) if name not in NO_LOSS]
        return np.array([step["iteration"] for step in steps]), {name: history.column(name) for name in found}
    blocks = dict(history.get("losses", {}))
    every = blocks.pop("every", 1)
    blocks = {name: values for name, values in blocks.items() if name not in NO_LOSS}
    count = len(next(iter(blocks.values()), []))
    return (np.arange(count) + 0.5) * every, blocks


def evaluations_of(
    history: History | Mapping[str, Any],
) -> tuple[np.ndarray, dict[str, list[float]]] | None:
    """Iterations (M,), and every number of the evaluations by its name; None if there was none."""
    lines = history.evaluations if isinstance(history, History) else history.get("evaluations", [])
    if not lines:
        return None
    found = [name for name in lines[0] if name != "iteration"]
    values = {name: [np.nan if line[name] is None else line[name] for line in lines] for name in found}
    return np.array([line["iteration"] for line in lines]), values


def chosen(
    what: str, iterations: np.ndarray, columns: dict[str, list[float]], names: Sequence[str] | None
) -> tuple[np.ndarray, dict[str, list[float]]]:
    """The columns of those names.

    Raises:
        LessonsError: nothing is there, or no column of that name.
    """
    if not len(iterations):
        raise LessonsError("The history has no iteration yet: train first, then draw.")
    for name in names or ():
        if name not in columns:
            raise LessonsError(f"{what} {name!r} is not in the history: choose among {', '.join(columns)}.")
    return iterations, {name: columns[name] for name in (names or columns)}


def draw_losses(ax: Axes, iterations: np.ndarray, losses: Mapping[str, Sequence[float]], window: int) -> None:
    """Each loss in its own colour, from zero up; the sum in ink."""
    window = min(window, max(1, len(iterations) // 4))
    for name, colour in colours(losses):
        ax.plot(iterations, losses[name], color=colour, linewidth=0.7, alpha=0.4)
        ax.plot(iterations, running_median(losses[name], window), color=colour, linewidth=2.2, label=name)
    ax.set(ylabel="loss", ylim=(0, None))
    ax.legend(ncols=max(1, len(losses)))


def draw_scores(ax: Axes, iterations: np.ndarray, scores: Mapping[str, Sequence[float]]) -> None:
    """Each score as points, joined."""
    for (name, values), line in zip(scores.items(), (LINES * len(scores))[: len(scores)], strict=True):
        ax.plot(iterations, values, line, color=palette.PREDICTION, marker="o", markersize=3.5, label=name)
    ax.set(ylabel="score", ylim=(0, None))
    ax.legend(ncols=max(1, len(scores)))


def colours(losses: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(name, colour) of each loss: the same loss has the same colour in every figure of a model."""
    parts = [name for name in losses if name != "loss"]
    for name in losses:
        yield name, palette.INK if name == "loss" else palette.instance_colour(2 * parts.index(name))
