"""The list of dependencies is written once, in pyproject.toml; everything else must agree with it."""

import sys
from pathlib import Path

import yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY = Path(__file__).parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def environment() -> dict:
    return yaml.safe_load((REPOSITORY / "environment.yml").read_text(encoding="utf-8"))


def test_conda_installs_the_project_and_nothing_beside_it():
    plain = [item for item in environment()["dependencies"] if isinstance(item, str)]
    nested = [item for item in environment()["dependencies"] if isinstance(item, dict)]
    assert plain == [f"python{PROJECT['requires-python']}", "pip"]
    assert nested == [{"pip": ["-e .[test]"]}]
    assert "test" in PROJECT["optional-dependencies"]


def test_torch_and_torchvision_are_asked_for_together():
    names = [requirement.split(">=")[0] for requirement in PROJECT["dependencies"]]
    assert names[:2] == ["torch", "torchvision"]


def test_every_package_of_the_product_card_is_required():
    required = " ".join(PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"])
    card = ["torch", "torchvision", "jupyterlab", "matplotlib", "ipywidgets", "nbval", "pycocotools", "scipy"]
    for name in card:
        assert f"{name}>=" in required


def test_continuous_integration_runs_oldest_newest_and_weekly():
    text = (REPOSITORY / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    lines = {job["name"]: job for job in workflow["jobs"]["test"]["strategy"]["matrix"]["include"]}
    files = [REPOSITORY / lines[name]["constraints"] for name in ("oldest", "newest")]
    oldest, newest = (file.read_text(encoding="utf-8").splitlines() for file in files)
    minimum = next(line for line in PROJECT["dependencies"] if line.startswith("torch>="))[len("torch>=") :]
    assert f"torch=={minimum}.0" in oldest
    assert any(line.startswith("torch==") for line in newest)
    assert workflow[True]["schedule"], "YAML reads the key `on` as True"
    assert "PIP_CONSTRAINT" not in str(workflow["jobs"]["unpinned"])
