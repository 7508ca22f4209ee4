"""The curves of a training: the right numbers, from a history and from a log; with and without scores."""

import numpy as np
import pytest

from lessons import plots
from lessons.errors import LessonsError
from lessons.plots.curves import running_median
from lessons.training import History


def a_history(steps: int = 40, evaluations: int = 0) -> History:
    history = History()
    for i in range(steps):
        line = {
            "iteration": i,
            "learning_rate": 0.1,
            "loss": 3.0 - i / 40,
            "loss_mask": 2.0,
            "loss_category": 1.0,
        }
        history.add_step(line)
    for i in range(evaluations):
        history.add_evaluation(10 * (i + 1), {"mask AP": i / 10, "box AP": i / 20})
    return history


def lines(ax) -> dict[str, np.ndarray]:
    """The labelled lines of an Axes: (N, 2) points."""
    return {
        line.get_label(): line.get_xydata() for line in ax.get_lines() if not line.get_label().startswith("_")
    }


def test_losses_are_drawn_and_the_learning_rate_is_not():
    (ax,) = plots.curves(a_history()).axes
    drawn = lines(ax)
    assert list(drawn) == ["loss", "loss_mask", "loss_category"]
    assert drawn["loss_mask"][:, 1].tolist() == [2.0] * 40 and drawn["loss"][:, 0].tolist() == list(range(40))
    assert len(ax.get_lines()) == 6  # each thin and thick


def test_evaluations_have_an_axis_of_their_own():
    figure = plots.curves(a_history(evaluations=3), names=["loss"], scores=["box AP"])
    losses, scores = figure.axes
    assert list(lines(losses)) == ["loss"]
    assert np.allclose(lines(scores)["box AP"], [[10, 0], [20, 0.05], [30, 0.1]])
    assert plots.render(figure)


def test_a_log_is_drawn_like_a_history():
    log = {
        "losses": {
            "every": 4,
            "learning_rate": [0.1] * 3,
            "loss": [3.0, 2.0, 1.0],
            "loss_mask": [2.0, 1.5, 1.0],
        },
        "evaluations": [{"iteration": 12, "mask AP": None}],
    }
    losses, scores = plots.curves(log, window=1).axes
    assert lines(losses)["loss"].tolist() == [[2, 3], [6, 2], [10, 1]] and "learning_rate" not in lines(
        losses
    )
    assert np.isnan(lines(scores)["mask AP"][0, 1])


def test_one_iteration_can_be_drawn():
    assert plots.render(plots.curves(a_history(steps=1)))


def test_a_median_is_not_moved_by_one_spike():
    values = [1.0] * 10
    values[4] = 100.0
    assert running_median(values, 5).tolist() == [1.0] * 10
    assert running_median(values, 1).tolist() == values
    assert running_median([3, 1, 2], 3).tolist() == [2, 2, 1.5]  # the ends have fewer
    assert running_median([], 5).shape == (0,)


@pytest.mark.parametrize(
    "history, options, words",
    [
        (History(), {}, "no iteration"),
        ({}, {}, "no iteration"),
        (a_history(), {"names": ["loss_box"]}, "'loss_box'.*loss_mask"),
        (a_history(evaluations=1), {"scores": ["AP"]}, "'AP'.*mask AP"),
    ],
)
def test_what_is_not_there_is_named(history, options, words):
    with pytest.raises(LessonsError, match=words):
        plots.curves(history, **options)
