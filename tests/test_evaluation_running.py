"""From a model and a data set to a table."""

import gc
import weakref

import pytest
import torch
from tiny_sets import TinyVOC, indices_of, object_xml

from lessons.data import VOCInstances
from lessons.errors import LessonsError
from lessons.evaluation import detect, evaluate


@pytest.fixture
def voc(tmp_path):
    tiny = TinyVOC(tmp_path / "voc")
    tiny.add("a", indices_of((2, 2, 9, 9), (12, 4, 25, 16)), (object_xml("dog"), object_xml("cat")))
    tiny.add("b", indices_of(size=(24, 18)), ())
    tiny.add("c", indices_of((4, 3, 10, 9), size=(12, 40)), (object_xml("dog"),))
    return VOCInstances(tiny.root, "train")


class Oracle(torch.nn.Module):
    """Knows the answers: the images are told apart by their sizes."""

    def __init__(self, dataset):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.frozen = torch.nn.BatchNorm2d(1).eval()
        self.answers = {}
        for position, size in enumerate(dataset.sizes()):
            target = dataset.read_target(position)
            scores = torch.ones(len(target["labels"]))
            self.answers[size] = {
                **{key: target[key] for key in ("boxes", "labels", "masks")},
                "scores": scores,
            }
        self.calls = []

    def forward(self, images):
        assert not self.training and torch.is_inference_mode_enabled()
        assert all(image.dtype == torch.float32 and 0 <= image.min() <= image.max() <= 1 for image in images)
        self.calls.append(len(images))
        return [self.answers[tuple(image.shape[1:])] for image in images]


@pytest.mark.parametrize("batch_size, calls", [(1, [1, 1, 1]), (2, [2, 1]), (8, [3])])
def test_a_module(voc, batch_size, calls, capfd):
    model = Oracle(voc).train()
    model.frozen.eval()
    table = evaluate(model, voc, ("masks", "boxes", "boundaries"), batch_size=batch_size, progress=False)
    assert [one.AP for one in table.measures] == pytest.approx([1, 1, 1]) and model.calls == calls
    assert model.training and not model.frozen.training  # each part as it was
    assert capfd.readouterr() == ("", "")
    assert pytest.approx(1) == evaluate(model.eval(), voc, batch_size=batch_size).AP and not model.training
    streams = capfd.readouterr()
    assert "detecting" in streams.err and not streams.out


def test_the_mode_comes_back_after_an_error(voc):
    model = Oracle(voc).train()
    model.answers.clear()
    with pytest.raises(KeyError):
        evaluate(model, voc, progress=False)
    assert model.training


def test_a_plain_function_and_a_limit(voc):
    seen = []

    def nothing(images):
        seen.extend(images)
        return [
            {
                "boxes": torch.zeros(0, 4),
                "labels": torch.zeros(0, dtype=torch.int64),
                "scores": torch.zeros(0),
                "masks": torch.zeros(0, *image.shape[1:], dtype=torch.bool),
            }
            for image in images
        ]

    table = evaluate(nothing, voc, limit=2, progress=False)
    assert table.AP == 0 and (table.images, table.objects) == (2, 2) and len(seen) == 2


def test_predict_gets_the_pictures_bytes(voc):
    model, seen = Oracle(voc), []

    class Loaded:
        def predict(self, image):
            seen.append(image)
            return model.answers[image.shape[:2]]

    assert pytest.approx(1) == evaluate(Loaded(), voc, progress=False).AP
    assert [image.shape for image in seen] == [(20, 30, 3), (24, 18, 3), (12, 40, 3)]
    assert torch.equal(torch.from_numpy(seen[0]).permute(2, 0, 1) / 255, voc[0][0])


def test_masks_do_not_pile_up(voc):
    """While image i is looked at, no mask of an earlier one is alive."""
    answers, masks, alive = Oracle(voc).answers, [], []

    def model(images):
        gc.collect()
        alive.append(sum(given() is not None for given in masks))
        answer = {key: value.clone() for key, value in answers[tuple(images[0].shape[1:])].items()}
        masks.append(weakref.ref(answer["masks"]))
        return [answer]

    entries = detect(model, voc, progress=False)
    # the last answer lives until the next replaces it
    assert max(alive) <= 1 and len(alive) == 3
    assert all(isinstance(one["segmentation"]["counts"], str) for one in entries)


def test_mistakes(voc, tmp_path):
    voc.transform = lambda image, target: (image, target)
    with pytest.raises(LessonsError, match="has a transform"):
        evaluate(lambda images: [], voc, progress=False)
    voc.transform = None
    with pytest.raises(LessonsError, match="no list of 1 predictions"):
        evaluate(lambda images: {}, voc, progress=False)
    with pytest.raises(LessonsError, match="batch_size is 0"):
        evaluate(lambda images: [], voc, batch_size=0, progress=False)
    with pytest.raises(LessonsError, match="limit is 0"):
        evaluate(lambda images: [], voc, limit=0, progress=False)
    with pytest.raises(LessonsError, match="kinds"):
        evaluate(lambda images: 1 / 0, voc, "keypoints", progress=False)  # said before the work
    half = Oracle(voc)
    half.answers[(20, 30)] = {**half.answers[(20, 30)], "masks": torch.zeros(2, 10, 15, dtype=torch.bool)}
    with pytest.raises(LessonsError, match=r"image 0 has masks of the shape \(2, 10, 15\)"):
        evaluate(half, voc, progress=False)
