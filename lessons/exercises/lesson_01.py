"""Checkers of the exercises in `notebooks/01_voc_instances.ipynb`."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lessons import boxes
from lessons.data.voc import VOC_CLASSES

VOID = 255


def check_masks_by_number(answer: Callable[[Tensor, int], Tensor]) -> None:
    """`answer(indices (H, W) uint8, count)` gives masks (count, H, W) bool, the n-th for index n."""
    indices = torch.tensor([[1, 1, VOID], [VOID, 3, 3], [0, 0, 3]], dtype=torch.uint8)
    masks = answer(indices, 4)
    shape = tuple(masks.shape)
    assert shape == (4, 3, 3), (
        f"four entries in the XML make masks of shape (4, 3, 3), yours are {shape}; 0 and 255 are no "
        "objects, and a missing number keeps its place"
    )
    assert masks.dtype == torch.bool, f"masks are bool, yours are {masks.dtype}"
    for number, mask in enumerate(masks, start=1):
        assert torch.equal(mask, indices == number), f"mask {number - 1} holds the pixels of index {number}"
    empty = answer(torch.zeros(2, 5, dtype=torch.uint8), 0)
    assert tuple(empty.shape) == (0, 2, 5), "a picture without entries gives masks of shape (0, H, W)"


def check_voc_numbers(answer: Callable[[Tensor], list[int]]) -> None:
    """`answer(mask (H, W) bool)` gives VOC's xmin, ymin, xmax, ymax."""
    mask = torch.zeros(6, 9, dtype=torch.bool)
    mask[2:5, 3:8] = True
    one, whole = torch.zeros_like(mask), torch.ones_like(mask)
    one[0, 0] = True
    cases = (("one pixel in the corner", one), ("the whole picture", whole), ("3 rows, 5 columns", mask))
    for case, shape in cases:
        numbers = [int(number) for number in answer(shape)]
        assert len(numbers) == 4, f"a box has four numbers, yours has {len(numbers)}"
        back = boxes.from_voc(torch.tensor([numbers], dtype=torch.float32))
        wanted = boxes.from_masks(shape[None])
        assert torch.equal(back, wanted), (
            f"{case}: {numbers} read back is {back[0].int().tolist()}, and the mask's box is "
            f"{wanted[0].int().tolist()}; VOC counts pixels from 1 and names the last one inside"
        )


def check_iou_without_void(answer: Callable[[Tensor, Tensor, Tensor], float]) -> None:
    """`answer(prediction, truth, ignore)`, each (H, W) bool, gives the IoU outside the void."""
    truth = torch.zeros(6, 6, dtype=torch.bool)
    truth[2:4, 2:4] = True
    around = torch.zeros_like(truth)
    around[1:5, 1:5] = True
    ignore = around & ~truth
    none = torch.zeros_like(truth)
    cases = (
        ("a prediction that fills object and border", around, truth, ignore, 1.0),
        ("the same without any void", around, truth, none, 0.25),
        ("half the object", truth & (torch.arange(6) < 3), truth, ignore, 0.5),
        (
            "the object, its border and the lowest row",
            around | (torch.arange(6)[:, None] == 5),
            truth,
            ignore,
            0.4,
        ),
        ("nothing against nothing", none, none, ignore, 0.0),
        ("void only", ignore, none, ignore, 0.0),
    )
    for case, prediction, wanted_mask, void, wanted in cases:
        value = float(answer(prediction.clone(), wanted_mask.clone(), void.clone()))
        assert abs(value - wanted) < 1e-6, f"{case}: the IoU is {wanted:g}, yours {value:g}"


def check_count_objects(answer: Callable[[list[dict[str, Any]], tuple[str, ...]], dict[str, int]]) -> None:
    """`answer(targets, classes)` gives the number of objects of each class, difficult ones left out."""
    targets = [
        {"labels": torch.tensor([1, 15, 15]), "difficult": torch.tensor([False, False, True])},
        {"labels": torch.zeros(0, dtype=torch.int64), "difficult": torch.zeros(0, dtype=torch.bool)},
        {"labels": torch.tensor([20, 15, 8]), "difficult": torch.tensor([False, False, True])},
    ]
    counts = {name: int(count) for name, count in answer(targets, VOC_CLASSES).items() if int(count)}
    wanted = {"aeroplane": 1, "person": 2, "tvmonitor": 1}
    assert set(counts) == set(wanted), f"the classes that occur are {sorted(wanted)}, yours {sorted(counts)}"
    assert counts == wanted, f"the counts are {wanted}, yours {counts}; difficult objects are left out"
