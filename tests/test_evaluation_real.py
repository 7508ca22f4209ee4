"""The COCO API's own example, whose outcome is published."""

import functools
import json

import numpy as np
import pytest
from evaluation_references import assert_same, by_their_tool

from lessons.evaluation import measure, measure_by_hand, truth_of

read = functools.cache(truth_of)


@pytest.mark.real
@pytest.mark.parametrize("kind, ap, ap50", [("masks", 0.320, 0.562), ("boxes", 0.505, 0.697)])
def test_published_numbers(real_data, kind, ap, ap50, capsys):
    folder = real_data / "coco100"
    truth = read(folder / "instances_val2014_100.json")
    results = folder / f"instances_val2014_fake{'segm' if kind == 'masks' else 'bbox'}100_results.json"
    table = measure(truth, results, kind)
    assert capsys.readouterr() == ("", "")
    assert (round(table.AP, 3), round(table[kind].AP50, 3)) == (ap, ap50)
    assert (table.images, table.objects, table.detections) == (100, 830, 734)
    assert_same(table, measure_by_hand(truth, results, kind))
    theirs = by_their_tool(
        folder / "instances_val2014_100.json", results, "segm" if kind == "masks" else "bbox"
    )
    ours = table[kind]
    np.testing.assert_allclose(
        [ours.AP, ours.AP50, ours.AP75, ours.small, ours.medium, ours.large, ours.AR],
        theirs[[0, 1, 2, 3, 4, 5, 8]],
        atol=1e-9,
    )


@pytest.mark.real
def test_boundary_ap_by_hand_on_real_masks(real_data):
    folder = real_data / "coco100"
    whole = truth_of(folder / "instances_val2014_100.json", limit=20)
    found = [
        one
        for one in json.loads((folder / "instances_val2014_fakesegm100_results.json").read_text())
        if one["image_id"] in whole.sizes
    ]
    table = measure(whole, found, ("boundaries", "masks"))
    assert_same(table, measure_by_hand(whole, found, ("boundaries", "masks")))
    assert 0 < table["boundaries"].AP < table["masks"].AP
    assert table["boundaries"].large < 0.5 * table["masks"].large  # where contours were hidden by the inside
