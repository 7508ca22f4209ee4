"""One JupyterLab and one Chromium for all lessons, where there are such things."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import nbformat
import pytest
from lab_server import Lab, find_chromium, running_lab

PICTURES = Path(__file__).parents[2] / "build" / "browser"
LEFT_OUT = "LEFT OUT: the explorers in a real browser ({why})"


def leave_out(why: str) -> NoReturn:
    """Skip, and say why; a failure where LESSONS_BROWSER=required, as in CI."""
    if os.environ.get("LESSONS_BROWSER") == "required":
        pytest.fail(LEFT_OUT.format(why=why))
    pytest.skip(LEFT_OUT.format(why=why))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """Headless Chromium with a home of its own; without it or Playwright the tests are left out."""
    executable = find_chromium()
    if executable is None:
        leave_out("no Chromium on the PATH; Debian's package is `chromium`")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        leave_out("no Playwright in this environment; `pip install playwright`")
    home = {**os.environ, "HOME": str(tmp_path_factory.mktemp("home"))}
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-dev-shm-usage"], env=home
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, browser) -> Iterator[Lab]:
    """JupyterLab, with a folder of its own for notebooks, settings and everything else that it writes."""
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where a screenshot of each explorer is kept: LESSONS_BROWSER_PICTURES, else build/browser."""
    folder = Path(os.environ.get("LESSONS_BROWSER_PICTURES") or PICTURES)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def desk(lab: Lab, browser) -> "Desk":
    return Desk(lab, browser)


class Desk:
    """Notebooks open in pages. One may be begun before it is asked for: a second core is free then."""

    def __init__(self, lab: Lab, browser) -> None:
        self.lab, self.browser, self.begun = lab, browser, {}

    def begin(self, name: str, notebook: nbformat.NotebookNode) -> None:
        """Put the notebook into the server's folder, open it and let its cells run."""
        from lesson_page import LessonPage  # not before `browser` has seen that there is Playwright

        file = f"{name}.ipynb"
        (self.lab.root / file).write_text(nbformat.writes(notebook), encoding="utf-8")
        self.begun[name] = LessonPage(self.browser, self.lab.address(file), file)

    @contextlib.contextmanager
    def opened(self, name: str, pictures: Path) -> Iterator:
        """The page of a begun notebook, all cells run; if a check fails, the page is kept as a picture."""
        lesson = self.begun.pop(name)
        try:
            lesson.wait_until_run()
            yield lesson
            lesson.shut_down()
        except BaseException:
            lesson.page.screenshot(path=pictures / f"{name}-failed.png")
            raise
        finally:
            lesson.page.close()
