"""The command `lessons` (also `python -m lessons`).

    lessons doctor                          is all here that the lessons need?
    lessons notebooks [names] [--check]     run the lessons and write them back, or only check their files
    lessons check FOLDER SPLIT              look at every file of a data set
    lessons download-voc [--year 2012]      the real Pascal VOC
    lessons draw-minivoc FOLDER             draw the mini VOC

Every command imports what it needs when it runs: help is quick, and the doctor works where torch does not.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lessons.errors import LessonsError

MISUSE, INTERRUPTED, NOBODY_READS = 2, 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    0: done; 1: done, and what was looked at has errors; 2: a mistake, told in one sentence; 130: Ctrl-C.
    """
    options = parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a name that the console cannot show is no crash
    try:
        status = options.run(options)
        sys.stdout.flush()
        return status
    except LessonsError as error:
        print(f"lessons: {error}", file=sys.stderr)
        return MISUSE
    except KeyboardInterrupt:
        print("lessons: interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # `lessons check … | head`: nobody reads any more. Python would complain again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS
    except OSError as error:
        where = error.filename or "the output"
        print(
            f"lessons: {where} cannot be used ({error.strerror}): mend that, or name another.",
            file=sys.stderr,
        )
        return MISUSE


def parser() -> argparse.ArgumentParser:
    """The command line: one sub-parser per command, whose `run` is the function that does it."""
    top = argparse.ArgumentParser(prog="lessons", description="Instance segmentation lessons: the commands.")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (_add_doctor, _add_notebooks, _add_check, _add_download, _add_minivoc):
        add(commands)
    return top


# ---------------------------------------------------------------------------- what each command understands


def _command(commands, name: str, run, text: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text)
    command.set_defaults(run=run)
    return command


def _add_doctor(commands) -> None:
    _command(commands, "doctor", _doctor, "one line, [ok] or [fail], for each thing the lessons need")


def _add_notebooks(commands) -> None:
    text = "run the lessons in order, each in a clean kernel, and write them back"
    command = _command(commands, "notebooks", _notebooks, text)
    command.add_argument("names", nargs="*", help="lessons to run, such as 01_voc_instances; none: all")
    command.add_argument("--check", action="store_true", help="run nothing, check the files as they are")


def _add_check(commands) -> None:
    text = "look at every file of a data set and print its problems; exit status 1 if there are errors"
    command = _command(commands, "check", _check, text)
    command.add_argument("folder", type=Path, help="VOC's folder; with --coco the folder of the images")
    command.add_argument("split", nargs="?", help="the list of ids: train, val ... (not with --coco)")
    command.add_argument("--coco", type=Path, metavar="ANNOTATIONS.json", help="a data set in COCO's format")


def _add_download(commands) -> None:
    command = _command(
        commands, "download-voc", _download, "download and unpack the real Pascal VOC, resumable"
    )
    command.add_argument("--year", type=int, default=2012, help="2012 (2.0 GB) or 2007 (0.5 GB)")
    command.add_argument("--to", type=Path, metavar="FOLDER", help="default: the lessons' cache folder")


def _add_minivoc(commands) -> None:
    command = _command(
        commands, "draw-minivoc", _minivoc, "draw the mini VOC; the same seed, the same pictures"
    )
    command.add_argument("folder", type=Path)
    command.add_argument("--seed", type=int, help="default: the one of the set that ships")
    command.add_argument("--train", type=_count, default=600, metavar="N", help="training pictures (600)")
    command.add_argument("--val", type=_count, default=150, metavar="N", help="validation pictures (150)")
    command.add_argument("--overwrite", action="store_true", help="replace a set that is there already")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of pictures: give 1 or more")
    return int(text)


# ---------------------------------------------------------------------------------- what each command does


def _doctor(options: argparse.Namespace) -> int:
    from lessons.doctor import report

    return report()


def _notebooks(options: argparse.Namespace) -> int:
    from lessons import runner

    names = options.names or None
    if not options.check:
        runner.run_lessons(names)
        return 0
    problems = runner.check_lessons(names)
    print("\n".join(problems) or "The lesson files are in order.")
    return 1 if problems else 0


def _check(options: argparse.Namespace) -> int:
    report = _data_set(options).check()
    print(report)
    return 0 if report.ok else 1


def _data_set(options: argparse.Namespace):
    if options.coco:
        if options.split:
            raise LessonsError(f"SPLIT {options.split!r} does not go with --coco: leave it out.")
        from lessons.data import CocoInstances

        return CocoInstances(options.folder, options.coco)
    if not options.split:
        raise LessonsError(
            "SPLIT is missing: name a list of ids such as train, or give --coco ANNOTATIONS.json."
        )
    from lessons.data import VOCInstances

    return VOCInstances(options.folder, options.split)


def _download(options: argparse.Namespace) -> int:
    from lessons.data.download import download_voc

    folder = download_voc(options.year, options.to)
    print(f"{folder} is complete. Use it in the lessons: export LESSONS_VOC_ROOT={folder}")
    return 0


def _minivoc(options: argparse.Namespace) -> int:
    from lessons.data import minivoc

    seed = {} if options.seed is None else {"seed": options.seed}
    minivoc.draw(options.folder, train=options.train, val=options.val, overwrite=options.overwrite, **seed)
    print(f"{options.folder}: {options.train} train and {options.val} val pictures.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
