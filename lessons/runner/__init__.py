"""Run the lessons and write them back (`run_lessons`); check their files only (`check_lessons`)."""

from lessons.runner.hygiene import SECTIONS, hygiene, missing_from_readme
from lessons.runner.running import NOTEBOOKS, check_lessons, execute, find_notebooks, run_lessons, tidy

__all__ = [
    "NOTEBOOKS",
    "SECTIONS",
    "check_lessons",
    "execute",
    "find_notebooks",
    "hygiene",
    "missing_from_readme",
    "run_lessons",
    "tidy",
]
