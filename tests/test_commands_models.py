"""train, evaluate and predict, from the command line to the files; tiny models on tiny data."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_zoo import TINY
from tiny_sets import coco_json, one_annotation, one_image, write_coco

from lessons import __main__ as command
from lessons import configs, zoo
from lessons.checkpoints import ours
from lessons.commands.models import BAND_SHARE
from lessons.errors import LessonsError
from lessons.evaluation.boundaries import SHARE_OF_DIAGONAL

REPOSITORY = Path(__file__).parent.parent
TRAINING = "[training]\niterations = 4\nsave_every = 2\nevaluate_every = 0\nbatch_size = 2\nworkers = 0\n"


@pytest.fixture(autouse=True)
def without_accelerator(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """The config of a tiny, eager model, its weights beside it: it finds something in every picture."""
    path = tmp_path / "tiny.toml"
    path.write_text(TINY + TRAINING)
    torch.manual_seed(0)
    model = zoo.build(path)
    with torch.no_grad():
        for name, parameter in model.head.named_parameters():
            if name == "category.bias":
                parameter.zero_()
            elif name.startswith("masks") and name.endswith("bias"):
                parameter.fill_(1.0)
            elif name.endswith("weight") and parameter.ndim == 4:
                parameter.mul_(10)
    ours.save(model, tmp_path / "weights.safetensors")
    return path


@pytest.fixture
def cells(tmp_path: Path) -> tuple[str, str]:
    """A set in COCO's format, --coco IMAGES JSON: three pictures, one of them without an object."""
    images = [one_image(id=number, file_name=f"{number}.png") for number in (1, 2, 3)]
    annotations = [one_annotation(id=number, image_id=number) for number in (1, 2)]
    content = coco_json(images, annotations)
    return tuple(map(str, write_coco(tmp_path, content, ("1.png", "2.png", "3.png"))))


def run(*arguments: object) -> int:
    return command.main([str(argument) for argument in arguments])


def train(model: object, folder: Path, cells: tuple[str, str], *more: object) -> int:
    images, annotations = cells
    return run(
        "train", model, "--folder", folder, "--coco", images, annotations, annotations, "--quiet", *more
    )


# ------------------------------------------------------------------------------------------- train


def test_a_run_leaves_weights_log_and_config(tiny: Path, cells, tmp_path: Path, capsys):
    folder = tmp_path / "private" / "run"
    assert train(tiny, folder, cells, "--set", "training.seed=3") == 0
    said = capsys.readouterr().out
    assert "masks" in said and "model.safetensors" in said and "3 images, 2 objects" in said

    model = zoo.load(folder / "tiny.toml")
    assert model.classes == ("cat", "dog"), "those of the data set, by category id"
    assert model.head.classes == 2 and model.name == "tiny"
    log = json.loads((folder / "log.json").read_text())
    assert log["evaluation"]["masks"]["AP"] is not None and log["evaluation"]["images"] == 3
    assert log["pictures"] == {"train": 2, "val": 3}, "pictures without an object teach nothing"
    assert len(log["losses"]["loss_mask"]) == 4 and log["losses"]["every"] == 1
    assert log["command"].startswith("lessons train") and "private" not in log["command"]
    assert str(tmp_path) not in log["command"], "nor where the pictures lie"
    assert "seed = 3" in log["config"] and log["versions"]["torch"] == torch.__version__
    texts = ours.read(folder / "model.safetensors")[1]
    assert (
        texts["config"] == "tiny"
        and 0 <= float(texts["mask AP"]) <= 1
        and "lessons train" in texts["command"]
    )
    entries = ours.read(folder / "model.safetensors")[0]
    assert {entry.dtype for entry in entries.values()} == {torch.float16}, "stored_as of solo-mini"


def test_a_run_goes_on_and_is_not_begun_twice(tiny: Path, cells, tmp_path: Path, capsys):
    folder = tmp_path / "run"
    stop = ("--set", "training.schedule=steps")
    assert train(tiny, folder, cells, *stop) == 0
    first = (folder / "log.jsonl").read_text().splitlines()
    (folder / "checkpoint-00000004.pt").unlink()
    assert train(tiny, folder, cells, *stop) == 0
    assert (folder / "log.jsonl").read_text().splitlines() == first, "bit for bit"
    assert "seconds_since_resumption" in json.loads((folder / "log.json").read_text())
    assert train(tiny, folder, cells, *stop, "--no-resume") == 2
    assert "holds a run already" in capsys.readouterr().err


def test_iterations_and_evaluations_on_the_way(tiny: Path, cells, tmp_path: Path):
    folder = tmp_path / "run"
    assert train(tiny, folder, cells, "--iterations", 2, "--set", "training.evaluate_every=1") == 0
    log = json.loads((folder / "log.json").read_text())
    assert [one["iteration"] for one in log["evaluations"]] == [1, 2]
    assert set(log["evaluations"][0]) == {"iteration", "mask AP", "mask AP50", "box AP"}


def test_nothing_of_the_users_is_replaced(tiny: Path, cells, tmp_path: Path, capsys):
    mine = tmp_path / "run" / "model.safetensors"
    mine.parent.mkdir()
    mine.write_text("mine")
    assert train(tiny, mine.parent, cells) == 2
    assert "model.safetensors is there already" in capsys.readouterr().err and mine.read_text() == "mine"
    assert list(mine.parent.iterdir()) == [mine]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--set", "training.learnin_rate=1"], "takes no 'learnin_rate' (did you mean 'learning_rate'?)"),
        (["--set", "model.head.grid=[1]"], "SOLOHead takes no 'grid' (did you mean 'grids'?)"),
        (["--set", "augmentation.0.type=Flip"], "transform 'Flip' is not known"),
        (["--set", "weights.stored_as=int8"], "weights.stored_as is 'int8'"),
        (["--split", "train"], "do not go with --coco"),
        (["--device", "toaster"], "device='toaster'"),
        (["--backbone", "nowhere.pth"], "nowhere.pth does not exist"),
    ],
)
def test_a_mistake_is_one_sentence(tiny: Path, cells, tmp_path: Path, capsys, more: list[str], said: str):
    assert train(tiny, tmp_path / "run", cells, *more) == 2
    error = capsys.readouterr().err
    assert said in error and len(error.splitlines()) == 1


def test_official_models_begin_with_a_trained_backbone(cells, tmp_path: Path, capsys):
    assert train("solo-r50", tmp_path / "run", cells) == 2
    assert "give --backbone resnet50-19c8e357.pth" in capsys.readouterr().err


def test_a_model_without_data_asks_for_some(tmp_path: Path, capsys):
    assert run("train", "solo-nuclei", "--folder", tmp_path / "run") == 2
    assert "give --data or --coco" in capsys.readouterr().err


def test_two_processes_train_one_model(tiny: Path, cells, tmp_path: Path):
    folder, (images, annotations) = tmp_path / "run", cells
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    # Pictures of one size: two processes pad their own parts of a batch, and so see other canvases than one.
    same_size = ("--set", "augmentation=[]", "--device", "cpu")
    arguments = ["train", tiny, "--folder", folder, "--coco", images, annotations, annotations, *same_size]
    done = subprocess.run(
        [*launch, "-m", "lessons", *map(str, arguments), "--quiet"],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    log = json.loads((folder / "log.json").read_text())
    assert log["processes"] == 2 and len(log["losses"]["loss"]) == 4
    assert done.stdout.count("AP50") == 1, "one process speaks"
    assert train(tiny, tmp_path / "alone", cells, *same_size) == 0
    alone = json.loads((tmp_path / "alone" / "log.json").read_text())
    assert log["losses"]["loss"] == pytest.approx(alone["losses"]["loss"], rel=1e-4)


# ------------------------------------------------------------------------------------------- evaluate


def test_evaluate_prints_a_table_and_keeps_the_results(tiny: Path, cells, tmp_path: Path, capsys):
    config = configs.change(configs.read(tiny), ['data.classes=["cat", "dog"]', "model.head.classes=2"])
    own = tmp_path / "own.toml"
    own.write_text(configs.to_toml(config))
    torch.manual_seed(0)
    ours.save(zoo.build(own), tmp_path / "two.safetensors")
    results = tmp_path / "out" / "results.json"
    arguments = ["evaluate", own, "--weights", tmp_path / "two.safetensors", "--coco", *cells, "--quiet"]
    assert run(*arguments, "--out", results, "--limit", 2, "--kinds", "boundaries", "masks") == 0
    said = capsys.readouterr().out
    assert "boundaries" in said and "masks" in said and "boxes" not in said and "2 images" in said
    assert json.loads(results.read_text()) == []
    assert run(*arguments, "--out", results) == 2
    assert "results.json exists" in capsys.readouterr().err
    assert run(*arguments, "--out", results, "--overwrite") == 0


def test_the_band_of_boundaries_is_the_package_s_or_one_s_own(tiny: Path, cells, capsys):
    assert BAND_SHARE == SHARE_OF_DIAGONAL
    options = ("--limit", 1, "--kinds", "boundaries", "--quiet")
    assert run("evaluate", tiny, *options, "--band-share", "0.005") == 0
    assert run("evaluate", tiny, *options, "--band-share", "-1") == 2
    assert "give a positive share of the diagonal" in capsys.readouterr().err


def test_labels_must_mean_the_same(tiny: Path, cells, capsys):
    assert run("evaluate", tiny, "--coco", *cells, "--quiet") == 2
    assert "The data set has 2 classes and the model has 20" in capsys.readouterr().err
    from lessons.commands.sources import check_same_classes

    with pytest.raises(LessonsError, match="has 'cow' as label 2 and the model has 'dog'"):
        check_same_classes(("cat", "dog"), ("cat", "cow"), "It")


def test_the_configs_own_data_are_the_default(tiny: Path, capsys):
    assert run("evaluate", tiny, "--limit", 2, "--quiet") == 0
    assert "2 images" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------- predict


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    draw = np.random.default_rng(0)
    for name, size in (("a.jpg", (40, 60)), ("a.bmp", (50, 30)), ("b é.png", (64, 64))):
        Image.fromarray(draw.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / name)
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_predict_draws_every_picture_and_writes_one_file(tiny: Path, pictures: Path, tmp_path: Path, capsys):
    out = tmp_path / "out"
    assert run("predict", tiny, pictures, "--out", out) == 0
    names = sorted(path.name for path in out.iterdir())
    assert names == ["a.jpg", "a.jpg.jpg", "b é.png", "predictions.json"]
    with Image.open(out / "b é.png") as drawn, Image.open(out / "a.jpg.jpg") as wide:
        assert drawn.format == "PNG" and wide.format == "JPEG" and wide.size == (800, 533)
    entries = json.loads((out / "predictions.json").read_text())
    assert {entry["file_name"] for entry in entries} == {"a.bmp", "a.jpg", "b é.png"}
    assert set(entries[0]) == {
        "image_id", "category_id", "score", "bbox", "segmentation", "file_name", "category"
    }  # fmt: skip
    found = zoo.load(tiny).predict(pictures / "b é.png")
    scores = [entry["score"] for entry in entries if entry["file_name"] == "b é.png"]
    assert scores == found["scores"].tolist(), "--show-above is for the drawing only"
    assert f"{len(entries)} objects in 3 pictures" in capsys.readouterr().out


def test_what_is_drawn_is_above_the_score(tiny: Path, pictures: Path, tmp_path: Path):
    for name, score in (("all", 0), ("none", 1)):
        assert (
            run("predict", tiny, pictures / "b é.png", "--out", tmp_path / name, "--show-above", score) == 0
        )
    with Image.open(tmp_path / "none" / "b é.png") as drawn, Image.open(pictures / "b é.png") as plain:
        small = np.asarray(drawn.convert("RGB").resize(plain.size, Image.Resampling.BOX), dtype=int)
        assert np.abs(small - np.asarray(plain)).mean() < 12
    assert (tmp_path / "all" / "b é.png").read_bytes() != (tmp_path / "none" / "b é.png").read_bytes()


def test_a_bad_picture_is_named_and_the_others_go_on(tiny: Path, pictures: Path, tmp_path: Path, capsys):
    (pictures / "a.bmp").write_bytes(b"broken")
    assert run("predict", tiny, pictures, "--out", tmp_path / "out") == 1
    said = capsys.readouterr()
    assert "a.bmp cannot be decoded" in said.err and "in 2 pictures" in said.out
    assert (tmp_path / "out" / "b é.png").exists()


def test_nothing_is_overwritten_unasked(tiny: Path, pictures: Path, tmp_path: Path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "predictions.json").write_text("mine")
    assert run("predict", tiny, pictures / "a.jpg", "--out", out) == 2
    assert "predictions.json exists" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["predictions.json"], "found out before the work"
    assert run("predict", tiny, pictures / "a.jpg", "--out", out, "--overwrite") == 0
    before = (pictures / "a.jpg").read_bytes()
    assert run("predict", tiny, pictures / "a.jpg", "--out", pictures, "--overwrite") == 2
    assert "folder of the pictures themselves" in capsys.readouterr().err
    assert (pictures / "a.jpg").read_bytes() == before


@pytest.mark.parametrize(
    ("given", "said"),
    [("nowhere", "nowhere does not exist"), ("empty", "empty holds no picture")],
)
def test_no_picture_is_one_sentence(tiny: Path, tmp_path: Path, capsys, given: str, said: str):
    (tmp_path / "empty").mkdir()
    assert run("predict", tiny, tmp_path / given, "--out", tmp_path / "out") == 2
    assert said in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_score_to_show_is_a_score(tiny: Path, pictures: Path, tmp_path: Path, capsys):
    assert run("predict", tiny, pictures, "--out", tmp_path / "out", "--show-above", "25") == 2
    assert "--show-above 25.0 is no score" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["train", "evaluate", "predict"])
def test_every_command_explains_itself(name: str, capsys):
    with pytest.raises(SystemExit) as stop:
        command.main([name, "--help"])
    assert stop.value.code == 0 and f"lessons {name}" in capsys.readouterr().out
