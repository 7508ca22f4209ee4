"""From a model and a data set to a table."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from lessons.errors import LessonsError
from lessons.evaluation.boundaries import SHARE_OF_DIAGONAL
from lessons.evaluation.coco import checked_kinds, measure
from lessons.evaluation.detections import Prediction, to_entries
from lessons.evaluation.table import Table
from lessons.evaluation.truth import Entry, check_count, truth_of

Model = Callable[[list[Tensor]], list[Prediction]]


def evaluate(
    model: Any,
    dataset: Any,
    kinds: Sequence[str] = ("masks", "boxes"),
    *,
    batch_size: int = 1,
    limit: int | None = None,
    max_detections: int = 100,
    band_share: float = SHARE_OF_DIAGONAL,
    progress: bool = True,
) -> Table:
    """Run a model over a data set and compare what it finds with the truth.

    Args:
        model: see `detect`.
        dataset: a VOCInstances or CocoInstances without a transform.
        kinds, max_detections, band_share: see `lessons.evaluation.measure`.
        batch_size: how many images the model gets at once.
        limit: only the first so many images; None: all.
        progress: show a progress bar.

    Raises:
        LessonsError: the data set has a transform, or a prediction does not fit its image.
    """
    kinds = checked_kinds(kinds)
    truth = truth_of(dataset, limit, progress)
    entries = detect(model, dataset, batch_size=batch_size, limit=limit, progress=progress)
    return measure(truth, entries, kinds, max_detections=max_detections, band_share=band_share)


def detect(
    model: Any, dataset: Any, *, batch_size: int = 1, limit: int | None = None, progress: bool = True
) -> list[Entry]:
    """What a model finds in a data set, as entries of COCO's result format.

    The masks of a batch become run lengths before the next batch is read, so that memory holds one batch of
    pictures and masks, whatever the length of the data set.

    Args:
        model: called with a list of images (3, H, W) float32 in [0, 1], gives a list of predictions at the
            images' own sizes: a detector of this course or of torchvision, or a plain function. A module is
            put into evaluation mode meanwhile, and gets the images on its own device. An object with a method
            `predict`, as `lessons.load` gives, has that called instead, with one uint8 array (H, W, 3) at a
            time.
        dataset, batch_size, limit, progress: see `evaluate`.

    Raises:
        LessonsError: as `evaluate`.
    """
    if getattr(dataset, "transform", None) is not None:
        raise LessonsError(
            "The data set has a transform, so its images are no longer those of the truth: give evaluate one "
            "without; the model resizes what it needs."
        )
    check_count("batch_size", batch_size)
    check_count("limit", limit, optional=True)
    positions = range(len(dataset))[:limit]
    entries: list[Entry] = []
    with (
        _evaluating(model),
        torch.inference_mode(),
        tqdm(total=len(positions), desc="detecting", unit="image", disable=not progress, leave=False) as bar,
    ):
        for start in range(0, len(positions), batch_size):
            samples = [dataset[position] for position in positions[start : start + batch_size]]
            predictions = _predict(model, [image for image, _ in samples])
            for (image, target), prediction in zip(samples, predictions, strict=True):
                size = tuple(image.shape[-2:])
                entries += to_entries(prediction, target["image_id"], size, dataset.category_ids)
            bar.update(len(samples))
    return entries


def _predict(model: Any, images: list[Tensor]) -> list[Prediction]:
    if hasattr(model, "predict"):
        return [model.predict(_to_uint8(image)) for image in images]
    device = _device(model)
    predictions = model([image.to(device) for image in images])
    if not isinstance(predictions, list | tuple) or len(predictions) != len(images):
        raise LessonsError(
            f"The model gave no list of {len(images)} predictions for {len(images)} images: a model takes a "
            "list of images and gives a list of dicts."
        )
    return list(predictions)


def _to_uint8(image: Tensor) -> Any:
    """(3, H, W) in [0, 1] -> uint8 (H, W, 3): what the picture's file holds."""
    return (image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()


def _device(model: Any) -> torch.device:
    parameters = model.parameters() if isinstance(model, torch.nn.Module) else iter(())
    return next((parameter.device for parameter in parameters), torch.device("cpu"))


@contextlib.contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Evaluation mode for a module; afterwards each of its parts is in the mode it was in before."""
    modes = [(part, part.training) for part in model.modules()] if isinstance(model, torch.nn.Module) else []
    try:
        for part, _ in modes:
            part.training = False
        yield
    finally:
        for part, training in modes:
            part.training = training
