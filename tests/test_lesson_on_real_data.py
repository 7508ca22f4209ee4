"""Lesson 01 on the real PASCAL VOC: the notebook unchanged, and the numbers that its text states of it."""

from pathlib import Path

import nbformat
import pytest
import torch

from lessons import boxes, runner
from lessons.data import VOCInstances
from lessons.runner.hygiene import MARK, text_of

pytestmark = pytest.mark.real
LESSON = runner.NOTEBOOKS / "01_voc_instances.ipynb"


def marked(notebook) -> list[str]:
    """The text output of each cell that nbval compares."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and MARK in cell.source]
    return ["".join(text_of(output) for output in cell.outputs) for cell in cells]


def test_lesson_runs_unchanged(real_data: Path, monkeypatch: pytest.MonkeyPatch):
    stored = LESSON.read_bytes()
    monkeypatch.setenv("LESSONS_VOC_ROOT", str(real_data / "VOC2007"))
    notebook = runner.execute(LESSON)  # raises where a cell raises or writes to stderr
    text = "\n".join(
        text_of(output) for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs
    )
    assert "VOC2007 train: 20 images, 60 objects, 60 instances: no problems" in text
    assert "0 of 20 pictures with differing counts" in text
    committed = nbformat.reads(stored.decode("utf-8"), as_version=4)
    assert marked(notebook) == marked(committed), "a marked cell depends on the data set"
    assert LESSON.read_bytes() == stored, "the lesson was written back"


def test_numbers_that_the_text_states(real_data: Path):
    real = VOCInstances(real_data / "VOC2007", "train")
    right, untouched = [], []
    for position in range(len(real)):
        target = real.read_target(position)
        as_written = target["boxes_xml"] + torch.tensor([1.0, 1, 0, 0])
        right.append(boxes.iou(target["boxes"], target["boxes_xml"]).diagonal())
        untouched.append(boxes.iou(target["boxes"], as_written).diagonal())
    means = [f"{torch.cat(ious).mean():.3f}" for ious in (right, untouched)]
    assert means == ["0.845", "0.859"]
    text = LESSON.read_text(encoding="utf-8")
    assert all(f"to {mean}" in text for mean in means)
