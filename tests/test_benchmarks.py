"""The benchmark runs, compares like with like and notices when it does not. Nothing here measures time."""

import functools
import re
from pathlib import Path

import pytest
import torch
from PIL import Image

from benchmarks import data_loading, measure, solo, yardsticks
from benchmarks.__main__ import main
from lessons.backbones import slim_pyramid
from lessons.solo import DecoupledSOLOHead, SOLOHead
from lessons.solo.model import SOLO

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
        assert main(["data", "--rounds", "1", "--loader-images", "4"]) == 0
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
    assert main(["data"]) == 2
    assert str(tmp_path / "none") in capsys.readouterr().err


def test_rounds_are_interleaved_and_the_first_is_not_counted():
    calls = []
    seconds = measure.interleaved({name: lambda name=name: calls.append(name) for name in "abc"}, 3)
    assert {name: len(spent) for name, spent in seconds.items()} == {"a": 3, "b": 3, "c": 3}
    assert ["".join(sorted(calls[at : at + 3])) for at in range(0, 12, 3)] == ["abc"] * 4
    assert len({calls[at] for at in range(3, 12, 3)}) == 3, "another one begins in every round"


def test_the_ratio_is_taken_round_by_round():
    assert measure.speed_up([2.0, 30.0, 6.0], [1.0, 10.0, 3.0]) == (2.0, 2.0, 3.0)


def test_an_unknown_table_is_named(capsys):
    with pytest.raises(SystemExit):
        main(["masks"])
    assert "'masks' is no table: choose from data, solo" in capsys.readouterr().err


def test_work_apart_has_a_memory_of_its_own_and_failing_there_ends_the_waiting():
    once = map(bytearray, [400_000_000])  # a second call has nothing more to do, and raises
    apart = measure.Apart(functools.partial(functools.partial, next, once))
    try:
        before = apart.peak_memory()
        assert apart() is None
        assert apart.peak_memory() - before > 300_000_000
        with pytest.raises((EOFError, ConnectionError)):
            apart()
    finally:
        apart.close()
    assert not apart._process.is_alive()


def test_ratios_are_those_of_the_fastest_rounds_and_goals_are_judged(monkeypatch):
    peaks = {"yardstick": 2.2e9, "slow": 1.7e9, "fast": 1.5e9}

    class Here(functools.partial):
        def peak_memory(self):
            return peaks[self.keywords["name"]]

        def close(self):
            pass

    seconds = {"yardstick": [4.0, 2.0], "slow": [9.0, 3.0], "fast": [1.0, 8.0], "part": [0.01, 0.004]}
    monkeypatch.setattr(solo, "YARDSTICK", "yardstick")
    monkeypatch.setattr(solo, "Apart", lambda make: make())
    monkeypatch.setattr(solo, "interleaved", lambda work, rounds: {name: seconds[name] for name in work})
    models = {
        name: (functools.partial(Here, print, name=name), goal)
        for name, goal in (("yardstick", None), ("slow", 0.95), ("fast", 1.35))
    }
    printed = solo.beside_mask_rcnn(2, models, {"part": (lambda: print, 0.003)})
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines()]
    assert rows[2] == ["yardstick", "2.000", "1", "", "2.20", ""]
    assert rows[3] == ["slow", "3.000", "1.50", "0.95, missed", "1.70", "missed"]
    assert rows[4] == ["fast", "1.000", "0.50", "1.35, met", "1.50", "met"]
    assert rows[5] == ["part", "0.004", "0.20%", "0.30%, met", "", ""]


@pytest.mark.parametrize("head", [SOLOHead, DecoupledSOLOHead])
def test_an_awakened_head_finds_things(head):
    torch.manual_seed(0)
    built = head(channels_in=16, channels=16, classes=3, grids=(8, 6, 4, 3, 2), convolutions=1)
    model = SOLO(slim_pyramid(width=8, channels=16), built).eval()
    image = torch.nn.functional.interpolate(torch.rand(1, 3, 4, 6), size=(64, 96), mode="bilinear")[0]
    with torch.no_grad():
        assert len(model([image])[0]["scores"]) == 0
        solo.awaken(model, image, candidates=60)
        output = model.head(model.pyramid(model.prepare([image]).tensor))
        passing = sum((logits.sigmoid() > 0.1).sum().item() for logits in output.categories)
        assert abs(passing - 60) <= 3, "by rounding, one at the threshold may fall on either side"
        assert len(model([image])[0]["scores"]) > 0


def test_the_parts_do_their_work(monkeypatch):
    monkeypatch.setattr(solo, "SIZE", (128, 192))
    monkeypatch.setattr(solo, "MASKS", (16, 24))
    levels = solo.assignment()()
    assert [tuple(level.masks.shape[1:]) for level in levels] == [(32, 48)] * 2 + [(16, 24), (8, 12), (8, 12)]
    assert sum(len(level.cells) for level in levels) > 15
    alone, together = solo.matrix_nms(80)(), solo.matrix_nms(1)()
    assert alone.shape == together.shape == (500,) and together.sum() < alone.sum() < 500 * 1.1 / 2
    with pytest.raises(AssertionError, match="not 100 of"):
        solo.hundred([{"masks": torch.zeros(99, 1, 128, 192)}])
