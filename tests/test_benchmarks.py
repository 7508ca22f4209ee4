"""The benchmark runs, compares like with like and notices when it does not. Nothing here measures time."""

import re
from pathlib import Path

import pytest
import torch
from PIL import Image

from benchmarks import data_loading, measure, yardsticks
from benchmarks.__main__ import main

OBJECT = (
    "<object><name>{name}</name><pose>Left</pose><truncated>1</truncated><difficult>{difficult}</difficult>"
    "<bndbox><xmin>{x}</xmin><ymin>3</ymin><xmax>{end}</xmax><ymax>9</ymax></bndbox></object>"
)


@pytest.fixture
def two_images(tmp_path, monkeypatch) -> Path:
    root = tmp_path / "voc"
    for folder in ("JPEGImages", "SegmentationObject", "Annotations", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    for name, count in (("a", 2), ("b", 1)):
        Image.effect_noise((24, 16), 60).convert("RGB").save(root / "JPEGImages" / f"{name}.jpg")
        mask = Image.new("P", (24, 16), 0)
        mask.putpalette([value for index in range(256) for value in (index, 0, 0)])
        objects = ""
        for index in range(count):
            mask.paste(255, (2 + 9 * index, 1, 9 + 9 * index, 10))
            mask.paste(index + 1, (3 + 9 * index, 2, 8 + 9 * index, 9))
            fields = {
                "name": ("cat", "dog")[index],
                "difficult": index,
                "x": 4 + 9 * index,
                "end": 8 + 9 * index,
            }
            objects += OBJECT.format(**fields)
        mask.save(root / "SegmentationObject" / f"{name}.png")
        size = "<size><width>24</width><height>16</height><depth>3</depth></size>"
        text = f"<annotation><filename>{name}.jpg</filename>{size}{objects}</annotation>"
        (root / "Annotations" / f"{name}.xml").write_text(text)
    (root / "ImageSets" / "Segmentation" / "train.txt").write_text("a\nb\n")
    monkeypatch.setenv("LESSONS_VOC_ROOT", str(root))
    monkeypatch.setenv("LESSONS_CACHE", str(tmp_path / "cache"))
    return root


def test_the_benchmark_prints_its_tables(two_images, capsys):
    threads = torch.get_num_threads()
    try:
        assert main(["--rounds", "1", "--loader-images", "4"]) == 0
    finally:
        torch.set_num_threads(threads)
    printed = capsys.readouterr().out
    assert "torch " in printed and "2 images, medians of 1" in printed
    for row in ("VOCInstances", "torchvision, as written", "torchvision, decoded once"):
        assert re.search(rf"^\| .*{row}.* +\| \d+\.\d", printed, re.MULTILINE)
    assert re.search(r"^\| 2 +\| \d+\.\d", printed, re.MULTILINE)


@pytest.mark.parametrize("read", [yardsticks.as_written, yardsticks.decoded_once])
def test_the_yardsticks_read_the_same_information(two_images, read):
    assert data_loading.differences(data_loading.open_data(2), read) == []


def test_a_yardstick_with_less_information_is_refused(two_images, monkeypatch):
    def lazy(root, name, labels):
        image, target = yardsticks.decoded_once(root, name, labels)
        return image, target | {"ignore": torch.zeros_like(target["ignore"])}

    monkeypatch.setitem(data_loading.YARDSTICKS, "lazy", lazy)
    with pytest.raises(AssertionError, match=r"'lazy' reads other information.*a: ignore"):
        data_loading.per_core(data_loading.open_data(2), 1)


def test_missing_data_is_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LESSONS_VOC_ROOT", str(tmp_path / "none"))
    assert main([]) == 2
    assert str(tmp_path / "none") in capsys.readouterr().err


def test_rounds_are_interleaved_and_the_first_is_not_counted():
    calls = []
    seconds = measure.interleaved({name: lambda name=name: calls.append(name) for name in "abc"}, 3)
    assert {name: len(spent) for name, spent in seconds.items()} == {"a": 3, "b": 3, "c": 3}
    assert ["".join(sorted(calls[at : at + 3])) for at in range(0, 12, 3)] == ["abc"] * 4
    assert len({calls[at] for at in range(3, 12, 3)}) == 3, "another one begins in every round"


def test_the_ratio_is_taken_round_by_round():
    assert measure.speed_up([2.0, 30.0, 6.0], [1.0, 10.0, 3.0]) == (2.0, 2.0, 3.0)
