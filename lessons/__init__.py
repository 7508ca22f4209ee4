"""Instance segmentation from scratch: the package that the numbered notebooks call into.

Rooms, from the ground up: `boxes` and `masks` (geometry), `data` (VOC and COCO instances, the drawn mini VOC,
transforms, batches), `backbones`, `plots`, `explorers`, `notebook`.
"""

__version__ = "0.1.0"
