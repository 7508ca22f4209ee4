"""The training loop: any model that gives a dict of losses, any data set of (image, target).

forward, backward, clip, optimiser, scheduler     one iteration (`training_step`)
log, checkpoint, evaluation                       what stands around it (`train`)
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from tqdm.auto import tqdm

from lessons import processes
from lessons.errors import LessonsError
from lessons.training import checkpoint, distributed
from lessons.training.drawing_lots import batches
from lessons.training.history import History
from lessons.training.meters import Meter, time_left
from lessons.training.recipe import Recipe
from lessons.training.step import NotFiniteError, moved, training_step, where_it_stopped

Evaluation = Callable[[nn.Module], dict[str, float]]
WHAT_MAY_CHANGE = (
    "workers",
    "evaluate_every",
    "save_every",
    "keep",
)  # of a recipe, between two parts of a run


@dataclass
class Run:
    """What changes while a model trains: all that a checkpoint holds.

    Attributes:
        iteration: how many are done.
        best: the best evaluation's first number.
    """

    model: nn.Module
    optimiser: Optimizer
    scheduler: LambdaLR
    recipe: Recipe
    iteration: int = 0
    best: float = -math.inf

    @classmethod
    def begin(cls, model: nn.Module, recipe: Recipe) -> "Run":
        """Before the first iteration."""
        optimiser = recipe.make_optimiser(model)
        return cls(model, optimiser, recipe.make_scheduler(optimiser), recipe)

    def state(self) -> dict[str, Any]:
        """For `lessons.training.checkpoint.save`. Every process must call it."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "random": distributed.gathered(checkpoint.random_state()),
            "recipe": asdict(self.recipe),
            "iteration": self.iteration,
            "best": self.best,
        }

    def restore(self, state: dict[str, Any], path: Path) -> None:
        """Go on from a state.

        Raises:
            LessonsError: it is of another recipe, whose schedule or order of images would not go on.
        """
        ours = asdict(self.recipe)
        other = [
            name
            for name, value in state["recipe"].items()
            if name not in WHAT_MAY_CHANGE and ours.get(name) != value
        ]
        if other:
            raise LessonsError(
                f"{path} was made with {other[0]}={state['recipe'][other[0]]!r}, not {ours.get(other[0])!r}: "
                "train with the same recipe, or into another folder."
            )
        try:
            self.model.load_state_dict(state["model"])
        except RuntimeError:
            raise LessonsError(
                f"{path} is of another model: build the same one, or train into another folder."
            ) from None
        self.optimiser.load_state_dict(state["optimiser"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.iteration, self.best = state["iteration"], state["best"]
        if processes.rank() < len(state["random"]):
            checkpoint.set_random_state(state["random"][processes.rank()])


def train(
    model: nn.Module,
    dataset: Any,
    recipe: Recipe,
    *,
    folder: str | Path | None = None,
    augment: Callable | None = None,
    evaluate: Evaluation | None = None,
    resume: bool = True,
    progress: bool = True,
) -> History:
    """Train a model, on the device that its weights are on.

    With a folder the run can be killed at any moment, and the same call goes on: on the CPU, with as many
    threads as before, the losses are bit for bit those of a run that was never killed. The folder then holds
    the last checkpoints, the best one by `evaluate` (best.pt), and a line for every iteration (log.jsonl).

    Args:
        model: in training mode called with a list of images (3, h, w) and a list of targets, gives a dict of
            losses, whose sum is made smaller.
        dataset: dataset[i] gives (image, target); see `lessons.data`.
        folder: None: nothing is written, nothing can be resumed.
        augment: (image, target) -> (image, target), random by torch's global generator.
        evaluate: model -> {"mask AP": 0.31, ...}, higher is better; the first number chooses the best.
        resume: False: a folder that holds a run already is an error, not a start.
        progress: show a bar.

    Returns:
        losses and evaluations of all iterations, those before a resumption included.

    Raises:
        LessonsError: the losses are no longer finite (the sentence names the iteration and the images; the
            checkpoints are from before); a checkpoint of another recipe; see also `Recipe`.
    """
    device = next(model.parameters()).device
    model.to(memory_format=torch.channels_last)
    folder = None if folder is None else Path(folder)
    run = Run.begin(model, recipe)
    if folder is not None:
        _begin_or_resume(run, folder, resume)
    history = History.begin(_log(folder), run.iteration)
    parallel = distributed.wrapped(model)
    meter = Meter()
    with _bar(recipe, run.iteration, progress) as bar:
        began = time.perf_counter()
        first = run.iteration
        for images, targets in batches(dataset, augment, recipe, start=run.iteration):
            model.train()
            learning_rate = run.scheduler.get_last_lr()[0]
            try:
                losses = training_step(
                    parallel,
                    *moved(images, targets, device),
                    run.optimiser,
                    run.scheduler,
                    clip=recipe.clip,
                    dtype=recipe.dtype(device),
                )
            except NotFiniteError as error:
                raise LessonsError(where_it_stopped(error, run.iteration, targets, dataset, folder)) from None
            meter.update(sum(losses.values()))
            history.add_step(
                {
                    "iteration": run.iteration,
                    "learning_rate": learning_rate,
                    "loss": sum(losses.values()),
                    **losses,
                }
            )
            run.iteration += 1
            seconds = (time.perf_counter() - began) / (run.iteration - first)
            bar.set_postfix_str(
                f"loss {meter.median:.3f} (all: {meter.global_average:.3f}), "
                f"{time_left(seconds, recipe.iterations - run.iteration)} left",
                refresh=False,
            )
            bar.update()
            if evaluate is not None and _due(run.iteration, recipe.evaluate_every, recipe.iterations):
                _evaluate(run, evaluate, history, folder)
            if folder is not None and _due(run.iteration, recipe.save_every, recipe.iterations):
                _save(run, folder)
    model.eval()
    return history


def _due(done: int, every: int, iterations: int) -> bool:
    return done == iterations or (every > 0 and done % every == 0)


def _log(folder: Path | None) -> Path | None:
    """Where the lines go; only one process writes them."""
    return None if folder is None or processes.rank() else folder / "log.jsonl"


def _bar(recipe: Recipe, done: int, progress: bool) -> tqdm:
    return tqdm(
        total=recipe.iterations,
        initial=done,
        desc="training",
        unit="batch",
        leave=False,
        disable=not progress or processes.rank() > 0,
    )


def _begin_or_resume(run: Run, folder: Path, resume: bool) -> None:
    path = checkpoint.newest(folder)
    if path is not None and not resume:
        raise LessonsError(f"{folder} holds a run already ({path.name}): resume it, or name another folder.")
    if path is not None:
        run.restore(checkpoint.load(path), path)
        return
    folder.mkdir(parents=True, exist_ok=True)
    _save(run, folder)  # a run killed before its first checkpoint begins with the same weights and dice


def _save(run: Run, folder: Path) -> None:
    state = run.state()
    if processes.rank() == 0:
        checkpoint.save_newest(folder, run.iteration, state, run.recipe.keep)
    distributed.wait()


def _evaluate(run: Run, evaluate: Evaluation, history: History, folder: Path | None) -> None:
    """Once for all processes: the others wait."""
    if processes.rank() == 0:
        run.model.eval()
        numbers = evaluate(run.model)
        history.add_evaluation(run.iteration, numbers)
        score = next(iter(numbers.values()))
        if score > run.best:  # not-a-number is not
            run.best = score
            if folder is not None:
                checkpoint.save(
                    folder / "best.pt",
                    {"model": run.model.state_dict(), "iteration": run.iteration, **numbers},
                )
    distributed.wait()
