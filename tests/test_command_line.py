"""The command `lessons`: exit status, one sentence per mistake, and no traceback ever."""

import json
import os
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

from lessons import __main__ as command
from lessons.errors import DataError

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture
def module(monkeypatch):
    """module("lessons.runner", f=...) puts a stand-in for a module that a command imports."""

    def put(name, **members):
        parent, _, child = name.rpartition(".")
        stand_in = types.SimpleNamespace(**members)
        monkeypatch.setitem(sys.modules, name, stand_in)
        monkeypatch.setattr(sys.modules[parent], child, stand_in, raising=False)
        return stand_in

    return put


def run(*arguments, **options):
    command_line = [sys.executable, "-m", "lessons", *map(str, arguments)]
    return subprocess.run(command_line, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, **options)


def test_help_is_quick_and_imports_nothing_heavy():
    program = (
        "import sys\n"
        "from lessons.__main__ import main\n"
        "try: main(['doctor', '--help'])\n"
        "except SystemExit as stop: status = stop.code\n"
        "heavy = {'torch', 'torchvision', 'numpy', 'matplotlib', 'PIL', 'IPython'} & set(sys.modules)\n"
        "sys.exit(status or bool(heavy))\n"
    )
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "[ok]" in done.stdout and time.perf_counter() - began < 20


@pytest.mark.parametrize("name", ["doctor", "notebooks", "check", "download-voc", "draw-minivoc"])
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as stop:
        command.main([name, "--help"])
    assert stop.value.code == 0 and f"lessons {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [[], ["dance"], ["draw-minivoc"], ["draw-minivoc", "x", "--train", "0"]]
)
def test_misuse_is_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        command.main(arguments)
    assert stop.value.code == 2 and "usage: lessons" in capsys.readouterr().err


def test_a_mistake_is_one_sentence_on_stderr_and_no_traceback(tmp_path):
    done = run("check", tmp_path / "nichts da é", "train")
    assert done.returncode == 2 and done.stdout == ""
    assert "nichts da é" in done.stderr and len(done.stderr.splitlines()) == 1


def test_another_year_is_one_sentence(capsys):
    assert command.main(["download-voc", "--year", "1999"]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err == "lessons: year=1999 is not offered: choose one of 2012, 2007.\n"


@pytest.mark.parametrize("status", [0, 1])
def test_the_doctors_status_is_the_commands(module, status):
    module("lessons.doctor", report=lambda: status)
    assert command.main(["doctor"]) == status


@pytest.mark.parametrize(
    ("problems", "status"), [([], 0), (["01.ipynb: no title", "02.ipynb: too large"], 1)]
)
def test_notebooks_are_run_or_checked(module, problems, status, capsys):
    calls = []
    module(
        "lessons.runner",
        run_lessons=lambda names: calls.append(("run", names)) or [Path("01.ipynb")],
        check_lessons=lambda names: calls.append(("check", names)) or problems,
    )
    assert command.main(["notebooks"]) == 0
    assert command.main(["notebooks", "01_voc_instances", "--check"]) == status
    assert calls == [("run", None), ("check", ["01_voc_instances"])]
    assert capsys.readouterr().out.splitlines() == (problems or ["The lesson files are in order."])


def test_draw_minivoc_passes_everything_on(module, tmp_path):
    calls = []
    module("lessons.data.minivoc", draw=lambda root, **options: calls.append((root, options)))
    assert command.main(["draw-minivoc", str(tmp_path)]) == 0
    assert (
        command.main(["draw-minivoc", "x", "--seed", "7", "--train", "3", "--val", "2", "--overwrite"]) == 0
    )
    assert calls == [
        (tmp_path, {"train": 600, "val": 150, "overwrite": False}),
        (Path("x"), {"seed": 7, "train": 3, "val": 2, "overwrite": True}),
    ]


def test_download_voc_passes_everything_on(module, tmp_path, capsys):
    calls = []
    module(
        "lessons.data.download", download_voc=lambda *options: calls.append(options) or tmp_path / "VOC2007"
    )
    assert command.main(["download-voc", "--year", "2007", "--to", str(tmp_path)]) == 0
    assert calls == [(2007, tmp_path)]
    assert f"LESSONS_VOC_ROOT={tmp_path / 'VOC2007'}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (DataError("voc.xml is empty: mend it."), 2, "lessons: voc.xml is empty: mend it.\n"),
        (
            PermissionError(13, "Permission denied", "set/train.txt"),
            2,
            "lessons: set/train.txt cannot be used (Permission denied): mend that, or name another.\n",
        ),
        (KeyboardInterrupt(), 130, "lessons: interrupted.\n"),
    ],
)
def test_errors_and_ctrl_c_have_their_own_status(module, capsys, error, status, said):
    def report():
        raise error

    module("lessons.doctor", report=report)
    assert command.main(["doctor"]) == status
    assert capsys.readouterr().err == said


def test_a_reader_who_goes_away_is_no_traceback():
    program = (
        "import sys, types\n"
        "doctor = types.ModuleType('lessons.doctor')\n"
        "doctor.report = lambda: [print('x' * 1000) for _ in range(1000)] and 0\n"
        "sys.modules['lessons.doctor'] = doctor\n"
        "from lessons.__main__ import main\n"
        "sys.exit(main(['doctor']))\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", program], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    writer.stdout.readline()
    writer.stdout.close()
    assert writer.stderr.read() == b""
    writer.stderr.close()
    assert writer.wait(timeout=30) == 141


# ------------------------------------------------------------------------------------------- check


def small_voc(root: Path) -> Path:
    from PIL import Image

    files = ("JPEGImages", "SegmentationObject", "Annotations", "ImageSets/Segmentation")
    for folder in files:
        (root / folder).mkdir(parents=True)
    Image.new("RGB", (12, 8), (90, 120, 60)).save(root / "JPEGImages" / "a.jpg")
    mask = Image.new("P", (12, 8), 0)
    mask.putpalette([0, 0, 0, 128, 0, 0])
    mask.paste(1, (2, 3, 6, 7))
    mask.save(root / "SegmentationObject" / "a.png")
    (root / "Annotations" / "a.xml").write_text(
        "<annotation><filename>a.jpg</filename><size><width>12</width><height>8</height><depth>3</depth></size>"
        "<object><name>cat</name><pose>Left</pose><truncated>0</truncated><difficult>0</difficult>"
        "<bndbox><xmin>3</xmin><ymin>4</ymin><xmax>6</xmax><ymax>7</ymax></bndbox></object></annotation>"
    )
    (root / "ImageSets" / "Segmentation" / "train.txt").write_text("a\n")
    return root


def test_check_of_a_good_and_a_bad_voc_set(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LESSONS_CACHE", str(tmp_path / "cache"))
    root = small_voc(tmp_path / "voc")
    assert command.main(["check", str(root), "train"]) == 0
    assert "1 image" in capsys.readouterr().out
    (root / "JPEGImages" / "a.jpg").write_bytes(b"no picture")
    assert command.main(["check", str(root), "train"]) == 1
    assert "a.jpg" in capsys.readouterr().out


def test_check_of_a_coco_set(tmp_path, monkeypatch, capsys):
    pytest.importorskip("lessons.data.coco")
    from PIL import Image

    monkeypatch.setenv("LESSONS_CACHE", str(tmp_path / "cache"))
    Image.new("RGB", (12, 8)).save(tmp_path / "a.png")
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "area": 16, "bbox": [2, 2, 4, 4]}
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 12, "height": 8}],
        "annotations": [annotation | {"segmentation": [[2, 2, 6, 2, 6, 6, 2, 6]]}],
        "categories": [{"id": 1, "name": "cell"}],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert command.main(["check", str(tmp_path), "--coco", str(tmp_path / "a.json")]) == 0
    (tmp_path / "a.png").unlink()
    assert command.main(["check", str(tmp_path), "--coco", str(tmp_path / "a.json")]) == 1
    assert "a.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["x"], "SPLIT is missing"), (["x", "train", "--coco", "y.json"], "SPLIT 'train'")],
)
def test_split_belongs_to_voc_and_not_to_coco(arguments, said, capsys):
    assert command.main(["check", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_console_that_lacks_letters_is_no_traceback(tmp_path):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    answer = run("check", tmp_path / "bäd", "train", env=environment)
    assert answer.returncode == 2 and "Traceback" not in answer.stderr and "b\\xe4d" in answer.stderr
