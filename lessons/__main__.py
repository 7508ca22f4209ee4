"""The command `lessons` (also `python -m lessons`).

    lessons doctor                          is all here that the lessons need?
    lessons notebooks [names] [--check]     run the lessons and write them back, or only check their files
    lessons check FOLDER SPLIT              look at every file of a data set
    lessons download-voc [--year 2012]      the real Pascal VOC
    lessons draw-minivoc FOLDER             draw the mini VOC
    lessons train MODEL --folder RUN        train a model, resumable, on one or several processes
    lessons evaluate MODEL                  COCO's average precision of a model
    lessons predict MODEL PICTURES --out F  pictures with what was found, and one JSON file

Every command imports what it needs when it runs: help is quick, and the doctor works where torch does not.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from lessons.commands import course, data, models
from lessons.errors import LessonsError

MISUSE, INTERRUPTED, NOBODY_READS = 2, 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    0: done; 1: done, and what was looked at has errors; 2: a mistake, told in one sentence; 130: Ctrl-C.
    """
    options = parser().parse_args(arguments)
    options.arguments = list(sys.argv[1:] if arguments is None else arguments)
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
    for group in (course, data, models):
        group.add(commands)
    return top


if __name__ == "__main__":
    sys.exit(main())
