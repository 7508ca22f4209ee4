"""Explorers: a plain function from a state to a figure, and a thin face of sliders in front of it.

The functions are tested over their range; the face only calls them. Without a kernel (on GitHub, in a printed
page) a reader sees the figure of the state in which the notebook was saved.
"""

from lessons.explorers.anchors import anchors_explorer, draw_anchors
from lessons.explorers.face import Explorer, explore
from lessons.explorers.grid_targets import draw_grid_targets, grid_targets_browser
from lessons.explorers.instances import draw_instance_browser, instance_browser
from lessons.explorers.matrix_nms import draw_matrix_nms, matrix_nms_explorer
from lessons.explorers.nms import draw_nms, nms_explorer
from lessons.explorers.precision_recall import draw_precision_recall, precision_recall_explorer
from lessons.explorers.pyramid import draw_pyramid_browser, pyramid_browser
from lessons.explorers.roi_align import draw_roi_align, roi_align_explorer
from lessons.explorers.subdivision import draw_subdivision, subdivision_explorer
from lessons.explorers.training_points import draw_training_points, training_points_explorer

__all__ = [
    "Explorer",
    "anchors_explorer",
    "draw_anchors",
    "draw_grid_targets",
    "draw_instance_browser",
    "draw_matrix_nms",
    "draw_nms",
    "draw_precision_recall",
    "draw_pyramid_browser",
    "draw_roi_align",
    "draw_subdivision",
    "draw_training_points",
    "explore",
    "grid_targets_browser",
    "instance_browser",
    "matrix_nms_explorer",
    "nms_explorer",
    "precision_recall_explorer",
    "pyramid_browser",
    "roi_align_explorer",
    "subdivision_explorer",
    "training_points_explorer",
]
