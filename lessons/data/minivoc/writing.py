"""The drawn set as files in VOC's exact layout."""

import io
import shutil
import tempfile
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from lessons.data.minivoc.painting import SPLITS, VOID, DrawnImage, draw_image
from lessons.data.minivoc.silhouettes import CLASSES
from lessons.data.voc import VOC_CLASSES
from lessons.errors import LessonsError

SEED = 2012
QUALITY = 90
README = """# The mini VOC

{train} training and {val} validation pictures in the layout of the PASCAL VOC challenge, small enough to
travel with the repository. Nobody photographed them: a program drew them, so every mask is exact.

* **Provenance:** drawn by `lessons.data.minivoc` from the seed {seed}; picture `train_0007` is
  `draw_image({seed}, "train", 7)`.
* **Licence:** the pictures and their annotations are under the repository's own licence.
* **Classes:** twelve of VOC's twenty, numbered as in VOC: {classes}.
* **Command:**

```python
from lessons.data import minivoc

minivoc.draw("data/minivoc", seed={seed}, train={train}, val={val}, overwrite=True)
```

| folder | what it holds |
|---|---|
| `JPEGImages` | the pictures, 192 to 256 pixels a side |
| `SegmentationObject` | 0 background, n the n-th `<object>` of the XML, 255 the border; VOC's own palette |
| `SegmentationClass` | the same with the number of the class |
| `Annotations` | the objects: class, pose, flags, box (1-based, both ends included, border pixels too) |
| `ImageSets/Segmentation` | the ids of `train`, `val` and `trainval` |

`truncated` means that the picture's edge cuts the object; `difficult` that less than a quarter of it
shows, or fewer than 24 pixels. Objects of which next to nothing shows are not annotated; their pixels are
255. Regions give their outermost pixels to the border only where they are at least five pixels thick, so
that tubes and legs stay whole. Hair-thin spokes and whiskers are painted but not part of the masks. The
same seed draws the same masks and, before the JPEG encoder, the same pictures.
"""


def palette() -> np.ndarray:
    """VOC's colours: (256, 3) uint8.

    The three lowest bits of an index become the highest bits of red, green and blue, the next three the
    second highest, ...
    """
    index = np.arange(256)
    colours = np.zeros((256, 3), dtype=np.uint8)
    for step in range(8):
        for channel in range(3):
            colours[:, channel] |= (((index >> (3 * step + channel)) & 1) << (7 - step)).astype(np.uint8)
    return colours


def name_of(split: str, index: int) -> str:
    """The id of a picture: its split and its place in it."""
    return f"{split}_{index:04d}"


def draw(
    root: str | Path, seed: int = SEED, train: int = 600, val: int = 150, overwrite: bool = False, *,
    workers: int = 1, progress: bool = True,
) -> Path:  # fmt: skip
    """Draw a set into the folder `root`, in VOC's layout.

    The set is drawn in a folder beside `root` and renamed when it is whole: whoever stops it leaves
    `root` as it was.

    Args:
        seed: the same seed draws the same pictures, whatever `train`, `val` and `workers` are.
        train, val: how many pictures.
        overwrite: replace a set that is already there. A folder that holds anything else is never replaced.
        workers: processes that draw at the same time.

    Returns:
        `root`.

    Raises:
        LessonsError: `root` is there already, or a number is out of range.
    """
    root = Path(root)
    if train < 0 or val < 0 or train + val == 0 or seed < 0 or workers < 1:
        raise LessonsError(
            f"draw() wants seed, train and val of 0 or more, at least one picture and at least one worker; "
            f"got {seed=}, {train=}, {val=}, {workers=}."
        )
    _refuse(root, overwrite)
    root.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{root.name}.", suffix=".part", dir=root.parent))
    try:
        whole = beside / "new"
        _draw_into(whole, seed, {"train": train, "val": val}, workers, progress)
        if root.exists():
            root.rename(beside / "old")
        whole.rename(root)
    finally:
        if (beside / "old").exists() and not root.exists():
            (beside / "old").rename(root)
        shutil.rmtree(beside, ignore_errors=True)
    return root


def _refuse(root: Path, overwrite: bool) -> None:
    if not root.exists():
        return
    if not overwrite:
        raise LessonsError(
            f"{root} is there already: name a new folder, or say overwrite=True (on the command line "
            "--overwrite) to draw the set again."
        )
    stranger = "a file" if not root.is_dir() else _stranger(root)
    if stranger:
        raise LessonsError(
            f"{root} holds something other than a drawn set ({stranger}) and is not replaced: "
            "name a new folder."
        )


def _stranger(root: Path) -> str | None:
    """What in the folder no drawing wrote; None for an empty folder or a drawn set and nothing else."""
    readme = root / "README.md"
    if any(root.iterdir()) and not (readme.is_file() and readme.read_bytes().startswith(b"# The mini VOC")):
        return "no README.md of a mini VOC"
    endings = {"JPEGImages": ".jpg", "SegmentationObject": ".png", "SegmentationClass": ".png"}
    endings |= {"Annotations": ".xml", "ImageSets": ".txt", "README.md": ".md"}
    for path in root.rglob("*"):
        top = path.relative_to(root).parts[0]
        if top not in endings or (not path.is_dir() and path.suffix != endings[top]):
            return path.relative_to(root).as_posix()
    return None


def _draw_into(root: Path, seed: int, counts: dict[str, int], workers: int, progress: bool) -> None:
    for folder in (
        "JPEGImages",
        "SegmentationObject",
        "SegmentationClass",
        "Annotations",
        "ImageSets/Segmentation",
    ):
        (root / folder).mkdir(parents=True)
    tasks = [(split, index) for split in SPLITS for index in range(counts[split])]
    job = partial(_draw_one, root, seed)
    bar = tqdm(total=len(tasks), desc="drawing", unit="picture", disable=not progress, leave=False)
    with bar:
        if workers == 1:
            for task in tasks:
                job(task)
                bar.update()
        else:
            with ProcessPoolExecutor(workers) as pool:
                for _ in pool.map(job, tasks, chunksize=8):
                    bar.update()
    for listed in (("train",), ("val",), ("train", "val")):
        names = sorted(name_of(split, index) for split, index in tasks if split in listed)
        path = (
            root / "ImageSets" / "Segmentation" / ("trainval.txt" if len(listed) == 2 else f"{listed[0]}.txt")
        )
        path.write_text("".join(f"{name}\n" for name in names), encoding="ascii")
    text = README.format(seed=seed, **counts, classes=", ".join(CLASSES))
    (root / "README.md").write_text(text, encoding="utf-8")


def _draw_one(root: Path, seed: int, task: tuple[str, int]) -> None:
    """Draw and write one picture. Plain writes: the whole folder is renamed only once all of it is there."""
    name, drawn = name_of(*task), draw_image(seed, *task)
    for relative, content in files_of(name, drawn).items():
        (root / relative).write_bytes(content)


def files_of(name: str, drawn: DrawnImage) -> dict[str, bytes]:
    """The four files of a picture: path below the root -> content."""
    picture = io.BytesIO()
    Image.fromarray(drawn.picture).save(picture, "JPEG", quality=QUALITY, optimize=True)
    return {
        f"JPEGImages/{name}.jpg": picture.getvalue(),
        f"SegmentationObject/{name}.png": _png(drawn.indices),
        f"SegmentationClass/{name}.png": _png(class_indices(drawn)),
        f"Annotations/{name}.xml": annotation(name, drawn),
    }


def class_indices(drawn: DrawnImage) -> np.ndarray:
    """The instance indices with each instance's number replaced by its class's: (H, W) uint8."""
    table = np.zeros(256, dtype=np.uint8)
    table[VOID] = VOID
    for number, one in enumerate(drawn.objects, start=1):
        table[number] = VOC_CLASSES.index(one.name) + 1
    return table[drawn.indices]


def _png(indices: np.ndarray) -> bytes:
    image = Image.fromarray(indices)
    image.putpalette(palette().tobytes())
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return content.getvalue()


def annotation(name: str, drawn: DrawnImage) -> bytes:
    """The XML of a picture, its fields in VOC's order."""
    height, width = drawn.indices.shape
    top = ElementTree.Element("annotation")
    _fill(top, {"folder": "minivoc", "filename": f"{name}.jpg"})
    _fill(
        top, {"source": {"database": "The mini VOC", "annotation": "drawn", "image": "lessons.data.minivoc"}}
    )
    _fill(top, {"size": {"width": width, "height": height, "depth": 3}, "segmented": 1})
    for one in drawn.objects:
        left, upper, right, lower = one.box
        box = {"xmin": left + 1, "ymin": upper + 1, "xmax": right, "ymax": lower}
        flags = {"truncated": int(one.truncated), "difficult": int(one.difficult)}
        _fill(top, {"object": {"name": one.name, "pose": one.pose, **flags, "bndbox": box}})
    ElementTree.indent(top, "\t")
    return ElementTree.tostring(top) + b"\n"


def _fill(parent: ElementTree.Element, fields: dict[str, object]) -> None:
    for tag, value in fields.items():
        child = ElementTree.SubElement(parent, tag)
        if isinstance(value, dict):
            _fill(child, value)
        else:
            child.text = str(value)
