"""`lessons doctor`: one line per requirement, [ok] or [fail], and the remedy where one fails.

It must run where things are broken, so this file imports the standard library and a few light rooms of ours;
every check imports what it needs itself, and an error inside a check becomes a failed line.
"""

import importlib
import importlib.metadata
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lessons import machine
from lessons.errors import LessonsError
from lessons.files import cache_folder, shipped_data
from lessons.voc_layout import describe, missing_files, read_ids

TOGETHER = "install torch and torchvision together in one step: `pip install --upgrade torch torchvision`"
INSTALL = "run `make env`, or `pip install -e '.[test]'` in the repository"
KERNEL = "run `python -m ipykernel install --sys-prefix --name python3`"
GIB = 1 << 30


@dataclass(frozen=True)
class Finding:
    """What a check found: whether it is as it should be, what is there, and what to do if it is not."""

    ok: bool
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Requirement:
    """One line of the report. `check()` may raise anything; what is not `needed` never fails the whole."""

    name: str
    check: Callable[[], Finding]
    needed: bool = True
    remedy: str = INSTALL  # for an error that the check itself did not foresee


def requirements() -> list[Requirement]:
    """Everything that the lessons need, and then what only some of them use."""
    found = [
        Requirement("python", check_python),
        Requirement("torch", check_torch, remedy=TOGETHER),
        Requirement("device", check_device, remedy=TOGETHER),
        Requirement("memory", check_memory),
        Requirement("kernel", check_kernel, remedy=KERNEL),
        Requirement("packages", check_packages),
        Requirement("data", check_data),
    ]
    if os.environ.get("LESSONS_VOC_ROOT"):
        found.append(Requirement("real VOC", check_real_voc))
    return [
        *found,
        Requirement("disk", check_disk, needed=False),
        Requirement("threads", check_threads, needed=False),
        Requirement("chromium", check_chromium, needed=False),
    ]


def report(found: Sequence[Requirement] | None = None, write: Callable[[str], object] = print) -> int:
    """Write one line per requirement and a last one. Returns the exit status: 1 if a needed one fails."""
    failed = 0
    for requirement in requirements() if found is None else found:
        finding = examine(requirement)
        failed += requirement.needed and not finding.ok
        write(line(requirement, finding))
    write("All that the lessons need is here." if not failed else f"To be mended: {failed}.")
    return 1 if failed else 0


def examine(requirement: Requirement) -> Finding:
    """Run one check. Whatever it raises becomes a failed finding in one line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return requirement.check()
    except LessonsError as error:
        return Finding(False, str(error))
    except Exception as error:
        reason = " ".join(str(error).split()) or "no message"
        return Finding(False, f"{type(error).__name__}: {reason[:200]}", requirement.remedy)


def line(requirement: Requirement, finding: Finding) -> str:
    """The line that the reader sees."""
    mark = "[ok]  " if finding.ok else "[fail]"
    remedy = f" -> {finding.remedy}" if finding.remedy and not finding.ok else ""
    optional = "" if requirement.needed or finding.ok else " (optional)"
    return f"{mark} {requirement.name:<9} {finding.text}{optional}{remedy}"


# ----------------------------------------------------------------------------------------- the checks


def check_python(version: Sequence[int] = sys.version_info, executable: str = sys.executable) -> Finding:
    """Python 3.10 to 3.13."""
    text = f"{'.'.join(map(str, version[:3]))} at {executable}"
    return Finding((3, 10) <= tuple(version[:2]) <= (3, 13), text, "use Python 3.10, 3.11, 3.12 or 3.13")


def check_torch(load: Callable[[str], object] = importlib.import_module) -> Finding:
    """torch and torchvision fit each other: the compiled operators of torchvision answer.

    A torchvision built for another torch imports torch's symbols in vain, and says that the operator
    `torchvision::nms` does not exist.
    """
    torch, torchvision = load("torch"), load("torchvision")
    text = f"torch {torch.__version__}, torchvision {torchvision.__version__}"
    kept = torchvision.ops.nms(torch.tensor([[0.0, 0, 4, 4], [0, 0, 4, 3]]), torch.tensor([0.5, 0.9]), 0.5)
    if kept.tolist() != [1]:
        return Finding(False, f"{text}: nms gives {kept.tolist()} instead of [1]", TOGETHER)
    return Finding(True, text)


def check_device(
    load: Callable[[str], object] = importlib.import_module, cores: int | None = None
) -> Finding:
    """The device that the lessons will choose. All of them run on a CPU, so this fails only if torch does."""
    torch = load("torch")
    cores = cores or machine.cores()
    with_cores = f"{cores} CPU core{'s' if cores > 1 else ''}"
    if torch.cuda.is_available():
        return Finding(True, f"cuda ({torch.cuda.get_device_name(0)}), {with_cores}")
    if torch.backends.mps.is_available():
        return Finding(True, f"mps (Apple), {with_cores}")
    return Finding(True, f"cpu, {with_cores}")


def check_memory(available: Callable[[], int] = machine.available_memory, needed: float = 4.0) -> Finding:
    """Free memory in GiB, a container's limit included."""
    free = available() / GIB
    remedy = "close other programs and kernels, or raise the container's limit"
    return Finding(
        free >= needed, f"{free:.1f} GiB available of the {needed:g} GiB that lessons may use", remedy
    )


def check_kernel(
    specification: Callable[[], object] | None = None, executable: str = sys.executable
) -> Finding:
    """Jupyter's kernel `python3`, which all notebooks name, runs this very Python."""
    argv = (specification or _kernel_specification)().argv
    program = argv[0] if argv else ""
    # Jupyter replaces a bare `python` by the Python that it runs in itself. A virtual environment's python is
    # a link to the base one, so the paths are compared unresolved.
    bare = not os.path.dirname(program) and program.startswith("python")
    same = bare or (os.path.dirname(program) and _folder(program) == _folder(executable))
    return Finding(bool(same), f"python3 runs {executable if bare else program}", KERNEL)


def _folder(program: str) -> str:
    return os.path.normcase(os.path.dirname(os.path.abspath(program)))


def _kernel_specification() -> object:
    from jupyter_client.kernelspec import KernelSpecManager

    return KernelSpecManager().get_kernel_spec("python3")


def check_packages(version: Callable[[str], str] = importlib.metadata.version) -> Finding:
    """What the notebooks run in and what draws their widgets."""
    found, missing = [], []
    for name in ("jupyterlab", "ipywidgets", "nbval", "matplotlib", "pycocotools"):
        try:
            found.append(f"{name} {version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    text = ", ".join(found) + (f"; missing: {', '.join(missing)}" if missing else "")
    return Finding(not missing, text.removeprefix("; "), INSTALL)


def check_data(folder: Path | None = None) -> Finding:
    """The drawn mini VOC that ships with the repository is there with all its files."""
    remedy = "run `lessons draw-minivoc data/minivoc --overwrite`"
    return _check_voc(folder or shipped_data() / "minivoc", ["train", "val"], remedy)


def check_real_voc(root: str | None = None) -> Finding:
    """The reader's own Pascal VOC, which `LESSONS_VOC_ROOT` names."""
    root = Path(root or os.environ["LESSONS_VOC_ROOT"])
    inside = [root / "VOCdevkit" / "VOC2012", root / "VOCdevkit" / "VOC2007"]
    folder = next((place for place in inside if place.is_dir()), root)
    remedy = "let LESSONS_VOC_ROOT name the folder that holds JPEGImages, or unset it"
    splits = [split for split in ("train", "val") if read_ids(folder, split)]
    return _check_voc(folder, splits or ["train"], remedy)


def _check_voc(folder: Path, splits: Sequence[str], remedy: str) -> Finding:
    missing = missing_files(folder, splits)
    if missing:
        return Finding(False, f"{folder}: {describe(missing)}", remedy)
    counts = " and ".join(f"{len(read_ids(folder, split))} {split}" for split in splits)
    return Finding(True, f"{folder}: {counts} images")


def check_disk(free: Callable[[], int] | None = None, needed: float = 4.0) -> Finding:
    """Room for the real VOC 2012 while it is unpacked; nothing else needs much."""
    there = cache_folder().absolute()
    while not there.exists():
        there = there.parent
    gigabytes = (free() if free else shutil.disk_usage(there).free) / 1e9
    remedy = "make room, or set LESSONS_CACHE to another disk; only the real VOC 2012 needs it"
    return Finding(gigabytes >= needed, f"{gigabytes:.1f} GB free at {there}", remedy)


def check_threads(environment: dict[str, str] | None = None) -> Finding:
    """A hint, never a failure: OpenMP's waiting threads spin, and slow torch beside another busy program."""
    policy = (os.environ if environment is None else environment).get("OMP_WAIT_POLICY", "")
    if policy.upper() == "PASSIVE":
        return Finding(True, "OMP_WAIT_POLICY=PASSIVE")
    return Finding(True, "hint: set OMP_WAIT_POLICY=PASSIVE if another busy program slows the training down")


def check_chromium(which: Callable[[str], str | None] = shutil.which) -> Finding:
    """A browser for the one test that moves a slider in a real page."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"):
        if found := which(name):
            return Finding(True, found)
    return Finding(False, "not found", "only the browser test needs it: install chromium")
