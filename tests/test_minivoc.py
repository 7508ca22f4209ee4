"""The mini VOC: what is drawn, how it is written, and the set that ships."""

import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from lessons.data import VOCInstances, minivoc
from lessons.data.minivoc import draw_image, painting, raster, writing
from lessons.data.minivoc.curves import ellipse, points, smooth
from lessons.data.minivoc.silhouettes import KINDS
from lessons.data.voc import VOC_CLASSES
from lessons.errors import DataError, LessonsError

SHIPPED = {"train": 600, "val": 150}
FOLDERS = {
    "JPEGImages": ".jpg",
    "SegmentationObject": ".png",
    "SegmentationClass": ".png",
    "Annotations": ".xml",
}
SAMPLE = [("train", index) for index in (0, 1, 2, 3)] + [("val", 0)]

Drawn = dict[tuple[str, int], minivoc.DrawnImage]


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return {task: draw_image(11, *task) for task in SAMPLE}


@pytest.fixture(scope="module")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return minivoc.draw(
        tmp_path_factory.mktemp("drawn") / "mini set ä", seed=3, train=3, val=1, progress=False
    )


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


# the polygon filler ---------------------------------------------------------------------------------------


def test_fill_takes_the_cells_whose_centres_lie_inside() -> None:
    square = points((1, 1), (4, 1), (4, 3), (1, 3))
    expected = np.zeros((5, 6), dtype=bool)
    expected[1:3, 1:4] = True
    np.testing.assert_array_equal(raster.fill([square], (5, 6)), expected)


def test_fill_joins_overlapping_polygons_and_cuts_at_the_edge() -> None:
    one, two = points((-5, -5), (2, -5), (2, 2), (-5, 2)), points((1, 1), (9, 1), (9, 9), (1, 9))
    filled = raster.fill([one, two], (4, 4))
    assert filled[0, 0] and filled[1, 1] and filled[3, 3]
    assert not filled[0, 3] and not filled[3, 0]


@settings(max_examples=40, deadline=None)
@given(st.floats(3, 12), st.floats(3, 12), st.floats(-3, 3))
def test_coverage_of_an_ellipse_adds_up_to_its_area(rx: float, ry: float, turn: float) -> None:
    covered = raster.cover([ellipse(16, 16, rx, ry, turn=turn, n=200)], (32, 32)).sum()
    assert covered == pytest.approx(np.pi * rx * ry, rel=0.02)


def test_smooth_passes_through_its_points_and_keeps_doubled_ones_sharp() -> None:
    path = [(0, 0), (0, 0), (4, 0), (4, 3)]
    curve = smooth(path)
    for corner in path:
        assert np.abs(curve - corner).sum(axis=1).min() < 1e-9
    assert np.isfinite(curve).all()


def test_thin_strokes_stay_in_the_mask_but_faint_ones_do_not() -> None:
    drawing = raster.Drawing()
    drawing.add(ellipse(0, 0, 0.1), np.ones(3))
    drawing.line(points((0, 0), (0.5, 0.03)), 0.001, np.ones(3))
    drawing.line(points((0, 0), (-0.5, 0.03)), 0.001, np.ones(3), faint=True)
    sprite = raster.render(drawing, np.eye(2) * 60, np.array((50.0, 50.0)), np.array((0.0, -1.0)))
    columns = sprite.mask.any(axis=0)
    middle = 50 - sprite.left
    assert columns[middle + 8 : middle + 29].all()
    assert not columns[: middle - 7].any()


@pytest.mark.parametrize("name", minivoc.CLASSES)
def test_every_class_has_varied_whole_silhouettes(name: str) -> None:
    kind, masks = KINDS[name], []
    for seed in range(4):
        drawing = kind.draw(np.random.default_rng(seed))
        left, top, right, bottom = drawing.bounds()
        scale = 48 / max(right - left, bottom - top)
        offset = np.array((32.0, 32.0)) - scale * np.array(((left + right) / 2, (top + bottom) / 2))
        sprite = raster.render(drawing, np.eye(2) * scale, offset, np.array((0.6, -0.8)))
        assert abs(max(sprite.mask.shape) - 50) <= 3
        assert 0.03 < sprite.mask.sum() / 48**2 < 0.8
        masks.append(painting._window(sprite.mask, (64, 64), sprite.left, sprite.top))
    assert len({mask.tobytes() for mask in masks}) == len(masks)
    assert max((masks[0] != other).sum() for other in masks[1:]) > 60


@pytest.mark.parametrize(("name", "least"), [("bicycle", 2), ("chair", 1)])
def test_wheels_and_chair_backs_are_open(name: str, least: int) -> None:
    from scipy.ndimage import label

    drawing = KINDS[name].draw(np.random.default_rng(5))
    sprite = raster.render(drawing, np.eye(2) * 150, np.zeros(2), np.array((0.6, -0.8)))
    _, regions = label(np.pad(~sprite.mask, 1, constant_values=True))
    assert regions - 1 >= least, "the ground around is one region, each hole another"


# one picture ----------------------------------------------------------------------------------------------


def test_the_same_seed_draws_the_same_picture(drawn: Drawn) -> None:
    for task in SAMPLE[1:3]:
        again = draw_image(11, *task)
        np.testing.assert_array_equal(again.picture, drawn[task].picture)
        np.testing.assert_array_equal(again.indices, drawn[task].indices)
        assert again.objects == drawn[task].objects


def test_seed_split_and_index_each_change_the_picture(drawn: Drawn) -> None:
    pictures = [*drawn.values(), draw_image(12, "train", 0)]
    assert len({one.picture.tobytes() for one in pictures}) == len(pictures)


def test_every_index_is_an_object_and_every_object_has_pixels(
    drawn: Drawn,
) -> None:
    for one in drawn.values():
        assert one.picture.dtype == one.indices.dtype == np.uint8
        assert one.picture.shape == (*one.indices.shape, 3)
        assert all(192 <= side <= 256 for side in one.indices.shape)
        assert 1 <= len(one.objects) < 20
        present = set(np.unique(one.indices).tolist()) - {0, 255}
        assert present == set(range(1, len(one.objects) + 1))


def test_boxes_hold_the_masks_and_at_most_the_border_around(
    drawn: Drawn,
) -> None:
    for one in drawn.values():
        for number, thing in enumerate(one.objects, start=1):
            rows, columns = np.nonzero(one.indices == number)
            left, top, right, bottom = thing.box
            inner = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert left <= inner[0] and top <= inner[1] and inner[2] <= right and inner[3] <= bottom
            edge = [one.indices[top, left:right], one.indices[bottom - 1, left:right],
                    one.indices[top:bottom, left], one.indices[top:bottom, right - 1]]  # fmt: skip
            assert all(np.isin(side, (number, 255)).any() for side in edge), "the box is tight"


def test_flags_follow_from_what_shows(drawn: Drawn) -> None:
    for one in drawn.values():
        height, width = one.indices.shape
        for thing in one.objects:
            left, top, right, bottom = thing.box
            touches = left == 0 or top == 0 or right == width or bottom == height
            assert thing.truncated == (thing.inside < 0.99)
            assert touches or not thing.truncated or thing.visible < 1, "only the edge truncates"
            assert thing.difficult == (thing.visible * thing.inside < 0.25 or thing.pixels < 24)


def test_hidden_objects_become_void_and_the_others_close_ranks() -> None:
    indices = np.zeros((20, 20), dtype=np.uint8)
    indices[0:5, 0:5], indices[10, 10], indices[12:20, 3:7] = 1, 2, 3
    laid = [("cat", "Left", 25, 25), ("dog", "Right", 1, 40), ("sheep", "Left", 32, 64)]
    numbered, objects = painting._annotate(indices, laid)
    assert [one.name for one in objects] == ["cat", "sheep"]
    assert numbered[10, 10] == 255
    assert (numbered[0:5, 0:5] == 1).all() and (numbered[12:20, 3:7] == 2).all()
    assert objects[1].box == (3, 12, 7, 20)
    assert [one.truncated for one in objects] == [False, True]


def test_border_straddles_the_contour_and_spares_thin_parts() -> None:
    indices = np.zeros((30, 40), dtype=np.uint8)
    indices[5:25, 5:20] = 1
    indices[14:16, 20:35] = 1  # a handle, two pixels thick
    bordered = painting.with_border(indices)
    assert (bordered[6:13, 19] == 255).all() and (bordered[6:13, 20] == 255).all()
    assert (bordered[6:13, 18] == 1).all() and (bordered[6:13, 21] == 0).all()
    assert (bordered[14:16, 22:35] == 1).all()
    assert indices[5, 5] == 1, "the input is left as it was"


@settings(max_examples=60, deadline=None)
@given(arrays(np.uint8, (12, 14), elements=st.sampled_from([0, 0, 0, 1, 2, 3, 255])))
def test_border_never_loses_an_instance_nor_renames_a_pixel(indices: np.ndarray) -> None:
    bordered = painting.with_border(indices)
    assert set(np.unique(bordered)) - {255} >= set(np.unique(indices)) - {0, 255}
    kept = bordered != 255
    np.testing.assert_array_equal(bordered[kept], indices[kept])


# the files ------------------------------------------------------------------------------------------------


def test_palette_is_vocs() -> None:
    palette = minivoc.palette()
    known = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0), 4: (0, 0, 128), 8: (64, 0, 0),
             15: (192, 128, 128), 20: (0, 64, 128), 255: (224, 224, 192)}  # fmt: skip
    assert {index: tuple(palette[index].tolist()) for index in known} == known
    assert len({tuple(colour) for colour in palette.tolist()}) == 256


def test_layout_is_vocs(small_set: Path) -> None:
    names = [f"train_{k:04d}" for k in range(3)] + ["val_0000"]
    for folder, suffix in FOLDERS.items():
        assert sorted(path.name for path in (small_set / folder).iterdir()) == [
            name + suffix for name in names
        ]
    lists = small_set / "ImageSets" / "Segmentation"
    assert (lists / "train.txt").read_text().split() == names[:3]
    assert (lists / "val.txt").read_text().split() == names[3:]
    assert (lists / "trainval.txt").read_text().split() == names
    assert [path.name for path in small_set.parent.iterdir()] == [small_set.name], "nothing is left beside it"


def test_files_say_what_was_drawn(small_set: Path) -> None:
    one = draw_image(3, "train", 2)
    with Image.open(small_set / "SegmentationObject" / "train_0002.png") as image:
        assert image.mode == "P"
        assert np.array_equal(np.array(image.getpalette(), dtype=np.uint8).reshape(-1, 3), minivoc.palette())
        np.testing.assert_array_equal(np.asarray(image), one.indices)
    classes = read(small_set / "SegmentationClass" / "train_0002.png")
    tree = ElementTree.parse(small_set / "Annotations" / "train_0002.xml")
    assert [child.tag for child in tree.getroot()][:5] == [
        "folder",
        "filename",
        "source",
        "size",
        "segmented",
    ]
    assert (tree.findtext("size/height"), tree.findtext("size/width")) == tuple(map(str, one.indices.shape))
    for number, (thing, node) in enumerate(zip(one.objects, tree.findall("object"), strict=True), start=1):
        assert [child.tag for child in node] == ["name", "pose", "truncated", "difficult", "bndbox"]
        assert node.findtext("name") == thing.name
        assert set(classes[one.indices == number].tolist()) == {VOC_CLASSES.index(thing.name) + 1}
        left, top, right, bottom = (
            int(node.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax")
        )
        assert (left - 1, top - 1, right, bottom) == thing.box, "1-based, both ends included"
    np.testing.assert_array_equal(classes == 255, one.indices == 255)
    np.testing.assert_array_equal(classes == 0, one.indices == 0)


def test_workers_draw_the_same_files(small_set: Path, tmp_path: Path) -> None:
    other = minivoc.draw(tmp_path / "two", seed=3, train=1, val=1, workers=2, progress=False)
    for relative in (
        "JPEGImages/val_0000.jpg",
        "SegmentationObject/train_0000.png",
        "Annotations/val_0000.xml",
    ):
        assert (other / relative).read_bytes() == (small_set / relative).read_bytes()


def test_draw_overwrites_only_when_asked_and_only_a_drawn_set(small_set: Path, tmp_path: Path) -> None:
    before = sorted(path.stat().st_mtime_ns for path in small_set.rglob("*"))
    with pytest.raises(LessonsError, match=r"mini set ä.*overwrite=True"):
        minivoc.draw(small_set, train=1, val=0, progress=False)
    assert sorted(path.stat().st_mtime_ns for path in small_set.rglob("*")) == before
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with pytest.raises(LessonsError, match="thesis"):
        minivoc.draw(tmp_path / "thesis", train=1, val=0, overwrite=True, progress=False)
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "years of work"
    again = minivoc.draw(tmp_path / "set", train=1, val=0, progress=False)
    for own in ("notes.txt", "JPEGImages/mine.tif", "mine/photo.jpg"):
        (again / own).parent.mkdir(exist_ok=True)
        (again / own).write_text("mine")
        with pytest.raises(LessonsError, match="is not replaced"):
            minivoc.draw(again, train=1, val=0, overwrite=True, progress=False)
        (again / own).unlink()
    (again / "mine").rmdir()
    readme = (again / "README.md").read_text()
    (again / "README.md").write_text("# My own VOC set")
    with pytest.raises(LessonsError, match="is not replaced"):
        minivoc.draw(again, train=1, val=0, overwrite=True, progress=False)
    (again / "README.md").write_text(readme)
    minivoc.draw(again, seed=5, train=0, val=1, overwrite=True, progress=False)
    assert [path.name for path in (again / "JPEGImages").iterdir()] == ["val_0000.jpg"]


def test_draw_stopped_halfway_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(root: Path, seed: int, task: tuple[str, int]) -> None:
        raise KeyboardInterrupt

    old = minivoc.draw(tmp_path / "set", train=1, val=0, progress=False)
    content = (old / "JPEGImages" / "train_0000.jpg").read_bytes()
    monkeypatch.setattr(writing, "_draw_one", stop)
    with pytest.raises(KeyboardInterrupt):
        minivoc.draw(tmp_path / "new", train=1, val=0, progress=False)
    with pytest.raises(KeyboardInterrupt):
        minivoc.draw(old, seed=9, train=1, val=0, overwrite=True, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert (old / "JPEGImages" / "train_0000.jpg").read_bytes() == content


@pytest.mark.parametrize("wrong", [{"train": -1}, {"train": 0, "val": 0}, {"seed": -1}, {"workers": 0}])
def test_draw_names_numbers_out_of_range(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(LessonsError, match=next(iter(wrong))):
        minivoc.draw(tmp_path / "set", progress=False, **wrong)
    assert not any(tmp_path.iterdir())


# the set that ships ---------------------------------------------------------------------------------------


def test_root_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LESSONS_DATA", str(tmp_path))
    with pytest.raises(DataError, match="minivoc"):
        minivoc.root()


def test_shipped_set_is_whole_and_small() -> None:
    root = minivoc.root()
    for folder, suffix in FOLDERS.items():
        assert Counter(path.suffix for path in (root / folder).iterdir()) == {suffix: sum(SHIPPED.values())}
    for split, count in SHIPPED.items():
        assert len((root / "ImageSets" / "Segmentation" / f"{split}.txt").read_text().split()) == count
    assert sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) < 12e6
    assert f"seed {minivoc.SEED}" in (root / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("split", "index"), [("train", 0), ("train", 311), ("val", 149)])
def test_shipped_set_can_be_drawn_again(split: str, index: int) -> None:
    root, name, one = minivoc.root(), f"{split}_{index:04d}", draw_image(minivoc.SEED, split, index)
    np.testing.assert_array_equal(read(root / "SegmentationObject" / f"{name}.png"), one.indices)
    assert (root / "Annotations" / f"{name}.xml").read_bytes() == writing.annotation(name, one)
    difference = np.abs(read(root / "JPEGImages" / f"{name}.jpg").astype(int) - one.picture)
    assert difference.mean() < 4, "the picture differs by no more than the JPEG's loss"


def test_shipped_set_has_the_variety_it_promises() -> None:
    sizes, lengths, counts, classes, flags = set(), [], [], Counter(), Counter()
    for path in sorted((minivoc.root() / "Annotations").iterdir()):
        tree = ElementTree.parse(path)
        sizes.add((int(tree.findtext("size/height")), int(tree.findtext("size/width"))))
        counts.append(len(tree.findall("object")))
        for node in tree.findall("object"):
            classes[node.findtext("name")] += 1
            flags.update(tag for tag in ("truncated", "difficult") if node.findtext(tag) == "1")
            left, top, right, bottom = (int(child.text) for child in node.find("bndbox"))
            lengths.append(max(right - left, bottom - top) + 1)
    objects = sum(classes.values())
    assert len(sizes) > 300 and all(192 <= side <= 256 for size in sizes for side in size)
    assert set(classes) == set(minivoc.CLASSES) <= set(VOC_CLASSES) and len(classes) == 12
    assert max(classes.values()) < 3 * min(classes.values())
    assert min(counts) == 1 and counts.count(1) > 75 and max(counts) >= 12 and 3 <= np.mean(counts) <= 4
    assert min(lengths) <= 9 and max(lengths) >= 220
    assert 0.1 < flags["truncated"] / objects < 0.4 and 0.01 < flags["difficult"] / objects < 0.15


@pytest.mark.parametrize("split", SHIPPED)
def test_shipped_set_loads(split: str) -> None:
    voc = VOCInstances(minivoc.root(), split)
    assert len(voc) == SHIPPED[split]
    for position in (0, 17, len(voc) - 1):
        image, target = voc[position]
        assert image.shape[1:] == target["masks"].shape[1:] == target["ignore"].shape
        assert len(target["labels"]) > 0 and target["masks"].flatten(1).any(1).all()
        assert not (target["masks"].any(0) & target["ignore"]).any()
        names = {voc.classes[label - 1] for label in target["labels"].tolist()}
        assert names <= set(minivoc.CLASSES)
        inner, outer = target["boxes"], target["boxes_xml"]
        assert (outer[:, :2] <= inner[:, :2]).all() and (outer[:, 2:] >= inner[:, 2:]).all()


def test_shipped_set_has_nothing_to_complain_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LESSONS_CACHE", str(tmp_path))
    report = VOCInstances(minivoc.root(), "val").check(workers=1, progress=False)
    assert not report.problems
