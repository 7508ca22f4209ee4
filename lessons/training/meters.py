"""What a person wants to see while a model trains: how the losses run, and when it will be done."""

import statistics
from collections import deque


class Meter:
    """A number that jumps from batch to batch, made readable.

    Args:
        window: how many of the last values `median` and `average` look at.
    """

    def __init__(self, window: int = 20) -> None:
        self.recent: deque[float] = deque(maxlen=window)
        self.sum = 0.0
        self.count = 0

    def update(self, value: float) -> None:
        """One more value."""
        self.recent.append(value)
        self.sum += value
        self.count += 1

    @property
    def median(self) -> float:
        """Of the window: one strange batch does not move it. Not-a-number before the first value."""
        return statistics.median(self.recent) if self.recent else float("nan")

    @property
    def average(self) -> float:
        """Of the window."""
        return sum(self.recent) / len(self.recent) if self.recent else float("nan")

    @property
    def global_average(self) -> float:
        """Of all values since the start."""
        return self.sum / self.count if self.count else float("nan")


def time_left(seconds_per_iteration: float, iterations: int) -> str:
    """What is still to wait, as h:mm:ss: time_left(0.5, 7300) is "1:00:50"."""
    if seconds_per_iteration != seconds_per_iteration:  # not-a-number: no iteration is done yet
        return "?"
    minutes, seconds = divmod(round(seconds_per_iteration * iterations), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
