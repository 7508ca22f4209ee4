"""Instance segmentation from scratch: the package that the numbered notebooks call into.

    lessons.names()               the models that there are
    lessons.load("solo-mini")     one of them, trained

Rooms, from the ground up: `boxes` and `masks` (geometry), `data` (VOC and COCO instances, the drawn mini VOC,
transforms, batches), `backbones`, `solo`, `training`, `evaluation`, `checkpoints`, `registry` and `configs`,
`zoo`, `plots`, `explorers`, `notebook`.
"""

from typing import Any

__version__ = "0.1.0"
__all__ = ["load", "names"]


def __getattr__(name: str) -> Any:
    # Only when asked for: `load` needs torch, and `import lessons` is to be instant.
    if name == "load":
        from lessons.zoo import load

        return load
    if name == "names":
        from lessons.configs import names

        return names
    raise AttributeError(f"module 'lessons' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
