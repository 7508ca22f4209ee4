"""The seven backgrounds: which there are, and how often each is painted."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lessons.data.minivoc.indoors import paint_flat, paint_room, paint_table
from lessons.data.minivoc.moods import Scene
from lessons.data.minivoc.outdoors import paint_meadow, paint_sea, paint_sky, paint_street
from lessons.data.minivoc.textures import Size, clouded, grain

PAINTERS: tuple[tuple[Callable[[np.random.Generator, Size], Scene], float], ...] = (
    (paint_meadow, 0.23), (paint_sea, 0.12), (paint_sky, 0.08), (paint_street, 0.22), (paint_room, 0.13),
    (paint_table, 0.08), (paint_flat, 0.14),
)  # fmt: skip


def paint(rng: np.random.Generator, size: Size) -> Scene:
    """One random scene, on paper with a grain."""
    shares = [share for _, share in PAINTERS]
    scene = PAINTERS[int(rng.choice(len(PAINTERS), p=shares))][0](rng, size)
    vignette = 1 - 0.05 * np.abs(clouded(rng, size, (90, 90)))[..., None]
    return replace(scene, picture=grain(rng, scene.picture * vignette))
