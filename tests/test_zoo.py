"""From a name to a model: the official numbers, small models, weights that are missing or wrong."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import golden_solo
import pytest
import safetensors.torch
import torch
from test_solo_inference import recorded_masks
from web_server import Server

import lessons
from lessons import configs, zoo
from lessons.backbones import resnet_pyramid
from lessons.checkpoints import backbone, detectron2, ours
from lessons.data import COCO_CATEGORY_IDS, COCO_CLASSES, VOC_CLASSES
from lessons.errors import DataError, LessonsError
from lessons.solo.decode import Decoding
from lessons.training import Recipe

NAMES = {
    "solo_r50": "solo-r50",
    "decoupled_r50": "decoupled-solo-r50",
    "decoupled_light_r50": "decoupled-solo-light-r50",
}
TINY = """
extends = "solo-mini"
[model]
scale_ranges = [[1, 64], [40, 128], [88, 2048]]
[model.backbone]
width = 16
levels = 3
channels = 16
[model.head]
channels_in = 16
channels = 16
grids = [8, 6, 4]
convolutions = 1
[test]
resize = [64, 96]
smallest_areas = [8, 8, 8]
[weights]
file = "weights.safetensors"
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """The config file of a tiny model, its weights beside it."""
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    torch.manual_seed(0)
    ours.save(zoo.build(path), tmp_path / "weights.safetensors", {"AP": 0.5})
    return path


# ------------------------------------------------------------------------------------------- official models


# test_solo_inference.py has both kinds for each family, step by step.
@pytest.mark.parametrize(
    ("family", "kind"),
    [("solo_r50", "resize"), ("decoupled_r50", "native"), ("decoupled_light_r50", "resize")],
)
def test_load_gives_the_official_numbers(family: str, kind: str, tmp_path: Path):
    path = golden_solo.official_file(family, tmp_path)
    golden = golden_solo.load(f"full_{family}_{kind}")
    long, short = map(int, golden["scale"])
    model = lessons.load(NAMES[family], weights=path, resize=(short, long) if short else None, device="cpu")
    path.unlink()
    picture = golden_solo.picture(*map(int, golden["params"]))
    found = model.predict(picture)
    assert not model.training and model.classes == COCO_CLASSES and model.name == NAMES[family]
    # The fast form adds in another order, so that equal scores may change places: pair by label and mask.
    masks, labels = recorded_masks(golden), torch.from_numpy(golden["labels"]) + 1
    scores, areas = torch.from_numpy(golden["scores"]), torch.from_numpy(golden["areas"])
    assert len(found["scores"]) == len(scores)
    assert (found["scores"] - scores).abs().max() < 1e-3
    for number in range(len(scores)):
        # A pixel that rounding takes across 0.5 moves the mean over the mask's pixels.
        allowed = 3e-5 + 0.5 / max(areas[number].item() / 16, 1)
        near = (found["labels"] == labels[number]) & ((found["scores"] - scores[number]).abs() < allowed)
        candidates = found["masks"][near]
        other = (candidates ^ masks[number]).sum(dim=(1, 2))
        # IoU above 0.999; but of a mask of a hundred pixels one pixel at the threshold is more than that.
        ties = (0.001 * (candidates | masks[number]).sum(dim=(1, 2))).clamp(min=2)
        assert (other <= ties).any(), (number, other.tolist())


SOLOS = [name for name in configs.names() if "solo" in name]
MASK_RCNNS = [name for name in configs.names() if name.startswith("mask-rcnn")]
POINT_RENDS = [name for name in configs.names() if name.startswith("point-rend")]


def test_every_config_is_of_a_family():
    assert sorted(SOLOS + MASK_RCNNS + POINT_RENDS) == configs.names() == lessons.names()


@pytest.mark.parametrize("name", MASK_RCNNS)
def test_every_mask_rcnn_builds_what_it_says(name: str):
    config = configs.read(name)
    with torch.device("meta"):
        model = zoo.build(name)
    Recipe(**config["training"])
    zoo.augmentation(config["augmentation"])
    assert model.name == name and len(model.classes) == model.classes_count
    assert model.mask_branch.head.masks.out_channels == model.classes_count
    assert len(model.rpn.anchors.sizes) == len(model.backbone.strides), "anchors for every level"
    assert set(model.box_branch.pooler.levels) | set(model.mask_branch.pooler.levels) <= set(
        model.backbone.strides
    )
    levels = {level: torch.zeros(1, 1, 2, 2) for level in model.backbone.strides}
    assert len(model.rpn.anchors.of_levels(levels, model.backbone.strides, (128, 128))) == len(levels)
    if "detectron2" in name:
        manifest = json.loads(
            (golden_solo.GOLDEN.parent / "detectron2" / "manifest_maskrcnn.json").read_text()
        )
        assert set(detectron2.LAYOUT.names(model).values()) == set(manifest)
        recipe = Recipe(**config["training"])
        assert (recipe.iterations, recipe.steps) == (270_000, (210_000, 250_000))
        assert (recipe.warmup, recipe.warmup_ratio, recipe.learning_rate) == (1000, 0.001, 0.02)
    if "simple" in name:
        assert (model.rpn.anchors.per_place, list(model.backbone.strides)) == (9, ["c5"])
    if "torchvision" in name:
        assert (len(model.classes), model.classes[0], model.classes[11]) == (90, "person", "N/A")


@pytest.mark.parametrize("name", POINT_RENDS)
def test_every_point_rend_is_its_mask_rcnn_with_another_mask_branch(name: str):
    config, other = configs.read(name), configs.read(name.replace("point-rend", "mask-rcnn"))
    assert config["training"] == other["training"] and config["test"] == other["test"]
    given, used = config["model"]["backbone"].pop("give_c1", False), config["model"]["rpn"].pop("levels", [])
    assert given == ("mini" in name or "nuclei" in name) and "c1" not in used, "a map more, for the points"
    for part in ("backbone", "rpn", "box_branch"):
        assert config["model"][part] == other["model"][part]
    with torch.device("meta"):
        model = zoo.build(name)
    branch = model.mask_branch
    assert model.mask_boxes == "decoded" and branch.coarse.classes == model.classes_count
    assert (branch.points, branch.oversample_ratio, branch.importance_sample_ratio) == (196, 3.0, 0.75)
    if "detectron2" in name:
        manifest = json.loads(
            (golden_solo.GOLDEN.parent / "detectron2" / "manifest_pointrend.json").read_text()
        )
        state = model.state_dict()
        names = detectron2.LAYOUT.names(model)
        assert {theirs: list(state[ours].shape) for ours, theirs in names.items()} == manifest
        assert branch.side * 2**branch.subdivision_steps == 224 and branch.subdivision_points == 784


def test_a_table_that_extends_nothing_begins_anew():
    merged = configs.merge({"a": {"x": 1, "y": 2}}, {"a": {"extends": False, "y": 3}})
    assert merged == {"a": {"y": 3}}
    assert configs.merge({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}) == {"a": {"x": 1, "y": 3}}


@pytest.mark.parametrize("name", SOLOS)
def test_every_solo_builds_what_it_says(name: str):
    config = configs.read(name)
    with torch.device("meta"):  # shapes without numbers
        model = zoo.build(name)
    Recipe(**config["training"])
    zoo.augmentation(config["augmentation"])
    assert model.name == name and len(model.classes) == model.head.classes
    assert len(model.decoding.smallest_areas) == len(model.head.grids)
    if "page" not in config["weights"]:
        return
    family = f"{'decoupled_' if 'decoupled' in name else ''}{'light_' if 'light' in name else ''}r50"
    family = family if family != "r50" else "solo_r50"
    assert model.scale_ranges == tuple(map(list, golden_solo.scale_ranges(family)))
    assert model.decoding == Decoding(), "the official test values"
    assert model.resize == ((512, 852) if "light" in name else (800, 1333))
    if "r101" not in name:
        from lessons.checkpoints.solo import official_names

        theirs = set(official_names(model).values())
        assert theirs == {key for key in golden_solo.manifest(family) if "num_batches" not in key}


def test_the_official_schedules():
    epoch = -(-117_266 // 16)
    for name in SOLOS:
        config = configs.read(name)
        if "page" in config["weights"]:
            short = name.endswith("-1x")
            recipe = Recipe(**config["training"])
            assert recipe.iterations == (12 if short else 36) * epoch
            assert recipe.steps == tuple(n * epoch for n in ((9, 11) if short else (27, 33)))
            assert (recipe.optimiser, recipe.learning_rate, recipe.batch_size) == ("SGD", 0.01, 16)
            assert (recipe.warmup, round(recipe.warmup_ratio, 6), recipe.clip) == (500, 0.333333, 35)
            assert config["weights"]["file"].endswith("_1x.pth" if short else "_3x.pth")


def test_the_classes_of_coco():
    assert len(COCO_CLASSES) == len(COCO_CATEGORY_IDS) == len(set(COCO_CLASSES)) == 80
    assert dict(zip(COCO_CLASSES, COCO_CATEGORY_IDS, strict=True))["toothbrush"] == 90


@pytest.mark.real
def test_the_classes_of_coco_are_those_of_its_file(real_data: Path):
    from lessons.data import CocoInstances

    coco = CocoInstances(real_data, real_data / "coco100" / "instances_val2014_100.json")
    assert coco.classes == COCO_CLASSES and coco.category_ids == COCO_CATEGORY_IDS


# ------------------------------------------------------------------------------------------- loading


def test_import_is_instant_and_load_is_there():
    program = (
        "import sys, lessons\n"
        "assert lessons.names() and 'load' in dir(lessons)\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=golden_solo.GOLDEN.parents[2], timeout=120
    )
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        lessons.laod  # noqa: B018


def test_a_config_of_ones_own_brings_its_weights(tiny: Path):
    model = lessons.load(tiny, device="cpu")
    assert model.name == "tiny" and model.classes == VOC_CLASSES and model.resize == (64, 96)
    torch.manual_seed(0)
    fresh = zoo.build(tiny)
    assert all(torch.equal(entry, fresh.state_dict()[name]) for name, entry in model.state_dict().items())
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_test_options_replace_the_configs(tiny: Path):
    model = lessons.load(tiny, resize=None, max_detections=3, kernel="linear", device="cpu")
    assert model.resize is None
    assert model.decoding == Decoding(max_detections=3, kernel="linear", smallest_areas=(8, 8, 8))
    assert lessons.load(tiny, resize=(32, 48), device="cpu").resize == (32, 48)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"score_treshold": 0.5}, "no test option 'score_treshold' (did you mean 'score_threshold'?)"),
        ({"score_threshold": 1.5}, "score_threshold=1.5 cannot be: give a number from 0 to 1"),
        ({"max_detections": 0}, "max_detections=0"),
        ({"kernel": "gauss"}, "kernel='gauss'"),
        ({"resize": 800}, "resize=800 is no size"),
        ({"resize": (1333, 800)}, "resize=(1333, 800) is no size"),
        ({"device": "toaster"}, "device='toaster'"),
        ({"weights": "nowhere.safetensors"}, "nowhere.safetensors does not exist"),
        ({"weights": "nowhere.pth"}, "nowhere.pth does not exist"),
    ],
)
def test_what_cannot_be_is_one_sentence(tiny: Path, options: dict, said: str):
    with pytest.raises(LessonsError) as error:
        lessons.load(tiny, **options)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_an_unknown_model_names_the_nearest():
    with pytest.raises(LessonsError, match=r"'solo-r51' is no model \(did you mean 'solo-r50'\?\)"):
        lessons.load("solo-r51")
    assert {"solo-mini", "decoupled-solo-mini", "solo-r50-1x", "solo-r50-3x"} <= set(lessons.names())
    assert {"mask-rcnn-mini", "mask-rcnn-r50-fpn-detectron2", "mask-rcnn-r50-fpn-torchvision"} <= set(
        lessons.names()
    )


def test_classes_must_agree():
    config = configs.change(configs.read("solo-mini"), ["model.head.classes=3"])
    with pytest.raises(LessonsError, match=r"model\.head has 3 classes and data\.classes 20"):
        zoo.build(config)
    other = zoo.with_classes(config, ["tree", "bush"])
    assert zoo.build(other).classes == ("tree", "bush") and zoo.build(other).head.classes == 2
    assert zoo.classes_of(zoo.with_classes(config, VOC_CLASSES)) == VOC_CLASSES


# ------------------------------------------------------------------------------------------- weights


def test_our_files_are_all_or_nothing(tiny: Path):
    path = tiny.parent / "weights.safetensors"
    model = zoo.build(tiny)
    before = {name: entry.clone() for name, entry in model.state_dict().items()}
    entries = safetensors.torch.load_file(path)
    assert ours.read(path)[1] == {"AP": "0.5"}
    one, other = list(entries)[:2]
    for damaged, said in (
        ({name: entry for name, entry in entries.items() if name != one}, f"1 missing: {one}"),
        ({**entries, "spare": torch.zeros(1)}, "1 extra: spare"),
        ({**entries, other: torch.zeros(2, 3)}, rf"1 of another shape: {other} \(2×3, not "),
    ):
        safetensors.torch.save_file(damaged, path)
        with pytest.raises(DataError, match=said) as error:
            ours.load(model, path)
        assert str(path) in str(error.value)
        assert all(torch.equal(entry, before[name]) for name, entry in model.state_dict().items())


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"\xff" * 100])
def test_what_is_no_safetensors_is_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"x\.safetensors cannot be read as safetensors"):
        ours.read(path)


def test_half_the_bytes(tiny: Path, tmp_path: Path):
    model, path = zoo.build(tiny), tmp_path / "half.safetensors"
    ours.save(model, path, dtype=torch.float16)
    again = zoo.build(tiny)
    ours.load(again, path)
    for name, entry in model.state_dict().items():
        other = again.state_dict()[name]
        assert other.dtype == entry.dtype and torch.allclose(other, entry, rtol=6e-4, atol=1e-6), name
    assert path.stat().st_size < 0.6 * (tmp_path / "weights.safetensors").stat().st_size


def test_a_backbone_begins_with_torchvisions_weights(tmp_path: Path):
    import torchvision

    theirs = torchvision.models.resnet18(num_classes=7)
    torch.save(theirs.state_dict(), tmp_path / "r18.pth")
    body = resnet_pyramid(18, "still").body
    backbone.load(body, tmp_path / "r18.pth")
    assert torch.equal(body.layer4[1].conv2.weight, theirs.layer4[1].conv2.weight)
    with pytest.raises(DataError, match=r"r18\.pth does not fit this model"):
        backbone.load(resnet_pyramid(34, "still").body, tmp_path / "r18.pth")


# ------------------------------------------------------------------------------------------- published


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A config whose weights are published on a server of this machine."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    model = tmp_path / "published.toml"
    model.write_text(TINY)
    torch.manual_seed(1)
    ours.save(zoo.build(model), tmp_path / "there.safetensors")
    content = (tmp_path / "there.safetensors").read_bytes()
    url = server.serve("/weights", content)
    digest = hashlib.sha256(content).hexdigest()
    weights = f'url = "{url}"\npage = "the authors\' page"\nlicence = "For academic use only."\n'
    model.write_text(TINY + weights)
    yield model, digest, server
    server.close()


def test_the_licence_is_said_before_the_download_and_once(published, capsys, own_cache: Path):
    model, digest, server = published
    server.pages["/weights"].silence = 0.0
    lessons.load(model, sha256=digest, device="cpu")
    said = capsys.readouterr().out
    assert "For academic use only." in said and "weights.safetensors" in said
    assert [path.name for path in (own_cache / "weights").iterdir()] == ["weights.safetensors"]
    lessons.load(model, sha256=digest.upper(), device="cpu")
    assert capsys.readouterr().out == "" and len(server.requests) == 1


def test_the_licence_comes_even_where_the_download_fails(published, capsys):
    model, digest, server = published
    server.pages["/weights"].status = 404
    with pytest.raises(LessonsError, match="the authors' page"):
        lessons.load(model, sha256=digest)
    assert "For academic use only." in capsys.readouterr().out


def test_bytes_that_nobody_vouches_for_are_not_loaded(published, capsys):
    model, _, server = published
    with pytest.raises(LessonsError, match=r"no checksum .* is published.* give weights=PATH"):
        lessons.load(model)
    with pytest.raises(LessonsError, match="64 hexadecimal digits"):
        lessons.load(model, sha256="abc")
    assert server.requests == [] and capsys.readouterr().out == ""
    with pytest.raises(LessonsError, match="SHA256"):
        lessons.load(model, sha256="0" * 64)


def test_official_names_without_a_file_say_where_to_get_it():
    with pytest.raises(
        LessonsError, match=r"SOLO_R50_3x\.pth .* https://github\.com/WXinlong/SOLO .* weights=PATH"
    ):
        lessons.load("solo-r50")
    with pytest.raises(LessonsError, match="solo-nuclei has no weights of its own: train it"):
        lessons.load("solo-nuclei")


def test_weights_that_did_not_ship_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("LESSONS_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"solo-mini\.safetensors is missing"):
        lessons.load("solo-mini")
