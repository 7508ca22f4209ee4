"""Explorers: a plain function from a state to a figure, and a thin face of sliders in front of it.

The functions are tested over their range; the face only calls them. Without a kernel (on GitHub, in a printed
page) a reader sees the figure of the state in which the notebook was saved.
"""

from lessons.explorers.face import Explorer, explore
from lessons.explorers.instances import draw_instance_browser, instance_browser
from lessons.explorers.pyramid import draw_pyramid_browser, pyramid_browser

__all__ = [
    "Explorer",
    "draw_instance_browser",
    "draw_pyramid_browser",
    "explore",
    "instance_browser",
    "pyramid_browser",
]
