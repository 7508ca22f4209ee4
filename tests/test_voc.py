"""VOCInstances on sets of a few pixels: the contract, the lists, the cache, the way out to COCO."""

import json
import os
import pickle
import threading
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools.coco import COCO
from tiny_sets import SIZE, TinyVOC, annotation_xml, indices_of, object_xml, write_mask

from lessons import boxes
from lessons.data import VOC_CLASSES, CocoInstances, VOCInstances, size_cache
from lessons.errors import DataError, LessonsError


@pytest.fixture
def voc(tmp_path):
    return TinyVOC(tmp_path / "VOC2012")


def flip(image, target):
    return image.flip(-1), {**target, "boxes": boxes.flip(target["boxes"], image.shape[-1])}


def test_contract(voc):
    indices = indices_of((4, 3, 10, 9), (0, 0, 2, 2), (20, 5, 21, 6))
    indices[3:9, 10] = 255
    objects = (
        object_xml(difficult=1),
        object_xml("aeroplane", truncated=1),
        object_xml("tvmonitor", (21, 6, 21, 6)),
    )
    voc.add("a", indices, objects)
    image, target = VOCInstances(voc.root, "train")[0]
    assert image.shape == (3, *SIZE) and image.dtype == torch.float32 and 0 <= image.min() < image.max() <= 1
    assert target["boxes"].tolist() == [[4, 3, 10, 9], [0, 0, 2, 2], [20, 5, 21, 6]]  # one pixel is one wide
    assert target["boxes_xml"].tolist() == [[4, 3, 10, 9], [4, 3, 10, 9], [20, 5, 21, 6]]
    assert target["labels"].tolist() == [12, 1, 20] and target["instances"].tolist() == [1, 2, 3]
    assert target["area"].tolist() == [36, 4, 1] and target["image_id"] == 0
    assert target["difficult"].tolist() == [True, False, False]
    assert target["truncated"].tolist() == [False, True, False]
    assert target["iscrowd"].tolist() == [0, 0, 0]
    assert target["ignore"].sum() == 6 and not (target["masks"] & target["ignore"]).any()
    assert (target["masks"] * target["instances"][:, None, None]).sum(0).tolist() == np.where(
        indices == 255, 0, indices
    ).tolist()
    types = {key: value.dtype for key, value in target.items() if key != "image_id"}
    assert types == {
        "boxes": torch.float32, "labels": torch.int64, "masks": torch.bool, "area": torch.float32,
        "iscrowd": torch.int64, "boxes_xml": torch.float32, "ignore": torch.bool, "difficult": torch.bool,
        "truncated": torch.bool, "instances": torch.int64,
    }  # fmt: skip


def test_twenty_classes_and_none_is_zero():
    assert len(VOC_CLASSES) == len(set(VOC_CLASSES)) == 20 and VOC_CLASSES[0] == "aeroplane"


def test_image_without_objects(voc):
    voc.add("a", np.zeros(SIZE, dtype=np.uint8), ())
    dataset = VOCInstances(voc.root, "train")
    target = dataset[0][1]
    assert target["boxes"].shape == target["boxes_xml"].shape == (0, 4) and target["masks"].shape == (
        0,
        *SIZE,
    )
    assert target["labels"].shape == target["difficult"].shape == target["area"].shape == (0,)
    assert target["labels"].dtype == torch.int64 and target["difficult"].dtype == torch.bool
    assert dataset.check(progress=False).problems == ()


def test_targets_are_new_each_time(voc):
    dataset = VOCInstances(voc.add().root, "train")
    for value in (dataset[0][0], *(v for v in dataset[0][1].values() if isinstance(v, torch.Tensor))):
        value.zero_()
    assert dataset[0][1]["boxes"].tolist() == [[4, 3, 10, 9]] and dataset[0][0].any()


def test_boxes_of_the_xml(voc):
    voc.add(objects=(object_xml(box=(4.5, 4, 11, 9)),))
    assert VOCInstances(voc.root, "train", boxes="xml")[0][1]["boxes"].tolist() == [[3.5, 3, 11, 9]]


def test_object_without_instance_is_left_out_and_noted(voc):
    voc.add(indices=indices_of((0, 0, 0, 0), (4, 3, 10, 9)), objects=(object_xml("cat"), object_xml("dog")))
    dataset = VOCInstances(voc.root, "train")
    assert dataset[0][1]["labels"].tolist() == [12] and dataset[0][1]["instances"].tolist() == [2]
    report = dataset.check(progress=False)
    assert [(p.kind, p.severity) for p in report.problems] == [
        ("object without instance", "note")
    ] and report.ok


def test_instance_without_object_can_be_ignored(voc):
    voc.add(indices=indices_of((4, 3, 10, 9), (12, 0, 14, 2)))
    target = VOCInstances(voc.root, "train", unlabelled="ignore")[0][1]
    assert target["instances"].tolist() == [1] and target["ignore"].sum() == 4 and target["ignore"][0, 12]
    report = VOCInstances(voc.root, "train", unlabelled="ignore").check(progress=False)
    assert report.ok and [p.kind for p in report.problems] == ["instance without object"]


def test_own_classes(voc):
    voc.add(objects=(object_xml("Bär"),))
    assert VOCInstances(voc.root, "train", classes=["fox", "Bär"])[0][1]["labels"].tolist() == [2]


@pytest.mark.parametrize("where", ["VOCdevkit/VOC2012", "VOCdevkit/VOC2007", "VOC2007", "."])
def test_root_may_be_further_up(tmp_path, where):
    TinyVOC(tmp_path / where).add()
    assert len(VOCInstances(str(tmp_path), "train")) == 1


@pytest.mark.parametrize(
    "text, ids",
    [
        ("a\r\nb\r\n", ["a", "b"]),
        ("\ufeff a \t\n\n  \nb", ["a", "b"]),
        ("a  1\nb -1\n", ["a"]),
        ("a 0\nb 1", ["a", "b"]),
        ("ein bild\nschön\n", ["ein bild", "schön"]),
        ("photo 1\n", ["photo 1"]),
    ],
)
def test_lists(voc, text, ids):
    for name in ("a", "b", "ein bild", "schön", "photo 1"):
        voc.add(name)
    voc.list().write_text(text, encoding="utf-8", newline="")
    assert VOCInstances(voc.root, "train").ids == ids


def test_other_endings_and_folders_with_blanks(tmp_path):
    voc = TinyVOC(tmp_path / "münze und bild" / "VOC 2012").add("ä b")
    Image.open(voc.image("ä b")).save(voc.root / "JPEGImages" / "ä b.png")
    voc.image("ä b").unlink()
    dataset = VOCInstances(voc.root, "train")
    assert dataset[0][0].shape == (3, *SIZE) and dataset.check(progress=False).ok
    assert dataset.to_coco()["images"][0]["file_name"] == "ä b.png"


def test_index_subset_and_positions(voc):
    for name in "abc":
        voc.add(name)
    dataset = VOCInstances(voc.root, "train")
    part = dataset.subset(["c", "a"])
    assert (
        part.ids == ["c", "a"] and part.index("a") == 1 and part[1][1]["image_id"] == 1 and len(dataset) == 3
    )
    assert torch.equal(part[0][0], dataset[2][0]) and dataset[-1][1]["image_id"] == 2
    with pytest.raises(IndexError):
        dataset[3]
    for wrong in (["d"], ["a", "a"]):
        with pytest.raises(LessonsError):
            dataset.subset(wrong)


def test_transform_and_pickle(voc):
    dataset = VOCInstances(voc.add().root, "train", transform=flip)
    dataset[0]
    again = pickle.loads(pickle.dumps(dataset))
    assert again[0][1]["boxes"].tolist() == [[20, 3, 26, 9]]
    assert again.read_target(0)["boxes"].tolist() == [[4, 3, 10, 9]]


def test_reading_from_threads(voc):
    for name in "abcd":
        voc.add(name)
    dataset, results = VOCInstances(voc.root, "train"), {}
    expected = [dataset[i][0].sum() for i in range(4)]
    fresh = VOCInstances(voc.root, "train")

    def read(worker):
        results[worker] = [fresh[i][0].sum() for i in range(4)]

    threads = [threading.Thread(target=read, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(results[worker] == expected for worker in range(4))


def test_xml_is_read_once_and_again_when_it_changes(voc, monkeypatch):
    dataset = VOCInstances(voc.add().root, "train")
    dataset[0]
    with monkeypatch.context() as patch:
        patch.setattr("lessons.data.voc.read_annotation", lambda path: pytest.fail("read twice"))
        dataset[0]
    voc.xml("a").write_text(annotation_xml(object_xml("sheep")))
    assert dataset[0][1]["labels"].tolist() == [17]


# The cache of sizes


def cache_file(dataset):
    return size_cache.cache_path(dataset.root, dataset.split)


def never(*arguments):
    pytest.fail("read a header again")


def test_sizes_are_kept(voc, monkeypatch):
    voc.add("a").add("b", np.zeros((30, 12), dtype=np.uint8), ())
    before = sorted(voc.root.rglob("*"))
    dataset = VOCInstances(voc.root, "train")
    assert dataset.sizes() == [SIZE, (30, 12)] and dataset.aspect_ratios() == [20 / 30, 30 / 12]
    assert cache_file(dataset).exists() and sorted(voc.root.rglob("*")) == before
    monkeypatch.setattr("lessons.data.voc.stored_and_turned_size", never)
    assert VOCInstances(voc.root, "train").sizes() == [SIZE, (30, 12)]


def test_check_keeps_sizes_too(voc, monkeypatch):
    report = VOCInstances(voc.add().root, "train").check(progress=False)
    monkeypatch.setattr("lessons.data.voc.stored_and_turned_size", never)
    assert report.aspect_ratios == tuple(VOCInstances(voc.root, "train").aspect_ratios())


def test_changed_picture_is_measured_again(voc):
    dataset = VOCInstances(voc.add().root, "train")
    assert dataset.sizes() == [SIZE]
    Image.new("RGB", (11, 7)).save(voc.image("a"))
    assert dataset.sizes() == [(7, 11)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: "",
        lambda content: "{",
        lambda content: "[" * 50_000,
        lambda content: "[1]",
        lambda content: "null",
        lambda content: content.replace('"format": 1', '"format": 0'),
        lambda content: content.replace('"split": "train"', '"split": "val"'),
        lambda content: content.replace("[20, 30,", '["20", 30,'),
        lambda content: content.replace("[20, 30,", "[-20, 30,"),
        lambda content: content.replace("[20, 30,", "[20, 30.5,"),
        lambda content: content.replace("[20, 30,", "[[], 30,"),
        lambda content: content.replace("[20, 30,", "["),
    ],
)
def test_damaged_cache_is_made_anew(voc, damage):
    dataset = VOCInstances(voc.add().root, "train")
    dataset.sizes()
    whole = cache_file(dataset).read_text()
    assert damage(whole) != whole
    cache_file(dataset).write_text(damage(whole))
    assert dataset.sizes() == [SIZE]
    assert json.loads(cache_file(dataset).read_text()) == json.loads(whole)


def test_subset_adds_to_the_cache(voc):
    dataset = VOCInstances(voc.add("a").add("b").root, "train")
    dataset.subset(["a"]).sizes()
    dataset.subset(["b"]).sizes()
    assert set(json.loads(cache_file(dataset).read_text())["sizes"]) == {"a", "b"}


# EXIF


def turned_picture(voc, mask_size):
    """A picture stored 20×30 that says "turn me by a quarter"."""
    voc.add(indices=np.zeros(mask_size, dtype=np.uint8), objects=(), size=SIZE)
    voc.xml("a").write_text(annotation_xml(size=mask_size))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(voc.image("a")).save(voc.image("a"), exif=exif)
    return VOCInstances(voc.root, "train")


@pytest.mark.parametrize("mask_size", [SIZE, SIZE[::-1]])
def test_orientation_follows_the_mask(voc, mask_size):
    dataset = turned_picture(voc, mask_size)
    assert dataset[0][0].shape[1:] == mask_size and dataset.sizes() == [mask_size]
    report = dataset.check(progress=False)
    assert [(p.kind, p.severity) for p in report.problems] == [("EXIF orientation", "note")]
    write_mask(voc.mask("a"), np.zeros(mask_size[::-1], dtype=np.uint8))  # the kept size depends on the mask
    assert dataset.sizes() == [mask_size[::-1]]


@pytest.mark.parametrize(
    ("size", "orientation", "noted"), [((20, 30), 3, True), ((20, 20), 6, True), ((20, 30), 1, False)]
)
def test_a_turn_that_no_size_confirms_is_noted(voc, size, orientation, noted):
    voc.add(indices=np.zeros(size, dtype=np.uint8), objects=(), size=size)
    voc.xml("a").write_text(annotation_xml(size=size))
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.open(voc.image("a")).save(voc.image("a"), exif=exif)
    report = VOCInstances(voc.root, "train").check(progress=False)
    assert [(p.kind, p.severity) for p in report.problems] == [("EXIF orientation", "note")] * noted
    assert report.ok and all("compare picture and mask" in p.message for p in report.problems)


def test_a_box_outside_the_picture_is_an_error(voc):
    voc.add(indices=np.zeros(SIZE, dtype=np.uint8), objects=(), size=SIZE)
    voc.xml("a").write_text(annotation_xml(object_xml("dog", (100, 5, 120, 9)), size=SIZE))
    report = VOCInstances(voc.root, "train").check(progress=False)
    assert "bad box" in [p.kind for p in report.problems] and not report.ok


# Out to COCO


def test_to_coco_opens_in_pycocotools(voc, tmp_path):
    indices = indices_of((4, 3, 10, 9), (0, 0, 2, 2))
    voc.add("a", indices, (object_xml("dog", difficult=1), object_xml("cat")))
    voc.add("b", np.zeros(SIZE, dtype=np.uint8), ())
    dataset = VOCInstances(voc.root, "train")
    path = tmp_path / "voc.json"
    path.write_text(json.dumps(dataset.to_coco()))
    theirs = COCO(str(path))
    assert theirs.getCatIds() == list(range(1, 21)) and theirs.getImgIds() == [0, 1]
    assert [c["name"] for c in theirs.loadCats(range(1, 21))] == list(VOC_CLASSES)
    first, second = theirs.loadAnns(theirs.getAnnIds(imgIds=0))
    assert (
        first["id"] == 1 and first["bbox"] == [4, 3, 6, 6] and first["area"] == 36 and first["iscrowd"] == 0
    )
    assert (first["difficult"], second["difficult"]) == (1, 0) and second["category_id"] == 8
    assert (theirs.annToMask(first) == (indices == 1)).all()
    again = CocoInstances(voc.root / "JPEGImages", path)
    assert torch.equal(again[0][1]["masks"], dataset[0][1]["masks"])
    assert torch.equal(again[0][1]["labels"], dataset[0][1]["labels"]) and again.check(progress=False).ok


@pytest.mark.real
def test_voc2007(real_data):
    dataset = VOCInstances(real_data, "train")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = dataset.check(progress=False)
    assert report.ok and report.images == 20, report
    assert report.instances == report.objects == 60 and report.aspect_ratios == tuple(dataset.aspect_ratios())
    for position in range(len(dataset)):
        target = dataset.read_target(position)
        overlap = boxes.iou(target["boxes"], target["boxes_xml"])
        assert overlap.argmax(1).tolist() == list(
            range(len(overlap))
        )  # each mask lies in its own object's box
    assert np.mean([boxes.iou(t["boxes"], t["boxes_xml"]).diagonal().mean().item()
                    for t in map(dataset.read_target, range(20))]) > 0.8  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="names of this kind are not allowed on Windows")
def test_split_may_not_lead_elsewhere(voc):
    voc.add()
    for split in ("../Segmentation/train", "test", ""):
        with pytest.raises(DataError, match="choose a split that is there"):
            VOCInstances(voc.root, split)


def test_a_line_too_long_for_any_file_is_listed(voc):
    voc.add()
    (voc.root / "ImageSets" / "Segmentation" / "train.txt").write_text("a\n" + "b" * 400 + "\n")
    report = VOCInstances(voc.root, "train").check(progress=False)
    assert {problem.image for problem in report.problems} == {"b" * 400} and not report.ok
