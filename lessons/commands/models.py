"""train, evaluate, predict: models."""

import argparse
from pathlib import Path

from lessons.commands import add_command, whole_number

MODEL = "a model by name, or the path of a config file (.toml)"
KINDS = ("masks", "boxes", "boundaries")
BAND_SHARE = 0.02  # as `lessons.evaluation` has it, which would import torch


def add(commands) -> None:
    """Add them to the parser."""
    add_train(commands)
    add_evaluate(commands)
    add_predict(commands)


def add_train(commands) -> None:
    text = "train a model, evaluate it, and write weights, log and config into a folder; resumable"
    command = add_command(commands, "train", train, text)
    command.add_argument("model", help=MODEL)
    command.add_argument(
        "--folder", type=Path, required=True, metavar="RUN", help="where all of the run goes"
    )
    data = command.add_mutually_exclusive_group()
    data.add_argument("--data", metavar="ROOT", help="a data set in VOC's layout; default: the config's")
    data.add_argument(
        "--coco",
        nargs=3,
        type=Path,
        metavar=("IMAGES", "TRAIN.json", "VAL.json"),
        help="one in COCO's format",
    )
    command.add_argument("--split", metavar="NAME", help="what to learn from, of VOC's layout: train ...")
    command.add_argument("--val-split", metavar="NAME", help="what to evaluate on: val ...")
    command.add_argument("--iterations", type=whole_number, metavar="N", help="instead of the config's")
    command.add_argument(
        "--set", action="append", default=[], metavar="SECTION.ENTRY=VALUE", dest="settings",
        help="change one entry of the config, such as training.learning_rate=1e-3; may be given again",
    )  # fmt: skip
    command.add_argument("--backbone", type=Path, metavar="FILE", help="ResNet weights to begin with (.pth)")
    command.add_argument(
        "--start", type=Path, metavar="FILE", help="weights of a relative to begin with (.safetensors)"
    )
    command.add_argument("--device", help="cpu, cuda ...; default: a GPU if there is one")
    command.add_argument("--no-resume", action="store_true", help="refuse a folder that holds a run already")
    command.add_argument("--quiet", action="store_true", help="no progress bars")


def add_evaluate(commands) -> None:
    text = "COCO's average precision of a model on a data set, as a table"
    command = add_command(commands, "evaluate", evaluate, text)
    command.add_argument("model", help=MODEL)
    command.add_argument("--weights", type=Path, metavar="FILE", help="default: the model's own")
    data = command.add_mutually_exclusive_group()
    data.add_argument(
        "--data", nargs=2, metavar=("ROOT", "SPLIT"), help="in VOC's layout; default: the config's"
    )
    data.add_argument("--coco", nargs=2, type=Path, metavar=("IMAGES", "JSON"), help="in COCO's format")
    command.add_argument("--limit", type=whole_number, metavar="N", help="only the first N pictures")
    command.add_argument("--kinds", nargs="+", choices=KINDS, default=["masks", "boxes"])
    command.add_argument(
        "--band-share",
        type=float,
        default=BAND_SHARE,
        metavar="SHARE",
        help="of boundaries: the band's width as a share of the picture's diagonal (%(default)s)",
    )
    command.add_argument("--out", type=Path, metavar="results.json", help="what was found, in COCO's format")
    command.add_argument("--overwrite", action="store_true", help="replace results.json")
    command.add_argument("--device", help="cpu, cuda ...; default: a GPU if there is one")
    command.add_argument("--quiet", action="store_true", help="no progress bars")


def add_predict(commands) -> None:
    text = "find the objects of pictures: each drawn into a picture, all in one predictions.json"
    command = add_command(commands, "predict", predict, text)
    command.add_argument("model", help=MODEL)
    command.add_argument("pictures", type=Path, metavar="PICTURES", help="a picture, or a folder of pictures")
    command.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where all goes")
    command.add_argument("--weights", type=Path, metavar="FILE", help="default: the model's own")
    command.add_argument(
        "--show-above", type=float, default=0.25, metavar="SCORE", help="draw what has a higher score (0.25)"
    )
    command.add_argument("--overwrite", action="store_true", help="replace files that are there already")
    command.add_argument("--device", help="cpu, cuda ...; default: a GPU if there is one")


def train(options: argparse.Namespace) -> int:
    from lessons.commands.training import run

    return run(options)


def evaluate(options: argparse.Namespace) -> int:
    from lessons.commands.evaluating import run

    return run(options)


def predict(options: argparse.Namespace) -> int:
    from lessons.commands.predicting import run

    return run(options)
