"""Damaged VOC sets: one sentence that names the file when read, one row when checked, and nothing lost."""

import errno
import hashlib
import re

import numpy as np
import pytest
from PIL import Image
from tiny_sets import TinyVOC, annotation_xml, indices_of, object_xml, write_mask

from lessons.data import VOCInstances
from lessons.errors import DataError, LessonsError

BOMB = '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;&b;">]><annotation>&c;</annotation>'
OUTSIDE = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><annotation>&b;</annotation>'


def overwrite(path, content: bytes | str):
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


# damage, the kind in the report, the file that must be named, and words of the sentence
DAMAGES = {
    "no picture": (lambda v: v.image("b").unlink(), "missing file", "b.jpg", "is missing"),
    "no mask": (lambda v: v.mask("b").unlink(), "missing file", "b.png", "is missing"),
    "no XML": (lambda v: v.xml("b").unlink(), "missing file", "b.xml", "is missing"),
    "cut picture": (lambda v: cut(v.image("b")), "unreadable image", "b.jpg", "cannot be decoded"),
    "empty picture": (
        lambda v: overwrite(v.image("b"), ""), "unreadable image", "b.jpg", "cannot be decoded",
    ),
    "cut mask": (lambda v: cut(v.mask("b")), "unreadable mask", "b.png", "cannot be decoded"),
    "coloured mask": (
        lambda v: Image.new("RGB", (30, 20), (1, 2, 3)).save(v.mask("b")),
        "unreadable mask", "b.png", "palette",
    ),
    "not XML": (lambda v: overwrite(v.xml("b"), "dog, 5, 4"), "bad XML", "b.xml", "not valid XML"),
    "empty XML": (lambda v: overwrite(v.xml("b"), ""), "bad XML", "b.xml", "not valid XML"),
    "odd encoding": (
        lambda v: overwrite(v.xml("b"), '<?xml version="1.0" encoding="none"?><annotation/>'),
        "bad XML", "b.xml", "not valid XML",
    ),
    "expanding entities": (lambda v: overwrite(v.xml("b"), BOMB), "bad XML", "b.xml", "entities"),
    "entity from outside": (lambda v: overwrite(v.xml("b"), OUTSIDE), "bad XML", "b.xml", "entities"),
    "other XML": (lambda v: overwrite(v.xml("b"), "<html/>"), "bad XML", "b.xml", "no VOC annotation"),
    "unknown class": (
        lambda v: overwrite(v.xml("b"), annotation_xml(object_xml("unicorn"))),
        "unknown class", "b.xml", "'unicorn'",
    ),
    "no class": (
        lambda v: overwrite(v.xml("b"), annotation_xml(object_xml(""))),
        "unknown class", "b.xml", "the class ''",
    ),
    "larger mask": (
        lambda v: write_mask(v.mask("b"), indices_of((4, 3, 10, 9), size=(40, 60))),
        "size mismatch", "b.jpg", "20×30",
    ),
    "index without object": (
        lambda v: write_mask(v.mask("b"), indices_of((4, 3, 10, 9), (11, 3, 12, 4))),
        "instance without object", "b.png", "instance 2",
    ),
    "high index": (
        lambda v: write_mask(v.mask("b"), np.full((20, 30), 254, dtype=np.uint8)),
        "instance without object", "b.png", "instance 254",
    ),
}  # fmt: skip


@pytest.fixture
def voc(tmp_path):
    return TinyVOC(tmp_path / "my süd folder").add("a").add("b").add("c")


def digest(root):
    return {path: hashlib.md5(path.read_bytes()).digest() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named_listed_and_local(voc, name):
    damage, kind, file, words = DAMAGES[name]
    damage(voc)
    before = digest(voc.root)
    dataset = VOCInstances(voc.root, "train")
    with pytest.raises(DataError) as caught:
        dataset[1]
    message = str(caught.value)
    assert file in message and words in message and "\n" not in message and message.endswith(".")
    report = dataset.check(progress=False)
    assert not report.ok and len(report.aspect_ratios) == report.images == 3
    row = next(problem for problem in report.problems if problem.kind == kind)
    assert (row.image, row.file, row.severity) == ("b", file, "error") and words in row.message
    assert {problem.image for problem in report.problems} == {"b"}
    assert len(dataset[0][1]["boxes"]) == len(dataset[2][1]["boxes"]) == 1
    assert digest(voc.root) == before


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 0), (9, 4, 5, 9), (-9, -9, -2, -2), ("x", 1, 2, 3), ("nan", 1, 2, 3), ("", 1, 2, 3)]
)
def test_bad_box_matters_only_where_it_is_used(voc, box):
    overwrite(voc.xml("b"), annotation_xml(object_xml(box=box)))
    dataset = VOCInstances(voc.root, "train")
    target = dataset[1][1]
    assert target["boxes"].tolist() == [[4, 3, 10, 9]] and np.isfinite(target["boxes_xml"].numpy()).all()
    assert [(p.kind, p.file, p.severity) for p in dataset.check(progress=False).problems] == [
        ("bad box", "b.xml", "error")
    ]
    with pytest.raises(DataError, match=r"b\.xml: a dog has"):
        VOCInstances(voc.root, "train", boxes="xml")[1]


def test_box_over_the_edge_and_wrong_stated_size_are_notes(voc):
    overwrite(voc.xml("b"), annotation_xml(object_xml(box=(0, 4, 31, 9)), size=(5, 5)))
    report = VOCInstances(voc.root, "train").check(progress=False)
    assert report.ok and {p.kind for p in report.problems} == {"box over the edge", "size mismatch"}


def test_box_of_one_pixel_is_right(voc):
    voc.add("d", indices_of((4, 3, 5, 4)), (object_xml(box=(5, 4, 5, 4)),))
    dataset = VOCInstances(voc.root, "train")
    assert dataset.check(progress=False).problems == ()
    assert VOCInstances(voc.root, "train", boxes="xml")[3][1]["boxes"].tolist() == [[4, 3, 5, 4]]


@pytest.mark.parametrize("value", [0, 255])
def test_empty_mask_is_listed(voc, value):
    write_mask(voc.mask("b"), np.full((20, 30), value, dtype=np.uint8))
    dataset = VOCInstances(voc.root, "train")
    assert dataset[1][1]["boxes"].shape == (0, 4)
    assert [(p.kind, p.file) for p in dataset.check(progress=False).problems] == [("empty mask", "b.png")]


def test_many_problems_are_all_listed(voc):
    voc.image("a").unlink()
    overwrite(voc.xml("b"), "<")
    write_mask(voc.mask("c"), np.zeros((20, 30), dtype=np.uint8))
    report = VOCInstances(voc.root, "train").check(workers=2, progress=False)
    assert [(p.image, p.kind) for p in report.problems] == [
        ("a", "missing file"), ("b", "bad XML"), ("c", "empty mask"),
    ]  # fmt: skip
    assert np.isnan(report.aspect_ratios[0]) and report.aspect_ratios[1:] == (20 / 30, 20 / 30)


def test_report_is_one_aligned_table(voc):
    overwrite(voc.xml("b"), annotation_xml(object_xml("<b>unicorn</b>".replace("<", "&lt;"))))
    cut(voc.image("c"))
    report = VOCInstances(voc.root, "train").check(progress=False)
    summary, blank, head, rule, *rows = str(report).splitlines()
    assert "3 images" in summary and "2 errors" in summary and blank == "" and len(rows) == 2
    column = head.index("message")
    assert all(row[column - 2 : column] == "  " and row[column] != " " for row in (rule, *rows))
    html = report._repr_html_()
    assert "<b>" not in html and "&lt;b&gt;unicorn" in html and html.count("<tr>") == 3


def test_duplicate_id_is_taken_once_and_listed(voc):
    voc.list().write_text("a\nb\na\nc\n")
    with pytest.warns(UserWarning, match=r"train\.txt lists a more than once"):
        dataset = VOCInstances(voc.root, "train")
    assert dataset.ids == ["a", "b", "c"]
    report = dataset.check(progress=False)
    assert [(p.image, p.kind, p.file) for p in report.problems] == [("a", "duplicate id", "train.txt")]
    assert not report.ok


@pytest.mark.parametrize("text", ["", "\n  \n", "a -1\n"])
def test_empty_list(voc, text):
    voc.image("a").rename(voc.image("z"))
    voc.list().write_text(text)
    with pytest.raises(DataError, match=r"train\.txt lists no images"):
        VOCInstances(voc.root, "train")


@pytest.mark.parametrize("name", ["../../secret", "/etc/hostname"])
def test_list_that_leads_out(voc, name):
    voc.list().write_text(f"a\n{name}\n")
    with pytest.raises(DataError, match=rf"train\.txt lists '{re.escape(name)}'"):
        VOCInstances(voc.root, "train")


def test_list_that_is_no_text(voc):
    voc.list().write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(DataError, match=r"train\.txt is not UTF-8"):
        VOCInstances(voc.root, "train")


def test_no_such_folder_or_split(voc, tmp_path):
    with pytest.raises(DataError, match=r"nowhere is no folder"):
        VOCInstances(tmp_path / "nowhere", "train")
    with pytest.raises(DataError, match="holds no ImageSets/Segmentation"):
        VOCInstances(voc.root / "JPEGImages", "train")
    with pytest.raises(DataError, match=r"val\.txt is missing: choose a split that is there \(train\)"):
        VOCInstances(voc.root, "val")


def test_wrong_options(voc):
    with pytest.raises(LessonsError, match="boxes is 'both'"):
        VOCInstances(voc.root, "train", boxes="both")
    with pytest.raises(LessonsError, match="unlabelled is 'skip'"):
        VOCInstances(voc.root, "train", unlabelled="skip")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_cache_that_cannot_be_written_warns_and_goes_on(voc, monkeypatch, own_cache, number):
    def full(*arguments):
        raise OSError(number, "No space left on device")

    monkeypatch.setattr("lessons.files.os.fsync", full)
    before = digest(voc.root)
    dataset = VOCInstances(voc.root, "train")
    with pytest.warns(
        UserWarning, match=r"\.json could not be written \(No space left on device\)"
    ) as caught:
        assert dataset.sizes() == [(20, 30)] * 3
    assert len(caught) == 1
    with pytest.warns(UserWarning, match="could not be written"):
        assert dataset.check(progress=False).ok
    assert digest(voc.root) == before
    assert not [path for path in own_cache.rglob("*") if path.is_file()]  # no half file is left


def test_cache_folder_that_is_a_file(voc, monkeypatch, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.write_text("mine")
    monkeypatch.setenv("LESSONS_CACHE", str(blocked))
    with pytest.warns(UserWarning, match="could not be written"):
        assert VOCInstances(voc.root, "train").sizes() == [(20, 30)] * 3
    assert blocked.read_text() == "mine"
