"""What the command `lessons` can do, one file per group; each file adds its commands to the parser.

Nothing is imported before a command runs: help is quick, and the doctor works where torch does not.
"""

import argparse
from collections.abc import Callable

Command = Callable[[argparse.Namespace], int]  # the options -> the exit status


def add_command(commands, name: str, run: Command, text: str) -> argparse.ArgumentParser:
    """A sub-parser for one command, whose `run` does the work."""
    command = commands.add_parser(name, help=text.replace("%", "%%"), description=text)
    command.set_defaults(run=run)
    return command


def whole_number(text: str) -> int:
    """The argument as a whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number that fits here: give a whole number from 1")
    return int(text)
