"""What an evaluation is held against."""

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def assert_same(one, other):
    assert one.as_dict().keys() == other.as_dict().keys()
    for a, b in zip(one.measures, other.measures, strict=True):
        np.testing.assert_allclose(a.precision, b.precision, rtol=0, atol=1e-6)
        for name in ("AP", "AP50", "AP75", "small", "medium", "large", "AR"):
            assert getattr(a, name) == pytest.approx(getattr(b, name), abs=1e-6, nan_ok=True), name
        assert a.by_class == pytest.approx(b.by_class, abs=1e-6, nan_ok=True)


def by_their_tool(annotations, results, kind):
    """The twelve numbers of an unchanged pycocotools."""
    truth = COCO(str(annotations))
    task = COCOeval(truth, truth.loadRes(str(results)), kind)
    task.evaluate()
    task.accumulate()
    task.summarize()
    return task.stats
