"""CocoInstances: polygons, run lengths, crowds; odd ids and names; and out again."""

import json
import pickle

import pytest
import torch
from pycocotools.coco import COCO
from tiny_sets import SIZE, coco_json, one_annotation, one_image, write_coco

from lessons import boxes, masks
from lessons.data import CocoInstances
from lessons.errors import DataError, LessonsError

SQUARE = torch.zeros(SIZE, dtype=torch.bool)
SQUARE[3:9, 4:10] = True


def dataset(tmp_path, *annotations, images=None, **options):
    images = [one_image()] if images is None else images
    return CocoInstances(*write_coco(tmp_path, coco_json(images, list(annotations))), **options)


def kinds(report):
    return [problem.kind for problem in report.problems]


def test_contract(tmp_path):
    coco = dataset(tmp_path, one_annotation())
    image, target = coco[0]
    assert image.shape == (3, *SIZE) and image.dtype == torch.float32 and 0 <= image.min() <= image.max() <= 1
    assert target["boxes"].tolist() == [[4, 3, 10, 9]] and target["boxes"].dtype == torch.float32
    assert torch.equal(target["masks"], SQUARE[None])
    assert target["area"].tolist() == [36] and target["image_id"] == 1 and target["iscrowd"].tolist() == [0]
    assert coco.classes == ("cat", "dog") and coco.category_ids == (3, 7)
    assert target["labels"].tolist() == [2] and target["labels"].dtype == torch.int64
    assert coco.ids == [1] and coco.index(1) == coco.index("a.png") == 0 and len(coco) == 1
    assert coco.check(progress=False).ok


@pytest.mark.parametrize("compressed", [True, False])
def test_run_lengths_and_crowds(tmp_path, compressed):
    rle = masks.encode_rle(SQUARE[None])[0]
    if not compressed:
        columns = SQUARE.T.flatten().int()
        changes = (columns.diff() != 0).nonzero().flatten() + 1
        ends = torch.cat([torch.tensor([0]), changes, torch.tensor([len(columns)])])
        rle = {"size": list(SIZE), "counts": ends.diff().tolist()}
    coco = dataset(tmp_path, one_annotation(), one_annotation(id=2, segmentation=rle, iscrowd=1))
    target = coco.read_target(0)
    assert torch.equal(target["masks"], torch.stack([SQUARE, SQUARE]))
    assert target["iscrowd"].tolist() == [0, 1]


def test_empty_images_are_kept_or_not(tmp_path):
    images = [one_image(), one_image(id=5, file_name="b.png")]
    coco = dataset(tmp_path, one_annotation(), images=images)
    target = coco.read_target(1)
    assert target["boxes"].shape == (0, 4) and target["masks"].shape == (0, *SIZE)
    assert target["labels"].dtype == target["iscrowd"].dtype == torch.int64
    assert coco.ids == [1, 5] and dataset(
        tmp_path / "b", one_annotation(), images=images, keep_empty=False
    ).ids == [1]


def test_no_bbox_and_degenerate_polygons(tmp_path):
    first = one_annotation(segmentation=[[1, 1, 5, 5], *one_annotation()["segmentation"]])
    del first["bbox"]
    coco = dataset(tmp_path, first, one_annotation(id=2, segmentation=[[1, 1, 2, 2]]), boxes="json")
    target = coco.read_target(0)
    assert target["boxes"].tolist() == [
        [4, 3, 10, 9]
    ]  # the mask's, where there is no bbox; the empty one left out
    report = coco.check(progress=False)
    assert kinds(report) == ["degenerate polygon", "degenerate polygon", "empty mask"] and not report.ok


def test_boxes_of_the_json(tmp_path):
    annotation = one_annotation(bbox=[4.5, 3, 5, 5.5])
    assert dataset(tmp_path / "a", annotation, boxes="json").read_target(0)["boxes"].tolist() == [
        [4.5, 3, 9.5, 8.5]
    ]
    assert dataset(tmp_path / "b", annotation).read_target(0)["boxes"].tolist() == [[4, 3, 10, 9]]
    with pytest.raises(LessonsError, match="boxes is 'xml'"):
        dataset(tmp_path / "c", annotation, boxes="xml")


def test_size_comes_from_the_picture_if_the_json_has_none(tmp_path):
    image = one_image()
    del image["height"]
    coco = dataset(tmp_path, one_annotation(), images=[image])
    assert coco.sizes() == [SIZE] and coco.aspect_ratios() == [SIZE[0] / SIZE[1]]
    assert kinds(coco.check(progress=False)) == ["no size"] and coco.check(progress=False).ok


@pytest.mark.parametrize("name", ["train/ä b/x y.png", "train\\ä b\\x y.png"])
def test_sub_folders(tmp_path, name):
    content = coco_json([one_image(file_name=name)], [one_annotation()])
    coco = CocoInstances(*write_coco(tmp_path / "süd folder", content, (name.replace("\\", "/"),)))
    assert coco[0][0].shape == (3, *SIZE) and coco.check(progress=False).ok


@pytest.mark.parametrize(
    "name", ["../secret.png", "/etc/secret.png", "a/../../secret.png", "..\\secret.png", "C:\\a.png"]
)
def test_names_that_lead_out_are_refused(tmp_path, name):
    coco = dataset(tmp_path, one_annotation(), images=[one_image(file_name=name)])
    with pytest.raises(DataError, match=r"leads out of .*instances|instances\.json.*leads out of"):
        coco[0]
    assert kinds(coco.check(progress=False)) == ["bad file name"]
    assert len(coco.read_target(0)["boxes"]) == 1  # the annotation is none the worse


def test_odd_ids_are_listed_and_the_rest_is_read(tmp_path):
    nameless = one_annotation()
    del nameless["id"]
    images = [one_image(), one_image(file_name="b.png"), {"file_name": "c.png"}, "nonsense"]
    strays = [one_annotation(id=9, image_id=4), one_annotation(id=10, image_id=None), 3]
    coco = dataset(tmp_path, one_annotation(), one_annotation(), nameless, *strays, images=images)
    assert coco.ids == [1] and len(coco.read_target(0)["labels"]) == 3
    report = coco.check(progress=False)
    assert sorted(kinds(report)) == ["duplicate id"] * 2 + ["missing id"] * 3 + ["unknown image"] * 3
    assert all("instances.json" in problem.message for problem in report.problems)
    assert "b.png" in str(report) and "c.png" in str(report)


@pytest.mark.parametrize(
    "changes, kind, words",
    [
        ({"category_id": 5}, "unknown class", "category 5"),
        ({"category_id": None}, "unknown class", "category None"),
        ({"segmentation": None}, "bad mask", "no segmentation"),
        ({"segmentation": [[1, 2, 3]]}, "bad mask", "polygon"),
        ({"segmentation": {"size": [3, 3], "counts": "9"}}, "bad mask", "size"),
        ({"segmentation": {"size": list(SIZE), "counts": "9"}}, "bad mask", "run lengths"),
        ({"segmentation": {"size": 5, "counts": "9"}}, "bad mask", "size"),
    ],
)
def test_annotation_that_cannot_be_used(tmp_path, changes, kind, words):
    coco = dataset(tmp_path, one_annotation(id=41, **changes))
    with pytest.raises(DataError, match=rf"instances\.json: annotation 41 .*{words}"):
        coco[0]
    report = coco.check(progress=False)
    assert kinds(report) == [kind] and not report.ok and words in str(report)


@pytest.mark.parametrize("bbox", [[1, 2, 3], [1, 2, 0, 4], [1, 2, -3, 4], "box", [1, 2, None, 4]])
def test_bad_bbox_matters_only_where_it_is_used(tmp_path, bbox):
    content = coco_json([one_image()], [one_annotation(bbox=bbox)])
    files = write_coco(tmp_path, content)
    assert CocoInstances(*files)[0][1]["boxes"].tolist() == [[4, 3, 10, 9]]
    assert kinds(CocoInstances(*files).check(progress=False)) == ["bad box"]
    with pytest.raises(DataError, match=r"annotation 1 .*bbox"):
        CocoInstances(*files, boxes="json")[0]


@pytest.mark.parametrize(
    "content, words",
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", 'no list "images"'),
        ('{"images": [], "categories": []}', 'no list "annotations"'),
        ('{"images": {}, "annotations": [], "categories": []}', 'no list "images"'),
        (json.dumps({"images": [], "annotations": [], "categories": []}), "no categories"),
        (json.dumps(coco_json([], [], [{"id": 1}])), "lacks id or name"),
        (json.dumps(coco_json([], [], [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}])), "category 1 twice"),
    ],
)
def test_bad_json_is_named(tmp_path, content, words):
    files = write_coco(tmp_path, content, ())
    with pytest.raises(DataError, match=rf"instances\.json.*{words}"):
        CocoInstances(*files)


def test_missing_json_and_missing_picture(tmp_path):
    with pytest.raises(DataError, match=r"none\.json is missing"):
        CocoInstances(tmp_path, tmp_path / "none.json")
    coco = dataset(tmp_path, one_annotation(), images=[one_image(file_name="gone.png")])
    with pytest.raises(DataError, match=r"gone\.png is missing"):
        coco[0]
    assert kinds(coco.check(progress=False)) == ["missing file"]


def test_picture_of_another_size(tmp_path):
    coco = dataset(tmp_path, one_annotation(), images=[one_image(height=21)])
    with pytest.raises(DataError, match=r"a\.png has 20×30 pixels .*21×30"):
        coco[0]
    assert kinds(coco.check(progress=False)) == ["size mismatch"]


def test_transform_pickle_and_position(tmp_path):
    coco = dataset(tmp_path, one_annotation(), transform=flip)
    again = pickle.loads(pickle.dumps(coco))
    assert again[0][1]["boxes"].tolist() == [[20, 3, 26, 9]] and coco[-1][1]["image_id"] == 1
    with pytest.raises(IndexError):
        coco[1]
    with pytest.raises(LessonsError, match="'zebra' is no image"):
        coco.index("zebra")


def flip(image, target):
    return image.flip(-1), {**target, "boxes": boxes.flip(target["boxes"], image.shape[-1])}


def test_round_trip_and_pycocotools(tmp_path):
    crowd = {"size": list(SIZE), "counts": [50, 60, 490]}
    coco = dataset(
        tmp_path, one_annotation(id=0), one_annotation(id=0, category_id=3, segmentation=crowd, iscrowd=1)
    )
    content = json.loads(json.dumps(coco.to_coco()))
    assert [one["id"] for one in content["annotations"]] == [1, 2]
    path = tmp_path / "again.json"
    path.write_text(json.dumps(content))
    again = CocoInstances(tmp_path / "images", path)
    (_, before), (_, after) = coco[0], again[0]
    assert before.keys() == after.keys() and again.check(progress=False).ok
    for key in before.keys() - {"image_id"}:
        assert torch.equal(before[key], after[key]), key
    theirs = COCO(str(path))
    assert torch.equal(torch.from_numpy(theirs.annToMask(theirs.anns[1])).bool(), before["masks"][0])
    assert theirs.anns[1]["bbox"] == [4, 3, 6, 6] and theirs.anns[2]["category_id"] == 3


@pytest.mark.real
@pytest.mark.parametrize("split, images, objects", [("train", 64, 616), ("val", 32, 315)])
def test_nuclei(real_data, split, images, objects):
    coco = CocoInstances(real_data / "nuclei" / "images", real_data / "nuclei" / f"instances_{split}.json")
    report = coco.check(progress=False)
    assert (report.images, report.objects, report.instances) == (images, objects, objects) and report.ok, (
        report
    )
    assert sum(len(coco[i][1]["labels"]) for i in range(8)) == sum(len(coco.annotations(i)) for i in range(8))


@pytest.mark.real
def test_coco_without_pictures_agrees_with_pycocotools(real_data, tmp_path):
    path = real_data / "coco100" / "instances_val2014_100.json"
    coco, theirs = CocoInstances(tmp_path, path), COCO(str(path))
    assert len(coco.classes) == 80 and coco.category_ids[-1] == 90
    for position in range(0, len(coco), 7):
        target = coco.read_target(position)
        annotations = theirs.imgToAnns[target["image_id"]]
        assert target["iscrowd"].tolist() == [one["iscrowd"] for one in annotations]
        for mask, label, one in zip(target["masks"], target["labels"].tolist(), annotations, strict=True):
            assert coco.category_ids[label - 1] == one["category_id"]
            assert torch.equal(mask, torch.from_numpy(theirs.annToMask(one)).bool())


def test_a_file_without_images_is_refused(tmp_path):
    with pytest.raises(DataError, match="lists no images"):
        dataset(tmp_path, images=[])


def test_the_folder_itself_is_no_picture(tmp_path):
    with pytest.raises(DataError, match="leads out"):
        dataset(tmp_path, images=[{**one_image(), "file_name": "."}]).file_name(0)


@pytest.mark.parametrize("bbox", [[1, 1, 10**400, 1], [1, 1, 1e300, 1], [float("nan"), 1, 1, 1]])
def test_a_box_beyond_all_pictures_is_listed(tmp_path, bbox):
    report = dataset(tmp_path, {**one_annotation(), "bbox": bbox}).check(progress=False)
    assert "bad box" in kinds(report)


def test_a_name_too_long_for_any_file_is_listed(tmp_path):
    report = dataset(tmp_path, images=[{**one_image(), "file_name": "a" * 300 + ".png"}]).check(
        progress=False
    )
    assert not report.ok and len(report.problems) == 1


@pytest.mark.parametrize("height", [10**400, 2**31])
def test_a_height_beyond_all_pictures_is_not_believed(tmp_path, height):
    coco = dataset(tmp_path, images=[{**one_image(), "height": height}])
    assert coco.sizes() == [SIZE]  # the picture's own


def test_a_polygon_of_numbers_too_long_is_refused(tmp_path):
    polygon = [[10**400, 1, 5, 1, 5, 5]]
    report = dataset(tmp_path, {**one_annotation(), "segmentation": polygon}).check(progress=False)
    assert not report.ok
