"""The doctor: every check can fail, every failure names a remedy, and nothing broken breaks the doctor."""

import importlib.metadata
import subprocess
import sys
import types
from pathlib import Path

import pytest

from lessons import doctor, machine
from lessons.doctor import Finding, Requirement
from lessons.errors import LessonsError

REPOSITORY = Path(__file__).parent.parent


def raising(error):
    def check(*arguments):
        raise error

    return check


def fails(finding: Finding, text: str, remedy: str) -> None:
    assert not finding.ok
    assert text in finding.text and remedy in finding.remedy


# ----------------------------------------------------------------------------------------- each check


@pytest.mark.parametrize("version", [(3, 10, 0), (3, 11, 7), (3, 13, 9)])
def test_supported_pythons(version):
    assert doctor.check_python(version).ok


@pytest.mark.parametrize("version", [(3, 9, 18), (3, 14, 0), (2, 7, 18), (4, 0, 0)])
def test_other_pythons(version):
    fails(doctor.check_python(version, "/usr/bin/python"), "at /usr/bin/python", "Python 3.10")


def test_torch_and_torchvision_answer():
    finding = doctor.check_torch()
    assert finding.ok and finding.text.startswith("torch ") and "torchvision " in finding.text


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("operator torchvision::nms does not exist"),
        ModuleNotFoundError("No module named 'torch'"),
        OSError("libcudart.so.12: cannot open shared object file\nTraceback"),
    ],
)
def test_a_mismatched_or_missing_torch_is_told_in_one_line(error):
    requirement = Requirement("torch", lambda: doctor.check_torch(raising(error)), remedy=doctor.TOGETHER)
    finding = doctor.examine(requirement)
    fails(finding, str(error).splitlines()[0], "install torch and torchvision together in one step")
    assert "\n" not in doctor.line(requirement, finding)


def test_the_torch_line_of_the_report_has_that_remedy():
    by_name = {requirement.name: requirement for requirement in doctor.requirements()}
    assert by_name["torch"].remedy == doctor.TOGETHER and by_name["torch"].needed


def test_an_nms_that_keeps_the_wrong_box_is_seen():
    import torch

    wrong = types.SimpleNamespace(
        __version__="0", ops=types.SimpleNamespace(nms=lambda boxes, scores, threshold: torch.tensor([0, 1]))
    )
    fails(doctor.check_torch({"torch": torch, "torchvision": wrong}.get), "[0, 1]", "together")


@pytest.mark.parametrize(
    ("cuda", "mps", "text"), [(1, 0, "cuda (Big GPU), 3"), (0, 1, "mps"), (0, 0, "cpu, 3 CPU")]
)
def test_the_device_is_named(cuda, mps, text):
    def backend(there):
        return types.SimpleNamespace(is_available=lambda: bool(there))

    gpu = backend(cuda)
    gpu.get_device_name = lambda number: "Big GPU"
    torch = types.SimpleNamespace(cuda=gpu, backends=types.SimpleNamespace(mps=backend(mps)))
    finding = doctor.check_device(lambda name: torch, cores=3)
    assert finding.ok and finding.text.startswith(text)


def test_memory():
    assert doctor.check_memory(lambda: 4 << 30).ok
    fails(doctor.check_memory(lambda: (4 << 30) - 1), "of the 4 GiB", "close other programs")


def test_the_kernel_is_there_and_runs_this_python():
    assert doctor.check_kernel().ok


@pytest.mark.parametrize(
    ("argv", "ok"),
    [
        (["python", "-m", "ipykernel_launcher"], True),
        (["python3", "-m", "ipykernel_launcher"], True),
        (["/env/bin/python3.11", "-m", "ipykernel_launcher"], True),
        (["/elsewhere/bin/python", "-m", "ipykernel_launcher"], False),
        (["ruby"], False),
        ([], False),
    ],
)
def test_a_kernel_of_another_python_fails(argv, ok):
    finding = doctor.check_kernel(lambda: types.SimpleNamespace(argv=argv), "/env/bin/python")
    assert finding.ok is ok
    assert ok or "ipykernel install" in finding.remedy


def test_a_missing_kernel_fails_with_a_remedy():
    check = raising(KeyError("python3"))
    finding = doctor.examine(Requirement("kernel", lambda: doctor.check_kernel(check), remedy=doctor.KERNEL))
    fails(finding, "python3", "ipykernel install")


def test_a_missing_package_is_named():
    def version(name):
        if name == "nbval":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.2"

    fails(doctor.check_packages(version), "missing: nbval", "make env")
    assert "ipywidgets 1.2" in doctor.check_packages(lambda name: "1.2").text


def small_voc(folder: Path) -> Path:
    for split in ("train", "val"):
        names = [f"ImageSets/Segmentation/{split}.txt", f"JPEGImages/{split}1.jpg"]
        names += [f"SegmentationObject/{split}1.png", f"Annotations/{split}1.xml"]
        for name in names:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{split}1\n")
    return folder


def test_complete_data(tmp_path):
    finding = doctor.check_data(small_voc(tmp_path))
    assert finding == Finding(True, f"{tmp_path}: 1 train and 1 val images")


@pytest.mark.parametrize(
    "gone", ["JPEGImages/val1.jpg", "SegmentationObject/train1.png", "Annotations/val1.xml"]
)
def test_a_missing_file_of_the_data_is_named(tmp_path, gone):
    (small_voc(tmp_path) / gone).unlink()
    fails(doctor.check_data(tmp_path), f"{tmp_path}: {gone} missing", "lessons draw-minivoc")


def test_data_that_is_not_there_at_all(tmp_path, monkeypatch):
    fails(doctor.check_data(tmp_path / "none"), "ImageSets/Segmentation/train.txt and", "draw-minivoc")
    monkeypatch.setenv("LESSONS_DATA", str(tmp_path / "none"))
    finding = doctor.examine(Requirement("data", doctor.check_data))
    assert not finding.ok and str(tmp_path / "none") in finding.text and "Error" not in finding.text


@pytest.mark.parametrize("place", ["", "VOCdevkit/VOC2012", "VOCdevkit/VOC2007"])
def test_the_real_voc_is_looked_at_only_where_it_is_named(tmp_path, monkeypatch, place):
    monkeypatch.delenv("LESSONS_VOC_ROOT", raising=False)
    assert "real VOC" not in {requirement.name for requirement in doctor.requirements()}
    small_voc(tmp_path / place)
    monkeypatch.setenv("LESSONS_VOC_ROOT", str(tmp_path))
    (requirement,) = (one for one in doctor.requirements() if one.name == "real VOC")
    assert requirement.check().ok
    (tmp_path / place / "JPEGImages" / "train1.jpg").unlink()
    fails(requirement.check(), "JPEGImages/train1.jpg missing", "LESSONS_VOC_ROOT")


def test_a_full_disk_and_no_browser_are_no_reason_to_stop():
    fails(doctor.check_disk(lambda: 3_900_000_000), "3.9 GB free", "LESSONS_CACHE")
    fails(doctor.check_chromium(lambda name: None), "not found", "only the browser test needs it")
    assert doctor.check_chromium({"chrome": "/opt/chrome"}.get) == Finding(True, "/opt/chrome")
    needed = {requirement.name: requirement.needed for requirement in doctor.requirements()}
    assert not needed["disk"] and not needed["chromium"] and not needed["threads"]
    assert all(needed[name] for name in ("python", "torch", "memory", "kernel", "packages", "data"))


def test_the_hint_about_threads():
    assert doctor.check_threads({"OMP_WAIT_POLICY": "passive"}).text == "OMP_WAIT_POLICY=PASSIVE"
    hint = doctor.check_threads({})
    assert hint.ok and "hint: set OMP_WAIT_POLICY=PASSIVE" in hint.text


# ----------------------------------------------------------------------------------------- the report


def test_the_report_has_one_line_each_and_the_status_of_the_needed_ones():
    good = Requirement("good", lambda: Finding(True, "fine", "never shown"))
    optional = Requirement("optional", lambda: Finding(False, "absent", "get it"), needed=False)
    bad = Requirement("bad", raising(ZeroDivisionError("a\nb")), remedy="mend it")
    lines = []
    assert doctor.report([good, optional], lines.append) == 0
    assert lines == [
        "[ok]   good      fine",
        "[fail] optional  absent (optional) -> get it",
        "All that the lessons need is here.",
    ]
    lines.clear()
    assert doctor.report([good, bad, bad], lines.append) == 1
    assert lines[1] == "[fail] bad       ZeroDivisionError: a b -> mend it"
    assert lines[-1] == "To be mended: 2."


def test_our_own_sentences_are_shown_as_they_are():
    finding = doctor.examine(Requirement("x", raising(LessonsError("the file x is missing: bring it."))))
    assert finding == Finding(False, "the file x is missing: bring it.")


def test_the_doctor_runs_where_torch_and_jupyter_are_missing(tmp_path):
    """In a fresh Python that cannot import them: whole report, no traceback, status 1."""
    program = (
        "import sys\n"
        "class Gone:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in 'torch torchvision jupyter_client psutil numpy tqdm'.split():\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}')\n"
        "sys.meta_path.insert(0, Gone())\n"
        "from lessons.__main__ import main\n"
        "sys.exit(main(['doctor']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1 and done.stderr == ""
    assert "[fail] torch     ModuleNotFoundError: No module named 'torch' -> install torch and" in done.stdout
    assert (
        "[fail] memory" in done.stdout and "[fail] kernel" in done.stdout and "[ok]   python" in done.stdout
    )


# ----------------------------------------------------------------------------------------- containers


def group(folder: Path, **files) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(str(text))


def left(tmp_path: Path, membership: str) -> int | None:
    (tmp_path / "membership").write_text(membership)
    return machine.memory_left_in_container(tmp_path / "cgroup", tmp_path / "membership")


def test_a_limit_of_version_2_counts_and_so_do_the_parents(tmp_path):
    group(tmp_path / "cgroup" / "a" / "b", memory__max="max\n", memory__current=50)
    group(
        tmp_path / "cgroup" / "a",
        memory__max=1000,
        memory__current=700,
        memory__stat="anon 1\ninactive_file 200\n",
    )
    assert left(tmp_path, "0::/a/b\n") == 500


def test_a_limit_of_version_1(tmp_path):
    folder = tmp_path / "cgroup" / "memory" / "job"
    group(
        folder,
        memory__limit_in_bytes=1000,
        memory__usage_in_bytes=400,
        memory__stat="total_inactive_file 100",
    )
    assert left(tmp_path, "7:cpu,cpuacct:/job\n5:memory:/job\n") == 700


def test_the_hosts_path_is_unknown_inside_a_container(tmp_path):
    group(tmp_path / "cgroup", memory__max=1000, memory__current=400)
    assert left(tmp_path, "0::/../host/slice\n") == 600


@pytest.mark.parametrize("limit", ["max", str((1 << 63) - 4096), "nonsense"])
def test_no_limit(tmp_path, limit):
    group(tmp_path / "cgroup", memory__max=limit, memory__current=400)
    assert left(tmp_path, "0::/\n") is None
    assert machine.memory_left_in_container(tmp_path / "cgroup", tmp_path / "nothing") is None


def test_more_used_than_allowed_is_nothing_left(tmp_path):
    group(tmp_path / "cgroup", memory__max=1000, memory__current=1200)
    assert left(tmp_path, "0::/\n") == 0


def test_the_smaller_of_machine_and_container_counts(monkeypatch):
    monkeypatch.setattr(machine, "memory_left_in_container", lambda: 5)
    assert machine.available_memory() == 5
    monkeypatch.setattr(machine, "memory_left_in_container", lambda: None)
    assert machine.available_memory() > 5
    assert machine.cores() >= 1
