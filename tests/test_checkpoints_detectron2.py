"""Files of detectron2's model zoo: read without running anything, and put in their places."""

import os
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from functools import partial

import numpy as np
import pytest
import torch
from golden_detectron2 import manifest, official_file

from lessons.backbones import resnet_pyramid
from lessons.checkpoints import detectron2
from lessons.errors import DataError, LessonsError
from lessons.mask_rcnn.box_head import BoxBranch
from lessons.mask_rcnn.mask_head import MaskBranch
from lessons.mask_rcnn.model import MaskRCNN
from lessons.mask_rcnn.rpn import RPN
from lessons.point_rend.mask_branch import PointRendBranch

CATEGORY = "roi_heads.box_predictor.cls_score"
STEM = "backbone.bottom_up.stem.conv1"


@pytest.fixture(scope="module")
def model() -> MaskRCNN:
    """Of the official parts, but slim: 16 channels instead of 256."""
    return build()


def build() -> MaskRCNN:
    backbone = resnet_pyramid(50, width=4, channels=16, stride_in_1x1=True)
    branches = BoxBranch(16, 5, hidden=32), MaskBranch(16, 5, hidden=16)
    return MaskRCNN(backbone, RPN(16), *branches)


@pytest.fixture
def entries(model: MaskRCNN) -> dict[str, np.ndarray]:
    """What a file of such a model would hold: every number another."""
    draw, state = np.random.default_rng(0), model.state_dict()
    return {
        theirs: draw.standard_normal(tuple(state[ours].shape)).astype(np.float32)
        for ours, theirs in detectron2.LAYOUT.names(model).items()
    }


def copied(model: MaskRCNN) -> dict[str, torch.Tensor]:
    return {name: entry.clone() for name, entry in model.state_dict().items()}


def unchanged(model: MaskRCNN, before: Mapping[str, torch.Tensor]) -> bool:
    return all(torch.equal(entry, before[name]) for name, entry in model.state_dict().items())


def one_sentence(error: Exception) -> bool:
    text = str(error)
    return "\n" not in text and text.endswith(".") and ". " not in text


def test_our_names_of_the_whole_model_are_the_official_ones():
    with torch.device("meta"):
        full = MaskRCNN(
            resnet_pyramid(50, stride_in_1x1=True), RPN(256), BoxBranch(256, 80), MaskBranch(256, 80)
        )
    names, state = detectron2.LAYOUT.names(full), full.state_dict()
    assert {theirs: tuple(state[ours].shape) for ours, theirs in names.items()} == manifest()


def test_every_entry_finds_its_place(model, entries, tmp_path):
    detectron2.load(model, official_file(tmp_path / "a.pkl", entries))
    for ours, theirs in detectron2.LAYOUT.names(model).items():
        if CATEGORY not in theirs and not theirs.startswith(f"{STEM}.weight"):
            assert np.array_equal(model.state_dict()[ours].numpy(), entries[theirs]), ours


def test_background_comes_first_and_colours_are_reversed(model, entries, tmp_path):
    detectron2.load(model, official_file(tmp_path / "a.pkl", entries))
    category = model.box_branch.head.category
    for ours, theirs in (
        (category.weight, entries[f"{CATEGORY}.weight"]),
        (category.bias, entries[f"{CATEGORY}.bias"]),
    ):
        assert np.array_equal(ours[0].detach().numpy(), theirs[5]), "background"
        assert np.array_equal(ours[1:].detach().numpy(), theirs[:5]), "classes"
    kernel = model.backbone.body.conv1.weight.detach().numpy()  # (outputs, colours, 7, 7)
    for colour in range(3):
        assert np.array_equal(kernel[:, colour], entries[f"{STEM}.weight"][:, 2 - colour])


class OldArray:
    """Pickles as an array did under Python 2: its bytes are a text, which only latin-1 gives back."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __reduce__(self):
        rebuild, arguments, state = self.array.__reduce__()
        return rebuild, arguments, (*state[:-1], state[-1].decode("latin1"))


class Python2Pickler(pickle._Pickler):
    """Writes texts of latin-1 as Python 2 wrote its `str`, one byte a character."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_str(self, text: str) -> None:
        data = text.encode("latin1")
        self.write(pickle.BINSTRING + len(data).to_bytes(4, "little") + data)
        self.memoize(text)

    dispatch[str] = save_str


def test_a_file_written_by_python_2(model, entries, tmp_path):
    path = tmp_path / "old.pkl"
    with path.open("wb") as file:
        content = {
            "model": {name: OldArray(entry) for name, entry in entries.items()},
            "__author__": "Caffe2",
        }
        Python2Pickler(file, protocol=2).dump(content)
    with pytest.raises(UnicodeDecodeError):
        pickle.loads(path.read_bytes())  # as it would be read without being told
    found = detectron2.read(path)
    assert found.keys() == entries.keys()
    assert all(np.array_equal(found[name].numpy(), entry) for name, entry in entries.items())


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_all_protocols_and_ordered_dicts_are_read(entries, tmp_path, protocol):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"model": OrderedDict(entries)}, protocol=protocol))
    found = detectron2.read(path)
    assert all(np.array_equal(found[name].numpy(), entry) for name, entry in entries.items())
    assert found.keys() == entries.keys()
    found["proposal_generator.rpn_head.conv.bias"].add_(1)  # our own memory, writable


def test_what_old_files_hold_besides_is_passed_over(model, entries, tmp_path):
    before = official_file(tmp_path / "new.pkl", entries)
    detectron2.load(model, before)
    expected = copied(model)
    cells = "proposal_generator.anchor_generator.cell_anchors"
    entries |= {f"{cells}.{level}": np.zeros((3, 4), np.float32) for level in range(5)}
    entries |= {name: np.zeros((3, 1, 1), np.float32) for name in ("pixel_mean", "pixel_std")}
    other = build()
    detectron2.load(other, official_file(tmp_path / "old.pkl", entries))
    assert unchanged(other, expected)


def test_missing_statistics_are_those_that_change_nothing(model, entries, tmp_path):
    names = detectron2.LAYOUT.names(model)
    fewer = {name: entry for name, entry in entries.items() if "running" not in name}
    assert len(fewer) < len(entries)
    detectron2.load(model, official_file(tmp_path / "a.pkl", fewer))
    for ours, entry in model.state_dict().items():
        if "running_mean" in ours:
            assert (entry == 0).all(), names[ours]
        if "running_var" in ours:
            assert (entry == 1).all(), names[ours]
    assert np.array_equal(model.backbone.body.bn1.weight.detach().numpy(), entries[f"{STEM}.norm.weight"]), (
        "what is there is taken"
    )


class Program:
    """A pickle of it runs a function when it is read."""

    def __init__(self, function, *arguments) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("place", ["beside the model", "an entry", "inside an array", "instead of all"])
def test_a_program_is_refused_and_does_not_run(entries, tmp_path, place):
    trace, path = tmp_path / "trace", tmp_path / "evil.pkl"
    program = Program(os.system, f"echo ran > {trace}")
    inside = np.empty(1, dtype=object)
    inside[0] = program
    content = {
        "beside the model": {"model": entries, "__author__": program},
        "an entry": {"model": {**entries, "pixel_mean": program}},
        "inside an array": {"model": {**entries, "pixel_mean": inside}},
        "instead of all": program,
    }[place]
    path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(DataError, match=r"evil\.pkl asks for more than arrays.*system.*refused") as caught:
        detectron2.read(path)
    assert not trace.exists()
    assert one_sentence(caught.value)
    pickle.loads(path.read_bytes())
    assert trace.exists(), "read without care, it does run"


@pytest.mark.parametrize(
    "function", [eval, exec, getattr, partial, np.load, np.fromfile, torch.load, pickle.loads, bytearray]
)
def test_no_other_function_is_reached(tmp_path, function):
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps({"model": Program(function, "1")}, protocol=2))
    with pytest.raises(DataError, match="refused"):
        detectron2.read(path)


def test_arrays_of_objects_are_no_weights(entries, tmp_path):
    entries["pixel_mean"] = np.array([None, "text"], dtype=object)
    with pytest.raises(DataError, match=r"a\.pkl holds no model of arrays"):
        detectron2.read(official_file(tmp_path / "a.pkl", entries))


def test_a_truncated_file_says_so(entries, tmp_path):
    path = official_file(tmp_path / "short.pkl", entries)
    whole = path.read_bytes()
    for size in (0, 1, 20, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"short\.pkl cannot be read .*download it again") as caught:
            detectron2.read(path)
        assert one_sentence(caught.value)


@pytest.mark.parametrize("content", [[1, 2], {"state": {}}, {"model": [1]}, {"model": {"a": 3}}, 7])
def test_a_pickle_of_something_else(tmp_path, content):
    path = tmp_path / "other.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=r"other\.pkl holds no model of arrays"):
        detectron2.read(path)


def test_a_wrong_or_a_missing_file(model, tmp_path):
    before = copied(model)
    text = tmp_path / "page.pkl"
    text.write_text("<html>404 not found</html>", encoding="utf-8")
    with pytest.raises(DataError, match=r"page\.pkl"):
        detectron2.load(model, text)
    torch.save({"a": torch.zeros(1)}, tmp_path / "torch.pkl")
    with pytest.raises(DataError, match=r"torch\.pkl"):
        detectron2.load(model, tmp_path / "torch.pkl")
    with pytest.raises(DataError, match=r"nowhere\.pkl does not exist"):
        detectron2.load(model, tmp_path / "nowhere.pkl")
    with pytest.raises(DataError, match=str(tmp_path.name)):
        detectron2.load(model, tmp_path)  # a folder
    assert unchanged(model, before)


def without(entries: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: entry for name, entry in entries.items() if name != f"{CATEGORY}.bias"}


def with_more(entries: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {**entries, "roi_heads.mask_head.mask_fcn5.weight": np.zeros(3, np.float32)}


def misshapen(entries: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {**entries, f"{CATEGORY}.bias": np.zeros(81, np.float32)}


def of_a_number(entries: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {**entries, f"{CATEGORY}.bias": np.zeros((), np.float32)}


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (without, rf"1 missing: {CATEGORY}\.bias"),
        (with_more, r"1 extra: roi_heads\.mask_head\.mask_fcn5\.weight"),
        (misshapen, rf"1 of another shape: {CATEGORY}\.bias \(81, not 6\)"),
        (of_a_number, rf"1 of another shape: {CATEGORY}\.bias \(a number, not 6\)"),
    ],
)
def test_a_file_that_does_not_fit_changes_nothing(model, entries, tmp_path, spoil, sentence):
    before = copied(model)
    path = official_file(tmp_path / "other.pkl", spoil(entries))
    with pytest.raises(DataError, match=sentence) as caught:
        detectron2.load(model, path)
    assert "other.pkl does not fit this model" in str(caught.value) and one_sentence(caught.value)
    assert unchanged(model, before)


def test_a_model_that_was_never_published(entries, tmp_path):
    branches = BoxBranch(16, 5, hidden=32), MaskBranch(16, 5, hidden=16, convolutions=5)
    deeper = MaskRCNN(resnet_pyramid(50, width=4, channels=16), RPN(16), *branches)
    with pytest.raises(LessonsError, match=r"mask_branch\.head\.convs\.4\.weight has no place"):
        detectron2.load(deeper, official_file(tmp_path / "a.pkl", entries))


def test_numbers_of_half_precision_are_read(model, entries, tmp_path):
    entries = {name: entry.astype(np.float16) for name, entry in entries.items()}
    detectron2.load(model, official_file(tmp_path / "half.pkl", entries))
    assert model.rpn.head.conv.weight.dtype == torch.float32
    expected = entries["proposal_generator.rpn_head.conv.weight"].astype(np.float32)
    assert np.array_equal(model.rpn.head.conv.weight.detach().numpy(), expected)


# ----------------------------------------------------------------------------------------------- PointRend

GENERATIONS = {  # of key names: what today's are called in each
    "January 2020": (
        ("roi_heads.mask_head.coarse_head.fc", "roi_heads.mask_coarse_head.coarse_mask_fc"),
        ("roi_heads.mask_head.coarse_head.", "roi_heads.mask_coarse_head."),
        ("roi_heads.mask_head.point_head.", "roi_heads.mask_point_head."),
    ),
    "November 2020": (
        ("roi_heads.mask_head.coarse_head.fc", "roi_heads.mask_head.coarse_head.coarse_mask_fc"),
    ),
    "April 2021": (),
}


@pytest.fixture(scope="module")
def point_rend() -> MaskRCNN:
    backbone = resnet_pyramid(50, width=4, channels=16, stride_in_1x1=True)
    branches = BoxBranch(16, 5, hidden=32), PointRendBranch(16, 5, hidden=32, point_hidden=16)
    return MaskRCNN(backbone, RPN(16), *branches)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_point_rend_files_of_three_generations(generation: str, point_rend: MaskRCNN, tmp_path):
    draw, state = np.random.default_rng(0), point_rend.state_dict()
    expected, entries = {}, {}
    for ours, theirs in detectron2.LAYOUT.names(point_rend).items():
        entry = draw.standard_normal(tuple(state[ours].shape)).astype(np.float32)
        if ours.startswith("mask_branch"):
            expected[ours] = entry
        for today, then in GENERATIONS[generation]:
            theirs = theirs.replace(today, then)
        entries[theirs] = entry
    mask_names = [name for name in entries if ".mask" in name]
    assert len(mask_names) == 16 and any("coarse_mask_fc1" in name for name in mask_names) == (
        generation != "April 2021"
    )
    detectron2.load(point_rend, official_file(tmp_path / "a.pkl", entries))
    assert len(expected) == 16
    for name, entry in expected.items():
        assert np.array_equal(point_rend.state_dict()[name].numpy(), entry), name


def test_a_point_rend_file_is_no_mask_rcnn(model: MaskRCNN, point_rend: MaskRCNN, tmp_path):
    state = point_rend.state_dict()
    entries = {theirs: state[ours].numpy() for ours, theirs in detectron2.LAYOUT.names(point_rend).items()}
    before = copied(model)
    with pytest.raises(DataError, match=r"coarse_head|mask_fcn1"):
        detectron2.load(model, official_file(tmp_path / "a.pkl", entries))
    assert unchanged(model, before)
