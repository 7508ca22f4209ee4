"""How a model learns: recipe, schedule, loop, checkpoints, several processes.

The loop knows models only by their contract: images and targets in, a dict of losses out.
"""

from lessons.training.history import History
from lessons.training.loop import Run, train
from lessons.training.meters import Meter, time_left
from lessons.training.recipe import Recipe
from lessons.training.schedule import one_cycle, scheduler, warmup_and_steps
from lessons.training.step import NotFiniteError, training_step

__all__ = [
    "History",
    "Meter",
    "NotFiniteError",
    "Recipe",
    "Run",
    "one_cycle",
    "scheduler",
    "time_left",
    "train",
    "training_step",
    "warmup_and_steps",
]
