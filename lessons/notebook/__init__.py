"""What every lesson needs: `setup`, `check`, `show_source`."""

from lessons.notebook import checks as check
from lessons.notebook.preparation import Setup, choose_device, setup
from lessons.notebook.source import read_source, show_source, without_docstrings

__all__ = ["Setup", "check", "choose_device", "read_source", "setup", "show_source", "without_docstrings"]
