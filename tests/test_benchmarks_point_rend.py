"""The benchmark of PointRend compares like with like. Nothing here measures time."""

import torch

from benchmarks import mask_rcnn, point_rend, solo
from lessons.point_rend.fast import QuickPointRendBranch


def test_both_forms_draw_in_the_boxes_of_mask_rcnn(monkeypatch):
    for module in (solo, mask_rcnn):
        monkeypatch.setattr(module, "SIZE", (96, 128))  # a size that a test can afford
    ours, model = mask_rcnn.ours().state_dict(), point_rend.model()
    shared = [name for name in ours if not name.startswith("mask_branch")]
    assert all(torch.equal(ours[name], model.state_dict()[name]) for name in shared)
    assert model.mask_branch.coarse.classes == model.classes_count == point_rend.CLASSES
    assert isinstance(model.for_inference().mask_branch, QuickPointRendBranch)
    for quick in (True, False):
        point_rend.inference(quick)()  # fails unless a hundred objects are found
