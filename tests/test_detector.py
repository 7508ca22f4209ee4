"""What all families share: pictures, targets that can be learnt from, and the official ways to resize."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from lessons.detector import Detector, as_pixels, check_targets
from lessons.errors import DataError, LessonsError
from lessons.resizing import RESIZINGS, shortest_edge_size, with_opencv, with_pillow, with_torchvision


class Echo(Detector):
    """Finds one object, all of the picture, and remembers what it was asked."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.layer = nn.Linear(1, 1)

    def losses(self, images, targets):
        return {"loss": self.layer.weight.sum()}

    def detect(self, images, sizes):
        self.asked = [tuple(image.shape) for image in images], list(sizes), self.training
        self.seen = images
        (height, width), *_ = sizes
        return [{"boxes": torch.tensor([[0.0, 0, width, height]]), "scores": torch.ones(1)} for _ in sizes]


def picture_of(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def target_of(**changes) -> dict[str, object]:
    """One object of an image of 20×30 pixels, that can be learnt from but for what is changed."""
    masks = torch.zeros(1, 20, 30, dtype=torch.bool)
    masks[0, 3:9, 2:12] = True
    return {"boxes": torch.tensor([[2.0, 3, 12, 9]]), "labels": torch.tensor([2]), "masks": masks} | changes


def refusal(**changes) -> str:
    """The sentence about such a target."""
    with pytest.raises(LessonsError) as caught:
        check_targets([torch.zeros(3, 20, 30)], [target_of(**changes)], 5)
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith(".") and "tensor" not in sentence
    return sentence


# Targets


def test_targets_that_can_be_learnt_from_pass():
    images = [torch.zeros(3, 20, 30)] * 2
    nothing = {
        "boxes": torch.zeros(0, 4),
        "labels": torch.zeros(0, dtype=torch.int64),
        "masks": torch.zeros(0, 20, 30, dtype=torch.bool),
    }
    check_targets(images, [target_of(), nothing], 5)
    check_targets(images[:1], [target_of(labels=torch.tensor([5]))], 5)
    check_targets(images[:1], [target_of(boxes=torch.tensor([[0.0, 0, 30, 20]]))], 5)
    check_targets(images[:1], [target_of(boxes=torch.tensor([[-0.5, 0, 30.5, 20]]))], 5)  # rounding elsewhere
    check_targets([], [], 5)


@pytest.mark.parametrize("label", [0, -3, 6, 255])
def test_a_label_out_of_range_is_named_with_the_count_of_classes(label: int):
    sentence = refusal(labels=torch.tensor([label]), image_id=torch.tensor(17))
    assert f"the label {label} " in sentence and "5 classes" in sentence and "Image 17 " in sentence


@pytest.mark.parametrize("size", [(30, 20), (20, 31), (1, 1)])
def test_masks_of_another_size_are_named(size: tuple[int, int]):
    sentence = refusal(masks=torch.zeros(1, *size, dtype=torch.bool), image_id="2007_000032")
    assert "Image 2007_000032 has 20×30 pixels" in sentence and f"{size[0]}×{size[1]}" in sentence


def test_other_numbers_of_boxes_labels_and_masks_are_named():
    assert "1 boxes, 2 labels and 1 masks" in refusal(labels=torch.tensor([1, 2]))
    assert "1 boxes, 1 labels and 0 masks" in refusal(masks=torch.zeros(0, 20, 30, dtype=torch.bool))


BAD_BOXES = {
    "no width": ([4.0, 4, 4, 9], "has no area"),
    "no height": ([4.0, 4, 9, 4], "has no area"),
    "inside out": ([9.0, 4, 4, 9], "has no area"),
    "upside down": ([4.0, 9, 9, 4], "has no area"),
    "left": ([-5.0, 4, 4, 9], "reaches outside the image"),
    "above": ([4.0, -5, 9, 4], "reaches outside the image"),
    "right": ([4.0, 4, 33, 9], "reaches outside the image"),
    "below": ([4.0, 4, 9, 29], "reaches outside the image"),  # not if width and height are mixed up
    "no number": ([4.0, float("nan"), 9, 8], "is not of finite numbers"),
    "endless": ([4.0, 4, float("inf"), 9], "is not of finite numbers"),
}


@pytest.mark.parametrize("box, what", BAD_BOXES.values(), ids=BAD_BOXES)
def test_a_box_that_cannot_be_learnt_is_named(box: list[float], what: str):
    sentence = refusal(boxes=torch.tensor([box]))
    assert f"Image 0 of the batch: the box of object 0, ({box[0]:g}, " in sentence
    assert what in sentence and "20×30 pixels" in sentence and "leave the object out" in sentence


def test_the_object_and_the_image_at_fault_are_the_ones_named():
    three = target_of(
        boxes=torch.tensor([[2.0, 3, 12, 9], [5, 5, 6, 6], [1, 1, 1, 5]]),
        labels=torch.tensor([1, 1, 1]),
        masks=torch.zeros(3, 20, 30, dtype=torch.bool),
    )
    with pytest.raises(LessonsError, match=r"Image 1 of the batch: the box of object 2, \(1, 1, 1, 5\)"):
        check_targets([torch.zeros(3, 20, 30)] * 2, [target_of(), three], 5)


# Pictures


def test_what_a_picture_may_be(tmp_path: Path):
    pixels = picture_of(5, 7)
    path = tmp_path / "picture.png"
    Image.fromarray(pixels).save(path)
    for given_as in (path, str(path), Image.fromarray(pixels), pixels):
        result = as_pixels(given_as)
        assert result.dtype == np.uint8 and np.array_equal(result, pixels)
    grey = Image.fromarray(pixels[..., 0])
    assert np.array_equal(as_pixels(grey), np.repeat(pixels[..., :1], 3, axis=2))
    transparent = Image.fromarray(np.dstack([pixels, pixels[..., :1]]))
    assert transparent.mode == "RGBA" and np.array_equal(as_pixels(transparent), pixels)


@pytest.mark.parametrize(
    "wrong, named",
    [
        (np.zeros((4, 5), np.uint8), r"uint8 \(4, 5\)"),
        (np.zeros((4, 5, 4), np.uint8), r"uint8 \(4, 5, 4\)"),
        (np.zeros((2, 4, 5, 3), np.uint8), r"uint8 \(2, 4, 5, 3\)"),
        (np.zeros((4, 5, 3), np.float32), r"float32 \(4, 5, 3\)"),
        (torch.zeros(3, 4, 5), "Tensor"),
        (None, "NoneType"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_picture_cannot_be(wrong: object, named: str):
    with pytest.raises(LessonsError, match=f"A picture cannot be {named}: give a path"):
        as_pixels(wrong)


def test_files_that_are_no_picture_are_named(tmp_path: Path):
    (tmp_path / "notes.png").write_text("no picture")
    for name in ("notes.png", "missing.png"):
        with pytest.raises(DataError, match=name.replace(".", r"\.")):
            as_pixels(tmp_path / name)


# The detector


def test_predict_gives_the_picture_as_it_is_or_resized_and_asks_for_its_own_size():
    model = Echo()
    found = model.predict(picture_of(20, 30))
    assert model.asked == ([(3, 20, 30)], [(20, 30)], False)
    assert found["boxes"].tolist() == [[0, 0, 30, 20]]
    torch.testing.assert_close(
        model.seen[0].permute(1, 2, 0) * 255, torch.from_numpy(picture_of(20, 30)).float()
    )
    model.resize = (40, 50)  # of which the long side decides
    model.predict(picture_of(20, 30))
    assert model.asked == ([(3, 33, 50)], [(20, 30)], False)


@pytest.mark.parametrize("training", [True, False])
def test_predict_leaves_the_model_as_it_was(training: bool, monkeypatch: pytest.MonkeyPatch):
    model = Echo().train(training)
    found = model.predict(picture_of(4, 4))
    assert model.training is training and model.asked[2] is False
    assert not found["boxes"].requires_grad

    def fails(images, sizes):
        raise RuntimeError("no memory")

    monkeypatch.setattr(model, "detect", fails)
    with pytest.raises(RuntimeError, match="no memory"):
        model.predict(picture_of(4, 4))
    assert model.training is training, "also when detecting fails"


def test_training_asks_for_targets_and_evaluation_for_none():
    model, images = Echo(), [torch.zeros(3, 20, 30)]
    assert set(model.train()(images, [target_of()])) == {"loss"}
    for targets in (None, [], [target_of()] * 2):
        with pytest.raises(LessonsError, match="targets must be one dict for each of the 1 images"):
            model(images, targets)
    model.eval()(images)
    assert model.asked == ([(3, 20, 30)], [(20, 30)], False)


def test_images_are_normalised_and_padded():
    model = Echo(mean=(0.5, 0.25, 0.0), std=(0.5, 1.0, 2.0))
    batch = model.prepare([torch.ones(3, 20, 30), torch.zeros(3, 33, 5)])
    assert batch.sizes == [(20, 30), (33, 5)] and batch.tensor.shape == (2, 3, 64, 32)
    assert batch.tensor[0, :, 19, 29].tolist() == [1, 0.75, 0.5]
    assert batch.tensor[1, :, 32, 4].tolist() == [-1, -0.25, 0]
    assert not batch.tensor[0, :, 20:].any() and not batch.tensor[0, :, :, 30:].any(), "padding is the mean"


def test_a_resizing_that_is_not_known():
    with pytest.raises(
        LessonsError, match=r"resizing='nearest' is not known: choose one of opencv, pillow, torchvision\."
    ):
        Echo(resizing="nearest")


# Resizing


@pytest.mark.parametrize("resizing", RESIZINGS.values(), ids=RESIZINGS)
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (33, 7), (60, 80)])
def test_every_rule_gives_an_image_within_the_limits(resizing, size: tuple[int, int]):
    picture = picture_of(*size)
    before = picture.copy()
    image = resizing(picture, 24, 48)
    assert (
        image.dtype == torch.float32 and image.shape[0] == 3 and image.min() >= 0 and image.max() <= 1 + 1e-6
    )
    height, width = image.shape[1:]
    assert 1 <= min(height, width) <= 24 and max(height, width) <= 48
    assert min(height, width) == 24 or max(height, width) == 48
    assert np.array_equal(picture, before)


@pytest.mark.parametrize("resizing", RESIZINGS.values(), ids=RESIZINGS)
def test_a_picture_of_the_right_size_stays_as_it_is(resizing):
    picture = picture_of(24, 31)
    expected = torch.from_numpy(picture).permute(2, 0, 1) / 255
    torch.testing.assert_close(resizing(picture, 24, 48), expected, rtol=0, atol=1e-6)


def test_the_rules_are_not_the_same():
    """So it matters which one weights were tested with."""
    picture = picture_of(90, 70)
    opencv, pillow, torchvision = (
        rule(picture, 35, 50) for rule in (with_opencv, with_pillow, with_torchvision)
    )
    assert opencv.shape == pillow.shape == (3, 45, 35) or opencv.shape == pillow.shape
    assert (opencv - pillow).abs().mean() > 0.05, "one of the two averages where a picture shrinks"
    rounding = (opencv - torchvision).abs().max() * 255 if opencv.shape == torchvision.shape else None
    assert rounding is None or 0.1 < rounding < 2


def test_pillow_averages_what_opencv_leaves_out():
    """A picture of one bright column in eight, made an eighth of its size."""
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, ::8] = 255
    pillow, opencv = with_pillow(picture, 8, 8), with_opencv(picture, 8, 8)
    assert pillow.mean() == pytest.approx(1 / 8, abs=0.02) and opencv.mean() == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(2, 60), st.integers(0, 60))
def test_torchvisions_rule_is_torchvisions(height: int, width: int, short: int, more: int):
    if max(height, width) > short * min(height, width):
        return  # so narrow that its short side would be less than a pixel
    theirs = GeneralizedRCNNTransform(short, short + more, [0.0] * 3, [1.0] * 3).eval()
    picture = picture_of(height, width)
    expected, _ = theirs.resize(torch.from_numpy(picture).permute(2, 0, 1) / 255)
    image = with_torchvision(picture, short, short + more)
    assert image.shape == expected.shape
    torch.testing.assert_close(image, expected, rtol=0, atol=1e-5)


@settings(deadline=None)
@given(st.integers(1, 2000), st.integers(1, 2000), st.integers(1, 900), st.integers(0, 900))
def test_detectron2s_size_keeps_to_both_limits(height: int, width: int, short: int, more: int):
    new_height, new_width = shortest_edge_size((height, width), short, short + more)
    assert new_height >= 1 and new_width >= 1
    assert max(new_height, new_width) <= short + more
    assert min(new_height, new_width) <= short
    assert (new_height - new_width) * (height - width) >= 0, "wide stays wide"
    assert shortest_edge_size((width, height), short, short + more) == (new_width, new_height)


def test_detectron2s_sizes_by_hand():
    assert shortest_edge_size((480, 640), 800, 1333) == (800, 1067)
    assert shortest_edge_size((300, 1000), 800, 1333) == (400, 1333)
    assert shortest_edge_size((5, 5), 800, 1333) == (800, 800)
    assert shortest_edge_size((1, 5000), 800, 1333) == (1, 1333)
