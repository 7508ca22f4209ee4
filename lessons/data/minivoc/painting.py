"""One picture of the set, drawn alone: `draw_image(seed, split, index)`."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter

from lessons.data.minivoc import scenes
from lessons.data.minivoc.colours import NIGHT_BLUE, WARM_WHITE
from lessons.data.minivoc.moods import Scene
from lessons.data.minivoc.placing import Place, place_objects
from lessons.data.minivoc.raster import Drawing, Sprite, render
from lessons.data.minivoc.silhouettes import KINDS
from lessons.data.minivoc.textures import clouded, darken

SPLITS = ("train", "val")
VOID = 255
LEAST_VISIBLE = 10  # pixels; what shows less is not annotated but void
DIFFICULT_SHARE = 0.25  # an object that shows less of itself than this is difficult
DIFFICULT_PIXELS = 24  # and so is one that shows fewer pixels than this
CUT_SHARE = 0.01  # an object that loses more than this beyond the picture's edge is truncated
MIRRORED = {"Left": "Right", "Right": "Left"}


@dataclass(frozen=True)
class DrawnObject:
    """What the annotation says of one object.

    Attributes:
        name, pose: as VOC writes them.
        box: xmin, ymin, xmax, ymax of the visible region, its border included; pixels, 0-based, half-open.
        visible: the share of its pixels within the picture that nothing hides.
        inside: the share of its pixels that lies within the picture.
        pixels: the visible pixels, the border included.
    """

    name: str
    pose: str
    box: tuple[int, int, int, int]
    visible: float
    inside: float
    pixels: int

    @property
    def truncated(self) -> bool:
        """The picture's edge cuts it."""
        return 1 - self.inside > CUT_SHARE

    @property
    def difficult(self) -> bool:
        """Mostly hidden, or only a few pixels."""
        return self.visible * self.inside < DIFFICULT_SHARE or self.pixels < DIFFICULT_PIXELS


@dataclass(frozen=True)
class DrawnImage:
    """A drawn picture.

    Attributes:
        picture: (H, W, 3) uint8 RGB.
        indices: (H, W) uint8; 0 background, n the n-th object, 255 void.
        objects: what the annotation says of each.
    """

    picture: np.ndarray
    indices: np.ndarray
    objects: tuple[DrawnObject, ...]


def draw_image(seed: int, split: str, index: int) -> DrawnImage:
    """Draw picture `index` of `split`, which depends on nothing but these three numbers and names."""
    for attempt in range(100):
        rng = np.random.default_rng([seed, SPLITS.index(split), index, attempt])
        size = (int(rng.integers(192, 257)), int(rng.integers(192, 257)))
        scene = scenes.paint(rng, size)
        drawn = _compose(rng, scene)
        if drawn.objects:
            return drawn
    raise RuntimeError(
        f"no object of picture {index} of {split!r} with seed {seed} is visible in 100 attempts."
    )


def _compose(rng: np.random.Generator, scene: Scene) -> DrawnImage:
    picture, size = scene.picture, scene.picture.shape[:2]
    light_from = np.array((rng.choice((-1.0, 1.0)) * 0.6, -0.8))
    indices = np.zeros(size, dtype=np.uint8)
    laid: list[tuple[str, str, int, int]] = []  # name, pose, pixels inside the picture, pixels in all
    for place in place_objects(rng, scene):
        kind = KINDS[place.name]
        drawing = kind.aloft(rng) if kind.aloft and place.aloft else kind.draw(rng)
        mirrored = bool(rng.random() < 0.5)
        sprite = render(drawing, *_pose(drawing, place, mirrored), light_from)
        sprite = _lit(rng, sprite, light_from, scene.air, 0.28 * (1 - place.depth) if place.stands else 0.08)
        _paste(picture, sprite, place, light_from, scene.wet)
        seen = _window(sprite.mask, size, sprite.left, sprite.top) > 0
        laid.append(
            (
                place.name,
                MIRRORED.get(drawing.pose, drawing.pose) if mirrored else drawing.pose,
                int(seen.sum()),
                int(sprite.mask.sum()),
            )
        )
        indices[seen] = len(laid)
    indices, objects = _annotate(indices, laid)
    return DrawnImage((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8), with_border(indices), objects)


def _pose(drawing: Drawing, place: Place, mirrored: bool) -> tuple[np.ndarray, np.ndarray]:
    """The matrix and offset that bring the drawing to its place."""
    left, top, right, bottom = drawing.bounds()
    scale = place.length / max(right - left, bottom - top)
    cosine, sine = np.cos(place.turn) * scale, np.sin(place.turn) * scale
    matrix = np.array([[cosine, sine], [-sine, cosine]])
    if mirrored:
        matrix = np.diag((-1.0, 1.0)) @ matrix
    anchor = np.array(((left + right) / 2, bottom if place.stands else (top + bottom) / 2))
    return matrix, np.array((place.x, place.y)) - anchor @ matrix


def _lit(
    rng: np.random.Generator, sprite: Sprite, light_from: np.ndarray, air: np.ndarray, haze: float
) -> Sprite:
    """The sprite modelled by light: a lit and a dark side and rim, a grain, some air before it."""
    height, width = sprite.coverage.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    tone = 0.10 * (x * light_from[0] + y * light_from[1])
    spread = max(0.8, 0.018 * max(height, width))
    slope_y, slope_x = np.gradient(gaussian_filter(sprite.coverage, spread, mode="constant"))
    tone = tone - np.clip((slope_x * light_from[0] + slope_y * light_from[1]) * spread * 0.45, -0.2, 0.2)
    tone = (
        tone + 0.03 * clouded(rng, (height, width), (9, 9)) + 0.02 * clouded(rng, (height, width), (2.5, 2.5))
    )
    tone = tone[..., None]
    lit = np.where(
        tone > 0,
        sprite.colour + tone * (WARM_WHITE - sprite.colour) * 1.6,
        sprite.colour * (1 + tone) - tone * 0.25 * NIGHT_BLUE,
    )
    return Sprite(
        (lit * (1 - haze) + air * haze).astype(np.float32),
        sprite.coverage,
        sprite.mask,
        sprite.left,
        sprite.top,
    )


def _paste(picture: np.ndarray, sprite: Sprite, place: Place, light_from: np.ndarray, wet: bool) -> None:
    """Lay the sprite and its shadow on `picture` (in place)."""
    coverage = _window(sprite.coverage, picture.shape[:2], sprite.left, sprite.top)
    reach = np.clip(0.03 * place.length, 1.0, 5.0)
    shift_x, shift_y = np.round(-light_from * reach).astype(int)
    fallen = _window(
        sprite.coverage, picture.shape[:2], sprite.left + int(shift_x), sprite.top + int(shift_y)
    )
    around = _around(sprite, 18)
    darken(picture[around], fallen[around], 0.30, 0.4 + reach * 0.5)
    if place.stands:
        _ground_shadow(picture, sprite, place, light_from, wet)
    colour = _window(sprite.colour, (*picture.shape[:2], 3), sprite.left, sprite.top)
    picture[around] *= 1 - coverage[around][..., None]
    picture[around] += coverage[around][..., None] * colour[around]


def _around(sprite: Sprite, margin: int) -> tuple[slice, slice]:
    """The rows and columns of the picture within `margin` pixels of the sprite."""
    height, width = sprite.coverage.shape
    return (
        slice(max(sprite.top - margin, 0), max(sprite.top + height + margin, 0)),
        slice(max(sprite.left - margin, 0), max(sprite.left + width + margin, 0)),
    )


def _ground_shadow(
    picture: np.ndarray, sprite: Sprite, place: Place, light_from: np.ndarray, wet: bool
) -> None:
    """What stands darkens the ground at its foot; what floats on water leaves a pale line there too."""
    height, width = picture.shape[:2]
    rx = sprite.coverage.shape[1] * 0.46
    ry = max(0.06 * place.length, 1.2)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    middle = sprite.left + sprite.coverage.shape[1] / 2 - light_from[0] * rx * 0.25
    distance = ((x - middle) / rx) ** 2 + ((y - place.y + ry * 0.3) / ry) ** 2
    around = _around(sprite, 18)
    dark = np.clip(1.3 - distance, 0, 1).astype(np.float32)
    darken(picture[around], dark[around], 0.42, max(0.5, 0.012 * place.length))
    if wet:
        foam = np.clip(1.0 - np.abs(distance - 1.0) * 3, 0, 1)[..., None].astype(np.float32)
        picture += foam * 0.35 * (WARM_WHITE.astype(np.float32) - picture)


def _window(values: np.ndarray, size: tuple[int, ...], left: int, top: int) -> np.ndarray:
    """`values` laid at (left, top) on zeros of `size`; what reaches beyond is cut off."""
    whole = np.zeros(size, dtype=np.float32)
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + values.shape[0], size[0]), min(left + values.shape[1], size[1])
    if y1 > y0 and x1 > x0:
        whole[y0:y1, x0:x1] = values[y0 - top : y1 - top, x0 - left : x1 - left]
    return whole


def _annotate(
    indices: np.ndarray, laid: list[tuple[str, str, int, int]]
) -> tuple[np.ndarray, tuple[DrawnObject, ...]]:
    """Number the objects that can be seen 1, 2, ...; the pixels of the others become void."""
    renumbered = np.zeros_like(indices)
    objects: list[DrawnObject] = []
    for number, (name, pose, inside, whole) in enumerate(laid, start=1):
        mask = indices == number
        pixels = int(mask.sum())
        if pixels < LEAST_VISIBLE or pixels < 0.06 * whole:
            renumbered[mask] = VOID
            continue
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        objects.append(DrawnObject(name, pose, box, pixels / max(inside, 1), inside / max(whole, 1), pixels))
        renumbered[mask] = len(objects)
    return renumbered, tuple(objects)


def with_border(indices: np.ndarray) -> np.ndarray:
    """VOC's border: regions give their outermost pixels to void (255) where they are five pixels thick.

    Two regions that meet give one pixel each (diagonally up to two), so that the border straddles the
    contour. Thinner
    parts, such as spokes and legs, keep all their pixels, and so do regions that would keep less than half.

    Args:
        indices: (H, W) uint8; 0 background, n an instance.
    """
    bordered = indices.copy()
    for value in np.unique(indices[indices != VOID]):
        region = indices == value
        core = minimum_filter(region, 3, mode="nearest")
        thick = maximum_filter(minimum_filter(region, 5, mode="nearest"), 5, mode="nearest")
        rim = region & ~core & thick
        if value == 0 or 2 * rim.sum() <= region.sum():
            bordered[rim] = VOID
    return bordered
