"""What several test files share."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def real_data() -> Path:
    """The folder of real data: VOC2007/, nuclei/, coco100/. Tests that ask carry `@pytest.mark.real`."""
    folder = os.environ.get("LESSONS_REAL_DATA")
    if not folder:
        pytest.skip("LESSONS_REAL_DATA is not set: it names the folder of VOC2007, nuclei and coco100")
    return Path(folder)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test gets a cache folder of its own, so that none reads what another or a person left."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("LESSONS_CACHE", str(folder))
    return folder
