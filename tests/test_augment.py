"""Random transforms move image and target together, and change nothing that they were given."""

import pytest
import torch

from lessons import boxes, masks
from lessons.data.augment import RandomColour, RandomQuarterTurn, RandomResize, quarter_turn
from lessons.errors import LessonsError


def sample(height: int = 20, width: int = 30, count: int = 2):
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(3, height, width, generator=generator)
    instance_masks = torch.zeros(count, height, width, dtype=torch.bool)
    for number in range(count):
        instance_masks[number, 2 + number : 9, 3 : 12 + 4 * number] = True
    target = {
        "boxes": boxes.from_masks(instance_masks),
        "boxes_xml": boxes.from_masks(instance_masks),
        "labels": torch.arange(1, count + 1),
        "masks": instance_masks,
        "ignore": instance_masks.any(dim=0),
        "area": masks.area(instance_masks),
        "image_id": 4,
    }
    return image, target


def test_quarter_turn_by_hand():
    image = torch.arange(6.0).reshape(1, 2, 3).expand(3, 2, 3)  # 0 1 2 over 3 4 5
    turned, _ = quarter_turn(image, {})
    assert turned[0].tolist() == [[2, 5], [1, 4], [0, 3]]


@pytest.mark.parametrize("count", [0, 2])
def test_boxes_and_masks_turn_together(count: int):
    image, target = sample(count=count)
    turned_image, turned = quarter_turn(image, target)
    assert turned_image.shape == (3, 30, 20)
    assert torch.equal(turned["boxes"], boxes.from_masks(turned["masks"]))
    assert torch.equal(turned["boxes_xml"], turned["boxes"])
    assert turned["ignore"].shape == (30, 20)
    assert torch.equal(turned["area"], target["area"])
    for _ in range(3):
        turned_image, turned = quarter_turn(turned_image, turned)
    assert torch.equal(turned_image, image)
    for name, value in target.items():
        assert torch.equal(torch.as_tensor(turned[name]), torch.as_tensor(value)), name


@pytest.mark.parametrize(
    "transform", [RandomQuarterTurn(), RandomResize([10, 40]), RandomColour(0.5)], ids=repr
)
def test_the_input_stays_as_it_was_and_seeds_repeat(transform):
    image, target = sample()
    before = image.clone(), {name: torch.as_tensor(value).clone() for name, value in target.items()}
    results = []
    for seed in (1, 1, 2, 3, 4, 5):
        torch.manual_seed(seed)
        results.append(transform(image, target))
    assert torch.equal(results[0][0], results[1][0])
    assert any(not torch.equal(results[0][0], other) for other, _ in results[2:])
    assert torch.equal(image, before[0])
    for name, value in before[1].items():
        assert torch.equal(torch.as_tensor(target[name]), value), name
    for turned_image, turned in results:
        assert turned["masks"].shape[-2:] == turned_image.shape[-2:]
        assert turned_image.min() >= 0 and turned_image.max() <= 1


def test_all_sizes_and_turns_occur():
    image, target = sample()
    torch.manual_seed(0)
    assert {min(RandomResize([10, 20, 40])(image, target)[0].shape[1:]) for _ in range(40)} == {10, 20, 40}
    corners = {RandomQuarterTurn()(image, target)[0][0, 0, 0].item() for _ in range(60)}
    assert len(corners) == 4


def test_mistakes_are_named():
    with pytest.raises(LessonsError, match="shorts is empty"):
        RandomResize([])
    with pytest.raises(LessonsError, match=r"strength=1\.5"):
        RandomColour(1.5)
