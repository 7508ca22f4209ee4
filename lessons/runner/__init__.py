"""Run the lessons and write them back (`run_lessons`); check their files only (`check_lessons`)."""

from lessons.runner.hygiene import SECTIONS, hygiene, missing_from_readme
from lessons.runner.questions import answers, index, out_of_date
from lessons.runner.running import NOTEBOOKS, check_lessons, execute, find_notebooks, run_lessons, tidy

__all__ = [
    "NOTEBOOKS",
    "SECTIONS",
    "answers",
    "check_lessons",
    "execute",
    "find_notebooks",
    "hygiene",
    "index",
    "missing_from_readme",
    "out_of_date",
    "run_lessons",
    "tidy",
]
