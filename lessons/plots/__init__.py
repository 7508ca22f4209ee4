"""Drawing for the whole course: pictures with instances, small matrices, feature maps, the map.

Every function returns matplotlib Figures or Axes and changes none of its inputs; `show` puts a figure into
the notebook with a caption that says what to look at. Axes of pictures use the course's half-open pixel
coordinates: the pixel in row r, column c covers [c, c + 1) × [r, r + 1), so a box touches its mask's edges.
"""

from lessons.plots.charts import bars, histogram, tensor_shapes
from lessons.plots.curves import curves, running_median
from lessons.plots.features import feature_maps
from lessons.plots.matrices import matrices, matrix
from lessons.plots.pictures import as_picture, draw_boxes, draw_image, draw_instances, draw_mask, image_grid
from lessons.plots.pipeline import LESSONS, pipeline_map
from lessons.plots.showing import new_figure, render, show, style

__all__ = [
    "LESSONS",
    "as_picture",
    "bars",
    "curves",
    "draw_boxes",
    "draw_image",
    "draw_instances",
    "draw_mask",
    "feature_maps",
    "histogram",
    "image_grid",
    "matrices",
    "matrix",
    "new_figure",
    "pipeline_map",
    "render",
    "running_median",
    "show",
    "style",
    "tensor_shapes",
]
