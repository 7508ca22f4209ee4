"""COCO's average precision: by hand, by pycocotools, from files, predictions and data sets."""

import json

import numpy as np
import pytest
import torch
from evaluation_references import assert_same, by_their_tool
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_sets import SIZE, TinyVOC, coco_json, indices_of, object_xml, one_annotation, one_image, write_coco

from lessons import masks
from lessons.data import CocoInstances, VOCInstances
from lessons.errors import DataError, LessonsError
from lessons.evaluation import Truth, measure, measure_by_hand, scenes, to_entries, truth_of, write_results
from lessons.evaluation.average_precision import (
    AREA_RANGES,
    Scene,
    average_precision,
    curves,
    envelope,
    interpolate,
    judge,
    match,
    overlaps_of_boxes,
    overlaps_of_masks,
    precision_recall,
)
from lessons.evaluation.detections import detections_of

KINDS = ("masks", "boxes", "boundaries")
CANVAS = (112, 120)  # room for objects of all three sizes
CATEGORIES = (7, 3, 12)  # not in order


def rectangle(x: int, y: int, width: int, height: int, size=CANVAS) -> dict:
    mask = torch.zeros(1, *size, dtype=torch.bool)
    mask[0, y : y + height, x : x + width] = True
    return masks.encode_rle(mask)[0]


def truth_with(*annotations: dict, images: int = 1) -> Truth:
    numbered = [{"id": number, **one} for number, one in enumerate(annotations, start=1)]
    return Truth(dict.fromkeys(range(images), CANVAS), ("seven", "three", "twelve"), CATEGORIES, numbered)


def entry(box, image_id=0, category_id=7, **rest) -> dict:
    return {
        "image_id": image_id, "category_id": category_id, "bbox": list(box), "segmentation": rectangle(*box),
        **rest,
    }  # fmt: skip


def annotation(box, area=None, iscrowd=0, **rest) -> dict:
    return entry(box, area=float(box[2] * box[3]) if area is None else area, iscrowd=iscrowd, **rest)


# Corners on a coarse grid and scores from a short list: equal overlaps, exact thresholds and ties are common.
CORNER, SIDE = st.sampled_from([0, 8, 16, 24, 32]), st.sampled_from([0, 8, 16, 32, 40, 72])
BOX = st.tuples(CORNER, CORNER, SIDE, SIDE)
WHERE = {"image_id": st.integers(0, 2), "category_id": st.sampled_from(CATEGORIES[:2])}
OBJECT = st.builds(
    annotation,
    BOX,
    area=st.sampled_from([None, 1024.0, 9216.0, 20000.0]),
    iscrowd=st.sampled_from([0, 0, 0, 1]),
    **WHERE,
)
DETECTION = st.builds(entry, BOX, score=st.sampled_from([0.9, 0.5, 0.5, 0.25]), **WHERE)


@settings(deadline=None, max_examples=60)
@given(
    objects=st.lists(OBJECT, max_size=9),
    found=st.lists(DETECTION, max_size=12),
    kind=st.sampled_from(KINDS),
    most=st.sampled_from([1, 3, 100]),
)
def test_by_hand_equals_pycocotools(objects, found, kind, most):
    truth = truth_with(*objects, images=3)
    options = {"max_detections": most, "band_share": 0.03}
    assert_same(measure_by_hand(truth, found, kind, **options), measure(truth, found, kind, **options))


def test_files_give_what_their_tool_gives(tmp_path):
    first, second = one_image(), one_image(id=5, file_name="b.png")
    crowd = one_annotation(id=3, image_id=5, iscrowd=1, bbox=[0, 0, 30, 20], area=600.0)
    crowd["segmentation"] = masks.encode_rle(torch.ones(1, *SIZE, dtype=torch.bool))[0]
    objects = [
        one_annotation(area=36.0),
        one_annotation(id=2, category_id=3, area=2000.0),
        crowd,
        one_annotation(id=4, image_id=5, area=36.0),
    ]
    _, path = write_coco(tmp_path, coco_json([first, second], objects))
    found = [
        {"image_id": image, "category_id": category, "segmentation": rectangle(*box, SIZE), "score": score}
        for image, category, box, score in [
            (1, 7, (4, 3, 6, 6), 0.8),
            (1, 7, (4, 3, 6, 5), 0.9),
            (1, 3, (5, 3, 6, 6), 0.3),
            (5, 7, (4, 3, 5, 6), 0.3),
            (5, 7, (20, 10, 5, 5), 0.95),
            (5, 3, (20, 10, 5, 5), 0.4),
        ]
    ]
    write_results(tmp_path / "found.json", found)
    with pytest.raises(LessonsError, match=r"found\.json exists"):
        write_results(tmp_path / "found.json", found)
    for kind, theirs in (("masks", "segm"), ("boxes", "bbox")):
        stats = by_their_tool(path, tmp_path / "found.json", theirs)
        table = measure(path, tmp_path / "found.json", (kind,))
        numbers = [table.AP, table[kind].AP50, table[kind].AP75, table[kind].small, table[kind].medium]
        assert numbers == pytest.approx(stats[:5].tolist()) and 0 < table.AP < 1
        assert_same(table, measure_by_hand(path, tmp_path / "found.json", kind))
        assert_same(table, measure(CocoInstances(tmp_path / "images", path), found, kind))


# ---------------------------------------------------------------- step by step


def test_a_curve_by_hand():
    scores, correct = torch.tensor([0.3, 0.9, 0.8, 0.5]), torch.tensor([True, True, False, True])
    precision, recall = precision_recall(scores, correct, objects=4)
    assert precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3, 3 / 4])
    assert recall.tolist() == [0.25, 0.25, 0.5, 0.75]
    assert envelope(precision).tolist() == pytest.approx([1, 3 / 4, 3 / 4, 3 / 4])
    reading = interpolate(precision, recall)
    assert reading.shape == (101,)
    # 26 readings (0.00 to 0.25) at 1, 50 (to 0.75) at 3/4, and what was never reached at 0
    assert reading.tolist() == pytest.approx([1] * 26 + [0.75] * 50 + [0] * 25)


def test_of_equal_scores_the_earlier_comes_first():
    scores = torch.tensor([0.5, 0.5])
    assert precision_recall(scores, torch.tensor([True, False]), 1)[0].tolist() == [1, 0.5]
    assert precision_recall(scores, torch.tensor([False, True]), 1)[0].tolist() == [0, 0.5]


@pytest.mark.parametrize(
    "overlaps, ignored, crowd, threshold, expected",
    [
        ([[0.6, 0.9]], [0, 0], [0, 0], 0.5, [1]),  # the most overlap
        (
            [[0.9], [0.95]],
            [0],
            [0],
            0.5,
            [0, -1],
        ),  # the better score chooses first, and an object is taken once
        ([[0.9, 0.7], [0.8, 0.6]], [0, 0], [0, 0], 0.5, [0, 1]),  # what is taken is left
        ([[0.6, 0.9]], [0, 1], [0, 0], 0.5, [0]),  # rather less of one that is asked for
        ([[0.4, 0.9]], [0, 1], [0, 0], 0.5, [1]),  # but better an ignored one than none
        ([[0.9], [0.8]], [1], [1], 0.5, [0, 0]),  # a crowd is taken again and again
        ([[0.9], [0.8]], [1], [0], 0.5, [0, -1]),  # an object ignored for its size is not
        ([[0.5]], [0], [0], 0.5, [0]),  # the threshold itself is enough
        ([[0.49]], [0], [0], 0.5, [-1]),
        ([[0.7, 0.7]], [0, 0], [0, 0], 0.5, [1]),  # of equal ones the later
        ([[1 - 1e-11]], [0], [0], 1.0, [0]),  # rounding
        ([[], []], [], [], 0.5, [-1, -1]),
        ([], [0], [0], 0.5, []),
    ],
)
def test_rules_of_matching(overlaps, ignored, crowd, threshold, expected):
    ignored, crowd = torch.tensor(ignored, dtype=torch.bool), torch.tensor(crowd, dtype=torch.bool)
    rows = torch.tensor(overlaps, dtype=torch.float64).reshape(len(overlaps), len(ignored))
    assert match(rows, ignored, crowd, threshold).tolist() == expected


def test_overlaps_know_crowds_and_nothing():
    boxes = torch.tensor([[0, 0, 4, 4], [2, 0, 6, 4], [9, 9, 9, 9]])
    crowd = torch.tensor([False, True, False])
    expected = [[1, 0.5, 0], [1 / 3, 1, 0], [0, 0, 0]]
    overlaps = overlaps_of_boxes(boxes, boxes, crowd)
    assert overlaps.dtype == torch.float64 and torch.allclose(overlaps, torch.tensor(expected).double())
    drawn = torch.zeros(3, 10, 10, dtype=torch.bool)
    drawn[0, :4, :4] = drawn[1, :4, 2:6] = True
    assert torch.equal(overlaps_of_masks(drawn, drawn, crowd), overlaps)


def test_judging_by_size():
    # found: the small object, nothing (small), nothing (large), the crowd, the large object
    scene = Scene(
        overlaps=torch.tensor([[0.9, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0.8], [0, 0.9, 0]]).double(),
        scores=torch.tensor([0.9, 0.8, 0.7, 0.6, 0.5], dtype=torch.float64),
        areas=torch.tensor([100.0, 100, 10000, 100, 10000]),
        truth_areas=torch.tensor([100.0, 10000, 10000]),
        crowd=torch.tensor([False, False, True]),
    )  # fmt: skip
    correct, counted, objects = judge(scene, [0.5, 0.85], AREA_RANGES["all"])
    assert objects == 2
    assert correct.tolist() == [[1, 0, 0, 0, 1]] * 2
    assert counted.tolist() == [[1, 1, 1, 0, 1], [1, 1, 1, 1, 1]]  # 0.8 of the crowd, and less than 0.85
    correct, counted, objects = judge(scene, [0.5], AREA_RANGES["large"])
    assert objects == 1
    assert correct.tolist() == [[0, 0, 0, 0, 1]] and counted.tolist() == [[0, 0, 1, 0, 1]]
    assert average_precision([scene], 0.5, AREA_RANGES["large"]) == pytest.approx(0.5)


def test_scenes_are_what_the_curve_is_made_of():
    truth = truth_with(annotation((0, 0, 40, 40)), annotation((0, 0, 8, 8), category_id=3))
    found = [entry((0, 0, 8, 8), score=0.4), entry((0, 0, 40, 32), score=0.7)]
    by_class = scenes(truth, found, "boxes")
    assert [len(by_class[name]) for name in truth.classes] == [1, 1, 0]
    assert by_class["seven"][0].scores.tolist() == [0.7, 0.4]
    assert by_class["seven"][0].overlaps.tolist() == [[0.8], [0.04]]
    assert by_class["three"][0].overlaps.shape == (0, 1)
    readings, recall = curves(by_class["seven"], [0.8, 0.85])
    assert torch.equal(readings, torch.stack([torch.ones(101), torch.zeros(101)]).double())
    assert recall.tolist() == [1, 0]
    assert average_precision(by_class["seven"], 0.85) == 0 and np.isnan(
        average_precision(by_class["twelve"], 0.5)
    )


# ---------------------------------------------------------------- values at the edge


@pytest.mark.parametrize("measured", [measure, measure_by_hand])
def test_nothing_found(measured):
    table = measured(truth_with(annotation((0, 0, 40, 40))), [], KINDS)
    for kind in KINDS:
        one = table[kind]
        assert one.AP == one.AP50 == one.medium == one.AR == one.by_class["seven"] == 0
        assert np.isnan([one.small, one.large, one.by_class["three"]]).all()
    assert table.detections == 0 and table.objects == 1


@pytest.mark.parametrize("measured", [measure, measure_by_hand])
@pytest.mark.parametrize("objects", [[], [annotation((0, 0, 40, 40), iscrowd=1)]])
def test_nothing_to_find(measured, objects):
    table = measured(truth_with(*objects), [entry((0, 0, 8, 8), score=0.5)], KINDS)
    assert np.isnan(table.AP) and np.isnan(table["boxes"].precision).all() and table.objects == 0
    numbers = json.loads(json.dumps(table.as_dict(), allow_nan=False))
    assert numbers["masks"]["AP"] is None and numbers["masks"]["by_class"]["seven"] is None
    assert "–" in str(table) and "nan" not in str(table) + table._repr_html_()


@pytest.mark.parametrize("measured", [measure, measure_by_hand])
def test_no_images_at_all(measured):
    assert np.isnan(measured(truth_with(images=0), [], KINDS).AP)


def test_an_image_without_objects_still_costs(capsys):
    objects = [annotation((0, 0, 40, 40))]
    found = [entry((0, 0, 40, 40), score=0.5), entry((0, 0, 40, 40), image_id=1, score=0.9)]
    assert pytest.approx(1) == measure(truth_with(*objects, images=2), found[:1])["masks"].AP
    assert pytest.approx(0.5) == measure(truth_with(*objects, images=2), found)["masks"].AP
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("measured", [measure, measure_by_hand])
def test_only_the_best_so_many_of_an_image_count(measured):
    truth = truth_with(annotation((0, 0, 40, 40)))
    found = [entry((60, 60, 8, 8), score=0.9), entry((0, 0, 40, 40), score=0.5)]
    assert pytest.approx(0.5) == measured(truth, found, max_detections=2)["masks"].AP
    assert measured(truth, found, max_detections=1)["masks"].AP == 0


@pytest.mark.parametrize("measured", [measure, measure_by_hand])
def test_of_equal_scores_the_lower_image_id_comes_first(measured):
    truth = truth_with(annotation((0, 0, 40, 40), image_id=900))
    truth.sizes.update({900: CANVAS, 77: CANVAS})  # not in order
    found = [entry((0, 0, 40, 40), image_id=900, score=0.5), entry((0, 0, 40, 40), image_id=77, score=0.5)]
    assert pytest.approx(0.5) == measured(truth, found)["masks"].AP


def test_the_table():
    objects = [annotation((0, 0, 40, 40)), annotation((0, 0, 8, 8), category_id=3)]
    table = measure(truth_with(*objects), [entry((0, 0, 40, 40), score=0.5)], ("boxes", "masks"))
    lines = str(table).splitlines()
    assert lines[0].split() == ["AP", "AP50", "AP75", "small", "medium", "large", "AR"]
    assert lines[1].split() == ["boxes", "0.500", "0.500", "0.500", "0.000", "1.000", "–", "0.500"]
    assert [line.split() for line in lines[4:7]] == [
        ["class", "AP", "boxes", "AP", "masks"],
        ["seven", "1.000", "1.000"],
        ["three", "0.000", "0.000"],
    ]
    assert lines[-1] == "1 images, 2 objects, 1 detections"
    assert table._repr_html_().count("<tr>") == 6 and "twelve" not in table._repr_html_()
    assert table.AP == table["boxes"].AP and table.as_dict()["masks"]["AP50"] == pytest.approx(0.5)
    with pytest.raises(LessonsError, match="'boundaries'"):
        table["boundaries"]


def test_a_masks_area_is_its_pixels_even_beside_a_box():
    found = [{**entry((0, 0, 8, 8), score=0.9), "bbox": [0, 0, 110, 110]}]  # a small mask in a large box
    table = measure(truth_with(annotation((60, 60, 40, 40))), found, ("masks", "boxes"))
    assert_same(table, measure_by_hand(truth_with(annotation((60, 60, 40, 40))), found))
    shapes = (
        scenes(truth_with(), found, "masks")["seven"][0],
        scenes(truth_with(), found, "boxes")["seven"][0],
    )
    assert [one.areas.item() for one in shapes] == [64, 12100]


# ---------------------------------------------------------------- predictions and data sets


def prediction_of(target, **changes):
    return {
        "boxes": target["boxes"], "labels": target["labels"], "masks": target["masks"],
        "scores": torch.linspace(0.9, 0.5, len(target["labels"])), **changes,
    }  # fmt: skip


@pytest.fixture
def voc(tmp_path):
    tiny = TinyVOC(tmp_path / "voc")
    tiny.add(
        "a", indices_of((2, 2, 9, 9), (12, 4, 25, 16)), (object_xml("dog", difficult=1), object_xml("cat"))
    )
    tiny.add("b", indices_of(), ())
    tiny.add("c", indices_of((4, 3, 10, 9)), (object_xml("dog"),))
    return VOCInstances(tiny.root, "train")


def test_voc_perfect_and_half(voc):
    perfect = [prediction_of(voc.read_target(position)) for position in range(3)]
    table = measure(voc, perfect, KINDS)
    assert [one.AP for one in table.measures] == pytest.approx([1, 1, 1])
    assert (table.images, table.objects, table.detections) == (3, 3, 3)
    assert_same(table, measure_by_hand(voc, perfect, KINDS))
    # the difficult dog counts: without it half of the dogs is missing
    without = [{key: value[1:] for key, value in perfect[0].items()}, *perfect[1:]]
    assert measure(voc, without)["masks"].by_class["dog"] == pytest.approx(51 / 101)
    assert measure(voc, without)["masks"].by_class["cat"] == pytest.approx(1)


def test_labels_lead_to_category_ids(tmp_path):
    coco = CocoInstances(*write_coco(tmp_path, coco_json([one_image()], [one_annotation()])))
    prediction = prediction_of(coco.read_target(0))
    assert to_entries(prediction, 1, SIZE, coco.category_ids)[0] == {
        "image_id": 1, "category_id": 7, "score": pytest.approx(0.9), "bbox": [4, 3, 6, 6],
        "segmentation": rectangle(4, 3, 6, 6, SIZE),
    }  # fmt: skip
    table = measure(coco, [prediction])
    assert table["masks"].by_class["dog"] == pytest.approx(1) and np.isnan(table["masks"].by_class["cat"])
    wrong = measure(coco, [{**prediction, "labels": prediction["labels"] - 1}])
    assert wrong.AP == 0


def test_classes_of_one_name_are_told_apart(tmp_path):
    content = coco_json(
        [one_image()], [one_annotation()], [{"id": 7, "name": "dog"}, {"id": 3, "name": "dog"}]
    )
    _, path = write_coco(tmp_path, content)
    assert truth_of(path).classes == ("dog (3)", "dog (7)")


def test_objects_without_area_box_or_pixel(tmp_path):
    bare = one_annotation()
    del bare["bbox"]
    speck = one_annotation(id=2, segmentation=[[1, 1, 2, 2]], area=None)
    _, path = write_coco(tmp_path, coco_json([one_image()], [bare, speck]))
    first, second = truth_of(path).annotations
    assert first["bbox"] == [4, 3, 6, 6] and first["area"] == 36 and second["area"] == 0
    found = [prediction_of(CocoInstances(tmp_path, path).read_target(0))]
    assert (
        pytest.approx(51 / 101) == measure(path, found).AP
    )  # the speck is one more to miss, as in COCO's tool


PREDICTION = {
    "boxes": torch.tensor([[4.0, 3, 10, 9]]), "labels": torch.tensor([2]), "scores": torch.tensor([0.5]),
    "masks": torch.zeros(1, *SIZE, dtype=torch.bool),
}  # fmt: skip


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"masks": torch.zeros(1, 10, 15, dtype=torch.bool)}, r"masks of the shape \(1, 10, 15\)"),
        ({"masks": torch.zeros(1, *SIZE)}, "threshold"),
        ({"labels": torch.tensor([0])}, r"1\.\.2"),
        ({"labels": torch.tensor([3])}, r"1\.\.2"),
        ({"labels": torch.tensor([1.0])}, r"1\.\.2"),
        ({"scores": torch.tensor([torch.nan])}, "scores that are not finite"),
        ({"boxes": torch.tensor([[0, 0, torch.inf, 1]])}, "boxes that are not finite"),
        ({"boxes": torch.zeros(2, 4)}, r"boxes of the shape \(2, 4\)"),
    ],
)
def test_predictions_that_do_not_fit(changes, words):
    with pytest.raises(LessonsError, match=f"image 5 .*{words}"):
        to_entries({**PREDICTION, **changes}, 5, SIZE, (3, 7))
    assert len(to_entries(PREDICTION, 5, SIZE, (3, 7))) == 1


def test_boxes_alone_and_what_they_lack():
    alone = {key: value for key, value in PREDICTION.items() if key != "masks"}
    truth = Truth({5: SIZE}, ("a", "b"), (3, 7), [])
    assert measure(truth, [alone], "boxes").detections == 1
    with pytest.raises(LessonsError, match=r"image 5 has no mask: ask for kinds=\"boxes\""):
        measure(truth, [alone])
    with pytest.raises(LessonsError, match="must be a dict"):
        to_entries({"boxes": torch.zeros(0, 4)}, 5, SIZE, (3, 7))
    with pytest.raises(LessonsError, match="2 predictions for 1 images"):
        measure(truth, [alone, alone], "boxes")
    inside_out = {**alone, "boxes": torch.tensor([[9.0, 9, 3, 3]])}
    assert to_entries(inside_out, 5, SIZE, (3, 7))[0]["bbox"] == [9, 9, 0, 0]


GOOD = {"image_id": 1, "category_id": 7, "score": 0.5, "bbox": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    "entry_, words",
    [
        (3, "is no detection"),
        ({**GOOD, "image_id": 2}, "image 2, which is not in the truth"),
        ({**GOOD, "image_id": [1]}, "not in the truth"),
        ({**GOOD, "category_id": 9}, "category 9"),
        ({**GOOD, "score": None}, "score None"),
        ({**GOOD, "score": float("nan")}, "score nan"),
        ({**GOOD, "bbox": [1, 2, 3]}, "bbox"),
        ({**GOOD, "bbox": [1, 2, -3, 4]}, "bbox"),
        ({**GOOD, "bbox": None}, "neither bbox nor segmentation"),
        ({**GOOD, "segmentation": {"size": list(SIZE), "counts": "9"}}, "run lengths"),
        ({**GOOD, "segmentation": {"counts": [600]}}, "without a size"),
        ({**GOOD, "segmentation": {"size": [3, 3], "counts": [9]}}, "size"),
        ({**GOOD, "segmentation": [[1, 2, 3, 4, 5, 6]]}, "run-length"),
    ],
)
def test_results_that_cannot_be_used(tmp_path, entry_, words):
    _, path = write_coco(tmp_path, coco_json([one_image()], [one_annotation()]))
    results = tmp_path / "found.json"
    results.write_text(json.dumps([GOOD, entry_]))
    with pytest.raises(DataError, match=rf"found\.json: entry 1 .*{words}"):
        measure(path, results, "boxes")


@pytest.mark.parametrize("text, words", [("{", "not valid JSON"), ("{}", "is no list"), (None, "is missing")])
def test_result_files_that_cannot_be_used(tmp_path, text, words):
    if text is not None:
        (tmp_path / "found.json").write_text(text)
    with pytest.raises(DataError, match=rf"found\.json.*{words}"):
        detections_of(tmp_path / "found.json", truth_with())


def test_run_lengths_may_be_plain_lists(tmp_path):
    _, path = write_coco(tmp_path, coco_json([one_image()], [one_annotation()]))
    columns = [4 * 20 + 3, 6, *[14, 6] * 5, 20 * 20 + 11]
    found = [{**GOOD, "bbox": None, "segmentation": {"size": list(SIZE), "counts": columns}}]
    assert [one.AP for one in measure(path, found, KINDS).measures] == pytest.approx([1, 1, 1])
    assert_same(measure(path, found, KINDS), measure_by_hand(path, found, KINDS))
    assert found[0]["bbox"] is None and set(found[0]) == {*GOOD, "segmentation"}  # left as it was


@pytest.mark.parametrize(
    "options, words",
    [
        ({"kinds": "boxen"}, "boxen"),
        ({"kinds": ()}, "kinds"),
        ({"max_detections": 0}, "max_detections is 0"),
        ({"kinds": "boundaries", "band_share": 0}, "band_share is 0"),
    ],
)
def test_arguments(options, words):
    truth, found = truth_with(annotation((0, 0, 8, 8))), [entry((0, 0, 8, 8), score=0.5)]
    for measured in (measure, measure_by_hand):
        with pytest.raises(LessonsError, match=words):
            measured(truth, found, **options)
    with pytest.raises(LessonsError, match="A list cannot be evaluated against"):
        measure([], found)
    with pytest.raises(LessonsError, match="detections is a int"):
        measure(truth, 3)
