"""doctor, notebooks: the course itself."""

import argparse

from lessons.commands import add_command


def add(commands) -> None:
    """Add them to the parser."""
    add_command(commands, "doctor", doctor, "one line, [ok] or [fail], for each thing the lessons need")
    text = "run the lessons in order, each in a clean kernel, and write them back"
    command = add_command(commands, "notebooks", notebooks, text)
    command.add_argument("names", nargs="*", help="lessons to run, such as 01_voc_instances; none: all")
    command.add_argument("--check", action="store_true", help="run nothing, check the files as they are")
    command.add_argument("--questions", action="store_true", help="run nothing, print the README's index")


def doctor(options: argparse.Namespace) -> int:
    from lessons.doctor import report

    return report()


def notebooks(options: argparse.Namespace) -> int:
    from lessons import runner

    names = options.names or None
    if options.questions:
        print(runner.index([path for path in runner.find_notebooks() if path.parent.name != "solutions"]))
        return 0
    if not options.check:
        runner.run_lessons(names)
        return 0
    problems = runner.check_lessons(names)
    print("\n".join(problems) or "The lesson files are in order.")
    return 1 if problems else 0
