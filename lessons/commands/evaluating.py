"""`lessons evaluate`: a model, a data set, a table."""

import argparse

from lessons import configs, zoo
from lessons.commands import sources
from lessons.errors import LessonsError
from lessons.evaluation import detect, measure, truth_of, write_results


def run(options: argparse.Namespace) -> int:
    """The command."""
    if options.out is not None and options.out.exists() and not options.overwrite:
        raise LessonsError(f"{options.out} exists: name another file, or say --overwrite.")
    dataset = data_set(options)
    model = zoo.load(options.model, options.weights, device=options.device)
    sources.check_same_classes(model.classes, dataset.classes, "The data set")
    progress = not options.quiet
    truth = truth_of(dataset, options.limit, progress)
    entries = detect(model, dataset, limit=options.limit, progress=progress)
    if options.out is not None:
        write_results(options.out, entries, overwrite=options.overwrite)
    print(measure(truth, entries, options.kinds, band_share=options.band_share))
    return 0


def data_set(options: argparse.Namespace):
    """What the command line names, or the config's own."""
    if options.coco:
        return sources.coco(*options.coco)
    root, split = options.data or (None, None)
    return sources.voc(configs.read(options.model), split, "val", root)
