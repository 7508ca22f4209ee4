"""`lessons train`: from a config to a folder that holds a trained model and all that made it.

RUN/MODEL.toml           the config, with every change; `lessons predict RUN/MODEL.toml …` uses the model
RUN/model.safetensors    the weights after the last iteration
RUN/log.json             config, command, versions, losses, evaluations
RUN/log.jsonl, *.pt      what a resumed run goes on from
"""

import argparse
import json
import math
import platform
import shlex
import time
from pathlib import Path
from typing import Any

import torch

import lessons
from lessons import configs, processes, zoo
from lessons.checkpoints import backbone, ours
from lessons.commands import sources
from lessons.errors import LessonsError
from lessons.evaluation import Table, evaluate
from lessons.files import write_atomically
from lessons.training import History, Recipe, checkpoint, distributed, train
from lessons.zoo.loading import chosen_device

WEIGHTS, LOG = "model.safetensors", "log.json"
PRECISIONS = {"float16": torch.float16, "float32": torch.float32}
MOST_POINTS = 500  # of a loss in the log: a longer run is averaged in blocks
Config = dict[str, Any]


def run(options: argparse.Namespace) -> int:
    """The command; in every process that torchrun starts."""
    began = time.perf_counter()
    config = changed(options)
    train_set, val_set = data_sets(config, options)
    config = zoo.with_classes(config, train_set.classes)
    recipe = recipe_of(config)
    name = Path(options.model).stem if options.model.endswith(".toml") else options.model

    def score(model: torch.nn.Module) -> dict[str, float]:
        return numbers(evaluate(model.for_inference(), val_set, progress=False))

    with distributed.group(chosen_device(options.device)) as device:
        resumed = checkpoint.newest(options.folder) is not None
        if processes.rank() == 0:
            check_folder(options.folder, name)
        torch.manual_seed(recipe.seed)
        model = zoo.build(config)
        begin_with(model, config, options, name)
        history = train(
            model.to(device),
            train_set,
            recipe,
            folder=options.folder,
            augment=zoo.augmentation(config.get("augmentation", [])),
            evaluate=score if recipe.evaluate_every else None,
            resume=not options.no_resume,
            progress=not options.quiet,
        )
        if processes.rank() == 0:
            write_model(model, config, options, name)
            stored = zoo.load(options.folder / f"{name}.toml", device=device)
            table = evaluate(stored, val_set, progress=not options.quiet)
            write_model(model, config, options, name, table)
            seconds = round(time.perf_counter() - began, 1)
            log = {
                **facts(options, device),
                "seconds_since_resumption" if resumed else "seconds": seconds,
                "pictures": {"train": len(train_set), "val": len(val_set)},
                "config": configs.to_toml(config).splitlines(),
                "evaluation": table.as_dict(),
                "evaluations": history.evaluations,
                "losses": losses(history),
            }
            content = json.dumps(_finite(log), indent=1) + "\n"
            write_atomically(options.folder / LOG, content.encode())
            print(table)
            print(f"{options.folder / WEIGHTS}: use it with `lessons predict {options.folder / name}.toml …`")
    return 0


def changed(options: argparse.Namespace) -> Config:
    """The config with what the command line changes."""
    config = configs.change(configs.read(options.model), options.settings)
    if options.iterations:
        config = configs.merge(config, {"training": {"iterations": options.iterations}})
    return config


def recipe_of(config: Config) -> Recipe:
    """The [training] of a config.

    Raises:
        LessonsError: an entry that a recipe does not have, or a value that makes no sense.
    """
    from lessons.registry import check_keywords

    check_keywords("[training]", Recipe, config.get("training", {}))
    return Recipe(**config["training"])


def data_sets(config: Config, options: argparse.Namespace) -> tuple[Any, Any]:
    """What to learn from, and what to evaluate on.

    Of COCO's pictures those without an object are left out, as in the official training: they teach little.
    """
    if options.coco:
        if options.split or options.val_split:
            raise LessonsError("--split and --val-split do not go with --coco: its files are the splits.")
        images, train_json, val_json = options.coco
        train_set = sources.coco(images, train_json, keep_empty=False)
        val_set = sources.coco(images, val_json)
        sources.check_same_classes(train_set.classes, val_set.classes, str(val_json))
        return train_set, val_set
    return (
        sources.voc(config, options.split, "train", options.data),
        sources.voc(config, options.val_split, "val", options.data),
    )


def check_folder(folder: Path, name: str) -> None:
    """See that nothing of the user's would be replaced.

    Raises:
        LessonsError: the folder holds such files, but no checkpoint of a run.
    """
    there = [file for file in (WEIGHTS, LOG, f"{name}.toml") if (folder / file).exists()]
    if there and checkpoint.newest(folder) is None:
        raise LessonsError(
            f"{folder / there[0]} is there already and of no run that could go on: name another folder."
        )


def begin_with(model: torch.nn.Module, config: Config, options: argparse.Namespace, name: str) -> None:
    """Put the weights into the model that the training is to begin with, if there are any.

    Raises:
        LessonsError: the config asks for some, and none are given.
    """
    if options.backbone is not None:
        backbone.load(model.backbone.body, options.backbone)
    elif checkpoint.newest(options.folder) is not None:
        return
    elif options.start is not None:
        fresh = ours.load_matching(model, options.start)
        if processes.rank() == 0:
            print(f"{name} begins with {options.start.name}; {len(fresh)} of its entries are new.")
    elif "start" in config:
        start = config["start"]
        raise LessonsError(
            f"{name} begins with a trained backbone, whose first layers stay as they are: give --backbone "
            f"{start['backbone']}, from {start['url']}."
        )


def numbers(table: Table) -> dict[str, float]:
    """What a log line says of an evaluation."""
    masks, boxes = table["masks"], table["boxes"]
    return {"mask AP": masks.AP, "mask AP50": masks.AP50, "box AP": boxes.AP}


def write_model(
    model: torch.nn.Module, config: Config, options: argparse.Namespace, name: str, table: Table | None = None
) -> None:
    """The weights, with what they score if that is known, and the config that says what they are of."""
    stored_as = config.get("weights", {}).get("stored_as", "float32")
    if stored_as not in PRECISIONS:
        raise LessonsError(f"weights.stored_as is {stored_as!r}: choose {' or '.join(PRECISIONS)}.")
    metadata = {"config": name, "command": command_of(options), "lessons": lessons.__version__}
    if table is not None:
        metadata |= {"mask AP": f"{table['masks'].AP:.4f}", "box AP": f"{table['boxes'].AP:.4f}"}
    ours.save(model, options.folder / WEIGHTS, metadata, dtype=PRECISIONS[stored_as])
    own = {key: value for key, value in config.items() if key not in ("weights", "start")}
    own["weights"] = {"file": WEIGHTS, "stored_as": stored_as}
    write_atomically(options.folder / f"{name}.toml", configs.to_toml(own).encode())


def facts(options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """By what, with what and where the weights were made."""
    return {
        "command": command_of(options),
        "processes": processes.count(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
        "versions": {
            "lessons": lessons.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }


def command_of(options: argparse.Namespace) -> str:
    """The command line, with short paths: where a folder lies on somebody's machine is nobody's business."""
    folder = str(options.folder)
    words = [options.folder.name if word == folder else shortened(word) for word in options.arguments]
    return shlex.join(["lessons", *words])


def shortened(word: str) -> str:
    """Of an absolute path the last two parts; any other word as it is."""
    path = Path(word)
    return str(Path(*path.parts[-2:])) if len(path.parts) > 2 and path.is_absolute() else word


def losses(history: History) -> dict[str, Any]:
    """Every loss, block by block: {"every": 12, "loss_mask": [2.9, ...]}, the mean of each 12 iterations."""
    every = max(1, math.ceil(len(history.steps) / MOST_POINTS))
    names = [name for name in (history.steps[0] if history.steps else {}) if name != "iteration"]
    blocks = {
        name: [
            float(f"{sum(block) / len(block):.5g}")
            for block in (history.column(name)[at : at + every] for at in range(0, len(history.steps), every))
        ]
        for name in names
    }
    return {"every": every, **blocks}


def _finite(value: Any) -> Any:
    """JSON knows no not-a-number: None instead."""
    if isinstance(value, dict):
        return {name: _finite(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
