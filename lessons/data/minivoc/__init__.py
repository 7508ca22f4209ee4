"""The mini VOC: a small set in VOC's layout, drawn from a seed, so that every lesson has data without a
network.

`root()` is the set that ships; `draw()` draws another; `draw_image()` draws one picture and its exact masks.

Geometry is in `curves`, pixels in `raster`, pigments in `colours`. `vehicles`, `boats`, `birds`, `cats`,
`dogs_and_sheep`, `things`, `plants` and `people` draw the classes that `silhouettes` lists; `textures`,
    `moods`,
`outdoors`, `indoors` and `scenes` paint the backgrounds; `placing` arranges, `painting` composes one
picture and
`writing` writes the set.
"""

from pathlib import Path

from lessons.data.minivoc.painting import DrawnImage, DrawnObject, draw_image
from lessons.data.minivoc.silhouettes import CLASSES
from lessons.data.minivoc.writing import SEED, draw, palette
from lessons.errors import DataError
from lessons.files import shipped_data

__all__ = ["CLASSES", "SEED", "DrawnImage", "DrawnObject", "draw", "draw_image", "palette", "root"]


def root() -> Path:
    """The folder of the set that ships with the repository: `VOCInstances(minivoc.root(), "train")`.

    Raises:
        DataError: the set is not there.
    """
    folder = shipped_data() / "minivoc"
    if not (folder / "ImageSets").is_dir():
        raise DataError(
            f"{folder} holds no mini VOC: get it back with git, or draw it with lessons.data.minivoc.draw."
        )
    return folder
