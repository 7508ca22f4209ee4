"""`python -m benchmarks.front_picture OUT.png`: the README's picture, from the weights that ship.

The scene is chosen by a rule and not by a person: of the validation pictures with three to six objects, the
one on which the worst of the four models does best. Then, of the large objects that Mask R-CNN and PointRend
have both found, the one whose weaker mask is best, where the two masks differ most along its outline.
`--picture` chooses another scene. The rule takes a minute or two, a given picture seconds.
"""

import argparse
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from tqdm.auto import tqdm

import lessons
from lessons import boxes, masks, palette
from lessons.data import VOCInstances, minivoc
from lessons.detector import Detector, Prediction, Target, as_pixels
from lessons.errors import LessonsError
from lessons.files import write_atomically
from lessons.mask_rcnn.pasting import paste
from lessons.plots.families import Closeup, busiest_window, families
from lessons.point_rend.points import to_image
from lessons.resizing import RESIZINGS

NAMES = {
    "SOLO": "solo-mini",
    "Decoupled SOLO": "decoupled-solo-mini",
    "Mask R-CNN": "mask-rcnn-mini",
    "PointRend": "point-rend-mini",
}
PAIR = ("Mask R-CNN", "PointRend")
WIDTH, DPI = 10.6, 150  # inches, pixels per inch
SCALE = 4  # masks of the close-up are pasted into a picture so many times as large
WINDOW = (46, 64)  # height and width of the close-up, pixels of the picture
LARGE = 40**2  # pixels of an object
WIDTH_OF_OUTLINE = 4  # pixels on either side
LARGEST = 350_000  # bytes


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the picture. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.front_picture", description="README's picture."
    )
    parser.add_argument("out", type=Path, help="the PNG file to write")
    parser.add_argument(
        "--picture", metavar="ID", help="a validation picture, as val_0064 (chosen by the rule)"
    )
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    voc = VOCInstances(minivoc.root(), "val")
    models = {title: lessons.load(name, device="cpu") for title, name in NAMES.items()}
    try:
        position = choose(voc, models) if options.picture is None else voc.index(options.picture)
        content = picture_of(voc, position, models)
    except LessonsError as error:
        print(f"front_picture: {error}", file=sys.stderr)
        return 2
    write_atomically(options.out, content)
    print(f"{options.out}: {voc.ids[position]}, {len(content):,} bytes")
    return 0


def choose(voc: VOCInstances, models: Mapping[str, Detector]) -> int:
    """The position of the scene: see the rule at the top of this file."""
    targets = [voc.read_target(position) for position in range(len(voc))]
    candidates = [position for position, one in enumerate(targets) if 3 <= len(one["labels"]) <= 6]
    quality = {}
    for position in tqdm(candidates, desc="choosing", unit="image", leave=False):
        path = voc.files.image(voc.ids[position])
        quality[position] = min(worth(model.predict(path), targets[position]) for model in models.values())
    return max(candidates, key=lambda position: quality[position])


def worth(found: Prediction, target: Target) -> float:
    """How well a picture's objects are found by as many answers as there are objects: the mean IoU."""
    best = strongest(found, len(target["labels"]))
    return overlaps(best, target).amax(dim=0).mean().item() if len(best["labels"]) else 0.0


def strongest(found: Prediction, count: int) -> Prediction:
    """The best `count` answers: scores of different families mean different things, numbers do not."""
    return {name: value[:count] for name, value in found.items()}


def overlaps(found: Prediction, target: Target) -> Tensor:
    """IoU (N, M) of every answer with every object of its class; 0 for other classes."""
    same = found["labels"][:, None] == target["labels"]
    return masks.iou(found["masks"], target["masks"]) * same


def picture_of(voc: VOCInstances, position: int, models: Mapping[str, Detector]) -> bytes:
    """The PNG file of a scene.

    Raises:
        LessonsError: Mask R-CNN and PointRend have no object of it in common.
    """
    image, target = voc[position]
    pixels = as_pixels(voc.files.image(voc.ids[position]))
    found = {title: model.predict(pixels) for title, model in models.items()}
    chosen, pairs = object_of(found, target)
    truth = target["masks"][chosen]
    soft, points = {}, None
    for title in PAIR:
        soft[title], last = enlarged(models[title], pixels, found[title], pairs[title])
        points = last if last is not None else points
    window = busiest_window(differing(found, pairs, truth), WINDOW)
    closeup = Closeup(window, truth, soft, points, "where PointRend looked again")
    count = len(target["labels"])
    shown = {title: strongest(one, count) for title, one in found.items()}
    return as_png(families(image, target, shown, closeup, width=WIDTH))


def object_of(found: Mapping[str, Prediction], target: Target) -> tuple[int, dict[str, int]]:
    """The object to enlarge, and which answer of each of the two models stands for it."""
    common = {}
    for number in range(len(target["labels"])):
        columns = {title: overlaps(found[title], target)[:, number] for title in PAIR}
        if all(len(one) and one.max() >= 0.5 for one in columns.values()):
            common[number] = {title: int(one.argmax()) for title, one in columns.items()}
    if not common:
        raise LessonsError(
            "Mask R-CNN and PointRend have found no object in common: choose another --picture."
        )

    def rank(number: int) -> tuple[bool, float]:
        weaker = min(overlaps(found[title], target)[common[number][title], number].item() for title in PAIR)
        return target["area"][number].item() > LARGE, weaker

    chosen = max(common, key=rank)
    return chosen, common[chosen]


def differing(found: Mapping[str, Prediction], pairs: Mapping[str, int], truth: Tensor) -> Tensor:
    """Where the two masks differ near the object's outline: (H, W) bool."""
    first, second = (found[title]["masks"][pairs[title]] for title in PAIR)
    filled, side = truth.float()[None, None], 2 * WIDTH_OF_OUTLINE + 1
    grown = F.max_pool2d(filled, side, 1, WIDTH_OF_OUTLINE)[0, 0]
    shrunk = 1 - F.max_pool2d(1 - filled, side, 1, WIDTH_OF_OUTLINE)[0, 0]
    return (first ^ second) & (grown > shrunk)


@torch.no_grad()
def enlarged(
    model: Detector, pixels: np.ndarray, found: Prediction, number: int
) -> tuple[Tensor, Tensor | None]:
    """One answer's mask as the model sees it, (4H, 4W) in [0, 1], and the points of the last subdivision."""
    height, width = pixels.shape[:2]
    batch = model.prepare([RESIZINGS[model.resizing](pixels, *model.resize)])
    levels = {name: level.contiguous() for name, level in model.backbone(batch.tensor).items()}
    here, labels = found["boxes"][number : number + 1], found["labels"][number : number + 1]
    own = boxes.scale(here, (height, width), batch.sizes[0])
    branch, strides = model.mask_branch, model.backbone.strides
    (small,) = branch.probabilities(levels, strides, [own], [labels])
    (soft,) = paste(small, here * SCALE, (height * SCALE, width * SCALE), None)
    if not hasattr(branch, "plain"):
        return soft, None
    _, steps = branch.plain.subdivision(levels, strides, [own], labels)
    return soft, to_image(steps[-1].points, here)[0]


def as_png(figure: Figure) -> bytes:
    """The figure as a PNG of few enough bytes: fewer colours where it must be."""
    full = io.BytesIO()
    figure.savefig(full, format="png", dpi=DPI, metadata={"Software": None})
    content = full.getvalue()
    for colours in (240, 120, 60):
        if len(content) <= LARGEST:
            break
        smaller = io.BytesIO()
        fewer_colours(Image.open(full).convert("RGB"), colours).save(smaller, format="png", optimize=True)
        content = smaller.getvalue()
    return content


def fewer_colours(picture: Image.Image, count: int) -> Image.Image:
    """The picture in `count` colours of its own and the course's, which are rare in it and must be right."""
    own = picture.quantize(count).getpalette()[: 3 * count]
    course = (palette.GROUND_TRUTH, palette.PREDICTION, palette.SAMPLED_POINT, palette.HIGHLIGHT, palette.INK)
    numbers = [round(255 * part) for colour in course for part in palette.channels(colour)]
    table = Image.new("P", (1, 1))
    table.putpalette([*own, *numbers])
    return picture.quantize(palette=table, dither=Image.Dither.FLOYDSTEINBERG)


if __name__ == "__main__":
    sys.exit(main())
