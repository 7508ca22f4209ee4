"""torchvision's Mask R-CNN files: today's names and older ones, put in their places and found there again."""

import os
import pickle
import re

import pytest
import torch
from torch import Tensor
from torchvision.models.detection import maskrcnn_resnet50_fpn

from lessons import zoo
from lessons.checkpoints import torchvision
from lessons.errors import DataError
from lessons.mask_rcnn.model import MaskRCNN

CONFIG = "mask-rcnn-r50-fpn-torchvision"
CATEGORY = "roi_heads.box_predictor.cls_score"
DELTAS = "roi_heads.box_predictor.bbox_pred"
COUNTER = "num_batches_tracked"
MASKS = "roi_heads.mask_predictor.mask_fcn_logits"


@pytest.fixture(scope="module")
def entries() -> dict[str, Tensor]:
    """The state dict of torchvision's own model, random also where it begins with zeros and ones."""
    torch.manual_seed(0)
    theirs = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None).state_dict()
    return {
        name: torch.rand_like(entry) if entry.ndim == 1 else entry
        for name, entry in theirs.items()
        if not name.endswith(COUNTER)  # which trained files, whose normalisation is frozen, do not have
    }


@pytest.fixture(scope="module")
def model(entries: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> MaskRCNN:
    """Ours, with torchvision's numbers, read from a file."""
    path = tmp_path_factory.mktemp("torchvision") / "model.pth"
    torch.save(entries, path)
    built = zoo.build(CONFIG)
    torchvision.load(built, path)
    path.unlink()
    return built


def small(name: str) -> bool:
    """An entry that a test may well write to a file."""
    return name.startswith("rpn.")


def test_their_names_of_our_entries_are_all_of_theirs(model, entries):
    names = torchvision.LAYOUT.names(model)
    assert set(names.values()) == set(entries) and len(names) == len(entries)


def test_every_entry_is_in_its_place(model, entries):
    turned = {DELTAS: 4, MASKS: 1}  # rows of background
    for ours, theirs in torchvision.LAYOUT.names(model).items():
        rows = turned.get(theirs.rsplit(".", 1)[0], 0)
        assert torch.equal(model.state_dict()[ours], entries[theirs][rows:]), ours


def test_background_stays_first_and_has_neither_box_nor_mask(model, entries):
    head = model.box_branch.head
    assert torch.equal(head.category.weight, entries[f"{CATEGORY}.weight"]) and len(head.category.bias) == 91
    boxes = entries[f"{DELTAS}.weight"].unflatten(0, (91, 4))
    assert torch.equal(head.deltas.weight.unflatten(0, (90, 4)), boxes[1:])
    assert torch.equal(model.mask_branch.head.masks.bias, entries[f"{MASKS}.bias"][1:])


def test_there_and_back_again(model, entries):
    """From our model a state dict that torchvision's own takes; background's rows are those it had."""
    names, state = torchvision.LAYOUT.names(model), model.state_dict()
    back = {}
    for ours, theirs in names.items():
        missing = len(entries[theirs]) - len(state[ours]) if state[ours].ndim else 0
        back[theirs] = torch.cat([entries[theirs][:missing], state[ours]])
    assert all(torch.equal(back[name], entry) for name, entry in entries.items())
    with torch.device("meta"):
        again = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None)
    missing, extra = again.load_state_dict(back, strict=False, assign=True)
    assert not extra and all(name.endswith(COUNTER) for name in missing)


# What files from before torchvision 0.13 have instead of today's names, as its documentation of them says.
OLDER = (
    (r"backbone\.fpn\.(inner|layer)_blocks\.(\d)\.0\.(.*)", r"backbone.fpn.\1_blocks.\2.\3"),
    (r"rpn\.head\.conv\.0\.0\.(.*)", r"rpn.head.conv.\1"),
    *(
        (rf"roi_heads\.mask_head\.{number}\.0\.(.*)", rf"roi_heads.mask_head.mask_fcn{number + 1}.\1")
        for number in range(4)
    ),
)


def older_name(name: str) -> str:
    for pattern, template in OLDER:
        if re.fullmatch(pattern, name):
            return re.sub(pattern, template, name)
    return name


def test_older_names_mean_the_same(entries):
    older = {older_name(name): entry for name, entry in entries.items()}
    changed = set(older) - set(entries)
    assert len(changed) == 16 + 2 + 8 and len(older) == len(entries)
    for name in (
        "backbone.fpn.inner_blocks.3.bias",
        "rpn.head.conv.weight",
        "roi_heads.mask_head.mask_fcn4.bias",
    ):
        assert name in changed
    todays = torchvision.todays_names(older)
    assert todays.keys() == entries.keys()
    assert all(todays[name] is entry for name, entry in entries.items())
    assert torchvision.todays_names(entries).keys() == entries.keys(), "today's names stay"


def test_a_file_with_older_names_is_read(model, entries, tmp_path):
    expected = {name: entry.clone() for name, entry in model.state_dict().items()}
    with torch.no_grad():
        for entry in model.state_dict().values():
            entry.zero_()
    torch.save({older_name(name): entry for name, entry in entries.items()}, tmp_path / "older.pth")
    torchvision.load(model, tmp_path / "older.pth")
    (tmp_path / "older.pth").unlink()
    for name, entry in model.state_dict().items():
        assert torch.equal(entry, expected[name]), name


def test_torchvision_itself_reads_the_older_names(entries):
    """So that the table above is not only ours."""
    older = {older_name(name): entry for name, entry in entries.items()}
    with torch.device("meta"):
        theirs = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None)
    _, extra = theirs.load_state_dict(older, strict=False, assign=True)
    assert not extra
    for name, entry in entries.items():
        assert torch.equal(theirs.state_dict()[name], entry), name


def test_batches_counted_by_a_plain_batchnorm_are_passed_over(model, entries):
    counted = {**entries, "backbone.body.bn1.num_batches_tracked": torch.tensor(7)}
    torchvision.LAYOUT.put(model, counted, "counted.pth")


def refusal(model: MaskRCNN, entries: dict[str, Tensor]) -> str:
    """The sentence with which entries are refused; the model must be left as it was."""
    before = {name: entry.clone() for name, entry in model.state_dict().items() if small(name)}
    with pytest.raises(DataError) as caught:
        torchvision.LAYOUT.put(model, torchvision.todays_names(entries), "other.pth")
    assert all(torch.equal(model.state_dict()[name], entry) for name, entry in before.items())
    text = str(caught.value)
    assert text.startswith("other.pth does not fit this model") and "\n" not in text and text.endswith(".")
    return text


@pytest.mark.parametrize("name", [f"{DELTAS}.bias", "rpn.head.conv.0.0.weight", "backbone.body.bn1.bias"])
def test_an_entry_is_missing(model, entries, name):
    changed = {other: entry + 1 for other, entry in entries.items() if other != name}
    assert f"1 missing: {name}" in refusal(model, changed)


def test_an_entry_too_many(model, entries):
    assert "1 extra: roi_heads.keypoint.weight" in refusal(
        model, {**entries, "roi_heads.keypoint.weight": torch.zeros(1)}
    )


def test_another_number_of_classes_is_said(model):
    with torch.device("meta"):  # shapes are enough to refuse
        theirs = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=3)
    text = refusal(model, dict(theirs.state_dict()))
    assert f"6 of another shape: {CATEGORY}.weight (3×1024, not 91×1024)" in text and "…" in text


@pytest.mark.parametrize("shape", [(), (3,)])
def test_an_entry_of_another_shape(model, entries, shape):
    assert f"1 of another shape: {MASKS}.bias" in refusal(
        model, {**entries, f"{MASKS}.bias": torch.zeros(shape)}
    )


class Program:
    """A pickle of it runs a command when it is read."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_a_program_is_refused_and_does_not_run(model, tmp_path):
    trace, path = tmp_path / "trace", tmp_path / "evil.pth"
    torch.save({"rpn.head.conv.0.0.weight": Program(f"echo ran > {trace}")}, path)
    with pytest.raises(DataError, match=r"evil\.pth is no checkpoint, or asks for more than tensors"):
        torchvision.load(model, path)
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.exists(), "read without care, it does run"


def test_damaged_wrong_and_missing_files(model, entries, tmp_path):
    path = tmp_path / "some.pth"
    torch.save({name: entry for name, entry in entries.items() if small(name)}, path)
    whole = path.read_bytes()
    for content in (
        b"",
        whole[:100],
        whole[: len(whole) // 2],
        whole[:-1],
        b"<html>404</html>",
        pickle.dumps([1], protocol=2),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"some\.pth") as caught:
            torchvision.load(model, path)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"nowhere\.pth does not exist"):
        torchvision.load(model, tmp_path / "nowhere.pth")
    torch.save([torch.zeros(1)], path)
    with pytest.raises(DataError, match=r"some\.pth holds no state_dict of tensors"):
        torchvision.load(model, path)


def test_a_state_dict_inside_a_training_file_is_found(model, entries, tmp_path):
    part = {name: entry for name, entry in entries.items() if small(name)}
    torch.save({"state_dict": part, "epoch": 3}, tmp_path / "part.pth")
    with pytest.raises(
        DataError, match=rf"{len(entries) - len(part)} missing: backbone\.body\.conv1\.weight"
    ):
        torchvision.load(model, tmp_path / "part.pth")
